/*
 * Rows of the distributed-task framework: see task.h.
 *
 *     task      u8 kind | u8 state | u64 table | u64 index | u64 snapshot | u32 subtasks
 *               | u64 tenure | u8 cause | checksum
 *     subtask   u8 kind | u8 state | u16 server | u64 session | u64 attempt | u64 table | u64 index
 *               | u64 snapshot | start | end | imported | u64 imported rows | u64 row count
 *               | u8 cause | checksum
 *     server    u64 session | checksum
 *
 * The checksum (u64) covers all before it and what the key says.
 */
#include "engine/task/task.h"

#include <string.h>

#include "engine/base/checksum.h"
#include "engine/wire/keys.h"

#define CHECKSUM_SIZE 8u
#define ROWS_MAX 4096u /* of one scan */

/* ------------------------------------------------------------------------------------- states */

static const char *const task_state_texts[] = {
#define TASK_STATE(name, text) [TASK_##name] = text,
#include "engine/task/task_states.def"
#undef TASK_STATE
};

static const sb_move task_moves[] = {
    {TASK_PENDING, TASK_RUNNING},      {TASK_PENDING, TASK_FAILED},
    {TASK_PENDING, TASK_CANCELLING},   {TASK_RUNNING, TASK_SUCCEED},
    {TASK_RUNNING, TASK_REVERTING},    {TASK_RUNNING, TASK_CANCELLING},
    {TASK_CANCELLING, TASK_REVERTING}, {TASK_REVERTING, TASK_REVERTED},
    {TASK_RUNNING, TASK_PAUSING},      {TASK_PAUSING, TASK_PAUSED},
    {TASK_PAUSED, TASK_RESUMING},      {TASK_RESUMING, TASK_RUNNING},
    {TASK_PAUSED, TASK_CANCELLING},
};

SB_MACHINE(task_machine, "task", task_state_texts, task_moves, .initial = TASK_PENDING,
           .finals = SB_STATE(TASK_SUCCEED) | SB_STATE(TASK_FAILED) | SB_STATE(TASK_REVERTED),
           .source = "TiDB's distributed tasks; issues 47520, 47902, 47954");

static const char *const subtask_state_texts[] = {
#define SUBTASK_STATE(name, text) [SUBTASK_##name] = text,
#include "engine/task/subtask_states.def"
#undef SUBTASK_STATE
};

static const sb_move subtask_moves[] = {
    {SUBTASK_PENDING, SUBTASK_RUNNING},
    {SUBTASK_RUNNING, SUBTASK_SUCCEED},
    {SUBTASK_RUNNING, SUBTASK_FAILED},
    {SUBTASK_PENDING, SUBTASK_CANCELED},
    {SUBTASK_RUNNING, SUBTASK_CANCELED},
    {SUBTASK_RUNNING, SUBTASK_PENDING}, /* its server is lost */
    {SUBTASK_PENDING, SUBTASK_PAUSED},
    {SUBTASK_RUNNING, SUBTASK_PAUSED},
    {SUBTASK_PAUSED, SUBTASK_PENDING},
    {SUBTASK_PAUSED, SUBTASK_CANCELED},
};

SB_MACHINE(subtask_machine, "subtask", subtask_state_texts, subtask_moves,
           .initial = SUBTASK_PENDING,
           .finals = SB_STATE(SUBTASK_SUCCEED) | SB_STATE(SUBTASK_FAILED) |
                     SB_STATE(SUBTASK_CANCELED),
           .source = "TiDB's distributed tasks; issues 46735, 48649, 48701");

static const char *const task_kind_texts[] = {
#define TASK_KIND(name, text) [TASK_KIND_##name] = text,
#include "engine/task/task_kinds.def"
#undef TASK_KIND
};

const char *task_kind_text(task_kind kind)
{
    sb_assert_op(kind, <, TASK_KIND_COUNT);
    return task_kind_texts[kind];
}

const char *task_state_text(task_state state)
{
    sb_assert_op(state, <, TASK_STATE_COUNT);
    return task_state_texts[state];
}

const char *subtask_state_text(subtask_state state)
{
    sb_assert_op(state, <, SUBTASK_STATE_COUNT);
    return subtask_state_texts[state];
}

bool task_state_is_final(task_state state)
{
    return state == TASK_SUCCEED || state == TASK_FAILED || state == TASK_REVERTED;
}

bool subtask_state_is_final(subtask_state state)
{
    return state == SUBTASK_SUCCEED || state == SUBTASK_FAILED || state == SUBTASK_CANCELED;
}

/* -------------------------------------------------------------------------------------- bytes */

void range_key_set(range_key *of, slice key)
{
    of->size = key.size < RANGE_KEY_MAX ? key.size : RANGE_KEY_MAX;
    if (of->size > 0) {
        memcpy(of->bytes, key.data, of->size);
    }
}

static void seal(buffer *value, uint64_t place)
{
    buffer_add_u64(value, checksum64_of_part(buffer_slice(value), place));
}

/* A cursor over what the checksum covers; failed when it does not fit. */
static cursor unseal(slice value, uint64_t place)
{
    if (value.size < CHECKSUM_SIZE) {
        cursor bad = cursor_of((slice){0});
        bad.failed = true;
        return bad;
    }
    const slice body = {value.data, value.size - CHECKSUM_SIZE};
    cursor sum = cursor_of((slice){value.data + body.size, CHECKSUM_SIZE});
    cursor at = cursor_of(body);
    at.failed = cursor_u64(&sum) != checksum64_of_part(body, place);
    return at;
}

void task_row_encode(const task_row *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, (uint8_t)from->kind);
    buffer_add_u8(into, (uint8_t)from->state);
    buffer_add_u64(into, from->table);
    buffer_add_u64(into, from->index);
    buffer_add_u64(into, from->snapshot);
    buffer_add_u32(into, from->subtask_count);
    buffer_add_u64(into, from->tenure);
    buffer_add_u8(into, (uint8_t)from->cause);
    seal(into, task_identity(from->job, from->phase));
}

bool task_row_decode(job_id job, uint32_t phase, slice value, task_row *into)
{
    cursor at = unseal(value, task_identity(job, phase));
    *into = (task_row){.job = job, .phase = phase};
    into->kind = (task_kind)cursor_u8_below(&at, TASK_KIND_COUNT);
    into->state = (task_state)cursor_u8_below(&at, TASK_STATE_COUNT);
    into->table = cursor_u64(&at);
    into->index = cursor_u64(&at);
    into->snapshot = cursor_u64(&at);
    into->subtask_count = cursor_u32(&at);
    into->tenure = cursor_u64(&at);
    into->cause = (failure)cursor_u8_below(&at, FAILURE_COUNT);
    return cursor_finished(&at) && into->snapshot != 0 && into->subtask_count <= SUBTASKS_MAX;
}

void subtask_row_encode(const subtask_row *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u8(into, (uint8_t)from->kind);
    buffer_add_u8(into, (uint8_t)from->state);
    buffer_add_u16(into, from->server);
    buffer_add_u64(into, from->session);
    buffer_add_u64(into, from->attempt);
    buffer_add_u64(into, from->table);
    buffer_add_u64(into, from->index);
    buffer_add_u64(into, from->snapshot);
    buffer_add_slice(into, range_key_slice(&from->start));
    buffer_add_slice(into, range_key_slice(&from->end));
    buffer_add_slice(into, range_key_slice(&from->imported));
    buffer_add_u64(into, from->imported_rows);
    buffer_add_u64(into, from->row_count);
    buffer_add_u8(into, (uint8_t)from->cause);
    seal(into, subtask_identity(from->job, subtask_number(from->phase, from->number)));
}

static void take_range_key(cursor *from, range_key *into)
{
    const slice key = cursor_slice(from);
    if (key.size > RANGE_KEY_MAX) {
        from->failed = true;
        return;
    }
    range_key_set(into, key);
}

bool subtask_row_decode(job_id job, uint32_t phase, uint32_t number, slice value, subtask_row *into)
{
    cursor at = unseal(value, subtask_identity(job, subtask_number(phase, number)));
    memset(into, 0, sizeof(*into));
    into->job = job;
    into->phase = phase;
    into->number = number;
    into->kind = (task_kind)cursor_u8_below(&at, TASK_KIND_COUNT);
    into->state = (subtask_state)cursor_u8_below(&at, SUBTASK_STATE_COUNT);
    into->server = cursor_u16(&at);
    into->session = cursor_u64(&at);
    into->attempt = cursor_u64(&at);
    into->table = cursor_u64(&at);
    into->index = cursor_u64(&at);
    into->snapshot = cursor_u64(&at);
    take_range_key(&at, &into->start);
    take_range_key(&at, &into->end);
    take_range_key(&at, &into->imported);
    into->imported_rows = cursor_u64(&at);
    into->row_count = cursor_u64(&at);
    into->cause = (failure)cursor_u8_below(&at, FAILURE_COUNT);
    return cursor_finished(&at) && into->snapshot != 0 && into->attempt != 0;
}

void server_row_encode(const server_row *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, from->session);
    seal(into, from->server);
}

bool server_row_decode(sb_address server, slice value, server_row *into)
{
    cursor at = unseal(value, server);
    *into = (server_row){.server = server};
    into->session = cursor_u64(&at);
    return cursor_finished(&at) && into->session != 0;
}

/* ------------------------------------------------------------------------------------ reading */

/* The number of a subtask or an address, out of a key. */
static uint32_t number_of_key(uint64_t number, uint64_t bound)
{
    if (number >= bound) {
        sb_fail("a key of the task framework has the number %llu", (unsigned long long)number);
    }
    return (uint32_t)number;
}

engine_status task_read_in(transaction *in, job_id job, uint32_t phase, task_row *found,
                           sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task(&key, job, phase);
    const engine_status status = transaction_read(in, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK && !task_row_decode(job, phase, buffer_slice(&value), found)) {
        sb_fail("the task of job %llu is damaged", (unsigned long long)job);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

engine_status subtask_read_in(transaction *in, job_id job, uint32_t phase, uint32_t number,
                              subtask_row *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_subtask(&key, job, phase, number);
    const engine_status status = transaction_read(in, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK &&
        !subtask_row_decode(job, phase, number, buffer_slice(&value), found)) {
        sb_fail("subtask %u of job %llu is damaged", number, (unsigned long long)job);
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

engine_status server_read_in(transaction *in, sb_address server, server_row *found, sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_server(&key, server);
    const engine_status status = transaction_read(in, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK && !server_row_decode(server, buffer_slice(&value), found)) {
        sb_fail("the registry row of %s is damaged", sb_address_name(server));
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

/* Every pair whose key begins with the word and these numbers; `in` or, when that is NULL, `of` at
 * the latest. */
static engine_status scan_rows(transaction *in, cluster *of, const char *word,
                               const uint64_t *numbers, uint32_t number_count, pair_list *found,
                               sb_scope *scope)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, word, numbers, number_count);
    key_prefix_end(&end, buffer_slice(&start));
    const engine_status status =
        in != NULL
            ? transaction_scan(in, buffer_slice(&start), buffer_slice(&end), ROWS_MAX, found, scope)
            : cluster_scan(of, TIMESTAMP_MAX, buffer_slice(&start), buffer_slice(&end), ROWS_MAX,
                           found, scope);
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

static subtask_row *decode_subtasks(const pair_list *found)
{
    subtask_row *rows = sb_alloc((found->count + 1) * sizeof(*rows));
    for (uint32_t i = 0; i < found->count; i++) {
        uint64_t numbers[3] = {0}; /* job, phase, subtask */
        if (!key_meta_decode(found->pairs[i].key, "subtask", numbers, 3) ||
            !subtask_row_decode(numbers[0], number_of_key(numbers[1], JOB_PHASES_MAX),
                                number_of_key(numbers[2], SUBTASKS_MAX), found->pairs[i].value,
                                &rows[i])) {
            sb_fail("subtask %llu of job %llu is damaged", (unsigned long long)numbers[2],
                    (unsigned long long)numbers[0]);
        }
    }
    return rows;
}

engine_status subtasks_read_in(transaction *in, job_id job, uint32_t phase, subtask_row **rows,
                               uint32_t *count, sb_scope *scope)
{
    const uint64_t numbers[2] = {job, phase};
    pair_list found;
    const engine_status status = scan_rows(in, NULL, "subtask", numbers, 2, &found, scope);
    if (status == ENGINE_OK) {
        *rows = decode_subtasks(&found);
        *count = found.count;
        pair_list_release(&found);
    }
    return status;
}

engine_status subtasks_read_all(cluster *of, subtask_row **rows, uint32_t *count, sb_scope *scope)
{
    pair_list found;
    const engine_status status = scan_rows(NULL, of, "subtask", NULL, 0, &found, scope);
    if (status == ENGINE_OK) {
        *rows = decode_subtasks(&found);
        *count = found.count;
        pair_list_release(&found);
    }
    return status;
}

engine_status servers_read_in(transaction *in, server_row **rows, uint32_t *count, sb_scope *scope)
{
    pair_list found;
    const engine_status status = scan_rows(in, NULL, "server", NULL, 0, &found, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    *rows = sb_alloc((found.count + 1) * sizeof(**rows));
    *count = found.count;
    for (uint32_t i = 0; i < found.count; i++) {
        uint64_t server;
        if (!key_meta_decode(found.pairs[i].key, "server", &server, 1) ||
            !server_row_decode((sb_address)number_of_key(server, (uint64_t)UINT16_MAX + 1),
                               found.pairs[i].value, &(*rows)[i])) {
            sb_fail("a row of the server registry is damaged");
        }
    }
    pair_list_release(&found);
    return ENGINE_OK;
}

/* ------------------------------------------------------------------------------------ writing */

void task_put(transaction *in, const task_row *row)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task(&key, row->job, row->phase);
    task_row_encode(row, &value);
    transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
}

void subtask_put(transaction *in, const subtask_row *row)
{
    sb_assert_op(row->number, <, SUBTASKS_MAX);
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_subtask(&key, row->job, row->phase, row->number);
    subtask_row_encode(row, &value);
    transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
}

void server_put(transaction *in, const server_row *row)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_server(&key, row->server);
    server_row_encode(row, &value);
    transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    buffer_release(&key);
    buffer_release(&value);
}

void server_delete(transaction *in, sb_address server)
{
    buffer key;
    buffer_init(&key);
    key_server(&key, server);
    transaction_delete(in, buffer_slice(&key));
    buffer_release(&key);
}

engine_status task_put_history(transaction *in, job_id job, uint32_t phase, sb_scope *scope)
{
    task_row task;
    engine_status status = task_read_in(in, job, phase, &task, scope);
    if (status != ENGINE_OK) {
        return status == ENGINE_NOT_FOUND ? ENGINE_OK : status;
    }
    sb_assert(task_state_is_final(task.state));
    subtask_row *rows;
    uint32_t count;
    status = subtasks_read_in(in, job, phase, &rows, &count, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_task_history(&key, job, phase);
    task_row_encode(&task, &value);
    transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    key_task(&key, job, phase);
    transaction_delete(in, buffer_slice(&key));
    for (uint32_t i = 0; i < count; i++) {
        key_subtask_history(&key, job, phase, rows[i].number);
        subtask_row_encode(&rows[i], &value);
        transaction_put(in, buffer_slice(&key), buffer_slice(&value));
        key_subtask(&key, job, phase, rows[i].number);
        transaction_delete(in, buffer_slice(&key));
    }
    buffer_release(&key);
    buffer_release(&value);
    sb_free(rows);
    return ENGINE_OK;
}
