// SPDX-License-Identifier: MIT
// Answering the questions of peers. Every question gets an answer, if only LATER.
#include <string.h>

#include <weft/fork.h>

#include "node/chains.h"
#include "node/compare.h"
#include "node/digests.h"
#include "node/feeds.h"
#include "node/heal.h"
#include "node/journal.h"
#include "node/pull.h"
#include "node/room.h"

static void answer(struct node *node, struct answer_id id, struct pack_writer *writer)
{
    node->metrics.pulls_answered++;
    if (pack_writer_end(writer)) {
        node->message.size = 0; // an empty reply is malformed, so the other one asks again
    }
    node->links->answer(node->links, id, span_of_buffer(&node->message));
}

// ---------------------------------------------------------------------------------------------
// range

struct range {
    struct node *node;
    struct weft_buffer *entries; // u32 size, value, ...
    uint32_t count;
    uint32_t bytes_max;
    bool more;
    bool failed;
};

static bool range_visit(void *context, uint64_t number, const struct record_entry *entry,
                        struct span value)
{
    struct range *range = context;
    (void)number;
    struct feed *feed =
        entry && entry->incarnation ? feeds_find(range->node, entry->incarnation) : NULL;
    if (!feed || entry->sequence != feed->asked + 1) {
        return true;
    }
    if (range->count > 0 && range->entries->size + value.size > range->bytes_max) {
        range->more = true;
        return false;
    }
    uint32_t size = (uint32_t)value.size;
    if (weft_buffer_append(range->entries, &size, sizeof size) ||
        weft_buffer_append(range->entries, value.data, value.size)) {
        range->failed = true;
        return false;
    }
    feed->asked++;
    range->count++;
    return true;
}

/// Where to begin to read. @return false: something that is asked for left the journal.
static bool range_start(struct node *node, struct peer_list asked, uint64_t *number_out)
{
    uint64_t start = UINT64_MAX;
    uint64_t held;
    struct peer_feed item;
    while (peer_next_feed(&item, &asked)) {
        if (feeds_retired(node, item.incarnation, &held) && held > item.prefix) {
            return false;
        }
    }
    for (uint32_t i = 0; i < node->feed_count; i++) {
        const struct feed *feed = node->feeds[i];
        if (feed->asked >= feed->synced) {
            continue;
        }
        if (feed->first == 0 || feed->asked + 1 < feed->first) {
            return false;
        }
        uint64_t number = feeds_locate(feed, feed->asked + 1);
        start = number < start ? number : start;
    }
    *number_out = start;
    return true;
}

static void answer_range(struct node *node, struct answer_id id, const struct peer_message *asked)
{
    struct peer_message reply = {.type = PEER_RANGE, .answer = PEER_ANSWER_OK};
    struct range range = {.node = node, .entries = &node->scratch, .bytes_max = asked->bytes_max};
    uint64_t start;
    range.bytes_max = range.bytes_max > 4 * PULL_BYTES ? 4 * PULL_BYTES : range.bytes_max;
    node->scratch.size = 0;
    feeds_read_list(node, asked->feeds, NULL);
    if (!range_start(node, asked->feeds, &start)) {
        reply.answer = PEER_ANSWER_GONE;
    } else if (start != UINT64_MAX &&
               (archive_journal(&node->archive, start, range_visit, &range) || range.failed)) {
        reply.answer = PEER_ANSWER_LATER;
        range.count = 0;
    }
    reply.more = range.more;
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &reply);
    pack_array(&writer, range.count);
    for (size_t at = 0; range.count > 0 && at < node->scratch.size;) {
        uint32_t size;
        memcpy(&size, node->scratch.data + at, sizeof size);
        pack_bin(&writer, (struct span){node->scratch.data + at + sizeof size, size});
        at += sizeof size + size;
    }
    feeds_put_list(node, &writer, true, FEEDS_ASKED);
    answer(node, id, &writer);
}

// ------------------------------------------------------------------------------------------
// document

/// Keeps a question until the group under way is on disk.
static void defer(struct node *node, struct answer_id id, struct span bytes)
{
    struct queue_item item = {.kind = QUEUE_QUESTION, .answer = id, .arrived_ms = node->now_ms};
    if (node->deferred.items.size + bytes.size > DEFERRED_BYTES_MAX ||
        queue_push(&node->deferred, &item, bytes)) {
        node->metrics.limit_hits++; // unanswered: the other one's pull times out
    }
}

/// Pieces of what the asker lacks, into node->scratch: u32 size, delta, ...
static enum weft_status read_pieces(struct node *node, struct room *room,
                                    const struct peer_message *asked, uint32_t *count_out,
                                    bool *more_out)
{
    struct weft_delta_reader *reader;
    uint32_t bytes_max = asked->bytes_max > 4 * PULL_BYTES ? 4 * PULL_BYTES : asked->bytes_max;
    bool theirs = weft_epoch_compare(&asked->epoch, &room->head.epoch) == 0;
    node->scratch.size = 0;
    node->version.size = 0;
    enum weft_status status = theirs ? weft_doc_overlap(&node->version, room->doc, 0,
                                                        asked->version.data, asked->version.size)
                                     : WEFT_OK;
    status = status ? status
                    : weft_delta_reader_create(&reader, room->doc, node->version.data,
                                               node->version.size);
    if (status) {
        return status;
    }
    for (;;) {
        uint32_t size = 0;
        size_t at = node->scratch.size;
        if (at >= bytes_max) {
            *more_out = true;
            break;
        }
        status = weft_buffer_append(&node->scratch, &size, sizeof size);
        status =
            status ? status : weft_delta_reader_next(&node->scratch, reader, ENTRY_DELTA_BYTES);
        if (status || node->scratch.size == at + sizeof size) {
            node->scratch.size = at;
            break;
        }
        size = (uint32_t)(node->scratch.size - at - sizeof size);
        memcpy(node->scratch.data + at, &size, sizeof size);
        ++*count_out;
    }
    weft_delta_reader_destroy(reader);
    return status;
}

static void answer_document(struct node *node, struct answer_id id,
                            const struct peer_message *asked, struct span bytes)
{
    struct peer_message reply = {.type = PEER_DOCUMENT, .answer = PEER_ANSWER_OK};
    struct room *room = NULL;
    struct weft_buffer times;
    uint32_t count = 0;
    enum weft_status status = room_open(node, asked->document, &room);
    if (status == WEFT_OK && !room_clean(room)) {
        defer(node, id, bytes);
        return;
    }
    weft_buffer_init(&times, &node->allocator);
    if (status == WEFT_OK) {
        reply.epoch = room->head.epoch;
        status = weft_epoch_compare(&asked->epoch, &reply.epoch) > 0
                     ? WEFT_OK // nothing of this node's epoch is wanted there
                     : read_pieces(node, room, asked, &count, &reply.more);
        if (status == WEFT_OK && count > 0 && !reply.more && times_count(&room->times) > 0) {
            status = times_encode(&times, &room->times);
        }
        room_settle(node, room);
    }
    if (status) {
        reply.answer = PEER_ANSWER_LATER;
        count = 0;
        times.size = 0;
    }
    reply.times = span_of_buffer(&times);
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &reply);
    pack_array(&writer, count);
    for (size_t at = 0; count > 0 && at < node->scratch.size;) {
        uint32_t size;
        memcpy(&size, node->scratch.data + at, sizeof size);
        pack_bin(&writer, (struct span){node->scratch.data + at + sizeof size, size});
        at += sizeof size + size;
    }
    if (times.size > 0) {
        pack_bin(&writer, span_of_buffer(&times)); // with the last page
    }
    answer(node, id, &writer);
    weft_buffer_finish(&times);
}

// -------------------------------------------------------------------------------------------
// chains

static void answer_chains(struct node *node, struct answer_id id, const struct peer_message *asked,
                          struct span bytes)
{
    struct peer_message reply = {.type = PEER_CHAINS, .answer = PEER_ANSWER_OK};
    struct room *room = NULL;
    enum weft_status status = room_open(node, asked->document, &room);
    if (status == WEFT_OK && !room_clean(room)) {
        defer(node, id, bytes);
        return;
    }
    bool same = false;
    if (status == WEFT_OK) {
        same = weft_epoch_compare(&asked->epoch, &room->head.epoch) == 0;
        // When it is not now, it is when that one asks again.
        status = same ? heal_learn(node, room, asked->cuts) : WEFT_OK;
        reply.epoch = room->head.epoch;
        reply.cuts = span_of_buffer(&room->cuts);
        room_settle(node, room);
    }
    if (status) {
        reply.answer = PEER_ANSWER_LATER;
        reply.cuts = (struct span){NULL, 0};
    }
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &reply);
    chains_put(same && status == WEFT_OK ? room : NULL, &writer, asked->version);
    answer(node, id, &writer);
}

// -------------------------------------------------------------------------------------------
// changed

static void answer_changed(struct node *node, struct answer_id id, const struct peer_message *asked,
                           struct span bytes)
{
    struct weft_buffer cursor;
    struct peer_message reply = {.type = PEER_CHANGED, .answer = PEER_ANSWER_OK};
    uint32_t count = 0;
    bool dirty = false;
    weft_buffer_init(&cursor, &node->allocator);
    enum weft_status status = compare_collect(node, asked, &count, &cursor, &dirty);
    if (dirty) {
        weft_buffer_finish(&cursor);
        defer(node, id, bytes);
        return;
    }
    reply.answer = status == WEFT_OK ? PEER_ANSWER_OK : PEER_ANSWER_LATER;
    reply.checkpoint_incarnation = node->incarnation;
    reply.checkpoint = journal_synced(node);
    reply.cursor = cursor.size ? span_of_buffer(&cursor) : (struct span){0};
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &reply);
    pack_array(&writer, status ? 0 : count);
    for (size_t at = 0; status == WEFT_OK && at < node->scratch.size;) {
        struct peer_digest item;
        at = compare_next_collected(&node->scratch, at, &item);
        peer_put_digest(&writer, &item);
    }
    // The first page's list is what is adopted.
    if (node->unsure) {
        pack_array(&writer, 0);
    } else {
        feeds_put_list(node, &writer, true, asked->cursor.size == 0 ? FEEDS_ALL : FEEDS_NEEDED);
    }
    answer(node, id, &writer);
    weft_buffer_finish(&cursor);
}

void pull_deferred(struct node *node, struct answer_id id, struct span bytes)
{
    struct peer_message message;
    if (peer_decode(&message, bytes) || message.type < PEER_PULL_RANGE ||
        message.type > PEER_PULL_CHAINS) {
        node->metrics.gossip_malformed++;
        node->links->answer(node->links, id, (struct span){0});
        return;
    }
    switch (message.type) {
    case PEER_PULL_RANGE:
        answer_range(node, id, &message);
        break;
    case PEER_PULL_CHANGED:
        answer_changed(node, id, &message, bytes);
        break;
    case PEER_PULL_CHAINS:
        answer_chains(node, id, &message, bytes);
        break;
    default:
        answer_document(node, id, &message, bytes);
        break;
    }
}

void pull_asked(struct node *node, struct answer_id id, struct span bytes)
{
    if (!node->opened) {
        defer(node, id, bytes);
    } else {
        pull_deferred(node, id, bytes);
    }
}
