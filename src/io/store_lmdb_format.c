// SPDX-License-Identifier: MIT
// The format record: one number that says how the rest of the file is laid out; see
// store_lmdb_impl.h and docs/storage-format.md.
#include "base/endian.h"
#include "io/store_lmdb.h"

#include <stdio.h>

#include "io/store_lmdb_impl.h"

static const uint8_t format_key[] = STORE_LMDB_FORMAT_KEY;

struct span store_lmdb_format_key(void)
{
    return (struct span){format_key, sizeof(format_key) - 1};
}

void store_lmdb_format_encode(uint8_t frame[STORE_LMDB_FORMAT_FRAME_BYTES], uint32_t format)
{
    uint8_t *value = frame + STORE_LMDB_CHECKSUM_BYTES;
    for (unsigned i = 0; i < 4; i++)
        value[i] = (uint8_t)(format >> (8 * i));
    store_lmdb_frame(frame, STORE_LMDB_FORMAT_TABLE_NUMBER, store_lmdb_format_key(),
                     (struct span){value, 4});
}

enum weft_status store_lmdb_format_decode(uint64_t *format_out, struct span frame, const char *path,
                                          char *error)
{
    struct span value;
    if (!store_lmdb_unframe(&value, STORE_LMDB_FORMAT_TABLE_NUMBER, store_lmdb_format_key(),
                            frame) ||
        value.size != 4) {
        snprintf(error, STORE_LMDB_ERROR_BYTES, "the format record of %.300s is damaged", path);
        return WEFT_MALFORMED;
    }
    uint32_t format = endian_get_u32(value.data);
    if (format > STORE_LMDB_FORMAT) {
        snprintf(error, STORE_LMDB_ERROR_BYTES,
                 "%.300s has storage format %u, and this weft reads formats up to %u", path, format,
                 (unsigned)STORE_LMDB_FORMAT);
        return WEFT_UNSUPPORTED;
    }
    *format_out = format;
    return WEFT_OK;
}
