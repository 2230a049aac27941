/*
 * What is paused stands still.
 *
 * While the row of a job says paused, nobody writes a row of its tasks, of their subtasks or of its
 * reorganization; while the row of a task says paused, nobody writes one of its subtasks.  An owner
 * that has called a job paused may tell its operator so, who may then stop machines; and whoever
 * goes on with it finds what the pause has left.  Times are those of commits, so a transaction that
 * was on its way when the pause was written is none of it.
 */
#include "engine/ddl/job.h"
#include "engine/task/task.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "pauses"

/* How long a row said paused: between two commits. */
typedef struct pause {
    const evidence *of;
    timestamp from, to;
    const char *who; /* "job", "task" */
} pause;

/* No version of a row whose key begins with the word and these numbers was committed meanwhile. */
static void check_word(const pause *in, const char *word, const uint64_t *numbers, uint32_t count)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, word, numbers, count);
    key_prefix_end(&end, buffer_slice(&start));
    durable_walk walk;
    for (durable_walk_init(&walk, in->of->durable, buffer_slice(&start), buffer_slice(&end));
         durable_walk_next(&walk);) {
        for (const version *one = walk.found->values; one != NULL; one = one->older) {
            if (one->commit > in->from && one->commit < in->to) {
                sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                           "a row \"%s\" of job %llu was written at %llu, while the %s was paused, "
                           "from %llu on",
                           word, (unsigned long long)numbers[0], (unsigned long long)one->commit,
                           in->who, (unsigned long long)in->from);
            }
        }
    }
    buffer_release(&end);
    buffer_release(&start);
}

/* Whether the version of a row says that what it is about is paused. */
typedef bool says_paused(const uint64_t *numbers, const version *one);

static bool job_is_paused(const uint64_t *numbers, const version *one)
{
    job_row row;
    return job_row_decode(numbers[0], version_value(one), &row) && row.state == JOB_PAUSED;
}

static bool task_is_paused(const uint64_t *numbers, const version *one)
{
    task_row row;
    return task_row_decode(numbers[0], (uint32_t)numbers[1], version_value(one), &row) &&
           row.state == TASK_PAUSED;
}

/* Versions of one row, newest first: each lasts until the next. */
static void check_row(pause *in, const uint64_t *numbers, uint32_t count, const version *newest,
                      says_paused *paused)
{
    in->to = TIMESTAMP_MAX;
    for (const version *one = newest; one != NULL; one = one->older) {
        if (one->kind == VERSION_PUT && paused(numbers, one)) {
            in->from = one->commit;
            check_word(in, "subtask", numbers, count);
            if (count == 1) {
                check_word(in, "task", numbers, count);
                check_word(in, "reorg", numbers, count);
            }
        }
        in->to = one->commit;
    }
}

static void check_rows(const evidence *of, const char *word, uint32_t count, says_paused *paused)
{
    durable_walk walk;
    for (durable_walk_rows(&walk, of->durable, word); durable_walk_next(&walk);) {
        uint64_t numbers[2] = {0}; /* job, phase */
        pause in = {.of = of, .who = word};
        if (key_meta_decode(walk.key, word, numbers, count)) {
            check_row(&in, numbers, count, walk.found->values, paused);
        }
    }
}

void oracle_pauses(const evidence *of)
{
    check_rows(of, "job", 1, job_is_paused);
    check_rows(of, "task", 2, task_is_paused);
}
