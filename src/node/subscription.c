// SPDX-License-Identifier: MIT
// Subscriptions: cursors, readers, acks.
#include "node/subscription.h"

#include <assert.h>
#include <string.h>

#include "node/journal.h"
#include "node/replicas.h"
#include "node/room.h"
#include "node/session.h"

static struct client *client_of(const struct node *node, const struct subscription *subscription)
{
    return &node->clients[subscription->slot];
}

struct client_id subscription_client(const struct node *node,
                                     const struct subscription *subscription)
{
    return (struct client_id){subscription->slot, client_of(node, subscription)->generation};
}

struct subscription *subscription_find(struct node *node, const struct client *client,
                                       uint32_t room_number)
{
    struct subscription *subscription = client->subscriptions;
    (void)node;
    while (subscription && subscription->room_number != room_number) {
        subscription = subscription->client_next;
    }
    return subscription;
}

struct subscription *subscription_create(struct node *node, uint32_t slot, struct room *room)
{
    struct client *client = &node->clients[slot];
    if (node_grow(node, &room->subscriptions, &room->subscription_capacity,
                  room->subscription_count, sizeof(struct subscription *))) {
        return NULL;
    }
    struct subscription *subscription = node_alloc(node, sizeof *subscription);
    if (!subscription) {
        return NULL;
    }
    subscription->room = room;
    subscription->slot = slot;
    subscription->room_index = room->subscription_count;
    subscription->room_number = room->number;
    subscription->serial = ++node->subscriptions_made;
    subscription->mode = SUBSCRIPTION_LIVE;
    subscription->cursor = room->ring_end;
    subscription->client_next = client->subscriptions;
    client->subscriptions = subscription;
    client->rooms++;
    room->subscriptions[room->subscription_count++] = subscription;
    node->metrics.subscriptions++;
    room_settle(node, room);
    return subscription;
}

/// Takes it off a list that is linked through the member at `next_offset`.
static void unlink_single(struct subscription **list, struct subscription *subscription,
                          size_t next_offset)
{
    while (*list && *list != subscription) {
        list = (struct subscription **)(void *)((uint8_t *)*list + next_offset);
    }
    if (*list) {
        *list = *(struct subscription **)(void *)((uint8_t *)subscription + next_offset);
    }
}

void subscription_destroy(struct node *node, struct subscription *subscription)
{
    struct room *room = subscription->room;
    struct client *client = client_of(node, subscription);
    struct subscription *moved = room->subscriptions[--room->subscription_count];
    room->subscriptions[subscription->room_index] = moved;
    moved->room_index = subscription->room_index;
    unlink_single(&client->subscriptions, subscription, offsetof(struct subscription, client_next));
    client->rooms--;
    if (subscription->in_acks) {
        unlink_single(&node->acks, subscription, offsetof(struct subscription, acks_next));
    }
    if (subscription->in_pumping) {
        unlink_single(&node->pumping, subscription, offsetof(struct subscription, pumping_next));
    }
    replicas_drop(node, subscription);
    journal_drop_subscription(node, subscription);
    weft_delta_reader_destroy(subscription->reader);
    node_free(node, subscription->waits, CLIENT_WAITS_MAX * sizeof *subscription->waits);
    node_free(node, subscription, sizeof *subscription);
    node->metrics.subscriptions--;
    if (room->subscription_count == 0) {
        room->held.size = 0;
        room->shown.size = 0;
    }
    room_settle(node, room);
}

// -------------------------------------------------------------------------------------- catching
// up

void subscription_stop_reader(struct subscription *subscription)
{
    weft_delta_reader_destroy(subscription->reader);
    subscription->reader = NULL;
}

enum weft_status subscription_sync(struct node *node, struct subscription *subscription,
                                   struct span version)
{
    struct weft_delta_reader *reader;
    struct room *room = subscription->room;
    enum weft_status status = room_load(node, room);
    if (status == WEFT_OK) {
        status = weft_delta_reader_create(&reader, room->doc, version.data, version.size);
    }
    if (status) {
        return status;
    }
    weft_delta_reader_destroy(subscription->reader);
    subscription->reader = reader;
    subscription->mode = SUBSCRIPTION_JOINING;
    subscription->resync_due = false;
    subscription_flush(node, subscription);
    return WEFT_OK;
}

void subscription_lose(struct node *node, struct subscription *subscription)
{
    if (subscription->mode == SUBSCRIPTION_LOST) {
        return;
    }
    subscription_stop_reader(subscription);
    subscription->mode = SUBSCRIPTION_LOST;
    subscription->resync_due = true;
    subscription->point_due = false;
    node->metrics.client_resyncs++;
    subscription_flush(node, subscription);
}

static void pump_later(struct node *node, struct subscription *subscription)
{
    if (!subscription->in_pumping) {
        subscription->in_pumping = true;
        subscription->pumping_next = node->pumping;
        node->pumping = subscription;
    }
}

/// Sends what the reader gives. The room must be clean: a reader sees all that is in memory.
static void pump(struct node *node, struct subscription *subscription)
{
    struct room *room = subscription->room;
    struct wire_message message;
    memset(&message, 0, offsetof(struct wire_message, deltas));
    message.type = WIRE_NODE_DELTA;
    message.room = room->number;
    message.delta_count = 1;
    for (uint32_t i = 0; !client_of(node, subscription)->blocked; i++) {
        if (i == CLIENT_PUMP_FRAMES) {
            pump_later(node, subscription);
            return;
        }
        node->scratch.size = 0;
        if (weft_delta_reader_next(&node->scratch, subscription->reader,
                                   node->limits.frame_bytes_max - 64)) {
            subscription_lose(node, subscription);
            return;
        }
        if (node->scratch.size == 0) {
            subscription_stop_reader(subscription);
            subscription->mode = SUBSCRIPTION_LIVE;
            subscription->cursor = room->ring_end;
            subscription->point_due = true;
            return;
        }
        message.deltas[0] = span_of_buffer(&node->scratch);
        struct frame *frame = frame_of(node, &message);
        if (!frame) {
            subscription_lose(node, subscription);
            return;
        }
        session_push(node, subscription->slot, frame);
        frame_release(frame);
    }
}

void subscription_pump_all(struct node *node)
{
    struct subscription *list = node->pumping;
    node->pumping = NULL;
    while (list) {
        struct subscription *subscription = list;
        list = subscription->pumping_next;
        subscription->in_pumping = false;
        subscription->pumping_next = NULL;
        subscription_flush(node, subscription);
    }
}

// -----------------------------------------------------------------------------------------------
// acks

void subscription_ack(struct node *node, struct subscription *subscription)
{
    if (!subscription->in_acks) {
        subscription->in_acks = true;
        subscription->acks_next = node->acks;
        node->acks = subscription;
    }
}

static void send_ack(struct node *node, struct subscription *subscription, uint32_t level,
                     uint32_t number)
{
    struct wire_message message;
    memset(&message, 0, offsetof(struct wire_message, deltas));
    message.type = WIRE_ACK;
    message.room = subscription->room_number;
    message.level = level;
    message.number = number;
    struct frame *frame = frame_of(node, &message);
    if (frame) {
        session_push(node, subscription->slot, frame);
        frame_release(frame);
    }
}

/// Says the greatest number of each level that was not said yet; durable includes received.
static void flush_acks(struct node *node, struct subscription *subscription)
{
    const struct client *client = client_of(node, subscription);
    if (subscription->durable > subscription->told_durable) {
        subscription->told_durable = subscription->durable;
        send_ack(node, subscription, 1, subscription->durable);
    }
    if (subscription->accepted > subscription->told_received) {
        subscription->told_received = subscription->accepted;
        if (subscription->accepted > subscription->told_durable && !client->blocked) {
            send_ack(node, subscription, 0, subscription->accepted);
        }
    }
    if (subscription->replicated > subscription->told_replicated && !client->blocked) {
        subscription->told_replicated = subscription->replicated;
        send_ack(node, subscription, client->replicas, subscription->replicated);
    }
}

void subscription_flush_acks(struct node *node)
{
    while (node->acks) {
        struct subscription *subscription = node->acks;
        node->acks = subscription->acks_next;
        subscription->acks_next = NULL;
        subscription->in_acks = false;
        const struct client *client = client_of(node, subscription);
        if (!client->blocked && client->state == CLIENT_READY) {
            flush_acks(node, subscription);
        }
    }
}

// ----------------------------------------------------------------------------------------------
// flush

static void send_resync(struct node *node, struct subscription *subscription)
{
    struct wire_message message = {.type = WIRE_RESYNC, .room = subscription->room_number};
    subscription->resync_due = false;
    session_send(node, subscription_client(node, subscription), &message);
}

void subscription_flush(struct node *node, struct subscription *subscription)
{
    struct room *room = subscription->room;
    const struct client *client = client_of(node, subscription);
    if (client->blocked || client->state != CLIENT_READY || room->epoch_notice) {
        return;
    }
    if (subscription->resync_due) {
        send_resync(node, subscription);
        if (client->blocked || client->state != CLIENT_READY) {
            return; // it took no more than that
        }
    }
    flush_acks(node, subscription);
    if (subscription->mode == SUBSCRIPTION_JOINING) {
        if (!subscription->reader) {
            subscription_lose(node, subscription); // the document went away meanwhile
            return;
        }
        if (!room_clean(room)) {
            return; // goes on when its group is on disk
        }
        pump(node, subscription);
    }
    if (subscription->mode != SUBSCRIPTION_LIVE) {
        return;
    }
    if (subscription->cursor < room->ring_first) {
        subscription_lose(node, subscription);
        return;
    }
    while (subscription->cursor < room->ring_end && !client->blocked) {
        struct frame *frame = room->ring[subscription->cursor++ % room->ring_capacity];
        session_push(node, subscription->slot, frame);
    }
    if (subscription->point_due && !client->blocked && room->doc && room_clean(room) &&
        room->shown.size == 0 && room->held.size == 0) {
        struct frame *point = room_point(node, room);
        subscription->point_due = point == NULL;
        if (point) {
            session_push(node, subscription->slot, point);
        }
    }
}
