/*
 * Words of the command line into values, and what is said of words that are none.
 */
#include <string.h>

#include "sim/tool/parse.h"
#include "tests/suite.h"

static char problem[SB_PROBLEM_SIZE];

START_TEST(numbers)
{
    uint64_t number;
    ck_assert(sb_parse_number("0", &number, problem) && number == 0);
    ck_assert(sb_parse_number("18446744073709551615", &number, problem) && number == UINT64_MAX);
    ck_assert(sb_parse_number("0xffffffffffffffff", &number, problem) && number == UINT64_MAX);
    ck_assert(!sb_parse_number("18446744073709551616", &number, problem));
    ck_assert_ptr_nonnull(strstr(problem, "too large"));
    static const char *const bad[] = {"", " 1", "1 ", "-1", "+1", "0x", "1e3", "ten", "1.0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert_msg(!sb_parse_number(bad[i], &number, problem), "'%s' is taken for a number",
                      bad[i]);
    }
}
END_TEST

START_TEST(ranges)
{
    uint64_t first, last;
    ck_assert(sb_parse_range("1..1000", &first, &last, problem) && first == 1 && last == 1000);
    ck_assert(sb_parse_range("0x10..0x10", &first, &last, problem) && first == 16 && last == 16);
    ck_assert(sb_parse_range("7", &first, &last, problem) && first == 7 && last == 7);
    ck_assert(sb_parse_range("0..18446744073709551615", &first, &last, problem) &&
              last == UINT64_MAX);
    ck_assert(!sb_parse_range("9..3", &first, &last, problem));
    ck_assert_str_eq(problem, "is backward; expected A..B with A <= B");
    ck_assert(!sb_parse_range("1...3", &first, &last, problem));
    ck_assert(!sb_parse_range("..3", &first, &last, problem));
}
END_TEST

START_TEST(durations_and_sizes)
{
    sb_duration duration;
    uint64_t size;
    ck_assert(sb_parse_duration("250us", &duration, problem) && duration == 250 * SB_MICROSECOND);
    ck_assert(sb_parse_duration("1.5s", &duration, problem) && duration == 1500 * SB_MILLISECOND);
    ck_assert(sb_parse_duration("2m", &duration, problem) && duration == 120 * SB_SECOND);
    ck_assert(sb_parse_duration("0.25ms", &duration, problem) && duration == 250 * SB_MICROSECOND);
    ck_assert(!sb_parse_duration("1.5ns", &duration, problem));
    ck_assert(!sb_parse_duration("5", &duration, problem));
    ck_assert(!sb_parse_duration("99999999999999h", &duration, problem));
    ck_assert(sb_parse_size("64KiB", &size, problem) && size == 65536);
    ck_assert(sb_parse_size("1.5MiB", &size, problem) && size == 1572864);
    ck_assert(sb_parse_size("512", &size, problem) && size == 512);
    ck_assert(!sb_parse_size("64kB", &size, problem));
}
END_TEST

START_TEST(shares_and_shards)
{
    uint32_t share;
    uint64_t index, count;
    ck_assert(sb_parse_share("10%", &share, problem) && share == 100000);
    ck_assert(sb_parse_share("0.1", &share, problem) && share == 100000);
    ck_assert(sb_parse_share("1/10", &share, problem) && share == 100000);
    ck_assert(sb_parse_share("all", &share, problem) && share == 1000000);
    ck_assert(sb_parse_share("1", &share, problem) && share == 1000000);
    ck_assert(!sb_parse_share("1.1", &share, problem));
    ck_assert(!sb_parse_share("1/0", &share, problem));
    ck_assert(!sb_parse_share("-1", &share, problem));
    ck_assert(sb_parse_shard("2/4", &index, &count, problem) && index == 2 && count == 4);
    ck_assert(!sb_parse_shard("0/4", &index, &count, problem));
    ck_assert(!sb_parse_shard("5/4", &index, &count, problem));
}
END_TEST

/* What is written of a setting is read as the same value. */
START_TEST(settings_come_back)
{
    const sb_setting kinds[] = {{"n", SB_SETTING_NUMBER, "1", 0, UINT64_MAX, ""},
                                {"d", SB_SETTING_DURATION, "1s", 0, UINT64_MAX, ""},
                                {"s", SB_SETTING_SIZE, "1", 0, UINT64_MAX, ""}};
    const uint64_t values[] = {
        0, 1, 999, 1024, 1000000, 90 * SB_SECOND, UINT64_C(3) << 30, 7200 * SB_SECOND};
    for (size_t kind = 0; kind < 3; kind++) {
        for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
            char text[64];
            uint64_t value;
            sb_setting_text(&kinds[kind], values[i], text, sizeof text);
            ck_assert_msg(sb_parse_setting(&kinds[kind], text, &value, problem), "%s %s", text,
                          problem);
            ck_assert_uint_eq(value, values[i]);
        }
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("parse");
    TCase *const cases = tcase_create("parse");
    tcase_add_test(cases, numbers);
    tcase_add_test(cases, ranges);
    tcase_add_test(cases, durations_and_sizes);
    tcase_add_test(cases, shares_and_shards);
    tcase_add_test(cases, settings_come_back);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
