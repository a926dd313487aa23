// SPDX-License-Identifier: MIT
// Implements io/http.h: connections, their time, and what comes in. http_write.c has what goes out.
#include "io/http.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/http_connection.h"

#define HTTP_SCAN_MS 1000

// ------------------------------------------------------------------------------------------- bytes

bool http_bytes_add(struct http *http, struct http_bytes *bytes, struct span more)
{
    if (more.size == 0) {
        return true;
    }
    size_t needed = bytes->size + more.size;
    if (needed > bytes->capacity) {
        size_t capacity = bytes->capacity == 0 ? 512 : bytes->capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        size_t extra = capacity - bytes->capacity;
        uint8_t *data = http->counts.held_bytes + extra > http->config.held_bytes_max
                            ? NULL
                            : realloc(bytes->data, capacity);
        if (data == NULL) {
            return false;
        }
        http->counts.held_bytes += extra;
        bytes->data = data;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->size, more.data, more.size);
    bytes->size = needed;
    return true;
}

void http_bytes_free(struct http *http, struct http_bytes *bytes)
{
    http->counts.held_bytes -= bytes->capacity;
    free(bytes->data);
    *bytes = (struct http_bytes){NULL, 0, 0};
}

// ----------------------------------------------------------------------------------------- closing

static bool is_asking(const struct http_connection *connection)
{
    return connection->state == HTTP_WAITING || connection->state == HTTP_STREAMING;
}

static void connection_closed(uv_handle_t *handle)
{
    struct http_connection *connection = handle->data;
    struct http *http = connection->http;
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        http->first = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    struct http_connection **at = &http->resume_first;
    while (connection->resuming && *at != connection) {
        at = &(*at)->resume_next;
    }
    if (connection->resuming) {
        *at = connection->resume_next;
    }
    http->counts.connections--;
    http->closing--;
    http_bytes_free(http, &connection->in);
    http_bytes_free(http, &connection->body);
    http_bytes_free(http, &connection->ahead);
    if (connection->responded || http->destroyed) {
        // nobody waits for it
    } else {
        http->config.left(http->config.context, connection);
    }
    free(connection);
    if (http->destroyed && --http->handles == 0) {
        free(http);
    }
}

void http_close(struct http_connection *connection)
{
    if (connection->state == HTTP_CLOSING) {
        return;
    }
    connection->responded = !is_asking(connection); // else its owner is to be told
    connection->state = HTTP_CLOSING;
    connection->http->closing++;
    uv_close((uv_handle_t *)&connection->tcp, connection_closed);
}

// ----------------------------------------------------------------------------------------- reading

static void give_scratch(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct http_connection *connection = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(connection->http->scratch, sizeof(connection->http->scratch));
}

static void received(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct http_connection *connection = stream->data;
    if (size > 0) {
        struct span bytes = {(const uint8_t *)buffer->base, (size_t)size};
        if (!connection->resuming) {
            http_feed(connection, bytes);
        } else if (!http_bytes_add(connection->http, &connection->ahead, bytes)) {
            http_close(connection); // what was sent before it is not understood yet
        }
        return;
    }
    if (size == 0) {
        return; // nothing there after all
    }
    connection->ended = true;
    connection->keep_alive = false;
    connection->stopped = true;
    uv_read_stop(stream);
    bool answer_is_due = connection->state == HTTP_WAITING || connection->state == HTTP_WRITING;
    if (size != UV_EOF || !answer_is_due) {
        http_close(connection);
    }
}

void http_read_on(struct http_connection *connection)
{
    if (connection->stopped && !connection->ended) {
        connection->stopped = false;
        uv_read_start((uv_stream_t *)&connection->tcp, give_scratch, received);
    }
}

static void stop_reading(struct http_connection *connection)
{
    if (!connection->stopped) {
        connection->stopped = true;
        uv_read_stop((uv_stream_t *)&connection->tcp);
    }
}

/// The request is whole: hands it to the owner.
static void ask(struct http_connection *connection)
{
    struct http *http = connection->http;
    connection->state = HTTP_WAITING;
    connection->deadline_ms = 0;
    http->config.asked(http->config.context, connection, &connection->head,
                       (struct span){connection->body.data, connection->body.size});
}

/// Takes bytes of the head. @return what is left of them.
static struct span feed_head(struct http_connection *connection, struct span bytes)
{
    struct http *http = connection->http;
    struct http_bytes *in = &connection->in;
    while (in->size == 0 && bytes.size > 0 && (bytes.data[0] == '\r' || bytes.data[0] == '\n')) {
        bytes.data++; // blank lines between requests do no harm (RFC 9112, 2.2)
        bytes.size--;
    }
    if (bytes.size == 0) {
        return bytes;
    }
    if (in->size == 0) {
        connection->deadline_ms = loop_now_ms(http->config.loop) + HTTP_HEAD_MS;
    }
    size_t before = in->size;
    size_t room = HTTP_HEAD_BYTES_MAX - before;
    struct span more = {bytes.data, bytes.size < room ? bytes.size : room};
    if (!http_bytes_add(http, in, more)) {
        http_refuse(connection, 503, "this node holds too many requests");
        return (struct span){NULL, 0};
    }
    int verdict = http_head_parse(&connection->head, (struct span){in->data, in->size});
    if (verdict == HTTP_HEAD_PARTIAL) {
        return (struct span){NULL, 0};
    }
    if (verdict != HTTP_HEAD_WHOLE) {
        connection->head.method = HTTP_OTHER;
        http_refuse(connection, verdict,
                    verdict == 431 ? "the head is larger than 8 KiB"
                                   : "this is not HTTP/1.1 as weft reads it");
        return (struct span){NULL, 0};
    }
    size_t used = connection->head.size - before;
    in->size = connection->head.size;
    return (struct span){bytes.data + used, bytes.size - used};
}

/// The head is whole: asks the owner, and prepares for a body.
static void begin(struct http_connection *connection)
{
    struct http *http = connection->http;
    const struct http_head *head = &connection->head;
    http->counts.requests++;
    connection->keep_alive = head->keep_alive && !http->draining;
    connection->bodiless = head->method == HTTP_HEAD;
    connection->responded = false;
    connection->unread_body = head->chunked || head->content_length > 0;
    connection->chunks = (struct http_chunks){.state = HTTP_CHUNKS_SIZE};
    connection->state = HTTP_BODY;
    if (head->content_length > http->config.body_bytes_max) {
        http_refuse(connection, 413, "the body is larger than a document may be");
        return;
    }
    http->config.began(http->config.context, connection, head);
    if (connection->state != HTTP_BODY) {
        return; // refused
    }
    if (!connection->unread_body) {
        ask(connection);
        return;
    }
    connection->deadline_ms = loop_now_ms(http->config.loop) + HTTP_BODY_MS +
                              head->content_length / HTTP_BODY_BYTES_PER_MS;
    if (head->expects) {
        static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
        uv_buf_t buffer = uv_buf_init(text, sizeof(text) - 1);
        if (uv_try_write((uv_stream_t *)&connection->tcp, &buffer, 1) < (int)buffer.len) {
            http_close(connection);
        }
    }
}

/// Takes bytes of the body. @return what is left of them.
static struct span feed_body(struct http_connection *connection, struct span bytes)
{
    struct http *http = connection->http;
    struct http_chunks *chunks = &connection->chunks;
    bool chunked = connection->head.chunked;
    while (bytes.size > 0 && connection->state == HTTP_BODY) {
        struct span piece;
        if (chunked) {
            piece = http_chunks_take(chunks, &bytes);
        } else {
            uint64_t due = connection->head.content_length - connection->body.size;
            piece = (struct span){bytes.data, bytes.size < due ? bytes.size : (size_t)due};
            bytes.data += piece.size;
            bytes.size -= piece.size;
        }
        if (connection->body.size + piece.size > http->config.body_bytes_max) {
            http_refuse(connection, 413, "the body is larger than a document may be");
        } else if (!http_bytes_add(http, &connection->body, piece)) {
            http_refuse(connection, 503, "this node holds too many requests");
        } else if (chunked && chunks->state == HTTP_CHUNKS_BAD) {
            http_refuse(connection, 400, "the chunks of the body are malformed");
        } else if (chunked ? chunks->state == HTTP_CHUNKS_DONE
                           : connection->body.size == connection->head.content_length) {
            connection->unread_body = false;
            ask(connection);
        } else if (chunked) {
            connection->deadline_ms += piece.size / HTTP_BODY_BYTES_PER_MS;
        }
    }
    return bytes;
}

void http_feed(struct http_connection *connection, struct span bytes)
{
    struct http *http = connection->http;
    connection->feeding = true;
    while (bytes.size > 0) {
        if (connection->state == HTTP_READING) {
            bytes = feed_head(connection, bytes);
            if (connection->state == HTTP_READING && connection->head.size > 0) {
                begin(connection);
            }
        } else if (connection->state == HTTP_BODY) {
            bytes = feed_body(connection, bytes);
        } else if (connection->state == HTTP_WAITING || connection->state == HTTP_WRITING ||
                   connection->state == HTTP_STREAMING) {
            if (!http_bytes_add(http, &connection->ahead, bytes)) {
                http_close(connection);
            } else if (connection->ahead.size >= HTTP_AHEAD_BYTES_MAX) {
                stop_reading(connection);
            }
            break;
        } else {
            break; // lingering or closing: nobody reads it any more
        }
    }
    connection->feeding = false;
}

// -------------------------------------------------------------------------------- the next request

/// Takes up requests that were sent ahead, outside of whatever answered the ones before.
static void resume(uv_idle_t *idle)
{
    struct http *http = idle->data;
    struct http_connection *connection = http->resume_first;
    http->resume_first = NULL;
    uv_idle_stop(idle);
    while (connection != NULL) {
        struct http_connection *next = connection->resume_next;
        struct http_bytes ahead = connection->ahead;
        connection->ahead = (struct http_bytes){NULL, 0, 0};
        connection->resuming = false;
        if (connection->state == HTTP_READING) {
            http_feed(connection, (struct span){ahead.data, ahead.size});
        }
        http_bytes_free(http, &ahead);
        if (connection->state != HTTP_CLOSING) {
            http_read_on(connection);
        }
        connection = next;
    }
}

void http_next_request(struct http_connection *connection)
{
    struct http *http = connection->http;
    connection->state = HTTP_READING;
    connection->tag = 0;
    connection->head.size = 0;
    connection->in.size = 0;
    http_bytes_free(http, &connection->body);
    connection->since_ms = loop_now_ms(http->config.loop);
    connection->deadline_ms = connection->since_ms + HTTP_IDLE_MS;
    if (connection->ahead.size > 0) {
        if (!connection->resuming) {
            connection->resuming = true;
            connection->resume_next = http->resume_first;
            http->resume_first = connection;
            uv_idle_start(&http->resume, resume);
        }
    } else {
        http_read_on(connection);
    }
}

// -------------------------------------------------------------------------------------------- time

static void watch_queue(struct http_connection *connection, uint64_t now_ms)
{
    size_t queue = uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp);
    if (queue == 0 || queue < connection->queue_seen || connection->queue_seen == 0) {
        connection->deadline_ms = now_ms + HTTP_STALL_MS;
    } else if (now_ms >= connection->deadline_ms) {
        connection->http->counts.timeouts++;
        http_close(connection);
    }
    connection->queue_seen = queue;
}

static void scan_one(struct http_connection *connection, uint64_t now_ms)
{
    bool late = connection->deadline_ms != 0 && now_ms >= connection->deadline_ms;
    switch (connection->state) {
    case HTTP_READING:
    case HTTP_BODY:
        if (late && connection->in.size > 0) {
            connection->http->counts.timeouts++;
            http_refuse(connection, 408, "the request took too long to arrive");
        } else if (late) {
            http_close(connection);
        }
        break;
    case HTTP_WRITING:
        watch_queue(connection, now_ms);
        break;
    case HTTP_STREAMING:
        if (now_ms >= connection->comment_ms) {
            http_stream_comment(connection);
        }
        if (connection->state == HTTP_STREAMING) {
            watch_queue(connection, now_ms);
        }
        break;
    case HTTP_LINGERING:
        if (late) {
            http_close(connection);
        }
        break;
    case HTTP_WAITING: // the node answers in its own time
    case HTTP_CLOSING:
        break;
    }
}

static void close_overdue(uv_timer_t *timer)
{
    struct http *http = timer->data;
    uint64_t now_ms = loop_now_ms(http->config.loop);
    for (struct http_connection *c = http->first; c != NULL; c = c->next) {
        scan_one(c, now_ms);
    }
}

// ------------------------------------------------------------------------------------ the server

/// Makes room by closing the connection that has waited longest for a request.
static bool make_room(struct http *http)
{
    struct http_connection *oldest = NULL;
    if (http->counts.connections - http->closing < http->config.connections_max) {
        return true; // those that close are gone before the next one asks for anything
    }
    for (struct http_connection *c = http->first; c != NULL; c = c->next) {
        if (c->state == HTTP_READING && c->in.size == 0 &&
            (oldest == NULL || c->since_ms < oldest->since_ms)) {
            oldest = c;
        }
    }
    if (oldest != NULL) {
        http_close(oldest);
    }
    return oldest != NULL;
}

void http_adopt(struct http *http, int fd)
{
    struct http_connection *connection = make_room(http) ? calloc(1, sizeof(*connection)) : NULL;
    if (connection == NULL) {
        close(fd);
        return;
    }
    uv_tcp_init(&http->config.loop->uv, &connection->tcp);
    connection->tcp.data = connection;
    connection->http = http;
    connection->stopped = true;
    connection->responded = true; // nobody waits for an answer yet
    connection->next = http->first;
    if (http->first != NULL) {
        http->first->previous = connection;
    }
    http->first = connection;
    http->counts.connections++;
    if (uv_tcp_open(&connection->tcp, fd) != 0) {
        close(fd);
        http_close(connection);
        return;
    }
    http_next_request(connection);
    connection->deadline_ms = connection->since_ms + HTTP_HEAD_MS;
}

void http_drain(struct http *http)
{
    http->draining = true;
    for (struct http_connection *c = http->first; c != NULL; c = c->next) {
        c->keep_alive = false;
        if (c->state == HTTP_READING && c->in.size == 0) {
            http_close(c);
        } else if (c->state == HTTP_STREAMING) {
            http_stream_cut(c);
        }
    }
}

enum weft_status http_create(struct http **http_out, const struct http_config *config)
{
    struct http *http = calloc(1, sizeof(*http));
    if (http == NULL) {
        return WEFT_NO_MEMORY;
    }
    http->config = *config;
    uv_timer_init(&config->loop->uv, &http->scan);
    uv_idle_init(&config->loop->uv, &http->resume);
    http->scan.data = http;
    http->resume.data = http;
    uv_timer_start(&http->scan, close_overdue, HTTP_SCAN_MS, HTTP_SCAN_MS);
    *http_out = http;
    return WEFT_OK;
}

static void handle_closed(uv_handle_t *handle)
{
    struct http *http = handle->data;
    if (--http->handles == 0) {
        free(http);
    }
}

void http_destroy(struct http *http)
{
    if (http == NULL) {
        return;
    }
    http->destroyed = true;
    http->handles = 2;
    for (struct http_connection *c = http->first; c != NULL; c = c->next) {
        http->handles++;
        http_close(c);
    }
    uv_close((uv_handle_t *)&http->scan, handle_closed);
    uv_close((uv_handle_t *)&http->resume, handle_closed);
}

void http_set_tag(struct http_connection *connection, uint64_t tag)
{
    connection->tag = tag;
}

uint64_t http_tag(const struct http_connection *connection)
{
    return connection->tag;
}

struct http_counts http_count(const struct http *http)
{
    return http->counts;
}
