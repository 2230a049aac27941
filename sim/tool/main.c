/*
 * The command: which subcommand, --help, --version.
 */
#include <string.h>

#include "sim/tool/contract.h"
#include "sim/tool/options.h"

static const sb_command *find_command(const char *name)
{
    for (size_t i = 0; i < sb_command_count; i++) {
        if (strcmp(sb_commands[i].name, name) == 0) {
            return &sb_commands[i];
        }
    }
    return NULL;
}

static const char *command_name_at(const void *table, size_t index)
{
    return ((const sb_command *)table)[index].name;
}

/* Whether what was printed has arrived: a full disk must not look like success. */
static int finish(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return sb_complain(SB_EXIT_IO, "cannot write to standard output");
    }
    return code;
}

static int run_command(const sb_product *product, const sb_command *command, int argc, char **argv)
{
    sb_arguments arguments;
    const int code = sb_arguments_parse(command, product, argc - 2, argv + 2, &arguments);
    if (code != 0) {
        return code;
    }
    arguments.command_line = argv;
    if (arguments.help) {
        sb_help_command(stdout, product, command);
        return 0;
    }
    return command->run(&arguments);
}

static int help(const sb_product *product, int count, char **words)
{
    if (count == 0) {
        sb_help_all(stdout, product);
        return 0;
    }
    if (strcmp(words[0], "--man") == 0) {
        sb_manual_write(stdout, product);
        return 0;
    }
    const sb_command *const command = find_command(words[0]);
    if (command == NULL) {
        return sb_complain(SB_EXIT_USAGE, "help: '%s' is no command", words[0]);
    }
    sb_help_command(stdout, product, command);
    return 0;
}

int sb_tool_main(const sb_product *product, int argc, char **argv)
{
    if (argc < 2) {
        sb_help_all(stderr, product);
        return SB_EXIT_USAGE;
    }
    const char *const word = argv[1];
    if (strcmp(word, "--version") == 0) {
        printf("%s %s\n", product->name, product->version);
        return finish(0);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        return finish(help(product, argc - 2, argv + 2));
    }
    const sb_command *const command = find_command(word);
    if (command == NULL) {
        char names[128];
        sb_list_names(command_name_at, sb_commands, sb_command_count, names, sizeof names);
        return sb_complain(SB_EXIT_USAGE, "'%s' is no command; expected one of %s", word, names);
    }
    return finish(run_command(product, command, argc, argv));
}
