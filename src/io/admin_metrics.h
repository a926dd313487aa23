// SPDX-License-Identifier: MIT
// Metrics as text: Prometheus exposition format 0.0.4. Names begin with weft_ or process_, have
// base units, and no label has more values than fit on a page. May include: io/admin.h.
#ifndef WEFT_IO_ADMIN_METRICS_H
#define WEFT_IO_ADMIN_METRICS_H

#include <weft/memory.h>
#include <weft/status.h>

#include "io/admin.h"

/// Appends the whole page. @return WEFT_OK or WEFT_NO_MEMORY.
WEFT_MUST_USE enum weft_status
admin_metrics_write(struct weft_buffer *out, const struct admin_sample *sample, uint64_t lag_ns);

#endif
