// SPDX-License-Identifier: MIT
// Requests: each verb, and what each refuses.
#include <criterion/criterion.h>
#include <string.h>

#include "codec/pack.h"
#include "node/limits.h"
#include "rig.h"

static const char *const document = "notes";
static const char *const first_epoch = "000000000000000000000000000000000000000000000000";

TestSuite(requests, .fini = rig_finish_all);

static uint16_t ask(struct rig *rig, enum node_verb verb, const char *name, const char *body)
{
    rig_ask(rig,
            &(struct node_ask){.verb = verb, .document = rig_text(name), .body = rig_text(body)});
    return rig->response.status;
}

/// PATCH with one [index, deleted, text].
static uint16_t patch(struct rig *rig, uint64_t index, uint64_t deleted, const char *text)
{
    struct weft_buffer body;
    weft_buffer_init(&body, NULL);
    struct pack_writer writer = pack_writer_begin(&body);
    pack_array(&writer, 1);
    pack_array(&writer, 3);
    pack_u64(&writer, index);
    pack_u64(&writer, deleted);
    pack_literal(&writer, text);
    cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_PATCH,
                                    .document = rig_text(document),
                                    .body = {body.data, body.size},
                                    .json = true});
    weft_buffer_finish(&body);
    return rig->response.status;
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

Test(requests, a_draining_node_takes_no_edits)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_put(rig, document, "x");
    cr_assert_eq(ask(rig, NODE_ASK_LEAVE, "", ""), 200);
    cr_assert_eq(ask(rig, NODE_ASK_PUT, document, "y"), 503);
    cr_assert(rig_shows(rig, document, "x"));
}
