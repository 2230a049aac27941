/*
 * The scenarios of this product, each in a file of its own.
 */
#ifndef NODES_SCENARIOS_SCENARIOS_H
#define NODES_SCENARIOS_SCENARIOS_H

#include "sim/tool.h"

extern const sb_scenario scenario_calm;            /* nothing goes wrong */
extern const sb_scenario scenario_rolling_restart; /* issue 47902's */
extern const sb_scenario scenario_chaos; /* everything goes wrong, then nothing more does */

#endif
