/*
 * Tables of what has come together; see pairs.h.
 */
#include "sim/tool/pairs.h"

#include <inttypes.h>

#include "sim/record/trace_file.h"

#define COLD_SHOWN 4u

static bool is_declared(const sb_tally *tally, unsigned fault)
{
    return (tally->plan->scenario->faults >> fault & 1) != 0;
}

/* A state of some machine, by its number through all tables. */
typedef struct state {
    const sb_machine *machine;
    uint32_t number;
} state;

static size_t state_count(void)
{
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    size_t states = 0;
    for (size_t i = 0; i < count; i++) {
        states += machines[i]->state_count;
    }
    return states;
}

static state state_at(size_t number)
{
    const sb_machine *const *machine;
    (void)sb_machine_list(&machine);
    while (number >= (*machine)->state_count) {
        number -= (*machine)->state_count;
        machine++;
    }
    return (state){*machine, (uint32_t)number};
}

/* What things are only born in is never told. */
static bool is_entered(state of)
{
    return sb_machine_enters(of.machine, of.number);
}

/* ----------------------------------------------------------------------------------- printing */

/* So many are seen of so many; the first that are not are named. */
typedef struct summary {
    size_t count, seen, cold;
    char names[512];
    size_t used;
} summary;

static void add(summary *sum, uint64_t seeds, const char *one, const char *of, const char *other)
{
    sum->count++;
    sum->seen += seeds != 0;
    if (seeds == 0 && sum->cold++ < COLD_SHOWN && sum->used < sizeof sum->names) {
        const int size = snprintf(sum->names + sum->used, sizeof sum->names - sum->used,
                                  "%s%s x %s%s", sum->used == 0 ? "" : ", ", one, of, other);
        sum->used += size > 0 ? (size_t)size : 0;
    }
}

static void print(FILE *out, const char *title, const summary *sum)
{
    if (sum->seen != 0) {
        fprintf(out, "%-10s %zu of %zu seen%s%s%s\n", title, sum->seen, sum->count,
                sum->cold != 0 ? "; cold: " : "", sum->names,
                sum->cold > COLD_SHOWN ? ", ..." : "");
    }
}

static void sum_pairs(summary *sum, const sb_tally *tally)
{
    for (unsigned one = 1; one < SB_FAULT_COUNT; one++) {
        for (unsigned other = one + 1; other < SB_FAULT_COUNT; other++) {
            if (is_declared(tally, one) && is_declared(tally, other)) {
                add(sum, tally->pair_seeds[one][other], sb_fault_word((sb_fault)one), "",
                    sb_fault_word((sb_fault)other));
            }
        }
    }
}

static void sum_states(summary *sum, const sb_tally *tally)
{
    const size_t states = state_count();
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        for (size_t i = 0; is_declared(tally, fault) && i < states; i++) {
            const state of = state_at(i);
            if (is_entered(of)) {
                char name[64];
                snprintf(name, sizeof name, "%s: ", of.machine->name);
                add(sum, tally->state_seeds[fault][i], sb_fault_word((sb_fault)fault), name,
                    of.machine->states[of.number]);
            }
        }
    }
}

void sb_pairs_print(FILE *out, const sb_tally *tally)
{
    summary pairs = {0}, states = {0};
    sum_pairs(&pairs, tally);
    sum_states(&states, tally);
    print(out, "pairs", &pairs);
    print(out, "in states", &states);
}

/* --------------------------------------------------------------------------------------- JSON */

static void write_pairs_of(FILE *out, const sb_tally *tally, unsigned one)
{
    const char *separator = "";
    for (unsigned other = 1; other < SB_FAULT_COUNT; other++) {
        if (other != one && is_declared(tally, other)) {
            fputs(separator, out);
            sb_json_string(out, sb_fault_word((sb_fault)other));
            fprintf(out, ":\"%" PRIu64 "\"", tally->pair_seeds[one][other]);
            separator = ",";
        }
    }
}

static void write_states_of(FILE *out, const sb_tally *tally, unsigned fault)
{
    const char *separator = "";
    const size_t states = state_count();
    for (size_t i = 0; i < states; i++) {
        const state of = state_at(i);
        if (is_entered(of)) {
            char name[128];
            snprintf(name, sizeof name, "%s: %s", of.machine->name, of.machine->states[of.number]);
            fputs(separator, out);
            sb_json_string(out, name);
            fprintf(out, ":\"%" PRIu64 "\"", tally->state_seeds[fault][i]);
            separator = ",";
        }
    }
}

static void write_table(FILE *out, const sb_tally *tally, const char *name,
                        void (*write)(FILE *out, const sb_tally *tally, unsigned fault))
{
    const char *separator = "\n";
    fprintf(out, ",\n\"%s\":{", name);
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        if (is_declared(tally, fault)) {
            fputs(separator, out);
            sb_json_string(out, sb_fault_word((sb_fault)fault));
            fputs(":{", out);
            write(out, tally, fault);
            fputc('}', out);
            separator = ",\n";
        }
    }
    fputc('}', out);
}

void sb_pairs_write_json(FILE *out, const sb_tally *tally)
{
    write_table(out, tally, "fault_pairs", write_pairs_of);
    write_table(out, tally, "fault_states", write_states_of);
}
