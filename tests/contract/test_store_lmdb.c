// SPDX-License-Identifier: MIT
// What only the store on LMDB has: a directory, a map that grows, a disk that fills, other
// processes.
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/store_lmdb_impl.h"
#include "store_fixture.h"

static char error[STORE_LMDB_ERROR_BYTES];

static struct store_lmdb *open_bounded(const char *path, uint64_t map_bytes_max)
{
    struct store_lmdb *store;
    struct store_lmdb_options options = {
        .path = path, .map_bytes_initial = 1, .map_bytes_max = map_bytes_max};
    cr_assert_eq(store_lmdb_open(&store, &options, error), WEFT_OK, "%s", error);
    return store;
}

static enum weft_status settle(struct store_lmdb *store)
{
    uint64_t group;
    enum weft_status status;
    cr_assert(store_lmdb_wait(store, 20000));
    cr_assert(store_lmdb_next(store, &group, &status));
    return status;
}

static enum weft_status commit(struct store_lmdb *store)
{
    struct store *port = store_lmdb_port(store);
    port->commit(port);
    return settle(store);
}

static void wait_until_writable(struct store_lmdb *store)
{
    struct store *port = store_lmdb_port(store);
    struct timespec pause = {0, 10 * 1000000};
    for (unsigned i = 0; i < 1500 && port->health(port) != STORE_WRITABLE; i++)
        nanosleep(&pause, NULL);
    cr_assert_eq(port->health(port), STORE_WRITABLE);
}

/// A record of the journal whose value tells its number.
static void stage_numbered(struct store *port, uint64_t number, size_t size)
{
    uint8_t key[8];
    uint8_t *value = malloc(size);
    cr_assert_not_null(value);
    for (unsigned i = 0; i < 8; i++)
        key[i] = (uint8_t)(number >> (56 - 8 * i));
    memset(value, (int)(number % 251), size);
    cr_assert_eq(port->put(port, STORE_JOURNAL, (struct span){key, 8}, (struct span){value, size}),
                 WEFT_OK);
    free(value);
}

static void unstage_numbered(struct store *port, uint64_t number)
{
    uint8_t key[8];
    for (unsigned i = 0; i < 8; i++)
        key[i] = (uint8_t)(number >> (56 - 8 * i));
    cr_assert_eq(port->remove(port, STORE_JOURNAL, (struct span){key, 8}), WEFT_OK);
}

static bool has_numbered(struct store *port, uint64_t number, size_t size)
{
    uint8_t key[8];
    for (unsigned i = 0; i < 8; i++)
        key[i] = (uint8_t)(number >> (56 - 8 * i));
    struct span value;
    if (port->get(port, &value, STORE_JOURNAL, (struct span){key, 8}) != WEFT_OK)
        return false;
    for (size_t i = 0; i < value.size; i++)
        if (value.data[i] != number % 251)
            return false;
    return value.size == size;
}

static void expect_sound(const char *path)
{
    struct store_lmdb_report report;
    cr_expect_eq(store_lmdb_verify(path, NULL, &report, error), WEFT_OK, "%s", error);
    cr_expect_eq(report.pages_lost, 0);
}

// ------------------------------------------------------------------------------------------ growth

Test(store_lmdb, the_map_grows_while_groups_and_views_come_and_go)
{
    enum { groups = 300, value_bytes = 100 * 1000 };
    char path[64];
    temporary_directory(path);
    struct store_lmdb *store = open_bounded(path, 256 << 20);
    struct store *port = store_lmdb_port(store);
    uint64_t told = 0;
    for (uint64_t n = 1; n <= groups; n++) {
        stage_numbered(port, n, value_bytes);
        port->commit(port);
        // The loop reads while the store thread may be waiting to grow.
        cr_assert(told == 0 || has_numbered(port, told, value_bytes), "record %llu",
                  (unsigned long long)told);
        port->release(port);
        while (n - told >= STORE_GROUPS_MAX || (n == groups && told < n)) {
            cr_assert_eq(settle(store), WEFT_OK);
            told++;
        }
    }
    struct store_lmdb_stats stats;
    store_lmdb_stats(store, &stats);
    cr_expect_geq(stats.map_growths, 6);
    cr_expect_eq(stats.groups_committed, groups);
    cr_expect_geq(stats.map_bytes, stats.file_bytes);
    cr_expect_geq(stats.file_bytes, (uint64_t)groups * value_bytes);
    for (uint64_t n = 1; n <= groups; n++)
        cr_assert(has_numbered(port, n, value_bytes));
    port->release(port);
    store_lmdb_close(store);
    expect_sound(path);
    // The next life begins with a map that is large enough, whatever was asked for.
    store = open_bounded(path, 256 << 20);
    cr_expect_geq(store_lmdb_port(store)->space(store_lmdb_port(store)).map_bytes,
                  stats.file_bytes);
    store_lmdb_close(store);
    remove_directory(path);
}

Test(store_lmdb, a_map_that_finds_no_address_space_stays_as_it_was)
{
    char path[64];
    temporary_directory(path);
    struct store_lmdb *store =
        open_bounded(path, (uint64_t)1 << 48); // more than a process can have
    struct store *port = store_lmdb_port(store);
    stage_numbered(port, 1, 1000);
    cr_assert_eq(commit(store), WEFT_OK);
    uint64_t map_bytes = port->space(port).map_bytes;
    // The store thread is idle.
    cr_expect_not(store_lmdb_space_grow(store, (uint64_t)1 << 48));
    cr_expect_eq(port->space(port).map_bytes, map_bytes);
    cr_expect(has_numbered(port, 1, 1000));
    port->release(port);
    stage_numbered(port, 2, 2 * map_bytes);
    cr_expect_eq(commit(store), WEFT_OK, "a lesser growth is still possible");
    cr_expect(has_numbered(port, 2, 2 * map_bytes));
    port->release(port);
    store_lmdb_close(store);
    expect_sound(path);
    remove_directory(path);
}

Test(store_lmdb, a_full_map_refuses_groups_until_there_is_room)
{
    enum { value_bytes = 40 * 1000, map_bytes_max = 4 << 20 };
    char path[64];
    temporary_directory(path);
    struct store_lmdb *store = open_bounded(path, map_bytes_max);
    struct store *port = store_lmdb_port(store);
    uint64_t last = 0;
    enum weft_status status = WEFT_OK;
    for (uint64_t n = 1; n <= 1000 && status == WEFT_OK; n++) {
        stage_numbered(port, n, value_bytes);
        status = commit(store);
        if (status == WEFT_OK)
            last = n;
    }
    cr_expect_eq(status, WEFT_LIMIT);
    cr_expect_eq(port->health(port), STORE_FULL);
    cr_expect_geq(last, 50);
    struct store_lmdb_stats stats;
    store_lmdb_stats(store, &stats);
    cr_expect_eq(stats.map_bytes, (uint64_t)map_bytes_max);
    cr_expect_not_null(strstr(stats.problem, "bound of 4 MiB"), "%s", stats.problem);
    cr_expect(stats.map_full);
    // What is there can be read; what makes room is taken.
    cr_expect(has_numbered(port, 1, value_bytes));
    port->release(port);
    for (uint64_t n = 1; n <= last / 2; n++)
        unstage_numbered(port, n);
    cr_expect_eq(commit(store), WEFT_OK);
    wait_until_writable(store);
    stage_numbered(port, last + 1, value_bytes);
    cr_expect_eq(commit(store), WEFT_OK);
    cr_expect(has_numbered(port, last + 1, value_bytes));
    port->release(port);
    store_lmdb_close(store);
    expect_sound(path);
    remove_directory(path);
}

// ------------------------------------------------------------------------------------------ a full
// disk

/// A small file system of its own, seen by this process only. A chroot's root is no mount, and what
/// it is in decides who sees it. @return false: not allowed here.
static bool mount_small(const char *path, const char *options)
{
    int flags = CLONE_NEWNS | (geteuid() == 0 ? 0 : CLONE_NEWUSER);
    return unshare(flags) == 0 &&
           (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL) &&
           mount("tmpfs", path, "tmpfs", 0, options) == 0;
}

static void write_filler(const char *name, size_t size)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(posix_fallocate(fd, 0, (off_t)size), 0);
    close(fd);
}

Test(store_lmdb, a_full_disk_refuses_groups_until_there_is_room)
{
    enum { value_bytes = 50 * 1000 };
    char mount_path[64];
    char path[96];
    char filler[96];
    temporary_directory(mount_path);
    if (!mount_small(mount_path, "size=8m")) {
        rmdir(mount_path);
        cr_skip_test("no right to mount a small file system");
    }
    snprintf(path, sizeof(path), "%s/data", mount_path);
    snprintf(filler, sizeof(filler), "%s/filler", mount_path);
    write_filler(filler, 4 << 20);
    struct store_lmdb *store = open_bounded(path, 1 << 30);
    struct store *port = store_lmdb_port(store);
    uint64_t last = 0;
    for (unsigned round = 0; round < 2; round++) {
        enum weft_status status = WEFT_OK;
        for (uint64_t n = last + 1; n <= 1000 && status == WEFT_OK; n++) {
            stage_numbered(port, n, value_bytes);
            status = commit(store);
            if (status == WEFT_OK)
                last = n;
        }
        cr_expect_eq(status, WEFT_LIMIT);
        cr_expect_eq(port->health(port), STORE_FULL);
        struct store_lmdb_stats stats;
        store_lmdb_stats(store, &stats);
        cr_expect_not_null(strstr(stats.problem, "No space left"), "%s", stats.problem);
        cr_expect_not(stats.map_full);
        // Behind it nothing is lost, and a further try fails the same way.
        stage_numbered(port, last + 1, value_bytes);
        cr_expect_eq(commit(store), WEFT_LIMIT);
        for (uint64_t n = 1; n <= last; n++)
            cr_assert(has_numbered(port, n, value_bytes), "round %u: record %llu of %llu", round,
                      (unsigned long long)n, (unsigned long long)last);
        port->release(port);
        if (round == 1)
            break;
        cr_assert_eq(unlink(filler), 0);
        wait_until_writable(store);
    }
    store_lmdb_close(store);
    expect_sound(path);
    umount2(mount_path, MNT_DETACH);
    rmdir(mount_path);
}

// ------------------------------------------------------------------------------------------- other
// processes

Test(store_lmdb, a_second_writer_is_refused_and_told_who_has_it)
{
    char path[64];
    char mine[64];
    temporary_directory(path);
    struct store_lmdb *store = open_bounded(path, 1 << 24);
    struct store_lmdb *second;
    struct store_lmdb_options options = {.path = path};
    snprintf(mine, sizeof(mine), "in use by process %ld", (long)getpid());
    cr_expect_eq(store_lmdb_open(&second, &options, error), WEFT_CONFLICT);
    cr_expect_not_null(strstr(error, mine), "%s", error);
    pid_t child = fork();
    if (child == 0) {
        bool good = store_lmdb_open(&second, &options, error) == WEFT_CONFLICT &&
                    strstr(error, mine) != NULL;
        _exit(good ? 0 : 1);
    }
    int code;
    cr_assert_eq(waitpid(child, &code, 0), child);
    cr_expect_eq(code, 0);
    // Those attempts left the holder's lock alone.
    cr_expect_eq(store_lmdb_open(&second, &options, error), WEFT_CONFLICT);
    store_lmdb_close(store);
    cr_assert_eq(store_lmdb_open(&second, &options, error), WEFT_OK, "%s", error);
    store_lmdb_close(second);
    remove_directory(path);
}

/// Added to a number that is asked for: look without address space for a greater map.
static const uint64_t starved = (uint64_t)1 << 63;

static void allow_address_space(bool allowed)
{
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = allowed ? limit.rlim_max : 0;
    setrlimit(RLIMIT_AS, &limit);
}

/// Stands in another process: a reader that looks each time it is asked, and answers what it sees.
static void reader_run(const char *path, int questions, int answers)
{
    struct store_lmdb *store;
    // Its map is as small as the file is now.
    struct store_lmdb_options options = {.path = path, .read_only = true, .map_bytes_initial = 1};
    uint64_t number;
    if (store_lmdb_open(&store, &options, error) != WEFT_OK)
        _exit(2);
    struct store *port = store_lmdb_port(store);
    while (read(questions, &number, sizeof(number)) == (ssize_t)sizeof(number)) {
        allow_address_space((number & starved) == 0);
        number &= ~starved;
        uint8_t seen = has_numbered(port, number, 200000);
        allow_address_space(true);
        if (number != 1) // the first look stays open
            port->release(port);
        if (write(answers, &seen, 1) != 1)
            _exit(3);
    }
    port->release(port);
    store_lmdb_close(store);
    _exit(0);
}

struct reader {
    pid_t pid;
    int questions;
    int answers;
};

static struct reader reader_start(const char *path)
{
    int questions[2];
    int answers[2];
    cr_assert_eq(pipe(questions), 0);
    cr_assert_eq(pipe(answers), 0);
    struct reader reader = {fork(), questions[1], answers[0]};
    if (reader.pid == 0) {
        close(questions[1]);
        close(answers[0]);
        reader_run(path, questions[0], answers[1]);
    }
    close(questions[0]);
    close(answers[1]);
    return reader;
}

static bool reader_sees(const struct reader *reader, uint64_t number)
{
    uint8_t seen = 2;
    cr_assert_eq(write(reader->questions, &number, sizeof(number)), (ssize_t)sizeof(number));
    cr_assert_eq(read(reader->answers, &seen, 1), 1);
    return seen == 1;
}

Test(store_lmdb, a_reader_beside_a_live_writer_follows_it_through_a_growing_map)
{
    char path[64];
    temporary_directory(path);
    struct store_lmdb *store = open_bounded(path, 1 << 28);
    struct store *port = store_lmdb_port(store);
    stage_numbered(port, 1, 200000);
    cr_assert_eq(commit(store), WEFT_OK);
    struct reader reader = reader_start(path);
    cr_expect(reader_sees(&reader, 1));
    store_lmdb_space_check_readers(store); // its thread is asleep
    struct store_lmdb_stats stats;
    for (uint64_t n = 2; n <= 100; n++) {
        stage_numbered(port, n, 200000);
        cr_assert_eq(commit(store), WEFT_OK);
    }
    store_lmdb_space_check_readers(store);
    store_lmdb_stats(store, &stats);
    cr_expect_geq(stats.map_growths, 3);
    cr_expect_eq(stats.oldest_reader_pid, reader.pid);
    cr_expect_eq(stats.oldest_reader_lag, 99);

    cr_expect_not(reader_sees(&reader, 100), "a view that is open does not move");
    cr_expect(reader_sees(&reader, 100));
    cr_expect(reader_sees(&reader, 2));
    // One that dies with an open view does not pin pages for ever.
    cr_expect(reader_sees(&reader, 1));
    kill(reader.pid, SIGKILL);
    waitpid(reader.pid, NULL, 0);
    store_lmdb_space_check_readers(store);
    store_lmdb_stats(store, &stats);
    cr_expect_eq(stats.oldest_reader_pid, 0);
    close(reader.questions);
    close(reader.answers);
    store_lmdb_close(store);
    remove_directory(path);
}

Test(store_lmdb, a_reader_that_finds_no_address_space_for_a_greater_map_reads_when_it_does)
{
    char path[64];
    temporary_directory(path);
    struct store_lmdb *store = open_bounded(path, 1 << 28);
    stage_numbered(store_lmdb_port(store), 1, 200000);
    cr_assert_eq(commit(store), WEFT_OK);
    struct reader reader = reader_start(path);
    cr_expect_not(reader_sees(&reader, 2));
    for (uint64_t n = 2; n <= 20; n++) {
        stage_numbered(store_lmdb_port(store), n, 200000);
        cr_assert_eq(commit(store), WEFT_OK);
    }
    cr_expect_not(reader_sees(&reader, 20 | starved));
    cr_expect_not(reader_sees(&reader, 20 | starved));
    cr_expect(reader_sees(&reader, 20));
    cr_expect(reader_sees(&reader, 2));
    kill(reader.pid, SIGKILL);
    waitpid(reader.pid, NULL, 0);
    close(reader.questions);
    close(reader.answers);
    store_lmdb_close(store);
    remove_directory(path);
}

Test(store_lmdb, a_reader_that_may_not_write_the_lock_file_is_told_so)
{
    char path[64];
    char name[96];
    temporary_directory(path);
    store_lmdb_close(open_bounded(path, 1 << 24));
    chmod(path, 0755);
    snprintf(name, sizeof(name), "%s/data.mdb", path);
    chmod(name, 0444);
    snprintf(name, sizeof(name), "%s/lock.mdb", path);
    chmod(name, 0444);
    pid_t child = fork();
    if (child == 0) {
        struct store_lmdb *store;
        struct store_lmdb_options options = {.path = path, .read_only = true};
        if (geteuid() == 0 && setuid(65534) != 0)
            _exit(2);
        bool good = store_lmdb_open(&store, &options, error) == WEFT_STORAGE &&
                    strstr(error, "lock.mdb") != NULL;
        _exit(good ? 0 : 1);
    }
    int code;
    cr_assert_eq(waitpid(child, &code, 0), child);
    cr_expect_eq(code, 0);
    remove_directory(path);
}

Test(store_lmdb, a_path_that_cannot_be_a_store_is_refused_in_words)
{
    char path[64];
    char name[128];
    temporary_directory(path);
    struct store_lmdb *store;
    struct store_lmdb_options options = {.path = path, .read_only = true};
    cr_expect_eq(store_lmdb_open(&store, &options, error), WEFT_NOT_FOUND);
    cr_expect_not_null(strstr(error, "holds no weft store"), "%s", error);

    snprintf(name, sizeof(name), "%s/file", path);
    write_filler(name, 10);
    options = (struct store_lmdb_options){.path = name};
    cr_expect_eq(store_lmdb_open(&store, &options, error), WEFT_STORAGE);
    cr_expect_not_null(strstr(error, "something else of this name"), "%s", error);

    snprintf(name, sizeof(name), "%s/no/such/parent", path);
    cr_expect_eq(store_lmdb_open(&store, &options, error), WEFT_STORAGE);
    cr_expect_not_null(strstr(error, "No such file"), "%s", error);
    remove_directory(path);
}

// -------------------------------------------------------------------------------------------- kill
// -9

/// Stands in another process: commits one record after the other and tells each that is durable.
/// @param kept Older ones are removed, so that pages are used again.
static void committer_run(const char *path, uint64_t next, uint64_t kept, int acks)
{
    struct store_lmdb *store = open_bounded(path, 1 << 28);
    struct store *port = store_lmdb_port(store);
    for (;; next++) {
        stage_numbered(port, next, 3000);
        if (next > kept)
            unstage_numbered(port, next - kept);
        if (commit(store) != WEFT_OK || write(acks, &next, sizeof(next)) != (ssize_t)sizeof(next))
            _exit(1);
    }
}

Test(store_lmdb, what_was_acked_survives_kill_9)
{
    enum { kills = 20 };
    char path[64];
    temporary_directory(path);
    uint64_t acked = 0;
    for (unsigned round = 0; round < kills; round++) {
        int acks[2];
        cr_assert_eq(pipe(acks), 0);
        pid_t child = fork();
        if (child == 0)
            committer_run(path, acked + 1, UINT64_MAX, acks[1]);
        close(acks[1]);
        // At least some acks, then at any moment.
        uint64_t number;
        for (unsigned i = 0; i < 3 + round; i++) {
            cr_assert_eq(read(acks[0], &number, sizeof(number)), (ssize_t)sizeof(number));
            acked = number;
        }
        struct timespec pause = {0, 37000 * (long)round};
        nanosleep(&pause, NULL);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(acks[0], &number, sizeof(number)) == (ssize_t)sizeof(number))
            acked = number;
        close(acks[0]);
        expect_sound(path);
        struct store_lmdb *store = open_bounded(path, 1 << 28);
        for (uint64_t n = 1; n <= acked; n++)
            cr_assert(has_numbered(store_lmdb_port(store), n, 3000), "round %u: record %llu", round,
                      (unsigned long long)n);
        store_lmdb_port(store)->release(store_lmdb_port(store));
        store_lmdb_close(store);
    }
    remove_directory(path);
}

// ------------------------------------------------------------------------------------------ backup

struct backup_result {
    pthread_mutex_t mutex;
    pthread_cond_t turned;
    bool done;
    enum weft_status status;
};

static void backup_done(void *context, enum weft_status status, const char *text)
{
    struct backup_result *result = context;
    (void)text;
    pthread_mutex_lock(&result->mutex);
    result->done = true;
    result->status = status;
    pthread_cond_signal(&result->turned);
    pthread_mutex_unlock(&result->mutex);
}

static enum weft_status wait_for_backup(struct backup_result *result)
{
    pthread_mutex_lock(&result->mutex);
    while (!result->done)
        pthread_cond_wait(&result->turned, &result->mutex);
    pthread_mutex_unlock(&result->mutex);
    return result->status;
}

Test(store_lmdb, a_backup_of_a_live_store_is_a_store)
{
    char path[64];
    char target[96];
    temporary_directory(path);
    struct store_lmdb *store = open_bounded(path, 1 << 28);
    struct store *port = store_lmdb_port(store);
    for (uint64_t n = 1; n <= 50; n++) {
        stage_numbered(port, n, 20000);
        cr_assert_eq(commit(store), WEFT_OK);
    }
    cr_expect_eq(store_lmdb_backup(store, path, backup_done, NULL, error), WEFT_CONFLICT);
    cr_expect_not_null(strstr(error, "not an empty directory"), "%s", error);

    snprintf(target, sizeof(target), "%s/backup", path);
    struct backup_result result = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                   .turned = PTHREAD_COND_INITIALIZER};
    cr_assert_eq(store_lmdb_backup(store, target, backup_done, &result, error), WEFT_OK, "%s",
                 error);
    for (uint64_t n = 51; n <= 100; n++) {
        stage_numbered(port, n, 20000);
        cr_assert_eq(commit(store), WEFT_OK);
    }
    cr_expect_eq(wait_for_backup(&result), WEFT_OK);
    store_lmdb_close(store);

    expect_sound(target);
    struct store_lmdb *copy = open_bounded(target, 1 << 28);
    for (uint64_t n = 1; n <= 50; n++)
        cr_expect(has_numbered(store_lmdb_port(copy), n, 20000));
    store_lmdb_port(copy)->release(store_lmdb_port(copy));
    store_lmdb_close(copy);
    remove_directory(path);
}

Test(store_lmdb, a_backup_by_another_process_follows_a_map_that_grew)
{
    char path[64];
    char target[96];
    int start[2];
    uint8_t byte = 0;
    temporary_directory(path);
    snprintf(target, sizeof(target), "%s/backup", path);
    struct store_lmdb *store = open_bounded(path, 1 << 28);
    stage_numbered(store_lmdb_port(store), 1, 200000);
    cr_assert_eq(commit(store), WEFT_OK);
    cr_assert_eq(pipe(start), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store_lmdb_options options = {
            .path = path, .read_only = true, .map_bytes_initial = 1};
        struct backup_result result = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                                       .turned = PTHREAD_COND_INITIALIZER};
        struct store_lmdb *other;
        if (store_lmdb_open(&other, &options, error) != WEFT_OK || write(start[1], "o", 1) != 1)
            _exit(2);
        for (int i = 0; i < 60000 && access(target, F_OK) != 0; i++)
            usleep(1000); // the writer makes it when it has grown
        if (store_lmdb_backup(other, target, backup_done, &result, error) != WEFT_OK)
            _exit(3);
        _exit(wait_for_backup(&result) == WEFT_OK ? 0 : 4);
    }
    cr_assert_eq(read(start[0], &byte, 1), 1);
    for (uint64_t n = 2; n <= 20; n++) {
        stage_numbered(store_lmdb_port(store), n, 200000);
        cr_assert_eq(commit(store), WEFT_OK);
    }
    cr_assert_eq(mkdir(target, 0700), 0);
    int code;
    cr_assert_eq(waitpid(pid, &code, 0), pid);
    cr_expect_eq(code, 0, "%d", code >> 8);
    close(start[0]);
    close(start[1]);
    store_lmdb_close(store);
    expect_sound(target);
    remove_directory(path);
}

/// The quickest writer there is: where syncs cost nothing, if there is such a place.
Test(store_lmdb, a_backup_holds_up_no_group_that_fits_into_the_map)
{
    char path[64];
    temporary_directory(path);
    struct store_lmdb *store = open_bounded(path, 1 << 28);
    struct store *port = store_lmdb_port(store);
    // As while a backup copies, for as long as the test likes.
    pthread_mutex_lock(&store->mutex);
    store->backup.running = true;
    pthread_mutex_unlock(&store->mutex);
    for (uint64_t n = 1, used = 0; used < 15; n++) { // sixteenths of the map
        stage_numbered(port, n, 3000);
        cr_assert_eq(commit(store), WEFT_OK);
        struct store_lmdb_stats stats;
        store_lmdb_stats(store, &stats);
        used = stats.file_bytes * 16 / stats.map_bytes;
    }
    pthread_mutex_lock(&store->mutex);
    store->backup.running = false;
    pthread_cond_broadcast(&store->turned);
    pthread_mutex_unlock(&store->mutex);
    store_lmdb_close(store);
    remove_directory(path);
}

static void quick_directory(char *path)
{
    snprintf(path, 64, "/dev/shm/weft-XXXXXX");
    if (mkdtemp(path) == NULL)
        temporary_directory(path);
}

Test(store_lmdb, a_check_of_a_live_store_sees_one_state)
{
    enum { kept = 2000 };
    char path[64];
    quick_directory(path);
    struct store_lmdb *store = open_bounded(path, 1 << 28);
    for (uint64_t n = 1; n <= kept; n++)
        stage_numbered(store_lmdb_port(store), n, 3000);
    cr_assert_eq(commit(store), WEFT_OK);
    store_lmdb_close(store);
    int acks[2];
    cr_assert_eq(pipe(acks), 0);
    fcntl(acks[1], F_SETPIPE_SZ, 1 << 20);
    pid_t child = fork();
    if (child == 0)
        committer_run(path, kept + 1, kept, acks[1]);
    close(acks[1]);
    uint64_t first;
    uint64_t last;
    cr_assert_eq(read(acks[0], &first, sizeof(first)), (ssize_t)sizeof(first));
    for (unsigned i = 0; i < 20; i++) {
        struct store_lmdb_report report;
        cr_assert_eq(store_lmdb_verify(path, NULL, &report, error), WEFT_OK, "%s", error);
        cr_assert_eq(report.records[STORE_JOURNAL], kept);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(acks[0], &last, sizeof(last)) == (ssize_t)sizeof(last))
        ;
    cr_expect_gt(last, first + 20, "the writer stood still");
    close(acks[0]);
    remove_directory(path);
}

// -------------------------------------------------------------------------------------- memory and
// staging

struct failing {
    struct weft_allocator libc;
    bool fails;
};

static void *failing_resize(void *context, void *old, size_t old_size, size_t new_size)
{
    struct failing *failing = context;
    if (failing->fails && new_size > old_size)
        return NULL;
    return failing->libc.resize(failing->libc.context, old, old_size, new_size);
}

Test(store_lmdb, a_group_that_found_no_memory_fails_as_a_whole)
{
    char path[64];
    temporary_directory(path);
    struct failing failing = {weft_allocator_libc(), false};
    struct weft_allocator allocator = {&failing, failing_resize};
    struct store_lmdb *store;
    struct store_lmdb_options options = {.path = path, .allocator = &allocator};
    cr_assert_eq(store_lmdb_open(&store, &options, error), WEFT_OK, "%s", error);
    struct store *port = store_lmdb_port(store);
    uint8_t *big = calloc(1, 1 << 20);
    store_put(port, STORE_META, "a", "1");
    failing.fails = true;
    cr_expect_eq(port->put(port, STORE_META, text_span("b"), (struct span){big, 1 << 20}),
                 WEFT_NO_MEMORY);
    failing.fails = false;
    cr_expect_eq(port->put(port, STORE_META, text_span("c"), text_span("3")), WEFT_NO_MEMORY);
    cr_expect_eq(commit(store), WEFT_NO_MEMORY);
    cr_expect_eq(port->health(port), STORE_WRITABLE);
    cr_expect(store_has(port, STORE_META, "a", NULL));
    port->release(port);
    store_put(port, STORE_META, "a", "2");
    cr_expect_eq(commit(store), WEFT_OK);
    cr_expect(store_has(port, STORE_META, "a", "2"));
    port->release(port);
    free(big);
    store_lmdb_close(store);
    remove_directory(path);
}
