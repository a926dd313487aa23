// SPDX-License-Identifier: MIT
// A document at a version: text, differences, authors, and back to it.
#include <weft/history.h>

#include "codec/version.h"
#include "crdt/filter.h"
#include "doc/doc_impl.h"

// What a version shows. filter_finish() follows when this is WEFT_OK.
static enum weft_status open_version(struct filter *filter, const struct weft_doc *doc,
                                     struct span version)
{
    struct version_reader reader;
    struct version_entry entry;
    enum weft_status status = version_check(version);
    if (status == WEFT_OK)
        status = version_reader_init(&reader, version);
    if (status != WEFT_OK)
        return status;
    if (!filter_init(filter, doc_rga(doc)))
        return WEFT_NO_MEMORY;
    while (status == WEFT_OK && version_reader_next(&reader, &entry) == WEFT_OK) {
        if (!filter_admit(filter, entry.agent, entry.next))
            status = WEFT_BEHIND;
    }
    if (status == WEFT_OK && !filter_build(filter))
        status = WEFT_NO_MEMORY;
    if (status != WEFT_OK)
        filter_finish(filter);
    return status;
}

static uint64_t units_of(const struct rga *rga, enum weft_unit unit, uint32_t iv, uint32_t length)
{
    return unit == WEFT_SCALARS ? length : text_weigh(&rga->text, iv, length).units[unit];
}

// Collected text counts as nothing in other units than scalars.
static enum weft_unit unit_of(const struct rga *rga, enum weft_unit unit)
{
    return rga->text.gone > 0 ? unit : text_unit(&rga->text, unit);
}

// ------------------------------------------------------------------------------------------- text

static uint64_t length_at(const struct filter *filter, enum weft_unit unit)
{
    uint64_t length = 0;
    struct filter_walk walk = filter_walk_start(filter, NULL);
    unit = unit_of(filter->rga, unit);
    if (filter->now)
        return filter->rga->tree.total.units[unit];
    for (struct filter_piece piece; filter_walk_next(&walk, &piece);) {
        if (piece.visible[0])
            length += units_of(filter->rga, unit, piece.iv, piece.length);
    }
    return length;
}

static enum weft_status append_text(struct weft_buffer *out, const struct filter *filter)
{
    struct filter_walk walk = filter_walk_start(filter, NULL);
    uint64_t size = length_at(filter, WEFT_UTF8);
    size_t before = out->size;
    enum weft_status status =
        size <= SIZE_MAX ? weft_buffer_reserve(out, (size_t)size) : WEFT_NO_MEMORY;
    for (struct filter_piece piece; status == WEFT_OK && filter_walk_next(&walk, &piece);) {
        if (!piece.visible[0])
            continue;
        struct span text = text_view(&filter->rga->text, piece.iv, piece.length);
        status = weft_buffer_append(out, text.data, text.size);
        if (text_lacks(&filter->rga->text, piece.iv, piece.length))
            status = WEFT_COLLECTED;
    }
    if (status != WEFT_OK)
        out->size = before;
    return status;
}

enum weft_status weft_doc_text_at(struct weft_buffer *out, const struct weft_doc *doc,
                                  const uint8_t *version, size_t size)
{
    struct filter filter;
    enum weft_status status = open_version(&filter, doc, (struct span){version, size});
    if (status != WEFT_OK)
        return status;
    status = append_text(out, &filter);
    filter_finish(&filter);
    return status;
}

enum weft_status weft_doc_length_at(uint64_t *length_out, const struct weft_doc *doc,
                                    enum weft_unit unit, const uint8_t *version, size_t size)
{
    struct filter filter;
    enum weft_status status = open_version(&filter, doc, (struct span){version, size});
    if (status != WEFT_OK)
        return status;
    *length_out = length_at(&filter, unit);
    filter_finish(&filter);
    return WEFT_OK;
}

enum weft_status weft_doc_restore(struct weft_doc *doc, const uint8_t *version, size_t size)
{
    struct filter filter;
    enum weft_status status = open_version(&filter, doc, (struct span){version, size});
    if (status != WEFT_OK)
        return status;
    status = rga_restore(doc_rga(doc), &filter);
    filter_finish(&filter);
    return status;
}

// ----------------------------------------------------------------------------- between two
// versions

static struct weft_id id_of(const struct rga *rga, const struct filter_piece *piece)
{
    return (struct weft_id){.agent = agents_id(&rga->agents, piece->op->agent),
                            .seq = piece->op->seq + (piece->iv - piece->op->iv)};
}

static enum weft_diff_kind kind_of(const struct filter_piece *piece)
{
    if (piece->visible[0])
        return piece->visible[1] ? WEFT_DIFF_KEPT : WEFT_DIFF_DELETED;
    return WEFT_DIFF_INSERTED;
}

// The span that grows, whose first element is `iv`.
struct comparing {
    const struct rga *rga;
    enum weft_unit unit;
    struct weft_diff_span span; // of length 0 before the first
    uint32_t iv;
    bool gone; // its text
    bool (*visit)(void *context, const struct weft_diff_span *span);
    void *context;
};

// Whether a piece goes on with the span: one author, one state, one piece of text.
static bool diff_continues(const struct comparing *diff, struct weft_id id,
                           enum weft_diff_kind kind, uint32_t iv, bool gone)
{
    const struct weft_diff_span *span = &diff->span;
    return span->length > 0 && span->kind == kind && diff->gone == gone &&
           span->id.agent == id.agent && span->id.seq + span->length == id.seq &&
           diff->iv + span->length == iv && diff->iv >> TEXT_PAGE_SHIFT == iv >> TEXT_PAGE_SHIFT;
}

// Hands the span out. @return false when no more are wanted.
static bool diff_show(struct comparing *diff)
{
    struct weft_diff_span *span = &diff->span;
    if (span->length == 0)
        return true;
    struct span text = {NULL, 0};
    if (!diff->gone)
        text = text_view(&diff->rga->text, diff->iv, (uint32_t)span->length);
    span->text = text.data;
    span->text_size = text.size;
    span->units = units_of(diff->rga, diff->unit, diff->iv, (uint32_t)span->length);
    bool more = diff->visit(diff->context, span);
    span->index_before += span->kind != WEFT_DIFF_INSERTED ? span->units : 0;
    span->index_after += span->kind != WEFT_DIFF_DELETED ? span->units : 0;
    span->length = 0;
    return more;
}

// Adds elements that all have their text or all do not. @return false when no more are wanted.
static bool diff_add(struct comparing *diff, const struct filter_piece *piece, bool gone)
{
    struct weft_id id = id_of(diff->rga, piece);
    enum weft_diff_kind kind = kind_of(piece);
    if (!diff_continues(diff, id, kind, piece->iv, gone)) {
        if (!diff_show(diff))
            return false;
        diff->span.kind = kind;
        diff->span.id = id;
        diff->iv = piece->iv;
        diff->gone = gone;
    }
    diff->span.length += piece->length;
    return true;
}

static void walk_diff(struct comparing *diff, const struct filter *before,
                      const struct filter *after)
{
    struct filter_walk walk = filter_walk_start(before, after);
    bool more = true;
    for (struct filter_piece piece; more && filter_walk_next(&walk, &piece);) {
        if (!piece.visible[0] && !piece.visible[1])
            continue;
        for (uint32_t left = piece.length; more && left > 0; left -= piece.length) {
            bool gone;
            piece.length = text_alike(&diff->rga->text, piece.iv, left, &gone);
            more = diff_add(diff, &piece, gone);
            piece.iv += piece.length;
        }
    }
    if (more)
        diff_show(diff);
}

enum weft_status
weft_doc_visit_diff(const struct weft_doc *doc, enum weft_unit unit, const uint8_t *before,
                    size_t before_size, const uint8_t *after, size_t after_size,
                    bool (*visit)(void *context, const struct weft_diff_span *span), void *context)
{
    const struct rga *rga = doc_rga(doc);
    struct filter filters[2];
    enum weft_status status = open_version(&filters[0], doc, (struct span){before, before_size});
    if (status != WEFT_OK)
        return status;
    status = open_version(&filters[1], doc, (struct span){after, after_size});
    if (status == WEFT_OK) {
        struct comparing diff = {
            .rga = rga, .unit = unit_of(rga, unit), .visit = visit, .context = context};
        walk_diff(&diff, &filters[0], &filters[1]);
        filter_finish(&filters[1]);
    }
    filter_finish(&filters[0]);
    return status;
}

// ---------------------------------------------------------------------------------------- authors

// Scalars before unit position `index` of a piece that begins at `units` and `scalars`, if it is
// there. @return false when it is inside of a character.
static bool note_position(const struct rga *rga, enum weft_unit unit,
                          const struct filter_piece *piece, uint64_t before, uint64_t scalars,
                          uint64_t index, uint64_t *scalars_out)
{
    uint64_t units = units_of(rga, unit, piece->iv, piece->length);
    bool exact = true;
    if (index < before || index > before + units)
        return true;
    *scalars_out = scalars + text_elements(&rga->text, unit, piece->iv, piece->length,
                                           (uint32_t)(index - before), &exact);
    return exact;
}

// Scalars [*first_out, *end_out) of units [index, end) at a version. @return false: there is none.
static bool find_range(const struct filter *filter, enum weft_unit unit, uint64_t index,
                       uint64_t end, uint64_t *first_out, uint64_t *end_out)
{
    const struct rga *rga = filter->rga;
    struct filter_walk walk = filter_walk_start(filter, NULL);
    uint64_t units = 0;
    uint64_t scalars = 0;
    *first_out = 0;
    *end_out = 0;
    for (struct filter_piece piece; units < end && filter_walk_next(&walk, &piece);) {
        if (!piece.visible[0])
            continue;
        if (!note_position(rga, unit, &piece, units, scalars, index, first_out) ||
            !note_position(rga, unit, &piece, units, scalars, end, end_out))
            return false;
        units += units_of(rga, unit, piece.iv, piece.length);
        scalars += piece.length;
    }
    return units >= end;
}

struct blame {
    const struct filter *filter;
    enum weft_unit unit;
    uint64_t first; // scalars
    uint64_t end;
    struct weft_blame_run run; // that grows; of length 0 before the first
    bool (*visit)(void *context, const struct weft_blame_run *run);
    void *context;
};

// Adds the visible piece to the run, or shows that and begins another.
static bool blame_piece(struct blame *blame, const struct filter_piece *piece)
{
    const struct rga *rga = blame->filter->rga;
    struct weft_blame_run *run = &blame->run;
    struct weft_id id = id_of(rga, piece);
    if (run->length > 0 && (run->id.agent != id.agent || run->id.seq + run->length != id.seq)) {
        if (!blame->visit(blame->context, run))
            return false;
        *run = (struct weft_blame_run){.index = run->index + run->units};
    }
    if (run->length == 0)
        run->id = id;
    run->length += piece->length;
    run->units += units_of(rga, blame->unit, piece->iv, piece->length);
    return true;
}

// @param walk Stands at or before the first scalar. @param scalars That stand before the walk.
static void walk_blame(struct blame *blame, struct filter_walk walk, uint64_t scalars)
{
    for (struct filter_piece piece; scalars < blame->end && filter_walk_next(&walk, &piece);) {
        if (!piece.visible[0])
            continue;
        uint64_t end = scalars + piece.length;
        if (end > blame->first) {
            uint32_t skipped = (uint32_t)(blame->first > scalars ? blame->first - scalars : 0);
            piece.length -= (uint32_t)(end > blame->end ? end - blame->end : 0) + skipped;
            piece.iv += skipped;
            if (!blame_piece(blame, &piece))
                return;
        }
        scalars = end;
    }
    if (blame->run.length > 0)
        blame->visit(blame->context, &blame->run);
}

enum weft_status
weft_doc_visit_blame(const struct weft_doc *doc, enum weft_unit unit, uint64_t index,
                     uint64_t length,
                     bool (*visit)(void *context, const struct weft_blame_run *run), void *context)
{
    struct filter now;
    filter_init_now(&now, doc_rga(doc));
    struct blame blame = {.filter = &now,
                          .unit = text_unit(&now.rga->text, unit),
                          .run = {.index = index},
                          .visit = visit,
                          .context = context};
    if (!doc_find_range(now.rga, blame.unit, index, length, &blame.first, &blame.end))
        return WEFT_RANGE;
    if (blame.first == blame.end)
        return WEFT_OK;
    uint32_t start;
    struct filter_walk walk = filter_walk_start(&now, NULL);
    walk.at = tree_seek(&now.rga->tree, &start, WEFT_SCALARS, (uint32_t)blame.first);
    walk_blame(&blame, walk, blame.first);
    return WEFT_OK;
}

enum weft_status
weft_doc_visit_blame_at(const struct weft_doc *doc, const uint8_t *version, size_t size,
                        enum weft_unit unit, uint64_t index, uint64_t length,
                        bool (*visit)(void *context, const struct weft_blame_run *run),
                        void *context)
{
    struct filter filter;
    enum weft_status status = open_version(&filter, doc, (struct span){version, size});
    if (status != WEFT_OK)
        return status;
    struct blame blame = {.filter = &filter,
                          .unit = unit_of(filter.rga, unit),
                          .run = {.index = index},
                          .visit = visit,
                          .context = context};
    if (length > UINT64_MAX - index ||
        !find_range(&filter, blame.unit, index, index + length, &blame.first, &blame.end))
        status = WEFT_RANGE;
    else
        walk_blame(&blame, filter_walk_start(&filter, NULL), 0);
    filter_finish(&filter);
    return status;
}

// -------------------------------------------------------------------------------------- collecting

enum weft_status weft_doc_collect(struct weft_collected *collected_out, struct weft_doc *doc,
                                  const uint8_t *version, size_t size)
{
    struct filter filter;
    struct rga_collected collected = {0};
    enum weft_status status = open_version(&filter, doc, (struct span){version, size});
    if (status != WEFT_OK)
        return status;
    status = rga_collect(doc_rga(doc), &filter, &collected);
    if (status == WEFT_OK)
        *collected_out = (struct weft_collected){collected.elements, collected.bytes};
    filter_finish(&filter);
    return status;
}

enum weft_status weft_doc_lacking(uint64_t *count_out, const struct weft_doc *doc)
{
    uint64_t count;
    if (!rga_count_lacking(doc_rga(doc), &count))
        return WEFT_NO_MEMORY;
    *count_out = count;
    return WEFT_OK;
}
