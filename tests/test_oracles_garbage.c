/*
 * The oracle of garbage, shown a picture whose store has collected what it may, and what it may
 * not; and the other oracles, shown what is left of it.
 */
#include "engine/storage/garbage.h"
#include "nodes/oracles/garbage.h"
#include "tests/oracle_picture.h"

#define NOW 400u /* behind everything in the picture */

/* What the store does, and what it tells of it. */
typedef struct collection {
    timestamp told, done; /* safe points; 0: not at all */
    timestamp guarded;
    void (*before)(picture *in); /* NULL: nothing */
    bool one_row;                /* of row 2 only its newest version, whatever the safe point */
    bool at_once;                /* at the present, and before that at `done` */
} collection;

static void tell(picture *in, collected *into, timestamp safe_point)
{
    buffer report, next;
    buffer_init(&report);
    buffer_init(&next);
    buffer_add_u64(&report, safe_point);
    (void)garbage_find(data_of(in), (slice){0}, (slice){0}, safe_point, UINT32_MAX, &report, &next);
    collected_observe(into, REPORT_COLLECTED, buffer_slice(&report));
    collected_observe(into, REPORT_INGESTED, buffer_slice(&report)); /* is passed over */
    buffer_release(&next);
    buffer_release(&report);
}

/* The newest version of row 2, its deletion, and nothing else. */
static void take_newest(picture *in, collected *into, timestamp safe_point)
{
    const encoded_key key = encode_row_key(TABLE, 2);
    entry *of = mvcc_find(data_of(in), encoded_slice(&key));
    version *newest = of->values;
    buffer report, versions;
    buffer_init(&report);
    buffer_init(&versions);
    buffer_add_u8(&versions, 0);
    buffer_add_u32(&versions, 1);
    buffer_add_u32(&versions, 0);
    version_encode(newest, &versions);
    buffer_add_u64(&report, safe_point);
    buffer_add_slice(&report, encoded_slice(&key));
    buffer_add_slice(&report, buffer_slice(&versions));
    collected_observe(into, REPORT_COLLECTED, buffer_slice(&report));
    of->values = newest->older;
    sb_free(newest);
    buffer_release(&versions);
    buffer_release(&report);
}

static void collect(picture *in, collected *into, const collection *how)
{
    if (how->before != NULL) {
        how->before(in);
    }
    store_state_raise_safe_point(&in->store.state, how->guarded, 1);
    if (how->one_row) {
        take_newest(in, into, how->told);
    } else if (how->told != 0) {
        tell(in, into, how->told);
    }
    if (how->done != 0) {
        (void)garbage_drop(data_of(in), (slice){0}, (slice){0}, how->done);
    }
    if (how->at_once) {
        tell(in, into, NOW);
        (void)garbage_drop(data_of(in), (slice){0}, (slice){0}, NOW);
    }
}

static void judge_collection(sb_world *world, void *context)
{
    const brush well = BRUSH();
    picture *made = sb_alloc(sizeof(*made));
    collected told;
    collected_init(&told);
    sb_node_add(world, "server1", "server", NULL, NULL, 0);
    sb_node_add(world, "store1", "storage", NULL, NULL, 0);
    sb_node_add(world, "server2", "server", NULL, NULL, 0);
    sb_node_add(world, "client1", "client", NULL, NULL, 0);
    paint(made, world, &well);
    collect(made, &told, context);
    durable_resolve_locks(&made->durable);
    oracle_garbage(&told, &made->durable, world);
    oracle_judge(&made->seen);
    collected_release(&told);
    decisions_release(&made->decided);
    history_release(&made->told);
    sb_free(made->durable.regions);
    store_state_release(&made->store.state);
    sb_free(made);
}

/* ---------------------------------------------------------------------------------------- cases */

static void roll_back(picture *in)
{
    const encoded_key key = encode_row_key(TABLE, 3);
    mvcc_rollback(data_of(in), encoded_slice(&key), 220, 1);
}

/* A transaction that deletes rows 1 and 9; its primary is 9, and row 1 has been left locked.  Then
 * its record goes, which no collection in the right order would have let go. */
static void forget_primary(picture *in)
{
    const encoded_key row = encode_row_key(TABLE, 1), primary = encode_row_key(TABLE, 9);
    const mutation locked = {
        .kind = MUTATION_PUT, .key = encoded_slice(&row), .value = slice_of("1", 1)};
    drop(in, encoded_slice(&primary), 251, 252);
    mvcc_prewrite(data_of(in), 251, 3000, encoded_slice(&primary), &locked, 1);
}

typedef struct example {
    const char *what;
    collection how;
    sb_finding_kind kind; /* NONE: nothing is wrong */
    const char *words;
} example;

static const example examples[] = {
    {"nothing was collected", {0}, SB_FINDING_NONE, ""},
    {"early", {.told = 125, .done = 125, .guarded = 125}, SB_FINDING_NONE, ""},
    {"all", {.told = NOW, .done = NOW, .guarded = NOW}, SB_FINDING_NONE, ""},
    {"twice", {.told = 160, .done = 160, .guarded = NOW, .at_once = true}, SB_FINDING_NONE, ""},
    {"told, and not done", {.told = NOW, .guarded = NOW}, SB_FINDING_NONE, ""},
    {"told, done later", {.told = 160, .guarded = NOW, .at_once = true}, SB_FINDING_NONE, ""},
    {"with a rollback",
     {.told = NOW, .done = NOW, .guarded = NOW, .before = roll_back},
     SB_FINDING_NONE,
     ""},
    {"not told", {.done = NOW, .guarded = NOW}, SB_FINDING_STALE_OWNER, "did not lock"},
    {"more than it may", {.told = 160, .done = NOW, .guarded = NOW}, SB_FINDING_LOST_WRITE, ""},
    {"not guarded",
     {.told = NOW, .done = NOW, .guarded = 160},
     SB_FINDING_LOST_WRITE,
     "160 is guarded"},
    {"the newest above it",
     {.told = 160, .guarded = NOW, .one_row = true},
     SB_FINDING_LOST_WRITE,
     "was collected at the safe point 160, and readers from there on have lost it"},
    {"a deletion alone",
     {.told = NOW, .guarded = NOW, .one_row = true},
     SB_FINDING_LOST_WRITE,
     "the deletion of"},
    {"a record that a lock needs",
     {.told = NOW, .done = NOW, .guarded = NOW, .before = forget_primary},
     SB_FINDING_LOST_WRITE,
     "251"},
};
#define EXAMPLES (sizeof(examples) / sizeof(examples[0]))

/* Each leads to its finding, and to none where all was done rightly. */
START_TEST(test_examples)
{
    example copy = examples[_i];
    const ending end = run_once(judge_collection, &copy.how);
    if (copy.kind == SB_FINDING_NONE) {
        must_pass(&end);
    } else {
        must_find(&end, copy.kind, copy.words);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracle of garbage");
    TCase *of = tcase_create("examples");
    tcase_add_loop_test(of, test_examples, 0, (int)EXAMPLES);
    suite_add_tcase(suite, of);
    return run_suite(suite);
}
