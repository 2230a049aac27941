/*
 * A list of links; see chain.h.
 */
#include "sim/record/chain.h"

#include <stdarg.h>
#include <stdlib.h>

#include "sim/record/memory.h"

size_t sb_chain_add(sb_chain *into, sb_link_kind kind, size_t above, sb_step step,
                    const char *format, ...)
{
    if (into->count == into->capacity) {
        into->capacity = into->capacity == 0 ? 64 : into->capacity * 2;
        into->links = sb_host_grow(into->links, into->capacity, sizeof *into->links);
    }
    sb_chain_link *const added = &into->links[into->count++];
    *added = (sb_chain_link){.kind = kind, .above = above, .step = step};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(added->text, sizeof added->text, format, arguments);
    va_end(arguments);
    return into->count;
}

void sb_chain_release(sb_chain *of)
{
    free(of->links);
    *of = (sb_chain){NULL, 0, 0};
}
