/*
 * The scheduler of one task: see scheduler.h.
 *
 * A subtask is taken from a server only when placement says that the server has no live session; a
 * server that has restarted keeps its subtasks and runs them again.  Work is given to servers that
 * are live and stand in the registry under their live session.
 */
#include "engine/task/scheduler.h"

#include "engine/base/checksum.h"
#include "engine/task/liveness.h"
#include "engine/task/moves.h"
#include "engine/transaction/route.h"

#define TICK (500 * SB_MILLISECOND)
#define ROWS_PER_SUBTASK 150u
#define QUIET_TICKS_MAX 8u /* the registry is looked at that often, whatever the view */

/* A server that may be given work. */
typedef struct candidate {
    sb_address server;
    uint32_t load; /* subtasks of it that have not ended */
} candidate;

/* What one tick looks at and decides. */
typedef struct round {
    scheduler *of;
    transaction *in;
    server_sessions sessions;
    task_row task;
    subtask_row *subtasks;
    uint32_t subtask_count;
    candidate candidates[SERVERS_MAX];
    uint32_t candidate_count;
    noted_moves moves;
    bool changed;
} round;

void scheduler_init(scheduler *of, const tenure *by, const task_row *wanted,
                    const scheduler_settings *settings)
{
    *of = (scheduler){.tenure = *by, .wanted = *wanted, .settings = *settings};
    of->settings.tick = of->settings.tick > 0 ? of->settings.tick : TICK;
    of->settings.rows_per_subtask =
        of->settings.rows_per_subtask > 0 ? of->settings.rows_per_subtask : ROWS_PER_SUBTASK;
    sb_condition_init(&of->wake, "task scheduler");
    task_plan_init(&of->plan);
}

void scheduler_release(scheduler *of)
{
    task_plan_release(&of->plan);
    sb_condition_release(&of->wake);
}

void scheduler_set_order(scheduler *of, scheduler_order order)
{
    if (of->order != order) {
        of->order = order;
        of->woken = true;
        sb_condition_broadcast(&of->wake);
    }
}

/* ------------------------------------------------------------------------------------ servers */

/* Who may be given work; rows of servers that are gone are taken out of the registry. */
static engine_status find_candidates(round *on, sb_scope *scope)
{
    server_row *servers;
    uint32_t count;
    const engine_status status = servers_read_in(on->in, &servers, &count, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    for (uint32_t i = 0; i < count && on->candidate_count < SERVERS_MAX; i++) {
        const session_id live = server_sessions_live(&on->sessions, servers[i].server);
        if (live == servers[i].session) {
            on->candidates[on->candidate_count++] = (candidate){.server = servers[i].server};
        } else if (live == 0) {
            server_delete(on->in, servers[i].server);
            on->changed = true;
        }
    }
    sb_free(servers);
    return ENGINE_OK;
}

static candidate *candidate_of(round *on, sb_address server)
{
    for (uint32_t i = 0; i < on->candidate_count; i++) {
        if (on->candidates[i].server == server) {
            return &on->candidates[i];
        }
    }
    return NULL;
}

/* The one with the least load, the first by address among equals; NULL when there is nobody. */
static candidate *idlest(round *on)
{
    candidate *found = NULL;
    for (uint32_t i = 0; i < on->candidate_count; i++) {
        if (found == NULL || on->candidates[i].load < found->load) {
            found = &on->candidates[i];
        }
    }
    return found;
}

/* ----------------------------------------------------------------------------------- subtasks */

static void move_task(round *on, task_state to)
{
    moves_note(&on->moves, &task_machine, task_identity(on->task.job, on->task.phase),
               on->task.state, to);
    on->task.state = to;
    on->task.tenure = on->of->tenure.id;
    task_put(on->in, &on->task);
    on->changed = true;
}

static void put_subtask(round *on, subtask_row *row, subtask_state to)
{
    if (row->state != to) {
        moves_note(&on->moves, &subtask_machine,
                   subtask_identity(row->job, subtask_number(row->phase, row->number)), row->state,
                   to);
        row->state = to;
    }
    subtask_put(on->in, row);
    on->changed = true;
}

/* Hand the subtask to a server: whatever an earlier one reports about it is void from now on. */
static void give(round *on, subtask_row *row, candidate *to)
{
    row->server = to->server;
    row->session = 0;
    row->attempt++;
    to->load++;
    put_subtask(on, row, SUBTASK_PENDING);
}

static void count_loads(round *on)
{
    for (uint32_t i = 0; i < on->subtask_count; i++) {
        candidate *holder = candidate_of(on, on->subtasks[i].server);
        if (holder != NULL && !subtask_state_is_final(on->subtasks[i].state)) {
            holder->load++;
        }
    }
}

/* Subtasks of servers without a live session go to others. */
static void fail_over(round *on)
{
    for (uint32_t i = 0; i < on->subtask_count; i++) {
        subtask_row *row = &on->subtasks[i];
        candidate *heir = idlest(on);
        if (heir == NULL) {
            SOMETIMES(true, "no-server-to-give-subtasks-to");
            return;
        }
        if (!subtask_state_is_final(row->state) &&
            server_sessions_live(&on->sessions, row->server) == 0) {
            SOMETIMES(row->state == SUBTASK_RUNNING, "running-subtask-moved-to-another-server");
            give(on, row, heir);
        }
    }
}

/* Subtasks that nobody has begun move from the busiest server to the idlest, while that evens them
 * out. */
static void balance(round *on)
{
    for (uint32_t i = on->subtask_count; i-- > 0;) {
        subtask_row *row = &on->subtasks[i];
        candidate *holder = candidate_of(on, row->server), *idle = idlest(on);
        if (row->state == SUBTASK_PENDING && holder != NULL && holder->load >= idle->load + 2) {
            SOMETIMES(true, "pending-subtask-balanced");
            holder->load--;
            give(on, row, idle);
        }
    }
}

/* ---------------------------------------------------------------------------------- decisions */

/* There is no such task yet. */
static void submit_if_wanted(round *on)
{
    on->task = on->of->wanted;
    on->task.state = TASK_PENDING;
    if (on->of->order == SCHEDULER_CANCEL) {
        on->task.state = TASK_REVERTED; /* nothing is to be undone */
    } else if (on->of->order == SCHEDULER_GO) {
        on->task.tenure = on->of->tenure.id;
        task_put(on->in, &on->task);
        on->changed = true;
    }
}

static void start(round *on)
{
    const task_plan *plan = &on->of->plan;
    if (plan->count == 0 || on->candidate_count == 0) {
        SOMETIMES(plan->count > 0, "task-waits-for-a-server");
        return;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        candidate *heir = idlest(on);
        subtask_row row = {.job = on->task.job,
                           .phase = on->task.phase,
                           .number = i,
                           .kind = on->task.kind,
                           .state = SUBTASK_PENDING,
                           .server = heir->server,
                           .attempt = 1,
                           .table = on->task.table,
                           .index = on->task.index,
                           .snapshot = on->task.snapshot,
                           .start = plan->ranges[i].start,
                           .end = plan->ranges[i].end};
        heir->load++;
        put_subtask(on, &row, SUBTASK_PENDING);
    }
    on->task.subtask_count = plan->count;
    move_task(on, TASK_RUNNING);
}

/* What has failed or is given up is undone: nobody is to run any of it. */
static void revert(round *on)
{
    for (uint32_t i = 0; i < on->subtask_count; i++) {
        if (!subtask_state_is_final(on->subtasks[i].state)) {
            put_subtask(on, &on->subtasks[i], SUBTASK_CANCELED);
        }
    }
    move_task(on, TASK_REVERTED);
}

static void cancel(round *on)
{
    on->task.cause = on->task.cause == FAILURE_NONE ? FAILURE_CANCELLED : on->task.cause;
    move_task(on, TASK_CANCELLING);
}

/* Nothing of it is to be run from now on. */
static void pause(round *on)
{
    for (uint32_t i = 0; i < on->subtask_count; i++) {
        if (!subtask_state_is_final(on->subtasks[i].state)) {
            SOMETIMES(on->subtasks[i].state == SUBTASK_RUNNING, "running-subtask-paused");
            put_subtask(on, &on->subtasks[i], SUBTASK_PAUSED);
        }
    }
    move_task(on, TASK_PAUSING);
}

/* The paused ones are pending again, another attempt each, for whoever has least to do. */
static void resume(round *on)
{
    count_loads(on);
    for (uint32_t i = 0; i < on->subtask_count; i++) {
        if (on->subtasks[i].state == SUBTASK_PAUSED) {
            give(on, &on->subtasks[i], idlest(on));
        }
    }
    move_task(on, TASK_RESUMING);
}

/* How far the subtasks are: true when all have succeeded; a failure is the task's cause. */
static bool take_stock(round *on)
{
    uint32_t succeeded = 0;
    uint64_t row_count = 0;
    sb_assert_op(on->subtask_count, ==, on->task.subtask_count);
    for (uint32_t i = 0; i < on->subtask_count; i++) {
        const subtask_row *row = &on->subtasks[i];
        succeeded += row->state == SUBTASK_SUCCEED;
        row_count += row->row_count;
        if (row->state == SUBTASK_FAILED && on->task.cause == FAILURE_NONE) {
            on->task.cause = row->cause;
        }
    }
    on->of->row_count = row_count;
    return succeeded == on->subtask_count;
}

static void watch(round *on)
{
    const bool done = take_stock(on);
    if (on->task.cause != FAILURE_NONE) {
        move_task(on, TASK_REVERTING);
    } else if (done) {
        move_task(on, TASK_SUCCEED);
    } else if (on->of->order == SCHEDULER_PAUSE) {
        pause(on);
    } else {
        count_loads(on);
        fail_over(on);
        balance(on);
    }
}

static void decide_pending(round *on)
{
    if (on->of->order == SCHEDULER_CANCEL) {
        cancel(on);
    } else if (on->of->order == SCHEDULER_GO && failpoint("plan-permanent-error")) {
        on->task.cause = FAILURE_INJECTED;
        move_task(on, TASK_FAILED);
    } else if (on->of->order == SCHEDULER_GO) {
        start(on);
    }
}

static void decide_running(round *on)
{
    if (on->of->order == SCHEDULER_CANCEL) {
        cancel(on);
    } else {
        watch(on);
    }
}

static void decide_paused(round *on)
{
    if (on->of->order == SCHEDULER_CANCEL) {
        cancel(on);
    } else if (on->of->order == SCHEDULER_GO && on->candidate_count > 0) {
        resume(on);
    }
}

static void decide(round *on)
{
    switch (on->task.state) {
    case TASK_PENDING:
        decide_pending(on);
        break;
    case TASK_RUNNING:
        decide_running(on);
        break;
    case TASK_PAUSED:
        decide_paused(on);
        break;
    case TASK_PAUSING:
        move_task(on, TASK_PAUSED);
        break;
    case TASK_RESUMING:
        move_task(on, TASK_RUNNING);
        break;
    case TASK_CANCELLING:
        move_task(on, TASK_REVERTING);
        break;
    case TASK_REVERTING:
        revert(on);
        break;
    default:
        sb_assert(task_state_is_final(on->task.state));
        break;
    }
}

/* The next move is due at once, whatever the order is. */
static bool is_on_its_way(task_state state)
{
    return state == TASK_PAUSING || state == TASK_RESUMING || state == TASK_CANCELLING ||
           state == TASK_REVERTING;
}

/* Nothing is to be done for this task now. */
static bool is_settled(const scheduler *of, task_state state)
{
    const bool rests = state == TASK_PENDING || state == TASK_PAUSED;
    return task_state_is_final(state) || (of->order == SCHEDULER_PAUSE && rests);
}

/* -------------------------------------------------------------------------------------- ticks */

static engine_status look(round *on, sb_scope *scope)
{
    engine_status status = find_candidates(on, scope);
    if (status == ENGINE_OK) {
        status = task_read_in(on->in, on->of->wanted.job, on->of->wanted.phase, &on->task, scope);
    }
    if (status == ENGINE_OK) {
        status = subtasks_read_in(on->in, on->task.job, on->task.phase, &on->subtasks,
                                  &on->subtask_count, scope);
    }
    return status;
}

/* A digest of what may call for a decision: which sessions live, how the subtasks stand, the order.
 */
static engine_status view_cheaply(scheduler *of, const server_sessions *sessions, uint64_t *view,
                                  sb_scope *scope)
{
    subtask_row *rows;
    uint32_t count;
    const engine_status status = subtasks_read_all(of->tenure.cluster, &rows, &count, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    buffer seen;
    buffer_init(&seen);
    buffer_add_u8(&seen, (uint8_t)of->order);
    for (uint32_t i = 0; i < sessions->count; i++) {
        buffer_add_u64(&seen, sessions->items[i].session);
        buffer_add_u8(&seen, sessions->items[i].live);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (rows[i].job == of->wanted.job && rows[i].phase == of->wanted.phase) {
            buffer_add_u8(&seen, (uint8_t)rows[i].state);
            buffer_add_u16(&seen, rows[i].server);
        }
    }
    *view = checksum64(buffer_slice(&seen));
    buffer_release(&seen);
    sb_free(rows);
    return ENGINE_OK;
}

/* Nothing has happened since a tick found nothing to do. */
static bool is_quiet(scheduler *of, uint64_t view)
{
    const bool quiet = view == of->quiet_view && of->quiet_ticks < QUIET_TICKS_MAX;
    of->quiet_ticks = quiet ? of->quiet_ticks + 1 : 0;
    return quiet;
}

/* One transaction, if there may be something to do; *task is what the task is after it. */
static engine_status tick(scheduler *of, task_row *task, sb_scope *scope)
{
    round on = {.of = of};
    uint64_t view = 0;
    moves_init(&on.moves);
    engine_status status = server_sessions_read(of->tenure.cluster, &on.sessions, scope);
    if (status == ENGINE_OK && task->state == TASK_RUNNING) {
        status = view_cheaply(of, &on.sessions, &view, scope);
        if (status == ENGINE_OK && is_quiet(of, view)) {
            return ENGINE_OK;
        }
    }
    if (status == ENGINE_OK) {
        status = tenure_begin(&of->tenure, &on.in, scope);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    status = look(&on, scope);
    if (status == ENGINE_OK) {
        decide(&on);
    } else if (status == ENGINE_NOT_FOUND) {
        submit_if_wanted(&on);
        status = ENGINE_OK;
    }
    if (status == ENGINE_OK && on.changed) {
        status = tenure_commit(&of->tenure, on.in, scope);
    } else {
        tenure_abandon(&of->tenure, on.in);
    }
    if (status == ENGINE_OK) {
        moves_record(&on.moves);
        *task = on.task;
        of->quiet_view = on.changed ? 0 : view;
    }
    moves_release(&on.moves);
    sb_free(on.subtasks);
    return status;
}

/* Until the next tick is due, or the order has changed. */
static void rest(scheduler *of, sb_scope *scope)
{
    sb_scope until;
    sb_scope_init_timeout(&until, scope, "scheduler tick", of->settings.tick);
    while (!of->woken && sb_scope_status(&until) == SB_OK) {
        sb_condition_wait(&of->wake, NULL, &until);
    }
    sb_scope_release(&until);
    of->woken = false;
}

static engine_status make_plan(scheduler *of, const task_row *task, sb_scope *scope)
{
    task_plan fresh;
    task_plan_init(&fresh);
    const engine_status status =
        task_plan_make(&fresh, of->tenure.cluster, task, of->settings.rows_per_subtask, scope);
    task_plan_release(status == ENGINE_OK ? &of->plan : &fresh);
    if (status == ENGINE_OK) {
        of->plan = fresh;
    }
    return status;
}

engine_status scheduler_run(scheduler *of, task_row *ended, sb_scope *scope)
{
    task_row task = of->wanted;
    backoff wait;
    backoff_init(&wait);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK) {
        status = tick(of, &task, scope);
        if (engine_status_is_passing(status)) {
            status = backoff_wait(&wait, scope);
            continue;
        }
        if (status != ENGINE_OK) {
            break;
        }
        backoff_init(&wait);
        if (is_settled(of, task.state)) {
            *ended = task;
            break;
        }
        if (is_on_its_way(task.state)) {
            continue;
        }
        if (task.state == TASK_PENDING && of->plan.count == 0 && of->order == SCHEDULER_GO) {
            status = make_plan(of, &task, scope);
        } else {
            rest(of, scope);
            status = engine_scope_status(scope);
        }
    }
    return status;
}
