// SPDX-License-Identifier: MIT
// How nng's threads hand over to the loop's thread: a queue under a lock, and a uv_async.
//
// A mail is a member of what it tells about, so posting never fails and allocates nothing; whoever
// posts bounds how many there are (one per pipe notice, per pull, per question; messages by
// mailbox_bytes()). Mails are delivered in the order in which they were posted.
// May include: libuv, POSIX threads.
#ifndef WEFT_IO_PEERS_MAILBOX_H
#define WEFT_IO_PEERS_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

struct mail {
    struct mail *next;
    size_t bytes; // what it keeps in memory, for mailbox_bytes()
    /// Called once for each post, on the loop's thread, and may free the mail.
    /// `live` is false when the mailbox is being emptied for good: only free then.
    void (*deliver)(struct mail *mail, bool live);
};

struct mailbox {
    uv_async_t async;
    pthread_mutex_t lock;
    struct mail *first; // under the lock, as the next two
    struct mail **end;  // where the next one is linked
    size_t bytes;
};

/// @return false when the loop refuses the handle.
bool mailbox_init(struct mailbox *mailbox, uv_loop_t *loop);
/// Any thread. The mail must not be posted already.
void mailbox_post(struct mailbox *mailbox, struct mail *mail);
/// Bytes that wait. Any thread.
size_t mailbox_bytes(struct mailbox *mailbox);
/// Empties the mailbox without telling anyone; when all that post are gone.
void mailbox_discard(struct mailbox *mailbox);
/// After `async` was closed.
void mailbox_finish(struct mailbox *mailbox);

#endif
