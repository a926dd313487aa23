// SPDX-License-Identifier: MIT
// A node on ports in memory.
#include "rig.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/frame.h"

const char *const document = "notes";

#define RIG_OF(port, member)                                                                       \
    ((struct rig *)(void *)((uint8_t *)(port)-offsetof(struct rig, member)))

static struct rig *rigs[RIGS_MAX];
static uint32_t rig_count;

// ------------------------------------------------------------------------------------- what is
// kept

static struct rig_bytes *keep(struct rig_list *list, const void *data, size_t size, uint64_t tag)
{
    cr_assert_lt(list->count, RIG_KEPT_MAX);
    struct rig_bytes *item = &list->items[list->count++];
    *item = (struct rig_bytes){.data = malloc(size + 1), .size = size, .tag = tag};
    if (size > 0)
        memcpy(item->data, data, size);
    return item;
}

static void forget(struct rig_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        free(list->items[i].data);
    list->count = 0;
}

static void copy_text(char *out, size_t size, struct span text)
{
    cr_assert_lt(text.size, size);
    if (text.size > 0)
        memcpy(out, text.data, text.size);
    out[text.size] = '\0';
}

// --------------------------------------------------------------------------------------------
// ports

static uint64_t now_ms(struct clock *self)
{
    return RIG_OF(self, clock)->now_ms;
}

static bool send_frame(struct links *self, struct client_id client, struct frame *frame)
{
    struct rig *rig = RIG_OF(self, links);
    cr_assert_not(rig->blocked[client.slot], "sent though it takes nothing");
    cr_assert_eq(rig->closed[client.slot], 0, "sent though it is closed");
    keep(&rig->frames, frame_payload(frame), frame->size, client.slot);
    rig->blocked[client.slot] = rig->full[client.slot];
    return !rig->full[client.slot];
}

static void close_client(struct links *self, struct client_id client, uint16_t code,
                         const char *reason)
{
    struct rig *rig = RIG_OF(self, links);
    cr_assert_str_eq(reason, wire_code_reason(code));
    rig->closed[client.slot] = code;
}

static void respond(struct links *self, struct request_id request,
                    const struct node_response *response)
{
    struct rig *rig = RIG_OF(self, links);
    cr_assert_leq(request.value, rig->next_request);
    rig->response.count++;
    rig->response.status = response->status;
    rig->response.body_size = response->body.size;
    snprintf(rig->response.type, sizeof(rig->response.type), "%s", response->content_type);
    snprintf(rig->response.durability, sizeof(rig->response.durability), "%s",
             response->durability ? response->durability : "");
    copy_text(rig->response.body, sizeof(rig->response.body), response->body);
    copy_text(rig->response.etag, sizeof(rig->response.etag), response->etag);
    copy_text(rig->response.epoch, sizeof(rig->response.epoch), response->epoch);
}

static bool stream(struct links *self, struct request_id request, struct span piece)
{
    keep(&RIG_OF(self, links)->streamed, piece.data, piece.size, request.value);
    return true;
}

static void stream_end(struct links *self, struct request_id request)
{
    (void)self;
    (void)request;
}

static void broadcast(struct links *self, struct span message)
{
    keep(&RIG_OF(self, links)->bus, message.data, message.size, 0);
}

static struct rig *at_address(struct span address)
{
    for (uint32_t i = 0; i < rig_count; i++) {
        struct rig *rig = rigs[i];
        if ((strlen(rig->gossip) == address.size &&
             memcmp(rig->gossip, address.data, address.size) == 0) ||
            (strlen(rig->pull) == address.size &&
             memcmp(rig->pull, address.data, address.size) == 0))
            return rig;
    }
    return NULL;
}

static struct pipe_id pipe_of(const struct rig *from, const struct rig *to)
{
    return (struct pipe_id){1 + from->index * RIGS_MAX + to->index};
}

static void dial(struct links *self, struct span address)
{
    struct rig *rig = RIG_OF(self, links);
    struct rig *other = at_address(address);
    if (other && other != rig)
        rig->linked[other->index] = other->linked[rig->index] = true; // told in rig_mesh()
}

static void hang_up(struct links *self, struct span address)
{
    struct rig *rig = RIG_OF(self, links);
    struct rig *other = at_address(address);
    if (other)
        rig->linked[other->index] = other->linked[rig->index] = false;
}

static void drop(struct links *self, struct pipe_id pipe)
{
    (void)self;
    (void)pipe;
}

static void pull(struct links *self, uint64_t ticket, struct span address, struct span question)
{
    struct rig *rig = RIG_OF(self, links);
    struct rig_bytes *item = keep(&rig->pulls, question.data, question.size, ticket);
    copy_text(item->address, sizeof(item->address), address);
}

static void answer(struct links *self, struct answer_id id, struct span reply)
{
    keep(&RIG_OF(self, links)->answers, reply.data, reply.size, id.value);
}

static const struct links links_in_memory = {.send = send_frame,
                                             .close = close_client,
                                             .respond = respond,
                                             .stream = stream,
                                             .stream_end = stream_end,
                                             .broadcast = broadcast,
                                             .dial = dial,
                                             .hang_up = hang_up,
                                             .drop = drop,
                                             .pull = pull,
                                             .answer = answer};

// ---------------------------------------------------------------------------------------------
// life

static void create(struct rig *rig, const struct node_limits *limits, struct span seed)
{
    struct node_config config = {
        .allocator = test_allocator_use(&rig->memory),
        .clock = &rig->clock,
        .entropy = &rig->entropy.port,
        .store = sim_store_port(rig->store),
        .links = &rig->links,
        .name = rig_text(rig->name),
        .gossip_address = rig_text(rig->gossip),
        .pull_address = rig_text(rig->pull),
        .seeds = &seed,
        .seed_count = seed.size > 0,
    };
    if (limits)
        config.limits = *limits;
    cr_assert_eq(node_create(&rig->node, &config), WEFT_OK);
    rig_settle(rig);
}

struct rig *rig_start(const char *name, const struct node_limits *limits, const char *seed)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    char address[32] = "";
    cr_assert_lt(rig_count, RIGS_MAX);
    rig->index = rig_count;
    rigs[rig_count++] = rig;
    rig->clock = (struct clock){now_ms, now_ms};
    rig->links = links_in_memory;
    rig->now_ms = 1000000;
    rig->memory = test_allocator_make();
    sim_entropy_init(&rig->entropy, 4711 + rig->index);
    snprintf(rig->name, sizeof(rig->name), "%s", name);
    snprintf(rig->gossip, sizeof(rig->gossip), "tcp://%s:9339", name);
    snprintf(rig->pull, sizeof(rig->pull), "tcp://%s:9341", name);
    cr_assert_eq(sim_store_create(&rig->store, &(struct sim_store_options){0}), WEFT_OK);
    if (limits)
        rig->limits = *limits;
    if (seed)
        snprintf(address, sizeof(address), "tcp://%s:9339", seed);
    create(rig, limits, rig_text(address));
    return rig;
}

static void end(struct rig *rig)
{
    node_destroy(rig->node);
    cr_assert_eq(rig->memory.used, 0, "%s keeps %zu bytes", rig->name, rig->memory.used);
}

void rig_restart(struct rig *rig)
{
    end(rig);
    sim_store_crash(rig->store);
    memset(rig->linked, 0, sizeof(rig->linked));
    create(rig, &rig->limits, (struct span){0});
}

void rig_finish_all(void)
{
    for (uint32_t i = 0; i < rig_count; i++) {
        struct rig *rig = rigs[i];
        end(rig);
        sim_store_destroy(rig->store);
        forget(&rig->frames);
        forget(&rig->bus);
        forget(&rig->pulls);
        forget(&rig->answers);
        forget(&rig->streamed);
        free(rig);
    }
    rig_count = 0;
}

void rig_step(struct rig *rig, const struct node_event *event)
{
    node_step(rig->node, event);
}

void rig_turn(struct rig *rig)
{
    rig_step(rig, &(struct node_event){.kind = NODE_TURN});
}

void rig_settle(struct rig *rig)
{
    struct node_event event = {.kind = NODE_COMMITTED};
    bool more = true;
    while (more) {
        rig_turn(rig);
        more = false;
        while (sim_store_sync(rig->store))
            continue;
        while (sim_store_next(rig->store, &event.group, &event.status)) {
            rig_step(rig, &event);
            more = true;
        }
    }
}

void rig_wait(struct rig *rig, uint64_t ms)
{
    rig->now_ms += ms;
    rig_step(rig, &(struct node_event){.kind = NODE_TICK});
    rig_settle(rig);
}

// ------------------------------------------------------------------------------------------
// cluster

static bool told[RIGS_MAX][RIGS_MAX]; // of the pipe

static void tell_pipes(struct rig *rig)
{
    for (uint32_t i = 0; i < rig_count; i++) {
        if (rig->linked[i] != told[rig->index][i]) {
            told[rig->index][i] = rig->linked[i];
            rig_step(rig,
                     &(struct node_event){.kind = rig->linked[i] ? NODE_PEER_UP : NODE_PEER_DOWN,
                                          .pipe = pipe_of(rig, rigs[i])});
        }
    }
}

static void carry_bus(struct rig *rig)
{
    for (uint32_t m = 0; m < rig->bus.count; m++) {
        const struct rig_bytes *message = &rig->bus.items[m];
        for (uint32_t i = 0; i < rig_count; i++) {
            if (told[rig->index][i] && told[i][rig->index])
                rig_step(rigs[i], &(struct node_event){.kind = NODE_PEER_MESSAGE,
                                                       .pipe = pipe_of(rigs[i], rig),
                                                       .bytes = {message->data, message->size}});
        }
    }
    forget(&rig->bus);
}

static void carry_pull(struct rig *rig, const struct rig_bytes *question)
{
    struct rig *other = at_address(rig_text(question->address));
    struct node_event reply = {
        .kind = NODE_PULL_REPLY, .ticket = question->tag, .status = WEFT_STORAGE};
    if (other && rig->linked[other->index]) {
        rig_step(other, &(struct node_event){.kind = NODE_PULL_ASKED,
                                             .answer = {question->tag},
                                             .bytes = {question->data, question->size}});
        rig_settle(other);
        cr_assert_eq(other->answers.count, 1, "one answer to each question");
        reply.status = WEFT_OK;
        reply.bytes = (struct span){other->answers.items[0].data, other->answers.items[0].size};
    }
    rig_step(rig, &reply);
    rig_settle(rig);
    if (other)
        forget(&other->answers);
}

static void carry_pulls(struct rig *rig)
{
    struct rig_list *asked = malloc(sizeof(*asked));
    *asked = rig->pulls;
    rig->pulls.count = 0; // more may be asked meanwhile
    for (uint32_t i = 0; i < asked->count; i++)
        carry_pull(rig, &asked->items[i]);
    forget(asked);
    free(asked);
}

void rig_mesh(uint64_t ms)
{
    for (uint64_t passed = 0; passed < ms; passed += 50) {
        for (uint32_t i = 0; i < rig_count; i++)
            tell_pipes(rigs[i]);
        for (uint32_t i = 0; i < rig_count; i++)
            rig_wait(rigs[i], 50);
        for (uint32_t i = 0; i < rig_count; i++) {
            carry_bus(rigs[i]);
            carry_pulls(rigs[i]);
        }
    }
}

void rig_cut(struct rig *a, struct rig *b)
{
    a->linked[b->index] = b->linked[a->index] = false;
}

struct peer_message rig_page(struct rig *rig, struct peer_message question)
{
    static struct rig_bytes kept;
    struct peer_message reply;
    struct weft_buffer bytes;
    weft_buffer_init(&bytes, NULL);
    struct pack_writer writer = pack_writer_begin(&bytes);
    question.type = PEER_PULL_CHANGED;
    peer_begin(&writer, &question);
    cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
    rig_step(rig, &(struct node_event){
                      .kind = NODE_PULL_ASKED, .answer = {1}, .bytes = {bytes.data, bytes.size}});
    cr_assert_eq(rig->answers.count, 1);
    free(kept.data);
    kept = rig->answers.items[0];
    rig->answers.count = 0;
    weft_buffer_finish(&bytes);
    cr_assert_eq(peer_decode(&reply, (struct span){kept.data, kept.size}), WEFT_OK);
    return reply;
}

// ------------------------------------------------------------------------------------------
// clients

static struct client_id client_of(const struct rig *rig, uint32_t slot)
{
    return (struct client_id){slot, rig->generation[slot]};
}

void rig_open(struct rig *rig, uint32_t slot)
{
    rig->generation[slot]++;
    rig->closed[slot] = 0;
    rig->full[slot] = false;
    rig->blocked[slot] = false;
    rig_step(rig, &(struct node_event){.kind = NODE_CLIENT_OPENED, .client = client_of(rig, slot)});
}

void rig_unblock(struct rig *rig, uint32_t slot)
{
    rig->full[slot] = false;
    rig->blocked[slot] = false;
    rig_step(rig,
             &(struct node_event){.kind = NODE_CLIENT_WRITABLE, .client = client_of(rig, slot)});
}

void rig_send(struct rig *rig, uint32_t slot, const struct wire_message *message)
{
    struct weft_buffer bytes;
    weft_buffer_init(&bytes, NULL);
    cr_assert_eq(wire_encode(&bytes, message), WEFT_OK);
    rig_step(rig, &(struct node_event){.kind = NODE_CLIENT_FRAME,
                                       .client = client_of(rig, slot),
                                       .bytes = {bytes.data, bytes.size}});
    weft_buffer_finish(&bytes);
}

void rig_greet(struct rig *rig, uint32_t slot, uint32_t replicas)
{
    rig_open(rig, slot);
    rig_send(rig, slot,
             &(struct wire_message){.type = WIRE_HELLO,
                                    .version = WIRE_VERSION,
                                    .name = rig_text("rig"),
                                    .replicas = replicas});
    cr_assert_eq(rig_take(rig, slot)->type, WIRE_NODE_HELLO);
}

const struct wire_message *rig_find(struct rig *rig, uint32_t slot, enum wire_type type)
{
    for (uint32_t i = 0; i < rig->frames.count; i++) {
        struct rig_bytes *frame = &rig->frames.items[i];
        if (frame->taken || frame->tag != slot)
            continue;
        frame->taken = true;
        cr_assert_eq(wire_decode(&rig->message, (struct span){frame->data, frame->size}), WEFT_OK);
        if (type == 0 || rig->message.type == type)
            return &rig->message;
    }
    return NULL;
}

const struct wire_message *rig_take(struct rig *rig, uint32_t slot)
{
    const struct wire_message *message = rig_find(rig, slot, 0);
    cr_assert_not_null(message, "client %u got nothing", slot);
    return message;
}

uint32_t rig_join(struct rig *rig, uint32_t slot, const char *name)
{
    rig_send(rig, slot,
             &(struct wire_message){
                 .type = WIRE_JOIN, .ref = 1, .name = rig_text(name), .vector = rig_text("")});
    rig_settle(rig);
    const struct wire_message *joined = rig_find(rig, slot, WIRE_JOINED);
    cr_assert_not_null(joined);
    uint32_t room = joined->room;
    cr_assert_not_null(rig_find(rig, slot, WIRE_POINT));
    return room;
}

// -----------------------------------------------------------------------------------------
// requests

void rig_ask(struct rig *rig, const struct node_ask *ask)
{
    uint32_t count = rig->response.count;
    rig_step(rig, &(struct node_event){
                      .kind = NODE_REQUEST, .request = {++rig->next_request}, .ask = ask});
    rig_settle(rig);
    cr_assert_leq(rig->response.count, count + 1, "one answer to each request");
}

void rig_put(struct rig *rig, const char *name, const char *text)
{
    rig_ask(rig, &(struct node_ask){
                     .verb = NODE_ASK_PUT, .document = rig_text(name), .body = rig_text(text)});
}

bool rig_shows(struct rig *rig, const char *name, const char *text)
{
    rig_ask(rig, &(struct node_ask){.verb = NODE_ASK_TEXT, .document = rig_text(name)});
    return rig->response.status == 200 && strcmp(rig->response.body, text) == 0;
}

// ------------------------------------------------------------------------------------------
// authors

void author_init(struct author *author, const char *name, uint64_t agent)
{
    *author = (struct author){.agent = agent};
    cr_assert_eq(
        weft_doc_create(&author->doc, &(struct weft_doc_options){.name = (const uint8_t *)name,
                                                                 .name_size = strlen(name)}),
        WEFT_OK);
    cr_assert_eq(weft_doc_set_agent(author->doc, agent), WEFT_OK);
    weft_buffer_init(&author->delta, NULL);
}

void author_finish(struct author *author)
{
    weft_doc_destroy(author->doc);
    weft_buffer_finish(&author->delta);
}

void author_type(struct author *author, struct rig *rig, uint32_t slot, uint32_t room,
                 const char *text)
{
    uint64_t from = weft_doc_next_seq(author->doc, author->agent);
    author->delta.size = 0;
    cr_assert_eq(weft_doc_insert(author->doc, WEFT_SCALARS,
                                 weft_doc_length(author->doc, WEFT_SCALARS), (const uint8_t *)text,
                                 strlen(text)),
                 WEFT_OK);
    cr_assert_eq(weft_doc_delta_own(&author->delta, author->doc, author->agent, from), WEFT_OK);
    rig_send(rig, slot,
             &(struct wire_message){.type = WIRE_DELTA,
                                    .room = room,
                                    .number = ++author->number,
                                    .deltas[0] = {author->delta.data, author->delta.size},
                                    .delta_count = 1});
}
