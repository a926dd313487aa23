// SPDX-License-Identifier: MIT
// What becomes of a group: shown, acked, answered and broadcast, or taken back.
#include <assert.h>
#include <stdio.h>

#include "node/authors.h"
#include "node/documents.h"
#include "node/edit.h"
#include "node/feeds.h"
#include "node/gossip.h"
#include "node/journal.h"
#include "node/request.h"
#include "node/room.h"
#include "node/session.h"
#include "node/subscription.h"
#include "node/watch.h"

#define LOST_NAMED_MAX                                                                             \
    1024U // edits of a failed group named one by one; with more, it connects anew

static void clear_group(struct node *node, struct group *group)
{
    for (uint32_t i = 0; i < group->room_count; i++) {
        struct room *room = group->rooms[i];
        room->in_away = room->in_away && group != node->away;
        room->in_open = room->in_open && group != node->open;
        room_unpin(node, room);
    }
    for (uint32_t i = 0; i < group->pruned_count; i++) {
        group->pruned[i]->pruned[group - node->groups] = false;
        documents_settle(node, group->pruned[i]);
    }
    group->number = 0;
    group->bytes = 0;
    group->pruned_count = 0;
    group->pruned_bytes = 0;
    group->pruned_entries = 0;
    group->entries = 0;
    group->room_count = 0;
    group->subscription_count = 0;
    group->request_count = 0;
    group->orphan_count = 0;
    group->feed_count = 0;
    group->fresh.size = 0;
    group->failed = false;
    group->fenced = false;
}

// ------------------------------------------------------------------------------------------- shown

static void show_rooms(struct node *node, struct group *group)
{
    for (uint32_t i = 0; i < group->room_count; i++) {
        struct room *room = group->rooms[i];
        bool own = room->dirty_away;
        room->dirty_away = false;
        if (room->epoch_notice) {
            room_notice_epoch(node, room);
        }
        if (own) {
            room_flush(node, room, &room->shown); // came first
            room_flush(node, room, &room->held);
        }
        for (uint32_t k = 0; k < room->subscription_count; k++) {
            if (room->subscriptions[k]->mode == SUBSCRIPTION_JOINING ||
                room->subscriptions[k]->point_due) {
                subscription_flush(node, room->subscriptions[k]);
            }
        }
        watch_flush(node, room);
        journal_merge(node, room, false);
    }
}

static void ack_subscriptions(struct node *node, struct group *group)
{
    uint64_t sequence = group->fenced ? 0 : group->own_sequence;
    for (uint32_t i = 0; i < group->subscription_count; i++) {
        struct subscription *subscription = group->subscriptions[i];
        if (subscription) {
            subscription->away_index = 0;
            subscription->resent |= group->fenced;
            edit_durable(node, subscription, sequence);
        }
    }
    for (uint32_t i = 0; i < group->orphan_count; i++) {
        struct wire_message ack = {
            .type = WIRE_ACK, .room = WIRE_NONE, .level = 1, .number = group->orphans[i].ref};
        session_send(node, group->orphans[i].client, &ack);
    }
    for (uint32_t i = 0; i < group->request_count; i++) {
        group->requests[i]->repeated |= group->fenced;
        request_committed(node, group->requests[i], sequence);
    }
}

static void succeed(struct node *node, struct group *group)
{
    metrics_observe(&node->metrics.commit_ms, node->now_ms - group->started_ms);
    feeds_committed(node, group);
    node->incarnation_due = false; // every group holds it until one is on disk
    for (uint32_t i = 0; i < group->pruned_count; i++) {
        if (!group->pruned[i]->kept) { // or what stays is needed
            document_shift(group->pruned[i], node->open->journal_low);
        }
    }
    show_rooms(node, group);
    ack_subscriptions(node, group);
    gossip_fresh(node, &group->fresh);
    clear_group(node, group);
    node->away = NULL;
}

// ----------------------------------------------------------------------------------------- taken
// back

static void take_back_rooms(struct node *node, struct group *group, uint64_t first_number)
{
    for (uint32_t i = 0; i < group->room_count; i++) {
        struct room *room = group->rooms[i];
        document_pop(room->document, first_number);
        room->document->through = UINT64_MAX; // what was merged meanwhile is not
        room->document->kept |= document_begins_below(room->document, node->journal_low);
        room->dirty_open = false;
        room->dirty_away = false;
        struct weft_epoch epoch = room->head.epoch;
        bool told = !room->epoch_notice;
        room_unload(node, room);
        room_resync_all(node, room);
        if (room_load(node, room) == WEFT_OK && told &&
            weft_epoch_compare(&epoch, &room->head.epoch) != 0) {
            // An epoch of a peer was shown already, and is not on this disk: whoever is in it joins
            // anew and hears that this node is behind. Nobody is told of a lesser epoch.
            room->number = node->next_room_number++;
            room_close(node, room);
        }
    }
}

/// Names each edit that is lost: a later ack is cumulative, and must not seem to cover them.
static void refuse_lost(struct node *node, const struct subscription *subscription, uint32_t code)
{
    struct client_id client = subscription_client(node, subscription);
    uint32_t lost = subscription->applied - subscription->durable;
    if (lost > LOST_NAMED_MAX) {
        session_close(node, client, WIRE_INTERNAL);
        return;
    }
    for (uint32_t i = 1; i <= lost; i++) {
        session_error(node, client,
                      &(struct session_error){.room = subscription->room_number,
                                              .ref = WIRE_NONE,
                                              .number = subscription->durable + i,
                                              .code = code});
    }
}

static void refuse_subscriptions(struct node *node, struct group *group, uint32_t code)
{
    for (uint32_t i = 0; i < group->subscription_count; i++) {
        struct subscription *subscription = group->subscriptions[i];
        if (subscription) {
            subscription->group_index = 0;
            subscription->away_index = 0;
            refuse_lost(node, subscription, code);
            subscription->applied = subscription->durable;
            subscription->waiting_ms = 0;
        }
    }
    for (uint32_t i = 0; i < group->orphan_count; i++) {
        session_error(node, group->orphans[i].client,
                      &(struct session_error){.room = WIRE_NONE,
                                              .ref = group->orphans[i].ref,
                                              .number = WIRE_NONE,
                                              .code = code});
    }
    for (uint32_t i = 0; i < group->request_count; i++) {
        request_failed(node, group->requests[i], code);
    }
}

/// The group under way failed, and with it what was staged behind it.
static void fail(struct node *node, enum weft_status status)
{
    struct group *away = node->away;
    struct group *open = node->open;
    uint32_t code = WIRE_INTERNAL;
    char reason[STORE_PROBLEM_BYTES];
    node->store->problem(node->store, reason);
    if (reason[0] == '\0' || status == WEFT_NO_MEMORY) {
        snprintf(reason, sizeof reason, "%s", weft_status_text(status));
    }
    if (journal_writable(node, &code) && status == WEFT_LIMIT) {
        code = WIRE_STORAGE_FULL;
    }
    node->metrics.commits_failed++;
    authors_forget(node); // what they wrote in the lost group must not be written otherwise
    node_log(node, NODE_LOG_ERROR, "commit_failed", "entries=%u reason=\"%s\" code=%u",
             away->entries + open->entries, reason, code);
    uint64_t first = away->entries   ? away->first_number
                     : open->entries ? open->first_number
                                     : node->journal_next;
    feeds_failed(node, away);
    node->journal_low = away->journal_low;
    node->journal_bytes += away->pruned_bytes + open->pruned_bytes - away->bytes - open->bytes;
    node->journal_entries +=
        away->pruned_entries + open->pruned_entries - away->entries - open->entries;
    take_back_rooms(node, away, first);
    take_back_rooms(node, open, first);
    refuse_subscriptions(node, away, code);
    refuse_subscriptions(node, open, code);
    clear_group(node, away);
    clear_group(node, open);
    node->away = NULL;
    if (node->store->staged(node->store) > 0) {
        // What is staged fails too, with an event of its own; nothing else may join it.
        node->open->number = node->store->commit(node->store);
        node->open->started_ms = node->now_ms;
        node->away = node->open;
        node->away->journal_low = node->journal_low;
        node->open = node->away == &node->groups[0] ? &node->groups[1] : &node->groups[0];
    }
    node->open->journal_low = node->journal_low;
}

void journal_committed(struct node *node, uint64_t number, enum weft_status status)
{
    struct group *group = node->away;
    if (!group || group->number != number) {
        node_log(node, NODE_LOG_ERROR, "commit_unknown", "group=%llu", (unsigned long long)number);
        return;
    }
    if (status == WEFT_OK && !group->failed) {
        succeed(node, group);
    } else {
        fail(node, status ? status : WEFT_NO_MEMORY);
    }
}
