// SPDX-License-Identifier: MIT
// Copies of a live LMDB store; see store_lmdb.h.
#include "io/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/store_lmdb_impl.h"

/// LMDB writes the copy, but does not sync it.
static int file_sync(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return code;
}

static int copy(struct store_lmdb *store, const char *path, const char *name)
{
    MDB_txn *txn = NULL;
    int code = store_lmdb_space_read(store->env, &txn); // follows the map of another process
    if (code == 0) {
        mdb_txn_abort(txn);
        code = mdb_env_copy2(store->env, path, MDB_CP_COMPACT);
    }
    if (code == 0)
        code = file_sync(name);
    if (code == 0)
        code = store_lmdb_dir_sync(path);
    if (code == 0)
        code = store_lmdb_dir_sync_parent(path);
    return code;
}

static void *backup_run(void *context)
{
    struct store_lmdb *store = context;
    struct store_lmdb_backup *backup = &store->backup;
    char name[4096];
    char text[STORE_LMDB_ERROR_BYTES] = "";
    int code = ENAMETOOLONG;
    if ((size_t)snprintf(name, sizeof(name), "%s/data.mdb", backup->path) < sizeof(name)) {
        store_lmdb_view_enter(store);
        code = copy(store, backup->path, name);
        store_lmdb_view_leave(store);
    }
    if (code != 0) {
        snprintf(text, sizeof(text), "cannot copy to %.300s: %s", backup->path, mdb_strerror(code));
        if (code != ENAMETOOLONG)
            unlink(name);
        rmdir(backup->path);
    }
    // After this the loop may join and begin another.
    void (*done)(void *, enum weft_status, const char *) = backup->done;
    void *done_context = backup->context;
    pthread_mutex_lock(&store->mutex);
    backup->running = false;
    pthread_cond_broadcast(&store->turned);
    pthread_mutex_unlock(&store->mutex);
    done(done_context, code == 0 ? WEFT_OK : WEFT_STORAGE, text);
    return NULL;
}

void store_lmdb_backup_join(struct store_lmdb *store)
{
    struct store_lmdb_backup *backup = &store->backup;
    if (!backup->started)
        return;
    pthread_join(backup->thread, NULL);
    backup->started = false;
    free(backup->path);
    backup->path = NULL;
}

/// Creates the directory, or sees that it is empty (rmdir refuses one that is not).
static enum weft_status target_create(const char *path, char *error)
{
    int code = rmdir(path) == 0 || errno == ENOENT ? 0 : errno;
    if (code == 0 && mkdir(path, 0700) != 0)
        code = errno;
    if (code == 0)
        return WEFT_OK;
    bool taken = code == ENOTEMPTY || code == EEXIST || code == ENOTDIR;
    snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot back up to %.300s: %s", path,
             taken ? "it is not an empty directory" : strerror(code));
    return taken ? WEFT_CONFLICT : WEFT_STORAGE;
}

static bool backup_running(struct store_lmdb *store)
{
    pthread_mutex_lock(&store->mutex);
    bool running = store->backup.running;
    pthread_mutex_unlock(&store->mutex);
    return running;
}

static int backup_start(struct store_lmdb *store)
{
    struct store_lmdb_backup *backup = &store->backup;
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&backup->thread, NULL, backup_run, store);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

enum weft_status store_lmdb_backup(struct store_lmdb *store, const char *path,
                                   void (*done)(void *context, enum weft_status status,
                                                const char *text),
                                   void *context, char *error)
{
    if (backup_running(store)) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "a backup is under way");
        return WEFT_CONFLICT;
    }
    store_lmdb_backup_join(store);
    enum weft_status status = target_create(path, error);
    if (status != WEFT_OK)
        return status;
    struct store_lmdb_backup *backup = &store->backup;
    backup->path = strdup(path);
    backup->done = done;
    backup->context = context;
    pthread_mutex_lock(&store->mutex);
    int code = backup->path != NULL ? backup_start(store) : ENOMEM;
    backup->started = code == 0;
    backup->running = code == 0;
    pthread_mutex_unlock(&store->mutex);
    if (code == 0)
        return WEFT_OK;
    free(backup->path);
    backup->path = NULL;
    rmdir(path);
    snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot start a backup: %s", strerror(code));
    return WEFT_STORAGE;
}
