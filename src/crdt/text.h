// SPDX-License-Identifier: MIT
// The text store: every element that was ever inserted, as UTF-8, in order of arrival. An element's
// place in it is its *iv*, a number of this replica alone.
//
//   page 0: iv 0..16383        page 1: iv 16384..        A page holds a fixed count of elements, so
//   [ 16 KiB when ASCII ]      [ grows as needed ]       one that is all ASCII needs no index; any
//     samples: NULL              samples: at iv 0, 64,   other has the byte offset and the count of
//                                128, ... of the page    characters past U+FFFF at every 64th
//
// What is appended at once stays in one page (text_room() says how much fits), so that the text of
// a run is one piece of memory.
//
// Text can be dropped (text_gone.c): its elements keep their places and have no bytes. A page with
// such has a bit for each element and samples; a gone element counts as one byte in `text.bytes`,
// so that this is `text.length` exactly when all that is here is ASCII. May include: base.
#ifndef WEFT_CRDT_TEXT_H
#define WEFT_CRDT_TEXT_H

#include <assert.h>
#include <string.h>

#include <weft/doc.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/utf8.h"

enum {
#ifdef WEFT_SMALL_NODES // for tests: text of many pages
    TEXT_PAGE_SHIFT = 8,
#else
    TEXT_PAGE_SHIFT = 14,
#endif
    TEXT_PAGE_ELEMENTS = 1 << TEXT_PAGE_SHIFT,
    TEXT_SAMPLE_SHIFT = 6,
    TEXT_SAMPLES = TEXT_PAGE_ELEMENTS >> TEXT_SAMPLE_SHIFT,
};

/// Where every 64th element of a page begins.
struct text_sample {
    uint16_t offset; // bytes from the start of the page
    uint16_t astral; // characters past U+FFFF before it in the page
};

struct text_page {
    uint8_t *data;
    struct text_sample *samples; // TEXT_SAMPLES of them, or NULL while the page is all ASCII
    uint64_t *gone;              // a bit for each element without text; NULL: all have it
    uint32_t size;               // bytes in use
    uint32_t capacity;
    uint32_t elements;
    uint32_t astral;
};

/// How much text is, in each unit; indexed by enum weft_unit.
struct weight {
    uint32_t units[3];
};

struct text {
    struct text_page *pages;
    uint32_t page_count;
    uint32_t pages_capacity;
    uint32_t length; // elements
    uint32_t bytes;
    uint32_t astral; // characters past U+FFFF
    uint32_t gone;   // elements without text
    struct weft_allocator allocator;
};

/// Allocates nothing.
void text_init(struct text *text, const struct weft_allocator *allocator);
void text_finish(struct text *text);

/// Counts in so many ASCII characters, with which an empty store begins, before they are written.
/// Room must have been reserved.
void text_take_ascii(struct text *text, uint32_t elements);

/// text_reserve() when it is not plain that there is room.
bool text_grow(struct text *text, uint64_t elements, uint64_t bytes);
/// Notes where elements of the last page that are being counted in begin.
void text_index(struct text *text, uint32_t elements, uint32_t size);
/// text_weigh() in a page that is not all ASCII.
struct weight text_weigh_indexed(const struct text_page *page, uint32_t first, uint32_t length);

static inline struct text_page *text_page(const struct text *text, uint32_t iv)
{
    return &text->pages[iv >> TEXT_PAGE_SHIFT];
}

static inline bool text_page_is_ascii(const struct text_page *page)
{
    return page->size == page->elements && page->gone == NULL;
}

/// Elements that still fit into the page that text_append() would write to.
static inline uint32_t text_room(const struct text *text)
{
    return TEXT_PAGE_ELEMENTS - (text->length & (TEXT_PAGE_ELEMENTS - 1));
}

/// Makes room for so much more text. @return false, with the contents as they were, when there is
/// none.
static inline bool text_reserve(struct text *text, uint64_t elements, uint64_t bytes)
{
    if (bytes == elements && elements <= text_room(text) &&
        text->length >> TEXT_PAGE_SHIFT < text->page_count) {
        const struct text_page *page = text_page(text, text->length);
        if (bytes <= page->capacity - page->size)
            return true;
    }
    return text_grow(text, elements, bytes);
}

/// Counts in what was written behind the last element: valid UTF-8 of `elements` characters, at
/// most text_room() of them and one at least.
static inline void text_take(struct text *text, uint32_t elements, uint32_t size)
{
    struct text_page *page = text_page(text, text->length);
    assert(elements > 0 && elements <= text_room(text));
    assert(size <= page->capacity - page->size);
    if (page->samples != NULL)
        text_index(text, elements, size);
    page->size += size;
    page->elements += elements;
    text->bytes += size;
    text->length += elements;
}

/// Appends what is valid UTF-8 of `elements` characters, at most text_room() of them and one at
/// least. Room must have been reserved.
static inline void text_append(struct text *text, struct span utf8, uint32_t elements)
{
    struct text_page *page = text_page(text, text->length);
    assert(utf8.size <= page->capacity - page->size);
    if (utf8.size == 1)
        page->data[page->size] = utf8.data[0];
    else
        memcpy(page->data + page->size, utf8.data, utf8.size);
    text_take(text, elements, (uint32_t)utf8.size);
}

// ----------------------------------------------------------------------------------- text that
// goes

/// How many of `length` elements from `iv` on, in one page, are as the first one is.
/// @param gone_out Whether that has no text.
uint32_t text_alike(const struct text *text, uint32_t iv, uint32_t length, bool *gone_out);
/// Whether any of these elements, in one page, has no text.
static inline bool text_lacks(const struct text *text, uint32_t iv, uint32_t length)
{
    bool gone;
    return text->gone > 0 && (text_alike(text, iv, length, &gone) < length || gone);
}

/// Takes the text of all elements whose bit is set from memory.
/// @return false, with all as it was, when there is no memory.
bool text_drop(struct text *text, const uint64_t *bits);

/// What text_reserve() needs more before text_append_gone(), for so many elements in all.
bool text_reserve_gone(struct text *text, uint64_t elements);
/// Appends elements without text, at most text_room() and one at least. Room must have been
/// reserved, as if each had a byte.
void text_append_gone(struct text *text, uint32_t elements);

/// Makes room for so many bytes of text that comes back, wherever it was, besides `appended` bytes
/// behind the last element. @return false: none.
bool text_reserve_fill(struct text *text, uint64_t bytes, uint64_t appended);
/// Gives elements of one page, all gone, their text, which is `length` characters.
void text_fill(struct text *text, uint32_t iv, uint32_t length, struct span utf8);

/// Gives back what reservations left over in pages without all of their text.
void text_trim(struct text *text);

/// Byte offset of an element in its page, and the astral characters before it.
struct text_sample text_seek_gone(const struct text_page *page, uint32_t element,
                                  uint32_t *offset_out);
/// Of elements in one page that has some without text, how many those are.
uint32_t text_count_gone(const struct text_page *page, uint32_t first, uint32_t length);
/// Room for `bytes` in a page in all.
bool text_page_reserve(struct text *text, struct text_page *page, uint32_t bytes);
/// Gives a page samples. What is in it so far is ASCII, unless it has them.
bool text_page_add_samples(struct text *text, struct text_page *page);

/// Bytes of [iv, iv + length), which lie in one page: of those that have text. Borrowed until the
/// next append.
struct span text_view(const struct text *text, uint32_t iv, uint32_t length);

/// Counts [iv, iv + length), which lie in one page.
static inline struct weight text_weigh(const struct text *text, uint32_t iv, uint32_t length)
{
    const struct text_page *page = text_page(text, iv);
    if (text_page_is_ascii(page))
        return (struct weight){{length, length, length}};
    return text_weigh_indexed(page, iv & (TEXT_PAGE_ELEMENTS - 1), length);
}

/// Of elements [iv, iv + length) in one page, how many end at or before `units`.
/// @param exact_out Whether one ends right there.
uint32_t text_elements(const struct text *text, enum weft_unit unit, uint32_t iv, uint32_t length,
                       uint32_t units, bool *exact_out);

/// `unit` in which this text counts the same: the cheapest one.
static inline enum weft_unit text_unit(const struct text *text, enum weft_unit unit)
{
    if (text->bytes == text->length || (unit == WEFT_UTF16 && text->astral == 0))
        return WEFT_SCALARS;
    return unit;
}

#endif
