/*
 * The record of a world: what is kept of a run, and how it is read again.
 *
 * An event is 48 bytes.  Its step is its position: the first event of a run is step 1.  Every
 * event, with the fold of all values that door 1 has returned, runs through one XXH3 digest in
 * batches; that happens in every run.  The events themselves and the texts they mention are kept
 * only when asked for.  Every 2^SB_MARK_SHIFT steps the digest so far is kept as a mark, so that
 * two runs can be bisected.
 *
 * This header is all that renderers (traces/) know of the simulator: the vocabulary, a reader over
 * a kept record, and its file of one JSON object a line.
 */
#ifndef SB_RECORD_H
#define SB_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

typedef uint64_t sb_step;

typedef enum sb_event_kind {
    SB_EVENT_NONE,
#define EVENT(name, word, a, b, c) SB_EVENT_##name,
#include "sim/record/events.def"
#undef EVENT
    SB_EVENT_KIND_COUNT
} sb_event_kind;

typedef struct sb_event {
    uint64_t time; /* nanoseconds of the world */
    sb_step cause; /* the event that led to this one; 0: none */
    uint64_t a, b, c;
    uint8_t kind;
    uint8_t node; /* 0: the director */
    uint16_t incarnation;
    uint16_t task;     /* lane of the task within the world; 0: the kernel */
    uint16_t observed; /* low bits of the fold of what door 1 has returned */
} sb_event;

typedef enum sb_field_type {
    SB_FIELD_none,
    SB_FIELD_number,
    SB_FIELD_node,
    SB_FIELD_step,
    SB_FIELD_text,
    SB_FIELD_hash,
    SB_FIELD_bytes,
    SB_FIELD_time,
    SB_FIELD_status,
    SB_FIELD_fault,
    SB_FIELD_machine
} sb_field_type;

typedef struct sb_event_description {
    const char *word;
    const char *field_names[3];
    sb_field_type field_types[3];
} sb_event_description;

extern const sb_event_description sb_event_descriptions[SB_EVENT_KIND_COUNT];

/* The edge of a move event: the states it leads from and to. */
#define SB_EDGE(from, to) ((uint64_t)(from) << 32 | (uint32_t)(to))
#define SB_EDGE_FROM(edge) ((unsigned)((edge) >> 32))
#define SB_EDGE_TO(edge) ((unsigned)((edge)&UINT32_MAX))

/* The words of sim/status.def and sim/verdict/kinds.def. */
const char *sb_status_word(uint64_t status);
const char *sb_finding_word(uint64_t kind);

#define SB_MARK_SHIFT 12

/* ------------------------------------------------------------------------------ a kept record */

/* Events and texts of one run, in ordinary memory; first_step is the step of events[0]. */
typedef struct sb_record sb_record;

/* What the header line of a trace says. */
typedef struct sb_record_header {
    const char *scenario, *strategy, *build,
        *options; /* options: as on the command line, may be "" */
    uint64_t seed;
} sb_record_header;

sb_record *sb_record_new(void);
void sb_record_free(sb_record *record);
void sb_record_clear(sb_record *record);

size_t sb_record_count(const sb_record *record);
sb_step sb_record_first_step(const sb_record *record);
sb_step sb_record_last_step(const sb_record *record); /* of a record that is not empty */
const sb_event *sb_record_event(const sb_record *record,
                                sb_step step); /* NULL when it is not kept */
/* The step of the same task's event before or after this one, past what a trigger did there (a
 * strike between a call and its message); 0: none is kept. */
sb_step sb_record_before(const sb_record *record, sb_step step);
sb_step sb_record_after(const sb_record *record, sb_step step);
const char *sb_record_text(const sb_record *record, uint64_t hash); /* NULL when unknown */
const char *sb_record_node_name(const sb_record *record, unsigned node);
const char *sb_record_fault_name(const sb_record *record, uint64_t kind);
const char *sb_record_task_name(const sb_record *record, sb_step step); /* of the event's task */
const char *sb_record_subject_name(const sb_record *record,
                                   sb_step step); /* the task that woke it; or NULL */
unsigned sb_record_node_count(const sb_record *record);
unsigned sb_record_machine_count(const sb_record *record);
const char *sb_record_machine_name(const sb_record *record, uint64_t index);
const char *sb_record_state_name(const sb_record *record, uint64_t index,
                                 unsigned state); /* NULL: none such */

/* One event in words: "send to storage1 96 bytes", "move job 1 running -> done".  Returns what
 * snprintf would. */
int sb_record_describe(const sb_record *record, sb_step step, char *text, size_t size);

/* ------------------------------------------------------------------------------------- writing
 *
 * Used by the recorder in the kernel and by the reader of trace files.
 */
void sb_record_begin(sb_record *record, sb_step first_step); /* of what is appended first */
void sb_record_append(sb_record *record, const sb_event *events, size_t count);
void sb_record_truncate(sb_record *record, sb_step last_step); /* drop what came later */
void sb_record_add_text(sb_record *record, uint64_t hash, const char *text, size_t size);
/* The task that runs in this lane from the next event on: for tasks whose spawn is not kept. */
void sb_record_set_task_name(sb_record *record, uint16_t lane, uint64_t name_hash);
/* Events that are not kept: only who runs in which lane is learned from them. */
void sb_record_pass_over(sb_record *record, const sb_event *events, size_t count);
void sb_record_set_node_name(sb_record *record, unsigned node, const char *name);
void sb_record_set_machine(sb_record *record, unsigned index, const char *name,
                           const char *const *states, unsigned count);

/* What a row of a slice stands for: the event itself, or the latest of many like it. */
typedef struct sb_slice_note {
    sb_step since;  /* the first of them; the event's own step when it is alone */
    uint32_t count; /* how many they are, itself included */
    bool is_cause;  /* it lies on the way of causes; else it is notable beside it */
} sb_slice_note;

/* The causal slice that ends at `from`: steps in ascending order, `from` last; at most `limit`.
 * Follows causes back, most of all those next to the end, and shows beside them what is notable:
 * what the machine it ended on did and what was done to it, what followed there from a stop or a
 * cancel, faults elsewhere, moves of state machines. A loop is one turn with a count. The machine
 * of a message that was lost is the one that waits for it.  notes: one for each step, or NULL.
 * Returns how many. */
size_t sb_record_slice(const sb_record *record, sb_step from, sb_step *steps, sb_slice_note *notes,
                       size_t limit);

#endif
