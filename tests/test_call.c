/*
 * Calls: an answer finds its call and no other, whatever the network and the machines do.
 */
#include <stdio.h>

#include "tests/suite.h"

enum { ECHO, SLOW, SILENT, TWICE, ASK, METHOD_COUNT };
static const char *const methods[METHOD_COUNT] = {"echo", "slow", "silent", "twice", "ask"};

#define SERVER 1
#define CLIENT 2

/* What the server's handlers have done in a world; the director resets it. */
static struct {
    int served, running, running_max, finished;
    sb_exchange *exchange;
} seen;

static void ask_client(const sb_request *request)
{
    sb_reply reply;
    if (sb_call(seen.exchange, CLIENT, ECHO, "from below", 10, &reply, NULL) == SB_OK) {
        sb_answer(request, reply.data, reply.size);
        sb_reply_release(&reply);
    }
}

static void handle(void *context, const sb_request *request)
{
    (void)context;
    ck_assert_str_eq(sb_task_name(), methods[request->method]);
    seen.served++;
    seen.running++;
    seen.running_max = seen.running > seen.running_max ? seen.running : seen.running_max;
    switch (request->method) {
    case SLOW:
        sb_sleep(100 * SB_MILLISECOND, NULL);
        sb_answer(request, request->data, request->size);
        break;
    case SILENT:
        break;
    case TWICE:
        sb_answer(request, NULL, 0);
        sb_answer(request, NULL, 0);
        break;
    case ASK:
        ask_client(request);
        break;
    default:
        sb_answer(request, request->data, request->size);
        break;
    }
    seen.running--;
    seen.finished++;
}

static int server(const sb_boot *boot)
{
    const uint32_t concurrency = boot->argument_size == 0 ? 100 : *(const uint32_t *)boot->argument;
    seen.exchange = sb_exchange_open(methods, METHOD_COUNT, handle, NULL, concurrency);
    sb_sleep(SB_FOREVER, sb_shutdown_scope());
    sb_exchange_close(seen.exchange);
    return 0;
}

/* A server, and a client that is one too. */
static void set_up(sb_world *world, uint32_t concurrency)
{
    memset(&seen, 0, sizeof(seen));
    ck_assert_uint_eq(
        sb_node_add(world, "server", "server", server, &concurrency, sizeof(concurrency)), SERVER);
    sb_node_boot(world, SERVER);
    sb_sleep(SB_MILLISECOND, NULL);
}

static sb_exchange *open_caller(void)
{
    return sb_exchange_open(methods, METHOD_COUNT, NULL, NULL, 0);
}

static sb_status call_once(sb_exchange *exchange, uint16_t method, const char *text,
                           sb_duration timeout)
{
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "call", timeout);
    sb_reply reply;
    const sb_status status = sb_call(exchange, SERVER, method, text, strlen(text), &reply, &scope);
    if (status == SB_OK) {
        ck_assert_uint_eq(reply.size, strlen(text));
        ck_assert_int_eq(memcmp(reply.data, text, reply.size), 0);
        sb_reply_release(&reply);
    }
    sb_scope_release(&scope);
    return status;
}

static void take_down(sb_world *world)
{
    sb_node_stop(world, SERVER);
    ck_assert(sb_node_wait_down(world, SERVER, SB_FOREVER));
}

/* ------------------------------------------------------------------------------- the calm way */

static void calm(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 100);
    sb_exchange *const exchange = open_caller();
    const sb_time before = sb_world_time(world);
    ck_assert_int_eq(call_once(exchange, ECHO, "hello", SB_SECOND), SB_OK);
    ck_assert_uint_eq(sb_world_time(world) - before, 2 * SB_MILLISECOND);
    ck_assert_int_eq(call_once(exchange, ECHO, "", SB_SECOND), SB_OK);
    ck_assert_int_eq(call_once(exchange, SILENT, "hello", SB_SECOND), SB_TIMEOUT);
    ck_assert_int_eq(call_once(exchange, SLOW, "hello", 50 * SB_MILLISECOND), SB_TIMEOUT);
    ck_assert_int_eq(call_once(exchange, ECHO, "again", SB_SECOND),
                     SB_OK); /* the slow one's comes late */
    sb_sleep(SB_SECOND, NULL);
    ck_assert_uint_eq(sb_world_fault_counts(world)[SB_FAULT_LATE_ANSWER].effective, 1);
    sb_reply reply;
    ck_assert_int_eq(sb_call(exchange, 60, ECHO, "x", 1, &reply, NULL), SB_NOT_FOUND);
    char *const large = sb_alloc_zero(SB_MESSAGE_SIZE_MAX);
    ck_assert_int_eq(sb_call(exchange, SERVER, ECHO, large, SB_MESSAGE_SIZE_MAX, &reply, NULL),
                     SB_TOO_LARGE);
    ck_assert_int_eq(sb_call(exchange, SERVER, ECHO, large, SB_MESSAGE_SIZE_MAX - 16, &reply, NULL),
                     SB_OK);
    sb_reply_release(&reply);
    sb_free(large);
    sb_exchange_close(exchange);
    take_down(world); /* looks for what is left */
}

START_TEST(calls_are_answered)
{
    const ending end = run_once(calm, NULL);
    must_pass(&end);
}
END_TEST

static void answer_twice(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 100);
    sb_exchange *const exchange = open_caller();
    call_once(exchange, TWICE, "", SB_SECOND);
    sb_sleep(SB_SECOND, NULL);
}

START_TEST(a_second_answer_is_a_finding)
{
    const ending end = run_once(answer_twice, NULL);
    must_find(&end, SB_FINDING_ASSERTION, "twice");
}
END_TEST

/* -------------------------------------------------------------------------------- concurrency */

typedef struct caller {
    sb_exchange *exchange;
    sb_wait_group *group;
    uint16_t method;
    sb_duration timeout;
    sb_status status;
} caller;

static void call_main(void *argument)
{
    caller *const one = argument;
    one->status = call_once(one->exchange, one->method, "payload", one->timeout);
}

static void crowd(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 3);
    sb_exchange *const exchange = open_caller();
    sb_wait_group group;
    sb_wait_group_init(&group, "callers");
    caller callers[200];
    for (int i = 0; i < 200; i++) {
        callers[i] = (caller){.exchange = exchange, .method = SLOW, .timeout = 60 * SB_SECOND};
        sb_spawn(&group, call_main, &callers[i], "caller-%d", i);
    }
    sb_wait_group_wait(&group, NULL);
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(callers[i].status, SB_OK);
    }
    ck_assert_int_eq(seen.served, 200);
    ck_assert_int_eq(seen.running_max, 3);
    sb_exchange_close(exchange);
    take_down(world);
}

/* No more handlers run at once than asked for, the others wait, and many calls in flight find their
 * answers. */
START_TEST(concurrency_is_bounded)
{
    const ending end = run_once(crowd, NULL);
    must_pass(&end);
}
END_TEST

/* -------------------------------------------------------------------------------------- close */

static void close_server(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 2);
    sb_exchange *const exchange = open_caller();
    caller callers[6];
    for (int i = 0; i < 6; i++) {
        callers[i] = (caller){
            .exchange = exchange, .method = SLOW, .timeout = SB_SECOND, .status = SB_EMPTY};
        sb_spawn(NULL, call_main, &callers[i], "caller-%d", i);
    }
    sb_sleep(20 * SB_MILLISECOND, NULL);
    take_down(world); /* two run, four wait: the two finish, the four are dropped, nothing leaks */
    ck_assert_int_eq(seen.finished, 2);
    sb_sleep(2 * SB_SECOND, NULL);
    int answered = 0;
    for (int i = 0; i < 6; i++) {
        ck_assert_int_ne(callers[i].status, SB_EMPTY);
        answered += callers[i].status == SB_OK;
    }
    ck_assert_int_eq(answered, 2);
    sb_exchange_close(exchange);
}

START_TEST(close_waits_for_handlers_and_drops_the_rest)
{
    const ending end = run_once(close_server, NULL);
    must_pass(&end);
}
END_TEST

static void close_client(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 100);
    sb_exchange *const exchange = open_caller();
    caller callers[5];
    for (int i = 0; i < 5; i++) {
        callers[i] = (caller){.exchange = exchange, .method = SILENT, .timeout = SB_FOREVER};
        sb_spawn(NULL, call_main, &callers[i], "caller-%d", i);
    }
    sb_sleep(20 * SB_MILLISECOND, NULL);
    sb_exchange_close(exchange);
    sb_sleep(SB_SECOND, NULL);
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(callers[i].status, SB_CANCELED);
    }
    take_down(world);
}

START_TEST(close_fails_calls_in_flight)
{
    const ending end = run_once(close_client, NULL);
    must_pass(&end);
}
END_TEST

typedef struct bounded_caller {
    caller of;
    sb_scope scope;
} bounded_caller;

static void call_bounded(void *argument)
{
    bounded_caller *const one = argument;
    sb_reply reply;
    one->of.status = sb_call(one->of.exchange, SERVER, SILENT, NULL, 0, &reply, &one->scope);
}

static void close_after_cancel(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 100);
    bounded_caller one = {.of = {.exchange = open_caller()}};
    sb_scope_init(&one.scope, NULL, "call");
    sb_spawn(NULL, call_bounded, &one, "caller");
    sb_sleep(20 * SB_MILLISECOND, NULL);
    sb_scope_cancel(&one.scope); /* woken, and not yet out when the exchange goes */
    sb_exchange_close(one.of.exchange);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(one.of.status, SB_CANCELED);
    sb_scope_release(&one.scope);
    take_down(world);
}

/* A caller that is on its way out when the exchange closes touches it no more. */
START_TEST(close_overtakes_a_canceled_caller)
{
    const ending end = run_once(close_after_cancel, NULL);
    must_pass(&end);
}
END_TEST

/* A deadline that strikes at the very instant of the close, in whichever order. */
static void close_at_deadline(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 100);
    sb_exchange *const exchange = open_caller();
    caller callers[4];
    const sb_time start = sb_world_time(world);
    for (int i = 0; i < 4; i++) {
        callers[i] = (caller){.exchange = exchange,
                              .method = i < 2 ? SILENT : ECHO,
                              .timeout = i % 2 == 0 ? 2 * SB_MILLISECOND : SB_FOREVER};
        sb_spawn(NULL, call_main, &callers[i], "caller-%d", i);
    }
    sb_sleep(start + 2 * SB_MILLISECOND - sb_world_time(world), NULL);
    sb_exchange_close(exchange);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_ne(callers[0].status, SB_OK);
    ck_assert_int_eq(callers[1].status, SB_CANCELED);
    take_down(world);
}

START_TEST(close_meets_deadlines)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_RANDOM};
        const ending end = run_options(universe, &options, close_at_deadline, NULL);
        must_pass(&end);
    }
    sb_universe_close(universe);
}
END_TEST

/* ---------------------------------------------------------------------------- an evil network */

typedef struct tally {
    int ok, timeouts, resets, served, calls;
} tally;

static void rough(sb_world *world, void *context)
{
    tally *const sum = context;
    set_up(world, 4);
    const sb_network network = {.latency_min = SB_MILLISECOND,
                                .latency_max = 20 * SB_MILLISECOND,
                                .loss = 100000,
                                .reply_loss = 100000,
                                .duplicate = 200000,
                                .reset = 10000};
    sb_network_set(world, &network);
    sb_exchange *const exchange = open_caller();
    for (int i = 0; i < 50; i++) {
        char text[32];
        snprintf(text, sizeof(text), "call %d", i);
        const sb_status status = call_once(exchange, ECHO, text, 100 * SB_MILLISECOND);
        sum->calls++;
        sum->ok += status == SB_OK;
        sum->timeouts += status == SB_TIMEOUT;
        sum->resets += status == SB_RESET;
    }
    sb_world_heal(world);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(call_once(exchange, ECHO, "healed", SB_SECOND), SB_OK);
    sum->served += seen.served;
    sb_exchange_close(exchange);
    take_down(world);
}

/* Loss, duplicates, reorder and resets: each call ends once, with its own answer or an error; a
 * repeated request runs twice.  And the same run is the same run. */
START_TEST(calls_survive_the_network)
{
    sb_universe *const universe = open_universe(NULL);
    tally sum = {0};
    for (uint64_t seed = 1; seed <= 100; seed++) {
        const sb_world_options options = {.seed = seed};
        const ending one = run_options(universe, &options, rough, &sum);
        const ending other = run_options(universe, &options, rough, &sum);
        must_pass(&one);
        ck_assert_uint_eq(one.digest, other.digest);
    }
    ck_assert_int_eq(sum.ok + sum.timeouts + sum.resets, sum.calls);
    ck_assert_int_gt(sum.ok, sum.calls / 2);
    ck_assert_int_gt(sum.timeouts, 0);
    ck_assert_int_gt(sum.resets, 0);
    ck_assert_int_gt(sum.served, sum.ok);
    sb_universe_close(universe);
}
END_TEST

/* ----------------------------------------------------------------------------------- restarts */

/* What the client got: from a server that dies meanwhile, from one that is down, from one that is
 * back. */
static sb_status got[3];

static int three_calls(const sb_boot *boot)
{
    (void)boot;
    sb_exchange *const exchange = open_caller();
    got[0] = call_once(exchange, SLOW, "dies", 50 * SB_MILLISECOND);
    got[1] = call_once(exchange, ECHO, "down", SB_SECOND);
    sb_sleep(2 * SB_SECOND, NULL);
    got[2] = call_once(exchange, ECHO, "back", SB_SECOND);
    sb_exchange_close(exchange);
    return 0;
}

static void kill_server(sb_world *world, void *context)
{
    int *const resets = context;
    set_up(world, 100);
    ck_assert_uint_eq(sb_node_add(world, "client", "client", three_calls, NULL, 0), CLIENT);
    sb_node_boot(world, CLIENT);
    sb_sleep(20 * SB_MILLISECOND, NULL);
    sb_node_kill(world, SERVER);
    sb_sleep(SB_SECOND, NULL);
    sb_node_boot(world, SERVER);
    ck_assert(sb_node_wait_down(world, CLIENT, SB_FOREVER));
    ck_assert(got[0] == SB_RESET || got[0] == SB_TIMEOUT);
    ck_assert_int_eq(got[1], SB_RESET);
    ck_assert_int_eq(got[2], SB_OK);
    *resets += got[0] == SB_RESET;
    take_down(world);
}

/* A dead machine hangs up, or is silent; a call to one that is down fails at once. */
START_TEST(calls_to_the_dead_fail)
{
    sb_universe *const universe = open_universe(NULL);
    int resets = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, kill_server, &resets);
        must_pass(&end);
    }
    ck_assert_int_gt(resets, 0);
    ck_assert_int_lt(resets, 40);
    sb_universe_close(universe);
}
END_TEST

/* A client that calls once; its first life is killed while the answer is on its way. */
static int wrong_answers, right_answers;

static int client(const sb_boot *boot)
{
    (void)boot;
    const char *const text = seen.served == 0 ? "first" : "second";
    sb_exchange *const exchange = open_caller();
    sb_reply reply;
    if (sb_call(exchange, SERVER, SLOW, text, strlen(text), &reply, NULL) == SB_OK) {
        const bool right = reply.size == strlen(text) && memcmp(reply.data, text, reply.size) == 0;
        right_answers += right;
        wrong_answers += !right;
        sb_reply_release(&reply);
    }
    sb_exchange_close(exchange);
    return 0;
}

static void two_lives(sb_world *world, void *context)
{
    (void)context;
    right_answers = wrong_answers = 0;
    set_up(world, 100);
    ck_assert_uint_eq(sb_node_add(world, "client", "client", client, NULL, 0), CLIENT);
    sb_node_boot(world, CLIENT);
    sb_sleep(50 * SB_MILLISECOND, NULL); /* the request is being served */
    sb_node_kill(world, CLIENT);
    sb_node_boot(world, CLIENT);
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(seen.served, 2);
    ck_assert_int_eq(wrong_answers, 0);
    ck_assert_int_eq(right_answers, 1);
    take_down(world);
}

/* The answer to a call of a dead incarnation is no answer to the same call of the next. */
START_TEST(old_answers_match_no_new_call)
{
    const ending end = run_once(two_lives, NULL);
    must_pass(&end);
}
END_TEST

/* ------------------------------------------------------------------------------ foreign bytes */

static void foreign(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 100);
    unsigned char bytes[64];
    for (int i = 0; i < 200; i++) {
        const size_t size = sb_random(sizeof(bytes));
        for (size_t at = 0; at < size; at++) {
            bytes[at] = (unsigned char)sb_random(256);
        }
        if (i % 2 == 0) { /* with the right beginning */
            memcpy(bytes, "Call", 4);
            bytes[5] = 0;
            bytes[4] = (unsigned char)(1 + sb_random(3));
            bytes[7] = 1; /* a method it does not have */
        }
        sb_send(SERVER, bytes, size);
    }
    sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(seen.served, 0);
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    ck_assert_uint_eq(counts[SB_FAULT_FOREIGN].effective + counts[SB_FAULT_LATE_ANSWER].effective,
                      200);
    take_down(world);
}

/* What is no message of an exchange is dropped and counted. */
START_TEST(foreign_messages_are_dropped)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 10; seed++) {
        const sb_world_options options = {.seed = seed};
        const ending end = run_options(universe, &options, foreign, NULL);
        must_pass(&end);
    }
    sb_universe_close(universe);
}
END_TEST

/* ------------------------------------------------------------------------------------ nesting */

static void handler_asks(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 1); /* the server's only handler waits for a reply: replies still get through */
    ck_assert_uint_eq(sb_node_add(world, "client", "client", server, NULL, 0), CLIENT);
    sb_exchange *const of_server = seen.exchange;
    sb_node_boot(world, CLIENT);
    sb_sleep(SB_MILLISECOND, NULL);
    seen.exchange = of_server;
    sb_exchange *const exchange = open_caller();
    sb_reply reply;
    ck_assert_int_eq(sb_call(exchange, SERVER, ASK, "x", 1, &reply, NULL), SB_OK);
    ck_assert_int_eq(memcmp(reply.data, "from below", 10), 0);
    sb_reply_release(&reply);
    caller last = {.exchange = exchange, .method = SLOW, .timeout = SB_SECOND};
    sb_spawn(NULL, call_main, &last, "last");
    sb_sleep(10 * SB_MILLISECOND, NULL);
    sb_exchange_close(exchange);
    sb_sleep(SB_SECOND, NULL);
}

START_TEST(a_handler_may_call)
{
    const ending end = run_once(handler_asks, NULL);
    must_pass(&end);
}
END_TEST

static void wait_for_ever(sb_world *world, void *context)
{
    (void)context;
    set_up(world, 1);
    sb_exchange *const exchange = open_caller();
    sb_reply reply;
    sb_call(exchange, SERVER, SILENT, "x", 1, &reply, NULL);
}

/* A call without a deadline to one who does not answer: a deadlock that names method and peer. */
START_TEST(a_lost_call_is_named)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO};
    sb_world *const world = sb_world_reset(universe, &options, wait_for_ever, NULL);
    const ending end = ending_of(world, sb_world_run(world));
    must_find(&end, SB_FINDING_DEADLOCK, "");
    uint16_t lane = 0;
    sb_waiting_task task;
    ck_assert(sb_world_next_waiting(world, &lane, &task));
    ck_assert_str_eq(task.wait, "reply");
    ck_assert_str_eq(task.object, "silent");
    ck_assert_uint_eq(task.peer, SERVER);
    sb_universe_close(universe);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("call");
    TCase *const tests = tcase_create("call");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, calls_are_answered);
    tcase_add_test(tests, a_second_answer_is_a_finding);
    tcase_add_test(tests, concurrency_is_bounded);
    tcase_add_test(tests, close_waits_for_handlers_and_drops_the_rest);
    tcase_add_test(tests, close_fails_calls_in_flight);
    tcase_add_test(tests, close_overtakes_a_canceled_caller);
    tcase_add_test(tests, close_meets_deadlines);
    tcase_add_test(tests, calls_survive_the_network);
    tcase_add_test(tests, calls_to_the_dead_fail);
    tcase_add_test(tests, old_answers_match_no_new_call);
    tcase_add_test(tests, foreign_messages_are_dropped);
    tcase_add_test(tests, a_handler_may_call);
    tcase_add_test(tests, a_lost_call_is_named);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
