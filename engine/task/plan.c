/*
 * Planning: from region to region, and within a region from one count of rows to the next.
 *
 * The rows are counted by reading them at the snapshot.  That is one pass more over the table, on
 * the owner; it makes subtasks of equal size without any statistics.
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

/* Cut [*at, stop), which lies in one region; *at is stop afterwards. */
static engine_status cut_region(task_plan *plan, cluster *of, timestamp snapshot, uint32_t rows_max,
                                buffer *at, slice stop, sb_scope *scope)
{
    engine_status status = ENGINE_OK;
    bool more = true;
    while (more && status == ENGINE_OK) {
        pair_list rows;
        status = cluster_scan(of, snapshot, buffer_slice(at), stop, rows_max, &rows, scope);
        if (status != ENGINE_OK) {
            break;
        }
        const slice next = buffer_slice(&rows.next);
        more = rows.more && next.size <= RANGE_KEY_MAX && plan->count + 1 < SUBTASKS_MAX &&
               slice_compare(next, stop) < 0;
        const slice cut = more ? next : stop;
        add_range(plan, buffer_slice(at), cut);
        buffer_clear(at);
        buffer_add(at, cut.data, cut.size);
        pair_list_release(&rows);
    }
    return status;
}

static engine_status cut_table(task_plan *plan, cluster *of, const region_map *map, slice start,
                               slice end, timestamp snapshot, uint32_t rows_max, sb_scope *scope)
{
    buffer at;
    buffer_init(&at);
    buffer_add(&at, start.data, start.size);
    engine_status status = ENGINE_OK;
    while (status == ENGINE_OK && slice_compare(buffer_slice(&at), end) < 0) {
        const region_description *region = region_map_find(map, buffer_slice(&at));
        const bool last = region->end.size == 0 || slice_compare(region->end, end) >= 0 ||
                          region->end.size > RANGE_KEY_MAX || plan->count + 1 >= SUBTASKS_MAX;
        status = cut_region(plan, of, snapshot, rows_max, &at, last ? end : region->end, scope);
    }
    buffer_release(&at);
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

engine_status task_plan_make(task_plan *plan, cluster *of, table_id table, timestamp snapshot,
                             uint32_t rows_max, sb_scope *scope)
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
    row_range(table, &start, &end);
    status = cut_table(plan, of, map, buffer_slice(&start), buffer_slice(&end), snapshot, rows_max,
                       scope);
    sb_assert(status != ENGINE_OK ||
              task_plan_tiles(plan, buffer_slice(&start), buffer_slice(&end)));
    buffer_release(&start);
    buffer_release(&end);
    region_map_release(map);
    return status;
}
