/*
 * The operator's orders: see script.h.
 */
#include "nodes/scenarios/script.h"

#include <string.h>

#include "engine/wire/keys.h"
#include "nodes/counters.h"

#define ASK_PAUSE (250 * SB_MILLISECOND)
#define ANSWER_PATIENCE (20 * SB_SECOND)
#define TROUBLE_MAX (3600 * SB_SECOND) /* and the scope ends before */
#define NO_TABLE 99u
#define NO_COLUMN 7u
#define RESUME_WITHIN (12 * SB_SECOND)

static const unsigned order_counters[ORDER_KIND_COUNT] = {
#define ORDER(name, text, counter) counter,
#include "nodes/scenarios/orders.def"
#undef ORDER
};

void script_init(script *into, sb_world *world, operator_desk *desk, const watch *seen)
{
    memset(into, 0, sizeof(*into));
    into->world = world;
    into->desk = desk;
    into->watch = seen;
    sb_wait_group_init(&into->tasks, "orders of the operator");
    sb_scope_init(&into->scope, NULL, "orders of the operator");
}

void script_release(script *of)
{
    sb_wait_group_release(&of->tasks);
    sb_scope_release(&of->scope);
}

/* -------------------------------------------------------------------------------------- orders */

static order *add_order(script *into, order_kind kind, job_kind does, table_id table)
{
    sb_assert_op(into->order_count, <, SCRIPT_ORDERS_MAX);
    order *added = &into->orders[into->order_count++];
    *added = (order){
        .kind = kind, .asked = {.kind = does, .table = table}, .answer = JOB_ANSWER_NOT_READY};
    added->asked.nonce = (uint64_t)into->order_count << 32 | sb_random(UINT32_MAX);
    return added;
}

static void ask_for_index(order *into, uint32_t index)
{
    sb_assert_op(into->asked.index_count, <, JOB_INDEXES_MAX);
    const workload_index *from = &workload_indexes[index];
    index_request *added = &into->asked.indexes[into->asked.index_count++];
    *added = (index_request){.name = slice_of_string(from->name),
                             .unique = from->unique,
                             .column_count = from->column_count};
    memcpy(added->columns, from->columns, from->column_count);
}

order *script_add_index(script *into, table_id table, uint32_t index)
{
    sb_assert_op(index, <, workload_index_count);
    const workload_index *from = &workload_indexes[index];
    const order_kind kind = from->unique             ? ORDER_ADD_UNIQUE
                            : from->column_count > 1 ? ORDER_ADD_COLUMNS
                                                     : ORDER_ADD_INDEX;
    order *added = add_order(into, kind, JOB_KIND_ADD_INDEX, table);
    ask_for_index(added, index);
    return added;
}

static sb_duration draw_moment(const script *of, sb_duration window)
{
    return sb_choose(of->world, SB_STREAM_SCENARIO, window / SB_MILLISECOND + 1) * SB_MILLISECOND;
}

void script_wish_within(script *of, order *which, wire_method method, sb_duration window)
{
    sb_assert_op(which->wish_count, <, ORDER_WISHES_MAX);
    which->wishes[which->wish_count++] =
        (wish){.method = method, .after = draw_moment(of, window), .answer = JOB_ANSWER_NOT_READY};
}

/* --------------------------------------------------------------------------------------- draws */

/* Two neighbours in the list. */
static void draw_several(script *into, table_id table)
{
    order *added = add_order(into, ORDER_ADD_SEVERAL, JOB_KIND_ADD_INDEX, table);
    const uint32_t first =
        (uint32_t)sb_choose(into->world, SB_STREAM_SCENARIO, workload_index_count - 1);
    ask_for_index(added, first);
    ask_for_index(added, first + 1);
}

static void draw_bad(script *into, table_id table, bool drops)
{
    if (drops && sb_choose(into->world, SB_STREAM_SCENARIO, 3) == 2) {
        order *dropped = add_order(into, ORDER_BAD_INDEX, JOB_KIND_DROP_INDEX, table);
        dropped->asked.index_count = 1;
        dropped->asked.indexes[0].name = slice_of_string("nothing");
        return;
    }
    const bool no_table = sb_choose(into->world, SB_STREAM_SCENARIO, 2) == 0;
    order *added = add_order(into, no_table ? ORDER_BAD_TABLE : ORDER_BAD_COLUMN,
                             JOB_KIND_ADD_INDEX, no_table ? NO_TABLE : table);
    ask_for_index(added, 0);
    added->asked.indexes[0].columns[0] = no_table ? SBTEST_K : NO_COLUMN;
}

/* Of an index that an earlier order adds to the same table. */
static bool draw_drop(script *into)
{
    const order *earlier =
        &into->orders[sb_choose(into->world, SB_STREAM_SCENARIO, into->order_count)];
    if (earlier->asked.kind != JOB_KIND_ADD_INDEX || earlier->kind >= ORDER_BAD_TABLE) {
        return false;
    }
    order *added = add_order(into, ORDER_DROP_INDEX, JOB_KIND_DROP_INDEX, earlier->asked.table);
    added->asked.index_count = 1;
    added->asked.indexes[0].name = earlier->asked.indexes[0].name;
    return true;
}

typedef enum drawn_kind {
    DRAWN_ADD,
    DRAWN_MORE, /* the same, but it is drawn more often */
    DRAWN_SEVERAL,
    DRAWN_BAD,
    DRAWN_DROP,
    DRAWN_KIND_COUNT
} drawn_kind;

/* Not at all calm: paused and resumed, paused and cancelled, cancelled. */
static void draw_wishes(script *of, order *which, const script_limits *limits)
{
    if (sb_chance(of->world, SB_STREAM_SCENARIO, limits->pause_rate)) {
        const bool gives_up = sb_choose(of->world, SB_STREAM_SCENARIO, 4) == 3;
        script_wish_within(of, which, METHOD_PAUSE_JOB, limits->window);
        script_wish_within(of, which, gives_up ? METHOD_CANCEL_JOB : METHOD_RESUME_JOB,
                           RESUME_WITHIN);
    }
    if (sb_chance(of->world, SB_STREAM_SCENARIO, limits->cancel_rate)) {
        script_wish_within(of, which, METHOD_CANCEL_JOB, limits->window);
    }
}

static void draw_order(script *into, const script_limits *limits)
{
    const boot_settings *settings = &into->desk->machines->plan.settings;
    /* The others before the first: they are smaller, and the first has a job already. */
    const uint64_t place = sb_choose(into->world, SB_STREAM_SCENARIO, settings->tables);
    const table_id table = settings->table + settings->tables - 1 - place;
    const uint64_t kind = sb_choose(into->world, SB_STREAM_SCENARIO, DRAWN_KIND_COUNT);
    const uint32_t index =
        (uint32_t)sb_choose(into->world, SB_STREAM_SCENARIO, workload_index_count);
    if (kind == DRAWN_SEVERAL) {
        draw_several(into, table);
    } else if (kind == DRAWN_BAD) {
        draw_bad(into, table, limits->drops);
    } else if (kind != DRAWN_DROP || !limits->drops || !draw_drop(into)) {
        (void)script_add_index(into, table, index);
    }
    order *added = &into->orders[into->order_count - 1];
    added->after = draw_moment(into, limits->window);
}

void script_draw_first(script *into, table_id table)
{
    switch (sb_choose(into->world, SB_STREAM_SCENARIO, 4)) {
    case 3:
        draw_several(into, table);
        break;
    case 2: {
        const uint64_t index = sb_choose(into->world, SB_STREAM_SCENARIO, workload_index_count);
        (void)script_add_index(into, table, (uint32_t)index);
        break;
    }
    default:
        (void)script_add_index(into, table, 0);
    }
}

void script_draw(script *into, const script_limits *limits)
{
    sb_assert_op(limits->orders_max, <=, SCRIPT_ORDERS_MAX);
    const uint32_t room = limits->orders_max - into->order_count;
    const uint64_t more = sb_choose(into->world, SB_STREAM_SCENARIO, room + 1);
    for (uint64_t i = 0; i < more; i++) {
        draw_order(into, limits);
    }
    for (uint32_t i = 0; i < into->order_count; i++) {
        draw_wishes(into, &into->orders[i], limits);
    }
    into->pauses_at_the_heal = sb_chance(into->world, SB_STREAM_SCENARIO, limits->pause_rate);
}

void script_draw_single(script *into, uint32_t rate)
{
    for (uint32_t i = 0; i < into->order_count; i++) {
        into->orders[i].asked.single = sb_chance(into->world, SB_STREAM_SCENARIO, rate);
    }
}

/* -------------------------------------------------------------------------------------- asking */

static bool is_answered(const order *of)
{
    return of->answer != JOB_ANSWER_NOT_READY;
}

static bool is_final_answer(job_answer answer)
{
    return answer != JOB_ANSWER_NOT_READY && answer != JOB_ANSWER_UNKNOWN;
}

static void try_submit(script *of, order *which)
{
    if (!which->tried) {
        which->tried = true;
        which->full_disks = script_full_disks(of->world);
    }
    const job_answer answer = operator_try_submit(of->desk, &which->asked, &which->job);
    if (is_final_answer(answer)) {
        which->answer = answer;
        which->accepted = sb_world_time(of->world);
        if (answer != JOB_ANSWER_OK) {
            sb_fail("a job that could be one was refused: %s", job_answer_text(answer));
        }
        sb_count(order_counters[which->kind], 1);
        sb_count(COUNTER_orders_single, which->asked.single);
    }
}

static void submit_within(script *of, order *which, sb_duration patience)
{
    sb_scope scope;
    sb_scope_init_timeout(&scope, &of->scope, "operator submits", patience);
    try_submit(of, which);
    while (!is_answered(which) && sb_sleep(ASK_PAUSE, &scope) == SB_OK) {
        try_submit(of, which);
    }
    sb_scope_release(&scope);
}

/* The first answer that is one; later ones would tell of the same wish. */
static void try_wish(script *of, order *which, wish *one)
{
    const job_answer answer = operator_try_order(of->desk, one->method, which->job);
    one->asked |= answer == JOB_ANSWER_OK || answer == JOB_ANSWER_UNKNOWN;
    which->pause_asked |= one->asked && one->method == METHOD_PAUSE_JOB;
    if (is_final_answer(answer)) {
        one->answer = answer;
        if (answer == JOB_ANSWER_NOT_FOUND || answer == JOB_ANSWER_BAD_REQUEST) {
            sb_fail("%s of job %llu was answered: %s", wire_method_names[one->method],
                    (unsigned long long)which->job, job_answer_text(answer));
        }
    }
}

static void wish_within(script *of, order *which, wish *one, sb_duration patience)
{
    sb_scope scope;
    sb_scope_init_timeout(&scope, &of->scope, "operator wants something", patience);
    try_wish(of, which, one);
    while (!is_final_answer(one->answer) && sb_sleep(ASK_PAUSE, &scope) == SB_OK) {
        try_wish(of, which, one);
    }
    sb_scope_release(&scope);
}

/* --------------------------------------------------------------------------------------- tasks */

typedef struct order_task {
    script *of;
    order *which;
} order_task;

static void run_order(script *of, order *which)
{
    if (sb_sleep(which->after, &of->scope) != SB_OK) {
        return;
    }
    if (!is_answered(which)) {
        submit_within(of, which, TROUBLE_MAX);
    }
    for (uint32_t i = 0; i < which->wish_count && which->job != 0; i++) {
        if (sb_sleep(which->wishes[i].after, &of->scope) != SB_OK) {
            return;
        }
        wish_within(of, which, &which->wishes[i], ANSWER_PATIENCE);
    }
}

static void order_main(void *argument)
{
    order_task *task = argument;
    run_order(task->of, task->which);
    sb_free(task);
}

void script_submit_first(script *of, sb_duration patience)
{
    submit_within(of, &of->orders[0], patience);
}

void script_start(script *of)
{
    for (uint32_t i = 0; i < of->order_count; i++) {
        order_task *task = sb_alloc(sizeof(*task));
        *task = (order_task){of, &of->orders[i]};
        sb_spawn(&of->tasks, order_main, task, "operator-order-%u", i + 1);
    }
}

void script_stop(script *of)
{
    sb_scope_cancel(&of->scope);
    (void)sb_wait_group_wait(&of->tasks, NULL);
}

bool script_settle(script *of)
{
    bool settled = true;
    for (uint32_t i = 0; i < of->order_count; i++) {
        order *one = &of->orders[i];
        if (!is_answered(one)) {
            try_submit(of, one);
        }
        settled &= is_answered(one);
    }
    return settled;
}

/* At every server in turn: one of them may stay dead, and asking only the next could always meet
 * that one. */
static void resume(script *of, job_id job)
{
    job_answer answer = JOB_ANSWER_NOT_READY;
    for (uint32_t i = 0; i < of->desk->machines->server_count && !is_final_answer(answer); i++) {
        answer = operator_try_order(of->desk, METHOD_RESUME_JOB, job);
    }
}

void script_resume(script *of)
{
    for (uint32_t i = 0; i < of->order_count; i++) {
        const order *one = &of->orders[i];
        if (one->pause_asked && !watch_job_ended(of->watch, one->job)) {
            resume(of, one->job);
        }
    }
}

job_id script_pause_now(script *of)
{
    for (uint32_t i = 0; i < of->order_count && of->pauses_at_the_heal; i++) {
        order *one = &of->orders[i];
        if (one->job == 0 || watch_job_ended(of->watch, one->job)) {
            continue;
        }
        wish now = {.method = METHOD_PAUSE_JOB, .answer = JOB_ANSWER_NOT_READY};
        try_wish(of, one, &now);
        if (is_final_answer(now.answer)) {
            of->pauses_at_the_heal = false;
            return now.answer == JOB_ANSWER_OK ? one->job : 0;
        }
    }
    return 0;
}

bool script_has_paused(script *of, job_id job)
{
    const job_status_reply seen = operator_try_status(of->desk, job);
    return seen.answer == JOB_ANSWER_OK && (seen.ended || seen.state == JOB_PAUSED);
}

/* ---------------------------------------------------------------------------------- afterwards */

uint32_t script_unended(const script *of)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < of->order_count; i++) {
        const order *one = &of->orders[i];
        count += !is_answered(one) || (one->job != 0 && !watch_job_ended(of->watch, one->job));
    }
    return count;
}

bool script_ended(const script *of)
{
    return script_unended(of) == 0;
}

job_id script_first_job(const script *of)
{
    return of->orders[0].job;
}

static failure expected_failure(order_kind kind)
{
    return kind == ORDER_BAD_TABLE    ? FAILURE_NO_TABLE
           : kind == ORDER_BAD_COLUMN ? FAILURE_BAD_COLUMNS
           : kind == ORDER_BAD_INDEX  ? FAILURE_NO_INDEX
                                      : FAILURE_NONE;
}

/* Whether the wish was uttered and, with that answer, heard. */
static bool was_heard(const order *of, wire_method method, bool for_certain)
{
    for (uint32_t i = 0; i < of->wish_count; i++) {
        const wish *one = &of->wishes[i];
        if (one->method == method && (for_certain ? one->answer == JOB_ANSWER_OK : one->asked)) {
            return true;
        }
    }
    return false;
}

uint64_t script_full_disks(const sb_world *world)
{
    return sb_world_fault_counts(world)[SB_FAULT_DISK_FULL].effective;
}

/* Between its submission and, if that was seen, the step that turned it back. */
static bool met_full_disk(const script *of, const order *one)
{
    const watched_job *seen = watch_job(of->watch, one->job);
    const bool turned = seen != NULL && seen->turned_back;
    return (turned ? seen->full_disks : script_full_disks(of->world)) > one->full_disks;
}

void script_tell(const script *of, evidence *into)
{
    for (uint32_t i = 0; i < of->order_count; i++) {
        const order *one = &of->orders[i];
        if (one->job != 0) {
            sb_assert_op(into->job_count, <, JUDGED_JOBS_MAX);
            into->jobs[into->job_count++] =
                (judged_job){.id = one->job,
                             .cancel_asked = was_heard(one, METHOD_CANCEL_JOB, false),
                             .cancel_accepted = was_heard(one, METHOD_CANCEL_JOB, true),
                             .must_fail = expected_failure(one->kind),
                             .met_full_disk = met_full_disk(of, one)};
        }
    }
}

static bool read_history(const durable_cluster *durable, job_id job, job_row *row)
{
    buffer key;
    buffer_init(&key);
    key_history(&key, job);
    const version *found = durable_read(durable, buffer_slice(&key), TIMESTAMP_MAX);
    buffer_release(&key);
    return found != NULL && job_row_decode(job, version_value(found), row);
}

void script_count(const script *of, const durable_cluster *durable)
{
    for (uint32_t i = 0; i < of->order_count; i++) {
        job_row row;
        if (of->orders[i].job == 0 || !read_history(durable, of->orders[i].job, &row)) {
            continue;
        }
        const bool synced = row.state == JOB_SYNCED;
        sb_count(synced ? COUNTER_jobs_synced : COUNTER_jobs_undone, 1);
        sb_count(COUNTER_jobs_cancelled, row.cause == FAILURE_CANCELLED);
        sb_count(COUNTER_jobs_duplicate, row.cause == FAILURE_DUPLICATE_KEY);
    }
}
