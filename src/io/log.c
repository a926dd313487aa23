// SPDX-License-Identifier: MIT
// Implements io/log.h with a ring under a lock and one thread that empties it.
#include "io/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "node/node.h"

#define NODE_NAME_BYTES 80
#define REPEATS_KINDS 64 // events told apart; more share a counter, which holds back a little more

struct repeat {
    const char *event; // whose turn it is to count here
    uint64_t since_ms;
    uint32_t count;
    uint32_t held; // lines that were not written
};

struct log {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    pthread_cond_t emptied;
    pthread_t writer;
    int fd;
    enum log_format format;
    int level;
    bool closing;
    bool gone;    // the writer has left
    size_t first; // of `ring`: the oldest byte
    size_t size;
    uint64_t dropped;
    uint64_t dropped_told;
    char node[NODE_NAME_BYTES];
    struct repeat repeats[REPEATS_KINDS];
    char ring[LOG_RING_BYTES];
};

/// A line in the making; what does not fit is left out.
struct line {
    char text[LOG_LINE_BYTES_MAX];
    size_t size;
};

static const char *const level_names[] = {"error", "warning", "notice", "info", "debug"};

// -------------------------------------------------------------------------------------- formatting

static void add_bytes(struct line *line, const char *bytes, size_t size)
{
    size_t room = sizeof(line->text) - 2 - line->size; // always leaves place for "}\n"
    size_t taken = size < room ? size : room;
    memcpy(line->text + line->size, bytes, taken);
    line->size += taken;
}

static void add(struct line *line, const char *text)
{
    add_bytes(line, text, strlen(text));
}

/// A string's inside, as JSON or with what would break a line of text replaced.
static void add_escaped(struct line *line, enum log_format format, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)bytes[i];
        char escape[8];
        if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            add(line, format == LOG_JSON ? escape : "?");
        } else if (format == LOG_JSON && (c == '"' || c == '\\')) {
            char pair[2] = {'\\', (char)c};
            if (line->size + 4 < sizeof(line->text)) {
                add_bytes(line, pair, 2);
            }
        } else {
            add_bytes(line, (const char *)&bytes[i], 1);
        }
    }
}

static void add_field(struct line *line, const char *key, size_t key_size, const char *value,
                      size_t value_size)
{
    // Only a field that fits as a whole: a JSON line must stay one.
    size_t before = line->size;
    if (before + key_size + 6 * value_size + 16 > sizeof(line->text)) {
        return;
    }
    add(line, ",\"");
    add_escaped(line, LOG_JSON, key, key_size);
    add(line, "\":\"");
    add_escaped(line, LOG_JSON, value, value_size);
    add(line, "\"");
}

/// Where the word at `at` ends.
static const char *word_end(const char *at)
{
    while (*at != '\0' && *at != ' ') {
        at++;
    }
    return at;
}

static bool is_pair(const char *word)
{
    const char *end = word_end(word);
    const char *equals = memchr(word, '=', (size_t)(end - word));
    if (equals == NULL || equals == word) {
        return false;
    }
    for (const char *c = word; c < equals; c++) {
        if ((*c < 'a' || *c > 'z') && *c != '_' && (*c < '0' || *c > '9')) {
            return false;
        }
    }
    return true;
}

/// Where the value at `at` ends: at the quote that closes it, or before the next pair.
static const char *value_end(const char *at)
{
    const char *end = word_end(at);
    if (*at == '"') {
        for (const char *quote = at + 1; (quote = strchr(quote, '"')) != NULL; quote++) {
            if (quote[1] == ' ' || quote[1] == '\0') {
                return quote + 1;
            }
        }
    }
    for (const char *next = end; *next != '\0' && !is_pair(next + 1); next = end) {
        end = word_end(next + 1);
    }
    return end;
}

/// `key=value` pairs as members of an object; words without a key belong to the value before.
static void add_details_json(struct line *line, const char *details)
{
    const char *at = details;
    if (*at != '\0' && !is_pair(at)) {
        add_field(line, "details", 7, details, strlen(details));
        return;
    }
    while (*at != '\0') {
        const char *equals = strchr(at, '=');
        const char *value = equals + 1;
        const char *end = value_end(value);
        bool quoted = end - value >= 2 && *value == '"' && end[-1] == '"';
        add_field(line, at, (size_t)(equals - at), value + quoted,
                  (size_t)(end - value) - 2 * quoted);
        at = end;
        while (*at != '\0' && !is_pair(at)) { // what follows a closing quote without being a pair
            at++;
        }
    }
}

static void add_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + size, sizeof(text) - size, ".%03dZ", (int)(now.tv_nsec / 1000000));
    add(line, text);
}

static void format_line(struct line *line, const struct log *log, int level, const char *event,
                        const char *details)
{
    const char *name = level_names[level];
    line->size = 0;
    if (log->format == LOG_JSON) {
        add(line, "{\"time\":\"");
        add_time(line);
        add(line, "\"");
        add_field(line, "level", 5, name, strlen(name));
        add_field(line, "event", 5, event, strlen(event));
        if (log->node[0] != '\0') {
            add_field(line, "node", 4, log->node, strlen(log->node));
        }
        if (details != NULL) {
            add_details_json(line, details);
        }
        line->text[line->size++] = '}';
    } else {
        add_time(line);
        add(line, " ");
        add(line, name);
        add(line, " ");
        add(line, event);
        if (log->node[0] != '\0') {
            add(line, " node=");
            add_escaped(line, LOG_TEXT, log->node, strlen(log->node));
        }
        if (details != NULL && details[0] != '\0') {
            add(line, " ");
            add_escaped(line, LOG_TEXT, details, strlen(details));
        }
    }
    line->text[line->size++] = '\n';
}

// ------------------------------------------------------------------------------------ the ring

/// Lock held.
static void put(struct log *log, const struct line *line)
{
    if (log->size + line->size > sizeof(log->ring) || log->gone) {
        log->dropped++;
        return;
    }
    size_t end = (log->first + log->size) % sizeof(log->ring);
    size_t straight = sizeof(log->ring) - end;
    size_t head = line->size < straight ? line->size : straight;
    memcpy(log->ring + end, line->text, head);
    memcpy(log->ring, line->text + head, line->size - head);
    log->size += line->size;
    pthread_cond_signal(&log->filled);
}

static bool write_piece(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && (errno == EAGAIN || errno == EINTR)) {
            struct pollfd poll_fd = {.fd = fd, .events = POLLOUT};
            poll(&poll_fd, 1, 1000);
            continue;
        }
        if (written < 0) {
            return false;
        }
        bytes += written;
        size -= (size_t)written;
    }
    return true;
}

/// Takes what stands in one piece out of the ring and writes it, without the lock. Lock held.
static void write_some(struct log *log)
{
    char piece[8192];
    size_t straight = sizeof(log->ring) - log->first;
    size_t size = log->size < straight ? log->size : straight;
    size = size < sizeof(piece) ? size : sizeof(piece);
    memcpy(piece, log->ring + log->first, size);
    log->first = (log->first + size) % sizeof(log->ring);
    log->size -= size;
    pthread_mutex_unlock(&log->lock);
    write_piece(log->fd, piece, size); // whoever closed stderr wants no lines
    pthread_mutex_lock(&log->lock);
}

static void *write_lines(void *argument)
{
    struct log *log = argument;
    pthread_mutex_lock(&log->lock);
    while (true) {
        while (log->size == 0 && !log->closing) {
            pthread_cond_wait(&log->filled, &log->lock);
        }
        if (log->size == 0) {
            break;
        }
        write_some(log);
    }
    log->gone = true;
    pthread_cond_broadcast(&log->emptied);
    pthread_mutex_unlock(&log->lock);
    return NULL;
}

// --------------------------------------------------------------------------------------- repeating

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/// Whether this line is to be held back. @param held_out Lines of the event that were held back
/// before it. Lock held.
static bool hold_back(struct log *log, const char *event, uint32_t *held_out)
{
    uint32_t hash = 5381;
    for (const char *c = event; *c != '\0'; c++) {
        hash = hash * 33 + (unsigned char)*c;
    }
    struct repeat *repeat = &log->repeats[hash % REPEATS_KINDS];
    uint64_t now_ms = monotonic_ms();
    *held_out = 0;
    if (repeat->event == NULL || now_ms - repeat->since_ms >= LOG_REPEATS_MS) {
        *held_out = repeat->held;
        *repeat = (struct repeat){.event = event, .since_ms = now_ms};
    }
    if (repeat->count < LOG_REPEATS_MAX) {
        repeat->count++;
        return false;
    }
    repeat->held++;
    return true;
}

/// Says how many lines were dropped, as soon as there is room for that. Lock held.
static void tell_dropped(struct log *log)
{
    if (log->dropped == log->dropped_told) {
        return;
    }
    char details[64];
    struct line line;
    uint64_t before = log->dropped;
    snprintf(details, sizeof(details), "lines=%llu",
             (unsigned long long)(log->dropped - log->dropped_told));
    format_line(&line, log, NODE_LOG_WARNING, "log_dropped", details);
    put(log, &line);
    if (log->dropped == before) {
        log->dropped_told = before;
    } else {
        log->dropped = before;
    }
}

void log_write(void *context, int level, const char *event, const char *details)
{
    struct log *log = context;
    assert(level >= NODE_LOG_ERROR && level <= NODE_LOG_DEBUG);
    if (level > log->level) {
        return;
    }
    struct line line;
    char with_count[LOG_LINE_BYTES_MAX];
    uint32_t held;
    pthread_mutex_lock(&log->lock);
    if (!hold_back(log, event, &held)) {
        if (held > 0) {
            snprintf(with_count, sizeof(with_count), "repeated=%u %s", held,
                     details == NULL ? "" : details);
            details = with_count;
        }
        tell_dropped(log);
        format_line(&line, log, level, event, details);
        put(log, &line);
    }
    pthread_mutex_unlock(&log->lock);
}

// ---------------------------------------------------------------------------------- opening,
// closing

enum weft_status log_open(struct log **log_out, int fd, enum log_format format, int level)
{
    struct log *log = calloc(1, sizeof(*log));
    if (log == NULL) {
        return WEFT_NO_MEMORY;
    }
    log->fd = fd;
    log->format = format;
    log->level = level;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->filled, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&log->emptied, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&log->writer, NULL, write_lines, log) != 0) {
        free(log);
        return WEFT_NO_MEMORY;
    }
    *log_out = log;
    return WEFT_OK;
}

void log_close(struct log *log)
{
    if (log == NULL) {
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOG_FLUSH_MS / 1000;
    pthread_mutex_lock(&log->lock);
    tell_dropped(log);
    log->closing = true;
    pthread_cond_signal(&log->filled);
    int waited = 0;
    while (!log->gone && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&log->emptied, &log->lock, &until);
    }
    bool gone = log->gone;
    pthread_mutex_unlock(&log->lock);
    if (!gone) {
        pthread_detach(log->writer); // its reader is stuck; it keeps the log until the process ends
        return;
    }
    pthread_join(log->writer, NULL);
    pthread_mutex_destroy(&log->lock);
    pthread_cond_destroy(&log->filled);
    pthread_cond_destroy(&log->emptied);
    free(log);
}

void log_set_node(struct log *log, const char *name)
{
    pthread_mutex_lock(&log->lock);
    snprintf(log->node, sizeof(log->node), "%s", name);
    pthread_mutex_unlock(&log->lock);
}

uint64_t log_dropped(struct log *log)
{
    pthread_mutex_lock(&log->lock);
    uint64_t dropped = log->dropped;
    pthread_mutex_unlock(&log->lock);
    return dropped;
}
