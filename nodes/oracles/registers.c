/*
 * Each row is a linearizable register.
 *
 * The clients' reports put operations into an order of real time: one that ended before another
 * began came before it.  Within that order there must be a sequence of all committed operations on
 * a row, each done at one moment between its begin and its end, that explains every result: what
 * reads gave, which writes found the row there, which rows a scan or an index gave.  An operation
 * of unknown outcome may stand anywhere after its begin, or nowhere.  What is in storage in the end
 * is a read behind all others.
 *
 * Nothing of the engine's is asked, no timestamp either: so a snapshot that lies too far back is
 * found though every one of its reads agrees with it.  Transactions hold for rows one by one here:
 * several rows may be written in a skew, as under snapshot isolation they may.
 *
 *     chains   row → operations that tell something of it, in the order in which they began
 *     search   depth first over the sets of operations done, with the row's value; a set that has
 *              been met with that value before is not tried again
 *
 * Source: J. Wing, C. Gong, "Testing and Verifying Concurrent Objects", 1993; G. Lowe, "Testing for
 * Linearizability", 2017, for the sets met before.
 */
#include "nodes/counters.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "registers"
#define SETS_MAX                                                                                   \
    (1u << 18) /* of one row; then it is not judged, and counted: scenarios have floors */
#define NONE UINT32_MAX

/* An operation in the chain of a row. */
typedef struct link {
    uint32_t operation, next;
} link;

typedef struct chain {
    int64_t id;
    uint32_t first, last, count;
} chain;

typedef struct registers {
    const evidence *of;
    const history *told;
    table_id table;
    number_map by_id; /* id_key → chains */
    chain *chains;
    uint32_t chain_count, chain_room;
    link *links;
    uint32_t link_count, link_room;
} registers;

/* What a row holds at one point of a sequence. */
typedef struct held {
    bool there;
    row_value value;
} held;

/* An operation in the search. */
typedef struct event {
    const operation *of;
    uint64_t until; /* HISTORY_NEVER: unknown, or the last look */
    bool must;
    bool done;
} event;

/* A choice that the search has made. */
typedef struct choice {
    uint32_t event;
    held before;
} choice;

typedef struct search {
    const registers *in;
    int64_t id;
    event *events;        /* by begin */
    uint32_t count, left; /* left: that must be done yet */
    held now, end;
    uint64_t set; /* digest of those done */
    number_map met;
    choice *path;
    uint32_t depth, deepest;
    const operation *stuck_at; /* what could not be explained at the deepest point */
} search;

/* --------------------------------------------------------------------------------- gathering */

static uint64_t id_key(int64_t id)
{
    return (uint64_t)id * 2 + 1;
}

static void *with_room(void *list, uint32_t count, uint32_t *room, size_t size)
{
    if (count < *room) {
        return list;
    }
    *room = *room == 0 ? 1024 : 2 * *room;
    return list == NULL ? sb_alloc(*room * size) : sb_realloc(list, *room * size);
}

static chain *chain_of(registers *in, int64_t id)
{
    const uint32_t known = number_map_get(&in->by_id, id_key(id));
    if (known != NUMBER_MAP_NONE) {
        return &in->chains[known];
    }
    in->chains = with_room(in->chains, in->chain_count, &in->chain_room, sizeof(*in->chains));
    (void)number_map_put(&in->by_id, id_key(id), in->chain_count);
    in->chains[in->chain_count] = (chain){.id = id, .first = NONE, .last = NONE};
    return &in->chains[in->chain_count++];
}

/* The operation tells something of the row.  Operations come in their order. */
static void add_link(registers *in, int64_t id, uint32_t at)
{
    chain *of = chain_of(in, id);
    if (of->last != NONE && in->links[of->last].operation == at) {
        return;
    }
    in->links = with_room(in->links, in->link_count, &in->link_room, sizeof(*in->links));
    in->links[in->link_count] = (link){.operation = at, .next = NONE};
    if (of->last == NONE) {
        of->first = in->link_count;
    } else {
        in->links[of->last].next = in->link_count;
    }
    of->last = in->link_count++;
    of->count++;
}

/* Rows that somebody has ever written with the values looked for. */
static void link_index_read(registers *in, const history_statement *one, uint32_t at)
{
    for (uint32_t i = 0; i < in->told->operation_count; i++) {
        const operation *by = &in->told->operations[i];
        for (uint32_t j = 0; by->table == in->table && j < by->statement_count; j++) {
            const history_statement *put = history_statement_of(in->told, by, j);
            const uint32_t columns =
                put->kind == STATEMENT_UPDATE ? put->columns & one->columns : one->columns;
            if (statement_is_put(put) && row_value_equal_in(columns, &put->wrote, &one->wrote)) {
                add_link(in, put->id, at);
            }
        }
    }
    for (uint32_t i = 0; i < one->id_count; i++) {
        add_link(in, in->told->ids[one->first_id + i], at);
    }
}

/* The last id that the answer tells of. */
static int64_t told_until(const registers *in, const history_statement *one)
{
    return one->id_more ? in->told->ids[one->first_id + one->id_count - 1] : one->last;
}

static void gather_operation(registers *in, uint32_t at)
{
    const operation *of = &in->told->operations[at];
    bool written = false;
    for (uint32_t i = 0; i < of->statement_count; i++) {
        const history_statement *one = history_statement_of(in->told, of, i);
        if (one->kind == STATEMENT_READ || statement_is_write(one)) {
            add_link(in, one->id, at);
        } else if (one->result == RESULT_IDS && !written && one->kind == STATEMENT_READ_INDEX) {
            link_index_read(in, one, at);
        } else if (one->result == RESULT_IDS && !written) {
            for (int64_t id = one->id; id <= told_until(in, one); id++) {
                add_link(in, id, at);
            }
        }
        written |= statement_is_write(one);
    }
}

static void gather(registers *in)
{
    number_map_init(&in->by_id, 2048);
    for (uint32_t i = 0; i < in->told->operation_count; i++) {
        const operation *of = &in->told->operations[i];
        if (of->table == in->table && of->outcome != OUTCOME_REFUSED) {
            gather_operation(in, i);
        }
    }
}

/* ------------------------------------------------------------------------------- one operation */

/* Whether what a scan or an index gave, or did not give, fits the row. */
static bool fits_many(const search *of, const history_statement *one, const held *now)
{
    const history *told = of->in->told;
    const bool given = history_was_given(told, one, of->id);
    const bool is_scan = one->kind == STATEMENT_SCAN;
    const int64_t last = one->id_count > 0 ? told->ids[one->first_id + one->id_count - 1] : 0;
    if (one->result != RESULT_IDS || (!given && one->id_more && of->id > last) ||
        (is_scan && (of->id < one->id || of->id > one->last))) {
        return true;
    }
    const bool asked = is_scan || row_value_equal_in(one->columns, &now->value, &one->wrote);
    return given == (now->there && asked);
}

/* Whether the result fits the row; then what the statement makes of it.  Of an operation of unknown
 * outcome there is no result: whatever it finds, it does what it would. */
static bool apply(const history_statement *one, bool known, held *now)
{
    const bool done = known ? one->result == RESULT_DONE : now->there;
    switch (one->kind) {
    case STATEMENT_READ:
        return !known || (now->there == (one->result == RESULT_ROW) &&
                          (!now->there || row_value_equal(&now->value, &one->read)));
    case STATEMENT_INSERT:
        if (now->there) {
            return false; /* it would have been refused */
        }
        *now = (held){.there = true, .value = one->wrote};
        return true;
    case STATEMENT_UPDATE:
        if (now->there != done) {
            return false;
        }
        if (done) {
            row_value_update(&now->value, one->columns, &one->wrote);
        }
        return true;
    case STATEMENT_DELETE:
        if (now->there != done) {
            return false;
        }
        now->there = false;
        return true;
    default:
        return true;
    }
}

/* The whole operation, as far as it is about this row. */
static bool apply_all(const search *of, const event *one, held *now)
{
    bool written = false;
    for (uint32_t i = 0; i < one->of->statement_count; i++) {
        const history_statement *part = history_statement_of(of->in->told, one->of, i);
        const bool many = part->kind == STATEMENT_SCAN || part->kind == STATEMENT_READ_INDEX;
        if (many && one->must && !written && !fits_many(of, part, now)) {
            return false;
        }
        if (!many && part->id == of->id && !apply(part, one->must, now)) {
            return false;
        }
        written |= statement_is_write(part);
    }
    return true;
}

static bool is_same(const held *left, const held *right)
{
    return left->there == right->there &&
           (!left->there || row_value_equal(&left->value, &right->value));
}

/* -------------------------------------------------------------------------------------- search */

static uint64_t mixed(uint64_t of)
{
    of = (of ^ of >> 30) * 0xbf58476d1ce4e5b9u; /* the finaliser of splitmix64 */
    of = (of ^ of >> 27) * 0x94d049bb133111ebu;
    return of ^ of >> 31;
}

/* False when this set, with this value, has been here. */
static bool is_new(search *of)
{
    const row_value *value = &of->now.value;
    const uint64_t held_sum =
        !of->now.there ? 0 : mixed(value->c + mixed(value->pad + mixed((uint64_t)value->k + 1)));
    const uint64_t key = mixed(of->set + held_sum) | 1;
    return number_map_put(&of->met, key, 1) == NUMBER_MAP_NONE;
}

/* The end of the one that ends first among those that must be done yet. */
static uint64_t first_end(const search *of)
{
    uint64_t least = HISTORY_NEVER;
    for (uint32_t i = 0; i < of->count; i++) {
        const event *one = &of->events[i];
        if (one->of->began > least) {
            break;
        }
        if (!one->done && one->must && one->until < least) {
            least = one->until;
        }
    }
    return least;
}

static void note_depth(search *of, uint64_t until)
{
    if (of->depth < of->deepest) {
        return;
    }
    of->deepest = of->depth;
    of->stuck_at = NULL;
    for (uint32_t i = 0; i < of->count; i++) {
        if (!of->events[i].done && of->events[i].must && of->events[i].until == until) {
            of->stuck_at = of->events[i].of;
        }
    }
}

static void take(search *of, uint32_t at, const held *after)
{
    of->path[of->depth++] = (choice){.event = at, .before = of->now};
    of->events[at].done = true;
    of->left -= of->events[at].must;
    of->set ^= mixed(at + 1);
    of->now = *after;
}

/* Undo the last choice; returns it. */
static uint32_t give_back(search *of)
{
    const choice *last = &of->path[--of->depth];
    of->events[last->event].done = false;
    of->left += of->events[last->event].must;
    of->set ^= mixed(last->event + 1);
    of->now = last->before;
    return last->event;
}

/* Take the next that can be done now, from `from` on; false: there is none. */
static bool step(search *of, uint32_t from)
{
    const uint64_t until = first_end(of);
    note_depth(of, until);
    for (uint32_t i = from; i < of->count && of->events[i].of->began < until; i++) {
        held after = of->now;
        if (of->events[i].done || !apply_all(of, &of->events[i], &after) ||
            (!of->events[i].must && is_same(&after, &of->now))) {
            continue;
        }
        take(of, i, &after);
        if (is_new(of)) {
            return true;
        }
        (void)give_back(of);
    }
    return false;
}

/* What is there in the end must be what the sequence leaves; an unknown operation may still do it.
 */
static bool is_explained(const search *of)
{
    return of->left == 0 && is_same(&of->now, &of->end);
}

/* Most rows: nothing about them overlaps, so there is one order. */
static bool is_explained_in_turn(const search *of)
{
    held now = of->now;
    for (uint32_t i = 0; i < of->count; i++) {
        const event *one = &of->events[i];
        const bool alone = i + 1 == of->count || one->until < of->events[i + 1].of->began;
        if (!one->must || !alone || !apply_all(of, one, &now)) {
            return false;
        }
    }
    return is_same(&now, &of->end);
}

static bool find_sequence(search *of)
{
    uint32_t from = 0;
    while (!is_explained(of)) {
        if (of->met.count > SETS_MAX) {
            return true;
        }
        if (step(of, from)) {
            from = 0;
        } else if (of->depth == 0) {
            return false;
        } else {
            from = give_back(of) + 1;
        }
    }
    return true;
}

/* ----------------------------------------------------------------------------------------- rows */

static held row_at_end(const registers *in, int64_t id)
{
    const encoded_key key = encode_row_key(in->table, id);
    const version *found = durable_read(in->of->durable, encoded_slice(&key), TIMESTAMP_MAX);
    held row = {0};
    row.there = found != NULL && decode_row(version_value(found), &row.value);
    return row;
}

static void wrong(const search *of) __attribute__((noreturn));
static void wrong(const search *of)
{
    sb_world *world = of->in->of->world;
    const operation *at = of->stuck_at;
    if (at == NULL) {
        sb_finding(world, SB_FINDING_LOST_WRITE, ORACLE,
                   "no order of the %u operations on row %lld leaves what is there: %s", of->count,
                   (long long)of->id, of->end.there ? "a row" : "no row");
    }
    sb_finding(world, SB_FINDING_WRONG_READ, ORACLE,
               "no order of the %u operations on row %lld explains operation %llu of %s on %s",
               of->count, (long long)of->id, (unsigned long long)at->number,
               sb_node_name(world, at->client), sb_node_name(world, at->server));
}

static void check_chain(const registers *in, const chain *row)
{
    search of = {.in = in, .id = row->id, .end = row_at_end(in, row->id)};
    of.events = sb_alloc(row->count * sizeof(*of.events));
    of.path = sb_alloc(row->count * sizeof(*of.path));
    for (uint32_t at = row->first; at != NONE; at = in->links[at].next) {
        const operation *one = &in->told->operations[in->links[at].operation];
        const bool known = one->outcome == OUTCOME_COMMITTED;
        of.events[of.count++] =
            (event){.of = one, .until = known ? one->over : HISTORY_NEVER, .must = known};
        of.left += known;
    }
    bool given_up = false;
    if (!is_explained_in_turn(&of)) {
        number_map_init(&of.met, row->count);
        if (!find_sequence(&of)) {
            wrong(&of);
        }
        given_up = of.met.count > SETS_MAX;
        number_map_release(&of.met);
    }
    sb_count(given_up ? COUNTER_registers_given_up : COUNTER_registers_judged, 1);
    sb_free(of.path);
    sb_free(of.events);
}

void oracle_registers(const evidence *of, const judged_table *table)
{
    registers in = {.of = of, .told = of->operations, .table = table->id};
    gather(&in);
    for (uint32_t i = 0; i < in.chain_count; i++) {
        check_chain(&in, &in.chains[i]);
    }
    number_map_release(&in.by_id);
    sb_free(in.links);
    sb_free(in.chains);
}
