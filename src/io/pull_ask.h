// SPDX-License-Identifier: MIT
// Asking the pull ports of peers: one nng REQ socket per address in use, one context per question.
//
// nng never repeats a question by itself (no resend time): when a connection breaks, its questions
// fail at once and the node asks again, here or elsewhere. A question that got no reply in time is
// ended by closing its context; its address gets a new dialer then, because the old connection may
// hang.
#ifndef WEFT_IO_PULL_ASK_H
#define WEFT_IO_PULL_ASK_H

#include <stdint.h>

#include "io/peers_base.h"

#define PULL_TARGETS_MAX 128      // sockets
#define PULL_TARGET_IDLE_MS 60000 // a socket that nobody used for this long is closed

struct pull_target;
struct pull_question;

/// All loop's thread.
struct pull_ask {
    struct peers_base *base;
    struct pull_target *targets[PULL_TARGETS_MAX];
    uint32_t target_count;
    struct pull_question *questions[PEERS_PULLS_MAX];
    uint32_t question_count;
};

void pull_ask_init(struct pull_ask *ask, struct peers_base *base);
/// Ends all that nng does here; the mailbox is emptied afterwards.
void pull_ask_close(struct pull_ask *ask);
/// Frees what is left once the mailbox was emptied.
void pull_ask_finish(struct pull_ask *ask);
/// Every PEERS_TICK_MS: timeouts, idle sockets.
void pull_ask_tick(struct pull_ask *ask);
/// See links.pull in node/ports.h.
void pull_ask_send(struct pull_ask *ask, uint64_t ticket, struct span address,
                   struct span question);

#endif
