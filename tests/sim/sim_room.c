// SPDX-License-Identifier: MIT
// The client's half of docs/wire-protocol.md for one room, and the evidence that it yields.
#include "sim_room.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/fork.h>

#include "cluster.h"
#include "sim_client.h"

#define PIECE_BYTES 40000 // of a push; with its envelope it fits a frame
#define JOIN_TIMEOUT_US 12000000
#define BEHIND_US_MAX 15000000

static struct world *world_of(const struct sim_room *room)
{
    return &room->client->cluster->world;
}

static struct ledger *ledger_of(const struct sim_room *room)
{
    return &room->client->cluster->ledger;
}

/// Calls that only memory can fail.
static void must(const struct sim_room *room, enum weft_status status, const char *what)
{
    if (status != WEFT_OK)
        world_fail(world_of(room), "client %u document %u: %s: %s", room->client->index,
                   room->document, what, weft_status_text(status));
}

// --------------------------------------------------------------------------------------- document

/// Keeps the mirror; what others wrote counts as shown.
static void observe(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                    size_t text_size)
{
    struct sim_room *room = context;
    struct ledger *ledger = ledger_of(room);
    struct marker_list *mirror = &room->mirror;
    struct marker_list new = {0};
    if (index + deleted > mirror->count ||
        !ledger_read_text(ledger, &new, (struct span){text, text_size})) {
        world_fail(world_of(room), "client %u document %u: observer told of %llu+%llu in %u",
                   room->client->index, room->document, (unsigned long long)index,
                   (unsigned long long)deleted, mirror->count);
        marker_list_finish(&new);
        return;
    }
    for (uint64_t i = 0; i < deleted; i++) {
        struct marker *marker = &ledger->markers[mirror->items[index + i]];
        marker->met |= ledger->forked[room->document] && !marker->delete_issued;
    }
    if (room->shown_us != 0) {
        for (uint64_t i = 0; i < deleted; i++)
            ledger_note_shown(ledger, &ledger->markers[mirror->items[index + i]].delete,
                              room->shown_us, &room->epoch);
        for (uint32_t i = 0; i < new.count; i++)
            ledger_note_shown(ledger, &ledger->markers[new.items[i]].insert, room->shown_us,
                              &room->epoch);
    }
    uint32_t tail = mirror->count - (uint32_t)(index + deleted);
    for (uint32_t i = 0; i < new.count; i++)
        marker_list_add(mirror, 0);
    mirror->count = (uint32_t)index + new.count + tail;
    if (tail > 0)
        memmove(mirror->items + index + new.count, mirror->items + index + deleted,
                tail * sizeof(*mirror->items));
    if (new.count > 0)
        memcpy(mirror->items + index, new.items, new.count * sizeof(*new.items));
    marker_list_finish(&new);
}

static void create_document(struct sim_room *room, const struct weft_epoch *epoch)
{
    struct span name = cluster_document_name(room->document);
    struct weft_doc_options options = {.name = name.data, .name_size = name.size, .epoch = *epoch};
    weft_doc_destroy(room->doc);
    room->doc = NULL;
    must(room, weft_doc_create(&room->doc, &options), "weft_doc_create");
    room->agent = sim_client_agent(room->client);
    must(room, weft_doc_set_agent(room->doc, room->agent), "weft_doc_set_agent");
    weft_doc_observe(room->doc, observe, room);
    room->epoch = *epoch;
    room->next_seq = 0;
    room->cursor = 0;
    room->mirror.count = 0;
    room->op_count = 0;
    room->op_markers.count = 0;
    room->token.size = 0;
    room->synced = false;
}

static void drop_sents(struct sim_room *room)
{
    for (uint32_t i = 0; i < room->sent_count; i++)
        marker_list_finish(&room->sents[i].whole);
    room->sent_count = 0;
}

void sim_room_init(struct sim_room *room, struct sim_client *client, uint32_t document)
{
    *room = (struct sim_room){.client = client, .document = document};
    weft_buffer_init(&room->node_version, NULL);
    weft_buffer_init(&room->token, NULL);
    weft_buffer_init(&room->token_version, NULL);
    create_document(room, &(struct weft_epoch){0});
}

void sim_room_finish(struct sim_room *room)
{
    drop_sents(room);
    weft_doc_destroy(room->doc);
    free(room->ops);
    free(room->sents);
    marker_list_finish(&room->op_markers);
    marker_list_finish(&room->mirror);
    weft_buffer_finish(&room->node_version);
    weft_buffer_finish(&room->token);
    weft_buffer_finish(&room->token_version);
    *room = (struct sim_room){0};
}

void sim_room_adopt(struct sim_room *room)
{
    room->agent = sim_client_agent(room->client);
    must(room, weft_doc_set_agent(room->doc, room->agent), "weft_doc_set_agent");
    room->next_seq = 0;
    room->op_count = 0;
    room->op_markers.count = 0;
}

void sim_room_fork(struct sim_room *room, const struct sim_room *from)
{
    struct weft_buffer parts[3];
    struct weft_doc *doc = NULL;
    struct span name = cluster_document_name(room->document);
    struct weft_doc_options options = {.name = name.data, .name_size = name.size};
    if (room->client->state == CLIENT_ENDED || from->client->state == CLIENT_ENDED ||
        from->next_seq == 0 || weft_doc_stats(from->doc).atoms == 0)
        return;
    for (int i = 0; i < 3; i++)
        weft_buffer_init(&parts[i], NULL);
    must(room, weft_doc_snapshot(&parts[0], &parts[1], &parts[2], from->doc), "weft_doc_snapshot");
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    must(room, weft_doc_load(&doc, &snapshot, &options), "weft_doc_load");
    for (int i = 0; i < 3; i++)
        weft_buffer_finish(&parts[i]);
    if (doc == NULL)
        return;
    world_note(world_of(room), "client %u goes on as client %u in document %u", room->client->index,
               from->client->index, room->document);
    ledger_of(room)->forked[room->document] = true;
    sim_client_go_offline(room->client, world_of(room)->now_us + 50000);
    create_document(room, &from->epoch);
    weft_doc_destroy(room->doc);
    room->doc = doc;
    room->agent = from->agent;
    must(room, weft_doc_set_agent(doc, room->agent), "weft_doc_set_agent");
    weft_doc_observe(doc, observe, room);
    room->next_seq = from->next_seq;
    for (uint32_t i = 0; i < from->mirror.count; i++)
        marker_list_add(&room->mirror, from->mirror.items[i]);
}

uint64_t sim_room_length(const struct sim_room *room)
{
    return room->mirror.count;
}

bool sim_room_may_edit(const struct sim_room *room)
{
    return room->state != ROOM_JOINING || weft_doc_stats(room->doc).atoms > 0;
}

static bool holds_nothing(const struct sim_room *room)
{
    return weft_doc_stats(room->doc).atoms == 0;
}

// ------------------------------------------------------------------------------------------ edits

static void add_op(struct sim_room *room, bool is_delete, uint32_t first, uint32_t count)
{
    if (room->op_count == room->op_capacity) {
        room->op_capacity = room->op_capacity == 0 ? 16 : room->op_capacity * 2;
        room->ops = world_resize(room->ops, room->op_capacity * sizeof(*room->ops));
    }
    room->next_seq += count;
    room->ops[room->op_count++] = (struct room_op){room->next_seq, is_delete, first, count};
    if (weft_doc_next_seq(room->doc, room->agent) != room->next_seq)
        world_fail(world_of(room), "client %u document %u: next seq is %llu after %llu atoms",
                   room->client->index, room->document,
                   (unsigned long long)weft_doc_next_seq(room->doc, room->agent),
                   (unsigned long long)room->next_seq);
    room->synced = false;
}

void sim_room_insert(struct sim_room *room, uint64_t index, uint32_t count)
{
    struct weft_buffer text;
    uint32_t first = room->op_markers.count;
    weft_buffer_init(&text, NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t marker =
            ledger_add(ledger_of(room), room->document, room->client->index, &room->epoch);
        marker_list_add(&room->op_markers, marker);
        ledger_append_text(&text, marker);
    }
    if (index > room->mirror.count)
        index = room->mirror.count;
    must(room, weft_doc_insert(room->doc, WEFT_SCALARS, index, text.data, text.size),
         "weft_doc_insert");
    weft_buffer_finish(&text);
    room->cursor = index + count;
    add_op(room, false, first, count);
}

void sim_room_delete(struct sim_room *room, uint64_t index, uint32_t count)
{
    uint32_t first = room->op_markers.count;
    if (index >= room->mirror.count)
        return;
    if (count > room->mirror.count - index)
        count = room->mirror.count - (uint32_t)index;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t marker = room->mirror.items[index + i];
        ledger_of(room)->markers[marker].delete_issued = true;
        marker_list_add(&room->op_markers, marker);
    }
    must(room, weft_doc_delete(room->doc, WEFT_SCALARS, index, count), "weft_doc_delete");
    room->cursor = index;
    add_op(room, true, first, count);
}

// ---------------------------------------------------------------------------------------- sending

static void append_version(struct sim_room *room, struct weft_buffer *out)
{
    out->size = 0;
    must(room, weft_doc_version(out, room->doc), "weft_doc_version");
}

static void send_delta(struct sim_room *room, struct span delta, const struct marker_list *whole)
{
    if (room->sent_count == room->sent_capacity) {
        room->sent_capacity = room->sent_capacity == 0 ? 8 : room->sent_capacity * 2;
        room->sents = world_resize(room->sents, room->sent_capacity * sizeof(*room->sents));
    }
    struct room_sent *sent = &room->sents[room->sent_count++];
    *sent = (struct room_sent){.number = ++room->number, .own_end = room->sent_end};
    for (uint32_t i = 0; whole != NULL && i < whole->count; i++)
        marker_list_add(&sent->whole, whole->items[i]);
    sim_client_send(room->client, &(struct wire_message){.type = WIRE_DELTA,
                                                         .room = room->number_of_room,
                                                         .number = room->number,
                                                         .deltas[0] = delta,
                                                         .delta_count = 1});
}

/// Sends all that `node_version` lacks, whoever wrote it, in pieces that fit a frame.
static void push(struct sim_room *room)
{
    struct weft_delta_reader *reader;
    struct weft_buffer piece;
    struct weft_buffer from;
    weft_buffer_init(&piece, NULL);
    weft_buffer_init(&from, NULL);
    must(room,
         weft_doc_overlap(&from, room->doc, room->agent, room->node_version.data,
                          room->node_version.size),
         "weft_doc_overlap");
    must(room, weft_delta_reader_create(&reader, room->doc, from.data, from.size),
         "weft_delta_reader_create");
    weft_buffer_finish(&from);
    if (world_of(room)->failed)
        return;
    struct weft_buffer next;
    weft_buffer_init(&next, NULL);
    must(room, weft_delta_reader_next(&piece, reader, PIECE_BYTES), "weft_delta_reader_next");
    while (piece.size > 0) {
        next.size = 0;
        must(room, weft_delta_reader_next(&next, reader, PIECE_BYTES), "weft_delta_reader_next");
        // Only with the last piece is all of it there.
        bool last = next.size == 0;
        if (last)
            room->sent_end = room->next_seq;
        send_delta(room, (struct span){piece.data, piece.size}, last ? &room->mirror : NULL);
        struct weft_buffer swapped = piece;
        piece = next;
        next = swapped;
    }
    room->sent_end = room->next_seq;
    weft_delta_reader_destroy(reader);
    weft_buffer_finish(&piece);
    weft_buffer_finish(&next);
}

static void send_own(struct sim_room *room)
{
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    must(room, weft_doc_delta_own(&delta, room->doc, room->agent, room->sent_end),
         "weft_doc_delta_own");
    if (delta.size > PIECE_BYTES) {
        push(room); // more than needed, but in pieces
    } else if (delta.size > 0) {
        room->sent_end = room->next_seq;
        send_delta(room, (struct span){delta.data, delta.size}, NULL);
    }
    weft_buffer_finish(&delta);
}

static void send_sync(struct sim_room *room)
{
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    append_version(room, &version);
    sim_client_send(room->client, &(struct wire_message){.type = WIRE_SYNC,
                                                         .room = room->number_of_room,
                                                         .vector = {version.data, version.size}});
    weft_buffer_finish(&version);
}

static void send_join(struct sim_room *room)
{
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    append_version(room, &version);
    room->ref = ++room->client->next_ref;
    room->state = ROOM_JOINING;
    room->since_us = world_of(room)->now_us;
    struct wire_message join = {.type = WIRE_JOIN,
                                .ref = room->ref,
                                .name = cluster_document_name(room->document),
                                .has_epoch = !holds_nothing(room),
                                .epoch = room->epoch,
                                .vector = {version.data, version.size}};
    if (room->token.size > 0 && world_chance(world_of(room), 500))
        join.token = (struct span){room->token.data, room->token.size};
    sim_client_send(room->client, &join);
    weft_buffer_finish(&version);
}

void sim_room_disconnect(struct sim_room *room)
{
    room->state = ROOM_OUT;
    room->number = 0;
    room->sent_end = 0;
    room->refused = false;
    room->asked = false;
    room->synced = false;
    room->node_version.size = 0;
    memset(room->acked_end, 0, sizeof(room->acked_end));
    memset(room->acked_number, 0, sizeof(room->acked_number));
    drop_sents(room);
}

void sim_room_work(struct sim_room *room)
{
    struct world *world = world_of(room);
    if (world->now_us < room->retry_us)
        return;
    if (room->state == ROOM_OUT) {
        send_join(room);
    } else if (room->state == ROOM_JOINING) {
        if (world->now_us - room->since_us > JOIN_TIMEOUT_US)
            sim_client_go_offline(room->client, world->now_us + 100000);
    } else if (room->refused && !room->asked) {
        room->asked = true;
        send_sync(room);
    } else if (!room->refused && room->sent_end < room->next_seq) {
        send_own(room);
    }
}

bool sim_room_is_settled(const struct sim_room *room)
{
    return room->state == ROOM_IN && !room->refused && room->acked_end[1] == room->next_seq &&
           room->sent_end == room->next_seq;
}

// ------------------------------------------------------------------------------------------ epoch

/// The room's epoch lost: what the node may not have is handed in for the recovery copy, most
/// times.
static void lose_epoch(struct sim_room *room, const struct weft_epoch *next)
{
    struct world *world = world_of(room);
    room->epochs_lost++;
    world_note(world, "client %u document %u loses its epoch %llu", room->client->index,
               room->document, (unsigned long long)room->epoch.counter);
    struct weft_buffer piece;
    struct weft_delta_reader *reader;
    weft_buffer_init(&piece, NULL);
    if (!holds_nothing(room) && (room->client->scripted || world_chance(world, 800))) {
        must(room,
             weft_delta_reader_create(&reader, room->doc, room->node_version.data,
                                      room->node_version.size),
             "weft_delta_reader_create");
        for (;;) {
            piece.size = 0;
            must(room, weft_delta_reader_next(&piece, reader, PIECE_BYTES),
                 "weft_delta_reader_next");
            if (piece.size == 0 || world->failed)
                break;
            sim_client_send(room->client,
                            &(struct wire_message){.type = WIRE_ORPHANS,
                                                   .ref = ++room->client->next_ref,
                                                   .name = cluster_document_name(room->document),
                                                   .epoch = room->epoch,
                                                   .deltas[0] = {piece.data, piece.size},
                                                   .delta_count = 1});
        }
        weft_delta_reader_destroy(reader);
    }
    weft_buffer_finish(&piece);
    sim_room_disconnect(room);
    create_document(room, next);
}

/// The epoch that an epoch_mismatch names in hex.
static bool read_epoch(struct weft_epoch *epoch_out, struct span hex)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    char pair[3] = "";
    if (hex.size != 2 * sizeof(bytes))
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        unsigned value;
        memcpy(pair, hex.data + 2 * i, 2);
        if (sscanf(pair, "%2x", &value) != 1)
            return false;
        bytes[i] = (uint8_t)value;
    }
    *epoch_out = wire_epoch_decode(bytes);
    return true;
}

/// Whether an author of the document has used one id twice.
static bool is_forked(const struct sim_room *room)
{
    return ledger_of(room)->forked[room->document];
}

/// Its replica is another branch than the node's: hands in what the node may lack, begins anew.
static void give_up_branch(struct sim_room *room)
{
    struct weft_epoch epoch = room->epoch;
    sim_client_send(room->client,
                    &(struct wire_message){.type = WIRE_LEAVE, .room = room->number_of_room});
    lose_epoch(room, &epoch);
}

static void on_epoch(struct sim_room *room, const struct weft_epoch *next)
{
    // A document that is rebuilt without a branch stays in its epoch.
    int least = is_forked(room) ? 0 : 1;
    if (!holds_nothing(room) && weft_epoch_compare(next, &room->epoch) < least)
        world_fail(world_of(room), "client %u document %u: its epoch was taken for a lesser one",
                   room->client->index, room->document);
    lose_epoch(room, next);
}

// ----------------------------------------------------------------------------------------- hearing

static enum weft_order compare(struct sim_room *room, struct span a, struct span b)
{
    enum weft_order order = WEFT_ORDER_EQUAL;
    must(room, weft_version_compare(&order, a.data, a.size, b.data, b.size),
         "weft_version_compare");
    return order;
}

static void set_buffer(struct sim_room *room, struct weft_buffer *buffer, struct span bytes)
{
    buffer->size = 0;
    must(room, weft_buffer_append(buffer, bytes.data, bytes.size), "weft_buffer_append");
}

static void on_joined(struct sim_room *room, const struct wire_message *message)
{
    if (room->state != ROOM_JOINING || message->ref != room->ref)
        return; // of a join that was given up
    if (weft_epoch_compare(&message->epoch, &room->epoch) != 0) {
        if (!holds_nothing(room)) {
            world_fail(world_of(room), "client %u was joined to another epoch of document %u",
                       room->client->index, room->document);
            return;
        }
        create_document(room, &message->epoch);
    }
    room->state = ROOM_IN;
    room->behind_us = 0;
    room->since_us = world_of(room)->now_us;
    room->number_of_room = message->room;
    bool current = message->token.size > 0; // the node holds what the token stands for
    set_buffer(room, &room->node_version,
               current ? span_of_buffer(&room->token_version) : message->vector);
    set_buffer(room, &room->token, message->token);
    push(room);
    if (room->sent_count == 0) // JOINED's version holds all that is here
        room->acked_end[1] = room->next_seq;
}

static void on_delta(struct sim_room *room, const struct wire_message *message, uint64_t sent_us)
{
    room->shown_us = sent_us;
    for (uint32_t i = 0; i < message->delta_count; i++) {
        struct weft_apply_result result;
        enum weft_status status = weft_doc_apply(&result, room->doc, WEFT_APPLY_PARK,
                                                 message->deltas[i].data, message->deltas[i].size);
        if (status != WEFT_OK ||
            ((result.runs_invalid > 0 || result.runs_parked > 0) && !is_forked(room)))
            world_fail(world_of(room),
                       "client %u document %u: a delta of the node: %s, %u parked, %u invalid",
                       room->client->index, room->document, weft_status_text(status),
                       result.runs_parked, result.runs_invalid);
    }
    room->shown_us = 0;
    room->synced = false;
    if (is_forked(room) && weft_doc_next_seq(room->doc, room->agent) != room->next_seq)
        give_up_branch(room); // edits under its own id that it did not make
}

/// Own ops up to where the ack reaches, and all that a push held.
static void note_evidence(struct sim_room *room, const struct room_sent *sent, uint32_t level,
                          uint64_t sent_us)
{
    struct ledger *ledger = ledger_of(room);
    uint32_t slot = room->client->slot;
    for (uint32_t i = 0; i < room->op_count; i++) {
        const struct room_op *op = &room->ops[i];
        if (op->seq_end <= room->acked_end[level] || op->seq_end > sent->own_end)
            continue;
        for (uint32_t j = 0; j < op->count; j++) {
            struct marker *marker = &ledger->markers[room->op_markers.items[op->first + j]];
            ledger_note_ack(ledger, op->is_delete ? &marker->delete : &marker->insert, slot, level,
                            sent_us, &room->epoch);
        }
    }
    for (uint32_t i = 0; i < sent->whole.count; i++)
        ledger_note_ack(ledger, &ledger->markers[sent->whole.items[i]].insert, slot, level, sent_us,
                        &room->epoch);
    if (room->acked_end[level] < sent->own_end)
        room->acked_end[level] = sent->own_end;
}

static void on_ack(struct sim_room *room, const struct wire_message *message, uint64_t sent_us)
{
    if (message->number > room->number) {
        world_fail(world_of(room), "client %u document %u: ack of %u, sent %u", room->client->index,
                   room->document, message->number, room->number);
        return;
    }
    if (message->level == 0)
        return;
    room->client->cluster->acks++;
    for (uint32_t level = 1; level <= message->level && level < LEDGER_LEVELS_MAX; level++) {
        for (uint32_t i = 0; i < room->sent_count; i++) {
            const struct room_sent *sent = &room->sents[i];
            if (sent->number <= message->number && sent->number > room->acked_number[level])
                note_evidence(room, sent, level, sent_us);
        }
        if (room->acked_number[level] < message->number)
            room->acked_number[level] = message->number;
    }
}

/// At a POINT the replica holds all that the node held; equal versions are equal digests.
static void on_point(struct sim_room *room, const struct wire_message *message, uint64_t sent_us)
{
    struct world *world = world_of(room);
    struct weft_buffer version;
    struct weft_digest digest = {{0}};
    if (message->vector.size > 0)
        set_buffer(room, &room->token_version, message->vector);
    struct span vector = span_of_buffer(&room->token_version);
    if (compare(room, span_of_buffer(&room->node_version), vector) > WEFT_ORDER_BEFORE)
        world_fail(world, "client %u document %u: the version of a POINT went backwards",
                   room->client->index, room->document);
    weft_buffer_init(&version, NULL);
    append_version(room, &version);
    must(room, weft_doc_digest(&digest, room->doc), "weft_doc_digest");
    enum weft_order order = compare(room, span_of_buffer(&version), vector);
    bool equal = memcmp(&digest, &message->digest, sizeof(digest)) == 0;
    weft_buffer_finish(&version);
    if (is_forked(room) && (order == WEFT_ORDER_BEFORE || order == WEFT_ORDER_CONCURRENT ||
                            equal != (order == WEFT_ORDER_EQUAL))) {
        room->node_version.size = 0; // it holds another branch: hands all of it in
        give_up_branch(room);
        return;
    }
    if (order == WEFT_ORDER_BEFORE || order == WEFT_ORDER_CONCURRENT)
        world_fail(world, "client %u document %u: a POINT came before what it names",
                   room->client->index, room->document);
    else if (equal != (order == WEFT_ORDER_EQUAL))
        world_fail(world, "client %u document %u: %s versions, %s digests", room->client->index,
                   room->document, equal ? "other" : "equal", equal ? "equal" : "other");
    set_buffer(room, &room->node_version, vector);
    set_buffer(room, &room->token, message->token);
    if (room->asked) {
        uint32_t number = room->number;
        room->refused = false;
        room->asked = false;
        push(room);
        if (room->number == number) // what was refused came by way of other nodes meanwhile
            room->acked_end[1] = room->next_seq;
        return;
    }
    room->synced = equal && !room->refused && room->acked_end[1] >= room->next_seq;
    if (!equal)
        return;
    room->client->cluster->synced++;
    room->digest = digest;
    struct ledger *ledger = ledger_of(room);
    for (uint32_t i = 0; i < room->mirror.count; i++)
        ledger_note_shown(ledger, &ledger->markers[room->mirror.items[i]].insert, sent_us,
                          &room->epoch);
}

static void refuse(struct sim_room *room, const struct wire_message *message)
{
    struct world *world = world_of(room);
    for (uint32_t i = 0; i < room->sent_count; i++) {
        struct room_sent *sent = &room->sents[i];
        if (sent->number != message->number)
            continue;
        marker_list_finish(&sent->whole);
        memmove(sent, sent + 1, (room->sent_count - i - 1) * sizeof(*sent));
        room->sent_count--;
        break;
    }
    room->refused = true;
    room->asked = false;
    room->synced = false;
    room->retry_us = world->now_us + world_between(world, 50000, 1000000);
}

/// The epoch is newer than the node's. When the only disk that had it was lost, no node ever gets
/// it; then the client gives it up, and keeps what it holds to itself. While every disk is still
/// there, whoever has it may be cut off or stopped: it is owed from the healing on.
static void on_behind(struct sim_room *room)
{
    struct world *world = world_of(room);
    if (ledger_of(room)->loss_count == 0 && !room->client->cluster->quiet) {
        room->behind_us = 0;
        return;
    }
    if (room->behind_us == 0)
        room->behind_us = world->now_us;
    if (world->now_us - room->behind_us < BEHIND_US_MAX)
        return;
    if (ledger_of(room)->loss_count == 0)
        world_fail(world, "client %u document %u: nodes are behind its epoch for %d s",
                   room->client->index, room->document, BEHIND_US_MAX / 1000000);
    world_note(world, "client %u document %u gives up its epoch %llu, which no node has",
               room->client->index, room->document, (unsigned long long)room->epoch.counter);
    room->behind_us = 0;
    create_document(room, &(struct weft_epoch){0});
}

static void on_error(struct sim_room *room, const struct wire_message *message)
{
    struct world *world = world_of(room);
    bool of_join = message->ref != WIRE_NONE && message->ref == room->ref;
    if (message->ref != WIRE_NONE && !of_join)
        return; // of ORPHANS, or of a join that was given up
    if (!of_join && message->number == WIRE_NONE && message->code == WIRE_INTERNAL) {
        sim_room_disconnect(room); // the room is closed
        room->retry_us = world->now_us + world_between(world, 100000, 1000000);
        return;
    }
    switch (message->code) {
    case WIRE_AGENT_CONFLICT:
    case WIRE_INVALID_EDIT: // what its edit names is another thing in the node's branch
        if (!is_forked(room))
            world_fail(world, "client %u document %u was told of a fork, and there is none",
                       room->client->index, room->document);
        give_up_branch(room);
        break;
    case WIRE_EPOCH_MISMATCH: {
        struct weft_epoch next;
        if (read_epoch(&next, message->detail))
            on_epoch(room, &next);
        else
            world_fail(world, "epoch_mismatch without an epoch: %.*s", (int)message->detail.size,
                       (const char *)message->detail.data);
        break;
    }
    case WIRE_BEHIND:
    case WIRE_INTERNAL:
    case WIRE_DRAINING:
    case WIRE_STORAGE_FULL:
    case WIRE_MISSING:
    case WIRE_TOO_MANY:
    case WIRE_QUARANTINED:
        if (message->code == WIRE_QUARANTINED && !room->client->cluster->plan.rot) {
            world_fail(world, "document %u is quarantined, and nothing was damaged",
                       room->document);
            break;
        }
        if (!of_join) {
            refuse(room, message);
            break;
        }
        room->state = ROOM_OUT;
        room->retry_us = world->now_us + world_between(world, 100000, 1000000);
        if (message->code == WIRE_BEHIND)
            on_behind(room);
        break;
    default:
        world_fail(world, "client %u document %u was told %u %.*s %.*s", room->client->index,
                   room->document, message->code, (int)message->reason.size,
                   (const char *)message->reason.data, (int)message->detail.size,
                   (const char *)message->detail.data);
    }
}

/// What peers brought may be gone after a failed commit, until it is pulled again.
static void on_resync(struct sim_room *room)
{
    room->node_version.size = 0;
    send_sync(room);
}

void sim_room_message(struct sim_room *room, const struct wire_message *message, uint64_t sent_us)
{
    if (message->type == WIRE_ERROR)
        on_error(room, message);
    else if (message->type == WIRE_JOINED)
        on_joined(room, message);
    else if (room->state != ROOM_IN)
        return; // of a room that was left
    else if (message->type == WIRE_NODE_DELTA)
        on_delta(room, message, sent_us);
    else if (message->type == WIRE_ACK)
        on_ack(room, message, sent_us);
    else if (message->type == WIRE_POINT)
        on_point(room, message, sent_us);
    else if (message->type == WIRE_NEW_EPOCH)
        on_epoch(room, &message->epoch);
    else if (message->type == WIRE_RESYNC)
        on_resync(room);
}
