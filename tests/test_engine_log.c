/*
 * The log of a store and the names of its files, over boots with a disk that refuses to sync.
 */
#include "engine/storage/store.h"
#include "tests/engine_world.h"

#define LOG "log"
#define FILE_HEADER 32u
#define BATCH_OF_ONE 48u /* bytes of a batch with one record of four */

/* What the boots have told, outside of the world. */
typedef struct telling {
    unsigned boots;
    log_sequence seen[3]; /* the last record that a boot took for durable */
} telling;

static bool accept(void *context, log_sequence sequence, slice record)
{
    (void)context;
    (void)sequence;
    return record.size == 4;
}

static void append(write_log *log)
{
    buffer_add_u32(write_log_begin(log), 7);
    (void)write_log_wait(log, write_log_end(log));
}

/* Opens its log, says what stands in it, appends; keeps trying until it is asked to stop. */
static int keeps_log(const sb_boot *boot)
{
    telling *told = *(telling *const *)boot->argument;
    write_log log;
    uint64_t offset;
    write_log_init(&log);
    if (told->boots == 0) {
        ck_assert_int_eq(write_log_create(LOG, 1, 0), SB_OK);
        ck_assert_int_eq(sb_directory_sync(""), SB_OK);
    }
    if (write_log_open(&log, LOG, 1, 0, accept, NULL, &offset) == WRITE_LOG_OPENED) {
        told->seen[told->boots++] = log.durable;
        append(&log);
    }
    (void)sb_sleep(SB_FOREVER, sb_shutdown_scope());
    write_log_release(&log);
    return 0;
}

/* What a boot took for durable is so, whatever a loss of power would take now. */
static void must_be_durable(const sb_world *world, sb_node node, log_sequence seen)
{
    size_t size;
    uint64_t offset;
    const unsigned char *const bytes = sb_disk_durable(world, node, LOG, &size);
    ck_assert(write_log_read(slice_of(bytes, size), 1, 0, accept, NULL, &offset));
    ck_assert_uint_eq(offset, size);
    ck_assert_uint_ge(size, FILE_HEADER + BATCH_OF_ONE * seen);
}

static void refuse_and_stop(sb_world *world, void *context)
{
    telling *told = context;
    const sb_disk_trouble refuses = {.sync_error = 1000000};
    sb_disk_set(world, &(sb_disk){.sync_min = SB_MILLISECOND, .sync_max = SB_MILLISECOND});
    const sb_node node = sb_node_add(world, "store", "store", keeps_log, &told, sizeof(told));
    sb_node_boot(world, node);
    sb_sleep(SB_SECOND, NULL); /* one record, durable */
    sb_node_stop(world, node);
    ck_assert(sb_node_wait_down(world, node, SB_SECOND));
    sb_node_boot(world, node);
    sb_sleep(SB_MILLISECOND / 2, NULL); /* it has opened its log, and syncs the second record */
    sb_disk_trouble_set(world, node, &refuses);
    sb_sleep(SB_SECOND, NULL);
    sb_node_stop(world, node); /* what it could not sync stays in the machine's memory */
    ck_assert(sb_node_wait_down(world, node, 10 * SB_SECOND));
    sb_disk_trouble_set(world, node, NULL);
    ck_assert_uint_eq(told->boots, 2);
    sb_node_boot(world, node);
    while (told->boots == 2) {
        sb_sleep(100 * SB_MICROSECOND, NULL);
    }
    must_be_durable(world, node, told->seen[2]);
    sb_node_stop(world, node);
    ck_assert(sb_node_wait_down(world, node, 10 * SB_SECOND));
}

/* Nothing that was read at a boot can vanish: it is durable before it counts. */
START_TEST(what_is_read_is_durable)
{
    unsigned found = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        telling told = {0};
        run_in_world(refuse_and_stop, &told, seed);
        ck_assert_uint_eq(told.boots, 3);
        ck_assert_uint_ge(told.seen[2], 1);
        found += told.seen[2] == 2;
    }
    ck_assert_uint_gt(found, 0); /* that the second record was left, unsynced, is half of them */
}
END_TEST

/* ------------------------------------------------------------------------------------- names */

#define SERVER 3
#define LOG_SIZE 300u /* of the log, at which a checkpoint replaces it */
#define FENCES 60u

/* What the boots of a store have told, outside of the world. */
typedef struct diary {
    unsigned boots;
    store_opened opened;
    session_id found;        /* the fence that the last boot began with */
    session_id acknowledged; /* the highest that was durable, as the store said */
    uint32_t fences;         /* that a boot adds */
} diary;

/* Opens its store and adds fences to it, as long as they become durable. */
static int keeps_store(const sb_boot *boot)
{
    diary *of = *(diary *const *)boot->argument;
    packing regions;
    store kept;
    packing_init(&regions);
    pack_region(&regions, &(region_description){.id = 1, .epoch = 1, .leader = sb_self()});
    of->opened = store_open(&kept, packing_list(&regions), LOG_SIZE);
    packing_release(&regions);
    of->boots++;
    if (of->opened == STORE_OPENED) {
        const fence *found = store_state_fence(&kept.state, SERVER);
        of->found = found == NULL ? 0 : found->least;
        bool durable = true;
        for (uint32_t i = 1; i <= of->fences && durable; i++) {
            record_fence(store_record(&kept), SERVER, of->found + i);
            durable = store_wait(&kept, store_apply(&kept));
            of->acknowledged = durable ? of->found + i : of->acknowledged;
        }
    }
    (void)sb_sleep(SB_FOREVER, sb_shutdown_scope());
    store_close(&kept);
    return 0;
}

static sb_node add_store(sb_world *world, diary *of)
{
    sb_disk_set(world, &(sb_disk){.sync_min = SB_MILLISECOND, .sync_max = SB_MILLISECOND});
    return sb_node_add(world, "store", "store", keeps_store, &of, sizeof(of));
}

static void stop(sb_world *world, sb_node node)
{
    sb_node_stop(world, node);
    ck_assert(sb_node_wait_down(world, node, 10 * SB_SECOND));
}

/* The next boot finds all that was ever acknowledged. */
static void must_find_all(sb_world *world, sb_node node, diary *of)
{
    const unsigned before = of->boots;
    sb_node_boot(world, node);
    while (of->boots == before) {
        (void)sb_sleep(SB_MILLISECOND, NULL);
    }
    ck_assert_int_eq(of->opened, STORE_OPENED);
    ck_assert_uint_ge(of->found, of->acknowledged);
    stop(world, node);
}

/* The manifest is renamed, and the sync of that fails until the store is asked to stop; the boot
 * after that loses its power while the name is not durable yet. */
static void renamed_in_vain(sb_world *world, void *context)
{
    diary *of = context;
    const sb_node node = add_store(world, of);
    of->fences = 1;
    sb_node_boot(world, node);
    (void)sb_sleep(SB_SECOND, NULL);
    stop(world, node);
    sb_failpoints_enable(world, "durable-file-directory-sync-fails", 1000000);
    of->fences = FENCES;
    sb_node_boot(world, node);
    (void)sb_sleep(SB_SECOND, NULL);
    stop(world, node);
    sb_failpoints_enable(world, "durable-file-directory-sync-fails", 0);
    of->fences = 0;
    sb_node_boot(world, node);
    (void)sb_sleep(SB_MILLISECOND / 2, NULL);
    sb_node_kill(world, node);
    must_find_all(world, node, of);
}

/* A boot removes nothing on the word of a manifest that a loss of power could take back. */
START_TEST(what_a_lost_manifest_names_is_there)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        diary kept = {0};
        run_in_world(renamed_in_vain, &kept, seed);
        ck_assert_uint_gt(kept.acknowledged, 1);
    }
}
END_TEST

/* The first boot renames its manifest at 4 ms; from then on, for a while, no sync succeeds. */
static void born_in_trouble(sb_world *world, void *context)
{
    diary *of = context;
    const sb_disk_trouble refuses = {.sync_error = 1000000};
    const sb_node node = add_store(world, of);
    of->fences = 1;
    sb_node_boot(world, node);
    (void)sb_sleep(4 * SB_MILLISECOND + SB_MILLISECOND / 2, NULL);
    sb_disk_trouble_set(world, node, &refuses);
    (void)sb_sleep(60 * SB_MILLISECOND, NULL);
    sb_disk_trouble_set(world, node, NULL);
    while (of->acknowledged == 0) {
        (void)sb_sleep(100 * SB_MICROSECOND, NULL);
    }
    sb_node_kill(world, node);
    of->fences = 0;
    must_find_all(world, node, of);
}

/* A store acknowledges nothing before the name of its manifest is durable. */
START_TEST(a_store_is_born_once)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        diary kept = {0};
        run_in_world(born_in_trouble, &kept, seed);
    }
}
END_TEST

int main(void)
{
    Suite *const suite = suite_create("engine-log");
    TCase *const tests = tcase_create("engine-log");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, what_is_read_is_durable);
    tcase_add_test(tests, what_a_lost_manifest_names_is_there);
    tcase_add_test(tests, a_store_is_born_once);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
