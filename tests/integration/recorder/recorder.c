// SPDX-License-Identifier: MIT
// A preloaded library that keeps, beside a program's files, an image of them as last synced: what a
// power cut would leave if nothing had been written out by chance. kill -9 cannot show that.
//
//   write, pwrite, writev ...  --> the file  and  pending writes of that file, in memory
//   fdatasync, fsync           --> the file's pending writes go to the image, then the call returns
//   a write through O_DSYNC    --> goes to the image at once (LMDB writes its meta page so)
//   the process dies           --> pending writes are gone, the image stays
//
// Use:
//
//   WEFT_RECORDER_FILES=DATA WEFT_RECORDER_IMAGE=IMAGE LD_PRELOAD=libweft_recorder.so weft serve
//   ... flock -s IMAGE/.lock cp -r IMAGE/. COPY        a consistent copy at any moment, to be
//   opened
//
// WEFT_RECORDER_FILES is the directory whose files are recorded, as the program names it or
// absolute; WEFT_RECORDER_IMAGE exists already and gets files of the same relative names. Both
// outlive a process: started again, it goes on with the same image. A program with ASan wants
// ASAN_OPTIONS=verify_asan_link_order=0 as well.
//
// Faults, each counted over all recorded files from 1:
//
//   WEFT_RECORDER_FAIL_SYNC_FROM=n    the n-th fdatasync/fsync and all behind it fail with EIO
//   WEFT_RECORDER_FAIL_WRITE_FROM=n   the n-th write and all behind it fail
//   WEFT_RECORDER_WRITE_ERRNO=code    with this instead of EIO
//   IMAGE/.fail-sync, IMAGE/.fail-write   existing: as if n had been reached; may come and go
//   IMAGE/.fail-sync-once             the next sync fails, and this file is gone
//   IMAGE/.fail-space                 existing: posix_fallocate says ENOSPC
//
// What a failed sync should have written is dropped, as Linux does: a later sync does not bring it.
// It is told, as Linux does, once to each descriptor that was open then.
//
// Not modelled: names (creation and removal count as durable at once), copies of descriptors, and
// writes through a shared map; a file that is so mapped (LMDB's lock.mdb) leaves the recording.
// Includes nothing of weft. Linux.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { DESCRIPTORS_MAX = 1 << 16, FILES_MAX = 256 };

/// A write, or a change of size (`bytes` NULL), that is not synced.
struct pending {
    struct pending *next;
    off_t offset; // or the new size
    size_t size;
    uint8_t bytes[];
};

struct file {
    bool used;
    dev_t device;
    ino_t inode;
    int image;  // descriptor of the image
    bool whole; // the file was there before this process: its first sync brings all of it
    struct pending *first;
    struct pending *last;
    unsigned losses; // syncs that failed
};

struct descriptor {
    _Atomic(struct file *) file; // NULL: not recorded
    bool synchronous;            // O_DSYNC
    unsigned losses_told;        // of the file's
};

static struct descriptor descriptors[DESCRIPTORS_MAX];
static struct file files[FILES_MAX];
static char files_path[PATH_MAX]; // absolute, without a slash at its end; empty: record nothing
static char image_path[PATH_MAX];
static int lock_fd = -1;
static unsigned long sync_count, sync_fails_from, write_count, write_fails_from;
static int write_errno = EIO;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

_Noreturn static void give_up(const char *what)
{
    char text[256];
    int size = snprintf(text, sizeof(text), "recorder: %s: %s\n", what, strerror(errno));
    syscall(SYS_write, STDERR_FILENO, text, (size_t)size);
    abort();
}

// ------------------------------------------------------------------------------------------ set-up

static unsigned long number_of(const char *name)
{
    const char *text = getenv(name);
    return text != NULL ? strtoul(text, NULL, 10) : 0;
}

static void initialize(void)
{
    const char *watched = getenv("WEFT_RECORDER_FILES");
    const char *image = getenv("WEFT_RECORDER_IMAGE");
    if (watched == NULL || image == NULL)
        return;
    char name[PATH_MAX + 16];
    if (realpath(image, image_path) == NULL)
        give_up("WEFT_RECORDER_IMAGE");
    snprintf(name, sizeof(name), "%s/.lock", image_path);
    lock_fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock_fd < 0)
        give_up(name);
    sync_fails_from = number_of("WEFT_RECORDER_FAIL_SYNC_FROM");
    write_fails_from = number_of("WEFT_RECORDER_FAIL_WRITE_FROM");
    if (number_of("WEFT_RECORDER_WRITE_ERRNO") != 0)
        write_errno = (int)number_of("WEFT_RECORDER_WRITE_ERRNO");
    // The program may mean to create it; its name is needed now.
    if (syscall(SYS_mkdirat, AT_FDCWD, watched, 0700) != 0 && errno != EEXIST)
        give_up("WEFT_RECORDER_FILES");
    if (realpath(watched, files_path) == NULL)
        give_up("WEFT_RECORDER_FILES");
}

/// The name below the recorded directory, or NULL.
static const char *name_below(int fd, char absolute[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = syscall(SYS_readlink, link, absolute, (size_t)PATH_MAX - 1);
    if (size <= 0)
        return NULL;
    absolute[size] = '\0';
    size_t prefix = strlen(files_path);
    if (strncmp(absolute, files_path, prefix) != 0 || absolute[prefix] != '/')
        return NULL;
    return absolute + prefix + 1;
}

// ------------------------------------------------------------------------------------------ images

static void image_write(struct file *file, const void *bytes, size_t size, off_t offset)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        long done = syscall(SYS_pwrite64, file->image, at, size, offset);
        if (done <= 0)
            give_up("cannot write an image");
        at += done;
        size -= (size_t)done;
        offset += done;
    }
}

static void image_resize(struct file *file, off_t size)
{
    if (syscall(SYS_ftruncate, file->image, size) != 0)
        give_up("cannot resize an image");
}

/// The whole file as the kernel has it now.
static void image_copy(struct file *file, int fd)
{
    static uint8_t bytes[1 << 16];
    char name[64];
    snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
    int from = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
    if (from < 0)
        give_up("cannot read a file");
    off_t offset = 0;
    long size;
    while ((size = syscall(SYS_pread64, from, bytes, sizeof(bytes), offset)) > 0) {
        image_write(file, bytes, (size_t)size, offset);
        offset += size;
    }
    if (size < 0)
        give_up("cannot read a file");
    image_resize(file, offset);
    syscall(SYS_close, from);
}

/// Opens the image of a file, and the directories that it needs. @return whether it was there.
static bool image_open(struct file *file, const char *below)
{
    char name[2 * PATH_MAX];
    snprintf(name, sizeof(name), "%s/%s", image_path, below);
    for (char *at = name + strlen(image_path) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        syscall(SYS_mkdirat, AT_FDCWD, name, 0700);
        *at = '/';
    }
    file->image = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CLOEXEC, 0);
    if (file->image >= 0)
        return true;
    file->image = (int)syscall(SYS_openat, AT_FDCWD, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->image < 0)
        give_up(name);
    return false;
}

static void image_remove(const char *below)
{
    char name[2 * PATH_MAX];
    snprintf(name, sizeof(name), "%s/%s", image_path, below);
    syscall(SYS_unlinkat, AT_FDCWD, name, 0);
}

// ----------------------------------------------------------------------------------------- pending

static void pending_clear(struct file *file)
{
    while (file->first != NULL) {
        struct pending *next = file->first->next;
        free(file->first);
        file->first = next;
    }
    file->last = NULL;
}

/// @param vector NULL: a change of size to `offset`.
static void pending_add(struct file *file, const struct iovec *vector, int count, size_t size,
                        off_t offset)
{
    struct pending *pending = malloc(sizeof(*pending) + size);
    if (pending == NULL)
        give_up("out of memory");
    *pending = (struct pending){.offset = offset, .size = size};
    size_t at = 0;
    for (int i = 0; i < count && at < size; i++) {
        size_t part = vector[i].iov_len < size - at ? vector[i].iov_len : size - at;
        memcpy(pending->bytes + at, vector[i].iov_base, part);
        at += part;
    }
    if (file->last != NULL)
        file->last->next = pending;
    else
        file->first = pending;
    file->last = pending;
}

/// What is pending becomes durable. Copies of the image are made under the same lock.
static void pending_apply(struct file *file, int fd)
{
    flock(lock_fd, LOCK_EX);
    if (file->whole)
        image_copy(file, fd);
    file->whole = false;
    for (const struct pending *p = file->first; p != NULL; p = p->next) {
        if (p->size == 0)
            image_resize(file, p->offset);
        else
            image_write(file, p->bytes, p->size, p->offset);
    }
    flock(lock_fd, LOCK_UN);
    pending_clear(file);
}

// ------------------------------------------------------------------------------------- descriptors

/// The record of an open file; begins it, with its image, when there is none.
static struct file *file_get(int fd, const struct stat *stat, const char *below)
{
    struct file *unused = NULL;
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct file *file = &files[i];
        if (file->used && file->device == stat->st_dev && file->inode == stat->st_ino)
            return file;
        if (!file->used && unused == NULL)
            unused = file;
    }
    if (unused == NULL)
        give_up("too many files");
    *unused = (struct file){.used = true, .device = stat->st_dev, .inode = stat->st_ino};
    unused->whole = image_open(unused, below);
    if (!unused->whole && stat->st_size > 0)
        image_copy(unused, fd); // taken to be on the disk
    return unused;
}

/// Called behind every successful open.
static int opened(int fd, int flags)
{
    if (fd < 0 || fd >= DESCRIPTORS_MAX)
        return fd;
    pthread_once(&once, initialize);
    descriptors[fd].file = NULL;
    char absolute[PATH_MAX];
    struct stat stat;
    if (files_path[0] == '\0' || (flags & O_ACCMODE) == O_RDONLY || (flags & O_PATH) != 0 ||
        fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode))
        return fd;
    const char *below = name_below(fd, absolute);
    if (below == NULL)
        return fd;
    pthread_mutex_lock(&mutex);
    struct file *file = file_get(fd, &stat, below);
    if ((flags & O_TRUNC) != 0)
        pending_add(file, NULL, 0, 0, 0);
    descriptors[fd].synchronous = (flags & O_DSYNC) != 0;
    descriptors[fd].losses_told = file->losses;
    descriptors[fd].file = file;
    pthread_mutex_unlock(&mutex);
    return fd;
}

static struct file *file_of(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS_MAX ? descriptors[fd].file : NULL;
}

/// The file is written in ways that cannot be seen: forget it.
static void file_drop(struct file *file, const char *below)
{
    for (unsigned fd = 0; fd < DESCRIPTORS_MAX; fd++)
        if (descriptors[fd].file == file)
            descriptors[fd].file = NULL;
    pending_clear(file);
    syscall(SYS_close, file->image);
    file->used = false;
    image_remove(below);
}

// ------------------------------------------------------------------------------------------ faults

static bool told_to_fail(const char *control)
{
    char name[PATH_MAX + 32];
    snprintf(name, sizeof(name), "%s/%s", image_path, control);
    return syscall(SYS_faccessat, AT_FDCWD, name, F_OK) == 0;
}

static bool told_to_fail_once(const char *control)
{
    char name[PATH_MAX + 32];
    snprintf(name, sizeof(name), "%s/%s", image_path, control);
    return syscall(SYS_unlinkat, AT_FDCWD, name, 0) == 0;
}

static bool write_fails(void)
{
    write_count++;
    return (write_fails_from != 0 && write_count >= write_fails_from) ||
           told_to_fail(".fail-write");
}

static bool sync_fails(void)
{
    sync_count++;
    return (sync_fails_from != 0 && sync_count >= sync_fails_from) || told_to_fail(".fail-sync") ||
           told_to_fail_once(".fail-sync-once");
}

// --------------------------------------------------------------------------------------------- the
// calls

/// A write to a recorded file. @param offset -1: where the descriptor stands.
static ssize_t recorded_write(int fd, struct file *file, const struct iovec *vector, int count,
                              off_t offset)
{
    pthread_mutex_lock(&mutex);
    long done = -1;
    if (write_fails()) {
        errno = write_errno;
    } else {
        off_t at = offset;
        if (offset < 0) {
            bool appends = (syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND) != 0;
            at = syscall(SYS_lseek, fd, 0, SEEK_CUR);
            struct stat stat;
            if (appends && fstat(fd, &stat) == 0)
                at = stat.st_size;
            done = syscall(SYS_writev, fd, vector, count);
        } else {
            done = syscall(SYS_pwritev, fd, vector, count, offset, 0);
        }
        if (done > 0) {
            pending_add(file, vector, count, (size_t)done, at);
            if (descriptors[fd].synchronous) {
                // It stays pending too, lest an older one overwrites it at the next sync.
                flock(lock_fd, LOCK_EX);
                image_write(file, file->last->bytes, file->last->size, file->last->offset);
                flock(lock_fd, LOCK_UN);
            }
        }
    }
    pthread_mutex_unlock(&mutex);
    return done;
}

static int recorded_sync(int fd, struct file *file, long call)
{
    pthread_mutex_lock(&mutex);
    int code = -1;
    if (sync_fails()) {
        pending_clear(file);
        file->losses++;
    }
    if (descriptors[fd].losses_told != file->losses) {
        descriptors[fd].losses_told = file->losses;
        errno = EIO;
    } else {
        code = (int)syscall(call, fd);
        if (code == 0)
            pending_apply(file, fd);
    }
    pthread_mutex_unlock(&mutex);
    return code;
}

static int recorded_resize(int fd, off_t size)
{
    struct file *file = file_of(fd);
    if (file == NULL)
        return (int)syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&mutex);
    int code = (int)syscall(SYS_ftruncate, fd, size);
    if (code == 0)
        pending_add(file, NULL, 0, 0, size);
    pthread_mutex_unlock(&mutex);
    return code;
}

static int plain_open(int directory, const char *path, int flags, mode_t mode)
{
    return opened((int)syscall(SYS_openat, directory, path, flags, mode), flags);
}

#define MODE_OF(flags, last)                                                                       \
    mode_t mode = 0;                                                                               \
    if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                              \
        va_list arguments;                                                                         \
        va_start(arguments, last);                                                                 \
        mode = va_arg(arguments, mode_t);                                                          \
        va_end(arguments);                                                                         \
    }

// glibc declares some of these nonnull and under other names when large files are on; here they are
// symbols and nothing else.
int open(const char *path, int flags, ...)
{
    MODE_OF(flags, flags)
    return plain_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, flags)
    return plain_open(AT_FDCWD, path, flags, mode);
}

int openat(int directory, const char *path, int flags, ...)
{
    MODE_OF(flags, flags)
    return plain_open(directory, path, flags, mode);
}

int openat64(int directory, const char *path, int flags, ...)
{
    MODE_OF(flags, flags)
    return plain_open(directory, path, flags, mode);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return plain_open(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return plain_open(AT_FDCWD, path, flags, 0);
}

int creat(const char *path, mode_t mode)
{
    return plain_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

int close(int fd)
{
    if (file_of(fd) != NULL)
        descriptors[fd].file = NULL;
    return (int)syscall(SYS_close, fd);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    struct file *file = file_of(fd);
    struct iovec vector = {(void *)(uintptr_t)bytes, size};
    return file == NULL ? syscall(SYS_write, fd, bytes, size)
                        : recorded_write(fd, file, &vector, 1, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    struct file *file = file_of(fd);
    struct iovec vector = {(void *)(uintptr_t)bytes, size};
    return file == NULL || offset < 0 ? syscall(SYS_pwrite64, fd, bytes, size, offset)
                                      : recorded_write(fd, file, &vector, 1, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    return pwrite(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *vector, int count)
{
    struct file *file = file_of(fd);
    return file == NULL ? syscall(SYS_writev, fd, vector, count)
                        : recorded_write(fd, file, vector, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    struct file *file = file_of(fd);
    return file == NULL || offset < 0 ? syscall(SYS_pwritev, fd, vector, count, offset, 0)
                                      : recorded_write(fd, file, vector, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *vector, int count, off64_t offset)
{
    return pwritev(fd, vector, count, offset);
}

int fdatasync(int fd)
{
    struct file *file = file_of(fd);
    return file == NULL ? (int)syscall(SYS_fdatasync, fd) : recorded_sync(fd, file, SYS_fdatasync);
}

int fsync(int fd)
{
    struct file *file = file_of(fd);
    return file == NULL ? (int)syscall(SYS_fsync, fd) : recorded_sync(fd, file, SYS_fsync);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    pthread_once(&once, initialize);
    if (files_path[0] != '\0' && told_to_fail(".fail-space"))
        return ENOSPC;
    return syscall(SYS_fallocate, fd, 0, offset, size) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off64_t offset, off64_t size)
{
    return posix_fallocate(fd, offset, size);
}

int ftruncate(int fd, off_t size)
{
    return recorded_resize(fd, size);
}

int ftruncate64(int fd, off64_t size)
{
    return recorded_resize(fd, size);
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
    struct file *file = (flags & MAP_ANONYMOUS) == 0 ? file_of(fd) : NULL;
    if (file != NULL && (flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_WRITE) != 0) {
        char absolute[PATH_MAX];
        const char *below = name_below(fd, absolute);
        pthread_mutex_lock(&mutex);
        if (below != NULL)
            file_drop(file, below);
        pthread_mutex_unlock(&mutex);
    }
    return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

void *mmap64(void *address, size_t size, int protection, int flags, int fd, off64_t offset)
{
    return mmap(address, size, protection, flags, fd, offset);
}

int unlink(const char *path)
{
    pthread_once(&once, initialize);
    int fd = files_path[0] != '\0' ? (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH | O_CLOEXEC, 0)
                                   : -1;
    char absolute[PATH_MAX];
    const char *below = fd >= 0 ? name_below(fd, absolute) : NULL;
    struct stat stat;
    if (below != NULL && fstat(fd, &stat) == 0) {
        pthread_mutex_lock(&mutex);
        for (unsigned i = 0; i < FILES_MAX; i++)
            if (files[i].used && files[i].device == stat.st_dev && files[i].inode == stat.st_ino)
                file_drop(&files[i], below);
        image_remove(below);
        pthread_mutex_unlock(&mutex);
    }
    if (fd >= 0)
        syscall(SYS_close, fd);
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}
