/*
 * Words of the command line and of kept seeds into values.
 *
 * Every parser returns true, or false with the reason in `problem` (PROBLEM_SIZE bytes), as it goes
 * on after the quoted word: "'9..3' is backward; expected A..B with A <= B" has the problem "is
 * backward; expected A..B with A <= B".
 */
#ifndef SB_TOOL_PARSE_H
#define SB_TOOL_PARSE_H

#include "sim/tool.h"

#define SB_PROBLEM_SIZE 512

/* Decimal or 0x..., 0 to 2^64-1. */
bool sb_parse_number(const char *text, uint64_t *number, char *problem);
bool sb_parse_number_within(const char *text, uint64_t min, uint64_t max, uint64_t *number,
                            char *problem);

/* A..B, or one seed. */
bool sb_parse_range(const char *text, uint64_t *first, uint64_t *last, char *problem);

/* 250us, 20ms, 1.5s, 2m, 1h: in nanoseconds. */
bool sb_parse_duration(const char *text, sb_duration *duration, char *problem);

/* 512, 64KiB, 8MiB, 1GiB: in bytes. */
bool sb_parse_size(const char *text, uint64_t *size, char *problem);

/* 10%, 0.1, 1/10, all: in parts per million. */
bool sb_parse_share(const char *text, uint32_t *share, char *problem);

/* I/N with 1 <= I <= N. */
bool sb_parse_shard(const char *text, uint64_t *index, uint64_t *count, char *problem);

/* The value of a setting, within its bounds. */
bool sb_parse_setting(const sb_setting *setting, const char *text, uint64_t *value, char *problem);

/* A setting's value as a user would write it.  Returns what snprintf would. */
int sb_setting_text(const sb_setting *setting, uint64_t value, char *text, size_t size);

bool sb_parse_strategy(const char *text, sb_strategy *strategy, char *problem);

/* "a, b, c" of a table of names, for what was expected. */
typedef const char *sb_name_of(const void *table, size_t index);
void sb_list_names(sb_name_of *name_of, const void *table, size_t count, char *text, size_t size);

#endif
