/*
 * News of what others have changed, through placement's watches (placement/watches.h).
 *
 * News may be lost, and may come late: whoever waits for it also looks without it.
 */
#ifndef ENGINE_TRANSACTION_WATCH_H
#define ENGINE_TRANSACTION_WATCH_H

#include "engine/transaction/transaction.h"

/* What is told of.  "owner" is placement's own: the office has changed. */
#define NEWS_OWNER "owner"
#define NEWS_JOBS "jobs"             /* a job was submitted, or given an order */
#define NEWS_SCHEMA "schema-version" /* it has risen */

/* Called for each key that has changed; it must not wait. */
typedef void news_hook(void *context, slice key);

/* Wait for changes after *revision (0: for the present revision alone), and take it forward.
 * ENGINE_OK: the hook was called for each.  ENGINE_TIMEOUT: nothing for `patience`, or no answer.
 * ENGINE_TOO_OLD: what has changed since is not known any more, so all may have.  ENGINE_NOT_FOUND:
 * the session has ended.  ENGINE_CANCELED: the scope has. */
engine_status cluster_watch(cluster *of, session_id session, uint64_t *revision,
                            sb_duration patience, news_hook *hook, void *context, sb_scope *scope);

/* Tell that the key has changed, after it has.  In the background, once. */
void cluster_publish(cluster *of, const char *key);

#endif
