/*
 * How a world ends badly: by a finding that a task proves, or by a signal that strikes inside it.
 *
 * Signals are caught on an alternate stack, so that a run-over fiber stack can still be reported.
 * The registers of the place are kept in the world and the fiber's stack is left as it is;
 * unwinding and naming happen later, from the host (verdict/unwind.h). A signal outside of any
 * world is not ours: it takes its default course.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "sim/kernel/universe.h"

#define SIGNAL_STACK_SIZE ((size_t)64 << 10)
#define NIL_MAX 65536u

static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define CAUGHT_COUNT (sizeof(caught) / sizeof(caught[0]))

/* Handlers and their stack belong to the process, not to a universe: how many universes are open,
 * and what stood before. */
static unsigned installed;
static void *signal_stack;
static struct sigaction before[CAUGHT_COUNT];

/* ----------------------------------------------------------------------------------- findings */

/* The place of a fiber that stands still, as its switch has pushed it. */
void sb_fiber_registers(const void *stack_pointer, sb_registers *registers)
{
    memset(registers, 0, sizeof(*registers));
#if defined(__x86_64__)
    const sb_fiber_frame *const frame = stack_pointer;
    registers->ip = frame->return_address;
    registers->sp = (uint64_t)(uintptr_t)(frame + 1);
    registers->bp = frame->rbp;
    registers->bx = frame->rbx;
    registers->r12 = frame->r12;
    registers->r13 = frame->r13;
    registers->r14 = frame->r14;
    registers->r15 = frame->r15;
#elif defined(__aarch64__)
    const sb_fiber_frame *const frame = stack_pointer;
    registers->ip = frame->x30;
    registers->lr = frame->x30;
    registers->sp = (uint64_t)(uintptr_t)(frame + 1);
    registers->bp = frame->x29;
    memcpy(registers->kept, &frame->x19, sizeof(registers->kept));
#else
    (void)stack_pointer;
#endif
}

bool sb_finding_stands_still(const sb_finding_report *finding)
{
    return finding->kind == SB_FINDING_DEADLOCK || finding->kind == SB_FINDING_STUCK_JOB ||
           finding->kind == SB_FINDING_LIVELOCK;
}

static void describe_world(sb_world *world, sb_finding_report *finding)
{
    if (world->witness.phase != NULL) {
        snprintf(finding->phase, sizeof(finding->phase), "%s", world->witness.phase(world));
    }
    if (world->witness.describe != NULL) {
        world->witness.describe(world, finding->state, sizeof(finding->state));
    }
    const bool in_director =
        world->running != NULL && world->running->node->number == 0 && !world->observing;
    if (sb_finding_stands_still(finding) && in_director && world->record != NULL &&
        world->witness.explain != NULL) {
        world->witness.explain(world);
    }
}

/* The first finding stands; the world stops at the next chance. */
void sb_conclude(sb_world *world, sb_finding_kind kind, sb_node_state *node, const char *oracle,
                 const char *text)
{
    if (world->outcome != SB_OUTCOME_RUNNING) {
        return;
    }
    sb_finding_report *const finding = &world->finding;
    const sb_task *const task = world->running;
    finding->kind = kind;
    snprintf(finding->oracle, sizeof(finding->oracle), "%s", oracle);
    snprintf(finding->text, sizeof(finding->text), "%s", text);
    if (task != NULL) {
        snprintf(finding->task, sizeof(finding->task), "%s", task->name);
        node = node == NULL ? task->node : node;
    }
    if (node != NULL) {
        finding->node = node->number;
        finding->incarnation = node->incarnation;
    }
    finding->time = world->now;
    finding->step = sb_event_here(world, SB_EVENT_FINDING, kind,
                                  sb_text_hash(world, oracle, strlen(oracle)), 0);
    world->finding_task = world->running;
    world->outcome = SB_OUTCOME_FINDING;
    world->stop = true;
    describe_world(world, finding);
}

static void leave(sb_world *world) __attribute__((noreturn));
static void leave(sb_world *world)
{
    if (world->on_host) {
        fprintf(stderr, "seedbed: a finding outside of any task: %s: %s\n", world->finding.oracle,
                world->finding.text);
        abort();
    }
    sb_stop_here(world);
    __builtin_trap(); /* an ended world is not entered again */
}

void sb_blame(sb_world *world, const sb_task *task, sb_finding_kind kind, const char *oracle,
              const char *text)
{
    sb_conclude(world, kind, task->node, oracle, text);
    snprintf(world->finding.task, sizeof(world->finding.task), "%s", task->name);
    world->finding_task = task;
    leave(world);
}

void sb_end_with(sb_world *world, sb_finding_kind kind, sb_node_state *node, const char *oracle,
                 const char *file, int line, const char *function, const char *format,
                 va_list arguments)
{
    char text[sizeof(world->finding.text)];
    vsnprintf(text, sizeof(text), format, arguments);
    snprintf(world->finding.file, sizeof(world->finding.file), "%s", file == NULL ? "" : file);
    world->finding.line = line;
    snprintf(world->finding.function, sizeof(world->finding.function), "%s",
             function == NULL ? "" : function);
    sb_conclude(world, kind, node, oracle, text);
    leave(world);
}

void sb_misuse(sb_world *world, sb_finding_kind kind, const char *oracle, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sb_end_with(world, kind, NULL, oracle, NULL, 0, NULL, format, arguments);
}

void sb_no_such_node(const sb_world *world, unsigned number, const char *function)
{
    sb_misuse((sb_world *)(uintptr_t)world, SB_FINDING_ASSERTION, function,
              "%s: %u is no node; expected one of 0 to %u", function, number,
              world->node_count - 1);
}

void sb_finding(sb_world *world, sb_finding_kind kind, const char *oracle, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sb_end_with(world, kind, NULL, oracle, NULL, 0, NULL, format, arguments);
}

void sb_finding_at(sb_world *world, sb_finding_kind kind, sb_node node, const char *oracle,
                   const char *format, ...)
{
    sb_node_state *const about = sb_node_given(world, node, __func__);
    va_list arguments;
    va_start(arguments, format);
    sb_end_with(world, kind, about, oracle, NULL, 0, NULL, format, arguments);
}

/* ------------------------------------------------------------------------------------ signals */

static void context_registers(const ucontext_t *context, sb_registers *registers)
{
    memset(registers, 0, sizeof(*registers));
#if defined(__x86_64__)
    const greg_t *const general = context->uc_mcontext.gregs;
    registers->ip = (uint64_t)general[REG_RIP];
    registers->sp = (uint64_t)general[REG_RSP];
    registers->bp = (uint64_t)general[REG_RBP];
    registers->bx = (uint64_t)general[REG_RBX];
    registers->r12 = (uint64_t)general[REG_R12];
    registers->r13 = (uint64_t)general[REG_R13];
    registers->r14 = (uint64_t)general[REG_R14];
    registers->r15 = (uint64_t)general[REG_R15];
#elif defined(__aarch64__)
    registers->ip = context->uc_mcontext.pc;
    registers->sp = context->uc_mcontext.sp;
    registers->bp = context->uc_mcontext.regs[29];
    registers->lr = context->uc_mcontext.regs[30];
    memcpy(registers->kept, &context->uc_mcontext.regs[19], sizeof(registers->kept));
#else
    (void)context;
#endif
}

static bool is_write(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (context->uc_mcontext.gregs[REG_ERR] & 2) != 0;
#else
    (void)context;
    return false;
#endif
}

static bool in_stack_guard(const sb_world *world, uint64_t address)
{
    const sb_task *const task = world->running;
    if (task == NULL) {
        return false;
    }
    const uint64_t low = (uint64_t)(uintptr_t)sb_stack_of(world->universe, task).low;
    return address < low && address >= low - SB_STACK_GUARD;
}

static const char *signal_name(int number)
{
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV";
    case SIGBUS:
        return "SIGBUS";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL";
    case SIGABRT:
        return "SIGABRT";
    case SIGUSR2:
        return "watchdog";
    default:
        return "signal";
    }
}

static void conclude_signal(sb_world *world, int number, const siginfo_t *info,
                            const ucontext_t *context)
{
    const bool by_access =
        number == SIGSEGV && (info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR);
    const uint64_t address = by_access || number == SIGBUS ? (uint64_t)(uintptr_t)info->si_addr : 0;
    char text[128];
    sb_finding_kind kind = SB_FINDING_CRASH;
    if (by_access && in_stack_guard(world, address)) {
        snprintf(text, sizeof(text), "ran over the task's stack");
    } else if (by_access && address < NIL_MAX) {
        kind = SB_FINDING_NIL_DEREFERENCE;
        snprintf(text, sizeof(text), "%s at address 0x%llx", is_write(context) ? "write" : "read",
                 (unsigned long long)address);
    } else if (number == SIGUSR2) {
        kind = SB_FINDING_RUNAWAY;
        snprintf(text, sizeof(text), "a loop that does not come back");
    } else {
        snprintf(text, sizeof(text), "killed by %s", signal_name(number));
    }
    world->finding.fault_address = address;
    world->finding_by_signal = true;
    sb_conclude(world, kind, NULL, signal_name(number), text);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    sb_world *const world = sb_current;
    if (world == NULL || world->on_host || world->outcome != SB_OUTCOME_RUNNING) {
        if (number != SIGUSR2) {
            signal(number, SIG_DFL); /* not ours: returning meets the cause again */
            raise(number);
        }
        return;
    }
    context_registers(context, &world->panic_registers);
    conclude_signal(world, number, info, context);
    leave(world);
}

sb_stack_bounds sb_host_stack(void)
{
    sb_stack_bounds bounds = {NULL, 0};
    pthread_attr_t attributes;
    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        pthread_attr_getstack(&attributes, &bounds.low, &bounds.size);
        pthread_attr_destroy(&attributes);
    }
    return bounds;
}

static void install(void)
{
    signal_stack =
        mmap(NULL, SIGNAL_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (signal_stack == MAP_FAILED) {
        abort();
    }
    const stack_t stack = {.ss_sp = signal_stack, .ss_size = SIGNAL_STACK_SIZE};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    action.sa_sigaction = on_signal;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < CAUGHT_COUNT; i++) {
        sigaction(caught[i], &action, &before[i]);
    }
    sigaction(SIGUSR2, &action, NULL);
}

void sb_panic_install(sb_universe *universe)
{
    universe->host_stack = sb_host_stack();
    if (installed++ == 0) {
        install();
    }
}

void sb_panic_remove(void)
{
    if (--installed != 0) {
        return;
    }
    for (size_t i = 0; i < CAUGHT_COUNT; i++) {
        sigaction(caught[i], &before[i], NULL);
    }
    signal(SIGUSR2, SIG_DFL);
    const stack_t none = {.ss_flags = SS_DISABLE};
    sigaltstack(&none, NULL);
    munmap(signal_stack, SIGNAL_STACK_SIZE);
}
