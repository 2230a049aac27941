/*
 * What machines say to each other: methods, and the requests and replies of placement and storage.
 *
 * The shapes stand in messages.def; from it come here, for each message X:
 *
 *     typedef struct X { ... } X;
 *     void X_encode(const X *message, buffer *into);   clears `into` first
 *     bool X_decode(X *message, slice bytes);          false on anything malformed
 *
 * A decoded message borrows from the bytes it was decoded from.  Decoding has looked at every byte:
 * ranges of enumerations, lengths, every element of a list, and that nothing is left over.
 *
 * Lists travel packed: a count and the elements' bytes.  The sender packs into a `packing`; the
 * receiver walks them without allocating:
 *
 *     packing list;                              for (cursor at = packed_cursor(m.mutations);
 *     packing_init(&list);                            unpack_mutation(&at, &one);) {
 *     pack_mutation(&list, &one);                    ... one.key ...
 *     request.mutations = packing_list(&list);   }
 *     prewrite_request_encode(&request, &bytes);
 *     packing_release(&list);
 */
#ifndef ENGINE_WIRE_MESSAGES_H
#define ENGINE_WIRE_MESSAGES_H

#include "engine/base/bytes.h"
#include "engine/base/scalars.h"

/* ------------------------------------------------------------------------------------ methods */

typedef enum wire_method {
#define METHOD(name, text) METHOD_##name,
#include "engine/wire/methods.def"
#undef METHOD
    METHOD_COUNT
} wire_method;

/* For sb_exchange_open: METHOD_COUNT names. */
extern const char *const wire_method_names[METHOD_COUNT];

/* ------------------------------------------------------------------------------------- limits */

#define TIMESTAMP_COUNT_MAX 4096u
#define KEYS_AT_ONCE_MAX 128u
#define SCAN_LIMIT_MAX 4096u
#define SCAN_BYTES_MAX ((uint32_t)256 << 10) /* a scan stops early when its pairs reach this */
#define KEY_SIZE_MAX 1024u                   /* a longer key, or an empty one, is BAD_REQUEST */
#define VALUE_SIZE_MAX ((uint32_t)64 << 10)
#define UPLOAD_NAME_MAX 80u
#define UPLOAD_PIECE_MAX ((uint32_t)64 << 10)
#define UPLOAD_LIFE (60 * SB_SECOND)
#define UPLOAD_SIZE_MAX ((uint64_t)16 << 20)

/* ------------------------------------------------------------------------------- small shapes */

typedef enum reply_status {
#define REPLY(name) REPLY_##name,
#include "engine/wire/statuses.def"
#undef REPLY
    REPLY_STATUS_COUNT
} reply_status;

typedef struct lock_description {
    slice key, primary;
    timestamp start;
    uint32_t ttl_ms; /* from the physical part of start */
} lock_description;

/* How every reply begins.  Fields that the status does not need are zero and not sent. */
typedef struct reply_head {
    reply_status status;
    sb_address leader;     /* of NOT_LEADER; 0 when unknown */
    region_epoch epoch;    /* of NOT_LEADER: the one in which that leader serves the region */
    session_id session;    /* of FENCED */
    timestamp at;          /* of WRITE_CONFLICT, COMMITTED, TOO_OLD and COMPACTED */
    lock_description lock; /* of LOCKED */
} reply_head;

/* Which region, as the sender knows it. */
typedef struct region_context {
    region_id id;
    region_epoch epoch;
} region_context;

/* Who writes: storage refuses a session below the least it accepts of that server.  session 0: not
 * a server, never fenced.  version is kept for the record and for oracles. */
typedef struct writer {
    sb_address server;
    session_id session;
    schema_version version;
} writer;

/* Who reads, in a transaction that is bound to a session; session 0: nobody that can be fenced. */
typedef struct session_context {
    sb_address server;
    session_id session;
} session_context;

typedef enum mutation_kind {
    MUTATION_PUT,
    MUTATION_DELETE,
    MUTATION_LOCK,
    MUTATION_KIND_COUNT
} mutation_kind;

typedef struct mutation {
    mutation_kind kind;
    slice key, value; /* value is empty but for PUT */
} mutation;

/* What a key was at some timestamp. */
typedef struct version_description {
    timestamp commit; /* 0: nobody had written it */
    bool there;       /* with a value; else deleted, or never there */
    slice value;
} version_description;

typedef enum transaction_fate {
    TRANSACTION_LOCKED, /* undecided, its lock is alive */
    TRANSACTION_COMMITTED,
    TRANSACTION_ROLLED_BACK, /* for ever */
    TRANSACTION_MISSING,
    TRANSACTION_FATE_COUNT
} transaction_fate;

typedef struct region_description {
    region_id id;
    region_epoch epoch;
    slice start, end;  /* end empty: no end */
    sb_address leader; /* 0: nobody just now */
    uint64_t size;     /* encoded bytes in it, when it was last told; 0: not known */
} region_description;

typedef struct session_description {
    sb_address server;
    session_id session; /* its newest */
    bool live;
} session_description;

/* -------------------------------------------------------------------------------------- lists */

typedef struct packed {
    uint32_t count;
    slice bytes;
} packed;
typedef packed packed_keys, packed_pairs, packed_mutations, packed_regions, packed_sessions,
    packed_versions;

typedef struct packing {
    buffer bytes;
    uint32_t count;
} packing;

void packing_init(packing *list);
void packing_clear(packing *list); /* empty again, keeps the memory */
void packing_release(packing *list);
packed packing_list(const packing *list); /* borrows */

void pack_key(packing *list, slice key);
void pack_pair(packing *list, slice key, slice value);
void pack_mutation(packing *list, const mutation *one);
void pack_region(packing *list, const region_description *one);
void pack_session(packing *list, const session_description *one);
void pack_version(packing *list, const version_description *one);

/* Each gives the next element and true, or false at the end. */
cursor packed_cursor(packed list);
bool unpack_key(cursor *at, slice *key);
bool unpack_pair(cursor *at, slice *key, slice *value);
bool unpack_mutation(cursor *at, mutation *one);
bool unpack_region(cursor *at, region_description *one);
bool unpack_session(cursor *at, session_description *one);
bool unpack_version(cursor *at, version_description *one);

/* ----------------------------------------------------------------------------------- messages */

#define MESSAGE(message)                                                                           \
    typedef struct message message;                                                                \
    void message##_encode(const message *from, buffer *into);                                      \
    bool message##_decode(message *into, slice bytes);                                             \
    struct message {
#define FIELD(type, name) type name;
#define END(message)                                                                               \
    }                                                                                              \
    ;
#include "engine/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END

/* Of two ends, of which an empty one is no end. */
static inline slice earlier_end(slice left, slice right)
{
    const bool is_right = left.size == 0 || (right.size > 0 && slice_compare(right, left) < 0);
    return is_right ? right : left;
}

/* Is the key in [start, end), end empty meaning no end? */
static inline bool key_in_range(slice key, slice start, slice end)
{
    return slice_compare(key, start) >= 0 && (end.size == 0 || slice_compare(key, end) < 0);
}

#endif
