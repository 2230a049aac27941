/*
 * The scalar domains of the engine, each with its own type, so that a signature reads well.
 *
 * Zero is "none" in every one of them but region_epoch, where it is a plain number.
 */
#ifndef ENGINE_BASE_SCALARS_H
#define ENGINE_BASE_SCALARS_H

#include <stdint.h>

/* (physical milliseconds << 18) + logical; 0 is no timestamp, TIMESTAMP_MAX reads the latest
 * commit. */
typedef uint64_t timestamp;
#define TIMESTAMP_MAX (UINT64_MAX - 1)
#define TIMESTAMP_LOGICAL_BITS 18

typedef uint64_t session_id;     /* epoch of a server, rising for ever; 0 is none */
typedef uint64_t schema_version; /* global, rising by one; 0 is none */
typedef uint64_t tenure_id;      /* one reign of one owner, rising for ever; 0 is none */
typedef uint64_t region_id;      /* 0 is none */
typedef uint64_t region_epoch;   /* rises when the region's range or leader changes */
typedef uint64_t table_id;
typedef uint64_t index_id;
typedef uint64_t job_id;
typedef uint64_t
    log_sequence; /* of a record in one store's log, rising by one; 0 is before the first */

static inline uint64_t timestamp_physical_ms(timestamp of)
{
    return of >> TIMESTAMP_LOGICAL_BITS;
}

static inline timestamp timestamp_of_ms(uint64_t physical_ms)
{
    return physical_ms << TIMESTAMP_LOGICAL_BITS;
}

#endif
