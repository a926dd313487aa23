// SPDX-License-Identifier: MIT
// A row of things that wait for a commit: client messages as bytes, requests, questions of peers.
//
//   gather     edits that arrived while a group was being synced; they become the next group
//   deferred   reads of documents whose edits are not on disk yet
//
// Items and their bytes lie one behind the other in one buffer that is reused, so waiting allocates
// nothing in the steady state. May include: base/, weft/, node/ports.h.
#ifndef WEFT_NODE_QUEUE_H
#define WEFT_NODE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"
#include "node/ports.h"

struct room;
struct request;

enum queue_kind { QUEUE_CLIENT, QUEUE_REQUEST, QUEUE_QUESTION };

struct queue_item {
    enum queue_kind kind;
    struct client_id client; // QUEUE_CLIENT
    struct room *room;       // QUEUE_CLIENT, an edit: pinned
    uint32_t room_number;    // the room's number when the edit came: an epoch may have begun since
    uint32_t number;         // of the edit
    uint64_t subscription;   // serial of the one that it came by
    struct request *request; // QUEUE_REQUEST: taken
    struct answer_id answer; // QUEUE_QUESTION
    uint64_t arrived_ms;
    size_t size; // bytes that follow
};

struct queue {
    struct weft_buffer items;
    uint32_t count;
};

void queue_init(struct queue *queue, const struct weft_allocator *allocator);
void queue_finish(struct queue *queue);
/// Appends an item and a copy of its bytes. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status queue_push(struct queue *queue, const struct queue_item *item,
                                          struct span bytes);
/// The item at `*offset` (0 for the first), which goes to the next. Bytes are borrowed until the
/// queue changes. @return Whether there was one.
bool queue_next(const struct queue *queue, size_t *offset, struct queue_item *item_out,
                struct span *bytes_out);
/// Forgets all items; keeps the memory.
void queue_clear(struct queue *queue);

#endif
