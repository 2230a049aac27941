/*
 * Where a finding stands, and what makes two findings the same.
 */
#ifndef SB_VERDICT_SIGNATURE_H
#define SB_VERDICT_SIGNATURE_H

#include "sim/verdict/symbol.h"
#include "sim/world.h"

/* The functions on a finding's stack, innermost first, inlined ones included. */
#define SB_STACK_MAX 96
typedef struct sb_stack {
    size_t count;
    sb_symbol symbols[SB_STACK_MAX];
} sb_stack;
void sb_stack_symbolise(const sb_frame *frames, size_t frame_count, sb_stack *stack);

/* The innermost frame outside of the framework and the libraries.  With no such frame the framework
 * itself is at fault. */
typedef struct sb_place {
    char file[96]; /* "engine/ddl/reorg.c", or "seedbed+0x1234" without debug information, or "" */
    int line;      /* 0: not known */
    char function[64];
    bool in_framework;
} sb_place;
void sb_finding_place(const sb_finding_report *finding, const sb_stack *stack, sb_place *place);

/* "engine/reorg.c:104 reorg_is_paused".  Returns what snprintf would. */
int sb_place_text(const sb_place *place, char *text, size_t size);

/*
 * A hash of kind, oracle or assertion, the functions of the program on the stack (neither lines nor
 * addresses, so that it survives unrelated edits), the role of the node, and the phase.
 */
uint32_t sb_finding_signature(const sb_finding_report *finding, const sb_stack *stack,
                              const char *role);

#endif
