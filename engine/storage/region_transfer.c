/*
 * A region on its way: the side it leaves, and the side it comes to.  region.h says what the
 * records mean and why no crash between them makes it serve twice, or nowhere for ever.
 *
 *     a leaving region ──→ one file in memory, which cannot change any more
 *         ──→ uploaded, 64 KiB a message, like a file to be ingested
 *         ──→ INSTALL_REGION: the new store puts it into its log as one record
 *         ──→ FORGET
 *
 * Each of these may be done again, and is, until the new store has said that the region is there or
 * that it never will be.
 */
#include "engine/counters.h"
#include "engine/storage/command.h"
#include "engine/storage/region_file.h"
#include "engine/storage/region_moves.h"

#include <stdio.h>

#include "engine/base/durable_file.h"

/* ------------------------------------------------------------------------ the store it leaves */

typedef struct region_move {
    storage_service *service;
    region_id id;
    region_epoch epoch; /* with which it goes on there */
    sb_address to;
    bool give_up; /* it cannot go there */
    uint32_t tries;
    buffer file;
    uint64_t digest;
    char name[UPLOAD_NAME_MAX + 1];
    buffer request;
} region_move;

/* How one try has ended. */
typedef enum move_result { MOVE_DONE, MOVE_REFUSED, MOVE_AGAIN } move_result;

/* Upload the part at *offset.  Every part is sent, also when the store has the whole file from an
 * earlier try: what it has may be damaged.  *offset: where to go on, behind this part or, if the
 * store has lost what stood before it, there.  False: no answer to go on with. */
static bool upload_part(region_move *of, uint64_t *offset, bool *whole)
{
    const uint64_t left = of->file.size - *offset;
    const uint32_t size = left < UPLOAD_PIECE_MAX ? (uint32_t)left : UPLOAD_PIECE_MAX;
    const upload_request ask = {.name = slice_of_string(of->name),
                                .offset = *offset,
                                .last = size == left,
                                .bytes = slice_of(of->file.data + *offset, size)};
    upload_reply got;
    sb_reply reply;
    upload_request_encode(&ask, &of->request);
    if (failpoint("region-upload-fails") ||
        !storage_call(of->service, of->to, METHOD_UPLOAD, &of->request, of->tries, &reply)) {
        return false;
    }
    bool good = upload_reply_decode(&got, slice_of(reply.data, reply.size));
    if (good && got.head.status == REPLY_NO_SPACE) {
        of->give_up = true;
    }
    good = good && got.head.status == REPLY_OK && got.size > *offset;
    if (good) {
        const uint64_t behind = *offset + size;
        *whole = ask.last && got.size == of->file.size;
        *offset = got.size < behind ? got.size : behind;
    }
    sb_reply_release(&reply);
    return good;
}

static bool upload(region_move *of)
{
    uint64_t offset = 0;
    bool whole = false, good = true;
    while (!whole && good && offset < of->file.size) {
        good = upload_part(of, &offset, &whole);
    }
    return whole;
}

static move_result install(region_move *of)
{
    const install_region_request ask = {.region = {of->id, of->epoch},
                                        .give_up = of->give_up,
                                        .name = slice_of_string(of->name),
                                        .digest = of->digest};
    install_region_reply got;
    sb_reply reply;
    move_result result = MOVE_AGAIN;
    install_region_request_encode(&ask, &of->request);
    if (failpoint("region-install-fails") ||
        !storage_call(of->service, of->to, METHOD_INSTALL_REGION, &of->request, of->tries,
                      &reply)) {
        return MOVE_AGAIN;
    }
    const bool good = install_region_reply_decode(&got, slice_of(reply.data, reply.size));
    if (good && got.head.status == REPLY_OK && !failpoint("region-install-reply-is-lost")) {
        result = got.installed ? MOVE_DONE : MOVE_REFUSED;
    } else if (good && got.head.status == REPLY_NO_SPACE) {
        of->give_up = true;
    }
    sb_reply_release(&reply);
    return result;
}

static move_result try_move(region_move *of)
{
    /* Perhaps an earlier incarnation of this store has brought it there already. */
    if (of->give_up || of->tries % 4 == 3) {
        return install(of);
    }
    return upload(of) ? install(of) : MOVE_AGAIN;
}

/* It is there, or it stays here: either is one record, and known to all once that is durable. */
static void end_move(region_move *of, move_result result)
{
    storage_service *service = of->service;
    if (result == MOVE_DONE) {
        record_forget(store_record(service->store), of->id);
    } else {
        record_return(store_record(service->store), of->id);
    }
    if (!store_wait(service->store, store_apply(service->store))) {
        return; /* the next incarnation asks again */
    }
    sb_machine_move(&region_machine, of->id, REGION_LEAVING,
                    result == MOVE_DONE ? REGION_GONE : REGION_SERVING);
    SOMETIMES(result == MOVE_REFUSED, "a region stays because the other store has refused it");
    sb_condition_broadcast(&service->regions_changed);
}

static void run_move(region_move *of)
{
    storage_service *service = of->service;
    const region *one = region_set_find(&service->store->state.regions, of->id);
    sb_assert(one != NULL && one->phase == REGION_LEAVING);
    const log_sequence left = one->sequence;
    of->to = one->to;
    of->epoch = one->epoch + 1;
    of->digest = region_file_encode(&service->store->state, one, &of->file);
    (void)snprintf(of->name, sizeof(of->name), "region-%llu-%llu-%016llx",
                   (unsigned long long)of->id, (unsigned long long)of->epoch,
                   (unsigned long long)of->digest);
    if (!store_wait(service->store, left)) { /* nothing leaves before it is true that we do not
                                                serve it any more */
        return;
    }
    move_result result = MOVE_AGAIN;
    while (result == MOVE_AGAIN && sb_scope_status(&service->scope) == SB_OK) {
        result = try_move(of);
        if (result == MOVE_AGAIN) {
            SOMETIMES(true, "a store tries again to bring a region away");
            (void)disk_back_off(&of->tries, &service->scope);
        }
    }
    if (result != MOVE_AGAIN) {
        end_move(of, result);
    }
}

static void move_main(void *argument)
{
    region_move *of = argument;
    run_move(of);
    buffer_release(&of->file);
    buffer_release(&of->request);
    sb_free(of);
}

void region_move_start(storage_service *of, region_id id)
{
    if (sb_scope_status(&of->scope) != SB_OK) {
        return;
    }
    region_move *started = sb_alloc_zero(sizeof(*started));
    started->service = of;
    started->id = id;
    sb_spawn(&of->tasks, move_main, started, "move-region-%llu", (unsigned long long)id);
}

void region_moves_resume(storage_service *of)
{
    for (uint32_t i = 0; i < of->store->state.regions.count; i++) {
        const region *one = &of->store->state.regions.items[i];
        if (one->phase == REGION_LEAVING) {
            SOMETIMES(true, "a store finds a region leaving when it boots");
            region_move_start(of, one->id);
        }
    }
}

/* ---------------------------------------------------------------------- the store it comes to */

/* What is to be done about an INSTALL_REGION. */
typedef enum install_step {
    INSTALL_TAKE,
    INSTALL_THERE,   /* it is here, or has been */
    INSTALL_REFUSED, /* for ever, in that epoch */
    INSTALL_LATER
} install_step;

static install_step check_install(command *of, const region_context *asked)
{
    const region_set *regions = &of->service->store->state.regions;
    const region *one = region_set_find(regions, asked->id);
    command_depends_on(of, one != NULL ? one->sequence : regions->changed);
    if (one == NULL || (one->epoch < asked->epoch && !region_is_held(one))) {
        return INSTALL_TAKE;
    }
    if (one->epoch < asked->epoch) {
        /* We have given it away before, and have not been told yet that it arrived. */
        sb_assert(one->phase == REGION_LEAVING);
        SOMETIMES(true, "a region comes back before the store knows that it had left");
        return INSTALL_LATER;
    }
    return one->phase == REGION_REFUSED && one->epoch == asked->epoch ? INSTALL_REFUSED
                                                                      : INSTALL_THERE;
}

static void refuse_region(command *of, const region_context *asked, region_phase from)
{
    store *at = of->service->store;
    record_refuse(store_record(at), asked->id, asked->epoch);
    command_depends_on(of, store_apply(at));
    if (store_wait(at, of->after)) {
        sb_machine_move(&region_machine, asked->id, from, REGION_REFUSED);
    }
}

static reply_status take_file(command *of, const install_region_request *request, slice file,
                              region_phase from)
{
    store *at = of->service->store;
    region_description about;
    if (!region_file_check(file, request->digest, &about) || about.id != request->region.id ||
        about.epoch != request->region.epoch) {
        return REPLY_CORRUPT;
    }
    const region *old = region_set_overlapping(&at->state.regions, about.start, about.end, 0);
    if (old != NULL) {
        sb_assert(old->phase == REGION_LEAVING && old->epoch < about.epoch);
        SOMETIMES(true, "a part of a region comes back before the store knows that it had left");
        return REPLY_BUSY;
    }
    record_install(store_record(at), file);
    command_depends_on(of, store_apply(at));
    sb_count(COUNTER_leader_moves, 1);
    if (store_wait(at, of->after)) {
        sb_machine_move(&region_machine, about.id, from, REGION_SERVING);
        sb_condition_broadcast(&of->service->regions_changed);
    }
    return REPLY_OK;
}

static region_phase phase_of(const command *of, region_id id)
{
    const region *one = region_set_find(&of->service->store->state.regions, id);
    return one != NULL ? one->phase : REGION_UNKNOWN;
}

/* Reading the file may let others run, so the question is asked again behind it. */
static reply_status take_region(command *of, const install_region_request *request,
                                install_step *step)
{
    buffer file;
    buffer_init(&file);
    reply_status status = uploads_read(&of->service->uploads, request->name, &file);
    *step = check_install(of, &request->region);
    if (status == REPLY_OK && *step == INSTALL_TAKE) {
        status = take_file(of, request, buffer_slice(&file), phase_of(of, request->region.id));
        *step = status == REPLY_OK ? INSTALL_THERE : INSTALL_TAKE;
    } else if (*step != INSTALL_TAKE) {
        status = *step == INSTALL_LATER ? REPLY_BUSY : REPLY_OK;
    }
    buffer_release(&file);
    if (status == REPLY_CORRUPT) { /* its bytes have decayed: let it come anew, from the start */
        SOMETIMES(true, "the file of a region has decayed");
        uploads_remove(&of->service->uploads, request->name);
    }
    return status;
}

static reply_status install_region(command *of, const install_region_request *request,
                                   bool *installed)
{
    reply_status status = REPLY_OK;
    if (request->region.id == 0 || request->region.epoch == 0) {
        return REPLY_BAD_REQUEST;
    }
    install_step step = check_install(of, &request->region);
    if (step == INSTALL_TAKE && request->give_up) {
        refuse_region(of, &request->region, phase_of(of, request->region.id));
        step = INSTALL_REFUSED;
    } else if (step == INSTALL_TAKE && failpoint("storage-has-no-space-for-a-region")) {
        status = REPLY_NO_SPACE;
    } else if (step == INSTALL_TAKE) {
        status = take_region(of, request, &step);
    } else if (step == INSTALL_LATER) {
        status = REPLY_BUSY;
    }
    *installed = step == INSTALL_THERE;
    return status;
}

void command_install_region(command *of)
{
    install_region_request request;
    install_region_reply reply = {0};
    reply.head.status = install_region_request_decode(&request, of->body)
                            ? install_region(of, &request, &reply.installed)
                            : REPLY_BAD_REQUEST;
    install_region_reply_encode(&reply, of->reply);
    if (reply.head.status == REPLY_OK && store_wait(of->service->store, of->after)) {
        uploads_remove(&of->service->uploads, request.name);
    }
}
