// SPDX-License-Identifier: MIT
// The configuration that a command line, the environment and a file give together.
#ifndef WEFT_PROGRAMS_CLI_CONFIGURE_H
#define WEFT_PROGRAMS_CLI_CONFIGURE_H

#include "programs/cli/arguments.h"
#include "programs/config/config.h"

/// @param config_out Owned by the caller: config_destroy(). @return EXIT_FINE, or EXIT_USAGE or
/// EXIT_REFUSED after saying why.
int configure(struct config **config_out, const struct arguments *arguments);

#endif
