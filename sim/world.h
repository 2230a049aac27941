/*
 * Door 2: what a scenario may do to a world: build it, break it, check it.
 *
 * A world is one simulated universe: one seed, one run, one thread.  A `sb_universe` is the place
 * where worlds live, one after the other: one mapping, made once, reset in microseconds.  Inside a
 * world a scenario's `run` function is the director: it runs as a task of node 0, which is no
 * machine but may use all of door 1 (sleep, spawn, call, allocate), and alone may use this door.
 * Nothing the director does is subject to faults, except that its messages travel the network like
 * anybody's.
 *
 * Choices: every decision of a scenario is drawn with sb_choose, where 0 must be the calm answer.
 */
#ifndef SB_WORLD_H
#define SB_WORLD_H

#include "sim/node.h"
#include "sim/record/record.h"

typedef struct sb_universe sb_universe;
typedef struct sb_world sb_world;
typedef uint8_t sb_node; /* number of a node, which is its address too; 0 is the director */
#define SB_NODE_COUNT_MAX 64

typedef enum sb_fault {
    SB_FAULT_NONE,
#define FAULT(name, word, family, text) SB_FAULT_##name,
#include "sim/fault/faults.def"
#undef FAULT
    SB_FAULT_COUNT
} sb_fault;

/* What the triggers of the swarm are bound to (sim/fault/trigger.h). */
typedef enum sb_moment {
#define MOMENT(name, word, doublings, text) SB_MOMENT_##name,
#include "sim/fault/moments.def"
#undef MOMENT
    SB_MOMENT_COUNT
} sb_moment;

typedef enum sb_stream {
#define STREAM(name, word) SB_STREAM_##name,
#include "sim/chance/streams.def"
#undef STREAM
    SB_STREAM_COUNT
} sb_stream;

typedef enum sb_finding_kind {
    SB_FINDING_NONE,
#define FINDING(name, word, text) SB_FINDING_##name,
#include "sim/verdict/kinds.def"
#undef FINDING
    SB_FINDING_KIND_COUNT
} sb_finding_kind;

/* -------------------------------------------------------------------------- running worlds (host)
 *
 * For tools, tests and benches: from outside of any world.
 */
typedef enum sb_strategy {
    SB_STRATEGY_PORTFOLIO, /* one of the others, by the seed's hash */
    SB_STRATEGY_FIFO,      /* first in, first out: every choice of order is 0 */
    SB_STRATEGY_RANDOM,
    SB_STRATEGY_PCT2, /* probabilistic concurrency testing, Burckhardt et al. 2010, d = 2 */
    SB_STRATEGY_PCT3,
    SB_STRATEGY_POS, /* basic partial order sampling, Yuan et al. 2018 */
    SB_STRATEGY_STARVE,
    SB_STRATEGY_COUNT
} sb_strategy;

const char *sb_strategy_name(sb_strategy strategy);

/* Where and how a universe lies in memory: a second run of the same seed must not notice. */
typedef struct sb_universe_options {
    uint64_t base;       /* address of the mapping; 0: the default */
    uint8_t fill;        /* what fresh memory holds; 0: the default */
    bool permute_blocks; /* hand out blocks of memory in another order */
} sb_universe_options;

/* NULL, with errno, when the mapping cannot be made. */
sb_universe *sb_universe_open(const sb_universe_options *options);
void sb_universe_close(sb_universe *universe);

/* A choice that was not 0: the ordinal-th (from 1) of the stream. */
typedef struct sb_taped_choice {
    uint64_t stream; /* XXH3 of the stream's name */
    uint64_t ordinal;
    uint64_t value;
} sb_taped_choice;

typedef struct sb_tape {
    sb_taped_choice *choices; /* malloc; in the order drawn */
    size_t count, capacity;
} sb_tape;
void sb_tape_release(sb_tape *tape);

/* What a stream of a node is called ("server2/latency"), and what a tape calls that name. */
#define SB_STREAM_NAME_MAX 64
void sb_stream_name(const sb_world *world, sb_node node, sb_stream stream, char *name);
uint64_t sb_stream_hash(const char *name);

/* Failing one place after the other: the ordinal-th operation of the kind, counted from 1 over the
 * whole world until its heal, fails with an error (SB_IO_ERROR, and nothing is done), is lost, or
 * is true.  Up to it the run is the one without; so all places of a run are those that are counted
 * in it with ordinal 0, which fails none. */
typedef enum sb_exhaust_kind {
    SB_EXHAUST_NONE,
#define EXHAUST(name, word, text) SB_EXHAUST_##name,
#include "sim/fault/exhaust.def"
#undef EXHAUST
    SB_EXHAUST_KIND_COUNT
} sb_exhaust_kind;

typedef struct sb_exhaust {
    sb_exhaust_kind kind;
    uint64_t ordinal;
    const char *except; /* a glob: failpoints that are no places; NULL: none */
} sb_exhaust;

typedef struct sb_world_options {
    uint64_t seed;
    sb_strategy strategy;
    uint64_t step_limit;            /* 0: the default of 20 million */
    sb_step break_at;               /* raise SIGTRAP before this event; 0: never */
    uint64_t bugs;                  /* a bit for each switch of the museum */
    sb_record *record;              /* keep the events here; NULL: do not */
    sb_step record_from, record_to; /* keep only these steps; 0, 0: all */
    sb_tape *tape_out;              /* note the non-zero choices here; NULL: do not */
    const sb_tape *tape; /* follow this tape: a choice not on it is 0; NULL: draw from the seed */
    sb_exhaust exhaust;
    uint64_t *progress; /* where to store the step now and then, for a watchdog; may be NULL */
    uint64_t masked;    /* bits 1 << SB_FAULT_x: drawn as ever, and not done */
    bool observed;      /* keep what sb_world_observation tells */
} sb_world_options;

typedef void sb_director(sb_world *world, void *context);

/* Make a fresh world, dropping the one before.  The director starts with the first sb_world_run. */
sb_world *sb_world_reset(sb_universe *universe, const sb_world_options *options, sb_director *run,
                         void *context);

typedef enum sb_outcome {
    SB_OUTCOME_RUNNING, /* sb_world_run_until came to its step */
    SB_OUTCOME_PASSED,  /* the director returned */
    SB_OUTCOME_FINDING,
    SB_OUTCOME_INCONCLUSIVE /* the step limit */
} sb_outcome;

/* Run until the world ends, or until at least `step` events have happened: it comes back between
 * two turns of tasks, so sb_world_step may be a little more.  The step limit is kept in the same
 * way. */
sb_outcome sb_world_run(sb_world *world);
sb_outcome sb_world_run_until(sb_world *world, sb_step step);

/* A copy of everything a world is, tasks and their stacks included.  From outside, between runs.
 * Restoring cuts record and tape_out back to where they were as well; what a scenario keeps outside
 * of the world (malloc, statics) it does not know. */
typedef struct sb_snapshot sb_snapshot;
sb_snapshot *sb_world_snapshot(sb_world *world);
void sb_world_restore(sb_world *world, const sb_snapshot *snapshot);
size_t sb_snapshot_size(const sb_snapshot *snapshot);
void sb_snapshot_free(sb_snapshot *snapshot);

uint64_t sb_world_digest(sb_world *world);

/* A hash over what the programs of each machine got back through door 1, in the order of each
 * machine: bytes of messages and files, results of calls, numbers drawn, how far clocks are off; no
 * times, no steps.  0 unless the options asked for it.  A fault that makes no difference here could
 * not be told by any program. */
uint64_t sb_world_observation(const sb_world *world);
const uint64_t *sb_world_marks(const sb_world *world,
                               size_t *count); /* digest after each 2^SB_MARK_SHIFT steps */

/* ------------------------------------------------------------------------- what a world knows */

sb_time sb_world_time(const sb_world *world); /* true time, which no machine knows */
sb_step sb_world_step(const sb_world *world);
uint64_t sb_world_seed(const sb_world *world);
sb_strategy sb_world_strategy(const sb_world *world); /* never PORTFOLIO */
bool sb_world_is_calm(const sb_world *world);

/* Counts the world keeps by itself, and those of the scenario (sb_count). */
#define SB_COUNTER_MAX 64
uint64_t sb_world_counter(const sb_world *world, unsigned counter);
typedef struct sb_fault_counts {
    bool declared, armed;
    uint64_t applied;   /* times it was done */
    uint64_t effective; /* times it altered what a program got */
    uint64_t triggered; /* times that a trigger did it */
} sb_fault_counts;
const sb_fault_counts *sb_world_fault_counts(const sb_world *world); /* [SB_FAULT_COUNT] */
const uint64_t *sb_world_probe_bits(const sb_world *world); /* a bit for each of sb_probe_list */
const uint64_t *sb_world_failpoint_bits(const sb_world *world);         /* fired */
const uint64_t *sb_world_failpoint_enabled_bits(const sb_world *world); /* could fire */
uint64_t sb_world_exhaust_count(const sb_world *world);    /* places met, until the heal */
const uint64_t *sb_world_edge_bits(const sb_world *world); /* moves walked, in listing order */

/* Lists gathered from the linked program, by name, without repetition. */
size_t sb_probe_list(const sb_place_name ***probes);
size_t sb_failpoint_list(const sb_place_name ***failpoints);
size_t sb_machine_list(const sb_machine *const **machines);
bool sb_machine_ends_in(const sb_machine *machine, uint32_t state);
bool sb_machine_enters(const sb_machine *machine, uint32_t state); /* some move leads there */
/* The machine of a move that is numbered through all of the list, as edge bits are, and there is
 * one; *move becomes its place in its own. */
const sb_machine *sb_machine_of_move(size_t *move);
/* Whether a name is what the glob says: ? is any character, * any run of them. */
bool sb_glob_matches(const char *glob, const char *name);
#define SB_STATE_ALL_MAX 256 /* states of all machines */
#define SB_STATE_WORDS (SB_STATE_ALL_MAX / 64)

/* What has come together.  Of each kind [SB_FAULT_COUNT]: bits 1 << fault of those that were done
 * within SB_PAIR_WINDOW of it; and [SB_FAULT_COUNT * SB_STATE_WORDS]: a bit for each state, of all
 * machines in listing order, that something was in when it was done. */
#define SB_PAIR_WINDOW (2 * SB_SECOND)
const uint64_t *sb_world_fault_pairs(const sb_world *world);
const uint64_t *sb_world_fault_states(const sb_world *world);
#define SB_PROBE_MAX 512
#define SB_FAILPOINT_MAX 256
#define SB_EDGE_MAX 1024

/* ------------------------------------------------------------------------------- the director */

/* Its own scratch: one pointer for the scenario's use. */
void sb_world_set_data(sb_world *world, void *data);
void *sb_world_data(const sb_world *world);

/* A number in [0, bound) where 0 is the calm answer.  sb_chance: true in `rate` of a million; a
 * choice of 0 (healed, or not on the tape) is calm at any rate. */
uint64_t sb_choose(sb_world *world, sb_stream stream, uint64_t bound);
bool sb_chance(sb_world *world, sb_stream stream, uint32_t rate);

/* A name for what happens from now on, in the record ("load", "restarts", "heal"). */
void sb_phase(sb_world *world, const char *name);

/* Nodes.  name and role are copied; so is the argument.  A node is down until it is booted. */
sb_node sb_node_add(sb_world *world, const char *name, const char *role, sb_program *program,
                    const void *argument, size_t argument_size);
unsigned sb_node_count(const sb_world *world); /* the director included */
const char *sb_node_name(const sb_world *world, sb_node node);
const char *sb_node_role(const sb_world *world, sb_node node);
uint32_t sb_node_incarnation(const sb_world *world, sb_node node); /* 0: never booted */
bool sb_node_is_up(const sb_world *world, sb_node node);           /* booted and not yet ended */
bool sb_node_is_paused(const sb_world *world, sb_node node);

void sb_node_boot(sb_world *world, sb_node node);
void sb_node_stop(sb_world *world, sb_node node); /* ask it to; wait with sb_node_wait_down */
void sb_node_kill(sb_world *world, sb_node node);
void sb_node_pause(sb_world *world, sb_node node);
void sb_node_resume(sb_world *world, sb_node node);
/* Until it is down or the time has passed; true when it is down. */
bool sb_node_wait_down(sb_world *world, sb_node node, sb_duration timeout);
/* It dies, boots, and dies again within up_max of each boot, so many times; at the end it is up,
 * also when the world is healed meanwhile. */
void sb_node_crash_loop(sb_world *world, sb_node node, unsigned times, sb_duration up_max);
void sb_node_set_memory_limit(sb_world *world, sb_node node, size_t size); /* default 256 MiB */

/* The network.  A latency is drawn per message: uniform between min and max, or, when tail is set,
 * min times a Pareto-like factor (half of the messages within 2, a quarter within 4, ... 2^tail_max
 * at most).  With scale_max > 0 every link draws its own factor of 1 .. 2^scale_max once per world.
 * Rates are in a million. */
#define SB_NETWORK_DOUBLINGS_MAX 16 /* of tail_max and of scale_max */
typedef struct sb_network {
    sb_duration latency_min, latency_max;
    bool tail;
    uint8_t tail_max;
    uint8_t scale_max;
    uint32_t loss, reply_loss, duplicate, reset;
    uint32_t corrupt;   /* bits flip; the receiver's checksum tells, and the message is dropped */
    uint32_t reorder;   /* a message takes 2 to 32 times as long, and others get past it */
    uint64_t bandwidth; /* of every link, in bytes a second; what would queue for longer than
                           SB_QUEUE_DELAY_MAX is dropped; 0: no limit */
} sb_network;
#define SB_QUEUE_DELAY_MAX (2 * SB_SECOND)
void sb_network_set(sb_world *world, const sb_network *network);
void sb_network_block(sb_world *world, sb_node from,
                      sb_node to); /* one way; counted, so blocks nest */
void sb_network_unblock(sb_world *world, sb_node from, sb_node to);
/* Both ways, as one partition: blocked one after the other it would be a one-way partition first.
 */
void sb_network_part(sb_world *world, sb_node one, sb_node other);
void sb_network_join(sb_world *world, sb_node one, sb_node other);
/* A partial partition: the machine and those others (bits 1 << node) cannot reach each other; both
 * reach the rest.  Counted as blocks are. */
void sb_network_cut(sb_world *world, sb_node node, uint64_t others);
void sb_network_mend(sb_world *world, sb_node node, uint64_t others);
/* One way: what is sent from now on waits; with the last release all of it goes on at once, in the
 * order it was sent, or each in a time of its own.  Counted, so clogs nest. */
void sb_network_clog(sb_world *world, sb_node from, sb_node to);
void sb_network_release(sb_world *world, sb_node from, sb_node to, bool in_order);
void sb_network_reset(sb_world *world, sb_node one, sb_node other);

/* Disks.  Latency of a sync: uniform between min and max; crash: whether a death loses what was not
 * synced. */
typedef struct sb_disk {
    sb_duration sync_min, sync_max;
    bool keep_on_crash; /* true: a death loses nothing (calm) */
} sb_disk;
void sb_disk_set(sb_world *world, const sb_disk *disk);

/* What one machine's disk does wrong from now on; NULL: nothing any more.  Chances in a million of
 * the operations named.  What is wrong with its files stays wrong. */
typedef struct sb_disk_trouble {
    uint32_t read_error;  /* SB_IO_ERROR, and nothing is read */
    uint32_t write_error; /* SB_IO_ERROR; nothing is written, or the first sectors are */
    uint32_t sync_error;  /* SB_IO_ERROR; what was to be made durable waits for the next sync, or is
                             as it was after the last one, as when a kernel drops its dirty pages */
    uint32_t sync_stall;  /* of a sync: it takes up to stall_max longer */
    sb_duration stall_max;
    uint32_t io_latency; /* of a read or a write: it waits for up to io_max; shorter is likelier */
    sb_duration io_max;
    bool full;     /* no file grows by more than `room` bytes, all together: SB_NO_SPACE */
    uint64_t room; /* of a full disk */
    const char
        *rebuildable;   /* files below this directory rot and go astray; NULL: none.  Static. */
    uint32_t bit_rot;   /* of a read: a durable bit has flipped for good */
    uint32_t misdirect; /* of a write: it goes to other sectors of the file */
} sb_disk_trouble;
void sb_disk_trouble_set(sb_world *world, sb_node node, const sb_disk_trouble *trouble);

/* A machine that is down loses all its files. */
void sb_disk_wipe(sb_world *world, sb_node node);

/* The durable bytes of a file, as they would be found after a loss of power now that loses all that
 * can be lost.  NULL when there is none.  The bytes are the disk's: read them before anything else
 * happens. */
const unsigned char *sb_disk_durable(const sb_world *world, sb_node node, const char *path,
                                     size_t *size);
typedef void sb_disk_visit(void *context, const char *path, const unsigned char *data, size_t size);
void sb_disk_list_durable(const sb_world *world, sb_node node, sb_disk_visit *visit, void *context);

/* Clocks: wall = true + skew + jumps, both clocks run drift parts per million fast (negative:
 * slow).  A jump moves the wall clock at once; while frozen it stands still, and with the thaw
 * (also by the heal) it is where it would have been. */
void sb_clock_set(sb_world *world, sb_node node, int64_t skew, int32_t drift);
void sb_clock_jump(sb_world *world, sb_node node, int64_t by);
void sb_clock_freeze(sb_world *world, sb_node node);
void sb_clock_thaw(sb_world *world, sb_node node);

/* Failpoints: enable those whose name matches the glob (* and ?), to fire at this rate in a
 * million. */
void sb_failpoints_enable(sb_world *world, const char *glob, uint32_t rate);

/* Those whose name matches stand for this kind: where one fires, the kind counts too.  Before they
 * get their rates. */
void sb_failpoints_name(sb_world *world, const char *glob, sb_fault kind);

/* What the scenario itself does to a world, or sees done to it: the kind is armed, was applied so
 * many times, and so many times a program got something else for it.  0, 0 arms. */
void sb_fault_note(sb_world *world, sb_fault kind, uint64_t applied, uint64_t effective);

/* The family "size": whether this world is off, mild or harsh in it, and which of the kinds (bits
 * 1 << fault) it has.  Once, before the scenario draws sizes for the cluster that it builds. */
void sb_sizes_start(sb_world *world, uint64_t kinds);
bool sb_sizes_has(const sb_world *world, sb_fault kind);

/* The value, or, in a world that has the kind, a half of it, a quarter ... (harsh: halved up to
 * halvings_max times, mild: up to half as often), at least 1.  A smaller one counts as applied; it
 * is effective where the bound is met. */
uint64_t sb_size_draw(sb_world *world, sb_fault kind, uint64_t value, unsigned halvings_max);

/* ------------------------------------------------------------------------------------------ faults
 *
 * The swarm: per world each family of the plan is off, mild or harsh; rates are log-uniform;
 * trouble comes in epochs.  It runs as tasks of the director until sb_world_heal.
 */
typedef struct sb_swarm_plan {
    uint64_t kinds;   /* bits 1 << SB_FAULT_x that may happen: what the scenario declares */
    uint64_t victims; /* bits 1 << node that may be killed, stopped, paused, skewed */
    uint32_t down_at_once_max; /* how many victims may be down or paused at once, per role */
    sb_duration down_min, down_max, calm_min, calm_max;
    const char *failpoint_glob; /* NULL: none */
    uint64_t disks; /* bits 1 << node whose disk may stall, fail and fill up, one at a time */
    sb_duration stall_max; /* of a sync that stands still; 0: 5 s */
    uint64_t wipeable; /* bits 1 << node of victims that may lose all their files: all of these can
                          be made again */
    uint64_t precious; /* bits 1 << node that hold the only copy of something: never to be wiped,
                          and what may rot on them lies in a directory of its own */
    /* Of each of these disks: the directory whose files may rot and be misdirected, because the
     * program can make them again; NULL, also for the whole array: none. */
    const char *const *rebuildable; /* [SB_NODE_COUNT_MAX] or NULL; outlives the world */
    /* At most so many faults are bound to moments of the protocol (sim/fault/trigger.h); 0: none,
     * and all trouble comes in epochs. */
    uint32_t triggers;
} sb_swarm_plan;
#define SB_TRIGGER_MAX 32
void sb_swarm_start(sb_world *world, const sb_swarm_plan *plan);

/* Whether a plan, or a network, makes sense and promises nothing that its faults break; else the
 * problem is said in one line.  A plan that does not is a finding of sb_swarm_start; a scenario
 * asks before the first seed (sb_scenario.check). */
bool sb_swarm_plan_check(const sb_swarm_plan *plan, char *problem, size_t size);
bool sb_network_check(const sb_network *network, char *problem, size_t size);

/* The word of a kind ("kill"). */
const char *sb_fault_word(sb_fault kind);

/* From now on every choice is 0 and no fault happens; what is blocked opens, what is paused goes
 * on, what is down boots, also a machine that was never booted or whose program had returned by
 * itself.  Programs draw 0 as well (sb_random): no jitter tells candidates apart any more, their
 * addresses must.  A machine that the swarm had asked to stop and that still drains boots when it
 * is down, unless sb_node_stop is called for it before. */
void sb_world_heal(sb_world *world);

/* The heal of a core: the same, but in `rate` of a million worlds some machines never come back,
 * and what must come to its end has to do so without them.  0 draws nobody, then one, then the
 * gentlest way (sim/fault/absences.def).  Ask of a cluster what it promises: a machine that holds
 * the only copy of something must return. */
typedef enum sb_absence {
#define ABSENCE(name, word, fault, text) SB_ABSENCE_##name,
#include "sim/fault/absences.def"
#undef ABSENCE
    SB_ABSENCE_COUNT
} sb_absence;
const char *sb_absence_word(sb_absence absence);

typedef struct sb_core_plan {
    uint32_t rate;
    uint64_t may_stay_away; /* bits 1 << node */
    uint32_t away_max;      /* of these, so many at once */
    uint64_t absences;      /* bits 1 << SB_ABSENCE_x, of which each draws one; not 0 */
    uint64_t keepers;       /* bits 1 << node: what one that is DISOWNED does not reach */
} sb_core_plan;
void sb_world_heal_core(sb_world *world, const sb_core_plan *plan);

uint64_t sb_world_away(const sb_world *world);                   /* bits 1 << node */
sb_absence sb_node_absence(const sb_world *world, sb_node node); /* of one that is away */

/* Those that stayed away come back, as from a heal. */
void sb_world_rejoin(sb_world *world);

/* ----------------------------------------------------------------------------------- verdicts */

/* The world ends here with a finding (printf).  `oracle` names who says so; it is part of the
 * signature. */
void sb_finding(sb_world *world, sb_finding_kind kind, const char *oracle, const char *format, ...)
    __attribute__((noreturn, cold, format(printf, 4, 5)));

/* The same as seen from inside an observer, about a node. */
void sb_finding_at(sb_world *world, sb_finding_kind kind, sb_node node, const char *oracle,
                   const char *format, ...) __attribute__((noreturn, cold, format(printf, 5, 6)));

/* Observers run inside the event they watch; they must not wait.  What they allocate is the
 * director's. */
typedef void sb_report_observer(sb_world *world, sb_node node, uint32_t kind, const void *data,
                                size_t size);
typedef void sb_move_observer(sb_world *world, sb_node node, const sb_machine *machine, uint64_t id,
                              uint32_t from, uint32_t to);
void sb_observe_reports(sb_world *world, sb_report_observer *observer);
void sb_observe_moves(sb_world *world, sb_move_observer *observer);

/* What a stuck proof and a finding look at.  progress: a hash of what counts as progress (law 9),
 * ids and times made relative; without one, the counts of useful work (sb_count) are looked at.
 * describe: the state in one line ("jobs 1:running tasks 1:running(2/6) ..."); phase: one word for
 * the signature. */
typedef struct sb_witness {
    uint64_t (*progress)(sb_world *world);
    void (*describe)(sb_world *world, char *text, size_t size);
    const char *(*phase)(sb_world *world);
    /* The longest lease that is looked at only when somebody asks: no timer tells. */
    sb_duration lease_max;
    /* Rises with whatever is done towards progress, also with what is undone again; without one,
     * the moves of all state machines are counted.  It tells a livelock from a stuck job. */
    uint64_t (*effort)(sb_world *world);
    /* Of a world that stands still and whose record is kept: says with sb_explain_link what has not
     * ended, and who should end it.  It runs in the director, may allocate and may not wait. */
    void (*explain)(sb_world *world);
} sb_witness;
void sb_world_set_witness(sb_world *world, const sb_witness *witness);

/* "job 1 running", and one deeper "subtask 5 running, of server3": one link of the chain, printf.
 * node and task name whoever should go on with it (task NULL: nobody); who waits for whom is told
 * from there.  The first SB_EXPLAINED_MAX links are kept. */
#define SB_EXPLAINED_MAX 64
#define SB_EXPLAINED_DEPTH_MAX 7
typedef struct sb_explained {
    uint8_t depth; /* at most one more than that of the link before */
    sb_node node;
    char task[32];
    char text[160];
} sb_explained;
void sb_explain_link(sb_world *world, unsigned depth, sb_node node, const char *task,
                     const char *format, ...) __attribute__((format(printf, 5, 6)));
const sb_explained *sb_world_explained(const sb_world *world, size_t *count);

/* Wait, in a healed world, until done says so.  Proves, instead of timing out, that it never will.
 * The world ends with
 *
 *   deadlock   when nothing can happen any more, or when tasks wait for each other: at once when
 *              nobody could cancel their waits, else once nothing changes any more
 *   stuck-job  when the progress state stays the same over one full period of the longest live
 *              timer, and nobody works
 *   livelock   when no state comes that was not there before, over the same period or, when states
 *              come and go, over three, and somebody does work
 */
void sb_await(sb_world *world, bool (*done)(sb_world *world, void *context), void *context,
              const char *what);

/* ----------------------------------------------------------------- a finding, after the world */

#define SB_FRAME_MAX 48
typedef struct sb_frame {
    uint64_t address; /* of the program's code; not part of any digest */
} sb_frame;

typedef struct sb_finding_report {
    sb_finding_kind kind;
    char oracle[64]; /* the oracle, or the assertion's expression, or the signal's name */
    char text[512];  /* what was seen, in words */
    sb_node node;
    uint32_t incarnation;
    char task[32];
    sb_step step;
    sb_time time;
    sb_time since; /* of a world that stands still: when anything new came last */
    char file[96]; /* for assertions: where it stands; else "" until symbolised */
    int line;
    char function[64];
    char phase[32];
    char state[512]; /* the witness's description */
    uint64_t fault_address;
    unsigned frame_count;
    sb_frame frames[SB_FRAME_MAX]; /* innermost first */
} sb_finding_report;

/* Whether it is that the world stands still; then there is a chain of who waits for whom. */
bool sb_finding_stands_still(const sb_finding_report *finding);

const sb_finding_report *sb_world_finding(const sb_world *world); /* NULL: none */

/* The tasks that wait, for a report: in the order of their lanes.  Returns false when there are no
 * more. */
typedef struct sb_waiting_task {
    sb_node node;
    uint32_t incarnation;
    uint16_t lane;
    const char *name;
    const char *wait;        /* "reply", "channel", "mutex", "sleep", ... */
    const char *object;      /* the name of what it waits for; may be NULL */
    sb_node peer;            /* of a call; 0: none */
    sb_time since, deadline; /* SB_FOREVER: none */
    sb_step cause;           /* the last event of the task */
    uint16_t holder;         /* lane of the task that holds the mutex it waits for; 0: none */
    uint16_t group;          /* lane of a task that the group it waits for counts; 0: none */
    unsigned frame_count;
    sb_frame frames[SB_FRAME_MAX];
} sb_waiting_task;
bool sb_world_next_waiting(sb_world *world, uint16_t *lane, sb_waiting_task *task);

#endif
