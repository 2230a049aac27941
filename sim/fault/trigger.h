/*
 * Triggers: faults that are bound to what the protocol does.
 *
 *   "kill the server between the write of its checkpoint and the acknowledgement"
 *   "drop the answer to the second keepalive"
 *   "pause the owner when it is elected, until another one reigns"
 *
 *   when                                what
 *   [after a thing enters state s]      kind of fault; on the machine where it happens,
 *   the n-th occurrence of a moment     on its peer or on another victim;
 *                                       at once or a little later;
 *                                       for a while or until a thing enters state t
 *
 * Nobody lists these by hand.  The moments are what the kernel sees of any program (moments.def):
 * calls and answers by method, writes and syncs by the shape of the file's name, moves of declared
 * lifecycles, lines of failpoints and probes, reports, boots, drains.  Which of them is meant is
 * drawn so that what happens seldom is as likely as what happens all the time:
 *
 *   - Methods, moves, failpoints and probes are known by name.  Each name is hashed under the
 *     trigger's salt, and the highest hash wins (rendezvous hashing): all names are equally likely,
 *     and a name that is new in the code takes its share from the others and changes no other.
 *   - Files, reports and roles become known as they are met.  One in 1, 2, 4 or 8 of their names is
 *     picked by its hash, and the first of these that is met is meant.
 *
 * A trigger is one choice: its salt.  All the rest is hashed from the salt, so that a tape which
 * holds that one number brings the same trigger back, and a tape without it none.  Nothing else is
 * drawn for it, but what its strike draws as any strike does (trouble_machines.c): how often and
 * how soon a crash loop dies, what the clocks of a machine are when it boots again.  A salt of 0 is
 * no trigger.
 *
 * The first trigger of each world, and a third of the others, are aimed at a cell of the table of
 * kinds and states (pairs.c): the kind, among those this world has, strikes soon after some thing
 * has entered the state.  Over a sweep all cells are aimed at alike, and cold ones get warm.
 *
 * A fault at a moment happens before the effect: the file is not written yet, the answer is not
 * sent yet, and a machine that is killed there never does it.  What is done to the machine itself
 * needs a task of the director; until that has run, which is at this same instant, the machine is
 * held: nothing of it runs.  A task that may not be interrupted where it is (a move, a failpoint, a
 * probe) goes on until it next calls through door 1.
 *
 * A trigger that may not strike (somebody else of the role is down, another disk is in trouble)
 * waits for the next occurrence.  A machine that drains may be killed, emptied and paused.  Kinds
 * that this world does not have are never done; the director is never struck; the heal ends all
 * triggers.
 */
#ifndef SB_FAULT_TRIGGER_H
#define SB_FAULT_TRIGGER_H

#include "sim/kernel/kernel.h"

struct sb_swarm;

#define SB_TRIGGER_TEXT_MAX 160

/* On whom. */
typedef enum sb_trigger_target {
    SB_TARGET_SELF,
    SB_TARGET_PEER,
    SB_TARGET_OTHER
} sb_trigger_target;

/* A state that some thing enters: the machine's number and the state in it. */
typedef struct sb_state_of {
    const sb_machine *machine; /* NULL: none */
    uint32_t state;
} sb_state_of;

typedef struct sb_trigger {
    struct sb_swarm *swarm;
    uint64_t salt; /* 0: no trigger */
    sb_moment moment;
    uint64_t key;   /* what the moment is about, once that is known; 0: not yet */
    uint32_t share; /* of the names that become known as they are met: one in so many; 0: by name */
    sb_state_of after; /* counting begins when this state is entered */
    sb_state_of until; /* what lasts ends when this state is entered */
    uint32_t count, nth;
    uint32_t times; /* so often it may still happen */
    sb_fault kind;
    sb_trigger_target target;
    sb_duration delay, duration;
    bool counting; /* what it comes after has happened */
    bool away;     /* it has struck, and what it did lasts */
    sb_scope back; /* ends what lasts */
} sb_trigger;

typedef struct sb_trigger_set {
    uint32_t count;
    sb_trigger triggers[SB_TRIGGER_MAX];
} sb_trigger_set;

const char *sb_moment_word(sb_moment moment);

/* What triggers can do at all: bits 1 << fault. */
uint64_t sb_trigger_kinds(void);

/* Draw the triggers of this world, with kinds among `bound` (bits 1 << fault). */
void sb_triggers_draw(struct sb_swarm *swarm, uint64_t bound);

/* The scenario has its own word on this failpoint: no trigger fires it. */
void sb_triggers_leave_failpoint(struct sb_swarm *swarm, unsigned number);

/* The names of a file's path without its numbers, hashed: "jobs/7/3/run-12" is "jobs///run". */
uint64_t sb_path_shape(const char *path);

#endif
