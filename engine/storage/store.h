/*
 * A store: its state in memory, and the files it is made again from.
 *
 * A command looks at the state, writes a record, and the record is applied, all between two calls
 * through door 1, so commands are ordered by the order of their records.  Then it waits until the
 * record is durable, and only then answers.  The state thus runs ahead of the disk, and a reader
 * may see what a crash could undo; so every piece of it carries the sequence of its last change,
 * and *every* reply, of a reader or a writer, a success or a refusal, waits for the greatest
 * sequence it has looked at.
 *
 * When the log has grown, a checkpoint replaces it: the state is encoded as it is (in memory, at
 * one instant), written under a new generation and made to count by replacing the manifest.  The
 * log stands still meanwhile: commands go on, their answers wait.
 */
#ifndef ENGINE_STORAGE_STORE_H
#define ENGINE_STORAGE_STORE_H

#include "engine/storage/checkpoint.h"
#include "engine/storage/state.h"
#include "engine/storage/write_log.h"

typedef struct store {
    store_state state;
    write_log log;
    manifest manifest;
    uint64_t checkpoint_log_size; /* the setting */
    uint64_t checkpoint_at;       /* size of the log that starts the next one */
    bool checkpointing;
    sb_wait_group tasks;
} store;

typedef enum store_opened {
    STORE_OPENED,
    STORE_DAMAGED, /* the log says what and where */
    STORE_STOPPED  /* asked to stop while the disk refused to work */
} store_opened;

/* Recover, or on an empty disk begin with those of these regions whose leader is this machine.
 * Close it whatever this returns. */
store_opened store_open(store *of, packed_regions born_with, uint64_t checkpoint_log_size);
void store_close(store *of); /* waits for a checkpoint that runs */

/* Write one record between these two and apply it.  Nothing that may switch in between. */
buffer *store_record(store *of);
log_sequence store_apply(store *of);

/* Wait until everything up to the sequence is durable.  false: it never will be; do not answer. */
bool store_wait(store *of, log_sequence sequence);

#endif
