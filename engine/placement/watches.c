/*
 * Watches: see watches.h.
 */
#include "engine/placement/watches.h"

#include <string.h>

#define BOOT_SHIFT 40u /* no boot has so many events */

void watches_init(watches *of, uint64_t boot)
{
    memset(of, 0, sizeof(*of));
    of->revision = of->compacted = boot << BOOT_SHIFT;
}

static bool begins_with(slice key, slice prefix)
{
    return key.size >= prefix.size && memcmp(key.data, prefix.data, prefix.size) == 0;
}

/* The keys with the prefix that have changed after that revision. */
static void pack_changed(const watches *of, uint64_t after, slice prefix, packing *into)
{
    const uint64_t kept = of->count < WATCH_EVENTS ? of->count : WATCH_EVENTS;
    for (uint64_t i = of->count - kept; i < of->count; i++) {
        const watch_event *one = &of->events[i % WATCH_EVENTS];
        const slice key = {one->key, one->size};
        if (one->revision > after && begins_with(key, prefix)) {
            pack_key(into, key);
        }
    }
}

/* ------------------------------------------------------------------------------------- parking */

static void take_out(watches *of, uint32_t at)
{
    of->parked_count--;
    memmove(&of->parked[at], &of->parked[at + 1], (of->parked_count - at) * sizeof(of->parked[0]));
}

/* Those of ended sessions, of this one, and those whose time has passed. */
static void clear_out(watches *of, const registry *sessions, session_id session, sb_time now)
{
    for (uint32_t i = 0; i < of->parked_count;) {
        const parked_watch *one = &of->parked[i];
        if (one->session == session || now >= one->until ||
            !registry_session_lives(sessions, one->session)) {
            SOMETIMES(!registry_session_lives(sessions, one->session),
                      "the watch of an ended session vanishes");
            take_out(of, i);
        } else {
            i++;
        }
    }
}

static void park(watches *of, const sb_request *request, const watch_request *asked, sb_time now)
{
    sb_assert_op(of->parked_count, <, REGISTRY_SERVERS_MAX); /* one for a live session */
    parked_watch *one = &of->parked[of->parked_count++];
    *one = (parked_watch){.request = *request,
                          .session = asked->session,
                          .after = asked->after,
                          .until = now + asked->patience,
                          .size = asked->prefix.size};
    one->request.data = NULL;
    one->request.size = 0;
    if (one->size > 0) {
        memcpy(one->prefix, asked->prefix.data, one->size);
    }
}

/* ----------------------------------------------------------------------------------- answering */

static void answer(const sb_request *request, const watch_reply *reply)
{
    buffer bytes;
    buffer_init(&bytes);
    watch_reply_encode(reply, &bytes);
    if (!failpoint("watch-answer-is-lost")) {
        sb_answer(request, bytes.data, bytes.size);
    }
    buffer_release(&bytes);
}

static void answer_changed(const sb_request *request, uint64_t revision, const packing *changed)
{
    answer(request, &(watch_reply){.revision = revision, .changed = packing_list(changed)});
}

void watches_note(watches *of, const registry *sessions, slice key, sb_time now)
{
    watch_event *one = &of->events[of->count++ % WATCH_EVENTS];
    sb_assert(key.size > 0 && key.size <= WATCH_KEY_MAX);
    of->compacted = one->revision > of->compacted ? one->revision : of->compacted;
    one->revision = ++of->revision;
    one->size = key.size;
    memcpy(one->key, key.data, key.size);
    const uint64_t revision = of->revision;
    clear_out(of, sessions, 0, now);
    packing changed;
    packing_init(&changed);
    for (uint32_t i = 0; i < of->parked_count;) {
        const parked_watch waiting = of->parked[i];
        if (waiting.after >= revision || !begins_with(key, (slice){waiting.prefix, waiting.size})) {
            i++;
            continue;
        }
        take_out(of, i);
        packing_clear(&changed);
        pack_changed(of, waiting.after, (slice){waiting.prefix, waiting.size}, &changed);
        answer_changed(&waiting.request, of->revision, &changed);
        i = 0; /* others may have run */
    }
    packing_release(&changed);
}

void watches_handle(watches *of, const registry *sessions, const sb_request *request, sb_time now)
{
    watch_request asked;
    if (!watch_request_decode(&asked, slice_of(request->data, request->size)) ||
        asked.prefix.size > WATCH_KEY_MAX || asked.session == 0 || asked.patience == 0) {
        answer(request, &(watch_reply){.head = {.status = REPLY_BAD_REQUEST}});
        return;
    }
    clear_out(of, sessions, asked.session, now);
    if (!registry_session_lives(sessions, asked.session)) {
        answer(request, &(watch_reply){.head = {.status = REPLY_NOT_FOUND}});
        return;
    }
    if (asked.after < of->compacted || asked.after > of->revision) {
        SOMETIMES(asked.after != 0, "a watch is of a revision that is not kept");
        answer(request, &(watch_reply){.head = {.status = REPLY_COMPACTED, .at = of->revision}});
        return;
    }
    packing changed;
    packing_init(&changed);
    pack_changed(of, asked.after, asked.prefix, &changed);
    if (changed.count > 0) {
        SOMETIMES(true, "a watch finds what has changed meanwhile");
        answer_changed(request, of->revision, &changed);
    } else {
        park(of, request, &asked, now);
    }
    packing_release(&changed);
}
