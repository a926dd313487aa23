// SPDX-License-Identifier: MIT
// Every bound of a node, with its unit and reason. Those that an operator may set are the defaults
// of struct node_limits; the others are fixed. Includes nothing.
#ifndef WEFT_NODE_LIMITS_H
#define WEFT_NODE_LIMITS_H

// ------------------------------------------------------------- defaults of struct node_limits

#define LIMIT_FRAME_BYTES (64U << 10) // a client's memory is a few of these
#define LIMIT_FRAME_BYTES_MIN                                                                      \
    (40U << 10) // a delta reader's piece of 32 KiB and its envelope must fit
#define LIMIT_NAME_BYTES 256U
#define LIMIT_DOCUMENT_BYTES (64ULL << 20)
#define LIMIT_DOCUMENT_ATOMS (256ULL << 20) // about 2 GB of memory in the worst case
#define LIMIT_ROOMS_PER_CLIENT 64U          // the list is searched one by one
#define LIMIT_GATHER_BYTES (256U << 10)     // four frames: a sync takes milliseconds
#define LIMIT_RING_BYTES (256U << 10)       // past that a slow client is resynced
#define LIMIT_DOCUMENTS_BYTES (1ULL << 30)
#define LIMIT_JOURNAL_BYTES (64ULL << 20) // a restart reads all of it: below a second
#define LIMIT_CLIENTS (1U << 20)
#define LIMIT_REQUESTS 4096U

// ------------------------------------------------------------------------------------ clients

#define CLIENT_HEARTBEAT_MS 20000U // announced; three of them in silence close the connection
#define CLIENT_HELLO_MS 10000U     // from opening to HELLO
#define CLIENT_BLOCKED_MS 60000U   // nothing was read for so long: slow_consumer
#define CLIENT_BACKLOG_BYTES (256U << 10) // messages, not edits, that wait for a blocked client
#define CLIENT_PUMP_FRAMES 64U            // of a joining client, in one go
#define CLIENT_WAITS_MAX 16U // acks replicated:n apart per client and room; then they merge
#define CLIENT_REPLICAS_MAX 64U

// ---------------------------------------------------------------------------------- documents

#define ROOM_QUIET_MS 1000U          // after a change, before a POINT
#define ROOM_RING_FRAMES 1024U       // of one room; more small frames than this are few bytes
#define ROOM_MERGE_BYTES (64U << 10) // unmerged journal of a document, at least, before a merging
#define ROOM_MERGE_SHARE 4U          // and a quarter of what it writes
#define ROOM_EVICT_MERGE_BYTES                                                                     \
    (4U << 10)                // an evicted document with more unmerged than that is merged
#define ROOM_EVICT_MERGES 64U // in one tick
#define ROOMS_QUIET_PER_TICK 256U
#define ENTRY_DELTA_BYTES                                                                          \
    (48U << 10) // pieces in which HTTP edits and pulled documents are journaled
#define DEFERRED_BYTES_MAX (16U << 20) // reads of all clients that wait for a commit
#define GATHER_BYTES_MAX (64U << 20)   // edits of all clients that wait for a commit
#define RECOVERY_PART_BYTES                                                                        \
    (512U << 10) // of a whole document; a value of this size is a row of pages

// ------------------------------------------------------------------------------------ journal

#define JOURNAL_PRUNE_ENTRIES 512U  // removed per turn at most
#define JOURNAL_PRUNE_MERGES 4U     // documents merged for it per turn at most
#define JOURNAL_INDEX_STEP 64U      // every so many entries of a feed its journal number is kept,
#define JOURNAL_INDEX_NUMBERS 1024U // and when so many of others stand between

// ------------------------------------------------------------------------------------ cluster

#define FEEDS_MAX 16384U
#define FEEDS_KEPT 1024U // with more, those of lives that ended are retired
#define MEMBERS_MAX 256U
#define HEARTBEAT_MS 1000U
#define HEARTBEATS_MISSED_MAX 3U
#define HEARTBEAT_HASTE_MS 50U      // between heartbeats that are sent early for a new pipe
#define SYNCED_MS 10U               // between SYNCED messages
#define FRESH_BYTES_MAX (60U << 10) // of one bus message; a larger entry is pulled
#define FRESH_MESSAGES_MAX 8U       // of one turn; the rest is pulled
#define FRESH_BYTES_KEPT (2U * FRESH_MESSAGES_MAX * FRESH_BYTES_MAX) // no less than those hold
#define PULL_BYTES (1U << 20)                                        // of entries in one page
#define PULL_SCAN_ENTRIES 16384U // journal records looked at for one page, each beside its names
#define PULL_PAGE_DOCUMENTS 256U
#define PULL_PAGE_LOADS 32U // documents loaded for the digests of one page
#define PULL_RETRY_MS 500U
#define FETCHES_MAX 8U // documents being fetched at once
#define FETCHES_WAITING_MAX 1024U
#define BARRIERS_MAX 64U // of replicated acks for edits that were known before
#define DIGESTS_PER_HEARTBEAT 8U
#define DIGEST_QUIET_MS 2000U
#define DIGEST_RECENT_MAX 256U
#define UNSURE_PATIENCE_MS 30000U // who lost an entry waits so long for a member that did not
#define CATCHING_UP_MS 5000U      // a node that reaches nobody serves what it holds after this
#define REPLICATED_WAIT_MS 10000U // an HTTP request that waits for replicas is answered by then
#define SPACE_PROBE_MS 1000U
#define DRAIN_MOVE_RETRY_MS 1000U
#define DRAIN_CLOSE_MS 2000U // after MOVE, until connections that stayed are closed

// ----------------------------------------------------------------------------------- requests

#define AUTHORS_MAX 256U // names of those who edit over HTTP that have an agent at a time
#define LIST_DEFAULT 100U
#define LIST_MAX 1000U
#define LIST_SCAN_MAX 10000U             // records looked at for one page, deleted documents too
#define LIST_RECOVERY_BYTES (64U << 20)  // of copies, which are read for one page
#define WATCH_TEXT_BYTES_MAX (1U << 20)  // a longer text is not sent with the first event
#define WATCH_PATCH_BYTES_MAX (1U << 20) // of one room and turn; past that the text is sent anew

#endif
