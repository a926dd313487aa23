// SPDX-License-Identifier: MIT
// The journal's low end: pruning it, and what stays below it.
//
//       | D's, kept | gone | gone | D's, kept | low ...
//
// Entries of a document that is damaged stay where they are, part of the document and of no feed:
// they may be all that is left of some edits. A number among the changes leads comparisons to the
// document, which cannot be read, so nobody adopts what may be in them. When the document is whole,
// its snapshot has them and they go. docs/architecture.md.
#include "node/documents.h"
#include "node/feeds.h"
#include "node/journal.h"
#include "node/room.h"

/// Notes that a document's entry goes. Its number is kept until that is on disk: if it does not
/// come there, the entry is still needed.
static enum weft_status list_pruned(struct node *node, struct document *document)
{
    struct group *group = node->open;
    bool *listed = &document->pruned[group - node->groups];
    if (*listed) {
        return WEFT_OK;
    }
    enum weft_status status = node_grow(node, &group->pruned, &group->pruned_capacity,
                                        group->pruned_count, sizeof(struct document *));
    if (status == WEFT_OK) {
        group->pruned[group->pruned_count++] = document;
        *listed = true;
    }
    return status;
}

struct prune {
    struct node *node;
    uint64_t end;   // everything below it can go
    uint64_t bytes; // of what can go
    uint32_t entries;
    uint32_t kept; // of them, stay in the table all the same
    uint32_t merges;
    uint64_t synced; // entries behind it are not on disk yet
    enum weft_status status;
};

/// What becomes of an entry at the journal's low end.
enum fate {
    ENTRY_STAYS, // its document is to be merged first
    ENTRY_GOES,  // it is in a snapshot
    ENTRY_KEPT,  // its document is damaged, and it may be all that is left of some edits
};

static enum fate fate_of(struct prune *prune, struct span name, uint64_t number)
{
    struct node *node = prune->node;
    struct document *document = documents_find(node, name);
    if (!document) {
        return ENTRY_GOES; // an entry of nothing that this node knows of
    }
    if (document->room && document->room->quarantined) {
        return ENTRY_KEPT;
    }
    if (document->through == UINT64_MAX && !document->room) {
        struct archive_head head;
        if (archive_head(&head, &node->archive, name) == WEFT_OK) {
            document->through = head.current ? head.through : 0;
        }
    }
    // Some of a document that was damaged is kept: it is loaded, to see whether it still is.
    if (!document->kept && document->through != UINT64_MAX && document->through >= number) {
        return ENTRY_GOES;
    }
    struct room *room;
    if (prune->merges++ >= JOURNAL_PRUNE_MERGES) {
        return ENTRY_STAYS;
    }
    enum weft_status status = room_open(node, name, &room);
    if (status) {
        return status == WEFT_MALFORMED ? ENTRY_KEPT : ENTRY_STAYS;
    }
    if (room->changed_number < number) {
        room->changed_number = number; // an entry of an epoch that lost, or one left out
    }
    journal_merge(node, room, true);
    room_settle(node, room);
    return document->through != UINT64_MAX && document->through >= number ? ENTRY_GOES
                                                                          : ENTRY_STAYS;
}

/// An entry of a damaged document stays where it is, below the journal's beginning: part of the
/// document, and of no feed. Its number among the changes leads comparisons to the document.
static enum weft_status keep(struct node *node, struct document *document, uint64_t number)
{
    static const uint8_t nil = 0xc0;
    struct record_key change = record_key_change(number, document_name(document));
    document->kept = true;
    node->metrics.journal_kept++;
    return node->store->put(node->store, STORE_CHANGES, record_key_span(&change),
                            (struct span){&nil, 1});
}

static bool prune_visit(void *context, uint64_t number, const struct record_entry *entry,
                        struct span value)
{
    struct prune *prune = context;
    struct node *node = prune->node;
    struct record_key key = record_key_u64(number);
    if (number > prune->synced || prune->entries >= JOURNAL_PRUNE_ENTRIES) {
        return false;
    }
    enum fate fate = entry ? fate_of(prune, entry->document, number) : ENTRY_GOES;
    struct document *document = entry ? documents_find(node, entry->document) : NULL;
    if (fate == ENTRY_STAYS || (fate == ENTRY_GOES && document && list_pruned(node, document))) {
        return false;
    }
    prune->status = fate == ENTRY_KEPT
                        ? keep(node, document, number)
                        : node->store->remove(node->store, STORE_JOURNAL, record_key_span(&key));
    if (prune->status) {
        return false;
    }
    prune->kept += fate == ENTRY_KEPT;
    prune->end = number + 1;
    prune->bytes += value.size;
    prune->entries++;
    return true;
}

void journal_prune(struct node *node)
{
    uint32_t code;
    bool crowded = feeds_crowded(node); // what is in the journal is not retired
    if ((node->journal_bytes <= node->limits.journal_bytes_max && !crowded) ||
        !journal_writable(node, &code)) {
        return;
    }
    struct prune prune = {.node = node, .end = node->journal_low, .synced = journal_synced(node)};
    enum weft_status status =
        archive_journal(&node->archive, node->journal_low, prune_visit, &prune);
    status = status ? status : prune.status;
    if (prune.end > node->journal_low && status == WEFT_OK) {
        status = journal_put_meta(node, RECORD_META_JOURNAL, prune.end);
    }
    if (status) {
        node->open->failed |= status != WEFT_STORAGE || prune.entries > 0; // some of it is staged
        return;
    }
    if (prune.kept > 0) {
        node_log(node, NODE_LOG_WARNING, "journal_kept", "entries=%u", prune.kept);
    }
    node->journal_low = prune.end;
    node->journal_bytes -= prune.bytes < node->journal_bytes ? prune.bytes : node->journal_bytes;
    node->journal_entries -= prune.entries;
    node->open->pruned_bytes += prune.bytes;
    node->open->pruned_entries += prune.entries;
    node->metrics.journal_removed += prune.entries - prune.kept;
    feeds_shift(node, prune.end);
    if (crowded && prune.entries < JOURNAL_PRUNE_ENTRIES) {
        feeds_retire(node);
    }
}

// -------------------------------------------------------------------------------------------
// what stays below

void journal_drop_kept(struct node *node, struct room *room)
{
    struct document *document = room->document;
    uint32_t code;
    uint32_t count = 0;
    while (count < document->tail_count && document_numbers(document)[count] < node->journal_low) {
        count++;
    }
    if (!document->kept || document->through == UINT64_MAX || !journal_writable(node, &code) ||
        (count > 0 && document_numbers(document)[count - 1] > document->through) ||
        list_pruned(node, document)) {
        return; // also when the snapshot has not all of it yet
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t number = document_numbers(document)[i];
        struct record_key key = record_key_u64(number);
        struct record_key change = record_key_change(number, document_name(document));
        if (node->store->remove(node->store, STORE_JOURNAL, record_key_span(&key)) ||
            (number != room->head.change &&
             node->store->remove(node->store, STORE_CHANGES, record_key_span(&change)))) {
            node->open->failed = true;
        }
    }
    document->kept = false; // its numbers are let go of when this is on disk
}

struct damaged {
    struct node *node;
    uint64_t low;
    enum weft_status status;
};

static bool damaged_visit(void *context, uint64_t number, const struct record_entry *entry,
                          struct span value)
{
    struct damaged *damaged = context;
    struct node *node = damaged->node;
    struct record_key key = record_key_u64(number);
    (void)value;
    if (number >= damaged->low) {
        return false;
    }
    if (!entry) {
        damaged->status = node->store->remove(node->store, STORE_JOURNAL, record_key_span(&key));
    }
    return damaged->status == WEFT_OK;
}

void journal_drop_damaged(struct node *node)
{
    struct damaged damaged = {node, 0, WEFT_OK};
    uint32_t code;
    if (!journal_writable(node, &code) || journal_read_low(node, &damaged.low)) {
        return; // after the next start
    }
    if (archive_journal(&node->archive, 0, damaged_visit, &damaged) || damaged.status) {
        node->open->failed |= damaged.status == WEFT_NO_MEMORY;
    }
}
