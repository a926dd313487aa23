// SPDX-License-Identifier: MIT
// Written simulations. Each is a script over a small cluster, then the usual conclusion: heal,
// agree, lights out, agree again, and what the ledger binds must be there. What a scenario expects
// besides is in its second function. The seed draws delays and ties only.
#include "scenarios.h"

#include <stdio.h>
#include <string.h>

#include "sim_client.h"
#include "sim_node.h"
#include "sim_user.h"
#include "simulation.h"

#define STEP_US_MAX 30000000 // in which a step of a script must be done
#define SECOND_US 1000000

struct scenario {
    const char *name;
    const char *promise;
    uint32_t nodes;
    uint32_t clients; // client 0 holds document 0, and so do all others
    void (*script)(struct cluster *cluster);
    simulation_expect *expect; // may be NULL
};

// ------------------------------------------------------------------------------------ script words

static void run(struct cluster *cluster, uint64_t length_us)
{
    world_run_until(&cluster->world, cluster->world.now_us + length_us);
}

static struct sim_room *room_of(struct cluster *cluster, uint32_t client)
{
    return &cluster->clients[client]->rooms[0];
}

/// Until a client is joined, and all it wrote is acked at `level`.
static void settle(struct cluster *cluster, uint32_t client, uint32_t level)
{
    struct world *world = &cluster->world;
    struct sim_room *room = room_of(cluster, client);
    uint64_t until_us = world->now_us + STEP_US_MAX;
    while (world->now_us < until_us && !world->failed) {
        if (sim_client_is_settled(cluster->clients[client]) &&
            (level < 2 || room->acked_end[level] == room->next_seq))
            return;
        world_step(world);
    }
    world_fail(world, "client %u is not settled at level %u", client, level);
}

static void start_client(struct cluster *cluster, uint32_t client, uint32_t slot)
{
    sim_client_pin(cluster->clients[client], slot);
    sim_client_start(cluster->clients[client]);
    settle(cluster, client, 1);
}

static void type(struct cluster *cluster, uint32_t client, uint32_t count)
{
    struct sim_room *room = room_of(cluster, client);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t length = sim_room_length(room);
        sim_room_insert(room, world_random(&cluster->world, length + 1), 1 + i % 7);
        if (i % 5 == 4)
            sim_room_delete(room, world_random(&cluster->world, length), 1);
        run(cluster, 10000);
    }
}

/// Cuts one node off from the others, both ways, until healing.
static void isolate(struct cluster *cluster, uint32_t slot)
{
    for (uint32_t other = 0; other < cluster->node_count; other++) {
        if (other == slot)
            continue;
        cluster->network.cut[slot][other] = true;
        cluster->network.cut[other][slot] = true;
    }
}

static void start_nodes(struct cluster *cluster)
{
    simulation_start_nodes(cluster);
    run(cluster, 5 * SECOND_US);
}

// --------------------------------------------------------------------------------------- scenarios

static void two_halves(struct cluster *cluster)
{
    start_nodes(cluster);
    isolate(cluster, 0);
    run(cluster, SECOND_US);
    sim_user_create_document(cluster, cluster->nodes[0], 0);
    sim_user_create_document(cluster, cluster->nodes[1], 0);
    run(cluster, SECOND_US);
    start_client(cluster, 0, 0);
    start_client(cluster, 1, 1);
    type(cluster, 0, 40);
    type(cluster, 1, 40);
    settle(cluster, 0, 1);
    settle(cluster, 1, 1);
    run(cluster, 8 * SECOND_US);
}

static void expect_shared_text(struct cluster *cluster, const struct survey *survey)
{
    struct marker_list text = {0};
    uint32_t kept = 0;
    const struct view *view = &survey->views[0][0];
    if (!ledger_read_text(&cluster->ledger, &text, (struct span){view->text.data, view->text.size}))
        world_fail(&cluster->world, "text that nobody wrote");
    for (uint32_t i = 0; i < text.count; i++)
        kept += cluster->ledger.markers[text.items[i]].author == LEDGER_SHARED ? 1 : 0;
    uint32_t most = cluster->shared_texts[0].count;
    if (kept == 0 || kept > most)
        world_fail(&cluster->world, "%u characters of a created text of %u", kept, most);
    marker_list_finish(&text);
}

static void deleted_while_offline(struct cluster *cluster)
{
    start_nodes(cluster);
    start_client(cluster, 0, 0);
    start_client(cluster, 1, 1);
    type(cluster, 0, 20);
    settle(cluster, 0, 1);
    run(cluster, 2 * SECOND_US);
    sim_client_go_offline(cluster->clients[0], cluster->world.now_us + 12 * SECOND_US);
    type(cluster, 0, 20); // offline
    sim_user_delete_document(cluster, cluster->nodes[1], 0);
    run(cluster, 2 * SECOND_US);
    sim_user_create_document(cluster, cluster->nodes[1], 0);
    run(cluster, 12 * SECOND_US);
    settle(cluster, 0, 1);
    type(cluster, 0, 5);
    settle(cluster, 0, 1);
}

static void expect_recovery_copy(struct cluster *cluster, const struct survey *survey)
{
    struct world *world = &cluster->world;
    const struct marker_list *kept = &survey->recovered[0];
    uint32_t mine = 0;
    for (uint32_t i = 0; i < cluster->ledger.marker_count; i++) {
        const struct marker *marker = &cluster->ledger.markers[i];
        if (marker->author != 0 || marker->epoch.counter != 0 || marker->delete_issued)
            continue;
        bool found = false;
        for (uint32_t k = 0; k < kept->count && !found; k++)
            found = kept->items[k] == i;
        mine++;
        if (!found)
            world_fail(world, "marker %u of the lost epoch is in no recovery copy", i);
    }
    if (room_of(cluster, 0)->epochs_lost == 0 || mine == 0)
        world_fail(world, "the client was not told that its epoch lost");
    if (survey->views[0][0].epoch.counter != 1)
        world_fail(world, "the document is not in its second epoch");
}

static void copied_directory(struct cluster *cluster)
{
    start_nodes(cluster);
    start_client(cluster, 0, 0);
    type(cluster, 0, 30);
    settle(cluster, 0, 1);
    struct sim_node *copy = cluster_add_node(cluster);
    sim_node_copy_directory(cluster->nodes[0], copy);
    type(cluster, 0, 10); // the copied process goes on meanwhile
    sim_node_start(copy);
    run(cluster, 4 * SECOND_US);
    start_client(cluster, 1, copy->slot);
    type(cluster, 0, 30);
    type(cluster, 1, 30);
    settle(cluster, 0, 1);
    settle(cluster, 1, 1);
}

static void restored_backup(struct cluster *cluster)
{
    start_nodes(cluster);
    start_client(cluster, 0, 0);
    start_client(cluster, 1, 1);
    type(cluster, 0, 20);
    settle(cluster, 0, 1);
    run(cluster, 2 * SECOND_US);
    sim_node_take_backup(cluster->nodes[0]);
    type(cluster, 0, 20); // these reach the others
    settle(cluster, 0, 1);
    run(cluster, 3 * SECOND_US);
    isolate(cluster, 0);
    type(cluster, 0, 20); // these only n0 and its client hold
    type(cluster, 1, 20);
    settle(cluster, 0, 1);
    sim_node_crash(cluster->nodes[0]);
    sim_node_restore(cluster->nodes[0]);
    run(cluster, SECOND_US);
    sim_node_start(cluster->nodes[0]);
    run(cluster, 4 * SECOND_US);
    type(cluster, 0, 10);
}

static void emptied_directory(struct cluster *cluster)
{
    start_nodes(cluster);
    start_client(cluster, 0, 0);
    start_client(cluster, 1, 1);
    type(cluster, 0, 30);
    type(cluster, 1, 30);
    settle(cluster, 0, 1);
    settle(cluster, 1, 1);
    run(cluster, 2 * SECOND_US);
    sim_node_crash(cluster->nodes[0]);
    sim_node_empty(cluster->nodes[0]);
    type(cluster, 0, 10); // offline
    sim_node_start(cluster->nodes[0]);
    run(cluster, 6 * SECOND_US);
    type(cluster, 0, 10);
}

static void half_of_the_bus(struct cluster *cluster)
{
    cluster->network.weather.loss_per_mille = 500;
    start_nodes(cluster);
    for (uint32_t i = 0; i < 3; i++)
        start_client(cluster, i, i);
    for (uint32_t round = 0; round < 10; round++) {
        for (uint32_t i = 0; i < 3; i++)
            type(cluster, i, 20);
    }
    cluster->quiet = true;
    simulation_agree(cluster, "half of the bus messages were lost, and still are");
}

/// The whole directory goes in the very moment of the ack.
static void replicated_then_lost(struct cluster *cluster)
{
    start_nodes(cluster);
    cluster->clients[0]->replicas = 2;
    start_client(cluster, 0, 0);
    for (uint32_t round = 0; round < 5; round++) {
        type(cluster, 0, 8);
        settle(cluster, 0, 2);
    }
    sim_node_crash(cluster->nodes[0]);
    sim_node_empty(cluster->nodes[0]);
    sim_client_end(cluster->clients[0]);
    run(cluster, 2 * SECOND_US);
    sim_node_start(cluster->nodes[0]);
}

static void expect_bound(struct cluster *cluster, const struct survey *survey)
{
    uint32_t bound;
    uint32_t void_count;
    (void)survey;
    ledger_count(&cluster->ledger, &bound, &void_count);
    if (bound == 0)
        world_fail(&cluster->world, "nothing was promised");
}

/// Acked and killed before the bus could carry it; the client goes elsewhere with what it holds.
static void killed_before_gossip(struct cluster *cluster)
{
    start_nodes(cluster);
    start_client(cluster, 0, 0);
    for (uint32_t round = 0; round < 6; round++) {
        uint32_t slot = round % 3;
        isolate(cluster, slot);
        sim_client_pin(cluster->clients[0], slot);
        settle(cluster, 0, 1);
        type(cluster, 0, 5);
        settle(cluster, 0, 1);
        sim_node_crash(cluster->nodes[slot]);
        sim_network_heal(&cluster->network);
        sim_client_pin(cluster->clients[0], (slot + 1) % 3);
        settle(cluster, 0, 1);
        type(cluster, 0, 5);
        sim_node_start(cluster->nodes[slot]);
        run(cluster, 3 * SECOND_US);
    }
}

/// A client that is gone for good, a node that is killed at once: its disk alone keeps the word.
static void acked_then_all_gone(struct cluster *cluster)
{
    start_nodes(cluster);
    start_client(cluster, 0, 2);
    isolate(cluster, 2);
    type(cluster, 0, 20);
    settle(cluster, 0, 1);
    sim_node_crash(cluster->nodes[2]);
    sim_client_end(cluster->clients[0]);
    run(cluster, 5 * SECOND_US);
}

static void deleted_in_one_half(struct cluster *cluster)
{
    start_nodes(cluster);
    start_client(cluster, 0, 0);
    start_client(cluster, 1, 1);
    type(cluster, 0, 20);
    settle(cluster, 0, 1);
    run(cluster, 3 * SECOND_US);
    isolate(cluster, 0);
    sim_user_delete_document(cluster, cluster->nodes[1], 0);
    type(cluster, 0, 20); // in the epoch that has lost, and nobody here knows
    settle(cluster, 0, 1);
    run(cluster, SECOND_US);
    sim_user_create_document(cluster, cluster->nodes[2], 0);
    run(cluster, SECOND_US);
}

/// Power fails everywhere. The seed's machine does not come back, and nobody is told another.
static void power_cut(struct cluster *cluster)
{
    start_nodes(cluster);
    cluster->clients[0]->replicas = 2;
    start_client(cluster, 0, 1);
    type(cluster, 0, 20);
    settle(cluster, 0, 1);
    for (uint32_t slot = 0; slot < 3; slot++) {
        sim_node_crash(cluster->nodes[slot]);
        cluster->nodes[slot]->seed_count = 0;
    }
    isolate(cluster, 0);
    run(cluster, SECOND_US);
    sim_node_start(cluster->nodes[1]);
    sim_node_start(cluster->nodes[2]);
    run(cluster, 2 * SECOND_US);
    type(cluster, 0, 10);
    settle(cluster, 0, 2);
}

static const struct scenario scenarios[] = {
    {"two-halves", "two halves create one document alike, edit it, and merge", 3, 2, two_halves,
     expect_shared_text},
    {"deleted-while-offline", "a deleted epoch's edits are told and kept", 3, 2,
     deleted_while_offline, expect_recovery_copy},
    {"deleted-in-one-half", "a lost epoch's acked edits are kept", 3, 2, deleted_in_one_half,
     expect_bound},
    {"copied-directory", "a directory copied in use and started", 3, 2, copied_directory,
     expect_bound},
    {"restored-backup", "a backup comes back while clients hold newer acked edits", 3, 2,
     restored_backup, expect_bound},
    {"emptied-directory", "an emptied directory with its old name", 3, 2, emptied_directory,
     expect_bound},
    {"half-of-the-bus", "losing half of the bus messages is a normal day", 3, 3, half_of_the_bus,
     expect_bound},
    {"replicated-then-lost", "replicated:2 survives the loss of a whole directory", 3, 1,
     replicated_then_lost, expect_bound},
    {"killed-before-gossip", "an acked edit moves on with its client", 3, 1, killed_before_gossip,
     expect_bound},
    {"acked-then-all-gone", "an acked edit is on its node's disk", 3, 1, acked_then_all_gone,
     expect_bound},
    {"power-cut", "a cluster restarted without its seed finds itself", 3, 1, power_cut,
     expect_bound},
};

static bool run_scenario(const struct scenario *scenario, uint64_t seed, bool verbose)
{
    static struct cluster cluster; // large
    struct simulation_result result = {0};
    char replay[96];
    struct fault_plan plan = {
        .node_count = scenario->nodes, .client_count = scenario->clients, .document_count = 1};
    cluster_init(&cluster, seed, verbose, &plan);
    for (uint32_t i = 0; i < cluster.client_count; i++) {
        cluster.clients[i]->scripted = true;
        cluster.clients[i]->replicas = 0;
    }
    scenario->script(&cluster);
    simulation_conclude(&cluster, &result, scenario->expect);
    snprintf(replay, sizeof(replay), "sim --scenario %s --seed %llu", scenario->name,
             (unsigned long long)seed);
    if (cluster.world.failed)
        simulation_print_failure(&cluster, replay);
    else
        printf("ok %s: %s\n", scenario->name, scenario->promise);
    bool passed = !cluster.world.failed;
    cluster_finish(&cluster);
    return passed;
}

int scenarios_run(const char *name, uint64_t seed, bool verbose)
{
    uint32_t count = 0;
    uint32_t failed = 0;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++) {
        if (*name != '\0' && strcmp(name, scenarios[i].name) != 0)
            continue;
        count++;
        failed += run_scenario(&scenarios[i], seed, verbose) ? 0 : 1;
    }
    if (count == 0) {
        fprintf(stderr, "sim: there is no scenario %s\n", name);
        return 2;
    }
    printf("sim: %u scenarios, %u failed\n", count, failed);
    return failed == 0 ? 0 : 1;
}
