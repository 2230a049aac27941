/*
 * Planning: from region to region, and within a region from one count of keys to the next.
 *
 * The keys are counted by reading them.  That is one pass more over the table, on the owner; it
 * makes subtasks of equal size without any statistics.
 */
#include "engine/task/plan.h"

#include "engine/schema/row.h"
#include "engine/transaction/route.h"

void task_plan_init(task_plan *plan)
{
    *plan = (task_plan){0};
}

void task_plan_release(task_plan *plan)
{
    sb_free(plan->ranges);
    *plan = (task_plan){0};
}

static void add_range(task_plan *plan, slice start, slice end)
{
    if (plan->count == plan->room) {
        plan->room = plan->room == 0 ? 8 : plan->room * 2;
        const size_t size = plan->room * sizeof(*plan->ranges);
        plan->ranges = plan->ranges == NULL ? sb_alloc(size) : sb_realloc(plan->ranges, size);
    }
    planned_range *added = &plan->ranges[plan->count++];
    range_key_set(&added->start, start);
    range_key_set(&added->end, end);
}

/* Cut [*at, stop), which lies in one region; *at is stop afterwards.  A cut that would be no longer
 * than a range key allows, and not behind the last one, is left out: the range gets longer. */
static engine_status cut_region(task_plan *plan, cluster *of, timestamp read_at, uint32_t rows_max,
                                range_key *at, slice stop, sb_scope *scope)
{
    buffer from; /* where the next count begins: exactly, while *at may be a shorter bound */
    buffer_init(&from);
    buffer_add(&from, at->bytes, at->size);
    engine_status status = ENGINE_OK;
    bool more = true;
    while (more && status == ENGINE_OK) {
        pair_list rows;
        status = cluster_scan(of, read_at, buffer_slice(&from), stop, rows_max, &rows, scope);
        if (status != ENGINE_OK) {
            break;
        }
        const slice next = buffer_slice(&rows.next);
        const bool room = plan->count + 2 < SUBTASKS_MAX; /* one is for the rest of the table */
        more = rows.more && room && slice_compare(next, stop) < 0;
        range_key cut;
        range_key_set(&cut, more ? next : stop);
        const bool further = slice_compare(range_key_slice(&cut), range_key_slice(at)) > 0;
        SOMETIMES(!further, "no-cut-among-keys-with-one-long-beginning");
        if (further) {
            add_range(plan, range_key_slice(at), range_key_slice(&cut));
            *at = cut;
        }
        buffer_clear(&from);
        buffer_add(&from, next.data, next.size);
        pair_list_release(&rows);
    }
    buffer_release(&from);
    return status;
}

static engine_status cut_range(task_plan *plan, cluster *of, const region_map *map, slice start,
                               slice end, timestamp read_at, uint32_t rows_max, sb_scope *scope)
{
    range_key at;
    range_key_set(&at, start);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && slice_compare(range_key_slice(&at), end) < 0) {
        const region_description *region = region_map_find(map, range_key_slice(&at));
        const bool last = region->end.size == 0 || slice_compare(region->end, end) >= 0 ||
                          region->end.size > RANGE_KEY_MAX || plan->count + 1 >= SUBTASKS_MAX;
        status = cut_region(plan, of, read_at, rows_max, &at, last ? end : region->end, scope);
    }
    return status;
}

bool task_plan_tiles(const task_plan *plan, slice start, slice end)
{
    if (plan->count == 0 || plan->count > SUBTASKS_MAX ||
        !slice_equal(range_key_slice(&plan->ranges[0].start), start) ||
        !slice_equal(range_key_slice(&plan->ranges[plan->count - 1].end), end)) {
        return false;
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        const planned_range *one = &plan->ranges[i];
        if (slice_compare(range_key_slice(&one->start), range_key_slice(&one->end)) >= 0 ||
            (i > 0 && !slice_equal(range_key_slice(&one[-1].end), range_key_slice(&one->start)))) {
            return false;
        }
    }
    return true;
}

void task_range(task_kind kind, table_id table, index_id index, buffer *start, buffer *end)
{
    if (kind == TASK_KIND_MERGE) {
        index_range(table, index | TEMPORARY_INDEX, start, end);
    } else {
        row_range(table, start, end);
    }
}

engine_status task_plan_make(task_plan *plan, cluster *of, const task_row *task, uint32_t rows_max,
                             sb_scope *scope)
{
    sb_assert_op(plan->count, ==, 0);
    sb_assert_op(rows_max, >, 0);
    const region_map *map;
    engine_status status = cluster_regions(of, true, &map, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    buffer start, end;
    buffer_init(&start);
    buffer_init(&end);
    task_range(task->kind, task->table, task->index, &start, &end);
    sb_assert(end.size > 0 && end.size <= RANGE_KEY_MAX);
    const timestamp read_at = task->kind == TASK_KIND_BACKFILL ? task->snapshot : TIMESTAMP_MAX;
    status = cut_range(plan, of, map, buffer_slice(&start), buffer_slice(&end), read_at, rows_max,
                       scope);
    sb_assert(status != ENGINE_OK ||
              task_plan_tiles(plan, buffer_slice(&start), buffer_slice(&end)));
    buffer_release(&start);
    buffer_release(&end);
    region_map_release(map);
    return status;
}
