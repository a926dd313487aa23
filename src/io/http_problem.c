// SPDX-License-Identifier: MIT
// Implements io/http_problem.h.
#include "io/http_problem.h"

#include <stdio.h>

#include "codec/wire.h"
#include "io/http_connection.h"

#define DETAIL_BYTES_MAX 1024

uint32_t http_problem_code(uint16_t status)
{
    switch (status) {
    case 404:
        return WIRE_NO_DOCUMENT;
    case 409:
        return WIRE_EPOCH_MISMATCH;
    case 413:
        return WIRE_TOO_LARGE;
    case 422:
        return WIRE_INVALID_EDIT;
    case 426:
        return WIRE_UPGRADE_REQUIRED;
    case 503:
        return WIRE_TOO_MANY;
    case 507:
        return WIRE_STORAGE_FULL;
    default:
        return status < 500 ? WIRE_BAD_REQUEST : WIRE_INTERNAL;
    }
}

/// The inside of a JSON string; what does not fit is left out.
static void escape(char *out, size_t out_size, const char *text)
{
    size_t size = 0;
    for (const char *c = text; *c != '\0' && size + 7 < out_size; c++) {
        if (*c == '"' || *c == '\\') {
            out[size++] = '\\';
            out[size++] = *c;
        } else if ((unsigned char)*c < 0x20) {
            size += (size_t)snprintf(out + size, 7, "\\u%04x", (unsigned)*c);
        } else {
            out[size++] = *c;
        }
    }
    out[size] = '\0';
}

void http_problem(struct http_connection *connection, uint16_t status, uint32_t code,
                  const char *detail, const char *fields)
{
    char escaped[DETAIL_BYTES_MAX];
    char body[DETAIL_BYTES_MAX + 256];
    escape(escaped, sizeof(escaped), detail);
    int size = snprintf(body, sizeof(body),
                        "{\"title\":\"%s\",\"status\":%u,\"code\":%u,\"reason\":\"%s\","
                        "\"detail\":\"%s\"}\n",
                        http_status_text(status), status, code, wire_code_reason(code), escaped);
    http_respond(connection, &(struct http_response){.status = status,
                                                     .content_type = "application/problem+json",
                                                     .body = {(const uint8_t *)body, (size_t)size},
                                                     .fields = fields == NULL && status == 503
                                                                   ? "Retry-After: 1\r\n"
                                                                   : fields});
}
