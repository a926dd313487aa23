// SPDX-License-Identifier: MIT
// A document's past: text at a version, differences, authors, and back to it.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <weft/history.h>
#include <weft/undo.h>
#include <weft/version.h>

#include "tests/support/allocator.h"
#include "tests/support/deltas.h"

/// A version, as bytes.
struct at {
    uint8_t bytes[64];
    size_t size;
};

static struct weft_doc *doc_make(uint64_t agent)
{
    struct weft_doc *doc = NULL;
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(doc, agent), WEFT_OK);
    return doc;
}

static void insert(struct weft_doc *doc, uint64_t index, const char *text)
{
    cr_assert_eq(weft_doc_insert(doc, WEFT_SCALARS, index, (const uint8_t *)text, strlen(text)),
                 WEFT_OK);
}

static void delete (struct weft_doc *doc, uint64_t index, uint64_t length)
{
    cr_assert_eq(weft_doc_delete(doc, WEFT_SCALARS, index, length), WEFT_OK);
}

static struct at now(const struct weft_doc *doc)
{
    struct at at = {.size = 0};
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    cr_assert_eq(weft_doc_version(&version, doc), WEFT_OK);
    cr_assert_leq(version.size, sizeof(at.bytes));
    memcpy(at.bytes, version.data, version.size);
    at.size = version.size;
    weft_buffer_finish(&version);
    return at;
}

static void pull(struct weft_doc *into, const struct weft_doc *from)
{
    struct at have = now(into);
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_delta_since(&delta, from, have.bytes, have.size), WEFT_OK);
    if (delta.size > 0)
        cr_assert_eq(weft_doc_apply(&result, into, WEFT_APPLY_STRICT, delta.data, delta.size),
                     WEFT_OK);
    weft_buffer_finish(&delta);
}

static void check_bytes(struct weft_buffer *got, const char *expected)
{
    cr_assert(got->size == strlen(expected) &&
                  (got->size == 0 || memcmp(got->data, expected, got->size) == 0),
              "'%.*s' is not '%s'", (int)got->size, (const char *)got->data, expected);
    weft_buffer_finish(got);
}

static void check_text(const struct weft_doc *doc, const char *expected)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    cr_assert_eq(weft_doc_text(&text, doc), WEFT_OK);
    check_bytes(&text, expected);
    cr_assert_null(weft_doc_check(doc), "%s", weft_doc_check(doc));
}

static void check_text_at(const struct weft_doc *doc, struct at at, const char *expected)
{
    struct weft_buffer text;
    uint64_t length = 0;
    weft_buffer_init(&text, NULL);
    cr_assert_eq(weft_doc_text_at(&text, doc, at.bytes, at.size), WEFT_OK);
    check_bytes(&text, expected);
    cr_assert_eq(weft_doc_length_at(&length, doc, WEFT_UTF8, at.bytes, at.size), WEFT_OK);
    cr_assert_eq(length, strlen(expected));
}

/// A row of words that a visitor appends to.
struct words {
    char text[1024];
    size_t size;
    int visits_max;
    int visits;
};

__attribute__((format(printf, 2, 3))) static bool say(struct words *words, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    words->size += (size_t)vsnprintf(words->text + words->size, sizeof(words->text) - words->size,
                                     format, arguments);
    va_end(arguments);
    cr_assert_lt(words->size, sizeof(words->text));
    return ++words->visits != words->visits_max;
}

static bool say_span(void *context, const struct weft_diff_span *span)
{
    return say(context, "%c%llu:%llu@%llu,%llu+%llu'%.*s' ", "=+-"[span->kind],
               (unsigned long long)span -> id.agent, (unsigned long long)span->id.seq,
               (unsigned long long)span->index_before, (unsigned long long)span->index_after,
               (unsigned long long)span->units, (int)span->text_size, (const char *)span->text);
}

static bool say_run(void *context, const struct weft_blame_run *run)
{
    return say(context, "%llu:%llu*%llu@%llu+%llu ", (unsigned long long)run->id.agent,
               (unsigned long long)run->id.seq, (unsigned long long)run->length,
               (unsigned long long)run->index, (unsigned long long)run->units);
}

static void check_diff(const struct weft_doc *doc, enum weft_unit unit, struct at before,
                       struct at after, const char *expected)
{
    struct words words = {.size = 0};
    cr_assert_eq(weft_doc_visit_diff(doc, unit, before.bytes, before.size, after.bytes, after.size,
                                     say_span, &words),
                 WEFT_OK);
    cr_assert_str_eq(words.text, expected);
}

static void check_blame(const struct weft_doc *doc, enum weft_unit unit, uint64_t index,
                        uint64_t length, const char *expected)
{
    struct words words = {.size = 0};
    cr_assert_eq(weft_doc_visit_blame(doc, unit, index, length, say_run, &words), WEFT_OK);
    cr_assert_str_eq(words.text, expected);
}

static void check_blame_at(const struct weft_doc *doc, struct at at, enum weft_unit unit,
                           uint64_t index, uint64_t length, const char *expected)
{
    struct words words = {.size = 0};
    cr_assert_eq(
        weft_doc_visit_blame_at(doc, at.bytes, at.size, unit, index, length, say_run, &words),
        WEFT_OK);
    cr_assert_str_eq(words.text, expected);
}

static const struct at nothing = {.size = 0};

Test(history, text_at_a_version_is_the_text_that_was_there)
{
    struct weft_doc *doc = doc_make(1);
    check_text_at(doc, nothing, "");
    insert(doc, 0, "hello");
    struct at first = now(doc);
    delete (doc, 1, 3);
    struct at second = now(doc);
    insert(doc, 1, "\xc3\xa4 \xf0\x9f\x98\x80");
    struct at third = now(doc);
    check_text_at(doc, nothing, "");
    check_text_at(doc, first, "hello");
    check_text_at(doc, second, "ho");
    check_text_at(doc, third, "h\xc3\xa4 \xf0\x9f\x98\x80o");
    uint64_t length = 0;
    cr_assert_eq(weft_doc_length_at(&length, doc, WEFT_UTF16, third.bytes, third.size), WEFT_OK);
    cr_assert_eq(length, 6);
    cr_assert_eq(weft_doc_length_at(&length, doc, WEFT_UTF16, second.bytes, second.size), WEFT_OK);
    cr_assert_eq(length, 2);
    weft_doc_destroy(doc);
}

Test(history, a_version_counts_only_the_undeletes_that_are_in_it)
{
    struct weft_doc *a = doc_make(1);
    struct weft_doc *b = doc_make(2);
    struct weft_undo *undo = NULL;
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    insert(a, 0, "some word");
    pull(b, a);
    cr_assert_eq(weft_undo_create(&undo, a, 1, NULL), WEFT_OK);
    delete (a, 4, 5);
    delete (b, 4, 2);
    pull(a, b);
    struct at both = now(a);
    cr_assert_eq(weft_undo_undo(&delta, undo, a), WEFT_OK);
    struct at undone = now(a);
    insert(a, 0, ">");
    check_text_at(a, both, "some");
    check_text_at(a, undone, "someord");
    struct at without_b = {.size = 10}; // what a alone had done: a vector that nobody was at
    memcpy(without_b.bytes, undone.bytes, 10);
    without_b.bytes[0] = 1;
    check_text_at(a, without_b, "some word");
    weft_undo_destroy(undo);
    weft_buffer_finish(&delta);
    weft_doc_destroy(a);
    weft_doc_destroy(b);
}

Test(history, a_difference_names_what_stays_comes_and_goes_with_positions_in_both_texts)
{
    struct weft_doc *a = doc_make(1);
    struct weft_doc *b = doc_make(2);
    insert(a, 0, "one two three");
    struct at before = now(a);
    pull(b, a);
    insert(b, 4, "\xf0\x9f\x98\x80");
    delete (a, 3, 4);
    struct at mine = now(a);
    pull(a, b);
    struct at after = now(a);
    insert(a, 0, "!");
    check_diff(a, WEFT_SCALARS, before, after,
               "=1:0@0,0+3'one' -1:3@3,3+1' ' +2:0@4,3+1'\xf0\x9f\x98\x80' -1:4@4,4+3'two' "
               "=1:7@7,4+6' three' ");
    check_diff(a, WEFT_UTF16, before, after,
               "=1:0@0,0+3'one' -1:3@3,3+1' ' +2:0@4,3+2'\xf0\x9f\x98\x80' -1:4@4,5+3'two' "
               "=1:7@7,5+6' three' ");
    check_diff(a, WEFT_UTF8, after, before,
               "=1:0@0,0+3'one' +1:3@3,3+1' ' -2:0@3,4+4'\xf0\x9f\x98\x80' +1:4@7,4+3'two' "
               "=1:7@7,7+6' three' ");
    check_diff(a, WEFT_SCALARS, mine, mine, "=1:0@0,0+3'one' =1:7@3,3+6' three' ");
    check_diff(a, WEFT_SCALARS, nothing, mine, "+1:0@0,0+3'one' +1:7@0,3+6' three' ");
    check_diff(a, WEFT_SCALARS, nothing, nothing, "");
    struct words words = {.visits_max = 2};
    cr_assert_eq(weft_doc_visit_diff(a, WEFT_SCALARS, before.bytes, before.size, after.bytes,
                                     after.size, say_span, &words),
                 WEFT_OK);
    cr_assert_str_eq(words.text, "=1:0@0,0+3'one' -1:3@3,3+1' ' ");
    weft_doc_destroy(a);
    weft_doc_destroy(b);
}

static bool add_span(void *context, const struct weft_diff_span *span)
{
    cr_assert_eq(span->length, span->text_size);
    cr_assert_eq(weft_buffer_append(context, span->text, span->text_size), WEFT_OK);
    return true;
}

Test(history, a_text_of_many_pages_is_given_page_by_page_and_is_one_run_of_its_author)
{
    enum { SIZE = 100000 };
    struct weft_doc *doc = doc_make(1);
    struct weft_buffer text;
    struct weft_buffer told;
    weft_buffer_init(&text, NULL);
    weft_buffer_init(&told, NULL);
    for (uint32_t i = 0; i < SIZE; i++)
        cr_assert_eq(weft_buffer_append(&text, &"abcdefghijklmnopq"[i % 17], 1), WEFT_OK);
    cr_assert_eq(weft_doc_insert(doc, WEFT_SCALARS, 0, text.data, SIZE), WEFT_OK);
    struct at whole = now(doc);
    delete (doc, 10, SIZE - 20);
    cr_assert_eq(
        weft_doc_visit_diff(doc, WEFT_UTF8, NULL, 0, whole.bytes, whole.size, add_span, &told),
        WEFT_OK);
    cr_assert(told.size == SIZE && memcmp(told.data, text.data, SIZE) == 0);
    check_blame_at(doc, whole, WEFT_UTF16, 0, SIZE, "1:0*100000@0+100000 ");
    check_blame_at(doc, whole, WEFT_SCALARS, 16383, 2, "1:16383*2@16383+2 ");
    cr_assert_eq(weft_doc_restore(doc, whole.bytes, whole.size), WEFT_OK);
    told.size = 0;
    cr_assert_eq(weft_doc_text(&told, doc), WEFT_OK);
    cr_assert(told.size == SIZE && memcmp(told.data, text.data, SIZE) == 0);
    cr_assert_null(weft_doc_check(doc));
    weft_buffer_finish(&text);
    weft_buffer_finish(&told);
    weft_doc_destroy(doc);
}

Test(history, blame_says_who_wrote_each_part)
{
    struct weft_doc *a = doc_make(1);
    struct weft_doc *b = doc_make(2);
    insert(a, 0, "abcdef");
    struct at first = now(a);
    pull(b, a);
    insert(b, 3, "\xf0\x9f\x98\x80\xc3\xa4");
    pull(a, b);
    delete (a, 1, 1);
    check_text(a, "ac\xf0\x9f\x98\x80\xc3\xa4"
                  "def");
    check_blame(a, WEFT_SCALARS, 0, 7, "1:0*1@0+1 1:2*1@1+1 2:0*2@2+2 1:3*3@4+3 ");
    check_blame(a, WEFT_UTF16, 0, 8, "1:0*1@0+1 1:2*1@1+1 2:0*2@2+3 1:3*3@5+3 ");
    check_blame(a, WEFT_UTF8, 2, 4, "2:0*1@2+4 ");
    check_blame(a, WEFT_SCALARS, 5, 1, "1:4*1@5+1 ");
    check_blame(a, WEFT_SCALARS, 7, 0, "");
    check_blame_at(a, first, WEFT_SCALARS, 0, 6, "1:0*6@0+6 ");
    check_blame_at(a, first, WEFT_UTF8, 1, 2, "1:1*2@1+2 ");
    check_blame_at(a, now(a), WEFT_UTF16, 2, 3, "2:0*2@2+3 ");
    check_blame_at(a, nothing, WEFT_UTF16, 0, 0, "");
    struct words words = {.visits_max = 1};
    cr_assert_eq(weft_doc_visit_blame(a, WEFT_SCALARS, 0, 7, say_run, &words), WEFT_OK);
    cr_assert_str_eq(words.text, "1:0*1@0+1 ");
    // Outside, or inside of a character.
    struct at all = now(a);
    static const uint64_t bad[][3] = {
        {WEFT_SCALARS, 0, 8}, {WEFT_SCALARS, 8, 0}, {WEFT_UTF16, 3, 1},        {WEFT_UTF16, 1, 2},
        {WEFT_UTF8, 3, 3},    {WEFT_UTF8, 2, 5},    {WEFT_UTF8, 1, UINT64_MAX}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        words = (struct words){.size = 0};
        cr_expect_eq(weft_doc_visit_blame(a, (enum weft_unit)bad[i][0], bad[i][1], bad[i][2],
                                          say_run, &words),
                     WEFT_RANGE, "case %zu", i);
        insert(a, 0, "x"); // so that the version is not what is there now
        cr_expect_eq(weft_doc_visit_blame_at(a, all.bytes, all.size, (enum weft_unit)bad[i][0],
                                             bad[i][1], bad[i][2], say_run, &words),
                     WEFT_RANGE, "case %zu", i);
        delete (a, 0, 1);
        cr_expect_eq(words.visits, 0);
    }
    weft_doc_destroy(a);
    weft_doc_destroy(b);
}

Test(history, restoring_brings_back_the_same_elements_and_can_be_undone)
{
    struct weft_doc *a = doc_make(1);
    struct weft_doc *b = doc_make(2);
    struct weft_undo *undo = NULL;
    struct weft_buffer delta;
    struct weft_id id;
    uint64_t index;
    bool visible;
    weft_buffer_init(&delta, NULL);
    insert(a, 0, "the old text");
    struct at old = now(a);
    cr_assert_eq(weft_doc_id_at(&id, a, WEFT_SCALARS, 4), WEFT_OK);
    pull(b, a);
    delete (a, 4, 4);
    delete (b, 2, 4);
    pull(a, b);
    insert(a, 2, " new");
    check_text(a, "th newtext");
    cr_assert_eq(weft_undo_create(&undo, a, 1, NULL), WEFT_OK);
    cr_assert_eq(weft_doc_restore(a, old.bytes, old.size), WEFT_OK);
    check_text(a, "the old text");
    cr_assert_eq(weft_doc_index_of(&index, &visible, a, WEFT_SCALARS, id), WEFT_OK);
    cr_assert(visible && index == 4);
    struct at restored = now(a);
    cr_assert_eq(weft_doc_restore(a, old.bytes, old.size), WEFT_OK); // nothing is left to do
    cr_assert(restored.size == now(a).size && memcmp(restored.bytes, now(a).bytes, 20) == 0);
    cr_assert_eq(weft_undo_note(undo, a, 1000), WEFT_OK);
    insert(b, 0, "B"); // meanwhile
    pull(b, a);
    check_text(b, "Bthe old text");
    cr_assert_eq(weft_undo_undo(&delta, undo, a), WEFT_OK);
    check_text(a, "th newtext");
    cr_assert_eq(weft_undo_redo(&delta, undo, a), WEFT_OK);
    check_text(a, "the old text");
    pull(a, b);
    pull(b, a);
    check_text(a, "Bthe old text");
    check_text(b, "Bthe old text");
    check_text_at(b, old, "the old text");
    cr_assert_eq(weft_doc_restore(a, NULL, 0), WEFT_OK);
    check_text(a, "");
    weft_undo_destroy(undo);
    weft_buffer_finish(&delta);
    weft_doc_destroy(a);
    weft_doc_destroy(b);
}

/// What every function answers to a version, which must be a failure, and that it changes nothing.
static void check_refused(struct weft_doc *doc, const void *bytes, size_t size,
                          enum weft_status expected)
{
    struct words words = {.size = 0};
    struct weft_buffer text;
    uint64_t length = 77;
    struct at before = now(doc);
    const uint8_t *version = bytes;
    weft_buffer_init(&text, NULL);
    cr_expect_eq(weft_doc_text_at(&text, doc, version, size), expected);
    cr_expect_eq(weft_doc_length_at(&length, doc, WEFT_UTF8, version, size), expected);
    cr_expect_eq(weft_doc_visit_diff(doc, WEFT_UTF8, version, size, NULL, 0, say_span, &words),
                 expected);
    cr_expect_eq(weft_doc_visit_diff(doc, WEFT_UTF8, NULL, 0, version, size, say_span, &words),
                 expected);
    cr_expect_eq(weft_doc_visit_blame_at(doc, version, size, WEFT_UTF8, 0, 0, say_run, &words),
                 expected);
    cr_expect_eq(weft_doc_restore(doc, version, size), expected);
    cr_expect(text.size == 0 && length == 77 && words.visits == 0);
    struct at after = now(doc);
    cr_expect(before.size == after.size && memcmp(before.bytes, after.bytes, after.size) == 0);
    weft_buffer_finish(&text);
}

Test(history, a_version_that_is_none_or_beyond_the_document_is_refused)
{
    struct weft_doc *doc = doc_make(1);
    insert(doc, 0, "abc");
    check_refused(doc, "\x01", 1, WEFT_MALFORMED);
    check_refused(doc, "\x00\x00", 2, WEFT_MALFORMED);
    check_refused(doc, "\x01\x01\0\0\0\0\0\0\0\x00", 10, WEFT_MALFORMED); // next is 0
    check_refused(doc, "\x02\x01\0\0\0\0\0\0\0\x09\x01\0\0\0\0\0\0\0\x01", 19, WEFT_MALFORMED);
    check_refused(doc, "\x01\x01\0\0\0\0\0\0\0\x04", 10, WEFT_BEHIND); // one more than there is
    check_refused(doc, "\x01\x02\0\0\0\0\0\0\0\x01", 10, WEFT_BEHIND); // of whom it never heard
    check_refused(doc, "\x01\x01\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 19,
                  WEFT_BEHIND);
    check_text(doc, "abc");
    struct weft_doc *reader = NULL;
    cr_assert_eq(weft_doc_create(&reader, NULL), WEFT_OK);
    pull(reader, doc);
    cr_assert_eq(weft_doc_restore(reader, NULL, 0), WEFT_INVALID); // as whom?
    check_text(reader, "abc");
    weft_doc_destroy(reader);
    weft_doc_destroy(doc);
}

Test(history, restoring_ends_where_time_does)
{
    struct weft_doc *doc = doc_make(1);
    insert(doc, 0, "abc");
    struct at first = now(doc);
    struct weft_run last = {.kind = WEFT_RUN_INSERT,
                            .length = 1,
                            .agent = 2,
                            .lamport = UINT32_MAX - 17,
                            .target = {1, 2},
                            .text = (const uint8_t *)"d",
                            .text_size = 1};
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&delta, NULL);
    delta_of_runs(&delta, &last, 1);
    cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta.data, delta.size), WEFT_OK);
    check_text(doc, "abcd");
    cr_assert_eq(weft_doc_restore(doc, NULL, 0), WEFT_LIMIT); // four deletes, and room for one
    check_text(doc, "abcd");
    cr_assert_eq(weft_doc_restore(doc, first.bytes, first.size), WEFT_OK);
    check_text(doc, "abc");
    weft_buffer_finish(&delta);
    weft_doc_destroy(doc);
}

/// A history with several agents, deletes that cross and an undo.
static struct weft_doc *busy_document(const struct weft_doc_options *options, struct at *old_out)
{
    struct weft_doc *doc = NULL;
    struct weft_undo *undo = NULL;
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_create(&doc, options), WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(doc, 1), WEFT_OK);
    cr_assert_eq(weft_undo_create(&undo, doc, 1, NULL), WEFT_OK);
    for (int i = 0; i < 200; i++)
        insert(doc, (uint64_t)i * 7 % (uint64_t)(i + 1), "word ");
    delete (doc, 100, 50);
    cr_assert_eq(weft_undo_undo(&delta, undo, doc), WEFT_OK);
    cr_assert_eq(weft_undo_redo(&delta, undo, doc), WEFT_OK);
    *old_out = now(doc);
    cr_assert_eq(weft_doc_set_agent(doc, 2), WEFT_OK);
    for (uint64_t i = 0; i < 100; i++)
        delete (doc, 5 * i, 3);
    insert(doc, 50, "more of it");
    weft_undo_destroy(undo);
    weft_buffer_finish(&delta);
    return doc;
}

Test(history, every_allocation_that_fails_is_told_and_changes_nothing)
{
    struct test_allocator counted = test_allocator_make();
    struct weft_allocator allocator = test_allocator_use(&counted);
    struct weft_doc_options options = {.allocator = &allocator};
    struct at old;
    struct weft_doc *doc = busy_document(&options, &old);
    struct weft_buffer text;
    struct weft_buffer was;
    weft_buffer_init(&text, &allocator);
    weft_buffer_init(&was, NULL);
    cr_assert_eq(weft_doc_text(&was, doc), WEFT_OK);
    cr_assert_eq(weft_buffer_append(&was, "", 1), WEFT_OK);
    struct at before = now(doc);
    static struct words words;
    int failures = 0;
    for (int call = 0; call < 4; call++) {
        enum weft_status status = WEFT_NO_MEMORY;
        for (uint64_t after = 0; status != WEFT_OK; after++) {
            size_t used = counted.used;
            words = (struct words){.visits_max = 1};
            counted.fail_from = counted.calls + after;
            if (call == 0)
                status = weft_doc_text_at(&text, doc, old.bytes, old.size);
            else if (call == 1)
                status = weft_doc_visit_diff(doc, WEFT_SCALARS, old.bytes, old.size, NULL, 0,
                                             say_span, &words);
            else if (call == 2)
                status = weft_doc_visit_blame_at(doc, old.bytes, old.size, WEFT_UTF8, 0, 3, say_run,
                                                 &words);
            else
                status = weft_doc_restore(doc, old.bytes, old.size);
            counted.fail_from = UINT64_MAX;
            if (status == WEFT_OK)
                break;
            failures++;
            cr_assert_eq(status, WEFT_NO_MEMORY);
            cr_assert(words.visits == 0 && text.size == 0);
            cr_assert(call == 3 || counted.used == used, "%zu bytes leaked", counted.used - used);
            struct at after_it = now(doc);
            cr_assert(before.size == after_it.size &&
                      memcmp(before.bytes, after_it.bytes, before.size) == 0);
            check_text(doc, (const char *)was.data);
        }
        text.size = 0;
        weft_buffer_finish(&text);
    }
    cr_assert_gt(failures, 12);
    weft_doc_destroy(doc);
    cr_assert_eq(counted.used, 0);
    weft_buffer_finish(&was);
}
