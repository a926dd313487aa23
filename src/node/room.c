// SPDX-License-Identifier: MIT
// Rooms: loading, keeping, evicting. What subscribers see of them is in room_show.c.
#include "node/room.h"

#include <assert.h>

#include "node/documents.h"
#include "node/fetch.h"
#include "node/journal.h"
#include "node/subscription.h"
#include "node/watch.h"

// -------------------------------------------------------------------------------------------
// loading

static void measure(struct node *node, struct room *room)
{
    size_t memory = room->doc ? weft_doc_stats(room->doc).memory : 0;
    node->metrics.documents_bytes += memory - room->memory;
    room->memory = memory;
}

static void quarantine(struct node *node, struct room *room)
{
    if (!room->quarantined) {
        struct span name = document_name(room->document);
        room->quarantined = true;
        room->document->kept = true; // its entries may be all that is left of some edits
        node->metrics.documents_quarantined++;
        node_log(node, NODE_LOG_ERROR, "document_quarantined", "doc=\"%.*s\"", (int)name.size,
                 (const char *)name.data);
        fetch_damaged(node, room);
    }
}

/// With a reader that stands at its end: what it gives from now on is new.
enum weft_status room_adopt(struct node *node, struct room *room, struct weft_doc *doc)
{
    node->version.size = 0;
    enum weft_status status = weft_doc_version(&node->version, doc);
    if (status == WEFT_OK) {
        status = weft_delta_reader_create(&room->news, doc, node->version.data, node->version.size);
    }
    if (status) {
        weft_doc_destroy(doc);
        return status;
    }
    room->doc = doc;
    room->incomplete = false;
    node->metrics.documents_loaded++;
    measure(node, room);
    watch_attach(node, room);
    return WEFT_OK;
}

enum weft_status room_load(struct node *node, struct room *room)
{
    struct document *document = room->document;
    if (room->doc) {
        return WEFT_OK;
    }
    if (room->quarantined) {
        fetch_damaged(node, room); // when there was no room for it before
        return WEFT_MALFORMED;
    }
    // An empty array of numbers is not "no array": there is nothing in the journal.
    static const uint64_t none;
    const uint64_t *numbers = document->tail_count ? document_numbers(document) : &none;
    struct weft_doc *doc;
    enum weft_status status =
        archive_load(&doc, &room->head, &node->archive, document_name(document), numbers,
                     document->tail_count, &room->times);
    if (status == WEFT_OK) {
        status = archive_cuts(&room->cuts, &node->archive, document_name(document));
        if (status) {
            weft_doc_destroy(doc);
        }
    }
    if (status == WEFT_MALFORMED) {
        quarantine(node, room);
        return status;
    }
    if (status) {
        return status;
    }
    document->through = room->head.current ? room->head.through : 0;
    room->unmerged_bytes = room->head.replayed_bytes;
    room->changed_number = document->tail_count
                               ? document_numbers(document)[document->tail_count - 1]
                               : room->head.through;
    node->metrics.documents_loads++;
    return room_adopt(node, room, doc);
}

void room_unload(struct node *node, struct room *room)
{
    for (uint32_t i = 0; i < room->subscription_count; i++) {
        subscription_stop_reader(room->subscriptions[i]);
    }
    frame_release(room->point);
    room->point = NULL;
    room->shown.size = 0;
    room->held.size = 0;
    room->patches.size = 0;
    room->patches_lost = room->watchers != NULL;
    if (room->epoch_notice) {
        room->epoch_notice = false;
        room->number = room->number_before;
    }
    if (room->doc) {
        room->document->emptied = weft_doc_stats(room->doc).atoms == 0;
        weft_delta_reader_destroy(room->news);
        room->news = NULL;
        weft_doc_destroy(room->doc);
        room->doc = NULL;
        node->metrics.documents_loaded--;
        measure(node, room);
    }
}

enum weft_status room_renew(struct node *node, struct room *room)
{
    struct span name = document_name(room->document);
    struct weft_doc_options options = {
        .allocator = &node->archive.allocator,
        .name = name.data,
        .name_size = name.size,
        .epoch = room->head.epoch,
        .limits = node->archive.limits,
    };
    struct weft_doc *doc;
    enum weft_status status = weft_doc_create(&doc, &options);
    if (status) {
        return status;
    }
    room_unload(node, room);
    times_clear(&room->times); // of an epoch that ended
    return room_adopt(node, room, doc);
}

static struct room *create(struct node *node, struct document *document)
{
    if (journal_reserve_rooms(node, node->room_count)) {
        return NULL;
    }
    struct room *room = node_alloc(node, sizeof *room);
    if (!room) {
        return NULL;
    }
    room->document = document;
    room->number = node->next_room_number++;
    room->ring_capacity = 0;
    weft_buffer_init(&room->shown, &node->allocator);
    times_init(&room->times, &node->allocator);
    weft_buffer_init(&room->held, &node->allocator);
    weft_buffer_init(&room->patches, &node->allocator);
    weft_buffer_init(&room->cuts, &node->allocator);
    document->room = room;
    node->room_count++;
    return room;
}

enum weft_status room_open(struct node *node, struct span name, struct room **room_out)
{
    struct document *document = documents_get(node, name);
    if (!document) {
        return WEFT_NO_MEMORY;
    }
    struct room *room = document->room ? document->room : create(node, document);
    if (!room) {
        documents_settle(node, document);
        return WEFT_NO_MEMORY;
    }
    enum weft_status status = room_load(node, room);
    if (status == WEFT_OK || status == WEFT_MALFORMED) {
        *room_out = room;
    }
    if (status == WEFT_OK && document->kept) {
        journal_merge(node, room, true); // it is whole
        journal_drop_kept(node, room);
    }
    room_settle(node, room);
    return status;
}

// -------------------------------------------------------------------------------------------
// keeping

static void rooms_remove(struct room **first, struct room **last, struct room *room,
                         size_t next_offset)
{
    struct room **next = (struct room **)(void *)((uint8_t *)room + next_offset);
    struct room **previous = next + 1;
    if (*previous) {
        *(struct room **)(void *)((uint8_t *)*previous + next_offset) = *next;
    } else {
        *first = *next;
    }
    if (*next) {
        *((struct room **)(void *)((uint8_t *)*next + next_offset) + 1) = *previous;
    } else {
        *last = *previous;
    }
    *next = NULL;
    *previous = NULL;
}

static void rooms_append(struct room **first, struct room **last, struct room *room,
                         size_t next_offset)
{
    struct room **next = (struct room **)(void *)((uint8_t *)room + next_offset);
    *next = NULL;
    *(next + 1) = *last;
    if (*last) {
        *(struct room **)(void *)((uint8_t *)*last + next_offset) = room;
    } else {
        *first = room;
    }
    *last = room;
}

static void list_prepend(struct room **first, struct room **last, struct room *room,
                         size_t next_offset)
{
    struct room **next = (struct room **)(void *)((uint8_t *)room + next_offset);
    *next = *first;
    *(next + 1) = NULL;
    if (*first) {
        *((struct room **)(void *)((uint8_t *)*first + next_offset) + 1) = room;
    } else {
        *last = room;
    }
    *first = room;
}

#define IDLE offsetof(struct room, idle_next)
#define QUIET offsetof(struct room, quiet_next)
_Static_assert(offsetof(struct room, idle_previous) == IDLE + sizeof(void *), "a pair of links");
_Static_assert(offsetof(struct room, quiet_previous) == QUIET + sizeof(void *), "a pair of links");

static bool is_idle(const struct room *room)
{
    return room->pins == 0 && room->subscription_count == 0 && !room->watchers && !room->in_turn;
}

/// A document that was only asked for: there is no record of it.
static bool is_empty(const struct room *room)
{
    return room->doc && !room->head.recorded && room->document->tail_count == 0;
}

void room_settle(struct node *node, struct room *room)
{
    bool idle = is_idle(room);
    if (idle && !room->in_idle && is_empty(room)) {
        list_prepend(&node->idle_first, &node->idle_last, room, IDLE); // it goes first
    } else if (idle && !room->in_idle) {
        rooms_append(&node->idle_first, &node->idle_last, room, IDLE);
    } else if (!idle && room->in_idle) {
        rooms_remove(&node->idle_first, &node->idle_last, room, IDLE);
    }
    room->in_idle = idle;
}

void room_pin(struct node *node, struct room *room)
{
    room->pins++;
    room_settle(node, room);
}

void room_unpin(struct node *node, struct room *room)
{
    assert(room->pins > 0);
    room->pins--;
    room_settle(node, room);
}

void room_destroy(struct node *node, struct room *room)
{
    struct document *document = room->document;
    assert(is_idle(room));
    if (room->in_idle) {
        rooms_remove(&node->idle_first, &node->idle_last, room, IDLE);
    }
    if (room->in_quiet) {
        rooms_remove(&node->quiet_first, &node->quiet_last, room, QUIET);
    }
    room_unload(node, room);
    while (room->ring_first < room->ring_end) {
        frame_release(room->ring[room->ring_first++ % room->ring_capacity]);
    }
    node->metrics.documents_quarantined -= room->quarantined;
    node_free(node, room->ring, room->ring_capacity * sizeof(struct frame *));
    node_free(node, room->subscriptions,
              room->subscription_capacity * sizeof(struct subscription *));
    weft_buffer_finish(&room->shown);
    times_finish(&room->times);
    weft_buffer_finish(&room->held);
    weft_buffer_finish(&room->patches);
    weft_buffer_finish(&room->cuts);
    document->room = NULL;
    node->room_count--;
    node_free(node, room, sizeof *room);
    documents_settle(node, document);
}

void room_evict(struct node *node)
{
    uint32_t merges = 0;
    for (struct room *room = node->idle_first; room && merges < ROOM_EVICT_MERGES;) {
        struct room *next = room->idle_next;
        bool over = node->metrics.documents_bytes > node->limits.documents_bytes_max;
        if (!is_empty(room) && !over) {
            break;
        }
        if (room->doc && room->unmerged_bytes > ROOM_EVICT_MERGE_BYTES) {
            journal_merge(node, room, true);
            merges++;
        }
        if (!room->in_idle) {
            room = next; // the merging pinned it; evicted when that is on disk
            continue;
        }
        node->metrics.documents_evictions++;
        room_destroy(node, room);
        room = next;
    }
}

void room_finish_all(struct node *node)
{
    while (node->idle_first) {
        room_destroy(node, node->idle_first);
    }
}

// ---------------------------------------------------------------------------------------------
// quiet

void room_changed(struct node *node, struct room *room)
{
    frame_release(room->point);
    room->point = NULL;
    room->changed_ms = node->now_ms;
    if (room->in_quiet) {
        rooms_remove(&node->quiet_first, &node->quiet_last, room, QUIET);
    }
    rooms_append(&node->quiet_first, &node->quiet_last, room, QUIET);
    room->in_quiet = true;
    measure(node, room);
}

void room_remember(struct node *node, struct room *room)
{
    for (uint32_t i = 0; i < DIGEST_RECENT_MAX; i++) {
        if (node->recent[i].document == room->document) {
            return;
        }
    }
    node->recent[node->recent_at++ % DIGEST_RECENT_MAX] =
        (struct recent){room->document->hash, room->document};
}

void room_tell_quiet(struct node *node)
{
    for (uint32_t i = 0; i < ROOMS_QUIET_PER_TICK && node->quiet_first; i++) {
        struct room *room = node->quiet_first;
        if (node->now_ms - room->changed_ms < ROOM_QUIET_MS) {
            return;
        }
        rooms_remove(&node->quiet_first, &node->quiet_last, room, QUIET);
        room->in_quiet = false;
        if (!room->doc) {
            continue;
        }
        if (!room_clean(room)) {
            rooms_append(&node->quiet_first, &node->quiet_last, room, QUIET);
            room->in_quiet = true;
            room->changed_ms = node->now_ms; // again after its commit
            continue;
        }
        room_remember(node, room);
        struct frame *point = room->subscription_count ? room_point(node, room) : NULL;
        if (point) {
            room_push(node, room, frame_retain(point));
        }
    }
}
