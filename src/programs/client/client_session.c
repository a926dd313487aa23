// SPDX-License-Identifier: MIT
// What the node says, and what follows from it.
#include "programs/client/client_impl.h"

#include <stdio.h>
#include <string.h>

#include <weft/version.h>

#define JOIN_RETRY_US 500000 // after `behind`: the node pulls the epoch meanwhile
#define SYNC_RETRY_US 500000 // after an error that passes

static bool keep_version(struct client *client, struct span version)
{
    client->node_version.size = 0;
    if (weft_buffer_append(&client->node_version, version.data, version.size) == WEFT_OK)
        return true;
    client_end(client, 0, "out of memory");
    return false;
}

static bool holds_nothing(const struct client *client)
{
    return weft_doc_stats(client->doc).atoms == 0;
}

// -------------------------------------------------------------------------------------------
// epochs

void client_epoch_over(struct client *client)
{
    if (!client->options.follow_epochs && !holds_nothing(client)) {
        client_end(client, WIRE_EPOCH_MISMATCH,
                   "the document was deleted or rebuilt meanwhile; see weft recovery ls %s",
                   client_url(client));
        return;
    }
    if (client_renew(client, NULL) != WEFT_OK) {
        client_end(client, 0, "out of memory");
        return;
    }
    client->want_join = true;
    client_notify(client, CLIENT_NOTICE_EPOCH, "");
}

/// The replica's epoch is over. What the node did not have of it goes into its recovery copy.
static void on_epoch_over(struct client *client)
{
    client->state = CLIENT_JOINING;
    client_send_reset(client);
    client->want_orphans = !holds_nothing(client);
    if (!client->want_orphans)
        client_epoch_over(client);
}

// ----------------------------------------------------------------------------------------- joining

static void on_hello(struct client *client, const struct wire_message *message)
{
    if (message->version != WIRE_VERSION) {
        client_end(client, WIRE_UPGRADE_REQUIRED, "%s speaks protocol version %u, this weft %u",
                   client_url(client), message->version, WIRE_VERSION);
        return;
    }
    uint64_t frame = message->limits.frame_bytes;
    uint64_t window = message->limits.gather_bytes / 2;
    client->frame_bytes = frame < CLIENT_FRAME_BYTES_MAX ? frame : CLIENT_FRAME_BYTES_MAX;
    client->window_bytes = client->options.window_bytes;
    if (window > 0 && window < client->window_bytes)
        client->window_bytes = (uint32_t)window;
    if (client->frame_bytes < (32U << 10) + ENVELOPE_BYTES)
        client_end(client, 0, "%s announces frames of %llu bytes: too small for a delta",
                   client_url(client), (unsigned long long)frame);
}

static void on_joined(struct client *client, const struct wire_message *message)
{
    struct weft_epoch epoch = weft_doc_epoch(client->doc);
    if (client->frame_bytes == 0) {
        client_lose(client, "joined before it said hello");
        return;
    }
    if (weft_epoch_compare(&epoch, &message->epoch) != 0) {
        if (!holds_nothing(client)) {
            client_lose(client, "joined in another epoch than was asked for");
            return;
        }
        if (client_renew(client, &message->epoch) != WEFT_OK) {
            client_end(client, 0, "out of memory");
            return;
        }
        client_notify(client, CLIENT_NOTICE_EPOCH, "");
    }
    client->room = message->room;
    client->state = CLIENT_JOINED;
    client->backoff_ms = CLIENT_BACKOFF_MS;
    client->stats.connections++;
    if (!keep_version(client, message->vector))
        return;
    client_send_lacking(client, span_of_buffer(&client->node_version));
    client_notify(client, CLIENT_NOTICE_JOINED, client_url(client));
}

// ------------------------------------------------------------------------------------------
// following

static void on_deltas(struct client *client, const struct wire_message *message)
{
    uint64_t applied = 0;
    for (uint32_t i = 0; i < message->delta_count; i++) {
        struct weft_apply_result result;
        struct span delta = message->deltas[i];
        enum weft_status status =
            weft_doc_apply(&result, client->doc, WEFT_APPLY_PARK, delta.data, delta.size);
        if (status == WEFT_NO_MEMORY || status == WEFT_LIMIT) {
            client_end(client, 0, "the replica: %s", weft_status_text(status));
            return;
        }
        if (status != WEFT_OK) {
            client_lose(client, "sent a delta that is none");
            return;
        }
        client->stats.deltas_received++;
        client->stats.bytes_received += delta.size;
        applied += result.atoms_applied;
    }
    if (applied > 0)
        client_notify(client, CLIENT_NOTICE_CHANGED, "");
}

/// Whether this replica and the node hold as many edits of each author, but not the same.
static bool is_other_branch(const struct client *client, const struct wire_message *message)
{
    struct weft_buffer version;
    struct weft_digest digest;
    enum weft_order order = WEFT_ORDER_CONCURRENT;
    weft_buffer_init(&version, NULL);
    bool known = message->vector.size > 0 && weft_doc_version(&version, client->doc) == WEFT_OK &&
                 weft_version_compare(&order, version.data, version.size, message->vector.data,
                                      message->vector.size) == WEFT_OK &&
                 weft_doc_digest(&digest, client->doc) == WEFT_OK;
    weft_buffer_finish(&version);
    return known && order == WEFT_ORDER_EQUAL &&
           memcmp(digest.bytes, message->digest.bytes, sizeof(digest.bytes)) != 0;
}

static void on_point(struct client *client, const struct wire_message *message)
{
    if (is_other_branch(client, message)) {
        client->node_version.size = 0; // the whole replica is handed in
        on_epoch_over(client);
        return;
    }
    client->point = message->digest;
    client->point_known = true;
    if (!keep_version(client, message->vector))
        return;
    if (client->waiting_point) {
        client->waiting_point = false;
        client_send_lacking(client, span_of_buffer(&client->node_version));
    }
    client_notify(client, CLIENT_NOTICE_POINT, "");
}

static void on_ack(struct client *client, const struct wire_message *message)
{
    client_send_acked(client, message->level, message->number);
    if (client->options.notice == NULL || message->level == 0)
        return;
    struct client_notice notice = {.kind = CLIENT_NOTICE_ACKED,
                                   .text = "",
                                   .level = message->level,
                                   .number = message->number};
    client->options.notice(client->options.context, &notice);
}

// --------------------------------------------------------------------------------------------
// errors

static void on_error(struct client *client, const struct wire_message *message)
{
    char detail[120];
    snprintf(detail, sizeof(detail), "%.*s",
             (int)(message->detail.size < 100 ? message->detail.size : 100),
             message->detail.size > 0 ? (const char *)message->detail.data : "");
    const char *reason = wire_code_reason(message->code);
    bool passes = message->code >= 4500;
    if (message->code == WIRE_EPOCH_MISMATCH) {
        on_epoch_over(client);
    } else if (message->code == WIRE_BEHIND) {
        client->retry_us = client_now_us() + JOIN_RETRY_US;
    } else if (!passes) {
        client_end(client, message->code, "%s: %s%s%s", client_url(client), reason,
                   detail[0] != '\0' ? ": " : "", detail);
    } else if (message->number != WIRE_NONE) {
        client_send_refused(client);
        if (message->code == WIRE_MISSING)
            client->want_sync = true;
        else
            client->retry_us = client_now_us() + SYNC_RETRY_US;
    } else {
        client_lose(client, reason);
    }
}

void client_receive(struct client *client, struct span bytes)
{
    struct wire_message message;
    enum weft_status status = wire_decode(&message, bytes);
    if (status == WEFT_UNSUPPORTED)
        return; // a message of a later protocol
    if (status != WEFT_OK) {
        client_lose(client, "sent bytes that are no message");
        return;
    }
    switch (message.type) {
    case WIRE_NODE_HELLO:
        on_hello(client, &message);
        return;
    case WIRE_JOINED:
        if (client->state == CLIENT_JOINING && message.ref == JOIN_REF)
            on_joined(client, &message);
        return;
    case WIRE_ERROR:
        on_error(client, &message);
        return;
    case WIRE_MOVE:
        client_move(client);
        return;
    case WIRE_PONG:
        if (client->leaving)
            client_epoch_over(client);
        client->leaving = false;
        return;
    default:
        break;
    }
    if (client->state != CLIENT_JOINED || message.room != client->room)
        return; // of a room that was left
    switch (message.type) {
    case WIRE_NODE_DELTA:
        on_deltas(client, &message);
        break;
    case WIRE_ACK:
        on_ack(client, &message);
        break;
    case WIRE_POINT:
        on_point(client, &message);
        break;
    case WIRE_RESYNC:
        client->want_sync = true;
        break;
    case WIRE_NEW_EPOCH:
        on_epoch_over(client);
        break;
    default:
        break;
    }
}
