/*
 * A machine's life: boot, run, be asked to stop, be killed, stand still.
 *
 *   down --boot--> up --main returns--> exit: leaks are looked for, peers hear a reset, the disk
 *                                       stays as it is
 *                  up --kill----------> tasks and heap are gone, the disk loses what it may lose
 *
 * What a dead incarnation has sent still arrives; what is on its way to it finds nobody.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/kernel/universe.h"
#include "sim/machine/machine.h"
#include "sim/machine/network.h"

#define MEMORY_LIMIT_DEFAULT ((size_t)256 << 20)

void sb_node_state_init(sb_world *world, sb_node number, const char *name, const char *role)
{
    sb_node_state *const node = sb_kernel_alloc(world, sizeof(*node));
    memset(node, 0, sizeof(*node));
    node->number = number;
    node->tasks_tail = &node->tasks;
    node->mailbox_tail = &node->mailbox;
    snprintf(node->name, sizeof(node->name), "%s", name);
    snprintf(node->role, sizeof(node->role), "%s", role);
    node->name_hash = sb_text_hash(world, node->name, strlen(node->name));
    sb_heap_init(&node->heap, sb_node_range(world->universe, number), SB_NODE_RANGE - 32 * 4160,
                 node->name, world->universe->fill, world->universe->permute);
    node->heap.limit = MEMORY_LIMIT_DEFAULT;
    node->shutdown = (sb_scope){.name = "shutdown", .deadline = SB_FOREVER};
    world->nodes[number] = node;
    world->node_count = number + 1u;
    if (world->record != NULL) {
        sb_record_set_node_name(world->record, number, node->name);
    }
}

sb_node sb_node_add(sb_world *world, const char *name, const char *role, sb_program *program,
                    const void *argument, size_t argument_size)
{
    if (world->node_count == SB_NODE_COUNT_MAX) {
        sb_misuse(world, SB_FINDING_ASSERTION, "sb_node_add", "more than %d nodes",
                  SB_NODE_COUNT_MAX);
    }
    const sb_node number = (sb_node)world->node_count;
    sb_node_state_init(world, number, name, role);
    sb_node_state *const node = world->nodes[number];
    node->program = program;
    if (argument_size != 0) {
        void *const copy = sb_kernel_alloc(world, argument_size);
        memcpy(copy, argument, argument_size);
        node->argument = copy;
        node->argument_size = argument_size;
    }
    return number;
}

/* --------------------------------------------------------------------------------------- exit */

static void leak(sb_world *world, sb_node_state *node, const char *what, const char *place,
                 const char *format, ...) __attribute__((noreturn, format(printf, 5, 6)));
static void leak(sb_world *world, sb_node_state *node, const char *what, const char *place,
                 const char *format, ...)
{
    char file[sizeof(world->finding.file)];
    snprintf(file, sizeof(file), "%s", place);
    char *const colon = strrchr(file, ':');
    int line = 0;
    if (colon != NULL) {
        *colon = '\0';
        line = atoi(colon + 1);
    }
    va_list arguments;
    va_start(arguments, format);
    sb_end_with(world, SB_FINDING_LEAK, node, what, file, line, "", format, arguments);
}

static void check_leaks(sb_world *world, sb_node_state *node, const sb_task *main)
{
    for (const sb_task *task = node->tasks; task != NULL; task = task->next) {
        if (task != main) {
            leak(world, node, "task", "", "task %s is left, waiting for %s %s", task->name,
                 sb_wait_names[task->wait_kind],
                 task->wait_object != NULL ? task->wait_object : "");
        }
    }
    if (node->held != NULL) {
        leak(world, node, "message", "", "a message of %u bytes from %s was not freed",
             node->held->message.size, world->nodes[node->held->message.from]->name);
    }
    const uint32_t open = sb_disk_open_count(world, node);
    if (open != 0) {
        leak(world, node, "file", "", "%u open files are left; the latest is %s", open,
             sb_disk_open_path(world, node));
    }
    const sb_heap_block *const block = sb_heap_next_live(&node->heap, NULL);
    if (block != NULL) {
        leak(world, node, "memory", block->place,
             "%llu blocks of %llu bytes are left; the first has %u bytes",
             (unsigned long long)node->heap.live_blocks, (unsigned long long)node->heap.live_bytes,
             block->size);
    }
}

static void power_off(sb_world *world, sb_node_state *node)
{
    sb_network_drop_mail(world, node);
    sb_heap_reset(&node->heap);
    sb_pairs_forget(world, node->number);
    node->power = SB_NODE_DOWN;
    node->paused = 0;
    node->stopping = false;
    node->receivers = NULL;
    node->shutdown = (sb_scope){.name = "shutdown", .deadline = SB_FOREVER};
    while (node->down_waiters != NULL) {
        sb_wake(world, node->down_waiters, SB_OK);
    }
}

/* The main task has returned; we are on its stack and it is still counted. */
static void main_ended(sb_task *task)
{
    sb_world *const world = sb_current;
    sb_node_state *const node = task->node;
    if (node->result != 0) {
        sb_misuse(world, SB_FINDING_CANNOT_START, node->role, "%s returned %d", node->name,
                  node->result);
    }
    check_leaks(world, node, task);
    sb_event_here(world, SB_EVENT_EXIT, (uint64_t)(unsigned)node->result, 0, 0);
    sb_network_hang_up(world, node);
    power_off(world, node);
}

static void main_of_node(void *argument)
{
    sb_node_state *const node = argument;
    const sb_boot boot = {node->argument, node->argument_size};
    node->result = node->program(&boot);
}

/* ------------------------------------------------------------------------------- the director */

void sb_node_boot(sb_world *world, sb_node number)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    if (node->power == SB_NODE_UP || node->program == NULL) {
        return;
    }
    node->power = SB_NODE_UP;
    node->incarnation++;
    node->result = 0;
    node->peers = 0;
    const sb_step cause =
        sb_event_here(world, SB_EVENT_BOOT, node->name_hash, node->incarnation, number);
    sb_notice_at(node, node->incarnation);
    sb_task *const task = sb_task_start(world, node, main_of_node, node, "main", 4);
    task->ended = main_ended;
    task->cause = cause;
    sb_moment_of(world, SB_MOMENT_BOOT, node);
}

void sb_node_stop(sb_world *world, sb_node number)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    node->stops_asked += node->power == SB_NODE_UP;
    if (node->power == SB_NODE_UP && !node->stopping) {
        node->stopping = true;
        sb_event_add(world, SB_EVENT_STOP, number, node->incarnation, 0,
                     world->running != NULL ? world->running->cause : 0, 0, 0, 0);
        const uint32_t incarnation = node->incarnation;
        sb_switch_point(world);
        if (node->power == SB_NODE_UP && node->incarnation == incarnation) {
            sb_scope_cancel_now(world, &node->shutdown);
            sb_moment_of(world, SB_MOMENT_DRAIN, node);
        } /* else it has died meanwhile, and the next incarnation was never asked */
    }
}

void sb_node_kill(sb_world *world, sb_node number)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    if (number == 0 || node->power == SB_NODE_DOWN) {
        return;
    }
    sb_event_add(world, SB_EVENT_KILL, number, node->incarnation, 0,
                 world->running != NULL ? world->running->cause : 0, node->task_count, 0, 0);
    while (node->tasks != NULL) {
        sb_task_drop(world, node->tasks);
    }
    sb_unpark(world, node); /* what came while it stood still finds nobody */
    sb_disk_close_all(world, node);
    sb_disk_crash(world, node);
    /* A killed process hangs up; a machine that lost its power is silent. */
    if (sb_choose_at(world, node, SB_STREAM_CRASH, 2) == 0) {
        sb_network_hang_up(world, node);
    }
    power_off(world, node);
}

void sb_node_pause(sb_world *world, sb_node number)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    if (number != 0 && node->power == SB_NODE_UP && (node->paused & SB_PAUSED_BY_ORDER) == 0) {
        node->paused |= SB_PAUSED_BY_ORDER;
        sb_event_add(world, SB_EVENT_PAUSE, number, node->incarnation, 0, 0, 0, 0, 0);
    }
}

void sb_node_resume(sb_world *world, sb_node number)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    if ((node->paused & SB_PAUSED_BY_ORDER) != 0) {
        node->paused &= (uint8_t)~SB_PAUSED_BY_ORDER;
        sb_event_add(world, SB_EVENT_RESUME, number, node->incarnation, 0, 0, 0, 0, 0);
        if (node->paused == 0) {
            sb_unpark(world, node);
        }
    }
}

bool sb_node_wait_down(sb_world *world, sb_node number, sb_duration timeout)
{
    sb_node_state *const node = sb_node_given(world, number, __func__);
    const sb_time deadline = timeout == SB_FOREVER ? SB_FOREVER : world->now + timeout;
    while (node->power == SB_NODE_UP && world->now < deadline) {
        sb_block(world, SB_WAIT_NODE, node->name, &node->down_waiters, NULL, deadline);
    }
    return node->power == SB_NODE_DOWN;
}

void sb_node_heal(sb_world *world)
{
    for (unsigned i = 1; i < world->node_count; i++) {
        sb_node_resume(world, (sb_node)i);
        if (!sb_node_stays_dead(world, world->nodes[i])) {
            sb_node_boot(world, (sb_node)i);
        }
    }
}

void sb_node_set_memory_limit(sb_world *world, sb_node node, size_t size)
{
    sb_node_given(world, node, __func__)->heap.limit = size;
}

unsigned sb_node_count(const sb_world *world)
{
    return world->node_count;
}

const char *sb_node_name(const sb_world *world, sb_node node)
{
    return sb_node_given(world, node, __func__)->name;
}

const char *sb_node_role(const sb_world *world, sb_node node)
{
    return sb_node_given(world, node, __func__)->role;
}

uint32_t sb_node_incarnation(const sb_world *world, sb_node node)
{
    return sb_node_given(world, node, __func__)->incarnation;
}

bool sb_node_is_up(const sb_world *world, sb_node node)
{
    return sb_node_given(world, node, __func__)->power == SB_NODE_UP;
}

bool sb_node_is_paused(const sb_world *world, sb_node node)
{
    return sb_node_given(world, node, __func__)->paused != 0;
}

/* ------------------------------------------------------------------------------------- door 1 */

sb_scope *sb_shutdown_scope(void)
{
    return &sb_current->running->node->shutdown;
}

sb_address sb_self(void)
{
    return sb_current->running->node->number;
}

const char *sb_address_name(sb_address address)
{
    return address < sb_current->node_count ? sb_current->nodes[address]->name : "nobody";
}
