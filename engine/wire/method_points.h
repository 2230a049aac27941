/*
 * An error at each call from machine to machine, before its effect and after it: two failpoints a
 * method, "scan-request-fails" and "scan-reply-is-lost".  Asked by the few functions that call; for
 * every method that programs call, not for those of the operator.
 */
#ifndef ENGINE_WIRE_METHOD_POINTS_H
#define ENGINE_WIRE_METHOD_POINTS_H

#include "engine/wire/messages.h"

/* Before a call: it is not made, and ends as if the connection had been reset. */
bool method_request_fails(wire_method method);

/* After one that was answered: the answer is dropped, as if the connection had been reset. */
bool method_reply_is_lost(wire_method method);

/* A call between the two.  SB_OK: release the reply. */
sb_status method_call(sb_exchange *exchange, sb_address to, wire_method method,
                      const buffer *request, sb_reply *reply, sb_scope *scope);

#endif
