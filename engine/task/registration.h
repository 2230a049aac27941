/*
 * Standing in the registry: the row by which a server is known to the schedulers as one that runs
 * subtasks.
 *
 * A scheduler gives work to servers that stand there under their live session, and takes rows of
 * servers out that it cannot see.  So the row is written again and again, and at once when the
 * server has another session, as long as the server's program runs (TiDB issue 47954: it was
 * written once, at the start).
 */
#ifndef ENGINE_TASK_REGISTRATION_H
#define ENGINE_TASK_REGISTRATION_H

#include "engine/task/task.h"

/* Until the scope ends.  interval: how often the row is looked after; 0: 5 s. */
void registration_run(cluster *of, sb_duration interval, sb_scope *scope);

#endif
