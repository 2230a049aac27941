/*
 * What a program says: log lines, reports, counts, assertions, probes, failpoints, switches, moves.
 */
#include <stdio.h>
#include <string.h>

#include "sim/kernel/universe.h"
#include "sim/machine/lists.h"

#define LOG_LINE_MAX 512

static const char *const status_texts[SB_STATUS_COUNT] = {
#define STATUS(name, text) text,
#include "sim/status.def"
#undef STATUS
};

const char *sb_status_text(sb_status status)
{
    return (unsigned)status < SB_STATUS_COUNT ? status_texts[status] : "unknown status";
}

const char *sb_task_name(void)
{
    return sb_current->running->name;
}

void sb_log(const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    const int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    const size_t kept = size < 0                      ? 0
                        : (size_t)size < sizeof(line) ? (size_t)size
                                                      : sizeof(line) - 1;
    sb_event_here(sb_current, SB_EVENT_LOG, sb_text_hash(sb_current, line, kept), 0, 0);
}

void sb_report(uint32_t kind, const void *data, size_t size)
{
    sb_world *const world = sb_current;
    sb_switch_point(world);
    sb_event_here(world, SB_EVENT_REPORT, kind, XXH3_64bits(data, size), size);
    if (world->report_observer != NULL) {
        world->observing = true;
        world->report_observer(world, world->running->node->number, kind, data, size);
        world->observing = false;
    }
    sb_moment_here(world, SB_MOMENT_REPORT, NULL, kind, NULL);
}

void sb_count(uint32_t counter, uint64_t amount)
{
    sb_assert_op(counter, <, SB_COUNTER_MAX);
    sb_current->counters[counter] += amount;
}

/* --------------------------------------------------------------------------------- assertions */

static void fail_at(const char *file, int line, const char *function, const char *oracle,
                    const char *format, ...) __attribute__((noreturn, format(printf, 5, 6)));
static void fail_at(const char *file, int line, const char *function, const char *oracle,
                    const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sb_end_with(sb_current, SB_FINDING_ASSERTION, NULL, oracle, file, line, function, format,
                arguments);
}

void sb_assert_failed(const char *file, int line, const char *function, const char *expression)
{
    fail_at(file, line, function, expression, "%s does not hold", expression);
}

void sb_assert_values_failed(const char *file, int line, const char *function,
                             const char *expression, uint64_t left, uint64_t right)
{
    fail_at(file, line, function, expression, "%s does not hold: %llu and %llu", expression,
            (unsigned long long)left, (unsigned long long)right);
}

void sb_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    sb_end_with(sb_current, SB_FINDING_ASSERTION, NULL, "sb_fail", NULL, 0, NULL, format,
                arguments);
}

/* --------------------------------------------------------------- probes, failpoints, switches */

void sb_probe_hit(const sb_place_name *probe)
{
    sb_world *const world = sb_current;
    const unsigned number = sb_probe_number(probe);
    const uint64_t bit = UINT64_C(1) << (number % 64);
    if ((world->probe_bits[number / 64] & bit) == 0) {
        world->probe_bits[number / 64] |= bit;
        sb_event_here(world, SB_EVENT_PROBE, sb_text_hash(world, probe->name, strlen(probe->name)),
                      0, 0);
        sb_moment_here(world, SB_MOMENT_PROBE, NULL, number, probe->name);
    }
}

bool sb_failpoint_fires(const sb_place_name *failpoint)
{
    sb_world *const world = sb_current;
    if (SB_LIKELY(!world->failpoints_on)) {
        return false;
    }
    const unsigned number = sb_failpoint_number(failpoint);
    const bool drawn = sb_chance_at(world, world->running->node, SB_STREAM_FAILPOINT,
                                    world->failpoint_rates[number]);
    const sb_fate fate = sb_moment_here(world, SB_MOMENT_PASS, NULL, number, failpoint->name);
    const bool fires = drawn || fate == SB_FATE_FIRES;
    const bool skipped = (world->exhaust_skips[number / 64] >> (number % 64) & 1) != 0;
    if (!fires && (skipped || !sb_exhaust_hits(world, SB_EXHAUST_FAILPOINT))) {
        return false;
    }
    const sb_fault kind = (sb_fault)world->failpoint_kinds[number];
    if (!sb_fault_strikes(world, SB_FAULT_FAILPOINT) ||
        (kind != SB_FAULT_NONE && !sb_fault_strikes(world, kind))) {
        return false;
    }
    world->failpoint_bits[number / 64] |= UINT64_C(1) << (number % 64);
    sb_fault_effective(world, SB_FAULT_FAILPOINT);
    world->faults[SB_FAULT_FAILPOINT].triggered += fate == SB_FATE_FIRES;
    if (kind != SB_FAULT_NONE) {
        sb_fault_effective(world, kind);
    }
    const uint64_t name = sb_text_hash(world, failpoint->name, strlen(failpoint->name));
    sb_event_here(world, SB_EVENT_FAILPOINT, name, 0, 0);
    sb_notice(world, name);
    return true;
}

bool sb_bug(uint32_t bug)
{
    return (sb_current->bugs >> bug & 1) != 0;
}

/* -------------------------------------------------------------------------------------- moves */

/* "; from running it may go to done or pausing". */
static void say_allowed(const sb_machine *machine, uint32_t from, char *text, size_t size)
{
    size_t used = 0;
    for (uint32_t i = 0; i < machine->move_count && used < size; i++) {
        if (machine->moves[i].from == from) {
            const char *const to = machine->states[machine->moves[i].to];
            const int length = used == 0 ? snprintf(text, size, "; from %s it may go to %s",
                                                    machine->states[from], to)
                                         : snprintf(text + used, size - used, ", %s", to);
            used += length > 0 ? (size_t)length : 0;
        }
    }
    if (used == 0) {
        snprintf(text, size, "; no move leads out of %s", machine->states[from]);
    }
}

static void wrong_move(const sb_machine *machine, uint64_t id, uint32_t from, uint32_t to)
    __attribute__((noreturn, cold));
static void wrong_move(const sb_machine *machine, uint64_t id, uint32_t from, uint32_t to)
{
    char allowed[256];
    const uint32_t count = machine->state_count;
    if (from >= count || to >= count) {
        sb_misuse(sb_current, SB_FINDING_WRONG_STATE, machine->name,
                  "%s %llu went from state %u to state %u; it has states 0 to %u", machine->name,
                  (unsigned long long)id, from, to, count - 1);
    }
    say_allowed(machine, from, allowed, sizeof(allowed));
    sb_misuse(sb_current, SB_FINDING_WRONG_STATE, machine->name, "%s %llu went from %s to %s%s",
              machine->name, (unsigned long long)id, machine->states[from], machine->states[to],
              allowed);
}

/* The place of a move in its table; the table's length when it is not there. */
static uint32_t find_move(const sb_machine *machine, uint32_t from, uint32_t to)
{
    uint32_t move = 0;
    while (move < machine->move_count &&
           (machine->moves[move].from != from || machine->moves[move].to != to)) {
        move++;
    }
    return move;
}

void sb_machine_move(const sb_machine *machine, uint64_t id, uint32_t from, uint32_t to)
{
    sb_world *const world = sb_current;
    size_t edge;
    const size_t index = sb_machine_number(machine, &edge);
    const uint32_t move = find_move(machine, from, to);
    if (move == machine->move_count) {
        wrong_move(machine, id, from, to);
    }
    edge += move;
    world->move_count++;
    world->edge_bits[edge / 64] |= UINT64_C(1) << (edge % 64);
    if (world->record != NULL) {
        sb_record_set_machine(world->record, (unsigned)index, machine->name, machine->states,
                              machine->state_count);
    }
    sb_event_here(world, SB_EVENT_MOVE, index, id, (uint64_t)from << 32 | to);
    sb_pairs_move(world, (unsigned)index, id, to);
    if (world->move_observer != NULL) {
        world->observing = true;
        world->move_observer(world, world->running->node->number, machine, id, from, to);
        world->observing = false;
    }
    sb_moment_here(world, SB_MOMENT_MOVE, NULL, edge, NULL);
}
