/*
 * What the suites of the network share: one listener, told apart shots, and what it has heard.
 */
#ifndef TESTS_HEARING_H
#define TESTS_HEARING_H

#include "tests/suite.h"

#define SHOT_MAX 20000

/* What one listener has heard, outside of the world. */
typedef struct hearing {
    sb_network network;
    unsigned shots;
    sb_duration pause;
    unsigned heard, resets, wrong, overtaken, copies[SHOT_MAX];
    sb_duration least, most;
    uint64_t over[8]; /* how many took at least 2^i times the shortest */
    sb_fault_counts faults[SB_FAULT_COUNT];
} hearing;

typedef struct shot {
    uint64_t number, sent;
    unsigned char filling[48];
} shot;

static inline void hear_one(hearing *all, const sb_message *message, uint64_t *latest)
{
    shot one;
    if (message->size != sizeof(one) || (uintptr_t)message->data % 16 != 0 || message->from != 0) {
        all->wrong++;
        return;
    }
    memcpy(&one, message->data, sizeof(one));
    for (unsigned i = 0; i < sizeof(one.filling); i++) {
        all->wrong += one.filling[i] != (unsigned char)(one.number + i);
    }
    const sb_duration took = sb_monotonic_time() - one.sent;
    all->heard++;
    all->copies[one.number]++;
    all->least = took < all->least ? took : all->least;
    all->most = took > all->most ? took : all->most;
    for (unsigned i = 0; i < 8; i++) {
        all->over[i] += took >= all->network.latency_min << i;
    }
    all->overtaken += one.number < *latest;
    *latest = one.number > *latest ? one.number : *latest;
}

static inline int listen_all(const sb_boot *boot)
{
    hearing *const all = *(hearing *const *)boot->argument;
    uint64_t latest = 0;
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        if (message->kind == SB_MESSAGE_DATA) {
            hear_one(all, message, &latest);
        } else {
            all->resets += message->size == 0;
        }
        sb_message_free(message);
    }
    return 0;
}

static inline void shoot_all(hearing *all, sb_node target, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        shot one = {.number = i};
        one.sent = sb_monotonic_time();
        for (unsigned at = 0; at < sizeof(one.filling); at++) {
            one.filling[at] = (unsigned char)(i + at);
        }
        ck_assert_int_eq(sb_send(target, &one, sizeof(one)), SB_OK);
        if (all->pause != 0) {
            sb_sleep(all->pause, NULL);
        }
    }
}

static inline sb_node add_listener(sb_world *world, hearing *all, const char *name)
{
    all->least = UINT64_MAX;
    const sb_node node = sb_node_add(world, name, "listener", listen_all, &all, sizeof(all));
    sb_node_boot(world, node);
    return node;
}

static inline void range(sb_world *world, void *context)
{
    hearing *const all = context;
    sb_network_set(world, &all->network);
    const sb_node target = add_listener(world, all, "target");
    shoot_all(all, target, 0, all->shots);
    sb_sleep(100 * SB_SECOND, NULL);
    memcpy(all->faults, sb_world_fault_counts(world), sizeof(all->faults));
}

static inline hearing *hear(sb_network network, unsigned shots, sb_duration pause)
{
    static hearing all;
    all = (hearing){.network = network, .shots = shots, .pause = pause};
    const ending end = run_once(range, &all);
    must_pass(&end);
    ck_assert_uint_eq(all.wrong, 0);
    return &all;
}

#define FAST .latency_min = SB_MILLISECOND, .latency_max = SB_MILLISECOND

#endif
