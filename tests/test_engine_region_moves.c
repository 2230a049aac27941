/*
 * Regions that split, merge and move in a cluster: machines killed at every moment of a change, a
 * store that is full, ingests done in part, maps with holes, and the balancer.
 */
#include <stdio.h>
#include <string.h>

#include "engine/storage/sorted_file.h"
#include "engine/transaction/region_orders.h"
#include "tests/engine_cluster.h"
#include "tests/suite.h"

/* ------------------------------------------------------------------------- requests to a region */

/* Send to the region of the key until there is an answer that is not about regions. */
static reply_status ask(cluster *of, const char *key, wire_method method,
                        void (*encode)(void *context, region_context at, buffer *into),
                        void *context)
{
    route way;
    buffer request;
    sb_reply reply;
    reply_status said = REPLY_BUSY;
    buffer_init(&request);
    route_init(&way, of, NULL);
    while (said == REPLY_BUSY || said == REPLY_NOT_LEADER || said == REPLY_EPOCH_NOT_MATCH ||
           said == REPLY_REGION_NOT_FOUND || said == REPLY_OUTSIDE_REGION) {
        ck_assert_int_eq(route_find(&way, slice_of_string(key)), ENGINE_OK);
        encode(context, (region_context){way.region->id, way.region->epoch}, &request);
        if (route_send(&way, method, &request, &reply)) {
            said = reply_status_of(&reply);
            if (said != REPLY_OK) {
                route_trouble(&way, said);
            }
            sb_reply_release(&reply);
        }
    }
    route_release(&way);
    buffer_release(&request);
    return said;
}

typedef struct deal {
    const char *key;
    timestamp start, commit;
    sb_address server;
    session_id session;
} deal;

static void encode_prewrite(void *context, region_context at, buffer *into)
{
    const deal *one = context;
    packing list;
    packing_init(&list);
    pack_mutation(&list,
                  &(mutation){MUTATION_PUT, slice_of_string(one->key), slice_of_string(one->key)});
    prewrite_request_encode(&(prewrite_request){.region = at,
                                                .writer = {one->server, one->session, 1},
                                                .start = one->start,
                                                .ttl_ms = 60000,
                                                .primary = slice_of_string(one->key),
                                                .mutations = packing_list(&list)},
                            into);
    packing_release(&list);
}

static void encode_commit(void *context, region_context at, buffer *into)
{
    const deal *one = context;
    packing list;
    packing_init(&list);
    pack_key(&list, slice_of_string(one->key));
    commit_request_encode(&(commit_request){.region = at,
                                            .writer = {one->server, one->session, 1},
                                            .is_primary = true,
                                            .start = one->start,
                                            .commit = one->commit,
                                            .keys = packing_list(&list)},
                          into);
    packing_release(&list);
}

static void encode_rollback(void *context, region_context at, buffer *into)
{
    const deal *one = context;
    packing list;
    packing_init(&list);
    pack_key(&list, slice_of_string(one->key));
    rollback_request_encode(
        &(rollback_request){.region = at, .start = one->start, .keys = packing_list(&list)}, into);
    packing_release(&list);
}

static void encode_delete_range(void *context, region_context at, buffer *into)
{
    (void)context;
    delete_range_request_encode(&(delete_range_request){.region = at,
                                                        .start = slice_of_string("ex"),
                                                        .end = slice_of_string("ez")},
                                into);
}

static reply_status prewrite(cluster *of, deal *one)
{
    return ask(of, one->key, METHOD_PREWRITE, encode_prewrite, one);
}

static reply_status commit(cluster *of, deal *one)
{
    return ask(of, one->key, METHOD_COMMIT, encode_commit, one);
}

/* -------------------------------------------------------------------- killed at every moment */

#define MOMENT (150 * SB_MICROSECOND)
#define FENCED_SERVER 9u

typedef enum change { CHANGE_MOVE, CHANGE_SPLIT, CHANGE_MERGE, CHANGE_COUNT } change;

/* Region 3, ["d", "f"), is on the third store; region 2, before it, is moved there first when they
 * are to be merged. */
typedef struct siege {
    change order;
    uint32_t victim; /* 0 to 2: a store; 3: placement */
    sb_duration moment;
    bool before; /* out: the change was over before the kill */
} siege;

/* Values of two ages, a lock, a rollback, a deleted range, and a fence of that store alone. */
static void prepare(test_cluster *in, cluster *of)
{
    static deal deals[] = {{"e1", 10, 20, 0, 0}, {"e1", 30, 40, 0, 0}, {"e2", 10, 50, 0, 0}};
    static deal locked = {"e4", 60, 0, 0, 0}, rolled = {"e5", 60, 0, 0, 0};
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(prewrite(of, &deals[i]), REPLY_OK);
        ck_assert_int_eq(commit(of, &deals[i]), REPLY_OK);
    }
    ck_assert_int_eq(prewrite(of, &locked), REPLY_OK);
    ck_assert_int_eq(ask(of, "e5", METHOD_ROLLBACK, encode_rollback, &rolled), REPLY_OK);
    ck_assert_int_eq(ask(of, "ex", METHOD_DELETE_RANGE, encode_delete_range, NULL), REPLY_OK);
    buffer request;
    sb_reply reply;
    buffer_init(&request);
    fence_request_encode(&(fence_request){.server = FENCED_SERVER, .session = 5}, &request);
    ck_assert_int_eq(cluster_call(of, in->stores[2], METHOD_FENCE, &request, 3, &reply, NULL),
                     SB_OK);
    sb_reply_release(&reply);
    buffer_release(&request);
}

static void check_content(cluster *of)
{
    buffer value;
    buffer_init(&value);
    ck_assert_int_eq(cluster_read(of, 25, slice_of_string("e1"), &value, NULL), ENGINE_OK);
    ck_assert_int_eq(cluster_read(of, 19, slice_of_string("e1"), &value, NULL), ENGINE_NOT_FOUND);
    ck_assert_int_eq(cluster_read(of, 50, slice_of_string("e2"), &value, NULL), ENGINE_OK);
    deal locked = {"e4", 60, 70, 0, 0}, rolled = {"e5", 60, 0, 0, 0}, gone = {"ey", 80, 0, 0, 0};
    deal fenced = {"e6", 90, 0, FENCED_SERVER, 4}, other = {"e4", 65, 0, 0, 0};
    ck_assert_int_eq(prewrite(of, &other), REPLY_LOCKED);
    ck_assert_int_eq(prewrite(of, &rolled), REPLY_ROLLED_BACK);
    ck_assert_int_eq(prewrite(of, &gone), REPLY_WRITE_CONFLICT);
    ck_assert_int_eq(prewrite(of, &fenced), REPLY_FENCED);
    ck_assert_int_eq(commit(of, &locked), REPLY_OK);
    ck_assert_int_eq(cluster_read(of, 70, slice_of_string("e4"), &value, NULL), ENGINE_OK);
    buffer_release(&value);
}

/* Ask every store by itself, in every epoch there can be: one serves the key, in one epoch. */
static uint32_t count_serving(test_cluster *in, cluster *of, const char *key)
{
    uint32_t serving = 0;
    buffer request;
    buffer_init(&request);
    for (uint32_t i = 0; i < TEST_STORES; i++) {
        for (region_id id = 1; id < 12; id++) {
            for (region_epoch epoch = 1; epoch < 7; epoch++) {
                sb_reply reply;
                const get_request asked = {
                    .region = {id, epoch}, .at = 25, .key = slice_of_string(key)};
                get_request_encode(&asked, &request);
                ck_assert_int_eq(
                    cluster_call(of, in->stores[i], METHOD_GET, &request, 3, &reply, NULL), SB_OK);
                serving += reply_status_of(&reply) == REPLY_OK;
                sb_reply_release(&reply);
            }
        }
    }
    buffer_release(&request);
    return serving;
}

static sb_address leader_of(cluster *of, const char *key)
{
    const region_map *map;
    ck_assert_int_eq(cluster_regions(of, true, &map, NULL), ENGINE_OK);
    const sb_address leader = region_map_find(map, slice_of_string(key))->leader;
    region_map_release(map);
    return leader;
}

static bool is_changed(test_cluster *in, cluster *of, change order)
{
    const region_map *map;
    ck_assert_int_eq(cluster_regions(of, true, &map, NULL), ENGINE_OK);
    const region_description *left = region_map_find(map, slice_of_string("c")),
                             *first = region_map_find(map, slice_of_string("d")),
                             *last = region_map_find(map, slice_of_string("ez"));
    const bool changed = order == CHANGE_MOVE    ? first->leader == in->stores[0]
                         : order == CHANGE_SPLIT ? first->id != last->id
                                                 : left->id == last->id;
    region_map_release(map);
    return changed;
}

typedef struct order_task {
    cluster *of;
    sb_address to;
    change order;
} order_task;

static void order_main(void *argument)
{
    const order_task *task = argument;
    engine_status status = ENGINE_OK;
    switch (task->order) {
    case CHANGE_MOVE:
        status = cluster_move_leader(task->of, slice_of_string("d"), task->to, NULL);
        break;
    case CHANGE_SPLIT:
        status = cluster_split_region(task->of, slice_of_string("e3"), NULL);
        break;
    default:
        status = cluster_merge_regions(task->of, slice_of_string("b"), NULL);
        break;
    }
    ck_assert_int_eq(status, ENGINE_OK);
}

static void siege_world(sb_world *world, void *context)
{
    siege *how = context;
    test_cluster in;
    test_cluster_start(&in, world);
    sb_disk_set(world, &(sb_disk){.sync_min = SB_MILLISECOND, .sync_max = 2 * SB_MILLISECOND});
    cluster *of = test_cluster_open(&in);
    prepare(&in, of);
    if (how->order == CHANGE_MERGE) {
        ck_assert_int_eq(cluster_move_leader(of, slice_of_string("b"), in.stores[2], NULL),
                         ENGINE_OK);
        while (leader_of(of, "b") != in.stores[2]) {
            (void)sb_sleep(5 * SB_MILLISECOND, NULL);
        }
    }
    sb_wait_group orders;
    sb_wait_group_init(&orders, "orders");
    order_task task = {of, in.stores[0], how->order};
    sb_spawn(&orders, order_main, &task, "order");
    (void)sb_sleep(how->moment, NULL);
    how->before = orders.count == 0 && is_changed(&in, of, how->order);
    const sb_node victim = how->victim < TEST_STORES ? in.stores[how->victim] : in.placement;
    sb_node_kill(world, victim);
    (void)sb_sleep(3 * SB_MILLISECOND, NULL);
    sb_node_boot(world, victim);
    sb_wait_group_wait(&orders, NULL);
    sb_wait_group_release(&orders);
    while (!is_changed(&in, of, how->order)) {
        (void)sb_sleep(5 * SB_MILLISECOND, NULL);
    }
    check_content(of);
    ck_assert_uint_eq(count_serving(&in, of, "e1"), 1);
    ck_assert_uint_eq(count_serving(&in, of, "d"), 1);
    ck_assert_uint_eq(count_serving(&in, of, "ez"), 1);
    test_cluster_close(&in, of);
}

/* A machine dies at one moment after the other of a change, until the change is over before:
 * nothing is lost, one store serves each key, and the change is done in the end. */
START_TEST(test_killed_at_every_moment)
{
    siege how = {.order = (change)(_i % CHANGE_COUNT), .victim = (uint32_t)_i / CHANGE_COUNT};
    for (; !how.before; how.moment += MOMENT) {
        run_in_world(siege_world, &how, how.moment + 1);
        ck_assert_uint_lt(how.moment, 200 * SB_MILLISECOND);
    }
    ck_assert_uint_gt(how.moment, 10 * MOMENT);
}
END_TEST

/* --------------------------------------------------------------------------- refused and full */

static void refused_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    test_cluster_start(&in, world);
    cluster *of = test_cluster_open(&in);
    prepare(&in, of);
    sb_failpoints_enable(world, "storage-has-no-space-for-a-region", 1000000);
    ck_assert_int_eq(cluster_move_leader(of, slice_of_string("d"), in.stores[0], NULL), ENGINE_OK);
    (void)sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(leader_of(of, "d"), in.stores[2]);
    ck_assert_uint_eq(count_serving(&in, of, "e1"), 1);
    sb_failpoints_enable(world, "storage-has-no-space-for-a-region", 0);
    ck_assert_int_eq(cluster_move_leader(of, slice_of_string("d"), in.stores[0], NULL), ENGINE_OK);
    (void)sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(leader_of(of, "d"), in.stores[0]);
    check_content(of);
    ck_assert_uint_eq(count_serving(&in, of, "e1"), 1);
    test_cluster_close(&in, of);
}

/* A region that finds no space stays where it is, and may be moved later. */
START_TEST(test_region_is_refused)
{
    run_in_world(refused_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* Upload a file with keys e000 … and ingest it at the store as often as it takes; how the last
 * answer was. */
static reply_status bring_in(test_cluster *in, cluster *of, uint32_t count, uint32_t value_size,
                             uint32_t *rounds)
{
    static const char filler[] = "a value that makes the region need several messages";
    sb_assert_op(value_size, <, sizeof(filler));
    sorted_builder builder;
    buffer request, start;
    sb_reply reply;
    ingest_reply got = {.head.status = REPLY_OK};
    buffer_init(&request);
    buffer_init(&start);
    sorted_builder_init(&builder, 300);
    for (uint32_t i = 0; i < count; i++) {
        char key[16];
        const int size = snprintf(key, sizeof(key), "e%03u", (unsigned)i);
        sorted_builder_add(&builder, slice_of(key, (size_t)size), slice_of(filler, value_size));
    }
    const uint64_t digest = sorted_builder_finish(&builder).digest;
    upload_request_encode(&(upload_request){.name = slice_of_string("file"),
                                            .last = true,
                                            .bytes = buffer_slice(&builder.out)},
                          &request);
    ck_assert_int_eq(cluster_call(of, in->stores[2], METHOD_UPLOAD, &request, 3, &reply, NULL),
                     SB_OK);
    got.head.status = reply_status_of(&reply);
    sb_reply_release(&reply);
    buffer_add(&start, "e", 1);
    for (*rounds = 0; got.head.status == REPLY_OK && start.size > 0; (*rounds)++) {
        ingest_request_encode(&(ingest_request){.region = {3, 1},
                                                .name = slice_of_string("file"),
                                                .digest = digest,
                                                .at = 5,
                                                .start = buffer_slice(&start),
                                                .end = slice_of_string("f"),
                                                .remove = true},
                              &request);
        ck_assert_int_eq(cluster_call(of, in->stores[2], METHOD_INGEST, &request, 3, &reply, NULL),
                         SB_OK);
        ck_assert(ingest_reply_decode(&got, slice_of(reply.data, reply.size)));
        buffer_clear(&start);
        buffer_add(&start, got.next.data, got.next.size);
        sb_reply_release(&reply);
    }
    sorted_builder_release(&builder);
    buffer_release(&start);
    buffer_release(&request);
    return got.head.status;
}

static void partial_world(sb_world *world, void *context)
{
    (void)context;
    boot_plan *plan = sb_alloc(sizeof(*plan));
    test_cluster in;
    uint32_t rounds = 0;
    pair_list found;
    boot_plan_init(plan);
    plan->settings.ingest_pairs_max = 7;
    plan->settings.store_capacity = 6000;
    test_cluster_start_with(&in, world, &plan->settings);
    cluster *of = test_cluster_open(&in);
    ck_assert_int_eq(bring_in(&in, of, 40, 4, &rounds), REPLY_OK);
    ck_assert_uint_eq(rounds, 6);
    ck_assert_int_eq(
        cluster_scan(of, 5, slice_of_string("e"), slice_of_string("f"), 100, &found, NULL),
        ENGINE_OK);
    ck_assert_uint_eq(found.count, 40);
    pair_list_release(&found);

    /* Above its capacity the store takes no files any more, but transactions. */
    ck_assert_int_eq(bring_in(&in, of, 400, 4, &rounds), REPLY_NO_SPACE);
    ck_assert_int_eq(bring_in(&in, of, 1, 4, &rounds), REPLY_NO_SPACE);
    deal one = {"e1", 10, 20, 0, 0};
    ck_assert_int_eq(prewrite(of, &one), REPLY_OK);
    ck_assert_int_eq(commit(of, &one), REPLY_OK);
    test_cluster_close(&in, of);
    sb_free(plan);
}

/* An ingest that is done in part goes on behind it; a full store says so. */
START_TEST(test_partial_ingest_and_capacity)
{
    run_in_world(partial_world, NULL, 1);
}
END_TEST

static void large_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    uint32_t rounds = 0;
    pair_list found;
    test_cluster_start(&in, world);
    cluster *of = test_cluster_open(&in);
    ck_assert_int_eq(bring_in(&in, of, 999, 40, &rounds), REPLY_OK);
    sb_failpoints_enable(world, "region-*", 300000);
    sb_failpoints_enable(world, "storage-answer-lost", 200000);
    for (uint32_t i = 0; i < 6; i++) {
        const sb_node to = in.stores[i % TEST_STORES];
        ck_assert_int_eq(cluster_move_leader(of, slice_of_string("e"), to, NULL), ENGINE_OK);
        while (leader_of(of, "e") != to) {
            (void)sb_sleep(20 * SB_MILLISECOND, NULL);
        }
        ck_assert_int_eq(
            cluster_scan(of, 5, slice_of_string("e"), slice_of_string("f"), 1000, &found, NULL),
            ENGINE_OK);
        ck_assert_uint_eq(found.count, 999);
        pair_list_release(&found);
    }
    test_cluster_close(&in, of);
}

/* A region of many messages goes round the stores, whatever of them is lost. */
START_TEST(test_large_region)
{
    run_in_world(large_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ----------------------------------------------------------------------------------- balancer */

static uint32_t count_led(const region_map *map, sb_address store)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        count += map->regions[i].leader == store;
    }
    return count;
}

static void balance_world(sb_world *world, void *context)
{
    (void)context;
    boot_plan *plan = sb_alloc(sizeof(*plan));
    test_cluster in;
    const region_map *map;
    uint32_t rounds = 0;
    boot_plan_init(plan);
    plan->settings.balance_interval = 500 * SB_MILLISECOND;
    plan->settings.region_report_interval = SB_SECOND;
    plan->settings.region_size_max = 4000;
    plan->settings.region_size_min = 500;
    test_cluster_start_with(&in, world, &plan->settings);
    cluster *of = test_cluster_open(&in);
    ck_assert_int_eq(bring_in(&in, of, 400, 4, &rounds), REPLY_OK);
    (void)sb_sleep(60 * SB_SECOND, NULL);
    ck_assert_int_eq(cluster_regions(of, true, &map, NULL), ENGINE_OK);
    ck_assert_uint_ge(map->count, 400 * (17 + 29 + 8) / 4000);
    for (uint32_t i = 0; i < map->count; i++) {
        ck_assert_uint_le(map->regions[i].size, 4000);
        ck_assert(i == 0 || map->regions[i].size + map->regions[i - 1].size >= 500);
    }
    const uint32_t even = map->count / TEST_STORES;
    for (uint32_t i = 0; i < TEST_STORES; i++) {
        const uint32_t led = count_led(map, in.stores[i]);
        ck_assert(led == even || led == even + 1);
    }
    region_map_release(map);
    test_cluster_close(&in, of);
    sb_free(plan);
}

/* Large regions are split, small ones merged, and no store leads two more than another. */
START_TEST(test_balancer)
{
    run_in_world(balance_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ---------------------------------------------------------------------------------------- holes */

static void holes_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    const region_map *map;
    test_cluster_start(&in, world);
    cluster *of = test_cluster_open(&in);
    sb_failpoints_enable(world, "placement-serves-a-hole", 600000);
    sb_failpoints_enable(world, "placement-serves-a-region-without-leader", 600000);
    for (uint32_t i = 0; i < 40; i++) {
        ck_assert_int_eq(cluster_regions(of, true, &map, NULL), ENGINE_OK);
        ck_assert_uint_eq(map->count, 6);
        ck_assert(map->regions[0].start.size == 0 && map->regions[5].end.size == 0);
        for (uint32_t j = 1; j < map->count; j++) {
            ck_assert(slice_equal(map->regions[j - 1].end, map->regions[j].start));
        }
        region_map_release(map);
        deal one = {"g", 10 + 2 * i, 11 + 2 * i, 0, 0}; /* in the region that has no leader */
        ck_assert_int_eq(prewrite(of, &one), REPLY_OK);
        ck_assert_int_eq(commit(of, &one), REPLY_OK);
    }
    test_cluster_close(&in, of);
}

/* A map with a hole is never taken, and a region without a leader is waited for: TiDB issue
 * 50895. */
START_TEST(test_maps_with_holes)
{
    run_in_world(holes_world, NULL, (uint64_t)_i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("region moves");
    TCase *group = tcase_create("regions of a cluster");
    tcase_set_timeout(group, 240);
    tcase_add_loop_test(group, test_killed_at_every_moment, 0, CHANGE_COUNT * (TEST_STORES + 1));
    tcase_add_loop_test(group, test_region_is_refused, 0, 5);
    tcase_add_test(group, test_partial_ingest_and_capacity);
    tcase_add_loop_test(group, test_large_region, 0, 10);
    tcase_add_loop_test(group, test_maps_with_holes, 0, 5);
    tcase_add_loop_test(group, test_balancer, 0, 3);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
