/*
 * The distributed task: plans over both kinds of keys.
 */
#include <string.h>

#include "engine/schema/row.h"
#include "engine/task/plan.h"
#include "engine/wire/keys.h"
#include "tests/engine_cluster.h"

#define TABLE 1u
#define INDEX 9u

/* -------------------------------------------------------------------------------------- plans */

#define BEGINNING 200u /* bytes that a group of keys has in common: more than a range key holds */
#define GROUPS 5u
#define KEYS_PER_GROUP 8u

/* Entries of the temporary index, in groups of keys that differ only far behind. */
static void put_long_keys(cluster *of)
{
    transaction *in;
    buffer key;
    buffer_init(&key);
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    for (uint32_t i = 0; i < GROUPS * KEYS_PER_GROUP; i++) {
        key_index_prefix(&key, TABLE, INDEX | TEMPORARY_INDEX);
        unsigned char *bytes = buffer_extend(&key, BEGINNING);
        memset(bytes, 'a' + (int)(i / KEYS_PER_GROUP), BEGINNING);
        buffer_add_u8(&key, (uint8_t)(i % KEYS_PER_GROUP));
        transaction_put(in, buffer_slice(&key), slice_of_string("x"));
    }
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
    buffer_release(&key);
}

static void check_plan(cluster *of, task_kind kind, uint32_t rows_max, uint32_t at_least,
                       uint32_t at_most)
{
    const task_row task = {.kind = kind, .table = TABLE, .index = INDEX, .snapshot = 1};
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    task_range(kind, TABLE, INDEX, &start, &end);
    task_plan plan;
    task_plan_init(&plan);
    ck_assert_int_eq(task_plan_make(&plan, of, &task, rows_max, NULL), ENGINE_OK);
    ck_assert(task_plan_tiles(&plan, buffer_slice(&start), buffer_slice(&end)));
    ck_assert_uint_ge(plan.count, at_least);
    ck_assert_uint_le(plan.count, at_most);
    task_plan_release(&plan);
    buffer_release(&start);
    buffer_release(&end);
}

static void long_keys_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster machines;
    test_cluster_start(&machines, world);
    cluster *of = test_cluster_open(&machines);
    check_plan(of, TASK_KIND_MERGE, 10, 1, 1); /* nothing there: one range all the same */
    check_plan(of, TASK_KIND_BACKFILL, 10, 1, 1);
    put_long_keys(of);
    check_plan(of, TASK_KIND_MERGE, 1000, 1, 1);
    check_plan(of, TASK_KIND_MERGE, KEYS_PER_GROUP, 2, GROUPS);
    check_plan(of, TASK_KIND_MERGE, 3, GROUPS - 1, GROUPS + 1); /* no cut within a group */
    check_plan(of, TASK_KIND_BACKFILL, 3, 1, 1);
    test_cluster_close(&machines, of);
}

/* Keys longer than a boundary may be are cut by their beginnings, and the ranges still tile. */
START_TEST(test_plan_over_long_keys)
{
    run_in_world(long_keys_world, NULL, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: the distributed task");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_plan_over_long_keys);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
