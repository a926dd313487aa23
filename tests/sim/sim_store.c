// SPDX-License-Identifier: MIT
// The store port in memory; see sim_store.h.
//
// A table is a sorted array of pointers to counted, immutable records, with room at its front too:
// appending to a journal and cutting its beginning are cheap, and a copy of a disk shares its
// records.
#include "sim_store.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    KEY_BYTES_MAX = 511,
    SIM_GROUP_SLOTS = STORE_GROUPS_MAX + 1,
};

struct record {
    uint64_t references;
    size_t value_size;
    uint16_t key_size;
    bool damaged;
    uint8_t bytes[]; // key, value
};

struct table {
    struct record **slots;
    size_t capacity;
    size_t first; // slots before the first record
    size_t count;
};

struct edit {
    enum store_table table;
    bool removes;
    struct record *record; // owned; of a removal the key only
};

struct sim_group {
    uint64_t number;
    struct edit *edits;
    size_t count;
    size_t capacity;
    size_t payload;
    enum weft_status doomed; // not WEFT_OK: fails with this
};

struct completion {
    uint64_t group;
    enum weft_status status;
    bool first; // failed by itself, not because of one before it
};

struct sim_store {
    struct store port; // first: a pointer to it is one to the store
    struct weft_allocator allocator;
    void (*committed)(void *context, uint64_t group);
    void *context;

    struct table durable[STORE_TABLE_COUNT];
    uint64_t durable_bytes;
    struct table frozen[STORE_TABLE_COUNT]; // what an open view sees when the disk moved on
    bool view_open;
    bool view_frozen;

    struct sim_group groups[SIM_GROUP_SLOTS]; // the open one, then those under way, oldest first
    unsigned pending;
    struct completion completions[STORE_GROUPS_MAX];
    unsigned completion_count;
    uint64_t group_last;
    uint64_t group_told;
    enum weft_status failing; // a group failed and the node was not told yet
    uint64_t fail_through;    // groups up to this number fail after one that was told
    enum weft_status fail_status;

    enum weft_status fail_next;
    bool full;
    enum store_health health;
};

static struct sim_store *self_of(struct store *port)
{
    return (struct sim_store *)port;
}

// ----------------------------------------------------------------------------------------- records

static void *resize(struct sim_store *store, void *old, size_t old_size, size_t new_size)
{
    return store->allocator.resize(store->allocator.context, old, old_size, new_size);
}

static size_t record_size(const struct record *record)
{
    return sizeof(*record) + record->key_size + record->value_size;
}

static struct record *record_create(struct sim_store *store, struct span key, struct span value)
{
    struct record *record = resize(store, NULL, 0, sizeof(*record) + key.size + value.size);
    if (record == NULL)
        return NULL;
    *record =
        (struct record){.references = 1, .value_size = value.size, .key_size = (uint16_t)key.size};
    memcpy(record->bytes, key.data, key.size);
    if (value.size > 0)
        memcpy(record->bytes + key.size, value.data, value.size);
    return record;
}

static void record_drop(struct sim_store *store, struct record *record)
{
    if (record != NULL && --record->references == 0)
        resize(store, record, record_size(record), 0);
}

static struct span key_of(const struct record *record)
{
    return (struct span){record->bytes, record->key_size};
}

static struct span value_of(const struct record *record)
{
    return (struct span){record->bytes + record->key_size, record->value_size};
}

static int compare_keys(struct span a, struct span b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared > 0 ? memcmp(a.data, b.data, shared) : 0;
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

// ------------------------------------------------------------------------------------------ tables

static struct record *table_at(const struct table *table, size_t index)
{
    return table->slots[table->first + index];
}

/// Index of the first record with key >= `key`.
static size_t table_find(const struct table *table, struct span key)
{
    size_t low = 0;
    size_t high = table->count;
    // Most keys are greater than all that are there.
    if (high > 0 && compare_keys(key_of(table_at(table, high - 1)), key) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_keys(key_of(table_at(table, middle)), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool table_matches(const struct table *table, size_t index, struct span key)
{
    return index < table->count && compare_keys(key_of(table_at(table, index)), key) == 0;
}

/// Makes room for `extra` more records behind the last one.
static enum weft_status table_reserve(struct sim_store *store, struct table *table, size_t extra)
{
    size_t needed = table->count + extra;
    if (table->first + needed <= table->capacity)
        return WEFT_OK;
    if (needed <= table->capacity / 2) {
        memmove(table->slots, table->slots + table->first, table->count * sizeof(table->slots[0]));
        table->first = 0;
        return WEFT_OK;
    }
    size_t capacity = table->capacity > 0 ? table->capacity : 16;
    while (capacity < 2 * needed)
        capacity *= 2;
    struct record **slots = resize(store, NULL, 0, capacity * sizeof(slots[0]));
    if (slots == NULL)
        return WEFT_NO_MEMORY;
    if (table->count > 0)
        memcpy(slots, table->slots + table->first, table->count * sizeof(slots[0]));
    if (table->slots != NULL)
        resize(store, table->slots, table->capacity * sizeof(slots[0]), 0);
    *table = (struct table){.slots = slots, .capacity = capacity, .count = table->count};
    return WEFT_OK;
}

static void table_insert(struct table *table, size_t index, struct record *record)
{
    assert(table->first + table->count < table->capacity);
    struct record **at = table->slots + table->first + index;
    memmove(at + 1, at, (table->count - index) * sizeof(at[0]));
    *at = record;
    table->count++;
}

static void table_delete(struct table *table, size_t index)
{
    struct record **at = table->slots + table->first + index;
    table->count--;
    if (index == 0)
        table->first++;
    else
        memmove(at, at + 1, (table->count - index) * sizeof(at[0]));
}

static void table_finish(struct sim_store *store, struct table *table)
{
    for (size_t i = 0; i < table->count; i++)
        record_drop(store, table_at(table, i));
    if (table->slots != NULL)
        resize(store, table->slots, table->capacity * sizeof(table->slots[0]), 0);
    *table = (struct table){0};
}

static enum weft_status table_copy(struct sim_store *store, struct table *to,
                                   const struct table *from)
{
    enum weft_status status = table_reserve(store, to, from->count);
    if (status != WEFT_OK)
        return status;
    for (size_t i = 0; i < from->count; i++) {
        struct record *record = table_at(from, i);
        record->references++;
        to->slots[to->first + i] = record;
    }
    to->count = from->count;
    return WEFT_OK;
}

// ----------------------------------------------------------------------------------------- staging

static void group_reset(struct sim_store *store, struct sim_group *group)
{
    for (size_t i = 0; i < group->count; i++)
        record_drop(store, group->edits[i].record);
    *group = (struct sim_group){.edits = group->edits, .capacity = group->capacity};
}

static void group_finish(struct sim_store *store, struct sim_group *group)
{
    group_reset(store, group);
    if (group->edits != NULL)
        resize(store, group->edits, group->capacity * sizeof(group->edits[0]), 0);
    *group = (struct sim_group){0};
}

static enum weft_status group_add(struct sim_store *store, struct sim_group *group,
                                  struct edit edit)
{
    if (edit.record == NULL)
        return WEFT_NO_MEMORY;
    if (group->count == group->capacity) {
        size_t capacity = group->capacity > 0 ? 2 * group->capacity : 16;
        struct edit *edits = resize(store, group->edits, group->capacity * sizeof(edits[0]),
                                    capacity * sizeof(edits[0]));
        if (edits == NULL) {
            record_drop(store, edit.record);
            return WEFT_NO_MEMORY;
        }
        group->edits = edits;
        group->capacity = capacity;
    }
    group->edits[group->count++] = edit;
    group->payload += (size_t)edit.record->key_size + edit.record->value_size;
    return WEFT_OK;
}

static enum weft_status stage(struct sim_store *store, enum store_table table, bool removes,
                              struct span key, struct span value)
{
    assert(table < STORE_TABLE_COUNT);
    assert(key.size > 0 && key.size <= KEY_BYTES_MAX);
    struct sim_group *open = &store->groups[0];
    if (open->doomed == WEFT_NO_MEMORY)
        return WEFT_NO_MEMORY;
    struct edit edit = {table, removes, record_create(store, key, value)};
    enum weft_status status = group_add(store, open, edit);
    if (status != WEFT_OK && open->doomed == WEFT_OK)
        open->doomed = status;
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
    self_of(port)->groups[0].doomed = WEFT_NO_MEMORY;
}

static size_t port_staged(struct store *port)
{
    return self_of(port)->groups[0].payload;
}

static uint64_t port_commit(struct store *port)
{
    struct sim_store *store = self_of(port);
    assert(store->group_last - store->group_told < STORE_GROUPS_MAX);
    struct sim_group *open = &store->groups[0];
    open->number = ++store->group_last;
    // The open group goes behind those under way; the unused slot becomes the open one.
    unsigned behind = ++store->pending;
    struct sim_group spare = store->groups[behind];
    store->groups[behind] = *open;
    *open = spare;
    uint64_t number = store->group_last;
    if (store->committed != NULL)
        store->committed(store->context, number);
    return number;
}

// ----------------------------------------------------------------------------------------- syncing

unsigned sim_store_pending(const struct sim_store *store)
{
    return store->pending;
}

/// Keeps what an open view sees.
static enum weft_status freeze(struct sim_store *store)
{
    if (!store->view_open || store->view_frozen)
        return WEFT_OK;
    enum weft_status status = WEFT_OK;
    for (unsigned i = 0; i < STORE_TABLE_COUNT && status == WEFT_OK; i++)
        status = table_copy(store, &store->frozen[i], &store->durable[i]);
    store->view_frozen = status == WEFT_OK;
    if (status != WEFT_OK)
        for (unsigned i = 0; i < STORE_TABLE_COUNT; i++)
            table_finish(store, &store->frozen[i]);
    return status;
}

static void edit_apply(struct sim_store *store, struct edit *edit)
{
    struct table *table = &store->durable[edit->table];
    struct span key = key_of(edit->record);
    size_t index = table_find(table, key);
    if (table_matches(table, index, key)) {
        struct record *old = table_at(table, index);
        store->durable_bytes -= (uint64_t)old->key_size + old->value_size;
        table_delete(table, index);
        record_drop(store, old);
    }
    if (edit->removes)
        return;
    store->durable_bytes += (uint64_t)edit->record->key_size + edit->record->value_size;
    // A deletion at the front leaves its room there.
    if (index == 0 && table->first > 0) {
        table->first--;
        table->count++;
        table->slots[table->first] = edit->record;
    } else {
        table_insert(table, index, edit->record);
    }
    edit->record = NULL; // the table's now
}

/// All or nothing: what can fail comes first.
static enum weft_status group_apply(struct sim_store *store, struct sim_group *group)
{
    size_t extra[STORE_TABLE_COUNT] = {0};
    enum weft_status status = freeze(store);
    for (size_t i = 0; i < group->count; i++)
        extra[group->edits[i].table]++;
    for (unsigned i = 0; i < STORE_TABLE_COUNT && status == WEFT_OK; i++)
        if (extra[i] > 0)
            status = table_reserve(store, &store->durable[i], extra[i]);
    for (size_t i = 0; i < group->count && status == WEFT_OK; i++)
        edit_apply(store, &group->edits[i]);
    return status;
}

/// The outcome of a group that nothing before it dooms.
static enum weft_status group_sync(struct sim_store *store, struct sim_group *group)
{
    if (group->doomed != WEFT_OK)
        return group->doomed;
    if (store->health == STORE_BROKEN)
        return WEFT_STORAGE;
    if (store->fail_next != WEFT_OK) {
        enum weft_status status = store->fail_next;
        store->fail_next = WEFT_OK;
        if (status == WEFT_STORAGE)
            store->health = STORE_BROKEN;
        return status;
    }
    if (group->count == 0)
        return WEFT_OK;
    if (store->full) {
        store->health = STORE_FULL;
        return WEFT_LIMIT;
    }
    return group_apply(store, group);
}

bool sim_store_sync(struct sim_store *store)
{
    if (store->pending == 0)
        return false;
    struct sim_group group = store->groups[1];
    struct completion completion = {.group = group.number, .status = WEFT_OK};
    if (store->failing != WEFT_OK) {
        completion.status = store->failing;
    } else if (group.number <= store->fail_through) {
        completion.status = store->fail_status;
    } else {
        completion.status = group_sync(store, &group);
        completion.first = completion.status != WEFT_OK;
    }
    if (completion.first)
        store->failing = completion.status;
    group_reset(store, &group);
    store->pending--;
    memmove(&store->groups[1], &store->groups[2], (SIM_GROUP_SLOTS - 2) * sizeof(group));
    store->groups[SIM_GROUP_SLOTS - 1] = group;
    assert(store->completion_count < STORE_GROUPS_MAX);
    store->completions[store->completion_count++] = completion;
    return true;
}

bool sim_store_next(struct sim_store *store, uint64_t *group_out, enum weft_status *status_out)
{
    if (store->completion_count == 0)
        return false;
    struct completion completion = store->completions[0];
    store->completion_count--;
    memmove(store->completions, store->completions + 1,
            store->completion_count * sizeof(store->completions[0]));
    store->group_told = completion.group;
    if (completion.first) {
        // What was committed or staged so far was meant to follow the group that failed.
        store->failing = WEFT_OK;
        store->fail_through = store->group_last;
        store->fail_status = completion.status;
        struct sim_group *open = &store->groups[0];
        if (open->count > 0 && open->doomed == WEFT_OK)
            open->doomed = completion.status;
    }
    *group_out = completion.group;
    *status_out = completion.status;
    return true;
}

// ----------------------------------------------------------------------------------------- reading

/// The table as this turn's view sees it; begins the view.
static const struct table *view_of(struct sim_store *store, enum store_table table)
{
    assert(table < STORE_TABLE_COUNT);
    store->view_open = true;
    return store->view_frozen ? &store->frozen[table] : &store->durable[table];
}

static enum weft_status port_get(struct store *port, struct span *value_out, enum store_table table,
                                 struct span key)
{
    assert(key.size > 0 && key.size <= KEY_BYTES_MAX);
    const struct table *view = view_of(self_of(port), table);
    size_t index = table_find(view, key);
    if (!table_matches(view, index, key))
        return WEFT_NOT_FOUND;
    const struct record *record = table_at(view, index);
    if (record->damaged)
        return WEFT_MALFORMED;
    *value_out = value_of(record);
    return WEFT_OK;
}

static enum weft_status port_scan(struct store *port, enum store_table table, struct span from,
                                  bool (*visit)(void *context, struct span key, struct span value),
                                  void *context)
{
    assert(from.size <= KEY_BYTES_MAX);
    const struct table *view = view_of(self_of(port), table);
    for (size_t i = table_find(view, from); i < view->count; i++) {
        const struct record *record = table_at(view, i);
        struct span value = record->damaged ? (struct span){NULL, 0} : value_of(record);
        if (!visit(context, key_of(record), value))
            break;
    }
    return WEFT_OK;
}

static enum weft_status port_last(struct store *port, struct span *key_out, enum store_table table)
{
    const struct table *view = view_of(self_of(port), table);
    if (view->count == 0)
        return WEFT_NOT_FOUND;
    *key_out = key_of(table_at(view, view->count - 1));
    return WEFT_OK;
}

static void port_release(struct store *port)
{
    struct sim_store *store = self_of(port);
    store->view_open = false;
    if (!store->view_frozen)
        return;
    store->view_frozen = false;
    for (unsigned i = 0; i < STORE_TABLE_COUNT; i++)
        table_finish(store, &store->frozen[i]);
}

static enum store_health port_health(struct store *port)
{
    return self_of(port)->health;
}

static void port_problem(struct store *port, char text_out[STORE_PROBLEM_BYTES])
{
    static const char *const texts[] = {"", "the simulated disk is full",
                                        "a sync of the simulated disk failed"};
    snprintf(text_out, STORE_PROBLEM_BYTES, "%s", texts[self_of(port)->health]);
}

static struct store_space port_space(struct store *port)
{
    enum { limit_bytes = 1 << 30 };
    uint64_t used = self_of(port)->durable_bytes;
    return (struct store_space){used, limit_bytes, limit_bytes};
}

// ------------------------------------------------------------------------------------------- lives

enum weft_status sim_store_create(struct sim_store **store_out,
                                  const struct sim_store_options *options)
{
    struct weft_allocator allocator =
        options->allocator != NULL ? *options->allocator : weft_allocator_libc();
    struct sim_store *store = allocator.resize(allocator.context, NULL, 0, sizeof(*store));
    if (store == NULL)
        return WEFT_NO_MEMORY;
    *store = (struct sim_store){
        .port =
            {
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
            },
        .allocator = allocator,
        .committed = options->committed,
        .context = options->context,
    };
    *store_out = store;
    return WEFT_OK;
}

enum weft_status sim_store_clone(struct sim_store **store_out, const struct sim_store *source,
                                 const struct sim_store_options *options)
{
    struct sim_store_options shared = *options;
    shared.allocator = &source->allocator;
    struct sim_store *store;
    enum weft_status status = sim_store_create(&store, &shared);
    if (status != WEFT_OK)
        return status;
    for (unsigned i = 0; i < STORE_TABLE_COUNT && status == WEFT_OK; i++)
        status = table_copy(store, &store->durable[i], &source->durable[i]);
    store->durable_bytes = source->durable_bytes;
    if (status != WEFT_OK) {
        sim_store_destroy(store);
        return status;
    }
    *store_out = store;
    return WEFT_OK;
}

void sim_store_destroy(struct sim_store *store)
{
    if (store == NULL)
        return;
    for (unsigned i = 0; i < SIM_GROUP_SLOTS; i++)
        group_finish(store, &store->groups[i]);
    for (unsigned i = 0; i < STORE_TABLE_COUNT; i++) {
        table_finish(store, &store->frozen[i]);
        table_finish(store, &store->durable[i]);
    }
    struct weft_allocator allocator = store->allocator;
    allocator.resize(allocator.context, store, sizeof(*store), 0);
}

struct store *sim_store_port(struct sim_store *store)
{
    return &store->port;
}

void sim_store_crash(struct sim_store *store)
{
    port_release(&store->port);
    for (unsigned i = 0; i < SIM_GROUP_SLOTS; i++)
        group_reset(store, &store->groups[i]);
    store->pending = 0;
    store->completion_count = 0;
    store->group_last = 0;
    store->group_told = 0;
    store->failing = WEFT_OK;
    store->fail_through = 0;
    store->fail_status = WEFT_OK;
    store->fail_next = WEFT_OK;
    store->health = STORE_WRITABLE;
}

// ------------------------------------------------------------------------------------------ faults

void sim_store_fail_next(struct sim_store *store, enum weft_status status)
{
    store->fail_next = status;
}

void sim_store_set_full(struct sim_store *store, bool full)
{
    store->full = full;
    if (!full && store->health == STORE_FULL)
        store->health = STORE_WRITABLE;
}

bool sim_store_damage(struct sim_store *store, enum store_table table, struct span key)
{
    assert(table < STORE_TABLE_COUNT);
    struct table *durable = &store->durable[table];
    size_t index = table_find(durable, key);
    if (!table_matches(durable, index, key))
        return false;
    // Copies of this disk keep the good one.
    struct record *old = table_at(durable, index);
    struct record *bad = record_create(store, key, value_of(old));
    if (bad == NULL)
        return false;
    bad->damaged = true;
    durable->slots[durable->first + index] = bad;
    record_drop(store, old);
    return true;
}

uint64_t sim_store_bytes(const struct sim_store *store)
{
    return store->durable_bytes;
}

size_t sim_store_count(const struct sim_store *store, enum store_table table)
{
    assert(table < STORE_TABLE_COUNT);
    return store->durable[table].count;
}
