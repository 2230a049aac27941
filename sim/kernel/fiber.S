/*
 * The context switch: push what the calling convention asks a callee to keep, change stacks, pop.
 * The frame is described in fiber.h; unwinders read it from there.
 */
#if defined(__x86_64__)
    .text
    .globl sb_fiber_switch
    .type sb_fiber_switch, @function
    .p2align 4
sb_fiber_switch:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    pushq %r12
    .cfi_adjust_cfa_offset 8
    pushq %r13
    .cfi_adjust_cfa_offset 8
    pushq %r14
    .cfi_adjust_cfa_offset 8
    pushq %r15
    .cfi_adjust_cfa_offset 8
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size sb_fiber_switch, .-sb_fiber_switch

    /* The first thing on a fresh stack: rbx holds the entry. */
    .globl sb_fiber_start
    .type sb_fiber_start, @function
sb_fiber_start:
    .cfi_startproc
    .cfi_undefined %rip
    callq *%rbx
    ud2
    .cfi_endproc
    .size sb_fiber_start, .-sb_fiber_start

#elif defined(__aarch64__)
    .text
    .globl sb_fiber_switch
    .type sb_fiber_switch, %function
    .p2align 4
sb_fiber_switch:
    .cfi_startproc
    sub sp, sp, #160
    .cfi_def_cfa_offset 160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    .cfi_def_cfa_offset 0
    ret
    .cfi_endproc
    .size sb_fiber_switch, .-sb_fiber_switch

    .globl sb_fiber_start
    .type sb_fiber_start, %function
sb_fiber_start:
    .cfi_startproc
    .cfi_undefined x30
    blr x19
    brk #0
    .cfi_endproc
    .size sb_fiber_start, .-sb_fiber_start
#endif

    .section .note.GNU-stack, "", %progbits
