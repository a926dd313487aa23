// SPDX-License-Identifier: MIT
// What the parts of serve share: one node and all that stands around it.
// May include: programs/serve/serve.h, io/, node/, libuv, POSIX.
#ifndef WEFT_PROGRAMS_SERVE_SERVE_IMPL_H
#define WEFT_PROGRAMS_SERVE_SERVE_IMPL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "io/admin.h"
#include "io/clients.h"
#include "io/http_api.h"
#include "io/log.h"
#include "io/loop.h"
#include "io/peers.h"
#include "io/store_lmdb.h"
#include "node/node.h"
#include "node/ports.h"
#include "programs/serve/serve.h"

/// A backup that is over, on its way from its own thread to the loop's.
struct serve_backup {
    pthread_mutex_t lock;
    bool done;
    enum weft_status status;
    char text[STORE_LMDB_ERROR_BYTES];
};

struct serve {
    struct links links; // first: the port is found back by a cast
    const struct serve_options *options;
    struct log *log;
    struct loop loop;
    struct store_lmdb *store;
    struct http_api *http;
    struct clients *clients;
    struct admin *admin;
    struct peers *peers;
    struct node *node;
    uv_timer_t watch; // announces, and drains to the end
    uv_async_t store_wake;
    uv_async_t backup_wake;
    uv_signal_t signals[2]; // SIGTERM, SIGINT
    struct serve_backup backup;
    char version[32];
    bool announced;
    bool draining;
    uint64_t drain_end_ms;
};

// serve_check.c: what is asked.

/// The exit code of a port that could not be opened.
int serve_exit_of(enum weft_status status);
/// The cluster's key, or none. @param error SERVE_ERROR_BYTES. @return As serve_check().
int serve_read_key(struct seal_key *key_out, const struct serve_options *options, char *error);

// serve_ports.c: the ways between the node and its surroundings.

/// Fills serve->links.
void serve_connect(struct serve *serve);
/// As store_lmdb_options.completed.
void serve_store_completed(void *context);
/// On the loop's thread: tells the node of the groups that are over.
void serve_store_woken(uv_async_t *async);
/// As peers_config.event and .log.
void serve_peer_event(void *context, const struct node_event *event);
void serve_peer_log(void *context, int level, const char *event, const char *details);
/// As admin_config.sample and .backup.
void serve_sample(void *context, struct admin_sample *sample_out);
enum weft_status serve_back_up(void *context, const char *path, char *error);
void serve_backup_woken(uv_async_t *async);

// serve_drain.c: the way out.

/// Begins to listen for SIGTERM and SIGINT.
void serve_watch_signals(struct serve *serve);
/// Once a tick: goes on with draining, and stops the loop at its end.
void serve_drain_tick(struct serve *serve);

#endif
