// SPDX-License-Identifier: MIT
// LMDB's data file as bytes from outside: meta pages; see store_lmdb_file.h.
//
//   page header, 16 bytes   page number 8 | 2 unused | flags 2 | lower 2, upper 2 (or page count 4)
//   meta, behind it         magic 4 | version 4 | address 8 | map size 8 | free tree 48 |
//                           main tree 48 | last page 8 | transaction 8
//   tree, 48 bytes          4 (free tree: page size) | flags 2 | depth 2 | branch pages 8 |
//                           leaf pages 8 | overflow pages 8 | entries 8 | root page 8
#include "io/store_lmdb_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/endian.h"
#include "io/store_lmdb.h"

enum {
    META_MAGIC = 16,
    META_VERSION = 20,
    META_MAP_BYTES = 32,
    META_FREE_TREE = 40,
    META_MAIN_TREE = 88,
    META_LAST_PAGE = 136,
    META_TRANSACTION = 144,
    META_END = 152,
    TREE_BYTES = 48,
    PAGE_BYTES_MIN = 512,
    PAGE_BYTES_MAX = 65536,
};

static const uint32_t meta_magic = 0xBEEFC0DE;
static const uint32_t meta_version = 1;
static const uint16_t page_flag_meta = 8;

/// pread of exactly `size` bytes. @return 0, an errno, or -1 at the end of the file.
static int read_fully(int fd, void *bytes, size_t size, uint64_t offset)
{
    uint8_t *at = bytes;
    while (size > 0) {
        ssize_t got = pread(fd, at, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            return -1;
        at += got;
        size -= (size_t)got;
        offset += (uint64_t)got;
    }
    return 0;
}

enum weft_status store_lmdb_tree_decode(struct store_lmdb_tree *tree_out, struct span bytes)
{
    if (bytes.size != TREE_BYTES)
        return WEFT_MALFORMED;
    const uint8_t *at = bytes.data;
    struct store_lmdb_tree tree = {
        .flags = endian_get_u16(at + 4),
        .depth = endian_get_u16(at + 6),
        .branch_pages = endian_get_u64(at + 8),
        .leaf_pages = endian_get_u64(at + 16),
        .overflow_pages = endian_get_u64(at + 24),
        .entries = endian_get_u64(at + 32),
        .root = endian_get_u64(at + 40),
    };
    if (tree.depth > STORE_LMDB_DEPTH_MAX ||
        (tree.depth == 0) != (tree.root == STORE_LMDB_PAGE_NONE))
        return WEFT_MALFORMED;
    *tree_out = tree;
    return WEFT_OK;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static bool page_bytes_valid(uint32_t size)
{
    return size >= PAGE_BYTES_MIN && size <= PAGE_BYTES_MAX && (size & (size - 1)) == 0;
}

/// @param page META_END bytes of meta page `index`.
static enum weft_status meta_decode(struct store_lmdb_root *root_out, uint32_t *page_bytes_out,
                                    const uint8_t *page, unsigned index, char *error)
{
    const char *what = NULL;
    if (endian_get_u16(page + 10) != page_flag_meta || endian_get_u64(page) != index)
        what = "is not a meta page";
    else if (endian_get_u32(page + META_MAGIC) != meta_magic)
        what = "has a bad magic number";
    else if (endian_get_u32(page + META_VERSION) != meta_version)
        what = "has another data version than LMDB 0.9";
    else if (!page_bytes_valid(endian_get_u32(page + META_FREE_TREE)))
        what = "has an impossible page size";

    struct store_lmdb_root root = {
        .map_bytes = endian_get_u64(page + META_MAP_BYTES),
        .last_page = endian_get_u64(page + META_LAST_PAGE),
        .transaction = endian_get_u64(page + META_TRANSACTION),
    };
    struct span free_tree = {page + META_FREE_TREE, TREE_BYTES};
    struct span main_tree = {page + META_MAIN_TREE, TREE_BYTES};
    if (what == NULL && (store_lmdb_tree_decode(&root.free_tree, free_tree) != WEFT_OK ||
                         store_lmdb_tree_decode(&root.main_tree, main_tree) != WEFT_OK))
        what = "has an impossible root";
    // A page number times the page size must stay a file offset.
    if (what == NULL && root.last_page > (uint64_t)INT64_MAX / PAGE_BYTES_MAX)
        what = "has an impossible last page";
    if (what != NULL) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "meta page %u of data.mdb %s", index, what);
        return WEFT_MALFORMED;
    }
    *root_out = root;
    *page_bytes_out = endian_get_u32(page + META_FREE_TREE);
    return WEFT_OK;
}

/// Did the file never hold a transaction? Then it was being created when the power failed: no more
/// than two pages, each blank or as LMDB first writes it.
static bool never_used(const struct store_lmdb_file *file)
{
    enum { page_bytes = 4096 }; // LMDB takes the system's
    uint8_t bytes[2 * page_bytes] = {0};
    if (file->size > sizeof(bytes) || file->size % page_bytes != 0 ||
        read_fully(file->fd, bytes, file->size, 0) != 0)
        return false;
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *page = bytes + (size_t)i * page_bytes;
        struct store_lmdb_root root;
        uint32_t page_bytes_found;
        char error[STORE_LMDB_ERROR_BYTES];
        if (is_zero(page, page_bytes))
            continue;
        if (meta_decode(&root, &page_bytes_found, page, i, error) != WEFT_OK ||
            root.transaction != 0)
            return false;
    }
    return true;
}

static enum weft_status read_failed(int code, const char *what, char *error)
{
    if (code < 0) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "data.mdb is truncated: it ends inside of %s",
                 what);
        return WEFT_MALFORMED;
    }
    snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot read %s of data.mdb: %s", what, strerror(code));
    return WEFT_STORAGE;
}

/// Reads and decodes both meta pages. @param page_bytes 0: not known yet, taken from the first.
static enum weft_status metas_read(int fd, struct store_lmdb_root roots_out[2],
                                   uint32_t *page_bytes, char *error)
{
    for (unsigned i = 0; i < 2; i++) {
        uint8_t page[META_END];
        int code = read_fully(fd, page, sizeof(page), (uint64_t)i * *page_bytes);
        if (code != 0)
            return read_failed(code, "its meta pages", error);
        uint32_t page_bytes_found;
        enum weft_status status = meta_decode(&roots_out[i], &page_bytes_found, page, i, error);
        if (status != WEFT_OK)
            return status;
        if (*page_bytes == 0)
            *page_bytes = page_bytes_found;
        if (*page_bytes != page_bytes_found) {
            snprintf(error, STORE_LMDB_ERROR_BYTES,
                     "the meta pages of data.mdb disagree on the page size");
            return WEFT_MALFORMED;
        }
    }
    return WEFT_OK;
}

/// As metas_read(), until two readings agree: a live writer changes them at each commit.
static enum weft_status metas_read_stable(int fd, struct store_lmdb_root roots_out[2],
                                          uint32_t *page_bytes, char *error)
{
    enum { tries_max = 100 };
    struct store_lmdb_root roots[2] = {0};
    enum weft_status status = metas_read(fd, roots_out, page_bytes, error);
    for (unsigned i = 0; i < tries_max; i++) {
        memcpy(roots, roots_out, sizeof(roots));
        enum weft_status again = metas_read(fd, roots_out, page_bytes, error);
        if (again == status && memcmp(roots, roots_out, sizeof(roots)) == 0)
            return status;
        status = again;
    }
    snprintf(error, STORE_LMDB_ERROR_BYTES, "the meta pages of data.mdb keep changing");
    return WEFT_STORAGE;
}

enum weft_status store_lmdb_file_open(struct store_lmdb_file *file, const char *path, char *error)
{
    char name[4096];
    if ((size_t)snprintf(name, sizeof(name), "%s/data.mdb", path) >= sizeof(name)) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "the path is too long");
        return WEFT_STORAGE;
    }
    struct store_lmdb_file opened = {.fd = open(name, O_RDONLY | O_CLOEXEC)};
    if (opened.fd < 0) {
        int code = errno;
        snprintf(error, STORE_LMDB_ERROR_BYTES, "cannot open %.300s: %s", name, strerror(code));
        return code == ENOENT ? WEFT_NOT_FOUND : WEFT_STORAGE;
    }
    struct stat stat;
    enum weft_status status = WEFT_OK;
    if (fstat(opened.fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.300s is not a regular file", name);
        status = WEFT_STORAGE;
    } else {
        opened.size = (uint64_t)stat.st_size;
        if (never_used(&opened)) {
            snprintf(error, STORE_LMDB_ERROR_BYTES, "%.300s holds nothing", name);
            status = WEFT_NOT_FOUND;
        } else {
            struct store_lmdb_root roots[2] = {0};
            status = metas_read_stable(opened.fd, roots, &opened.page_bytes, error);
        }
    }
    if (status != WEFT_OK) {
        close(opened.fd);
        return status;
    }
    *file = opened;
    return WEFT_OK;
}

void store_lmdb_file_close(struct store_lmdb_file *file)
{
    close(file->fd);
    file->fd = -1;
}

enum weft_status store_lmdb_file_root(struct store_lmdb_file *file,
                                      struct store_lmdb_root *root_out, uint64_t transaction,
                                      char *error)
{
    struct store_lmdb_root roots[2] = {0};
    enum weft_status status = metas_read_stable(file->fd, roots, &file->page_bytes, error);
    if (status != WEFT_OK)
        return status;
    struct stat stat; // pages are written before the meta page that names them
    if (fstat(file->fd, &stat) == 0)
        file->size = (uint64_t)stat.st_size;
    for (unsigned i = 0; i < 2; i++) {
        if (transaction != 0 && roots[i].transaction == transaction) {
            *root_out = roots[i];
            return WEFT_OK;
        }
    }
    if (transaction != 0) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "transaction %llu is gone",
                 (unsigned long long)transaction);
        return WEFT_NOT_FOUND;
    }

    // Transaction n writes page n mod 2, one after the other; anything else is a damaged number,
    // and LMDB would quietly take an older state for the newest.
    unsigned newest = roots[1].transaction > roots[0].transaction;
    uint64_t number = roots[newest].transaction;
    if (number > 0 && ((number & 1) != newest || roots[!newest].transaction != number - 1)) {
        snprintf(error, STORE_LMDB_ERROR_BYTES,
                 "the meta pages of data.mdb do not follow each other: transactions %llu and %llu",
                 (unsigned long long)roots[0].transaction,
                 (unsigned long long)roots[1].transaction);
        return WEFT_MALFORMED;
    }
    *root_out = roots[newest];
    return WEFT_OK;
}

bool store_lmdb_file_short(const struct store_lmdb_file *file, const struct store_lmdb_root *root)
{
    return root->last_page >= file->size / file->page_bytes;
}

enum weft_status store_lmdb_file_overflow(const struct store_lmdb_file *file,
                                          const struct store_lmdb_leaf *leaf, uint8_t *bytes)
{
    uint64_t offset = leaf->overflow_page * file->page_bytes + 16;
    return read_fully(file->fd, bytes, leaf->size, offset) == 0 ? WEFT_OK : WEFT_STORAGE;
}
