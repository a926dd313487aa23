// SPDX-License-Identifier: MIT
// What is left in the LMDB store's map and on its disk, and who pins pages; see store_lmdb_impl.h.
// Runs on the store thread, between two write transactions; what readers need, on theirs.
#include "io/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "io/store_lmdb_impl.h"

/// LMDB's own database of free pages; it is opened with every environment.
static const MDB_dbi free_dbi = 0;

/// Pages on the free list. @return whether they could be counted.
static bool count_free_pages(struct store_lmdb *store, uint64_t *pages_out)
{
    int code = store->probe == NULL ? mdb_txn_begin(store->env, NULL, MDB_RDONLY, &store->probe)
                                    : mdb_txn_renew(store->probe);
    if (code != 0)
        return false;
    MDB_cursor *cursor;
    code = mdb_cursor_open(store->probe, free_dbi, &cursor);
    uint64_t pages = 0;
    if (code == 0) {
        MDB_val key;
        MDB_val list;
        while ((code = mdb_cursor_get(cursor, &key, &list, MDB_NEXT)) == 0) {
            size_t count;
            memcpy(&count, list.mv_data, sizeof(count));
            pages += count;
        }
        mdb_cursor_close(cursor);
    }
    mdb_txn_reset(store->probe);
    *pages_out = pages;
    return code == MDB_NOTFOUND;
}

void store_lmdb_space_refresh(struct store_lmdb *store, bool count_free)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(store->env, &info);
    mdb_env_stat(store->env, &stat);
    uint64_t free_pages = 0;
    bool counted = count_free && count_free_pages(store, &free_pages);
    uint64_t file_bytes = ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;

    pthread_mutex_lock(&store->mutex);
    struct store_lmdb_stats *stats = &store->stats;
    uint64_t free_bytes = stats->file_bytes - stats->used_bytes; // as counted last
    if (counted) {
        free_bytes = free_pages * stat.ms_psize;
        store->stats_at_ms = store_lmdb_now_ms();
    }
    stats->file_bytes = file_bytes;
    stats->used_bytes = file_bytes > free_bytes ? file_bytes - free_bytes : 0;
    stats->map_bytes = info.me_mapsize;
    stats->limit_bytes = store->map_bytes_max;
    pthread_mutex_unlock(&store->mutex);
}

// ----------------------------------------------------------------------------------------- readers

struct reader_scan {
    uint32_t count;
    uint64_t oldest;
    int64_t oldest_pid;
};

/// A line of LMDB's report: pid, thread, and the transaction or "-".
static int reader_line(const char *line, void *context)
{
    struct reader_scan *scan = context;
    int pid;
    uint64_t transaction;
    char thread[32];
    if (sscanf(line, "%d %31s %" SCNu64, &pid, thread, &transaction) != 3)
        return 0;
    scan->count++;
    if (scan->oldest_pid == 0 || transaction < scan->oldest) {
        scan->oldest = transaction;
        scan->oldest_pid = pid;
    }
    return 0;
}

void store_lmdb_space_check_readers(struct store_lmdb *store)
{
    int dead = 0;
    mdb_reader_check(store->env, &dead);
    struct reader_scan scan = {0};
    mdb_reader_list(store->env, reader_line, &scan);
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    uint64_t now = store_lmdb_now_ms();
    store->readers_at_ms = now;
    bool pinned = scan.oldest_pid != 0 && scan.oldest < info.me_last_txnid;
    if (!pinned || scan.oldest != store->oldest_transaction)
        store->oldest_since_ms = now;
    store->oldest_transaction = scan.oldest;

    pthread_mutex_lock(&store->mutex);
    store->stats.readers = scan.count;
    store->stats.oldest_reader_pid = scan.oldest_pid;
    store->stats.oldest_reader_lag = pinned ? info.me_last_txnid - scan.oldest : 0;
    store->stats.oldest_reader_ms = pinned ? now - store->oldest_since_ms : 0;
    pthread_mutex_unlock(&store->mutex);
}

// ----------------------------------------------------------------------------------------- map and
// disk

/// Keeps other transactions of this process out while `bytes` become the map's size.
static int set_map_alone(struct store_lmdb *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->mutex);
    while (store->backup.running)
        pthread_cond_wait(&store->turned, &store->mutex);
    store->growing = true;
    while (store->views > 0)
        pthread_cond_wait(&store->turned, &store->mutex);
    pthread_mutex_unlock(&store->mutex);

    int code = mdb_env_set_mapsize(store->env, bytes);

    pthread_mutex_lock(&store->mutex);
    store->growing = false;
    if (code == 0)
        store->stats.map_growths++;
    pthread_cond_broadcast(&store->turned);
    pthread_mutex_unlock(&store->mutex);
    return code;
}

/// LMDB gives the old map up before it asks for the greater one, and is lost when that is refused.
static bool has_address_space(uint64_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void *room =
        bytes <= SIZE_MAX ? mmap(NULL, (size_t)bytes, PROT_NONE, flags, -1, 0) : MAP_FAILED;
    if (room == MAP_FAILED)
        return false;
    munmap(room, (size_t)bytes);
    return true;
}

/// Another process made the map greater: takes twice what it uses. Nobody here reads meanwhile.
static int adopt_map(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat stat;
    mdb_env_info(env, &info);
    mdb_env_stat(env, &stat);
    uint64_t bytes = 2 * ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
    return has_address_space(bytes) ? mdb_env_set_mapsize(env, bytes) : ENOMEM;
}

int store_lmdb_space_read(MDB_env *env, MDB_txn **txn)
{
    int code;
    do // it may grow again before the transaction begins
        code = *txn == NULL ? mdb_txn_begin(env, NULL, MDB_RDONLY, txn) : mdb_txn_renew(*txn);
    while (code == MDB_MAP_RESIZED && (code = adopt_map(env)) == 0);
    return code;
}

bool store_lmdb_space_grow(struct store_lmdb *store, uint64_t needed)
{
    MDB_envinfo info;
    mdb_env_info(store->env, &info);
    uint64_t bytes = info.me_mapsize;
    if (bytes >= store->map_bytes_max)
        return false;
    uint64_t wanted = bytes + 2 * needed;
    do
        bytes *= 2;
    while (bytes < wanted);
    if (bytes > store->map_bytes_max)
        bytes = store->map_bytes_max;
    if (!has_address_space(bytes))
        return false;
    bool grown = set_map_alone(store, bytes) == 0;
    store_lmdb_space_refresh(store, false);
    return grown;
}

static bool probe_name(char *name, size_t size, const struct store_lmdb *store)
{
    return (size_t)snprintf(name, size, "%s/weft.probe", store->path) < size;
}

void store_lmdb_space_clear_probe(struct store_lmdb *store)
{
    char name[4096];
    if (probe_name(name, sizeof(name), store))
        unlink(name);
}

int store_lmdb_space_probe_disk(struct store_lmdb *store, uint64_t bytes)
{
    char name[4096];
    if (!probe_name(name, sizeof(name), store))
        return ENAMETOOLONG;
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    unlink(name); // its room is given back however this process ends
    int code = posix_fallocate(fd, 0, (off_t)bytes);
    close(fd);
    return code;
}

bool store_lmdb_space_probe_map(struct store_lmdb *store, uint64_t bytes, size_t piece)
{
    // The truest question is the thing itself: only a transaction knows which pages readers pin,
    // and how free ones lie beside each other. It is aborted, so nothing is written.
    MDB_txn *txn;
    if (mdb_txn_begin(store->env, NULL, 0, &txn) != 0)
        return false;
    int code = 0;
    for (uint64_t done = 0; code == 0 && done < bytes; done += piece) {
        char name[32];
        int size = snprintf(name, sizeof(name), "probe/%" PRIu64, done);
        MDB_val key = {(size_t)size, name};
        MDB_val value = {piece, NULL};
        code = mdb_put(txn, store->tables[STORE_META], &key, &value, MDB_RESERVE);
    }
    mdb_txn_abort(txn);
    return code == 0;
}

int store_lmdb_space_turn_over(struct store_lmdb *store)
{
    MDB_txn *txn;
    int code = mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0)
        return code;
    uint8_t frame[STORE_LMDB_FORMAT_FRAME_BYTES];
    store_lmdb_format_encode(frame, STORE_LMDB_FORMAT);
    struct span key_bytes = store_lmdb_format_key();
    MDB_val key = {key_bytes.size, (void *)(uintptr_t)key_bytes.data};
    MDB_val value = {sizeof(frame), frame};
    code = mdb_put(txn, store->format_table, &key, &value, 0);
    if (code == 0)
        return mdb_txn_commit(txn);
    mdb_txn_abort(txn);
    return code;
}
