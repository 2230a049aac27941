/*
 * The oracles, each shown a picture of a cluster in which its property is broken, and none when all
 * is well.
 *
 * The picture is made by hand: versions in a store's state and a history of four clients'
 * operations around one ADD INDEX.  A plant changes one thing in it.
 */
#include <string.h>

#include "engine/ddl/job.h"
#include "engine/task/task.h"
#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"
#include "tests/suite.h"

#define TABLE 1u
#define INDEX 1u
#define JOB 1u
#define SNAPSHOT 135u
#define K_AND_C (1u << SBTEST_K | 1u << SBTEST_C)
#define SERVER 1u /* the only node of the world beside the director */

typedef struct picture {
    durable_cluster durable;
    durable_store store;
    history told;
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
} brush;

/* ----------------------------------------------------------------------------------- painting */

static mvcc *data_of(picture *in)
{
    return &in->store.state.data;
}

static void write_version(picture *in, mutation_kind kind, slice key, slice value, timestamp start,
                          timestamp commit)
{
    const mutation one = {.kind = kind, .key = key, .value = value};
    mvcc_prewrite(data_of(in), start, 3000, key, &one, 1);
    if (commit != 0) {
        mvcc_commit(data_of(in), key, start, commit, 1);
    }
}

static void put(picture *in, slice key, slice value, timestamp start, timestamp commit)
{
    write_version(in, MUTATION_PUT, key, value, start, commit);
}

static void drop(picture *in, slice key, timestamp start, timestamp commit)
{
    write_version(in, MUTATION_DELETE, key, (slice){NULL, 0}, start, commit);
}

/* The c of a write, as clients make it. */
static slice value_of(uint64_t number, unsigned char bytes[24])
{
    write_value_format(number, 24, bytes);
    return slice_of(bytes, 24);
}

static void put_row_with_pad(picture *in, int64_t id, int64_t k, uint64_t number, slice pad,
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

static void put_row(picture *in, int64_t id, int64_t k, uint64_t number, timestamp start,
                    timestamp commit)
{
    put_row_with_pad(in, id, k, number, slice_of("pad", 3), start, commit);
}

static void put_entry(picture *in, int64_t k, int64_t id, timestamp start, timestamp commit)
{
    const encoded_key key = encode_entry_key(TABLE, INDEX, k, id);
    put(in, encoded_slice(&key), slice_of("0", 1), start, commit);
}

static void drop_entry(picture *in, int64_t k, int64_t id, timestamp start, timestamp commit)
{
    const encoded_key key = encode_entry_key(TABLE, INDEX, k, id);
    drop(in, encoded_slice(&key), start, commit);
}

static void paint_schema_step(picture *in, schema_version number, schema_state state,
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
}

/* ------------------------------------------------------------------------------------ telling */

static void tell_begin(picture *in, uint64_t number, const statement *statements, uint32_t count)
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
    history_observe(&in->told, in->seen.world, 9, REPORT_OPERATION_BEGIN, buffer_slice(&bytes));
    buffer_release(&bytes);
}

static void tell_end(picture *in, uint64_t number, const execute_reply *reply)
{
    buffer bytes;
    buffer_init(&bytes);
    operation_end_encode(number, SB_OK, reply, &bytes);
    history_observe(&in->told, in->seen.world, 9, REPORT_OPERATION_END, buffer_slice(&bytes));
    buffer_release(&bytes);
}

static void tell_committed(picture *in, uint64_t number, schema_version under, timestamp start,
                           timestamp committed, statement_result *results, uint32_t count)
{
    const execute_reply reply = {.outcome = OUTCOME_COMMITTED,
                                 .start = start,
                                 .committed = committed,
                                 .schema_version = under,
                                 .result_count = count,
                                 .results = results};
    tell_end(in, number, &reply);
}

static statement_result done(void)
{
    return (statement_result){.kind = RESULT_DONE};
}

static void paint_load(picture *in)
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
static void paint_update(picture *in)
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

static void paint_delete(picture *in, schema_version under)
{
    const statement removal = {.kind = STATEMENT_DELETE, .id = 2};
    statement_result result = done();
    tell_begin(in, 3, &removal, 1);
    tell_committed(in, 3, under, 210, 211, &result, 1);
    const encoded_key key = encode_row_key(TABLE, 2);
    drop(in, encoded_slice(&key), 210, 211);
    drop_entry(in, 2, 2, 210, 211);
}

static void paint_reads(picture *in, const brush *with)
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
static void paint_others(picture *in)
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

static void paint_job(picture *in, const brush *with)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    job_row row = {.id = JOB, .nonce = 1, .table = TABLE, .version = 5, .snapshot = SNAPSHOT};
    row.index_count = 1;
    row.indexes[0] = (index_definition){.id = INDEX, .column_count = 1, .columns = {SBTEST_K}};
    memcpy(row.indexes[0].name, "k_1", 4);
    row.indexes[0].state = with->job_state == JOB_SYNCED ? SCHEMA_PUBLIC : SCHEMA_NONE;
    row.state = with->job_state;
    row.cause = with->cause;
    key_history(&key, JOB);
    job_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 202, 203);
    buffer_release(&value);
    buffer_release(&key);
}

static void paint_subtask(picture *in, uint32_t number, const encoded_key *start,
                          const encoded_key *end, uint64_t row_count, bool other_attempt)
{
    subtask_row row = {.job = JOB,
                       .number = number,
                       .state = SUBTASK_PENDING,
                       .server = SERVER,
                       .attempt = 1,
                       .table = TABLE,
                       .index = INDEX,
                       .snapshot = SNAPSHOT};
    range_key_set(&row.start, encoded_slice(start));
    range_key_set(&row.end, encoded_slice(end));
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_subtask(&key, JOB, 0, number);
    subtask_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 150, 151);
    row.state = SUBTASK_RUNNING;
    row.session = 7;
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

static void paint_task(picture *in, const brush *with)
{
    const encoded_key start = encode_rows_prefix(TABLE), end = encode_behind(&start);
    const encoded_key first_end = encode_row_key(TABLE, 3),
                      second_start = encode_row_key(TABLE, with->cut);
    paint_subtask(in, 0, &start, &first_end, with->first_row_count, with->other_attempt);
    paint_subtask(in, 1, &second_start, &end, 2, false);
    task_row row = {.job = JOB,
                    .state = TASK_SUCCEED,
                    .table = TABLE,
                    .index = INDEX,
                    .snapshot = SNAPSHOT,
                    .subtask_count = 2,
                    .tenure = 1};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task_history(&key, JOB, 0);
    task_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 204, 205);
    buffer_release(&value);
    buffer_release(&key);
}

static void paint(picture *into, sb_world *world, const brush *with)
{
    *into = (picture){.durable = {.store_count = 1}};
    into->durable.stores = &into->store;
    into->seen.world = world;
    store_state_init(&into->store.state);
    const region_description everything = {.id = 1, .epoch = 1};
    store_state_add_region(&into->store.state, &everything);
    durable_place_regions(&into->durable, world);
    history_init(&into->told);
    paint_schema_step(into, 1, SCHEMA_NONE, 10);
    paint_load(into);
    paint_schema_step(into, 2, SCHEMA_DELETE_ONLY, 110);
    paint_schema_step(into, 3, SCHEMA_WRITE_ONLY, 120);
    paint_schema_step(into, 4, SCHEMA_WRITE_REORGANIZATION, 130);
    paint_update(into);
    paint_schema_step(into, 5, with->last_state, 200);
    paint_job(into, with);
    paint_task(into, with);
    paint_delete(into, with->late_version);
    paint_reads(into, with);
    paint_others(into);
    into->seen = (evidence){.world = world,
                            .durable = &into->durable,
                            .operations = &into->told,
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

static void missing_entry(picture *in)
{
    drop_entry(in, 4, 4, 240, 241);
}

static void foreign_entry(picture *in)
{
    put_entry(in, 77, 3, 240, 241);
}

static void orphan_entry(picture *in)
{
    put_entry(in, 2, 2, 240, 241);
}

/* Right now, but it was wrong for a while after the index got public. */
static void healed_entry(picture *in)
{
    drop_entry(in, 9, 1, 240, 241);
    put_entry(in, 9, 1, 250, 251);
    unsigned char bytes[24];
    const statement update = {
        .kind = STATEMENT_UPDATE, .columns = K_AND_C, .id = 1, .k = 9, .c = value_of(501, bytes)};
    statement_result result = done();
    tell_begin(in, 7, &update, 1);
    tell_committed(in, 7, 5, 244, 245, &result, 1);
    put_row(in, 1, 9, 501, 244, 245);
}

static void refused_is_there(picture *in)
{
    put_row(in, 3, 5, 301, 230, 231);
}

/* An update of k and c leaves pad alone. */
static void another_column_changed(picture *in)
{
    unsigned char bytes[24];
    const statement update = {.kind = STATEMENT_UPDATE,
                              .columns = K_AND_C,
                              .id = 3,
                              .k = 3,
                              .c = value_of(501, bytes),
                              .pad = slice_of("new", 3)};
    statement_result result = done();
    tell_begin(in, 7, &update, 1);
    tell_committed(in, 7, 5, 240, 241, &result, 1);
    put_row_with_pad(in, 3, 3, 501, slice_of("new", 3), 240, 241);
}

static void tell_scan(picture *in, int64_t last, int64_t *ids, uint32_t count)
{
    const statement scan = {.kind = STATEMENT_SCAN, .id = 1, .last = last};
    statement_result result = {.kind = RESULT_IDS, .id_count = count, .ids = ids};
    tell_begin(in, 7, &scan, 1);
    tell_committed(in, 7, 5, 242, 0, &result, 1);
}

/* Row 2 is gone, the others are there. */
static void scan_is_right(picture *in)
{
    int64_t ids[] = {1, 3, 4};
    tell_scan(in, 9, ids, 3);
}

static void scan_misses_a_row(picture *in)
{
    int64_t ids[] = {1, 4};
    tell_scan(in, 4, ids, 2);
}

static void scan_finds_a_deleted_row(picture *in)
{
    int64_t ids[] = {1, 2, 3};
    tell_scan(in, 3, ids, 3);
}

static void nobody_wrote_it(picture *in)
{
    put_row(in, 3, 3, 999, 230, 231);
}

static void nobody_deleted_it(picture *in)
{
    const encoded_key key = encode_row_key(TABLE, 3);
    drop(in, encoded_slice(&key), 233, 234);
}

static void acknowledged_is_gone(picture *in)
{
    unsigned char bytes[24];
    const statement update = {
        .kind = STATEMENT_UPDATE, .columns = K_AND_C, .id = 3, .k = 3, .c = value_of(501, bytes)};
    statement_result result = done();
    tell_begin(in, 7, &update, 1);
    tell_committed(in, 7, 5, 240, 241, &result, 1);
}

static void write_overwritten_unseen(picture *in)
{
    unsigned char bytes[24];
    const statement update = {
        .kind = STATEMENT_UPDATE, .columns = K_AND_C, .id = 4, .k = 4, .c = value_of(501, bytes)};
    statement_result result = done();
    tell_begin(in, 7, &update, 1);
    tell_committed(in, 7, 5, 240, 245, &result, 1);
    put_row(in, 4, 4, 501, 240, 245);
    const statement other = {
        .kind = STATEMENT_UPDATE, .columns = K_AND_C, .id = 4, .k = 4, .c = value_of(502, bytes)};
    tell_begin(in, 8, &other, 1);
    tell_committed(in, 8, 5, 246, 247, &result, 1);
    const encoded_key key = encode_row_key(TABLE, 4);
    entry *of = mvcc_find(data_of(in), encoded_slice(&key));
    put_row(in, 4, 4, 502, 246, 247);
    of->values->start = 243; /* it began before the other had committed */
}

static void time_goes_back(picture *in)
{
    const statement read = {.kind = STATEMENT_READ, .id = 4};
    unsigned char bytes[24];
    statement_result result = {
        .kind = RESULT_ROW, .k = 4, .c = value_of(104, bytes), .pad = slice_of("pad", 3)};
    tell_begin(in, 7, &read, 1);
    tell_committed(in, 7, 5, 215, 0, &result, 1);
}

static void unknown_is_there(picture *in)
{
    put_row(in, 10, 5, 401, 235, 236);
    put_entry(in, 5, 10, 235, 236);
}

/* The prewrite of a secondary whose primary was committed, and the commit never came: it counts. */
static void lock_left_behind(picture *in)
{
    unsigned char bytes[24];
    const statement updates[] = {
        {.kind = STATEMENT_UPDATE, .columns = K_AND_C, .id = 3, .k = 3, .c = value_of(501, bytes)},
    };
    statement_result result = done();
    tell_begin(in, 7, updates, 1);
    tell_committed(in, 7, 5, 240, 241, &result, 1);
    put_row(in, 3, 3, 501, 240, 0);
    const encoded_key key = encode_row_key(TABLE, 3);
    entry *of = mvcc_find(data_of(in), encoded_slice(&key));
    const mutation one = {.kind = MUTATION_LOCK, .key = slice_of("m", 1)};
    mvcc_prewrite(data_of(in), 240, 3000, one.key, &one, 1);
    mvcc_commit(data_of(in), one.key, 240, 241, 1);
    of->lock->primary_size = 1; /* its first byte is then behind the value */
    of->lock->bytes[of->lock->value_size] = 'm';
}

static void job_lives_on(picture *in)
{
    buffer key;
    buffer_init(&key);
    key_job(&key, JOB);
    put(in, buffer_slice(&key), slice_of("x", 1), 240, 241);
    buffer_release(&key);
}

static void row_is_left(picture *in)
{
    buffer key;
    buffer_init(&key);
    key_ack(&key, JOB, SERVER);
    put(in, buffer_slice(&key), slice_of("x", 1), 240, 241);
    buffer_release(&key);
}

static void cancel_was_asked(picture *in)
{
    in->seen.jobs[0].cancel_asked = true;
    drop_entry(in, 1, 1, 240, 241);
    for (int64_t id = 3; id <= 4; id++) {
        drop_entry(in, id, id, 240, 241);
    }
    drop_entry(in, 9, 1, 240, 241);
}

static void cancel_was_accepted(picture *in)
{
    in->seen.jobs[0].cancel_asked = true;
    in->seen.jobs[0].cancel_accepted = true;
}

static void must_have_failed(picture *in)
{
    in->seen.jobs[0].must_fail = FAILURE_NO_TABLE;
}

#define BRUSH(...)                                                                                 \
    {                                                                                              \
        .late_version = 5, .last_state = SCHEMA_PUBLIC, .job_state = JOB_SYNCED, .cut = 3,         \
        .first_row_count = 2, __VA_ARGS__                                                          \
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
static const plant plants[] = {
    {"all is well", NULL, BRUSH(), SB_FINDING_NONE, ""},
    {"unknown write is there", unknown_is_there, BRUSH(), SB_FINDING_NONE, ""},
    {"lock left behind", lock_left_behind, BRUSH(), SB_FINDING_NONE, ""},
    {"missing entry", missing_entry, BRUSH(), SB_FINDING_WRONG_INDEX, "it has lost its entry"},
    {"entry of another k", foreign_entry, BRUSH(), SB_FINDING_WRONG_INDEX, "entry of another k"},
    {"entry without a row", orphan_entry, BRUSH(), SB_FINDING_WRONG_INDEX, "entry without a row"},
    {"entry away for a while", healed_entry, BRUSH(), SB_FINDING_WRONG_INDEX, "it has no entry"},
    {"refused write is there", refused_is_there, BRUSH(), SB_FINDING_WRONG_READ, "was refused"},
    {"a scan", scan_is_right, BRUSH(), SB_FINDING_NONE, ""},
    {"a scan misses a row", scan_misses_a_row, BRUSH(), SB_FINDING_WRONG_READ, "left others out"},
    {"a scan finds a deleted row", scan_finds_a_deleted_row, BRUSH(), SB_FINDING_WRONG_READ,
     "3 rows, 2 of them right"},
    {"another column changed", another_column_changed, BRUSH(), SB_FINDING_LOST_WRITE,
     "is not what write 501 made it"},
    {"nobody wrote it", nobody_wrote_it, BRUSH(), SB_FINDING_WRONG_READ, "nobody wrote"},
    {"nobody deleted it", nobody_deleted_it, BRUSH(), SB_FINDING_LOST_WRITE, "deleted"},
    {"acknowledged write is gone", acknowledged_is_gone, BRUSH(), SB_FINDING_LOST_WRITE,
     "is not there"},
    {"lost update", write_overwritten_unseen, BRUSH(), SB_FINDING_LOST_WRITE, "does not follow"},
    {"time goes back", time_goes_back, BRUSH(), SB_FINDING_WRONG_READ,
     "before what had been acknowledged"},
    {"stale read", NULL, BRUSH(.stale_read = true), SB_FINDING_WRONG_READ, "a read of row 1"},
    {"wrong read by index", NULL, BRUSH(.wrong_index_read = true), SB_FINDING_WRONG_INDEX,
     "by index"},
    {"two versions behind", NULL, BRUSH(.late_version = 3), SB_FINDING_WRONG_STATE,
     "under schema 3"},
    {"index not public", NULL, BRUSH(.last_state = SCHEMA_WRITE_REORGANIZATION),
     SB_FINDING_WRONG_OUTCOME, "its index is write-reorganization"},
    {"index skips a state", NULL, BRUSH(.last_state = SCHEMA_NONE), SB_FINDING_WRONG_STATE,
     "went from"},
    {"a job fails for nothing", NULL,
     BRUSH(.job_state = JOB_ROLLBACKDONE, .cause = FAILURE_INJECTED), SB_FINDING_WRONG_OUTCOME,
     "left its index"},
    {"a false duplicate", cancel_was_asked,
     BRUSH(.job_state = JOB_ROLLBACKDONE, .cause = FAILURE_DUPLICATE_KEY,
           .last_state = SCHEMA_DELETE_ONLY),
     SB_FINDING_WRONG_OUTCOME, "left its index delete-only"},
    {"a cancel is forgotten", cancel_was_accepted, BRUSH(), SB_FINDING_WRONG_OUTCOME,
     "the operator was told so"},
    {"a job cannot succeed", must_have_failed, BRUSH(), SB_FINDING_WRONG_OUTCOME,
     "for which there is"},
    {"a job in two places", job_lives_on, BRUSH(), SB_FINDING_WRONG_OUTCOME, "lives on"},
    {"an acknowledgement is left", row_is_left, BRUSH(), SB_FINDING_LEAK, "a row \"ack\""},
    {"a hole between subtasks", NULL, BRUSH(.cut = 4), SB_FINDING_WRONG_STATE, "do not partition"},
    {"rows that nobody put", NULL, BRUSH(.first_row_count = 1), SB_FINDING_WRONG_INDEX,
     "entries for the"},
    {"another attempt's success", NULL, BRUSH(.other_attempt = true), SB_FINDING_WRONG_STATE,
     "another attempt"},
};
#pragma GCC diagnostic pop
#define PLANTS (sizeof(plants) / sizeof(plants[0]))

static void judge_plant(sb_world *world, void *context)
{
    const plant *in = context;
    picture *made = sb_alloc(sizeof(*made));
    sb_node_add(world, "server1", "server", NULL, NULL, 0);
    paint(made, world, &in->with);
    if (in->in_picture != NULL) {
        in->in_picture(made);
    }
    durable_resolve_locks(&made->durable);
    oracle_judge(&made->seen);
    history_release(&made->told);
    sb_free(made->durable.regions);
    store_state_release(&made->store.state);
    sb_free(made);
}

/* Each plant leads to its finding, and a picture without one to none. */
START_TEST(test_plants)
{
    plant in = plants[_i];
    const ending end = run_once(judge_plant, &in);
    if (in.kind == SB_FINDING_NONE) {
        must_pass(&end);
    } else {
        must_find(&end, in.kind, in.words);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracles");
    TCase *of = tcase_create("plants");
    tcase_add_loop_test(of, test_plants, 0, (int)PLANTS);
    suite_add_tcase(suite, of);
    return run_suite(suite);
}
