// SPDX-License-Identifier: MIT
// What clients say: HELLO, JOIN, LEAVE, SYNC, PING; edits go on to edit.c.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include <weft/fork.h>

#include "node/edit.h"
#include "node/epoch.h"
#include "node/fetch.h"
#include "node/journal.h"
#include "node/room.h"
#include "node/session.h"
#include "node/subscription.h"

static void refuse_join(struct node *node, struct client_id id, uint32_t ref, uint32_t code,
                        const char *detail)
{
    session_error(
        node, id,
        &(struct session_error){
            .room = WIRE_NONE, .ref = ref, .number = WIRE_NONE, .code = code, .detail = detail});
}

static void touch(struct node *node, uint32_t slot)
{
    struct client *client = &node->clients[slot];
    client->seen_ms = node->now_ms;
    if (client->state != CLIENT_READY || node->ready.last == slot) {
        return;
    }
    // To the end of the list, which is thereby ordered by last frame.
    if (client->previous != NO_SLOT) {
        node->clients[client->previous].next = client->next;
    } else {
        node->ready.first = client->next;
    }
    node->clients[client->next].previous = client->previous;
    client->next = NO_SLOT;
    client->previous = node->ready.last;
    node->clients[node->ready.last].next = slot;
    node->ready.last = slot;
}

/// Keeps a message until the group under way is on disk.
static void defer(struct node *node, struct client_id id, struct span bytes)
{
    struct client *client = session_find(node, id);
    struct queue_item item = {
        .kind = QUEUE_CLIENT, .client = id, .room_number = WIRE_NONE, .arrived_ms = node->now_ms};
    if (client->gather_bytes + bytes.size > node->limits.client_gather_bytes_max ||
        node->deferred.items.size + bytes.size > DEFERRED_BYTES_MAX ||
        queue_push(&node->deferred, &item, bytes)) {
        node->metrics.limit_hits++;
        session_close(node, id, WIRE_TOO_MANY);
        return;
    }
    client->gather_bytes += (uint32_t)bytes.size;
}

// ---------------------------------------------------------------------------------------------
// HELLO

static void hello(struct node *node, struct client_id id, const struct wire_message *message)
{
    struct client *client = session_find(node, id);
    if (client->state != CLIENT_GREETING) {
        session_close(node, id, WIRE_BAD_REQUEST);
        return;
    }
    if (message->version != WIRE_VERSION) {
        session_close(node, id, WIRE_UPGRADE_REQUIRED);
        return;
    }
    uint32_t next = client->next;
    if (client->previous != NO_SLOT) {
        node->clients[client->previous].next = next;
    } else {
        node->greeting.first = next;
    }
    if (next != NO_SLOT) {
        node->clients[next].previous = client->previous;
    } else {
        node->greeting.last = client->previous;
    }
    client->state = CLIENT_READY;
    client->replicas = message->replicas < 2                     ? 0
                       : message->replicas > CLIENT_REPLICAS_MAX ? CLIENT_REPLICAS_MAX
                                                                 : (uint8_t)message->replicas;
    client->next = NO_SLOT;
    client->previous = node->ready.last;
    if (node->ready.last != NO_SLOT) {
        node->clients[node->ready.last].next = id.slot;
    } else {
        node->ready.first = id.slot;
    }
    node->ready.last = id.slot;
    struct wire_message answer = {
        .type = WIRE_NODE_HELLO,
        .version = WIRE_VERSION,
        .name = span_of_text(node->name),
        .incarnation = node->incarnation,
        .heartbeat_ms = CLIENT_HEARTBEAT_MS,
        .limits = {.frame_bytes = node->limits.frame_bytes_max,
                   .document_bytes = node->limits.document_bytes_max,
                   .document_atoms = node->limits.document_atoms_max,
                   .name_bytes = node->limits.document_name_bytes_max,
                   .rooms = node->limits.rooms_per_client_max,
                   .gather_bytes = node->limits.client_gather_bytes_max},
    };
    session_send(node, id, &answer);
}

// ----------------------------------------------------------------------------------------------
// JOIN

/// Whether the epoch that a client holds is the room's; else it is told.
static bool check_epoch(struct node *node, struct client_id id, struct room *room,
                        const struct wire_message *message)
{
    char hex[2 * WIRE_EPOCH_SIZE + 1];
    int order = message->has_epoch ? weft_epoch_compare(&message->epoch, &room->head.epoch) : 0;
    // Who holds something of a branch that went begins anew, like one whose epoch ended.
    if (order == 0 && message->has_epoch && room->cuts.size > 0 &&
        weft_cuts_check_version(room->cuts.data, room->cuts.size, message->vector.data,
                                message->vector.size) == WEFT_CONFLICT) {
        order = -1;
    }
    if (order < 0) {
        epoch_hex(hex, &room->head.epoch);
        refuse_join(node, id, message->ref, WIRE_EPOCH_MISMATCH, hex);
    } else if (order > 0) {
        fetch_behind(node, document_name(room->document));
        refuse_join(node, id, message->ref, WIRE_BEHIND, NULL);
    }
    return order == 0;
}

/// What a client with a token of what is here now is told: no version, which it knows.
static void welcome_back(struct node *node, struct client_id id,
                         const struct subscription *subscription, uint32_t ref,
                         const struct weft_digest *digest)
{
    uint8_t token[TOKEN_BYTES];
    room_token(node, subscription->room, digest, token);
    session_send(node, id,
                 &(struct wire_message){.type = WIRE_JOINED,
                                        .ref = ref,
                                        .room = subscription->room_number,
                                        .epoch = subscription->room->head.epoch,
                                        .token = {token, sizeof token}});
    session_send(node, id,
                 &(struct wire_message){.type = WIRE_POINT,
                                        .room = subscription->room_number,
                                        .digest = *digest,
                                        .token = {token, sizeof token}});
}

static void send_joined(struct node *node, struct client_id id,
                        const struct subscription *subscription, uint32_t ref)
{
    const struct room *room = subscription->room;
    struct wire_message joined = {.type = WIRE_JOINED,
                                  .ref = ref,
                                  .room = subscription->room_number,
                                  .epoch = room->head.epoch};
    node->version.size = 0;
    if (weft_doc_version(&node->version, room->doc)) {
        session_close(node, id, WIRE_INTERNAL);
        return;
    }
    // One that does not fit a frame is left out: the client then sends more than it needs to.
    if (node->version.size + 128 <= node->limits.frame_bytes_max) {
        joined.vector = span_of_buffer(&node->version);
    }
    session_send(node, id, &joined);
}

/// Whether a client with this token holds what the room holds now.
static bool token_is_current(struct weft_digest *digest_out, const struct room *room,
                             struct span token)
{
    return token.size == TOKEN_BYTES && room_clean(room) &&
           !weft_doc_digest(digest_out, room->doc) &&
           memcmp(token.data + 16, digest_out->bytes, sizeof digest_out->bytes) == 0;
}

static void enter(struct node *node, struct client_id id, struct room *room,
                  const struct wire_message *message)
{
    struct client *client = session_find(node, id);
    struct subscription *subscription = subscription_find(node, client, room->number);
    if (!subscription && client->rooms >= node->limits.rooms_per_client_max) {
        node->metrics.limit_hits++;
        refuse_join(node, id, message->ref, WIRE_TOO_MANY, "rooms");
        return;
    }
    if (weft_version_compare(&(enum weft_order){0}, message->vector.data, message->vector.size,
                             NULL, 0)) {
        refuse_join(node, id, message->ref, WIRE_BAD_REQUEST, "version");
        return;
    }
    if (!subscription) {
        subscription = subscription_create(node, id.slot, room);
    }
    if (!subscription) {
        refuse_join(node, id, message->ref, WIRE_INTERNAL, NULL);
        return;
    }
    struct weft_digest digest;
    if (message->has_epoch && token_is_current(&digest, room, message->token)) {
        welcome_back(node, id, subscription, message->ref, &digest);
        subscription->cursor = room->ring_end;
        subscription->mode = SUBSCRIPTION_LIVE;
        return;
    }
    send_joined(node, id, subscription, message->ref);
    if (subscription_sync(node, subscription, message->vector)) {
        subscription_destroy(node, subscription);
        refuse_join(node, id, message->ref, WIRE_INTERNAL, NULL);
    }
}

static void join(struct node *node, struct client_id id, const struct wire_message *message,
                 struct span bytes)
{
    struct room *room;
    if (!record_name_valid(message->name)) {
        refuse_join(node, id, message->ref, WIRE_BAD_REQUEST, "document name");
        return;
    }
    if (message->name.size > node->limits.document_name_bytes_max) {
        refuse_join(node, id, message->ref, WIRE_TOO_LARGE, "document name");
        return;
    }
    if (node->draining) {
        refuse_join(node, id, message->ref, WIRE_DRAINING, NULL);
        return;
    }
    switch (room_open(node, message->name, &room)) {
    case WEFT_OK:
        break;
    case WEFT_MALFORMED:
        refuse_join(node, id, message->ref, WIRE_QUARANTINED, NULL);
        return;
    default:
        refuse_join(node, id, message->ref, WIRE_INTERNAL, NULL);
        return;
    }
    if (!room_clean(room)) {
        defer(node, id, bytes); // what is in memory is not all on disk
        return;
    }
    if (room->epoch_notice) {
        room_notice_epoch(node, room); // before someone comes who is in the new epoch already
    }
    if (check_epoch(node, id, room, message)) {
        enter(node, id, room, message);
    }
}

// --------------------------------------------------------------------------------------- small
// things

static void leave(struct node *node, struct client_id id, const struct wire_message *message)
{
    struct client *client = session_find(node, id);
    struct subscription *subscription = subscription_find(node, client, message->room);
    if (subscription) {
        subscription_destroy(node, subscription);
    }
}

static void sync_room(struct node *node, struct client_id id, const struct wire_message *message)
{
    struct client *client = session_find(node, id);
    struct subscription *subscription = subscription_find(node, client, message->room);
    if (!subscription) {
        return; // it left, or an EPOCH is on its way
    }
    enum weft_status status = subscription_sync(node, subscription, message->vector);
    if (status) {
        uint32_t code = status == WEFT_MALFORMED && !subscription->room->quarantined
                            ? WIRE_BAD_REQUEST
                        : subscription->room->quarantined ? WIRE_QUARANTINED
                                                          : WIRE_INTERNAL;
        session_error(
            node, id,
            &(struct session_error){
                .room = message->room, .ref = WIRE_NONE, .number = WIRE_NONE, .code = code});
    }
}

static void pong(struct node *node, struct client_id id, const struct wire_message *message)
{
    struct wire_message answer = {.type = WIRE_PONG, .n = message->n};
    const struct client *client = session_find(node, id);
    if (!client->blocked) {
        session_send(node, id, &answer); // one that reads nothing needs no answer
    }
}

// --------------------------------------------------------------------------------------------
// frames

static void dispatch(struct node *node, struct client_id id, const struct wire_message *message,
                     struct span bytes)
{
    switch (message->type) {
    case WIRE_HELLO:
        hello(node, id, message);
        break;
    case WIRE_JOIN:
        join(node, id, message, bytes);
        break;
    case WIRE_LEAVE:
        leave(node, id, message);
        break;
    case WIRE_DELTA:
        edit_arrived(node, id, message);
        break;
    case WIRE_SYNC:
        sync_room(node, id, message);
        break;
    case WIRE_ORPHANS:
        epoch_orphans(node, id, message);
        break;
    case WIRE_PING:
        pong(node, id, message);
        break;
    default:
        session_close(node, id, WIRE_BAD_REQUEST); // a node's message
        break;
    }
}

static void take_frame(struct node *node, struct client_id id, struct span bytes)
{
    const struct client *client = session_find(node, id);
    struct wire_message message;
    if (!client || client->state == CLIENT_CLOSING) {
        return;
    }
    if (wire_decode(&message, bytes)) {
        session_close(node, id, WIRE_BAD_REQUEST);
        return;
    }
    if (client->state == CLIENT_GREETING && message.type != WIRE_HELLO) {
        session_close(node, id, WIRE_BAD_REQUEST);
        return;
    }
    dispatch(node, id, &message, bytes);
}

void session_frame(struct node *node, struct client_id id, struct span bytes)
{
    const struct client *client = session_find(node, id);
    if (!client || client->state == CLIENT_CLOSING) {
        return;
    }
    node->metrics.frames_received++;
    touch(node, id.slot);
    if (bytes.size > node->limits.frame_bytes_max) {
        session_close(node, id, WIRE_TOO_LARGE);
    } else if (!node->opened) {
        defer(node, id, bytes); // nothing is said before the incarnation is on disk
    } else {
        take_frame(node, id, bytes);
    }
}

void session_deferred(struct node *node, struct client_id id, struct span bytes)
{
    struct client *client = session_find(node, id);
    if (client) {
        client->gather_bytes -= (uint32_t)bytes.size;
        take_frame(node, id, bytes);
    }
}
