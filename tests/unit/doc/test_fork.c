// SPDX-License-Identifier: MIT
// One agent id with two contents: finding it, and what is left of a document without a branch.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/fork.h>

enum { FORKED = 7, OTHER = 8, THIRD = 9 };

static struct weft_doc *make(uint64_t agent)
{
    struct weft_doc *doc;
    struct weft_doc_options options = {.name = (const uint8_t *)"d", .name_size = 1};
    cr_assert_eq(weft_doc_create(&doc, &options), WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(doc, agent), WEFT_OK);
    return doc;
}

static void insert(struct weft_doc *doc, uint64_t agent, uint64_t index, const char *text)
{
    cr_assert_eq(weft_doc_set_agent(doc, agent), WEFT_OK);
    cr_assert_eq(weft_doc_insert(doc, WEFT_SCALARS, index, (const uint8_t *)text, strlen(text)),
                 WEFT_OK);
}

static void delete (struct weft_doc *doc, uint64_t agent, uint64_t index, uint64_t length)
{
    cr_assert_eq(weft_doc_set_agent(doc, agent), WEFT_OK);
    cr_assert_eq(weft_doc_delete(doc, WEFT_SCALARS, index, length), WEFT_OK);
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

#define assert_text(doc, expected)                                                                 \
    do {                                                                                           \
        struct weft_buffer text;                                                                   \
        weft_buffer_init(&text, NULL);                                                             \
        cr_assert_eq(weft_doc_text(&text, doc), WEFT_OK);                                          \
        cr_assert(text.size == strlen(expected) &&                                                 \
                      (text.size == 0 || memcmp(text.data, expected, text.size) == 0),             \
                  "the text is \"%.*s\"", (int)text.size, (const char *)text.data);                \
        weft_buffer_finish(&text);                                                                 \
    } while (0)

static uint64_t heir_in(struct weft_doc *doc, uint64_t seq)
{
    uint8_t chain[32];
    cr_assert_eq(weft_doc_chain_at(chain, doc, FORKED, seq + 1), WEFT_OK);
    return weft_fork_heir(doc, FORKED, seq, chain);
}

/// Two documents with the same start, and the cut of their fork at `seq`, by which `stays` stays.
static void choose(struct weft_buffer *cuts, struct weft_doc *stays, uint64_t seq)
{
    bool changed = false;
    struct weft_cut cut = {FORKED, seq, heir_in(stays, seq)};
    weft_buffer_init(cuts, NULL);
    cr_assert_eq(weft_cuts_add(&changed, cuts, &cut), WEFT_OK);
    cr_assert(changed);
}

static struct weft_rebuilt rebuild(struct weft_doc **doc, struct weft_buffer *cuts)
{
    struct weft_rebuilt rebuilt;
    struct weft_doc *next;
    cr_assert_eq(weft_doc_rebuild(&next, &rebuilt, cuts, *doc), WEFT_OK);
    cr_assert_not_null(next, "nothing was past the cut");
    cr_assert_null(weft_doc_check(next));
    weft_doc_destroy(*doc);
    *doc = next;
    return rebuilt;
}

static void assert_equal(struct weft_doc *a, struct weft_doc *b)
{
    struct weft_digest digests[2];
    cr_assert_eq(weft_doc_digest(&digests[0], a), WEFT_OK);
    cr_assert_eq(weft_doc_digest(&digests[1], b), WEFT_OK);
    cr_assert_arr_eq(digests[0].bytes, digests[1].bytes, sizeof(digests[0].bytes));
}

// ------------------------------------------------------------------------------------------ chains

Test(fork, the_chain_over_a_part_is_that_of_when_there_was_no_more)
{
    struct weft_doc *doc = make(FORKED);
    uint8_t then[32];
    uint8_t now[32];
    uint64_t next;
    char text[3001];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    insert(doc, FORKED, 0, text);
    delete (doc, FORKED, 10, 5);
    cr_assert_eq(weft_doc_chain(&next, then, doc, FORKED), WEFT_OK);
    insert(doc, OTHER, 4, "other");
    insert(doc, FORKED, 1, text);
    cr_assert_eq(next, 3005);
    cr_assert_eq(weft_doc_chain_at(now, doc, FORKED, next), WEFT_OK);
    cr_assert_arr_eq(now, then, sizeof(now));
    cr_assert_eq(weft_doc_chain(&next, then, doc, FORKED), WEFT_OK);
    cr_assert_eq(weft_doc_chain_at(now, doc, FORKED, next), WEFT_OK);
    cr_assert_arr_eq(now, then, sizeof(now));
    cr_assert_eq(weft_doc_chain_at(now, doc, FORKED, next + 1), WEFT_NOT_FOUND);
    cr_assert_eq(weft_doc_chain_at(now, doc, THIRD, 0), WEFT_NOT_FOUND);
    weft_doc_destroy(doc);
}

// ---------------------------------------------------------------------------------------
// rebuilding

Test(fork, one_branch_stays_with_what_hangs_on_it_and_the_other_goes_with_what_hangs_on_that)
{
    struct weft_doc *a = make(FORKED);
    struct weft_doc *b = make(FORKED);
    insert(a, FORKED, 0, "one ");
    pull(b, a);
    insert(a, FORKED, 4, "alpha ");
    insert(b, FORKED, 4, "beta ");
    insert(a, OTHER, 10, "(to alpha) ");
    insert(a, THIRD, 0, "apart ");
    insert(b, THIRD + 1, 9, "(to beta) ");
    delete (b, THIRD + 1, 5, 1); // the e of beta
    assert_text(a, "apart one alpha (to alpha) ");
    assert_text(b, "one bta (to beta) ");
    struct weft_buffer cuts;
    choose(&cuts, b, 4);
    struct weft_rebuilt rebuilt = rebuild(&a, &cuts);
    assert_text(a, "apart one ");
    cr_assert_eq(rebuilt.atoms_dropped, 6 + 11);
    cr_assert_eq(rebuilt.atoms_moved, 0);
    struct weft_buffer cuts_b;
    bool changed = false;
    weft_buffer_init(&cuts_b, NULL);
    cr_assert_eq(weft_cuts_merge(&changed, &cuts_b, cuts.data, cuts.size), WEFT_OK);
    rebuilt = rebuild(&b, &cuts_b);
    assert_text(b, "one bta (to beta) ");
    cr_assert_eq(rebuilt.atoms_dropped, 0);
    cr_assert_eq(rebuilt.atoms_moved, 5 + 10 + 1);
    pull(a, b);
    pull(b, a);
    assert_equal(a, b);
    assert_text(a, "apart one bta (to beta) ");
    struct weft_cut cut;
    cr_assert_eq(weft_cuts_find(&cut, cuts.data, cuts.size, OTHER), WEFT_OK);
    cr_assert(cut.seq == 0 && cut.heir == 0);
    cr_assert_eq(weft_cuts_find(&cut, cuts_b.data, cuts_b.size, THIRD + 1), WEFT_OK);
    cr_assert(cut.seq == 0 && cut.heir != 0);
    weft_buffer_finish(&cuts);
    weft_buffer_finish(&cuts_b);
    weft_doc_destroy(a);
    weft_doc_destroy(b);
}

Test(fork, a_deletion_across_the_cut_stays_as_far_as_it_names_what_stays)
{
    struct weft_doc *a = make(FORKED);
    struct weft_doc *b = make(FORKED);
    insert(a, FORKED, 0, "abcd");
    pull(b, a);
    insert(a, FORKED, 4, "efgh");
    insert(b, FORKED, 4, "xy");
    delete (a, OTHER, 2, 4); // c d of all, e f of the branch
    insert(a, OTHER, 0, "after ");
    struct weft_buffer cuts;
    choose(&cuts, b, 4);
    rebuild(&a, &cuts);
    assert_text(a, "ab"); // what OTHER did up to the first that hangs on the branch
    struct weft_cut cut;
    cr_assert_eq(weft_cuts_find(&cut, cuts.data, cuts.size, OTHER), WEFT_OK);
    cr_assert_eq(cut.seq, 2);
    weft_buffer_finish(&cuts);
    weft_doc_destroy(a);
    weft_doc_destroy(b);
}

Test(fork, backspacing_into_the_branch_that_stays_is_moved_with_it)
{
    struct weft_doc *a = make(FORKED);
    insert(a, FORKED, 0, "abcd");
    insert(a, FORKED, 4, "efgh");
    for (uint64_t i = 8; i > 2; i--)
        delete (a, OTHER, i - 1, 1);
    assert_text(a, "ab");
    struct weft_buffer cuts;
    choose(&cuts, a, 4);
    struct weft_rebuilt rebuilt = rebuild(&a, &cuts);
    assert_text(a, "ab");
    cr_assert_eq(rebuilt.atoms_dropped, 0);
    cr_assert_eq(rebuilt.atoms_moved, 4 + 6);
    weft_buffer_finish(&cuts);
    weft_doc_destroy(a);
}

Test(fork, a_document_that_was_created_with_a_text_keeps_it)
{
    struct weft_doc *a = make(FORKED);
    static uint8_t text[40000];
    memset(text, 'i', sizeof(text));
    cr_assert_eq(weft_doc_insert_initial(a, text, sizeof(text)), WEFT_OK);
    insert(a, FORKED, 3, "lost");
    struct weft_buffer cuts;
    bool changed = false;
    struct weft_cut cut = {FORKED, 0, 1};
    weft_buffer_init(&cuts, NULL);
    cr_assert_eq(weft_cuts_add(&changed, &cuts, &cut), WEFT_OK);
    rebuild(&a, &cuts);
    cr_assert_eq(weft_doc_length(a, WEFT_SCALARS), sizeof(text));
    weft_buffer_finish(&cuts);
    weft_doc_destroy(a);
}

Test(fork, a_branch_that_is_the_start_of_the_other_is_within_the_cuts)
{
    struct weft_doc *a = make(FORKED);
    struct weft_doc *b = make(FORKED);
    struct weft_rebuilt rebuilt;
    struct weft_doc *next;
    struct weft_buffer cuts;
    uint8_t chains[2][32];
    insert(a, FORKED, 0, "one ");
    pull(b, a);
    insert(a, FORKED, 4, "two ");
    cr_assert_eq(weft_doc_chain_at(chains[0], a, FORKED, 4), WEFT_OK);
    cr_assert_eq(weft_doc_chain_at(chains[1], b, FORKED, 4), WEFT_OK);
    cr_assert_arr_eq(chains[0], chains[1], sizeof(chains[0]));
    weft_buffer_init(&cuts, NULL);
    cr_assert_eq(weft_doc_rebuild(&next, &rebuilt, &cuts, b), WEFT_OK);
    cr_assert_null(next);
    weft_buffer_finish(&cuts);
    weft_doc_destroy(a);
    weft_doc_destroy(b);
}

// -----------------------------------------------------------------------------------------
// applying

static enum weft_status check(struct weft_id *at, const struct weft_doc *doc,
                              const struct weft_buffer *cuts, struct weft_doc *from, uint64_t agent,
                              uint64_t seq)
{
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_delta_own(&delta, from, agent, seq), WEFT_OK);
    enum weft_status status = weft_doc_check_delta(at, doc, cuts ? cuts->data : NULL,
                                                   cuts ? cuts->size : 0, delta.data, delta.size);
    weft_buffer_finish(&delta);
    return status;
}

Test(fork, a_delta_of_another_branch_is_told_by_its_first_atom_that_differs)
{
    struct weft_doc *a = make(FORKED);
    struct weft_doc *b = make(FORKED);
    struct weft_doc *empty = make(THIRD);
    struct weft_id at = {0, 0};
    insert(a, FORKED, 0, "abcd");
    pull(b, a);
    insert(a, FORKED, 4, "same xx");
    insert(b, FORKED, 4, "same yy and more");
    cr_assert_eq(check(&at, a, NULL, b, FORKED, 0), WEFT_CONFLICT);
    cr_assert(at.agent == FORKED && at.seq == 9);
    cr_assert_eq(check(&at, a, NULL, a, FORKED, 0), WEFT_OK);
    cr_assert_eq(check(&at, empty, NULL, b, FORKED, 0), WEFT_OK);
    weft_doc_destroy(empty);
    struct weft_doc *c = make(FORKED);
    pull(c, a);
    delete (a, FORKED, 1, 3); // forward
    for (uint64_t i = 4; i > 1; i--)
        delete (c, FORKED, i - 1, 1); // backward: the same elements, in another order
    cr_assert_eq(check(&at, a, NULL, c, FORKED, 0), WEFT_CONFLICT);
    cr_assert_eq(at.seq, 11);
    weft_doc_destroy(a);
    weft_doc_destroy(b);
    weft_doc_destroy(c);
}

Test(fork, what_comes_late_of_a_branch_that_went_is_left_out_with_what_hangs_on_it)
{
    struct weft_doc *a = make(FORKED);
    struct weft_doc *late = make(FORKED);
    struct weft_buffer cuts;
    struct weft_buffer delta;
    struct weft_apply_result result;
    struct weft_id at;
    bool changed = false;
    uint32_t cut_runs;
    insert(a, FORKED, 0, "start");
    pull(late, a);
    insert(late, FORKED, 5, " lost");
    insert(late, THIRD, 0, "kept ");
    insert(late, OTHER, 15, " hangs");
    insert(late, OTHER, 0, "after that ");
    weft_buffer_init(&cuts, NULL);
    weft_buffer_init(&delta, NULL);
    struct weft_cut cut = {FORKED, 5, 0};
    cr_assert_eq(weft_cuts_add(&changed, &cuts, &cut), WEFT_OK);
    cr_assert_eq(check(&at, a, &cuts, late, OTHER, 0), WEFT_CONFLICT);
    cr_assert_eq(weft_doc_delta_since(&delta, late, NULL, 0), WEFT_OK);
    cr_assert_eq(weft_doc_apply_within(&result, &cut_runs, a, &cuts, delta.data, delta.size),
                 WEFT_OK);
    assert_text(a, "kept start");
    cr_assert_eq(result.atoms_applied, 5);
    cr_assert(cut_runs > 0 && result.runs_missing == 0);
    cr_assert_eq(weft_cuts_find(&cut, cuts.data, cuts.size, OTHER), WEFT_OK);
    cr_assert_eq(cut.seq, 0);
    weft_buffer_finish(&cuts);
    weft_buffer_finish(&delta);
    weft_doc_destroy(a);
    weft_doc_destroy(late);
}

Test(fork, bytes_that_are_no_cuts_are_refused)
{
    uint8_t two[2 * WEFT_CUT_SIZE] = {0};
    struct weft_buffer cuts;
    bool changed = false;
    weft_buffer_init(&cuts, NULL);
    cr_assert(weft_cuts_valid(NULL, 0));
    cr_assert_not(weft_cuts_valid(two, WEFT_CUT_SIZE), "of agent 0");
    two[0] = 1;
    cr_assert(weft_cuts_valid(two, WEFT_CUT_SIZE));
    cr_assert_not(weft_cuts_valid(two, WEFT_CUT_SIZE - 1));
    two[WEFT_CUT_SIZE] = 1;
    cr_assert_not(weft_cuts_valid(two, sizeof(two)), "one agent twice");
    cr_assert_eq(weft_cuts_merge(&changed, &cuts, two, sizeof(two)), WEFT_MALFORMED);
    cr_assert_not(changed);
    weft_buffer_finish(&cuts);
}
