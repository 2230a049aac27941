/*
 * One event in words: "send to storage1 96 bytes", "move job 1 running -> done".
 *
 * The words come from the vocabulary: the event's own, then each field after its type.  Few kinds
 * read badly that way and have a sentence of their own.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "sim/record/record.h"

/* Numbers of faults, as the record counts them. */
enum {
    SB_FAULT_NAME_NONE,
#define FAULT(name, word, family, text) SB_FAULT_NAME_##name,
#include "sim/fault/faults.def"
#undef FAULT
};

/* A text that is cut at its end and still counts what it would have been. */
typedef struct line {
    char *text;
    size_t size;
    int length;
} line;

static void line_add(line *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void line_add(line *to, const char *format, ...)
{
    const size_t used = (size_t)to->length < to->size ? (size_t)to->length : to->size;
    va_list arguments;
    va_start(arguments, format);
    const int added =
        vsnprintf(to->size == 0 ? NULL : to->text + used, to->size - used, format, arguments);
    va_end(arguments);
    to->length += added > 0 ? added : 0;
}

const char *sb_status_word(uint64_t status)
{
    static const char *const words[] = {
#define STATUS(name, text) text,
#include "sim/status.def"
#undef STATUS
    };
    return status < sizeof words / sizeof words[0] ? words[status] : "?";
}

const char *sb_finding_word(uint64_t kind)
{
    static const char *const words[] = {
        "none",
#define FINDING(name, word, text) word,
#include "sim/verdict/kinds.def"
#undef FINDING
    };
    return kind < sizeof words / sizeof words[0] ? words[kind] : "?";
}

static void add_text(line *to, const sb_record *record, uint64_t hash)
{
    const char *const text = sb_record_text(record, hash);
    if (text != NULL) {
        line_add(to, " %s", text);
    } else {
        line_add(to, " #%08" PRIx64, hash >> 32);
    }
}

/* Names that only say what the type says already are left out. */
static bool name_is_silent(const char *name)
{
    static const char *const silent[] = {"name", "path", "method", "line", "wait",
                                         "text", "size", "status", "kind"};
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++) {
        if (strcmp(name, silent[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void add_time(line *to, uint64_t time)
{
    line_add(to, " %" PRIu64 ".%06" PRIu64 "s", time / 1000000000, time / 1000 % 1000000);
}

static void add_field(line *to, const sb_record *record, const char *name, sb_field_type type,
                      uint64_t value)
{
    if (type == SB_FIELD_none || type == SB_FIELD_hash) {
        return;
    }
    if (!name_is_silent(name)) {
        line_add(to, " %s", name);
    }
    switch (type) {
    case SB_FIELD_node:
        line_add(to, " %s", sb_record_node_name(record, (unsigned)value));
        break;
    case SB_FIELD_text:
        add_text(to, record, value);
        break;
    case SB_FIELD_bytes:
        line_add(to, " %" PRIu64 " bytes", value);
        break;
    case SB_FIELD_time:
        add_time(to, value);
        break;
    case SB_FIELD_status:
        line_add(to, ": %s", sb_status_word(value));
        break;
    case SB_FIELD_fault:
        line_add(to, " %s", sb_record_fault_name(record, value));
        break;
    case SB_FIELD_machine:
        line_add(to, " %s", sb_record_machine_name(record, value));
        break;
    case SB_FIELD_number:
    case SB_FIELD_step:
    default:
        line_add(to, " %" PRIu64, value);
        break;
    }
}

static void describe_move(line *to, const sb_record *record, const sb_event *event)
{
    const char *const from = sb_record_state_name(record, event->a, SB_EDGE_FROM(event->c));
    const char *const into = sb_record_state_name(record, event->a, SB_EDGE_TO(event->c));
    line_add(to, "move %s %" PRIu64, sb_record_machine_name(record, event->a), event->b);
    if (from != NULL && into != NULL) {
        line_add(to, " %s -> %s", from, into);
    } else {
        line_add(to, " %u -> %u", SB_EDGE_FROM(event->c), SB_EDGE_TO(event->c));
    }
}

static void describe_wake(line *to, const sb_record *record, sb_step step, const sb_event *event)
{
    const char *const waker = sb_record_subject_name(record, step);
    line_add(to, "woken from");
    add_text(to, record, event->b);
    if (waker != NULL) {
        line_add(to, " by %s", waker);
    }
    if (event->c != 0) {
        line_add(to, ": %s", sb_status_word(event->c));
    }
}

/* Clocks and drifts are signed. */
static void describe_clock(line *to, const sb_record *record, const sb_event *event)
{
    line_add(to, "clock of %s skew %" PRId64 "us drift %" PRId64 " ppm",
             sb_record_node_name(record, (unsigned)event->c), (int64_t)event->a / 1000,
             (int64_t)event->b);
}

/* Which fault, and on whom: a link has two ends, a machine is struck for a while. */
static void describe_fault(line *to, const sb_record *record, const sb_event *event)
{
    const char *const peer = sb_record_node_name(record, (unsigned)event->b);
    line_add(to, "%s %s", sb_event_descriptions[event->kind].word,
             sb_record_fault_name(record, event->a));
    switch (event->a) {
    case SB_FAULT_NAME_PARTITION:
    case SB_FAULT_NAME_PARTITION_ONE_WAY:
    case SB_FAULT_NAME_PARTITION_PARTIAL:
    case SB_FAULT_NAME_CLOG:
    case SB_FAULT_NAME_CORRUPT:
    case SB_FAULT_NAME_RESET:
        line_add(to, " from %s to %s", sb_record_node_name(record, (unsigned)event->c), peer);
        break;
    case SB_FAULT_NAME_KILL:
    case SB_FAULT_NAME_STOP:
    case SB_FAULT_NAME_PAUSE:
    case SB_FAULT_NAME_CRASH_LOOP:
    case SB_FAULT_NAME_EMPTY_DISK:
    case SB_FAULT_NAME_IO_LATENCY:
    case SB_FAULT_NAME_SYNC_STALL:
    case SB_FAULT_NAME_FREEZE:
    case SB_FAULT_NAME_JUMP_FORWARD:
    case SB_FAULT_NAME_JUMP_BACK:
        line_add(to, " %s", peer);
        if (event->c != 0) {
            const bool is_jump =
                event->a == SB_FAULT_NAME_JUMP_FORWARD || event->a == SB_FAULT_NAME_JUMP_BACK;
            line_add(to, is_jump ? " by" : " for");
            add_time(to, event->c);
        }
        break;
    default:
        if (event->b != 0) {
            line_add(to, " %s", peer);
        }
        if (event->c != 0) {
            line_add(to, " %" PRIu64, event->c);
        }
        break;
    }
}

static void describe_fields(line *to, const sb_record *record, const sb_event *event)
{
    const sb_event_description *const description = &sb_event_descriptions[event->kind];
    const uint64_t values[3] = {event->a, event->b, event->c};
    line_add(to, "%s", description->word);
    for (int i = 0; i < 3; i++) {
        const bool is_plain_success =
            description->field_types[i] == SB_FIELD_status && values[i] == 0;
        if (!is_plain_success) {
            add_field(to, record, description->field_names[i], description->field_types[i],
                      values[i]);
        }
    }
}

int sb_record_describe(const sb_record *record, sb_step step, char *text, size_t size)
{
    const sb_event *const event = sb_record_event(record, step);
    line to = {text, size, 0};
    if (size != 0) {
        text[0] = '\0';
    }
    if (event == NULL || event->kind >= SB_EVENT_KIND_COUNT) {
        line_add(&to, "not kept");
        return to.length;
    }
    switch (event->kind) {
    case SB_EVENT_MOVE:
        describe_move(&to, record, event);
        break;
    case SB_EVENT_WAKE:
        describe_wake(&to, record, step, event);
        break;
    case SB_EVENT_CLOCK:
        describe_clock(&to, record, event);
        break;
    case SB_EVENT_FAULT:
    case SB_EVENT_HEAL:
        describe_fault(&to, record, event);
        break;
    case SB_EVENT_FIRE: /* its deadline is now */
        line_add(&to, "fire");
        add_text(&to, record, event->a);
        break;
    case SB_EVENT_BOOT:
        line_add(&to, "boot %s#%" PRIu64, sb_record_node_name(record, (unsigned)event->c),
                 event->b);
        break;
    case SB_EVENT_DROP:
        line_add(&to, "drop %" PRIu64 " bytes, peer %s: %s", event->c,
                 sb_record_node_name(record, (unsigned)event->a),
                 sb_record_fault_name(record, event->b));
        break;
    case SB_EVENT_FINDING:
        line_add(&to, "finding %s:", sb_finding_word(event->a));
        add_text(&to, record, event->b);
        break;
    default:
        describe_fields(&to, record, event);
        break;
    }
    return to.length;
}
