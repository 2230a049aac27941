/*
 * Failpoints by glob: which are on, and at what rate.
 */
#include "sim/fault/swarm.h"

/* After a mismatch the last * takes one character more. */
bool sb_glob_matches(const char *glob, const char *name)
{
    const char *star = NULL, *resume = NULL;
    while (*name != '\0') {
        if (*glob == '*') {
            star = glob++;
            resume = name;
        } else if (*glob == '?' || *glob == *name) {
            glob++;
            name++;
        } else if (star != NULL) {
            glob = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*glob == '*') {
        glob++;
    }
    return *glob == '\0';
}

void sb_failpoints_name(sb_world *world, const char *glob, sb_fault kind)
{
    const sb_place_name **names;
    const size_t count = sb_failpoint_list(&names);
    for (size_t i = 0; i < count; i++) {
        if (sb_glob_matches(glob, names[i]->name)) {
            world->failpoint_kinds[i] = (uint8_t)kind;
        }
    }
}

/* It may fire: with it is armed what it stands for. */
void sb_failpoint_arm(sb_world *world, size_t number)
{
    const sb_fault kind = (sb_fault)world->failpoint_kinds[number];
    world->failpoint_enabled_bits[number / 64] |= UINT64_C(1) << (number % 64);
    if (kind != SB_FAULT_NONE) {
        sb_fault_armed(world, kind);
    }
}

bool sb_failpoint_is_said(const sb_world *world, size_t number)
{
    return (world->failpoint_said_bits[number / 64] >> (number % 64) & 1) != 0;
}

/* The scenario's word stands above the swarm's, also when it is 0. */
void sb_failpoints_enable(sb_world *world, const char *glob, uint32_t rate)
{
    sb_assert_op(rate, <=, 1000000);
    const sb_place_name **names;
    const size_t count = sb_failpoint_list(&names);
    for (size_t i = 0; i < count; i++) {
        if (sb_glob_matches(glob, names[i]->name)) {
            world->failpoint_rates[i] = rate;
            world->failpoint_said_bits[i / 64] |= UINT64_C(1) << (i % 64);
            if (rate != 0) {
                sb_failpoint_arm(world, i);
            }
            if (world->swarm != NULL) {
                world->swarm->code_rates[i] = 0;
                sb_triggers_leave_failpoint(world->swarm, (unsigned)i);
            }
        }
    }
    world->failpoints_on = true;
    if (rate != 0) {
        sb_fault_armed(world, SB_FAULT_FAILPOINT);
    }
}

/* low <= rate <= high, log-uniform, from the bits of a hash. */
static uint32_t rate_of_hash(uint64_t hash, uint32_t low, uint32_t high)
{
    unsigned doublings = 0;
    while (((uint64_t)low << (doublings + 1)) <= high) {
        doublings++;
    }
    const uint64_t base = (uint64_t)low << (hash % (doublings + 1));
    const uint64_t rate = base + (hash >> 32) % base;
    return (uint32_t)(rate < high ? rate : high);
}

/* By the hash of each name, so that a failpoint that is new in the code changes nothing for the
 * others. */
void sb_failpoints_draw(const char *glob, uint64_t salt, uint32_t low, uint32_t high,
                        uint32_t rates[SB_FAILPOINT_MAX])
{
    const sb_place_name **names;
    const size_t count = salt == 0 ? 0 : sb_failpoint_list(&names);
    for (size_t i = 0; i < count; i++) {
        const char *const name = names[i]->name;
        const uint64_t hash = XXH3_64bits_withSeed(name, strlen(name), salt);
        if (sb_glob_matches(glob, name) && (hash & 1) != 0) {
            rates[i] = rate_of_hash(hash >> 1, low, high);
        }
    }
}
