// SPDX-License-Identifier: MIT
// The durable store: the store port of node/ports.h on one LMDB environment in a data directory.
//
//   loop thread                                   store thread
//   put/remove -> open group (arena)
//   commit()   -> queue, at most STORE_GROUPS_MAX -> one write transaction, fdatasync, meta page
//   store_lmdb_next() <- completions <-------------- completed(): wakes the loop
//   get/scan/last: a read view, open from the first read of a turn to release()
//
// The directory holds data.mdb and lock.mdb (LMDB's) and weft.lock (held by the one process that
// writes). docs/storage-format.md says what is in data.mdb. May include: node/ports.h, base/,
// weft/.
#ifndef WEFT_IO_STORE_LMDB_H
#define WEFT_IO_STORE_LMDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"
#include "node/ports.h"

struct store_lmdb;

/// Suffices for every error text of this module, its terminating NUL included.
#define STORE_LMDB_ERROR_BYTES STORE_PROBLEM_BYTES

struct store_lmdb_options {
    const char *path; // the data directory; created (0700) unless read_only
    bool read_only;   // beside a live writer or on a cold directory; put() must not be called
    uint64_t map_bytes_initial; // address space to begin with; 0 means 256 MiB
    uint64_t map_bytes_max;     // bound of its growth; 0 means 1 TiB
    /// Called on the store thread when store_lmdb_next() has something; must only wake the loop.
    /// May be NULL.
    void (*completed)(void *context);
    void *context;
    const struct weft_allocator *allocator; // for staging; copied; NULL means libc's
};

/// Opens a data directory and starts its store thread.
///
/// What can be wrong with the directory is found before anything of it is mapped: a second writer,
/// a truncated or damaged data file, a newer format. Blocks for as long as reading the branch and
/// leaf pages' worth of a few kilobytes takes; a file that is shorter than its meta page says is
/// walked.
///
/// @param store_out Owned by the caller: store_lmdb_close().
/// @param error At least STORE_LMDB_ERROR_BYTES; on failure one line that says what and why.
/// @return WEFT_OK, WEFT_CONFLICT (another process writes there), WEFT_UNSUPPORTED (newer format),
/// WEFT_MALFORMED (damaged or truncated), WEFT_NOT_FOUND (read-only, and there is no store),
/// WEFT_STORAGE (the system refused something) or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status store_lmdb_open(struct store_lmdb **store_out,
                                               const struct store_lmdb_options *options,
                                               char *error);

/// Finishes the groups that were committed, a backup under way too, and closes. What is staged is
/// dropped. Takes NULL. No view may be open.
void store_lmdb_close(struct store_lmdb *store);

/// The port. Borrowed; as long as the store.
struct store *store_lmdb_port(struct store_lmdb *store);

/// Takes the oldest completion; loop thread. Taking a failed one is the moment at which the node is
/// told: all groups committed before it fail, and what is staged then fails with its group.
/// @return false if there is none.
bool store_lmdb_next(struct store_lmdb *store, uint64_t *group_out, enum weft_status *status_out);

/// Blocks until store_lmdb_next() has something; for programs without a loop.
/// @return false after `timeout_ms` without one.
bool store_lmdb_wait(struct store_lmdb *store, uint32_t timeout_ms);

struct store_lmdb_stats {
    enum store_health health;
    uint64_t used_bytes;        // pages in use, free ones inside of the file not counted
    uint64_t file_bytes;        // pages up to the last used one
    uint64_t map_bytes;         // address space now
    uint64_t limit_bytes;       // and at most
    uint64_t groups_committed;  // since open
    uint64_t groups_failed;     // since open
    uint64_t map_growths;       // since open
    uint64_t commit_ns_last;    // the last group: from the first write to synced
    uint32_t readers;           // slots in use, this process's view included
    uint64_t oldest_reader_lag; // transactions that the oldest reader pins; 0: none behind
    uint64_t oldest_reader_ms;  // for how long it has been the oldest, at least
    int64_t oldest_reader_pid;  // 0: none
    bool map_full;              // while STORE_FULL: of its bound, not of the disk
    char problem[STORE_LMDB_ERROR_BYTES]; // why the store is not writable, or empty
};

/// Any thread; figures are at most a second old while groups are committed.
void store_lmdb_stats(struct store_lmdb *store, struct store_lmdb_stats *stats_out);

/// Copies the committed state, compacted, into a new directory, on a thread of its own, and syncs
/// it.
///
/// Commits go on meanwhile; only a group for which the map must grow waits for the end. One backup
/// at a time.
/// @param path Must not exist, or be an empty directory. Copied.
/// @param done Called on the backup's thread with WEFT_OK or WEFT_STORAGE and one line of text
/// (empty on success); what was written of a failed copy is removed before.
/// @return WEFT_OK, WEFT_CONFLICT (one is under way, or `path` is not empty) or WEFT_STORAGE; then
/// `done` is not called and `error` says why.
WEFT_MUST_USE enum weft_status
store_lmdb_backup(struct store_lmdb *store, const char *path,
                  void (*done)(void *context, enum weft_status status, const char *text),
                  void *context, char *error);

// ---------------------------------------------------------------------------------------- checking

struct store_lmdb_report {
    uint64_t format;
    uint64_t transaction; // of the state that was checked
    uint64_t pages;       // pages of the file that this state uses
    uint64_t pages_free;
    uint64_t pages_lost; // neither used nor free: harmless, a backup leaves them behind
    uint64_t records[STORE_TABLE_COUNT];
    uint64_t bytes[STORE_TABLE_COUNT]; // keys and values
    uint64_t records_bad;              // checksum does not match
    uint64_t damages;                  // problems with LMDB's own structure
};

struct store_lmdb_verify_visitor {
    /// One problem as a line of text. May be NULL.
    void (*problem)(void *context, const char *text);
    /// Each record, in order; `value.data` is NULL if its checksum does not match. May be NULL.
    void (*record)(void *context, enum store_table table, struct span key, struct span value);
    void *context;
};

/// Reads every page and every record of a data directory, cold or live, without mapping it: damage
/// of any kind is reported, never a crash. On a live directory one state is pinned as a reader
/// does.
/// @param error As store_lmdb_open().
/// @return WEFT_OK (all is well), WEFT_MALFORMED (report and visitor have the problems),
/// WEFT_UNSUPPORTED, WEFT_NOT_FOUND, WEFT_STORAGE or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status store_lmdb_verify(const char *path,
                                                 const struct store_lmdb_verify_visitor *visitor,
                                                 struct store_lmdb_report *report_out, char *error);

/// Name of a table in the file, as reports print it. Static storage.
const char *store_lmdb_table_name(enum store_table table);

#endif
