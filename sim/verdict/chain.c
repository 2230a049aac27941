/*
 * Who holds up what.
 *
 * The chain begins at what the scenario says has not ended (sb_witness.explain), which names the
 * machine and the task that should end it; and at each task that nothing but another one can set
 * free: it waits without a deadline. From there it goes to the holder of a mutex, to a task of a
 * group, or to the machine that owes a reply; the record then tells how far the request came and,
 * where a task still serves it, the chain goes on there. It ends with a task that waits for nobody
 * who is known, with a message that was lost, with a task or a machine that is not there, or where
 * it began.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "sim/verdict/fate.h"
#include "sim/verdict/report.h"

#define DEPTH_MAX 16
#define LINKS_SHOWN_MAX 64

typedef struct builder {
    sb_world *world;
    const sb_waiting_list *list;
    const sb_record *record; /* NULL: none */
    sb_chain *chain;
    size_t passed[UINT16_MAX + 1]; /* by lane: the link of that task, and one */
} builder;

/* -------------------------------------------------------------------------------------- tasks */

static const char *state_of_peer(const builder *of, sb_node node)
{
    return !sb_node_is_up(of->world, node)               ? ", which is down"
           : sb_node_is_paused(of->world, node)          ? ", which stands still"
           : (sb_world_away(of->world) >> node & 1) != 0 ? ", which stays away"
                                                         : "";
}

static size_t add_task(builder *of, const sb_waiting_task *task, size_t above)
{
    char what[128];
    if (task->peer != 0) {
        snprintf(what, sizeof what, "a reply of %s#%u%s", sb_node_name(of->world, task->peer),
                 sb_node_incarnation(of->world, task->peer), state_of_peer(of, task->peer));
    } else {
        snprintf(what, sizeof what, "%s%s%s", task->wait, task->object != NULL ? " " : "",
                 task->object != NULL ? task->object : "");
    }
    const size_t added =
        sb_chain_add(of->chain, SB_LINK_TASK, above, task->cause,
                     "%s#%u %s waits for %s since %" PRIu64 ".%06" PRIu64 "s",
                     sb_node_name(of->world, task->node), task->incarnation, task->name, what,
                     task->since / SB_SECOND, task->since / 1000 % 1000000);
    if (task->deadline != SB_FOREVER) {
        char *const text = of->chain->links[added - 1].text;
        const size_t used = strlen(text);
        snprintf(text + used, SB_LINK_TEXT - used, " until %" PRIu64 ".%06" PRIu64 "s",
                 task->deadline / SB_SECOND, task->deadline / 1000 % 1000000);
    }
    return added;
}

static size_t add_fate(builder *of, const sb_fate *fate, size_t above, const char *before)
{
    char text[SB_LINK_TEXT - 64];
    sb_fate_text(fate, text, sizeof text);
    const size_t added =
        sb_chain_add(of->chain, SB_LINK_EXCHANGE, above, sb_fate_last(fate), "%s%s", before, text);
    if (sb_fate_is_lost(fate)) {
        sb_fate_loss_text(of->record, fate, text, sizeof text);
        sb_chain_add(of->chain, SB_LINK_LOSS, added,
                     fate->reply_dropped != 0 ? fate->reply_dropped : fate->request_dropped, "%s",
                     text);
    }
    return added;
}

static bool has_record(const builder *of)
{
    return of->record != NULL && sb_record_count(of->record) != 0;
}

static void follow(builder *of, const sb_waiting_task *task, size_t above, unsigned depth);

/* The call in which it is: how far that came, and who serves it. */
static void follow_call(builder *of, const sb_waiting_task *task, size_t above, unsigned depth)
{
    sb_fate fate;
    if (!has_record(of)) {
        return;
    }
    sb_fate_of_task(of->record, task->node, task->lane, &fate);
    if (fate.call == 0) {
        return;
    }
    const size_t exchange = add_fate(of, &fate, above, "");
    const sb_waiting_task *const server =
        fate.answered == 0 ? sb_waiting_in_lane(of->list, fate.server_lane) : NULL;
    if (server != NULL && fate.server_lane != 0 && server->node == task->peer) {
        follow(of, server, exchange, depth);
    }
}

/* Nobody is known who could end its wait: perhaps it never had an answer. */
static void tell_what_was_lost(builder *of, unsigned node, const char *task, size_t above)
{
    sb_fate fate;
    if (has_record(of) && sb_fate_of_lost(of->record, node, task, &fate)) {
        add_fate(of, &fate, above, "it never had an answer again to ");
    }
}

static void follow(builder *of, const sb_waiting_task *task, size_t above, unsigned depth)
{
    if (of->passed[task->lane] != 0) {
        const size_t again =
            sb_chain_add(of->chain, SB_LINK_END, above, 0, "%s#%u %s, which stands above",
                         sb_node_name(of->world, task->node), task->incarnation, task->name);
        of->chain->links[again - 1].same = of->passed[task->lane];
        return;
    }
    const size_t link = add_task(of, task, above);
    of->passed[task->lane] = link;
    const unsigned next = task->holder != 0 ? task->holder : task->group;
    const sb_waiting_task *const other = next != 0 ? sb_waiting_in_lane(of->list, next) : NULL;
    if (depth == DEPTH_MAX) {
        return;
    }
    if (other != NULL) {
        follow(of, other, link, depth + 1);
    } else if (task->peer != 0) {
        follow_call(of, task, link, depth + 1);
    } else {
        tell_what_was_lost(of, task->node, task->name, link);
    }
}

/* ------------------------------------------------------------------------- what is explained */

static sb_step last_step_of(const builder *of, unsigned node, const char *task)
{
    if (!has_record(of)) {
        return 0;
    }
    const sb_step first = sb_record_first_step(of->record);
    for (sb_step step = first + sb_record_count(of->record) - 1; step >= first && step > 0;
         step--) {
        const sb_event *const event = sb_record_event(of->record, step);
        if (event != NULL && event->node == node && event->task != 0 &&
            strcmp(sb_record_task_name(of->record, step), task) == 0) {
            return step;
        }
    }
    return 0;
}

static void tell_that_nobody_does(builder *of, const sb_explained *thing, size_t above)
{
    const sb_step last = last_step_of(of, thing->node, thing->task);
    char since[128] = "";
    if (last != 0) {
        char what[64];
        sb_record_describe(of->record, last, what, sizeof what);
        snprintf(since, sizeof since, "; its last was step %" PRIu64 ", %s", last, what);
    }
    const size_t link = sb_chain_add(
        of->chain, SB_LINK_END, above, last, "%s#%u%s has no task %s%s",
        sb_node_name(of->world, thing->node), sb_node_incarnation(of->world, thing->node),
        state_of_peer(of, thing->node), thing->task, since);
    tell_what_was_lost(of, thing->node, thing->task, link);
}

static void add_thing(builder *of, const sb_explained *thing, size_t above)
{
    if (thing->task[0] == '\0') {
        return;
    }
    bool found = false;
    for (size_t i = 0; i < of->list->count; i++) {
        const sb_waiting_task *const task = &of->list->tasks[i];
        if (task->node == thing->node && strcmp(task->name, thing->task) == 0) {
            follow(of, task, above, 0);
            found = true;
        }
    }
    if (!found) {
        tell_that_nobody_does(of, thing, above);
    }
}

static void add_things(builder *of)
{
    size_t count, at_depth[SB_EXPLAINED_DEPTH_MAX + 1] = {0};
    const sb_explained *const things = sb_world_explained(of->world, &count);
    for (size_t i = 0; i < count; i++) {
        const unsigned depth = things[i].depth;
        const size_t above = depth == 0 ? 0 : at_depth[depth - 1];
        at_depth[depth] = sb_chain_add(of->chain, SB_LINK_THING, above, 0, "%s", things[i].text);
        add_thing(of, &things[i], at_depth[depth]);
    }
}

/* ------------------------------------------------------------------------------------ the chain */

/* Who waits for a reply, a mutex or a group has somebody to name; who waits for work in an endless
 * loop has not. */
static bool begins_a_chain(const sb_waiting_task *task)
{
    return task->deadline == SB_FOREVER &&
           (task->peer != 0 || task->holder != 0 || task->group != 0);
}

void sb_chain_build(sb_world *world, const sb_waiting_list *list, const sb_record *record,
                    sb_chain *into)
{
    builder *const of = sb_host_alloc(1, sizeof *of);
    of->world = world;
    of->list = list;
    of->record = record;
    of->chain = into;
    add_things(of);
    for (size_t i = 0; i < list->count; i++) {
        if (begins_a_chain(&list->tasks[i]) && of->passed[list->tasks[i].lane] == 0) {
            follow(of, &list->tasks[i], 0, 0);
        }
    }
    free(of);
}

static unsigned depth_of(const sb_chain *chain, const sb_chain_link *link)
{
    unsigned depth = 0;
    while (link->above != 0) {
        link = &chain->links[link->above - 1];
        depth++;
    }
    return depth;
}

void sb_report_chain(FILE *out, const sb_chain *chain)
{
    if (chain->count != 0) {
        fputs("  who waits for whom\n", out);
    }
    for (size_t i = 0; i < chain->count && i < LINKS_SHOWN_MAX; i++) {
        const sb_chain_link *const link = &chain->links[i];
        const bool goes_on = link->above != 0 && link->kind != SB_LINK_THING &&
                             link->kind != SB_LINK_EXCHANGE && link->kind != SB_LINK_LOSS;
        fprintf(out, "    %*s%s%s\n", 2 * (int)depth_of(chain, link), "", goes_on ? "-> " : "",
                link->text);
    }
    if (chain->count > LINKS_SHOWN_MAX) {
        fprintf(out, "    and %zu more\n", chain->count - LINKS_SHOWN_MAX);
    }
}

sb_step sb_chain_step(const sb_chain *chain)
{
    sb_step loss = 0, exchange = 0, task = 0;
    for (size_t i = 0; i < chain->count && (i == 0 || chain->links[i].above != 0); i++) {
        const sb_chain_link *const link = &chain->links[i];
        loss = loss == 0 && link->kind == SB_LINK_LOSS ? link->step : loss;
        exchange = exchange == 0 && link->kind == SB_LINK_EXCHANGE ? link->step : exchange;
        task = link->kind == SB_LINK_TASK ? link->step : task; /* the last of the first chain */
    }
    return loss != 0 ? loss : exchange != 0 ? exchange : task;
}
