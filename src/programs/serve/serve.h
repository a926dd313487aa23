// SPDX-License-Identifier: MIT
// A node as a process: the store, the clients' port, the admin port and the cluster around one
// node.
//
//   options -> store_lmdb, clock, entropy, log
//           -> loop <- clients (WebSocket), http_api (HTTP), admin, peers (bus, pull)
//           -> node, which reaches them through its ports
//
// SIGTERM and SIGINT drain: not ready first, clients told to move, everything flushed, at most
// SERVE_DRAIN_MS; a second signal ends at once. One process runs at most one.
// May include: everything of weft.
#ifndef WEFT_PROGRAMS_SERVE_SERVE_H
#define WEFT_PROGRAMS_SERVE_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/log.h"
#include "node/node.h"

#define SERVE_LISTEN_DEFAULT "127.0.0.1:9338"
#define SERVE_GOSSIP_DEFAULT "tcp://127.0.0.1:9339"
#define SERVE_ADMIN_DEFAULT "127.0.0.1:9340"
#define SERVE_DATA_DEFAULT "./data"
#define SERVE_DRAIN_MS 8000 // of the ten seconds until all is closed

/// Suffices for every error text of this module.
#define SERVE_ERROR_BYTES 1024

/// Exit codes, as of all commands.
enum serve_exit {
    SERVE_DONE = 0,
    SERVE_USAGE = 2,   // an option cannot be right
    SERVE_REFUSED = 4, // the system, another process or a rule of safety says no
    SERVE_DAMAGED = 5, // the data directory is damaged, or of a newer format
};

/// Texts are borrowed for as long as serve_run() runs. NULL and 0 mean the default.
struct serve_options {
    const char *data_path;
    const char *listen;       // HOST:PORT for clients: WebSocket, HTTP, the editor
    const char *gossip;       // tcp://HOST:PORT
    const char *pull;         // tcp://HOST:PORT; NULL: that of gossip with its port + 2
    const char *admin;        // HOST:PORT
    const char *const *joins; // gossip addresses of members
    size_t join_count;
    const char *node_name;            // NULL: the stored one, or a fresh one
    const char *cluster_key_path;     // NULL: no key; then the cluster is loopback only
    const char *const *allow_origins; // further origins of browsers, as SCHEME://HOST[:PORT]
    size_t allow_origin_count;
    bool insecure; // clients may come from beyond this machine although nobody is authenticated
    bool admin_exposed; // the same for the admin port
    struct node_limits limits;
    uint64_t map_bytes_max; // bound of the data file
    uint32_t heartbeat_ms;  // between members
    enum log_format log_format;
    int log_level;              // enum node_log_level; what is chattier is left out
    uint32_t bus_loss_permille; // for tests: this share of incoming bus messages is dropped
};

/// Defaults of every field.
struct serve_options serve_options_default(void);

/// Whether a node may start with these options, before it opens anything but the key's file.
/// serve_run() begins with it. @param error SERVE_ERROR_BYTES; receives one line.
/// @return SERVE_DONE, SERVE_USAGE or SERVE_REFUSED.
int serve_check(const struct serve_options *options, char *error);

/// Runs a node until it is told to stop. Says on stdout where it is and what to do next when it is
/// ready, and in one line on stderr why it cannot start. @return An enum serve_exit.
int serve_run(const struct serve_options *options);

#endif
