/*
 * Encoding and decoding of messages: see messages.h and messages.def.
 *
 * Every field type T has add_T, which appends it, and take_T, which reads it and marks the cursor
 * failed on a value that add_T cannot have written.  A packed list is walked once when it is taken,
 * so that unpacking afterwards cannot fail.
 */
#include "engine/wire/messages.h"

const char *const wire_method_names[METHOD_COUNT] = {
#define METHOD(name, text) [METHOD_##name] = text,
#include "engine/wire/methods.def"
#undef METHOD
};

/* ------------------------------------------------------------------------------------ scalars */

static void add_uint32_t(buffer *into, const uint32_t *value)
{
    buffer_add_u32(into, *value);
}

static void take_uint32_t(cursor *from, uint32_t *value)
{
    *value = cursor_u32(from);
}

static void add_uint64_t(buffer *into, const uint64_t *value)
{
    buffer_add_u64(into, *value);
}

static void take_uint64_t(cursor *from, uint64_t *value)
{
    *value = cursor_u64(from);
}

#define add_timestamp add_uint64_t
#define take_timestamp take_uint64_t
#define add_session_id add_uint64_t
#define take_session_id take_uint64_t
#define add_region_id add_uint64_t
#define take_region_id take_uint64_t
#define add_tenure_id add_uint64_t
#define take_tenure_id take_uint64_t
#define add_job_id add_uint64_t
#define take_job_id take_uint64_t
#define add_sb_duration add_uint64_t
#define take_sb_duration take_uint64_t

static void add_sb_address(buffer *into, const sb_address *value)
{
    buffer_add_u16(into, *value);
}

static void take_sb_address(cursor *from, sb_address *value)
{
    *value = cursor_u16(from);
}

static void add_bool(buffer *into, const bool *value)
{
    buffer_add_u8(into, *value ? 1 : 0);
}

static void take_bool(cursor *from, bool *value)
{
    *value = cursor_u8_below(from, 2) == 1;
}

static void add_slice(buffer *into, const slice *value)
{
    buffer_add_slice(into, *value);
}

static void take_slice(cursor *from, slice *value)
{
    *value = cursor_slice(from);
}

static void add_transaction_fate(buffer *into, const transaction_fate *value)
{
    buffer_add_u8(into, (uint8_t)*value);
}

static void take_transaction_fate(cursor *from, transaction_fate *value)
{
    *value = (transaction_fate)cursor_u8_below(from, TRANSACTION_FATE_COUNT);
}

/* ------------------------------------------------------------------------------- small shapes */

static void add_region_context(buffer *into, const region_context *value)
{
    buffer_add_u64(into, value->id);
    buffer_add_u64(into, value->epoch);
}

static void take_region_context(cursor *from, region_context *value)
{
    value->id = cursor_u64(from);
    value->epoch = cursor_u64(from);
}

static void add_writer(buffer *into, const writer *value)
{
    buffer_add_u16(into, value->server);
    buffer_add_u64(into, value->session);
    buffer_add_u64(into, value->version);
}

static void take_writer(cursor *from, writer *value)
{
    value->server = cursor_u16(from);
    value->session = cursor_u64(from);
    value->version = cursor_u64(from);
}

static void add_session_context(buffer *into, const session_context *value)
{
    buffer_add_u16(into, value->server);
    buffer_add_u64(into, value->session);
}

static void take_session_context(cursor *from, session_context *value)
{
    value->server = cursor_u16(from);
    value->session = cursor_u64(from);
}

static void add_lock(buffer *into, const lock_description *lock)
{
    buffer_add_slice(into, lock->key);
    buffer_add_slice(into, lock->primary);
    buffer_add_u64(into, lock->start);
    buffer_add_u32(into, lock->ttl_ms);
}

static void take_lock(cursor *from, lock_description *lock)
{
    lock->key = cursor_slice(from);
    lock->primary = cursor_slice(from);
    lock->start = cursor_u64(from);
    lock->ttl_ms = cursor_u32(from);
    if (lock->start == 0 || lock->key.size == 0 || lock->primary.size == 0) {
        from->failed = true;
    }
}

static void add_reply_head(buffer *into, const reply_head *head)
{
    buffer_add_u8(into, (uint8_t)head->status);
    switch (head->status) {
    case REPLY_NOT_LEADER:
        buffer_add_u16(into, head->leader);
        buffer_add_u64(into, head->epoch);
        break;
    case REPLY_FENCED:
        buffer_add_u64(into, head->session);
        break;
    case REPLY_WRITE_CONFLICT:
    case REPLY_COMMITTED:
    case REPLY_TOO_OLD:
    case REPLY_COMPACTED:
        buffer_add_u64(into, head->at);
        break;
    case REPLY_LOCKED:
        add_lock(into, &head->lock);
        break;
    default:
        break;
    }
}

static void take_reply_head(cursor *from, reply_head *head)
{
    *head = (reply_head){.status = (reply_status)cursor_u8_below(from, REPLY_STATUS_COUNT)};
    switch (head->status) {
    case REPLY_NOT_LEADER:
        head->leader = cursor_u16(from);
        head->epoch = cursor_u64(from);
        break;
    case REPLY_FENCED:
        head->session = cursor_u64(from);
        break;
    case REPLY_WRITE_CONFLICT:
    case REPLY_COMMITTED:
    case REPLY_TOO_OLD:
    case REPLY_COMPACTED:
        head->at = cursor_u64(from);
        break;
    case REPLY_LOCKED:
        take_lock(from, &head->lock);
        break;
    default:
        break;
    }
}

/* -------------------------------------------------------------------------------------- lists */

void packing_init(packing *list)
{
    buffer_init(&list->bytes);
    list->count = 0;
}

void packing_clear(packing *list)
{
    buffer_clear(&list->bytes);
    list->count = 0;
}

void packing_release(packing *list)
{
    buffer_release(&list->bytes);
    list->count = 0;
}

packed packing_list(const packing *list)
{
    return (packed){.count = list->count, .bytes = buffer_slice(&list->bytes)};
}

void pack_key(packing *list, slice key)
{
    buffer_add_slice(&list->bytes, key);
    list->count++;
}

void pack_pair(packing *list, slice key, slice value)
{
    buffer_add_slice(&list->bytes, key);
    buffer_add_slice(&list->bytes, value);
    list->count++;
}

void pack_mutation(packing *list, const mutation *one)
{
    sb_assert(one->kind == MUTATION_PUT || one->value.size == 0);
    buffer_add_u8(&list->bytes, (uint8_t)one->kind);
    pack_pair(list, one->key, one->value);
}

void pack_region(packing *list, const region_description *one)
{
    buffer_add_u64(&list->bytes, one->id);
    buffer_add_u64(&list->bytes, one->epoch);
    buffer_add_u16(&list->bytes, one->leader);
    buffer_add_u64(&list->bytes, one->size);
    pack_pair(list, one->start, one->end);
}

void pack_session(packing *list, const session_description *one)
{
    buffer_add_u16(&list->bytes, one->server);
    buffer_add_u64(&list->bytes, one->session);
    buffer_add_u8(&list->bytes, one->live ? 1 : 0);
    list->count++;
}

void pack_version(packing *list, const version_description *one)
{
    sb_assert(one->there ? one->commit > 0 : one->value.size == 0);
    buffer_add_u64(&list->bytes, one->commit);
    buffer_add_u8(&list->bytes, one->there ? 1 : 0);
    buffer_add_slice(&list->bytes, one->value);
    list->count++;
}

cursor packed_cursor(packed list)
{
    return cursor_of(list.bytes);
}

static bool at_end(const cursor *at)
{
    return at->failed || at->at == at->end;
}

bool unpack_key(cursor *at, slice *key)
{
    if (at_end(at)) {
        return false;
    }
    *key = cursor_slice(at);
    return !at->failed;
}

bool unpack_pair(cursor *at, slice *key, slice *value)
{
    if (at_end(at)) {
        return false;
    }
    *key = cursor_slice(at);
    *value = cursor_slice(at);
    return !at->failed;
}

bool unpack_mutation(cursor *at, mutation *one)
{
    if (at_end(at)) {
        return false;
    }
    one->kind = (mutation_kind)cursor_u8_below(at, MUTATION_KIND_COUNT);
    one->key = cursor_slice(at);
    one->value = cursor_slice(at);
    if (one->kind != MUTATION_PUT && one->value.size > 0) {
        at->failed = true;
    }
    return !at->failed;
}

bool unpack_region(cursor *at, region_description *one)
{
    if (at_end(at)) {
        return false;
    }
    one->id = cursor_u64(at);
    one->epoch = cursor_u64(at);
    one->leader = cursor_u16(at);
    one->size = cursor_u64(at);
    one->start = cursor_slice(at);
    one->end = cursor_slice(at);
    if (one->id == 0 || (one->end.size > 0 && slice_compare(one->start, one->end) >= 0)) {
        at->failed = true;
    }
    return !at->failed;
}

bool unpack_session(cursor *at, session_description *one)
{
    if (at_end(at)) {
        return false;
    }
    one->server = cursor_u16(at);
    one->session = cursor_u64(at);
    one->live = cursor_u8_below(at, 2) == 1;
    return !at->failed;
}

bool unpack_version(cursor *at, version_description *one)
{
    if (at_end(at)) {
        return false;
    }
    one->commit = cursor_u64(at);
    one->there = cursor_u8_below(at, 2) == 1;
    one->value = cursor_slice(at);
    if (one->there ? one->commit == 0 : one->value.size > 0) {
        at->failed = true;
    }
    return !at->failed;
}

static void add_packed(buffer *into, const packed *list)
{
    buffer_add_u32(into, list->count);
    buffer_add_slice(into, list->bytes);
}

/* Whether unpacking gives exactly the number of elements that the list claims. */
static void check_count(cursor *from, const packed *list, const cursor *walked, uint32_t count)
{
    if (count != list->count || !cursor_finished(walked)) {
        from->failed = true;
    }
}

static void take_packed(cursor *from, packed *list)
{
    list->count = cursor_u32(from);
    list->bytes = cursor_slice(from);
}

#define PACKED_CODEC(list_type, element_type, unpack_element)                                      \
    __attribute__((unused)) static void add_##list_type(buffer *into, const packed *list)          \
    {                                                                                              \
        add_packed(into, list);                                                                    \
    }                                                                                              \
    static void take_##list_type(cursor *from, packed *list)                                       \
    {                                                                                              \
        element_type;                                                                              \
        uint32_t count = 0;                                                                        \
        take_packed(from, list);                                                                   \
        cursor at = packed_cursor(*list);                                                          \
        while (unpack_element) {                                                                   \
            count++;                                                                               \
        }                                                                                          \
        check_count(from, list, &at, count);                                                       \
    }

PACKED_CODEC(packed_keys, slice key, unpack_key(&at, &key))
PACKED_CODEC(packed_pairs, slice key; slice value, unpack_pair(&at, &key, &value))
PACKED_CODEC(packed_mutations, mutation one, unpack_mutation(&at, &one))
PACKED_CODEC(packed_regions, region_description one, unpack_region(&at, &one))
PACKED_CODEC(packed_sessions, session_description one, unpack_session(&at, &one))
PACKED_CODEC(packed_versions, version_description one, unpack_version(&at, &one))

/* ----------------------------------------------------------------------------------- messages */

#define MESSAGE(message)                                                                           \
    void message##_encode(const message *from, buffer *into)                                       \
    {                                                                                              \
        (void)from;                                                                                \
        buffer_clear(into);
#define FIELD(type, name) add_##type(into, &from->name);
#define END(message) }
#include "engine/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END

#define MESSAGE(message)                                                                           \
    bool message##_decode(message *into, slice bytes)                                              \
    {                                                                                              \
        (void)into;                                                                                \
        cursor from = cursor_of(bytes);
#define FIELD(type, name) take_##type(&from, &into->name);
#define END(message)                                                                               \
    return cursor_finished(&from);                                                                 \
    }
#include "engine/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
