// SPDX-License-Identifier: MIT
// Comparing documents: the side that answers. A page is put together from the table of documents,
// or from the changes since a checkpoint: CHANGES (merged documents), then the journal (the
// others).
//
//   cursor    N name                                by name, after that one
//             C change u64 journal u64 end u64      by CHANGES, after the number `change`, then by
//                                                   the journal, after the number `journal` up to
//                                                   `end`; with CHANGES_DONE only the latter
//
// While pages are asked for, documents are merged and their entries leave the journal. Who is
// merged behind `change` is met in the journal; if its entries left that before `journal` came
// there, what was merged since is looked through once more: its change has a greater number. What
// came after `end`, which is from before the first page, is part of no prefix that is adopted.
#include <string.h>

#include "base/endian.h"
#include "node/compare.h"
#include "node/digests.h"
#include "node/documents.h"
#include "node/feeds.h"
#include "node/journal.h"
#include "node/room.h"

#define CHANGES_DONE UINT64_MAX

struct page {
    struct node *node;
    struct weft_buffer names; // u32 size, name, ... of this page, each once
    uint32_t count;
    uint32_t count_max;
    uint32_t scanned; // journal entries
    uint64_t number;  // of the last one
    uint64_t end;     // of the journal
    bool full;
    enum weft_status status;
};

static bool holds(const struct page *page, struct span name)
{
    for (size_t at = 0; at < page->names.size;) {
        uint32_t size;
        memcpy(&size, page->names.data + at, sizeof size);
        if (span_equal((struct span){page->names.data + at + sizeof size, size}, name)) {
            return true;
        }
        at += sizeof size + size;
    }
    return false;
}

/// @return false: the page is full; what comes is for the next one.
static bool add(struct page *page, struct span name)
{
    uint32_t size = (uint32_t)name.size;
    if (holds(page, name)) {
        return true;
    }
    if (page->count == page->count_max) {
        page->full = true;
        return false;
    }
    if (weft_buffer_append(&page->names, &size, sizeof size) ||
        weft_buffer_append(&page->names, name.data, name.size)) {
        page->status = WEFT_NO_MEMORY;
        return false;
    }
    page->count++;
    return true;
}

static bool visit_name(void *context, struct span name, const struct archive_head *head)
{
    (void)head;
    return record_name_valid(name) ? add(context, name) : true;
}

static bool visit_change(void *context, struct span key, struct span value)
{
    struct page *page = context;
    struct span name;
    uint64_t number;
    (void)value;
    if (!record_key_change_decode(&number, &name, key) || !record_name_valid(name)) {
        return true;
    }
    if (!add(page, name)) {
        return false;
    }
    page->number = number;
    return true;
}

static bool visit_entry(void *context, uint64_t number, const struct record_entry *entry,
                        struct span value)
{
    struct page *page = context;
    (void)value;
    if (number > page->end) {
        return false;
    }
    if (page->scanned++ == PULL_SCAN_ENTRIES) {
        page->full = true; // each is looked for among the names
        return false;
    }
    if (entry && !add(page, entry->document)) {
        return false;
    }
    page->number = number;
    return true;
}

// -------------------------------------------------------------------------------------------
// cursors

/// Whether this store ever stood at that journal number in that life.
static bool is_valid(struct node *node, const struct peer_message *asked)
{
    struct feed *life =
        asked->checkpoint_incarnation ? feeds_find(node, asked->checkpoint_incarnation) : NULL;
    uint64_t last = node->journal_next - 1;
    if (!life || !life->own) {
        return false;
    }
    for (uint32_t i = 0; i < node->feed_count; i++) {
        const struct feed *next = node->feeds[i];
        if (next->own && next->continues == life->incarnation) {
            last = next->journal_start - 1;
        }
    }
    return asked->checkpoint <= last;
}

/// Where a comparison since a checkpoint is.
struct since {
    uint64_t change;
    uint64_t journal;
    uint64_t end;
};

static enum weft_status put_cursor(struct weft_buffer *out, char mode, struct span rest)
{
    enum weft_status status = weft_buffer_append(out, &mode, 1);
    return status ? status : weft_buffer_append(out, rest.data, rest.size);
}

static enum weft_status put_since(struct weft_buffer *out, const struct since *since)
{
    uint8_t bytes[24];
    endian_put_u64(bytes, since->change);
    endian_put_u64(bytes + 8, since->journal);
    endian_put_u64(bytes + 16, since->end);
    return put_cursor(out, 'C', (struct span){bytes, sizeof bytes});
}

static struct span last_name(const struct page *page)
{
    struct span name = {0};
    for (size_t at = 0; at < page->names.size;) {
        uint32_t size;
        memcpy(&size, page->names.data + at, sizeof size);
        name = (struct span){page->names.data + at + sizeof size, size};
        at += sizeof size + size;
    }
    return name;
}

static enum weft_status collect_names(struct page *page, struct span after,
                                      struct weft_buffer *cursor_out)
{
    enum weft_status status =
        archive_list(&page->node->archive, after, (struct span){0}, visit_name, page);
    if (status || page->status || !page->full) {
        return status ? status : page->status;
    }
    return put_cursor(cursor_out, 'N', last_name(page));
}

static enum weft_status collect_journal(struct page *page, struct since since,
                                        struct weft_buffer *cursor_out)
{
    page->number = since.journal;
    page->end = since.end;
    enum weft_status status =
        archive_journal(&page->node->archive, since.journal + 1, visit_entry, page);
    if (status || page->status || !page->full) {
        return status ? status : page->status;
    }
    since.journal = page->number;
    return put_since(cursor_out, &since);
}

static enum weft_status collect_changes(struct page *page, struct since since,
                                        struct weft_buffer *cursor_out)
{
    struct record_key key = record_key_u64(since.change + 1);
    struct store *store = page->node->store;
    page->number = since.change;
    enum weft_status status =
        store->scan(store, STORE_CHANGES, record_key_span(&key), visit_change, page);
    if (status || page->status) {
        return status ? status : page->status;
    }
    since.change = page->full ? page->number : CHANGES_DONE;
    return put_since(cursor_out, &since);
}

static enum weft_status collect_since(struct page *page, const struct peer_message *asked,
                                      struct weft_buffer *cursor_out)
{
    const uint8_t *cursor = asked->cursor.data;
    struct since since = {asked->checkpoint, asked->checkpoint, journal_synced(page->node)};
    uint64_t low;
    enum weft_status status = journal_read_low(page->node, &low);
    if (status) {
        return status;
    }
    if (asked->cursor.size > 0) {
        since = (struct since){endian_get_u64(cursor + 1), endian_get_u64(cursor + 9),
                               endian_get_u64(cursor + 17)};
    }
    bool begins = asked->cursor.size == 0;
    if (since.journal + 1 < low && (begins || since.change == CHANGES_DONE)) {
        since.change = since.journal;
        since.journal = low - 1;
    }
    return since.change == CHANGES_DONE ? collect_journal(page, since, cursor_out)
                                        : collect_changes(page, since, cursor_out);
}

static enum weft_status collect(struct page *page, const struct peer_message *asked,
                                struct weft_buffer *cursor_out)
{
    struct span cursor = asked->cursor;
    bool valid = is_valid(page->node, asked);
    if (cursor.size > 0 && cursor.data[0] == 'N') {
        return collect_names(page, (struct span){cursor.data + 1, cursor.size - 1}, cursor_out);
    }
    if (cursor.size == 0 && !valid) {
        return collect_names(page, (struct span){0}, cursor_out);
    }
    return valid && (cursor.size == 0 || cursor.size == 25) ? collect_since(page, asked, cursor_out)
                                                            : WEFT_MALFORMED;
}

// -------------------------------------------------------------------------------------------
// digests

/// Puts one item. A document that cannot be read here is listed with a digest that none has: who
/// asks cannot get it here, and must not count as held what of it entered the cluster before.
static enum weft_status put_item(struct page *page, struct span name, bool *dirty_out)
{
    struct node *node = page->node;
    const struct document *document = documents_find(node, name);
    struct peer_digest item;
    uint8_t bytes[WIRE_EPOCH_SIZE];
    uint32_t size = (uint32_t)name.size;
    if (document && document->room && !room_clean(document->room)) {
        *dirty_out = true;
        return WEFT_OK;
    }
    enum weft_status status = digests_of(node, name, &item);
    if (status == WEFT_MALFORMED) {
        item = (struct peer_digest){.document = name};
    } else if (status) {
        return status;
    }
    wire_epoch_encode(bytes, &item.epoch);
    status = weft_buffer_append(&node->scratch, &size, sizeof size);
    status = status ? status : weft_buffer_append(&node->scratch, name.data, name.size);
    status = status ? status : weft_buffer_append(&node->scratch, bytes, sizeof bytes);
    return status ? status
                  : weft_buffer_append(&node->scratch, item.digest.bytes, sizeof item.digest.bytes);
}

size_t compare_next_collected(const struct weft_buffer *page, size_t at,
                              struct peer_digest *item_out)
{
    uint32_t size;
    memcpy(&size, page->data + at, sizeof size);
    at += sizeof size;
    item_out->document = (struct span){page->data + at, size};
    at += size;
    item_out->epoch = wire_epoch_decode(page->data + at);
    at += WIRE_EPOCH_SIZE;
    memcpy(item_out->digest.bytes, page->data + at, sizeof item_out->digest.bytes);
    return at + sizeof item_out->digest.bytes;
}

/// Puts the items of a page that was collected, up to the bound of documents that are loaded for
/// it. @return how many names were dealt with.
static uint32_t put_items(struct page *page, uint32_t *count_out, bool *dirty_out)
{
    uint64_t loads = page->node->metrics.documents_loads + PULL_PAGE_LOADS;
    uint32_t done = 0;
    for (size_t at = 0; at < page->names.size; done++) {
        uint32_t size;
        size_t before = page->node->scratch.size;
        if (page->node->metrics.documents_loads >= loads) {
            break;
        }
        memcpy(&size, page->names.data + at, sizeof size);
        page->status =
            put_item(page, (struct span){page->names.data + at + sizeof size, size}, dirty_out);
        if (page->status || *dirty_out) {
            break;
        }
        *count_out += page->node->scratch.size > before;
        at += sizeof size + size;
    }
    return done;
}

enum weft_status compare_collect(struct node *node, const struct peer_message *asked,
                                 uint32_t *count_out, struct weft_buffer *cursor_out,
                                 bool *dirty_out)
{
    struct page page = {.node = node, .count_max = asked->count_max};
    if (page.count_max == 0 || page.count_max > PULL_PAGE_DOCUMENTS) {
        page.count_max = PULL_PAGE_DOCUMENTS;
    }
    weft_buffer_init(&page.names, &node->allocator);
    node->scratch.size = 0;
    enum weft_status status = collect(&page, asked, cursor_out);
    if (status == WEFT_OK) {
        uint32_t done = put_items(&page, count_out, dirty_out);
        status = page.status;
        if (status == WEFT_OK && !*dirty_out && done < page.count) {
            // The page ends before: again, for the cursor.
            page.names.size = cursor_out->size = 0;
            page = (struct page){.node = node, .names = page.names, .count_max = done};
            status = collect(&page, asked, cursor_out);
        }
    }
    weft_buffer_finish(&page.names);
    return status;
}
