/*
 * The write-ahead log of a store: records in the order of their effects, committed in groups.
 *
 *   header   u64 magic, u64 generation, u64 base sequence, u64 checksum of these
 *   batch …  u32 magic, u32 payload size, u64 batch number, u64 sequence of its first record,
 *            u32 records, u32 checksum of the header so far, u64 checksum of the payload;
 *            then the payload: for each record u32 size and bytes
 *
 * Records are appended to memory and given a sequence at once; write_log_wait returns when a record
 * is durable.  The first to wait writes and syncs whatever is there as one batch, and those who
 * come meanwhile form the next one: a batch begins only when the one before it is synced.
 *
 * That is what recovery leans on.  The batch at which the log stops making sense is a torn tail,
 * and is cut, unless a later batch is found behind it: then this one had been synced, and its loss
 * is damage that nothing may paper over.  (Rot in the very last batch cannot be told from a tear.)
 *
 * A write or sync that fails is done again, the same bytes at the same place, until it works or the
 * machine is asked to stop; nobody who waits is told anything meanwhile.
 */
#ifndef ENGINE_STORAGE_WRITE_LOG_H
#define ENGINE_STORAGE_WRITE_LOG_H

#include "engine/base/bytes.h"
#include "engine/base/scalars.h"

typedef struct write_log {
    sb_file *file;
    uint64_t generation;
    uint64_t size;         /* bytes that are durable */
    uint64_t batch_number; /* of the next batch */
    buffer pending;        /* records without a batch */
    buffer batch;          /* the one on its way */
    uint32_t record_start; /* in pending, of the record being written */
    log_sequence appended; /* of the last record */
    log_sequence durable;  /* every record up to here is on disk */
    bool owned;            /* somebody writes to the file, or replaces it */
    bool failed;           /* the machine stops and the disk refuses: nothing more gets durable */
    sb_condition progress;
} write_log;

void write_log_init(write_log *log);
void write_log_release(write_log *log); /* closes the file; what was not waited for is lost */

/* A new, empty log, synced but for its directory. */
sb_status write_log_create(const char *path, uint64_t generation, log_sequence base);

/* From the manifest's words: open the log and hand each record to visit, in order; false from visit
 * is damage. */
typedef bool write_log_visit(void *context, log_sequence sequence, slice record);
typedef enum write_log_opened {
    WRITE_LOG_OPENED,
    WRITE_LOG_DAMAGED, /* *offset says where */
    WRITE_LOG_IO_ERROR
} write_log_opened;
write_log_opened write_log_open(write_log *log, const char *path, uint64_t generation,
                                log_sequence base, write_log_visit *visit, void *context,
                                uint64_t *offset);

/* The same from a log's bytes, for whoever inspects a disk.  False: damaged at *offset. */
bool write_log_read(slice bytes, uint64_t generation, log_sequence base, write_log_visit *visit,
                    void *context, uint64_t *offset);

/* Write a record between these two; no call through door 1 that may switch in between.  The
 * record's bytes, from write_log_record, are good until the next append. */
buffer *write_log_begin(write_log *log);
slice write_log_record(const write_log *log);
log_sequence write_log_end(write_log *log);
void write_log_abandon(write_log *log); /* instead of end */

/* True when every record up to `sequence` is durable; false when it never will be. */
bool write_log_wait(write_log *log, log_sequence sequence);

/* Take the file away from the writers, to replace it: appended records stay in memory.  false: the
 * log failed. */
bool write_log_own(write_log *log);
void write_log_disown(write_log *log);

/* The owner's way to a new log: mark, save the state as it is at the mark elsewhere and durably,
 * then switch to an empty log (its file is the log's from now on).  Records up to the mark are
 * durable by that. */
typedef struct write_log_mark {
    log_sequence sequence;
    uint32_t pending_size;
} write_log_mark;
write_log_mark write_log_mark_now(const write_log *log);
void write_log_switch(write_log *log, sb_file *file, uint64_t generation, write_log_mark mark);

#endif
