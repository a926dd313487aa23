// SPDX-License-Identifier: MIT
// The journal: what survives, what is merged while the node runs, what happens without space.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/limits.h"
#include "rig.h"

TestSuite(journal, .fini = rig_finish_all);

Test(journal, what_was_acked_durable_is_there_after_a_kill)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "kept");
    cr_assert_str_eq(rig->response.durability, "durable");
    rig_step(rig, &(struct node_event){.kind = NODE_REQUEST,
                                       .request = {++rig->next_request},
                                       .ask = &(struct node_ask){.verb = NODE_ASK_PUT,
                                                                 .document = rig_text("other"),
                                                                 .body = rig_text("not yet")}});
    rig_turn(rig); // killed before that group reaches the disk
    rig_restart(rig);
    cr_assert(rig_shows(rig, document, "kept"));
    cr_assert_not(rig_shows(rig, "other", "not yet"));
}

Test(journal, merging_while_running_keeps_it_short_and_loses_nothing)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.journal_bytes_max = 4096}, NULL);
    char name[16];
    char text[64];
    for (int round = 0; round < 40; round++) {
        for (int d = 0; d < 8; d++) {
            snprintf(name, sizeof(name), "doc%d", d);
            snprintf(text, sizeof(text), "document %d as of round %d", d, round);
            rig_put(rig, name, text);
        }
    }
    for (int i = 0; i < 10; i++)
        rig_wait(rig, 100);
    cr_assert_gt(node_metrics(rig->node)->merges, 0);
    cr_assert_gt(node_metrics(rig->node)->journal_removed, 200);
    cr_assert_leq(node_metrics(rig->node)->journal_bytes, 4096);
    cr_assert_eq(sim_store_count(rig->store, STORE_JOURNAL),
                 node_metrics(rig->node)->journal_entries);
    for (int restarted = 0; restarted < 2; restarted++) {
        for (int d = 0; d < 8; d++) {
            snprintf(name, sizeof(name), "doc%d", d);
            snprintf(text, sizeof(text), "document %d as of round 39", d);
            cr_assert(rig_shows(rig, name, text), "%s after %d restarts", name, restarted);
        }
        rig_restart(rig);
    }
}

Test(journal, a_large_text_is_not_written_again_for_each_small_part_of_it)
{
    enum { text_size = 1 << 20, edit_size = 40 << 10, edits = 12 };
    struct rig *rig = rig_start("a", NULL, NULL);
    char *text = malloc(text_size + 1);
    cr_assert_not_null(text);
    memset(text, 'a', text_size);
    text[text_size] = '\0';
    rig_put(rig, document, text);
    rig_settle(rig);
    uint64_t before = node_metrics(rig->node)->merges;
    for (int i = 0; i < edits; i++) { // 480 KiB of edits in all
        memset(text + i * edit_size, 'b' + i, edit_size);
        rig_put(rig, document, text);
        rig_settle(rig);
    }
    cr_expect_gt(node_metrics(rig->node)->merges, before);
    cr_expect_leq(node_metrics(rig->node)->merges - before, 2);
    free(text);
    struct node_ask ask = {.verb = NODE_ASK_DIGEST, .document = rig_text(document)};
    char digest[sizeof(rig->response.body)];
    rig_ask(rig, &ask);
    memcpy(digest, rig->response.body, sizeof(digest));
    rig_restart(rig);
    rig_ask(rig, &ask);
    cr_expect_str_eq(rig->response.body, digest);
}

Test(journal, without_space_it_reads_on_and_recovers_by_itself)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "kept");
    rig_settle(rig);
    sim_store_set_full(rig->store, true);
    author_type(&author, rig, 0, room, " lost");
    rig_settle(rig);
    const struct wire_message *error = rig_find(rig, 0, WIRE_ERROR);
    cr_assert_not_null(error);
    cr_assert_eq(error->code, WIRE_STORAGE_FULL);
    cr_assert_eq(error->number, 2);
    cr_assert(node_unready(rig->node) & NODE_UNREADY_SPACE);
    cr_assert(rig_shows(rig, document, "kept"));
    rig_put(rig, document, "more");
    cr_assert_eq(rig->response.status, 507);
    rig_wait(rig, SPACE_PROBE_MS);
    sim_store_set_full(rig->store, false);
    rig_wait(rig, SPACE_PROBE_MS);
    cr_assert_eq(node_unready(rig->node) & NODE_UNREADY_SPACE, 0);
    rig_put(rig, document, "more");
    cr_assert_eq(rig->response.status, 200);
    rig_restart(rig);
    cr_assert(rig_shows(rig, document, "more"));
    author_finish(&author);
}

Test(journal, a_failed_commit_is_taken_back_and_subscribers_resync)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 0, document);
    rig_join(rig, 1, document);
    author_type(&author, rig, 0, room, "text");
    sim_store_fail_next(rig->store, WEFT_NO_MEMORY);
    rig_settle(rig);
    cr_assert_not_null(rig_find(rig, 0, WIRE_ERROR));
    for (const struct wire_message *message; (message = rig_find(rig, 1, 0)) != NULL;)
        cr_assert_eq(message->type, WIRE_RESYNC, "an edit that failed was shown");
    cr_assert_not(rig_shows(rig, document, "text"));
    cr_assert_eq(node_metrics(rig->node)->commits_failed, 1);
    author_finish(&author);
}

Test(journal, a_failed_commit_that_merged_and_pruned_loses_nothing)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.journal_bytes_max = 1}, NULL);
    struct node_event event = {.kind = NODE_COMMITTED};
    struct node_ask put = {
        .verb = NODE_ASK_PUT, .document = rig_text(document), .body = rig_text("kept")};
    rig_step(rig, &(struct node_event){
                      .kind = NODE_REQUEST, .request = {++rig->next_request}, .ask = &put});
    rig_turn(rig);
    cr_assert(sim_store_sync(rig->store));
    cr_assert(sim_store_next(rig->store, &event.group, &event.status));
    rig_step(rig, &event);
    cr_assert_eq(rig->response.status, 201);
    sim_store_fail_next(rig->store, WEFT_NO_MEMORY);
    rig_turn(rig);
    cr_assert_gt(node_metrics(rig->node)->journal_removed, 0, "nothing was pruned");
    rig_settle(rig);
    cr_assert_eq(node_metrics(rig->node)->commits_failed, 1);
    cr_assert(rig_shows(rig, document, "kept"));
    rig_put(rig, document, "kept, and more");
    for (int i = 0; i < 5; i++)
        rig_wait(rig, 100);
    rig_restart(rig);
    cr_assert(rig_shows(rig, document, "kept, and more"));
}

Test(journal, each_edit_of_a_failed_commit_is_named_before_a_later_one_is_acked)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author authors[3]; // one connection carries the edits of all
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    for (int i = 0; i < 3; i++)
        author_init(&authors[i], document, 7 + (uint64_t)i);
    for (uint32_t i = 0; i < 3; i++) {
        authors[i].number = i;
        if (i == 2) {
            sim_store_fail_next(rig->store, WEFT_NO_MEMORY);
            rig_settle(rig);
        }
        author_type(&authors[i], rig, 0, room, "x");
    }
    rig_settle(rig);
    bool named[4] = {false};
    for (const struct wire_message *message; (message = rig_find(rig, 0, 0)) != NULL;) {
        if (message->type == WIRE_ERROR && message->number < 4)
            named[message->number] = true;
        if (message->type == WIRE_ACK && message->level == 1)
            cr_assert_eq(message->number, 3);
    }
    cr_assert(named[1]);
    cr_assert(named[2], "an ack of 3 is cumulative");
    cr_assert_not(named[3]);
    for (int i = 0; i < 3; i++)
        author_finish(&authors[i]);
}

Test(journal, after_a_failed_sync_nothing_is_written_any_more)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "kept");
    sim_store_fail_next(rig->store, WEFT_STORAGE);
    rig_put(rig, document, "lost");
    cr_assert_eq(rig->response.status, 500);
    cr_assert(node_unready(rig->node) & NODE_UNREADY_STORAGE);
    rig_put(rig, document, "lost too");
    cr_assert_eq(rig->response.status, 500);
    cr_assert(rig_shows(rig, document, "kept"));
}

Test(journal, idle_documents_leave_memory_and_come_back)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.documents_bytes_max = 1}, NULL);
    rig_put(rig, document, "text");
    rig_wait(rig, 100);
    rig_wait(rig, 100);
    cr_assert_eq(node_metrics(rig->node)->documents_loaded, 0);
    cr_assert_eq(node_metrics(rig->node)->documents_bytes, 0);
    cr_assert(rig_shows(rig, document, "text"));
}

Test(journal, names_that_were_only_asked_for_leave_memory_at_once)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, "kept", "text"); // idle before the others, and not to be evicted
    uint64_t before = node_metrics(rig->node)->documents_loaded;
    for (int i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof(name), "none %d", i);
        rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_DIGEST, .document = rig_text(name)});
        cr_assert_eq(rig->response.status, 404);
    }
    rig_wait(rig, 100);
    cr_assert_eq(node_metrics(rig->node)->documents_loaded, before);
}

Test(journal, without_memory_an_edit_is_whole_or_not_at_all)
{
    for (uint64_t after = 1; after < 60; after++) {
        struct rig *rig = rig_start("a", NULL, NULL);
        rig_put(rig, document, "kept");
        uint32_t answered = rig->response.count;
        rig->memory.fail_from = rig->memory.calls + after;
        rig_put(rig, document, "other");
        rig->memory.fail_from = UINT64_MAX;
        bool accepted = rig->response.count > answered && rig->response.status == 200;
        rig_settle(rig);
        bool kept = rig_shows(rig, document, "kept");
        cr_assert(kept || rig_shows(rig, document, "other"), "allocation %d", (int)after);
        cr_assert_not(kept && accepted, "allocation %d", (int)after);
        rig_restart(rig);
        cr_assert(rig_shows(rig, document, kept ? "kept" : "other"), "allocation %d", (int)after);
        rig_finish_all();
    }
}

Test(journal, every_edit_is_answered_also_without_memory)
{
    // More than a group has place for: the list of those to be answered grows.
    enum { EDITS = 20 };
    for (uint64_t after = 1; after < 120; after++) {
        struct rig *rig = rig_start("a", NULL, NULL);
        rig_put(rig, document, "kept");
        uint32_t answered = rig->response.count;
        rig->memory.fail_from = rig->memory.calls + after;
        for (int i = 0; i < EDITS; i++) {
            char text[16];
            snprintf(text, sizeof(text), "edit %d", i);
            rig_step(rig,
                     &(struct node_event){.kind = NODE_REQUEST,
                                          .request = {++rig->next_request},
                                          .ask = &(struct node_ask){.verb = NODE_ASK_PUT,
                                                                    .document = rig_text(document),
                                                                    .body = rig_text(text)}});
        }
        rig->memory.fail_from = UINT64_MAX;
        rig_settle(rig);
        cr_assert_eq(rig->response.count, answered + EDITS, "allocation %d", (int)after);
        rig_finish_all();
    }
}
