/*
 * The network, for the rooms above it: sending with a header of one's own.
 */
#ifndef SB_MACHINE_NETWORK_H
#define SB_MACHINE_NETWORK_H

#include "sim/kernel/kernel.h"

#define SB_MAILBOX_MAX 4096u

/* A word from the network itself: the connection with `peer` is gone. */
void sb_network_send_reset(sb_world *world, sb_node_state *to, sb_node_state *peer, sb_step cause);

/* How long a message takes, drawn. */
sb_duration sb_network_latency(sb_world *world, sb_node_state *from, sb_address to);

/* --------------------------------------------------------------------------- blocked links */

static inline sb_link_state *sb_link_of(sb_world *world, sb_address from, sb_address to)
{
    if (world->links == NULL) {
        const size_t size = SB_NODE_COUNT_MAX * SB_NODE_COUNT_MAX * sizeof(sb_link_state);
        world->links = sb_kernel_alloc(world, size);
        memset(world->links, 0, size);
    }
    return &world->links[from * SB_NODE_COUNT_MAX + to];
}

SB_HOT bool sb_link_is_blocked(const sb_world *world, sb_address from, sb_address to)
{
    return world->links != NULL && world->links[from * SB_NODE_COUNT_MAX + to].blocked != 0;
}

/* What has eaten a message: a link blocked both ways belongs to a partition of two sides. */
static inline sb_fault sb_partition_kind(const sb_world *world, sb_address from, sb_address to)
{
    if (world->links != NULL && world->links[from * SB_NODE_COUNT_MAX + to].partial != 0) {
        return SB_FAULT_PARTITION_PARTIAL;
    }
    return sb_link_is_blocked(world, to, from) ? SB_FAULT_PARTITION : SB_FAULT_PARTITION_ONE_WAY;
}

/* Whether it may stay blocked after the heal: it is one of a machine that stays away. */
static inline bool sb_link_may_last(const sb_world *world, sb_address from, sb_address to)
{
    return ((world->away >> from | world->away >> to) & 1) != 0;
}

/* ------------------------------------------------------------------------------------- link.c
 *
 * What a link does to messages beside eating them and taking its time: one that is clogged, slow,
 * noisy, or lets others past.
 */
typedef struct sb_link_trouble {
    uint32_t clogs;
    sb_packet *held, **held_tail; /* by clogs, first sent first */
    sb_time busy_until;           /* with what it passes now, under a bandwidth */
    sb_step newest;               /* the latest send that has arrived */
} sb_link_trouble;

sb_link_trouble *sb_link_trouble_of(sb_world *world, sb_address from, sb_address to);

/* A bit of it flips, by chance. */
void sb_link_alter(sb_world *world, sb_packet *packet);

void sb_link_hold(sb_link_trouble *link, sb_packet *packet);
sb_packet *sb_link_take_held(sb_link_trouble *link); /* NULL: there are none; else by `next` */

/* Its place in the queue of a link with a bandwidth; false: the queue is full. */
bool sb_link_queue(sb_world *world, sb_link_trouble *link, const sb_packet *packet,
                   sb_duration *latency);

/* How much longer it takes, by chance, so that others get past it. */
sb_duration sb_link_let_past(sb_world *world, sb_packet *packet, sb_duration latency);

/* Looks at what has come; false: its bytes have changed on the way. */
bool sb_link_arrives(sb_world *world, const sb_packet *packet);

/* Send header and data as one message; is_reply: reply loss strikes it instead of loss.  fate: what
 * a trigger makes of it, beside what is drawn. */
sb_status sb_network_send(sb_world *world, sb_address to, const void *header, size_t header_size,
                          const void *data, size_t size, bool is_reply, sb_fate fate);

/* Whether these bytes begin as a request or an answer does. */
bool sb_call_is_header(const unsigned char *bytes, size_t size);

/* Tell everybody who talked with this incarnation that the connection is gone. */
void sb_network_hang_up(sb_world *world, sb_node_state *node);

/* Forget what a node has received and what its program holds. */
void sb_network_drop_mail(sb_world *world, sb_node_state *node);

/* Open every blocked link and stop losing messages. */
void sb_network_heal(sb_world *world);

#endif
