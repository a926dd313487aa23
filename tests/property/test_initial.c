// SPDX-License-Identifier: MIT
// Creation with a text is one edit, whoever does it and however often.
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/documents.h"

static const char name[] = "minutes";

static void random_options(struct property *property, struct weft_doc_options *options)
{
    *options = (struct weft_doc_options){
        .name = (const uint8_t *)name,
        .name_size = sizeof(name) - 1,
        .epoch.counter = random_below(&property->random, 3),
    };
    for (size_t i = 0; options->epoch.counter > 0 && i < sizeof(options->epoch.random); i++)
        options->epoch.random[i] = (uint8_t)random_next(&property->random);
}

Test(initial, two_replicas_that_create_one_text_apart_merge_to_it_once)
{
    for (struct property p = property_start("initial text", 150); property_next(&p);) {
        struct weft_doc_options options;
        random_options(&p, &options);
        struct replica a;
        struct replica b;
        replica_init(&p, &a, 21, &options);
        replica_init(&p, &b, 22, &options);
        struct weft_buffer text;
        weft_buffer_init(&text, NULL);
        uint64_t scalars = random_below(&p.random, random_permille(&p.random, 100) ? 30000 : 200);
        text_add_random(&text, &p.random, TEXT_MIXED, scalars);
        CHECK_OK(&p, weft_doc_insert_initial(a.doc, text.data, text.size));
        CHECK_OK(&p, weft_doc_insert_initial(b.doc, text.data, text.size));
        document_check_equal(&p, a.doc, b.doc);
        if (text.size > 0)
            CHECK(&p, weft_doc_insert_initial(a.doc, text.data, text.size) == WEFT_CONFLICT,
                  "a document that has operations cannot be created again");
        for (int i = 0; i < 5; i++) {
            replica_edit(&p, &a, TEXT_LATIN);
            replica_edit(&p, &b, TEXT_LATIN);
        }
        replica_pull(&p, a.doc, b.doc);
        replica_pull(&p, b.doc, a.doc);
        document_check_equal(&p, a.doc, b.doc);
        document_check_sound(&p, a.doc);
        uint64_t inserted = weft_doc_stats(a.doc).length + weft_doc_stats(a.doc).tombstones;
        CHECK(&p, inserted >= scalars && inserted < scalars + 5000,
              "the text is there once: %llu elements", (unsigned long long)inserted);
        struct weft_doc *late = replica_reload(&p, a.doc, &options);
        document_check_equal(&p, a.doc, late);
        weft_doc_destroy(late);
        weft_buffer_finish(&text);
        replica_finish(&a);
        replica_finish(&b);
    }
}

/// Applies all of `from` in deltas of at most `size_max` bytes to an empty document.
static void check_pieces(const struct property *property, const struct weft_doc *from,
                         size_t size_max)
{
    struct weft_doc_options options = {.name = (const uint8_t *)name,
                                       .name_size = sizeof(name) - 1};
    struct weft_delta_reader *reader = NULL;
    struct weft_doc *into = NULL;
    struct weft_buffer delta;
    CHECK_OK(property, weft_doc_create(&into, &options));
    CHECK_OK(property, weft_delta_reader_create(&reader, from, NULL, 0));
    weft_buffer_init(&delta, NULL);
    do {
        delta.size = 0;
        CHECK_OK(property, weft_delta_reader_next(&delta, reader, size_max));
        CHECK(property, delta.size <= size_max, "%zu bytes of %zu", delta.size, size_max);
        if (delta.size > 0)
            replica_apply(property, into, WEFT_APPLY_STRICT, delta.data, delta.size);
    } while (delta.size > 0);
    CHECK(property, weft_doc_length(into, WEFT_UTF8) == weft_doc_length(from, WEFT_UTF8),
          "in pieces of %zu bytes all of the text arrives", size_max);
    weft_buffer_finish(&delta);
    weft_delta_reader_destroy(reader);
    weft_doc_destroy(into);
}

Test(initial, a_text_in_pieces_arrives_whole_wherever_they_end)
{
    struct property p = property_start("initial text in pieces", 1);
    property_next(&p);
    struct replica a;
    struct weft_buffer text;
    // Three bytes for two elements: the second run of 16 KiB is two rows, as a page of text ends in
    // it; some of these pieces end within the few bytes where it only just fits, or does not.
    replica_init(
        &p, &a, 21,
        &(struct weft_doc_options){.name = (const uint8_t *)name, .name_size = sizeof(name) - 1});
    weft_buffer_init(&text, NULL);
    for (int i = 0; i < 12000; i++)
        CHECK_OK(&p, weft_buffer_append(&text, "a\xc3\xa9", 3));
    CHECK_OK(&p, weft_doc_insert_initial(a.doc, text.data, text.size));
    for (size_t size_max = 32 << 10; size_max < (32 << 10) + 512; size_max++)
        check_pieces(&p, a.doc, size_max);
    weft_buffer_finish(&text);
    replica_finish(&a);
}

/// A document with only an initial text.
static struct weft_doc *create(const struct property *property, const char *doc_name,
                               uint64_t epoch, const char *text)
{
    struct weft_doc_options options = {
        .name = (const uint8_t *)doc_name, .name_size = strlen(doc_name), .epoch.counter = epoch};
    struct weft_doc *doc = NULL;
    CHECK_OK(property, weft_doc_create(&doc, &options));
    CHECK_OK(property, weft_doc_insert_initial(doc, (const uint8_t *)text, strlen(text)));
    return doc;
}

Test(initial, another_name_epoch_or_text_is_another_edit)
{
    struct property p = property_start("initial text, others", 1);
    property_next(&p);
    static const struct {
        const char *name;
        uint64_t epoch;
        const char *text;
    } cases[] = {
        {"a", 0, "one"}, {"b", 0, "one"}, {"a", 1, "one"}, {"a", 0, "two"}, {"", 0, "one"},
    };
    enum { COUNT = sizeof(cases) / sizeof(cases[0]) };
    struct weft_doc *docs[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        docs[i] = create(&p, cases[i].name, cases[i].epoch, cases[i].text);
    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < i; j++) {
            struct weft_id first = {0, 0};
            struct weft_id second = {0, 0};
            CHECK_OK(&p, weft_doc_id_at(&first, docs[i], WEFT_SCALARS, 0));
            CHECK_OK(&p, weft_doc_id_at(&second, docs[j], WEFT_SCALARS, 0));
            CHECK(&p, (first.agent & WEFT_AGENT_RESERVED_BIT) != 0, "the class is reserved");
            CHECK(&p, first.agent != second.agent, "cases %zu and %zu have one agent", i, j);
        }
    for (size_t i = 0; i < COUNT; i++)
        weft_doc_destroy(docs[i]);
}
