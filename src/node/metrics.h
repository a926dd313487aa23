// SPDX-License-Identifier: MIT
// What a node counts. Only ever added to, but for the gauges, which are as of the last step.
// Names follow docs/operations.md (weft_<name>). Includes nothing of weft.
#ifndef WEFT_NODE_METRICS_H
#define WEFT_NODE_METRICS_H

#include <stdint.h>

#define METRICS_BUCKETS 20 // upper bounds 1, 2, 4 ... 2^18 ms, then the rest

/// How often a duration fell into (2^(i-1), 2^i] ms; the first bucket is [0, 1], the last one open.
struct metrics_histogram {
    uint64_t buckets[METRICS_BUCKETS];
    uint64_t count;
    uint64_t sum_ms;
};

enum metrics_ack { METRICS_RECEIVED, METRICS_DURABLE, METRICS_REPLICATED, METRICS_ACK_COUNT };

enum metrics_reject {
    METRICS_REJECT_MALFORMED,
    METRICS_REJECT_INVALID,
    METRICS_REJECT_CONFLICT,
    METRICS_REJECT_MISSING,
    METRICS_REJECT_EPOCH,
    METRICS_REJECT_LIMIT,
    METRICS_REJECT_STORAGE,
    METRICS_REJECT_COUNT
};

struct node_metrics {
    // gauges
    uint64_t clients;
    uint64_t clients_blocked;
    uint64_t subscriptions;
    uint64_t documents_loaded;
    uint64_t documents_quarantined;
    uint64_t documents_incomplete; // found so since the start
    uint64_t documents_bytes;      // memory of loaded documents
    uint64_t requests;             // under way, streams included
    uint64_t watchers;
    uint64_t peers; // members with a pipe
    uint64_t members;
    uint64_t feeds;       // in memory
    uint64_t lag_entries; // that some peer reported and this node lacks
    uint64_t gathered_bytes;
    uint64_t deferred_bytes;
    uint64_t journal_bytes;
    uint64_t journal_entries;
    // counters
    uint64_t client_connects;
    uint64_t client_closes_bad; // closed by this node for a 44xx reason
    uint64_t client_closes;     // closed by this node for a 45xx reason
    uint64_t client_errors;     // ERROR messages
    uint64_t client_resyncs;
    uint64_t frames_received;
    uint64_t frames_sent;
    uint64_t deltas_received;  // from clients and requests
    uint64_t entries_received; // from peers, new ones
    uint64_t entries_known;    // from peers, held already
    uint64_t atoms_from_clients;
    uint64_t atoms_from_peers;
    uint64_t rejected[METRICS_REJECT_COUNT];
    uint64_t documents_loads;
    uint64_t documents_evictions;
    uint64_t merges;
    uint64_t journal_kept; // entries of damaged documents, found at start or left there by pruning
    uint64_t journal_removed;
    uint64_t commits;
    uint64_t commits_failed;
    uint64_t committed_entries;
    uint64_t committed_bytes;
    uint64_t gossip_fresh_sent;
    uint64_t gossip_fresh_received;
    uint64_t gossip_heartbeats_sent;
    uint64_t gossip_heartbeats_received;
    uint64_t gossip_synced_sent;
    uint64_t gossip_synced_received;
    uint64_t gossip_malformed;
    uint64_t gaps_detected;
    uint64_t stalls; // entries whose causes were not here yet
    uint64_t pulls_asked;
    uint64_t pulls_failed;
    uint64_t pulls_answered;
    uint64_t comparisons; // of documents, begun
    uint64_t comparisons_done;
    uint64_t documents_fetched;
    uint64_t digests_equal;
    uint64_t digests_behind;   // different, healed by a pull
    uint64_t digests_diverged; // different with equal versions: someone must look
    uint64_t fences;           // this life was seen ahead of itself and ended
    uint64_t forks_healed;     // documents rebuilt without a branch
    uint64_t forks_refused;    // deltas of clients whose history is another branch
    uint64_t recoveries;       // parts of recovery copies written
    uint64_t limit_hits;
    struct metrics_histogram ack_ms[METRICS_ACK_COUNT];
    struct metrics_histogram commit_ms;
};

static inline void metrics_observe(struct metrics_histogram *histogram, uint64_t value_ms)
{
    unsigned bucket = 0;
    while (bucket < METRICS_BUCKETS - 1 && value_ms > (UINT64_C(1) << bucket)) {
        bucket++;
    }
    histogram->buckets[bucket]++;
    histogram->count++;
    histogram->sum_ms += value_ms;
}

#endif
