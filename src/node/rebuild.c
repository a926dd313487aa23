// SPDX-License-Identifier: MIT
// Healing a document whose record is damaged.
#include "node/rebuild.h"

#include "node/documents.h"
#include "node/journal.h"
#include "node/room.h"

static enum weft_status begin(struct node *node, struct fetch *fetch,
                              const struct weft_epoch *epoch)
{
    struct weft_doc_options options = {
        .allocator = &node->archive.allocator,
        .name = fetch->name,
        .name_size = fetch->name_size,
        .epoch = *epoch,
        .limits = node->archive.limits,
    };
    weft_doc_destroy(fetch->doc);
    fetch->doc = NULL;
    return weft_doc_create(&fetch->doc, &options);
}

bool rebuild_take(struct node *node, struct fetch *fetch, const struct peer_message *message,
                  bool *more_out)
{
    struct peer_list pieces = message->entries;
    struct weft_apply_result result;
    struct span delta;
    struct weft_epoch here = fetch->doc ? weft_doc_epoch(fetch->doc) : (struct weft_epoch){0};
    int order = weft_epoch_compare(&message->epoch, &here);
    if (fetch->doc && order < 0) {
        return true;
    }
    if ((!fetch->doc || order > 0) && begin(node, fetch, &message->epoch)) {
        return false;
    }
    while (peer_next_bytes(&delta, &pieces)) {
        enum weft_status status =
            weft_doc_apply(&result, fetch->doc, WEFT_APPLY_STRICT, delta.data, delta.size);
        if (status == WEFT_LIMIT) {
            *more_out = false; // it has what has room; more of it would not be
        } else if (status) {
            return false;
        }
    }
    return true;
}

/// Entries in the own journal that the peer may not have had. @return false: not now.
static bool replay(struct node *node, struct fetch *fetch, const struct document *document)
{
    struct weft_epoch epoch = weft_doc_epoch(fetch->doc);
    for (uint32_t i = 0; i < document->tail_count; i++) {
        struct record_key key = record_key_u64(document_numbers(document)[i]);
        struct weft_apply_result result;
        struct record_entry entry;
        struct span value;
        enum weft_status status =
            node->store->get(node->store, &value, STORE_JOURNAL, record_key_span(&key));
        if (status == WEFT_STORAGE) {
            return false;
        }
        if (status || record_entry_decode(&entry, value) || entry.kind != RECORD_DELTA ||
            weft_epoch_compare(&entry.epoch, &epoch) != 0) {
            continue; // damaged, or of another epoch
        }
        if (weft_doc_apply(&result, fetch->doc, WEFT_APPLY_STRICT, entry.delta.data,
                           entry.delta.size) == WEFT_NO_MEMORY) {
            return false; // what cannot be applied at all is left out
        }
    }
    return true;
}

bool rebuild_install(struct node *node, struct fetch *fetch, struct room *room)
{
    struct span name = document_name(room->document);
    uint32_t code;
    if (!fetch->doc || weft_doc_stats(fetch->doc).atoms == 0 || !journal_writable(node, &code) ||
        !room_on_disk(room) || !replay(node, fetch, room->document)) {
        return false; // what is staged cannot be read, and would count as in the snapshot
    }
    struct weft_epoch epoch = weft_doc_epoch(fetch->doc);
    uint64_t wall_ms = node->clock->wall_ms(node->clock);
    room->head = (struct archive_head){0};
    // The snapshot's number is that of an entry that gets to the disk with it: numbers of failed
    // groups are given again after a restart, and entries up to the snapshot's are not read.
    if (archive_save_epoch(&node->archive, name, &room->head, &epoch, wall_ms) ||
        journal_stage_loose(node, room, RECORD_EPOCH, (struct span){0}) ||
        archive_save(&node->archive, name, fetch->doc, &room->head, node->journal_next - 1,
                     wall_ms)) {
        node->open->failed = true;
        journal_add_room(node, room);
        return false;
    }
    journal_add_room(node, room);
    room->quarantined = false;
    node->metrics.documents_quarantined--;
    room->document->through = room->head.through;
    room->changed_number = room->head.through;
    room->number = node->next_room_number++;
    node_log(node, NODE_LOG_WARNING, "document_healed", "doc=\"%.*s\"", (int)name.size,
             (const char *)name.data);
    struct weft_doc *doc = fetch->doc;
    fetch->doc = NULL;
    if (room_adopt(node, room, doc)) {
        return false;
    }
    room_notice_epoch(node, room); // whoever is still here joins anew
    return true;
}
