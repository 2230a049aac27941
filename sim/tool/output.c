/*
 * Whole files; see output.h.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sim/tool/output.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/tool/contract.h"

static bool complain(const char *verb, const char *path, int error)
{
    sb_complain(SB_EXIT_IO, "cannot %s %s: %s", verb, path, strerror(error));
    return false;
}

bool sb_output_open(sb_output *output, const char *path)
{
    memset(output, 0, sizeof *output);
    if (path == NULL || strcmp(path, "-") == 0) {
        output->stream = stdout;
        output->is_standard = true;
        return true;
    }
    struct stat status;
    const int length = snprintf(output->path, sizeof output->path, "%s", path);
    if (length < 0 || (size_t)length >= sizeof output->path - 32) {
        return complain("write", path, ENAMETOOLONG);
    }
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
        return complain("write", path, EISDIR);
    }
    if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        output->in_place = true;
        output->stream = fopen(path, "w");
        return output->stream != NULL || complain("write", path, errno);
    }
    snprintf(output->temporary, sizeof output->temporary, "%.*s.%d.part",
             (int)sizeof output->temporary - 32, path, (int)getpid());
    const int file = open(output->temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0) {
        return complain("write", path, errno);
    }
    output->stream = fdopen(file, "w");
    return output->stream != NULL || complain("write", path, errno);
}

void sb_output_abandon(sb_output *output)
{
    if (output->stream != NULL && !output->is_standard) {
        fclose(output->stream);
        if (!output->in_place) {
            unlink(output->temporary);
        }
    }
    output->stream = NULL;
}

/* A write that failed earlier has left a mark in the stream, but its number is gone: a byte more,
 * to what is thrown away anyhow, meets the cause again. */
static int cause_of(const sb_output *output)
{
    if (errno == 0 && !output->is_standard) {
        (void)!write(fileno(output->stream), "\n", 1);
    }
    return errno != 0 ? errno : EIO;
}

bool sb_output_commit(sb_output *output)
{
    errno = 0;
    const bool flushed = fflush(output->stream) == 0 && !ferror(output->stream);
    const int error = flushed ? 0 : cause_of(output);
    if (output->is_standard) {
        output->stream = NULL;
        return flushed || complain("write", "standard output", error);
    }
    if (!flushed) {
        sb_output_abandon(output);
        return complain("write", output->path, error);
    }
    const bool closed = fclose(output->stream) == 0;
    output->stream = NULL;
    if (!closed || (!output->in_place && rename(output->temporary, output->path) != 0)) {
        const int late_error = errno;
        unlink(output->temporary);
        return complain("write", output->path, late_error);
    }
    return true;
}
