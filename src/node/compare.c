// SPDX-License-Identifier: MIT
// Comparing documents: the side that asks.
#include "node/compare.h"

#include "node/digests.h"
#include "node/feeds.h"
#include "node/fetch.h"
#include "node/journal.h"
#include "node/members.h"
#include "node/pull.h"

#define COMPARE_FAILURES_MAX 8U

static void reset(struct node *node)
{
    struct comparison *comparison = &node->comparison;
    comparison->incarnation = 0;
    comparison->asked = false;
    comparison->cursor.size = 0;
    comparison->feeds.size = 0;
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (node->pulls[i].kind == PULL_CHANGED) {
            node->pulls[i] = (struct pull){0}; // a page that comes late is none of the next one's
        }
    }
}

void compare_begin(struct node *node, struct member *member)
{
    struct comparison *comparison = &node->comparison;
    reset(node);
    comparison->incarnation = member->incarnation;
    comparison->first_page = true;
    comparison->pages_done = false;
    comparison->failures = 0;
    comparison->retry_ms = node->now_ms;
    comparison->started_ms = node->now_ms;
    comparison->fetches = 0;
    comparison->feed_count = 0;
    node->metrics.comparisons++;
    node_log(node, NODE_LOG_INFO, "comparison_began", "peer=%s", member->name);
}

void compare_abort(struct node *node)
{
    if (node->comparison.incarnation) {
        fetch_cancel(node, node->comparison.incarnation);
        reset(node);
    }
}

static void ask_page(struct node *node, struct member *member)
{
    struct comparison *comparison = &node->comparison;
    struct peer_message question = {
        .type = PEER_PULL_CHANGED,
        .checkpoint_incarnation = member->checkpoint_incarnation,
        .checkpoint = member->checkpoint,
        .cursor = span_of_buffer(&comparison->cursor),
        .count_max = PULL_PAGE_DOCUMENTS,
    };
    question.self.incarnation = node->incarnation;
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &question);
    if (pack_writer_end(&writer) == WEFT_OK) {
        comparison->asked =
            pull_ask(node, PULL_CHANGED, member, NULL, span_of_buffer(&node->message));
    }
}

/// Whether whoever is linked was compared with and is unsure itself, and was so for a while: then
/// there is nobody to wait for.
static bool nobody_is_sure(struct node *node)
{
    if (node->unsure_ms == 0) {
        node->unsure_ms = node->now_ms;
    }
    if (node->now_ms - node->unsure_ms < UNSURE_PATIENCE_MS) {
        return false;
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];
        if (member->state == MEMBER_HERE && member->pipe_count > 0 && !member->unsure) {
            return false;
        }
    }
    return true;
}

/// All that differed is here: what the other held when it began is held now.
static void finish(struct node *node, struct member *member)
{
    struct comparison *comparison = &node->comparison;
    struct peer_list list = {pack_reader_of(span_of_buffer(&comparison->feeds)),
                             comparison->feed_count};
    struct peer_list again = list;
    struct peer_feed item;
    while (peer_next_feed(&item, &again)) {
        struct feed *feed = feeds_get(node, &item);
        (void)feed;
    }
    feeds_read_list(node, list, NULL);
    for (uint32_t i = 0; i < node->feed_count; i++) {
        feeds_adopt(node, node->feeds[i], node->feeds[i]->asked);
    }
    // Who is sure names its own feed at least.
    member->unsure = comparison->feed_count == 0;
    if (node->unsure && (!member->unsure || nobody_is_sure(node))) {
        node->unsure = false;
        journal_drop_damaged(node);
    }
    node->caught_up = true;
    if (!member->unsure) {
        member->checkpoint_incarnation = comparison->checkpoint_incarnation;
        member->checkpoint = comparison->checkpoint;
        member->must_compare = false;
        member->behind = true; // what came since is pulled
    } else {
        member->pull_after_ms = node->now_ms + 4 * PULL_RETRY_MS;
    }
    node->metrics.comparisons_done++;
    node_log(node, NODE_LOG_INFO, "comparison_done", "peer=%s ms=%llu", member->name,
             (unsigned long long)(node->now_ms - comparison->started_ms));
    reset(node);
    pull_soon(node);
}

void compare_run(struct node *node)
{
    struct comparison *comparison = &node->comparison;
    if (!comparison->incarnation) {
        return;
    }
    struct member *member = members_find(node, comparison->incarnation);
    if (!member || member->state != MEMBER_HERE || comparison->failures > COMPARE_FAILURES_MAX) {
        if (member) {
            member->pull_after_ms = node->now_ms + 4 * PULL_RETRY_MS;
            member->checkpoint_incarnation = 0; // it may not accept that one any more
        }
        compare_abort(node);
        return;
    }
    if (comparison->asked || node->now_ms < comparison->retry_ms) {
        return;
    }
    if (!comparison->pages_done && comparison->fetches < PULL_PAGE_DOCUMENTS) {
        ask_page(node, member);
    } else if (comparison->pages_done && comparison->fetches == 0) {
        finish(node, member);
    }
}

void compare_failed(struct node *node)
{
    struct comparison *comparison = &node->comparison;
    comparison->asked = false;
    comparison->failures++;
    comparison->retry_ms = node->now_ms + PULL_RETRY_MS;
}

/// Keeps the list of feeds as it stands in the message.
static bool keep_feeds(struct comparison *comparison, struct peer_list feeds)
{
    const uint8_t *from = feeds.reader.at;
    struct peer_list walk = feeds;
    struct peer_feed item;
    while (peer_next_feed(&item, &walk)) {
    }
    comparison->feeds.size = 0;
    comparison->feed_count = feeds.count;
    return weft_buffer_append(&comparison->feeds, from, (size_t)(walk.reader.at - from)) == WEFT_OK;
}

static bool take_items(struct node *node, struct peer_list items)
{
    struct comparison *comparison = &node->comparison;
    struct peer_digest item;
    while (peer_next_digest(&item, &items)) {
        struct peer_digest own;
        bool known = digests_of(node, item.document, &own) == WEFT_OK;
        if (known && digests_equal(&own, &item)) {
            continue;
        }
        switch (
            fetch_add(node, FETCH_COMPARE, comparison->incarnation, item.document, &item.digest)) {
        case FETCH_ADDED:
            comparison->fetches++;
            break;
        case FETCH_THERE:
            break;
        default:
            return false;
        }
    }
    return true;
}

void compare_page(struct node *node, const struct peer_message *message)
{
    struct comparison *comparison = &node->comparison;
    if (!comparison->incarnation || !comparison->asked) {
        return; // it was given up meanwhile
    }
    comparison->asked = false;
    if (message->answer != PEER_ANSWER_OK) {
        compare_failed(node);
        return;
    }
    if (comparison->first_page) {
        if (!keep_feeds(comparison, message->feeds)) {
            compare_failed(node);
            return;
        }
        comparison->checkpoint_incarnation = message->checkpoint_incarnation;
        comparison->checkpoint = message->checkpoint;
        comparison->first_page = false;
    }
    // Documents that were noted twice because a page is asked for again are fetched once.
    if (!take_items(node, message->digests)) {
        compare_failed(node);
        return;
    }
    comparison->cursor.size = 0;
    comparison->pages_done = message->cursor.data == NULL;
    if (!comparison->pages_done &&
        weft_buffer_append(&comparison->cursor, message->cursor.data, message->cursor.size)) {
        comparison->failures = COMPARE_FAILURES_MAX + 1; // without the cursor it cannot go on
    }
    comparison->failures = 0;
}

void compare_fetched(struct node *node, uint64_t incarnation, bool done)
{
    struct comparison *comparison = &node->comparison;
    if (comparison->incarnation != incarnation || comparison->fetches == 0) {
        return;
    }
    comparison->fetches--;
    if (!done) {
        comparison->failures =
            COMPARE_FAILURES_MAX + 1; // what was not fetched must not count as held
    }
}
