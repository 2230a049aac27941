/*
 * The local engine: sorted runs in, one sorted file out.
 *
 *     channel ──→ run-0, run-1, …  ──merge──→ sorted
 *
 * One task receives until the channel is closed and empty, also when nobody wants the runs any
 * more: so a writer can always flush, whatever has happened to the rest.  Nothing here survives a
 * restart of the machine; the subtask is run again from its start then.
 */
#include "engine/backfill/pipeline.h"

#include <stdio.h>

static void run_path(const local_engine *of, uint32_t number, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/run-%u", of->folder, number);
}

void local_engine_sorted_path(const local_engine *of, char path[PATH_SIZE])
{
    snprintf(path, PATH_SIZE, "%s/sorted", of->folder);
}

/* ----------------------------------------------------------------------------------- spilling */

static sb_status write_run(const entry_run *run, const char *path)
{
    sorted_writer into;
    sb_status status = sorted_writer_open(&into, path, SORTED_BLOCK_SIZE_DEFAULT);
    for (uint32_t i = 0; i < run->count && status == SB_OK; i++) {
        if (i > 0 && slice_equal(entry_run_key(run, i - 1), entry_run_key(run, i))) {
            continue; /* the same row read twice */
        }
        status = sorted_writer_add(&into, entry_run_key(run, i), entry_run_value(run, i));
    }
    sorted_summary summary;
    if (status == SB_OK) {
        status = sorted_writer_finish(&into, &summary);
    }
    sorted_writer_release(&into);
    return status;
}

static void spill(local_engine *of, uint32_t place)
{
    entry_run *run = of->runs[place];
    of->runs[place] = NULL;
    if (!of->discarding && of->disk == SB_OK) {
        char path[PATH_SIZE];
        run_path(of, of->file_count++, path);
        of->disk = failpoint("local-engine-spill-fails") ? SB_IO_ERROR : write_run(run, path);
    }
    entry_run_free(run);
}

static void receive_main(void *argument)
{
    local_engine *of = argument;
    uint32_t place;
    while (sb_channel_receive(&of->arrived, &place, NULL) == SB_OK) {
        spill(of, place);
    }
}

/* ----------------------------------------------------------------------------------- lifetime */

void local_engine_open(local_engine *of, job_id job, uint32_t number, uint32_t channel_capacity)
{
    *of = (local_engine){.disk = SB_OK};
    snprintf(of->folder, sizeof(of->folder), JOBS_FOLDER "/%llu/%u", (unsigned long long)job,
             number);
    sb_channel_init(&of->arrived, "runs for the local engine", sizeof(uint32_t), channel_capacity);
    sb_wait_group_init(&of->tasks, "local engine");
    sb_spawn(&of->tasks, receive_main, of, "local-engine-%llu-%u", (unsigned long long)job, number);
}

sb_status local_engine_send(local_engine *of, entry_run *run, sb_scope *scope)
{
    if (of->run_count == of->run_room) {
        of->run_room = of->run_room == 0 ? 8 : of->run_room * 2;
        const size_t size = of->run_room * sizeof(*of->runs);
        of->runs = of->runs == NULL ? sb_alloc(size) : sb_realloc(of->runs, size);
    }
    const uint32_t place = of->run_count++;
    of->runs[place] = run;
    return sb_channel_send(&of->arrived, &place, scope);
}

void local_engine_close(local_engine *of)
{
    sb_assert(!of->closed);
    of->closed = true;
    sb_channel_close(&of->arrived);
    (void)sb_wait_group_wait(&of->tasks, NULL);
}

void local_engine_release(local_engine *of)
{
    sb_assert(of->closed);
    char path[PATH_SIZE];
    for (uint32_t i = 0; i < of->file_count; i++) {
        run_path(of, i, path);
        (void)sb_remove(path); /* what stays is removed at the next boot */
    }
    if (of->sorted_there) {
        local_engine_sorted_path(of, path);
        (void)sb_remove(path);
    }
    for (uint32_t i = 0; i < of->run_count; i++) {
        entry_run_free(of->runs[i]); /* its send was canceled */
    }
    sb_free(of->runs);
    sb_channel_release(&of->arrived);
    sb_wait_group_release(&of->tasks);
}

/* ------------------------------------------------------------------------------------ merging */

/* A run file being read. */
typedef struct merge_source {
    sorted_reader reader;
    slice key, value; /* the pair at hand */
    bool ended;
} merge_source;

static engine_status advance(merge_source *of)
{
    const sorted_status status = sorted_reader_next(&of->reader, &of->key, &of->value);
    of->ended = status != SORTED_OK;
    return status == SORTED_OK || status == SORTED_END ? ENGINE_OK : ENGINE_CONFLICT;
}

static engine_status open_sources(const local_engine *of, merge_source *sources, uint32_t *opened)
{
    engine_status status = ENGINE_OK;
    while (*opened < of->file_count && status == ENGINE_OK) {
        merge_source *one = &sources[*opened];
        char path[PATH_SIZE];
        run_path(of, *opened, path);
        (*opened)++;
        status =
            sorted_reader_open(&one->reader, path) == SORTED_OK ? advance(one) : ENGINE_CONFLICT;
    }
    return status;
}

/* The source with the least key, the first among equals; NULL when all have ended. */
static merge_source *least_source(merge_source *sources, uint32_t count)
{
    merge_source *least = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (!sources[i].ended && (least == NULL || slice_compare(sources[i].key, least->key) < 0)) {
            least = &sources[i];
        }
    }
    return least;
}

static engine_status merge_into(sorted_writer *into, merge_source *sources, uint32_t count)
{
    buffer last_key, last_value;
    buffer_init(&last_key);
    buffer_init(&last_value);
    engine_status status = ENGINE_OK;
    merge_source *least;
    while (status == ENGINE_OK && (least = least_source(sources, count)) != NULL) {
        if (last_key.size > 0 && slice_equal(least->key, buffer_slice(&last_key))) {
            status =
                slice_equal(least->value, buffer_slice(&last_value)) ? ENGINE_OK : ENGINE_DUPLICATE;
        } else {
            if (sorted_writer_add(into, least->key, least->value) != SB_OK) {
                status = ENGINE_CONFLICT;
                break;
            }
            buffer_clear(&last_key);
            buffer_add(&last_key, least->key.data, least->key.size);
            buffer_clear(&last_value);
            buffer_add(&last_value, least->value.data, least->value.size);
        }
        if (status == ENGINE_OK) {
            status = advance(least);
        }
    }
    buffer_release(&last_key);
    buffer_release(&last_value);
    return status;
}

static engine_status write_merged(local_engine *of, merge_source *sources)
{
    char path[PATH_SIZE];
    local_engine_sorted_path(of, path);
    of->sorted_there = true;
    sorted_writer into;
    sorted_summary summary;
    engine_status status = ENGINE_CONFLICT;
    if (sorted_writer_open(&into, path, SORTED_BLOCK_SIZE_DEFAULT) == SB_OK) {
        status = merge_into(&into, sources, of->file_count);
    }
    if (status == ENGINE_OK && sorted_writer_finish(&into, &summary) != SB_OK) {
        status = ENGINE_CONFLICT;
    }
    sorted_writer_release(&into);
    return status;
}

engine_status local_engine_merge(local_engine *of)
{
    sb_assert(of->closed);
    if (of->disk != SB_OK || failpoint("local-engine-merge-fails")) {
        return ENGINE_CONFLICT;
    }
    merge_source *sources = sb_alloc_zero((of->file_count + 1) * sizeof(*sources));
    uint32_t opened = 0;
    engine_status status = open_sources(of, sources, &opened);
    if (status == ENGINE_OK) {
        status = write_merged(of, sources);
    }
    for (uint32_t i = 0; i < opened; i++) {
        sorted_reader_release(&sources[i].reader);
    }
    sb_free(sources);
    return status;
}
