/*
 * Watched child processes; see child.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sim/tool/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/tool/contract.h"

#define LOOK_INTERVAL_MS 50

void *sb_shared_alloc(size_t size)
{
    void *const block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        sb_die(SB_EXIT_IO, "cannot map %zu bytes of shared memory: %s", size, strerror(errno));
    }
    return block;
}

void sb_shared_free(void *block, size_t size)
{
    munmap(block, size);
}

static uint64_t processor_time(pid_t process)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(process, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return 0; /* it has just ended */
    }
    return (uint64_t)used.tv_sec * SB_SECOND + (uint64_t)used.tv_nsec;
}

void sb_watcher_init(sb_watcher *watcher, pid_t process, const sb_watch *watch)
{
    *watcher = (sb_watcher){.process = process, .watch = watch};
    watcher->processor_ns = processor_time(process);
}

void sb_watcher_check(sb_watcher *watcher, sb_duration patience)
{
    const uint64_t index = __atomic_load_n(&watcher->watch->index, __ATOMIC_RELAXED);
    const uint64_t step = __atomic_load_n(&watcher->watch->step, __ATOMIC_RELAXED);
    const bool busy = __atomic_load_n(&watcher->watch->busy, __ATOMIC_RELAXED) != 0;
    const uint64_t used = processor_time(watcher->process);
    if (!busy || index != watcher->last_index || step != watcher->last_step) {
        watcher->last_index = index;
        watcher->last_step = step;
        watcher->processor_ns = used;
        watcher->asked = false;
        return;
    }
    if (used < watcher->processor_ns + patience || watcher->killed) {
        return;
    }
    if (!watcher->asked) {
        watcher->asked = true;
        watcher->ever_asked = true;
        watcher->asked_index = index;
        watcher->processor_ns = used; /* once more the same patience */
        kill(watcher->process, SIGUSR2);
    } else {
        watcher->killed = true;
        kill(watcher->process, SIGKILL);
    }
}

bool sb_watcher_has_asked(const sb_watcher *watcher, uint64_t index)
{
    return watcher->ever_asked && watcher->asked_index == index;
}

pid_t sb_fork(void)
{
    fflush(stdout);
    fflush(stderr);
    const pid_t parent = getpid();
    const pid_t process = fork();
    if (process < 0) {
        sb_die(SB_EXIT_IO, "cannot start a process: %s", strerror(errno));
    }
    if (process == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) {
            _exit(SB_EXIT_IO);
        }
        setpgid(
            0, 0); /* what a terminal or timeout(1) sends to the group is for the parent to weigh */
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        signal(SIGUSR2, SIG_IGN); /* until a universe takes it */
        signal(SIGPIPE, SIG_DFL);
    }
    return process;
}

/* Wait for the end of a child whose end of a pipe closes when it dies. */
static void watch_until_end(pid_t process, int pipe_end, const sb_watch *watch,
                            sb_duration patience, sb_child_end *end)
{
    sb_watcher watcher;
    sb_watcher_init(&watcher, process, watch);
    struct pollfd wait = {.fd = pipe_end, .events = POLLIN};
    while (poll(&wait, 1, LOOK_INTERVAL_MS) <= 0 || (wait.revents & POLLHUP) == 0) {
        sb_watcher_check(&watcher, patience);
    }
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    end->runaway = watcher.killed;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end->code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    end->step = watch->step;
}

void sb_child_run(sb_child_body *body, void *context, sb_duration patience, sb_child_end *end)
{
    int alive[2];
    sb_watch *const watch = sb_shared_alloc(sizeof *watch);
    if (pipe2(alive, O_CLOEXEC) != 0) {
        sb_die(SB_EXIT_IO, "cannot make a pipe: %s", strerror(errno));
    }
    const pid_t process = sb_fork();
    if (process == 0) {
        close(alive[0]);
        const int code = body(context, watch);
        const bool written = fflush(stdout) == 0 && !ferror(stdout);
        _exit(written ? code : SB_EXIT_IO);
    }
    close(alive[1]);
    watch_until_end(process, alive[0], watch, patience, end);
    close(alive[0]);
    sb_shared_free(watch, sizeof *watch);
}

sb_finding_kind sb_child_end_kind(const sb_child_end *end)
{
    if (end->runaway) {
        return SB_FINDING_RUNAWAY;
    }
    const int signal = end->signal;
    const bool is_own_death = signal == SIGSEGV || signal == SIGBUS || signal == SIGFPE ||
                              signal == SIGILL || signal == SIGABRT ||
                              (signal == 0 && end->code != 0);
    return is_own_death ? SB_FINDING_CRASH : SB_FINDING_NONE;
}

void sb_child_end_text(const sb_child_end *end, char *text, size_t size)
{
    char name[32];
    if (end->runaway) {
        snprintf(text, size, "its process runs away and does not answer");
    } else if (end->signal != 0) {
        snprintf(text, size, "its process is killed by %s",
                 sb_signal_text(end->signal, name, sizeof name));
    } else {
        snprintf(text, size, "its process ends itself with exit code %d", end->code);
    }
}

/* What a program would see if it looked past door 1 at its environment: little, and not the usual.
 */
static void change_environment(void)
{
    if (clearenv() != 0 || setenv("LC_ALL", "tr_TR.UTF-8", 1) != 0 ||
        setenv("TZ", "Asia/Kathmandu", 1) != 0) {
        sb_die(SB_EXIT_IO, "cannot change the environment of a second run: %s", strerror(errno));
    }
}

sb_universe *sb_open_universe(const sb_universe_options *options)
{
    if (options == &sb_other_universe) {
        change_environment();
    }
    sb_universe *const universe = sb_universe_open(options);
    if (universe == NULL) {
        sb_die(SB_EXIT_IO, "cannot map the memory of a world: %s", strerror(errno));
    }
    return universe;
}

typedef struct alone {
    const sb_plan *plan;
    uint64_t seed;
    const sb_universe_options *universe;
    sb_seed_result *result; /* shared */
} alone;

static int run_alone(void *context, sb_watch *watch)
{
    const alone *const task = context;
    sb_universe *const universe = sb_open_universe(task->universe);
    const sb_world_options options = {.progress = &watch->step};
    sb_seed_result result;
    watch->busy = 1;
    sb_run_seed(universe, task->plan, task->seed, &options, &result);
    *task->result = result;
    return 0;
}

bool sb_run_alone(const sb_plan *plan, uint64_t seed, const sb_universe_options *universe,
                  sb_duration patience, sb_seed_result *result, sb_child_end *end)
{
    alone task = {plan, seed, universe, sb_shared_alloc(sizeof *result)};
    sb_child_run(run_alone, &task, patience, end);
    *result = *task.result;
    result->seed = seed;
    sb_shared_free(task.result, sizeof *result);
    return !end->runaway && end->signal == 0 && end->code == 0;
}

const char *sb_signal_text(int signal, char *text, size_t size)
{
    const char *const name = sigabbrev_np(signal);
    if (name != NULL) {
        snprintf(text, size, "SIG%s", name);
    } else {
        snprintf(text, size, "signal %d", signal);
    }
    return text;
}
