/*
 * Triggers: each fires at its moment and at no other, before the effect; they end with the heal,
 * come back with their tape, and one is gone with its one choice.
 */
#include "sim/fault/swarm.h"
#include "tests/suite.h"

enum { STORE, METHOD_COUNT };
static const char *const methods[METHOD_COUNT] = {"store"};

enum { IDLE, BUSY };
static const char *const states[] = {"idle", "busy"};
static const sb_move moves[] = {{IDLE, BUSY}, {BUSY, IDLE}};
SB_MACHINE(work_machine, "triggers-test-work", states, moves);

#define SERVER 1
#define CLIENT 2

/* ---------------------------------------------------------------------------- a small cluster */

/* What has happened, seen from outside of the machines. */
static struct {
    int begun, moved, written, synced, answered, heard, failed, boots, exits;
} seen;

static void serve(void *context, const sb_request *request)
{
    sb_file *const file = context;
    seen.begun++;
    sb_machine_move(&work_machine, 1, IDLE, BUSY);
    sb_yield();
    seen.moved++;
    const uint64_t size = sb_file_size(file);
    if (sb_file_write(file, size, "x", 1) == SB_OK) {
        seen.written++;
    }
    if (sb_file_sync(file) == SB_OK) {
        seen.synced++;
    }
    sb_machine_move(&work_machine, 1, BUSY, IDLE);
    sb_answer(request, "", 0);
    seen.answered++;
}

static int server(const sb_boot *boot)
{
    (void)boot;
    sb_file *file;
    seen.boots++;
    sb_file_open("jobs/7/run-1", SB_FILE_CREATE, &file);
    sb_directory_sync("jobs/7");
    sb_exchange *const exchange = sb_exchange_open(methods, METHOD_COUNT, serve, file, 1);
    while (sb_sleep(SB_SECOND, sb_shutdown_scope()) == SB_OK) {
    }
    sb_exchange_close(exchange);
    sb_file_close(file);
    seen.exits++;
    return 0;
}

static int client(const sb_boot *boot)
{
    (void)boot;
    sb_exchange *const exchange = sb_exchange_open(methods, METHOD_COUNT, NULL, NULL, 0);
    while (sb_sleep(100 * SB_MILLISECOND, sb_shutdown_scope()) == SB_OK) {
        sb_scope scope;
        sb_reply reply;
        sb_scope_init_timeout(&scope, sb_shutdown_scope(), "call", 50 * SB_MILLISECOND);
        if (sb_call(exchange, SERVER, STORE, "", 0, &reply, &scope) == SB_OK) {
            seen.heard++;
            sb_reply_release(&reply);
        } else {
            seen.failed++;
        }
        sb_scope_release(&scope);
    }
    sb_exchange_close(exchange);
    return 0;
}

#define DECLARED                                                                                   \
    (SB_KIND(LOSS) | SB_KIND(REPLY_LOSS) | SB_KIND(DUPLICATE) | SB_KIND(RESET) |                   \
     SB_KIND(PARTITION) | SB_KIND(KILL) | SB_KIND(STOP) | SB_KIND(PAUSE) | SB_KIND(SYNC_ERROR) |   \
     SB_KIND(WRITE_ERROR) | SB_KIND(LOST_WRITE))

static sb_swarm_plan plan_of(uint32_t triggers)
{
    return (sb_swarm_plan){.kinds = DECLARED,
                           .victims = 1u << SERVER | 1u << CLIENT,
                           .down_at_once_max = 1,
                           .down_min = SB_SECOND,
                           .down_max = 2 * SB_SECOND,
                           .calm_min = 1000 * SB_SECOND,
                           .calm_max = 1000 * SB_SECOND,
                           .disks = 1u << SERVER,
                           .triggers = triggers};
}

static void add_cluster(sb_world *world)
{
    memset(&seen, 0, sizeof(seen));
    sb_network_set(world,
                   &(sb_network){.latency_min = SB_MILLISECOND, .latency_max = SB_MILLISECOND});
    sb_node_add(world, "server", "server", server, NULL, 0);
    sb_node_add(world, "client", "client", client, NULL, 0);
}

static void boot_cluster(sb_world *world)
{
    sb_node_boot(world, SERVER);
    sb_node_boot(world, CLIENT);
}

/* One trigger by hand, on the machine where it happens, the third time, once. */
static sb_trigger *bind(sb_world *world, sb_moment moment, sb_fault kind)
{
    const sb_swarm_plan plan = plan_of(0);
    add_cluster(world);
    sb_swarm_start(world, &plan);
    sb_trigger *const trigger = &world->swarm->triggers.triggers[0];
    *trigger = (sb_trigger){.swarm = world->swarm,
                            .salt = 1,
                            .moment = moment,
                            .key = sb_stream_hash("store"),
                            .nth = 3,
                            .times = 1,
                            .kind = kind,
                            .duration = SB_SECOND,
                            .counting = true};
    world->swarm->triggers.count = 1;
    world->watched = 1u << moment | 1u << SB_MOMENT_MOVE;
    boot_cluster(world);
    return trigger;
}

static uint64_t triggered(const sb_world *world, sb_fault kind)
{
    return sb_world_fault_counts(world)[kind].triggered;
}

/* Most tests want only worlds that do the same whatever the seed says. */
static void must_pass_calmly(sb_director *run)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_tape nothing = {NULL, 0, 0};
    const sb_world_options options = {.seed = 7, .strategy = SB_STRATEGY_FIFO, .tape = &nothing};
    const ending end = run_options(universe, &options, run, NULL);
    must_pass(&end);
    sb_universe_close(universe);
}

/* Whoever else is ready may go first: the machine is held all the same. */
static void must_pass_shuffled(sb_director *run)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_RANDOM};
        const ending end = run_options(universe, &options, run, NULL);
        must_pass(&end);
    }
    sb_universe_close(universe);
}

/* ------------------------------------------------------------------------- before each effect */

/* What the server had done when it died at its third moment of that kind. */
static void dies_at(sb_world *world, sb_moment moment, uint64_t key, int begun, int moved,
                    int written, int synced, int answered)
{
    sb_trigger *const trigger = bind(world, moment, SB_FAULT_KILL);
    trigger->key = key;
    while (sb_node_is_up(world, SERVER)) {
        sb_sleep(SB_MILLISECOND, NULL);
    }
    ck_assert_int_eq(seen.begun, begun);
    ck_assert_int_eq(seen.moved, moved);
    ck_assert_int_eq(seen.written, written);
    ck_assert_int_eq(seen.synced, synced);
    ck_assert_int_eq(seen.answered, answered);
    ck_assert_uint_eq(triggered(world, SB_FAULT_KILL), 1);
    sb_sleep(3 * SB_SECOND, NULL); /* it comes back, and nothing else is done to it */
    ck_assert(sb_node_is_up(world, SERVER));
    ck_assert_int_eq(seen.boots, 2);
    ck_assert_uint_eq(triggered(world, SB_FAULT_KILL), 1);
    ck_assert_int_gt(seen.answered, answered);
}

static void dies_at_serve(sb_world *world, void *context)
{
    (void)context;
    dies_at(world, SB_MOMENT_SERVE, sb_stream_hash("store"), 2, 2, 2, 2, 2);
}

static void dies_at_write(sb_world *world, void *context)
{
    (void)context;
    dies_at(world, SB_MOMENT_WRITE, sb_path_shape("jobs/1/run-9") | 1, 3, 3, 2, 2, 2);
}

static void dies_at_sync(sb_world *world, void *context)
{
    (void)context;
    dies_at(world, SB_MOMENT_SYNC, sb_path_shape("jobs/1/run-9") | 1, 3, 3, 3, 2, 2);
}

static void dies_at_synced(sb_world *world, void *context)
{
    (void)context;
    dies_at(world, SB_MOMENT_SYNCED, sb_path_shape("jobs/1/run-9") | 1, 3, 3, 3, 2, 2);
    size_t size;
    ck_assert_ptr_nonnull(sb_disk_durable(world, SERVER, "jobs/7/run-1", &size));
    ck_assert_uint_ge(size, 3); /* nobody was told, and it is there */
}

static void dies_at_answer(sb_world *world, void *context)
{
    (void)context;
    dies_at(world, SB_MOMENT_ANSWER, sb_stream_hash("store"), 3, 3, 3, 3, 2);
}

/* The move has happened; the next call through the door has not. */
static void dies_at_move(sb_world *world, void *context)
{
    (void)context;
    const sb_machine *const *machines;
    uint64_t edge = 1;
    for (sb_machine_list(&machines); *machines != &work_machine; machines++) {
        edge += (*machines)->move_count;
    }
    dies_at(world, SB_MOMENT_MOVE, edge, 3, 2, 2, 2, 2);
}

START_TEST(a_machine_dies_before_the_effect)
{
    must_pass_shuffled(dies_at_serve);
    must_pass_shuffled(dies_at_move);
    must_pass_shuffled(dies_at_write);
    must_pass_shuffled(dies_at_sync);
    must_pass_shuffled(dies_at_synced);
    must_pass_shuffled(dies_at_answer);
}
END_TEST

/* ------------------------------------------------------------------------------------- drains */

static sb_trigger *bind_to_drain(sb_world *world, sb_fault kind)
{
    sb_trigger *const trigger = bind(world, SB_MOMENT_DRAIN, kind);
    trigger->key = sb_stream_hash("server") | 1;
    trigger->nth = 1;
    sb_sleep(250 * SB_MILLISECOND, NULL);
    sb_node_stop(world, SERVER);
    return trigger;
}

static void dies_at_drain(sb_world *world, void *context)
{
    (void)context;
    bind_to_drain(world, SB_FAULT_KILL);
    ck_assert(sb_node_wait_down(world, SERVER, SB_MILLISECOND));
    sb_sleep(5 * SB_SECOND, NULL); /* who has stopped it has not booted it */
    ck_assert(!sb_node_is_up(world, SERVER));
    ck_assert_int_eq(seen.exits, 0);
    ck_assert_uint_eq(triggered(world, SB_FAULT_KILL), 1);
}

static void pauses_at_drain(sb_world *world, void *context)
{
    (void)context;
    bind_to_drain(world, SB_FAULT_PAUSE);
    ck_assert(!sb_node_wait_down(world, SERVER, 900 * SB_MILLISECOND));
    ck_assert_int_eq(seen.exits, 0);
    ck_assert(sb_node_wait_down(world, SERVER, 200 * SB_MILLISECOND));
    ck_assert_int_eq(seen.exits, 1);
}

START_TEST(a_machine_that_drains_is_struck)
{
    must_pass_shuffled(dies_at_drain);
    must_pass_shuffled(pauses_at_drain);
}
END_TEST

/* What holds a machine for a trigger is no pause: that of somebody else at the same instant stays.
 */
static void pause_while_held(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_BOOT, SB_FAULT_KILL);
    trigger->key = sb_stream_hash("server") | 1;
    trigger->nth = 1;
    sb_node_kill(world, SERVER);
    sb_node_boot(world, SERVER);
    ck_assert(trigger->away);
    sb_node_pause(world, SERVER);
    sb_sleep(SB_MILLISECOND, NULL);
    ck_assert(!trigger->away);
    ck_assert(sb_node_is_paused(world, SERVER));
    sb_node_resume(world, SERVER);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_gt(seen.answered, 0);
}

START_TEST(a_hold_is_no_pause)
{
    must_pass_shuffled(pause_while_held);
}
END_TEST

/* ------------------------------------------------------------------------------------- limits */

/* A strike that is refused in the end has its turn again, and only what is done is counted. */
static void strike_later(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_ANSWER, SB_FAULT_KILL);
    trigger->nth = 1;
    trigger->delay = 100 * SB_MILLISECOND;
    while (!trigger->away) {
        sb_sleep(SB_MILLISECOND, NULL);
    }
    sb_node_pause(world, SERVER);
    sb_sleep(SB_SECOND, NULL);
    ck_assert(sb_node_is_up(world, SERVER) && !trigger->away);
    ck_assert_uint_eq(triggered(world, SB_FAULT_KILL), 0);
    sb_node_resume(world, SERVER);
    sb_sleep(SB_SECOND, NULL);
    ck_assert(!sb_node_is_up(world, SERVER));
    ck_assert_uint_eq(triggered(world, SB_FAULT_KILL), 1);
    ck_assert_uint_eq(trigger->times, 0);
}

/* One disk at a time is in trouble. */
static void wait_for_the_disk(sb_world *world, void *context)
{
    (void)context;
    const sb_disk_trouble trouble = {.sync_error = 1000000};
    sb_trigger *const trigger = bind(world, SB_MOMENT_WRITE, SB_FAULT_WRITE_ERROR);
    trigger->key = sb_path_shape("jobs/1/run-9") | 1;
    world->swarm->plan.disks |= 1u << CLIENT;
    sb_disk_trouble_set(world, CLIENT, &trouble);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(seen.written, seen.answered);
    sb_disk_trouble_set(world, CLIENT, NULL);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_lt(seen.written, seen.answered);
    ck_assert_uint_eq(triggered(world, SB_FAULT_WRITE_ERROR), 1);
}

/* What has failed is not durable. */
static void sync_in_vain(sb_world *world, void *context)
{
    (void)context;
    const sb_disk_trouble trouble = {.sync_error = 1000000};
    sb_trigger *const trigger = bind(world, SB_MOMENT_SYNCED, SB_FAULT_KILL);
    trigger->key = sb_path_shape("jobs/1/run-9") | 1;
    trigger->nth = 1;
    sb_disk_trouble_set(world, SERVER, &trouble);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_gt(seen.answered, 3);
    ck_assert_int_eq(seen.synced, 0);
    ck_assert(sb_node_is_up(world, SERVER));
    sb_disk_trouble_set(world, SERVER, NULL);
    sb_sleep(500 * SB_MILLISECOND, NULL);
    ck_assert(!sb_node_is_up(world, SERVER));
}

/* In a partial partition somebody reaches it, and somebody does not. */
static void cut_some(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_CALL, SB_FAULT_PARTITION_PARTIAL);
    sb_node_add(world, "one", "other", client, NULL, 0);
    sb_node_add(world, "two", "other", client, NULL, 0);
    trigger->nth = 1;
    for (uint64_t salt = 1; salt <= 64; salt++) {
        trigger->salt = salt;
        trigger->times = 1;
        trigger->duration = 10 * SB_MILLISECOND;
        while (!trigger->away) {
            sb_sleep(SB_MILLISECOND, NULL);
        }
        unsigned cut = 0;
        for (unsigned i = 1; i < sb_node_count(world); i++) {
            cut += world->links[CLIENT * SB_NODE_COUNT_MAX + i].blocked != 0;
        }
        ck_assert_uint_ge(cut, 1);
        ck_assert_uint_le(cut, 2);
        sb_sleep(20 * SB_MILLISECOND, NULL);
    }
}

/* One that takes what it meets keeps it, also when an exchange with other methods opens. */
static void keep_what_was_met(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_CALL, SB_FAULT_KILL);
    trigger->share = 1;
    trigger->key = sb_stream_hash("other");
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(trigger->key, sb_stream_hash("other"));
    ck_assert_uint_eq(trigger->count, 0);
}

START_TEST(triggers_keep_their_limits)
{
    must_pass_calmly(strike_later);
    must_pass_calmly(wait_for_the_disk);
    must_pass_calmly(sync_in_vain);
    must_pass_calmly(cut_some);
    must_pass_calmly(keep_what_was_met);
}
END_TEST

/* ----------------------------------------------------------------------------------- messages */

static void lose_request(sb_world *world, void *context)
{
    (void)context;
    bind(world, SB_MOMENT_CALL, SB_FAULT_LOSS);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(seen.failed, 1);
    ck_assert_int_eq(seen.begun, seen.heard);
}

static void lose_answer(sb_world *world, void *context)
{
    (void)context;
    bind(world, SB_MOMENT_ANSWER, SB_FAULT_REPLY_LOSS);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(seen.failed, 1);
    ck_assert_int_eq(seen.begun, seen.heard + 1);
}

static void repeat_request(sb_world *world, void *context)
{
    (void)context;
    bind(world, SB_MOMENT_CALL, SB_FAULT_DUPLICATE);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(seen.failed, 0);
    ck_assert_int_eq(seen.begun, seen.heard + 1);
}

static void kill_the_peer(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_ANSWER, SB_FAULT_KILL);
    trigger->target = SB_TARGET_PEER;
    sb_sleep(400 * SB_MILLISECOND, NULL);
    ck_assert(!sb_node_is_up(world, CLIENT) && sb_node_is_up(world, SERVER));
    ck_assert_int_eq(seen.answered, 3);
    ck_assert_int_eq(seen.heard, 2);
}

START_TEST(messages_are_struck_one_by_one)
{
    must_pass_calmly(lose_request);
    must_pass_calmly(lose_answer);
    must_pass_calmly(repeat_request);
    must_pass_calmly(kill_the_peer);
}
END_TEST

/* ----------------------------------------------------------------------------------- two steps */

static sb_state_of busy(void)
{
    return (sb_state_of){&work_machine, BUSY};
}

/* Calls count only from the state on, and a partition ends with the state it lasts until. */
static void away_and_back(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_CALL, SB_FAULT_PARTITION);
    trigger->nth = 1;
    trigger->counting = false;
    trigger->after = busy();
    trigger->until = busy();
    trigger->duration = 100 * SB_SECOND;
    world->nodes[0]->stopping = false;
    sb_node_add(world, "idler", "other", client, NULL, 0); /* a cut needs somebody on each side */
    sb_sleep(150 * SB_MILLISECOND, NULL);
    ck_assert_int_eq(seen.heard, 1);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(seen.heard, 1); /* nothing passes */
    ck_assert(trigger->away);
    sb_machine_move(&work_machine, 2, IDLE, BUSY);
    sb_sleep(SB_SECOND, NULL);
    ck_assert(!trigger->away);
    ck_assert_int_gt(seen.heard, 5);
}

static void heal_ends(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_ANSWER, SB_FAULT_KILL);
    trigger->times = 1000;
    trigger->nth = 10;
    sb_sleep(500 * SB_MILLISECOND, NULL);
    sb_world_heal(world);
    sb_sleep(5 * SB_SECOND, NULL);
    ck_assert_uint_eq(triggered(world, SB_FAULT_KILL), 0);
    ck_assert_int_gt(seen.answered, 20);
}

/* What is held at the moment of the heal goes on. */
static void heal_lets_go(sb_world *world, void *context)
{
    (void)context;
    sb_trigger *const trigger = bind(world, SB_MOMENT_ANSWER, SB_FAULT_PAUSE);
    trigger->duration = 1000 * SB_SECOND;
    sb_sleep(500 * SB_MILLISECOND, NULL);
    ck_assert(sb_node_is_paused(world, SERVER));
    const int answered = seen.answered;
    sb_world_heal(world);
    sb_sleep(SB_SECOND, NULL);
    ck_assert(!sb_node_is_paused(world, SERVER));
    ck_assert_int_gt(seen.answered, answered);
}

START_TEST(what_lasts_ends)
{
    must_pass_calmly(away_and_back);
    must_pass_calmly(heal_ends);
    must_pass_calmly(heal_lets_go);
}
END_TEST

/* -------------------------------------------------------------------------------------- drawn */

static struct {
    uint32_t count;
    uint64_t salts[SB_TRIGGER_MAX];
    uint64_t moments, kinds, fired;
} drawn;

static void draw_some(sb_world *world, void *context)
{
    (void)context;
    const sb_swarm_plan plan = plan_of(24);
    add_cluster(world);
    sb_swarm_start(world, &plan);
    boot_cluster(world);
    drawn.count = world->swarm->triggers.count;
    for (uint32_t i = 0; i < drawn.count; i++) {
        const sb_trigger *const trigger = &world->swarm->triggers.triggers[i];
        drawn.salts[i] = trigger->salt;
        drawn.moments |= UINT64_C(1) << trigger->moment;
        drawn.kinds |= UINT64_C(1) << trigger->kind;
        ck_assert((DECLARED >> trigger->kind & 1) != 0);
    }
    sb_sleep(20 * SB_SECOND, NULL);
    for (unsigned kind = 1; kind < SB_FAULT_COUNT; kind++) {
        drawn.fired |= triggered(world, (sb_fault)kind) != 0 ? UINT64_C(1) << kind : 0;
    }
    sb_world_heal(world);
    const int answered = seen.answered;
    sb_sleep(5 * SB_SECOND, NULL);
    ck_assert_int_gt(seen.answered, answered);
}

/* Every moment and every kind that suits one is drawn by some seed and done by some seed; the same
 * seed and its tape do the same again. */
START_TEST(all_are_drawn_and_replayed)
{
    sb_universe *const here = open_universe(NULL);
    const sb_universe_options elsewhere = {
        .base = UINT64_C(0x5b0000000000), .fill = 0x3c, .permute_blocks = true};
    sb_universe *const there = open_universe(&elsewhere);
    memset(&drawn, 0, sizeof(drawn));
    for (uint64_t seed = 1; seed <= 200; seed++) {
        sb_tape tape = {NULL, 0, 0};
        const sb_world_options taking = {.seed = seed, .tape_out = &tape};
        const ending one = run_options(here, &taking, draw_some, NULL);
        must_pass(&one);
        const sb_world_options plain = {.seed = seed};
        ck_assert_uint_eq(run_options(there, &plain, draw_some, NULL).digest, one.digest);
        const sb_world_options following = {.seed = seed, .tape = &tape};
        ck_assert_uint_eq(run_options(there, &following, draw_some, NULL).digest, one.digest);
        sb_tape_release(&tape);
    }
    ck_assert_uint_eq(drawn.moments, (UINT64_C(1) << SB_MOMENT_COUNT) - 1);
    const uint64_t all = DECLARED & sb_trigger_kinds();
    ck_assert_uint_eq(drawn.kinds, all);
    ck_assert_uint_eq(drawn.fired, all);
    sb_universe_close(there);
    sb_universe_close(here);
}
END_TEST

/* Without its one choice a trigger is gone, and the others stay as they were; without any there is
 * none. */
START_TEST(a_trigger_is_one_choice)
{
    sb_universe *const universe = open_universe(NULL);
    sb_tape tape = {NULL, 0, 0};
    uint64_t seed = 0;
    drawn.count = 0;
    while (drawn.count < 4) {
        tape.count = 0;
        const sb_world_options taking = {.seed = ++seed, .tape_out = &tape};
        run_options(universe, &taking, draw_some, NULL);
    }
    const uint32_t count = drawn.count;
    uint64_t salts[SB_TRIGGER_MAX];
    memcpy(salts, drawn.salts, sizeof(salts));
    const uint64_t stream = sb_stream_hash("director/swarm");
    for (size_t i = 0; i < tape.count; i++) {
        if (tape.choices[i].stream == stream && tape.choices[i].value == salts[2]) {
            tape.choices[i].value = 0;
        }
    }
    const sb_world_options less = {.seed = seed, .tape = &tape};
    run_options(universe, &less, draw_some, NULL);
    ck_assert_uint_eq(drawn.count, count - 1);
    ck_assert_uint_eq(drawn.salts[1], salts[1]);
    ck_assert_uint_eq(drawn.salts[2], salts[3]);
    const sb_tape nothing = {NULL, 0, 0};
    const sb_world_options calm = {.seed = seed, .tape = &nothing};
    run_options(universe, &calm, draw_some, NULL);
    ck_assert_uint_eq(drawn.count, 0);
    sb_tape_release(&tape);
    sb_universe_close(universe);
}
END_TEST

/* -------------------------------------------------------------------------------------- pairs */

static bool is_paired(const sb_world *world, sb_fault one, sb_fault other)
{
    return (sb_world_fault_pairs(world)[one] >> other & 1) != 0;
}

static bool was_in_state(const sb_world *world, sb_fault fault, unsigned state)
{
    const sb_machine *const *machines;
    for (sb_machine_list(&machines); *machines != &work_machine; machines++) {
        state += (*machines)->state_count;
    }
    const uint64_t *const bits = sb_world_fault_states(world) + fault * SB_STATE_WORDS;
    return (bits[state / 64] >> state % 64 & 1) != 0;
}

/* Two within the window are a pair, and a kind is noted in the states that things are in. */
static void come_together(sb_world *world, void *context)
{
    (void)context;
    add_cluster(world);
    boot_cluster(world);
    sb_sleep(150 * SB_MILLISECOND, NULL);
    sb_machine_move(&work_machine, 5, IDLE, BUSY);
    sb_network_reset(world, SERVER, CLIENT);
    sb_machine_move(&work_machine, 5, BUSY, IDLE);
    sb_sleep(SB_SECOND, NULL);
    sb_network_block(world, SERVER, CLIENT);
    sb_network_unblock(world, SERVER, CLIENT);
    ck_assert(is_paired(world, SB_FAULT_RESET, SB_FAULT_PARTITION_ONE_WAY));
    ck_assert(is_paired(world, SB_FAULT_PARTITION_ONE_WAY, SB_FAULT_RESET));
    ck_assert(was_in_state(world, SB_FAULT_RESET, BUSY));
    ck_assert(!was_in_state(world, SB_FAULT_PARTITION_ONE_WAY, BUSY));
    ck_assert(was_in_state(world, SB_FAULT_PARTITION_ONE_WAY, IDLE));
    sb_sleep(SB_PAIR_WINDOW + SB_SECOND, NULL);
    sb_node_crash_loop(world, SERVER, 1, SB_MILLISECOND);
    sb_network_part(world, SERVER, CLIENT); /* two sides were never one-way */
    sb_network_join(world, SERVER, CLIENT);
    ck_assert(is_paired(world, SB_FAULT_CRASH_LOOP, SB_FAULT_PARTITION));
    ck_assert(!is_paired(world, SB_FAULT_CRASH_LOOP, SB_FAULT_PARTITION_ONE_WAY));
    sb_sleep(SB_PAIR_WINDOW + SB_SECOND, NULL);
    sb_clock_set(world, CLIENT, (int64_t)SB_SECOND, 0);
    ck_assert(!is_paired(world, SB_FAULT_SKEW, SB_FAULT_RESET));
}

START_TEST(what_comes_together_is_noted)
{
    must_pass_calmly(come_together);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("triggers");
    TCase *const tests = tcase_create("triggers");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, a_machine_dies_before_the_effect);
    tcase_add_test(tests, a_machine_that_drains_is_struck);
    tcase_add_test(tests, a_hold_is_no_pause);
    tcase_add_test(tests, triggers_keep_their_limits);
    tcase_add_test(tests, messages_are_struck_one_by_one);
    tcase_add_test(tests, what_lasts_ends);
    tcase_add_test(tests, all_are_drawn_and_replayed);
    tcase_add_test(tests, a_trigger_is_one_choice);
    tcase_add_test(tests, what_comes_together_is_noted);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
