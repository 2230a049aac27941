/*
 * What the operator of a seed orders: one to a few jobs, each at its moment, and what he has them
 * suffer (a cancel; a pause and, later, a resume).
 *
 *     draw → the first order is submitted → a task for each order: wait, submit, meddle
 *          → with the end of the trouble all tasks end → settle: what is still to be said is said
 *
 * Every request is asked again, at one server after the other, until one has given its answer;
 * after the heal that must come.  A job that was paused is resumed at the latest then.
 */
#ifndef NODES_SCENARIOS_SCRIPT_H
#define NODES_SCENARIOS_SCRIPT_H

#include "nodes/draft.h"
#include "nodes/oracles/oracle.h"
#include "nodes/scenarios/operator.h"

typedef enum order_kind {
#define ORDER(name, text, counter) ORDER_##name,
#include "nodes/scenarios/orders.def"
#undef ORDER
    ORDER_KIND_COUNT
} order_kind;

#define SCRIPT_ORDERS_MAX 5u
#define ORDER_WISHES_MAX 3u

/* What the operator wants of a job that was accepted. */
typedef struct wish {
    wire_method method; /* CANCEL_JOB, PAUSE_JOB, RESUME_JOB */
    sb_duration after;  /* the wish before it was answered, or the job was accepted */
    bool asked;         /* and perhaps heard */
    job_answer answer;  /* NOT_READY: none yet */
} wish;

typedef struct order {
    order_kind kind;
    submit_job_request asked;
    sb_duration after; /* it is submitted so long after the script has begun */
    wish wishes[ORDER_WISHES_MAX];
    uint32_t wish_count;

    /* How it went. */
    job_answer answer; /* to the submission: OK; NOT_READY: none yet */
    job_id job;        /* of OK */
    sb_time accepted;
    bool tried;
    uint64_t full_disks; /* when it was submitted first: script_full_disks */
    bool pause_asked;    /* by any wish, and perhaps heard, perhaps late */
} order;

typedef struct script {
    sb_world *world;
    operator_desk *desk;
    const watch *watch;
    order orders[SCRIPT_ORDERS_MAX];
    uint32_t order_count;
    bool pauses_at_the_heal; /* the first job that lives then, until it has paused */
    sb_wait_group tasks;
    sb_scope scope; /* of the tasks; ends with the trouble */
} script;

void script_init(script *into, sb_world *world, operator_desk *desk, const watch *seen);
void script_release(script *of);

/* Another order: ADD INDEX of the workload's index of that number, to a table. */
order *script_add_index(script *into, table_id table, uint32_t index);

/* Another wish about an order, uttered at a drawn moment within the window. */
void script_wish_within(script *of, order *which, wire_method method, sb_duration window);

/* The first order: ADD INDEX of the first index, of any, or of several, of a table; drawn, the calm
 * answer is the first index. */
void script_draw_first(script *into, table_id table);

/* More orders, and wishes about all of them, drawn; the calm answer is none.  They are submitted
 * within the window. */
typedef struct script_limits {
    uint32_t orders_max; /* of all, with those that are there already */
    sb_duration window;
    uint32_t cancel_rate; /* of a million orders, so many are cancelled */
    uint32_t pause_rate;  /* likewise; and resumed after a while */
    bool drops;           /* DROP INDEX too */
} script_limits;
void script_draw(script *into, const script_limits *limits);

/* Of a million of its orders, so many have their backfill done by the owner alone. */
void script_draw_single(script *into, uint32_t rate);

/* The first order: tried until it is answered or the time has passed. */
void script_submit_first(script *of, sb_duration patience);

/* The tasks of all orders; then their end, whatever is left to be said. */
void script_start(script *of);
void script_stop(script *of);

/* After the heal: one round of what is left to be said; true: nothing is. */
bool script_settle(script *of);

/* A job that lives and is to pause now, if the seed wants one; 0: none.  Whether it has, or has
 * ended. */
job_id script_pause_now(script *of);
bool script_has_paused(script *of, job_id job);

/* Resume whatever may be paused, also by a wish that was heard late.  For every round of waiting
 * for the jobs' end. */
void script_resume(script *of);

/* Whether every job has ended, as far as is known. */
bool script_ended(const script *of);

/* How many orders are not known to have come to their end. */
uint32_t script_unended(const script *of);

/* The job of the first order; 0: not accepted yet. */
job_id script_first_job(const script *of);

/* How often a program has been told that a disk has no room left. */
uint64_t script_full_disks(const sb_world *world);

/* What the oracles are told, and the counts of useful work. */
void script_tell(const script *of, evidence *into);
void script_count(const script *of, const durable_cluster *durable);

#endif
