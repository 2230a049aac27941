/*
 * Telling placement which regions are held here.
 *
 * A report tells only what is durable, like every answer of a store.  One that was not confirmed is
 * sent again, to the next endpoint; one that was confirmed is on placement's disk, so nothing needs
 * to be told again until something changes, but for the sizes that a balancer goes by.
 */
#include "engine/storage/region_file.h"
#include "engine/storage/region_moves.h"

#include "engine/base/durable_file.h"

region_description region_describe(const storage_service *of, const region *one)
{
    return (region_description){.id = one->id,
                                .epoch = one->epoch,
                                .start = one->start,
                                .end = one->end,
                                .leader = one->phase == REGION_SERVING ? sb_self() : 0,
                                .size = region_size(&of->store->state, one->start, one->end).bytes};
}

static void encode_report(const storage_service *of, buffer *request)
{
    const region_set *regions = &of->store->state.regions;
    packing list;
    packing_init(&list);
    for (uint32_t i = 0; i < regions->count; i++) {
        if (region_is_held(&regions->items[i])) {
            const region_description one = region_describe(of, &regions->items[i]);
            pack_region(&list, &one);
        }
    }
    const report_regions_request told = {.store = sb_self(), .regions = packing_list(&list)};
    report_regions_request_encode(&told, request);
    packing_release(&list);
}

static bool confirmed(const sb_reply *reply)
{
    report_regions_reply said;
    return report_regions_reply_decode(&said, slice_of(reply->data, reply->size)) &&
           said.head.status == REPLY_OK;
}

/* Until it is confirmed; *told: the last record that it tells of.  False: it never will be. */
static bool report(storage_service *of, log_sequence *told)
{
    buffer request;
    uint32_t tries = 0;
    bool done = false;
    buffer_init(&request);
    while (!done && sb_scope_status(&of->scope) == SB_OK) {
        const log_sequence changed = of->store->state.regions.changed;
        const sb_address to = of->settings.placements[tries % of->settings.placement_count];
        sb_reply reply;
        encode_report(of, &request);
        if (!store_wait(of->store, changed)) {
            break;
        }
        if (!failpoint("region-report-is-lost") &&
            storage_call(of, to, METHOD_REPORT_REGIONS, &request, tries, &reply)) {
            done = confirmed(&reply);
            sb_reply_release(&reply);
        }
        if (done) {
            *told = changed;
        } else {
            SOMETIMES(true, "a store tells its regions again");
            (void)disk_back_off(&tries, &of->scope);
        }
    }
    buffer_release(&request);
    return done;
}

/* Wait for a change, or for the interval to pass. */
static void wait_for_change(storage_service *of, log_sequence told)
{
    const sb_duration interval = of->settings.report_interval;
    sb_scope pause;
    if (interval > 0) {
        sb_scope_init_timeout(&pause, &of->scope, "until the next report", interval);
    } else {
        sb_scope_init(&pause, &of->scope, "until the next report");
    }
    while (of->store->state.regions.changed == told && sb_scope_status(&pause) == SB_OK) {
        (void)sb_condition_wait(&of->regions_changed, NULL, &pause);
    }
    sb_scope_release(&pause);
}

static void reporter(void *argument)
{
    storage_service *of = argument;
    log_sequence told = 0;
    while (report(of, &told)) {
        wait_for_change(of, told);
    }
}

void region_reporter_start(storage_service *of)
{
    if (of->settings.placement_count > 0) {
        sb_spawn(&of->tasks, reporter, of, "region-reporter");
    }
}
