// SPDX-License-Identifier: MIT
// The data directory of the LMDB store: who may write to it, and whether its file may be mapped;
// see store_lmdb_impl.h.
#include "io/store_lmdb.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/store_lmdb_file.h"
#include "io/store_lmdb_impl.h"

/// A lock of the open file: not shared with another open of it, gone when the process is.
static const struct flock whole_file = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

static bool lock_name(char *name, size_t size, const char *path)
{
    return (size_t)snprintf(name, size, "%s/weft.lock", path) < size;
}

/// The process id that the holder wrote, or 0.
static long lock_holder(int fd)
{
    char text[32] = {0};
    long pid = 0;
    if (pread(fd, text, sizeof(text) - 1, 0) > 0 && sscanf(text, "%ld", &pid) == 1 && pid > 0)
        return pid;
    return 0;
}

static enum weft_status lock_refused(int fd, int code, const char *path, char *error)
{
    if (code != EAGAIN && code != EACCES) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot lock %.300s/weft.lock: %s", path,
                 strerror(code));
        return WEFT_STORAGE;
    }
    long pid = lock_holder(fd);
    if (pid != 0)
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.300s is in use by process %ld", path, pid);
    else
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.300s is in use by another process", path);
    return WEFT_CONFLICT;
}

enum weft_status store_lmdb_dir_lock(int *lock_fd_out, const char *path, char *error)
{
    char name[4096];
    if (!lock_name(name, sizeof(name), path)) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "the path is too long");
        return WEFT_STORAGE;
    }
    int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot write %.300s: %s", name, strerror(errno));
        return WEFT_STORAGE;
    }
    struct flock lock = whole_file;
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        enum weft_status status = lock_refused(fd, errno, path, error);
        close(fd);
        return status;
    }
    // The id is for people; should the disk be too full for it, the lock holds all the same.
    char text[32];
    int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)size, 0) != size)
        (void)ftruncate(fd, 0);
    *lock_fd_out = fd;
    return WEFT_OK;
}

bool store_lmdb_dir_has_writer(const char *path)
{
    char name[4096];
    if (!lock_name(name, sizeof(name), path))
        return false;
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    struct flock lock = whole_file;
    lock.l_type = F_RDLCK; // what a descriptor for reading may ask for
    bool held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    close(fd);
    return held;
}

enum weft_status store_lmdb_dir_create(const char *path, char *error)
{
    if (mkdir(path, 0700) == 0) {
        int code = store_lmdb_dir_sync_parent(path);
        if (code == 0)
            return WEFT_OK;
        snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot sync the directory above %.300s: %s", path,
                 strerror(code));
        return WEFT_STORAGE;
    }
    int code = errno;
    struct stat stat_now;
    if (code == EEXIST && stat(path, &stat_now) == 0 && S_ISDIR(stat_now.st_mode))
        return WEFT_OK;
    snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot create the directory %.300s: %s", path,
             code == EEXIST ? "there is something else of this name" : strerror(code));
    return WEFT_STORAGE;
}

int store_lmdb_dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int code = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    // Some file systems cannot sync a directory, and need not.
    return code == EINVAL ? 0 : code;
}

int store_lmdb_dir_sync_parent(const char *path)
{
    char parent[4096];
    if ((size_t)snprintf(parent, sizeof(parent), "%s/..", path) >= sizeof(parent))
        return ENAMETOOLONG;
    return store_lmdb_dir_sync(parent);
}

/// A file that ends before its last page is damaged only if a page in use is missing.
static enum weft_status check_short_file(const struct store_lmdb_file *file,
                                         const struct store_lmdb_root *root, const char *path,
                                         char *error)
{
    struct store_lmdb_walk walk = {.file = file, .root = root};
    if (store_lmdb_walk_init(&walk) != WEFT_OK) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "out of memory");
        return WEFT_NO_MEMORY;
    }
    enum weft_status status = store_lmdb_walk_free(&walk);
    if (status == WEFT_OK)
        status = store_lmdb_walk_all_tables(&walk);
    if (status == WEFT_OK && walk.damages > 0)
        status = WEFT_MALFORMED;
    if (walk.pages_past_end > 0)
        snprintf(error, STORE_LMDB_ERROR_BYTES,
                 "%.300s/data.mdb is truncated: it has %llu bytes of %llu", path,
                 (unsigned long long)file->size,
                 (unsigned long long)((root->last_page + 1) * file->page_bytes));
    else if (status != WEFT_OK)
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.200s/data.mdb is damaged: %.200s", path,
                 walk.first);
    store_lmdb_walk_finish(&walk);
    return status;
}

static bool mark_name(char *name, size_t size, const char *path)
{
    return (size_t)snprintf(name, size, "%s/weft.used", path) < size;
}

bool store_lmdb_dir_is_marked(const char *path)
{
    char name[4096];
    return mark_name(name, sizeof(name), path) && access(name, F_OK) == 0;
}

int store_lmdb_dir_mark(const char *path)
{
    char name[4096];
    if (!mark_name(name, sizeof(name), path))
        return ENAMETOOLONG;
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return errno == EEXIST ? 0 : errno;
    close(fd);
    return store_lmdb_dir_sync(path);
}

enum weft_status store_lmdb_dir_check(bool *fresh_out, uint64_t *map_bytes_out, const char *path,
                                      bool read_only, char *error)
{
    struct store_lmdb_file file;
    char problem[STORE_LMDB_ERROR_BYTES];
    enum weft_status status = store_lmdb_file_open(&file, path, problem);
    if (status == WEFT_NOT_FOUND && store_lmdb_dir_is_marked(path)) {
        snprintf(problem, sizeof(problem), "data.mdb is gone or empty, but it held a store before");
        status = WEFT_MALFORMED;
    }
    if (status == WEFT_NOT_FOUND && !read_only) {
        *fresh_out = true;
        *map_bytes_out = 0;
        return WEFT_OK;
    }
    if (status == WEFT_NOT_FOUND) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.300s holds no weft store", path);
        return status;
    }
    if (status == WEFT_OK) {
        struct store_lmdb_root root;
        status = store_lmdb_file_root(&file, &root, 0, problem);
        // A live writer looked at the file when it opened it, and changes it under a second look.
        bool live = read_only && store_lmdb_dir_has_writer(path);
        if (status == WEFT_OK && !live && store_lmdb_file_short(&file, &root)) {
            status = check_short_file(&file, &root, path, error);
            problem[0] = '\0';
        }
        store_lmdb_file_close(&file);
        if (status == WEFT_OK) {
            *fresh_out = false;
            *map_bytes_out = root.map_bytes;
            return WEFT_OK;
        }
    }
    if (problem[0] != '\0')
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.200s: %.300s", path, problem);
    return status;
}

enum weft_status store_lmdb_dir_clear(const char *path, char *error)
{
    char name[4096];
    if ((size_t)snprintf(name, sizeof(name), "%s/data.mdb", path) < sizeof(name) &&
        (unlink(name) == 0 || errno == ENOENT))
        return WEFT_OK;
    snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot write to %.300s: %s", path, strerror(errno));
    return WEFT_STORAGE;
}
