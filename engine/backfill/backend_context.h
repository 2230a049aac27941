/*
 * Backend contexts: what the single-node path of a job has open on this machine.
 *
 * The owner that does a job's backfill by itself registers a context for the job, and in it an
 * engine for each index.  The context outlives a try of the job that has failed in passing, so that
 * the next try finds what is done already; it goes when the job is given up, when the job waits,
 * and with the tenure.
 *
 *     never registered ──→ open ──→ closed ──→ imported
 *                           writers  all rows   all entries in storage
 *
 * An entry has one of two engines, or none: the open one, into which rows are written, or the
 * closed one, which is to be imported.  "Neither" is said of an entry whose engine is imported, and
 * of one that was never registered: whoever asks for one of the two alone takes the first for the
 * second (TiDB issue 53641).
 */
#ifndef ENGINE_BACKFILL_BACKEND_CONTEXT_H
#define ENGINE_BACKFILL_BACKEND_CONTEXT_H

#include "engine/backfill/backfill.h"

typedef struct backend_context backend_context;
typedef struct engine_entry engine_entry;

/* The contexts of this machine. */
typedef struct backend_registry {
    backend_context *contexts;
    backfill *with;
} backend_registry;

void backend_registry_init(backend_registry *of, backfill *with);
void backend_registry_release(backend_registry *of); /* no context is left */

/* The context of a job, the one there is or a fresh one. */
backend_context *backend_context_register(backend_registry *in, job_id job);

/* Close and clean up whatever the job has open here.  Nothing to do for a job without a context.
 * keep: leave local files with a checkpoint to a later run. */
void backend_context_unregister(backend_registry *in, job_id job, bool keep);

/* The entry of the work's index: the one there is, in whatever state, or a fresh one with an open
 * engine.  The work is copied with its keys; what its hook borrows stays the caller's, who gives it
 * anew with each call. */
engine_entry *backend_context_engine(backend_context *in, const backfill_work *work);

/* All rows are written, and the engine waits to be imported.  All entries are in storage. */
bool engine_entry_is_closed(const engine_entry *of);
bool engine_entry_is_imported(const engine_entry *of);

/* Rows written so far, those before the work's `imported` included. */
uint64_t engine_entry_rows(const engine_entry *of);

/* Write all rows into the open engine, and close it.  Import the closed one, and clean it up.  As
 * backfill_run; after passing trouble of an import the entry is gone. */
engine_status engine_entry_write(engine_entry *of, failure *cause, sb_scope *scope);
engine_status engine_entry_import(engine_entry *of, failure *cause, sb_scope *scope);

extern const sb_machine index_engine_machine; /* moved with id = subtask_identity */

#endif
