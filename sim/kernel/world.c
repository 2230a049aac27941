/*
 * Making worlds: one mapping, its ranges, and the reset that drops one world and makes the next.
 *
 *   base + 0        struct sb_world
 *        + 64 KiB   tasks, free lanes, ready list, queue, marks, batch, digest
 *        + 64 MiB   the kernel's heap            (to 4 GiB: what a queue key can address)
 *        + 4 GiB    guard, disk heap 16 GiB
 *        + 20 GiB   stacks, each with a guard below
 *        + 24 GiB   node heaps, 1 GiB each, with guards between
 *
 * Nothing is zeroed that a world has not used: the ranges are reserved, touched once, and used
 * again by the next world, still warm.
 */
#include <errno.h>
#include <string.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "sim/kernel/universe.h"

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)
#define TABLES_AT ((size_t)64 << 10)
#define KERNEL_HEAP_AT (64 * MIB)
#define KERNEL_RANGE (4 * GIB)
#define DISK_HEAP_AT (KERNEL_RANGE + MIB)
#define DISK_RANGE (16 * GIB)
#define STACKS_AT (20 * GIB + 2 * MIB)
#define STACK_STRIDE (SB_STACK_SIZE + SB_STACK_GUARD)
#define NODES_AT (24 * GIB)
#define NODE_STRIDE (SB_NODE_RANGE + MIB)
#define UNIVERSE_SIZE (NODES_AT + SB_NODE_COUNT_MAX * NODE_STRIDE)
#define STEP_LIMIT_DEFAULT 20000000u

_Static_assert(sizeof(sb_world) <= TABLES_AT, "the world fits before its tables");
_Static_assert(sizeof(sb_event) == 48, "an event is 48 bytes without holes");
_Static_assert(STACKS_AT + SB_TASK_MAX * STACK_STRIDE <= NODES_AT, "the stacks fit");
_Static_assert(SB_STREAM_COUNT <= 16, "at most sixteen purposes");

sb_world *sb_current;

/* -------------------------------------------------------------------------------- the mapping */

static bool guard(unsigned char *at, size_t size)
{
    return mprotect(at, size, PROT_NONE) == 0;
}

static bool guard_ranges(unsigned char *base)
{
    bool stand = guard(base + KERNEL_RANGE, MIB) &&
                 guard(base + DISK_HEAP_AT + DISK_RANGE, STACKS_AT - DISK_HEAP_AT - DISK_RANGE);
    for (size_t i = 0; i < SB_NODE_COUNT_MAX; i++) {
        stand = stand && guard(base + NODES_AT + i * NODE_STRIDE + SB_NODE_RANGE, MIB);
    }
    return stand;
}

sb_universe *sb_universe_open(const sb_universe_options *options)
{
    const uint64_t wanted = options != NULL && options->base != 0 ? options->base : SB_BASE_DEFAULT;
    sb_universe *const universe = calloc(1, sizeof(*universe));
    if (universe == NULL) {
        return NULL;
    }
    universe->size = UNIVERSE_SIZE;
    universe->fill = options != NULL && options->fill != 0 ? options->fill : 0xA5;
    universe->permute = options != NULL && options->permute_blocks;
    universe->base = mmap((void *)(uintptr_t)wanted, UNIVERSE_SIZE, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (universe->base == MAP_FAILED) {
        free(universe);
        return NULL;
    }
    if (universe->base != (void *)(uintptr_t)wanted || !guard_ranges(universe->base)) {
        const int error = universe->base == (void *)(uintptr_t)wanted ? errno : EEXIST;
        munmap(universe->base, UNIVERSE_SIZE);
        free(universe);
        errno = error;
        return NULL;
    }
    universe->world = (sb_world *)universe->base;
    sb_panic_install(universe);
    return universe;
}

/* Of what was used only: the shadow of a whole range would be dear to write. */
static void forget_poison(const sb_world *world)
{
    const sb_heap *const heap = &world->kernel_heap;
    (void)heap;
    SB_UNPOISON(heap->start, (size_t)(heap->bump - heap->start));
}

void sb_universe_close(sb_universe *universe)
{
    if (universe != NULL) {
        sb_panic_remove();
        if (sb_current == universe->world) {
            sb_current = NULL; /* it was left in the middle, by a debugger's jump */
        }
        forget_poison(universe->world);
        munmap(universe->base, universe->size);
        free(universe);
    }
}

void *sb_node_range(const sb_universe *universe, sb_node node)
{
    /* Each starts at another offset, so that the same block of two nodes does not meet in one cache
     * set. */
    return universe->base + NODES_AT + node * NODE_STRIDE + ((size_t)node % 32) * 4160;
}

/* ------------------------------------------------------------------------------------- stacks */

static unsigned char *stack_low(const sb_universe *universe, uint32_t lane)
{
    return universe->base + STACKS_AT + (lane - 1) * STACK_STRIDE + SB_STACK_GUARD;
}

sb_stack_bounds sb_stack_of(const sb_universe *universe, const sb_task *task)
{
    if (task == NULL) {
        return universe->host_stack;
    }
    return (sb_stack_bounds){stack_low(universe, task->lane), SB_STACK_SIZE};
}

/* Tops are staggered by up to 4 KiB: the hot frames of many tasks then lie in different cache sets.
 */
void *sb_stack_top(sb_universe *universe, const sb_task *task)
{
    unsigned char *const low = stack_low(universe, task->lane);
    if (task->lane > universe->stacks_ready) {
        if (!guard(low - SB_STACK_GUARD, SB_STACK_GUARD)) {
            sb_misuse(universe->world, SB_FINDING_RUNAWAY, "stacks", "no guard for stack %u: %s",
                      task->lane, strerror(errno));
        }
        universe->stacks_ready = task->lane;
    }
    if (task->lane > universe->stacks_dirty) {
        universe->stacks_dirty = task->lane;
    }
    SB_UNPOISON(low, SB_STACK_SIZE);
    return low + SB_STACK_SIZE - ((task->lane * 7u) % 64u) * 64u;
}

/* What the last world left on its stacks must not be seen by the next: wipe downwards until two
 * pages in a row were never touched (fresh pages read as zero, wiped ones as the fill). */
SB_NO_SANITIZE static bool page_is(const unsigned char *page, unsigned char value)
{
    return page[0] == value && memcmp(page, page + 1, 4095) == 0;
}

static void wipe_stacks(sb_universe *universe)
{
    for (uint32_t lane = 1; lane <= universe->stacks_dirty; lane++) {
        unsigned char *const low = stack_low(universe, lane);
        SB_UNPOISON(low, SB_STACK_SIZE);
        unsigned clean = 0;
        for (unsigned char *page = low + SB_STACK_SIZE - 4096; page >= low && clean < 2;
             page -= 4096) {
            if (page_is(page, universe->fill)) {
                clean++;
            } else {
                clean = page_is(page, 0) ? clean + 1 : 0;
                memset(page, universe->fill, 4096);
            }
        }
    }
    universe->stacks_dirty = 0;
}

/* ------------------------------------------------------------------------------------- memory */

static void kernel_is_full(sb_world *world) __attribute__((noreturn, cold));
static void kernel_is_full(sb_world *world)
{
    if (world->on_host) {
        abort();
    }
    sb_misuse(world, SB_FINDING_RUNAWAY, "kernel memory", "the kernel's heap is full at %llu bytes",
              (unsigned long long)world->kernel_heap.live_bytes);
}

void *sb_kernel_alloc(sb_world *world, size_t size)
{
    void *const block = sb_heap_alloc(&world->kernel_heap, size, "kernel");
    if (SB_UNLIKELY(block == NULL)) {
        kernel_is_full(world);
    }
    return block;
}

void *sb_kernel_alloc_bare(sb_world *world, size_t size)
{
    void *const block = sb_heap_alloc_bare(&world->kernel_heap, size, "kernel");
    if (SB_UNLIKELY(block == NULL)) {
        kernel_is_full(world);
    }
    return block;
}

void sb_kernel_free(sb_world *world, void *block)
{
    if (!sb_heap_free(&world->kernel_heap, block)) {
        abort();
    }
}

void sb_queue_full(sb_world *world)
{
    sb_misuse(world, SB_FINDING_RUNAWAY, "queue", "more than %u things are due later",
              SB_QUEUE_MAX);
}

/* -------------------------------------------------------------------------------------- reset */

static void *table(unsigned char **at, size_t size)
{
    unsigned char *const here = *at;
    *at += (size + 63) & ~(size_t)63;
    return here;
}

static void lay_tables(sb_world *world, sb_universe *universe)
{
    unsigned char *at = universe->base + TABLES_AT;
    world->digest = table(&at, sizeof(XXH3_state_t));
    world->batch = table(&at, SB_BATCH_EVENTS * sizeof(sb_event));
    world->free_lanes = table(&at, SB_TASK_MAX * sizeof(uint16_t));
    world->tasks = table(&at, SB_TASK_MAX * sizeof(sb_task));
    world->ready = table(&at, SB_READY_MAX * sizeof(sb_due *));
    world->queue.keys = table(&at, SB_QUEUE_MAX * sizeof(sb_key));
    world->marks = table(&at, SB_MARK_MAX * sizeof(uint64_t));
    if (at > universe->base + KERNEL_HEAP_AT) {
        abort();
    }
}

static void name_waits(sb_world *world)
{
    for (unsigned kind = 0; kind < SB_WAIT_KIND_COUNT; kind++) {
        world->wait_text[kind] =
            sb_text_hash(world, sb_wait_names[kind], strlen(sb_wait_names[kind]));
    }
}

/* Every failpoint may fire, but those excepted. */
static void exhaust_failpoints(sb_world *world, const char *except)
{
    const sb_place_name **names;
    const size_t count = sb_failpoint_list(&names);
    world->failpoints_on = true;
    for (size_t i = 0; i < count; i++) {
        const bool is_place = except == NULL || !sb_glob_matches(except, names[i]->name);
        uint64_t *const bits = is_place ? world->failpoint_enabled_bits : world->exhaust_skips;
        bits[i / 64] |= UINT64_C(1) << (i % 64);
    }
}

static void director_main(void *argument)
{
    sb_world *const world = argument;
    world->director(world, world->director_context);
    world->outcome = SB_OUTCOME_PASSED;
    world->stop = true;
}

sb_world *sb_world_reset(sb_universe *universe, const sb_world_options *options, sb_director *run,
                         void *context)
{
    sb_world *const world = universe->world;
    wipe_stacks(universe);
    forget_poison(world);
    memset(world, 0, sizeof(*world));
    world->universe = universe;
    lay_tables(world, universe);
    world->on_host = true;
    sb_heap_init(&world->kernel_heap, universe->base + KERNEL_HEAP_AT,
                 KERNEL_RANGE - KERNEL_HEAP_AT, "kernel", universe->fill, universe->permute);
    sb_heap_init(&world->disk_heap, universe->base + DISK_HEAP_AT, DISK_RANGE, "disks",
                 universe->fill, universe->permute);
    world->seed = options->seed;
    world->bugs = options->bugs;
    world->record = options->record;
    world->record_from = options->record_from == 0 ? 1 : options->record_from;
    world->record_to = options->record_to == 0 ? UINT64_MAX : options->record_to;
    world->tape = options->tape;
    world->tape_out = options->tape_out;
    world->choice_mode =
        options->tape != NULL || options->tape_out != NULL ? SB_CHOICE_SLOW : SB_CHOICE_SEED;
    world->step_limit = options->step_limit == 0 ? STEP_LIMIT_DEFAULT : options->step_limit;
    world->break_at = options->break_at;
    world->progress = options->progress;
    world->exhaust_kind = (uint8_t)options->exhaust.kind;
    world->exhaust_ordinal = options->exhaust.ordinal;
    if (options->exhaust.kind == SB_EXHAUST_FAILPOINT) {
        exhaust_failpoints(world, options->exhaust.except);
    }
    world->masked = options->masked;
    world->barred = options->masked;
    world->keeps_observations = options->observed;
    world->director = run;
    world->director_context = context;
    world->outcome = SB_OUTCOME_RUNNING;
    world->network = (sb_network){.latency_min = SB_MILLISECOND, .latency_max = SB_MILLISECOND};
    world->disk = (sb_disk){.sync_min = 100 * SB_MICROSECOND, .sync_max = 100 * SB_MICROSECOND};
    memset(world->pair_due, 0xff, sizeof(world->pair_due)); /* never */
    XXH3_64bits_reset(world->digest);
    if (world->record != NULL) {
        sb_record_clear(world->record);
        sb_record_begin(world->record, world->record_from);
    }
    name_waits(world);
    sb_node_state_init(world, 0, "director", "director");
    world->nodes[0]->power = SB_NODE_UP;
    sb_event_add(world, SB_EVENT_WORLD, 0, 0, 0, 0, options->seed, 0, 0);
    sb_strategy_begin(world, options->strategy);
    sb_task_start(world, world->nodes[0], director_main, world, "director", 8);
    return world;
}

/* ------------------------------------------------------------------------- what a world knows */

sb_time sb_world_time(const sb_world *world)
{
    return world->now;
}

sb_step sb_world_step(const sb_world *world)
{
    return world->step;
}

uint64_t sb_world_seed(const sb_world *world)
{
    return world->seed;
}

sb_strategy sb_world_strategy(const sb_world *world)
{
    return world->exploration.strategy;
}

uint64_t sb_world_observation(const sb_world *world)
{
    uint64_t all = 0;
    for (unsigned i = 1; i < world->node_count && world->keeps_observations; i++) {
        const uint64_t pair[2] = {all, world->nodes[i]->observation};
        all = XXH3_64bits(pair, sizeof(pair));
    }
    return all;
}

bool sb_world_is_calm(const sb_world *world)
{
    return world->calm;
}

uint64_t sb_world_counter(const sb_world *world, unsigned counter)
{
    return world->counters[counter];
}

const sb_fault_counts *sb_world_fault_counts(const sb_world *world)
{
    return world->faults;
}

const uint64_t *sb_world_probe_bits(const sb_world *world)
{
    return world->probe_bits;
}

const uint64_t *sb_world_failpoint_bits(const sb_world *world)
{
    return world->failpoint_bits;
}

const uint64_t *sb_world_edge_bits(const sb_world *world)
{
    return world->edge_bits;
}

const uint64_t *sb_world_failpoint_enabled_bits(const sb_world *world)
{
    return world->failpoint_enabled_bits;
}

uint64_t sb_world_exhaust_count(const sb_world *world)
{
    return world->exhaust_count;
}

void sb_world_set_data(sb_world *world, void *data)
{
    world->data = data;
}

void *sb_world_data(const sb_world *world)
{
    return world->data;
}

void sb_world_set_witness(sb_world *world, const sb_witness *witness)
{
    world->witness = *witness;
}

void sb_observe_reports(sb_world *world, sb_report_observer *observer)
{
    world->report_observer = observer;
}

void sb_observe_moves(sb_world *world, sb_move_observer *observer)
{
    world->move_observer = observer;
}

void sb_phase(sb_world *world, const char *name)
{
    sb_event_here(world, SB_EVENT_PHASE, sb_text_hash(world, name, strlen(name)), 0, 0);
}

uint64_t sb_choose(sb_world *world, sb_stream stream, uint64_t bound)
{
    return sb_choose_at(world, world->nodes[0], stream, bound);
}

bool sb_chance(sb_world *world, sb_stream stream, uint32_t rate)
{
    return sb_chance_at(world, world->nodes[0], stream, rate);
}
