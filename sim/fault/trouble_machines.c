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
} strike;

static void note_struck(sb_world *world, const strike *struck)
{
    sb_fault_applied(world, struck->kind);
    sb_event_here(world, SB_EVENT_FAULT, struck->kind, struck->node, struck->duration);
}

/* After a heal it boots at once when it is down, also when its drain ends only then. */
static void come_back(const strike *struck)
{
    sb_world *const world = struck->swarm->world;
    sb_swarm_pass(struck->swarm, struck->duration);
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
    sb_fault_effective(world, SB_FAULT_KILL); /* its tasks and its memory are gone */
    sb_node_kill(world, struck->node);
    come_back(struck);
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
    if (sb_swarm_pass(struck->swarm, struck->duration) && node->paused &&
        node->incarnation == incarnation) {
        if (node->parked_count != 0) { /* something came later than it would have */
            sb_fault_effective(world, SB_FAULT_PAUSE);
        }
        sb_event_here(world, SB_EVENT_HEAL, SB_FAULT_PAUSE, struck->node, 0);
        sb_node_resume(world, struck->node);
    }
}

static bool is_well(const sb_node_state *node)
{
    return node->power == SB_NODE_UP && !node->paused && !node->stopping;
}

static bool may_be_struck(const sb_swarm *swarm, unsigned number)
{
    const sb_world *const world = swarm->world;
    const sb_node_state *const node = world->nodes[number];
    if ((swarm->plan.victims >> number & 1) == 0 || !is_well(node)) {
        return false;
    }
    uint32_t down = 0;
    for (unsigned i = 1; i < world->node_count; i++) {
        const sb_node_state *const other = world->nodes[i];
        down += other->incarnation != 0 && !is_well(other) && strcmp(other->role, node->role) == 0;
    }
    return down < swarm->plan.down_at_once_max;
}

static void strike_main(void *argument)
{
    const strike struck = *(strike *)argument;
    sb_world *const world = struck.swarm->world;
    sb_kernel_free(world, argument);
    if (struck.swarm->healed || !may_be_struck(struck.swarm, struck.node)) {
        return; /* the heal, or the scenario itself, was faster */
    }
    note_struck(world, &struck);
    switch (struck.kind) {
    case SB_FAULT_KILL:
        kill_and_boot(&struck);
        break;
    case SB_FAULT_STOP:
        stop_and_boot(&struck);
        break;
    default:
        pause_and_resume(&struck);
        break;
    }
}

/* One of those that may be struck; 0: none. */
static sb_node draw_victim(sb_swarm *swarm)
{
    sb_node candidates[SB_NODE_COUNT_MAX];
    uint64_t count = 0;
    for (unsigned i = 1; i < swarm->world->node_count; i++) {
        if (may_be_struck(swarm, i)) {
            candidates[count++] = (sb_node)i;
        }
    }
    const uint64_t choice = sb_choose(swarm->world, SB_STREAM_FAULT, count + 1);
    return choice == 0 ? 0 : candidates[choice - 1];
}

static sb_fault draw_kind(sb_swarm *swarm)
{
    static const sb_fault gentlest_first[] = {SB_FAULT_STOP, SB_FAULT_PAUSE, SB_FAULT_KILL};
    sb_fault kinds[3];
    uint64_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        if (sb_swarm_has(swarm, gentlest_first[i])) {
            kinds[count++] = gentlest_first[i];
        }
    }
    return kinds[sb_choose(swarm->world, SB_STREAM_FAULT, count)];
}

static void process_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->process_level))) {
        const sb_node victim = draw_victim(swarm);
        if (victim == 0) {
            continue;
        }
        strike *const struck = sb_kernel_alloc(world, sizeof(*struck));
        *struck = (strike){.swarm = swarm, .node = victim, .kind = draw_kind(swarm)};
        struck->duration = sb_swarm_draw_trouble(swarm);
        sb_spawn(NULL, strike_main, struck, "swarm-strike");
    }
}

/* -------------------------------------------------------------------------------------- start */

void sb_trouble_start_machines(sb_swarm *swarm)
{
    if (sb_swarm_has_any(swarm, SB_KIND(KILL) | SB_KIND(STOP) | SB_KIND(PAUSE))) {
        sb_spawn(NULL, process_main, swarm, "swarm-process");
    }
}
