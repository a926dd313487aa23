// SPDX-License-Identifier: MIT
// The bus: few, large messages. What they bring is admitted; what they tell of is pulled.
#include "node/gossip.h"

#include <string.h>

#include "node/digests.h"
#include "node/edit.h"
#include "node/feeds.h"
#include "node/journal.h"
#include "node/members.h"
#include "node/pull.h"
#include "node/replicas.h"

static struct peer_feed self_of(struct node *node)
{
    const struct feed *own = feeds_own(node);
    return (struct peer_feed){own->incarnation, own->synced, own->continues, own->continued_to};
}

static bool send(struct node *node, struct pack_writer *writer)
{
    if (pack_writer_end(writer)) {
        return false;
    }
    node->links->broadcast(node->links, span_of_buffer(&node->message));
    return true;
}

// -------------------------------------------------------------------------------------------
// sending

/// The part of `entries` from `at` that goes into one message. @return Where it ends.
static size_t measure(const struct weft_buffer *entries, size_t at, uint32_t *count_out)
{
    size_t bytes = 0;
    *count_out = 0;
    while (at < entries->size) {
        uint32_t size;
        memcpy(&size, entries->data + at, sizeof size);
        if (bytes + size > FRESH_BYTES_MAX && *count_out > 0) {
            break;
        }
        bytes += size;
        ++*count_out;
        at += sizeof size + size;
        if (bytes > FRESH_BYTES_MAX) {
            break; // one that is too large, alone
        }
    }
    return at;
}

static bool send_fresh(struct node *node, const struct weft_buffer *entries, size_t at,
                       uint32_t count)
{
    struct peer_message message = {.type = PEER_FRESH,
                                   .self = self_of(node),
                                   .wants_synced = node->awaiting || node->awaiting_requests};
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &message);
    pack_array(&writer, count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t size;
        memcpy(&size, entries->data + at, sizeof size);
        pack_bin(&writer, (struct span){entries->data + at + sizeof size, size});
        at += sizeof size + size;
    }
    return send(node, &writer);
}

void gossip_fresh(struct node *node, const struct weft_buffer *entries)
{
    size_t at = 0;
    if (!members_any(node)) {
        return;
    }
    for (uint32_t i = 0; i < FRESH_MESSAGES_MAX && at < entries->size; i++) {
        uint32_t count;
        size_t end = measure(entries, at, &count);
        if (end - at <= FRESH_BYTES_MAX + 4096 && send_fresh(node, entries, at, count)) {
            node->metrics.gossip_fresh_sent++;
        }
        at = end;
    }
}

static void put_members(struct node *node, struct pack_writer *writer)
{
    pack_array(writer, node->member_count);
    for (uint32_t i = 0; i < node->member_count; i++) {
        members_put(writer, node->members[i]);
    }
}

void gossip_beat(struct node *node, bool now)
{
    uint64_t since = node->now_ms - node->beat_ms;
    uint32_t code;
    bool due =
        now || since >= node->heartbeat_ms || (node->beat_soon && since >= HEARTBEAT_HASTE_MS);
    if (!due || !node->opened || !members_any(node)) {
        return;
    }
    struct peer_message message = {
        .type = PEER_HEARTBEAT,
        .self = self_of(node),
        .name = span_of_text(node->name),
        .gossip_address = span_of_text(node->gossip_address),
        .pull_address = span_of_text(node->pull_address),
        .client_address = span_of_text(node->client_address),
    };
    message.flags =
        (node->draining ? PEER_DRAINING : 0U) | (node->caught_up ? 0U : PEER_CATCHING_UP) |
        (journal_writable(node, &code) ? 0U : PEER_READ_ONLY) | (node->leaving ? PEER_LEAVING : 0U);
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &message);
    put_members(node, &writer);
    feeds_put_list(node, &writer, true, FEEDS_NEEDED);
    digests_put(node, &writer);
    if (send(node, &writer)) {
        node->beat_ms = node->now_ms;
        node->beat_soon = false;
        node->metrics.gossip_heartbeats_sent++;
    }
}

void gossip_synced(struct node *node)
{
    if (!node->synced_due || node->away || node->dirty_feed_count > 0 ||
        node->now_ms - node->synced_ms < SYNCED_MS || !members_any(node)) {
        return;
    }
    struct peer_message message = {.type = PEER_SYNCED, .self = self_of(node)};
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &message);
    feeds_put_list(node, &writer, true, FEEDS_NEEDED);
    if (send(node, &writer)) {
        node->synced_due = false;
        node->synced_ms = node->now_ms;
        node->metrics.gossip_synced_sent++;
    }
}

// -----------------------------------------------------------------------------------------
// receiving

static void take_fresh(struct node *node, const struct peer_message *message)
{
    struct peer_list entries = message->entries;
    struct member *member = members_find(node, message->self.incarnation);
    struct span value;
    node->metrics.gossip_fresh_received++;
    node->synced_due |= message->wants_synced;
    while (peer_next_bytes(&value, &entries)) {
        enum edit_admission admission = edit_admit(node, &message->self, value);
        if (admission == EDIT_ADMITTED || admission == EDIT_KNOWN) {
            continue;
        }
        node->metrics.gaps_detected += admission == EDIT_GAP;
        if (member && admission != EDIT_REFUSED) {
            member->behind = true;
            pull_soon(node);
        }
        break;
    }
}

/// Takes what a list says of all feeds as what the member has on its disk.
static void take_list(struct node *node, struct member *member, struct peer_list list)
{
    struct peer_list again = list;
    struct peer_feed item;
    uint64_t unknown = 0;
    uint64_t lag = 0;
    while (peer_next_feed(&item, &again)) {
        struct feed *feed = feeds_get(node, &item); // NULL: past the limit, and told
        (void)feed;
    }
    feeds_read_list(node, list, &unknown);
    for (uint32_t i = 0; i < node->feed_count; i++) {
        const struct feed *feed = node->feeds[i];
        lag += feed->asked > feed->prefix ? feed->asked - feed->prefix : 0;
    }
    member->lag = lag + unknown;
    member->behind = member->lag > 0;
    member->own_synced = feeds_own(node)->asked;
    node->metrics.lag_entries = 0;
    for (uint32_t i = 0; i < node->member_count; i++) {
        if (node->members[i]->lag > node->metrics.lag_entries) {
            node->metrics.lag_entries = node->members[i]->lag;
        }
    }
    if (member->own_synced > feeds_own(node)->prefix) {
        pull_fence(node);
        return;
    }
    replicas_note(node, member);
    replicas_check(node);
    if (member->behind) {
        pull_soon(node);
    }
}

static void take_heartbeat(struct node *node, const struct peer_message *message)
{
    node->metrics.gossip_heartbeats_received++;
    const struct member *before = members_find(node, message->self.incarnation);
    bool met = before && before->met;
    struct member *member = members_heartbeat(node, message);
    if (!member) {
        return;
    }
    if (!met) {
        // Its life continues one of which this node holds more: its history was cut somewhere.
        member->must_compare = node->damaged || feeds_prefix(node, message->self.continues) >
                                                    message->self.continued_to;
        node->beat_soon = true;
    }
    take_list(node, member, message->feeds);
    if (member->lag == 0 && !node->comparison.incarnation) {
        node->caught_up = true;
        digests_check(node, member, message->digests);
    }
}

void gossip_message(struct node *node, struct pipe_id pipe, struct span bytes)
{
    struct peer_message message;
    if (peer_decode(&message, bytes) || message.type > PEER_SYNCED) {
        node->metrics.gossip_malformed++;
        return;
    }
    members_pipe_heard(node, pipe, message.self.incarnation);
    if (message.self.incarnation == node->incarnation) {
        if (message.type != PEER_SYNCED && message.self.prefix > feeds_own(node)->prefix) {
            pull_fence(node);
        }
        return; // a seed that is this node's own address
    }
    switch (message.type) {
    case PEER_FRESH:
        take_fresh(node, &message);
        break;
    case PEER_HEARTBEAT:
        take_heartbeat(node, &message);
        break;
    default: {
        struct member *member = members_find(node, message.self.incarnation);
        node->metrics.gossip_synced_received++;
        if (member) {
            take_list(node, member, message.feeds);
        }
        break;
    }
    }
}
