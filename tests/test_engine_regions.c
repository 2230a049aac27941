/*
 * Regions that split, merge and move: the rules by themselves, then a cluster that is killed at
 * every moment of a change, a store that is full, ingests done in part, and the balancer.
 */
#include <stdio.h>
#include <string.h>

#include "engine/placement/region_table.h"
#include "engine/storage/region_file.h"
#include "engine/storage/sorted_file.h"
#include "engine/transaction/region_orders.h"
#include "nodes/oracles/durable.h"
#include "tests/engine_cluster.h"

/* ---------------------------------------------------------------------------- the set of a store
 */

static region_description describe(region_id id, region_epoch epoch, const char *start,
                                   const char *end)
{
    return (region_description){.id = id,
                                .epoch = epoch,
                                .start = slice_of_string(start),
                                .end = slice_of_string(end),
                                .leader = 7};
}

static void expect_region(const region_set *set, region_id id, region_phase phase,
                          region_epoch epoch, const char *start, const char *end)
{
    const region *one = region_set_find(set, id);
    ck_assert_ptr_nonnull(one);
    ck_assert_int_eq(one->phase, phase);
    ck_assert_uint_eq(one->epoch, epoch);
    ck_assert(slice_equal(one->start, slice_of_string(start)));
    ck_assert(slice_equal(one->end, slice_of_string(end)));
}

static void check_copy(const region_set *set)
{
    buffer bytes;
    region_set copy;
    buffer_init(&bytes);
    region_set_init(&copy);
    region_set_encode(set, &bytes);
    cursor from = cursor_of(buffer_slice(&bytes));
    ck_assert(region_set_decode(&copy, &from, 99) && cursor_finished(&from));
    ck_assert_uint_eq(copy.count, set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        const region *one = &set->items[i], *other = &copy.items[i];
        ck_assert(one->id == other->id && one->epoch == other->epoch &&
                  one->phase == other->phase && one->to == other->to &&
                  slice_equal(one->start, other->start) && slice_equal(one->end, other->end));
    }
    region_set_release(&copy);
    buffer_release(&bytes);
}

static void set_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    region_set set;
    region_set_init(&set);
    const region_description all = describe(1, 1, "", ""), late = describe(3, 2, "m", "z");
    ck_assert(region_set_serve(&set, &all, 1));
    ck_assert(!region_set_serve(&set, &late, 2)); /* somebody else's keys */
    ck_assert(!region_set_split(&set, 1, (slice){0}, 2, 2));
    ck_assert(region_set_split(&set, 1, slice_of_string("g"), 2, 2));
    expect_region(&set, 1, REGION_SERVING, 2, "", "g");
    expect_region(&set, 2, REGION_SERVING, 2, "g", "");
    ck_assert(!region_set_split(&set, 1, slice_of_string("g"), 3, 3)); /* not one of its keys */
    ck_assert(!region_set_merge(&set, 2, 1, 3));                       /* the wrong way round */
    ck_assert(region_set_leave(&set, 2, 5, 3));
    ck_assert(!region_set_merge(&set, 1, 2, 4));
    ck_assert(!region_set_leave(&set, 2, 6, 4));
    check_copy(&set);
    ck_assert(region_set_return(&set, 2, 4)); /* refused there at 3: here it goes on at 4 */
    expect_region(&set, 2, REGION_SERVING, 4, "g", "");
    ck_assert(region_set_leave(&set, 2, 5, 5) && region_set_forget(&set, 2, 6));
    expect_region(&set, 2, REGION_GONE, 5, "", "");
    const region_description same = describe(2, 5, "g", ""), back = describe(2, 6, "g", "");
    ck_assert(!region_set_serve(&set, &same, 7)); /* a late copy of what it went on as */
    ck_assert(!region_set_refuse(&set, 2, 5, 7));
    ck_assert(region_set_serve(&set, &back, 7));
    ck_assert(region_set_merge(&set, 1, 2, 8));
    expect_region(&set, 1, REGION_SERVING, 7, "", "");
    expect_region(&set, 2, REGION_GONE, 7, "", "");
    ck_assert(region_set_refuse(&set, 9, 4, 9));
    const region_description refused = describe(9, 4, "", "");
    ck_assert(!region_set_serve(&set, &refused, 10));
    ck_assert_uint_eq(set.changed, 9);
    check_copy(&set);
    region_set_release(&set);
}

/* Epochs rise with every change, and what is gone or refused never comes back in an old one. */
START_TEST(test_region_set)
{
    run_in_world(set_world, NULL, 1);
}
END_TEST

/* A state with one region and one of everything. */
static void fill_state(store_state *state)
{
    const region_description all = describe(1, 1, "b", "y");
    buffer record;
    packing list;
    buffer_init(&record);
    packing_init(&list);
    store_state_init(state);
    store_state_add_region(state, &all);
    pack_mutation(&list, &(mutation){MUTATION_PUT, slice_of_string("c"), slice_of_string("1")});
    pack_mutation(&list, &(mutation){MUTATION_PUT, slice_of_string("d"), slice_of_string("2")});
    record_prewrite(&record, 10, 500, slice_of_string("c"), packing_list(&list));
    ck_assert(store_state_apply(state, 1, buffer_slice(&record)));
    buffer_clear(&record);
    record_commit(&record, 10, 20);
    record_add_key(&record, slice_of_string("c"));
    ck_assert(store_state_apply(state, 2, buffer_slice(&record)));
    buffer_clear(&record);
    record_delete_range(&record, slice_of_string("a"), slice_of_string("bx"));
    ck_assert(store_state_apply(state, 3, buffer_slice(&record)));
    buffer_clear(&record);
    record_fence(&record, 4, 44);
    ck_assert(store_state_apply(state, 4, buffer_slice(&record)));
    packing_release(&list);
    buffer_release(&record);
}

static void file_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    store_state from, to;
    region_description about;
    buffer file, record;
    buffer_init(&file);
    buffer_init(&record);
    fill_state(&from);
    const uint64_t digest = region_file_encode(&from, region_set_find(&from.regions, 1), &file);
    ck_assert(region_file_check(buffer_slice(&file), digest, &about));
    ck_assert(about.id == 1 && about.epoch == 2);
    for (uint32_t i = 0; i < file.size; i++) {
        file.data[i] ^= 0x04;
        ck_assert_msg(!region_file_check(buffer_slice(&file), digest, &about), "byte %u", i);
        file.data[i] ^= 0x04;
    }
    store_state_init(&to);
    record_install(&record, buffer_slice(&file));
    ck_assert(store_state_apply(&to, 1, buffer_slice(&record)));
    expect_region(&to.regions, 1, REGION_SERVING, 2, "b", "y");
    ck_assert_uint_eq(to.data.size, from.data.size);
    ck_assert_uint_eq(entry_read(mvcc_find(&to.data, slice_of_string("c")), 20)->start, 10);
    ck_assert_ptr_nonnull(entry_own_lock(mvcc_find(&to.data, slice_of_string("d")), 10));
    ck_assert_uint_eq(store_state_fence(&to, 4)->least, 44);
    ck_assert(store_state_is_deleted(&to, slice_of_string("b")));
    ck_assert(!store_state_is_deleted(&to, slice_of_string("aa"))); /* not of this region */
    ck_assert(!store_state_apply(&to, 2, buffer_slice(&record)));   /* it is here already */
    store_state_release(&to);
    store_state_release(&from);
    buffer_release(&record);
    buffer_release(&file);
}

/* A region takes its locks, versions, fences and deleted ranges along; no flipped byte of its file
 * goes unnoticed. */
START_TEST(test_region_file)
{
    run_in_world(file_world, NULL, 1);
}
END_TEST

/* --------------------------------------------------------------------- what an oracle makes of it
 */

/* Two stores: what is done to region 1, ["", ""), or to the halves it is split into, and what the
 * oracle says. */
typedef struct claims {
    bool first_leaves, second_has, second_leaves, half, second_old;
    const char *finding; /* NULL: it holds */
    uint32_t counts;     /* the store whose copy counts */
} claims;

static const claims claim_cases[] = {
    {.finding = NULL, .counts = 0},
    {.first_leaves = true, .finding = NULL, .counts = 0},
    {.first_leaves = true, .second_has = true, .finding = NULL, .counts = 1},
    {.first_leaves = true, .second_has = true, .second_leaves = true, .counts = 1},
    {.second_has = true, .finding = "hold the same keys"},
    {.second_has = true, .second_leaves = true, .finding = "hold the same keys"},
    {.first_leaves = true, .second_has = true, .second_old = true, .finding = "the same keys"},
    {.half = true, .finding = "no store holds the keys behind those of region 1"},
};
#define CLAIM_CASES (sizeof(claim_cases) / sizeof(claim_cases[0]))

static void claims_world(sb_world *world, void *context)
{
    const claims *how = context;
    durable_store stores[2] = {{.node = 0}, {.node = 0}};
    durable_cluster of = {.stores = stores, .store_count = 2};
    const region_description first = describe(1, 1, "", how->half ? "g" : "");
    const region_description second = describe(1, how->second_old ? 1 : 2, "", "");
    store_state_init(&stores[0].state);
    store_state_init(&stores[1].state);
    store_state_add_region(&stores[0].state, &first);
    if (how->first_leaves) {
        ck_assert(region_set_leave(&stores[0].state.regions, 1, 3, 1));
    }
    if (how->second_has) {
        store_state_add_region(&stores[1].state, &second);
        ck_assert(!how->second_leaves || region_set_leave(&stores[1].state.regions, 1, 3, 1));
    }
    durable_place_regions(&of, world);
    ck_assert(of.region_count == 1 && of.regions[0].store == how->counts);
    sb_free(of.regions);
    store_state_release(&stores[0].state);
    store_state_release(&stores[1].state);
}

/* The copy with the higher epoch counts; two stores that would serve a key, or none, are told. */
START_TEST(test_who_holds_a_key)
{
    const claims *how = &claim_cases[_i];
    sb_universe *universe = sb_universe_open(NULL);
    ck_assert_ptr_nonnull(universe);
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_RANDOM};
    sb_world *world = sb_world_reset(universe, &options, claims_world, (void *)(uintptr_t)how);
    const sb_outcome outcome = sb_world_run(world);
    if (how->finding == NULL) {
        ck_assert_int_eq(outcome, SB_OUTCOME_PASSED);
    } else {
        ck_assert_int_eq(outcome, SB_OUTCOME_FINDING);
        ck_assert_int_eq(sb_world_finding(world)->kind, SB_FINDING_WRONG_STATE);
        ck_assert_ptr_nonnull(strstr(sb_world_finding(world)->text, how->finding));
    }
    sb_universe_close(universe);
}
END_TEST

/* ----------------------------------------------------------------------- the table of placement */

static bool learn(region_table *table, region_id id, region_epoch epoch, const char *start,
                  const char *end, sb_address leader)
{
    region_description told = describe(id, epoch, start, end);
    told.leader = leader;
    return region_table_learn(table, &told);
}

static region_id holder(const region_table *table, const char *key)
{
    const region_description *found = region_table_find(table, slice_of_string(key));
    return found == NULL ? 0 : found->id;
}

static void table_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    region_table table, copy;
    buffer bytes;
    buffer_init(&bytes);
    region_table_init(&table);
    region_table_init(&copy);
    ck_assert(learn(&table, 1, 1, "", "m", 2) && learn(&table, 2, 1, "m", "", 3));
    ck_assert(!learn(&table, 1, 1, "", "m", 2));
    ck_assert(learn(&table, 1, 1, "", "m", 0)); /* on its way */
    ck_assert(learn(&table, 1, 2, "", "m", 4));
    ck_assert(!learn(&table, 1, 1, "", "m", 2)); /* late */
    ck_assert_uint_eq(region_table_find(&table, slice_of_string("a"))->leader, 4);

    /* The right half of a split is told of first: a hole until the left one is. */
    ck_assert(learn(&table, 5, 3, "g", "m", 4));
    ck_assert(holder(&table, "a") == 0 && holder(&table, "h") == 5 && holder(&table, "z") == 2);
    ck_assert(!learn(&table, 1, 2, "", "m", 4));
    ck_assert(learn(&table, 1, 3, "", "g", 4));
    ck_assert_uint_eq(holder(&table, "a"), 1);
    ck_assert_uint_eq(region_table_behind(&table, &table.items[0])->id, 5);
    ck_assert_uint_eq(region_table_led_by(&table, 4), 2);

    /* A merge takes the place of both, whatever is told of them later. */
    ck_assert(learn(&table, 5, 4, "g", "", 3));
    ck_assert(!learn(&table, 2, 1, "m", "", 3));
    ck_assert(holder(&table, "z") == 5 && table.count == 2 && table.last == 5);

    region_table_encode(&table, &bytes);
    cursor from = cursor_of(buffer_slice(&bytes));
    region_table_decode(&copy, &from);
    ck_assert(cursor_finished(&from) && copy.count == 2 && copy.last == 5);
    region_table_release(&copy);
    region_table_release(&table);
    buffer_release(&bytes);
}

/* Of two claims to a key the later one counts, in whatever order they are told. */
START_TEST(test_region_table)
{
    run_in_world(table_world, NULL, 1);
}
END_TEST

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
                const get_request asked = {{id, epoch}, 25, slice_of_string(key)};
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

/* ------------------------------------------------------------------------------ refused and full
 */

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

int main(void)
{
    Suite *suite = suite_create("engine regions");
    TCase *group = tcase_create("regions");
    tcase_set_timeout(group, 240);
    tcase_add_test(group, test_region_set);
    tcase_add_test(group, test_region_file);
    tcase_add_loop_test(group, test_who_holds_a_key, 0, (int)CLAIM_CASES);
    tcase_add_test(group, test_region_table);
    tcase_add_loop_test(group, test_killed_at_every_moment, 0, CHANGE_COUNT * (TEST_STORES + 1));
    tcase_add_loop_test(group, test_region_is_refused, 0, 5);
    tcase_add_test(group, test_partial_ingest_and_capacity);
    tcase_add_loop_test(group, test_large_region, 0, 10);
    tcase_add_loop_test(group, test_balancer, 0, 3);
    suite_add_tcase(suite, group);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    const int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
