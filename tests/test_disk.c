/*
 * Disks: what is synced survives every death; what is not is lost, kept or torn, and nothing else.
 */
#include <stdio.h>

#include "tests/suite.h"

#define NODE 1
#define SECTOR_SIZE 512u

/* Over twenty seeds. */
static void must_pass_in_world(void (*body)(sb_world *world, void *context))
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, body, NULL);
        must_pass(&end);
    }
    sb_universe_close(universe);
}

static sb_file *open_file(const char *path, unsigned flags)
{
    sb_file *file = NULL;
    ck_assert_int_eq(sb_file_open(path, flags, &file), SB_OK);
    return file;
}

static void put(sb_file *file, uint64_t offset, const char *text)
{
    ck_assert_int_eq(sb_file_write(file, offset, text, strlen(text)), SB_OK);
}

static void must_hold(sb_file *file, const char *text)
{
    char data[256];
    size_t size;
    ck_assert_int_eq(sb_file_read(file, 0, data, sizeof(data), &size), SB_OK);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_int_eq(memcmp(data, text, size), 0);
}

/* Durable bytes of a file of a node; NULL text: there is none. */
static void must_be_durable(sb_world *world, sb_node node, const char *path, const char *text)
{
    size_t size;
    const unsigned char *const data = sb_disk_durable(world, node, path, &size);
    if (text == NULL) {
        ck_assert_ptr_eq(data, NULL);
        return;
    }
    ck_assert_ptr_ne(data, NULL);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_int_eq(memcmp(data, text, size), 0);
}

/* --------------------------------------------------------------------------- reading, writing */

static void note_path(void *context, const char *path, uint64_t size)
{
    char *const all = context;
    sprintf(all + strlen(all), "%s:%u ", path, (unsigned)size);
}

static void files(sb_world *world, void *context)
{
    (void)context;
    sb_file *file, *other;
    char data[16];
    size_t size;
    ck_assert_int_eq(sb_file_open("a/one", 0, &file), SB_NOT_FOUND);
    file = open_file("a/one", SB_FILE_CREATE);
    ck_assert_int_eq(sb_file_open("a/one", SB_FILE_CREATE | SB_FILE_EXCLUSIVE, &other), SB_EXISTS);
    put(file, 0, "hello");
    put(file, 8, "there");
    ck_assert_uint_eq(sb_file_size(file), 13);
    ck_assert_int_eq(sb_file_read(file, 4, data, sizeof(data), &size), SB_OK);
    ck_assert_uint_eq(size, 9);
    ck_assert_int_eq(memcmp(data, "o\0\0\0there", 9), 0);
    ck_assert_int_eq(sb_file_read(file, 100, data, sizeof(data), &size), SB_OK);
    ck_assert_uint_eq(size, 0);
    sb_file_truncate(file, 5);
    must_hold(file, "hello");
    other = open_file("a/one", 0); /* two handles, one file */
    put(other, 0, "j");
    must_hold(file, "jello");
    ck_assert_int_eq(sb_rename("a/one", "b/two"), SB_OK);
    ck_assert_int_eq(sb_rename("a/one", "b/two"), SB_NOT_FOUND);
    must_hold(file, "jello");
    ck_assert_int_eq(sb_remove("b/two"), SB_OK);
    ck_assert_int_eq(sb_remove("b/two"), SB_NOT_FOUND);
    must_hold(file, "jello"); /* as long as it is open */
    sb_file_close(file);
    sb_file_close(other);
    sb_file_close(open_file("a-b", SB_FILE_CREATE));
    sb_file_close(open_file("a/z", SB_FILE_CREATE));
    sb_file_close(open_file("a/b/c", SB_FILE_CREATE));
    sb_file_close(open_file("a0", SB_FILE_CREATE));
    char all[256] = "", below[256] = "", nothing[256] = "";
    sb_directory_list("", note_path, all);
    sb_directory_list("a", note_path, below);
    sb_directory_list("q", note_path, nothing);
    ck_assert_str_eq(all, "a-b:0 a/b/c:0 a/z:0 a0:0 ");
    ck_assert_str_eq(below, "a/b/c:0 a/z:0 ");
    ck_assert_str_eq(nothing, "");
    char long_path[200];
    memset(long_path, 'x', sizeof(long_path));
    long_path[127] = '\0';
    sb_file_close(open_file(long_path, SB_FILE_CREATE));
    long_path[127] = 'x';
    long_path[128] = '\0';
    ck_assert_int_eq(sb_file_open(long_path, SB_FILE_CREATE, &file), SB_TOO_LARGE);
    (void)world;
}

START_TEST(files_are_files)
{
    const ending end = run_once(files, NULL);
    must_pass(&end);
}
END_TEST

static void syncs(sb_world *world, void *context)
{
    (void)context;
    sb_disk_set(world, &(sb_disk){.sync_min = SB_MILLISECOND, .sync_max = SB_MILLISECOND});
    sb_file *const file = open_file("log", SB_FILE_CREATE);
    put(file, 0, "one");
    ck_assert_int_eq(sb_file_sync(file), SB_OK);
    ck_assert_uint_eq(sb_world_time(world), SB_MILLISECOND);
    ck_assert_int_eq(sb_file_sync(file), SB_OK); /* nothing to wait for */
    ck_assert_uint_eq(sb_world_time(world), SB_MILLISECOND);
    must_be_durable(world, 0, "log", NULL); /* its name is not */
    sb_directory_sync("elsewhere");
    must_be_durable(world, 0, "log", NULL);
    ck_assert_int_eq(sb_directory_sync(""), SB_OK);
    must_be_durable(world, 0, "log", "one");
    put(file, 3, "two");
    must_be_durable(world, 0, "log", "one");
    put(file, 1, "NE");
    must_be_durable(world, 0, "log", "one");
    sb_file_truncate(file, 2);
    put(file, 4, "x");
    must_be_durable(world, 0, "log", "one");
    sb_rename("log", "dir/new");
    must_be_durable(world, 0, "log", "one");
    must_be_durable(world, 0, "dir/new", NULL);
    sb_directory_sync("dir");
    must_be_durable(world, 0, "log", NULL);
    must_be_durable(world, 0, "dir/new", "one");
    sb_file_truncate(file, 0);
    sb_file_sync(file);
    must_be_durable(world, 0, "dir/new", "");
    sb_remove("dir/new");
    must_be_durable(world, 0, "dir/new", "");
    sb_directory_sync("dir");
    must_be_durable(world, 0, "dir/new", NULL);
    sb_file_close(file);
}

START_TEST(syncs_make_durable)
{
    const ending end = run_once(syncs, NULL);
    must_pass(&end);
}
END_TEST

typedef struct syncer {
    sb_file *file;
    bool done;
} syncer;

static void sync_main(void *argument)
{
    syncer *const one = argument;
    sb_file_sync(one->file);
    one->done = true;
}

static void overlap(sb_world *world, void *context)
{
    (void)context;
    sb_disk_set(world, &(sb_disk){.sync_min = SB_MILLISECOND, .sync_max = SB_MILLISECOND});
    syncer one = {open_file("log", SB_FILE_CREATE), false}, two = one;
    sb_directory_sync("");
    put(one.file, 0, "before");
    sb_spawn(NULL, sync_main, &one, "first");
    sb_sleep(SB_MILLISECOND / 2, NULL);
    put(one.file, 0, "durin");
    sb_spawn(NULL, sync_main, &two, "second");
    must_be_durable(world, 0, "log", "");
    sb_sleep(SB_MILLISECOND / 2 + 1, NULL);
    ck_assert(one.done && !two.done);
    must_be_durable(world, 0, "log", "before"); /* what came after the sync began is not covered */
    sb_file_close(one.file);
    sb_sleep(SB_MILLISECOND, NULL);
    ck_assert(two.done); /* though it was closed meanwhile */
    must_be_durable(world, 0, "log", "durine");
}

START_TEST(a_sync_covers_what_came_before)
{
    const ending end = run_once(overlap, NULL);
    must_pass(&end);
}
END_TEST

static void misuse(sb_world *world, void *context)
{
    (void)world;
    (void)context;
    sb_file *const file = open_file("log", SB_FILE_CREATE);
    sb_file_close(file);
    sb_file_close(file);
}

START_TEST(a_closed_file_is_closed)
{
    const ending end = run_once(misuse, NULL);
    must_find(&end, SB_FINDING_ASSERTION, "open file");
}
END_TEST

static int forgetful(const sb_boot *boot)
{
    (void)boot;
    open_file("log", SB_FILE_CREATE);
    return 0;
}

static void boot_forgetful(sb_world *world, void *context)
{
    (void)context;
    sb_node_add(world, "node", "node", forgetful, NULL, 0);
    sb_node_boot(world, NODE);
    sb_sleep(SB_SECOND, NULL);
}

START_TEST(an_open_file_is_a_leak)
{
    const ending end = run_once(boot_forgetful, NULL);
    must_find(&end, SB_FINDING_LEAK, "1 open file");
}
END_TEST

/* ------------------------------------------------------------------------- a graceful restart */

static int two_boots(const sb_boot *boot)
{
    (void)boot;
    sb_file *const file = open_file("log", SB_FILE_CREATE);
    if (sb_file_size(file) == 0) {
        put(file, 0, "unsynced");
    } else {
        must_hold(file, "unsynced");
    }
    sb_file_close(file);
    return 0;
}

static void graceful(sb_world *world, void *context)
{
    (void)context;
    sb_node_add(world, "node", "node", two_boots, NULL, 0);
    for (int i = 0; i < 2; i++) {
        sb_node_boot(world, NODE);
        sb_node_wait_down(world, NODE, SB_FOREVER);
    }
    must_be_durable(world, NODE, "log", NULL);
}

/* A program that returns leaves the page cache of a machine that lives on. */
START_TEST(an_exit_loses_nothing)
{
    const ending end = run_once(graceful, NULL);
    must_pass(&end);
}
END_TEST

/* --------------------------------------------------------------- random writes beside a model */

#define FILE_COUNT 3
#define SIZE_MAX_MODEL 3000u
#define CHANGE_MAX 64

typedef struct model_change {
    uint32_t offset, size;
    unsigned char bytes[SIZE_MAX_MODEL];
} model_change;

/* A file as it must be: now, after the last sync, and the writes since. */
typedef struct model {
    unsigned char now[SIZE_MAX_MODEL], durable[SIZE_MAX_MODEL];
    uint32_t now_size, durable_size;
    uint32_t sizes[CHANGE_MAX + 2], size_count; /* it has had since */
    model_change changes[CHANGE_MAX];
    uint32_t change_count;
} model;

static model models[FILE_COUNT];
static struct {
    int kept_all, lost_all, mixed, torn;
} fates;

static void settle(model *one)
{
    memcpy(one->durable, one->now, sizeof(one->now));
    one->durable_size = one->now_size;
    one->change_count = 0;
    one->sizes[0] = one->now_size;
    one->size_count = 1;
}

static const char *model_path(int i)
{
    static const char *const paths[FILE_COUNT] = {"a", "b", "d/c"};
    return paths[i];
}

static void check_view(sb_world *world, int i)
{
    const model *const one = &models[i];
    size_t size;
    const unsigned char *const data = sb_disk_durable(world, NODE, model_path(i), &size);
    ck_assert_ptr_ne(data, NULL);
    ck_assert_uint_eq(size, one->durable_size);
    ck_assert_int_eq(memcmp(data, one->durable, size), 0);
}

static void random_write(sb_file *file, model *one)
{
    model_change *const change = &one->changes[one->change_count];
    change->offset = sb_random(2) == 0 ? one->now_size : (uint32_t)sb_random(2000);
    change->size = (uint32_t)sb_random(sb_random(4) == 0 ? 1500 : 100);
    change->size = change->size < SIZE_MAX_MODEL - change->offset ? change->size
                                                                  : SIZE_MAX_MODEL - change->offset;
    for (uint32_t at = 0; at < change->size; at++) {
        change->bytes[at] = (unsigned char)(1 + sb_random(255));
    }
    ck_assert_int_eq(sb_file_write(file, change->offset, change->bytes, change->size), SB_OK);
    if (change->size == 0) {
        return;
    }
    if (change->offset > one->now_size) {
        memset(one->now + one->now_size, 0, change->offset - one->now_size);
    }
    memcpy(one->now + change->offset, change->bytes, change->size);
    const uint32_t end = change->offset + change->size;
    one->now_size = end > one->now_size ? end : one->now_size;
    one->sizes[one->size_count++] = one->now_size;
    one->change_count++;
}

static void random_truncate(sb_file *file, model *one)
{
    const uint32_t size = (uint32_t)sb_random(2500);
    if (size > one->now_size) {
        memset(one->now + one->now_size, 0, size - one->now_size);
    }
    one->now_size = size;
    one->sizes[one->size_count++] = size;
    one->changes[one->change_count++].size = 0;
    ck_assert_int_eq(sb_file_truncate(file, size), SB_OK);
}

static void random_step(sb_file *file, model *one)
{
    unsigned char data[SIZE_MAX_MODEL];
    size_t size;
    const uint64_t choice = one->change_count == CHANGE_MAX ? 0 : sb_random(12);
    if (choice == 0) {
        ck_assert_int_eq(sb_file_sync(file), SB_OK);
        settle(one);
    } else if (choice == 1) {
        random_truncate(file, one);
    } else if (choice < 10) {
        random_write(file, one);
    } else {
        ck_assert_int_eq(sb_file_read(file, 0, data, sizeof(data), &size), SB_OK);
        ck_assert_uint_eq(size, one->now_size);
        ck_assert_int_eq(memcmp(data, one->now, size), 0);
    }
}

/* Writes at random until it is killed; what it finds at boot is what the director has put into the
 * model. */
static int writer(const sb_boot *boot)
{
    (void)boot;
    sb_file *handles[FILE_COUNT];
    for (int i = 0; i < FILE_COUNT; i++) {
        handles[i] = open_file(model_path(i), SB_FILE_CREATE);
    }
    sb_directory_sync("");
    sb_directory_sync("d");
    for (;;) {
        const uint64_t i = sb_random(FILE_COUNT);
        random_step(handles[i], &models[i]);
        sb_sleep(SB_MICROSECOND, NULL);
    }
    return 0;
}

/* Each byte is the durable one, or of a write since, or of a hole. */
static bool may_be(const model *one, uint32_t at, unsigned char byte)
{
    bool is = byte == 0 || (at < one->durable_size && one->durable[at] == byte);
    for (uint32_t i = 0; i < one->change_count && !is; i++) {
        const model_change *const change = &one->changes[i];
        is = at >= change->offset && at - change->offset < change->size &&
             change->bytes[at - change->offset] == byte;
    }
    return is;
}

static void judge(model *one, const unsigned char *data, size_t size)
{
    for (uint32_t at = 0; at < size; at++) {
        if (!may_be(one, at, data[at])) { /* an assertion costs a system call */
            ck_abort_msg("byte %u was never written", at);
        }
    }
    if (one->change_count == 0) {
        ck_assert_uint_eq(size, one->durable_size);
        ck_assert_int_eq(memcmp(data, one->durable, size), 0);
        return;
    }
    const bool kept = size == one->now_size && memcmp(data, one->now, size) == 0;
    const bool lost = size == one->durable_size && memcmp(data, one->durable, size) == 0;
    fates.kept_all += kept;
    fates.lost_all += lost;
    fates.mixed += !kept && !lost;
}

static void deaths(sb_world *world, void *context)
{
    (void)context;
    memset(models, 0, sizeof(models));
    for (int i = 0; i < FILE_COUNT; i++) {
        settle(&models[i]);
    }
    sb_node_add(world, "node", "node", writer, NULL, 0);
    for (int life = 0; life < 10; life++) {
        sb_node_boot(world, NODE);
        sb_sleep(300 * SB_MICROSECOND, NULL);
        for (int look = 0; look < 20; look++) {
            sb_sleep((1 + sb_random(100)) * SB_MICROSECOND, NULL);
            for (int i = 0; i < FILE_COUNT; i++) {
                check_view(world, i);
            }
        }
        sb_node_kill(world, NODE);
        for (int i = 0; i < FILE_COUNT; i++) {
            size_t size;
            const unsigned char *const data = sb_disk_durable(world, NODE, model_path(i), &size);
            ck_assert_ptr_ne(data, NULL);
            ck_assert_uint_le(size, SIZE_MAX_MODEL);
            judge(&models[i], data, size);
            memcpy(models[i].now, data, size);
            models[i].now_size = (uint32_t)size;
            settle(&models[i]);
        }
    }
    fates.torn += sb_world_fault_counts(world)[SB_FAULT_TORN_WRITE].applied != 0;
}

START_TEST(deaths_lose_only_what_is_not_synced)
{
    sb_universe *const here = open_universe(NULL);
    const sb_universe_options elsewhere = {
        .base = UINT64_C(0x5b0000000000), .fill = 0x3c, .permute_blocks = true};
    sb_universe *const there = open_universe(&elsewhere);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending one = run_options(here, &options, deaths, NULL);
        must_pass(&one);
        const ending other = run_options(there, &options, deaths, NULL);
        ck_assert_uint_eq(one.digest, other.digest);
    }
    ck_assert_int_gt(fates.kept_all, 0);
    ck_assert_int_gt(fates.lost_all, 0);
    ck_assert_int_gt(fates.mixed, 0);
    ck_assert_int_gt(fates.torn, 0);
    sb_universe_close(there);
    sb_universe_close(here);
}
END_TEST

/* An empty tape: every choice is 0, and a death loses nothing. */
START_TEST(a_calm_death_loses_nothing)
{
    sb_universe *const universe = open_universe(NULL);
    const sb_tape nothing = {NULL, 0, 0};
    const sb_world_options options = {.seed = 1, .strategy = SB_STRATEGY_FIFO, .tape = &nothing};
    memset(&fates, 0, sizeof(fates));
    const ending end = run_options(universe, &options, deaths, NULL);
    must_pass(&end);
    ck_assert_int_eq(fates.mixed, 0);
    ck_assert_int_eq(fates.torn, 0);
    sb_universe_close(universe);
}
END_TEST

/* ---------------------------------------------------------------------------- torn at sectors */

static int torn_writer(const sb_boot *boot)
{
    (void)boot;
    unsigned char data[2000];
    sb_file *const file = open_file("log", SB_FILE_CREATE);
    memset(data, 1, sizeof(data));
    sb_file_write(file, 0, data, sizeof(data));
    sb_file_sync(file);
    sb_directory_sync("");
    memset(data, 2, sizeof(data));
    sb_file_write(file, 100, data, 1800);
    sb_sleep(SB_FOREVER, NULL);
    return 0;
}

static void tear(sb_world *world, void *context)
{
    int *const torn = context;
    sb_node_add(world, "node", "node", torn_writer, NULL, 0);
    sb_node_boot(world, NODE);
    sb_sleep(SB_SECOND, NULL);
    sb_node_kill(world, NODE);
    size_t size;
    const unsigned char *const data = sb_disk_durable(world, NODE, "log", &size);
    ck_assert_uint_eq(size, 2000);
    for (uint32_t at = 1; at < size; at++) {
        if (data[at] != data[at - 1]) {
            ck_assert(at % 512 == 0 || at == 100 || at == 1900);
            *torn += at % 512 == 0;
        }
    }
}

START_TEST(writes_tear_at_sectors)
{
    sb_universe *const universe = open_universe(NULL);
    int torn = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, tear, &torn);
        must_pass(&end);
    }
    ck_assert_int_gt(torn, 5);
    sb_universe_close(universe);
}
END_TEST

/* -------------------------------------------------------------------------------------- names */

static struct {
    int seeds, both, old, new, files_lost;
} outcomes;

/* Replace a durable file as one should, but for the sync of the directory; and make one more. */
static int replacer(const sb_boot *boot)
{
    (void)boot;
    sb_file *file = open_file("state", SB_FILE_CREATE);
    put(file, 0, "old");
    sb_file_sync(file);
    sb_file_close(file);
    sb_directory_sync("");
    file = open_file("state.new", SB_FILE_CREATE);
    put(file, 0, "new");
    sb_file_sync(file);
    sb_file_close(file);
    sb_rename("state.new", "state");
    file = open_file("state.more", SB_FILE_CREATE);
    put(file, 0, "more");
    sb_file_sync(file);
    sb_sleep(SB_FOREVER, NULL);
    return 0;
}

static void replace(sb_world *world, void *context)
{
    (void)context;
    sb_node_add(world, "node", "node", replacer, NULL, 0);
    sb_node_boot(world, NODE);
    sb_sleep(SB_SECOND, NULL);
    must_be_durable(world, NODE, "state", "old");
    must_be_durable(world, NODE, "state.new", NULL);
    sb_node_kill(world, NODE);
    size_t size;
    const unsigned char *const state = sb_disk_durable(world, NODE, "state", &size);
    ck_assert_ptr_ne(state, NULL); /* a rename is atomic: one of the two is there */
    ck_assert_uint_eq(size, 3);
    const bool is_new = memcmp(state, "new", 3) == 0;
    ck_assert(is_new || memcmp(state, "old", 3) == 0);
    const unsigned char *const temporary = sb_disk_durable(world, NODE, "state.new", &size);
    ck_assert(temporary == NULL || !is_new);
    outcomes.new += is_new;
    outcomes.old += !is_new && temporary == NULL;
    outcomes.both += temporary != NULL;
    outcomes.files_lost += sb_disk_durable(world, NODE, "state.more", &size) == NULL;
    outcomes.seeds++;
}

/* Names that are not synced are lost or kept one by one, and what stands on a lost one is lost with
 * it. */
START_TEST(names_need_their_own_sync)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 200; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, replace, NULL);
        must_pass(&end);
    }
    ck_assert_int_gt(outcomes.new, 0);
    ck_assert_int_gt(outcomes.old, 0);
    ck_assert_int_gt(outcomes.both, 0);
    ck_assert_int_gt(outcomes.files_lost, 0);
    ck_assert_int_lt(outcomes.files_lost, outcomes.seeds);
    sb_universe_close(universe);
}
END_TEST

/* Put a durable file aside and begin a new one in its place. */
static int rotator(const sb_boot *boot)
{
    (void)boot;
    sb_file *file = open_file("log", SB_FILE_CREATE);
    put(file, 0, "old");
    sb_file_sync(file);
    sb_file_close(file);
    sb_directory_sync("");
    sb_rename("log", "log.1");
    file = open_file("log", SB_FILE_CREATE);
    put(file, 0, "new");
    sb_file_sync(file);
    sb_sleep(SB_FOREVER, NULL);
    return 0;
}

static bool holds_old(sb_world *world, const char *path)
{
    size_t size;
    const unsigned char *const data = sb_disk_durable(world, NODE, path, &size);
    return data != NULL && size == 3 && memcmp(data, "old", 3) == 0;
}

static void rotate(sb_world *world, void *context)
{
    int *const moved = context;
    sb_node_add(world, "node", "node", rotator, NULL, 0);
    sb_node_boot(world, NODE);
    sb_sleep(SB_SECOND, NULL);
    sb_node_kill(world, NODE);
    ck_assert(holds_old(world, "log") != holds_old(world, "log.1"));
    *moved += holds_old(world, "log.1");
}

/* The new name stands on the rename: it is never there alone, in the place of what was durable. */
START_TEST(a_durable_file_is_never_lost)
{
    sb_universe *const universe = open_universe(NULL);
    int moved = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, rotate, &moved);
        must_pass(&end);
    }
    ck_assert_int_gt(moved, 0);
    ck_assert_int_lt(moved, 100);
    sb_universe_close(universe);
}
END_TEST

static void note_durable(void *context, const char *path, const unsigned char *data, size_t size)
{
    char *const all = context;
    sprintf(all + strlen(all), "%s=%.*s ", path, (int)size, (const char *)data);
}

static void chain(sb_world *world, void *context)
{
    (void)context;
    sb_file *file = open_file("in/x", SB_FILE_CREATE);
    put(file, 0, "x");
    sb_file_sync(file);
    sb_file_close(file);
    file = open_file("in/y", SB_FILE_CREATE);
    put(file, 0, "y");
    sb_file_sync(file);
    sb_file_close(file);
    sb_rename("in/x", "middle/x");
    sb_rename("middle/x", "out/x");
    sb_directory_sync("out"); /* with it all that the name stands on, and nothing else */
    char all[256] = "";
    sb_disk_list_durable(world, 0, note_durable, all);
    ck_assert_str_eq(all, "out/x=x ");
    sb_remove("out/x");
    sb_directory_sync("in");
    all[0] = '\0';
    sb_disk_list_durable(world, 0, note_durable, all);
    ck_assert_str_eq(all, "in/y=y out/x=x ");
    char present[256] = "";
    sb_directory_list("", note_path, present);
    ck_assert_str_eq(present, "in/y:1 ");
}

START_TEST(a_synced_name_brings_what_it_stands_on)
{
    const ending end = run_once(chain, NULL);
    must_pass(&end);
}
END_TEST

static int mover(const sb_boot *boot)
{
    (void)boot;
    sb_file *const file = open_file("in/x", SB_FILE_CREATE);
    put(file, 0, "x");
    sb_file_sync(file);
    sb_rename("in/x", "middle/x");
    sb_rename("middle/x", "out/x");
    sb_directory_sync("out");
    sb_sleep(SB_FOREVER, NULL);
    return 0;
}

static void move(sb_world *world, void *context)
{
    (void)context;
    sb_node_add(world, "node", "node", mover, NULL, 0);
    sb_node_boot(world, NODE);
    sb_sleep(SB_SECOND, NULL);
    sb_node_kill(world, NODE);
    char all[256] = "";
    sb_disk_list_durable(world, NODE, note_durable, all);
    ck_assert_str_eq(all, "out/x=x ");
}

START_TEST(a_synced_name_is_the_only_one)
{
    sb_universe *const universe = open_universe(NULL);
    for (uint64_t seed = 1; seed <= 50; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, move, NULL);
        must_pass(&end);
    }
    sb_universe_close(universe);
}
END_TEST

/* --------------------------------------------------------------------------------- accounting */

static int keeper(const sb_boot *boot)
{
    (void)boot;
    sb_file *file;
    if (sb_file_open("log", 0, &file) == SB_OK) {
        sb_file_size(file);
    } else {
        file = open_file("log", SB_FILE_CREATE);
    }
    put(file, 0, "something");
    sb_sleep(SB_FOREVER, NULL);
    return 0;
}

static void accounting(sb_world *world, void *context)
{
    (void)context;
    sb_node_add(world, "node", "node", keeper, NULL, 0);
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    for (int life = 0; life < 6; life++) {
        sb_node_boot(world, NODE);
        sb_sleep(SB_SECOND, NULL);
        ck_assert_uint_eq(counts[SB_FAULT_LOST_NAME].applied, counts[SB_FAULT_LOST_NAME].effective);
        ck_assert_uint_eq(counts[SB_FAULT_LOST_WRITE].applied,
                          counts[SB_FAULT_LOST_WRITE].effective);
        sb_node_kill(world, NODE);
    }
    *(int *)context +=
        counts[SB_FAULT_LOST_NAME].applied != 0 && counts[SB_FAULT_LOST_WRITE].applied != 0;
}

/* A loss is effective when a program looks at what is lost. */
START_TEST(losses_are_counted_where_they_are_seen)
{
    sb_universe *const universe = open_universe(NULL);
    int both = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, accounting, &both);
        must_pass(&end);
    }
    ck_assert_int_gt(both, 0);
    sb_universe_close(universe);
}
END_TEST

/* ----------------------------------------------------------------------------- troubled disks */

#define ALWAYS 1000000u
#define SIZE 4096u

static void fill(unsigned char *data, unsigned char with)
{
    memset(data, with, SIZE);
}

/* The number of bytes in which the file differs from `with`. */
static uint32_t differs(sb_file *file, uint64_t offset, unsigned char with)
{
    unsigned char data[SIZE];
    size_t size;
    uint32_t count = 0;
    ck_assert_int_eq(sb_file_read(file, offset, data, sizeof(data), &size), SB_OK);
    for (size_t i = 0; i < size; i++) {
        count += data[i] != with;
    }
    return count + (uint32_t)(sizeof(data) - size);
}

static void errors(sb_world *world, void *context)
{
    int *const torn = context;
    unsigned char data[SIZE];
    size_t size;
    sb_file *const file = open_file("jobs/one", SB_FILE_CREATE);
    fill(data, 'a');
    ck_assert_int_eq(sb_file_write(file, 0, data, SIZE), SB_OK);
    ck_assert_int_eq(sb_file_sync(file), SB_OK);

    sb_disk_trouble_set(world, 0, &(sb_disk_trouble){.read_error = ALWAYS});
    ck_assert_int_eq(sb_file_read(file, 0, data, SIZE, &size), SB_IO_ERROR);
    ck_assert_uint_eq(size, 0);

    /* A write that fails has written its first sectors, or nothing. */
    sb_disk_trouble_set(world, 0, &(sb_disk_trouble){.write_error = ALWAYS});
    fill(data, 'b');
    ck_assert_int_eq(sb_file_write(file, 0, data, SIZE), SB_IO_ERROR);
    sb_disk_trouble_set(world, 0, NULL);
    const uint32_t written = differs(file, 0, 'a');
    ck_assert(written % SECTOR_SIZE == 0 && written < SIZE);
    *torn += written != 0;

    /* A sync that fails keeps what was written in mind, or has forgotten it; it is never durable.
     */
    ck_assert_int_eq(sb_file_write(file, 0, data, SIZE), SB_OK);
    sb_disk_trouble_set(world, 0, &(sb_disk_trouble){.sync_error = ALWAYS});
    ck_assert_int_eq(sb_file_sync(file), SB_IO_ERROR);
    sb_disk_trouble_set(world, 0, NULL);
    const unsigned char *const durable = sb_disk_durable(world, 0, "jobs/one", &size);
    ck_assert(durable == NULL || durable[0] == 'a');
    const uint32_t kept = differs(file, 0, 'a');
    ck_assert(kept == SIZE || kept == 0);
    ck_assert_int_eq(sb_file_sync(file), SB_OK);
    sb_file_close(file);
    for (sb_fault fault = SB_FAULT_SYNC_ERROR; fault <= SB_FAULT_READ_ERROR; fault++) {
        ck_assert_uint_eq(sb_world_fault_counts(world)[fault].effective, 1);
    }
}

/* Errors are told, and leave of the file what they may leave. */
START_TEST(a_troubled_disk_fails)
{
    sb_universe *const universe = open_universe(NULL);
    int torn = 0;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        const sb_world_options options = {.seed = seed, .strategy = SB_STRATEGY_FIFO};
        const ending end = run_options(universe, &options, errors, &torn);
        must_pass(&end);
    }
    ck_assert_int_gt(torn, 0);
    ck_assert_int_lt(torn, 40);
    sb_universe_close(universe);
}
END_TEST

static void full(sb_world *world, void *context)
{
    (void)context;
    unsigned char data[SIZE] = {0};
    sb_file *const file = open_file("one", SB_FILE_CREATE), *const other =
                                                                open_file("two", SB_FILE_CREATE);
    ck_assert_int_eq(sb_file_write(file, 0, data, 100), SB_OK);
    sb_disk_trouble_set(world, 0, &(sb_disk_trouble){.full = true, .room = 100});
    ck_assert_int_eq(sb_file_write(file, 0, data, 100), SB_OK); /* it does not grow */
    ck_assert_int_eq(sb_file_write(file, 50, data, 100), SB_OK);
    ck_assert_int_eq(sb_file_write(other, 0, data, 51), SB_NO_SPACE);
    ck_assert_uint_eq(sb_file_size(other), 0);
    ck_assert_int_eq(sb_file_truncate(other, 51), SB_NO_SPACE);
    ck_assert_int_eq(sb_file_write(other, 0, data, 50), SB_OK);
    ck_assert_int_eq(sb_file_write(other, 50, data, 1), SB_NO_SPACE);
    ck_assert_int_eq(sb_file_truncate(other, 0), SB_OK);
    sb_disk_trouble_set(world, 0, NULL);
    ck_assert_int_eq(sb_file_write(other, 0, data, SIZE), SB_OK);
    ck_assert_uint_eq(sb_world_fault_counts(world)[SB_FAULT_DISK_FULL].effective, 3);
    sb_file_close(file);
    sb_file_close(other);
}

/* A full disk takes no byte more than it has room for, and what does not grow goes on. */
START_TEST(a_full_disk_is_full)
{
    must_pass_in_world(full);
}
END_TEST

static void stalls(sb_world *world, void *context)
{
    (void)context;
    sb_file *const file = open_file("one", SB_FILE_CREATE);
    sb_disk_trouble_set(world, 0,
                        &(sb_disk_trouble){.sync_stall = ALWAYS, .stall_max = 5 * SB_SECOND});
    sb_time longest = 0;
    for (int i = 0; i < 20; i++) {
        put(file, 0, "again");
        const sb_time before = sb_monotonic_time();
        ck_assert_int_eq(sb_file_sync(file), SB_OK);
        const sb_time took = sb_monotonic_time() - before;
        longest = took > longest ? took : longest;
        ck_assert_uint_le(took, 6 * SB_SECOND);
    }
    ck_assert_uint_gt(longest, SB_SECOND);
    sb_file_close(file);
}

/* A sync that stands still goes on in the end. */
START_TEST(a_stalled_sync_ends)
{
    must_pass_in_world(stalls);
}
END_TEST

static void decay(sb_world *world, void *context)
{
    (void)context;
    unsigned char data[SIZE];
    sb_file *const file = open_file("jobs/one", SB_FILE_CREATE), *const other = open_file(
                                                                     "log", SB_FILE_CREATE);
    fill(data, 'a');
    const sb_disk_trouble trouble = {.bit_rot = ALWAYS, .misdirect = ALWAYS, .rebuildable = "jobs"};
    ck_assert_int_eq(sb_file_write(file, 0, data, SIZE), SB_OK);
    ck_assert_int_eq(sb_file_write(other, 0, data, SIZE), SB_OK);
    sb_disk_trouble_set(world, 0, &trouble);
    ck_assert_uint_eq(differs(file, 0, 'a'), 1); /* a byte has lost a bit, for good */
    ck_assert_uint_eq(differs(other, 0, 'a'), 0);
    fill(data, 'b');
    ck_assert_int_eq(sb_file_write(other, 512, data, 512), SB_OK);
    ck_assert_int_eq(sb_file_write(file, 512, data, 512), SB_OK);
    sb_disk_trouble_set(world, 0, NULL);
    ck_assert_uint_eq(differs(other, 0, 'a'), 512);
    unsigned char found[512];
    size_t size;
    ck_assert_int_eq(sb_file_read(file, 512, found, sizeof(found), &size), SB_OK);
    ck_assert(found[0] == 'a' || found[1] == 'a'); /* one of them may have rotted */
    ck_assert_uint_ge(sb_file_size(file), SIZE);
    const sb_fault_counts *const counts = sb_world_fault_counts(world);
    ck_assert_uint_ge(counts[SB_FAULT_BIT_ROT].effective, 1);
    ck_assert_uint_eq(counts[SB_FAULT_MISDIRECTED_WRITE].applied, 1);
    ck_assert_uint_eq(counts[SB_FAULT_MISDIRECTED_WRITE].effective, 1);
    sb_file_close(file);
    sb_file_close(other);
}

/* Only files that can be made again rot, and only their writes go astray. */
START_TEST(what_can_be_made_again_decays)
{
    must_pass_in_world(decay);
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("disk");
    TCase *const tests = tcase_create("disk");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, files_are_files);
    tcase_add_test(tests, syncs_make_durable);
    tcase_add_test(tests, a_sync_covers_what_came_before);
    tcase_add_test(tests, a_closed_file_is_closed);
    tcase_add_test(tests, an_open_file_is_a_leak);
    tcase_add_test(tests, an_exit_loses_nothing);
    tcase_add_test(tests, deaths_lose_only_what_is_not_synced);
    tcase_add_test(tests, a_calm_death_loses_nothing);
    tcase_add_test(tests, writes_tear_at_sectors);
    tcase_add_test(tests, names_need_their_own_sync);
    tcase_add_test(tests, a_durable_file_is_never_lost);
    tcase_add_test(tests, a_synced_name_brings_what_it_stands_on);
    tcase_add_test(tests, a_synced_name_is_the_only_one);
    tcase_add_test(tests, losses_are_counted_where_they_are_seen);
    tcase_add_test(tests, a_troubled_disk_fails);
    tcase_add_test(tests, a_full_disk_is_full);
    tcase_add_test(tests, a_stalled_sync_ends);
    tcase_add_test(tests, what_can_be_made_again_decays);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
