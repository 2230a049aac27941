/*
 * The mapping worlds live in, and its ranges.
 */
#ifndef SB_KERNEL_UNIVERSE_H
#define SB_KERNEL_UNIVERSE_H

#include "sim/kernel/kernel.h"

#define SB_BASE_DEFAULT UINT64_C(0x520000000000)

typedef struct sb_stack_bounds {
    void *low;
    size_t size;
} sb_stack_bounds;

struct sb_universe {
    unsigned char *base;
    size_t size;
    uint8_t fill;
    bool permute;
    sb_world *world;       /* at base */
    uint32_t stacks_ready; /* lanes whose guards stand and whose bytes are the fill */
    uint32_t stacks_dirty; /* lanes that the last world used */
    sb_stack_bounds host_stack;
};

/* A task's stack; NULL: the host's (as far as it is known). */
sb_stack_bounds sb_stack_of(const sb_universe *universe, const sb_task *task);
void *sb_stack_top(sb_universe *universe, const sb_task *task);

sb_stack_bounds sb_host_stack(void); /* of the calling thread */

/* The range of a node's heap: address space, of which a limit leaves half for blocks of sizes that
 * are not asked for again. */
#define SB_NODE_RANGE ((size_t)2 << 30)
void *sb_node_range(const sb_universe *universe, sb_node node);

/* panic.c: catch signals of this process that strike inside a world. */
void sb_panic_install(sb_universe *universe);
void sb_panic_remove(void);

/* Registers of a fiber that stands still, from its saved stack pointer. */
void sb_fiber_registers(const void *stack_pointer, sb_registers *registers);

#endif
