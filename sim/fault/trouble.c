/*
 * Trouble in epochs: the swarm's tasks on the director.
 *
 *   ---- calm ----| trouble |------- calm -------| trouble |---- calm ...   until the heal
 *
 * One task for each family, so that their epochs overlap as chance has it; a machine that is struck
 * has a task of its own that brings it back.
 */
#include "sim/fault/swarm.h"
#include "sim/machine/disk.h"

sb_duration sb_swarm_draw_calm(sb_swarm *swarm, sb_swarm_level level)
{
    const sb_swarm_plan *const plan = &swarm->plan;
    const sb_duration span = plan->calm_max - plan->calm_min;
    const sb_duration most = plan->calm_min + (level == SB_SWARM_HARSH ? span / 4 : span);
    return sb_draw_log_down(swarm->world, SB_STREAM_FAULT, plan->calm_min, most);
}

sb_duration sb_swarm_draw_trouble(sb_swarm *swarm)
{
    return sb_draw_log(swarm->world, SB_STREAM_FAULT, swarm->plan.down_min, swarm->plan.down_max);
}

bool sb_swarm_pass(sb_swarm *swarm, sb_duration duration)
{
    return sb_sleep(duration, &swarm->scope) == SB_OK && !swarm->healed;
}

/* --------------------------------------------------------------------------------------- code */

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
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->code_level))) {
        set_code_rates(swarm, true);
        if (!sb_swarm_pass(swarm, sb_swarm_draw_trouble(swarm))) {
            return;
        }
        set_code_rates(swarm, false);
    }
}

/* -------------------------------------------------------------------------------------- disks */

#define ROOM_MAX UINT64_C(65536) /* that a full disk may still have */
#define STALL_MAX (5 * SB_SECOND)

sb_duration sb_swarm_stall_max(const sb_swarm *swarm)
{
    return swarm->plan.stall_max != 0 ? swarm->plan.stall_max : STALL_MAX;
}

/* What this disk does wrong in this epoch: each kind that the world has, or not. */
static sb_disk_trouble draw_disk_trouble(sb_swarm *swarm, unsigned node)
{
    sb_world *const world = swarm->world;
    const sb_swarm_plan *const plan = &swarm->plan;
    sb_disk_trouble trouble = swarm->disk;
    trouble.io_max = SB_SECOND;
    trouble.stall_max = sb_swarm_stall_max(swarm);
    trouble.rebuildable = plan->rebuildable != NULL ? plan->rebuildable[node] : NULL;
    if (trouble.full) {
        trouble.full = sb_choose(world, SB_STREAM_FAULT, 4) == 3;
        trouble.room = trouble.full ? sb_draw_log_down(world, SB_STREAM_FAULT, 1, ROOM_MAX) : 0;
    }
    return trouble;
}

bool sb_swarm_has_troubled_disk(const sb_swarm *swarm)
{
    const sb_world *const world = swarm->world;
    for (unsigned i = 1; i < world->node_count; i++) {
        const sb_disk_state *const disk = world->nodes[i]->disk;
        if ((swarm->plan.disks >> i & 1) != 0 && disk != NULL && disk->troubled) {
            return true;
        }
    }
    return false;
}

static void disk_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->disk_level))) {
        const uint64_t choice = sb_choose(world, SB_STREAM_FAULT,
                                          (uint64_t)__builtin_popcountll(swarm->plan.disks) + 1);
        if (choice == 0) {
            continue;
        }
        const unsigned node = sb_bit_at(swarm->plan.disks, choice - 1);
        const sb_disk_trouble trouble = draw_disk_trouble(swarm, node);
        if (sb_swarm_has_troubled_disk(swarm)) {
            continue; /* a trigger was faster */
        }
        sb_disk_trouble_set(world, (sb_node)node, &trouble);
        if (!sb_swarm_pass(swarm, sb_swarm_draw_trouble(swarm))) {
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
            disk->sync_stall != 0 || disk->io_latency != 0 || disk->bit_rot != 0 ||
            disk->misdirect != 0 || disk->full);
}

/* -------------------------------------------------------------------------------------- start */

void sb_trouble_start(sb_swarm *swarm)
{
    sb_trouble_start_network(swarm);
    if (strikes_disks(swarm)) {
        sb_spawn(NULL, disk_main, swarm, "swarm-disk");
    }
    sb_trouble_start_machines(swarm);
    if (sb_swarm_has(swarm, SB_FAULT_FAILPOINT)) {
        sb_spawn(NULL, code_main, swarm, "swarm-code");
    }
}
