// SPDX-License-Identifier: MIT
// Requests: text in, text out, inspection. What reads a document with edits that are not on disk
// waits for the commit; what edits is answered when it is on disk. Private to node/.
//
//   request.c        the table, answers, waiting
//   request_read.c   TEXT DELTA DIGEST LIST RECOVERY_* MEMBERS
//   request_edit.c   PUT PATCH CREATE DELETE LEAVE FORGET
//   request_label.c  LABELS LABEL UNLABEL
//   watch.c          WATCH
//
// May include: node/state.h.
#ifndef WEFT_NODE_REQUEST_H
#define WEFT_NODE_REQUEST_H

#include "node/state.h"

void request_asked(struct node *node, struct request_id id, const struct node_ask *ask);
void request_closed(struct node *node, struct request_id id);
/// A request that waited in a queue; taken.
void request_deferred(struct node *node, struct request *request);
/// Its edit is on disk, in the own feed up to `sequence`.
void request_committed(struct node *node, struct request *request, uint64_t sequence);
void request_failed(struct node *node, struct request *request, uint32_t code);
/// Answers those whose edits are on enough disks.
void request_check_replicas(struct node *node);
/// Answers those that waited long enough.
void request_tick(struct node *node);
void request_finish_all(struct node *node);

// Between the files.

#define ETAG_BYTES 33
/// What the head of an answer says of a document, in hex; an empty one is not said.
struct request_head {
    char etag[ETAG_BYTES];               // its digest
    char epoch[2 * WIRE_EPOCH_SIZE + 1]; // that counts, or that a recovery copy is of
};

/// A copy that can wait, without the body. NULL, and answered, when there are too many or no
/// memory.
struct request *request_create(struct node *node, struct request_id id, const struct node_ask *ask);
struct request *request_find(struct node *node, struct request_id id);
/// The body is not needed any more.
void request_drop_body(struct node *node, struct request *request);
/// Answers nothing.
void request_destroy(struct node *node, struct request *request);
/// @param head What the answer says of its document; NULL: nothing.
void request_respond(struct node *node, struct request_id id, uint16_t status,
                     const char *content_type, struct span body, const struct request_head *head,
                     const char *durability);
/// An RFC 9457 problem with a code of docs/wire-protocol.md.
void request_refuse(struct node *node, struct request_id id, uint32_t code, const char *detail);
/// 503: nothing was done, for want of memory.
void request_refuse_memory(struct node *node, struct request_id id);
/// 412: what If-Match or If-None-Match asks for is not so.
void request_refuse_condition(struct node *node, struct request_id id, const char *reason);
/// A failed conversion or read as a code.
uint32_t request_code_of(enum weft_status status);
/// Answers with what is known of a room's document, as JSON.
void request_respond_state(struct node *node, struct request_id id, uint16_t status,
                           struct room *room, const char *durability);

struct json;
/// The version vector in hex, quoted; with '@' and the epoch when that is not the first one, so
/// that it means nothing else after the document was deleted.
void request_put_version(struct json *json, const struct weft_epoch *epoch, struct span vector);
/// The labels of a room's document. @return false without memory.
bool request_put_labels(struct node *node, struct json *json, const struct room *room);
/// LABEL and UNLABEL. @return as weft_doc_set_label(); WEFT_NOT_FOUND: there is no document;
/// WEFT_RANGE: it has no such label; WEFT_CONFLICT: the version is of another epoch.
WEFT_MUST_USE enum weft_status request_apply_label(struct node *node, struct room *room,
                                                   const struct node_ask *ask, uint64_t agent);
void request_refuse_label(struct node *node, struct request_id id, enum weft_status status);

/// Answers a read. @return false: its document is not on disk whole; ask again after the commit.
bool request_read(struct node *node, struct request_id id, const struct node_ask *ask);
/// Applies an edit; taken: answered now, or when it is on disk.
void request_edit(struct node *node, struct request *request);
/// LEAVE and FORGET.
void request_cluster(struct node *node, struct request_id id, const struct node_ask *ask);

/// The digest in hex.
void request_etag(char etag_out[ETAG_BYTES], const struct weft_digest *digest);

#endif
