/*
 * Quiescence: when every job has ended, nothing temporary is left.
 */
#include <string.h>

#include "engine/wire/keys.h"
#include "nodes/oracles/encoding.h"
#include "nodes/oracles/oracle.h"

#define ORACLE "quiescence"

static const char *const temporary_words[] = {"job",     "ack",          "task",
                                              "subtask", "delete-range", "reorg"};
#define TEMPORARY_WORDS (sizeof(temporary_words) / sizeof(temporary_words[0]))

static void check_word(const evidence *of, const char *word)
{
    durable_walk walk;
    for (durable_walk_rows(&walk, of->durable, word); durable_walk_next(&walk);) {
        if (durable_entry_read(walk.found, TIMESTAMP_MAX) != NULL) {
            sb_finding(of->world, SB_FINDING_LEAK, ORACLE, "a row \"%s\" is left, with number %llu",
                       word, (unsigned long long)decode_last_number(walk.key) ^ 1ull << 63);
        }
    }
}

/* Entries belong to an index that the table has; of a range that was given up for ever there is
 * nothing, no record of a rollback either. */
static void check_entries(const evidence *of, const judged_table *table)
{
    const encoded_key start = encode_indexes_prefix(table->id), end = encode_behind(&start);
    durable_walk walk;
    for (durable_walk_init(&walk, of->durable, encoded_slice(&start), encoded_slice(&end));
         durable_walk_next(&walk);) {
        const store_state *state =
            &of->durable->stores[of->durable->regions[walk.region].store].state;
        if (store_state_is_deleted(state, walk.key)) {
            sb_finding(of->world, SB_FINDING_LEAK, ORACLE,
                       "a key of table %llu was touched after its range had been given up",
                       (unsigned long long)table->id);
        }
        uint64_t of_table, index;
        if (durable_entry_read(walk.found, TIMESTAMP_MAX) != NULL &&
            decode_entry_key(walk.key, &of_table, &index) &&
            table_index(&table->definition, index) == NULL) {
            sb_finding(of->world, SB_FINDING_LEAK, ORACLE,
                       "an entry of index %llu of table %llu is left, and no such index",
                       (unsigned long long)index, (unsigned long long)table->id);
        }
    }
}

/* Files of a backfill, on the server that ran it or the store that took it in. */
typedef struct file_check {
    const evidence *of;
    sb_node node;
    const char *directory;
} file_check;

static void check_file(void *context, const char *path, const unsigned char *data, size_t size)
{
    const file_check *in = context;
    (void)data;
    if (strncmp(path, in->directory, strlen(in->directory)) == 0) {
        sb_finding_at(in->of->world, SB_FINDING_LEAK, in->node, ORACLE,
                      "file %s of %zu bytes is left on %s", path, size,
                      sb_node_name(in->of->world, in->node));
    }
}

static void note_file(void *context, const char *path, const unsigned char *data, size_t size)
{
    (void)path;
    (void)data;
    (void)size;
    *(bool *)context = true;
}

bool oracle_server_files_are_gone(const evidence *of)
{
    bool found = false;
    for (uint32_t i = 0; i < of->server_count && !found; i++) {
        sb_disk_list_durable(of->world, of->servers[i], note_file, &found);
    }
    return !found;
}

void oracle_server_files(const evidence *of)
{
    for (uint32_t i = 0; i < of->server_count; i++) {
        file_check in = {of, of->servers[i], ""}; /* whatever it is, it is of some job */
        sb_disk_list_durable(of->world, in.node, check_file, &in);
    }
}

void oracle_quiescence(const evidence *of)
{
    for (uint32_t i = 0; i < TEMPORARY_WORDS; i++) {
        check_word(of, temporary_words[i]);
    }
    for (uint32_t i = 0; i < of->table_count; i++) {
        check_entries(of, &of->tables[i]);
    }
    oracle_server_files(of);
    for (uint32_t i = 0; i < of->durable->store_count; i++) {
        file_check in = {of, of->durable->stores[i].node, "ingest/"};
        sb_disk_list_durable(of->world, in.node, check_file, &in);
    }
}
