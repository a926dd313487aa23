// SPDX-License-Identifier: MIT
// Inside of the LMDB store: its state and what its files share. Included by store_lmdb*.c only.
//
// Threads. The loop thread owns the open group and the read view; the store thread owns the group
// that it is writing and its own read transaction; what stands under `mutex` belongs to both.
//
// Growing the map needs that no transaction of this process is open. The store thread, between two
// of its own, waits for a backup to end, then sets `growing`, which keeps new views from beginning,
// and waits for the open ones; the loop waits for it no longer than an munmap and an mmap take.
#ifndef WEFT_IO_STORE_LMDB_IMPL_H
#define WEFT_IO_STORE_LMDB_IMPL_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/store_lmdb.h"
#include "io/store_lmdb_group.h"
#include "io/store_lmdb_record.h"

enum {
    GROUP_SLOTS = STORE_GROUPS_MAX + 1, // those under way and the open one
    PROBE_INTERVAL_MS = 1000,           // is there space again?
    STATS_INTERVAL_MS = 1000,           // free pages are counted at most so often
    READER_INTERVAL_MS = 60 * 1000,     // slots of dead readers are freed
};

struct store_lmdb_completion {
    uint64_t group;
    enum weft_status status;
    bool first; // failed by itself, not because of one before it
};

struct store_lmdb_backup {
    pthread_t thread;
    bool started; // loop thread: to be joined
    bool running; // under the store's mutex
    char *path;   // owned
    void (*done)(void *context, enum weft_status status, const char *text);
    void *context;
};

struct store_lmdb {
    struct store port; // first: a pointer to it is one to the store

    // Fixed while open.
    MDB_env *env;
    MDB_dbi tables[STORE_TABLE_COUNT];
    MDB_dbi format_table;
    bool table_there[STORE_TABLE_COUNT]; // false only in a read-only store
    bool read_only;
    bool thread_started;
    int lock_fd;    // weft.lock, locked; -1 when read-only
    int witness_fd; // of data.mdb, never written through: is told of what a sync of it lost
    char *path;     // owned
    uint64_t map_bytes_max;
    void (*completed)(void *context);
    void *context;
    struct weft_allocator allocator;
    pthread_t thread;

    // Loop thread.
    struct store_lmdb_group *open; // the group that is being staged
    MDB_txn *view;                 // kept between turns, reset while no view is open
    bool view_open;
    uint64_t group_last; // number of the last group that was committed
    uint64_t group_told; // number of the last one whose completion was taken
    struct store_lmdb_backup backup;

    // Store thread.
    MDB_txn *probe;              // its own read transaction, reset between uses
    uint64_t stats_at_ms;        // when free pages were counted last
    uint64_t readers_at_ms;      // when dead readers were looked for last
    uint64_t probed_at_ms;       // when space was looked for last
    size_t space_needed;         // by the last group that found no space
    size_t space_piece;          // and by the greatest of its values
    uint64_t oldest_transaction; // of the oldest reader, when looked for last
    uint64_t oldest_since_ms;

    // Both, under `mutex`.
    pthread_mutex_t mutex;
    pthread_cond_t wake;   // store thread: a group, or stop
    pthread_cond_t turned; // views ended, growing ended, a backup ended, a group completed
    struct store_lmdb_group groups[GROUP_SLOTS];
    struct store_lmdb_group *idle[GROUP_SLOTS];
    unsigned idle_count;
    struct store_lmdb_group *queue[STORE_GROUPS_MAX];
    unsigned queue_count;
    struct store_lmdb_completion completions[STORE_GROUPS_MAX];
    unsigned completion_count;
    enum weft_status failing; // a group failed and the loop does not know yet
    uint64_t fail_through;    // groups up to this number fail after one that the loop knows of
    enum weft_status fail_status;
    unsigned views; // read transactions of the loop thread and of a backup
    bool growing;
    bool stopping;
    struct store_lmdb_stats stats;

    // Both.
    _Atomic int health; // enum store_health
};

/// Milliseconds of the monotonic clock.
uint64_t store_lmdb_now_ms(void);

// store_lmdb.c
void store_lmdb_port_init(struct store_lmdb *store);
/// Takes part in the views that growing waits for; waits itself while the map grows.
void store_lmdb_view_enter(struct store_lmdb *store);
void store_lmdb_view_leave(struct store_lmdb *store);

// store_lmdb_writer.c: the store thread.
void *store_lmdb_writer_run(void *store);

// store_lmdb_space.c: what is left, on the store thread (or before it started).
/// Refreshes the figures of stats; counts free pages if `count_free`.
void store_lmdb_space_refresh(struct store_lmdb *store, bool count_free);
/// Frees slots of dead readers and looks for the oldest live one.
void store_lmdb_space_check_readers(struct store_lmdb *store);
/// Begins a read transaction, or renews one. Beside a writer in another process the map is made
/// greater when the writer's is; no other transaction of this process may be open then.
/// @return 0, or an error: ENOMEM without address space for it.
int store_lmdb_space_read(MDB_env *env, MDB_txn **txn);
/// Doubles the map, or more if `needed` bytes ask for it. @return whether it is greater now.
bool store_lmdb_space_grow(struct store_lmdb *store, uint64_t needed);
/// Would the disk take `bytes` more? @return 0, or the errno that says why not.
int store_lmdb_space_probe_disk(struct store_lmdb *store, uint64_t bytes);
/// Removes what a process left behind that died while it asked.
void store_lmdb_space_clear_probe(struct store_lmdb *store);
/// Would a transaction find pages for `bytes` more in the map, in values of `piece`?
bool store_lmdb_space_probe_map(struct store_lmdb *store, uint64_t bytes, size_t piece);
/// Commits a transaction that changes nothing: LMDB reuses what the last one freed only in the next
/// but one. @return 0, or an error of LMDB or the system.
int store_lmdb_space_turn_over(struct store_lmdb *store);

// store_lmdb_dir.c: the directory.
/// Takes weft.lock for this process, or finds out who has it.
WEFT_MUST_USE enum weft_status store_lmdb_dir_lock(int *lock_fd_out, const char *path, char *error);
/// Is there a process that writes to the directory?
bool store_lmdb_dir_has_writer(const char *path);
/// Creates the directory if it is not there.
WEFT_MUST_USE enum weft_status store_lmdb_dir_create(const char *path, char *error);
/// Leaves weft.used behind, once: from then on a missing or empty data file is damage and not a
/// beginning. @return 0 or an errno.
int store_lmdb_dir_mark(const char *path);
bool store_lmdb_dir_is_marked(const char *path);
/// Makes the directory's entries durable. @return 0 or an errno.
int store_lmdb_dir_sync(const char *path);
int store_lmdb_dir_sync_parent(const char *path);
/// Checks what can be checked before data.mdb is mapped. @param fresh_out Whether there is none
/// yet.
WEFT_MUST_USE enum weft_status store_lmdb_dir_check(bool *fresh_out, uint64_t *map_bytes_out,
                                                    const char *path, bool read_only, char *error);

/// Removes what the creation of a store left behind when it was cut short; the directory is locked.
WEFT_MUST_USE enum weft_status store_lmdb_dir_clear(const char *path, char *error);

// store_lmdb_format.c: the format record.
#define STORE_LMDB_FORMAT_FRAME_BYTES (STORE_LMDB_CHECKSUM_BYTES + 4)
struct span store_lmdb_format_key(void);
void store_lmdb_format_encode(uint8_t frame[STORE_LMDB_FORMAT_FRAME_BYTES], uint32_t format);
/// Reads the number from the record's frame. @return WEFT_OK, WEFT_MALFORMED or WEFT_UNSUPPORTED.
WEFT_MUST_USE enum weft_status store_lmdb_format_decode(uint64_t *format_out, struct span frame,
                                                        const char *path, char *error);

// store_lmdb_backup.c
/// Waits for a backup under way.
void store_lmdb_backup_join(struct store_lmdb *store);

#endif
