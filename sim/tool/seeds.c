/*
 * Reading kept seeds; see seeds.h.
 */
#include "sim/tool/seeds.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/tool/contract.h"

#define FILE_SIZE_MAX (256u << 10)

bool sb_is_seed_file(const char *word)
{
    const size_t length = strlen(word);
    return strchr(word, '/') != NULL || (length > 5 && strcmp(word + length - 5, ".seed") == 0);
}

/* The whole file as a text, or NULL after one line on stderr. */
static char *read_text(const char *path)
{
    char *text = NULL;
    FILE *const in = fopen(path, "re");
    if (in == NULL) {
        sb_complain(SB_EXIT_IO, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    text = sb_host_alloc(FILE_SIZE_MAX + 1, 1);
    errno = 0;
    const size_t size = fread(text, 1, FILE_SIZE_MAX + 1, in);
    if (ferror(in)) {
        sb_complain(SB_EXIT_IO, "cannot read %s: %s", path, strerror(errno));
        goto failed;
    }
    if (size > FILE_SIZE_MAX || memchr(text, '\0', size) != NULL) {
        sb_complain(SB_EXIT_IO, "%s: is no kept seed; expected a text of key = value lines", path);
        goto failed;
    }
    fclose(in);
    return text;
failed:
    fclose(in);
    free(text);
    return NULL;
}

static char *trim(char *text)
{
    while (*text == ' ' || *text == '\t') {
        text++;
    }
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]) != NULL) {
        text[--length] = '\0';
    }
    return text;
}

static bool expect_is_good(const char *expect)
{
    char kind[32];
    const size_t length = strcspn(expect, " ");
    if (length >= sizeof kind) {
        return false;
    }
    memcpy(kind, expect, length);
    kind[length] = '\0';
    const bool is_word =
        strcmp(expect, "passed") == 0 || sb_finding_kind_of(kind) != SB_FINDING_NONE;
    const char *const signature = expect + length + strspn(expect + length, " ");
    return is_word && (*signature == '\0' ||
                       (strlen(signature) == 8 && strspn(signature, "0123456789abcdef") == 8));
}

/* One choice of a stream, "17:3401"; ordinals rise within a stream, and from 1. */
static bool take_choice(sb_tape *tape, uint64_t stream, uint64_t *last, char *word)
{
    char reason[SB_PROBLEM_SIZE];
    sb_taped_choice choice = {.stream = stream};
    char *const colon = strchr(word, ':');
    if (colon == NULL) {
        return false;
    }
    *colon = '\0';
    if (!sb_parse_number(word, &choice.ordinal, reason) ||
        !sb_parse_number(colon + 1, &choice.value, reason) || choice.ordinal <= *last ||
        choice.value == 0) {
        return false;
    }
    *last = choice.ordinal;
    if (tape->count == tape->capacity) {
        tape->capacity = tape->capacity == 0 ? 256 : 2 * tape->capacity;
        tape->choices = sb_host_grow(tape->choices, tape->capacity, sizeof tape->choices[0]);
    }
    tape->choices[tape->count++] = choice;
    return true;
}

static uint64_t last_ordinal(const sb_tape *tape, uint64_t stream)
{
    for (size_t i = tape->count; i > 0; i--) {
        if (tape->choices[i - 1].stream == stream) {
            return tape->choices[i - 1].ordinal;
        }
    }
    return 0;
}

static bool take_tape(sb_kept_seed *kept, char *value, char *problem)
{
    char *rest = NULL;
    const char *const name = strtok_r(value, " \t", &rest);
    kept->has_tape = true;
    if (name != NULL && strcmp(name, "none") == 0) {
        return true;
    }
    const uint64_t stream = name == NULL ? 0 : sb_stream_hash(name);
    uint64_t last = last_ordinal(&kept->tape, stream);
    char *word = strtok_r(NULL, " \t", &rest);
    if (name == NULL || strchr(name, '/') == NULL || word == NULL) {
        snprintf(problem, SB_PROBLEM_SIZE,
                 "tape: expected none, or a stream and its choices, as server2/latency 17:3401");
        return false;
    }
    for (; word != NULL; word = strtok_r(NULL, " \t", &rest)) {
        char shown[64];
        snprintf(shown, sizeof shown, "%s", word);
        if (!take_choice(&kept->tape, stream, &last, word)) {
            snprintf(problem, SB_PROBLEM_SIZE,
                     "tape: '%s' is no choice; expected ordinal:value, ordinals rising, no value 0",
                     shown);
            return false;
        }
    }
    return true;
}

/* "disk 17". */
static bool take_exhaust(sb_plan_words *plan, char *value, char *problem)
{
    char *rest = NULL;
    plan->exhaust = strtok_r(value, " \t", &rest);
    plan->place = strtok_r(NULL, " \t", &rest);
    if (plan->place != NULL && strtok_r(NULL, " \t", &rest) == NULL) {
        return true;
    }
    snprintf(problem, SB_PROBLEM_SIZE,
             "exhaust: expected a kind and the number of a place, as disk 17");
    return false;
}

/* One pair; the problem goes on after "<path>:<line>: ". */
static bool take_pair(sb_kept_seed *kept, const char *key, char *value, char *problem)
{
    char reason[SB_PROBLEM_SIZE];
    sb_plan_words *const plan = &kept->plan;
    if (strcmp(key, "scenario") == 0) {
        plan->scenario = value;
    } else if (strcmp(key, "strategy") == 0) {
        plan->strategy = value;
    } else if (strcmp(key, "failpoint") == 0 && plan->failpoint_count < SB_WORD_MAX) {
        plan->failpoints[plan->failpoint_count++] = value;
    } else if (strcmp(key, "exhaust") == 0) {
        return take_exhaust(plan, value, problem);
    } else if (strcmp(key, "build") == 0) {
        kept->build = value;
    } else if (strcmp(key, "bug") == 0 && plan->bug_count < SB_WORD_MAX) {
        plan->bugs[plan->bug_count++] = value;
    } else if (strcmp(key, "mask") == 0 && plan->mask_count < SB_WORD_MAX) {
        plan->masks[plan->mask_count++] = value;
    } else if (strcmp(key, "set") == 0 && plan->setting_count < SB_WORD_MAX) {
        plan->settings[plan->setting_count++] = value;
    } else if (strcmp(key, "seed") == 0) {
        if (!sb_parse_number(value, &kept->seed, reason)) {
            snprintf(problem, SB_PROBLEM_SIZE, "seed: '%.64s' %.400s", value, reason);
            return false;
        }
    } else if (strcmp(key, "expect") == 0) {
        kept->expect = value;
        if (!expect_is_good(value)) {
            snprintf(problem, SB_PROBLEM_SIZE,
                     "expect: '%.64s' is no outcome; expected passed, or a kind of finding and "
                     "perhaps a signature",
                     value);
            return false;
        }
    } else if (strcmp(key, "tape") == 0) {
        return take_tape(kept, value, problem);
    } else if (strcmp(key, "note") != 0) {
        snprintf(problem, SB_PROBLEM_SIZE,
                 "'%.64s' is no key; expected one of scenario, seed, strategy, bug, set, mask, "
                 "failpoint, exhaust, expect, build, note, tape",
                 key);
        return false;
    }
    return true;
}

static bool take_line(sb_kept_seed *kept, char *line, bool *has_seed, char *problem)
{
    line = trim(line);
    if (*line == '\0' || *line == '#') {
        return true;
    }
    char *const equals = strchr(line, '=');
    if (equals == NULL) {
        snprintf(problem, SB_PROBLEM_SIZE, "'%.64s' is no pair; expected key = value", line);
        return false;
    }
    *equals = '\0';
    const char *const key = trim(line);
    *has_seed = *has_seed || strcmp(key, "seed") == 0;
    return take_pair(kept, key, trim(equals + 1), problem);
}

int sb_kept_seed_read(sb_kept_seed *kept, const char *path)
{
    char problem[SB_PROBLEM_SIZE];
    bool has_seed = false;
    memset(kept, 0, sizeof *kept);
    kept->words = read_text(path);
    if (kept->words == NULL) {
        return SB_EXIT_IO;
    }
    unsigned number = 0;
    for (char *line = kept->words, *next; line != NULL; line = next) {
        number++;
        next = strchr(line, '\n');
        if (next != NULL) {
            *next++ = '\0';
        }
        if (!take_line(kept, line, &has_seed, problem)) {
            sb_kept_seed_release(kept);
            return sb_complain(SB_EXIT_IO, "%s:%u: %s", path, number, problem);
        }
    }
    if (!has_seed) {
        sb_kept_seed_release(kept);
        return sb_complain(SB_EXIT_IO, "%s: has no seed; expected a line like seed = 4711", path);
    }
    return 0;
}

void sb_kept_seed_release(sb_kept_seed *kept)
{
    free(kept->words);
    sb_tape_release(&kept->tape);
    memset(kept, 0, sizeof *kept);
}

bool sb_kept_seed_agrees(const sb_kept_seed *kept, bool passed, sb_finding_kind kind,
                         uint32_t signature)
{
    if (strcmp(kept->expect, "passed") == 0) {
        return passed;
    }
    char with_signature[64];
    const char *const word = sb_finding_word(kind);
    snprintf(with_signature, sizeof with_signature, "%s %08" PRIx32, word, signature);
    return !passed &&
           (strcmp(kept->expect, word) == 0 || strcmp(kept->expect, with_signature) == 0);
}
