// SPDX-License-Identifier: MIT
#include "tests/support/documents.h"

#include <stdlib.h>
#include <string.h>

#include <weft/history.h>

#include "base/utf8.h"
#include "tests/support/deltas.h"
#include "tests/support/oracle.h"

static void note_change(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                        size_t text_size)
{
    struct replica *replica = context;
    text_splice(&replica->told, index, deleted, text, text_size);
}

void replica_init(const struct property *property, struct replica *replica, uint64_t agent,
                  const struct weft_doc_options *options)
{
    *replica = (struct replica){.agent = agent};
    weft_buffer_init(&replica->told, NULL);
    CHECK_OK(property, weft_doc_create(&replica->doc, options));
    CHECK_OK(property, weft_doc_set_agent(replica->doc, agent));
    weft_doc_observe(replica->doc, note_change, replica);
}

void replica_finish(struct replica *replica)
{
    weft_doc_destroy(replica->doc);
    weft_buffer_finish(&replica->told);
    replica->doc = NULL;
}

void replica_set_agent(const struct property *property, struct replica *replica, uint64_t agent)
{
    replica->agent = agent;
    CHECK_OK(property, weft_doc_set_agent(replica->doc, agent));
}

struct weft_doc *replica_reload(const struct property *property, const struct weft_doc *doc,
                                const struct weft_doc_options *options)
{
    struct weft_buffer parts[3];
    for (int i = 0; i < 3; i++)
        weft_buffer_init(&parts[i], NULL);
    CHECK_OK(property, weft_doc_snapshot(&parts[0], &parts[1], &parts[2], doc));
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    struct weft_doc *loaded = NULL;
    CHECK_OK(property, weft_doc_load(&loaded, &snapshot, options));
    for (int i = 0; i < 3; i++)
        weft_buffer_finish(&parts[i]);
    return loaded;
}

void replica_restart(const struct property *property, struct replica *replica,
                     const struct weft_doc_options *options)
{
    struct weft_doc *loaded = replica_reload(property, replica->doc, options);
    weft_doc_destroy(replica->doc);
    replica->doc = loaded;
    CHECK_OK(property, weft_doc_set_agent(loaded, replica->agent));
    weft_doc_observe(loaded, note_change, replica);
}

struct weft_buffer document_text(const struct property *property, const struct weft_doc *doc)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    CHECK_OK(property, weft_doc_text(&text, doc));
    return text;
}

struct weft_buffer document_version(const struct property *property, const struct weft_doc *doc)
{
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    CHECK_OK(property, weft_doc_version(&version, doc));
    return version;
}

struct weft_digest document_digest(const struct property *property, struct weft_doc *doc)
{
    struct weft_digest digest;
    CHECK_OK(property, weft_doc_digest(&digest, doc));
    return digest;
}

// ---------------------------------------------------------------------------------------- editing

/// One splice, done to the document and to `expected`.
static void splice(const struct property *property, struct replica *replica,
                   struct weft_buffer *expected, uint64_t index, uint64_t deleted,
                   const uint8_t *text, size_t size)
{
    text_splice(expected, index, deleted, text, size);
    if (deleted > 0)
        CHECK_OK(property, weft_doc_delete(replica->doc, WEFT_SCALARS, index, deleted));
    if (size > 0)
        CHECK_OK(property, weft_doc_insert(replica->doc, WEFT_SCALARS, index, text, size));
}

/// Types characters one by one: forward, or each before the one typed last.
static void type(struct property *property, struct replica *replica, struct weft_buffer *expected,
                 enum text_alphabet alphabet, bool backward)
{
    uint64_t at = replica->hot;
    for (uint64_t left = random_between(&property->random, 1, 12); left > 0; left--) {
        uint8_t bytes[8];
        struct weft_buffer key = {.data = bytes, .capacity = sizeof(bytes)};
        size_t size = text_add_character(&key, &property->random, alphabet);
        splice(property, replica, expected, at, 0, bytes, size);
        at += backward ? 0 : 1;
    }
    replica->hot = at;
}

static void paste(struct property *property, struct replica *replica, struct weft_buffer *expected,
                  enum text_alphabet alphabet, uint64_t deleted)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    text_add_random(&text, &property->random, alphabet, random_between(&property->random, 1, 60));
    splice(property, replica, expected, replica->hot, deleted, text.data, text.size);
    weft_buffer_finish(&text);
}

static void backspace(struct property *property, struct replica *replica,
                      struct weft_buffer *expected)
{
    for (uint64_t left = random_between(&property->random, 1, 10); left > 0 && replica->hot > 0;
         left--) {
        replica->hot--;
        splice(property, replica, expected, replica->hot, 1, NULL, 0);
    }
}

/// Changes a few places of a copy and hands the whole text in.
static void replace(struct property *property, struct replica *replica,
                    struct weft_buffer *expected, enum text_alphabet alphabet)
{
    for (uint64_t left = random_between(&property->random, 1, 4); left > 0; left--) {
        struct weft_buffer text;
        weft_buffer_init(&text, NULL);
        text_add_random(&text, &property->random, alphabet, random_below(&property->random, 8));
        uint64_t length = text_count_scalars(expected->data, expected->size);
        uint64_t index = random_below(&property->random, length + 1);
        uint64_t room = length - index;
        text_splice(expected, index, random_below(&property->random, room < 9 ? room + 1 : 9),
                    text.data, text.size);
        weft_buffer_finish(&text);
    }
    CHECK_OK(property, weft_doc_replace_text(replica->doc, expected->data, expected->size));
}

void replica_edit(struct property *property, struct replica *replica, enum text_alphabet alphabet)
{
    struct random *random = &property->random;
    struct weft_buffer expected = document_text(property, replica->doc);
    uint64_t length = text_count_scalars(expected.data, expected.size);
    uint64_t move = random_below(random, 10);
    if (move < 2) // the spot where everyone writes
        replica->hot = length / 2;
    else if (move < 4)
        replica->hot = random_below(random, length + 1);
    if (replica->hot > length)
        replica->hot = length;
    uint64_t room = length - replica->hot;
    uint64_t some = random_between(random, 1, 20);
    uint64_t kind = random_below(random, 20);
    if (kind < 7)
        type(property, replica, &expected, alphabet, false);
    else if (kind < 11)
        type(property, replica, &expected, alphabet, true);
    else if (kind < 13)
        paste(property, replica, &expected, alphabet, 0);
    else if (kind < 14)
        paste(property, replica, &expected, alphabet, room < some ? room : some);
    else if (kind < 16)
        backspace(property, replica, &expected);
    else if (kind < 19)
        splice(property, replica, &expected, replica->hot, room < some ? room : some, NULL, 0);
    else
        replace(property, replica, &expected, alphabet);
    struct weft_buffer text = document_text(property, replica->doc);
    CHECK(property,
          text.size == expected.size &&
              (text.size == 0 || memcmp(text.data, expected.data, text.size) == 0),
          "a local edit of kind %d is not the edit of a string", (int)kind);
    weft_buffer_finish(&text);
    weft_buffer_finish(&expected);
}

/// A delete run that is looked for, and what comes before the author's next operation.
struct undeleting {
    uint64_t left; // delete runs to pass, counted in arrival order
    uint64_t count;
    uint64_t lamport; // greatest of all
    struct weft_run found;
};

static bool look_for_delete(void *context, const struct weft_run *run)
{
    struct undeleting *undeleting = context;
    uint64_t last = run->lamport + run->length - 1;
    undeleting->lamport = last > undeleting->lamport ? last : undeleting->lamport;
    if (run->kind == WEFT_RUN_DELETE && undeleting->left == undeleting->count++)
        undeleting->found = *run;
    return true;
}

/// The characters of some elements are looked for.
struct naming {
    struct weft_id first; // of the elements, the seqs go up or down from it
    bool down;
    uint32_t length;
    uint8_t (*characters)[4]; // each filled up with zeros; none: its text was not found
};

static bool look_for_text(void *context, const struct weft_run *run)
{
    struct naming *naming = context;
    if (run->kind != WEFT_RUN_INSERT || run->agent != naming->first.agent || run->text == NULL)
        return true;
    const uint8_t *at = run->text;
    for (uint64_t seq = run->seq; seq < run->seq + run->length; seq++) {
        size_t size = utf8_lead_size(*at);
        uint64_t i = naming->down ? naming->first.seq - seq : seq - naming->first.seq;
        if (i < naming->length)
            memcpy(naming->characters[i], at, size);
        at += size;
    }
    return true;
}

/// Appends what a part of a delete named. @return false when some of it was collected.
static bool append_named(const struct property *property, struct weft_buffer *out,
                         const struct weft_doc *doc, const struct weft_run *found, uint32_t skipped,
                         uint32_t length)
{
    struct naming naming = {.first = found->target, .down = found->backward, .length = length};
    naming.first.seq += found->backward ? -(uint64_t)skipped : skipped;
    naming.characters = calloc(length, sizeof(*naming.characters));
    weft_doc_visit_runs(doc, look_for_text, &naming);
    bool whole = true;
    for (uint32_t i = 0; i < length; i++) {
        whole = whole && naming.characters[i][0] != 0;
        CHECK_OK(property, weft_buffer_append(out, naming.characters[i],
                                              utf8_lead_size(naming.characters[i][0])));
    }
    free(naming.characters);
    return whole;
}

void replica_undelete(struct property *property, struct replica *replica)
{
    struct undeleting undeleting = {.left = UINT64_MAX};
    weft_doc_visit_runs(replica->doc, look_for_delete, &undeleting);
    if (undeleting.count == 0)
        return;
    undeleting = (struct undeleting){.left = random_below(&property->random, undeleting.count)};
    weft_doc_visit_runs(replica->doc, look_for_delete, &undeleting);
    const struct weft_run *found = &undeleting.found;
    uint32_t skipped = (uint32_t)random_below(&property->random, found->length);
    struct weft_run run = {
        .kind = WEFT_RUN_UNDELETE,
        .length = (uint32_t)random_between(&property->random, 1, found->length - skipped),
        .agent = replica->agent,
        .seq = weft_doc_next_seq(replica->doc, replica->agent),
        .lamport = undeleting.lamport + 1,
        .target = {found->agent, found->seq + skipped},
    };
    struct weft_buffer delta;
    struct weft_buffer text;
    weft_buffer_init(&delta, NULL);
    weft_buffer_init(&text, NULL);
    if (append_named(property, &text, replica->doc, found, skipped, run.length)) {
        run.text = text.data;
        run.text_size = text.size;
        delta_of_runs(&delta, &run, 1);
        struct weft_apply_result result =
            replica_apply(property, replica->doc, WEFT_APPLY_STRICT, delta.data, delta.size);
        CHECK(property, result.atoms_applied == run.length, "a sound undelete is taken whole");
    }
    weft_buffer_finish(&text);
    weft_buffer_finish(&delta);
}

uint64_t replica_collect(const struct property *property, struct weft_doc *doc,
                         const struct weft_buffer *version)
{
    struct weft_collected collected;
    struct weft_digest before = document_digest(property, doc);
    struct weft_buffer text = document_text(property, doc);
    uint64_t gone = weft_doc_stats(doc).collected;
    CHECK_OK(property, weft_doc_collect(&collected, doc, version->data, version->size));
    struct weft_buffer after = document_text(property, doc);
    struct weft_digest digest = document_digest(property, doc);
    CHECK(property, memcmp(&before, &digest, sizeof(before)) == 0, "collecting changes the digest");
    CHECK(property, text.size == after.size && memcmp(text.data, after.data, text.size) == 0,
          "collecting changes the text");
    CHECK(property, weft_doc_stats(doc).collected == gone + collected.elements,
          "what was collected is not what is told");
    weft_buffer_finish(&text);
    weft_buffer_finish(&after);
    return collected.elements;
}

// ------------------------------------------------------------------------------------ replicating

struct weft_apply_result replica_apply(const struct property *property, struct weft_doc *doc,
                                       enum weft_apply_mode mode, const uint8_t *delta, size_t size)
{
    struct weft_apply_result result;
    CHECK_OK(property, weft_doc_apply(&result, doc, mode, delta, size));
    CHECK(property, result.runs_invalid == 0, "a sound run %llx/%llu is refused: %s",
          (unsigned long long)result.invalid.agent, (unsigned long long)result.invalid.seq,
          weft_status_text(result.reason));
    return result;
}

void replica_pull(const struct property *property, struct weft_doc *into,
                  const struct weft_doc *from)
{
    struct weft_buffer version = document_version(property, into);
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    CHECK_OK(property, weft_doc_delta_since(&delta, from, version.data, version.size));
    if (delta.size > 0) {
        struct weft_apply_result result =
            replica_apply(property, into, WEFT_APPLY_STRICT, delta.data, delta.size);
        CHECK(property, result.runs_missing == 0 && result.atoms_applied > 0,
              "a delta since a version must bring something and miss nothing");
    }
    weft_buffer_finish(&delta);
    weft_buffer_finish(&version);
}

// -------------------------------------------------------------------------------------- comparing

void document_check_sound(const struct property *property, const struct weft_doc *doc)
{
    const char *broken = weft_doc_check(doc);
    CHECK(property, broken == NULL, "%s", broken);
    struct weft_buffer text = document_text(property, doc);
    uint64_t count = 0;
    struct text_row *rows = text_rows(text.data, text.size, &count);
    for (int unit = WEFT_SCALARS; unit <= WEFT_UTF8; unit++)
        CHECK(property, weft_doc_length(doc, (enum weft_unit)unit) == rows[count].at[unit],
              "the length in unit %d is not that of the text", unit);
    free(rows);
    weft_buffer_finish(&text);
    struct oracle oracle = oracle_collect(doc);
    oracle_tree(&oracle);
    const char *difference = oracle_compare(&oracle, doc);
    CHECK(property, difference == NULL, "not the tree's order: %s", difference);
    oracle_finish(&oracle);
}

static bool same_bytes(struct weft_buffer *a, struct weft_buffer *b)
{
    bool same = a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    weft_buffer_finish(a);
    weft_buffer_finish(b);
    return same;
}

void document_check_equal(const struct property *property, struct weft_doc *a, struct weft_doc *b)
{
    struct weft_buffer left = document_version(property, a);
    struct weft_buffer right = document_version(property, b);
    CHECK(property, same_bytes(&left, &right), "versions differ");
    left = document_text(property, a);
    right = document_text(property, b);
    CHECK(property, same_bytes(&left, &right), "texts differ");
    struct weft_digest digest_a = document_digest(property, a);
    struct weft_digest digest_b = document_digest(property, b);
    CHECK(property, memcmp(&digest_a, &digest_b, sizeof(digest_a)) == 0, "digests differ");
}
