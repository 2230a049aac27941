/*
 * The schema cache of a server: see schema_cache.h.
 *
 *     current ──→ snapshot v12, session 7, pinned by 3        new transactions pin this one
 *     older ────→ snapshot v11, session 7, pinned by 1 ──→ …  kept until their pins are gone
 *
 * Only the poller loads and acknowledges.  It holds no pointer to a snapshot across a call that may
 * let another task run, because schema_cache_reset may take `current` away at any such moment.
 */
#include "engine/schema/schema_cache.h"

#include <string.h>

#include "engine/counters.h"
#include "engine/schema/acknowledgement.h"
#include "engine/transaction/route.h"
#include "engine/wire/keys.h"

#define POLL_INTERVAL (500 * SB_MILLISECOND)
#define PASS_LIMIT (10 * SB_SECOND)
#define TABLES_MAX 256u
#define JOBS_MAX 1024u

struct schema_cache {
    cluster *cluster;
    sb_duration poll_interval;
    schema_snapshot *current; /* NULL: nothing is loaded */
    schema_snapshot *older;   /* not current any more and still pinned; newest first */
    sb_condition changed;     /* something was loaded, reset, or an older one's last pin has gone */
    sb_condition poll_now;
    bool wake;
    session_id acknowledged_session; /* what was acknowledged last */
    schema_version acknowledged_version;
};

/* --------------------------------------------------------------------------- opening, closing */

schema_cache *schema_cache_open(cluster *of, const schema_settings *settings)
{
    schema_cache *cache = sb_alloc_zero(sizeof(*cache));
    cache->cluster = of;
    cache->poll_interval =
        settings != NULL && settings->poll_interval > 0 ? settings->poll_interval : POLL_INTERVAL;
    sb_condition_init(&cache->changed, "schema");
    sb_condition_init(&cache->poll_now, "schema poll");
    return cache;
}

/* Take `current` away; it is freed with its last pin. */
static void retire_current(schema_cache *cache)
{
    schema_snapshot *old = cache->current;
    cache->current = NULL;
    if (old == NULL) {
        return;
    }
    if (old->users == 0) {
        sb_free(old);
        return;
    }
    old->older = cache->older;
    cache->older = old;
}

void schema_cache_close(schema_cache *cache)
{
    retire_current(cache);
    sb_assert(cache->older == NULL);
    sb_condition_release(&cache->changed);
    sb_condition_release(&cache->poll_now);
    sb_free(cache);
}

void schema_cache_reset(schema_cache *cache)
{
    retire_current(cache);
    sb_condition_broadcast(&cache->changed);
    schema_cache_wake(cache);
}

void schema_cache_wake(schema_cache *cache)
{
    cache->wake = true;
    sb_condition_broadcast(&cache->poll_now);
}

/* ------------------------------------------------------------------------------------ pinning */

const table_definition *schema_table(const schema_snapshot *of, table_id id)
{
    for (uint32_t i = 0; i < of->table_count; i++) {
        if (of->tables[i].id == id) {
            return &of->tables[i];
        }
    }
    return NULL;
}

/* Loaded under this session, which storage has not refused. */
static bool session_is_loaded(const schema_cache *cache, session_id session)
{
    return cache->current != NULL && cache->current->session == session &&
           cluster_session(cache->cluster) == session && !cluster_fenced(cache->cluster);
}

const schema_snapshot *schema_acquire(schema_cache *cache)
{
    if (!session_is_loaded(cache, cluster_session(cache->cluster))) {
        return NULL;
    }
    cache->current->users++;
    return cache->current;
}

void schema_release(schema_cache *cache, const schema_snapshot *snapshot)
{
    schema_snapshot *own = (schema_snapshot *)snapshot;
    sb_assert_op(own->users, >, 0);
    if (--own->users > 0 || own == cache->current) {
        return;
    }
    schema_snapshot **link = &cache->older;
    while (*link != own) {
        sb_assert(*link != NULL);
        link = &(*link)->older;
    }
    *link = own->older;
    sb_free(own);
    sb_condition_broadcast(&cache->changed);
}

engine_status schema_begin(schema_cache *cache, const schema_snapshot **pinned, transaction **begun,
                           sb_scope *scope)
{
    const schema_snapshot *snapshot = schema_acquire(cache);
    if (snapshot == NULL) {
        return ENGINE_FENCED;
    }
    const engine_status status = transaction_begin(cache->cluster, snapshot->version, begun, scope);
    if (status != ENGINE_OK) {
        schema_release(cache, snapshot);
        return status;
    }
    /* Nothing ran between the pin and the begin's look at the session. */
    sb_assert_op(transaction_session(*begun), ==, snapshot->session);
    *pinned = snapshot;
    return ENGINE_OK;
}

engine_status schema_cache_wait_loaded(schema_cache *cache, sb_scope *scope)
{
    engine_status status = engine_scope_status(scope);
    while (status == ENGINE_OK && !session_is_loaded(cache, cluster_session(cache->cluster))) {
        sb_condition_wait(&cache->changed, NULL, scope);
        status = engine_scope_status(scope);
    }
    return status;
}

schema_version schema_cache_version(const schema_cache *cache)
{
    return cache->current != NULL ? cache->current->version : 0;
}

schema_version schema_cache_oldest(const schema_cache *cache)
{
    schema_version oldest = schema_cache_version(cache);
    for (const schema_snapshot *one = cache->older; one != NULL; one = one->older) {
        oldest = oldest == 0 || one->version < oldest ? one->version : oldest;
    }
    return oldest;
}

/* ------------------------------------------------------------------------------------ loading */

static engine_status read_version(cluster *of, timestamp at, schema_version *version,
                                  sb_scope *scope)
{
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    key_schema_version(&key);
    const engine_status status = cluster_read(of, at, buffer_slice(&key), &value, scope);
    if (status == ENGINE_OK && !schema_version_decode(buffer_slice(&value), version)) {
        sb_fail("the row of the schema version is damaged");
    }
    buffer_release(&key);
    buffer_release(&value);
    return status;
}

static engine_status scan_meta(cluster *of, timestamp at, const char *word, uint32_t limit,
                               pair_list *found, sb_scope *scope)
{
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    key_meta(&start, word, NULL, 0);
    key_prefix_end(&end, buffer_slice(&start));
    const engine_status status =
        cluster_scan(of, at, buffer_slice(&start), buffer_slice(&end), limit, found, scope);
    buffer_release(&start);
    buffer_release(&end);
    return status;
}

static schema_snapshot *make_snapshot(schema_version version, session_id session,
                                      const pair_list *rows)
{
    schema_snapshot *made = sb_alloc(sizeof(*made) + rows->count * sizeof(made->tables[0]));
    *made = (schema_snapshot){.version = version, .session = session, .table_count = rows->count};
    for (uint32_t i = 0; i < rows->count; i++) {
        if (!table_decode(rows->pairs[i].value, &made->tables[i])) {
            sb_fail("the definition of a table is damaged");
        }
        sb_assert_op(made->tables[i].version, <=, version);
    }
    return made;
}

/* Switch new transactions to these definitions. */
static void install(schema_cache *cache, schema_snapshot *made)
{
    sb_assert(cache->current == NULL || cache->current->version <= made->version);
    retire_current(cache);
    cache->current = made;
    sb_condition_broadcast(&cache->changed);
}

/* Everything at one timestamp, so that version and definitions belong together. */
static engine_status load(schema_cache *cache, session_id session, sb_scope *scope)
{
    cluster *of = cache->cluster;
    timestamp at;
    schema_version version = 0;
    pair_list rows;
    if (failpoint("schema-load-fails")) {
        return ENGINE_TIMEOUT;
    }
    engine_status status = cluster_timestamp(of, &at, scope);
    if (status == ENGINE_OK) {
        status = read_version(of, at, &version, scope);
    }
    if (status == ENGINE_OK) {
        status = scan_meta(of, at, "table", TABLES_MAX, &rows, scope);
    }
    if (status != ENGINE_OK) {
        return status;
    }
    /* Only what was loaded under the session that is still ours may be pinned. */
    if (cluster_session(of) == session && !cluster_fenced(of)) {
        install(cache, make_snapshot(version, session, &rows));
    } else {
        SOMETIMES(true, "session-changed-while-schema-was-loaded");
        status = ENGINE_FENCED;
    }
    pair_list_release(&rows);
    return status;
}

/* ------------------------------------------------------------------------------ acknowledging */

/* Put the row of every live job into the transaction; *count is how many.  The end of a job removes
 * the rows of the servers that placement has listed by then.  A session that is younger than that
 * list is not on it, so the first time it acknowledges it locks the jobs: either that conflicts
 * with the end, or the end is seen here. */
static engine_status put_acknowledgements(schema_cache *cache, transaction *in, session_id session,
                                          schema_version version, uint32_t *count, sb_scope *scope)
{
    const bool is_first = cache->acknowledged_session != session;
    pair_list jobs;
    const engine_status status =
        scan_meta(cache->cluster, transaction_start(in), "job", JOBS_MAX, &jobs, scope);
    *count = 0;
    if (status != ENGINE_OK) {
        return status;
    }
    buffer key, value;
    buffer_init(&key);
    buffer_init(&value);
    for (uint32_t i = 0; i < jobs.count; i++) {
        acknowledgement one = {.server = sb_self(), .session = session, .version = version};
        if (!key_meta_decode(jobs.pairs[i].key, "job", &one.job, 1)) {
            sb_fail("the key of a job is damaged");
        }
        key_ack(&key, one.job, one.server);
        acknowledgement_encode(&one, &value);
        transaction_put(in, buffer_slice(&key), buffer_slice(&value));
        if (is_first) {
            transaction_lock(in, jobs.pairs[i].key);
        }
        (*count)++;
    }
    buffer_release(&key);
    buffer_release(&value);
    pair_list_release(&jobs);
    return ENGINE_OK;
}

static engine_status try_acknowledge(schema_cache *cache, session_id session,
                                     schema_version version, sb_scope *scope)
{
    if (cluster_session(cache->cluster) != session) {
        return ENGINE_FENCED;
    }
    if (failpoint("schema-acknowledgement-fails")) {
        return ENGINE_UNKNOWN;
    }
    transaction *in;
    engine_status status = transaction_begin(cache->cluster, version, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    uint32_t count = 0;
    status = put_acknowledgements(cache, in, session, version, &count, scope);
    if (status == ENGINE_OK && count > 0) {
        status = transaction_commit(in, NULL, scope);
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    if (status == ENGINE_OK) {
        sb_count(COUNTER_schema_acknowledgements, count);
    }
    return status;
}

/* Again and again, also after an unknown outcome: the owner waits for the row, not for us. */
static engine_status acknowledge(schema_cache *cache, session_id session, schema_version version,
                                 sb_scope *scope)
{
    backoff wait;
    backoff_init(&wait);
    engine_status status = try_acknowledge(cache, session, version, scope);
    while (engine_status_is_passing(status)) {
        SOMETIMES(true, "schema-acknowledgement-sent-again");
        status = backoff_wait(&wait, scope);
        if (status == ENGINE_OK) {
            status = try_acknowledge(cache, session, version, scope);
        }
    }
    if (status == ENGINE_OK) {
        cache->acknowledged_session = session;
        cache->acknowledged_version = version;
    }
    return status;
}

/* Until nobody uses an older schema, of this session or of one before: a session that was replaced
 * may not be fenced yet, so its transactions could still commit. */
static engine_status drain_older(schema_cache *cache, session_id session, sb_scope *scope)
{
    engine_status status = engine_scope_status(scope);
    while (status == ENGINE_OK && cache->older != NULL) {
        SOMETIMES(true, "schema-waits-for-older-transactions");
        sb_condition_wait(&cache->changed, NULL, scope);
        status = session_is_loaded(cache, session) ? engine_scope_status(scope) : ENGINE_FENCED;
    }
    return status;
}

/* ------------------------------------------------------------------------------------ polling */

/* One look.  What fails is tried again by the next. */
static engine_status poll_once(schema_cache *cache, sb_scope *scope)
{
    const session_id session = cluster_session(cache->cluster);
    engine_status status = ENGINE_OK;
    if (session == 0 || cluster_fenced(cache->cluster)) {
        return ENGINE_FENCED;
    }
    if (!session_is_loaded(cache, session)) {
        status = load(cache, session, scope);
    } else {
        schema_version newest = 0;
        status = read_version(cache->cluster, TIMESTAMP_MAX, &newest, scope);
        if (status == ENGINE_OK &&
            (!session_is_loaded(cache, session) || newest > cache->current->version)) {
            status = load(cache, session, scope);
        }
    }
    if (status != ENGINE_OK || !session_is_loaded(cache, session)) {
        return status;
    }
    const schema_version version = cache->current->version;
    if (cache->acknowledged_session == session && cache->acknowledged_version == version) {
        return ENGINE_OK;
    }
    status = drain_older(cache, session, scope);
    return status == ENGINE_OK ? acknowledge(cache, session, version, scope) : status;
}

void schema_cache_run(schema_cache *cache, sb_scope *scope)
{
    while (sb_scope_status(scope) == SB_OK) {
        cache->wake = false;
        sb_scope pass;
        sb_scope_init_timeout(&pass, scope, "schema poll", PASS_LIMIT);
        poll_once(cache, &pass);
        sb_scope_release(&pass);

        sb_scope interval;
        sb_scope_init_timeout(&interval, scope, "schema poll interval", cache->poll_interval);
        while (!cache->wake && sb_scope_status(&interval) == SB_OK) {
            sb_condition_wait(&cache->poll_now, NULL, &interval);
        }
        sb_scope_release(&interval);
    }
}
