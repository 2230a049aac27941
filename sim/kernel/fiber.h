/*
 * Switching between stacks.
 *
 * sb_fiber_switch saves the registers that the calling convention keeps, leaves the stack pointer
 * in *save, and goes on where `to` was saved.  A fresh stack is prepared so that the first switch
 * to it calls entry() with nothing below it, where unwinders stop.  x86-64 and aarch64 have their
 * own few instructions (fiber.S); elsewhere ucontext does it, slowly (fiber_ucontext.c).
 */
#ifndef SB_KERNEL_FIBER_H
#define SB_KERNEL_FIBER_H

#include <stddef.h>
#include <stdint.h>

void sb_fiber_switch(void **save, void *to);
void *sb_fiber_prepare(void *stack_top, void (*entry)(void));

/* What the switch has pushed, lowest address first: registers of a fiber that stands still. */
#if defined(__x86_64__)
typedef struct sb_fiber_frame {
    uint64_t r15, r14, r13, r12, rbx, rbp, return_address;
} sb_fiber_frame;
#elif defined(__aarch64__)
typedef struct sb_fiber_frame {
    uint64_t x19, x20, x21, x22, x23, x24, x25, x26, x27, x28, x29, x30;
    uint64_t d[8];
} sb_fiber_frame;
#endif

#endif
