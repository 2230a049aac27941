/*
 * Who decided what: see decisions.h.
 */
#include "nodes/oracles/decisions.h"

void decisions_init(decisions *into)
{
    *into = (decisions){0};
}

void decisions_release(decisions *of)
{
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

void decisions_observe(decisions *into, sb_node teller, uint32_t kind, slice report)
{
    decision made = {.teller = teller};
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
