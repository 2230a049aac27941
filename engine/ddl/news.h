/*
 * A server's ear: what placement tells of changes wakes those who would else find out by looking.
 *
 *     schema-version  →  the schema poller    (schema/schema_cache.h)
 *     jobs            →  the owner's dispatch (owner.h)
 *     owner           →  the campaign         (owner.h)
 *
 * They all look by themselves too, less promptly: without any news nothing goes wrong and nothing
 * stands still.
 */
#ifndef ENGINE_DDL_NEWS_H
#define ENGINE_DDL_NEWS_H

#include "engine/ddl/ddl.h"

typedef enum news_topic { NEWS_TOPIC_OWNER, NEWS_TOPIC_JOBS, NEWS_TOPIC_COUNT } news_topic;

/* Listen until the scope ends, or the session has; `patience` is of one question to placement. */
void news_run(ddl *of, session_id session, sb_duration patience, sb_scope *scope);

/* Rest for the duration, or until there is news of the topic that has not been waited for yet.
 * ENGINE_OK, or how the scope ended. */
engine_status news_rest(ddl *of, news_topic topic, sb_duration duration, sb_scope *scope);

#endif
