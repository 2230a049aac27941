/*
 * The program of a placement machine: recover, serve until asked to stop, drain, close.
 */
#include "nodes/placement.h"

#include "engine/placement/placement_service.h"
#include "nodes/boot.h"
#include "nodes/report.h"

#define TELL_EVERY_MS 100u /* of timestamps */

/* What was told last, by this incarnation. */
typedef struct told {
    uint64_t timestamp_ms;
} told;

/* Whoever watches from outside hears of what must outlive this machine. */
static void report_promise(void *context, const placement_promise *made)
{
    told *before = context;
    const uint64_t now_ms = timestamp_physical_ms(made->last);
    if (made->last != 0 && now_ms < before->timestamp_ms + TELL_EVERY_MS) {
        return;
    }
    before->timestamp_ms = made->last != 0 ? now_ms : before->timestamp_ms;
    const promise_report said = {
        .last = made->last, .session = made->session, .tenure = made->tenure};
    buffer bytes;
    buffer_init(&bytes);
    promise_report_encode(&said, &bytes);
    sb_report(REPORT_PROMISED, bytes.data, bytes.size);
    buffer_release(&bytes);
}

static void serve(placement_service *service, uint32_t concurrency)
{
    sb_exchange *exchange = sb_exchange_open(wire_method_names, METHOD_COUNT,
                                             placement_service_handle, service, concurrency);
    told before = {0};
    placement_service_watch(service, report_promise, &before);
    placement_service_start(service, exchange);
    (void)sb_sleep(SB_FOREVER, sb_shutdown_scope());
    placement_service_stop(service);
    sb_exchange_close(exchange);
}

int placement_program(const sb_boot *boot)
{
    boot_plan plan;
    placement_service service;
    packing regions;
    if (!boot_plan_decode(&plan, slice_of(boot->argument, boot->argument_size))) {
        sb_log("placement: the boot argument is not a plan");
        return PLACEMENT_EXIT_PLAN;
    }
    const placement_settings settings = {.timestamp_ahead = plan.settings.timestamp_ahead,
                                         .stores = plan.stores.addresses,
                                         .store_count = plan.stores.count,
                                         .balance_interval = plan.settings.balance_interval,
                                         .region_size_max = plan.settings.region_size_max,
                                         .region_size_min = plan.settings.region_size_min};
    packing_init(&regions);
    boot_plan_pack_regions(&plan, &regions);
    const placement_opened opened =
        placement_service_open(&service, packing_list(&regions), &settings);
    packing_release(&regions);
    if (opened == PLACEMENT_OPENED) {
        serve(&service, plan.settings.placement_concurrency);
    }
    placement_service_close(&service);
    return opened == PLACEMENT_DAMAGED ? PLACEMENT_EXIT_DAMAGED : 0;
}
