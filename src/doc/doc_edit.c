// SPDX-License-Identifier: MIT
// A document: editing here.
#include "base/utf8.h"
#include "doc/diff.h"
#include "doc/doc_impl.h"

enum weft_status weft_doc_set_agent(struct weft_doc *doc, uint64_t agent)
{
    return rga_set_agent(doc_rga(doc), agent);
}

enum weft_status weft_doc_insert(struct weft_doc *doc, enum weft_unit unit, uint64_t index,
                                 const uint8_t *text, size_t text_size)
{
    return rga_insert(doc->unsettled, unit, index, (struct span){text, text_size});
}

enum weft_status weft_doc_delete(struct weft_doc *doc, enum weft_unit unit, uint64_t index,
                                 uint64_t length)
{
    return rga_delete(doc->unsettled, unit, index, length);
}

// One edit of a replacement. They come from the end of the text to its start.
struct replacement {
    uint64_t index; // scalars
    uint64_t deleted;
    const uint8_t *text;
    size_t text_size;
};

static enum weft_status collect(void *context, uint64_t index_scalars, uint64_t deleted_scalars,
                                const uint8_t *inserted, size_t inserted_size)
{
    struct weft_buffer *edits = context;
    struct replacement edit = {index_scalars, deleted_scalars, inserted, inserted_size};
    return weft_buffer_append(edits, &edit, sizeof edit);
}

static enum weft_status replace(struct rga *rga, const struct replacement *edits, size_t count)
{
    struct rga_batch batch = {.edits = count};
    for (size_t i = 0; i < count; i++) {
        struct utf8_counts counts;
        if (!utf8_count(&counts, (struct span){edits[i].text, edits[i].text_size}))
            return WEFT_MALFORMED;
        batch.deleted += edits[i].deleted;
        batch.elements += counts.scalars;
        batch.bytes += counts.bytes;
    }
    enum weft_status status = rga_batch_begin(rga, &batch);
    for (size_t i = 0; i < count && status == WEFT_OK; i++) {
        const struct replacement *edit = &edits[i];
        status = rga_delete(rga, WEFT_SCALARS, edit->index, edit->deleted);
        if (status == WEFT_OK)
            status = rga_insert(rga, WEFT_SCALARS, edit->index,
                                (struct span){edit->text, edit->text_size});
    }
    rga_batch_end(rga);
    return status;
}

enum weft_status weft_doc_replace_text(struct weft_doc *doc, const uint8_t *text, size_t text_size)
{
    struct weft_buffer old;
    struct weft_buffer edits;
    struct utf8_counts counts;
    struct span wanted = {text, text_size};
    if (!utf8_count(&counts, wanted))
        return WEFT_MALFORMED;
    weft_buffer_init(&old, &doc_rga(doc)->allocator);
    weft_buffer_init(&edits, &doc_rga(doc)->allocator);
    enum weft_status status = weft_doc_text(&old, doc);
    if (status == WEFT_OK)
        status = diff_texts(&doc_rga(doc)->allocator, (struct span){old.data, old.size}, wanted,
                            collect, &edits);
    if (status == WEFT_OK)
        status = replace(doc_rga(doc), (const void *)edits.data,
                         edits.size / sizeof(struct replacement));
    weft_buffer_finish(&edits);
    weft_buffer_finish(&old);
    return status;
}
