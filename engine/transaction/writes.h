/*
 * Inside engine/transaction: the writes of one transaction, in key order.
 *
 * A region holds a contiguous range of keys, so what a request to one region carries is a
 * contiguous range of this array: a batch.
 */
#ifndef ENGINE_TRANSACTION_WRITES_H
#define ENGINE_TRANSACTION_WRITES_H

#include "engine/wire/messages.h"

/* How far a write is on its way through the two phases. */
typedef enum write_stage {
    WRITE_BUFFERED, /* storage has never heard of it, or has refused it for good */
    WRITE_SENT,     /* a prewrite may have locked it */
    WRITE_LOCKED,
    WRITE_FINISHED /* committed, or rolled back */
} write_stage;

typedef struct buffered_write {
    unsigned char *bytes; /* the key, then the value; owned */
    uint32_t key_size, value_size;
    uint8_t kind;  /* mutation_kind */
    uint8_t stage; /* write_stage */
    bool primary;
} buffered_write;

typedef struct write_set {
    buffered_write *items; /* by key, no key twice */
    uint32_t count, capacity;
    bool has_primary; /* one of them bears the mark */
} write_set;

/* The writes [low, high) of one request. */
typedef struct batch {
    uint32_t low, high;
} batch;

static inline slice write_key(const buffered_write *of)
{
    return (slice){of->bytes, of->key_size};
}

static inline slice write_value(const buffered_write *of)
{
    return (slice){of->bytes + of->key_size, of->value_size};
}

void write_set_release(write_set *of);

/* The first write whose key is not below this one; count when there is none. */
uint32_t write_set_seek(const write_set *of, slice key);

/* NULL when the key is not written. */
const buffered_write *write_set_find(const write_set *of, slice key);

/* The last call for a key wins, but a lock never takes a put or delete back.  Bytes are copied. */
void write_set_add(write_set *of, mutation_kind kind, slice key, slice value);

/* The write whose lock decides: the first one put or deleted, else the first locked. */
uint32_t write_set_primary(const write_set *of);

/* The writes around `anchor` that lie in the region, cut so that one message can carry them; the
 * anchor is always among them. */
batch write_set_batch(const write_set *of, const region_description *region, uint32_t anchor);

/* The first write at this stage; count when there is none. */
uint32_t write_set_at_stage(const write_set *of, write_stage stage);

#endif
