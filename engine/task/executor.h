/*
 * A server's side of distributed tasks: look for subtasks of mine, run them, say how they ended.
 *
 * Every look reads `m subtask` as it is now.  What is this server's and pending is run; so is what
 * is `running` under an earlier session of this server, or of an attempt that this machine has lost
 * track of: an orphan would run for ever otherwise (TiDB issue 46735).  A run whose row has been
 * moved away, canceled or taken to history is canceled.  The end of a run is recorded only if the
 * row still bears this server, session and attempt.
 *
 * An executor serves one session and is stopped with it.  Its subtasks stay `running` then: they
 * are run again under the next session, or moved away by the owner.
 */
#ifndef ENGINE_TASK_EXECUTOR_H
#define ENGINE_TASK_EXECUTOR_H

#include "engine/backfill/backfill.h"
#include "engine/schema/schema_cache.h"
#include "engine/task/task.h"

typedef struct executor_settings {
    uint32_t concurrency;    /* subtasks at once; 0: 2 */
    sb_duration poll_active; /* while there is something of ours; 0: 300 ms */
    sb_duration poll_idle;   /* 0: 2 s */
} executor_settings;

/* Until the scope ends; no run is left then.  Returns early when the session is refused. */
void executor_run(cluster *of, schema_cache *schema, backfill *with, session_id session,
                  const executor_settings *settings, sb_scope *scope);

#endif
