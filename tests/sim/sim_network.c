// SPDX-License-Identifier: MIT
// Reachability and delay; the kinds of links are in sim_bus.c, sim_pull.c and connection.c.
#include "sim_network.h"

#include <string.h>

#include "cluster.h"
#include "connection.h"

#define CALM_DELAY_US 2000

void sim_network_init(struct sim_network *network, struct cluster *cluster)
{
    *network = (struct sim_network){.cluster = cluster};
    sim_network_heal(network);
}

void sim_network_finish(struct sim_network *network)
{
    sim_bus_finish(network);
    sim_pull_finish(network);
    connection_finish_all(network);
}

void sim_network_heal(struct sim_network *network)
{
    memset(network->cut, 0, sizeof(network->cut));
    network->weather = (struct network_weather){.delay_us_max = CALM_DELAY_US};
}

bool sim_network_reaches(const struct sim_network *network, uint32_t from, uint32_t to)
{
    return !network->cut[from][to];
}

uint64_t sim_network_delay(struct sim_network *network)
{
    return world_between(&network->cluster->world, 100, network->weather.delay_us_max);
}
