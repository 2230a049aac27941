/*
 * The file of a trace: one JSON object a line, the source of truth for every renderer.
 *
 * The first line is the header, every other line one event, in the order of steps:
 *
 *   {"trace":"seedbed","schema":1,"scenario":"rolling-restart","seed":"4711","strategy":"pct-2",
 *    "build":"4f2c1ab","options":"","config":"9f2b...","nodes":["director","store1"],
 *    "machines":[{"name":"job","states":["queueing","running"]}]}
 *   {"step":"7","time":"36490126000","node":"server2","incarnation":3,"task":"poller","kind":"send",
 *    "message":"5c0e1f...","causes":["5"],"text":"send to store1 96 bytes",
 *    "fields":{"to":"store1","hash":"5c0e1f...","size":"96"},"at":[2,14,513],
 *    "values":["4","6633...","96"]}
 *
 * 64-bit numbers are strings.  `text` and `fields` are for people and scripts; `at` (node number,
 * lane, observed bits) and `values` (the three raw values) are what the reader restores an event
 * from, bit for bit. `message` is there for events that carry the hash of a message, `config` is a
 * hash over all other words of the header, so that two files can be told to stem from the same run
 * at a glance.
 */
#ifndef SB_RECORD_TRACE_FILE_H
#define SB_RECORD_TRACE_FILE_H

#include "sim/record/record.h"

#define SB_TRACE_SCHEMA 1

/* A string as JSON, quotes included.  Bytes that are no UTF-8 are written as the code points of
 * their values. */
void sb_json_string(FILE *out, const char *text);

/* Write the header and these events (steps NULL: every kept one).  Failures are the stream's: see
 * ferror. */
void sb_trace_write(FILE *out, const sb_record *record, const sb_record_header *header,
                    const sb_step *steps, size_t count);

/* A trace as read from a file; the header's words live as long as it does. */
typedef struct sb_trace_file {
    sb_record_header header;
    sb_record *record; /* steps that are not in the file are not kept */
    char *words;
} sb_trace_file;

/* False, with one line of what is wrong and where, when it is no trace.  Nothing is left to release
 * then. */
bool sb_trace_read(FILE *in, sb_trace_file *trace, char *problem, size_t problem_size);
void sb_trace_file_release(sb_trace_file *trace);

#endif
