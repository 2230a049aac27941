/*
 * The swarm: what trouble a world has, and how it is drawn.
 *
 * Swarm testing (Groce et al., ISSTA 2012) leaves things out: a world in which only messages are
 * lost, or only disks misbehave, finds what a world with everything at once hides.  So every family
 * of faults is off, mild or harsh per world, every kind of a family that is on is there or not, and
 * rates are log-uniform.  Trouble comes in epochs with calm between, so that systems also get to
 * recover.
 *
 * Every draw has 0 for the calm answer: a world whose tape is empty has no trouble at all.
 */
#ifndef SB_FAULT_SWARM_H
#define SB_FAULT_SWARM_H

#include "sim/fault/trigger.h"
#include "sim/kernel/kernel.h"

typedef enum sb_swarm_level { SB_SWARM_OFF, SB_SWARM_MILD, SB_SWARM_HARSH } sb_swarm_level;

typedef struct sb_swarm {
    sb_world *world;
    sb_swarm_plan plan;
    uint64_t kinds; /* bits 1 << fault that this world has, in epochs */
    sb_swarm_level network_level, disk_level, process_level, clock_level, code_level;
    sb_network before;                     /* as the scenario has set it */
    sb_network calm, trouble;              /* between epochs and in them */
    sb_disk_trouble disk;                  /* of a disk that is struck, in an epoch */
    uint32_t code_rates[SB_FAILPOINT_MAX]; /* of failpoints in epochs; 0: not the swarm's */
    uint64_t looping;                      /* bits 1 << node that die again and again */
    bool healed;
    sb_scope scope; /* ends with the heal */
    sb_trigger_set triggers;
} sb_swarm;

static inline bool sb_swarm_has(const sb_swarm *swarm, sb_fault fault)
{
    return (swarm->kinds >> fault & 1) != 0;
}

/* Any of the kinds, bits 1 << fault. */
static inline bool sb_swarm_has_any(const sb_swarm *swarm, uint64_t kinds)
{
    return (swarm->kinds & kinds) != 0;
}

#define SB_KIND(fault) (UINT64_C(1) << SB_FAULT_##fault)

/* What strikes a machine, what comes over one disk at a time, and what clocks do; of the latter,
 * what comes in epochs. */
#define SB_STRIKE_KINDS                                                                            \
    (SB_KIND(KILL) | SB_KIND(STOP) | SB_KIND(PAUSE) | SB_KIND(CRASH_LOOP) | SB_KIND(EMPTY_DISK))
#define SB_ONE_DISK_KINDS                                                                          \
    (SB_KIND(IO_LATENCY) | SB_KIND(SYNC_STALL) | SB_KIND(SYNC_ERROR) | SB_KIND(WRITE_ERROR) |      \
     SB_KIND(READ_ERROR) | SB_KIND(DISK_FULL) | SB_KIND(BIT_ROT) | SB_KIND(MISDIRECTED_WRITE))
#define SB_CLOCK_EPOCH_KINDS (SB_KIND(JUMP_FORWARD) | SB_KIND(JUMP_BACK) | SB_KIND(FREEZE))
#define SB_CLOCK_KINDS (SB_KIND(SKEW) | SB_KIND(DRIFT) | SB_CLOCK_EPOCH_KINDS)

static inline bool sb_is_among(sb_fault kind, uint64_t kinds)
{
    return (kinds >> kind & 1) != 0;
}

/* The n-th bit that is set, and there is one; n counts from 0. */
static inline unsigned sb_bit_at(uint64_t bits, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        bits &= bits - 1;
    }
    return (unsigned)__builtin_ctzll(bits);
}

/* Log-uniform in [low, high]; 0 < low <= high.  0 draws the lowest. */
uint64_t sb_draw_log(sb_world *world, sb_stream stream, uint64_t low, uint64_t high);
/* The same with the highest for 0: for the length of calm. */
uint64_t sb_draw_log_down(sb_world *world, sb_stream stream, uint64_t low, uint64_t high);

/* How far a wall clock is off or jumps. */
sb_duration sb_swarm_draw_skew(sb_swarm *swarm, sb_stream stream);

/* Set a victim's clocks before it boots (while it runs: only its wall clock, which may jump). */
void sb_swarm_set_clock(sb_swarm *swarm, sb_node node);

/* The world is healed: from here on no fault may be done (accounting.c). */
void sb_accounts_close(sb_world *world);

/* ------------------------------------------------------------------------------------- trouble
 *
 * In trouble.c, trouble_network.c and trouble_machines.c.
 *
 * The tasks that make trouble, one for each kind of trouble that comes in epochs.
 */
void sb_trouble_start(sb_swarm *swarm);
void sb_trouble_start_network(sb_swarm *swarm);
void sb_trouble_start_machines(sb_swarm *swarm);

/* All machines but the director: bits 1 << node. */
uint64_t sb_everybody(const sb_world *world);

/* What is done to the link of two machines, or to both of theirs; and to each from one set to
 * another. */
typedef void sb_link_change(sb_world *world, sb_node from, sb_node to);
void sb_for_each_link(sb_world *world, uint64_t from_nodes, uint64_t to_nodes,
                      sb_link_change *change);

/* How long calm lasts until the next epoch (harsh worlds have a quarter of it), and trouble. */
sb_duration sb_swarm_draw_calm(sb_swarm *swarm, sb_swarm_level level);
sb_duration sb_swarm_draw_trouble(sb_swarm *swarm);

/* Let it pass.  False: the world was healed. */
bool sb_swarm_pass(sb_swarm *swarm, sb_duration duration);

#define SB_LOOP_UP_MIN (100 * SB_MICROSECOND) /* between two deaths of a crash loop */

/* Whether a victim is well, or drains and may be struck by this kind all the same, and few enough
 * others of its role are not well. */
bool sb_swarm_may_strike(const sb_swarm *swarm, unsigned node, sb_fault kind);

/* How long a sync may stand still. */
sb_duration sb_swarm_stall_max(const sb_swarm *swarm);

/* Of those of the plan, of which one at a time may be in trouble. */
bool sb_swarm_has_troubled_disk(const sb_swarm *swarm);

/* For a trigger: kill, stop or pause it, if it may be struck, and bring it back when the time has
 * passed or `until` is canceled.  Waits until it is back.  False: it may not be struck. */
bool sb_swarm_strike(sb_swarm *swarm, sb_fault kind, sb_node node, sb_duration duration,
                     sb_scope *until);

void sb_failpoint_arm(sb_world *world, size_t number);

/* The scenario or the command line has said how often this one fires, if at all. */
bool sb_failpoint_is_said(const sb_world *world, size_t number);

/* Rates for those failpoints that match: for some of them, as the salt has it; salt 0: for none. */
void sb_failpoints_draw(const char *glob, uint64_t salt, uint32_t low, uint32_t high,
                        uint32_t rates[SB_FAILPOINT_MAX]);

#endif
