// SPDX-License-Identifier: MIT
// What the subscribers of a room see: frames made once, a ring of the recent ones, POINTs.
#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "node/room.h"
#include "node/session.h"
#include "node/subscription.h"
#include "node/watch.h"

#define FRAME_OVERHEAD 32U // of a DELTA message, and of each delta in it 5

struct frame *frame_of(struct node *node, const struct wire_message *message)
{
    node->message.size = 0;
    if (wire_encode(&node->message, message) || node->message.size > UINT32_MAX) {
        return NULL;
    }
    struct frame *frame = frame_create(&node->allocator, (uint32_t)node->message.size);
    if (frame) {
        memcpy(frame_payload(frame), node->message.data, node->message.size);
    }
    return frame;
}

// ----------------------------------------------------------------------------------------------
// ring

static void drop_first(struct room *room)
{
    struct frame *frame = room->ring[room->ring_first++ % room->ring_capacity];
    room->ring_bytes -= frame->size;
    frame_release(frame);
}

static bool grow_ring(struct node *node, struct room *room)
{
    uint32_t capacity = room->ring_capacity ? room->ring_capacity * 2 : 8;
    struct frame **ring = node_alloc(node, capacity * sizeof(struct frame *));
    if (!ring) {
        return false;
    }
    for (uint64_t i = room->ring_first; i < room->ring_end; i++) {
        ring[i % capacity] = room->ring[i % room->ring_capacity];
    }
    node_free(node, room->ring, room->ring_capacity * sizeof(struct frame *));
    room->ring = ring;
    room->ring_capacity = capacity;
    return true;
}

void room_push(struct node *node, struct room *room, struct frame *frame)
{
    uint64_t count = room->ring_end - room->ring_first;
    if (count == room->ring_capacity &&
        (room->ring_capacity >= ROOM_RING_FRAMES || !grow_ring(node, room))) {
        if (count == 0) {
            frame_release(frame);
            room_resync_all(node, room); // no memory for a ring at all
            return;
        }
        drop_first(room);
    }
    room->ring[room->ring_end++ % room->ring_capacity] = frame;
    room->ring_bytes += frame->size;
    while (room->ring_bytes > node->limits.room_ring_bytes_max &&
           room->ring_first + 1 < room->ring_end) {
        drop_first(room);
    }
    for (uint32_t i = 0; i < room->subscription_count; i++) {
        subscription_flush(node, room->subscriptions[i]);
    }
}

void room_resync_all(struct node *node, struct room *room)
{
    for (uint32_t i = 0; i < room->subscription_count; i++) {
        subscription_lose(node, room->subscriptions[i]);
    }
}

// --------------------------------------------------------------------------------------------
// deltas

void room_show(struct node *node, struct room *room, struct span delta, bool now)
{
    // Behind edits that wait for their group: it may name one of them that came here by two ways.
    now = now && room->held.size == 0;
    struct weft_buffer *deltas = now ? &room->shown : &room->held;
    uint32_t head = (uint32_t)delta.size;
    if (room->subscription_count > 0 && (weft_buffer_reserve(deltas, sizeof head + delta.size) ||
                                         weft_buffer_append(deltas, &head, sizeof head) ||
                                         weft_buffer_append(deltas, delta.data, delta.size))) {
        room_resync_all(node, room);
    }
    if (now && !room->in_turn) {
        room->in_turn = true;
        room->turn_next = node->turn_rooms;
        node->turn_rooms = room;
        room_settle(node, room);
    }
}

/// Takes deltas from `at` on into one message, as many as fit a frame. @return Where it stopped; at
/// the same place when not even one fits.
static size_t gather(const struct node *node, const struct weft_buffer *deltas, size_t at,
                     struct wire_message *message)
{
    size_t left = node->limits.frame_bytes_max - FRAME_OVERHEAD;
    while (at < deltas->size && message->delta_count < WIRE_DELTAS_MAX) {
        uint32_t size;
        memcpy(&size, deltas->data + at, sizeof size);
        if (size + 5 > left) {
            break;
        }
        message->deltas[message->delta_count++] = (struct span){deltas->data + at + 4, size};
        left -= size + 5;
        at += 4 + size;
    }
    return at;
}

void room_flush(struct node *node, struct room *room, struct weft_buffer *deltas)
{
    struct wire_message message;
    size_t at = 0;
    while (at < deltas->size && room->subscription_count > 0) {
        memset(&message, 0, offsetof(struct wire_message, deltas));
        message.type = WIRE_NODE_DELTA;
        message.room = room->number;
        message.delta_count = 0;
        size_t next = gather(node, deltas, at, &message);
        struct frame *frame = next > at ? frame_of(node, &message) : NULL;
        if (!frame) {
            room_resync_all(node, room); // larger than a frame, or no memory: read it in pieces
            break;
        }
        at = next;
        room_push(node, room, frame);
    }
    deltas->size = 0;
}

void room_flush_turn(struct node *node)
{
    while (node->turn_rooms) {
        struct room *room = node->turn_rooms;
        node->turn_rooms = room->turn_next;
        room->turn_next = NULL;
        room->in_turn = false;
        if (room->epoch_notice && room_clean(room)) {
            room_notice_epoch(node, room);
        }
        if (!room->epoch_notice) {
            room_flush(node, room, &room->shown);
        }
        watch_flush(node, room);
        room_settle(node, room);
    }
}

// ---------------------------------------------------------------------------------------------
// points

void room_token(struct node *node, const struct room *room, const struct weft_digest *digest,
                uint8_t bytes_out[TOKEN_BYTES])
{
    endian_put_u64(bytes_out, node->incarnation);
    endian_put_u64(bytes_out + 8, room->changed_number);
    memcpy(bytes_out + 16, digest->bytes, sizeof digest->bytes);
}

struct frame *room_point(struct node *node, struct room *room)
{
    struct wire_message message;
    uint8_t token[TOKEN_BYTES];
    assert(room->doc && room_clean(room));
    if (room->point) {
        return room->point;
    }
    memset(&message, 0, offsetof(struct wire_message, deltas));
    message.type = WIRE_POINT;
    message.room = room->number;
    node->version.size = 0;
    if (weft_doc_version(&node->version, room->doc) ||
        weft_doc_digest(&message.digest, room->doc)) {
        return NULL;
    }
    if (node->version.size + 2 * FRAME_OVERHEAD + TOKEN_BYTES <= node->limits.frame_bytes_max) {
        message.vector = span_of_buffer(&node->version);
    }
    room_token(node, room, &message.digest, token);
    message.token = (struct span){token, sizeof token};
    room->point = frame_of(node, &message);
    return room->point;
}

// ---------------------------------------------------------------------------------------------
// epochs

/// Ends all subscriptions with a message for each.
static void expel(struct node *node, struct room *room, struct wire_message *message)
{
    while (room->subscription_count > 0) {
        struct subscription *subscription = room->subscriptions[room->subscription_count - 1];
        message->room = subscription->room_number;
        struct client_id client = subscription_client(node, subscription);
        subscription_destroy(node, subscription);
        session_send(node, client, message);
    }
    while (room->ring_first < room->ring_end) {
        drop_first(room);
    }
    room->shown.size = 0;
    room->held.size = 0;
}

void room_notice_epoch(struct node *node, struct room *room)
{
    struct wire_message message = {.type = WIRE_NEW_EPOCH, .epoch = room->head.epoch};
    room->epoch_notice = false;
    expel(node, room, &message);
}

void room_close(struct node *node, struct room *room)
{
    struct wire_message message = {.type = WIRE_ERROR,
                                   .ref = WIRE_NONE,
                                   .number = WIRE_NONE,
                                   .code = WIRE_INTERNAL,
                                   .reason = span_of_text(wire_code_reason(WIRE_INTERNAL)),
                                   .detail = span_of_text("room closed")};
    expel(node, room, &message);
}
