// SPDX-License-Identifier: MIT
// Recovery copies: what an epoch that lost held, or a branch of a forked author, kept apart and
// readable.
#include "node/archive.h"

#include <string.h>

#include "node/limits.h"

enum weft_status archive_save_recovery(const struct archive *archive, struct span name,
                                       const struct archive_copy *copy, uint64_t part,
                                       struct span delta, uint64_t wall_ms)
{
    struct record_recovery record = {wall_ms, delta, copy->branch, copy->epoch};
    struct record_key key = record_key_recovery(name, &copy->name, part);
    struct weft_buffer value;
    weft_buffer_init(&value, &archive->allocator);
    enum weft_status status = record_recovery_encode(&value, &record);
    if (status == WEFT_OK) {
        status = archive->store->put(archive->store, STORE_RECOVERY, record_key_span(&key),
                                     (struct span){value.data, value.size});
    }
    weft_buffer_finish(&value);
    return status;
}

enum weft_status archive_save_recovery_whole(uint64_t *parts_out, const struct archive *archive,
                                             struct span name, const struct archive_copy *copy,
                                             const struct weft_doc *doc, uint64_t wall_ms)
{
    struct archive_copy of_epoch = {.name = weft_doc_epoch(doc)};
    struct weft_delta_reader *reader = NULL;
    struct weft_buffer delta;
    uint64_t parts = 0;
    weft_buffer_init(&delta, &archive->allocator);
    enum weft_status status = weft_delta_reader_create(&reader, doc, NULL, 0);
    while (status == WEFT_OK) {
        delta.size = 0;
        status = weft_delta_reader_next(&delta, reader, RECOVERY_PART_BYTES);
        if (status || delta.size == 0) {
            break;
        }
        status = archive_save_recovery(archive, name, copy ? copy : &of_epoch, parts++,
                                       (struct span){delta.data, delta.size}, wall_ms);
    }
    weft_delta_reader_destroy(reader);
    weft_buffer_finish(&delta);
    if (status == WEFT_OK) {
        *parts_out = parts;
    }
    return status;
}

// --------------------------------------------------------------------------------------- listing

struct recoveries {
    struct span name;
    bool (*visit)(void *context, const struct archive_recovery *copy);
    void *context;
    struct archive_recovery copy; // being summed up
    uint8_t document[RECORD_NAME_BYTES_MAX];
    bool stopped;
};

/// Hands over the copy that was summed up, if there is one.
static bool flush(struct recoveries *recoveries)
{
    bool more = true;
    if (recoveries->copy.parts > 0) {
        more = recoveries->visit(recoveries->context, &recoveries->copy);
        recoveries->copy.parts = 0;
    }
    recoveries->stopped = !more;
    return more;
}

static bool recoveries_visit(void *context, struct span key, struct span value)
{
    struct recoveries *recoveries = context;
    struct archive_recovery *copy = &recoveries->copy;
    struct record_recovery record = {0};
    struct span document;
    struct weft_epoch epoch;
    uint64_t part;
    if (!record_key_recovery_decode(&document, &epoch, &part, key) ||
        document.size > sizeof recoveries->document) {
        return true;
    }
    if (recoveries->name.size > 0 && !span_equal(document, recoveries->name)) {
        return false; // its own keys come first: the name is followed by a zero
    }
    if (copy->parts > 0 &&
        (!span_equal(document, copy->document) || weft_epoch_compare(&epoch, &copy->epoch) != 0) &&
        !flush(recoveries)) {
        return false;
    }
    if (copy->parts == 0) {
        memcpy(recoveries->document, document.data, document.size);
        *copy = (struct archive_recovery){{recoveries->document, document.size}, epoch, 0, 0, 0};
    }
    copy->parts++;
    copy->bytes += value.size;
    if (value.data && record_recovery_decode(&record, value) == WEFT_OK &&
        record.wall_ms > copy->wall_ms) {
        copy->wall_ms = record.wall_ms;
    }
    return true;
}

enum weft_status
archive_recoveries(const struct archive *archive, struct span name,
                   const struct archive_recovery *after,
                   bool (*visit)(void *context, const struct archive_recovery *copy), void *context)
{
    struct recoveries recoveries = {.name = name, .visit = visit, .context = context};
    struct record_key behind;
    struct span from = name;
    if (after) {
        behind = record_key_recovery(after->document, &after->epoch, UINT64_MAX);
        from = record_key_span(&behind);
    }
    enum weft_status status =
        archive->store->scan(archive->store, STORE_RECOVERY, from, recoveries_visit, &recoveries);
    if (status == WEFT_OK && !recoveries.stopped) {
        flush(&recoveries);
    }
    return status;
}

// --------------------------------------------------------------------------------------- reading

struct rebuild {
    const struct archive *archive;
    struct span name;
    struct weft_epoch epoch; // that the copy is listed as
    struct weft_doc *doc;    // NULL: no part was read yet
    uint64_t parts;
    enum weft_status status;
};

static enum weft_status begin(struct rebuild *rebuild, const struct weft_epoch *epoch)
{
    struct weft_doc_options options = {
        .allocator = &rebuild->archive->allocator,
        .name = rebuild->name.data,
        .name_size = rebuild->name.size,
        .epoch = *epoch,
        .limits = rebuild->archive->limits,
    };
    return weft_doc_create(&rebuild->doc, &options);
}

static bool rebuild_visit(void *context, struct span key, struct span value)
{
    struct rebuild *rebuild = context;
    struct record_recovery record;
    struct weft_apply_result result;
    struct span document;
    struct weft_epoch epoch;
    uint64_t part;
    if (!record_key_recovery_decode(&document, &epoch, &part, key) ||
        !span_equal(document, rebuild->name) || weft_epoch_compare(&epoch, &rebuild->epoch) != 0) {
        return false;
    }
    rebuild->parts++;
    if (!value.data || record_recovery_decode(&record, value)) {
        return true;
    }
    if (!rebuild->doc) {
        rebuild->status = begin(rebuild, record.branch ? &record.epoch : &rebuild->epoch);
    }
    if (rebuild->status == WEFT_OK &&
        weft_doc_apply(&result, rebuild->doc, WEFT_APPLY_PARK, record.delta.data,
                       record.delta.size) == WEFT_NO_MEMORY) {
        rebuild->status = WEFT_NO_MEMORY;
    }
    return rebuild->status == WEFT_OK;
}

enum weft_status archive_load_recovery(struct weft_doc **doc_out, const struct archive *archive,
                                       struct span name, const struct weft_epoch *epoch)
{
    struct rebuild rebuild = {.archive = archive, .name = name, .epoch = *epoch};
    struct record_key from = record_key_recovery(name, epoch, 0);
    enum weft_status status = archive->store->scan(archive->store, STORE_RECOVERY,
                                                   record_key_span(&from), rebuild_visit, &rebuild);
    status = status ? status : rebuild.status;
    if (status == WEFT_OK && rebuild.parts == 0) {
        status = WEFT_NOT_FOUND;
    }
    if (status == WEFT_OK && !rebuild.doc) {
        status = begin(&rebuild, epoch); // all of its parts are damaged
    }
    if (status) {
        weft_doc_destroy(rebuild.doc);
        return status;
    }
    *doc_out = rebuild.doc;
    return WEFT_OK;
}
