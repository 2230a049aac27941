/*
 * The director's hand on the network: its shape and its rates, blocked, cut and clogged links,
 * resets, and how all of that ends with the heal.
 */
#include "sim/machine/network.h"

static bool is_possible(const sb_network *network)
{
    return (network->tail || network->latency_min <= network->latency_max) &&
           network->tail_max <= SB_NETWORK_DOUBLINGS_MAX &&
           network->scale_max <= SB_NETWORK_DOUBLINGS_MAX && network->loss <= 1000000 &&
           network->reply_loss <= 1000000 && network->duplicate <= 1000000 &&
           network->reset <= 1000000 && network->corrupt <= 1000000 && network->reorder <= 1000000;
}

void sb_network_set(sb_world *world, const sb_network *network)
{
    if (!is_possible(network)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_network_set",
                  "latency_min over latency_max, more than %d doublings, or a rate over a million",
                  SB_NETWORK_DOUBLINGS_MAX);
    }
    world->network = *network;
    if ((world->masked >> SB_FAULT_DELAY & 1) != 0) { /* links draw their factors all the same */
        world->network.latency_max = network->latency_min;
        world->network.tail = false;
    }
    if (network->tail || network->latency_max > network->latency_min || network->scale_max > 0) {
        sb_fault_armed(world, SB_FAULT_DELAY);
    }
    const struct {
        uint32_t rate;
        sb_fault fault;
    } rates[] = {{network->loss, SB_FAULT_LOSS},
                 {network->reply_loss, SB_FAULT_REPLY_LOSS},
                 {network->duplicate, SB_FAULT_DUPLICATE},
                 {network->reset, SB_FAULT_RESET},
                 {network->corrupt, SB_FAULT_CORRUPT},
                 {network->reorder, SB_FAULT_REORDER},
                 {network->bandwidth != 0, SB_FAULT_BANDWIDTH}};
    world->network_odd |= network->corrupt != 0 || network->reorder != 0 || network->bandwidth != 0;
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        if (rates[i].rate != 0) {
            sb_fault_armed(world, rates[i].fault);
        }
    }
}

/* False: it is masked; the link is blocked all the same, and eats nothing. */
static bool strikes_link(sb_world *world, sb_node from, sb_node to, sb_fault kind)
{
    if (sb_link_may_last(world, from, to)) {
        sb_fault_has_struck(world, kind);
        return true;
    }
    return sb_fault_strikes(world, kind);
}

/* Counted by link: the second direction makes two sides of what was one-way. */
void sb_network_block(sb_world *world, sb_node from, sb_node to)
{
    (void)sb_node_given(world, from, __func__);
    (void)sb_node_given(world, to, __func__);
    sb_link_state *const link = sb_link_of(world, from, to);
    const sb_fault kind = sb_partition_kind(world, from, to);
    sb_event_here(world, SB_EVENT_FAULT, kind, to, from);
    if (link->blocked++ == 0 && strikes_link(world, from, to, kind)) {
        uint64_t *const one_way = &world->faults[SB_FAULT_PARTITION_ONE_WAY].applied;
        *one_way -= kind == SB_FAULT_PARTITION && *one_way != 0;
    }
}

static void unblock(sb_world *world, sb_node from, sb_node to, sb_fault kind)
{
    sb_link_state *const link = sb_link_of(world, from, to);
    if (link->blocked != 0) {
        link->blocked--;
        sb_event_here(world, SB_EVENT_HEAL, kind, to, from);
    }
}

void sb_network_unblock(sb_world *world, sb_node from, sb_node to)
{
    (void)sb_node_given(world, from, __func__);
    (void)sb_node_given(world, to, __func__);
    unblock(world, from, to, sb_partition_kind(world, from, to));
}

void sb_network_part(sb_world *world, sb_node one, sb_node other)
{
    (void)sb_node_given(world, one, __func__);
    (void)sb_node_given(world, other, __func__);
    sb_link_state *const there = sb_link_of(world, one, other);
    sb_link_state *const back = sb_link_of(world, other, one);
    const bool is_new = there->blocked == 0 || back->blocked == 0;
    there->blocked++;
    back->blocked++;
    sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_PARTITION, other, one);
    sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_PARTITION, one, other);
    if (is_new) {
        (void)strikes_link(world, one, other, SB_FAULT_PARTITION);
    }
}

void sb_network_join(sb_world *world, sb_node one, sb_node other)
{
    (void)sb_node_given(world, one, __func__);
    (void)sb_node_given(world, other, __func__);
    unblock(world, one, other, SB_FAULT_PARTITION);
    unblock(world, other, one, SB_FAULT_PARTITION);
}

/* Both ways between the node and each of the others. */
static void change_cut(sb_world *world, sb_node node, uint64_t others, int by)
{
    for (unsigned i = 0; i < world->node_count; i++) {
        if ((others >> i & 1) != 0 && i != node) {
            sb_link_state *const there = sb_link_of(world, node, (sb_address)i);
            sb_link_state *const back = sb_link_of(world, (sb_address)i, node);
            if (by > 0 || (there->partial != 0 && back->partial != 0)) {
                there->blocked = (uint16_t)(there->blocked + by);
                there->partial = (uint8_t)(there->partial + by);
                back->blocked = (uint16_t)(back->blocked + by);
                back->partial = (uint8_t)(back->partial + by);
                sb_event_here(world, by > 0 ? SB_EVENT_FAULT : SB_EVENT_HEAL,
                              SB_FAULT_PARTITION_PARTIAL, i, node);
            }
        }
    }
}

void sb_network_cut(sb_world *world, sb_node node, uint64_t others)
{
    (void)sb_node_given(world, node, __func__);
    sb_fault_armed(world, SB_FAULT_PARTITION_PARTIAL);
    if (sb_fault_strikes(world, SB_FAULT_PARTITION_PARTIAL)) {
        change_cut(world, node, others, 1);
    }
}

void sb_network_mend(sb_world *world, sb_node node, uint64_t others)
{
    (void)sb_node_given(world, node, __func__);
    change_cut(world, node, others, -1);
}

void sb_network_clog(sb_world *world, sb_node from, sb_node to)
{
    (void)sb_node_given(world, from, __func__);
    (void)sb_node_given(world, to, __func__);
    world->network_odd = true;
    sb_fault_armed(world, SB_FAULT_CLOG);
    sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_CLOG, to, from);
    if (sb_fault_strikes(world, SB_FAULT_CLOG)) {
        sb_link_trouble_of(world, from, to)->clogs++;
    }
}

/* What has waited goes on: in order one nanosecond behind the other. */
static void let_go(sb_world *world, sb_link_trouble *link, bool in_order)
{
    sb_duration behind = world->network.latency_min;
    sb_packet *packet = sb_link_take_held(link);
    while (packet != NULL) {
        sb_packet *const next = packet->next;
        sb_node_state *const from = world->nodes[packet->message.from];
        packet->next = NULL;
        sb_fault_effective(world, SB_FAULT_CLOG);
        const sb_duration latency =
            in_order ? behind++ : sb_network_latency(world, from, packet->to);
        sb_due_at(world, &packet->due, world->now + latency);
        packet = next;
    }
}

void sb_network_release(sb_world *world, sb_node from, sb_node to, bool in_order)
{
    (void)sb_node_given(world, from, __func__);
    (void)sb_node_given(world, to, __func__);
    sb_link_trouble *const link = sb_link_trouble_of(world, from, to);
    if (link->clogs != 0) {
        link->clogs--;
        sb_event_here(world, SB_EVENT_HEAL, SB_FAULT_CLOG, to, from);
        if (link->clogs == 0) {
            let_go(world, link, in_order);
        }
    }
}

void sb_network_reset(sb_world *world, sb_node one, sb_node other)
{
    sb_node_state *const first = sb_node_given(world, one, __func__);
    sb_node_state *const second = sb_node_given(world, other, __func__);
    const sb_step cause = sb_event_here(world, SB_EVENT_FAULT, SB_FAULT_RESET, other, one);
    if (!sb_fault_strikes(world, SB_FAULT_RESET)) {
        return;
    }
    sb_fault_effective(world, SB_FAULT_RESET);
    sb_network_send_reset(world, first, second, cause);
    sb_network_send_reset(world, second, first, cause);
}

void sb_network_heal(sb_world *world)
{
    world->network.loss = 0;
    world->network.reply_loss = 0;
    world->network.duplicate = 0;
    world->network.reset = 0;
    world->network.corrupt = 0;
    world->network.reorder = 0;
    world->network.bandwidth = 0;
    if (world->links != NULL) {
        for (size_t i = 0; i < SB_NODE_COUNT_MAX * SB_NODE_COUNT_MAX; i++) {
            world->links[i].blocked = 0;
            world->links[i].partial = 0;
        }
    }
    for (unsigned from = 0; from < world->node_count; from++) {
        for (unsigned to = 0; to < world->node_count && world->nodes[from]->links != NULL; to++) {
            while (world->nodes[from]->links[to].clogs != 0) {
                sb_network_release(world, (sb_node)from, (sb_node)to, true);
            }
        }
    }
}
