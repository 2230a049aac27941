/*
 * The tree of losers: see run_merge.h.
 */
#include "engine/sort/run_merge.h"

#include <string.h>

void run_merge_init(run_merge *of, uint32_t source_max, uint32_t shared)
{
    sb_assert_op(source_max, >, 0);
    *of = (run_merge){.shared = shared};
    of->sources = sb_alloc_zero(source_max * sizeof(*of->sources));
    of->losers = sb_alloc_zero(source_max * sizeof(*of->losers));
}

void run_merge_release(run_merge *of)
{
    for (uint32_t i = 0; i < of->count; i++) {
        run_reader_release(&of->sources[i].reader);
    }
    sb_free(of->sources);
    sb_free(of->losers);
    buffer_release(&of->last);
}

static void advance(run_merge *of, merge_source *source)
{
    const run_read status = run_reader_next(&source->reader, &source->encoded);
    if (status == RUN_OK) {
        const slice key = pair_of(source->encoded).key;
        source->word = key_word(key.data, key.size, of->shared);
        return;
    }
    source->encoded = NULL;
    source->word = UINT64_MAX;
    if (status != RUN_END && of->trouble == RUN_OK) {
        of->trouble = status;
    }
}

run_read run_merge_add(run_merge *of, const char *path, const run_summary *summary)
{
    sb_assert(!of->begun);
    merge_source *source = &of->sources[of->count++];
    const run_read status = run_reader_open(&source->reader, path, summary);
    if (status == RUN_OK) {
        advance(of, source);
    }
    return status != RUN_OK ? status : of->trouble;
}

/* A total order: sources that have ended come last, equal keys by the number of their source. */
static bool wins(const run_merge *of, uint32_t one, uint32_t other)
{
    const merge_source *left = &of->sources[one], *right = &of->sources[other];
    if (left->word != right->word) {
        return left->word < right->word;
    }
    if (left->encoded == NULL || right->encoded == NULL) {
        return left->encoded != NULL || (right->encoded == NULL && one < other);
    }
    const int order = slice_compare(pair_of(left->encoded).key, pair_of(right->encoded).key);
    return order != 0 ? order < 0 : one < other;
}

/* The winner of the subtree at a node; inner nodes are 1 .. count-1, the sources stand behind. */
static uint32_t play(run_merge *of, uint32_t node)
{
    if (node >= of->count) {
        return node - of->count;
    }
    const uint32_t left = play(of, 2 * node), right = play(of, 2 * node + 1);
    const bool left_wins = wins(of, left, right);
    of->losers[node] = left_wins ? right : left;
    return left_wins ? left : right;
}

static void replay(run_merge *of, uint32_t winner)
{
    for (uint32_t node = (winner + of->count) / 2; node > 0; node /= 2) {
        if (wins(of, of->losers[node], winner)) {
            const uint32_t loser = winner;
            winner = of->losers[node];
            of->losers[node] = loser;
        }
    }
    of->losers[0] = winner;
}

static void step(run_merge *of)
{
    if (!of->begun) {
        of->begun = true;
        of->losers[0] = of->count > 1 ? play(of, 1) : 0;
    } else {
        advance(of, &of->sources[of->losers[0]]);
        replay(of, of->losers[0]);
    }
}

/* How the winner's pair stands to the one before. */
static bool has_last_key(const run_merge *of, entry_pair pair)
{
    if (of->last.size == 0) {
        return false;
    }
    return slice_equal(pair.key, pair_of(of->last.data).key);
}

merge_step run_merge_next(run_merge *of, const unsigned char **encoded, uint32_t *size)
{
    if (of->count == 0) {
        return MERGE_END;
    }
    for (;;) {
        step(of);
        if (of->trouble != RUN_OK) {
            return of->trouble == RUN_DAMAGED ? MERGE_DAMAGED : MERGE_DISK;
        }
        const merge_source *winner = &of->sources[of->losers[0]];
        if (winner->encoded == NULL) {
            return MERGE_END;
        }
        const entry_pair pair = pair_of(winner->encoded);
        *encoded = winner->encoded;
        *size = PAIR_HEADER + pair.key.size + pair.value.size;
        if (!has_last_key(of, pair)) {
            buffer_clear(&of->last);
            memcpy(buffer_extend(&of->last, *size), *encoded, *size);
            return MERGE_OK;
        }
        if (!slice_equal(pair.value, pair_of(of->last.data).value)) {
            return MERGE_CONFLICT;
        }
    }
}
