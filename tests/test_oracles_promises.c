/*
 * The oracle of placement's promises, shown a machine that gives away what its disk bears, and
 * machines that give away more: too early, too much, or without having synced anything.
 */
#include "engine/base/durable_file.h"
#include "engine/placement/registry.h"
#include "nodes/oracles/promises.h"
#include "tests/suite.h"

#define BOUND_MS 1000u
#define SESSION 7u
#define TENURE 3u

typedef enum saving {
    SAVED,
    SAVED_LATER, /* when it has been told */
    NOT_SYNCED,
    NOT_SAVED
} saving;

typedef struct plant {
    const char *what;
    saving how;
    uint64_t timestamp_ms, session, tenure; /* told */
    const char *words;                      /* NULL: nothing is wrong */
    uint64_t second_ms; /* told by the next incarnation, which saves a greater bound; 0: none */
} plant;

static void save(saving how, uint64_t bound_ms)
{
    registry state;
    buffer bytes;
    registry_init(&state);
    buffer_init(&bytes);
    state.timestamp_bound = bound_ms;
    state.last_session = SESSION;
    state.last_tenure = TENURE;
    registry_encode(&state, &bytes);
    if (how == NOT_SYNCED) {
        sb_file *file;
        ck_assert_int_eq(sb_file_open("placement", SB_FILE_CREATE, &file), SB_OK);
        ck_assert_int_eq(sb_file_write(file, 0, bytes.data, bytes.size), SB_OK);
        sb_file_close(file);
    } else {
        ck_assert_int_eq(durable_file_replace("", "placement", buffer_slice(&bytes)), SB_OK);
    }
    buffer_release(&bytes);
    registry_release(&state);
}

static void tell(const plant *of)
{
    const promise_report said = {
        .last = timestamp_of_ms(of->timestamp_ms), .session = of->session, .tenure = of->tenure};
    buffer bytes;
    buffer_init(&bytes);
    promise_report_encode(&said, &bytes);
    sb_report(REPORT_PROMISED, bytes.data, bytes.size);
    buffer_release(&bytes);
}

static int teller(const sb_boot *boot)
{
    plant of;
    buffer before;
    memcpy(&of, boot->argument, sizeof(of));
    buffer_init(&before);
    const bool is_second = durable_file_read("placement", &before) == DURABLE_READ;
    buffer_release(&before);
    if (is_second) {
        save(SAVED, 2 * BOUND_MS);
        of.timestamp_ms = of.second_ms;
    } else if (of.how == SAVED || of.how == NOT_SYNCED) {
        save(of.how, BOUND_MS);
    }
    tell(&of);
    if (of.how == SAVED_LATER) {
        save(SAVED, BOUND_MS);
    }
    return 0;
}

static void observe(sb_world *world, sb_node node, uint32_t kind, const void *data, size_t size)
{
    ck_assert_uint_eq(kind, REPORT_PROMISED);
    oracle_promised(sb_world_data(world), world, node, slice_of(data, size));
}

static void direct(sb_world *world, void *context)
{
    promises *of = sb_alloc_zero(sizeof(*of));
    const sb_node node =
        sb_node_add(world, "placement", "placement", teller, context, sizeof(plant));
    sb_world_set_data(world, of);
    sb_observe_reports(world, observe);
    sb_node_boot(world, node);
    ck_assert(sb_node_wait_down(world, node, SB_SECOND));
    if (((const plant *)context)->second_ms > 0) {
        sb_node_boot(world, node);
        ck_assert(sb_node_wait_down(world, node, SB_SECOND));
    }
    sb_free(of);
}

static const plant plants[] = {
    {"all that it has", SAVED, BOUND_MS - 1, SESSION, TENURE, NULL, 0},
    {"a timestamp at the bound", SAVED, BOUND_MS, SESSION, TENURE, "gives away timestamp", 0},
    {"another session", SAVED, 1, SESSION + 1, TENURE, "session 8, and its disk bears none above 7",
     0},
    {"another tenure", SAVED, 1, SESSION, TENURE + 1, "tenure 4, and its disk bears none above 3",
     0},
    {"a timestamp before it is saved", SAVED_LATER, 1, 0, 0, "gives away timestamp", 0},
    {"a session before it is saved", SAVED_LATER, 0, 1, 0, "gives away session", 0},
    {"a timestamp that is not synced", NOT_SYNCED, 1, 0, 0, "gives away timestamp", 0},
    {"a timestamp without a file", NOT_SAVED, 1, 0, 0, "bears none above 0", 0},
    {"behind the bound, after a restart", SAVED, 1, 0, 0, NULL, BOUND_MS},
    {"below the bound, after a restart", SAVED, 1, 0, 0, "before it was booted", BOUND_MS - 1},
};
#define PLANTS (sizeof(plants) / sizeof(plants[0]))

START_TEST(test_plants)
{
    plant copy = plants[_i];
    const ending end = run_once(direct, &copy);
    if (copy.words == NULL) {
        must_pass(&end);
    } else {
        must_find(&end, SB_FINDING_WRONG_STATE, copy.words);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("oracles: promises");
    TCase *of = tcase_create("plants");
    tcase_add_loop_test(of, test_plants, 0, (int)PLANTS);
    suite_add_tcase(suite, of);
    return run_suite(suite);
}
