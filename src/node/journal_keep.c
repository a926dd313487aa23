// SPDX-License-Identifier: MIT
// The journal's upkeep: reading it at start, merging documents. Its low end is in journal_prune.c.
#include <string.h>

#include "node/documents.h"
#include "node/feeds.h"
#include "node/journal.h"
#include "node/room.h"

// ------------------------------------------------------------------------------------------ at
// start

static enum weft_status read_u64(struct node *node, const char *key, uint64_t *value_out)
{
    struct span value;
    enum weft_status status = node->store->get(node->store, &value, STORE_META, span_of_text(key));
    return status ? status : record_u64_decode(value_out, value);
}

enum weft_status journal_read_low(struct node *node, uint64_t *low_out)
{
    enum weft_status status = read_u64(node, RECORD_META_JOURNAL, low_out);
    if (status == WEFT_NOT_FOUND) {
        *low_out = 1; // nothing left it yet
    }
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

struct load {
    struct node *node;
    enum weft_status status;
};

static bool load_feed(void *context, struct span key, struct span value)
{
    struct load *load = context;
    struct record_feed record;
    uint64_t incarnation = 0;
    if (!record_key_u64_decode(&incarnation, key) || !value.data ||
        record_feed_decode(&record, value)) {
        // Its prefix counts as nothing: what it held is asked for again, and known already.
        node_log(load->node, NODE_LOG_ERROR, "feed_damaged", "feed=%016llx",
                 (unsigned long long)incarnation);
        return true;
    }
    if (!record.retired && !feeds_load(load->node, incarnation, &record)) {
        load->status = WEFT_NO_MEMORY;
        return false;
    }
    return true;
}

static bool load_entry(void *context, uint64_t number, const struct record_entry *entry,
                       struct span value)
{
    struct load *load = context;
    struct node *node = load->node;
    bool kept = number < node->journal_low;
    if (!kept) {
        node->journal_next = number + 1;
        node->journal_bytes += value.size;
        node->journal_entries++;
    }
    if (!entry) {
        node->damaged = node->unsure = true; // whose it was is not known
        node_log(node, NODE_LOG_ERROR, "entry_damaged", "number=%llu", (unsigned long long)number);
        return true;
    }
    struct document *document = documents_get(node, entry->document);
    if (!document || document_reserve(node, document)) {
        load->status = WEFT_NO_MEMORY;
        return false;
    }
    document_push(document, number);
    document->emptied = entry->kind == RECORD_EPOCH;
    document->kept |= kept;
    node->metrics.journal_kept += kept;
    if (entry->incarnation && !kept) {
        feeds_replay(node, entry->incarnation, entry->sequence, number);
    }
    return true;
}

enum weft_status journal_load(struct node *node)
{
    struct load load = {node, WEFT_OK};
    struct record_key first = record_key_u64(0);
    enum weft_status status = journal_read_low(node, &node->journal_low);
    if (status) {
        return status;
    }
    node->journal_next = node->journal_low;
    node->open->journal_low = node->journal_low;
    status = node->store->scan(node->store, STORE_FEEDS, record_key_span(&first), load_feed, &load);
    if (status || load.status) {
        return status ? status : load.status;
    }
    status = archive_journal(&node->archive, 0, load_entry, &load); // with what is kept below
    return status ? status : load.status;
}

enum weft_status journal_put_meta(struct node *node, const char *key, uint64_t value)
{
    node->scratch.size = 0;
    enum weft_status status = record_u64_encode(&node->scratch, value);
    return status ? status
                  : node->store->put(node->store, STORE_META, span_of_text(key),
                                     span_of_buffer(&node->scratch));
}

enum weft_status journal_mint(struct node *node)
{
    uint64_t before = node->incarnation;
    struct peer_feed declared = {0};
    if (before == 0) {
        enum weft_status status = read_u64(node, RECORD_META_INCARNATION, &before);
        if (status && status != WEFT_NOT_FOUND) {
            return status;
        }
    }
    struct feed *last = before ? feeds_find(node, before) : NULL;
    do {
        declared.incarnation = node_random(node);
    } while (declared.incarnation == 0 || feeds_find(node, declared.incarnation));
    if (last) {
        declared.continues = last->incarnation;
        declared.continued_to = last->prefix;
    }
    struct feed *feed = feeds_get(node, &declared);
    if (!feed) {
        return WEFT_NO_MEMORY;
    }
    feed->own = true;
    feed->journal_start = node->journal_next;
    feeds_set_own(node, feed);
    feeds_touch(node, feed);
    node->incarnation = feed->incarnation;
    node->open->own_sequence = 0;
    node->incarnation_due = true;
    return WEFT_OK;
}

void journal_stage_incarnation(struct node *node)
{
    if (node->incarnation_due) {
        feeds_touch(node, feeds_own(node));
        if (journal_put_meta(node, RECORD_META_INCARNATION, node->incarnation)) {
            node->open->failed = true;
        }
    }
}

// -------------------------------------------------------------------------------------------
// merging

void journal_merge(struct node *node, struct room *room, bool now)
{
    uint64_t least = (room->head.structure_size + room->head.text_size) / ROOM_MERGE_SHARE;
    uint32_t code;
    if (least < ROOM_MERGE_BYTES) {
        least = ROOM_MERGE_BYTES;
    }
    if (!room->doc || !room_clean(room) || room->changed_number <= room->head.through ||
        (!now && room->unmerged_bytes <= least) || !journal_writable(node, &code)) {
        return;
    }
    // A record that is partly staged would be worse than none; the group is lost then.
    if (archive_save(&node->archive, document_name(room->document), room->doc, &room->head,
                     &room->times, room->changed_number, node->clock->wall_ms(node->clock))) {
        node->open->failed = true;
        return;
    }
    room->document->through = room->head.through;
    room->unmerged_bytes = 0;
    journal_drop_kept(node, room);
    journal_add_room(node, room);
    node->metrics.merges++;
}

// -------------------------------------------------------------------------------------------
// space

void journal_probe(struct node *node)
{
    uint32_t code = 0;
    bool writable = journal_writable(node, &code);
    if (writable && node->was_full) {
        node_log(node, NODE_LOG_NOTICE, "storage_writable", "there is space again");
    } else if (!writable && !node->was_full) {
        char problem[STORE_PROBLEM_BYTES];
        node->store->problem(node->store, problem);
        node_log(node, NODE_LOG_ERROR, "storage_read_only", "code=%u reason=%s problem=\"%s\"",
                 code, wire_code_reason(code), problem);
    }
    node->was_full = !writable;
    if (code == WIRE_STORAGE_FULL && !node->away &&
        node->now_ms - node->probed_ms >= SPACE_PROBE_MS) {
        node->probed_ms = node->now_ms;
        if (journal_put_meta(node, RECORD_META_PROBE, node->now_ms) == WEFT_OK) {
            journal_commit(node);
        }
    }
}
