/*
 * What has come together in a world: kinds of faults that were done shortly after each other, and
 * kinds that were done while something was in a state.
 *
 * Which things are in which states is told by their moves.  A thing is forgotten when the machine
 * dies or exits that moved it last: what it kept in memory is gone, and what it kept on a disk
 * moves again.  So a state that is noted is a true one, and some true ones are not noted.
 *
 * Kinds of the family size last as long as the world: they are on whenever another is done.
 */
#include <string.h>

#include "sim/kernel/kernel.h"
#include "sim/machine/lists.h"

#define THINGS 256u /* the latest of each hash */

typedef struct thing {
    uint16_t state; /* through all tables, plus 1; 0: no thing */
    sb_node node;   /* that moved it last */
} thing;

struct sb_pairs {
    sb_time last[SB_FAULT_COUNT]; /* plus 1; 0: never */
    thing things[THINGS];
    uint16_t within[SB_STATE_ALL_MAX]; /* things in each state */
    uint64_t states[SB_STATE_WORDS];   /* in which something is */
};

void sb_pairs_start(sb_world *world)
{
    if (world->pairs == NULL) {
        world->pairs = sb_kernel_alloc(world, sizeof(*world->pairs));
        memset(world->pairs, 0, sizeof(*world->pairs));
        memset(world->pair_due, 0, sizeof(world->pair_due));
    }
}

typedef enum family {
    FAMILY_network,
    FAMILY_process,
    FAMILY_disk,
    FAMILY_clock,
    FAMILY_size,
    FAMILY_service,
    FAMILY_code,
    FAMILY_effect
} family;

/* Those of the kinds that last which are on: bits 1 << fault. */
static uint64_t lasting(const sb_world *world)
{
    static const uint8_t families[SB_FAULT_COUNT] = {
#define FAULT(name, word, family, text) [SB_FAULT_##name] = FAMILY_##family,
#include "sim/fault/faults.def"
#undef FAULT
    };
    uint64_t on = 0;
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        const bool lasts = families[fault] == FAMILY_size && world->faults[fault].applied != 0;
        on |= lasts ? UINT64_C(1) << fault : 0;
    }
    return on;
}

/* They are on together, and while this one is done. */
static void pair_with_lasting(sb_world *world, sb_fault fault)
{
    const uint64_t on = lasting(world), bit = UINT64_C(1) << fault;
    world->fault_pairs[fault] |= on & ~bit;
    for (uint64_t left = on; left != 0; left &= left - 1) {
        const unsigned each = (unsigned)__builtin_ctzll(left);
        world->fault_pairs[each] |= (on | bit) & ~(UINT64_C(1) << each);
    }
}

/* A kind that comes again and again is looked at a few times in a window, and after every move. */
void sb_pairs_applied(sb_world *world, sb_fault fault)
{
    struct sb_pairs *const pairs = world->pairs;
    world->pair_due[fault] = world->now + SB_PAIR_WINDOW / 4;
    pairs->last[fault] = world->now + 1;
    for (unsigned other = 1; other < SB_FAULT_COUNT; other++) {
        const sb_time last = pairs->last[other];
        if (last != 0 && other != fault && world->now + 1 - last <= SB_PAIR_WINDOW) {
            world->fault_pairs[fault] |= UINT64_C(1) << other;
            world->fault_pairs[other] |= UINT64_C(1) << fault;
        }
    }
    pair_with_lasting(world, fault);
    for (unsigned word = 0; word < SB_STATE_WORDS; word++) {
        world->fault_states[fault][word] |= pairs->states[word];
    }
}

/* ------------------------------------------------------------------------------------- things */

static void leave(struct sb_pairs *pairs, thing *of)
{
    if (of->state != 0) {
        const unsigned state = of->state - 1u;
        if (--pairs->within[state] == 0) {
            pairs->states[state / 64] &= ~(UINT64_C(1) << state % 64);
        }
        of->state = 0;
    }
}

static void enter(struct sb_pairs *pairs, thing *of, unsigned state)
{
    of->state = (uint16_t)(state + 1);
    pairs->within[state]++;
    pairs->states[state / 64] |= UINT64_C(1) << state % 64;
}

void sb_pairs_move(sb_world *world, unsigned machine, uint64_t id, uint32_t to)
{
    sb_pairs_start(world);
    struct sb_pairs *const pairs = world->pairs;
    const uint64_t name[2] = {id, machine};
    const unsigned state = sb_machine_first_state(machine) + to;
    thing *const of = &pairs->things[XXH3_64bits(name, sizeof(name)) % THINGS];
    leave(pairs, of);
    of->node = world->running->node->number;
    enter(pairs, of, state);
    for (uint64_t on = lasting(world); on != 0; on &= on - 1) {
        world->fault_states[__builtin_ctzll(on)][state / 64] |= UINT64_C(1) << state % 64;
    }
    memset(world->pair_due, 0, sizeof(world->pair_due)); /* what comes now comes in other states */
}

void sb_pairs_forget(sb_world *world, sb_node node)
{
    struct sb_pairs *const pairs = world->pairs;
    for (unsigned i = 0; pairs != NULL && i < THINGS; i++) {
        if (pairs->things[i].node == node) {
            leave(pairs, &pairs->things[i]);
        }
    }
}

const uint64_t *sb_world_fault_pairs(const sb_world *world)
{
    return world->fault_pairs;
}

const uint64_t *sb_world_fault_states(const sb_world *world)
{
    return world->fault_states[0];
}
