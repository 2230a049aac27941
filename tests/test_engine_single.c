/*
 * The single-node path: its row, what it finds done already, and the bug of issue 53641.
 */
#include "engine/ddl/single.h"
#include "engine/museum.h"
#include "engine/schema/bootstrap.h"
#include "tests/engine_backfill.h"

#define SESSION 7u

/* ------------------------------------------------------------------------------------ the row */

static void row_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    reorg_row from = {
        .job = 7, .phase = 1, .element = INDEX, .snapshot = 99, .watermark = 12, .tenure = 3};
    range_key_set(&from.start, slice_of_string("b"));
    range_key_set(&from.end, slice_of_string("d"));
    reorg_row back;
    buffer bytes;
    buffer_init(&bytes);
    reorg_row_encode(&from, &bytes);
    ck_assert(reorg_row_decode(7, buffer_slice(&bytes), &back));
    ck_assert(back.watermark == 12 && back.element == INDEX && back.snapshot == 99);
    ck_assert(!reorg_row_is_done(&back));
    ck_assert(!reorg_row_decode(8, buffer_slice(&bytes), &back));
    for (uint32_t i = 0; i < bytes.size * 8; i++) {
        bytes.data[i / 8] ^= (unsigned char)(1u << i % 8);
        ck_assert(!reorg_row_decode(7, buffer_slice(&bytes), &back));
        bytes.data[i / 8] ^= (unsigned char)(1u << i % 8);
    }
    from.start = from.end;
    ck_assert(reorg_row_is_done(&from));
    buffer_release(&bytes);
}

START_TEST(test_row)
{
    run_in_world(row_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ the path */

typedef struct single_test {
    test_cluster machines;
    backfill_test data;
    schema_cache *schema;
    sb_scope poll;
    sb_wait_group polling;
    backend_registry backends;
    sb_mutex order;
    tenure tenure;
    scheduler_order signal;
    sb_scope scope;
    task_row ended;
} single_test;

static void poll_main(void *argument)
{
    single_test *of = argument;
    schema_cache_run(of->schema, &of->poll);
}

static void single_begin(single_test *of, sb_world *world)
{
    memset(of, 0, sizeof(*of));
    backfill_begin(&of->data, &of->machines, world);
    cluster *with = of->data.of;
    ck_assert(table_add_index(&of->data.work.table, &of->data.work.index));
    ck_assert_int_eq(schema_bootstrap(with, &of->data.work.table, 1, NULL), ENGINE_OK);
    cluster_set_session(with, SESSION);
    const schema_settings settings = {0};
    of->schema = schema_cache_open(with, &settings);
    sb_scope_init(&of->poll, NULL, "poller");
    sb_wait_group_init(&of->polling, "poller");
    sb_spawn(&of->polling, poll_main, of, "poller");
    ck_assert_int_eq(schema_cache_wait_loaded(of->schema, NULL), ENGINE_OK);
    backend_registry_init(&of->backends, of->data.with);
    sb_mutex_init(&of->order, "order");
    of->tenure = (tenure){with, 1, &of->order};
    ck_assert_int_eq(tenure_inaugurate(&of->tenure, NULL), ENGINE_OK);
    sb_scope_init(&of->scope, NULL, "test");
}

static void single_end(single_test *of)
{
    backend_context_unregister(&of->backends, of->data.work.job, false);
    backend_registry_release(&of->backends);
    sb_scope_cancel(&of->poll);
    (void)sb_wait_group_wait(&of->polling, NULL);
    sb_wait_group_release(&of->polling);
    sb_scope_release(&of->poll);
    schema_cache_close(of->schema);
    sb_mutex_release(&of->order);
    sb_scope_release(&of->scope);
    backfill_end(&of->data, &of->machines);
}

/* One try of the phase. */
static engine_status try_once(single_test *of)
{
    const task_row wanted = {.job = of->data.work.job,
                             .table = TABLE,
                             .index = INDEX,
                             .snapshot = of->data.work.snapshot};
    single_run run;
    single_run_init(&run, &of->tenure, &wanted, of->schema, &of->backends, &of->scope);
    run.order = of->signal;
    const engine_status status = single_run_main(&run, &of->ended);
    single_run_release(&run);
    return status;
}

static reorg_row read_row(single_test *of)
{
    transaction *in;
    reorg_row found;
    ck_assert_int_eq(transaction_begin(of->data.of, 0, &in, NULL), ENGINE_OK);
    ck_assert_int_eq(reorg_row_read_in(in, of->data.work.job, &found, NULL), ENGINE_OK);
    transaction_rollback(in);
    transaction_release(in);
    return found;
}

static void retry_world(sb_world *world, void *context)
{
    (void)context;
    single_test of;
    single_begin(&of, world);
    static const char *const names[] = {"single-path-fails-before-import",
                                        "single-path-fails-after-import",
                                        "backfill-fails-after-import", "reorg-row-is-not-saved"};
    const char *name = names[sb_world_seed(world) % 4];
    sb_failpoints_enable(world, name, 1000000);
    ck_assert_int_eq(try_once(&of), ENGINE_CONFLICT);
    sb_failpoints_enable(world, name, 0);
    const reorg_row half = read_row(&of);
    ck_assert(!reorg_row_is_done(&half));
    ck_assert_int_eq(try_once(&of), ENGINE_OK);
    ck_assert_int_eq(of.ended.state, TASK_SUCCEED);
    check_index(of.data.of, &of.data.work.table, &of.data.work.index);
    const reorg_row done = read_row(&of);
    ck_assert(reorg_row_is_done(&done));
    ck_assert_uint_eq(done.watermark, ROWS);
    single_end(&of);
}

/* A try that failed, before the import or behind it, is gone on with by the next. */
START_TEST(test_retry)
{
    run_in_world(retry_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* With the bug of issue 53641, one that failed behind its import ends in a nil dereference. */
START_TEST(test_retry_behind_import)
{
    sb_universe *universe = sb_universe_open(NULL);
    const sb_world_options options = {.seed = (uint64_t)_i * 4 + 1,
                                      .strategy = SB_STRATEGY_RANDOM,
                                      .bugs = (uint64_t)1 << BUG_tidb_53641};
    sb_world *world = sb_world_reset(universe, &options, retry_world, NULL);
    ck_assert_int_eq(sb_world_run(world), SB_OUTCOME_FINDING);
    ck_assert_int_eq(sb_world_finding(world)->kind, SB_FINDING_NIL_DEREFERENCE);
    sb_universe_close(universe);
}
END_TEST

static void owners_world(sb_world *world, void *context)
{
    (void)context;
    single_test of;
    single_begin(&of, world);
    of.signal = SCHEDULER_PAUSE;
    ck_assert_int_eq(try_once(&of), ENGINE_OK);
    ck_assert_int_eq(of.ended.state, TASK_PAUSED);
    of.signal = SCHEDULER_CANCEL;
    ck_assert_int_eq(try_once(&of), ENGINE_OK);
    ck_assert_int_eq(of.ended.state, TASK_REVERTED);
    of.signal = SCHEDULER_GO;
    sb_failpoints_enable(world, "single-path-fails-before-import", 1000000);
    ck_assert_int_eq(try_once(&of), ENGINE_CONFLICT);
    sb_failpoints_enable(world, "single-path-fails-before-import", 0);

    /* Another owner has taken over: what this one brings in is not its own to save. */
    sb_mutex other_order;
    sb_mutex_init(&other_order, "order of another");
    const tenure other = {of.data.of, 2, &other_order};
    ck_assert_int_eq(tenure_inaugurate(&other, NULL), ENGINE_OK);
    ck_assert_int_eq(try_once(&of), ENGINE_NOT_OWNER);
    reorg_row found = read_row(&of);
    const task_row wanted = {.job = of.data.work.job, .index = INDEX, .snapshot = found.snapshot};
    ck_assert_int_eq(reorg_row_load(&other, &wanted, &found, NULL), ENGINE_OK);
    ck_assert_uint_eq(found.tenure, 1); /* all of it is taken, whoever wrote it */

    /* Upwards only. */
    const range_key start = found.start;
    ck_assert_int_eq(reorg_row_save(&other, &found, range_key_slice(&found.end), ROWS, NULL),
                     ENGINE_OK);
    ck_assert_int_eq(reorg_row_save(&other, &found, range_key_slice(&start), 0, NULL), ENGINE_OK);
    found = read_row(&of);
    ck_assert(reorg_row_is_done(&found));
    ck_assert_uint_eq(found.watermark, ROWS);
    ck_assert_uint_eq(found.tenure, 2);
    sb_mutex_release(&other_order);
    single_end(&of);
}

/* Orders end a run; a later tenure refuses it; progress never goes back. */
START_TEST(test_orders_and_owners)
{
    run_in_world(owners_world, NULL, (uint64_t)_i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: the single-node path");
    TCase *all = tcase_create("all");
    tcase_set_timeout(all, 60);
    tcase_add_test(all, test_row);
    tcase_add_loop_test(all, test_retry, 0, 8);
    tcase_add_loop_test(all, test_retry_behind_import, 0, 2);
    tcase_add_loop_test(all, test_orders_and_owners, 0, 3);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
