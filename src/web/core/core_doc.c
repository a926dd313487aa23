// SPDX-License-Identifier: MIT
// The exports that editing a document with others takes: weft/doc.h, with positions in UTF-16
// units.
#include <string.h>

#include "web/core/core.h"

enum {
    APPLY_STRICT = 1, // what lacks its causes is not kept aside
    APPLY_PATCHES = 2,
};

/// @param epoch CORE_EPOCH_SIZE bytes, as on the wire, or NULL for the first. Answers the handle.
enum weft_status CORE_EXPORT(doc_create)(const uint8_t *name, size_t name_size,
                                         const uint8_t *epoch);
enum weft_status doc_create(const uint8_t *name, size_t name_size, const uint8_t *epoch)
{
    struct weft_doc *doc = NULL;
    struct weft_doc_options options = {.name = name, .name_size = name_size};
    if (epoch != NULL) {
        memcpy(&options.epoch.counter, epoch, sizeof options.epoch.counter);
        options.epoch.counter = __builtin_bswap64(options.epoch.counter);
        memcpy(options.epoch.random, epoch + 8, sizeof options.epoch.random);
    }
    return core_give_handle(weft_doc_create(&doc, &options), doc);
}

void CORE_EXPORT(doc_destroy)(struct weft_doc *doc);
void doc_destroy(struct weft_doc *doc)
{
    weft_doc_destroy(doc);
}

// --------------------------------------------------------------------------------------- editing

enum weft_status CORE_EXPORT(doc_set_agent)(struct weft_doc *doc, uint64_t agent);
enum weft_status doc_set_agent(struct weft_doc *doc, uint64_t agent)
{
    return weft_doc_set_agent(doc, agent);
}

enum weft_status CORE_EXPORT(doc_insert)(struct weft_doc *doc, uint32_t index, const uint8_t *text,
                                         size_t text_size);
enum weft_status doc_insert(struct weft_doc *doc, uint32_t index, const uint8_t *text,
                            size_t text_size)
{
    return weft_doc_insert(doc, WEFT_UTF16, index, text, text_size);
}

/// One key: a scalar of the basic plane. No bytes need to be handed over for it.
enum weft_status CORE_EXPORT(doc_insert_key)(struct weft_doc *doc, uint32_t index, uint32_t scalar);
enum weft_status doc_insert_key(struct weft_doc *doc, uint32_t index, uint32_t scalar)
{
    uint8_t text[3] = {(uint8_t)scalar};
    size_t size = 1;
    if (scalar >= 0x800) {
        text[0] = (uint8_t)(0xe0 | scalar >> 12);
        text[1] = (uint8_t)(0x80 | (scalar >> 6 & 0x3f));
        text[2] = (uint8_t)(0x80 | (scalar & 0x3f));
        size = 3;
    } else if (scalar >= 0x80) {
        text[0] = (uint8_t)(0xc0 | scalar >> 6);
        text[1] = (uint8_t)(0x80 | (scalar & 0x3f));
        size = 2;
    }
    return weft_doc_insert(doc, WEFT_UTF16, index, text, size);
}

enum weft_status CORE_EXPORT(doc_delete)(struct weft_doc *doc, uint32_t index, uint32_t length);
enum weft_status doc_delete(struct weft_doc *doc, uint32_t index, uint32_t length)
{
    return weft_doc_delete(doc, WEFT_UTF16, index, length);
}

// --------------------------------------------------------------------------------------- reading

/// UTF-16 units.
uint32_t CORE_EXPORT(doc_length)(const struct weft_doc *doc);
uint32_t doc_length(const struct weft_doc *doc)
{
    return (uint32_t)weft_doc_length(doc, WEFT_UTF16);
}

/// Answers the whole text as UTF-8.
enum weft_status CORE_EXPORT(doc_text)(const struct weft_doc *doc);
enum weft_status doc_text(const struct weft_doc *doc)
{
    return core_give(weft_doc_text(core_part(0), doc));
}

/// Answers the numbers agent, seq of a cursor. @param side enum weft_side.
enum weft_status CORE_EXPORT(doc_cursor_at)(const struct weft_doc *doc, uint32_t index,
                                            uint32_t side);
enum weft_status doc_cursor_at(const struct weft_doc *doc, uint32_t index, uint32_t side)
{
    struct weft_cursor cursor = {0};
    enum weft_status status =
        weft_doc_cursor_at(&cursor, doc, WEFT_UTF16, index, side != 0 ? WEFT_AFTER : WEFT_BEFORE);
    core_answer.numbers[0] = cursor.id.agent;
    core_answer.numbers[1] = cursor.id.seq;
    return status;
}

/// Answers the number index.
enum weft_status CORE_EXPORT(doc_cursor_index)(const struct weft_doc *doc, uint64_t agent,
                                               uint64_t seq, uint32_t side);
enum weft_status doc_cursor_index(const struct weft_doc *doc, uint64_t agent, uint64_t seq,
                                  uint32_t side)
{
    struct weft_cursor cursor = {{agent, seq}, side != 0 ? WEFT_AFTER : WEFT_BEFORE};
    return weft_doc_cursor_index(&core_answer.numbers[0], doc, WEFT_UTF16, cursor);
}

// ----------------------------------------------------------------------------------- replication

/// Answers patches, if asked for, and the numbers atoms applied, runs duplicate, parked, missing
/// and invalid, the reason, agent and seq of the first invalid atom. @param mode Of APPLY_*.
enum weft_status CORE_EXPORT(doc_apply)(struct weft_doc *doc, uint32_t mode, const uint8_t *delta,
                                        size_t size);
enum weft_status doc_apply(struct weft_doc *doc, uint32_t mode, const uint8_t *delta, size_t size)
{
    struct weft_apply_result result = {0};
    if ((mode & APPLY_PATCHES) != 0)
        core_patches_begin(doc);
    enum weft_status status = weft_doc_apply(
        &result, doc, (mode & APPLY_STRICT) != 0 ? WEFT_APPLY_STRICT : WEFT_APPLY_PARK, delta,
        size);
    const uint64_t numbers[CORE_NUMBERS] = {
        result.atoms_applied, result.runs_duplicate,   result.runs_parked,   result.runs_missing,
        result.runs_invalid,  (uint64_t)result.reason, result.invalid.agent, result.invalid.seq};
    memcpy(core_answer.numbers, numbers, sizeof numbers);
    return core_patches_end(doc, status);
}

/// Answers the version vector.
enum weft_status CORE_EXPORT(doc_version)(const struct weft_doc *doc);
enum weft_status doc_version(const struct weft_doc *doc)
{
    return core_give(weft_doc_version(core_part(0), doc));
}

uint64_t CORE_EXPORT(doc_next_seq)(const struct weft_doc *doc, uint64_t agent);
uint64_t doc_next_seq(const struct weft_doc *doc, uint64_t agent)
{
    return weft_doc_next_seq(doc, agent);
}

/// Answers a delta, empty when the version lacks nothing.
enum weft_status CORE_EXPORT(doc_delta_since)(const struct weft_doc *doc, const uint8_t *version,
                                              size_t size);
enum weft_status doc_delta_since(const struct weft_doc *doc, const uint8_t *version, size_t size)
{
    return core_give(weft_doc_delta_since(core_part(0), doc, version, size));
}

/// Answers a delta, empty when there is nothing.
enum weft_status CORE_EXPORT(doc_delta_own)(const struct weft_doc *doc, uint64_t agent,
                                            uint64_t seq_from);
enum weft_status doc_delta_own(const struct weft_doc *doc, uint64_t agent, uint64_t seq_from)
{
    return core_give(weft_doc_delta_own(core_part(0), doc, agent, seq_from));
}

/// Answers the handle. It must be destroyed before the document is.
enum weft_status CORE_EXPORT(reader_create)(const struct weft_doc *doc, const uint8_t *version,
                                            size_t size);
enum weft_status reader_create(const struct weft_doc *doc, const uint8_t *version, size_t size)
{
    struct weft_delta_reader *reader = NULL;
    return core_give_handle(weft_delta_reader_create(&reader, doc, version, size), reader);
}

/// Answers a delta of at most so many bytes, empty at the end.
enum weft_status CORE_EXPORT(reader_next)(struct weft_delta_reader *reader, size_t size_max);
enum weft_status reader_next(struct weft_delta_reader *reader, size_t size_max)
{
    return core_give(weft_delta_reader_next(core_part(0), reader, size_max));
}

void CORE_EXPORT(reader_destroy)(struct weft_delta_reader *reader);
void reader_destroy(struct weft_delta_reader *reader)
{
    weft_delta_reader_destroy(reader);
}

/// Answers 16 bytes.
enum weft_status CORE_EXPORT(doc_digest)(struct weft_doc *doc);
enum weft_status doc_digest(struct weft_doc *doc)
{
    struct weft_digest digest;
    struct weft_buffer *out = core_part(0);
    enum weft_status status = weft_doc_digest(&digest, doc);
    if (status == WEFT_OK)
        status = weft_buffer_append(out, digest.bytes, sizeof digest.bytes);
    return core_give(status);
}

/// Compares two version vectors, one after the other. Answers the number enum weft_order.
enum weft_status CORE_EXPORT(version_compare)(const uint8_t *versions, size_t a_size,
                                              size_t b_size);
enum weft_status version_compare(const uint8_t *versions, size_t a_size, size_t b_size)
{
    enum weft_order order = WEFT_ORDER_EQUAL;
    enum weft_status status =
        weft_version_compare(&order, versions, a_size, versions + a_size, b_size);
    core_answer.numbers[0] = (uint64_t)order;
    return status;
}
