/*
 * The keys of the cluster: how rows, index entries and the rows of the framework itself are named.
 *
 *   'm' bytes("job") u64(job)                          meta rows: a word, then numbers
 *   't' u64(table) 'r' i64(handle)                     a row
 *   't' u64(table) 'i' u64(index) values... [i64(handle)]   an index entry
 *
 * Numbers and byte strings are memory-comparable (base/codec.h), so that keys of one kind stand
 * together in the order of their numbers.  Each builder clears `into` first.  Decoders return false
 * on any key of another shape.
 */
#ifndef ENGINE_WIRE_KEYS_H
#define ENGINE_WIRE_KEYS_H

#include "engine/base/bytes.h"
#include "engine/base/scalars.h"

/* ---------------------------------------------------------------------------------- meta rows */

void key_owner(buffer *into);
void key_schema_version(buffer *into);
void key_next_id(buffer *into);
void key_table(buffer *into, table_id table);
void key_job(buffer *into, job_id job);
void key_history(buffer *into, job_id job);
void key_ack(buffer *into, job_id job, sb_address server);
void key_server(buffer *into, sb_address server);
void key_task(buffer *into, job_id job, uint32_t phase);
void key_task_history(buffer *into, job_id job, uint32_t phase);
void key_subtask(buffer *into, job_id job, uint32_t phase, uint32_t number);
void key_subtask_history(buffer *into, job_id job, uint32_t phase, uint32_t number);
void key_reorg(buffer *into, job_id job);
void key_delete_range(buffer *into, job_id job);
void key_submission(buffer *into, uint64_t nonce);

/* Any meta key: the word, then `count` numbers.  With fewer numbers than the rows have it is the
 * prefix of all that begin with these: key_meta(&into, "ack", &job, 1) is the prefix of a job's
 * acknowledgements. */
void key_meta(buffer *into, const char *word, const uint64_t *numbers, uint32_t count);

/* True when the key is this word and exactly `count` numbers, which are then in numbers[]. */
bool key_meta_decode(slice key, const char *word, uint64_t *numbers, uint32_t count);

/* --------------------------------------------------------------------------- rows and indexes */

void key_row(buffer *into, table_id table, int64_t handle);
bool key_row_decode(slice key, table_id *table, int64_t *handle);
void key_row_prefix(buffer *into, table_id table);

/* The prefix of an index; the caller adds values and handle with codec_add_*. */
void key_index_prefix(buffer *into, table_id table, index_id index);

/* values: a cursor left behind the prefix. */
bool key_index_decode(slice key, table_id *table, index_id *index, cursor *values);

/* ------------------------------------------------------------------------------------- ranges */

/* The least key greater than every key that begins with this prefix; empty (no end) after 0xff…ff.
 * Appends nothing to the prefix: `into` is cleared first, and may not be what prefix borrows from.
 */
void key_prefix_end(buffer *into, slice prefix);

/* The least key greater than this one: it and a zero byte. */
void key_after(buffer *into, slice key);

#endif
