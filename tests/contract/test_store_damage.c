// SPDX-License-Identifier: MIT
// A damaged data file: whatever bit is wrong, it is found or it changes nothing, and nothing
// crashes.
#include <criterion/criterion.h>
#include <fcntl.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/store_lmdb_impl.h"
#include "store_fixture.h"

static char error[STORE_LMDB_ERROR_BYTES];

static enum weft_status open_store(struct store_lmdb **store_out, const char *path, bool read_only)
{
    struct store_lmdb_options options = {
        .path = path, .read_only = read_only, .map_bytes_initial = 1, .map_bytes_max = 1 << 26};
    return store_lmdb_open(store_out, &options, error);
}

static struct store_lmdb *must_open(const char *path)
{
    struct store_lmdb *store;
    cr_assert_eq(open_store(&store, path, false), WEFT_OK, "%s", error);
    return store;
}

static void commit_well(struct store_lmdb *store)
{
    struct store *port = store_lmdb_port(store);
    uint64_t group;
    enum weft_status status;
    port->commit(port);
    cr_assert(store_lmdb_wait(store, 20000));
    cr_assert(store_lmdb_next(store, &group, &status));
    cr_assert_eq(status, WEFT_OK);
}

static void put_sized(struct store *port, enum store_table table, const char *key, size_t size)
{
    uint8_t *value = malloc(size);
    cr_assert_not_null(value);
    for (size_t i = 0; i < size; i++)
        value[i] = (uint8_t)(i * 7 + size);
    cr_assert_eq(port->put(port, table, text_span(key), (struct span){value, size}), WEFT_OK);
    free(value);
}

/// A store with every kind of page: branches, leaves, long values, a free list.
static void write_varied(const char *path)
{
    struct store_lmdb *store = must_open(path);
    struct store *port = store_lmdb_port(store);
    char key[64];
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 300; i++) {
            snprintf(key, sizeof(key), "document %u of a name that fills its page sooner",
                     i * 7919 % 1000);
            put_sized(port, STORE_DOCUMENTS, key, 90 + round + i % 50);
        }
        for (unsigned i = 0; i < 5; i++) {
            snprintf(key, sizeof(key), "snapshot %u", i);
            put_sized(port, STORE_SNAPSHOTS, key, 3000 * (i + 1) + round);
        }
        for (unsigned t = 0; t < STORE_TABLE_COUNT; t++)
            put_sized(port, t, "one", 40 + round);
        commit_well(store);
    }
    for (unsigned i = 0; i < 3; i++) {
        snprintf(key, sizeof(key), "snapshot %u", i);
        cr_assert_eq(port->remove(port, STORE_SNAPSHOTS, text_span(key)), WEFT_OK);
        commit_well(store);
    }
    store_lmdb_close(store);
}

struct content {
    uint64_t hash;
    unsigned problems;
};

static void content_record(void *context, enum store_table table, struct span key,
                           struct span value)
{
    struct content *content = context;
    // Order matters, and so does a value that is missing.
    uint64_t one = store_lmdb_checksum(table, key, value) + (value.data == NULL);
    content->hash = (content->hash ^ one) * 1099511628211u;
}

static void content_problem(void *context, const char *text)
{
    struct content *content = context;
    (void)text;
    content->problems++;
}

static enum weft_status verify(const char *path, struct content *content)
{
    struct store_lmdb_report report;
    *content = (struct content){0};
    struct store_lmdb_verify_visitor visitor = {content_problem, content_record, content};
    return store_lmdb_verify(path, &visitor, &report, error);
}

static size_t file_size(const char *name)
{
    struct stat stat_now;
    cr_assert_eq(stat(name, &stat_now), 0);
    return (size_t)stat_now.st_size;
}

struct flips {
    const char *path;
    int fd;
    struct content good;
    unsigned found;
    unsigned harmless;
};

/// Flips bits of one byte, looks, and puts it back.
static void flip(struct flips *flips, uint64_t offset, uint8_t bits)
{
    uint8_t byte;
    cr_assert_eq(pread(flips->fd, &byte, 1, (off_t)offset), 1);
    byte ^= bits;
    cr_assert_eq(pwrite(flips->fd, &byte, 1, (off_t)offset), 1);
    struct content content;
    enum weft_status status = verify(flips->path, &content);
    if (status == WEFT_OK) {
        flips->harmless++;
        cr_assert(content.hash == flips->good.hash && content.problems == 0,
                  "bits %02x at %llu changed what is read, and were not found", bits,
                  (unsigned long long)offset);
    } else {
        flips->found++;
        cr_assert(strlen(error) > 10, "%d", status);
    }
    byte ^= bits;
    cr_assert_eq(pwrite(flips->fd, &byte, 1, (off_t)offset), 1);
}

Test(store_damage, any_flipped_bit_is_found_or_changes_nothing)
{
#if defined(__SANITIZE_ADDRESS__)
    enum { random_flips = 600 };
#else
    enum { random_flips = 3000 };
#endif
    enum { page_bytes = 4096, meta_bytes = 152, header_bytes = 24 };
    char path[64];
    char name[96];
    temporary_directory(path);
    write_varied(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    struct flips flips = {.path = path, .fd = open(name, O_RDWR | O_CLOEXEC)};
    cr_assert_geq(flips.fd, 0);
    cr_assert_eq(verify(path, &flips.good), WEFT_OK, "%s", error);
    size_t size = file_size(name);

    for (size_t i = 0; i < meta_bytes; i++)
        for (unsigned page = 0; page < 2; page++)
            flip(&flips, page * page_bytes + i, (uint8_t)(1u << i % 8));
    for (size_t page = 2; page < size / page_bytes; page++)
        for (size_t i = 0; i < header_bytes; i++)
            flip(&flips, page * page_bytes + i, (uint8_t)(1u << (page + i) % 8));
    uint64_t state = 42;
    for (unsigned i = 0; i < random_flips; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        flip(&flips, (state >> 20) % size, (uint8_t)(1u << (state >> 17) % 8));
    }
    struct content content;
    cr_assert_eq(verify(path, &content), WEFT_OK, "%s", error);
    cr_expect_gt(flips.found, random_flips / 4);
    close(flips.fd);
    remove_directory(path);
}

// What a flipped bit seldom hits: each of these is one number that LMDB trusts.

enum { PAGE_BYTES = 4096, PAGE_HEADER = 16 };

struct image {
    char path[64];
    int fd;
    uint8_t *bytes;
    size_t size;
};

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void image_open(struct image *image)
{
    char name[96];
    temporary_directory(image->path);
    write_varied(image->path);
    snprintf(name, sizeof(name), "%s/data.mdb", image->path);
    image->size = file_size(name);
    image->bytes = malloc(image->size);
    image->fd = open(name, O_RDWR | O_CLOEXEC);
    cr_assert_eq(pread(image->fd, image->bytes, image->size, 0), (ssize_t)image->size);
}

/// Writes the image as it was edited and expects that the check says why it is bad; puts it back.
static void expect_found(struct image *image, size_t page, const char *what)
{
    struct content content;
    uint8_t before[PAGE_BYTES];
    off_t offset = (off_t)(page * PAGE_BYTES);
    cr_assert_eq(pread(image->fd, before, PAGE_BYTES, offset), PAGE_BYTES);
    cr_assert_eq(pwrite(image->fd, image->bytes + offset, PAGE_BYTES, offset), PAGE_BYTES);
    cr_expect_eq(verify(image->path, &content), WEFT_MALFORMED, "%s on page %zu", what, page);
    cr_expect_geq(content.problems, 1);
    cr_assert_eq(pwrite(image->fd, before, PAGE_BYTES, offset), PAGE_BYTES);
    memcpy(image->bytes + offset, before, PAGE_BYTES);
}

/// Is this page part of the current state? Its number is asked for by spoiling it.
static bool in_use(struct image *image, size_t page)
{
    struct content content;
    uint8_t byte = image->bytes[page * PAGE_BYTES] ^ 0x40;
    cr_assert_eq(pwrite(image->fd, &byte, 1, (off_t)(page * PAGE_BYTES)), 1);
    bool found = verify(image->path, &content) != WEFT_OK;
    cr_assert_eq(pwrite(image->fd, image->bytes + page * PAGE_BYTES, 1, (off_t)(page * PAGE_BYTES)),
                 1);
    return found;
}

static uint8_t *node_of(uint8_t *page, unsigned index)
{
    return page + get16(page + PAGE_HEADER + 2 * index);
}

static void spoil_leaf(struct image *image, size_t number)
{
    uint8_t *page = image->bytes + number * PAGE_BYTES;
    unsigned count = (get16(page + 12) - PAGE_HEADER) / 2u;
    put16(page, (unsigned)number + 1);
    expect_found(image, number, "another page's number");
    put16(page + 14, get16(page + 14) - 2u);
    expect_found(image, number, "a gap below the nodes");
    if (count < 2)
        return;
    uint16_t first = get16(page + PAGE_HEADER);
    put16(page + PAGE_HEADER, get16(page + PAGE_HEADER + 2));
    put16(page + PAGE_HEADER + 2, first);
    expect_found(image, number, "two records that changed places");
    // A record that is gone without a trace: the last one, if its node is the lowest.
    unsigned lowest = get16(page + 14);
    if (get16(page + PAGE_HEADER + 2 * (count - 1)) == lowest) {
        const uint8_t *node = page + lowest;
        size_t value = (get16(node + 4) & 1) != 0 ? 8 : get16(node);
        size_t extent = (8 + (size_t)get16(node + 6) + value + 1) & ~(size_t)1;
        put16(page + 12, get16(page + 12) - 2u);
        put16(page + 14, lowest + (unsigned)extent);
        expect_found(image, number, "a missing record");
    }
}

static void spoil_branch(struct image *image, size_t number)
{
    uint8_t *page = image->bytes + number * PAGE_BYTES;
    unsigned count = (get16(page + 12) - PAGE_HEADER) / 2u;
    uint8_t *node = node_of(page, 1);
    cr_assert_geq(count, 2);
    // A separator that is too low hides what lies between.
    memset(node + 8, 1, get16(node + 6));
    expect_found(image, number, "a separator that is too low");
    memset(node_of(page, 1) + 8, 0xfe, get16(node + 6));
    expect_found(image, number, "a separator that is too high");
    memcpy(node_of(page, 1), node_of(page, 0), 4);
    expect_found(image, number, "a page used twice");
}

Test(store_damage, each_number_that_the_tree_stands_on_is_checked)
{
    struct image image;
    image_open(&image);
    unsigned leaves = 0;
    unsigned branches = 0;
    for (size_t page = 2; page < image.size / PAGE_BYTES; page++) {
        unsigned kind = get16(image.bytes + page * PAGE_BYTES + 10);
        if (kind == 0 || kind > 2 || !in_use(&image, page))
            continue;
        if (kind == 1)
            spoil_branch(&image, page);
        else
            spoil_leaf(&image, page);
        leaves += kind == 2;
        branches += kind == 1;
    }
    cr_expect_gt(leaves, 10);
    cr_expect_geq(branches, 1);
    close(image.fd);
    free(image.bytes);
    remove_directory(image.path);
}

/// The page of the newest free list: a leaf whose first key is a transaction, 8 bytes.
static size_t free_list_page(struct image *image)
{
    const uint8_t *meta0 = image->bytes;
    const uint8_t *meta1 = image->bytes + PAGE_BYTES;
    const uint8_t *meta = get16(meta1 + 144) > get16(meta0 + 144) ? meta1 : meta0;
    return get16(meta + 40 + 40); // the free tree's root
}

Test(store_damage, a_page_in_use_on_the_free_list_is_found)
{
    struct image image;
    image_open(&image);
    size_t page = free_list_page(&image);
    uint8_t *leaf = image.bytes + page * PAGE_BYTES;
    cr_assert_eq(get16(leaf + 10), 2);
    uint8_t *list = node_of(leaf, 0) + 8 + 8;
    unsigned count = get16(list);
    cr_assert_geq(count, 1);
    unsigned tried = 0;
    for (size_t used = 2; used < image.size / PAGE_BYTES; used++) {
        unsigned kind = get16(image.bytes + used * PAGE_BYTES + 10);
        if (kind == 0 || kind > 2 || !in_use(&image, used))
            continue;
        put16(list + 8, (unsigned)used); // the first of the list, so greater ones stay in order
        expect_found(&image, page, "a page in use on the free list");
        tried++;
    }
    cr_expect_gt(tried, 10);
    put16(list, count + 100);
    expect_found(&image, page, "a free list beyond its record");
    put16(list, 0xffff);
    memset(list + 2, 0xff, 6);
    expect_found(&image, page, "an endless free list");
    close(image.fd);
    free(image.bytes);
    remove_directory(image.path);
}

Test(store_damage, a_root_that_miscounts_is_found)
{
    struct image image;
    image_open(&image);
    unsigned tried = 0;
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        const char *table = store_lmdb_table_name(t);
        for (size_t page = 2; page < image.size / PAGE_BYTES; page++) {
            uint8_t *leaf = image.bytes + page * PAGE_BYTES;
            uint8_t *name = memmem(leaf, PAGE_BYTES, table, strlen(table));
            if (get16(leaf + 10) != 2 || name == NULL || name < leaf + get16(leaf + 14) ||
                get16(name - 4) != 2 || get16(name - 2) != strlen(table) || !in_use(&image, page))
                continue;
            // Depth, branch, leaf and overflow pages, records: each one too many.
            static const unsigned offsets[] = {6, 8, 16, 24, 32};
            for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
                uint8_t *at = name + strlen(table) + offsets[i];
                put16(at, get16(at) + 1u);
                expect_found(&image, page, table);
            }
            tried++;
        }
    }
    cr_expect_eq(tried, STORE_TABLE_COUNT);
    close(image.fd);
    free(image.bytes);
    remove_directory(image.path);
}

Test(store_damage, any_zeroed_page_is_found_or_changes_nothing)
{
    enum { page_bytes = 4096 };
    static uint8_t before[page_bytes];
    static const uint8_t zeros[page_bytes];
    char path[64];
    char name[96];
    temporary_directory(path);
    write_varied(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    int fd = open(name, O_RDWR | O_CLOEXEC);
    struct content good;
    cr_assert_eq(verify(path, &good), WEFT_OK, "%s", error);
    size_t pages = file_size(name) / page_bytes;
    unsigned found = 0;
    for (size_t page = 0; page < pages; page++) {
        struct content content;
        off_t offset = (off_t)(page * page_bytes);
        cr_assert_eq(pread(fd, before, page_bytes, offset), page_bytes);
        cr_assert_eq(pwrite(fd, zeros, page_bytes, offset), page_bytes);
        if (verify(path, &content) != WEFT_OK)
            found++;
        else
            cr_assert_eq(content.hash, good.hash);
        cr_assert_eq(pwrite(fd, before, page_bytes, offset), page_bytes);
    }
    cr_expect_gt(found, 20);
    close(fd);
    remove_directory(path);
}

Test(store_damage, a_truncated_file_is_refused_before_it_is_mapped)
{
    char path[64];
    char name[96];
    temporary_directory(path);
    write_varied(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    size_t size = file_size(name);
    uint8_t *bytes = malloc(size);
    int fd = open(name, O_RDWR | O_CLOEXEC);
    cr_assert_eq(read(fd, bytes, size), (ssize_t)size);
    struct content good;
    cr_assert_eq(verify(path, &good), WEFT_OK, "%s", error);
    unsigned refused = 0;
    for (size_t cut = 1; cut < size; cut += 1000) {
        cr_assert_eq(ftruncate(fd, (off_t)(size - cut)), 0);
        struct store_lmdb *store;
        enum weft_status status = open_store(&store, path, true);
        if (status == WEFT_OK) {
            // Only pages that nobody uses are missing.
            store_lmdb_close(store);
            struct content content;
            cr_assert_eq(verify(path, &content), WEFT_OK, "%zu bytes: %s", size - cut, error);
            cr_assert_eq(content.hash, good.hash);
        } else {
            refused++;
            cr_assert_eq(status, WEFT_MALFORMED, "%zu bytes: %s", size - cut, error);
            cr_assert_not_null(strstr(error, "truncated"), "%zu bytes: %s", size - cut, error);
        }
        cr_assert_eq(pwrite(fd, bytes, size, 0), (ssize_t)size);
    }
    cr_expect_gt(refused, size / 1000 / 2);
    close(fd);
    free(bytes);
    remove_directory(path);
}

Test(store_damage, a_file_without_its_unused_end_is_whole)
{
    // A group that takes pages at the end of the file and gives them back never writes them.
    char path[64];
    char name[96];
    temporary_directory(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    struct store_lmdb *store = must_open(path);
    struct store *port = store_lmdb_port(store);
    // With free pages at hand, all that is written fits in front of them.
    for (unsigned i = 0; i < 6; i++) {
        put_sized(port, STORE_SNAPSHOTS, "a", 100000 - 1000 * i);
        commit_well(store);
    }
    put_sized(port, STORE_TEXTS, "short-lived", 1 << 20);
    cr_assert_eq(port->remove(port, STORE_TEXTS, text_span("short-lived")), WEFT_OK);
    commit_well(store);
    struct store_lmdb_stats stats;
    store_lmdb_stats(store, &stats);
    store_lmdb_close(store);
    cr_expect_lt(file_size(name), stats.file_bytes, "the case does not occur any more");
    struct content content;
    cr_expect_eq(verify(path, &content), WEFT_OK, "%s", error);
    store = must_open(path);
    put_sized(store_lmdb_port(store), STORE_TEXTS, "more", 300000);
    commit_well(store);
    store_lmdb_close(store);
    cr_expect_eq(verify(path, &content), WEFT_OK, "%s", error);
    remove_directory(path);
}

static bool expect_null(void *context, struct span key, struct span value)
{
    unsigned *count = context;
    cr_expect(key.size > 0);
    cr_expect_null(value.data);
    (*count)++;
    return true;
}

Test(store_damage, a_record_whose_bits_changed_is_never_handed_out)
{
    char path[64];
    char name[96];
    char text[64];
    temporary_directory(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    struct store_lmdb *store = must_open(path);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        snprintf(text, sizeof(text), "<value of table %u>", t);
        store_put(store_lmdb_port(store), t, "k", text);
    }
    commit_well(store);
    store_lmdb_close(store);
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
        size_t size = file_size(name);
        uint8_t *bytes = malloc(size);
        int fd = open(name, O_RDWR | O_CLOEXEC);
        cr_assert_eq(read(fd, bytes, size), (ssize_t)size);
        snprintf(text, sizeof(text), "<value of table %u>", t);
        uint8_t *at = memmem(bytes, size, text, strlen(text));
        cr_assert_not_null(at);
        uint8_t flipped = at[3] ^ 4;
        cr_assert_eq(pwrite(fd, &flipped, 1, at + 3 - bytes), 1);

        struct span value;
        unsigned count = 0;
        store = must_open(path);
        struct store *port = store_lmdb_port(store);
        for (unsigned other = 0; other < STORE_TABLE_COUNT; other++)
            cr_expect_eq(port->get(port, &value, other, text_span("k")),
                         other == t ? WEFT_MALFORMED : WEFT_OK);
        cr_expect_eq(port->scan(port, t, text_span(""), expect_null, &count), WEFT_OK);
        cr_expect_eq(count, 1);
        port->release(port);
        store_lmdb_close(store);
        struct content content;
        cr_expect_eq(verify(path, &content), WEFT_MALFORMED);
        cr_expect_eq(content.problems, 1);
        cr_assert_eq(pwrite(fd, at + 3, 1, at + 3 - bytes), 1);
        close(fd);
        free(bytes);
    }
    remove_directory(path);
}

// ------------------------------------------------------------------------------------------ format

/// Bytes of a word in hex, "-" being none. @return how many.
static size_t from_hex(uint8_t *bytes, const char *hex)
{
    size_t size = 0;
    unsigned byte;
    while (sscanf(hex + 2 * size, "%2x", &byte) == 1)
        bytes[size++] = (uint8_t)byte;
    return size;
}

Test(store_damage, values_are_framed_as_the_golden_vectors_say)
{
    char name[512];
    char line[1024];
    const char *directory = getenv("WEFT_GOLDEN");
    snprintf(name, sizeof(name), "%s/store_frames.txt",
             directory != NULL ? directory : "tests/golden");
    FILE *file = fopen(name, "r");
    cr_assert_not_null(file, "%s", name);
    unsigned vectors = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        unsigned number;
        char key_hex[256], value_hex[256], frame_hex[256];
        uint8_t key[128], value[128], frame[128], framed[128];
        if (sscanf(line, "%u %255s %255s %255s", &number, key_hex, value_hex, frame_hex) != 4)
            continue;
        struct span key_span = {key, from_hex(key, key_hex)};
        struct span value_span = {value, from_hex(value, value_hex)};
        struct span frame_span = {frame, from_hex(frame, frame_hex)};
        store_lmdb_frame(framed, number, key_span, value_span);
        memcpy(framed + STORE_LMDB_CHECKSUM_BYTES, value, value_span.size);
        cr_expect_eq(frame_span.size, STORE_LMDB_CHECKSUM_BYTES + value_span.size);
        cr_expect(memcmp(framed, frame, frame_span.size) == 0, "%s", line);
        struct span read;
        cr_expect(store_lmdb_unframe(&read, number, key_span, frame_span), "%s", line);
        vectors++;
    }
    fclose(file);
    cr_expect_geq(vectors, 5);
}

/// Writes a record into the table of the format, or only the table of another program.
static void write_raw(const char *path, const char *table, const void *frame, size_t size)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    MDB_val key = {6, (void *)(uintptr_t)STORE_LMDB_FORMAT_KEY};
    MDB_val value = {size, (void *)(uintptr_t)frame};
    cr_assert_eq(mdb_env_create(&env), 0);
    cr_assert_eq(mdb_env_set_maxdbs(env, 16), 0);
    cr_assert_eq(mdb_env_open(env, path, 0, 0600), 0);
    cr_assert_eq(mdb_txn_begin(env, NULL, 0, &txn), 0);
    cr_assert_eq(mdb_dbi_open(txn, table, MDB_CREATE, &dbi), 0);
    cr_assert_eq(mdb_put(txn, dbi, &key, &value, 0), 0);
    cr_assert_eq(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

Test(store_damage, a_newer_format_is_refused_with_both_numbers)
{
    char path[64];
    temporary_directory(path);
    store_lmdb_close(must_open(path));
    uint8_t frame[STORE_LMDB_FORMAT_FRAME_BYTES];
    store_lmdb_format_encode(frame, 7);
    write_raw(path, STORE_LMDB_FORMAT_TABLE, frame, sizeof(frame));
    struct store_lmdb *store;
    for (unsigned read_only = 0; read_only < 2; read_only++) {
        cr_expect_eq(open_store(&store, path, read_only), WEFT_UNSUPPORTED);
        cr_expect_not_null(
            strstr(error, "has storage format 7, and this weft reads formats up to 0"), "%s",
            error);
    }
    struct content content;
    cr_expect_eq(verify(path, &content), WEFT_UNSUPPORTED);
    cr_expect_not_null(strstr(error, "format 7"), "%s", error);

    frame[0] ^= 1;
    write_raw(path, STORE_LMDB_FORMAT_TABLE, frame, sizeof(frame));
    cr_expect_eq(open_store(&store, path, false), WEFT_MALFORMED);
    cr_expect_not_null(strstr(error, "format record"), "%s", error);
    cr_expect_eq(verify(path, &content), WEFT_MALFORMED);
    remove_directory(path);
}

Test(store_damage, what_is_no_weft_store_is_refused)
{
    char path[64];
    char name[96];
    temporary_directory(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    struct store_lmdb *store;
    write_raw(path, "of another program", "x", 1);
    cr_expect_eq(open_store(&store, path, false), WEFT_MALFORMED);
    cr_expect_not_null(strstr(error, "not a weft store"), "%s", error);

    // Noise of several sizes.
    static uint8_t noise[20000];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (uint8_t)(i * i >> 3 | 1);
    static const size_t sizes[] = {1, 17, 151, 4096, 8192, 20000};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = open(name, O_WRONLY | O_TRUNC | O_CLOEXEC);
        cr_assert_eq(write(fd, noise, sizes[i]), (ssize_t)sizes[i]);
        close(fd);
        struct content content;
        cr_expect_eq(open_store(&store, path, false), WEFT_MALFORMED, "%zu", sizes[i]);
        cr_expect_eq(open_store(&store, path, true), WEFT_MALFORMED, "%zu", sizes[i]);
        cr_expect_eq(verify(path, &content), WEFT_MALFORMED, "%zu", sizes[i]);
    }
    remove_directory(path);
}

Test(store_damage, a_creation_that_was_cut_short_is_begun_anew)
{
    char path[64];
    char name[96];
    char mark[96];
    temporary_directory(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    snprintf(mark, sizeof(mark), "%s/weft.used", path);
    static const size_t sizes[] = {0, 4096, 8192};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        cr_assert_eq(ftruncate(fd, (off_t)sizes[i]), 0);
        close(fd);
        struct store_lmdb *store;
        cr_expect_eq(open_store(&store, path, true), WEFT_NOT_FOUND, "%s", error);
        store = must_open(path);
        store_put(store_lmdb_port(store), STORE_META, "k", "v");
        commit_well(store);
        store_lmdb_close(store);
        struct content content;
        cr_expect_eq(verify(path, &content), WEFT_OK, "%s", error);
        cr_assert_eq(unlink(mark), 0);
    }
    remove_directory(path);
}

Test(store_damage, an_emptied_data_file_is_no_beginning)
{
    char path[64];
    char name[96];
    temporary_directory(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    struct store_lmdb *store = must_open(path);
    store_lmdb_close(store);
    for (unsigned i = 0; i < 2; i++) {
        struct content content;
        cr_assert_eq(i == 0 ? truncate(name, 0) : unlink(name), 0);
        cr_expect_eq(open_store(&store, path, false), WEFT_MALFORMED, "%s", error);
        cr_expect_eq(open_store(&store, path, true), WEFT_MALFORMED, "%s", error);
        cr_expect_eq(verify(path, &content), WEFT_MALFORMED, "%s", error);
    }
    remove_directory(path);
}
