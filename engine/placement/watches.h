/*
 * Watches: tell me when a key changes (etcd's, by long poll).
 *
 *     revision  …  41 owner   42 jobs   43 schema-version     the last WATCH_EVENTS are kept
 *                             │
 *     "after 41"              └──→ answered at once: 43, {jobs, schema-version}
 *     "after 43"              parked until the next change, or until its time has passed
 *     "after 7"               COMPACTED, 43: what came between is forgotten; look for yourself
 *
 * A watch is news of a change and not the change: whoever hears of one reads what he wants to know
 * where it is kept, and looks now and then without any news.  So nothing here is durable.  After a
 * restart revisions go on above all that were ever told, and every watch from before is COMPACTED.
 *
 * A parked watch is a copy of its request, and no task waits for it.  A session has one; those of
 * sessions that have ended vanish, as do those whose time has passed: whoever asked has given up.
 */
#ifndef ENGINE_PLACEMENT_WATCHES_H
#define ENGINE_PLACEMENT_WATCHES_H

#include "engine/placement/registry.h"

#define WATCH_EVENTS 64u
#define WATCH_KEY_MAX 32u

typedef struct watch_event {
    uint64_t revision;
    uint32_t size;
    unsigned char key[WATCH_KEY_MAX];
} watch_event;

typedef struct parked_watch {
    sb_request request; /* without its bytes */
    session_id session;
    uint64_t after;
    sb_time until;
    uint32_t size;
    unsigned char prefix[WATCH_KEY_MAX];
} parked_watch;

typedef struct watches {
    uint64_t revision;  /* of the last event */
    uint64_t compacted; /* events up to this one may be forgotten */
    uint64_t count;     /* of events ever; event i is events[i % WATCH_EVENTS] */
    watch_event events[WATCH_EVENTS];
    uint32_t parked_count;
    parked_watch parked[REGISTRY_SERVERS_MAX];
} watches;

/* Revisions of a later boot are above all of an earlier one. */
void watches_init(watches *of, uint64_t boot);

/* The key has changed.  Answers those who wait for that, so others may run. */
void watches_note(watches *of, const registry *sessions, slice key, sb_time now);

/* A WATCH: answered now, or parked. */
void watches_handle(watches *of, const registry *sessions, const sb_request *request, sb_time now);

#endif
