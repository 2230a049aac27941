/*
 * Parsing words; see parse.h.  Integers only: fractions are carried as digits and a power of ten.
 */
#include "sim/tool/parse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MILLION 1000000u

static bool refuse(char *problem, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(char *problem, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem, SB_PROBLEM_SIZE, format, arguments);
    va_end(arguments);
    return false;
}

static int digit_value(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : 99;
}

typedef enum scan_end { SCAN_OK, SCAN_NONE, SCAN_TOO_LARGE } scan_end;

/* Digits from *at on; *at is left behind the last. */
static scan_end scan_digits(const char **at, unsigned base, uint64_t *number)
{
    const char *const start = *at;
    bool too_large = false;
    *number = 0;
    for (; digit_value(**at) < (int)base; (*at)++) {
        const uint64_t digit = (uint64_t)digit_value(**at);
        too_large = too_large || __builtin_mul_overflow(*number, base, number) ||
                    __builtin_add_overflow(*number, digit, number);
    }
    return *at == start ? SCAN_NONE : too_large ? SCAN_TOO_LARGE : SCAN_OK;
}

static scan_end scan_number(const char **at, uint64_t *number)
{
    if ((*at)[0] == '0' && ((*at)[1] == 'x' || (*at)[1] == 'X')) {
        *at += 2;
        return scan_digits(at, 16, number);
    }
    return scan_digits(at, 10, number);
}

bool sb_parse_number(const char *text, uint64_t *number, char *problem)
{
    const char *at = text;
    const scan_end end = scan_number(&at, number);
    if (end == SCAN_TOO_LARGE && *at == '\0') {
        return refuse(problem, "is too large; expected at most %" PRIu64, UINT64_MAX);
    }
    if (end != SCAN_OK || *at != '\0') {
        return refuse(problem, "is no number; expected digits or 0x and hex digits");
    }
    return true;
}

bool sb_parse_number_within(const char *text, uint64_t min, uint64_t max, uint64_t *number,
                            char *problem)
{
    if (!sb_parse_number(text, number, problem)) {
        return false;
    }
    if (*number < min || *number > max) {
        return refuse(problem, "is out of range; expected %" PRIu64 " to %" PRIu64, min, max);
    }
    return true;
}

bool sb_parse_range(const char *text, uint64_t *first, uint64_t *last, char *problem)
{
    const char *at = text;
    const scan_end first_end = scan_number(&at, first);
    scan_end last_end = first_end;
    *last = *first;
    if (at[0] == '.' && at[1] == '.') {
        at += 2;
        last_end = scan_number(&at, last);
    }
    if (first_end == SCAN_NONE || last_end == SCAN_NONE || *at != '\0') {
        return refuse(problem,
                      "is no range of seeds; expected A..B, or one seed, in decimal or 0x...");
    }
    if (first_end == SCAN_TOO_LARGE || last_end == SCAN_TOO_LARGE) {
        return refuse(problem, "holds a seed that is too large; expected at most %" PRIu64,
                      UINT64_MAX);
    }
    if (*first > *last) {
        return refuse(problem, "is backward; expected A..B with A <= B");
    }
    return true;
}

/* A number with a fraction, times unit: 1.5 x 1000.  False when it is none, does not fit, or is not
 * whole in the unit. */
static bool scan_scaled(const char **at, uint64_t *mantissa, uint64_t *scale)
{
    uint64_t fraction = 0;
    *scale = 1;
    if (scan_digits(at, 10, mantissa) != SCAN_OK) {
        return false;
    }
    if (**at != '.') {
        return true;
    }
    const char *const start = ++*at;
    if (scan_digits(at, 10, &fraction) != SCAN_OK || *at - start > 12) {
        return false;
    }
    for (const char *digit = start; digit < *at; digit++) {
        *scale *= 10;
    }
    return !__builtin_mul_overflow(*mantissa, *scale, mantissa) &&
           !__builtin_add_overflow(*mantissa, fraction, mantissa);
}

typedef struct unit {
    const char *name;
    uint64_t value;
} unit;

static bool parse_with_unit(const char *text, const unit *units, size_t unit_count, uint64_t *value)
{
    const char *at = text;
    uint64_t mantissa, scale;
    if (!scan_scaled(&at, &mantissa, &scale)) {
        return false;
    }
    for (size_t i = 0; i < unit_count; i++) {
        if (strcmp(at, units[i].name) == 0) {
            if (__builtin_mul_overflow(mantissa, units[i].value, &mantissa) ||
                mantissa % scale != 0) {
                return false;
            }
            *value = mantissa / scale;
            return true;
        }
    }
    return false;
}

static const unit durations[] = {{"h", 3600 * SB_SECOND}, {"m", 60 * SB_SECOND},
                                 {"s", SB_SECOND},        {"ms", SB_MILLISECOND},
                                 {"us", SB_MICROSECOND},  {"ns", SB_NANOSECOND}};
static const unit sizes[] = {
    {"GiB", (uint64_t)1 << 30}, {"MiB", (uint64_t)1 << 20}, {"KiB", (uint64_t)1 << 10}, {"", 1}};
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool sb_parse_duration(const char *text, sb_duration *duration, char *problem)
{
    return parse_with_unit(text, durations, COUNT(durations), duration) ||
           refuse(problem, "is no duration; expected one like 250us, 20ms, 1.5s, 2m, 1h");
}

bool sb_parse_size(const char *text, uint64_t *size, char *problem)
{
    return parse_with_unit(text, sizes, COUNT(sizes), size) ||
           refuse(problem, "is no size; expected bytes, or one like 64KiB, 8MiB, 1GiB");
}

bool sb_parse_share(const char *text, uint32_t *share, char *problem)
{
    const char *at = text;
    uint64_t mantissa = 0, scale = 1;
    if (strcmp(text, "all") == 0) {
        *share = MILLION;
        return true;
    }
    bool good = scan_scaled(&at, &mantissa, &scale);
    if (good && *at == '%') {
        at++;
        good = !__builtin_mul_overflow(scale, (uint64_t)100, &scale);
    } else if (good && *at == '/' && scale == 1) {
        at++;
        good = scan_digits(&at, 10, &scale) == SCAN_OK && scale != 0;
    }
    if (!good || *at != '\0' || mantissa > scale || mantissa > UINT64_MAX / MILLION) {
        return refuse(problem,
                      "is no share; expected one from 0 to 1, like 10%%, 0.1, 1/10 or all");
    }
    *share = (uint32_t)(mantissa * MILLION / scale);
    return true;
}

bool sb_parse_shard(const char *text, uint64_t *index, uint64_t *count, char *problem)
{
    const char *at = text;
    const bool good = scan_digits(&at, 10, index) == SCAN_OK && *at++ == '/' &&
                      scan_digits(&at, 10, count) == SCAN_OK && *at == '\0';
    if (!good || *index == 0 || *index > *count) {
        return refuse(problem, "is no shard; expected I/N with 1 <= I <= N");
    }
    return true;
}

int sb_setting_text(const sb_setting *setting, uint64_t value, char *text, size_t size)
{
    const unit *units = durations;
    size_t count = 0;
    if (setting->kind == SB_SETTING_SWITCH) {
        return snprintf(text, size, "%s", value != 0 ? "on" : "off");
    }
    if (setting->kind == SB_SETTING_DURATION) {
        count = COUNT(durations);
    } else if (setting->kind == SB_SETTING_SIZE) {
        units = sizes;
        count = COUNT(sizes);
    }
    for (size_t i = 0; i < count; i++) {
        if (value != 0 && value % units[i].value == 0) {
            return snprintf(text, size, "%" PRIu64 "%s", value / units[i].value, units[i].name);
        }
    }
    return snprintf(text, size, "%" PRIu64 "%s", value,
                    setting->kind == SB_SETTING_DURATION ? "s" : "");
}

static bool parse_switch(const char *text, uint64_t *value, char *problem)
{
    *value = strcmp(text, "on") == 0;
    return *value != 0 || strcmp(text, "off") == 0 ||
           refuse(problem, "is no switch; expected on or off");
}

bool sb_parse_setting(const sb_setting *setting, const char *text, uint64_t *value, char *problem)
{
    bool good = false;
    switch (setting->kind) {
    case SB_SETTING_NUMBER:
        good = sb_parse_number(text, value, problem);
        break;
    case SB_SETTING_DURATION:
        good = sb_parse_duration(text, value, problem);
        break;
    case SB_SETTING_SIZE:
        good = sb_parse_size(text, value, problem);
        break;
    case SB_SETTING_SWITCH:
        return parse_switch(text, value, problem);
    default:
        break;
    }
    if (good && (*value < setting->min || *value > setting->max)) {
        char min[32], max[32];
        sb_setting_text(setting, setting->min, min, sizeof min);
        sb_setting_text(setting, setting->max, max, sizeof max);
        return refuse(problem, "is out of range; expected %s to %s", min, max);
    }
    return good;
}

static const char *strategy_name_at(const void *table, size_t index)
{
    (void)table;
    return sb_strategy_name((sb_strategy)index);
}

bool sb_parse_strategy(const char *text, sb_strategy *strategy, char *problem)
{
    for (unsigned i = 0; i < SB_STRATEGY_COUNT; i++) {
        if (strcmp(text, sb_strategy_name((sb_strategy)i)) == 0) {
            *strategy = (sb_strategy)i;
            return true;
        }
    }
    char names[256];
    sb_list_names(strategy_name_at, NULL, SB_STRATEGY_COUNT, names, sizeof names);
    return refuse(problem, "is no strategy; expected one of %s", names);
}

void sb_list_names(sb_name_of *name_of, const void *table, size_t count, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < count && used < size; i++) {
        const int length =
            snprintf(text + used, size - used, "%s%s", i == 0 ? "" : ", ", name_of(table, i));
        used += length > 0 ? (size_t)length : 0;
    }
}
