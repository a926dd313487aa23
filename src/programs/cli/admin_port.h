// SPDX-License-Identifier: MIT
// The admin port of a node, which is another one than the port that URLs name.
#ifndef WEFT_PROGRAMS_CLI_ADMIN_PORT_H
#define WEFT_PROGRAMS_CLI_ADMIN_PORT_H

/// Posts to a node's admin port. `url` may be that port's, or that of the clients' port, with the
/// admin port two above it, as the defaults have it. @return an exit code; failures are said.
int admin_post(const char *url, const char *path, const char *subject);

#endif
