// SPDX-License-Identifier: MIT
// A node alone with a copied disk, driven by hand until it has answered.
#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include "codec/wire.h"
#include "node/node.h"

#include "sim_client.h"
#include "sim_disk.h"
#include "sim_entropy.h"
#include "sim_node.h"
#include "sim_store.h"
#include "survey.h"

#define PROBE_PER_MILLE 20 // of the acks
#define ROUNDS_MAX 400     // of 50 ms, in which it must have answered
#define ROUND_MS 50

struct probe {
    struct links links;
    struct clock clock;
    struct sim_entropy entropy;
    struct sim_store *store;
    struct node *node;
    struct world *world;
    uint64_t now_ms;
    bool answered;
    uint16_t status;
    struct weft_buffer text;
};

// ------------------------------------------------------------------------------- its empty world

static bool void_send(struct links *self, struct client_id client, struct frame *frame)
{
    (void)self;
    (void)client;
    (void)frame;
    return true;
}

static void void_close(struct links *self, struct client_id client, uint16_t code,
                       const char *reason)
{
    (void)self;
    (void)client;
    (void)code;
    (void)reason;
}

static void take_response(struct links *self, struct request_id request,
                          const struct node_response *response)
{
    struct probe *probe = (struct probe *)self;
    (void)request;
    probe->answered = true;
    probe->status = response->status;
    if (weft_buffer_append(&probe->text, response->body.data, response->body.size) != WEFT_OK)
        abort(); // memory of the simulator itself
}

static void void_span(struct links *self, struct span bytes)
{
    (void)self;
    (void)bytes;
}

static uint64_t clock_ms(struct clock *self)
{
    return ((struct probe *)((char *)self - offsetof(struct probe, clock)))->now_ms;
}

static void round_of_events(struct probe *probe)
{
    uint64_t group;
    enum weft_status status;
    probe->now_ms += ROUND_MS;
    while (sim_store_sync(probe->store))
        continue;
    while (sim_store_next(probe->store, &group, &status))
        node_step(probe->node,
                  &(struct node_event){.kind = NODE_COMMITTED, .group = group, .status = status});
    node_step(probe->node, &(struct node_event){.kind = NODE_TICK});
    node_step(probe->node, &(struct node_event){.kind = NODE_TURN});
}

/// Opens a copy of the disk. @return whether it could be opened.
static bool probe_open(struct probe *probe, struct sim_node *node)
{
    *probe = (struct probe){
        .links = {.send = void_send,
                  .close = void_close,
                  .respond = take_response,
                  .broadcast = void_span,
                  .dial = void_span,
                  .hang_up = void_span},
        .clock = {.now_ms = clock_ms, .wall_ms = clock_ms},
        .world = &node->cluster->world,
        .now_ms = 1000,
    };
    weft_buffer_init(&probe->text, NULL);
    sim_entropy_init(&probe->entropy, world_random(probe->world, UINT64_MAX));
    probe->store = sim_disk_copy_store(node->disk);
    struct node_config config = {.allocator = weft_allocator_libc(),
                                 .clock = &probe->clock,
                                 .entropy = &probe->entropy.port,
                                 .store = sim_store_port(probe->store),
                                 .links = &probe->links,
                                 .limits = node->cluster->plan.limits};
    enum weft_status status = node_create(&probe->node, &config);
    if (status != WEFT_OK) {
        sim_store_destroy(probe->store);
        world_fail(probe->world, "a copy of n%u's disk cannot be opened: %s", node->slot,
                   weft_status_text(status));
    }
    return status == WEFT_OK;
}

static void probe_close(struct probe *probe)
{
    node_destroy(probe->node);
    sim_store_destroy(probe->store);
    weft_buffer_finish(&probe->text);
}

/// Asks for a document's state or its whole history. @return whether it answered.
static bool probe_ask(struct probe *probe, enum node_verb verb, uint32_t document)
{
    struct node_ask ask = {.verb = verb, .document = cluster_document_name(document)};
    struct node_event event = {.kind = NODE_REQUEST, .request = {verb}, .ask = &ask};
    probe->answered = false;
    probe->text.size = 0;
    node_step(probe->node, &event);
    for (uint32_t round = 0; round < ROUNDS_MAX && !probe->answered; round++)
        round_of_events(probe);
    return probe->answered;
}

// ----------------------------------------------------------------------------------------- looking

/// How far the client's own seqs are covered by an ack of `number`.
static uint64_t covered_end(const struct sim_room *room, uint32_t number)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < room->sent_count; i++) {
        const struct room_sent *sent = &room->sents[i];
        if (sent->number <= number && !sent->refused && sent->own_end > end)
            end = sent->own_end;
    }
    return end;
}

/// Whether the disk is in a later epoch already, while acks of the last one are still on their way.
static bool has_moved_on(struct probe *probe, const struct sim_room *room)
{
    struct weft_epoch epoch;
    struct span json = {probe->text.data, probe->text.size};
    return probe->status == 404 ||
           (survey_read_epoch(&epoch, json) && weft_epoch_compare(&epoch, &room->epoch) > 0);
}

static void compare(struct sim_node *node, const struct sim_room *room, struct probe *probe,
                    uint64_t end)
{
    struct weft_doc *doc;
    struct weft_apply_result result;
    struct span name = cluster_document_name(room->document);
    struct weft_doc_options options = {
        .name = name.data, .name_size = name.size, .epoch = room->epoch};
    struct world *world = &node->cluster->world;
    if (weft_doc_create(&doc, &options) != WEFT_OK)
        abort(); // memory of the simulator itself
    enum weft_status status =
        weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, probe->text.data, probe->text.size);
    uint64_t there = weft_doc_next_seq(doc, room->agent);
    if (status != WEFT_OK || result.runs_missing > 0 || result.runs_invalid > 0)
        world_fail(world, "the history of document %u on n%u's disk: %s, %u missing, %u invalid",
                   room->document, node->slot, weft_status_text(status), result.runs_missing,
                   result.runs_invalid);
    else if (there < end)
        world_fail(world, "n%u acks client %u's edits of document %u below %llu, on disk: %llu",
                   node->slot, room->client->index, room->document, (unsigned long long)end,
                   (unsigned long long)there);
    weft_doc_destroy(doc);
}

static void look(struct sim_node *node, const struct sim_room *room, uint32_t number)
{
    struct probe probe;
    uint64_t end = covered_end(room, number);
    struct world *world = &node->cluster->world;
    if (end > 0 && probe_open(&probe, node)) {
        if (!probe_ask(&probe, NODE_ASK_DIGEST, room->document))
            world_fail(world, "a new process on n%u's disk does not answer", node->slot);
        else if (!has_moved_on(&probe, room) && probe_ask(&probe, NODE_ASK_DELTA, room->document))
            compare(node, room, &probe, end);
        probe_close(&probe);
    }
}

/// A refusal is on its way to the client; an ack that follows it does not cover what it refuses.
static void note_refusal(struct sim_room *room, uint32_t number)
{
    for (uint32_t i = 0; i < room->sent_count; i++) {
        if (room->sents[i].number == number)
            room->sents[i].refused = true;
    }
}

void probe_frame(struct sim_node *node, struct sim_client *client, struct span frame)
{
    static struct wire_message message; // large
    // A msgpack array of few elements, then a small integer.
    if (frame.size < 2 || (frame.data[1] != WIRE_ACK && frame.data[1] != WIRE_ERROR) ||
        wire_decode(&message, frame) != WEFT_OK)
        return;
    for (uint32_t i = 0; i < client->room_count; i++) {
        struct sim_room *room = &client->rooms[i];
        if (room->state != ROOM_IN || room->number_of_room != message.room)
            continue;
        if (message.type == WIRE_ERROR)
            note_refusal(room, message.number);
        else if (message.level >= 1 && world_chance(&node->cluster->world, PROBE_PER_MILLE))
            look(node, room, message.number);
    }
}
