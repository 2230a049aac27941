/*
 * Preparing a fresh stack for the switch in fiber.S; where that has no code for the machine, the
 * same two functions on top of ucontext.
 */
#include "sim/kernel/fiber.h"

#include <string.h>

#if defined(__x86_64__) || defined(__aarch64__)

extern void sb_fiber_start(void);

void *sb_fiber_prepare(void *stack_top, void (*entry)(void))
{
    /* Once the frame is popped the stack pointer is a multiple of 16, as a call wants it. */
    const uintptr_t top = (uintptr_t)stack_top & ~(uintptr_t)15;
    sb_fiber_frame *const frame = (sb_fiber_frame *)(top - 16 - sizeof(sb_fiber_frame));
    memset(frame, 0, sizeof(*frame));
#if defined(__x86_64__)
    frame->rbx = (uint64_t)(uintptr_t)entry;
    frame->return_address = (uint64_t)(uintptr_t)sb_fiber_start;
#else
    frame->x19 = (uint64_t)(uintptr_t)entry;
    frame->x30 = (uint64_t)(uintptr_t)sb_fiber_start;
#endif
    return frame;
}

#else

#include <ucontext.h>

/* The saved context lies on the fiber's own stack, so that a snapshot carries it. */
void *sb_fiber_prepare(void *stack_top, void (*entry)(void))
{
    const uintptr_t top = ((uintptr_t)stack_top - sizeof(ucontext_t)) & ~(uintptr_t)63;
    ucontext_t *const context = (ucontext_t *)top;
    getcontext(context);
    context->uc_stack.ss_sp = (void *)(top - 65536);
    context->uc_stack.ss_size = 65536;
    context->uc_link = NULL;
    makecontext(context, entry, 0);
    return context;
}

void sb_fiber_switch(void **save, void *to)
{
    ucontext_t here;
    *save = &here;
    swapcontext(&here, to);
}

#endif
