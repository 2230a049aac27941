/*
 * The inside of a world, for the rooms of sim/ only.
 *
 * Everything of a world lives in one mapping:
 *
 *   base
 *   | kernel range: struct sb_world, then its heap | disk heap | stacks | node heaps 0..63 |
 *
 * with guards between all ranges.
 *
 * A task is a fiber with a fixed lane: lane i owns stack i.  When a task must wait it calls
 * sb_block, which runs the scheduler on the waiting task's own stack and switches straight to the
 * next task; the host's stack is entered only when the world stops.
 *
 * Things that are due are `sb_due`, embedded in what they belong to (task, message, action), in the
 * kernel's heap.  Those of a later instant are in the queue; those of this instant are in the ready
 * list, and where there are several the strategy picks.
 *
 *   sb_send -> message.due in queue -> its instant comes -> deliver -> mailbox
 *           -> wake the receiver -> ready -> run
 */
#ifndef SB_KERNEL_KERNEL_H
#define SB_KERNEL_KERNEL_H

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <stdarg.h>
#include <string.h>

#include "sim/chance/mersenne.h"
#include "sim/kernel/fiber.h"
#include "sim/kernel/heap.h"
#include "sim/kernel/queue.h"
#include "sim/kernel/registers.h"
#include "sim/kernel/sanitizer.h"
#include "sim/record/record.h"
#include "sim/world.h"

#define SB_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define SB_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* What every event goes through: left to itself, link-time optimisation takes it out of line. */
#define SB_HOT static inline __attribute__((always_inline))

#define SB_TASK_MAX 4096
#define SB_STACK_SIZE ((size_t)256 << 10)
#define SB_STACK_GUARD ((size_t)16 << 10)
#define SB_TASK_NAME_MAX 32
#define SB_QUEUE_MAX (1u << 20) /* keys of things due at later instants */
#define SB_READY_MAX (1u << 16) /* things due at one instant */
#define SB_MARK_MAX (1u << 20)
#define SB_STEPS_PER_INSTANT_MAX (1u << 20) /* more is a runaway */

/* ---------------------------------------------------------------------------------------- due */

typedef enum sb_due_type {
    SB_DUE_TASK,    /* a task that may run */
    SB_DUE_TIMER,   /* the deadline of a task that waits; its `timer` */
    SB_DUE_MESSAGE, /* a message that arrives */
    SB_DUE_ACTION /* a completion of the machine: act(world, action); must not end tasks of its own
                     stack */
} sb_due_type;

typedef struct sb_due {
    uint64_t key_low;           /* low word of its valid key in the queue; 0: not in the queue */
    struct sb_node_state *node; /* whose it is */
    uint32_t priority;          /* for strategies; 0: not drawn yet */
    uint8_t type;
} __attribute__((aligned(16))) sb_due;

typedef struct sb_action {
    sb_due due;
    uint32_t incarnation; /* of the node; a dead incarnation's completion is dropped */
    sb_step cause;
    void (*act)(sb_world *world, struct sb_action *action); /* owns the action: free it */
    void *context;
} sb_action;

/* -------------------------------------------------------------------------------------- tasks */

typedef enum sb_wait_kind {
    SB_WAIT_NONE,
    SB_WAIT_SLEEP,
    SB_WAIT_MUTEX,
    SB_WAIT_CONDITION,
    SB_WAIT_SEND,    /* a full channel */
    SB_WAIT_RECEIVE, /* an empty channel */
    SB_WAIT_GROUP,
    SB_WAIT_MESSAGE,
    SB_WAIT_REPLY,
    SB_WAIT_DISK,
    SB_WAIT_NODE, /* the director: a node going down */
    SB_WAIT_KIND_COUNT
} sb_wait_kind;

extern const char *const sb_wait_names[SB_WAIT_KIND_COUNT];

typedef struct sb_task {
    sb_due due; /* type TASK: it may run */
    sb_due
        timer; /* type TIMER: at most one key in the queue, used again while it is early enough */
    void *stack_pointer;
    struct sb_node_state *node;
    uint16_t lane; /* 1 .. SB_TASK_MAX; also the number of its stack */
    bool live;
    uint8_t wait_kind; /* what it waits for, while it waits */
    sb_status wake_status;
    struct sb_task **queue;                      /* the wait list it is in; NULL: none */
    struct sb_task *queue_next, *queue_previous; /* a ring; the list points at the first */
    sb_scope *scope;                             /* the scope that bounds the wait */
    struct sb_task *scope_next, **scope_link;
    sb_time deadline; /* true time at which the wait ends; SB_FOREVER: none */
    sb_time timer_at; /* true time of the key that is in the queue for it */
    sb_time wait_since;
    const char *wait_object;
    struct sb_task *wait_holder;
    void *wait_item; /* where a channel puts or takes the item */
    sb_address wait_peer;
    sb_address serves_from; /* of the request that it serves and has not answered */
    uint64_t wait_call;     /* number of the call, while wait_peer means something */
    uint64_t serves;        /* number of that request; 0: none */
    sb_step cause;          /* the event this task's present doing goes back to */
    sb_task_main *main;
    void *argument;
    sb_wait_group *group;                /* counted down when it ends; NULL: none */
    void (*ended)(struct sb_task *task); /* called on its own stack, last of all; NULL: nothing */
    struct sb_task *next, **link;        /* live tasks of the node, oldest first is the tail */
    char name[SB_TASK_NAME_MAX];
    uint64_t name_hash;
} sb_task;

/* NULL: it waits for no group. */
static inline const sb_wait_group *sb_group_waited_for(const sb_task *task)
{
    return task->wait_kind != SB_WAIT_GROUP
               ? NULL
               : (const sb_wait_group *)((const unsigned char *)task->queue -
                                         offsetof(sb_wait_group, waiters));
}

/* ----------------------------------------------------------------------------------- messages */

typedef struct sb_packet {
    sb_due due;                     /* node: the receiver */
    sb_message message;             /* what the program gets to see */
    struct sb_packet *next, **link; /* in the mailbox, then in the list of held messages */
    sb_step cause;                  /* its send, then its deliver */
    uint64_t hash;
    sb_address to;
    bool is_reply;
    bool is_twin;    /* the second of a duplicate */
    bool is_late;    /* others were let past it */
    bool is_checked; /* its bytes may have changed on the way */
    /* the bytes follow, aligned to 16 */
} sb_packet;

/* -------------------------------------------------------------------------------------- nodes */

typedef enum sb_node_power { SB_NODE_DOWN, SB_NODE_UP } sb_node_power;

typedef struct sb_choice_stream {
    sb_mersenne mersenne;
    uint64_t name_hash;
    uint64_t ordinal; /* of the last choice */
    size_t tape_next; /* where to go on looking on the tape */
    uint64_t start;   /* the first word of its generator, before any draw */
} sb_choice_stream;

#define SB_PAUSED_BY_ORDER 1u    /* sb_node_pause */
#define SB_PAUSED_FOR_TRIGGER 2u /* at this instant, until a trigger has struck it */

typedef struct sb_node_state {
    sb_node number;
    uint8_t power;
    uint8_t paused; /* why it stands still, bits SB_PAUSED_x; 0: it goes on */
    bool stopping;
    uint8_t absence;      /* sb_absence, of a machine that is away */
    uint32_t stops_asked; /* how often it was asked to stop while it was up */
    uint32_t incarnation;
    uint32_t task_count;
    sb_task *tasks, **tasks_tail;
    sb_heap heap;
    sb_scope shutdown;
    sb_packet *mailbox, **mailbox_tail;
    uint32_t mailbox_count;
    sb_packet *held; /* messages the program has and has not freed */
    sb_task *receivers;
    uint64_t peers;                /* nodes that exchanged messages with this incarnation */
    struct sb_link_trouble *links; /* machine/link.c: of the links from here; NULL: none yet */
    int64_t skew, jumps;
    int32_t drift;
    bool frozen, leapt, fallen; /* its wall clock; a jump that no program has seen yet */
    sb_time frozen_at;
    sb_time clock_true, clock_local; /* where the present rate began */
    sb_program *program;
    const void *argument;
    size_t argument_size;
    int result;
    sb_task *down_waiters;      /* the director's tasks that wait for its end */
    struct sb_disk_state *disk; /* machine/disk.c; NULL until first used */
    sb_due **parked;            /* due things of a paused node */
    uint32_t parked_count, parked_capacity;
    uint64_t name_hash;
    uint32_t priority; /* for strategies */
    sb_choice_stream *streams[SB_STREAM_COUNT];
    char name[SB_TASK_NAME_MAX], role[SB_TASK_NAME_MAX];
    uint64_t observation; /* fold of what its programs got, when the world keeps observations */
} sb_node_state;

/* -------------------------------------------------------------------------------------- world */

#define SB_BATCH_EVENTS 84 /* 4,032 bytes: what the digest takes at once */

typedef struct sb_link_state {
    uint16_t blocked;
    uint8_t partial; /* of these, so many by partial partitions */
    uint8_t scale;   /* as a power of two, plus 1; 0: not drawn */
} sb_link_state;

typedef enum sb_choice_mode { SB_CHOICE_SEED, SB_CHOICE_CALM, SB_CHOICE_SLOW } sb_choice_mode;

typedef struct sb_exploration {
    sb_strategy strategy;    /* the one in force */
    bool picks;              /* the order at one instant is a choice */
    uint8_t holds;           /* machines that stand still until a trigger has struck them */
    bool delays;             /* extra delays are drawn */
    uint32_t priority_floor; /* PCT: priorities handed out below this at change points */
    uint32_t change_count;
    sb_step changes[4]; /* PCT: steps at which the running task falls back */
    sb_duration delay_bound;
    uint8_t victim;       /* STARVE: a node; 0: nobody */
    uint8_t victim_tasks; /* 0: all that happens to it; else a part of its tasks */
    sb_time starved_until, starve_next;
} sb_exploration;

/* The names of an exchange's methods, as its program gave them. */
#define SB_METHOD_LISTS_MAX 4
typedef struct sb_method_names {
    const char *const *names;
    uint16_t count;
} sb_method_names;

struct sb_world {
    /* what every event touches */
    sb_time now;
    sb_step step;
    sb_step halt; /* at this step sb_event_slow looks */
    uint64_t observed;
    sb_task *running; /* NULL while the scheduler decides */
    uint32_t batch_count;
    uint8_t choice_mode;
    uint8_t exhaust_kind; /* sb_exhaust_kind; NONE once the world has healed */
    bool stop;            /* leave to the host at the next chance */
    bool on_host;
    bool calm;
    sb_queue queue;
    uint64_t sequence;
    sb_due **ready; /* a window that moves up and is moved back when it meets the end */
    uint32_t ready_first, ready_count;
    sb_node_state *nodes[SB_NODE_COUNT_MAX];
    unsigned node_count;
    sb_exploration exploration;
    sb_network network;
    bool network_odd; /* messages may be held, queued, altered or let past: machine/link.c */
    sb_packet *spare_packets; /* machine/network.c */
    sb_link_state *links;     /* [SB_NODE_COUNT_MAX * SB_NODE_COUNT_MAX]; NULL: none differs */
    sb_disk disk;
    sb_heap kernel_heap, disk_heap;
    uint64_t bugs;

    /* ends */
    sb_outcome outcome;
    void *host_pointer;    /* the host's saved stack pointer */
    void *stop_pointer;    /* saved by whoever stopped the world on its stack */
    sb_step instant_start; /* step at which this instant began */
    uint64_t idle_turns;   /* yields and looks at the clock in this instant */
    sb_step step_limit, break_at, run_until;
    sb_finding_report finding;
    const sb_task *finding_task; /* whose stack the finding stands on; NULL: none */
    bool finding_by_signal;
    sb_registers panic_registers;

    /* tasks */
    sb_task *tasks;     /* [SB_TASK_MAX], lane 1 first */
    uint32_t task_high; /* lanes ever used in this world */
    uint16_t *free_lanes;
    uint32_t free_lane_count;

    /* record */
    XXH3_state_t *digest;
    uint64_t *marks; /* [SB_MARK_MAX] */
    uint32_t mark_count;
    sb_step batch_start; /* step before the first of the batch */
    sb_record *record;
    sb_step record_from, record_to;
    sb_event *batch; /* [SB_BATCH_EVENTS] */
    uint64_t wait_text[SB_WAIT_KIND_COUNT];

    /* chance */
    uint64_t seed;
    const sb_tape *tape;
    sb_tape *tape_out;

    /* faults and counts */
    uint64_t barred; /* bits 1 << fault that are not to be done: masked, or the world is healed */
    sb_fault_counts faults[SB_FAULT_COUNT];
    bool keeps_observations;
    uint64_t masked; /* bits 1 << fault that are drawn and not done */
    uint64_t counters[SB_COUNTER_MAX];
    uint64_t probe_bits[SB_PROBE_MAX / 64];
    uint64_t failpoint_bits[SB_FAILPOINT_MAX / 64];
    uint64_t failpoint_enabled_bits[SB_FAILPOINT_MAX / 64]; /* at some time */
    uint64_t edge_bits[SB_EDGE_MAX / 64];
    uint64_t move_count; /* of state machines */
    uint64_t fault_pairs[SB_FAULT_COUNT];
    uint64_t fault_states[SB_FAULT_COUNT][SB_STATE_WORDS];
    sb_time pair_due[SB_FAULT_COUNT]; /* when a kind that is done is looked at again */
    struct sb_pairs *pairs;           /* fault/pairs.c; NULL: nothing is looked at */
    uint32_t failpoint_rates[SB_FAILPOINT_MAX];
    uint64_t failpoint_said_bits[SB_FAILPOINT_MAX / 64]; /* sb_failpoints_enable, also with 0 */
    uint8_t failpoint_kinds[SB_FAILPOINT_MAX]; /* what it stands for beside itself; 0: nothing */
    uint64_t size_kinds;                       /* bits 1 << fault of the family "size" */
    bool sizes_are_harsh;
    bool failpoints_on;
    uint64_t exhaust_ordinal, exhaust_count;
    uint64_t exhaust_skips[SB_FAILPOINT_MAX / 64]; /* failpoints that are no places */
    uint32_t watched; /* bits 1 << sb_moment that some trigger waits for */
    sb_method_names methods[SB_METHOD_LISTS_MAX]; /* of the exchanges opened so far */
    struct sb_swarm *swarm;
    uint64_t away, core_keepers; /* bits 1 << node; fault/core.c */

    /* the scenario */
    sb_director *director;
    void *director_context;
    void *data;
    sb_witness witness;
    sb_explained *explained; /* [SB_EXPLAINED_MAX]; NULL: nothing was */
    uint32_t explained_count;
    sb_report_observer *report_observer;
    sb_move_observer *move_observer;
    bool
        observing; /* an observer runs: it is the director's, on the stack of the task it watches */
    uint64_t *progress;
    sb_universe *universe;
};

/* The one world that runs, for door 1.  One of the few statics of libsim. */
extern sb_world *sb_current;

/* ------------------------------------------------------------------------------------- events */

void sb_event_slow(sb_world *world);

SB_HOT sb_step sb_event_add(sb_world *world, sb_event_kind kind, unsigned node,
                            uint32_t incarnation, unsigned lane, sb_step cause, uint64_t a,
                            uint64_t b, uint64_t c)
{
    if (SB_UNLIKELY(world->step >= world->halt)) {
        sb_event_slow(world);
    }
    world->step++;
    sb_event *const event = &world->batch[world->batch_count++];
    event->time = world->now;
    event->cause = cause;
    event->a = a;
    event->b = b;
    event->c = c;
    /* The last five fields as one word: narrow stores and loads of them would stall each other. */
    const uint64_t last = (uint64_t)(kind & 0xff) | (uint64_t)(node & 0xff) << 8 |
                          (uint64_t)(incarnation & 0xffff) << 16 | (uint64_t)(lane & 0xffff) << 32 |
                          (world->observed >> 48) << 48;
    memcpy(&event->kind, &last, sizeof(last));
    return world->step;
}

/* An event of the running task (or, while the scheduler decides, of the director's kernel lane). */
SB_HOT sb_step sb_event_here(sb_world *world, sb_event_kind kind, uint64_t a, uint64_t b,
                             uint64_t c)
{
    const sb_task *const task = world->running;
    if (SB_UNLIKELY(task == NULL)) {
        return sb_event_add(world, kind, 0, 0, 0, 0, a, b, c);
    }
    return sb_event_add(world, kind, task->node->number, task->node->incarnation, task->lane,
                        task->cause, a, b, c);
}

SB_HOT void sb_notice_at(sb_node_state *node, uint64_t value)
{
    node->observation =
        (((node->observation << 5) | (node->observation >> 59)) ^ value) * 0x9E3779B97F4A7C15u;
}

/* Fold a value that door 1 hands to a program into the digest; one that is no time goes through
 * sb_observe_value. */
SB_HOT void sb_observe(sb_world *world, uint64_t value)
{
    world->observed =
        (((world->observed << 5) | (world->observed >> 59)) ^ value) * 0x9E3779B97F4A7C15u;
}

/*
 * The observation: what the programs of a machine got back through door 1, in their order, without
 * times, steps and numbers that grow with them.  Two runs of which one masks a kind of fault are
 * compared by it: when it is the same, no program could tell.  Kept only when asked for, and not of
 * the director, who is no machine.
 */
SB_HOT void sb_notice(sb_world *world, uint64_t value)
{
    if (SB_UNLIKELY(world->keeps_observations)) {
        sb_notice_at(world->running->node, value);
    }
}

/* A value for both: the digest and the observation. */
SB_HOT void sb_observe_value(sb_world *world, uint64_t value)
{
    sb_observe(world, value);
    sb_notice(world, value);
}

/* The hash that stands for a text in an event; the text is kept when a record is. */
static inline uint64_t sb_text_hash(sb_world *world, const char *text, size_t size)
{
    const uint64_t hash = XXH3_64bits(text, size);
    if (SB_UNLIKELY(world->record != NULL)) {
        sb_record_add_text(world->record, hash, text, size);
    }
    return hash;
}

void sb_events_flush(sb_world *world);

/* ------------------------------------------------------------------------------------ moments */

/* What a trigger makes of the message that is about to be sent, or of the line that is passed. */
typedef enum sb_fate {
    SB_FATE_NONE, /* it goes its way */
    SB_FATE_LOST,
    SB_FATE_TWICE,
    SB_FATE_RESET, /* its connection is reset as it is sent */
    SB_FATE_FIRES  /* of a failpoint */
} sb_fate;

/* What a moment is about.  key: the hash of a method's name, the number of a failpoint, probe or
 * move, or the kind of a report; of files and machines it is made from the text. */
typedef struct sb_moment_about {
    sb_node_state *node, *peer; /* where it is; the other end of a message, else NULL */
    uint64_t key;
    const char *text; /* method, path, name */
} sb_moment_about;

/* Something that triggers may be bound to comes now (fault/trigger.c).  May let other tasks run,
 * but for MOVE, PASS and PROBE; whoever asks must bear that its machine dies in it. */
sb_fate sb_moment_slow(sb_world *world, sb_moment moment, sb_moment_about about);

/* Nothing of the swarm happens any more: there is none, or the world has healed. */
bool sb_swarm_is_over(const sb_world *world) __attribute__((pure));

static inline bool sb_moment_is_watched(const sb_world *world, sb_moment moment)
{
    return SB_UNLIKELY((world->watched >> moment & 1) != 0);
}

/* Of the running task. */
static inline sb_fate sb_moment_here(sb_world *world, sb_moment moment, sb_node_state *peer,
                                     uint64_t key, const char *text)
{
    if (!sb_moment_is_watched(world, moment)) {
        return SB_FATE_NONE;
    }
    return sb_moment_slow(world, moment, (sb_moment_about){world->running->node, peer, key, text});
}

/* Of a machine itself. */
static inline void sb_moment_of(sb_world *world, sb_moment moment, sb_node_state *node)
{
    if (sb_moment_is_watched(world, moment)) {
        sb_moment_slow(world, moment, (sb_moment_about){node, NULL, 0, node->role});
    }
}

/* An exchange knows these methods: triggers choose among them. */
void sb_moment_methods(sb_world *world, const char *const *names, uint16_t count);

/* ------------------------------------------------------------------------------------ choices */

/* Purposes that only the machine's own tasks draw for. */
#define SB_OWN_STREAMS (1u << SB_STREAM_DISK | 1u << SB_STREAM_PROGRAM | 1u << SB_STREAM_FAILPOINT)
void sb_stream_is_foreign(sb_world *world, const sb_node_state *node, sb_stream stream)
    __attribute__((noreturn, cold));

uint64_t sb_choose_slow(sb_world *world, sb_node_state *node, sb_stream stream, uint64_t bound);
sb_choice_stream *sb_stream_open(sb_world *world, sb_node_state *node, sb_stream stream);

/* One decision in [0, bound), 0 the calm one, drawn from the node's stream of that purpose. */
SB_HOT uint64_t sb_choose_at(sb_world *world, sb_node_state *node, sb_stream stream, uint64_t bound)
{
    if (bound <= 1) {
        return 0;
    }
    if ((SB_OWN_STREAMS >> stream & 1) != 0 && world->running != NULL &&
        SB_UNLIKELY(world->running->node != node)) {
        sb_stream_is_foreign(world, node, stream);
    }
    sb_choice_stream *const from = node->streams[stream];
    if (SB_UNLIKELY(world->choice_mode != SB_CHOICE_SEED || from == NULL)) {
        return sb_choose_slow(world, node, stream, bound);
    }
    from->ordinal++;
    return sb_mersenne_bounded(&from->mersenne, bound);
}

/* True in `rate` of a million; nothing is drawn when the rate is 0. A choice of 0 is calm at any
 * rate. */
SB_HOT bool sb_chance_at(sb_world *world, sb_node_state *node, sb_stream stream, uint32_t rate)
{
    const uint32_t least = rate < 1000000u ? 1000000u - rate : 1;
    return rate != 0 && sb_choose_at(world, node, stream, 1000000) >= least;
}

/* ----------------------------------------------------------------------------------- strategy */

void sb_strategy_begin(sb_world *world, sb_strategy strategy);
uint32_t sb_strategy_pick(sb_world *world); /* an index into the ready list of two or more */
bool sb_strategy_preempts(sb_world *world); /* shall another run before this call goes on? */
/* How much longer than it must a delivery to a node takes, and a wake-up of a task. */
sb_duration sb_strategy_delivery_delay(sb_world *world, sb_node_state *node);
sb_duration sb_strategy_wake_delay(sb_world *world, sb_task *task);
void sb_strategy_step(sb_world *world); /* PCT's change points; from sb_event_slow */
void sb_strategy_heal(sb_world *world); /* first in, first out; who is late goes on now */

/* ---------------------------------------------------------------------------------- scheduler */

/* Memory of the kernel: never NULL (the world ends as `runaway`). */
void *sb_kernel_alloc(sb_world *world, size_t size);
void *sb_kernel_alloc_bare(sb_world *world, size_t size);
void sb_kernel_free(sb_world *world, void *block);

void sb_queue_full(sb_world *world) __attribute__((noreturn, cold));
void sb_ready_push_slow(sb_world *world, sb_due *due);

SB_HOT void sb_ready_push(sb_world *world, sb_due *due)
{
    const uint32_t at = world->ready_first + world->ready_count;
    if (SB_UNLIKELY(at == SB_READY_MAX)) {
        sb_ready_push_slow(world, due);
        return;
    }
    world->ready[at] = due;
    world->ready_count++;
}

/* It becomes due at an instant of true time; now or earlier: at once, after what is ready. */
SB_HOT void sb_due_at(sb_world *world, sb_due *due, sb_time at)
{
    if (at <= world->now) {
        due->key_low = 0;
        sb_ready_push(world, due);
        return;
    }
    if (SB_UNLIKELY(world->queue.count == SB_QUEUE_MAX)) {
        sb_queue_full(world);
    }
    const uint64_t offset = (uint64_t)((uintptr_t)due - (uintptr_t)world) >> 4;
    due->key_low = (++world->sequence << SB_KEY_OFFSET_BITS) | offset;
    sb_queue_push(&world->queue, (sb_key){due->key_low, at});
}

/* What a key of the queue stands for: the key is stale when the due's key_low is another. */
static inline sb_due *sb_due_of_key(const sb_world *world, sb_key key)
{
    const uint64_t offset = key.low & (((uint64_t)1 << SB_KEY_OFFSET_BITS) - 1);
    return (sb_due *)((uintptr_t)world + (offset << 4));
}

/* A task of a node, ready to run; name is copied.  It is born of the running task. */
sb_task *sb_task_start(sb_world *world, sb_node_state *node, sb_task_main *main, void *argument,
                       const char *name, size_t name_size);
void sb_task_drop(sb_world *world,
                  sb_task *task); /* it is gone, wherever it waits; not the running one */

void sb_scope_cancel_now(sb_world *world,
                         sb_scope *scope); /* sb_scope_cancel without a switch before */
void sb_yield_now(sb_world *world);
void sb_switch_point_slow(sb_world *world);

/* A loop that only yields or looks at the clock takes no steps: its turns are counted instead. */
void sb_idle_too_long(sb_world *world) __attribute__((noreturn, cold));
static inline void sb_idle_turn(sb_world *world)
{
    if (SB_UNLIKELY(++world->idle_turns > SB_STEPS_PER_INSTANT_MAX)) {
        sb_idle_too_long(world);
    }
}

/* Another task may run first, if the strategy says so.  Every call of door 1 that may switch begins
 * with it. */
static inline void sb_switch_point(sb_world *world)
{
    if (SB_UNLIKELY(world->ready_count != 0 &&
                    (world->exploration.picks || world->exploration.holds != 0))) {
        sb_switch_point_slow(world);
    }
}

/*
 * Wait.  The running task enters `queue` (NULL: only time or its scope wakes it) and sleeps until
 * sb_wake, its scope's end, or `deadline` (true time; SB_FOREVER: none).  Fill task->wait_peer,
 * wait_holder and wait_item before, when they mean something; they are cleared after.  Returns the
 * status given to sb_wake, SB_TIMEOUT or SB_CANCELED.  A scope that has ended already returns at
 * once.
 */
sb_status sb_block(sb_world *world, sb_wait_kind kind, const char *object, sb_task **queue,
                   sb_scope *scope, sb_time deadline);

/* Wake a waiting task: it leaves its wait list and its scope and becomes ready.  Records WAKE. */
void sb_wake(sb_world *world, sb_task *task, sb_status status);
/* The same without an event, when one was just recorded (step) that explains it. */
void sb_wake_by(sb_world *world, sb_task *task, sb_status status, sb_step cause);

/* A waiting task's deadline comes at another instant of true time: its clock has changed its rate.
 */
void sb_task_set_deadline(sb_world *world, sb_task *task, sb_time deadline);

/* True time at which a deadline on a node's monotonic clock comes. */
sb_time sb_true_time(const sb_node_state *node, sb_time local);
sb_time sb_local_time(const sb_node_state *node, sb_time true_time);

/* Things due of a paused node wait here until it goes on. */
void sb_park(sb_world *world, sb_due *due);
void sb_unpark(sb_world *world, sb_node_state *node);

/* --------------------------------------------------------------------------------------- ends */

/* The world ends here with a finding; called by the task that proves it, or with no task running.
 */
void sb_conclude(sb_world *world, sb_finding_kind kind, sb_node_state *node, const char *oracle,
                 const char *text);
void sb_end_with(sb_world *world, sb_finding_kind kind, sb_node_state *node, const char *oracle,
                 const char *file, int line, const char *function, const char *format,
                 va_list arguments) __attribute__((noreturn, cold));
void sb_misuse(sb_world *world, sb_finding_kind kind, const char *oracle, const char *format, ...)
    __attribute__((noreturn, cold, format(printf, 4, 5)));

/* The same, about a task that waits: the finding's place is where it stands. */
void sb_blame(sb_world *world, const sb_task *task, sb_finding_kind kind, const char *oracle,
              const char *text) __attribute__((noreturn, cold));

/* The node that a scenario means; a number that is no node's is a finding that names it and the
 * function it was given to. */
void sb_no_such_node(const sb_world *world, unsigned number, const char *function)
    __attribute__((noreturn, cold));
static inline sb_node_state *sb_node_given(const sb_world *world, sb_node number,
                                           const char *function)
{
    if (SB_UNLIKELY(number >= world->node_count)) {
        sb_no_such_node(world, number, function);
    }
    return world->nodes[number];
}

/* Leave to the host; comes back only if the host runs the world again. */
void sb_stop_here(sb_world *world);

/* ------------------------------------------------------------------------------------- machine
 *
 * Parts of other rooms that kill, boot and heal call.
 */

/* The task that goes on by it at once; NULL: none, see the ready list. */
sb_task *sb_packet_arrives(sb_world *world, sb_packet *packet);
void sb_node_state_init(sb_world *world, sb_node number, const char *name, const char *role);
void sb_disk_crash(sb_world *world,
                   sb_node_state *node); /* lose, keep or tear what is not synced */
uint32_t sb_disk_open_count(sb_world *world, sb_node_state *node);
const char *sb_disk_open_path(sb_world *world, sb_node_state *node); /* the latest; NULL: none */
void sb_disk_close_all(sb_world *world,
                       sb_node_state *node); /* handles of an incarnation that is gone */
void sb_swarm_heal(sb_world *world);         /* stop making trouble; undo what lasts */

/* Whether this is the place that is to fail (sb_exhaust of world.h).  Ask once a place, in every
 * world: asking counts. */
static inline bool sb_exhaust_hits(sb_world *world, sb_exhaust_kind kind)
{
    return SB_UNLIKELY(world->exhaust_kind == kind) &&
           ++world->exhaust_count == world->exhaust_ordinal;
}

/* What comes together (fault/pairs.c): a kind is done; a thing enters a state; a machine is gone.
 */
void sb_pairs_start(sb_world *world);
void sb_pairs_applied(sb_world *world, sb_fault fault);
void sb_pairs_move(sb_world *world, unsigned machine, uint64_t id, uint32_t to);
void sb_pairs_forget(sb_world *world, sb_node node);

/*
 * Count a fault: armed when the world may do it, applied when done, effective where a program gets
 * another value.
 *
 * sb_fault_strikes is asked where a fault is about to be done, after its draws and its event: true,
 * and it counts as applied.  False where the world masks this kind: go on as if it had not been
 * drawn.  After the heal a fault that is done all the same ends the world (fault/accounting.c).
 */
static inline void sb_fault_armed(sb_world *world, sb_fault fault)
{
    world->faults[fault].armed = true;
}
/* Of a kind that is masked where it is set up: it has come about. */
static inline void sb_fault_has_struck(sb_world *world, sb_fault fault)
{
    world->faults[fault].applied++;
    if (SB_UNLIKELY(world->now >= world->pair_due[fault])) {
        sb_pairs_applied(world, fault);
    }
}
bool sb_fault_is_barred_slow(sb_world *world, sb_fault fault);
SB_HOT bool sb_fault_is_barred(sb_world *world, sb_fault fault)
{
    return SB_UNLIKELY((world->barred >> fault & 1) != 0) && sb_fault_is_barred_slow(world, fault);
}
__attribute__((warn_unused_result)) SB_HOT bool sb_fault_strikes(sb_world *world, sb_fault fault)
{
    if (sb_fault_is_barred(world, fault)) {
        return false;
    }
    sb_fault_has_struck(world, fault);
    return true;
}
static inline void sb_fault_effective(sb_world *world, sb_fault fault)
{
    world->faults[fault].effective++;
}

#endif
