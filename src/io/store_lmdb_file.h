// SPDX-License-Identifier: MIT
// LMDB's data file as bytes from outside: read with pread, every number checked before it is used.
//
// LMDB trusts its file: a truncated one ends in SIGBUS, a flipped bit in a wild pointer. So a data
// directory is looked at here before it is mapped (store_lmdb_open), and `check` never maps it at
// all.
//
//   page 0, 1   meta pages; transaction n writes page n mod 2
//   meta        -> tree of free pages  (transaction -> list of page numbers)
//               -> main tree           (name of a table -> that table's root)
//   tree        branch pages over leaf pages; a leaf's value is inline or in a run of overflow
//   pages
//
// Every page of the file is in one tree or on the free list, once; pages that are neither are lost,
// which is harmless. Source: the file format of LMDB 0.9 (data version 1), 64-bit, little-endian.
// May include: base/, weft/.
#ifndef WEFT_IO_STORE_LMDB_FILE_H
#define WEFT_IO_STORE_LMDB_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#include "base/bytes.h"

/// No page: the root of an empty tree.
#define STORE_LMDB_PAGE_NONE UINT64_MAX
/// Levels that a tree may have; LMDB's own bound of its cursors.
#define STORE_LMDB_DEPTH_MAX 32

struct store_lmdb_file {
    int fd;
    uint32_t page_bytes;
    uint64_t size;
};

/// A tree's root record, as it is in a meta page or in the main tree.
struct store_lmdb_tree {
    uint16_t flags;
    uint16_t depth;
    uint64_t branch_pages;
    uint64_t leaf_pages;
    uint64_t overflow_pages;
    uint64_t entries;
    uint64_t root;
};

/// One committed state of the whole file.
struct store_lmdb_root {
    uint64_t map_bytes;
    uint64_t last_page;
    uint64_t transaction;
    struct store_lmdb_tree free_tree;
    struct store_lmdb_tree main_tree;
};

/// Opens DIR/data.mdb for reading and checks both meta pages.
///
/// @param error STORE_LMDB_ERROR_BYTES, set on failure.
/// @return WEFT_OK; WEFT_NOT_FOUND: there is no file, or none that ever held a transaction;
/// WEFT_MALFORMED, WEFT_STORAGE. On failure nothing is open.
WEFT_MUST_USE enum weft_status store_lmdb_file_open(struct store_lmdb_file *file, const char *path,
                                                    char *error);
void store_lmdb_file_close(struct store_lmdb_file *file);

/// Reads the state of a transaction, or the newest one if `transaction` is 0, and the file's size
/// anew.
/// @return WEFT_OK, WEFT_NOT_FOUND (neither meta page has it), WEFT_MALFORMED or WEFT_STORAGE.
WEFT_MUST_USE enum weft_status store_lmdb_file_root(struct store_lmdb_file *file,
                                                    struct store_lmdb_root *root_out,
                                                    uint64_t transaction, char *error);

/// Does the file end before the last page of `root`? That alone is no damage: pages that a
/// transaction took and gave back at the end of the file are never written.
bool store_lmdb_file_short(const struct store_lmdb_file *file, const struct store_lmdb_root *root);

// -------------------------------------------------------------------------------------------- walk

/// One record of a leaf. Borrowed for the call.
struct store_lmdb_leaf {
    struct span key;
    uint16_t flags;           // STORE_LMDB_LEAF_*
    struct span inline_value; // `data` NULL when it is in overflow pages
    uint64_t overflow_page;
    uint64_t size; // bytes of the value
};

#define STORE_LMDB_LEAF_BIG 1   // the value is in overflow pages
#define STORE_LMDB_LEAF_TABLE 2 // the value is a tree's root record

/// A walk over the trees of one state; marks the pages that it meets.
struct store_lmdb_walk {
    const struct store_lmdb_file *file;
    const struct store_lmdb_root *root;
    void (*damage)(void *context, const char *text); // one problem; may be NULL
    void *context;
    uint64_t damages;        // problems so far
    uint64_t pages;          // pages in trees so far
    uint64_t pages_free;     // pages on the free list so far
    uint64_t pages_past_end; // of the problems: pages beyond the end of the file
    // The walk's own.
    uint64_t page_count; // whole pages of the file
    uint8_t *seen;       // a bit for each of them
    uint8_t *levels;     // one page for each level
    char first[256];     // the first problem's text
};

/// @return WEFT_OK or WEFT_NO_MEMORY. `walk` has file, root, damage and context set.
WEFT_MUST_USE enum weft_status store_lmdb_walk_init(struct store_lmdb_walk *walk);
void store_lmdb_walk_finish(struct store_lmdb_walk *walk);

/// Visits the records of a tree in order; damaged parts are reported and passed over.
///
/// @param name For reports.
/// @param visit May be NULL. @return of it: whether to go on.
/// @return WEFT_OK, or WEFT_STORAGE when the file could not be read.
WEFT_MUST_USE enum weft_status store_lmdb_walk_tree(
    struct store_lmdb_walk *walk, const struct store_lmdb_tree *tree, const char *name,
    bool (*visit)(void *context, const struct store_lmdb_leaf *leaf), void *context);

/// Walks the list of free pages.
WEFT_MUST_USE enum weft_status store_lmdb_walk_free(struct store_lmdb_walk *walk);

/// Tables that a file may have; more are damage.
#define STORE_LMDB_TREES_MAX 16

struct store_lmdb_table_root {
    char name[32];
    struct store_lmdb_tree tree;
};

/// Walks the main tree and collects the tables' roots.
WEFT_MUST_USE enum weft_status
store_lmdb_walk_main(struct store_lmdb_walk *walk,
                     struct store_lmdb_table_root roots_out[STORE_LMDB_TREES_MAX],
                     unsigned *count_out);

/// Walks the main tree and each table in it, looking at the structure only.
WEFT_MUST_USE enum weft_status store_lmdb_walk_all_tables(struct store_lmdb_walk *walk);

/// Decodes a tree's root record from a leaf of the main tree. @return WEFT_OK or WEFT_MALFORMED.
WEFT_MUST_USE enum weft_status store_lmdb_tree_decode(struct store_lmdb_tree *tree_out,
                                                      struct span bytes);

/// Reads a value that is in overflow pages. @param bytes `leaf->size` of room.
WEFT_MUST_USE enum weft_status store_lmdb_file_overflow(const struct store_lmdb_file *file,
                                                        const struct store_lmdb_leaf *leaf,
                                                        uint8_t *bytes);

/// Reports a problem found by the caller.
void store_lmdb_walk_damage(struct store_lmdb_walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
