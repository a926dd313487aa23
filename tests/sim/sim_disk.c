// SPDX-License-Identifier: MIT
// The store thread as happenings: sync, then tell.
#include "sim_disk.h"

#include <assert.h>
#include <stdlib.h>

#include "cluster.h"
#include "sim_node.h"
#include "sim_store.h"

#define LATENCY_US_MIN 100
#define LATENCY_US_CALM 2000
#define TELL_US_MAX 300 // from the disk to the loop

struct sim_disk {
    struct sim_store *store;
    struct sim_node *node;
    uint64_t serial; // tells late happenings of another directory or life
    uint64_t latency_us_max;
    bool syncing;
    bool broken; // or about to be: nothing reaches the disk any more
    bool full;
};

static struct world *world_of(const struct sim_disk *disk)
{
    return &disk->node->cluster->world;
}

/// The disk that a happening was planned for; NULL when it or the process is gone.
static struct sim_disk *find_disk(struct sim_node *node, uint64_t serial)
{
    return node->node != NULL && node->disk->serial == serial ? node->disk : NULL;
}

static void tell(void *context, uint64_t serial, uint64_t b, void *owned)
{
    struct sim_node *node = context;
    struct sim_disk *disk = find_disk(node, serial);
    uint64_t group;
    enum weft_status status;
    (void)b;
    (void)owned;
    if (disk == NULL || sim_node_defer(node, tell, context, serial, 0, NULL))
        return;
    while (sim_store_next(disk->store, &group, &status)) {
        if (status != WEFT_OK)
            world_note(world_of(disk), "n%u: group %llu fails: %s", node->slot,
                       (unsigned long long)group, weft_status_text(status));
        sim_node_step(
            node, &(struct node_event){.kind = NODE_COMMITTED, .group = group, .status = status});
    }
}

static void sync_group(void *context, uint64_t serial, uint64_t b, void *owned);

static void plan_sync(struct sim_disk *disk)
{
    struct world *world = world_of(disk);
    disk->syncing = true;
    world_after(world, world_between(world, LATENCY_US_MIN, disk->latency_us_max), sync_group,
                disk->node, disk->serial, 0, NULL);
}

static void sync_group(void *context, uint64_t serial, uint64_t b, void *owned)
{
    struct sim_node *node = context;
    struct sim_disk *disk = find_disk(node, serial);
    (void)b;
    (void)owned;
    if (disk == NULL || sim_node_defer(node, sync_group, context, serial, 0, NULL))
        return;
    disk->syncing = false;
    bool there = sim_store_sync(disk->store);
    assert(there);
    (void)there;
    world_after(world_of(disk), world_random(world_of(disk), TELL_US_MAX), tell, node, serial, 0,
                NULL);
    if (sim_store_pending(disk->store) > 0)
        plan_sync(disk);
}

static void committed(void *context, uint64_t group)
{
    struct sim_disk *disk = context;
    (void)group;
    if (!disk->syncing)
        plan_sync(disk);
}

static struct sim_disk *create(struct sim_node *node, const struct sim_store *source)
{
    struct sim_disk *disk = world_resize(NULL, sizeof(*disk));
    *disk = (struct sim_disk){.node = node, .latency_us_max = LATENCY_US_CALM};
    disk->serial = world_random(world_of(disk), UINT64_MAX);
    struct sim_store_options options = {.committed = committed, .context = disk};
    enum weft_status status = source == NULL ? sim_store_create(&disk->store, &options)
                                             : sim_store_clone(&disk->store, source, &options);
    if (status != WEFT_OK)
        abort(); // memory of the simulator itself
    return disk;
}

struct sim_disk *sim_disk_create(struct sim_node *node)
{
    return create(node, NULL);
}

struct sim_disk *sim_disk_copy(const struct sim_disk *disk, struct sim_node *node)
{
    return create(node, disk->store);
}

struct sim_store *sim_disk_copy_store(const struct sim_disk *disk)
{
    struct sim_store *store;
    if (sim_store_clone(&store, disk->store, &(struct sim_store_options){0}) != WEFT_OK)
        abort(); // memory of the simulator itself
    return store;
}

void sim_disk_destroy(struct sim_disk *disk)
{
    if (disk == NULL)
        return;
    sim_store_destroy(disk->store);
    free(disk);
}

struct store *sim_disk_port(struct sim_disk *disk)
{
    return sim_store_port(disk->store);
}

void sim_disk_crash(struct sim_disk *disk)
{
    struct world *world = world_of(disk);
    while (sim_store_pending(disk->store) > 0 && !disk->broken && !disk->full &&
           world_chance(world, 400))
        sim_store_sync(disk->store);
    sim_store_crash(disk->store);
    disk->serial = world_random(world, UINT64_MAX);
    disk->syncing = false;
    disk->broken = false;
}

void sim_disk_break(struct sim_disk *disk)
{
    disk->broken = true;
    sim_store_fail_next(disk->store, WEFT_STORAGE);
}

void sim_disk_set_full(struct sim_disk *disk, bool full)
{
    disk->full = full;
    sim_store_set_full(disk->store, full);
}

void sim_disk_set_latency(struct sim_disk *disk, uint64_t latency_us_max)
{
    disk->latency_us_max = latency_us_max;
}

bool sim_disk_damage(struct sim_disk *disk, enum store_table table, struct span key)
{
    return sim_store_damage(disk->store, table, key);
}
