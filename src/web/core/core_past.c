// SPDX-License-Identifier: MIT
// The exports of history, of the complete module: weft/history.h, in UTF-16 units.
#include "web/core/core.h"

// What a visitor writes to; a full memory ends the visit.
struct visit {
    struct weft_buffer *out;
    enum weft_status status;
};

static void put_u32(struct visit *visit, uint64_t value)
{
    if (visit->status == WEFT_OK)
        visit->status = core_put_u32(visit->out, value);
}

static void put_u64(struct visit *visit, uint64_t value)
{
    if (visit->status == WEFT_OK)
        visit->status = core_put_u64(visit->out, value);
}

static enum weft_status give_visit(const struct visit *visit, enum weft_status status)
{
    return core_give(status == WEFT_OK ? visit->status : status);
}

/// Answers the text at a version.
enum weft_status CORE_EXPORT(doc_text_at)(const struct weft_doc *doc, const uint8_t *version,
                                          size_t size);
enum weft_status doc_text_at(const struct weft_doc *doc, const uint8_t *version, size_t size)
{
    return core_give(weft_doc_text_at(core_part(0), doc, version, size));
}

// u64 agent, seq | u32 kind, elements, units, index before, index after, text size | text. The size
// of text that was collected is UINT32_MAX.
static bool put_diff(void *context, const struct weft_diff_span *span)
{
    struct visit *visit = context;
    put_u64(visit, span->id.agent);
    put_u64(visit, span->id.seq);
    put_u32(visit, (uint64_t)span->kind);
    put_u32(visit, span->length);
    put_u32(visit, span->units);
    put_u32(visit, span->index_before);
    put_u32(visit, span->index_after);
    put_u32(visit, span->text == NULL ? UINT32_MAX : span->text_size);
    if (visit->status == WEFT_OK && span->text != NULL)
        visit->status = weft_buffer_append(visit->out, span->text, span->text_size);
    return visit->status == WEFT_OK;
}

/// Answers the spans of two versions, given one after the other.
enum weft_status CORE_EXPORT(doc_diff)(const struct weft_doc *doc, const uint8_t *versions,
                                       size_t before_size, size_t after_size);
enum weft_status doc_diff(const struct weft_doc *doc, const uint8_t *versions, size_t before_size,
                          size_t after_size)
{
    struct visit visit = {core_part(0), WEFT_OK};
    return give_visit(&visit,
                      weft_doc_visit_diff(doc, WEFT_UTF16, versions, before_size,
                                          versions + before_size, after_size, put_diff, &visit));
}

// u64 agent, seq | u32 elements, index, units.
static bool put_blame(void *context, const struct weft_blame_run *run)
{
    struct visit *visit = context;
    put_u64(visit, run->id.agent);
    put_u64(visit, run->id.seq);
    put_u32(visit, run->length);
    put_u32(visit, run->index);
    put_u32(visit, run->units);
    return visit->status == WEFT_OK;
}

/// Answers who wrote [index, index + length).
enum weft_status CORE_EXPORT(doc_blame)(const struct weft_doc *doc, uint32_t index,
                                        uint32_t length);
enum weft_status doc_blame(const struct weft_doc *doc, uint32_t index, uint32_t length)
{
    struct visit visit = {core_part(0), WEFT_OK};
    return give_visit(&visit,
                      weft_doc_visit_blame(doc, WEFT_UTF16, index, length, put_blame, &visit));
}

/// The same of all of the text at a version.
enum weft_status CORE_EXPORT(doc_blame_at)(const struct weft_doc *doc, const uint8_t *version,
                                           size_t size);
enum weft_status doc_blame_at(const struct weft_doc *doc, const uint8_t *version, size_t size)
{
    struct visit visit = {core_part(0), WEFT_OK};
    uint64_t length = 0;
    enum weft_status status = weft_doc_length_at(&length, doc, WEFT_UTF16, version, size);
    if (status == WEFT_OK)
        status =
            weft_doc_visit_blame_at(doc, version, size, WEFT_UTF16, 0, length, put_blame, &visit);
    return give_visit(&visit, status);
}

/// Answers patches.
enum weft_status CORE_EXPORT(doc_restore)(struct weft_doc *doc, const uint8_t *version,
                                          size_t size);
enum weft_status doc_restore(struct weft_doc *doc, const uint8_t *version, size_t size)
{
    core_patches_begin(doc);
    return core_patches_end(doc, weft_doc_restore(doc, version, size));
}
