// SPDX-License-Identifier: MIT
// The minimal difference between two texts, in Unicode scalars, as edits that turn one into the
// other.
//
// E. W. Myers, "An O(ND) Difference Algorithm and Its Variations", Algorithmica 1 (1986), section
// 4b: the linear space form. From both ends of the edit graph paths of the furthest reach are
// grown; where they meet the graph is cut in two.
//
//        old ->                       a box is cut where the two paths meet, or, when it has too
//   new  +----------+                 many differences, where the better of them got to; what was
//    |   |\ forward |                 cut off lies on the stack until the part after it is done.
//    v   | \_       |
//        |   *_     |                 Past the work limit a box becomes one replacement: the result
//        |     \ back                 stays correct and gets coarser. So time is bounded by
//        +----------+                 O(size + DIFF_WORK_MAX).
//
// When the paths from the ends of the whole text do not meet within DIFF_REACH_MAX differences
// each, it is divided at lines (diff_lines.h) and every gap between them is done so, with a share
// of the work by its size: many small changes stay near-minimal however many they are.
//
// ASCII is compared where it lies; other texts take 4 bytes per scalar that lies between the common
// start and end, of at most DIFF_UNPACKED_MAX.
//
// May include: base, weft/memory.h.
#ifndef WEFT_DOC_DIFF_H
#define WEFT_DOC_DIFF_H

#include <weft/memory.h>
#include <weft/status.h>

#include "base/bytes.h"

/// Told one edit: at scalar `index_scalars` of the text as it is by then, `deleted_scalars` go and
/// the `inserted` UTF-8 comes; one of the two may be empty, never both. `inserted` is borrowed from
/// new_text. A status other than WEFT_OK ends the walk.
typedef enum weft_status diff_edit(void *context, uint64_t index_scalars, uint64_t deleted_scalars,
                                   const uint8_t *inserted, size_t inserted_size);

/// Calls `edit` for every difference, from the end of the text to its start, so that the indexes of
/// the edits to come stay valid. Equal texts give no call. All memory is taken before the first
/// call.
/// @param old_text, new_text Borrowed; valid UTF-8 (other bytes are safe, the edits then count
/// bytes that start no character as parts of the one before).
/// @return WEFT_OK, WEFT_NO_MEMORY (no call was made), or what `edit` returned.
WEFT_MUST_USE enum weft_status diff_texts(const struct weft_allocator *allocator,
                                          struct span old_text, struct span new_text,
                                          diff_edit *edit, void *context);

#endif
