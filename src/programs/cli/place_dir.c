// SPDX-License-Identifier: MIT
// Documents of a data directory, read beside whoever writes there, or of one at rest.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "codec/wire.h"
#include "programs/cli/place.h"

int place_dir_open(struct place *place)
{
    struct store_lmdb_options options = {.path = place->text, .read_only = true};
    char error[STORE_LMDB_ERROR_BYTES];
    enum weft_status status = store_lmdb_open(&place->store, &options, error);
    if (status != WEFT_OK) {
        enum exit_code code = status == WEFT_NOT_FOUND ? EXIT_REFUSED : place_code(status);
        bool named = strstr(error, place->text) != NULL;
        return complain(code, "%s%s%s", named ? "" : place->text, named ? "" : ": ", error);
    }
    place->archive.store = store_lmdb_port(place->store);
    place->archive.allocator = weft_allocator_libc();
    return EXIT_FINE;
}

static void release(struct place *place)
{
    place->archive.store->release(place->archive.store);
}

static void format_epoch(char *text_out, const struct weft_epoch *epoch)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    wire_epoch_encode(bytes, epoch);
    hex_format(text_out, bytes, sizeof(bytes));
}

static int load(struct place *place, const char *name, struct weft_doc **doc_out,
                struct times *times)
{
    struct archive_head head;
    enum weft_status status =
        archive_load(doc_out, &head, &place->archive, span_of_text(name), NULL, 0, times);
    if (status != WEFT_OK)
        return complain(place_code(status), "%s: document \"%s\": %s", place->text, name,
                        weft_status_text(status));
    if (weft_doc_stats(*doc_out).atoms > 0)
        return EXIT_FINE;
    weft_doc_destroy(*doc_out);
    return complain(EXIT_DIFFERENT, "%s: there is no document \"%s\"", place->text, name);
}

int place_dir_doc(struct place *place, const char *name, struct weft_doc **doc_out,
                  struct times *times)
{
    int code = load(place, name, doc_out, times);
    release(place);
    return code;
}

int place_dir_text(struct place *place, const char *name, struct weft_buffer *text_out)
{
    struct weft_doc *doc;
    int code = place_dir_doc(place, name, &doc, NULL);
    if (code != EXIT_FINE)
        return code;
    if (weft_doc_text(text_out, doc) != WEFT_OK)
        code = complain(EXIT_REFUSED, "out of memory");
    weft_doc_destroy(doc);
    return code;
}

// ------------------------------------------------------------------------------------------- lists

/// Which document a journal entry is of, by a hash of its name: one too many does no harm.
struct tail {
    uint64_t hash;
    uint64_t number;
};

/// A directory as it stands in one view.
struct listing {
    struct place *place;
    struct tail *tails; // sorted
    size_t tail_count;
    size_t tail_capacity;
    const char *prefix;
    void (*visit)(void *context, const struct place_document *document);
    void *context;
    enum weft_status status;
};

static uint64_t hash_of(struct span name)
{
    return XXH3_64bits(name.data, name.size);
}

static bool add_tail(void *context, uint64_t number, const struct record_entry *entry,
                     struct span value)
{
    struct listing *listing = context;
    (void)value;
    if (entry == NULL)
        return true; // damaged; weft check names it
    if (listing->tail_count == listing->tail_capacity) {
        size_t capacity = listing->tail_capacity > 0 ? 2 * listing->tail_capacity : 1024;
        struct tail *tails = realloc(listing->tails, capacity * sizeof(*tails));
        if (tails == NULL) {
            listing->status = WEFT_NO_MEMORY;
            return false;
        }
        listing->tails = tails;
        listing->tail_capacity = capacity;
    }
    listing->tails[listing->tail_count++] = (struct tail){hash_of(entry->document), number};
    return true;
}

static int compare_tails(const void *a, const void *b)
{
    const struct tail *x = a;
    const struct tail *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

/// The numbers of a document's journal entries. @return how many, or SIZE_MAX without memory.
static size_t numbers_of(uint64_t **numbers_out, const struct listing *listing, struct span name)
{
    uint64_t hash = hash_of(name);
    size_t low = 0;
    size_t high = listing->tail_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (listing->tails[middle].hash < hash)
            low = middle + 1;
        else
            high = middle;
    }
    size_t end = low;
    while (end < listing->tail_count && listing->tails[end].hash == hash)
        end++;
    *numbers_out = malloc((end - low + 1) * sizeof(**numbers_out));
    if (*numbers_out == NULL)
        return SIZE_MAX;
    for (size_t i = low; i < end; i++)
        (*numbers_out)[i - low] = listing->tails[i].number;
    return end - low;
}

/// Loads a document to see what it is now. @return whether it is there.
static bool look_at(struct place_document *row, const struct listing *listing, struct span name,
                    const uint64_t *numbers, size_t count)
{
    struct archive_head head;
    struct weft_doc *doc;
    struct weft_digest digest;
    enum weft_status status =
        archive_load(&doc, &head, &listing->place->archive, name, numbers, count, NULL);
    row->damaged = status != WEFT_OK;
    if (row->damaged)
        return true;
    bool there = weft_doc_stats(doc).atoms > 0 && weft_doc_digest(&digest, doc) == WEFT_OK;
    if (there) {
        format_epoch(row->epoch, &head.epoch);
        hex_format(row->digest, digest.bytes, sizeof(digest.bytes));
        row->length = weft_doc_length(doc, WEFT_SCALARS);
    }
    weft_doc_destroy(doc);
    return there;
}

static bool list_one(void *context, struct span name, const struct archive_head *head)
{
    struct listing *listing = context;
    struct place_document row = {.damaged = head == NULL};
    uint64_t *numbers;
    size_t count = numbers_of(&numbers, listing, name);
    if (count == SIZE_MAX) {
        listing->status = WEFT_NO_MEMORY;
        return false;
    }
    snprintf(row.name, sizeof(row.name), "%.*s", (int)name.size, (const char *)name.data);
    bool there = true;
    bool merged =
        head != NULL && head->current && (count == 0 || numbers[count - 1] <= head->through);
    if (merged) {
        there = head->atoms > 0;
        format_epoch(row.epoch, &head->epoch);
        hex_format(row.digest, head->digest.bytes, sizeof(head->digest.bytes));
        row.length = head->length;
    } else if (head != NULL) {
        there = look_at(&row, listing, name, numbers, count);
    }
    row.numbers = numbers;
    row.number_count = count;
    if (there)
        listing->visit(listing->context, &row);
    free(numbers);
    return true;
}

int place_dir_list(struct place *place, const char *prefix,
                   void (*visit)(void *context, const struct place_document *document),
                   void *context)
{
    struct listing listing = {
        .place = place, .prefix = prefix, .visit = visit, .context = context, .status = WEFT_OK};
    enum weft_status status = archive_journal(&place->archive, 0, add_tail, &listing);
    if (status == WEFT_OK && listing.status == WEFT_OK) {
        if (listing.tail_count > 0)
            qsort(listing.tails, listing.tail_count, sizeof(*listing.tails), compare_tails);
        status = archive_list(&place->archive, (struct span){NULL, 0}, span_of_text(prefix),
                              list_one, &listing);
    }
    release(place);
    free(listing.tails);
    status = status != WEFT_OK ? status : listing.status;
    if (status != WEFT_OK)
        return complain(place_code(status), "%s: %s", place->text, weft_status_text(status));
    return EXIT_FINE;
}

// -------------------------------------------------------------------------------------- recoveries

struct recovery_visit {
    void (*visit)(void *context, const struct place_recovery *recovery);
    void *context;
};

static bool visit_recovery(void *context, const struct archive_recovery *copy)
{
    struct recovery_visit *visit = context;
    struct place_recovery recovery = {
        .parts = copy->parts, .bytes = copy->bytes, .wall_ms = copy->wall_ms};
    snprintf(recovery.document, sizeof(recovery.document), "%.*s", (int)copy->document.size,
             (const char *)copy->document.data);
    format_epoch(recovery.epoch, &copy->epoch);
    visit->visit(visit->context, &recovery);
    return true;
}

int place_dir_recoveries(struct place *place, const char *document,
                         void (*visit)(void *context, const struct place_recovery *recovery),
                         void *context)
{
    struct recovery_visit wrapped = {visit, context};
    struct span name = document != NULL ? span_of_text(document) : (struct span){NULL, 0};
    enum weft_status status =
        archive_recoveries(&place->archive, name, NULL, visit_recovery, &wrapped);
    release(place);
    if (status != WEFT_OK)
        return complain(place_code(status), "%s: %s", place->text, weft_status_text(status));
    return EXIT_FINE;
}

int place_dir_recovery_text(struct place *place, const char *document, const char *epoch,
                            struct weft_buffer *text_out)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    struct weft_doc *doc;
    (void)hex_parse(bytes, sizeof(bytes), epoch); // place_recovery_text() has seen that it is hex
    struct weft_epoch lost = wire_epoch_decode(bytes);
    enum weft_status status =
        archive_load_recovery(&doc, &place->archive, span_of_text(document), &lost);
    release(place);
    if (status != WEFT_OK)
        return complain(place_code(status), "%s: recovery copy of \"%s\": %s", place->text,
                        document, weft_status_text(status));
    status = weft_doc_text(text_out, doc);
    weft_doc_destroy(doc);
    return status == WEFT_OK ? EXIT_FINE : complain(EXIT_REFUSED, "out of memory");
}
