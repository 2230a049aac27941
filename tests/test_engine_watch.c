/*
 * Watches: news comes at once, once, and not from the dead; what was missed is caught up with or
 * told to be missed; and without any news jobs end all the same, later.
 */
#include <string.h>

#include "engine/ddl/submission.h"
#include "engine/placement/watches.h"
#include "engine/schema/table.h"
#include "engine/transaction/watch.h"
#include "tests/engine_cluster.h"

#define PATIENCE (2 * SB_SECOND)

/* ------------------------------------------------------------------------------- one at a time */

typedef struct listener {
    test_cluster in;
    cluster *of;
    session_id session;
    uint64_t revision;
    char heard[100]; /* keys, each with a blank behind it */
} listener;

static void note(void *context, slice key)
{
    listener *in = context;
    const size_t used = strlen(in->heard);
    snprintf(in->heard + used, sizeof(in->heard) - used, "%.*s ", (int)key.size,
             (const char *)key.data);
}

static engine_status listen(listener *in)
{
    in->heard[0] = '\0';
    return cluster_watch(in->of, in->session, &in->revision, PATIENCE, note, in, NULL);
}

static void ask_placement(listener *in, wire_method method, const buffer *request, sb_reply *reply)
{
    ck_assert_int_eq(cluster_ask(in->of, method, request, reply, NULL), ENGINE_OK);
    ck_assert_int_eq(reply_status_of(reply), REPLY_OK);
}

static session_id grant_for(listener *in, sb_address server, sb_duration ttl)
{
    buffer request;
    sb_reply reply;
    session_grant_reply got;
    buffer_init(&request);
    session_grant_request_encode(
        &(session_grant_request){.server = server, .nonce = server, .ttl = ttl}, &request);
    ask_placement(in, METHOD_SESSION_GRANT, &request, &reply);
    ck_assert(session_grant_reply_decode(&got, slice_of(reply.data, reply.size)));
    sb_reply_release(&reply);
    buffer_release(&request);
    return got.session;
}

static session_id grant(listener *in, sb_address server)
{
    return grant_for(in, server, 3600 * SB_SECOND);
}

static void revoke(listener *in, session_id session)
{
    buffer request;
    sb_reply reply;
    buffer_init(&request);
    session_revoke_request_encode(&(session_revoke_request){.session = session}, &request);
    ask_placement(in, METHOD_SESSION_REVOKE, &request, &reply);
    sb_reply_release(&reply);
    buffer_release(&request);
}

static void campaign(listener *in, session_id session)
{
    buffer request;
    sb_reply reply;
    buffer_init(&request);
    campaign_request_encode(&(campaign_request){.session = session}, &request);
    ask_placement(in, METHOD_CAMPAIGN, &request, &reply);
    sb_reply_release(&reply);
    buffer_release(&request);
}

static void publish(listener *in, const char *key)
{
    buffer request;
    sb_reply reply;
    buffer_init(&request);
    publish_request_encode(&(publish_request){.key = slice_of_string(key)}, &request);
    ask_placement(in, METHOD_PUBLISH, &request, &reply);
    sb_reply_release(&reply);
    buffer_release(&request);
}

static void publish_later(void *argument)
{
    listener *in = argument;
    (void)sb_sleep(SB_SECOND, NULL);
    publish(in, NEWS_JOBS);
}

/* What is told while somebody waits comes at once. */
static void check_waiting(listener *in)
{
    sb_wait_group teller;
    sb_wait_group_init(&teller, "teller");
    sb_spawn(&teller, publish_later, in, "teller");
    const sb_time asked = sb_monotonic_time();
    ck_assert_int_eq(listen(in), ENGINE_OK);
    ck_assert_str_eq(in->heard, "jobs ");
    ck_assert_uint_ge(sb_monotonic_time() - asked, SB_SECOND);
    ck_assert_uint_lt(sb_monotonic_time() - asked, SB_SECOND + SB_SECOND / 5);
    ck_assert_int_eq(sb_wait_group_wait(&teller, NULL), SB_OK);
    sb_wait_group_release(&teller);
    ck_assert_int_eq(listen(in), ENGINE_TIMEOUT); /* once */
}

/* What is told while nobody waits is found later, up to a number. */
static void check_missed(listener *in)
{
    publish(in, NEWS_JOBS);
    publish(in, NEWS_SCHEMA);
    ck_assert_int_eq(listen(in), ENGINE_OK);
    ck_assert_str_eq(in->heard, "jobs schema-version ");
    for (uint32_t i = 0; i < WATCH_EVENTS; i++) {
        publish(in, "x");
    }
    uint64_t known = in->revision;
    ck_assert_int_eq(listen(in), ENGINE_OK);
    in->revision = known;
    publish(in, "x");
    known = in->revision;
    ck_assert_int_eq(listen(in), ENGINE_TOO_OLD);
    ck_assert_uint_eq(in->revision, known + WATCH_EVENTS + 1);
    ck_assert_int_eq(listen(in), ENGINE_TIMEOUT);
}

/* The office tells of itself, when it is taken and when it gets free. */
static void check_owner(listener *in)
{
    const session_id other = grant(in, 6);
    campaign(in, other);
    ck_assert_int_eq(listen(in), ENGINE_OK);
    ck_assert_str_eq(in->heard, "owner ");
    campaign(in, in->session); /* in vain: nothing has changed */
    ck_assert_int_eq(listen(in), ENGINE_TIMEOUT);
    revoke(in, other);
    ck_assert_int_eq(listen(in), ENGINE_OK);
    ck_assert_str_eq(in->heard, "owner ");
    campaign(in, grant_for(in, 7, SB_SECOND));
    ck_assert_int_eq(listen(in), ENGINE_OK);
    (void)sb_sleep(2 * SB_SECOND, NULL); /* the first to ask after that is a watch */
    ck_assert_int_eq(listen(in), ENGINE_OK);
    ck_assert_str_eq(in->heard, "owner ");
}

/* A watch can fail as every other call. */
static void check_calls(listener *in)
{
    static const char *const points[] = {"watch-request-fails", "watch-reply-is-lost"};
    for (uint32_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        const uint64_t known = in->revision;
        publish(in, NEWS_JOBS);
        sb_failpoints_enable(in->in.world, points[i], 1000000);
        ck_assert_int_eq(listen(in), ENGINE_TIMEOUT);
        ck_assert_uint_eq(in->revision, known);
        sb_failpoints_enable(in->in.world, points[i], 0);
        ck_assert_int_eq(listen(in), ENGINE_OK);
        ck_assert_str_eq(in->heard, "jobs ");
    }
}

static void check_restart(listener *in)
{
    const uint64_t known = in->revision;
    sb_node_kill(in->in.world, in->in.placement);
    sb_node_boot(in->in.world, in->in.placement);
    engine_status status;
    while ((status = listen(in)) == ENGINE_TIMEOUT) { /* it is booting */
    }
    ck_assert_int_eq(status, ENGINE_TOO_OLD);
    ck_assert_uint_gt(in->revision, known);
    publish(in, NEWS_JOBS);
    ck_assert_int_eq(listen(in), ENGINE_OK);
}

static void revoke_later(void *argument)
{
    listener *in = argument;
    (void)sb_sleep(SB_SECOND, NULL);
    revoke(in, in->session);
    publish(in, NEWS_JOBS);
}

/* The watch of a session that ends vanishes, and there is none after that. */
static void check_dead(listener *in)
{
    sb_wait_group teller;
    sb_wait_group_init(&teller, "teller");
    sb_spawn(&teller, revoke_later, in, "teller");
    ck_assert_int_eq(listen(in), ENGINE_TIMEOUT);
    ck_assert_int_eq(sb_wait_group_wait(&teller, NULL), SB_OK);
    sb_wait_group_release(&teller);
    ck_assert_int_eq(listen(in), ENGINE_NOT_FOUND);
}

static void watch_world(sb_world *world, void *context)
{
    (void)context;
    listener *in = sb_alloc_zero(sizeof(*in));
    test_cluster_start(&in->in, world);
    in->of = test_cluster_open(&in->in);
    in->session = grant(in, 5);
    ck_assert_int_eq(listen(in), ENGINE_TOO_OLD); /* the present revision */
    ck_assert_uint_gt(in->revision, 0);
    check_waiting(in);
    check_missed(in);
    check_owner(in);
    check_calls(in);
    check_restart(in);
    check_dead(in);
    test_cluster_close(&in->in, in->of);
    sb_free(in);
}

START_TEST(test_watch)
{
    run_in_world(watch_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------- what it is for */

/* How long a job takes on servers that look for a new schema every 20 seconds. */
typedef struct hurry {
    sb_duration patience; /* 0: nobody listens */
    uint32_t lost;        /* answers to watches, of a million */
    sb_duration took;
} hurry;

static void load_one_row(cluster *of)
{
    table_definition table;
    buffer key, value;
    row one;
    transaction *in;
    table_define_sbtest(&table, 1);
    buffer_init(&key);
    buffer_init(&value);
    memset(&one, 0, sizeof(one));
    one.columns[SBTEST_ID].integer = 1;
    one.columns[SBTEST_C].bytes = slice_of_string("c");
    one.columns[SBTEST_PAD].bytes = slice_of_string("pad");
    row_key(&table, 1, &key);
    row_encode(&table, &one, &value);
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    ck_assert_int_eq(transaction_commit(in, NULL, NULL), ENGINE_OK);
    transaction_release(in);
    buffer_release(&key);
    buffer_release(&value);
}

static void hurry_world(sb_world *world, void *context)
{
    hurry *how = context;
    test_cluster in;
    boot_plan *plan = sb_alloc(sizeof(*plan));
    boot_plan_init(plan);
    plan->settings.schema_poll_interval = 20 * SB_SECOND;
    plan->settings.watch_patience = how->patience;
    test_cluster_start(&in, world);
    cluster *of = test_cluster_open(&in);
    load_one_row(of);
    sb_failpoints_enable(world, "watch-answer-is-lost", how->lost);
    test_cluster_start_servers(&in, &plan->settings);
    sb_free(plan);
    (void)sb_sleep(5 * SB_SECOND, NULL); /* they serve */
    const submit_job_request asked = {
        .nonce = 1,
        .table = 1,
        .index_count = 1,
        .indexes = {{.name = slice_of_string("k_1"), .column_count = 1, .columns = {SBTEST_K}}}};
    const sb_time submitted = sb_monotonic_time();
    const submit_job_reply job = job_submit(of, &asked, NULL);
    ck_assert_int_eq(job.answer, JOB_ANSWER_OK);
    job_status_reply told;
    do {
        (void)sb_sleep(SB_SECOND / 4, NULL);
        told = job_status(of, job.job, NULL);
    } while (!told.ended);
    ck_assert_int_eq(told.state, JOB_SYNCED);
    how->took = sb_monotonic_time() - submitted;
    test_cluster_stop_servers(&in);
    test_cluster_close(&in, of);
}

static sb_duration job_took(sb_duration patience, uint32_t lost)
{
    static hurry how;
    how = (hurry){.patience = patience, .lost = lost};
    run_in_world(hurry_world, &how, 1);
    return how.took;
}

/* With news the steps of a job do not wait for servers to look; without it, or when it is lost,
 * they do, and the job ends. */
START_TEST(test_hurry)
{
    const sb_duration heard = job_took(5 * SB_SECOND, 0), deaf = job_took(0, 0);
    const sb_duration lost = job_took(5 * SB_SECOND, 1000000);
    ck_assert_uint_lt(heard, 20 * SB_SECOND);
    ck_assert_uint_gt(deaf, 3 * heard);
    ck_assert_uint_gt(lost, 3 * heard);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine watch");
    TCase *group = tcase_create("watch");
    tcase_set_timeout(group, 300);
    tcase_add_loop_test(group, test_watch, 0, 5);
    tcase_add_test(group, test_hurry);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
