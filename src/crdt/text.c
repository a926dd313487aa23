// SPDX-License-Identifier: MIT
// The text store.
#include "crdt/text.h"

enum {
    ELEMENT_MASK = TEXT_PAGE_ELEMENTS - 1,
    PAGE_CAPACITY_MIN = 64, // bytes
    CHARACTER_SIZE_MAX = 4, // bytes
    SAMPLE_MASK = (1 << TEXT_SAMPLE_SHIFT) - 1,
};

void text_init(struct text *text, const struct weft_allocator *allocator)
{
    *text = (struct text){.allocator = *allocator};
}

static void page_finish(struct text *text, struct text_page *page)
{
    memory_free(&text->allocator, page->data, page->capacity);
    memory_free(&text->allocator, page->samples,
                page->samples != NULL ? TEXT_SAMPLES * sizeof page->samples[0] : 0);
    memory_free(&text->allocator, page->gone, TEXT_PAGE_ELEMENTS / 8);
}

void text_finish(struct text *text)
{
    for (uint32_t i = 0; i < text->page_count; i++)
        page_finish(text, &text->pages[i]);
    memory_free(&text->allocator, text->pages, text->pages_capacity * sizeof text->pages[0]);
    text_init(text, &text->allocator);
}

// Room for `bytes` in all. A page that is about to be full gets no more than it needs.
bool text_page_reserve(struct text *text, struct text_page *page, uint32_t bytes)
{
    if (bytes <= page->capacity)
        return true;
    uint32_t wanted = page->capacity + page->capacity / 2;
    if (wanted < PAGE_CAPACITY_MIN)
        wanted = PAGE_CAPACITY_MIN;
    if (text_page_is_ascii(page) && wanted > TEXT_PAGE_ELEMENTS)
        wanted = TEXT_PAGE_ELEMENTS;
    if (wanted < bytes)
        wanted = bytes;
    uint8_t *data =
        text->allocator.resize(text->allocator.context, page->data, page->capacity, wanted);
    if (data == NULL)
        return false;
    page->data = data;
    page->capacity = wanted;
    return true;
}

// What is in the page so far is ASCII.
bool text_page_add_samples(struct text *text, struct text_page *page)
{
    if (page->samples != NULL)
        return true;
    page->samples = memory_alloc(&text->allocator, TEXT_SAMPLES * sizeof page->samples[0]);
    if (page->samples == NULL)
        return false;
    for (uint32_t i = 0; i << TEXT_SAMPLE_SHIFT < page->elements; i++)
        page->samples[i] = (struct text_sample){.offset = (uint16_t)(i << TEXT_SAMPLE_SHIFT)};
    return true;
}

bool text_grow(struct text *text, uint64_t elements, uint64_t bytes)
{
    if (elements == 0)
        return true;
    if (bytes > UINT32_MAX - text->bytes)
        return false;
    uint64_t more = bytes - elements; // bytes past one a character
    uint32_t index = text->length >> TEXT_PAGE_SHIFT;
    uint64_t pages = ((text->length + elements + ELEMENT_MASK) >> TEXT_PAGE_SHIFT);
    if (!memory_grow(&text->allocator, (void **)&text->pages, &text->pages_capacity, pages,
                     sizeof text->pages[0]))
        return false;
    while (text->page_count < pages)
        text->pages[text->page_count++] = (struct text_page){0};
    uint64_t room = text_room(text);
    for (uint64_t left = elements; left > 0; index++) {
        struct text_page *page = &text->pages[index];
        uint64_t here = left < room ? left : room;
        uint64_t size = here + more;
        if (size > here * CHARACTER_SIZE_MAX)
            size = here * CHARACTER_SIZE_MAX;
        if (!text_page_reserve(text, page, page->size + (uint32_t)size))
            return false;
        if (more > 0 && !text_page_add_samples(text, page))
            return false;
        left -= here;
        room = TEXT_PAGE_ELEMENTS;
    }
    return true;
}

void text_take_ascii(struct text *text, uint32_t elements)
{
    assert(text->length == 0);
    for (uint32_t left = elements; left > 0;) {
        struct text_page *page = text_page(text, text->length);
        uint32_t here = left < TEXT_PAGE_ELEMENTS ? left : TEXT_PAGE_ELEMENTS;
        assert(here <= page->capacity && page->samples == NULL);
        page->size = here;
        page->elements = here;
        text->length += here;
        left -= here;
    }
    text->bytes = elements;
}

static void page_set_sample(struct text_page *page, uint32_t element, uint32_t offset)
{
    page->samples[element >> TEXT_SAMPLE_SHIFT] = (struct text_sample){
        .offset = (uint16_t)offset,
        .astral = (uint16_t)page->astral,
    };
}

// Every 64th element begins a sample; characters past U+FFFF are counted.
void text_index(struct text *text, uint32_t elements, uint32_t size)
{
    struct text_page *page = text_page(text, text->length);
    uint32_t element = page->elements;
    uint32_t end = element + elements;
    uint32_t offset = page->size;
    if (size == elements) { // ASCII
        for (uint32_t i = (element + SAMPLE_MASK) & ~SAMPLE_MASK; i < end; i += SAMPLE_MASK + 1)
            page_set_sample(page, i, offset + (i - element));
        return;
    }
    uint32_t astral = page->astral;
    for (; element < end; element++) {
        if ((element & SAMPLE_MASK) == 0)
            page_set_sample(page, element, offset);
        uint32_t lead_size = utf8_lead_size(page->data[offset]);
        page->astral += lead_size == 4;
        offset += lead_size;
    }
    text->astral += page->astral - astral;
}

// Byte offset of an element in its page, and the astral characters before it.
static struct text_sample page_seek(const struct text_page *page, uint32_t element,
                                    uint32_t *offset_out)
{
    if (text_page_is_ascii(page)) {
        *offset_out = element;
        return (struct text_sample){0};
    }
    if (element == page->elements) {
        *offset_out = page->size;
        return (struct text_sample){.astral = (uint16_t)page->astral};
    }
    if (page->gone != NULL)
        return text_seek_gone(page, element, offset_out);
    uint32_t sample = element >> TEXT_SAMPLE_SHIFT;
    struct text_sample at = page->samples[sample];
    uint32_t offset = at.offset;
    uint32_t first = sample << TEXT_SAMPLE_SHIFT;
    uint32_t next = first + SAMPLE_MASK + 1;
    bool last = next >= page->elements;
    uint32_t end = last ? page->size : page->samples[sample + 1].offset;
    uint32_t elements = last ? page->elements - first : SAMPLE_MASK + 1;
    if (end - offset == elements) { // ASCII from this sample to the next
        *offset_out = offset + (element - first);
        return at;
    }
    for (uint32_t i = element & SAMPLE_MASK; i > 0; i--) {
        uint32_t size = utf8_lead_size(page->data[offset]);
        at.astral += size == 4;
        offset += size;
    }
    *offset_out = offset;
    return at;
}

struct span text_view(const struct text *text, uint32_t iv, uint32_t length)
{
    const struct text_page *page = text_page(text, iv);
    uint32_t first = iv & ELEMENT_MASK;
    uint32_t start;
    uint32_t end;
    page_seek(page, first, &start);
    page_seek(page, first + length, &end);
    return (struct span){.data = page->data + start, .size = end - start};
}

struct weight text_weigh_indexed(const struct text_page *page, uint32_t first, uint32_t length)
{
    uint32_t start;
    uint32_t end;
    struct text_sample from = page_seek(page, first, &start);
    struct text_sample to = page_seek(page, first + length, &end);
    struct weight weight;
    weight.units[WEFT_SCALARS] = length;
    weight.units[WEFT_UTF8] = end - start;
    weight.units[WEFT_UTF16] = length + (uint16_t)(to.astral - from.astral);
    if (page->gone != NULL)
        weight.units[WEFT_UTF16] -= text_count_gone(page, first, length);
    return weight;
}

uint32_t text_elements(const struct text *text, enum weft_unit unit, uint32_t iv, uint32_t length,
                       uint32_t units, bool *exact_out)
{
    // The greatest count whose weight is at most `units`, by bisection over text_weigh().
    uint32_t low = 0;
    uint32_t high = length;
    if (unit == WEFT_SCALARS) {
        *exact_out = true;
        return units;
    }
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (text_weigh(text, iv, middle).units[unit] <= units)
            low = middle;
        else
            high = middle - 1;
    }
    *exact_out = text_weigh(text, iv, low).units[unit] == units;
    return low;
}
