/*
 * Collection of garbage in a cluster: nobody sees a wrong value while it is at work and machines
 * die, whoever comes too late is told so, and a store does not grow.
 */
#include "engine/transaction/region_orders.h"
#include "engine/transaction/safe_point.h"
#include "tests/engine_cluster.h"

/* --------------------------------------------------------------------------------- in a cluster */

#define ACCOUNTS 6u
#define OPENING 100u
#define TRANSFERS 25u

/* Accounts, one or two to a region, whose sum never changes. */
typedef struct bank {
    test_cluster *in;
    cluster *of;
    uint32_t committed, too_old, rounds;
    bool closing;
} bank;

static slice account(char text[4], uint32_t number)
{
    static const char letters[] = "acegkt";
    text[0] = letters[number];
    return slice_of(text, 1);
}

static engine_status read_balance(transaction *in, uint32_t number, uint32_t *balance,
                                  sb_scope *scope)
{
    char text[4];
    buffer value;
    buffer_init(&value);
    const engine_status status = transaction_read(in, account(text, number), &value, scope);
    if (status == ENGINE_OK) {
        cursor at = cursor_of(buffer_slice(&value));
        *balance = cursor_u32(&at);
        ck_assert(cursor_finished(&at));
    }
    buffer_release(&value);
    return status;
}

static void write_balance(transaction *in, uint32_t number, uint32_t balance)
{
    char text[4];
    buffer value;
    buffer_init(&value);
    buffer_add_u32(&value, balance);
    transaction_put(in, account(text, number), buffer_slice(&value));
    buffer_release(&value);
}

static void transfer(bank *in)
{
    sb_scope scope;
    transaction *move;
    uint32_t rich = 0, poor = 0;
    const uint32_t from = below(ACCOUNTS), to = (from + 1 + below(ACCOUNTS - 1)) % ACCOUNTS;
    sb_scope_init_timeout(&scope, NULL, "transfer", 4 * SB_SECOND);
    if (transaction_begin(in->of, 1, &move, &scope) == ENGINE_OK) {
        (void)sb_sleep(sb_random(600 * SB_MILLISECOND), NULL);
        engine_status status = read_balance(move, from, &rich, &scope);
        if (status == ENGINE_OK) {
            status = read_balance(move, to, &poor, &scope);
        }
        ck_assert_int_ne(status, ENGINE_NOT_FOUND);
        if (status == ENGINE_OK) {
            const uint32_t amount = below(rich + 1);
            write_balance(move, from, rich - amount);
            write_balance(move, to, poor + amount);
            status = transaction_commit(move, NULL, &scope);
        } else {
            transaction_rollback(move);
        }
        in->committed += status == ENGINE_OK;
        in->too_old += status == ENGINE_TOO_OLD;
        transaction_release(move);
    }
    sb_scope_release(&scope);
}

static void check_total(bank *in)
{
    transaction *look;
    uint32_t total = 0;
    engine_status status = ENGINE_OK;
    ck_assert_int_eq(transaction_begin(in->of, 1, &look, NULL), ENGINE_OK);
    for (uint32_t i = 0; i < ACCOUNTS && status == ENGINE_OK; i++) {
        uint32_t balance = 0;
        status = read_balance(look, i, &balance, NULL);
        total += balance;
    }
    ck_assert(status == ENGINE_OK || status == ENGINE_TOO_OLD);
    ck_assert(status != ENGINE_OK || total == ACCOUNTS * OPENING);
    transaction_rollback(look);
    transaction_release(look);
}

static void teller_main(void *argument)
{
    bank *in = argument;
    for (uint32_t i = 0; i < TRANSFERS; i++) {
        transfer(in);
        check_total(in);
    }
}

/* One collection, as the owner does it, close behind the present. */
static engine_status collect(bank *in, timestamp *safe_point, sb_scope *scope)
{
    timestamp now;
    buffer holders;
    buffer_init(&holders);
    engine_status status = cluster_timestamp(in->of, &now, scope);
    if (status == ENGINE_OK) {
        status = cluster_advance_safe_point(in->of, now - timestamp_of_ms(200), safe_point,
                                            &holders, scope);
    }
    sb_address stores[TEST_STORES];
    for (uint32_t i = 0; i < TEST_STORES; i++) {
        stores[i] = (sb_address)in->in->stores[i];
    }
    if (status == ENGINE_OK) {
        status = cluster_guard(in->of, stores, TEST_STORES, *safe_point, scope);
    }
    if (status == ENGINE_OK) {
        status = cluster_resolve_locks(in->of, *safe_point, scope);
    }
    if (status == ENGINE_OK) {
        status = cluster_collect(in->of, *safe_point, scope);
    }
    buffer_release(&holders);
    return status;
}

static void collector_main(void *argument)
{
    bank *in = argument;
    while (!in->closing) {
        sb_scope scope;
        timestamp safe_point;
        sb_scope_init_timeout(&scope, NULL, "collection", 10 * SB_SECOND);
        in->rounds += collect(in, &safe_point, &scope) == ENGINE_OK;
        sb_scope_release(&scope);
        (void)sb_sleep(sb_random(400 * SB_MILLISECOND), NULL);
    }
}

/* Regions split and move, machines are killed. */
static void make_trouble(bank *in)
{
    const sb_network network = {.latency_min = SB_MILLISECOND,
                                .latency_max = 10 * SB_MILLISECOND,
                                .loss = 10000,
                                .reply_loss = 10000,
                                .duplicate = 50000};
    sb_network_set(in->in->world, &network);
    sb_failpoints_enable(in->in->world, "transaction-locks-are-left-behind", 300000);
    sb_failpoints_enable(in->in->world, "storage-collects-in-part", 300000);
    for (uint32_t i = 0; i < 8; i++) {
        char text[4];
        sb_scope scope;
        const sb_node node = in->in->stores[below(TEST_STORES)];
        sb_scope_init_timeout(&scope, NULL, "order", SB_SECOND);
        const sb_address to = (sb_address)(2 + below(TEST_STORES));
        (void)cluster_move_leader(in->of, account(text, below(ACCOUNTS)), to, &scope);
        sb_scope_release(&scope);
        (void)sb_sleep(sb_random(2 * SB_SECOND), NULL);
        sb_node_kill(in->in->world, node);
        (void)sb_sleep(sb_random(SB_SECOND), NULL);
        sb_node_boot(in->in->world, node);
    }
    sb_world_heal(in->in->world);
}

static void bank_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    sb_wait_group tellers, collector;
    transaction *opening;
    test_cluster_start(&in, world);
    bank of = {.in = &in, .of = test_cluster_open(&in)};
    ck_assert_int_eq(transaction_begin(of.of, 1, &opening, NULL), ENGINE_OK);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        write_balance(opening, i, OPENING);
    }
    ck_assert_int_eq(transaction_commit(opening, NULL, NULL), ENGINE_OK);
    transaction_release(opening);
    sb_wait_group_init(&tellers, "tellers");
    sb_wait_group_init(&collector, "collector");
    sb_spawn(&collector, collector_main, &of, "collector");
    for (uint32_t i = 0; i < 3; i++) {
        sb_spawn(&tellers, teller_main, &of, "teller");
    }
    make_trouble(&of);
    ck_assert_int_eq(sb_wait_group_wait(&tellers, NULL), SB_OK);
    of.closing = true;
    ck_assert_int_eq(sb_wait_group_wait(&collector, NULL), SB_OK);
    sb_wait_group_release(&tellers);
    sb_wait_group_release(&collector);
    check_total(&of);
    ck_assert_uint_gt(of.committed, 0);
    ck_assert_uint_gt(of.too_old, 0);
    ck_assert_uint_gt(of.rounds, 0);
    test_cluster_close(&in, of.of);
}

/* Nobody sees a wrong sum while garbage is collected at the heels of transactions, some of which
 * leave their locks behind; some are told that they are too old. */
START_TEST(test_bank)
{
    run_in_world(bank_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ---------------------------------------------------------------------------------- who is late */

static reply_status ask_store(bank *of, const char *key, wire_method method, buffer *request,
                              void encode(const region_context *where, slice key, buffer *into))
{
    route way;
    sb_reply reply;
    route_init(&way, of->of, NULL);
    ck_assert_int_eq(route_find(&way, slice_of_string(key)), ENGINE_OK);
    const region_context where = {way.region->id, way.region->epoch};
    encode(&where, slice_of_string(key), request);
    ck_assert(route_send(&way, method, request, &reply));
    const reply_status said = reply_status_of(&reply);
    sb_reply_release(&reply);
    route_release(&way);
    return said;
}

static timestamp late_start; /* of the transaction that comes late */

static void encode_late_commit(const region_context *where, slice key, buffer *into)
{
    packing keys;
    packing_init(&keys);
    pack_key(&keys, key);
    const commit_request ask = {.region = *where,
                                .is_primary = true,
                                .start = late_start,
                                .commit = late_start + 1,
                                .keys = packing_list(&keys)};
    commit_request_encode(&ask, into);
    packing_release(&keys);
}

static void encode_late_rollback(const region_context *where, slice key, buffer *into)
{
    packing keys;
    packing_init(&keys);
    pack_key(&keys, key);
    const rollback_request ask = {
        .region = *where, .start = late_start, .keys = packing_list(&keys)};
    rollback_request_encode(&ask, into);
    packing_release(&keys);
}

static void encode_late_question(const region_context *where, slice key, buffer *into)
{
    const check_status_request ask = {.region = *where,
                                      .primary = key,
                                      .start = late_start,
                                      .now = TIMESTAMP_MAX - 1,
                                      .rollback_if_missing = true};
    check_status_request_encode(&ask, into);
}

static void late_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    transaction *early, *late;
    timestamp safe_point, committed;
    buffer request;
    slice value;
    test_cluster_start(&in, world);
    bank of = {.in = &in, .of = test_cluster_open(&in)};
    buffer_init(&request);
    for (uint32_t i = 0; i < 2; i++) { /* the first version is garbage later */
        ck_assert_int_eq(transaction_begin(of.of, 1, &early, NULL), ENGINE_OK);
        transaction_put(early, slice_of_string("a"), slice_of_string(i == 0 ? "1" : "2"));
        late_start = i == 0 ? transaction_start(early) : late_start;
        ck_assert_int_eq(transaction_commit(early, &committed, NULL), ENGINE_OK);
        transaction_release(early);
    }
    ck_assert_int_eq(transaction_begin(of.of, 1, &late, NULL), ENGINE_OK);
    ck_assert_uint_eq(cluster_oldest_start(of.of), transaction_start(late));
    (void)sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(collect(&of, &safe_point, NULL), ENGINE_OK);
    ck_assert_uint_gt(safe_point, transaction_start(late));
    ck_assert_int_eq(cluster_get(of.of, safe_point, slice_of_string("a"), &value, NULL), ENGINE_OK);
    ck_assert(slice_equal(value, slice_of_string("2")));
    sb_free((void *)(uintptr_t)value.data);
    ck_assert_int_eq(cluster_get(of.of, safe_point - 1, slice_of_string("a"), &value, NULL),
                     ENGINE_TOO_OLD);
    transaction_put(late, slice_of_string("c"), slice_of_string("3"));
    ck_assert_int_eq(transaction_commit(late, NULL, NULL), ENGINE_TOO_OLD);
    transaction_release(late);
    ck_assert_uint_eq(cluster_oldest_start(of.of), 0);
    /* Its record was collected: neither "never happened" nor "rolled back" would be true. */
    ck_assert_int_eq(ask_store(&of, "a", METHOD_COMMIT, &request, encode_late_commit),
                     REPLY_TOO_OLD);
    ck_assert_int_eq(ask_store(&of, "a", METHOD_ROLLBACK, &request, encode_late_rollback),
                     REPLY_TOO_OLD);
    ck_assert_int_eq(ask_store(&of, "a", METHOD_CHECK_STATUS, &request, encode_late_question),
                     REPLY_TOO_OLD);
    ck_assert_int_eq(cluster_hold_safe_point(of.of, 1, safe_point - 1, NULL), ENGINE_TOO_OLD);
    ck_assert_int_eq(cluster_hold_safe_point(of.of, 1, safe_point, NULL), ENGINE_OK);
    const timestamp held = safe_point;
    (void)sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(collect(&of, &safe_point, NULL), ENGINE_OK);
    ck_assert_uint_eq(safe_point, held);
    for (uint32_t i = 0; i < TEST_STORES; i++) { /* the guard outlives a crash */
        sb_node_kill(world, in.stores[i]);
        sb_node_boot(world, in.stores[i]);
    }
    ck_assert_int_eq(cluster_get(of.of, safe_point - 1, slice_of_string("a"), &value, NULL),
                     ENGINE_TOO_OLD);
    buffer_release(&request);
    test_cluster_close(&in, of.of);
}

/* Whatever comes from below the safe point is told that it is too old, also by a store that has
 * crashed since. */
START_TEST(test_late)
{
    run_in_world(late_world, NULL, 1);
}
END_TEST

/* ----------------------------------------------------------------------------------- left locks */

static void write_both(bank *of, const char *first, const char *second, const char *value)
{
    transaction *writing;
    ck_assert_int_eq(transaction_begin(of->of, 1, &writing, NULL), ENGINE_OK);
    transaction_put(writing, slice_of_string(first), slice_of_string(value));
    if (second != NULL) {
        transaction_put(writing, slice_of_string(second), slice_of_string(value));
    }
    ck_assert_int_eq(transaction_commit(writing, NULL, NULL), ENGINE_OK);
    transaction_release(writing);
}

static void left_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    timestamp safe_point;
    slice value = {NULL, 0};
    sb_scope patience;
    test_cluster_start(&in, world);
    bank of = {.in = &in, .of = test_cluster_open(&in)};
    sb_failpoints_enable(world, "transaction-locks-are-left-behind", 1000000);
    write_both(&of, "a", "c", "1"); /* c stays locked */
    write_both(&of, "a", NULL, "2");
    (void)sb_sleep(SB_SECOND, NULL);
    ck_assert_int_eq(collect(&of, &safe_point, NULL), ENGINE_OK);
    sb_scope_init_timeout(&patience, NULL, "read", 10 * SB_SECOND);
    ck_assert_int_eq(cluster_get(of.of, TIMESTAMP_MAX, slice_of_string("c"), &value, &patience),
                     ENGINE_OK);
    ck_assert(slice_equal(value, slice_of_string("1")));
    sb_free((void *)(uintptr_t)value.data);
    sb_scope_release(&patience);
    test_cluster_close(&in, of.of);
}

/* A record that a lock still needs is not collected before the lock is resolved. */
START_TEST(test_left_lock)
{
    run_in_world(left_world, NULL, 1);
}
END_TEST

/* -------------------------------------------------------------------------------------- bounded */

static void add_size(void *context, const char *path, const unsigned char *data, size_t size)
{
    (void)path;
    (void)data;
    *(size_t *)context += size;
}

/* What the stores' disks hold after one key of each region has been written so often. */
static size_t written_so_often(bank *of, uint32_t times, bool collects)
{
    size_t size = 0;
    for (uint32_t i = 0; i < times; i++) {
        transaction *writing;
        ck_assert_int_eq(transaction_begin(of->of, 1, &writing, NULL), ENGINE_OK);
        for (uint32_t j = 0; j < ACCOUNTS; j++) {
            write_balance(writing, j, i);
        }
        ck_assert_int_eq(transaction_commit(writing, NULL, NULL), ENGINE_OK);
        transaction_release(writing);
        if (collects && i % 50 == 49) {
            timestamp safe_point;
            (void)sb_sleep(300 * SB_MILLISECOND, NULL);
            ck_assert_int_eq(collect(of, &safe_point, NULL), ENGINE_OK);
        }
    }
    (void)sb_sleep(SB_SECOND, NULL);
    for (uint32_t i = 0; i < TEST_STORES; i++) {
        sb_disk_list_durable(of->in->world, of->in->stores[i], add_size, &size);
    }
    return size;
}

typedef struct measure {
    uint32_t times;
    bool collects;
    size_t size;
} measure;

static void bounded_world(sb_world *world, void *context)
{
    measure *into = context;
    test_cluster in;
    boot_plan *plan = sb_alloc(sizeof(*plan));
    boot_plan_init(plan);
    plan->settings.checkpoint_log_size = 4096;
    test_cluster_start_with(&in, world, &plan->settings);
    sb_free(plan);
    bank of = {.in = &in, .of = test_cluster_open(&in)};
    into->size = written_so_often(&of, into->times, into->collects);
    test_cluster_close(&in, of.of);
}

static size_t measured(uint32_t times, bool collects)
{
    static measure of;
    of = (measure){.times = times, .collects = collects};
    run_in_world(bounded_world, &of, 1);
    return of.size;
}

/* A store that is written for long takes the room of what can be read, not of what was written. */
START_TEST(test_bounded)
{
    const size_t little = measured(200, true), much = measured(800, true);
    const size_t kept = measured(800, false);
    ck_assert_uint_lt(much, 2 * little);
    ck_assert_uint_gt(kept, 3 * much);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine collection");
    TCase *group = tcase_create("collection");
    tcase_set_timeout(group, 300);
    tcase_add_loop_test(group, test_bank, 0, 10);
    tcase_add_test(group, test_late);
    tcase_add_test(group, test_left_lock);
    tcase_add_test(group, test_bounded);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
