/*
 * A worker's process; see worker.h.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sim/tool/contract.h"
#include "sim/tool/effect.h"
#include "sim/tool/worker.h"

static bool read_whole(int from, void *data, size_t size)
{
    for (size_t have = 0; have < size;) {
        const ssize_t count = read(from, (char *)data + have, size - have);
        if (count == 0 || (count < 0 && errno != EINTR)) {
            return false;
        }
        have += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static bool write_whole(int to, const void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        const ssize_t count = write(to, (const char *)data + done, size - done);
        if (count < 0 && errno != EINTR) {
            return false;
        }
        done += count > 0 ? (size_t)count : 0;
    }
    return true;
}

static void retire(sb_watch *watch) __attribute__((noreturn));
static void retire(sb_watch *watch)
{
    watch->retired = 1;
    _exit(0);
}

static void run_batch(const sb_pool_options *options, sb_universe *universe,
                      const sb_worker_command *command, sb_watch *watch, int result_pipe)
{
    sb_world_options world_options = {.progress = &watch->step};
    for (uint64_t index = command->first; index < command->first + command->count; index++) {
        if (__atomic_load_n(&watch->stop, __ATOMIC_RELAXED) != 0) {
            retire(watch);
        }
        sb_seed_result result;
        watch->index = index;
        const sb_run_name name = sb_sequence_run(options->seeds, index);
        sb_plan plan = sb_plan_at(options->plan, name.ordinal);
        plan.masked |= name.masked;
        world_options.observed =
            name.masked != 0 || sb_effect_kinds(name.seed, options->effect_share) != 0;
        watch->seed = name.seed;
        watch->step = 0;
        __atomic_store_n(&watch->busy, 1, __ATOMIC_RELEASE);
        sb_run_seed(universe, &plan, name.seed, &world_options, &result);
        result.index = index;
        const bool written = write_whole(result_pipe, &result, sizeof result);
        __atomic_store_n(&watch->busy, 0, __ATOMIC_RELEASE);
        if (!written || sb_is_by_signal(&result)) {
            retire(watch);
        }
    }
}

void sb_worker_main(const sb_pool_options *options, sb_watch *watch, int command_pipe,
                    int result_pipe)
{
    sb_universe *const universe = sb_open_universe(options->universe);
    sb_worker_command command;
    while (read_whole(command_pipe, &command, sizeof command) && command.count != 0) {
        run_batch(options, universe, &command, watch, result_pipe);
    }
    retire(watch);
}

void sb_worker_finding(sb_seed_result *result, sb_finding_kind kind, const char *text)
{
    result->outcome = SB_OUTCOME_FINDING;
    result->finding_kind = (uint8_t)kind;
    result->finding_step = result->steps;
    result->signature = (uint32_t)XXH3_64bits_withSeed(text, strlen(text), (uint64_t)kind);
    snprintf(result->text, sizeof result->text, "%s", text);
}
