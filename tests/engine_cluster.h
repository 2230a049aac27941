/*
 * For tests of the engine: a placement and three stores with six regions, and the director as their
 * client.
 */
#ifndef TESTS_ENGINE_CLUSTER_H
#define TESTS_ENGINE_CLUSTER_H

#include "engine/transaction/route.h"
#include "nodes/boot.h"
#include "nodes/placement.h"
#include "nodes/server.h"
#include "nodes/storage.h"
#include "tests/engine_world.h"

#define TEST_STORES 3u
#define TEST_SERVERS 2u

typedef struct test_cluster {
    sb_world *world;
    sb_node placement, stores[TEST_STORES], servers[TEST_SERVERS];
    sb_exchange *exchange;
} test_cluster;

/* Regions end at "b", "d", "f", "h", "n": the meta rows lie in the last but one, tables in the
 * last. */
static inline void test_cluster_plan(const boot_settings *settings, buffer *into)
{
    static const char *const ends[] = {"b", "d", "f", "h", "n", ""};
    boot_plan *plan = sb_alloc(sizeof(*plan));
    boot_plan_init(plan);
    plan->settings = *settings;
    plan->placements = (boot_machines){1, {1}};
    plan->stores = (boot_machines){TEST_STORES, {2, 3, 4}};
    plan->servers = (boot_machines){TEST_SERVERS, {5, 6}};
    for (uint32_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        boot_plan_add_region(plan, i + 1, (sb_address)(2 + i % TEST_STORES),
                             slice_of_string(ends[i]));
    }
    boot_plan_encode(plan, into);
    sb_free(plan);
}

static inline void test_cluster_start_with(test_cluster *of, sb_world *world,
                                           const boot_settings *settings)
{
    static const char *const names[] = {"storage1", "storage2", "storage3"};
    buffer bytes;
    buffer_init(&bytes);
    test_cluster_plan(settings, &bytes);
    of->world = world;
    of->placement =
        sb_node_add(world, "placement", "placement", placement_program, bytes.data, bytes.size);
    sb_node_boot(world, of->placement);
    for (uint32_t i = 0; i < TEST_STORES; i++) {
        of->stores[i] =
            sb_node_add(world, names[i], "storage", storage_program, bytes.data, bytes.size);
        sb_node_boot(world, of->stores[i]);
    }
    of->exchange = sb_exchange_open(wire_method_names, METHOD_COUNT, NULL, NULL, 1);
    buffer_release(&bytes);
}

static inline void test_cluster_start(test_cluster *of, sb_world *world)
{
    boot_plan *plan = sb_alloc(sizeof(*plan));
    boot_plan_init(plan);
    test_cluster_start_with(of, world, &plan->settings);
    sb_free(plan);
}

/* The servers too, of tables 1 and 2; they hurry. */
static inline void test_cluster_start_servers(test_cluster *of, const boot_settings *settings)
{
    static const char *const names[] = {"server1", "server2"};
    boot_settings hurried = *settings;
    hurried.tables = 2;
    hurried.subtask_rows = 64;
    hurried.executor_poll = 200 * SB_MILLISECOND;
    hurried.batch_pause = 100 * SB_MILLISECOND;
    buffer bytes;
    buffer_init(&bytes);
    test_cluster_plan(&hurried, &bytes);
    for (uint32_t i = 0; i < TEST_SERVERS; i++) {
        of->servers[i] =
            sb_node_add(of->world, names[i], "server", server_program, bytes.data, bytes.size);
        sb_node_boot(of->world, of->servers[i]);
    }
    buffer_release(&bytes);
}

static inline void test_cluster_stop_servers(test_cluster *of)
{
    for (uint32_t i = 0; i < TEST_SERVERS; i++) {
        sb_node_stop(of->world, of->servers[i]);
        ck_assert(sb_node_wait_down(of->world, of->servers[i], 60 * SB_SECOND));
    }
}

static inline cluster *test_cluster_open(test_cluster *of)
{
    const sb_address endpoint = of->placement;
    return cluster_open(of->exchange, &endpoint, 1);
}

/* Every store refuses sessions of the director below this one. */
static inline void test_cluster_fence(test_cluster *of, cluster *by, session_id least)
{
    const fence_request ask = {.server = sb_self(), .session = least};
    buffer request;
    buffer_init(&request);
    fence_request_encode(&ask, &request);
    for (uint32_t i = 0; i < TEST_STORES; i++) {
        sb_reply reply;
        ck_assert_int_eq(cluster_call(by, of->stores[i], METHOD_FENCE, &request, 0, &reply, NULL),
                         SB_OK);
        ck_assert_int_eq(reply_status_of(&reply), REPLY_OK);
        sb_reply_release(&reply);
    }
    buffer_release(&request);
}

/* Close the handle and stop the machines, which must come to an end in good order. */
static inline void test_cluster_close(test_cluster *of, cluster *opened)
{
    cluster_close(opened);
    sb_exchange_close(of->exchange);
    for (uint32_t i = 0; i < TEST_STORES; i++) {
        sb_node_stop(of->world, of->stores[i]);
        ck_assert(sb_node_wait_down(of->world, of->stores[i], 60 * SB_SECOND));
    }
    sb_node_stop(of->world, of->placement);
    ck_assert(sb_node_wait_down(of->world, of->placement, 60 * SB_SECOND));
}

#endif
