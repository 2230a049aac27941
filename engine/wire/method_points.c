/*
 * The failpoints of calls: see method_points.h.
 *
 * Tables in the section of failpoints; their alignment is said so that no compiler widens it, and
 * nothing lies between them and their neighbours.
 */
#include "engine/wire/method_points.h"

#define POINTS __attribute__((used, section("sb_failpoints"), aligned(__alignof__(sb_place_name))))
#define METHODS_OF_PROGRAMS

#define ATTEMPT_MIN (250 * SB_MILLISECOND)
#define ATTEMPT_DOUBLINGS_MAX 3u /* 2 s */

enum {
#define METHOD(name, text) CALLED_##name,
#include "engine/wire/methods.def"
#undef METHOD
    CALLED_COUNT
};

static const sb_place_name requests[CALLED_COUNT] POINTS = {
#define METHOD(name, text) [METHOD_##name] = {text "-request-fails", SB_PLACE},
#include "engine/wire/methods.def"
#undef METHOD
};

static const sb_place_name replies[CALLED_COUNT] POINTS = {
#define METHOD(name, text) [METHOD_##name] = {text "-reply-is-lost", SB_PLACE},
#include "engine/wire/methods.def"
#undef METHOD
};

static bool request_fails(wire_method method)
{
    return (unsigned)method < (unsigned)CALLED_COUNT && sb_failpoint_fires(&requests[method]);
}

static bool reply_is_lost(wire_method method)
{
    return (unsigned)method < (unsigned)CALLED_COUNT && sb_failpoint_fires(&replies[method]);
}

sb_status method_call(sb_exchange *exchange, sb_address to, wire_method method,
                      const buffer *request, sb_reply *reply, sb_scope *scope)
{
    if (request_fails(method)) {
        return SB_RESET;
    }
    const sb_status status =
        sb_call(exchange, to, (uint16_t)method, request->data, request->size, reply, scope);
    if (status == SB_OK && reply_is_lost(method)) {
        sb_reply_release(reply);
        return SB_RESET;
    }
    return status;
}

sb_status method_attempt(sb_exchange *exchange, sb_address to, wire_method method,
                         const buffer *request, uint32_t attempt, sb_reply *reply, sb_scope *scope)
{
    const uint32_t doublings = attempt < ATTEMPT_DOUBLINGS_MAX ? attempt : ATTEMPT_DOUBLINGS_MAX;
    sb_scope bounded;
    sb_scope_init_timeout(&bounded, scope, "one attempt", ATTEMPT_MIN << doublings);
    const sb_status status = method_call(exchange, to, method, request, reply, &bounded);
    sb_scope_release(&bounded);
    return status;
}
