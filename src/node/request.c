// SPDX-License-Identifier: MIT
// Requests: the table, answers, waiting.
#include "node/request.h"

#include <stdio.h>
#include <string.h>

#include "node/edit.h"
#include "node/epoch.h"
#include "node/journal.h"
#include "node/json.h"
#include "node/replicas.h"
#include "node/room.h"
#include "node/watch.h"

// -------------------------------------------------------------------------------------------
// answers

void request_etag(char etag_out[ETAG_BYTES], const struct weft_digest *digest)
{
    for (size_t i = 0; i < sizeof digest->bytes; i++) {
        snprintf(etag_out + 2 * i, 3, "%02x", digest->bytes[i]);
    }
}

void request_respond(struct node *node, struct request_id id, uint16_t status,
                     const char *content_type, struct span body, const struct request_head *head,
                     const char *durability)
{
    struct node_response response = {
        .status = status,
        .content_type = content_type,
        .body = body,
        .durability = durability,
    };
    if (head) {
        response.etag = span_of_text(head->etag);
        response.epoch = span_of_text(head->epoch);
    }
    node->links->respond(node->links, id, &response);
}

static const struct {
    uint32_t code;
    uint16_t status;
    const char *title;
    const char *detail; // when nothing more is known
} problems[] = {
    {WIRE_BAD_REQUEST, 400, "Bad Request", "the request is not as it should be"},
    {WIRE_NO_DOCUMENT, 404, "Not Found", "there is no such document"},
    {WIRE_EPOCH_MISMATCH, 412, "Precondition Failed", "the document is in another epoch"},
    {WIRE_AGENT_CONFLICT, 409, "Conflict", "the author's edits before this one differ"},
    {WIRE_INVALID_EDIT, 422, "Unprocessable Content", "a position is behind the end of the text"},
    {WIRE_TOO_LARGE, 413, "Content Too Large",
     "the document would have more text or operations than max_document_bytes and "
     "max_document_atoms allow"},
    {WIRE_STORAGE_FULL, 507, "Insufficient Storage",
     "this node is read-only: its disk is full, or max_data_bytes are used up"},
    {WIRE_DRAINING, 503, "Service Unavailable", "this node goes away; ask another one"},
    {WIRE_QUARANTINED, 503, "Service Unavailable",
     "the document's record is damaged here; another node may serve it"},
    {WIRE_TOO_MANY, 503, "Service Unavailable", "too much is under way here; try again"},
    // and whatever is not listed
    {WIRE_INTERNAL, 500, "Internal Server Error", "something failed here; see this node's log"},
};

static void respond_problem(struct node *node, struct request_id id, uint16_t status,
                            const char *title, uint32_t code, const char *detail)
{
    char body[384];
    int size = snprintf(
        body, sizeof body,
        "{\"title\":\"%s\",\"status\":%u,\"code\":%u,\"reason\":\"%s\",\"detail\":\"%s\"}\n", title,
        status, code, wire_code_reason(code), detail);
    request_respond(node, id, status, "application/problem+json",
                    (struct span){(const uint8_t *)body, (size_t)size}, NULL, NULL);
}

void request_refuse(struct node *node, struct request_id id, uint32_t code, const char *detail)
{
    size_t at = 0;
    while (problems[at].code != code && problems[at].code != WIRE_INTERNAL) {
        at++;
    }
    respond_problem(node, id, problems[at].status, problems[at].title, code,
                    detail ? detail : problems[at].detail);
}

void request_refuse_memory(struct node *node, struct request_id id)
{
    respond_problem(node, id, 503, "Service Unavailable", WIRE_INTERNAL,
                    "this node is out of memory");
}

void request_refuse_condition(struct node *node, struct request_id id, const char *reason)
{
    char body[256];
    bool exists = strcmp(reason, "exists") == 0;
    int size = snprintf(body, sizeof body,
                        "{\"title\":\"Precondition Failed\",\"status\":412,\"reason\":\"%s\","
                        "\"detail\":\"%s\"}\n",
                        reason,
                        exists ? "the document exists, and was not created with this text"
                               : "the document has another digest by now");
    request_respond(node, id, 412, "application/problem+json",
                    (struct span){(const uint8_t *)body, (size_t)size}, NULL, NULL);
}

uint32_t request_code_of(enum weft_status status)
{
    switch (status) {
    case WEFT_MALFORMED:
        return WIRE_BAD_REQUEST;
    case WEFT_RANGE:
    case WEFT_INVALID:
        return WIRE_INVALID_EDIT;
    case WEFT_LIMIT:
        return WIRE_TOO_LARGE;
    case WEFT_NOT_FOUND:
        return WIRE_NO_DOCUMENT;
    default:
        return WIRE_INTERNAL;
    }
}

// ---------------------------------------------------------------------------------------------
// table

static size_t bytes_of(const struct node_ask *ask)
{
    return ask->document.size + ask->prefix.size + ask->after.size + ask->if_match.size +
           ask->label.size + ask->author.size;
}

static struct span copy_span(struct request *request, size_t *at, struct span from)
{
    struct span copy = {request->bytes + *at, from.size};
    if (from.size) {
        memcpy(request->bytes + *at, from.data, from.size);
    }
    *at += from.size;
    return copy;
}

struct request *request_find(struct node *node, struct request_id id)
{
    return idmap_find(&node->requests, id.value);
}

struct request *request_create(struct node *node, struct request_id id, const struct node_ask *ask)
{
    size_t size = bytes_of(ask);
    size_t at = 0;
    struct request *request = NULL;
    if (node->metrics.requests >= node->limits.requests_max) {
        node->metrics.limit_hits++;
        request_refuse(node, id, WIRE_TOO_MANY, "more requests are under way than max_requests");
        return NULL;
    }
    request = node_alloc(node, sizeof *request + size);
    if (!request || idmap_set(&node->requests, id.value, request)) {
        node_free(node, request, sizeof *request + size);
        request_refuse_memory(node, id);
        return NULL;
    }
    request->id = id;
    request->bytes_size = size;
    request->ask = *ask;
    request->ask.document = copy_span(request, &at, ask->document);
    request->ask.body = (struct span){0};
    request->ask.prefix = copy_span(request, &at, ask->prefix);
    request->ask.after = copy_span(request, &at, ask->after);
    request->ask.if_match = copy_span(request, &at, ask->if_match);
    request->ask.label = copy_span(request, &at, ask->label);
    request->ask.author = copy_span(request, &at, ask->author);
    node->metrics.requests++;
    return request;
}

void request_drop_body(struct node *node, struct request *request)
{
    node->request_bytes -= request->text_size;
    node_free(node, request->text, request->text_size);
    request->text = NULL;
    request->text_size = 0;
    request->ask.body = (struct span){0};
}

void request_destroy(struct node *node, struct request *request)
{
    request_drop_body(node, request);
    idmap_remove(&node->requests, request->id.value);
    node->metrics.requests--;
    if (request->room) {
        room_unpin(node, request->room);
    }
    node_free(node, request, sizeof *request + request->bytes_size);
}

static bool is_edit(const struct node_ask *ask)
{
    return ask->verb == NODE_ASK_PUT || ask->verb == NODE_ASK_PATCH ||
           ask->verb == NODE_ASK_CREATE || ask->verb == NODE_ASK_DELETE ||
           ask->verb == NODE_ASK_LABEL || ask->verb == NODE_ASK_UNLABEL;
}

static bool names_document(const struct node_ask *ask)
{
    return is_edit(ask) || ask->verb == NODE_ASK_TEXT || ask->verb == NODE_ASK_DELTA ||
           ask->verb == NODE_ASK_DIGEST || ask->verb == NODE_ASK_WATCH ||
           ask->verb == NODE_ASK_LABELS || ask->verb == NODE_ASK_TIMES ||
           ask->verb == NODE_ASK_RECOVERY_TEXT;
}

/// Puts a request off until the commit; taken.
static void enqueue(struct node *node, struct queue *queue, struct request *request)
{
    struct queue_item item = {
        .kind = QUEUE_REQUEST, .request = request, .arrived_ms = node->now_ms};
    request->state = REQUEST_QUEUED;
    if (queue_push(queue, &item, (struct span){0})) {
        request_refuse_memory(node, request->id);
        request_destroy(node, request);
    }
}

/// Copies the body of a request that waits. @return false: it was refused.
static bool keep_body(struct node *node, struct request *request, struct span body)
{
    size_t waiting = edit_waiting_bytes(node);
    if (waiting > 0 && waiting + body.size > GATHER_BYTES_MAX) {
        node->metrics.limit_hits++;
        request_failed(node, request, WIRE_TOO_MANY);
        return false;
    }
    if (body.size == 0) {
        return true;
    }
    request->text = node_alloc(node, body.size);
    if (!request->text) {
        request_refuse_memory(node, request->id);
        request_destroy(node, request);
        return false;
    }
    memcpy(request->text, body.data, body.size);
    request->text_size = body.size;
    request->ask.body = (struct span){request->text, body.size};
    node->request_bytes += body.size;
    return true;
}

static void take_edit(struct node *node, struct request *request)
{
    uint32_t code;
    if (node->draining) {
        code = WIRE_DRAINING;
    } else if (journal_writable(node, &code)) {
        if (journal_accepts(node)) {
            request_edit(node, request);
        } else {
            enqueue(node, &node->gather, request);
        }
        return;
    }
    request_refuse(node, request->id, code, NULL);
    request_destroy(node, request);
}

static void take(struct node *node, struct request_id id, const struct node_ask *ask)
{
    struct request *request;
    if (is_edit(ask)) {
        request = request_create(node, id, ask);
        if (request && journal_accepts(node)) {
            request->ask.body = ask->body; // which may be a whole document: read where it stands
            take_edit(node, request);
        } else if (request && keep_body(node, request, ask->body)) {
            take_edit(node, request);
        }
    } else if (ask->verb == NODE_ASK_LEAVE || ask->verb == NODE_ASK_FORGET) {
        request_cluster(node, id, ask);
    } else if (!node->opened || !request_read(node, id, ask)) {
        request = request_create(node, id, ask);
        if (request) {
            enqueue(node, &node->deferred, request);
        }
    }
}

void request_asked(struct node *node, struct request_id id, const struct node_ask *ask)
{
    if (names_document(ask) && !record_name_valid(ask->document)) {
        request_refuse(node, id, WIRE_BAD_REQUEST,
                       "a name is at least 1 byte of UTF-8 without control characters");
    } else if (names_document(ask) && ask->document.size > node->limits.document_name_bytes_max) {
        request_refuse(node, id, WIRE_TOO_LARGE, "the name is longer than max_name_bytes");
    } else if (ask->body.size > node->limits.document_bytes_max) {
        request_refuse(node, id, WIRE_TOO_LARGE, "the body is larger than max_document_bytes");
    } else {
        take(node, id, ask);
    }
}

void request_deferred(struct node *node, struct request *request)
{
    if (request->gone) {
        request_destroy(node, request);
    } else if (is_edit(&request->ask)) {
        take_edit(node, request);
    } else if (request_read(node, request->id, &request->ask)) {
        // A watch made a request of its own under this id.
        if (request_find(node, request->id) == request) {
            request_destroy(node, request);
        } else {
            node->metrics.requests--;
            node_free(node, request, sizeof *request + request->bytes_size);
        }
    } else {
        enqueue(node, &node->deferred, request);
    }
}

void request_closed(struct node *node, struct request_id id)
{
    struct request *request = request_find(node, id);
    if (!request) {
        return;
    }
    if (request->state == REQUEST_WATCHING) {
        watch_end(node, request);
    } else {
        request->gone = true; // a queue, a group or a list points to it
    }
}

// -------------------------------------------------------------------------------------------
// waiting

static void finish(struct node *node, struct request *request, const char *durability)
{
    if (!request->gone && room_clean(request->room)) {
        request_respond_state(node, request->id, request->status, request->room, durability);
    } else if (!request->gone) {
        // Later edits are under way: its present state must not be shown yet.
        struct request_head head = {0};
        epoch_hex(head.epoch, &request->epoch);
        request_respond(node, request->id, request->status, "application/json",
                        span_of_text("{}\n"), &head, durability);
    }
    request_destroy(node, request);
}

/// Answers it when enough disks hold it, or nobody waits any more. @return Whether it did.
static bool answer_if_due(struct node *node, struct request *request)
{
    char durability[32];
    replicas_keep(node, &request->barrier);
    uint32_t count = replicas_count(node, request->sequence, request->barrier);
    if (count < request->ask.wait_level && node->now_ms < request->deadline_ms && !request->gone) {
        return false;
    }
    if (count > 1) {
        snprintf(durability, sizeof durability, "replicated:%u", count);
    }
    finish(node, request, count > 1 ? durability : "durable");
    return true;
}

void request_committed(struct node *node, struct request *request, uint64_t sequence)
{
    bool waits = request->ask.wait_level >= 2 && !request->gone;
    if (waits && request->repeated) {
        request->barrier = replicas_barrier(node); // it has no entry of its own that could be seen
        waits = request->barrier != 0;
    }
    if (!waits) {
        finish(node, request, "durable");
        return;
    }
    request->state = REQUEST_AWAITING;
    request->sequence = sequence;
    request->deadline_ms = node->now_ms + REPLICATED_WAIT_MS;
    if (!answer_if_due(node, request)) {
        request->await_next = node->awaiting_requests;
        node->awaiting_requests = request;
    }
}

void request_failed(struct node *node, struct request *request, uint32_t code)
{
    if (!request->gone) {
        request_refuse(node, request->id, code, NULL);
    }
    request_destroy(node, request);
}

void request_check_replicas(struct node *node)
{
    struct request **link = &node->awaiting_requests;
    while (*link) {
        struct request *request = *link;
        struct request *next = request->await_next;
        if (answer_if_due(node, request)) {
            *link = next;
        } else {
            link = &request->await_next;
        }
    }
}

void request_tick(struct node *node)
{
    if (node->awaiting_requests) {
        request_check_replicas(node);
    }
}

void request_finish_all(struct node *node)
{
    for (uint32_t i = 0; i < node->requests.capacity; i++) {
        while (node->requests.slots[i].value) {
            struct request *request = node->requests.slots[i].value;
            if (request->state == REQUEST_WATCHING) {
                watch_end(node, request);
            } else {
                request_destroy(node, request);
            }
        }
    }
    idmap_finish(&node->requests);
}
