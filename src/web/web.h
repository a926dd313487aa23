// SPDX-License-Identifier: MIT
// Pages that every node serves, compiled into the binary. May include: base/.
#ifndef WEFT_WEB_WEB_H
#define WEFT_WEB_WEB_H

#include "base/bytes.h"

/// The editor: one HTML file that asks for nothing but this node's own API. Static storage.
struct span web_editor(void);

#endif
