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

static void commit(struct store_lmdb *store)
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
        commit(store);
    }
    for (unsigned i = 0; i < 3; i++) {
        snprintf(key, sizeof(key), "snapshot %u", i);
        cr_assert_eq(port->remove(port, STORE_SNAPSHOTS, text_span(key)), WEFT_OK);
        commit(store);
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
    enum { random_flips = 3000, page_bytes = 4096, meta_bytes = 152, header_bytes = 24 };
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
        commit(store);
    }
    put_sized(port, STORE_TEXTS, "short-lived", 1 << 20);
    cr_assert_eq(port->remove(port, STORE_TEXTS, text_span("short-lived")), WEFT_OK);
    commit(store);
    struct store_lmdb_stats stats;
    store_lmdb_stats(store, &stats);
    store_lmdb_close(store);
    cr_expect_lt(file_size(name), stats.file_bytes, "the case does not occur any more");
    struct content content;
    cr_expect_eq(verify(path, &content), WEFT_OK, "%s", error);
    store = must_open(path);
    put_sized(store_lmdb_port(store), STORE_TEXTS, "more", 300000);
    commit(store);
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
    commit(store);
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

// --------------------------------------------------------------------------------------------
// format

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
    temporary_directory(path);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    static const size_t sizes[] = {0, 4096, 8192};
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        cr_assert_eq(ftruncate(fd, (off_t)sizes[i]), 0);
        close(fd);
        struct store_lmdb *store;
        cr_expect_eq(open_store(&store, path, true), WEFT_NOT_FOUND, "%s", error);
        store = must_open(path);
        store_put(store_lmdb_port(store), STORE_META, "k", "v");
        commit(store);
        store_lmdb_close(store);
        struct content content;
        cr_expect_eq(verify(path, &content), WEFT_OK, "%s", error);
    }
    remove_directory(path);
}
