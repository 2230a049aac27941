/*
 * Trouble in epochs with the network: noise, partitions, clogs.
 */
#include "sim/fault/swarm.h"

/* -------------------------------------------------------------------------------------- noise */

static void noise_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->network_level))) {
        sb_network_set(world, &swarm->trouble);
        if (!sb_swarm_pass(swarm, sb_swarm_draw_trouble(swarm))) {
            return;
        }
        sb_network_set(world, &swarm->calm);
    }
}

/* --------------------------------------------------------------------------------- partitions */

/* Nothing gets from one side to the other; nor back, unless it is one-way. */
typedef struct partition {
    sb_fault kind;
    uint64_t one, other; /* bits 1 << node */
} partition;

void sb_for_each_link(sb_world *world, uint64_t from_nodes, uint64_t to_nodes,
                      sb_link_change *change)
{
    for (unsigned from = 0; from < world->node_count; from++) {
        for (unsigned to = 0; to < world->node_count; to++) {
            if ((from_nodes >> from & 1) != 0 && (to_nodes >> to & 1) != 0) {
                change(world, (sb_node)from, (sb_node)to);
            }
        }
    }
}

uint64_t sb_everybody(const sb_world *world)
{
    return ((UINT64_C(1) << (world->node_count - 1)) - 1) << 1;
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

/* A machine and some of the others, never all of them. */
static bool draw_cut(sb_swarm *swarm, partition *cut)
{
    cut->one = draw_node(swarm->world);
    cut->other = draw_side(swarm->world) & ~cut->one;
    return cut->other != 0 && (cut->one | cut->other) != sb_everybody(swarm->world);
}

/* One machine alone, two halves, or, one way, a single link. */
static bool draw_sides(sb_swarm *swarm, partition *cut)
{
    sb_world *const world = swarm->world;
    const uint64_t shape =
        sb_choose(world, SB_STREAM_FAULT, cut->kind == SB_FAULT_PARTITION_ONE_WAY ? 3 : 2);
    cut->one = shape == 1 ? draw_side(world) : draw_node(world);
    cut->other = shape == 2 ? draw_node(world) : sb_everybody(world);
    cut->other &= ~cut->one;
    return cut->one != 0 && cut->other != 0;
}

/* The director is never cut off.  False: none this time. */
static bool draw_partition(sb_swarm *swarm, partition *cut)
{
    static const sb_fault all[] = {SB_FAULT_PARTITION, SB_FAULT_PARTITION_ONE_WAY,
                                   SB_FAULT_PARTITION_PARTIAL};
    sb_fault kinds[3];
    uint64_t count = 0;
    for (size_t i = 0; i < 3; i++) {
        if (sb_swarm_has(swarm, all[i])) {
            kinds[count++] = all[i];
        }
    }
    if (sb_choose(swarm->world, SB_STREAM_FAULT, 4) == 0) {
        return false;
    }
    cut->kind = kinds[sb_choose(swarm->world, SB_STREAM_FAULT, count)];
    return cut->kind == SB_FAULT_PARTITION_PARTIAL ? draw_cut(swarm, cut) : draw_sides(swarm, cut);
}

static void part(sb_world *world, const partition *cut)
{
    if (cut->kind == SB_FAULT_PARTITION_PARTIAL) {
        sb_network_cut(world, (sb_node)__builtin_ctzll(cut->one), cut->other);
    } else {
        const bool one_way = cut->kind == SB_FAULT_PARTITION_ONE_WAY;
        sb_for_each_link(world, cut->one, cut->other, one_way ? sb_network_block : sb_network_part);
    }
}

static void mend(sb_world *world, const partition *cut)
{
    if (cut->kind == SB_FAULT_PARTITION_PARTIAL) {
        sb_network_mend(world, (sb_node)__builtin_ctzll(cut->one), cut->other);
    } else {
        const bool one_way = cut->kind == SB_FAULT_PARTITION_ONE_WAY;
        sb_for_each_link(world, cut->one, cut->other,
                         one_way ? sb_network_unblock : sb_network_join);
    }
}

static void partition_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->network_level))) {
        partition cut;
        if (!draw_partition(swarm, &cut)) {
            continue;
        }
        part(world, &cut);
        if (!sb_swarm_pass(swarm, sb_swarm_draw_trouble(swarm))) {
            return;
        }
        mend(world, &cut);
    }
}

/* -------------------------------------------------------------------------------------- clogs */

/* What one machine sends to another, or to all, or what all send to it. */
static bool draw_clog(sb_world *world, partition *clog)
{
    const uint64_t shape = sb_choose(world, SB_STREAM_FAULT, 4);
    if (shape == 0) {
        return false;
    }
    clog->kind = SB_FAULT_PARTITION_ONE_WAY;
    clog->one = shape == 3 ? sb_everybody(world) : draw_node(world);
    clog->other = shape == 2 ? sb_everybody(world) : draw_node(world);
    clog->one &= shape == 3 ? ~clog->other : clog->one;
    clog->other &= ~clog->one;
    return clog->one != 0 && clog->other != 0;
}

static void release_in_order(sb_world *world, sb_node from, sb_node to)
{
    sb_network_release(world, from, to, true);
}

static void release_as_it_comes(sb_world *world, sb_node from, sb_node to)
{
    sb_network_release(world, from, to, false);
}

static void clog_main(void *argument)
{
    sb_swarm *const swarm = argument;
    sb_world *const world = swarm->world;
    while (sb_swarm_pass(swarm, sb_swarm_draw_calm(swarm, swarm->network_level))) {
        partition clog;
        if (!draw_clog(world, &clog)) {
            continue;
        }
        sb_for_each_link(world, clog.one, clog.other, sb_network_clog);
        if (!sb_swarm_pass(swarm, sb_swarm_draw_trouble(swarm))) {
            return;
        }
        const bool in_order = sb_choose(world, SB_STREAM_FAULT, 2) == 0;
        sb_for_each_link(world, clog.one, clog.other,
                         in_order ? release_in_order : release_as_it_comes);
    }
}

/* -------------------------------------------------------------------------------------- start */

#define NOISE_KINDS                                                                                \
    (SB_KIND(REORDER) | SB_KIND(LOSS) | SB_KIND(REPLY_LOSS) | SB_KIND(DUPLICATE) |                 \
     SB_KIND(CORRUPT) | SB_KIND(RESET) | SB_KIND(BANDWIDTH))
#define PARTITION_KINDS                                                                            \
    (SB_KIND(PARTITION) | SB_KIND(PARTITION_ONE_WAY) | SB_KIND(PARTITION_PARTIAL))

void sb_trouble_start_network(sb_swarm *swarm)
{
    const bool has_links = swarm->world->node_count > 2;
    if (sb_swarm_has_any(swarm, NOISE_KINDS)) {
        sb_spawn(NULL, noise_main, swarm, "swarm-noise");
    }
    if (sb_swarm_has_any(swarm, PARTITION_KINDS) && has_links) {
        sb_spawn(NULL, partition_main, swarm, "swarm-partition");
    }
    if (sb_swarm_has(swarm, SB_FAULT_CLOG) && has_links) {
        sb_spawn(NULL, clog_main, swarm, "swarm-clog");
    }
}
