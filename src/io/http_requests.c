// SPDX-License-Identifier: MIT
// Implements io/http_requests.h.
#include "io/http_requests.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/http_problem.h"

#define GENERATION_BITS 0x7fffffffU

// ------------------------------------------------------------------------------------------- slots

static struct request_id id_of(const struct http_requests *requests,
                               const struct http_requests_slot *slot)
{
    uint64_t generation = slot->generation & GENERATION_BITS;
    return (struct request_id){requests->mark | generation << 32 |
                               (uint64_t)(slot - requests->slots + 1)};
}

static struct http_requests_slot *find(struct http_requests *requests, struct request_id id)
{
    uint32_t number = (uint32_t)id.value - 1;
    if (number >= requests->count) {
        return NULL;
    }
    struct http_requests_slot *slot = &requests->slots[number];
    return slot->connection != NULL && id_of(requests, slot).value == id.value ? slot : NULL;
}

/// There is always a free one: a connection has one request at a time.
static struct http_requests_slot *take_slot(struct http_requests *requests,
                                            struct http_connection *connection)
{
    assert(requests->first_free < requests->count);
    struct http_requests_slot *slot = &requests->slots[requests->first_free];
    requests->first_free = slot->next_free;
    *slot =
        (struct http_requests_slot){.connection = connection, .generation = slot->generation + 1};
    http_set_tag(connection, id_of(requests, slot).value);
    return slot;
}

static void give_back(struct http_requests *requests, struct http_requests_slot *slot)
{
    http_set_tag(slot->connection, 0);
    slot->connection = NULL;
    slot->next_free = requests->first_free;
    requests->first_free = (uint32_t)(slot - requests->slots);
}

bool http_requests_init(struct http_requests *requests, struct loop *loop, uint32_t count,
                        uint64_t mark)
{
    *requests = (struct http_requests){
        .loop = loop, .slots = calloc(count, sizeof(*requests->slots)), .mark = mark};
    if (requests->slots == NULL) {
        return false;
    }
    requests->count = count;
    for (uint32_t i = 0; i < count; i++) {
        requests->slots[i].next_free = i + 1;
    }
    return true;
}

void http_requests_finish(struct http_requests *requests)
{
    free(requests->slots);
    requests->slots = NULL;
    requests->count = 0;
}

// ------------------------------------------------------------------------------------------ events

void http_requests_ask(struct http_requests *requests, struct http_connection *connection,
                       const struct node_ask *ask, struct span if_none_match)
{
    struct http_requests_slot *slot = take_slot(requests, connection);
    if (if_none_match.size == HTTP_REQUESTS_DIGEST_DIGITS) {
        slot->conditional = true;
        memcpy(slot->if_none_match, if_none_match.data, HTTP_REQUESTS_DIGEST_DIGITS);
    }
    loop_step(
        requests->loop,
        &(struct node_event){.kind = NODE_REQUEST, .request = id_of(requests, slot), .ask = ask});
}

void http_requests_left(struct http_requests *requests, struct http_connection *connection)
{
    struct request_id id = {http_tag(connection)};
    struct http_requests_slot *slot = find(requests, id);
    if (slot != NULL) {
        give_back(requests, slot);
        loop_step(requests->loop, &(struct node_event){.kind = NODE_REQUEST_CLOSED, .request = id});
    }
}

void http_requests_writable(struct http_requests *requests, struct http_connection *connection)
{
    struct request_id id = {http_tag(connection)};
    if (find(requests, id) != NULL) {
        loop_step(requests->loop,
                  &(struct node_event){.kind = NODE_REQUEST_WRITABLE, .request = id});
    }
}

// --------------------------------------------------------------------------------------- the port

static void write_fields(char fields[HTTP_FIELDS_BYTES_MAX], const struct node_response *response)
{
    size_t left = HTTP_FIELDS_BYTES_MAX;
    int size = snprintf(fields, left, "Cache-Control: %s\r\n",
                        response->stream ? "no-store\r\nX-Accel-Buffering: no" : "no-cache");
    if (response->etag.size > 0 && response->etag.size <= HTTP_REQUESTS_DIGEST_DIGITS) {
        size += snprintf(fields + size, left - (size_t)size, "ETag: \"%.*s\"\r\n",
                         (int)response->etag.size, (const char *)response->etag.data);
    }
    if (response->epoch.size > 0 && response->epoch.size <= HTTP_REQUESTS_EPOCH_DIGITS) {
        size += snprintf(fields + size, left - (size_t)size, "X-Weft-Epoch: %.*s\r\n",
                         (int)response->epoch.size, (const char *)response->epoch.data);
    }
    if (response->durability != NULL) {
        size += snprintf(fields + size, left - (size_t)size, "X-Weft-Durability: %.40s\r\n",
                         response->durability);
    }
    if (response->status == 503) {
        snprintf(fields + size, left - (size_t)size, "Retry-After: 1\r\n");
    }
}

static bool is_same(const struct http_requests_slot *slot, const struct node_response *response)
{
    return slot->conditional && response->status == 200 &&
           response->etag.size == HTTP_REQUESTS_DIGEST_DIGITS &&
           memcmp(slot->if_none_match, response->etag.data, HTTP_REQUESTS_DIGEST_DIGITS) == 0;
}

void http_requests_respond(struct http_requests *requests, struct request_id id,
                           const struct node_response *response)
{
    char fields[HTTP_FIELDS_BYTES_MAX];
    struct http_requests_slot *slot = find(requests, id);
    if (slot == NULL) {
        return; // its asker left meanwhile
    }
    struct http_connection *connection = slot->connection;
    bool same = is_same(slot, response);
    if (!response->stream) {
        give_back(requests, slot);
    }
    write_fields(fields, response);
    if (response->status >= 400 && response->body.size == 0) {
        http_problem(connection, response->status, http_problem_code(response->status), "", fields);
        return;
    }
    http_respond(connection, &(struct http_response){.status = same ? 304 : response->status,
                                                     .content_type = response->content_type,
                                                     .body = response->body,
                                                     .fields = fields,
                                                     .stream = response->stream});
}

bool http_requests_stream(struct http_requests *requests, struct request_id id, struct span piece)
{
    struct http_requests_slot *slot = find(requests, id);
    return slot != NULL && http_stream(slot->connection, piece);
}

void http_requests_stream_end(struct http_requests *requests, struct request_id id)
{
    struct http_requests_slot *slot = find(requests, id);
    if (slot != NULL) {
        struct http_connection *connection = slot->connection;
        give_back(requests, slot);
        http_stream_end(connection);
    }
}
