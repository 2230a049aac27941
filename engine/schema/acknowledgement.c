/*
 * Rows that acknowledge a schema version.  The value: u64 session | u64 version | u64 checksum of
 * both and of the key.
 */
#include "engine/schema/acknowledgement.h"

#include "engine/base/checksum.h"
#include "engine/wire/keys.h"

static uint64_t place_of(uint64_t job, sb_address server)
{
    return job << 16 | server;
}

void acknowledgement_encode(const acknowledgement *from, buffer *into)
{
    buffer_clear(into);
    buffer_add_u64(into, from->session);
    buffer_add_u64(into, from->version);
    buffer_add_u64(into, checksum64_of_part(buffer_slice(into), place_of(from->job, from->server)));
}

bool acknowledgement_decode(slice key, slice value, acknowledgement *into)
{
    uint64_t numbers[2]; /* job, server */
    if (!key_meta_decode(key, "ack", numbers, 2) || numbers[1] > UINT16_MAX || value.size != 24) {
        return false;
    }
    cursor at = cursor_of(value);
    *into = (acknowledgement){.job = numbers[0], .server = (sb_address)numbers[1]};
    into->session = cursor_u64(&at);
    into->version = cursor_u64(&at);
    const slice body = {value.data, 16};
    return cursor_u64(&at) == checksum64_of_part(body, place_of(into->job, into->server)) &&
           cursor_finished(&at) && into->session != 0 && into->version != 0;
}

engine_status acknowledgements_read(cluster *of, timestamp at, uint64_t job, acknowledgement *into,
                                    uint32_t room, uint32_t *count, sb_scope *scope)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, "ack", &job, 1);
    key_prefix_end(&end, buffer_slice(&start));
    pair_list found;
    engine_status status =
        cluster_scan(of, at, buffer_slice(&start), buffer_slice(&end), room, &found, scope);
    *count = 0;
    if (status == ENGINE_OK) {
        for (uint32_t i = 0; i < found.count && status == ENGINE_OK; i++) {
            if (!acknowledgement_decode(found.pairs[i].key, found.pairs[i].value,
                                        &into[(*count)++])) {
                sb_log("an acknowledgement of job %llu is damaged", (unsigned long long)job);
                status = ENGINE_FAILED;
            }
        }
        pair_list_release(&found);
    }
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

void acknowledgements_forget(transaction *in, uint64_t job, const sb_address *servers,
                             uint32_t count)
{
    buffer key;
    buffer_init(&key);
    for (uint32_t i = 0; i < count; i++) {
        key_ack(&key, job, servers[i]);
        transaction_delete(in, buffer_slice(&key));
    }
    buffer_release(&key);
}
