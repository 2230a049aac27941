/*
 * The program of a placement machine: recover, serve until asked to stop, drain, close.
 */
#include "nodes/placement.h"

#include "engine/placement/placement_service.h"
#include "nodes/boot.h"

static void serve(placement_service *service, const boot_settings *settings)
{
    sb_exchange *exchange =
        sb_exchange_open(wire_method_names, METHOD_COUNT, placement_service_handle, service,
                         settings->placement_concurrency);
    (void)sb_sleep(SB_FOREVER, sb_shutdown_scope());
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
    packing_init(&regions);
    boot_plan_pack_regions(&plan, &regions);
    const placement_opened opened =
        placement_service_open(&service, packing_list(&regions), plan.settings.timestamp_ahead);
    packing_release(&regions);
    if (opened == PLACEMENT_OPENED) {
        serve(&service, &plan.settings);
    }
    placement_service_close(&service);
    return opened == PLACEMENT_DAMAGED ? PLACEMENT_EXIT_DAMAGED : 0;
}
