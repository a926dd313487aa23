// SPDX-License-Identifier: MIT
// Sessions: the table of clients, sending and closing, time-outs. What clients say is in
// session_frame.c.
#include "node/session.h"

#include <assert.h>
#include <string.h>

#include "node/room.h"
#include "node/subscription.h"

// ---------------------------------------------------------------------------------------------
// lists

static void clients_append(struct node *node, struct client_list *list, uint32_t slot)
{
    struct client *client = &node->clients[slot];
    client->next = NO_SLOT;
    client->previous = list->last;
    if (list->last != NO_SLOT) {
        node->clients[list->last].next = slot;
    } else {
        list->first = slot;
    }
    list->last = slot;
}

static void clients_remove(struct node *node, struct client_list *list, uint32_t slot)
{
    const struct client *client = &node->clients[slot];
    if (client->previous != NO_SLOT) {
        node->clients[client->previous].next = client->next;
    } else {
        list->first = client->next;
    }
    if (client->next != NO_SLOT) {
        node->clients[client->next].previous = client->previous;
    } else {
        list->last = client->previous;
    }
}

static void block(struct node *node, uint32_t slot)
{
    struct client *client = &node->clients[slot];
    struct client_list *list = &node->blocked;
    if (client->blocked) {
        return;
    }
    client->blocked = true;
    client->blocked_ms = node->now_ms;
    client->blocked_next = NO_SLOT;
    client->blocked_previous = list->last;
    if (list->last != NO_SLOT) {
        node->clients[list->last].blocked_next = slot;
    } else {
        list->first = slot;
    }
    list->last = slot;
    node->metrics.clients_blocked++;
}

static void unblock(struct node *node, uint32_t slot)
{
    struct client *client = &node->clients[slot];
    struct client_list *list = &node->blocked;
    if (!client->blocked) {
        return;
    }
    client->blocked = false;
    if (client->blocked_previous != NO_SLOT) {
        node->clients[client->blocked_previous].blocked_next = client->blocked_next;
    } else {
        list->first = client->blocked_next;
    }
    if (client->blocked_next != NO_SLOT) {
        node->clients[client->blocked_next].blocked_previous = client->blocked_previous;
    } else {
        list->last = client->blocked_previous;
    }
    node->metrics.clients_blocked--;
}

static struct client_list *list_of(struct node *node, const struct client *client)
{
    return client->state == CLIENT_GREETING ? &node->greeting : &node->ready;
}

// ---------------------------------------------------------------------------------------------
// table

static bool grow_table(struct node *node, uint32_t slot)
{
    uint32_t capacity = node->client_capacity ? node->client_capacity : 64;
    while (capacity <= slot) {
        capacity *= 2;
    }
    if (capacity == node->client_capacity) {
        return true;
    }
    size_t old = node->client_capacity * sizeof *node->clients;
    struct client *clients = node->allocator.resize(node->allocator.context, node->clients, old,
                                                    capacity * sizeof *clients);
    if (!clients) {
        return false;
    }
    memset(clients + node->client_capacity, 0,
           (capacity - node->client_capacity) * sizeof *clients);
    node->clients = clients;
    node->client_capacity = capacity;
    return true;
}

struct client *session_find(struct node *node, struct client_id id)
{
    if (id.slot >= node->client_capacity) {
        return NULL;
    }
    struct client *client = &node->clients[id.slot];
    return client->state != CLIENT_FREE && client->generation == id.generation ? client : NULL;
}

void session_opened(struct node *node, struct client_id id)
{
    node->metrics.client_connects++;
    if (id.slot >= node->limits.clients_max || !grow_table(node, id.slot)) {
        node->metrics.limit_hits++;
        node->links->close(node->links, id, WIRE_TOO_MANY, wire_code_reason(WIRE_TOO_MANY));
        return;
    }
    struct client *client = &node->clients[id.slot];
    assert(client->state == CLIENT_FREE);
    *client = (struct client){
        .generation = id.generation, .state = CLIENT_GREETING, .seen_ms = node->now_ms};
    clients_append(node, &node->greeting, id.slot);
    node->metrics.clients++;
    if (node->draining) {
        session_close(node, id, WIRE_DRAINING);
    }
}

static void drop_backlog(struct node *node, struct client *client)
{
    while (client->backlog) {
        struct backlog *first = client->backlog;
        client->backlog = first->next;
        frame_release(first->frame);
        node_free(node, first, sizeof *first);
    }
    client->backlog_last = NULL;
    client->backlog_bytes = 0;
}

void session_closed(struct node *node, struct client_id id)
{
    struct client *client = session_find(node, id);
    if (!client) {
        return;
    }
    while (client->subscriptions) {
        subscription_destroy(node, client->subscriptions);
    }
    drop_backlog(node, client);
    unblock(node, id.slot);
    if (client->state != CLIENT_CLOSING) {
        clients_remove(node, list_of(node, client), id.slot);
    }
    client->state = CLIENT_FREE;
    node->metrics.clients--;
}

void session_close(struct node *node, struct client_id id, uint32_t code)
{
    struct client *client = session_find(node, id);
    if (!client || client->state == CLIENT_CLOSING) {
        return;
    }
    clients_remove(node, list_of(node, client), id.slot);
    client->state = CLIENT_CLOSING;
    drop_backlog(node, client);
    if (code < 4500) {
        node->metrics.client_closes_bad++;
    } else {
        node->metrics.client_closes++;
    }
    node_log(node, code == WIRE_DRAINING ? NODE_LOG_DEBUG : NODE_LOG_INFO, "client_closed",
             "client=%u.%u code=%u reason=%s", id.slot, id.generation, code,
             wire_code_reason(code));
    node->links->close(node->links, id, (uint16_t)code, wire_code_reason(code));
}

// -------------------------------------------------------------------------------------------
// sending

void session_push(struct node *node, uint32_t slot, struct frame *frame)
{
    struct client *client = &node->clients[slot];
    struct client_id id = {slot, client->generation};
    assert(!client->blocked);
    node->metrics.frames_sent++;
    if (!node->links->send(node->links, id, frame)) {
        block(node, slot);
    }
}

/// Keeps a frame for later. A client that reads nothing and asks much is closed.
static void keep(struct node *node, struct client_id id, struct client *client, struct frame *frame)
{
    if (client->backlog_bytes + frame->size > CLIENT_BACKLOG_BYTES) {
        node->metrics.limit_hits++;
        session_close(node, id, WIRE_SLOW_CONSUMER);
        return;
    }
    struct backlog *last = node_alloc(node, sizeof *last);
    if (!last) {
        session_close(node, id, WIRE_INTERNAL);
        return;
    }
    last->frame = frame_retain(frame);
    client->backlog_bytes += frame->size;
    if (client->backlog_last) {
        client->backlog_last->next = last;
    } else {
        client->backlog = last;
    }
    client->backlog_last = last;
}

void session_send_frame(struct node *node, struct client_id id, struct frame *frame)
{
    struct client *client = session_find(node, id);
    if (!client || client->state == CLIENT_CLOSING) {
        return;
    }
    if (client->blocked || client->backlog) {
        keep(node, id, client, frame);
    } else {
        session_push(node, id.slot, frame);
    }
}

void session_send(struct node *node, struct client_id id, const struct wire_message *message)
{
    if (!session_find(node, id)) {
        return;
    }
    struct frame *frame = frame_of(node, message);
    if (!frame) {
        session_close(node, id, WIRE_INTERNAL);
        return;
    }
    session_send_frame(node, id, frame);
    frame_release(frame);
}

void session_error(struct node *node, struct client_id id, const struct session_error *error)
{
    struct wire_message message;
    memset(&message, 0, offsetof(struct wire_message, deltas));
    message.type = WIRE_ERROR;
    message.room = error->room;
    message.ref = error->ref;
    message.number = error->number;
    message.code = error->code;
    message.reason = span_of_text(wire_code_reason(error->code));
    message.detail = span_of_text(error->detail ? error->detail : "");
    node->metrics.client_errors++;
    session_send(node, id, &message);
}

void session_writable(struct node *node, struct client_id id)
{
    struct client *client = session_find(node, id);
    if (!client || client->state == CLIENT_CLOSING) {
        return;
    }
    unblock(node, id.slot);
    while (client->backlog && !client->blocked) {
        struct backlog *first = client->backlog;
        client->backlog = first->next;
        client->backlog_last = first->next ? client->backlog_last : NULL;
        client->backlog_bytes -= first->frame->size;
        session_push(node, id.slot, first->frame);
        frame_release(first->frame);
        node_free(node, first, sizeof *first);
    }
    struct subscription *subscription = client->subscriptions;
    while (subscription && !client->blocked) {
        subscription_flush(node, subscription);
        subscription = subscription->client_next;
    }
}

// -----------------------------------------------------------------------------------------
// time-outs

static void close_due(struct node *node, const struct client_list *list, uint64_t timeout_ms,
                      uint32_t code)
{
    while (list->first != NO_SLOT) {
        const struct client *client = &node->clients[list->first];
        if (node->now_ms - client->seen_ms < timeout_ms) {
            return;
        }
        session_close(node, (struct client_id){list->first, client->generation}, code);
    }
}

void session_tick(struct node *node)
{
    if (node->draining && node->now_ms - node->drained_ms >= DRAIN_CLOSE_MS) {
        close_due(node, &node->ready, 0, WIRE_DRAINING);
    }
    close_due(node, &node->greeting, CLIENT_HELLO_MS, WIRE_HELLO_TIMEOUT);
    close_due(node, &node->ready, 3ULL * CLIENT_HEARTBEAT_MS, WIRE_SLOW_CONSUMER);
    while (node->blocked.first != NO_SLOT) {
        uint32_t slot = node->blocked.first;
        const struct client *client = &node->clients[slot];
        if (node->now_ms - client->blocked_ms < CLIENT_BLOCKED_MS) {
            return;
        }
        unblock(node, slot); // closing: it takes nothing any more
        session_close(node, (struct client_id){slot, client->generation}, WIRE_SLOW_CONSUMER);
    }
}

void session_move_all(struct node *node)
{
    struct wire_message move = {.type = WIRE_MOVE, .retry_after_ms = DRAIN_MOVE_RETRY_MS};
    struct frame *frame = frame_of(node, &move);
    for (uint32_t slot = node->ready.first; slot != NO_SLOT && frame;) {
        uint32_t next = node->clients[slot].next;
        session_send_frame(node, (struct client_id){slot, node->clients[slot].generation}, frame);
        slot = next;
    }
    frame_release(frame);
    while (node->greeting.first != NO_SLOT) {
        uint32_t slot = node->greeting.first;
        session_close(node, (struct client_id){slot, node->clients[slot].generation},
                      WIRE_DRAINING);
    }
}

void session_finish_all(struct node *node)
{
    for (uint32_t slot = 0; slot < node->client_capacity; slot++) {
        session_closed(node, (struct client_id){slot, node->clients[slot].generation});
    }
    node_free(node, node->clients, node->client_capacity * sizeof *node->clients);
    node->clients = NULL;
    node->client_capacity = 0;
}
