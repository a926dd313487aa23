// SPDX-License-Identifier: MIT
// Writing JSON.
#include "node/json.h"

#include <stdio.h>
#include <string.h>

static void append(struct json *json, const void *bytes, size_t size)
{
    if (!json->failed && weft_buffer_append(json->out, bytes, size)) {
        json->failed = true;
    }
}

void json_raw(struct json *json, const char *text)
{
    append(json, text, strlen(text));
}

void json_put_string(struct json *json, struct span text)
{
    size_t from = 0;
    append(json, "\"", 1);
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        char escape[8];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        if (c == '"' || c == '\\') {
            snprintf(escape, sizeof escape, "\\%c", c);
        } else if (c == '\n') {
            snprintf(escape, sizeof escape, "\\n");
        } else {
            snprintf(escape, sizeof escape, "\\u%04x", c);
        }
        append(json, text.data + from, i - from);
        append(json, escape, strlen(escape));
        from = i + 1;
    }
    if (text.size > from) {
        append(json, text.data + from, text.size - from);
    }
    append(json, "\"", 1);
}

void json_u64(struct json *json, uint64_t value)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    append(json, digits, strlen(digits));
}

void json_hex(struct json *json, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *at = bytes;
    append(json, "\"", 1);
    for (size_t i = 0; i < size; i++) {
        char pair[2] = {digits[at[i] >> 4], digits[at[i] & 15]};
        append(json, pair, sizeof pair);
    }
    append(json, "\"", 1);
}

void json_name(struct json *json, const char *name)
{
    bool first = json->out->size == 0 || json->out->data[json->out->size - 1] == '{';
    append(json, ",\"", first ? 0 : 1);
    append(json, "\"", 1);
    append(json, name, strlen(name));
    append(json, "\":", 2);
}
