/*
 * What is wrong with a plan of trouble, before there is any.
 *
 * A plan that contradicts itself arms kinds that can never happen, and one that strikes what nobody
 * can make again turns every verdict into an excuse: both are said in one line instead.
 */
#include <stdarg.h>
#include <stdio.h>

#include "sim/fault/swarm.h"

static const struct {
    const char *word, *family;
} faults[SB_FAULT_COUNT] = {
    {"none", "effect"},
#define FAULT(name, word, family, text) {word, #family},
#include "sim/fault/faults.def"
#undef FAULT
};

const char *sb_fault_word(sb_fault kind)
{
    return (unsigned)kind < SB_FAULT_COUNT ? faults[kind].word : "unknown fault";
}

typedef struct complaint {
    char *text;
    size_t size;
} complaint;

static bool refuse(complaint to, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(complaint to, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(to.text, to.size, format, arguments);
    va_end(arguments);
    return false;
}

/* The lowest machine of a set that is not empty. */
static unsigned first_of(uint64_t nodes)
{
    return (unsigned)__builtin_ctzll(nodes);
}

static bool check_kinds(const sb_swarm_plan *plan, complaint to)
{
    for (unsigned kind = 0; kind < 64; kind++) {
        if ((plan->kinds >> kind & 1) != 0 &&
            (kind >= SB_FAULT_COUNT || strcmp(faults[kind].family, "effect") == 0)) {
            return refuse(to, "kinds: %s is no fault that anybody makes happen",
                          sb_fault_word((sb_fault)kind));
        }
    }
    return true;
}

/* Kinds that strike a set of machines, and the set is empty. */
static bool check_targets(const sb_swarm_plan *plan, complaint to)
{
    const struct {
        uint64_t kinds, targets;
        const char *name;
    } needs[] = {
        {SB_STRIKE_KINDS | SB_CLOCK_KINDS, plan->victims, "victims"},
        {SB_STRIKE_KINDS, plan->down_at_once_max, "down_at_once_max"},
        {SB_KIND(EMPTY_DISK), plan->wipeable, "wipeable"},
        {SB_ONE_DISK_KINDS, plan->disks, "disks"},
        {SB_KIND(BIT_ROT) | SB_KIND(MISDIRECTED_WRITE), plan->rebuildable != NULL, "rebuildable"},
        {SB_KIND(FAILPOINT), plan->failpoint_glob != NULL, "failpoint_glob"},
    };
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        const uint64_t kinds = plan->kinds & needs[i].kinds;
        if (kinds != 0 && needs[i].targets == 0) {
            return refuse(to, "%s: none, but the plan declares %s", needs[i].name,
                          sb_fault_word((sb_fault)first_of(kinds)));
        }
    }
    return true;
}

static bool check_machines(const sb_swarm_plan *plan, complaint to)
{
    const struct {
        uint64_t nodes;
        const char *name;
    } sets[] = {{plan->victims, "victims"}, {plan->disks, "disks"}, {plan->wipeable, "wipeable"}};
    for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        if ((sets[i].nodes & 1) != 0) {
            return refuse(to, "%s: the director (machine 0) is among them; it is never struck",
                          sets[i].name);
        }
    }
    if ((plan->wipeable & ~plan->victims) != 0) {
        return refuse(to, "wipeable: machine %u is no victim",
                      first_of(plan->wipeable & ~plan->victims));
    }
    if ((plan->wipeable & plan->precious) != 0) {
        return refuse(to, "wipeable: machine %u holds the only copy of something",
                      first_of(plan->wipeable & plan->precious));
    }
    for (unsigned i = 0; i < SB_NODE_COUNT_MAX && plan->rebuildable != NULL; i++) {
        const char *const directory = plan->rebuildable[i];
        if (directory != NULL && directory[0] == '\0' && (plan->precious >> i & 1) != 0) {
            return refuse(to,
                          "rebuildable: the whole disk of machine %u, which holds the only copy of "
                          "something",
                          i);
        }
    }
    return true;
}

static bool check_times(const sb_swarm_plan *plan, complaint to)
{
    const struct {
        sb_duration least, most;
        const char *name;
    } ranges[] = {{plan->down_min, plan->down_max, "down"},
                  {plan->calm_min, plan->calm_max, "calm"}};
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (ranges[i].least == 0 || ranges[i].least > ranges[i].most) {
            return refuse(to, "%s_min, %s_max: %lluns and %lluns; expected 0 < least <= most",
                          ranges[i].name, ranges[i].name, (unsigned long long)ranges[i].least,
                          (unsigned long long)ranges[i].most);
        }
    }
    if ((plan->kinds & SB_KIND(CRASH_LOOP)) != 0 && plan->down_min < SB_LOOP_UP_MIN) {
        return refuse(to, "down_min: %lluns; expected at least %lluns of a plan with crash-loop",
                      (unsigned long long)plan->down_min, (unsigned long long)SB_LOOP_UP_MIN);
    }
    return true;
}

static bool check_triggers(const sb_swarm_plan *plan, complaint to)
{
    return plan->triggers <= SB_TRIGGER_MAX ||
           refuse(to, "triggers: %u; expected at most %d", plan->triggers, SB_TRIGGER_MAX);
}

static bool check_glob(const sb_swarm_plan *plan, complaint to)
{
    const sb_place_name **names;
    const size_t count = sb_failpoint_list(&names);
    bool matches = plan->failpoint_glob == NULL || (plan->kinds & SB_KIND(FAILPOINT)) == 0;
    for (size_t i = 0; i < count && !matches; i++) {
        matches = sb_glob_matches(plan->failpoint_glob, names[i]->name);
    }
    return matches || refuse(to, "failpoint_glob: no failpoint matches '%s'", plan->failpoint_glob);
}

bool sb_swarm_plan_check(const sb_swarm_plan *plan, char *problem, size_t size)
{
    const complaint to = {problem, size};
    return check_kinds(plan, to) && check_times(plan, to) && check_machines(plan, to) &&
           check_targets(plan, to) && check_triggers(plan, to) && check_glob(plan, to);
}

bool sb_network_check(const sb_network *network, char *problem, size_t size)
{
    const complaint to = {problem, size};
    const struct {
        uint32_t rate;
        const char *name;
        bool is_deadly; /* at a million nothing ever arrives */
    } rates[] = {{network->loss, "loss", true},        {network->reply_loss, "reply_loss", true},
                 {network->corrupt, "corrupt", true},  {network->duplicate, "duplicate", false},
                 {network->reorder, "reorder", false}, {network->reset, "reset", true}};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        if (rates[i].rate > 1000000) {
            return refuse(to, "%s: %u of a million; expected at most 1000000", rates[i].name,
                          rates[i].rate);
        }
        if (rates[i].is_deadly && rates[i].rate == 1000000) {
            return refuse(to, "%s: every message; nothing can be demanded of such a network",
                          rates[i].name);
        }
    }
    if (!network->tail && network->latency_min > network->latency_max) {
        return refuse(to, "latency_min, latency_max: %lluns and %lluns; expected least <= most",
                      (unsigned long long)network->latency_min,
                      (unsigned long long)network->latency_max);
    }
    if (network->tail_max > SB_NETWORK_DOUBLINGS_MAX ||
        network->scale_max > SB_NETWORK_DOUBLINGS_MAX) {
        return refuse(to, "tail_max, scale_max: %u and %u doublings; expected at most %d",
                      network->tail_max, network->scale_max, SB_NETWORK_DOUBLINGS_MAX);
    }
    return true;
}
