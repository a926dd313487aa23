// SPDX-License-Identifier: MIT
// Cursors: places that stay while text around them comes and goes.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/cursor.h>

static const enum weft_unit all_units[] = {WEFT_SCALARS, WEFT_UTF16, WEFT_UTF8};

static struct weft_doc *doc_with(const char *text)
{
    struct weft_doc *doc = NULL;
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(doc, 7), WEFT_OK);
    cr_assert_eq(weft_doc_insert(doc, WEFT_SCALARS, 0, (const uint8_t *)text, strlen(text)),
                 WEFT_OK);
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

static struct weft_cursor at(const struct weft_doc *doc, uint64_t index, enum weft_side side)
{
    struct weft_cursor cursor = {{0, 0}, side};
    cr_assert_eq(weft_doc_cursor_at(&cursor, doc, WEFT_SCALARS, index, side), WEFT_OK);
    return cursor;
}

static uint64_t where(const struct weft_doc *doc, struct weft_cursor cursor)
{
    uint64_t index = UINT64_MAX;
    cr_assert_eq(weft_doc_cursor_index(&index, doc, WEFT_SCALARS, cursor), WEFT_OK);
    return index;
}

static bool is(struct weft_cursor a, struct weft_cursor b)
{
    return a.id.agent == b.id.agent && a.id.seq == b.id.seq && a.side == b.side;
}

Test(cursor, what_is_typed_at_it_comes_before_or_after_it_by_its_side)
{
    struct weft_doc *doc = doc_with("abc");
    struct weft_cursor after = at(doc, 2, WEFT_AFTER);
    struct weft_cursor before = at(doc, 2, WEFT_BEFORE);
    insert(doc, 2, "xyz");
    cr_expect_eq(where(doc, after), 2);
    cr_expect_eq(where(doc, before), 5);
    insert(doc, 0, "--");
    cr_expect_eq(where(doc, after), 4);
    cr_expect_eq(where(doc, before), 7);
    weft_doc_destroy(doc);
}

Test(cursor, survives_the_deletion_of_its_character)
{
    struct weft_doc *doc = doc_with("abcdef");
    struct weft_cursor after = at(doc, 3, WEFT_AFTER);   // of c
    struct weft_cursor before = at(doc, 3, WEFT_BEFORE); // of d
    delete (doc, 1, 4);
    cr_expect_eq(where(doc, after), 1);
    cr_expect_eq(where(doc, before), 1);
    insert(doc, 1, "B");
    insert(doc, 0, ">");
    cr_expect_geq(where(doc, after), 2);
    cr_expect_leq(where(doc, after), 3);
    delete (doc, 0, weft_doc_length(doc, WEFT_SCALARS));
    cr_expect_eq(where(doc, after), 0);
    cr_expect_eq(where(doc, before), 0);
    weft_doc_destroy(doc);
}

Test(cursor, the_ends_stay_the_ends)
{
    struct weft_doc *doc = doc_with("");
    cr_expect(is(at(doc, 0, WEFT_AFTER), WEFT_CURSOR_START));
    cr_expect(is(at(doc, 0, WEFT_BEFORE), WEFT_CURSOR_END));
    insert(doc, 0, "ab");
    cr_expect(is(at(doc, 0, WEFT_AFTER), WEFT_CURSOR_START));
    cr_expect(is(at(doc, 2, WEFT_BEFORE), WEFT_CURSOR_END));
    insert(doc, 0, "<");
    insert(doc, 3, ">");
    cr_expect_eq(where(doc, WEFT_CURSOR_START), 0);
    cr_expect_eq(where(doc, WEFT_CURSOR_END), 4);
    // Those of the other side hold to a character, and move with it.
    struct weft_cursor first = at(doc, 0, WEFT_BEFORE);
    struct weft_cursor last = at(doc, 4, WEFT_AFTER);
    insert(doc, 0, "0");
    insert(doc, 5, "9");
    cr_expect_eq(where(doc, first), 1);
    cr_expect_eq(where(doc, last), 5);
    delete (doc, 0, 6);
    cr_expect_eq(where(doc, WEFT_CURSOR_START), 0);
    cr_expect_eq(where(doc, WEFT_CURSOR_END), 0);
    weft_doc_destroy(doc);
}

Test(cursor, counts_in_the_unit_that_is_named)
{
    static const uint64_t ends[][4] = {{0, 1, 2, 3}, {0, 1, 3, 4}, {0, 2, 6, 7}}; // of é 𝄞 x
    struct weft_doc *doc = doc_with("\u00e9\U0001d11ex");
    for (int u = 0; u < 3; u++) {
        enum weft_unit unit = all_units[u];
        for (int i = 0; i <= 3; i++) {
            for (int side = WEFT_BEFORE; side <= WEFT_AFTER; side++) {
                struct weft_cursor cursor;
                uint64_t index = UINT64_MAX;
                cr_assert_eq(
                    weft_doc_cursor_at(&cursor, doc, unit, ends[u][i], (enum weft_side)side),
                    WEFT_OK);
                cr_expect(is(cursor, at(doc, (uint64_t)i, (enum weft_side)side)));
                cr_assert_eq(weft_doc_cursor_index(&index, doc, unit, cursor), WEFT_OK);
                cr_expect_eq(index, ends[u][i], "unit %d, %d: %llu", u, i,
                             (unsigned long long)index);
            }
        }
    }
    weft_doc_destroy(doc);
}

Test(cursor, is_refused_where_no_place_is)
{
    struct weft_doc *doc = doc_with("a\U0001d11e");
    struct weft_cursor cursor = WEFT_CURSOR_END;
    uint64_t index = 99;
    cr_expect_eq(weft_doc_cursor_at(&cursor, doc, WEFT_SCALARS, 3, WEFT_AFTER), WEFT_RANGE);
    cr_expect_eq(weft_doc_cursor_at(&cursor, doc, WEFT_SCALARS, UINT64_MAX, WEFT_AFTER),
                 WEFT_RANGE);
    cr_expect_eq(weft_doc_cursor_at(&cursor, doc, WEFT_UTF16, 2, WEFT_BEFORE), WEFT_RANGE);
    cr_expect_eq(weft_doc_cursor_at(&cursor, doc, WEFT_UTF8, 2, WEFT_AFTER), WEFT_RANGE);
    cr_expect(is(cursor, WEFT_CURSOR_END), "untouched on failure");
    delete (doc, 0, 1);
    static const struct weft_id nowhere[] = {{7, 3}, {7, 2}, {8, 0}, {0, 0}, {7, UINT64_MAX}};
    for (size_t i = 0; i < sizeof(nowhere) / sizeof(nowhere[0]); i++) {
        struct weft_cursor wrong = {nowhere[i], WEFT_AFTER};
        cr_expect_eq(weft_doc_cursor_index(&index, doc, WEFT_SCALARS, wrong), WEFT_NOT_FOUND);
    }
    cr_expect_eq(index, 99, "untouched on failure");
    weft_doc_destroy(doc);
}

Test(cursor, means_the_same_on_another_replica)
{
    struct weft_doc *here = doc_with("one two");
    struct weft_doc *there = NULL;
    struct weft_buffer delta;
    struct weft_apply_result result;
    struct weft_cursor cursor = at(here, 4, WEFT_BEFORE); // of t
    uint64_t index;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_create(&there, NULL), WEFT_OK);
    cr_expect_eq(weft_doc_cursor_index(&index, there, WEFT_UTF8, cursor), WEFT_NOT_FOUND);
    cr_assert_eq(weft_doc_delta_since(&delta, here, NULL, 0), WEFT_OK);
    cr_assert_eq(weft_doc_apply(&result, there, WEFT_APPLY_STRICT, delta.data, delta.size),
                 WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(there, 8), WEFT_OK);
    insert(there, 4, "and a half, ");
    delete (there, 0, 2);
    cr_expect_eq(where(there, cursor), 14);
    cr_expect_eq(where(here, cursor), 4);
    weft_buffer_finish(&delta);
    weft_doc_destroy(here);
    weft_doc_destroy(there);
}
