/*
 * The two structures at the bottom of the kernel: the queue of keys and the heap of blocks.
 */
#include "sim/chance/mersenne.h"
#include "sim/kernel/heap.h"
#include "sim/kernel/queue.h"
#include "sim/kernel/sanitizer.h"
#include "tests/suite.h"

/* -------------------------------------------------------------------------------------- queue */

#define KEYS 2000

static int by_order(const void *left, const void *right)
{
    const sb_key *const a = left, *const b = right;
    return sb_key_less(a, b) ? -1 : sb_key_less(b, a);
}

/* Keys with few distinct instants come out in the order a sort gives them: by instant, then by
 * sequence. */
START_TEST(queue_order_is_total)
{
    static sb_key keys[KEYS], sorted[KEYS];
    static sb_mersenne mersenne;
    sb_mersenne_seed(&mersenne, (uint64_t)_i);
    sb_queue queue = {.keys = keys};
    for (uint64_t i = 0; i < KEYS; i++) {
        const uint64_t what = sb_mersenne_bounded(&mersenne, 1u << SB_KEY_OFFSET_BITS);
        sorted[i] =
            (sb_key){(i + 1) << SB_KEY_OFFSET_BITS | what, sb_mersenne_bounded(&mersenne, 50)};
        sb_queue_push(&queue, sorted[i]);
    }
    qsort(sorted, KEYS, sizeof(sorted[0]), by_order);
    for (unsigned i = 0; i < KEYS; i++) {
        const sb_key key = sb_queue_pop(&queue);
        ck_assert_uint_eq(key.time, sorted[i].time);
        ck_assert_uint_eq(key.low, sorted[i].low);
    }
    ck_assert_uint_eq(queue.count, 0);
}
END_TEST

static unsigned remove_least(sb_key *model, unsigned count, sb_key *least)
{
    unsigned at = 0;
    for (unsigned i = 1; i < count; i++) {
        at = sb_key_less(&model[i], &model[at]) ? i : at;
    }
    *least = model[at];
    model[at] = model[count - 1];
    return count - 1;
}

/* Pushes and pops in any mixture agree with the plainest model, sizes 0 to 60 and extreme keys
 * included. */
START_TEST(queue_agrees_with_a_model)
{
    static sb_key keys[64], model[64];
    static sb_mersenne mersenne;
    sb_mersenne_seed(&mersenne, 77);
    sb_queue queue = {.keys = keys};
    unsigned count = 0;
    for (uint64_t i = 1; i < 20000; i++) {
        if (count < 60 && (count == 0 || sb_mersenne_bounded(&mersenne, 2) == 0)) {
            const uint64_t time = sb_mersenne_bounded(&mersenne, 4) == 0
                                      ? UINT64_MAX - sb_mersenne_bounded(&mersenne, 2)
                                      : sb_mersenne_draw(&mersenne);
            const sb_key key = {i << SB_KEY_OFFSET_BITS, time};
            sb_queue_push(&queue, key);
            model[count++] = key;
        } else {
            sb_key least;
            count = remove_least(model, count, &least);
            const sb_key popped = sb_queue_pop(&queue);
            ck_assert_uint_eq(popped.time, least.time);
            ck_assert_uint_eq(popped.low, least.low);
        }
        ck_assert_uint_eq(queue.count, count);
    }
}
END_TEST

/* --------------------------------------------------------------------------------------- heap */

#define HEAP_SIZE ((size_t)8 << 20)

static unsigned char *heap_memory(void)
{
    static unsigned char memory[HEAP_SIZE] __attribute__((aligned(4096)));
    return memory;
}

static sb_heap fresh_heap(bool permute)
{
    sb_heap heap;
    sb_heap_init(&heap, heap_memory(), HEAP_SIZE, "test", 0xA5, permute);
    return heap;
}

typedef struct held {
    unsigned char *bytes;
    size_t size;
    unsigned char mark;
} held;

static void check_marks(const held *block)
{
    size_t same = 0;
    while (same < block->size && block->bytes[same] == block->mark) {
        same++;
    }
    ck_assert_uint_eq(same, block->size);
}

static void take_one(sb_heap *heap, held *block, sb_mersenne *mersenne)
{
    const size_t size =
        (size_t)sb_mersenne_bounded(mersenne, (uint64_t)1 << sb_mersenne_bounded(mersenne, 14));
    *block = (held){sb_heap_alloc(heap, size, "here:1"), size,
                    (unsigned char)sb_mersenne_draw(mersenne)};
    ck_assert_ptr_nonnull(block->bytes);
    ck_assert_uint_eq((uintptr_t)block->bytes % 16, 0);
    memset(block->bytes, block->mark, size);
}

/* Blocks of all sizes, taken, moved and freed at random, keep their bytes and never overlap; in the
 * end the heap counts what is held and its walk meets just that. _i: whether blocks are permuted.
 */
START_TEST(heap_keeps_what_is_held)
{
    static held blocks[300];
    static sb_mersenne mersenne;
    memset(blocks, 0, sizeof(blocks));
    sb_mersenne_seed(&mersenne, 5);
    sb_heap heap = fresh_heap(_i != 0);
    for (unsigned round = 0; round < 20000; round++) {
        held *const block = &blocks[sb_mersenne_bounded(&mersenne, 300)];
        if (block->bytes == NULL) {
            take_one(&heap, block, &mersenne);
            continue;
        }
        check_marks(block);
        if (sb_mersenne_bounded(&mersenne, 3) == 0) {
            const size_t size = block->size / 2 + (size_t)sb_mersenne_bounded(&mersenne, 2000);
            block->bytes = sb_heap_realloc(&heap, block->bytes, size, "here:2");
            block->size = size < block->size ? size : block->size;
            check_marks(block);
            memset(block->bytes, block->mark, size);
            block->size = size;
        } else {
            ck_assert(sb_heap_free(&heap, block->bytes));
            block->bytes = NULL;
        }
    }
    uint64_t bytes = 0, count = 0;
    for (unsigned i = 0; i < 300; i++) {
        bytes += blocks[i].bytes != NULL ? blocks[i].size : 0;
        count += blocks[i].bytes != NULL;
    }
    ck_assert_uint_eq(heap.live_bytes, bytes);
    ck_assert_uint_eq(heap.live_blocks, count);
    for (const sb_heap_block *at = NULL; (at = sb_heap_next_live(&heap, at)) != NULL;) {
        count--;
    }
    ck_assert_uint_eq(count, 0);
}
END_TEST

/* Fresh memory is filled with the pattern, also when it was used before: nothing leaks from one
 * owner to the next. */
START_TEST(heap_fills_fresh_memory)
{
    sb_heap heap = fresh_heap(false);
    unsigned char *const first = sb_heap_alloc(&heap, 100, "here:1");
    memset(first, 1, 100);
    ck_assert(sb_heap_free(&heap, first));
    const volatile unsigned char *const again = sb_heap_alloc(&heap, 100, "here:1");
#if defined(SB_MSAN)
    ck_assert_ptr_nonnull(
        (const void *)(uintptr_t)again); /* there it is undefined, which is as good */
#else
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_uint_eq(again[i], 0xA5);
    }
#endif
}
END_TEST

/* A free, or a new size, of what is no live block is told: twice, inside a block, outside of the
 * heap. */
START_TEST(heap_knows_its_blocks)
{
    sb_heap heap = fresh_heap(false);
    unsigned char *const block = sb_heap_alloc(&heap, 64, "here:1");
    unsigned char elsewhere[64];
    memset(block, 0, 64);
    ck_assert(!sb_heap_free(&heap, elsewhere + 32));
    ck_assert(!sb_heap_free(&heap, block + 32));
    ck_assert(sb_heap_free(&heap, block));
    ck_assert(!sb_heap_free(&heap, block));
    ck_assert_ptr_null(sb_heap_realloc(&heap, block, 64, "here:2"));
    ck_assert_ptr_null(sb_heap_realloc(&heap, elsewhere + 32, 64, "here:2"));
    ck_assert_uint_eq(heap.live_blocks, 0);
}
END_TEST

/* Over its limit a heap gives nothing, and what was held stays; freed bytes can be had again. */
START_TEST(heap_has_a_limit)
{
    sb_heap heap = fresh_heap(false);
    heap.limit = 1000;
    void *const block = sb_heap_alloc(&heap, 900, "here:1");
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(sb_heap_alloc(&heap, 101, "here:2"));
    ck_assert_ptr_nonnull(sb_heap_alloc(&heap, 100, "here:2"));
    ck_assert_uint_eq(heap.live_bytes, 1000);
    ck_assert(sb_heap_free(&heap, block));
    ck_assert_ptr_nonnull(sb_heap_alloc(&heap, 900, "here:3"));
    heap.limit = HEAP_SIZE;
    ck_assert_ptr_null(sb_heap_alloc(&heap, HEAP_SIZE, "here:4"));
}
END_TEST

/* The walk for leak reports goes in the order of the heap and names the places. */
START_TEST(heap_walk_names_places)
{
    sb_heap heap = fresh_heap(false);
    static const char *const places[] = {"a.c:1", "b.c:2", "c.c:3", "d.c:4"};
    void *blocks[4];
    for (unsigned i = 0; i < 4; i++) {
        blocks[i] = sb_heap_alloc(&heap, 3000u * i + 1, places[i]);
    }
    sb_heap_free(&heap, blocks[1]);
    const sb_heap_block *at = sb_heap_next_live(&heap, NULL);
    static const unsigned expected[] = {0, 2, 3};
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(at);
        ck_assert_str_eq(at->place, places[expected[i]]);
        ck_assert_uint_eq(at->size, 3000u * expected[i] + 1);
        at = sb_heap_next_live(&heap, at);
    }
    ck_assert_ptr_null(at);
}
END_TEST

/* A permuting heap hands out the blocks of a class in another order than a plain one. */
START_TEST(heap_permutes)
{
    ptrdiff_t steps[2];
    for (unsigned permute = 0; permute < 2; permute++) {
        sb_heap heap = fresh_heap(permute == 1);
        const unsigned char *const first = sb_heap_alloc(&heap, 40, "here:1");
        const unsigned char *const second = sb_heap_alloc(&heap, 40, "here:1");
        steps[permute] = second - first;
    }
    ck_assert_int_gt(steps[0], 0);
    ck_assert_int_lt(steps[1], 0);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("heap");
    TCase *const queue = tcase_create("queue");
    tcase_add_loop_test(queue, queue_order_is_total, 0, 5);
    tcase_add_test(queue, queue_agrees_with_a_model);
    suite_add_tcase(suite, queue);
    TCase *const heap = tcase_create("heap");
    tcase_add_loop_test(heap, heap_keeps_what_is_held, 0, 2);
    tcase_add_test(heap, heap_fills_fresh_memory);
    tcase_add_test(heap, heap_knows_its_blocks);
    tcase_add_test(heap, heap_has_a_limit);
    tcase_add_test(heap, heap_walk_names_places);
    tcase_add_test(heap, heap_permutes);
    suite_add_tcase(suite, heap);
    return run_suite(suite);
}
