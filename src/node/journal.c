// SPDX-License-Identifier: MIT
// The journal: staging and committing. What a commit shows is in journal_show.c, its upkeep in
// journal_keep.c.
#include "node/journal.h"

#include <assert.h>
#include <string.h>

#include "node/documents.h"
#include "node/feeds.h"
#include "node/room.h"

void journal_init(struct node *node)
{
    for (int i = 0; i < 2; i++) {
        weft_buffer_init(&node->groups[i].fresh, &node->allocator);
    }
    node->open = &node->groups[0];
    queue_init(&node->gather, &node->allocator);
    queue_init(&node->deferred, &node->allocator);
    queue_init(&node->working, &node->allocator);
    node->journal_next = 1;
    node->journal_low = 1;
}

void journal_finish(struct node *node)
{
    for (int i = 0; i < 2; i++) {
        struct group *group = &node->groups[i];
        node_free(node, group->rooms, group->room_capacity * sizeof *group->rooms);
        node_free(node, group->subscriptions,
                  group->subscription_capacity * sizeof(struct subscription *));
        node_free(node, group->requests, group->request_capacity * sizeof(struct request *));
        node_free(node, group->orphans, group->orphan_capacity * sizeof *group->orphans);
        node_free(node, group->feeds, group->feed_capacity * sizeof *group->feeds);
        node_free(node, group->pruned, group->pruned_capacity * sizeof(struct document *));
        weft_buffer_finish(&group->fresh);
    }
    queue_finish(&node->gather);
    queue_finish(&node->deferred);
    queue_finish(&node->working);
}

bool journal_writable(const struct node *node, uint32_t *code_out)
{
    switch (node->store->health(node->store)) {
    case STORE_WRITABLE:
        return true;
    case STORE_FULL:
        *code_out = WIRE_STORAGE_FULL;
        return false;
    default:
        *code_out = WIRE_INTERNAL;
        return false;
    }
}

bool journal_accepts(const struct node *node)
{
    return node->opened && !node->away;
}

uint64_t journal_synced(const struct node *node)
{
    return (node->away && node->away->entries ? node->away->first_number
            : node->open->entries             ? node->open->first_number
                                              : node->journal_next) -
           1;
}

// ------------------------------------------------------------------------------------------
// staging

/// Puts one encoded entry, and takes note of it everywhere.
static enum weft_status stage(struct node *node, struct room *room, struct span value,
                              uint64_t *number_out)
{
    struct document *document = room->document;
    struct record_key key = record_key_u64(node->journal_next);
    if (document_reserve(node, document)) {
        return WEFT_NO_MEMORY;
    }
    if (node->open->entries == 0) {
        node->open->first_number = node->journal_next;
    }
    if (node->store->put(node->store, STORE_JOURNAL, record_key_span(&key), value)) {
        node->open->failed = true; // the store has lost the group; its commit will say so
    }
    document_push(document, node->journal_next);
    document->emptied = false;
    room->unmerged_bytes += value.size;
    room->changed_number = node->journal_next;
    node->journal_bytes += value.size;
    node->journal_entries++;
    node->open->bytes += value.size;
    node->open->entries++;
    journal_add_room(node, room);
    *number_out = node->journal_next++;
    return WEFT_OK;
}

/// A document's first entry also makes it known to lists.
static void stage_name(struct node *node, struct room *room)
{
    if (room->head.recorded || room->quarantined) {
        return;
    }
    if (archive_save_name(&node->archive, document_name(room->document), &room->head,
                          node->clock->wall_ms(node->clock))) {
        node->open->failed = true;
    }
}

enum weft_status journal_stage_own(struct node *node, struct room *room,
                                   enum record_entry_kind kind, struct span delta)
{
    struct feed *own = feeds_own(node);
    struct record_entry entry = {
        .kind = kind,
        .incarnation = own->incarnation,
        .sequence = own->prefix + 1,
        .epoch = room->head.epoch,
        .document = document_name(room->document),
        .delta = delta,
        .wall_ms = node->clock->wall_ms(node->clock),
    };
    struct weft_buffer *fresh = &node->open->fresh;
    uint64_t number;
    node->scratch.size = 0;
    if (record_entry_encode(&node->scratch, &entry)) {
        return WEFT_NO_MEMORY;
    }
    uint32_t size = (uint32_t)node->scratch.size;
    bool sent = fresh->size < FRESH_BYTES_KEPT; // what stands behind is pulled
    if ((sent && weft_buffer_reserve(fresh, sizeof size + size)) ||
        stage(node, room, span_of_buffer(&node->scratch), &number)) {
        return WEFT_NO_MEMORY;
    }
    if (sent) {
        memcpy(fresh->data + fresh->size, &size, sizeof size);
        memcpy(fresh->data + fresh->size + sizeof size, node->scratch.data, size);
        fresh->size += sizeof size + size;
    }
    // Times are a help: without memory they are not known here.
    if (kind == RECORD_DELTA &&
        times_note_delta(&room->times, delta, entry.wall_ms / 1000) != WEFT_OK) {
        node->metrics.limit_hits++;
    }
    feeds_advance(node, own, number);
    node->open->own_sequence = own->prefix;
    room->dirty_open = true;
    stage_name(node, room);
    return WEFT_OK;
}

enum weft_status journal_stage_foreign(struct node *node, struct room *room, struct feed *feed,
                                       struct span value)
{
    uint64_t number;
    enum weft_status status = stage(node, room, value, &number);
    if (status == WEFT_OK) {
        feeds_advance(node, feed, number);
        stage_name(node, room);
    }
    return status;
}

enum weft_status journal_stage_loose(struct node *node, struct room *room,
                                     enum record_entry_kind kind, struct span delta)
{
    struct record_entry entry = {
        .kind = kind,
        .epoch = room->head.epoch,
        .document = document_name(room->document),
        .delta = delta,
    };
    uint64_t number;
    node->scratch.size = 0;
    enum weft_status status = record_entry_encode(&node->scratch, &entry);
    status = status ? status : stage(node, room, span_of_buffer(&node->scratch), &number);
    if (status == WEFT_OK) {
        stage_name(node, room);
    }
    return status;
}

// ------------------------------------------------------------------------------- the group's lists

enum weft_status journal_reserve_rooms(struct node *node, uint32_t count)
{
    for (int i = 0; i < 2; i++) {
        struct group *group = &node->groups[i];
        if (node_grow(node, &group->rooms, &group->room_capacity, count, sizeof *group->rooms)) {
            return WEFT_NO_MEMORY;
        }
    }
    return WEFT_OK;
}

void journal_add_room(struct node *node, struct room *room)
{
    struct group *group = node->open;
    if (room->in_open) {
        return;
    }
    assert(group->room_count < group->room_capacity);
    group->rooms[group->room_count++] = room;
    room->in_open = true;
    room_pin(node, room);
}

void journal_add_subscription(struct node *node, struct subscription *subscription)
{
    struct group *group = node->open;
    if (subscription->group_index) {
        return;
    }
    if (node_grow(node, &group->subscriptions, &group->subscription_capacity,
                  group->subscription_count, sizeof(struct subscription *))) {
        group->failed = true;
        return;
    }
    group->subscriptions[group->subscription_count++] = subscription;
    subscription->group_index = group->subscription_count;
}

enum weft_status journal_reserve_request(struct node *node)
{
    struct group *group = node->open;
    return node_grow(node, &group->requests, &group->request_capacity, group->request_count,
                     sizeof(struct request *));
}

void journal_add_request(struct node *node, struct request *request)
{
    struct group *group = node->open;
    assert(group->request_count < group->request_capacity);
    group->requests[group->request_count++] = request;
}

void journal_add_orphan(struct node *node, struct client_id client, uint32_t ref)
{
    struct group *group = node->open;
    if (node_grow(node, &group->orphans, &group->orphan_capacity, group->orphan_count,
                  sizeof *group->orphans)) {
        group->failed = true;
        return;
    }
    group->orphans[group->orphan_count++] = (struct group_orphan){client, ref};
}

void journal_drop_subscription(struct node *node, struct subscription *subscription)
{
    if (subscription->group_index) {
        node->open->subscriptions[subscription->group_index - 1] = NULL;
    }
    if (subscription->away_index) {
        node->away->subscriptions[subscription->away_index - 1] = NULL;
    }
}

// ---------------------------------------------------------------------------------------
// committing

/// What was staged while the group was open is under way now.
static void move_marks(struct group *group)
{
    for (uint32_t i = 0; i < group->room_count; i++) {
        struct room *room = group->rooms[i];
        room->in_away = true;
        room->in_open = false;
        room->dirty_away = room->dirty_open;
        room->dirty_open = false;
    }
    for (uint32_t i = 0; i < group->subscription_count; i++) {
        struct subscription *subscription = group->subscriptions[i];
        if (subscription) {
            subscription->away_index = subscription->group_index;
            subscription->group_index = 0;
        }
    }
}

void journal_commit(struct node *node)
{
    struct group *group = node->open;
    if (node->away ||
        (node->store->staged(node->store) == 0 && node->dirty_feed_count == 0 &&
         group->room_count == 0 && group->request_count == 0 && group->orphan_count == 0 &&
         group->subscription_count == 0 && !group->failed)) {
        return;
    }
    journal_stage_incarnation(node);
    feeds_stage(node, group);
    size_t bytes = node->store->staged(node->store);
    if (group->failed) {
        node->store->doom(node->store); // what is taken back in memory must not come to the disk
    }
    group->number = node->store->commit(node->store);
    group->started_ms = node->now_ms;
    move_marks(group);
    node->away = group;
    node->open = group == &node->groups[0] ? &node->groups[1] : &node->groups[0];
    node->open->journal_low = node->journal_low;
    node->metrics.commits++;
    node->metrics.committed_entries += group->entries;
    node->metrics.committed_bytes += bytes;
}
