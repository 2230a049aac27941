/*
 * From registers to the addresses of the code that is on a stack.
 *
 * With elfutils (SB_HAVE_LIBDW) the call frame information of every module is used, so that frames
 * without a frame pointer, as in a memcpy of the C library that was handed NULL, are crossed.
 * Without it, or where that information ends, frame pointers are followed: everything of ours keeps
 * them.
 */
#ifndef SB_VERDICT_UNWIND_H
#define SB_VERDICT_UNWIND_H

#include "sim/kernel/registers.h"
#include "sim/world.h"

/*
 * Fill frames, innermost first, at most max; returns how many.  Only [stack_low, stack_high) is
 * ever read.  Each address lies inside the instruction that is under way (of a caller: its return
 * address less 1), which is what sb_symbolise asks for. From the host, not from a signal handler:
 * it allocates.
 */
size_t sb_unwind(const sb_registers *registers, uint64_t stack_low, uint64_t stack_high,
                 sb_frame *frames, size_t max);

#endif
