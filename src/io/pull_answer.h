// SPDX-License-Identifier: MIT
// Answering on the pull port: one nng REP socket with a few contexts, each one question at a time.
#ifndef WEFT_IO_PULL_ANSWER_H
#define WEFT_IO_PULL_ANSWER_H

#include <stdint.h>

#include "io/peers_base.h"
#include "io/peers_pipes.h"

struct pull_answer;

/// A context of the REP socket: receives, hands over, waits for the node, sends, receives again.
struct pull_slot {
    struct mail mail;
    struct pull_answer *answer;
    nng_ctx context;
    bool opened; // `context` is valid
    nng_aio *aio;
    bool sending;      // what the aio does; whoever holds the slot
    nng_msg *question; // while it is being delivered
    struct span body;
    uint8_t header[SEAL_HEADER_BYTES]; // of the question
    // The rest belongs to the loop's thread.
    bool asked;           // the node holds it
    uint64_t generation;  // tells a late answer
    uint64_t deadline_ms; // after which the question is let go
};

struct pull_answer {
    struct peers_base *base;
    nng_socket socket;
    bool opened;
    struct peers_pipes pipes;
    struct pull_slot slots[PEERS_ANSWERS_MAX];
};

/// Listens. @param address In: where to listen; out: with the port that was bound.
/// @return 0 or an error of nng; pull_answer_close() is due in both cases.
int pull_answer_open(struct pull_answer *answer, struct peers_base *base,
                     struct peers_address *address);
/// Ends all that nng does here; the mailbox is emptied afterwards.
void pull_answer_close(struct pull_answer *answer);
/// Every PEERS_TICK_MS: lets go of questions that the node did not answer.
void pull_answer_tick(struct pull_answer *answer);
/// See links.answer in node/ports.h.
void pull_answer_send(struct pull_answer *answer, struct answer_id id, struct span reply);

#endif
