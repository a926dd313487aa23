// SPDX-License-Identifier: MIT
// Errors over HTTP: RFC 9457 problem details with the codes of docs/wire-protocol.md.
//
//   {"title":"Not Found","status":404,"code":4404,"reason":"no_document","detail":"..."}
//
// May include: io/http.h, codec/wire.h.
#ifndef WEFT_IO_HTTP_PROBLEM_H
#define WEFT_IO_HTTP_PROBLEM_H

#include <stdint.h>

#include "io/http.h"

/// The wire code that fits an HTTP status best.
uint32_t http_problem_code(uint16_t status);

/// Responds with a problem. @param detail One phrase of ours: it is not escaped. @param fields As
/// in http_response, or NULL.
void http_problem(struct http_connection *connection, uint16_t status, uint32_t code,
                  const char *detail, const char *fields);

#endif
