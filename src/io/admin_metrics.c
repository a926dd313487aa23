// SPDX-License-Identifier: MIT
// Implements io/admin_metrics.h.
#include "io/admin_metrics.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINE_BYTES_MAX 256

/// The page in the making; a failure sticks.
struct page {
    struct weft_buffer *out;
    enum weft_status status;
};

__attribute__((format(printf, 2, 3))) static void print(struct page *page, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (page->status == WEFT_OK && size > 0) {
        size_t used = (size_t)size < sizeof(line) ? (size_t)size : sizeof(line) - 1;
        page->status = weft_buffer_append(page->out, line, used);
    }
}

static void head(struct page *page, const char *name, const char *type, const char *help)
{
    print(page, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void gauge(struct page *page, const char *name, uint64_t value, const char *help)
{
    head(page, name, "gauge", help);
    print(page, "%s %" PRIu64 "\n", name, value);
}

static void counter(struct page *page, const char *name, uint64_t value, const char *help)
{
    head(page, name, "counter", help);
    print(page, "%s %" PRIu64 "\n", name, value);
}

static void seconds(struct page *page, const char *name, double value, const char *help)
{
    head(page, name, "gauge", help);
    print(page, "%s %.6f\n", name, value);
}

static void labelled(struct page *page, const char *name, const char *label, const char *value,
                     uint64_t count)
{
    print(page, "%s{%s=\"%s\"} %" PRIu64 "\n", name, label, value, count);
}

/// The rows of one histogram; `labels` is empty or ends with a comma.
static void histogram(struct page *page, const char *name, const char *labels,
                      const struct metrics_histogram *values)
{
    uint64_t below = 0;
    char alone[64] = "";
    for (unsigned i = 0; i < METRICS_BUCKETS - 1; i++) {
        below += values->buckets[i];
        print(page, "%s_bucket{%sle=\"%.3f\"} %" PRIu64 "\n", name, labels,
              (double)(UINT64_C(1) << i) / 1000.0, below);
    }
    if (labels[0] != '\0') {
        snprintf(alone, sizeof(alone), "{%.*s}", (int)strlen(labels) - 1, labels);
    }
    print(page, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, values->count);
    print(page, "%s_sum%s %.3f\n", name, alone, (double)values->sum_ms / 1000.0);
    print(page, "%s_count%s %" PRIu64 "\n", name, alone, values->count);
}

// ------------------------------------------------------------------------------------------ pieces

static void write_clients(struct page *page, const struct admin_sample *sample)
{
    const struct node_metrics *node = sample->node;
    gauge(page, "weft_clients", node->clients, "WebSocket clients.");
    gauge(page, "weft_slow_clients", node->clients_blocked,
          "Clients that do not read fast enough.");
    gauge(page, "weft_subscriptions", node->subscriptions, "Clients in rooms.");
    gauge(page, "weft_visitors", sample->clients.visitors,
          "Connections that have not said yet what they want.");
    counter(page, "weft_connections_accepted_total", sample->clients.accepted,
            "Connections to the clients' port.");
    counter(page, "weft_client_connects_total", node->client_connects, "WebSocket clients opened.");
    head(page, "weft_client_disconnects_total", "counter",
         "Clients closed by this node: 44xx for good, 45xx to come back.");
    labelled(page, "weft_client_disconnects_total", "code", "44xx", node->client_closes_bad);
    labelled(page, "weft_client_disconnects_total", "code", "45xx", node->client_closes);
    counter(page, "weft_client_errors_total", node->client_errors, "ERROR messages to clients.");
    counter(page, "weft_client_resyncs_total", node->client_resyncs,
            "Clients that fell behind a room's memory.");
    counter(page, "weft_client_blocks_total", sample->clients.blocked,
            "Times that a client's connection took no more.");
    gauge(page, "weft_client_partial_bytes", sample->clients.partial_bytes,
          "Messages that arrived in part.");
    counter(page, "weft_client_messages_refused_total", sample->clients.refused_messages,
            "Messages that were text or too large.");
    counter(page, "weft_frames_received_total", node->frames_received, "Messages from clients.");
    counter(page, "weft_frames_sent_total", node->frames_sent, "Messages to clients.");
    gauge(page, "weft_http_connections", sample->http.connections, "Connections that speak HTTP.");
    gauge(page, "weft_http_held_bytes", sample->http.held_bytes,
          "Bodies, and answers that wait for their readers.");
    counter(page, "weft_http_requests_total", sample->http.requests, "HTTP requests.");
    counter(page, "weft_http_refused_total", sample->http.refused,
            "Requests that were no HTTP, too large or late.");
    gauge(page, "weft_requests", node->requests, "HTTP requests that the node works on.");
    gauge(page, "weft_watchers", node->watchers, "Change feeds that are followed.");
}

static void write_documents(struct page *page, const struct admin_sample *sample)
{
    static const char *const rejects[METRICS_REJECT_COUNT] = {
        [METRICS_REJECT_MALFORMED] = "malformed", [METRICS_REJECT_INVALID] = "invalid",
        [METRICS_REJECT_CONFLICT] = "conflict",   [METRICS_REJECT_MISSING] = "missing",
        [METRICS_REJECT_EPOCH] = "epoch",         [METRICS_REJECT_LIMIT] = "limit",
        [METRICS_REJECT_STORAGE] = "storage"};
    const struct node_metrics *node = sample->node;
    head(page, "weft_documents", "gauge", "Documents by state.");
    labelled(page, "weft_documents", "state", "loaded", node->documents_loaded);
    labelled(page, "weft_documents", "state", "quarantined", node->documents_quarantined);
    counter(page, "weft_documents_incomplete_total", node->documents_incomplete,
            "Times a document was found of which a peer has what can never be applied here.");
    gauge(page, "weft_documents_memory_bytes", node->documents_bytes,
          "Memory of loaded documents.");
    counter(page, "weft_document_loads_total", node->documents_loads,
            "Documents loaded from disk.");
    counter(page, "weft_document_evictions_total", node->documents_evictions,
            "Documents dropped from memory.");
    head(page, "weft_ops_received_total", "counter", "Atoms of edits that were new here.");
    labelled(page, "weft_ops_received_total", "source", "client", node->atoms_from_clients);
    labelled(page, "weft_ops_received_total", "source", "peer", node->atoms_from_peers);
    head(page, "weft_ops_rejected_total", "counter", "Deltas that were refused.");
    for (int i = 0; i < METRICS_REJECT_COUNT; i++) {
        labelled(page, "weft_ops_rejected_total", "reason", rejects[i], node->rejected[i]);
    }
    gauge(page, "weft_gathered_bytes", node->gathered_bytes, "Edits that wait for the store.");
    gauge(page, "weft_deferred_bytes", node->deferred_bytes, "Reads that wait for the store.");
    counter(page, "weft_forks_healed_total", node->forks_healed,
            "Documents rebuilt without a branch of a forked author.");
    counter(page, "weft_forks_refused_total", node->forks_refused,
            "Deltas of clients whose history is another branch.");
    counter(page, "weft_recoveries_total", node->recoveries, "Parts of recovery copies written.");
    counter(page, "weft_limit_hits_total", node->limit_hits, "Times that a limit was reached.");
    head(page, "weft_ack_seconds", "histogram", "From an edit's arrival to its acknowledgement.");
    histogram(page, "weft_ack_seconds", "level=\"received\",", &node->ack_ms[METRICS_RECEIVED]);
    histogram(page, "weft_ack_seconds", "level=\"durable\",", &node->ack_ms[METRICS_DURABLE]);
    histogram(page, "weft_ack_seconds", "level=\"replicated\",", &node->ack_ms[METRICS_REPLICATED]);
}

static void write_store(struct page *page, const struct admin_sample *sample)
{
    const struct node_metrics *node = sample->node;
    const struct store_lmdb_stats *store = &sample->store;
    head(page, "weft_commit_seconds", "histogram", "From a group's closing to its being on disk.");
    histogram(page, "weft_commit_seconds", "", &node->commit_ms);
    counter(page, "weft_commits_total", node->commits, "Groups of edits made durable.");
    counter(page, "weft_commits_failed_total", node->commits_failed, "Groups that failed.");
    counter(page, "weft_commit_ops_total", node->committed_entries,
            "Journal entries made durable.");
    counter(page, "weft_commit_bytes_total", node->committed_bytes, "Bytes of those.");
    counter(page, "weft_merges_total", node->merges, "Documents merged into their snapshots.");
    gauge(page, "weft_journal_bytes", node->journal_bytes, "Journal that is not merged yet.");
    counter(page, "weft_journal_kept_total", node->journal_kept,
            "Entries of damaged documents that stay behind the journal.");
    gauge(page, "weft_journal_entries", node->journal_entries, "Entries of it.");
    head(page, "weft_store_health", "gauge", "1 for the state that holds.");
    labelled(page, "weft_store_health", "state", "writable", store->health == STORE_WRITABLE);
    labelled(page, "weft_store_health", "state", "full", store->health == STORE_FULL);
    labelled(page, "weft_store_health", "state", "broken", store->health == STORE_BROKEN);
    gauge(page, "weft_lmdb_used_bytes", store->used_bytes, "Pages in use.");
    gauge(page, "weft_lmdb_file_bytes", store->file_bytes, "Pages up to the last used one.");
    gauge(page, "weft_lmdb_map_bytes", store->map_bytes, "Address space of the map.");
    gauge(page, "weft_lmdb_limit_bytes", store->limit_bytes, "What the map may grow to.");
    counter(page, "weft_lmdb_map_growths_total", store->map_growths, "Times that the map grew.");
    gauge(page, "weft_lmdb_readers", store->readers, "Reader slots in use.");
    seconds(page, "weft_lmdb_oldest_reader_seconds", (double)store->oldest_reader_ms / 1000.0,
            "For how long the oldest reader has pinned pages.");
}

static void write_cluster(struct page *page, const struct admin_sample *sample)
{
    const struct node_metrics *node = sample->node;
    const struct peers_counts *peers = &sample->peers;
    static const char gossip[] = "weft_gossip_messages_total";
    static const char pulls[] = "weft_pulls_total";
    static const char checks[] = "weft_hash_checks_total";
    gauge(page, "weft_members", node->members, "Other members of the cluster.");
    gauge(page, "weft_peers", node->peers, "Members with a link to this node.");
    gauge(page, "weft_feeds", node->feeds, "Lives of nodes whose edits are told apart.");
    gauge(page, "weft_peer_lag_ops", node->lag_entries,
          "Entries that peers have and this node lacks.");
    head(page, gossip, "counter", "Messages on the bus.");
    print(page, "%s{kind=\"fresh\",dir=\"out\"} %" PRIu64 "\n", gossip, node->gossip_fresh_sent);
    print(page, "%s{kind=\"fresh\",dir=\"in\"} %" PRIu64 "\n", gossip, node->gossip_fresh_received);
    print(page, "%s{kind=\"heartbeat\",dir=\"out\"} %" PRIu64 "\n", gossip,
          node->gossip_heartbeats_sent);
    print(page, "%s{kind=\"heartbeat\",dir=\"in\"} %" PRIu64 "\n", gossip,
          node->gossip_heartbeats_received);
    print(page, "%s{kind=\"synced\",dir=\"out\"} %" PRIu64 "\n", gossip, node->gossip_synced_sent);
    print(page, "%s{kind=\"synced\",dir=\"in\"} %" PRIu64 "\n", gossip,
          node->gossip_synced_received);
    counter(page, "weft_gossip_dropped_total", peers->bus_dropped,
            "Bus messages dropped here because too many waited.");
    counter(page, "weft_gossip_malformed_total", node->gossip_malformed, "Malformed bus messages.");
    counter(page, "weft_peer_refused_total", peers->refused, "Messages that were not authentic.");
    counter(page, "weft_peer_redials_total", peers->redials, "Links dialed anew.");
    counter(page, "weft_peer_sent_bytes_total", peers->bytes_sent, "To peers.");
    counter(page, "weft_peer_received_bytes_total", peers->bytes_received, "From peers.");
    counter(page, "weft_gaps_detected_total", node->gaps_detected, "Gaps seen in others' feeds.");
    counter(page, "weft_stalls_total", node->stalls, "Entries whose causes were not here yet.");
    head(page, pulls, "counter", "Questions to peers and from them.");
    labelled(page, pulls, "kind", "asked", node->pulls_asked);
    labelled(page, pulls, "kind", "failed", node->pulls_failed);
    labelled(page, pulls, "kind", "answered", node->pulls_answered);
    counter(page, "weft_comparisons_total", node->comparisons, "Comparisons of documents begun.");
    counter(page, "weft_documents_fetched_total", node->documents_fetched,
            "Documents of which operations were fetched.");
    head(page, checks, "counter", "Digests compared with peers; diverged needs someone to look.");
    labelled(page, checks, "result", "equal", node->digests_equal);
    labelled(page, checks, "result", "behind", node->digests_behind);
    labelled(page, checks, "result", "diverged", node->digests_diverged);
    counter(page, "weft_fences_total", node->fences, "Lives ended because they were seen ahead.");
}

static uint64_t count_descriptors(void)
{
    uint64_t count = 0;
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL) {
        return 0;
    }
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count > 3 ? count - 3 : 0; // without ., .. and its own
}

/// Start time in seconds of the epoch, or 0.
static double start_seconds(void)
{
    char text[1024];
    unsigned long long ticks = 0;
    double boot = 0;
    FILE *file = fopen("/proc/self/stat", "re");
    if (file != NULL) {
        size_t size = fread(text, 1, sizeof(text) - 1, file);
        text[size] = '\0';
        fclose(file);
        const char *after_name = strrchr(text, ')');
        if (after_name != NULL) { // field 22; the one after the name is the third
            sscanf(after_name + 1,
                   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d "
                   "%llu",
                   &ticks);
        }
    }
    file = fopen("/proc/stat", "re");
    if (file != NULL) {
        while (fgets(text, sizeof(text), file) != NULL && sscanf(text, "btime %lf", &boot) != 1) {
        }
        fclose(file);
    }
    return ticks == 0 || boot == 0 ? 0 : boot + (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void write_process(struct page *page, const struct admin_sample *sample, uint64_t lag_ns)
{
    struct rusage usage;
    struct rlimit limit = {0, 0};
    unsigned long pages[2] = {0, 0};
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%lu %lu", &pages[0], &pages[1]) != 2) {
            pages[0] = pages[1] = 0;
        }
        fclose(file);
    }
    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &limit);
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    seconds(page, "weft_loop_lag_seconds", (double)lag_ns / 1e9,
            "The greatest delay of the loop's tick since the last look.");
    counter(page, "weft_log_dropped_total", sample->log_dropped,
            "Log lines dropped because nobody read them.");
    head(page, "process_cpu_seconds_total", "counter", "User and system time.");
    print(page, "process_cpu_seconds_total %.3f\n", cpu);
    gauge(page, "process_resident_memory_bytes", pages[1] * (uint64_t)sysconf(_SC_PAGESIZE),
          "Resident memory.");
    gauge(page, "process_virtual_memory_bytes", pages[0] * (uint64_t)sysconf(_SC_PAGESIZE),
          "Virtual memory.");
    gauge(page, "process_open_fds", count_descriptors(), "Open file descriptors.");
    gauge(page, "process_max_fds", limit.rlim_cur, "How many may be open.");
    seconds(page, "process_start_time_seconds", start_seconds(), "Start, in Unix time.");
}

enum weft_status admin_metrics_write(struct weft_buffer *out, const struct admin_sample *sample,
                                     uint64_t lag_ns)
{
    struct page page = {.out = out, .status = WEFT_OK};
    head(&page, "weft_build_info", "gauge", "Always 1.");
    print(&page, "weft_build_info{version=\"%s\"} 1\n", sample->version);
    write_clients(&page, sample);
    write_documents(&page, sample);
    write_store(&page, sample);
    write_cluster(&page, sample);
    write_process(&page, sample, lag_ns);
    return page.status;
}
