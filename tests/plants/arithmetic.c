/* A plant for the lint: arithmetic that differs between processors, and draws that differ between
 * compilers. */
#include "sim/node.h"

uint64_t plant_scale(uint64_t value);
uint64_t plant_pair(void);

uint64_t plant_scale(uint64_t value)
{
    return (uint64_t)((double)value * 1.1);
}

uint64_t plant_pair(void)
{
    return sb_random(10) * 10 + sb_random(10);
}
