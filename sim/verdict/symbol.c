/*
 * Naming addresses; see symbol.h.
 *
 * For an address the compilation unit is found, then the innermost scope that holds it; on the way
 * out of that scope every inlined subroutine gives one function whose caller stands at the line of
 * the call.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sim/verdict/symbol.h"

#include <assert.h>
#include <dlfcn.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim/verdict/modules.h"

static const char *base_name(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

#ifdef SB_HAVE_LIBDW

#include <dwarf.h>

/* Debug information in files of its own is not looked for: the usual way asks servers on the
 * network. */
static int find_no_debuginfo(Dwfl_Module *module, void **user, const char *name, Dwarf_Addr base,
                             const char *file, const char *link, GElf_Word checksum,
                             char **debug_file)
{
    (void)module, (void)user, (void)name, (void)base, (void)file, (void)link, (void)checksum,
        (void)debug_file;
    return -1;
}

Dwfl *sb_modules(void)
{
    static const Dwfl_Callbacks callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = find_no_debuginfo,
    };
    static Dwfl *modules;
    static bool tried;
    if (tried) {
        return modules;
    }
    tried = true;
    modules = dwfl_begin(&callbacks);
    if (modules != NULL && (dwfl_linux_proc_report(modules, getpid()) != 0 ||
                            dwfl_report_end(modules, NULL, NULL) != 0)) {
        dwfl_end(modules);
        modules = NULL;
    }
    return modules;
}

/* The unit that holds the address; compilers need not write the index that would say so at once. */
static Dwarf_Die *unit_of(Dwfl_Module *module, Dwarf_Addr address, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = dwfl_module_addrdie(module, address, bias);
    if (unit != NULL) {
        return unit;
    }
    while ((unit = dwfl_module_nextcu(module, unit, bias)) != NULL) {
        if (dwarf_haspc(unit, address - *bias) > 0) {
            return unit;
        }
    }
    return NULL;
}

/* Paths relative to where the compiler ran. */
static const char *relative_path(Dwarf_Die *unit, const char *path)
{
    if (path == NULL) {
        return NULL;
    }
    Dwarf_Attribute attribute;
    const char *const directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
    const size_t length = directory != NULL ? strlen(directory) : 0;
    if (length != 0 && strncmp(path, directory, length) == 0 && path[length] == '/') {
        path += length + 1;
    }
    while (strncmp(path, "./", 2) == 0) {
        path += 2;
    }
    return path;
}

static const char *function_name(Dwarf_Die *function)
{
    Dwarf_Attribute attribute;
    const char *const linkage =
        dwarf_formstring(dwarf_attr_integrate(function, DW_AT_linkage_name, &attribute));
    const char *const name =
        dwarf_formstring(dwarf_attr_integrate(function, DW_AT_name, &attribute));
    return name != NULL ? name : linkage;
}

/* Where an inlined subroutine was called from. */
static void call_place(Dwarf_Die *unit, Dwarf_Die *inlined, sb_symbol *caller)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    Dwarf_Files *files;
    caller->file = NULL;
    caller->line = 0;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &number) == 0 &&
        dwarf_getsrcfiles(unit, &files, NULL) == 0) {
        caller->file = relative_path(unit, dwarf_filesrc(files, number, NULL, NULL));
    }
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) == 0) {
        caller->line = (int)number;
    }
}

/* The scopes around an address, inmost first, as they lie in the code (not as they were declared).
 * To be freed. */
static int scopes_of(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
    Dwarf_Die *around = NULL;
    *scopes = NULL;
    const int count = dwarf_getscopes(unit, address, &around);
    if (count <= 0) {
        return 0;
    }
    const int physical = dwarf_getscopes_die(&around[0], scopes);
    free(around);
    return physical > 0 ? physical : 0;
}

/* Fill in the functions at the address, whose innermost place is in symbols[0] already. */
static size_t expand(Dwarf_Die *unit, Dwarf_Addr address, sb_symbol *symbols, size_t max)
{
    Dwarf_Die *scopes;
    const int scope_count = scopes_of(unit, address, &scopes);
    size_t count = 0;
    for (int i = 0; i < scope_count; i++) {
        const int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) {
            continue;
        }
        symbols[count++].function = function_name(&scopes[i]);
        if (tag == DW_TAG_subprogram || count == max) {
            break;
        }
        symbols[count] = symbols[0];
        symbols[count].function = NULL;
        call_place(unit, &scopes[i], &symbols[count]);
    }
    free(scopes);
    return count;
}

static size_t symbolise_with(Dwfl_Module *module, Dwarf_Addr address, sb_symbol *symbols,
                             size_t max)
{
    Dwarf_Addr start, bias;
    const char *const path = dwfl_module_info(module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
    symbols[0].module = path != NULL ? base_name(path) : NULL;
    symbols[0].offset = address - start;
    symbols[0].is_program =
        module == dwfl_addrmodule(sb_modules(), (Dwarf_Addr)(uintptr_t)&sb_symbolise);
    Dwarf_Die *const unit = unit_of(module, address, &bias);
    size_t count = 0;
    if (unit != NULL) {
        Dwarf_Line *const line = dwarf_getsrc_die(unit, address - bias);
        if (line != NULL) {
            symbols[0].file = relative_path(unit, dwarf_linesrc(line, NULL, NULL));
            dwarf_lineno(line, &symbols[0].line);
        }
        count = expand(unit, address - bias, symbols, max);
    }
    if (count == 0) {
        symbols[0].function = dwfl_module_addrname(module, address);
        count = 1;
    }
    return count;
}

size_t sb_symbolise(uint64_t address, sb_symbol *symbols, size_t max)
{
    assert(max > 0);
    symbols[0] = (sb_symbol){.offset = address};
    Dwfl_Module *const module =
        sb_modules() != NULL ? dwfl_addrmodule(sb_modules(), address) : NULL;
    return module != NULL ? symbolise_with(module, address, symbols, max) : 1;
}

#else

size_t sb_symbolise(uint64_t address, sb_symbol *symbols, size_t max)
{
    assert(max > 0);
    (void)max;
    Dl_info here, self;
    symbols[0] = (sb_symbol){.offset = address};
    if (dladdr((void *)(uintptr_t)address, &here) != 0) {
        symbols[0].module = here.dli_fname != NULL ? base_name(here.dli_fname) : NULL;
        symbols[0].offset = address - (uint64_t)(uintptr_t)here.dli_fbase;
        symbols[0].function = here.dli_sname;
        symbols[0].is_program = dladdr((void *)(uintptr_t)&sb_symbolise, &self) != 0 &&
                                self.dli_fbase == here.dli_fbase;
    }
    return 1;
}

#endif

sb_symbol_owner sb_symbol_owner_of(const sb_symbol *symbol)
{
    if (!symbol->is_program) {
        return SB_OWNER_LIBRARY;
    }
    /* clang gives what is written in assembly its whole path, whatever prefix is mapped. */
    if (symbol->function != NULL && strncmp(symbol->function, "sb_fiber_", 9) == 0) {
        return SB_OWNER_FRAMEWORK;
    }
    if (symbol->file != NULL) {
        return strncmp(symbol->file, "sim/", 4) == 0 ? SB_OWNER_FRAMEWORK : SB_OWNER_PROGRAM;
    }
    /* Without debug information our prefix tells, and an address without a name is nobody's. */
    if (symbol->function == NULL || strncmp(symbol->function, "sb_", 3) == 0 ||
        symbol->function[0] == '_') {
        return symbol->function == NULL ? SB_OWNER_PROGRAM : SB_OWNER_FRAMEWORK;
    }
    return SB_OWNER_PROGRAM;
}
