// SPDX-License-Identifier: MIT
// The course of a simulation.
#include "simulation.h"

#include <stdio.h>
#include <string.h>

#include "faults.h"
#include "sim_client.h"
#include "sim_node.h"
#include "sim_user.h"
#include "survey.h"

#define POLL_US 250000
#define DARK_US 3000000 // for deltas of peers to reach the disk, and for processes to start

static void start_node(void *context, uint64_t a, uint64_t b, void *owned)
{
    (void)a;
    (void)b;
    (void)owned;
    sim_node_start(context);
}

static bool clients_are_settled(const struct cluster *cluster, char *why, size_t why_size)
{
    for (uint32_t i = 0; i < cluster->client_count; i++) {
        snprintf(why, why_size, "client %u is not settled: state %d at n%u", i,
                 cluster->clients[i]->state, cluster->clients[i]->slot);
        if (!sim_client_is_settled(cluster->clients[i]))
            return false;
    }
    return true;
}

/// Lets the world go on until all agree.
static void agree(struct cluster *cluster, struct survey *survey, const char *after)
{
    struct world *world = &cluster->world;
    uint64_t until_us = world->now_us + SIMULATION_HEAL_US_MAX;
    char why[400] = "";
    while (!world->failed && world->now_us < until_us) {
        world_run_until(world, world->now_us + POLL_US);
        if (!clients_are_settled(cluster, why, sizeof(why)))
            continue;
        if (cluster->writes_under_way > 0) {
            snprintf(why, sizeof(why), "%u writes are not answered", cluster->writes_under_way);
            continue;
        }
        survey_take(survey);
        if (survey_agrees(survey, why, sizeof(why)))
            return;
    }
    world_fail(world, "no agreement %d s after %s: %s", SIMULATION_HEAL_US_MAX / 1000000, after,
               why);
}

static void judge(struct survey *survey)
{
    if (!survey->cluster->world.failed)
        survey_recover(survey);
    if (!survey->cluster->world.failed)
        survey_check(survey);
}

void simulation_agree(struct cluster *cluster, const char *after)
{
    struct survey survey;
    survey_init(&survey, cluster);
    agree(cluster, &survey, after);
    survey_finish(&survey);
}

void simulation_conclude(struct cluster *cluster, struct simulation_result *result,
                         simulation_expect *expect)
{
    struct world *world = &cluster->world;
    struct survey survey;
    survey_init(&survey, cluster);
    cluster->quiet = true;
    faults_heal(cluster);
    uint64_t healed_us = world->now_us;
    agree(cluster, &survey, "healing");
    result->heal_us = world->now_us - healed_us;
    judge(&survey);
    world_run_until(world, world->now_us + DARK_US);
    world_note(world, "the lights go out");
    for (uint32_t i = 0; i < cluster->node_count && !world->failed; i++) {
        sim_pull_check(cluster->nodes[i]);
        sim_node_crash(cluster->nodes[i]);
        world_after(world, world_random(world, DARK_US), start_node, cluster->nodes[i], 0, 0, NULL);
    }
    world_run_until(world, world->now_us + DARK_US);
    agree(cluster, &survey, "lights out");
    judge(&survey);
    if (expect != NULL && !world->failed)
        expect(cluster, &survey);
    survey_finish(&survey);
    result->failed = world->failed;
    result->steps = world->steps;
    result->virtual_us = world->now_us;
    result->trace_hash = world->trace_hash;
    result->acks = cluster->acks;
    result->synced = cluster->synced;
    result->markers = cluster->ledger.marker_count;
    ledger_count(&cluster->ledger, &result->markers_bound, &result->markers_void);
}

void simulation_print_failure(const struct cluster *cluster, const char *replay)
{
    printf("FAILED %s: %s\n", replay, cluster->world.failure);
    world_print_context(&cluster->world);
    printf("    replay: %s\n", replay);
}

void simulation_start_nodes(struct cluster *cluster)
{
    struct world *world = &cluster->world;
    for (uint32_t i = 0; i < cluster->node_count; i++)
        world_after(world, world_random(world, 1000000), start_node, cluster->nodes[i], 0, 0, NULL);
}

static void start_all(struct cluster *cluster)
{
    simulation_start_nodes(cluster);
    for (uint32_t i = 0; i < cluster->client_count; i++)
        sim_client_start(cluster->clients[i]);
    if (cluster->plan.requests)
        sim_user_start(cluster);
    faults_start(cluster);
}

struct simulation_result simulation_run(const struct simulation_options *options)
{
    struct simulation_result result = {0};
    struct fault_plan plan;
    static struct cluster cluster; // large
    char replay[64];
    fault_plan_draw(&plan, options->seed);
    if (options->forks)
        fault_plan_fork(&plan);
    cluster_init(&cluster, options->seed, options->verbose, &plan);
    struct world *world = &cluster.world;
    fault_plan_note(&plan, world);
    start_all(&cluster);
    while (world->now_us < plan.duration_us &&
           (options->steps_max == 0 || world->steps < options->steps_max) && world_step(world))
        continue;
    simulation_conclude(&cluster, &result, NULL);
    snprintf(replay, sizeof(replay), "sim --seed %llu%s", (unsigned long long)options->seed,
             options->forks ? " --forks" : "");
    if (result.failed && !options->quiet)
        simulation_print_failure(&cluster, replay);
    cluster_finish(&cluster);
    return result;
}
