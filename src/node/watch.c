// SPDX-License-Identifier: MIT
// Event streams of changes.
#include "node/watch.h"

#include <string.h>

#include "node/epoch.h"
#include "node/json.h"
#include "node/request.h"
#include "node/room.h"

static void observe(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                    size_t text_size)
{
    struct room *room = context;
    struct json json = {&room->patches, false};
    if (room->patches_lost) {
        return;
    }
    json_raw(&json, room->patches.size ? ",[" : "[");
    json_u64(&json, index);
    json_raw(&json, ",");
    json_u64(&json, deleted);
    json_raw(&json, ",");
    json_put_string(&json, (struct span){text, text_size});
    json_raw(&json, "]");
    if (json.failed || room->patches.size > WATCH_PATCH_BYTES_MAX) {
        room->patches_lost = true;
        room->patches.size = 0;
    }
}

void watch_attach(struct node *node, struct room *room)
{
    (void)node;
    if (room->doc) {
        weft_doc_observe(room->doc, room->watchers ? observe : NULL, room);
    }
}

// --------------------------------------------------------------------------------------------
// events

static void put_head(struct node *node, struct json *json, const struct room *room,
                     const struct weft_digest *digest, const char *event)
{
    uint8_t token[TOKEN_BYTES];
    room_token(node, room, digest, token);
    json_raw(json, "id: ");
    for (size_t i = 0; i < sizeof token; i++) {
        static const char digits[] = "0123456789abcdef";
        char pair[3] = {digits[token[i] >> 4], digits[token[i] & 15], '\0'};
        json_raw(json, pair);
    }
    json_raw(json, "\nevent: ");
    json_raw(json, event);
    json_raw(json, "\ndata: {");
}

/// The whole state, up to put_end(). @return false without memory.
static bool put_text(struct node *node, struct weft_buffer *out, struct room *room, bool with_text)
{
    struct json json = {out, false};
    struct weft_digest digest;
    struct weft_buffer text;
    uint8_t epoch[WIRE_EPOCH_SIZE];
    if (weft_doc_digest(&digest, room->doc)) {
        return false;
    }
    put_head(node, &json, room, &digest, "text");
    wire_epoch_encode(epoch, &room->head.epoch);
    json_name(&json, "document");
    json_put_string(&json, document_name(room->document));
    json_name(&json, "epoch");
    json_hex(&json, epoch, sizeof epoch);
    json_name(&json, "digest");
    json_hex(&json, digest.bytes, sizeof digest.bytes);
    json_name(&json, "length");
    json_u64(&json, weft_doc_length(room->doc, WEFT_SCALARS));
    json_name(&json, "text");
    weft_buffer_init(&text, &node->allocator);
    if (!with_text || weft_doc_length(room->doc, WEFT_UTF8) > WATCH_TEXT_BYTES_MAX) {
        json_raw(&json, "null");
    } else if (weft_doc_text(&text, room->doc)) {
        json.failed = true;
    } else {
        json_put_string(&json, span_of_buffer(&text));
    }
    weft_buffer_finish(&text);
    return !json.failed;
}

static bool put_change(struct node *node, struct weft_buffer *out, struct room *room)
{
    struct json json = {out, false};
    struct weft_digest digest;
    if (weft_doc_digest(&digest, room->doc)) {
        return false;
    }
    put_head(node, &json, room, &digest, "change");
    json_name(&json, "digest");
    json_hex(&json, digest.bytes, sizeof digest.bytes);
    json_raw(&json, ",\"patches\":[");
    json.failed |= weft_buffer_append(out, room->patches.data, room->patches.size) != WEFT_OK;
    json_raw(&json, "]");
    return !json.failed;
}

/// What ends an event: how far the agent has come whom this watcher asks after.
static bool put_end(struct weft_buffer *event, const struct request *request)
{
    struct json json = {event, false};
    if (request->ask.agent) {
        json_name(&json, "next");
        json_u64(&json, weft_doc_next_seq(request->room->doc, request->ask.agent));
    }
    json_raw(&json, "}\n\n");
    return !json.failed;
}

/// Sends an event, whose end is this watcher's own.
static void send(struct node *node, struct request *request, struct weft_buffer *event)
{
    size_t size = event->size;
    request->behind = !put_end(event, request);
    if (!request->behind) {
        request->blocked = !node->links->stream(node->links, request->id, span_of_buffer(event));
    }
    event->size = size;
}

static void remember_told(struct room *room)
{
    if (weft_doc_digest(&room->told, room->doc)) {
        room->patches_lost = true; // no memory: the text, next time
    }
}

/// Whether there is anything to tell. An edit may leave the text as it is, as when two delete the
/// same; its digest is told nevertheless, for it is what If-Match is compared with.
static bool has_news(struct room *room)
{
    struct weft_digest digest;
    if (room->patches_lost || room->patches.size > 0) {
        return true;
    }
    return weft_doc_digest(&digest, room->doc) == WEFT_OK &&
           memcmp(&digest, &room->told, sizeof digest) != 0;
}

/// To everyone who is not blocked: what changed, or the text to those who missed something.
void watch_flush(struct node *node, struct room *room)
{
    struct weft_buffer change;
    struct weft_buffer text;
    if (!room->watchers || !room_clean(room) || room_load(node, room) || !has_news(room)) {
        return;
    }
    weft_buffer_init(&change, &node->allocator);
    weft_buffer_init(&text, &node->allocator);
    bool lost = room->patches_lost || !put_change(node, &change, room);
    for (struct request *request = room->watchers; request; request = request->watch_next) {
        request->behind |= lost || request->blocked;
        if (request->blocked) {
            continue;
        }
        if (!request->behind) {
            send(node, request, &change);
        } else if (text.size > 0 || put_text(node, &text, room, true)) {
            send(node, request, &text);
        }
    }
    room->patches.size = 0;
    room->patches_lost = false;
    remember_told(room);
    weft_buffer_finish(&change);
    weft_buffer_finish(&text);
}

// ---------------------------------------------------------------------------------------------
// streams

static bool is_current(struct room *room, struct span token)
{
    struct weft_digest digest;
    char etag[ETAG_BYTES];
    if (token.size != 2 * (size_t)TOKEN_BYTES || weft_doc_digest(&digest, room->doc)) {
        return false;
    }
    request_etag(etag, &digest);
    return span_equal((struct span){token.data + 2 * 16, ETAG_BYTES - 1},
                      (struct span){(const uint8_t *)etag, ETAG_BYTES - 1});
}

void watch_begin(struct node *node, struct request_id id, const struct node_ask *ask,
                 struct room *room)
{
    struct weft_buffer text;
    struct request *request = request_create(node, id, ask);
    if (!request) {
        return;
    }
    weft_buffer_init(&text, &node->allocator);
    request->room = room;
    room_pin(node, room);
    if (!put_text(node, &text, room, !is_current(room, ask->after)) || !put_end(&text, request)) {
        request_refuse_memory(node, id);
        request_destroy(node, request);
        weft_buffer_finish(&text);
        return;
    }
    char epoch[2 * WIRE_EPOCH_SIZE + 1];
    struct node_response response = {
        .status = 200, .content_type = "text/event-stream", .stream = true};
    epoch_hex(epoch, &room->head.epoch);
    response.epoch = span_of_text(epoch);
    response.body = span_of_buffer(&text);
    watch_flush(node, room); // what came before is not for this one
    remember_told(room);
    request->state = REQUEST_WATCHING;
    request->watch_next = room->watchers;
    room->watchers = request;
    node->metrics.watchers++;
    watch_attach(node, room);
    node->links->respond(node->links, id, &response);
    weft_buffer_finish(&text);
}

void watch_end(struct node *node, struct request *request)
{
    struct room *room = request->room;
    struct request **link = &room->watchers;
    while (*link != request) {
        link = &(*link)->watch_next;
    }
    *link = request->watch_next;
    node->metrics.watchers--;
    if (!room->watchers) {
        room->patches.size = 0;
        room->patches_lost = false;
        watch_attach(node, room);
    }
    request_destroy(node, request);
}

void watch_writable(struct node *node, struct request_id id)
{
    struct request *request = request_find(node, id);
    struct weft_buffer text;
    if (!request || request->state != REQUEST_WATCHING) {
        return;
    }
    request->blocked = false;
    if (!request->behind || !room_clean(request->room) || !request->room->doc ||
        request->room->patches.size > 0) {
        return; // told with the next change
    }
    weft_buffer_init(&text, &node->allocator);
    if (put_text(node, &text, request->room, true)) {
        send(node, request, &text);
    }
    weft_buffer_finish(&text);
}
