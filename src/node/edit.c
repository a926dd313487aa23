// SPDX-License-Identifier: MIT
// Edits of clients: gathered while a group is being synced, applied, staged, refused.
#include "node/edit.h"

#include <assert.h>
#include <string.h>

#include <weft/fork.h>

#include "node/epoch.h"
#include "node/heal.h"
#include "node/journal.h"
#include "node/replicas.h"
#include "node/room.h"
#include "node/session.h"
#include "node/subscription.h"

// -------------------------------------------------------------------------------------------
// staging

static enum weft_status stage(struct node *node, struct room *room, enum edit_source source,
                              struct span piece)
{
    switch (source) {
    case EDIT_MADE_HERE:
        return journal_stage_own(node, room, RECORD_DELTA, piece);
    case EDIT_FETCHED:
        return journal_stage_loose(node, room, RECORD_DELTA, piece);
    default:
        return WEFT_OK; // its entry is staged as it came
    }
}

void edit_stage_new(struct node *node, struct room *room, enum edit_source source)
{
    struct weft_buffer *delta = &node->message;
    bool own = source == EDIT_MADE_HERE;
    for (;;) {
        delta->size = 0;
        if (weft_delta_reader_next(delta, room->news, ENTRY_DELTA_BYTES)) {
            node->open->failed = true;
            break;
        }
        if (delta->size == 0) {
            break;
        }
        if (stage(node, room, source, span_of_buffer(delta))) {
            node->open->failed = true;
            break;
        }
        room_show(node, room, span_of_buffer(delta), !own);
    }
    if (node->open->failed) {
        journal_add_room(node, room); // so that it is loaded from disk again
        room->dirty_open |= own;
    }
    room_changed(node, room);
}

bool edit_fits(const struct node *node, const struct room *room, size_t more_bytes,
               uint32_t *code_out)
{
    if (weft_doc_length(room->doc, WEFT_UTF8) + more_bytes > node->limits.document_bytes_max ||
        weft_doc_stats(room->doc).atoms > node->limits.document_atoms_max) {
        *code_out = WIRE_TOO_LARGE;
        return false;
    }
    return true;
}

// ------------------------------------------------------------------------------------------
// refusing

struct refusal {
    uint32_t code; // 0: none
    enum metrics_reject reason;
};

static void refuse(struct node *node, struct client_id client, uint32_t room, uint32_t number,
                   struct refusal refusal)
{
    node->metrics.rejected[refusal.reason]++;
    session_error(node, client,
                  &(struct session_error){
                      .room = room, .ref = WIRE_NONE, .number = number, .code = refusal.code});
}

/// What a client is told of a delta that was not applied whole.
static struct refusal refusal_of(enum weft_status status, const struct weft_apply_result *result)
{
    switch (status) {
    case WEFT_OK:
        break;
    case WEFT_MALFORMED:
    case WEFT_UNSUPPORTED:
        return (struct refusal){WIRE_BAD_REQUEST, METRICS_REJECT_MALFORMED};
    case WEFT_LIMIT:
        return (struct refusal){WIRE_TOO_LARGE, METRICS_REJECT_LIMIT};
    default:
        return (struct refusal){WIRE_INTERNAL, METRICS_REJECT_STORAGE};
    }
    if (result->runs_invalid > 0 && result->reason == WEFT_CONFLICT) {
        return (struct refusal){WIRE_AGENT_CONFLICT, METRICS_REJECT_CONFLICT};
    }
    if (result->runs_invalid > 0 && result->reason == WEFT_LIMIT) {
        return (struct refusal){WIRE_TOO_LARGE, METRICS_REJECT_LIMIT};
    }
    if (result->runs_invalid > 0) {
        return (struct refusal){WIRE_INVALID_EDIT, METRICS_REJECT_INVALID};
    }
    if (result->runs_missing > 0) {
        return (struct refusal){WIRE_MISSING, METRICS_REJECT_MISSING};
    }
    return (struct refusal){0};
}

// ------------------------------------------------------------------------------------------
// applying

/// An edit for a room whose epoch has ended since, or that was rebuilt: kept apart, or applied as
/// far as it can be, and its author is told.
static void keep_apart(struct node *node, const struct queue_item *item, struct span delta)
{
    struct room *room = item->room;
    char hex[2 * WIRE_EPOCH_SIZE + 1];
    bool healed = weft_epoch_compare(&room->epoch_before, &room->head.epoch) == 0;
    if (item->room_number == room->number_before && healed) {
        (void)edit_orphan(node, room, item->client, delta); // what is refused the client hands in
    } else if (item->room_number == room->number_before) {
        epoch_keep_apart(node, room, &room->epoch_before, delta);
    }
    epoch_hex(hex, &room->head.epoch);
    node->metrics.rejected[METRICS_REJECT_EPOCH]++;
    session_error(node, item->client,
                  &(struct session_error){.room = item->room_number,
                                          .ref = WIRE_NONE,
                                          .number = item->number,
                                          .code = WIRE_EPOCH_MISMATCH,
                                          .detail = hex});
}

/// Whether a client may ask for so many atoms and for such Lamport times. An honest one has seen
/// all that its times count, of which this node may lack some, but no more than a document may
/// have.
static bool extent_fits(const struct node *node, const struct room *room,
                        const struct weft_delta_extent *extent)
{
    uint64_t most = node->limits.document_atoms_max;
    uint64_t atoms = weft_doc_stats(room->doc).atoms;
    return atoms + extent->atoms <= most && extent->lamport <= atoms + extent->atoms + most;
}

/// What forbids to apply a client's delta, whatever it says.
static struct refusal admit(struct node *node, struct room *room, struct span delta)
{
    uint32_t code;
    if (!journal_writable(node, &code)) {
        return (struct refusal){code, METRICS_REJECT_STORAGE};
    }
    if (room_load(node, room)) {
        return (struct refusal){room->quarantined ? WIRE_QUARANTINED : WIRE_INTERNAL,
                                METRICS_REJECT_STORAGE};
    }
    struct weft_delta_extent extent;
    enum weft_status status = weft_delta_measure(&extent, delta.data, delta.size);
    if (status == WEFT_OK &&
        (!edit_fits(node, room, delta.size, &code) || !extent_fits(node, room, &extent))) {
        return (struct refusal){WIRE_TOO_LARGE, METRICS_REJECT_LIMIT};
    }
    return refusal_of(status, &(struct weft_apply_result){0});
}

/// An edit of a client that holds another branch than this document: it goes into a copy, as does
/// all that the client sends until it joins anew.
static struct refusal keep_branch(struct node *node, struct room *room,
                                  struct subscription *subscription, struct weft_id at,
                                  struct span delta)
{
    struct span name = document_name(room->document);
    struct weft_epoch copy;
    if (subscription && subscription->forked) {
        heal_keep_more(node, room, &subscription->aside_name, delta);
    } else if (heal_is_cut(room, at.agent)) {
        heal_keep_late(node, room, delta);
        copy = room->aside_name;
    } else {
        heal_keep_branch(node, room, at, delta, &copy);
    }
    if (subscription && !subscription->forked) {
        subscription->forked = true;
        subscription->aside_name = copy;
    }
    node->metrics.forks_refused++;
    node_log(node, NODE_LOG_NOTICE, "fork_refused", "doc=\"%.*s\" agent=%016llx seq=%llu",
             (int)name.size, (const char *)name.data, (unsigned long long)at.agent,
             (unsigned long long)at.seq);
    return (struct refusal){WIRE_AGENT_CONFLICT, METRICS_REJECT_CONFLICT};
}

static struct refusal apply(struct node *node, struct room *room, struct subscription *subscription,
                            struct span delta, struct weft_apply_result *result)
{
    struct weft_id at = {0, 0};
    *result = (struct weft_apply_result){0};
    struct refusal refusal = admit(node, room, delta);
    if (refusal.code) {
        return refusal;
    }
    enum weft_status status = weft_doc_check_delta(&at, room->doc, room->cuts.data, room->cuts.size,
                                                   delta.data, delta.size);
    if (status == WEFT_CONFLICT || (subscription && subscription->forked)) {
        return keep_branch(node, room, subscription, at, delta);
    }
    if (status == WEFT_OK) {
        status = weft_doc_apply(result, room->doc, WEFT_APPLY_DOUBT, delta.data, delta.size);
    }
    return refusal_of(status, result);
}

uint32_t edit_orphan(struct node *node, struct room *room, struct client_id client,
                     struct span delta)
{
    struct weft_apply_result result = {0};
    uint32_t runs_cut = 0;
    struct refusal refusal = admit(node, room, delta);
    if (refusal.code) {
        return refusal.code;
    }
    enum weft_status status = heal_apply(node, room, &result, &runs_cut, delta);
    if (result.atoms_applied > 0) {
        node->metrics.atoms_from_clients += result.atoms_applied;
        edit_stage_new(node, room, EDIT_MADE_HERE);
    }
    if (status || runs_cut > 0 || result.runs_missing > 0 || result.runs_invalid > 0) {
        heal_keep_orphan(node, room, client, delta, true);
    }
    return 0;
}

static void apply_item(struct node *node, const struct queue_item *item, struct span delta)
{
    struct room *room = item->room;
    struct client *client = session_find(node, item->client);
    struct subscription *subscription =
        client ? subscription_find(node, client, item->room_number) : NULL;
    struct weft_apply_result result;
    if (room->number != item->room_number) {
        keep_apart(node, item, delta);
        return;
    }
    if (subscription && subscription->serial != item->subscription) {
        subscription = NULL; // it left and came back: its numbers began anew
    }
    struct refusal refusal = apply(node, room, subscription, delta, &result);
    if (result.atoms_applied > 0) {
        node->metrics.atoms_from_clients += result.atoms_applied;
        edit_stage_new(node, room, EDIT_MADE_HERE);
    }
    if (!subscription) {
        return; // nobody is there to be told
    }
    if (refusal.code) {
        refuse(node, item->client, item->room_number, item->number, refusal);
        return; // told, and never acked; what of it was applied is staged all the same
    }
    subscription->accepted = item->number;
    subscription->applied = item->number;
    subscription->resent |= result.runs_duplicate > 0;
    if (subscription->waiting_ms == 0) {
        subscription->waiting_ms = item->arrived_ms;
    }
    if (room_on_disk(room)) {
        edit_durable(node, subscription, 0); // all of it was known, and is on disk
    } else {
        journal_add_subscription(node, subscription);
    }
}

void edit_durable(struct node *node, struct subscription *subscription, uint64_t sequence)
{
    subscription->durable = subscription->applied;
    if (subscription->waiting_ms) {
        metrics_observe(&node->metrics.ack_ms[METRICS_DURABLE],
                        node->now_ms - subscription->waiting_ms);
        subscription->waiting_ms = 0;
    }
    replicas_expect(node, subscription, sequence);
    subscription_ack(node, subscription);
}

void edit_gathered(struct node *node, const struct queue_item *item, struct span delta)
{
    struct client *client = session_find(node, item->client);
    bool undecided = item->room->epoch_notice; // until the epoch after it is on disk, or is not
    if (undecided && queue_push(&node->gather, item, delta) == WEFT_OK) {
        return;
    }
    if (client) {
        client->gather_bytes -= (uint32_t)delta.size;
    }
    if (undecided) {
        refuse(node, item->client, item->room_number, item->number,
               (struct refusal){WIRE_INTERNAL, METRICS_REJECT_STORAGE});
    } else {
        apply_item(node, item, delta);
    }
    room_unpin(node, item->room);
}

size_t edit_waiting_bytes(const struct node *node)
{
    return node->gather.items.size + node->request_bytes;
}

static void gather(struct node *node, struct client *client, struct subscription *subscription,
                   const struct queue_item *item, struct span delta)
{
    if (client->gather_bytes + delta.size > node->limits.client_gather_bytes_max ||
        edit_waiting_bytes(node) + delta.size > GATHER_BYTES_MAX ||
        queue_push(&node->gather, item, delta)) {
        node->metrics.limit_hits++;
        refuse(node, item->client, item->room_number, item->number,
               (struct refusal){WIRE_TOO_MANY, METRICS_REJECT_LIMIT});
        return;
    }
    client->gather_bytes += (uint32_t)delta.size;
    subscription->accepted = item->number;
    room_pin(node, item->room);
}

void edit_arrived(struct node *node, struct client_id id, const struct wire_message *message)
{
    struct client *client = session_find(node, id);
    struct subscription *subscription = subscription_find(node, client, message->room);
    uint32_t code;
    node->metrics.deltas_received++;
    if (!subscription) {
        // It has left, or an EPOCH is on its way to it.
        refuse(node, id, message->room, message->number,
               (struct refusal){message->room < node->next_room_number ? WIRE_EPOCH_MISMATCH
                                                                       : WIRE_BAD_REQUEST,
                                METRICS_REJECT_EPOCH});
        return;
    }
    if (message->number <= subscription->numbered) {
        session_close(node, id, WIRE_BAD_REQUEST);
        return;
    }
    struct queue_item item = {
        .kind = QUEUE_CLIENT,
        .client = id,
        .room = subscription->room,
        .room_number = subscription->room_number,
        .number = message->number,
        .subscription = subscription->serial,
        .arrived_ms = node->now_ms,
    };
    subscription->numbered = message->number;
    if (node->draining) {
        refuse(node, id, message->room, message->number,
               (struct refusal){WIRE_DRAINING, METRICS_REJECT_STORAGE});
    } else if (!journal_writable(node, &code)) {
        refuse(node, id, message->room, message->number,
               (struct refusal){code, METRICS_REJECT_STORAGE});
    } else if (journal_accepts(node) && !subscription->room->epoch_notice) {
        apply_item(node, &item, message->deltas[0]);
    } else {
        gather(node, client, subscription, &item, message->deltas[0]);
    }
    subscription_ack(node, subscription);
}
