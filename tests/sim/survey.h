// SPDX-License-Identifier: MIT
// What all nodes and clients show of all documents at one moment, and the checks of the end.
//
//   convergence   equal epoch, digest and text everywhere; every replica's invariants hold
//   promises      what the ledger still binds is in the text, or in a recovery copy of a lost epoch
//
// May include: node/, weft/.
#ifndef WEFT_SIM_SURVEY_H
#define WEFT_SIM_SURVEY_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/memory.h>

#include "cluster.h"

#define DIGEST_HEX 32

/// One document at one node.
struct view {
    uint16_t status; // of reading the text: 200, 404, 0 nobody answered
    struct weft_buffer text;
    char digest[DIGEST_HEX + 1];
    bool epoch_known;
    struct weft_epoch epoch;
};

struct survey {
    struct cluster *cluster;
    uint32_t pending; // answers that did not come yet
    struct view views[SIM_NODES_MAX][SIM_DOCUMENTS_MAX];
    struct marker_list recovered[SIM_DOCUMENTS_MAX];
};

void survey_init(struct survey *survey, struct cluster *cluster);
void survey_finish(struct survey *survey);
/// The epoch that a document's state names. @return false when it names none.
bool survey_read_epoch(struct weft_epoch *epoch_out, struct span json);
/// Asks all nodes and lets the world go on until all have answered, or for too long.
void survey_take(struct survey *survey);
/// Whether all nodes and all clients agree. @param why Receives what differs.
bool survey_agrees(const struct survey *survey, char *why, size_t why_size);
/// Reads all recovery copies of all nodes.
void survey_recover(struct survey *survey);
/// Checks replicas and promises; fails the world.
void survey_check(const struct survey *survey);

#endif
