/*
 * Help and man page, from the tables of commands.
 */
#include <string.h>

#include "sim/tool/contract.h"
#include "sim/tool/options.h"

#define LINE_WIDTH 96
#define OPTION_WIDTH 22

/* Words of a text, broken into lines; a line feed in the text is a line feed. */
static void print_wrapped(FILE *out, const char *text, int indent, int column)
{
    while (*text != '\0') {
        const int length = (int)strcspn(text, " \n");
        if (column > indent && column + 1 + length > LINE_WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, text);
        column += length;
        text += length;
        if (*text == '\n') {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        }
        text += *text != '\0';
    }
    fputc('\n', out);
}

static void print_option(FILE *out, const sb_option *option)
{
    char name[64];
    char letter[8] = "";
    if (option->letter != 0) {
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    const int width = snprintf(name, sizeof name, "  %s--%s%s%s", letter, option->name,
                               option->argument != NULL ? " " : "",
                               option->argument != NULL ? option->argument : "");
    fprintf(out, "%-*s  ", OPTION_WIDTH + 2, name);
    print_wrapped(out, option->help, OPTION_WIDTH + 4,
                  width > OPTION_WIDTH + 2 ? width + 2 : OPTION_WIDTH + 4);
}

void sb_help_command(FILE *out, const sb_product *product, const sb_command *command)
{
    fprintf(out, "%s %s %s [options]\n  %s\n\n", product->name, command->name, command->operands,
            command->summary);
    print_wrapped(out, command->text, 0, 0);
    fputs("\nOptions:\n", out);
    for (size_t i = 0; i < command->option_count; i++) {
        print_option(out, &command->options[i]);
    }
}

void sb_help_all(FILE *out, const sb_product *product)
{
    fprintf(out, "%s: %s\n\n", product->name, product->summary);
    for (size_t i = 0; i < sb_command_count; i++) {
        const sb_command *const command = &sb_commands[i];
        char usage[96];
        snprintf(usage, sizeof usage, "%s %s %s", product->name, command->name, command->operands);
        fprintf(out, "  %-46s  %s\n", usage, command->summary);
    }
    fprintf(out,
            "\n  %s COMMAND --help                          options of a command\n"
            "  %s --version                               what was built\n"
            "\nSeeds are decimal or 0x..., 0 to 2^64-1. A seed alone replays its run.\n",
            product->name, product->name);
}

/* ----------------------------------------------------------------------------------- man page */

/* roff reads dots and quotes at the start of lines, and backslashes and hyphens anywhere. */
static void print_roff(FILE *out, const char *text)
{
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            fputs("\n.PP\n", out);
            line_start = true;
            continue;
        }
        if (line_start && (*text == '.' || *text == '\'')) {
            fputs("\\&", out);
        }
        if (*text == '-') {
            fputs("\\-", out);
        } else if (*text == '\\') {
            fputs("\\e", out);
        } else {
            fputc(*text, out);
        }
        line_start = false;
    }
}

static void write_command(FILE *out, const sb_product *product, const sb_command *command)
{
    fprintf(out, ".SS %s %s ", product->name, command->name);
    print_roff(out, command->operands);
    fputs("\n", out);
    print_roff(out, command->text);
    fputs("\n", out);
    for (size_t i = 0; i < command->option_count; i++) {
        const sb_option *const option = &command->options[i];
        fputs(".TP\n", out);
        if (option->letter != 0) {
            fprintf(out, ".BR \\-%c \", \" \"\\-\\-", option->letter);
        } else {
            fputs(".B \"\\-\\-", out);
        }
        print_roff(out, option->name);
        if (option->argument != NULL) {
            fputc(' ', out);
            print_roff(out, option->argument);
        }
        fputs("\"\n", out);
        print_roff(out, option->help);
        fputc('\n', out);
    }
}

static void write_exit_codes(FILE *out)
{
    static const struct {
        int code;
        const char *text;
    } codes[] = {
        {SB_EXIT_PASSED, "nothing was found, and every promise of the run was kept"},
        {SB_EXIT_FINDINGS, "findings; museum: a bug was missed"},
        {SB_EXIT_INCONCLUSIVE, "sweep: inconclusive"},
        {SB_EXIT_NONDETERMINISM, "sweep: two runs of one seed differ"},
        {SB_EXIT_CANNOT_JUDGE, "replay: cannot judge (skip, for git bisect run)"},
        {SB_EXIT_IO, "input or output failed; one line on standard error says what"},
        {SB_EXIT_USAGE, "the command line is wrong; one line on standard error says how"},
    };
    fputs(".SH EXIT CODES\n", out);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        fprintf(out, ".TP\n.B %d\n%s\n", codes[i].code, codes[i].text);
    }
}

void sb_manual_write(FILE *out, const sb_product *product)
{
    fprintf(out, ".TH %s 1\n.SH NAME\n%s \\- ", product->name, product->name);
    print_roff(out, product->summary);
    fputs("\n.SH SYNOPSIS\n", out);
    for (size_t i = 0; i < sb_command_count; i++) {
        fprintf(out, "%s.B %s %s\n", i == 0 ? "" : ".br\n", product->name, sb_commands[i].name);
        print_roff(out, sb_commands[i].operands);
        fputs("\n[options]\n", out);
    }
    fprintf(out, ".br\n.B %s \\-\\-version\n", product->name);
    fputs(".SH COMMANDS\n", out);
    for (size_t i = 0; i < sb_command_count; i++) {
        write_command(out, product, &sb_commands[i]);
    }
    write_exit_codes(out);
}
