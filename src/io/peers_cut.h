// SPDX-License-Identifier: MIT
// Ends a connection of nng the way a peer would, because nng 1.5.2 must not be told to.
//
// nng_pipe_close() (and closing a dialer or socket that has pipes) stops the pipe's reads. When
// that meets the moment between the arrival of a message's length and the request for its bytes,
// the read is never finished, and nng's one reaper waits for it for ever; io/peers_relay.h says
// more. So only the direction in which nng reads is shut down, in the kernel: what has arrived is
// read, then comes the end of the stream, and nng closes with no read under way.
#ifndef WEFT_IO_PEERS_CUT_H
#define WEFT_IO_PEERS_CUT_H

#include <nng/nng.h>

/// Ends what can be read from the connection under a pipe; nng closes it, and reports the pipe
/// gone, as soon as it has read what is there. Any thread. Costs a look at each descriptor of the
/// process.
void peers_cut(nng_pipe pipe);

#endif
