/*
 * Which faults a world must not do: those it masks, and, once it is healed, any.
 *
 * Both are one set of bits, so that a fault asks a single question where it is done (kernel.h,
 * sb_fault_strikes).  What is masked is passed over in silence.  A fault after the heal is a fault
 * of the simulator: the proof that a world is stuck, and every demand on a healed cluster, stand on
 * there being none.
 */
#include "sim/fault/swarm.h"
#include "sim/machine/network.h"

bool sb_fault_is_barred_slow(sb_world *world, sb_fault fault)
{
    if ((world->masked >> fault & 1) == 0) {
        sb_misuse(world, SB_FINDING_ASSERTION, "heal", "a fault after the heal: %s",
                  sb_fault_word(fault));
    }
    return true;
}

static void must_not_last(sb_world *world, bool lasts, sb_fault fault, const sb_node_state *node,
                          const char *how)
{
    if (lasts) {
        sb_misuse(world, SB_FINDING_ASSERTION, "heal", "%s lasts after the heal: %s %s",
                  sb_fault_word(fault), node->name, how);
    }
}

static void look_at_network(sb_world *world)
{
    const sb_network *const now = &world->network;
    const sb_network *const before = world->swarm != NULL ? &world->swarm->before : now;
    must_not_last(world, now->tail != before->tail || now->scale_max != before->scale_max,
                  SB_FAULT_DELAY, world->nodes[0], "and all others are far apart");
    for (unsigned from = 0; world->links != NULL && from < world->node_count; from++) {
        for (unsigned to = 0; to < world->node_count; to++) {
            const sb_link_state *const link = &world->links[from * SB_NODE_COUNT_MAX + to];
            must_not_last(world,
                          link->blocked != 0 &&
                              !sb_link_may_last(world, (sb_address)from, (sb_address)to),
                          SB_FAULT_PARTITION, world->nodes[from], "is cut off from others");
        }
    }
    for (unsigned from = 0; from < world->node_count; from++) {
        const sb_node_state *const node = world->nodes[from];
        for (unsigned to = 0; node->links != NULL && to < world->node_count; to++) {
            const sb_link_trouble *const link = &node->links[to];
            must_not_last(world, link->clogs != 0 || link->held != NULL, SB_FAULT_CLOG, node,
                          "is not heard by others");
        }
    }
}

void sb_accounts_close(sb_world *world)
{
    world->barred = UINT64_MAX;
    look_at_network(world);
    for (unsigned i = 1; i < world->node_count; i++) {
        const sb_node_state *const node = world->nodes[i];
        must_not_last(world,
                      (node->paused & SB_PAUSED_BY_ORDER) != 0 && (world->away >> i & 1) == 0,
                      SB_FAULT_PAUSE, node, "stands still");
    }
}
