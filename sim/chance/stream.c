/*
 * Named streams of choices.
 *
 * A stream belongs to a node and a purpose; its generator is seeded by XXH3 of its name under the
 * world's seed when it is first drawn from, so that a new draw in one place shifts no other. A tape
 * notes the choices that were not 0, keyed by stream and ordinal; a world that follows a tape
 * answers 0 where the tape says nothing, and takes a value that is out of bounds now (the code has
 * changed) as 0 too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/kernel.h"

static const char *const stream_words[SB_STREAM_COUNT] = {
#define STREAM(name, word) word,
#include "sim/chance/streams.def"
#undef STREAM
};

static int name_of(const sb_node_state *node, sb_stream stream, char *name)
{
    _Static_assert(SB_STREAM_NAME_MAX >= 2 * SB_TASK_NAME_MAX, "a node's name and a word");
    return snprintf(name, SB_STREAM_NAME_MAX, "%s/%s", node->name, stream_words[stream]);
}

void sb_stream_name(const sb_world *world, sb_node node, sb_stream stream, char *name)
{
    name_of(sb_node_given(world, node, __func__), stream, name);
}

uint64_t sb_stream_hash(const char *name)
{
    return XXH3_64bits(name, strlen(name));
}

/* The streams of one purpose differ: machines that draw alike would fail alike. */
static void must_differ(sb_world *world, const sb_node_state *node, sb_stream stream,
                        const sb_choice_stream *opened)
{
    for (unsigned i = 0; i < world->node_count; i++) {
        const sb_choice_stream *const other = world->nodes[i]->streams[stream];
        if (other != NULL && (other == opened || other->name_hash == opened->name_hash ||
                              other->start == opened->start)) {
            sb_misuse(world, SB_FINDING_ASSERTION, "streams",
                      "%s and %s draw from one stream for their %s; expected one of its own for "
                      "each machine",
                      world->nodes[i]->name, node->name, stream_words[stream]);
        }
    }
}

void sb_stream_is_foreign(sb_world *world, const sb_node_state *node, sb_stream stream)
{
    sb_misuse(world, SB_FINDING_ASSERTION, "streams",
              "%s draws from the stream %s/%s; expected its own", world->running->node->name,
              node->name, stream_words[stream]);
}

sb_choice_stream *sb_stream_open(sb_world *world, sb_node_state *node, sb_stream stream)
{
    char name[SB_STREAM_NAME_MAX];
    const int size = name_of(node, stream, name);
    sb_choice_stream *const opened = sb_kernel_alloc(world, sizeof(*opened));
    sb_mersenne_seed(&opened->mersenne, XXH3_64bits_withSeed(name, (size_t)size, world->seed));
    opened->name_hash = XXH3_64bits(name, (size_t)size);
    opened->ordinal = 0;
    opened->tape_next = 0;
    opened->start = opened->mersenne.words[0];
    must_differ(world, node, stream, opened);
    node->streams[stream] = opened;
    return opened;
}

static void tape_note(sb_tape *tape, const sb_choice_stream *stream, uint64_t value)
{
    if (tape->count == tape->capacity) {
        tape->capacity = tape->capacity == 0 ? 1024 : 2 * tape->capacity;
        tape->choices = realloc(tape->choices, tape->capacity * sizeof(*tape->choices));
        if (tape->choices == NULL) {
            abort();
        }
    }
    tape->choices[tape->count++] = (sb_taped_choice){stream->name_hash, stream->ordinal, value};
}

/* The tape's word on this choice. Each stream reads the tape once, from front to back. */
static uint64_t tape_value(const sb_tape *tape, sb_choice_stream *stream)
{
    for (size_t i = stream->tape_next; i < tape->count; i++) {
        const sb_taped_choice *const choice = &tape->choices[i];
        if (choice->stream == stream->name_hash && choice->ordinal >= stream->ordinal) {
            stream->tape_next = i;
            return choice->ordinal == stream->ordinal ? choice->value : 0;
        }
    }
    stream->tape_next = tape->count;
    return 0;
}

uint64_t sb_choose_slow(sb_world *world, sb_node_state *node, sb_stream stream, uint64_t bound)
{
    if (world->choice_mode == SB_CHOICE_CALM) {
        return 0;
    }
    sb_choice_stream *from = node->streams[stream];
    if (from == NULL) {
        from = sb_stream_open(world, node, stream);
    }
    from->ordinal++;
    uint64_t value;
    if (world->tape != NULL) {
        value = tape_value(world->tape, from);
        value = value < bound ? value : 0;
    } else {
        value = sb_mersenne_bounded(&from->mersenne, bound);
    }
    if (world->tape_out != NULL && value != 0) {
        tape_note(world->tape_out, from, value);
    }
    return value;
}

void sb_tape_release(sb_tape *tape)
{
    free(tape->choices);
    *tape = (sb_tape){NULL, 0, 0};
}
