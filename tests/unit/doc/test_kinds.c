// SPDX-License-Identifier: MIT
// Operations of kinds that this build does not know, or knows and does not use: whatever they carry
// is kept, counted, and passed on untouched by all ways that operations go.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/history.h>

#include "tests/support/deltas.h"

enum { KIND_LAST = 15, LARGE = 60000 };

static const uint8_t bytes[LARGE] = "\xff\x00\xc3(\x80 anything, which need not be text";

/// A log in which every kind stands between edits: 'a' and a delete of it, a run of each kind from
/// 3 to 15, and more text behind each.
struct script {
    struct weft_run runs[DELTA_RUNS_MAX];
    size_t count;
    uint64_t seq;
};

static void add(struct script *script, struct weft_run run)
{
    run.agent = 1;
    run.seq = script->seq;
    run.lamport = script->seq + 1;
    script->seq += run.length;
    script->runs[script->count++] = run;
}

static void add_letter(struct script *script, const char *letter, struct weft_id parent)
{
    add(script,
        (struct weft_run){
            .length = 1, .target = parent, .text = (const uint8_t *)letter, .text_size = 1});
}

static struct script all_kinds(void)
{
    struct script script = {.count = 0};
    add_letter(&script, "a", WEFT_ID_ROOT);
    for (uint8_t kind = WEFT_RUN_MARK; kind <= KIND_LAST; kind++) {
        bool nop = kind == WEFT_RUN_NOP;
        size_t size = nop ? 0 : kind == 9 ? LARGE : kind == 10 ? 0 : (size_t)kind * 3;
        add(&script, (struct weft_run){.kind = kind,
                                       .length = kind % 3 + 1u,
                                       .text = size > 0 ? bytes : NULL,
                                       .text_size = size});
        add_letter(&script, "b", (struct weft_id){1, 0});
    }
    add(&script, (struct weft_run){.kind = WEFT_RUN_DELETE, .length = 1, .target = {1, 0}});
    return script;
}

static struct weft_doc *doc_of(const struct script *script)
{
    struct weft_doc *doc;
    struct weft_buffer delta;
    struct weft_apply_result result;
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    weft_buffer_init(&delta, NULL);
    delta_of_runs(&delta, script->runs, script->count);
    cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta.data, delta.size), WEFT_OK);
    cr_assert_eq(result.atoms_applied, script->seq);
    cr_assert_eq(result.runs_invalid + result.runs_missing + result.runs_parked, 0);
    weft_buffer_finish(&delta);
    return doc;
}

static struct weft_digest digest(struct weft_doc *doc)
{
    struct weft_digest digest;
    cr_assert_eq(weft_doc_digest(&digest, doc), WEFT_OK);
    return digest;
}

/// How far visiting came; the letters of the script may be joined with nothing.
struct visit {
    const struct script *script;
    size_t at;
};

static bool is_next(void *context, const struct weft_run *run)
{
    struct visit *visit = context;
    cr_assert_lt(visit->at, visit->script->count);
    const struct weft_run *is = &visit->script->runs[visit->at++];
    cr_assert(run->kind == is->kind && run->length == is->length && run->agent == is->agent &&
                  run->seq == is->seq && run->lamport == is->lamport,
              "run %zu is kind %u, %u atoms", visit->at - 1, run->kind, run->length);
    cr_assert_eq(run->text_size, is->text_size);
    cr_assert(is->text_size == 0 || memcmp(run->text, is->text, is->text_size) == 0);
    return true;
}

/// Whether a document is that of the script, operation by operation.
static void check_same(struct weft_doc *doc, const struct script *script, struct weft_digest same)
{
    struct visit visit = {script, 0};
    struct weft_digest now = digest(doc);
    weft_doc_visit_runs(doc, is_next, &visit);
    cr_assert_eq(visit.at, script->count);
    cr_assert_eq(weft_doc_length(doc, WEFT_SCALARS), KIND_LAST - WEFT_RUN_MARK + 1);
    cr_assert_eq(memcmp(&now, &same, sizeof(now)), 0, "the digest is another one");
    cr_assert_null(weft_doc_check(doc));
}

Test(kinds, all_go_from_replica_to_replica_as_they_are)
{
    struct script script = all_kinds();
    struct weft_doc *first = doc_of(&script);
    struct weft_doc *second;
    struct weft_buffer delta;
    struct weft_apply_result result;
    struct weft_digest same = digest(first);
    weft_buffer_init(&delta, NULL);
    check_same(first, &script, same);
    cr_assert_eq(weft_doc_create(&second, NULL), WEFT_OK);
    cr_assert_eq(weft_doc_delta_since(&delta, first, NULL, 0), WEFT_OK);
    cr_assert_eq(weft_doc_apply(&result, second, WEFT_APPLY_STRICT, delta.data, delta.size),
                 WEFT_OK);
    check_same(second, &script, same);
    cr_assert_eq(weft_doc_apply(&result, second, WEFT_APPLY_STRICT, delta.data, delta.size),
                 WEFT_OK);
    cr_assert_eq(result.atoms_applied, 0);
    check_same(second, &script, same);
    weft_buffer_finish(&delta);
    weft_doc_destroy(first);
    weft_doc_destroy(second);
}

Test(kinds, all_wait_for_their_causes_and_come_out_of_waiting_as_they_are)
{
    struct script script = all_kinds();
    struct weft_doc *first = doc_of(&script);
    struct weft_doc *second;
    struct weft_apply_result result;
    cr_assert_eq(weft_doc_create(&second, NULL), WEFT_OK);
    for (size_t i = script.count; i-- > 0;) { // the last first
        struct weft_buffer delta;
        weft_buffer_init(&delta, NULL);
        delta_of_runs(&delta, &script.runs[i], 1);
        cr_assert_eq(weft_doc_apply(&result, second, WEFT_APPLY_PARK, delta.data, delta.size),
                     WEFT_OK);
        cr_assert_eq(result.runs_parked, i > 0 ? 1 : 0, "run %zu", i);
        weft_buffer_finish(&delta);
    }
    cr_assert_eq(weft_doc_parked(second), 0);
    check_same(second, &script, digest(first));
    weft_doc_destroy(first);
    weft_doc_destroy(second);
}

Test(kinds, all_are_read_in_pieces_a_large_one_alone)
{
    struct script script = all_kinds();
    struct weft_doc *first = doc_of(&script);
    struct weft_doc *second;
    struct weft_delta_reader *reader;
    struct weft_buffer delta;
    struct weft_apply_result result;
    int pieces = 0;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_create(&second, NULL), WEFT_OK);
    cr_assert_eq(weft_delta_reader_create(&reader, first, NULL, 0), WEFT_OK);
    for (;; pieces++) {
        delta.size = 0;
        cr_assert_eq(weft_delta_reader_next(&delta, reader, 32 << 10), WEFT_OK);
        if (delta.size == 0)
            break;
        cr_assert_eq(weft_doc_apply(&result, second, WEFT_APPLY_STRICT, delta.data, delta.size),
                     WEFT_OK);
        cr_assert_gt(result.atoms_applied, 0);
    }
    cr_assert_eq(pieces, 3, "before the large one, it, and what is behind it: %d", pieces);
    check_same(second, &script, digest(first));
    weft_delta_reader_destroy(reader);
    weft_buffer_finish(&delta);
    weft_doc_destroy(first);
    weft_doc_destroy(second);
}

Test(kinds, all_are_kept_in_a_snapshot_and_the_document_is_edited_on)
{
    struct script script = all_kinds();
    struct weft_doc *first = doc_of(&script);
    struct weft_doc *second;
    struct weft_buffer structure;
    struct weft_buffer text;
    struct weft_buffer tombs;
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&structure, NULL);
    weft_buffer_init(&text, NULL);
    weft_buffer_init(&tombs, NULL);
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_snapshot(&structure, &text, &tombs, first), WEFT_OK);
    struct weft_snapshot snapshot = {structure.data, structure.size, text.data,
                                     text.size,      tombs.data,     tombs.size};
    cr_assert_eq(weft_doc_load(&second, &snapshot, NULL), WEFT_OK);
    check_same(second, &script, digest(first));
    // The author goes on after operations that this build does not understand.
    cr_assert_eq(weft_doc_set_agent(second, 1), WEFT_OK);
    cr_assert_eq(weft_doc_insert(second, WEFT_SCALARS, 3, (const uint8_t *)"on", 2), WEFT_OK);
    cr_assert_eq(weft_doc_delta_own(&delta, second, 1, script.seq), WEFT_OK);
    cr_assert_eq(weft_doc_apply(&result, first, WEFT_APPLY_STRICT, delta.data, delta.size),
                 WEFT_OK);
    struct weft_digest here = digest(first);
    struct weft_digest there = digest(second);
    cr_assert_eq(memcmp(&here, &there, sizeof(here)), 0);
    text.size = 0;
    cr_assert_eq(weft_doc_text(&text, first), WEFT_OK);
    cr_assert_eq(text.size, KIND_LAST - WEFT_RUN_MARK + 1 + 2);
    weft_buffer_finish(&structure);
    weft_buffer_finish(&text);
    weft_buffer_finish(&tombs);
    weft_buffer_finish(&delta);
    weft_doc_destroy(first);
    weft_doc_destroy(second);
}

Test(kinds, one_byte_of_what_one_carries_changes_the_digest)
{
    struct script script = all_kinds();
    struct weft_doc *first = doc_of(&script);
    struct weft_digest same = digest(first);
    for (size_t i = 0; i < script.count; i++) {
        struct script other = script;
        static uint8_t changed[LARGE];
        if (script.runs[i].kind < WEFT_RUN_MARK || script.runs[i].text_size == 0)
            continue;
        memcpy(changed, bytes, sizeof(changed));
        changed[script.runs[i].text_size - 1] ^= 1;
        other.runs[i].text = changed;
        struct weft_doc *second = doc_of(&other);
        struct weft_digest differs = digest(second);
        cr_expect_neq(memcmp(&same, &differs, sizeof(same)), 0, "kind %u", script.runs[i].kind);
        weft_doc_destroy(second);
    }
    weft_doc_destroy(first);
}

Test(kinds, a_version_may_stand_between_any_two)
{
    struct script script = all_kinds();
    struct weft_doc *doc = doc_of(&script);
    for (size_t i = 0; i < script.count; i++) { // what is in front of run i, and then the rest
        struct script half = script;
        struct weft_buffer version;
        struct weft_buffer delta;
        struct weft_apply_result result;
        uint64_t length = UINT64_MAX;
        if (i == 0)
            continue;
        half.count = i;
        half.seq = script.runs[i].seq;
        struct weft_doc *behind = doc_of(&half);
        weft_buffer_init(&version, NULL);
        weft_buffer_init(&delta, NULL);
        cr_assert_eq(weft_doc_version(&version, behind), WEFT_OK);
        cr_assert_eq(weft_doc_length_at(&length, doc, WEFT_SCALARS, version.data, version.size),
                     WEFT_OK);
        cr_assert_eq(length, weft_doc_length(behind, WEFT_SCALARS));
        cr_assert_eq(weft_doc_delta_since(&delta, doc, version.data, version.size), WEFT_OK);
        cr_assert_eq(weft_doc_apply(&result, behind, WEFT_APPLY_STRICT, delta.data, delta.size),
                     WEFT_OK);
        cr_assert_eq(result.runs_duplicate, 0, "nothing that was there is sent");
        check_same(behind, &script, digest(doc));
        weft_buffer_finish(&version);
        weft_buffer_finish(&delta);
        weft_doc_destroy(behind);
    }
    weft_doc_destroy(doc);
}
