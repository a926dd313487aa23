// SPDX-License-Identifier: MIT
// One document at one client: the replica, what was sent of it, and what was promised about it.
//
//   ops      own edits in the order of their seqs, each with the markers it inserted or deleted
//   sents    DELTAs under way on this connection; an ACK turns them into evidence in the ledger
//   mirror   the markers that the text must show, kept by the document's observer
//
// May include: codec/wire.h, weft/.
#ifndef WEFT_SIM_ROOM_H
#define WEFT_SIM_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/weft.h>

#include "codec/wire.h"
#include "ledger.h"

struct sim_client;

enum room_state { ROOM_OUT, ROOM_JOINING, ROOM_IN };

/// One own edit.
struct room_op {
    uint64_t seq_end; // of its last atom, plus 1
    bool is_delete;
    uint32_t first; // of its markers, in `op_markers`
    uint32_t count;
};

/// One DELTA that this connection carried.
struct room_sent {
    uint32_t number;
    uint64_t own_end;         // own seqs below this were sent by then
    bool refused;             // the node said so; the client may not have heard it yet
    struct marker_list whole; // for a push: all that the text showed, own or not
};

struct sim_room {
    struct sim_client *client;
    uint32_t document;
    struct weft_doc *doc;
    struct weft_epoch epoch;
    uint64_t agent;
    uint64_t next_seq; // of the agent, here
    uint64_t cursor;   // scalars, where the typist is
    enum room_state state;
    uint64_t since_us;  // of the state
    uint64_t retry_us;  // not before this the room is joined or pushed again
    uint64_t behind_us; // since when it is told that nodes are behind its epoch; 0: it is not
    uint32_t ref;
    uint32_t number_of_room;
    uint32_t number;   // of the last DELTA
    uint64_t sent_end; // own seqs below this were sent on this connection
    bool refused;      // a DELTA was refused: SYNC, then push what POINT's version lacks
    bool asked;        // that SYNC is under way
    uint64_t acked_end[LEDGER_LEVELS_MAX]; // by level, on this connection
    uint32_t acked_number[LEDGER_LEVELS_MAX];
    struct room_op *ops;
    uint32_t op_count;
    uint32_t op_capacity;
    struct marker_list op_markers;
    struct room_sent *sents;
    uint32_t sent_count;
    uint32_t sent_capacity;
    struct marker_list mirror;
    struct weft_buffer node_version; // of the last JOINED or POINT on this connection
    struct weft_buffer token;
    struct weft_buffer token_version; // what the node held at the POINT that the token is of
    bool synced;                      // it may show so
    uint32_t epochs_lost;             // how often
    uint64_t shown_us;                // while applying: when what comes was sent; 0 for own edits
    struct weft_digest digest;        // when synced
};

void sim_room_init(struct sim_room *room, struct sim_client *client, uint32_t document);
void sim_room_finish(struct sim_room *room);
/// A new session takes over what the last one stored: the same document, another agent.
void sim_room_adopt(struct sim_room *room);

/// A session begins with a copy of what another one stored, its agent id included.
void sim_room_fork(struct sim_room *room, const struct sim_room *from);

/// The connection is gone.
void sim_room_disconnect(struct sim_room *room);
/// Joins, resends and retries what is due.
void sim_room_work(struct sim_room *room);
/// Takes a message of this room. @param sent_us When the node sent it.
void sim_room_message(struct sim_room *room, const struct wire_message *message, uint64_t sent_us);
bool sim_room_is_settled(const struct sim_room *room);

/// Own edits; what they do is sent with the next work. `index` and `count` are clipped.
void sim_room_insert(struct sim_room *room, uint64_t index, uint32_t count);
void sim_room_delete(struct sim_room *room, uint64_t index, uint32_t count);
/// Not while it waits to be told in which epoch an empty document is.
bool sim_room_may_edit(const struct sim_room *room);
uint64_t sim_room_length(const struct sim_room *room);

/// One edit of the client's kind (sim_editor.c).
void sim_room_edit(struct sim_room *room);

#endif
