// SPDX-License-Identifier: MIT
// Forks, healed.
#include "node/heal.h"

#include <string.h>

#include <weft/fork.h>

#include <xxhash.h>

#include "node/epoch.h"
#include "node/fetch.h"
#include "node/journal.h"
#include "node/room.h"

// ------------------------------------------------------------------------------------------ copies

/// A name of a copy that no other branch of the document has: a digest of what begins it.
static struct archive_copy copy_of(const struct room *room, const struct weft_digest *digest)
{
    struct archive_copy copy = {
        .name.counter = room->head.epoch.counter, .branch = true, .epoch = room->head.epoch};
    memcpy(copy.name.random, digest->bytes, sizeof copy.name.random);
    return copy;
}

static enum weft_status save_whole(struct node *node, struct room *room, struct weft_doc *doc,
                                   const struct archive_copy *copy)
{
    uint64_t parts = 0;
    enum weft_status status =
        archive_save_recovery_whole(&parts, &node->archive, document_name(room->document), copy,
                                    doc, node->clock->wall_ms(node->clock));
    node->metrics.recoveries += parts;
    journal_add_room(node, room);
    return status;
}

void heal_keep_more(struct node *node, struct room *room, const struct weft_epoch *name,
                    struct span delta)
{
    struct archive_copy copy = {.name = *name, .branch = true, .epoch = room->head.epoch};
    epoch_keep_part(node, room, &copy, delta);
}

void heal_keep_late(struct node *node, struct room *room, struct span delta)
{
    if (!room->aside) {
        struct weft_digest digest;
        enum weft_status status = weft_doc_digest(&digest, room->doc);
        struct archive_copy copy = copy_of(room, &digest);
        status = status ? status : save_whole(node, room, room->doc, &copy);
        if (status) {
            node->open->failed = true;
            journal_add_room(node, room);
            return;
        }
        room->aside = true;
        room->aside_name = copy.name;
    }
    heal_keep_more(node, room, &room->aside_name, delta);
}

void heal_keep_orphan(struct node *node, struct room *room, struct client_id client,
                      struct span delta, bool part)
{
    uint64_t who[] = {node->incarnation, client.slot, client.generation, room->document->hash};
    struct weft_digest digest;
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(who, sizeof who));
    memcpy(digest.bytes, hash.digest, sizeof digest.bytes);
    struct archive_copy copy = copy_of(room, &digest);
    if (part && save_whole(node, room, room->doc, &copy)) { // the same again is the same
        node->open->failed = true;
        return;
    }
    heal_keep_more(node, room, &copy.name, delta);
}

void heal_keep_branch(struct node *node, struct room *room, struct weft_id at, struct span delta,
                      struct weft_epoch *copy_out)
{
    struct weft_cut cut = {at.agent, at.seq, 0};
    struct weft_rebuilt rebuilt;
    struct weft_doc *start = NULL; // what both branches have
    struct weft_digest digest = {{0}};
    struct weft_buffer cuts;
    bool changed = false;
    weft_buffer_init(&cuts, &node->allocator);
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(delta.data, delta.size));
    memcpy(digest.bytes, hash.digest, sizeof digest.bytes);
    struct archive_copy copy = copy_of(room, &digest);
    enum weft_status status = weft_cuts_add(&changed, &cuts, &cut);
    status = status ? status : weft_doc_rebuild(&start, &rebuilt, &cuts, room->doc);
    status = status ? status : save_whole(node, room, start ? start : room->doc, &copy);
    weft_doc_destroy(start);
    weft_buffer_finish(&cuts);
    if (status) {
        node->open->failed = true;
        journal_add_room(node, room);
    } else {
        heal_keep_more(node, room, &copy.name, delta);
    }
    *copy_out = copy.name;
}

// ----------------------------------------------------------------------------------------- healing

static enum weft_status save_cuts(struct node *node, struct room *room, struct span cuts)
{
    journal_add_room(node, room);
    return archive_save_cuts(&node->archive, document_name(room->document), &room->head.epoch,
                             cuts);
}

/// Stages a document, which is the room's with its next snapshot.
static enum weft_status stage(struct node *node, struct room *room, struct weft_doc *doc,
                              struct span cuts)
{
    struct span name = document_name(room->document);
    uint64_t wall_ms = node->clock->wall_ms(node->clock);
    enum weft_status status = save_cuts(node, room, cuts);
    // As in rebuild.c: the snapshot has the number of an entry that gets to the disk with it.
    status =
        status ? status : journal_stage_loose(node, room, RECORD_EPOCH, (struct span){NULL, 0});
    return status ? status
                  : archive_save(&node->archive, name, doc, &room->head, &room->times,
                                 node->journal_next - 1, wall_ms);
}

/// The room goes on with another document, under another number.
static enum weft_status replace(struct node *node, struct room *room, struct weft_doc *doc)
{
    uint32_t number_before = room->number;
    room_unload(node, room);
    enum weft_status status = room_adopt(node, room, doc);
    if (status) {
        return status; // it is loaded again with the group, which fails
    }
    room->document->through = room->head.through;
    room->unmerged_bytes = 0;
    room->epoch_before = room->head.epoch;
    room->number_before = number_before;
    room->number = node->next_room_number++;
    room->strikes = 0;
    room_changed(node, room);
    room_remember(node, room); // no feed has what it is now; it may be evicted before it is quiet
    room_notice_epoch(node, room);
    return WEFT_OK;
}

static void tell(struct node *node, const struct room *room, const struct weft_rebuilt *rebuilt,
                 const struct archive_copy *copy)
{
    struct span name = document_name(room->document);
    char hex[2 * WIRE_EPOCH_SIZE + 1] = "none";
    if (rebuilt->atoms_dropped > 0) {
        epoch_hex(hex, &copy->name);
    }
    node->metrics.forks_healed++;
    node_log(node, NODE_LOG_WARNING, "fork_healed",
             "doc=\"%.*s\" kept_apart=%llu moved=%llu copy=%s", (int)name.size,
             (const char *)name.data, (unsigned long long)rebuilt->atoms_dropped,
             (unsigned long long)rebuilt->atoms_moved, hex);
}

/// Rebuilds the room's document within the cuts.
static enum weft_status rebuild(struct node *node, struct room *room, struct weft_buffer *cuts,
                                struct weft_doc *doc, const struct weft_rebuilt *rebuilt)
{
    struct weft_digest digest = {{0}};
    enum weft_status status = weft_doc_digest(&digest, room->doc);
    struct archive_copy copy = copy_of(room, &digest);
    if (status == WEFT_OK && rebuilt->atoms_dropped > 0) {
        status = save_whole(node, room, room->doc, &copy);
    }
    status = status ? status : stage(node, room, doc, span_of_buffer(cuts));
    if (status) {
        weft_doc_destroy(doc);
        node->open->failed = true;
        journal_add_room(node, room);
        return status;
    }
    room->aside = false; // what comes late goes on from what is here now
    tell(node, room, rebuilt, &copy);
    status = replace(node, room, doc);
    node->open->failed |= status != WEFT_OK;
    return status;
}

static bool is_within(const struct room *room, struct weft_buffer *scratch,
                      const struct weft_buffer *cuts)
{
    scratch->size = 0;
    return weft_doc_version(scratch, room->doc) == WEFT_OK &&
           weft_cuts_check_version(cuts->data, cuts->size, scratch->data, scratch->size) == WEFT_OK;
}

/// @param cuts Of which the room's get all.
static enum weft_status enter(struct node *node, struct room *room, struct weft_buffer *cuts,
                              bool changed)
{
    struct weft_rebuilt rebuilt;
    struct weft_doc *doc = NULL;
    uint32_t code;
    if (!changed && is_within(room, &node->version, cuts)) {
        return WEFT_OK;
    }
    if (!room_on_disk(room) || room->epoch_notice || node->open->failed ||
        !journal_writable(node, &code)) {
        return WEFT_BEHIND;
    }
    enum weft_status status = weft_doc_rebuild(&doc, &rebuilt, cuts, room->doc);
    if (status) {
        return status;
    }
    if (doc) {
        status = rebuild(node, room, cuts, doc, &rebuilt);
    } else if (save_cuts(node, room, span_of_buffer(cuts))) {
        node->open->failed = true;
        status = WEFT_NO_MEMORY;
    }
    if (status == WEFT_OK) {
        struct weft_buffer before = room->cuts;
        room->cuts = *cuts;
        *cuts = before;
    }
    return status;
}

enum weft_status heal_learn(struct node *node, struct room *room, struct span more)
{
    struct weft_buffer cuts;
    bool changed = false;
    if (more.size == 0 && room->cuts.size == 0) {
        return WEFT_OK;
    }
    weft_buffer_init(&cuts, &node->allocator);
    enum weft_status status = weft_buffer_append(&cuts, room->cuts.data, room->cuts.size);
    status = status ? status : weft_cuts_merge(&changed, &cuts, more.data, more.size);
    status = status ? status : enter(node, room, &cuts, changed);
    weft_buffer_finish(&cuts);
    return status;
}

enum weft_status heal_compare(struct node *node, struct room *room, struct span delta)
{
    struct weft_id at;
    struct weft_buffer cuts;
    enum weft_status status = WEFT_OK;
    weft_buffer_init(&cuts, &node->allocator);
    // Each time another author's fork is cut.
    while (status == WEFT_OK &&
           weft_doc_check_delta(&at, room->doc, NULL, 0, delta.data, delta.size) == WEFT_CONFLICT) {
        struct span name = document_name(room->document);
        struct weft_cut cut;
        bool changed = false;
        status = weft_doc_find_cut(&cut, room->doc, at, delta.data, delta.size);
        if (status && status != WEFT_NO_MEMORY) {
            status = WEFT_OK; // their chains will tell
            break;
        }
        cuts.size = 0;
        status = status ? status : weft_cuts_add(&changed, &cuts, &cut);
        status = status ? status : heal_learn(node, room, span_of_buffer(&cuts));
        if (status == WEFT_OK) {
            node_log(node, NODE_LOG_WARNING, "fork_found", "doc=\"%.*s\" agent=%016llx seq=%llu",
                     (int)name.size, (const char *)name.data, (unsigned long long)at.agent,
                     (unsigned long long)at.seq);
        }
    }
    weft_buffer_finish(&cuts);
    return status;
}

enum weft_status heal_apply(struct node *node, struct room *room,
                            struct weft_apply_result *result_out, uint32_t *runs_cut_out,
                            struct span delta)
{
    enum weft_status status = weft_doc_apply_within(result_out, runs_cut_out, room->doc,
                                                    &room->cuts, delta.data, delta.size);
    if (*runs_cut_out == 0) {
        return status;
    }
    if (save_cuts(node, room, span_of_buffer(&room->cuts))) {
        node->open->failed = true;
        return WEFT_NO_MEMORY;
    }
    if (!is_within(room, &node->version, &room->cuts)) {
        // Also what is here already hangs on it: rebuilt when it can be.
        (void)fetch_add(node, FETCH_CHAINS, 0, document_name(room->document), NULL);
    }
    return status;
}

bool heal_is_cut(const struct room *room, uint64_t agent)
{
    struct weft_cut cut;
    return weft_cuts_find(&cut, room->cuts.data, room->cuts.size, agent) == WEFT_OK;
}
