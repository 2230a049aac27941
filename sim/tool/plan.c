/*
 * Resolving words into a plan; see plan.h.
 */
#include "sim/tool/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool refuse(char *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(char *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, SB_PROBLEM_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

const sb_scenario *sb_find_scenario(const sb_product *product, const char *name)
{
    for (size_t i = 0; i < product->scenario_count; i++) {
        if (strcmp(product->scenarios[i]->name, name) == 0) {
            return product->scenarios[i];
        }
    }
    return NULL;
}

sb_finding_kind sb_finding_kind_of(const char *word)
{
    for (unsigned kind = 1; kind < SB_FINDING_KIND_COUNT; kind++) {
        if (strcmp(word, sb_finding_word(kind)) == 0) {
            return (sb_finding_kind)kind;
        }
    }
    return SB_FINDING_NONE;
}

static const char *setting_name_at(const void *table, size_t index)
{
    return ((const sb_setting *)table)[index].name;
}

static const char *bug_name_at(const void *table, size_t index)
{
    return ((const sb_museum_bug *)table)[index].name;
}

static bool resolve_scenario(sb_plan *plan, const char *name, char *problem)
{
    const sb_product *const product = plan->product;
    assert(product->scenario_count > 0);
    plan->scenario = name == NULL ? product->scenarios[0] : sb_find_scenario(product, name);
    if (plan->scenario != NULL) {
        assert(plan->scenario->setting_count <= SB_SETTING_MAX);
        return true;
    }
    char names[384] = "";
    size_t used = 0;
    for (size_t i = 0; i < product->scenario_count && used < sizeof names; i++) {
        if (!product->scenarios[i]->internal) {
            const int length = snprintf(names + used, sizeof names - used, "%s%s",
                                        used == 0 ? "" : ", ", product->scenarios[i]->name);
            used += length > 0 ? (size_t)length : 0;
        }
    }
    return refuse(problem, "scenario: '%s' is no scenario; expected one of %s", name, names);
}

static bool resolve_fallbacks(sb_plan *plan, char *problem)
{
    const sb_scenario *const scenario = plan->scenario;
    for (size_t i = 0; i < scenario->setting_count; i++) {
        char reason[SB_PROBLEM_SIZE];
        if (!sb_parse_setting(&scenario->settings[i], scenario->settings[i].fallback,
                              &plan->values[i], reason)) {
            return refuse(problem, "scenario %s: the fallback '%s' of setting %s %.300s",
                          scenario->name, scenario->settings[i].fallback,
                          scenario->settings[i].name, reason);
        }
    }
    plan->settings = (sb_settings){plan->values, scenario->setting_count};
    return true;
}

static bool resolve_setting(sb_plan *plan, const char *word, char *problem)
{
    const sb_scenario *const scenario = plan->scenario;
    const char *const equals = strchr(word, '=');
    if (equals == NULL) {
        return refuse(problem, "--set: '%s' has no value; expected NAME=VALUE", word);
    }
    for (size_t i = 0; i < scenario->setting_count; i++) {
        const sb_setting *const setting = &scenario->settings[i];
        if (strlen(setting->name) == (size_t)(equals - word) &&
            strncmp(setting->name, word, (size_t)(equals - word)) == 0) {
            char reason[SB_PROBLEM_SIZE];
            plan->given[i] = true;
            return sb_parse_setting(setting, equals + 1, &plan->values[i], reason) ||
                   refuse(problem, "--set %s: '%s' %.400s", setting->name, equals + 1, reason);
        }
    }
    if (scenario->setting_count == 0) {
        return refuse(problem, "--set: '%s' is no setting of %s; it has none", word,
                      scenario->name);
    }
    char names[384];
    sb_list_names(setting_name_at, scenario->settings, scenario->setting_count, names,
                  sizeof names);
    return refuse(problem, "--set: '%.*s' is no setting of %s; expected one of %s",
                  (int)(equals - word), word, scenario->name, names);
}

static bool resolve_bug(sb_plan *plan, const char *word, char *problem)
{
    const sb_product *const product = plan->product;
    assert(product->bug_count <= 64);
    for (size_t i = 0; i < product->bug_count; i++) {
        if (strcmp(product->bugs[i].name, word) == 0) {
            plan->bugs |= UINT64_C(1) << i;
            return true;
        }
    }
    char names[384];
    sb_list_names(bug_name_at, product->bugs, product->bug_count, names, sizeof names);
    return refuse(problem, "--bug: '%s' is no bug; expected one of %s", word, names);
}

static const char *const exhaust_words[SB_EXHAUST_KIND_COUNT] = {
    "none",
#define EXHAUST(name, word, text) word,
#include "sim/fault/exhaust.def"
#undef EXHAUST
};

const char *sb_exhaust_word(sb_exhaust_kind kind)
{
    return exhaust_words[kind];
}

static const char *exhaust_word_at(const void *table, size_t index)
{
    return ((const char *const *)table)[index];
}

static bool resolve_exhaust(sb_plan *plan, const sb_plan_words *words, char *problem)
{
    char reason[SB_PROBLEM_SIZE];
    plan->exhaust.except = plan->scenario->permanent;
    if (words->exhaust == NULL) {
        return words->place == NULL || refuse(problem,
                                              "--at: '%s' is the place of nothing; expected "
                                              "--exhaust KIND beside it",
                                              words->place);
    }
    for (unsigned kind = 1; kind < SB_EXHAUST_KIND_COUNT; kind++) {
        if (strcmp(words->exhaust, exhaust_words[kind]) == 0) {
            plan->exhaust.kind = (sb_exhaust_kind)kind;
        }
    }
    if (plan->exhaust.kind == SB_EXHAUST_NONE) {
        char names[128];
        sb_list_names(exhaust_word_at, exhaust_words + 1, SB_EXHAUST_KIND_COUNT - 1, names,
                      sizeof names);
        return refuse(problem,
                      "--exhaust: '%s' is nothing that can be exhausted; expected one of %s",
                      words->exhaust, names);
    }
    return words->place == NULL ||
           sb_parse_number_within(words->place, 1, UINT64_MAX, &plan->exhaust.ordinal, reason) ||
           refuse(problem, "--at: '%s' %.400s", words->place, reason);
}

/* And not only a reason for which a message is dropped. */
static bool is_misfortune(unsigned fault)
{
    static const char families[SB_FAULT_COUNT] = {
#define FAULT(name, word, family, text) [SB_FAULT_##name] = #family[0],
#include "sim/fault/faults.def"
#undef FAULT
    };
    return families[fault] != 'e';
}

static bool resolve_mask(sb_plan *plan, const char *word, char *problem)
{
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        if (is_misfortune(fault) && strcmp(word, sb_fault_word((sb_fault)fault)) == 0) {
            plan->masked |= UINT64_C(1) << fault;
            return true;
        }
    }
    return refuse(problem,
                  "--mask: '%s' is no kind of fault; expected one of those in `list faults`", word);
}

static bool matches_any_failpoint(const char *glob)
{
    const sb_place_name **names;
    const size_t count = sb_failpoint_list(&names);
    for (size_t i = 0; i < count; i++) {
        if (sb_glob_matches(glob, names[i]->name)) {
            return true;
        }
    }
    return false;
}

static bool resolve_failpoint(sb_plan *plan, const char *word, char *problem)
{
    char reason[SB_PROBLEM_SIZE];
    const char *const equals = strrchr(word, '=');
    if (equals == NULL || equals == word) {
        return refuse(problem, "--failpoint: '%s' has no rate; expected GLOB=RATE", word);
    }
    const size_t length = (size_t)(equals - word);
    if (plan->failpoint_count == SB_PLAN_FAILPOINT_MAX || length >= SB_GLOB_SIZE) {
        return refuse(problem,
                      "--failpoint: '%s' is one too many, or too long; expected at most %d", word,
                      SB_PLAN_FAILPOINT_MAX);
    }
    sb_failpoint_rate *const into = &plan->failpoints[plan->failpoint_count++];
    snprintf(into->glob, sizeof into->glob, "%.*s", (int)length, word);
    if (!matches_any_failpoint(into->glob)) {
        return refuse(
            problem, "--failpoint: '%s' matches no failpoint; expected one of `%s list failpoints`",
            into->glob, plan->product->name);
    }
    uint64_t rate;
    if (!sb_parse_number_within(equals + 1, 0, 1000000, &rate, reason)) {
        return refuse(problem, "--failpoint %s: '%s' %.400s", into->glob, equals + 1, reason);
    }
    into->rate = (uint32_t)rate;
    return true;
}

bool sb_plan_resolve(const sb_product *product, const sb_plan_words *words, sb_plan *plan,
                     char *problem)
{
    memset(plan, 0, sizeof *plan);
    plan->product = product;
    if (!resolve_scenario(plan, words->scenario, problem) || !resolve_fallbacks(plan, problem)) {
        return false;
    }
    for (unsigned i = 0; i < words->setting_count; i++) {
        if (!resolve_setting(plan, words->settings[i], problem)) {
            return false;
        }
    }
    for (unsigned i = 0; i < words->bug_count; i++) {
        if (!resolve_bug(plan, words->bugs[i], problem)) {
            return false;
        }
    }
    for (unsigned i = 0; i < words->mask_count; i++) {
        if (!resolve_mask(plan, words->masks[i], problem)) {
            return false;
        }
    }
    char reason[SB_PROBLEM_SIZE];
    if (plan->scenario->check != NULL &&
        !plan->scenario->check(&plan->settings, reason, sizeof reason)) {
        return refuse(problem, "scenario %s: %.400s", plan->scenario->name, reason);
    }
    plan->strategy = SB_STRATEGY_PORTFOLIO;
    if (words->strategy != NULL && !sb_parse_strategy(words->strategy, &plan->strategy, reason)) {
        return refuse(problem, "--strategy: '%s' %.400s", words->strategy, reason);
    }
    for (unsigned i = 0; i < words->failpoint_count; i++) {
        if (!resolve_failpoint(plan, words->failpoints[i], problem)) {
            return false;
        }
    }
    return resolve_exhaust(plan, words, problem);
}

sb_plan sb_plan_at(const sb_plan *plan, uint64_t ordinal)
{
    sb_plan at = *plan;
    at.exhaust.ordinal = ordinal;
    return at;
}

static void add_word(char *text, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void add_word(char *text, size_t size, const char *format, ...)
{
    const size_t used = strlen(text);
    assert(used < size);
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < size - used); /* half a command replays nothing */
}

static void add_words(char *text, size_t size, const char *option, const char *const *words,
                      unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        add_word(text, size, " %s '%s'", option, words[i]);
    }
}

void sb_plan_words_text(const sb_plan_words *words, char *text, size_t size)
{
    text[0] = '\0';
    add_words(text, size, "--bug", words->bugs, words->bug_count);
    add_words(text, size, "--strategy", &words->strategy, words->strategy != NULL);
    add_words(text, size, "--set", words->settings, words->setting_count);
    add_words(text, size, "--mask", words->masks, words->mask_count);
    add_words(text, size, "--failpoint", words->failpoints, words->failpoint_count);
    add_words(text, size, "--exhaust", &words->exhaust, words->exhaust != NULL);
    add_words(text, size, "--at", &words->place, words->place != NULL);
}

void sb_plan_options(const sb_plan *plan, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < plan->product->bug_count; i++) {
        if ((plan->bugs >> i & 1) != 0) {
            add_word(text, size, " --bug %s", plan->product->bugs[i].name);
        }
    }
    if (plan->strategy != SB_STRATEGY_PORTFOLIO) {
        add_word(text, size, " --strategy %s", sb_strategy_name(plan->strategy));
    }
    for (size_t i = 0; i < plan->scenario->setting_count; i++) {
        if (plan->given[i]) {
            char value[32];
            sb_setting_text(&plan->scenario->settings[i], plan->values[i], value, sizeof value);
            add_word(text, size, " --set %s=%s", plan->scenario->settings[i].name, value);
        }
    }
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        if ((plan->masked >> fault & 1) != 0) {
            add_word(text, size, " --mask %s", sb_fault_word((sb_fault)fault));
        }
    }
    for (unsigned i = 0; i < plan->failpoint_count; i++) {
        add_word(text, size, " --failpoint '%s=%" PRIu32 "'", plan->failpoints[i].glob,
                 plan->failpoints[i].rate);
    }
    if (plan->exhaust.kind != SB_EXHAUST_NONE) {
        add_word(text, size, " --exhaust %s", sb_exhaust_word(plan->exhaust.kind));
    }
    if (plan->exhaust.ordinal != 0) {
        add_word(text, size, " --at %" PRIu64, plan->exhaust.ordinal);
    }
}

void sb_plan_replay(const sb_plan *plan, uint64_t seed, char *text, size_t size)
{
    char options[SB_PLAN_TEXT_SIZE];
    text[0] = '\0';
    if (plan->tape != NULL) {
        add_word(text, size, "%s replay %s%s", plan->product->name, plan->path,
                 plan->beside != NULL ? plan->beside : "");
        return;
    }
    sb_plan_options(plan, options, sizeof options);
    add_word(text, size, "%s replay %s %" PRIu64 "%s", plan->product->name, plan->scenario->name,
             seed, options);
}

sb_finding_kind sb_plan_expected_kind(const sb_plan *plan)
{
    sb_finding_kind expected = SB_FINDING_NONE;
    for (size_t i = 0; i < plan->product->bug_count; i++) {
        if ((plan->bugs >> i & 1) != 0) {
            const sb_finding_kind kind = sb_finding_kind_of(plan->product->bugs[i].kind);
            if (expected != SB_FINDING_NONE && expected != kind) {
                return SB_FINDING_NONE;
            }
            expected = kind;
        }
    }
    return expected;
}
