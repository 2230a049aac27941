/*
 * The modules of this process (program, libraries) as elfutils sees them; shared by unwind.c and
 * symbol.c.
 */
#ifndef SB_VERDICT_MODULES_H
#define SB_VERDICT_MODULES_H

#ifdef SB_HAVE_LIBDW
#include <elfutils/libdwfl.h>

/* Opened once a process and kept, for it reads every mapped file.  NULL when that is not possible.
 */
Dwfl *sb_modules(void);
#endif

#endif
