/*
 * From addresses of code to places in the source.
 *
 * Needs elfutils (SB_HAVE_LIBDW) and debug information; without them a place is a module and an
 * offset. Names and paths live as long as the process.
 */
#ifndef SB_VERDICT_SYMBOL_H
#define SB_VERDICT_SYMBOL_H

#include "sim/world.h"

/* One function at an address.  Several stand at one address when the inner ones were inlined. */
typedef struct sb_symbol {
    const char *function; /* NULL: not known */
    const char
        *file; /* as it was compiled, relative to where: "engine/ddl/reorg.c"; NULL: not known */
    int line;  /* 0: not known */
    const char *module; /* "seedbed", "libc.so.6"; NULL: not known */
    uint64_t offset;    /* of the address in the module */
    bool is_program;    /* in the program itself, not in a library */
} sb_symbol;

#define SB_SYMBOL_INLINE_MAX 16

/* The functions at this address, innermost first; at least one, and at most max (which is at least
 * 1). */
size_t sb_symbolise(uint64_t address, sb_symbol *symbols, size_t max);

/* Of the framework (sim/, and this process's glue), of a library, or of the program under test. */
typedef enum sb_symbol_owner {
    SB_OWNER_PROGRAM,
    SB_OWNER_FRAMEWORK,
    SB_OWNER_LIBRARY
} sb_symbol_owner;
sb_symbol_owner sb_symbol_owner_of(const sb_symbol *symbol);

#endif
