/*
 * An error at each operation of a disk, before its effect and after it: two failpoints an
 * operation, "NAME-fails" and "NAME-fails-after-all".  The name is a literal and says what is done
 * to what.
 */
#ifndef ENGINE_BASE_DISK_POINTS_H
#define ENGINE_BASE_DISK_POINTS_H

#include "sim/node.h"

/* The status of `operation`, which is an expression and is not evaluated when the first fires. */
#define disk_do(name, operation)                                                                   \
    (__extension__({                                                                               \
        sb_status disk_status_ = failpoint(name "-fails") ? SB_IO_ERROR : (operation);             \
        if (disk_status_ == SB_OK && failpoint(name "-fails-after-all")) {                         \
            disk_status_ = SB_IO_ERROR;                                                            \
        }                                                                                          \
        disk_status_;                                                                              \
    }))

/* Of an open, which has no effect but its handle: only before. */
#define disk_open(name, path, flags, file)                                                         \
    (failpoint(name "-fails") ? SB_IO_ERROR : sb_file_open(path, flags, file))

#endif
