// SPDX-License-Identifier: MIT
// Implements io/peers_base.h.
#include "io/peers_base.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/peers_cut.h"

void peers_base_refuse(struct peers_base *base, nng_pipe pipe, enum seal_verdict verdict)
{
    nng_sockaddr from = {0};
    (void)nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &from);
    pthread_mutex_lock(&base->refusals.lock);
    base->refusals.counts[verdict]++;
    peers_address_show(base->refusals.from[verdict], sizeof base->refusals.from[verdict], &from);
    pthread_mutex_unlock(&base->refusals.lock);
    base->tally.refused++;
    peers_cut(pipe);
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

bool peers_base_dial(nng_dialer *dialer_out, nng_socket socket, const char *address)
{
    nng_dialer dialer;
    if (nng_dialer_create(&dialer, socket, address) != 0) {
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
