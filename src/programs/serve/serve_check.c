// SPDX-License-Identifier: MIT
// Which options no node can start with, whatever the machine is like.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "codec/peer.h"
#include "io/address.h"
#include "io/http_origin.h"
#include "io/peers_address.h"
#include "programs/serve/serve_impl.h"

int serve_exit_of(enum weft_status status)
{
    switch (status) {
    case WEFT_OK:
        return SERVE_DONE;
    case WEFT_MALFORMED:
        return SERVE_USAGE;
    default:
        return SERVE_REFUSED;
    }
}

/// One line into `error`.
__attribute__((format(printf, 3, 4))) static int object(char *error, int code, const char *format,
                                                        ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(error, SERVE_ERROR_BYTES, format, values);
    va_end(values);
    return code;
}

static int check_port(char *error, const char *option, const char *listen, bool exposed,
                      const char *allow)
{
    struct address address;
    if (!address_parse(&address, span_of_text(listen), -1)) {
        return object(error, SERVE_USAGE, "%s: %s is not HOST:PORT", option, listen);
    }
    if (!exposed && !address_is_loopback(&address)) {
        return object(error, SERVE_REFUSED,
                      "%s: %s can be reached from beyond this machine, and nobody who connects is "
                      "authenticated; %s allows it",
                      option, listen, allow);
    }
    return SERVE_DONE;
}

/// Nothing can listen twice at one place. As they are written: two names of one host are found
/// later.
static int check_apart(char *error, const struct serve_options *options)
{
    const struct {
        const char *option;
        const char *address;
    } places[] = {{"--listen", options->listen},
                  {"--admin", options->admin},
                  {"--gossip", options->gossip},
                  {"--pull", options->pull}};
    static const char scheme[] = "tcp://";
    const char *seen[sizeof places / sizeof *places] = {0};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *text = places[i].address;
        if (text == NULL) {
            continue;
        }
        if (strncmp(text, scheme, strlen(scheme)) == 0) {
            text += strlen(scheme);
        }
        const char *port = strrchr(text, ':');
        if (port == NULL || strcmp(port, ":0") == 0) {
            continue; // any free one
        }
        for (size_t j = 0; j < i; j++) {
            if (seen[j] != NULL && strcmp(seen[j], text) == 0) {
                return object(error, SERVE_USAGE, "%s and %s are both at %s", places[j].option,
                              places[i].option, text);
            }
        }
        seen[i] = text;
    }
    return SERVE_DONE;
}

static int check_lists(char *error, const struct serve_options *options)
{
    struct peers_address seed;
    for (size_t i = 0; i < options->join_count; i++) {
        if (!peers_address_parse(&seed, span_of_text(options->joins[i]))) {
            return object(error, SERVE_USAGE, "--join is not tcp://HOST:PORT: %s",
                          options->joins[i]);
        }
    }
    for (size_t i = 0; i < options->allow_origin_count; i++) {
        if (!http_origin_is_valid(options->allow_origins[i])) {
            return object(error, SERVE_USAGE, "--allow-origin is not SCHEME://HOST[:PORT]: %s",
                          options->allow_origins[i]);
        }
    }
    return SERVE_DONE;
}

static int check_name(char *error, const char *name)
{
    if (name != NULL &&
        (strlen(name) > PEER_NAME_BYTES_MAX || !utf8_is_valid(span_of_text(name)))) {
        return object(error, SERVE_USAGE, "--node is not UTF-8 of at most %d bytes",
                      PEER_NAME_BYTES_MAX);
    }
    return SERVE_DONE;
}

int serve_read_key(struct seal_key *key_out, const struct serve_options *options, char *error)
{
    char why[SERVE_ERROR_BYTES / 2];
    *key_out = (struct seal_key){.present = false};
    if (options->cluster_key_path != NULL &&
        seal_read_key(key_out, options->cluster_key_path, why, sizeof(why)) != WEFT_OK) {
        return object(error, SERVE_REFUSED, "--cluster-key: %s", why);
    }
    return SERVE_DONE;
}

static int check_peers(char *error, const struct serve_options *options)
{
    char why[SERVE_ERROR_BYTES / 2];
    struct seal_key key;
    int code = serve_read_key(&key, options, error);
    if (code != SERVE_DONE) {
        return code;
    }
    enum weft_status status =
        peers_check(options->gossip, options->pull, key.present, why, sizeof(why));
    explicit_bzero(&key, sizeof(key));
    return status == WEFT_OK ? SERVE_DONE
                             : object(error, serve_exit_of(status), "--gossip or --pull: %s", why);
}

int serve_check(const struct serve_options *options, char *error)
{
    int code = check_port(error, "--listen", options->listen, options->insecure, "--insecure");
    code = code ? code
                : check_port(error, "--admin", options->admin, options->admin_exposed,
                             "--admin-exposed");
    code = code ? code : check_lists(error, options);
    code = code ? code : check_apart(error, options);
    code = code ? code : check_name(error, options->node_name);
    return code ? code : check_peers(error, options);
}
