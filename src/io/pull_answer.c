// SPDX-License-Identifier: MIT
// Implements io/pull_answer.h.
#include "io/pull_answer.h"

#include <string.h>

#include <nng/protocol/reqrep0/rep.h>

static void listen_again(struct pull_slot *slot)
{
    slot->sending = false;
    nng_ctx_recv(slot->context, slot->aio);
}

/// Opens a question. @return whether it was handed over.
static bool take_question(struct pull_slot *slot, nng_msg *question)
{
    struct peers_base *base = slot->answer->base;
    struct seal_opened opened;
    enum seal_verdict verdict =
        seal_open(&opened, &base->key, SEAL_QUESTION, (struct span){NULL, 0},
                  nng_msg_body(question), nng_msg_len(question));
    if (verdict != SEAL_OPENED) {
        peers_base_refuse(base, nng_msg_get_pipe(question), verdict);
        return false;
    }
    base->tally.bytes_received += nng_msg_len(question);
    memcpy(slot->header, nng_msg_body(question), SEAL_HEADER_BYTES);
    slot->question = question;
    slot->body = opened.body;
    slot->mail.bytes = nng_msg_len(question);
    mailbox_post(&base->mailbox, &slot->mail);
    return true;
}

/// nng received a question, or sent a reply, or is closing.
static void answer_progressed(void *context)
{
    struct pull_slot *slot = context;
    int result = nng_aio_result(slot->aio);
    if (slot->sending) {
        if (result != 0) {
            nng_msg_free(nng_aio_get_msg(slot->aio));
            nng_aio_set_msg(slot->aio, NULL);
        }
    } else if (result == 0) {
        nng_msg *question = nng_aio_get_msg(slot->aio);
        nng_aio_set_msg(slot->aio, NULL);
        if (take_question(slot, question)) {
            return;
        }
        nng_msg_free(question);
    }
    if (result != NNG_ECLOSED && result != NNG_ECANCELED) {
        listen_again(slot);
    }
}

static void deliver_question(struct mail *mail, bool live)
{
    struct pull_slot *slot = (struct pull_slot *)mail;
    struct peers_base *base = slot->answer->base;
    nng_msg *question = slot->question;
    slot->question = NULL;
    if (live) {
        uint64_t index = (uint64_t)(slot - slot->answer->slots);
        slot->asked = true;
        slot->generation++;
        slot->deadline_ms = uv_now(base->config.loop) + base->config.pull_timeout_ms;
        struct answer_id id = {slot->generation * PEERS_ANSWERS_MAX + index};
        base->config.event(
            base->config.context,
            &(struct node_event){.kind = NODE_PULL_ASKED, .answer = id, .bytes = slot->body});
    }
    nng_msg_free(question);
}

void pull_answer_send(struct pull_answer *answer, struct answer_id id, struct span reply)
{
    struct peers_base *base = answer->base;
    struct pull_slot *slot = &answer->slots[id.value % PEERS_ANSWERS_MAX];
    if (!slot->asked || slot->generation != id.value / PEERS_ANSWERS_MAX) {
        return; // too late: the asker has given up
    }
    slot->asked = false;
    nng_msg *message = NULL;
    if (reply.size <= PEERS_REPLY_BYTES_MAX) {
        struct span question = {slot->header, sizeof slot->header};
        message = peers_base_seal(base, SEAL_REPLY, question, reply);
    }
    if (message == NULL) {
        peers_base_log(base, NODE_LOG_ERROR, "answer-lost", "bytes=%zu", reply.size);
        listen_again(slot);
        return;
    }
    base->tally.pulls_answered++;
    base->tally.bytes_sent += nng_msg_len(message);
    slot->sending = true;
    nng_aio_set_msg(slot->aio, message);
    nng_ctx_send(slot->context, slot->aio);
}

void pull_answer_tick(struct pull_answer *answer)
{
    uint64_t now = uv_now(answer->base->config.loop);
    for (int i = 0; i < PEERS_ANSWERS_MAX; i++) {
        struct pull_slot *slot = &answer->slots[i];
        if (slot->asked && now >= slot->deadline_ms) {
            slot->asked = false;
            listen_again(slot);
        }
    }
}

int pull_answer_open(struct pull_answer *answer, struct peers_base *base,
                     struct peers_address *address)
{
    answer->base = base;
    int failed = nng_rep0_open(&answer->socket);
    if (failed != 0) {
        return failed;
    }
    answer->opened = true;
    peers_pipes_init(&answer->pipes, base->relay);
    nng_socket_set_size(answer->socket, NNG_OPT_RECVMAXSZ,
                        PEERS_QUESTION_BYTES_MAX + SEAL_OVERHEAD_BYTES + 64);
    peers_pipes_watch(&answer->pipes, answer->socket);
    for (int i = 0; i < PEERS_ANSWERS_MAX; i++) {
        struct pull_slot *slot = &answer->slots[i];
        slot->answer = answer;
        slot->mail.deliver = deliver_question;
        if ((failed = nng_ctx_open(&slot->context, answer->socket)) != 0) {
            return failed;
        }
        slot->opened = true;
        if ((failed = nng_aio_alloc(&slot->aio, answer_progressed, slot)) != 0) {
            return failed;
        }
    }
    if ((failed = peers_base_listen(base, answer->socket, address)) != 0) {
        return failed;
    }
    for (int i = 0; i < PEERS_ANSWERS_MAX; i++) {
        listen_again(&answer->slots[i]);
    }
    return 0;
}

void pull_answer_close(struct pull_answer *answer)
{
    for (int i = 0; i < PEERS_ANSWERS_MAX; i++) {
        if (answer->slots[i].opened) {
            nng_ctx_close(answer->slots[i].context);
        }
    }
    if (answer->opened) {
        peers_pipes_empty(&answer->pipes);
        nng_close(answer->socket);
        peers_pipes_finish(&answer->pipes);
    }
    for (int i = 0; i < PEERS_ANSWERS_MAX; i++) {
        nng_aio_free(answer->slots[i].aio);
    }
}
