// SPDX-License-Identifier: MIT
#include "tests/support/past.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN_MAX = 300 }; // bytes of a text in a message

struct noting {
    const struct property *property;
    struct weft_buffer runs;
};

static bool note_run(void *context, const struct weft_blame_run *run)
{
    struct noting *noting = context;
    CHECK_OK(noting->property, weft_buffer_append(&noting->runs, run, sizeof(*run)));
    return true;
}

struct moment moment_make(const struct property *property, const struct weft_doc *doc)
{
    struct noting noting = {.property = property};
    weft_buffer_init(&noting.runs, NULL);
    CHECK_OK(property, weft_doc_visit_blame(doc, WEFT_UTF16, 0, weft_doc_length(doc, WEFT_UTF16),
                                            note_run, &noting));
    return (struct moment){.version = document_version(property, doc),
                           .text = document_text(property, doc),
                           .blame = noting.runs};
}

void moment_finish(struct moment *moment)
{
    weft_buffer_finish(&moment->version);
    weft_buffer_finish(&moment->text);
    weft_buffer_finish(&moment->blame);
}

bool past_same(struct weft_buffer a, struct weft_buffer b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/// What of a text a message may have.
static int shown_size(const struct weft_buffer *text)
{
    return text->size < SHOWN_MAX ? (int)text->size : SHOWN_MAX;
}

void past_check_same(const struct property *property, struct weft_buffer *got,
                     const struct weft_buffer *expected, const char *what)
{
    CHECK(property, past_same(*got, *expected), "%s: '%.*s' is not '%.*s'", what, shown_size(got),
          (const char *)got->data, shown_size(expected), (const char *)expected->data);
    weft_buffer_finish(got);
}

static uint64_t count(struct weft_buffer text, enum weft_unit unit)
{
    uint64_t rows_count;
    struct text_row *rows = text_rows(text.data, text.size, &rows_count);
    uint64_t units = rows[rows_count].at[unit];
    free(rows);
    return units;
}

void past_check_text(const struct property *property, const struct weft_doc *doc,
                     const struct moment *moment)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    CHECK_OK(property, weft_doc_text_at(&text, doc, moment->version.data, moment->version.size));
    past_check_same(property, &text, &moment->text, "text at a version");
    for (int unit = WEFT_SCALARS; unit <= WEFT_UTF8; unit++) {
        uint64_t length = UINT64_MAX;
        CHECK_OK(property, weft_doc_length_at(&length, doc, (enum weft_unit)unit,
                                              moment->version.data, moment->version.size));
        CHECK(property, length == count(moment->text, (enum weft_unit)unit),
              "length at a version in unit %d: %llu", unit, (unsigned long long)length);
    }
}

/// A difference, put together again.
struct apart {
    const struct property *property;
    enum weft_unit unit;
    struct weft_buffer before;
    struct weft_buffer after;
    uint64_t units_before; // of what is in `before`
    uint64_t units_after;
    const struct oracle *oracle; // elements in order, some of which are in neither text; or NULL
    size_t at;                   // in the oracle's elements
};

static bool take_span(void *context, const struct weft_diff_span *span)
{
    struct apart *apart = context;
    const struct property *property = apart->property;
    struct weft_buffer piece = {.data = (uint8_t *)(uintptr_t)span->text, .size = span->text_size};
    CHECK(property, span->length > 0 && count(piece, WEFT_SCALARS) == span->length, "a length");
    CHECK(property, count(piece, apart->unit) == span->units, "a length in units");
    CHECK(property, apart->units_before == span->index_before, "a place before");
    CHECK(property, apart->units_after == span->index_after, "a place after");
    if (span->kind != WEFT_DIFF_INSERTED) {
        CHECK_OK(property, weft_buffer_append(&apart->before, span->text, span->text_size));
        apart->units_before += span->units;
    }
    if (span->kind != WEFT_DIFF_DELETED) {
        CHECK_OK(property, weft_buffer_append(&apart->after, span->text, span->text_size));
        apart->units_after += span->units;
    }
    for (uint64_t i = 0; i < span->length && apart->oracle != NULL; i++) {
        const struct oracle *oracle = apart->oracle;
        while (apart->at < oracle->count &&
               (oracle->elements[apart->at].id.agent != span->id.agent ||
                oracle->elements[apart->at].id.seq != span->id.seq + i))
            apart->at++;
        CHECK(property, apart->at < oracle->count, "a span of elements out of order");
    }
    return true;
}

void past_check_diff(struct property *property, const struct weft_doc *doc,
                     const struct oracle *oracle, const struct moment *before,
                     const struct moment *after)
{
    struct apart apart = {.property = property,
                          .unit = (enum weft_unit)random_below(&property->random, 3),
                          .oracle = oracle};
    weft_buffer_init(&apart.before, NULL);
    weft_buffer_init(&apart.after, NULL);
    CHECK_OK(property,
             weft_doc_visit_diff(doc, apart.unit, before->version.data, before->version.size,
                                 after->version.data, after->version.size, take_span, &apart));
    past_check_same(property, &apart.before, &before->text, "the text before a difference");
    past_check_same(property, &apart.after, &after->text, "the text after a difference");
}

/// Authors of [first, end), held against the oracle's elements.
struct authors {
    const struct property *property;
    const struct oracle *oracle;
    const struct text_row *rows;
    enum weft_unit unit;
    size_t at; // in the oracle's elements
    uint64_t scalar;
    struct weft_id next; // that would go on with the last run
};

static void skip_invisible(struct authors *authors)
{
    while (authors->at < authors->oracle->count && authors->oracle->elements[authors->at].deleted)
        authors->at++;
}

static bool take_run(void *context, const struct weft_blame_run *run)
{
    struct authors *authors = context;
    const struct property *property = authors->property;
    const struct text_row *row = &authors->rows[authors->scalar];
    CHECK(property, run->length > 0 && run->index == row->at[authors->unit], "a place");
    CHECK(property, row[run->length].at[authors->unit] - run->index == run->units, "a length");
    CHECK(property, run->id.agent != authors->next.agent || run->id.seq != authors->next.seq,
          "two runs that are one");
    for (uint64_t i = 0; i < run->length; i++) {
        skip_invisible(authors);
        CHECK(property, authors->at < authors->oracle->count, "more than there is");
        const struct oracle_element *element = &authors->oracle->elements[authors->at++];
        CHECK(property, element->id.agent == run->id.agent && element->id.seq == run->id.seq + i,
              "of another author");
    }
    authors->scalar += run->length;
    authors->next = (struct weft_id){run->id.agent, run->id.seq + run->length};
    return true;
}

void past_check_blame(struct property *property, const struct weft_doc *doc,
                      const struct oracle *oracle, const struct weft_buffer *version,
                      const struct weft_buffer *text)
{
    uint64_t length;
    struct text_row *rows = text_rows(text->data, text->size, &length);
    bool whole = random_permille(&property->random, 300);
    uint64_t first = whole ? 0 : random_below(&property->random, length + 1);
    uint64_t end = whole ? length : random_between(&property->random, first, length);
    struct authors authors = {.property = property,
                              .oracle = oracle,
                              .rows = rows,
                              .unit = (enum weft_unit)random_below(&property->random, 3),
                              .scalar = first};
    for (uint64_t i = 0; i < first; i++) {
        skip_invisible(&authors);
        authors.at++;
    }
    uint64_t index = rows[first].at[authors.unit];
    uint64_t units = rows[end].at[authors.unit] - index;
    if (version == NULL)
        CHECK_OK(property,
                 weft_doc_visit_blame(doc, authors.unit, index, units, take_run, &authors));
    else
        CHECK_OK(property, weft_doc_visit_blame_at(doc, version->data, version->size, authors.unit,
                                                   index, units, take_run, &authors));
    CHECK(property, authors.scalar == end, "less than was asked for");
    free(rows);
}

void past_check_recorded_blame(const struct property *property, const struct weft_doc *doc,
                               const struct moment *moment)
{
    struct noting noting = {.property = property};
    uint64_t length;
    weft_buffer_init(&noting.runs, NULL);
    CHECK_OK(property, weft_doc_length_at(&length, doc, WEFT_UTF16, moment->version.data,
                                          moment->version.size));
    CHECK_OK(property, weft_doc_visit_blame_at(doc, moment->version.data, moment->version.size,
                                               WEFT_UTF16, 0, length, note_run, &noting));
    CHECK(property, past_same(noting.runs, moment->blame), "authors that are others than then");
    weft_buffer_finish(&noting.runs);
}

void past_check_oracle(struct property *property, const struct weft_doc *doc,
                       const struct weft_buffer *version)
{
    struct moment moment = {.version = *version};
    struct oracle oracle = oracle_collect_at(doc, version->data, version->size);
    weft_buffer_init(&moment.text, NULL);
    oracle_tree(&oracle);
    oracle_text(&moment.text, &oracle);
    past_check_text(property, doc, &moment);
    past_check_blame(property, doc, &oracle, version, &moment.text);
    weft_buffer_finish(&moment.text);
    oracle_finish(&oracle);
}
