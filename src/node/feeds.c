// SPDX-License-Identifier: MIT
// Feeds and lists of feeds.
#include "node/feeds.h"

#include <assert.h>

struct feed *feeds_find(struct node *node, uint64_t incarnation)
{
    return idmap_find(&node->feed_index, incarnation);
}

struct feed *feeds_own(struct node *node)
{
    return node->feeds[0];
}

static struct feed *feed_add(struct node *node, uint64_t incarnation)
{
    if (node->feed_count >= FEEDS_MAX && node->opened) {
        node->metrics.limit_hits++;
        return NULL;
    }
    if (node_grow(node, &node->feeds, &node->feed_capacity, node->feed_count,
                  sizeof *node->feeds)) {
        return NULL;
    }
    struct feed *feed = node_alloc(node, sizeof *feed);
    if (!feed) {
        return NULL;
    }
    feed->incarnation = incarnation;
    feed->continued_to = FEED_NOT_TOLD;
    if (idmap_set(&node->feed_index, feed->incarnation, feed)) {
        node_free(node, feed, sizeof *feed);
        return NULL;
    }
    node->feeds[node->feed_count++] = feed;
    return feed;
}

/// Finds a feed, or makes it; one that is retired only when it goes on. *held_out: it is retired.
static struct feed *find_or_add(struct node *node, uint64_t incarnation, uint64_t prefix,
                                bool *held_out)
{
    struct feed *feed = feeds_find(node, incarnation);
    uint64_t held = 0;
    bool retired = !feed && feeds_retired(node, incarnation, &held);
    *held_out = retired && held >= prefix;
    if (feed || *held_out) {
        return feed;
    }
    feed = feed_add(node, incarnation);
    if (feed && retired) {
        feed->prefix = feed->synced = held;
        feed->continued_to = 0; // what it continues is held
        feeds_touch(node, feed);
    }
    return feed;
}

struct feed *feeds_load(struct node *node, uint64_t incarnation, const struct record_feed *record)
{
    struct feed *feed = feeds_find(node, incarnation);
    feed = feed ? feed : feed_add(node, incarnation);
    if (!feed || (record->continues && !feeds_find(node, record->continues) &&
                  !feed_add(node, record->continues))) {
        return NULL;
    }
    feed->prefix = feed->synced = record->prefix;
    feed->continues = record->continues;
    feed->continued_to = record->continued_to;
    feed->own = record->own;
    feed->journal_start = record->journal_start;
    return feed;
}

struct feed *feeds_get(struct node *node, const struct peer_feed *declared)
{
    bool held;
    struct feed *feed = find_or_add(node, declared->incarnation, declared->prefix, &held);
    if (!feed) {
        return NULL;
    }
    bool told = declared->continues != 0 || declared->continued_to != FEED_NOT_TOLD;
    if (told && !feed_is_told(feed)) {
        feed->continues = declared->continues;
        feed->continued_to = declared->continued_to;
        if (feed->prefix > 0 && node->opened) {
            feeds_touch(node, feed);
        }
    }
    // A list that names a feed implies that what it continues is held too. Nothing of that is held
    // here yet, so it must be known, to be named with its prefix.
    if (feed->continues && !find_or_add(node, feed->continues, feed->continued_to, &held)) {
        return held ? feed : NULL;
    }
    return feed;
}

void feeds_free(struct node *node, struct feed *feed)
{
    node_free(node, feed->marks, feed->mark_capacity * sizeof *feed->marks);
    node_free(node, feed, sizeof *feed);
}

void feeds_finish(struct node *node)
{
    for (uint32_t i = 0; i < node->feed_count; i++) {
        feeds_free(node, node->feeds[i]);
    }
    node_free(node, node->feeds, node->feed_capacity * sizeof *node->feeds);
    node_free(node, node->dirty_feeds, node->dirty_feed_capacity * sizeof *node->dirty_feeds);
    idmap_finish(&node->feed_index);
}

void feeds_set_own(struct node *node, struct feed *feed)
{
    for (uint32_t i = 0; i < node->feed_count; i++) {
        if (node->feeds[i] == feed) {
            node->feeds[i] = node->feeds[0];
            node->feeds[0] = feed;
        }
    }
}

// ----------------------------------------------------------------------------------- in the
// journal

/// Where entry `sequence` stands, kept for every JOURNAL_INDEX_STEPth; without memory the search
/// for an entry begins earlier.
static void mark(struct node *node, struct feed *feed, uint64_t sequence, uint64_t number)
{
    const struct feed_mark *last =
        feed->mark_count > 0 ? &feed->marks[feed->mark_first + feed->mark_count - 1] : NULL;
    if (last && sequence - last->sequence < JOURNAL_INDEX_STEP &&
        number - last->number < JOURNAL_INDEX_NUMBERS) {
        return;
    }
    uint32_t end = feed->mark_first + feed->mark_count;
    if (end == feed->mark_capacity && feed->mark_first > feed->mark_count) {
        for (uint32_t i = 0; i < feed->mark_count; i++) {
            feed->marks[i] = feed->marks[feed->mark_first + i];
        }
        feed->mark_first = 0;
        end = feed->mark_count;
    }
    if (node_grow(node, &feed->marks, &feed->mark_capacity, end, sizeof *feed->marks)) {
        return;
    }
    feed->marks[end] = (struct feed_mark){sequence, number};
    feed->mark_count++;
}

void feeds_advance(struct node *node, struct feed *feed, uint64_t number)
{
    feed->prefix++;
    if (feed->first == 0) {
        feed->first = feed->prefix;
        feed->mark_first = 0;
        feed->mark_count = 0;
    }
    mark(node, feed, feed->prefix, number);
    feeds_touch(node, feed);
}

void feeds_adopt(struct node *node, struct feed *feed, uint64_t prefix)
{
    if (prefix > feed->prefix) {
        feed->prefix = prefix;
        feed->first = 0;
        feeds_touch(node, feed);
    }
}

void feeds_replay(struct node *node, uint64_t incarnation, uint64_t sequence, uint64_t number)
{
    struct feed *feed = feeds_find(node, incarnation);
    if (!feed || sequence > feed->prefix) {
        return;
    }
    // A comparison may have brought the feed past what the journal has: then its entries begin
    // anew.
    bool follows = feed->first != 0 && sequence == feed->asked + 1;
    if (!follows) {
        feed->first = sequence;
        feed->mark_first = 0;
        feed->mark_count = 0;
    }
    feed->asked = sequence;
    mark(node, feed, sequence, number);
}

uint64_t feeds_locate(const struct feed *feed, uint64_t sequence)
{
    uint64_t number = 0;
    for (uint32_t low = 0, high = feed->mark_count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        const struct feed_mark *found = &feed->marks[feed->mark_first + middle];
        if (found->sequence <= sequence) {
            number = found->number;
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return number;
}

void feeds_shift(struct node *node, uint64_t number)
{
    for (uint32_t i = 0; i < node->feed_count; i++) {
        struct feed *feed = node->feeds[i];
        // What is left begins at the first mark that stays; entries before it count as gone.
        while (feed->mark_count > 0 && feed->marks[feed->mark_first].number < number) {
            feed->mark_first++;
            feed->mark_count--;
            feed->first = feed->mark_count > 0 ? feed->marks[feed->mark_first].sequence : 0;
        }
    }
}

// ------------------------------------------------------------------------------------------
// staging

void feeds_touch(struct node *node, struct feed *feed)
{
    if (feed->dirty) {
        return;
    }
    if (node_grow(node, &node->dirty_feeds, &node->dirty_feed_capacity, node->dirty_feed_count,
                  sizeof *node->dirty_feeds)) {
        node->open->failed = true;
        return;
    }
    feed->dirty = true;
    node->dirty_feeds[node->dirty_feed_count++] = feed;
}

enum weft_status feeds_stage_one(struct node *node, const struct feed *feed)
{
    struct record_feed record = {feed->prefix, feed->continues,     feed->continued_to,
                                 feed->own,    feed->journal_start, feed->retired};
    struct record_key key = record_key_u64(feed->incarnation);
    node->scratch.size = 0;
    enum weft_status status = record_feed_encode(&node->scratch, &record);
    return status ? status
                  : node->store->put(node->store, STORE_FEEDS, record_key_span(&key),
                                     span_of_buffer(&node->scratch));
}

void feeds_stage(struct node *node, struct group *group)
{
    for (uint32_t i = 0; i < node->dirty_feed_count; i++) {
        struct feed *feed = node->dirty_feeds[i];
        feed->dirty = false;
        if (feeds_stage_one(node, feed) || node_grow(node, &group->feeds, &group->feed_capacity,
                                                     group->feed_count, sizeof *group->feeds)) {
            group->failed = true;
            continue;
        }
        group->feeds[group->feed_count++] = (struct group_feed){feed, feed->prefix};
    }
    node->dirty_feed_count = 0;
}

void feeds_committed(struct node *node, const struct group *group)
{
    (void)node;
    for (uint32_t i = 0; i < group->feed_count; i++) {
        group->feeds[i].feed->synced = group->feeds[i].prefix;
    }
}

static void return_to_disk(struct feed *feed)
{
    feed->prefix = feed->synced;
    feed->dirty = false;
    while (feed->mark_count > 0 &&
           feed->marks[feed->mark_first + feed->mark_count - 1].sequence > feed->prefix) {
        feed->mark_count--;
    }
    if (feed->mark_count == 0) {
        feed->first = 0;
    }
}

void feeds_failed(struct node *node, const struct group *group)
{
    for (uint32_t i = 0; i < group->feed_count; i++) {
        return_to_disk(group->feeds[i].feed);
    }
    for (uint32_t i = 0; i < node->dirty_feed_count; i++) {
        return_to_disk(node->dirty_feeds[i]);
    }
    node->dirty_feed_count = 0;
}

// --------------------------------------------------------------------------------------------
// lists

/// How far the feeds that continue this one say it goes; UINT64_MAX: nobody continues it.
static void note_successors(struct node *node)
{
    for (uint32_t i = 0; i < node->feed_count; i++) {
        node->feeds[i]->asked = UINT64_MAX;
    }
    for (uint32_t i = 0; i < node->feed_count; i++) {
        struct feed *before =
            node->feeds[i]->continues ? feeds_find(node, node->feeds[i]->continues) : NULL;
        uint64_t to = node->feeds[i]->continued_to;
        if (before && (before->asked == UINT64_MAX || before->asked < to)) {
            before->asked = to;
        }
    }
}

static bool is_put(const struct feed *feed, bool synced, enum feeds_named named)
{
    return feed->asked != (synced ? feed->synced : feed->prefix) || !feed_is_told(feed) ||
           named == FEEDS_ALL || (named == FEEDS_ASKED && feed->listed);
}

void feeds_put_list(struct node *node, struct pack_writer *writer, bool synced,
                    enum feeds_named named)
{
    uint32_t count = 0;
    note_successors(node);
    for (uint32_t i = 0; i < node->feed_count; i++) {
        const struct feed *feed = node->feeds[i];
        count += is_put(feed, synced, named);
    }
    pack_array(writer, count);
    for (uint32_t i = 0; i < node->feed_count; i++) {
        const struct feed *feed = node->feeds[i];
        uint64_t prefix = synced ? feed->synced : feed->prefix;
        if (is_put(feed, synced, named)) {
            struct peer_feed item = {feed->incarnation, prefix, feed->continues,
                                     feed->continued_to};
            peer_put_feed(writer, &item);
        }
    }
}

/// Walks down from a listed feed: what it continues and is not listed itself is held up to there.
/// @return 1 when the walk ends where this node does not know how the chain goes on, else 0.
static uint64_t imply(struct node *node, uint64_t incarnation, uint64_t to)
{
    for (uint32_t depth = 0; depth < FEEDS_MAX && incarnation; depth++) {
        struct feed *feed = feeds_find(node, incarnation);
        if (!feed || feed->listed || (feed->asked >= to && feed->asked > 0)) {
            return 0;
        }
        feed->asked = to;
        if (!feed_is_told(feed)) {
            return 1;
        }
        incarnation = feed->continues;
        to = feed->continued_to;
    }
    return 0;
}

/// What a feed that is not in memory has up to `to`, unless it is retired and held that far.
static uint64_t lacks(struct node *node, uint64_t incarnation, uint64_t to)
{
    return incarnation == 0 || feeds_find(node, incarnation) ||
                   feeds_prefix(node, incarnation) >= to
               ? 0
               : to;
}

void feeds_read_list(struct node *node, struct peer_list list, uint64_t *unknown_out)
{
    struct peer_list again = list;
    struct peer_feed item;
    uint64_t unknown = 0;
    for (uint32_t i = 0; i < node->feed_count; i++) {
        node->feeds[i]->asked = 0;
        node->feeds[i]->listed = false;
    }
    while (peer_next_feed(&item, &list)) {
        struct feed *feed = feeds_find(node, item.incarnation);
        if (feed) {
            feed->asked = item.prefix;
            feed->listed = true;
        } else {
            unknown += lacks(node, item.incarnation, item.prefix);
        }
    }
    while (peer_next_feed(&item, &again)) {
        const struct feed *feed = feeds_find(node, item.incarnation);
        bool told = item.continues != 0 || item.continued_to != FEED_NOT_TOLD;
        if (told && feed && feed->continues) { // the other one may have retired that
            item.continues = feed->continues;
            item.continued_to = feed->continued_to;
        }
        unknown += imply(node, item.continues, item.continued_to);
        unknown += lacks(node, item.continues, item.continued_to);
    }
    if (unknown_out) {
        *unknown_out = unknown;
    }
}
