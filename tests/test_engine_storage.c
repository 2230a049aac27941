/*
 * The store and placement: sorted files, Percolator's rules, ingest, fences, and what survives a
 * crash.
 *
 * Programs run on machines of a simulated world; the director is their client.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/durable_file.h"
#include "engine/storage/sorted_file.h"
#include "engine/storage/store.h"
#include "nodes/boot.h"
#include "nodes/placement.h"
#include "nodes/storage.h"
#include "tests/engine_world.h"

#define KEYS 12
#define WORKERS 4

/* ------------------------------------------------------------------------------- sorted files */

static slice numbered(char text[16], const char *word, uint32_t number)
{
    return slice_of(text, (size_t)snprintf(text, 16, "%s%06u", word, (unsigned)number));
}

static void build_sorted(uint32_t count, uint32_t block_size, sorted_summary *summary, buffer *into)
{
    sorted_builder file;
    char key[16], value[16];
    sorted_builder_init(&file, block_size);
    for (uint32_t i = 0; i < count; i++) {
        sorted_builder_add(&file, numbered(key, "k", 2 * i), numbered(value, "v", i));
    }
    *summary = sorted_builder_finish(&file);
    buffer_clear(into);
    buffer_add(into, file.out.data, file.out.size);
    sorted_builder_release(&file);
    ck_assert_uint_eq(into->size, summary->file_size);
}

static void read_sorted(slice bytes, uint32_t count, const sorted_summary *summary)
{
    sorted_reader reader;
    slice key, value;
    char expected[16];
    ck_assert_int_eq(sorted_reader_open(&reader, bytes), SORTED_OK);
    ck_assert_uint_eq(reader.summary.digest, summary->digest);
    ck_assert_uint_eq(reader.summary.pair_count, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(sorted_reader_next(&reader, &key, &value), SORTED_OK);
        ck_assert(slice_equal(key, numbered(expected, "k", 2 * i)));
        ck_assert(slice_equal(value, numbered(expected, "v", i)));
    }
    ck_assert_int_eq(sorted_reader_next(&reader, &key, &value), SORTED_END);
    for (uint32_t i = 0; i < 40; i++) {
        const uint32_t sought = below(2 * count + 4), found = (sought + 1) / 2;
        ck_assert_int_eq(sorted_reader_seek(&reader, numbered(expected, "k", sought)), SORTED_OK);
        const sorted_status status = sorted_reader_next(&reader, &key, &value);
        ck_assert_int_eq(status, found < count ? SORTED_OK : SORTED_END);
        ck_assert(status == SORTED_END || slice_equal(key, numbered(expected, "k", 2 * found)));
    }
    sorted_reader_release(&reader);
}

static sorted_status read_all(slice bytes)
{
    sorted_reader reader;
    slice key, value;
    sorted_status status = sorted_reader_open(&reader, bytes);
    while (status == SORTED_OK) {
        status = sorted_reader_next(&reader, &key, &value);
    }
    sorted_reader_release(&reader);
    return status;
}

static void sorted_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sorted_summary summary;
    buffer bytes;
    buffer_init(&bytes);
    for (uint32_t round = 0; round < 60; round++) {
        const uint32_t count = below(400) * (round > 0);
        build_sorted(count, 40 + below(3000), &summary, &bytes);
        read_sorted(buffer_slice(&bytes), count, &summary);
        ck_assert_int_eq(read_all(buffer_slice(&bytes)), SORTED_END);
        const bool small = bytes.size < 600; /* then every byte */
        for (uint32_t i = 0; i < (small ? bytes.size : 20); i++) {
            unsigned char *const victim = &bytes.data[small ? i : below(bytes.size)];
            const unsigned char flip = (unsigned char)(1u << below(8));
            *victim ^= flip;
            ck_assert_int_eq(read_all(buffer_slice(&bytes)), SORTED_DAMAGED);
            *victim ^= flip;
        }
    }
    buffer_release(&bytes);
}

/* What was written is read, from the start and from anywhere; no flipped bit goes unnoticed. */
START_TEST(test_sorted_file)
{
    run_in_world(sorted_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------------ a client of a store */

typedef struct client {
    sb_world *world;
    sb_exchange *exchange;
    sb_node store;
    uint64_t clock; /* timestamps: the next is one more */
} client;

static const region_context region_one = {.id = 1, .epoch = 1};

static sb_node add_machine(sb_world *world, const char *name, sb_program *program,
                           uint32_t log_size)
{
    boot_plan *plan = sb_alloc(sizeof(*plan));
    buffer bytes;
    buffer_init(&bytes);
    boot_plan_init(plan);
    plan->settings.checkpoint_log_size = log_size;
    boot_plan_add_region(plan, 1, 1, (slice){0});
    boot_plan_encode(plan, &bytes);
    const sb_node node = sb_node_add(world, name, name, program, bytes.data, bytes.size);
    buffer_release(&bytes);
    sb_free(plan);
    sb_node_boot(world, node);
    return node;
}

static void client_init(client *of, sb_world *world, sb_program *program, uint32_t log_size)
{
    *of = (client){.world = world, .clock = 10};
    of->exchange = sb_exchange_open(wire_method_names, METHOD_COUNT, NULL, NULL, 1);
    of->store = add_machine(world, "store", program, log_size);
}

/* Stop the machine in good order, so that the leak check sees it, and leave. */
static void client_release(client *of)
{
    sb_node_stop(of->world, of->store);
    ck_assert(sb_node_wait_down(of->world, of->store, 60 * SB_SECOND));
    sb_exchange_close(of->exchange);
}

static bool ask_once(client *of, uint16_t method, const buffer *request, sb_reply *reply)
{
    sb_scope scope;
    sb_scope_init_timeout(&scope, NULL, "call", 40 * SB_MILLISECOND);
    const sb_status status =
        sb_call(of->exchange, of->store, method, request->data, request->size, reply, &scope);
    sb_scope_release(&scope);
    return status == SB_OK;
}

/* Ask until there is an answer: everything asked here may be asked again. */
static sb_reply ask(client *of, uint16_t method, const buffer *request)
{
    sb_reply reply;
    while (!ask_once(of, method, request, &reply)) {
        (void)sb_sleep(10 * SB_MILLISECOND, NULL);
    }
    return reply;
}

static slice reply_bytes(const sb_reply *reply)
{
    return slice_of(reply->data, reply->size);
}

static slice key_of(char text[16], uint32_t number)
{
    return numbered(text, "k", number);
}

typedef struct deal {
    timestamp start, commit;
    uint32_t first, count; /* keys first … first + count - 1; the first is primary */
    mutation_kind kinds[3];
    session_id session;
} deal;

static reply_status prewrite(client *of, const deal *one)
{
    packing list;
    buffer bytes;
    char key[16], value[16];
    prewrite_reply answer;
    packing_init(&list);
    buffer_init(&bytes);
    for (uint32_t i = 0; i < one->count; i++) {
        const mutation_kind kind = one->kinds[i];
        const slice put = numbered(value, "v", (uint32_t)one->start);
        pack_mutation(&list, &(mutation){.kind = kind,
                                         .key = key_of(key, one->first + i),
                                         .value = kind == MUTATION_PUT ? put : (slice){0}});
    }
    prewrite_request_encode(&(prewrite_request){.region = region_one,
                                                .writer = {.server = 3, .session = one->session},
                                                .start = one->start,
                                                .ttl_ms = 1000,
                                                .primary = key_of(key, one->first),
                                                .mutations = packing_list(&list)},
                            &bytes);
    sb_reply reply = ask(of, METHOD_PREWRITE, &bytes);
    ck_assert(prewrite_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    packing_release(&list);
    buffer_release(&bytes);
    return answer.head.status;
}

static void pack_deal_keys(packing *list, const deal *one)
{
    char key[16];
    packing_init(list);
    for (uint32_t i = 0; i < one->count; i++) {
        pack_key(list, key_of(key, one->first + i));
    }
}

static void encode_commit(const deal *one, buffer *bytes)
{
    packing list;
    pack_deal_keys(&list, one);
    commit_request_encode(&(commit_request){.region = region_one,
                                            .writer = {.server = 3, .session = one->session},
                                            .is_primary = true,
                                            .start = one->start,
                                            .commit = one->commit,
                                            .keys = packing_list(&list)},
                          bytes);
    packing_release(&list);
}

static reply_status commit(client *of, const deal *one)
{
    buffer bytes;
    commit_reply answer;
    buffer_init(&bytes);
    encode_commit(one, &bytes);
    sb_reply reply = ask(of, METHOD_COMMIT, &bytes);
    ck_assert(commit_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer.head.status;
}

/* Ask once, and never mind the answer. */
static void try_commit(client *of, const deal *one)
{
    buffer bytes;
    sb_reply reply;
    buffer_init(&bytes);
    encode_commit(one, &bytes);
    if (ask_once(of, METHOD_COMMIT, &bytes, &reply)) {
        sb_reply_release(&reply);
    }
    buffer_release(&bytes);
}

static reply_status rollback(client *of, const deal *one)
{
    packing list;
    buffer bytes;
    rollback_reply answer;
    buffer_init(&bytes);
    pack_deal_keys(&list, one);
    rollback_request_encode(
        &(rollback_request){.region = region_one, .start = one->start, .keys = packing_list(&list)},
        &bytes);
    sb_reply reply = ask(of, METHOD_ROLLBACK, &bytes);
    ck_assert(rollback_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    packing_release(&list);
    buffer_release(&bytes);
    return answer.head.status;
}

/* *fate: of a transaction, by its primary; `now` as far in the future as asked.  settle: roll back
 * what has left no trace. */
static timestamp ask_fate(client *of, const deal *one, timestamp now, bool settle,
                          transaction_fate *fate)
{
    buffer bytes;
    char key[16];
    check_status_reply answer;
    buffer_init(&bytes);
    check_status_request_encode(&(check_status_request){.region = region_one,
                                                        .primary = key_of(key, one->first),
                                                        .start = one->start,
                                                        .now = now,
                                                        .rollback_if_missing = settle},
                                &bytes);
    sb_reply reply = ask(of, METHOD_CHECK_STATUS, &bytes);
    ck_assert(check_status_reply_decode(&answer, reply_bytes(&reply)));
    ck_assert_int_eq(answer.head.status, REPLY_OK);
    sb_reply_release(&reply);
    buffer_release(&bytes);
    *fate = answer.fate;
    return answer.commit;
}

static timestamp check_status(client *of, const deal *one, timestamp now, transaction_fate *fate)
{
    return ask_fate(of, one, now, false, fate);
}

static timestamp resolve(client *of, const deal *one, timestamp commit_at)
{
    packing list;
    buffer bytes;
    resolve_reply answer;
    buffer_init(&bytes);
    pack_deal_keys(&list, one);
    resolve_request_encode(&(resolve_request){.region = region_one,
                                              .start = one->start,
                                              .commit = commit_at,
                                              .keys = packing_list(&list)},
                           &bytes);
    sb_reply reply = ask(of, METHOD_RESOLVE, &bytes);
    ck_assert(resolve_reply_decode(&answer, reply_bytes(&reply)));
    ck_assert_int_eq(answer.head.status, REPLY_OK);
    sb_reply_release(&reply);
    packing_release(&list);
    buffer_release(&bytes);
    return commit_at;
}

/* What a read found: the start timestamp that the value tells of, 0 for nothing. */
typedef struct finding {
    reply_status status;
    uint32_t value;
} finding;

static finding get(client *of, uint32_t number, timestamp at)
{
    buffer bytes;
    char key[16];
    unsigned value = 0;
    get_reply answer;
    buffer_init(&bytes);
    get_request_encode(&(get_request){.region = region_one, .at = at, .key = key_of(key, number)},
                       &bytes);
    sb_reply reply = ask(of, METHOD_GET, &bytes);
    ck_assert(get_reply_decode(&answer, reply_bytes(&reply)));
    if (answer.found) {
        char text[16] = {0};
        ck_assert_uint_eq(answer.value.size, 7);
        memcpy(text, answer.value.data, answer.value.size);
        ck_assert_int_eq(sscanf(text, "v%u", &value), 1);
    }
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return (finding){.status = answer.head.status, .value = value};
}

/* ------------------------------------------------------------------------- Percolator's rules */

static deal put_deal(client *of, uint32_t first, uint32_t count)
{
    return (deal){.start = ++of->clock, .first = first, .count = count};
}

static void expect_get(client *of, uint32_t key, timestamp at, reply_status status, timestamp value)
{
    const finding found = get(of, key, at);
    ck_assert_int_eq(found.status, status);
    ck_assert_uint_eq(found.value, value);
}

static void rules_world(sb_world *world, void *context)
{
    (void)context;
    client of;
    transaction_fate fate;
    client_init(&of, world, storage_program, 1u << 20);

    /* A lock stops readers at or after its start, and other writers; not readers before it. */
    deal a = put_deal(&of, 0, 2);
    ck_assert_int_eq(prewrite(&of, &a), REPLY_OK);
    ck_assert_int_eq(prewrite(&of, &a), REPLY_OK);
    expect_get(&of, 0, a.start, REPLY_LOCKED, 0);
    expect_get(&of, 1, TIMESTAMP_MAX, REPLY_LOCKED, 0);
    expect_get(&of, 0, a.start - 1, REPLY_OK, 0);
    deal b = put_deal(&of, 1, 1);
    ck_assert_int_eq(prewrite(&of, &b), REPLY_LOCKED);
    deal old = {.start = 3, .first = 1, .count = 1};

    /* A commit is visible from its timestamp on; older writers conflict; it may be repeated. */
    a.commit = ++of.clock;
    ck_assert_int_eq(commit(&of, &a), REPLY_OK);
    ck_assert_int_eq(commit(&of, &a), REPLY_OK);
    ck_assert_int_eq(prewrite(&of, &a), REPLY_OK); /* a late copy of the request locks nothing */
    expect_get(&of, 0, a.commit, REPLY_OK, a.start);
    expect_get(&of, 0, a.commit - 1, REPLY_OK, 0);
    ck_assert_int_eq(prewrite(&of, &old), REPLY_WRITE_CONFLICT);
    ck_assert_int_eq(prewrite(&of, &b), REPLY_WRITE_CONFLICT);
    ck_assert_int_eq(rollback(&of, &a), REPLY_COMMITTED);
    ck_assert_uint_eq(check_status(&of, &a, 0, &fate), a.commit);
    ck_assert_int_eq(fate, TRANSACTION_COMMITTED);

    /* A rollback is for ever: the late prewrite and the late commit are refused. */
    deal c = put_deal(&of, 0, 3);
    ck_assert_int_eq(rollback(&of, &c), REPLY_OK);
    ck_assert_int_eq(prewrite(&of, &c), REPLY_ROLLED_BACK);
    c.commit = ++of.clock;
    ck_assert_int_eq(commit(&of, &c), REPLY_ROLLED_BACK);

    /* A lock that writes nothing does not stop readers, but writers and later commits. */
    deal d = put_deal(&of, 0, 1);
    deal before_d = put_deal(&of, 0, 1);
    d.kinds[0] = MUTATION_LOCK;
    ck_assert_int_eq(prewrite(&of, &d), REPLY_OK);
    expect_get(&of, 0, TIMESTAMP_MAX, REPLY_OK, a.start);
    ck_assert_int_eq(prewrite(&of, &before_d), REPLY_LOCKED);
    d.commit = ++of.clock;
    ck_assert_int_eq(commit(&of, &d), REPLY_OK);
    ck_assert_int_eq(prewrite(&of, &before_d), REPLY_WRITE_CONFLICT);
    expect_get(&of, 0, TIMESTAMP_MAX, REPLY_OK, a.start);

    /* A lock lives for its TTL by the timestamps; then whoever asks rolls it back. */
    deal e = put_deal(&of, 4, 2);
    ck_assert_int_eq(prewrite(&of, &e), REPLY_OK);
    (void)check_status(&of, &e, timestamp_of_ms(999), &fate);
    ck_assert_int_eq(fate, TRANSACTION_LOCKED);
    (void)check_status(&of, &e, timestamp_of_ms(1000), &fate);
    ck_assert_int_eq(fate, TRANSACTION_ROLLED_BACK);
    resolve(&of, &e, 0);
    expect_get(&of, 5, TIMESTAMP_MAX, REPLY_OK, 0);
    e.commit = ++of.clock;
    ck_assert_int_eq(commit(&of, &e), REPLY_ROLLED_BACK);

    /* Of a transaction that left no trace nothing is said, and nothing committed, until somebody
     * asks that it be settled: then its prewrite comes too late. */
    deal f = put_deal(&of, 7, 1);
    (void)check_status(&of, &f, TIMESTAMP_MAX, &fate);
    ck_assert_int_eq(fate, TRANSACTION_MISSING);
    f.commit = ++of.clock;
    ck_assert_int_eq(commit(&of, &f), REPLY_LOCK_NOT_FOUND);
    (void)ask_fate(&of, &f, TIMESTAMP_MAX, true, &fate);
    ck_assert_int_eq(fate, TRANSACTION_ROLLED_BACK);
    ck_assert_int_eq(prewrite(&of, &f), REPLY_ROLLED_BACK);
    client_release(&of);
}

START_TEST(test_percolator_rules)
{
    run_in_world(rules_world, NULL, 2);
}
END_TEST

/* ------------------------------------------------------------------- ingest, fences, deletion */

static upload_reply upload_piece(client *of, slice name, slice file, uint32_t offset)
{
    buffer bytes;
    upload_reply answer;
    buffer_init(&bytes);
    const uint32_t left = file.size - offset, size = left < 1000 ? left : 1000;
    upload_request_encode(&(upload_request){.name = name,
                                            .offset = offset,
                                            .last = size == left,
                                            .bytes = slice_of(file.data + offset, size)},
                          &bytes);
    sb_reply reply = ask(of, METHOD_UPLOAD, &bytes);
    ck_assert(upload_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer;
}

static reply_status upload(client *of, slice name, slice file)
{
    upload_reply answer = {0};
    do {
        answer = upload_piece(of, name, file, (uint32_t)answer.size);
    } while (answer.head.status == REPLY_OK && answer.size < file.size);
    return answer.head.status;
}

/* A file of this name that went on behind the end of the one to come. */
static void upload_longer(client *of, slice name, slice file)
{
    buffer longer;
    buffer_init(&longer);
    buffer_add(&longer, file.data, file.size);
    buffer_add(&longer, "more", 4);
    ck_assert_int_eq(upload(of, name, buffer_slice(&longer)), REPLY_OK);
    buffer_release(&longer);
}

static reply_status ingest(client *of, slice name, uint64_t digest, timestamp at, uint64_t *count)
{
    buffer bytes;
    char start[16], end[16];
    ingest_reply answer;
    buffer_init(&bytes);
    ingest_request_encode(&(ingest_request){.region = region_one,
                                            .name = name,
                                            .digest = digest,
                                            .at = at,
                                            .start = key_of(start, 2),
                                            .end = key_of(end, 500)},
                          &bytes);
    sb_reply reply = ask(of, METHOD_INGEST, &bytes);
    ck_assert(ingest_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    buffer_release(&bytes);
    *count = answer.pair_count;
    return answer.head.status;
}

static uint64_t delete_range(client *of, uint32_t start, uint32_t end)
{
    buffer bytes;
    char first[16], behind[16];
    delete_range_reply answer;
    buffer_init(&bytes);
    delete_range_request_encode(&(delete_range_request){.region = region_one,
                                                        .start = key_of(first, start),
                                                        .end = key_of(behind, end)},
                                &bytes);
    sb_reply reply = ask(of, METHOD_DELETE_RANGE, &bytes);
    ck_assert(delete_range_reply_decode(&answer, reply_bytes(&reply)));
    ck_assert_int_eq(answer.head.status, REPLY_OK);
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer.key_count;
}

static session_id raise_fence(client *of, session_id session)
{
    buffer bytes;
    fence_reply answer;
    buffer_init(&bytes);
    fence_request_encode(&(fence_request){.server = 3, .session = session}, &bytes);
    sb_reply reply = ask(of, METHOD_FENCE, &bytes);
    ck_assert(fence_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer.least;
}

static void restart(client *of)
{
    sb_node_kill(of->world, of->store);
    sb_node_boot(of->world, of->store);
}

static void bulk_world(sb_world *world, void *context)
{
    (void)context;
    client of;
    sorted_builder builder;
    char key[16], value[16];
    uint64_t count = 0;
    const slice name = slice_of_string("job-1-subtask-2");
    client_init(&of, world, storage_program, 1u << 20);
    sorted_builder_init(&builder, 200);
    for (uint32_t i = 0; i < 1000; i++) {
        sorted_builder_add(&builder, key_of(key, i), numbered(value, "v", 1));
    }
    const sorted_summary summary = sorted_builder_finish(&builder);

    /* Key 3 is written and key 4 deleted after the snapshot: both lie above what is ingested. */
    of.clock = 100;
    deal newer = put_deal(&of, 3, 2);
    newer.kinds[1] = MUTATION_DELETE;
    newer.commit = ++of.clock;
    ck_assert_int_eq(prewrite(&of, &newer), REPLY_OK);
    ck_assert_int_eq(ingest(&of, name, summary.digest, 50, &count), REPLY_NOT_FOUND);
    ck_assert_int_eq(upload(&of, name, buffer_slice(&builder.out)), REPLY_OK);
    ck_assert_int_eq(ingest(&of, name, summary.digest + 2, 50, &count), REPLY_CORRUPT);
    /* What does not fit its digest is gone, so that it is sent anew. */
    ck_assert_int_eq(ingest(&of, name, summary.digest, 50, &count), REPLY_NOT_FOUND);
    /* The last piece ends the file, also where it had been longer. */
    upload_longer(&of, name, buffer_slice(&builder.out));
    const upload_reply cut =
        upload_piece(&of, name, buffer_slice(&builder.out), builder.out.size - 1);
    ck_assert_int_eq(cut.head.status, REPLY_OK);
    ck_assert_uint_eq(cut.size, builder.out.size);
    ck_assert_int_eq(ingest(&of, name, summary.digest, 0, &count), REPLY_BAD_REQUEST);
    for (uint32_t i = 0; i < 2; i++) {
        ck_assert_int_eq(ingest(&of, name, summary.digest, 50, &count), REPLY_OK);
        ck_assert_uint_eq(count, 498);
    }
    ck_assert_int_eq(commit(&of, &newer), REPLY_OK);
    restart(&of);
    expect_get(&of, 1, TIMESTAMP_MAX, REPLY_OK, 0);
    expect_get(&of, 2, TIMESTAMP_MAX, REPLY_OK, 1);
    expect_get(&of, 2, 49, REPLY_OK, 0);
    expect_get(&of, 3, TIMESTAMP_MAX, REPLY_OK, newer.start);
    expect_get(&of, 3, 60, REPLY_OK, 1);
    expect_get(&of, 4, TIMESTAMP_MAX, REPLY_OK, 0);

    /* An upload does not survive a restart.  A range that was deleted takes nothing any more. */
    ck_assert_int_eq(ingest(&of, name, summary.digest, 50, &count), REPLY_NOT_FOUND);
    ck_assert_uint_eq(delete_range(&of, 2, 500), 498);
    ck_assert_uint_eq(delete_range(&of, 2, 500), 0);
    restart(&of);
    expect_get(&of, 3, TIMESTAMP_MAX, REPLY_OK, 0);
    ck_assert_int_eq(upload(&of, name, buffer_slice(&builder.out)), REPLY_OK);
    ck_assert_int_eq(ingest(&of, name, summary.digest, 50, &count), REPLY_RANGE_DELETED);
    deal straggler = put_deal(&of, 4, 1);
    ck_assert_int_eq(prewrite(&of, &straggler), REPLY_WRITE_CONFLICT);

    /* A fenced session neither locks nor decides, but what it has decided stands. */
    deal decided = {.start = ++of.clock, .first = 600, .count = 1, .session = 5};
    deal undecided = {.start = ++of.clock, .first = 700, .count = 1, .session = 5};
    ck_assert_int_eq(prewrite(&of, &decided), REPLY_OK);
    ck_assert_int_eq(prewrite(&of, &undecided), REPLY_OK);
    decided.commit = undecided.commit = ++of.clock;
    ck_assert_int_eq(commit(&of, &decided), REPLY_OK);
    ck_assert_uint_eq(raise_fence(&of, 6), 6);
    ck_assert_uint_eq(raise_fence(&of, 4), 6);
    restart(&of);
    ck_assert_int_eq(commit(&of, &decided), REPLY_OK);
    ck_assert_int_eq(commit(&of, &undecided), REPLY_FENCED);
    deal later = {.start = ++of.clock, .first = 800, .count = 1, .session = 5};
    ck_assert_int_eq(prewrite(&of, &later), REPLY_FENCED);
    later.session = 6;
    ck_assert_int_eq(prewrite(&of, &later), REPLY_OK);
    sorted_builder_release(&builder);
    client_release(&of);
}

START_TEST(test_ingest_deletion_and_fences)
{
    run_in_world(bulk_world, NULL, 3);
}
END_TEST

/* ------------------------------------------------------------------------------------ crashes */

#define DEALS_MAX 4096
#define SIGHTS_MAX 4096

/* A read that found no lock: it must be found again, for ever. */
typedef struct sight {
    timestamp at;
    uint32_t key, value;
} sight;

typedef struct siege {
    client client;
    bool over;
    uint32_t deal_count, sight_count;
    deal deals[DEALS_MAX]; /* committed, as the store has answered */
    sight sights[SIGHTS_MAX];
} siege;

static void look(siege *of)
{
    const uint32_t key = below(KEYS);
    const timestamp at = of->client.clock;
    const finding found = get(&of->client, key, at);
    if (found.status == REPLY_OK && of->sight_count < SIGHTS_MAX) {
        of->sights[of->sight_count++] = (sight){.at = at, .key = key, .value = found.value};
    }
}

static void write_something(siege *of)
{
    deal one = put_deal(&of->client, below(KEYS - 2), 1 + below(3));
    for (uint32_t i = 0; i < one.count; i++) {
        one.kinds[i] = (mutation_kind)below(MUTATION_KIND_COUNT);
    }
    if (prewrite(&of->client, &one) != REPLY_OK || below(5) == 0) {
        ck_assert_int_eq(rollback(&of->client, &one), REPLY_OK);
        return;
    }
    one.commit = ++of->client.clock;
    if (below(2) == 0) {
        /* A client that gives up: whoever asks now decides. */
        transaction_fate fate;
        try_commit(&of->client, &one);
        (void)check_status(&of->client, &one, TIMESTAMP_MAX, &fate);
        if (fate == TRANSACTION_ROLLED_BACK) {
            resolve(&of->client, &one, 0);
            return;
        }
        ck_assert_int_eq(fate, TRANSACTION_COMMITTED);
    }
    ck_assert_int_eq(commit(&of->client, &one), REPLY_OK);
    ck_assert_uint_lt(of->deal_count, DEALS_MAX);
    of->deals[of->deal_count++] = one;
}

static void besieger(void *argument)
{
    siege *of = argument;
    while (!of->over) {
        if (below(3) == 0) {
            look(of);
        } else {
            write_something(of);
        }
    }
}

/* The value that the acknowledged commits have left at a key. */
static uint32_t expected_value(const siege *of, uint32_t key, timestamp at)
{
    const deal *newest = NULL;
    for (uint32_t i = 0; i < of->deal_count; i++) {
        const deal *one = &of->deals[i];
        const bool writes = key >= one->first && key < one->first + one->count &&
                            one->kinds[key - one->first] != MUTATION_LOCK;
        if (writes && one->commit <= at && (newest == NULL || one->commit > newest->commit)) {
            newest = one;
        }
    }
    const bool put = newest != NULL && newest->kinds[key - newest->first] == MUTATION_PUT;
    return put ? (uint32_t)newest->start : 0;
}

static void check_siege(siege *of)
{
    for (uint32_t i = 0; i < of->sight_count; i++) {
        const sight *seen = &of->sights[i];
        expect_get(&of->client, seen->key, seen->at, REPLY_OK, seen->value);
        ck_assert_uint_eq(seen->value, expected_value(of, seen->key, seen->at));
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        for (timestamp at = 1; at <= of->client.clock; at += 1 + below(20)) {
            expect_get(&of->client, key, at, REPLY_OK, expected_value(of, key, at));
        }
    }
}

static void siege_world(sb_world *world, void *context)
{
    const bool kills = *(const bool *)context;
    siege *of = sb_alloc_zero(sizeof(*of));
    sb_wait_group workers;
    sb_wait_group_init(&workers, "workers");
    client_init(&of->client, world, storage_program, 2000);
    sb_disk_set(world,
                &(sb_disk){.sync_min = 100 * SB_MICROSECOND, .sync_max = 20 * SB_MILLISECOND});
    sb_network_set(world, &(sb_network){.latency_min = 50 * SB_MICROSECOND,
                                        .latency_max = 2 * SB_MILLISECOND,
                                        .loss = 10000,
                                        .reply_loss = 10000,
                                        .duplicate = 20000});
    if (sb_world_seed(world) % 2 == 0) {
        sb_failpoints_enable(world, "storage-log-*", 30000);
        sb_failpoints_enable(world, "storage-*-lost", 30000);
    }
    for (uint32_t i = 0; i < WORKERS; i++) {
        sb_spawn(&workers, besieger, of, "worker-%u", (unsigned)i);
    }
    for (uint32_t i = 0; i < 50; i++) {
        (void)sb_sleep(1 + sb_random(200 * SB_MILLISECOND), NULL);
        if (kills) {
            sb_node_kill(world, of->client.store);
        } else {
            sb_node_stop(world, of->client.store);
            ck_assert(sb_node_wait_down(world, of->client.store, 60 * SB_SECOND));
        }
        (void)sb_sleep(1 + sb_random(20 * SB_MILLISECOND), NULL);
        sb_node_boot(world, of->client.store);
    }
    of->over = true;
    ck_assert_int_eq(sb_wait_group_wait(&workers, NULL), SB_OK);
    sb_wait_group_release(&workers);
    check_siege(of);
    ck_assert_uint_gt(of->deal_count, 100);
    ck_assert_uint_gt(of->sight_count, 50);
    client_release(&of->client);
    sb_free(of);
}

/* Concurrent transactions while the store is killed again and again, disks lose what was not
 * synced, and checkpoints are due all the time: what was acknowledged is there, and what was read
 * once is read again. */
START_TEST(test_store_survives_kills)
{
    bool kills = true;
    run_in_world(siege_world, &kills, (uint64_t)_i + 1);
}
END_TEST

START_TEST(test_store_survives_stops)
{
    bool kills = false;
    run_in_world(siege_world, &kills, (uint64_t)_i + 1);
}
END_TEST

/* ------------------------------------------------------------------------------------- damage */

static store_opened open_here(store *of)
{
    packing regions;
    packing_init(&regions);
    pack_region(&regions, &(region_description){.id = 1, .epoch = 1, .leader = sb_self()});
    const store_opened opened = store_open(of, packing_list(&regions), 1u << 20);
    packing_release(&regions);
    return opened;
}

static void add_fences(store *of, session_id first, session_id last)
{
    for (session_id session = first; session <= last; session++) {
        record_fence(store_record(of), 3, session);
        ck_assert(store_wait(of, store_apply(of)));
    }
}

static uint64_t size_of(const char *path)
{
    sb_file *file = NULL;
    ck_assert_int_eq(sb_file_open(path, 0, &file), SB_OK);
    const uint64_t size = sb_file_size(file);
    sb_file_close(file);
    return size;
}

static void flip_at(const char *path, uint64_t offset)
{
    sb_file *file = NULL;
    unsigned char byte = 0;
    size_t size = 0;
    ck_assert_int_eq(sb_file_open(path, 0, &file), SB_OK);
    ck_assert_int_eq(sb_file_read(file, offset, &byte, 1, &size), SB_OK);
    byte ^= 0x10;
    ck_assert_int_eq(sb_file_write(file, offset, &byte, 1), SB_OK);
    sb_file_close(file);
}

static void expect_open(store_opened expected, session_id least)
{
    store of;
    ck_assert_int_eq(open_here(&of), expected);
    if (expected == STORE_OPENED) {
        ck_assert_uint_eq(store_state_fence(&of.state, 3)->least, least);
    }
    store_close(&of);
}

static void damage_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    store of;
    ck_assert_int_eq(open_here(&of), STORE_OPENED);
    add_fences(&of, 1, 9);
    const uint64_t before_last = size_of("log-1");
    add_fences(&of, 10, 10);
    store_close(&of);
    const uint64_t size = size_of("log-1");
    expect_open(STORE_OPENED, 10);

    /* Damage in a batch that others follow is never taken for a torn tail. */
    for (uint64_t at = 0; at < before_last; at++) {
        flip_at("log-1", at);
        expect_open(STORE_DAMAGED, 0);
        flip_at("log-1", at);
    }
    static const char *const files[] = {"manifest", "checkpoint-1"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const uint64_t file_size = size_of(files[i]);
        for (uint64_t at = 0; at < file_size; at++) {
            flip_at(files[i], at);
            expect_open(STORE_DAMAGED, 0);
            flip_at(files[i], at);
        }
    }
    /* The last batch was torn: it is cut off, and the log goes on where it was. */
    flip_at("log-1", size - 3);
    expect_open(STORE_OPENED, 9);
    ck_assert_uint_eq(size_of("log-1"), before_last);
    ck_assert_int_eq(open_here(&of), STORE_OPENED);
    add_fences(&of, 11, 12);
    store_close(&of);
    expect_open(STORE_OPENED, 12);
}

START_TEST(test_damage_is_told)
{
    run_in_world(damage_world, NULL, 5);
}
END_TEST

/* ---------------------------------------------------------------------------------- placement */

static timestamp ask_timestamp(client *of, uint32_t count)
{
    buffer bytes;
    timestamp_reply answer;
    buffer_init(&bytes);
    timestamp_request_encode(&(timestamp_request){.count = count}, &bytes);
    sb_reply reply = ask(of, METHOD_TIMESTAMP, &bytes);
    ck_assert(timestamp_reply_decode(&answer, reply_bytes(&reply)));
    ck_assert_int_eq(answer.head.status, REPLY_OK);
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer.first;
}

static session_id grant(client *of, sb_address server, uint64_t nonce)
{
    buffer bytes;
    session_grant_reply answer;
    buffer_init(&bytes);
    session_grant_request_encode(
        &(session_grant_request){.server = server, .nonce = nonce, .ttl = 10 * SB_SECOND}, &bytes);
    sb_reply reply = ask(of, METHOD_SESSION_GRANT, &bytes);
    ck_assert(session_grant_reply_decode(&answer, reply_bytes(&reply)));
    ck_assert_int_eq(answer.head.status, REPLY_OK);
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer.session;
}

static reply_status keep_alive(client *of, session_id session)
{
    buffer bytes;
    session_keepalive_reply answer;
    buffer_init(&bytes);
    session_keepalive_request_encode(&(session_keepalive_request){.session = session}, &bytes);
    sb_reply reply = ask(of, METHOD_SESSION_KEEPALIVE, &bytes);
    ck_assert(session_keepalive_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer.head.status;
}

static campaign_reply campaign(client *of, session_id session)
{
    buffer bytes;
    campaign_reply answer;
    buffer_init(&bytes);
    campaign_request_encode(&(campaign_request){.session = session}, &bytes);
    sb_reply reply = ask(of, METHOD_CAMPAIGN, &bytes);
    ck_assert(campaign_reply_decode(&answer, reply_bytes(&reply)));
    sb_reply_release(&reply);
    buffer_release(&bytes);
    return answer;
}

static void sessions_world(sb_world *world, void *context)
{
    (void)context;
    client of;
    client_init(&of, world, placement_program, 0);

    const session_id first = grant(&of, 3, 100), second = grant(&of, 4, 200);
    ck_assert_uint_eq(grant(&of, 3, 100), first); /* the same request again */
    ck_assert_uint_gt(second, first);
    const campaign_reply won = campaign(&of, first);
    ck_assert(won.owner == 3 && won.owner_session == first);
    ck_assert_uint_eq(campaign(&of, first).tenure, won.tenure);
    ck_assert_uint_eq(campaign(&of, second).owner_session, first);

    /* A restart of placement gives live sessions their whole TTL, and the owner stays. */
    (void)sb_sleep(9 * SB_SECOND, NULL);
    restart(&of);
    (void)sb_sleep(8 * SB_SECOND, NULL);
    ck_assert_int_eq(keep_alive(&of, second), REPLY_OK);
    ck_assert_uint_eq(campaign(&of, second).owner_session, first);

    /* A session that nobody keeps alive ends for ever, and its reign with it. */
    (void)sb_sleep(5 * SB_SECOND, NULL);
    ck_assert_int_eq(keep_alive(&of, first), REPLY_NOT_FOUND);
    restart(&of);
    ck_assert_int_eq(keep_alive(&of, first), REPLY_NOT_FOUND);
    ck_assert_int_eq(campaign(&of, first).head.status, REPLY_NOT_FOUND);
    const campaign_reply next = campaign(&of, second);
    ck_assert_uint_eq(next.owner_session, second);
    ck_assert_uint_gt(next.tenure, won.tenure);

    /* A new session of a server ends the one before; a late copy of the old request does not end
     * the new. */
    const session_id third = grant(&of, 4, 201);
    ck_assert_uint_gt(third, second);
    ck_assert_int_eq(keep_alive(&of, second), REPLY_NOT_FOUND);
    ck_assert_uint_eq(grant(&of, 4, 201), third);
    ck_assert_int_eq(keep_alive(&of, third), REPLY_OK);
    client_release(&of);
}

START_TEST(test_sessions_and_election)
{
    run_in_world(sessions_world, NULL, 1);
}
END_TEST

static void timestamps_world(sb_world *world, void *context)
{
    (void)context;
    client of;
    timestamp last = 0;
    client_init(&of, world, placement_program, 0);
    sb_disk_set(world, &(sb_disk){.sync_min = SB_MILLISECOND, .sync_max = 20 * SB_MILLISECOND});
    for (uint32_t i = 0; i < 300; i++) {
        const uint32_t count = 1 + below(50);
        const timestamp first = ask_timestamp(&of, count);
        ck_assert_uint_gt(first, last);
        last = first + count - 1;
        if (below(4) == 0) {
            sb_clock_set(world, of.store, (int64_t)sb_random(20 * SB_SECOND), 0);
        }
        if (below(4) == 0) {
            restart(&of);
        }
        (void)sb_sleep(sb_random(SB_SECOND), NULL);
    }
    client_release(&of);
}

/* Over kills, and a wall clock that jumps to and fro, no timestamp comes twice. */
START_TEST(test_timestamps_rise)
{
    run_in_world(timestamps_world, NULL, (uint64_t)_i + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine storage");
    TCase *group = tcase_create("storage and placement");
    tcase_set_timeout(group, 120);
    tcase_add_test(group, test_sorted_file);
    tcase_add_test(group, test_percolator_rules);
    tcase_add_test(group, test_ingest_deletion_and_fences);
    tcase_add_loop_test(group, test_store_survives_kills, 0, 20);
    tcase_add_loop_test(group, test_store_survives_stops, 0, 5);
    tcase_add_test(group, test_damage_is_told);
    tcase_add_test(group, test_sessions_and_election);
    tcase_add_loop_test(group, test_timestamps_rise, 0, 5);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
