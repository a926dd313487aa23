// SPDX-License-Identifier: MIT
// Opening and closing of the LMDB store; see store_lmdb.h.
#include "io/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/store_lmdb_file.h"
#include "io/store_lmdb_impl.h"

static const uint64_t map_bytes_initial_default = (uint64_t)256 << 20;
static const uint64_t map_bytes_max_default = (uint64_t)1 << 40;
static const uint64_t map_bytes_min = (uint64_t)256 << 10;

/// LMDB would abort with a line about its own source.
static void damaged(MDB_env *env, const char *text)
{
    const char *path = "the data directory";
    mdb_env_get_path(env, &path);
    fprintf(stderr, "weft: %s/data.mdb is damaged, see `weft check %s` (%s)\n", path, path, text);
}

static uint64_t round_to_page(uint64_t bytes)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page * page;
}

/// @param map_bytes_file What the file's meta page says; LMDB itself never goes below what is in
/// use.
static uint64_t map_bytes_first(const struct store_lmdb_options *options, uint64_t map_bytes_file,
                                uint64_t map_bytes_max)
{
    uint64_t bytes = options->map_bytes_initial;
    if (bytes == 0)
        bytes = map_bytes_initial_default;
    if (bytes < map_bytes_min)
        bytes = map_bytes_min;
    if (bytes < map_bytes_file)
        bytes = map_bytes_file;
    if (bytes > map_bytes_max)
        bytes = map_bytes_max;
    return round_to_page(bytes);
}

static enum weft_status env_failed(int code, const char *path, char *error)
{
    switch (code) {
    case ENOMEM:
        snprintf(error, STORE_LMDB_ERROR_BYTES, "out of memory, or of address space, for %.300s",
                 path);
        return WEFT_NO_MEMORY;
    case MDB_INVALID:
    case MDB_VERSION_MISMATCH:
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.300s/data.mdb is damaged: %s", path,
                 mdb_strerror(code));
        return WEFT_MALFORMED;
    case EACCES:
        snprintf(error, STORE_LMDB_ERROR_BYTES,
                 "no permission for %.300s (a reader too must be able to write its lock.mdb)",
                 path);
        return WEFT_STORAGE;
    default:
        snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot open %.300s: %s", path, mdb_strerror(code));
        return WEFT_STORAGE;
    }
}

static enum weft_status env_open(struct store_lmdb *store, const struct store_lmdb_options *options,
                                 uint64_t map_bytes_file, char *error)
{
    int code = mdb_env_create(&store->env);
    if (code != 0)
        return env_failed(code, store->path, error);
    mdb_env_set_assert(store->env, damaged);
    mdb_env_set_maxdbs(store->env, STORE_LMDB_TREES_MAX);
    code = mdb_env_set_mapsize(store->env,
                               map_bytes_first(options, map_bytes_file, store->map_bytes_max));
    // Plain flags: each commit is synced, pages are written by pwrite and never through the map.
    unsigned flags = MDB_NOTLS | (store->read_only ? MDB_RDONLY : 0);
    if (code == 0)
        code = mdb_env_open(store->env, store->path, flags, 0600);
    return code == 0 ? WEFT_OK : env_failed(code, store->path, error);
}

/// Opened for writing, as some systems want of what is to be synced.
static enum weft_status witness_open(struct store_lmdb *store, char *error)
{
    char name[4096];
    int length = snprintf(name, sizeof(name), "%s/data.mdb", store->path);
    if (length >= 0 && (size_t)length < sizeof(name))
        store->witness_fd = open(name, O_RDWR | O_CLOEXEC);
    else
        errno = ENAMETOOLONG;
    return store->witness_fd >= 0 ? WEFT_OK : env_failed(errno, store->path, error);
}

/// Checks the format record, or writes it into a new store.
static enum weft_status format_check(struct store_lmdb *store, MDB_txn *txn, bool fresh,
                                     char *error)
{
    MDB_dbi dbi;
    int code = mdb_dbi_open(txn, STORE_LMDB_FORMAT_TABLE, fresh ? MDB_CREATE : 0, &dbi);
    if (code == MDB_NOTFOUND) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.300s/data.mdb is not a weft store", store->path);
        return WEFT_MALFORMED;
    }
    if (code != 0)
        return env_failed(code, store->path, error);
    store->format_table = dbi;
    struct span key_bytes = store_lmdb_format_key();
    MDB_val key = {key_bytes.size, (void *)(uintptr_t)key_bytes.data};
    MDB_val value;
    if (fresh) {
        uint8_t frame[STORE_LMDB_FORMAT_FRAME_BYTES];
        store_lmdb_format_encode(frame, STORE_LMDB_FORMAT);
        value = (MDB_val){sizeof(frame), frame};
        code = mdb_put(txn, dbi, &key, &value, 0);
        return code == 0 ? WEFT_OK : env_failed(code, store->path, error);
    }
    code = mdb_get(txn, dbi, &key, &value);
    if (code != 0 && code != MDB_NOTFOUND)
        return env_failed(code, store->path, error);
    struct span frame = {NULL, 0};
    if (code == 0)
        frame = (struct span){value.mv_data, value.mv_size};
    uint64_t format;
    return store_lmdb_format_decode(&format, frame, store->path, error);
}

static enum weft_status tables_open_in(struct store_lmdb *store, MDB_txn *txn, char *error)
{
    unsigned flags = store->read_only ? 0 : MDB_CREATE;
    for (unsigned i = 0; i < STORE_TABLE_COUNT; i++) {
        int code = mdb_dbi_open(txn, store_lmdb_tables[i].name, flags, &store->tables[i]);
        store->table_there[i] = code == 0;
        if (code != 0 && !(code == MDB_NOTFOUND && store->read_only))
            return env_failed(code, store->path, error);
    }
    return WEFT_OK;
}

static enum weft_status tables_open(struct store_lmdb *store, bool fresh, char *error)
{
    MDB_txn *txn = NULL;
    int code = store->read_only ? store_lmdb_space_read(store->env, &txn)
                                : mdb_txn_begin(store->env, NULL, 0, &txn);
    if (code != 0)
        return env_failed(code, store->path, error);
    enum weft_status status = format_check(store, txn, fresh, error);
    if (status == WEFT_OK)
        status = tables_open_in(store, txn, error);
    if (status != WEFT_OK) {
        mdb_txn_abort(txn);
        return status;
    }
    code = mdb_txn_commit(txn);
    return code == 0 ? WEFT_OK : env_failed(code, store->path, error);
}

static enum weft_status thread_start(struct store_lmdb *store, char *error)
{
    // Signals are the loop's.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&store->thread, NULL, store_lmdb_writer_run, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    store->thread_started = code == 0;
    if (code == 0)
        return WEFT_OK;
    snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot start the store thread: %s", strerror(code));
    return WEFT_STORAGE;
}

/// Directory, environment and tables. @return as store_lmdb_open().
static enum weft_status open_all(struct store_lmdb *store, const struct store_lmdb_options *options,
                                 char *error)
{
    enum weft_status status = WEFT_OK;
    if (!store->read_only)
        status = store_lmdb_dir_create(store->path, error);
    if (status == WEFT_OK && !store->read_only)
        status = store_lmdb_dir_lock(&store->lock_fd, store->path, error);
    if (status == WEFT_OK && !store->read_only)
        store_lmdb_space_clear_probe(store);
    bool fresh = false;
    uint64_t map_bytes_file = 0;
    if (status == WEFT_OK)
        status =
            store_lmdb_dir_check(&fresh, &map_bytes_file, store->path, store->read_only, error);
    if (status == WEFT_OK && fresh)
        status = store_lmdb_dir_clear(store->path, error);
    if (status == WEFT_OK)
        status = env_open(store, options, map_bytes_file, error);
    if (status == WEFT_OK && !store->read_only)
        status = witness_open(store, error);
    if (status == WEFT_OK)
        status = tables_open(store, fresh, error);
    int code = 0;
    if (status == WEFT_OK && fresh)
        code = store_lmdb_dir_sync(store->path);
    if (status == WEFT_OK && code == 0 && !store->read_only)
        code = store_lmdb_dir_mark(store->path);
    if (code != 0) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot sync %.300s: %s", store->path,
                 strerror(code));
        status = WEFT_STORAGE;
    }
    if (status != WEFT_OK)
        return status;
    store_lmdb_space_check_readers(store);
    store_lmdb_space_refresh(store, true);
    return store->read_only ? WEFT_OK : thread_start(store, error);
}

static void sync_init(struct store_lmdb *store)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&store->mutex, NULL);
    pthread_cond_init(&store->wake, &attributes);
    pthread_cond_init(&store->turned, &attributes);
    pthread_condattr_destroy(&attributes);
}

enum weft_status store_lmdb_open(struct store_lmdb **store_out,
                                 const struct store_lmdb_options *options, char *error)
{
    struct store_lmdb *store = calloc(1, sizeof(*store));
    char *path = strdup(options->path);
    if (store == NULL || path == NULL) {
        free(store);
        free(path);
        snprintf(error, STORE_LMDB_ERROR_BYTES, "out of memory");
        return WEFT_NO_MEMORY;
    }
    store->path = path;
    store->lock_fd = -1;
    store->witness_fd = -1;
    store->read_only = options->read_only;
    store->completed = options->completed;
    store->context = options->context;
    store->allocator = options->allocator != NULL ? *options->allocator : weft_allocator_libc();
    store->map_bytes_max =
        round_to_page(options->map_bytes_max != 0 ? options->map_bytes_max : map_bytes_max_default);
    if (store->map_bytes_max < map_bytes_min)
        store->map_bytes_max = map_bytes_min;
    for (unsigned i = 0; i < GROUP_SLOTS; i++) {
        store_lmdb_group_init(&store->groups[i], &store->allocator);
        store->idle[store->idle_count++] = &store->groups[i];
    }
    store->open = store->idle[--store->idle_count];
    sync_init(store);
    store_lmdb_port_init(store);

    enum weft_status status = open_all(store, options, error);
    if (status != WEFT_OK) {
        store_lmdb_close(store);
        return status;
    }
    *store_out = store;
    return WEFT_OK;
}

void store_lmdb_close(struct store_lmdb *store)
{
    if (store == NULL)
        return;
    assert(!store->view_open);
    store_lmdb_backup_join(store);
    if (store->thread_started) {
        pthread_mutex_lock(&store->mutex);
        store->stopping = true;
        pthread_cond_signal(&store->wake);
        pthread_mutex_unlock(&store->mutex);
        pthread_join(store->thread, NULL);
    }
    if (store->view != NULL)
        mdb_txn_abort(store->view);
    if (store->probe != NULL)
        mdb_txn_abort(store->probe);
    if (store->env != NULL)
        mdb_env_close(store->env);
    if (store->witness_fd >= 0)
        close(store->witness_fd);
    if (store->lock_fd >= 0)
        close(store->lock_fd);
    for (unsigned i = 0; i < GROUP_SLOTS; i++)
        store_lmdb_group_finish(&store->groups[i]);
    pthread_cond_destroy(&store->wake);
    pthread_cond_destroy(&store->turned);
    pthread_mutex_destroy(&store->mutex);
    free(store->path);
    free(store);
}
