/*
 * Garbage: what may be dropped below a safe point is, what a reader could see is not; and where
 * placement lets the safe point rise to.
 */
#include "engine/placement/registry.h"
#include "engine/storage/garbage.h"
#include "tests/engine_world.h"

/* ------------------------------------------------------------------------------ one state alone */

#define KEYS 12u
#define CLOCK_MAX 200u

static slice key_of(char text[4], uint32_t number)
{
    text[0] = (char)('a' + number);
    return slice_of(text, 1);
}

/* Transactions one behind the other on each key, each with some fate. */
static void fill(mvcc *state)
{
    char text[4];
    for (uint32_t number = 0; number < KEYS; number++) {
        timestamp clock = 1 + below(10);
        while (clock < CLOCK_MAX - 20) {
            const timestamp start = clock + below(5), commit = start + 1 + below(5);
            const mutation one = {.kind = (mutation_kind)below(MUTATION_KIND_COUNT),
                                  .key = key_of(text, number),
                                  .value = {(const unsigned char *)&start, 1}};
            if (below(4) == 0) {
                mvcc_rollback(state, one.key, start, 1);
            } else {
                mvcc_prewrite(state, start, 3000, one.key, &one, 1);
                mvcc_commit(state, one.key, start, commit, 1);
            }
            clock = commit + 1 + below(20);
        }
    }
}

static bool is_same_value(const version *left, const version *right)
{
    const bool there = left != NULL && left->kind == VERSION_PUT;
    if (!there || right == NULL || right->kind != VERSION_PUT) {
        return there == (right != NULL && right->kind == VERSION_PUT);
    }
    return left->commit == right->commit && left->start == right->start &&
           slice_equal(version_value(left), version_value(right));
}

/* Every reader at or above the safe point reads what he read before, and writers meet what they
 * met. */
static void check_same(const mvcc *before, const mvcc *after, timestamp safe_point)
{
    char text[4];
    const entry nothing = {0};
    for (uint32_t number = 0; number < KEYS; number++) {
        const entry *was = mvcc_find(before, key_of(text, number));
        const entry *is = mvcc_find(after, key_of(text, number));
        is = is != NULL ? is : &nothing;
        for (timestamp at = safe_point; at <= CLOCK_MAX; at++) {
            ck_assert(is_same_value(entry_read(was, at), entry_read(is, at)));
            ck_assert_uint_eq(entry_commit_after(was, at), entry_commit_after(is, at));
            ck_assert((entry_record(was, at) != NULL) == (entry_record(is, at) != NULL));
        }
    }
}

/* Nothing is left that could go, and the size is that of what is left. */
static void check_rest(const mvcc *of, timestamp safe_point)
{
    uint64_t size = 0;
    buffer encoded;
    buffer_init(&encoded);
    for (ordered_map_cursor at = ordered_map_first(&of->entries); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        const entry *one = ordered_map_value(&at);
        uint32_t old = 0;
        for (const version *value = one->values; value != NULL; value = value->older) {
            old += value->commit <= safe_point;
            ck_assert(value->commit > safe_point || value->kind == VERSION_PUT);
        }
        for (const version *mark = one->marks; mark != NULL; mark = mark->older) {
            ck_assert_uint_ge(mark->kind == VERSION_ROLLBACK ? mark->start + 1 : mark->commit,
                              safe_point + 1);
        }
        ck_assert_uint_le(old, 1);
        ck_assert(one->values != NULL || one->marks != NULL || one->lock != NULL);
        buffer_clear(&encoded);
        entry_encode(one, &encoded);
        ck_assert_uint_eq(one->size, encoded.size + one->key_size + 8); /* and two lengths */
        size += one->size;
    }
    buffer_release(&encoded);
    ck_assert_uint_eq(size, of->size);
}

static uint64_t count_versions(const mvcc *of)
{
    uint64_t count = 0;
    for (ordered_map_cursor at = ordered_map_first(&of->entries); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        const entry *one = ordered_map_value(&at);
        for (const version *value = one->values; value != NULL; value = value->older) {
            count++;
        }
        for (const version *mark = one->marks; mark != NULL; mark = mark->older) {
            count++;
        }
    }
    return count;
}

/* What is told of is what goes, in parts of three keys. */
static uint64_t drop_in_parts(mvcc *of, timestamp safe_point)
{
    buffer found, next, at;
    mvcc told;
    uint64_t count = 0;
    buffer_init(&found);
    buffer_init(&next);
    buffer_init(&at);
    do {
        mvcc_init(&told);
        buffer_clear(&found);
        buffer_clear(&at);
        buffer_add(&at, next.data, next.size);
        const bool any =
            garbage_find(of, buffer_slice(&at), (slice){0}, safe_point, 3, &found, &next);
        ck_assert(any == (found.size > 0));
        for (cursor from = cursor_of(buffer_slice(&found)); !cursor_finished(&from);) {
            const slice key = cursor_slice(&from), versions = cursor_slice(&from);
            ck_assert(mvcc_load_entry(&told, key, versions, 1));
        }
        (void)garbage_drop(of, buffer_slice(&at), buffer_slice(&next), safe_point);
        count += count_versions(&told);
        mvcc_release(&told);
    } while (next.size > 0);
    buffer_release(&at);
    buffer_release(&next);
    buffer_release(&found);
    return count;
}

static void state_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    mvcc before, after;
    mvcc_init(&before);
    fill(&before);
    for (timestamp safe_point = 1; safe_point < CLOCK_MAX; safe_point += 1 + below(30)) {
        buffer encoded;
        buffer_init(&encoded);
        mvcc_init(&after);
        for (ordered_map_cursor at = ordered_map_first(&before.entries); ordered_map_valid(&at);
             ordered_map_next(&at)) {
            buffer_clear(&encoded);
            entry_encode(ordered_map_value(&at), &encoded);
            ck_assert(mvcc_load_entry(&after, ordered_map_key(&at), buffer_slice(&encoded), 1));
        }
        const uint64_t told = drop_in_parts(&after, safe_point);
        ck_assert_uint_eq(told, count_versions(&before) - count_versions(&after));
        check_same(&before, &after, safe_point);
        check_rest(&after, safe_point);
        mvcc_release(&after);
        buffer_release(&encoded);
    }
    mvcc_release(&before);
}

/* All that can go goes, and nothing that a reader or a writer above the safe point can tell. */
START_TEST(test_state)
{
    run_in_world(state_world, NULL, (uint64_t)_i + 1);
}
END_TEST

/* An entry with a lock from below the safe point is left alone. */
static void locked_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    mvcc state;
    char text[4];
    mvcc_init(&state);
    fill(&state);
    const slice key = key_of(text, 0);
    const mutation one = {.kind = MUTATION_PUT, .key = key};
    mvcc_prewrite(&state, CLOCK_MAX, 3000, key, &one, 1);
    const uint64_t before = mvcc_find(&state, key)->size;
    (void)garbage_drop(&state, key, (slice){0}, CLOCK_MAX + 1);
    ck_assert_uint_eq(mvcc_find(&state, key)->size, before);
    ck_assert_ptr_null(mvcc_find(&state, key_of(text, 1)) == NULL
                           ? NULL
                           : mvcc_find(&state, key_of(text, 1))->marks);
    mvcc_release(&state);
}

START_TEST(test_locked_entry)
{
    run_in_world(locked_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------------------ placement */

static session_id grant(registry *of, sb_address server)
{
    const session_grant_request ask = {.server = server, .nonce = server, .ttl = SB_SECOND};
    session_id got = 0;
    ck_assert_int_eq(registry_grant(of, &ask, 0, &got), REPLY_OK);
    return got;
}

static void hear_of(registry *of, uint64_t boot, session_id session, uint64_t number,
                    timestamp oldest)
{
    const session_keepalive_request ask = {
        .session = session, .boot = boot, .number = number, .oldest = oldest};
    ck_assert_int_eq(registry_keepalive(of, &ask, 0), REPLY_OK);
}

static void hear(registry *of, session_id session, uint64_t number, timestamp oldest)
{
    hear_of(of, of->boots, session, number, oldest);
}

static void keep_alive(registry *of, session_id session, timestamp oldest)
{
    hear(of, session, 1, oldest);
}

static void boot_again(registry *of)
{
    buffer bytes;
    buffer_init(&bytes);
    registry_encode(of, &bytes);
    registry_release(of);
    registry_init(of);
    ck_assert(registry_decode(of, buffer_slice(&bytes), 0));
    of->boots++; /* as the service does */
    buffer_release(&bytes);
}

static void registry_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    registry *of = sb_alloc(sizeof(*of));
    registry_init(of);
    const session_id first = grant(of, 5), second = grant(of, 6);
    ck_assert_uint_eq(registry_advance(of, 100), 100);
    ck_assert_uint_eq(registry_advance(of, 50), 100); /* it never falls */
    keep_alive(of, first, 120);
    keep_alive(of, second, 0);
    ck_assert_uint_eq(registry_advance(of, 200), 120); /* a transaction reads there */
    ck_assert_int_eq(registry_hold(of, 1, 119), REPLY_TOO_OLD);
    ck_assert_int_eq(registry_hold(of, 1, 150), REPLY_OK);
    ck_assert_int_eq(registry_hold(of, 1, 170), REPLY_OK); /* of two owners; the least counts */
    ck_assert_int_eq(registry_hold(of, 2, 160), REPLY_OK);
    keep_alive(of, first, 0);
    ck_assert_uint_eq(registry_advance(of, 200), 150);
    boot_again(of);
    ck_assert_int_eq(registry_hold(of, 1, 0), REPLY_OK);
    ck_assert_int_eq(registry_hold(of, 1, 0), REPLY_OK);
    ck_assert_uint_eq(registry_advance(of, 200), 150); /* nobody knows what the sessions read at */
    keep_alive(of, first, 0);
    ck_assert_uint_eq(registry_advance(of, 200), 150);
    hear_of(of, of->boots - 1, second, 9, 0); /* perhaps not the last of before the restart */
    ck_assert_uint_eq(registry_advance(of, 200), 150);
    keep_alive(of, second, 0);
    ck_assert_uint_eq(registry_advance(of, 200), 160);
    ck_assert_int_eq(registry_hold(of, 2, 0), REPLY_OK);
    hear(of, first, 3, 180);
    hear(of, first, 2, 0); /* late: it says nothing of now */
    ck_assert_uint_eq(registry_advance(of, 200), 180);
    registry_revoke(of, first);
    ck_assert_uint_eq(registry_advance(of, 200), 200);
    for (job_id job = 1; job <= REGISTRY_HOLDS_MAX; job++) {
        ck_assert_int_eq(registry_hold(of, job, 300), REPLY_OK);
    }
    ck_assert_int_eq(registry_hold(of, REGISTRY_HOLDS_MAX + 1, 300), REPLY_NO_SPACE);
    registry_release(of);
    sb_free(of);
}

/* The safe point rises to what was wanted, but not above what is held or read, nor, after a
 * restart, while that is unknown. */
START_TEST(test_registry)
{
    run_in_world(registry_world, NULL, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine garbage");
    TCase *group = tcase_create("garbage");
    tcase_add_loop_test(group, test_state, 0, 20);
    tcase_add_test(group, test_locked_entry);
    tcase_add_test(group, test_registry);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
