// SPDX-License-Identifier: MIT
// What the files of io/http share. Private to them.
//
//            head whole          body whole         responded         all written
//   READING ------------> BODY ------------> WAITING ---------> WRITING ---------> READING
//      ^                    `- refused ---------------------------'  | stream        | close
//      |                                                          STREAMING       LINGERING
//      `-- a request that was sent ahead                                             |
//                                                       CLOSING <---- peer or time --'
#ifndef WEFT_IO_HTTP_CONNECTION_H
#define WEFT_IO_HTTP_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "io/http.h"
#include "io/http_chunks.h"

enum http_state {
    HTTP_READING,
    HTTP_BODY,
    HTTP_WAITING,
    HTTP_WRITING,
    HTTP_STREAMING,
    HTTP_LINGERING,
    HTTP_CLOSING,
};

/// Bytes that grow as they come.
struct http_bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

struct http_connection {
    uv_tcp_t tcp;
    struct http *http;
    struct http_connection *next;
    struct http_connection *previous;
    struct http_connection *resume_next;
    enum http_state state;
    bool feeding;     // http_feed() is on the stack and goes on by itself
    bool resuming;    // in http->resume_first
    bool stopped;     // reading is
    bool responded;   // the head of an answer was written
    bool keep_alive;  // after this answer
    bool bodiless;    // the answer to HEAD
    bool chunked;     // the stream goes out in chunks
    bool blocked;     // the stream had no room
    bool ended;       // the peer sends no more
    bool unread_body; // refused before its body came
    uint64_t tag;
    uint64_t since_ms;    // when it began to wait for a request
    uint64_t deadline_ms; // what happens then depends on the state; 0: nothing
    uint64_t comment_ms;  // when the stream shows that it lives
    size_t queue_seen;    // bytes that waited to be written at the last look
    struct http_head head;
    struct http_chunks chunks;
    struct http_bytes in; // the head
    struct http_bytes body;
    struct http_bytes ahead; // what came after this request
    uv_shutdown_t shutdown;
};

struct http {
    struct http_config config;
    struct http_connection *first; // newest first
    struct http_connection *resume_first;
    struct http_counts counts;
    uint32_t closing; // connections among them that are on their way out
    uv_timer_t scan;
    uv_idle_t resume;
    int handles;
    bool draining;
    bool destroyed;
    uint64_t date_second;
    char date[40];
    char scratch[64 << 10]; // what is being read, by whichever connection
};

/// Appends; counts what it holds. @return false: no memory, or all together hold too much.
bool http_bytes_add(struct http *http, struct http_bytes *bytes, struct span more);
void http_bytes_free(struct http *http, struct http_bytes *bytes);

/// Understands what a connection received.
void http_feed(struct http_connection *connection, struct span bytes);
/// Answers with an error of the protocol itself, and ends the connection.
void http_refuse(struct http_connection *connection, int status, const char *why);
/// Everything of an answer was handed to the kernel.
void http_written(struct http_connection *connection);
/// Reads again, and takes up what was sent ahead.
void http_next_request(struct http_connection *connection);
void http_read_on(struct http_connection *connection);
void http_close(struct http_connection *connection);
/// A comment on a quiet stream. @return false: it is stuck or gone.
void http_stream_comment(struct http_connection *connection);
/// Ends a stream from this side; its owner is told as if the asker had left.
void http_stream_cut(struct http_connection *connection);
const char *http_status_text(uint16_t status);

#endif
