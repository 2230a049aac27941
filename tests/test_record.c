/*
 * The kept record: texts, names of tasks in lanes that are used again, words, slices, and the trace
 * file.
 */
#include <string.h>

#include "sim/record/trace_file.h"
#include "sim/verdict/fate.h"
#include "tests/suite.h"
#include "traces/trace.h"

enum { HASH_MAIN = 101, HASH_POLLER = 102, HASH_REPLY = 103, HASH_LOG = 104, LANE = 7 };

static void add(sb_record *record, sb_event event)
{
    sb_record_append(record, &event, 1);
}

static void add_text(sb_record *record, uint64_t hash, const char *text)
{
    sb_record_add_text(record, hash, text, strlen(text));
}

/* Two machines: the server's poller is spawned, sends, is answered; its lane is used again later.
 */
static sb_record *small_record(void)
{
    static const char *const states[] = {"queueing", "running"};
    sb_record *const record = sb_record_new();
    sb_record_set_node_name(record, 0, "director");
    sb_record_set_node_name(record, 1, "server1");
    sb_record_set_node_name(record, 2, "storage1");
    sb_record_set_machine(record, 0, "job", states, 2);
    add_text(record, HASH_MAIN, "main");
    add_text(record, HASH_POLLER, "poller/1");
    add_text(record, HASH_REPLY, "reply");
    add_text(record, HASH_LOG, "a \"line\"\twith \\ and \xc3\xa9 and \xff");
    add(record, (sb_event){.kind = SB_EVENT_WORLD, .a = 42});
    add(record, (sb_event){.kind = SB_EVENT_SPAWN,
                           .cause = 1,
                           .node = 1,
                           .incarnation = 1,
                           .task = LANE,
                           .a = HASH_POLLER,
                           .b = LANE});
    add(record, (sb_event){.kind = SB_EVENT_MOVE,
                           .cause = 2,
                           .node = 1,
                           .incarnation = 1,
                           .task = LANE,
                           .time = 5,
                           .b = 1,
                           .c = SB_EDGE(0, 1)});
    add(record, (sb_event){.kind = SB_EVENT_SEND,
                           .cause = 2,
                           .node = 1,
                           .incarnation = 1,
                           .task = LANE,
                           .time = 5,
                           .a = 2,
                           .b = 77,
                           .c = 96});
    add(record, (sb_event){.kind = SB_EVENT_DELIVER,
                           .cause = 4,
                           .node = 2,
                           .incarnation = 1,
                           .time = 1500000,
                           .a = 1,
                           .b = 77,
                           .c = 96});
    add(record, (sb_event){.kind = SB_EVENT_SPAWN,
                           .cause = 1,
                           .node = 1,
                           .incarnation = 1,
                           .task = LANE,
                           .a = HASH_MAIN,
                           .b = LANE});
    add(record, (sb_event){.kind = SB_EVENT_LOG,
                           .cause = 6,
                           .node = 1,
                           .incarnation = 1,
                           .task = LANE,
                           .time = UINT64_MAX,
                           .a = HASH_LOG,
                           .observed = 0xffff});
    return record;
}

static void expect_words(const sb_record *record, sb_step step, const char *expected)
{
    char text[256];
    const int length = sb_record_describe(record, step, text, sizeof text);
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(length, (int)strlen(expected));
}

START_TEST(events_read_as_words)
{
    sb_record *const record = small_record();
    expect_words(record, 3, "move job 1 queueing -> running");
    expect_words(record, 4, "send to storage1 96 bytes");
    expect_words(record, 5, "deliver from server1 96 bytes");
    expect_words(record, 99, "not kept");
    char text[8];
    ck_assert_int_eq(sb_record_describe(record, 4, text, sizeof text), 25);
    ck_assert_str_eq(text, "send to");
    sb_record_free(record);
}
END_TEST

/* A lane is used again by a later task; each event keeps the name of its own. */
START_TEST(lanes_are_used_again)
{
    sb_record *const record = small_record();
    ck_assert_str_eq(sb_record_task_name(record, 4), "poller/1");
    ck_assert_str_eq(sb_record_task_name(record, 7), "main");
    ck_assert_str_eq(sb_record_task_name(record, 5), "kernel");
    sb_record_truncate(record, 5);
    ck_assert_uint_eq(sb_record_count(record), 5);
    add(record, (sb_event){.kind = SB_EVENT_LOG, .node = 1, .task = LANE});
    ck_assert_str_eq(sb_record_task_name(record, 6), "poller/1");
    sb_record_free(record);
}
END_TEST

START_TEST(many_texts_are_kept)
{
    sb_record *const record = sb_record_new();
    char text[64];
    for (uint64_t i = 1; i <= 20000; i++) {
        snprintf(text, sizeof text, "text %llu", (unsigned long long)i);
        sb_record_add_text(record, i * 4096, text,
                           strlen(text)); /* hashes that share their low bits */
    }
    const char *const first = sb_record_text(record, 4096);
    ck_assert_str_eq(first, "text 1");
    ck_assert_str_eq(sb_record_text(record, 20000u * 4096), "text 20000");
    ck_assert_ptr_null(sb_record_text(record, 3));
    sb_record_clear(record);
    ck_assert_ptr_null(sb_record_text(record, 4096));
    sb_record_free(record);
}
END_TEST

START_TEST(a_window_begins_later)
{
    sb_record *const record = sb_record_new();
    const sb_event before = {.kind = SB_EVENT_SPAWN, .a = HASH_POLLER, .b = LANE};
    add_text(record, HASH_POLLER, "poller/1");
    sb_record_begin(record, 1000);
    sb_record_pass_over(record, &before, 1);
    add(record, (sb_event){.kind = SB_EVENT_STOP, .task = LANE});
    ck_assert_ptr_null(sb_record_event(record, 999));
    ck_assert_ptr_nonnull(sb_record_event(record, 1000));
    ck_assert_ptr_null(sb_record_event(record, 1001));
    ck_assert_str_eq(sb_record_task_name(record, 1000), "poller/1");
    sb_record_free(record);
}
END_TEST

/* The way back goes along causes; the move of the same task stands beside it, and what else is
 * notable on the machine. */
START_TEST(a_slice_follows_causes)
{
    sb_record *const record = small_record();
    sb_step steps[16];
    ck_assert_uint_eq(sb_record_slice(record, 5, steps, NULL, 16), 5);
    for (sb_step i = 0; i < 5; i++) {
        ck_assert_uint_eq(steps[i], i + 1);
    }
    ck_assert_uint_eq(sb_record_slice(record, 5, steps, NULL, 2), 2);
    ck_assert_uint_eq(steps[0], 4);
    ck_assert_uint_eq(steps[1], 5);
    static const sb_step of_last[] = {1, 2, 3, 6, 7}; /* no message of the other task */
    ck_assert_uint_eq(sb_record_slice(record, 7, steps, NULL, 16), 5);
    ck_assert_mem_eq(steps, of_last, sizeof of_last);
    ck_assert_uint_eq(sb_record_slice(record, 70, steps, NULL, 16), 0);
    sb_record_free(record);
}
END_TEST

/* A poll that sleeps and looks, ten times; beside it its machine is asked to stop, and a far one is
 * struck.  Steps: 1 world, 2 spawn, 3 .. 11 fires, 12 fault, 13 stop, 14 canceled, 15 end of a
 * task, 16 the tenth fire, 17 finding. */
static sb_record *poll_record(void)
{
    sb_record *const record = sb_record_new();
    const sb_event here = {.node = 1, .incarnation = 1, .task = LANE};
    sb_event event;
    sb_record_set_node_name(record, 1, "server1");
    sb_record_set_node_name(record, 2, "storage1");
    add_text(record, HASH_POLLER, "poller/1");
    add_text(record, HASH_REPLY, "sleep");
    add(record, (sb_event){.kind = SB_EVENT_WORLD});
    event = here, event.kind = SB_EVENT_SPAWN, event.cause = 1;
    event.a = HASH_POLLER, event.b = LANE;
    add(record, event);
    for (sb_step step = 3; step <= 11; step++) {
        event = here, event.kind = SB_EVENT_FIRE, event.cause = step - 1;
        event.a = HASH_REPLY, event.time = step * 100000000;
        add(record, event);
    }
    add(record, (sb_event){.kind = SB_EVENT_FAULT, .cause = 1, .b = 2});
    add(record, (sb_event){.kind = SB_EVENT_STOP, .node = 1, .incarnation = 1, .cause = 12});
    event = here, event.kind = SB_EVENT_WAKE, event.task = LANE + 1, event.cause = 12, event.c = 2;
    add(record, event);
    event.kind = SB_EVENT_TASK_END, event.cause = 14;
    add(record, event);
    event = here, event.kind = SB_EVENT_FIRE, event.cause = 11;
    event.a = HASH_REPLY, event.time = 1200000000;
    add(record, event);
    event = here, event.kind = SB_EVENT_FINDING, event.cause = 16;
    add(record, event);
    return record;
}

static size_t row_of(const sb_step *steps, size_t count, sb_step step)
{
    for (size_t i = 0; i < count; i++) {
        if (steps[i] == step) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* The turns of the loop are one row, and the way goes on at what began it. */
START_TEST(a_loop_is_one_row)
{
    sb_record *const record = poll_record();
    sb_step steps[32];
    sb_slice_note notes[32];
    const size_t count = sb_record_slice(record, 17, steps, notes, 32);
    const size_t fire = row_of(steps, count, 16);
    ck_assert_uint_eq(steps[count - 1], 17);
    ck_assert_uint_lt(fire, count);
    ck_assert_uint_eq(notes[fire].count, 10);
    ck_assert_uint_eq(notes[fire].since, 3);
    ck_assert(notes[fire].is_cause);
    for (sb_step step = 3; step <= 11; step++) {
        ck_assert_uint_eq(row_of(steps, count, step), SIZE_MAX);
    }
    ck_assert_uint_lt(row_of(steps, count, 2), count);
    sb_record_free(record);
}
END_TEST

/* No cause leads from the stop to the poll that fails; the reader must see it all the same, and
 * when there is little room before all else but the nearest causes. */
START_TEST(what_struck_the_machine_is_told)
{
    sb_record *const record = poll_record();
    sb_step steps[32];
    sb_slice_note notes[32];
    const size_t count = sb_record_slice(record, 17, steps, notes, 32);
    for (sb_step step = 12; step <= 15; step++) {
        const size_t row = row_of(steps, count, step);
        ck_assert_uint_lt(row, count);
        ck_assert(!notes[row].is_cause);
    }
    const size_t few = sb_record_slice(record, 17, steps, notes, 6);
    ck_assert_uint_eq(few, 6);
    ck_assert_uint_lt(row_of(steps, few, 13), few);
    ck_assert_uint_lt(row_of(steps, few, 16), few);
    ck_assert_uint_eq(row_of(steps, few, 12), SIZE_MAX);
    sb_record_free(record);
}
END_TEST

/* server1 calls storage1, whose answer is lost.  Steps: 1 world, 2 spawn, 3 call, 4 send, 5
 * deliver, 6 spawn, 7 serve, 8 answer, 9 send, 10 a move of server1, 11 one of server3, 12 drop. */
static sb_record *lost_reply_record(void)
{
    sb_record *const record = sb_record_new();
    const sb_event caller = {.node = 1, .incarnation = 4, .task = LANE, .cause = 2};
    const sb_event server = {.node = 2, .incarnation = 1, .task = LANE + 1, .cause = 6};
    sb_event event;
    add(record, (sb_event){.kind = SB_EVENT_WORLD});
    event = caller, event.kind = SB_EVENT_SPAWN, event.cause = 1, event.b = LANE;
    add(record, event);
    event = caller, event.kind = SB_EVENT_CALL, event.b = 2;
    add(record, event);
    event = caller, event.kind = SB_EVENT_SEND, event.a = 2;
    add(record, event);
    add(record, (sb_event){.kind = SB_EVENT_DELIVER, .node = 2, .incarnation = 1, .cause = 4});
    event = server, event.kind = SB_EVENT_SPAWN, event.cause = 5, event.b = LANE + 1;
    add(record, event);
    event = server, event.kind = SB_EVENT_SERVE, event.b = 1;
    add(record, event);
    event = server, event.kind = SB_EVENT_ANSWER, event.b = 1;
    add(record, event);
    event = server, event.kind = SB_EVENT_SEND, event.a = 1;
    add(record, event);
    event = caller, event.kind = SB_EVENT_PROBE, event.task = LANE + 2, event.cause = 1;
    add(record, event);
    event.node = 3;
    add(record, event);
    add(record, (sb_event){.kind = SB_EVENT_DROP, .node = 2, .incarnation = 1, .cause = 9, .a = 1});
    return record;
}

/* A call reads as calling, serving, answering; its messages are plumbing.  A reply that is lost
 * belongs to the story of the machine that waits for it. */
START_TEST(a_lost_reply_leads_to_who_waits)
{
    sb_record *const record = lost_reply_record();
    static const sb_step expected[] = {1, 2, 3, 7, 8, 10, 12};
    sb_step steps[32];
    const size_t count = sb_record_slice(record, 12, steps, NULL, 32);
    ck_assert_uint_eq(count, sizeof expected / sizeof expected[0]);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_eq(steps[i], expected[i]);
    }
    sb_record_free(record);
}
END_TEST

/* A request whose loss a trigger has decided, while another task of the machine answers: steps 1
 * call, 2 trigger, 3 answer of the other, 4 send, 5 a probe of the machine, 6 drop. */
static sb_record *struck_call_record(void)
{
    sb_record *const record = sb_record_new();
    const sb_event caller = {.node = 1, .incarnation = 1, .task = LANE};
    sb_event event;
    event = caller, event.kind = SB_EVENT_CALL, event.a = HASH_REPLY, event.b = 2, event.c = 500;
    add(record, event);
    event = caller, event.kind = SB_EVENT_TRIGGER, event.cause = 1;
    add(record, event);
    event = caller, event.kind = SB_EVENT_ANSWER, event.task = LANE + 1, event.b = 3;
    add(record, event);
    event = caller, event.kind = SB_EVENT_SEND, event.a = 2, event.cause = 2;
    add(record, event);
    event = caller, event.kind = SB_EVENT_PROBE, event.task = LANE + 2;
    add(record, event);
    event = caller, event.kind = SB_EVENT_DROP, event.task = 0, event.cause = 4, event.a = 2;
    add(record, event);
    return record;
}

/* What a task does next need not be the next step: others go first, and triggers strike. */
START_TEST(a_task_is_followed_past_others)
{
    sb_record *const record = struck_call_record();
    ck_assert_uint_eq(sb_record_before(record, 4), 1);
    ck_assert_uint_eq(sb_record_after(record, 1), 4);
    ck_assert_uint_eq(sb_record_before(record, 1), 0);
    ck_assert_uint_eq(sb_record_after(record, 4), 0);
    ck_assert_uint_eq(sb_record_before(record, 6), 0);
    sb_fate fate;
    sb_fate_of_task(record, 1, LANE, &fate);
    ck_assert_uint_eq(fate.request_sent, 4);
    ck_assert_uint_eq(fate.request_dropped, 6);
    sb_step steps[8];
    const size_t count = sb_record_slice(record, 6, steps, NULL, 8);
    ck_assert_uint_lt(row_of(steps, count, 5), count); /* the caller's machine is told of */
    sb_record_free(record);
}
END_TEST

/* Two machines may give their calls the same number. */
START_TEST(a_call_is_served_to_its_caller)
{
    sb_record *const record = sb_record_new();
    const sb_event server = {.node = 3, .incarnation = 1, .a = HASH_REPLY, .b = 2, .c = 500};
    sb_event event = {.kind = SB_EVENT_CALL, .node = 1, .task = LANE, .a = HASH_REPLY, .b = 3};
    event.c = 500;
    add(record, event);
    add(record, (sb_event){.kind = SB_EVENT_SEND, .node = 1, .task = LANE, .a = 3});
    add(record, (sb_event){.kind = SB_EVENT_DELIVER, .node = 3, .cause = 2, .a = 1});
    event = server, event.kind = SB_EVENT_SERVE, event.task = LANE + 1;
    add(record, event);
    event = server, event.kind = SB_EVENT_ANSWER, event.task = LANE + 1;
    add(record, event);
    sb_fate fate;
    sb_fate_of_task(record, 1, LANE, &fate);
    ck_assert_uint_eq(fate.request_delivered, 3);
    ck_assert_uint_eq(fate.served, 0);
    ck_assert_uint_eq(fate.answered, 0);
    event = server, event.kind = SB_EVENT_SERVE, event.task = LANE + 2, event.b = 1;
    add(record, event);
    sb_fate_of_task(record, 1, LANE, &fate);
    ck_assert_uint_eq(fate.served, 6);
    sb_record_free(record);
}
END_TEST

/* As text the count and the pace stand in the row, and causes are marked; the drawing has an arrow
 * from the calling to the serving though no message is drawn. */
START_TEST(a_slice_is_rendered)
{
    char text[4096], problem[256];
    sb_step steps[32];
    sb_slice_note notes[32];
    const sb_record_header header = {"chaos", "pct-2", "4f2c1ab", "", 1};
    sb_record *record = poll_record();
    size_t count = sb_record_slice(record, 17, steps, notes, 32);
    FILE *out = fmemopen(text, sizeof text, "w");
    const sb_trace_view poll = {record, &header, steps, notes, count, 17, NULL};
    sb_trace_text(out, &poll, problem, sizeof problem);
    fclose(out);
    ck_assert_ptr_nonnull(
        strstr(text, "fire sleep  (the last of 10 since step 3, every 0.100s)\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n|         16 "));
    ck_assert_ptr_nonnull(strstr(text, "\n          13 "));
    ck_assert_ptr_nonnull(strstr(text, "\n>         17 "));
    sb_record_free(record);

    static char drawing[65536];
    record = lost_reply_record();
    count = sb_record_slice(record, 12, steps, notes, 32);
    out = fmemopen(drawing, sizeof drawing, "w");
    const sb_trace_view lost = {record, &header, steps, notes, count, 0, NULL};
    sb_trace_dot(out, &lost, problem, sizeof problem);
    fclose(out);
    ck_assert_ptr_nonnull(strstr(drawing, "e3 -> e7 "));
    ck_assert_ptr_null(strstr(drawing, "e3 -> e8 "));
    sb_record_free(record);
}
END_TEST

static FILE *written(const sb_record *record, const sb_step *steps, size_t count)
{
    const sb_record_header header = {"chaos", "pct-2", "4f2c1ab", "--bug \"x\"", UINT64_MAX};
    FILE *const file = tmpfile();
    ck_assert_ptr_nonnull(file);
    sb_trace_write(file, record, &header, steps, count);
    rewind(file);
    return file;
}

/* What is written and read again is the same bit for bit, and reads the same. */
START_TEST(a_trace_file_comes_back)
{
    char problem[256], left[512], right[512];
    sb_record *const record = small_record();
    sb_trace_file trace;
    FILE *const file = written(record, NULL, 0);
    ck_assert_msg(sb_trace_read(file, &trace, problem, sizeof problem), "%s", problem);
    ck_assert_uint_eq(trace.header.seed, UINT64_MAX);
    ck_assert_str_eq(trace.header.options, "--bug \"x\"");
    ck_assert_uint_eq(sb_record_count(trace.record), sb_record_count(record));
    for (sb_step step = 1; step <= sb_record_count(record); step++) {
        ck_assert_mem_eq(sb_record_event(record, step), sb_record_event(trace.record, step),
                         sizeof(sb_event));
        ck_assert_str_eq(sb_record_task_name(record, step),
                         sb_record_task_name(trace.record, step));
        sb_record_describe(record, step, left, sizeof left);
        sb_record_describe(trace.record, step, right, sizeof right);
        if (step != 7) { /* a byte that is no UTF-8 comes back as the code point of its value */
            ck_assert_str_eq(left, right);
        }
    }
    ck_assert_ptr_nonnull(strstr(right, "a \"line\"\twith \\ and \xc3\xa9 and \xc3\xbf"));
    sb_trace_file_release(&trace);
    fclose(file);
    sb_record_free(record);
}
END_TEST

START_TEST(a_slice_comes_back_with_gaps)
{
    char problem[256];
    sb_record *const record = small_record();
    const sb_step steps[] = {3, 5, 7};
    sb_trace_file trace;
    FILE *const file = written(record, steps, 3);
    ck_assert_msg(sb_trace_read(file, &trace, problem, sizeof problem), "%s", problem);
    ck_assert_ptr_nonnull(sb_record_event(trace.record, 3));
    ck_assert_ptr_null(sb_record_event(trace.record, 4));
    ck_assert_ptr_nonnull(sb_record_event(trace.record, 7));
    ck_assert_str_eq(sb_record_task_name(trace.record, 3), "poller/1");
    sb_trace_file_release(&trace);
    fclose(file);
    sb_record_free(record);
}
END_TEST

/* Whatever a file holds, the reader says yes or names the line; it never crashes. Every byte is
 * changed once. */
START_TEST(a_broken_file_is_refused)
{
    char problem[256];
    char *bytes = NULL;
    size_t size = 0;
    sb_record *const record = small_record();
    FILE *const memory = open_memstream(&bytes, &size);
    const sb_record_header header = {"chaos", "pct-2", "4f2c1ab", "", 1};
    sb_trace_write(memory, record, &header, NULL, 0);
    fclose(memory);
    static const char changes[] = {'\0', '"', '{', ']', '9', '\\', 'x', '\n'};
    size_t refused = 0;
    for (size_t at = 0; at < size; at++) {
        for (size_t change = 0; change < sizeof changes; change++) {
            const char kept = bytes[at];
            sb_trace_file trace;
            bytes[at] = changes[change];
            FILE *const in = fmemopen(bytes, change == 0 ? at + 1 : size, "r");
            if (sb_trace_read(in, &trace, problem, sizeof problem)) {
                sb_trace_file_release(&trace);
            } else {
                refused++;
                ck_assert_msg(strncmp(problem, "line ", 5) == 0, "%s", problem);
            }
            fclose(in);
            bytes[at] = kept;
        }
    }
    ck_assert_uint_gt(refused, size);
    free(bytes);
    sb_record_free(record);
}
END_TEST

/* Every format takes every event, and an empty choice. */
START_TEST(every_format_draws)
{
    sb_record *const record = small_record();
    const sb_record_header header = {"chaos", "pct-2", "4f2c1ab", "", 1};
    const sb_step steps[] = {1, 2, 3, 4, 5, 6, 7};
    const sb_chain chain = {NULL, 0, 0};
    for (size_t i = 0; i < sb_trace_format_count; i++) {
        for (size_t count = 0; count <= 7; count += 7) {
            char problem[256] = "";
            const sb_trace_view view = {record, &header, steps, NULL, count, 7, &chain};
            FILE *const out = tmpfile();
            const bool drawn = sb_trace_formats[i].render(out, &view, problem, sizeof problem);
            ck_assert_msg(drawn || strstr(problem, "graphviz") != NULL, "%s: %s",
                          sb_trace_formats[i].name, problem);
            ck_assert(!drawn || ftell(out) > 0);
            fclose(out);
        }
    }
    sb_record_free(record);
}
END_TEST

/* Of a chain each task is one box, so that a circle is one; a world that does not stand still has
 * none, and is refused. */
START_TEST(a_chain_is_drawn_as_a_graph)
{
    static char drawing[4096];
    char problem[256] = "";
    const sb_record_header header = {"chaos", "pct-2", "4f2c1ab", "", 1};
    sb_record *const record = small_record();
    sb_chain chain = {NULL, 0, 0};
    const size_t job = sb_chain_add(&chain, SB_LINK_THING, 0, 0, "job %d \"running\"", 1);
    const size_t one = sb_chain_add(&chain, SB_LINK_TASK, job, 3, "one waits for mutex a");
    const size_t other = sb_chain_add(&chain, SB_LINK_TASK, one, 4, "other waits for mutex b");
    const size_t again = sb_chain_add(&chain, SB_LINK_END, other, 0, "one, which stands above");
    chain.links[again - 1].same = one;
    sb_trace_view view = {record, &header, NULL, NULL, 0, 7, &chain};
    FILE *const out = fmemopen(drawing, sizeof drawing, "w");
    ck_assert(sb_trace_chain(out, &view, problem, sizeof problem));
    view.chain = NULL;
    ck_assert(!sb_trace_chain(out, &view, problem, sizeof problem));
    ck_assert_ptr_nonnull(strstr(problem, "expected a deadlock, livelock or stuck-job"));
    fclose(out);
    ck_assert_ptr_nonnull(strstr(drawing, "label=\"job 1 \\\"running\\\"\""));
    ck_assert_ptr_nonnull(strstr(drawing, "link1 -> link2;"));
    ck_assert_ptr_nonnull(strstr(drawing, "link3 -> link2;"));
    ck_assert_ptr_null(strstr(drawing, "stands above"));
    sb_chain_release(&chain);
    sb_record_free(record);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("record");
    TCase *const cases = tcase_create("record");
    tcase_add_test(cases, events_read_as_words);
    tcase_add_test(cases, lanes_are_used_again);
    tcase_add_test(cases, many_texts_are_kept);
    tcase_add_test(cases, a_window_begins_later);
    tcase_add_test(cases, a_slice_follows_causes);
    tcase_add_test(cases, a_loop_is_one_row);
    tcase_add_test(cases, what_struck_the_machine_is_told);
    tcase_add_test(cases, a_lost_reply_leads_to_who_waits);
    tcase_add_test(cases, a_task_is_followed_past_others);
    tcase_add_test(cases, a_call_is_served_to_its_caller);
    tcase_add_test(cases, a_slice_is_rendered);
    tcase_add_test(cases, a_trace_file_comes_back);
    tcase_add_test(cases, a_slice_comes_back_with_gaps);
    tcase_add_test(cases, a_broken_file_is_refused);
    tcase_add_test(cases, every_format_draws);
    tcase_add_test(cases, a_chain_is_drawn_as_a_graph);
    tcase_set_timeout(cases, 60);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
