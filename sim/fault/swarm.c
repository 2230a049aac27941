/*
 * What trouble a world has: drawn once, when the swarm starts.
 */
#include "sim/fault/swarm.h"

_Static_assert(SB_FAULT_COUNT <= 64, "a plan's kinds are 64 bits");

#define NETWORK_KINDS                                                                              \
    (SB_KIND(DELAY) | SB_KIND(REORDER) | SB_KIND(LOSS) | SB_KIND(REPLY_LOSS) |                     \
     SB_KIND(DUPLICATE) | SB_KIND(CORRUPT) | SB_KIND(RESET) | SB_KIND(PARTITION) |                 \
     SB_KIND(PARTITION_ONE_WAY) | SB_KIND(PARTITION_PARTIAL) | SB_KIND(CLOG) | SB_KIND(BANDWIDTH))
#define CRASH_KINDS                                                                                \
    (SB_KIND(LOST_WRITE) | SB_KIND(TORN_WRITE) | SB_KIND(LOST_NAME) |                              \
     SB_KIND(PERSISTED_UNACKNOWLEDGED))
#define DISK_KINDS (CRASH_KINDS | SB_KIND(SYNC_LATENCY) | SB_ONE_DISK_KINDS)
#define CODE_KINDS SB_KIND(FAILPOINT)

/* -------------------------------------------------------------------------------------- draws */

static unsigned log_of(uint64_t value)
{
    return 63u - (unsigned)__builtin_clzll(value);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

uint64_t sb_draw_log(sb_world *world, sb_stream stream, uint64_t low, uint64_t high)
{
    sb_assert(0 < low && low <= high);
    const unsigned first = log_of(low), last = log_of(high);
    const uint64_t base = UINT64_C(1) << (first + sb_choose(world, stream, last - first + 1));
    return clamp(base + sb_choose(world, stream, base), low, high);
}

uint64_t sb_draw_log_down(sb_world *world, sb_stream stream, uint64_t low, uint64_t high)
{
    sb_assert(0 < low && low <= high);
    const unsigned first = log_of(low), last = log_of(high);
    const uint64_t base = UINT64_C(1) << (last - sb_choose(world, stream, last - first + 1));
    return clamp(2 * base - 1 - sb_choose(world, stream, base), low, high);
}

/* A family is off, mild or harsh; of one that is on, three in four of its declared kinds are there.
 */
static sb_swarm_level draw_level(sb_swarm *swarm, uint64_t family)
{
    sb_world *const world = swarm->world;
    const uint64_t declared = swarm->plan.kinds & family;
    if (declared == 0) {
        return SB_SWARM_OFF;
    }
    const sb_swarm_level level = (sb_swarm_level)sb_choose(world, SB_STREAM_SWARM, 3);
    for (unsigned fault = 0; fault < SB_FAULT_COUNT && level != SB_SWARM_OFF; fault++) {
        if ((declared >> fault & 1) != 0 && sb_choose(world, SB_STREAM_SWARM, 4) != 0) {
            swarm->kinds |= UINT64_C(1) << fault;
            sb_fault_armed(world, (sb_fault)fault);
        }
    }
    return level;
}

/* In a million; 0 when the world has no such fault. */
static uint32_t draw_rate(sb_swarm *swarm, sb_swarm_level level, sb_fault fault, uint32_t mild_max,
                          uint32_t harsh_max)
{
    if (!sb_swarm_has(swarm, fault)) {
        return 0;
    }
    const uint32_t high = level == SB_SWARM_HARSH ? harsh_max : mild_max;
    return (uint32_t)sb_draw_log(swarm->world, SB_STREAM_SWARM, high / 100, high);
}

/* ----------------------------------------------------------------------------------- families */

#define BANDWIDTH_MAX (UINT64_C(8) << 20) /* bytes a second */

static void draw_noise(sb_swarm *swarm)
{
    const sb_swarm_level level = swarm->network_level;
    sb_network *const trouble = &swarm->trouble;
    *trouble = swarm->calm;
    trouble->loss += draw_rate(swarm, level, SB_FAULT_LOSS, 10000, 100000);
    trouble->reply_loss += draw_rate(swarm, level, SB_FAULT_REPLY_LOSS, 10000, 100000);
    trouble->duplicate += draw_rate(swarm, level, SB_FAULT_DUPLICATE, 10000, 200000);
    trouble->reset += draw_rate(swarm, level, SB_FAULT_RESET, 1000, 10000);
    trouble->corrupt += draw_rate(swarm, level, SB_FAULT_CORRUPT, 10000, 100000);
    trouble->reorder += draw_rate(swarm, level, SB_FAULT_REORDER, 20000, 500000);
    if (sb_swarm_has(swarm, SB_FAULT_BANDWIDTH)) {
        const uint64_t least = level == SB_SWARM_HARSH ? BANDWIDTH_MAX >> 10 : BANDWIDTH_MAX >> 6;
        trouble->bandwidth =
            sb_draw_log_down(swarm->world, SB_STREAM_SWARM, least, BANDWIDTH_MAX - 1);
    }
}

/* Delay is always there once it is drawn: it is no epoch but the shape of this world's network. */
static void draw_network(sb_swarm *swarm)
{
    sb_world *const world = swarm->world;
    sb_network *const calm = &swarm->calm;
    swarm->network_level = draw_level(swarm, NETWORK_KINDS);
    swarm->before = world->network;
    *calm = world->network;
    if (sb_swarm_has(swarm, SB_FAULT_DELAY)) {
        const uint64_t doublings = swarm->network_level == SB_SWARM_HARSH ? 8 : 5;
        calm->tail = true;
        calm->tail_max = (uint8_t)(1 + sb_choose(world, SB_STREAM_SWARM, doublings));
        calm->scale_max = (uint8_t)sb_choose(world, SB_STREAM_SWARM, 4);
    }
    draw_noise(swarm);
    sb_network_set(world, calm);
}

static void draw_disk(sb_swarm *swarm)
{
    sb_world *const world = swarm->world;
    swarm->disk_level = draw_level(swarm, DISK_KINDS);
    sb_disk disk = world->disk;
    disk.keep_on_crash = (swarm->kinds & CRASH_KINDS) == 0;
    if (sb_swarm_has(swarm, SB_FAULT_SYNC_LATENCY)) {
        const sb_duration floor = disk.sync_max > SB_MICROSECOND ? disk.sync_max : SB_MICROSECOND;
        const uint64_t factor = swarm->disk_level == SB_SWARM_HARSH ? 512 : 16;
        disk.sync_max = sb_draw_log(world, SB_STREAM_SWARM, floor, floor * factor);
    }
    sb_disk_set(world, &disk);
    sb_disk_trouble *const trouble = &swarm->disk;
    const sb_swarm_level level = swarm->disk_level;
    trouble->read_error = draw_rate(swarm, level, SB_FAULT_READ_ERROR, 10000, 200000);
    trouble->write_error = draw_rate(swarm, level, SB_FAULT_WRITE_ERROR, 10000, 200000);
    trouble->sync_error = draw_rate(swarm, level, SB_FAULT_SYNC_ERROR, 10000, 200000);
    trouble->sync_stall = draw_rate(swarm, level, SB_FAULT_SYNC_STALL, 10000, 200000);
    trouble->bit_rot = draw_rate(swarm, level, SB_FAULT_BIT_ROT, 10000, 200000);
    trouble->misdirect = draw_rate(swarm, level, SB_FAULT_MISDIRECTED_WRITE, 10000, 200000);
    trouble->io_latency = draw_rate(swarm, level, SB_FAULT_IO_LATENCY, 10000, 200000);
    trouble->full = sb_swarm_has(swarm, SB_FAULT_DISK_FULL);
}

#define SKEW_MILD_MAX SB_SECOND
#define SKEW_HARSH_MAX (600 * SB_SECOND)

sb_duration sb_swarm_draw_skew(sb_swarm *swarm, sb_stream stream)
{
    return sb_draw_log(swarm->world, stream, SB_MILLISECOND,
                       swarm->clock_level == SB_SWARM_HARSH ? SKEW_HARSH_MAX : SKEW_MILD_MAX);
}

static int64_t with_sign(sb_world *world, uint64_t value)
{
    return sb_choose(world, SB_STREAM_CLOCK, 2) == 0 ? (int64_t)value : -(int64_t)value;
}

void sb_swarm_set_clock(sb_swarm *swarm, sb_node number)
{
    sb_world *const world = swarm->world;
    const sb_node_state *const node = world->nodes[number];
    const bool harsh = swarm->clock_level == SB_SWARM_HARSH;
    int64_t skew = node->skew;
    int32_t drift = node->drift;
    if (sb_swarm_has(swarm, SB_FAULT_SKEW) && sb_choose(world, SB_STREAM_CLOCK, 2) != 0) {
        skew = with_sign(world, sb_swarm_draw_skew(swarm, SB_STREAM_CLOCK));
    }
    if (node->power == SB_NODE_DOWN && sb_swarm_has(swarm, SB_FAULT_DRIFT) &&
        sb_choose(world, SB_STREAM_CLOCK, 2) != 0) {
        const uint64_t most = harsh ? 10000 : 100;
        drift = (int32_t)with_sign(world, sb_draw_log(world, SB_STREAM_CLOCK, 1, most));
    }
    if (skew != node->skew || drift != node->drift) {
        sb_clock_set(world, number, skew, drift);
    }
}

static void draw_clocks(sb_swarm *swarm)
{
    sb_world *const world = swarm->world;
    swarm->clock_level = draw_level(swarm, SB_CLOCK_KINDS);
    for (unsigned i = 1; i < world->node_count; i++) {
        if ((swarm->plan.victims >> i & 1) != 0) {
            sb_swarm_set_clock(swarm, (sb_node)i);
        }
    }
}

static void draw_code(sb_swarm *swarm)
{
    sb_world *const world = swarm->world;
    swarm->code_level =
        swarm->plan.failpoint_glob == NULL ? SB_SWARM_OFF : draw_level(swarm, CODE_KINDS);
    if (sb_swarm_has(swarm, SB_FAULT_FAILPOINT)) {
        const bool harsh = swarm->code_level == SB_SWARM_HARSH;
        const uint64_t salt = sb_choose(world, SB_STREAM_SWARM, UINT64_C(1) << 32);
        sb_failpoints_draw(swarm->plan.failpoint_glob, salt, harsh ? 1000 : 100,
                           harsh ? 100000 : 10000, swarm->code_rates);
        for (size_t i = 0; i < SB_FAILPOINT_MAX; i++) {
            if (sb_failpoint_is_said(world, i)) {
                swarm->code_rates[i] = 0;
            } else if (swarm->code_rates[i] != 0) {
                sb_failpoint_arm(world, i);
            }
        }
    }
}

/* ----------------------------------------------------------------------------------- triggers */

/* What this world has of a family comes in epochs (a quarter of the worlds), by triggers (half), or
 * both. */
static uint64_t draw_bound(sb_swarm *swarm, uint64_t family)
{
    const uint64_t kinds = swarm->kinds & family & sb_trigger_kinds();
    const uint64_t how = kinds == 0 ? 0 : sb_choose(swarm->world, SB_STREAM_SWARM, 4);
    if (how >= 2) {
        swarm->kinds &= ~kinds;
    }
    return how == 0 ? 0 : kinds;
}

/* What is no longer among the kinds of epochs has no rates in them. */
static void leave_epochs(sb_swarm *swarm, uint64_t kinds)
{
    const sb_network *const calm = &swarm->calm;
    const struct {
        uint64_t kind;
        uint32_t *rate, calm;
    } rates[] = {{SB_KIND(LOSS), &swarm->trouble.loss, calm->loss},
                 {SB_KIND(REPLY_LOSS), &swarm->trouble.reply_loss, calm->reply_loss},
                 {SB_KIND(DUPLICATE), &swarm->trouble.duplicate, calm->duplicate},
                 {SB_KIND(RESET), &swarm->trouble.reset, calm->reset},
                 {SB_KIND(WRITE_ERROR), &swarm->disk.write_error, 0},
                 {SB_KIND(READ_ERROR), &swarm->disk.read_error, 0},
                 {SB_KIND(SYNC_ERROR), &swarm->disk.sync_error, 0},
                 {SB_KIND(SYNC_STALL), &swarm->disk.sync_stall, 0}};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        *rates[i].rate = (kinds & rates[i].kind) != 0 ? rates[i].calm : *rates[i].rate;
    }
    swarm->disk.full = swarm->disk.full && (kinds & SB_KIND(DISK_FULL)) == 0;
}

static void draw_triggers(sb_swarm *swarm)
{
    if (swarm->plan.triggers == 0) {
        return;
    }
    const uint64_t all = swarm->kinds;
    uint64_t bound = draw_bound(swarm, NETWORK_KINDS);
    bound |= draw_bound(swarm, SB_STRIKE_KINDS);
    bound |= draw_bound(swarm, SB_ONE_DISK_KINDS);
    bound |= draw_bound(swarm, CODE_KINDS);
    bound |= draw_bound(swarm, SB_CLOCK_KINDS);
    leave_epochs(swarm, all & ~swarm->kinds);
    sb_triggers_draw(swarm, bound);
}

/* ----------------------------------------------------------------------------- start and heal */

static void say(const sb_swarm *swarm)
{
    static const char *const levels[] = {"off", "mild", "harsh"};
    sb_log("swarm: network %s, process %s, disk %s, clock %s, code %s; kinds %016llx",
           levels[swarm->network_level], levels[swarm->process_level], levels[swarm->disk_level],
           levels[swarm->clock_level], levels[swarm->code_level], (unsigned long long)swarm->kinds);
}

void sb_swarm_start(sb_world *world, const sb_swarm_plan *plan)
{
    char problem[256];
    sb_assert(world->swarm == NULL && world->running->node->number == 0);
    if (!sb_swarm_plan_check(plan, problem, sizeof(problem))) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_swarm_start", "%s", problem);
    }
    sb_swarm *const swarm = sb_kernel_alloc(world, sizeof(*swarm));
    *swarm = (sb_swarm){.world = world, .plan = *plan};
    sb_scope_init(&swarm->scope, NULL, "swarm");
    world->swarm = swarm;
    sb_pairs_start(world);
    for (unsigned fault = 1; fault < SB_FAULT_COUNT; fault++) {
        world->faults[fault].declared = (plan->kinds >> fault & 1) != 0;
        if ((CRASH_KINDS >> fault & 1) != 0) {
            world->faults[fault].armed = false; /* which of them a crash may do is drawn */
        }
    }
    draw_network(swarm);
    swarm->process_level = draw_level(swarm, SB_STRIKE_KINDS);
    draw_disk(swarm);
    draw_clocks(swarm);
    draw_code(swarm);
    draw_triggers(swarm);
    say(swarm);
    sb_trouble_start(swarm);
}

/* Lost messages, blocked links and machines that are down are the heal's (heal.c); skewed clocks
 * stay, as nothing repairs them. The tasks wake, see that it is over, and end. */
void sb_swarm_heal(sb_world *world)
{
    sb_swarm *const swarm = world->swarm;
    if (swarm != NULL && !swarm->healed) {
        swarm->healed = true;
        world->watched = 0;
        world->network = swarm->before;
        world->disk.keep_on_crash = true;
        sb_scope_cancel(&swarm->scope);
    }
}
