// SPDX-License-Identifier: MIT
// Labels of versions, and who agents are.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <weft/history.h>
#include <weft/labels.h>
#include <weft/version.h>

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

/// Names the version that the document is at.
static enum weft_status label(struct weft_doc *doc, const char *name, uint64_t wall_ms)
{
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    cr_assert_eq(weft_doc_version(&version, doc), WEFT_OK);
    enum weft_status status = weft_doc_set_label(doc, (const uint8_t *)name, strlen(name),
                                                 version.data, version.size, wall_ms);
    weft_buffer_finish(&version);
    return status;
}

static enum weft_status unlabel(struct weft_doc *doc, const char *name)
{
    return weft_doc_set_label(doc, (const uint8_t *)name, strlen(name), NULL, 0, 1);
}

static enum weft_status introduce(struct weft_doc *doc, uint64_t agent, const char *name)
{
    return weft_doc_set_author(doc, agent, (const uint8_t *)name, strlen(name));
}

/// What is visited, in words.
struct words {
    const struct weft_doc *doc;
    char text[512];
};

static bool write_label(void *context, const struct weft_label *label)
{
    struct words *words = context;
    size_t used = strlen(words->text);
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    cr_assert_eq(weft_doc_text_at(&text, words->doc, label->version, label->version_size), WEFT_OK);
    snprintf(words->text + used, sizeof words->text - used, "%.*s@%llu=%.*s;",
             (int)label->name_size, (const char *)label->name, (unsigned long long)label->wall_ms,
             (int)text.size, text.size > 0 ? (const char *)text.data : "");
    weft_buffer_finish(&text);
    return true;
}

static bool write_author(void *context, const struct weft_author *author)
{
    struct words *words = context;
    size_t used = strlen(words->text);
    snprintf(words->text + used, sizeof words->text - used, "%llx=%.*s;",
             (unsigned long long)author->agent, (int)author->name_size, (const char *)author->name);
    return true;
}

static void expect_labels(const struct weft_doc *doc, const char *wanted)
{
    struct words words = {.doc = doc};
    cr_assert_eq(weft_doc_visit_labels(doc, write_label, &words), WEFT_OK);
    cr_assert_str_eq(words.text, wanted);
}

static void expect_authors(const struct weft_doc *doc, const char *wanted)
{
    struct words words = {.doc = doc};
    cr_assert_eq(weft_doc_visit_authors(doc, write_author, &words), WEFT_OK);
    cr_assert_str_eq(words.text, wanted);
}

Test(labels, a_name_is_at_most_64_bytes_of_utf8_without_controls)
{
    static const char *const good[] = {"a", "draft 2", "\xc3\xa4\xf0\x9f\x8c\x8d", "\xc2\xa0"};
    static const char *const bad[] = {"",         "a\nb",         "\x7f",         "\xc2\x85",
                                      "\xff\xfe", "\xe2\x80\xa8", "\xed\xa0\x80", "tab\t"};
    uint8_t long_name[WEFT_NAME_BYTES_MAX + 1];
    memset(long_name, 'x', sizeof long_name);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(weft_name_is_valid((const uint8_t *)good[i], strlen(good[i])), "%zu", i);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_not(weft_name_is_valid((const uint8_t *)bad[i], strlen(bad[i])), "%zu", i);
    cr_assert(weft_name_is_valid(long_name, WEFT_NAME_BYTES_MAX));
    cr_assert_not(weft_name_is_valid(long_name, WEFT_NAME_BYTES_MAX + 1));
}

Test(labels, a_label_names_a_version_and_travels_as_an_edit_does)
{
    struct weft_doc *one = make(1);
    struct weft_doc *two = make(2);
    insert(one, 0, "draft");
    cr_assert_eq(label(one, "first", 1000), WEFT_OK);
    insert(one, 5, " two");
    cr_assert_eq(label(one, "second", 2000), WEFT_OK);
    pull(two, one);
    expect_labels(two, "first@1000=draft;second@2000=draft two;");
    struct weft_digest digests[2];
    cr_assert_eq(weft_doc_digest(&digests[0], one), WEFT_OK);
    cr_assert_eq(weft_doc_digest(&digests[1], two), WEFT_OK);
    cr_assert_arr_eq(digests[0].bytes, digests[1].bytes, 16);
    cr_assert_null(weft_doc_check(two));
    weft_doc_destroy(one);
    weft_doc_destroy(two);
}

Test(labels, labels_and_authors_are_kept_in_snapshots)
{
    struct weft_doc *doc = make(7);
    struct weft_doc *loaded;
    struct weft_buffer parts[3];
    insert(doc, 0, "text");
    cr_assert_eq(label(doc, "kept", 5), WEFT_OK);
    cr_assert_eq(introduce(doc, 7, "Anna"), WEFT_OK);
    for (int i = 0; i < 3; i++)
        weft_buffer_init(&parts[i], NULL);
    cr_assert_eq(weft_doc_snapshot(&parts[0], &parts[1], &parts[2], doc), WEFT_OK);
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    cr_assert_eq(weft_doc_load(&loaded, &snapshot, NULL), WEFT_OK);
    expect_labels(loaded, "kept@5=text;");
    expect_authors(loaded, "7=Anna;");
    for (int i = 0; i < 3; i++)
        weft_buffer_finish(&parts[i]);
    weft_doc_destroy(loaded);
    weft_doc_destroy(doc);
}

Test(labels, a_name_that_is_set_again_moves_and_one_taken_away_is_gone)
{
    struct weft_doc *doc = make(1);
    insert(doc, 0, "a");
    cr_assert_eq(label(doc, "tip", 1), WEFT_OK);
    cr_assert_eq(label(doc, "other", 1), WEFT_OK);
    insert(doc, 1, "b");
    cr_assert_eq(label(doc, "tip", 2), WEFT_OK);
    expect_labels(doc, "other@1=a;tip@2=ab;");
    cr_assert_eq(unlabel(doc, "other"), WEFT_OK);
    expect_labels(doc, "tip@2=ab;");
    cr_assert_eq(label(doc, "other", 3), WEFT_OK);
    expect_labels(doc, "tip@2=ab;other@3=ab;");
    weft_doc_destroy(doc);
}

Test(labels, of_two_set_at_one_time_all_replicas_choose_the_same)
{
    struct weft_doc *one = make(1);
    struct weft_doc *two = make(2);
    insert(one, 0, "a");
    pull(two, one);
    insert(one, 1, "1");
    insert(two, 1, "2");
    cr_assert_eq(label(one, "same", 1), WEFT_OK);
    cr_assert_eq(label(two, "same", 2), WEFT_OK);
    pull(one, two);
    pull(two, one);
    expect_labels(one, "same@2=a2;");
    expect_labels(two, "same@2=a2;");
    weft_doc_destroy(one);
    weft_doc_destroy(two);
}

Test(labels, what_cannot_be_set_leaves_the_document_as_it_was)
{
    struct weft_doc *doc = make(1);
    struct weft_doc *nobody;
    struct weft_buffer version;
    cr_assert_eq(weft_doc_create(&nobody, NULL), WEFT_OK);
    insert(doc, 0, "a");
    uint64_t atoms = weft_doc_stats(doc).atoms;
    cr_assert_eq(label(doc, "", 1), WEFT_INVALID);
    cr_assert_eq(label(doc, "a\nb", 1), WEFT_INVALID);
    cr_assert_eq(label(nobody, "a", 1), WEFT_INVALID);
    cr_assert_eq(introduce(nobody, 5, "a"), WEFT_INVALID);
    cr_assert_eq(introduce(doc, 0, "a"), WEFT_INVALID);
    cr_assert_eq(introduce(doc, 5, ""), WEFT_INVALID);
    static const uint8_t ahead[] = {1, 1, 0, 0, 0, 0, 0, 0, 0, 2};
    static const uint8_t broken[] = {1, 1, 0, 0};
    cr_assert_eq(weft_doc_set_label(doc, (const uint8_t *)"x", 1, ahead, sizeof ahead, 1),
                 WEFT_BEHIND);
    cr_assert_eq(weft_doc_set_label(doc, (const uint8_t *)"x", 1, broken, sizeof broken, 1),
                 WEFT_MALFORMED);
    cr_assert_eq(weft_doc_stats(doc).atoms, atoms);
    for (uint64_t agent = 10; agent < 2000; agent++) {
        cr_assert_eq(weft_doc_set_agent(doc, agent), WEFT_OK);
        insert(doc, 0, "b");
    }
    weft_buffer_init(&version, NULL);
    cr_assert_eq(weft_doc_version(&version, doc), WEFT_OK);
    cr_assert_gt(version.size, 16384);
    atoms = weft_doc_stats(doc).atoms;
    cr_assert_eq(weft_doc_set_label(doc, (const uint8_t *)"x", 1, version.data, version.size, 1),
                 WEFT_LIMIT);
    cr_assert_eq(weft_doc_stats(doc).atoms, atoms);
    weft_buffer_finish(&version);
    expect_labels(doc, "");
    weft_doc_destroy(nobody);
    weft_doc_destroy(doc);
}

Test(labels, an_agent_is_who_it_says_first_and_else_who_others_said_first)
{
    struct weft_doc *doc = make(1);
    cr_assert_eq(introduce(doc, 2, "Bob, as one says"), WEFT_OK);
    cr_assert_eq(introduce(doc, 3, "Carla"), WEFT_OK);
    cr_assert_eq(introduce(doc, 3, "Carla again"), WEFT_OK);
    expect_authors(doc, "2=Bob, as one says;3=Carla;");
    cr_assert_eq(weft_doc_set_agent(doc, 2), WEFT_OK);
    cr_assert_eq(introduce(doc, 2, "Bob"), WEFT_OK);
    cr_assert_eq(introduce(doc, 2, "Robert"), WEFT_OK);
    expect_authors(doc, "2=Bob;3=Carla;");
    weft_doc_destroy(doc);
}

/// A delta of one row of a kind with a payload, by agent 9.
static void apply_payload(struct weft_doc *doc, uint8_t kind, uint8_t seq, const char *payload,
                          size_t size)
{
    uint8_t delta[128] = {0, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0};
    size_t at = 11;
    struct weft_apply_result result;
    delta[at++] = (uint8_t)(kind | 0x20 | (seq > 0 ? 0x80 : 0)); // one atom
    if (seq > 0) {
        delta[at++] = 2; // bit 8: the seq is said
        delta[at++] = (uint8_t)(seq << 1);
    }
    delta[at++] = (uint8_t)size;
    memcpy(delta + at, payload, size);
    cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta, at + size), WEFT_OK);
    cr_assert_eq(result.atoms_applied, 1);
}

Test(labels, what_is_not_as_it_should_be_says_nothing)
{
    struct weft_doc *doc = make(1);
    insert(doc, 0, "a");
    apply_payload(doc, WEFT_RUN_LABEL, 0, "", 0);
    apply_payload(doc, WEFT_RUN_LABEL, 1, "\x01\x7f", 2);            // a name longer than the bytes
    apply_payload(doc, WEFT_RUN_LABEL, 2, "\x01\x01\n\x00", 4);      // a control character
    apply_payload(doc, WEFT_RUN_LABEL, 3, "\x01\x01x\x02", 4);       // half a version
    apply_payload(doc, WEFT_RUN_AUTHOR, 4, "\x05\0\0\0\0\0\0\0", 8); // no name
    apply_payload(doc, WEFT_RUN_AUTHOR, 5, "\x05\0\0\0\0\0\0\0\x1b", 9);
    expect_labels(doc, "");
    expect_authors(doc, "");
    apply_payload(doc, WEFT_RUN_LABEL, 6, "\x01\x01x\x00", 4);
    apply_payload(doc, WEFT_RUN_AUTHOR, 7, "\x05\0\0\0\0\0\0\0E", 9);
    expect_labels(doc, "x@1=;");
    expect_authors(doc, "5=E;");
    weft_doc_destroy(doc);
}
