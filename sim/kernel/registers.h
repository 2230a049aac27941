/*
 * The registers from which a stack is unwound, of a fiber that stands still or of the place of a
 * signal.
 */
#ifndef SB_KERNEL_REGISTERS_H
#define SB_KERNEL_REGISTERS_H

#include <stdint.h>

typedef struct sb_registers {
    uint64_t ip, sp, bp; /* aarch64: pc, sp, x29 */
#if defined(__aarch64__)
    uint64_t lr;
    uint64_t kept[10]; /* x19 .. x28 */
#else
    uint64_t bx, r12, r13, r14, r15;
#endif
} sb_registers;

#endif
