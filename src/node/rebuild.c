// SPDX-License-Identifier: MIT
// Healing a document whose record is damaged.
#include "node/rebuild.h"

#include <weft/fork.h>

#include "node/documents.h"
#include "node/epoch.h"
#include "node/journal.h"
#include "node/room.h"

#define PATIENCE 8U // answers, in about 20 s, until what no peer has is done without

/// Counts an answer that has less than it should; what failed for reasons of this node, or was not
/// answered, is none. @return Whether that were enough of them.
static bool count_lacking(struct fetch *fetch)
{
    fetch->lacking += fetch->lacking < PATIENCE;
    return fetch->lacking == PATIENCE;
}

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
        return count_lacking(fetch); // it is behind: another one may have more
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

// ------------------------------------------------------------------------------------------
// what the journal has

/// An entry of the own journal, read again. @return WEFT_OK, WEFT_STORAGE, or another status: it is
/// damaged or gone.
static enum weft_status read_entry(struct node *node, uint64_t number,
                                   struct record_entry *entry_out)
{
    struct record_key key = record_key_u64(number);
    struct span value;
    enum weft_status status =
        node->store->get(node->store, &value, STORE_JOURNAL, record_key_span(&key));
    return status ? status : record_entry_decode(entry_out, value);
}

/// The i-th entry of a document. @return WEFT_OK, WEFT_STORAGE, or WEFT_NOT_FOUND: there is no
/// delta to be had of it.
static enum weft_status read_delta(struct node *node, const struct document *document, uint32_t i,
                                   struct record_entry *entry_out)
{
    enum weft_status status = read_entry(node, document_numbers(document)[i], entry_out);
    if (status == WEFT_STORAGE) {
        return WEFT_STORAGE;
    }
    return status || entry_out->kind != RECORD_DELTA ? WEFT_NOT_FOUND : WEFT_OK;
}

/// The greatest epoch that this node ever heard of. @param held_out Whether the journal has
/// something of it.
static bool find_epoch(struct node *node, const struct document *document,
                       struct weft_epoch *epoch_out, bool *held_out)
{
    enum weft_status status = archive_epoch(epoch_out, &node->archive, document_name(document));
    *held_out = false;
    if (status == WEFT_STORAGE) {
        return false;
    }
    if (status) {
        *epoch_out = (struct weft_epoch){0}; // it is what is damaged
    }
    for (uint32_t i = 0; i < document->tail_count; i++) {
        struct record_entry entry;
        status = read_entry(node, document_numbers(document)[i], &entry);
        if (status == WEFT_STORAGE) {
            return false;
        }
        int order = status ? -1 : weft_epoch_compare(&entry.epoch, epoch_out);
        if (order > 0) {
            *epoch_out = entry.epoch;
        }
        *held_out |= order >= 0;
    }
    return true;
}

/// Who was asked is in a lesser epoch than this node: another one is, or it gets there itself. Past
/// patience what the journal has of the greater one is what there is. @return false: not now.
static bool follow_epoch(struct node *node, struct fetch *fetch, const struct document *document)
{
    struct weft_epoch here = weft_doc_epoch(fetch->doc);
    struct weft_epoch epoch;
    uint64_t parts = 0;
    bool held;
    if (!find_epoch(node, document, &epoch, &held)) {
        return false;
    }
    if (weft_epoch_compare(&epoch, &here) <= 0) {
        return true;
    }
    if (!count_lacking(fetch) || !held) {
        return false;
    }
    if (weft_doc_stats(fetch->doc).atoms > 0 &&
        archive_save_recovery_whole(&parts, &node->archive, document_name(document), NULL,
                                    fetch->doc, node->clock->wall_ms(node->clock))) {
        node->open->failed = true;
        return false;
    }
    node->metrics.recoveries += parts;
    return begin(node, fetch, &epoch) == WEFT_OK;
}

/// Applies what the journal has of this epoch. It came in any order, so it is gone through until
/// nothing more goes in. @param missing_out Some of it stands on what is not here.
static bool apply_tail(struct node *node, struct fetch *fetch, const struct document *document,
                       bool *missing_out)
{
    struct weft_epoch epoch = weft_doc_epoch(fetch->doc);
    bool progress = true;
    for (*missing_out = true; *missing_out && progress;) {
        *missing_out = progress = false;
        for (uint32_t i = 0; i < document->tail_count; i++) {
            struct weft_apply_result result = {0};
            struct record_entry entry;
            enum weft_status status = read_delta(node, document, i, &entry);
            if (status == WEFT_STORAGE) {
                return false;
            }
            if (status || weft_epoch_compare(&entry.epoch, &epoch) != 0) {
                continue;
            }
            if (weft_doc_apply(&result, fetch->doc, WEFT_APPLY_STRICT, entry.delta.data,
                               entry.delta.size) == WEFT_NO_MEMORY) {
                return false;
            }
            progress |= result.atoms_applied > 0;
            *missing_out |= result.runs_missing > 0;
        }
    }
    return true;
}

/// Of what the journal has, all that is not in the document now goes to recovery copies: it came
/// while nothing could be done with it, counts as held here, and leaves the journal.
static bool keep_rest(struct node *node, struct fetch *fetch, struct room *room)
{
    const struct document *document = room->document;
    struct weft_epoch epoch = weft_doc_epoch(fetch->doc);
    for (uint32_t i = 0; i < document->tail_count; i++) {
        struct weft_apply_result result = {0};
        struct record_entry entry;
        enum weft_status status = read_delta(node, document, i, &entry);
        if (status == WEFT_STORAGE) {
            return false;
        }
        if (status) {
            continue;
        }
        bool kept = false;
        if (weft_epoch_compare(&entry.epoch, &epoch) == 0) {
            status = weft_doc_apply(&result, fetch->doc, WEFT_APPLY_STRICT, entry.delta.data,
                                    entry.delta.size);
            kept = status == WEFT_OK && result.runs_missing == 0 && result.runs_invalid == 0;
        }
        if (!kept) {
            epoch_keep_apart(node, room, &entry.epoch, entry.delta);
        }
    }
    return true;
}

/// Adds what the own journal has and the peer may not have had. @return false: not now.
static bool replay(struct node *node, struct fetch *fetch, struct room *room)
{
    bool missing;
    return follow_epoch(node, fetch, room->document) &&
           apply_tail(node, fetch, room->document, &missing) &&
           (!missing || count_lacking(fetch)) && // another peer may have its causes
           keep_rest(node, fetch, room);
}

/// Whether the peer knew the document at all. One that was deleted has an epoch.
static bool has_nothing(const struct weft_doc *doc)
{
    static const struct weft_epoch first;
    struct weft_epoch epoch = weft_doc_epoch(doc);
    return weft_doc_stats(doc).atoms == 0 && weft_epoch_compare(&epoch, &first) == 0;
}

/// What this node knew to be nobody's in the document's epoch (weft/fork.h) is so again; what it
/// cannot read of that it is told when it compares chains.
static bool keep_cuts(struct node *node, struct fetch *fetch, struct room *room)
{
    struct span name = document_name(room->document);
    struct weft_epoch here = weft_doc_epoch(fetch->doc);
    struct weft_epoch epoch;
    struct weft_rebuilt rebuilt;
    struct weft_doc *doc;
    room->cuts.size = 0;
    if (archive_epoch(&epoch, &node->archive, name) || weft_epoch_compare(&epoch, &here) != 0 ||
        archive_cuts(&room->cuts, &node->archive, name)) {
        return true;
    }
    if (weft_doc_rebuild(&doc, &rebuilt, &room->cuts, fetch->doc)) {
        return false;
    }
    if (doc) {
        weft_doc_destroy(fetch->doc);
        fetch->doc = doc;
    }
    return true;
}

bool rebuild_install(struct node *node, struct fetch *fetch, struct room *room)
{
    struct span name = document_name(room->document);
    uint32_t code;
    if (!fetch->doc || has_nothing(fetch->doc) || !journal_writable(node, &code) ||
        node->open->failed || !room_on_disk(room) || !replay(node, fetch, room) ||
        !keep_cuts(node, fetch, room)) {
        return false; // what is staged cannot be read, and would count as in the snapshot
    }
    struct weft_epoch epoch = weft_doc_epoch(fetch->doc);
    uint64_t wall_ms = node->clock->wall_ms(node->clock);
    room->head = (struct archive_head){0};
    // The snapshot's number is that of an entry that gets to the disk with it: numbers of failed
    // groups are given again after a restart, and entries up to the snapshot's are not read.
    if (archive_save_epoch(&node->archive, name, &room->head, &epoch, wall_ms) ||
        archive_save_cuts(&node->archive, name, &epoch, span_of_buffer(&room->cuts)) ||
        journal_stage_loose(node, room, RECORD_EPOCH, (struct span){0}) ||
        archive_save(&node->archive, name, fetch->doc, &room->head, &room->times,
                     node->journal_next - 1, wall_ms)) {
        node->open->failed = true;
        journal_add_room(node, room);
        return false;
    }
    journal_add_room(node, room);
    room->quarantined = false;
    node->metrics.documents_quarantined--;
    room->document->through = room->head.through;
    journal_drop_kept(node, room);
    room->changed_number = room->head.through;
    room->number = node->next_room_number++;
    node_log(node, NODE_LOG_WARNING, "document_healed", "doc=\"%.*s\"", (int)name.size,
             (const char *)name.data);
    struct weft_doc *doc = fetch->doc;
    fetch->doc = NULL;
    if (room_adopt(node, room, doc)) {
        return false;
    }
    room_remember(node, room);
    room_changed(node, room);      // its digest is told, so that who has more is found
    room_notice_epoch(node, room); // whoever is still here joins anew
    return true;
}
