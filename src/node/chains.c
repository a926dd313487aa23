// SPDX-License-Identifier: MIT
// Comparing chains.
#include "node/chains.h"

#include <string.h>

#include <weft/fork.h>

#include "codec/version.h"
#include "node/heal.h"

#define PAGE_AGENTS 4096U // of one question: its answer has 48 bytes for each

static uint32_t search_count(const struct fetch *fetch)
{
    return (uint32_t)(fetch->forks.size / sizeof(struct fork_search));
}

static struct fork_search *search_at(const struct fetch *fetch, uint32_t i)
{
    return (struct fork_search *)(void *)fetch->forks.data + i;
}

// ------------------------------------------------------------------------------------------ asking

struct page {
    struct weft_buffer entries;
    uint64_t after;
    uint64_t last;
    uint32_t count;
    enum weft_status status;
};

static bool add_entry(void *context, uint64_t agent, uint64_t next)
{
    struct page *page = context;
    if (agent <= page->after || (agent & WEFT_AGENT_RESERVED_BIT)) {
        return true; // the id of the reserved class says what it did
    }
    if (page->count == PAGE_AGENTS) {
        return false;
    }
    page->status = version_put(&page->entries, (struct version_entry){agent, next});
    page->last = agent;
    page->count++;
    return page->status == WEFT_OK;
}

/// The next agents of the document, with all that they did.
static enum weft_status read_page(struct node *node, const struct fetch *fetch,
                                  const struct room *room, struct page *page)
{
    page->after = fetch->after;
    node->version.size = 0;
    enum weft_status status = weft_doc_version(&node->version, room->doc);
    status = status ? status
                    : weft_version_visit(node->version.data, node->version.size, add_entry, page);
    return status ? status : page->status;
}

/// Those that differ, half way between where they are equal and where they are not.
static enum weft_status read_middles(const struct fetch *fetch, struct page *page)
{
    for (uint32_t i = 0; i < search_count(fetch) && page->status == WEFT_OK; i++) {
        const struct fork_search *search = search_at(fetch, i);
        if (search->high - search->low > 1) {
            uint64_t middle = search->low + (search->high - search->low) / 2;
            page->status =
                version_put(&page->entries, (struct version_entry){search->agent, middle});
            page->count++;
        }
    }
    return page->status;
}

/// Puts the page into node->version.
static enum weft_status put_page(struct node *node, const struct page *page)
{
    node->version.size = 0;
    enum weft_status status = version_put_count(&node->version, page->count);
    return status ? status
                  : weft_buffer_append(&node->version, page->entries.data, page->entries.size);
}

enum weft_status chains_ask(struct node *node, struct fetch *fetch, struct room *room,
                            struct peer_message *question)
{
    struct page page = {.count = 0};
    bool begins = fetch->after == 0 && fetch->forks.size == 0;
    enum weft_status status = heal_learn(node, room, (struct span){NULL, 0});
    if (status) {
        return status;
    }
    weft_buffer_init(&page.entries, &node->allocator);
    status = fetch->forks.size ? read_middles(fetch, &page) : read_page(node, fetch, room, &page);
    status = status ? status : put_page(node, &page);
    weft_buffer_finish(&page.entries);
    if (status) {
        return status;
    }
    if (page.count == 0 && !begins && !fetch->tell) {
        return WEFT_NOT_FOUND;
    }
    fetch->tell = false;
    fetch->after = fetch->forks.size ? fetch->after : page.last;
    question->type = PEER_PULL_CHAINS;
    question->epoch = room->head.epoch;
    question->version = span_of_buffer(&node->version);
    question->cuts = span_of_buffer(&room->cuts);
    return WEFT_OK;
}

// ----------------------------------------------------------------------------------------
// answering

struct answering {
    struct room *room;
    struct pack_writer *writer; // NULL: only counting
    uint32_t count;
};

static bool put_chain(void *context, uint64_t agent, uint64_t next)
{
    struct answering *answering = context;
    uint64_t here = weft_doc_next_seq(answering->room->doc, agent);
    struct peer_chain item = {.agent = agent, .next = next < here ? next : here};
    if (item.next == 0 || answering->count == PAGE_AGENTS) {
        return true;
    }
    answering->count++;
    if (answering->writer &&
        weft_doc_chain_at(item.chain, answering->room->doc, agent, item.next) == WEFT_OK) {
        peer_put_chain(answering->writer, &item);
    }
    return true;
}

void chains_put(struct room *room, struct pack_writer *writer, struct span version)
{
    struct answering counting = {room, NULL, 0};
    struct answering answering = {room, writer, 0};
    if (!room || weft_version_visit(version.data, version.size, put_chain, &counting)) {
        pack_array(writer, 0);
        return;
    }
    pack_array(writer, counting.count);
    (void)!weft_version_visit(version.data, version.size, put_chain, &answering);
}

// -------------------------------------------------------------------------------------------
// taking

/// Agents whose chains differ are searched through.
static enum weft_status begin_search(struct fetch *fetch, const struct peer_chain *item)
{
    struct fork_search search = {.agent = item->agent, .low = 0, .high = item->next};
    memcpy(search.chain, item->chain, sizeof search.chain);
    return weft_buffer_append(&fetch->forks, &search, sizeof search);
}

static enum weft_status narrow(struct fetch *fetch, const struct peer_chain *item, bool equal)
{
    for (uint32_t i = 0; i < search_count(fetch); i++) {
        struct fork_search *search = search_at(fetch, i);
        if (search->agent != item->agent) {
            continue;
        }
        if (item->next <= search->low || item->next >= search->high) {
            return WEFT_CONFLICT; // that is not what was asked: its document changed meanwhile
        }
        if (equal) {
            search->low = item->next;
        } else {
            search->high = item->next;
            memcpy(search->chain, item->chain, sizeof search->chain);
        }
        return WEFT_OK;
    }
    return WEFT_CONFLICT;
}

static bool all_found(const struct fetch *fetch)
{
    for (uint32_t i = 0; i < search_count(fetch); i++) {
        if (search_at(fetch, i)->high - search_at(fetch, i)->low > 1) {
            return false;
        }
    }
    return fetch->forks.size > 0;
}

static enum weft_status add_cut(struct weft_buffer *cuts, const struct fork_search *search,
                                struct room *room)
{
    uint8_t chain[32];
    bool changed = false;
    enum weft_status status = weft_doc_chain_at(chain, room->doc, search->agent, search->low + 1);
    if (status) {
        return status;
    }
    uint64_t here = weft_fork_heir(room->doc, search->agent, search->low, chain);
    uint64_t there = weft_fork_heir(room->doc, search->agent, search->low, search->chain);
    struct weft_cut cut = {search->agent, search->low, here < there ? here : there};
    return weft_cuts_add(&changed, cuts, &cut);
}

/// The first atoms that differ are known: cuts them.
static enum weft_status conclude(struct node *node, struct fetch *fetch, struct room *room)
{
    struct span name = document_name(room->document);
    struct weft_buffer cuts;
    enum weft_status status = WEFT_OK;
    weft_buffer_init(&cuts, &node->allocator);
    for (uint32_t i = 0; i < search_count(fetch) && status == WEFT_OK; i++) {
        const struct fork_search *search = search_at(fetch, i);
        node_log(node, NODE_LOG_WARNING, "fork_found", "doc=\"%.*s\" agent=%016llx seq=%llu",
                 (int)name.size, (const char *)name.data, (unsigned long long)search->agent,
                 (unsigned long long)search->low);
        status = add_cut(&cuts, search, room);
    }
    status = status ? status : heal_learn(node, room, span_of_buffer(&cuts));
    weft_buffer_finish(&cuts);
    fetch->forks.size = 0;
    fetch->after = status ? 0 : UINT64_MAX;
    fetch->tell = status == WEFT_OK;
    return status;
}

enum weft_status chains_take(struct node *node, struct fetch *fetch, struct room *room,
                             const struct peer_message *message)
{
    struct peer_list list = message->chains;
    struct peer_chain item;
    bool searching = fetch->forks.size > 0;
    enum weft_status status = WEFT_OK;
    if (weft_epoch_compare(&message->epoch, &room->head.epoch) != 0) {
        return WEFT_NOT_FOUND; // another difference, and not healed here
    }
    if (message->cuts.size > 0) {
        status = heal_learn(node, room, message->cuts);
    }
    while (status == WEFT_OK && peer_next_chain(&item, &list)) {
        uint8_t chain[32];
        if (weft_doc_chain_at(chain, room->doc, item.agent, item.next)) {
            status = searching ? WEFT_CONFLICT : WEFT_OK; // it has more than was asked about
            continue;
        }
        bool equal = memcmp(chain, item.chain, sizeof chain) == 0;
        if (searching) {
            status = narrow(fetch, &item, equal);
        } else if (!equal && item.next > 0) {
            status = begin_search(fetch, &item);
        }
    }
    if (status == WEFT_OK && all_found(fetch)) {
        status = conclude(node, fetch, room);
    }
    if (status) {
        fetch->forks.size = 0;
        fetch->after = 0;
    }
    return status;
}
