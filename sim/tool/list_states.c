/*
 * The declared state machines, in three formats; see list_states.h.
 */
#include "sim/tool/list_states.h"

#include <inttypes.h>
#include <string.h>

#include "sim/record/trace_file.h"

/* --------------------------------------------------------------------------------------- text */

/* The widest name of a state: the column of all machines is as wide. */
static int widest(const sb_machine *const *machines, size_t count)
{
    size_t width = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint32_t state = 0; state < machines[i]->state_count; state++) {
            const size_t length = strlen(machines[i]->states[state]);
            width = length > width ? length : width;
        }
    }
    return (int)width;
}

static void print_state(const sb_machine *machine, uint32_t state, int width)
{
    printf("  %c %-*s  ", state == machine->initial ? '>' : ' ', width, machine->states[state]);
    const char *separator = "-> ";
    for (uint32_t i = 0; i < machine->move_count; i++) {
        if (machine->moves[i].from == state) {
            printf("%s%s", separator, machine->states[machine->moves[i].to]);
            separator = ", ";
        }
    }
    const bool leads_on = *separator == ',';
    puts(!sb_machine_ends_in(machine, state) ? "" : leads_on ? "  (end)" : "(end)");
}

static void print_machines(const sb_machine *const *machines, size_t count)
{
    const int width = widest(machines, count);
    for (size_t i = 0; i < count; i++) {
        const sb_machine *const machine = machines[i];
        printf("%s%s", i == 0 ? "" : "\n", machine->name);
        printf(machine->source != NULL ? "  (%s)\n" : "\n", machine->source);
        for (uint32_t state = 0; state < machine->state_count; state++) {
            print_state(machine, state, width);
        }
    }
}

/* --------------------------------------------------------------------------------------- JSON */

static void write_states(const sb_machine *machine)
{
    for (uint32_t state = 0; state < machine->state_count; state++) {
        fputs(state == 0 ? "{\"name\":" : ",{\"name\":", stdout);
        sb_json_string(stdout, machine->states[state]);
        printf(",\"initial\":%s,\"final\":%s}", state == machine->initial ? "true" : "false",
               sb_machine_ends_in(machine, state) ? "true" : "false");
    }
}

static void write_moves(const sb_machine *machine)
{
    for (uint32_t i = 0; i < machine->move_count; i++) {
        fputs(i == 0 ? "{\"from\":" : ",{\"from\":", stdout);
        sb_json_string(stdout, machine->states[machine->moves[i].from]);
        fputs(",\"to\":", stdout);
        sb_json_string(stdout, machine->states[machine->moves[i].to]);
        fputs("}", stdout);
    }
}

static void write_machines(const sb_machine *const *machines, size_t count)
{
    fputs("[", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i == 0 ? "\n{\"machine\":" : ",\n{\"machine\":", stdout);
        sb_json_string(stdout, machines[i]->name);
        fputs(",\"source\":", stdout);
        sb_json_string(stdout, machines[i]->source != NULL ? machines[i]->source : "");
        fputs(",\n \"states\":[", stdout);
        write_states(machines[i]);
        fputs("],\n \"moves\":[", stdout);
        write_moves(machines[i]);
        fputs("]}", stdout);
    }
    fputs("\n]\n", stdout);
}

int sb_list_states(const sb_arguments *arguments, bool json)
{
    (void)arguments;
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    if (json) {
        write_machines(machines, count);
    } else {
        print_machines(machines, count);
    }
    return 0;
}

/* ---------------------------------------------------------------------------------------- dot */

static void draw_machine(const sb_machine *machine, size_t number)
{
    printf("  subgraph cluster_%zu {\n    label=", number);
    sb_json_string(stdout, machine->name);
    fputs(" fontname=\"Helvetica-Bold\" style=rounded color=\"#bbbbbb\"", stdout);
    if (machine->source != NULL) {
        fputs(" tooltip=", stdout);
        sb_json_string(stdout, machine->source);
    }
    fputs(";\n", stdout);
    for (uint32_t state = 0; state < machine->state_count; state++) {
        printf("    s%zu_%" PRIu32 " [label=", number, state);
        sb_json_string(stdout, machine->states[state]);
        printf("%s%s];\n", state == machine->initial ? " fillcolor=\"#d6e8fa\" penwidth=2" : "",
               sb_machine_ends_in(machine, state) ? " peripheries=2" : "");
    }
    for (uint32_t i = 0; i < machine->move_count; i++) {
        printf("    s%zu_%u -> s%zu_%u;\n", number, machine->moves[i].from, number,
               machine->moves[i].to);
    }
    fputs("  }\n", stdout);
}

int sb_draw_states(void)
{
    const sb_machine *const *machines;
    const size_t count = sb_machine_list(&machines);
    fputs("digraph states {\n  rankdir=LR;\n"
          "  node [shape=box style=\"filled,rounded\" fillcolor=\"#f7f7f7\" fontname=\"Helvetica\" "
          "fontsize=11];\n"
          "  edge [color=\"#555555\" arrowsize=0.7];\n",
          stdout);
    for (size_t i = 0; i < count; i++) {
        draw_machine(machines[i], i);
    }
    fputs("}\n", stdout);
    return 0;
}
