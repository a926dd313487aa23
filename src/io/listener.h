// SPDX-License-Identifier: MIT
// A listening port: accepts in bounded bites and stops asking when the process runs out of
// descriptors, instead of spinning.
//
//   readable --> accept4() x LISTENER_BITE --> accepted(fd)
//       ^            | no descriptors left, or admit() says no
//       `-- later ---'   (what waits stays in the kernel's queue)
//
// May include: io/loop.h, io/address.h, libuv, POSIX.
#ifndef WEFT_IO_LISTENER_H
#define WEFT_IO_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include <weft/status.h>

#include "io/address.h"
#include "io/loop.h"

#define LISTENER_BITE 256      // connections accepted per iteration of the loop
#define LISTENER_RETRY_MS 100  // before it asks again after it had to stop
#define LISTENER_BACKLOG 65535 // the kernel bounds it by net.core.somaxconn

struct listener_config {
    struct loop *loop;
    const char *listen; // HOST:PORT; port 0 takes a free one
    /// The asker speaks first: the kernel may wait with handing it over until it did.
    bool defer;
    /// Whether one more may come. May be NULL.
    bool (*admit)(void *context);
    /// Takes a connected, non-blocking socket.
    void (*accepted)(void *context, int fd);
    /// As node_config.log; may be NULL.
    void (*log)(void *context, int level, const char *event, const char *details);
    void *context;
    void *log_context;
};

struct listener;

/// Binds and listens, but accepts nothing before listener_start().
/// @param error Receives one line that says what failed.
/// @return WEFT_OK, WEFT_MALFORMED (not HOST:PORT), WEFT_CONFLICT (in use), WEFT_NOT_FOUND (no
/// address of this machine), WEFT_STORAGE (anything else the system refused) or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status listener_open(struct listener **listener_out,
                                             const struct listener_config *config, char *error,
                                             size_t error_size);
void listener_start(struct listener *listener);
/// Takes NULL. Its memory goes in the loop's next iterations.
void listener_close(struct listener *listener);

/// What it is bound to.
const struct address *listener_address(const struct listener *listener);

#endif
