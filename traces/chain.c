/*
 * Who waits for whom, as a graph for dot: what has not ended at the top, below it whoever should
 * end it and what that waits for, down to the message that was lost.
 *
 *      [ job 1 running ] --> [ subtask 5 running ] --> ( server3#2 subtask-1-0-5 waits ... )
 *                                                          |
 *                              < reply dropped at step 9177 > <-- ( call 532 write ... )
 *
 * A task that is waited for in several places is one box: so a circle is seen as one.
 */
#include <inttypes.h>
#include <string.h>

#include "traces/trace.h"

#define LINE_MAX_WIDTH 44 /* characters of a label's line */

static const char *const styles[] = {
    [SB_LINK_THING] = "shape=box, style=filled, fillcolor=\"#fff3c4\"",
    [SB_LINK_TASK] = "shape=box, style=\"rounded,filled\", fillcolor=\"#dbeafe\"",
    [SB_LINK_EXCHANGE] = "shape=box, style=\"rounded,dashed\"",
    [SB_LINK_LOSS] = "shape=box, style=filled, fillcolor=\"#fecaca\"",
    [SB_LINK_END] = "shape=box, style=filled, fillcolor=\"#e5e7eb\"",
};

/* In lines, broken at blanks. */
static void print_label(FILE *out, const char *text)
{
    size_t width = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == ' ' && width >= LINE_MAX_WIDTH) {
            fputs("\\n", out);
            width = 0;
            continue;
        }
        if (*at == '"' || *at == '\\') {
            fputc('\\', out);
        }
        fputc(*at, out);
        width++;
    }
}

/* The box that stands for a link: of the same task there is one. */
static size_t box_of(const sb_chain *chain, size_t link)
{
    const size_t same = chain->links[link - 1].same;
    return same != 0 ? same : link;
}

bool sb_trace_chain(FILE *out, const sb_trace_view *view, char *problem, size_t problem_size)
{
    const sb_chain *const chain = view->chain;
    if (chain == NULL) {
        snprintf(problem, problem_size,
                 "--format chain: seed %" PRIu64
                 " does not stand still; expected a deadlock, livelock or stuck-job",
                 view->header->seed);
        return false;
    }
    fputs("digraph chain {\n  rankdir=TB;\n  node [fontname=\"Helvetica\", fontsize=10];\n", out);
    for (size_t i = 0; i < chain->count; i++) {
        const sb_chain_link *const link = &chain->links[i];
        if (link->same == 0) {
            fprintf(out, "  link%zu [%s, label=\"", i + 1, styles[link->kind]);
            print_label(out, link->text);
            fputs("\"];\n", out);
        }
        if (link->above != 0) {
            fprintf(out, "  link%zu -> link%zu;\n", box_of(chain, link->above),
                    box_of(chain, i + 1));
        }
    }
    fputs("}\n", out);
    return true;
}
