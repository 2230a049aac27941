/*
 * An error at each call from machine to machine, before its effect and after it: two failpoints a
 * method, "scan-request-fails" and "scan-reply-is-lost".  For every method
 * that programs call, not for those of the operator.
 */
#ifndef ENGINE_WIRE_METHOD_POINTS_H
#define ENGINE_WIRE_METHOD_POINTS_H

#include "engine/wire/messages.h"

/* A call between the two, either of which ends it as if the connection had been reset.  SB_OK:
 * release the reply. */
sb_status method_call(sb_exchange *exchange, sb_address to, wire_method method,
                      const buffer *request, sb_reply *reply, sb_scope *scope);

/* One of several, from 0, with its deadline under the scope.  An attempt that is lost costs its
 * deadline, so deadlines start short and double; every request of the engine may be repeated, so a
 * short one costs a message and never correctness. */
sb_status method_attempt(sb_exchange *exchange, sb_address to, wire_method method,
                         const buffer *request, uint32_t attempt, sb_reply *reply, sb_scope *scope);

#endif
