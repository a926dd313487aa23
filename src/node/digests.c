// SPDX-License-Identifier: MIT
// Digest anti-entropy.
#include "node/digests.h"

#include <string.h>

#include "node/documents.h"
#include "node/fetch.h"
#include "node/room.h"

#define STRIKES_MAX 3U // differences in a row, each after a fetch, before it is an alarm

bool digests_equal(const struct peer_digest *a, const struct peer_digest *b)
{
    return weft_epoch_compare(&a->epoch, &b->epoch) == 0 &&
           memcmp(a->digest.bytes, b->digest.bytes, sizeof a->digest.bytes) == 0;
}

static enum weft_status digest_of_room(struct room *room, struct peer_digest *item_out)
{
    item_out->document = document_name(room->document);
    item_out->epoch = room->head.epoch;
    return weft_doc_digest(&item_out->digest, room->doc);
}

enum weft_status digests_of(struct node *node, struct span name, struct peer_digest *item_out)
{
    struct document *document = documents_find(node, name);
    struct room *room = document ? document->room : NULL;
    struct archive_head head;
    if (room && room->doc) {
        return digest_of_room(room, item_out);
    }
    if (room && room->quarantined) {
        return WEFT_MALFORMED;
    }
    enum weft_status status = archive_head(&head, &node->archive, name);
    if (status) {
        return status;
    }
    bool fresh = document && document->tail_count > 0 &&
                 document_numbers(document)[document->tail_count - 1] > head.through;
    if (!fresh && head.current && head.structure_size > 0) {
        *item_out = (struct peer_digest){name, head.epoch, head.digest};
        return WEFT_OK;
    }
    if (!fresh && !head.recorded) {
        return WEFT_NOT_FOUND;
    }
    status = room_open(node, name, &room);
    return status ? status : digest_of_room(room, item_out);
}

// -------------------------------------------------------------------------------------------
// sending

/// The digest of a document that is quiet, if it is known without loading it.
static bool digest_to_say(struct node *node, struct document *document,
                          struct peer_digest *item_out)
{
    struct room *room = document->room;
    struct archive_head head;
    if (room && room->doc) {
        return room_clean(room) && node->now_ms - room->changed_ms >= DIGEST_QUIET_MS &&
               digest_of_room(room, item_out) == WEFT_OK;
    }
    if (room || archive_head(&head, &node->archive, document_name(document)) || !head.current ||
        head.structure_size == 0) {
        return false;
    }
    if (document->tail_count > 0 &&
        document_numbers(document)[document->tail_count - 1] > head.through) {
        return false;
    }
    *item_out = (struct peer_digest){document_name(document), head.epoch, head.digest};
    return true;
}

void digests_put(struct node *node, struct pack_writer *writer)
{
    struct peer_digest items[DIGESTS_PER_HEARTBEAT];
    uint32_t count = 0;
    for (uint32_t i = 0; i < DIGEST_RECENT_MAX && count < DIGESTS_PER_HEARTBEAT; i++) {
        struct recent *recent = &node->recent[node->recent_said++ % DIGEST_RECENT_MAX];
        count += recent->document && digest_to_say(node, recent->document, &items[count]);
    }
    pack_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        peer_put_digest(writer, &items[i]);
    }
}

// -----------------------------------------------------------------------------------------
// comparing

static bool nothing_lacks(const struct node *node)
{
    for (uint32_t i = 0; i < node->feed_count; i++) {
        const struct feed *feed = node->feeds[i];
        if (feed->asked != feed->prefix || feed->prefix != feed->synced) {
            return false;
        }
    }
    return true;
}

static bool is_quiet(struct node *node, struct span name)
{
    const struct document *document = documents_find(node, name);
    const struct room *room = document ? document->room : NULL;
    return !room || (room_clean(room) && node->now_ms - room->changed_ms >= DIGEST_QUIET_MS);
}

void digests_check(struct node *node, struct member *member, struct peer_list digests)
{
    struct peer_digest item;
    if (!nothing_lacks(node)) {
        return;
    }
    while (peer_next_digest(&item, &digests)) {
        struct peer_digest own;
        if (!is_quiet(node, item.document)) {
            continue;
        }
        enum weft_status status = digests_of(node, item.document, &own);
        struct document *document = documents_find(node, item.document);
        if (status == WEFT_OK && digests_equal(&own, &item)) {
            node->metrics.digests_equal++;
            if (document && document->room) {
                document->room->strikes = 0;
            }
        } else if (status == WEFT_OK || status == WEFT_NOT_FOUND) {
            // When there are too many already it is noted with a later heartbeat.
            (void)fetch_add(node, FETCH_DIGEST, member->incarnation, item.document, &item.digest);
        }
    }
}

void digests_fetched(struct node *node, struct span name, const struct weft_digest *digest)
{
    struct document *document = documents_find(node, name);
    struct room *room = document ? document->room : NULL;
    struct weft_digest own;
    if (!room || !room->doc || weft_doc_digest(&own, room->doc)) {
        return;
    }
    if (memcmp(own.bytes, digest->bytes, sizeof own.bytes) == 0) {
        node->metrics.digests_behind++;
        room->strikes = 0;
        node_log(node, NODE_LOG_WARNING, "digest_healed", "doc=\"%.*s\"", (int)name.size,
                 (const char *)name.data);
        return;
    }
    // The other one may lack something, which it fetches from here; or one id has two contents.
    if (++room->strikes >= STRIKES_MAX) {
        room->strikes = 0;
        node->metrics.digests_diverged++;
        node_log(node, NODE_LOG_ERROR, "digest_diverged", "doc=\"%.*s\"", (int)name.size,
                 (const char *)name.data);
    }
}
