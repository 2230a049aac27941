/*
 * Writing a finding; its form is in report.h.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/verdict/report.h"

#define PLACE_WIDTH 25

static void print_time(FILE *out, sb_time time)
{
    fprintf(out, "%" PRIu64 ".%06" PRIu64 "s", time / SB_SECOND, time / 1000 % 1000000);
}

static void print_symbol(FILE *out, const sb_symbol *symbol, const char *indent)
{
    char place[160];
    if (symbol->file != NULL) {
        snprintf(place, sizeof place, "%s:%d", symbol->file, symbol->line);
    } else {
        snprintf(place, sizeof place, "%s+0x%" PRIx64,
                 symbol->module != NULL ? symbol->module : "?", symbol->offset);
    }
    const bool has_name = symbol->function != NULL;
    fprintf(out, "%s%-*s%s%s\n", indent, has_name ? PLACE_WIDTH : 0, place, has_name ? " " : "",
            has_name ? symbol->function : "");
}

/* Steps of a recursion look alike. */
static bool same_symbol(const sb_symbol *left, const sb_symbol *right)
{
    return left->function != NULL && left->function == right->function &&
           left->line == right->line && left->file == right->file;
}

/* The program's functions, and what libraries they had called at the top; the framework only where
 * it is at fault. */
static void print_stack(FILE *out, const sb_stack *stack, bool with_framework, const char *indent)
{
    bool seen = false;
    for (size_t i = 0, next; i < stack->count; i = next) {
        const sb_symbol_owner owner = sb_symbol_owner_of(&stack->symbols[i]);
        const bool is_called_library = owner == SB_OWNER_LIBRARY && !seen;
        seen = seen || owner != SB_OWNER_LIBRARY;
        for (next = i + 1;
             next < stack->count && same_symbol(&stack->symbols[i], &stack->symbols[next]);) {
            next++;
        }
        if (owner == SB_OWNER_PROGRAM || is_called_library || with_framework) {
            print_symbol(out, &stack->symbols[i], indent);
            if (next - i > 1) {
                fprintf(out, "%s  and %zu times more\n", indent, next - i - 1);
            }
        }
    }
}

/* ------------------------------------------------------------------------------ blocked tasks */

static bool same_stack(const sb_waiting_task *left, const sb_waiting_task *right)
{
    return left->frame_count == right->frame_count &&
           memcmp(left->frames, right->frames, left->frame_count * sizeof left->frames[0]) == 0;
}

/* Tasks of one node that wait at one place for one thing are shown once. */
static bool same_wait(const sb_waiting_task *left, const sb_waiting_task *right)
{
    const bool same_object =
        left->object == right->object ||
        (left->object != NULL && right->object != NULL && strcmp(left->object, right->object) == 0);
    return left->node == right->node && left->peer == right->peer &&
           left->holder == right->holder && strcmp(left->wait, right->wait) == 0 && same_object &&
           same_stack(left, right);
}

void sb_waiting_collect(sb_world *world, sb_waiting_list *list)
{
    uint16_t lane = 0;
    size_t capacity = 0;
    sb_waiting_task task;
    *list = (sb_waiting_list){NULL, 0};
    while (sb_world_next_waiting(world, &lane, &task)) {
        if (list->count == capacity) {
            capacity = capacity == 0 ? 64 : capacity * 2;
            list->tasks = sb_host_grow(list->tasks, capacity, sizeof task);
        }
        list->tasks[list->count++] = task;
    }
}

void sb_waiting_release(sb_waiting_list *list)
{
    free(list->tasks);
    *list = (sb_waiting_list){NULL, 0};
}

const sb_waiting_task *sb_waiting_in_lane(const sb_waiting_list *list, unsigned lane)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->tasks[i].lane == lane) {
            return &list->tasks[i];
        }
    }
    return NULL;
}

static unsigned count_same(const sb_waiting_list *list, size_t from, size_t to,
                           const sb_waiting_task *task)
{
    unsigned count = 0;
    for (size_t i = from; i < to; i++) {
        count += same_wait(&list->tasks[i], task);
    }
    return count;
}

static void print_waiting(FILE *out, sb_world *world, const sb_waiting_task *task, unsigned count)
{
    fprintf(out, "    %s#%u %s", sb_node_name(world, task->node), task->incarnation, task->name);
    if (count > 1) {
        fprintf(out, " and %u more", count - 1);
    }
    fprintf(out, "  %s", task->wait);
    if (task->object != NULL) {
        fprintf(out, " %s", task->object);
    }
    if (task->peer != 0) {
        fprintf(out, " of %s", sb_node_name(world, task->peer));
    }
    fputs("  since ", out);
    print_time(out, task->since);
    if (task->deadline != SB_FOREVER) {
        fputs("  until ", out);
        print_time(out, task->deadline);
    }
    fputc('\n', out);
    sb_stack stack;
    sb_stack_symbolise(task->frames, task->frame_count, &stack);
    print_stack(out, &stack, false, "      ");
}

void sb_report_waiting(FILE *out, sb_world *world, const sb_waiting_list *list)
{
    if (list->count != 0) {
        fputs("  blocked tasks\n", out);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (count_same(list, 0, i, &list->tasks[i]) == 0) {
            print_waiting(out, world, &list->tasks[i],
                          count_same(list, i, list->count, &list->tasks[i]));
        }
    }
}

/* ---------------------------------------------------------------------------------- the block */

static void print_headline(FILE *out, const sb_finding_report *finding, const sb_place *place,
                           const sb_report_options *options)
{
    char text[256];
    sb_place_text(place, text, sizeof text);
    fprintf(out, "finding %s%s%s", sb_finding_word(finding->kind), text[0] != '\0' ? "  " : "",
            text);
    if (options->ordinal != 0 && options->seed_count != 0) {
        fprintf(out, "  (%" PRIu64 " %s, smallest %" PRIu64 " at %" PRIu64 ")", options->seed_count,
                options->seed_count == 1 ? "run" : "runs", options->seed, options->ordinal);
    } else if (options->seed_count == 1) {
        fprintf(out, "  (1 seed, %" PRIu64 ")", options->seed);
    } else if (options->seed_count > 1) {
        fprintf(out, "  (%" PRIu64 " seeds, smallest %" PRIu64 ")", options->seed_count,
                options->seed);
    }
    fputc('\n', out);
    if (place->in_framework) {
        fputs("  no frame of the program is on the stack: the framework itself is at fault\n", out);
    }
}

static void print_what(FILE *out, const sb_finding_report *finding)
{
    const bool by_signal =
        finding->kind == SB_FINDING_NIL_DEREFERENCE || finding->kind == SB_FINDING_CRASH;
    const size_t oracle_length = strlen(finding->oracle);
    const bool said =
        oracle_length != 0 && strncmp(finding->text, finding->oracle, oracle_length) == 0;
    if (by_signal || said || oracle_length == 0) {
        fprintf(out, "  %s\n", finding->text[0] != '\0' ? finding->text : finding->oracle);
    } else if (finding->text[0] == '\0') {
        fprintf(out, "  %s\n", finding->oracle);
    } else {
        fprintf(out, "  %s: %s\n", finding->oracle, finding->text);
    }
}

bool sb_chain_of_world(sb_world *world, const sb_record *record, sb_chain *into)
{
    const sb_finding_report *const finding = sb_world_finding(world);
    const bool stands_still = finding != NULL && sb_finding_stands_still(finding);
    *into = (sb_chain){NULL, 0, 0};
    if (stands_still) {
        sb_waiting_list list;
        sb_waiting_collect(world, &list);
        sb_chain_build(world, &list, record, into);
        sb_waiting_release(&list);
    }
    return stands_still;
}

sb_step sb_finding_look_from(sb_world *world, const sb_record *record)
{
    const sb_finding_report *const finding = sb_world_finding(world);
    sb_chain chain;
    (void)sb_chain_of_world(world, record, &chain);
    const sb_step end = sb_chain_step(&chain);
    sb_chain_release(&chain);
    return end != 0 ? end : finding != NULL ? finding->step : 0;
}

static void report_still_world(FILE *out, const sb_report_options *options)
{
    sb_waiting_list list;
    sb_chain chain = {NULL, 0, 0};
    sb_waiting_collect(options->world, &list);
    sb_chain_build(options->world, &list, options->record, &chain);
    sb_report_chain(out, &chain);
    sb_chain_release(&chain);
    if (options->record != NULL && sb_record_count(options->record) != 0) {
        sb_report_unended(out, options->world, &list, options->record);
        sb_report_repeated(out, options->world, options->record);
    }
    sb_report_waiting(out, options->world, &list);
    sb_waiting_release(&list);
}

void sb_report_finding(FILE *out, const sb_finding_report *finding,
                       const sb_report_options *options)
{
    sb_stack stack;
    sb_place place;
    sb_stack_symbolise(finding->frames, finding->frame_count, &stack);
    const uint32_t signature =
        sb_finding_signature(finding, &stack, sb_node_role(options->world, finding->node));
    sb_finding_place(finding, &stack, &place);
    print_headline(out, finding, &place, options);
    fprintf(out, "  node %s#%u  task %s  step %" PRIu64 "  time ",
            sb_node_name(options->world, finding->node), finding->incarnation,
            finding->task[0] != '\0' ? finding->task : "-", finding->step);
    print_time(out, finding->time);
    fprintf(out, "  signature %08" PRIx32 "\n", signature);
    print_what(out, finding);
    print_stack(out, &stack, place.in_framework, "    ");
    if (finding->state[0] != '\0') {
        fprintf(out, "  %s\n", finding->state);
    }
    if (sb_finding_stands_still(finding)) {
        report_still_world(out, options);
    }
    if (options->replay != NULL) {
        fprintf(out, "  replay: %s\n", options->replay);
    }
}
