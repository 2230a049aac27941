/*
 * Transactions from the client's side: the write set and the region map by themselves, then
 * snapshot isolation over a real placement and real stores, with and without misfortune.
 */
#include <stdio.h>
#include <string.h>

#include "engine/transaction/region_orders.h"
#include "engine/transaction/writes.h"
#include "tests/engine_cluster.h"

#define ACCOUNTS 12u
#define OPENING 100u
#define TELLERS 4u
#define TRANSFERS 25u

static slice letters(char text[4], uint32_t number)
{
    text[0] = (char)('a' + number);
    return slice_of(text, 1);
}

/* ---------------------------------------------------------------------------------- write set */

typedef struct model_write {
    bool there;
    mutation_kind kind;
    uint8_t value;
} model_write;

/* Every key is there with its last put or delete, in order, and a batch holds just its region's. */
static void check_writes(const write_set *writes, const model_write model[26])
{
    uint32_t count = 0;
    char text[4];
    for (uint32_t i = 0; i < 26; i++) {
        const buffered_write *found = write_set_find(writes, letters(text, i));
        ck_assert((found != NULL) == model[i].there);
        if (found == NULL) {
            continue;
        }
        ck_assert_ptr_eq(found, &writes->items[count++]);
        ck_assert_int_eq(found->kind, model[i].kind);
        ck_assert_uint_eq(found->value_size, model[i].kind == MUTATION_PUT);
        ck_assert(found->value_size == 0 || write_value(found).data[0] == model[i].value);
    }
    ck_assert_uint_eq(count, writes->count);
}

static void check_batch(const write_set *writes)
{
    char low[4], high[4];
    const uint32_t anchor = below(writes->count);
    const uint32_t at = (uint32_t)(write_key(&writes->items[anchor]).data[0] - 'a');
    const region_description region = {.id = 1,
                                       .start = letters(low, at - below(at + 1)),
                                       .end = letters(high, at + 1 + below(26 - at))};
    const batch part = write_set_batch(writes, &region, anchor);
    ck_assert(part.low <= anchor && anchor < part.high);
    for (uint32_t i = 0; i < writes->count; i++) {
        const bool inside = key_in_range(write_key(&writes->items[i]), region.start, region.end);
        ck_assert_int_eq(inside, i >= part.low && i < part.high);
    }
}

static void writes_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    for (uint32_t round = 0; round < 300; round++) {
        write_set writes = {0};
        model_write model[26] = {0};
        int32_t primary = -1;
        char text[4];
        for (uint32_t i = 0; i < 1 + below(40); i++) {
            const uint32_t at = below(26);
            const mutation_kind kind = (mutation_kind)below(MUTATION_KIND_COUNT);
            const uint8_t value = (uint8_t)below(256);
            write_set_add(&writes, kind, letters(text, at),
                          slice_of(&value, kind == MUTATION_PUT ? 1 : 0));
            primary = primary < 0 && kind != MUTATION_LOCK ? (int32_t)at : primary;
            if (!model[at].there || kind != MUTATION_LOCK) {
                model[at] = (model_write){true, kind, value};
            }
        }
        check_writes(&writes, model);
        check_batch(&writes);
        const slice chosen = write_key(&writes.items[write_set_primary(&writes)]);
        ck_assert(primary < 0 || chosen.data[0] == (unsigned char)('a' + primary));
        write_set_release(&writes);
    }
}

START_TEST(test_write_set)
{
    run_in_world(writes_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* --------------------------------------------------------------------------------- region map */

static region_map *map_of(const region_description *regions, uint32_t count, uint32_t without)
{
    packing list;
    packing_init(&list);
    for (uint32_t i = 0; i < count; i++) {
        if (i != without) {
            pack_region(&list, &regions[i]);
        }
    }
    region_map *map = region_map_make(packing_list(&list));
    packing_release(&list);
    return map;
}

static void map_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    const region_description regions[] = {
        {1, 1, slice_of("", 0), slice_of_string("g"), 4, 0},
        {2, 1, slice_of_string("g"), slice_of_string("p"), 5, 0},
        {3, 1, slice_of_string("p"), slice_of("", 0), 6, 0},
    };
    region_map *map = map_of(regions, 3, 3);
    ck_assert_ptr_nonnull(map);
    ck_assert_uint_eq(region_map_find(map, slice_of("", 0))->id, 1);
    ck_assert_uint_eq(region_map_find(map, slice_of_string("fzz"))->id, 1);
    ck_assert_uint_eq(region_map_find(map, slice_of_string("g"))->id, 2);
    ck_assert_uint_eq(region_map_find(map, slice_of_string("p"))->id, 3);
    ck_assert_uint_eq(region_map_find(map, slice_of_string("zz"))->id, 3);
    region_map_release(map);
    for (uint32_t without = 0; without < 3; without++) {
        ck_assert_ptr_null(map_of(regions, 3, without));
    }
    ck_assert_ptr_null(map_of(regions, 0, 0));
    region_description overlapping[] = {regions[0], regions[1], regions[2]};
    overlapping[2].start = slice_of_string("o");
    ck_assert_ptr_null(map_of(overlapping, 3, 3));
}

/* A map with a hole or an overlap is never taken. */
START_TEST(test_region_map)
{
    run_in_world(map_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------- one client at rest */

static transaction *begin(cluster *of)
{
    transaction *begun;
    ck_assert_int_eq(transaction_begin(of, 1, &begun, NULL), ENGINE_OK);
    return begun;
}

static engine_status commit(transaction *of)
{
    const engine_status status = transaction_commit(of, NULL, NULL);
    transaction_release(of);
    return status;
}

static void put(transaction *in, const char *key, const char *value)
{
    transaction_put(in, slice_of_string(key), slice_of_string(value));
}

/* The values of a range as one string, for comparing: "k=v k=v |next". */
static const char *seen(transaction *in, const char *start, const char *end, uint32_t limit,
                        char text[200])
{
    pair_list found;
    int size = 0;
    ck_assert_int_eq(
        transaction_scan(in, slice_of_string(start), slice_of_string(end), limit, &found, NULL),
        ENGINE_OK);
    text[0] = 0;
    for (uint32_t i = 0; i < found.count; i++) {
        const pair *one = &found.pairs[i];
        size += snprintf(text + size, (size_t)(200 - size), "%.*s=%.*s ", (int)one->key.size,
                         (const char *)one->key.data, (int)one->value.size,
                         (const char *)one->value.data);
    }
    if (found.more) {
        snprintf(text + size, (size_t)(200 - size), "|%.*s", (int)found.next.size,
                 (const char *)found.next.data);
    }
    pair_list_release(&found);
    return text;
}

static void check_own_writes(cluster *of)
{
    char text[200];
    transaction *first = begin(of);
    put(first, "a", "1");
    put(first, "c", "1");
    put(first, "e", "1");
    put(first, "g", "1");
    ck_assert_int_eq(commit(first), ENGINE_OK);

    transaction *own = begin(of);
    put(own, "b", "2");
    put(own, "c", "2");
    transaction_delete(own, slice_of_string("e"));
    transaction_lock(own, slice_of_string("g"));
    transaction_lock(own, slice_of_string("f"));
    ck_assert_str_eq(seen(own, "a", "z", 9, text), "a=1 b=2 c=2 g=1 ");
    ck_assert_str_eq(seen(own, "a", "z", 2, text), "a=1 b=2 |c");
    ck_assert_str_eq(seen(own, "b", "c", 9, text), "b=2 ");
    slice value;
    ck_assert_int_eq(transaction_get(own, slice_of_string("e"), &value, NULL), ENGINE_NOT_FOUND);
    ck_assert_int_eq(transaction_get(own, slice_of_string("g"), &value, NULL), ENGINE_OK);
    sb_free((void *)(uintptr_t)value.data);

    transaction *other = begin(of);
    ck_assert_str_eq(seen(other, "a", "z", 9, text), "a=1 c=1 e=1 g=1 ");
    ck_assert_int_eq(commit(own), ENGINE_OK);
    ck_assert_str_eq(seen(other, "a", "z", 9, text), "a=1 c=1 e=1 g=1 ");
    ck_assert_int_eq(commit(other), ENGINE_OK);
    other = begin(of);
    ck_assert_str_eq(seen(other, "a", "z", 9, text), "a=1 b=2 c=2 g=1 ");
    transaction_rollback(other);
    transaction_release(other);
}

static void check_conflicts(cluster *of)
{
    transaction *one = begin(of), *two = begin(of), *three = begin(of);
    put(one, "a", "one");
    put(two, "h", "two");
    put(two, "a", "two");
    transaction_lock(three, slice_of_string("a")); /* writes nothing, and conflicts all the same */
    put(three, "k", "three");
    ck_assert_int_eq(commit(one), ENGINE_OK);
    ck_assert_int_eq(commit(two), ENGINE_CONFLICT);
    ck_assert_int_eq(commit(three), ENGINE_CONFLICT);
    slice value;
    ck_assert_int_eq(cluster_get(of, TIMESTAMP_MAX, slice_of_string("h"), &value, NULL),
                     ENGINE_NOT_FOUND);
    ck_assert_int_eq(cluster_get(of, TIMESTAMP_MAX, slice_of_string("k"), &value, NULL),
                     ENGINE_NOT_FOUND);
}

static void quiet_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    test_cluster_start(&in, world);
    cluster *of = test_cluster_open(&in);
    check_own_writes(of);
    check_conflicts(of);
    test_cluster_close(&in, of);
}

/* Reads see a snapshot and the transaction's own writes; of two that write a key, one commits. */
START_TEST(test_snapshots_and_conflicts)
{
    run_in_world(quiet_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ tellers */

typedef struct bank {
    sb_world *world;
    cluster *of;
    sb_wait_group tellers;
    uint32_t committed, unknown;
    bool closing;
} bank;

static slice account(char text[4], uint32_t number)
{
    text[0] = (char)('a' + number);
    text[1] = '-';
    return slice_of(text, 2);
}

static uint32_t balance_of(slice value)
{
    cursor at = cursor_of(value);
    return cursor_u32(&at);
}

static engine_status read_balance(transaction *in, uint32_t number, uint32_t *balance)
{
    char text[4];
    buffer value;
    buffer_init(&value);
    const engine_status status = transaction_read(in, account(text, number), &value, NULL);
    *balance = status == ENGINE_OK ? balance_of(buffer_slice(&value)) : 0;
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

/* At every snapshot the money is all there. */
static void check_total(bank *in)
{
    transaction *reader = begin(in->of);
    pair_list found;
    uint64_t total = 0;
    ck_assert_int_eq(transaction_scan(reader, slice_of_string("a"), slice_of_string("z"), ACCOUNTS,
                                      &found, NULL),
                     ENGINE_OK);
    ck_assert_uint_eq(found.count, ACCOUNTS);
    for (uint32_t i = 0; i < found.count; i++) {
        total += balance_of(found.pairs[i].value);
    }
    ck_assert_uint_eq(total, ACCOUNTS * OPENING);
    pair_list_release(&found);
    ck_assert_int_eq(commit(reader), ENGINE_OK);
}

static void transfer(bank *in)
{
    const uint32_t from = below(ACCOUNTS), to = (from + 1 + below(ACCOUNTS - 1)) % ACCOUNTS;
    uint32_t rich = 0, poor = 0;
    transaction *move = begin(in->of);
    ck_assert_int_eq(read_balance(move, from, &rich), ENGINE_OK);
    ck_assert_int_eq(read_balance(move, to, &poor), ENGINE_OK);
    const uint32_t amount = below(rich + 1);
    write_balance(move, from, rich - amount);
    write_balance(move, to, poor + amount);
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "transfer", SB_SECOND * (1 + below(4)));
    const engine_status status = transaction_commit(move, NULL, &scope);
    sb_scope_release(&scope);
    transaction_release(move);
    in->committed += status == ENGINE_OK;
    in->unknown += status == ENGINE_UNKNOWN;
    ck_assert(status == ENGINE_OK || status == ENGINE_UNKNOWN || status == ENGINE_CONFLICT ||
              status == ENGINE_TIMEOUT);
}

static void teller_main(void *argument)
{
    bank *in = argument;
    for (uint32_t i = 0; i < TRANSFERS; i++) {
        transfer(in);
        if (below(4) == 0) {
            check_total(in);
        }
        (void)sb_sleep(sb_random(200 * SB_MILLISECOND), NULL);
    }
}

static void open_accounts(bank *in)
{
    transaction *opening = begin(in->of);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        write_balance(opening, i, OPENING);
    }
    ck_assert_int_eq(commit(opening), ENGINE_OK);
}

/* Regions split, merge and move under the tellers' feet. */
static void mover_main(void *argument)
{
    bank *in = argument;
    while (!in->closing) {
        char text[4];
        const slice key = account(text, below(ACCOUNTS));
        const uint32_t order = below(4);
        sb_scope scope;
        sb_scope_init_timeout(&scope, NULL, "order", SB_SECOND);
        if (order == 0) {
            (void)cluster_split_region(in->of, key, &scope);
        } else if (order == 1) {
            (void)cluster_merge_regions(in->of, key, &scope);
        } else {
            (void)cluster_move_leader(in->of, key, (sb_address)(2 + below(TEST_STORES)), &scope);
        }
        sb_scope_release(&scope);
        (void)sb_sleep(sb_random(300 * SB_MILLISECOND), NULL);
    }
}

/* Lose, repeat and reset; kill machines, one at a time. */
static void make_trouble(test_cluster *in)
{
    const sb_network network = {.latency_min = SB_MILLISECOND,
                                .latency_max = 10 * SB_MILLISECOND,
                                .tail = true,
                                .tail_max = 6,
                                .loss = 20000,
                                .reply_loss = 20000,
                                .duplicate = 50000,
                                .reset = 2000};
    sb_network_set(in->world, &network);
    for (uint32_t i = 0; i < 6; i++) {
        const uint32_t victim = below(TEST_STORES + 1);
        const sb_node node = victim < TEST_STORES ? in->stores[victim] : in->placement;
        (void)sb_sleep(sb_random(2 * SB_SECOND), NULL);
        sb_node_kill(in->world, node);
        (void)sb_sleep(sb_random(SB_SECOND), NULL);
        sb_node_boot(in->world, node);
    }
    sb_world_heal(in->world);
}

static void run_tellers(test_cluster *in, bank *tellers, bool trouble)
{
    sb_wait_group_init(&tellers->tellers, "tellers");
    for (uint32_t i = 0; i < TELLERS; i++) {
        sb_spawn(&tellers->tellers, teller_main, tellers, "teller-%u", i);
    }
    sb_wait_group mover;
    sb_wait_group_init(&mover, "mover");
    if (trouble) {
        sb_spawn(&mover, mover_main, tellers, "mover");
        make_trouble(in);
    }
    sb_wait_group_wait(&tellers->tellers, NULL);
    tellers->closing = true;
    sb_wait_group_wait(&mover, NULL);
    sb_wait_group_release(&mover);
    check_total(tellers);
    sb_wait_group_release(&tellers->tellers);
    ck_assert_uint_gt(tellers->committed, TRANSFERS / 2);
}

/* --------------------------------------------------------------------------------- versions */

static timestamp write_all(cluster *of, bool deletes)
{
    transaction *in;
    timestamp committed;
    char text[4];
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    for (uint32_t i = 0; i < ACCOUNTS; i += 2) {
        if (deletes) {
            transaction_delete(in, letters(text, i));
        } else {
            transaction_put(in, letters(text, i), slice_of(text, 1));
        }
    }
    ck_assert_int_eq(transaction_commit(in, &committed, NULL), ENGINE_OK);
    transaction_release(in);
    return committed;
}

/* Keys in any order, in several regions; those at odd places were never written. */
static void check_versions(cluster *of, timestamp at, timestamp commit, bool there)
{
    char texts[ACCOUNTS][4];
    slice keys[ACCOUNTS];
    version_list found;
    const uint32_t shift = below(ACCOUNTS);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        keys[i] = letters(texts[i], (i + shift) % ACCOUNTS);
    }
    ck_assert_int_eq(cluster_read_versions(of, at, keys, ACCOUNTS, &found, NULL), ENGINE_OK);
    ck_assert_uint_eq(found.count, ACCOUNTS);
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        const bool written = (i + shift) % ACCOUNTS % 2 == 0;
        const key_version *one = &found.versions[i];
        ck_assert_uint_eq(one->commit, written ? commit : 0);
        ck_assert_int_eq(one->there, written && there);
        ck_assert(!one->there || slice_equal(one->value, keys[i]));
    }
    version_list_release(&found);
}

/* Its own writes lie over what is stored, and are later than everything. */
static void check_own_versions(cluster *of, timestamp deleted)
{
    transaction *in;
    char a[4], b[4], c[4];
    const slice keys[3] = {letters(a, 2), letters(b, 0), letters(c, 4)};
    version_list found;
    ck_assert_int_eq(transaction_begin(of, 0, &in, NULL), ENGINE_OK);
    transaction_put(in, keys[0], slice_of_string("own"));
    transaction_delete(in, keys[2]);
    transaction_lock(in, keys[1]);
    ck_assert_int_eq(transaction_read_versions(in, keys, 3, &found, NULL), ENGINE_OK);
    ck_assert(found.versions[0].there && found.versions[0].commit == TIMESTAMP_MAX);
    ck_assert(slice_equal(found.versions[0].value, slice_of_string("own")));
    ck_assert(!found.versions[1].there && found.versions[1].commit == deleted);
    ck_assert(!found.versions[2].there && found.versions[2].commit == TIMESTAMP_MAX);
    version_list_release(&found);
    transaction_rollback(in);
    transaction_release(in);
}

static void versions_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    test_cluster_start(&in, world);
    cluster *of = test_cluster_open(&in);
    timestamp before;
    ck_assert_int_eq(cluster_timestamp(of, &before, NULL), ENGINE_OK);
    const timestamp put = write_all(of, false), deleted = write_all(of, true);
    check_versions(of, before, 0, false);
    check_versions(of, put, put, true);
    check_versions(of, deleted - 1, put, true);
    check_versions(of, TIMESTAMP_MAX, deleted, false);
    check_own_versions(of, deleted);
    test_cluster_close(&in, of);
}

/* A read of several keys tells when each was written or deleted. */
START_TEST(test_versions)
{
    run_in_world(versions_world, NULL, (uint64_t)_i + 1);
}
END_TEST

static void troubled_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    test_cluster_start(&in, world);
    bank tellers = {.world = world, .of = test_cluster_open(&in)};
    open_accounts(&tellers);
    run_tellers(&in, &tellers, true);
    test_cluster_close(&in, tellers.of);
}

/* No transfer is half there, at any snapshot, whatever happens to messages, machines and regions.
 */
START_TEST(test_transfers_under_misfortune)
{
    run_in_world(troubled_world, NULL, (uint64_t)_i + 1);
}
END_TEST

static void failpoints_world(sb_world *world, void *context)
{
    (void)context;
    test_cluster in;
    test_cluster_start(&in, world);
    bank tellers = {.world = world, .of = test_cluster_open(&in)};
    open_accounts(&tellers);
    sb_failpoints_enable(world, "transaction-locks-are-left-behind", 500000);
    sb_failpoints_enable(world, "commit-outcome-is-lost", 100000);
    run_tellers(&in, &tellers, false);
    ck_assert_uint_gt(tellers.unknown, 0);
    test_cluster_close(&in, tellers.of);
}

/* Locks of transactions that nobody finishes are finished, rightly, by those who meet them. */
START_TEST(test_locks_left_behind)
{
    run_in_world(failpoints_world, NULL, (uint64_t)_i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine transaction");
    TCase *group = tcase_create("transactions");
    tcase_set_timeout(group, 120);
    tcase_add_loop_test(group, test_write_set, 0, 5);
    tcase_add_test(group, test_region_map);
    tcase_add_loop_test(group, test_snapshots_and_conflicts, 0, 10);
    tcase_add_loop_test(group, test_versions, 0, 5);
    tcase_add_loop_test(group, test_transfers_under_misfortune, 0, 40);
    tcase_add_loop_test(group, test_locks_left_behind, 0, 10);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
