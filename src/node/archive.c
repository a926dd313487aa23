// SPDX-License-Identifier: MIT
// Documents in a store: loading, saving, listing.
#include "node/archive.h"

#include <string.h>

#include <weft/fork.h>

/// A table's record of a document, decoded by the caller. @return as store->get().
static enum weft_status get(struct span *value_out, const struct archive *archive,
                            enum store_table table, struct span name)
{
    return archive->store->get(archive->store, value_out, table, name);
}

static enum weft_status put(const struct archive *archive, enum store_table table, struct span key,
                            struct span value)
{
    return archive->store->put(archive->store, table, key, value);
}

/// The epoch record; one that is not there says the first epoch. Its cuts are borrowed.
static enum weft_status get_epoch(struct record_epoch *record_out, const struct archive *archive,
                                  struct span name)
{
    struct span value;
    enum weft_status status = get(&value, archive, STORE_EPOCHS, name);
    if (status == WEFT_NOT_FOUND) {
        *record_out = (struct record_epoch){0};
        return WEFT_OK;
    }
    return status ? status : record_epoch_decode(record_out, value);
}

enum weft_status archive_epoch(struct weft_epoch *epoch_out, const struct archive *archive,
                               struct span name)
{
    struct record_epoch record;
    enum weft_status status = get_epoch(&record, archive, name);
    if (status == WEFT_OK) {
        *epoch_out = record.epoch;
    }
    return status;
}

enum weft_status archive_cuts(struct weft_buffer *cuts_out, const struct archive *archive,
                              struct span name)
{
    struct record_epoch record;
    enum weft_status status = get_epoch(&record, archive, name);
    if (status) {
        return status;
    }
    cuts_out->size = 0;
    return record.cuts.size ? weft_buffer_append(cuts_out, record.cuts.data, record.cuts.size)
                            : WEFT_OK;
}

/// `head` as its DOCUMENTS record says, `head->epoch` being known.
static void fill_head(struct archive_head *head, const struct record_document *record)
{
    head->recorded = true;
    head->change = record->change;
    head->wall_ms = record->wall_ms;
    head->current = weft_epoch_compare(&record->epoch, &head->epoch) == 0;
    if (head->current) {
        head->through = record->through;
        head->structure_size = record->structure_size;
        head->atoms = record->atoms;
        head->length = record->length;
        head->text_size = record->text_size;
        head->digest = record->digest;
    }
}

enum weft_status archive_head(struct archive_head *head_out, const struct archive *archive,
                              struct span name)
{
    struct archive_head head = {0};
    struct record_document record;
    struct span value;
    enum weft_status status = archive_epoch(&head.epoch, archive, name);
    if (status) {
        return status;
    }
    status = get(&value, archive, STORE_DOCUMENTS, name);
    if (status == WEFT_OK) {
        status = record_document_decode(&record, value);
    }
    if (status && status != WEFT_NOT_FOUND) {
        return status;
    }
    if (status == WEFT_OK) {
        fill_head(&head, &record);
    }
    *head_out = head;
    return WEFT_OK;
}

// --------------------------------------------------------------------------------------- loading

static struct weft_doc_options options_of(const struct archive *archive, struct span name,
                                          const struct weft_epoch *epoch)
{
    return (struct weft_doc_options){
        .allocator = &archive->allocator,
        .name = name.data,
        .name_size = name.size,
        .epoch = *epoch,
        .limits = archive->limits,
    };
}

/// The snapshot as a document, or an empty one when there is none in this epoch.
static enum weft_status load_snapshot(struct weft_doc **doc_out, const struct archive *archive,
                                      const struct archive_head *head, struct span name,
                                      struct times *times)
{
    struct weft_doc_options options = options_of(archive, name, &head->epoch);
    struct record_snapshot record;
    struct span value;
    struct span text;
    if (!head->current || head->structure_size == 0) {
        return weft_doc_create(doc_out, &options);
    }
    enum weft_status status = get(&value, archive, STORE_SNAPSHOTS, name);
    if (status == WEFT_OK) {
        status = record_snapshot_decode(&record, value);
    }
    if (status == WEFT_OK) {
        status = get(&text, archive, STORE_TEXTS, name);
    }
    if (status) {
        return status == WEFT_NOT_FOUND ? WEFT_MALFORMED : status; // it was promised
    }
    struct weft_snapshot snapshot = {
        record.structure.data, record.structure.size, text.data, text.size,
        record.tombs.data,     record.tombs.size};
    if (times && times_merge(times, record.times) == WEFT_NO_MEMORY) {
        return WEFT_NO_MEMORY;
    }
    status = weft_doc_load(doc_out, &snapshot, &options);
    return status == WEFT_UNSUPPORTED ? WEFT_MALFORMED : status;
}

struct replay {
    const struct archive *archive;
    struct weft_doc *doc;
    struct weft_buffer cuts; // what is left out
    struct archive_head *head;
    struct span name;
    struct times *times; // may be NULL
    enum weft_status status;
    bool again;    // it was gone through before
    bool missing;  // this time something stood on what was not there
    bool progress; // and something went in
};

/// @return WEFT_OK or WEFT_NO_MEMORY. Times are a help: what is malformed says nothing.
static enum weft_status note_times(struct times *times, const struct record_entry *entry)
{
    enum weft_status status = WEFT_OK;
    if (entry->kind == RECORD_TIMES) {
        status = times_merge(times, entry->delta);
    } else if (entry->kind == RECORD_DELTA && entry->wall_ms) {
        status = times_note_delta(times, entry->delta, entry->wall_ms / 1000);
    }
    return status == WEFT_NO_MEMORY ? status : WEFT_OK;
}

/// Applies one entry the way it was applied when it came: what was left out then is left out now.
/// Those that came while the document was damaged were not applied: their order may be any, and
/// where they began an epoch, no record says so.
static void replay_entry(struct replay *replay, uint64_t number, const struct record_entry *entry,
                         size_t size)
{
    struct weft_apply_result result = {0};
    if (number <= replay->head->through) {
        return;
    }
    int order = weft_epoch_compare(&entry->epoch, &replay->head->epoch);
    if (order > 0) {
        replay->status = WEFT_MALFORMED;
    }
    if (order == 0 && replay->times && !replay->again && note_times(replay->times, entry)) {
        replay->status = WEFT_NO_MEMORY;
        return;
    }
    if (order != 0 || entry->kind != RECORD_DELTA) {
        return;
    }
    uint32_t runs_cut;
    enum weft_status status = weft_doc_apply_within(&result, &runs_cut, replay->doc, &replay->cuts,
                                                    entry->delta.data, entry->delta.size);
    if (status == WEFT_NO_MEMORY) {
        replay->status = WEFT_NO_MEMORY;
        return;
    }
    replay->missing |= result.runs_missing > 0;
    replay->progress |= result.atoms_applied > 0;
    if (replay->again) {
        return;
    }
    replay->head->replayed_bytes += size;
    replay->head->replayed_entries++;
    replay->head->replayed_last = number;
}

static bool replay_visit(void *context, uint64_t number, const struct record_entry *entry,
                         struct span value)
{
    struct replay *replay = context;
    if (entry && entry->document.size == replay->name.size &&
        memcmp(entry->document.data, replay->name.data, replay->name.size) == 0) {
        replay_entry(replay, number, entry, value.size);
    }
    return replay->status == WEFT_OK;
}

/// Applies the entries with these numbers; one that is damaged damages the document.
static enum weft_status replay_numbers(struct replay *replay, const uint64_t *numbers, size_t count)
{
    for (size_t i = 0; i < count && replay->status == WEFT_OK; i++) {
        struct record_entry entry;
        struct span value;
        if (numbers[i] <= replay->head->through) {
            continue;
        }
        struct record_key key = record_key_u64(numbers[i]);
        enum weft_status status =
            get(&value, replay->archive, STORE_JOURNAL, record_key_span(&key));
        if (status == WEFT_OK) {
            status = record_entry_decode(&entry, value);
        }
        if (status) {
            return status == WEFT_STORAGE ? WEFT_STORAGE : WEFT_MALFORMED;
        }
        replay_visit(replay, numbers[i], &entry, value);
    }
    return replay->status;
}

/// Applies the document's entries, until nothing more goes in. An entry is journaled when it went
/// into the document, or while that could not be read; so one that does not go in now stands on one
/// that was damaged and is gone. Then the document is damaged too: it is fetched, and nothing of it
/// merged and dropped before.
static enum weft_status replay_all(struct replay *replay, const uint64_t *numbers, size_t count)
{
    enum weft_status status = WEFT_OK;
    do {
        replay->missing = replay->progress = false;
        status = numbers ? replay_numbers(replay, numbers, count)
                         : archive_journal(replay->archive, replay->head->through + 1, replay_visit,
                                           replay);
        status = status ? status : replay->status;
        replay->again = true;
    } while (status == WEFT_OK && replay->missing && replay->progress);
    return status == WEFT_OK && replay->missing ? WEFT_MALFORMED : status;
}

enum weft_status archive_load(struct weft_doc **doc_out, struct archive_head *head_out,
                              const struct archive *archive, struct span name,
                              const uint64_t *numbers, size_t number_count, struct times *times_out)
{
    struct archive_head head;
    struct weft_doc *doc = NULL;
    enum weft_status status = archive_head(&head, archive, name);
    if (times_out) {
        times_clear(times_out);
    }
    if (status == WEFT_OK) {
        status = load_snapshot(&doc, archive, &head, name, times_out);
    }
    if (status) {
        return status;
    }
    struct replay replay = {
        .archive = archive, .doc = doc, .head = &head, .name = name, .times = times_out};
    weft_buffer_init(&replay.cuts, &archive->allocator);
    status = archive_cuts(&replay.cuts, archive, name);
    status = status ? status : replay_all(&replay, numbers, number_count);
    weft_buffer_finish(&replay.cuts);
    if (status) {
        weft_doc_destroy(doc);
        return status;
    }
    *doc_out = doc;
    *head_out = head;
    return WEFT_OK;
}

enum weft_status archive_text(struct span *text_out, const struct archive *archive,
                              const struct archive_head *head, struct span name)
{
    if (!head->current || head->atoms == 0) {
        return WEFT_NOT_FOUND;
    }
    return get(text_out, archive, STORE_TEXTS, name);
}

// ---------------------------------------------------------------------------------------- saving

static enum weft_status put_head(const struct archive *archive, struct span name,
                                 const struct archive_head *head, struct span version)
{
    struct record_document record = {
        .epoch = head->epoch,
        .through = head->through,
        .change = head->change,
        .atoms = head->atoms,
        .length = head->length,
        .text_size = head->text_size,
        .structure_size = head->structure_size,
        .version = version,
        .digest = head->digest,
        .wall_ms = head->wall_ms,
    };
    struct weft_buffer value;
    weft_buffer_init(&value, &archive->allocator);
    enum weft_status status = record_document_encode(&value, &record);
    if (status == WEFT_OK) {
        status = put(archive, STORE_DOCUMENTS, name, (struct span){value.data, value.size});
    }
    weft_buffer_finish(&value);
    return status;
}

/// Moves the document's change record to `number`.
static enum weft_status put_change(const struct archive *archive, struct span name,
                                   struct archive_head *head, uint64_t number)
{
    static const uint8_t nil = 0xc0;
    if (number == head->change) {
        return WEFT_OK;
    }
    if (head->change) {
        struct record_key old = record_key_change(head->change, name);
        enum weft_status status =
            archive->store->remove(archive->store, STORE_CHANGES, record_key_span(&old));
        if (status) {
            return status;
        }
    }
    struct record_key key = record_key_change(number, name);
    head->change = number;
    return put(archive, STORE_CHANGES, record_key_span(&key), (struct span){&nil, 1});
}

/// The three parts of a snapshot and the version, as buffers.
struct parts {
    struct weft_buffer structure;
    struct weft_buffer text;
    struct weft_buffer tombs;
    struct weft_buffer version;
    struct weft_buffer times;
    struct weft_buffer record;
};

static void parts_init(struct parts *parts, const struct weft_allocator *allocator)
{
    weft_buffer_init(&parts->structure, allocator);
    weft_buffer_init(&parts->text, allocator);
    weft_buffer_init(&parts->tombs, allocator);
    weft_buffer_init(&parts->version, allocator);
    weft_buffer_init(&parts->times, allocator);
    weft_buffer_init(&parts->record, allocator);
}

static void parts_finish(struct parts *parts)
{
    weft_buffer_finish(&parts->structure);
    weft_buffer_finish(&parts->text);
    weft_buffer_finish(&parts->tombs);
    weft_buffer_finish(&parts->version);
    weft_buffer_finish(&parts->times);
    weft_buffer_finish(&parts->record);
}

static enum weft_status save_parts(const struct archive *archive, struct span name,
                                   struct weft_doc *doc, struct archive_head *head,
                                   struct parts *parts)
{
    enum weft_status status =
        weft_doc_snapshot(&parts->structure, &parts->text, &parts->tombs, doc);
    status = status ? status : weft_doc_version(&parts->version, doc);
    status = status ? status : weft_doc_digest(&head->digest, doc);
    if (status) {
        return status;
    }
    struct weft_doc_stats stats = weft_doc_stats(doc);
    struct record_snapshot record = {head->epoch, span_of_buffer(&parts->structure),
                                     span_of_buffer(&parts->tombs), span_of_buffer(&parts->times)};
    head->atoms = stats.atoms;
    head->length = stats.length;
    head->text_size = parts->text.size;
    head->structure_size = parts->structure.size + parts->tombs.size;
    status = record_snapshot_encode(&parts->record, &record);
    status = status ? status : put(archive, STORE_SNAPSHOTS, name, span_of_buffer(&parts->record));
    return status ? status : put(archive, STORE_TEXTS, name, span_of_buffer(&parts->text));
}

enum weft_status archive_save(const struct archive *archive, struct span name, struct weft_doc *doc,
                              struct archive_head *head, const struct times *times,
                              uint64_t through, uint64_t wall_ms)
{
    struct archive_head next = *head;
    struct parts parts;
    next.recorded = true;
    next.current = true;
    next.through = through;
    next.wall_ms = wall_ms;
    parts_init(&parts, &archive->allocator);
    enum weft_status status = times_count(times) ? times_encode(&parts.times, times) : WEFT_OK;
    status = status ? status : save_parts(archive, name, doc, &next, &parts);
    status = status ? status : put_change(archive, name, &next, through);
    status = status ? status : put_head(archive, name, &next, span_of_buffer(&parts.version));
    parts_finish(&parts);
    if (status == WEFT_OK) {
        *head = next;
    }
    return status;
}

enum weft_status archive_save_name(const struct archive *archive, struct span name,
                                   struct archive_head *head, uint64_t wall_ms)
{
    head->recorded = true;
    head->current = true;
    head->wall_ms = wall_ms;
    return put_head(archive, name, head, (struct span){0});
}

enum weft_status archive_save_cuts(const struct archive *archive, struct span name,
                                   const struct weft_epoch *epoch, struct span cuts)
{
    struct record_epoch record = {*epoch, cuts};
    struct weft_buffer value;
    weft_buffer_init(&value, &archive->allocator);
    enum weft_status status = record_epoch_encode(&value, &record);
    status = status ? status : put(archive, STORE_EPOCHS, name, span_of_buffer(&value));
    weft_buffer_finish(&value);
    return status;
}

enum weft_status archive_save_epoch(const struct archive *archive, struct span name,
                                    struct archive_head *head, const struct weft_epoch *epoch,
                                    uint64_t wall_ms)
{
    struct store *store = archive->store;
    struct archive_head next = {.epoch = *epoch, .recorded = true, .current = true};
    next.change = head->change;
    next.wall_ms = wall_ms;
    enum weft_status status = archive_save_cuts(archive, name, epoch, (struct span){0});
    status = status ? status : store->remove(store, STORE_SNAPSHOTS, name);
    status = status ? status : store->remove(store, STORE_TEXTS, name);
    status = status ? status : put_head(archive, name, &next, (struct span){0});
    if (status == WEFT_OK) {
        *head = next;
    }
    return status;
}

// --------------------------------------------------------------------------------------- listing

struct listing {
    const struct archive *archive;
    struct span after;
    struct span prefix;
    bool (*visit)(void *context, struct span name, const struct archive_head *head);
    void *context;
};

static bool begins_with(struct span name, struct span prefix)
{
    return name.size >= prefix.size &&
           (prefix.size == 0 || memcmp(name.data, prefix.data, prefix.size) == 0);
}

static bool list_visit(void *context, struct span key, struct span value)
{
    struct listing *listing = context;
    struct archive_head head = {0};
    struct record_document record;
    if (listing->after.size > 0 && span_equal(key, listing->after)) {
        return true;
    }
    if (!begins_with(key, listing->prefix)) {
        return false;
    }
    if (!value.data || record_document_decode(&record, value)) {
        return listing->visit(listing->context, key, NULL);
    }
    head.epoch = record.epoch; // the record is rewritten with every epoch
    fill_head(&head, &record);
    return listing->visit(listing->context, key, &head);
}

enum weft_status archive_list(const struct archive *archive, struct span after, struct span prefix,
                              bool (*visit)(void *context, struct span name,
                                            const struct archive_head *head),
                              void *context)
{
    struct listing listing = {archive, after, prefix, visit, context};
    struct span from = after;
    size_t common = after.size < prefix.size ? after.size : prefix.size;
    int order = common ? memcmp(after.data, prefix.data, common) : 0;
    if (order < 0 || (order == 0 && after.size < prefix.size)) {
        from = prefix;
    }
    if (from.size > RECORD_NAME_BYTES_MAX + 1) {
        from.size = RECORD_NAME_BYTES_MAX + 1; // no name is as long, so as many follow it
    }
    return archive->store->scan(archive->store, STORE_DOCUMENTS, from, list_visit, &listing);
}

struct journal_walk {
    bool (*visit)(void *context, uint64_t number, const struct record_entry *entry,
                  struct span value);
    void *context;
};

static bool journal_visit(void *context, struct span key, struct span value)
{
    struct journal_walk *walk = context;
    struct record_entry entry;
    uint64_t number;
    if (!record_key_u64_decode(&number, key)) {
        return true;
    }
    bool good = value.data && record_entry_decode(&entry, value) == WEFT_OK;
    return walk->visit(walk->context, number, good ? &entry : NULL, value);
}

enum weft_status archive_journal(const struct archive *archive, uint64_t from,
                                 bool (*visit)(void *context, uint64_t number,
                                               const struct record_entry *entry, struct span value),
                                 void *context)
{
    struct journal_walk walk = {visit, context};
    struct record_key key = record_key_u64(from);
    return archive->store->scan(archive->store, STORE_JOURNAL, record_key_span(&key), journal_visit,
                                &walk);
}
