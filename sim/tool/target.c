/*
 * Finding the run; see target.h.
 */
#include "sim/tool/target.h"

#include <string.h>

#include "sim/tool/contract.h"

/* Options of the command line outweigh what the file says; bugs, masks and settings of both count.
 */
static int merge_words(const sb_arguments *arguments, const char *path, const sb_kept_seed *kept,
                       sb_plan_words *words)
{
    *words = kept->plan;
    if (arguments->plan.strategy != NULL) {
        words->strategy = arguments->plan.strategy;
    }
    if (words->bug_count + arguments->plan.bug_count > SB_WORD_MAX ||
        words->mask_count + arguments->plan.mask_count > SB_WORD_MAX ||
        words->setting_count + arguments->plan.setting_count > SB_WORD_MAX) {
        return sb_complain(
            SB_EXIT_USAGE,
            "%s: has too many bugs, masks and settings with those given; expected at most %d", path,
            SB_WORD_MAX);
    }
    for (unsigned i = 0; i < arguments->plan.failpoint_count; i++) {
        if (words->failpoint_count == SB_WORD_MAX) {
            return sb_complain(SB_EXIT_USAGE,
                               "%s: has too many failpoints with those given; expected at most %d",
                               path, SB_WORD_MAX);
        }
        words->failpoints[words->failpoint_count++] = arguments->plan.failpoints[i];
    }
    if (arguments->plan.exhaust != NULL) {
        words->exhaust = arguments->plan.exhaust;
    }
    if (arguments->plan.place != NULL) {
        words->place = arguments->plan.place;
    }
    for (unsigned i = 0; i < arguments->plan.bug_count; i++) {
        words->bugs[words->bug_count++] = arguments->plan.bugs[i];
    }
    for (unsigned i = 0; i < arguments->plan.mask_count; i++) {
        words->masks[words->mask_count++] = arguments->plan.masks[i];
    }
    for (unsigned i = 0; i < arguments->plan.setting_count; i++) {
        words->settings[words->setting_count++] = arguments->plan.settings[i];
    }
    return 0;
}

static int find_kept(const sb_arguments *arguments, const char *path, sb_target *target)
{
    char problem[SB_PROBLEM_SIZE];
    sb_plan_words words;
    int code = sb_kept_seed_read(&target->kept, path);
    if (code != 0) {
        return code;
    }
    target->is_kept = true;
    target->path = path;
    target->seed = target->kept.seed;
    code = merge_words(arguments, path, &target->kept, &words);
    if (code == 0 && !sb_plan_resolve(arguments->product, &words, &target->plan, problem)) {
        code = sb_complain(SB_EXIT_IO, "%s: %s", path, problem);
    }
    if (code != 0) {
        sb_kept_seed_release(&target->kept);
    } else if (target->kept.has_tape) {
        target->plan.tape = &target->kept.tape;
        target->plan.path = path;
        sb_plan_words_text(&arguments->plan, target->beside, sizeof target->beside);
        target->plan.beside = target->beside;
    }
    return code;
}

static int find(const sb_arguments *arguments, sb_target *target)
{
    char problem[SB_PROBLEM_SIZE];
    const unsigned count = arguments->positional_count;
    if (count == 0) {
        return sb_complain(SB_EXIT_USAGE,
                           "no seed is given; expected [SCENARIO] SEED, or a file of a kept seed");
    }
    const char *const word = arguments->positionals[count - 1];
    if (sb_is_seed_file(word)) {
        if (count > 1) {
            return sb_complain(
                SB_EXIT_USAGE,
                "'%s' stands before a kept seed, which names its scenario itself; expected only %s",
                arguments->positionals[0], word);
        }
        return find_kept(arguments, word, target);
    }
    if (!sb_parse_number(word, &target->seed, problem)) {
        return sb_complain(SB_EXIT_USAGE, "seed: '%s' %s", word, problem);
    }
    return sb_arguments_plan(arguments, count > 1 ? arguments->positionals[0] : NULL,
                             &target->plan);
}

/* One run has at most one place that fails. */
int sb_target_find(const sb_arguments *arguments, sb_target *target)
{
    memset(target, 0, sizeof *target);
    const int code = find(arguments, target);
    const sb_exhaust *const exhaust = &target->plan.exhaust;
    if (code != 0 || exhaust->kind == SB_EXHAUST_NONE || exhaust->ordinal != 0) {
        return code;
    }
    sb_target_release(target);
    return sb_complain(SB_EXIT_USAGE, "--exhaust: '%s' has no place; expected --at PLACE beside it",
                       sb_exhaust_word(exhaust->kind));
}

void sb_target_release(sb_target *target)
{
    if (target->is_kept) {
        sb_kept_seed_release(&target->kept);
    }
}
