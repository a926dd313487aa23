// SPDX-License-Identifier: MIT
// What watch and replay share: a wire client made from a command line's URLs.
#ifndef WEFT_PROGRAMS_CLI_FOLLOW_H
#define WEFT_PROGRAMS_CLI_FOLLOW_H

#include "programs/client/client.h"

/// Makes a client for `name` at URLs separated by commas. @param options What is not filled in yet
/// is up to the caller: urls and document are set here. @return an exit code; failures are said.
int follow_create(struct client **client_out, struct client_options *options, const char *urls,
                  const char *name);

/// Says why a client ended. @return the exit code for it.
int follow_ended(const struct client *client);

#endif
