// SPDX-License-Identifier: MIT
// Where libweft gets memory from, and the growable buffer in which it hands out bytes.
#ifndef WEFT_MEMORY_H
#define WEFT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include <weft/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Given at creation and kept by the owner; there is no global state.
///
/// `resize` allocates when `old` is NULL (`old_size` is then 0), frees when `new_size` is 0, and
/// may return NULL for `new_size` > 0, which the library reports as WEFT_NO_MEMORY. It is always
/// told the true old size.
struct weft_allocator {
    void *context;
    void *(*resize)(void *context, void *old, size_t old_size, size_t new_size);
};

/// The allocator of the C library.
WEFT_API struct weft_allocator weft_allocator_libc(void);

/// Growable bytes, reused across calls so that the steady state allocates nothing.
///
/// The caller owns it: weft_buffer_init() before, weft_buffer_finish() after. Functions that take a
/// buffer append to it; on failure its contents are as before.
struct weft_buffer {
    uint8_t *data;   // NULL while capacity is 0
    size_t size;     // bytes in use
    size_t capacity; // bytes allocated
    struct weft_allocator allocator;
};

/// Makes an empty buffer, which allocates nothing. @param allocator Copied; NULL means
/// weft_allocator_libc().
WEFT_API void weft_buffer_init(struct weft_buffer *buffer, const struct weft_allocator *allocator);
/// Frees the bytes; the buffer may be used again.
WEFT_API void weft_buffer_finish(struct weft_buffer *buffer);
/// Makes room for `extra` more bytes. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_buffer_reserve(struct weft_buffer *buffer,
                                                            size_t extra);
/// Appends `size` bytes. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_API WEFT_MUST_USE enum weft_status weft_buffer_append(struct weft_buffer *buffer,
                                                           const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif

#endif
