// SPDX-License-Identifier: MIT
// The bus: dialing, pipes, and messages that are hints.
//
//        dialing (node, address) --attempt--> bus_pipe: end 0 dialed, end 1 was dialed
//
// Each end learns of UP and DOWN by an event of its own; between the two ends' knowledge there is
// time.
#include "sim_network.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "sim_node.h"

#define MESSAGE_BYTES_MAX (1u << 20) // the bound of io/peers.h
#define REDIAL_US_MIN 50000
#define REDIAL_US_MAX 1000000
#define KEEPALIVE_US 15000000 // in which a half-open pipe is noticed at the latest

struct pipe_end {
    struct sim_node *node;
    uint64_t boot;
    uint64_t id;         // as this end knows it
    bool up;             // was told UP and not DOWN
    bool closed;         // this end's socket is gone: nothing leaves or arrives
    uint64_t full_at_us; // burst model: when all that was queued here is on the wire
    uint64_t due_us;     // of the last message sent from here, for order
};

struct bus_pipe {
    struct bus_pipe *next;
    struct sim_network *network;
    struct pipe_end ends[2];
    struct dialing *dialing;
};

struct dialing {
    struct dialing *next;
    struct sim_node *node;
    uint64_t boot;
    struct bus_pipe *pipe; // the one it made; NULL while there is none
    bool active;
    size_t address_size;
    uint8_t address[];
};

static bool end_lives(const struct pipe_end *end)
{
    return !end->closed && sim_node_lives(end->node, end->boot);
}

static void attempt(void *context, uint64_t a, uint64_t b, void *owned);

static void redial(struct dialing *dialing, struct world *world)
{
    world_after(world, world_between(world, REDIAL_US_MIN, REDIAL_US_MAX), attempt, dialing, 0, 0,
                NULL);
}

// ------------------------------------------------------------------------------------ up and down

static void tell_up(void *context, uint64_t side, uint64_t b, void *owned)
{
    struct bus_pipe *pipe = context;
    struct pipe_end *end = &pipe->ends[side];
    (void)b;
    (void)owned;
    if (!end_lives(end))
        return;
    if (sim_node_defer(end->node, tell_up, context, side, 0, NULL))
        return;
    end->up = true;
    sim_node_step(end->node, &(struct node_event){.kind = NODE_PEER_UP, .pipe = {end->id}});
}

static void tell_down(void *context, uint64_t side, uint64_t b, void *owned)
{
    struct bus_pipe *pipe = context;
    struct pipe_end *end = &pipe->ends[side];
    struct world *world = &pipe->network->cluster->world;
    (void)b;
    (void)owned;
    end->closed = true;
    if (!sim_node_lives(end->node, end->boot))
        return;
    if (sim_node_defer(end->node, tell_down, context, side, 0, NULL))
        return;
    if (side == 0 && pipe->dialing->pipe == pipe) {
        pipe->dialing->pipe = NULL;
        if (pipe->dialing->active)
            redial(pipe->dialing, world);
    }
    if (!end->up)
        return;
    end->up = false;
    sim_node_step(end->node, &(struct node_event){.kind = NODE_PEER_DOWN, .pipe = {end->id}});
}

/// Closes one end; the other notices at once when the wire is open, by its keepalive else.
static void close_end(struct bus_pipe *pipe, uint32_t side)
{
    struct world *world = &pipe->network->cluster->world;
    struct pipe_end *end = &pipe->ends[side];
    struct pipe_end *other = &pipe->ends[1 - side];
    if (end->closed)
        return;
    end->closed = true;
    world_after(world, world_random(world, 200), tell_down, pipe, side, 0, NULL);
    bool told = sim_network_reaches(pipe->network, end->node->slot, other->node->slot);
    uint64_t delay = told ? sim_network_delay(pipe->network)
                          : world_between(world, KEEPALIVE_US / 10, KEEPALIVE_US);
    if (!other->closed)
        world_after(world, delay, tell_down, pipe, 1 - side, 0, NULL);
}

// ---------------------------------------------------------------------------------------- dialing

static void connect_pipe(struct dialing *dialing, struct sim_node *peer)
{
    struct sim_network *network = &dialing->node->cluster->network;
    struct world *world = &dialing->node->cluster->world;
    struct bus_pipe *pipe = world_resize(NULL, sizeof(*pipe));
    *pipe = (struct bus_pipe){.next = network->pipes, .network = network, .dialing = dialing};
    pipe->ends[0] =
        (struct pipe_end){.node = dialing->node, .boot = dialing->boot, .id = ++network->next_pipe};
    pipe->ends[1] = (struct pipe_end){.node = peer, .boot = peer->boot, .id = ++network->next_pipe};
    network->pipes = pipe;
    dialing->pipe = pipe;
    world_after(world, sim_network_delay(network), tell_up, pipe, 0, 0, NULL);
    world_after(world, sim_network_delay(network), tell_up, pipe, 1, 0, NULL);
}

static void attempt(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct dialing *dialing = context;
    struct cluster *cluster = dialing->node->cluster;
    (void)a;
    (void)b;
    (void)owned;
    if (!dialing->active || dialing->pipe != NULL || !sim_node_lives(dialing->node, dialing->boot))
        return;
    struct span address = {dialing->address, dialing->address_size};
    struct sim_node *peer = sim_node_at_gossip(cluster, address);
    if (peer != NULL && peer->node != NULL &&
        sim_network_reaches(&cluster->network, dialing->node->slot, peer->slot) &&
        sim_network_reaches(&cluster->network, peer->slot, dialing->node->slot))
        connect_pipe(dialing, peer);
    else
        redial(dialing, &cluster->world);
}

static struct dialing *find_dialing(struct sim_node *node, struct span address)
{
    for (struct dialing *d = node->cluster->network.dialings; d != NULL; d = d->next) {
        if (d->node == node && d->boot == node->boot && d->active &&
            d->address_size == address.size && memcmp(d->address, address.data, address.size) == 0)
            return d;
    }
    return NULL;
}

void sim_bus_dial(struct sim_node *node, struct span address)
{
    struct sim_network *network = &node->cluster->network;
    if (find_dialing(node, address) != NULL)
        return;
    struct dialing *dialing = world_resize(NULL, sizeof(*dialing) + address.size);
    *dialing = (struct dialing){.next = network->dialings,
                                .node = node,
                                .boot = node->boot,
                                .active = true,
                                .address_size = address.size};
    memcpy(dialing->address, address.data, address.size);
    network->dialings = dialing;
    world_after(&node->cluster->world, sim_network_delay(network), attempt, dialing, 0, 0, NULL);
}

void sim_bus_hang_up(struct sim_node *node, struct span address)
{
    struct dialing *dialing = find_dialing(node, address);
    if (dialing == NULL)
        return;
    dialing->active = false;
    if (dialing->pipe != NULL)
        close_end(dialing->pipe, 0);
}

void sim_bus_drop(struct sim_node *node, struct pipe_id id)
{
    for (struct bus_pipe *pipe = node->cluster->network.pipes; pipe != NULL; pipe = pipe->next) {
        for (uint32_t side = 0; side < 2; side++) {
            if (pipe->ends[side].id == id.value && pipe->ends[side].node == node)
                close_end(pipe, side);
        }
    }
}

void sim_bus_crash(struct sim_node *node)
{
    for (struct bus_pipe *pipe = node->cluster->network.pipes; pipe != NULL; pipe = pipe->next) {
        for (uint32_t side = 0; side < 2; side++) {
            if (pipe->ends[side].node == node && pipe->ends[side].boot == node->boot)
                close_end(pipe, side);
        }
    }
    for (struct dialing *d = node->cluster->network.dialings; d != NULL; d = d->next) {
        if (d->node == node)
            d->active = false;
    }
}

// --------------------------------------------------------------------------------------- messages

struct bus_message {
    size_t size;
    uint8_t bytes[];
};

static void deliver(void *context, uint64_t side, uint64_t b, void *owned)
{
    struct bus_pipe *pipe = context;
    struct pipe_end *end = &pipe->ends[side];
    struct bus_message *message = owned;
    (void)b;
    if (!end_lives(end) || !end->up ||
        !sim_network_reaches(pipe->network, pipe->ends[1 - side].node->slot, end->node->slot))
        return;
    if (sim_node_is_paused(end->node)) { // a stopped process reads later, what its buffers held
        struct bus_message *copy = world_resize(NULL, sizeof(*copy) + message->size);
        memcpy(copy, message, sizeof(*copy) + message->size);
        sim_node_defer(end->node, deliver, context, side, 0, copy);
        return;
    }
    sim_node_step(end->node, &(struct node_event){.kind = NODE_PEER_MESSAGE,
                                                  .pipe = {end->id},
                                                  .bytes = {message->bytes, message->size}});
}

static void send_once(struct bus_pipe *pipe, uint32_t side, struct span bytes)
{
    struct sim_network *network = pipe->network;
    struct world *world = &network->cluster->world;
    struct pipe_end *end = &pipe->ends[side];
    struct bus_message *message = world_resize(NULL, sizeof(*message) + bytes.size);
    message->size = bytes.size;
    memcpy(message->bytes, bytes.data, bytes.size);
    uint64_t due_us = world->now_us + sim_network_delay(network);
    if (!network->weather.reordering && due_us <= end->due_us)
        due_us = end->due_us + 1;
    if (due_us > end->due_us)
        end->due_us = due_us;
    world_at(world, due_us, deliver, pipe, 1 - side, 0, message);
}

static void send_on(struct bus_pipe *pipe, uint32_t side, struct span bytes)
{
    struct sim_network *network = pipe->network;
    struct world *world = &network->cluster->world;
    struct pipe_end *end = &pipe->ends[side];
    struct pipe_end *other = &pipe->ends[1 - side];
    network->bus_messages++;
    uint64_t free_us = end->full_at_us > world->now_us ? end->full_at_us : world->now_us;
    if (free_us - world->now_us >= NETWORK_BURST_MAX * NETWORK_DRAIN_US ||
        world_chance(world, network->weather.loss_per_mille) ||
        !sim_network_reaches(network, end->node->slot, other->node->slot)) {
        network->bus_lost++;
        return;
    }
    end->full_at_us = free_us + NETWORK_DRAIN_US;
    send_once(pipe, side, bytes);
    if (world_chance(world, network->weather.doubling_per_mille))
        send_once(pipe, side, bytes);
}

void sim_bus_broadcast(struct sim_node *node, struct span message)
{
    struct world *world = &node->cluster->world;
    world_trace(world, 0xB05, message.data, message.size);
    if (message.size > MESSAGE_BYTES_MAX)
        world_fail(world, "n%u broadcasts %zu bytes", node->slot, message.size);
    for (struct bus_pipe *pipe = node->cluster->network.pipes; pipe != NULL; pipe = pipe->next) {
        for (uint32_t side = 0; side < 2; side++) {
            struct pipe_end *end = &pipe->ends[side];
            if (end->node == node && end->boot == node->boot && end_lives(end) && end->up)
                send_on(pipe, side, message);
        }
    }
}

void sim_bus_finish(struct sim_network *network)
{
    while (network->pipes != NULL) {
        struct bus_pipe *next = network->pipes->next;
        free(network->pipes);
        network->pipes = next;
    }
    while (network->dialings != NULL) {
        struct dialing *next = network->dialings->next;
        free(network->dialings);
        network->dialings = next;
    }
}
