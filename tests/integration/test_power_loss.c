// SPDX-License-Identifier: MIT
// Power loss, which kill -9 cannot show: a preloaded recorder keeps the store's files as last
// synced, and at each ack that image, opened, must hold what was acked.
//
// $WEFT_RECORDER and $WEFT_COMMITTER name the library and the program (tests/integration/recorder).
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "io/store_lmdb.h"
#include "recorder/committer.h"

struct machine {
    char root[64];
    char data[80];  // the directory that the program uses
    char image[80]; // what would be left of it
    char copy[80];  // a copy of the image, to be opened
    pid_t pid;
    FILE *to;
    FILE *from;
    uint64_t acked; // the last number
};

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
    (void)stat;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void machine_init(struct machine *machine)
{
    *machine = (struct machine){.root = "/tmp/weft-power-XXXXXX"};
    cr_assert_not_null(mkdtemp(machine->root));
    snprintf(machine->data, sizeof(machine->data), "%s/data", machine->root);
    snprintf(machine->image, sizeof(machine->image), "%s/image", machine->root);
    snprintf(machine->copy, sizeof(machine->copy), "%s/copy", machine->root);
    cr_assert_eq(mkdir(machine->image, 0700), 0);
}

static void become_committer(const struct machine *machine, const char *option)
{
    const char *asan = getenv("ASAN_OPTIONS");
    char options[512];
    snprintf(options, sizeof(options), "%s:verify_asan_link_order=0", asan != NULL ? asan : "");
    setenv("ASAN_OPTIONS", options, 1);
    setenv("WEFT_RECORDER_FILES", machine->data, 1);
    setenv("WEFT_RECORDER_IMAGE", machine->image, 1);
    setenv("LD_PRELOAD", getenv("WEFT_RECORDER"), 1);
    execl(getenv("WEFT_COMMITTER"), "committer", machine->data, option, NULL);
    _exit(127);
}

/// @param option For the committer, or NULL.
static void machine_start(struct machine *machine, const char *option)
{
    int to[2];
    int from[2];
    cr_assert_eq(pipe2(to, O_CLOEXEC), 0);
    cr_assert_eq(pipe2(from, O_CLOEXEC), 0);
    cr_assert_not_null(getenv("WEFT_RECORDER"));
    cr_assert_not_null(getenv("WEFT_COMMITTER"));
    machine->pid = fork();
    cr_assert_geq(machine->pid, 0);
    if (machine->pid == 0) {
        dup2(to[0], STDIN_FILENO);
        dup2(from[1], STDOUT_FILENO);
        become_committer(machine, option);
    }
    close(to[0]);
    close(from[1]);
    machine->to = fdopen(to[1], "w");
    machine->from = fdopen(from[0], "r");
}

static void machine_kill(struct machine *machine)
{
    kill(machine->pid, SIGKILL);
    waitpid(machine->pid, NULL, 0);
    fclose(machine->to);
    fclose(machine->from);
}

static void machine_finish(struct machine *machine)
{
    fclose(machine->to);
    fclose(machine->from);
    int code;
    cr_assert_eq(waitpid(machine->pid, &code, 0), machine->pid);
    cr_expect_eq(code, 0);
    remove_tree(machine->root);
}

static void ask(struct machine *machine, uint64_t number)
{
    fprintf(machine->to, "%llu\n", (unsigned long long)number);
    fflush(machine->to);
}

/// Asks for a record and waits for the answer.
static const char *answer_to(struct machine *machine, uint64_t number)
{
    static char line[64];
    ask(machine, number);
    cr_assert_not_null(fgets(line, sizeof(line), machine->from), "the committer ended");
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static void expect_ack(struct machine *machine, uint64_t number)
{
    char ack[32];
    snprintf(ack, sizeof(ack), "ack %llu", (unsigned long long)number);
    cr_assert_str_eq(answer_to(machine, number), ack);
    machine->acked = number;
}

static void touch(const struct machine *machine, const char *control)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/%s", machine->image, control);
    int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
}

static void untouch(const struct machine *machine, const char *control)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/%s", machine->image, control);
    cr_assert_eq(unlink(name), 0);
}

/// Copies the image of the data file, between two of the recorder's changes to it.
static void copy_image(const struct machine *machine, const char *to)
{
    char name[128];
    static char bytes[1 << 16];
    remove_tree(to);
    cr_assert_eq(mkdir(to, 0700), 0);
    snprintf(name, sizeof(name), "%s/.lock", machine->image);
    int lock = open(name, O_RDONLY | O_CLOEXEC);
    cr_assert_geq(lock, 0);
    cr_assert_eq(flock(lock, LOCK_SH), 0);
    snprintf(name, sizeof(name), "%s/data.mdb", machine->image);
    int in = open(name, O_RDONLY | O_CLOEXEC);
    snprintf(name, sizeof(name), "%s/data.mdb", to);
    int out = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(in >= 0 && out >= 0);
    ssize_t size;
    while ((size = read(in, bytes, sizeof(bytes))) > 0)
        cr_assert_eq(write(out, bytes, (size_t)size), size);
    close(in);
    close(out);
    close(lock);
}

/// The last record of the store, or 0. Fails the test if one before it is missing or wrong.
static uint64_t last_record(struct store *port)
{
    static uint8_t value[COMMITTER_VALUE_BYTES_MAX];
    struct span found;
    char text[21] = "";
    enum weft_status status =
        port->get(port, &found, STORE_META, (struct span){(const uint8_t *)"last", 4});
    if (status == WEFT_NOT_FOUND)
        return 0;
    cr_assert(status == WEFT_OK && found.size == 20);
    memcpy(text, found.data, 20);
    uint64_t last = strtoull(text, NULL, 10);
    uint64_t first = last > COMMITTER_KEPT ? last - COMMITTER_KEPT + 1 : 1;
    for (uint64_t n = first; n <= last; n++) {
        snprintf(text, sizeof(text), "%020llu", (unsigned long long)n);
        size_t size = committer_value(value, n);
        struct span key = {(uint8_t *)text, 20};
        cr_assert_eq(port->get(port, &found, STORE_JOURNAL, key), WEFT_OK, "record %s", text);
        cr_assert(found.size == size && memcmp(found.data, value, size) == 0, "record %s", text);
    }
    return last;
}

/// Opens what a power cut would leave now. @return the last record in it.
static uint64_t last_after_power_cut(const struct machine *machine)
{
    char error[STORE_LMDB_ERROR_BYTES];
    struct store_lmdb_report report;
    struct store_lmdb *store;
    copy_image(machine, machine->copy);
    enum weft_status status = store_lmdb_verify(machine->copy, NULL, &report, error);
    cr_assert(status == WEFT_OK || status == WEFT_NOT_FOUND, "%s", error);
    struct store_lmdb_options options = {.path = machine->copy};
    cr_assert_eq(store_lmdb_open(&store, &options, error), WEFT_OK, "%s", error);
    uint64_t last = last_record(store_lmdb_port(store));
    store_lmdb_port(store)->release(store_lmdb_port(store));
    store_lmdb_close(store);
    return last;
}

Test(power_loss, at_each_ack_the_synced_image_holds_the_edit)
{
    enum { edits = 120 };
    struct machine machine;
    machine_init(&machine);
    machine_start(&machine, NULL);
    for (uint64_t n = 1; n <= edits; n++) {
        expect_ack(&machine, n);
        cr_assert_eq(last_after_power_cut(&machine), n);
    }
    machine_finish(&machine);
}

Test(power_loss, the_recorder_notices_a_store_that_does_not_sync)
{
    struct machine machine;
    machine_init(&machine);
    machine_start(&machine, "--unsynced");
    for (uint64_t n = 1; n <= 20; n++)
        expect_ack(&machine, n);
    cr_expect_eq(last_after_power_cut(&machine), 0);
    machine_finish(&machine);
}

Test(power_loss, after_a_power_cut_in_mid_commit_the_store_goes_on)
{
    enum { cuts = 15 };
    struct machine machine;
    machine_init(&machine);
    for (unsigned cut = 0; cut < cuts; cut++) {
        machine_start(&machine, NULL);
        for (unsigned i = 0; i < 5; i++)
            expect_ack(&machine, machine.acked + 1);
        ask(&machine, machine.acked + 1);
        struct timespec pause = {0, 60000 * (long)cut};
        nanosleep(&pause, NULL);
        machine_kill(&machine);
        uint64_t last = last_after_power_cut(&machine);
        cr_assert(last == machine.acked || last == machine.acked + 1,
                  "cut %u: %llu acked, %llu left", cut, (unsigned long long)machine.acked,
                  (unsigned long long)last);
        // The machine starts again from what is left.
        copy_image(&machine, machine.data);
        remove_tree(machine.image);
        cr_assert_eq(mkdir(machine.image, 0700), 0);
        machine.acked = last;
    }
    remove_tree(machine.root);
}

Test(power_loss, a_failed_sync_acks_nothing_ever_again)
{
    struct machine machine;
    char fail[64];
    machine_init(&machine);
    machine_start(&machine, NULL);
    for (uint64_t n = 1; n <= 10; n++)
        expect_ack(&machine, n);
    touch(&machine, ".fail-sync");
    snprintf(fail, sizeof(fail), "fail 11 %d %d", WEFT_STORAGE, STORE_BROKEN);
    cr_expect_str_eq(answer_to(&machine, 11), fail);
    // That a sync would work again makes no difference: what it would not say is what was lost.
    untouch(&machine, ".fail-sync");
    for (uint64_t n = 12; n <= 14; n++) {
        snprintf(fail, sizeof(fail), "fail %llu %d %d", (unsigned long long)n, WEFT_STORAGE,
                 STORE_BROKEN);
        cr_expect_str_eq(answer_to(&machine, n), fail);
    }
    cr_expect_eq(last_after_power_cut(&machine), 10);
    machine_finish(&machine);
}

Test(power_loss, a_sync_that_failed_on_a_full_disk_is_a_failed_sync)
{
    static const char *const kinds[] = {".fail-sync", ".fail-sync-once"};
    for (unsigned kind = 0; kind < 2; kind++) {
        struct machine machine;
        char fail[64];
        machine_init(&machine);
        machine_start(&machine, NULL);
        expect_ack(&machine, 1);
        touch(&machine, ".fail-space");
        touch(&machine, kinds[kind]);
        snprintf(fail, sizeof(fail), "fail 2 %d %d", WEFT_STORAGE, STORE_BROKEN);
        cr_expect_str_eq(answer_to(&machine, 2), fail, "%s", kinds[kind]);
        untouch(&machine, ".fail-space");
        if (kind == 0)
            untouch(&machine, ".fail-sync");
        snprintf(fail, sizeof(fail), "fail 3 %d %d", WEFT_STORAGE, STORE_BROKEN);
        cr_expect_str_eq(answer_to(&machine, 3), fail, "%s", kinds[kind]);
        cr_expect_eq(last_after_power_cut(&machine), 1);
        machine_finish(&machine);
    }
}

Test(power_loss, a_write_cut_short_by_a_full_disk_is_no_failed_sync)
{
    struct machine machine;
    char fail[64];
    machine_init(&machine);
    machine_start(&machine, NULL);
    expect_ack(&machine, 1);
    touch(&machine, ".fail-space");
    touch(&machine, ".fail-write"); // with EIO, as LMDB calls a write that was cut short
    snprintf(fail, sizeof(fail), "fail 2 %d %d", WEFT_LIMIT, STORE_FULL);
    cr_expect_str_eq(answer_to(&machine, 2), fail);
    untouch(&machine, ".fail-write");
    untouch(&machine, ".fail-space");
    expect_ack(&machine, 2);
    cr_expect_eq(last_after_power_cut(&machine), 2);
    machine_finish(&machine);
}

Test(power_loss, a_disk_that_refuses_writes_breaks_the_store_unless_it_is_full)
{
    struct machine machine;
    char fail[64];
    machine_init(&machine);
    machine_start(&machine, NULL);
    expect_ack(&machine, 1);
    touch(&machine, ".fail-write");
    snprintf(fail, sizeof(fail), "fail 2 %d %d", WEFT_STORAGE, STORE_BROKEN);
    cr_expect_str_eq(answer_to(&machine, 2), fail);
    cr_expect_eq(last_after_power_cut(&machine), 1);
    untouch(&machine, ".fail-write");
    fclose(machine.to);
    fclose(machine.from);
    waitpid(machine.pid, NULL, 0);

    // The next process has a disk that is full, for a while.
    char code[16];
    snprintf(code, sizeof(code), "%d", ENOSPC);
    setenv("WEFT_RECORDER_WRITE_ERRNO", code, 1);
    machine_start(&machine, NULL);
    expect_ack(&machine, 2);
    touch(&machine, ".fail-write");
    for (uint64_t n = 3; n <= 4; n++) {
        snprintf(fail, sizeof(fail), "fail %llu %d %d", (unsigned long long)n, WEFT_LIMIT,
                 STORE_FULL);
        cr_expect_str_eq(answer_to(&machine, n), fail);
    }
    cr_expect_eq(last_after_power_cut(&machine), 2);
    untouch(&machine, ".fail-write");
    expect_ack(&machine, 3);
    cr_expect_eq(last_after_power_cut(&machine), 3);
    machine_finish(&machine);
}

Test(power_loss, whichever_write_or_sync_fails_first_nothing_acked_is_lost)
{
    enum { faults = 12 };
    static const char *const kinds[] = {"WEFT_RECORDER_FAIL_SYNC_FROM",
                                        "WEFT_RECORDER_FAIL_WRITE_FROM"};
    for (unsigned kind = 0; kind < 2; kind++) {
        for (unsigned at = 3; at < 3 + faults; at++) {
            struct machine machine;
            char number[16];
            machine_init(&machine);
            machine_start(&machine, NULL); // a store that exists
            expect_ack(&machine, 1);
            machine_kill(&machine);
            snprintf(number, sizeof(number), "%u", at);
            setenv(kinds[kind], number, 1);
            machine_start(&machine, NULL);
            unsetenv(kinds[kind]);
            bool failed = false;
            for (uint64_t n = 2; n < 2 + 2 * faults && !failed; n++) {
                failed = strncmp(answer_to(&machine, n), "fail", 4) == 0;
                if (!failed)
                    machine.acked = n;
            }
            cr_expect(failed, "%s=%u", kinds[kind], at);
            uint64_t last = last_after_power_cut(&machine);
            cr_expect_eq(last, machine.acked, "%s=%u: %llu acked, %llu left", kinds[kind], at,
                         (unsigned long long)machine.acked, (unsigned long long)last);
            machine_finish(&machine);
        }
    }
}
