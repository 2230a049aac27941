/*
 * Reading the trace file; its form is in trace_file.h.
 *
 * A line is parsed into a flat list of (path, value): the key of the object, or "key.inner" and
 * "key[]" one level down.  That is all the structure a trace has, and unknown keys of later schemas
 * are passed over.  Task names are kept beside the lane: a line says who ran, so a name changes
 * where the lines say so.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/record/trace_file.h"

#define GAP_MAX ((sb_step)1 << 24) /* steps missing in a row that are filled, not refused */
#define LIST_MAX 512

/* ----------------------------------------------------------------------------- JSON, one line */

typedef struct scanner {
    char *at; /* texts are unescaped in place */
    const char *problem;
} scanner;

static bool fail(scanner *scan, const char *problem)
{
    if (scan->problem == NULL) {
        scan->problem = problem;
    }
    return false;
}

static void skip_blank(scanner *scan)
{
    while (*scan->at == ' ' || *scan->at == '\t' || *scan->at == '\n' || *scan->at == '\r') {
        scan->at++;
    }
}

static bool accept(scanner *scan, char wanted)
{
    skip_blank(scan);
    if (*scan->at != wanted) {
        return false;
    }
    scan->at++;
    return true;
}

static bool expect(scanner *scan, char wanted, const char *problem)
{
    return accept(scan, wanted) || fail(scan, problem);
}

static int hex_value(char digit)
{
    return digit >= '0' && digit <= '9'   ? digit - '0'
           : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
           : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                                          : -1;
}

/* One code point below 0x10000 as UTF-8; an escape is longer than what it stands for, so it fits in
 * place. */
static char *put_code_point(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

static bool unescape(scanner *scan, char **to)
{
    static const char letters[] = "\"\"\\\\//b\bf\fn\nr\rt\t";
    const char letter = *scan->at++;
    if (letter == 'u') {
        unsigned code = 0;
        for (int i = 0; i < 4; i++) {
            const int value = hex_value(*scan->at);
            if (value < 0) {
                return fail(scan, "a broken \\u escape");
            }
            code = code << 4 | (unsigned)value;
            scan->at++;
        }
        if (code == 0) {
            return fail(scan, "a text with a zero byte");
        }
        *to = put_code_point(*to, code);
        return true;
    }
    for (size_t i = 0; i + 1 < sizeof letters; i += 2) {
        if (letters[i] == letter) {
            *(*to)++ = letters[i + 1];
            return true;
        }
    }
    return fail(scan, "an unknown escape");
}

static const char *scan_text(scanner *scan)
{
    if (!expect(scan, '"', "a text was expected")) {
        return NULL;
    }
    char *const start = scan->at;
    char *to = start;
    while (*scan->at != '"') {
        if (*scan->at == '\0') {
            fail(scan, "a text that does not end");
            return NULL;
        }
        if (*scan->at == '\\') {
            scan->at++;
            if (!unescape(scan, &to)) {
                return NULL;
            }
        } else {
            *to++ = *scan->at++;
        }
    }
    scan->at++;
    *to = '\0';
    return start;
}

/* A number, decimal, as text or bare. */
static bool scan_number(scanner *scan, uint64_t max, uint64_t *number)
{
    const bool quoted = accept(scan, '"');
    char *end = scan->at;
    errno = 0;
    const unsigned long long value =
        *scan->at >= '0' && *scan->at <= '9' ? strtoull(scan->at, &end, 10) : 0;
    if (end == scan->at || errno != 0 || value > max) {
        return fail(scan, "a number was expected, or it is too large");
    }
    scan->at = end;
    *number = value;
    return !quoted || expect(scan, '"', "a number that does not end");
}

/* Any value, passed over. */
static bool skip_value(scanner *scan)
{
    int depth = 0;
    do {
        skip_blank(scan);
        const char now = *scan->at;
        if (now == '"') {
            if (scan_text(scan) == NULL) {
                return false;
            }
        } else if (now == '\0') {
            return fail(scan, "a value that does not end");
        } else {
            depth += now == '{' || now == '[' ? 1 : now == '}' || now == ']' ? -1 : 0;
            scan->at++;
            while (depth == 0 && strchr(",}] \t\r\n", *scan->at) == NULL) {
                scan->at++;
            }
        }
    } while (depth > 0);
    return true;
}

/* --------------------------------------------------------------------------------- the header */

typedef struct reader {
    scanner scan;
    sb_trace_file *trace;
    sb_step next; /* the step the next line fills, when it follows */
    bool has_events;
} reader;

static bool read_nodes(reader *read)
{
    if (!expect(&read->scan, '[', "a list of nodes was expected")) {
        return false;
    }
    for (unsigned node = 0; !accept(&read->scan, ']'); node++) {
        const char *const name = (node == 0 || expect(&read->scan, ',', "a comma was expected"))
                                     ? scan_text(&read->scan)
                                     : NULL;
        if (name == NULL || node > UINT8_MAX) {
            return fail(&read->scan, "too many nodes");
        }
        sb_record_set_node_name(read->trace->record, node, name);
    }
    return true;
}

static bool read_states(reader *read, const char **states, unsigned *count)
{
    if (!expect(&read->scan, '[', "a list of states was expected")) {
        return false;
    }
    for (*count = 0; !accept(&read->scan, ']'); (*count)++) {
        if (*count != 0 && !expect(&read->scan, ',', "a comma was expected")) {
            return false;
        }
        if (*count == LIST_MAX || (states[*count] = scan_text(&read->scan)) == NULL) {
            return fail(&read->scan, "too many states");
        }
    }
    return true;
}

static bool read_machine(reader *read, unsigned index)
{
    const char *states[LIST_MAX];
    const char *name = "?";
    unsigned count = 0;
    if (!expect(&read->scan, '{', "a machine was expected")) {
        return false;
    }
    for (bool first = true; !accept(&read->scan, '}'); first = false) {
        const char *const key = first || expect(&read->scan, ',', "a comma was expected")
                                    ? scan_text(&read->scan)
                                    : NULL;
        if (key == NULL || !expect(&read->scan, ':', "a colon was expected")) {
            return false;
        }
        const bool good = strcmp(key, "name") == 0     ? (name = scan_text(&read->scan)) != NULL
                          : strcmp(key, "states") == 0 ? read_states(read, states, &count)
                                                       : skip_value(&read->scan);
        if (!good) {
            return false;
        }
    }
    if (index > UINT8_MAX) {
        return fail(&read->scan, "too many machines");
    }
    sb_record_set_machine(read->trace->record, index, name, states, count);
    return true;
}

static bool read_machines(reader *read)
{
    if (!expect(&read->scan, '[', "a list of machines was expected")) {
        return false;
    }
    for (unsigned index = 0; !accept(&read->scan, ']'); index++) {
        if ((index != 0 && !expect(&read->scan, ',', "a comma was expected")) ||
            !read_machine(read, index)) {
            return false;
        }
    }
    return true;
}

static bool read_header_pair(reader *read, const char *key, uint64_t *schema)
{
    sb_record_header *const header = &read->trace->header;
    const struct {
        const char *key;
        const char **value;
    } words[] = {{"scenario", &header->scenario},
                 {"strategy", &header->strategy},
                 {"build", &header->build},
                 {"options", &header->options}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(key, words[i].key) == 0) {
            return (*words[i].value = scan_text(&read->scan)) != NULL;
        }
    }
    if (strcmp(key, "schema") == 0) {
        return scan_number(&read->scan, UINT64_MAX, schema);
    }
    if (strcmp(key, "seed") == 0) {
        return scan_number(&read->scan, UINT64_MAX, &header->seed);
    }
    if (strcmp(key, "nodes") == 0) {
        return read_nodes(read);
    }
    if (strcmp(key, "machines") == 0) {
        return read_machines(read);
    }
    return skip_value(&read->scan);
}

static bool read_header(reader *read)
{
    uint64_t schema = 0;
    if (!expect(&read->scan, '{', "it does not begin with a header")) {
        return false;
    }
    for (bool first = true; !accept(&read->scan, '}'); first = false) {
        const char *const key = first || expect(&read->scan, ',', "a comma was expected")
                                    ? scan_text(&read->scan)
                                    : NULL;
        if (key == NULL || !expect(&read->scan, ':', "a colon was expected") ||
            !read_header_pair(read, key, &schema)) {
            return false;
        }
    }
    return schema == SB_TRACE_SCHEMA ||
           fail(&read->scan, "it is of another schema; expected \"schema\":1");
}

/* --------------------------------------------------------------------------------- the events */

typedef struct event_line {
    sb_event event;
    uint64_t step, at[3], values[3];
    const char *task, *waker;
    const char *field_names[3], *field_texts[3];
    unsigned field_count;
} event_line;

static bool read_numbers(reader *read, uint64_t *numbers, unsigned wanted, uint64_t max,
                         unsigned *count)
{
    if (!expect(&read->scan, '[', "a list of numbers was expected")) {
        return false;
    }
    for (*count = 0; !accept(&read->scan, ']'); (*count)++) {
        if (*count == wanted ||
            (*count != 0 && !expect(&read->scan, ',', "a comma was expected")) ||
            !scan_number(&read->scan, max, &numbers[*count])) {
            return fail(&read->scan, "too many numbers");
        }
    }
    return true;
}

static bool read_fields(reader *read, event_line *line)
{
    if (!expect(&read->scan, '{', "fields were expected")) {
        return false;
    }
    for (line->field_count = 0; !accept(&read->scan, '}'); line->field_count++) {
        const unsigned index = line->field_count;
        if (index == 3 || (index != 0 && !expect(&read->scan, ',', "a comma was expected")) ||
            (line->field_names[index] = scan_text(&read->scan)) == NULL ||
            !expect(&read->scan, ':', "a colon was expected") ||
            (line->field_texts[index] = scan_text(&read->scan)) == NULL) {
            return fail(&read->scan, "too many fields");
        }
    }
    return true;
}

static bool read_kind(reader *read, event_line *line)
{
    const char *const word = scan_text(&read->scan);
    for (unsigned kind = 1; word != NULL && kind < SB_EVENT_KIND_COUNT; kind++) {
        if (strcmp(word, sb_event_descriptions[kind].word) == 0) {
            line->event.kind = (uint8_t)kind;
            return true;
        }
    }
    return fail(&read->scan, "an unknown kind of event");
}

static bool read_event_pair(reader *read, const char *key, event_line *line)
{
    unsigned count = 0;
    uint64_t number = 0;
    bool good;
    if (strcmp(key, "step") == 0) {
        return scan_number(&read->scan, UINT64_MAX, &line->step);
    }
    if (strcmp(key, "time") == 0) {
        return scan_number(&read->scan, UINT64_MAX, &line->event.time);
    }
    if (strcmp(key, "incarnation") == 0) {
        good = scan_number(&read->scan, UINT16_MAX, &number);
        line->event.incarnation = (uint16_t)number;
        return good;
    }
    if (strcmp(key, "kind") == 0) {
        return read_kind(read, line);
    }
    if (strcmp(key, "task") == 0) {
        return (line->task = scan_text(&read->scan)) != NULL;
    }
    if (strcmp(key, "waker") == 0) {
        return (line->waker = scan_text(&read->scan)) != NULL;
    }
    if (strcmp(key, "causes") == 0) {
        return read_numbers(read, &line->event.cause, 1, UINT64_MAX, &count);
    }
    if (strcmp(key, "fields") == 0) {
        return read_fields(read, line);
    }
    if (strcmp(key, "at") == 0) {
        return read_numbers(read, line->at, 3, UINT16_MAX, &count) &&
               (count == 3 || fail(&read->scan, "\"at\" must have three numbers"));
    }
    if (strcmp(key, "values") == 0) {
        return read_numbers(read, line->values, 3, UINT64_MAX, &count) &&
               (count == 3 || fail(&read->scan, "\"values\" must have three numbers"));
    }
    return skip_value(&read->scan);
}

/* Texts come back under the hashes that the raw values give. */
static void keep_texts(reader *read, const event_line *line)
{
    const sb_event_description *const description = &sb_event_descriptions[line->event.kind];
    for (unsigned i = 0; i < line->field_count; i++) {
        for (int field = 0; field < 3; field++) {
            if (description->field_types[field] == SB_FIELD_text &&
                strcmp(description->field_names[field], line->field_names[i]) == 0) {
                sb_record_add_text(read->trace->record, line->values[field], line->field_texts[i],
                                   strlen(line->field_texts[i]));
            }
        }
    }
}

/* Every line names its task, so that a file with gaps, where spawns are missing, reads right as
 * well. */
static void keep_task_name(reader *read, unsigned lane, const char *name)
{
    if (lane == 0 || name == NULL || strcmp(name, "?") == 0) {
        return;
    }
    const uint64_t hash = XXH3_64bits(name, strlen(name));
    sb_record_add_text(read->trace->record, hash, name, strlen(name));
    sb_record_set_task_name(read->trace->record, (uint16_t)lane, hash);
}

static bool fill_gap(reader *read, sb_step step)
{
    static const sb_event none = {0};
    if (!read->has_events) {
        sb_record_begin(read->trace->record, step);
        read->next = step;
        read->has_events = true;
    }
    if (step < read->next) {
        return fail(&read->scan, "its steps do not rise");
    }
    if (step - read->next > GAP_MAX) {
        return fail(&read->scan, "too many steps are missing");
    }
    for (; read->next < step; read->next++) {
        sb_record_append(read->trace->record, &none, 1);
    }
    return true;
}

static bool read_event(reader *read)
{
    event_line line = {.step = 0};
    if (!expect(&read->scan, '{', "an event was expected")) {
        return false;
    }
    for (bool first = true; !accept(&read->scan, '}'); first = false) {
        const char *const key = first || expect(&read->scan, ',', "a comma was expected")
                                    ? scan_text(&read->scan)
                                    : NULL;
        if (key == NULL || !expect(&read->scan, ':', "a colon was expected") ||
            !read_event_pair(read, key, &line)) {
            return false;
        }
    }
    if (line.step == 0 || line.event.kind == SB_EVENT_NONE || line.event.cause >= line.step) {
        return fail(&read->scan, "an event needs a step, a kind and causes before it");
    }
    if (!fill_gap(read, line.step)) {
        return false;
    }
    line.event.node = (uint8_t)line.at[0];
    line.event.task = (uint16_t)line.at[1];
    line.event.observed = (uint16_t)line.at[2];
    line.event.a = line.values[0];
    line.event.b = line.values[1];
    line.event.c = line.values[2];
    keep_texts(read, &line);
    keep_task_name(read, line.event.task, line.task);
    if (line.event.kind == SB_EVENT_WAKE) {
        keep_task_name(read, (unsigned)(line.event.a & UINT16_MAX), line.waker);
    }
    sb_record_append(read->trace->record, &line.event, 1);
    read->next = line.step + 1;
    return true;
}

bool sb_trace_read(FILE *in, sb_trace_file *trace, char *problem, size_t problem_size)
{
    memset(trace, 0, sizeof *trace);
    trace->record = sb_record_new();
    reader *const read = sb_host_alloc(1, sizeof *read);
    read->trace = trace;
    trace->header = (sb_record_header){"", "", "", "", 0};
    char *line = NULL;
    size_t capacity = 0, number = 0;
    bool good = true;
    while (good && getline(&line, &capacity, in) > 0) {
        number++;
        read->scan.at = line;
        if (number == 1) {
            good = read_header(read);
            trace->words = line; /* the header's words stand in this line */
            line = NULL;
            capacity = 0;
        } else {
            good = read_event(read);
        }
    }
    if (good && ferror(in)) {
        good = fail(&read->scan, "it cannot be read");
    } else if (good && number == 0) {
        good = fail(&read->scan, "it is empty");
    }
    if (!good) {
        snprintf(problem, problem_size, "line %zu: %s", number, read->scan.problem);
        sb_trace_file_release(trace);
    }
    free(line);
    free(read);
    return good;
}

void sb_trace_file_release(sb_trace_file *trace)
{
    sb_record_free(trace->record);
    free(trace->words);
    memset(trace, 0, sizeof *trace);
}
