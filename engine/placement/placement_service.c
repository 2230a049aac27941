/*
 * Placement at work: see placement_service.h.
 */
#include "engine/placement/placement_service.h"

#include "engine/base/durable_file.h"
#include "engine/placement/region_orders.h"

#define STATE_PATH "placement"

/* ------------------------------------------------------------------------------------- saving */

static sb_status write_state(const registry *of)
{
    buffer bytes;
    buffer_init(&bytes);
    registry_encode(of, &bytes);
    const sb_status status = failpoint("placement-save-fails")
                                 ? SB_IO_ERROR
                                 : durable_file_replace("", STATE_PATH, buffer_slice(&bytes));
    buffer_release(&bytes);
    return status;
}

/* Save what there is now.  Every try saves the newest: an older one may never be found again. */
static void save_now(placement_service *of)
{
    uint32_t tries = 0;
    of->saving = true;
    for (;;) {
        const uint64_t changed = of->registry.changed;
        const uint64_t bound = of->registry.timestamp_bound;
        if (write_state(&of->registry) == SB_OK) {
            of->saved = changed;
            of->saved_bound = bound;
            break;
        }
        SOMETIMES(true, "placement saves its state again");
        if (disk_back_off(&tries, sb_shutdown_scope()) != SB_OK) {
            of->failed = true;
            break;
        }
    }
    of->saving = false;
    sb_condition_broadcast(&of->progress);
}

bool placement_service_save(placement_service *of)
{
    const uint64_t wanted = of->registry.changed;
    while (of->saved < wanted && !of->failed) {
        if (of->saving) {
            (void)sb_condition_wait(&of->progress, NULL, NULL);
        } else {
            save_now(of);
        }
    }
    return of->saved >= wanted;
}

/* ------------------------------------------------------------------------------------ opening */

static void be_born(placement_service *of, packed_regions regions)
{
    region_description one;
    for (cursor at = packed_cursor(regions); unpack_region(&at, &one);) {
        (void)region_table_learn(&of->registry.regions, &one);
    }
    of->registry.changed++;
}

placement_opened placement_service_open(placement_service *of, packed_regions born_with,
                                        const placement_settings *settings)
{
    placement_opened result = PLACEMENT_OPENED;
    uint32_t tries = 0;
    buffer bytes;
    *of = (placement_service){.settings = *settings,
                              .timestamp_ahead_ms = settings->timestamp_ahead / SB_MILLISECOND};
    sb_scope_init(&of->scope, NULL, "placement service");
    sb_wait_group_init(&of->tasks, "tasks of placement");
    registry_init(&of->registry);
    sb_condition_init(&of->progress, "placement to be saved");
    buffer_init(&bytes);
    const sb_time now = sb_monotonic_time();
    durable_read found = durable_file_read(STATE_PATH, &bytes);
    while (found == DURABLE_IO_ERROR && disk_back_off(&tries, sb_shutdown_scope()) == SB_OK) {
        found = durable_file_read(STATE_PATH, &bytes);
    }
    if (found == DURABLE_IO_ERROR) {
        result = PLACEMENT_STOPPED;
    } else if (found == DURABLE_MISSING) {
        be_born(of, born_with);
        result = placement_service_save(of) ? PLACEMENT_OPENED : PLACEMENT_STOPPED;
    } else if (found == DURABLE_DAMAGED ||
               !registry_decode(&of->registry, buffer_slice(&bytes), now)) {
        sb_log("placement: %s is damaged at offset 0: not what was synced", STATE_PATH);
        result = PLACEMENT_DAMAGED;
    }
    of->saved_bound = of->registry.timestamp_bound;
    timestamp_oracle_init(&of->oracle, of->registry.timestamp_bound, now);
    of->registry.boots++;
    of->registry.changed++; /* saved before the first answer that tells of it */
    watches_init(&of->watches, of->registry.boots);
    buffer_release(&bytes);
    return result;
}

void placement_service_close(placement_service *of)
{
    sb_assert(!of->saving);
    registry_release(&of->registry);
    sb_condition_release(&of->progress);
    sb_wait_group_release(&of->tasks);
    sb_scope_release(&of->scope);
}

void placement_service_watch(placement_service *of, placement_watcher *watcher, void *context)
{
    of->watcher = watcher;
    of->watcher_context = context;
}

void placement_service_start(placement_service *of, sb_exchange *exchange)
{
    of->exchange = exchange;
    balancer_start(of);
}

void placement_service_stop(placement_service *of)
{
    sb_scope_cancel(&of->scope);
    (void)sb_wait_group_wait(&of->tasks, NULL);
}

static void tell(const placement_service *of, const placement_promise *made)
{
    if (of->watcher != NULL) {
        of->watcher(of->watcher_context, made);
    }
}

/* --------------------------------------------------------------------------------- timestamps */

/* Raise the bound to well above what is about to be handed out, and save it. */
static bool raise_bound(placement_service *of)
{
    const uint64_t wanted = timestamp_physical_ms(of->oracle.next) + of->timestamp_ahead_ms + 1;
    if (wanted > of->registry.timestamp_bound) {
        of->registry.timestamp_bound = wanted;
        of->registry.changed++;
    }
    return placement_service_save(of);
}

/* Whether so little is left below the bound that it is time to raise it. */
static bool bound_is_near(const placement_service *of)
{
    const uint64_t next_ms = timestamp_physical_ms(of->oracle.next);
    return next_ms + of->timestamp_ahead_ms / 2 >= of->registry.timestamp_bound;
}

static bool answer_timestamp(placement_service *of, const sb_request *request, buffer *bytes)
{
    timestamp_request asked;
    timestamp_reply reply = {0};
    if (!timestamp_request_decode(&asked, slice_of(request->data, request->size)) ||
        asked.count == 0 || asked.count > TIMESTAMP_COUNT_MAX) {
        reply.head.status = REPLY_BAD_REQUEST;
    } else if (failpoint("placement-timestamp-fails")) {
        reply.head.status = REPLY_STARTING;
    } else {
        const sb_time monotonic = sb_monotonic_time(), wall = sb_wall_time();
        timestamp_oracle_advance(&of->oracle, monotonic, wall);
        while (!timestamp_oracle_take(&of->oracle, asked.count, of->saved_bound, &reply.first)) {
            SOMETIMES(of->saved_bound > 0, "a request for a timestamp waits for the bound");
            if (!raise_bound(of)) {
                return false;
            }
        }
        sb_assert_op(reply.first, >, 0);
        tell(of, &(placement_promise){.last = reply.first + asked.count - 1});
    }
    timestamp_reply_encode(&reply, bytes);
    return true;
}

/* Once the answer is out there is time to raise the bound for those who come next. */
static void handle_timestamp(placement_service *of, const sb_request *request, buffer *bytes)
{
    if (!answer_timestamp(of, request, bytes)) {
        return;
    }
    if (!failpoint("placement-answer-lost")) {
        sb_answer(request, bytes->data, bytes->size);
    }
    if (bound_is_near(of) && !of->saving) {
        (void)raise_bound(of);
    }
}

/* ---------------------------------------------------------------------------- everything else */

static void answer_regions(placement_service *of, slice body, buffer *bytes)
{
    regions_request asked;
    regions_reply reply = {0};
    packing list;
    packing_init(&list);
    if (!regions_request_decode(&asked, body)) {
        reply.head.status = REPLY_BAD_REQUEST;
    } else {
        region_table_pack(&of->registry.regions, &list);
        reply.regions = packing_list(&list);
    }
    regions_reply_encode(&reply, bytes);
    packing_release(&list);
}

bool placement_service_learn(placement_service *of, packed_regions regions)
{
    region_description one;
    bool changed = false;
    for (cursor at = packed_cursor(regions); unpack_region(&at, &one);) {
        changed |= region_table_learn(&of->registry.regions, &one);
    }
    of->registry.changed += changed;
    return changed;
}

static void answer_report(placement_service *of, slice body, buffer *bytes)
{
    report_regions_request told;
    report_regions_reply reply = {0};
    if (report_regions_request_decode(&told, body)) {
        (void)placement_service_learn(of, told.regions);
    } else {
        reply.head.status = REPLY_BAD_REQUEST;
    }
    report_regions_reply_encode(&reply, bytes);
}

static void answer_grant(placement_service *of, slice body, sb_time now, buffer *bytes)
{
    session_grant_request asked;
    session_grant_reply reply = {.boot = of->registry.boots};
    reply.head.status = session_grant_request_decode(&asked, body)
                            ? registry_grant(&of->registry, &asked, now, &reply.session)
                            : REPLY_BAD_REQUEST;
    session_grant_reply_encode(&reply, bytes);
}

static void answer_keepalive(placement_service *of, slice body, sb_time now, buffer *bytes)
{
    session_keepalive_request asked;
    session_keepalive_reply reply = {.boot = of->registry.boots};
    reply.head.status = session_keepalive_request_decode(&asked, body)
                            ? registry_keepalive(&of->registry, &asked, now)
                            : REPLY_BAD_REQUEST;
    session_keepalive_reply_encode(&reply, bytes);
}

static void answer_revoke(placement_service *of, slice body, buffer *bytes)
{
    session_revoke_request asked;
    session_revoke_reply reply = {0};
    if (session_revoke_request_decode(&asked, body)) {
        registry_revoke(&of->registry, asked.session);
    } else {
        reply.head.status = REPLY_BAD_REQUEST;
    }
    session_revoke_reply_encode(&reply, bytes);
}

static void answer_sessions(placement_service *of, slice body, buffer *bytes)
{
    sessions_request asked;
    sessions_reply reply = {0};
    packing list;
    packing_init(&list);
    if (sessions_request_decode(&asked, body)) {
        registry_pack_sessions(&of->registry, &list);
        reply.sessions = packing_list(&list);
    } else {
        reply.head.status = REPLY_BAD_REQUEST;
    }
    sessions_reply_encode(&reply, bytes);
    packing_release(&list);
}

static void answer_campaign(placement_service *of, slice body, buffer *bytes)
{
    campaign_request asked;
    campaign_reply reply = {0};
    reply.head.status = campaign_request_decode(&asked, body)
                            ? registry_campaign(&of->registry, asked.session, &reply)
                            : REPLY_BAD_REQUEST;
    campaign_reply_encode(&reply, bytes);
}

static void answer_resign(placement_service *of, slice body, buffer *bytes)
{
    resign_request asked;
    resign_reply reply = {0};
    if (resign_request_decode(&asked, body)) {
        registry_resign(&of->registry, asked.session, asked.tenure);
    } else {
        reply.head.status = REPLY_BAD_REQUEST;
    }
    resign_reply_encode(&reply, bytes);
}

static void answer_hold(placement_service *of, slice body, buffer *bytes)
{
    safe_point_hold_request asked;
    safe_point_hold_reply reply = {0};
    reply.head.status = safe_point_hold_request_decode(&asked, body)
                            ? registry_hold(&of->registry, asked.job, asked.at)
                            : REPLY_BAD_REQUEST;
    reply.head.at = of->registry.safe_point;
    safe_point_hold_reply_encode(&reply, bytes);
}

/* What is not handed out yet cannot be older than anything. */
static void answer_advance(placement_service *of, slice body, buffer *bytes)
{
    safe_point_advance_request asked;
    safe_point_advance_reply reply = {0};
    buffer holders;
    buffer_init(&holders);
    if (safe_point_advance_request_decode(&asked, body)) {
        const timestamp next = of->oracle.next;
        reply.safe_point =
            registry_advance(&of->registry, asked.wanted < next ? asked.wanted : next);
        for (uint32_t i = 0; i < of->registry.hold_count; i++) {
            buffer_add_u64(&holders, of->registry.holds[i].job);
        }
        reply.holders = buffer_slice(&holders);
    } else {
        reply.head.status = REPLY_BAD_REQUEST;
    }
    safe_point_advance_reply_encode(&reply, bytes);
    buffer_release(&holders);
}

static void answer_publish(placement_service *of, slice body, sb_time now, buffer *bytes)
{
    publish_request told;
    publish_reply reply = {0};
    if (publish_request_decode(&told, body) && told.key.size > 0 &&
        told.key.size <= WATCH_KEY_MAX) {
        watches_note(&of->watches, &of->registry, told.key, now);
    } else {
        reply.head.status = REPLY_BAD_REQUEST;
    }
    publish_reply_encode(&reply, bytes);
}

static bool answer(placement_service *of, const sb_request *request, sb_time now, buffer *bytes)
{
    const slice body = slice_of(request->data, request->size);
    registry_expire(&of->registry, now);
    switch (request->method) {
    case METHOD_REGIONS:
        answer_regions(of, body, bytes);
        return true;
    case METHOD_REPORT_REGIONS:
        answer_report(of, body, bytes);
        return true;
    case METHOD_SPLIT_REGION:
        answer_split(of, body, bytes);
        return true;
    case METHOD_MERGE_REGIONS:
        answer_merge(of, body, bytes);
        return true;
    case METHOD_MOVE_LEADER:
        answer_move(of, body, bytes);
        return true;
    case METHOD_SESSION_GRANT:
        answer_grant(of, body, now, bytes);
        return true;
    case METHOD_SESSION_KEEPALIVE:
        answer_keepalive(of, body, now, bytes);
        return true;
    case METHOD_SESSION_REVOKE:
        answer_revoke(of, body, bytes);
        return true;
    case METHOD_SESSIONS:
        answer_sessions(of, body, bytes);
        return true;
    case METHOD_CAMPAIGN:
        answer_campaign(of, body, bytes);
        return true;
    case METHOD_RESIGN:
        answer_resign(of, body, bytes);
        return true;
    case METHOD_PUBLISH:
        answer_publish(of, body, now, bytes);
        return true;
    case METHOD_SAFE_POINT_HOLD:
        answer_hold(of, body, bytes);
        return true;
    case METHOD_SAFE_POINT_ADVANCE:
        answer_advance(of, body, bytes);
        return true;
    default:
        return false; /* not for placement: the caller is left to its deadline */
    }
}

/* Who reigns, as it is told of when it changes. */
typedef struct office {
    tenure_id tenure;
    bool taken;
} office;

static office office_now(const placement_service *of)
{
    return (office){of->registry.last_tenure, registry_has_owner(&of->registry)};
}

/* Once it is saved, the office tells of itself. */
static void tell_office(placement_service *of, const office *was, const office *is, sb_time now)
{
    if (was->tenure != is->tenure || was->taken != is->taken) {
        watches_note(&of->watches, &of->registry, slice_of_string("owner"), now);
    }
}

/* It may be the first to find that the owner's session has ended. */
static void handle_watch(placement_service *of, const sb_request *request)
{
    const sb_time now = sb_monotonic_time();
    const office was = office_now(of);
    registry_expire(&of->registry, now);
    const office is = office_now(of);
    if (placement_service_save(of)) {
        tell_office(of, &was, &is, now);
        watches_handle(&of->watches, &of->registry, request, now);
    }
}

/* What the answer says has been decided, and no later than now.  False: it never will be saved. */
static bool answer_when_saved(placement_service *of, const sb_request *request, const buffer *bytes)
{
    const placement_promise made = {.session = of->registry.last_session,
                                    .tenure = of->registry.last_tenure};
    const bool promises =
        request->method == METHOD_SESSION_GRANT || request->method == METHOD_CAMPAIGN;
    if (!placement_service_save(of)) {
        return false;
    }
    if (promises) {
        tell(of, &made);
    }
    if (!failpoint("placement-answer-lost")) {
        sb_answer(request, bytes->data, bytes->size);
    }
    return true;
}

static void handle_other(placement_service *of, const sb_request *request, buffer *bytes)
{
    const sb_time now = sb_monotonic_time();
    const office was = office_now(of);
    if (!answer(of, request, now, bytes)) {
        return;
    }
    const office is = office_now(of);
    if (answer_when_saved(of, request, bytes)) {
        tell_office(of, &was, &is, now);
    }
}

void placement_service_handle(void *service, const sb_request *request)
{
    placement_service *of = service;
    buffer bytes;
    if (failpoint("placement-request-lost")) {
        return;
    }
    buffer_init(&bytes);
    if (request->method == METHOD_TIMESTAMP) {
        handle_timestamp(of, request, &bytes);
    } else if (request->method == METHOD_WATCH) {
        handle_watch(of, request);
    } else {
        handle_other(of, request, &bytes);
    }
    buffer_release(&bytes);
}
