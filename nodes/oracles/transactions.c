/*
 * Percolator's promises, over every key there is: rows, entries, and rows of the framework.
 *
 * - atomic: a transaction has one fate.  All its versions have one commit timestamp, or all that is
 *   left of it are records of its rollback.
 * - first committer wins: of two transactions that wrote or locked one key, the later one began
 *   after the earlier had committed.
 *
 * Ingested entries are no transaction's: they begin and commit at their snapshot (ingests.c).
 *
 * Source: D. Peng, F. Dabek, "Large-scale Incremental Processing Using Distributed Transactions and
 * Notifications", OSDI 2010, section 2.2.
 */
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "transactions"

/* What became of one transaction, as the keys looked at so far tell. */
typedef struct fate {
    timestamp start;
    timestamp commit; /* 0: no version seen */
    bool rolled_back;
} fate;

typedef struct check {
    const evidence *of;
    number_map by_start;
    fate *fates;
    uint32_t count, room;
} check;

static fate *fate_of(check *in, timestamp start)
{
    const uint32_t known = number_map_get(&in->by_start, start);
    if (known != NUMBER_MAP_NONE) {
        return &in->fates[known];
    }
    if (in->count == in->room) {
        in->room = in->room == 0 ? 512 : 2 * in->room;
        const size_t size = in->room * sizeof(*in->fates);
        in->fates = in->fates == NULL ? sb_alloc(size) : sb_realloc(in->fates, size);
    }
    (void)number_map_put(&in->by_start, start, in->count);
    in->fates[in->count] = (fate){.start = start};
    return &in->fates[in->count++];
}

/* The kind of key, for the words of a finding: 'm' or 't'. */
static const char *place_of(slice key)
{
    return key.size > 0 && key.data[0] == 'm' ? "a row of the framework" : "a key of a table";
}

static void check_fate(check *in, slice key, const version *one)
{
    fate *of = fate_of(in, one->start);
    const bool rolled_back = one->kind == VERSION_ROLLBACK;
    if (rolled_back ? of->commit != 0 : of->rolled_back) {
        sb_finding(in->of->world, SB_FINDING_LOST_WRITE, ORACLE,
                   "the transaction of %llu was rolled back and is committed: %s",
                   number(one->start), place_of(key));
    }
    if (!rolled_back && of->commit != 0 && of->commit != one->commit) {
        sb_finding(in->of->world, SB_FINDING_LOST_WRITE, ORACLE,
                   "the transaction of %llu committed at %llu and at %llu: %s", number(one->start),
                   number(of->commit), number(one->commit), place_of(key));
    }
    of->rolled_back |= rolled_back;
    of->commit = rolled_back ? of->commit : one->commit;
}

/* The next version that excludes others, from both lists by commit, newest first. */
static const version *next_exclusive(slice key, const version **values, const version **marks)
{
    while (*values != NULL && version_is_ingested(key, *values)) {
        *values = (*values)->older;
    }
    while (*marks != NULL && (*marks)->kind == VERSION_ROLLBACK) {
        *marks = (*marks)->older;
    }
    const bool mark = *marks != NULL && (*values == NULL || (*marks)->commit > (*values)->commit);
    const version **from = mark ? marks : values;
    const version *next = *from;
    *from = next == NULL ? NULL : next->older;
    return next;
}

static void check_order(const check *in, slice key, const entry *found)
{
    const version *values = found->values, *marks = found->marks;
    const version *later = next_exclusive(key, &values, &marks);
    while (later != NULL) {
        const version *earlier = next_exclusive(key, &values, &marks);
        if (later->commit <= later->start || (earlier != NULL && earlier->commit >= later->start)) {
            sb_finding(in->of->world, SB_FINDING_LOST_WRITE, ORACLE,
                       "the transaction of %llu committed at %llu beside one that committed at "
                       "%llu: %s",
                       number(later->start), number(later->commit),
                       number(earlier == NULL ? 0 : earlier->commit), place_of(key));
        }
        later = earlier;
    }
}

void oracle_transactions(const evidence *of)
{
    check in = {.of = of};
    const slice all = {NULL, 0};
    durable_walk walk;
    number_map_init(&in.by_start, 2 * of->decisions->count);
    for (durable_walk_init(&walk, of->durable, all, all); durable_walk_next(&walk);) {
        for (const version *one = walk.found->values; one != NULL; one = one->older) {
            if (!version_is_ingested(walk.key, one)) {
                check_fate(&in, walk.key, one);
            }
        }
        for (const version *one = walk.found->marks; one != NULL; one = one->older) {
            check_fate(&in, walk.key, one);
        }
        check_order(&in, walk.key, walk.found);
    }
    number_map_release(&in.by_start);
    sb_free(in.fates);
}
