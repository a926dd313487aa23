// SPDX-License-Identifier: MIT
// Pulling ranges, and handing replies to whoever asked.
#include "node/pull.h"

#include "node/compare.h"
#include "node/edit.h"
#include "node/feeds.h"
#include "node/fetch.h"
#include "node/journal.h"
#include "node/members.h"
#include "node/replicas.h"

#define RANGE_PULLS_MAX 3U     // at once: they bring much of the same
#define RANGE_PATIENCE_MS 200U // before another member is asked as well
#define STALLS_MAX 3U          // replies without a usable entry before documents are compared

void pull_soon(struct node *node)
{
    node->pull_due = true;
}

bool pull_ask(struct node *node, enum pull_kind kind, struct member *member, struct fetch *fetch,
              struct span question)
{
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        struct pull *pull = &node->pulls[i];
        if (pull->ticket == 0) {
            *pull = (struct pull){++node->next_ticket, kind, member->incarnation, fetch};
            node->metrics.pulls_asked++;
            node->links->pull(node->links, pull->ticket, span_of_text(member->pull_address),
                              question);
            return true;
        }
    }
    node->metrics.limit_hits++;
    return false;
}

static void ask_range(struct node *node, struct member *member)
{
    struct peer_message question = {.type = PEER_PULL_RANGE, .bytes_max = PULL_BYTES};
    question.self.incarnation = node->incarnation;
    node->message.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->message);
    peer_begin(&writer, &question);
    feeds_put_list(node, &writer, false, FEEDS_NEEDED);
    if (pack_writer_end(&writer) == WEFT_OK &&
        pull_ask(node, PULL_RANGE, member, NULL, span_of_buffer(&node->message))) {
        member->pulling = true;
        node->range_pulls++;
        node->range_ms = node->now_ms;
    }
}

static bool may_ask(const struct node *node, const struct member *member)
{
    return member->state == MEMBER_HERE && member->pull_address[0] && !member->pulling &&
           node->now_ms >= member->pull_after_ms;
}

void pull_schedule(struct node *node)
{
    uint32_t code;
    node->pull_due = false;
    if (!node->opened || !journal_writable(node, &code) || node->open->failed) {
        return;
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];
        if (member->must_compare && may_ask(node, member) && !node->comparison.incarnation) {
            compare_begin(node, member);
        }
        bool room = node->range_pulls == 0 || (node->range_pulls < RANGE_PULLS_MAX &&
                                               node->now_ms - node->range_ms >= RANGE_PATIENCE_MS);
        if (member->behind && !member->must_compare && room && may_ask(node, member)) {
            ask_range(node, member);
        }
    }
    compare_run(node);
    fetch_run(node);
}

// -------------------------------------------------------------------------------------------
// replies

/// @return Entries that went in; *stuck_out: the next one cannot go in now.
static uint32_t admit_entries(struct node *node, struct peer_list entries, struct peer_list feeds,
                              bool *stuck_out)
{
    uint32_t admitted = 0;
    struct peer_feed item;
    struct span value;
    *stuck_out = false;
    while (peer_next_feed(&item, &feeds)) {
        struct feed *feed = feeds_get(node, &item); // declares what each continues
        (void)feed;
    }
    while (peer_next_bytes(&value, &entries) && !*stuck_out) {
        struct record_entry entry;
        if (record_entry_decode(&entry, value)) {
            node->metrics.gossip_malformed++;
            *stuck_out = true;
            break;
        }
        const struct feed *feed = feeds_find(node, entry.incarnation);
        struct peer_feed declared = {.incarnation = entry.incarnation,
                                     .continued_to = FEED_NOT_TOLD};
        if (feed) {
            declared.continues = feed->continues;
            declared.continued_to = feed->continued_to;
        }
        enum edit_admission admission = edit_admit(node, &declared, value);
        admitted += admission == EDIT_ADMITTED;
        *stuck_out = admission != EDIT_ADMITTED && admission != EDIT_KNOWN;
    }
    return admitted;
}

static bool still_behind(struct node *node, struct peer_list feeds)
{
    feeds_read_list(node, feeds, NULL);
    for (uint32_t i = 0; i < node->feed_count; i++) {
        if (node->feeds[i]->asked > node->feeds[i]->prefix) {
            return true;
        }
    }
    return false;
}

static void take_range(struct node *node, struct member *member, const struct peer_message *message)
{
    bool stuck;
    if (message->answer == PEER_ANSWER_GONE) {
        member->must_compare = true;
        return;
    }
    if (message->answer != PEER_ANSWER_OK) {
        member->pull_after_ms = node->now_ms + PULL_RETRY_MS;
        return;
    }
    uint32_t admitted = admit_entries(node, message->entries, message->feeds, &stuck);
    bool behind = message->more || stuck || still_behind(node, message->feeds);
    if (message->entries.count == 0 && !message->more && behind) {
        stuck = true; // it has no more what it says: an entry is damaged there
    }
    member->stalls = admitted > 0 || !stuck ? 0 : member->stalls + 1;
    if (member->stalls >= STALLS_MAX) {
        member->stalls = 0;
        member->must_compare = true;
        return;
    }
    if (stuck && admitted == 0) {
        member->pull_after_ms = node->now_ms + PULL_RETRY_MS;
    }
    member->behind = behind;
    if (!member->behind) {
        member->lag = 0;
        node->caught_up = true;
    }
}

static void pull_failed(struct node *node, const struct pull *pull, struct member *member)
{
    node->metrics.pulls_failed++;
    if (member) {
        member->pull_after_ms = node->now_ms + PULL_RETRY_MS;
    }
    if (pull->kind == PULL_CHANGED) {
        compare_failed(node);
    } else if (pull->kind == PULL_FETCH) {
        fetch_failed(node, pull->fetch);
    }
}

static bool fits(enum pull_kind kind, enum peer_type type)
{
    return (kind == PULL_RANGE && type == PEER_RANGE) ||
           (kind == PULL_CHANGED && type == PEER_CHANGED) ||
           (kind == PULL_FETCH && (type == PEER_DOCUMENT || type == PEER_CHAINS));
}

void pull_reply(struct node *node, uint64_t ticket, enum weft_status status, struct span bytes)
{
    struct peer_message message;
    struct pull pull = {0};
    for (uint32_t i = 0; i < PULLS_MAX; i++) {
        if (node->pulls[i].ticket == ticket && ticket != 0) {
            pull = node->pulls[i];
            node->pulls[i] = (struct pull){0};
        }
    }
    if (pull.ticket == 0) {
        return;
    }
    struct member *member = members_find(node, pull.incarnation);
    if (pull.kind == PULL_RANGE) {
        node->range_pulls--;
        if (member) {
            member->pulling = false;
        }
    }
    node->pull_due = true; // there may be more to do
    if (status || peer_decode(&message, bytes) || !fits(pull.kind, message.type)) {
        pull_failed(node, &pull, member);
    } else if (pull.kind == PULL_CHANGED) {
        compare_page(node, &message);
    } else if (pull.kind == PULL_FETCH) {
        fetch_reply(node, pull.fetch, &message);
    } else if (member) {
        take_range(node, member, &message);
    }
}

void pull_fence(struct node *node)
{
    uint32_t code;
    node->metrics.fences++;
    node_log(node, NODE_LOG_ERROR, "fenced",
             "another process runs this life: incarnation=%016llx begins anew",
             (unsigned long long)node->incarnation);
    if (!journal_writable(node, &code) || journal_mint(node)) {
        node_log(node, NODE_LOG_ERROR, "fence_failed", "no new incarnation could be stored");
        return;
    }
    replicas_refeed(node);
    node->beat_soon = true;
}
