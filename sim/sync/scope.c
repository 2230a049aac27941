/*
 * Cancel scopes: a tree of deadlines and cancels that bounds waits.
 *
 * A child takes over its parent's deadline and cancel when it begins, and a cancel walks down the
 * tree, so a wait needs to look at one scope only.  Each scope lists the tasks that wait under it;
 * a deadline needs no list, because every waiting task carries the nearest one as its own timer.
 */
#include "sim/kernel/waiting.h"
#include "sim/sync/sync.h"

static void attach(sb_scope *scope, sb_scope *parent)
{
    scope->next = parent->children;
    scope->link = &parent->children;
    if (parent->children != NULL) {
        parent->children->link = &scope->next;
    }
    parent->children = scope;
    scope->canceled = parent->canceled;
    if (parent->deadline < scope->deadline) {
        scope->deadline = parent->deadline;
    }
}

static void begin(sb_scope *scope, sb_scope *parent, const char *name, sb_time deadline)
{
    *scope = (sb_scope){.parent = parent, .name = name, .deadline = deadline};
    if (parent != NULL) {
        attach(scope, parent);
    }
}

void sb_scope_init(sb_scope *scope, sb_scope *parent, const char *name)
{
    begin(scope, parent, name, SB_FOREVER);
}

void sb_scope_init_timeout(sb_scope *scope, sb_scope *parent, const char *name, sb_duration timeout)
{
    const sb_world *const world = sb_current;
    const sb_time now = sb_local_time(world->running->node, world->now);
    begin(scope, parent, name, timeout < SB_FOREVER - now ? now + timeout : SB_FOREVER);
}

void sb_scope_release(sb_scope *scope)
{
    if (SB_UNLIKELY(scope->children != NULL || scope->waiters != NULL)) {
        sb_misuse(sb_current, SB_FINDING_ASSERTION, "sb_scope_release", "scope %s still has %s",
                  scope->name, scope->children != NULL ? "children" : "waiting tasks");
    }
    if (scope->parent != NULL) {
        *scope->link = scope->next;
        if (scope->next != NULL) {
            scope->next->link = scope->link;
        }
        scope->parent = NULL;
    }
}

/* Nothing runs between: a woken task finds the whole tree below canceled. */
static void cancel_tree(sb_world *world, sb_scope *scope)
{
    scope->canceled = true;
    for (sb_scope *child = scope->children; child != NULL; child = child->next) {
        if (!child->canceled) {
            cancel_tree(world, child);
        }
    }
    while (scope->waiters != NULL) {
        sb_wake(world, scope->waiters, SB_CANCELED);
    }
}

void sb_scope_cancel_now(sb_world *world, sb_scope *scope)
{
    if (!scope->canceled) {
        cancel_tree(world, scope);
    }
}

void sb_scope_cancel(sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_scope_cancel_now(world, scope);
}

sb_status sb_scope_status(const sb_scope *scope)
{
    return scope == NULL ? SB_OK : sb_scope_now(sb_current, scope);
}
