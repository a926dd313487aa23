// SPDX-License-Identifier: MIT
// Stands between nng and the network, so that nng never sees a connection break.
//
//   nng socket <--- loopback ---> relay <--- network ---> relay <--- loopback ---> nng socket
//              inner end                 outer end
//
// nng 1.5.2 closes a pipe as soon as a write to it fails. When that meets the moment between the
// arrival of a message's length and the request for its bytes, the read is never finished, and the
// one reaper thread of nng waits for it for ever: from then on no pipe of the process is reported
// gone and none is dialed again (nng's issue 616, mended after 1.5.2 by its pull request 1636). A
// peer that dies while messages go both ways can bring this about.
//
// The same happens to a write when the pipe closes between two parts of a large message.
//
// So nng talks to this relay only, over the loopback, and the relay ends an inner connection in one
// way: it goes on taking what nng writes, waits for the end of a message there, ends what nng
// reads, and takes what comes until nng has closed. Then no write of nng fails, and nng closes with
// no read and no half-done write under way. Nothing else in the process closes pipes that read.
// Bytes are passed on as they come; of messages the relay knows only where they end.
//
// Threads: functions are for the thread that owns the peers unless they say otherwise; the relay
// has a thread and a libuv loop of its own. May include: io/peers_address.h, nng, libuv, POSIX.
#ifndef WEFT_IO_PEERS_RELAY_H
#define WEFT_IO_PEERS_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <nng/nng.h>

#include "io/peers_address.h"

/// Connections at once, both ways and strangers' ones included; more are closed at once. Each costs
/// three descriptors of the 1,024 that clients do not get.
#define PEERS_RELAY_LINKS_MAX 320
/// What one end may be behind the other before its source has to wait.
#define PEERS_RELAY_AHEAD_BYTES (64U << 10)
/// A peer that has not acknowledged anything for this long is gone.
#define PEERS_RELAY_SILENCE_MS 20000

struct peers_relay;

/// NULL: no memory or no thread.
struct peers_relay *peers_relay_create(void);
/// After the sockets of nng behind it were closed: lets their last bytes out and ends. Takes NULL.
void peers_relay_destroy(struct peers_relay *relay);

/// Listens for peers, and connects each to a port of nng on the loopback.
/// @param address In: where to listen; out: with the port that was bound. @return 0 or an error of
/// nng.
int peers_relay_listen(struct peers_relay *relay, struct peers_address *address,
                       uint16_t inner_port);
/// Opens a port on the loopback, and connects each who comes there to a peer's address.
/// @return the port, or 0 when the system refuses.
uint16_t peers_relay_open_gate(struct peers_relay *relay, const struct peers_address *to);
/// Closes such a port; connections that came through it stay. Takes 0.
void peers_relay_close_gate(struct peers_relay *relay, uint16_t port);

/// Whether a pipe is one that we dialed, or one of a peer that came through here: anything else on
/// this machine can find nng's port, too. Any thread.
bool peers_relay_brought(struct peers_relay *relay, nng_pipe pipe);
/// Ends the link under a pipe: what was read from the peer and what nng has said still arrives,
/// then nng closes the pipe and reports it gone. Any thread. This is in place of nng_pipe_close(),
/// and comes before the closing of a dialer or a socket that has pipes.
void peers_relay_cut(struct peers_relay *relay, nng_pipe pipe);
/// HOST:PORT of the peer at the other end of a pipe, for log lines. Any thread.
void peers_relay_show(struct peers_relay *relay, nng_pipe pipe, char *text, size_t size);

#endif
