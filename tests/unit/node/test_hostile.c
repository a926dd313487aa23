// SPDX-License-Identifier: MIT
// Bytes that nobody should send: each decoder of the node, each message cut at every byte and with
// every byte changed. The node lives, and serves the others as before.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "codec/peer.h"
#include "rig.h"
#include "tests/support/deltas.h"

TestSuite(hostile, .fini = rig_finish_all);

/// Hands out every prefix of the bytes, and the bytes with each one changed.
static void mangle(struct span bytes, void (*give)(void *context, struct span bytes), void *context)
{
    uint8_t copy[4096];
    cr_assert_leq(bytes.size, sizeof(copy));
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *exact = malloc(size + 1); // so that a sanitizer sees the end
        memcpy(exact, bytes.data, size);
        give(context, (struct span){exact, size});
        free(exact);
    }
    static const uint8_t changes[] = {0x00, 0x01, 0x7f, 0x80, 0xc0, 0xff};
    for (size_t i = 0; i < bytes.size; i++) {
        for (size_t c = 0; c < sizeof(changes); c++) {
            memcpy(copy, bytes.data, bytes.size);
            copy[i] = changes[c];
            give(context, (struct span){copy, bytes.size});
        }
    }
}

// ------------------------------------------------------------------------------------------
// clients

static void give_frame(void *context, struct span bytes)
{
    struct rig *rig = context;
    for (uint32_t i = 0; i < rig->frames.count; i++)
        free(rig->frames.items[i].data);
    rig->frames.count = 0;
    rig_greet(rig, 1, 0);
    uint32_t room = rig_join(rig, 1, document);
    cr_assert_eq(room, 1, "the frames name it");
    rig_step(rig, &(struct node_event){.kind = NODE_CLIENT_FRAME,
                                       .client = {1, rig->generation[1]},
                                       .bytes = bytes});
    rig_settle(rig);
    rig_step(rig,
             &(struct node_event){.kind = NODE_CLIENT_CLOSED, .client = {1, rig->generation[1]}});
}

Test(hostile, frames_of_clients)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    struct author author;
    struct weft_buffer version;
    author_init(&author, document, 7);
    weft_buffer_init(&version, NULL);
    cr_assert_eq(weft_doc_insert(author.doc, WEFT_SCALARS, 0, (const uint8_t *)"x", 1), WEFT_OK);
    cr_assert_eq(weft_doc_delta_own(&author.delta, author.doc, 7, 0), WEFT_OK);
    cr_assert_eq(weft_doc_version(&version, author.doc), WEFT_OK);
    rig_greet(rig, 0, 0);
    rig_join(rig, 0, document);
    struct span delta = {author.delta.data, author.delta.size};
    struct span vector = {version.data, version.size};
    const struct wire_message messages[] = {
        {.type = WIRE_HELLO, .name = rig_text("x")},
        {.type = WIRE_JOIN,
         .ref = 2,
         .name = rig_text("other"),
         .has_epoch = true,
         .vector = vector,
         .token = vector},
        {.type = WIRE_LEAVE, .room = 1},
        {.type = WIRE_DELTA, .room = 1, .number = 1, .deltas[0] = delta, .delta_count = 1},
        {.type = WIRE_PING, .n = 3},
        {.type = WIRE_SYNC, .room = 1, .vector = vector},
        {.type = WIRE_ORPHANS,
         .ref = 3,
         .name = rig_text(document),
         .deltas[0] = delta,
         .delta_count = 1},
    };
    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
        struct weft_buffer bytes;
        weft_buffer_init(&bytes, NULL);
        cr_assert_eq(wire_encode(&bytes, &messages[i]), WEFT_OK);
        mangle((struct span){bytes.data, bytes.size}, give_frame, rig);
        weft_buffer_finish(&bytes);
    }
    cr_assert_eq(rig->closed[0], 0, "the other client is still there");
    rig_send(rig, 0, &(struct wire_message){.type = WIRE_PING, .n = 4});
    cr_assert_not_null(rig_find(rig, 0, WIRE_PONG));
    weft_buffer_finish(&version);
    author_finish(&author);
}

Test(hostile, a_message_that_only_nodes_say_closes)
{
    struct rig *rig = rig_start("a", NULL, NULL);
    rig_greet(rig, 0, 0);
    rig_send(rig, 0, &(struct wire_message){.type = WIRE_PONG, .n = 1});
    cr_assert_eq(rig->closed[0], WIRE_BAD_REQUEST);
}

/// Sends one run of an author that nobody heard of, and expects a refusal that changed nothing.
static void refuse_run(struct rig *rig, uint32_t room, uint32_t number, const struct weft_run *run)
{
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    delta_of_runs(&delta, run, 1);
    rig_send(rig, 0,
             &(struct wire_message){.type = WIRE_DELTA,
                                    .room = room,
                                    .number = number,
                                    .deltas[0] = {delta.data, delta.size},
                                    .delta_count = 1});
    rig_settle(rig);
    const struct wire_message *error = rig_find(rig, 0, WIRE_ERROR);
    cr_assert_not_null(error, "run %u was taken", number);
    cr_assert_eq(error->code, WIRE_TOO_LARGE);
    cr_assert_eq(error->number, number);
    weft_buffer_finish(&delta);
    rig_put(rig, document, number % 2 == 1 ? "it can" : "still be edited");
    cr_assert_eq(rig->response.status, 200);
}

Test(hostile, one_edit_cannot_use_up_the_clock_or_the_atoms_of_a_document)
{
    const struct node_limits limits = {.document_atoms_max = 10000};
    struct rig *rig = rig_start("a", &limits, NULL);
    rig_put(rig, document, "notes");
    rig_greet(rig, 0, 0);
    uint32_t room = rig_join(rig, 0, document);
    struct weft_run run = {.kind = WEFT_RUN_NOP, .length = 1, .agent = 9, .lamport = 20000};
    run.target = WEFT_ID_ROOT;
    refuse_run(rig, room, 1, &run);
    run.lamport = UINT32_MAX - 16;
    refuse_run(rig, room, 2, &run);
    run.lamport = 100;
    run.length = 1 << 24;
    refuse_run(rig, room, 3, &run);
}

// --------------------------------------------------------------------------------------------
// peers

static void give_message(void *context, struct span bytes)
{
    rig_step(context,
             &(struct node_event){.kind = NODE_PEER_MESSAGE, .pipe = {77}, .bytes = bytes});
    rig_settle(context);
}

static void give_question(void *context, struct span bytes)
{
    struct rig *rig = context;
    rig_step(rig, &(struct node_event){.kind = NODE_PULL_ASKED, .answer = {5}, .bytes = bytes});
    rig_settle(rig);
    cr_assert_eq(rig->answers.count, 1, "every question is answered");
    free(rig->answers.items[0].data);
    rig->answers.count = 0;
}

/// What two nodes said on the bus, the last message of each type.
struct said {
    struct weft_buffer bus[PEER_SYNCED + 1];
};

static void note(struct weft_buffer *out, const struct rig_bytes *bytes)
{
    out->size = 0;
    cr_assert_eq(weft_buffer_append(out, bytes->data, bytes->size), WEFT_OK);
}

static void listen(struct said *said, struct rig *rig)
{
    for (uint32_t i = 0; i < rig->bus.count; i++) {
        struct peer_message message;
        const struct rig_bytes *bytes = &rig->bus.items[i];
        cr_assert_eq(peer_decode(&message, (struct span){bytes->data, bytes->size}), WEFT_OK);
        note(&said->bus[message.type], bytes);
    }
}

Test(hostile, messages_of_peers, .timeout = 60)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    struct said said;
    for (enum peer_type type = 0; type <= PEER_SYNCED; type++)
        weft_buffer_init(&said.bus[type], NULL);
    rig_put(a, document, "text");
    rig_mesh(1000);
    rig_ask(a, &(struct node_ask){.verb = NODE_ASK_PUT,
                                  .document = rig_text(document),
                                  .body = rig_text("text two"),
                                  .wait_level = 2});
    listen(&said, a);
    rig_mesh(50);
    rig_wait(b, 20);
    listen(&said, b);
    rig_wait(a, 1000);
    listen(&said, a);
    struct rig *c = rig_start("c", NULL, NULL);
    for (enum peer_type type = PEER_FRESH; type <= PEER_SYNCED; type++) {
        cr_assert_gt(said.bus[type].size, 0, "no message of type %d was said", type);
        struct span bytes = {said.bus[type].data, said.bus[type].size};
        mangle(bytes, give_message, c);
        mangle(bytes, give_question, c); // a message of the bus is no question
        weft_buffer_finish(&said.bus[type]);
    }
    cr_assert_gt(node_metrics(c->node)->gossip_malformed, 100);
    rig_put(c, "own", "works");
    cr_assert(rig_shows(c, "own", "works"));
}

Test(hostile, questions_of_peers, .timeout = 60)
{
    struct rig *a = rig_start("a", NULL, NULL);
    struct rig *b = rig_start("b", NULL, "a");
    rig_put(a, document, "text");
    rig_mesh(1000);
    cr_assert(rig_shows(b, document, "text"));
    struct weft_buffer bytes;
    struct peer_message question = {.type = PEER_PULL_DOCUMENT,
                                    .self = {.incarnation = 9},
                                    .document = rig_text(document),
                                    .version = rig_text(""),
                                    .bytes_max = 1000};
    weft_buffer_init(&bytes, NULL);
    struct pack_writer writer = pack_writer_begin(&bytes);
    peer_begin(&writer, &question);
    cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    mangle((struct span){bytes.data, bytes.size}, give_question, a);
    question.type = PEER_PULL_CHANGED;
    question.count_max = 10;
    bytes.size = 0;
    writer = pack_writer_begin(&bytes);
    peer_begin(&writer, &question);
    cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    mangle((struct span){bytes.data, bytes.size}, give_question, a);
    question.type = PEER_PULL_RANGE;
    bytes.size = 0;
    writer = pack_writer_begin(&bytes);
    peer_begin(&writer, &question);
    pack_array(&writer, 1);
    peer_put_feed(&writer, &(struct peer_feed){9, 3, 8, 2});
    cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    mangle((struct span){bytes.data, bytes.size}, give_question, a);
    weft_buffer_finish(&bytes);
    cr_assert(rig_shows(a, document, "text"));
    rig_put(b, document, "text, and it goes on");
    rig_mesh(500);
    cr_assert(rig_shows(a, document, "text, and it goes on"));
}
