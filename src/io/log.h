// SPDX-License-Identifier: MIT
// Log lines: one per event, on stderr, never waiting for whoever reads them.
//
//   any thread: log_write() -> line -> ring of LOG_RING_BYTES -> writer thread -> write(2)
//
// A line has the time (RFC 3339, UTC, milliseconds), the level, a stable event name, the node and
// the event's details. What repeats is held back: LOG_REPEATS_MAX lines of one event in
// LOG_REPEATS_MS, then only their count. When the ring is full, lines are dropped and counted.
// No contents of documents, no keys, no query strings: whoever calls sees to that.
// May include: node/node.h for the levels, POSIX.
#ifndef WEFT_IO_LOG_H
#define WEFT_IO_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/status.h>

#define LOG_RING_BYTES (256U << 10) // what waits for a slow reader
#define LOG_LINE_BYTES_MAX 2048U    // longer lines are cut
#define LOG_REPEATS_MAX 20U
#define LOG_REPEATS_MS 10000U
#define LOG_FLUSH_MS 1000U // how long log_close() waits for a reader

enum log_format { LOG_TEXT, LOG_JSON };

struct log;

/// Starts the writer thread.
/// @param fd Borrowed. @param level Greatest enum node_log_level that is written.
/// @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status log_open(struct log **log_out, int fd, enum log_format format,
                                        int level);
/// Writes what is left, for at most LOG_FLUSH_MS. Takes NULL.
void log_close(struct log *log);

/// The name that later lines carry. Copied.
void log_set_node(struct log *log, const char *name);

/// One event. Any thread; takes a lock for the time of a copy. Its type fits node_config.log and
/// peers_config.log.
/// @param context A struct log. @param event A stable name; static storage.
/// @param details `key=value` pairs, or NULL.
void log_write(void *context, int level, const char *event, const char *details);

/// Lines that were dropped because the ring was full.
uint64_t log_dropped(struct log *log);

#endif
