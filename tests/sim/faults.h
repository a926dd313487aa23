// SPDX-License-Identifier: MIT
// What goes wrong in one simulation: a mix that the seed draws, and the happenings that carry it
// out.
//
// Each seed switches whole classes of faults off (swarm testing: Groce et al. 2012), because a mix
// that always does everything hides what only a few of them together bring about.
#ifndef WEFT_SIM_FAULTS_H
#define WEFT_SIM_FAULTS_H

#include <stdbool.h>
#include <stdint.h>

#include "node/node.h"
#include "world.h"

struct cluster;

#define FAULT_PLAN_MAP(X)                                                                          \
    X(loss, "bus messages are lost")                                                               \
    X(doubling, "bus messages and questions arrive twice")                                         \
    X(reordering, "bus messages overtake each other")                                              \
    X(delays, "wires are slow")                                                                    \
    X(partitions, "cuts, whole and one-way, flapping")                                             \
    X(crashes, "processes are killed")                                                             \
    X(pauses, "processes are stopped for a while")                                                 \
    X(drains, "processes are asked to end")                                                        \
    X(clones, "a directory is copied while in use and started")                                    \
    X(restores, "a directory goes back to a backup")                                               \
    X(empties, "a directory is lost")                                                              \
    X(disk_faults, "commits fail")                                                                 \
    X(disk_full, "disks fill up and get space again")                                              \
    X(slow_disks, "commits take long")                                                             \
    X(slow_clients, "clients read slowly")                                                         \
    X(restless_clients, "clients break off, move, end")                                            \
    X(requests, "requests read and write too")                                                     \
    X(blind_puts, "some of them replace what they have not seen")                                  \
    X(deletes, "documents are deleted and made anew")                                              \
    X(skewed_clocks, "clocks run at other rates and jump")                                         \
    X(tight_limits, "small rings, gathers, journals, caches")

/// One simulation.
struct fault_plan {
#define FAULT_PLAN_FIELD(name, text) bool name;
    FAULT_PLAN_MAP(FAULT_PLAN_FIELD)
#undef FAULT_PLAN_FIELD
    bool forks; // clients start with a copy of what another one stored, its id included
    bool rot;   // records on the first node's disk are damaged; all other disks stay whole
    uint32_t node_count;
    uint32_t client_count;
    uint32_t document_count;
    uint64_t duration_us; // until everything is healed
    uint64_t pace_us_max; // between two faults
    struct node_limits limits;
};

/// Lets authors fork, and nothing that recovery copies alone would have to answer for.
void fault_plan_fork(struct fault_plan *plan);
/// Draws the plan of a seed.
void fault_plan_draw(struct fault_plan *plan, uint64_t seed);
/// One line that names what is switched on.
void fault_plan_note(const struct fault_plan *plan, struct world *world);

/// Begins to do harm, until faults_heal().
void faults_start(struct cluster *cluster);
/// Everything works again: the network, the disks; every process is up.
void faults_heal(struct cluster *cluster);

#endif
