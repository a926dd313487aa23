// SPDX-License-Identifier: MIT
// The module's answer, its memory, and patches.
#include "web/core/core.h"

#include <stddef.h>

_Static_assert(sizeof(void *) == 4, "a handle is a u32");
_Static_assert(offsetof(struct core_answer, numbers) == 40, "core.js reads it there");

struct core_answer core_answer;

static struct weft_buffer parts[CORE_PARTS];
static struct weft_buffer patches;

// The last patch may grow while nothing else has happened.
static struct {
    size_t start;    // of the last patch, in bytes
    uint64_t end;    // where its text ends in the document; UINT64_MAX: it cannot grow
    uint64_t length; // of the document after it
} last;

// -------------------------------------------------------------------------------------- the memory

struct core_answer *CORE_EXPORT(answer)(void);
struct core_answer *answer(void)
{
    return &core_answer;
}

/// Allocates when `old` is NULL, frees when `size` is 0. @return 0 when there is no memory.
void *CORE_EXPORT(resize)(void *old, size_t size);
void *resize(void *old, size_t size)
{
    struct weft_allocator allocator = weft_allocator_libc();
    return allocator.resize(allocator.context, old, 0, size);
}

static void drop(struct weft_buffer *buffer)
{
    weft_buffer_finish(buffer);
    weft_buffer_init(buffer, NULL);
}

/// Gives back what the last answer took, which may be much.
void CORE_EXPORT(forget)(void);
void forget(void)
{
    for (unsigned i = 0; i < CORE_PARTS; i++)
        drop(&parts[i]);
    drop(&patches);
}

struct weft_buffer *core_part(unsigned index)
{
    struct weft_buffer *part = &parts[index];
    if (part->allocator.resize == NULL)
        weft_buffer_init(part, NULL);
    part->size = 0;
    return part;
}

static struct core_view view_of(const struct weft_buffer *buffer)
{
    return (struct core_view){(uint32_t)(uintptr_t)buffer->data, (uint32_t)buffer->size};
}

enum weft_status core_give(enum weft_status status)
{
    for (unsigned i = 0; i < CORE_PARTS; i++)
        core_answer.parts[i] = view_of(&parts[i]);
    return status;
}

enum weft_status core_give_handle(enum weft_status status, const void *handle)
{
    if (status == WEFT_OK)
        core_answer.handle = (uint32_t)(uintptr_t)handle;
    return status;
}

enum weft_status core_put_u32(struct weft_buffer *out, uint64_t value)
{
    uint32_t number = (uint32_t)value;
    return weft_buffer_append(out, &number, sizeof number);
}

enum weft_status core_put_u64(struct weft_buffer *out, uint64_t value)
{
    return weft_buffer_append(out, &value, sizeof value);
}

// --------------------------------------------------------------------------------------- patches

// UTF-16 units before a scalar of the text as it is now.
static uint64_t utf16_index(const struct weft_doc *doc, uint64_t index, uint64_t length)
{
    struct weft_id id;
    uint64_t scalars = weft_doc_length(doc, WEFT_SCALARS);
    if (scalars == length)
        return index;
    if (index >= scalars || weft_doc_id_at(&id, doc, WEFT_SCALARS, index) != WEFT_OK ||
        weft_doc_index_of(&index, NULL, doc, WEFT_UTF16, id) != WEFT_OK)
        return length;
    return index;
}

static uint64_t utf16_units(const uint8_t *text, size_t size)
{
    uint64_t units = 0;
    for (size_t i = 0; i < size; i++)
        units += ((text[i] & 0xc0) != 0x80) + (text[i] >= 0xf0);
    return units;
}

// The size of the last patch's text, in place.
static uint32_t *last_text_size(void)
{
    return (uint32_t *)(void *)(patches.data + last.start + 8);
}

static void note_patch(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                       size_t text_size)
{
    const struct weft_doc *doc = context;
    uint64_t length = weft_doc_length(doc, WEFT_UTF16);
    uint64_t inserted = utf16_units(text, text_size);
    uint64_t gone = last.length + inserted - length;
    last.length = length;
    index = utf16_index(doc, index, length);
    if (gone == 0 && index == last.end) {
        if (weft_buffer_append(&patches, text, text_size) != WEFT_OK)
            core_answer.patches_lost = 1;
        else
            *last_text_size() += (uint32_t)text_size;
        last.end += inserted;
        return;
    }
    // Each patch begins at a multiple of 4: what is before it is filled up.
    while (patches.size % 4 != 0)
        if (weft_buffer_append(&patches, "", 1) != WEFT_OK)
            break;
    last.start = patches.size;
    last.end = deleted == 0 ? index + inserted : UINT64_MAX;
    if (core_put_u32(&patches, index) != WEFT_OK || core_put_u32(&patches, gone) != WEFT_OK ||
        core_put_u32(&patches, text_size) != WEFT_OK ||
        weft_buffer_append(&patches, text, text_size) != WEFT_OK) {
        core_answer.patches_lost = 1;
        last.end = UINT64_MAX;
    }
}

void core_patches_begin(struct weft_doc *doc)
{
    if (patches.allocator.resize == NULL)
        weft_buffer_init(&patches, NULL);
    patches.size = 0;
    core_answer.patches_lost = 0;
    last.end = UINT64_MAX;
    last.length = weft_doc_length(doc, WEFT_UTF16);
    weft_doc_observe(doc, note_patch, doc);
}

enum weft_status core_patches_end(struct weft_doc *doc, enum weft_status status)
{
    weft_doc_observe(doc, NULL, NULL);
    core_answer.patches = view_of(&patches);
    return status;
}
