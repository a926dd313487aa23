// SPDX-License-Identifier: MIT
// The LMDB store's port: everything that the loop thread calls; see store_lmdb.h.
#include "io/store_lmdb.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "io/store_lmdb_impl.h"

static_assert(offsetof(struct store_lmdb, port) == 0, "the port is the store");

static struct store_lmdb *self_of(struct store *port)
{
    return (struct store_lmdb *)port;
}

uint64_t store_lmdb_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct store *store_lmdb_port(struct store_lmdb *store)
{
    return &store->port;
}

// ----------------------------------------------------------------------------------------- writing

static enum weft_status stage(struct store_lmdb *store, enum store_table table, bool removes,
                              struct span key, struct span value)
{
    assert(!store->read_only);
    struct store_lmdb_group *group = store->open;
    if (group->doomed == WEFT_NO_MEMORY)
        return WEFT_NO_MEMORY;
    enum weft_status status = store_lmdb_group_add(group, table, removes, key, value);
    if (status != WEFT_OK && group->doomed == WEFT_OK)
        group->doomed = status;
    return status;
}

static enum weft_status port_put(struct store *port, enum store_table table, struct span key,
                                 struct span value)
{
    return stage(self_of(port), table, false, key, value);
}

static enum weft_status port_remove(struct store *port, enum store_table table, struct span key)
{
    return stage(self_of(port), table, true, key, (struct span){NULL, 0});
}

static void port_doom(struct store *port)
{
    self_of(port)->open->doomed = WEFT_NO_MEMORY;
}

static size_t port_staged(struct store *port)
{
    return self_of(port)->open->payload;
}

static uint64_t port_commit(struct store *port)
{
    struct store_lmdb *store = self_of(port);
    assert(!store->read_only);
    assert(store->group_last - store->group_told < STORE_GROUPS_MAX);
    struct store_lmdb_group *group = store->open;
    uint64_t number = ++store->group_last;
    group->number = number;

    pthread_mutex_lock(&store->mutex);
    store->queue[store->queue_count++] = group;
    assert(store->idle_count > 0);
    store->open = store->idle[--store->idle_count];
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->mutex);
    return number; // the group may be another's by now
}

bool store_lmdb_next(struct store_lmdb *store, uint64_t *group_out, enum weft_status *status_out)
{
    pthread_mutex_lock(&store->mutex);
    bool there = store->completion_count > 0;
    if (there) {
        struct store_lmdb_completion completion = store->completions[0];
        store->completion_count--;
        memmove(store->completions, store->completions + 1,
                store->completion_count * sizeof(store->completions[0]));
        store->group_told = completion.group;
        if (completion.first) {
            // What was committed or staged so far was meant to follow the group that failed.
            store->failing = WEFT_OK;
            store->fail_through = store->group_last;
            store->fail_status = completion.status;
            if (store->open->size > 0 && store->open->doomed == WEFT_OK)
                store->open->doomed = completion.status;
        }
        *group_out = completion.group;
        *status_out = completion.status;
    }
    pthread_mutex_unlock(&store->mutex);
    return there;
}

bool store_lmdb_wait(struct store_lmdb *store, uint32_t timeout_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&store->mutex);
    int code = 0;
    while (store->completion_count == 0 && code == 0)
        code = pthread_cond_timedwait(&store->turned, &store->mutex, &until);
    bool there = store->completion_count > 0;
    pthread_mutex_unlock(&store->mutex);
    return there;
}

// ----------------------------------------------------------------------------------------- reading

void store_lmdb_view_enter(struct store_lmdb *store)
{
    pthread_mutex_lock(&store->mutex);
    while (store->growing)
        pthread_cond_wait(&store->turned, &store->mutex);
    store->views++;
    pthread_mutex_unlock(&store->mutex);
}

void store_lmdb_view_leave(struct store_lmdb *store)
{
    pthread_mutex_lock(&store->mutex);
    assert(store->views > 0);
    store->views--;
    if (store->views == 0)
        pthread_cond_broadcast(&store->turned);
    pthread_mutex_unlock(&store->mutex);
}

/// Opens the read view of this turn, unless it is open. @return whether it is open.
static bool view_open(struct store_lmdb *store)
{
    if (store->view_open)
        return true;
    store_lmdb_view_enter(store);
    store->view_open = store_lmdb_space_read(store->env, &store->view) == 0;
    if (!store->view_open)
        store_lmdb_view_leave(store);
    return store->view_open;
}

static void port_release(struct store *port)
{
    struct store_lmdb *store = self_of(port);
    if (!store->view_open)
        return;
    mdb_txn_reset(store->view);
    store->view_open = false;
    store_lmdb_view_leave(store);
}

static MDB_val val_of(struct span span)
{
    // LMDB does not write to what it is given.
    return (MDB_val){span.size, (void *)(uintptr_t)span.data};
}

static struct span span_of(MDB_val val)
{
    return (struct span){val.mv_data, val.mv_size};
}

static enum weft_status port_get(struct store *port, struct span *value_out, enum store_table table,
                                 struct span key)
{
    struct store_lmdb *store = self_of(port);
    assert(table < STORE_TABLE_COUNT);
    assert(key.size > 0 && key.size <= STORE_LMDB_KEY_BYTES_MAX);
    if (!view_open(store))
        return WEFT_STORAGE;
    if (!store->table_there[table])
        return WEFT_NOT_FOUND;
    MDB_val key_val = val_of(key);
    MDB_val value_val;
    int code = mdb_get(store->view, store->tables[table], &key_val, &value_val);
    if (code == MDB_NOTFOUND)
        return WEFT_NOT_FOUND;
    if (code != 0)
        return WEFT_STORAGE;
    uint32_t number = store_lmdb_tables[table].number;
    return store_lmdb_unframe(value_out, number, key, span_of(value_val)) ? WEFT_OK
                                                                          : WEFT_MALFORMED;
}

static enum weft_status port_scan(struct store *port, enum store_table table, struct span from,
                                  bool (*visit)(void *context, struct span key, struct span value),
                                  void *context)
{
    struct store_lmdb *store = self_of(port);
    assert(table < STORE_TABLE_COUNT);
    assert(from.size <= STORE_LMDB_KEY_BYTES_MAX);
    if (!view_open(store))
        return WEFT_STORAGE;
    if (!store->table_there[table])
        return WEFT_OK;
    MDB_cursor *cursor;
    if (mdb_cursor_open(store->view, store->tables[table], &cursor) != 0)
        return WEFT_STORAGE;
    uint32_t number = store_lmdb_tables[table].number;
    MDB_val key = val_of(from);
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, from.size > 0 ? MDB_SET_RANGE : MDB_FIRST);
    while (code == 0) {
        struct span unframed = {NULL, 0};
        store_lmdb_unframe(&unframed, number, span_of(key), span_of(value));
        if (!visit(context, span_of(key), unframed))
            break;
        code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    return code == 0 || code == MDB_NOTFOUND ? WEFT_OK : WEFT_STORAGE;
}

static enum weft_status port_last(struct store *port, struct span *key_out, enum store_table table)
{
    struct store_lmdb *store = self_of(port);
    assert(table < STORE_TABLE_COUNT);
    if (!view_open(store))
        return WEFT_STORAGE;
    if (!store->table_there[table])
        return WEFT_NOT_FOUND;
    MDB_cursor *cursor;
    if (mdb_cursor_open(store->view, store->tables[table], &cursor) != 0)
        return WEFT_STORAGE;
    MDB_val key;
    MDB_val value;
    int code = mdb_cursor_get(cursor, &key, &value, MDB_LAST);
    mdb_cursor_close(cursor);
    if (code == MDB_NOTFOUND)
        return WEFT_NOT_FOUND;
    if (code != 0)
        return WEFT_STORAGE;
    *key_out = span_of(key);
    return WEFT_OK;
}

// ------------------------------------------------------------------------------------------- state

static enum store_health port_health(struct store *port)
{
    return (enum store_health)atomic_load(&self_of(port)->health);
}

static void port_problem(struct store *port, char text_out[STORE_PROBLEM_BYTES])
{
    struct store_lmdb_stats stats;
    store_lmdb_stats(self_of(port), &stats);
    memcpy(text_out, stats.problem, STORE_PROBLEM_BYTES);
}

static struct store_space port_space(struct store *port)
{
    struct store_lmdb_stats stats;
    store_lmdb_stats(self_of(port), &stats);
    return (struct store_space){stats.used_bytes, stats.map_bytes, stats.limit_bytes};
}

void store_lmdb_stats(struct store_lmdb *store, struct store_lmdb_stats *stats_out)
{
    pthread_mutex_lock(&store->mutex);
    *stats_out = store->stats;
    pthread_mutex_unlock(&store->mutex);
    stats_out->health = (enum store_health)atomic_load(&store->health);
}

void store_lmdb_port_init(struct store_lmdb *store)
{
    store->port = (struct store){
        .put = port_put,
        .remove = port_remove,
        .doom = port_doom,
        .staged = port_staged,
        .commit = port_commit,
        .get = port_get,
        .scan = port_scan,
        .last = port_last,
        .release = port_release,
        .health = port_health,
        .problem = port_problem,
        .space = port_space,
    };
}
