// SPDX-License-Identifier: MIT
// What becomes of documents and journals that are damaged on one disk of several.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/peer.h"
#include "node/feeds.h"
#include "node/limits.h"
#include "node/state.h"
#include "rig.h"

TestSuite(damage, .fini = rig_finish_all);

static const char first_epoch[] = "000000000000000000000000000000000000000000000000";
static const struct node_limits short_journal = {.journal_bytes_max = 1};

/// What `from` said on the bus so far arrives at `to`, which has no other link to it.
static void whisper(struct rig *to, const struct rig *from)
{
    struct pipe_id pipe = {1000 + from->index};
    rig_step(to, &(struct node_event){.kind = NODE_PEER_UP, .pipe = pipe});
    for (uint32_t i = 0; i < from->bus.count; i++)
        rig_step(to,
                 &(struct node_event){.kind = NODE_PEER_MESSAGE,
                                      .pipe = pipe,
                                      .bytes = {from->bus.items[i].data, from->bus.items[i].size}});
    rig_step(to, &(struct node_event){.kind = NODE_PEER_DOWN, .pipe = pipe});
    rig_settle(to);
}

/// It is connected to someone, or it would say nothing. What it said so far is forgotten.
static void connect(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->bus.count; i++)
        free(rig->bus.items[i].data);
    rig->bus.count = 0;
    rig_step(rig, &(struct node_event){.kind = NODE_PEER_UP, .pipe = {2000 + rig->index}});
}

static struct rig *all[RIGS_MAX];

/// Time passes and only these two are linked; NULL: nobody is.
static void only(struct rig *a, struct rig *b, uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 50) {
        for (int i = 0; i < RIGS_MAX && all[i]; i++)
            memset(all[i]->linked, 0, sizeof(all[i]->linked)); // they dial each other
        if (a)
            a->linked[b->index] = b->linked[a->index] = true;
        rig_mesh(50);
    }
}

/// So that nobody is answered who asks it.
static void answers(struct rig *rig, bool yes)
{
    rig->pull[0] = yes ? 't' : '-';
}

/// Starts it again with the document's snapshot damaged, and lets it find out.
static void damage(struct rig *rig)
{
    rig_restart(rig);
    cr_assert(sim_store_damage(rig->store, STORE_SNAPSHOTS, rig_text(document)));
    rig_put(rig, document, "refused");
    cr_assert_eq(rig->response.status, 503);
    cr_assert_eq(node_metrics(rig->node)->documents_quarantined, 1);
}

static bool is_damaged(struct rig *rig)
{
    return node_metrics(rig->node)->documents_quarantined > 0;
}

/// The text of a recovery copy.
static const char *kept_text(struct rig *rig, const char *epoch)
{
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_TEXT,
                                    .document = rig_text(document),
                                    .after = rig_text(epoch)});
    return rig->response.status == 200 ? rig->response.body : "";
}

static void delete (struct rig *rig)
{
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_DELETE, .document = rig_text(document)});
}

/// Nodes that know each other and have the document; then they are cut off, and it is damaged at
/// the second.
static void begin(int count)
{
    static const char *const names[] = {"a", "b", "c", "d"};
    memset(all, 0, sizeof(all));
    for (int i = 0; i < count; i++)
        all[i] = rig_start(names[i], i == 1 ? &short_journal : NULL, i > 0 ? "a" : NULL);
    rig_mesh(2000);
    rig_put(all[0], document, "text");
    rig_mesh(2000);
    for (int i = 0; i < count; i++)
        cr_assert(rig_shows(all[i], document, "text"));
    cr_assert_gt(node_metrics(all[1]->node)->journal_removed, 0);
    only(NULL, NULL, 100);
    damage(all[1]);
}

Test(damage, what_came_meanwhile_for_an_epoch_that_lost_is_kept_apart)
{
    begin(2);
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2] = rig_start("c", NULL, NULL);
    connect(c);
    rig_put(c, document, "of c");
    whisper(b, c);
    cr_assert_eq(node_metrics(b->node)->entries_received, 1);
    delete (a);
    rig_put(a, document, "anew");
    only(a, b, 20000);
    cr_assert_not(is_damaged(b));
    for (int restarted = 0; restarted < 2; restarted++) {
        cr_assert(rig_shows(b, document, "anew"));
        cr_assert_str_eq(kept_text(b, first_epoch), "of c");
        rig_restart(b);
    }
}

Test(damage, what_came_meanwhile_for_a_greater_epoch_is_what_counts)
{
    begin(3);
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2]; // will know of the first epoch alone
    connect(a);
    delete (a);
    rig_put(a, document, "anew");
    whisper(b, a);
    cr_assert_eq(node_metrics(b->node)->entries_received, 2);
    answers(b, false);
    for (int i = 0; i < 400; i++) {
        only(b, c, 50);
        rig_ask(b, &(struct node_ask){.verb = NODE_ASK_TEXT, .document = rig_text(document)});
        cr_assert(is_damaged(b) || strcmp(b->response.body, "anew") == 0, "%s", b->response.body);
    }
    cr_assert_not(is_damaged(b));
    cr_assert_str_eq(kept_text(b, first_epoch), "text");
    answers(b, true);
    only(b, c, 20000);
    cr_assert(rig_shows(c, document, "anew"));
}

Test(damage, what_came_meanwhile_in_any_order_is_in_the_healed_document)
{
    begin(4);
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2];
    struct rig *d = all[3]; // will know of nothing else
    connect(a);
    connect(c);
    rig_put(a, document, "text and");
    whisper(c, a);
    cr_assert(rig_shows(c, document, "text and"));
    rig_put(c, document, "text and more");
    whisper(b, c);
    whisper(b, a); // what c's edit stands on
    cr_assert_eq(node_metrics(b->node)->entries_received, 2);
    answers(b, false);
    only(b, d, 20000);
    cr_assert_not(is_damaged(b));
    for (int restarted = 0; restarted < 2; restarted++) {
        cr_assert(rig_shows(b, document, "text and more"));
        rig_restart(b);
    }
    answers(b, true);
    only(b, d, 20000);
    cr_assert(rig_shows(d, document, "text and more"));
}

Test(damage, what_came_meanwhile_and_stands_on_nothing_that_is_left_is_kept_apart)
{
    begin(4);
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2];
    struct rig *d = all[3];
    connect(a);
    connect(c);
    rig_put(a, document, "text and");
    whisper(c, a);
    rig_put(c, document, "text and more");
    whisper(b, c); // b never hears of what it stands on
    only(b, d, 60000);
    cr_assert_not(is_damaged(b));
    cr_assert(rig_shows(b, document, "text"));
    struct node_ask ask = {.verb = NODE_ASK_RECOVERY_LIST, .document = rig_text(document)};
    rig_ask(b, &ask);
    cr_assert_not_null(strstr(b->response.body, first_epoch), "%s", b->response.body);
}

/// Kills and starts it again with a damaged last entry in its journal.
static void restart_damaged(struct rig *rig)
{
    struct record_key key = record_key_u64(rig->node->journal_next - 1);
    cr_assert(sim_store_damage(rig->store, STORE_JOURNAL, record_key_span(&key)));
    rig_restart(rig);
}

Test(damage, a_feed_whose_last_entry_is_damaged_is_not_asked_for_again_and_again)
{
    struct rig *a = rig_start("a", NULL, NULL);
    rig_put(a, "other", "text");
    rig_put(a, document, "damaged");
    restart_damaged(a);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(20000);
    cr_assert(rig_shows(b, "other", "text"));
    cr_assert_eq(node_metrics(b->node)->lag_entries, 0);
    cr_assert_lt(node_metrics(b->node)->pulls_asked, 40);
}

Test(damage, who_found_a_damaged_entry_asks_others_before_it_says_what_it_holds)
{
    struct peer_message question = {.count_max = 8};
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_mesh(1000);
    rig_put(b, document, "text");
    rig_mesh(1000);
    cr_assert(rig_shows(a, document, "text"));
    restart_damaged(a);
    cr_assert_not(rig_shows(a, document, "text"));
    cr_assert_eq(rig_page(a, question).feeds.count, 0);
    struct rig *c = rig_start("c", NULL, "a");
    rig_mesh(10000);
    cr_assert(rig_shows(a, document, "text"));
    cr_assert(rig_shows(c, document, "text"));
    cr_assert_gt(rig_page(a, question).feeds.count, 0);
}

/// Whether others may adopt what it says it holds.
static bool is_sure(struct rig *rig)
{
    return rig_page(rig, (struct peer_message){.count_max = 8}).feeds.count > 0;
}

/// Two of three start again, each with the entry damaged that was its last.
static void begin_unsure(void)
{
    memset(all, 0, sizeof(all));
    all[0] = rig_start("a", NULL, NULL);
    all[1] = rig_start("b", NULL, "a");
    all[2] = rig_start("c", NULL, "a");
    rig_mesh(2000);
    rig_put(all[2], document, "text");
    rig_mesh(2000);
    only(NULL, NULL, 100);
    for (int i = 0; i < 2; i++) {
        restart_damaged(all[i]);
        cr_assert_not(rig_shows(all[i], document, "text"));
    }
}

Test(damage, comparing_with_who_is_unsure_too_makes_nobody_sure)
{
    begin_unsure();
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2];
    only(a, b, 10000);
    cr_assert_gt(node_metrics(a->node)->comparisons_done, 0);
    cr_assert_gt(node_metrics(b->node)->comparisons_done, 0);
    cr_assert_not(is_sure(a));
    cr_assert_not(is_sure(b));
    only(b, c, 10000);
    cr_assert(is_sure(b));
    cr_assert(rig_shows(b, document, "text"));
    only(a, b, 10000);
    cr_assert(is_sure(a), "b is sure now");
    cr_assert(rig_shows(a, document, "text"));
}

Test(damage, where_all_are_unsure_they_go_on_after_a_while)
{
    begin_unsure();
    struct rig *a = all[0];
    struct rig *b = all[1];
    only(a, b, 60000);
    cr_assert(is_sure(a));
    cr_assert(is_sure(b));
    rig_put(a, "other", "text");
    rig_put(a, "other", "text, and more");
    only(a, b, 5000);
    cr_assert(rig_shows(b, "other", "text, and more"));
    cr_assert_eq(node_metrics(b->node)->lag_entries, 0);
}

// ------------------------------------------------------------------------------------------
// the journal of a damaged document

enum { JOURNAL_BYTES = 1024 };

/// Other documents come, more than the journal has place for.
static void flood(struct rig *rig, const char *text)
{
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof(name), "other %d", i);
        rig_put(rig, name, text);
    }
    for (int i = 0; i < 20; i++)
        rig_wait(rig, 100);
}

static void expect_pruned(struct rig *rig)
{
    cr_assert_leq(node_metrics(rig->node)->journal_bytes, JOURNAL_BYTES);
    cr_assert_gt(node_metrics(rig->node)->journal_kept, 0);
}

/// Nothing stands below the journal's beginning.
static void expect_none_kept(struct rig *rig)
{
    cr_assert_eq(sim_store_count(rig->store, STORE_JOURNAL),
                 node_metrics(rig->node)->journal_entries);
}

Test(damage, a_document_does_not_pin_the_journal_and_keeps_its_entries)
{
    struct rig *a = all[0] =
        rig_start("a", &(struct node_limits){.journal_bytes_max = JOURNAL_BYTES}, NULL);
    struct rig *b = all[1] = rig_start("b", NULL, "a");
    all[2] = NULL;
    rig_put(a, document, "text");
    rig_mesh(2000);
    only(NULL, NULL, 100);
    flood(a, "text");
    rig_put(a, document, "text, and more"); // stands in the journal alone
    damage(a);
    for (int restarted = 0; restarted < 3; restarted++) {
        rig_put(a, document, "refused");
        cr_assert_eq(a->response.status, 503);
        flood(a, restarted % 2 ? "text" : "another");
        expect_pruned(a);
        cr_assert_eq(sim_store_count(a->store, STORE_JOURNAL),
                     node_metrics(a->node)->journal_entries + 1);
        rig_restart(a);
    }
    rig_put(a, document, "refused");
    only(a, b, 30000);
    cr_assert(rig_shows(a, document, "text, and more"));
    cr_assert(rig_shows(b, document, "text, and more"));
    expect_none_kept(a);
    rig_restart(a);
    cr_assert(rig_shows(a, document, "text, and more"));
}

/// Whether a comparison since a checkpoint leads to the document.
static bool lists_since(struct rig *rig, struct peer_message question)
{
    uint8_t cursor[64];
    bool listed = false;
    for (int pages = 0; pages == 0 || question.cursor.size > 0; pages++) {
        cr_assert_leq(pages, 300);
        struct peer_message page = rig_page(rig, question);
        struct peer_digest item;
        cr_assert_eq(page.answer, PEER_ANSWER_OK);
        while (peer_next_digest(&item, &page.digests))
            listed |= span_equal(item.document, rig_text(document));
        cr_assert_leq(page.cursor.size, sizeof(cursor));
        if (page.cursor.size > 0)
            memcpy(cursor, page.cursor.data, page.cursor.size);
        question.cursor = (struct span){cursor, page.cursor.size};
    }
    return listed;
}

Test(damage, what_stays_below_the_journal_is_compared_since_a_checkpoint)
{
    begin(2);
    struct rig *a = all[0];
    struct rig *b = all[1];
    for (int restarted = 0; restarted < 2; restarted++) {
        struct peer_message page = rig_page(b, (struct peer_message){0});
        struct peer_message question = {.checkpoint_incarnation = page.checkpoint_incarnation,
                                        .checkpoint = page.checkpoint,
                                        .count_max = 1};
        cr_assert_not(lists_since(b, question));
        connect(a);
        rig_put(a, document, restarted ? "text, and still more" : "text, and more");
        whisper(b, a);
        cr_assert(lists_since(b, question));
        flood(b, restarted ? "text" : "another");
        expect_pruned(b);
        cr_assert(lists_since(b, question));
        rig_restart(b);
        cr_assert(lists_since(b, question));
        rig_put(b, document, "refused");
    }
    only(a, b, 20000);
    cr_assert(rig_shows(b, document, "text, and still more"));
    expect_none_kept(b);
}

Test(damage, who_pulls_what_stays_below_the_journal_holds_it_when_it_can_be_read)
{
    begin(3);
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2];
    uint64_t incarnation = a->node->incarnation;
    connect(a);
    rig_put(a, document, "text, and more");
    whisper(b, a);
    flood(b, "text");
    expect_pruned(b);
    uint64_t lacked = feeds_prefix(b->node, incarnation);
    cr_assert_lt(feeds_prefix(c->node, incarnation), lacked);
    struct rig *d = all[3] = rig_start("d", NULL, "b"); // has nothing, so it heals nothing
    for (int i = 0; i < 200; i++) {
        only(b, d, 50);
        cr_assert_lt(feeds_prefix(d->node, incarnation), lacked);
    }
    cr_assert(rig_shows(d, "other 99", "text"));
    for (int i = 0; i < 600; i++) {
        only(b, c, 50);
        cr_assert(feeds_prefix(c->node, incarnation) < lacked ||
                  rig_shows(c, document, "text, and more"));
    }
    cr_assert_eq(feeds_prefix(c->node, incarnation), lacked);
    cr_assert(rig_shows(b, document, "text, and more"));
    only(b, d, 20000);
    cr_assert_eq(feeds_prefix(d->node, incarnation), lacked);
    cr_assert(rig_shows(d, document, "text, and more"));
    expect_none_kept(b);
}

/// The second of three nodes cannot read the last entry of the document, and gets what the third
/// wrote on top of the first one's edit.
static void begin_above(void)
{
    memset(all, 0, sizeof(all));
    for (int i = 0; i < 3; i++)
        all[i] = rig_start((const char *const[]){"a", "b", "c"}[i], NULL, i > 0 ? "a" : NULL);
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2];
    rig_mesh(2000);
    rig_put(a, document, "text");
    rig_mesh(2000);
    rig_put(b, document, "text, and the end");
    struct record_key last = record_key_u64(b->node->journal_next - 1);
    rig_mesh(2000);
    only(NULL, NULL, 100);
    b->node->limits.documents_bytes_max = 1; // it leaves memory
    rig_wait(b, 100);
    b->node->limits.documents_bytes_max = LIMIT_DOCUMENTS_BYTES;
    cr_assert(sim_store_damage(b->store, STORE_JOURNAL, record_key_span(&last)));
    rig_put(b, document, "refused");
    cr_assert(is_damaged(b));
    connect(a);
    connect(c);
    rig_put(a, document, "A text, and the end");
    whisper(c, a);
    rig_put(c, document, "AC text, and the end");
    whisper(b, c);
}

Test(damage, what_came_meanwhile_is_there_when_a_restart_finds_the_document_whole)
{
    begin_above();
    struct rig *b = all[1];
    whisper(b, all[0]); // what c's edit stands on
    b->node->limits.journal_bytes_max = JOURNAL_BYTES;
    flood(b, "text");
    for (int restarted = 0; restarted < 2; restarted++) {
        rig_restart(b); // the entry that is damaged is nobody's now
        cr_assert(rig_shows(b, document, "AC text"));
    }
    only(b, all[2], 20000);
    cr_assert(rig_shows(b, document, "AC text, and the end"));
}

/// c, whose edit the second node alone has, does not come back.
static void expect_edit_of_c(void)
{
    struct rig *b = all[1];
    rig_restart(b); // the entry that is damaged is nobody's now
    rig_put(b, document, "refused");
    cr_assert_eq(b->response.status, 503); // for an entry stands on what is not here
    b->node->limits.journal_bytes_max = JOURNAL_BYTES;
    flood(b, "text once more");
    cr_assert_leq(node_metrics(b->node)->journal_bytes, JOURNAL_BYTES);
    only(all[0], b, 60000);
    for (int i = 0; i < 2; i++)
        cr_assert(rig_shows(all[i], document, "AC text, and the end"));
}

Test(damage, what_came_meanwhile_is_there_although_a_restart_finds_nothing_damaged)
{
    begin_above();
    expect_edit_of_c();
}

Test(damage, what_came_meanwhile_and_left_the_journal_is_there_after_a_restart)
{
    begin_above();
    all[1]->node->limits.journal_bytes_max = JOURNAL_BYTES;
    flood(all[1], "text");
    expect_pruned(all[1]);
    expect_edit_of_c();
}

Test(damage, an_entry_below_the_journal_that_is_damaged_too_is_asked_back_once)
{
    begin(3);
    struct rig *a = all[0];
    struct rig *b = all[1];
    struct rig *c = all[2];
    connect(a);
    rig_put(a, document, "text, and more");
    whisper(b, a);
    struct record_key key = record_key_u64(b->node->journal_next - 1);
    flood(b, "text");
    expect_pruned(b);
    cr_assert(sim_store_damage(b->store, STORE_JOURNAL, record_key_span(&key)));
    rig_restart(b);
    cr_assert(b->node->damaged);
    only(b, c, 30000);
    cr_assert_not(is_damaged(b));
    cr_assert(is_sure(b));
    expect_none_kept(b);
    rig_restart(b);
    cr_assert_not(b->node->damaged);
    only(a, b, 20000);
    cr_assert(rig_shows(b, document, "text, and more"), "a has it");
}
