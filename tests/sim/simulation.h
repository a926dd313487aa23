// SPDX-License-Identifier: MIT
// One simulation from its seed to its verdict: faults on, then healed, quiet and judged.
//
//   harm      nodes, clients, requests and faults run for the plan's time
//   heal      faults end, nobody edits any more; all must agree within SIMULATION_HEAL_US_MAX
//   dark      every process is killed at once and started again; all must still agree
//   verdict   the ledger's promises
//
#ifndef WEFT_SIM_SIMULATION_H
#define WEFT_SIM_SIMULATION_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster.h"
#include "survey.h"

/// From healing to equal digests. A cut peer is back within 15 s, its digests are equal 5 s later;
/// a client waits up to 12 s for an answer to a JOIN that was lost before it goes elsewhere.
#define SIMULATION_HEAL_US_MAX 40000000

struct simulation_result {
    bool failed;
    uint64_t steps;
    uint64_t virtual_us;
    uint64_t trace_hash;
    uint64_t heal_us; // what agreeing took
    uint64_t acks;
    uint64_t synced;
    uint32_t markers;
    uint32_t markers_bound; // that acks still bind at the end
    uint32_t markers_void;  // whose promises went with their disks
};

struct simulation_options {
    uint64_t seed;
    uint64_t steps_max; // 0: no bound
    bool forks;         // authors fork too
    bool verbose;
    bool quiet; // print nothing, not even a failure
};

/// Runs the random simulation of a seed.
struct simulation_result simulation_run(const struct simulation_options *options);

/// What a scenario expects of the end besides what always must hold; fails the world.
typedef void simulation_expect(struct cluster *cluster, const struct survey *survey);

/// Heals, waits for agreement, turns the lights off and on, and judges. For scenarios too.
/// @param expect May be NULL.
void simulation_conclude(struct cluster *cluster, struct simulation_result *result,
                         simulation_expect *expect);
/// Lets the world go on, as it is, until all nodes and clients agree; fails it when they do not.
void simulation_agree(struct cluster *cluster, const char *after);
/// Begins the life of all nodes, some within the first second.
void simulation_start_nodes(struct cluster *cluster);
/// Prints why it failed, with context.
void simulation_print_failure(const struct cluster *cluster, const char *replay);

#endif
