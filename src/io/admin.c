// SPDX-License-Identifier: MIT
// Implements io/admin.h.
#include "io/admin.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/memory.h>

#include "base/utf8.h"
#include "codec/wire.h"
#include "io/admin_metrics.h"
#include "io/http_origin.h"
#include "io/http_problem.h"
#include "io/http_requests.h"
#include "io/listener.h"
#include "node/json.h"
#include "node/node.h"

struct admin {
    struct admin_config config;
    struct listener *listener;
    struct http *http;
    struct http_requests requests;
    struct http_origins origins;
    struct http_connection *backup; // who waits for the backup that is under way; may have left
};

enum action {
    ACTION_HEALTH,
    ACTION_READY,
    ACTION_METRICS,
    ACTION_MEMBERS,
    ACTION_LEAVE,
    ACTION_FORGET,
    ACTION_BACKUP,
    ACTION_COUNT
};

static const struct {
    const char *path;
    bool post;
} actions[ACTION_COUNT] = {
    [ACTION_HEALTH] = {"/healthz", false},        [ACTION_READY] = {"/readyz", false},
    [ACTION_METRICS] = {"/metrics", false},       [ACTION_MEMBERS] = {"/v1/cluster/members", false},
    [ACTION_LEAVE] = {"/v1/cluster/leave", true}, [ACTION_FORGET] = {"/v1/cluster/forget", true},
    [ACTION_BACKUP] = {"/v1/backup", true},
};

static enum action find_action(struct span path)
{
    int action = 0;
    while (action < ACTION_COUNT && (path.size != strlen(actions[action].path) ||
                                     memcmp(path.data, actions[action].path, path.size) != 0)) {
        action++;
    }
    return (enum action)action;
}

// --------------------------------------------------------------------------------------- admission

static void began(void *context, struct http_connection *connection, const struct http_head *head)
{
    struct admin *admin = context;
    enum action action = find_action(head->path);
    bool read = head->method == HTTP_GET || head->method == HTTP_HEAD;
    if (!http_host_allowed(&admin->origins, head)) {
        http_problem(connection, 421, WIRE_BAD_REQUEST, "this node does not go by that host name",
                     NULL);
    } else if (action == ACTION_COUNT) {
        http_problem(connection, 404, WIRE_BAD_REQUEST, "there is no such path", NULL);
    } else if (actions[action].post ? head->method != HTTP_POST : !read) {
        http_problem(connection, 405, WIRE_BAD_REQUEST, "this resource does not have that method",
                     actions[action].post ? "Allow: POST\r\n" : "Allow: GET, HEAD\r\n");
    } else if (!read && head->fields[HTTP_ORIGIN].data != NULL) {
        http_problem(connection, 403, WIRE_BAD_REQUEST, "not from a page in a browser", NULL);
    }
}

// ----------------------------------------------------------------------------------------- answers

static void answer_health(struct admin *admin, struct http_connection *connection)
{
    static const char good[] = "ok\n";
    static const char bad[] = "the loop is late\n";
    bool well = admin->config.loop->lag_ns / 1000000 < ADMIN_LAG_MS_MAX;
    const char *text = well ? good : bad;
    http_respond(connection, &(struct http_response){.status = well ? 200 : 503,
                                                     .content_type = "text/plain; charset=utf-8",
                                                     .body = {(const uint8_t *)text, strlen(text)},
                                                     .fields = "Cache-Control: no-store\r\n"});
}

static void add_check(struct json *json, bool *first, bool failing, const char *name)
{
    if (failing) {
        json_raw(json, *first ? "\"" : ",\"");
        json_raw(json, name);
        json_raw(json, "\"");
        *first = false;
    }
}

/// @return whether nothing fails.
static bool write_ready(struct json *json, const struct admin_sample *sample)
{
    const struct store_lmdb_stats *store = &sample->store;
    uint32_t unready = sample->unready;
    bool space = (unready & NODE_UNREADY_SPACE) != 0;
    bool ready = true;
    bool whole = true;
    json_raw(json,
             unready == 0 ? "{\"ready\":true,\"failing\":[" : "{\"ready\":false,\"failing\":[");
    add_check(json, &ready, (unready & NODE_UNREADY_STORAGE) != 0, "storage");
    add_check(json, &ready, space && !store->map_full, "disk_space");
    add_check(json, &ready, space && store->map_full, "map_space");
    add_check(json, &ready, (unready & NODE_UNREADY_DRAINING) != 0, "draining");
    add_check(json, &ready, (unready & NODE_UNREADY_CATCHING_UP) != 0, "catching_up");
    // A node that is cut off still takes edits: that is what it is for.
    json_raw(json, "],\"degraded\":[");
    add_check(json, &whole, sample->node->members > sample->node->peers, "peers");
    json_raw(json, "]");
    if (store->problem[0] != '\0') {
        json_name(json, "problem");
        json_put_string(json, span_of_text(store->problem));
    }
    json_raw(json, "}\n");
    return ready;
}

static void answer_ready(struct admin *admin, struct http_connection *connection)
{
    struct admin_sample sample;
    struct weft_buffer body;
    weft_buffer_init(&body, NULL);
    struct json json = {.out = &body};
    admin->config.sample(admin->config.context, &sample);
    bool ready = write_ready(&json, &sample);
    if (json.failed) {
        http_problem(connection, 503, WIRE_INTERNAL, "this node is out of memory", NULL);
    } else {
        http_respond(connection, &(struct http_response){.status = ready ? 200 : 503,
                                                         .content_type = "application/json",
                                                         .body = {body.data, body.size},
                                                         .fields = "Cache-Control: no-store\r\n"});
    }
    weft_buffer_finish(&body);
}

static void answer_metrics(struct admin *admin, struct http_connection *connection)
{
    struct admin_sample sample;
    struct weft_buffer page;
    weft_buffer_init(&page, NULL);
    admin->config.sample(admin->config.context, &sample);
    if (admin_metrics_write(&page, &sample, loop_lag_max_ns(admin->config.loop)) == WEFT_OK) {
        http_respond(connection, &(struct http_response){
                                     .status = 200,
                                     .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                     .body = {page.data, page.size},
                                     .fields = "Cache-Control: no-store\r\n"});
    } else {
        http_problem(connection, 503, WIRE_INTERNAL, "this node is out of memory", NULL);
    }
    weft_buffer_finish(&page);
}

/// Decodes a parameter into a text. @return false, and a response was given, when it is not one.
static bool read_parameter(struct http_connection *connection, const struct http_head *head,
                           const char *name, char *out, size_t out_size)
{
    struct span encoded = http_query_get(head->query, name);
    size_t size = 0;
    if (encoded.size == 0 || encoded.size >= out_size ||
        !http_percent_decode((uint8_t *)out, &size, encoded) || memchr(out, 0, size) != NULL ||
        !utf8_is_valid((struct span){(uint8_t *)out, size})) {
        char why[96];
        snprintf(why, sizeof(why), "the parameter %s is missing or malformed", name);
        http_problem(connection, 400, WIRE_BAD_REQUEST, why, NULL);
        return false;
    }
    out[size] = '\0';
    return true;
}

// ------------------------------------------------------------------------------------------ backup

static void begin_backup(struct admin *admin, struct http_connection *connection,
                         const struct http_head *head)
{
    char path[PATH_MAX];
    char error[ADMIN_ERROR_BYTES];
    if (!read_parameter(connection, head, "to", path, sizeof(path))) {
        return;
    }
    if (path[0] != '/') {
        http_problem(connection, 400, WIRE_BAD_REQUEST, "the path must be absolute", NULL);
        return;
    }
    enum weft_status status = admin->config.backup(admin->config.context, path, error);
    if (status != WEFT_OK) {
        bool refused = status == WEFT_CONFLICT;
        http_problem(connection, refused ? 409 : 500, refused ? WIRE_BAD_REQUEST : WIRE_INTERNAL,
                     error, NULL);
        return;
    }
    admin->backup = connection;
}

void admin_backup_done(struct admin *admin, enum weft_status status, const char *text)
{
    static const char done[] = "{\"done\":true}\n";
    struct http_connection *connection = admin->backup;
    admin->backup = NULL;
    if (connection == NULL) {
        return;
    }
    if (status != WEFT_OK) {
        http_problem(connection, 500, WIRE_INTERNAL, text, NULL);
        return;
    }
    http_respond(connection,
                 &(struct http_response){.status = 200,
                                         .content_type = "application/json",
                                         .body = {(const uint8_t *)done, sizeof(done) - 1}});
}

// --------------------------------------------------------------------------------------- requests

static void forget(struct admin *admin, struct http_connection *connection,
                   const struct http_head *head)
{
    char name[LINE_MAX];
    if (read_parameter(connection, head, "node", name, sizeof(name))) {
        struct node_ask ask = {.verb = NODE_ASK_FORGET,
                               .document = {(const uint8_t *)name, strlen(name)}};
        http_requests_ask(&admin->requests, connection, &ask, (struct span){NULL, 0});
    }
}

static void asked(void *context, struct http_connection *connection, const struct http_head *head,
                  struct span body)
{
    struct admin *admin = context;
    struct span nothing = {NULL, 0};
    (void)body;
    switch (find_action(head->path)) {
    case ACTION_HEALTH:
        answer_health(admin, connection);
        break;
    case ACTION_READY:
        answer_ready(admin, connection);
        break;
    case ACTION_METRICS:
        answer_metrics(admin, connection);
        break;
    case ACTION_MEMBERS:
        http_requests_ask(&admin->requests, connection,
                          &(struct node_ask){.verb = NODE_ASK_MEMBERS}, nothing);
        break;
    case ACTION_LEAVE:
        http_requests_ask(&admin->requests, connection, &(struct node_ask){.verb = NODE_ASK_LEAVE},
                          nothing);
        break;
    case ACTION_FORGET:
        forget(admin, connection, head);
        break;
    case ACTION_BACKUP:
        begin_backup(admin, connection, head);
        break;
    case ACTION_COUNT:
        break;
    }
}

static void left(void *context, struct http_connection *connection)
{
    struct admin *admin = context;
    if (connection == admin->backup) {
        admin->backup = NULL; // it goes on without its asker
    } else {
        http_requests_left(&admin->requests, connection);
    }
}

bool admin_owns(struct request_id request)
{
    return (request.value & HTTP_REQUESTS_MARK_ADMIN) != 0;
}

void admin_respond(struct admin *admin, struct request_id request,
                   const struct node_response *response)
{
    http_requests_respond(&admin->requests, request, response);
}

// ------------------------------------------------------------------------------------------- life

static void admin_accepted(void *context, int fd)
{
    struct admin *admin = context;
    http_adopt(admin->http, fd);
}

enum weft_status admin_open(struct admin **admin_out, const struct admin_config *config,
                            char *error, size_t error_size)
{
    struct admin *admin = calloc(1, sizeof(*admin));
    if (admin == NULL) {
        snprintf(error, error_size, "out of memory");
        return WEFT_NO_MEMORY;
    }
    admin->config = *config;
    struct listener_config listener = {.loop = config->loop,
                                       .listen = config->listen,
                                       .accepted = admin_accepted,
                                       .log = config->log,
                                       .context = admin,
                                       .log_context = config->log_context};
    enum weft_status status = listener_open(&admin->listener, &listener, error, error_size);
    if (status != WEFT_OK) {
        free(admin);
        return status;
    }
    admin->origins.loopback = address_is_loopback(listener_address(admin->listener));
    struct http_config http = {.loop = config->loop,
                               .connections_max = ADMIN_CONNECTIONS_MAX,
                               .body_bytes_max = 4096, // nothing here has a body
                               .held_bytes_max = 16U << 20,
                               .began = began,
                               .asked = asked,
                               .left = left,
                               .context = admin};
    if (!http_requests_init(&admin->requests, config->loop, ADMIN_CONNECTIONS_MAX,
                            HTTP_REQUESTS_MARK_ADMIN) ||
        http_create(&admin->http, &http) != WEFT_OK) {
        snprintf(error, error_size, "out of memory");
        http_requests_finish(&admin->requests);
        listener_close(admin->listener);
        free(admin);
        return WEFT_NO_MEMORY;
    }
    *admin_out = admin;
    return WEFT_OK;
}

void admin_start(struct admin *admin)
{
    listener_start(admin->listener);
}

void admin_close(struct admin *admin)
{
    if (admin == NULL) {
        return;
    }
    listener_close(admin->listener);
    http_destroy(admin->http);
    http_requests_finish(&admin->requests);
    free(admin);
}

const struct address *admin_address(const struct admin *admin)
{
    return listener_address(admin->listener);
}
