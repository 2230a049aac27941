/*
 * The oracle of offices, shown machines that move a task or a job: while they reign, while they
 * retire from a reign, and when they do not reign, have never done so, or did before they were
 * booted.
 */
#include "engine/ddl/job.h"
#include "engine/ddl/owner.h"
#include "engine/task/task.h"
#include "nodes/oracles/offices.h"
#include "tests/suite.h"

#define OFFICES_MAX 6u
#define DEATH SB_SECOND /* of who is killed in office */

typedef struct plant {
    const char *what;
    owner_state offices[OFFICES_MAX]; /* one after the other, to IDLE at most */
    const sb_machine *machine;        /* of the move that follows */
    uint32_t from, to;
    const char *words; /* NULL: nothing is wrong */
    bool dies;         /* in its office; then the move is made when it is booted again */
} plant;

static void hold_offices(const owner_state *held)
{
    owner_state at = OWNER_IDLE;
    for (uint32_t i = 0; i < OFFICES_MAX && held[i] != OWNER_IDLE; i++) {
        sb_machine_move(&owner_machine, sb_self(), at, held[i]);
        at = held[i];
    }
}

static int mover(const sb_boot *boot)
{
    plant of;
    memcpy(&of, boot->argument, sizeof(of));
    if (!of.dies || sb_monotonic_time() < DEATH) {
        hold_offices(of.offices);
        sb_sleep(of.dies ? 2 * DEATH : 0, NULL);
    }
    sb_machine_move(of.machine, 1, of.from, of.to);
    return 0;
}

static void observe(sb_world *world, sb_node node, const sb_machine *machine, uint64_t id,
                    uint32_t from, uint32_t to)
{
    (void)id;
    (void)from;
    oracle_office_moved(sb_world_data(world), world, node, machine, to);
}

static void direct(sb_world *world, void *context)
{
    offices *of = sb_alloc_zero(sizeof(*of));
    const sb_node node = sb_node_add(world, "server1", "server", mover, context, sizeof(plant));
    sb_world_set_data(world, of);
    sb_observe_moves(world, observe);
    sb_node_boot(world, node);
    if (((const plant *)context)->dies) {
        sb_sleep(DEATH, NULL);
        sb_node_kill(world, node);
        sb_node_boot(world, node);
    }
    ck_assert(sb_node_wait_down(world, node, SB_SECOND));
    sb_free(of);
}

#define REIGN OWNER_CAMPAIGNING, OWNER_ELECTED, OWNER_REIGNING
#define TASK_RUNS &task_machine, TASK_PENDING, TASK_RUNNING

static const plant plants[] = {
    {"who reigns", {REIGN}, TASK_RUNS, NULL, false},
    {"who retires from a reign", {REIGN, OWNER_RETIRING}, TASK_RUNS, NULL, false},
    {"who was elected",
     {OWNER_CAMPAIGNING, OWNER_ELECTED},
     TASK_RUNS,
     "moves a task to running",
     false},
    {"who retires and has never reigned",
     {OWNER_CAMPAIGNING, OWNER_ELECTED, OWNER_RETIRING},
     TASK_RUNS,
     "moves a task to running",
     false},
    {"anybody", {OWNER_IDLE}, &job_machine, JOB_RUNNING, JOB_DONE, "moves a job to done", false},
    {"anybody's schema",
     {OWNER_CAMPAIGNING},
     &schema_state_machine,
     SCHEMA_NONE,
     SCHEMA_DELETE_ONLY,
     "moves a schema-state to delete-only",
     false},
    {"who is booted again after a reign", {REIGN}, TASK_RUNS, "moves a task to running", true},
    {"anybody cancels", {OWNER_IDLE}, &job_machine, JOB_RUNNING, JOB_CANCELLING, NULL, false},
};
#define PLANTS (sizeof(plants) / sizeof(plants[0]))

START_TEST(test_plants)
{
    plant copy = plants[_i];
    const ending end = run_once(direct, &copy);
    if (copy.words == NULL) {
        must_pass(&end);
    } else {
        must_find(&end, SB_FINDING_STALE_OWNER, copy.words);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracles: offices");
    TCase *of = tcase_create("plants");
    tcase_add_loop_test(of, test_plants, 0, (int)PLANTS);
    suite_add_tcase(suite, of);
    return run_suite(suite);
}
