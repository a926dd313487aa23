// SPDX-License-Identifier: MIT
// weft_doc_collect(): what goes, what stays, and what is said of what is gone.
#include <string.h>

#include <criterion/criterion.h>

#include <weft/history.h>
#include <weft/undo.h>

#include "tests/support/deltas.h"

enum { ALICE = 7, BOB = 9, WORDS = 60 };

static struct weft_buffer version_of(const struct weft_doc *doc)
{
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    cr_assert_eq(weft_doc_version(&version, doc), WEFT_OK);
    return version;
}

static struct weft_buffer text_of(const struct weft_doc *doc)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    cr_assert_eq(weft_doc_text(&text, doc), WEFT_OK);
    return text;
}

static struct weft_doc *make(uint64_t agent)
{
    struct weft_doc *doc;
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(doc, agent), WEFT_OK);
    return doc;
}

static void insert(struct weft_doc *doc, uint64_t index, const char *text)
{
    cr_assert_eq(weft_doc_insert(doc, WEFT_SCALARS, index, (const uint8_t *)text, strlen(text)),
                 WEFT_OK);
}

/// All that `to` lacks; @return what became of it.
static struct weft_apply_result pull(struct weft_doc *to, const struct weft_doc *from,
                                     enum weft_apply_mode mode)
{
    struct weft_apply_result result = {0};
    struct weft_buffer version = version_of(to);
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_delta_since(&delta, from, version.data, version.size), WEFT_OK);
    if (delta.size > 0)
        cr_assert_eq(weft_doc_apply(&result, to, mode, delta.data, delta.size), WEFT_OK);
    weft_buffer_finish(&delta);
    weft_buffer_finish(&version);
    return result;
}

static void check_same(struct weft_doc *a, struct weft_doc *b)
{
    struct weft_digest digests[2];
    struct weft_buffer texts[2] = {text_of(a), text_of(b)};
    cr_assert_eq(weft_doc_digest(&digests[0], a), WEFT_OK);
    cr_assert_eq(weft_doc_digest(&digests[1], b), WEFT_OK);
    cr_assert_eq(memcmp(&digests[0], &digests[1], sizeof digests[0]), 0);
    cr_assert_eq(texts[0].size, texts[1].size);
    cr_assert(texts[0].size == 0 || memcmp(texts[0].data, texts[1].data, texts[0].size) == 0);
    cr_assert_null(weft_doc_check(a), "%s", weft_doc_check(a));
    cr_assert_null(weft_doc_check(b), "%s", weft_doc_check(b));
    weft_buffer_finish(&texts[0]);
    weft_buffer_finish(&texts[1]);
}

/// Sixty words, of which Alice deletes the second half. @param before The version with all.
static struct weft_doc *make_halved(struct weft_buffer *before)
{
    struct weft_doc *doc = make(ALICE);
    for (int i = 0; i < WORDS; i++)
        insert(doc, weft_doc_length(doc, WEFT_SCALARS), "w\xc3\xb6rds ");
    *before = version_of(doc);
    cr_assert_eq(weft_doc_delete(doc, WEFT_SCALARS, 3 * WORDS, 3 * WORDS), WEFT_OK);
    return doc;
}

static struct weft_collected collect(struct weft_doc *doc)
{
    struct weft_collected collected;
    struct weft_buffer version = version_of(doc);
    cr_assert_eq(weft_doc_collect(&collected, doc, version.data, version.size), WEFT_OK);
    weft_buffer_finish(&version);
    return collected;
}

static struct weft_doc *reload(const struct weft_doc *doc)
{
    struct weft_buffer parts[3];
    for (int i = 0; i < 3; i++)
        weft_buffer_init(&parts[i], NULL);
    cr_assert_eq(weft_doc_snapshot(&parts[0], &parts[1], &parts[2], doc), WEFT_OK);
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    struct weft_doc *loaded;
    cr_assert_eq(weft_doc_load(&loaded, &snapshot, NULL), WEFT_OK);
    for (int i = 0; i < 3; i++)
        weft_buffer_finish(&parts[i]);
    return loaded;
}

static bool count_gone(void *context, const struct weft_diff_span *span)
{
    uint64_t *gone = context;
    if (span->text == NULL) {
        cr_assert_eq(span->kind, WEFT_DIFF_DELETED);
        cr_assert_eq(span->units, 0); // in bytes
        *gone += span->length;
    }
    return true;
}

Test(collect, what_is_gone_is_said_and_never_guessed)
{
    struct weft_buffer before;
    struct weft_doc *doc = make_halved(&before);
    struct weft_doc *whole = reload(doc);
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    struct weft_collected collected = collect(doc);
    cr_assert_eq(collected.elements, 3 * WORDS);
    cr_assert_eq(collected.bytes, 3 * WORDS + WORDS / 2);
    check_same(doc, whole);
    cr_assert_eq(weft_doc_text_at(&text, doc, before.data, before.size), WEFT_COLLECTED);
    cr_assert_eq(text.size, 0);
    cr_assert_eq(weft_doc_restore(doc, before.data, before.size), WEFT_COLLECTED);
    check_same(doc, whole);
    uint64_t length = 0;
    cr_assert_eq(weft_doc_length_at(&length, doc, WEFT_SCALARS, before.data, before.size), WEFT_OK);
    cr_assert_eq(length, 6 * WORDS);
    cr_assert_eq(weft_doc_length_at(&length, doc, WEFT_UTF8, before.data, before.size), WEFT_OK);
    cr_assert_eq(length, 3 * WORDS + WORDS / 2);
    uint64_t gone = 0;
    struct weft_buffer now = version_of(doc);
    cr_assert_eq(weft_doc_visit_diff(doc, WEFT_UTF8, before.data, before.size, now.data, now.size,
                                     count_gone, &gone),
                 WEFT_OK);
    cr_assert_eq(gone, 3 * WORDS);
    cr_assert_eq(collect(doc).elements, 0);
    weft_buffer_finish(&now);
    weft_buffer_finish(&text);
    weft_buffer_finish(&before);
    weft_doc_destroy(doc);
    weft_doc_destroy(whole);
}

Test(collect, a_newcomer_gets_the_hash_for_the_text_and_tells_it_on)
{
    struct weft_buffer before;
    struct weft_doc *doc = make_halved(&before);
    struct weft_doc *whole = reload(doc);
    collect(doc);
    struct weft_doc *newcomer = make(BOB);
    struct weft_apply_result result = pull(newcomer, doc, WEFT_APPLY_DOUBT);
    cr_assert(result.runs_invalid == 1 && result.reason == WEFT_COLLECTED);
    result = pull(newcomer, doc, WEFT_APPLY_STRICT);
    cr_assert_eq(result.runs_invalid + result.runs_missing, 0);
    check_same(newcomer, whole);
    struct weft_doc *loaded = reload(newcomer);
    check_same(loaded, whole);
    cr_assert_eq(weft_doc_stats(loaded).collected, 3 * WORDS);
    struct weft_doc *third = make(BOB + 1);
    pull(third, loaded, WEFT_APPLY_PARK);
    check_same(third, whole);
    // What is inserted inside of what is gone finds its place.
    insert(third, 3 * WORDS, "here");
    pull(whole, third, WEFT_APPLY_STRICT);
    check_same(third, whole);
    weft_buffer_finish(&before);
    weft_doc_destroy(doc);
    weft_doc_destroy(whole);
    weft_doc_destroy(newcomer);
    weft_doc_destroy(loaded);
    weft_doc_destroy(third);
}

Test(collect, who_has_the_text_can_undo_and_so_gives_it_back_to_all)
{
    struct weft_doc *alice = make(ALICE);
    struct weft_doc *bob = make(BOB);
    struct weft_undo *undo;
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_undo_create(&undo, alice, ALICE, NULL), WEFT_OK);
    insert(alice, 0, "a first word and then ");
    cr_assert_eq(weft_undo_note(undo, alice, 1000), WEFT_OK);
    for (int i = 0; i < 40; i++)
        insert(alice, 22, "w\xc3\xb6rds ");
    cr_assert_eq(weft_undo_note(undo, alice, 5000), WEFT_OK);
    cr_assert_eq(weft_doc_delete(alice, WEFT_SCALARS, 20, 200), WEFT_OK);
    cr_assert_eq(weft_undo_note(undo, alice, 9000), WEFT_OK);
    pull(bob, alice, WEFT_APPLY_STRICT);
    cr_assert_gt(collect(bob).elements, 100);
    struct weft_doc *late = reload(bob); // that collected, too
    // Bob doubts: he cannot know whether it is this text.
    cr_assert_eq(weft_undo_undo(&delta, undo, alice), WEFT_OK);
    struct weft_apply_result result;
    cr_assert_eq(weft_doc_apply(&result, bob, WEFT_APPLY_DOUBT, delta.data, delta.size), WEFT_OK);
    cr_assert(result.runs_invalid > 0 && result.reason == WEFT_COLLECTED);
    pull(bob, alice, WEFT_APPLY_STRICT);
    check_same(alice, bob);
    collect(bob); // does not take it away again
    pull(late, bob, WEFT_APPLY_STRICT);
    check_same(alice, late);
    // What Alice collects herself she cannot undo; the step before it she can.
    cr_assert_eq(weft_undo_redo(&delta, undo, alice), WEFT_OK);
    weft_undo_destroy(undo);
    weft_doc_destroy(alice);
    weft_doc_destroy(bob);
    weft_doc_destroy(late);
    weft_buffer_finish(&delta);
}

Test(collect, undoing_what_is_gone_says_so_once_and_goes_on_with_the_step_before)
{
    struct weft_doc *doc = make(ALICE);
    struct weft_undo *undo;
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_undo_create(&undo, doc, ALICE, NULL), WEFT_OK);
    for (int i = 0; i < WORDS; i++)
        insert(doc, 0, "words ");
    cr_assert_eq(weft_undo_note(undo, doc, 1000), WEFT_OK);
    cr_assert_eq(weft_doc_delete(doc, WEFT_SCALARS, 0, 200), WEFT_OK);
    cr_assert_eq(weft_undo_note(undo, doc, 5000), WEFT_OK);
    cr_assert_gt(collect(doc).elements, 100);
    uint64_t length = weft_doc_length(doc, WEFT_SCALARS);
    cr_assert_eq(weft_undo_undo(&delta, undo, doc), WEFT_COLLECTED);
    cr_assert_eq(weft_doc_length(doc, WEFT_SCALARS), length);
    cr_assert_eq(weft_undo_undo(&delta, undo, doc), WEFT_OK);
    cr_assert_eq(weft_doc_length(doc, WEFT_SCALARS), 0);
    weft_undo_destroy(undo);
    weft_doc_destroy(doc);
    weft_buffer_finish(&delta);
}

// ------------------------------------------------------------------------------------- made by
// hand

/// A blank insert of 128 elements, and what its text is said to hash to.
static struct weft_run blank(uint8_t *text, uint8_t hash_byte)
{
    size_t size = 0;
    text[size++] = 0xfe;
    text[size++] = 0; // block 0
    memset(text + size, hash_byte, 32);
    size += 32;
    text[size++] = 0xff;
    text[size++] = 0x80;
    text[size++] = 0x01;
    return (struct weft_run){.kind = WEFT_RUN_COLLECTED,
                             .length = 128,
                             .agent = ALICE,
                             .lamport = 1,
                             .target = WEFT_ID_ROOT,
                             .text = text,
                             .text_size = size};
}

static enum weft_status apply(struct weft_doc *doc, const struct weft_run *run)
{
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&delta, NULL);
    delta_of_runs(&delta, run, 1);
    enum weft_status status =
        weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta.data, delta.size);
    weft_buffer_finish(&delta);
    return status != WEFT_OK ? status : result.reason;
}

Test(collect, a_blank_without_its_delete_is_not_shown_and_nobody_is_equal_to_it)
{
    uint8_t bytes[64];
    struct weft_doc *docs[2] = {make(BOB), make(BOB)};
    struct weft_digest digests[3];
    uint64_t lacking;
    for (int i = 0; i < 2; i++) {
        struct weft_run run = blank(bytes, (uint8_t)(17 * i));
        cr_assert_eq(apply(docs[i], &run), WEFT_OK);
        cr_assert_eq(weft_doc_length(docs[i], WEFT_SCALARS), 0);
        cr_assert_eq(weft_doc_lacking(&lacking, docs[i]), WEFT_OK);
        cr_assert_eq(lacking, 128);
        cr_assert_null(weft_doc_check(docs[i]));
        cr_assert_eq(weft_doc_digest(&digests[i], docs[i]), WEFT_OK);
    }
    // Another hash is another digest, and the first one told is kept.
    cr_assert_neq(memcmp(&digests[0], &digests[1], sizeof digests[0]), 0);
    struct weft_run again = blank(bytes, 99);
    cr_assert_eq(apply(docs[0], &again), WEFT_OK);
    cr_assert_eq(weft_doc_digest(&digests[2], docs[0]), WEFT_OK);
    cr_assert_eq(memcmp(&digests[0], &digests[2], sizeof digests[0]), 0);
    struct weft_doc *loaded = reload(docs[0]);
    check_same(loaded, docs[0]);
    struct weft_run deleting = {
        .kind = WEFT_RUN_DELETE, .length = 128, .agent = BOB, .lamport = 129, .target = {ALICE, 0}};
    cr_assert_eq(apply(docs[0], &deleting), WEFT_OK);
    cr_assert_eq(weft_doc_lacking(&lacking, docs[0]), WEFT_OK);
    cr_assert_eq(lacking, 0);
    cr_assert_null(weft_doc_check(docs[0]));
    weft_doc_destroy(docs[0]);
    weft_doc_destroy(docs[1]);
    weft_doc_destroy(loaded);
}

Test(collect, gaps_outside_of_a_part_whose_hash_is_told_are_malformed)
{
    uint8_t bytes[64];
    struct weft_doc *doc = make(BOB);
    struct weft_run run = blank(bytes, 1);
    run.length = 129; // one more than the block has
    bytes[run.text_size - 2] = 0x81;
    cr_assert_eq(apply(doc, &run), WEFT_MALFORMED);
    run = blank(bytes, 1);
    bytes[1] = 2; // the next block
    cr_assert_eq(apply(doc, &run), WEFT_MALFORMED);
    run = blank(bytes, 1);
    bytes[1] = 3; // a chunk that begins there
    cr_assert_eq(apply(doc, &run), WEFT_MALFORMED);
    run = blank(bytes, 1);
    run.text += 34; // no hash at all
    run.text_size -= 34;
    cr_assert_eq(apply(doc, &run), WEFT_MALFORMED);
    cr_assert_eq(weft_doc_stats(doc).atoms, 0);
    weft_doc_destroy(doc);
}
