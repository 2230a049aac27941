/*
 * Small scenarios for tests/test_exhaust.sh: in each, the number of places is known, and one of
 * them, known too, is the only one that leads to a finding.
 *
 *   diary      a machine writes entries with a new file, a sync and a renaming for each; it does
 * not look at what the renaming of the third says questions  one machine asks another; of the
 * fourth question it waits for the answer for ever passes     a program passes three failpoint
 * lines, and must not meet one of them in round two calm       nothing can be failed in it
 */
#include <stdio.h>
#include <string.h>

#include "sim/tool.h"

enum { COUNT_ENTRIES };
static const sb_counter counters[] = {[COUNT_ENTRIES] = {"entries", "that were written"}};

/* -------------------------------------------------------------------------------------- diary */

#define ENTRIES 5u
#define CARELESS 3u

static sb_status write_draft(unsigned entry)
{
    sb_file *file;
    sb_status status = sb_file_open("draft", SB_FILE_CREATE | SB_FILE_TRUNCATE, &file);
    if (status != SB_OK) {
        return status;
    }
    status = sb_file_write(file, 0, &entry, sizeof entry);
    if (status == SB_OK) {
        status = sb_file_sync(file);
    }
    sb_file_close(file);
    return status;
}

static sb_status write_entry(unsigned entry)
{
    sb_status status = write_draft(entry);
    if (status == SB_OK) {
        const sb_status renamed = sb_rename("draft", "entry");
        status = entry == CARELESS ? SB_OK : renamed;
    }
    return status == SB_OK ? sb_directory_sync("") : status;
}

static int diary_program(const sb_boot *boot)
{
    (void)boot;
    for (unsigned entry = 1; entry <= ENTRIES; entry++) {
        while (write_entry(entry) != SB_OK) {
        }
        unsigned found = 0;
        size_t size = 0, tries = 0;
        sb_file *file;
        while (sb_file_open("entry", 0, &file) != SB_OK && tries++ < 2) {
        }
        sb_assert_op(tries, <, 2);
        while (sb_file_read(file, 0, &found, sizeof found, &size) != SB_OK) {
        }
        sb_file_close(file);
        sb_assert_op(found, ==, entry);
        sb_count(COUNT_ENTRIES, 1);
    }
    return 0;
}

static void run_alone(sb_world *world, sb_program *program)
{
    const sb_node node = sb_node_add(world, "machine", "machine", program, NULL, 0);
    sb_node_boot(world, node);
    sb_node_wait_down(world, node, SB_FOREVER);
    sb_world_heal(world);
    sb_node_wait_down(world, node, SB_FOREVER);
}

static void run_diary(sb_world *world, void *context)
{
    (void)context;
    run_alone(world, diary_program);
}

/* ---------------------------------------------------------------------------------- questions */

#define QUESTIONS 6u
#define PATIENT 4u

static const char *const methods[] = {"ask"};

static void serve(void *context, const sb_request *request)
{
    (void)context;
    sb_answer(request, request->data, request->size);
}

static int wise_program(const sb_boot *boot)
{
    (void)boot;
    sb_exchange *const exchange = sb_exchange_open(methods, 1, serve, NULL, 8);
    while (sb_sleep(SB_SECOND, sb_shutdown_scope()) == SB_OK) {
    }
    sb_exchange_close(exchange);
    return 0;
}

static bool ask(sb_exchange *exchange, unsigned question, sb_duration patience)
{
    sb_scope scope;
    sb_reply reply;
    sb_scope_init(&scope, NULL, "question");
    if (patience != SB_FOREVER) {
        sb_scope_release(&scope);
        sb_scope_init_timeout(&scope, NULL, "question", patience);
    }
    const sb_status status = sb_call(exchange, 1, 0, &question, sizeof question, &reply, &scope);
    if (status == SB_OK) {
        sb_reply_release(&reply);
    }
    sb_scope_release(&scope);
    return status == SB_OK;
}

static int curious_program(const sb_boot *boot)
{
    (void)boot;
    sb_exchange *const exchange = sb_exchange_open(methods, 1, NULL, NULL, 0);
    for (unsigned question = 1; question <= QUESTIONS; question++) {
        while (!ask(exchange, question, question == PATIENT ? SB_FOREVER : SB_SECOND)) {
        }
    }
    sb_exchange_close(exchange);
    return 0;
}

static bool is_down(sb_world *world, void *context)
{
    return !sb_node_is_up(world, *(const sb_node *)context);
}

static void run_questions(sb_world *world, void *context)
{
    (void)context;
    const sb_node wise = sb_node_add(world, "wise", "wise", wise_program, NULL, 0);
    sb_node curious = sb_node_add(world, "curious", "curious", curious_program, NULL, 0);
    sb_node_boot(world, wise);
    sb_sleep(SB_SECOND, NULL);
    sb_node_boot(world, curious);
    if (!sb_node_wait_down(world, curious, 60 * SB_SECOND)) {
        sb_world_heal(world);
        sb_await(world, is_down, &curious, "the questions to be answered");
    }
    sb_node_stop(world, wise);
    sb_node_wait_down(world, wise, SB_FOREVER);
}

/* ------------------------------------------------------------------------------------- passes */

static int cold_program(const sb_boot *boot)
{
    (void)boot;
    return sb_random(2) == 2 && failpoint("never-passed") ? 1 : 0;
}

static int passing_program(const sb_boot *boot)
{
    (void)boot;
    for (unsigned round = 1; round <= 3; round++) {
        if (failpoint("a-light-error")) {
            continue;
        }
        const bool heavy = failpoint("a-heavy-error");
        sb_assert(!heavy || round != 2);
        SOMETIMES(failpoint("the-last-error"), "the last error was met");
        (void)failpoint("a-permanent-error");
    }
    return cold_program(boot);
}

static void run_passes(sb_world *world, void *context)
{
    (void)context;
    run_alone(world, passing_program);
}

/* --------------------------------------------------------------------------------------- calm */

static int idle_program(const sb_boot *boot)
{
    (void)boot;
    sb_sleep(SB_SECOND, NULL);
    return 0;
}

static void run_calm(sb_world *world, void *context)
{
    (void)context;
    run_alone(world, idle_program);
}

/* ------------------------------------------------------------------------------------- tables */

#define SCENARIO(variable, word, director)                                                         \
    static const sb_scenario variable = {.name = word, .summary = "for tests", .run = director}
SCENARIO(diary, "diary", run_diary);
SCENARIO(questions, "questions", run_questions);
static const sb_setting bounds[] = {
    {"least", SB_SETTING_NUMBER, "1", 0, 100, "for tests"},
    {"most", SB_SETTING_NUMBER, "2", 0, 100, "for tests"},
};

static bool check_bounds(const sb_settings *settings, char *problem, size_t size)
{
    if (settings->values[0] > settings->values[1]) {
        snprintf(problem, size, "least is over most; expected at most as much");
        return false;
    }
    return true;
}

static const sb_scenario passes = {.name = "passes",
                                   .summary = "for tests",
                                   .run = run_passes,
                                   .settings = bounds,
                                   .setting_count = 2,
                                   .permanent = "*permanent*",
                                   .check = check_bounds};
SCENARIO(calm, "calm", run_calm);

static const sb_scenario *const scenarios[] = {&diary, &questions, &passes, &calm};

static const sb_product product = {.name = "seedbed",
                                   .version = "test",
                                   .summary = "scenarios for the tests of --exhaust",
                                   .scenarios = scenarios,
                                   .scenario_count = sizeof scenarios / sizeof scenarios[0],
                                   .counters = counters,
                                   .counter_count = sizeof counters / sizeof counters[0]};

int main(int argc, char **argv)
{
    return sb_tool_main(&product, argc, argv);
}
