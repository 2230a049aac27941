/*
 * The network, for the rooms above it: sending with a header of one's own.
 */
#ifndef SB_MACHINE_NETWORK_H
#define SB_MACHINE_NETWORK_H

#include "sim/kernel/kernel.h"

#define SB_MAILBOX_MAX 4096u

/* Send header and data as one message; is_reply: reply loss strikes it instead of loss. */
sb_status sb_network_send(sb_world *world, sb_address to, const void *header, size_t header_size,
                          const void *data, size_t size, bool is_reply);

/* Tell everybody who talked with this incarnation that the connection is gone. */
void sb_network_hang_up(sb_world *world, sb_node_state *node);

/* Forget what a node has received and what its program holds. */
void sb_network_drop_mail(sb_world *world, sb_node_state *node);

/* Open every blocked link and stop losing messages. */
void sb_network_heal(sb_world *world);

#endif
