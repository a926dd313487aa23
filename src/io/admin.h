// SPDX-License-Identifier: MIT
// The admin port: health, metrics, and what an operator tells a node. Loopback unless said
// otherwise.
//
//   GET /healthz          200 while the loop turns
//   GET /readyz           200, or 503 with the failing checks:
//   {"ready":false,"failing":["draining"]} GET /metrics          Prometheus text 0.0.4;
//   docs/operations.md lists the names GET  /v1/cluster/members       POST /v1/cluster/leave POST
//   /v1/cluster/forget?node=NAME POST /v1/backup?to=ABSOLUTE_PATH
//
// No document's name ever appears here. May include: node/, io/.
#ifndef WEFT_IO_ADMIN_H
#define WEFT_IO_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#include "io/clients.h"
#include "io/http.h"
#include "io/loop.h"
#include "io/peers.h"
#include "io/store_lmdb.h"
#include "node/metrics.h"
#include "node/ports.h"

#define ADMIN_CONNECTIONS_MAX 64
#define ADMIN_LAG_MS_MAX 5000U // past that the loop is not called healthy
#define ADMIN_ERROR_BYTES 512

/// What admin shows; filled anew for each look.
struct admin_sample {
    const struct node_metrics *node;
    uint32_t unready; // enum node_unready bits
    struct store_lmdb_stats store;
    struct peers_counts peers;
    struct clients_counts clients;
    struct http_counts http;
    uint64_t log_dropped;
    const char *version;
};

struct admin_config {
    struct loop *loop;
    const char *listen; // HOST:PORT
    void (*sample)(void *context, struct admin_sample *sample_out);
    /// Begins a backup into a new directory; admin_backup_done() follows if it is WEFT_OK.
    /// @param error ADMIN_ERROR_BYTES; on failure one line.
    enum weft_status (*backup)(void *context, const char *path, char *error);
    void *context;
    /// As node_config.log; may be NULL.
    void (*log)(void *context, int level, const char *event, const char *details);
    void *log_context;
};

struct admin;

/// @param error Receives one line that says what failed. @return as listener_open().
WEFT_MUST_USE enum weft_status admin_open(struct admin **admin_out,
                                          const struct admin_config *config, char *error,
                                          size_t error_size);
void admin_start(struct admin *admin);
/// Takes NULL. No event follows.
void admin_close(struct admin *admin);
const struct address *admin_address(const struct admin *admin);

/// The backup that was begun is over. On the loop's thread. @param text One line, empty on success.
void admin_backup_done(struct admin *admin, enum weft_status status, const char *text);

/// Whether an answer is for a request of the admin port.
bool admin_owns(struct request_id request);
// The requests' part of struct links for those.
void admin_respond(struct admin *admin, struct request_id request,
                   const struct node_response *response);

#endif
