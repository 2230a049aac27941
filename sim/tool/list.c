/*
 * `list`: what there is to choose from.
 *
 * Each list is a table of rows; the three formats are written from the same rows.
 */
#include <inttypes.h>
#include <string.h>

#include "sim/record/trace_file.h"
#include "sim/tool/contract.h"
#include "sim/tool/list_states.h"
#include "sim/tool/options.h"

#define COLUMN_MAX 5

/* Writes rows as columns of text, or as JSON objects. */
typedef struct listing {
    bool json;
    const char *columns[COLUMN_MAX];
    int widths[COLUMN_MAX]; /* 0: the last, as long as it is */
    size_t row_count;
} listing;

static void list_begin(listing *list)
{
    list->row_count = 0;
    if (list->json) {
        fputs("[", stdout);
    }
}

static void list_row(listing *list, const char *const *cells)
{
    if (list->json) {
        fputs(list->row_count == 0 ? "\n{" : ",\n{", stdout);
        for (int i = 0; i < COLUMN_MAX && list->columns[i] != NULL; i++) {
            printf("%s\"%s\":", i == 0 ? "" : ",", list->columns[i]);
            sb_json_string(stdout, cells[i]);
        }
        fputc('}', stdout);
    } else {
        for (int i = 0; i < COLUMN_MAX && list->columns[i] != NULL; i++) {
            const bool is_last = i + 1 == COLUMN_MAX || list->columns[i + 1] == NULL;
            printf("%-*s%s", is_last ? 0 : list->widths[i], cells[i], is_last ? "\n" : "  ");
        }
    }
    list->row_count++;
}

static void list_end(const listing *list)
{
    if (list->json) {
        fputs("\n]\n", stdout);
    }
}

static int list_scenarios(const sb_arguments *arguments, bool json)
{
    listing list = {json, {"name", "summary"}, {20}, 0};
    const sb_product *const product = arguments->product;
    list_begin(&list);
    for (size_t i = 0; i < product->scenario_count; i++) {
        if (!product->scenarios[i]->internal) {
            list_row(&list, (const char *const[]){product->scenarios[i]->name,
                                                  product->scenarios[i]->summary});
        }
    }
    list_end(&list);
    return 0;
}

static int list_settings(const sb_arguments *arguments, bool json)
{
    listing list = {json, {"name", "fallback", "least", "most", "help"}, {24, 10, 10, 12}, 0};
    sb_plan plan;
    const int code = sb_arguments_plan(
        arguments, arguments->positional_count > 1 ? arguments->positionals[1] : NULL, &plan);
    if (code != 0) {
        return code;
    }
    list_begin(&list);
    for (size_t i = 0; i < plan.scenario->setting_count; i++) {
        const sb_setting *const setting = &plan.scenario->settings[i];
        char least[32], most[32];
        sb_setting_text(setting, setting->min, least, sizeof least);
        sb_setting_text(setting, setting->max, most, sizeof most);
        list_row(&list, (const char *const[]){setting->name, setting->fallback, least, most,
                                              setting->help});
    }
    list_end(&list);
    return 0;
}

static int list_faults(const sb_arguments *arguments, bool json)
{
    (void)arguments;
    listing list = {json, {"name", "family", "help"}, {20, 10}, 0};
    static const char *const rows[][3] = {
#define FAULT(name, word, family, text) {word, #family, text},
#include "sim/fault/faults.def"
#undef FAULT
    };
    list_begin(&list);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        list_row(&list, rows[i]);
    }
    list_end(&list);
    return 0;
}

static int list_bugs(const sb_arguments *arguments, bool json)
{
    listing list = {json, {"name", "issue", "kind", "scenario", "summary"}, {16, 7, 16, 16}, 0};
    const sb_product *const product = arguments->product;
    list_begin(&list);
    for (size_t i = 0; i < product->bug_count; i++) {
        const sb_museum_bug *const bug = &product->bugs[i];
        char issue[16];
        snprintf(issue, sizeof issue, "%" PRIu32, bug->issue);
        list_row(&list,
                 (const char *const[]){bug->name, issue, bug->kind, bug->scenario, bug->summary});
    }
    list_end(&list);
    return 0;
}

static int list_strategies(const sb_arguments *arguments, bool json)
{
    static const char *const texts[SB_STRATEGY_COUNT] = {
        [SB_STRATEGY_PORTFOLIO] = "one of the others, by the seed's hash",
        [SB_STRATEGY_FIFO] = "first in, first out",
        [SB_STRATEGY_RANDOM] = "any that may run, alike",
        [SB_STRATEGY_PCT2] = "random priorities, one change of priority",
        [SB_STRATEGY_PCT3] = "random priorities, two changes of priority",
        [SB_STRATEGY_POS] = "basic partial order sampling",
        [SB_STRATEGY_STARVE] = "one machine is starved for a while",
    };
    (void)arguments;
    listing list = {json, {"name", "help"}, {20}, 0};
    list_begin(&list);
    for (unsigned i = 0; i < SB_STRATEGY_COUNT; i++) {
        list_row(&list, (const char *const[]){sb_strategy_name((sb_strategy)i),
                                              texts[i] != NULL ? texts[i] : ""});
    }
    list_end(&list);
    return 0;
}

static int list_places(const sb_place_name **places, size_t count, bool json)
{
    listing list = {json, {"name", "place"}, {48}, 0};
    list_begin(&list);
    for (size_t i = 0; i < count; i++) {
        list_row(&list, (const char *const[]){places[i]->name, places[i]->place});
    }
    list_end(&list);
    return 0;
}

static int list_probes(const sb_arguments *arguments, bool json)
{
    (void)arguments;
    const sb_place_name **probes;
    const size_t count = sb_probe_list(&probes);
    return list_places(probes, count, json);
}

static int list_failpoints(const sb_arguments *arguments, bool json)
{
    (void)arguments;
    const sb_place_name **failpoints;
    const size_t count = sb_failpoint_list(&failpoints);
    return list_places(failpoints, count, json);
}

static const struct {
    const char *name;
    int (*list)(const sb_arguments *arguments, bool json);
} lists[] = {
    {"scenarios", list_scenarios},   {"settings", list_settings},
    {"faults", list_faults},         {"bugs", list_bugs},
    {"strategies", list_strategies}, {"probes", list_probes},
    {"failpoints", list_failpoints}, {"states", sb_list_states},
};
#define LIST_COUNT (sizeof lists / sizeof lists[0])

static const char *list_name_at(const void *table, size_t index)
{
    (void)table;
    return lists[index].name;
}

int sb_command_list(const sb_arguments *arguments)
{
    char names[128];
    const char *const format = arguments->format != NULL ? arguments->format : "text";
    const char *const what = arguments->positional_count > 0 ? arguments->positionals[0] : NULL;
    const bool dot = strcmp(format, "dot") == 0;
    if (!dot && strcmp(format, "text") != 0 && strcmp(format, "json") != 0) {
        return sb_complain(SB_EXIT_USAGE,
                           "--format: '%s' is no format of a list; expected one of text, dot, json",
                           format);
    }
    sb_list_names(list_name_at, NULL, LIST_COUNT, names, sizeof names);
    if (what == NULL) {
        return sb_complain(SB_EXIT_USAGE, "list: nothing is named; expected one of %s", names);
    }
    if (arguments->positional_count > 1 && strcmp(what, "settings") != 0) {
        return sb_complain(SB_EXIT_USAGE,
                           "list: '%s' is one word too many; expected it only after settings",
                           arguments->positionals[1]);
    }
    if (dot) {
        return strcmp(what, "states") == 0
                   ? sb_draw_states()
                   : sb_complain(
                         SB_EXIT_USAGE,
                         "--format: dot draws nothing but states; expected text or json for %s",
                         what);
    }
    for (size_t i = 0; i < LIST_COUNT; i++) {
        if (strcmp(lists[i].name, what) == 0) {
            return lists[i].list(arguments, strcmp(format, "json") == 0);
        }
    }
    return sb_complain(SB_EXIT_USAGE, "list: '%s' is no list; expected one of %s", what, names);
}
