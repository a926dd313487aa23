// SPDX-License-Identifier: MIT
// The texts of weft/status.h.
#include <weft/status.h>

const char *weft_status_text(enum weft_status status)
{
    switch (status) {
#define STATUS_CASE(name, value, text)                                                             \
    case WEFT_##name:                                                                              \
        return text;
        WEFT_STATUS_MAP(STATUS_CASE)
#undef STATUS_CASE
    }
    return "unknown status";
}
