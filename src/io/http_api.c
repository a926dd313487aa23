// SPDX-License-Identifier: MIT
// Implements io/http_api.h.
#include "io/http_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/labels.h>
#include <weft/memory.h>

#include "base/utf8.h"
#include "codec/wire.h"
#include "io/http_patch.h"
#include "io/http_problem.h"
#include "io/http_requests.h"
#include "io/http_route.h"
#include "node/node.h"

#define LIST_LIMIT_MAX 1000000U // the node has a bound of its own
#define WAIT_LEVEL_MAX 64U
#define AGENT_DIGITS 16U
#define SEQ_DIGITS_MAX 10U

struct http_api {
    struct http_api_config config;
    struct http *http;
    struct http_requests requests;
    bool draining;
    struct weft_buffer names; // decoded, of the request at hand
    struct weft_buffer patch; // as msgpack, of the request at hand
};

// -------------------------------------------------------------------------------------- admission

static bool is_safe(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD;
}

static void refuse_method(struct http_connection *connection, enum http_route_kind kind)
{
    char fields[96];
    snprintf(fields, sizeof(fields), "Allow: %s\r\n", http_route_allow(kind));
    http_problem(connection, 405, WIRE_BAD_REQUEST, "this resource does not have that method",
                 fields);
}

/// A head is whole: what can be said without its body.
static void api_began(void *context, struct http_connection *connection,
                      const struct http_head *head)
{
    struct http_api *api = context;
    struct http_route route = http_route_find(head->path);
    if (!http_host_allowed(&api->config.origins, head)) {
        http_problem(connection, 421, WIRE_BAD_REQUEST,
                     "this node does not go by that host name; see --allow-origin", NULL);
    } else if (api->draining) {
        http_problem(connection, 503, WIRE_DRAINING, "this node goes away; ask another one",
                     "Retry-After: 1\r\n");
    } else if (head->websocket && !http_origin_allowed(&api->config.origins, head)) {
        http_problem(connection, 403, WIRE_BAD_REQUEST,
                     "pages of that origin may not connect here; see --allow-origin", NULL);
    } else if (head->upgrade) {
        http_problem(connection, 426, WIRE_UPGRADE_REQUIRED,
                     "only WebSocket version 13 with subprotocol " WIRE_SUBPROTOCOL,
                     "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    } else if (route.kind == HTTP_ROUTE_NONE) {
        http_problem(connection, 404, WIRE_BAD_REQUEST, "there is no such path", NULL);
    } else if (!http_route_has(route.kind, head->method)) {
        refuse_method(connection, route.kind);
    } else if (!is_safe(head->method) && !http_origin_allowed(&api->config.origins, head)) {
        http_problem(connection, 403, WIRE_BAD_REQUEST,
                     "pages of that origin may not edit here; see --allow-origin", NULL);
    }
}

// ---------------------------------------------------------------------------------- understanding

/// What is understood of a request so far; `problem` says why it is not right.
struct asking {
    struct http_api *api;
    const struct http_head *head;
    struct node_ask ask;
    struct span if_none_match; // digest of what the asker has
    uint16_t status;           // of the problem, or 0
    uint32_t code;
    const char *problem;
};

static void fail(struct asking *asking, uint16_t status, uint32_t code, const char *why)
{
    if (asking->status == 0) {
        asking->status = status;
        asking->code = code;
        asking->problem = why;
    }
}

/// Decodes into the API's buffer, in which there is room for all that a head can hold.
static struct span decode(struct asking *asking, struct span encoded)
{
    struct weft_buffer *names = &asking->api->names;
    uint8_t *out = names->data + names->size;
    size_t size;
    if (encoded.size == 0) {
        return (struct span){NULL, 0};
    }
    if (!http_percent_decode(out, &size, encoded) || !utf8_is_valid((struct span){out, size})) {
        fail(asking, 400, WIRE_BAD_REQUEST, "names must be percent-encoded UTF-8");
        return (struct span){NULL, 0};
    }
    names->size += size;
    return (struct span){out, size};
}

static struct span decode_parameter(struct asking *asking, const char *name)
{
    return decode(asking, http_query_get(asking->head->query, name));
}

static void read_document(struct asking *asking, struct span id)
{
    asking->ask.document = decode(asking, id);
    if (asking->ask.document.size > asking->api->config.name_bytes_max) {
        fail(asking, 413, WIRE_TOO_LARGE, "the document's name is too long");
    }
}

static bool is_digest(struct span text)
{
    if (text.size != HTTP_REQUESTS_DIGEST_DIGITS) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) {
            return false;
        }
    }
    return true;
}

/// The digest of an entity tag: "hex", perhaps weak.
static bool read_tag(struct span *digest_out, struct span tag)
{
    if (tag.size > 2 && memcmp(tag.data, "W/", 2) == 0) {
        tag.data += 2;
        tag.size -= 2;
    }
    if (tag.size < 2 || tag.data[0] != '"' || tag.data[tag.size - 1] != '"') {
        return false;
    }
    *digest_out = (struct span){tag.data + 1, tag.size - 2};
    return is_digest(*digest_out);
}

static void read_if_match(struct asking *asking)
{
    struct span field = asking->head->fields[HTTP_IF_MATCH];
    if (field.data != NULL && !read_tag(&asking->ask.if_match, field)) {
        fail(asking, 400, WIRE_BAD_REQUEST, "If-Match takes one digest, as ETag gives it");
    }
}

/// The 16 hex digits of an agent; 0 is nobody.
static bool read_agent(uint64_t *agent_out, struct span digits)
{
    *agent_out = 0;
    for (size_t i = 0; i < digits.size; i++) {
        uint8_t c = digits.data[i];
        bool letter = c >= 'a' && c <= 'f';
        if (!letter && (c < '0' || c > '9')) {
            return false;
        }
        *agent_out = *agent_out << 4 | (uint64_t)(letter ? c - 'a' + 10 : c - '0');
    }
    return digits.size == AGENT_DIGITS && *agent_out != 0;
}

static bool read_seq(uint64_t *seq_out, struct span digits)
{
    *seq_out = 0;
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        *seq_out = *seq_out * 10 + (uint64_t)(digits.data[i] - '0');
    }
    return digits.size > 0 && digits.size <= SEQ_DIGITS_MAX;
}

/// `X-Weft-Id: AGENT.SEQ`, the id of the edit's first operation. What the operations are depends on
/// what the edit was made on, so that must be said too.
static void read_id(struct asking *asking)
{
    struct span field = asking->head->fields[HTTP_WEFT_ID];
    struct node_ask *ask = &asking->ask;
    if (field.data == NULL) {
        return;
    }
    struct span agent = {field.data, field.size < AGENT_DIGITS ? field.size : AGENT_DIGITS};
    struct span rest = {field.data + agent.size, field.size - agent.size};
    if (!read_agent(&ask->agent, agent) || rest.size == 0 || rest.data[0] != '.' ||
        !read_seq(&ask->seq, (struct span){rest.data + 1, rest.size - 1})) {
        fail(asking, 400, WIRE_BAD_REQUEST, "X-Weft-Id takes 16 hex digits, a dot and a number");
    } else if (ask->if_match.size == 0) {
        fail(asking, 400, WIRE_BAD_REQUEST, "X-Weft-Id needs If-Match beside it");
    } else if (ask->verb != NODE_ASK_PUT && ask->verb != NODE_ASK_PATCH) {
        fail(asking, 400, WIRE_BAD_REQUEST, "X-Weft-Id is for PUT and PATCH");
    }
}

/// `wait=replicated:N`, where it stands among other preferences. @return its N; 0: not a number
/// that may be asked for.
static uint32_t level_of(struct span rest)
{
    uint32_t level = 0;
    size_t i = 0;
    for (; i < rest.size && rest.data[i] >= '0' && rest.data[i] <= '9'; i++) {
        level = 10 * level + (uint32_t)(rest.data[i] - '0');
        if (level > WAIT_LEVEL_MAX) {
            return 0;
        }
    }
    return i == rest.size || memchr(" \t,;", rest.data[i], 4) ? level : 0;
}

/// `Prefer: wait=durable` or `wait=replicated:N`; other preferences are not for us.
static void read_prefer(struct asking *asking)
{
    static const char wait[] = "wait=replicated:";
    const size_t size = sizeof(wait) - 1;
    struct span field = asking->head->fields[HTTP_PREFER];
    asking->ask.wait_level = 1;
    for (size_t i = 0; i + size <= field.size; i++) {
        if (memcmp(field.data + i, wait, size) != 0) {
            continue;
        }
        asking->ask.wait_level =
            level_of((struct span){field.data + i + size, field.size - i - size});
        if (asking->ask.wait_level == 0) {
            fail(asking, 400, WIRE_BAD_REQUEST, "replicated:N counts from 1 to 64 disks");
        }
        return;
    }
}

/// `X-Weft-Author: NAME`, percent-encoded where it is not ASCII: who edits.
static void read_author(struct asking *asking)
{
    struct span field = asking->head->fields[HTTP_WEFT_AUTHOR];
    if (field.data == NULL) {
        return;
    }
    struct span name = decode(asking, field);
    if (asking->status == 0 && !weft_name_is_valid(name.data, name.size)) {
        fail(asking, 400, WIRE_BAD_REQUEST,
             "X-Weft-Author takes 1 to 64 bytes of UTF-8, percent-encoded, without controls");
    }
    asking->ask.author = name;
}

static void read_list(struct asking *asking)
{
    struct span digits = http_query_get(asking->head->query, "limit");
    asking->ask.verb = NODE_ASK_LIST;
    asking->ask.prefix = decode_parameter(asking, "prefix");
    asking->ask.after = decode_parameter(asking, "after");
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9' || asking->ask.limit > LIST_LIMIT_MAX) {
            fail(asking, 400, WIRE_BAD_REQUEST, "limit must be a number");
            return;
        }
        asking->ask.limit = asking->ask.limit * 10 + (uint32_t)(digits.data[i] - '0');
    }
}

static void read_get(struct asking *asking)
{
    struct span field = asking->head->fields[HTTP_IF_NONE_MATCH];
    struct span digest;
    bool delta = http_field_has(asking->head->fields[HTTP_ACCEPT], "application/octet-stream");
    asking->ask.verb = delta ? NODE_ASK_DELTA : NODE_ASK_TEXT;
    if (field.data != NULL && read_tag(&digest, field)) {
        asking->if_none_match = digest;
    }
}

static void read_put(struct asking *asking)
{
    struct span field = asking->head->fields[HTTP_IF_NONE_MATCH];
    bool create = field.size == 1 && field.data[0] == '*';
    asking->ask.verb = create ? NODE_ASK_CREATE : NODE_ASK_PUT;
    if (field.data != NULL && !create) {
        fail(asking, 400, WIRE_BAD_REQUEST, "If-None-Match takes * here");
    }
    if (!utf8_is_valid(asking->ask.body)) {
        fail(asking, 400, WIRE_BAD_REQUEST, "the text must be UTF-8");
    }
}

/// The body of a PATCH says by its type what it is: a guess could replace a whole text by a patch.
static void read_patch(struct asking *asking)
{
    struct span type = asking->head->fields[HTTP_CONTENT_TYPE];
    struct weft_buffer *patch = &asking->api->patch;
    asking->ask.verb = NODE_ASK_PATCH;
    if (http_field_has(type, "text/plain")) {
        if (!utf8_is_valid(asking->ask.body)) {
            fail(asking, 400, WIRE_BAD_REQUEST, "the text must be UTF-8");
        }
        return;
    }
    if (!http_field_has(type, "application/json")) {
        fail(asking, 415, WIRE_BAD_REQUEST,
             "Content-Type must be application/json (positions) or text/plain (the new text)");
        return;
    }
    const char *why = "this node is out of memory";
    patch->size = 0;
    asking->ask.json = true;
    switch (http_patch_encode(patch, asking->ask.body, &why)) {
    case WEFT_OK:
        asking->ask.body = (struct span){patch->data, patch->size};
        break;
    case WEFT_LIMIT:
        fail(asking, 413, WIRE_TOO_LARGE, why);
        break;
    case WEFT_MALFORMED:
        fail(asking, 400, WIRE_BAD_REQUEST, why);
        break;
    default:
        fail(asking, 503, WIRE_INTERNAL, why);
        break;
    }
}

/// `?label=NAME`: the version in the body, or that of now, gets it; or it is taken away.
static void read_versions(struct asking *asking)
{
    if (is_safe(asking->head->method)) {
        asking->ask.verb = NODE_ASK_LABELS;
        return;
    }
    bool post = asking->head->method == HTTP_POST;
    asking->ask.verb = post ? NODE_ASK_LABEL : NODE_ASK_UNLABEL;
    asking->ask.label = decode_parameter(asking, "label");
    if (asking->status == 0 &&
        !weft_name_is_valid(asking->ask.label.data, asking->ask.label.size)) {
        fail(asking, 400, WIRE_BAD_REQUEST,
             "label must be 1 to 64 bytes of UTF-8 without control characters");
    }
    read_if_match(asking);
    read_prefer(asking);
    read_author(asking);
    read_id(asking);
}

static void read_document_method(struct asking *asking)
{
    read_if_match(asking);
    read_prefer(asking);
    read_author(asking);
    switch (asking->head->method) {
    case HTTP_PUT:
        read_put(asking);
        break;
    case HTTP_PATCH:
        read_patch(asking);
        break;
    case HTTP_DELETE:
        asking->ask.verb = NODE_ASK_DELETE;
        break;
    default:
        read_get(asking);
        break;
    }
    read_id(asking);
}

static void read_changes(struct asking *asking)
{
    struct span last = asking->head->fields[HTTP_LAST_EVENT_ID];
    asking->ask.verb = NODE_ASK_WATCH;
    struct span agent = http_query_get(asking->head->query, "agent");
    asking->ask.after = last.size > 0 ? last : decode_parameter(asking, "since");
    if (agent.size > 0 && !read_agent(&asking->ask.agent, agent)) {
        fail(asking, 400, WIRE_BAD_REQUEST, "agent must be 16 hex digits");
    }
}

static void read_recovery(struct asking *asking)
{
    asking->ask.verb = NODE_ASK_RECOVERY_TEXT;
    asking->ask.after = decode_parameter(asking, "epoch");
    if (asking->ask.after.size != HTTP_REQUESTS_EPOCH_DIGITS) {
        fail(asking, 400, WIRE_BAD_REQUEST, "epoch must be the 48 hex digits of an epoch");
    }
}

static void read_request(struct asking *asking, struct span body)
{
    struct http_route route = http_route_find(asking->head->path);
    asking->ask.body = body;
    if (route.id.size > 0) {
        read_document(asking, route.id);
    }
    switch (route.kind) {
    case HTTP_ROUTE_DOCUMENTS:
        read_list(asking);
        break;
    case HTTP_ROUTE_DOCUMENT:
        read_document_method(asking);
        break;
    case HTTP_ROUTE_DIGEST:
        asking->ask.verb = NODE_ASK_DIGEST;
        break;
    case HTTP_ROUTE_TIMES:
        asking->ask.verb = NODE_ASK_TIMES;
        break;
    case HTTP_ROUTE_VERSIONS:
        read_versions(asking);
        break;
    case HTTP_ROUTE_CHANGES:
        read_changes(asking);
        break;
    case HTTP_ROUTE_RECOVERIES:
        read_list(asking);
        asking->ask.verb = NODE_ASK_RECOVERY_LIST;
        break;
    case HTTP_ROUTE_RECOVERY:
        read_recovery(asking);
        break;
    case HTTP_ROUTE_MEMBERS:
        asking->ask.verb = NODE_ASK_MEMBERS;
        break;
    case HTTP_ROUTE_PAGE:
    case HTTP_ROUTE_NONE:
        break;
    }
}

static void serve_page(struct http_api *api, struct http_connection *connection)
{
    http_respond(connection,
                 &(struct http_response){
                     .status = 200,
                     .content_type = "text/html; charset=utf-8",
                     .body = api->config.page,
                     .fields = "Cache-Control: no-cache\r\n"
                               "Content-Security-Policy: default-src 'none'; connect-src 'self'; "
                               "img-src data:; style-src 'unsafe-inline'; "
                               "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
                               "frame-ancestors 'none'\r\n"
                               "Referrer-Policy: no-referrer\r\n"});
}

static void api_asked(void *context, struct http_connection *connection,
                      const struct http_head *head, struct span body)
{
    struct http_api *api = context;
    if (http_route_find(head->path).kind == HTTP_ROUTE_PAGE) {
        serve_page(api, connection);
        return;
    }
    struct asking asking = {.api = api, .head = head};
    api->names.size = 0;
    if (weft_buffer_reserve(&api->names, HTTP_HEAD_BYTES_MAX) != WEFT_OK) {
        fail(&asking, 503, WIRE_INTERNAL, "this node is out of memory");
    } else {
        read_request(&asking, body);
    }
    if (asking.status != 0) {
        http_problem(connection, asking.status, asking.code, asking.problem, NULL);
        return;
    }
    http_requests_ask(&api->requests, connection, &asking.ask, asking.if_none_match);
}

// -------------------------------------------------------------------------------------- answering

static void api_left(void *context, struct http_connection *connection)
{
    struct http_api *api = context;
    http_requests_left(&api->requests, connection);
}

static void api_writable(void *context, struct http_connection *connection)
{
    struct http_api *api = context;
    http_requests_writable(&api->requests, connection);
}

void http_api_respond(struct http_api *api, struct request_id request,
                      const struct node_response *response)
{
    http_requests_respond(&api->requests, request, response);
}

bool http_api_stream(struct http_api *api, struct request_id request, struct span piece)
{
    return http_requests_stream(&api->requests, request, piece);
}

void http_api_stream_end(struct http_api *api, struct request_id request)
{
    http_requests_stream_end(&api->requests, request);
}

// ------------------------------------------------------------------------------------------- life

enum weft_status http_api_create(struct http_api **api_out, const struct http_api_config *config)
{
    struct http_api *api = calloc(1, sizeof(*api));
    if (api == NULL) {
        return WEFT_NO_MEMORY;
    }
    api->config = *config;
    struct http_config http = {.loop = config->loop,
                               .connections_max = config->connections_max,
                               .body_bytes_max = config->body_bytes_max,
                               .held_bytes_max = config->held_bytes_max,
                               .began = api_began,
                               .asked = api_asked,
                               .left = api_left,
                               .writable = api_writable,
                               .context = api};
    if (!http_requests_init(&api->requests, config->loop, config->connections_max, 0) ||
        http_create(&api->http, &http) != WEFT_OK) {
        http_requests_finish(&api->requests);
        free(api);
        return WEFT_NO_MEMORY;
    }
    weft_buffer_init(&api->names, NULL);
    weft_buffer_init(&api->patch, NULL);
    *api_out = api;
    return WEFT_OK;
}

void http_api_destroy(struct http_api *api)
{
    if (api == NULL) {
        return;
    }
    http_destroy(api->http);
    weft_buffer_finish(&api->names);
    weft_buffer_finish(&api->patch);
    http_requests_finish(&api->requests);
    free(api);
}

void http_api_adopt(struct http_api *api, int fd)
{
    http_adopt(api->http, fd);
}

void http_api_drain(struct http_api *api)
{
    api->draining = true;
    http_drain(api->http);
}

struct http_counts http_api_count(const struct http_api *api)
{
    return http_count(api->http);
}
