// SPDX-License-Identifier: MIT
// Chains and digests: the same however runs were cut and whenever one asked, and another when any
// part of any operation is another.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/doc.h>

#include "tests/support/deltas.h"

enum { BASE = 1, AUTHOR = 2, LONG = 3000 };

static uint8_t text[LONG];

static void apply(struct weft_doc *doc, const struct weft_run *run)
{
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&delta, NULL);
    delta_of_runs(&delta, run, 1);
    cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta.data, delta.size), WEFT_OK);
    cr_assert_eq(result.atoms_applied, run->length);
    weft_buffer_finish(&delta);
}

/// A document of some elements by BASE, and some deletes of them.
static struct weft_doc *doc_make(void)
{
    struct weft_doc *doc = NULL;
    memset(text, 'b', sizeof(text));
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    struct weft_run base = {.length = 50,
                            .agent = BASE,
                            .lamport = 1,
                            .target = WEFT_ID_ROOT,
                            .text = text,
                            .text_size = 50};
    struct weft_run gone = {.kind = WEFT_RUN_DELETE,
                            .length = 20,
                            .agent = BASE,
                            .seq = 50,
                            .lamport = 51,
                            .target = {BASE, 20}};
    apply(doc, &base);
    apply(doc, &gone);
    return doc;
}

struct chain {
    uint64_t next;
    uint8_t bytes[32];
    struct weft_digest digest;
};

static struct chain chain_of(struct weft_doc *doc)
{
    struct chain chain;
    memset(&chain, 0, sizeof(chain));
    cr_assert_eq(weft_doc_chain(&chain.next, chain.bytes, doc, AUTHOR), WEFT_OK);
    cr_assert_eq(weft_doc_digest(&chain.digest, doc), WEFT_OK);
    return chain;
}

Test(chain, is_the_same_however_a_run_was_cut_and_whenever_one_asked)
{
    static const uint32_t pieces[] = {1, 7, 127, 128, 129, 1000, 1023, 1024, 1025, 2048, LONG};
    struct chain whole;
    for (size_t p = sizeof(pieces) / sizeof(pieces[0]); p-- > 0;) {
        struct weft_doc *doc = doc_make();
        for (uint32_t seq = 0; seq < LONG; seq += pieces[p]) {
            uint32_t length = pieces[p] < LONG - seq ? pieces[p] : LONG - seq;
            struct weft_run run = {.length = length,
                                   .agent = AUTHOR,
                                   .seq = seq,
                                   .lamport = 100 + seq,
                                   .target = {seq == 0 ? BASE : AUTHOR, seq == 0 ? 3 : seq - 1},
                                   .text = text,
                                   .text_size = length};
            apply(doc, &run);
            if (pieces[p] > 100 || seq % 97 == 0)
                chain_of(doc); // what is asked for in between changes nothing
        }
        struct chain chain = chain_of(doc);
        cr_assert_eq(chain.next, LONG);
        if (pieces[p] == LONG)
            whole = chain;
        cr_assert_eq(memcmp(&chain, &whole, sizeof(chain)), 0, "in pieces of %u", pieces[p]);
        weft_doc_destroy(doc);
    }
}

Test(chain, is_the_same_however_deletes_were_cut_with_others_in_between)
{
    enum { OTHER = 3, DELETED = 15 };
    for (int backward = 0; backward < 2; backward++) {
        struct chain whole;
        for (uint32_t piece = DELETED; piece > 0; piece--) {
            struct weft_doc *doc = doc_make();
            for (uint32_t seq = 0; seq < DELETED; seq += piece) {
                uint32_t length = piece < DELETED - seq ? piece : DELETED - seq;
                struct weft_run run = {.kind = WEFT_RUN_DELETE,
                                       .backward = backward != 0 && length > 1,
                                       .length = length,
                                       .agent = AUTHOR,
                                       .seq = seq,
                                       .lamport = 100 + seq,
                                       .target = {BASE, backward != 0 ? DELETED - seq : seq}};
                // Between two pieces, so that they stay two rows.
                struct weft_run other = {.length = 1,
                                         .agent = OTHER,
                                         .seq = seq / piece,
                                         .lamport = 1000 + seq / piece,
                                         .target = {BASE, 3},
                                         .text = text,
                                         .text_size = 1};
                apply(doc, &run);
                apply(doc, &other);
            }
            struct chain chain = chain_of(doc);
            cr_assert_eq(chain.next, DELETED);
            if (piece == DELETED)
                whole = chain;
            cr_assert_eq(memcmp(chain.bytes, whole.bytes, sizeof(chain.bytes)), 0,
                         "in pieces of %u, %s", piece, backward ? "backward" : "forward");
            weft_doc_destroy(doc);
        }
    }
}

/// The chain of one run after BASE's.
static struct chain chain_with(struct weft_run run)
{
    struct weft_doc *doc = doc_make();
    run.agent = AUTHOR;
    apply(doc, &run);
    struct chain chain = chain_of(doc);
    weft_doc_destroy(doc);
    return chain;
}

Test(chain, is_another_when_any_part_of_an_operation_is)
{
    const struct weft_run insert = {.length = 2,
                                    .lamport = 100,
                                    .target = {BASE, 3},
                                    .text = (const uint8_t *)"ab",
                                    .text_size = 2};
    const struct weft_run deletes = {
        .kind = WEFT_RUN_DELETE, .length = 2, .lamport = 100, .target = {BASE, 3}};
    const struct weft_run undeletes = {.kind = WEFT_RUN_UNDELETE,
                                       .length = 2,
                                       .lamport = 100,
                                       .target = {BASE, 53},
                                       .text = text,
                                       .text_size = 2};
    const struct weft_run other = {
        .kind = 9, .length = 2, .lamport = 100, .text = (const uint8_t *)"pq", .text_size = 2};
    struct weft_run variants[24];
    size_t count = 0;
    variants[count++] = insert;
    variants[count++] = deletes;
    variants[count++] = undeletes;
    variants[count++] = other;
    for (size_t i = 0; i < 4; i++) { // each with another Lamport time
        variants[count] = variants[i];
        variants[count++].lamport = 101;
    }
    for (size_t i = 0; i < 3; i++) { // each with another target
        variants[count] = variants[i];
        variants[count++].target.seq++;
    }
    variants[count] = insert;
    variants[count++].left = true;
    variants[count] = insert;
    variants[count++].target = WEFT_ID_ROOT;
    variants[count] = insert;
    variants[count++].text = (const uint8_t *)"aB";
    variants[count] = deletes;
    variants[count].target.seq = 4;
    variants[count++].backward = true; // of the same elements, downwards
    variants[count] = other;
    variants[count++].kind = 10;
    variants[count] = other;
    variants[count++].text = (const uint8_t *)"pQ";
    variants[count] = other;
    variants[count++].text_size = 1;
    variants[count++] = (struct weft_run){.kind = WEFT_RUN_NOP, .length = 2, .lamport = 100};
    for (size_t i = 0; i < 4; i++) { // each longer
        variants[count] = variants[i];
        variants[count].length = 3;
        if (variants[count].kind == WEFT_RUN_INSERT) {
            variants[count].text = (const uint8_t *)"abc";
            variants[count].text_size = 3;
        } else if (variants[count].kind == WEFT_RUN_UNDELETE) {
            variants[count].text_size = 3;
        }
        count++;
    }
    struct chain chains[24];
    for (size_t i = 0; i < count; i++) {
        chains[i] = chain_with(variants[i]);
        for (size_t j = 0; j < i; j++) {
            cr_assert_neq(memcmp(chains[i].bytes, chains[j].bytes, 32), 0, "%zu and %zu", i, j);
            cr_assert_neq(memcmp(&chains[i].digest, &chains[j].digest, 16), 0, "%zu, %zu", i, j);
        }
        struct chain again = chain_with(variants[i]);
        cr_assert_eq(memcmp(&again, &chains[i], sizeof(again)), 0, "%zu", i);
    }
}
