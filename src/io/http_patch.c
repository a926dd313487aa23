// SPDX-License-Identifier: MIT
// Implements io/http_patch.h with jansson.
#include "io/http_patch.h"

#include <jansson.h>

#include "codec/pack.h"

static bool is_count(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool pack_change(struct pack_writer *writer, const json_t *change)
{
    if (!json_is_array(change) || json_array_size(change) != 3) {
        return false;
    }
    const json_t *position = json_array_get(change, 0);
    const json_t *deleted = json_array_get(change, 1);
    const json_t *inserted = json_array_get(change, 2);
    if (!is_count(position) || !is_count(deleted) || !json_is_string(inserted)) {
        return false;
    }
    pack_array(writer, 3);
    pack_u64(writer, (uint64_t)json_integer_value(position));
    pack_u64(writer, (uint64_t)json_integer_value(deleted));
    pack_str(writer, (struct span){(const uint8_t *)json_string_value(inserted),
                                   json_string_length(inserted)});
    return true;
}

enum weft_status http_patch_encode(struct weft_buffer *out, struct span json, const char **why_out)
{
    if (json.size > HTTP_PATCH_BYTES_MAX) {
        *why_out = "a JSON patch is at most 1 MiB; send a longer text as text/plain";
        return WEFT_LIMIT;
    }
    json_error_t error;
    json_t *changes = json_loadb((const char *)json.data, json.size, JSON_ALLOW_NUL, &error);
    if (changes == NULL && json_error_code(&error) == json_error_out_of_memory) {
        return WEFT_NO_MEMORY;
    }
    bool valid = json_is_array(changes);
    size_t count = valid ? json_array_size(changes) : 0;
    struct pack_writer writer = pack_writer_begin(out);
    pack_array(&writer, (uint32_t)count);
    for (size_t i = 0; i < count && valid; i++) {
        valid = pack_change(&writer, json_array_get(changes, i));
    }
    json_decref(changes);
    if (!valid) {
        writer.failed = true;
    }
    enum weft_status status = pack_writer_end(&writer);
    if (!valid) {
        *why_out = "the patch must be JSON of the form [[position, deleted, \"inserted\"], ...]";
        return WEFT_MALFORMED;
    }
    return status;
}
