// SPDX-License-Identifier: MIT
// Nodes among each other: members, feeds, pulls, replicas, epochs.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/peer.h"
#include "node/limits.h"
#include "node/state.h"
#include "rig.h"

TestSuite(cluster, .fini = rig_finish_all);

static bool same_state(struct rig *a, struct rig *b, const char *name)
{
    char etag[64];
    struct node_ask ask = {.verb = NODE_ASK_DIGEST, .document = rig_text(name)};
    rig_ask(a, &ask);
    strcpy(etag, a->response.etag);
    rig_ask(b, &ask);
    return etag[0] != '\0' && strcmp(etag, b->response.etag) == 0;
}

static bool lists(struct rig *rig, const char *text)
{
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_MEMBERS});
    return strstr(rig->response.body, text) != NULL;
}

/// What `from` sent on the bus so far arrives at `to`.
static void hear(struct rig *to, const struct rig *from)
{
    for (uint32_t i = 0; i < from->bus.count; i++)
        rig_step(to,
                 &(struct node_event){.kind = NODE_PEER_MESSAGE,
                                      .pipe = {1 + to->index * RIGS_MAX + from->index},
                                      .bytes = {from->bus.items[i].data, from->bus.items[i].size}});
}

Test(cluster, one_seed_is_enough_to_know_all)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct rig *c = rig_start("c", NULL, "a");
    rig_mesh(3000);
    struct rig *all[] = {a, b, c};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(node_metrics(all[i]->node)->members, 2, "%s", all[i]->name);
        cr_assert_eq(node_metrics(all[i]->node)->peers, 2, "%s", all[i]->name);
    }
    cr_assert(b->linked[c->index], "they found each other");
}

/// Its process is killed, and nothing answers at its address.
static void switch_off(struct rig *rig)
{
    rig->gossip[0] = '-';
}

static void switch_on(struct rig *rig)
{
    rig->gossip[0] = 't';
    rig_restart(rig);
}

static void expect_members(struct rig *rig, uint32_t members, uint32_t peers)
{
    cr_assert_eq(node_metrics(rig->node)->members, members, "%s has %u members", rig->name,
                 (unsigned)node_metrics(rig->node)->members);
    cr_assert_eq(node_metrics(rig->node)->peers, peers, "%s has %u peers", rig->name,
                 (unsigned)node_metrics(rig->node)->peers);
}

Test(cluster, a_node_that_starts_alone_lists_whom_it_knew_as_down)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct rig *c = rig_start("c", NULL, "a");
    rig_mesh(3000);
    switch_off(b);
    switch_off(c);
    for (int life = 0; life < 2; life++) {
        rig_restart(a);
        rig_wait(a, 1000);
        expect_members(a, 2, 0);
        cr_assert(lists(a, "\"name\":\"b\"") && lists(a, "\"name\":\"c\""));
        cr_assert(lists(a, "\"state\":\"down\"") && !lists(a, "\"state\":\"up\""));
    }
    switch_on(c);
    rig_mesh(8000);
    expect_members(a, 2, 1);
    switch_off(c);
    rig_restart(a); // what it heard meanwhile has not displaced b
    rig_settle(a);
    expect_members(a, 2, 0);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_FORGET, .document = rig_text("b")});
    rig_wait(a, 1000);
    rig_restart(a);
    expect_members(a, 1, 0);
}

Test(cluster, after_a_power_cut_all_find_each_other_without_the_seed_they_joined)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct rig *c = rig_start("c", NULL, "a");
    rig_mesh(3000);
    switch_off(a);
    switch_off(b);
    switch_off(c);
    switch_on(b);
    switch_on(c);
    rig_mesh(8000);
    expect_members(b, 2, 1);
    expect_members(c, 2, 1);
    rig_put(b, document, "text");
    switch_on(a);
    rig_mesh(8000);
    expect_members(a, 2, 2);
    expect_members(b, 2, 2);
    cr_assert(rig_shows(a, document, "text"));
}

Test(cluster, who_moved_on_while_a_node_was_down_takes_the_place_of_what_it_was)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(3000);
    switch_off(a);
    for (int move = 0; move < 2; move++) {
        b->gossip[strlen(b->gossip) - 1] ^= 1 + move;
        rig_restart(b);
        rig_put(b, document, move ? "two" : "one");
    }
    switch_on(a);
    rig_mesh(8000);
    expect_members(a, 1, 1);
}

Test(cluster, an_edit_reaches_the_others_by_the_bus)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(1000);
    rig_put(a, document, "text");
    rig_mesh(100);
    cr_assert(rig_shows(b, document, "text"));
    cr_assert_eq(node_metrics(b->node)->entries_received, 1);
    cr_assert(same_state(a, b, document));
}

Test(cluster, an_edit_with_an_id_made_at_two_cut_off_nodes_is_one_edit)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    char etag[64];
    rig_mesh(1000);
    rig_put(a, document, "to share");
    rig_put(b, "other", "so that the nodes do not know the same in the same order");
    strcpy(etag, a->response.etag);
    rig_mesh(200);
    cr_assert(same_state(a, b, document));
    rig_cut(a, b);
    struct node_ask edit = {.verb = NODE_ASK_PUT,
                            .document = rig_text(document),
                            .body = rig_text("to be shared once"),
                            .if_match = rig_text(etag),
                            .agent = 7};
    rig_ask(a, &edit);
    cr_assert_eq(a->response.status, 200);
    rig_ask(b, &edit);
    cr_assert_eq(b->response.status, 200);
    cr_assert_str_eq(a->response.etag, b->response.etag);
    rig_put(b, document, "to be shared once, then edited");
    rig_mesh(20000);
    cr_assert(rig_shows(a, document, "to be shared once, then edited"));
    cr_assert(same_state(a, b, document));
    rig_ask(a, &edit);
    cr_assert_eq(a->response.status, 200);
    cr_assert(rig_shows(a, document, "to be shared once, then edited"));
}

Test(cluster, what_the_bus_loses_is_pulled)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(1000);
    rig_put(a, document, "lost");
    for (uint32_t i = 0; i < a->bus.count; i++)
        a->bus.items[i].data[0] ^= 0xff; // nothing that anyone understands
    rig_mesh(100);
    rig_put(a, document, "lost and more");
    rig_mesh(1000);
    cr_assert_gt(node_metrics(b->node)->gaps_detected, 0);
    cr_assert_gt(node_metrics(b->node)->pulls_asked, 0);
    cr_assert(rig_shows(b, document, "lost and more"));
}

Test(cluster, a_newcomer_compares_documents_when_entries_are_gone)
{
    struct rig *a = rig_start("a", &(struct node_limits){.journal_bytes_max = 1}, NULL);
    rig_put(a, document, "merged away");
    rig_put(a, "other", "too");
    for (int i = 0; i < 5; i++)
        rig_wait(a, 100);
    cr_assert_gt(node_metrics(a->node)->journal_removed, 0);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(3000);
    cr_assert_gt(node_metrics(b->node)->comparisons_done, 0);
    cr_assert(rig_shows(b, document, "merged away"));
    cr_assert(same_state(a, b, "other"));
    cr_assert_eq(node_unready(b->node), 0);
}

Test(cluster, a_newcomer_compares_once_with_a_node_of_many_lives)
{
    struct rig *a = rig_start("a", &(struct node_limits){.journal_bytes_max = 1}, NULL);
    for (int i = 0; i < 4; i++) {
        rig_put(a, "one", i % 2 ? "text" : "another text");
        rig_put(a, "two", i % 2 ? "text" : "another text");
        rig_wait(a, 100);
        rig_restart(a);
    }
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(5000);
    cr_assert_eq(node_metrics(b->node)->comparisons, 1);
    cr_assert_eq(node_metrics(b->node)->lag_entries, 0);
    cr_assert(same_state(a, b, "one"));
    cr_assert(same_state(a, b, "two"));
    rig_put(a, "one", "text goes on");
    rig_mesh(500);
    cr_assert(rig_shows(b, "one", "text goes on"));
}

Test(cluster, a_node_may_be_started_any_number_of_times)
{
    enum { STARTS = 3000 };
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_put(a, "common", "text");
    rig_mesh(1000);
    rig_cut(a, b);
    for (int i = 0; i < STARTS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "doc-%d", i % 50);
        if (i % 3 > 0) // else the life is empty
            rig_put(a, name, i % 2 ? "text" : "another text");
        if (i == 1000) { // b holds a part, and goes away
            a->linked[b->index] = b->linked[a->index] = true;
            rig_mesh(2000);
            rig_cut(a, b);
            rig_mesh(100);
        }
        rig_restart(a);
        cr_assert_leq(node_metrics(a->node)->feeds, FEEDS_KEPT + 1);
    }
    struct rig *c = rig_start("c", NULL, "a");
    a->linked[b->index] = b->linked[a->index] = true;
    rig_mesh(8000);
    for (int i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof(name), "doc-%d", i);
        cr_assert(same_state(a, b, name), "%s", name);
        cr_assert(same_state(a, c, name), "%s", name);
    }
    cr_assert_eq(node_metrics(b->node)->lag_entries, 0);
    cr_assert_eq(node_metrics(c->node)->lag_entries, 0);
    cr_assert_leq(node_metrics(b->node)->comparisons, 10);
    cr_assert_leq(node_metrics(c->node)->comparisons, 10);
    rig_put(a, "common", "text goes on");
    rig_put(b, "doc-1", "from b");
    rig_mesh(1000);
    cr_assert(rig_shows(c, "common", "text goes on"));
    cr_assert(rig_shows(a, "doc-1", "from b"));
}

Test(cluster, a_node_retires_the_ended_lives_of_another_that_starts_often)
{
    enum { STARTS = FEEDS_KEPT + 200 };
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", &(struct node_limits){.journal_bytes_max = 1}, "a");
    for (int i = 0; i < STARTS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "doc-%d", i % 100);
        rig_put(a, name, i % 200 < 100 ? "text" : "another text");
        rig_mesh(300);
        rig_restart(a);
    }
    rig_mesh(5000);
    cr_assert(same_state(a, b, "doc-7"));
    cr_assert_lt(node_metrics(b->node)->feeds, FEEDS_KEPT);
}

Test(cluster, a_healed_document_keeps_what_is_written_to_it_after_a_restart)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", &(struct node_limits){.journal_bytes_max = 1}, "a");
    rig_put(a, document, "text");
    rig_mesh(2000);
    cr_assert_gt(node_metrics(b->node)->journal_removed, 0); // it is a snapshot at b
    rig_restart(b);
    cr_assert(sim_store_damage(b->store, STORE_SNAPSHOTS, rig_text(document)));
    for (int i = 0; i < 3; i++) { // journal numbers that no entry gets
        sim_store_fail_next(b->store, WEFT_NO_MEMORY);
        rig_put(b, "other", "lost");
    }
    rig_put(b, document, "refused");
    cr_assert_eq(node_metrics(b->node)->documents_quarantined, 1);
    rig_mesh(20000);
    cr_assert_eq(node_metrics(b->node)->documents_quarantined, 0);
    rig_restart(b);
    rig_put(b, document, "text, and more");
    cr_assert_eq(b->response.status, 200);
    rig_restart(b);
    cr_assert(rig_shows(b, document, "text, and more"));
}

Test(cluster, a_page_of_a_comparison_loads_few_documents)
{
    enum { DOCUMENTS = 100 };
    struct rig *rig = rig_start("a", &(struct node_limits){.documents_bytes_max = 1}, NULL);
    for (int i = 0; i < DOCUMENTS; i++) {
        char name[16];
        snprintf(name, sizeof(name), "doc-%03d", i);
        rig_put(rig, name, "text");
    }
    rig_restart(rig);
    uint8_t cursor[64] = "N";
    size_t size = 1;
    uint32_t seen = 0;
    for (int pages = 0; size > 0; pages++) {
        uint64_t loads = node_metrics(rig->node)->documents_loads;
        cr_assert_leq(pages, DOCUMENTS);
        struct peer_message page = rig_page(
            rig, (struct peer_message){.cursor = {cursor, size}, .count_max = PULL_PAGE_DOCUMENTS});
        cr_assert_eq(page.answer, PEER_ANSWER_OK);
        cr_assert_leq(node_metrics(rig->node)->documents_loads, loads + PULL_PAGE_LOADS);
        seen += page.digests.count;
        size = page.cursor.size;
        cr_assert_leq(size, sizeof(cursor));
        if (size > 0)
            memcpy(cursor, page.cursor.data, size);
    }
    cr_assert_eq(seen, DOCUMENTS);
}

static bool page_lists(const struct peer_message *page, const char *name)
{
    struct peer_list items = page->digests;
    struct peer_digest item;
    bool listed = false;
    while (peer_next_digest(&item, &items))
        listed |= item.document.size == strlen(name) &&
                  memcmp(item.document.data, name, item.document.size) == 0;
    return listed;
}

Test(cluster, what_leaves_the_journal_while_pages_are_asked_for_is_on_a_page)
{
    enum { LARGE = 100 << 10 }; // merged when it is written
    struct rig *rig = rig_start("a", &(struct node_limits){.journal_bytes_max = 3 * LARGE}, NULL);
    char *text = calloc(1, 2 * LARGE + 1);
    memset(text, 'x', LARGE);
    struct peer_message page = rig_page(rig, (struct peer_message){0});
    struct peer_message question = {.checkpoint_incarnation = page.checkpoint_incarnation,
                                    .checkpoint = page.checkpoint,
                                    .count_max = 1};
    rig_put(rig, "early", "in the journal");
    rig_put(rig, "large-1", text);
    rig_put(rig, "large-2", text);
    uint8_t cursor[64];
    bool early = false;
    for (int pages = 0; pages == 0 || question.cursor.size > 0; pages++) {
        cr_assert_leq(pages, 16);
        page = rig_page(rig, question);
        cr_assert_eq(page.answer, PEER_ANSWER_OK);
        early |= page_lists(&page, "early");
        cr_assert_leq(page.cursor.size, sizeof(cursor));
        if (page.cursor.size > 0)
            memcpy(cursor, page.cursor.data, page.cursor.size);
        question.cursor = (struct span){cursor, page.cursor.size};
        if (pages == 0) {
            cr_assert(page_lists(&page, "large-1"), "the cursor is past what is in the journal");
            memset(text, 'x', 2 * LARGE);
            rig_put(rig, "large-3", text);
            rig_wait(rig, 100);
            cr_assert_gt(node_metrics(rig->node)->journal_removed, 0);
        }
    }
    cr_assert(early);
    free(text);
}

Test(cluster, a_checkpoint_is_of_what_is_on_disk)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(1000);
    uint64_t checkpoint = rig_page(a, (struct peer_message){0}).checkpoint;
    rig_put(b, document, "text");
    hear(a, b); // in memory
    cr_assert_eq(rig_page(a, (struct peer_message){0}).checkpoint, checkpoint);
    rig_settle(a);
    cr_assert_eq(rig_page(a, (struct peer_message){0}).checkpoint, checkpoint + 1);
}

/// Until `rig` has asked for the first page of its comparison number `count`.
static void mesh_until_compared(struct rig *rig, uint64_t count)
{
    for (int i = 0; i < 400; i++) {
        if (node_metrics(rig->node)->comparisons == count && rig->pulls.count > 0)
            return;
        rig_mesh(50);
    }
    cr_assert_fail("no comparison began");
}

Test(cluster, a_page_of_a_comparison_that_was_given_up_is_not_one_of_the_next)
{
    struct rig *a = rig_start("a", &(struct node_limits){.journal_bytes_max = 1}, NULL);
    struct peer_message question = {
        .type = PEER_PULL_CHANGED, .cursor = rig_text("Nz"), .count_max = 8};
    struct weft_buffer bytes;
    rig_put(a, document, "merged away");
    for (int i = 0; i < 5; i++)
        rig_wait(a, 100);
    struct rig *b = rig_start("b", NULL, "a");
    mesh_until_compared(b, 1);
    uint64_t ticket = b->pulls.items[0].tag;
    free(b->pulls.items[0].data); // it is long under way
    b->pulls.count = 0;
    rig_restart(a);
    mesh_until_compared(b, 2);
    // What was lost was a question for the last page, and is answered by who is there now.
    weft_buffer_init(&bytes, NULL);
    struct pack_writer writer = pack_writer_begin(&bytes);
    peer_begin(&writer, &question);
    cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    rig_step(a, &(struct node_event){.kind = NODE_PULL_ASKED,
                                     .answer = {ticket},
                                     .bytes = {bytes.data, bytes.size}});
    cr_assert_eq(a->answers.count, 1);
    rig_step(b,
             &(struct node_event){.kind = NODE_PULL_REPLY,
                                  .ticket = ticket,
                                  .bytes = {a->answers.items[0].data, a->answers.items[0].size}});
    free(a->answers.items[0].data);
    a->answers.count = 0;
    weft_buffer_finish(&bytes);
    rig_mesh(5000);
    cr_assert(rig_shows(b, document, "merged away"));
}

Test(cluster, what_cannot_be_read_there_does_not_count_as_held_after_a_comparison)
{
    struct node_limits limits = {.journal_bytes_max = 1};
    struct rig *a = rig_start("a", &limits, NULL);
    rig_put(a, document, "damaged");
    rig_put(a, "other", "whole");
    for (int i = 0; i < 5; i++)
        rig_wait(a, 100);
    rig_restart(a);
    cr_assert(sim_store_damage(a->store, STORE_SNAPSHOTS, rig_text(document)));
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_DIGEST, .document = rig_text(document)});
    cr_assert_eq(a->response.status, 503);
    struct rig *b = rig_start("b", &limits, "a");
    rig_mesh(10000);
    cr_assert(rig_shows(b, "other", "whole"), "one bad document holds up no other");
    cr_assert_eq(node_unready(b->node), 0);
    cr_assert_eq(node_metrics(b->node)->comparisons_done, 0);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_PUT,
                                  .document = rig_text("other"),
                                  .body = rig_text("whole"),
                                  .wait_level = 2});
    rig_mesh(11000);
    cr_assert_str_eq(a->response.durability, "durable", "b lacks a document that a took");
}

Test(cluster, a_document_that_left_memory_is_fetched_all_the_same)
{
    struct node_limits limits = {.journal_bytes_max = 1, .documents_bytes_max = 1};
    struct rig *a = rig_start("a", &limits, NULL);
    rig_put(a, document, "one");
    rig_put(a, "other", "one");
    struct rig *b = rig_start("b", &limits, "a");
    rig_mesh(3000);
    rig_cut(a, b);
    rig_put(a, document, "one two");
    rig_put(a, "other", "one two");
    for (int i = 0; i < 5; i++)
        rig_wait(a, 100);
    rig_mesh(2000);
    a->linked[b->index] = b->linked[a->index] = true;
    rig_mesh(8000);
    cr_assert(rig_shows(b, document, "one two"));
    cr_assert(same_state(a, b, "other"));
}

Test(cluster, a_forked_author_does_not_keep_other_documents_from_arriving)
{
    // Agent 7 typed "ab" at a, and typed and deleted "a" at b. What 9 writes behind the "b" can
    // never be applied at b, nor what comes after it.
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct author at_a, at_b, later;
    struct weft_apply_result result;
    author_init(&at_a, document, 7);
    author_init(&at_b, document, 7);
    author_init(&later, document, 9);
    rig_mesh(1000);
    rig_greet(a, 0, 0);
    rig_greet(b, 0, 0);
    uint32_t room_a = rig_join(a, 0, document);
    uint32_t room_b = rig_join(b, 0, document);
    author_type(&at_a, a, 0, room_a, "ab");
    cr_assert_eq(
        weft_doc_apply(&result, later.doc, WEFT_APPLY_STRICT, at_a.delta.data, at_a.delta.size),
        WEFT_OK);
    author_type(&at_b, b, 0, room_b, "a");
    cr_assert_eq(weft_doc_delete(at_b.doc, WEFT_SCALARS, 0, 1), WEFT_OK);
    at_b.delta.size = 0;
    cr_assert_eq(weft_doc_delta_own(&at_b.delta, at_b.doc, 7, 1), WEFT_OK);
    rig_send(b, 0,
             &(struct wire_message){.type = WIRE_DELTA,
                                    .room = room_b,
                                    .number = 2,
                                    .deltas[0] = {at_b.delta.data, at_b.delta.size},
                                    .delta_count = 1});
    rig_settle(a);
    rig_settle(b);
    rig_mesh(1000);
    for (int i = 0; i < 3; i++) {
        later.number = (uint32_t)i + 1;
        author_type(&later, a, 0, room_a, "x");
        rig_mesh(200);
    }
    rig_put(a, "other", "text");
    rig_mesh(20000);
    cr_assert(rig_shows(b, "other", "text"));
    rig_put(a, document, "abxxx and more");
    rig_put(a, "other", "text, and more");
    rig_mesh(20000);
    cr_assert(rig_shows(b, "other", "text, and more"));
    cr_assert_eq(node_metrics(b->node)->lag_entries, 0);
    cr_assert_gt(node_metrics(a->node)->forks_healed + node_metrics(b->node)->forks_healed, 0);
    cr_assert(same_state(a, b, document));
    author_finish(&at_a);
    author_finish(&at_b);
    author_finish(&later);
}

Test(cluster, what_is_past_a_documents_limits_does_not_keep_other_documents_from_arriving)
{
    struct rig *a = rig_start("a", &(struct node_limits){.journal_bytes_max = 1}, NULL);
    rig_put(a, document, "text");
    rig_put(a, document, "longer than b takes: text");
    rig_put(a, "other", "text");
    for (int i = 0; i < 5; i++)
        rig_wait(a, 100);
    struct rig *b = rig_start("b", NULL, "a");
    b->node->archive.limits.elements_max = 16;
    rig_mesh(20000);
    cr_assert(rig_shows(b, "other", "text"));
    cr_assert_eq(node_metrics(b->node)->comparisons_done, 1);
    cr_assert_eq(node_metrics(b->node)->comparisons, 1);
    cr_assert_eq(node_metrics(b->node)->documents_incomplete, 1);
    rig_put(a, document, "longer than b takes: text, and more");
    rig_put(a, "other", "text, and more");
    rig_mesh(20000);
    cr_assert(rig_shows(b, "other", "text, and more"));
    cr_assert_eq(node_metrics(b->node)->lag_entries, 0);
    cr_assert_eq(node_metrics(b->node)->documents_incomplete, 1, "told once");
}

Test(cluster, a_damaged_document_is_healed_up_to_its_limits)
{
    struct node_limits limits = {.journal_bytes_max = 1};
    struct rig *a = rig_start("a", &limits, NULL);
    struct rig *b = rig_start("b", &limits, "a");
    rig_put(a, document, "text");
    rig_mesh(2000);
    rig_put(a, document, "longer than b takes: text");
    rig_mesh(2000);
    rig_restart(b);
    b->node->archive.limits.elements_max = 16;
    cr_assert(sim_store_damage(b->store, STORE_SNAPSHOTS, rig_text(document)));
    rig_put(b, document, "refused");
    cr_assert_eq(node_metrics(b->node)->documents_quarantined, 1);
    rig_mesh(20000);
    cr_assert_eq(node_metrics(b->node)->documents_quarantined, 0);
    cr_assert(rig_shows(b, document, "text"));
}

Test(cluster, two_halves_merge)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_put(a, document, "middle");
    rig_mesh(1000);
    rig_cut(a, b);
    rig_mesh(100);
    rig_put(a, document, "left middle");
    rig_put(b, document, "middle right");
    rig_put(a, "only a", "x");
    rig_mesh(500);
    cr_assert_not(same_state(a, b, document));
    a->linked[b->index] = b->linked[a->index] = true;
    rig_mesh(5000);
    cr_assert(rig_shows(a, document, "left middle right"));
    cr_assert(rig_shows(b, document, "left middle right"));
    cr_assert(rig_shows(b, "only a", "x"));
}

Test(cluster, the_greater_epoch_wins_and_the_other_is_kept)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_put(a, document, "common");
    rig_mesh(1000);
    rig_cut(a, b);
    rig_mesh(100);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_DELETE, .document = rig_text(document)});
    rig_put(a, document, "anew");
    rig_put(b, document, "common, and more");
    a->linked[b->index] = b->linked[a->index] = true;
    rig_mesh(5000);
    cr_assert(rig_shows(b, document, "anew"));
    cr_assert(same_state(a, b, document));
    rig_ask(b, &(struct node_ask){
                   .verb = NODE_ASK_RECOVERY_TEXT,
                   .document = rig_text(document),
                   .after = rig_text("000000000000000000000000000000000000000000000000")});
    cr_assert_str_eq(b->response.body, "common, and more");
}

Test(cluster, a_failed_commit_of_a_peers_epoch_tells_nobody_of_a_lesser_one)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_put(a, document, "text");
    rig_mesh(1000);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_DELETE, .document = rig_text(document)});
    for (uint32_t i = 0; i < a->bus.count; i++)
        rig_step(b, &(struct node_event){.kind = NODE_PEER_MESSAGE,
                                         .pipe = {1 + b->index * RIGS_MAX + a->index},
                                         .bytes = {a->bus.items[i].data, a->bus.items[i].size}});
    sim_store_fail_next(b->store, WEFT_NO_MEMORY);
    rig_turn(b); // shown, and on its way to the disk
    rig_greet(b, 0, 0);
    rig_send(b, 0,
             &(struct wire_message){
                 .type = WIRE_JOIN, .ref = 1, .name = rig_text(document), .vector = rig_text("")});
    const struct wire_message *joined = rig_find(b, 0, WIRE_JOINED);
    cr_assert_not_null(joined);
    cr_assert_eq(joined->epoch.counter, 1);
    rig_settle(b);
    cr_assert_gt(node_metrics(b->node)->commits_failed, 0);
    const struct wire_message *closed = rig_find(b, 0, WIRE_ERROR);
    cr_assert_not_null(closed);
    cr_assert_eq(closed->code, WIRE_INTERNAL);
    cr_assert_eq(closed->number, WIRE_NONE);
    cr_assert_null(rig_find(b, 0, WIRE_NEW_EPOCH));
    rig_mesh(2000);
    rig_ask(b, &(struct node_ask){.verb = NODE_ASK_TEXT, .document = rig_text(document)});
    cr_assert_eq(b->response.status, 404, "it was pulled again");
}

Test(cluster, replicated_counts_disks)
{
    struct rig *a = rig_start("a", NULL, NULL);
    rig_start("b", NULL, "a");
    struct author author;
    author_init(&author, document, 7);
    rig_mesh(1000);
    rig_greet(a, 0, 2);
    uint32_t room = rig_join(a, 0, document);
    author_type(&author, a, 0, room, "text");
    rig_settle(a);
    uint32_t level = 0;
    for (const struct wire_message *ack; (ack = rig_find(a, 0, WIRE_ACK)) != NULL;)
        level = ack->level;
    cr_assert_eq(level, 1, "the other one has not said that it holds it");
    rig_mesh(200);
    const struct wire_message *ack = rig_find(a, 0, WIRE_ACK);
    cr_assert_not_null(ack);
    cr_assert_eq(ack->level, 2);
    cr_assert_eq(ack->number, 1);
    author_finish(&author);
}

Test(cluster, a_disk_that_comes_back_at_another_address_counts_once)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(1000);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_PUT,
                                  .document = rig_text(document),
                                  .body = rig_text("text"),
                                  .wait_level = 3});
    rig_mesh(500);
    b->gossip[strlen(b->gossip) - 1] ^= 1;
    rig_cut(a, b);
    rig_restart(b);
    rig_mesh(100);
    a->linked[b->index] = b->linked[a->index] = true;
    rig_mesh(1500);
    cr_assert_eq(node_metrics(a->node)->members, 2, "the life before it is not silent yet");
    cr_assert_eq(a->response.count, 0);
    rig_mesh(10000);
    cr_assert_str_eq(a->response.durability, "replicated:2");
    cr_assert_eq(node_metrics(a->node)->members, 1);
}

Test(cluster, an_edit_that_a_peer_brought_is_durable_once_it_is_on_this_disk)
{
    // `author` typed at b, lost the connection, and sends the same again to a.
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct author author;
    author_init(&author, document, 7);
    rig_mesh(1000);
    rig_greet(a, 0, 0);
    rig_greet(b, 0, 0);
    uint32_t at_a = rig_join(a, 0, document);
    author_type(&author, b, 0, rig_join(b, 0, document), "a");
    rig_settle(b);
    hear(a, b); // in memory, not on a's disk
    rig_send(a, 0,
             &(struct wire_message){.type = WIRE_DELTA,
                                    .room = at_a,
                                    .number = 1,
                                    .deltas[0] = {author.delta.data, author.delta.size},
                                    .delta_count = 1});
    rig_turn(a);
    for (const struct wire_message *ack; (ack = rig_find(a, 0, WIRE_ACK)) != NULL;)
        cr_assert_eq(ack->level, 0, "a's disk does not hold it yet");
    rig_settle(a);
    const struct wire_message *ack = rig_find(a, 0, WIRE_ACK);
    cr_assert_not_null(ack);
    cr_assert_eq(ack->level, 1);
    author_finish(&author);
}

Test(cluster, a_request_that_changes_nothing_is_replicated_once_others_hold_what_it_found)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct rig *c = rig_start("c", NULL, "a");
    rig_mesh(3000);
    rig_put(b, document, "text");
    hear(a, b); // in memory, not on a's disk; c has not heard of it
    rig_step(a, &(struct node_event){.kind = NODE_REQUEST,
                                     .request = {++a->next_request},
                                     .ask = &(struct node_ask){.verb = NODE_ASK_PUT,
                                                               .document = rig_text(document),
                                                               .body = rig_text("text"),
                                                               .wait_level = 2}});
    rig_settle(a);
    rig_wait(c, 1000);
    hear(a, c);
    cr_assert_eq(a->response.count, 0, "c does not hold it");
    rig_wait(b, 1000);
    hear(a, b);
    cr_assert_eq(a->response.count, 1);
    cr_assert_str_eq(a->response.durability, "replicated:2");
}

Test(cluster, what_a_peer_brings_waits_behind_what_it_names)
{
    // `author` typed "a" at b, then came to a with it; b's "ab" arrives while a's disk is busy.
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct author author;
    struct weft_doc *reader;
    struct weft_apply_result result;
    author_init(&author, document, 7);
    cr_assert_eq(weft_doc_create(&reader, &(struct weft_doc_options){0}), WEFT_OK);
    rig_mesh(1000);
    rig_greet(a, 0, 0);
    rig_greet(a, 1, 0);
    rig_greet(b, 0, 0);
    uint32_t at_a = rig_join(a, 0, document);
    rig_join(a, 1, document);
    uint32_t at_b = rig_join(b, 0, document);
    author_type(&author, b, 0, at_b, "a");
    rig_settle(b);
    rig_put(b, document, "ab");
    rig_send(a, 0,
             &(struct wire_message){.type = WIRE_DELTA,
                                    .room = at_a,
                                    .number = 1,
                                    .deltas[0] = {author.delta.data, author.delta.size},
                                    .delta_count = 1});
    rig_turn(a);
    for (uint32_t i = 0; i < b->bus.count; i++)
        rig_step(a, &(struct node_event){.kind = NODE_PEER_MESSAGE,
                                         .pipe = {1 + a->index * RIGS_MAX + b->index},
                                         .bytes = {b->bus.items[i].data, b->bus.items[i].size}});
    rig_settle(a);
    for (const struct wire_message *message; (message = rig_find(a, 1, 0)) != NULL;) {
        for (uint32_t i = 0; message->type == WIRE_NODE_DELTA && i < message->delta_count; i++) {
            cr_assert_eq(weft_doc_apply(&result, reader, WEFT_APPLY_STRICT, message->deltas[i].data,
                                        message->deltas[i].size),
                         WEFT_OK);
            cr_assert_eq(result.runs_missing, 0, "a delta came before what it names");
        }
    }
    cr_assert_eq(weft_doc_length(reader, WEFT_SCALARS), 2);
    weft_doc_destroy(reader);
    author_finish(&author);
}

Test(cluster, leave_and_forget_end_a_membership)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_start("c", NULL, "a");
    rig_mesh(3000);
    rig_ask(b, &(struct node_ask){.verb = NODE_ASK_LEAVE});
    cr_assert_eq(b->response.status, 200);
    rig_mesh(2000);
    cr_assert(lists(a, "\"left\""));
    cr_assert_eq(node_metrics(a->node)->members, 1);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_FORGET, .document = rig_text("b")});
    cr_assert_eq(a->response.status, 404);
    cr_assert(strstr(a->response.body, "it has left"));
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_FORGET, .document = rig_text("c")});
    cr_assert_eq(a->response.status, 200);
    cr_assert(lists(a, "\"forgotten\""));
    cr_assert_eq(node_metrics(a->node)->members, 0);
}

Test(cluster, who_was_forgotten_and_speaks_is_a_member_again)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct rig *c = rig_start("c", NULL, "a");
    rig_mesh(3000);
    rig_cut(a, c);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_FORGET, .document = rig_text("c")});
    cr_assert_eq(a->response.status, 200);
    cr_assert(lists(a, "\"forgotten\""));
    rig_mesh(20000);
    cr_assert_not(lists(a, "\"forgotten\""));
    cr_assert_not(lists(b, "\"forgotten\""));
    cr_assert_eq(node_metrics(a->node)->members, 2);
    cr_assert_eq(node_metrics(b->node)->members, 2);
    rig_put(c, document, "heard");
    rig_mesh(1000);
    cr_assert(rig_shows(a, document, "heard"));
}

/// A heartbeat as a copy of the node that is five entries ahead would say it.
static void say_ahead(struct weft_buffer *bytes_out, const struct rig *rig)
{
    for (uint32_t i = 0; i < rig->bus.count && bytes_out->size == 0; i++) {
        struct peer_message message;
        struct span said = {rig->bus.items[i].data, rig->bus.items[i].size};
        cr_assert_eq(peer_decode(&message, said), WEFT_OK);
        if (message.type != PEER_HEARTBEAT)
            continue;
        message.self.prefix += 5;
        struct pack_writer writer = pack_writer_begin(bytes_out);
        peer_begin(&writer, &message);
        pack_array(&writer, 0);
        pack_array(&writer, 0);
        pack_array(&writer, 0);
        cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    }
    cr_assert_gt(bytes_out->size, 0);
}

Test(cluster, a_life_that_is_ahead_of_itself_is_fenced)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_put(a, document, "text");
    rig_mesh(1000);
    // A copy of a's directory runs under the same incarnation: b has heard more of it than a.
    struct weft_buffer bytes;
    weft_buffer_init(&bytes, NULL);
    for (uint32_t i = 0; i < b->bus.count; i++)
        b->bus.items[i].size = 0;
    rig_wait(a, 1000);
    say_ahead(&bytes, a);
    rig_step(a, &(struct node_event){
                    .kind = NODE_PEER_MESSAGE, .pipe = {77}, .bytes = {bytes.data, bytes.size}});
    cr_assert_eq(node_metrics(a->node)->fences, 1);
    rig_put(a, document, "text goes on");
    rig_mesh(3000);
    cr_assert(rig_shows(b, document, "text goes on"));
    weft_buffer_finish(&bytes);
}

Test(cluster, what_a_fenced_life_wrote_is_replicated_only_when_others_hold_it)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct author author;
    struct weft_buffer bytes;
    author_init(&author, document, 7);
    weft_buffer_init(&bytes, NULL);
    rig_mesh(1000);
    rig_greet(a, 0, 2);
    uint32_t room = rig_join(a, 0, document);
    rig_wait(a, 1000);
    say_ahead(&bytes, a);
    rig_cut(a, b);
    author_type(&author, a, 0, room, "x"); // staged under the life that is fenced in this turn
    rig_step(a, &(struct node_event){
                    .kind = NODE_PEER_MESSAGE, .pipe = {77}, .bytes = {bytes.data, bytes.size}});
    cr_assert_eq(node_metrics(a->node)->fences, 1);
    rig_settle(a);
    for (const struct wire_message *ack; (ack = rig_find(a, 0, WIRE_ACK)) != NULL;)
        cr_assert_lt(ack->level, 2, "nobody else holds it");
    a->linked[b->index] = b->linked[a->index] = true;
    rig_mesh(5000);
    const struct wire_message *ack = rig_find(a, 0, WIRE_ACK);
    cr_assert_not_null(ack);
    cr_assert_eq(ack->level, 2);
    weft_buffer_finish(&bytes);
    author_finish(&author);
}
