// SPDX-License-Identifier: MIT
// The ways between the node and its surroundings: its links out, and what comes back in.
#include "programs/serve/serve_impl.h"

#include <stdio.h>

// ---------------------------------------------------------------------------------- links, clients

static struct serve *serve_of(struct links *links)
{
    return (struct serve *)links;
}

static bool send_frame(struct links *self, struct client_id client, struct frame *frame)
{
    return clients_send(serve_of(self)->clients, client, frame);
}

static void close_client(struct links *self, struct client_id client, uint16_t code,
                         const char *reason)
{
    clients_hang_up(serve_of(self)->clients, client, code, reason);
}

// --------------------------------------------------------------------------------- links, requests

static void respond(struct links *self, struct request_id request,
                    const struct node_response *response)
{
    struct serve *serve = serve_of(self);
    if (admin_owns(request)) {
        admin_respond(serve->admin, request, response);
    } else {
        http_api_respond(serve->http, request, response);
    }
}

static bool stream(struct links *self, struct request_id request, struct span piece)
{
    return http_api_stream(serve_of(self)->http, request, piece);
}

static void stream_end(struct links *self, struct request_id request)
{
    http_api_stream_end(serve_of(self)->http, request);
}

// ------------------------------------------------------------------------------------ links, peers

static void broadcast(struct links *self, struct span message)
{
    peers_broadcast(serve_of(self)->peers, message);
}

static void dial(struct links *self, struct span address)
{
    peers_dial(serve_of(self)->peers, address);
}

static void hang_up(struct links *self, struct span address)
{
    peers_hang_up(serve_of(self)->peers, address);
}

static void drop(struct links *self, struct pipe_id pipe)
{
    peers_drop(serve_of(self)->peers, pipe);
}

static void pull(struct links *self, uint64_t ticket, struct span address, struct span question)
{
    peers_pull(serve_of(self)->peers, ticket, address, question);
}

static void answer(struct links *self, struct answer_id answer_id, struct span reply)
{
    peers_answer(serve_of(self)->peers, answer_id, reply);
}

void serve_connect(struct serve *serve)
{
    serve->links = (struct links){
        .send = send_frame,
        .close = close_client,
        .respond = respond,
        .stream = stream,
        .stream_end = stream_end,
        .broadcast = broadcast,
        .dial = dial,
        .hang_up = hang_up,
        .drop = drop,
        .pull = pull,
        .answer = answer,
    };
}

void serve_peer_event(void *context, const struct node_event *event)
{
    struct serve *serve = context;
    loop_step(&serve->loop, event);
}

void serve_peer_log(void *context, int level, const char *event, const char *details)
{
    struct serve *serve = context;
    log_write(serve->log, level, event, details);
}

// ------------------------------------------------------------------------------------------- store

void serve_store_completed(void *context)
{
    struct serve *serve = context;
    uv_async_send(&serve->store_wake);
}

void serve_store_woken(uv_async_t *async)
{
    struct serve *serve = async->data;
    uint64_t group;
    enum weft_status status;
    while (store_lmdb_next(serve->store, &group, &status)) {
        loop_step(&serve->loop,
                  &(struct node_event){.kind = NODE_COMMITTED, .group = group, .status = status});
    }
}

// ------------------------------------------------------------------------------------------- admin

void serve_sample(void *context, struct admin_sample *sample_out)
{
    struct serve *serve = context;
    *sample_out = (struct admin_sample){.node = node_metrics(serve->node),
                                        .unready = node_unready(serve->node),
                                        .peers = peers_count(serve->peers),
                                        .clients = clients_count(serve->clients),
                                        .http = http_api_count(serve->http),
                                        .log_dropped = log_dropped(serve->log),
                                        .version = serve->version};
    store_lmdb_stats(serve->store, &sample_out->store);
}

static void backup_done(void *context, enum weft_status status, const char *text)
{
    struct serve *serve = context;
    struct serve_backup *backup = &serve->backup;
    pthread_mutex_lock(&backup->lock);
    backup->done = true;
    backup->status = status;
    snprintf(backup->text, sizeof(backup->text), "%s", text);
    pthread_mutex_unlock(&backup->lock);
    uv_async_send(&serve->backup_wake);
}

enum weft_status serve_back_up(void *context, const char *path, char *error)
{
    struct serve *serve = context;
    return store_lmdb_backup(serve->store, path, backup_done, serve, error);
}

void serve_backup_woken(uv_async_t *async)
{
    struct serve *serve = async->data;
    struct serve_backup *backup = &serve->backup;
    pthread_mutex_lock(&backup->lock);
    bool done = backup->done;
    backup->done = false;
    pthread_mutex_unlock(&backup->lock);
    if (done) {
        admin_backup_done(serve->admin, backup->status, backup->text);
    }
}
