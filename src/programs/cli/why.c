// SPDX-License-Identifier: MIT
#include "programs/cli/why.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

const struct history_run *why_run(const struct history *history, struct weft_id id)
{
    for (size_t i = 0; i < history->count; i++) {
        const struct history_run *run = &history->runs[i];
        if (run->agent == id.agent && id.seq >= run->seq && id.seq - run->seq < run->length)
            return run;
    }
    return NULL;
}

struct weft_id why_target(const struct history_run *run, struct weft_id id)
{
    uint64_t offset = id.seq - run->seq;
    uint64_t seq = run->backward ? run->target.seq - offset : run->target.seq + offset;
    return (struct weft_id){run->target.agent, seq};
}

bool why_greater(const struct why_element *a, const struct why_element *b)
{
    return a->lamport != b->lamport ? a->lamport > b->lamport : a->id.agent > b->id.agent;
}

static bool same(struct weft_id a, struct weft_id b)
{
    return a.agent == b.agent && a.seq == b.seq;
}

static struct why_element element_of(const struct history *history, const struct history_run *run,
                                     uint64_t offset)
{
    struct why_element element = {.id = {run->agent, run->seq + offset},
                                  .lamport = run->lamport + offset,
                                  .run = run,
                                  .offset = offset};
    struct span text = {history->text.data + run->text_offset, run->text_size};
    size_t at = 0;
    for (uint64_t i = 0; i < offset && at < text.size; i++)
        at += utf8_lead_size(text.data[at]);
    if (at < text.size) // else it was collected
        element.text = (struct span){text.data + at, utf8_lead_size(text.data[at])};
    return element;
}

/// @return whether there is such an element.
static bool find_element(struct why_element *element_out, const struct history *history,
                         struct weft_id id)
{
    const struct history_run *run = why_run(history, id);
    if (run == NULL || run->kind != WEFT_RUN_INSERT)
        return false;
    *element_out = element_of(history, run, id.seq - run->seq);
    return true;
}

// --------------------------------------------------------------------------------------- siblings

/// In document order: on the right the greater one stands first, on the left the smaller one.
static int compare_right(const void *a, const void *b)
{
    return why_greater(a, b) ? -1 : 1;
}

static int compare_left(const void *a, const void *b)
{
    return why_greater(a, b) ? 1 : -1;
}

static enum weft_status find_siblings(struct why *why)
{
    enum weft_status status = WEFT_OK;
    struct weft_id parent = why->has_parent ? why->parent.id : WEFT_ID_ROOT;
    const struct history *history = why->history;
    for (size_t i = 0; i < history->count && status == WEFT_OK; i++) {
        const struct history_run *run = &history->runs[i];
        bool begins = run->kind == WEFT_RUN_INSERT && run->left == why->left &&
                      same(run->target, parent) &&
                      !same((struct weft_id){run->agent, run->seq}, why->element.id);
        if (begins) {
            struct why_element sibling = element_of(history, run, 0);
            status = weft_buffer_append(&why->siblings, &sibling, sizeof(sibling));
        }
    }
    // What was typed on from the parent is its right child as well.
    const struct history_run *run = why->has_parent ? why->parent.run : NULL;
    uint64_t next = why->has_parent ? why->parent.offset + 1 : 0;
    if (status == WEFT_OK && run != NULL && !why->left && next < run->length &&
        !(why->element.run == run && why->element.offset == next)) {
        struct why_element sibling = element_of(history, run, next);
        status = weft_buffer_append(&why->siblings, &sibling, sizeof(sibling));
    }
    if (status == WEFT_OK && why->siblings.size > 0)
        qsort(why->siblings.data, why->siblings.size / sizeof(struct why_element),
              sizeof(struct why_element), why->left ? compare_left : compare_right);
    return status;
}

// ---------------------------------------------------------------------------------------- deletes

/// The atom of a run that names `target`. @return whether there is one.
static bool atom_on(struct why_atom *atom_out, const struct history_run *run, struct weft_id target)
{
    if (run->target.agent != target.agent)
        return false;
    uint64_t offset = run->backward ? run->target.seq - target.seq : target.seq - run->target.seq;
    if (offset >= run->length)
        return false;
    *atom_out = (struct why_atom){{run->agent, run->seq + offset}, run->lamport + offset, target};
    return true;
}

static enum weft_status find_atoms(struct weft_buffer *out, const struct history *history,
                                   uint8_t kind, struct weft_id target)
{
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < history->count && status == WEFT_OK; i++) {
        struct why_atom atom;
        if (history->runs[i].kind == kind && atom_on(&atom, &history->runs[i], target))
            status = weft_buffer_append(out, &atom, sizeof(atom));
    }
    return status;
}

static enum weft_status find_deletes(struct why *why)
{
    enum weft_status status =
        find_atoms(&why->deletes, why->history, WEFT_RUN_DELETE, why->element.id);
    const struct why_atom *deletes = (const void *)why->deletes.data;
    for (size_t i = 0; i < why->deletes.size / sizeof(*deletes) && status == WEFT_OK; i++)
        status = find_atoms(&why->undeletes, why->history, WEFT_RUN_UNDELETE, deletes[i].id);
    return status;
}

// ------------------------------------------------------------------------------------- neighbours

struct beside {
    struct weft_id wanted;
    struct weft_id before; // the last one so far
    struct weft_id after;
    bool any;
    bool found;
    bool ended;
};

static bool look_beside(void *context, const struct weft_span *span)
{
    struct beside *beside = context;
    if (beside->found) {
        beside->after = span->id;
        beside->ended = true;
        return false;
    }
    uint64_t offset = beside->wanted.seq - span->id.seq;
    if (span->id.agent == beside->wanted.agent && beside->wanted.seq >= span->id.seq &&
        offset < span->length) {
        beside->found = true;
        if (offset > 0) {
            beside->any = true;
            beside->before = (struct weft_id){span->id.agent, beside->wanted.seq - 1};
        }
        beside->ended = offset + 1 < span->length;
        beside->after = (struct weft_id){span->id.agent, beside->wanted.seq + 1};
        return !beside->ended;
    }
    beside->any = true;
    beside->before = (struct weft_id){span->id.agent, span->id.seq + span->length - 1};
    return true;
}

static void find_neighbours(struct why *why, const struct weft_doc *doc)
{
    struct beside beside = {.wanted = why->element.id};
    weft_doc_visit_spans(doc, look_beside, &beside);
    why->has_before = beside.any && find_element(&why->before, why->history, beside.before);
    why->has_after = beside.ended && find_element(&why->after, why->history, beside.after);
}

// ------------------------------------------------------------------------------------------- whole

enum weft_status why_init(struct why *why, const struct history *history,
                          const struct weft_doc *doc, struct weft_id id)
{
    memset(why, 0, sizeof(*why));
    why->history = history;
    weft_buffer_init(&why->siblings, NULL);
    weft_buffer_init(&why->deletes, NULL);
    weft_buffer_init(&why->undeletes, NULL);
    if (!find_element(&why->element, history, id) ||
        weft_doc_index_of(&why->index, &why->visible, doc, WEFT_SCALARS, id) != WEFT_OK)
        return WEFT_NOT_FOUND;
    const struct why_element *element = &why->element;
    struct weft_id parent = {element->id.agent, element->id.seq - 1};
    if (element->offset == 0)
        parent = element->run->target;
    why->left = element->offset == 0 && element->run->left;
    why->has_parent = find_element(&why->parent, history, parent);
    enum weft_status status = find_siblings(why);
    if (status == WEFT_OK)
        status = find_deletes(why);
    if (status == WEFT_OK)
        find_neighbours(why, doc);
    return status;
}

void why_finish(struct why *why)
{
    weft_buffer_finish(&why->siblings);
    weft_buffer_finish(&why->deletes);
    weft_buffer_finish(&why->undeletes);
}
