// SPDX-License-Identifier: MIT
// The session: connecting, greeting, moving on, and what a client does next.
#include "sim_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "sim_node.h"

#define WORK_US 20000            // how often it looks after itself
#define GREETING_US_MAX 11000000 // without an answer to HELLO it goes elsewhere
#define PING_US 3000000
#define SILENCE_US_MAX 9000000 // after which the link is given up
#define OFFLINE_US_MAX 8000000

static void client_goes_on(void *context, uint64_t a, uint64_t b, void *owned);

uint64_t sim_client_agent(struct sim_client *client)
{
    return (world_random(&client->cluster->world, UINT64_MAX) & ~WEFT_AGENT_RESERVED_BIT) | 1;
}

struct sim_client *sim_client_create(struct cluster *cluster, uint32_t index)
{
    struct world *world = &cluster->world;
    struct sim_client *client = world_resize(NULL, sizeof(*client));
    *client = (struct sim_client){.cluster = cluster, .index = index};
    weft_buffer_init(&client->scratch, NULL);
    client->typist = world_chance(world, 600);
    client->think_us_max = world_between(world, 20000, 900000);
    client->replicas = (uint32_t)world_random(world, 4);
    for (uint32_t d = 0; d < cluster->document_count; d++) {
        if (d == index % cluster->document_count || world_chance(world, 400))
            sim_room_init(&client->rooms[client->room_count++], client, d);
    }
    return client;
}

void sim_client_destroy(struct sim_client *client)
{
    if (client == NULL)
        return;
    for (uint32_t i = 0; i < client->room_count; i++)
        sim_room_finish(&client->rooms[i]);
    weft_buffer_finish(&client->scratch);
    free(client);
}

void sim_client_start(struct sim_client *client)
{
    struct world *world = &client->cluster->world;
    client->online_at_us = world->now_us + world_random(world, 2000000);
    world_after(world, world_random(world, WORK_US), client_goes_on, client, 0, 0, NULL);
}

static void disconnect(struct sim_client *client, uint64_t online_at_us)
{
    client->state = CLIENT_OFFLINE;
    client->connection = NULL;
    client->online_at_us = online_at_us;
    for (uint32_t i = 0; i < client->room_count; i++)
        sim_room_disconnect(&client->rooms[i]);
}

void sim_client_go_offline(struct sim_client *client, uint64_t online_at_us)
{
    struct connection *connection = client->connection;
    if (client->state == CLIENT_ENDED)
        return;
    disconnect(client, online_at_us);
    if (connection != NULL)
        connection_close(connection);
}

void sim_client_pin(struct sim_client *client, uint32_t slot)
{
    client->pinned = true;
    if (client->connection != NULL && client->slot != slot)
        sim_client_go_offline(client, client->cluster->world.now_us);
    client->slot = slot;
}

void sim_client_end(struct sim_client *client)
{
    world_note(&client->cluster->world, "client %u ends", client->index);
    sim_client_go_offline(client, UINT64_MAX);
    client->state = CLIENT_ENDED;
    for (uint32_t i = 0; i < client->room_count; i++)
        sim_room_finish(&client->rooms[i]);
    client->room_count = 0;
}

bool sim_client_is_settled(const struct sim_client *client)
{
    if (client->state == CLIENT_ENDED)
        return true;
    if (client->state != CLIENT_ONLINE)
        return false;
    for (uint32_t i = 0; i < client->room_count; i++) {
        if (!sim_room_is_settled(&client->rooms[i]))
            return false;
    }
    return true;
}

/// For --verbose only: every message would push the notes that matter out of the context.
static void tell_message(const struct sim_client *client, const struct wire_message *message,
                         const char *direction)
{
    const struct world *world = &client->cluster->world;
    size_t size = 0;
    for (uint32_t i = 0; i < message->delta_count; i++)
        size += message->deltas[i].size;
    if (world->verbose)
        printf("%10.6f  client %u %s n%u: type %d room %u ref %u number %u level %u code %u, "
               "%zu bytes of deltas\n",
               (double)world->now_us / 1e6, client->index, direction, client->slot, message->type,
               message->room, message->ref, message->number, message->level, message->code, size);
}

void sim_client_send(struct sim_client *client, const struct wire_message *message)
{
    struct world *world = &client->cluster->world;
    client->scratch.size = 0;
    if (client->connection == NULL)
        return;
    tell_message(client, message, "to");
    if (wire_encode(&client->scratch, message) != WEFT_OK) {
        world_fail(world, "client %u cannot encode message %d", client->index, message->type);
        return;
    }
    client->spoke_us = world->now_us;
    connection_send(client->connection, (struct span){client->scratch.data, client->scratch.size});
}

// --------------------------------------------------------------------------------------- hearing

void sim_client_opened(struct sim_client *client, struct connection *connection)
{
    if (connection != client->connection)
        return;
    client->state = CLIENT_GREETING;
    client->since_us = client->cluster->world.now_us;
    sim_client_send(client, &(struct wire_message){.type = WIRE_HELLO,
                                                   .version = WIRE_VERSION,
                                                   .replicas = client->replicas,
                                                   .name = {(const uint8_t *)"sim", 3}});
}

void sim_client_closed(struct sim_client *client, struct connection *connection, uint16_t code)
{
    struct world *world = &client->cluster->world;
    if (connection != client->connection)
        return;
    if (code >= 4400 && code < 4500 && code != WIRE_HELLO_TIMEOUT)
        world_fail(world, "client %u was closed with %u", client->index, code);
    disconnect(client, world->now_us + world_between(world, 10000, 1500000));
}

static struct sim_room *find_room(struct sim_client *client, const struct wire_message *message)
{
    for (uint32_t i = 0; i < client->room_count; i++) {
        struct sim_room *room = &client->rooms[i];
        bool by_ref = message->type == WIRE_JOINED ||
                      (message->type == WIRE_ERROR && message->ref != WIRE_NONE);
        if (by_ref ? room->state == ROOM_JOINING && room->ref == message->ref
                   : room->state == ROOM_IN && room->number_of_room == message->room)
            return room;
    }
    return NULL;
}

static void on_hello(struct sim_client *client, const struct wire_message *message)
{
    struct world *world = &client->cluster->world;
    if (client->state != CLIENT_GREETING) {
        world_fail(world, "client %u was greeted twice", client->index);
        return;
    }
    if (message->version != WIRE_VERSION || message->heartbeat_ms == 0 ||
        message->limits.frame_bytes == 0 || message->incarnation == 0)
        world_fail(world, "client %u was greeted without version, heartbeat or limits",
                   client->index);
    client->state = CLIENT_ONLINE;
    client->since_us = world->now_us;
}

void sim_client_frame(struct sim_client *client, struct connection *connection, struct span bytes,
                      uint64_t sent_us)
{
    static struct wire_message message; // large; nothing here calls itself
    struct world *world = &client->cluster->world;
    if (connection != client->connection)
        return;
    enum weft_status status = wire_decode(&message, bytes);
    if (status != WEFT_OK) {
        world_fail(world, "client %u got a frame of %zu bytes: %s", client->index, bytes.size,
                   weft_status_text(status));
        return;
    }
    client->heard_us = world->now_us;
    tell_message(client, &message, "from");
    if (message.type == WIRE_NODE_HELLO) {
        on_hello(client, &message);
    } else if (message.type == WIRE_MOVE) {
        sim_client_go_offline(client, world->now_us + message.retry_after_ms * UINT64_C(1000) +
                                          world_random(world, 200000));
    } else if (message.type != WIRE_PONG) {
        struct sim_room *room = find_room(client, &message);
        if (room != NULL)
            sim_room_message(room, &message, sent_us);
    }
}

// ----------------------------------------------------------------------------------------- doing

static void connect_somewhere(struct sim_client *client)
{
    struct world *world = &client->cluster->world;
    struct sim_node *node =
        client->pinned ? client->cluster->nodes[client->slot] : cluster_pick_node(client->cluster);
    if (node == NULL) {
        client->online_at_us = world->now_us + 500000;
        return;
    }
    client->slot = node->slot;
    client->state = CLIENT_CONNECTING;
    client->since_us = world->now_us;
    client->heard_us = world->now_us;
    client->connection = connection_open(client, node);
}

static void look_after_link(struct sim_client *client)
{
    struct world *world = &client->cluster->world;
    if (client->state == CLIENT_OFFLINE) {
        if (world->now_us >= client->online_at_us)
            connect_somewhere(client);
        return;
    }
    if (client->state != CLIENT_ONLINE) {
        if (world->now_us - client->since_us > GREETING_US_MAX)
            sim_client_go_offline(client, world->now_us + 100000);
        return;
    }
    if (world->now_us - client->heard_us > SILENCE_US_MAX)
        sim_client_go_offline(client, world->now_us + 100000);
    else if (world->now_us - client->spoke_us > PING_US)
        sim_client_send(client, &(struct wire_message){.type = WIRE_PING, .n = world->now_us});
}

/// Now and then something other than typing.
static void misbehave(struct sim_client *client)
{
    struct world *world = &client->cluster->world;
    uint64_t back_us = world->now_us + world_random(world, OFFLINE_US_MAX);
    uint64_t draw = world_random(world, 1000);
    if (draw < 4) {
        sim_client_go_offline(client, back_us);
    } else if (draw < 9 && client->connection != NULL) {
        struct connection *connection = client->connection;
        connection_break(connection); // it hears of that later
    } else if (draw < 12 && client->room_count > 0) {
        struct sim_room *room = &client->rooms[world_random(world, client->room_count)];
        if (room->state == ROOM_IN) {
            sim_client_send(
                client, &(struct wire_message){.type = WIRE_LEAVE, .room = room->number_of_room});
            sim_room_disconnect(room);
            room->retry_us = world->now_us + world_random(world, 3000000);
        }
    } else if (draw < 14) { // the browser is closed and opened again
        sim_client_go_offline(client, back_us);
        for (uint32_t i = 0; i < client->room_count; i++)
            sim_room_adopt(&client->rooms[i]);
    } else if (draw < 15 && client->cluster->client_count < SIM_CLIENTS_MAX) {
        struct sim_client *heir = cluster_add_client(client->cluster);
        sim_client_end(client);
        sim_client_start(heir);
    }
}

static void edit(struct sim_client *client)
{
    struct world *world = &client->cluster->world;
    if (client->cluster->quiet || client->scripted || client->room_count == 0 ||
        !world_chance(world, (uint32_t)(WORK_US * 1000 / client->think_us_max) + 1))
        return;
    struct sim_room *room = &client->rooms[world_random(world, client->room_count)];
    if (sim_room_may_edit(room))
        sim_room_edit(room);
}

static void client_goes_on(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct sim_client *client = context;
    struct world *world = &client->cluster->world;
    (void)a;
    (void)b;
    (void)owned;
    if (client->state == CLIENT_ENDED)
        return;
    look_after_link(client);
    edit(client);
    for (uint32_t i = 0; client->state == CLIENT_ONLINE && i < client->room_count; i++)
        sim_room_work(&client->rooms[i]);
    if (!client->cluster->quiet && !client->scripted && client->cluster->plan.restless_clients)
        misbehave(client);
    if (client->state != CLIENT_ENDED)
        world_after(world, WORK_US / 2 + world_random(world, WORK_US), client_goes_on, client, 0, 0,
                    NULL);
}
