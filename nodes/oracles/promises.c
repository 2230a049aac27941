/*
 * Promises of placement: see promises.h.
 */
#include "nodes/oracles/promises.h"

#include "engine/base/durable_file.h"
#include "engine/placement/registry.h"

#define ORACLE "promises"
#define STATE_PATH "placement"

/* What the disk bears now; nothing when there is no file, or none that is whole. */
static promise_report read_disk(const sb_world *world, sb_node node)
{
    promise_report found = {0};
    size_t size = 0;
    const unsigned char *bytes = sb_disk_durable(world, node, STATE_PATH, &size);
    slice content;
    if (bytes == NULL || !durable_file_decode(slice_of(bytes, size), &content)) {
        return found;
    }
    registry state;
    registry_init(&state);
    if (registry_decode(&state, content, 0)) {
        const timestamp bound = timestamp_of_ms(state.timestamp_bound);
        found = (promise_report){.last = bound > 0 ? bound - 1 : 0,
                                 .session = state.last_session,
                                 .tenure = state.last_tenure};
    }
    registry_release(&state);
    return found;
}

static void must_bear(sb_world *world, sb_node teller, const char *what, uint64_t told,
                      uint64_t borne)
{
    if (told > borne) {
        sb_finding_at(world, SB_FINDING_WRONG_STATE, teller, ORACLE,
                      "%s gives away %s %llu, and its disk bears none above %llu",
                      sb_node_name(world, teller), what, (unsigned long long)told,
                      (unsigned long long)borne);
    }
}

/* An earlier incarnation may have given away all that its disk bore. */
static void must_begin_behind(promises *of, sb_world *world, sb_node teller, timestamp told)
{
    const uint32_t incarnation = sb_node_incarnation(world, teller);
    if (incarnation != of->incarnation) {
        of->incarnation = incarnation;
        of->before = of->kept.last;
    }
    if (told != 0 && told <= of->before) {
        sb_finding_at(world, SB_FINDING_WRONG_STATE, teller, ORACLE,
                      "%s gives away timestamp %llu, and may have given those up to %llu before it "
                      "was booted",
                      sb_node_name(world, teller), (unsigned long long)told,
                      (unsigned long long)of->before);
    }
}

void oracle_promised(promises *of, sb_world *world, sb_node teller, slice report)
{
    promise_report told;
    promise_report *kept = &of->kept;
    if (!promise_report_decode(report, &told)) {
        sb_fail("the report of a promise cannot be read");
    }
    must_begin_behind(of, world, teller, told.last);
    if (told.last <= kept->last && told.session <= kept->session && told.tenure <= kept->tenure) {
        return;
    }
    *kept = read_disk(world, teller);
    must_bear(world, teller, "timestamp", told.last, kept->last);
    must_bear(world, teller, "session", told.session, kept->session);
    must_bear(world, teller, "tenure", told.tenure, kept->tenure);
}
