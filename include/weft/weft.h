// SPDX-License-Identifier: MIT
// libweft: replicated text that merges without a centre. This header includes the whole public API.
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include <weft/cursor.h>
#include <weft/doc.h>
#include <weft/fork.h>
#include <weft/history.h>
#include <weft/labels.h>
#include <weft/memory.h>
#include <weft/status.h>
#include <weft/undo.h>
#include <weft/version.h>

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0

#endif
