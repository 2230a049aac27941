/*
 * What happens when a moment comes that some trigger waits for; trigger_draw.c makes them.
 */
#include "sim/fault/trigger.h"

#include <stdio.h>
#include <string.h>

#include "sim/fault/swarm.h"
#include "sim/machine/disk.h"

const char *sb_moment_word(sb_moment moment)
{
    static const char *const words[SB_MOMENT_COUNT] = {
#define MOMENT(name, word, doublings, text) word,
#include "sim/fault/moments.def"
#undef MOMENT
    };
    return words[moment];
}

/* --------------------------------------------------------------------------------------- keys */

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

uint64_t sb_path_shape(const char *path)
{
    char shape[SB_TRIGGER_TEXT_MAX];
    size_t size = 0;
    bool leading = true;
    for (; *path != '\0' && size < sizeof(shape); path++) {
        leading = *path == '/' || (leading && is_letter(*path));
        if (leading) {
            shape[size++] = *path;
        }
    }
    return XXH3_64bits(shape, size);
}

static bool is_about_file(sb_moment moment)
{
    return moment == SB_MOMENT_WRITE || moment == SB_MOMENT_SYNC || moment == SB_MOMENT_SYNCED ||
           moment == SB_MOMENT_RENAME || moment == SB_MOMENT_REMOVE;
}

/* Never 0. */
static uint64_t key_of(sb_moment moment, const sb_moment_about *about)
{
    if (is_about_file(moment)) {
        return sb_path_shape(about->text) | 1;
    }
    if (moment == SB_MOMENT_BOOT || moment == SB_MOMENT_DRAIN) {
        return XXH3_64bits(about->text, strlen(about->text)) | 1;
    }
    return moment <= SB_MOMENT_HEARD ? about->key : about->key + 1;
}

/* The first of the picked names that is met is the one that is meant. */
static bool is_meant(sb_trigger *trigger, uint64_t key)
{
    if (trigger->key == 0 && trigger->share != 0 &&
        XXH3_64bits_withSeed(&key, sizeof(key), trigger->salt) % trigger->share == 0) {
        trigger->key = key;
    }
    return trigger->key == key;
}

/* ------------------------------------------------------------------------------------- states */

/* The machine whose move this is, by its number through all tables, and what it leads to. */
static sb_state_of state_entered(uint64_t edge)
{
    size_t move = (size_t)edge;
    const sb_machine *const machine = sb_machine_of_move(&move);
    return (sb_state_of){machine, machine->moves[move].to};
}

static bool is_same_state(sb_state_of one, sb_state_of other)
{
    return one.machine != NULL && one.machine == other.machine && one.state == other.state;
}

/* What lasts until this state comes to its end; what comes after it begins to count. */
static void enter_state(sb_world *world, sb_trigger_set *set, sb_state_of entered)
{
    for (uint32_t i = 0; i < set->count; i++) {
        sb_trigger *const trigger = &set->triggers[i];
        if (!trigger->counting && is_same_state(trigger->after, entered)) {
            trigger->counting = true;
        }
        if (trigger->away && is_same_state(trigger->until, entered)) {
            while (trigger->back.waiters != NULL) {
                sb_wake(world, trigger->back.waiters, SB_CANCELED);
            }
        }
    }
}

/* --------------------------------------------------------------------------------- on a machine */

/* What the director does about a trigger, in a task of its own. */
typedef struct errand {
    sb_trigger *trigger;
    sb_node node;
    uint32_t incarnation;
    bool held;
    bool begun; /* at the moment itself; here is only the end of it */
} errand;

/* Nothing of it runs until the director has come. */
static void hold(sb_world *world, errand *of)
{
    sb_node_state *const node = world->nodes[of->node];
    node->paused |= SB_PAUSED_FOR_TRIGGER;
    world->exploration.holds++;
    of->held = true;
    of->incarnation = node->incarnation;
}

static void let_go(sb_world *world, const errand *of)
{
    sb_node_state *const node = world->nodes[of->node];
    if (!of->held) {
        return;
    }
    world->exploration.holds--;
    if (node->incarnation == of->incarnation && (node->paused & SB_PAUSED_FOR_TRIGGER) != 0) {
        node->paused &= (uint8_t)~SB_PAUSED_FOR_TRIGGER;
        if (node->paused == 0) { /* else somebody has paused it meanwhile */
            sb_unpark(world, node);
        }
    }
}

/* False: the heal has come meanwhile. */
static bool pass(const sb_trigger *trigger, sb_duration duration, sb_scope *scope)
{
    (void)sb_sleep(duration, scope);
    return !trigger->swarm->healed;
}

static bool is_cut(sb_fault kind)
{
    return sb_is_among(kind, SB_KIND(PARTITION) | SB_KIND(PARTITION_ONE_WAY) |
                                 SB_KIND(PARTITION_PARTIAL) | SB_KIND(CLOG));
}

static bool is_of_disk(sb_fault kind)
{
    return sb_is_among(kind, SB_ONE_DISK_KINDS);
}

/* One machine and all others but the director. */
static void for_each_other(sb_world *world, sb_node node, sb_link_change *change)
{
    const uint64_t self = UINT64_C(1) << node;
    sb_for_each_link(world, self, sb_everybody(world) & ~self, change);
}

static uint64_t hash_of_node(const sb_trigger *trigger, unsigned node)
{
    const char *const name = trigger->swarm->world->nodes[node]->name;
    return XXH3_64bits_withSeed(name, strlen(name), trigger->salt);
}

/* Whom it cannot reach in a partial partition: those whose names hash so, at least one and never
 * all. */
static uint64_t some_others(const sb_trigger *trigger, sb_node node)
{
    const sb_world *const world = trigger->swarm->world;
    uint64_t some = 0, least = UINT64_MAX;
    unsigned spared = 0;
    bool all = true;
    for (unsigned i = 1; i < world->node_count; i++) {
        const uint64_t hash = hash_of_node(trigger, i);
        if (i == node) {
            continue;
        }
        some |= (hash & 1) << i;
        all = all && (hash & 1) != 0;
        spared = hash <= least ? i : spared;
        least = hash <= least ? hash : least;
    }
    if (all) {
        return some & ~(UINT64_C(1) << spared);
    }
    return some != 0 ? some : UINT64_C(1) << (node == 1 ? 2 : 1);
}

static void release_link(sb_world *world, sb_node from, sb_node to)
{
    sb_network_release(world, from, to, false);
}

static void cut_off(sb_world *world, const sb_trigger *trigger, sb_node node)
{
    if (trigger->kind == SB_FAULT_PARTITION_PARTIAL) {
        sb_network_cut(world, node, some_others(trigger, node));
    } else if (trigger->kind == SB_FAULT_CLOG) {
        for_each_other(world, node, sb_network_clog);
    } else {
        for_each_other(world, node,
                       trigger->kind == SB_FAULT_PARTITION ? sb_network_part : sb_network_block);
    }
}

static void join_again(sb_world *world, const sb_trigger *trigger, sb_node node)
{
    if (trigger->kind == SB_FAULT_PARTITION_PARTIAL) {
        sb_network_mend(world, node, some_others(trigger, node));
    } else if (trigger->kind == SB_FAULT_CLOG) {
        for_each_other(world, node, release_link);
    } else {
        for_each_other(world, node,
                       trigger->kind == SB_FAULT_PARTITION ? sb_network_join : sb_network_unblock);
    }
}

#define ALWAYS 1000000u

static void trouble_disk(sb_world *world, const sb_trigger *trigger, sb_node node)
{
    const sb_fault kind = trigger->kind;
    const sb_disk_trouble trouble = {
        .write_error = kind == SB_FAULT_WRITE_ERROR ? ALWAYS : 0,
        .read_error = kind == SB_FAULT_READ_ERROR ? ALWAYS : 0,
        .sync_error = kind == SB_FAULT_SYNC_ERROR ? ALWAYS : 0,
        .sync_stall = kind == SB_FAULT_SYNC_STALL ? ALWAYS : 0,
        .stall_max = sb_swarm_stall_max(trigger->swarm),
        .full = kind == SB_FAULT_DISK_FULL,
    };
    sb_disk_trouble_set(world, node, &trouble);
}

/* Up to ten minutes either way in a harsh world, a second in a mild one. */
static void jump(sb_world *world, const sb_trigger *trigger, sb_node node)
{
    const bool harsh = trigger->swarm->clock_level == SB_SWARM_HARSH;
    const sb_duration most = harsh ? 600 * SB_SECOND : SB_SECOND;
    const int64_t by = (int64_t)(1 + XXH3_64bits_withSeed("jump", 4, trigger->salt) % most);
    sb_clock_jump(world, node, trigger->kind == SB_FAULT_JUMP_BACK ? -by : by);
}

/* What a disk does wrong is done with each operation; here it is bound to happen. */
static bool is_done(const sb_world *world, sb_fault kind, uint64_t before)
{
    return is_of_disk(kind) ? (world->masked >> kind & 1) == 0
                            : world->faults[kind].applied != before;
}

static void begin(sb_world *world, const sb_trigger *trigger, sb_node node)
{
    const uint64_t before = world->faults[trigger->kind].applied;
    if (is_cut(trigger->kind)) {
        cut_off(world, trigger, node);
    } else if (is_of_disk(trigger->kind)) {
        trouble_disk(world, trigger, node);
    } else if (trigger->kind == SB_FAULT_FREEZE) {
        sb_clock_freeze(world, node);
    } else {
        jump(world, trigger, node);
    }
    world->faults[trigger->kind].triggered += is_done(world, trigger->kind, before);
}

/* Until the time has passed, or the state is entered that it lasts until, or the world heals. */
static void last(sb_world *world, sb_trigger *trigger, sb_node node)
{
    if (!pass(trigger, trigger->duration, &trigger->back)) {
        return; /* the heal has ended it */
    }
    if (is_cut(trigger->kind)) {
        join_again(world, trigger, node);
    } else if (is_of_disk(trigger->kind)) {
        sb_disk_trouble_set(world, node, NULL);
    } else if (trigger->kind == SB_FAULT_FREEZE) {
        sb_clock_thaw(world, node);
    }
}

static bool is_of_clock(sb_fault kind)
{
    return sb_is_among(kind, SB_CLOCK_EPOCH_KINDS);
}

static bool is_strike(sb_fault kind)
{
    return sb_is_among(kind, SB_STRIKE_KINDS);
}

/* Whether this kind may be done to this machine now. */
static bool may_strike(const sb_trigger *trigger, unsigned node)
{
    const sb_swarm *const swarm = trigger->swarm;
    const sb_world *const world = swarm->world;
    if (node == 0) {
        return false;
    }
    if (is_of_disk(trigger->kind)) {
        return (swarm->plan.disks >> node & 1) != 0 && !sb_swarm_has_troubled_disk(swarm);
    }
    if (is_cut(trigger->kind)) {
        const bool is_partial = trigger->kind == SB_FAULT_PARTITION_PARTIAL;
        return world->node_count > (is_partial ? 3 : 2); /* somebody reaches all the others */
    }
    if (is_of_clock(trigger->kind)) {
        const bool is_frozen = trigger->kind == SB_FAULT_FREEZE && world->nodes[node]->frozen;
        return (swarm->plan.victims >> node & 1) != 0 && sb_node_is_up(world, (sb_node)node) &&
               !is_frozen;
    }
    if (trigger->kind == SB_FAULT_EMPTY_DISK && (swarm->plan.wipeable >> node & 1) == 0) {
        return false;
    }
    return sb_swarm_may_strike(swarm, node, trigger->kind);
}

/* False: it may no longer be done, and waits for the next occurrence. */
static bool run_errand(sb_world *world, const errand *of)
{
    sb_trigger *const trigger = of->trigger;
    if (is_strike(trigger->kind)) {
        return sb_swarm_strike(trigger->swarm, trigger->kind, of->node, trigger->duration,
                               &trigger->back);
    }
    if (!of->begun && !may_strike(trigger, of->node)) {
        return false;
    }
    if (!of->begun) {
        begin(world, trigger, of->node);
    }
    last(world, trigger, of->node);
    return true;
}

static void errand_main(void *argument)
{
    const errand of = *(errand *)argument;
    sb_trigger *const trigger = of.trigger;
    sb_world *const world = trigger->swarm->world;
    sb_kernel_free(world, argument);
    if (trigger->delay != 0 && !of.held && !of.begun) {
        (void)pass(trigger, trigger->delay, &trigger->swarm->scope);
    }
    let_go(world, &of);
    if (!trigger->swarm->healed && !run_errand(world, &of)) {
        trigger->times++;
    }
    trigger->away = false;
    sb_scope_release(&trigger->back);
}

/* True: the machine of the running task stands still now. */
static bool send_errand(sb_world *world, sb_trigger *trigger, sb_node node)
{
    errand *const of = sb_kernel_alloc(world, sizeof(*of));
    *of = (errand){.trigger = trigger, .node = node};
    trigger->away = true;
    sb_scope_init(&trigger->back, &trigger->swarm->scope, "trigger");
    if (trigger->delay == 0 && is_strike(trigger->kind)) {
        hold(world, of);
    } else if (trigger->delay == 0) {
        begin(world, trigger, node);
        of->begun = true;
    }
    sb_task_start(world, world->nodes[0], errand_main, of, "trigger", 7);
    return of->held && world->running->node->number == node;
}

/* ------------------------------------------------------------------------------------ on whom */

/* By the hash of their names, so that one machine more changes little.  0: none. */
static sb_node another(const sb_trigger *trigger, unsigned than)
{
    const sb_world *const world = trigger->swarm->world;
    uint64_t most = 0;
    sb_node chosen = 0;
    for (unsigned i = 1; i < world->node_count; i++) {
        const uint64_t hash = hash_of_node(trigger, i);
        if (i != than && hash >= most && may_strike(trigger, i)) {
            most = hash;
            chosen = (sb_node)i;
        }
    }
    return chosen;
}

/* 0: nobody may be struck now. */
static sb_node target_of(const sb_trigger *trigger, const sb_moment_about *about)
{
    const unsigned self = about->node->number;
    unsigned target = self;
    if (trigger->target == SB_TARGET_PEER && about->peer != NULL) {
        target = about->peer->number;
    } else if (trigger->target == SB_TARGET_OTHER) {
        target = another(trigger, self);
    }
    return target != 0 && may_strike(trigger, target) ? (sb_node)target : 0;
}

/* --------------------------------------------------------------------------------- it happens */

/* "answer session-keepalive of placement #2". */
static void note(sb_world *world, const sb_trigger *trigger, const sb_moment_about *about,
                 sb_node target)
{
    char text[SB_TRIGGER_TEXT_MAX], name[96];
    snprintf(name, sizeof(name), "%s", about->text != NULL ? about->text : "");
    if (trigger->moment == SB_MOMENT_MOVE) {
        const sb_state_of entered = state_entered(about->key);
        snprintf(name, sizeof(name), "%s to %s", entered.machine->name,
                 entered.machine->states[entered.state]);
    } else if (trigger->moment == SB_MOMENT_REPORT) {
        snprintf(name, sizeof(name), "%llu", (unsigned long long)about->key);
    }
    const int size =
        snprintf(text, sizeof(text), "%s %s of %s #%u", sb_moment_word(trigger->moment), name,
                 about->node->name, trigger->count);
    const sb_step step = sb_event_here(world, SB_EVENT_TRIGGER, trigger->kind, target,
                                       sb_text_hash(world, text, (size_t)size));
    if (world->running != NULL) {
        world->running->cause = step;
    }
}

static sb_fate fate_of(const sb_trigger *trigger)
{
    switch (trigger->kind) {
    case SB_FAULT_LOSS:
    case SB_FAULT_REPLY_LOSS:
        return SB_FATE_LOST;
    case SB_FAULT_DUPLICATE:
        return SB_FATE_TWICE;
    case SB_FAULT_RESET:
        return SB_FATE_RESET;
    case SB_FAULT_FAILPOINT:
        return SB_FATE_FIRES;
    default:
        return SB_FATE_NONE;
    }
}

/* False: it may not be done now. */
static bool fire(sb_world *world, sb_trigger *trigger, const sb_moment_about *about, sb_fate *fate,
                 bool *held)
{
    const sb_fate wanted = fate_of(trigger);
    const sb_node target = wanted != SB_FATE_NONE ? 0 : target_of(trigger, about);
    if (trigger->away || (wanted == SB_FATE_NONE && target == 0)) {
        return false;
    }
    note(world, trigger, about, wanted != SB_FATE_NONE ? about->node->number : target);
    trigger->count = 0;
    trigger->times--;
    if (wanted != SB_FATE_NONE) {
        *fate = wanted;
    } else {
        *held = send_errand(world, trigger, target) || *held;
    }
    return true;
}

static bool may_interrupt(sb_moment moment)
{
    return moment != SB_MOMENT_MOVE && moment != SB_MOMENT_PASS && moment != SB_MOMENT_PROBE;
}

bool sb_swarm_is_over(const sb_world *world)
{
    return world->swarm == NULL || world->swarm->healed;
}

sb_fate sb_moment_slow(sb_world *world, sb_moment moment, sb_moment_about about)
{
    sb_trigger_set *const set = &world->swarm->triggers;
    const uint64_t key = key_of(moment, &about);
    sb_fate fate = SB_FATE_NONE;
    bool held = false;
    if (moment == SB_MOMENT_MOVE) {
        enter_state(world, set, state_entered(about.key));
    }
    for (uint32_t i = 0; i < set->count; i++) {
        sb_trigger *const trigger = &set->triggers[i];
        if (trigger->moment == moment && trigger->times != 0 && trigger->counting &&
            is_meant(trigger, key) && ++trigger->count >= trigger->nth) {
            (void)fire(world, trigger, &about, &fate, &held);
        }
    }
    if (held && !world->observing && may_interrupt(moment)) {
        sb_yield_now(world);
    }
    return fate;
}
