// SPDX-License-Identifier: MIT
// One agent id with two contents: refused to a client, healed among nodes, kept readable.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/state.h"
#include "rig.h"

TestSuite(forks, .fini = rig_finish_all);

static bool same_state(struct rig *a, struct rig *b)
{
    char etag[64];
    struct node_ask ask = {.verb = NODE_ASK_DIGEST, .document = rig_text(document)};
    rig_ask(a, &ask);
    strcpy(etag, a->response.etag);
    rig_ask(b, &ask);
    return etag[0] != '\0' && strcmp(etag, b->response.etag) == 0;
}

static void text_of(struct rig *rig, char out[256])
{
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_TEXT, .document = rig_text(document)});
    cr_assert_lt(rig->response.body_size, 256);
    memcpy(out, rig->response.body, rig->response.body_size);
    out[rig->response.body_size] = '\0';
}

/// Whether some recovery copy of the node shows this.
static bool kept(struct rig *rig, const char *text)
{
    char names[8192];
    rig_ask(rig, &(struct node_ask){
                     .verb = NODE_ASK_RECOVERY_LIST, .document = rig_text(document), .limit = 100});
    memcpy(names, rig->response.body, sizeof(names));
    for (const char *at = names; (at = strstr(at, "\"epoch\":\"")) != NULL;) {
        at += strlen("\"epoch\":\"");
        rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_TEXT,
                                        .document = rig_text(document),
                                        .after = {(const uint8_t *)at, 48}});
        cr_assert_eq(rig->response.status, 200);
        if (strstr(rig->response.body, text))
            return true;
    }
    return false;
}

static void send_delta(struct rig *rig, uint32_t slot, uint32_t room, uint32_t number,
                       const struct weft_buffer *delta)
{
    rig_send(rig, slot,
             &(struct wire_message){.type = WIRE_DELTA,
                                    .room = room,
                                    .number = number,
                                    .deltas[0] = {delta->data, delta->size},
                                    .delta_count = 1});
    rig_settle(rig);
}

static void pull(struct author *into, const struct author *from)
{
    struct weft_buffer delta;
    struct weft_apply_result result;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_delta_since(&delta, from->doc, NULL, 0), WEFT_OK);
    cr_assert_eq(weft_doc_apply(&result, into->doc, WEFT_APPLY_STRICT, delta.data, delta.size),
                 WEFT_OK);
    weft_buffer_finish(&delta);
}

// ----------------------------------------------------------------------------------- at the
// ingress

Test(forks, a_client_whose_history_is_another_branch_is_told_and_its_branch_is_kept)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author one, two;
    author_init(&one, document, 7);
    author_init(&two, document, 7);
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 0, document);
    rig_join(rig, 1, document);
    author_type(&one, rig, 0, room, "together ");
    rig_settle(rig);
    pull(&two, &one);
    author_type(&one, rig, 0, room, "here");
    rig_settle(rig);
    author_type(&two, rig, 1, room, "there, longer");
    const struct wire_message *error = rig_find(rig, 1, WIRE_ERROR);
    cr_assert_not_null(error, "its edit was taken for the other one's");
    cr_assert_eq(error->code, WIRE_AGENT_CONFLICT);
    author_type(&two, rig, 1, room, " and more"); // past what the node has: not to be mixed in
    error = rig_find(rig, 1, WIRE_ERROR);
    cr_assert_not_null(error);
    cr_assert_eq(error->code, WIRE_AGENT_CONFLICT);
    rig_settle(rig);
    cr_assert(rig_shows(rig, document, "together here"));
    cr_assert(kept(rig, "together there, longer and more"));
    cr_assert_eq(node_metrics(rig->node)->forks_refused, 2);
    author_finish(&one);
    author_finish(&two);
}

Test(forks, an_edit_that_is_sent_again_is_no_fork)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "once ");
    author_type(&author, rig, 0, room, "and on");
    rig_settle(rig);
    struct weft_buffer all;
    weft_buffer_init(&all, NULL);
    cr_assert_eq(weft_doc_delta_since(&all, author.doc, NULL, 0), WEFT_OK);
    send_delta(rig, 0, room, 3, &all); // cut otherwise than before
    cr_assert_null(rig_find(rig, 0, WIRE_ERROR));
    cr_assert(rig_shows(rig, document, "once and on"));
    weft_buffer_finish(&all);
    author_finish(&author);
}

// -------------------------------------------------------------------------------------- among
// nodes

struct halves {
    struct rig *a;
    struct rig *b;
    struct author at_a, at_b; // one id
    struct author on_a, on_b; // who wrote on top of it
    uint32_t room_a, room_b;
};

/// Two nodes that are cut off: agent 7 goes on at both, and others write on top of that.
static void fork_in_two_halves(struct halves *halves)
{
    struct rig *a = halves->a;
    struct rig *b = halves->b;
    author_init(&halves->at_a, document, 7);
    author_init(&halves->at_b, document, 7);
    author_init(&halves->on_a, document, 8);
    author_init(&halves->on_b, document, 9);
    rig_greet(a, 0, 0);
    rig_greet(b, 0, 0);
    rig_greet(a, 1, 0);
    rig_greet(b, 1, 0);
    halves->room_a = rig_join(a, 0, document);
    halves->room_b = rig_join(b, 0, document);
    rig_join(a, 1, document);
    rig_join(b, 1, document);
    author_type(&halves->at_a, a, 0, halves->room_a, "start ");
    rig_settle(a);
    rig_mesh(2000);
    cr_assert(same_state(a, b));
    pull(&halves->at_b, &halves->at_a);
    rig_cut(a, b);
    author_type(&halves->at_a, a, 0, halves->room_a, "alpha ");
    pull(&halves->on_a, &halves->at_a);
    author_type(&halves->on_a, a, 1, halves->room_a, "(on alpha)");
    author_type(&halves->at_b, b, 0, halves->room_b, "beta ");
    pull(&halves->on_b, &halves->at_b);
    author_type(&halves->on_b, b, 1, halves->room_b, "(on beta)");
    rig_settle(a);
    rig_settle(b);
}

static void halves_finish(struct halves *halves)
{
    author_finish(&halves->at_a);
    author_finish(&halves->at_b);
    author_finish(&halves->on_a);
    author_finish(&halves->on_b);
}

Test(forks, two_halves_keep_one_branch_and_all_that_hangs_on_it)
{
    struct halves halves = {rig_start("a", NULL, NULL), NULL, .room_a = 0};
    char text[256];
    halves.b = rig_start("b", NULL, "a");
    rig_mesh(1000);
    fork_in_two_halves(&halves);
    rig_cut(halves.a, halves.b); // mended
    rig_mesh(20000);
    cr_assert(same_state(halves.a, halves.b));
    text_of(halves.a, text);
    bool alpha = strcmp(text, "start alpha (on alpha)") == 0;
    cr_assert(alpha || strcmp(text, "start beta (on beta)") == 0, "the text is \"%s\"", text);
    struct rig *lost = alpha ? halves.b : halves.a;
    cr_assert(kept(lost, alpha ? "start beta (on beta)" : "start alpha (on alpha)"));
    cr_assert_gt(node_metrics(lost->node)->forks_healed, 0);
    cr_assert_eq(node_metrics(lost->node)->lag_entries, 0);
    cr_assert_not_null(rig_find(lost, 0, WIRE_NEW_EPOCH), "whoever was there was not told");
    rig_restart(halves.a);
    rig_restart(halves.b);
    rig_mesh(8000);
    cr_assert(same_state(halves.a, halves.b));
    char after[256];
    text_of(halves.a, after);
    cr_assert_str_eq(after, text);
    halves_finish(&halves);
}

Test(forks, who_comes_back_with_a_branch_that_went_begins_anew_and_hands_it_in)
{
    struct halves halves = {rig_start("a", NULL, NULL), NULL, .room_a = 0};
    char text[256];
    halves.b = rig_start("b", NULL, "a");
    rig_mesh(1000);
    fork_in_two_halves(&halves);
    rig_cut(halves.a, halves.b);
    rig_mesh(20000);
    text_of(halves.a, text);
    bool alpha = strstr(text, "alpha") != NULL;
    struct author *lost = alpha ? &halves.at_b : &halves.at_a;
    struct rig *rig = alpha ? halves.a : halves.b;
    cr_assert_eq(weft_doc_insert(lost->doc, WEFT_SCALARS, 0, (const uint8_t *)"late ", 5), WEFT_OK);
    struct weft_buffer version;
    struct weft_buffer all;
    weft_buffer_init(&version, NULL);
    weft_buffer_init(&all, NULL);
    cr_assert_eq(weft_doc_version(&version, lost->doc), WEFT_OK);
    cr_assert_eq(weft_doc_delta_since(&all, lost->doc, NULL, 0), WEFT_OK);
    rig_greet(rig, 4, 0);
    rig_send(rig, 4,
             &(struct wire_message){.type = WIRE_JOIN,
                                    .ref = 3,
                                    .has_epoch = true,
                                    .name = rig_text(document),
                                    .vector = {version.data, version.size}});
    const struct wire_message *error = rig_find(rig, 4, WIRE_ERROR);
    cr_assert_not_null(error);
    cr_assert_eq(error->code, WIRE_EPOCH_MISMATCH);
    rig_send(rig, 4,
             &(struct wire_message){.type = WIRE_ORPHANS,
                                    .ref = 4,
                                    .name = rig_text(document),
                                    .deltas[0] = {all.data, all.size},
                                    .delta_count = 1});
    rig_settle(rig);
    cr_assert_not_null(rig_find(rig, 4, WIRE_ACK));
    cr_assert(rig_shows(rig, document, text));
    cr_assert(kept(rig, "late start "));
    cr_assert(kept(rig, alpha ? "beta " : "alpha "));
    uint32_t room = rig_join(rig, 4, document); // with nothing
    // The id is closed, whoever has it.
    struct author anew;
    author_init(&anew, document, 7);
    author_type(&anew, rig, 4, room, "x");
    error = rig_find(rig, 4, WIRE_ERROR);
    cr_assert_not_null(error);
    cr_assert_eq(error->code, WIRE_AGENT_CONFLICT);
    rig_mesh(5000);
    cr_assert(same_state(halves.a, halves.b));
    author_finish(&anew);
    weft_buffer_finish(&version);
    weft_buffer_finish(&all);
    halves_finish(&halves);
}

Test(forks, a_node_that_was_away_and_one_that_is_new_agree_with_those_that_healed)
{
    struct halves halves = {rig_start("a", NULL, NULL), NULL, .room_a = 0};
    halves.b = rig_start("b", NULL, "a");
    struct rig *c = rig_start("c", NULL, "a");
    rig_mesh(2000);
    rig_cut(halves.a, c);
    rig_cut(halves.b, c);
    fork_in_two_halves(&halves);
    struct author third, other;
    author_init(&third, document, 7);
    author_init(&other, document, 10);
    rig_greet(c, 0, 0);
    uint32_t room = rig_join(c, 0, document);
    author_type(&third, c, 0, room, "gamma from the start");
    rig_greet(c, 1, 0);
    rig_join(c, 1, document);
    author_type(&other, c, 1, room, "apart ");
    rig_settle(c);
    rig_cut(halves.a, halves.b);
    rig_mesh(20000);
    cr_assert(same_state(halves.a, halves.b));
    rig_cut(halves.a, c);
    rig_cut(halves.b, c);
    rig_mesh(30000);
    cr_assert(same_state(halves.a, halves.b));
    cr_assert(same_state(halves.a, c));
    char text[256];
    text_of(c, text);
    cr_assert_not_null(strstr(text, "apart "), "the text is \"%s\"", text);
    cr_assert(strstr(text, "gamma from the start") || kept(c, "gamma from the start"));
    struct rig *d = rig_start("d", NULL, "a");
    rig_mesh(8000);
    cr_assert(same_state(halves.a, d));
    rig_put(d, document, "all anew");
    rig_mesh(8000);
    cr_assert(rig_shows(halves.b, document, "all anew"));
    cr_assert(rig_shows(c, document, "all anew"));
    author_finish(&third);
    author_finish(&other);
    halves_finish(&halves);
}
