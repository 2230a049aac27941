/*
 * Fences hold: what a store has said it will never accept again, it never accepts again.
 *
 * A store's log puts everything it decides in one order, which survives its restarts.  A commit of
 * a primary that stands behind the fence of its server there, under a session below that fence, is
 * an effect of somebody the rest of the cluster had taken for dead.  And the promise itself stands
 * in its durable bytes: one that a restart forgets will be broken by whoever comes late enough.
 */
#include "nodes/oracles/oracle.h"

#define ORACLE "fences"

static void check_commit(const evidence *of, const decision *promised, const decision *done)
{
    const session_report *promise = &promised->told, *effect = &done->told;
    if (done->teller == promised->teller && effect->server == promise->server &&
        effect->session != 0 && effect->session < promise->session &&
        effect->sequence > promise->sequence) {
        sb_finding_at(of->world, SB_FINDING_WRONG_STATE, done->teller, ORACLE,
                      "%s committed the transaction of %llu under session %llu of %s, behind its "
                      "fence at %llu",
                      sb_node_name(of->world, done->teller), number(effect->start),
                      number(effect->session), sb_node_name(of->world, (sb_node)effect->server),
                      number(promise->session));
    }
}

/* The promise outlives the store's restarts: it stands in what the disk holds. */
static void check_promise(const evidence *of, const decision *promised)
{
    const session_report *promise = &promised->told;
    for (uint32_t i = 0; i < of->durable->store_count; i++) {
        const durable_store *store = &of->durable->stores[i];
        const fence *kept = store_state_fence(&store->state, (sb_address)promise->server);
        if (store->node == promised->teller && (kept == NULL || kept->least < promise->session)) {
            sb_finding_at(of->world, SB_FINDING_WRONG_STATE, store->node, ORACLE,
                          "%s has forgotten that it accepts no session of %s below %llu",
                          sb_node_name(of->world, store->node),
                          sb_node_name(of->world, (sb_node)promise->server),
                          number(promise->session));
        }
    }
}

void oracle_fences(const evidence *of)
{
    const decisions *all = of->decisions;
    for (uint32_t i = 0; i < all->count; i++) {
        if (all->items[i].kind == DECIDED_FENCE) {
            check_promise(of, &all->items[i]);
        }
        for (uint32_t j = 0; all->items[i].kind == DECIDED_FENCE && j < all->count; j++) {
            if (all->items[j].kind == DECIDED_COMMIT) {
                check_commit(of, &all->items[i], &all->items[j]);
            }
        }
    }
}
