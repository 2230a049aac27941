/*
 * The heal of a core: some machines never come back, and the others must do without them.
 *
 * Who stays away, and how, is drawn just before the heal; from then on the world is as
 * deterministic as any healed one.  A machine that is dead dies before the heal, so that its death
 * loses what a death may lose; one that is cut off or stands still is struck just after it, when
 * the heal has opened every link and let everybody go on.
 */
#include "sim/fault/swarm.h"

static const struct {
    const char *word;
    sb_fault fault;
} absences[SB_ABSENCE_COUNT] = {
#define ABSENCE(name, word, fault, text) [SB_ABSENCE_##name] = {word, SB_FAULT_##fault},
#include "sim/fault/absences.def"
#undef ABSENCE
};

const char *sb_absence_word(sb_absence absence)
{
    return absences[absence].word;
}

/* -------------------------------------------------------------------------------------- links */

/* The links that its absence cuts; the director is never cut off. */
static void change_links(sb_world *world, const sb_node_state *node, sb_link_change *one_way,
                         sb_link_change *both_ways)
{
    const uint64_t self = UINT64_C(1) << node->number;
    const uint64_t others = sb_everybody(world) & ~self;
    switch ((sb_absence)node->absence) {
    case SB_ABSENCE_MUTE:
        sb_for_each_link(world, self, others, one_way);
        break;
    case SB_ABSENCE_DEAF:
        sb_for_each_link(world, others, self, one_way);
        break;
    case SB_ABSENCE_DISOWNED:
        sb_for_each_link(world, self, others & world->core_keepers, both_ways);
        break;
    default:
        sb_for_each_link(world, self, others, both_ways);
        break;
    }
}

static bool is_behind_links(const sb_node_state *node)
{
    return node->absence != SB_ABSENCE_DEAD && node->absence != SB_ABSENCE_PAUSED;
}

/* -------------------------------------------------------------------------------------- draws */

static uint64_t choose_bit(sb_world *world, uint64_t bits)
{
    const uint64_t count = (uint64_t)__builtin_popcountll(bits);
    return sb_bit_at(bits, sb_choose(world, SB_STREAM_FAULT, count));
}

static void draw_absences(sb_world *world, const sb_core_plan *plan)
{
    uint64_t left = plan->may_stay_away;
    if (plan->away_max == 0 || !sb_chance(world, SB_STREAM_FAULT, plan->rate)) {
        return;
    }
    const uint64_t count = 1 + sb_choose(world, SB_STREAM_FAULT, plan->away_max);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t number = choose_bit(world, left);
        left &= ~(UINT64_C(1) << number);
        const sb_absence absence = (sb_absence)choose_bit(world, plan->absences);
        if ((world->masked >> absences[absence].fault & 1) == 0) {
            world->away |= UINT64_C(1) << number;
            world->nodes[number]->absence = (uint8_t)absence;
        }
    }
}

static sb_node_state *next_away(const sb_world *world, unsigned *number)
{
    while (++*number < world->node_count) {
        if ((world->away >> *number & 1) != 0) {
            return world->nodes[*number];
        }
    }
    return NULL;
}

static void kill_the_dead(sb_world *world)
{
    sb_node_state *node;
    for (unsigned i = 0; (node = next_away(world, &i)) != NULL;) {
        if (node->absence == SB_ABSENCE_DEAD) {
            const bool lives = node->power == SB_NODE_UP;
            sb_fault_has_struck(world, SB_FAULT_KILL);
            world->faults[SB_FAULT_KILL].effective += lives;
            sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_KILL, node->number, 0);
            sb_node_kill(world, node->number);
        }
    }
}

static void strike_the_rest(sb_world *world)
{
    sb_node_state *node;
    for (unsigned i = 0; (node = next_away(world, &i)) != NULL;) {
        sb_log("%s stays away: %s", node->name, absences[node->absence].word);
        if (node->absence == SB_ABSENCE_PAUSED) {
            sb_fault_has_struck(world, SB_FAULT_PAUSE);
            sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_PAUSE, node->number, 0);
            sb_node_pause(world, node->number);
        } else if (is_behind_links(node)) {
            change_links(world, node, sb_network_block, sb_network_part);
        }
    }
}

/* ----------------------------------------------------------------------------- heal and return */

void sb_world_heal_core(sb_world *world, const sb_core_plan *plan)
{
    const uint64_t all = sb_everybody(world);
    sb_assert(!world->calm && world->away == 0);
    sb_assert((plan->may_stay_away & ~all) == 0 && (plan->may_stay_away & plan->keepers) == 0);
    sb_assert_op(plan->away_max, <=, (uint32_t)__builtin_popcountll(plan->may_stay_away));
    sb_assert(plan->absences != 0 && plan->absences >> SB_ABSENCE_COUNT == 0);
    world->core_keepers = plan->keepers;
    draw_absences(world, plan);
    kill_the_dead(world);
    sb_world_heal(world);
    strike_the_rest(world);
}

uint64_t sb_world_away(const sb_world *world)
{
    return world->away;
}

sb_absence sb_node_absence(const sb_world *world, sb_node node)
{
    return (sb_absence)sb_node_given(world, node, __func__)->absence;
}

void sb_world_rejoin(sb_world *world)
{
    sb_node_state *node;
    for (unsigned i = 0; (node = next_away(world, &i)) != NULL;) {
        if (node->absence == SB_ABSENCE_PAUSED) {
            world->faults[SB_FAULT_PAUSE].effective += node->parked_count != 0;
            sb_event_here(world, SB_EVENT_HEAL, SB_FAULT_PAUSE, node->number, 0);
            sb_node_resume(world, node->number);
        } else if (is_behind_links(node)) {
            change_links(world, node, sb_network_unblock, sb_network_join);
        }
    }
    const uint64_t returning = world->away;
    world->away = 0;
    for (unsigned i = 1; i < world->node_count; i++) {
        if ((returning >> i & 1) != 0) {
            sb_node_boot(world, (sb_node)i); /* also one whose program has returned meanwhile */
        }
    }
}
