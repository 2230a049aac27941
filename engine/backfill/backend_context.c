/*
 * Backend contexts: see backend_context.h.
 */
#include "engine/backfill/backend_context.h"

#include "engine/base/bytes.h"

/* ------------------------------------------------------------------------------------- states */

typedef enum index_engine_state {
    INDEX_ENGINE_NONE,
    INDEX_ENGINE_OPEN,
    INDEX_ENGINE_CLOSED,
    INDEX_ENGINE_IMPORTED
} index_engine_state;

static const char *const index_engine_states[] = {"never-registered", "open", "closed", "imported"};

static const sb_move index_engine_moves[] = {
    {INDEX_ENGINE_NONE, INDEX_ENGINE_OPEN},       {INDEX_ENGINE_OPEN, INDEX_ENGINE_CLOSED},
    {INDEX_ENGINE_CLOSED, INDEX_ENGINE_IMPORTED}, {INDEX_ENGINE_OPEN, INDEX_ENGINE_NONE},
    {INDEX_ENGINE_CLOSED, INDEX_ENGINE_NONE},     {INDEX_ENGINE_IMPORTED, INDEX_ENGINE_NONE},
};

SB_MACHINE(index_engine_machine, "index-engine", index_engine_states, index_engine_moves,
           .initial = INDEX_ENGINE_NONE, .finals = SB_STATE(INDEX_ENGINE_NONE),
           .source = "the two engines of TiDB's engineInfo: issue 53641");

struct engine_entry {
    engine_entry *next;
    backend_context *in;
    index_engine_state state;
    backend *opened, *closed; /* one of them at most */
    uint64_t rows;            /* of the engine that is closed or imported */
    backfill_work work;       /* its slices point into keys */
    buffer keys;
};

struct backend_context {
    backend_context *next;
    backend_registry *of;
    job_id job;
    engine_entry *entries;
};

static void move(engine_entry *of, index_engine_state to)
{
    sb_machine_move(&index_engine_machine, subtask_identity(of->work.job, of->work.number),
                    of->state, to);
    of->state = to;
}

/* ----------------------------------------------------------------------------------- contexts */

void backend_registry_init(backend_registry *of, backfill *with)
{
    *of = (backend_registry){.with = with};
}

void backend_registry_release(backend_registry *of)
{
    sb_assert(of->contexts == NULL);
}

static backend_context *find_context(const backend_registry *in, job_id job)
{
    backend_context *one = in->contexts;
    while (one != NULL && one->job != job) {
        one = one->next;
    }
    return one;
}

backend_context *backend_context_register(backend_registry *in, job_id job)
{
    backend_context *found = find_context(in, job);
    if (found == NULL) {
        found = sb_alloc_zero(sizeof(*found));
        *found = (backend_context){.next = in->contexts, .of = in, .job = job};
        in->contexts = found;
    }
    return found;
}

/* Whatever it has open is closed and cleaned up; the entry is gone. */
static void drop_entry(engine_entry *of, bool keep)
{
    engine_entry **link = &of->in->entries;
    while (*link != of) {
        link = &(*link)->next;
    }
    *link = of->next;
    backend *left = of->opened != NULL ? of->opened : of->closed;
    if (left != NULL) {
        backfill_end_backend(of->in->of->with, left, keep);
    }
    move(of, INDEX_ENGINE_NONE);
    buffer_release(&of->keys);
    sb_free(of);
}

void backend_context_unregister(backend_registry *in, job_id job, bool keep)
{
    backend_context *found = find_context(in, job);
    if (found == NULL) {
        return;
    }
    while (found->entries != NULL) {
        drop_entry(found->entries, keep);
    }
    backend_context **link = &in->contexts;
    while (*link != found) {
        link = &(*link)->next;
    }
    *link = found->next;
    sb_free(found);
}

/* ------------------------------------------------------------------------------------ entries */

/* The entry's own copy of the work, keys and all. */
static void copy_work(engine_entry *into, const backfill_work *from)
{
    into->work = *from;
    buffer_init(&into->keys);
    buffer_add(&into->keys, from->start.data, from->start.size);
    buffer_add(&into->keys, from->end.data, from->end.size);
    buffer_add(&into->keys, from->imported.data, from->imported.size);
    const unsigned char *at = into->keys.data;
    into->work.start.data = at;
    into->work.end.data = at + from->start.size;
    into->work.imported.data = at + from->start.size + from->end.size;
}

engine_entry *backend_context_engine(backend_context *in, const backfill_work *work)
{
    sb_assert_op(work->job, ==, in->job);
    for (engine_entry *one = in->entries; one != NULL; one = one->next) {
        if (one->work.index.id == work->index.id) {
            one->work.save = work->save;
            one->work.save_context = work->save_context;
            return one;
        }
    }
    engine_entry *made = sb_alloc_zero(sizeof(*made));
    made->in = in;
    made->next = in->entries;
    in->entries = made;
    copy_work(made, work);
    made->opened = backfill_open_backend(in->of->with, &made->work);
    move(made, INDEX_ENGINE_OPEN);
    return made;
}

bool engine_entry_is_closed(const engine_entry *of)
{
    return of->closed != NULL;
}

bool engine_entry_is_imported(const engine_entry *of)
{
    return of->state == INDEX_ENGINE_IMPORTED;
}

uint64_t engine_entry_rows(const engine_entry *of)
{
    return of->opened != NULL ? backend_rows(of->opened) : of->rows;
}

engine_status engine_entry_write(engine_entry *of, failure *cause, sb_scope *scope)
{
    backfill *with = of->in->of->with;
    const engine_status status = backfill_write(with, of->opened, cause, scope);
    if (status != ENGINE_OK) {
        drop_entry(of, status != ENGINE_FAILED); /* the next try begins at its checkpoints */
        return status;
    }
    of->rows = backend_rows(of->opened);
    backfill_close_engine(with, of->opened);
    of->closed = of->opened;
    of->opened = NULL;
    move(of, INDEX_ENGINE_CLOSED);
    return ENGINE_OK;
}

engine_status engine_entry_import(engine_entry *of, failure *cause, sb_scope *scope)
{
    backfill *with = of->in->of->with;
    sb_assert(of->closed != NULL && of->opened == NULL);
    const engine_status status = backfill_import(with, of->closed, cause, scope);
    if (!backend_is_imported(of->closed)) {
        drop_entry(of, status != ENGINE_FAILED); /* not left without an engine: TiDB issue 44137 */
        return status;
    }
    backfill_end_backend(with, of->closed, false);
    of->closed = NULL;
    move(of, INDEX_ENGINE_IMPORTED);
    return status; /* which may still be an error, after its effect */
}
