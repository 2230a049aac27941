/*
 * Nothing was collected that a reader could still see: see garbage.h.
 */
#include "nodes/oracles/garbage.h"

#include "nodes/report.h"

#define ORACLE "garbage"
#define PUT_BACK 0x80000000u /* ttl_ms of a version that was put back: this and its number */

void collected_init(collected *into)
{
    buffer_init(&into->told);
}

void collected_release(collected *of)
{
    buffer_release(&of->told);
}

void collected_observe(collected *into, uint32_t kind, slice report)
{
    if (kind == REPORT_COLLECTED) {
        buffer_add_slice(&into->told, report);
    }
}

/* A version that is gone. */
typedef struct gone {
    const durable_store *from;
    const entry *of;
    const version *is;
    timestamp safe_point; /* the last that was told for it */
} gone;

typedef struct check {
    durable_cluster *durable;
    sb_world *world;
    gone *items;
    uint32_t count, room;
} check;

/* -------------------------------------------------------------------------------- putting back */

static version **list_of(entry *within, const version *one)
{
    const bool is_value = one->kind == VERSION_PUT || one->kind == VERSION_DELETE;
    return is_value ? &within->values : &within->marks;
}

/* Where it stands, or belongs. */
static version **place_of(entry *within, const version *one)
{
    version **link = list_of(within, one);
    while (*link != NULL && (*link)->commit >= one->commit) {
        if ((*link)->commit == one->commit && (*link)->start == one->start &&
            (*link)->kind == one->kind) {
            break;
        }
        link = &(*link)->older;
    }
    return link;
}

static bool is_same(const version *there, const version *one)
{
    return there != NULL && there->commit == one->commit && there->start == one->start &&
           there->kind == one->kind;
}

static void note(check *in, const durable_store *from, const entry *of, version *one,
                 timestamp safe_point)
{
    if (in->count == in->room) {
        in->room = in->room == 0 ? 256 : 2 * in->room;
        const size_t size = in->room * sizeof(*in->items);
        in->items = in->items == NULL ? sb_alloc(size) : sb_realloc(in->items, size);
    }
    one->ttl_ms = PUT_BACK + in->count;
    in->items[in->count++] = (gone){from, of, one, safe_point};
}

/* It goes over into the durable entry, unless it is there. */
static void put_back(check *in, const durable_store *from, entry *into, version *one,
                     timestamp safe_point)
{
    version **link = place_of(into, one);
    if (!is_same(*link, one)) {
        one->older = *link;
        *link = one;
        note(in, from, into, one, safe_point);
        return;
    }
    if ((*link)->ttl_ms >= PUT_BACK) {
        in->items[(*link)->ttl_ms - PUT_BACK].safe_point = safe_point;
    }
    sb_free(one);
}

static entry *find_or_make(mvcc *within, slice key)
{
    static const unsigned char nothing[9]; /* no lock, no values, no marks */
    entry *found = mvcc_find(within, key);
    if (found == NULL) {
        const bool made = mvcc_load_entry(within, key, slice_of(nothing, sizeof(nothing)), 1);
        sb_assert(made);
        found = mvcc_find(within, key);
    }
    return found;
}

static void put_back_list(check *in, const durable_store *from, entry *into, version **list,
                          timestamp safe_point)
{
    version *one = *list;
    *list = NULL;
    while (one != NULL) {
        version *older = one->older;
        put_back(in, from, into, one, safe_point);
        one = older;
    }
}

static void put_back_entry(check *in, slice key, slice versions, timestamp safe_point)
{
    durable_store *from = durable_store_of(in->durable, key);
    mvcc scratch;
    if (store_state_is_deleted(&from->state, key)) {
        return;
    }
    mvcc_init(&scratch);
    if (!mvcc_load_entry(&scratch, key, versions, 1)) {
        sb_fail("a report of what is collected cannot be read");
    }
    entry *told = mvcc_find(&scratch, key), *into = find_or_make(&from->state.data, key);
    put_back_list(in, from, into, &told->values, safe_point);
    put_back_list(in, from, into, &told->marks, safe_point);
    mvcc_release(&scratch);
}

static void put_back_report(check *in, slice report)
{
    cursor at = cursor_of(report);
    const timestamp safe_point = cursor_u64(&at);
    while (!at.failed && !cursor_finished(&at)) {
        const slice key = cursor_slice(&at), versions = cursor_slice(&at);
        if (at.failed) {
            sb_fail("a report of what is collected cannot be read");
        }
        put_back_entry(in, key, versions, safe_point);
    }
}

/* ------------------------------------------------------------------------------------- judging */

static bool is_put_back(const version *one)
{
    return one->ttl_ms >= PUT_BACK;
}

/* The next newer one of its list; NULL: it is the newest. */
static const version *newer_than(const gone *what)
{
    const version *newer = NULL;
    for (const version *at = what->of->values; at != what->is; at = at->older) {
        newer = at;
    }
    return newer;
}

static bool shows_older(const version *deletion)
{
    for (const version *older = deletion->older; older != NULL; older = older->older) {
        if (!is_put_back(older)) {
            return true;
        }
    }
    return false;
}

static bool was_garbage(const gone *what)
{
    const version *one = what->is;
    if (one->kind == VERSION_ROLLBACK) {
        return one->start < what->safe_point;
    }
    if (one->kind == VERSION_LOCK || one->commit > what->safe_point) {
        return one->commit <= what->safe_point;
    }
    const version *newer = newer_than(what);
    const bool hidden = newer != NULL && newer->commit <= what->safe_point;
    return hidden || (one->kind == VERSION_DELETE && !shows_older(one));
}

static void judge(const check *in, const gone *what)
{
    static const char *const kinds[VERSION_KIND_COUNT] = {
        [VERSION_PUT] = "value",
        [VERSION_DELETE] = "deletion",
        [VERSION_LOCK] = "mark of a lock",
        [VERSION_ROLLBACK] = "mark of a rollback",
    };
    const unsigned long long start = what->is->start, commit = what->is->commit;
    if (!was_garbage(what)) {
        sb_finding_at(in->world, SB_FINDING_LOST_WRITE, what->from->node, ORACLE,
                      "the %s of %llu, committed at %llu, was collected at the safe point %llu, "
                      "and readers from there on have lost it",
                      kinds[what->is->kind], start, commit, (unsigned long long)what->safe_point);
    }
    if (what->from->state.safe_point < what->safe_point) {
        sb_finding_at(in->world, SB_FINDING_LOST_WRITE, what->from->node, ORACLE,
                      "the %s of %llu, committed at %llu, was collected at the safe point %llu, "
                      "and readers before it are served: %llu is guarded",
                      kinds[what->is->kind], start, commit, (unsigned long long)what->safe_point,
                      (unsigned long long)what->from->state.safe_point);
    }
}

void oracle_garbage(const collected *told, durable_cluster *durable, sb_world *world)
{
    check in = {.durable = durable, .world = world};
    cursor at = cursor_of(buffer_slice(&told->told));
    while (!cursor_finished(&at)) {
        put_back_report(&in, cursor_slice(&at));
    }
    for (uint32_t i = 0; i < in.count; i++) {
        judge(&in, &in.items[i]);
    }
    sb_free(in.items);
}
