/* A plant for the lint: state that survives from one seed to the next. */
#include "sim/node.h"

uint64_t plant_next(void);

uint64_t plant_next(void)
{
    static uint64_t calls;
    return ++calls;
}
