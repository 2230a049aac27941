/*
 * A cycle in the wait-for graph, found by a search in depth; see cycle.h.
 */
#include "sim/verdict/cycle.h"

#include <stdio.h>
#include <string.h>

typedef enum mark { UNSEEN, ON_THE_WAY, DONE } mark;

/* A task, by its place in the world's list, and where to look on for one that it waits for. */
typedef struct stop {
    uint16_t task, next;
} stop;

_Static_assert(SB_TASK_MAX <= UINT16_MAX, "a stop names a task with 16 bits");

typedef struct search {
    const sb_world *world;
    bool certain;
    stop way[SB_TASK_MAX]; /* from where the search began to where it is: any number of tasks may
                              wait for a short cycle */
    unsigned count;
    sb_cycle *found;
    uint8_t marks[SB_TASK_MAX]; /* by place in the list */
} search;

static bool is_in_graph(const search *of, const sb_task *task)
{
    return task->live && task->wait_kind != SB_WAIT_NONE && task->deadline == SB_FOREVER &&
           (!of->certain || task->scope == NULL);
}

static bool waits_for(const search *of, const sb_task *task, const sb_task *other)
{
    if (task->wait_holder != NULL) {
        return task->wait_holder == other;
    }
    const sb_wait_group *const group = sb_group_waited_for(task);
    if (group != NULL) {
        return other->group == group;
    }
    return !of->certain && task->wait_peer != 0 && other->serves == task->wait_call &&
           other->serves != 0 && other->serves_from == task->node->number &&
           other->node->number == task->wait_peer;
}

static bool has_edges(const sb_task *task)
{
    return task->wait_holder != NULL || task->wait_peer != 0 || task->wait_kind == SB_WAIT_GROUP;
}

/* False: it is too long to be told. */
static bool note_cycle(search *of, uint32_t first)
{
    unsigned start = 0;
    while (of->way[start].task != first) {
        start++;
    }
    if (of->count - start > SB_CYCLE_MAX) {
        return false;
    }
    of->found->count = of->count - start;
    for (unsigned i = 0; i < of->found->count; i++) {
        of->found->tasks[i] = &of->world->tasks[of->way[start + i].task];
    }
    return true;
}

static void go_to(search *of, uint32_t task)
{
    of->marks[task] = ON_THE_WAY;
    of->way[of->count++] = (stop){.task = (uint16_t)task};
}

/* The next task that this one waits for and that was not left behind; task_high: none. */
static uint32_t next_edge(const search *of, stop from)
{
    const sb_task *const task = &of->world->tasks[from.task];
    uint32_t i = has_edges(task) ? from.next : of->world->task_high;
    while (i < of->world->task_high &&
           (of->marks[i] == DONE || !is_in_graph(of, &of->world->tasks[i]) ||
            !waits_for(of, task, &of->world->tasks[i]))) {
        i++;
    }
    return i;
}

/* True: a cycle was found. */
static bool walk(search *of, uint32_t first)
{
    go_to(of, first);
    while (of->count != 0) {
        stop *const here = &of->way[of->count - 1];
        const uint32_t next = next_edge(of, *here);
        if (next == of->world->task_high) {
            of->marks[here->task] = DONE;
            of->count--;
            continue;
        }
        here->next = (uint16_t)(next + 1);
        if (of->marks[next] == UNSEEN) {
            go_to(of, next);
        } else if (note_cycle(of, next)) {
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------------- where it begins */

static int compare(const sb_task *left, const sb_task *right)
{
    const char *const one = left->wait_object != NULL ? left->wait_object : "";
    const char *const other = right->wait_object != NULL ? right->wait_object : "";
    int order = strcmp(one, other);
    order = order != 0 ? order : strcmp(left->node->role, right->node->role);
    order = order != 0 ? order : strcmp(left->name, right->name);
    return order != 0 ? order : (int)left->lane - (int)right->lane;
}

static void turn(sb_cycle *of)
{
    sb_cycle turned = {.count = of->count};
    unsigned first = 0;
    for (unsigned i = 1; i < of->count; i++) {
        first = compare(of->tasks[i], of->tasks[first]) < 0 ? i : first;
    }
    for (unsigned i = 0; i < of->count; i++) {
        turned.tasks[i] = of->tasks[(first + i) % of->count];
    }
    *of = turned;
}

/* Most looks meet nobody who waits for a mutex or a group: they cost one pass over the tasks. */
void sb_cycle_find(const sb_world *world, bool certain, sb_cycle *into)
{
    search of;
    of.world = world;
    of.certain = certain;
    of.count = 0;
    of.found = into;
    into->count = 0;
    memset(of.marks, UNSEEN, world->task_high);
    for (uint32_t i = 0; i < world->task_high; i++) {
        const sb_task *const task = &world->tasks[i];
        if (is_in_graph(&of, task) && has_edges(task) && of.marks[i] == UNSEEN && walk(&of, i)) {
            turn(into);
            return;
        }
    }
}

void sb_cycle_text(const sb_cycle *of, char *text, size_t size)
{
    size_t used = 0;
    for (unsigned i = 0; i < of->count && used < size; i++) {
        const sb_task *const task = of->tasks[i], *const next = of->tasks[(i + 1) % of->count];
        const int length = snprintf(
            text + used, size - used, "%s%s %s waits for %s %s of %s %s", i == 0 ? "" : "; ",
            task->node->name, task->name, sb_wait_names[task->wait_kind],
            task->wait_object != NULL ? task->wait_object : "", next->node->name, next->name);
        used += length < 0 ? 0 : (size_t)length;
    }
}
