// SPDX-License-Identifier: MIT
// Ends a connection of nng the way a peer would, because nng 1.5.2 must not be told to.
//
// nng_pipe_close() (and closing a dialer or socket that has pipes) stops the pipe's reads. When
// that meets the moment between the arrival of a message's length and the request for its bytes,
// the read is never finished, and nng's one reaper waits for it for ever: from then on no pipe of
// the process is ever reported gone and none is dialed again. A connection that is shut down in the
// kernel ends in nng's own course, with its reads complete.
#ifndef WEFT_IO_PEERS_CUT_H
#define WEFT_IO_PEERS_CUT_H

#include <nng/nng.h>

/// Shuts the connection under a pipe down; nng reports the pipe gone soon after. Any thread.
/// Costs a look at each descriptor of the process.
void peers_cut(nng_pipe pipe);

#endif
