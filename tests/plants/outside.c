/* A plant for the lint: a program that asks the operating system instead of door 1, and looks
 * behind the door. */
#include <stdlib.h>
#include <time.h>

#include "sim/world.h"

uint64_t plant_outside(sb_world *world);

uint64_t plant_outside(sb_world *world)
{
    return (uint64_t)time(NULL) + (getenv("HOME") != NULL) + sb_world_seed(world);
}
