// SPDX-License-Identifier: MIT
// libweft as a WebAssembly module: what the files of the exports share, and how they are called.
//
//   JavaScript                    the module, which imports nothing
//   resize, write to memory   ->  bytes for the call, borrowed; JavaScript frees them
//   f(handle, offset, length) ->  an exported function: a status, or a plain number
//   read *answer()            <-  views into the module's memory, good until the next call
//
// Handles and offsets are u32, agents and seqs u64 (BigInt), positions and lengths UTF-16 units as
// u32. Documents share the one memory; freed bytes serve the next. Nothing is a global but the
// answer. A failed assert traps: after a RuntimeError no document of the module can be relied on.
// May include: weft/.
#ifndef WEFT_WEB_CORE_CORE_H
#define WEFT_WEB_CORE_CORE_H

#include <weft/weft.h>

/// Makes a function part of the module's interface.
#define CORE_EXPORT(name) __attribute__((export_name(#name))) name

enum {
    CORE_PARTS = 3,
    CORE_NUMBERS = 8,
    CORE_EPOCH_SIZE = 24, // u64 counter, big-endian, and 16 random bytes, as on the wire
};

/// Where bytes are, in the module's memory.
struct core_view {
    uint32_t offset;
    uint32_t length;
};

/// What a call gives besides its status. Little-endian, as all of WebAssembly.
struct core_answer {
    struct core_view parts[CORE_PARTS]; // at 0: bytes; most calls fill the first alone
    struct core_view patches;           // at 24: core_patches_begin()
    uint32_t patches_lost;              // at 32: there was no memory for them; read the text anew
    uint32_t handle;                    // at 36: of what was made
    uint64_t numbers[CORE_NUMBERS];     // at 40
};

/// The answer. Each call that gives one overwrites what it gives.
extern struct core_answer core_answer;

/// An empty buffer whose bytes are part `index` once core_give() is called.
struct weft_buffer *core_part(unsigned index);
/// Shows the parts as they are, of a call that went well. @return status.
enum weft_status core_give(enum weft_status status);
/// Shows what was made, if it went well. @return status.
enum weft_status core_give_handle(enum weft_status status, const void *handle);
/// Appends to a part: little-endian, unaligned.
enum weft_status core_put_u32(struct weft_buffer *out, uint64_t value);
enum weft_status core_put_u64(struct weft_buffer *out, uint64_t value);

/// Notes from here on what happens to the text of a document, as patches in order: u32 index, u32
/// deleted, u32 size of the text, and the text that came. Index and deleted are UTF-16 units of the
/// text as it was by then. Inserts that go on where the last one ended are one patch.
void core_patches_begin(struct weft_doc *doc);
/// @return status.
enum weft_status core_patches_end(struct weft_doc *doc, enum weft_status status);

#endif
