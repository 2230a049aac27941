/*
 * Trouble with machines: each one that is struck has a task that brings it back.
 */
#include "sim/fault/swarm.h"
#include "sim/machine/machine.h"

/* A machine that is struck, until it is back. */
typedef struct strike {
    sb_swarm *swarm;
    sb_fault kind;
    sb_node node;
    sb_duration duration;
    sb_scope *until; /* ends it earlier */
    bool is_by_trigger;
} strike;

/* False: the world was healed. */
static bool pass(const strike *struck)
{
    (void)sb_sleep(struck->duration, struck->until);
    return !struck->swarm->healed;
}

/* False: it is masked.  A wipe counts itself. */
static bool strikes(sb_world *world, const strike *struck)
{
    sb_event_here(world, SB_EVENT_FAULT, struck->kind, struck->node, struck->duration);
    const bool is_done = struck->kind == SB_FAULT_EMPTY_DISK
                             ? !sb_fault_is_barred(world, struck->kind)
                             : sb_fault_strikes(world, struck->kind);
    world->faults[struck->kind].triggered += is_done && struck->is_by_trigger;
    return is_done;
}

/* Whoever has asked it to stop (stop_and_boot, the scenario) sees to what comes after. */
static bool drains(const strike *struck)
{
    return struck->swarm->world->nodes[struck->node]->stopping;
}

/* After a heal it boots at once when it is down, also when its drain ends only then. */
static void come_back(const strike *struck)
{
    sb_world *const world = struck->swarm->world;
    (void)pass(struck);
    if (!sb_node_is_up(world, struck->node) &&
        !sb_node_stays_dead(world, world->nodes[struck->node])) {
        if (!struck->swarm->healed) {
            sb_swarm_set_clock(struck->swarm, struck->node);
        }
        sb_event_here(world, SB_EVENT_HEAL, struck->kind, struck->node, 0);
        sb_node_boot(world, struck->node);
    }
}

static void kill_and_boot(const strike *struck)
{
    sb_world *const world = struck->swarm->world;
    const bool is_left_down = drains(struck);
    sb_fault_effective(world, SB_FAULT_KILL); /* its tasks and its memory are gone */
    sb_node_kill(world, struck->node);
    if (!is_left_down) {
        come_back(struck);
    }
}

static void wipe_and_boot(const strike *struck)
{
    sb_world *const world = struck->swarm->world;
    const bool is_left_down = drains(struck);
    sb_node_kill(world, struck->node);
    sb_disk_wipe(world, struck->node);
    if (!is_left_down) {
        come_back(struck);
    }
}

#define LOOPS_MAX 4u

/* It is up at the end, whatever has come between. */
static void die_again(sb_world *world, sb_node number, unsigned times, sb_duration up_max,
                      sb_scope *scope)
{
    sb_node_state *const node = sb_node_given(world, number, "sb_node_crash_loop");
    sb_node_kill(world, number);
    for (unsigned i = 0; i < times; i++) {
        sb_node_boot(world, number);
        const uint32_t incarnation = node->incarnation;
        const sb_duration up = sb_draw_log_down(world, SB_STREAM_FAULT, SB_LOOP_UP_MIN, up_max);
        if (sb_sleep(up, scope) != SB_OK || world->calm || node->incarnation != incarnation) {
            return; /* the heal, or somebody else, was faster */
        }
        if (node->power == SB_NODE_UP) {
            sb_fault_effective(world, SB_FAULT_CRASH_LOOP);
            sb_node_kill(world, number);
        }
    }
    sb_node_boot(world, number);
}

void sb_node_crash_loop(sb_world *world, sb_node node, unsigned times, sb_duration up_max)
{
    sb_assert_op(up_max, >=, SB_LOOP_UP_MIN);
    sb_fault_armed(world, SB_FAULT_CRASH_LOOP);
    sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_CRASH_LOOP, node, 0);
    if (sb_fault_strikes(world, SB_FAULT_CRASH_LOOP)) {
        die_again(world, node, times, up_max, NULL);
    }
}

/* Meanwhile nobody else of its role is struck. */
static void loop(const strike *struck)
{
    sb_swarm *const swarm = struck->swarm;
    const uint64_t bit = UINT64_C(1) << struck->node;
    const unsigned times = 1 + (unsigned)sb_choose(swarm->world, SB_STREAM_FAULT, LOOPS_MAX);
    swarm->looping |= bit;
    die_again(swarm->world, struck->node, times, struck->duration, &swarm->scope);
    swarm->looping &= ~bit;
}

static void stop_and_boot(const strike *struck)
{
    sb_world *const world = struck->swarm->world;
    sb_fault_effective(world, SB_FAULT_STOP); /* its shutdown scope ends */
    sb_node_stop(world, struck->node);
    const uint32_t stops = world->nodes[struck->node]->stops_asked;
    sb_node_wait_down(world, struck->node, SB_FOREVER);
    if (world->nodes[struck->node]->stops_asked == stops) {
        come_back(struck);
    } /* else the scenario has asked as well: it stays down until that boots it */
}

static void pause_and_resume(const strike *struck)
{
    sb_world *const world = struck->swarm->world;
    const sb_node_state *const node = world->nodes[struck->node];
    const uint32_t incarnation = node->incarnation;
    sb_node_pause(world, struck->node);
    const bool is_over = pass(struck);
    if (is_over && (node->paused & SB_PAUSED_BY_ORDER) != 0 && node->incarnation == incarnation) {
        if (node->parked_count != 0) { /* something came later than it would have */
            sb_fault_effective(world, SB_FAULT_PAUSE);
        }
        sb_event_here(world, SB_EVENT_HEAL, SB_FAULT_PAUSE, struck->node, 0);
        sb_node_resume(world, struck->node);
    }
}

static bool is_running(const sb_swarm *swarm, const sb_node_state *node)
{
    return node->power == SB_NODE_UP && node->paused == 0 &&
           (swarm->looping >> node->number & 1) == 0;
}

static bool is_well(const sb_swarm *swarm, const sb_node_state *node)
{
    return is_running(swarm, node) && !node->stopping;
}

/* What can come over a machine that drains: it need not be asked to stop, and is not to boot. */
static bool strikes_drains(sb_fault kind)
{
    return kind == SB_FAULT_KILL || kind == SB_FAULT_PAUSE || kind == SB_FAULT_EMPTY_DISK;
}

bool sb_swarm_may_strike(const sb_swarm *swarm, unsigned number, sb_fault kind)
{
    const sb_world *const world = swarm->world;
    const sb_node_state *const node = world->nodes[number];
    const bool is_fit = strikes_drains(kind) ? is_running(swarm, node) : is_well(swarm, node);
    if ((swarm->plan.victims >> number & 1) == 0 || !is_fit) {
        return false;
    }
    uint32_t down = 0; /* of the others */
    for (unsigned i = 1; i < world->node_count; i++) {
        const sb_node_state *const other = world->nodes[i];
        down += other != node && other->incarnation != 0 && !is_well(swarm, other) &&
                strcmp(other->role, node->role) == 0;
    }
    return down < swarm->plan.down_at_once_max;
}

/* False: the heal, or the scenario itself, was faster. */
static bool strike_now(const strike *struck)
{
    sb_world *const world = struck->swarm->world;
    if (struck->swarm->healed || !sb_swarm_may_strike(struck->swarm, struck->node, struck->kind)) {
        return false;
    }
    if (!strikes(world, struck)) {
        return true;
    }
    switch (struck->kind) {
    case SB_FAULT_KILL:
        kill_and_boot(struck);
        break;
    case SB_FAULT_STOP:
        stop_and_boot(struck);
        break;
    case SB_FAULT_CRASH_LOOP:
        loop(struck);
        break;
    case SB_FAULT_EMPTY_DISK:
        wipe_and_boot(struck);
        break;
    default:
        pause_and_resume(struck);
        break;
    }
    return true;
}

bool sb_swarm_strike(sb_swarm *swarm, sb_fault kind, sb_node node, sb_duration duration,
                     sb_scope *until)
{
    const strike struck = {swarm, kind, node, duration, until, true};
    return strike_now(&struck);
}

static void strike_main(void *argument)
{
    const strike struck = *(strike *)argument;
    sb_kernel_free(struck.swarm->world, argument);
    (void)strike_now(&struck);
}

/* One of those that are well; 0: none.  In epochs nothing strikes a machine that drains: what would
 * it is drawn later. */
static sb_node draw_victim(sb_swarm *swarm)
{
    sb_node candidates[SB_NODE_COUNT_MAX];
    uint64_t count = 0;
    for (unsigned i = 1; i < swarm->world->node_count; i++) {
        if (sb_swarm_may_strike(swarm, i, SB_FAULT_NONE)) {
            candidates[count++] = (sb_node)i;
        }
    }
    const uint64_t choice = sb_choose(swarm->world, SB_STREAM_FAULT, count + 1);
    return choice == 0 ? 0 : candidates[choice - 1];
}

/* NONE: nothing of what this world has may strike that one. */
static sb_fault draw_kind(sb_swarm *swarm, sb_node victim)
{
    static const sb_fault gentlest_first[] = {SB_FAULT_STOP, SB_FAULT_PAUSE, SB_FAULT_KILL,
                                              SB_FAULT_CRASH_LOOP, SB_FAULT_EMPTY_DISK};
    sb_fault kinds[sizeof(gentlest_first) / sizeof(gentlest_first[0])];
    uint64_t count = 0;
    for (size_t i = 0; i < sizeof(gentlest_first) / sizeof(gentlest_first[0]); i++) {
        const sb_fault kind = gentlest_first[i];
        const bool is_allowed =
            kind != SB_FAULT_EMPTY_DISK || (swarm->plan.wipeable >> victim & 1) != 0;
        if (sb_swarm_has(swarm, kind) && is_allowed) {
            kinds[count++] = kind;
        }
    }
    return count == 0 ? SB_FAULT_NONE : kinds[sb_choose(swarm->world, SB_STREAM_FAULT, count)];
}

static void process_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->process_level))) {
        const sb_node victim = draw_victim(swarm);
        const sb_fault kind = victim == 0 ? SB_FAULT_NONE : draw_kind(swarm, victim);
        if (kind == SB_FAULT_NONE) {
            continue;
        }
        strike *const struck = sb_kernel_alloc(world, sizeof(*struck));
        *struck = (strike){.swarm = swarm, .node = victim, .kind = kind, .until = &swarm->scope};
        struck->duration = sb_swarm_draw_trouble(swarm);
        sb_spawn(NULL, strike_main, struck, "swarm-strike");
    }
}

/* ------------------------------------------------------------------------------------- clocks */

/* A victim that runs; 0: none. */
static sb_node draw_running(sb_swarm *swarm)
{
    sb_node candidates[SB_NODE_COUNT_MAX];
    uint64_t count = 0;
    for (unsigned i = 1; i < swarm->world->node_count; i++) {
        if ((swarm->plan.victims >> i & 1) != 0 && sb_node_is_up(swarm->world, (sb_node)i)) {
            candidates[count++] = (sb_node)i;
        }
    }
    const uint64_t choice = sb_choose(swarm->world, SB_STREAM_FAULT, count + 1);
    return choice == 0 ? 0 : candidates[choice - 1];
}

static sb_fault draw_clock_kind(sb_swarm *swarm)
{
    static const sb_fault all[] = {SB_FAULT_FREEZE, SB_FAULT_JUMP_FORWARD, SB_FAULT_JUMP_BACK};
    sb_fault kinds[3];
    uint64_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        if (sb_swarm_has(swarm, all[i])) {
            kinds[count++] = all[i];
        }
    }
    return kinds[sb_choose(swarm->world, SB_STREAM_FAULT, count)];
}

static void clock_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->clock_level))) {
        const sb_node victim = draw_running(swarm);
        if (victim == 0) {
            continue;
        }
        const sb_fault kind = draw_clock_kind(swarm);
        if (kind == SB_FAULT_FREEZE && world->nodes[victim]->frozen) {
            continue; /* a trigger's, which ends it */
        }
        if (kind == SB_FAULT_FREEZE) {
            sb_clock_freeze(world, victim);
            if (!sb_swarm_pass(swarm, sb_swarm_draw_trouble(swarm))) {
                return; /* the heal thaws it */
            }
            sb_clock_thaw(world, victim);
        } else {
            const int64_t by = (int64_t)sb_swarm_draw_skew(swarm, SB_STREAM_FAULT);
            sb_clock_jump(world, victim, kind == SB_FAULT_JUMP_BACK ? -by : by);
        }
    }
}

/* -------------------------------------------------------------------------------------- start */

void sb_trouble_start_machines(sb_swarm *swarm)
{
    if (sb_swarm_has_any(swarm, SB_STRIKE_KINDS)) {
        sb_spawn(NULL, process_main, swarm, "swarm-process");
    }
    if (sb_swarm_has_any(swarm, SB_CLOCK_EPOCH_KINDS)) {
        sb_spawn(NULL, clock_main, swarm, "swarm-clock");
    }
}
