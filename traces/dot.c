/*
 * A trace as a drawing: time runs downwards, one lane for each node and incarnation, one row for
 * each event.
 *
 *              placement1#1      server2#3       server2#4
 *    1  0.0s      |                  |               :
 *    2  0.1s   [send a] ---------->  |               :
 *    3  0.2s      |             [deliver a]          :
 *    4  0.3s      |             [  killed ]          :
 *
 * All positions are laid out here, in points, so that neato -n only has to draw: lanes are straight
 * and arrows of messages point downwards by construction. Boxes are as wide as a lane allows, so
 * labels are cut; the whole words are in the tooltips.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/record/memory.h"
#include "traces/trace.h"

#define AXIS_WIDTH 150 /* points left of the first lane: step and time */
#define LANE_STRIDE 206
#define BOX_WIDTH 184
#define BOX_HEIGHT 18
#define ROW_HEIGHT 27
#define HEADER_ROWS 2
#define LABEL_MAX 34
#define BOLD_LABEL_MAX 30
#define POINTS_PER_INCH 72

typedef struct lane {
    unsigned node, incarnation;
    unsigned role, rank; /* rank: of the node among those of its role */
    size_t first_row, last_row;
    bool has_died;
    size_t death_row; /* of its first kill or exit */
} lane;

typedef struct drawing {
    FILE *out;
    const sb_trace_view *view;
    lane *lanes;
    size_t lane_count;
} drawing;

/* -------------------------------------------------------------------------------------- lanes */

static int compare_lanes(const void *left, const void *right)
{
    const lane *const a = left, *const b = right;
    if (a->node != b->node) {
        return a->node < b->node ? -1 : 1;
    }
    return a->incarnation < b->incarnation ? -1 : a->incarnation > b->incarnation;
}

static lane *find_lane(const drawing *draw, unsigned node, unsigned incarnation)
{
    for (size_t i = 0; i < draw->lane_count; i++) {
        if (draw->lanes[i].node == node && draw->lanes[i].incarnation == incarnation) {
            return &draw->lanes[i];
        }
    }
    return NULL;
}

static lane *lane_of(const drawing *draw, const sb_event *event)
{
    unsigned node, incarnation;
    sb_trace_lane_of(event, &node, &incarnation);
    return find_lane(draw, node, incarnation);
}

/* A role is a name without the number at its end: server1 and server2 look alike. */
static size_t role_length(const char *name)
{
    size_t length = strlen(name);
    while (length > 0 && name[length - 1] >= '0' && name[length - 1] <= '9') {
        length--;
    }
    return length;
}

static bool same_role(const char *left, const char *right)
{
    const size_t length = role_length(left);
    return length == role_length(right) && strncmp(left, right, length) == 0;
}

/* Whether a node of the same role has a lower number. */
static bool has_role_before(const sb_record *record, unsigned node)
{
    for (unsigned other = 1; other < node; other++) {
        if (same_role(sb_record_node_name(record, other), sb_record_node_name(record, node))) {
            return true;
        }
    }
    return false;
}

/* Roles in the order of all nodes, so that every drawing of a run has the same colours. */
static void find_role(const drawing *draw, lane *of)
{
    const sb_record *const record = draw->view->record;
    const char *const name = sb_record_node_name(record, of->node);
    of->role = 0;
    of->rank = 0;
    bool found = false;
    for (unsigned node = 1; node < of->node; node++) {
        const char *const other = sb_record_node_name(record, node);
        if (same_role(other, name)) {
            of->rank++;
            found = true;
        } else if (!found && !has_role_before(record, node)) {
            of->role++;
        }
    }
}

static void collect_lanes(drawing *draw)
{
    const sb_trace_view *const view = draw->view;
    size_t capacity = 0;
    for (size_t row = 0; row < view->count; row++) {
        unsigned node, incarnation;
        sb_trace_lane_of(sb_record_event(view->record, view->steps[row]), &node, &incarnation);
        lane *known = find_lane(draw, node, incarnation);
        if (known == NULL) {
            if (draw->lane_count == capacity) {
                capacity = capacity == 0 ? 16 : capacity * 2;
                draw->lanes = sb_host_grow(draw->lanes, capacity, sizeof *draw->lanes);
            }
            known = &draw->lanes[draw->lane_count++];
            *known = (lane){.node = node, .incarnation = incarnation, .first_row = row};
        }
        known->last_row = row;
        const unsigned kind = sb_record_event(view->record, view->steps[row])->kind;
        if (!known->has_died && (kind == SB_EVENT_KILL || kind == SB_EVENT_EXIT)) {
            known->has_died = true;
            known->death_row = row;
        }
    }
    if (draw->lane_count == 0) {
        return;
    }
    qsort(draw->lanes, draw->lane_count, sizeof *draw->lanes, compare_lanes);
    for (size_t i = 0; i < draw->lane_count; i++) {
        find_role(draw, &draw->lanes[i]);
    }
}

/* Where things lie; y grows upwards in Graphviz. */
static int lane_x(const drawing *draw, const lane *at)
{
    return AXIS_WIDTH + LANE_STRIDE / 2 + (int)(at - draw->lanes) * LANE_STRIDE;
}

static long row_y(size_t row)
{
    return -(long)(row + HEADER_ROWS) * ROW_HEIGHT;
}

/* ------------------------------------------------------------------------------------ colours */

/* Hues in thousandths, far from each other and from red, which belongs to findings. */
static const unsigned hues[] = {580, 360, 90, 760, 480, 860, 140, 680};

static void print_colour(FILE *out, const lane *of, unsigned saturation, unsigned value)
{
    if (of->node == 0) {
        fprintf(out, "\"0 0 0.%03u\"", value);
        return;
    }
    const unsigned shift = of->rank % 4 * 18;
    const unsigned hue = (hues[of->role % (sizeof hues / sizeof hues[0])] + shift) % 1000;
    fprintf(out, "\"0.%03u 0.%03u 0.%03u\"", hue, saturation, value);
}

static void print_strong(FILE *out, const lane *of)
{
    print_colour(out, of, 700, 620);
}

static void print_pale(FILE *out, const lane *of)
{
    print_colour(out, of, 110, 985);
}

/* ------------------------------------------------------------------------------------ writing */

static void print_quoted(FILE *out, const char *text, size_t max)
{
    fputc('"', out);
    size_t shown = 0;
    for (const char *at = text; *at != '\0'; at++) {
        const unsigned char now = (unsigned char)*at;
        if ((now & 0xc0) != 0x80 && shown++ == max) {
            fputs("...", out);
            break;
        }
        if (now == '"' || now == '\\') {
            fputc('\\', out);
        }
        fputc(now < 0x20 ? ' ' : now, out);
    }
    fputc('"', out);
}

static void print_inches(FILE *out, const char *name, int points)
{
    fprintf(out, "%s=%d.%02d", name, points / POINTS_PER_INCH,
            points % POINTS_PER_INCH * 100 / POINTS_PER_INCH);
}

static void print_point(FILE *out, const char *name, size_t number, int x, long y)
{
    fprintf(out, "  %s%zu [shape=point style=invis width=0.01 pos=\"%d,%ld!\"];\n", name, number, x,
            y);
}

static void print_lane_header(const drawing *draw, const lane *of, const char *place, long y)
{
    char name[96];
    FILE *const out = draw->out;
    const char *const node = sb_record_node_name(draw->view->record, of->node);
    if (of->node == 0) {
        snprintf(name, sizeof name, "%s", node);
    } else {
        snprintf(name, sizeof name, "%s#%u", node, of->incarnation);
    }
    fprintf(out, "  %s%zu [label=", place, (size_t)(of - draw->lanes));
    print_quoted(out, name, LABEL_MAX);
    fputs(
        " fontname=\"Helvetica-Bold\" fontsize=11 fontcolor=white style=\"filled,rounded\" color=",
        out);
    print_strong(out, of);
    fputs(" fillcolor=", out);
    print_strong(out, of);
    fputs(" height=0.34 ", out);
    print_inches(out, "width", BOX_WIDTH - 20);
    fprintf(out, " pos=\"%d,%ld!\" tooltip=", lane_x(draw, of), y);
    print_quoted(out, name, sizeof name);
    fputs("];\n", out);
}

/* The life line: from the header down to the end, or to where the machine died. */
static void print_lane(const drawing *draw, const lane *of)
{
    const size_t number = (size_t)(of - draw->lanes);
    const long top = of->first_row == 0 ? row_y(0) + ROW_HEIGHT : row_y(of->first_row);
    const size_t bottom_row = of->has_died ? of->death_row : draw->view->count;
    print_lane_header(draw, of, "head", row_y(0) + ROW_HEIGHT * 2 - ROW_HEIGHT / 2);
    print_point(draw->out, "top", number, lane_x(draw, of), row_y(0) + ROW_HEIGHT);
    print_point(draw->out, "born", number, lane_x(draw, of), top);
    print_point(draw->out, "end", number, lane_x(draw, of), row_y(bottom_row));
    fprintf(draw->out, "  top%zu -> born%zu [dir=none style=dotted penwidth=1 color=", number,
            number);
    print_colour(draw->out, of, 300, 800);
    fprintf(draw->out, "];\n  born%zu -> end%zu [dir=none penwidth=2 color=", number, number);
    print_colour(draw->out, of, 300, 850);
    fputs("];\n", draw->out);
}

static void print_axis(const drawing *draw, size_t row, const sb_event *event)
{
    const sb_step step = draw->view->steps[row];
    fprintf(draw->out,
            "  axis%zu [shape=plain fontsize=8 fontcolor=\"#777777\" label=\"%" PRIu64 "   %" PRIu64
            ".%06" PRIu64 "s\" pos=\"%d,%ld!\"];\n",
            row, step, event->time / 1000000000, event->time / 1000 % 1000000, AXIS_WIDTH / 2,
            row_y(row));
}

/* A line across all lanes, for what concerns more than one machine. */
static void print_ruler(const drawing *draw, size_t row, const char *colour)
{
    const int right = AXIS_WIDTH + (int)draw->lane_count * LANE_STRIDE;
    print_point(draw->out, "left", row, AXIS_WIDTH - 10, row_y(row));
    print_point(draw->out, "right", row, right, row_y(row));
    fprintf(draw->out, "  left%zu -> right%zu [dir=none style=dashed penwidth=1 color=\"%s\"];\n",
            row, row, colour);
}

/* How a kind of event looks: fill, border and font; NULL: in the lane's own colours. */
typedef struct look {
    const char *fill, *border, *font;
    bool strong, ruler;
} look;

static look look_of(const sb_trace_view *view, sb_step step, const sb_event *event)
{
    if (step == view->finding || event->kind == SB_EVENT_FINDING) {
        return (look){"#d01c1c", "#7d0000", "white", true, false};
    }
    switch (event->kind) {
    case SB_EVENT_KILL:
        return (look){"#222222", "#222222", "white", true, false};
    case SB_EVENT_EXIT:
    case SB_EVENT_STOP:
    case SB_EVENT_PAUSE:
        return (look){"#666666", "#444444", "white", false, false};
    case SB_EVENT_DROP:
    case SB_EVENT_RESET:
    case SB_EVENT_CRASHED_WRITE:
    case SB_EVENT_CRASHED_NAME:
        return (look){"#fde3e1", "#c0392b", "#8e1b10", false, false};
    case SB_EVENT_FAULT:
    case SB_EVENT_FAILPOINT:
    case SB_EVENT_CLOCK:
        return (look){"#ffe8cc", "#d9730d", "#8a4700", true, event->kind == SB_EVENT_FAULT};
    case SB_EVENT_HEAL:
    case SB_EVENT_RESUME:
        return (look){"#ddf3e0", "#2e8b45", "#14532d", false, event->kind == SB_EVENT_HEAL};
    case SB_EVENT_BOOT:
        return (look){"#ddf3e0", "#2e8b45", "#14532d", true, false};
    case SB_EVENT_PHASE:
        return (look){"#eeeeee", "#999999", "#333333", true, true};
    case SB_EVENT_MOVE:
    case SB_EVENT_CALL:
    case SB_EVENT_SERVE:
        return (look){NULL, NULL, "#111111", true, false};
    default:
        return (look){NULL, NULL, "#222222", false, false};
    }
}

static void cut_at(char *text, const char *mark)
{
    char *const at = strstr(text, mark);
    if (at != NULL) {
        *at = '\0';
    }
}

/* Where a state machine has got to: "job 7 -> running". */
static void move_label(const sb_record *record, const sb_event *event, char *label, size_t size)
{
    const char *const into = sb_record_state_name(record, event->a, SB_EDGE_TO(event->c));
    if (into != NULL) {
        snprintf(label, size, "%s %" PRIu64 " -> %s", sb_record_machine_name(record, event->a),
                 event->b, into);
    }
}

/* What fits into a box: the words without numbers that only the tooltip needs. */
static void short_label(const sb_record *record, const sb_event *event, const char *words,
                        char *label, size_t size)
{
    snprintf(label, size, "%s", words);
    switch (event->kind) {
    case SB_EVENT_MOVE:
        move_label(record, event, label, size);
        break;
    case SB_EVENT_CALL:
    case SB_EVENT_SERVE:
    case SB_EVENT_ANSWER:
        cut_at(label, " number ");
        break;
    case SB_EVENT_CALL_END:
        cut_at(label, " number ");
        if (event->c != 0) {
            const size_t used = strlen(label);
            snprintf(label + used, size - used, ": %s", sb_status_word(event->c));
        }
        break;
    case SB_EVENT_SPAWN:
        cut_at(label, " child ");
        break;
    case SB_EVENT_DROP:
        snprintf(label, size, "drop: %s", sb_record_fault_name(record, event->b));
        break;
    case SB_EVENT_KILL:
        snprintf(label, size, "killed");
        break;
    case SB_EVENT_FINDING:
        cut_at(label, ":");
        break;
    default:
        break;
    }
}

/* A row that stands for many says for how many, and cuts its words for it: "fire sleep  x94". */
static void add_count(const sb_trace_view *view, size_t row, char *label, size_t max)
{
    if (view->notes == NULL || view->notes[row].count < 2) {
        return;
    }
    char count[24];
    snprintf(count, sizeof count, "  x%" PRIu32, view->notes[row].count);
    const size_t used = strlen(label), room = max - strlen(count);
    snprintf(label + (used > room ? room - 3 : used), sizeof count + 3, "%s%s",
             used > room ? "..." : "", count);
}

static void print_event(const drawing *draw, size_t row, const sb_event *event)
{
    FILE *const out = draw->out;
    const sb_step step = draw->view->steps[row];
    const lane *const of = lane_of(draw, event);
    const look looks = look_of(draw->view, step, event);
    const size_t label_max = looks.strong ? BOLD_LABEL_MAX : LABEL_MAX;
    char text[1024], label[1024 + 32], lane_text[128], tooltip[1400];
    sb_record_describe(draw->view->record, step, text, sizeof text);
    short_label(draw->view->record, event, text, label, sizeof label);
    add_count(draw->view, row, label, label_max);
    sb_trace_lane_text(draw->view->record, step, lane_text, sizeof lane_text);
    snprintf(tooltip, sizeof tooltip, "step %" PRIu64 ", %" PRIu64 ".%09" PRIu64 "s, %s: %s", step,
             event->time / 1000000000, event->time % 1000000000, lane_text, text);
    if (looks.ruler) {
        print_ruler(draw, row, looks.border);
    }
    fprintf(out, "  e%" PRIu64 " [id=\"step-%" PRIu64 "\" class=\"%s\" label=", step, step,
            sb_event_descriptions[event->kind].word);
    print_quoted(out, label, label_max);
    fputs(" tooltip=", out);
    print_quoted(out, tooltip, sizeof tooltip);
    fprintf(out, " fontname=\"%s\" fontcolor=\"%s\" ",
            looks.strong ? "Helvetica-Bold" : "Helvetica", looks.font);
    if (looks.fill != NULL) {
        fprintf(out, "fillcolor=\"%s\" color=\"%s\"", looks.fill, looks.border);
    } else {
        fputs("fillcolor=", out);
        print_pale(out, of);
        fputs(" color=", out);
        print_strong(out, of);
    }
    fprintf(out, " pos=\"%d,%ld!\"];\n", lane_x(draw, of), row_y(row));
}

static bool is_shown(const sb_trace_view *view, sb_step step)
{
    size_t low = 0, high = view->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (view->steps[middle] < step) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < view->count && view->steps[low] == step;
}

/* The nearest cause that is drawn; 0: none.  A slice leaves out the messages of a call: what led to
 * the serving is the calling that stands just before the send.  *is_message: one lies between. */
static sb_step find_origin(const sb_trace_view *view, const sb_event *event, bool *is_message)
{
    *is_message = false;
    for (sb_step cause = event->cause; cause != 0;) {
        const sb_event *const led = sb_record_event(view->record, cause);
        if (led == NULL) {
            return 0;
        }
        const bool is_send = led->kind == SB_EVENT_SEND || led->kind == SB_EVENT_DUPLICATE;
        *is_message = *is_message || is_send;
        if (is_shown(view, cause)) {
            return cause;
        }
        const sb_event *const before = is_send ? sb_record_event(view->record, cause - 1) : NULL;
        if (before != NULL && before->task == led->task && before->node == led->node &&
            is_shown(view, cause - 1)) {
            return cause - 1;
        }
        cause = led->cause;
    }
    return 0;
}

/* What a task did since it was set going has one arrow, to the first of it that is drawn. */
static bool has_sibling_before(const drawing *draw, size_t row, sb_step origin)
{
    const sb_trace_view *const view = draw->view;
    const sb_event *const event = sb_record_event(view->record, view->steps[row]);
    while (row-- > 0 && view->steps[row] > origin) {
        const sb_event *const other = sb_record_event(view->record, view->steps[row]);
        if (event->task != 0 && other->task == event->task && other->node == event->node &&
            lane_of(draw, other) == lane_of(draw, event)) {
            return true;
        }
    }
    return false;
}

/* From a cause to its effect, where it leaves the lane: a message, or one machine that does
 * something to another. */
static void print_arrow(const drawing *draw, size_t row)
{
    FILE *const out = draw->out;
    const sb_step step = draw->view->steps[row];
    const sb_event *const event = sb_record_event(draw->view->record, step);
    bool is_message;
    const sb_step origin = find_origin(draw->view, event, &is_message);
    if (origin == 0) {
        return;
    }
    const sb_event *const cause = sb_record_event(draw->view->record, origin);
    const lane *const from = lane_of(draw, cause);
    if (from == lane_of(draw, event) ||
        (origin != event->cause && has_sibling_before(draw, row, origin))) {
        return;
    }
    fprintf(out, "  e%" PRIu64 " -> e%" PRIu64 " [edgetooltip=\"%" PRIu64 " led to %" PRIu64 "\" ",
            origin, step, origin, step);
    if (event->kind == SB_EVENT_DROP) {
        fputs("style=dashed penwidth=1.4 color=\"#c0392b\"", out);
    } else if (is_message) {
        fputs("penwidth=1.4 color=", out);
        print_strong(out, from);
    } else {
        fputs("style=dashed penwidth=0.8 color=\"#888888\"", out);
    }
    fputs("];\n", out);
}

static void print_title(const drawing *draw)
{
    const sb_record_header *const header = draw->view->header;
    const int width = AXIS_WIDTH + (int)draw->lane_count * LANE_STRIDE;
    char title[512];
    snprintf(title, sizeof title, "%s  seed %" PRIu64 "  strategy %s  build %s  %s",
             header->scenario, header->seed, header->strategy, header->build, header->options);
    fputs(
        "  title [shape=plain fontname=\"Helvetica-Bold\" fontsize=12 fontcolor=\"#222222\" label=",
        draw->out);
    print_quoted(draw->out, title, sizeof title);
    fprintf(draw->out, " pos=\"%d,%ld!\"];\n", width / 2, row_y(0) + ROW_HEIGHT * 3);
}

bool sb_trace_dot(FILE *out, const sb_trace_view *view, char *problem, size_t problem_size)
{
    (void)problem, (void)problem_size;
    drawing draw = {.out = out, .view = view};
    collect_lanes(&draw);
    fputs("digraph trace {\n"
          "  graph [splines=line outputorder=edgesfirst bgcolor=white pad=0.25 "
          "fontname=\"Helvetica\"];\n"
          "  node [shape=box style=\"filled,rounded\" fontname=\"Helvetica\" fontsize=9 "
          "margin=\"0.02,0\" fixedsize=shape ",
          out);
    print_inches(out, "width", BOX_WIDTH);
    fputc(' ', out);
    print_inches(out, "height", BOX_HEIGHT);
    fputs("];\n  edge [arrowsize=0.6];\n", out);
    print_title(&draw);
    for (size_t i = 0; i < draw.lane_count; i++) {
        print_lane(&draw, &draw.lanes[i]);
    }
    for (size_t row = 0; row < view->count && !ferror(out); row++) {
        const sb_event *const event = sb_record_event(view->record, view->steps[row]);
        print_axis(&draw, row, event);
        print_event(&draw, row, event);
    }
    for (size_t row = 0; row < view->count && !ferror(out); row++) {
        print_arrow(&draw, row);
    }
    fputs("}\n", out);
    free(draw.lanes);
    return true;
}
