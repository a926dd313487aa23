// SPDX-License-Identifier: MIT
// HTTP to a node, through libcurl. May include: programs/cli/command.h, libcurl, jansson.
#ifndef WEFT_PROGRAMS_CLI_REMOTE_H
#define WEFT_PROGRAMS_CLI_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include <curl/curl.h>
#include <jansson.h>

#include <weft/memory.h>

#include "base/bytes.h"
#include "programs/cli/command.h"

#define REMOTE_BODY_BYTES_MAX (4ULL << 30) // of an answer: a whole history
#define REMOTE_URL_BYTES 300
#define REMOTE_STALL_S 30L // an answer of which nothing comes for so long

/// A node, and the connection to it that is kept between questions.
struct remote {
    CURL *curl;
    char base[REMOTE_URL_BYTES]; // http://HOST:PORT, without a slash at its end
    // Of the last answer:
    long status;
    struct weft_buffer body;
    char etag[40];       // digest in hex, or empty
    char epoch[52];      // in hex, or empty
    char durability[32]; // durable, replicated:N, or empty
};

#define REMOTE_FIELDS_MAX 6

struct remote_ask {
    const char *method;                    // GET, PUT, POST, DELETE
    const char *path;                      // begins with a slash, percent-encoded
    const char *accept;                    // NULL: anything
    const char *fields[REMOTE_FIELDS_MAX]; // further header lines; ends with NULL
    struct span body;
    bool has_body;
};

/// @return EXIT_FINE, or EXIT_USAGE after saying why. remote_finish() follows in any case.
int remote_init(struct remote *remote, const char *url);
void remote_finish(struct remote *remote);

/// Asks and waits. @return EXIT_FINE when there was an answer, whatever its status;
/// EXIT_UNREACHABLE or EXIT_USAGE after saying why.
int remote_call(struct remote *remote, const struct remote_ask *ask);
/// As remote_call(), and anything but success is said and becomes an exit code. `subject` names in
/// words what was asked for ("document \"notes\"").
int remote_expect(struct remote *remote, const struct remote_ask *ask, const char *subject);
/// As remote_expect() for GET with a JSON answer. @param json_out Owned by the caller.
int remote_json(struct remote *remote, json_t **json_out, const char *path, const char *subject);
/// The exit code for an answer that was no success, which is said.
int remote_refusal(const struct remote *remote, const char *subject);

/// The header line that says who edits, owned by the caller: free(). NULL for NULL, and without
/// memory: then it goes unsaid.
char *remote_author(const char *name);

/// "/v1/docs/NAME" and a suffix, percent-encoded. Owned by the caller: free(). NULL: no memory.
char *remote_path(const char *prefix, const char *name, const char *suffix);

#endif
