/*
 * Strategies: how choices about order are made.
 *
 * A strategy acts in two places: which of the things that are due at one instant goes next, and how
 * much longer a delivery or a wake-up takes within a bound drawn for the world. Timers and leases
 * keep their meaning.
 *
 *   fifo     no choice at all
 *   random   every order at one instant is equally likely
 *   pct      nodes and tasks have priorities; the highest goes first, the lower their place the
 * later they are served; at d - 1 drawn steps the running task falls to the bottom (Burckhardt et
 * al., ASPLOS 2010) pos      everything due gets a fresh random priority and delay (basic POS, Yuan
 * et al., CAV 2018) starve   one node is served late, for log-uniform intervals (as rr's chaos mode
 * does with threads)
 */
#include <string.h>

#include "sim/kernel/kernel.h"

static const char *const names[SB_STRATEGY_COUNT] = {"portfolio", "fifo", "random", "pct-2",
                                                     "pct-3",     "pos",  "starve"};

/* The portfolio: a seed's hash picks a row. */
static const sb_strategy portfolio[] = {SB_STRATEGY_RANDOM, SB_STRATEGY_RANDOM, SB_STRATEGY_RANDOM,
                                        SB_STRATEGY_PCT2,   SB_STRATEGY_PCT3,   SB_STRATEGY_POS,
                                        SB_STRATEGY_POS,    SB_STRATEGY_STARVE, SB_STRATEGY_STARVE,
                                        SB_STRATEGY_FIFO};
#define PORTFOLIO_SIZE (sizeof(portfolio) / sizeof(portfolio[0]))

const char *sb_strategy_name(sb_strategy strategy)
{
    return names[strategy];
}

static uint64_t draw(sb_world *world, uint64_t bound)
{
    return sb_choose_at(world, world->nodes[0], SB_STREAM_STRATEGY, bound);
}

/* 2^low .. 2^high, log-uniform. */
static uint64_t draw_log(sb_world *world, unsigned low, unsigned high)
{
    const uint64_t whole = (uint64_t)1 << (low + (unsigned)draw(world, high - low));
    return whole + draw(world, whole);
}

static void begin_pct(sb_world *world, uint32_t depth)
{
    sb_exploration *const exploration = &world->exploration;
    const uint64_t length = draw_log(world, 10, 18);
    exploration->priority_floor = 1u << 16;
    exploration->change_count = depth - 1;
    for (uint32_t i = 0; i < depth - 1; i++) {
        exploration->changes[i] = 1 + draw(world, length);
    }
    exploration->delay_bound = draw_log(world, 14, 24); /* 16 us .. 16 ms */
}

void sb_strategy_begin(sb_world *world, sb_strategy strategy)
{
    sb_exploration *const exploration = &world->exploration;
    if (strategy == SB_STRATEGY_PORTFOLIO) {
        strategy = portfolio[XXH3_64bits(&world->seed, sizeof(world->seed)) % PORTFOLIO_SIZE];
    }
    memset(exploration, 0, sizeof(*exploration));
    exploration->strategy = strategy;
    exploration->picks = strategy != SB_STRATEGY_FIFO;
    exploration->delays = strategy != SB_STRATEGY_FIFO && strategy != SB_STRATEGY_RANDOM;
    switch (strategy) {
    case SB_STRATEGY_PCT2:
        begin_pct(world, 2);
        break;
    case SB_STRATEGY_PCT3:
        begin_pct(world, 3);
        break;
    case SB_STRATEGY_POS:
        exploration->delay_bound = draw_log(world, 12, 23);
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------------------------ picking */

static uint32_t fresh_priority(sb_world *world)
{
    return (1u << 16) + 1 +
           (uint32_t)sb_choose_at(world, world->nodes[0], SB_STREAM_ORDER, (1u << 16));
}

static uint32_t priority_of(sb_world *world, sb_due *due)
{
    if (due->priority == 0) {
        due->priority = fresh_priority(world);
    }
    return due->priority;
}

static uint32_t pick_highest(sb_world *world)
{
    sb_due **const ready = world->ready + world->ready_first;
    uint32_t best = 0;
    uint32_t best_priority = priority_of(world, ready[0]);
    for (uint32_t i = 1; i < world->ready_count; i++) {
        const uint32_t priority = priority_of(world, ready[i]);
        if (priority > best_priority) {
            best = i;
            best_priority = priority;
        }
    }
    if (world->exploration.strategy == SB_STRATEGY_POS) {
        ready[best]->priority = 0;
    }
    return best;
}

uint32_t sb_strategy_pick(sb_world *world)
{
    switch (world->exploration.strategy) {
    case SB_STRATEGY_PCT2:
    case SB_STRATEGY_PCT3:
    case SB_STRATEGY_POS:
        return pick_highest(world);
    default:
        return (uint32_t)sb_choose_at(world, world->nodes[0], SB_STREAM_ORDER, world->ready_count);
    }
}

bool sb_strategy_preempts(sb_world *world)
{
    sb_task *const task = world->running;
    if (world->exploration.strategy == SB_STRATEGY_PCT2 ||
        world->exploration.strategy == SB_STRATEGY_PCT3) {
        sb_due **const ready = world->ready + world->ready_first;
        const uint32_t own = priority_of(world, &task->due);
        for (uint32_t i = 0; i < world->ready_count; i++) {
            if (priority_of(world, ready[i]) > own) {
                return true;
            }
        }
        return false;
    }
    return sb_choose_at(world, world->nodes[0], SB_STREAM_ORDER, world->ready_count + 1) != 0;
}

void sb_strategy_step(sb_world *world)
{
    sb_exploration *const exploration = &world->exploration;
    for (uint32_t i = 0; i < exploration->change_count; i++) {
        if (exploration->changes[i] == world->step && world->running != NULL) {
            exploration->priority_floor--;
            world->running->due.priority = exploration->priority_floor;
            world->running->node->priority = exploration->priority_floor;
        }
    }
}

/* ------------------------------------------------------------------------------------- delays */

static sb_duration starve(sb_world *world, sb_node_state *node)
{
    sb_exploration *const exploration = &world->exploration;
    if (world->now >= exploration->starve_next && world->node_count > 1) {
        exploration->victim = (uint8_t)(1 + draw(world, world->node_count - 1));
        const sb_duration length = draw_log(world, 20, 31); /* 1 ms .. 2 s */
        world->nodes[exploration->victim]->starved_until = world->now + length;
        exploration->starve_next = world->now + length + draw_log(world, 24, 34);
    }
    return node->starved_until > world->now ? node->starved_until - world->now : 0;
}

sb_duration sb_strategy_delay(sb_world *world, sb_node_state *node)
{
    sb_exploration *const exploration = &world->exploration;
    if (world->calm || node->number == 0) {
        return 0;
    }
    switch (exploration->strategy) {
    case SB_STRATEGY_PCT2:
    case SB_STRATEGY_PCT3:
        if (node->priority == 0) {
            node->priority = fresh_priority(world);
        }
        return node->priority >= 1u << 17
                   ? 0
                   : exploration->delay_bound * ((1u << 17) - node->priority) >> 16;
    case SB_STRATEGY_POS:
        return sb_choose_at(world, node, SB_STREAM_EXTRA_DELAY, exploration->delay_bound);
    case SB_STRATEGY_STARVE:
        return starve(world, node);
    default:
        return 0;
    }
}
