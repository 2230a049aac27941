/*
 * The temporary index: see temporary.h.
 *
 * The argument
 * ------------
 * An index in the making goes through these versions of the schema; servers at two neighbouring
 * ones may work side by side, and every step waits until all live servers have made the one before.
 *
 *     none                                     nothing
 *     delete-only,          running            losses, to the temporary index
 *     write-only,           running            losses and gains, to the temporary index
 *     write-reorganization, running            the same; then the snapshot S is taken, and the rows
 *                                              at S are ingested into the real index, as versions
 *                                              of S
 *     write-reorganization, ready-to-merge     both: the real entry becomes the present state, the
 *     write-reorganization, merging            temporary one goes
 *     public,               inapplicable       the real entry alone
 *
 * Let holders(t) be the rows that have a key of the index at time t, in truth; of a plain index,
 * whose keys contain the handle, the row of that handle or none.  The present state is computed
 * from what a transaction reads at t: the holder of the real entry, version c (c = 0 where there
 * never was one), with the elements committed after c played over it.  A row's last element
 * decides: a put adds the row, a delete takes away this row and no other.
 *
 * (1) Nobody claims what is not so: at any t, present(t) is part of holders(t), the ingested
 *     entries aside.  A put is recorded by write-only or later; from then on every live server is
 *     at delete-only or later and records every loss.  A row that gains or loses a key is written,
 *     so two transactions of one row conflict at the row, and its elements stand in the order of
 *     its changes.
 * (2) S is taken after every live server has acknowledged write-reorganization.  A transaction of
 *     an older schema has ended or is fenced; if its commit is still on its way, it was drawn
 *     before S and its locks stand, so whoever reads at S or later waits for its fate.  So every
 *     change committed after S is recorded, gains too; what a server at delete-only left out is
 *     older than S.
 * (3) When all is ingested, present(t) = holders(t) for all t >= S.  For a row changed after S its
 *     last element is later than S and says what it did last.  A row not changed since S holds the
 *     key iff it held it at S, iff it is in the real entry at S; elements of before S are not
 *     played over that, because c = S.  Where nothing was ingested nobody held the key at S, and
 *     what was recorded before S comes to nothing, by (1).
 * (4) Two rows that held one unique key at S meet when they are ingested: in the merge of sorted
 *     runs, or at the store, which refuses another value at the same S.  One that held it at S and
 *     one that gained it before the first was ingested meet in the present state.  There are no
 *     more: a put is made only where the present state has nobody else.
 * (5) Ready-to-merge begins when all is ingested, so (3) holds.  Who writes at this state reads
 *     both entries and writes both: the real one gets the present state after his change, the
 *     temporary one is deleted.  So at his commit c everything up to c is in the real entry, and
 *     later elements, of servers still at running, are played over it.  Both kinds write the
 *     temporary key, so no two of them overlook each other.
 * (6) Merging begins when all servers write both, so no temporary entry comes into being any more.
 *     The merge writes both keys too, and the row of its subtask; it conflicts with every writer of
 *     the key, and with whoever has taken the subtask away.  Then no temporary entry is left.
 * (7) Public begins when all is merged: for a server at merging the present state is the real
 *     entry, so servers at merging and at public do the same to it.
 * (8) When every live server is at public nobody touches the temporary index, and its range is
 *     deleted for ever; a straggler's prewrite is refused there.
 *
 * A unique check asks for the present state.  It never refuses wrongly, by (1) and (3).  It may let
 * a duplicate pass while not all is ingested; that is (4), and the job ends by it.
 *
 * Going back from any of these states leads to delete-only with the backfill state as it was, so
 * that losses are still recorded where their neighbours look for them, then to none, and then both
 * ranges are deleted.
 *
 * A key has at most two holders, so a history has at most one put that counts; deletes pile up only
 * under a unique key that goes from row to row while it is not ingested.  Elements not later than c
 * are dropped when one is appended, a row's older element is, and once the real entry is known,
 * deletes of rows that are not in it.
 */
#include "engine/schema/temporary.h"

#define FORMAT 1u
#define ROOM_FIRST 4u

void temporary_history_release(temporary_history *of)
{
    sb_free(of->elements);
    *of = (temporary_history){0};
}

static void add_element(temporary_history *into, temporary_element one)
{
    if (into->count == into->room) {
        into->room = into->room == 0 ? ROOM_FIRST : into->room * 2;
        const size_t size = into->room * sizeof(*into->elements);
        into->elements = into->elements == NULL ? sb_alloc(size) : sb_realloc(into->elements, size);
    }
    into->elements[into->count++] = one;
}

/* The element of the row, or NULL. */
static const temporary_element *element_of(const temporary_history *in, row_handle handle)
{
    for (uint32_t i = 0; i < in->count; i++) {
        if (in->elements[i].handle == handle) {
            return &in->elements[i];
        }
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------- bytes */

void temporary_history_encode(const temporary_history *from, buffer *into)
{
    sb_assert(from->count > 0 && from->count <= TEMPORARY_ELEMENTS_MAX);
    buffer_clear(into);
    buffer_add_u8(into, FORMAT);
    buffer_add_u16(into, (uint16_t)from->count);
    for (uint32_t i = 0; i < from->count; i++) {
        const temporary_element *one = &from->elements[i];
        buffer_add_u8(into, (uint8_t)one->operation);
        buffer_add_u64(into, (uint64_t)one->handle);
        buffer_add_u64(into, one->commit == TIMESTAMP_MAX ? 0 : one->commit);
    }
}

/* One element; `last`: the commit of the one before it. */
static void take_element(cursor *from, timestamp commit, timestamp last, temporary_history *into)
{
    const uint8_t operation = cursor_u8(from);
    const row_handle handle = (row_handle)cursor_u64(from);
    const timestamp own = cursor_u64(from);
    if (operation >= TEMPORARY_OPERATION_COUNT || own >= commit || (own != 0 && own < last) ||
        element_of(into, handle) != NULL) {
        from->failed = true;
    }
    add_element(into, (temporary_element){.commit = own == 0 ? commit : own,
                                          .handle = handle,
                                          .operation = (temporary_operation)operation});
}

bool temporary_history_decode(slice value, timestamp commit, temporary_history *into)
{
    sb_assert_op(into->count, ==, 0);
    cursor at = cursor_of(value);
    at.failed |= cursor_u8(&at) != FORMAT;
    const uint16_t count = cursor_u16(&at);
    at.failed |= count == 0 || count > TEMPORARY_ELEMENTS_MAX;
    timestamp last = 0;
    for (uint32_t i = 0; i < count && !at.failed; i++) {
        take_element(&at, commit, last, into);
        last = into->elements[i].commit;
    }
    return cursor_finished(&at);
}

/* -------------------------------------------------------------------------------------- state */

void key_state_init(key_state *into, slice real)
{
    *into = (key_state){.commit = 0};
    buffer_add(&into->real, real.data, real.size);
    temporary_entry_key(real, &into->temporary);
}

void key_state_release(key_state *of)
{
    buffer_release(&of->real);
    buffer_release(&of->temporary);
    temporary_history_release(&of->history);
}

bool key_state_fill(key_state *into, const table_definition *table, const index_definition *index,
                    const key_version *real, const key_version *temporary)
{
    into->commit = real->commit;
    into->there = real->there;
    into->has_temporary = temporary->there;
    if (real->there &&
        !index_entry_handle(table, index, buffer_slice(&into->real), real->value, &into->holder)) {
        return false;
    }
    return !temporary->there ||
           temporary_history_decode(temporary->value, temporary->commit, &into->history);
}

engine_status key_state_read(transaction *in, const table_definition *table,
                             const index_definition *index, key_state *into, sb_scope *scope)
{
    const slice keys[2] = {buffer_slice(&into->real), buffer_slice(&into->temporary)};
    version_list found;
    engine_status status = transaction_read_versions(in, keys, 2, &found, scope);
    if (status != ENGINE_OK) {
        return status;
    }
    if (!key_state_fill(into, table, index, &found.versions[0], &found.versions[1])) {
        sb_log("a key of index %llu is damaged", (unsigned long long)index->id);
        status = ENGINE_FAILED;
    }
    version_list_release(&found);
    return status;
}

/* ------------------------------------------------------------------------------------ playing */

static void add_holder(key_holders *into, row_handle handle)
{
    sb_assert_op(into->count, <, HOLDERS_MAX);
    into->handles[into->count++] = handle;
}

/* Was it done after the real entry was made?  What was done before is in it, or is older than the
 * snapshot: a server at delete-only recorded a loss then, but not the gain that followed (TiDB
 * issue 52914). */
static bool is_later(const key_state *of, const temporary_element *one)
{
    return one->commit > of->commit;
}

/* Is it about this row?  A row that lost a unique key takes no other row's entry away (TiDB issue
 * 52914). */
static bool is_of_row(const temporary_element *one, row_handle handle)
{
    return one->handle == handle;
}

key_holders key_state_holders(const key_state *of)
{
    key_holders found = {0};
    bool stays = of->there;
    for (uint32_t i = 0; i < of->history.count; i++) {
        const temporary_element *one = &of->history.elements[i];
        if (!is_later(of, one)) {
            continue;
        }
        if (is_of_row(one, of->holder)) {
            stays = of->there && one->operation == TEMPORARY_PUT;
        }
        if (one->operation == TEMPORARY_PUT && !(stays && one->handle == of->holder)) {
            add_holder(&found, one->handle);
        }
    }
    if (stays) {
        add_holder(&found, of->holder);
    }
    return found;
}

bool key_holders_have(const key_holders *of, row_handle handle)
{
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->handles[i] == handle) {
            return true;
        }
    }
    return false;
}

key_holders key_holders_without(const key_holders *of, row_handle handle)
{
    key_holders left = {0};
    for (uint32_t i = 0; i < of->count; i++) {
        if (of->handles[i] != handle) {
            add_holder(&left, of->handles[i]);
        }
    }
    return left;
}

/* Can the element still change what the key's state is, once this row has another? */
static bool may_matter(const key_state *of, const temporary_element *one, row_handle handle)
{
    const bool is_nobodys_loss = of->commit > 0 && one->operation == TEMPORARY_DELETE &&
                                 !(of->there && one->handle == of->holder);
    return is_later(of, one) && one->handle != handle && !is_nobodys_loss;
}

bool key_state_note(key_state *of, temporary_operation operation, row_handle handle)
{
    temporary_history *history = &of->history;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        if (may_matter(of, &history->elements[i], handle)) {
            history->elements[kept++] = history->elements[i];
        }
    }
    SOMETIMES(kept < history->count, "temporary-elements-that-matter-no-more");
    history->count = kept;
    if (kept == TEMPORARY_ELEMENTS_MAX) {
        return false;
    }
    add_element(history, (temporary_element){TIMESTAMP_MAX, handle, operation});
    return true;
}
