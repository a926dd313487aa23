// SPDX-License-Identifier: MIT
// The admin port of a node, which is another one than the port that URLs name.
#ifndef WEFT_PROGRAMS_CLI_ADMIN_PORT_H
#define WEFT_PROGRAMS_CLI_ADMIN_PORT_H

#include <jansson.h>

#include "programs/cli/arguments.h"

/// --admin, for the commands that post there.
#define ADMIN_PORT_OPTION                                                                          \
    {                                                                                              \
        "admin", '\0', "HOST:PORT", "the node's admin port; default: two above the clients' port"  \
    }

/// Posts to a node's admin port. `url` may be that port's, or that of the clients' port. Then the
/// admin port is the one of --admin, or two above it, as the defaults have it; nothing is posted
/// unless both ports say that they are of one node. @param answer_out What it answered, owned by
/// the caller; may be NULL. @return an exit code; failures are said.
int admin_post(const struct arguments *arguments, const char *url, const char *path,
               const char *subject, json_t **answer_out);

#endif
