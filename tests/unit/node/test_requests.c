// SPDX-License-Identifier: MIT
// Requests: each verb, and what each refuses.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/pack.h"
#include "node/limits.h"
#include "rig.h"

static const char *const first_epoch = "000000000000000000000000000000000000000000000000";

TestSuite(requests, .fini = rig_finish_all);

static uint16_t ask(struct rig *rig, enum node_verb verb, const char *name, const char *body)
{
    rig_ask(rig,
            &(struct node_ask){.verb = verb, .document = rig_text(name), .body = rig_text(body)});
    return rig->response.status;
}

struct change {
    uint64_t index;
    uint64_t deleted;
    const char *text;
};

/// PATCH with changes. @param id Its author, seq and what it was made on, or all zero.
static uint16_t patch_as(struct rig *rig, const struct node_ask *id, const struct change *changes,
                         uint32_t count)
{
    struct weft_buffer body;
    weft_buffer_init(&body, NULL);
    struct pack_writer writer = pack_writer_begin(&body);
    pack_array(&writer, count);
    for (uint32_t i = 0; i < count; i++) {
        pack_array(&writer, 3);
        pack_u64(&writer, changes[i].index);
        pack_u64(&writer, changes[i].deleted);
        pack_literal(&writer, changes[i].text);
    }
    cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    struct node_ask ask = *id;
    ask.verb = NODE_ASK_PATCH;
    ask.document = rig_text(document);
    ask.body = (struct span){body.data, body.size};
    ask.json = true;
    rig_ask(rig, &ask);
    weft_buffer_finish(&body);
    return rig->response.status;
}

static uint16_t patch(struct rig *rig, uint64_t index, uint64_t deleted, const char *text)
{
    return patch_as(rig, &(struct node_ask){0}, &(struct change){index, deleted, text}, 1);
}

Test(requests, put_creates_changes_and_is_idempotent)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "one"), 201);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "one two"), 200);
    uint64_t entries = node_metrics(rig->node)->journal_entries;
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "one two"), 200);
    cr_assert_eq(node_metrics(rig->node)->journal_entries, entries, "nothing had to be written");
    cr_assert(rig_shows(rig, document, "one two"));
}

Test(requests, every_refusal_has_a_detail)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    static const struct {
        enum node_verb verb;
        const char *document;
        const char *body;
        uint16_t status;
    } bad[] = {
        {NODE_ASK_TEXT, "none", "", 404},     {NODE_ASK_DIGEST, "none", "", 404},
        {NODE_ASK_DELETE, "none", "", 404},   {NODE_ASK_LABEL, "none", "", 404},
        {NODE_ASK_CREATE, "notes", "b", 412}, {NODE_ASK_RECOVERY_TEXT, "none", "", 400},
        {NODE_ASK_TEXT, "a\nb", "", 400},     {NODE_ASK_LABEL, "notes", "zz", 400},
        {NODE_ASK_UNLABEL, "notes", "", 404},
    };
    cr_assert_eq(ask(rig, NODE_ASK_PUT, "notes", "a"), 201);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        rig_ask(rig, &(struct node_ask){.verb = bad[i].verb,
                                        .document = rig_text(bad[i].document),
                                        .label = rig_text("label"),
                                        .body = rig_text(bad[i].body)});
        cr_assert_eq(rig->response.status, bad[i].status, "%zu: %u", i, rig->response.status);
        cr_assert(strstr(rig->response.body, "\"detail\":\""), "%zu", i);
        cr_assert_not(strstr(rig->response.body, "\"detail\":\"\""), "%zu", i);
    }
}

Test(requests, every_answer_about_a_document_says_its_epoch_and_digest)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    char etag[64];
    cr_assert_eq(ask(rig, NODE_ASK_CREATE, document, "text"), 201);
    cr_assert_str_eq(rig->response.epoch, first_epoch);
    strcpy(etag, rig->response.etag);
    cr_assert_eq(strlen(etag), 32);
    static const enum node_verb reads[] = {NODE_ASK_TEXT, NODE_ASK_DELTA, NODE_ASK_DIGEST};
    for (size_t i = 0; i < sizeof(reads) / sizeof(*reads); i++) {
        cr_assert_eq(ask(rig, reads[i], document, ""), 200);
        cr_assert_str_eq(rig->response.epoch, first_epoch);
        cr_assert_str_eq(rig->response.etag, etag);
    }
    cr_assert_eq(ask(rig, NODE_ASK_DELETE, document, ""), 200);
    cr_assert_eq(strlen(rig->response.epoch), 2 * WIRE_EPOCH_SIZE);
    cr_assert_str_neq(rig->response.epoch, first_epoch);
    char second[64];
    strcpy(second, rig->response.epoch);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "again"), 201);
    cr_assert_str_eq(rig->response.epoch, second);
    cr_assert_eq(ask(rig, NODE_ASK_WATCH, document, ""), 200);
    cr_assert_str_eq(rig->response.epoch, second);
}

Test(requests, a_cold_text_says_the_same_as_a_loaded_one)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.journal_bytes_max = 1}, NULL);
    rig_put(rig, document, "text");
    char etag[64];
    strcpy(etag, rig->response.etag);
    for (int i = 0; i < 4; i++)
        rig_wait(rig, 100);
    rig_restart(rig);
    cr_assert(rig_shows(rig, document, "text"));
    cr_assert_eq(node_metrics(rig->node)->documents_loads, 0, "nothing had to be decoded");
    cr_assert_str_eq(rig->response.etag, etag);
    cr_assert_str_eq(rig->response.epoch, first_epoch);
}

Test(requests, creating_the_same_text_twice_is_one_creation)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    cr_assert_eq(ask(rig, NODE_ASK_CREATE, document, "text"), 201);
    cr_assert_eq(ask(rig, NODE_ASK_CREATE, document, "text"), 200);
    cr_assert_eq(ask(rig, NODE_ASK_CREATE, document, "other"), 412);
    cr_assert(rig_shows(rig, document, "text"));
}

Test(requests, patch_checks_all_of_it_first)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "hello");
    cr_assert_eq(patch(rig, 1, 4, "i"), 200);
    cr_assert(rig_shows(rig, document, "hi"));
    cr_assert_eq(patch(rig, 3, 0, "x"), 422);
    cr_assert_eq(patch(rig, 1, UINT64_MAX, "x"), 422);
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_PATCH,
                                    .document = rig_text(document),
                                    .body = rig_text("\xdd\xff\xff\xff\xff"),
                                    .json = true});
    cr_assert_eq(rig->response.status, 400);
    cr_assert(rig_shows(rig, document, "hi"));
}

Test(requests, a_patch_that_does_nothing_creates_what_is_not_there)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    cr_assert_eq(patch_as(rig, &(struct node_ask){0}, NULL, 0), 201);
    cr_assert_neq(rig->response.etag[0], '\0');
    cr_assert(rig_shows(rig, document, ""));
    cr_assert_eq(patch_as(rig, &(struct node_ask){0}, NULL, 0), 200);
    cr_assert_eq(ask(rig, NODE_ASK_PATCH, "other", ""), 201);
    cr_assert_eq(ask(rig, NODE_ASK_TEXT, "other", ""), 200);
}

Test(requests, if_match_guards_against_edits_in_between)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    char etag[64];
    rig_put(rig, document, "one");
    strcpy(etag, rig->response.etag);
    struct node_ask put = {.verb = NODE_ASK_PUT,
                           .document = rig_text(document),
                           .body = rig_text("two"),
                           .if_match = rig_text(etag)};
    rig_ask(rig, &put);
    cr_assert_eq(rig->response.status, 200);
    rig_ask(rig, &put);
    cr_assert_eq(rig->response.status, 412);
}

Test(requests, an_edit_with_an_id_is_made_once)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    char etag[64];
    rig_put(rig, document, "hello");
    strcpy(etag, rig->response.etag);
    struct node_ask id = {.agent = 7, .seq = 0, .if_match = rig_text(etag)};
    struct change change = {1, 4, "i"};
    cr_assert_eq(patch_as(rig, &id, &change, 1), 200);
    cr_assert(rig_shows(rig, document, "hi"));
    uint64_t entries = node_metrics(rig->node)->journal_entries;
    cr_assert_eq(patch_as(rig, &id, &change, 1), 200, "known, though the digest is another");
    cr_assert_str_eq(rig->response.durability, "durable");
    rig_put(rig, document, "oh hi");
    cr_assert_eq(patch_as(rig, &id, &change, 1), 200);
    rig_restart(rig);
    cr_assert_eq(patch_as(rig, &id, &change, 1), 200);
    cr_assert(rig_shows(rig, document, "oh hi"));
    cr_assert_eq(node_metrics(rig->node)->journal_entries, entries + 1, "only the PUT was written");
}

Test(requests, an_edit_with_an_id_follows_its_authors_edits)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    char etag[64] = "";
    char before[64];
    rig_put(rig, document, "text");
    strcpy(before, rig->response.etag);
    struct node_ask id = {.agent = 7, .seq = 0, .if_match = rig_text(before)};
    cr_assert_eq(patch_as(rig, &id, &(struct change){0, 0, "ab"}, 1), 200);
    strcpy(etag, rig->response.etag);
    id.seq = 2;
    cr_assert_eq(patch_as(rig, &id, &(struct change){0, 0, "c"}, 1), 412, "made on another text");
    id.if_match = rig_text(etag);
    id.seq = 3;
    cr_assert_eq(patch_as(rig, &id, &(struct change){0, 0, "c"}, 1), 409, "one is missing");
    id.seq = 2;
    cr_assert_eq(patch_as(rig, &id, &(struct change){0, 0, "c"}, 1), 200);
    cr_assert(rig_shows(rig, document, "cabtext"));
    strcpy(etag, rig->response.etag);
    id = (struct node_ask){.agent = UINT64_MAX, .if_match = rig_text(etag)};
    cr_assert_eq(patch_as(rig, &id, &(struct change){0, 0, "x"}, 1), 422, "a reserved agent");
    cr_assert(rig_shows(rig, document, "cabtext"));
}

Test(requests, an_edit_that_failed_for_want_of_memory_can_be_sent_again)
{
    static const struct change changes[] = {{0, 0, "one "}, {4, 2, ""}, {6, 0, " two"}};
    for (uint64_t after = 1; after < 60; after++) {
        struct rig *rig = rig_start("a", NULL, NULL);
        char etag[64];
        rig_put(rig, document, "--here");
        strcpy(etag, rig->response.etag);
        struct node_ask id = {.agent = 7, .if_match = rig_text(etag)};
        rig->memory.fail_from = rig->memory.calls + after;
        patch_as(rig, &id, changes, 3);
        rig->memory.fail_from = UINT64_MAX;
        rig_settle(rig);
        cr_assert_eq(patch_as(rig, &id, changes, 3), 200, "allocation %d", (int)after);
        cr_assert(rig_shows(rig, document, "one he twore"), "allocation %d: %s", (int)after,
                  rig->response.body);
        rig_finish_all();
    }
}

Test(requests, what_is_not_there_is_404)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    static const enum node_verb verbs[] = {NODE_ASK_TEXT, NODE_ASK_DELTA, NODE_ASK_DIGEST,
                                           NODE_ASK_DELETE};
    for (size_t i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
        cr_assert_eq(ask(rig, verbs[i], document, ""), 404, "verb %d", verbs[i]);
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_TEXT,
                                    .document = rig_text(document),
                                    .after = rig_text(first_epoch)});
    cr_assert_eq(rig->response.status, 404);
    cr_assert_eq(ask(rig, NODE_ASK_FORGET, "nobody", ""), 404);
    rig_wait(rig, 100);
    cr_assert_eq(node_metrics(rig->node)->documents_loaded, 0, "asking leaves nothing behind");
}

Test(requests, names_and_sizes_are_checked)
{
    struct rig *rig = rig_start(
        "a", &(struct node_limits){.document_name_bytes_max = 8, .document_bytes_max = 16}, NULL);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, "", "x"), 400);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, "a\nb", "x"), 400);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, "\xff", "x"), 400);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, "ninechars", "x"), 413);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "more than sixteen bytes"), 413);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "\xff\xfe"), 400);
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_TEXT,
                                    .document = rig_text(document),
                                    .after = rig_text("xyz")});
    cr_assert_eq(rig->response.status, 400);
}

Test(requests, deleted_text_stays_readable_as_a_recovery_copy)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "old text");
    cr_assert_eq(ask(rig, NODE_ASK_DELETE, document, ""), 200);
    cr_assert_eq(ask(rig, NODE_ASK_TEXT, document, ""), 404);
    cr_assert_eq(ask(rig, NODE_ASK_RECOVERY_LIST, document, ""), 200);
    cr_assert_not_null(strstr(rig->response.body, first_epoch));
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_TEXT,
                                    .document = rig_text(document),
                                    .after = rig_text(first_epoch)});
    cr_assert_eq(rig->response.status, 200);
    cr_assert_str_eq(rig->response.body, "old text");
    cr_assert_str_eq(rig->response.epoch, first_epoch);
}

Test(requests, the_list_of_recovery_copies_goes_on_where_it_stopped)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    const char *names[] = {"a", "b", "b"};
    char after[128] = "";
    for (int i = 0; i < 3; i++) {
        rig_put(rig, names[i], "text");
        cr_assert_eq(ask(rig, NODE_ASK_DELETE, names[i], ""), 200);
    }
    for (int i = 0; i < 3; i++) {
        char quoted[32];
        rig_ask(rig, &(struct node_ask){
                         .verb = NODE_ASK_RECOVERY_LIST, .after = rig_text(after), .limit = 1});
        snprintf(quoted, sizeof(quoted), "\"document\":\"%s\"", names[i]);
        char *row = strstr(rig->response.body, quoted);
        cr_assert_not_null(row, "page %d: %s", i, rig->response.body);
        cr_assert_null(strstr(row + 1, "\"document\""));
        char *next = strstr(rig->response.body, "\"next\":\"");
        cr_assert_not_null(next);
        cr_assert_eq(sscanf(next, "\"next\":\"%100[^\"]", after), 1);
    }
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_LIST, .after = rig_text(after)});
    cr_assert_not_null(strstr(rig->response.body, "\"recovery\":[],\"next\":null"));
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_LIST, .after = rig_text("b")});
    cr_assert_eq(rig->response.status, 400);
}

Test(requests, lists_go_on_where_they_stopped)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, "a/1", "x");
    rig_put(rig, "a/2", "x");
    rig_put(rig, "b/1", "x");
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_LIST, .prefix = rig_text("a/"), .limit = 1});
    cr_assert_not_null(strstr(rig->response.body, "\"a/1\""));
    cr_assert_not_null(strstr(rig->response.body, "\"next\":\"a/1\""));
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_LIST,
                                    .prefix = rig_text("a/"),
                                    .limit = 1,
                                    .after = rig_text("a/1")});
    cr_assert_not_null(strstr(rig->response.body, "\"a/2\""));
    cr_assert_not_null(strstr(rig->response.body, "\"next\":null"));
    cr_assert_null(strstr(rig->response.body, "b/1"));
}

static bool lists(struct rig *rig, const char *name)
{
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_LIST});
    cr_assert_eq(rig->response.status, 200);
    return strstr(rig->response.body, name) != NULL;
}

Test(requests, lists_leave_out_what_was_deleted_also_after_a_restart)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct rig *both[] = {a, b};
    rig_mesh(2000);
    rig_put(a, "gone", "x");
    rig_put(a, "again", "x");
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_DELETE, .document = rig_text("gone")});
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_DELETE, .document = rig_text("again")});
    rig_put(a, "again", "anew");
    rig_mesh(2000);
    for (int i = 0; i < 2; i++) {
        cr_assert(!lists(both[i], "gone") && lists(both[i], "again"));
        rig_restart(both[i]);
        cr_assert(!lists(both[i], "gone") && lists(both[i], "again"));
        rig_put(both[i], "gone", "x");
        cr_assert(lists(both[i], "gone"));
        rig_ask(both[i], &(struct node_ask){.verb = NODE_ASK_DELETE, .document = rig_text("gone")});
    }
}

Test(requests, lists_may_be_asked_from_what_is_longer_than_a_name)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    static char text[601];
    memset(text, 'm', sizeof(text) - 1);
    rig_put(rig, "last", "x");
    rig_put(rig, "next", "x");
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_LIST, .after = rig_text(text)});
    cr_assert_eq(rig->response.status, 200);
    cr_assert_null(strstr(rig->response.body, "\"last\""));
    cr_assert_not_null(strstr(rig->response.body, "\"name\":\"next\""));
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_LIST, .prefix = rig_text(text)});
    cr_assert_eq(rig->response.status, 200);
    cr_assert_null(strstr(rig->response.body, "name"));
}

Test(requests, a_watcher_is_told_what_changed_once_it_is_on_disk)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "one");
    cr_assert_eq(ask(rig, NODE_ASK_WATCH, document, ""), 200);
    cr_assert_not_null(strstr(rig->response.body, "\"text\":\"one\""));
    struct request_id watch = {rig->next_request};
    rig_step(rig, &(struct node_event){.kind = NODE_REQUEST,
                                       .request = {++rig->next_request},
                                       .ask = &(struct node_ask){.verb = NODE_ASK_PUT,
                                                                 .document = rig_text(document),
                                                                 .body = rig_text("one two")}});
    rig_turn(rig);
    cr_assert_eq(rig->streamed.count, 0);
    rig_settle(rig);
    cr_assert_eq(rig->streamed.count, 1);
    rig->streamed.items[0].data[rig->streamed.items[0].size] = '\0';
    cr_assert_not_null(strstr((const char *)rig->streamed.items[0].data, "[3,0,\" two\"]"));
    rig_step(rig, &(struct node_event){.kind = NODE_REQUEST_CLOSED, .request = watch});
    cr_assert_eq(node_metrics(rig->node)->watchers, 0);
    rig_put(rig, document, "three");
    cr_assert_eq(rig->streamed.count, 1);
}

Test(requests, a_watcher_is_told_how_far_an_agent_has_come)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "one");
    char etag[64];
    strcpy(etag, rig->response.etag);
    rig_ask(rig,
            &(struct node_ask){.verb = NODE_ASK_WATCH, .document = rig_text(document), .agent = 7});
    cr_assert_not_null(strstr(rig->response.body, "\"text\":\"one\",\"next\":0}\n\n"));
    cr_assert_eq(ask(rig, NODE_ASK_WATCH, document, ""), 200);
    cr_assert_null(strstr(rig->response.body, "next"));
    struct node_ask id = {.agent = 7, .if_match = rig_text(etag)};
    cr_assert_eq(patch_as(rig, &id, &(struct change){0, 1, "O"}, 1), 200);
    cr_assert_eq(rig->streamed.count, 2);
    int told = 0;
    for (int i = 0; i < 2; i++) {
        struct rig_bytes *piece = &rig->streamed.items[i];
        piece->data[piece->size] = '\0';
        cr_assert_not_null(strstr((const char *)piece->data, "}\n\n"));
        told += strstr((const char *)piece->data, "]],\"next\":2}\n\n") != NULL;
    }
    cr_assert_eq(told, 1, "only who asked");
}

Test(requests, without_enough_replicas_an_edit_is_answered_with_what_holds)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_PUT,
                                    .document = rig_text(document),
                                    .body = rig_text("x"),
                                    .wait_level = 2});
    cr_assert_eq(rig->response.count, 0, "it waits");
    rig_wait(rig, REPLICATED_WAIT_MS);
    cr_assert_eq(rig->response.count, 1);
    cr_assert_str_eq(rig->response.durability, "durable");
}

Test(requests, who_went_away_is_not_answered)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_step(rig, &(struct node_event){.kind = NODE_REQUEST,
                                       .request = {++rig->next_request},
                                       .ask = &(struct node_ask){.verb = NODE_ASK_PUT,
                                                                 .document = rig_text(document),
                                                                 .body = rig_text("x")}});
    rig_step(rig,
             &(struct node_event){.kind = NODE_REQUEST_CLOSED, .request = {rig->next_request}});
    rig_settle(rig);
    cr_assert_eq(rig->response.count, 0);
    cr_assert_eq(node_metrics(rig->node)->requests, 0);
    cr_assert(rig_shows(rig, document, "x"));
}

Test(requests, requests_past_the_limit_are_refused)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.requests_max = 1}, NULL);
    rig_put(rig, document, "x");
    cr_assert_eq(ask(rig, NODE_ASK_WATCH, document, ""), 200);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "y"), 503);
}

Test(requests, texts_that_wait_for_a_commit_are_bounded_in_bytes)
{
    enum { TEXT = (8 << 20) - 4096, TEXTS = 16 };
    struct rig *rig = rig_start("a", NULL, NULL);
    char *bytes = malloc(TEXT);
    cr_assert_not_null(bytes);
    memset(bytes, 'x', TEXT);
    struct span text = {(const uint8_t *)bytes, TEXT};
    size_t before = rig->memory.used;
    for (int i = 0; i < TEXTS; i++) { // the first is committed meanwhile
        rig_step(rig, &(struct node_event){
                          .kind = NODE_REQUEST,
                          .request = {++rig->next_request},
                          .ask = &(struct node_ask){.verb = NODE_ASK_PUT,
                                                    .document = rig_text(document),
                                                    .body = i ? text : rig_text("first")}});
        rig_turn(rig);
    }
    cr_assert_eq(rig->response.count, TEXTS - 1 - GATHER_BYTES_MAX / TEXT, "the others at once");
    cr_assert_eq(rig->response.status, 503);
    cr_assert_not_null(strstr(rig->response.body, "too_many"));
    cr_assert_leq(rig->memory.used - before, GATHER_BYTES_MAX + (1 << 20));
    cr_assert_geq(node_metrics(rig->node)->gathered_bytes, GATHER_BYTES_MAX / TEXT * TEXT);
    rig_settle(rig);
    cr_assert_eq(rig->response.count, TEXTS);
    cr_assert_eq(node_metrics(rig->node)->gathered_bytes, 0);
    rig_ask(rig,
            &(struct node_ask){.verb = NODE_ASK_PUT, .document = rig_text(document), .body = text});
    cr_assert_eq(rig->response.status, 200);
    free(bytes);
}

Test(requests, a_draining_node_takes_no_edits)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "x");
    cr_assert_eq(ask(rig, NODE_ASK_LEAVE, "", ""), 200);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "y"), 503);
    cr_assert(rig_shows(rig, document, "x"));
}
