// SPDX-License-Identifier: MIT
// Writing JSON (RFC 8259) into a buffer. An error sticks. May include: base/, weft/.
#ifndef WEFT_NODE_JSON_H
#define WEFT_NODE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/memory.h>

#include "base/bytes.h"

struct json {
    struct weft_buffer *out;
    bool failed;
};

void json_raw(struct json *json, const char *text);
/// Quoted and escaped. @param text UTF-8.
void json_put_string(struct json *json, struct span text);
void json_u64(struct json *json, uint64_t value);
/// Quoted lower-case hex.
void json_hex(struct json *json, const void *bytes, size_t size);
/// `,"name":`, or `"name":` after an opening brace.
void json_name(struct json *json, const char *name);

#endif
