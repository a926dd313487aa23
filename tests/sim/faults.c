// SPDX-License-Identifier: MIT
// The plan of a seed, and its faults one by one.
#include "faults.h"

#include <stdio.h>
#include <string.h>

#include "cluster.h"
#include "codec/record.h"
#include "connection.h"
#include "sim_client.h"
#include "sim_disk.h"
#include "sim_node.h"

#define CLONES_MAX 2
#define LOSSES_MAX 12 // disks lost in one simulation
#define FULL_US_MAX 4000000
#define CUT_US_MAX 12000000
#define PAUSE_US_MAX 6000000
#define DOWN_US_MAX 5000000
#define ROT_TRIES 200 // to meet an entry that is in the journal
#define ROT_NUMBERS 3000
#define ROT_JOURNAL_BYTES 4096

void fault_plan_draw(struct fault_plan *plan, uint64_t seed)
{
    struct random_stream stream = {seed ^ UINT64_C(0x5EED0F0FA0175)};
    uint64_t rate = random_next(&stream) % 3; // calm, mixed and wild seeds
    uint32_t per_mille = rate == 0 ? 150 : rate == 1 ? 400 : 700;
    *plan = (struct fault_plan){0};
#define FAULT_PLAN_DRAW(name, text) plan->name = random_next(&stream) % 1000 < per_mille;
    FAULT_PLAN_MAP(FAULT_PLAN_DRAW)
#undef FAULT_PLAN_DRAW
    plan->node_count = 1 + (uint32_t)(random_next(&stream) % 5);
    if (plan->node_count == 1 && random_next(&stream) % 4 != 0)
        plan->node_count = 3;
    plan->client_count = 2 + (uint32_t)(random_next(&stream) % 7);
    plan->document_count = 1 + (uint32_t)(random_next(&stream) % 4);
    plan->duration_us = 8000000 + random_next(&stream) % 22000000;
    plan->pace_us_max = 300000 + random_next(&stream) % 4000000;
    // What is damaged is healed from others, so they must not lose it. Drawn apart: the other
    // seeds' histories stay what they are.
    struct random_stream rot = {seed ^ UINT64_C(0x0207)};
    plan->rot = plan->node_count > 1 && !plan->empties && !plan->restores && !plan->clones &&
                random_next(&rot) % 2 == 0;
    if (plan->rot)
        plan->limits.journal_bytes_max = ROT_JOURNAL_BYTES; // or nothing leaves it meanwhile
    if (!plan->tight_limits)
        return;
    if (random_next(&stream) % 2 == 0)
        plan->limits.room_ring_bytes_max = 4096 + (uint32_t)(random_next(&stream) % 65536);
    if (random_next(&stream) % 2 == 0)
        plan->limits.client_gather_bytes_max = 65536 + (uint32_t)(random_next(&stream) % 65536);
    if (random_next(&stream) % 2 == 0)
        plan->limits.journal_bytes_max = 16384 + random_next(&stream) % 65536;
    if (random_next(&stream) % 2 == 0)
        plan->limits.documents_bytes_max = 1 + random_next(&stream) % 262144;
}

void fault_plan_note(const struct fault_plan *plan, struct world *world)
{
    char line[WORLD_LINE_BYTES - 20];
    size_t at = (size_t)snprintf(
        line, sizeof(line), "%u nodes, %u clients, %u documents, %.1f s:", plan->node_count,
        plan->client_count, plan->document_count, (double)plan->duration_us / 1e6);
#define FAULT_PLAN_NOTE(name, text)                                                                \
    if (plan->name && at < sizeof(line))                                                           \
        at += (size_t)snprintf(line + at, sizeof(line) - at, " " #name);
    FAULT_PLAN_MAP(FAULT_PLAN_NOTE)
#undef FAULT_PLAN_NOTE
    if (plan->rot && at < sizeof(line))
        snprintf(line + at, sizeof(line) - at, " rot");
    world_note(world, "%s", line);
}

// --------------------------------------------------------------------------------------- network

static void change_weather(struct cluster *cluster)
{
    struct world *world = &cluster->world;
    struct network_weather *weather = &cluster->network.weather;
    const struct fault_plan *plan = &cluster->plan;
    if (plan->loss)
        weather->loss_per_mille = (uint32_t)world_random(world, 901);
    if (plan->loss && world_chance(world, 500))
        weather->reply_loss_per_mille = (uint32_t)world_random(world, 400);
    if (plan->doubling)
        weather->doubling_per_mille = (uint32_t)world_random(world, 400);
    if (plan->reordering)
        weather->reordering = world_chance(world, 700);
    if (plan->delays)
        weather->delay_us_max = 1000 + world_random(world, 1 << world_between(world, 10, 22));
    world_note(world, "weather: loss %u, reply loss %u, doubling %u per mille, delay %llu us%s",
               weather->loss_per_mille, weather->reply_loss_per_mille, weather->doubling_per_mille,
               (unsigned long long)weather->delay_us_max,
               weather->reordering ? ", reordering" : "");
}

static void mend(void *context, uint64_t from, uint64_t to, void *owned)
{
    struct cluster *cluster = context;
    (void)owned;
    cluster->network.cut[from][to] = false;
}

static void cut(struct cluster *cluster, uint32_t from, uint32_t to, uint64_t length_us)
{
    cluster->network.cut[from][to] = true;
    world_after(&cluster->world, length_us, mend, cluster, from, to, NULL);
}

static void partition(struct cluster *cluster)
{
    struct world *world = &cluster->world;
    uint64_t length_us = world_between(world, 100000, CUT_US_MAX);
    uint32_t side = (uint32_t)world_random(world, UINT64_C(1) << cluster->node_count);
    bool one_way = world_chance(world, 250);
    if (world_chance(world, 300))
        side = 1u << world_random(world, cluster->node_count);
    world_note(world, "%s cut around set %x for %.3f s", one_way ? "one-way" : "whole", side,
               (double)length_us / 1e6);
    for (uint32_t from = 0; from < cluster->node_count; from++) {
        for (uint32_t to = 0; to < cluster->node_count; to++) {
            bool leaves = (side >> from & 1) != 0 && (side >> to & 1) == 0;
            bool enters = (side >> from & 1) == 0 && (side >> to & 1) != 0;
            if (leaves || (enters && !one_way))
                cut(cluster, from, to, length_us);
        }
    }
}

// ------------------------------------------------------------------------------------- processes

static void start(void *context, uint64_t a, uint64_t b, void *owned)
{
    (void)a;
    (void)b;
    (void)owned;
    sim_node_start(context);
}

static void crash(struct cluster *cluster, struct sim_node *node)
{
    struct world *world = &cluster->world;
    sim_node_crash(node);
    world_after(world, world_between(world, 1000, DOWN_US_MAX), start, node, 0, 0, NULL);
}

static void crash_some(struct cluster *cluster, struct sim_node *node)
{
    if (!world_chance(&cluster->world, 100)) {
        crash(cluster, node);
        return;
    }
    for (uint32_t i = 0; i < cluster->node_count; i++) // the lights go out
        crash(cluster, cluster->nodes[i]);
}

static void restore(struct cluster *cluster, struct sim_node *node)
{
    if (node->backup == NULL || world_chance(&cluster->world, 400)) {
        sim_node_take_backup(node);
        return;
    }
    if (cluster->ledger.loss_count >= LOSSES_MAX)
        return;
    crash(cluster, node);
    sim_node_restore(node);
}

static void empty(struct cluster *cluster, struct sim_node *node)
{
    if (cluster->ledger.loss_count >= LOSSES_MAX)
        return;
    crash(cluster, node);
    sim_node_empty(node);
}

static void clone(struct cluster *cluster, struct sim_node *node)
{
    if (cluster->node_count >= SIM_NODES_MAX ||
        cluster->node_count >= cluster->plan.node_count + CLONES_MAX)
        return;
    struct sim_node *copy = cluster_add_node(cluster);
    sim_node_copy_directory(node, copy);
    sim_node_start(copy);
}

// ----------------------------------------------------------------------------------------- disks

static void get_space(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct sim_node *node = context;
    (void)a;
    (void)b;
    (void)owned;
    sim_disk_set_full(node->disk, false);
    world_note(&node->cluster->world, "n%u has space again", node->slot);
}

static void fill_disk(struct cluster *cluster, struct sim_node *node)
{
    world_note(&cluster->world, "n%u has no space", node->slot);
    sim_disk_set_full(node->disk, true);
    world_after(&cluster->world, world_between(&cluster->world, 10000, FULL_US_MAX), get_space,
                node, 0, 0, NULL);
}

static void replace_process(void *context, uint64_t boot, uint64_t b, void *owned)
{
    struct sim_node *node = context;
    (void)b;
    (void)owned;
    if (sim_node_lives(node, boot))
        crash(node->cluster, node);
}

/// The disk takes no more writes; someone notices and starts the process anew.
static void break_disk(struct cluster *cluster, struct sim_node *node)
{
    world_note(&cluster->world, "n%u's disk fails", node->slot);
    sim_disk_break(node->disk);
    world_after(&cluster->world, world_between(&cluster->world, 500000, 4000000), replace_process,
                node, node->boot, 0, NULL);
}

static void slow_disk(struct cluster *cluster, struct sim_node *node)
{
    uint64_t latency_us = 1000 + world_random(&cluster->world, 800000);
    world_note(&cluster->world, "n%u's disk takes up to %llu us", node->slot,
               (unsigned long long)latency_us);
    sim_disk_set_latency(node->disk, latency_us);
}

static bool is_elsewhere(struct cluster *cluster, struct span name)
{
    bool found = false;
    for (uint32_t i = 1; i < cluster->node_count && !found; i++) {
        struct store *store = sim_disk_port(cluster->nodes[i]->disk);
        struct span value;
        found = store->get(store, &value, STORE_DOCUMENTS, name) == WEFT_OK;
        store->release(store);
    }
    return found;
}

/// A record of a document is damaged, or an entry of the journal, and found to be so after a start.
static void rot(struct cluster *cluster)
{
    static const enum store_table tables[] = {STORE_SNAPSHOTS, STORE_SNAPSHOTS, STORE_TEXTS,
                                              STORE_DOCUMENTS, STORE_EPOCHS};
    struct world *world = &cluster->world;
    struct sim_node *node = cluster->nodes[0];
    uint32_t document = (uint32_t)world_random(world, cluster->plan.document_count);
    struct span name = cluster_document_name(document);
    bool hit = false;
    if (cluster->ledger.loss_count >= LOSSES_MAX || !is_elsewhere(cluster, name))
        return;
    crash(cluster, node);
    if (world_chance(world, 650)) {
        uint64_t which = world_random(world, sizeof(tables) / sizeof(tables[0]));
        hit = sim_disk_damage(node->disk, tables[which], name);
        world_note(world, "n0: the record of document %u in table %d %s", document,
                   (int)tables[which], hit ? "is damaged" : "is not there");
    }
    for (int i = 0; i < ROT_TRIES && !hit; i++) {
        struct record_key key = record_key_u64(1 + world_random(world, ROT_NUMBERS));
        hit = sim_disk_damage(node->disk, STORE_JOURNAL, record_key_span(&key));
    }
    if (hit)
        ledger_note_loss(&cluster->ledger, node->slot, 0); // what hung on it alone may be gone
}

// ------------------------------------------------------------------------------------ what is next

#define KINDS 12 // and rot

static void do_harm(struct cluster *cluster, struct sim_node *node, uint64_t kind)
{
    struct world *world = &cluster->world;
    const struct fault_plan *plan = &cluster->plan;
    bool up = node->node != NULL;
    if (kind == 0 && (plan->loss || plan->doubling || plan->reordering || plan->delays))
        change_weather(cluster);
    else if (kind == 1 && plan->partitions)
        partition(cluster);
    else if (kind == 2 && plan->crashes)
        crash_some(cluster, node);
    else if (kind == 3 && plan->pauses && up)
        sim_node_pause(node, world->now_us + world_between(world, 1000, PAUSE_US_MAX));
    else if (kind == 4 && plan->drains && up && !sim_node_is_paused(node))
        sim_node_drain(node, true);
    else if (kind == 5 && plan->clones && world_chance(world, 300))
        clone(cluster, node);
    else if (kind == 6 && plan->restores)
        restore(cluster, node);
    else if (kind == 7 && plan->empties && world_chance(world, 500))
        empty(cluster, node);
    else if (kind == 8 && plan->disk_faults && up)
        break_disk(cluster, node);
    else if (kind == 9 && plan->disk_full)
        fill_disk(cluster, node);
    else if (kind == 10 && plan->slow_disks)
        slow_disk(cluster, node);
    else if (kind == 11 && plan->skewed_clocks)
        sim_clock_jump(&node->clock);
    else if (kind >= KINDS)
        rot(cluster);
}

static void go_on(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct cluster *cluster = context;
    struct world *world = &cluster->world;
    (void)a;
    (void)b;
    (void)owned;
    if (cluster->quiet)
        return;
    struct sim_node *node = cluster->nodes[world_random(world, cluster->node_count)];
    do_harm(cluster, node, world_random(world, cluster->plan.rot ? KINDS + 2 : KINDS));
    world_after(world, world_between(world, 1000, cluster->plan.pace_us_max / 4), go_on, cluster, 0,
                0, NULL);
}

void fault_plan_fork(struct fault_plan *plan)
{
    plan->forks = true;
    plan->deletes = false;
    plan->rot = false;
    if (plan->node_count == 1)
        plan->node_count = 3;
}

/// A profile is copied: one session goes on with what another one stored, as that one.
static void fork_some(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct cluster *cluster = context;
    struct world *world = &cluster->world;
    (void)a;
    (void)b;
    (void)owned;
    if (cluster->quiet)
        return;
    struct sim_client *from = cluster->clients[world_random(world, cluster->client_count)];
    struct sim_client *to = cluster->clients[world_random(world, cluster->client_count)];
    for (uint32_t i = 0; from != to && i < from->room_count; i++) {
        for (uint32_t k = 0; k < to->room_count; k++) {
            if (to->rooms[k].document == from->rooms[i].document)
                sim_room_fork(&to->rooms[k], &from->rooms[i]);
        }
    }
    world_after(world, world_between(world, 300000, 4000000), fork_some, cluster, 0, 0, NULL);
}

void faults_start(struct cluster *cluster)
{
    change_weather(cluster);
    if (cluster->plan.forks)
        world_after(&cluster->world, 2000000, fork_some, cluster, 0, 0, NULL);
    world_after(&cluster->world, 500000, go_on, cluster, 0, 0, NULL);
}

void faults_heal(struct cluster *cluster)
{
    world_note(&cluster->world, "all is healed");
    sim_network_heal(&cluster->network);
    connection_hurry_all(&cluster->network);
    cluster->plan.slow_clients = false;
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        struct sim_node *node = cluster->nodes[i];
        sim_disk_set_full(node->disk, false);
        sim_disk_set_latency(node->disk, 2000);
        sim_node_start(node);
    }
}
