/*
 * The drawing of dot.c as SVG: neato of Graphviz runs as a child, between two files without a name.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/trace.h"

extern char **environ;

static bool fail(char *problem, size_t size, const char *text, int error)
{
    snprintf(problem, size, "%s%s%s", text, error != 0 ? ": " : "",
             error != 0 ? strerror(error) : "");
    return false;
}

/* Run `neato -n -Tsvg` (quietly) from one file into another. */
static bool run_neato(FILE *from, FILE *to, char *problem, size_t size)
{
    char *const words[] = {"neato", "-n", "-q", "-Tsvg", NULL};
    posix_spawn_file_actions_t actions;
    pid_t process;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(from), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(to), STDOUT_FILENO);
    const int error = posix_spawnp(&process, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error == ENOENT) {
        return fail(
            problem, size,
            "svg needs the command neato of Graphviz, which is not here; install graphviz, or use "
            "--format dot",
            0);
    }
    if (error != 0) {
        return fail(problem, size, "cannot run neato", error);
    }
    while (waitpid(process, &status, 0) < 0) {
        if (errno != EINTR) {
            return fail(problem, size, "cannot wait for neato", errno);
        }
    }
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           fail(problem, size, "neato failed to draw the trace", 0);
}

static bool copy(FILE *from, FILE *to, char *problem, size_t size)
{
    char block[65536];
    size_t count;
    rewind(from);
    while ((count = fread(block, 1, sizeof block, from)) != 0) {
        if (fwrite(block, 1, count, to) != count) {
            return true; /* the stream keeps its own error */
        }
    }
    return !ferror(from) || fail(problem, size, "cannot read what neato drew", errno);
}

bool sb_trace_svg(FILE *out, const sb_trace_view *view, char *problem, size_t problem_size)
{
    bool good = false;
    FILE *const dot = tmpfile();
    FILE *const svg = tmpfile();
    if (dot == NULL || svg == NULL) {
        fail(problem, problem_size, "cannot make a temporary file", errno);
        goto done;
    }
    if (!sb_trace_dot(dot, view, problem, problem_size)) {
        goto done;
    }
    if (fflush(dot) != 0 || ferror(dot)) {
        fail(problem, problem_size, "cannot write a temporary file", errno);
        goto done;
    }
    rewind(dot);
    good = run_neato(dot, svg, problem, problem_size) && copy(svg, out, problem, problem_size);
done:
    if (dot != NULL) {
        fclose(dot);
    }
    if (svg != NULL) {
        fclose(svg);
    }
    return good;
}
