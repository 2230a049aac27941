/*
 * I6 and I8: a task that succeeded did all of its work, each piece once, by whoever had it last; of
 * one that was given up nobody runs anything any more, and its cause is that of a piece that
 * failed.
 */
#include "engine/task/task.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "tasks"

typedef struct check {
    const evidence *of;
    task_row task;
    subtask_row *subtasks;
} check;

/* --------------------------------------------------------------------------------- its pieces */

static void read_subtasks(check *in)
{
    buffer key;
    buffer_init(&key);
    for (uint32_t i = 0; i < in->task.subtask_count; i++) {
        key_subtask_history(&key, in->task.job, in->task.phase, i);
        const version *found = durable_read(in->of->durable, buffer_slice(&key), TIMESTAMP_MAX);
        subtask_row *row = &in->subtasks[i];
        if (found == NULL ||
            !subtask_row_decode(in->task.job, in->task.phase, i, version_value(found), row)) {
            sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "subtask %u of job %llu is not in history, or cannot be read", i,
                       number(in->task.job));
        }
        if (row->state != SUBTASK_SUCCEED || row->snapshot != in->task.snapshot ||
            row->snapshot == 0) {
            sb_finding(
                in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                "the task of job %llu succeeded; its subtask %u is %s, with snapshot %llu of %llu",
                number(in->task.job), i, subtask_state_text(row->state), number(row->snapshot),
                number(in->task.snapshot));
        }
    }
    buffer_release(&key);
}

/* Those of a task that was undone have ended too, and one of them has failed for what the task
 * did. */
static void check_undone(const check *in)
{
    bool failed = in->task.cause == FAILURE_CANCELLED;
    buffer key;
    buffer_init(&key);
    for (uint32_t i = 0; i < in->task.subtask_count; i++) {
        subtask_row row;
        key_subtask_history(&key, in->task.job, in->task.phase, i);
        const version *found = durable_read(in->of->durable, buffer_slice(&key), TIMESTAMP_MAX);
        if (found == NULL ||
            !subtask_row_decode(in->task.job, in->task.phase, i, version_value(found), &row) ||
            !subtask_state_is_final(row.state)) {
            sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "the task of job %llu was undone, and its subtask %u has not ended",
                       number(in->task.job), i);
        }
        failed |= row.state == SUBTASK_FAILED && row.cause == in->task.cause;
    }
    buffer_release(&key);
    if (!failed) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "the task of job %llu was undone for \"%s\", for which no subtask failed",
                   number(in->task.job), failure_text(in->task.cause));
    }
}

/* The range that begins at the key, or NULL. */
static const subtask_row *range_at(const check *in, slice start)
{
    for (uint32_t i = 0; i < in->task.subtask_count; i++) {
        if (slice_equal(range_key_slice(&in->subtasks[i].start), start)) {
            return &in->subtasks[i];
        }
    }
    return NULL;
}

/* What all keys of the task begin with: of rows, or of the temporary index that it merges. */
static encoded_key keys_of_task(const check *in)
{
    return in->task.kind == TASK_KIND_MERGE
               ? encode_index_prefix(in->task.table, in->task.index | TEMPORARY_INDEX)
               : encode_rows_prefix(in->task.table);
}

/* Ranges follow each other from the first key to behind the last, and none is left over. */
static void check_partition(const check *in)
{
    const encoded_key start = keys_of_task(in), end = encode_behind(&start);
    slice at = {NULL, 0};
    uint32_t used = 0;
    for (uint32_t i = 0; i < in->task.subtask_count; i++) {
        const slice first = range_key_slice(&in->subtasks[i].start);
        if (slice_compare(first, encoded_slice(&start)) <= 0) {
            at = first;
        }
    }
    const bool begins = in->task.subtask_count > 0 && range_at(in, at) != NULL;
    bool ends = false;
    while (begins && !ends && used < in->task.subtask_count) {
        const subtask_row *row = range_at(in, at);
        if (row == NULL) {
            break;
        }
        used++;
        at = range_key_slice(&row->end);
        ends = at.size == 0 || slice_compare(at, encoded_slice(&end)) >= 0;
    }
    if (!begins || !ends || used != in->task.subtask_count) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "the ranges of the %u subtasks of job %llu do not partition the table: %u "
                   "follow each other%s",
                   in->task.subtask_count, number(in->task.job), used,
                   ends ? "" : " and do not reach the end");
    }
}

/* -------------------------------------------------------------------------- how it came about */

static void check_move(const check *in, uint32_t at, const subtask_row *from, const subtask_row *to)
{
    const bool same =
        from->server == to->server && from->session == to->session && from->attempt == to->attempt;
    if (to->state == SUBTASK_SUCCEED && (!same || from->state != SUBTASK_RUNNING)) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "subtask %u of job %llu succeeded by another attempt than the one that ran", at,
                   number(in->task.job));
    }
    if (to->state == SUBTASK_PENDING && to->attempt <= from->attempt) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "subtask %u of job %llu was given away again as attempt %llu", at,
                   number(in->task.job), number(to->attempt));
    }
}

/* The versions of the live row, newest first: each time it is given to a server that is another
 * attempt, and there is one success, by the attempt that had been running. */
static void check_moves(const check *in, uint32_t at)
{
    buffer key;
    buffer_init(&key);
    key_subtask(&key, in->task.job, in->task.phase, at);
    const entry *found = durable_find(in->of->durable, buffer_slice(&key));
    buffer_release(&key);
    subtask_row later = {.state = SUBTASK_PENDING, .attempt = UINT64_MAX};
    uint32_t successes = 0;
    for (const version *of = found == NULL ? NULL : found->values; of != NULL; of = of->older) {
        subtask_row row;
        if (of->kind != VERSION_PUT) {
            continue;
        }
        if (!subtask_row_decode(in->task.job, in->task.phase, at, version_value(of), &row)) {
            sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                       "a row of subtask %u cannot be read", at);
        }
        check_move(in, at, &row, &later);
        successes += row.state == SUBTASK_SUCCEED;
        later = row;
    }
    if (successes > 1) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "subtask %u of job %llu succeeded twice", at, number(in->task.job));
    }
}

/* What the subtasks say they have put is what there was at the snapshot. */
static void check_row_count(const check *in)
{
    const encoded_key start = encode_rows_prefix(in->task.table), end = encode_behind(&start);
    uint64_t put = 0, rows = 0;
    for (uint32_t i = 0; i < in->task.subtask_count; i++) {
        put += in->subtasks[i].row_count;
    }
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        rows += durable_entry_read(walk.found, in->task.snapshot) != NULL;
    }
    if (put != rows) {
        sb_finding(in->of->world, SB_FINDING_WRONG_INDEX, ORACLE,
                   "the subtasks of job %llu put %llu entries for the %llu rows of snapshot %llu",
                   number(in->task.job), number(put), number(rows), number(in->task.snapshot));
    }
}

static void check_task(const evidence *of, job_id job, uint32_t phase, slice value)
{
    check in = {.of = of};
    if (!task_row_decode(job, phase, value, &in.task)) {
        sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE, "the task of job %llu cannot be read",
                   number(job));
    }
    if (!task_state_is_final(in.task.state)) {
        sb_finding(of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "the task of job %llu is in history and %s", number(job),
                   task_state_text(in.task.state));
    }
    if (in.task.state == TASK_REVERTED) {
        check_undone(&in);
    }
    if (in.task.state != TASK_SUCCEED) {
        return;
    }
    in.subtasks = sb_alloc((in.task.subtask_count + 1) * sizeof(*in.subtasks));
    read_subtasks(&in);
    check_partition(&in);
    if (in.task.kind == TASK_KIND_BACKFILL) {
        check_row_count(&in);
    }
    for (uint32_t i = 0; i < in.task.subtask_count; i++) {
        check_moves(&in, i);
    }
    sb_free(in.subtasks);
}

void oracle_tasks(const evidence *of)
{
    durable_walk walk;
    for (durable_walk_rows(&walk, of->durable, "task-history"); durable_walk_next(&walk);) {
        const version *last = durable_entry_read(walk.found, TIMESTAMP_MAX);
        uint64_t numbers[2] = {0}; /* job, phase */
        if (last != NULL && key_meta_decode(walk.key, "task-history", numbers, 2)) {
            check_task(of, numbers[0], (uint32_t)numbers[1], version_value(last));
        }
    }
}
