/*
 * I4: at most one effective owner.
 *
 * Whatever an owner alone may write stands in a transaction that locked `m owner` too; that key's
 * own versions say whose tenure it was when the transaction began.  So three things must agree: the
 * tenure in the row, where it has one; the address and the session under which that tenure was
 * inaugurated; and the server and the session that the store of the primary heard of when it
 * committed.
 *
 * Jobs are written by others too, who submit them or ask for a cancel, a pause or a resume: those
 * touch neither how far the schema has come nor history.
 */
#include <string.h>

#include "engine/ddl/job.h"
#include "engine/ddl/reorg_row.h"
#include "engine/task/task.h"
#include "engine/task/tenure.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "tenures"
#define FIRST_SCHEMA 1u /* of the first server that boots, which is nobody's owner */

typedef struct check {
    const evidence *of;
    const entry *owner;
    const char *word;
} check;

static void stale(const check *in, const version *one, const char *why) __attribute__((noreturn));
static void stale(const check *in, const version *one, const char *why)
{
    sb_finding(in->of->world, SB_FINDING_STALE_OWNER, ORACLE,
               "a row \"%s\" was written at %llu by a transaction of %llu that %s", in->word,
               number(one->commit), number(one->start), why);
}

/* ------------------------------------------------------------------------------------ the owner */

static owner_row decode_owner(const check *in, const version *one)
{
    owner_row row;
    if (one->kind != VERSION_PUT || !owner_row_decode(version_value(one), &row)) {
        sb_finding(in->of->world, SB_FINDING_WRONG_STATE, ORACLE,
                   "the row of the owner is gone or cannot be read");
    }
    return row;
}

/* Tenures rise, and each is written by the server it names. */
static void check_reigns(const check *in)
{
    tenure_id later = UINT64_MAX;
    for (const version *one = in->owner == NULL ? NULL : in->owner->values; one != NULL;
         one = one->older) {
        const owner_row row = decode_owner(in, one);
        const decision *by = decisions_commit(in->of->decisions, &in->of->commits, one->start);
        if (row.tenure >= later || (by != NULL && by->told.server != row.owner)) {
            sb_finding(in->of->world, SB_FINDING_STALE_OWNER, ORACLE,
                       "tenure %llu of %s was written at %llu %s", number(row.tenure),
                       sb_node_name(in->of->world, (sb_node)row.owner), number(one->commit),
                       row.tenure >= later ? "before a smaller one" : "by somebody else");
        }
        later = row.tenure;
    }
}

/* ------------------------------------------------------------------------------- what he writes */

/* The transaction is the present owner's.  Returns its tenure. */
static tenure_id check_writer(const check *in, const version *one)
{
    const version *reign = in->owner == NULL ? NULL : durable_entry_read(in->owner, one->start);
    if (reign == NULL) {
        stale(in, one, "knew of no owner");
    }
    const owner_row row = decode_owner(in, reign);
    const decision *by = decisions_commit(in->of->decisions, &in->of->commits, one->start);
    const decision *began = decisions_commit(in->of->decisions, &in->of->commits, reign->start);
    if (by != NULL && by->told.server != row.owner) {
        stale(in, one, "was not the owner's");
    }
    if (by != NULL && began != NULL && by->told.session != began->told.session) {
        stale(in, one, "ran under another session than its tenure");
    }
    return row.tenure;
}

static tenure_id check_owned(const check *in, const version *one)
{
    if (!evidence_is_owners(in->of, one)) {
        stale(in, one, "did not lock the row of the owner");
    }
    return check_writer(in, one);
}

/* How a row is judged: any row of an owner's, or by what it holds. */
typedef void judge_version(const check *in, slice key, const version *one);

static void judge_owned(const check *in, slice key, const version *one)
{
    (void)key;
    (void)check_owned(in, one);
}

/* The first definitions are made by the first server that boots. */
static void judge_table(const check *in, slice key, const version *one)
{
    table_definition table;
    (void)key;
    const bool first = one->kind == VERSION_PUT && one->older == NULL &&
                       table_decode(version_value(one), &table) && table.version == FIRST_SCHEMA;
    if (!first) {
        (void)check_owned(in, one);
    }
}

static void judge_schema_version(const check *in, slice key, const version *one)
{
    schema_version is = 0;
    (void)key;
    const bool first = one->kind == VERSION_PUT && one->older == NULL &&
                       schema_version_decode(version_value(one), &is) && is == FIRST_SCHEMA;
    if (!first) {
        (void)check_owned(in, one);
    }
}

static void judge_task(const check *in, slice key, const version *one)
{
    const tenure_id reigning = check_owned(in, one);
    uint64_t numbers[2]; /* job, phase */
    task_row row;
    if (one->kind == VERSION_PUT && key_meta_decode(key, in->word, numbers, 2) &&
        task_row_decode(numbers[0], (uint32_t)numbers[1], version_value(one), &row) &&
        row.tenure > reigning) {
        stale(in, one, "bears a later tenure");
    }
}

static bool read_job(slice key, const char *word, const version *one, job_row *into)
{
    job_id job = 0;
    return one != NULL && one->kind == VERSION_PUT && key_meta_decode(key, word, &job, 1) &&
           job_row_decode(job, version_value(one), into);
}

/* Submitted, or asked to stop or to go on. */
static bool is_request(slice key, const char *word, const version *one)
{
    job_row row, before;
    if (!read_job(key, word, one, &row) || job_state_is_final(row.state)) {
        return false;
    }
    if (!read_job(key, word, one->older, &before)) {
        return row.state == JOB_QUEUEING && row.version == 0 && row.tenure == 0;
    }
    return row.state != before.state && job_schema(&row) == job_schema(&before) &&
           job_backfill(&row) == job_backfill(&before) && row.phase == before.phase &&
           row.version == before.version && row.snapshot == before.snapshot &&
           row.tenure == before.tenure;
}

static void judge_job(const check *in, slice key, const version *one)
{
    job_row row;
    if (!evidence_is_owners(in->of, one) && is_request(key, in->word, one)) {
        return;
    }
    const tenure_id reigning = check_owned(in, one);
    if (read_job(key, in->word, one, &row) && row.tenure != reigning) {
        stale(in, one, "bears another tenure");
    }
}

/* Of the owner's own reorganization. */
static void judge_reorg(const check *in, slice key, const version *one)
{
    const tenure_id reigning = check_owned(in, one);
    job_id job = 0;
    reorg_row row;
    if (one->kind == VERSION_PUT && key_meta_decode(key, in->word, &job, 1) &&
        reorg_row_decode(job, version_value(one), &row) && row.tenure != reigning) {
        stale(in, one, "bears another tenure");
    }
}

/* The server that runs it moves it on; subtask results (results.c) ask whether it may.  To take it
 * away is the owner's. */
static void judge_subtask(const check *in, slice key, const version *one)
{
    (void)key;
    if (one->kind != VERSION_PUT || evidence_is_owners(in->of, one)) {
        (void)check_owned(in, one);
    }
}

/* ------------------------------------------------------------------------------------ the whole */

static const struct {
    const char *word;
    judge_version *judge;
} owned_words[] = {
    {"schema-version", judge_schema_version},
    {"table", judge_table},
    {"job", judge_job},
    {"history", judge_job},
    {"task", judge_task},
    {"task-history", judge_owned},
    {"subtask", judge_subtask},
    {"subtask-history", judge_owned},
    {"delete-range", judge_owned},
    {"reorg", judge_reorg},
};

static void check_word(check *in, const char *word, judge_version *judge)
{
    in->word = word;
    durable_walk walk;
    for (durable_walk_rows(&walk, in->of->durable, word); durable_walk_next(&walk);) {
        for (const version *one = walk.found->values; one != NULL; one = one->older) {
            judge(in, walk.key, one);
        }
    }
}

void oracle_tenures(const evidence *of)
{
    check in = {.of = of, .owner = durable_find_row(of->durable, key_owner)};
    check_reigns(&in);
    for (size_t i = 0; i < sizeof(owned_words) / sizeof(owned_words[0]); i++) {
        check_word(&in, owned_words[i].word, owned_words[i].judge);
    }
}
