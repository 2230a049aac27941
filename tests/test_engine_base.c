/*
 * The engine's base and wire: codec, ordered map, keys, messages.
 */
#include <string.h>

#include "engine/base/codec.h"
#include "engine/base/ordered_map.h"
#include "engine/wire/keys.h"
#include "engine/wire/messages.h"
#include "tests/engine_world.h"

static int sign(int order)
{
    return (order > 0) - (order < 0);
}

/* -------------------------------------------------------------------------------------- codec */

/* Few letters, so that prefixes and zeros meet. */
static slice draw_bytes(unsigned char *bytes, uint32_t size_max)
{
    static const unsigned char letters[] = {0, 1, 'a', 0xf7, 0xff};
    const uint32_t size = below(size_max + 1);
    for (uint32_t i = 0; i < size; i++) {
        bytes[i] = letters[below(sizeof(letters))];
    }
    return slice_of(bytes, size);
}

static void codec_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    unsigned char one[24], other[24];
    buffer left, right, decoded;
    buffer_init(&left);
    buffer_init(&right);
    buffer_init(&decoded);
    for (uint32_t i = 0; i < 20000; i++) {
        const slice a = draw_bytes(one, sizeof(one)), b = draw_bytes(other, sizeof(other));
        buffer_clear(&left);
        buffer_clear(&right);
        buffer_clear(&decoded);
        codec_add_bytes(&left, a);
        codec_add_bytes(&right, b);
        ck_assert_int_eq(sign(slice_compare(a, b)),
                         sign(slice_compare(buffer_slice(&left), buffer_slice(&right))));
        cursor from = cursor_of(buffer_slice(&left));
        codec_bytes(&from, &decoded);
        ck_assert(cursor_finished(&from));
        ck_assert(slice_equal(buffer_slice(&decoded), a));
    }
    for (int64_t i = -300; i < 300; i++) {
        buffer_clear(&left);
        buffer_clear(&right);
        codec_add_i64(&left, i);
        codec_add_i64(&right, i + 1);
        ck_assert_int_lt(slice_compare(buffer_slice(&left), buffer_slice(&right)), 0);
        cursor from = cursor_of(buffer_slice(&left));
        ck_assert_int_eq(codec_i64(&from), i);
    }
    buffer_release(&left);
    buffer_release(&right);
    buffer_release(&decoded);
}

/* The order of encodings is the order of values, and decoding gives the value back. */
START_TEST(test_codec_keeps_order)
{
    run_in_world(codec_world, NULL, 1);
}
END_TEST

static void codec_layout_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    static const unsigned char encoded[] = {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 255,
                                            0,   0,   0,   0,   0,   0,   0,   0,   247};
    static const unsigned char wrong[][9] = {
        {'a', 0, 0, 0, 0, 0, 0, 0, 246}, /* more padding than there is room */
        {'a', 1, 0, 0, 0, 0, 0, 0, 248}, /* padding that is not zero */
        {'a', 0, 0, 0, 0, 0, 0, 0, 255}, /* goes on, but there is no more */
    };
    buffer bytes;
    buffer_init(&bytes);
    codec_add_bytes(&bytes, slice_of_string("abcdefgh"));
    ck_assert(slice_equal(buffer_slice(&bytes), slice_of(encoded, sizeof(encoded))));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cursor from = cursor_of(slice_of(wrong[i], sizeof(wrong[i])));
        codec_bytes(&from, &bytes);
        ck_assert(!cursor_finished(&from));
    }
    buffer_release(&bytes);
}

/* TiDB's layout, and nothing else is taken for it. */
START_TEST(test_codec_layout)
{
    run_in_world(codec_layout_world, NULL, 1);
}
END_TEST

/* -------------------------------------------------------------------------------- ordered map */

#define MAP_KEYS 1500

typedef struct map_model {
    char keys[MAP_KEYS][12];
    bool in[MAP_KEYS];
    uint32_t count;
} map_model;

static slice model_key(const map_model *model, uint32_t number)
{
    return slice_of_string(model->keys[number]);
}

static void check_order(const ordered_map *map, const map_model *model)
{
    uint32_t expected = 0;
    for (ordered_map_cursor at = ordered_map_first(map); ordered_map_valid(&at);
         ordered_map_next(&at)) {
        while (!model->in[expected]) {
            expected++;
        }
        ck_assert_ptr_eq(ordered_map_value(&at), model->keys[expected]);
        expected++;
    }
    while (expected < MAP_KEYS && !model->in[expected]) {
        expected++;
    }
    ck_assert_uint_eq(expected, MAP_KEYS);
}

static void check_seek(const ordered_map *map, const map_model *model, uint32_t number)
{
    const ordered_map_cursor at = ordered_map_seek(map, model_key(model, number));
    while (number < MAP_KEYS && !model->in[number]) {
        number++;
    }
    ck_assert_int_eq(ordered_map_valid(&at), number < MAP_KEYS);
    if (number < MAP_KEYS) {
        ck_assert_ptr_eq(ordered_map_value(&at), model->keys[number]);
    }
}

static void map_step(ordered_map *map, map_model *model, uint32_t number, bool insert)
{
    char *key = model->keys[number];
    void *const before = model->in[number] ? key : NULL;
    if (insert) {
        ck_assert_ptr_eq(ordered_map_insert(map, slice_of_string(key), key), before);
        model->count += before == NULL;
    } else {
        ck_assert_ptr_eq(ordered_map_remove(map, slice_of_string(key)), before);
        model->count -= before != NULL;
    }
    model->in[number] = insert;
    ck_assert_uint_eq(map->count, model->count);
    ck_assert_ptr_eq(ordered_map_find(map, slice_of_string(key)), insert ? key : NULL);
}

static void map_world(sb_world *world, void *context)
{
    (void)world;
    const uint32_t range = *(const uint32_t *)context;
    map_model *model = sb_alloc_zero(sizeof(*model));
    ordered_map map;
    ordered_map_init(&map);
    for (uint32_t i = 0; i < MAP_KEYS; i++) {
        model->keys[i][0] = 'k';
        for (uint32_t digit = 0, rest = i; digit < 4; digit++, rest /= 10) {
            model->keys[i][4 - digit] = (char)('0' + rest % 10);
        }
    }
    for (uint32_t step = 0; step < 30000; step++) {
        const bool growing = step / 3000 % 2 == 0;
        map_step(&map, model, below(range), below(100) < (growing ? 70u : 30u));
        check_seek(&map, model, below(MAP_KEYS));
        if (step % 500 == 0) {
            check_order(&map, model);
        }
    }
    for (uint32_t i = 0; i < range; i++) {
        map_step(&map, model, i, false);
    }
    ck_assert_ptr_null(map.root);
    ordered_map_release(&map);
    sb_free(model);
}

/* Against a plain array, for maps of one leaf, of two levels, and of three. */
START_TEST(test_ordered_map)
{
    uint32_t ranges[] = {20, 200, MAP_KEYS};
    run_in_world(map_world, &ranges[_i], 7);
}
END_TEST

/* --------------------------------------------------------------------------------------- keys */

static void keys_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    buffer key, other;
    table_id table = 0;
    index_id index = 0;
    int64_t handle = 0;
    uint64_t numbers[2] = {0, 0};
    cursor values;
    buffer_init(&key);
    buffer_init(&other);

    key_row(&key, 7, -5);
    ck_assert(key_row_decode(buffer_slice(&key), &table, &handle));
    ck_assert(table == 7 && handle == -5);
    key_row(&other, 7, 5);
    ck_assert_int_lt(slice_compare(buffer_slice(&key), buffer_slice(&other)), 0);
    ck_assert(!key_index_decode(buffer_slice(&key), &table, &index, &values));

    key_index_prefix(&key, 7, 3);
    codec_add_i64(&key, 11);
    codec_add_i64(&key, -2);
    ck_assert(key_index_decode(buffer_slice(&key), &table, &index, &values));
    ck_assert(table == 7 && index == 3 && codec_i64(&values) == 11 && codec_i64(&values) == -2);
    ck_assert(cursor_finished(&values));

    key_ack(&key, 9, 4);
    ck_assert(key_meta_decode(buffer_slice(&key), "ack", numbers, 2));
    ck_assert(numbers[0] == 9 && numbers[1] == 4);
    ck_assert(!key_meta_decode(buffer_slice(&key), "ack", numbers, 1));
    ck_assert(!key_meta_decode(buffer_slice(&key), "job", numbers, 2));

    /* "task" is no prefix of "task-history": a scan of one does not meet the other. */
    key_meta(&key, "task", NULL, 0);
    key_prefix_end(&other, buffer_slice(&key));
    buffer history;
    buffer_init(&history);
    key_task_history(&history, 1, 0);
    ck_assert(!key_in_range(buffer_slice(&history), buffer_slice(&key), buffer_slice(&other)));
    buffer_release(&history);

    key_prefix_end(&key, slice_of("a\xff\xff", 3));
    ck_assert(slice_equal(buffer_slice(&key), slice_of_string("b")));
    key_prefix_end(&key, slice_of("\xff", 1));
    ck_assert_uint_eq(key.size, 0);
    buffer_release(&key);
    buffer_release(&other);
}

START_TEST(test_keys)
{
    run_in_world(keys_world, NULL, 1);
}
END_TEST

/* ----------------------------------------------------------------------------------- messages */

static void prewrite_encoded(buffer *bytes)
{
    packing list;
    packing_init(&list);
    pack_mutation(&list, &(mutation){.kind = MUTATION_PUT,
                                     .key = slice_of_string("a"),
                                     .value = slice_of_string("1")});
    pack_mutation(&list, &(mutation){.kind = MUTATION_LOCK, .key = slice_of_string("b")});
    prewrite_request_encode(&(prewrite_request){.region = {3, 1},
                                                .writer = {5, 9, 2},
                                                .start = 77,
                                                .ttl_ms = 3000,
                                                .primary = slice_of_string("a"),
                                                .mutations = packing_list(&list)},
                            bytes);
    packing_release(&list);
}

static void messages_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    buffer bytes;
    prewrite_request request;
    mutation one;
    buffer_init(&bytes);
    prewrite_encoded(&bytes);
    ck_assert(prewrite_request_decode(&request, buffer_slice(&bytes)));
    ck_assert(request.region.id == 3 && request.writer.session == 9 && request.start == 77);
    cursor at = packed_cursor(request.mutations);
    ck_assert(unpack_mutation(&at, &one) && one.kind == MUTATION_PUT);
    ck_assert(slice_equal(one.value, slice_of_string("1")));
    ck_assert(unpack_mutation(&at, &one) && one.kind == MUTATION_LOCK);
    ck_assert(!unpack_mutation(&at, &one));

    /* Every shorter message, and one that is longer, is refused. */
    for (uint32_t size = 0; size < bytes.size; size++) {
        ck_assert(!prewrite_request_decode(&request, slice_of(bytes.data, size)));
    }
    buffer_add_u8(&bytes, 0);
    ck_assert(!prewrite_request_decode(&request, buffer_slice(&bytes)));
    buffer_release(&bytes);
}

/* What is encoded is what is decoded, and a cut or padded message is not decoded at all. */
START_TEST(test_messages)
{
    run_in_world(messages_world, NULL, 1);
}
END_TEST

/* Each decoder on the same noise: it must say no or yes, and read nothing that is not there (asan
 * watches). */
static void decode_all(slice bytes)
{
#define MESSAGE(message)                                                                           \
    {                                                                                              \
        message into;                                                                              \
        (void)message##_decode(&into, bytes);                                                      \
    }
#define FIELD(type, name)
#define END(message)
#include "engine/wire/messages.def"
#undef MESSAGE
#undef FIELD
#undef END
}

static void noise_world(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    buffer sound;
    buffer_init(&sound);
    prewrite_encoded(&sound);
    for (uint32_t i = 0; i < 20000; i++) {
        const uint32_t size = i % 2 == 0 ? below(80) : sound.size;
        unsigned char *bytes = sb_alloc(size + 1);
        for (uint32_t at = 0; at < size; at++) {
            const bool keep = i % 2 == 1 && below(10) > 0;
            bytes[at] = keep ? sound.data[at] : (unsigned char)below(below(4) == 0 ? 256 : 4);
        }
        decode_all(slice_of(bytes, size));
        sb_free(bytes);
    }
    buffer_release(&sound);
}

START_TEST(test_messages_survive_noise)
{
    run_in_world(noise_world, NULL, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine base");
    TCase *group = tcase_create("base and wire");
    tcase_add_test(group, test_codec_keeps_order);
    tcase_add_test(group, test_codec_layout);
    tcase_add_loop_test(group, test_ordered_map, 0, 3);
    tcase_add_test(group, test_keys);
    tcase_add_test(group, test_messages);
    tcase_add_test(group, test_messages_survive_noise);
    suite_add_tcase(suite, group);
    return run_suite(suite);
}
