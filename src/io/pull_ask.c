// SPDX-License-Identifier: MIT
// Implements io/pull_ask.h.
#include "io/pull_ask.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <nng/protocol/reqrep0/req.h>

#include "io/peers_pipes.h"

struct pull_target {
    struct peers_address address;
    nng_socket socket;
    struct peers_pipes pipes; // at most one, but for moments
    uint16_t gate;            // of the relay, to there; 0: none yet
    nng_dialer dialer;
    bool dialed;        // `dialer` is valid
    uint32_t questions; // under way
    uint64_t used_ms;
};

/// One question under way. Made by the loop, finished by the last callback of its aio, which posts
/// it; freed when delivered.
struct pull_question {
    struct mail mail;
    struct pull_ask *ask;
    struct pull_target *target; // NULL: it never left, `status` says why
    uint64_t ticket;
    uint64_t deadline_ms;
    nng_ctx context;
    nng_aio *aio;
    bool sent;                         // the question went out; nng's threads only
    bool expired;                      // the context was closed; the loop's thread only
    uint8_t header[SEAL_HEADER_BYTES]; // of the question, to which the reply is bound
    nng_msg *reply;
    struct span body;
    enum weft_status status;
};

// ----------------------------------------------------------------------------------------- targets

static struct pull_target *find_target(struct pull_ask *ask, const struct peers_address *address)
{
    for (uint32_t i = 0; i < ask->target_count; i++) {
        if (strcmp(ask->targets[i]->address.text, address->text) == 0) {
            return ask->targets[i];
        }
    }
    return NULL;
}

/// Ends the dialer: with its pipe when it has one, else at once.
static void hang_up(struct pull_target *target)
{
    if (target->dialed && peers_pipes_cut(&target->pipes, true) == 0) {
        nng_dialer_close(target->dialer);
    }
    target->dialed = false;
}

static void redial(struct pull_ask *ask, struct pull_target *target)
{
    hang_up(target);
    target->dialed = peers_base_dial(ask->base, &target->dialer, &target->gate, target->socket,
                                     &target->address);
}

static bool has_pipes(struct pull_target *target)
{
    pthread_mutex_lock(&target->pipes.lock);
    bool some = target->pipes.count > 0;
    pthread_mutex_unlock(&target->pipes.lock);
    return some;
}

/// A target that hung up long ago; NULL when there is none.
static struct pull_target *find_idle(struct pull_ask *ask)
{
    for (uint32_t i = 0; i < ask->target_count; i++) {
        struct pull_target *target = ask->targets[i];
        if (!target->dialed && target->questions == 0 && !has_pipes(target)) {
            return target;
        }
    }
    return NULL;
}

/// A target for an address that has none. Sockets are never closed while the node runs: one that
/// hung up is dialed elsewhere when there are too many.
static struct pull_target *open_target(struct pull_ask *ask, const struct peers_address *address)
{
    if (ask->target_count == PULL_TARGETS_MAX) {
        struct pull_target *idle = find_idle(ask);
        if (idle != NULL) {
            peers_relay_close_gate(ask->base->relay, idle->gate);
            idle->gate = 0;
            idle->address = *address;
        }
        return idle;
    }
    struct pull_target *target = calloc(1, sizeof *target);
    if (target == NULL) {
        return NULL;
    }
    target->address = *address;
    if (nng_req0_open(&target->socket) != 0) {
        free(target);
        return NULL;
    }
    peers_pipes_init(&target->pipes, ask->base->relay);
    peers_pipes_watch(&target->pipes, target->socket);
    nng_socket_set_ms(target->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
    nng_socket_set_size(target->socket, NNG_OPT_RECVMAXSZ,
                        PEERS_REPLY_BYTES_MAX + SEAL_OVERHEAD_BYTES + 64);
    ask->targets[ask->target_count++] = target;
    return target;
}

// --------------------------------------------------------------------------------------- questions

/// Opens a reply. The question failed when it does not open.
static void take_reply(struct pull_question *question, nng_msg *reply)
{
    struct peers_base *base = question->ask->base;
    struct seal_opened opened;
    struct span asked = {question->header, sizeof question->header};
    enum seal_verdict verdict =
        seal_open(&opened, &base->key, SEAL_REPLY, asked, nng_msg_body(reply), nng_msg_len(reply));
    if (verdict != SEAL_OPENED) {
        peers_base_refuse(base, nng_msg_get_pipe(reply), verdict);
        nng_msg_free(reply);
        question->status = WEFT_MALFORMED;
        return;
    }
    base->tally.bytes_received += nng_msg_len(reply);
    question->reply = reply;
    question->body = opened.body;
    question->mail.bytes = nng_msg_len(reply);
    question->status = WEFT_OK;
}

/// nng sent the question, or received the reply, or failed.
static void ask_progressed(void *context)
{
    struct pull_question *question = context;
    int result = nng_aio_result(question->aio);
    if (!question->sent) {
        if (result == 0) {
            question->sent = true;
            nng_ctx_recv(question->context, question->aio);
            return;
        }
        nng_msg_free(nng_aio_get_msg(question->aio));
        nng_aio_set_msg(question->aio, NULL);
        question->status = WEFT_NOT_FOUND;
    } else if (result == 0) {
        nng_msg *reply = nng_aio_get_msg(question->aio);
        nng_aio_set_msg(question->aio, NULL);
        take_reply(question, reply);
    } else {
        question->status = WEFT_NOT_FOUND;
    }
    mailbox_post(&question->ask->base->mailbox, &question->mail);
}

static void forget(struct pull_ask *ask, struct pull_question *question)
{
    for (uint32_t i = 0; i < ask->question_count; i++) {
        if (ask->questions[i] == question) {
            ask->questions[i] = ask->questions[--ask->question_count];
            break;
        }
    }
    question->target->questions--;
    if (!question->expired) {
        nng_ctx_close(question->context);
    }
    nng_aio_free(question->aio);
}

static void deliver_reply(struct mail *mail, bool live)
{
    struct pull_question *question = (struct pull_question *)mail;
    struct peers_base *base = question->ask->base;
    if (question->target != NULL) {
        forget(question->ask, question);
    }
    if (live) {
        if (question->status != WEFT_OK) {
            base->tally.pulls_failed++;
        }
        base->config.event(base->config.context, &(struct node_event){.kind = NODE_PULL_REPLY,
                                                                      .ticket = question->ticket,
                                                                      .status = question->status,
                                                                      .bytes = question->body});
    }
    if (question->reply != NULL) {
        nng_msg_free(question->reply);
    }
    free(question);
}

/// Puts a question on its way. @return WEFT_OK, or why it could not leave.
static enum weft_status send_off(struct pull_ask *ask, struct pull_question *question,
                                 struct span address_text, struct span body)
{
    struct peers_base *base = ask->base;
    struct peers_address address;
    if (body.size > PEERS_QUESTION_BYTES_MAX || ask->question_count == PEERS_PULLS_MAX) {
        return WEFT_LIMIT;
    }
    if (!peers_base_admit(base, &address, address_text)) {
        return WEFT_NOT_FOUND;
    }
    struct pull_target *target = find_target(ask, &address);
    if (target == NULL && (target = open_target(ask, &address)) == NULL) {
        return WEFT_NO_MEMORY;
    }
    if (!target->dialed) {
        redial(ask, target);
    }
    nng_msg *message = peers_base_seal(base, SEAL_QUESTION, (struct span){NULL, 0}, body);
    if (message == NULL) {
        return WEFT_NO_MEMORY;
    }
    memcpy(question->header, nng_msg_body(message), SEAL_HEADER_BYTES);
    if (nng_ctx_open(&question->context, target->socket) != 0) {
        nng_msg_free(message);
        return WEFT_NO_MEMORY;
    }
    if (nng_aio_alloc(&question->aio, ask_progressed, question) != 0) {
        nng_ctx_close(question->context);
        nng_msg_free(message);
        return WEFT_NO_MEMORY;
    }
    target->questions++;
    target->used_ms = uv_now(base->config.loop);
    question->target = target;
    question->deadline_ms = target->used_ms + base->config.pull_timeout_ms;
    ask->questions[ask->question_count++] = question;
    base->tally.bytes_sent += nng_msg_len(message);
    nng_aio_set_msg(question->aio, message);
    nng_ctx_send(question->context, question->aio);
    return WEFT_OK;
}

void pull_ask_send(struct pull_ask *ask, uint64_t ticket, struct span address, struct span body)
{
    ask->base->tally.pulls_asked++;
    struct pull_question *question = calloc(1, sizeof *question);
    if (question == NULL) {
        peers_base_log(ask->base, NODE_LOG_ERROR, "pull-lost", "reason=\"out of memory\"");
        return;
    }
    question->mail.deliver = deliver_reply;
    question->ask = ask;
    question->ticket = ticket;
    enum weft_status status = send_off(ask, question, address, body);
    if (status != WEFT_OK) {
        question->status = status;
        mailbox_post(&ask->base->mailbox, &question->mail);
    }
}

// ---------------------------------------------------------------------------------- opening, ticks

void pull_ask_init(struct pull_ask *ask, struct peers_base *base)
{
    *ask = (struct pull_ask){.base = base};
}

void pull_ask_tick(struct pull_ask *ask)
{
    uint64_t now = uv_now(ask->base->config.loop);
    for (uint32_t i = 0; i < ask->question_count; i++) {
        struct pull_question *question = ask->questions[i];
        if (!question->expired && now >= question->deadline_ms) {
            question->expired = true;
            nng_ctx_close(question->context);
            redial(ask, question->target);
            ask->base->tally.redials++;
        }
    }
    for (uint32_t i = 0; i < ask->target_count; i++) {
        struct pull_target *target = ask->targets[i];
        if (target->questions == 0 && now - target->used_ms >= PULL_TARGET_IDLE_MS) {
            hang_up(target);
        }
    }
}

void pull_ask_close(struct pull_ask *ask)
{
    for (uint32_t i = 0; i < ask->question_count; i++) {
        struct pull_question *question = ask->questions[i];
        if (!question->expired) {
            question->expired = true;
            nng_ctx_close(question->context);
        }
        nng_aio_wait(question->aio);
    }
    for (uint32_t i = 0; i < ask->target_count; i++) {
        peers_pipes_empty(&ask->targets[i]->pipes);
        nng_close(ask->targets[i]->socket);
    }
}

void pull_ask_finish(struct pull_ask *ask)
{
    assert(ask->question_count == 0);
    for (uint32_t i = 0; i < ask->target_count; i++) {
        peers_pipes_finish(&ask->targets[i]->pipes);
        free(ask->targets[i]);
    }
}
