// SPDX-License-Identifier: MIT
// The node: opening, one step at a time, draining.
#include "node/node.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "node/authors.h"
#include "node/documents.h"
#include "node/edit.h"
#include "node/feeds.h"
#include "node/fetch.h"
#include "node/gossip.h"
#include "node/journal.h"
#include "node/members.h"
#include "node/pull.h"
#include "node/replicas.h"
#include "node/request.h"
#include "node/room.h"
#include "node/session.h"
#include "node/state.h"
#include "node/subscription.h"
#include "node/watch.h"

// -------------------------------------------------------------------------------------- small
// things

void *node_alloc(struct node *node, size_t size)
{
    void *memory = node->allocator.resize(node->allocator.context, NULL, 0, size);
    if (memory) {
        memset(memory, 0, size);
    }
    return memory;
}

void node_free(struct node *node, void *memory, size_t size)
{
    if (memory) {
        node->allocator.resize(node->allocator.context, memory, size, 0);
    }
}

enum weft_status node_grow(struct node *node, void *items_pointer, uint32_t *capacity,
                           uint32_t count, size_t item_size)
{
    void *items;
    if (count < *capacity) {
        return WEFT_OK;
    }
    uint32_t more = *capacity ? *capacity * 2 : 8;
    memcpy(&items, items_pointer, sizeof items); // a pointer to whatever type
    items = node->allocator.resize(node->allocator.context, items, *capacity * item_size,
                                   more * item_size);
    if (!items) {
        return WEFT_NO_MEMORY;
    }
    memcpy(items_pointer, &items, sizeof items);
    *capacity = more;
    return WEFT_OK;
}

void node_log(struct node *node, enum node_log_level level, const char *event, const char *details,
              ...)
{
    char line[1024];
    va_list arguments;
    if (!node->log) {
        return;
    }
    va_start(arguments, details);
    vsnprintf(line, sizeof line, details, arguments);
    va_end(arguments);
    node->log(node->log_context, level, event, line);
}

uint64_t node_random(struct node *node)
{
    uint64_t value;
    node->entropy->fill(node->entropy, &value, sizeof value);
    return value;
}

uint64_t node_agent(struct node *node)
{
    uint64_t agent;
    do {
        agent = node_random(node) & ~WEFT_AGENT_RESERVED_BIT;
    } while (agent == 0);
    return agent;
}

// -------------------------------------------------------------------------------------------
// opening

static void set_limits(struct node *node, const struct node_limits *asked)
{
    struct node_limits *limits = &node->limits;
    *limits = *asked;
#define DEFAULT(field, value) limits->field = limits->field ? limits->field : (value)
    DEFAULT(frame_bytes_max, LIMIT_FRAME_BYTES);
    DEFAULT(document_name_bytes_max, LIMIT_NAME_BYTES);
    DEFAULT(document_bytes_max, LIMIT_DOCUMENT_BYTES);
    DEFAULT(document_atoms_max, LIMIT_DOCUMENT_ATOMS);
    DEFAULT(rooms_per_client_max, LIMIT_ROOMS_PER_CLIENT);
    DEFAULT(client_gather_bytes_max, LIMIT_GATHER_BYTES);
    DEFAULT(room_ring_bytes_max, LIMIT_RING_BYTES);
    DEFAULT(documents_bytes_max, LIMIT_DOCUMENTS_BYTES);
    DEFAULT(journal_bytes_max, LIMIT_JOURNAL_BYTES);
    DEFAULT(clients_max, LIMIT_CLIENTS);
    DEFAULT(requests_max, LIMIT_REQUESTS);
#undef DEFAULT
    if (limits->frame_bytes_max < LIMIT_FRAME_BYTES_MIN) {
        limits->frame_bytes_max = LIMIT_FRAME_BYTES_MIN;
    }
    if (limits->document_name_bytes_max > RECORD_NAME_BYTES_MAX) {
        limits->document_name_bytes_max = RECORD_NAME_BYTES_MAX;
    }
    if (limits->client_gather_bytes_max < limits->frame_bytes_max) {
        limits->client_gather_bytes_max = limits->frame_bytes_max;
    }
}

static bool take_name(char out[PEER_NAME_BYTES_MAX + 1], struct span text)
{
    if (text.size > PEER_NAME_BYTES_MAX || !utf8_is_valid(text)) {
        return false;
    }
    if (text.size) {
        memcpy(out, text.data, text.size);
    }
    out[text.size] = '\0';
    return true;
}

static enum weft_status put_meta(struct node *node, const char *key, enum weft_status encoded)
{
    return encoded ? encoded
                   : node->store->put(node->store, STORE_META, span_of_text(key),
                                      span_of_buffer(&node->scratch));
}

static enum weft_status check_format(struct node *node)
{
    struct span value;
    uint64_t format;
    enum weft_status status =
        node->store->get(node->store, &value, STORE_META, span_of_text(RECORD_META_FORMAT));
    if (status == WEFT_OK) {
        status = record_u64_decode(&format, value);
        return status ? status : format > RECORD_FORMAT ? WEFT_UNSUPPORTED : WEFT_OK;
    }
    if (status != WEFT_NOT_FOUND) {
        return status;
    }
    node->scratch.size = 0;
    return put_meta(node, RECORD_META_FORMAT, record_u64_encode(&node->scratch, RECORD_FORMAT));
}

/// The given name, the stored one, or a fresh one.
static enum weft_status set_name(struct node *node, struct span given)
{
    struct span value;
    struct span stored = {0};
    enum weft_status status =
        node->store->get(node->store, &value, STORE_META, span_of_text(RECORD_META_NAME));
    if (status == WEFT_OK) {
        status = record_text_decode(&stored, value);
    }
    if (status && status != WEFT_NOT_FOUND) {
        return status;
    }
    if (given.size > 0 && !take_name(node->name, given)) {
        return WEFT_MALFORMED;
    }
    if (given.size == 0 && stored.size > 0 && !take_name(node->name, stored)) {
        return WEFT_MALFORMED;
    }
    if (given.size == 0 && stored.size == 0) {
        snprintf(node->name, sizeof node->name, "node-%08x", (unsigned)node_random(node));
    }
    if (span_equal(stored, span_of_text(node->name))) {
        return WEFT_OK;
    }
    node->scratch.size = 0;
    return put_meta(node, RECORD_META_NAME,
                    record_text_encode(&node->scratch, span_of_text(node->name)));
}

static void init(struct node *node, const struct node_config *config)
{
    node->allocator = config->allocator;
    node->clock = config->clock;
    node->entropy = config->entropy;
    node->store = config->store;
    node->links = config->links;
    node->log = config->log;
    node->log_context = config->log_context;
    node->heartbeat_ms = config->heartbeat_ms ? config->heartbeat_ms : HEARTBEAT_MS;
    node->now_ms = node->clock->now_ms(node->clock);
    node->started_ms = node->now_ms;
    node->archive = (struct archive){.store = config->store, .allocator = config->allocator};
    node->next_room_number = 1;
    node->greeting = (struct client_list){NO_SLOT, NO_SLOT};
    node->ready = node->greeting;
    node->blocked = node->greeting;
    set_limits(node, &config->limits);
    idmap_init(&node->documents, &node->allocator);
    idmap_init(&node->requests, &node->allocator);
    idmap_init(&node->feed_index, &node->allocator);
    weft_buffer_init(&node->scratch, &node->allocator);
    weft_buffer_init(&node->version, &node->allocator);
    weft_buffer_init(&node->message, &node->allocator);
    weft_buffer_init(&node->comparison.cursor, &node->allocator);
    weft_buffer_init(&node->comparison.feeds, &node->allocator);
    journal_init(node);
    node->hash_seed = node_random(node);
    authors_forget(node);
}

static enum weft_status open_store(struct node *node, const struct node_config *config)
{
    if (!take_name(node->gossip_address, config->gossip_address) ||
        !take_name(node->pull_address, config->pull_address) ||
        !take_name(node->client_address, config->client_address)) {
        return WEFT_MALFORMED;
    }
    enum weft_status status = check_format(node);
    status = status ? status : set_name(node, config->name);
    status = status ? status : journal_load(node);
    status = status ? status : journal_mint(node);
    return status ? status : members_start(node, config);
}

enum weft_status node_create(struct node **node_out, const struct node_config *config)
{
    struct weft_allocator allocator = config->allocator;
    struct node *node = allocator.resize(allocator.context, NULL, 0, sizeof *node);
    if (!node) {
        return WEFT_NO_MEMORY;
    }
    memset(node, 0, sizeof *node);
    init(node, config);
    enum weft_status status = open_store(node, config);
    if (status) {
        node_destroy(node);
        return status;
    }
    node->caught_up = node->seed_count == 0;
    node->beat_ms = node->now_ms - node->heartbeat_ms;
    node->seeds_ms = node->now_ms - 60000; // dialed with the first tick
    journal_commit(node);
    node->store->release(node->store);
    node_log(node, NODE_LOG_NOTICE, "node_opened",
             "name=%s incarnation=%016llx continues=%016llx documents_in_journal=%u entries=%llu",
             node->name, (unsigned long long)node->incarnation,
             (unsigned long long)feeds_own(node)->continues, node->documents.count,
             (unsigned long long)node->journal_entries);
    *node_out = node;
    return WEFT_OK;
}

void node_destroy(struct node *node)
{
    if (!node) {
        return;
    }
    struct weft_allocator allocator = node->allocator;
    session_finish_all(node);
    request_finish_all(node);
    fetch_finish_all(node);
    for (int i = 0; i < 2; i++) {
        for (uint32_t k = 0; k < node->groups[i].room_count; k++) {
            room_unpin(node, node->groups[i].rooms[k]);
        }
    }
    struct queue_item item;
    struct span bytes;
    for (size_t at = 0; queue_next(&node->gather, &at, &item, &bytes);) {
        if (item.kind == QUEUE_CLIENT) {
            room_unpin(node, item.room);
        }
    }
    room_flush_turn(node);
    room_finish_all(node);
    authors_finish(node);
    documents_finish(node);
    members_finish(node);
    feeds_finish(node);
    replicas_finish(node);
    journal_finish(node);
    weft_buffer_finish(&node->scratch);
    weft_buffer_finish(&node->version);
    weft_buffer_finish(&node->message);
    weft_buffer_finish(&node->comparison.cursor);
    weft_buffer_finish(&node->comparison.feeds);
    allocator.resize(allocator.context, node, sizeof *node, 0);
}

// ---------------------------------------------------------------------------------------- one step

static void work_off(struct node *node, struct queue *queue)
{
    struct queue_item item;
    struct span bytes;
    struct queue empty = node->working;
    node->working = *queue; // what is put off again goes to the empty one
    *queue = empty;
    for (size_t at = 0; queue_next(&node->working, &at, &item, &bytes);) {
        if (item.kind == QUEUE_QUESTION) {
            pull_deferred(node, item.answer, bytes);
        } else if (item.kind == QUEUE_REQUEST) {
            request_deferred(node, item.request);
        } else if (item.room) {
            edit_gathered(node, &item, bytes);
        } else {
            session_deferred(node, item.client, bytes);
        }
    }
    queue_clear(&node->working);
}

static void committed(struct node *node, const struct node_event *event)
{
    node->turn_barrier = 0;
    journal_committed(node, event->group, event->status);
    node->opened = true;
    work_off(node, &node->deferred);
    if (!node->away) {
        work_off(node, &node->gather);
    }
}

static void turn(struct node *node)
{
    subscription_pump_all(node);
    room_flush_turn(node);
    journal_prune(node);
    journal_commit(node);
    subscription_flush_acks(node);
    gossip_synced(node);
    gossip_beat(node, false);
    if (node->pull_due) {
        pull_schedule(node);
    }
    node->turn_barrier = 0;
    node->metrics.gathered_bytes = edit_waiting_bytes(node);
    node->metrics.deferred_bytes = node->deferred.items.size;
    node->metrics.members = members_count(node);
    node->metrics.feeds = node->feed_count;
    node->metrics.journal_bytes = node->journal_bytes;
    node->metrics.journal_entries = node->journal_entries;
    node->store->release(node->store);
}

static void tick(struct node *node)
{
    session_tick(node);
    request_tick(node);
    room_tell_quiet(node);
    room_evict(node);
    journal_probe(node);
    members_tick(node);
    pull_schedule(node);
    if (!node->caught_up && !node->comparison.incarnation &&
        node->now_ms - node->started_ms >= CATCHING_UP_MS) {
        node->caught_up = true; // alone, or cut off: it serves what it holds
    }
}

void node_step(struct node *node, const struct node_event *event)
{
    node->now_ms = node->clock->now_ms(node->clock);
    switch (event->kind) {
    case NODE_CLIENT_OPENED:
        session_opened(node, event->client);
        break;
    case NODE_CLIENT_FRAME:
        session_frame(node, event->client, event->bytes);
        break;
    case NODE_CLIENT_WRITABLE:
        session_writable(node, event->client);
        break;
    case NODE_CLIENT_CLOSED:
        session_closed(node, event->client);
        break;
    case NODE_REQUEST:
        request_asked(node, event->request, event->ask);
        break;
    case NODE_REQUEST_WRITABLE:
        watch_writable(node, event->request);
        break;
    case NODE_REQUEST_CLOSED:
        request_closed(node, event->request);
        break;
    case NODE_PEER_UP:
        members_pipe_up(node, event->pipe);
        break;
    case NODE_PEER_MESSAGE:
        if (node->opened) {
            gossip_message(node, event->pipe, event->bytes);
        }
        break;
    case NODE_PEER_DOWN:
        members_pipe_down(node, event->pipe);
        break;
    case NODE_PULL_ASKED:
        pull_asked(node, event->answer, event->bytes);
        break;
    case NODE_PULL_REPLY:
        pull_reply(node, event->ticket, event->status, event->bytes);
        break;
    case NODE_COMMITTED:
        committed(node, event);
        break;
    case NODE_TURN:
        turn(node);
        break;
    case NODE_TICK:
        tick(node);
        break;
    }
}

// ------------------------------------------------------------------------------------------
// draining

void node_drain(struct node *node)
{
    if (node->draining) {
        return;
    }
    node->now_ms = node->clock->now_ms(node->clock);
    node->draining = true;
    node->drained_ms = node->now_ms;
    session_move_all(node);
    gossip_beat(node, true);
}

bool node_drained(const struct node *node)
{
    const struct group *open = node->open;
    return node->draining && !node->away && node->gather.count == 0 && node->deferred.count == 0 &&
           open->room_count == 0 && open->request_count == 0 && open->orphan_count == 0 &&
           node->dirty_feed_count == 0;
}

const char *node_name(const struct node *node)
{
    return node->name;
}

const struct node_metrics *node_metrics(const struct node *node)
{
    return &node->metrics;
}

uint32_t node_unready(const struct node *node)
{
    uint32_t why = 0;
    enum store_health health = node->store->health(node->store);
    why |= health == STORE_BROKEN ? NODE_UNREADY_STORAGE : 0U;
    why |= health == STORE_FULL ? NODE_UNREADY_SPACE : 0U;
    why |= node->draining ? NODE_UNREADY_DRAINING : 0U;
    why |= node->caught_up && node->opened ? 0U : NODE_UNREADY_CATCHING_UP;
    return why;
}
