/*
 * Keys and rows, encoded by the oracles themselves: see encoding.h.
 */
#include "nodes/oracles/encoding.h"

#include <string.h>

#define SIGN_BIT ((uint64_t)1 << 63)
#define NUMBER_SIZE 8u

static void add_byte(encoded_key *into, unsigned char byte)
{
    sb_assert_op(into->size, <, sizeof(into->bytes));
    into->bytes[into->size++] = byte;
}

static void add_number(encoded_key *into, uint64_t number)
{
    for (unsigned shift = 64; shift > 0; shift -= 8) {
        add_byte(into, (unsigned char)(number >> (shift - 8) & 0xff));
    }
}

static void add_signed(encoded_key *into, int64_t number)
{
    add_number(into, (uint64_t)number ^ SIGN_BIT);
}

static void add_prefix(encoded_key *into, uint64_t table, unsigned char what)
{
    into->size = 0;
    add_byte(into, 't');
    add_number(into, table);
    add_byte(into, what);
}

static encoded_key prefix_of(uint64_t table, unsigned char what)
{
    encoded_key made;
    add_prefix(&made, table, what);
    return made;
}

encoded_key encode_rows_prefix(uint64_t table)
{
    return prefix_of(table, 'r');
}

encoded_key encode_indexes_prefix(uint64_t table)
{
    return prefix_of(table, 'i');
}

encoded_key encode_row_key(uint64_t table, int64_t id)
{
    encoded_key made = encode_rows_prefix(table);
    add_signed(&made, id);
    sb_assert_op(made.size, ==, ENCODED_ROW_KEY_SIZE);
    return made;
}

encoded_key encode_index_prefix(uint64_t table, uint64_t index)
{
    encoded_key made = encode_indexes_prefix(table);
    add_number(&made, index);
    return made;
}

encoded_key encode_entry_key(uint64_t table, uint64_t index, int64_t k, int64_t id)
{
    encoded_key made = encode_index_prefix(table, index);
    add_signed(&made, k);
    add_signed(&made, id);
    return made;
}

/* ... of eight bytes; what is left over, which may be nothing, ends them. */
static void add_groups(encoded_key *into, slice bytes)
{
    uint32_t at = 0, filled;
    do {
        filled = 0;
        for (uint32_t i = 0; i < 8; i++) {
            const bool there = at < bytes.size;
            add_byte(into, there ? bytes.data[at] : 0);
            at += there;
            filled += there;
        }
        add_byte(into, (unsigned char)(255 - (8 - filled)));
    } while (filled == 8);
}

void encode_index_entry_key(uint64_t table, const index_definition *index, const row_columns *of,
                            int64_t id, encoded_key *into)
{
    add_prefix(into, table, 'i');
    add_number(into, index->id);
    for (uint32_t i = 0; i < index->column_count; i++) {
        switch (index->columns[i]) {
        case SBTEST_ID:
            add_signed(into, id);
            break;
        case SBTEST_K:
            add_signed(into, of->k);
            break;
        case SBTEST_C:
            add_groups(into, of->c);
            break;
        default:
            add_groups(into, of->pad);
        }
    }
    if (!index->unique) {
        add_signed(into, id);
    }
}

bool encoded_equal(const encoded_key *left, const encoded_key *right)
{
    return left->size == right->size && memcmp(left->bytes, right->bytes, left->size) == 0;
}

encoded_key encode_behind(const encoded_key *prefix)
{
    encoded_key made = *prefix;
    sb_assert_op(made.size, >, 0);
    sb_assert_op(made.bytes[made.size - 1], <, 0xff);
    made.bytes[made.size - 1]++;
    return made;
}

int64_t decode_last_number(slice key)
{
    sb_assert_op(key.size, >=, NUMBER_SIZE);
    uint64_t number = 0;
    for (uint32_t i = key.size - NUMBER_SIZE; i < key.size; i++) {
        number = number << 8 | key.data[i];
    }
    return (int64_t)(number ^ SIGN_BIT);
}

uint32_t index_columns(const index_definition *index)
{
    uint32_t columns = 0;
    for (uint32_t i = 0; i < index->column_count; i++) {
        columns |= 1u << index->columns[i];
    }
    return columns;
}

bool decode_entry_key(slice key, uint64_t *table, uint64_t *index)
{
    const uint32_t what = 1 + NUMBER_SIZE, end = what + 1 + NUMBER_SIZE;
    if (key.size < end || key.data[0] != 't' || key.data[what] != 'i') {
        return false;
    }
    *table = (uint64_t)decode_last_number((slice){key.data, what}) ^ SIGN_BIT;
    *index = (uint64_t)decode_last_number((slice){key.data, end}) ^ SIGN_BIT;
    return true;
}

bool version_is_ingested(slice key, const version *one)
{
    uint64_t table, index;
    return one->kind == VERSION_PUT && one->start == one->commit &&
           decode_entry_key(key, &table, &index);
}

/* Little-endian, `size` bytes; false when they are not there. */
static bool take(slice *from, uint32_t size, uint64_t *number)
{
    if (from->size < size) {
        return false;
    }
    *number = 0;
    for (uint32_t i = size; i > 0; i--) {
        *number = *number << 8 | from->data[i - 1];
    }
    from->data += size;
    from->size -= size;
    return true;
}

static bool take_integer(slice *from, int64_t *value)
{
    uint64_t type = 0, bits = 0;
    const bool taken = take(from, 1, &type) && take(from, NUMBER_SIZE, &bits);
    *value = (int64_t)bits;
    return taken && type == 0;
}

static bool take_bytes(slice *from, slice *value)
{
    uint64_t type = 0, size = 0;
    if (!take(from, 1, &type) || !take(from, 4, &size) || type != 1 || from->size < size) {
        return false;
    }
    *value = slice_of(from->data, (size_t)size);
    from->data += size;
    from->size -= (uint32_t)size;
    return true;
}

static bool take_head(slice *from, int64_t *k)
{
    uint64_t format = 0, columns = 0;
    return take(from, 1, &format) && take(from, 1, &columns) && format == 1 && columns == 3 &&
           take_integer(from, k);
}

bool decode_row_columns(slice value, row_columns *into)
{
    return take_head(&value, &into->k) && take_bytes(&value, &into->c) &&
           take_bytes(&value, &into->pad) && value.size == 0;
}

bool decode_row(slice value, row_value *into)
{
    row_columns columns;
    const bool decoded = decode_row_columns(value, &columns);
    if (decoded) {
        *into = row_value_of(columns.k, columns.c, columns.pad);
    }
    return decoded;
}

bool is_value_of_entry(const index_definition *index, int64_t id, slice value)
{
    if (!index->unique) {
        return value.size == 1 && value.data[0] == '0';
    }
    uint64_t number = 0;
    return take(&value, NUMBER_SIZE, &number) && value.size == 0 && number == (uint64_t)id;
}
