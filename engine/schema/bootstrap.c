/*
 * The first schema of a cluster: one transaction, tried until there is a schema, whoever made it.
 */
#include "engine/schema/bootstrap.h"

#include "engine/transaction/route.h"
#include "engine/wire/keys.h"

#define FIRST_VERSION 1u

/* ENGINE_NOT_FOUND while there is none. */
static engine_status look_for_schema(transaction *in, slice version_key, sb_scope *scope)
{
    buffer value;
    buffer_init(&value);
    const engine_status status = transaction_read(in, version_key, &value, scope);
    buffer_release(&value);
    return status;
}

static void write_schema(transaction *in, const table_definition *tables, uint32_t count,
                         slice version_key)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    schema_version_encode(FIRST_VERSION, &value);
    transaction_put(in, version_key, buffer_slice(&value));
    for (uint32_t i = 0; i < count; i++) {
        table_definition first = tables[i];
        first.version = FIRST_VERSION;
        key_table(&key, first.id);
        table_encode(&first, &value);
        transaction_put(in, buffer_slice(&key), buffer_slice(&value));
    }
    buffer_release(&key);
    buffer_release(&value);
}

static engine_status try_bootstrap(cluster *of, const table_definition *tables, uint32_t count,
                                   sb_scope *scope)
{
    transaction *in;
    engine_status status = transaction_begin(of, FIRST_VERSION, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    buffer version_key;
    buffer_init(&version_key);
    key_schema_version(&version_key);
    status = look_for_schema(in, buffer_slice(&version_key), scope);
    if (status == ENGINE_NOT_FOUND) {
        write_schema(in, tables, count, buffer_slice(&version_key));
        status = transaction_commit(in, NULL, scope);
    } else {
        transaction_rollback(in);
    }
    buffer_release(&version_key);
    transaction_release(in);
    return status;
}

engine_status schema_bootstrap(cluster *of, const table_definition *tables, uint32_t count,
                               sb_scope *scope)
{
    backoff wait;
    backoff_init(&wait);
    engine_status status = try_bootstrap(of, tables, count, scope);
    while (engine_status_is_passing(status)) {
        status = backoff_wait(&wait, scope);
        if (status == ENGINE_OK) {
            status = try_bootstrap(of, tables, count, scope);
        }
    }
    return status;
}
