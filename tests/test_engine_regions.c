/*
 * Regions by themselves: what a store keeps of them, how one travels, what placement makes of what
 * it is told, and what an oracle makes of the copies it finds.  How they move:
 * test_engine_region_moves.c.
 */
#include <string.h>

#include "engine/placement/region_table.h"
#include "engine/storage/region_file.h"
#include "nodes/oracles/durable.h"
#include "tests/engine_world.h"
#include "tests/suite.h"

/* ----------------------------------------------------------------------- the set of a store */

static region_description describe(region_id id, region_epoch epoch, const char *start,
                                   const char *end)
{
    return (region_description){.id = id,
                                .epoch = epoch,
                                .start = slice_of_string(start),
                                .end = slice_of_string(end),
                                .leader = 7};
}

static void expect_region(const region_set *set, region_id id, region_phase phase,
                          region_epoch epoch, const char *start, const char *end)
{
    const region *one = region_set_find(set, id);
    ck_assert_ptr_nonnull(one);
    ck_assert_int_eq(one->phase, phase);
    ck_assert_uint_eq(one->epoch, epoch);
    ck_assert(slice_equal(one->start, slice_of_string(start)));
    ck_assert(slice_equal(one->end, slice_of_string(end)));
}

static void check_copy(const region_set *set)
{
    buffer bytes;
    region_set copy;
    buffer_init(&bytes);
    region_set_init(&copy);
    region_set_encode(set, &bytes);
    cursor from = cursor_of(buffer_slice(&bytes));
    ck_assert(region_set_decode(&copy, &from, 99) && cursor_finished(&from));
    ck_assert_uint_eq(copy.count, set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        const region *one = &set->items[i], *other = &copy.items[i];
        ck_assert(one->id == other->id && one->epoch == other->epoch &&
                  one->phase == other->phase && one->to == other->to &&
                  slice_equal(one->start, other->start) && slice_equal(one->end, other->end));
    }
    region_set_release(&copy);
    buffer_release(&bytes);
}

static void set_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    region_set set;
    region_set_init(&set);
    const region_description all = describe(1, 1, "", ""), late = describe(3, 2, "m", "z");
    ck_assert(region_set_serve(&set, &all, 1));
    ck_assert(!region_set_serve(&set, &late, 2)); /* somebody else's keys */
    ck_assert(!region_set_split(&set, 1, (slice){0}, 2, 2));
    ck_assert(region_set_split(&set, 1, slice_of_string("g"), 2, 2));
    expect_region(&set, 1, REGION_SERVING, 2, "", "g");
    expect_region(&set, 2, REGION_SERVING, 2, "g", "");
    ck_assert(!region_set_split(&set, 1, slice_of_string("g"), 3, 3)); /* not one of its keys */
    ck_assert(!region_set_merge(&set, 2, 1, 3));                       /* the wrong way round */
    ck_assert(region_set_leave(&set, 2, 5, 3));
    ck_assert(!region_set_merge(&set, 1, 2, 4));
    ck_assert(!region_set_leave(&set, 2, 6, 4));
    check_copy(&set);
    ck_assert(region_set_return(&set, 2, 4)); /* refused there at 3: here it goes on at 4 */
    expect_region(&set, 2, REGION_SERVING, 4, "g", "");
    ck_assert(region_set_leave(&set, 2, 5, 5) && region_set_forget(&set, 2, 6));
    expect_region(&set, 2, REGION_GONE, 5, "", "");
    const region_description same = describe(2, 5, "g", ""), back = describe(2, 6, "g", "");
    ck_assert(!region_set_serve(&set, &same, 7)); /* a late copy of what it went on as */
    ck_assert(!region_set_refuse(&set, 2, 5, 7));
    ck_assert(region_set_serve(&set, &back, 7));
    ck_assert(region_set_merge(&set, 1, 2, 8));
    expect_region(&set, 1, REGION_SERVING, 7, "", "");
    expect_region(&set, 2, REGION_GONE, 7, "", "");
    ck_assert(region_set_refuse(&set, 9, 4, 9));
    const region_description refused = describe(9, 4, "", "");
    ck_assert(!region_set_serve(&set, &refused, 10));
    ck_assert_uint_eq(set.changed, 9);
    check_copy(&set);
    region_set_release(&set);
}

/* Epochs rise with every change, and what is gone or refused never comes back in an old one. */
START_TEST(test_region_set)
{
    run_in_world(set_world, NULL, 1);
}
END_TEST

/* A state with one region and one of everything. */
static void fill_state(store_state *state)
{
    const region_description all = describe(1, 1, "b", "y");
    buffer record;
    packing list;
    buffer_init(&record);
    packing_init(&list);
    store_state_init(state);
    store_state_add_region(state, &all);
    pack_mutation(&list, &(mutation){MUTATION_PUT, slice_of_string("c"), slice_of_string("1")});
    pack_mutation(&list, &(mutation){MUTATION_PUT, slice_of_string("d"), slice_of_string("2")});
    record_prewrite(&record, 10, 500, slice_of_string("c"), packing_list(&list));
    ck_assert(store_state_apply(state, 1, buffer_slice(&record)));
    buffer_clear(&record);
    record_commit(&record, 10, 20);
    record_add_key(&record, slice_of_string("c"));
    ck_assert(store_state_apply(state, 2, buffer_slice(&record)));
    buffer_clear(&record);
    record_delete_range(&record, slice_of_string("a"), slice_of_string("bx"));
    ck_assert(store_state_apply(state, 3, buffer_slice(&record)));
    buffer_clear(&record);
    record_fence(&record, 4, 44);
    ck_assert(store_state_apply(state, 4, buffer_slice(&record)));
    packing_release(&list);
    buffer_release(&record);
}

static void file_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    store_state from, to;
    region_description about;
    buffer file, record;
    buffer_init(&file);
    buffer_init(&record);
    fill_state(&from);
    const uint64_t digest = region_file_encode(&from, region_set_find(&from.regions, 1), &file);
    ck_assert(region_file_check(buffer_slice(&file), digest, &about));
    ck_assert(about.id == 1 && about.epoch == 2);
    for (uint32_t i = 0; i < file.size; i++) {
        file.data[i] ^= 0x04;
        ck_assert_msg(!region_file_check(buffer_slice(&file), digest, &about), "byte %u", i);
        file.data[i] ^= 0x04;
    }
    store_state_init(&to);
    record_install(&record, buffer_slice(&file));
    ck_assert(store_state_apply(&to, 1, buffer_slice(&record)));
    expect_region(&to.regions, 1, REGION_SERVING, 2, "b", "y");
    ck_assert_uint_eq(to.data.size, from.data.size);
    ck_assert_uint_eq(entry_read(mvcc_find(&to.data, slice_of_string("c")), 20)->start, 10);
    ck_assert_ptr_nonnull(entry_own_lock(mvcc_find(&to.data, slice_of_string("d")), 10));
    ck_assert_uint_eq(store_state_fence(&to, 4)->least, 44);
    ck_assert(store_state_is_deleted(&to, slice_of_string("b")));
    ck_assert(!store_state_is_deleted(&to, slice_of_string("aa"))); /* not of this region */
    ck_assert(!store_state_apply(&to, 2, buffer_slice(&record)));   /* it is here already */
    store_state_release(&to);
    store_state_release(&from);
    buffer_release(&record);
    buffer_release(&file);
}

/* A region takes its locks, versions, fences and deleted ranges along; no flipped byte of its file
 * goes unnoticed. */
START_TEST(test_region_file)
{
    run_in_world(file_world, NULL, 1);
}
END_TEST

/* ------------------------------------------------------------------ what an oracle makes of it */

/* Two stores: what is done to region 1, ["", ""), or to the halves it is split into, and what the
 * oracle says. */
typedef struct claims {
    bool first_leaves, second_has, second_leaves, half, second_old;
    const char *finding; /* NULL: it holds */
    uint32_t counts;     /* the store whose copy counts */
} claims;

static const claims claim_cases[] = {
    {.finding = NULL, .counts = 0},
    {.first_leaves = true, .finding = NULL, .counts = 0},
    {.first_leaves = true, .second_has = true, .finding = NULL, .counts = 1},
    {.first_leaves = true, .second_has = true, .second_leaves = true, .counts = 1},
    {.second_has = true, .finding = "hold the same keys"},
    {.second_has = true, .second_leaves = true, .finding = "hold the same keys"},
    {.first_leaves = true, .second_has = true, .second_old = true, .finding = "the same keys"},
    {.half = true, .finding = "no store holds the keys behind those of region 1"},
};
#define CLAIM_CASES (sizeof(claim_cases) / sizeof(claim_cases[0]))

static void claims_world(sb_world *world, void *context)
{
    const claims *how = context;
    durable_store stores[2] = {{.node = 0}, {.node = 0}};
    durable_cluster of = {.stores = stores, .store_count = 2};
    const region_description first = describe(1, 1, "", how->half ? "g" : "");
    const region_description second = describe(1, how->second_old ? 1 : 2, "", "");
    store_state_init(&stores[0].state);
    store_state_init(&stores[1].state);
    store_state_add_region(&stores[0].state, &first);
    if (how->first_leaves) {
        ck_assert(region_set_leave(&stores[0].state.regions, 1, 3, 1));
    }
    if (how->second_has) {
        store_state_add_region(&stores[1].state, &second);
        ck_assert(!how->second_leaves || region_set_leave(&stores[1].state.regions, 1, 3, 1));
    }
    durable_place_regions(&of, world);
    ck_assert(of.region_count == 1 && of.regions[0].store == how->counts);
    sb_free(of.regions);
    store_state_release(&stores[0].state);
    store_state_release(&stores[1].state);
}

/* The copy with the higher epoch counts; two stores that would serve a key, or none, are told. */
START_TEST(test_who_holds_a_key)
{
    const claims *how = &claim_cases[_i];
    sb_universe *universe = sb_universe_open(NULL);
    ck_assert_ptr_nonnull(universe);
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_RANDOM};
    sb_world *world = sb_world_reset(universe, &options, claims_world, (void *)(uintptr_t)how);
    const sb_outcome outcome = sb_world_run(world);
    if (how->finding == NULL) {
        ck_assert_int_eq(outcome, SB_OUTCOME_PASSED);
    } else {
        ck_assert_int_eq(outcome, SB_OUTCOME_FINDING);
        ck_assert_int_eq(sb_world_finding(world)->kind, SB_FINDING_WRONG_STATE);
        ck_assert_ptr_nonnull(strstr(sb_world_finding(world)->text, how->finding));
    }
    sb_universe_close(universe);
}
END_TEST

/* ----------------------------------------------------------------------- the table of placement */

static bool learn(region_table *table, region_id id, region_epoch epoch, const char *start,
                  const char *end, sb_address leader)
{
    region_description told = describe(id, epoch, start, end);
    told.leader = leader;
    return region_table_learn(table, &told);
}

static region_id holder(const region_table *table, const char *key)
{
    const region_description *found = region_table_find(table, slice_of_string(key));
    return found == NULL ? 0 : found->id;
}

static void table_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    region_table table, copy;
    buffer bytes;
    buffer_init(&bytes);
    region_table_init(&table);
    region_table_init(&copy);
    ck_assert(learn(&table, 1, 1, "", "m", 2) && learn(&table, 2, 1, "m", "", 3));
    ck_assert(!learn(&table, 1, 1, "", "m", 2));
    ck_assert(learn(&table, 1, 1, "", "m", 0));  /* on its way */
    ck_assert(!learn(&table, 1, 1, "", "m", 2)); /* late: told before it left */
    ck_assert_uint_eq(table.items[0].leader, 0);
    ck_assert(learn(&table, 1, 2, "", "m", 4));
    ck_assert(!learn(&table, 1, 1, "", "m", 2)); /* late */
    ck_assert_uint_eq(region_table_find(&table, slice_of_string("a"))->leader, 4);

    /* The right half of a split is told of first: a hole until the left one is. */
    ck_assert(learn(&table, 5, 3, "g", "m", 4));
    ck_assert(holder(&table, "a") == 0 && holder(&table, "h") == 5 && holder(&table, "z") == 2);
    ck_assert(!learn(&table, 1, 2, "", "m", 4));
    ck_assert(learn(&table, 1, 3, "", "g", 4));
    ck_assert_uint_eq(holder(&table, "a"), 1);
    ck_assert_uint_eq(region_table_behind(&table, &table.items[0])->id, 5);
    ck_assert_uint_eq(region_table_led_by(&table, 4), 2);

    /* A merge takes the place of both, whatever is told of them later. */
    ck_assert(learn(&table, 5, 4, "g", "", 3));
    ck_assert(!learn(&table, 2, 1, "m", "", 3));
    ck_assert(holder(&table, "z") == 5 && table.count == 2 && table.last == 5);

    region_table_encode(&table, &bytes);
    cursor from = cursor_of(buffer_slice(&bytes));
    region_table_decode(&copy, &from);
    ck_assert(cursor_finished(&from) && copy.count == 2 && copy.last == 5);
    region_table_release(&copy);
    region_table_release(&table);
    buffer_release(&bytes);
}

/* Of two claims to a key the later one counts, in whatever order they are told. */
START_TEST(test_region_table)
{
    run_in_world(table_world, NULL, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine regions");
    TCase *group = tcase_create("regions");
    tcase_add_test(group, test_region_set);
    tcase_add_test(group, test_region_file);
    tcase_add_loop_test(group, test_who_holds_a_key, 0, (int)CLAIM_CASES);
    tcase_add_test(group, test_region_table);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
