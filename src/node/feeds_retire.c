// SPDX-License-Identifier: MIT
// Feeds of lives that ended long ago: they leave memory, so that a node may be started as often as
// it likes.
//
//   own I9 --> ... --> I5 up to 87 --> I4 up to 12 --> I3 up to 40 --> ...
//                                  ^ the oldest that is kept     ^ retired
//
// An empty life is left out of its chain; nobody needs anything of it. Of the others the oldest one
// of a chain goes when all that its successor says it held is here and none of it is in the
// journal. The successor then stands for all before it: it is not in the journal from its first
// entry on, so who lacks it compares documents. The record of a retired feed stays, marked: it says
// that what others name of that feed is held here, and is looked for only when someone names it.
#include "node/feeds.h"
#include "node/replicas.h"

bool feeds_retired(struct node *node, uint64_t incarnation, uint64_t *prefix_out)
{
    struct record_key key = record_key_u64(incarnation);
    struct record_feed record;
    struct span value;
    if (feeds_find(node, incarnation) ||
        node->store->get(node->store, &value, STORE_FEEDS, record_key_span(&key)) ||
        record_feed_decode(&record, value)) {
        return false;
    }
    *prefix_out = record.prefix;
    return true;
}

uint64_t feeds_prefix(struct node *node, uint64_t incarnation)
{
    const struct feed *feed = feeds_find(node, incarnation);
    uint64_t prefix = feed ? feed->prefix : 0;
    if (!feed && incarnation && !feeds_retired(node, incarnation, &prefix)) {
        return 0;
    }
    return prefix;
}

bool feeds_crowded(const struct node *node)
{
    return node->feed_count > FEEDS_KEPT && node->feed_count >= node->feeds_due;
}

static void find_successors(struct node *node)
{
    for (uint32_t i = 0; i < node->feed_count; i++) {
        node->feeds[i]->successor = NULL;
        node->feeds[i]->branched = false;
    }
    for (uint32_t i = 0; i < node->feed_count; i++) {
        struct feed *before = feeds_find(node, node->feeds[i]->continues);
        if (before) {
            before->branched |= before->successor != NULL;
            before->successor = node->feeds[i];
        }
    }
}

/// Whether exactly what its only successor says is here and on the disk. The own life stays, which
/// a copy of this directory may continue, and so does its predecessor, which tells others what disk
/// this is.
static bool is_ended(struct node *node, const struct feed *feed)
{
    const struct feed *next = feed->successor;
    return next && feed != feeds_own(node) && next != feeds_own(node) && !feed->branched &&
           feed_is_told(feed) && !feed->dirty && feed->prefix == feed->synced &&
           next->continued_to == feed->prefix;
}

/// Takes `feed` out of its chain; its successor continues what is left.
static void take_out(struct node *node, struct feed *feed, uint64_t continues,
                     uint64_t continued_to)
{
    struct feed *next = feed->successor;
    struct feed *before = feeds_find(node, continues);
    next->continues = continues;
    next->continued_to = continues ? continued_to : 0;
    next->journal_start = feed->journal_start; // so far goes a checkpoint of what it continues
    if (before) {
        before->successor = next;
    }
    idmap_remove(&node->feed_index, feed->incarnation);
    feed->retired = true;
}

static void take_out_empty(struct node *node)
{
    for (uint32_t i = 0; i < node->feed_count; i++) {
        struct feed *feed = node->feeds[i];
        struct record_key key = record_key_u64(feed->incarnation);
        if (feed->prefix > 0 || !is_ended(node, feed)) {
            continue;
        }
        if (node->store->remove(node->store, STORE_FEEDS, record_key_span(&key))) {
            node->open->failed = true;
        }
        take_out(node, feed, feed->continues, feed->continued_to);
        if (feed->successor->own || feed->successor->prefix > 0) {
            feeds_touch(node, feed->successor);
        }
    }
}

static void retire_from(struct node *node, struct feed *oldest, uint32_t *left)
{
    struct feed *feed = oldest;
    while (*left > FEEDS_KEPT / 2 && !feed->retired && feed->continues == 0 && feed->prefix > 0 &&
           is_ended(node, feed) && feed->first == 0) {
        struct feed *next = feed->successor;
        if (next->synced == 0 || next->first == 1) {
            break; // it could not stand for what was before
        }
        take_out(node, feed, 0, 0);
        if (feeds_stage_one(node, feed)) {
            node->open->failed = true;
        }
        --*left;
        feed = next;
    }
    if (feed != oldest) {
        feeds_touch(node, feed);
    }
}

static uint32_t let_go(struct node *node)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->feed_count; i++) {
        struct feed *feed = node->feeds[i];
        if (feed->retired) {
            feeds_free(node, feed);
        } else {
            node->feeds[kept++] = feed;
        }
    }
    return kept;
}

void feeds_retire(struct node *node)
{
    if (node->away) {
        return; // it names feeds
    }
    find_successors(node);
    take_out_empty(node);
    uint32_t left = 0;
    for (uint32_t i = 0; i < node->feed_count; i++) {
        left += !node->feeds[i]->retired;
    }
    for (uint32_t i = 0; i < node->feed_count; i++) {
        retire_from(node, node->feeds[i], &left);
    }
    uint32_t before = node->feed_count;
    node->feed_count = let_go(node);
    node->feeds_due = node->feed_count + FEEDS_KEPT / 8; // when next to look
    replicas_renew(node);
    node_log(node, NODE_LOG_INFO, "feeds_retired", "retired=%u kept=%u", before - node->feed_count,
             node->feed_count);
}
