// SPDX-License-Identifier: MIT
// Fetching single documents from peers.
#include "node/fetch.h"

#include <string.h>

#include "node/chains.h"
#include "node/compare.h"
#include "node/digests.h"
#include "node/documents.h"
#include "node/edit.h"
#include "node/epoch.h"
#include "node/journal.h"
#include "node/members.h"
#include "node/pull.h"
#include "node/rebuild.h"
#include "node/room.h"

#define FETCH_FAILURES_MAX 6U

static struct span name_of(const struct fetch *fetch)
{
    return (struct span){fetch->name, fetch->name_size};
}

// ---------------------------------------------------------------------------------------------
// list

enum fetch_outcome fetch_add(struct node *node, enum fetch_reason reason, uint64_t incarnation,
                             struct span name, const struct weft_digest *digest)
{
    for (struct fetch *other = node->fetches; other; other = other->next) {
        if (other->reason == reason && other->incarnation == incarnation &&
            span_equal(name_of(other), name)) {
            return FETCH_THERE;
        }
    }
    if (node->fetch_count >= FETCHES_WAITING_MAX) {
        node->metrics.limit_hits++;
        return FETCH_FULL;
    }
    struct fetch *fetch = node_alloc(node, sizeof *fetch + name.size);
    if (!fetch) {
        return FETCH_FULL;
    }
    fetch->reason = reason;
    fetch->incarnation = incarnation;
    weft_buffer_init(&fetch->forks, &node->allocator);
    fetch->name_size = (uint32_t)name.size;
    memcpy(fetch->name, name.data, name.size);
    if (digest) {
        fetch->digest = *digest;
    }
    if (node->fetches_last) {
        node->fetches_last->next = fetch;
    } else {
        node->fetches = fetch;
    }
    node->fetches_last = fetch;
    node->fetch_count++;
    pull_soon(node);
    return FETCH_ADDED;
}

static void remove_fetch(struct node *node, struct fetch *fetch)
{
    struct fetch *before = NULL;
    struct fetch *at = node->fetches;
    while (at != fetch) {
        before = at;
        at = at->next;
    }
    if (before) {
        before->next = fetch->next;
    } else {
        node->fetches = fetch->next;
    }
    if (node->fetches_last == fetch) {
        node->fetches_last = before;
    }
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (node->pulls[i].fetch == fetch) {
            node->pulls[i].fetch = NULL;
        }
    }
    node->fetch_count--;
    weft_doc_destroy(fetch->doc);
    weft_buffer_finish(&fetch->forks);
    node_free(node, fetch, sizeof *fetch + fetch->name_size);
}

void fetch_cancel(struct node *node, uint64_t incarnation)
{
    for (struct fetch *fetch = node->fetches; fetch;) {
        struct fetch *next = fetch->next;
        if (fetch->reason == FETCH_COMPARE && fetch->incarnation == incarnation) {
            remove_fetch(node, fetch);
        }
        fetch = next;
    }
}

void fetch_finish_all(struct node *node)
{
    while (node->fetches) {
        remove_fetch(node, node->fetches);
    }
}

void fetch_behind(struct node *node, struct span name)
{
    // One that cannot be noted is noted when the client asks again.
    (void)fetch_add(node, FETCH_BEHIND, 0, name, NULL);
}

void fetch_damaged(struct node *node, struct room *room)
{
    (void)fetch_add(node, FETCH_DAMAGED, 0, document_name(room->document), NULL);
}

/// All that a member has of it was asked for, and it still is another document: does one of its
/// authors have two histories?
static void compare_chains(struct node *node, const struct fetch *fetch)
{
    static const struct weft_digest none; // it cannot be read there
    struct peer_digest own;
    if (memcmp(fetch->digest.bytes, none.bytes, sizeof none.bytes) != 0 &&
        digests_of(node, name_of(fetch), &own) == WEFT_OK &&
        memcmp(fetch->digest.bytes, own.digest.bytes, sizeof own.digest.bytes) != 0) {
        // One that cannot be noted is noted when digests are compared again.
        (void)fetch_add(node, FETCH_CHAINS, fetch->incarnation, name_of(fetch), NULL);
    }
}

/// It is done, or given up.
static void end(struct node *node, struct fetch *fetch, bool done)
{
    enum fetch_reason reason = fetch->reason;
    uint64_t incarnation = fetch->incarnation;
    if (done && reason == FETCH_DIGEST) {
        digests_fetched(node, name_of(fetch), &fetch->digest);
    }
    if (done && (reason == FETCH_DIGEST || reason == FETCH_COMPARE)) {
        compare_chains(node, fetch);
    }
    node->metrics.documents_fetched += done && reason != FETCH_CHAINS;
    remove_fetch(node, fetch);
    if (reason == FETCH_COMPARE) {
        compare_fetched(node, incarnation, done);
    }
}

// --------------------------------------------------------------------------------------------
// asking

/// The member to ask: the one that is named, or any that is linked, another one after each failure.
static struct member *choose(struct node *node, const struct fetch *fetch)
{
    if (fetch->incarnation) {
        return members_find(node, fetch->incarnation);
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[(i + fetch->failures) % node->member_count];
        if (member->state == MEMBER_HERE && member->pipe_count > 0 && member->pull_address[0]) {
            return member;
        }
    }
    return NULL;
}

/// Sets the epoch and version (in node->version) of what is here already.
static enum weft_status read_version(struct node *node, struct fetch *fetch,
                                     struct weft_epoch *epoch_out)
{
    struct room *room;
    enum weft_status status = room_open(node, name_of(fetch), &room);
    node->version.size = 0; // loading used it
    if (status == WEFT_MALFORMED) {
        *epoch_out = fetch->doc ? weft_doc_epoch(fetch->doc) : (struct weft_epoch){0};
        return fetch->doc ? weft_doc_version(&node->version, fetch->doc) : WEFT_OK;
    }
    if (status) {
        return status;
    }
    *epoch_out = room->head.epoch;
    return weft_doc_version(&node->version, room->doc);
}

static enum weft_status ask_chains(struct node *node, struct fetch *fetch,
                                   struct peer_message *question)
{
    struct room *room;
    enum weft_status status = room_open(node, name_of(fetch), &room);
    status = status ? status : chains_ask(node, fetch, room, question);
    if (status == WEFT_NOT_FOUND) {
        room_remember(node, room); // their histories agree: the other one lacks some, and is told
    }
    if (status == WEFT_OK || status == WEFT_NOT_FOUND) {
        room_settle(node, room);
    }
    return status;
}

static void ask(struct node *node, struct fetch *fetch, struct member *member)
{
    struct peer_message question = {.type = PEER_PULL_DOCUMENT, .bytes_max = PULL_BYTES};
    enum weft_status status = fetch->reason == FETCH_CHAINS
                                  ? ask_chains(node, fetch, &question)
                                  : read_version(node, fetch, &question.epoch);
    if (status == WEFT_NOT_FOUND) {
        end(node, fetch, true);
        return;
    }
    if (status) {
        fetch_failed(node, fetch);
        return;
    }
    question.self.incarnation = node->incarnation;
    question.document = name_of(fetch);
    question.version = span_of_buffer(&node->version);
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &question);
    if (pack_writer_end(&writer) == WEFT_OK) {
        fetch->asked = pull_ask(node, PULL_FETCH, member, fetch, span_of_buffer(&node->message));
    }
}

void fetch_run(struct node *node)
{
    uint32_t under_way = 0;
    for (struct fetch *fetch = node->fetches; fetch; fetch = fetch->next) {
        under_way += fetch->asked;
    }
    for (struct fetch *fetch = node->fetches; fetch && under_way < FETCHES_MAX;) {
        struct fetch *next = fetch->next;
        if (!fetch->asked && node->now_ms >= fetch->not_before_ms) {
            struct member *member = choose(node, fetch);
            if (member) {
                ask(node, fetch, member); // may end it
                under_way++;
            } else if (fetch->incarnation) {
                end(node, fetch, false);
            } else if (fetch->reason == FETCH_BEHIND) {
                end(node, fetch, false); // nobody to ask; the client tries again
            } else {
                fetch->not_before_ms = node->now_ms + PULL_RETRY_MS;
            }
        }
        fetch = next;
    }
}

void fetch_failed(struct node *node, struct fetch *fetch)
{
    if (!fetch) {
        return;
    }
    fetch->asked = false;
    fetch->failures++;
    fetch->not_before_ms = node->now_ms + PULL_RETRY_MS;
    if (fetch->reason == FETCH_DAMAGED) {
        fetch->not_before_ms = node->now_ms + PULL_RETRY_MS * (fetch->failures % 32);
    } else if (fetch->failures >= FETCH_FAILURES_MAX) {
        end(node, fetch, false);
    }
}

// -------------------------------------------------------------------------------------------
// replies

/// What a peer sent for the version that is here has all of its causes here or with it. When some
/// are missing all the same, then one id has two contents: an author forked its own history.
static bool take_fork(struct node *node, struct fetch *fetch, struct room *room)
{
    if (fetch->failures == 0) {
        return false; // or a failed commit took the causes back meanwhile
    }
    edit_incomplete(node, room, "an author forked its own history");
    return true;
}

/// Applies pieces to the room. @return Whether all went in that ever can; *more_out: whether there
/// are more to ask for.
static bool take_pieces(struct node *node, struct fetch *fetch, struct room *room,
                        const struct peer_message *message, bool *more_out)
{
    struct peer_list pieces = message->entries;
    struct span delta;
    uint32_t code;
    int order = weft_epoch_compare(&message->epoch, &room->head.epoch);
    if (order < 0) {
        return true; // it is behind; what it holds of that epoch is in nobody's document
    }
    if (!journal_writable(node, &code) || node->open->failed) {
        return false;
    }
    if (order > 0 && (epoch_begin(node, room, &message->epoch, false) ||
                      journal_stage_loose(node, room, RECORD_EPOCH, (struct span){0}))) {
        node->open->failed = true;
        return false;
    }
    bool stalled = false;
    *more_out = message->more;
    while (peer_next_bytes(&delta, &pieces)) {
        enum edit_admission admission = edit_admit_loose(node, room, delta);
        if (admission == EDIT_REFUSED) {
            return false;
        }
        stalled |= admission == EDIT_STALLED;
        *more_out &= admission == EDIT_ADMITTED; // the same would come again
    }
    if (message->times.size > 0 &&
        (times_merge(&room->times, message->times) == WEFT_NO_MEMORY ||
         journal_stage_loose(node, room, RECORD_TIMES, message->times))) {
        node->open->failed = true;
        journal_add_room(node, room);
        return false;
    }
    return !stalled || take_fork(node, fetch, room);
}

static void take_chains(struct node *node, struct fetch *fetch, const struct peer_message *message)
{
    struct room *room;
    enum weft_status status = room_open(node, name_of(fetch), &room);
    status = status ? status : chains_take(node, fetch, room, message);
    if (status == WEFT_NOT_FOUND) {
        end(node, fetch, true);
    } else if (status) {
        fetch_failed(node, fetch);
    } else {
        pull_soon(node); // on with the next question
    }
}

void fetch_reply(struct node *node, struct fetch *fetch, const struct peer_message *message)
{
    struct room *room;
    if (!fetch) {
        return;
    }
    fetch->asked = false;
    if (message->answer != PEER_ANSWER_OK ||
        (message->type == PEER_CHAINS) != (fetch->reason == FETCH_CHAINS)) {
        fetch_failed(node, fetch);
        return;
    }
    if (message->type == PEER_CHAINS) {
        take_chains(node, fetch, message);
        return;
    }
    enum weft_status status = room_open(node, name_of(fetch), &room);
    bool more = message->more;
    bool good = status == WEFT_OK          ? take_pieces(node, fetch, room, message, &more)
                : status == WEFT_MALFORMED ? rebuild_take(node, fetch, message, &more)
                                           : false;
    if (!good) {
        fetch_failed(node, fetch);
        return;
    }
    if (more) {
        fetch->failures = 0;
        pull_soon(node);
        return;
    }
    if (status == WEFT_MALFORMED && !rebuild_install(node, fetch, room)) {
        fetch_failed(node, fetch);
        return;
    }
    room_settle(node, room);
    end(node, fetch, true);
}
