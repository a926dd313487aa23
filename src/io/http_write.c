// SPDX-License-Identifier: MIT
// Implements what goes out of io/http.h: answers, streams, and the end of a connection.
#include "io/http.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codec/wire.h"
#include "io/http_connection.h"
#include "io/http_problem.h"

#define HEAD_BYTES_MAX 2048
#define BUFFERS_MAX 3

/// What the kernel did not take at once.
struct rest {
    uv_write_t write;
    struct http_connection *connection;
    size_t size;
    uint8_t bytes[];
};

const char *http_status_text(uint16_t status)
{
    static const struct {
        uint16_t status;
        const char *text;
    } texts[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {406, "Not Acceptable"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {421, "Misdirected Request"},
        {422, "Unprocessable Content"},
        {426, "Upgrade Required"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {504, "Gateway Timeout"},
        {505, "HTTP Version Not Supported"},
        {507, "Insufficient Storage"},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].status == status) {
            return texts[i].text;
        }
    }
    return "Unknown";
}

// ----------------------------------------------------------------------------------------- writing

static void rest_written(uv_write_t *write, int status)
{
    struct rest *rest = (struct rest *)write;
    struct http_connection *connection = rest->connection;
    connection->http->counts.held_bytes -= rest->size;
    free(rest);
    if (connection->state == HTTP_CLOSING) {
        return;
    }
    if (status != 0) {
        http_close(connection);
        return;
    }
    if (uv_stream_get_write_queue_size((uv_stream_t *)&connection->tcp) > 0) {
        return;
    }
    if (connection->state == HTTP_WRITING) {
        http_written(connection);
    } else if (connection->state == HTTP_STREAMING && connection->blocked) {
        connection->blocked = false;
        connection->http->config.writable(connection->http->config.context, connection);
    }
}

/// Copies what is left of the buffers and lets libuv write it. @return false: it cannot be held.
static bool write_rest(struct http_connection *connection, const uv_buf_t *buffers, int count,
                       size_t skip)
{
    struct http *http = connection->http;
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += buffers[i].len;
    }
    size -= skip;
    struct rest *rest = http->counts.held_bytes + size > http->config.held_bytes_max
                            ? NULL
                            : malloc(sizeof(*rest) + size);
    if (rest == NULL) {
        return false;
    }
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        size_t skipped = skip < buffers[i].len ? skip : buffers[i].len;
        memcpy(rest->bytes + at, buffers[i].base + skipped, buffers[i].len - skipped);
        at += buffers[i].len - skipped;
        skip -= skipped;
    }
    rest->connection = connection;
    rest->size = size;
    uv_buf_t buffer = uv_buf_init((char *)rest->bytes, (unsigned)size);
    if (uv_write(&rest->write, (uv_stream_t *)&connection->tcp, &buffer, 1, rest_written) != 0) {
        free(rest);
        return false;
    }
    http->counts.held_bytes += size;
    return true;
}

/// Writes at once what the kernel takes, and the rest later. Closes the connection if it cannot.
static void write_all(struct http_connection *connection, const uv_buf_t *buffers, int count)
{
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    size_t size = 0;
    for (int i = 0; i < count; i++) {
        size += buffers[i].len;
    }
    if (size == 0) {
        return;
    }
    int written = uv_stream_get_write_queue_size(stream) > 0
                      ? 0
                      : uv_try_write(stream, buffers, (unsigned)count);
    if (written == UV_EAGAIN) {
        written = 0;
    }
    if (written < 0 ||
        ((size_t)written < size && !write_rest(connection, buffers, count, (size_t)written))) {
        http_close(connection);
    }
}

static bool is_drained(const struct http_connection *connection)
{
    return uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp) == 0;
}

static uv_buf_t buffer_of(struct span bytes)
{
    union {
        const uint8_t *bytes;
        char *base; // libuv only reads it
    } cast = {.bytes = bytes.data};
    return uv_buf_init(cast.base, (unsigned)bytes.size);
}

// ------------------------------------------------------------------------------- after an answer

static void shut_down(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status; // the peer or the time ends it either way
}

/// Says that nothing follows, and waits a moment for the peer to close: closing first would throw
/// away an answer that is still on its way if the peer sends more.
static void linger(struct http_connection *connection)
{
    uint64_t now_ms = loop_now_ms(connection->http->config.loop);
    connection->state = HTTP_LINGERING;
    connection->deadline_ms = now_ms + HTTP_LINGER_MS;
    http_bytes_free(connection->http, &connection->body);
    if (connection->ended ||
        uv_shutdown(&connection->shutdown, (uv_stream_t *)&connection->tcp, shut_down) != 0) {
        http_close(connection);
        return;
    }
    http_read_on(connection);
}

void http_written(struct http_connection *connection)
{
    if (connection->keep_alive && !connection->unread_body) {
        http_next_request(connection);
    } else {
        linger(connection);
    }
}

// --------------------------------------------------------------------------------------- answering

static const char *date(struct http *http)
{
    time_t now = time(NULL);
    if ((uint64_t)now != http->date_second) {
        struct tm utc;
        http->date_second = (uint64_t)now;
        gmtime_r(&now, &utc);
        strftime(http->date, sizeof(http->date), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    }
    return http->date;
}

static bool may_have_body(uint16_t status)
{
    return status >= 200 && status != 204 && status != 304;
}

static size_t write_head(char *text, struct http_connection *connection,
                         const struct http_response *response)
{
    assert(response->fields == NULL || strlen(response->fields) <= HTTP_FIELDS_BYTES_MAX);
    char length[64] = "";
    if (response->stream && connection->chunked) {
        snprintf(length, sizeof(length), "Transfer-Encoding: chunked\r\n");
    } else if (!response->stream && may_have_body(response->status)) {
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", response->body.size);
    }
    int size =
        snprintf(text, HEAD_BYTES_MAX,
                 "HTTP/1.1 %u %s\r\nDate: %s\r\n%s%s%s%s%s%s"
                 "X-Content-Type-Options: nosniff\r\n\r\n",
                 response->status, http_status_text(response->status), date(connection->http),
                 response->content_type == NULL ? "" : "Content-Type: ",
                 response->content_type == NULL ? "" : response->content_type,
                 response->content_type == NULL ? "" : "\r\n", length,
                 response->fields == NULL ? "" : response->fields,
                 connection->keep_alive ? (connection->head.old ? "Connection: keep-alive\r\n" : "")
                                        : "Connection: close\r\n");
    assert(size > 0 && size < HEAD_BYTES_MAX);
    return (size_t)size;
}

static int write_chunk(uv_buf_t buffers[BUFFERS_MAX], char size_line[24], bool chunked,
                       struct span piece)
{
    static char line_end[] = "\r\n";
    if (!chunked) {
        buffers[0] = buffer_of(piece);
        return 1;
    }
    int size = snprintf(size_line, 24, "%zx\r\n", piece.size);
    buffers[0] = uv_buf_init(size_line, (unsigned)size);
    buffers[1] = buffer_of(piece);
    buffers[2] = uv_buf_init(line_end, 2);
    return 3;
}

void http_respond(struct http_connection *connection, const struct http_response *response)
{
    char head[HEAD_BYTES_MAX];
    char size_line[24];
    uv_buf_t buffers[1 + BUFFERS_MAX];
    int count = 1;
    if (connection->state == HTTP_CLOSING) {
        connection->responded = !response->stream; // the owner of a stream is still told
        return;
    }
    assert(connection->state == HTTP_WAITING || connection->state == HTTP_BODY ||
           connection->state == HTTP_READING);
    connection->responded = true;
    connection->queue_seen = 0;
    connection->chunked = response->stream && !connection->head.old;
    bool stream = response->stream && !connection->bodiless;
    if (response->close || connection->unread_body || connection->http->draining ||
        (stream && !connection->chunked)) {
        connection->keep_alive = false;
    }
    size_t head_size = write_head(head, connection, response);
    buffers[0] = uv_buf_init(head, (unsigned)head_size);
    if (!connection->bodiless && may_have_body(response->status) && response->body.size > 0) {
        count += write_chunk(buffers + 1, size_line, stream && connection->chunked, response->body);
    }
    uint64_t now_ms = loop_now_ms(connection->http->config.loop);
    connection->state = stream ? HTTP_STREAMING : HTTP_WRITING;
    connection->deadline_ms = now_ms + HTTP_STALL_MS;
    connection->comment_ms = now_ms + HTTP_COMMENT_MS;
    write_all(connection, buffers, count);
    if (connection->state == HTTP_WRITING && is_drained(connection)) {
        http_written(connection);
    } else if (connection->state == HTTP_STREAMING && connection->ended) {
        http_close(connection);
    }
}

void http_refuse(struct http_connection *connection, int status, const char *why)
{
    connection->http->counts.refused++;
    connection->keep_alive = false;
    http_problem(connection, (uint16_t)status, http_problem_code((uint16_t)status), why, NULL);
}

// ----------------------------------------------------------------------------------------- streams

bool http_stream(struct http_connection *connection, struct span piece)
{
    char size_line[24];
    uv_buf_t buffers[BUFFERS_MAX];
    if (connection->state != HTTP_STREAMING) {
        return false;
    }
    if (piece.size > 0) { // an empty chunk would end the stream
        int count = write_chunk(buffers, size_line, connection->chunked, piece);
        write_all(connection, buffers, count);
        connection->comment_ms = loop_now_ms(connection->http->config.loop) + HTTP_COMMENT_MS;
    }
    connection->blocked = connection->state != HTTP_STREAMING || !is_drained(connection);
    return !connection->blocked;
}

void http_stream_comment(struct http_connection *connection)
{
    static const char comment[] = ":\n\n";
    if (is_drained(connection)) {
        bool blocked = connection->blocked;
        http_stream(connection, (struct span){(const uint8_t *)comment, sizeof(comment) - 1});
        connection->blocked |= blocked;
    }
}

static void write_last_chunk(struct http_connection *connection)
{
    static char last[] = "0\r\n\r\n";
    if (connection->chunked) {
        uv_buf_t buffer = uv_buf_init(last, sizeof(last) - 1);
        write_all(connection, &buffer, 1);
    }
}

void http_stream_end(struct http_connection *connection)
{
    if (connection->state == HTTP_CLOSING) {
        connection->responded = true;
        return;
    }
    if (connection->state != HTTP_STREAMING) {
        return;
    }
    connection->state = HTTP_WRITING;
    write_last_chunk(connection);
    if (connection->state == HTTP_WRITING && is_drained(connection)) {
        http_written(connection);
    }
}

void http_stream_cut(struct http_connection *connection)
{
    write_last_chunk(connection);
    http_close(connection);
}
