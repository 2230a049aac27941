/*
 * Place and signature of a finding; see signature.h.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "sim/verdict/signature.h"

/* Deeper callers say who was here by chance: a worker's and a handler's way to one defect are one
 * finding. */
#define SIGNATURE_FUNCTIONS_MAX 8

void sb_stack_symbolise(const sb_frame *frames, size_t frame_count, sb_stack *stack)
{
    stack->count = 0;
    for (size_t i = 0; i < frame_count && stack->count < SB_STACK_MAX; i++) {
        const size_t room = SB_STACK_MAX - stack->count;
        stack->count += sb_symbolise(frames[i].address, stack->symbols + stack->count,
                                     room < SB_SYMBOL_INLINE_MAX ? room : SB_SYMBOL_INLINE_MAX);
    }
}

/* The innermost function of this owner; NULL: none. */
static const sb_symbol *innermost_of(const sb_stack *stack, sb_symbol_owner owner)
{
    for (size_t i = 0; i < stack->count; i++) {
        if (sb_symbol_owner_of(&stack->symbols[i]) == owner) {
            return &stack->symbols[i];
        }
    }
    return NULL;
}

static void place_of_symbol(const sb_symbol *symbol, sb_place *place)
{
    if (symbol->file != NULL) {
        snprintf(place->file, sizeof place->file, "%s", symbol->file);
    } else if (symbol->module != NULL) {
        snprintf(place->file, sizeof place->file, "%s+0x%" PRIx64, symbol->module, symbol->offset);
    }
    place->line = symbol->line;
    snprintf(place->function, sizeof place->function, "%s",
             symbol->function != NULL ? symbol->function : "");
}

/* What is judged when a program has returned. */
static bool is_of_a_return(sb_finding_kind kind)
{
    return kind == SB_FINDING_LEAK || kind == SB_FINDING_CANNOT_START;
}

void sb_finding_place(const sb_finding_report *finding, const sb_stack *stack, sb_place *place)
{
    memset(place, 0, sizeof *place);
    if (finding->file[0] != '\0') {
        snprintf(place->file, sizeof place->file, "%s", finding->file);
        snprintf(place->function, sizeof place->function, "%s", finding->function);
        place->line = finding->line;
        place->in_framework = strncmp(finding->file, "sim/", 4) == 0;
        return;
    }
    const sb_symbol *symbol = innermost_of(stack, SB_OWNER_PROGRAM);
    if (symbol == NULL && is_of_a_return(finding->kind)) {
        return; /* the program has left the stack, and is at fault all the same */
    }
    if (symbol == NULL) {
        symbol = innermost_of(stack, SB_OWNER_FRAMEWORK);
        place->in_framework = symbol != NULL;
    }
    if (symbol != NULL) {
        place_of_symbol(symbol, place);
    }
}

int sb_place_text(const sb_place *place, char *text, size_t size)
{
    char line[16] = "";
    if (place->line != 0) {
        snprintf(line, sizeof line, ":%d", place->line);
    }
    const bool has_both = place->file[0] != '\0' && place->function[0] != '\0';
    return snprintf(text, size, "%s%s%s%s", place->file, line, has_both ? " " : "",
                    place->function);
}

static void hash_word(XXH3_state_t *state, const char *word)
{
    XXH3_64bits_update(state, word, strlen(word) + 1);
}

uint32_t sb_finding_signature(const sb_finding_report *finding, const sb_stack *stack,
                              const char *role)
{
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    hash_word(&state, sb_finding_word(finding->kind));
    hash_word(&state, finding->oracle);
    hash_word(&state, finding->function);
    int functions = 0;
    const char *last = "";
    for (size_t i = 0; i < stack->count && functions < SIGNATURE_FUNCTIONS_MAX; i++) {
        const sb_symbol *const symbol = &stack->symbols[i];
        char offset[32];
        snprintf(offset, sizeof offset, "+0x%" PRIx64, symbol->offset);
        const char *const name = symbol->function != NULL ? symbol->function : offset;
        /* However deep a recursion was, it counts once. */
        if (sb_symbol_owner_of(symbol) == SB_OWNER_PROGRAM && strcmp(name, last) != 0) {
            hash_word(&state, name);
            functions++;
        }
        last = symbol->function != NULL ? symbol->function : "";
    }
    hash_word(&state, role);
    hash_word(&state, finding->phase);
    return (uint32_t)XXH3_64bits_digest(&state);
}
