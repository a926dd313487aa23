// SPDX-License-Identifier: MIT
#include "programs/client/client_impl.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define PORT_DEFAULT 9338

uint64_t client_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void client_notify(struct client *client, enum client_notice_kind kind, const char *text)
{
    if (client->options.notice == NULL)
        return;
    struct client_notice notice = {.kind = kind, .text = text};
    client->options.notice(client->options.context, &notice);
}

void client_end(struct client *client, uint32_t code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(client->error, sizeof(client->error), format, arguments);
    va_end(arguments);
    client->code = code;
    client->state = CLIENT_ENDED;
    client->open = false;
    socket_close(client->socket);
}

/// Half of the back-off, and up to the other half at random, so that many clients do not come as
/// one.
static uint64_t jittered_us(struct client *client)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
        random = (uint32_t)client_now_us();
    uint64_t whole = (uint64_t)client->backoff_ms * 1000;
    uint64_t wait = whole / 2 + random % (whole / 2 + 1);
    client->backoff_ms = client->backoff_ms * 2 < CLIENT_BACKOFF_MAX_MS ? client->backoff_ms * 2
                                                                        : CLIENT_BACKOFF_MAX_MS;
    return wait;
}

static void leave(struct client *client)
{
    client->url = (client->url + 1) % client->options.url_count;
    client->state = CLIENT_CONNECTING;
    client->open = false;
    client->point_known = false;
    client_send_reset(client);
    socket_close(client->socket);
}

void client_lose(struct client *client, const char *why)
{
    char text[CLIENT_ERROR_BYTES];
    if (client->state == CLIENT_ENDED)
        return;
    snprintf(text, sizeof(text), "%s: %s", client_url(client), why);
    leave(client);
    client->retry_us = client_now_us() + jittered_us(client);
    client_notify(client, CLIENT_NOTICE_LOST, text);
}

void client_move(struct client *client)
{
    if (client->state == CLIENT_ENDED)
        return;
    leave(client);
    client->retry_us = 0;
}

// ----------------------------------------------------------------------------------------- socket

static void on_opened(void *context)
{
    struct client *client = context;
    client->open = true;
    client->heard_us = client_now_us();
    client->want_hello = true;
    client->want_join = true;
    client->state = CLIENT_JOINING;
    socket_ask_write(client->socket);
}

static void on_message(void *context, struct span bytes)
{
    struct client *client = context;
    client->heard_us = client_now_us();
    client->pinged_us = 0;
    client_receive(client, bytes);
}

static void on_writable(void *context)
{
    struct client *client = context;
    struct weft_buffer *out = socket_outgoing(client->socket);
    if (out == NULL) {
        client_end(client, 0, "out of memory");
        return;
    }
    if (!client_send_next(client, out))
        return;
    if (!socket_send(client->socket)) {
        client_lose(client, "the connection broke");
        return;
    }
    if (client_send_ready(client))
        socket_ask_write(client->socket);
}

static void on_closed(void *context, uint16_t code, const char *reason)
{
    struct client *client = context;
    client->open = false;
    if (code >= 4400 && code < 4500 && code != WIRE_HELLO_TIMEOUT) {
        client_end(client, code, "%s closed the connection: %u %s", client_url(client), code,
                   reason);
        return;
    }
    client_lose(client, reason[0] != '\0' ? reason : "the connection ended");
}

// ------------------------------------------------------------------------------------------ making

/// HOST[:PORT] after http:// or ws://, up to a slash.
static bool parse_url(struct client_url *url, const char *text)
{
    static const char *const schemes[] = {"http://", "ws://"};
    const char *at = NULL;
    for (size_t i = 0; i < 2; i++) {
        if (strncmp(text, schemes[i], strlen(schemes[i])) == 0)
            at = text + strlen(schemes[i]);
    }
    if (at == NULL)
        return false;
    const char *host = at;
    const char *end = at[0] == '[' ? strchr(at, ']') : at + strcspn(at, ":/");
    if (end == NULL)
        return false;
    host += at[0] == '[';
    size_t size = (size_t)(end - host);
    end += *end == ']';
    unsigned long port = PORT_DEFAULT;
    if (*end == ':') {
        char *rest;
        if (!isdigit((unsigned char)end[1]))
            return false;
        port = strtoul(end + 1, &rest, 10);
        end = rest;
    }
    if (size == 0 || size >= sizeof(url->host) || port == 0 || port > 65535 ||
        (*end != '\0' && strcmp(end, "/") != 0))
        return false;
    memcpy(url->host, host, size);
    url->host[size] = '\0';
    url->port = (uint16_t)port;
    url->text = strdup(text);
    return url->text != NULL;
}

enum weft_status client_renew(struct client *client, const struct weft_epoch *epoch)
{
    struct weft_doc_options options = {
        .name = (const uint8_t *)client->name,
        .name_size = client->options.document.size,
        .policy = client->options.policy,
    };
    struct weft_doc *doc;
    if (epoch != NULL)
        options.epoch = *epoch;
    enum weft_status status = weft_doc_create(&doc, &options);
    if (status == WEFT_OK && client->options.agent != 0)
        status = weft_doc_set_agent(doc, client->options.agent);
    if (status != WEFT_OK)
        return status;
    client_send_reset(client); // its reader reads the old one
    weft_doc_destroy(client->doc);
    client->doc = doc;
    client->acked_seq[0] = client->acked_seq[1] = 0;
    return WEFT_OK;
}

static enum weft_status set_up(struct client *client, char *error)
{
    static const struct socket_handlers handlers = {on_opened, on_message, on_writable, on_closed};
    struct client_options *options = &client->options;
    for (size_t i = 0; i < options->url_count; i++) {
        if (!parse_url(&client->urls[i], options->urls[i])) {
            snprintf(error, CLIENT_ERROR_BYTES, "%.200s: not of the form http://HOST[:PORT]",
                     options->urls[i]);
            return WEFT_INVALID;
        }
    }
    snprintf(error, CLIENT_ERROR_BYTES, "out of memory");
    client->name = malloc(options->document.size + 1);
    if (client->name == NULL)
        return WEFT_NO_MEMORY;
    memcpy(client->name, options->document.data, options->document.size);
    options->document.data = (const uint8_t *)client->name;
    client->socket = socket_create(&handlers, client);
    if (client->socket == NULL)
        return WEFT_NO_MEMORY;
    return client_renew(client, NULL);
}

enum weft_status client_create(struct client **client_out, const struct client_options *options,
                               char *error)
{
    assert(options->url_count > 0 && options->url_count <= CLIENT_URLS_MAX);
    struct client *client = calloc(1, sizeof(*client));
    if (client == NULL) {
        snprintf(error, CLIENT_ERROR_BYTES, "out of memory");
        return WEFT_NO_MEMORY;
    }
    client->options = *options;
    client->backoff_ms = CLIENT_BACKOFF_MS;
    if (client->options.silence_ms == 0)
        client->options.silence_ms = CLIENT_SILENCE_MS;
    if (client->options.window_bytes == 0)
        client->options.window_bytes = CLIENT_WINDOW_BYTES;
    weft_buffer_init(&client->base, NULL);
    weft_buffer_init(&client->node_version, NULL);
    weft_buffer_init(&client->piece, NULL);
    enum weft_status status = set_up(client, error);
    if (status != WEFT_OK) {
        client_destroy(client);
        return status;
    }
    *client_out = client;
    return WEFT_OK;
}

void client_destroy(struct client *client)
{
    if (client == NULL)
        return;
    weft_delta_reader_destroy(client->reader);
    socket_destroy(client->socket);
    weft_doc_destroy(client->doc);
    weft_buffer_finish(&client->base);
    weft_buffer_finish(&client->node_version);
    weft_buffer_finish(&client->piece);
    for (size_t i = 0; i < CLIENT_URLS_MAX; i++)
        free(client->urls[i].text);
    free(client->name);
    free(client);
}

// ----------------------------------------------------------------------------------------- waiting

static void connect_next(struct client *client, uint64_t now_us)
{
    const struct client_url *url = &client->urls[client->url];
    client->heard_us = now_us;
    client->pinged_us = 0;
    client->retry_us = 0;
    client->frame_bytes = 0;
    client->state = CLIENT_JOINING; // on its way there
    socket_connect(client->socket, url->host, url->port, CLIENT_FRAME_BYTES_MAX);
}

/// Does what is due. @return microseconds until the next thing is.
static uint64_t run_deadlines(struct client *client, uint64_t now_us)
{
    uint64_t silence_us = (uint64_t)client->options.silence_ms * 1000;
    if (client->state == CLIENT_CONNECTING) {
        if (now_us < client->retry_us)
            return client->retry_us - now_us;
        connect_next(client, now_us);
    }
    if (client->open && client->retry_us != 0 && now_us >= client->retry_us) {
        client->retry_us = 0;
        if (client->state == CLIENT_JOINING)
            client->want_join = true;
        else
            client->want_sync = true;
    }
    if (now_us - client->heard_us >= silence_us) {
        client_lose(client, "no answer");
        return 0;
    }
    if (client->open && client->pinged_us == 0 && now_us - client->heard_us >= silence_us / 3) {
        client->pinged_us = now_us;
        client->want_ping = true;
    }
    uint64_t due_us = client->heard_us + (client->pinged_us == 0 ? silence_us / 3 : silence_us);
    uint64_t wait_us = due_us > now_us ? due_us - now_us : 0;
    if (client->open && client->retry_us > now_us && client->retry_us - now_us < wait_us)
        wait_us = client->retry_us - now_us;
    return wait_us;
}

enum client_state client_wait(struct client *client, uint32_t timeout_ms)
{
    if (client->state == CLIENT_ENDED)
        return client->state;
    uint64_t wait_us = run_deadlines(client, client_now_us());
    if (client->state == CLIENT_ENDED)
        return client->state;
    if (client->open && client_send_ready(client))
        socket_ask_write(client->socket);
    uint64_t wait_ms = (wait_us + 999) / 1000;
    socket_wait(client->socket, wait_ms < timeout_ms ? (uint32_t)wait_ms : timeout_ms);
    return client->state;
}

// ----------------------------------------------------------------------------------------- looking

struct weft_doc *client_doc(struct client *client)
{
    return client->doc;
}

bool client_synced(struct client *client)
{
    struct weft_digest digest;
    if (client->state != CLIENT_JOINED || !client->point_known || client_sending(client))
        return false;
    if (weft_doc_digest(&digest, client->doc) != WEFT_OK)
        return false;
    return memcmp(digest.bytes, client->point.bytes, sizeof(digest.bytes)) == 0;
}

uint64_t client_acked_seq(const struct client *client, uint32_t level)
{
    return client->acked_seq[level >= 2];
}

uint32_t client_error_code(const struct client *client)
{
    return client->code;
}

const char *client_error(const struct client *client)
{
    return client->error;
}

const char *client_url(const struct client *client)
{
    return client->urls[client->url].text;
}
