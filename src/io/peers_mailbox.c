// SPDX-License-Identifier: MIT
// Implements io/peers_mailbox.h.
#include "io/peers_mailbox.h"

#include <assert.h>

#define TURN_MAILS_MAX 256 // delivered before the loop gets to its clients again

static struct mail *take(struct mailbox *mailbox, bool *more_out)
{
    pthread_mutex_lock(&mailbox->lock);
    struct mail *mail = mailbox->first;
    if (mail != NULL) {
        mailbox->first = mail->next;
        if (mailbox->first == NULL) {
            mailbox->end = &mailbox->first;
        }
        assert(mailbox->bytes >= mail->bytes);
        mailbox->bytes -= mail->bytes;
        mail->next = NULL;
    }
    *more_out = mailbox->first != NULL;
    pthread_mutex_unlock(&mailbox->lock);
    return mail;
}

static void wake(uv_async_t *async)
{
    struct mailbox *mailbox = async->data;
    bool more = true;
    for (int i = 0; i < TURN_MAILS_MAX && more; i++) {
        struct mail *mail = take(mailbox, &more);
        if (mail != NULL) {
            mail->deliver(mail, true);
        }
    }
    if (more) {
        uv_async_send(async);
    }
}

bool mailbox_init(struct mailbox *mailbox, uv_loop_t *loop)
{
    mailbox->first = NULL;
    mailbox->end = &mailbox->first;
    mailbox->bytes = 0;
    if (uv_async_init(loop, &mailbox->async, wake) != 0) {
        return false;
    }
    mailbox->async.data = mailbox;
    pthread_mutex_init(&mailbox->lock, NULL);
    return true;
}

void mailbox_post(struct mailbox *mailbox, struct mail *mail)
{
    pthread_mutex_lock(&mailbox->lock);
    mail->next = NULL;
    *mailbox->end = mail;
    mailbox->end = &mail->next;
    mailbox->bytes += mail->bytes;
    pthread_mutex_unlock(&mailbox->lock);
    uv_async_send(&mailbox->async);
}

size_t mailbox_bytes(struct mailbox *mailbox)
{
    pthread_mutex_lock(&mailbox->lock);
    size_t bytes = mailbox->bytes;
    pthread_mutex_unlock(&mailbox->lock);
    return bytes;
}

void mailbox_discard(struct mailbox *mailbox)
{
    bool more = true;
    while (more) {
        struct mail *mail = take(mailbox, &more);
        if (mail != NULL) {
            mail->deliver(mail, false);
        }
    }
}

void mailbox_finish(struct mailbox *mailbox)
{
    pthread_mutex_destroy(&mailbox->lock);
}
