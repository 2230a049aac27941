/*
 * The regions of a store: which keys it serves, in which epoch, and what became of those it does
 * not serve any more.
 *
 * A region has one copy.  It changes by being split, merged with the one behind it, and moved; each
 * change is one record in one store's log, and each raises the epoch of every key it touches.  So
 * for any key the epochs of the regions that have held it rise strictly, and of two claims to a key
 * the one with the higher epoch is the true one.
 *
 *     split    r [a, c) at e              →  r [a, k) at e + 1,  n [k, c) at e + 1
 *     merge    l [a, b) at e, r [b, c) f  →  l [a, c) at max(e, f) + 1,  r gone
 *     move     r [a, c) at e on S         →  r [a, c) at e + 1 on T
 *
 * A move (region_transfer.c) has three records, on two machines:
 *
 *     S                                   T
 *     serving e
 *       │ LEAVE to T: refuses requests
 *     leaving e ── content, at e + 1 ──→  INSTALL: serving e + 1
 *       │ GONE      ←── "it is here" ──
 *     gone e + 1
 *
 * S sends nothing before LEAVE is durable, and S never serves again before T has said for ever that
 * it will not: so at no moment two stores serve one key.  Until INSTALL is durable the content is
 * on S alone, from then on it is on T, whatever S still has.  After a crash S finds the region
 * leaving and goes on; T forgets an INSTALL that was not durable, has not answered it, and is asked
 * again.
 *
 * A store remembers every region it has ever had: that is what tells a late copy of an INSTALL from
 * the first.  T refuses what it knows in that epoch or a later one.  When T cannot take the region
 * (its disk is full), S asks it to refuse it: T then logs REFUSE, unless it has it already, and S
 * RETURNs to serving, at e + 2.
 *
 * A range of keys of one region and epoch is always the same one, on whatever store.
 */
#ifndef ENGINE_STORAGE_REGION_H
#define ENGINE_STORAGE_REGION_H

#include "engine/base/scalars.h"
#include "engine/wire/messages.h"

typedef enum region_phase {
#define REGION_PHASE(name, text) REGION_##name,
#include "engine/storage/region_phases.def"
#undef REGION_PHASE
    REGION_PHASE_COUNT
} region_phase;

extern const sb_machine region_machine; /* of one region on one store */

typedef struct region {
    region_id id;
    region_epoch epoch; /* of GONE: the one it went on with; of REFUSED: the one that is refused */
    region_phase phase;
    sb_address to;         /* of LEAVING and GONE: the other store; 0: it was merged */
    slice start, end;      /* owned; end empty: no end.  Of SERVING and LEAVING only */
    log_sequence sequence; /* of the record that made it so */
} region;

typedef struct region_set {
    region *items; /* in the order they became known */
    uint32_t count;
    log_sequence changed; /* of the last record that changed one */
} region_set;

void region_set_init(region_set *of);
void region_set_release(region_set *of);

/* NULL: it was never here. */
region *region_set_find(const region_set *of, region_id id);

/* Serving or leaving: its keys are in this store's map. */
bool region_is_held(const region *of);

/* One that is held and has keys in [start, end), other than `but`; NULL when there is none. */
const region *region_set_overlapping(const region_set *of, slice start, slice end, region_id but);

/* One that is held, that is not leaving, and that begins where this one ends; NULL: there is none
 * here. */
const region *region_set_behind(const region_set *of, const region *one);

/* ------------------------------------------------------------------------------------ changes
 *
 * One per record.  False: the record does not fit, so no store has written it. */
bool region_set_serve(region_set *of, const region_description *what, log_sequence sequence);
bool region_set_split(region_set *of, region_id id, slice key, region_id fresh,
                      log_sequence sequence);
bool region_set_merge(region_set *of, region_id left, region_id right, log_sequence sequence);
bool region_set_leave(region_set *of, region_id id, sb_address to, log_sequence sequence);
bool region_set_return(region_set *of, region_id id, log_sequence sequence);
bool region_set_refuse(region_set *of, region_id id, region_epoch epoch, log_sequence sequence);

/* The caller takes its keys out of the map first. */
bool region_set_forget(region_set *of, region_id id, log_sequence sequence);

/* ------------------------------------------------------------------------------ in a checkpoint */

void region_set_encode(const region_set *of, buffer *into);
bool region_set_decode(region_set *of, cursor *from, log_sequence sequence);

#endif
