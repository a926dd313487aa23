// SPDX-License-Identifier: MIT
// Requests under way; answers travel back with a delay, or are lost with the process.
#include "sim_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "sim_node.h"

#define LATENCY_US_MAX 20000
#define WATCH_US_MAX 20000000    // after which a watcher goes away
#define STREAM_FULL_PER_MILLE 50 // how often a watcher has no room

enum ask_span { ASK_DOCUMENT, ASK_BODY, ASK_PREFIX, ASK_AFTER, ASK_IF_MATCH, ASK_SPANS };

struct request {
    struct request *next; // of those that wait at the node
    struct sim_node *node;
    uint64_t boot;
    uint64_t id;
    struct node_ask ask; // its spans point into `bytes`
    sim_request_done *done;
    void *context;
    uint64_t tag;
    bool arrived;
    bool streaming;
    bool blocked;
    struct sim_request_result result; // its spans point into `answer`
    uint8_t *answer;
    uint8_t bytes[];
};

static void unlink_request(struct request *request)
{
    struct request **at = &request->node->requests;
    while (*at != request)
        at = &(*at)->next;
    *at = request->next;
}

static void finish(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct request *request = owned; // freed by the world
    (void)context;
    (void)a;
    (void)b;
    request->done(request->context, request->tag, &request->result);
    free(request->answer);
    request->answer = NULL;
}

/// Hands the request over to the world, which ends it a moment later.
static void finish_later(struct request *request)
{
    struct world *world = &request->node->cluster->world;
    unlink_request(request);
    world_after(world, world_between(world, 100, LATENCY_US_MAX), finish, NULL, 0, 0, request);
}

static void stop_watching(void *context, uint64_t boot, uint64_t id, void *owned)
{
    struct sim_node *node = context;
    (void)owned;
    if (!sim_node_lives(node, boot) || sim_node_defer(node, stop_watching, context, boot, id, NULL))
        return;
    struct request *request = node->requests;
    while (request != NULL && request->id != id)
        request = request->next;
    if (request == NULL)
        return;
    finish_later(request);
    sim_node_step(node, &(struct node_event){.kind = NODE_REQUEST_CLOSED, .request = {id}});
}

static void arrive(void *context, uint64_t boot, uint64_t id, void *owned)
{
    struct sim_node *node = context;
    struct world *world = &node->cluster->world;
    (void)owned;
    if (!sim_node_lives(node, boot) || sim_node_defer(node, arrive, context, boot, id, NULL))
        return;
    struct request *request = node->requests;
    while (request != NULL && request->id != id)
        request = request->next;
    if (request == NULL)
        return;
    request->arrived = true;
    if (request->ask.verb == NODE_ASK_WATCH)
        world_after(world, world_between(world, 1000, WATCH_US_MAX), stop_watching, node, boot, id,
                    NULL);
    sim_node_step(
        node, &(struct node_event){.kind = NODE_REQUEST, .request = {id}, .ask = &request->ask});
}

void sim_request_send(struct sim_node *node, const struct node_ask *ask, sim_request_done *done,
                      void *context, uint64_t tag)
{
    struct cluster *cluster = node->cluster;
    struct span spans[ASK_SPANS] = {ask->document, ask->body, ask->prefix, ask->after,
                                    ask->if_match};
    size_t size = 0;
    for (int i = 0; i < ASK_SPANS; i++)
        size += spans[i].size;
    struct request *request = world_resize(NULL, sizeof(*request) + size);
    *request = (struct request){.next = node->requests,
                                .node = node,
                                .boot = node->boot,
                                .id = ++cluster->next_request,
                                .ask = *ask,
                                .done = done,
                                .context = context,
                                .tag = tag};
    request->result.slot = node->slot;
    uint8_t *at = request->bytes;
    for (int i = 0; i < ASK_SPANS; i++) {
        if (spans[i].size > 0)
            memcpy(at, spans[i].data, spans[i].size);
        spans[i].data = spans[i].data == NULL ? NULL : at;
        at += spans[i].size;
    }
    request->ask.document = spans[ASK_DOCUMENT];
    request->ask.body = spans[ASK_BODY];
    request->ask.prefix = spans[ASK_PREFIX];
    request->ask.after = spans[ASK_AFTER];
    request->ask.if_match = spans[ASK_IF_MATCH];
    node->requests = request;
    if (node->node == NULL) {
        finish_later(request);
        return;
    }
    world_after(&cluster->world, world_between(&cluster->world, 100, LATENCY_US_MAX), arrive, node,
                node->boot, request->id, NULL);
}

// ------------------------------------------------------------------------------------ node's side

static struct request *find(struct sim_node *node, struct request_id id, const char *what)
{
    struct request *request = node->requests;
    while (request != NULL && (request->id != id.value || !request->arrived))
        request = request->next;
    if (request == NULL)
        world_fail(&node->cluster->world, "n%u %s request %llu, which does not wait", node->slot,
                   what, (unsigned long long)id.value);
    return request;
}

static uint32_t read_level(const char *durability)
{
    unsigned level = 0;
    if (durability == NULL)
        return 0;
    if (strcmp(durability, "durable") == 0)
        return 1;
    return sscanf(durability, "replicated:%u", &level) == 1 ? level : 0;
}

void sim_request_respond(struct sim_node *node, struct request_id id,
                         const struct node_response *response)
{
    struct world *world = &node->cluster->world;
    struct request *request = find(node, id, "answers");
    if (request == NULL)
        return;
    world_trace(world, response->status, response->body.data, response->body.size);
    node->cluster->request_count++;
    size_t body_size = response->body.size;
    request->answer = world_resize(NULL, body_size + response->etag.size + 1);
    if (body_size > 0)
        memcpy(request->answer, response->body.data, body_size);
    if (response->etag.size > 0)
        memcpy(request->answer + body_size, response->etag.data, response->etag.size);
    request->result.status = response->status;
    request->result.body = (struct span){request->answer, body_size};
    request->result.etag = (struct span){request->answer + body_size, response->etag.size};
    request->result.level = read_level(response->durability);
    request->result.sent_us = world->now_us;
    request->streaming = response->stream;
    if (!response->stream)
        finish_later(request);
}

static void tell_writable(void *context, uint64_t boot, uint64_t id, void *owned)
{
    struct sim_node *node = context;
    (void)owned;
    if (!sim_node_lives(node, boot) || sim_node_defer(node, tell_writable, context, boot, id, NULL))
        return;
    for (struct request *r = node->requests; r != NULL; r = r->next) {
        if (r->id == id) {
            r->blocked = false;
            sim_node_step(node,
                          &(struct node_event){.kind = NODE_REQUEST_WRITABLE, .request = {id}});
            return;
        }
    }
}

bool sim_request_stream(struct sim_node *node, struct request_id id, struct span piece)
{
    struct world *world = &node->cluster->world;
    struct request *request = find(node, id, "streams to");
    if (request == NULL)
        return false;
    world_trace(world, 0x57EA, piece.data, piece.size);
    if (!request->streaming || request->blocked)
        world_fail(world, "n%u streams to a request that %s", node->slot,
                   request->blocked ? "it was told is full" : "is no stream");
    request->blocked = world_chance(world, STREAM_FULL_PER_MILLE);
    if (request->blocked)
        world_after(world, world_between(world, 1000, 500000), tell_writable, node, node->boot,
                    id.value, NULL);
    return !request->blocked;
}

void sim_request_stream_end(struct sim_node *node, struct request_id id)
{
    struct request *request = find(node, id, "ends the stream of");
    if (request != NULL)
        finish_later(request);
}

void sim_request_crash_all(struct sim_node *node)
{
    while (node->requests != NULL) {
        struct request *request = node->requests;
        if (!request->streaming)
            request->result.status = 0;
        finish_later(request);
    }
}
