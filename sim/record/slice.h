/*
 * Between the two halves of a slice: what lies on the way of causes (way.c), and what is notable
 * beside it and how much of all that is shown (slice.c).
 */
#ifndef SB_RECORD_SLICE_H
#define SB_RECORD_SLICE_H

#include "sim/record/record.h"

typedef enum sb_slice_queue {
    SB_SLICE_NEAR,    /* the way, next to the failure */
    SB_SLICE_ENDING,  /* who was canceled on the machine, and what followed from it */
    SB_SLICE_MACHINE, /* what else the machine did, and what was done to it */
    SB_SLICE_TROUBLE, /* faults and deaths elsewhere, phases */
    SB_SLICE_WORLD,   /* moves and logs elsewhere */
    SB_SLICE_FAR,     /* the way, further back */
    SB_SLICE_DETAIL,  /* losses, failed calls and births on the machine */
    SB_SLICE_QUEUE_COUNT,
    SB_SLICE_NONE = SB_SLICE_QUEUE_COUNT
} sb_slice_queue;

typedef struct sb_slice_row {
    sb_step step;
    sb_slice_note note;
} sb_slice_row;

/* Latest first. */
typedef struct sb_slice_row_list {
    sb_slice_row *rows;
    size_t count;
} sb_slice_row_list;

typedef struct sb_slicer {
    const sb_record *record;
    sb_step first;
    size_t limit;
    unsigned node, incarnation; /* the machine whose story it is */
    unsigned char *marks;       /* for each kept step */
    sb_slice_row_list queues[SB_SLICE_QUEUE_COUNT];
} sb_slicer;

/* Append, as long as there is room for it in any slice. */
void sb_slice_add(sb_slicer *slice, sb_slice_queue queue, sb_slice_row row);

/* This event is on the way: it is not to be shown as notable once more. */
void sb_slice_take(sb_slicer *slice, sb_step step);

/* The plumbing of a call, which `call`, `serve`, `answer` and `call-end` tell already. */
bool sb_slice_is_told_elsewhere(const sb_record *record, sb_step step, const sb_event *event);

/* Fill the queues NEAR and FAR. */
void sb_slice_collect_way(sb_slicer *slice, sb_step from);

#endif
