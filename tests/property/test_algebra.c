// SPDX-License-Identifier: MIT
// Laws of deltas, versions and snapshots.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/version.h>

#include "tests/support/deltas.h"
#include "tests/support/documents.h"

enum { AGENT_A = 7, AGENT_B = 3, AGENT_C = 11 };

/// A few edits of one replica.
static void edit_some(struct property *property, struct replica *replica, uint64_t edits_max)
{
    for (uint64_t left = random_between(&property->random, 1, edits_max); left > 0; left--)
        if (random_permille(&property->random, 150))
            replica_undelete(property, replica);
        else
            replica_edit(property, replica, TEXT_MIXED);
}

/// All that `doc` holds since an encoded version.
static struct weft_buffer delta_since(const struct property *property, const struct weft_doc *doc,
                                      const struct weft_buffer *version)
{
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    CHECK_OK(property, weft_doc_delta_since(&delta, doc, version->data, version->size));
    return delta;
}

/// A new document with what the deltas bring.
static struct weft_doc *doc_of(const struct property *property,
                               const struct weft_buffer *const *deltas, size_t count)
{
    struct weft_doc *doc = NULL;
    CHECK_OK(property, weft_doc_create(&doc, NULL));
    for (size_t i = 0; i < count; i++)
        if (deltas[i]->size > 0)
            replica_apply(property, doc, WEFT_APPLY_PARK, deltas[i]->data, deltas[i]->size);
    return doc;
}

Test(algebra, merging_is_commutative_and_idempotent)
{
    for (struct property p = property_start("commutative, idempotent", 300); property_next(&p);) {
        struct replica a;
        struct replica b;
        struct weft_buffer nothing;
        weft_buffer_init(&nothing, NULL);
        replica_init(&p, &a, AGENT_A, NULL);
        replica_init(&p, &b, AGENT_B, NULL);
        edit_some(&p, &a, 10);
        struct weft_buffer base = delta_since(&p, a.doc, &nothing);
        struct weft_buffer version = document_version(&p, a.doc);
        replica_pull(&p, b.doc, a.doc);
        edit_some(&p, &a, 20);
        edit_some(&p, &b, 20);
        struct weft_buffer of_a = delta_since(&p, a.doc, &version);
        struct weft_buffer of_b = delta_since(&p, b.doc, &version);
        const struct weft_buffer *orders[][5] = {
            {&base, &of_a, &of_b, NULL, NULL},   {&base, &of_b, &of_a, NULL, NULL},
            {&of_b, &of_a, &base, NULL, NULL},   {&of_a, &of_b, &of_a, &base, &of_b},
            {&base, &base, &of_b, &of_b, &of_a},
        };
        struct weft_doc *first = NULL;
        for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
            size_t count = orders[i][3] == NULL ? 3 : 5;
            struct weft_doc *doc = doc_of(&p, orders[i], count);
            CHECK(&p, weft_doc_parked(doc) == 0, "order %zu leaves something parked", i);
            document_check_sound(&p, doc);
            if (first == NULL)
                first = doc;
            document_check_equal(&p, first, doc);
            if (doc != first)
                weft_doc_destroy(doc);
        }
        weft_doc_destroy(first);
        replica_pull(&p, a.doc, b.doc);
        replica_pull(&p, b.doc, a.doc);
        document_check_equal(&p, a.doc, b.doc);
        struct weft_buffer *all[] = {&base, &version, &of_a, &of_b};
        for (size_t i = 0; i < 4; i++)
            weft_buffer_finish(all[i]);
        replica_finish(&a);
        replica_finish(&b);
    }
}

Test(algebra, a_local_edit_is_the_remote_application_of_its_own_delta)
{
    for (struct property p = property_start("local is remote", 300); property_next(&p);) {
        struct replica local;
        struct replica remote;
        replica_init(&p, &local, AGENT_A, NULL);
        replica_init(&p, &remote, AGENT_B, NULL);
        for (uint64_t left = random_between(&p.random, 1, 40); left > 0; left--) {
            uint64_t seq = weft_doc_next_seq(local.doc, AGENT_A);
            replica_edit(&p, &local, TEXT_MIXED);
            struct weft_buffer delta;
            weft_buffer_init(&delta, NULL);
            CHECK_OK(&p, weft_doc_delta_own(&delta, local.doc, AGENT_A, seq));
            if (delta.size > 0) {
                struct weft_apply_result result =
                    replica_apply(&p, remote.doc, WEFT_APPLY_STRICT, delta.data, delta.size);
                CHECK(&p, result.atoms_applied == weft_doc_next_seq(local.doc, AGENT_A) - seq,
                      "as many atoms as the edit took seqs");
            }
            weft_buffer_finish(&delta);
        }
        document_check_equal(&p, local.doc, remote.doc);
        document_check_sound(&p, remote.doc);
        CHECK(&p,
              remote.told.size == local.told.size &&
                  (local.told.size == 0 ||
                   memcmp(remote.told.data, local.told.data, local.told.size) == 0),
              "both observers must be told the same text");
        replica_finish(&local);
        replica_finish(&remote);
    }
}

Test(algebra, a_snapshot_loads_to_the_same_document_which_stays_editable)
{
    for (struct property p = property_start("load of snapshot", 300); property_next(&p);) {
        struct replica a;
        struct replica b;
        replica_init(&p, &a, AGENT_A, NULL);
        replica_init(&p, &b, AGENT_B, NULL);
        edit_some(&p, &a, 20);
        edit_some(&p, &b, 20);
        replica_pull(&p, a.doc, b.doc);
        edit_some(&p, &a, 10);
        struct weft_doc *loaded = replica_reload(&p, a.doc, NULL);
        document_check_equal(&p, a.doc, loaded);
        document_check_sound(&p, loaded);
        weft_doc_destroy(loaded);
        // The same edits go on in both; what others bring comes to both.
        struct replica twin = {.agent = AGENT_A};
        weft_buffer_init(&twin.told, NULL);
        twin.doc = replica_reload(&p, a.doc, NULL);
        CHECK_OK(&p, weft_doc_set_agent(twin.doc, AGENT_A));
        CHECK_OK(&p, weft_buffer_append(&twin.told, a.told.data, a.told.size));
        twin.hot = a.hot;
        struct random before = p.random;
        edit_some(&p, &a, 20);
        p.random = before;
        edit_some(&p, &twin, 20);
        document_check_equal(&p, a.doc, twin.doc);
        edit_some(&p, &b, 10);
        replica_pull(&p, a.doc, b.doc);
        replica_pull(&p, twin.doc, b.doc);
        document_check_equal(&p, a.doc, twin.doc);
        document_check_sound(&p, twin.doc);
        replica_finish(&a);
        replica_finish(&b);
        replica_finish(&twin);
    }
}

/// Brings all operations in deltas that are cut at random atoms, so that runs arrive in pieces.
static struct weft_doc *doc_in_pieces(struct property *property, const struct weft_doc *doc,
                                      const uint64_t *agents, size_t agent_count)
{
    struct weft_doc *pieces = NULL;
    CHECK_OK(property, weft_doc_create(&pieces, NULL));
    uint64_t from[3] = {0, 0, 0};
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < agent_count; i++) {
            uint64_t next = weft_doc_next_seq(doc, agents[i]);
            if (from[i] >= next)
                continue;
            // From any atom on to the end: the rest is cut away by what the receiver knows.
            struct weft_buffer delta;
            weft_buffer_init(&delta, NULL);
            uint64_t seq = next - 1 - random_below(&property->random, next - from[i]);
            CHECK_OK(property, weft_doc_delta_own(&delta, doc, agents[i], seq));
            replica_apply(property, pieces, WEFT_APPLY_PARK, delta.data, delta.size);
            if (seq == from[i])
                from[i] = next;
            weft_buffer_finish(&delta);
            more = true;
        }
    }
    return pieces;
}

Test(algebra, runs_split_at_any_atom_give_the_same_document_and_digest)
{
    for (struct property p = property_start("split runs", 200); property_next(&p);) {
        static const uint64_t agents[] = {AGENT_A, AGENT_B, AGENT_C};
        struct replica replicas[3];
        for (size_t i = 0; i < 3; i++)
            replica_init(&p, &replicas[i], agents[i], NULL);
        for (int meeting = 0; meeting < 3; meeting++)
            for (size_t i = 0; i < 3; i++) {
                edit_some(&p, &replicas[i], 4);
                replica_pull(&p, replicas[(i + 1) % 3].doc, replicas[i].doc);
            }
        struct weft_doc *whole = replicas[0].doc;
        replica_pull(&p, whole, replicas[1].doc);
        replica_pull(&p, whole, replicas[2].doc);
        struct weft_doc *pieces = doc_in_pieces(&p, whole, agents, 3);
        CHECK(&p, weft_doc_parked(pieces) == 0, "nothing may wait when all pieces came");
        document_check_equal(&p, whole, pieces);
        document_check_sound(&p, pieces);
        weft_doc_destroy(pieces);
        for (size_t i = 0; i < 3; i++)
            replica_finish(&replicas[i]);
    }
}

Test(algebra, a_reader_brings_in_pieces_of_bounded_size_what_a_version_lacks)
{
    for (struct property p = property_start("delta reader", 60); property_next(&p);) {
        struct replica a;
        struct replica b;
        replica_init(&p, &a, AGENT_A, NULL);
        replica_init(&p, &b, AGENT_B, NULL);
        edit_some(&p, &a, 10);
        struct weft_buffer version = document_version(&p, a.doc);
        replica_pull(&p, b.doc, a.doc);
        for (uint64_t left = random_below(&p.random, 3); left > 0; left--) {
            struct weft_buffer text; // greater than a piece
            weft_buffer_init(&text, NULL);
            text_add_random(&text, &p.random, TEXT_MIXED, random_between(&p.random, 1, 40000));
            CHECK_OK(&p, weft_doc_insert(a.doc, WEFT_SCALARS, 0, text.data, text.size));
            weft_buffer_finish(&text);
        }
        struct weft_delta_reader *reader = NULL;
        CHECK_OK(&p, weft_delta_reader_create(&reader, a.doc, version.data, version.size));
        size_t size_max = random_between(&p.random, 32768, 65536);
        struct weft_buffer piece;
        weft_buffer_init(&piece, NULL);
        for (bool edited = false;;) {
            piece.size = 0;
            CHECK_OK(&p, weft_delta_reader_next(&piece, reader, size_max));
            if (piece.size == 0 && edited)
                break;
            if (!edited) { // what comes meanwhile is read too
                edit_some(&p, &a, 5);
                edited = true;
            }
            CHECK(&p, piece.size <= size_max, "a piece of %zu bytes", piece.size);
            if (piece.size > 0) {
                struct weft_apply_result result =
                    replica_apply(&p, b.doc, WEFT_APPLY_STRICT, piece.data, piece.size);
                CHECK(&p, result.runs_missing == 0 && result.runs_duplicate == 0,
                      "pieces are in causal order and bring only what is new");
            }
        }
        weft_delta_reader_destroy(reader);
        document_check_equal(&p, a.doc, b.doc);
        weft_buffer_finish(&piece);
        weft_buffer_finish(&version);
        replica_finish(&a);
        replica_finish(&b);
    }
}

/// Two delete a word, one of them as two runs; both undelete, one in part. The first is told twice.
static const struct weft_run undeleting[] = {
    {.length = 6,
     .agent = AGENT_A,
     .lamport = 1,
     .target = {0, UINT64_MAX},
     .text = (const uint8_t *)"a word",
     .text_size = 6},
    {.kind = WEFT_RUN_DELETE, .length = 4, .agent = AGENT_B, .lamport = 7, .target = {AGENT_A, 2}},
    {.kind = WEFT_RUN_DELETE,
     .backward = true,
     .length = 3,
     .agent = AGENT_C,
     .lamport = 7,
     .target = {AGENT_A, 5}},
    {.kind = WEFT_RUN_UNDELETE,
     .length = 4,
     .agent = AGENT_B,
     .seq = 4,
     .lamport = 11,
     .target = {AGENT_B, 0},
     .text = (const uint8_t *)"word",
     .text_size = 4},
    {.kind = WEFT_RUN_UNDELETE,
     .length = 1,
     .agent = AGENT_A,
     .seq = 6,
     .lamport = 11,
     .target = {AGENT_C, 1},
     .text = (const uint8_t *)"r",
     .text_size = 1},
    {.kind = WEFT_RUN_UNDELETE,
     .length = 2,
     .agent = AGENT_C,
     .seq = 3,
     .lamport = 11,
     .target = {AGENT_C, 0},
     .text = (const uint8_t *)"dr",
     .text_size = 2},
};
enum { UNDELETING = sizeof(undeleting) / sizeof(undeleting[0]), ORDERS = 720 };

Test(algebra, undeletes_that_come_in_any_order_before_and_after_what_they_cancel_are_the_same)
{
    for (uint32_t order = 0; order < ORDERS; order++) {
        struct weft_doc *doc = NULL;
        struct weft_run left[UNDELETING];
        memcpy(left, undeleting, sizeof(left));
        cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
        uint32_t rest = order;
        for (uint32_t count = UNDELETING; count > 0; rest /= count--) {
            struct weft_apply_result result;
            struct weft_buffer delta;
            uint32_t pick = rest % count;
            weft_buffer_init(&delta, NULL);
            delta_of_runs(&delta, &left[pick], 1);
            for (int twice = 0; twice < 2; twice++)
                cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_PARK, delta.data, delta.size),
                             WEFT_OK);
            cr_assert_eq(result.runs_invalid, 0);
            cr_assert_null(weft_doc_check(doc), "%s", weft_doc_check(doc));
            weft_buffer_finish(&delta);
            memmove(&left[pick], &left[pick + 1], (count - pick - 1) * sizeof(left[0]));
        }
        struct weft_buffer text;
        weft_buffer_init(&text, NULL);
        cr_assert_eq(weft_doc_text(&text, doc), WEFT_OK);
        cr_assert_eq(weft_doc_parked(doc), 0);
        cr_assert(text.size == 5 && memcmp(text.data, "a wrd", 5) == 0, "order %u", order);
        weft_buffer_finish(&text);
        weft_doc_destroy(doc);
    }
}

Test(algebra, versions_order_and_merge_as_sets_of_operations_do)
{
    for (struct property p = property_start("versions", 300); property_next(&p);) {
        struct replica a;
        struct replica b;
        replica_init(&p, &a, AGENT_A, NULL);
        replica_init(&p, &b, AGENT_B, NULL);
        edit_some(&p, &a, 5);
        replica_pull(&p, b.doc, a.doc);
        bool more_a = random_permille(&p.random, 500);
        bool more_b = random_permille(&p.random, 500);
        struct replica *editing[] = {more_a ? &a : NULL, more_b ? &b : NULL};
        for (size_t i = 0; i < 2; i++)
            if (editing[i] != NULL)
                CHECK_OK(
                    &p, weft_doc_insert(editing[i]->doc, WEFT_SCALARS, 0, (const uint8_t *)"x", 1));
        struct weft_buffer of_a = document_version(&p, a.doc);
        struct weft_buffer of_b = document_version(&p, b.doc);
        enum weft_order order;
        CHECK_OK(&p, weft_version_compare(&order, of_a.data, of_a.size, of_b.data, of_b.size));
        enum weft_order expected = more_a && more_b ? WEFT_ORDER_CONCURRENT
                                   : more_a         ? WEFT_ORDER_AFTER
                                   : more_b         ? WEFT_ORDER_BEFORE
                                                    : WEFT_ORDER_EQUAL;
        CHECK(&p, order == expected, "order %d, expected %d", (int)order, (int)expected);
        struct weft_buffer merged;
        weft_buffer_init(&merged, NULL);
        CHECK_OK(&p, weft_version_merge(&merged, of_a.data, of_a.size, of_b.data, of_b.size));
        replica_pull(&p, a.doc, b.doc);
        struct weft_buffer together = document_version(&p, a.doc);
        CHECK(&p,
              merged.size == together.size && memcmp(merged.data, together.data, merged.size) == 0,
              "the merged version is that of the merged document");
        struct weft_buffer *all[] = {&of_a, &of_b, &merged, &together};
        for (size_t i = 0; i < 4; i++)
            weft_buffer_finish(all[i]);
        replica_finish(&a);
        replica_finish(&b);
    }
}

Test(algebra, typing_stays_one_run_when_the_agent_is_named_again)
{
    struct weft_doc *doc = NULL;
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    for (uint64_t i = 0; i < 100; i++) {
        cr_assert_eq(weft_doc_set_agent(doc, AGENT_A), WEFT_OK);
        cr_assert_eq(weft_doc_insert(doc, WEFT_SCALARS, i, (const uint8_t *)"x", 1), WEFT_OK);
    }
    cr_assert_eq(weft_doc_stats(doc).runs, 1);
    // Another agent's typing is another run, at the same place too.
    cr_assert_eq(weft_doc_set_agent(doc, AGENT_B), WEFT_OK);
    cr_assert_eq(weft_doc_insert(doc, WEFT_SCALARS, 100, (const uint8_t *)"y", 1), WEFT_OK);
    cr_assert_eq(weft_doc_stats(doc).runs, 2);
    cr_assert_null(weft_doc_check(doc));
    weft_doc_destroy(doc);
}

/// Deletes and inserts somewhere, the same in all documents.
static void edit_all(struct property *property, struct weft_doc *const *docs, size_t count)
{
    uint64_t length = weft_doc_length(docs[0], WEFT_SCALARS);
    uint64_t index = random_between(&property->random, 0, length);
    uint64_t deleted = random_between(&property->random, 0, length - index);
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    text_add_random(&text, &property->random, TEXT_MIXED, random_below(&property->random, 6));
    deleted = deleted > 5 ? random_below(&property->random, 5) : deleted;
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(property, weft_doc_delete(docs[i], WEFT_SCALARS, index, deleted));
        CHECK_OK(property, weft_doc_insert(docs[i], WEFT_SCALARS, index, text.data, text.size));
    }
    weft_buffer_finish(&text);
}

// What lets an edit be sent again to another node: docs/decisions/0008.
Test(algebra, an_edit_is_a_function_of_the_operations_that_are_held)
{
    for (struct property p = property_start("same edit, same operations", 300);
         property_next(&p);) {
        struct replica a;
        struct replica b;
        replica_init(&p, &a, AGENT_A, NULL);
        replica_init(&p, &b, AGENT_B, NULL);
        edit_some(&p, &a, 20);
        edit_some(&p, &b, 20);
        replica_pull(&p, a.doc, b.doc);
        edit_some(&p, &a, 10); // its typing may go on; elsewhere it cannot
        replica_pull(&p, b.doc, a.doc);
        struct weft_doc *docs[] = {a.doc, b.doc, replica_reload(&p, a.doc, NULL)};
        uint64_t agent = random_below(&p.random, 2) ? AGENT_A : AGENT_C;
        for (size_t i = 0; i < 3; i++)
            CHECK_OK(&p, weft_doc_set_agent(docs[i], agent));
        for (uint64_t left = random_between(&p.random, 1, 10); left > 0; left--)
            edit_all(&p, docs, 3);
        struct weft_buffer text = document_text(&p, docs[0]);
        text_add_random(&text, &p.random, TEXT_MIXED, 3);
        size_t from = text_byte_of(text.data, text.size, random_below(&p.random, 4));
        for (size_t i = 0; i < 3; i++)
            CHECK_OK(&p, weft_doc_replace_text(docs[i], text.data + from, text.size - from));
        document_check_equal(&p, docs[0], docs[1]);
        document_check_equal(&p, docs[0], docs[2]);
        weft_buffer_finish(&text);
        weft_doc_destroy(docs[2]);
        replica_finish(&a);
        replica_finish(&b);
    }
}

/// Strikes a key at a caret: a character, backspace, delete, or now and then another place.
static void strike(struct property *property, struct weft_doc *doc, uint64_t *caret,
                   uint64_t *length, uint64_t key)
{
    static const char *const characters[] = {"a", "b", "\xc3\xa9", "\xf0\x9f\x98\x80"};
    if (key < 8) {
        const char *text = characters[key < 6 ? key & 1 : key - 4];
        CHECK_OK(property,
                 weft_doc_insert(doc, WEFT_SCALARS, *caret, (const uint8_t *)text, strlen(text)));
        ++*caret;
        ++*length;
    } else if (key < 11 && *caret > 0) {
        CHECK_OK(property, weft_doc_delete(doc, WEFT_SCALARS, --*caret, 1));
        --*length;
    } else if (key < 14 && *caret < *length) {
        CHECK_OK(property, weft_doc_delete(doc, WEFT_SCALARS, *caret, 1));
        --*length;
    } else {
        *caret = *length * (key & 7) / 8;
    }
}

// Keys that follow each other are counted in late; looking at the document counts them in.
Test(algebra, looking_between_strokes_changes_nothing)
{
    for (struct property p = property_start("strokes, looked at or not", 300); property_next(&p);) {
        struct weft_doc *docs[2];
        uint64_t carets[2] = {0, 0};
        uint64_t lengths[2] = {0, 0};
        uint64_t key = 0;
        for (size_t i = 0; i < 2; i++) {
            CHECK_OK(&p, weft_doc_create(&docs[i], NULL));
            CHECK_OK(&p, weft_doc_set_agent(docs[i], AGENT_A));
        }
        for (uint64_t left = random_between(&p.random, 1, 400); left > 0; left--) {
            if (random_below(&p.random, 4) == 0) // else the same key again
                key = random_below(&p.random, 20);
            for (size_t i = 0; i < 2; i++)
                strike(&p, docs[i], &carets[i], &lengths[i], key);
            CHECK(&p, weft_doc_length(docs[1], WEFT_SCALARS) == lengths[1], "the length is known");
        }
        document_check_sound(&p, docs[0]);
        document_check_equal(&p, docs[0], docs[1]);
        CHECK(&p, weft_doc_stats(docs[0]).runs == weft_doc_stats(docs[1]).runs, "the same runs");
        for (size_t i = 0; i < 2; i++)
            weft_doc_destroy(docs[i]);
    }
}

/// Strikes a key in the author's document and lets the others hear of it at once, now and then
/// twice.
static void strike_and_tell(struct property *property, struct weft_doc *const *docs, size_t author,
                            uint64_t agent, uint64_t *caret, uint64_t key)
{
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    uint64_t seq = weft_doc_next_seq(docs[author], agent);
    uint64_t length = weft_doc_length(docs[author], WEFT_SCALARS);
    *caret = *caret < length ? *caret : length; // the others delete too
    strike(property, docs[author], caret, &length, key);
    CHECK_OK(property, weft_doc_delta_own(&delta, docs[author], agent, seq));
    for (size_t i = 0; i < 3 && delta.size > 0; i++) {
        bool twice = random_below(&property->random, 16) == 0;
        for (size_t times = i == author ? 0 : twice ? 2 : 1; times > 0; times--) {
            struct weft_apply_result result =
                replica_apply(property, docs[i], WEFT_APPLY_STRICT, delta.data, delta.size);
            CHECK(property, result.runs_missing == 0, "strokes are heard of in order");
        }
    }
    weft_buffer_finish(&delta);
}

// Characters heard of one by one are counted in late too. The third document only hears.
Test(algebra, strokes_heard_of_one_by_one_give_the_document_they_were_struck_in)
{
    static const uint64_t agents[] = {AGENT_A, AGENT_B};
    for (struct property p = property_start("strokes, heard of", 300); property_next(&p);) {
        struct weft_doc *docs[3];
        uint64_t carets[2] = {0, 0};
        uint64_t key = 0;
        size_t author = 0;
        for (size_t i = 0; i < 3; i++)
            CHECK_OK(&p, weft_doc_create(&docs[i], NULL));
        for (size_t i = 0; i < 2; i++)
            CHECK_OK(&p, weft_doc_set_agent(docs[i], agents[i]));
        for (uint64_t left = random_between(&p.random, 1, 400); left > 0; left--) {
            if (random_below(&p.random, 4) == 0)
                key = random_below(&p.random, 20);
            if (random_below(&p.random, 8) == 0)
                author = 1 - author;
            strike_and_tell(&p, docs, author, agents[author], &carets[author], key);
        }
        document_check_sound(&p, docs[2]);
        document_check_equal(&p, docs[0], docs[2]);
        document_check_equal(&p, docs[1], docs[2]);
        for (size_t i = 0; i < 3; i++)
            weft_doc_destroy(docs[i]);
    }
}
