/*
 * Door 1: what a program on a machine may ask for.
 *
 * A program is a function that boots on a node, spawns tasks, talks to other nodes in messages,
 * keeps what must survive in files, and returns when it has been asked to stop and has drained.
 * Nothing in this header says that the machine is simulated: a host runtime can stand behind the
 * same names, with one thread per program, sockets, files and a monotonic clock.
 *
 * Where tasks switch
 * ------------------
 * Between two calls through this door nothing else of this node runs, so plain data needs no lock.
 * This is the whole table of who may let another task run first:
 *
 *   may switch     sb_yield sb_sleep sb_spawn sb_mutex_lock sb_mutex_unlock sb_condition_*
 *                  sb_channel_send sb_channel_receive sb_channel_try_receive sb_channel_close
 *                  sb_wait_group_add sb_wait_group_done sb_wait_group_wait sb_scope_cancel
 *                  sb_send sb_receive sb_call sb_answer sb_exchange_open sb_exchange_close
 *                  sb_file_* sb_directory_* sb_rename sb_remove
 *                  sb_monotonic_time sb_wall_time sb_random sb_report
 *                  (at the scheduler's choice, also when they need not wait)
 *   never switch   sb_alloc sb_realloc sb_free sb_log sb_assert* sb_fail SOMETIMES failpoint BUG
 *                  sb_count sb_machine_move every *_init and *_release sb_scope_status sb_self
 *                  sb_task_name sb_shutdown_scope sb_address_name sb_status_text
 *
 * Waiting
 * -------
 * Every call that can wait takes a cancel scope (or NULL: it waits for ever) and returns SB_TIMEOUT
 * or SB_CANCELED when the scope's deadline passes or the scope is canceled; a call that could go on
 * at once still returns so when its scope has already ended.  Objects to wait on carry names: the
 * wait-for graph of a stuck world is written in them.
 *
 * Units: times are nanoseconds, sizes are bytes.  Ownership: objects of struct type are embedded in
 * the caller's memory and must be released before that memory goes; strings given as names are not
 * copied and must outlive the object, except where "copied" is said. Failures: misuse (unlock of a
 * foreign mutex, send on a closed channel, double free) is a finding, not an error code.
 */
#ifndef SB_NODE_H
#define SB_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t sb_time;     /* nanoseconds since the clock's own epoch */
typedef uint64_t sb_duration; /* nanoseconds */

#define SB_NANOSECOND ((sb_duration)1)
#define SB_MICROSECOND (1000 * SB_NANOSECOND)
#define SB_MILLISECOND (1000 * SB_MICROSECOND)
#define SB_SECOND (1000 * SB_MILLISECOND)
#define SB_FOREVER UINT64_MAX

typedef enum sb_status {
#define STATUS(name, text) SB_##name,
#include "sim/status.def"
#undef STATUS
    SB_STATUS_COUNT
} sb_status;

/* The words of sim/status.def: "deadline passed".  Static. */
const char *sb_status_text(sb_status status);

/* ----------------------------------------------------------------------------------- programs */

/* What a program is told when it boots.  The argument is the machine's configuration, the same at
 * every boot; it lives until the program returns. */
typedef struct sb_boot {
    const void *argument;
    size_t argument_size;
} sb_boot;

/* The program of a node.  Returns 0 when it has stopped in good order: every task it spawned has
 * returned, every block is freed, every file closed.  Any other value says that it could not run.
 */
typedef int sb_program(const sb_boot *boot);

/* The scope that is canceled when this machine is asked to stop in good order. */
struct sb_scope *sb_shutdown_scope(void);

/* ---------------------------------------------------------------------------- time and chance */

/* This machine's clock that never goes back; rates drift, leases must survive it. */
sb_time sb_monotonic_time(void);

/* This machine's idea of the time of day; it may jump either way. */
sb_time sb_wall_time(void);

/* A number in [0, bound); bound > 0. */
uint64_t sb_random(uint64_t bound);

/* ------------------------------------------------------------------------------------------ scopes
 *
 * A cancel scope bounds calls: a deadline on the monotonic clock, a cancel from outside, or both.
 * Scopes nest; a child ends no later than its parent.  Release every child before its parent.
 */
typedef struct sb_scope {
    struct sb_scope *parent;
    struct sb_scope *children;
    struct sb_scope *next, **link;
    struct sb_task *waiters;
    const char *name;
    sb_time deadline;
    bool canceled;
} sb_scope;

/* deadline: SB_FOREVER for none.  parent: NULL for none. */
void sb_scope_init(sb_scope *scope, sb_scope *parent, const char *name);
void sb_scope_init_timeout(sb_scope *scope, sb_scope *parent, const char *name,
                           sb_duration timeout);
void sb_scope_release(sb_scope *scope);
void sb_scope_cancel(sb_scope *scope);

/* SB_OK while it runs, SB_CANCELED or SB_TIMEOUT once it has ended.  NULL never ends. */
sb_status sb_scope_status(const sb_scope *scope);

/* ------------------------------------------------------------------------------------------- tasks
 *
 * A task is a fiber of this node with a stack of at least 240 KiB; running over it is a finding.
 */
typedef void sb_task_main(void *argument);

/* Start a task.  name is a printf format and copied (31 characters are kept).  group, when not
 * NULL, is counted up now and down when the task returns.  The simulator has room for some four
 * thousand live tasks; one more is a finding of kind runaway. */
struct sb_wait_group;
void sb_spawn(struct sb_wait_group *group, sb_task_main *main, void *argument, const char *name,
              ...) __attribute__((format(printf, 4, 5)));

/* Let the others run first. */
void sb_yield(void);

/* SB_OK when the time has passed, else how the scope ended. */
sb_status sb_sleep(sb_duration duration, sb_scope *scope);

/* The running task's name, until it returns. */
const char *sb_task_name(void);

/* ---------------------------------------------------------------------------- synchronisation */

typedef struct sb_mutex {
    struct sb_task *owner;
    struct sb_task *waiters;
    const char *name;
} sb_mutex;

void sb_mutex_init(sb_mutex *mutex, const char *name);
void sb_mutex_release(sb_mutex *mutex); /* unlocked, nobody waits */
sb_status sb_mutex_lock(sb_mutex *mutex, sb_scope *scope);
void sb_mutex_unlock(sb_mutex *mutex); /* by the task that locked it */

typedef struct sb_condition {
    struct sb_task *waiters;
    const char *name;
} sb_condition;

void sb_condition_init(sb_condition *condition, const char *name);
void sb_condition_release(sb_condition *condition);

/* Unlock, wait to be woken, lock again (always, however the scope ended).  mutex may be NULL:
 * then nothing else of this node runs between the test of the predicate just before this call and
 * the wait.  Test the predicate in a loop. */
sb_status sb_condition_wait(sb_condition *condition, sb_mutex *mutex, sb_scope *scope);
void sb_condition_signal(sb_condition *condition);
void sb_condition_broadcast(sb_condition *condition);

/* A bounded queue of items of one size, as Go's channels: a send after close, and a second close,
 * are findings; receivers drain what is left and then get SB_CLOSED.  With capacity 0 a send waits
 * until a receiver has taken the item. */
typedef struct sb_channel {
    unsigned char *items; /* capacity * item_size, a ring */
    uint32_t item_size, capacity, first, count;
    struct sb_task *senders, *receivers;
    const char *name;
    bool closed;
} sb_channel;

void sb_channel_init(sb_channel *channel, const char *name, uint32_t item_size, uint32_t capacity);
void sb_channel_release(sb_channel *channel); /* nobody waits; items left in it are dropped */
sb_status sb_channel_send(sb_channel *channel, const void *item, sb_scope *scope);
sb_status sb_channel_receive(sb_channel *channel, void *item, sb_scope *scope);
sb_status sb_channel_try_receive(sb_channel *channel, void *item); /* SB_EMPTY when there is none */
void sb_channel_close(sb_channel *channel);

typedef struct sb_wait_group {
    struct sb_task *waiters;
    const char *name;
    uint32_t count;
} sb_wait_group;

void sb_wait_group_init(sb_wait_group *group, const char *name);
void sb_wait_group_release(sb_wait_group *group); /* its count is 0 */
void sb_wait_group_add(sb_wait_group *group, uint32_t count);
void sb_wait_group_done(sb_wait_group *group);
sb_status sb_wait_group_wait(sb_wait_group *group, sb_scope *scope);

/* ------------------------------------------------------------------------------------------ memory
 *
 * The heap of this node.  It is gone when the machine dies; what a program leaves in it when it
 * returns is a finding with the place that allocated it.  Never NULL: a node that runs over its
 * memory is a finding.  Fresh bytes hold garbage.  Blocks are aligned to 16.
 */
#define sb_alloc(size) sb_alloc_at(size, SB_PLACE)
#define sb_alloc_zero(size) sb_alloc_zero_at(size, SB_PLACE)
#define sb_realloc(block, size) sb_realloc_at(block, size, SB_PLACE)
#define SB_PLACE_TEXT_(line) #line
#define SB_PLACE_TEXT(line) SB_PLACE_TEXT_(line)
#define SB_PLACE __FILE__ ":" SB_PLACE_TEXT(__LINE__)

void *sb_alloc_at(size_t size, const char *place) __attribute__((malloc, returns_nonnull));
void *sb_alloc_zero_at(size_t size, const char *place) __attribute__((malloc, returns_nonnull));
void *sb_realloc_at(void *block, size_t size, const char *place) __attribute__((returns_nonnull));
void sb_free(void *block); /* NULL is allowed */

/* ----------------------------------------------------------------------------------------- network
 *
 * Messages are unreliable, unordered and bounded.  The network may lose, delay, repeat and reorder
 * them; it never changes one unnoticed.  A reset of the connection to a peer arrives as a message
 * of kind SB_MESSAGE_RESET with no bytes: whatever was in flight between the two may or may not
 * have arrived.
 */
typedef uint16_t sb_address;
#define SB_MESSAGE_SIZE_MAX ((size_t)1 << 20)

typedef enum sb_message_kind { SB_MESSAGE_DATA, SB_MESSAGE_RESET } sb_message_kind;

typedef struct sb_message {
    sb_address from;
    sb_message_kind kind;
    uint32_t size;
    const unsigned char *data; /* aligned to 16 */
} sb_message;

/* This machine's address, the same after every restart, and the name of any machine ("server2"). */
sb_address sb_self(void);
const char *sb_address_name(sb_address address);

/* Hand a copy of the bytes to the network.  No news of its fate.  A message over
 * SB_MESSAGE_SIZE_MAX is SB_TOO_LARGE and is not sent. */
sb_status sb_send(sb_address to, const void *data, size_t size);

/* The next message, owned by the caller until sb_message_free.  One task of a node receives at a
 * time. */
sb_status sb_receive(sb_message **message, sb_scope *scope);
void sb_message_free(sb_message *message);

/* ------------------------------------------------------------------------------------------- calls
 *
 * Request and reply above messages.  An exchange owns the node's incoming messages: it matches
 * replies to calls and runs each request in a task of its own.  A call fails with SB_TIMEOUT,
 * SB_CANCELED, or SB_RESET when the connection was reset while it was in flight; in all three the
 * request may have taken effect.  Nothing is sent again by itself; but the network may repeat a
 * request, and then its handler runs again: handlers must bear it.
 */
typedef struct sb_exchange sb_exchange;

typedef struct sb_request {
    sb_exchange *exchange;
    sb_address from;
    uint16_t method;
    uint32_t size;
    const unsigned char *data; /* until the handler returns */
    uint64_t number;           /* of the call; private */
} sb_request;

/* Runs in its own task, named after the method.  It answers at most once; a handler that returns
 * without an answer leaves the caller to its deadline.  A copy of the request, without its data,
 * may be answered later instead, as long as the exchange is open. */
typedef void sb_handler(void *context, const sb_request *request);

/* method_names[method] names the methods, for tasks and reports; static.  handler NULL: a node that
 * only calls.  At most concurrency_max requests run at once; more wait in the mailbox. */
sb_exchange *sb_exchange_open(const char *const *method_names, uint16_t method_count,
                              sb_handler *handler, void *context, uint32_t concurrency_max);

/* Stop taking requests (they are dropped), wait for the running handlers, fail the calls in flight
 * with SB_CANCELED, and free it. */
void sb_exchange_close(sb_exchange *exchange);

/* A reply's bytes live until sb_reply_release.  Release it only after SB_OK. */
typedef struct sb_reply {
    sb_message *message;
    const unsigned char *data;
    uint32_t size;
} sb_reply;

sb_status sb_call(sb_exchange *exchange, sb_address to, uint16_t method, const void *data,
                  size_t size, sb_reply *reply, sb_scope *scope);
void sb_reply_release(sb_reply *reply);
void sb_answer(const sb_request *request, const void *data, size_t size);

/* -------------------------------------------------------------------------------------------- disk
 *
 * Files by path ("jobs/7/sorted-1", at most 127 characters); directories exist by being named.  A
 * write is durable after sb_file_sync has returned SB_OK; a created, renamed or removed name is
 * durable after sb_directory_sync of its directory.  What was not synced when the machine dies may
 * be there, be gone, or be torn at any 512-byte boundary.  A name that is lost takes its file with
 * it.
 */
typedef struct sb_file sb_file;

#define SB_FILE_CREATE 1u    /* make it when it is missing */
#define SB_FILE_EXCLUSIVE 2u /* with CREATE: SB_EXISTS when it is there */
#define SB_FILE_TRUNCATE 4u

sb_status sb_file_open(const char *path, unsigned flags, sb_file **file);
void sb_file_close(sb_file *file);
uint64_t sb_file_size(sb_file *file);

/* Reads up to size bytes; *read_size is less only at the end of the file. */
sb_status sb_file_read(sb_file *file, uint64_t offset, void *data, size_t size, size_t *read_size);
sb_status sb_file_write(sb_file *file, uint64_t offset, const void *data, size_t size);
sb_status sb_file_truncate(sb_file *file, uint64_t size);
sb_status sb_file_sync(sb_file *file);

sb_status sb_directory_sync(const char *path); /* "" is the root */
sb_status sb_rename(const char *from, const char *to);
sb_status sb_remove(const char *path);

/* Call visit with the path of every file below the directory, in the order of their bytes.  visit
 * must not change the directory. */
typedef void sb_directory_visit(void *context, const char *path, uint64_t size);
sb_status sb_directory_list(const char *path, sb_directory_visit *visit, void *context);

/* ------------------------------------------------------------ saying what must be and what is */

/* A line for the log of this machine (printf).  Kept only when a record is kept. */
void sb_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A fact for whoever watches this machine from outside: kind is the watcher's, the bytes are
 * copied. */
void sb_report(uint32_t kind, const void *data, size_t size);

/* Add to a named count of useful work (sb_counter of the scenario's table, world.h). */
void sb_count(uint32_t counter, uint64_t amount);

/* Assertions stay in every build.  A failed one is a finding that shows the expression and both
 * values. */
#define sb_assert(condition)                                                                       \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            sb_assert_failed(__FILE__, __LINE__, __func__, #condition);                            \
        }                                                                                          \
    } while (0)
#define sb_assert_op(left, op, right)                                                              \
    do {                                                                                           \
        const uint64_t sb_left_ = (uint64_t)(left), sb_right_ = (uint64_t)(right);                 \
        if (__builtin_expect(!(sb_left_ op sb_right_), 0)) {                                       \
            sb_assert_values_failed(__FILE__, __LINE__, __func__, #left " " #op " " #right,        \
                                    sb_left_, sb_right_);                                          \
        }                                                                                          \
    } while (0)
void sb_assert_failed(const char *file, int line, const char *function, const char *expression)
    __attribute__((noreturn, cold));
void sb_assert_values_failed(const char *file, int line, const char *function,
                             const char *expression, uint64_t left, uint64_t right)
    __attribute__((noreturn, cold));

/* Give up: this program cannot go on, in words (printf).  A finding of kind assertion. */
void sb_fail(const char *format, ...) __attribute__((noreturn, cold, format(printf, 1, 2)));

/* A rare state that some seed must reach.  The name is a literal, unique in the program. */
#define SOMETIMES(condition, literal)                                                              \
    do {                                                                                           \
        static const sb_place_name sb_probe_                                                       \
            __attribute__((used, section("sb_probes"))) = {literal, SB_PLACE};                     \
        if (condition) {                                                                           \
            sb_probe_hit(&sb_probe_);                                                              \
        }                                                                                          \
    } while (0)

/* True when the error named here is to be injected now.  The name is a literal; the same name may
 * stand at several places. */
#define failpoint(literal)                                                                         \
    (__extension__({                                                                               \
        static const sb_place_name sb_failpoint_                                                   \
            __attribute__((used, section("sb_failpoints"))) = {literal, SB_PLACE};                 \
        sb_failpoint_fires(&sb_failpoint_);                                                        \
    }))

/* True when a historical bug of the museum is switched on.  BUG_<name> comes from the program's own
 * table. */
#define BUG(name) sb_bug(BUG_##name)

typedef struct sb_place_name {
    const char *name;
    const char *place;
} sb_place_name;
void sb_probe_hit(const sb_place_name *probe);
bool sb_failpoint_fires(const sb_place_name *failpoint);
bool sb_bug(uint32_t bug);

/* ---------------------------------------------------------------------------------- state machines
 *
 * A lifecycle is a table of allowed moves.  Every move is checked and recorded; one that is not in
 * the table is a finding of kind wrong-state.  The table is listed and drawn from here, and a sweep
 * tells which of its moves no seed has walked.
 *
 *   static const char *const job_states[] = {"queueing", "running", "done"};
 *   static const sb_move job_moves[] = {{QUEUEING, RUNNING}, {RUNNING, DONE}};
 *   SB_MACHINE(job_machine, "job", job_states, job_moves, .finals = SB_STATE(DONE),
 *              .source = "TIDB.md 2.3");
 *
 * What follows the two tables may be left out: things are born in the first state, end where no
 * move leads out, and have no source.  At most SB_STATE_MAX states, each with a name, and no move
 * twice: a table that breaks this ends the program when the lists are made.
 */
typedef struct sb_move {
    uint8_t from, to;
} sb_move;

#define SB_STATE_MAX 64
#define SB_STATE(number) (UINT64_C(1) << (number))

typedef struct sb_machine {
    const char *name;
    const char *const *states;
    uint32_t state_count;
    const sb_move *moves;
    uint32_t move_count;
    uint32_t initial;   /* where things are born */
    uint64_t finals;    /* where they end: SB_STATE(A) | SB_STATE(B); 0: where no move leads out */
    const char *source; /* whose rules these are: a paper's section, an issue; NULL: our own */
} sb_machine;

#define SB_MACHINE(variable, literal, state_names, move_table, ...)                                \
    const sb_machine variable = {.name = literal,                                                  \
                                 .states = state_names,                                            \
                                 .state_count = sizeof(state_names) / sizeof((state_names)[0]),    \
                                 .moves = move_table,                                              \
                                 .move_count = sizeof(move_table) / sizeof((move_table)[0]),       \
                                 __VA_ARGS__};                                                     \
    static const sb_machine *const variable##_listed                                               \
        __attribute__((used, section("sb_machines"))) = &variable

/* Thing number id goes from one state to another.  Call it where the move becomes true. */
void sb_machine_move(const sb_machine *machine, uint64_t id, uint32_t from, uint32_t to);

#endif
