// SPDX-License-Identifier: MIT
// Requests that edit: PUT, PATCH, CREATE, DELETE; and those about the cluster.
//
// A PUT or PATCH that names an agent, a seq and the digest that it was made on makes the same
// operations wherever it is applied: an edit is a function of the operations that are held, the
// agent and what is asked. So it can be sent again, anywhere (docs/decisions/0008).
#include <string.h>

#include "node/authors.h"
#include "node/edit.h"
#include "node/epoch.h"
#include "node/heal.h"
#include "node/journal.h"
#include "node/members.h"
#include "node/replicas.h"
#include "node/request.h"
#include "node/room.h"

static enum weft_status replace(struct room *room, uint64_t agent, struct span text)
{
    enum weft_status status = weft_doc_set_agent(room->doc, agent);
    return status ? status : weft_doc_replace_text(room->doc, text.data, text.size);
}

/// A document exists from its first operation on: an empty one begins with a character that is
/// deleted again.
static enum weft_status begin_empty(struct room *room, uint64_t agent)
{
    enum weft_status status = replace(room, agent, span_of_text("\n"));
    return status ? status : replace(room, agent, span_of_text(""));
}

// ---------------------------------------------------------------------------------------------
// PATCH

/// The next [position, deleted, "inserted"] of a patch, in scalars.
static bool next_patch(struct pack_reader *reader, uint64_t *index, uint64_t *deleted,
                       struct span *text)
{
    uint32_t elements = pack_read_array(reader);
    *index = pack_read_u64(reader);
    *deleted = pack_read_u64(reader);
    *text = pack_read_str(reader);
    return !reader->failed && elements == 3;
}

static uint64_t count_scalars(struct span text)
{
    uint64_t count = 0;
    for (size_t i = 0; i < text.size; i++) {
        count += (text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

/// Checks all of a patch before any of it is applied.
static enum weft_status check_patch(const struct room *room, struct span body)
{
    struct pack_reader reader = pack_reader_of(body);
    uint64_t length = weft_doc_length(room->doc, WEFT_SCALARS);
    uint32_t count = pack_read_array(&reader);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t index;
        uint64_t deleted;
        struct span text;
        if (!next_patch(&reader, &index, &deleted, &text)) {
            return WEFT_MALFORMED;
        }
        if (index > length || deleted > length - index) {
            return WEFT_RANGE;
        }
        length += count_scalars(text) - deleted;
    }
    return reader.failed || pack_left(&reader) > 0 ? WEFT_MALFORMED : WEFT_OK;
}

/// A patch that does nothing creates a document that is not there all the same.
static enum weft_status patch(struct room *room, uint64_t agent, struct span body)
{
    struct pack_reader reader = pack_reader_of(body);
    enum weft_status status = check_patch(room, body);
    status = status ? status : weft_doc_set_agent(room->doc, agent);
    uint32_t count = pack_read_array(&reader);
    for (uint32_t i = 0; i < count && status == WEFT_OK; i++) {
        uint64_t index;
        uint64_t deleted;
        struct span text;
        if (!next_patch(&reader, &index, &deleted, &text)) {
            return WEFT_MALFORMED;
        }
        status = weft_doc_delete(room->doc, WEFT_SCALARS, index, deleted);
        status =
            status ? status : weft_doc_insert(room->doc, WEFT_SCALARS, index, text.data, text.size);
    }
    return status || weft_doc_stats(room->doc).atoms > 0 ? status : begin_empty(room, agent);
}

// --------------------------------------------------------------------------------------------
// CREATE

/// Whether the document holds exactly what creating it with this text makes: it was done before.
static enum weft_status was_created_so(struct node *node, struct room *room, struct span text)
{
    struct span name = document_name(room->document);
    struct weft_doc_options options = {
        .allocator = &node->archive.allocator,
        .name = name.data,
        .name_size = name.size,
        .epoch = room->head.epoch,
        .limits = node->archive.limits,
    };
    struct weft_buffer version;
    struct weft_doc *doc;
    enum weft_order order = WEFT_ORDER_CONCURRENT;
    enum weft_status status = weft_doc_create(&doc, &options);
    if (status) {
        return status;
    }
    weft_buffer_init(&version, &node->allocator);
    node->version.size = 0;
    status = weft_doc_insert_initial(doc, text.data, text.size);
    status = status ? status : weft_doc_version(&version, doc);
    status = status ? status : weft_doc_version(&node->version, room->doc);
    status = status ? status
                    : weft_version_compare(&order, version.data, version.size, node->version.data,
                                           node->version.size);
    weft_buffer_finish(&version);
    weft_doc_destroy(doc);
    if (status) {
        return status;
    }
    return order == WEFT_ORDER_EQUAL || order == WEFT_ORDER_BEFORE ? WEFT_OK : WEFT_CONFLICT;
}

static enum weft_status create_text(struct node *node, struct room *room, struct span text,
                                    uint64_t agent)
{
    if (weft_doc_stats(room->doc).atoms > 0) {
        return was_created_so(node, room, text);
    }
    if (text.size == 0) {
        return begin_empty(room, agent);
    }
    return weft_doc_insert_initial(room->doc, text.data, text.size);
}

// ----------------------------------------------------------------------------------------- all
// edits

static bool matches(struct room *room, struct span if_match)
{
    struct weft_digest digest;
    char etag[ETAG_BYTES];
    if (if_match.size == 0) {
        return true;
    }
    if (weft_doc_digest(&digest, room->doc)) {
        return false;
    }
    request_etag(etag, &digest);
    return span_equal(if_match, (struct span){(const uint8_t *)etag, ETAG_BYTES - 1});
}

static enum weft_status put(struct room *room, uint64_t agent, struct span text)
{
    if (text.size == 0 && weft_doc_stats(room->doc).atoms == 0) {
        return begin_empty(room, agent);
    }
    return replace(room, agent, text);
}

static enum weft_status apply_edit(struct node *node, struct request *request, struct room *room,
                                   uint64_t agent)
{
    const struct node_ask *ask = &request->ask;
    struct weft_epoch next;
    switch (ask->verb) {
    case NODE_ASK_PUT:
        return put(room, agent, ask->body);
    case NODE_ASK_PATCH:
        return ask->json ? patch(room, agent, ask->body) : put(room, agent, ask->body);
    case NODE_ASK_CREATE:
        return create_text(node, room, ask->body, agent);
    case NODE_ASK_LABEL:
    case NODE_ASK_UNLABEL:
        return request_apply_label(node, room, ask, agent);
    default:
        next = epoch_next(node, room);
        return weft_doc_stats(room->doc).atoms == 0 ? WEFT_NOT_FOUND
                                                    : epoch_begin(node, room, &next, true);
    }
}

static void refuse(struct node *node, struct request *request, uint32_t code, const char *detail)
{
    request_refuse(node, request->id, code, detail);
    request_destroy(node, request);
}

/// Answered when the group that the edit is in is on disk.
static void await(struct node *node, struct request *request, struct room *room)
{
    request_drop_body(node, request);
    request->room = room;
    request->epoch = room->head.epoch;
    room_pin(node, room);
    if (room_on_disk(room)) {
        request_committed(node, request, 0); // it changed nothing
        return;
    }
    request->state = REQUEST_COMMITTING;
    journal_add_request(node, request);
}

/// Whether the edit was made before, here or anywhere: all that `agent` did up to `seq` came here
/// in its order. Only an edit that names its author can be known again.
static bool is_known(const struct room *room, const struct node_ask *ask)
{
    return ask->agent && weft_doc_next_seq(room->doc, ask->agent) > ask->seq;
}

/// With the first edit of an agent it is said who that is: by itself, unless its seqs are counted
/// by the asker.
static void introduce(struct node *node, struct room *room, const struct node_ask *ask,
                      uint64_t agent)
{
    if (weft_doc_next_seq(room->doc, agent) == 0 || (ask->agent && ask->author.size == 0)) {
        return;
    }
    authors_introduce(node, room, agent, ask->agent ? node->agent : agent, ask->author);
}

static bool refuse_unfit(struct node *node, struct request *request, struct room *room)
{
    uint32_t code;
    if (request->ask.verb != NODE_ASK_DELETE &&
        !edit_fits(node, room, request->ask.json ? request->ask.body.size : 0, &code)) {
        refuse(node, request, code, NULL);
        return true;
    }
    if (!matches(room, request->ask.if_match)) {
        request_refuse_condition(node, request->id, "changed_meanwhile");
        request_destroy(node, request);
        return true;
    }
    if (request->ask.agent && heal_is_cut(room, request->ask.agent)) {
        refuse(node, request, WIRE_AGENT_CONFLICT,
               "the author's id had two histories: take another");
        return true;
    }
    if (request->ask.agent &&
        weft_doc_next_seq(room->doc, request->ask.agent) != request->ask.seq) {
        refuse(node, request, WIRE_AGENT_CONFLICT, "the author's edits before this one differ");
        return true;
    }
    return false;
}

/// Answers an edit that was tried, or lets it wait for its group.
static void conclude(struct node *node, struct request *request, struct room *room,
                     enum weft_status status)
{
    bool label = request->ask.verb == NODE_ASK_LABEL || request->ask.verb == NODE_ASK_UNLABEL;
    if (status == WEFT_OK) {
        await(node, request, room);
        return;
    }
    if (label) {
        request_refuse_label(node, request->id, status);
    } else if (status == WEFT_CONFLICT) {
        request_refuse_condition(node, request->id, "exists");
    } else if (status == WEFT_NO_MEMORY) {
        request_refuse_memory(node, request->id);
    } else {
        request_refuse(node, request->id, request_code_of(status), NULL);
    }
    request_destroy(node, request);
}

/// Makes the edit and stages it.
static void make_edit(struct node *node, struct request *request, struct room *room)
{
    const struct node_ask *ask = &request->ask;
    bool deletes = ask->verb == NODE_ASK_DELETE;
    if (heal_is_cut(room, node->agent) || heal_is_cut(room, authors_agent(node, ask->author))) {
        authors_forget(node); // what they did hung on a branch that went
    }
    uint64_t agent = ask->agent ? ask->agent : authors_agent(node, ask->author);
    uint64_t before = weft_doc_stats(room->doc).atoms;
    bool first = weft_doc_next_seq(room->doc, agent) == 0;
    request->created = before == 0 && !deletes;
    request->status = request->created ? 201 : 200;
    node->metrics.deltas_received++;
    enum weft_status status = apply_edit(node, request, room, agent);
    if (status == WEFT_OK && first && !deletes) {
        introduce(node, room, ask, agent);
    }
    uint64_t after = weft_doc_stats(room->doc).atoms;
    request->repeated = !deletes && after == before;
    if (status && after > before) {
        node->open->failed = true; // some of it was done: taken back with its group
    }
    if (!deletes && after > before) {
        node->metrics.atoms_from_clients += after - before;
        edit_stage_new(node, room, EDIT_MADE_HERE);
    }
    conclude(node, request, room, status);
}

void request_edit(struct node *node, struct request *request)
{
    struct room *room;
    if (request->gone) {
        request_destroy(node, request);
        return;
    }
    if (journal_reserve_request(node)) {
        request_refuse_memory(node, request->id);
        request_destroy(node, request);
        return;
    }
    enum weft_status status = room_open(node, request->ask.document, &room);
    if (status) {
        refuse(node, request, status == WEFT_MALFORMED ? WIRE_QUARANTINED : WIRE_INTERNAL, NULL);
        return;
    }
    request->status = 200;
    if (is_known(room, &request->ask)) {
        request->repeated = true;
        await(node, request, room);
    } else if (!refuse_unfit(node, request, room)) {
        make_edit(node, request, room);
    }
}

// -------------------------------------------------------------------------------------------
// cluster

void request_cluster(struct node *node, struct request_id id, const struct node_ask *ask)
{
    bool up = false;
    const char *trouble =
        ask->verb == NODE_ASK_FORGET ? members_forget(node, ask->document, &up) : NULL;
    if (trouble) {
        request_refuse(node, id, WIRE_NO_DOCUMENT, trouble);
        return;
    }
    request_respond(node, id, 200, "application/json",
                    span_of_text(up ? "{\"up\":true}\n" : "{}\n"), NULL, NULL);
    if (ask->verb == NODE_ASK_LEAVE) {
        node->leaving = true;
        node->beat_soon = true;
        node_drain(node);
    }
}
