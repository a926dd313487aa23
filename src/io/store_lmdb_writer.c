// SPDX-License-Identifier: MIT
// The LMDB store's own thread: writes one group after the other, each as one synced transaction.
//
// LMDB writes the pages with pwrite, calls fdatasync, and then writes the meta page through a
// descriptor that is opened for synchronous writes; when mdb_txn_commit() returns, the group is on
// the disk. If anything fails before the meta page, the state on disk is the one before the group.
//
//   full map                    grow it and write the group again; at the bound: FULL
//   no space on the disk        FULL: the group fails; a probe looks for space each second
//   EIO, failed sync, damage    BROKEN: nothing is written any more by this process
//
// LMDB does not say which of its calls failed, and calls a write that was cut short EIO too. The
// system tells a failed sync once to each open descriptor of the file, so a second descriptor, the
// witness, is asked: only when it knows of no loss can an error be that the disk is full.
#include "io/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/store_lmdb_impl.h"

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void set_health(struct store_lmdb *store, enum store_health health, const char *problem)
{
    pthread_mutex_lock(&store->mutex);
    snprintf(store->stats.problem, sizeof(store->stats.problem), "%s", problem);
    pthread_mutex_unlock(&store->mutex);
    atomic_store(&store->health, health);
}

static void set_map_full(struct store_lmdb *store, bool map_full)
{
    pthread_mutex_lock(&store->mutex);
    store->stats.map_full = map_full;
    pthread_mutex_unlock(&store->mutex);
}

// --------------------------------------------------------------------------------------- one group

static int edit_write(struct store_lmdb *store, MDB_txn *txn, struct store_lmdb_edit *edit)
{
    const struct store_lmdb_table *table = &store_lmdb_tables[edit->table];
    MDB_dbi dbi = store->tables[edit->table];
    MDB_val key = {edit->key.size, (void *)(uintptr_t)edit->key.data};
    if (edit->removes) {
        int code = mdb_del(txn, dbi, &key, NULL);
        return code == MDB_NOTFOUND ? 0 : code;
    }
    store_lmdb_frame(edit->frame, table->number, edit->key, edit->value);
    MDB_val value = {STORE_LMDB_CHECKSUM_BYTES + edit->value.size, edit->frame};
    int code = mdb_put(txn, dbi, &key, &value, table->grows ? MDB_APPEND : 0);
    // The key is not greater than the last one; nothing was changed yet.
    if (code == MDB_KEYEXIST)
        code = mdb_put(txn, dbi, &key, &value, 0);
    return code;
}

/// One attempt. @return 0 when the group is on the disk, else an error of LMDB or the system.
static int group_write(struct store_lmdb *store, struct store_lmdb_group *group)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0)
        return code;
    size_t cursor = 0;
    struct store_lmdb_edit edit;
    while (code == 0 && store_lmdb_group_next(group, &cursor, &edit))
        code = edit_write(store, txn, &edit);
    if (code != 0) {
        mdb_txn_abort(txn);
        return code;
    }
    return mdb_txn_commit(txn);
}

static bool is_no_space(int code)
{
    return code == ENOSPC || code == EDQUOT || code == EFBIG;
}

/// What is full and what to do goes to the log and to readyz.
static enum weft_status map_full(struct store_lmdb *store)
{
    char problem[STORE_LMDB_ERROR_BYTES];
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    bool bound = info.me_mapsize >= store->map_bytes_max;
    snprintf(problem, sizeof(problem),
             "%.300s/data.mdb has reached %s of %llu MiB: start anew with %s", store->path,
             bound ? "its bound" : "the end of its address space",
             (unsigned long long)(info.me_mapsize >> 20),
             bound ? "a greater max_data_bytes" : "more of it (ulimit -v)");
    set_map_full(store, true);
    set_health(store, STORE_FULL, problem);
    return WEFT_LIMIT;
}

static enum weft_status disk_full(struct store_lmdb *store, int code)
{
    char problem[STORE_LMDB_ERROR_BYTES];
    snprintf(problem, sizeof(problem),
             "the disk of %.300s is full (%s): make room there, edits are then taken again",
             store->path, strerror(code));
    set_map_full(store, false);
    set_health(store, STORE_FULL, problem);
    return WEFT_LIMIT;
}

static enum weft_status broken(struct store_lmdb *store, int code)
{
    char problem[STORE_LMDB_ERROR_BYTES];
    snprintf(problem, sizeof(problem),
             "%.300s/data.mdb is not written any more (%s): look at the disk, then start anew",
             store->path, mdb_strerror(code));
    set_map_full(store, false);
    set_health(store, STORE_BROKEN, problem);
    return WEFT_STORAGE;
}

/// Turns a failure of a transaction into the store's health, and into what its group is told.
/// @param space What the transaction may have wanted of the disk.
static enum weft_status write_failed(struct store_lmdb *store, int code, uint64_t space)
{
    // Codes of the system are positive, LMDB's own are negative.
    if (code > 0 && fdatasync(store->witness_fd) != 0)
        return broken(store, errno);
    if (code == ENOMEM)
        return WEFT_NO_MEMORY;
    if (code == MDB_TXN_FULL)
        return WEFT_LIMIT; // this group is too large; others are not
    if (code == MDB_MAP_FULL)
        return map_full(store);
    // LMDB calls a write that was cut short EIO. Then the disk took all it could, and still is
    // full.
    int disk = code == EIO ? store_lmdb_space_probe_disk(store, space) : code;
    return is_no_space(disk) ? disk_full(store, disk) : broken(store, code);
}

static enum weft_status group_failed(struct store_lmdb *store, const struct store_lmdb_group *group,
                                     int code)
{
    store->space_needed = group->size;
    store->space_piece = group->value_greatest;
    store->probed_at_ms = store_lmdb_now_ms();
    // Each edit dirties the pages from its leaf to the root, of which a group shares most.
    return write_failed(store, code, 2 * (uint64_t)group->size + ((uint64_t)1 << 20));
}

static enum weft_status group_commit(struct store_lmdb *store, struct store_lmdb_group *group)
{
    if (atomic_load(&store->health) == STORE_BROKEN)
        return WEFT_STORAGE;
    if (group->size == 0)
        return WEFT_OK;
    uint64_t began = now_ns();
    int code = group_write(store, group);
    while (code == MDB_MAP_FULL && store_lmdb_space_grow(store, group->size))
        code = group_write(store, group);
    if (code != 0)
        return group_failed(store, group, code);

    pthread_mutex_lock(&store->mutex);
    store->stats.commit_ns_last = now_ns() - began;
    pthread_mutex_unlock(&store->mutex);
    return WEFT_OK;
}

// ------------------------------------------------------------------------------------------- queue

/// Takes the next group, or NULL when `until_ms` has come or the store stops.
static struct store_lmdb_group *queue_take(struct store_lmdb *store, uint64_t until_ms,
                                           enum weft_status *doomed_out)
{
    struct timespec until = {(time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000};
    pthread_mutex_lock(&store->mutex);
    int code = 0;
    while (store->queue_count == 0 && !store->stopping && code == 0)
        code = pthread_cond_timedwait(&store->wake, &store->mutex, &until);
    struct store_lmdb_group *group = NULL;
    if (store->queue_count > 0) {
        group = store->queue[0];
        store->queue_count--;
        memmove(store->queue, store->queue + 1, store->queue_count * sizeof(store->queue[0]));
        if (store->failing != WEFT_OK)
            *doomed_out = store->failing;
        else if (group->number <= store->fail_through)
            *doomed_out = store->fail_status;
        else
            *doomed_out = WEFT_OK;
    }
    pthread_mutex_unlock(&store->mutex);
    return group;
}

static void group_complete(struct store_lmdb *store, struct store_lmdb_group *group,
                           enum weft_status status, bool first)
{
    uint64_t number = group->number;
    store_lmdb_group_reset(group);
    pthread_mutex_lock(&store->mutex);
    store->idle[store->idle_count++] = group;
    assert(store->completion_count < STORE_GROUPS_MAX);
    store->completions[store->completion_count++] =
        (struct store_lmdb_completion){number, status, first};
    if (first)
        store->failing = status;
    if (status == WEFT_OK)
        store->stats.groups_committed++;
    else
        store->stats.groups_failed++;
    pthread_cond_broadcast(&store->turned);
    pthread_mutex_unlock(&store->mutex);
    if (store->completed != NULL)
        store->completed(store->context);
}

/// The group's figures are in stats before its completion can be seen.
static void group_run(struct store_lmdb *store, struct store_lmdb_group *group,
                      enum weft_status doomed)
{
    if (doomed != WEFT_OK) {
        group_complete(store, group, doomed, false);
        return;
    }
    enum weft_status status = group->doomed != WEFT_OK ? group->doomed : group_commit(store, group);
    if (status == WEFT_OK && group->size > 0) {
        uint64_t now = store_lmdb_now_ms();
        bool count_free = now - store->stats_at_ms >= STATS_INTERVAL_MS;
        store_lmdb_space_refresh(store, count_free);
    }
    group_complete(store, group, status, status != WEFT_OK);
}

// ------------------------------------------------------------------------------------------ thread

/// Grows the map ahead of need, when the loop is not waiting for a group.
static void grow_ahead(struct store_lmdb *store)
{
    pthread_mutex_lock(&store->mutex);
    bool busy = store->queue_count > 0 || store->backup.running; // a backup would be waited for
    uint64_t file_bytes = store->stats.file_bytes;
    uint64_t map_bytes = store->stats.map_bytes;
    pthread_mutex_unlock(&store->mutex);
    if (!busy && map_bytes < store->map_bytes_max && file_bytes > map_bytes - map_bytes / 4)
        store_lmdb_space_grow(store, 0);
}

/// What must be free before the store calls itself writable: room for the group that failed, but no
/// more than ordinary groups need, lest one that can never fit keeps the others out.
static uint64_t space_wanted(const struct store_lmdb *store)
{
    const uint64_t most = (uint64_t)16 << 20;
    uint64_t wanted = 2 * (uint64_t)store->space_needed + ((uint64_t)256 << 10);
    if (wanted > most)
        wanted = most;
    if (wanted > store->map_bytes_max / 8)
        wanted = store->map_bytes_max / 8;
    return wanted;
}

/// While there was no space: is there again?
static void probe_space(struct store_lmdb *store)
{
    enum { piece_bytes_min = 2500, piece_bytes_max = 64 << 10 }; // a page of its own, at least
    size_t piece = store->space_piece;
    if (piece < piece_bytes_min)
        piece = piece_bytes_min;
    if (piece > piece_bytes_max)
        piece = piece_bytes_max;
    store->probed_at_ms = store_lmdb_now_ms();
    uint64_t wanted = space_wanted(store);
    if (store_lmdb_space_probe_disk(store, wanted) == 0) {
        int code = 0;
        if (store_lmdb_space_probe_map(store, wanted, piece) ||
            store_lmdb_space_grow(store, wanted))
            set_health(store, STORE_WRITABLE, "");
        else
            code = store_lmdb_space_turn_over(store);
        if (code != 0)
            write_failed(store, code, wanted);
    }
    store_lmdb_space_refresh(store, true);
}

/// Does what is due by the clock. @return when to come back.
static uint64_t housekeeping(struct store_lmdb *store)
{
    uint64_t now = store_lmdb_now_ms();
    if (now - store->readers_at_ms >= READER_INTERVAL_MS)
        store_lmdb_space_check_readers(store);
    uint64_t due = store->readers_at_ms + READER_INTERVAL_MS;
    if (atomic_load(&store->health) != STORE_FULL)
        return due;
    if (now - store->probed_at_ms >= PROBE_INTERVAL_MS)
        probe_space(store);
    uint64_t probe_due = store->probed_at_ms + PROBE_INTERVAL_MS;
    return probe_due < due ? probe_due : due;
}

void *store_lmdb_writer_run(void *context)
{
    struct store_lmdb *store = context;
    bool done = false;
    while (!done) {
        uint64_t due = housekeeping(store);
        enum weft_status doomed = WEFT_OK;
        struct store_lmdb_group *group = queue_take(store, due, &doomed);
        if (group != NULL) {
            group_run(store, group, doomed);
            grow_ahead(store);
        }
        pthread_mutex_lock(&store->mutex);
        done = store->stopping && store->queue_count == 0;
        pthread_mutex_unlock(&store->mutex);
    }
    return NULL;
}
