// SPDX-License-Identifier: MIT
// The store port's implementations behind one face; see store_fixture.h.
#include "store_fixture.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "io/store_lmdb_impl.h"

enum { MAP_BYTES_MAX = 96 << 20 };

struct span text_span(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

void store_put(struct store *store, enum store_table table, const char *key, const char *value)
{
    cr_assert_eq(store->put(store, table, text_span(key), text_span(value)), WEFT_OK);
}

bool store_has(struct store *store, enum store_table table, const char *key, const char *value)
{
    struct span found;
    enum weft_status status = store->get(store, &found, table, text_span(key));
    if (value == NULL)
        return status == WEFT_NOT_FOUND;
    return status == WEFT_OK && found.size == strlen(value) &&
           memcmp(found.data, value, found.size) == 0;
}

void store_fixture_commit(struct store_fixture *self)
{
    uint64_t group = self->store->commit(self->store);
    cr_assert_eq(self->settle(self, group), WEFT_OK);
}

// ------------------------------------------------------------------------------------- directories

void temporary_directory(char *path)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, 64, "%.40s/weft-XXXXXX", base != NULL && strlen(base) <= 40 ? base : "/tmp");
    cr_assert_not_null(mkdtemp(path));
}

static int remove_entry(const char *path, const struct stat *stat, int kind, struct FTW *where)
{
    (void)stat;
    (void)kind;
    (void)where;
    return remove(path);
}

void remove_directory(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// -------------------------------------------------------------------------------------------- LMDB

static void lmdb_open(struct store_fixture *self)
{
    char error[STORE_LMDB_ERROR_BYTES];
    struct store_lmdb_options options = {
        .path = self->path, .map_bytes_initial = 1 << 20, .map_bytes_max = MAP_BYTES_MAX};
    cr_assert_eq(store_lmdb_open(&self->lmdb, &options, error), WEFT_OK, "%s", error);
    self->store = store_lmdb_port(self->lmdb);
}

static enum weft_status lmdb_settle(struct store_fixture *self, uint64_t group)
{
    uint64_t found;
    enum weft_status status;
    cr_assert(store_lmdb_wait(self->lmdb, 20000), "group %llu did not complete",
              (unsigned long long)group);
    cr_assert(store_lmdb_next(self->lmdb, &found, &status));
    cr_assert_eq(found, group, "group %llu completed before group %llu", (unsigned long long)found,
                 (unsigned long long)group);
    return status;
}

static void wait_10_ms(void)
{
    struct timespec pause = {0, 10 * 1000000};
    nanosleep(&pause, NULL);
}

static void lmdb_finish(struct store_fixture *self, unsigned count)
{
    for (unsigned i = 0; i < 2000; i++) {
        pthread_mutex_lock(&self->lmdb->mutex);
        bool there = self->lmdb->completion_count >= count;
        pthread_mutex_unlock(&self->lmdb->mutex);
        if (there)
            return;
        wait_10_ms();
    }
    cr_assert_fail("%u groups did not complete", count);
}

static void lmdb_doom(struct store_fixture *self)
{
    // More than the map's bound has room for.
    struct span value = {calloc(1, MAP_BYTES_MAX), MAP_BYTES_MAX};
    cr_assert_eq(self->store->put(self->store, STORE_SNAPSHOTS, text_span("doom"), value), WEFT_OK);
    free((void *)(uintptr_t)value.data);
}

static void lmdb_recover(struct store_fixture *self)
{
    // Its transaction was given up; the store's probe finds the room that there is.
    for (unsigned i = 0; i < 2000; i++) {
        if (self->store->health(self->store) == STORE_WRITABLE)
            return;
        wait_10_ms();
    }
    cr_assert_fail("the store did not become writable");
}

static void lmdb_reopen(struct store_fixture *self)
{
    self->store->release(self->store);
    store_lmdb_close(self->lmdb);
    lmdb_open(self);
}

static void lmdb_close(struct store_fixture *self)
{
    self->store->release(self->store);
    store_lmdb_close(self->lmdb);
    remove_directory(self->path);
}

// --------------------------------------------------------------------------------------- simulated

static enum weft_status sim_settle(struct store_fixture *self, uint64_t group)
{
    uint64_t found;
    enum weft_status status;
    if (!sim_store_next(self->sim, &found, &status)) {
        cr_assert(sim_store_sync(self->sim));
        cr_assert(sim_store_next(self->sim, &found, &status));
    }
    cr_assert_eq(found, group);
    return status;
}

static void sim_finish(struct store_fixture *self, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        cr_assert(sim_store_sync(self->sim));
}

static void sim_doom(struct store_fixture *self)
{
    store_put(self->store, STORE_SNAPSHOTS, "doom", "");
    sim_store_set_full(self->sim, true);
}

static void sim_recover(struct store_fixture *self)
{
    sim_store_set_full(self->sim, false);
}

static void sim_reopen(struct store_fixture *self)
{
    sim_store_crash(self->sim);
}

static void sim_close(struct store_fixture *self)
{
    sim_store_destroy(self->sim);
}

void store_fixture_open(struct store_fixture *self, unsigned index)
{
    if (index == 0) {
        *self = (struct store_fixture){.name = "lmdb",
                                       .settle = lmdb_settle,
                                       .finish = lmdb_finish,
                                       .doom = lmdb_doom,
                                       .recover = lmdb_recover,
                                       .reopen = lmdb_reopen,
                                       .close = lmdb_close};
        temporary_directory(self->path);
        lmdb_open(self);
        return;
    }
    *self = (struct store_fixture){.name = "sim",
                                   .settle = sim_settle,
                                   .finish = sim_finish,
                                   .doom = sim_doom,
                                   .recover = sim_recover,
                                   .reopen = sim_reopen,
                                   .close = sim_close};
    struct sim_store_options options = {0};
    cr_assert_eq(sim_store_create(&self->sim, &options), WEFT_OK);
    self->store = sim_store_port(self->sim);
}
