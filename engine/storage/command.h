/*
 * What the commands of a store have in common: private to engine/storage.
 *
 * A command gets a `command` with the request's body and an empty reply.  It encodes its reply
 * before anything may switch, and notes with command_depends_on every sequence that the reply tells
 * of.
 */
#ifndef ENGINE_STORAGE_COMMAND_H
#define ENGINE_STORAGE_COMMAND_H

#include "engine/storage/storage_service.h"

typedef struct command {
    storage_service *service;
    slice body;
    buffer *reply;
    log_sequence after;        /* the reply goes out when this is durable */
    storage_decision decision; /* for the watcher */
    buffer ingested;           /* what decision.keys borrows from */
} command;

/* One per method of storage; each writes its reply. */
void command_get(command *of);
void command_get_versions(command *of);
void command_scan(command *of);
void command_prewrite(command *of);
void command_commit(command *of);
void command_rollback(command *of);
void command_check_status(command *of);
void command_resolve(command *of);
void command_fence(command *of);
void command_upload(command *of);
void command_ingest(command *of);
void command_delete_range(command *of);
void command_order_split(command *of);
void command_order_merge(command *of);
void command_order_move(command *of);
void command_install_region(command *of);
void command_guard(command *of);
void command_find_lock(command *of);
void command_collect(command *of);

static inline void command_depends_on(command *of, log_sequence sequence)
{
    if (sequence > of->after) {
        of->after = sequence;
    }
}

/* The entry of a key, or NULL; the reply depends on it, and where there is none on the last
 * deletion. */
entry *command_find(command *of, slice key);

/* Whether the region is served here in that epoch; else the head says who does, if that is known.
 * The one place that knows what an epoch is compared with. */
reply_status command_region(command *of, const region_context *context, reply_head *head,
                            const region **found);

/* FENCED for a session below the least that is accepted of its server; 0 always is. */
reply_status command_session(command *of, sb_address server, session_id session, reply_head *head);

/* Whether the timestamp lies below the safe point; then the head says where that is. */
bool command_is_too_old(command *of, timestamp at, reply_head *head);

/* Whether the key is sound and lies in the region. */
reply_status command_key(const region *within, slice key);
reply_status command_keys(const region *within, packed_keys keys);

/* Cut [*start, *end) to the region; OUTSIDE_REGION when it does not begin there or ends behind it.
 * An empty end becomes the region's. */
reply_status command_range(const region *within, slice start, slice *end);

/* The lock as a reply tells of it; borrows from the entry. */
lock_description command_lock(const entry *of);

#endif
