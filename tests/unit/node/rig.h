// SPDX-License-Identifier: MIT
// A node on ports in memory, for tests that look at one thing at a time: time passes when the test
// says so, a commit is done when the test says so, and all that the node sends is kept to be looked
// at. The store is the simulator's. tests/sim runs whole histories; this shows single steps.
//
//   rig_step() and those below -> node_step() -> frames[], closes, response, bus[], pulls[]
//   rig_settle()               -> turns and commits until nothing is under way
//   rig_mesh()                 -> what nodes send each other arrives, time passes
//
// May include: node/, base/, codec/, weft/, tests/sim/sim_store.h.
#ifndef WEFT_TESTS_RIG_H
#define WEFT_TESTS_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "codec/peer.h"
#include "codec/wire.h"
#include "node/metrics.h"
#include "node/node.h"
#include "tests/sim/sim_entropy.h"
#include "tests/sim/sim_store.h"
#include "tests/support/allocator.h"

#define RIG_SLOTS 8      // clients
#define RIG_KEPT_MAX 512 // things of a kind that are kept
#define RIGS_MAX 4       // nodes of one test

extern const char *const document; // the name of a test's only one

struct rig_bytes {
    uint8_t *data;
    size_t size;
    uint64_t tag; // of a frame: the slot; of a pull: the ticket
    char address[64];
    bool taken;
};

struct rig_list {
    struct rig_bytes items[RIG_KEPT_MAX];
    uint32_t count;
};

struct rig {
    struct clock clock; // first: the ports lead back here
    struct links links;
    struct sim_entropy entropy;
    struct test_allocator memory;
    struct sim_store *store;
    struct node *node;
    struct node_limits limits;
    uint64_t now_ms;
    char name[16];
    char gossip[32];
    char pull[32];
    struct rig_list frames;
    struct rig_list bus;
    struct rig_list pulls;
    struct rig_list answers;
    struct rig_list streamed;
    bool full[RIG_SLOTS];           // the client's socket takes one more frame, then nothing
    bool blocked[RIG_SLOTS];        // the node was told so
    uint16_t closed[RIG_SLOTS];     // with which code; 0: it is not
    uint32_t generation[RIG_SLOTS]; // of the connection
    struct wire_message message;    // the last one that rig_take() gave
    struct {
        uint32_t count; // of answers so far
        uint16_t status;
        char type[64];
        char etag[64];
        char epoch[64];
        char durability[32];
        char body[8192];
        size_t body_size;
    } response;
    uint64_t next_request;
    bool linked[RIGS_MAX]; // with a pipe to that rig
    uint32_t index;
};

/// Starts a node called `name` on an empty disk and lets its first commit pass. @param limits NULL:
/// the defaults. @param seed The name of a rig that it is to join, or NULL.
struct rig *rig_start(const char *name, const struct node_limits *limits, const char *seed);
/// The process is killed and started again on what is durable.
void rig_restart(struct rig *rig);
/// Ends all rigs; every byte must have been given back.
void rig_finish_all(void);

void rig_step(struct rig *rig, const struct node_event *event);
void rig_turn(struct rig *rig);
/// All groups reach the disk and the node is told, until nothing is under way.
void rig_settle(struct rig *rig);
/// Time passes, a tick and a turn.
void rig_wait(struct rig *rig, uint64_t ms);
/// Among all rigs what is sent arrives; time passes in steps of 50 ms.
void rig_mesh(uint64_t ms);
/// Cuts or mends the link between two.
void rig_cut(struct rig *a, struct rig *b);
/// The answer to a question for a page of a comparison; valid until the next.
struct peer_message rig_page(struct rig *rig, struct peer_message question);

// Clients.
void rig_open(struct rig *rig, uint32_t slot);
void rig_send(struct rig *rig, uint32_t slot, const struct wire_message *message);
/// Opens and says HELLO.
void rig_greet(struct rig *rig, uint32_t slot, uint32_t replicas);
/// Its socket takes frames again.
void rig_unblock(struct rig *rig, uint32_t slot);
/// Joins, holding nothing, and takes all up to the POINT. @return The room's number.
uint32_t rig_join(struct rig *rig, uint32_t slot, const char *name);
/// The next frame that the client got, whatever it is; fails when there is none.
const struct wire_message *rig_take(struct rig *rig, uint32_t slot);
/// The next frame of a type; those before it are taken too. NULL: there is none.
const struct wire_message *rig_find(struct rig *rig, uint32_t slot, enum wire_type type);

// Requests.
/// Asks, settles, and leaves the answer in rig->response.
void rig_ask(struct rig *rig, const struct node_ask *ask);
void rig_put(struct rig *rig, const char *name, const char *text);
/// Whether the document's text, as a request reads it, is this one.
bool rig_shows(struct rig *rig, const char *name, const char *text);

// Someone who writes.
struct author {
    struct weft_doc *doc;
    uint64_t agent;
    uint32_t number;
    struct weft_buffer delta;
};
void author_init(struct author *author, const char *name, uint64_t agent);
void author_finish(struct author *author);
/// Types at the end and sends the delta.
void author_type(struct author *author, struct rig *rig, uint32_t slot, uint32_t room,
                 const char *text);

static inline struct span rig_text(const char *text)
{
    size_t size = 0;
    while (text[size])
        size++;
    return (struct span){(const uint8_t *)text, size};
}

#endif
