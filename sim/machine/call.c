/*
 * Calls: request and reply above messages.
 *
 *   caller: sb_call --request--> receiver task: one task per request --> handler --> sb_answer
 *           woken by its own receiver task <----------------------------reply---------'
 *
 * One task of the exchange receives all messages of its node.  A call in flight is a struct on its
 * caller's stack, in a hash table by number (for replies) and in a list by age (for resets).
 * Whoever ends a call takes it out of both before waking the caller, who then touches the exchange
 * no more: an exchange may be closed while its callers are still on their way out.
 *
 * A message, little-endian:
 *
 *   | magic:32 | kind:16 | method:16 | number:64 | body ... |
 *
 * Numbers never come back: an exchange counts from the world's step at which it was opened, and
 * every call is at least one step, so an answer to an earlier incarnation (or an earlier exchange)
 * finds no call.
 */
#include <string.h>

#include "sim/machine/network.h"

#define MAGIC UINT32_C(0x6c6c6143)
#define HEADER_SIZE ((size_t)16)
#define BUCKETS_MIN 64u

typedef enum packet_kind { REQUEST = 1, REPLY = 2 } packet_kind;

typedef struct header {
    packet_kind kind;
    uint16_t method;
    uint64_t number;
} header;

/* A call in flight; on its caller's stack. */
typedef struct call {
    uint64_t number;
    sb_task *waiters; /* the caller, once it waits */
    sb_message *reply;
    sb_status status;
    sb_address to;
    uint16_t method;
    bool ended;
    struct call *chain;        /* of its bucket */
    struct call *next, **link; /* by age */
} call;

/* A request that runs or waits for its turn. */
typedef struct service {
    sb_request request; /* names the exchange */
    sb_message *message;
    sb_step cause;
    struct service *next; /* in the backlog or among the spare ones */
} service;

typedef struct method {
    const char *name;
    size_t name_size;
    uint64_t name_hash;
} method;

struct sb_exchange {
    method *methods;
    uint16_t method_count;
    bool closing; /* takes no requests */
    bool closed;  /* takes no calls */
    sb_handler *handler;
    void *context;
    uint64_t number; /* of the last call */
    call **buckets;
    uint32_t bucket_count; /* a power of two */
    uint32_t call_count;
    call *calls, **calls_tail;
    uint32_t concurrency_max, running_count;
    uint32_t backlog_count;
    service *backlog, **backlog_tail;
    service *spare;
    sb_task *closers; /* wait for the running handlers */
    sb_scope receiving;
    sb_wait_group receiver;
};

/* ----------------------------------------------------------------------------------- encoding */

static void put_number(unsigned char *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

static uint64_t get_number(const unsigned char *from, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        value |= (uint64_t)from[i] << (8 * i);
    }
    return value;
}

static void header_encode(unsigned char bytes[HEADER_SIZE], header from)
{
    put_number(bytes, MAGIC, 4);
    put_number(bytes + 4, from.kind, 2);
    put_number(bytes + 6, from.method, 2);
    put_number(bytes + 8, from.number, 8);
}

bool sb_call_is_header(const unsigned char *bytes, size_t size)
{
    return size >= HEADER_SIZE && get_number(bytes, 4) == MAGIC;
}

/* False: not one of ours. */
static bool header_decode(const sb_message *message, header *into)
{
    const unsigned char *const bytes = message->data;
    if (!sb_call_is_header(bytes, message->size)) {
        return false;
    }
    into->kind = (packet_kind)get_number(bytes + 4, 2);
    into->method = (uint16_t)get_number(bytes + 6, 2);
    into->number = get_number(bytes + 8, 8);
    return (into->kind == REQUEST || into->kind == REPLY) && into->number != 0;
}

/* ---------------------------------------------------------------------------- calls in flight */

static call **bucket_of(sb_exchange *exchange, uint64_t number)
{
    return &exchange->buckets[number & (exchange->bucket_count - 1)];
}

static void buckets_grow(sb_exchange *exchange)
{
    sb_free(exchange->buckets);
    exchange->bucket_count *= 2;
    exchange->buckets = sb_alloc_zero(exchange->bucket_count * sizeof(call *));
    for (call *each = exchange->calls; each != NULL; each = each->next) {
        call **const bucket = bucket_of(exchange, each->number);
        each->chain = *bucket;
        *bucket = each;
    }
}

static void call_link(sb_exchange *exchange, call *begun)
{
    if (exchange->call_count == exchange->bucket_count) {
        buckets_grow(exchange);
    }
    call **const bucket = bucket_of(exchange, begun->number);
    begun->chain = *bucket;
    *bucket = begun;
    begun->next = NULL;
    begun->link = exchange->calls_tail;
    *exchange->calls_tail = begun;
    exchange->calls_tail = &begun->next;
    exchange->call_count++;
}

static void call_unlink(sb_exchange *exchange, call *ended)
{
    call **at = bucket_of(exchange, ended->number);
    while (*at != ended) {
        at = &(*at)->chain;
    }
    *at = ended->chain;
    *ended->link = ended->next;
    if (ended->next != NULL) {
        ended->next->link = ended->link;
    } else {
        exchange->calls_tail = ended->link;
    }
    exchange->call_count--;
}

/* The message that ends it (or the close) explains the caller's waking: no event of its own. */
static void call_end(sb_world *world, sb_exchange *exchange, call *ended, sb_status status,
                     sb_message *reply)
{
    call_unlink(exchange, ended);
    ended->ended = true;
    ended->status = status;
    ended->reply = reply;
    if (ended->waiters != NULL) {
        sb_wake_by(world, ended->waiters, SB_OK, world->running->cause);
    }
}

static call *call_find(sb_exchange *exchange, uint64_t number)
{
    call *found = *bucket_of(exchange, number);
    while (found != NULL && found->number != number) {
        found = found->chain;
    }
    return found;
}

/* NULL: there is no such machine. */
static sb_node_state *node_of(const sb_world *world, sb_address address)
{
    return address < world->node_count ? world->nodes[address] : NULL;
}

/* What a program gets of a message; the header above it is ours, and its number grows with the
 * steps. */
static inline void notice_bytes(sb_world *world, const unsigned char *bytes, size_t size)
{
    if (SB_UNLIKELY(world->keeps_observations)) {
        sb_notice(world, XXH3_64bits(bytes, size));
    }
}

/* Send the request and wait for what becomes of it. */
static sb_status call_run(sb_world *world, sb_exchange *exchange, call *begun, const void *data,
                          size_t size, sb_scope *scope)
{
    unsigned char bytes[HEADER_SIZE];
    header_encode(bytes, (header){REQUEST, begun->method, begun->number});
    const char *const name = exchange->methods[begun->method].name;
    const uint64_t name_hash = exchange->methods[begun->method].name_hash;
    const sb_fate fate =
        sb_moment_here(world, SB_MOMENT_CALL, node_of(world, begun->to), name_hash, name);
    sb_status status =
        sb_network_send(world, begun->to, bytes, HEADER_SIZE, data, size, false, fate);
    if (status == SB_OK && !begun->ended) {
        world->running->wait_peer = begun->to;
        world->running->wait_call = begun->number;
        status = sb_block(world, SB_WAIT_REPLY, name, &begun->waiters, scope, SB_FOREVER);
        world->running->wait_peer = 0;
    }
    if (begun->ended) { /* if the exchange was closed, there is none any more */
        if (begun->status == SB_OK) {
            sb_moment_here(world, SB_MOMENT_HEARD, node_of(world, begun->to), name_hash, name);
        }
        return begun->status;
    }
    call_unlink(exchange, begun);
    return status;
}

sb_status sb_call(sb_exchange *exchange, sb_address to, uint16_t number_of_method, const void *data,
                  size_t size, sb_reply *reply, sb_scope *scope)
{
    sb_world *const world = sb_current;
    sb_assert_op(number_of_method, <, exchange->method_count);
    sb_status status = sb_scope_status(scope);
    if (status == SB_OK && exchange->closed) {
        status = SB_CANCELED;
    }
    if (status != SB_OK) {
        sb_switch_point(world);
        sb_observe_value(world, status);
        return status;
    }
    const uint64_t name_hash = exchange->methods[number_of_method].name_hash;
    call begun = {.number = ++exchange->number, .to = to, .method = number_of_method};
    sb_event_here(world, SB_EVENT_CALL, name_hash, to, begun.number);
    call_link(exchange, &begun);
    status = call_run(world, exchange, &begun, data, size, scope);
    sb_event_here(world, SB_EVENT_CALL_END, name_hash, begun.number, status);
    sb_observe_value(world, status);
    if (status == SB_OK) {
        notice_bytes(world, begun.reply->data + HEADER_SIZE, begun.reply->size - HEADER_SIZE);
        *reply = (sb_reply){.message = begun.reply,
                            .data = begun.reply->data + HEADER_SIZE,
                            .size = begun.reply->size - (uint32_t)HEADER_SIZE};
    }
    return status;
}

void sb_reply_release(sb_reply *reply)
{
    sb_message_free(reply->message);
    *reply = (sb_reply){NULL, NULL, 0};
}

/* ------------------------------------------------------------------------------------ serving */

static service *service_new(sb_exchange *exchange, sb_message *message, header head, sb_step cause)
{
    service *fresh = exchange->spare;
    if (fresh != NULL) {
        exchange->spare = fresh->next;
    } else {
        fresh = sb_alloc(sizeof(*fresh));
    }
    fresh->request = (sb_request){.exchange = exchange,
                                  .from = message->from,
                                  .method = head.method,
                                  .size = message->size - (uint32_t)HEADER_SIZE,
                                  .data = message->data + HEADER_SIZE,
                                  .number = head.number};
    fresh->message = message;
    fresh->cause = cause;
    fresh->next = NULL;
    return fresh;
}

/* Its message goes with it. */
static void service_end(sb_exchange *exchange, service *ended)
{
    sb_message_free(ended->message);
    ended->next = exchange->spare;
    exchange->spare = ended;
}

static service *backlog_take(sb_exchange *exchange)
{
    service *const first = exchange->backlog;
    if (first != NULL) {
        exchange->backlog = first->next;
        exchange->backlog_count--;
        if (exchange->backlog == NULL) {
            exchange->backlog_tail = &exchange->backlog;
        }
    }
    return first;
}

static void backlog_add(sb_exchange *exchange, service *waiting)
{
    *exchange->backlog_tail = waiting;
    exchange->backlog_tail = &waiting->next;
    exchange->backlog_count++;
}

static void service_main(void *argument);

static void service_start(sb_world *world, service *next)
{
    const method *const called = &next->request.exchange->methods[next->request.method];
    sb_task *const task = world->running;
    const sb_step cause = task->cause;
    task->cause = next->cause; /* the new task is born of its request, not of who starts it */
    sb_task_start(world, task->node, service_main, next, called->name, called->name_size);
    task->cause = cause;
}

/* The last handler out wakes who closes; from there on the exchange may be gone. */
static void service_leave(sb_world *world, sb_exchange *exchange)
{
    service *const next = backlog_take(exchange);
    if (next != NULL) {
        service_start(world, next); /* our place is its place */
        return;
    }
    exchange->running_count--;
    while (exchange->running_count == 0 && exchange->closers != NULL) {
        sb_wake(world, exchange->closers, SB_OK);
    }
}

static void service_main(void *argument)
{
    sb_world *const world = sb_current;
    service *const served = argument;
    sb_exchange *const exchange = served->request.exchange;
    const method *const called = &exchange->methods[served->request.method];
    sb_event_here(world, SB_EVENT_SERVE, called->name_hash, served->request.from,
                  served->request.number);
    world->running->serves_from = served->request.from;
    world->running->serves = served->request.number;
    sb_moment_here(world, SB_MOMENT_SERVE, node_of(world, served->request.from), called->name_hash,
                   called->name);
    sb_notice(world, (uint64_t)served->request.method << 16 | served->request.from);
    notice_bytes(world, served->request.data, served->request.size);
    exchange->handler(exchange->context, &served->request);
    world->running->serves = 0;
    service_end(exchange, served);
    service_leave(world, exchange);
}

void sb_answer(const sb_request *request, const void *data, size_t size)
{
    sb_world *const world = sb_current;
    const method *const called = &request->exchange->methods[request->method];
    if (SB_UNLIKELY(request->number == 0)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_answer", "a %s request is answered twice",
                  called->name);
    }
    unsigned char bytes[HEADER_SIZE];
    header_encode(bytes, (header){REPLY, request->method, request->number});
    const sb_fate fate = sb_moment_here(world, SB_MOMENT_ANSWER, node_of(world, request->from),
                                        called->name_hash, called->name);
    sb_event_here(world, SB_EVENT_ANSWER, called->name_hash, request->from, request->number);
    ((sb_request *)(uintptr_t)request)->number = 0; /* answered */
    world->running->serves = 0;
    const sb_status status =
        sb_network_send(world, request->from, bytes, HEADER_SIZE, data, size, true, fate);
    if (SB_UNLIKELY(status != SB_OK)) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_answer", "an answer to %s of %zu bytes: %s",
                  called->name, size, sb_status_text(status));
    }
}

/* ---------------------------------------------------------------------------------- receiving */

static void drop(sb_world *world, sb_message *message, sb_fault why)
{
    sb_event_here(world, SB_EVENT_DROP, message->from, why, message->size);
    sb_fault_effective(world, why);
    sb_message_free(message);
}

static void receive_request(sb_world *world, sb_exchange *exchange, sb_message *message,
                            header head)
{
    if (exchange->handler == NULL || head.method >= exchange->method_count) {
        drop(world, message, SB_FAULT_FOREIGN);
    } else if (exchange->closing) {
        drop(world, message, SB_FAULT_NODE_DOWN);
    } else if (exchange->running_count < exchange->concurrency_max) {
        exchange->running_count++;
        service_start(world, service_new(exchange, message, head, world->running->cause));
    } else if (exchange->backlog_count < SB_MAILBOX_MAX) {
        if (world->faults[SB_FAULT_FEW_WORKERS].applied != 0) {
            sb_fault_effective(world, SB_FAULT_FEW_WORKERS);
        }
        backlog_add(exchange, service_new(exchange, message, head, world->running->cause));
    } else {
        drop(world, message, SB_FAULT_MAILBOX_FULL);
    }
}

/* An answer counts only when it is to a call in flight, from whom it was sent to. */
static void receive_reply(sb_world *world, sb_exchange *exchange, sb_message *message, header head)
{
    call *const found = call_find(exchange, head.number);
    if (found == NULL) {
        drop(world, message, SB_FAULT_LATE_ANSWER);
    } else if (found->to != message->from || found->method != head.method) {
        drop(world, message, SB_FAULT_FOREIGN);
    } else {
        call_end(world, exchange, found, SB_OK, message);
    }
}

static void receive_reset(sb_world *world, sb_exchange *exchange, sb_message *message)
{
    call *next = exchange->calls;
    while (next != NULL) {
        call *const each = next;
        next = each->next;
        if (each->to == message->from) {
            call_end(world, exchange, each, SB_RESET, NULL);
        }
    }
    sb_message_free(message);
}

static void receiver_main(void *argument)
{
    sb_world *const world = sb_current;
    sb_exchange *const exchange = argument;
    sb_message *message;
    while (sb_receive(&message, &exchange->receiving) == SB_OK) {
        header head;
        if (message->kind == SB_MESSAGE_RESET) {
            receive_reset(world, exchange, message);
        } else if (!header_decode(message, &head)) {
            drop(world, message, SB_FAULT_FOREIGN);
        } else if (head.kind == REQUEST) {
            receive_request(world, exchange, message, head);
        } else {
            receive_reply(world, exchange, message, head);
        }
    }
}

/* --------------------------------------------------------------------------- opening, closing */

static void name_methods(sb_world *world, sb_exchange *exchange, const char *const *names,
                         uint16_t count)
{
    exchange->methods = sb_alloc(count * sizeof(method));
    exchange->method_count = count;
    for (uint16_t i = 0; i < count; i++) {
        const size_t size = strlen(names[i]);
        exchange->methods[i] = (method){names[i], size, sb_text_hash(world, names[i], size)};
    }
    sb_moment_methods(world, names, count);
}

sb_exchange *sb_exchange_open(const char *const *method_names, uint16_t method_count,
                              sb_handler *handler, void *context, uint32_t concurrency_max)
{
    sb_world *const world = sb_current;
    sb_assert(handler == NULL || concurrency_max > 0);
    sb_exchange *const exchange = sb_alloc(sizeof(*exchange));
    *exchange = (sb_exchange){.handler = handler,
                              .context = context,
                              .number = world->step,
                              .bucket_count = BUCKETS_MIN,
                              .concurrency_max = concurrency_max};
    name_methods(world, exchange, method_names, method_count);
    exchange->buckets = sb_alloc_zero(BUCKETS_MIN * sizeof(call *));
    exchange->calls_tail = &exchange->calls;
    exchange->backlog_tail = &exchange->backlog;
    sb_scope_init(&exchange->receiving, NULL, "exchange");
    sb_wait_group_init(&exchange->receiver, "exchange");
    sb_spawn(&exchange->receiver, receiver_main, exchange, "exchange");
    return exchange;
}

static void drop_backlog(sb_world *world, sb_exchange *exchange)
{
    service *waiting;
    while ((waiting = backlog_take(exchange)) != NULL) {
        sb_event_here(world, SB_EVENT_DROP, waiting->request.from, SB_FAULT_NODE_DOWN,
                      waiting->message->size);
        service_end(exchange, waiting);
    }
}

static void release(sb_exchange *exchange)
{
    sb_wait_group_release(&exchange->receiver);
    sb_scope_release(&exchange->receiving);
    while (exchange->spare != NULL) {
        service *const spare = exchange->spare;
        exchange->spare = spare->next;
        sb_free(spare);
    }
    sb_free(exchange->buckets);
    sb_free(exchange->methods);
    sb_free(exchange);
}

void sb_exchange_close(sb_exchange *exchange)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    exchange->closing = true;
    drop_backlog(world, exchange);
    while (exchange->running_count != 0) { /* they may call, and hear the replies */
        sb_block(world, SB_WAIT_GROUP, "handlers", &exchange->closers, NULL, SB_FOREVER);
    }
    exchange->closed = true;
    while (exchange->calls != NULL) {
        call_end(world, exchange, exchange->calls, SB_CANCELED, NULL);
    }
    sb_scope_cancel(&exchange->receiving);
    sb_wait_group_wait(&exchange->receiver, NULL);
    sb_assert(exchange->call_count == 0 && exchange->running_count == 0);
    release(exchange);
}
