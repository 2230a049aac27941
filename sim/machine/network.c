/*
 * The network: unreliable, unordered, bounded messages between machines.
 *
 * A message is one packet in the kernel's heap from its send to its receiver's sb_message_free;
 * nothing is copied on the way. All its fates are decided at the send: lost, how long it takes,
 * whether it comes twice. A blocked link eats what is sent into it and what would arrive through
 * it.
 *
 * A packet for a machine that is down comes back as a reset, as a refused connection does; when a
 * program ends, its peers hear a reset too.
 */
#include "sim/machine/network.h"

#include <string.h>

#include "sim/kernel/waiting.h"
#include "sim/machine/machine.h"

static unsigned char *packet_bytes(sb_packet *packet)
{
    return (unsigned char *)packet + ((sizeof(sb_packet) + 15) & ~(size_t)15);
}

/* Small packets go round in a list of their own. */
#define SMALL_PACKET ((size_t)128)

static void packet_free(sb_world *world, sb_packet *packet)
{
    if (SB_LIKELY(packet->message.size <= SMALL_PACKET)) {
        SB_POISON(packet_bytes(packet), SMALL_PACKET);
        packet->next = world->spare_packets;
        world->spare_packets = packet;
    } else {
        sb_kernel_free(world, packet);
    }
}

SB_HOT sb_packet *packet_room(sb_world *world, size_t size)
{
    sb_packet *const spare = world->spare_packets;
    if (SB_LIKELY(size <= SMALL_PACKET && spare != NULL)) {
        world->spare_packets = spare->next;
        SB_UNPOISON(packet_bytes(spare), size);
        SB_UNDEFINED(packet_bytes(spare), size);
        return spare;
    }
    const size_t room = size <= SMALL_PACKET ? SMALL_PACKET : size;
    return sb_kernel_alloc_bare(world, ((sizeof(sb_packet) + 15) & ~(size_t)15) + room);
}

SB_HOT sb_packet *packet_new(sb_world *world, sb_address from, sb_address to, sb_message_kind kind,
                             size_t size)
{
    sb_packet *const packet = packet_room(world, size);
    packet->due.key_low = 0;
    packet->due.node = world->nodes[to];
    packet->due.priority = 0;
    packet->due.type = SB_DUE_MESSAGE;
    packet->message = (sb_message){
        .from = from, .kind = kind, .size = (uint32_t)size, .data = packet_bytes(packet)};
    packet->next = NULL;
    packet->link = NULL;
    packet->to = to;
    packet->is_reply = false;
    packet->is_twin = false;
    packet->is_late = false;
    packet->is_checked = false;
    packet->hash = 0;
    return packet;
}

/* ---------------------------------------------------------------------------------- the links */

/* Not while partitions of this kind are masked; after the heal it ends the world. */
__attribute__((noinline)) static bool eats(sb_world *world, sb_address from, sb_address to)
{
    return sb_link_may_last(world, from, to) ||
           !sb_fault_is_barred(world, sb_partition_kind(world, from, to));
}

/* Whether what goes through this link now is eaten. */
SB_HOT bool is_cut(sb_world *world, sb_address from, sb_address to)
{
    return SB_UNLIKELY(world->links != NULL) && sb_link_is_blocked(world, from, to) &&
           eats(world, from, to);
}

static unsigned link_scale(sb_world *world, sb_address from, sb_address to)
{
    sb_link_state *const link = sb_link_of(world, from, to);
    if (link->scale == 0) {
        link->scale = (uint8_t)(1 + sb_choose_at(world, world->nodes[from], SB_STREAM_LINK,
                                                 (uint64_t)world->network.scale_max + 1));
    }
    return link->scale - 1u;
}

/* min * 2^k * (1 + fraction): k is geometric (the leading ones of one draw), so each doubling of
 * the latency is half as likely; 0 is the shortest. */
static sb_duration tail_latency(sb_world *world, sb_node_state *from)
{
    const sb_network *const network = &world->network;
    const uint32_t value =
        (uint32_t)sb_choose_at(world, from, SB_STREAM_LATENCY, UINT64_C(1) << 32);
    unsigned power = value == UINT32_MAX ? 32 : (unsigned)__builtin_clz(~value);
    power = power < network->tail_max ? power : network->tail_max;
    const uint64_t fraction = (uint32_t)((uint64_t)value << (power + 1));
    const sb_duration base = network->latency_min << power;
    return base + (sb_duration)(((base >> 8) * fraction) >> 24);
}

SB_HOT sb_duration draw_latency(sb_world *world, sb_node_state *from, sb_address to)
{
    const sb_network *const network = &world->network;
    sb_duration latency;
    if (network->tail) {
        latency = tail_latency(world, from);
    } else {
        latency =
            network->latency_min + sb_choose_at(world, from, SB_STREAM_LATENCY,
                                                network->latency_max - network->latency_min + 1);
    }
    if (network->scale_max != 0) {
        const unsigned scale = link_scale(world, from->number, to);
        latency <<= (world->masked >> SB_FAULT_DELAY & 1) != 0 ? 0 : scale;
    }
    if (latency > network->latency_min) {
        sb_fault_has_struck(world, SB_FAULT_DELAY);
        sb_fault_effective(world, SB_FAULT_DELAY);
    }
    if (SB_UNLIKELY(world->exploration.delays)) {
        latency += sb_strategy_delivery_delay(world, world->nodes[to]);
    }
    return latency;
}

sb_duration sb_network_latency(sb_world *world, sb_node_state *from, sb_address to)
{
    return draw_latency(world, from, to);
}

/* ------------------------------------------------------------------------------------ sending */

static void drop(sb_world *world, sb_packet *packet, unsigned at, unsigned peer, sb_fault why)
{
    sb_event_add(world, SB_EVENT_DROP, at, world->nodes[at]->incarnation, 0, packet->cause, peer,
                 why, packet->message.size);
    sb_fault_effective(world, why);
    packet_free(world, packet);
}

/* The long way, where links do more than to take time. */
static void launch_odd(sb_world *world, sb_packet *packet, sb_duration latency)
{
    sb_link_trouble *const link = sb_link_trouble_of(world, packet->message.from, packet->to);
    sb_link_alter(world, packet);
    if (link->clogs != 0) {
        sb_link_hold(link, packet);
    } else if (!sb_link_queue(world, link, packet, &latency)) {
        drop(world, packet, packet->message.from, packet->to, SB_FAULT_BANDWIDTH);
    } else {
        latency += sb_link_let_past(world, packet, latency);
        sb_due_at(world, &packet->due, world->now + latency);
    }
}

SB_HOT void launch(sb_world *world, sb_packet *packet)
{
    sb_node_state *const from = world->nodes[packet->message.from];
    const sb_duration latency = draw_latency(world, from, packet->to);
    if (SB_UNLIKELY(world->network_odd)) {
        launch_odd(world, packet, latency);
    } else {
        sb_due_at(world, &packet->due, world->now + latency);
    }
}

/* What is sent now and then goes another way than what every message goes. */
static void launch_rare(sb_world *world, sb_packet *packet)
{
    launch(world, packet);
}

SB_HOT bool is_lost(sb_world *world, sb_node_state *from, bool is_reply, sb_fate fate)
{
    const uint32_t rate = is_reply ? world->network.reply_loss : world->network.loss;
    const bool drawn = sb_chance_at(world, from, SB_STREAM_LOSS, rate);
    if (SB_UNLIKELY(sb_exhaust_hits(world, SB_EXHAUST_MESSAGE) || drawn || fate == SB_FATE_LOST)) {
        const sb_fault kind = is_reply ? SB_FAULT_REPLY_LOSS : SB_FAULT_LOSS;
        const bool strikes = sb_fault_strikes(world, kind);
        world->faults[kind].triggered += strikes && fate == SB_FATE_LOST;
        return strikes;
    }
    return false;
}

static void launch_again(sb_world *world, const sb_packet *packet)
{
    sb_packet *const twin = packet_new(world, packet->message.from, packet->to,
                                       packet->message.kind, packet->message.size);
    memcpy(packet_bytes(twin), packet->message.data, packet->message.size);
    twin->hash = packet->hash;
    twin->is_reply = packet->is_reply;
    twin->is_twin = true;
    twin->cause =
        sb_event_here(world, SB_EVENT_DUPLICATE, packet->to, packet->hash, packet->message.size);
    launch_rare(world, twin);
}

/* Most bodies are small: these are copied without a call. */
SB_HOT void copy_body(unsigned char *to, const void *from, size_t size)
{
    const unsigned char *const bytes = from;
    if (size >= 16 && size <= 32) {
        memcpy(to, bytes, 16);
        memcpy(to + size - 16, bytes + size - 16, 16);
    } else if (size != 0) {
        memcpy(to, bytes, size);
    }
}

SB_HOT sb_status send_packet(sb_world *world, sb_address to, const void *header, size_t header_size,
                             const void *data, size_t size, bool is_reply, sb_fate fate)
{
    sb_switch_point(world);
    if (header_size + size > SB_MESSAGE_SIZE_MAX || to >= world->node_count) {
        return header_size + size > SB_MESSAGE_SIZE_MAX ? SB_TOO_LARGE : SB_NOT_FOUND;
    }
    sb_node_state *const from = world->running->node;
    sb_packet *const packet =
        packet_new(world, from->number, to, SB_MESSAGE_DATA, header_size + size);
    unsigned char *const bytes = packet_bytes(packet);
    if (header_size != 0) {
        memcpy(bytes, header, header_size);
    }
    copy_body(bytes + header_size, data, size);
    packet->is_reply = is_reply;
    packet->hash =
        header_size == 0 ? XXH3_64bits(data, size) : XXH3_64bits(bytes, header_size + size);
    packet->cause = sb_event_here(world, SB_EVENT_SEND, to, packet->hash, packet->message.size);
    if (SB_UNLIKELY(fate != SB_FATE_NONE) && sb_swarm_is_over(world)) {
        fate = SB_FATE_NONE; /* the world has healed since the trigger decided */
    }
    if (SB_UNLIKELY(is_cut(world, from->number, to))) {
        drop(world, packet, from->number, to, sb_partition_kind(world, from->number, to));
    } else if (SB_UNLIKELY(is_lost(world, from, is_reply, fate))) {
        drop(world, packet, from->number, to, is_reply ? SB_FAULT_REPLY_LOSS : SB_FAULT_LOSS);
    } else {
        const bool twice = sb_chance_at(world, from, SB_STREAM_DUPLICATE, world->network.duplicate);
        if (SB_UNLIKELY(twice || fate == SB_FATE_TWICE) &&
            sb_fault_strikes(world, SB_FAULT_DUPLICATE)) {
            world->faults[SB_FAULT_DUPLICATE].triggered += fate == SB_FATE_TWICE;
            launch_again(world, packet);
        }
        const bool resets = sb_chance_at(world, from, SB_STREAM_RESET, world->network.reset);
        if (SB_UNLIKELY(resets || fate == SB_FATE_RESET)) {
            const bool is_barred = (world->barred >> SB_FAULT_RESET & 1) != 0;
            world->faults[SB_FAULT_RESET].triggered += fate == SB_FATE_RESET && !is_barred;
            sb_network_reset(world, (sb_node)from->number, (sb_node)to);
        }
        launch(world, packet);
    }
    return SB_OK;
}

sb_status sb_network_send(sb_world *world, sb_address to, const void *header, size_t header_size,
                          const void *data, size_t size, bool is_reply, sb_fate fate)
{
    return send_packet(world, to, header, header_size, data, size, is_reply, fate);
}

sb_status sb_send(sb_address to, const void *data, size_t size)
{
    return send_packet(sb_current, to, NULL, 0, data, size, false, SB_FATE_NONE);
}

void sb_network_send_reset(sb_world *world, sb_node_state *to, sb_node_state *peer, sb_step cause)
{
    if (to->power == SB_NODE_UP && !is_cut(world, peer->number, to->number)) {
        sb_packet *const packet = packet_new(world, peer->number, to->number, SB_MESSAGE_RESET, 0);
        packet->cause = cause;
        launch_rare(world, packet);
    }
}

void sb_network_hang_up(sb_world *world, sb_node_state *node)
{
    const sb_step cause = world->running != NULL ? world->running->cause : 0;
    for (unsigned i = 0; i < world->node_count; i++) {
        if ((node->peers >> i & 1) != 0) {
            world->nodes[i]->peers &= ~(UINT64_C(1) << node->number);
            sb_network_send_reset(world, world->nodes[i], node, cause);
        }
    }
    node->peers = 0;
}

/* ---------------------------------------------------------------------------------- receiving */

/* From now on it is the program's, until it is freed or the machine dies. */
static void hold(sb_node_state *node, sb_packet *packet)
{
    packet->next = node->held;
    packet->link = &node->held;
    if (node->held != NULL) {
        node->held->link = &packet->next;
    }
    node->held = packet;
}

/* It has its message.  When nothing else is ready it goes on at once, spared the way through the
 * ready list. */
SB_HOT sb_task *wake_receiver(sb_world *world, sb_task *receiver, sb_step cause)
{
    if (SB_LIKELY(world->ready_count == 0 && !world->exploration.delays)) {
        sb_wait_over(receiver, SB_OK, cause);
        return receiver;
    }
    sb_wake_by(world, receiver, SB_OK, cause);
    return NULL;
}

sb_task *sb_packet_arrives(sb_world *world, sb_packet *packet)
{
    sb_node_state *const node = packet->due.node;
    const sb_address from = packet->message.from;
    if (SB_UNLIKELY(is_cut(world, from, node->number))) {
        drop(world, packet, node->number, from, sb_partition_kind(world, from, node->number));
        return NULL;
    }
    if (SB_UNLIKELY(node->power == SB_NODE_DOWN)) {
        if (packet->message.kind == SB_MESSAGE_DATA) {
            sb_network_send_reset(world, world->nodes[from], node, packet->cause);
        }
        drop(world, packet, node->number, from, SB_FAULT_NODE_DOWN);
        return NULL;
    }
    if (SB_UNLIKELY(world->network_odd) && !sb_link_arrives(world, packet)) {
        drop(world, packet, node->number, from, SB_FAULT_CORRUPT);
        return NULL;
    }
    if (SB_UNLIKELY(node->mailbox_count == SB_MAILBOX_MAX)) {
        drop(world, packet, node->number, from, SB_FAULT_MAILBOX_FULL);
        return NULL;
    }
    const bool reset = packet->message.kind == SB_MESSAGE_RESET;
    packet->cause =
        sb_event_add(world, reset ? SB_EVENT_RESET : SB_EVENT_DELIVER, node->number,
                     node->incarnation, 0, packet->cause, from, packet->hash, packet->message.size);
    if (SB_UNLIKELY((node->peers >> from & 1) == 0)) {
        node->peers |= UINT64_C(1) << from;
        world->nodes[from]->peers |= UINT64_C(1) << node->number;
    }
    if (SB_UNLIKELY(packet->is_twin)) {
        sb_fault_effective(world, SB_FAULT_DUPLICATE);
    }
    sb_task *const receiver = node->receivers;
    if (receiver != NULL) {
        hold(node, packet); /* it waits, so the mailbox is empty */
        receiver->wait_item = packet;
        return wake_receiver(world, receiver, packet->cause);
    }
    packet->next = NULL;
    *node->mailbox_tail = packet;
    node->mailbox_tail = &packet->next;
    node->mailbox_count++;
    return NULL;
}

static void mailbox_take(sb_node_state *node)
{
    node->mailbox = node->mailbox->next;
    if (node->mailbox == NULL) {
        node->mailbox_tail = &node->mailbox;
    }
    node->mailbox_count--;
}

/* Messages of an exchange are told of where the program gets what is in them (call.c). */

__attribute__((noinline)) static void notice(sb_world *world, const sb_packet *packet)
{
    const sb_message *const message = &packet->message;
    if (!sb_call_is_header(message->data, message->size)) {
        sb_notice(world, (uint64_t)message->kind << 16 | message->from);
        sb_notice(world, XXH3_64bits(message->data, message->size));
    }
}

sb_status sb_receive(sb_message **message, sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_node_state *const node = world->running->node;
    sb_status status = scope == NULL ? SB_OK : sb_scope_now(world, scope);
    if (status != SB_OK) {
        return status;
    }
    sb_packet *packet = node->mailbox;
    if (packet != NULL) {
        mailbox_take(node);
        hold(node, packet);
    } else {
        if (SB_UNLIKELY(node->receivers != NULL)) {
            sb_misuse(world, SB_FINDING_ASSERTION, "sb_receive",
                      "task %s of this machine receives already", node->receivers->name);
        }
        status = sb_block(world, SB_WAIT_MESSAGE, "mailbox", &node->receivers, scope, SB_FOREVER);
        if (status != SB_OK) {
            return status;
        }
        packet = world->running->wait_item;
    }
    world->running->cause = packet->cause;
    sb_observe(world, packet->hash);
    if (SB_UNLIKELY(world->keeps_observations)) {
        notice(world, packet);
    }
    *message = &packet->message;
    return SB_OK;
}

void sb_message_free(sb_message *message)
{
    sb_world *const world = sb_current;
    sb_packet *const packet =
        (sb_packet *)((unsigned char *)message - offsetof(sb_packet, message));
    if (SB_UNLIKELY(packet->link == NULL)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_message_free", "it was freed before");
    }
    *packet->link = packet->next;
    if (packet->next != NULL) {
        packet->next->link = packet->link;
    }
    packet->link = NULL;
    packet_free(world, packet);
}

static void free_list(sb_world *world, sb_packet *packet)
{
    while (packet != NULL) {
        sb_packet *const next = packet->next;
        packet_free(world, packet);
        packet = next;
    }
}

void sb_network_drop_mail(sb_world *world, sb_node_state *node)
{
    free_list(world, node->mailbox);
    free_list(world, node->held);
    node->mailbox = NULL;
    node->mailbox_tail = &node->mailbox;
    node->mailbox_count = 0;
    node->held = NULL;
}
