/*
 * Probes, failpoints and state machines, gathered from the sections of the linked program.
 *
 * The linker lays them in an order of its own, which is not that of another compiler's: the lists
 * are sorted by name, so that a number means the same in every build.  The same name may stand at
 * several places (and an inlined one stands there twice); all of them have one number.  The lists
 * are made once and never change: they are among the few statics of libsim.
 */
#include "sim/machine/lists.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_MAX (4 * SB_PROBE_MAX)
#define MACHINE_MAX 64u

extern const sb_place_name __start_sb_probes[] __attribute__((weak));
extern const sb_place_name __stop_sb_probes[] __attribute__((weak));
extern const sb_place_name __start_sb_failpoints[] __attribute__((weak));
extern const sb_place_name __stop_sb_failpoints[] __attribute__((weak));
extern const sb_machine *const __start_sb_machines[] __attribute__((weak));
extern const sb_machine *const __stop_sb_machines[] __attribute__((weak));

typedef struct name_list {
    const sb_place_name *names[SB_PROBE_MAX]; /* one place for each name, by name */
    uint16_t number[PLACE_MAX];               /* of each place, as the linker laid them */
    size_t count;
    bool made;
} name_list;

static void too_many(const char *what, size_t most) __attribute__((noreturn));
static void too_many(const char *what, size_t most)
{
    fprintf(stderr, "seedbed: the program has more than %zu %s\n", most, what);
    abort();
}

static size_t first_not_before(const name_list *list, const char *name)
{
    size_t at = 0;
    while (at < list->count && strcmp(list->names[at]->name, name) < 0) {
        at++;
    }
    return at;
}

static bool stands_at(const name_list *list, size_t at, const char *name)
{
    return at < list->count && strcmp(list->names[at]->name, name) == 0;
}

static void add(name_list *list, const sb_place_name *place, const char *what, size_t most)
{
    const size_t at = first_not_before(list, place->name);
    if (stands_at(list, at, place->name)) {
        const bool earlier = strcmp(place->place, list->names[at]->place) < 0;
        list->names[at] = earlier ? place : list->names[at];
        return;
    }
    if (list->count == most) {
        too_many(what, most);
    }
    memmove(&list->names[at + 1], &list->names[at], (list->count - at) * sizeof(list->names[0]));
    list->names[at] = place;
    list->count++;
}

static const name_list *gather(name_list *list, const sb_place_name *start,
                               const sb_place_name *stop, const char *what, size_t most)
{
    if (list->made) {
        return list;
    }
    if ((size_t)(stop - start) > PLACE_MAX) {
        too_many(what, PLACE_MAX);
    }
    for (const sb_place_name *at = start; at < stop; at++) {
        add(list, at, what, most);
    }
    for (const sb_place_name *at = start; at < stop; at++) {
        list->number[at - start] = (uint16_t)first_not_before(list, at->name);
    }
    list->made = true;
    return list;
}

static const name_list *probes(void)
{
    static name_list list;
    return gather(&list, __start_sb_probes, __stop_sb_probes, "probes", SB_PROBE_MAX);
}

static const name_list *failpoints(void)
{
    static name_list list;
    return gather(&list, __start_sb_failpoints, __stop_sb_failpoints, "failpoints",
                  SB_FAILPOINT_MAX);
}

size_t sb_probe_list(const sb_place_name ***list)
{
    const name_list *const all = probes();
    *list = (const sb_place_name **)(uintptr_t)all->names;
    return all->count;
}

size_t sb_failpoint_list(const sb_place_name ***list)
{
    const name_list *const all = failpoints();
    *list = (const sb_place_name **)(uintptr_t)all->names;
    return all->count;
}

unsigned sb_probe_number(const sb_place_name *probe)
{
    return probes()->number[probe - __start_sb_probes];
}

unsigned sb_failpoint_number(const sb_place_name *failpoint)
{
    return failpoints()->number[failpoint - __start_sb_failpoints];
}

/* ----------------------------------------------------------------------------------- machines */

typedef struct machine_list {
    const sb_machine *machines[MACHINE_MAX];
    size_t first_edge[MACHINE_MAX];
    unsigned first_state[MACHINE_MAX];
    size_t count;
} machine_list;

/* A move that stands in the table after place `at` too. */
static bool stands_again(const sb_machine *machine, uint32_t at)
{
    const sb_move *const move = &machine->moves[at];
    for (uint32_t i = at + 1; i < machine->move_count; i++) {
        if (machine->moves[i].from == move->from && machine->moves[i].to == move->to) {
            return true;
        }
    }
    return false;
}

/* What is wrong with a table; NULL: nothing. */
static const char *flaw_of(const sb_machine *machine)
{
    const uint32_t count = machine->state_count;
    if (count == 0 || count > SB_STATE_MAX || machine->initial >= count) {
        return "has no states, too many, or is born in none of them";
    }
    if (count < SB_STATE_MAX && machine->finals >> count != 0) {
        return "ends in a state that it has not";
    }
    for (uint32_t i = 0; i < count; i++) {
        if (machine->states[i] == NULL) {
            return "has a state without a name";
        }
    }
    for (uint32_t i = 0; i < machine->move_count; i++) {
        if (machine->moves[i].from >= count || machine->moves[i].to >= count) {
            return "has a move from or to a state that it has not";
        }
        if (stands_again(machine, i)) {
            return "has a move twice";
        }
    }
    return NULL;
}

static void check_machine(const sb_machine *machine)
{
    const char *const flaw = flaw_of(machine);
    if (flaw != NULL) {
        fprintf(stderr, "seedbed: state machine %s %s\n", machine->name, flaw);
        abort();
    }
}

bool sb_machine_ends_in(const sb_machine *machine, uint32_t state)
{
    if (machine->finals != 0) {
        return (machine->finals >> state & 1) != 0;
    }
    for (uint32_t i = 0; i < machine->move_count; i++) {
        if (machine->moves[i].from == state) {
            return false;
        }
    }
    return true;
}

bool sb_machine_enters(const sb_machine *machine, uint32_t state)
{
    uint32_t move = 0;
    while (move < machine->move_count && machine->moves[move].to != state) {
        move++;
    }
    return move < machine->move_count;
}

const sb_machine *sb_machine_of_move(size_t *move)
{
    const sb_machine *const *machine;
    (void)sb_machine_list(&machine);
    while (*move >= (*machine)->move_count) {
        *move -= (*machine)->move_count;
        machine++;
    }
    return *machine;
}

static void insert_machine(machine_list *list, const sb_machine *machine)
{
    size_t at = list->count;
    check_machine(machine);
    if (at == MACHINE_MAX) {
        too_many("state machines", MACHINE_MAX);
    }
    while (at > 0 && strcmp(list->machines[at - 1]->name, machine->name) > 0) {
        list->machines[at] = list->machines[at - 1];
        at--;
    }
    list->machines[at] = machine;
    list->count++;
}

static const machine_list *machines(void)
{
    static machine_list list;
    if (list.count == 0) {
        for (const sb_machine *const *at = __start_sb_machines; at < __stop_sb_machines; at++) {
            insert_machine(&list, *at);
        }
        size_t edges = 0;
        unsigned states = 0;
        for (size_t i = 0; i < list.count; i++) {
            list.first_edge[i] = edges;
            list.first_state[i] = states;
            edges += list.machines[i]->move_count;
            states += list.machines[i]->state_count;
        }
        if (states > SB_STATE_ALL_MAX) {
            too_many("states of state machines", SB_STATE_ALL_MAX);
        }
        if (edges > SB_EDGE_MAX) {
            too_many("moves of state machines", SB_EDGE_MAX);
        }
    }
    return &list;
}

size_t sb_machine_list(const sb_machine *const **list)
{
    *list = machines()->machines;
    return machines()->count;
}

unsigned sb_machine_number(const sb_machine *machine, size_t *first_edge)
{
    const machine_list *const all = machines();
    size_t at = 0;
    while (all->machines[at] != machine) {
        at++;
    }
    *first_edge = all->first_edge[at];
    return (unsigned)at;
}

unsigned sb_machine_first_state(unsigned machine)
{
    return machines()->first_state[machine];
}
