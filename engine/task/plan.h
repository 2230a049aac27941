/*
 * Cutting the keys that a task works through into the ranges of subtasks.
 *
 * A backfill works through the rows of a table at the snapshot, a merge through the temporary index
 * as it is now.  There is at least one range for every region that holds such keys, one also when
 * there are none, and no range with more than `rows_max` keys, unless these all begin with the same
 * RANGE_KEY_MAX bytes.  The ranges tile the whole: no hole, no overlap (TiDB issue
 * 50895: ranges were planned over a region map with holes, and the rows in them were missing from
 * the index).
 */
#ifndef ENGINE_TASK_PLAN_H
#define ENGINE_TASK_PLAN_H

#include "engine/task/task.h"

typedef struct planned_range {
    range_key start, end;
} planned_range;

typedef struct task_plan {
    planned_range *ranges;
    uint32_t count, room;
} task_plan;

void task_plan_init(task_plan *plan);
void task_plan_release(task_plan *plan);

/* The keys that a task of this kind works through: [start, end). */
void task_range(task_kind kind, table_id table, index_id index, buffer *start, buffer *end);

/* Fill an empty plan.  ENGINE_OK, or how the scope ended. */
engine_status task_plan_make(task_plan *plan, cluster *of, const task_row *task, uint32_t rows_max,
                             sb_scope *scope);

/* The ranges tile [start, end), each of them holding at least one possible key. */
bool task_plan_tiles(const task_plan *plan, slice start, slice end);

#endif
