/*
 * Files that workers have sent and that wait to be ingested.
 *
 * They lie under ingest/ and are letters, not memory: ingest puts their content into the log, so
 * they need no sync, do not survive a restart (the store sweeps the folder when it boots), and may
 * be removed at any time; whoever finds its file gone sends it again.  What nobody has touched for
 * UPLOAD_LIFE is removed by a task that lives as long as there are files.
 */
#ifndef ENGINE_STORAGE_UPLOADS_H
#define ENGINE_STORAGE_UPLOADS_H

#include "engine/base/ordered_map.h"
#include "engine/wire/messages.h"

typedef struct uploads {
    ordered_map files; /* name → upload */
    sb_scope scope;    /* of the task that removes stale files */
    sb_wait_group tasks;
    bool removing; /* that task runs */
} uploads;

void uploads_init(uploads *of);
void uploads_release(uploads *of); /* no request is at a file any more */

/* REPLY_OK with where the next piece begins, BUSY, BAD_REQUEST, NO_SPACE. */
reply_status uploads_write(uploads *of, const upload_request *piece, uint64_t *size);

/* Appends the whole file: REPLY_OK, NOT_FOUND, BUSY, BAD_REQUEST. */
reply_status uploads_read(uploads *of, slice name, buffer *into);

void uploads_remove(uploads *of, slice name);

#endif
