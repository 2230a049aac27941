/*
 * Cutting the rows of a table into the ranges of subtasks.
 *
 * At least one range for every region that holds rows of the table, and no range with more than
 * `rows_max` rows at the snapshot.  The ranges tile the table: no hole, no overlap (TiDB issue
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

/* Fill an empty plan.  ENGINE_OK, or how the scope ended. */
engine_status task_plan_make(task_plan *plan, cluster *of, table_id table, timestamp snapshot,
                             uint32_t rows_max, sb_scope *scope);

/* The ranges tile [start, end), each of them holding at least one possible key. */
bool task_plan_tiles(const task_plan *plan, slice start, slice end);

#endif
