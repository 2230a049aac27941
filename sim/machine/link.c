/*
 * What a link does to messages beside eating them and taking its time.
 *
 *   corrupt     a bit flips.  Every message has a checksum, made when it was sent; where bytes may
 *               have changed, the receiver's side makes it again and drops what does not fit, as
 *               network cards and TLS do.  No program ever sees such a message.
 *   clog        what is sent waits, first sent first, until the link is released
 *   bandwidth   one message after the other, so many bytes a second; the queue is bounded in time
 *   reorder     a message takes a multiple of its time, and others get past it
 *
 * A world without any of it never comes here (world->network_odd).
 */
#include "sim/machine/network.h"

#define FRAME_SIZE 64u /* bytes on the wire around a message */
#define PAST_DOUBLINGS 5u

sb_link_trouble *sb_link_trouble_of(sb_world *world, sb_address from, sb_address to)
{
    sb_node_state *const node = world->nodes[from];
    if (SB_UNLIKELY(node->links == NULL)) {
        const size_t size = SB_NODE_COUNT_MAX * sizeof(*node->links);
        node->links = sb_kernel_alloc(world, size);
        memset(node->links, 0, size);
    }
    return &node->links[to];
}

void sb_link_alter(sb_world *world, sb_packet *packet)
{
    sb_node_state *const from = world->nodes[packet->message.from];
    const size_t size = packet->message.size;
    packet->is_checked = world->network.corrupt != 0 && size != 0;
    if (packet->is_checked && sb_chance_at(world, from, SB_STREAM_LOSS, world->network.corrupt)) {
        const uint64_t bit = sb_choose_at(world, from, SB_STREAM_LOSS, size * 8);
        unsigned char *const bytes = (unsigned char *)(uintptr_t)packet->message.data;
        sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_CORRUPT, packet->to, from->number);
        if (sb_fault_strikes(world, SB_FAULT_CORRUPT)) {
            bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
    }
}

/* -------------------------------------------------------------------------------------- clogs */

void sb_link_hold(sb_link_trouble *link, sb_packet *packet)
{
    if (link->held == NULL) {
        link->held_tail = &link->held;
    }
    packet->next = NULL;
    *link->held_tail = packet;
    link->held_tail = &packet->next;
}

sb_packet *sb_link_take_held(sb_link_trouble *link)
{
    sb_packet *const first = link->held;
    link->held = NULL;
    return first;
}

/* ------------------------------------------------------------------------ bandwidth and order */

bool sb_link_queue(sb_world *world, sb_link_trouble *link, const sb_packet *packet,
                   sb_duration *latency)
{
    const uint64_t bandwidth = world->network.bandwidth;
    if (bandwidth == 0 || !sb_fault_strikes(world, SB_FAULT_BANDWIDTH)) {
        return true;
    }
    const sb_time start = link->busy_until > world->now ? link->busy_until : world->now;
    const sb_time end =
        start + ((uint64_t)packet->message.size + FRAME_SIZE) * SB_SECOND / bandwidth;
    if (start - world->now > SB_QUEUE_DELAY_MAX) {
        return false; /* counted as effective where it is dropped */
    }
    link->busy_until = end;
    if (end > world->now) {
        sb_fault_effective(world, SB_FAULT_BANDWIDTH);
    }
    *latency += end - world->now;
    return true;
}

sb_duration sb_link_let_past(sb_world *world, sb_packet *packet, sb_duration latency)
{
    sb_node_state *const from = world->nodes[packet->message.from];
    if (!sb_chance_at(world, from, SB_STREAM_LINK, world->network.reorder)) {
        return 0;
    }
    const uint64_t doublings = 1 + sb_choose_at(world, from, SB_STREAM_LINK, PAST_DOUBLINGS);
    if (!sb_fault_strikes(world, SB_FAULT_REORDER)) {
        return 0;
    }
    packet->is_late = true;
    return (latency << doublings) - latency;
}

bool sb_link_arrives(sb_world *world, const sb_packet *packet)
{
    sb_link_trouble *const link = sb_link_trouble_of(world, packet->message.from, packet->to);
    if (packet->is_checked &&
        XXH3_64bits(packet->message.data, packet->message.size) != packet->hash) {
        return false;
    }
    if (packet->cause > link->newest) {
        link->newest = packet->cause;
    } else if (packet->is_late) {
        sb_fault_effective(world, SB_FAULT_REORDER);
    }
    return true;
}
