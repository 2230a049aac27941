/*
 * Trouble in epochs: the swarm's tasks on the director.
 *
 *   ---- calm ----| trouble |------- calm -------| trouble |---- calm ...   until the heal
 *
 * One task for each family, so that their epochs overlap as chance has it; a machine that is struck
 * has a task of its own that brings it back.
 */
#include "sim/fault/swarm.h"
#include "sim/machine/machine.h"

/* Harsh worlds have a quarter of the calm. */
static sb_duration draw_calm(sb_swarm *swarm, sb_swarm_level level)
{
    const sb_swarm_plan *const plan = &swarm->plan;
    const sb_duration span = plan->calm_max - plan->calm_min;
    const sb_duration most = plan->calm_min + (level == SB_SWARM_HARSH ? span / 4 : span);
    return sb_draw_log_down(swarm->world, SB_STREAM_FAULT, plan->calm_min, most);
}

static sb_duration draw_trouble(sb_swarm *swarm)
{
    return sb_draw_log(swarm->world, SB_STREAM_FAULT, swarm->plan.down_min, swarm->plan.down_max);
}

/* False: the world was healed. */
static bool pass(sb_swarm *swarm, sb_duration duration)
{
    return sb_sleep(duration, &swarm->scope) == SB_OK && !swarm->healed;
}

/* --------------------------------------------------------------------------- noise and errors */

static void noise_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (pass(swarm, draw_calm(swarm, swarm->network_level))) {
        sb_network_set(world, &swarm->trouble);
        if (!pass(swarm, draw_trouble(swarm))) {
            return;
        }
        sb_network_set(world, &swarm->calm);
    }
}

/* The swarm's failpoints get their rates, or lose them; those the scenario has set are not among
 * them. */
static void set_code_rates(sb_swarm *swarm, bool on)
{
    sb_world *const world = swarm->world;
    for (size_t i = 0; i < SB_FAILPOINT_MAX; i++) {
        if (swarm->code_rates[i] != 0) {
            world->failpoint_rates[i] = on ? swarm->code_rates[i] : 0;
        }
    }
    world->failpoints_on = true;
}

static void code_main(void *argument)
{
    sb_swarm *const swarm = argument;
    while (pass(swarm, draw_calm(swarm, swarm->code_level))) {
        set_code_rates(swarm, true);
        if (!pass(swarm, draw_trouble(swarm))) {
            return;
        }
        set_code_rates(swarm, false);
    }
}

/* --------------------------------------------------------------------------------- partitions */

/* Nothing gets from one side to the other; two_way: nor back. */
typedef struct partition {
    uint64_t one, other; /* bits 1 << node */
    bool two_way;
} partition;

typedef void link_change(sb_world *world, sb_node from, sb_node to);

static void for_each_link(sb_world *world, const partition *cut, link_change *change)
{
    for (unsigned from = 1; from < world->node_count; from++) {
        for (unsigned to = 1; to < world->node_count; to++) {
            if ((cut->one >> from & 1) != 0 && (cut->other >> to & 1) != 0) {
                change(world, (sb_node)from, (sb_node)to);
                if (cut->two_way) {
                    change(world, (sb_node)to, (sb_node)from);
                }
            }
        }
    }
}

static uint64_t draw_node(sb_world *world)
{
    return UINT64_C(1) << (1 + sb_choose(world, SB_STREAM_FAULT, world->node_count - 1));
}

static uint64_t draw_side(sb_world *world)
{
    uint64_t side = 0;
    for (unsigned i = 1; i < world->node_count; i++) {
        side |= sb_choose(world, SB_STREAM_FAULT, 2) << i;
    }
    return side;
}

/* One link, one machine alone, or two halves; the director is never cut off.  False: none this
 * time. */
static bool draw_partition(sb_swarm *swarm, partition *cut)
{
    sb_world *const world = swarm->world;
    const uint64_t all = ((UINT64_C(1) << (world->node_count - 1)) - 1) << 1;
    const uint64_t shape = sb_choose(world, SB_STREAM_FAULT, 4);
    const bool both =
        sb_swarm_has(swarm, SB_FAULT_PARTITION) && sb_swarm_has(swarm, SB_FAULT_PARTITION_ONE_WAY);
    if (shape == 0) {
        return false;
    }
    cut->one = shape == 3 ? draw_side(world) : draw_node(world);
    cut->other = shape == 1 ? draw_node(world) : all;
    cut->other &= ~cut->one;
    cut->two_way =
        both ? sb_choose(world, SB_STREAM_FAULT, 2) == 0 : sb_swarm_has(swarm, SB_FAULT_PARTITION);
    return cut->one != 0 && cut->other != 0;
}

static void partition_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (pass(swarm, draw_calm(swarm, swarm->network_level))) {
        partition cut;
        if (!draw_partition(swarm, &cut)) {
            continue;
        }
        for_each_link(world, &cut, sb_network_block);
        if (!pass(swarm, draw_trouble(swarm))) {
            return;
        }
        for_each_link(world, &cut, sb_network_unblock);
    }
}

/* -------------------------------------------------------------------------------------- disks */

#define ROOM_MAX UINT64_C(65536) /* that a full disk may still have */
#define STALL_MAX (5 * SB_SECOND)

/* What this disk does wrong in this epoch: each kind that the world has, or not. */
static sb_disk_trouble draw_disk_trouble(sb_swarm *swarm, unsigned node)
{
    sb_world *const world = swarm->world;
    const sb_swarm_plan *const plan = &swarm->plan;
    sb_disk_trouble trouble = swarm->disk;
    trouble.stall_max = plan->stall_max != 0 ? plan->stall_max : STALL_MAX;
    trouble.rebuildable = plan->rebuildable != NULL ? plan->rebuildable[node] : NULL;
    if (trouble.full) {
        trouble.full = sb_choose(world, SB_STREAM_FAULT, 4) == 3;
        trouble.room = trouble.full ? sb_draw_log_down(world, SB_STREAM_FAULT, 1, ROOM_MAX) : 0;
    }
    return trouble;
}

static void disk_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (pass(swarm, draw_calm(swarm, swarm->disk_level))) {
        const uint64_t choice = sb_choose(world, SB_STREAM_FAULT,
                                          (uint64_t)__builtin_popcountll(swarm->plan.disks) + 1);
        if (choice == 0) {
            continue;
        }
        uint64_t left = swarm->plan.disks;
        for (uint64_t i = 1; i < choice; i++) {
            left &= left - 1;
        }
        const unsigned node = (unsigned)__builtin_ctzll(left);
        const sb_disk_trouble trouble = draw_disk_trouble(swarm, node);
        sb_disk_trouble_set(world, (sb_node)node, &trouble);
        if (!pass(swarm, draw_trouble(swarm))) {
            return;
        }
        sb_disk_trouble_set(world, (sb_node)node, NULL);
    }
}

static bool strikes_disks(const sb_swarm *swarm)
{
    const sb_disk_trouble *const disk = &swarm->disk;
    return swarm->plan.disks != 0 &&
           (disk->read_error != 0 || disk->write_error != 0 || disk->sync_error != 0 ||
            disk->sync_stall != 0 || disk->bit_rot != 0 || disk->misdirect != 0 || disk->full);
}

/* ----------------------------------------------------------------------------------- machines */

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
    pass(struck->swarm, struck->duration);
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
    if (pass(struck->swarm, struck->duration) && node->paused && node->incarnation == incarnation) {
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
    while (pass(swarm, draw_calm(swarm, swarm->process_level))) {
        const sb_node victim = draw_victim(swarm);
        if (victim == 0) {
            continue;
        }
        strike *const struck = sb_kernel_alloc(world, sizeof(*struck));
        *struck = (strike){.swarm = swarm, .node = victim, .kind = draw_kind(swarm)};
        struck->duration = draw_trouble(swarm);
        sb_spawn(NULL, strike_main, struck, "swarm-strike");
    }
}

/* -------------------------------------------------------------------------------------- start */

void sb_trouble_start(sb_swarm *swarm)
{
    const sb_network *const calm = &swarm->calm, *const trouble = &swarm->trouble;
    if (trouble->loss != calm->loss || trouble->reply_loss != calm->reply_loss ||
        trouble->duplicate != calm->duplicate || trouble->reset != calm->reset) {
        sb_spawn(NULL, noise_main, swarm, "swarm-noise");
    }
    if ((sb_swarm_has(swarm, SB_FAULT_PARTITION) ||
         sb_swarm_has(swarm, SB_FAULT_PARTITION_ONE_WAY)) &&
        swarm->world->node_count > 2) {
        sb_spawn(NULL, partition_main, swarm, "swarm-partition");
    }
    if (strikes_disks(swarm)) {
        sb_spawn(NULL, disk_main, swarm, "swarm-disk");
    }
    if (sb_swarm_has(swarm, SB_FAULT_KILL) || sb_swarm_has(swarm, SB_FAULT_STOP) ||
        sb_swarm_has(swarm, SB_FAULT_PAUSE)) {
        sb_spawn(NULL, process_main, swarm, "swarm-process");
    }
    if (sb_swarm_has(swarm, SB_FAULT_FAILPOINT)) {
        sb_spawn(NULL, code_main, swarm, "swarm-code");
    }
}
