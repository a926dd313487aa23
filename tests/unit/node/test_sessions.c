// SPDX-License-Identifier: MIT
// Sessions: from opening to closing, and what may be said when.
#include <criterion/criterion.h>

#include "node/limits.h"
#include "rig.h"

TestSuite(sessions, .fini = rig_finish_all);

Test(sessions, hello_is_answered_with_the_limits_that_hold)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.rooms_per_client_max = 3}, NULL);
    rig_open(rig, 0);
    rig_send(rig, 0,
             &(struct wire_message){
                 .type = WIRE_HELLO, .version = WIRE_VERSION, .name = rig_text("rig")});
    const struct wire_message *hello = rig_take(rig, 0);
    cr_assert_eq(hello->type, WIRE_NODE_HELLO);
    cr_assert_eq(hello->limits.rooms, 3);
    cr_assert_eq(hello->limits.frame_bytes, LIMIT_FRAME_BYTES);
    cr_assert_eq(hello->heartbeat_ms, CLIENT_HEARTBEAT_MS);
}

Test(sessions, a_room_past_the_announced_limit_is_refused_by_an_error)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.rooms_per_client_max = 1}, NULL);
    rig_greet(rig, 0, 0);
    rig_join(rig, 0, document);
    rig_send(rig, 0,
             &(struct wire_message){
                 .type = WIRE_JOIN, .ref = 9, .name = rig_text("other"), .vector = rig_text("")});
    const struct wire_message *error = rig_take(rig, 0);
    cr_assert_eq(error->type, WIRE_ERROR);
    cr_assert_eq(error->code, WIRE_TOO_MANY);
    cr_assert_eq(error->ref, 9);
    cr_assert_eq(rig->closed[0], 0);
}

Test(sessions, what_comes_before_hello_closes)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_open(rig, 0);
    rig_send(rig, 0, &(struct wire_message){.type = WIRE_PING, .n = 1});
    cr_assert_eq(rig->closed[0], WIRE_BAD_REQUEST);
    rig_greet(rig, 1, 0);
    rig_send(rig, 1,
             &(struct wire_message){
                 .type = WIRE_HELLO, .version = WIRE_VERSION, .name = rig_text("twice")});
    cr_assert_eq(rig->closed[1], WIRE_BAD_REQUEST);
}

Test(sessions, another_protocol_version_closes)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_open(rig, 0);
    rig_send(rig, 0,
             &(struct wire_message){
                 .type = WIRE_HELLO, .version = WIRE_VERSION + 1, .name = rig_text("later")});
    cr_assert_eq(rig->closed[0], WIRE_UPGRADE_REQUIRED);
}

Test(sessions, silence_closes_at_its_time_and_not_before)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_open(rig, 0);
    rig_greet(rig, 1, 0);
    rig_wait(rig, CLIENT_HELLO_MS - 1);
    cr_assert_eq(rig->closed[0], 0);
    rig_wait(rig, 1);
    cr_assert_eq(rig->closed[0], WIRE_HELLO_TIMEOUT);
    rig_wait(rig, 3 * CLIENT_HEARTBEAT_MS - CLIENT_HELLO_MS - 1);
    cr_assert_eq(rig->closed[1], 0);
    rig_send(rig, 1, &(struct wire_message){.type = WIRE_PING, .n = 5});
    cr_assert_eq(rig_take(rig, 1)->type, WIRE_PONG);
    rig_wait(rig, 3 * CLIENT_HEARTBEAT_MS - 1);
    cr_assert_eq(rig->closed[1], 0, "the ping was a sign of life");
    rig_wait(rig, 1);
    cr_assert_eq(rig->closed[1], WIRE_SLOW_CONSUMER);
}

Test(sessions, a_client_that_takes_nothing_is_closed)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_greet(rig, 0, 0);
    rig->full[0] = true;
    rig_send(rig, 0, &(struct wire_message){.type = WIRE_PING, .n = 1});
    cr_assert_eq(node_metrics(rig->node)->clients_blocked, 1);
    for (uint32_t ms = 0; ms < CLIENT_BLOCKED_MS; ms += 10000) {
        cr_assert_eq(rig->closed[0], 0);
        rig_send(rig, 0, &(struct wire_message){.type = WIRE_PING, .n = 2});
        rig_wait(rig, 10000);
    }
    cr_assert_eq(rig->closed[0], WIRE_SLOW_CONSUMER);
    cr_assert_eq(node_metrics(rig->node)->clients_blocked, 0);
}

Test(sessions, a_frame_over_the_limit_closes)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    static uint8_t bytes[LIMIT_FRAME_BYTES + 1];
    rig_greet(rig, 0, 0);
    rig_step(rig, &(struct node_event){.kind = NODE_CLIENT_FRAME,
                                       .client = {0, rig->generation[0]},
                                       .bytes = {bytes, sizeof(bytes)}});
    cr_assert_eq(rig->closed[0], WIRE_TOO_LARGE);
}

Test(sessions, slots_past_the_limit_are_closed_at_once)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.clients_max = 1}, NULL);
    rig_greet(rig, 0, 0);
    rig_open(rig, 1);
    cr_assert_eq(rig->closed[1], WIRE_TOO_MANY);
    cr_assert_eq(node_metrics(rig->node)->clients, 1);
}

Test(sessions, draining_says_move_and_then_closes)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_greet(rig, 0, 0);
    rig_open(rig, 1);
    node_drain(rig->node);
    cr_assert_eq(rig_take(rig, 0)->type, WIRE_MOVE);
    cr_assert_eq(rig->closed[1], WIRE_DRAINING, "it has no session to move");
    rig_send(rig, 0,
             &(struct wire_message){
                 .type = WIRE_JOIN, .ref = 2, .name = rig_text(document), .vector = rig_text("")});
    cr_assert_eq(rig_take(rig, 0)->code, WIRE_DRAINING);
    rig_wait(rig, DRAIN_CLOSE_MS);
    cr_assert_eq(rig->closed[0], WIRE_DRAINING);
    cr_assert(node_drained(rig->node));
    cr_assert(node_unready(rig->node) & NODE_UNREADY_DRAINING);
}

Test(sessions, acks_come_level_by_level)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "one");
    rig_turn(rig); // the commit is under way
    const struct wire_message *ack = rig_take(rig, 0);
    cr_assert_eq(ack->type, WIRE_ACK);
    cr_assert_eq(ack->level, 0);
    cr_assert_null(rig_find(rig, 0, 0), "nothing is shown or durable before the commit");
    rig_settle(rig);
    cr_assert_eq(rig_take(rig, 0)->type, WIRE_NODE_DELTA);
    ack = rig_take(rig, 0);
    cr_assert_eq(ack->level, 1);
    cr_assert_eq(ack->number, 1);
    author_finish(&author);
}

Test(sessions, edits_that_come_during_a_commit_become_the_next_group)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    uint64_t commits = node_metrics(rig->node)->commits;
    author_type(&author, rig, 0, room, "one");
    rig_turn(rig);
    author_type(&author, rig, 0, room, "two");
    author_type(&author, rig, 0, room, "three");
    rig_turn(rig);
    cr_assert_eq(node_metrics(rig->node)->commits, commits + 1);
    rig_settle(rig);
    cr_assert_eq(node_metrics(rig->node)->commits, commits + 2);
    uint32_t durable = 0;
    for (const struct wire_message *ack; (ack = rig_find(rig, 0, WIRE_ACK)) != NULL;)
        durable = ack->level == 1 ? ack->number : durable;
    cr_assert_eq(durable, 3);
    cr_assert(rig_shows(rig, document, "onetwothree"));
    author_finish(&author);
}

Test(sessions, gathered_edits_are_bounded)
{
    struct node_limits limits = {.client_gather_bytes_max = LIMIT_FRAME_BYTES};
    struct rig *rig = rig_start("a", &limits, NULL);
    static char text[30001];
    struct author author;
    author_init(&author, document, 7);
    for (size_t i = 0; i < sizeof(text) - 1; i++)
        text[i] = 'x';
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "first");
    rig_turn(rig); // a commit is under way
    for (int i = 0; i < 3; i++)
        author_type(&author, rig, 0, room, text);
    const struct wire_message *error = rig_find(rig, 0, WIRE_ERROR);
    cr_assert_not_null(error);
    cr_assert_eq(error->code, WIRE_TOO_MANY);
    cr_assert_eq(error->number, 4);
    author_finish(&author);
}

Test(sessions, a_number_that_does_not_grow_closes)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "one");
    author.number = 0;
    author_type(&author, rig, 0, room, "two");
    cr_assert_eq(rig->closed[0], WIRE_BAD_REQUEST);
    author_finish(&author);
}

Test(sessions, who_leaves_and_comes_back_is_not_acked_what_it_gathered_before)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_TEXT, .document = rig_text(document)});
    rig_step(rig, &(struct node_event){.kind = NODE_REQUEST,
                                       .request = {++rig->next_request},
                                       .ask = &(struct node_ask){.verb = NODE_ASK_PUT,
                                                                 .document = rig_text("other"),
                                                                 .body = rig_text("text")}});
    rig_turn(rig); // a commit of another document is under way
    author_type(&author, rig, 0, room, "one");
    author_type(&author, rig, 0, room, "two");
    rig_send(rig, 0, &(struct wire_message){.type = WIRE_LEAVE, .room = room});
    rig_send(rig, 0,
             &(struct wire_message){
                 .type = WIRE_JOIN, .ref = 2, .name = rig_text(document), .vector = rig_text("")});
    rig_settle(rig);
    cr_assert_not_null(rig_find(rig, 0, WIRE_JOINED));
    for (const struct wire_message *ack; (ack = rig_find(rig, 0, WIRE_ACK)) != NULL;)
        cr_assert_eq(ack->number, 0, "this subscription sent nothing");
    cr_assert(rig_shows(rig, document, "onetwo"));
    author_finish(&author);
}
