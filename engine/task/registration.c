/*
 * The registry's row of this server: see registration.h.
 */
#include "engine/task/registration.h"

#include "engine/museum.h"

#define INTERVAL (5 * SB_SECOND)
#define LOOK (500 * SB_MILLISECOND) /* for another session */

static engine_status try_register(cluster *of, session_id session, sb_scope *scope)
{
    transaction *in;
    engine_status status = transaction_begin(of, 0, &in, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    server_row found = {0};
    status = server_read_in(in, sb_self(), &found, scope);
    const bool missing =
        status == ENGINE_NOT_FOUND || (status == ENGINE_OK && found.session != session);
    if (missing && transaction_session(in) == session) {
        const server_row row = {sb_self(), session};
        server_put(in, &row);
        status = transaction_commit(in, NULL, scope);
    } else {
        transaction_rollback(in);
    }
    transaction_release(in);
    return status;
}

void registration_run(cluster *of, sb_duration interval, sb_scope *scope)
{
    const sb_duration every = interval > 0 ? interval : INTERVAL;
    session_id registered = 0; /* the session under which the row was seen last */
    sb_time seen = 0;
    do {
        const session_id session = cluster_session(of);
        const sb_time now = sb_monotonic_time();
        if (session == 0 || cluster_fenced(of) || (session == registered && now - seen < every)) {
            continue;
        }
        const engine_status status =
            failpoint("registration-fails") ? ENGINE_CONFLICT : try_register(of, session, scope);
        SOMETIMES(status == ENGINE_OK && registered != 0 && registered != session,
                  "server-registers-under-another-session");
        if (status == ENGINE_OK) {
            registered = session;
            seen = now;
        }
        if (status == ENGINE_OK && BUG(tidb_47954)) {
            break;
        }
    } while (sb_sleep(LOOK, scope) == SB_OK);
}
