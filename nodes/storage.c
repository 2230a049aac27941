/*
 * The program of a storage machine: recover, serve until asked to stop, drain, close.
 */
#include "nodes/storage.h"

#include "engine/storage/storage_service.h"
#include "nodes/boot.h"
#include "nodes/report.h"

/* Whoever watches from outside hears of what is decided for good. */
static void report_decision(void *context, const storage_decision *made)
{
    static const uint32_t kinds[] = {[DECISION_COMMIT] = REPORT_COMMIT_DECIDED,
                                     [DECISION_FENCE] = REPORT_SERVER_FENCED,
                                     [DECISION_INGEST] = REPORT_INGESTED,
                                     [DECISION_COLLECT] = REPORT_COLLECTED};
    const session_report said = {.server = made->by.server,
                                 .session = made->by.session,
                                 .version = made->by.version,
                                 .sequence = made->sequence,
                                 .start = made->start,
                                 .commit = made->commit};
    (void)context;
    buffer bytes;
    buffer_init(&bytes);
    if (made->kind == DECISION_INGEST || made->kind == DECISION_COLLECT) {
        buffer_add_u64(&bytes, made->start);
        buffer_add(&bytes, made->keys.data, made->keys.size);
    } else {
        session_report_encode(&said, &bytes);
    }
    sb_report(kinds[made->kind], bytes.data, bytes.size);
    buffer_release(&bytes);
}

static void serve(store *at, const boot_plan *plan)
{
    storage_service service;
    const storage_settings own = {.capacity = plan->settings.store_capacity,
                                  .ingest_pairs_max = plan->settings.ingest_pairs_max,
                                  .report_interval = plan->settings.region_report_interval,
                                  .placements = plan->placements.addresses,
                                  .placement_count = plan->placements.count};
    storage_service_init(&service, at, &own);
    storage_service_watch(&service, report_decision, NULL);
    sb_exchange *exchange =
        sb_exchange_open(wire_method_names, METHOD_COUNT, storage_service_handle, &service,
                         plan->settings.storage_concurrency);
    storage_service_start(&service, exchange);
    (void)sb_sleep(SB_FOREVER, sb_shutdown_scope());
    storage_service_stop(&service);
    sb_exchange_close(exchange);
    storage_service_release(&service);
}

int storage_program(const sb_boot *boot)
{
    boot_plan plan;
    store data;
    packing regions;
    if (!boot_plan_decode(&plan, slice_of(boot->argument, boot->argument_size))) {
        sb_log("storage: the boot argument is not a plan");
        return STORAGE_EXIT_PLAN;
    }
    packing_init(&regions);
    boot_plan_pack_regions(&plan, &regions);
    const store_opened opened =
        store_open(&data, packing_list(&regions), plan.settings.checkpoint_log_size);
    packing_release(&regions);
    if (opened == STORE_OPENED) {
        serve(&data, &plan);
    }
    store_close(&data);
    return opened == STORE_DAMAGED ? STORAGE_EXIT_DAMAGED : 0;
}
