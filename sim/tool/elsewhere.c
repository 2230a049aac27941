/*
 * Starting this program again; see elsewhere.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sim/tool/elsewhere.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/tool/child.h"
#include "sim/tool/contract.h"
#include "sim/tool/workers.h"

#define PROGRAM "/proc/self/exe"
#define VARIABLE "SEEDBED_ERRAND" /* the number of the file, for the second program alone */
#define NOT_STARTED 127
#define LOOK_INTERVAL_MS 50

void *sb_elsewhere_alloc(size_t size, int *file)
{
    *file = memfd_create("seedbed-errand", MFD_CLOEXEC);
    void *const block = *file >= 0 && ftruncate(*file, (off_t)size) == 0
                            ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *file, 0)
                            : MAP_FAILED;
    if (block == MAP_FAILED) {
        sb_die(SB_EXIT_IO, "cannot map %zu bytes of shared memory: %s", size, strerror(errno));
    }
    return block;
}

void sb_elsewhere_free(void *block, size_t size, int file)
{
    munmap(block, size);
    close(file);
}

/* In the child. */
static void become(const sb_arguments *arguments, int file, int other_file)
    __attribute__((noreturn));
static void become(const sb_arguments *arguments, int file, int other_file)
{
    char number[16];
    snprintf(number, sizeof number, "%d", file);
    const bool good = setenv(VARIABLE, number, 1) == 0 && fcntl(file, F_SETFD, 0) == 0 &&
                      (other_file < 0 || fcntl(other_file, F_SETFD, 0) == 0);
    if (good) {
        execv(PROGRAM, arguments->command_line);
    }
    fprintf(stderr, "seedbed: cannot start %s for the second runs: %s\n", PROGRAM, strerror(errno));
    _exit(NOT_STARTED);
}

/* Its pipe closes when it ends. */
static int wait_for_end(pid_t process, int pipe_end)
{
    struct pollfd wait = {.fd = pipe_end, .events = POLLIN};
    unsigned told = 0; /* interrupts: the second one says not to wait */
    while (poll(&wait, 1, LOOK_INTERVAL_MS) <= 0 || (wait.revents & POLLHUP) == 0) {
        if (told < sb_interrupt_count()) {
            told++;
            kill(process, SIGTERM);
        }
    }
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

bool sb_elsewhere_run(const sb_arguments *arguments, int file, int other_file)
{
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) != 0) {
        sb_die(SB_EXIT_IO, "cannot make a pipe: %s", strerror(errno));
    }
    const pid_t process = sb_fork();
    if (process == 0) {
        close(alive[0]);
        fcntl(alive[1], F_SETFD, 0);
        become(arguments, file, other_file);
    }
    close(alive[1]);
    const int status = wait_for_end(process, alive[0]);
    close(alive[0]);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        exit(SB_EXIT_IO); /* it has said why */
    }
    return WIFEXITED(status);
}

void *sb_elsewhere_errand(size_t least)
{
    const char *const number = getenv(VARIABLE);
    if (number == NULL) {
        return NULL;
    }
    const int file = atoi(number);
    struct stat status;
    void *const block =
        fstat(file, &status) == 0 && fcntl(file, F_GET_SEALS) >= 0 &&
                (size_t)status.st_size >= least
            ? mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
            : MAP_FAILED;
    if (block == MAP_FAILED) {
        sb_die(SB_EXIT_USAGE, VARIABLE ": '%s' is no errand of this program's; expected it unset",
               number);
    }
    fcntl(file, F_SETFD, FD_CLOEXEC);
    unsetenv(VARIABLE);
    return block;
}
