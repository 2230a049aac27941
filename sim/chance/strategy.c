/*
 * Strategies: how choices about order are made.
 *
 * A strategy acts in two places: which of the things that are due at one instant goes next, and how
 * much longer a delivery or a wake-up takes within a bound drawn for the world. Timers and leases
 * keep their meaning.
 *
 *   fifo     no choice at all
 *   random   every order at one instant is equally likely
 *   pct      nodes and tasks have priorities: the highest goes first, and in the lower half things
 *            come the later the lower they are; at d - 1 drawn steps the task that runs, and its
 *            node, fall to the bottom (Burckhardt et al., ASPLOS 2010)
 *   pos      everything due gets a fresh random priority, which it keeps until it has its turn,
 *            and half of it a random delay too (basic POS, Yuan et al., CAV 2018)
 *   starve   a victim is served late, for log-uniform intervals (as rr's chaos mode does with
 *            threads): one node, or a few tasks of it
 *
 * As everywhere, 0 is the calm answer: the highest priority, no change point, no delay, no victim.
 */
#include <string.h>

#include "sim/kernel/kernel.h"

static const char *const names[SB_STRATEGY_COUNT] = {"portfolio", "fifo", "random", "pct-2",
                                                     "pct-3",     "pos",  "starve"};

/* The portfolio: a seed's hash picks one, in proportion to its weight. Where the weights come from
 * is told in docs/STRATEGIES.md. */
static const struct {
    sb_strategy strategy;
    uint32_t weight;
} portfolio[] = {
    {SB_STRATEGY_FIFO, 5},  {SB_STRATEGY_RANDOM, 10}, {SB_STRATEGY_PCT2, 30},
    {SB_STRATEGY_PCT3, 10}, {SB_STRATEGY_POS, 5},     {SB_STRATEGY_STARVE, 40},
};
#define PORTFOLIO_WEIGHT 100 /* of all together */

static sb_strategy from_portfolio(uint64_t seed)
{
    uint64_t place = XXH3_64bits(&seed, sizeof(seed)) % PORTFOLIO_WEIGHT;
    size_t row = 0;
    while (place >= portfolio[row].weight) {
        place -= portfolio[row++].weight;
    }
    return portfolio[row].strategy;
}

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

#define PRIORITY_HIGHEST (1u << 17) /* drawn ones lie above the floor, up to and with this one */
#define PRIORITY_FLOOR (1u << 16)
#define PRIORITY_MIDDLE (PRIORITY_FLOOR + (1u << 15))
#define VICTIM_PARTS 4 /* of the tasks of a node, by their names */

/* In one world of three the order alone is explored: a delay, however short, takes a thing out of
 * the instant in which others could meet it. */
static sb_duration draw_delay_bound(sb_world *world)
{
    if (draw(world, 3) == 0) {
        return 0;
    }
    return draw_log(world, 12, 24); /* 4 us .. 16 ms */
}

/* The paper's k, how many steps the run has, is not known before it: it is drawn too. */
static void begin_pct(sb_world *world, uint32_t depth)
{
    sb_exploration *const exploration = &world->exploration;
    const uint64_t length = draw_log(world, 10, 18);
    exploration->priority_floor = PRIORITY_FLOOR;
    exploration->change_count = depth - 1;
    for (uint32_t i = 0; i < depth - 1; i++) {
        exploration->changes[i] = draw(world, length); /* 0: never */
    }
    exploration->delay_bound = draw_delay_bound(world);
}

void sb_strategy_begin(sb_world *world, sb_strategy strategy)
{
    sb_exploration *const exploration = &world->exploration;
    if (strategy == SB_STRATEGY_PORTFOLIO) {
        strategy = from_portfolio(world->seed);
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
        exploration->delay_bound = draw_delay_bound(world);
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------------------------ picking */

static uint32_t fresh_priority(sb_world *world)
{
    return PRIORITY_HIGHEST - (uint32_t)sb_choose_at(world, world->nodes[0], SB_STREAM_ORDER,
                                                     PRIORITY_HIGHEST - PRIORITY_FLOOR);
}

/* Where the priority of a thing is kept: that of a deadline is its task's. */
static uint32_t *priority_place(sb_due *due)
{
    return due->type == SB_DUE_TIMER
               ? &((sb_task *)((unsigned char *)due - offsetof(sb_task, timer)))->due.priority
               : &due->priority;
}

static uint32_t priority_of(sb_world *world, sb_due *due)
{
    uint32_t *const priority = priority_place(due);
    if (*priority == 0) {
        *priority = fresh_priority(world);
    }
    return *priority;
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
        *priority_place(ready[best]) = 0;
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

static bool any_ready_above(sb_world *world, uint32_t own)
{
    sb_due **const ready = world->ready + world->ready_first;
    for (uint32_t i = 0; i < world->ready_count; i++) {
        if (priority_of(world, ready[i]) > own) {
            return true;
        }
    }
    return false;
}

bool sb_strategy_preempts(sb_world *world)
{
    sb_due *const own = &world->running->due;
    switch (world->exploration.strategy) {
    case SB_STRATEGY_POS:
        own->priority = fresh_priority(world); /* of what it is about to do */
        if (any_ready_above(world, own->priority)) {
            return true;
        }
        own->priority = 0;
        return false;
    case SB_STRATEGY_PCT2:
    case SB_STRATEGY_PCT3:
        return any_ready_above(world, priority_of(world, own));
    default:
        return sb_choose_at(world, world->nodes[0], SB_STREAM_ORDER, world->ready_count + 1) != 0;
    }
}

void sb_strategy_step(sb_world *world)
{
    sb_exploration *const exploration = &world->exploration;
    sb_task *const task = world->running;
    for (uint32_t i = 0; i < exploration->change_count; i++) {
        if (exploration->changes[i] != world->step) {
            continue;
        }
        if (task == NULL) {
            exploration->changes[i]++; /* nobody runs at this step: whoever does next falls */
            continue;
        }
        exploration->priority_floor--;
        task->due.priority = exploration->priority_floor;
        task->node->priority = exploration->priority_floor;
    }
}

/* ------------------------------------------------------------------------------------- delays */

/* Another victim is drawn when the last one's time is over and a while has passed. */
static void find_victim(sb_world *world)
{
    sb_exploration *const exploration = &world->exploration;
    exploration->victim = (uint8_t)draw(world, world->node_count); /* 0, the director: nobody */
    const uint64_t part = draw(world, 2 * VICTIM_PARTS);
    exploration->victim_tasks = (uint8_t)(part < VICTIM_PARTS ? 0 : 1 + part - VICTIM_PARTS);
    exploration->starved_until = world->now + draw_log(world, 20, 31); /* 1 ms .. 2 s */
    exploration->starve_next = exploration->starved_until + draw_log(world, 20, 33);
}

static bool is_victim(const sb_exploration *exploration, const sb_node_state *node,
                      const sb_task *task)
{
    if (node->number != exploration->victim || exploration->victim_tasks == 0) {
        return node->number == exploration->victim;
    }
    return task != NULL && exploration->victim_tasks == 1 + task->name_hash % VICTIM_PARTS;
}

/* How long it is still the victim's time.  task: NULL for a delivery. */
static sb_duration by_victim(sb_world *world, const sb_node_state *node, const sb_task *task)
{
    const sb_exploration *const exploration = &world->exploration;
    if (world->now >= exploration->starve_next) {
        find_victim(world);
    }
    return exploration->starved_until > world->now && is_victim(exploration, node, task)
               ? exploration->starved_until - world->now
               : 0;
}

/* The upper half is never late; of the lower half the lowest is by the whole bound. */
static sb_duration by_priority(const sb_world *world, uint32_t priority)
{
    return priority >= PRIORITY_MIDDLE
               ? 0
               : world->exploration.delay_bound * (PRIORITY_MIDDLE - priority) >> 15;
}

/* Every second one is not late at all. */
static sb_duration by_chance(sb_world *world, sb_node_state *node)
{
    const sb_duration bound = world->exploration.delay_bound;
    if (bound == 0) {
        return 0;
    }
    const sb_duration drawn = sb_choose_at(world, node, SB_STREAM_EXTRA_DELAY, 2 * bound);
    return drawn < bound ? drawn : 0;
}

/* For a delivery to a node (task NULL), or to wake a task of it. */
static sb_duration delay_of(sb_world *world, sb_node_state *node, sb_task *task)
{
    if (world->calm || node->number == 0) {
        return 0;
    }
    switch (world->exploration.strategy) {
    case SB_STRATEGY_PCT2:
    case SB_STRATEGY_PCT3:
        if (task != NULL) {
            return by_priority(world, priority_of(world, &task->due));
        }
        if (node->priority == 0) {
            node->priority = fresh_priority(world);
        }
        return by_priority(world, node->priority);
    case SB_STRATEGY_POS:
        return by_chance(world, node);
    case SB_STRATEGY_STARVE:
        return by_victim(world, node, task);
    default:
        return 0;
    }
}

sb_duration sb_strategy_delivery_delay(sb_world *world, sb_node_state *node)
{
    return delay_of(world, node, NULL);
}

sb_duration sb_strategy_wake_delay(sb_world *world, sb_task *task)
{
    return delay_of(world, task->node, task);
}

void sb_strategy_heal(sb_world *world)
{
    world->exploration.picks = false;
    world->exploration.delays = false;
    world->exploration.change_count = 0;
    for (uint32_t i = 0; i < world->task_high; i++) {
        sb_task *const task = &world->tasks[i];
        if (task->live && task->due.key_low != 0) {
            sb_due_at(world, &task->due, world->now);
        }
    }
}
