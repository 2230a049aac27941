/*
 * The write-ahead log of a store: see write_log.h.
 */
#include "engine/storage/write_log.h"

#include <string.h>

#include "engine/base/checksum.h"
#include "engine/base/disk_points.h"
#include "engine/base/durable_file.h"

#define FILE_MAGIC 0x31676f6c64656573u /* "seedlog1" */
#define FILE_HEADER_SIZE 32u           /* magic, generation, base, checksum */
#define BATCH_MAGIC 0x48435442u        /* "BTCH" */
#define BATCH_HEADER_SIZE 40u
#define BATCH_CHECKED_SIZE 28u /* of the header, before its checksum */

void write_log_init(write_log *log)
{
    *log = (write_log){.batch_number = 1};
    sb_condition_init(&log->progress, "log to be synced");
}

void write_log_release(write_log *log)
{
    sb_assert(!log->owned);
    if (log->file != NULL) {
        sb_file_close(log->file);
        log->file = NULL;
    }
    buffer_release(&log->pending);
    buffer_release(&log->batch);
    sb_condition_release(&log->progress);
}

static void add_file_header(buffer *into, uint64_t generation, log_sequence base)
{
    const uint32_t start = into->size;
    buffer_add_u64(into, FILE_MAGIC);
    buffer_add_u64(into, generation);
    buffer_add_u64(into, base);
    buffer_add_u64(into, checksum64(slice_of(into->data + start, FILE_HEADER_SIZE - 8)));
}

sb_status write_log_create(const char *path, uint64_t generation, log_sequence base)
{
    buffer header;
    buffer_init(&header);
    add_file_header(&header, generation, base);
    const sb_status status = file_write_whole(path, buffer_slice(&header));
    buffer_release(&header);
    return status;
}

/* ------------------------------------------------------------------------------------ opening */

typedef struct batch_header {
    uint32_t payload_size;
    uint64_t number;
    log_sequence first;
    uint32_t record_count;
    uint64_t payload_checksum;
} batch_header;

static bool batch_header_decode(cursor *at, uint64_t generation, batch_header *header)
{
    const unsigned char *start = at->at;
    const bool is_batch = cursor_u32(at) == BATCH_MAGIC;
    header->payload_size = cursor_u32(at);
    header->number = cursor_u64(at);
    header->first = cursor_u64(at);
    header->record_count = cursor_u32(at);
    const uint32_t checksum = cursor_u32(at);
    header->payload_checksum = cursor_u64(at);
    return is_batch && !at->failed &&
           checksum == checksum32_of_part(slice_of(start, BATCH_CHECKED_SIZE), generation);
}

/* The next batch in its place: *payload, and the cursor behind it. */
static bool take_batch(cursor *at, const write_log *log, batch_header *header, slice *payload)
{
    if (!batch_header_decode(at, log->generation, header) || header->number != log->batch_number ||
        header->first != log->appended + 1 || (size_t)(at->end - at->at) < header->payload_size) {
        return false;
    }
    *payload = slice_of(at->at, header->payload_size);
    at->at += header->payload_size;
    return checksum64_of_part(*payload, log->generation) == header->payload_checksum;
}

/* Whether a batch with a number above the one that is expected stands anywhere in these bytes. */
static bool later_batch_exists(slice bytes, const write_log *log)
{
    for (uint32_t offset = 0; offset + BATCH_HEADER_SIZE <= bytes.size; offset++) {
        batch_header header;
        cursor at = cursor_of(slice_of(bytes.data + offset, bytes.size - offset));
        if (bytes.data[offset] == (BATCH_MAGIC & 0xff) &&
            batch_header_decode(&at, log->generation, &header) &&
            header.number > log->batch_number) {
            return true;
        }
    }
    return false;
}

static bool replay_batch(write_log *log, const batch_header *header, slice payload,
                         write_log_visit *visit, void *context)
{
    cursor at = cursor_of(payload);
    for (uint32_t i = 0; i < header->record_count; i++) {
        const slice record = cursor_slice(&at);
        if (at.failed || !visit(context, header->first + i, record)) {
            return false;
        }
    }
    log->appended = header->first + header->record_count - 1;
    log->durable = log->appended;
    log->batch_number++;
    return header->record_count > 0 && cursor_finished(&at);
}

/* Hand out every batch behind the file header.  *size: where the sound part of the log ends. */
static bool replay(write_log *log, slice bytes, write_log_visit *visit, void *context,
                   uint64_t *size)
{
    cursor at = cursor_of(bytes);
    at.at += FILE_HEADER_SIZE;
    for (;;) {
        batch_header header;
        slice payload;
        *size = (uint64_t)(at.at - bytes.data);
        if (at.at == at.end) {
            return true;
        }
        if (!take_batch(&at, log, &header, &payload)) {
            const slice rest = slice_of(bytes.data + *size, bytes.size - (size_t)*size);
            const bool torn = !later_batch_exists(rest, log);
            SOMETIMES(torn, "the log of a store ends in a torn batch");
            return torn;
        }
        if (!replay_batch(log, &header, payload, visit, context)) {
            return false;
        }
    }
}

static bool file_header_is(slice bytes, uint64_t generation, log_sequence base)
{
    buffer header;
    buffer_init(&header);
    add_file_header(&header, generation, base);
    const bool same =
        bytes.size >= FILE_HEADER_SIZE && memcmp(bytes.data, header.data, FILE_HEADER_SIZE) == 0;
    buffer_release(&header);
    return same;
}

/* Into a log that has no file yet: everything but the file is set. */
static bool replay_file(write_log *log, slice bytes, uint64_t generation, log_sequence base,
                        write_log_visit *visit, void *context, uint64_t *offset)
{
    *offset = 0;
    log->generation = generation;
    log->appended = log->durable = base;
    log->batch_number = 1;
    const bool sound =
        file_header_is(bytes, generation, base) && replay(log, bytes, visit, context, offset);
    log->size = *offset;
    return sound;
}

bool write_log_read(slice bytes, uint64_t generation, log_sequence base, write_log_visit *visit,
                    void *context, uint64_t *offset)
{
    write_log log = {0};
    return replay_file(&log, bytes, generation, base, visit, context, offset);
}

/* Cut a torn tail off, durably, so that nothing of it can be found behind the next batch. */
static sb_status cut_tail(write_log *log, uint64_t file_size)
{
    if (log->size == file_size) {
        return SB_OK;
    }
    const sb_status status =
        disk_do("storage-log-truncation", sb_file_truncate(log->file, log->size));
    return status == SB_OK ? disk_do("storage-log-tail-sync", sb_file_sync(log->file)) : status;
}

/* What is read is durable first: an earlier boot that stopped in good order may have left what it
 * could not sync in the machine's memory, and a later sync that fails would drop it from under us.
 */
static sb_status read_durable(write_log *log, const char *path, buffer *into)
{
    sb_status status = disk_open("storage-log-open", path, 0, &log->file);
    if (status != SB_OK) {
        log->file = NULL;
        return status;
    }
    status = disk_do("storage-log-first-sync", sb_file_sync(log->file));
    return status == SB_OK ? file_read_whole(path, into) : status;
}

write_log_opened write_log_open(write_log *log, const char *path, uint64_t generation,
                                log_sequence base, write_log_visit *visit, void *context,
                                uint64_t *offset)
{
    buffer bytes;
    write_log_opened result = WRITE_LOG_IO_ERROR;
    *offset = 0;
    buffer_init(&bytes);
    const sb_status status = read_durable(log, path, &bytes);
    if (status == SB_NOT_FOUND) {
        result = WRITE_LOG_DAMAGED;
    } else if (status == SB_OK) {
        const bool sound =
            replay_file(log, buffer_slice(&bytes), generation, base, visit, context, offset);
        result = sound ? WRITE_LOG_OPENED : WRITE_LOG_DAMAGED;
    }
    if (result == WRITE_LOG_OPENED && cut_tail(log, bytes.size) != SB_OK) {
        result = WRITE_LOG_IO_ERROR;
    }
    buffer_release(&bytes);
    return result;
}

/* ---------------------------------------------------------------------------------- appending */

buffer *write_log_begin(write_log *log)
{
    log->record_start = log->pending.size;
    buffer_add_u32(&log->pending, 0); /* its size, once known */
    return &log->pending;
}

slice write_log_record(const write_log *log)
{
    const uint32_t start = log->record_start + 4;
    return slice_of(log->pending.data + start, log->pending.size - start);
}

log_sequence write_log_end(write_log *log)
{
    const uint32_t end = log->pending.size;
    const uint32_t size = end - log->record_start - 4;
    log->pending.size = log->record_start;
    buffer_add_u32(&log->pending, size);
    log->pending.size = end;
    return ++log->appended;
}

void write_log_abandon(write_log *log)
{
    log->pending.size = log->record_start;
}

/* Everything pending becomes a batch. */
static void make_batch(write_log *log)
{
    const slice payload = buffer_slice(&log->pending);
    const uint64_t count = log->appended - log->durable;
    buffer *batch = &log->batch;
    buffer_clear(batch);
    buffer_add_u32(batch, BATCH_MAGIC);
    buffer_add_u32(batch, payload.size);
    buffer_add_u64(batch, log->batch_number);
    buffer_add_u64(batch, log->durable + 1);
    buffer_add_u32(batch, (uint32_t)count);
    buffer_add_u32(batch,
                   checksum32_of_part(slice_of(batch->data, BATCH_CHECKED_SIZE), log->generation));
    buffer_add_u64(batch, checksum64_of_part(payload, log->generation));
    buffer_add(batch, payload.data, payload.size);
    buffer_clear(&log->pending);
}

static sb_status write_batch(write_log *log)
{
    const sb_status status = disk_do(
        "storage-log-write", sb_file_write(log->file, log->size, log->batch.data, log->batch.size));
    return status == SB_OK ? disk_do("storage-log-sync", sb_file_sync(log->file)) : status;
}

/* Write a batch of everything pending, by the task that owns the log. */
static void commit_batch(write_log *log)
{
    const log_sequence last = log->appended;
    uint32_t tries = 0;
    make_batch(log);
    while (write_batch(log) != SB_OK) {
        SOMETIMES(true, "a store writes a batch of its log again");
        if (disk_back_off(&tries, sb_shutdown_scope()) != SB_OK) {
            log->failed = true;
            return;
        }
    }
    SOMETIMES(last - log->durable > 1, "a batch of a store's log carries several records");
    log->size += log->batch.size;
    log->batch_number++;
    log->durable = last;
}

bool write_log_wait(write_log *log, log_sequence sequence)
{
    sb_assert_op(sequence, <=, log->appended);
    while (log->durable < sequence && !log->failed) {
        if (log->owned) {
            (void)sb_condition_wait(&log->progress, NULL, NULL);
            continue;
        }
        log->owned = true;
        commit_batch(log);
        write_log_disown(log);
    }
    return log->durable >= sequence;
}

/* ---------------------------------------------------------------------------------- replacing */

bool write_log_own(write_log *log)
{
    while (log->owned && !log->failed) {
        (void)sb_condition_wait(&log->progress, NULL, NULL);
    }
    if (log->failed) {
        return false;
    }
    log->owned = true;
    return true;
}

void write_log_disown(write_log *log)
{
    sb_assert(log->owned);
    log->owned = false;
    sb_condition_broadcast(&log->progress);
}

write_log_mark write_log_mark_now(const write_log *log)
{
    sb_assert(log->owned);
    return (write_log_mark){.sequence = log->appended, .pending_size = log->pending.size};
}

void write_log_switch(write_log *log, sb_file *file, uint64_t generation, write_log_mark mark)
{
    sb_assert(log->owned);
    sb_assert_op(mark.sequence, >=, log->durable);
    sb_assert_op(mark.pending_size, <=, log->pending.size);
    sb_file *old = log->file;
    log->file = file;
    log->generation = generation;
    log->size = FILE_HEADER_SIZE;
    log->batch_number = 1;
    log->durable = mark.sequence;
    if (mark.pending_size > 0) {
        log->pending.size -= mark.pending_size;
        memmove(log->pending.data, log->pending.data + mark.pending_size, log->pending.size);
    }
    sb_file_close(old);
}
