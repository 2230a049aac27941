/*
 * What clients draft: every draft is one that a server can take, values are as unique as promised,
 * and rows that were read come back as moves and as reads by their values.
 */
#include <string.h>

#include "nodes/draft.h"
#include "nodes/report.h"
#include "tests/engine_world.h"
#include "tests/suite.h"

#define DRAFTS 4000u
#define OTHER_TABLE 2u
#define LOADED 50u

/* Numbers as a client draws them; every one but the last few is found again in a c. */
static uint64_t next_number(void *context)
{
    uint64_t *last = context;
    return ++*last;
}

static boot_plan plan_of_two_tables(uint32_t duplicates)
{
    boot_plan plan;
    boot_plan_init(&plan);
    plan.settings.tables = 2;
    plan.settings.rows = 200;
    plan.settings.other_rows = LOADED;
    plan.settings.client_duplicates = duplicates;
    return plan;
}

/* What was seen of the drafts. */
typedef struct tally {
    uint32_t kinds[STATEMENT_KIND_COUNT];
    uint32_t by_columns[16]; /* reads by index */
    uint32_t pad_updates, moved_pads;
    uint64_t last_c; /* numbers in c rise: none is used twice */
} tally;

static void check_written(tally *into, const statement *one, const boot_settings *settings)
{
    ck_assert_uint_eq(one->c.size, settings->value_size);
    const uint64_t number = write_value_number(one->c);
    ck_assert_uint_gt(number, into->last_c);
    into->last_c = number;
    const bool has_pad = one->kind == STATEMENT_INSERT || (one->columns & 1u << SBTEST_PAD) != 0;
    ck_assert_uint_eq(one->pad.size, has_pad ? settings->value_size : 0);
    into->pad_updates += one->kind == STATEMENT_UPDATE && has_pad;
}

static void check_statement(tally *into, const statement *one, const boot_settings *settings)
{
    into->kinds[one->kind]++;
    switch (one->kind) {
    case STATEMENT_INSERT:
    case STATEMENT_UPDATE:
        ck_assert_int_gt(one->id, 0);
        check_written(into, one, settings);
        break;
    case STATEMENT_READ_INDEX:
        ck_assert_uint_ne(one->columns, 0);
        ck_assert_uint_lt(one->columns, 16);
        ck_assert_uint_gt(one->index_name.size, 0);
        into->by_columns[one->columns]++;
        break;
    case STATEMENT_SCAN:
        ck_assert_int_ge(one->last, one->id);
        break;
    default:
        ck_assert_int_gt(one->id, 0);
    }
}

/* Answer a draft as if every row were there, with a value of its id. */
static void answer(draft *of, unsigned char *values)
{
    const uint32_t size = of->settings->value_size;
    statement_result results[DRAFT_STATEMENTS_MAX];
    memset(results, 0, sizeof(results));
    for (uint32_t i = 0; i < of->statement_count; i++) {
        const statement *one = &of->statements[i];
        results[i].kind = RESULT_DONE;
        if (one->kind == STATEMENT_READ) {
            unsigned char *bytes = values + (size_t)i * size;
            write_value_format((uint64_t)one->id, size, bytes);
            results[i].kind = RESULT_ROW;
            results[i].k = one->id % 7;
            results[i].c = results[i].pad = slice_of(bytes, size);
        } else if (one->kind == STATEMENT_READ_INDEX || one->kind == STATEMENT_SCAN) {
            results[i].kind = RESULT_IDS;
        }
    }
    const execute_reply reply = {
        .outcome = OUTCOME_COMMITTED, .result_count = of->statement_count, .results = results};
    draft_learn(of, &reply);
}

/* A row that is deleted and comes back with the same pad under another id. */
static bool is_move(const draft *of)
{
    return of->statement_count == 2 && of->statements[0].kind == STATEMENT_DELETE &&
           of->statements[1].kind == STATEMENT_INSERT &&
           of->statements[0].id != of->statements[1].id &&
           write_value_number(of->statements[1].pad) == (uint64_t)of->statements[0].id;
}

static void drafts_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    const boot_plan plan = plan_of_two_tables(0);
    uint64_t numbers = 1000;
    tally seen = {.last_c = 0};
    draft of;
    draft_init(&of, &plan.settings, DRAFT_STATEMENTS_MAX, next_number, &numbers);
    unsigned char *values = sb_alloc((size_t)DRAFT_STATEMENTS_MAX * plan.settings.value_size);
    for (uint32_t i = 0; i < DRAFTS; i++) {
        ck_assert(draft_operation(&of, 1 + i % 2));
        ck_assert_uint_eq(of.table, 1 + i % 2);
        ck_assert_uint_gt(of.statement_count, 0);
        for (uint32_t j = 0; j < of.statement_count; j++) {
            check_statement(&seen, &of.statements[j], &plan.settings);
        }
        seen.moved_pads += is_move(&of);
        answer(&of, values);
    }
    for (uint32_t i = 0; i < STATEMENT_KIND_COUNT; i++) {
        ck_assert_msg(seen.kinds[i] > 0, "no %s", statement_kind_text((statement_kind)i));
    }
    for (uint32_t i = 0; i < workload_index_count; i++) {
        ck_assert_uint_gt(seen.by_columns[workload_index_columns(&workload_indexes[i])], 0);
    }
    ck_assert_uint_gt(seen.pad_updates, 0);
    ck_assert_uint_gt(seen.moved_pads, 0);
    sb_free(values);
    draft_release(&of);
}

START_TEST(test_drafts)
{
    run_in_world(drafts_world, NULL, 1);
}
END_TEST

/* How many of the loaded rows have a pad that is not their own. */
static uint32_t load_and_count(uint32_t duplicates)
{
    const boot_plan plan = plan_of_two_tables(duplicates);
    uint64_t numbers = 1000;
    uint32_t others = 0;
    draft of;
    draft_init(&of, &plan.settings, LOADED, next_number, &numbers);
    ck_assert(draft_load(&of, OTHER_TABLE, 1, LOADED));
    ck_assert_uint_eq(of.statement_count, LOADED);
    for (uint32_t i = 0; i < LOADED; i++) {
        unsigned char own[64];
        write_value_format(i + 1, plan.settings.value_size, own);
        own[0] = 'p';
        ck_assert_int_eq(of.statements[i].id, i + 1);
        others += !slice_equal(of.statements[i].pad, slice_of(own, plan.settings.value_size));
    }
    draft_release(&of);
    return others;
}

static void load_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    ck_assert_uint_eq(load_and_count(0), 0);
    uint32_t others = 0;
    for (uint32_t i = 0; i < 100; i++) {
        others += load_and_count(1000000);
    }
    ck_assert_uint_gt(others, 0);
    ck_assert_uint_lt(others, LOADED * 5);
}

/* Pads are unique unless duplicates are wanted, and then a few are not. */
START_TEST(test_load)
{
    run_in_world(load_world, NULL, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine: workload");
    TCase *of = tcase_create("drafts");
    tcase_add_test(of, test_drafts);
    tcase_add_test(of, test_load);
    suite_add_tcase(suite, of);
    return run_suite(suite);
}
