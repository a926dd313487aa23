// SPDX-License-Identifier: MIT
// Positions in scalars, UTF-16 units and bytes against a table counted character by character.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <weft/cursor.h>

#include "tests/support/documents.h"

struct pieces {
    struct weft_buffer bytes;
};

static void take_piece(void *context, const uint8_t *text, size_t size)
{
    struct pieces *pieces = context;
    cr_assert_eq(weft_buffer_append(&pieces->bytes, text, size), WEFT_OK);
}

/// Reads a random stretch in each unit.
static void check_reading(struct property *property, const struct weft_doc *doc,
                          const struct weft_buffer *text, const struct text_row *rows,
                          uint64_t count)
{
    for (int i = 0; i < 8; i++) {
        uint64_t from = random_below(&property->random, count + 1);
        uint64_t to = random_between(&property->random, from, count);
        enum weft_unit unit = (enum weft_unit)random_below(&property->random, 3);
        struct pieces pieces;
        weft_buffer_init(&pieces.bytes, NULL);
        CHECK_OK(property,
                 weft_doc_read(doc, unit, rows[from].at[unit],
                               rows[to].at[unit] - rows[from].at[unit], take_piece, &pieces));
        size_t size = rows[to].at[WEFT_UTF8] - rows[from].at[WEFT_UTF8];
        CHECK(property,
              pieces.bytes.size == size &&
                  (size == 0 ||
                   memcmp(pieces.bytes.data, text->data + rows[from].at[WEFT_UTF8], size) == 0),
              "read gives another text than stands there");
        weft_buffer_finish(&pieces.bytes);
    }
}

/// Every character's position, in each unit, goes to its id and back.
static void check_positions(struct property *property, const struct weft_doc *doc,
                            const struct text_row *rows, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct weft_id first = {0, 0};
        CHECK_OK(property, weft_doc_id_at(&first, doc, WEFT_SCALARS, i));
        for (int unit = WEFT_SCALARS; unit <= WEFT_UTF8; unit++) {
            struct weft_id id = {0, 0};
            CHECK_OK(property, weft_doc_id_at(&id, doc, (enum weft_unit)unit, rows[i].at[unit]));
            CHECK(property, id.agent == first.agent && id.seq == first.seq,
                  "unit %d at %llu is another element", unit, (unsigned long long)i);
            uint64_t index = UINT64_MAX;
            bool visible = false;
            CHECK_OK(property, weft_doc_index_of(&index, &visible, doc, (enum weft_unit)unit, id));
            CHECK(property, visible && index == rows[i].at[unit],
                  "unit %d: index_of gives %llu for %llu", unit, (unsigned long long)index,
                  (unsigned long long)rows[i].at[unit]);
        }
    }
}

/// Before and after all edits to come, a cursor on either side of every character.
static void check_cursors(struct property *property, const struct weft_doc *doc,
                          const struct text_row *rows, uint64_t count)
{
    for (uint64_t i = 0; i <= count; i++) {
        enum weft_unit unit = (enum weft_unit)random_below(&property->random, 3);
        for (int side = WEFT_BEFORE; side <= WEFT_AFTER; side++) {
            struct weft_cursor cursor;
            struct weft_id id = WEFT_ID_ROOT;
            uint64_t index = UINT64_MAX;
            uint64_t holds = side == WEFT_BEFORE ? i : i - 1;
            CHECK_OK(property, weft_doc_cursor_at(&cursor, doc, unit, rows[i].at[unit],
                                                  (enum weft_side)side));
            if (holds < count)
                CHECK_OK(property, weft_doc_id_at(&id, doc, WEFT_SCALARS, holds));
            CHECK(property, cursor.id.agent == id.agent && cursor.id.seq == id.seq,
                  "the cursor at %llu holds to another element", (unsigned long long)i);
            for (int other = WEFT_SCALARS; other <= WEFT_UTF8; other++) {
                CHECK_OK(property,
                         weft_doc_cursor_index(&index, doc, (enum weft_unit)other, cursor));
                CHECK(property, index == rows[i].at[other], "unit %d: %llu for %llu", other,
                      (unsigned long long)index, (unsigned long long)rows[i].at[other]);
            }
        }
    }
}

/// Inside of a character there is no position, and none past the end.
static void check_refusals(struct property *property, struct weft_doc *doc,
                           const struct text_row *rows, uint64_t count)
{
    const uint8_t letter = 'x';
    for (int unit = WEFT_SCALARS; unit <= WEFT_UTF8; unit++) {
        uint64_t end = rows[count].at[unit];
        CHECK(property,
              weft_doc_insert(doc, (enum weft_unit)unit, end + 1, &letter, 1) == WEFT_RANGE,
              "an insert past the end");
        CHECK(property, weft_doc_delete(doc, (enum weft_unit)unit, end, 1) == WEFT_RANGE,
              "a delete past the end");
        CHECK(property, weft_doc_delete(doc, (enum weft_unit)unit, 1, UINT64_MAX) == WEFT_RANGE,
              "a delete whose end overflows");
        for (uint64_t i = 0; i < count; i++) {
            if (rows[i + 1].at[unit] - rows[i].at[unit] < 2)
                continue;
            uint64_t inside = rows[i].at[unit] + 1;
            struct weft_id id;
            CHECK(property,
                  weft_doc_insert(doc, (enum weft_unit)unit, inside, &letter, 1) == WEFT_RANGE,
                  "an insert inside of a character, unit %d", unit);
            CHECK(property, weft_doc_delete(doc, (enum weft_unit)unit, inside, 1) == WEFT_RANGE,
                  "a delete from inside of a character");
            CHECK(property,
                  weft_doc_delete(doc, (enum weft_unit)unit, rows[i].at[unit], 1) == WEFT_RANGE,
                  "a delete to inside of a character");
            CHECK(property, weft_doc_id_at(&id, doc, (enum weft_unit)unit, inside) == WEFT_RANGE,
                  "an id inside of a character");
        }
    }
}

/// One edit at positions given in a random unit.
static void edit_in_unit(struct property *property, struct replica *replica,
                         enum text_alphabet alphabet)
{
    struct weft_buffer text = document_text(property, replica->doc);
    uint64_t count = 0;
    struct text_row *rows = text_rows(text.data, text.size, &count);
    enum weft_unit unit = (enum weft_unit)random_below(&property->random, 3);
    uint64_t from = random_below(&property->random, count + 1);
    uint64_t to = random_between(&property->random, from, from + 9 < count ? from + 9 : count);
    struct weft_buffer inserted;
    weft_buffer_init(&inserted, NULL);
    text_add_random(&inserted, &property->random, alphabet, random_below(&property->random, 12));
    CHECK_OK(property, weft_doc_delete(replica->doc, unit, rows[from].at[unit],
                                       rows[to].at[unit] - rows[from].at[unit]));
    CHECK_OK(property, weft_doc_insert(replica->doc, unit, rows[from].at[unit], inserted.data,
                                       inserted.size));
    text_splice(&text, from, to - from, inserted.data, inserted.size);
    struct weft_buffer now = document_text(property, replica->doc);
    CHECK(property,
          now.size == text.size && (now.size == 0 || memcmp(now.data, text.data, now.size) == 0),
          "an edit in unit %d is not the edit of a string", (int)unit);
    free(rows);
    weft_buffer_finish(&inserted);
    weft_buffer_finish(&now);
    weft_buffer_finish(&text);
}

Test(units, positions_are_those_of_a_naive_table)
{
    for (struct property p = property_start("units", 300); property_next(&p);) {
        struct replica replica;
        replica_init(&p, &replica, 5, NULL);
        enum text_alphabet alphabet = (enum text_alphabet)(p.round % TEXT_ALPHABETS);
        for (uint64_t left = random_between(&p.random, 1, 30); left > 0; left--)
            edit_in_unit(&p, &replica, alphabet);
        struct weft_buffer text = document_text(&p, replica.doc);
        uint64_t count = 0;
        struct text_row *rows = text_rows(text.data, text.size, &count);
        check_reading(&p, replica.doc, &text, rows, count);
        check_positions(&p, replica.doc, rows, count);
        check_cursors(&p, replica.doc, rows, count);
        check_refusals(&p, replica.doc, rows, count);
        document_check_sound(&p, replica.doc);
        free(rows);
        weft_buffer_finish(&text);
        replica_finish(&replica);
    }
}

Test(units, what_is_not_utf8_is_refused_and_changes_nothing)
{
    static const char *const bad[] = {
        "\x80",         "\xC3",         "\xC0\x80",         "\xE0\x80\x80", "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xF0\x80\x80", "\xF4\x90\x80\x80", "\xF8\x88",     "abc\xE4\xBD",
        "\xFF",         "\xC3\x28",     "\xF0\x9F\x98",     "\xE2\x28\xA1",
    };
    struct property p = property_start("not UTF-8", 1);
    property_next(&p);
    struct replica replica;
    replica_init(&p, &replica, 5, NULL);
    CHECK_OK(&p, weft_doc_insert(replica.doc, WEFT_SCALARS, 0, (const uint8_t *)"text", 4));
    struct weft_digest before = document_digest(&p, replica.doc);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const uint8_t *text = (const uint8_t *)bad[i];
        CHECK(&p,
              weft_doc_insert(replica.doc, WEFT_SCALARS, 2, text, strlen(bad[i])) == WEFT_MALFORMED,
              "case %zu", i);
        CHECK(&p, weft_doc_replace_text(replica.doc, text, strlen(bad[i])) == WEFT_MALFORMED,
              "case %zu", i);
    }
    struct weft_digest after = document_digest(&p, replica.doc);
    cr_assert(memcmp(&before, &after, sizeof(before)) == 0);
    replica_finish(&replica);
}
