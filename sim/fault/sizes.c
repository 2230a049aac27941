/*
 * Sizes as trouble: a world in which a quota, a channel or a number of workers is tiny shows what a
 * roomy one hides, because what is full at once, and waits in turn, is where orders go wrong.
 *
 * It is the scenario that builds the cluster, so it asks here for each size; and what it does and
 * sees by itself of a kind it notes here too.
 */
#include "sim/kernel/kernel.h"

#define SIZE_KINDS                                                                                 \
    (UINT64_C(1) << SB_FAULT_TINY_QUOTA | UINT64_C(1) << SB_FAULT_TINY_CHANNEL |                   \
     UINT64_C(1) << SB_FAULT_FEW_WORKERS | UINT64_C(1) << SB_FAULT_MANY_REGIONS)

void sb_fault_note(sb_world *world, sb_fault kind, uint64_t applied, uint64_t effective)
{
    sb_assert(SB_FAULT_NONE < kind && kind < SB_FAULT_COUNT);
    sb_fault_counts *const counts = &world->faults[kind];
    counts->armed = true;
    counts->applied += applied;
    counts->effective += effective;
    if (applied != 0 && world->now >= world->pair_due[kind]) {
        sb_pairs_applied(world, kind);
    }
}

/* As the families of the swarm: off, mild or harsh, and three in four of its kinds. */
void sb_sizes_start(sb_world *world, uint64_t kinds)
{
    const uint64_t level = sb_choose(world, SB_STREAM_SWARM, 3);
    world->sizes_are_harsh = level == 2;
    world->size_kinds = 0;
    for (unsigned kind = 1; kind < SB_FAULT_COUNT; kind++) {
        if ((kinds & SIZE_KINDS) >> kind & 1) {
            world->faults[kind].declared = true;
            if (level != 0 && sb_choose(world, SB_STREAM_SWARM, 4) != 0) {
                world->size_kinds |= UINT64_C(1) << kind;
                sb_fault_armed(world, (sb_fault)kind);
            }
        }
    }
}

bool sb_sizes_has(const sb_world *world, sb_fault kind)
{
    return (world->size_kinds >> kind & 1) != 0;
}

uint64_t sb_size_draw(sb_world *world, sb_fault kind, uint64_t value, unsigned halvings_max)
{
    sb_assert(value > 0 && halvings_max < 64);
    if (!sb_sizes_has(world, kind)) {
        return value;
    }
    const unsigned most = world->sizes_are_harsh ? halvings_max : (halvings_max + 1) / 2;
    const uint64_t smaller = value >> sb_choose(world, SB_STREAM_SWARM, (uint64_t)most + 1);
    if (smaller == value || !sb_fault_strikes(world, kind)) {
        return value;
    }
    return smaller != 0 ? smaller : 1;
}
