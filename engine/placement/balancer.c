/*
 * The balancer: see region_orders.h.
 *
 * It goes by what the stores have told last, makes at most one order a look, and gives up an order
 * that was not done: what is still out of balance, the next look finds again.
 */
#include "engine/placement/region_orders.h"

/* The keys of a region are the table's and may go while an order is under way. */
static reply_status order_at(placement_service *of, const region_description *one,
                             reply_status (*order)(placement_service *, slice))
{
    buffer key;
    buffer_init(&key);
    buffer_add(&key, one->start.data, one->start.size);
    const reply_status status = order(of, buffer_slice(&key));
    buffer_release(&key);
    return status;
}

static bool split_large(placement_service *of)
{
    const region_table *table = &of->registry.regions;
    const uint64_t most = of->settings.region_size_max;
    for (uint32_t i = 0; i < table->count && most > 0; i++) {
        if (table->items[i].size > most) {
            SOMETIMES(true, "the balancer splits a region");
            return order_at(of, &table->items[i], region_order_halve) != REPLY_NOT_FOUND;
        }
    }
    return false;
}

static bool merge_small(placement_service *of)
{
    const region_table *table = &of->registry.regions;
    for (uint32_t i = 0; i + 1 < table->count; i++) {
        const region_description *one = &table->items[i], *next = &table->items[i + 1];
        if (one->size + next->size < of->settings.region_size_min &&
            region_table_behind(table, one) == next) {
            SOMETIMES(true, "the balancer merges two regions");
            (void)order_at(of, one, region_order_merge);
            return true;
        }
    }
    return false;
}

static reply_status move_anywhere(placement_service *of, slice key)
{
    return region_order_move(of, key, 0);
}

static bool even_leaders(placement_service *of)
{
    const region_table *table = &of->registry.regions;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < of->settings.store_count; i++) {
        const uint32_t leads = region_table_led_by(table, of->settings.stores[i]);
        least = leads < least ? leads : least;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        const region_description *one = &table->items[i];
        if (one->leader != 0 && region_table_led_by(table, one->leader) >= least + 2) {
            SOMETIMES(true, "the balancer moves a region to a store that leads fewer");
            (void)order_at(of, one, move_anywhere);
            return true;
        }
    }
    return false;
}

static void balancer(void *argument)
{
    placement_service *of = argument;
    while (sb_sleep(of->settings.balance_interval, &of->scope) == SB_OK) {
        if (!split_large(of) && !merge_small(of)) {
            (void)even_leaders(of);
        }
    }
}

void balancer_start(placement_service *of)
{
    if (of->settings.balance_interval > 0) {
        sb_spawn(&of->tasks, balancer, of, "balancer");
    }
}
