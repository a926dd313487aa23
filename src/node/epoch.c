// SPDX-License-Identifier: MIT
// Epochs: beginning one, and keeping what the one before held.
#include "node/epoch.h"

#include <string.h>

#include <xxhash.h>

#include "base/hex.h"
#include "node/edit.h"
#include "node/heal.h"
#include "node/journal.h"
#include "node/room.h"
#include "node/session.h"

#define LATE_PART (UINT64_C(1) << 63) // parts of a recovery copy that came after its epoch ended

void epoch_hex(char hex_out[2 * WIRE_EPOCH_SIZE + 1], const struct weft_epoch *epoch)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[WIRE_EPOCH_SIZE];
    wire_epoch_encode(bytes, epoch);
    for (size_t i = 0; i < sizeof bytes; i++) {
        hex_out[2 * i] = digits[bytes[i] >> 4];
        hex_out[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex_out[2 * sizeof bytes] = '\0';
}

bool epoch_from_hex(struct weft_epoch *epoch_out, struct span hex)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    if (hex.size != 2 * sizeof bytes || !hex_decode(bytes, hex.data, sizeof bytes)) {
        return false;
    }
    *epoch_out = wire_epoch_decode(bytes);
    return true;
}

struct weft_epoch epoch_next(struct node *node, const struct room *room)
{
    struct weft_epoch next = {.counter = room->head.epoch.counter + 1};
    node->entropy->fill(node->entropy, next.random, sizeof next.random);
    return next;
}

/// What the document holds, to its recovery copy.
static enum weft_status save_whole(struct node *node, struct room *room)
{
    uint64_t parts = 0;
    if (weft_doc_stats(room->doc).atoms == 0) {
        return WEFT_OK;
    }
    enum weft_status status =
        archive_save_recovery_whole(&parts, &node->archive, document_name(room->document), NULL,
                                    room->doc, node->clock->wall_ms(node->clock));
    node->metrics.recoveries += parts;
    return status;
}

/// What follows once the store was told: the room in its new epoch.
static enum weft_status enter(struct node *node, struct room *room, const struct weft_epoch *before)
{
    uint32_t number_before = room->epoch_notice ? room->number_before : room->number;
    room->epoch_notice = false; // or unloading would take its number back
    enum weft_status status = room_renew(node, room);
    if (status) {
        return status;
    }
    room->epoch_before = *before;
    room->number_before = number_before;
    room->number = node->next_room_number++;
    room->epoch_notice = true;
    room->document->through = 0;
    room->unmerged_bytes = 0;
    room->cuts.size = 0;
    room->aside = false;
    room_changed(node, room);
    return WEFT_OK;
}

enum weft_status epoch_begin(struct node *node, struct room *room, const struct weft_epoch *epoch,
                             bool own)
{
    struct weft_epoch before = room->head.epoch;
    struct span name = document_name(room->document);
    enum weft_status status = save_whole(node, room);
    status = status ? status
                    : archive_save_epoch(&node->archive, name, &room->head, epoch,
                                         node->clock->wall_ms(node->clock));
    status = status ? status : enter(node, room, &before);
    journal_add_room(node, room);
    if (status == WEFT_OK && own) {
        status = journal_stage_own(node, room, RECORD_EPOCH, (struct span){0});
    }
    if (status) {
        node->open->failed = true; // something of it is staged, or the room is without a document
        return status;
    }
    node_log(node, NODE_LOG_NOTICE, "epoch_began", "doc=\"%.*s\" counter=%llu own=%d",
             (int)name.size, (const char *)name.data, (unsigned long long)epoch->counter, own);
    if (!own) {
        room_show(node, room, (struct span){0}, true); // to be told at the end of the turn
        room->shown.size = 0;
    }
    return WEFT_OK;
}

void epoch_keep_apart(struct node *node, struct room *room, const struct weft_epoch *epoch,
                      struct span delta)
{
    struct archive_copy copy = {.name = *epoch};
    epoch_keep_part(node, room, &copy, delta);
}

void epoch_keep_part(struct node *node, struct room *room, const struct archive_copy *copy,
                     struct span delta)
{
    uint64_t part = XXH3_64bits(delta.data, delta.size) | LATE_PART;
    if (archive_save_recovery(&node->archive, document_name(room->document), copy, part, delta,
                              node->clock->wall_ms(node->clock))) {
        node->open->failed = true;
    }
    journal_add_room(node, room);
    node->metrics.recoveries++;
}

static uint32_t take_orphans(struct node *node, struct client_id client,
                             const struct wire_message *message)
{
    struct room *room;
    uint32_t code;
    if (!record_name_valid(message->name)) {
        return WIRE_BAD_REQUEST;
    }
    if (!journal_writable(node, &code)) {
        return code;
    }
    enum weft_status status = room_open(node, message->name, &room);
    if (status) {
        return status == WEFT_MALFORMED ? WIRE_QUARANTINED : WIRE_INTERNAL;
    }
    int order = weft_epoch_compare(&message->epoch, &room->head.epoch);
    if (order > 0) {
        return WIRE_BAD_REQUEST; // that epoch did not lose
    }
    if (order == 0 && room->cuts.size > 0) {
        return edit_orphan(node, room, client, message->deltas[0]); // it lost its branch
    }
    if (order == 0) {
        heal_keep_orphan(node, room, client, message->deltas[0], false); // it found it is another
        return 0;
    }
    epoch_keep_apart(node, room, &message->epoch, message->deltas[0]);
    return 0;
}

void epoch_orphans(struct node *node, struct client_id client, const struct wire_message *message)
{
    uint32_t code = take_orphans(node, client, message);
    if (code == 0) {
        journal_add_orphan(node, client, message->ref);
        return;
    }
    session_error(node, client,
                  &(struct session_error){
                      .room = WIRE_NONE, .ref = message->ref, .number = WIRE_NONE, .code = code});
}
