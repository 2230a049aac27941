/*
 * I6: what a server says of a subtask, it says under what it was given.
 *
 * The owner gives a subtask to a server as an attempt, in a transaction that locks `m owner`; only
 * that server moves it on, and the row then bears the session under which it did so.  Judged by who
 * committed each version: address and session come from the store that decided, not from the row.
 *
 * Source: TiDB issues 48649 and 48701, where a server that had lost a subtask and got it again took
 * one run's result for the other's.
 */
#include "engine/task/task.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "subtask results"

typedef struct check {
    const evidence *of;
    job_id job;
    uint32_t phase, number;
} check;

static void wrong(const check *in, const subtask_row *row, const char *why)
    __attribute__((noreturn));
static void wrong(const check *in, const subtask_row *row, const char *why)
{
    sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
               "subtask %u of job %llu, attempt %llu, became %s %s", in->number, number(in->job),
               number(row->attempt), subtask_state_text(row->state), why);
}

static bool read_row(const check *in, const version *one, subtask_row *into)
{
    if (one == NULL || one->kind != VERSION_PUT) {
        return false;
    }
    if (!subtask_row_decode(in->job, in->phase, in->number, version_value(one), into)) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "a row of subtask %u of job %llu cannot be read", in->number, number(in->job));
    }
    return true;
}

/* A move by the server itself. */
static void check_own(const check *in, const version *one, const subtask_row *from,
                      const subtask_row *to)
{
    const decision *by = decisions_commit(in->of->decisions, &in->of->commits, one->start);
    if (by != NULL && by->told.server != to->server) {
        wrong(in, to, "by another server than it was given to");
    }
    if (by != NULL && by->told.session != to->session) {
        wrong(in, to, "under another session than it says");
    }
    if (from->server != to->server || from->attempt != to->attempt) {
        wrong(in, to, "after it had been given away");
    }
    const bool ended = to->state == SUBTASK_SUCCEED || to->state == SUBTASK_FAILED;
    if (ended && (from->state != SUBTASK_RUNNING || from->session != to->session)) {
        wrong(in, to, "by a session that did not run it");
    }
}

static void check_subtask(const check *in, const version *newest)
{
    for (const version *one = newest; one != NULL; one = one->older) {
        subtask_row from, to;
        if (!read_row(in, one, &to) || evidence_is_owners(in->of, one)) {
            continue; /* the owner's: judged by tenures.c */
        }
        if (!read_row(in, one->older, &from)) {
            wrong(in, &to, "though the owner had not made it");
        }
        check_own(in, one, &from, &to);
    }
}

void oracle_results(const evidence *of)
{
    check in = {.of = of};
    durable_walk walk;
    for (durable_walk_rows(&walk, of->durable, "subtask"); durable_walk_next(&walk);) {
        uint64_t numbers[3]; /* job, phase, number */
        if (key_meta_decode(walk.key, "subtask", numbers, 3)) {
            in.job = numbers[0];
            in.phase = (uint32_t)numbers[1];
            in.number = (uint32_t)numbers[2];
            check_subtask(&in, walk.found->values);
        }
    }
}
