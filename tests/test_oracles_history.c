/*
 * The oracles of clients' histories, each shown one in which its property is broken, and none when
 * all is well.  Here: rows as registers in real time, and operations of unknown outcome.
 */
#include "tests/oracle_picture.h"

/* -------------------------------------------------------------------------------------- telling */

#define PAD slice_of("pad", 3)

static statement update_of(int64_t id, uint64_t number, unsigned char bytes[24])
{
    return (statement){.kind = STATEMENT_UPDATE,
                       .columns = K_AND_C,
                       .id = id,
                       .k = id,
                       .c = value_of(number, bytes)};
}

static void begin_update(picture *in, uint64_t which, int64_t id, uint64_t number)
{
    unsigned char bytes[24];
    const statement one = update_of(id, number, bytes);
    tell_begin(in, which, &one, 1);
}

static void end_update(picture *in, uint64_t which, timestamp start, timestamp commit)
{
    statement_result result = done();
    tell_committed(in, which, 5, start, commit, &result, 1);
}

static void begin_read(picture *in, uint64_t which, int64_t id)
{
    const statement one = {.kind = STATEMENT_READ, .id = id};
    tell_begin(in, which, &one, 1);
}

/* It found the row as that write had made it. */
static void end_read(picture *in, uint64_t which, int64_t id, uint64_t number, timestamp start)
{
    unsigned char bytes[24];
    statement_result result = {
        .kind = RESULT_ROW, .k = id, .c = value_of(number, bytes), .pad = PAD};
    tell_committed(in, which, 5, start, 0, &result, 1);
}

/* ------------------------------------------------------------------------------------ registers */

/* A read that begins when the update has been acknowledged gives what was before, and the engine's
 * timestamps say that this is right. */
static void stale_snapshot(picture *in)
{
    begin_update(in, 7, 3, 501);
    end_update(in, 7, 240, 241);
    put_row(in, 3, 3, 501, 240, 241);
    begin_read(in, 8, 3);
    end_read(in, 8, 3, 103, 239);
}

/* Of one that began before the acknowledgement nobody can say. */
static void reads_beside_the_write(picture *in)
{
    begin_update(in, 7, 3, 501);
    begin_read(in, 8, 3);
    begin_read(in, 9, 3);
    end_read(in, 9, 3, 501, 242);
    end_update(in, 7, 240, 241);
    put_row(in, 3, 3, 501, 240, 241);
    end_read(in, 8, 3, 103, 239);
}

/* Both reads lie beside the write, but not beside each other: new, then old. */
static void new_then_old(picture *in)
{
    begin_update(in, 7, 3, 501);
    begin_read(in, 8, 3);
    end_read(in, 8, 3, 501, 242);
    begin_read(in, 9, 3);
    end_read(in, 9, 3, 103, 239);
    end_update(in, 7, 240, 241);
    put_row(in, 3, 3, 501, 240, 241);
}

/* An unknown write may show late, but not come and go. */
static void unknown_comes_late(picture *in)
{
    begin_update(in, 7, 3, 501);
    begin_read(in, 8, 3);
    end_read(in, 8, 3, 103, 250);
    put_row(in, 3, 3, 501, 255, 256);
    begin_read(in, 9, 3);
    end_read(in, 9, 3, 501, 260);
}

static void unknown_comes_and_goes(picture *in)
{
    begin_update(in, 7, 3, 501);
    begin_read(in, 8, 3);
    end_read(in, 8, 3, 501, 250);
    begin_read(in, 9, 3);
    end_read(in, 9, 3, 103, 260);
}

static void acknowledged_is_overwritten(picture *in)
{
    begin_update(in, 7, 3, 501);
    end_update(in, 7, 240, 241);
}

/* Two inserts of one row, both acknowledged, and nobody deleted it in between. */
static void inserted_twice(picture *in)
{
    unsigned char bytes[24];
    statement_result result = done();
    for (uint64_t i = 0; i < 2; i++) {
        const statement insert = {
            .kind = STATEMENT_INSERT, .id = 20, .k = 20, .c = value_of(501 + i, bytes), .pad = PAD};
        tell_begin(in, 7 + i, &insert, 1);
        tell_committed(in, 7 + i, 5, 240 + 4 * i, 241 + 4 * i, &result, 1);
        put_row(in, 20, 20, 501 + i, 240 + 4 * i, 241 + 4 * i);
    }
}

/* Row 2 was deleted by operation 3. */
static void scan_brings_back(picture *in)
{
    int64_t ids[] = {1, 2, 3};
    const statement scan = {.kind = STATEMENT_SCAN, .id = 1, .last = 3};
    statement_result result = {.kind = RESULT_IDS, .id_count = 3, .ids = ids};
    tell_begin(in, 7, &scan, 1);
    tell_committed(in, 7, 5, 205, 0, &result, 1);
}

static void index_leaves_out(picture *in)
{
    const statement look = {.kind = STATEMENT_READ_INDEX,
                            .k = 9,
                            .columns = 1u << SBTEST_K,
                            .index_name = slice_of_string("k_1")};
    statement_result result = {.kind = RESULT_IDS};
    tell_begin(in, 7, &look, 1);
    tell_committed(in, 7, 5, 205, 0, &result, 1);
}

/* ------------------------------------------------------------------------------ unknown outcomes
 */

/* Updates of rows 3 and 4, a deletion of row 1. */
static void begin_three(picture *in)
{
    unsigned char bytes[2][24];
    const statement all[] = {update_of(3, 501, bytes[0]),
                             update_of(4, 502, bytes[1]),
                             {.kind = STATEMENT_DELETE, .id = 1}};
    tell_begin(in, 7, all, 3);
}

static void drop_row(picture *in, int64_t id, timestamp start, timestamp commit)
{
    const encoded_key key = encode_row_key(TABLE, id);
    drop(in, encoded_slice(&key), start, commit);
}

static void unknown_as_a_whole(picture *in)
{
    begin_three(in);
    put_row(in, 3, 3, 501, 240, 241);
    put_row(in, 4, 4, 502, 240, 241);
    drop_row(in, 1, 240, 241);
    drop_entry(in, 9, 1, 240, 241);
}

static void unknown_and_nothing(picture *in)
{
    begin_three(in);
}

static void unknown_without_an_update(picture *in)
{
    begin_three(in);
    put_row(in, 3, 3, 501, 240, 241);
    drop_row(in, 1, 240, 241);
}

static void unknown_without_its_deletion(picture *in)
{
    begin_three(in);
    put_row(in, 3, 3, 501, 240, 241);
    put_row(in, 4, 4, 502, 240, 241);
}

static void unknown_in_two_pieces(picture *in)
{
    begin_three(in);
    put_row(in, 3, 3, 501, 240, 241);
    put_row(in, 4, 4, 502, 243, 244);
    drop_row(in, 1, 240, 241);
}

static void acknowledged_elsewhen(picture *in)
{
    begin_update(in, 7, 3, 501);
    end_update(in, 7, 240, 243);
    put_row(in, 3, 3, 501, 240, 241);
}

/* ------------------------------------------------------------------------------------ duplicates
 */

static void refuse(picture *in, const statement *statements, uint32_t count)
{
    const execute_reply refused = {
        .outcome = OUTCOME_REFUSED, .reason = REFUSAL_DUPLICATE, .start = 240, .schema_version = 5};
    tell_begin(in, 7, statements, count);
    tell_end(in, 7, &refused);
}

static statement insert_of(int64_t id, int64_t k, uint64_t number, unsigned char bytes[24])
{
    return (statement){
        .kind = STATEMENT_INSERT, .id = id, .k = k, .c = value_of(number, bytes), .pad = PAD};
}

static void refuse_insert(picture *in, int64_t id)
{
    unsigned char bytes[24];
    const statement insert = insert_of(id, 1, 501, bytes);
    refuse(in, &insert, 1);
}

static void refused_for_a_row(picture *in)
{
    refuse_insert(in, 3);
}

/* Row 2 was there, and is no more. */
static void refused_for_a_deleted_row(picture *in)
{
    refuse_insert(in, 2);
}

/* As a batch of the load: that one row follows on another is no reason. */
static void refused_for_nothing_in_a_batch(picture *in)
{
    unsigned char bytes[2][24];
    const statement both[] = {insert_of(30, 30, 501, bytes[0]), insert_of(31, 31, 502, bytes[1])};
    refuse(in, both, 2);
}

static void refused_for_its_own_row(picture *in)
{
    unsigned char bytes[2][24];
    const statement both[] = {insert_of(30, 30, 501, bytes[0]), insert_of(30, 31, 502, bytes[1])};
    refuse(in, both, 2);
}

/* REPLACE: the row was there, and the operation itself has taken it away. */
static void refused_for_what_it_replaces(picture *in)
{
    unsigned char bytes[24];
    const statement both[] = {{.kind = STATEMENT_DELETE, .id = 3}, insert_of(3, 3, 501, bytes)};
    refuse(in, both, 2);
}

/* From here on the index is a unique one. */
static void make_unique(picture *in)
{
    table_definition table = in->table;
    table.indexes[0].unique = true;
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_table(&key, TABLE);
    table_encode(&table, &value);
    put(in, buffer_slice(&key), buffer_slice(&value), 212, 213);
    buffer_release(&value);
    buffer_release(&key);
}

/* Row 3 gets another id and keeps its k (TiDB issue 52914). */
static void refused_for_the_row_that_moves(picture *in)
{
    unsigned char bytes[24];
    const statement both[] = {{.kind = STATEMENT_DELETE, .id = 3}, insert_of(30, 3, 501, bytes)};
    make_unique(in);
    refuse(in, both, 2);
}

static void refused_for_another_rows_key(picture *in)
{
    unsigned char bytes[24];
    const statement insert = insert_of(30, 3, 501, bytes);
    make_unique(in);
    refuse(in, &insert, 1);
}

static void refused_for_its_own_key(picture *in)
{
    unsigned char bytes[2][24];
    const statement both[] = {insert_of(30, 30, 501, bytes[0]), insert_of(31, 30, 502, bytes[1])};
    make_unique(in);
    refuse(in, both, 2);
}

/* Row 2 is gone, so the update does nothing. */
static void refused_for_an_update_of_nothing(picture *in)
{
    unsigned char bytes[24];
    const statement update = {
        .kind = STATEMENT_UPDATE, .columns = K_AND_C, .id = 2, .k = 3, .c = value_of(501, bytes)};
    make_unique(in);
    refuse(in, &update, 1);
}

#define REGISTERS(what, plant, ...)                                                                \
    {                                                                                              \
        what, plant, BRUSH(.only = oracle_registers), __VA_ARGS__                                  \
    }
#define DUPLICATE(what, plant)                                                                     \
    {                                                                                              \
        what, plant, BRUSH(.only = oracle_refused_duplicates), SB_FINDING_NONE, ""                 \
    }
#define NO_DUPLICATE(what, plant)                                                                  \
    {                                                                                              \
        what, plant, BRUSH(.only = oracle_refused_duplicates), SB_FINDING_FALSE_DUPLICATE,         \
            "there was none"                                                                       \
    }
#define STALE SB_FINDING_WRONG_READ, "explains operation"

static const plant plants[] = {
    REGISTERS("registers: all is well", NULL, SB_FINDING_NONE, ""),
    REGISTERS("a stale snapshot", stale_snapshot, STALE),
    REGISTERS("reads beside the write", reads_beside_the_write, SB_FINDING_NONE, ""),
    REGISTERS("new, then old", new_then_old, STALE),
    REGISTERS("an unknown write comes late", unknown_comes_late, SB_FINDING_NONE, ""),
    REGISTERS("an unknown write comes and goes", unknown_comes_and_goes, STALE),
    REGISTERS("an acknowledged write is gone", acknowledged_is_overwritten, SB_FINDING_LOST_WRITE,
              "leaves what is there"),
    REGISTERS("a row is inserted twice", inserted_twice, STALE),
    REGISTERS("a scan brings a row back", scan_brings_back, STALE),
    REGISTERS("an index leaves a row out", index_leaves_out, STALE),
    {"unknown as a whole", unknown_as_a_whole, BRUSH(), SB_FINDING_NONE, ""},
    {"unknown and nothing", unknown_and_nothing, BRUSH(), SB_FINDING_NONE, ""},
    {"unknown without an update", unknown_without_an_update, BRUSH(), SB_FINDING_LOST_WRITE,
     "row 4, which it must have written"},
    {"unknown without its deletion", unknown_without_its_deletion, BRUSH(), SB_FINDING_LOST_WRITE,
     "row 1, which it must have written"},
    {"unknown in two pieces", unknown_in_two_pieces, BRUSH(), SB_FINDING_LOST_WRITE,
     "by two transactions"},
    {"refused for a row", refused_for_a_row, BRUSH(), SB_FINDING_NONE, ""},
    {"refused for a deleted row", refused_for_a_deleted_row, BRUSH(), SB_FINDING_FALSE_DUPLICATE,
     "there was none"},
    NO_DUPLICATE("refused for nothing in a batch", refused_for_nothing_in_a_batch),
    NO_DUPLICATE("refused for what it replaces", refused_for_what_it_replaces),
    NO_DUPLICATE("refused for the row that moves", refused_for_the_row_that_moves),
    NO_DUPLICATE("refused for an update of nothing", refused_for_an_update_of_nothing),
    DUPLICATE("refused for its own row", refused_for_its_own_row),
    DUPLICATE("refused for another row's key", refused_for_another_rows_key),
    DUPLICATE("refused for its own key", refused_for_its_own_key),
    {"acknowledged at another moment", acknowledged_elsewhen, BRUSH(), SB_FINDING_LOST_WRITE,
     "is not there"},
};
#define PLANTS (sizeof(plants) / sizeof(plants[0]))

/* Each plant leads to its finding, and a picture without one to none. */
START_TEST(test_plants)
{
    judge_and_compare(&plants[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracles of histories");
    TCase *of = tcase_create("plants");
    tcase_add_loop_test(of, test_plants, 0, (int)PLANTS);
    suite_add_tcase(suite, of);
    return run_suite(suite);
}
