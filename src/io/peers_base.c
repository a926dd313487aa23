// SPDX-License-Identifier: MIT
// Implements io/peers_base.h.
#include "io/peers_base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void peers_base_refuse(struct peers_base *base, nng_pipe pipe, enum seal_verdict verdict)
{
    pthread_mutex_lock(&base->refusals.lock);
    base->refusals.counts[verdict]++;
    peers_relay_show(base->relay, pipe, base->refusals.from[verdict],
                     sizeof base->refusals.from[verdict]);
    pthread_mutex_unlock(&base->refusals.lock);
    base->tally.refused++;
    peers_relay_cut(base->relay, pipe);
}

void peers_base_tell_refusals(struct peers_base *base)
{
    for (int i = 0; i < SEAL_VERDICT_COUNT; i++) {
        char from[sizeof base->refusals.from[i]];
        pthread_mutex_lock(&base->refusals.lock);
        uint32_t count = base->refusals.counts[i];
        base->refusals.counts[i] = 0;
        memcpy(from, base->refusals.from[i], sizeof from);
        pthread_mutex_unlock(&base->refusals.lock);
        if (count > 0) {
            peers_base_log(base, NODE_LOG_WARNING, "peer-refused", "from=%s count=%u reason=\"%s\"",
                           from, count, seal_verdict_text((enum seal_verdict)i));
        }
    }
}

void peers_base_log(struct peers_base *base, int level, const char *event, const char *format, ...)
{
    if (base->config.log == NULL) {
        return;
    }
    char details[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(details, sizeof details, format, arguments);
    va_end(arguments);
    base->config.log(base->config.context, level, event, details);
}

bool peers_base_admit(struct peers_base *base, struct peers_address *address_out, struct span text)
{
    struct peers_address address;
    if (!peers_address_parse(&address, text) || address.port == 0) {
        peers_base_log(base, NODE_LOG_WARNING, "address-refused",
                       "reason=\"not tcp://HOST:PORT\" bytes=%zu", text.size);
        return false;
    }
    if (!base->key.present && !peers_address_is_loopback(&address)) {
        peers_base_log(base, NODE_LOG_WARNING, "address-refused",
                       "address=%s reason=\"without a cluster key only loopback is used\"",
                       address.text);
        return false;
    }
    *address_out = address;
    return true;
}

int peers_base_listen(struct peers_base *base, nng_socket socket, struct peers_address *address)
{
    nng_listener listener;
    nng_sockaddr bound = {0};
    int failed = nng_listen(socket, "tcp://127.0.0.1:0", &listener, 0);
    if (failed == 0) {
        failed = nng_listener_get_addr(listener, NNG_OPT_LOCADDR, &bound);
    }
    return failed != 0 ? failed
                       : peers_relay_listen(base->relay, address, peers_address_port(&bound));
}

bool peers_base_dial(struct peers_base *base, nng_dialer *dialer_out, uint16_t *gate,
                     nng_socket socket, const struct peers_address *address)
{
    char inner[32];
    nng_dialer dialer;
    if (*gate == 0 && (*gate = peers_relay_open_gate(base->relay, address)) == 0) {
        return false;
    }
    snprintf(inner, sizeof inner, "tcp://127.0.0.1:%u", *gate);
    if (nng_dialer_create(&dialer, socket, inner) != 0) {
        return false;
    }
    nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, PEERS_REDIAL_MS_MIN);
    nng_dialer_set_ms(dialer, NNG_OPT_RECONNMAXT, PEERS_REDIAL_MS_MAX);
    if (nng_dialer_start(dialer, NNG_FLAG_NONBLOCK) != 0) {
        nng_dialer_close(dialer);
        return false;
    }
    *dialer_out = dialer;
    return true;
}

nng_msg *peers_base_seal(struct peers_base *base, enum seal_kind kind, struct span question,
                         struct span body)
{
    nng_msg *message;
    if (nng_msg_alloc(&message, seal_size(&base->sealer, body.size)) != 0) {
        return NULL;
    }
    uint8_t *envelope = nng_msg_body(message);
    if (body.size > 0) {
        memcpy(envelope + SEAL_HEADER_BYTES, body.data, body.size);
    }
    seal_close(&base->sealer, kind, question, envelope, body.size);
    return message;
}
