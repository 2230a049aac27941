/*
 * The pool of workers; see workers.h.
 *
 * Batches are made in the order of indices and kept in a list until all their results are handed
 * on, so the head of the list is always what the consumer wants next. A worker has at most two
 * batches: one that it runs and one that waits in its pipe.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sim/tool/workers.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/record/memory.h"
#include "sim/tool/contract.h"
#include "sim/tool/worker.h"

#define BATCH_MAX 256
#define BATCH_AIM_NS (20 * SB_MILLISECOND)
#define BATCHES_AHEAD 64 /* how far others may run on while one seed takes long */
#define HAND_MAX 2
#define LOOK_INTERVAL_MS 100
#define READ_AT_ONCE 16

typedef struct batch {
    struct batch *next;
    uint64_t first;
    uint32_t count, received, consumed;
    bool in_hand; /* of a worker */
    sb_seed_result results[];
} batch;

typedef struct worker {
    sb_watcher watcher; /* process 0: there is none */
    sb_watch *watch;
    int command_pipe, result_pipe;
    batch *hand[HAND_MAX];
    unsigned hand_count;
    size_t partial; /* bytes of `incoming` that have come */
    sb_seed_result incoming;
} worker;

typedef struct seed_pool {
    const sb_pool_options *options;
    worker *workers;
    batch *head, *tail;
    uint64_t next_index;
    bool exhausted; /* every index is in a batch */
    unsigned batch_count;
    uint64_t done, real_ns; /* seeds that came back, and what they took */
    bool enough, stopping;
} seed_pool;

/* --------------------------------------------------------------------------------- interrupts */

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupts++;
}

void sb_interrupts_catch(void)
{
    struct sigaction action = {.sa_handler = on_interrupt};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool sb_interrupted(void)
{
    return interrupts != 0;
}

unsigned sb_interrupt_count(void)
{
    return (unsigned)interrupts;
}

/* ------------------------------------------------------------------------------------ batches */

sb_run_name sb_sequence_run(const sb_seed_sequence *sequence, uint64_t index)
{
    assert(index <= sequence->last_index);
    if (sequence->list != NULL) {
        return sequence->list[index];
    }
    const uint64_t number = sequence->first + index * sequence->stride;
    return sequence->is_of_places ? (sb_run_name){sequence->seed, number, 0}
                                  : (sb_run_name){number, 0, 0};
}

static uint32_t batch_size(const seed_pool *pool)
{
    if (pool->done == 0) {
        return 1;
    }
    const uint64_t each = pool->real_ns / pool->done + 1;
    const uint64_t size = BATCH_AIM_NS / each;
    return size < 1 ? 1 : size > BATCH_MAX ? BATCH_MAX : (uint32_t)size;
}

/* The next indices as a batch; NULL when there are none, or others must come back first. */
static batch *make_batch(seed_pool *pool)
{
    if (pool->exhausted || pool->batch_count >= BATCHES_AHEAD + HAND_MAX * pool->options->jobs) {
        return NULL;
    }
    const uint64_t left = pool->options->seeds->last_index - pool->next_index; /* after the first */
    uint32_t count = batch_size(pool);
    if (count - 1 >= left) {
        count = (uint32_t)left + 1;
        pool->exhausted = true;
    }
    batch *const made = sb_host_alloc(1, sizeof *made + count * sizeof made->results[0]);
    made->first = pool->next_index;
    made->count = count;
    pool->next_index += count;
    *(pool->tail != NULL ? &pool->tail->next : &pool->head) = made;
    pool->tail = made;
    pool->batch_count++;
    return made;
}

/* What a dead worker left, or new work. */
static batch *find_work(seed_pool *pool)
{
    for (batch *each = pool->head; each != NULL; each = each->next) {
        if (!each->in_hand && each->received < each->count) {
            return each;
        }
    }
    return make_batch(pool);
}

/* Hand on what is next in order.  At the end of an interrupted run there are gaps. */
static void consume(seed_pool *pool, bool over_gaps)
{
    while (pool->head != NULL && !pool->enough) {
        batch *const head = pool->head;
        while (head->consumed < head->received && !pool->enough) {
            const sb_seed_result *const result = &head->results[head->consumed++];
            pool->enough = !pool->options->consume(pool->options->context, result);
        }
        if (head->consumed < head->count && !over_gaps) {
            return;
        }
        pool->head = head->next;
        pool->tail = pool->head == NULL ? NULL : pool->tail;
        pool->batch_count--;
        free(head);
    }
}

/* ------------------------------------------------------------------------------------ workers */

static void start_worker(seed_pool *pool, worker *started)
{
    int commands[2], results[2];
    if (pipe2(commands, O_CLOEXEC) != 0 || pipe2(results, O_CLOEXEC) != 0) {
        sb_die(SB_EXIT_IO, "cannot make a pipe: %s", strerror(errno));
    }
    memset(started->watch, 0, sizeof *started->watch);
    const pid_t process = sb_fork();
    if (process == 0) {
        for (unsigned i = 0; i < pool->options->jobs; i++) {
            if (pool->workers[i].watcher.process != 0) {
                close(pool->workers[i].command_pipe);
                close(pool->workers[i].result_pipe);
            }
        }
        close(commands[1]);
        close(results[0]);
        sb_worker_main(pool->options, started->watch, commands[0], results[1]);
    }
    close(commands[0]);
    close(results[1]);
    fcntl(results[0], F_SETFL, O_NONBLOCK);
    started->command_pipe = commands[1];
    started->result_pipe = results[0];
    started->hand_count = 0;
    started->partial = 0;
    sb_watcher_init(&started->watcher, process, started->watch);
}

static void give_work(seed_pool *pool, worker *to)
{
    while (to->hand_count < HAND_MAX) {
        batch *const work = find_work(pool);
        if (work == NULL) {
            return;
        }
        if (to->watcher.process == 0) {
            start_worker(pool, to);
        }
        sb_worker_command command;
        memset(&command, 0, sizeof command); /* its padding too: it goes through a pipe */
        command.first = work->first + work->received;
        command.count = work->count - work->received;
        work->in_hand = true;
        to->hand[to->hand_count++] = work;
        if (write(to->command_pipe, &command, sizeof command) != (ssize_t)sizeof command) {
            return; /* it is dying: its end is noticed where results are read */
        }
    }
}

static void take_result(seed_pool *pool, worker *from, const sb_seed_result *result)
{
    assert(from->hand_count > 0);
    batch *const work = from->hand[0];
    assert(result->index == work->first + work->received);
    work->results[work->received++] = *result;
    pool->done++;
    pool->real_ns += result->real_ns;
    if (work->received == work->count) {
        work->in_hand = false;
        from->hand[0] = from->hand[--from->hand_count];
    }
}

/* As the worker ran it: at its place, and without what its name masks. */
static sb_plan plan_of_result(const seed_pool *pool, const sb_seed_result *result)
{
    sb_plan plan = sb_plan_at(pool->options->plan, result->ordinal);
    plan.masked |= sb_sequence_run(pool->options->seeds, result->index).masked;
    return plan;
}

/* A loop that does not come back is one when it does not come back alone either. */
static void confirm_runaway(seed_pool *pool, sb_seed_result *result)
{
    sb_seed_result again;
    sb_child_end end;
    const sb_plan plan = plan_of_result(pool, result);
    const bool came_back = sb_run_alone(&plan, result->seed, pool->options->universe,
                                        pool->options->patience, &again, &end);
    const bool found_again = came_back && again.outcome == SB_OUTCOME_FINDING &&
                             again.finding_kind == SB_FINDING_RUNAWAY;
    if (!end.runaway && !found_again) {
        result->outcome = SB_OUTCOME_LOST;
    } else if (result->outcome != SB_OUTCOME_FINDING) {
        sb_worker_finding(result, SB_FINDING_RUNAWAY, "a loop in the framework does not come back");
    }
}

/* A process that ends itself is a crash when it does so alone as well. */
static void confirm_death(seed_pool *pool, sb_seed_result *result, const sb_child_end *first)
{
    sb_seed_result again;
    sb_child_end end;
    char text[128];
    const sb_plan plan = plan_of_result(pool, result);
    sb_run_alone(&plan, result->seed, pool->options->universe, pool->options->patience, &again,
                 &end);
    if (end.signal == first->signal && end.code == first->code && !end.runaway) {
        sb_child_end_text(&end, text, sizeof text);
        sb_worker_finding(result, SB_FINDING_CRASH, text);
    }
}

/* The worker died with this seed in hand; it may not have begun it. */
static void lose_seed(seed_pool *pool, worker *from, int status)
{
    const uint64_t index = from->hand[0]->first + from->hand[0]->received;
    const sb_run_name name = sb_sequence_run(pool->options->seeds, index);
    sb_seed_result result = {.index = index,
                             .seed = name.seed,
                             .ordinal = name.ordinal,
                             .steps = from->watch->index == index ? from->watch->step : 0,
                             .outcome = SB_OUTCOME_LOST,
                             .signal = (uint8_t)(WIFSIGNALED(status) ? WTERMSIG(status) : 0)};
    const sb_child_end end = {.signal = result.signal,
                              .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0};
    if (from->watcher.killed) {
        confirm_runaway(pool, &result);
    } else if (sb_child_end_kind(&end) == SB_FINDING_CRASH) {
        confirm_death(pool, &result, &end);
    }
    take_result(pool, from, &result);
}

static void bury_worker(seed_pool *pool, worker *dead)
{
    int status = 0;
    while (waitpid(dead->watcher.process, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == SB_EXIT_IO) {
        exit(SB_EXIT_IO); /* it has said why */
    }
    if (dead->watch->retired == 0 && dead->hand_count > 0 && !pool->enough) {
        lose_seed(pool, dead, status);
    }
    for (unsigned i = 0; i < dead->hand_count; i++) {
        dead->hand[i]->in_hand = false;
    }
    dead->hand_count = 0;
    close(dead->command_pipe);
    close(dead->result_pipe);
    dead->watcher.process = 0;
}

/* All that has come.  A worker whose pipe is at its end is dead. */
static void read_results(seed_pool *pool, worker *from)
{
    for (;;) {
        char *const at = (char *)&from->incoming + from->partial;
        const ssize_t size = read(from->result_pipe, at, sizeof from->incoming - from->partial);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return;
        }
        if (size == 0) {
            bury_worker(pool, from);
            return;
        }
        from->partial += (size_t)size;
        if (from->partial == sizeof from->incoming) {
            from->partial = 0;
            if (from->incoming.outcome == SB_OUTCOME_FINDING &&
                from->incoming.finding_kind == SB_FINDING_RUNAWAY &&
                sb_watcher_has_asked(&from->watcher, from->incoming.index)) {
                confirm_runaway(pool, &from->incoming);
            }
            take_result(pool, from, &from->incoming);
        }
    }
}

/* --------------------------------------------------------------------------------------- loop */

/* True when somebody is left to wait for. */
static bool wait_for_results(seed_pool *pool)
{
    const unsigned jobs = pool->options->jobs;
    struct pollfd waits[jobs];
    bool any = false;
    for (unsigned i = 0; i < jobs; i++) {
        const bool alive = pool->workers[i].watcher.process != 0;
        waits[i] =
            (struct pollfd){.fd = alive ? pool->workers[i].result_pipe : -1, .events = POLLIN};
        any = any || alive;
    }
    if (!any || poll(waits, jobs, LOOK_INTERVAL_MS) < 0) {
        return any;
    }
    for (unsigned i = 0; i < jobs; i++) {
        if (waits[i].revents != 0) {
            read_results(pool, &pool->workers[i]);
        }
        if (pool->workers[i].watcher.process != 0) {
            sb_watcher_check(&pool->workers[i].watcher, pool->options->patience);
        }
    }
    return true;
}

static void kill_workers(seed_pool *pool)
{
    for (unsigned i = 0; i < pool->options->jobs; i++) {
        if (pool->workers[i].watcher.process != 0) {
            kill(pool->workers[i].watcher.process, SIGKILL);
        }
    }
}

static bool has_work_in_hand(const seed_pool *pool)
{
    for (unsigned i = 0; i < pool->options->jobs; i++) {
        if (pool->workers[i].hand_count != 0) {
            return true;
        }
    }
    return false;
}

static void stop_workers(seed_pool *pool)
{
    const sb_worker_command quit = {0, 0};
    pool->stopping = true;
    for (unsigned i = 0; i < pool->options->jobs; i++) {
        worker *const each = &pool->workers[i];
        __atomic_store_n(&each->watch->stop, 1, __ATOMIC_RELAXED);
        if (each->watcher.process != 0 &&
            write(each->command_pipe, &quit, sizeof quit) != (ssize_t)sizeof quit) {
            continue; /* it is dying anyway */
        }
    }
}

/* Seeds are run until there are no more, it is enough, the time is over, or somebody interrupts. */
static sb_pool_end run_pool(seed_pool *pool)
{
    const sb_pool_options *const options = pool->options;
    for (;;) {
        if (sb_interrupted()) {
            return SB_POOL_INTERRUPTED;
        }
        if (sb_host_time() >= options->deadline) {
            return SB_POOL_DEADLINE;
        }
        for (unsigned i = 0; i < options->jobs; i++) {
            give_work(pool, &pool->workers[i]);
        }
        if (!has_work_in_hand(pool) && pool->exhausted && pool->head == NULL) {
            return SB_POOL_DONE;
        }
        wait_for_results(pool);
        consume(pool, false);
        if (pool->enough) {
            return SB_POOL_ENOUGH;
        }
        if (options->tick != NULL) {
            options->tick(options->context, pool->done);
        }
    }
}

sb_pool_end sb_pool_run(const sb_pool_options *options)
{
    seed_pool pool = {.options = options, .workers = sb_host_alloc(options->jobs, sizeof(worker))};
    sb_watch *const watches = sb_shared_alloc(options->jobs * sizeof *watches);
    for (unsigned i = 0; i < options->jobs; i++) {
        pool.workers[i].watch = &watches[i];
    }
    void (*const old_pipe_handler)(int) =
        signal(SIGPIPE, SIG_IGN); /* a dying worker's pipe is no news */
    const sb_pool_end end = run_pool(&pool);
    if (end == SB_POOL_ENOUGH) {
        kill_workers(&pool);
    } else {
        stop_workers(&pool);
    }
    const sig_atomic_t interrupts_before = interrupts;
    while (wait_for_results(&pool)) {
        if (interrupts > interrupts_before) {
            kill_workers(&pool); /* asked twice */
        }
    }
    consume(&pool, true);
    while (pool.head != NULL) {
        batch *const next = pool.head->next;
        free(pool.head);
        pool.head = next;
    }
    signal(SIGPIPE, old_pipe_handler);
    sb_shared_free(watches, options->jobs * sizeof *watches);
    free(pool.workers);
    return end;
}

unsigned sb_processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        const int count = CPU_COUNT(&set);
        return count > 0 ? (unsigned)count : 1;
    }
    const long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (unsigned)count : 1;
}
