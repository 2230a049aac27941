/*
 * What the change of one row does to the entries of its table's indexes.
 *
 *     schema state            backfill state           loses a key    gains a key
 *     none                                             –              –
 *     delete-only             running                  temporary      –
 *     delete-only             ready-to-merge, merging  both           –
 *     delete-only             inapplicable             real           –
 *     write-only and later    running                  temporary      temporary
 *     write-only and later    ready-to-merge, merging  both           both
 *     write-only and later    inapplicable             real           real
 *
 * (a key that the row had and has is left alone).  What the temporary index is, and why this is
 * right, is told in temporary.h and temporary.c.
 *
 * First everything that must be known is read and every unique key is checked; then the writes are
 * buffered, which cannot fail.  So a change that is refused leaves nothing behind.
 */
#ifndef ENGINE_SCHEMA_ENTRIES_H
#define ENGINE_SCHEMA_ENTRIES_H

#include "engine/schema/temporary.h"

/* One key of one index that the row loses or gains. */
typedef struct entry_change {
    const index_definition *index;
    bool gains;
    bool is_known;   /* the state was read: of unique keys, where it is asked for */
    key_state state; /* initialised */
} entry_change;

#define ENTRY_CHANGES_MAX (2u * TABLE_INDEXES_MAX)
typedef struct entry_changes {
    row_handle handle;
    uint32_t count;
    entry_change changes[ENTRY_CHANGES_MAX];
} entry_changes;

/* Plan the change from old_row (NULL: insert) to new_row (NULL: delete) of one handle.
 * ENGINE_DUPLICATE: another row has a key of a unique index.  ENGINE_KEY_TOO_LONG: an index cannot
 * hold the row's values.  ENGINE_CONFLICT: a key's history is
 * full until it is merged.  Else the status of the read that failed.  Release it whatever comes
 * back. */
engine_status entry_changes_plan(entry_changes *into, transaction *in,
                                 const table_definition *table, const row *old_row,
                                 const row *new_row, sb_scope *scope);
void entry_changes_release(entry_changes *of);

/* Buffer the writes; something that is no index entry has been put before, to be the primary. */
void entry_changes_apply(const entry_changes *of, transaction *in);

#endif
