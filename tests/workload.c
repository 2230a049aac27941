/*
 * The busy cluster: odd nodes gossip in bare messages, even ones are clerks that call each other
 * and keep a ledger on disk.
 *
 *   gossip   ticker -> messages -> main -> channel of 2 -> three workers, a mutex around what they
 * add up clerk    client -> sb_call -> handler -> ledger file, sync -> answer
 */
#include "tests/workload.h"

#include <string.h>

#define NOTE_MAX 16
#define NOBODY ((sb_address)0)

static const sb_duration tick = SB_MILLISECOND;

typedef struct configuration {
    unsigned nodes;
} configuration;

/* Another node of one's own sort, by its parity; NOBODY when there is none. */
static sb_address pick_peer(const configuration *configured)
{
    const unsigned self = sb_self();
    const unsigned sort_count = (configured->nodes + (self & 1)) / 2;
    if (sort_count < 2) {
        return NOBODY;
    }
    const unsigned index = (unsigned)sb_random(sort_count - 1);
    const unsigned peer = 2 * index + (2 - (self & 1));
    return (sb_address)(peer < self ? peer : peer + 2);
}

/* ------------------------------------------------------------------------------------- gossip */

typedef struct note {
    uint32_t size;
    unsigned char bytes[];
} note;

typedef struct hub {
    const configuration *configured;
    sb_mutex mutex;
    sb_channel items;
    sb_wait_group workers, tickers;
    uint64_t sum;
    note *notes[NOTE_MAX];
    unsigned note_count;
} hub;

/* Blocks of many sizes, freed out of order; every byte is written before it is read. */
static void take_note(hub *all, uint64_t value)
{
    if (all->note_count == NOTE_MAX) {
        const unsigned drop = (unsigned)sb_random(NOTE_MAX);
        sb_free(all->notes[drop]);
        all->notes[drop] = all->notes[--all->note_count];
    }
    const uint32_t size = 1 + (uint32_t)(value % 700);
    note *taken = sb_alloc(sizeof(*taken) + size / 2);
    taken = sb_realloc(taken, sizeof(*taken) + size);
    taken->size = size;
    memset(taken->bytes, (int)(value & 0xff), size);
    all->notes[all->note_count++] = taken;
}

static void work(void *argument)
{
    hub *const all = argument;
    uint64_t item;
    while (sb_channel_receive(&all->items, &item, NULL) == SB_OK) {
        sb_mutex_lock(&all->mutex, NULL);
        const uint64_t before = all->sum;
        sb_sleep(sb_random(3) * 100 * SB_MICROSECOND, NULL);
        sb_assert_op(all->sum, ==, before); /* the mutex holds across a wait */
        all->sum = before + item;
        take_note(all, all->sum);
        sb_mutex_unlock(&all->mutex);
        sb_count(WORKLOAD_ITEMS, 1);
        SOMETIMES(all->note_count == NOTE_MAX, "workload: a full note book");
    }
}

static void tick_on(void *argument)
{
    hub *const all = argument;
    while (sb_sleep(tick + sb_random(20) * tick, sb_shutdown_scope()) == SB_OK) {
        uint64_t value = sb_random(1u << 20); /* one call a statement: C leaves their order open */
        value += sb_monotonic_time() & 7;
        value += sb_wall_time() & 3;
        const sb_address peer = pick_peer(all->configured);
        if (peer != NOBODY) {
            sb_send(peer, &value, sizeof(value));
            sb_log("tick %llu to %s", (unsigned long long)value, sb_address_name(peer));
        }
    }
}

static void hear(hub *all)
{
    sb_message *message;
    while (sb_receive(&message, sb_shutdown_scope()) == SB_OK) {
        uint64_t value = 1;
        if (message->kind == SB_MESSAGE_DATA) {
            sb_assert_op(message->size, ==, sizeof(value));
            memcpy(&value, message->data, sizeof(value));
        }
        sb_message_free(message);
        sb_count(WORKLOAD_MESSAGES, 1);
        sb_scope patience;
        sb_scope_init_timeout(&patience, sb_shutdown_scope(), "patience", 5 * tick);
        sb_channel_send(&all->items, &value, &patience);
        sb_scope_release(&patience);
    }
}

static int gossip(const sb_boot *boot)
{
    hub *const all = sb_alloc_zero(sizeof(*all));
    all->configured = boot->argument;
    sb_mutex_init(&all->mutex, "sum");
    sb_channel_init(&all->items, "items", sizeof(uint64_t), 2);
    sb_wait_group_init(&all->workers, "workers");
    sb_wait_group_init(&all->tickers, "tickers");
    for (unsigned i = 0; i < 3; i++) {
        sb_spawn(&all->workers, work, all, "worker-%u", i);
    }
    sb_spawn(&all->tickers, tick_on, all, "ticker");
    hear(all);
    sb_wait_group_wait(&all->tickers, NULL);
    sb_channel_close(&all->items);
    sb_wait_group_wait(&all->workers, NULL);
    sb_report(1, &all->sum, sizeof(all->sum));
    while (all->note_count != 0) {
        sb_free(all->notes[--all->note_count]);
    }
    sb_wait_group_release(&all->tickers);
    sb_wait_group_release(&all->workers);
    sb_channel_release(&all->items);
    sb_mutex_release(&all->mutex);
    sb_free(all);
    return 0;
}

/* ------------------------------------------------------------------------------------- clerks */

static const char *const methods[] = {"add"};
enum { METHOD_ADD };

typedef struct clerk {
    const configuration *configured;
    sb_file *ledger;
    uint64_t end;
    sb_exchange *exchange;
} clerk;

static void add(void *context, const sb_request *request)
{
    clerk *const self = context;
    const uint64_t offset = self->end;
    self->end += request->size;
    const sb_status written = sb_file_write(self->ledger, offset, request->data, request->size);
    const sb_status synced = written == SB_OK ? sb_file_sync(self->ledger) : written;
    if (synced == SB_OK) {
        sb_count(WORKLOAD_WRITES, 1);
        sb_answer(request, &offset, sizeof(offset));
    }
}

static void call_around(void *argument)
{
    clerk *const self = argument;
    while (sb_sleep(2 * tick + sb_random(30) * tick, sb_shutdown_scope()) == SB_OK) {
        const sb_address peer = pick_peer(self->configured);
        unsigned char entry[64];
        memset(entry, (int)sb_random(256), sizeof(entry));
        const size_t size = 1 + sb_random(sizeof(entry));
        sb_scope patience;
        sb_scope_init_timeout(&patience, sb_shutdown_scope(), "call", 25 * tick);
        sb_reply reply;
        if (peer != NOBODY &&
            sb_call(self->exchange, peer, METHOD_ADD, entry, size, &reply, &patience) == SB_OK) {
            sb_count(WORKLOAD_CALLS, 1);
            sb_reply_release(&reply);
        }
        sb_scope_release(&patience);
    }
}

/* What has survived decides where to go on; a tenth of the boots begins a new ledger. */
static sb_status open_ledger(clerk *self)
{
    if (sb_random(10) == 9) {
        sb_rename("ledger/now", "ledger/old");
        sb_directory_sync("ledger");
    }
    const sb_status status = sb_file_open("ledger/now", SB_FILE_CREATE, &self->ledger);
    if (status == SB_OK) {
        sb_directory_sync("ledger");
        self->end = sb_file_size(self->ledger);
        unsigned char last[32];
        size_t size = 0;
        const uint64_t from = self->end > sizeof(last) ? self->end - sizeof(last) : 0;
        sb_file_read(self->ledger, from, last, sizeof(last), &size);
        sb_report(2, last, size);
    }
    return status;
}

static int keep_books(const sb_boot *boot)
{
    clerk self = {.configured = boot->argument};
    sb_count(WORKLOAD_BOOTS, 1);
    if (open_ledger(&self) != SB_OK) {
        return 1;
    }
    self.exchange = sb_exchange_open(methods, 1, add, &self, 4);
    sb_wait_group clients;
    sb_wait_group_init(&clients, "clients");
    sb_spawn(&clients, call_around, &self, "client");
    sb_wait_group_wait(&clients, NULL);
    sb_exchange_close(self.exchange);
    sb_file_close(self.ledger);
    sb_wait_group_release(&clients);
    return 0;
}

/* ----------------------------------------------------------------------------------- director */

static void rest(sb_world *world, sb_duration longest)
{
    sb_sleep(tick + sb_choose(world, SB_STREAM_SCENARIO, longest), NULL);
}

static void one_trouble(sb_world *world, const workload *plan)
{
    const sb_node node = (sb_node)(1 + sb_choose(world, SB_STREAM_SCENARIO, plan->nodes));
    const sb_node other = (sb_node)(1 + sb_choose(world, SB_STREAM_SCENARIO, plan->nodes));
    switch (sb_choose(world, SB_STREAM_SCENARIO, 6)) {
    case 1:
        sb_node_kill(world, node);
        rest(world, 30 * tick);
        sb_node_boot(world, node);
        break;
    case 2:
        sb_node_stop(world, node);
        sb_node_wait_down(world, node, SB_SECOND);
        sb_node_boot(world, node);
        break;
    case 3:
        sb_node_pause(world, node);
        rest(world, 20 * tick);
        sb_node_resume(world, node);
        break;
    case 4:
        sb_network_block(world, node, other);
        rest(world, 40 * tick);
        sb_network_unblock(world, node, other);
        break;
    case 5:
        sb_network_reset(world, node, other);
        break;
    default:
        break;
    }
}

static void build(sb_world *world, const workload *plan)
{
    const configuration configured = {plan->nodes};
    for (unsigned i = 1; i <= plan->nodes; i++) {
        static const char *const names[] = {"ada", "bert", "cleo", "dora", "emil", "fay",
                                            "gus", "hal",  "ines", "jo",   "kim",  "leo",
                                            "mia", "nils", "olga", "pia"};
        const bool gossips = (i & 1) != 0;
        const sb_node node =
            sb_node_add(world, names[i - 1], gossips ? "gossip" : "clerk",
                        gossips ? gossip : keep_books, &configured, sizeof(configured));
        if (plan->trouble) {
            const int64_t skew = (int64_t)sb_choose(world, SB_STREAM_CLOCK, SB_SECOND);
            const int32_t drift = (int32_t)sb_choose(world, SB_STREAM_CLOCK, 400);
            sb_clock_set(world, node, skew, drift);
        }
        sb_node_boot(world, node);
    }
}

static void set_weather(sb_world *world, bool trouble)
{
    const sb_network calm = {.latency_min = tick / 5, .latency_max = 3 * tick};
    const sb_network rough = {.latency_min = tick / 5,
                              .tail = true,
                              .tail_max = 6,
                              .scale_max = 2,
                              .loss = 20000,
                              .reply_loss = 20000,
                              .duplicate = 20000,
                              .reset = 2000};
    const sb_disk disk = {.sync_min = tick / 10, .sync_max = tick};
    sb_network_set(world, trouble ? &rough : &calm);
    sb_disk_set(world, &disk);
}

void workload_run(sb_world *world, void *context)
{
    const workload *const plan = context;
    sb_phase(world, "work");
    set_weather(world, plan->trouble);
    build(world, plan);
    for (unsigned i = 0; i < plan->rounds; i++) {
        rest(world, 60 * tick);
        if (plan->trouble) {
            one_trouble(world, plan);
        }
    }
    sb_world_heal(world);
    sb_sleep(100 * tick, NULL);
    for (unsigned i = 1; i <= plan->nodes; i++) {
        sb_node_stop(world, (sb_node)i);
        if (!sb_node_wait_down(world, (sb_node)i, 10 * SB_SECOND)) {
            sb_finding(world, SB_FINDING_STUCK_JOB, "workload", "%s does not stop",
                       sb_node_name(world, (sb_node)i));
        }
    }
}
