/*
 * How a trigger is made from its salt; see trigger.h.
 */
#include <string.h>

#include "sim/fault/swarm.h"
#include "sim/fault/trigger.h"

#define BIT(number) (UINT64_C(1) << (number))
#define AT(name) BIT(SB_MOMENT_##name)

#define MESSAGES (AT(CALL) | AT(ANSWER))
#define FILES (AT(WRITE) | AT(SYNC) | AT(SYNCED) | AT(RENAME) | AT(REMOVE))
#define EVERYWHERE (BIT(SB_MOMENT_COUNT) - 1)
#define BUT_DRAINS (EVERYWHERE & ~AT(DRAIN)) /* it is stopping already, or is not to boot again */

/* Which kinds may be done at which moments. */
static const struct {
    sb_fault kind;
    uint64_t moments;
} suits[] = {
    {SB_FAULT_KILL, EVERYWHERE},
    {SB_FAULT_STOP, BUT_DRAINS},
    {SB_FAULT_PAUSE, EVERYWHERE},
    {SB_FAULT_PARTITION, EVERYWHERE},
    {SB_FAULT_PARTITION_ONE_WAY, EVERYWHERE},
    {SB_FAULT_PARTITION_PARTIAL, EVERYWHERE},
    {SB_FAULT_CLOG, EVERYWHERE},
    {SB_FAULT_CRASH_LOOP, BUT_DRAINS},
    {SB_FAULT_EMPTY_DISK, EVERYWHERE},
    {SB_FAULT_JUMP_FORWARD, EVERYWHERE},
    {SB_FAULT_JUMP_BACK, EVERYWHERE},
    {SB_FAULT_FREEZE, EVERYWHERE},
    {SB_FAULT_LOSS, AT(CALL)},
    {SB_FAULT_REPLY_LOSS, AT(ANSWER)},
    {SB_FAULT_DUPLICATE, MESSAGES},
    {SB_FAULT_RESET, MESSAGES},
    {SB_FAULT_WRITE_ERROR, AT(WRITE) | AT(SYNCED) | AT(RENAME)},
    {SB_FAULT_SYNC_ERROR, AT(WRITE) | AT(SYNC)},
    {SB_FAULT_SYNC_STALL, AT(WRITE) | AT(SYNC)},
    {SB_FAULT_READ_ERROR, FILES},
    {SB_FAULT_DISK_FULL, AT(WRITE) | AT(RENAME)},
    {SB_FAULT_FAILPOINT, AT(PASS)},
};
#define SUITS_COUNT (sizeof(suits) / sizeof(suits[0]))

uint64_t sb_trigger_kinds(void)
{
    uint64_t kinds = 0;
    for (size_t i = 0; i < SUITS_COUNT; i++) {
        kinds |= BIT(suits[i].kind);
    }
    return kinds;
}

static const unsigned doublings[SB_MOMENT_COUNT] = {
#define MOMENT(name, word, doublings, text) doublings,
#include "sim/fault/moments.def"
#undef MOMENT
};

/* ------------------------------------------------------------------------- numbers from a salt */

/* Independent of the others by its name. */
static uint64_t hash_of(const sb_trigger *trigger, const char *what)
{
    return XXH3_64bits_withSeed(what, strlen(what), trigger->salt);
}

/* Log-uniform in [low, high]; 0 < low <= high. */
static uint64_t log_of_hash(uint64_t hash, uint64_t low, uint64_t high)
{
    const unsigned first = 63u - (unsigned)__builtin_clzll(low);
    const unsigned last = 63u - (unsigned)__builtin_clzll(high);
    const uint64_t base = BIT(first + hash % (last - first + 1));
    const uint64_t value = base + (hash >> 8) % base;
    return value < low ? low : value > high ? high : value;
}

/* Which of the names wins: each is hashed under the salt, and the highest hash is it. */
typedef struct election {
    uint64_t salt, most;
    bool any;
} election;

static bool wins(election *among, uint64_t name_hash)
{
    const uint64_t hash = XXH3_64bits_withSeed(&name_hash, sizeof(name_hash), among->salt);
    if (among->any && hash <= among->most) {
        return false;
    }
    among->any = true;
    among->most = hash;
    return true;
}

static election election_of(const sb_trigger *trigger, const char *what)
{
    return (election){hash_of(trigger, what), 0, false};
}

static uint64_t name_hash(const char *name)
{
    return XXH3_64bits(name, strlen(name));
}

/* -------------------------------------------------------------------------- what it is about */

static uint64_t state_hash(const sb_machine *machine, uint32_t from, uint32_t to)
{
    const uint64_t hashes[3] = {name_hash(machine->name), name_hash(machine->states[from]),
                                name_hash(machine->states[to])};
    return XXH3_64bits(hashes, sizeof(hashes));
}

/* The number of a move, plus one. */
static uint64_t choose_move(const sb_trigger *trigger)
{
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    election among = election_of(trigger, "move");
    uint64_t key = 0, number = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t move = 0; move < machines[i]->move_count; move++) {
            const sb_move *const edge = &machines[i]->moves[move];
            number++;
            key = wins(&among, state_hash(machines[i], edge->from, edge->to)) ? number : key;
        }
    }
    return key;
}

/* Some state that things move to. */
static sb_state_of choose_state(const sb_trigger *trigger, const char *what)
{
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    election among = election_of(trigger, what);
    sb_state_of chosen = {NULL, 0};
    for (size_t i = 0; i < count; i++) {
        for (uint32_t state = 0; state < machines[i]->state_count; state++) {
            if (sb_machine_enters(machines[i], state) &&
                wins(&among, state_hash(machines[i], state, state))) {
                chosen = (sb_state_of){machines[i], state};
            }
        }
    }
    return chosen;
}

/* The number of a failpoint or probe, plus one. */
static uint64_t choose_name(const sb_trigger *trigger, const sb_place_name *const *names,
                            size_t count, const char *glob)
{
    election among = election_of(trigger, "name");
    uint64_t key = 0;
    for (size_t i = 0; i < count; i++) {
        if ((glob == NULL || sb_glob_matches(glob, names[i]->name)) &&
            wins(&among, name_hash(names[i]->name))) {
            key = i + 1;
        }
    }
    return key;
}

static uint64_t choose_method(const sb_trigger *trigger)
{
    const sb_world *const world = trigger->swarm->world;
    election among = election_of(trigger, "method");
    uint64_t key = 0;
    for (unsigned list = 0; list < SB_METHOD_LISTS_MAX; list++) {
        for (uint16_t i = 0; i < world->methods[list].count; i++) {
            const uint64_t hash = name_hash(world->methods[list].names[i]);
            key = wins(&among, hash) ? hash : key;
        }
    }
    return key;
}

/* A failpoint that is to fire is one of the plan's, and not one that the scenario has set. */
static uint64_t choose_failpoint(const sb_trigger *trigger)
{
    const sb_place_name **names;
    const size_t count = sb_failpoint_list(&names);
    const bool fires = trigger->kind == SB_FAULT_FAILPOINT;
    const uint64_t key =
        choose_name(trigger, names, count, fires ? trigger->swarm->plan.failpoint_glob : NULL);
    const bool is_said = key != 0 && sb_failpoint_is_said(trigger->swarm->world, key - 1);
    return fires && is_said ? 0 : key;
}

static uint64_t choose_probe(const sb_trigger *trigger)
{
    const sb_place_name **names;
    const size_t count = sb_probe_list(&names);
    return choose_name(trigger, names, count, NULL);
}

static void choose_key(sb_trigger *trigger)
{
    switch (trigger->moment) {
    case SB_MOMENT_CALL:
    case SB_MOMENT_SERVE:
    case SB_MOMENT_ANSWER:
    case SB_MOMENT_HEARD:
        trigger->key = choose_method(trigger);
        break;
    case SB_MOMENT_MOVE:
        trigger->key = choose_move(trigger);
        break;
    case SB_MOMENT_PASS:
        trigger->key = choose_failpoint(trigger);
        break;
    case SB_MOMENT_PROBE:
        trigger->key = choose_probe(trigger);
        break;
    default:
        trigger->share = 1u << hash_of(trigger, "share") % 4;
        break;
    }
}

/* --------------------------------------------------------------------------------- all of it */

static bool is_possible(const sb_trigger *trigger, size_t row, uint64_t kinds)
{
    return (kinds >> suits[row].kind & 1) != 0 && (suits[row].moments >> trigger->moment & 1) != 0;
}

/* Some moment for which this world has a kind, then some kind that suits it. */
static bool choose_what(sb_trigger *trigger, uint64_t kinds)
{
    election moments = election_of(trigger, "moment"), of_kind = election_of(trigger, "kind");
    uint64_t possible = 0;
    for (size_t i = 0; i < SUITS_COUNT; i++) {
        possible |= (kinds >> suits[i].kind & 1) != 0 ? suits[i].moments : 0;
    }
    for (unsigned moment = 0; moment < SB_MOMENT_COUNT; moment++) {
        if ((possible >> moment & 1) != 0 &&
            wins(&moments, name_hash(sb_moment_word((sb_moment)moment)))) {
            trigger->moment = (sb_moment)moment;
        }
    }
    for (size_t i = 0; i < SUITS_COUNT; i++) {
        if (is_possible(trigger, i, kinds) &&
            wins(&of_kind, name_hash(sb_fault_word(suits[i].kind)))) {
            trigger->kind = suits[i].kind;
        }
    }
    return possible != 0;
}

/* Once in a third of the cases, else log-uniform. */
static uint32_t choose_nth(const sb_trigger *trigger)
{
    const uint64_t hash = hash_of(trigger, "nth");
    return hash % 3 == 0 ? 1 : (uint32_t)log_of_hash(hash >> 2, 1, BIT(doublings[trigger->moment]));
}

static void choose_how(sb_trigger *trigger)
{
    const sb_swarm_plan *const plan = &trigger->swarm->plan;
    static const sb_trigger_target targets[4] = {SB_TARGET_SELF, SB_TARGET_SELF, SB_TARGET_PEER,
                                                 SB_TARGET_OTHER};
    const uint64_t delay = hash_of(trigger, "delay");
    trigger->target = targets[hash_of(trigger, "target") % 4];
    trigger->delay = delay % 4 != 0 ? 0 : log_of_hash(delay >> 2, SB_MILLISECOND, SB_SECOND);
    trigger->duration = log_of_hash(hash_of(trigger, "duration"), plan->down_min, plan->down_max);
    trigger->times =
        hash_of(trigger, "times") % 4 != 0 ? 1 : 2 + (uint32_t)(hash_of(trigger, "more") % 3);
    trigger->nth = choose_nth(trigger);
    if (hash_of(trigger, "after") % 3 == 0) {
        trigger->after = choose_state(trigger, "after-state");
    }
    if (hash_of(trigger, "until") % 4 == 0) {
        trigger->until = choose_state(trigger, "until-state");
        trigger->duration = plan->down_max;
    }
    trigger->counting = trigger->after.machine == NULL;
}

static void watch(sb_world *world, const sb_trigger *trigger)
{
    world->watched |= 1u << trigger->moment;
    if (trigger->after.machine != NULL || trigger->until.machine != NULL) {
        world->watched |= 1u << SB_MOMENT_MOVE;
    }
    world->failpoints_on = world->failpoints_on || trigger->moment == SB_MOMENT_PASS;
}

static void make(sb_swarm *swarm, uint64_t salt, uint64_t kinds)
{
    sb_trigger_set *const set = &swarm->triggers;
    sb_trigger *const trigger = &set->triggers[set->count];
    *trigger = (sb_trigger){.swarm = swarm, .salt = salt};
    if (choose_what(trigger, kinds)) {
        choose_key(trigger);
        choose_how(trigger);
        watch(swarm->world, trigger);
        set->count++;
    }
}

/* One cell of the table of kinds and states (pairs.c): the kind first, so that those which suit few
 * moments are not left behind; then any state, and the first such moments in it. */
static void aim(sb_swarm *swarm, uint64_t salt, uint64_t kinds)
{
    sb_trigger_set *const set = &swarm->triggers;
    sb_trigger *const trigger = &set->triggers[set->count];
    *trigger = (sb_trigger){.swarm = swarm, .salt = salt};
    election of_kind = election_of(trigger, "aimed-kind"), moments = election_of(trigger, "moment");
    uint64_t suiting = 0;
    for (size_t i = 0; i < SUITS_COUNT; i++) {
        if (suits[i].kind != SB_FAULT_FAILPOINT && (kinds >> suits[i].kind & 1) != 0 &&
            wins(&of_kind, name_hash(sb_fault_word(suits[i].kind)))) {
            trigger->kind = suits[i].kind;
            suiting = suits[i].moments;
        }
    }
    for (unsigned moment = 0; moment < SB_MOMENT_COUNT; moment++) {
        if ((suiting >> moment & 1) != 0 &&
            wins(&moments, name_hash(sb_moment_word((sb_moment)moment)))) {
            trigger->moment = (sb_moment)moment;
        }
    }
    if (suiting != 0) {
        choose_how(trigger);
        trigger->share = 1;
        trigger->nth = 1;
        trigger->after = choose_state(trigger, "aimed-state");
        trigger->counting = trigger->after.machine == NULL;
        watch(swarm->world, trigger);
        set->count++;
    }
}

/* Each choice is a trigger; half of the worlds that have some have few.  The first, and a third of
 * the others, are aimed at a cell. */
void sb_triggers_draw(sb_swarm *swarm, uint64_t bound)
{
    sb_world *const world = swarm->world;
    const uint32_t most = swarm->plan.triggers;
    sb_assert_op(most, <=, SB_TRIGGER_MAX);
    const uint64_t count =
        bound == 0 || most == 0 ? 0 : sb_draw_log(world, SB_STREAM_SWARM, 1, most);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t salt = sb_choose(world, SB_STREAM_SWARM, UINT64_C(1) << 32);
        if (salt != 0 && (i == 0 || salt % 3 == 0)) {
            aim(swarm, salt, bound);
        } else if (salt != 0) {
            make(swarm, salt, bound);
        }
    }
}

void sb_triggers_leave_failpoint(sb_swarm *swarm, unsigned number)
{
    for (uint32_t i = 0; i < swarm->triggers.count; i++) {
        sb_trigger *const trigger = &swarm->triggers.triggers[i];
        if (trigger->kind == SB_FAULT_FAILPOINT && trigger->key == number + 1) {
            trigger->times = 0;
        }
    }
}

/* ------------------------------------------------------------------------------------ methods */

/* What a trigger is about may change as long as it is not there yet: exchanges open first.  One
 * that is aimed at a state takes what it meets there. */
void sb_moment_methods(sb_world *world, const char *const *names, uint16_t count)
{
    for (unsigned i = 0; i < SB_METHOD_LISTS_MAX; i++) {
        sb_method_names *const list = &world->methods[i];
        if (list->names == names) {
            return;
        }
        if (list->names == NULL) {
            *list = (sb_method_names){names, count};
            break;
        }
    }
    for (uint32_t i = 0; world->swarm != NULL && i < world->swarm->triggers.count; i++) {
        sb_trigger *const trigger = &world->swarm->triggers.triggers[i];
        if (trigger->moment <= SB_MOMENT_HEARD && trigger->share == 0) {
            trigger->key = choose_method(trigger);
        }
    }
}
