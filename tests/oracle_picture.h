/*
 * A small cluster painted by hand, for tests of the oracles.
 *
 * The picture is made of versions in a store's state, of a history of four clients' operations
 * around one ADD INDEX, and of what stores and servers reported about who did it.  All is well in
 * it.  A plant changes one thing: before the picture is made by a brush, or in the picture.
 */
#ifndef TESTS_ORACLE_PICTURE_H
#define TESTS_ORACLE_PICTURE_H

#include <string.h>

#include "engine/base/checksum.h"
#include "engine/ddl/job.h"
#include "engine/schema/acknowledgement.h"
#include "engine/task/task.h"
#include "engine/task/tenure.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"
#include "tests/suite.h"
#define K_AND_C (1u << SBTEST_K | 1u << SBTEST_C)

#define TABLE 1u
#define INDEX 1u
#define JOB 1u
#define SNAPSHOT 135u
#define SERVER 1u /* the nodes of the world beside the director */
#define STORE 2u
#define OTHER_SERVER 3u
#define CLIENT 4u
#define SESSION 7u
#define SILENT_SESSION 9u
#define TENURE 1u

typedef struct picture {
    durable_cluster durable;
    durable_store store;
    history told;
    decisions decided;
    evidence seen;
    table_definition table;
} picture;

/* What a plant may change before the picture is made. */
typedef struct brush {
    schema_version late_version; /* of the operation at 210 */
    schema_state last_state;     /* of the index at the end */
    job_state job_state;
    failure cause;
    uint64_t first_row_count;
    int64_t cut;        /* where the second subtask begins */
    bool other_attempt; /* succeeded */
    bool stale_read;
    bool wrong_index_read;
    bool is_silent;         /* a server that never acknowledges is there from write-only on */
    bool is_fenced;         /* that one, before the step after the next */
    bool forgets_lock;      /* the owner, when it ends the job */
    tenure_id tenure;       /* in the job's row; 0: the owner's */
    sb_address finisher;    /* who ended the job; 0: the owner */
    session_id end_session; /* of that; 0: the owner's */
    int64_t not_ingested;   /* this row, when the subtasks end; 0: all are */
    session_id run_session; /* of who says that a subtask has succeeded; 0: the one that ran */
    bool keeps_temporary;   /* the range of the temporary index is not given up */
    void (*only)(const evidence *of, const judged_table *table); /* this oracle; NULL: all */
} brush;

/* ----------------------------------------------------------------------------------- painting */

static inline mvcc *data_of(picture *in)
{
    return &in->store.state.data;
}

static inline void write_version(picture *in, mutation_kind kind, slice key, slice value,
                                 timestamp start, timestamp commit)
{
    const mutation one = {.kind = kind, .key = key, .value = value};
    mvcc_prewrite(data_of(in), start, 3000, key, &one, 1);
    if (commit != 0) {
        mvcc_commit(data_of(in), key, start, commit, 1);
    }
}

static inline void put(picture *in, slice key, slice value, timestamp start, timestamp commit)
{
    write_version(in, MUTATION_PUT, key, value, start, commit);
}

static inline void drop(picture *in, slice key, timestamp start, timestamp commit)
{
    write_version(in, MUTATION_DELETE, key, (slice){NULL, 0}, start, commit);
}

/* ---------------------------------------------------------------------------------- decisions */

static inline void decide(picture *in, uint32_t kind, sb_node teller, const session_report *said)
{
    buffer bytes;
    buffer_init(&bytes);
    session_report_encode(said, &bytes);
    decisions_observe(&in->decided, teller, kind, buffer_slice(&bytes));
    buffer_release(&bytes);
}

static inline void decide_commit(picture *in, sb_address server, session_id session,
                                 timestamp start, timestamp commit)
{
    const session_report said = {
        .server = server, .session = session, .sequence = commit, .start = start, .commit = commit};
    decide(in, REPORT_COMMIT_DECIDED, STORE, &said);
}

static inline void decide_fence(picture *in, sb_address server, session_id least, uint64_t sequence)
{
    const session_report said = {.server = server, .session = least, .sequence = sequence};
    decide(in, REPORT_SERVER_FENCED, STORE, &said);
    store_state_raise_fence(&in->store.state, server, least, sequence);
}

static inline void decide_session(picture *in, sb_address server, session_id granted)
{
    const session_report said = {.server = server, .session = granted};
    decide(in, REPORT_SESSION_BEGAN, (sb_node)server, &said);
}

/* The transaction is the owner's: it locks its row. */
static inline void own(picture *in, timestamp start, timestamp commit)
{
    buffer key;
    buffer_init(&key);
    key_owner(&key);
    write_version(in, MUTATION_LOCK, buffer_slice(&key), (slice){NULL, 0}, start, commit);
    buffer_release(&key);
    decide_commit(in, SERVER, SESSION, start, commit);
}

static inline void paint_owner(picture *in)
{
    const owner_row row = {.tenure = TENURE, .owner = SERVER};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_owner(&key);
    owner_row_encode(&row, &value);
    decide_session(in, SERVER, SESSION);
    put(in, buffer_slice(&key), buffer_slice(&value), 11, 12);
    decide_commit(in, SERVER, SESSION, 11, 12);
    buffer_release(&value);
    buffer_release(&key);
}

static inline void acknowledge(picture *in, schema_version seen, timestamp start, timestamp commit)
{
    const acknowledgement row = {.job = JOB, .server = SERVER, .session = SESSION, .version = seen};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_ack(&key, JOB, SERVER);
    acknowledgement_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), start, commit);
    buffer_release(&value);
    buffer_release(&key);
}

/* --------------------------------------------------------------------------------------- rows */

/* The c of a write, as clients make it. */
static inline slice value_of(uint64_t number, unsigned char bytes[24])
{
    write_value_format(number, 24, bytes);
    return slice_of(bytes, 24);
}

static inline void put_row_with_pad(picture *in, int64_t id, int64_t k, uint64_t number, slice pad,
                                    timestamp start, timestamp commit)
{
    unsigned char bytes[24];
    buffer value;
    buffer_init(&value);
    buffer_add_u8(&value, 1);
    buffer_add_u8(&value, 3);
    buffer_add_u8(&value, 0);
    buffer_add_u64(&value, (uint64_t)k);
    buffer_add_u8(&value, 1);
    buffer_add_slice(&value, value_of(number, bytes));
    buffer_add_u8(&value, 1);
    buffer_add_slice(&value, pad);
    const encoded_key key = encode_row_key(TABLE, id);
    put(in, encoded_slice(&key), buffer_slice(&value), start, commit);
    buffer_release(&value);
}

static inline void put_row(picture *in, int64_t id, int64_t k, uint64_t number, timestamp start,
                           timestamp commit)
{
    put_row_with_pad(in, id, k, number, slice_of("pad", 3), start, commit);
}

static inline void put_entry(picture *in, int64_t k, int64_t id, timestamp start, timestamp commit)
{
    const encoded_key key = encode_entry_key(TABLE, INDEX, k, id);
    put(in, encoded_slice(&key), slice_of("0", 1), start, commit);
}

static inline void give_up(picture *in, const encoded_key *start, const encoded_key *end)
{
    store_state_delete_range(&in->store.state, encoded_slice(start), encoded_slice(end), 1);
}

static inline void drop_entry(picture *in, int64_t k, int64_t id, timestamp start, timestamp commit)
{
    const encoded_key key = encode_entry_key(TABLE, INDEX, k, id);
    drop(in, encoded_slice(&key), start, commit);
}

static inline void paint_schema_step(picture *in, schema_version number, schema_state state,
                                     timestamp commit)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    index_definition index = {
        .id = INDEX, .state = state, .column_count = 1, .columns = {SBTEST_K}};
    memcpy(index.name, "k_1", 4);
    table_define_sbtest(&in->table, TABLE);
    in->table.version = number;
    if (state != SCHEMA_NONE) {
        ck_assert(table_add_index(&in->table, &index));
    }
    key_table(&key, TABLE);
    table_encode(&in->table, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), commit - 1, commit);
    key_schema_version(&key);
    schema_version_encode(number, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), commit - 1, commit);
    buffer_release(&value);
    buffer_release(&key);
    if (number > 1) {
        own(in, commit - 1, commit);
    }
}

/* ------------------------------------------------------------------------------------ telling */

static inline void tell_begin(picture *in, uint64_t number, const statement *statements,
                              uint32_t count)
{
    statement copies[8];
    memcpy(copies, statements, count * sizeof(*statements));
    const execute_request asked = {.session = 7,
                                   .number = number,
                                   .table = TABLE,
                                   .statement_count = count,
                                   .statements = copies};
    buffer bytes;
    buffer_init(&bytes);
    operation_begin_encode(SERVER, &asked, &bytes);
    history_observe(&in->told, CLIENT, REPORT_OPERATION_BEGIN, buffer_slice(&bytes));
    buffer_release(&bytes);
}

static inline void tell_end(picture *in, uint64_t number, const execute_reply *reply)
{
    buffer bytes;
    buffer_init(&bytes);
    operation_end_encode(number, SB_OK, reply, &bytes);
    history_observe(&in->told, CLIENT, REPORT_OPERATION_END, buffer_slice(&bytes));
    buffer_release(&bytes);
}

static inline void tell_committed(picture *in, uint64_t number, schema_version under,
                                  timestamp start, timestamp committed, statement_result *results,
                                  uint32_t count)
{
    const execute_reply reply = {.outcome = OUTCOME_COMMITTED,
                                 .start = start,
                                 .committed = committed,
                                 .schema_version = under,
                                 .result_count = count,
                                 .results = results};
    tell_end(in, number, &reply);
}

static inline statement_result done(void)
{
    return (statement_result){.kind = RESULT_DONE};
}

static inline void paint_load(picture *in)
{
    statement load[4];
    statement_result results[4];
    unsigned char bytes[4][24];
    for (int64_t id = 1; id <= 4; id++) {
        const uint64_t number = 100 + (uint64_t)id;
        load[id - 1] = (statement){.kind = STATEMENT_INSERT,
                                   .id = id,
                                   .k = id,
                                   .c = value_of(number, bytes[id - 1]),
                                   .pad = slice_of("pad", 3)};
        results[id - 1] = done();
        put_row(in, id, id, number, 20, 21);
        const encoded_key key = encode_entry_key(TABLE, INDEX, id, id);
        mvcc_ingest(data_of(in), encoded_slice(&key), slice_of("0", 1), SNAPSHOT, 1);
    }
    tell_begin(in, 1, load, 4);
    tell_committed(in, 1, 1, 20, 21, results, 4);
}

/* While the backfill runs: row 1 gets another k. */
static inline void paint_update(picture *in)
{
    unsigned char bytes[24];
    const statement update = {
        .kind = STATEMENT_UPDATE, .columns = K_AND_C, .id = 1, .k = 9, .c = value_of(201, bytes)};
    statement_result result = done();
    tell_begin(in, 2, &update, 1);
    tell_committed(in, 2, 4, 140, 141, &result, 1);
    put_row(in, 1, 9, 201, 140, 141);
    drop_entry(in, 1, 1, 140, 141);
    put_entry(in, 9, 1, 140, 141);
}

static inline void paint_delete(picture *in, schema_version under)
{
    const statement removal = {.kind = STATEMENT_DELETE, .id = 2};
    statement_result result = done();
    tell_begin(in, 3, &removal, 1);
    tell_committed(in, 3, under, 210, 211, &result, 1);
    const encoded_key key = encode_row_key(TABLE, 2);
    drop(in, encoded_slice(&key), 210, 211);
    drop_entry(in, 2, 2, 210, 211);
}

static inline void paint_reads(picture *in, const brush *with)
{
    unsigned char bytes[24];
    const statement reads[] = {
        {.kind = STATEMENT_READ, .id = 1},
        {.kind = STATEMENT_READ, .id = 2},
        {.kind = STATEMENT_READ_INDEX,
         .k = 9,
         .columns = 1u << SBTEST_K,
         .index_name = slice_of_string("k_1")},
    };
    int64_t ids[] = {with->wrong_index_read ? 3 : 1};
    statement_result results[] = {
        {.kind = RESULT_ROW, .k = 9, .c = value_of(201, bytes), .pad = slice_of("pad", 3)},
        {.kind = RESULT_ABSENT},
        {.kind = RESULT_IDS, .id_count = 1, .ids = ids},
    };
    if (with->stale_read) {
        results[0].k = 1;
        results[0].c = value_of(101, bytes);
    }
    tell_begin(in, 4, reads, 3);
    tell_committed(in, 4, 5, 220, 0, results, 3);
}

/* One that was refused, and one that nobody knows about. */
static inline void paint_others(picture *in)
{
    unsigned char bytes[2][24];
    const statement update = {.kind = STATEMENT_UPDATE,
                              .columns = K_AND_C,
                              .id = 3,
                              .k = 5,
                              .c = value_of(301, bytes[0])};
    const statement insert = {.kind = STATEMENT_INSERT,
                              .id = 10,
                              .k = 5,
                              .c = value_of(401, bytes[1]),
                              .pad = slice_of("pad", 3)};
    const execute_reply refused = {
        .outcome = OUTCOME_REFUSED, .reason = REFUSAL_CONFLICT, .start = 230, .schema_version = 5};
    tell_begin(in, 5, &update, 1);
    tell_end(in, 5, &refused);
    tell_begin(in, 6, &insert, 1);
}

/* ------------------------------------------------------------------------------- job and task */

/* A job as it was submitted. */
static inline job_row new_job(job_id id)
{
    job_row row = {.id = id, .nonce = id, .table = TABLE, .index_count = 1};
    row.indexes[0] = (index_definition){.id = INDEX, .column_count = 1, .columns = {SBTEST_K}};
    memcpy(row.indexes[0].name, "k_1", 4);
    return row;
}

static inline void paint_job(picture *in, const brush *with)
{
    const encoded_key start = encode_index_prefix(TABLE, INDEX | TEMPORARY_INDEX);
    const encoded_key end = with->keeps_temporary ? start : encode_behind(&start);
    give_up(in, &start, &end);
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    job_row row = new_job(JOB);
    row.version = 5;
    row.snapshot = SNAPSHOT;
    row.indexes[0].state = with->job_state == JOB_SYNCED ? SCHEMA_PUBLIC : SCHEMA_NONE;
    row.state = with->job_state;
    row.cause = with->cause;
    row.tenure = with->tenure != 0 ? with->tenure : TENURE;
    key_history(&key, JOB);
    job_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 206, 207);
    key_ack(&key, JOB, SERVER);
    drop(in, buffer_slice(&key), 206, 207);
    if (!with->forgets_lock) {
        own(in, 206, 207);
    }
    decide_commit(in, with->finisher != 0 ? with->finisher : SERVER,
                  with->end_session != 0 ? with->end_session : SESSION, 206, 207);
    buffer_release(&value);
    buffer_release(&key);
}

static inline void paint_subtask(picture *in, uint32_t number, const encoded_key *start,
                                 const encoded_key *end, uint64_t row_count, bool other_attempt)
{
    subtask_row row = {.job = JOB, .number = number, .table = TABLE, .index = INDEX};
    row.state = SUBTASK_PENDING;
    row.server = SERVER;
    row.attempt = 1;
    row.snapshot = SNAPSHOT;
    range_key_set(&row.start, encoded_slice(start));
    range_key_set(&row.end, encoded_slice(end));
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_subtask(&key, JOB, 0, number);
    subtask_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 150, 151);
    row.state = SUBTASK_RUNNING;
    row.session = SESSION;
    subtask_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 152, 153);
    row.state = SUBTASK_SUCCEED;
    row.attempt += other_attempt;
    row.row_count = row_count;
    subtask_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 154, 155);
    drop(in, buffer_slice(&key), 204, 205);
    key_subtask_history(&key, JOB, 0, number);
    put(in, buffer_slice(&key), buffer_slice(&value), 204, 205);
    buffer_release(&value);
    buffer_release(&key);
}

/* The stores tell of the entries. */
static inline void tell_ingested(picture *in, int64_t first, int64_t last, int64_t except)
{
    buffer bytes;
    buffer_init(&bytes);
    buffer_add_u64(&bytes, SNAPSHOT);
    for (int64_t id = first; id <= last; id++) {
        const encoded_key key = encode_entry_key(TABLE, INDEX, id, id);
        if (id != except) {
            buffer_add_u64(&bytes, checksum64(encoded_slice(&key)));
        }
    }
    decisions_observe(&in->decided, STORE, REPORT_INGESTED, buffer_slice(&bytes));
    buffer_release(&bytes);
}

static inline void paint_task(picture *in, const brush *with)
{
    const encoded_key start = encode_rows_prefix(TABLE), end = encode_behind(&start);
    const encoded_key first_end = encode_row_key(TABLE, 3),
                      second_start = encode_row_key(TABLE, with->cut);
    paint_subtask(in, 0, &start, &first_end, with->first_row_count, with->other_attempt);
    paint_subtask(in, 1, &second_start, &end, 2, false);
    own(in, 150, 151);
    decide_commit(in, SERVER, SESSION, 152, 153);
    tell_ingested(in, 1, 4, with->not_ingested);
    decide_commit(in, SERVER, with->run_session != 0 ? with->run_session : SESSION, 154, 155);
    own(in, 204, 205);
    task_row row = {.job = JOB, .state = TASK_SUCCEED, .table = TABLE, .index = INDEX};
    row.snapshot = SNAPSHOT;
    row.subtask_count = 2;
    row.tenure = TENURE;
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task_history(&key, JOB, 0);
    task_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 204, 205);
    buffer_release(&value);
    buffer_release(&key);
}

static inline void paint(picture *into, sb_world *world, const brush *with)
{
    *into = (picture){.durable = {.store_count = 1}};
    into->durable.stores = &into->store;
    into->seen.world = world;
    store_state_init(&into->store.state);
    const region_description everything = {.id = 1, .epoch = 1};
    store_state_add_region(&into->store.state, &everything);
    durable_place_regions(&into->durable, world);
    into->store.node = STORE;
    history_init(&into->told);
    decisions_init(&into->decided);
    paint_schema_step(into, 1, SCHEMA_NONE, 10);
    paint_owner(into);
    paint_load(into);
    paint_schema_step(into, 2, SCHEMA_DELETE_ONLY, 110);
    acknowledge(into, 2, 112, 113);
    paint_schema_step(into, 3, SCHEMA_WRITE_ONLY, 120);
    acknowledge(into, 3, 122, 123);
    if (with->is_silent) {
        decide_session(into, OTHER_SERVER, SILENT_SESSION);
    }
    paint_schema_step(into, 4, SCHEMA_WRITE_REORGANIZATION, 130);
    acknowledge(into, 4, 132, 133);
    paint_update(into);
    paint_task(into, with);
    if (with->is_fenced) {
        decide_fence(into, OTHER_SERVER, SILENT_SESSION + 1, 190);
    }
    paint_schema_step(into, 5, with->last_state, 200);
    acknowledge(into, 5, 202, 203);
    paint_job(into, with);
    paint_delete(into, with->late_version);
    paint_reads(into, with);
    paint_others(into);
    into->seen = (evidence){.world = world,
                            .durable = &into->durable,
                            .operations = &into->told,
                            .decisions = &into->decided,
                            .table_count = 1,
                            .tables = {{.id = TABLE}},
                            .job_count = 1,
                            .jobs = {{.id = JOB}}};
}

/* ------------------------------------------------------------------------------------- plants */

typedef struct plant {
    const char *what;
    void (*in_picture)(picture *in); /* NULL: the brush did it */
    brush with;
    sb_finding_kind kind; /* NONE: nothing is wrong */
    const char *words;
} plant;

/* All is well, but for what is named. */
#define BRUSH(...)                                                                                 \
    {                                                                                              \
        .late_version = 5, .last_state = SCHEMA_PUBLIC, .job_state = JOB_SYNCED, .cut = 3,         \
        .first_row_count = 2, __VA_ARGS__                                                          \
    }
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif

static inline void judge_plant(sb_world *world, void *context)
{
    const plant *in = context;
    picture *made = sb_alloc(sizeof(*made));
    sb_node_add(world, "server1", "server", NULL, NULL, 0);
    sb_node_add(world, "store1", "storage", NULL, NULL, 0);
    sb_node_add(world, "server2", "server", NULL, NULL, 0);
    sb_node_add(world, "client1", "client", NULL, NULL, 0);
    paint(made, world, &in->with);
    if (in->in_picture != NULL) {
        in->in_picture(made);
    }
    durable_resolve_locks(&made->durable);
    if (in->with.only != NULL) {
        in->with.only(&made->seen, &made->seen.tables[0]);
    } else {
        oracle_judge(&made->seen);
    }
    decisions_release(&made->decided);
    history_release(&made->told);
    sb_free(made->durable.regions);
    store_state_release(&made->store.state);
    sb_free(made);
}

/* The plant leads to its finding, and a picture without one to none. */
static inline void judge_and_compare(const plant *in)
{
    plant copy = *in;
    const ending end = run_once(judge_plant, &copy);
    if (in->kind == SB_FINDING_NONE) {
        must_pass(&end);
    } else {
        must_find(&end, in->kind, in->words);
    }
}

#endif
