// SPDX-License-Identifier: MIT
// Edits of peers: entries of their feeds in order, and operations fetched document by document.
//
// An entry whose causes are missing here stays outside: its feed waits (STALLED) until a pull
// brought the entries of the other feeds, in an order that works. So nothing is ever parked. Where
// an author forked, the causes of what follows never come, and what is past a document's limits
// never goes in: such a document (room->incomplete) does not hold up the feeds, and differs.
#include <assert.h>

#include "node/documents.h"
#include "node/edit.h"
#include "node/epoch.h"
#include "node/feeds.h"
#include "node/heal.h"
#include "node/journal.h"
#include "node/room.h"

void edit_incomplete(struct node *node, struct room *room, const char *reason)
{
    struct span name = document_name(room->document);
    if (!room->incomplete) {
        room->incomplete = true;
        node->metrics.documents_incomplete++;
        node_log(node, NODE_LOG_ERROR, "document_incomplete", "doc=\"%.*s\" reason=\"%s\"",
                 (int)name.size, (const char *)name.data, reason);
    }
}

/// Applies an entry's operations. @return Whether the entry counts as held.
static enum edit_admission apply_logged(struct node *node, struct room *room,
                                        const struct record_entry *entry)
{
    struct weft_apply_result result = {0};
    uint32_t runs_cut = 0;
    enum weft_status status = heal_compare(node, room, entry->delta);
    if (status) {
        return status == WEFT_BEHIND ? EDIT_STALLED : EDIT_REFUSED;
    }
    status = heal_apply(node, room, &result, &runs_cut, entry->delta);
    node->metrics.atoms_from_peers += result.atoms_applied;
    if (status == WEFT_NO_MEMORY) {
        return EDIT_REFUSED;
    }
    if (runs_cut > 0) {
        heal_keep_late(node, room, entry->delta); // of a branch that went
    }
    if (status) {
        // Its node took it, so this is a document of two halves that together are past the limits,
        // a build of another time or a lie: kept, so that the feed goes on.
        node->metrics.rejected[METRICS_REJECT_MALFORMED]++;
        edit_incomplete(node, room, weft_status_text(status));
    }
    bool held = result.runs_missing == 0 || room->incomplete;
    if (result.atoms_applied > 0) {
        edit_stage_new(node, room, held ? EDIT_OF_FEED : EDIT_FETCHED);
    }
    return held ? EDIT_ADMITTED : EDIT_STALLED;
}

static enum edit_admission admit_to_room(struct node *node, struct room *room, struct feed *feed,
                                         const struct record_entry *entry, struct span value)
{
    if (room->quarantined) {
        // Journaled all the same: the feed holds it, and the document will when it is whole again.
        struct weft_epoch now;
        if (entry->kind == RECORD_DELTA &&
            archive_epoch(&now, &node->archive, entry->document) == WEFT_OK &&
            weft_epoch_compare(&entry->epoch, &now) < 0) {
            epoch_keep_apart(node, room, &entry->epoch, entry->delta);
        }
        return journal_stage_foreign(node, room, feed, value) ? EDIT_REFUSED : EDIT_ADMITTED;
    }
    int order = weft_epoch_compare(&entry->epoch, &room->head.epoch);
    if (order > 0 && epoch_begin(node, room, &entry->epoch, false)) {
        return EDIT_REFUSED;
    }
    if (order < 0 && entry->kind == RECORD_DELTA) {
        epoch_keep_apart(node, room, &entry->epoch, entry->delta);
    }
    if (order >= 0 && entry->kind == RECORD_DELTA) {
        enum edit_admission admission = apply_logged(node, room, entry);
        if (admission != EDIT_ADMITTED) {
            return admission;
        }
    }
    if (journal_stage_foreign(node, room, feed, value)) {
        node->open->failed = true;
        journal_add_room(node, room);
        return EDIT_REFUSED;
    }
    if (order >= 0 && entry->kind == RECORD_DELTA && entry->wall_ms &&
        times_note_delta(&room->times, entry->delta, entry->wall_ms / 1000) != WEFT_OK) {
        node->metrics.limit_hits++;
    }
    return EDIT_ADMITTED;
}

enum edit_admission edit_admit(struct node *node, const struct peer_feed *declared,
                               struct span value)
{
    struct record_entry entry;
    uint32_t code;
    enum weft_status status = record_entry_decode(&entry, value);
    if (status || entry.incarnation != declared->incarnation || !journal_writable(node, &code) ||
        node->open->failed) {
        node->metrics.gossip_malformed += status == WEFT_MALFORMED;
        return EDIT_REFUSED;
    }
    struct peer_feed reaching = *declared;
    reaching.prefix = entry.sequence > declared->prefix ? entry.sequence : declared->prefix;
    struct feed *feed = feeds_get(node, &reaching);
    if (!feed) {
        return entry.sequence <= feeds_prefix(node, entry.incarnation) ? EDIT_KNOWN : EDIT_REFUSED;
    }
    if (entry.sequence <= feed->prefix) {
        node->metrics.entries_known++;
        return EDIT_KNOWN;
    }
    if (entry.sequence != feed->prefix + 1) {
        return EDIT_GAP;
    }
    if (feed == feeds_own(node)) {
        return EDIT_REFUSED; // members.c sees that someone is ahead of us, and fences
    }
    struct room *room;
    status = room_open(node, entry.document, &room);
    if (status && status != WEFT_MALFORMED) {
        return EDIT_REFUSED;
    }
    enum edit_admission admission = admit_to_room(node, room, feed, &entry, value);
    node->metrics.entries_received += admission == EDIT_ADMITTED;
    node->metrics.stalls += admission == EDIT_STALLED;
    room_settle(node, room);
    return admission;
}

enum edit_admission edit_admit_loose(struct node *node, struct room *room, struct span delta)
{
    struct weft_apply_result result = {0};
    uint32_t code;
    if (!journal_writable(node, &code) || node->open->failed) {
        return EDIT_REFUSED;
    }
    uint32_t runs_cut = 0; // the peer has that, and will be told
    enum weft_status status = heal_compare(node, room, delta);
    if (status) {
        return EDIT_REFUSED;
    }
    status = heal_apply(node, room, &result, &runs_cut, delta);
    node->metrics.atoms_from_peers += result.atoms_applied;
    if (result.atoms_applied > 0) {
        edit_stage_new(node, room, EDIT_FETCHED);
    }
    if (status == WEFT_NO_MEMORY) {
        return EDIT_REFUSED;
    }
    if (status) {
        edit_incomplete(node, room, weft_status_text(status)); // as in apply()
        return EDIT_LEFT_OUT;
    }
    return result.runs_missing > 0 ? EDIT_STALLED : EDIT_ADMITTED;
}
