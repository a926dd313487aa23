// SPDX-License-Identifier: MIT
// What a node holds: the structs that the files of node/ share. Private to node/.
//
//   clients[slot] --> subscription --> room --> weft_doc        room = a loaded document
//                        |  cursor      |
//                        +--> room.ring[] of shared frames
//   document (light: name, journal numbers) --> room or nothing
//   groups[2]: the open one gathers what is staged, the other one is being made durable
//   feeds[], members[]: the cluster; pulls, fetches, comparison: what is being caught up
//
// Everything is owned by the node and touched by one thread. Time is node->now_ms, randomness is
// node->entropy. May include: base/, codec/, weft/, node/.
#ifndef WEFT_NODE_STATE_H
#define WEFT_NODE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/doc.h>
#include <weft/version.h>

#include "base/bytes.h"
#include "codec/peer.h"
#include "codec/record.h"
#include "codec/wire.h"
#include "node/archive.h"
#include "node/frame.h"
#include "node/idmap.h"
#include "node/limits.h"
#include "node/metrics.h"
#include "node/node.h"
#include "node/queue.h"

#define NO_SLOT UINT32_MAX

// ------------------------------------------------------------------------------------- documents

/// A document that has a room or entries in the journal. Found by name; freed when it has neither.
struct document {
    struct document *chain; // next with the same hash
    uint64_t hash;
    struct room *room;   // NULL: not loaded
    uint64_t *tail;      // numbers of its journal entries, ascending
    uint32_t tail_first; // the first of `tail` that is still in the journal
    uint32_t tail_count; // from tail_first on
    uint32_t tail_capacity;
    uint64_t through; // merged up to this number; UINT64_MAX: its record was not read yet
    bool pruned[2];   // listed in that group of the node
    bool emptied;     // not loaded, and nothing came since its epoch began
    bool kept;        // it is or was damaged: some entries may stand below the journal's beginning
    uint32_t name_size;
    uint8_t name[];
};

static inline struct span document_name(const struct document *document)
{
    return (struct span){document->name, document->name_size};
}

/// A loaded document and those who follow it.
struct room {
    struct document *document;
    uint32_t number; // on the wire; names this document in this epoch for the life of the process
    struct weft_doc
        *doc; // NULL: damaged, or dropped after a failed commit and not loaded again yet
    struct weft_delta_reader *news; // stands behind all that was journaled: gives what is new
    struct archive_head head;       // as staged so far
    struct times times;             // when its operations arrived
    bool quarantined;               // a record of it is damaged
    struct weft_buffer cuts;        // what is nobody's in this epoch (weft/fork.h)
    bool aside;                     // a copy takes what still comes of branches that went:
    struct weft_epoch aside_name;   // this one
    bool incomplete;         // some of what a peer has of it cannot be applied here, and never can
    uint64_t unmerged_bytes; // of journal entries that are not in the snapshot
    uint64_t changed_number; // journal number of its last entry
    uint64_t changed_ms;
    uint32_t strikes; // digests of others in a row that differed though nothing was lacking
    size_t memory;    // as of the last look

    // Where its edits stand. Own edits are shown when their group is on disk.
    bool dirty_open; // own edits in the open group
    bool dirty_away; // own edits in the group under way
    bool in_open;    // listed there
    bool in_away;
    uint32_t pins; // queue items, groups and requests that point here

    // Fan-out. ring[i % capacity] holds frame i for i in [ring_first, ring_end).
    struct frame **ring;
    uint32_t ring_capacity;
    uint64_t ring_first;
    uint64_t ring_end;
    size_t ring_bytes;
    struct weft_buffer shown; // deltas to show at the end of the turn: u32 size, bytes, ...
    struct weft_buffer held;  // deltas to show when the group with them is on disk
    struct subscription **subscriptions;
    uint32_t subscription_count;
    uint32_t subscription_capacity;
    struct frame *point;    // the POINT of the present state; NULL: not made
    bool epoch_notice;      // an epoch began: its old subscribers are to be told
    uint32_t number_before; // theirs
    struct weft_epoch epoch_before;

    struct request *watchers;   // event streams, linked by watch_next
    struct weft_buffer patches; // JSON of changes that they have not been told: [i,d,"s"],...
    bool patches_lost;          // too many: they get the text anew
    struct weft_digest told;    // the last that they were told

    // Lists of the node.
    struct room *turn_next; // has something to show this turn
    bool in_turn;
    struct room *quiet_next; // waits for a second of quiet
    struct room *quiet_previous;
    bool in_quiet;
    struct room
        *idle_next; // nobody is here: may be evicted, empty ones first, then the longest idle
    struct room *idle_previous;
    bool in_idle;
};

static inline bool room_clean(const struct room *room)
{
    return !room->dirty_open && !room->dirty_away;
}

/// Also what peers brought is on this disk; it may be shown before that, but not called durable.
static inline bool room_on_disk(const struct room *room)
{
    return room_clean(room) && !room->in_open && !room->in_away;
}

// --------------------------------------------------------------------------------------- clients

enum client_state { CLIENT_FREE, CLIENT_GREETING, CLIENT_READY, CLIENT_CLOSING };

/// One connection. Small: a machine holds half a million of them.
struct client {
    uint32_t generation;
    uint8_t state; // enum client_state
    bool blocked;  // nothing may be sent until it is writable
    uint8_t replicas;
    uint16_t rooms;
    uint32_t next; // in the list of its state, by last frame; NO_SLOT at the ends
    uint32_t previous;
    uint32_t blocked_next; // in the list of blocked clients, by beginning
    uint32_t blocked_previous;
    uint32_t gather_bytes;  // of its frames that wait for a commit
    uint32_t backlog_bytes; // of frames in `backlog`
    uint64_t seen_ms;       // last frame, or when it came
    uint64_t blocked_ms;
    struct subscription *subscriptions; // linked by client_next
    struct backlog *backlog;            // messages that wait until it is writable, oldest first
    struct backlog *backlog_last;
};

struct backlog {
    struct backlog *next;
    struct frame *frame;
};

/// A row of slots, linked by index.
struct client_list {
    uint32_t first;
    uint32_t last;
};

enum subscription_mode {
    SUBSCRIPTION_JOINING, // a reader feeds it
    SUBSCRIPTION_LIVE,    // its cursor is in the ring
    SUBSCRIPTION_LOST,    // RESYNC was sent; SYNC is awaited
};

/// An ack replicated:n that is due when enough others hold what it covers.
struct replica_wait {
    uint32_t number;
    uint64_t sequence; // of the own feed
    uint64_t barrier;  // 0: none; else also that barrier must be passed
    uint64_t since_ms;
};

/// One client in one room.
struct subscription {
    struct subscription *client_next;
    struct room *room;
    uint32_t slot;        // of the client
    uint32_t room_index;  // in room->subscriptions
    uint32_t room_number; // as the client knows it
    uint64_t serial;      // tells it from an earlier one of this client in this room
    uint8_t mode;
    bool point_due;
    bool resync_due; // to be sent as soon as the client is writable
    bool in_acks;
    bool in_awaiting;
    bool in_pumping;
    uint8_t wait_count;
    uint32_t group_index; // 1 + place in the open group's list; 0: not there
    uint32_t away_index;  // likewise in the group under way
    uint64_t cursor;      // the frame that it gets next
    struct weft_delta_reader *reader;
    // Numbers of its edits; cumulative.
    uint32_t numbered; // the greatest that came
    uint32_t accepted; // and was not refused
    uint32_t applied;
    uint32_t durable;
    uint32_t replicated;
    uint32_t told_received;
    uint32_t told_durable;
    uint32_t told_replicated;
    bool forked;                  // it was told that its history is another branch: all that
    struct weft_epoch aside_name; // it sends goes into this copy
    bool resent;                  // some of `applied` was known before: a barrier is due
    uint64_t waiting_ms;          // since when the oldest edit that is not durable waits; 0: none
    struct replica_wait *waits;   // CLIENT_WAITS_MAX of them, or NULL
    struct subscription *acks_next;
    struct subscription *awaiting_next;
    struct subscription *awaiting_previous;
    struct subscription *pumping_next;
};

// -------------------------------------------------------------------------------------- requests

enum request_state {
    REQUEST_QUEUED,     // in gather or deferred
    REQUEST_COMMITTING, // its edit is in a group
    REQUEST_AWAITING,   // durable, waits for replicas
    REQUEST_WATCHING,   // an event stream
};

/// A request that could not be answered at once. Owned by the node's table until answered.
struct request {
    struct request_id id;
    enum request_state state;
    bool gone;           // the asker left: nothing is answered
    struct node_ask ask; // its spans point into `bytes`, the body to the asker's or to `text`
    uint8_t *text;       // owned: a copy of the body while it waits
    size_t text_size;
    struct room *room; // pinned while committing or watching
    bool created;      // the document did not exist before
    bool repeated;     // no entry of its own shows who holds it: it changed nothing, or was fenced
    uint16_t status;   // to answer with
    struct weft_epoch epoch; // that its edit is in
    uint64_t sequence;       // REQUEST_AWAITING: of the own feed
    uint64_t barrier;
    uint64_t deadline_ms;
    struct request *await_next;
    // REQUEST_WATCHING
    struct request *watch_next;
    bool blocked;
    bool behind; // missed something while blocked: gets the text anew
    size_t bytes_size;
    uint8_t bytes[];
};

// ---------------------------------------------------------------------------------------- groups

/// How far a group brings a feed.
struct group_feed {
    struct feed *feed;
    uint64_t prefix;
};

/// An ORPHANS message whose edits are in a group.
struct group_orphan {
    struct client_id client;
    uint32_t ref;
};

/// What is staged and committed together.
struct group {
    uint64_t number;       // of the store; 0: open
    uint64_t first_number; // the first journal number that it may hold
    uint64_t journal_low;  // as it was before
    uint64_t own_sequence; // of the own feed, with this group
    uint64_t started_ms;
    uint64_t bytes; // of its entries
    uint32_t entries;
    struct room **rooms; // pinned
    uint32_t room_count;
    uint32_t room_capacity;
    struct subscription **subscriptions; // NULL where one went away
    uint32_t subscription_count;
    uint32_t subscription_capacity;
    struct request **requests;
    uint32_t request_count;
    uint32_t request_capacity;
    struct group_orphan *orphans; // to be acked
    uint32_t orphan_count;
    uint32_t orphan_capacity;
    struct group_feed *feeds; // filled when the group is closed
    uint32_t feed_count;
    uint32_t feed_capacity;
    struct document **pruned; // entries of theirs leave the journal with this group, each once
    uint32_t pruned_count;
    uint32_t pruned_capacity;
    uint64_t pruned_bytes;
    uint32_t pruned_entries;
    struct weft_buffer fresh; // own entries to broadcast: u32 size, journal value, ...
    bool failed;              // staging failed: its commit is made to fail
    bool fenced;              // some entries are of a life that was fenced: no sequence of now
};

// --------------------------------------------------------------------------------------- cluster

/// Where an entry of a feed stands in the journal; every JOURNAL_INDEX_STEPth.
struct feed_mark {
    uint64_t sequence;
    uint64_t number;
};

/// What entered the cluster at one node during one life of its process.
struct feed {
    uint64_t incarnation;
    uint64_t prefix;       // entries 1..prefix were applied here
    uint64_t synced;       // and are on this disk
    uint64_t continues;    // the life before it at its node; 0: none
    uint64_t continued_to; // or FEED_NOT_TOLD
    bool own;
    bool dirty;             // its record is to be staged
    bool retired;           // scratch of feeds_retire()
    bool branched;          // scratch: several continue it
    struct feed *successor; // scratch: who continues it
    uint64_t journal_start;
    uint64_t first; // entries first..prefix are in the journal; 0: none
    struct feed_mark *marks;
    uint32_t mark_first;
    uint32_t mark_count; // from mark_first on
    uint32_t mark_capacity;
    uint64_t asked; // scratch: what someone else holds of it
    bool listed;    // scratch: a list names it
};

/// With `continues` 0: it is not known here what it continues.
#define FEED_NOT_TOLD UINT64_MAX

static inline bool feed_is_told(const struct feed *feed)
{
    return feed->continues != 0 || feed->continued_to != FEED_NOT_TOLD;
}

enum member_state { MEMBER_HERE, MEMBER_LEFT, MEMBER_FORGOTTEN };

/// Another node, in one life of its process.
struct member {
    uint64_t incarnation;
    enum member_state state;
    char name[PEER_NAME_BYTES_MAX + 1];
    char gossip_address[PEER_NAME_BYTES_MAX + 1];
    char pull_address[PEER_NAME_BYTES_MAX + 1];
    char client_address[PEER_NAME_BYTES_MAX + 1];
    uint32_t flags;    // enum peer_heartbeat_flag, as last heard
    uint64_t heard_ms; // last message of its own; 0: only heard of
    bool met;          // a heartbeat of its own came
    uint32_t pipe_count;
    bool dialed;
    uint64_t lone_ms;                // since when it is known and has no pipe
    uint64_t own_synced;             // of this node's feed, as last reported
    uint64_t next_life;              // a member on the same disk; 0: none is known
    bool behind;                     // it reported entries that this node lacks
    uint64_t lag;                    // how many
    bool pulling;                    // a range pull is under way
    uint64_t pull_after_ms;          // not before, after a failure
    uint32_t stalls;                 // replies in a row that brought nothing usable
    bool must_compare;               // it answered GONE, or its history was cut
    bool unsure;                     // when last compared with, it did not say what it holds
    uint64_t checkpoint_incarnation; // of the last comparison with it
    uint64_t checkpoint;
};

/// An address that is dialed because someone said so.
struct seed {
    char *address; // owned
    bool dialing;
};

/// A link to a peer.
struct pipe {
    struct pipe_id id;
    uint64_t up_ms;
    uint64_t heard_ms;
    uint64_t incarnation; // 0: not known yet
};

enum pull_kind { PULL_RANGE, PULL_CHANGED, PULL_FETCH };

struct pull {
    uint64_t ticket; // 0: free
    enum pull_kind kind;
    uint64_t incarnation; // of the member that was asked
    struct fetch *fetch;  // PULL_FETCH
};
#define PULLS_MAX 48U // of the 64 that the links carry

enum fetch_reason { FETCH_COMPARE, FETCH_DIGEST, FETCH_BEHIND, FETCH_DAMAGED, FETCH_CHAINS };

/// A document whose missing operations are asked for.
struct fetch {
    struct fetch *next;
    enum fetch_reason reason;
    uint64_t incarnation; // member to ask; 0: anyone
    bool asked;           // a pull is under way
    uint32_t failures;
    uint32_t lacking; // answers that had less than the own journal stands on
    uint64_t not_before_ms;
    struct weft_digest digest; // FETCH_COMPARE, FETCH_DIGEST: what the other one has
    struct weft_buffer forks;  // FETCH_CHAINS: struct fork_search each
    uint64_t after;            // likewise: agents up to this one were compared
    bool tell;                 // likewise: cuts were found that the other one is to hear
    struct weft_doc *doc;      // FETCH_DAMAGED: what came so far
    uint32_t name_size;
    uint8_t name[];
};

/// Where two histories of an agent part: they are equal over `low` atoms, and over `high` not.
struct fork_search {
    uint64_t agent;
    uint64_t low;
    uint64_t high;
    uint8_t chain[32]; // the other one's over `high`
};

/// Document by document, what another node holds that this one lacks. One at a time.
struct comparison {
    uint64_t incarnation; // of the member; 0: none is under way
    bool asked;           // a page is being asked for
    bool first_page;
    bool pages_done;
    uint32_t failures;
    uint64_t retry_ms;
    uint64_t started_ms;
    uint64_t checkpoint_incarnation; // to compare from the next time
    uint64_t checkpoint;
    struct weft_buffer cursor;
    uint32_t fetches;         // of it, waiting or under way
    struct weft_buffer feeds; // what the other one held when it began, as its list stood
    uint32_t feed_count;
};

/// A moment: an ack that waits for it needs others that cover all that was held here then.
struct barrier {
    uint64_t id; // 0: free
    struct group_feed *feeds;
    uint32_t feed_count;
    uint64_t covered_by[CLIENT_REPLICAS_MAX]; // incarnations of members
    uint32_t covered;
};

struct recent {
    uint64_t hash;
    struct document *document; // has a room or a tail; NULL: free
};

// ------------------------------------------------------------------------------------------ node

struct node {
    struct weft_allocator allocator;
    struct clock *clock;
    struct entropy *entropy;
    struct store *store;
    struct links *links;
    struct node_limits limits;
    struct node_metrics metrics;
    struct archive archive;
    void (*log)(void *context, int level, const char *event, const char *details);
    void *log_context;
    uint32_t heartbeat_ms;
    uint64_t now_ms; // of the step

    char name[PEER_NAME_BYTES_MAX + 1];
    char gossip_address[PEER_NAME_BYTES_MAX + 1];
    char pull_address[PEER_NAME_BYTES_MAX + 1];
    char client_address[PEER_NAME_BYTES_MAX + 1];
    uint64_t incarnation;
    uint64_t hash_seed;
    uint64_t agent;         // of HTTP edits of this process that give no name
    struct author *authors; // AUTHORS_MAX names that HTTP edits gave, or NULL
    uint32_t author_count;
    uint32_t author_next; // the one that makes room
    bool opened;          // the first commit was tried: things may be said
    bool incarnation_due; // it is not on disk yet
    bool draining;
    bool leaving;
    uint64_t started_ms;
    uint64_t drained_ms; // when draining began
    uint64_t probed_ms;
    bool was_full;

    // documents and rooms
    struct idmap documents; // by hash of the name, chained
    uint32_t next_room_number;
    uint32_t room_count;
    struct room *turn_rooms;
    struct room *quiet_first;
    struct room *quiet_last;
    struct room *idle_first;
    struct room *idle_last;

    // clients
    struct client *clients;
    uint32_t client_capacity;
    struct client_list greeting;
    struct client_list ready;
    struct client_list blocked;
    struct subscription *acks;     // to be told at the end of the turn
    struct subscription *awaiting; // replicated acks
    struct subscription *awaiting_last;
    struct subscription *pumping; // joining, more to send next turn
    uint64_t subscriptions_made;

    // requests
    struct idmap requests; // by id
    struct request *awaiting_requests;
    size_t request_bytes; // of bodies that wait for the group under way

    // journal
    uint64_t journal_next; // number of the next entry
    uint64_t journal_low;  // nothing below it is in the journal
    uint64_t journal_bytes;
    uint64_t journal_entries;
    struct group groups[2];
    struct group *open;
    struct group *away; // NULL: nothing is under way
    struct queue gather;
    struct queue deferred;
    struct queue working; // the one of the two that is being worked off

    // cluster
    struct feed **feeds; // by first sight; feeds[0] is the own one
    uint32_t feed_count;
    uint32_t feed_capacity;
    uint32_t feeds_due;        // with so many it is looked which can be retired
    struct feed **dirty_feeds; // their records are to be staged with the open group
    uint32_t dirty_feed_count;
    uint32_t dirty_feed_capacity;
    struct idmap feed_index; // incarnation -> feed
    struct member *members[MEMBERS_MAX];
    uint32_t member_count;
    struct pipe pipes[MEMBERS_MAX];
    uint32_t pipe_count;
    struct seed *seeds; // dialed because told to
    uint32_t seed_count;
    uint32_t seed_capacity;
    uint64_t seeds_ms;  // when they were dialed last
    bool members_dirty; // they are to be stored
    uint64_t beat_ms;   // last heartbeat sent
    bool beat_soon;
    bool synced_due;    // someone waits to hear what is on this disk
    uint64_t synced_ms; // last SYNCED sent
    bool caught_up;     // compared or found nothing to compare since the start
    bool damaged;       // an entry of its journal was at start: compares with each member it meets
    bool unsure; // and did so with none that is sure: does not say in comparisons what it holds
    uint64_t unsure_ms; // when the first such comparison ended; 0: none did
    struct pull pulls[PULLS_MAX];
    bool pull_due;        // someone is known to hold more
    uint64_t range_ms;    // when the last range pull began
    uint32_t range_pulls; // under way
    uint64_t next_ticket;
    struct fetch *fetches; // waiting and under way, oldest first
    struct fetch *fetches_last;
    uint32_t fetch_count;
    struct comparison comparison;
    struct barrier barriers[BARRIERS_MAX];
    uint64_t next_barrier;
    uint64_t turn_barrier; // of this turn; 0: none yet
    struct recent recent[DIGEST_RECENT_MAX];
    uint32_t recent_at;
    uint32_t recent_said;

    struct weft_buffer scratch; // one message at a time
    struct weft_buffer version; // one version vector at a time
    struct weft_buffer message; // of the bus and pulls
};

// ------------------------------------------------------------------------- small things of node.c

/// Zeroed memory, or NULL.
void *node_alloc(struct node *node, size_t size);
/// Takes NULL.
void node_free(struct node *node, void *memory, size_t size);
/// Room for one more item behind `count`. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status node_grow(struct node *node, void *items_pointer, uint32_t *capacity,
                                         uint32_t count, size_t item_size);
/// One line for the log: an event's stable name and `key=value` details.
__attribute__((format(printf, 4, 5))) void node_log(struct node *node, enum node_log_level level,
                                                    const char *event, const char *details, ...);
uint64_t node_random(struct node *node);
/// An agent id for edits that are made here.
uint64_t node_agent(struct node *node);

#endif
