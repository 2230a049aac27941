/*
 * The keys of the cluster: see keys.h.
 */
#include "engine/wire/keys.h"

#include <string.h>

#include "engine/base/codec.h"

#define META 'm'
#define TABLE 't'
#define ROW 'r'
#define INDEX 'i'

/* ---------------------------------------------------------------------------------- meta rows */

void key_meta(buffer *into, const char *word, const uint64_t *numbers, uint32_t count)
{
    buffer_clear(into);
    buffer_add_u8(into, META);
    codec_add_bytes(into, slice_of_string(word));
    for (uint32_t i = 0; i < count; i++) {
        codec_add_u64(into, numbers[i]);
    }
}

bool key_meta_decode(slice key, const char *word, uint64_t *numbers, uint32_t count)
{
    const uint32_t word_size = codec_bytes_size((uint32_t)strlen(word));
    bool same = key.size == 1 + word_size + 8 * count && key.data[0] == META;
    if (same) {
        buffer encoded;
        buffer_init(&encoded);
        codec_add_bytes(&encoded, slice_of_string(word));
        same = memcmp(key.data + 1, encoded.data, word_size) == 0;
        buffer_release(&encoded);
    }
    if (!same) {
        return false;
    }
    cursor at = cursor_of(slice_of(key.data + 1 + word_size, 8 * (size_t)count));
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = codec_u64(&at);
    }
    return cursor_finished(&at);
}

void key_owner(buffer *into)
{
    key_meta(into, "owner", NULL, 0);
}

void key_schema_version(buffer *into)
{
    key_meta(into, "schema-version", NULL, 0);
}

void key_next_id(buffer *into)
{
    key_meta(into, "next-id", NULL, 0);
}

void key_table(buffer *into, table_id table)
{
    key_meta(into, "table", &table, 1);
}

void key_job(buffer *into, job_id job)
{
    key_meta(into, "job", &job, 1);
}

void key_history(buffer *into, job_id job)
{
    key_meta(into, "history", &job, 1);
}

void key_ack(buffer *into, job_id job, sb_address server)
{
    const uint64_t numbers[2] = {job, server};
    key_meta(into, "ack", numbers, 2);
}

void key_server(buffer *into, sb_address server)
{
    const uint64_t number = server;
    key_meta(into, "server", &number, 1);
}

void key_task(buffer *into, job_id job, uint32_t phase)
{
    const uint64_t numbers[2] = {job, phase};
    key_meta(into, "task", numbers, 2);
}

void key_task_history(buffer *into, job_id job, uint32_t phase)
{
    const uint64_t numbers[2] = {job, phase};
    key_meta(into, "task-history", numbers, 2);
}

void key_subtask(buffer *into, job_id job, uint32_t phase, uint32_t number)
{
    const uint64_t numbers[3] = {job, phase, number};
    key_meta(into, "subtask", numbers, 3);
}

void key_subtask_history(buffer *into, job_id job, uint32_t phase, uint32_t number)
{
    const uint64_t numbers[3] = {job, phase, number};
    key_meta(into, "subtask-history", numbers, 3);
}

void key_reorg(buffer *into, job_id job)
{
    key_meta(into, "reorg", &job, 1);
}

void key_delete_range(buffer *into, job_id job)
{
    key_meta(into, "delete-range", &job, 1);
}

void key_submission(buffer *into, uint64_t nonce)
{
    key_meta(into, "submission", &nonce, 1);
}

/* --------------------------------------------------------------------------- rows and indexes */

static void add_table_prefix(buffer *into, table_id table, uint8_t kind)
{
    buffer_clear(into);
    buffer_add_u8(into, TABLE);
    codec_add_u64(into, table);
    buffer_add_u8(into, kind);
}

static bool take_table_prefix(cursor *from, table_id *table, uint8_t kind)
{
    const bool is_table = cursor_u8(from) == TABLE;
    *table = codec_u64(from);
    return cursor_u8(from) == kind && is_table && !from->failed;
}

void key_row_prefix(buffer *into, table_id table)
{
    add_table_prefix(into, table, ROW);
}

void key_row(buffer *into, table_id table, int64_t handle)
{
    add_table_prefix(into, table, ROW);
    codec_add_i64(into, handle);
}

bool key_row_decode(slice key, table_id *table, int64_t *handle)
{
    cursor from = cursor_of(key);
    const bool is_row = take_table_prefix(&from, table, ROW);
    *handle = codec_i64(&from);
    return is_row && cursor_finished(&from);
}

void key_index_prefix(buffer *into, table_id table, index_id index)
{
    add_table_prefix(into, table, INDEX);
    codec_add_u64(into, index);
}

bool key_index_decode(slice key, table_id *table, index_id *index, cursor *values)
{
    *values = cursor_of(key);
    const bool is_index = take_table_prefix(values, table, INDEX);
    *index = codec_u64(values);
    return is_index && !values->failed;
}

/* ------------------------------------------------------------------------------------- ranges */

void key_prefix_end(buffer *into, slice prefix)
{
    buffer_clear(into);
    buffer_add(into, prefix.data, prefix.size);
    while (into->size > 0 && into->data[into->size - 1] == 0xff) {
        into->size--;
    }
    if (into->size > 0) {
        into->data[into->size - 1]++;
    }
}

void key_after(buffer *into, slice key)
{
    buffer_clear(into);
    buffer_add(into, key.data, key.size);
    buffer_add_u8(into, 0);
}
