// SPDX-License-Identifier: MIT
// The exports that keep a document and look at it, of the complete module: the rest of weft/doc.h
// and weft/version.h.
#include <string.h>

#include "web/core/core.h"

/// @param snapshot Structure, text and tombs, one after the other. Answers the handle.
enum weft_status CORE_EXPORT(doc_load)(const uint8_t *name, size_t name_size,
                                       const uint8_t *snapshot, size_t structure_size,
                                       size_t text_size, size_t tombs_size);
enum weft_status doc_load(const uint8_t *name, size_t name_size, const uint8_t *snapshot,
                          size_t structure_size, size_t text_size, size_t tombs_size)
{
    struct weft_doc *doc = NULL;
    struct weft_doc_options options = {.name = name, .name_size = name_size};
    struct weft_snapshot parts = {
        .structure = snapshot,
        .structure_size = structure_size,
        .text = snapshot + structure_size,
        .text_size = text_size,
        .tombs = snapshot + structure_size + text_size,
        .tombs_size = tombs_size,
    };
    return core_give_handle(weft_doc_load(&doc, &parts, &options), doc);
}

/// Answers three parts: structure, text, tombs.
enum weft_status CORE_EXPORT(doc_snapshot)(const struct weft_doc *doc);
enum weft_status doc_snapshot(const struct weft_doc *doc)
{
    struct weft_buffer *structure = core_part(0);
    struct weft_buffer *text = core_part(1);
    return core_give(weft_doc_snapshot(structure, text, core_part(2), doc));
}

/// Answers CORE_EPOCH_SIZE bytes.
enum weft_status CORE_EXPORT(doc_epoch)(const struct weft_doc *doc);
enum weft_status doc_epoch(const struct weft_doc *doc)
{
    struct weft_epoch epoch = weft_doc_epoch(doc);
    struct weft_buffer *out = core_part(0);
    enum weft_status status = weft_buffer_reserve(out, CORE_EPOCH_SIZE);
    if (status == WEFT_OK)
        status = core_put_u64(out, __builtin_bswap64(epoch.counter));
    if (status == WEFT_OK)
        status = weft_buffer_append(out, epoch.random, sizeof epoch.random);
    return core_give(status);
}

/// Answers patches.
enum weft_status CORE_EXPORT(doc_replace_text)(struct weft_doc *doc, const uint8_t *text,
                                               size_t text_size);
enum weft_status doc_replace_text(struct weft_doc *doc, const uint8_t *text, size_t text_size)
{
    core_patches_begin(doc);
    return core_patches_end(doc, weft_doc_replace_text(doc, text, text_size));
}

enum weft_status CORE_EXPORT(doc_insert_initial)(struct weft_doc *doc, const uint8_t *text,
                                                 size_t text_size);
enum weft_status doc_insert_initial(struct weft_doc *doc, const uint8_t *text, size_t text_size)
{
    return weft_doc_insert_initial(doc, text, text_size);
}

static void append_chunk(void *context, const uint8_t *text, size_t size)
{
    (void)!weft_buffer_append(context, text, size); // room is reserved
}

/// Answers [index, index + length) as UTF-8.
enum weft_status CORE_EXPORT(doc_read)(const struct weft_doc *doc, uint32_t index, uint32_t length);
enum weft_status doc_read(const struct weft_doc *doc, uint32_t index, uint32_t length)
{
    struct weft_buffer *out = core_part(0);
    uint64_t bytes = weft_doc_length(doc, WEFT_UTF8);
    uint64_t most = UINT64_C(3) * length; // of a unit
    enum weft_status status = weft_buffer_reserve(out, (size_t)(most < bytes ? most : bytes));
    if (status == WEFT_OK)
        status = weft_doc_read(doc, WEFT_UTF16, index, length, append_chunk, out);
    return core_give(status);
}

/// Answers the numbers agent, seq.
enum weft_status CORE_EXPORT(doc_id_at)(const struct weft_doc *doc, uint32_t index);
enum weft_status doc_id_at(const struct weft_doc *doc, uint32_t index)
{
    struct weft_id id = {0};
    enum weft_status status = weft_doc_id_at(&id, doc, WEFT_UTF16, index);
    core_answer.numbers[0] = id.agent;
    core_answer.numbers[1] = id.seq;
    return status;
}

/// Answers the numbers index, whether it is visible.
enum weft_status CORE_EXPORT(doc_index_of)(const struct weft_doc *doc, uint64_t agent,
                                           uint64_t seq);
enum weft_status doc_index_of(const struct weft_doc *doc, uint64_t agent, uint64_t seq)
{
    bool visible = false;
    enum weft_status status = weft_doc_index_of(&core_answer.numbers[0], &visible, doc, WEFT_UTF16,
                                                (struct weft_id){agent, seq});
    core_answer.numbers[1] = visible;
    return status;
}

/// Answers the numbers visible elements, tombstones, atoms, runs, spans, agents, parked runs,
/// bytes.
void CORE_EXPORT(doc_stats)(const struct weft_doc *doc);
void doc_stats(const struct weft_doc *doc)
{
    struct weft_doc_stats stats = weft_doc_stats(doc);
    const uint64_t numbers[CORE_NUMBERS] = {stats.length,      stats.tombstones, stats.atoms,
                                            stats.runs,        stats.spans,      stats.agents,
                                            stats.parked_runs, stats.memory};
    memcpy(core_answer.numbers, numbers, sizeof numbers);
}

/// Answers 32 bytes, and the number next.
enum weft_status CORE_EXPORT(doc_chain)(struct weft_doc *doc, uint64_t agent);
enum weft_status doc_chain(struct weft_doc *doc, uint64_t agent)
{
    uint8_t chain[32];
    struct weft_buffer *out = core_part(0);
    enum weft_status status = weft_doc_chain(&core_answer.numbers[0], chain, doc, agent);
    if (status == WEFT_OK)
        status = weft_buffer_append(out, chain, sizeof chain);
    return core_give(status);
}

/// Answers the least vector that covers two, given one after the other.
enum weft_status CORE_EXPORT(version_merge)(const uint8_t *versions, size_t a_size, size_t b_size);
enum weft_status version_merge(const uint8_t *versions, size_t a_size, size_t b_size)
{
    return core_give(weft_version_merge(core_part(0), versions, a_size, versions + a_size, b_size));
}

/// Answers one English phrase.
void CORE_EXPORT(status_text)(enum weft_status status);
void status_text(enum weft_status status)
{
    const char *text = weft_status_text(status);
    core_answer.parts[0] = (struct core_view){(uint32_t)(uintptr_t)text, (uint32_t)strlen(text)};
}
