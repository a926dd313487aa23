// SPDX-License-Identifier: MIT
// Requests that read: text, history, digest, lists, members.
#include <stdio.h>
#include <string.h>

#include "node/documents.h"
#include "node/epoch.h"
#include "node/feeds.h"
#include "node/json.h"
#include "node/members.h"
#include "node/request.h"
#include "node/room.h"
#include "node/watch.h"

static struct request_head head_of(const struct weft_epoch *epoch, const struct weft_digest *digest)
{
    struct request_head head;
    request_etag(head.etag, digest);
    epoch_hex(head.epoch, epoch);
    return head;
}

static void respond_json(struct node *node, struct request_id id, uint16_t status,
                         struct json *json, const struct request_head *head, const char *durability)
{
    json_raw(json, "\n");
    if (json->failed) {
        request_refuse(node, id, WIRE_INTERNAL, NULL);
    } else {
        request_respond(node, id, status, "application/json", span_of_buffer(json->out), head,
                        durability);
    }
    weft_buffer_finish(json->out);
}

// ------------------------------------------------------------------------------------- one
// document

void request_put_version(struct json *json, const struct weft_epoch *epoch, struct span vector)
{
    static const char digits[] = "0123456789abcdef";
    static const struct weft_epoch first = {0};
    char hex[2 * WIRE_EPOCH_SIZE + 1];
    json_raw(json, "\"");
    for (size_t i = 0; i < vector.size; i++) {
        json_raw(json, (char[]){digits[vector.data[i] >> 4], digits[vector.data[i] & 15], '\0'});
    }
    if (weft_epoch_compare(epoch, &first) != 0) {
        epoch_hex(hex, epoch);
        json_raw(json, "@");
        json_raw(json, hex);
    }
    json_raw(json, "\"");
}

static bool put_state(struct node *node, struct json *json, struct room *room,
                      struct weft_digest *digest_out)
{
    uint8_t epoch[WIRE_EPOCH_SIZE];
    struct weft_doc_stats stats = weft_doc_stats(room->doc);
    node->version.size = 0;
    if (weft_doc_digest(digest_out, room->doc) || weft_doc_version(&node->version, room->doc)) {
        return false;
    }
    wire_epoch_encode(epoch, &room->head.epoch);
    json_raw(json, "{");
    json_name(json, "document");
    json_put_string(json, document_name(room->document));
    json_name(json, "epoch");
    json_hex(json, epoch, sizeof epoch);
    json_name(json, "digest");
    json_hex(json, digest_out->bytes, sizeof digest_out->bytes);
    json_name(json, "version");
    request_put_version(json, &room->head.epoch, span_of_buffer(&node->version));
    json_name(json, "length");
    json_u64(json, stats.length);
    json_name(json, "bytes");
    json_u64(json, weft_doc_length(room->doc, WEFT_UTF8));
    json_name(json, "atoms");
    json_u64(json, stats.atoms);
    json_name(json, "tombstones");
    json_u64(json, stats.tombstones);
    json_name(json, "agents");
    json_u64(json, stats.agents);
    json_raw(json, "}");
    return true;
}

void request_respond_state(struct node *node, struct request_id id, uint16_t status,
                           struct room *room, const char *durability)
{
    struct weft_buffer body;
    struct weft_digest digest;
    weft_buffer_init(&body, &node->allocator);
    struct json json = {&body, false};
    if (room_load(node, room) || !put_state(node, &json, room, &digest)) {
        request_refuse(node, id, WIRE_INTERNAL, NULL);
        weft_buffer_finish(&body);
        return;
    }
    struct request_head head = head_of(&room->head.epoch, &digest);
    respond_json(node, id, status, &json, &head, durability);
}

/// {"times":{"AGENT":[[NEXT,SECOND],...],...}}: operations up to NEXT, from the step before on.
static void put_times(struct json *json, const struct times *times)
{
    uint64_t agent = 0;
    json_raw(json, "{\"times\":{");
    for (size_t i = 0; i < times_count(times); i++) {
        const struct times_mark *mark = times_at(times, i);
        char text[64];
        if (mark->agent != agent) {
            snprintf(text, sizeof text, "%s\n\"%016llx\":[", agent ? "]," : "",
                     (unsigned long long)mark->agent);
            json_raw(json, text);
        }
        snprintf(text, sizeof text, "%s[%llu,%llu]", mark->agent == agent ? "," : "",
                 (unsigned long long)mark->next, (unsigned long long)mark->second);
        json_raw(json, text);
        agent = mark->agent;
    }
    json_raw(json, agent ? "]}}" : "}}");
}

static void respond_times(struct node *node, struct request_id id, struct room *room)
{
    struct weft_buffer body;
    struct weft_digest digest;
    weft_buffer_init(&body, &node->allocator);
    struct json json = {&body, false};
    put_times(&json, &room->times);
    json.failed |= weft_doc_digest(&digest, room->doc) != WEFT_OK;
    struct request_head head = head_of(&room->head.epoch, &digest);
    head.etag[0] = '\0'; // they may get better known without an edit
    respond_json(node, id, 200, &json, &head, NULL);
}

static void respond_labels(struct node *node, struct request_id id, struct room *room)
{
    struct weft_buffer body;
    struct weft_digest digest;
    weft_buffer_init(&body, &node->allocator);
    struct json json = {&body, false};
    json.failed = weft_doc_digest(&digest, room->doc) || !request_put_labels(node, &json, room);
    struct request_head head = head_of(&room->head.epoch, &digest);
    respond_json(node, id, 200, &json, &head, room_on_disk(room) ? "durable" : NULL);
}

/// The text from its record, when nothing was journaled since: nothing has to be decoded.
static bool read_cold_text(struct node *node, struct request_id id, const struct node_ask *ask)
{
    const struct document *document = documents_find(node, ask->document);
    struct archive_head head;
    struct span text;
    if (document && document->room) {
        return false;
    }
    if (archive_head(&head, &node->archive, ask->document) || head.structure_size == 0 ||
        (document && document->tail_count > 0 &&
         document_numbers(document)[document->tail_count - 1] > head.through) ||
        archive_text(&text, &node->archive, &head, ask->document)) {
        return false;
    }
    struct request_head said = head_of(&head.epoch, &head.digest);
    request_respond(node, id, 200, "text/plain; charset=utf-8", text, &said, "durable");
    return true;
}

static void respond_document(struct node *node, struct request_id id, const struct node_ask *ask,
                             struct room *room)
{
    struct weft_buffer body;
    struct weft_digest digest;
    enum weft_status status;
    const char *type = "text/plain; charset=utf-8";
    weft_buffer_init(&body, &node->allocator);
    if (ask->verb == NODE_ASK_TEXT) {
        status = weft_doc_text(&body, room->doc);
    } else {
        type = "application/octet-stream";
        status = weft_doc_delta_since(&body, room->doc, NULL, 0);
    }
    status = status ? status : weft_doc_digest(&digest, room->doc);
    if (status) {
        request_refuse(node, id, WIRE_INTERNAL, NULL);
    } else {
        struct request_head head = head_of(&room->head.epoch, &digest);
        request_respond(node, id, 200, type, span_of_buffer(&body), &head,
                        room_on_disk(room) ? "durable" : NULL);
    }
    weft_buffer_finish(&body);
}

static bool read_document(struct node *node, struct request_id id, const struct node_ask *ask)
{
    struct room *room;
    if (ask->verb == NODE_ASK_TEXT && read_cold_text(node, id, ask)) {
        return true;
    }
    enum weft_status status = room_open(node, ask->document, &room);
    if (status) {
        request_refuse(node, id, status == WEFT_MALFORMED ? WIRE_QUARANTINED : WIRE_INTERNAL, NULL);
        return true;
    }
    if (!room_clean(room)) {
        return false;
    }
    if (ask->verb == NODE_ASK_WATCH) {
        watch_begin(node, id, ask, room);
    } else if (weft_doc_stats(room->doc).atoms == 0) {
        request_refuse(node, id, WIRE_NO_DOCUMENT, NULL);
    } else if (ask->verb == NODE_ASK_LABELS) {
        respond_labels(node, id, room);
    } else if (ask->verb == NODE_ASK_TIMES) {
        respond_times(node, id, room);
    } else if (ask->verb == NODE_ASK_DIGEST) {
        request_respond_state(node, id, 200, room, room_on_disk(room) ? "durable" : NULL);
    } else {
        respond_document(node, id, ask, room);
    }
    room_settle(node, room);
    return true;
}

// ---------------------------------------------------------------------------------------------
// lists

#define RECOVERY_EPOCH_DIGITS (2 * WIRE_EPOCH_SIZE)

struct listing {
    struct node *node;
    struct json *json;
    uint32_t count;
    uint32_t limit;
    uint32_t visited;
    uint64_t bytes; // of recovery copies
    bool more;
    uint8_t last[RECOVERY_EPOCH_DIGITS + RECORD_NAME_BYTES_MAX]; // where to go on
    size_t last_size;
};

/// Length and digest where they are known without loading anything.
static void put_known(struct listing *listing, const struct archive_head *head, struct room *room,
                      bool stale)
{
    struct json *json = listing->json;
    struct weft_digest digest;
    if (room && room->doc && room_clean(room) && !weft_doc_digest(&digest, room->doc)) {
        json_name(json, "length");
        json_u64(json, weft_doc_length(room->doc, WEFT_SCALARS));
        json_name(json, "digest");
        json_hex(json, digest.bytes, sizeof digest.bytes);
    } else if (!stale && !(room && room->doc)) {
        json_name(json, "length");
        json_u64(json, head->length);
        json_name(json, "digest");
        json_hex(json, head->digest.bytes, sizeof head->digest.bytes);
    }
}

static uint32_t limit_of(const struct node_ask *ask)
{
    uint32_t limit = ask->limit ? ask->limit : LIST_DEFAULT;
    return limit < LIST_MAX ? limit : LIST_MAX;
}

static void put_next(struct listing *listing)
{
    json_raw(listing->json, "],\"next\":");
    if (listing->more) {
        json_put_string(listing->json, (struct span){listing->last, listing->last_size});
    } else {
        json_raw(listing->json, "null");
    }
    json_raw(listing->json, "}");
}

static bool list_visit(void *context, struct span name, const struct archive_head *head)
{
    struct listing *listing = context;
    struct json *json = listing->json;
    uint8_t epoch[WIRE_EPOCH_SIZE];
    const struct document *document = documents_find(listing->node, name);
    struct room *room = document ? document->room : NULL;
    bool stale = head && document && document->tail_count > 0 &&
                 document_numbers(document)[document->tail_count - 1] > head->through;
    bool empty = room && room->doc ? weft_doc_stats(room->doc).atoms == 0
                                   : head && head->atoms == 0 && (!stale || document->emptied);
    if (!record_name_valid(name)) {
        return true;
    }
    if (listing->visited++ == LIST_SCAN_MAX || (listing->count == listing->limit && !empty)) {
        listing->more = true;
        return false;
    }
    memcpy(listing->last, name.data, name.size);
    listing->last_size = name.size;
    if (empty) {
        return true; // it was deleted
    }
    json_raw(json, listing->count++ ? ",\n{" : "\n{");
    json_name(json, "name");
    json_put_string(json, name);
    if (head) {
        wire_epoch_encode(epoch, &head->epoch);
        json_name(json, "epoch");
        json_hex(json, epoch, sizeof epoch);
        put_known(listing, head, room, stale);
    } else {
        json_name(json, "damaged");
        json_raw(json, "true");
    }
    json_raw(json, "}");
    return !json->failed;
}

static void read_list(struct node *node, struct request_id id, const struct node_ask *ask)
{
    struct weft_buffer body;
    weft_buffer_init(&body, &node->allocator);
    struct json json = {&body, false};
    struct listing listing = {.node = node, .json = &json, .limit = limit_of(ask)};
    json_raw(&json, "{\"documents\":[");
    if (archive_list(&node->archive, ask->after, ask->prefix, list_visit, &listing)) {
        json.failed = true;
    }
    put_next(&listing);
    respond_json(node, id, 200, &json, NULL, NULL);
}

static bool recovery_visit(void *context, const struct archive_recovery *copy)
{
    struct listing *listing = context;
    struct json *json = listing->json;
    uint8_t epoch[WIRE_EPOCH_SIZE];
    wire_epoch_encode(epoch, &copy->epoch);
    json_raw(json, listing->count++ ? ",\n{" : "\n{");
    json_name(json, "document");
    json_put_string(json, copy->document);
    json_name(json, "epoch");
    json_hex(json, epoch, sizeof epoch);
    json_name(json, "parts");
    json_u64(json, copy->parts);
    json_name(json, "bytes");
    json_u64(json, copy->bytes);
    json_name(json, "wall_ms");
    json_u64(json, copy->wall_ms);
    json_raw(json, "}");
    epoch_hex((char *)listing->last, &copy->epoch); // its end is where the name begins
    memcpy(listing->last + RECOVERY_EPOCH_DIGITS, copy->document.data, copy->document.size);
    listing->last_size = RECOVERY_EPOCH_DIGITS + copy->document.size;
    listing->bytes += copy->bytes;
    listing->more = listing->count == listing->limit || listing->bytes >= LIST_RECOVERY_BYTES;
    return !json->failed && !listing->more;
}

/// Where a page of recovery copies ended: the epoch's digits, then the document's name.
static bool read_after(struct archive_recovery *after_out, struct span text)
{
    after_out->document =
        (struct span){text.data + RECOVERY_EPOCH_DIGITS, text.size - RECOVERY_EPOCH_DIGITS};
    return epoch_from_hex(&after_out->epoch, (struct span){text.data, RECOVERY_EPOCH_DIGITS}) &&
           record_name_valid(after_out->document);
}

static void read_recoveries(struct node *node, struct request_id id, const struct node_ask *ask)
{
    struct weft_buffer body;
    struct archive_recovery after;
    bool goes_on = ask->after.size > 0;
    if (goes_on && (ask->after.size <= RECOVERY_EPOCH_DIGITS || !read_after(&after, ask->after))) {
        request_refuse(node, id, WIRE_BAD_REQUEST, "after is not what a page gave as next");
        return;
    }
    weft_buffer_init(&body, &node->allocator);
    struct json json = {&body, false};
    struct listing listing = {.node = node, .json = &json, .limit = limit_of(ask)};
    json_raw(&json, "{\"recovery\":[");
    if (archive_recoveries(&node->archive, ask->document, goes_on ? &after : NULL, recovery_visit,
                           &listing)) {
        json.failed = true;
    }
    put_next(&listing);
    respond_json(node, id, 200, &json, NULL, NULL);
}

static void read_recovery(struct node *node, struct request_id id, const struct node_ask *ask)
{
    struct request_head head = {0};
    struct weft_epoch epoch;
    struct weft_doc *doc;
    struct weft_buffer body;
    if (!epoch_from_hex(&epoch, ask->after)) {
        request_refuse(node, id, WIRE_BAD_REQUEST, "epoch must be the 48 hex digits of an epoch");
        return;
    }
    enum weft_status status = archive_load_recovery(&doc, &node->archive, ask->document, &epoch);
    if (status) {
        request_refuse(node, id, request_code_of(status),
                       status == WEFT_NOT_FOUND ? "there is no such recovery copy" : NULL);
        return;
    }
    weft_buffer_init(&body, &node->allocator);
    if (weft_doc_text(&body, doc)) {
        request_refuse(node, id, WIRE_INTERNAL, NULL);
    } else {
        epoch_hex(head.epoch, &epoch);
        request_respond(node, id, 200, "text/plain; charset=utf-8", span_of_buffer(&body), &head,
                        "durable");
    }
    weft_buffer_finish(&body);
    weft_doc_destroy(doc);
}

// -------------------------------------------------------------------------------------------
// members

static void put_member(struct json *json, uint64_t incarnation, const char *name,
                       const char *gossip, const char *client, const char *state, uint64_t lag)
{
    char hex[17];
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)incarnation);
    json_raw(json, "{");
    json_name(json, "name");
    json_put_string(json, span_of_text(name));
    json_name(json, "incarnation");
    json_put_string(json, span_of_text(hex));
    json_name(json, "state");
    json_put_string(json, span_of_text(state));
    json_name(json, "gossip");
    json_put_string(json, span_of_text(gossip));
    json_name(json, "client");
    json_put_string(json, span_of_text(client));
    json_name(json, "lag");
    json_u64(json, lag);
    json_raw(json, "}");
}

static const char *state_of(const struct member *member)
{
    switch (member->state) {
    case MEMBER_LEFT:
        return "left";
    case MEMBER_FORGOTTEN:
        return "forgotten";
    default:
        return member->pipe_count > 0 ? "up" : "down";
    }
}

/// Whether a member that is gone is here again, in a later life: it is listed once.
static bool is_back(const struct node *node, const struct member *gone)
{
    if (gone->state == MEMBER_HERE) {
        return false;
    }
    if (strcmp(gone->name, node->name) == 0 &&
        strcmp(gone->gossip_address, node->gossip_address) == 0) {
        return true;
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];
        if (member->state == MEMBER_HERE && strcmp(member->name, gone->name) == 0 &&
            strcmp(member->gossip_address, gone->gossip_address) == 0) {
            return true;
        }
    }
    return false;
}

static void read_members(struct node *node, struct request_id id)
{
    struct weft_buffer body;
    weft_buffer_init(&body, &node->allocator);
    struct json json = {&body, false};
    json_raw(&json, "{\"members\":[\n");
    put_member(&json, node->incarnation, node->name, node->gossip_address, node->client_address,
               "self", 0);
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];
        if (is_back(node, member)) {
            continue;
        }
        json_raw(&json, ",\n");
        put_member(&json, member->incarnation, member->name, member->gossip_address,
                   member->client_address, state_of(member), member->lag);
    }
    json_raw(&json, "]}");
    respond_json(node, id, 200, &json, NULL, NULL);
}

bool request_read(struct node *node, struct request_id id, const struct node_ask *ask)
{
    switch (ask->verb) {
    case NODE_ASK_LIST:
        read_list(node, id, ask);
        return true;
    case NODE_ASK_RECOVERY_LIST:
        read_recoveries(node, id, ask);
        return true;
    case NODE_ASK_RECOVERY_TEXT:
        read_recovery(node, id, ask);
        return true;
    case NODE_ASK_MEMBERS:
        read_members(node, id);
        return true;
    case NODE_ASK_TEXT:
    case NODE_ASK_DELTA:
    case NODE_ASK_DIGEST:
    case NODE_ASK_LABELS:
    case NODE_ASK_TIMES:
    case NODE_ASK_WATCH:
        return read_document(node, id, ask);
    default:
        request_refuse(node, id, WIRE_BAD_REQUEST, "verb");
        return true;
    }
}
