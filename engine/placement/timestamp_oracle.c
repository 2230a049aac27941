/*
 * The timestamp oracle: see timestamp_oracle.h.
 */
#include "engine/placement/timestamp_oracle.h"

/* Physical time starts above 0, so that no timestamp is 0, whatever the clocks say. */
#define PHYSICAL_MIN_MS 1u

void timestamp_oracle_init(timestamp_oracle *of, uint64_t bound_ms, sb_time monotonic)
{
    const uint64_t start_ms = bound_ms > PHYSICAL_MIN_MS ? bound_ms : PHYSICAL_MIN_MS;
    *of = (timestamp_oracle){.next = timestamp_of_ms(start_ms), .next_set_at = monotonic};
}

void timestamp_oracle_advance(timestamp_oracle *of, sb_time monotonic, sb_time wall)
{
    const uint64_t current_ms = timestamp_physical_ms(of->next);
    const uint64_t passed_ms =
        monotonic > of->next_set_at ? (monotonic - of->next_set_at) / SB_MILLISECOND : 0;
    const uint64_t wall_ms = wall / SB_MILLISECOND;
    uint64_t physical_ms = current_ms + passed_ms;
    if (wall_ms > physical_ms) {
        physical_ms = wall_ms;
    }
    if (physical_ms > current_ms) {
        SOMETIMES(wall_ms < current_ms, "the timestamp oracle outruns the wall clock");
        of->next = timestamp_of_ms(physical_ms);
        of->next_set_at = monotonic;
    }
}

bool timestamp_oracle_take(timestamp_oracle *of, uint32_t count, uint64_t bound_ms,
                           timestamp *first)
{
    if (of->next + count > timestamp_of_ms(bound_ms)) {
        return false;
    }
    *first = of->next;
    of->next += count;
    return true;
}
