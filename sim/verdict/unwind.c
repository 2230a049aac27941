/*
 * Walking a stack; see unwind.h.
 */
#include "sim/verdict/unwind.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

#include "sim/verdict/modules.h"

#define NOWHERE_MAX 65536u /* no code lies below */

/* What a walk is about; the callbacks of elfutils get it. */
typedef struct stack_walk {
    const sb_registers *registers;
    uint64_t stack_low, stack_high;
    sb_frame *frames;
    size_t count, max;
} stack_walk;

/* Stacks are instrumented memory in sanitizer builds, and a walk may cross what is no variable at
 * all. */
#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("address"), no_sanitize("undefined")))
#if defined(__clang__)
__attribute__((no_sanitize("memory")))
#endif
#endif
static bool
read_word(const stack_walk *walk, uint64_t address, uint64_t *word)
{
    if (address % sizeof *word != 0 || address < walk->stack_low || address > walk->stack_high ||
        walk->stack_high - address < sizeof *word) {
        return false;
    }
    *word = *(const volatile uint64_t *)(uintptr_t)address;
    return true;
}

static bool add_frame(stack_walk *walk, uint64_t address)
{
    if (walk->count == walk->max) {
        return false;
    }
    walk->frames[walk->count++] = (sb_frame){.address = address};
    return true;
}

/* Each frame: [frame pointer of the caller][return address].  They must rise, or the chain is no
 * chain. */
static void follow_frame_pointers(stack_walk *walk)
{
    uint64_t frame = walk->registers->bp;
    walk->count = 0;
    add_frame(walk, walk->registers->ip);
    for (;;) {
        uint64_t caller, return_address;
        if (!read_word(walk, frame, &caller) || !read_word(walk, frame + 8, &return_address) ||
            return_address == 0 || !add_frame(walk, return_address - 1) || caller <= frame) {
            return;
        }
        frame = caller;
    }
}

#ifdef SB_HAVE_LIBDW

/* The argument given to elfutils when it was attached, which is once: what the present walk is. */
static stack_walk *present;

static pid_t next_thread(Dwfl *dwfl, void *argument, void **thread_argument)
{
    (void)dwfl;
    if (*thread_argument != NULL) {
        return 0;
    }
    *thread_argument = argument;
    return getpid();
}

static bool get_thread(Dwfl *dwfl, pid_t thread, void *argument, void **thread_argument)
{
    (void)dwfl;
    (void)thread;
    *thread_argument = argument;
    return true;
}

static bool read_memory(Dwfl *dwfl, Dwarf_Addr address, Dwarf_Word *result, void *argument)
{
    (void)dwfl;
    (void)argument;
    uint64_t word;
    if (present == NULL || !read_word(present, address, &word)) {
        return false;
    }
    *result = word;
    return true;
}

/* Numbers of registers: System V x86-64 ABI figure 3.36; DWARF for the Arm 64-bit architecture,
 * section 4.1. */
static bool set_registers(Dwfl_Thread *thread, void *argument)
{
    (void)argument;
    const sb_registers *const registers = present->registers;
#if defined(__x86_64__)
    const Dwarf_Word bx = registers->bx, frame[] = {registers->bp, registers->sp};
    const Dwarf_Word kept[] = {registers->r12, registers->r13, registers->r14, registers->r15,
                               registers->ip};
    return dwfl_thread_state_registers(thread, 3, 1, &bx) &&
           dwfl_thread_state_registers(thread, 6, 2, frame) &&
           dwfl_thread_state_registers(thread, 12, 5, kept);
#elif defined(__aarch64__)
    Dwarf_Word kept[13];
    for (int i = 0; i < 10; i++) {
        kept[i] = registers->kept[i];
    }
    kept[10] = registers->bp;
    kept[11] = registers->lr;
    kept[12] = registers->sp;
    dwfl_thread_state_register_pc(thread, registers->ip);
    return dwfl_thread_state_registers(thread, 19, 13, kept);
#else
    (void)thread;
    (void)registers;
    return false;
#endif
}

static int on_frame(Dwfl_Frame *frame, void *argument)
{
    (void)argument;
    Dwarf_Addr pc;
    bool is_activation;
    if (!dwfl_frame_pc(frame, &pc, &is_activation) || pc == 0) {
        return DWARF_CB_ABORT;
    }
    return add_frame(present, is_activation ? pc : pc - 1) ? DWARF_CB_OK : DWARF_CB_ABORT;
}

static const Dwfl_Thread_Callbacks callbacks = {
    .next_thread = next_thread,
    .get_thread = get_thread,
    .memory_read = read_memory,
    .set_initial_registers = set_registers,
};

static void follow_frame_information(stack_walk *walk)
{
    Dwfl *const modules = sb_modules();
    if (modules == NULL) {
        return;
    }
    const pid_t self = dwfl_pid(modules) > 0 ? dwfl_pid(modules) : getpid();
    present = walk;
    if (dwfl_pid(modules) > 0 || dwfl_attach_state(modules, NULL, self, &callbacks, NULL)) {
        dwfl_getthread_frames(modules, self, on_frame, NULL);
    }
    present = NULL;
}

#else

static void follow_frame_information(stack_walk *walk)
{
    (void)walk;
}

#endif

/* A call through a pointer that leads nowhere has got as far as the call: the caller is where its
 * return address says. */
static void step_out_of_nowhere(stack_walk *walk, sb_registers *registers)
{
    if (registers->ip >= NOWHERE_MAX) {
        return;
    }
#if defined(__aarch64__)
    registers->ip = registers->lr - 1;
#else
    uint64_t return_address;
    if (!read_word(walk, registers->sp, &return_address)) {
        return;
    }
    registers->ip = return_address - 1;
    registers->sp += sizeof return_address;
#endif
    walk->registers = registers;
}

size_t sb_unwind(const sb_registers *registers, uint64_t stack_low, uint64_t stack_high,
                 sb_frame *frames, size_t max)
{
    assert(stack_low <= stack_high);
    sb_registers caller = *registers;
    stack_walk by_information = {registers, stack_low, stack_high, frames, 0, max};
    step_out_of_nowhere(&by_information, &caller);
    stack_walk by_pointers = by_information;
    follow_frame_information(&by_information);
    if (by_information.count >= 3 || by_information.count == max) {
        return by_information.count;
    }
    sb_frame others[SB_FRAME_MAX];
    by_pointers.frames = others;
    by_pointers.max = max < SB_FRAME_MAX ? max : SB_FRAME_MAX;
    follow_frame_pointers(&by_pointers);
    if (by_pointers.count <= by_information.count) {
        return by_information.count;
    }
    memcpy(frames, others, by_pointers.count * sizeof *frames);
    return by_pointers.count;
}
