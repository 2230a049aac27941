/*
 * Writing the trace file; its form is in trace_file.h.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <string.h>

#include "sim/record/trace_file.h"

/* Length of the UTF-8 sequence that starts here; 0 when there is none. */
static int utf8_length(const unsigned char *at)
{
    const int length = at[0] >= 0xf0 && at[0] <= 0xf4 ? 4
                       : at[0] >= 0xe0                ? 3
                       : at[0] >= 0xc2                ? 2
                                                      : 0;
    if (length == 0 || at[0] > 0xf4) {
        return 0;
    }
    for (int i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    const bool is_overlong = (at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xf0 && at[1] < 0x90);
    const bool is_surrogate = at[0] == 0xed && at[1] > 0x9f;
    const bool is_beyond = at[0] == 0xf4 && at[1] > 0x8f;
    return is_overlong || is_surrogate || is_beyond ? 0 : length;
}

void sb_json_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else if (*at == '\n') {
            fputs("\\n", out);
        } else if (*at == '\t') {
            fputs("\\t", out);
        } else if (*at < 0x20 || *at == 0x7f) {
            fprintf(out, "\\u%04x", *at);
        } else if (*at < 0x80) {
            fputc(*at, out);
        } else {
            const int length = utf8_length(at);
            if (length == 0) {
                fprintf(out, "\\u%04x", *at);
            } else {
                fwrite(at, 1, (size_t)length, out);
                at += length - 1;
            }
        }
    }
    fputc('"', out);
}

static void write_pair(FILE *out, const char *name, const char *value)
{
    fprintf(out, ",\"%s\":", name);
    sb_json_string(out, value != NULL ? value : "");
}

static uint64_t config_hash(const sb_record_header *header)
{
    char words[1024];
    const int length = snprintf(words, sizeof words, "%s\n%s\n%s\n%s\n%" PRIu64, header->scenario,
                                header->strategy, header->build, header->options, header->seed);
    const size_t size = length < 0                      ? 0
                        : (size_t)length < sizeof words ? (size_t)length
                                                        : sizeof words - 1;
    return XXH3_64bits(words, size);
}

static void write_header(FILE *out, const sb_record *record, const sb_record_header *header)
{
    fprintf(out, "{\"trace\":\"seedbed\",\"schema\":%d", SB_TRACE_SCHEMA);
    write_pair(out, "scenario", header->scenario);
    fprintf(out, ",\"seed\":\"%" PRIu64 "\"", header->seed);
    write_pair(out, "strategy", header->strategy);
    write_pair(out, "build", header->build);
    write_pair(out, "options", header->options);
    fprintf(out, ",\"config\":\"%016" PRIx64 "\",\"nodes\":[", config_hash(header));
    for (unsigned node = 0; node < sb_record_node_count(record); node++) {
        fputs(node == 0 ? "" : ",", out);
        sb_json_string(out, sb_record_node_name(record, node));
    }
    fputs("],\"machines\":[", out);
    for (unsigned machine = 0; machine < sb_record_machine_count(record); machine++) {
        fprintf(out, "%s{\"name\":", machine == 0 ? "" : ",");
        sb_json_string(out, sb_record_machine_name(record, machine));
        fputs(",\"states\":[", out);
        for (unsigned state = 0; sb_record_state_name(record, machine, state) != NULL; state++) {
            fputs(state == 0 ? "" : ",", out);
            sb_json_string(out, sb_record_state_name(record, machine, state));
        }
        fputs("]}", out);
    }
    fputs("]}\n", out);
}

static void write_field(FILE *out, const sb_record *record, sb_field_type type, uint64_t value)
{
    const char *text = NULL;
    switch (type) {
    case SB_FIELD_node:
        text = sb_record_node_name(record, (unsigned)value);
        break;
    case SB_FIELD_text:
        text = sb_record_text(record, value);
        break;
    case SB_FIELD_status:
        text = sb_status_word(value);
        break;
    case SB_FIELD_fault:
        text = sb_record_fault_name(record, value);
        break;
    case SB_FIELD_machine:
        text = sb_record_machine_name(record, value);
        break;
    case SB_FIELD_none:
    case SB_FIELD_number:
    case SB_FIELD_step:
    case SB_FIELD_hash:
    case SB_FIELD_bytes:
    case SB_FIELD_time:
    default:
        break;
    }
    if (text != NULL) {
        sb_json_string(out, text);
    } else if (type == SB_FIELD_hash || type == SB_FIELD_text) {
        fprintf(out, "\"%016" PRIx64 "\"", value);
    } else {
        fprintf(out, "\"%" PRIu64 "\"", value);
    }
}

static void write_fields(FILE *out, const sb_record *record, const sb_event *event)
{
    const sb_event_description *const description = &sb_event_descriptions[event->kind];
    const uint64_t values[3] = {event->a, event->b, event->c};
    const char *separator = "";
    fputs(",\"fields\":{", out);
    for (int i = 0; i < 3; i++) {
        if (description->field_types[i] != SB_FIELD_none) {
            fprintf(out, "%s\"%s\":", separator, description->field_names[i]);
            write_field(out, record, description->field_types[i], values[i]);
            separator = ",";
        }
    }
    fputc('}', out);
}

static void write_event(FILE *out, const sb_record *record, sb_step step, const sb_event *event)
{
    char text[512];
    sb_record_describe(record, step, text, sizeof text);
    fprintf(out, "{\"step\":\"%" PRIu64 "\",\"time\":\"%" PRIu64 "\",\"node\":", step, event->time);
    sb_json_string(out, sb_record_node_name(record, event->node));
    fprintf(out, ",\"incarnation\":%u", event->incarnation);
    write_pair(out, "task", sb_record_task_name(record, step));
    write_pair(out, "kind", sb_event_descriptions[event->kind].word);
    if (event->kind == SB_EVENT_SEND || event->kind == SB_EVENT_DELIVER ||
        event->kind == SB_EVENT_DUPLICATE) {
        fprintf(out, ",\"message\":\"%016" PRIx64 "\"", event->b);
    }
    if (event->cause != 0) {
        fprintf(out, ",\"causes\":[\"%" PRIu64 "\"]", event->cause);
    } else {
        fputs(",\"causes\":[]", out);
    }
    write_pair(out, "text", text);
    write_fields(out, record, event);
    const char *const subject = sb_record_subject_name(record, step);
    if (subject != NULL && event->kind == SB_EVENT_WAKE) {
        write_pair(out, "waker", subject);
    }
    fprintf(out,
            ",\"at\":[%u,%u,%u],\"values\":[\"%" PRIu64 "\",\"%" PRIu64 "\",\"%" PRIu64 "\"]}\n",
            event->node, event->task, event->observed, event->a, event->b, event->c);
}

void sb_trace_write(FILE *out, const sb_record *record, const sb_record_header *header,
                    const sb_step *steps, size_t count)
{
    write_header(out, record, header);
    const size_t total = steps != NULL ? count : sb_record_count(record);
    for (size_t i = 0; i < total && !ferror(out); i++) {
        const sb_step step = steps != NULL ? steps[i] : sb_record_first_step(record) + i;
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL) {
            write_event(out, record, step, event);
        }
    }
}
