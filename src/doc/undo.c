// SPDX-License-Identifier: MIT
// Undo and redo: steps of one agent's own operations.
#include <weft/undo.h>

#include <string.h>

#include "doc/doc_impl.h"

enum { PAUSE_MS = 500, STEPS_MAX = 1000 };

// Operations [first, end) of the agent.
struct undo_step {
    uint64_t first;
    uint64_t end;
};

struct weft_undo {
    struct weft_allocator allocator;
    uint64_t agent;
    uint64_t pause_ms;
    uint32_t steps_max;
    struct weft_buffer done; // struct undo_step each
    struct weft_buffer undone;
    uint64_t noted;        // seq up to which operations are in steps
    bool open;             // the last step may go on
    uint64_t time_ms;      // of the last edit
    struct weft_id anchor; // the element where it ended
};

enum weft_status weft_undo_create(struct weft_undo **undo_out, const struct weft_doc *doc,
                                  uint64_t agent, const struct weft_undo_options *options)
{
    static const struct weft_undo_options defaults = {0};
    options = options != NULL ? options : &defaults;
    struct weft_allocator allocator =
        options->allocator != NULL ? *options->allocator : weft_allocator_libc();
    struct weft_undo *undo = memory_alloc(&allocator, sizeof *undo);
    if (undo == NULL)
        return WEFT_NO_MEMORY;
    *undo = (struct weft_undo){
        .allocator = allocator,
        .agent = agent,
        .pause_ms = options->pause_ms != 0 ? options->pause_ms : PAUSE_MS,
        .steps_max = options->steps_max != 0 ? options->steps_max : STEPS_MAX,
        .noted = weft_doc_next_seq(doc, agent),
    };
    weft_buffer_init(&undo->done, &allocator);
    weft_buffer_init(&undo->undone, &allocator);
    *undo_out = undo;
    return WEFT_OK;
}

void weft_undo_destroy(struct weft_undo *undo)
{
    if (undo == NULL)
        return;
    weft_buffer_finish(&undo->done);
    weft_buffer_finish(&undo->undone);
    struct weft_allocator allocator = undo->allocator;
    memory_free(&allocator, undo, sizeof *undo);
}

// The element that an atom of the agent inserted or deleted.
static struct weft_id element_of(struct rga *rga, uint64_t agent, uint64_t seq)
{
    uint32_t index = agents_find(&rga->agents, agent);
    const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, index, (uint32_t)seq));
    if (op_kind(op) != WEFT_RUN_DELETE)
        return (struct weft_id){agent, seq};
    struct covers_range range = rga_deleted_range(op, (uint32_t)seq, (uint32_t)seq + 1);
    return (struct weft_id){agents_id(&rga->agents, range.agent), range.first};
}

// Whether an edit, from its first to its last element, goes on where the last one ended. What was
// typed there may stand before what was deleted there.
static bool is_near(const struct weft_undo *undo, const struct weft_doc *doc, struct weft_id first,
                    struct weft_id last)
{
    uint64_t start;
    uint64_t end;
    uint64_t before;
    bool last_visible;
    bool visible;
    if (weft_doc_index_of(&start, NULL, doc, WEFT_SCALARS, first) != WEFT_OK ||
        weft_doc_index_of(&end, &last_visible, doc, WEFT_SCALARS, last) != WEFT_OK ||
        weft_doc_index_of(&before, &visible, doc, WEFT_SCALARS, undo->anchor) != WEFT_OK)
        return false;
    return start == before + visible || (!visible && end + last_visible == before);
}

static struct undo_step *last_step(const struct weft_buffer *steps)
{
    struct undo_step *all = (void *)steps->data;
    return steps->size == 0 ? NULL : &all[steps->size / sizeof *all - 1];
}

enum weft_status weft_undo_note(struct weft_undo *undo, const struct weft_doc *doc, uint64_t now_ms)
{
    struct undo_step step = {undo->noted, weft_doc_next_seq(doc, undo->agent)};
    if (step.first >= step.end)
        return WEFT_OK;
    struct rga *rga = doc_rga(doc);
    struct weft_id last = element_of(rga, undo->agent, step.end - 1);
    bool on = undo->open && undo->done.size > 0 && now_ms - undo->time_ms <= undo->pause_ms &&
              is_near(undo, doc, element_of(rga, undo->agent, step.first), last);
    if (on) {
        last_step(&undo->done)->end = step.end;
    } else {
        enum weft_status status = weft_buffer_append(&undo->done, &step, sizeof step);
        if (status != WEFT_OK)
            return status;
    }
    if (undo->done.size / sizeof step > undo->steps_max) {
        undo->done.size -= sizeof step;
        memmove(undo->done.data, undo->done.data + sizeof step, undo->done.size);
    }
    undo->undone.size = 0;
    undo->noted = step.end;
    undo->open = true;
    undo->time_ms = now_ms;
    undo->anchor = last;
    return WEFT_OK;
}

// Inverts the last step of `from` that still shows; what that did becomes a step of `to`.
static enum weft_status invert_step(struct weft_buffer *delta_out, struct weft_undo *undo,
                                    struct weft_doc *doc, struct weft_buffer *from,
                                    struct weft_buffer *to)
{
    struct rga *rga = doc_rga(doc);
    enum weft_status status = rga_set_agent(rga, undo->agent);
    struct undo_step done = {.first = weft_doc_next_seq(doc, undo->agent)};
    done.end = done.first;
    undo->open = false;
    while (status == WEFT_OK && done.end == done.first) {
        const struct undo_step *step = last_step(from);
        if (step == NULL)
            return WEFT_NOT_FOUND;
        if (step->end > done.first)
            return WEFT_INVALID; // another document, which does not have it
        status = weft_buffer_reserve(to, sizeof done);
        if (status == WEFT_OK)
            status = rga_undo(rga, (uint32_t)step->first, (uint32_t)step->end);
        if (status == WEFT_COLLECTED)
            from->size -= sizeof done; // for ever: the step before it is the next
        if (status != WEFT_OK)
            return status;
        from->size -= sizeof done;
        done.end = weft_doc_next_seq(doc, undo->agent);
    }
    if (status == WEFT_OK)
        status = weft_buffer_append(to, &done, sizeof done);
    undo->noted = done.end;
    if (status == WEFT_OK)
        status = weft_doc_delta_own(delta_out, doc, undo->agent, done.first);
    return status;
}

enum weft_status weft_undo_undo(struct weft_buffer *delta_out, struct weft_undo *undo,
                                struct weft_doc *doc)
{
    undo->open = false; // what was not noted is a step of its own
    enum weft_status status = weft_undo_note(undo, doc, undo->time_ms);
    if (status != WEFT_OK)
        return status;
    return invert_step(delta_out, undo, doc, &undo->done, &undo->undone);
}

enum weft_status weft_undo_redo(struct weft_buffer *delta_out, struct weft_undo *undo,
                                struct weft_doc *doc)
{
    enum weft_status status = weft_undo_note(undo, doc, undo->time_ms);
    if (status != WEFT_OK)
        return status;
    return invert_step(delta_out, undo, doc, &undo->undone, &undo->done);
}
