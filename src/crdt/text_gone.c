// SPDX-License-Identifier: MIT
// The text store: elements whose text was collected, or never came.
#include "base/bits.h"
#include "crdt/text.h"

enum {
    ELEMENT_MASK = TEXT_PAGE_ELEMENTS - 1,
    SAMPLE_MASK = (1 << TEXT_SAMPLE_SHIFT) - 1,
    GONE_SIZE = TEXT_PAGE_ELEMENTS / 8,
    SAMPLES_SIZE = TEXT_SAMPLES * sizeof(struct text_sample),
};

// A sample is as long as a word of bits.
_Static_assert(1 << TEXT_SAMPLE_SHIFT == 64, "a word of bits begins where a sample does");

static uint32_t count_bits(uint64_t word)
{
    return (uint32_t)__builtin_popcountll(word);
}

struct text_sample text_seek_gone(const struct text_page *page, uint32_t element,
                                  uint32_t *offset_out)
{
    uint32_t sample = element >> TEXT_SAMPLE_SHIFT;
    struct text_sample at = page->samples[sample];
    uint32_t next = (sample + 1) << TEXT_SAMPLE_SHIFT;
    bool last = next >= page->elements;
    uint32_t end = last ? page->size : page->samples[sample + 1].offset;
    uint64_t all = last ? UINT64_MAX >> (next - page->elements) : UINT64_MAX;
    uint64_t here = all & ~page->gone[sample];
    uint32_t before = count_bits(here & ((UINT64_C(1) << (element & SAMPLE_MASK)) - 1));
    uint32_t offset = at.offset;
    if (end - offset == count_bits(here)) { // what is here is ASCII
        *offset_out = offset + before;
        return at;
    }
    for (; before > 0; before--) {
        uint32_t size = utf8_lead_size(page->data[offset]);
        at.astral += size == 4;
        offset += size;
    }
    *offset_out = offset;
    return at;
}

uint32_t text_count_gone(const struct text_page *page, uint32_t first, uint32_t length)
{
    uint32_t count = 0;
    for (uint32_t end = first + length; first < end;) {
        uint64_t word = page->gone[first / 64];
        count += count_bits(word & bits_take(&first, end));
    }
    return count;
}

uint32_t text_alike(const struct text *text, uint32_t iv, uint32_t length, bool *gone_out)
{
    const struct text_page *page = text_page(text, iv);
    uint32_t first = iv & ELEMENT_MASK;
    *gone_out = page->gone != NULL && bits_at(page->gone, first);
    return page->gone != NULL ? bits_alike(page->gone, first, first + length) : length;
}

// -------------------------------------------------------------------------------------- dropping

static bool page_add_gone(struct text *text, struct text_page *page)
{
    if (page->gone != NULL)
        return true;
    if (!text_page_add_samples(text, page))
        return false;
    page->gone = memory_alloc(&text->allocator, GONE_SIZE);
    if (page->gone != NULL)
        memset(page->gone, 0, GONE_SIZE);
    return page->gone != NULL;
}

// Whether some element with text is to lose it.
static bool page_is_met(const struct text_page *page, const uint64_t *bits)
{
    uint64_t met = 0;
    for (uint32_t i = 0; i << TEXT_SAMPLE_SHIFT < page->elements; i++)
        met |= bits[i] & ~(page->gone != NULL ? page->gone[i] : 0);
    return met != 0;
}

// Bytes that stay.
static uint32_t page_kept_size(const struct text_page *page, const uint64_t *bits)
{
    const uint8_t *from = page->data;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < page->elements; i++) {
        if (page->gone != NULL && bits_at(page->gone, i))
            continue;
        uint32_t size = utf8_lead_size(*from);
        kept += bits_at(bits, i) ? 0 : size;
        from += size;
    }
    return kept;
}

// The page without what is to go, into one that has room.
static void page_copy_kept(struct text_page *to, const struct text_page *page, const uint64_t *bits)
{
    const uint8_t *from = page->data;
    for (uint32_t i = 0; i < page->elements; i++) {
        if ((i & SAMPLE_MASK) == 0)
            to->samples[i >> TEXT_SAMPLE_SHIFT] =
                (struct text_sample){(uint16_t)to->size, (uint16_t)to->astral};
        bool gone = page->gone != NULL && bits_at(page->gone, i);
        uint32_t size = gone ? 0 : utf8_lead_size(*from);
        if (gone || bits_at(bits, i)) {
            bits_set(to->gone, i, i + 1);
        } else {
            memcpy(to->data + to->size, from, size);
            to->size += size;
            to->astral += size == 4;
        }
        from += size;
    }
}

static bool page_make_kept(struct text *text, struct text_page *to, const struct text_page *page,
                           const uint64_t *bits)
{
    uint32_t size = page_kept_size(page, bits);
    *to = (struct text_page){.elements = page->elements, .capacity = size > 0 ? size : 1};
    to->data = memory_alloc(&text->allocator, to->capacity);
    to->samples = memory_alloc(&text->allocator, SAMPLES_SIZE);
    to->gone = memory_alloc(&text->allocator, GONE_SIZE);
    if (to->data == NULL || to->samples == NULL || to->gone == NULL)
        return false;
    memset(to->gone, 0, GONE_SIZE);
    page_copy_kept(to, page, bits);
    return true;
}

static void page_free(struct text *text, struct text_page *page)
{
    memory_free(&text->allocator, page->data, page->capacity);
    memory_free(&text->allocator, page->samples, SAMPLES_SIZE);
    memory_free(&text->allocator, page->gone, GONE_SIZE);
}

// Counts what the pages hold.
static void recount(struct text *text)
{
    text->bytes = 0;
    text->astral = 0;
    text->gone = 0;
    for (uint32_t i = 0; i < text->page_count; i++) {
        const struct text_page *page = &text->pages[i];
        uint32_t gone = page->gone != NULL ? text_count_gone(page, 0, page->elements) : 0;
        text->bytes += page->size + gone;
        text->astral += page->astral;
        text->gone += gone;
    }
}

bool text_drop(struct text *text, const uint64_t *bits)
{
    size_t size = text->page_count * sizeof(struct text_page);
    struct text_page *made = size > 0 ? memory_alloc(&text->allocator, size) : NULL;
    if (made == NULL)
        return size == 0;
    memset(made, 0, size);
    bool ok = true;
    for (uint32_t i = 0; i < text->page_count && ok; i++) {
        const uint64_t *of_page = bits + ((size_t)i << TEXT_PAGE_SHIFT) / 64;
        if (text->pages[i].elements > 0 && page_is_met(&text->pages[i], of_page))
            ok = page_make_kept(text, &made[i], &text->pages[i], of_page);
    }
    for (uint32_t i = 0; i < text->page_count; i++) {
        if (made[i].elements == 0)
            continue;
        struct text_page old = ok ? text->pages[i] : made[i];
        if (ok)
            text->pages[i] = made[i];
        page_free(text, &old);
    }
    memory_free(&text->allocator, made, size);
    recount(text);
    return ok;
}

// ----------------------------------------------------------------------------- coming without text

bool text_reserve_gone(struct text *text, uint64_t elements)
{
    uint32_t first = text->length >> TEXT_PAGE_SHIFT;
    uint64_t end = (text->length + elements + ELEMENT_MASK) >> TEXT_PAGE_SHIFT;
    for (uint64_t i = first; i < end; i++) {
        if (!page_add_gone(text, &text->pages[i]))
            return false;
    }
    return true;
}

void text_append_gone(struct text *text, uint32_t elements)
{
    struct text_page *page = text_page(text, text->length);
    uint32_t end = page->elements + elements;
    assert(elements > 0 && elements <= text_room(text) && page->gone != NULL);
    for (uint32_t i = (page->elements + SAMPLE_MASK) & ~(uint32_t)SAMPLE_MASK; i < end;
         i += SAMPLE_MASK + 1)
        page->samples[i >> TEXT_SAMPLE_SHIFT] =
            (struct text_sample){(uint16_t)page->size, (uint16_t)page->astral};
    bits_set(page->gone, page->elements, end);
    page->elements = end;
    text->length += elements;
    text->bytes += elements;
    text->gone += elements;
}

// ------------------------------------------------------------------------------------ coming back

bool text_reserve_fill(struct text *text, uint64_t bytes, uint64_t appended)
{
    const uint64_t page_max = UINT64_C(4) * TEXT_PAGE_ELEMENTS;
    for (uint32_t i = 0; i < text->page_count && text->gone > 0; i++) {
        struct text_page *page = &text->pages[i];
        if (page->gone == NULL)
            continue;
        uint64_t most = UINT64_C(4) * text_count_gone(page, 0, page->elements);
        uint64_t wanted = page->size + (bytes < most ? bytes : most);
        if (i >= text->length >> TEXT_PAGE_SHIFT)
            wanted += appended;
        if (!text_page_reserve(text, page, (uint32_t)(wanted < page_max ? wanted : page_max)))
            return false;
    }
    return true;
}

void text_fill(struct text *text, uint32_t iv, uint32_t length, struct span utf8)
{
    struct text_page *page = text_page(text, iv);
    uint32_t first = iv & ELEMENT_MASK;
    uint32_t size = (uint32_t)utf8.size;
    uint32_t offset = page->size;
    uint32_t astral = page->astral;
    assert(size <= page->capacity - page->size);
    if (first < page->elements)
        astral = text_seek_gone(page, first, &offset).astral;
    memmove(page->data + offset + size, page->data + offset, page->size - offset);
    memcpy(page->data + offset, utf8.data, size);
    uint32_t before = astral;
    uint32_t at = offset;
    for (uint32_t i = first; i < first + length; i++) {
        if ((i & SAMPLE_MASK) == 0)
            page->samples[i >> TEXT_SAMPLE_SHIFT] =
                (struct text_sample){(uint16_t)at, (uint16_t)astral};
        uint32_t character = utf8_lead_size(page->data[at]);
        astral += character == 4;
        at += character;
    }
    uint32_t sample = (first + length + SAMPLE_MASK) >> TEXT_SAMPLE_SHIFT;
    for (; sample << TEXT_SAMPLE_SHIFT < page->elements; sample++) {
        page->samples[sample].offset = (uint16_t)(page->samples[sample].offset + size);
        page->samples[sample].astral = (uint16_t)(page->samples[sample].astral + astral - before);
    }
    bits_clear(page->gone, first, first + length);
    page->size += size;
    page->astral += astral - before;
    text->astral += astral - before;
    text->bytes += size - length;
    text->gone -= length;
}

void text_trim(struct text *text)
{
    for (uint32_t i = 0; i < text->page_count; i++) {
        struct text_page *page = &text->pages[i];
        uint32_t size = page->size > 0 ? page->size : 1;
        if (page->gone == NULL || page->capacity <= size)
            continue;
        uint8_t *data =
            text->allocator.resize(text->allocator.context, page->data, page->capacity, size);
        if (data == NULL)
            continue;
        page->data = data;
        page->capacity = size;
    }
}
