// SPDX-License-Identifier: MIT
// The exports of undo: weft/undo.h.
#include "web/core/core.h"

/// @param pause_ms 0 means the default. Answers the handle.
enum weft_status CORE_EXPORT(undo_create)(const struct weft_doc *doc, uint64_t agent,
                                          uint32_t pause_ms);
enum weft_status undo_create(const struct weft_doc *doc, uint64_t agent, uint32_t pause_ms)
{
    struct weft_undo *undo = NULL;
    struct weft_undo_options options = {.pause_ms = pause_ms};
    return core_give_handle(weft_undo_create(&undo, doc, agent, &options), undo);
}

void CORE_EXPORT(undo_destroy)(struct weft_undo *undo);
void undo_destroy(struct weft_undo *undo)
{
    weft_undo_destroy(undo);
}

/// @param now_ms Of a clock that does not go back.
enum weft_status CORE_EXPORT(undo_note)(struct weft_undo *undo, const struct weft_doc *doc,
                                        double now_ms);
enum weft_status undo_note(struct weft_undo *undo, const struct weft_doc *doc, double now_ms)
{
    return weft_undo_note(undo, doc, (uint64_t)now_ms);
}

/// Answers a delta and patches.
enum weft_status CORE_EXPORT(undo_undo)(struct weft_undo *undo, struct weft_doc *doc);
enum weft_status undo_undo(struct weft_undo *undo, struct weft_doc *doc)
{
    core_patches_begin(doc);
    return core_patches_end(doc, core_give(weft_undo_undo(core_part(0), undo, doc)));
}

/// Answers a delta and patches.
enum weft_status CORE_EXPORT(undo_redo)(struct weft_undo *undo, struct weft_doc *doc);
enum weft_status undo_redo(struct weft_undo *undo, struct weft_doc *doc)
{
    core_patches_begin(doc);
    return core_patches_end(doc, core_give(weft_undo_redo(core_part(0), undo, doc)));
}
