/*
 * Offices: see offices.h.
 */
#include "nodes/oracles/offices.h"

#include "engine/ddl/job.h"
#include "engine/ddl/owner.h"
#include "engine/task/task.h"

#define ORACLE "offices"

/* Moves that an owner alone makes.  Any server cancels, pauses and resumes a job. */
static bool is_an_owners(const sb_machine *machine, uint32_t to)
{
    const bool ordered = to == JOB_CANCELLING || to == JOB_PAUSING || to == JOB_QUEUEING;
    return machine == &task_machine || machine == &schema_state_machine ||
           machine == &backfill_state_machine || (machine == &job_machine && !ordered);
}

void oracle_office_moved(offices *of, sb_world *world, sb_node node, const sb_machine *machine,
                         uint32_t to)
{
    const uint64_t bit = (uint64_t)1 << node;
    const uint32_t incarnation = sb_node_incarnation(world, node);
    if (incarnation != of->incarnations[node]) {
        of->incarnations[node] = incarnation;
        of->reigning &= ~bit;
    }
    if (machine == &owner_machine) {
        const bool reigns = to == OWNER_REIGNING || (to == OWNER_RETIRING && of->reigning & bit);
        of->reigning = reigns ? of->reigning | bit : of->reigning & ~bit;
    } else if (is_an_owners(machine, to) && (of->reigning & bit) == 0) {
        sb_finding_at(world, SB_FINDING_STALE_OWNER, node, ORACLE,
                      "%s moves a %s to %s and does not reign", sb_node_name(world, node),
                      machine->name, machine->states[to]);
    }
}
