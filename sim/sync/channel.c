/*
 * Channels: bounded queues of items of one size, after Go's.
 *
 *   senders (full) --->  | item | item | item |  ---> receivers (empty)
 *                          first ........ first + count
 *
 * Senders wait only while the ring is full and receivers only while it is empty, so never both.  A
 * task that waits shows where its item is or goes (wait_item), and whoever wakes it has moved the
 * item already: a sender that comes first to a waiting receiver puts the item straight into its
 * hands.  With capacity 0 that is the only way, and a send waits until the item is taken.
 */
#include <string.h>

#include "sim/sync/sync.h"

void sb_channel_init(sb_channel *channel, const char *name, uint32_t item_size, uint32_t capacity)
{
    sb_assert_op(capacity, <=, INT32_MAX);
    *channel = (sb_channel){.item_size = item_size, .capacity = capacity, .name = name};
    if (capacity != 0 && item_size != 0) {
        channel->items = sb_alloc_at((size_t)item_size * capacity, name);
    }
}

void sb_channel_release(sb_channel *channel)
{
    if (SB_UNLIKELY(channel->senders != NULL || channel->receivers != NULL)) {
        const sb_task *const task =
            channel->senders != NULL ? channel->senders : channel->receivers;
        sb_misuse(sb_current, SB_FINDING_ASSERTION, "sb_channel_release",
                  "task %s still waits for channel %s", task->name, channel->name);
    }
    sb_free(channel->items);
    channel->items = NULL;
    channel->count = 0;
}

/* ----------------------------------------------------------------------------------- the ring */

static void ring_put(sb_channel *channel, const void *item)
{
    uint32_t at = channel->first + channel->count;
    at -= at >= channel->capacity ? channel->capacity : 0;
    if (channel->item_size != 0) {
        memcpy(channel->items + (size_t)at * channel->item_size, item, channel->item_size);
    }
    channel->count++;
}

static void ring_take(sb_channel *channel, void *item)
{
    if (channel->item_size != 0) {
        memcpy(item, channel->items + (size_t)channel->first * channel->item_size,
               channel->item_size);
    }
    channel->first = channel->first + 1 == channel->capacity ? 0 : channel->first + 1;
    channel->count--;
}

static void hand_over(const sb_channel *channel, void *to, const void *from)
{
    if (channel->item_size != 0) {
        memcpy(to, from, channel->item_size);
    }
}

/* ------------------------------------------------------------------------------------ sending */

static void sent_after_close(sb_world *world, const sb_channel *channel)
    __attribute__((noreturn, cold));
static void sent_after_close(sb_world *world, const sb_channel *channel)
{
    sb_misuse(world, SB_FINDING_CLOSED_CHANNEL, "sb_channel_send", "a send on closed channel %s",
              channel->name);
}

static sb_status send_waiting(sb_world *world, sb_channel *channel, const void *item,
                              sb_scope *scope)
{
    sb_task *const task = world->running;
    task->wait_item = (void *)(uintptr_t)item; /* only read by the receiver */
    const sb_status status =
        sb_block(world, SB_WAIT_SEND, channel->name, &channel->senders, scope, SB_FOREVER);
    if (SB_UNLIKELY(status == SB_CLOSED)) {
        sent_after_close(world, channel);
    }
    return status;
}

sb_status sb_channel_send(sb_channel *channel, const void *item, sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_status status = sb_sync_enter(world, scope);
    if (SB_UNLIKELY(channel->closed)) {
        sent_after_close(world, channel);
    }
    if (status != SB_OK) {
        return sb_sync_leave(world, status);
    }
    sb_task *const receiver = channel->receivers;
    if (receiver != NULL) {
        hand_over(channel, receiver->wait_item, item);
        sb_wake(world, receiver, SB_OK);
    } else if (channel->count < channel->capacity) {
        ring_put(channel, item);
    } else {
        if (world->faults[SB_FAULT_TINY_CHANNEL].applied != 0) {
            sb_fault_effective(world, SB_FAULT_TINY_CHANNEL);
        }
        status = send_waiting(world, channel, item, scope);
    }
    return sb_sync_leave(world, status);
}

/* ---------------------------------------------------------------------------------- receiving */

/* Take what is there; false: nothing is.  A place in the ring goes to the sender that waits
 * longest. */
static bool take(sb_world *world, sb_channel *channel, void *item)
{
    sb_task *const sender = channel->senders;
    if (channel->count != 0) {
        ring_take(channel, item);
        if (sender != NULL) {
            ring_put(channel, sender->wait_item);
        }
    } else if (sender != NULL) {
        hand_over(channel, item, sender->wait_item);
    } else {
        return false;
    }
    if (sender != NULL) {
        sb_wake(world, sender, SB_OK);
    }
    return true;
}

sb_status sb_channel_receive(sb_channel *channel, void *item, sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_status status = sb_sync_enter(world, scope);
    if (status == SB_OK && !take(world, channel, item)) {
        if (channel->closed) {
            status = SB_CLOSED;
        } else {
            world->running->wait_item = item;
            status = sb_block(world, SB_WAIT_RECEIVE, channel->name, &channel->receivers, scope,
                              SB_FOREVER);
        }
    }
    return sb_sync_leave(world, status);
}

sb_status sb_channel_try_receive(sb_channel *channel, void *item)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_status status = SB_OK;
    if (!take(world, channel, item)) {
        status = channel->closed ? SB_CLOSED : SB_EMPTY;
    }
    return sb_sync_leave(world, status);
}

/* Senders that wait find out that they have sent too late; receivers, that nothing will come. */
void sb_channel_close(sb_channel *channel)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    if (SB_UNLIKELY(channel->closed)) {
        sb_misuse(world, SB_FINDING_CLOSED_CHANNEL, "sb_channel_close",
                  "channel %s is closed twice", channel->name);
    }
    channel->closed = true;
    while (channel->senders != NULL) {
        sb_wake(world, channel->senders, SB_CLOSED);
    }
    while (channel->receivers != NULL) {
        sb_wake(world, channel->receivers, SB_CLOSED);
    }
}
