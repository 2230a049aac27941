/*
 * Where the sorter's code meets the disk of its machine: the places at which an error may be
 * injected, before the effect and after it.
 */
#ifndef ENGINE_SORT_LOCAL_DISK_H
#define ENGINE_SORT_LOCAL_DISK_H

#include "sim/node.h"

/* Before an operation: SB_OK, or the error instead of it. */
static inline sb_status local_disk_before(void)
{
    return failpoint("local-disk-fails") ? SB_IO_ERROR : SB_OK;
}

/* After an operation: its status, or an error although it was done. */
static inline sb_status local_disk_after(sb_status status)
{
    return status == SB_OK && failpoint("local-disk-fails-after-all") ? SB_IO_ERROR : status;
}

#endif
