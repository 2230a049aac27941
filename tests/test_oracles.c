/*
 * The oracles, each shown a picture of a cluster in which its property is broken, and none when all
 * is well.  Here: what clients see, indexes, jobs and tasks.
 */
#include "tests/oracle_picture.h"

/* ------------------------------------------------------------------------------------- plants */

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

/* The row is what it was before and after. */
static void entry_away_while_its_row_stays(picture *in)
{
    drop_entry(in, 4, 4, 240, 241);
    put_entry(in, 4, 4, 250, 251);
}

static void entry_of_nothing_for_a_while(picture *in)
{
    put_entry(in, 50, 50, 240, 241);
    drop_entry(in, 50, 50, 250, 251);
}

/* Of a value that the row had before the index got public. */
static void entry_of_an_old_value_for_a_while(picture *in)
{
    put_entry(in, 1, 1, 240, 241);
    drop_entry(in, 1, 1, 250, 251);
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

static void ask_index(picture *in, const char *name, schema_version under, result_kind said,
                      timestamp start)
{
    int64_t id = 4;
    const statement read = {.kind = STATEMENT_READ_INDEX,
                            .k = 4,
                            .columns = 1u << SBTEST_K,
                            .index_name = slice_of_string(name)};
    statement_result result = {.kind = said, .id_count = said == RESULT_IDS, .ids = &id};
    tell_begin(in, 7, &read, 1);
    tell_committed(in, 7, under, start, 0, &result, 1);
}

static void no_index_to_read_by(picture *in)
{
    ask_index(in, "k_1", 5, RESULT_NO_INDEX, 242);
}

static void no_index_of_that_name(picture *in)
{
    ask_index(in, "k_2", 5, RESULT_NO_INDEX, 242);
}

/* By a server that does not know the last step yet. */
static void no_index_before_it_is_public(picture *in)
{
    ask_index(in, "k_1", 4, RESULT_NO_INDEX, 242);
}

static void index_read_before_it_is_public(picture *in)
{
    ask_index(in, "k_1", 4, RESULT_IDS, 242);
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
    const job_row row = new_job(JOB);
    buffer value;
    buffer_init(&value);
    job_row_encode(&row, &value);
    key_job(&key, JOB);
    put(in, buffer_slice(&key), buffer_slice(&value), 240, 241);
    buffer_release(&value);
    buffer_release(&key);
}

static void row_is_left(picture *in)
{
    acknowledge(in, 5, 240, 241);
}

/* A straggler's prewrite in a range that was given up; it is rolled back, and that is a trace too.
 */
static void key_of_a_deleted_range(picture *in)
{
    const encoded_key start = encode_index_prefix(TABLE, 8), end = encode_behind(&start);
    const encoded_key key = encode_entry_key(TABLE, 8, 1, 1);
    buffer record;
    buffer_init(&record);
    record_delete_range(&record, encoded_slice(&start), encoded_slice(&end));
    (void)store_state_apply(&in->store.state, in->store.state.applied + 1, buffer_slice(&record));
    mvcc_rollback(data_of(in), encoded_slice(&key), 300, 1);
    buffer_release(&record);
}

/* Of the index, and of its temporary twin, in two orders that meet. */
static void given_up_in_two(picture *in)
{
    const encoded_key start = encode_index_prefix(TABLE, INDEX), end = encode_behind(&start);
    const encoded_key middle = encode_entry_key(TABLE, INDEX, 3, 3);
    give_up(in, &middle, &end);
    give_up(in, &start, &middle);
}

static void given_up_in_part(picture *in)
{
    const encoded_key start = encode_index_prefix(TABLE, INDEX);
    const encoded_key middle = encode_entry_key(TABLE, INDEX, 3, 3);
    give_up(in, &start, &middle);
}

/* As if the job had ended at 203 for a duplicate in a unique index of k. */
static void judge_duplicate(const evidence *of, const judged_table *table)
{
    const job_row row = {
        .id = JOB,
        .table = table->id,
        .snapshot = SNAPSHOT,
        .index_count = 1,
        .indexes = {{.id = INDEX, .unique = true, .column_count = 1, .columns = {SBTEST_K}}}};
    oracle_duplicates(of, &row, 203);
}

static void two_rows_with_one_k(picture *in)
{
    put_row(in, 3, 4, 501, 150, 151);
}

/* Row 3 gets the value when row 4 is gone. */
static void one_k_after_the_other(picture *in)
{
    const encoded_key key = encode_row_key(TABLE, 4);
    drop(in, encoded_slice(&key), 160, 161);
    put_row(in, 3, 4, 501, 170, 171);
}

static void two_rows_with_one_k_too_late(picture *in)
{
    put_row(in, 3, 4, 501, 206, 207);
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

/* ------------------------------------------------------------------------- jobs and their ends */

/* Another job in history. */
static void end_another(picture *in, const job_row *row)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_history(&key, row->id);
    job_row_encode(row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 208, 209);
    buffer_release(&value);
    buffer_release(&key);
}

static job_row undone_job(failure cause)
{
    job_row row = new_job(2);
    row.state = JOB_ROLLBACKDONE;
    row.cause = cause;
    row.tenure = TENURE;
    row.indexes[0].id = 3;
    return row;
}

/* With the definitions as oracle_judge reads them. */
static void judge_outcome(const evidence *of, const judged_table *table)
{
    evidence own = *of;
    buffer key;
    buffer_init(&key);
    key_table(&key, table->id);
    const version *found = durable_read(of->durable, buffer_slice(&key), TIMESTAMP_MAX);
    ck_assert(table_decode(version_value(found), &own.tables[0].definition));
    buffer_release(&key);
    oracle_outcome(&own);
}

static void two_jobs_of_one_request(picture *in)
{
    job_row row = undone_job(FAILURE_INDEX_EXISTS);
    row.nonce = JOB;
    end_another(in, &row);
}

static void errors_that_were_none(picture *in)
{
    job_row row = undone_job(FAILURE_INDEX_EXISTS);
    row.error_count = 1;
    row.error = FAILURE_STEP_FAILED;
    end_another(in, &row);
}

static void end_for_errors(picture *in, uint32_t count)
{
    job_row row = undone_job(FAILURE_ERROR_LIMIT);
    row.error_count = count;
    row.error = FAILURE_INJECTED;
    in->seen.permanent_error = true;
    in->seen.error_limit = 8;
    end_another(in, &row);
}

static void too_few_errors(picture *in)
{
    end_for_errors(in, 7);
}

static void enough_errors(picture *in)
{
    end_for_errors(in, 8);
}

static void too_many_errors(picture *in)
{
    end_for_errors(in, 9);
}

/* The job's task ended for this cause. */
static void end_task_for(picture *in, failure cause)
{
    task_row row = {.job = 2, .state = TASK_REVERTED, .cause = cause, .snapshot = SNAPSHOT};
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task_history(&key, 2, 0);
    task_row_encode(&row, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 208, 209);
    buffer_release(&value);
    buffer_release(&key);
}

static void fails_for_nothing(picture *in)
{
    const job_row row = undone_job(FAILURE_INJECTED);
    end_task_for(in, FAILURE_INJECTED);
    end_another(in, &row);
}

static void fails_for_anothers_error(picture *in)
{
    const job_row row = undone_job(FAILURE_INJECTED);
    in->seen.permanent_error = true;
    end_another(in, &row);
}

static void fails_for_an_error(picture *in)
{
    in->seen.permanent_error = true;
    fails_for_nothing(in);
}

static void end_for_a_cancel(picture *in, bool asked)
{
    const job_row row = undone_job(FAILURE_CANCELLED);
    in->seen.jobs[in->seen.job_count++] = (judged_job){.id = 2, .cancel_asked = asked};
    end_another(in, &row);
}

static void cancelled_by_nobody(picture *in)
{
    end_for_a_cancel(in, false);
}

static void cancelled(picture *in)
{
    end_for_a_cancel(in, true);
}

static void fails_for_a_duplicate(picture *in)
{
    job_row row = undone_job(FAILURE_DUPLICATE_KEY);
    row.version = 4;
    row.snapshot = SNAPSHOT;
    row.indexes[0].unique = true;
    end_another(in, &row);
}

static void fails_for_a_true_duplicate(picture *in)
{
    two_rows_with_one_k(in);
    fails_for_a_duplicate(in);
}

static void end_for_want_of_room(picture *in, bool met, failure of_task)
{
    const job_row row = undone_job(FAILURE_NO_SPACE);
    in->seen.jobs[in->seen.job_count++] = (judged_job){.id = 2, .met_full_disk = met};
    end_task_for(in, of_task);
    end_another(in, &row);
}

static void no_room(picture *in)
{
    end_for_want_of_room(in, true, FAILURE_NO_SPACE);
}

static void room_enough(picture *in)
{
    end_for_want_of_room(in, false, FAILURE_NO_SPACE);
}

static void no_room_for_another(picture *in)
{
    end_for_want_of_room(in, true, FAILURE_CANCELLED);
}

static void end_for_a_long_key(picture *in)
{
    job_row row = undone_job(FAILURE_KEY_TOO_LONG);
    row.indexes[0].columns[0] = SBTEST_PAD;
    end_task_for(in, FAILURE_KEY_TOO_LONG);
    end_another(in, &row);
}

static void a_long_key(picture *in)
{
    unsigned char pad[1200] = {0};
    put_row_with_pad(in, 50, 3, 501, slice_of(pad, sizeof(pad)), 150, 151);
    end_for_a_long_key(in);
}

/* Behind the job's end. */
static void a_long_key_too_late(picture *in)
{
    unsigned char pad[1200] = {0};
    put_row_with_pad(in, 50, 3, 501, slice_of(pad, sizeof(pad)), 210, 211);
    end_for_a_long_key(in);
}

static void room_for_an_index(picture *in)
{
    const job_row row = undone_job(FAILURE_TOO_MANY_INDEXES);
    end_another(in, &row);
}

static void no_room_for_an_index(picture *in)
{
    table_definition full = in->table;
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    for (uint32_t i = full.index_count; i < TABLE_INDEXES_MAX; i++) {
        index_definition index = {.id = 100 + i, .column_count = 1, .columns = {SBTEST_K}};
        index.state = SCHEMA_PUBLIC;
        index.name[0] = (char)('a' + i);
        ck_assert(table_add_index(&full, &index));
    }
    key_table(&key, TABLE);
    table_encode(&full, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 207, 208);
    buffer_release(&value);
    buffer_release(&key);
    room_for_an_index(in);
}

/* As for DROP INDEX. */
static void turn_back(picture *in, schema_state to)
{
    acknowledge(in, 5, 240, 241);
    paint_schema_step(in, 6, to, 250);
}

static void public_to_delete_only(picture *in)
{
    turn_back(in, SCHEMA_DELETE_ONLY);
}

static void public_to_write_only(picture *in)
{
    turn_back(in, SCHEMA_WRITE_ONLY);
}

static void write_only_to_none(picture *in)
{
    turn_back(in, SCHEMA_WRITE_ONLY);
    acknowledge(in, 6, 260, 261);
    paint_schema_step(in, 7, SCHEMA_NONE, 270);
}

static void judge_schema_rule(const evidence *of, const judged_table *table)
{
    (void)table;
    oracle_schema_rule(of);
}

static void reorganization_is_left(picture *in)
{
    buffer key;
    buffer_init(&key);
    key_reorg(&key, 2);
    put(in, buffer_slice(&key), slice_of("x", 1), 240, 241);
    own(in, 240, 241);
    buffer_release(&key);
}

#define OUTCOME(what, plant, words)                                                                \
    {                                                                                              \
        what, plant, BRUSH(.only = judge_outcome), SB_FINDING_WRONG_OUTCOME, words                 \
    }
#define EXCUSED(what, plant)                                                                       \
    {                                                                                              \
        what, plant, BRUSH(.only = judge_outcome), SB_FINDING_NONE, ""                             \
    }

static const plant plants[] = {
    {"all is well", NULL, BRUSH(), SB_FINDING_NONE, ""},
    {"unknown write is there", unknown_is_there, BRUSH(), SB_FINDING_NONE, ""},
    {"lock left behind", lock_left_behind, BRUSH(), SB_FINDING_NONE, ""},
    {"missing entry", missing_entry, BRUSH(), SB_FINDING_WRONG_INDEX, "it has lost its entry"},
    {"entry of another k", foreign_entry, BRUSH(), SB_FINDING_WRONG_INDEX,
     "an entry of other values"},
    {"entry without a row", orphan_entry, BRUSH(), SB_FINDING_WRONG_INDEX, "entry without a row"},
    {"entry away for a while", healed_entry, BRUSH(), SB_FINDING_WRONG_INDEX, "it has no entry"},
    {"entry away while its row stays", entry_away_while_its_row_stays, BRUSH(),
     SB_FINDING_WRONG_INDEX, "it has lost its entry at 241"},
    {"entry of nothing, for a while", entry_of_nothing_for_a_while, BRUSH(), SB_FINDING_WRONG_INDEX,
     "an entry without a row at 241"},
    {"entry of an old value, for a while", entry_of_an_old_value_for_a_while, BRUSH(),
     SB_FINDING_WRONG_INDEX, "an entry of other values at 241"},
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
    {"lost update", write_overwritten_unseen, BRUSH(), SB_FINDING_LOST_WRITE, "beside one that"},
    {"time goes back", time_goes_back, BRUSH(), SB_FINDING_WRONG_READ,
     "before what had been acknowledged"},
    {"stale read", NULL, BRUSH(.stale_read = true), SB_FINDING_WRONG_READ, "a read of row 1"},
    {"wrong read by index", NULL, BRUSH(.wrong_index_read = true), SB_FINDING_WRONG_INDEX,
     "by index"},
    {"two versions behind", NULL, BRUSH(.late_version = 3), SB_FINDING_WRONG_STATE,
     "under schema 3"},
    {"no index to read by", no_index_to_read_by, BRUSH(), SB_FINDING_WRONG_READ,
     "under schema 5, took an index that is public for none"},
    {"no index to read by, before it is public", no_index_before_it_is_public, BRUSH(),
     SB_FINDING_NONE, ""},
    {"no index of that name", no_index_of_that_name, BRUSH(), SB_FINDING_NONE, ""},
    {"an index is read before it is public", index_read_before_it_is_public, BRUSH(),
     SB_FINDING_WRONG_READ, "under schema 4, took an index that is not public for one to read by"},
    {"index not public", NULL,
     BRUSH(.last_state = SCHEMA_WRITE_REORGANIZATION, .only = judge_outcome),
     SB_FINDING_WRONG_OUTCOME, "its index is write-reorganization"},
    {"index skips a state", NULL, BRUSH(.last_state = SCHEMA_NONE), SB_FINDING_WRONG_STATE,
     "went from"},
    {"a public index is not written any more", public_to_delete_only, BRUSH(),
     SB_FINDING_WRONG_STATE, "index k_1 went from public to delete-only at version 6"},
    {"a public index turns back", public_to_write_only, BRUSH(.only = judge_schema_rule),
     SB_FINDING_NONE, ""},
    {"an index is taken away though it is written", write_only_to_none,
     BRUSH(.only = judge_schema_rule), SB_FINDING_WRONG_STATE,
     "index k_1 went from write-only to none at version 7"},
    {"a job is undone and its index stays", NULL,
     BRUSH(.job_state = JOB_ROLLBACKDONE, .cause = FAILURE_INJECTED, .only = judge_outcome),
     SB_FINDING_WRONG_OUTCOME, "left its index public"},
    OUTCOME("a job fails for nothing", fails_for_nothing, "injected"),
    OUTCOME("a job fails for another's error", fails_for_anothers_error, "injected"),
    EXCUSED("a job fails for an error of its task", fails_for_an_error),
    OUTCOME("a cancel that nobody asked for", cancelled_by_nobody, "cancelled"),
    EXCUSED("a cancel that was asked for", cancelled),
    {"a job fails for a false duplicate", fails_for_a_duplicate, BRUSH(.only = judge_outcome),
     SB_FINDING_FALSE_DUPLICATE, "no two rows"},
    EXCUSED("a job fails for a duplicate", fails_for_a_true_duplicate),
    {"a duplicate", two_rows_with_one_k, BRUSH(.only = judge_duplicate), SB_FINDING_NONE, ""},
    {"no duplicate", NULL, BRUSH(.only = judge_duplicate), SB_FINDING_FALSE_DUPLICATE,
     "no two rows"},
    {"a value that passes on", one_k_after_the_other, BRUSH(.only = judge_duplicate),
     SB_FINDING_FALSE_DUPLICATE, "no two rows"},
    {"a duplicate after the job", two_rows_with_one_k_too_late, BRUSH(.only = judge_duplicate),
     SB_FINDING_FALSE_DUPLICATE, "no two rows"},
    {"a cancel is forgotten", cancel_was_accepted, BRUSH(), SB_FINDING_WRONG_OUTCOME,
     "the operator was told so"},
    {"a job cannot succeed", must_have_failed, BRUSH(), SB_FINDING_WRONG_OUTCOME,
     "for which there is"},
    {"a job in two places", job_lives_on, BRUSH(), SB_FINDING_WRONG_OUTCOME, "lives on"},
    {"an acknowledgement is left", row_is_left, BRUSH(), SB_FINDING_LEAK, "a row \"ack\""},
    {"a key in a deleted range", key_of_a_deleted_range, BRUSH(), SB_FINDING_LEAK, "given up"},
    {"a temporary range that is not given up", NULL, BRUSH(.keeps_temporary = true),
     SB_FINDING_LEAK, "the temporary index of index 1 of table 1 is not given up"},
    {"an index that is gone and its range is not", NULL, BRUSH(.only = oracle_given_up),
     SB_FINDING_LEAK, "the range of index 1"},
    {"a part of a range that is not given up", given_up_in_part, BRUSH(.only = oracle_given_up),
     SB_FINDING_LEAK, "the range of index 1"},
    {"a range given up in two", given_up_in_two, BRUSH(.only = oracle_given_up), SB_FINDING_NONE,
     ""},
    {"a hole between subtasks", NULL, BRUSH(.cut = 4), SB_FINDING_WRONG_STATE, "do not partition"},
    {"rows that nobody put", NULL, BRUSH(.first_row_count = 1), SB_FINDING_WRONG_INDEX,
     "entries for the"},
    {"another attempt's success", NULL, BRUSH(.other_attempt = true), SB_FINDING_WRONG_STATE,
     "after it had been given away"},
    OUTCOME("two jobs of one request", two_jobs_of_one_request, "came of one request"),
    OUTCOME("errors that were none", errors_that_were_none, "and none was one"),
    OUTCOME("too few errors", too_few_errors, "too many errors"),
    OUTCOME("more errors than there may be", too_many_errors, "and 8 are too many"),
    EXCUSED("enough errors", enough_errors),
    OUTCOME("a disk had room enough", room_enough, "no space left"),
    OUTCOME("the task had room enough", no_room_for_another, "no space left"),
    EXCUSED("a disk was full", no_room),
    OUTCOME("no value is too long", end_for_a_long_key, "too long"),
    OUTCOME("a value is too long, too late", a_long_key_too_late, "too long"),
    EXCUSED("a value is too long", a_long_key),
    OUTCOME("there is room for an index", room_for_an_index, "no room"),
    EXCUSED("there is no room for an index", no_room_for_an_index),
    {"a reorganization is left", reorganization_is_left, BRUSH(), SB_FINDING_LEAK,
     "a row \"reorg\""},
};
#define PLANTS (sizeof(plants) / sizeof(plants[0]))

START_TEST(test_plants)
{
    judge_and_compare(&plants[_i]);
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
