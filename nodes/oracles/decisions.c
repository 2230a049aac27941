/*
 * Who decided what: see decisions.h.
 */
#include "nodes/oracles/decisions.h"

#include "engine/base/checksum.h"

void decisions_init(decisions *into)
{
    *into = (decisions){0};
}

void decisions_release(decisions *of)
{
    if (of->has_ingested) {
        number_map_release(&of->ingested);
    }
    sb_free(of->items);
    *of = (decisions){0};
}

static bool kind_of(uint32_t report, decision_kind *kind)
{
    switch (report) {
    case REPORT_COMMIT_DECIDED:
        *kind = DECIDED_COMMIT;
        return true;
    case REPORT_SERVER_FENCED:
        *kind = DECIDED_FENCE;
        return true;
    case REPORT_SESSION_BEGAN:
        *kind = DECIDED_SESSION;
        return true;
    default:
        return false;
    }
}

static uint64_t ingested_key(timestamp at, uint64_t sum)
{
    return (sum + at * 0x9e3779b97f4a7c15u) | 1;
}

static void observe_ingested(decisions *into, slice report)
{
    cursor from = cursor_of(report);
    const timestamp at = cursor_u64(&from);
    if (!into->has_ingested) {
        number_map_init(&into->ingested, 1024);
        into->has_ingested = true;
    }
    while (!from.failed && !cursor_finished(&from)) {
        const uint64_t key = ingested_key(at, cursor_u64(&from));
        if (number_map_get(&into->ingested, key) == NUMBER_MAP_NONE) {
            (void)number_map_put(&into->ingested, key, into->count);
        }
    }
}

bool decisions_had_ingested(const decisions *of, timestamp at, slice key, const decision *before)
{
    const uint32_t told = of->has_ingested
                              ? number_map_get(&of->ingested, ingested_key(at, checksum64(key)))
                              : NUMBER_MAP_NONE;
    return told != NUMBER_MAP_NONE && told <= (uint32_t)(before - of->items);
}

void decisions_observe(decisions *into, sb_node teller, uint32_t kind, slice report)
{
    decision made = {.teller = teller};
    if (kind == REPORT_INGESTED) {
        observe_ingested(into, report);
        return;
    }
    if (!kind_of(kind, &made.kind)) {
        return;
    }
    if (!session_report_decode(report, &made.told)) {
        sb_fail("a report of a decision cannot be read");
    }
    if (into->count == into->room) {
        into->room = into->room == 0 ? 256 : 2 * into->room;
        const size_t size = into->room * sizeof(*into->items);
        into->items = into->items == NULL ? sb_alloc(size) : sb_realloc(into->items, size);
    }
    into->items[into->count++] = made;
}

void decisions_index(const decisions *of, number_map *by_start)
{
    number_map_init(by_start, of->count);
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->items[i].kind == DECIDED_COMMIT) {
            (void)number_map_put(by_start, of->items[i].told.start, i);
        }
    }
}

const decision *decisions_commit(const decisions *of, const number_map *by_start, timestamp start)
{
    const uint32_t at = start == 0 ? NUMBER_MAP_NONE : number_map_get(by_start, start);
    return at == NUMBER_MAP_NONE ? NULL : &of->items[at];
}
