// SPDX-License-Identifier: MIT
// The two streams of a client's link, their breaks and their back-pressure.
#include "connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "node/frame.h"
#include "probe.h"
#include "sim_client.h"
#include "sim_node.h"

#define HALF_OPEN_US_MAX 4000000 // in which a broken link is noticed at the latest

enum message_kind {
    MESSAGE_OPEN,
    MESSAGE_FRAME,
    MESSAGE_CLOSE, // in good order
    MESSAGE_BREAK, // the end of a stream that was cut
};

struct message {
    struct message *next;
    enum message_kind kind;
    uint64_t sent_us;
    uint16_t code;
    size_t size;
    uint8_t bytes[];
};

struct stream {
    struct message *first;
    struct message **last; // where the next one is linked
    uint32_t count;
    size_t bytes;    // in flight
    uint64_t due_us; // of the last message
    bool cut;        // nothing more enters
};

struct connection {
    struct connection *next;
    struct cluster *cluster;
    struct sim_client *client;
    struct sim_node *node;
    uint64_t boot;
    struct client_id id;
    bool node_open;   // the node was told OPENED and not CLOSED
    bool client_open; // the client still listens
    bool blocked;     // the node was told that there is no room
    bool closing;     // the node closed it
    uint64_t latency_us;
    uint64_t read_us; // what reading one message takes this client
    size_t window;    // bytes in flight down before the node is told to stop
    struct stream up;
    struct stream down;
};

static void deliver_up(void *context, uint64_t a, uint64_t b, void *owned);
static void deliver_down(void *context, uint64_t a, uint64_t b, void *owned);

// ---------------------------------------------------------------------------------------- streams

static void stream_add(struct connection *connection, struct stream *stream, enum message_kind kind,
                       uint16_t code, struct span bytes, uint64_t extra_us)
{
    struct world *world = &connection->cluster->world;
    if (stream->cut)
        return;
    struct message *message = world_resize(NULL, sizeof(*message) + bytes.size);
    *message =
        (struct message){.kind = kind, .sent_us = world->now_us, .code = code, .size = bytes.size};
    if (bytes.size > 0)
        memcpy(message->bytes, bytes.data, bytes.size);
    *stream->last = message;
    stream->last = &message->next;
    stream->count++;
    stream->bytes += bytes.size;
    uint64_t due_us = world->now_us + connection->latency_us + world_random(world, 300);
    if (due_us <= stream->due_us)
        due_us = stream->due_us + 1;
    stream->due_us = due_us + extra_us;
    world_at(world, stream->due_us, stream == &connection->up ? deliver_up : deliver_down,
             connection, 0, 0, NULL);
    if (kind == MESSAGE_BREAK || kind == MESSAGE_CLOSE)
        stream->cut = true;
}

static struct message *stream_take(struct stream *stream)
{
    struct message *message = stream->first;
    if (message == NULL)
        return NULL;
    stream->first = message->next;
    if (stream->first == NULL)
        stream->last = &stream->first;
    stream->count--;
    stream->bytes -= message->size;
    return message;
}

/// Cuts a stream somewhere in what is in flight; the end is noticed after `notice_us`.
static void stream_break(struct connection *connection, struct stream *stream, uint64_t notice_us)
{
    if (stream->cut)
        return;
    uint64_t keep = world_random(&connection->cluster->world, stream->count + 1);
    struct message **at = &stream->first;
    for (uint64_t i = 0; i < keep; i++)
        at = &(*at)->next;
    while (*at != NULL) {
        struct message *lost = *at;
        *at = lost->next;
        stream->count--;
        stream->bytes -= lost->size;
        free(lost);
    }
    stream->last = at;
    stream_add(connection, stream, MESSAGE_BREAK, 0, (struct span){0}, notice_us);
}

static void stream_init(struct stream *stream)
{
    stream->last = &stream->first;
}

static void stream_finish(struct stream *stream)
{
    while (stream->first != NULL)
        free(stream_take(stream));
}

// -------------------------------------------------------------------------------------- node's end

static bool node_listens(const struct connection *connection)
{
    return sim_node_lives(connection->node, connection->boot);
}

static void step_closed(struct connection *connection)
{
    connection->node_open = false;
    connection->node->connections[connection->id.slot] = NULL;
    sim_node_step(connection->node,
                  &(struct node_event){.kind = NODE_CLIENT_CLOSED, .client = connection->id});
}

/// Takes the lowest free slot, so that slots are used again soon.
static void step_opened(struct connection *connection)
{
    struct sim_node *node = connection->node;
    uint32_t slot = 0;
    while (slot < SIM_SLOTS_MAX && node->connections[slot] != NULL)
        slot++;
    if (slot == SIM_SLOTS_MAX) {
        connection_break(connection);
        return;
    }
    connection->id = (struct client_id){slot, ++node->generations[slot]};
    node->connections[slot] = connection;
    connection->node_open = true;
    sim_node_step(connection->node,
                  &(struct node_event){.kind = NODE_CLIENT_OPENED, .client = connection->id});
}

static void deliver_up(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct connection *connection = context;
    (void)a;
    (void)b;
    (void)owned;
    if (node_listens(connection) &&
        sim_node_defer(connection->node, deliver_up, context, 0, 0, NULL))
        return;
    struct message *message = stream_take(&connection->up);
    if (message == NULL) // it was cut off after this delivery was planned
        return;
    if (!node_listens(connection)) {
        if (message->kind == MESSAGE_OPEN) // refused
            stream_break(connection, &connection->down, 0);
    } else if (message->kind == MESSAGE_OPEN) {
        step_opened(connection);
    } else if (message->kind == MESSAGE_FRAME && connection->node_open && !connection->closing) {
        sim_node_step(connection->node,
                      &(struct node_event){.kind = NODE_CLIENT_FRAME,
                                           .client = connection->id,
                                           .bytes = {message->bytes, message->size}});
    } else if (message->kind != MESSAGE_FRAME && connection->node_open) {
        step_closed(connection);
    }
    free(message);
}

static struct connection *find_connection(struct sim_node *node, struct client_id id)
{
    return id.slot < SIM_SLOTS_MAX && node->generations[id.slot] == id.generation
               ? node->connections[id.slot]
               : NULL;
}

bool connection_node_send(struct sim_node *node, struct client_id id, struct frame *frame)
{
    struct world *world = &node->cluster->world;
    struct connection *connection = find_connection(node, id);
    if (connection == NULL || !connection->node_open) {
        world_fail(world, "n%u sends to client slot %u.%u, which is not open", node->slot, id.slot,
                   id.generation);
        return false;
    }
    struct span bytes = {frame_payload(frame), frame->size};
    world_trace(world, 0xC11E47, bytes.data, bytes.size);
    if (bytes.size > node->frame_bytes_max)
        world_fail(world, "n%u sends a frame of %zu bytes, limit %u", node->slot, bytes.size,
                   node->frame_bytes_max);
    if (connection->blocked)
        world_fail(world, "n%u sends to a client that it was told is full", node->slot);
    if (connection->closing)
        return true;
    if (connection->client_open && connection->client->connection == connection)
        probe_frame(node, connection->client, bytes);
    if (connection->down.cut) // the wire is broken and nobody knows yet: it fills the buffers
        connection->down.bytes += bytes.size;
    else
        stream_add(connection, &connection->down, MESSAGE_FRAME, 0, bytes, connection->read_us);
    connection->blocked = connection->down.bytes > connection->window;
    return !connection->blocked;
}

void connection_node_close(struct sim_node *node, struct client_id id, uint16_t code,
                           const char *reason)
{
    struct connection *connection = find_connection(node, id);
    struct world *world = &node->cluster->world;
    if (connection == NULL || !connection->node_open || connection->closing)
        return;
    connection->closing = true;
    world_note(world, "n%u closes slot %u: %u %s", node->slot, id.slot, code, reason);
    stream_add(connection, &connection->down, MESSAGE_CLOSE, code, (struct span){0}, 0);
    stream_break(connection, &connection->up, world_random(world, HALF_OPEN_US_MAX));
}

void connection_crash_all(struct sim_node *node)
{
    for (struct connection *c = node->cluster->network.connections; c != NULL; c = c->next) {
        if (c->node == node && c->boot == node->boot) {
            c->node_open = false;
            connection_break(c);
        }
    }
    memset(node->connections, 0, sizeof(node->connections));
}

// ------------------------------------------------------------------------------------ client's end

static void tell_writable(struct connection *connection)
{
    if (!connection->blocked || connection->down.bytes > connection->window / 2)
        return;
    connection->blocked = false;
    if (node_listens(connection) && connection->node_open && !connection->closing)
        sim_node_step(connection->node,
                      &(struct node_event){.kind = NODE_CLIENT_WRITABLE, .client = connection->id});
}

static void deliver_down(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct connection *connection = context;
    (void)a;
    (void)b;
    (void)owned;
    if (connection->blocked && node_listens(connection) &&
        sim_node_defer(connection->node, deliver_down, context, 0, 0, NULL))
        return; // the stopped process could not be told that there is room
    struct message *message = stream_take(&connection->down);
    if (message == NULL)
        return;
    if (connection->client_open && message->kind == MESSAGE_FRAME) {
        sim_client_frame(connection->client, connection,
                         (struct span){message->bytes, message->size}, message->sent_us);
    } else if (connection->client_open) {
        connection->client_open = false;
        sim_client_closed(connection->client, connection, message->code);
        if (message->kind == MESSAGE_BREAK)
            stream_break(connection, &connection->up,
                         world_random(&connection->cluster->world, HALF_OPEN_US_MAX));
    }
    free(message);
    tell_writable(connection);
}

static void tell_open(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct connection *connection = context;
    (void)a;
    (void)b;
    (void)owned;
    if (!connection->client_open)
        return;
    sim_client_opened(connection->client, connection);
}

struct connection *connection_open(struct sim_client *client, struct sim_node *node)
{
    struct cluster *cluster = node->cluster;
    struct world *world = &cluster->world;
    struct connection *connection = world_resize(NULL, sizeof(*connection));
    *connection = (struct connection){.next = cluster->network.connections,
                                      .cluster = cluster,
                                      .client = client,
                                      .node = node,
                                      .boot = node->boot,
                                      .id = {UINT32_MAX, 0},
                                      .client_open = true,
                                      .window = SIZE_MAX};
    stream_init(&connection->up);
    stream_init(&connection->down);
    connection->latency_us = world_between(world, 200, 20000);
    if (cluster->plan.slow_clients && world_chance(world, 500)) {
        connection->read_us = world_between(world, 1000, 300000);
        connection->window = (size_t)world_between(world, 1000, 100000);
    }
    cluster->network.connections = connection;
    stream_add(connection, &connection->up, MESSAGE_OPEN, 0, (struct span){0}, 0);
    world_after(world, 2 * connection->latency_us, tell_open, connection, 0, 0, NULL);
    return connection;
}

void connection_send(struct connection *connection, struct span bytes)
{
    if (connection->client_open)
        stream_add(connection, &connection->up, MESSAGE_FRAME, 0, bytes, 0);
}

void connection_close(struct connection *connection)
{
    connection->client_open = false;
    stream_add(connection, &connection->up, MESSAGE_CLOSE, 1000, (struct span){0}, 0);
}

void connection_break(struct connection *connection)
{
    struct world *world = &connection->cluster->world;
    stream_break(connection, &connection->down, world_random(world, HALF_OPEN_US_MAX));
    stream_break(connection, &connection->up, world_random(world, HALF_OPEN_US_MAX));
}

uint32_t connection_slot(const struct connection *connection)
{
    return connection->node->slot;
}

void connection_hurry_all(struct sim_network *network)
{
    struct world *world = &network->cluster->world;
    for (struct connection *c = network->connections; c != NULL; c = c->next) {
        if (c->read_us == 0)
            continue;
        c->read_us = 0;
        c->down.due_us = world->now_us;
        // The deliveries that were planned will find nothing left.
        for (uint32_t i = 0; i < c->down.count; i++)
            world_at(world, ++c->down.due_us, deliver_down, c, 0, 0, NULL);
    }
}

void connection_finish_all(struct sim_network *network)
{
    while (network->connections != NULL) {
        struct connection *next = network->connections->next;
        stream_finish(&network->connections->up);
        stream_finish(&network->connections->down);
        free(network->connections);
        network->connections = next;
    }
}
