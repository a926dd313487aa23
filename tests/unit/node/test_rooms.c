// SPDX-License-Identifier: MIT
// Rooms: fan-out by cursor, catching up, epochs, quarantine.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "node/limits.h"
#include "node/room.h"
#include "rig.h"

TestSuite(rooms, .fini = rig_finish_all);

/// Applies what the slot gets from now on. @return Whether a RESYNC came first.
static bool read_all(struct rig *rig, uint32_t slot, struct weft_doc *doc)
{
    bool resync = false;
    struct weft_apply_result result;
    for (const struct wire_message *message; (message = rig_find(rig, slot, 0)) != NULL;) {
        resync |= message->type == WIRE_RESYNC;
        for (uint32_t i = 0; message->type == WIRE_NODE_DELTA && i < message->delta_count; i++) {
            cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, message->deltas[i].data,
                                        message->deltas[i].size),
                         WEFT_OK);
            cr_assert_eq(result.runs_missing, 0, "a delta came before what it names");
        }
    }
    return resync;
}

static bool holds(const struct weft_doc *doc, const char *text)
{
    struct weft_buffer bytes;
    weft_buffer_init(&bytes, NULL);
    cr_assert_eq(weft_doc_text(&bytes, doc), WEFT_OK);
    bool same = bytes.size == strlen(text) && memcmp(bytes.data, text, bytes.size) == 0;
    weft_buffer_finish(&bytes);
    return same;
}

Test(rooms, a_slow_subscriber_goes_on_from_its_cursor)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    struct author reader;
    author_init(&author, document, 7);
    author_init(&reader, document, 8);
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 0, document);
    rig_join(rig, 1, document);
    author_type(&author, rig, 0, room, "a");
    rig->full[1] = true; // takes this one frame, then nothing
    rig_settle(rig);
    author_type(&author, rig, 0, room, "b");
    rig_settle(rig);
    author_type(&author, rig, 0, room, "c");
    rig_settle(rig);
    cr_assert_not(read_all(rig, 1, reader.doc));
    cr_assert(holds(reader.doc, "a"));
    rig_unblock(rig, 1);
    cr_assert_not(read_all(rig, 1, reader.doc), "the ring had all of it");
    cr_assert(holds(reader.doc, "abc"));
    author_finish(&author);
    author_finish(&reader);
}

Test(rooms, who_falls_off_the_ring_is_resynced_with_what_it_lacks)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.room_ring_bytes_max = 200}, NULL);
    struct author author;
    struct author reader;
    struct weft_buffer version;
    author_init(&author, document, 7);
    author_init(&reader, document, 8);
    weft_buffer_init(&version, NULL);
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 0, document);
    rig_join(rig, 1, document);
    author_type(&author, rig, 0, room, "0");
    rig->full[1] = true;
    rig_settle(rig);
    for (int i = 0; i < 20; i++) {
        author_type(&author, rig, 0, room, "x");
        rig_settle(rig);
    }
    rig_unblock(rig, 1);
    cr_assert(read_all(rig, 1, reader.doc));
    cr_assert(holds(reader.doc, "0"));
    cr_assert_eq(weft_doc_version(&version, reader.doc), WEFT_OK);
    rig_send(rig, 1,
             &(struct wire_message){
                 .type = WIRE_SYNC, .room = room, .vector = {version.data, version.size}});
    cr_assert_not(read_all(rig, 1, reader.doc));
    cr_assert(holds(reader.doc, "0xxxxxxxxxxxxxxxxxxxx"));
    cr_assert_eq(node_metrics(rig->node)->client_resyncs, 1);
    weft_buffer_finish(&version);
    author_finish(&author);
    author_finish(&reader);
}

Test(rooms, a_resync_that_fills_the_socket_leaves_acks_for_later)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.room_ring_bytes_max = 200}, NULL);
    struct author slow;
    struct author other;
    author_init(&slow, document, 7);
    author_init(&other, document, 8);
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 0, document);
    rig_join(rig, 1, document);
    rig->full[0] = true;
    for (int i = 0; i < 20; i++) {
        author_type(&other, rig, 1, room, "x");
        rig_settle(rig);
    }
    // Its socket takes one frame at a time, while edits of its own become durable.
    uint32_t durable = 0;
    bool resync = false;
    for (int i = 0; i < 6; i++) {
        author_type(&slow, rig, 0, room, "s");
        rig_settle(rig);
        rig->blocked[0] = false;
        rig_step(rig, &(struct node_event){.kind = NODE_CLIENT_WRITABLE,
                                           .client = {0, rig->generation[0]}});
        for (const struct wire_message *message; (message = rig_find(rig, 0, 0)) != NULL;) {
            resync |= message->type == WIRE_RESYNC;
            durable = message->type == WIRE_ACK ? message->number : durable;
        }
    }
    rig_unblock(rig, 0);
    for (const struct wire_message *ack; (ack = rig_find(rig, 0, WIRE_ACK)) != NULL;)
        durable = ack->number;
    cr_assert(resync);
    cr_assert_eq(durable, 6);
    author_finish(&slow);
    author_finish(&other);
}

Test(rooms, a_point_follows_a_second_of_quiet_and_names_what_is_there)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    struct weft_digest digest;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "text");
    rig_settle(rig);
    rig_wait(rig, ROOM_QUIET_MS - 1);
    cr_assert_null(rig_find(rig, 0, WIRE_POINT));
    rig_wait(rig, 1);
    const struct wire_message *point = rig_find(rig, 0, WIRE_POINT);
    cr_assert_not_null(point);
    cr_assert_eq(weft_doc_digest(&digest, author.doc), WEFT_OK);
    cr_assert_eq(memcmp(&digest, &point->digest, sizeof(digest)), 0);
    author_finish(&author);
}

Test(rooms, joining_waits_for_edits_that_are_not_on_disk)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "one");
    rig_send(rig, 1,
             &(struct wire_message){
                 .type = WIRE_JOIN, .ref = 4, .name = rig_text(document), .vector = rig_text("")});
    rig_turn(rig);
    cr_assert_null(rig_find(rig, 1, 0));
    rig_settle(rig);
    cr_assert_not_null(rig_find(rig, 1, WIRE_JOINED));
    author_finish(&author);
}

Test(rooms, deleting_ends_the_room_once_it_is_on_disk)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    struct weft_epoch first = {0};
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    author_type(&author, rig, 0, room, "old");
    rig_settle(rig);
    rig_step(rig, &(struct node_event){.kind = NODE_REQUEST,
                                       .request = {++rig->next_request},
                                       .ask = &(struct node_ask){.verb = NODE_ASK_DELETE,
                                                                 .document = rig_text(document)}});
    rig_turn(rig);
    cr_assert_null(rig_find(rig, 0, WIRE_NEW_EPOCH));
    rig_settle(rig);
    cr_assert_eq(rig->response.status, 200);
    const struct wire_message *epoch = rig_find(rig, 0, WIRE_NEW_EPOCH);
    cr_assert_not_null(epoch);
    cr_assert_gt(weft_epoch_compare(&epoch->epoch, &first), 0);
    rig_send(rig, 0,
             &(struct wire_message){.type = WIRE_JOIN,
                                    .ref = 5,
                                    .has_epoch = true,
                                    .name = rig_text(document),
                                    .vector = rig_text("")});
    const struct wire_message *error = rig_take(rig, 0);
    cr_assert_eq(error->code, WIRE_EPOCH_MISMATCH);
    cr_assert_eq(error->detail.size, 2 * WIRE_EPOCH_SIZE);
    author_finish(&author);
}

Test(rooms, edits_beside_a_deletion_wait_for_its_outcome)
{
    for (int fails = 0; fails < 2; fails++) {
        struct rig *rig = rig_start("a", NULL, NULL);
        struct author author;
        author_init(&author, document, 7);
        rig_greet(rig, 0, 0);
        uint32_t room = rig_join(rig, 0, document);
        author_type(&author, rig, 0, room, "old ");
        rig_settle(rig);
        rig_step(rig,
                 &(struct node_event){.kind = NODE_REQUEST,
                                      .request = {++rig->next_request},
                                      .ask = &(struct node_ask){.verb = NODE_ASK_DELETE,
                                                                .document = rig_text(document)}});
        author_type(&author, rig, 0, room, "new");
        if (fails)
            sim_store_fail_next(rig->store, WEFT_NO_MEMORY);
        rig_turn(rig);
        for (const struct wire_message *message; (message = rig_find(rig, 0, 0)) != NULL;)
            cr_assert_neq(message->type, WIRE_ERROR, "told of an epoch that is not on disk");
        rig_settle(rig);
        const struct wire_message *epoch = rig_find(rig, 0, WIRE_NEW_EPOCH);
        cr_assert_eq(epoch == NULL, fails);
        if (fails)
            cr_assert(rig_shows(rig, document, "old new"));
        else
            cr_assert_eq(rig_find(rig, 0, WIRE_ERROR)->code, WIRE_EPOCH_MISMATCH);
        author_finish(&author);
        rig_finish_all();
    }
}

Test(rooms, orphans_of_an_ended_epoch_are_readable_as_a_recovery_copy)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    struct weft_epoch first = {0};
    static const char zeros[2 * WIRE_EPOCH_SIZE + 1] =
        "000000000000000000000000000000000000000000000000";
    author_init(&author, document, 7);
    rig_greet(rig, 0, 0);
    rig_put(rig, document, "other");
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_DELETE, .document = rig_text(document)});
    cr_assert_eq(weft_doc_insert(author.doc, WEFT_SCALARS, 0, (const uint8_t *)"mine", 4), WEFT_OK);
    cr_assert_eq(weft_doc_delta_own(&author.delta, author.doc, 7, 0), WEFT_OK);
    rig_send(rig, 0,
             &(struct wire_message){.type = WIRE_ORPHANS,
                                    .ref = 3,
                                    .name = rig_text(document),
                                    .epoch = first,
                                    .deltas[0] = {author.delta.data, author.delta.size},
                                    .delta_count = 1});
    cr_assert_null(rig_find(rig, 0, WIRE_ACK));
    rig_settle(rig);
    const struct wire_message *ack = rig_find(rig, 0, WIRE_ACK);
    cr_assert_not_null(ack);
    cr_assert_eq(ack->number, 3);
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_RECOVERY_TEXT,
                                    .document = rig_text(document),
                                    .after = rig_text(zeros)});
    cr_assert_eq(rig->response.status, 200);
    cr_assert_not_null(strstr(rig->response.body, "mine"));
    cr_assert_str_eq(rig->response.epoch, zeros);
    author_finish(&author);
}

Test(rooms, an_epoch_that_is_greater_than_the_nodes_is_behind)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_greet(rig, 0, 0);
    rig_send(rig, 0,
             &(struct wire_message){.type = WIRE_JOIN,
                                    .ref = 5,
                                    .has_epoch = true,
                                    .epoch = {.counter = 3},
                                    .name = rig_text(document),
                                    .vector = rig_text("")});
    cr_assert_eq(rig_take(rig, 0)->code, WIRE_BEHIND);
}

/// Bytes that the slot got and that were not looked at yet.
static size_t untaken(const struct rig *rig, uint32_t slot)
{
    size_t size = 0;
    for (uint32_t i = 0; i < rig->frames.count; i++)
        if (rig->frames.items[i].tag == slot && !rig->frames.items[i].taken)
            size += rig->frames.items[i].size;
    return size;
}

Test(rooms, who_comes_back_with_a_token_gets_no_version_however_many_agents_there_are)
{
    enum { AGENTS = 3000 };
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author crowd;
    author_init(&crowd, document, 1);
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 0, document);
    for (uint64_t agent = 1; agent <= AGENTS; agent++) {
        cr_assert_eq(weft_doc_set_agent(crowd.doc, agent << 32), WEFT_OK);
        cr_assert_eq(weft_doc_insert(crowd.doc, WEFT_SCALARS, 0, (const uint8_t *)"x", 1), WEFT_OK);
    }
    cr_assert_eq(weft_doc_delta_since(&crowd.delta, crowd.doc, NULL, 0), WEFT_OK);
    rig_send(rig, 0,
             &(struct wire_message){.type = WIRE_DELTA,
                                    .room = room,
                                    .number = 1,
                                    .deltas[0] = {crowd.delta.data, crowd.delta.size},
                                    .delta_count = 1});
    rig_settle(rig);
    rig_wait(rig, ROOM_QUIET_MS);
    const struct wire_message *point = rig_find(rig, 0, WIRE_POINT);
    cr_assert_not_null(point);
    cr_assert_gt(point->vector.size, 9 * AGENTS);
    uint8_t token[TOKEN_BYTES];
    cr_assert_eq(point->token.size, sizeof(token));
    memcpy(token, point->token.data, sizeof(token));
    struct weft_digest digest = point->digest;
    struct wire_message join = {.type = WIRE_JOIN,
                                .ref = 5,
                                .has_epoch = true,
                                .name = rig_text(document),
                                .vector = rig_text(""),
                                .token = {token, sizeof(token)}};
    rig_restart(rig); // whoever comes first to a document that nobody has open, as well
    rig_greet(rig, 0, 0);
    rig_greet(rig, 1, 0);
    rig_send(rig, 1, &join);
    rig_settle(rig);
    cr_assert_lt(untaken(rig, 1), 256, "%zu bytes", untaken(rig, 1));
    const struct wire_message *joined = rig_take(rig, 1);
    cr_assert_eq(joined->type, WIRE_JOINED);
    cr_assert(joined->vector.size == 0 && joined->token.size == sizeof(token));
    point = rig_take(rig, 1);
    cr_assert_eq(point->type, WIRE_POINT);
    cr_assert(point->vector.size == 0 && point->token.size == sizeof(token) &&
              memcmp(&point->digest, &digest, sizeof(digest)) == 0);
    cr_assert_eq(untaken(rig, 1), 0);
    room = rig_join(rig, 0, document);
    author_finish(&crowd);
    author_init(&crowd, document, 1); // it goes on with what others do
    crowd.number = 1;
    author_type(&crowd, rig, 0, room, "more");
    rig_settle(rig);
    rig_wait(rig, ROOM_QUIET_MS);
    cr_assert_eq(rig_take(rig, 1)->type, WIRE_NODE_DELTA);
    point = rig_take(rig, 1);
    cr_assert(point->type == WIRE_POINT && point->vector.size > 9 * AGENTS);
    rig_greet(rig, 2, 0); // the token is of the past now, and says nothing
    rig_send(rig, 2, &join);
    rig_settle(rig);
    joined = rig_take(rig, 2);
    cr_assert(joined->type == WIRE_JOINED && joined->vector.size > 9 * AGENTS);
    cr_assert_eq(joined->token.size, 0);
    cr_assert_eq(rig_take(rig, 2)->type, WIRE_NODE_DELTA);
    author_finish(&crowd);
}

Test(rooms, a_damaged_record_harms_its_document_alone)
{
    struct rig *rig = rig_start("a", &(struct node_limits){.journal_bytes_max = 1}, NULL);
    rig_put(rig, document, "damaged");
    rig_put(rig, "other", "whole");
    for (int i = 0; i < 4; i++)
        rig_wait(rig, 100); // merged into snapshots
    rig_restart(rig);
    cr_assert(sim_store_damage(rig->store, STORE_SNAPSHOTS, rig_text(document)));
    rig_greet(rig, 0, 0);
    rig_send(rig, 0,
             &(struct wire_message){
                 .type = WIRE_JOIN, .ref = 5, .name = rig_text(document), .vector = rig_text("")});
    cr_assert_eq(rig_take(rig, 0)->code, WIRE_QUARANTINED);
    cr_assert_eq(node_metrics(rig->node)->documents_quarantined, 1);
    cr_assert(rig_shows(rig, "other", "whole"));
    rig_join(rig, 0, "other");
}
