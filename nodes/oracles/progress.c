/*
 * I6, I10: what rows say of progress never goes back, and the first cause is kept.
 *
 * The durable versions of a row are its whole life, whoever wrote them and whoever was told.  Of
 * two that follow each other the later is where a move of the lifecycle's table leads, or the same;
 * what is chosen once (a snapshot, a range, an error, a cause) stays, and what counts only grows.
 * The row that goes to history is the last of them.
 *
 *     m job      → m history             m reorg
 *     m task     → m task-history
 *     m subtask  → m subtask-history
 */
#include "engine/ddl/job.h"
#include "engine/ddl/reorg_row.h"
#include "engine/task/task.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "progress"
#define NUMBERS_MAX 3u

/* The life of one row. */
typedef struct life {
    const evidence *of;
    const char *word;
    uint64_t numbers[NUMBERS_MAX]; /* of its key */
    timestamp at;                  /* when the version that is judged was committed */
} life;

/* Two versions of a row that follow each other.  Those that cannot be read are told elsewhere. */
typedef void judge_pair(const life *in, slice before, slice after);

typedef struct kind_of_row {
    const char *word, *history; /* history: NULL when the row goes nowhere */
    uint32_t number_count;
    judge_pair *judge;
} kind_of_row;

/* ------------------------------------------------------------------------------------ findings */

static void must(const life *in, bool holds, const char *what)
{
    if (!holds) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "row \"%s\" %llu/%llu/%llu, as committed at %llu: %s", in->word,
                   number(in->numbers[0]), number(in->numbers[1]), number(in->numbers[2]),
                   number(in->at), what);
    }
}

/* Whether the lifecycle has that move. */
static bool has_move(const sb_machine *of, uint32_t from, uint32_t to)
{
    bool found = from == to;
    for (uint32_t i = 0; i < of->move_count && !found; i++) {
        found = of->moves[i].from == from && of->moves[i].to == to;
    }
    return found;
}

static void must_move(const life *in, const sb_machine *of, uint32_t from, uint32_t to)
{
    if (!has_move(of, from, to)) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "%s %llu/%llu/%llu went from %s to %s at %llu, which is no move of its table",
                   of->name, number(in->numbers[0]), number(in->numbers[1]), number(in->numbers[2]),
                   of->states[from], of->states[to], number(in->at));
    }
}

/* Nothing yet, or what it is now. */
static bool is_kept(uint64_t before, uint64_t after)
{
    return before == 0 || before == after;
}

static bool is_behind(const range_key *key, const range_key *other)
{
    return slice_compare(range_key_slice(key), range_key_slice(other)) < 0;
}

static bool is_equal(const range_key *key, const range_key *other)
{
    return slice_equal(range_key_slice(key), range_key_slice(other));
}

/* ---------------------------------------------------------------------------------------- jobs */

/* Before the first step of a DROP INDEX its row does not know the index, which is public. */
static schema_state schema_of(const job_row *of, const job_row *after)
{
    const bool begins = of->kind == JOB_KIND_DROP_INDEX && of->version == 0 && after->version != 0;
    return begins ? SCHEMA_PUBLIC : job_schema(of);
}

/* So many errors end a job, unless it is on its way out, or a drop that nothing stops. */
static bool goes_on_with_errors(const evidence *of, const job_row *row)
{
    return of->error_limit > 0 && row->error_count >= of->error_limit && !job_is_dropping(row) &&
           (row->state == JOB_QUEUEING || row->state == JOB_RUNNING || row->state == JOB_PAUSING);
}

/* An index gets public when all is merged; one that turns back keeps its backfill state, so that
 * losses go on being recorded where servers at the state before look for them. */
static void judge_backfill(const life *in, const job_row *before, const job_row *after)
{
    const schema_state from = job_schema(before), to = job_schema(after);
    if (after->kind != JOB_KIND_ADD_INDEX || from == to) {
        return;
    }
    must(in, to != SCHEMA_PUBLIC || job_backfill(before) == BACKFILL_MERGING,
         "its index got public and was not merging");
    must(in,
         to != SCHEMA_DELETE_ONLY || from == SCHEMA_NONE ||
             job_backfill(before) == job_backfill(after),
         "its index turned back and lost its backfill state");
}

static void judge_job(const life *in, slice older, slice newer)
{
    job_row before, after;
    if (!job_row_decode(in->numbers[0], older, &before) ||
        !job_row_decode(in->numbers[0], newer, &after)) {
        return;
    }
    must_move(in, &job_machine, before.state, after.state);
    must_move(in, &schema_state_machine, schema_of(&before, &after), job_schema(&after));
    must(in,
         before.nonce == after.nonce && before.table == after.table && before.kind == after.kind &&
             before.single == after.single && before.index_count == after.index_count,
         "it is another job");
    judge_backfill(in, &before, &after);
    must(in, before.phase <= after.phase, "its phase went back");
    must(in, before.version <= after.version, "its schema version went back");
    must(in, before.row_count <= after.row_count, "its count of rows went back");
    must(in, before.error_count <= after.error_count, "its count of errors went back");
    must(in, !goes_on_with_errors(in->of, &after), "it goes on with too many errors");
    must(in, is_kept(before.snapshot, after.snapshot), "its snapshot is another");
    must(in, is_kept(before.error, after.error), "its first error was not kept");
    must(in, is_kept(before.cause, after.cause), "its first cause was not kept");
    must(in, after.cause == FAILURE_NONE || after.state != JOB_SYNCED, "it succeeded with a cause");
}

/* --------------------------------------------------------------------------------------- tasks */

static void judge_task(const life *in, slice older, slice newer)
{
    task_row before, after;
    const uint32_t phase = (uint32_t)in->numbers[1];
    if (!task_row_decode(in->numbers[0], phase, older, &before) ||
        !task_row_decode(in->numbers[0], phase, newer, &after)) {
        return;
    }
    must_move(in, &task_machine, before.state, after.state);
    must(in,
         before.kind == after.kind && before.table == after.table && before.index == after.index &&
             before.snapshot == after.snapshot,
         "it is another task");
    must(in, is_kept(before.subtask_count, after.subtask_count), "its count of subtasks changed");
    must(in, is_kept(before.cause, after.cause), "its first cause was not kept");
    must(in,
         after.state != TASK_REVERTING || after.cause != FAILURE_CANCELLED ||
             before.state == TASK_CANCELLING || before.state == TASK_REVERTING,
         "it is reverting for a cancel and was never cancelling");
}

static void judge_subtask(const life *in, slice older, slice newer)
{
    subtask_row before, after;
    const uint32_t phase = (uint32_t)in->numbers[1], at = (uint32_t)in->numbers[2];
    if (!subtask_row_decode(in->numbers[0], phase, at, older, &before) ||
        !subtask_row_decode(in->numbers[0], phase, at, newer, &after)) {
        return;
    }
    must_move(in, &subtask_machine, before.state, after.state);
    must(in,
         before.kind == after.kind && before.table == after.table && before.index == after.index &&
             before.snapshot == after.snapshot && is_equal(&before.start, &after.start) &&
             is_equal(&before.end, &after.end),
         "it is another subtask");
    must(in, before.attempt <= after.attempt, "its attempt went back");
    must(in, !is_behind(&after.imported, &before.imported), "what is imported became less");
    must(in, before.imported_rows <= after.imported_rows, "its imported rows became fewer");
    must(in, is_kept(before.cause, after.cause), "its first cause was not kept");
}

/* ------------------------------------------------------------------------- the single-node path */

static void judge_reorg(const life *in, slice older, slice newer)
{
    reorg_row before, after;
    if (!reorg_row_decode(in->numbers[0], older, &before) ||
        !reorg_row_decode(in->numbers[0], newer, &after)) {
        return;
    }
    must(in, before.phase <= after.phase, "its phase went back");
    must(in, before.tenure <= after.tenure, "its tenure went back");
    if (before.phase == after.phase) {
        must(in,
             before.element == after.element && before.snapshot == after.snapshot &&
                 is_equal(&before.end, &after.end),
             "it is another reorganization");
        must(in, !is_behind(&after.start, &before.start), "what is left became more");
        must(in, before.watermark <= after.watermark, "its watermark went back");
    } else {
        must(in, reorg_row_is_done(&before), "a phase was left before it was done");
    }
}

/* ---------------------------------------------------------------------------------------- rows */

static const kind_of_row kinds[] = {
    {"job", "history", 1, judge_job},
    {"task", "task-history", 2, judge_task},
    {"subtask", "subtask-history", 3, judge_subtask},
    {"reorg", NULL, 1, judge_reorg},
};

/* The row in history, or NULL. */
static const version *history_of(const life *in, const kind_of_row *kind)
{
    if (kind->history == NULL) {
        return NULL;
    }
    buffer key;
    buffer_init(&key);
    key_meta(&key, kind->history, in->numbers, kind->number_count);
    const version *found = durable_read(in->of->durable, buffer_slice(&key), TIMESTAMP_MAX);
    buffer_release(&key);
    return found;
}

/* Versions come newest first; what went to history is newer than all of them, or the row lives on
 * beside it, which is told elsewhere. */
static void judge_life(life *in, const kind_of_row *kind, const version *newest)
{
    const version *after = history_of(in, kind);
    after = after != NULL && newest != NULL && after->commit < newest->commit ? NULL : after;
    for (const version *one = newest; one != NULL; one = one->older) {
        if (one->kind != VERSION_PUT) {
            continue;
        }
        if (after != NULL) {
            in->at = after->commit;
            kind->judge(in, version_value(one), version_value(after));
        }
        after = one;
    }
}

static void judge_kind(const evidence *of, const kind_of_row *kind)
{
    durable_walk walk;
    for (durable_walk_rows(&walk, of->durable, kind->word); durable_walk_next(&walk);) {
        life in = {.of = of, .word = kind->word};
        if (key_meta_decode(walk.key, kind->word, in.numbers, kind->number_count)) {
            judge_life(&in, kind, walk.found->values);
        }
    }
}

void oracle_progress(const evidence *of)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        judge_kind(of, &kinds[i]);
    }
}
