// SPDX-License-Identifier: MIT
// Setting a cluster up and taking it down.
#include "cluster.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "sim_client.h"
#include "sim_node.h"

#define SHARED_TEXT_MAX 9000 // markers; past 16 KiB of text it takes several runs

static const char *const names[SIM_DOCUMENTS_MAX] = {
    "minutes", "a/b c%", "\303\274bersicht", "z", "notes-2026", "todo",
};

struct span cluster_document_name(uint32_t document)
{
    return (struct span){(const uint8_t *)names[document], strlen(names[document])};
}

uint32_t cluster_find_document(const struct cluster *cluster, struct span name)
{
    for (uint32_t i = 0; i < cluster->document_count; i++) {
        if (strlen(names[i]) == name.size && memcmp(names[i], name.data, name.size) == 0)
            return i;
    }
    return SIM_DOCUMENTS_MAX;
}

void cluster_shared_text(struct cluster *cluster, uint32_t document, struct weft_buffer *out)
{
    const struct marker_list *list = &cluster->shared_texts[document];
    for (uint32_t i = 0; i < list->count; i++)
        ledger_append_text(out, list->items[i]);
}

void cluster_init(struct cluster *cluster, uint64_t seed, bool verbose,
                  const struct fault_plan *plan)
{
    *cluster = (struct cluster){.plan = *plan, .document_count = plan->document_count};
    world_init(&cluster->world, seed, verbose);
    ledger_init(&cluster->ledger, &cluster->world);
    sim_network_init(&cluster->network, cluster);
    for (uint32_t d = 0; d < cluster->document_count; d++) {
        uint64_t length = world_between(&cluster->world, 1, 60);
        if (world_chance(&cluster->world, 50))
            length = SHARED_TEXT_MAX;
        for (uint64_t i = 0; i < length; i++)
            marker_list_add(&cluster->shared_texts[d],
                            ledger_add(&cluster->ledger, d, LEDGER_SHARED, NULL));
    }
    for (uint32_t i = 0; i < plan->node_count; i++)
        cluster_add_node(cluster);
    for (uint32_t i = 0; i < plan->client_count; i++)
        cluster_add_client(cluster);
}

void cluster_finish(struct cluster *cluster)
{
    for (uint32_t i = 0; i < cluster->client_count; i++)
        sim_client_destroy(cluster->clients[i]);
    for (uint32_t i = 0; i < cluster->node_count; i++)
        sim_node_crash(cluster->nodes[i]);
    for (uint32_t i = 0; i < cluster->node_count; i++)
        sim_node_destroy(cluster->nodes[i]);
    sim_network_finish(&cluster->network);
    for (uint32_t d = 0; d < SIM_DOCUMENTS_MAX; d++)
        marker_list_finish(&cluster->shared_texts[d]);
    ledger_finish(&cluster->ledger);
    world_finish(&cluster->world);
}

struct sim_node *cluster_add_node(struct cluster *cluster)
{
    struct world *world = &cluster->world;
    uint32_t slot = cluster->node_count;
    assert(slot < SIM_NODES_MAX);
    struct sim_node *node = sim_node_create(cluster, slot);
    cluster->nodes[cluster->node_count++] = node;
    // One known address is enough; now and then more are known, and the own one among them.
    if (slot > 0)
        node->seeds[node->seed_count++] = (uint32_t)world_random(world, slot);
    if (slot > 0 && world_chance(world, 300))
        node->seeds[node->seed_count++] = (uint32_t)world_random(world, slot + 1);
    return node;
}

struct sim_client *cluster_add_client(struct cluster *cluster)
{
    assert(cluster->client_count < SIM_CLIENTS_MAX);
    struct sim_client *client = sim_client_create(cluster, cluster->client_count);
    cluster->clients[cluster->client_count++] = client;
    return client;
}

struct sim_node *cluster_pick_node(struct cluster *cluster)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < cluster->node_count; i++)
        up += cluster->nodes[i]->node != NULL ? 1 : 0;
    uint64_t pick = world_random(&cluster->world, up);
    for (uint32_t i = 0; i < cluster->node_count; i++) {
        if (cluster->nodes[i]->node != NULL && pick-- == 0)
            return cluster->nodes[i];
    }
    return NULL;
}
