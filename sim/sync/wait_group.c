/*
 * Wait groups: a count of what is still to be done.
 */
#include "sim/sync/sync.h"

void sb_wait_group_init(sb_wait_group *group, const char *name)
{
    *group = (sb_wait_group){.name = name};
}

void sb_wait_group_release(sb_wait_group *group)
{
    if (SB_UNLIKELY(group->count != 0 || group->waiters != NULL)) {
        sb_misuse(sb_current, SB_FINDING_ASSERTION, "sb_wait_group_release",
                  "group %s still counts %u", group->name, group->count);
    }
}

void sb_wait_group_add(sb_wait_group *group, uint32_t count)
{
    sb_switch_point(sb_current);
    sb_assert_op(count, <=, UINT32_MAX - group->count);
    group->count += count;
}

void sb_wait_group_count_down(sb_world *world, sb_wait_group *group)
{
    if (SB_UNLIKELY(group->count == 0)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_wait_group_done", "group %s falls below 0",
                  group->name);
    }
    group->count--;
    while (group->count == 0 && group->waiters != NULL) {
        sb_wake(world, group->waiters, SB_OK);
    }
}

void sb_wait_group_done(sb_wait_group *group)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_wait_group_count_down(world, group);
}

sb_status sb_wait_group_wait(sb_wait_group *group, sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_status status = sb_sync_enter(world, scope);
    if (status == SB_OK && group->count != 0) {
        status = sb_block(world, SB_WAIT_GROUP, group->name, &group->waiters, scope, SB_FOREVER);
    }
    return sb_sync_leave(world, status);
}
