// SPDX-License-Identifier: MIT
// replicated:n - counting disks.
#include "node/replicas.h"

#include "node/feeds.h"
#include "node/members.h"
#include "node/request.h"
#include "node/subscription.h"

// ------------------------------------------------------------------------------------------
// barriers

static struct barrier *find_barrier(const struct node *node, uint64_t id)
{
    const struct barrier *barrier = &node->barriers[id % BARRIERS_MAX];
    return barrier->id == id ? (struct barrier *)(uintptr_t)barrier : NULL;
}

static void clear_barrier(struct node *node, struct barrier *barrier)
{
    node_free(node, barrier->feeds, barrier->feed_count * sizeof *barrier->feeds);
    *barrier = (struct barrier){0};
}

uint64_t replicas_barrier(struct node *node)
{
    if (node->turn_barrier) {
        return node->turn_barrier;
    }
    uint64_t id = node->next_barrier + 1;
    struct barrier *barrier = &node->barriers[id % BARRIERS_MAX];
    clear_barrier(node, barrier);
    barrier->feeds = node_alloc(node, node->feed_count * sizeof *barrier->feeds);
    if (!barrier->feeds) {
        return 0;
    }
    barrier->feed_count = node->feed_count;
    for (uint32_t i = 0; i < node->feed_count; i++) {
        barrier->feeds[i] = (struct group_feed){node->feeds[i], node->feeds[i]->synced};
    }
    barrier->id = id;
    node->next_barrier = id;
    node->turn_barrier = id;
    return id;
}

void replicas_note(struct node *node, const struct member *member)
{
    for (uint32_t i = 0; i < BARRIERS_MAX; i++) {
        struct barrier *barrier = &node->barriers[i];
        bool covers = barrier->id != 0 && barrier->covered < CLIENT_REPLICAS_MAX;
        for (uint32_t k = 0; k < barrier->covered && covers; k++) {
            covers = barrier->covered_by[k] != member->incarnation;
        }
        for (uint32_t k = 0; k < barrier->feed_count && covers; k++) {
            covers = barrier->feeds[k].feed->asked >= barrier->feeds[k].prefix;
        }
        if (covers) {
            barrier->covered_by[barrier->covered++] = member->incarnation;
        }
    }
}

static bool holds(const struct member *member, uint64_t sequence, uint64_t barrier_id,
                  const struct barrier *barrier)
{
    bool covers = barrier_id == 0;
    for (uint32_t k = 0; barrier && k < barrier->covered && !covers; k++) {
        covers = barrier->covered_by[k] == member->incarnation;
    }
    return covers && member->state == MEMBER_HERE && member->own_synced >= sequence &&
           member->heard_ms > 0;
}

uint32_t replicas_count(const struct node *node, uint64_t sequence, uint64_t barrier_id)
{
    const struct barrier *barrier = barrier_id ? find_barrier(node, barrier_id) : NULL;
    uint32_t count = 1; // this disk
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];
        if (holds(member, sequence, barrier_id, barrier)) {
            const struct member *next =
                member->next_life ? members_find(node, member->next_life) : NULL;
            count += !next || !holds(next, sequence, barrier_id, barrier);
        }
    }
    return count;
}

// -------------------------------------------------------------------------------------
// subscriptions

static void waiting_append(struct node *node, struct subscription *subscription)
{
    if (subscription->in_awaiting) {
        return;
    }
    subscription->in_awaiting = true;
    subscription->awaiting_next = NULL;
    subscription->awaiting_previous = node->awaiting_last;
    if (node->awaiting_last) {
        node->awaiting_last->awaiting_next = subscription;
    } else {
        node->awaiting = subscription;
    }
    node->awaiting_last = subscription;
}

static void waiting_remove(struct node *node, struct subscription *subscription)
{
    if (!subscription->in_awaiting) {
        return;
    }
    subscription->in_awaiting = false;
    if (subscription->awaiting_previous) {
        subscription->awaiting_previous->awaiting_next = subscription->awaiting_next;
    } else {
        node->awaiting = subscription->awaiting_next;
    }
    if (subscription->awaiting_next) {
        subscription->awaiting_next->awaiting_previous = subscription->awaiting_previous;
    } else {
        node->awaiting_last = subscription->awaiting_previous;
    }
}

void replicas_drop(struct node *node, struct subscription *subscription)
{
    waiting_remove(node, subscription);
}

void replicas_keep(struct node *node, uint64_t *barrier)
{
    if (*barrier && !find_barrier(node, *barrier)) {
        uint64_t later = replicas_barrier(node); // it made room for later ones
        *barrier = later ? later : *barrier;
    }
}

static void check(struct node *node, struct subscription *subscription)
{
    uint32_t wanted = node->clients[subscription->slot].replicas;
    uint32_t done = 0;
    while (done < subscription->wait_count) {
        struct replica_wait *wait = &subscription->waits[done];
        replicas_keep(node, &wait->barrier);
        if (replicas_count(node, wait->sequence, wait->barrier) < wanted) {
            break;
        }
        subscription->replicated = wait->number;
        metrics_observe(&node->metrics.ack_ms[METRICS_REPLICATED], node->now_ms - wait->since_ms);
        done++;
    }
    if (done == 0) {
        return;
    }
    for (uint32_t i = done; i < subscription->wait_count; i++) {
        subscription->waits[i - done] = subscription->waits[i];
    }
    subscription->wait_count -= (uint8_t)done;
    subscription_ack(node, subscription);
    if (subscription->wait_count == 0) {
        waiting_remove(node, subscription);
    }
}

void replicas_expect(struct node *node, struct subscription *subscription, uint64_t sequence)
{
    uint32_t wanted = node->clients[subscription->slot].replicas;
    bool resent = subscription->resent;
    subscription->resent = false;
    if (wanted < 2) {
        return;
    }
    if (!subscription->waits) {
        subscription->waits = node_alloc(node, CLIENT_WAITS_MAX * sizeof *subscription->waits);
    }
    struct replica_wait wait = {subscription->durable, sequence,
                                resent ? replicas_barrier(node) : 0, node->now_ms};
    if (!subscription->waits || (resent && !wait.barrier)) {
        return; // no memory: this ack is left out, a later one covers it
    }
    if (subscription->wait_count == CLIENT_WAITS_MAX) {
        struct replica_wait *last = &subscription->waits[CLIENT_WAITS_MAX - 1];
        wait.since_ms = last->since_ms;
        wait.barrier = wait.barrier ? wait.barrier : last->barrier;
        wait.sequence = wait.sequence > last->sequence ? wait.sequence : last->sequence;
        *last = wait;
    } else {
        subscription->waits[subscription->wait_count++] = wait;
    }
    waiting_append(node, subscription);
    check(node, subscription);
}

void replicas_check(struct node *node)
{
    for (struct subscription *subscription = node->awaiting; subscription;) {
        struct subscription *next = subscription->awaiting_next;
        check(node, subscription);
        subscription = next;
    }
    request_check_replicas(node);
}

void replicas_refeed(struct node *node)
{
    bool any = node->awaiting || node->awaiting_requests;
    uint64_t barrier = any ? replicas_barrier(node) : 0;
    uint64_t sequence = barrier ? 0 : UINT64_MAX; // without memory nobody holds it
    for (struct subscription *subscription = node->awaiting; subscription;
         subscription = subscription->awaiting_next) {
        for (uint32_t i = 0; i < subscription->wait_count; i++) {
            subscription->waits[i].sequence = sequence;
            subscription->waits[i].barrier = barrier;
        }
    }
    for (struct request *request = node->awaiting_requests; request;
         request = request->await_next) {
        request->sequence = sequence;
        request->barrier = barrier;
    }
    for (int i = 0; i < 2; i++) {
        node->groups[i].fenced = true;
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        node->members[i]->own_synced = 0;
    }
}

void replicas_renew(struct node *node)
{
    for (uint32_t i = 0; i < BARRIERS_MAX; i++) {
        clear_barrier(node, &node->barriers[i]);
    }
    node->turn_barrier = 0;
    replicas_check(node);
}

void replicas_finish(struct node *node)
{
    for (uint32_t i = 0; i < BARRIERS_MAX; i++) {
        clear_barrier(node, &node->barriers[i]);
    }
}
