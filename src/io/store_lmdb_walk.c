// SPDX-License-Identifier: MIT
// A walk over the trees of LMDB's data file, for which nothing in the file is beyond doubt; see
// store_lmdb_file.h.
//
//   page    header 16 | offsets of the nodes, 2 each, up to `lower` | free | nodes from `upper` on
//   node    8 bytes | key | value (leaf), padded to 2
//           leaf:   value size 4 | flags 2 | key size 2      flag 1: value is an overflow page's
//           number branch: child's page 6 (in the places of size and flags) | key size 2
//
// Whatever LMDB relies on is checked: kind and own number of a page, bounds and exact sum of its
// nodes, order of keys inside of the page and against the parent's separators, equal depth of all
// leaves, each page used once, and the counts in the tree's root record. So a bit that changes what
// a search finds is found; one that changes nothing (unused bytes, a separator that still
// separates) is none.
#include "base/endian.h"
#include "io/store_lmdb_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/store_lmdb_record.h"

enum {
    PAGE_HEADER_BYTES = 16,
    NODE_HEADER_BYTES = 8,
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    PAGE_OVERFLOW = 4,
    TRANSACTION_BYTES = 8, // key of the free tree
};

struct tree_walk {
    struct store_lmdb_walk *walk;
    const struct store_lmdb_tree *tree;
    const char *name;
    bool numbers; // keys are transactions, compared as numbers
    bool (*visit)(void *context, const struct store_lmdb_leaf *leaf);
    void *context;
    bool stopped;
    enum weft_status status;      // WEFT_STORAGE: reading failed
    struct store_lmdb_tree found; // counts so far
};

/// A page that passed its own checks. Bytes are those of its level, until the next page there.
struct page {
    const uint8_t *bytes;
    uint64_t number;
    uint32_t size;
    unsigned count;
    bool leaf;
};

struct node {
    struct span key;
    uint64_t child;       // branch
    uint32_t size;        // leaf: bytes of the value
    uint16_t flags;       // leaf
    const uint8_t *value; // leaf: the bytes inside of the page
};

void store_lmdb_walk_damage(struct store_lmdb_walk *walk, const char *format, ...)
{
    char text[sizeof(walk->first)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (walk->damages++ == 0)
        memcpy(walk->first, text, sizeof(text));
    if (walk->damage != NULL)
        walk->damage(walk->context, text);
}

enum weft_status store_lmdb_walk_init(struct store_lmdb_walk *walk)
{
    walk->damages = 0;
    walk->pages = 0;
    walk->pages_free = 0;
    walk->pages_past_end = 0;
    walk->first[0] = '\0';
    walk->page_count = walk->file->size / walk->file->page_bytes;
    walk->seen = calloc(walk->page_count / 8 + 1, 1);
    walk->levels = malloc((size_t)STORE_LMDB_DEPTH_MAX * walk->file->page_bytes);
    if (walk->seen != NULL && walk->levels != NULL)
        return WEFT_OK;
    store_lmdb_walk_finish(walk);
    return WEFT_NO_MEMORY;
}

void store_lmdb_walk_finish(struct store_lmdb_walk *walk)
{
    free(walk->seen);
    free(walk->levels);
    walk->seen = NULL;
    walk->levels = NULL;
}

/// Marks a page of the file. @return whether it was not marked yet.
static bool mark(struct store_lmdb_walk *walk, uint64_t number)
{
    uint8_t bit = (uint8_t)(1u << (number % 8));
    bool fresh = (walk->seen[number / 8] & bit) == 0;
    walk->seen[number / 8] |= bit;
    return fresh;
}

/// Checks that `count` pages from `number` on exist and belong to nobody yet, and marks them.
static bool claim(struct tree_walk *t, uint64_t number, uint64_t count)
{
    struct store_lmdb_walk *walk = t->walk;
    if (number < 2 || number > walk->root->last_page ||
        count > walk->root->last_page - number + 1) {
        store_lmdb_walk_damage(walk, "table %s names page %" PRIu64 ", which does not exist",
                               t->name, number);
        return false;
    }
    if (number >= walk->page_count || count > walk->page_count - number) {
        walk->pages_past_end++;
        store_lmdb_walk_damage(walk, "page %" PRIu64 " of table %s is beyond the end of the file",
                               number, t->name);
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (mark(walk, number + i))
            continue;
        store_lmdb_walk_damage(walk, "page %" PRIu64 " of table %s is used twice", number + i,
                               t->name);
        return false;
    }
    walk->pages += count;
    return true;
}

static bool read_page(struct tree_walk *t, uint8_t *bytes, size_t size, uint64_t number)
{
    ssize_t got;
    do
        got = pread(t->walk->file->fd, bytes, size, (off_t)(number * t->walk->file->page_bytes));
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)size)
        return true;
    t->status = WEFT_STORAGE;
    store_lmdb_walk_damage(t->walk, "page %" PRIu64 " of table %s cannot be read: %s", number,
                           t->name, got < 0 ? strerror(errno) : "the file ends");
    return false;
}

static struct node node_at(const struct page *page, unsigned index)
{
    const uint8_t *at =
        page->bytes + endian_get_u16(page->bytes + PAGE_HEADER_BYTES + 2 * (size_t)index);
    uint16_t key_size = endian_get_u16(at + 6);
    const uint8_t *key = at + NODE_HEADER_BYTES;
    return (struct node){
        .key = {key, key_size},
        .child = endian_get_u32(at) | (uint64_t)endian_get_u16(at + 4) << 32,
        .size = endian_get_u32(at),
        .flags = endian_get_u16(at + 4),
        .value = key + key_size,
    };
}

/// Bytes of the node at `offset` when all of it is inside of the page, else 0.
static size_t node_extent(const struct page *page, size_t offset)
{
    size_t room = page->size - offset;
    if (room < NODE_HEADER_BYTES)
        return 0;
    const uint8_t *at = page->bytes + offset;
    size_t extent = NODE_HEADER_BYTES + (size_t)endian_get_u16(at + 6);
    if (page->leaf)
        extent +=
            (endian_get_u16(at + 4) & STORE_LMDB_LEAF_BIG) != 0 ? 8 : (size_t)endian_get_u32(at);
    extent = (extent + 1) & ~(size_t)1;
    return extent <= room ? extent : 0;
}

/// @return NULL when the page is sound in itself, else what is wrong with it.
static const char *page_problem(struct page *page, bool leaf)
{
    const uint8_t *bytes = page->bytes;
    if (endian_get_u64(bytes) != page->number)
        return "has another page's number";
    if (endian_get_u16(bytes + 10) != (leaf ? PAGE_LEAF : PAGE_BRANCH))
        return "is not of the kind it should be";
    size_t lower = endian_get_u16(bytes + 12);
    size_t upper = endian_get_u16(bytes + 14);
    if (lower < PAGE_HEADER_BYTES || (lower & 1) != 0 || lower > upper || upper > page->size)
        return "has impossible bounds";
    page->count = (unsigned)(lower - PAGE_HEADER_BYTES) / 2;
    page->leaf = leaf;
    if (page->count == 0)
        return "is empty";
    size_t used = 0;
    for (unsigned i = 0; i < page->count; i++) {
        size_t offset = endian_get_u16(bytes + PAGE_HEADER_BYTES + 2 * (size_t)i);
        if (offset < upper || offset >= page->size || (offset & 1) != 0)
            return "has a node outside of it";
        size_t extent = node_extent(page, offset);
        if (extent == 0)
            return "has a node that reaches beyond its end";
        used += extent;
    }
    return used == page->size - upper ? NULL : "has nodes that overlap";
}

static int compare(const struct tree_walk *t, struct span a, struct span b)
{
    if (t->numbers) {
        uint64_t x = endian_get_u64(a.data);
        uint64_t y = endian_get_u64(b.data);
        return (x > y) - (x < y);
    }
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = memcmp(a.data, b.data, shared);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/// Checks the order of a page's keys. @param low, high Bounds from above, `data` NULL: none.
static bool keys_in_order(struct tree_walk *t, const struct page *page, struct span low,
                          struct span high)
{
    // The first key of a branch page stands for "all below the second" and is never looked at.
    unsigned first = page->leaf ? 0 : 1;
    struct span before = low;
    bool may_equal = true;
    for (unsigned i = first; i < page->count; i++) {
        struct span key = node_at(page, i).key;
        size_t key_bytes_max = t->numbers ? TRANSACTION_BYTES : STORE_LMDB_KEY_BYTES_MAX;
        size_t key_bytes_min = t->numbers ? TRANSACTION_BYTES : 1;
        bool good = key.size >= key_bytes_min && key.size <= key_bytes_max;
        if (good && before.data != NULL) {
            int order = compare(t, before, key);
            good = order < 0 || (order == 0 && may_equal);
        }
        if (good && high.data != NULL)
            good = compare(t, key, high) < 0;
        if (!good) {
            store_lmdb_walk_damage(t->walk, "page %" PRIu64 " of table %s has a key out of order",
                                   page->number, t->name);
            return false;
        }
        before = key;
        may_equal = false;
    }
    return true;
}

/// Checks the overflow pages of a leaf's value.
static bool overflow_sound(struct tree_walk *t, struct store_lmdb_leaf *leaf)
{
    uint32_t page_bytes = t->walk->file->page_bytes;
    uint64_t needed = (PAGE_HEADER_BYTES - 1 + leaf->size) / page_bytes + 1;
    if (!claim(t, leaf->overflow_page, 1))
        return false;
    uint8_t header[PAGE_HEADER_BYTES];
    if (!read_page(t, header, sizeof(header), leaf->overflow_page))
        return false;
    uint64_t count = endian_get_u32(header + 12);
    if (endian_get_u64(header) != leaf->overflow_page ||
        endian_get_u16(header + 10) != PAGE_OVERFLOW || count < needed) {
        store_lmdb_walk_damage(t->walk, "page %" PRIu64 " of table %s does not begin a long value",
                               leaf->overflow_page, t->name);
        return false;
    }
    t->found.overflow_pages += count;
    return count == 1 || claim(t, leaf->overflow_page + 1, count - 1);
}

static void visit_leaf(struct tree_walk *t, const struct page *page)
{
    for (unsigned i = 0; i < page->count && !t->stopped; i++) {
        struct node node = node_at(page, i);
        struct store_lmdb_leaf leaf = {
            .key = node.key,
            .flags = node.flags,
            .inline_value = {node.value, node.size},
            .size = node.size,
        };
        t->found.entries++;
        if ((leaf.flags & ~(STORE_LMDB_LEAF_BIG | STORE_LMDB_LEAF_TABLE)) != 0) {
            store_lmdb_walk_damage(t->walk,
                                   "page %" PRIu64 " of table %s has an unknown kind of node",
                                   page->number, t->name);
            continue;
        }
        if ((leaf.flags & STORE_LMDB_LEAF_BIG) != 0) {
            leaf.inline_value = (struct span){NULL, 0};
            leaf.overflow_page = endian_get_u64(node.value);
            if (!overflow_sound(t, &leaf))
                continue;
        }
        if (t->visit != NULL && !t->visit(t->context, &leaf))
            t->stopped = true;
    }
}

/// Recurses at most STORE_LMDB_DEPTH_MAX deep; `level` counts from 0 at the root.
static void walk_page(struct tree_walk *t, uint64_t number, unsigned level, struct span low,
                      struct span high)
{
    if (!claim(t, number, 1))
        return;
    uint32_t page_bytes = t->walk->file->page_bytes;
    uint8_t *bytes = t->walk->levels + (size_t)level * page_bytes;
    if (!read_page(t, bytes, page_bytes, number))
        return;
    bool leaf = level + 1u == t->tree->depth;
    struct page page = {.bytes = bytes, .number = number, .size = page_bytes};
    const char *problem = page_problem(&page, leaf);
    if (problem != NULL) {
        store_lmdb_walk_damage(t->walk, "page %" PRIu64 " of table %s %s", number, t->name,
                               problem);
        return;
    }
    if (!keys_in_order(t, &page, low, high))
        return;
    if (leaf) {
        t->found.leaf_pages++;
        visit_leaf(t, &page);
        return;
    }
    t->found.branch_pages++;
    for (unsigned i = 0; i < page.count && !t->stopped && t->status == WEFT_OK; i++) {
        struct span child_low = i == 0 ? low : node_at(&page, i).key;
        struct span child_high = i + 1 == page.count ? high : node_at(&page, i + 1).key;
        walk_page(t, node_at(&page, i).child, level + 1, child_low, child_high);
    }
}

enum weft_status store_lmdb_walk_tree(
    struct store_lmdb_walk *walk, const struct store_lmdb_tree *tree, const char *name,
    bool (*visit)(void *context, const struct store_lmdb_leaf *leaf), void *context)
{
    assert(tree->depth <= STORE_LMDB_DEPTH_MAX);
    struct tree_walk t = {
        .walk = walk,
        .tree = tree,
        .name = name,
        .numbers = tree == &walk->root->free_tree,
        .visit = visit,
        .context = context,
    };
    uint64_t damages_before = walk->damages;
    struct span unbounded = {NULL, 0};
    if (tree->depth > 0)
        walk_page(&t, tree->root, 0, unbounded, unbounded);
    if (t.stopped || walk->damages != damages_before)
        return t.status; // the counts would only repeat what was said
    if (t.found.entries != tree->entries || t.found.branch_pages != tree->branch_pages ||
        t.found.leaf_pages != tree->leaf_pages || t.found.overflow_pages != tree->overflow_pages)
        store_lmdb_walk_damage(walk, "table %s should have %" PRIu64 " records, but has %" PRIu64,
                               name, tree->entries, t.found.entries);
    return t.status;
}

// ------------------------------------------------------------------------------------------ tables

struct tables {
    struct store_lmdb_walk *walk;
    unsigned count;
    struct store_lmdb_table_root roots[STORE_LMDB_TREES_MAX];
};

static bool visit_table(void *context, const struct store_lmdb_leaf *leaf)
{
    struct tables *tables = context;
    struct store_lmdb_table_root *root = &tables->roots[tables->count];
    if (tables->count == STORE_LMDB_TREES_MAX || leaf->flags != STORE_LMDB_LEAF_TABLE ||
        leaf->key.size >= sizeof(root->name) ||
        store_lmdb_tree_decode(&root->tree, leaf->inline_value) != WEFT_OK ||
        root->tree.flags != 0) {
        store_lmdb_walk_damage(tables->walk, "the list of tables has an impossible record");
        return true;
    }
    memcpy(root->name, leaf->key.data, leaf->key.size);
    root->name[leaf->key.size] = '\0';
    tables->count++;
    return true;
}

enum weft_status store_lmdb_walk_main(struct store_lmdb_walk *walk,
                                      struct store_lmdb_table_root roots_out[STORE_LMDB_TREES_MAX],
                                      unsigned *count_out)
{
    struct tables tables = {.walk = walk};
    enum weft_status status =
        store_lmdb_walk_tree(walk, &walk->root->main_tree, "of tables", visit_table, &tables);
    memcpy(roots_out, tables.roots, sizeof(tables.roots));
    *count_out = tables.count;
    return status;
}

enum weft_status store_lmdb_walk_all_tables(struct store_lmdb_walk *walk)
{
    struct store_lmdb_table_root roots[STORE_LMDB_TREES_MAX];
    unsigned count;
    enum weft_status status = store_lmdb_walk_main(walk, roots, &count);
    for (unsigned i = 0; i < count && status == WEFT_OK; i++)
        status = store_lmdb_walk_tree(walk, &roots[i].tree, roots[i].name, NULL, NULL);
    return status;
}

// -------------------------------------------------------------------------------------------- free
// list

struct free_walk {
    struct store_lmdb_walk *walk;
    enum weft_status status;
};

/// @param bytes A list: the count, then as many page numbers, descending.
static void claim_free(struct store_lmdb_walk *walk, const uint8_t *bytes, uint64_t size)
{
    uint64_t count = size >= 8 ? endian_get_u64(bytes) : UINT64_MAX;
    if (count > size / 8 - 1) {
        store_lmdb_walk_damage(walk, "a list of free pages is longer than its record");
        return;
    }
    uint64_t before = UINT64_MAX;
    for (uint64_t i = 1; i <= count; i++) {
        uint64_t number = endian_get_u64(bytes + 8 * i);
        bool possible = number >= 2 && number <= walk->root->last_page && number < before;
        before = number;
        // A free page beyond the end of the file was never written, and need not be.
        if (!possible || (number < walk->page_count && !mark(walk, number))) {
            store_lmdb_walk_damage(walk, "page %" PRIu64 " on the free list is not free", number);
            return;
        }
        walk->pages_free++;
    }
}

static bool visit_free(void *context, const struct store_lmdb_leaf *leaf)
{
    struct free_walk *f = context;
    if (leaf->inline_value.data != NULL) {
        claim_free(f->walk, leaf->inline_value.data, leaf->size);
        return true;
    }
    // The size is bounded by the pages that were found to exist.
    uint8_t *bytes = malloc(leaf->size);
    if (bytes == NULL) {
        f->status = WEFT_NO_MEMORY;
        return false;
    }
    f->status = store_lmdb_file_overflow(f->walk->file, leaf, bytes);
    if (f->status == WEFT_OK)
        claim_free(f->walk, bytes, leaf->size);
    free(bytes);
    return f->status == WEFT_OK;
}

enum weft_status store_lmdb_walk_free(struct store_lmdb_walk *walk)
{
    struct free_walk f = {walk, WEFT_OK};
    enum weft_status status =
        store_lmdb_walk_tree(walk, &walk->root->free_tree, "of free pages", visit_free, &f);
    return status != WEFT_OK ? status : f.status;
}
