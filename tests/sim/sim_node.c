// SPDX-License-Identifier: MIT
// Lives of a node's process, and its ports.
#include "sim_node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "connection.h"
#include "sim_disk.h"
#include "sim_request.h"

#define TICK_US 100000
#define TICK_JITTER_US 5000
#define TURN_US_MAX 400 // how long a turn gathers events
#define DRAIN_US_MAX 10000000
#define RETRY_START_US 1000000

// ------------------------------------------------------------------------------------------ ports

static struct sim_node *node_of(struct links *self)
{
    return ((struct sim_links *)self)->node;
}

static bool links_send(struct links *self, struct client_id client, struct frame *frame)
{
    return connection_node_send(node_of(self), client, frame);
}

static void links_close(struct links *self, struct client_id client, uint16_t code,
                        const char *reason)
{
    connection_node_close(node_of(self), client, code, reason);
}

static void links_respond(struct links *self, struct request_id request,
                          const struct node_response *response)
{
    sim_request_respond(node_of(self), request, response);
}

static bool links_stream(struct links *self, struct request_id request, struct span piece)
{
    return sim_request_stream(node_of(self), request, piece);
}

static void links_stream_end(struct links *self, struct request_id request)
{
    sim_request_stream_end(node_of(self), request);
}

static void links_broadcast(struct links *self, struct span message)
{
    sim_bus_broadcast(node_of(self), message);
}

/// For --verbose only.
static void tell_link(const struct sim_node *node, const char *what, struct span address)
{
    const struct world *world = &node->cluster->world;
    if (world->verbose)
        printf("%10.6f  n%u %s %.*s\n", (double)world->now_us / 1e6, node->slot, what,
               (int)address.size, (const char *)address.data);
}

static void links_dial(struct links *self, struct span address)
{
    tell_link(node_of(self), "dials", address);
    sim_bus_dial(node_of(self), address);
}

static void links_hang_up(struct links *self, struct span address)
{
    tell_link(node_of(self), "hangs up", address);
    sim_bus_hang_up(node_of(self), address);
}

static void links_drop(struct links *self, struct pipe_id pipe)
{
    sim_bus_drop(node_of(self), pipe);
}

static void links_pull(struct links *self, uint64_t ticket, struct span address,
                       struct span question)
{
    sim_pull_ask(node_of(self), ticket, address, question);
}

static void links_answer(struct links *self, struct answer_id answer, struct span reply)
{
    sim_pull_answer(node_of(self), answer, reply);
}

static const struct links links_port = {
    .send = links_send,
    .close = links_close,
    .respond = links_respond,
    .stream = links_stream,
    .stream_end = links_stream_end,
    .broadcast = links_broadcast,
    .dial = links_dial,
    .hang_up = links_hang_up,
    .drop = links_drop,
    .pull = links_pull,
    .answer = links_answer,
};

/// Counts what the process holds; the size stands before each piece, so that wrong sizes show.
static void *count_resize(void *context, void *old, size_t old_size, size_t new_size)
{
    struct sim_node *node = context;
    assert((old == NULL) == (old_size == 0));
    assert(node->memory_bytes >= old_size);
    node->memory_bytes = node->memory_bytes - old_size + new_size;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    return world_resize(old, new_size);
}

static void log_line(void *context, int level, const char *event, const char *details)
{
    static const char *const levels[] = {"error", "warning", "notice", "info", "debug"};
    struct sim_node *node = context;
    if (level <= NODE_LOG_INFO)
        world_note(&node->cluster->world, "n%u %s %s %s", node->slot, levels[level], event,
                   details == NULL ? "" : details);
}

// ------------------------------------------------------------------------------------------- life

struct sim_node *sim_node_create(struct cluster *cluster, uint32_t slot)
{
    struct sim_node *node = world_resize(NULL, sizeof(*node));
    *node = (struct sim_node){.cluster = cluster, .slot = slot};
    snprintf(node->name, sizeof(node->name), "n%u", slot);
    snprintf(node->gossip, sizeof(node->gossip), "tcp://n%u:9339", slot);
    snprintf(node->pull, sizeof(node->pull), "tcp://n%u:9341", slot);
    node->links = (struct sim_links){links_port, node};
    sim_clock_init(&node->clock, &cluster->world, cluster->plan.skewed_clocks);
    node->disk = sim_disk_create(node);
    return node;
}

void sim_node_destroy(struct sim_node *node)
{
    if (node == NULL)
        return;
    assert(node->node == NULL);
    sim_disk_destroy(node->disk);
    sim_disk_destroy(node->backup);
    free(node);
}

static void turn(void *context, uint64_t boot, uint64_t b, void *owned)
{
    struct sim_node *node = context;
    (void)b;
    (void)owned;
    if (!sim_node_lives(node, boot) || sim_node_defer(node, turn, context, boot, 0, NULL))
        return;
    node->turn_pending = false;
    sim_node_step(node, &(struct node_event){.kind = NODE_TURN});
}

static void tick(void *context, uint64_t boot, uint64_t b, void *owned)
{
    struct sim_node *node = context;
    struct world *world = &node->cluster->world;
    (void)b;
    (void)owned;
    if (!sim_node_lives(node, boot) || sim_node_defer(node, tick, context, boot, 0, NULL))
        return;
    node->ticks++;
    world_after(world, TICK_US + world_random(world, TICK_JITTER_US), tick, node, boot, 0, NULL);
    sim_node_step(node, &(struct node_event){.kind = NODE_TICK});
}

static struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static enum weft_status create(struct sim_node *node)
{
    struct cluster *cluster = node->cluster;
    struct span seeds[SIM_SEEDS_MAX];
    for (uint32_t i = 0; i < node->seed_count; i++)
        seeds[i] = span_of(cluster->nodes[node->seeds[i]]->gossip);
    struct node_config config = {
        .allocator = {.context = node, .resize = count_resize},
        .clock = &node->clock.port,
        .entropy = &node->entropy.port,
        .store = sim_disk_port(node->disk),
        .links = &node->links.port,
        .name = node->forget_name ? (struct span){0} : span_of(node->name),
        .gossip_address = span_of(node->gossip),
        .pull_address = span_of(node->pull),
        .client_address = span_of(node->name),
        .seeds = seeds,
        .seed_count = node->seed_count,
        .limits = cluster->plan.limits,
        .log = log_line,
        .log_context = node,
    };
    node->frame_bytes_max =
        config.limits.frame_bytes_max == 0 ? 65536 : config.limits.frame_bytes_max;
    return node_create(&node->node, &config);
}

static void start_later(void *context, uint64_t a, uint64_t b, void *owned)
{
    (void)a;
    (void)b;
    (void)owned;
    sim_node_start(context);
}

void sim_node_start(struct sim_node *node)
{
    struct world *world = &node->cluster->world;
    if (node->node != NULL)
        return;
    node->boot++;
    node->paused_until_us = 0;
    node->turn_pending = false;
    node->draining = false;
    sim_entropy_init(&node->entropy, world_random(world, UINT64_MAX));
    enum weft_status status = create(node);
    if (status != WEFT_OK) {
        node->node = NULL;
        sim_disk_crash(node->disk);
        if (!node->cluster->plan.disk_faults)
            world_fail(world, "n%u does not start: %s", node->slot, weft_status_text(status));
        else
            world_after(world, RETRY_START_US, start_later, node, 0, 0, NULL);
        return;
    }
    world_note(world, "n%u starts, life %llu", node->slot, (unsigned long long)node->boot);
    world_after(world, world_random(world, TICK_US), tick, node, node->boot, 0, NULL);
    node->turn_pending = true;
    world_after(world, world_random(world, TURN_US_MAX), turn, node, node->boot, 0, NULL);
}

static void end_process(struct sim_node *node)
{
    struct world *world = &node->cluster->world;
    connection_crash_all(node);
    sim_request_crash_all(node);
    sim_bus_crash(node);
    sim_pull_forget(node);
    node_destroy(node->node);
    node->node = NULL;
    sim_disk_crash(node->disk);
    if (node->memory_bytes != 0)
        world_fail(world, "n%u kept %zu bytes after node_destroy", node->slot, node->memory_bytes);
}

void sim_node_crash(struct sim_node *node)
{
    if (node->node == NULL)
        return;
    world_note(&node->cluster->world, "n%u is killed", node->slot);
    end_process(node);
}

static void wait_for_drain(void *context, uint64_t boot, uint64_t deadline_us, void *owned)
{
    struct sim_node *node = context;
    struct world *world = &node->cluster->world;
    (void)owned;
    uint64_t restart = boot & 1;
    if (!sim_node_lives(node, boot >> 1) ||
        sim_node_defer(node, wait_for_drain, context, boot, deadline_us + 20000, NULL))
        return;
    if (!node_drained(node->node) && world->now_us < deadline_us) {
        world_after(world, 20000, wait_for_drain, node, boot, deadline_us, NULL);
        return;
    }
    world_note(world, "n%u ends after draining%s", node->slot,
               node_drained(node->node) ? "" : " in vain");
    end_process(node);
    if (restart != 0)
        world_after(world, world_between(world, 100000, 5000000), start_later, node, 0, 0, NULL);
}

void sim_node_drain(struct sim_node *node, bool restart)
{
    struct world *world = &node->cluster->world;
    if (node->node == NULL || node->draining)
        return;
    world_note(world, "n%u drains", node->slot);
    node->draining = true;
    node_drain(node->node);
    world_after(world, 1000, wait_for_drain, node, node->boot << 1 | (restart ? 1 : 0),
                world->now_us + DRAIN_US_MAX, NULL);
}

void sim_node_pause(struct sim_node *node, uint64_t until_us)
{
    if (node->node == NULL || until_us <= node->paused_until_us)
        return;
    world_note(&node->cluster->world, "n%u is stopped until %.3f", node->slot,
               (double)until_us / 1e6);
    node->paused_until_us = until_us;
}

// ------------------------------------------------------------------------------------- directory

void sim_node_take_backup(struct sim_node *node)
{
    sim_disk_destroy(node->backup);
    node->backup = sim_disk_copy(node->disk, node);
    node->backup_us = node->cluster->world.now_us;
    world_note(&node->cluster->world, "n%u is backed up", node->slot);
}

void sim_node_restore(struct sim_node *node)
{
    assert(node->node == NULL && node->backup != NULL);
    sim_disk_destroy(node->disk);
    node->disk = sim_disk_copy(node->backup, node);
    ledger_note_loss(&node->cluster->ledger, node->slot, node->backup_us);
    world_note(&node->cluster->world, "n%u gets back its backup of %.3f", node->slot,
               (double)node->backup_us / 1e6);
}

void sim_node_empty(struct sim_node *node)
{
    assert(node->node == NULL);
    sim_disk_destroy(node->disk);
    node->disk = sim_disk_create(node);
    ledger_note_loss(&node->cluster->ledger, node->slot, 0);
    world_note(&node->cluster->world, "n%u loses its directory", node->slot);
}

void sim_node_copy_directory(struct sim_node *node, struct sim_node *clone)
{
    assert(clone->boot == 0);
    sim_disk_destroy(clone->disk);
    clone->disk = sim_disk_copy(node->disk, clone);
    clone->forget_name = true;
    world_note(&node->cluster->world, "n%u's directory is copied for n%u", node->slot, clone->slot);
}

// ----------------------------------------------------------------------------------------- events

bool sim_node_lives(const struct sim_node *node, uint64_t boot)
{
    return node->node != NULL && node->boot == boot;
}

bool sim_node_is_paused(const struct sim_node *node)
{
    return node->paused_until_us > node->cluster->world.now_us;
}

bool sim_node_defer(struct sim_node *node, world_act *act, void *context, uint64_t a, uint64_t b,
                    void *owned)
{
    if (!sim_node_is_paused(node))
        return false;
    world_at(&node->cluster->world, node->paused_until_us, act, context, a, b, owned);
    return true;
}

void sim_node_step(struct sim_node *node, const struct node_event *event)
{
    struct world *world = &node->cluster->world;
    assert(node->node != NULL && !node->stepping && !sim_node_is_paused(node));
    world_trace(world, node->slot << 8 | event->kind, event->bytes.data, event->bytes.size);
    node->stepping = true;
    node_step(node->node, event);
    node->stepping = false;
    if (event->kind != NODE_TURN && !node->turn_pending) {
        node->turn_pending = true;
        world_after(world, world_random(world, TURN_US_MAX), turn, node, node->boot, 0, NULL);
    }
}

static struct sim_node *find_by(struct cluster *cluster, struct span address, bool pull)
{
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        struct sim_node *node = cluster->nodes[i];
        struct span own = span_of(pull ? node->pull : node->gossip);
        if (own.size == address.size && memcmp(own.data, address.data, own.size) == 0)
            return node;
    }
    return NULL;
}

struct sim_node *sim_node_at_gossip(struct cluster *cluster, struct span address)
{
    return find_by(cluster, address, false);
}

struct sim_node *sim_node_at_pull(struct cluster *cluster, struct span address)
{
    return find_by(cluster, address, true);
}
