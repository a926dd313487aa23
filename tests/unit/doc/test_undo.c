// SPDX-License-Identifier: MIT
// Undo and redo of one's own edits among those of others.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/undo.h>
#include <weft/version.h>

#include "tests/support/property.h"

struct editor {
    struct weft_doc *doc;
    struct weft_undo *undo;
    uint64_t agent;
};

static struct editor editor_make(uint64_t agent)
{
    struct editor editor = {.agent = agent};
    cr_assert_eq(weft_doc_create(&editor.doc, NULL), WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(editor.doc, agent), WEFT_OK);
    cr_assert_eq(weft_undo_create(&editor.undo, editor.doc, agent, NULL), WEFT_OK);
    return editor;
}

static void editor_finish(struct editor *editor)
{
    weft_undo_destroy(editor->undo);
    weft_doc_destroy(editor->doc);
}

static void insert(struct editor *editor, uint64_t index, const char *text, uint64_t now_ms)
{
    cr_assert_eq(
        weft_doc_insert(editor->doc, WEFT_SCALARS, index, (const uint8_t *)text, strlen(text)),
        WEFT_OK);
    cr_assert_eq(weft_undo_note(editor->undo, editor->doc, now_ms), WEFT_OK);
}

static void delete (struct editor *editor, uint64_t index, uint64_t length, uint64_t now_ms)
{
    cr_assert_eq(weft_doc_delete(editor->doc, WEFT_SCALARS, index, length), WEFT_OK);
    cr_assert_eq(weft_undo_note(editor->undo, editor->doc, now_ms), WEFT_OK);
}

static void pull(struct weft_doc *into, const struct weft_doc *from)
{
    struct weft_buffer version;
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&version, NULL);
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_version(&version, into), WEFT_OK);
    cr_assert_eq(weft_doc_delta_since(&delta, from, version.data, version.size), WEFT_OK);
    if (delta.size > 0)
        cr_assert_eq(weft_doc_apply(&result, into, WEFT_APPLY_STRICT, delta.data, delta.size),
                     WEFT_OK);
    weft_buffer_finish(&version);
    weft_buffer_finish(&delta);
}

/// Both have the same text, which is this.
static void check_text(const struct weft_doc *doc, const char *expected)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    cr_assert_eq(weft_doc_text(&text, doc), WEFT_OK);
    cr_assert(text.size == strlen(expected) &&
                  (text.size == 0 || memcmp(text.data, expected, text.size) == 0),
              "'%.*s' is not '%s'", (int)text.size, (const char *)text.data, expected);
    cr_assert_null(weft_doc_check(doc), "%s", weft_doc_check(doc));
    weft_buffer_finish(&text);
}

/// Undoes or redoes; the delta alone must make another replica equal.
static void undo_to(struct editor *editor, bool redo, const char *expected)
{
    struct weft_doc *other = NULL;
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_create(&other, NULL), WEFT_OK);
    pull(other, editor->doc);
    enum weft_status status = redo ? weft_undo_redo(&delta, editor->undo, editor->doc)
                                   : weft_undo_undo(&delta, editor->undo, editor->doc);
    cr_assert_eq(status, WEFT_OK, "%s", weft_status_text(status));
    cr_assert_eq(weft_doc_apply(&result, other, WEFT_APPLY_STRICT, delta.data, delta.size),
                 WEFT_OK);
    cr_assert_eq(result.runs_invalid + result.runs_missing, 0);
    check_text(editor->doc, expected);
    check_text(other, expected);
    weft_doc_destroy(other);
    weft_buffer_finish(&delta);
}

Test(undo, steps_end_at_pauses_and_where_the_place_changes)
{
    struct editor a = editor_make(1);
    insert(&a, 0, "one", 0);
    insert(&a, 3, " two", 400);
    delete (&a, 6, 1, 600);
    insert(&a, 6, "p", 700);
    insert(&a, 7, " three", 2000);
    insert(&a, 0, ">", 2100);
    check_text(a.doc, ">one twp three");
    undo_to(&a, false, "one twp three");
    undo_to(&a, false, "one twp");
    undo_to(&a, false, "");
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_undo_undo(&delta, a.undo, a.doc), WEFT_NOT_FOUND);
    undo_to(&a, true, "one twp");
    undo_to(&a, true, "one twp three");
    undo_to(&a, false, "one twp");
    insert(&a, 0, "!", 9000);
    cr_assert_eq(weft_undo_redo(&delta, a.undo, a.doc), WEFT_NOT_FOUND);
    undo_to(&a, false, "one twp");
    weft_buffer_finish(&delta);
    editor_finish(&a);
}

Test(undo, what_two_deleted_and_one_undoes_stays_deleted)
{
    struct editor a = editor_make(1);
    struct editor b = editor_make(2);
    insert(&a, 0, "some word here", 0);
    pull(b.doc, a.doc);
    struct weft_id id;
    cr_assert_eq(weft_doc_id_at(&id, a.doc, WEFT_SCALARS, 6), WEFT_OK);
    delete (&a, 5, 5, 1000);
    delete (&b, 3, 6, 1000);
    pull(a.doc, b.doc);
    pull(b.doc, a.doc);
    check_text(a.doc, "somhere");
    undo_to(&a, false, "som here"); // the space that b kept is a's alone
    pull(b.doc, a.doc);
    undo_to(&b, false, "some word here");
    pull(a.doc, b.doc);
    uint64_t index;
    bool visible;
    cr_assert_eq(weft_doc_index_of(&index, &visible, a.doc, WEFT_SCALARS, id), WEFT_OK);
    cr_assert(visible && index == 6); // the same element, not another one like it
    undo_to(&a, true, "some here");
    undo_to(&a, false, "some word here");
    editor_finish(&a);
    editor_finish(&b);
}

Test(undo, edits_of_others_in_between_stay_and_a_reloaded_document_goes_on)
{
    struct editor a = editor_make(1);
    struct editor b = editor_make(2);
    insert(&a, 0, "abcdef", 0);
    delete (&a, 1, 3, 1000);
    pull(b.doc, a.doc);
    insert(&b, 1, "B", 0);
    delete (&b, 3, 1, 1000);
    pull(a.doc, b.doc);
    check_text(a.doc, "aBe");
    struct weft_doc *again = NULL; // the connection is lost, and the document comes anew
    cr_assert_eq(weft_doc_create(&again, NULL), WEFT_OK);
    pull(again, b.doc);
    weft_doc_destroy(a.doc);
    a.doc = again;
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_undo_undo(&delta, a.undo, a.doc), WEFT_OK);
    cr_assert_eq(weft_doc_length(a.doc, WEFT_SCALARS), 6); // aBe with bcd somewhere around B
    undo_to(&a, false, "B");
    cr_assert_eq(weft_undo_redo(&delta, a.undo, a.doc), WEFT_OK);
    undo_to(&a, true, "aBe");
    pull(b.doc, a.doc);
    check_text(b.doc, "aBe");
    weft_buffer_finish(&delta);
    editor_finish(&a);
    editor_finish(&b);
}

/// Texts at most so many steps long.
enum { STEPS = 60, TEXT_MAX = 512 };

static void keep_text(char *out, const struct weft_doc *doc)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    cr_assert_eq(weft_doc_text(&text, doc), WEFT_OK);
    cr_assert(text.size < TEXT_MAX);
    if (text.size > 0)
        memcpy(out, text.data, text.size);
    out[text.size] = 0;
    weft_buffer_finish(&text);
}

Test(undo, all_steps_undone_and_redone_give_every_text_in_between)
{
    static char texts[STEPS + 1][TEXT_MAX];
    uint32_t rounds = property_is_sanitized() ? 8 : 40;
    for (uint32_t round = 1; round <= rounds; round++) {
        struct editor a = editor_make(1);
        uint32_t random = round * 2654435761u;
        for (uint64_t step = 0; step < STEPS; step++) {
            uint64_t length = weft_doc_length(a.doc, WEFT_SCALARS);
            random = random * 1664525u + 1013904223u;
            uint64_t index = (random >> 8) % (length + 1);
            uint64_t deleted = (random >> 20) % 5;
            if (deleted > 0 && index + deleted <= length)
                delete (&a, index, deleted, step * 1000);
            else
                insert(&a, index, &"text"[(random >> 28) % 4], step * 1000);
            keep_text(texts[step + 1], a.doc);
        }
        for (int again = 0; again < 2; again++) {
            for (uint32_t step = STEPS; step > 0; step--)
                undo_to(&a, false, texts[step - 1]);
            for (uint32_t step = 0; step < STEPS; step++)
                undo_to(&a, true, texts[step + 1]);
        }
        editor_finish(&a);
    }
}
