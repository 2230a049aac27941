/*
 * The heal: from here on the world is deterministic. Every choice is 0, nothing is lost or late,
 * what was blocked is open, what stood still goes on, what was down boots.
 */
#include <string.h>

#include "sim/fault/swarm.h"
#include "sim/machine/machine.h"
#include "sim/machine/network.h"

void sb_world_heal(sb_world *world)
{
    sb_phase(world, "heal");
    world->calm = true;
    world->choice_mode = SB_CHOICE_CALM;
    sb_strategy_heal(world);
    world->failpoints_on = false;
    world->exhaust_kind = SB_EXHAUST_NONE;
    sb_swarm_heal(world);
    sb_network_heal(world);
    sb_node_heal(world);
    for (unsigned i = 1; i < world->node_count; i++) {
        sb_clock_thaw(world, (sb_node)i);
        if (world->nodes[i]->disk != NULL) {
            sb_disk_trouble_set(world, (sb_node)i, NULL);
        }
    }
    sb_accounts_close(world);
}
