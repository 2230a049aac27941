/*
 * `list states`: every state machine of the program, as its table declares it.
 */
#ifndef SB_TOOL_LIST_STATES_H
#define SB_TOOL_LIST_STATES_H

#include "sim/tool/options.h"

/* As text or as JSON, to standard output.  0. */
int sb_list_states(const sb_arguments *arguments, bool json);

/* For Graphviz: one cluster a machine; blue is where things are born, a double border where they
 * end.  0. */
int sb_draw_states(void);

#endif
