/*
 * The container of a kept record: events in one array, the texts they mention in blocks that never
 * move.
 *
 *   events   [first_step] [first_step + 1] ...     48 bytes each
 *   labels   [ task, waker ] [ task, waker ] ...   beside each event: whose it is, who woke it
 *   texts    hash -> text                          an open table over blocks
 *
 * Lanes are used again by later tasks, so the name of an event's task is settled when the event is
 * appended, from the spawn that filled the lane last.
 */
#include "sim/record/record.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"

#define NODE_MAX 256
#define LANE_MAX 65536
#define MACHINE_MAX 256
#define TEXT_BLOCK_SIZE ((size_t)64 << 10)

typedef struct text_entry {
    uint64_t hash;
    const char *text; /* NULL: a free slot */
} text_entry;

typedef struct text_block {
    struct text_block *next;
    size_t used, size;
    char bytes[];
} text_block;

/* Hashes of the names of an event's task and of the task that woke it; 0: none known. */
typedef struct event_label {
    uint64_t task, subject;
} event_label;

typedef struct machine_names {
    const char *name;
    const char **states;
    unsigned state_count;
} machine_names;

struct sb_record {
    sb_step first_step;
    size_t count, capacity;
    sb_event *events;
    event_label *labels;
    size_t text_count, text_capacity; /* capacity: a power of two */
    text_entry *texts;
    text_block *blocks;
    unsigned node_count;
    const char *node_names[NODE_MAX];
    machine_names *machines;
    unsigned machine_count;
    uint64_t early_tasks[LANE_MAX];   /* names given by sb_record_set_task_name */
    uint64_t current_tasks[LANE_MAX]; /* name of the task in each lane after the last event */
};

#define FIELD(name, type) #name, SB_FIELD_##type
#define ROW(name, word, name_a, type_a, name_b, type_b, name_c, type_c)                            \
    [SB_EVENT_##name] = {word, {name_a, name_b, name_c}, {type_a, type_b, type_c}},
#define EVENT(...) ROW(__VA_ARGS__)
const sb_event_description sb_event_descriptions[SB_EVENT_KIND_COUNT] = {
    [SB_EVENT_NONE] = {"none",
                       {"none", "none", "none"},
                       {SB_FIELD_none, SB_FIELD_none, SB_FIELD_none}},
#include "sim/record/events.def"
};
#undef EVENT
#undef ROW
#undef FIELD

sb_record *sb_record_new(void)
{
    sb_record *const record = sb_host_alloc(1, sizeof *record);
    record->first_step = 1;
    return record;
}

static void texts_release(sb_record *record)
{
    while (record->blocks != NULL) {
        text_block *const block = record->blocks;
        record->blocks = block->next;
        free(block);
    }
    free(record->texts);
    record->texts = NULL;
    record->text_count = record->text_capacity = 0;
}

static void machines_release(sb_record *record)
{
    for (unsigned i = 0; i < record->machine_count; i++) {
        free(record->machines[i].states);
    }
    free(record->machines);
    record->machines = NULL;
    record->machine_count = 0;
}

void sb_record_free(sb_record *record)
{
    if (record == NULL) {
        return;
    }
    texts_release(record);
    machines_release(record);
    free(record->events);
    free(record->labels);
    free(record);
}

void sb_record_clear(sb_record *record)
{
    texts_release(record);
    machines_release(record);
    record->count = 0;
    record->first_step = 1;
    record->node_count = 0;
    memset(record->node_names, 0, sizeof record->node_names);
    memset(record->early_tasks, 0, sizeof record->early_tasks);
    memset(record->current_tasks, 0, sizeof record->current_tasks);
}

/* ------------------------------------------------------------------------------------ reading */

size_t sb_record_count(const sb_record *record)
{
    return record->count;
}

sb_step sb_record_first_step(const sb_record *record)
{
    return record->first_step;
}

sb_step sb_record_last_step(const sb_record *record)
{
    return record->first_step + record->count - 1;
}

/* Where the step lies in the arrays; `count` when it is not kept. */
static size_t place_of(const sb_record *record, sb_step step)
{
    if (step < record->first_step || step - record->first_step >= record->count) {
        return record->count;
    }
    return (size_t)(step - record->first_step);
}

const sb_event *sb_record_event(const sb_record *record, sb_step step)
{
    const size_t place = place_of(record, step);
    if (place == record->count || record->events[place].kind == SB_EVENT_NONE) {
        return NULL;
    }
    return &record->events[place];
}

static bool is_by_trigger(const sb_event *event)
{
    return event->kind == SB_EVENT_TRIGGER || event->kind == SB_EVENT_FAULT ||
           event->kind == SB_EVENT_HEAL;
}

/* Other tasks may have gone first: what a task does next need not be the next step. */
static sb_step neighbour(const sb_record *record, sb_step step, bool later)
{
    const sb_event *const from = sb_record_event(record, step);
    const sb_step first = record->first_step, end = first + record->count;
    while (from != NULL && from->task != 0) {
        step = later ? step + 1 : step - 1;
        if (step < first || step >= end) {
            return 0;
        }
        const sb_event *const event = sb_record_event(record, step);
        if (event != NULL && event->task == from->task && event->node == from->node &&
            !is_by_trigger(event)) {
            return step;
        }
    }
    return 0;
}

sb_step sb_record_before(const sb_record *record, sb_step step)
{
    return neighbour(record, step, false);
}

sb_step sb_record_after(const sb_record *record, sb_step step)
{
    return neighbour(record, step, true);
}

static text_entry *text_slot(const sb_record *record, uint64_t hash)
{
    assert(record->text_capacity > record->text_count);
    const size_t mask = record->text_capacity - 1;
    size_t slot = (size_t)hash & mask;
    while (record->texts[slot].text != NULL && record->texts[slot].hash != hash) {
        slot = (slot + 1) & mask;
    }
    return &record->texts[slot];
}

const char *sb_record_text(const sb_record *record, uint64_t hash)
{
    return record->text_capacity == 0 ? NULL : text_slot(record, hash)->text;
}

unsigned sb_record_node_count(const sb_record *record)
{
    return record->node_count;
}

const char *sb_record_node_name(const sb_record *record, unsigned node)
{
    const char *const name = node < record->node_count ? record->node_names[node] : NULL;
    return name != NULL ? name : node == 0 ? "director" : "?";
}

const char *sb_record_fault_name(const sb_record *record, uint64_t kind)
{
    static const char *const names[] = {
        "none",
#define FAULT(name, word, family, text) word,
#include "sim/fault/faults.def"
#undef FAULT
    };
    (void)record;
    return kind < sizeof names / sizeof names[0] ? names[kind] : "?";
}

const char *sb_record_task_name(const sb_record *record, sb_step step)
{
    const size_t place = place_of(record, step);
    if (place == record->count) {
        return "?";
    }
    const unsigned lane = record->events[place].task;
    if (lane == 0) {
        return "kernel";
    }
    const char *const name = sb_record_text(record, record->labels[place].task);
    return name != NULL ? name : "?";
}

const char *sb_record_subject_name(const sb_record *record, sb_step step)
{
    const size_t place = place_of(record, step);
    return place == record->count ? NULL : sb_record_text(record, record->labels[place].subject);
}

unsigned sb_record_machine_count(const sb_record *record)
{
    return record->machine_count;
}

const char *sb_record_machine_name(const sb_record *record, uint64_t index)
{
    const char *const name = index < record->machine_count ? record->machines[index].name : NULL;
    return name != NULL ? name : "?";
}

const char *sb_record_state_name(const sb_record *record, uint64_t index, unsigned state)
{
    if (index >= record->machine_count || state >= record->machines[index].state_count) {
        return NULL;
    }
    return record->machines[index].states[state];
}

/* ------------------------------------------------------------------------------------ writing */

void sb_record_begin(sb_record *record, sb_step first_step)
{
    assert(record->count == 0);
    assert(first_step > 0);
    record->first_step = first_step;
}

static void label_event(sb_record *record, size_t place)
{
    const sb_event *const event = &record->events[place];
    if (event->kind == SB_EVENT_SPAWN) {
        record->current_tasks[event->b & (LANE_MAX - 1)] = event->a;
    }
    record->labels[place].task = record->current_tasks[event->task];
    record->labels[place].subject = event->kind == SB_EVENT_WAKE && event->a != 0
                                        ? record->current_tasks[event->a & (LANE_MAX - 1)]
                                        : 0;
}

void sb_record_append(sb_record *record, const sb_event *events, size_t count)
{
    const size_t needed = record->count + count;
    if (needed > record->capacity) {
        const size_t capacity = needed < 1024 ? 1024 : needed + needed / 2;
        record->events = sb_host_grow(record->events, capacity, sizeof *record->events);
        record->labels = sb_host_grow(record->labels, capacity, sizeof *record->labels);
        record->capacity = capacity;
    }
    if (count != 0) {
        memcpy(record->events + record->count, events, count * sizeof *events);
    }
    for (size_t place = record->count; place < needed; place++) {
        label_event(record, place);
    }
    record->count = needed;
}

void sb_record_truncate(sb_record *record, sb_step last_step)
{
    const size_t count =
        last_step < record->first_step ? 0 : (size_t)(last_step - record->first_step) + 1;
    if (count >= record->count) {
        return;
    }
    record->count = count;
    memcpy(record->current_tasks, record->early_tasks, sizeof record->current_tasks);
    for (size_t place = 0; place < count; place++) {
        label_event(record, place);
    }
}

/* Copy a text to where it stays until the record is cleared. */
static const char *text_keep(sb_record *record, const char *text, size_t size)
{
    text_block *block = record->blocks;
    if (block == NULL || block->size - block->used < size + 1) {
        const size_t block_size = size + 1 > TEXT_BLOCK_SIZE ? size + 1 : TEXT_BLOCK_SIZE;
        block = sb_host_alloc(1, sizeof *block + block_size);
        block->size = block_size;
        block->next = record->blocks;
        record->blocks = block;
    }
    char *const kept = block->bytes + block->used;
    memcpy(kept, text, size);
    kept[size] = '\0';
    block->used += size + 1;
    return kept;
}

static void texts_grow(sb_record *record)
{
    const size_t old_capacity = record->text_capacity;
    text_entry *const old = record->texts;
    record->text_capacity = old_capacity == 0 ? 256 : old_capacity * 2;
    record->texts = sb_host_alloc(record->text_capacity, sizeof *record->texts);
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].text != NULL) {
            *text_slot(record, old[i].hash) = old[i];
        }
    }
    free(old);
}

void sb_record_add_text(sb_record *record, uint64_t hash, const char *text, size_t size)
{
    if ((record->text_count + 1) * 4 > record->text_capacity * 3) {
        texts_grow(record);
    }
    text_entry *const entry = text_slot(record, hash);
    if (entry->text == NULL) {
        entry->hash = hash;
        entry->text = text_keep(record, text, size);
        record->text_count++;
    }
}

void sb_record_set_task_name(sb_record *record, uint16_t lane, uint64_t name_hash)
{
    if (record->count == 0) {
        record->early_tasks[lane] = name_hash;
    }
    record->current_tasks[lane] = name_hash;
}

void sb_record_pass_over(sb_record *record, const sb_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (events[i].kind == SB_EVENT_SPAWN) {
            sb_record_set_task_name(record, (uint16_t)events[i].b, events[i].a);
        }
    }
}

void sb_record_set_node_name(sb_record *record, unsigned node, const char *name)
{
    assert(node < NODE_MAX);
    record->node_names[node] = text_keep(record, name, strlen(name));
    if (node >= record->node_count) {
        record->node_count = node + 1;
    }
}

void sb_record_set_machine(sb_record *record, unsigned index, const char *name,
                           const char *const *states, unsigned count)
{
    assert(index < MACHINE_MAX);
    if (index >= record->machine_count) {
        record->machines = sb_host_grow(record->machines, index + 1, sizeof *record->machines);
        memset(record->machines + record->machine_count, 0,
               (index + 1 - record->machine_count) * sizeof *record->machines);
        record->machine_count = index + 1;
    }
    machine_names *const machine = &record->machines[index];
    if (machine->name != NULL && machine->state_count == count &&
        strcmp(machine->name, name) == 0) {
        return; /* it is said at every move */
    }
    free(machine->states);
    machine->name = text_keep(record, name, strlen(name));
    machine->states = sb_host_alloc(count == 0 ? 1 : count, sizeof *machine->states);
    machine->state_count = count;
    for (unsigned i = 0; i < count; i++) {
        machine->states[i] = text_keep(record, states[i], strlen(states[i]));
    }
}
