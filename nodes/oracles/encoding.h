/*
 * Keys and rows of sbtest1(id, k, c, pad), encoded a second time.
 *
 * Oracles do not ask the engine's encoders: a mistake in them would be in both sides of a
 * comparison and cancel out.
 *
 *     row      't' table 'r' id                  u8 1, u8 3, integer k, bytes c, bytes pad
 *     entry    't' table 'i' index values id     one byte '0'
 *     unique   't' table 'i' index values        u64 id
 *
 * In keys numbers are big-endian, signed ones with their top bit flipped, and bytes come in groups
 * of eight, filled up with zeros, each with 255 less its filling behind it (the last one is not
 * full); in values numbers are little-endian, each column behind a byte with its type (0 integer, 1
 * bytes with a u32 size).
 */
#ifndef NODES_ORACLES_ENCODING_H
#define NODES_ORACLES_ENCODING_H

#include "engine/base/bytes.h"
#include "engine/schema/definitions.h"
#include "engine/storage/mvcc.h"
#include "nodes/oracles/history.h"

#define ENCODED_ROW_KEY_SIZE 18u
#define ENCODED_KEY_SIZE_MAX 256u

typedef struct encoded_key {
    unsigned char bytes[ENCODED_KEY_SIZE_MAX];
    uint32_t size;
} encoded_key;

static inline slice encoded_slice(const encoded_key *of)
{
    return (slice){of->bytes, of->size};
}

encoded_key encode_row_key(uint64_t table, int64_t id);

/* Of an index of k alone. */
encoded_key encode_entry_key(uint64_t table, uint64_t index, int64_t k, int64_t id);

/* A row's columns behind its id, borrowed from its value. */
typedef struct row_columns {
    int64_t k;
    slice c, pad;
} row_columns;

/* False on bytes that are no row. */
bool decode_row_columns(slice value, row_columns *into);

/* Of any index.  True: equal keys. */
void encode_index_entry_key(uint64_t table, const index_definition *index, const row_columns *of,
                            int64_t id, encoded_key *into);
bool encoded_equal(const encoded_key *left, const encoded_key *right);

/* Whether it is the value that the row's entry has in the index. */
bool is_value_of_entry(const index_definition *index, int64_t id, slice value);

/* What all rows of a table, all entries of all its indexes, and all entries of one index begin
 * with. */
encoded_key encode_rows_prefix(uint64_t table);
encoded_key encode_indexes_prefix(uint64_t table);
encoded_key encode_index_prefix(uint64_t table, uint64_t index);

/* The least key behind all that begin with this prefix, which does not end in 0xff. */
encoded_key encode_behind(const encoded_key *prefix);

/* Of which index it is an entry's; false: of none. */
bool decode_entry_key(slice key, uint64_t *table, uint64_t *index);

/* Whether no transaction wrote the version, but an ingest: those write entries alone, and begin and
 * commit at their snapshot. */
bool version_is_ingested(slice key, const version *one);

/* Bits of its columns, by position. */
uint32_t index_columns(const index_definition *index);

/* The last eight bytes of a key, as a signed number. */
int64_t decode_last_number(slice key);

/* False on bytes that are no row. */
bool decode_row(slice value, row_value *into);

#endif
