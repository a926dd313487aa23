// SPDX-License-Identifier: MIT
// Members and links.
#include "node/members.h"

#include <string.h>

#include "node/feeds.h"
#include "node/gossip.h"

#define REDIAL_SEEDS_MS 5000U // those that are not linked
#define LIVES_MAX 8U          // earlier ones of a member that are looked for among the others
#define DIAL_ANYWAY_BEATS 5U  // a member that should dial and does not is dialed

static void copy_cut(char out[PEER_NAME_BYTES_MAX + 1], struct span text)
{
    size_t size = text.size < PEER_NAME_BYTES_MAX ? text.size : PEER_NAME_BYTES_MAX;
    if (size) {
        memcpy(out, text.data, size);
    }
    out[size] = '\0';
}

struct member *members_find(const struct node *node, uint64_t incarnation)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        if (node->members[i]->incarnation == incarnation) {
            return node->members[i];
        }
    }
    return NULL;
}

uint32_t members_count(const struct node *node)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->member_count; i++) {
        count += node->members[i]->state == MEMBER_HERE;
    }
    return count;
}

// ----------------------------------------------------------------------------------------- dialing

static struct seed *find_seed(struct node *node, const char *address)
{
    for (uint32_t i = 0; i < node->seed_count; i++) {
        if (strcmp(node->seeds[i].address, address) == 0) {
            return &node->seeds[i];
        }
    }
    return NULL;
}

static void dial(struct node *node, const char *address)
{
    struct seed *seed = find_seed(node, address);
    if (seed) {
        seed->dialing = true;
    }
    if (address[0] && strcmp(address, node->gossip_address) != 0) {
        node->links->dial(node->links, span_of_text(address));
    }
}

static void hang_up(struct node *node, struct member *member)
{
    struct seed *seed = find_seed(node, member->gossip_address);
    if (!member->dialed) {
        return;
    }
    member->dialed = false;
    if (seed) {
        seed->dialing = false;
    }
    node->links->hang_up(node->links, span_of_text(member->gossip_address));
}

static void dial_member(struct node *node, struct member *member)
{
    if (!member->dialed && member->state == MEMBER_HERE && member->gossip_address[0]) {
        member->dialed = true;
        dial(node, member->gossip_address);
    }
}

/// Whether who is at a seed's address is linked, or went for good.
static bool needs_no_dialing(const struct node *node, const char *address)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *member = node->members[i];
        if (strcmp(member->gossip_address, address) == 0 &&
            (member->pipe_count > 0 || member->state != MEMBER_HERE)) {
            return true;
        }
    }
    return false;
}

/// Whoever else is reached: two groups that know of each other through a seed only would stay two.
static void dial_seeds(struct node *node)
{
    node->seeds_ms = node->now_ms;
    for (uint32_t i = 0; i < node->seed_count; i++) {
        if (!needs_no_dialing(node, node->seeds[i].address)) {
            dial(node, node->seeds[i].address);
        }
    }
}

static enum weft_status add_seed(struct node *node, struct span address)
{
    char text[PEER_NAME_BYTES_MAX + 1];
    copy_cut(text, address);
    if (!text[0] || find_seed(node, text) || node->seed_count == MEMBERS_MAX ||
        address.size > PEER_NAME_BYTES_MAX) {
        return WEFT_OK;
    }
    if (node_grow(node, &node->seeds, &node->seed_capacity, node->seed_count,
                  sizeof *node->seeds)) {
        return WEFT_NO_MEMORY;
    }
    char *copy = node_alloc(node, address.size + 1);
    if (!copy) {
        return WEFT_NO_MEMORY;
    }
    memcpy(copy, text, address.size + 1);
    node->seeds[node->seed_count++] = (struct seed){copy, false};
    return WEFT_OK;
}

// ---------------------------------------------------------------------------------------------
// pipes

static struct pipe *find_pipe(struct node *node, struct pipe_id id)
{
    for (uint32_t i = 0; i < node->pipe_count; i++) {
        if (node->pipes[i].id.value == id.value) {
            return &node->pipes[i];
        }
    }
    return NULL;
}

void members_pipe_up(struct node *node, struct pipe_id id)
{
    if (node->pipe_count == MEMBERS_MAX) {
        node->metrics.limit_hits++;
        node->links->drop(node->links, id);
        return;
    }
    node->pipes[node->pipe_count++] =
        (struct pipe){.id = id, .up_ms = node->now_ms, .heard_ms = node->now_ms};
    node->beat_soon = true; // so that the other one learns who this is
}

static void unlink_pipe(struct node *node, const struct pipe *pipe)
{
    struct member *member = pipe->incarnation ? members_find(node, pipe->incarnation) : NULL;
    if (!member || member->pipe_count == 0) {
        return;
    }
    if (--member->pipe_count == 0) {
        member->lone_ms = node->now_ms;
        node->metrics.peers--;
        node_log(node, NODE_LOG_NOTICE, "peer_down", "peer=%s address=%s", member->name,
                 member->gossip_address);
    }
}

void members_pipe_down(struct node *node, struct pipe_id id)
{
    struct pipe *pipe = find_pipe(node, id);
    if (pipe) {
        unlink_pipe(node, pipe);
        *pipe = node->pipes[--node->pipe_count];
    }
}

static void link_pipe(struct node *node, struct pipe *pipe)
{
    struct member *member = members_find(node, pipe->incarnation);
    if (member && member->pipe_count++ == 0) {
        node->metrics.peers++;
        node_log(node, NODE_LOG_NOTICE, "peer_up", "peer=%s address=%s", member->name,
                 member->gossip_address);
    }
}

void members_pipe_heard(struct node *node, struct pipe_id id, uint64_t incarnation)
{
    struct pipe *pipe = find_pipe(node, id);
    struct member *member = members_find(node, incarnation);
    if (member) {
        member->heard_ms = node->now_ms;
    }
    if (!pipe) {
        return;
    }
    pipe->heard_ms = node->now_ms;
    if (pipe->incarnation != incarnation) {
        unlink_pipe(node, pipe);
        pipe->incarnation = incarnation;
        link_pipe(node, pipe);
    }
}

// --------------------------------------------------------------------------------------------
// members

static void remove_member(struct node *node, struct member *member)
{
    hang_up(node, member);
    node->metrics.peers -= member->pipe_count > 0;
    for (uint32_t i = 0; i < node->member_count; i++) {
        if (node->members[i] == member) {
            node->members[i] = node->members[--node->member_count];
            break;
        }
    }
    node_free(node, member, sizeof *member);
    node->members_dirty = true;
}

/// Makes room by letting go of one that is gone for good.
static bool make_room(struct node *node)
{
    if (node->member_count < MEMBERS_MAX) {
        return true;
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        if (node->members[i]->state != MEMBER_HERE) {
            remove_member(node, node->members[i]);
            return true;
        }
    }
    node->metrics.limit_hits++;
    return false;
}

static struct member *add_member(struct node *node, uint64_t incarnation)
{
    if (!make_room(node)) {
        return NULL;
    }
    struct member *member = node_alloc(node, sizeof *member);
    if (!member) {
        return NULL;
    }
    member->incarnation = incarnation;
    member->lone_ms = node->now_ms;
    node->members[node->member_count++] = member;
    return member;
}

/// Its pipes were heard before it was known.
static void link_pipes(struct node *node, const struct member *member)
{
    for (uint32_t i = 0; i < node->pipe_count; i++) {
        if (node->pipes[i].incarnation == member->incarnation) {
            link_pipe(node, &node->pipes[i]);
        }
    }
}

static bool is_silent(const struct node *node, const struct member *member)
{
    return node->now_ms - member->heard_ms > HEARTBEATS_MISSED_MAX * (uint64_t)node->heartbeat_ms;
}

/// Whether `other` is an earlier life of the sender: at the same address, or continued by it.
static bool is_superseded(const struct node *node, const struct member *other,
                          const struct peer_message *message)
{
    bool same_place = message->gossip_address.size > 0 &&
                      span_equal(span_of_text(other->gossip_address), message->gossip_address);
    bool continued = (message->self.continues == other->incarnation ||
                      other->next_life == message->self.incarnation) &&
                     is_silent(node, other);
    return other->incarnation != message->self.incarnation && (same_place || continued) &&
           other->state == MEMBER_HERE;
}

static void set_state(struct node *node, struct member *member, enum member_state state)
{
    if (member->state == MEMBER_HERE && state != MEMBER_HERE) {
        member->state = state;
        hang_up(node, member);
        node->members_dirty = true;
        node_log(node, NODE_LOG_NOTICE, state == MEMBER_LEFT ? "member_left" : "member_forgotten",
                 "peer=%s address=%s", member->name, member->gossip_address);
    }
}

/// Its address may be dialed already, as a seed.
static void note_dialing(struct node *node, struct member *member)
{
    const struct seed *seed = find_seed(node, member->gossip_address);
    member->dialed = seed && seed->dialing;
}

/// Someone that was not known. NULL: not counted, as it is this node itself, or one is known at
/// that address; the last life there will speak for itself.
static struct member *hear_of(struct node *node, const struct peer_member *known)
{
    const struct feed *life = feeds_find(node, known->incarnation);
    if ((life && life->own) ||
        span_equal(known->gossip_address, span_of_text(node->gossip_address))) {
        return NULL;
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        const struct member *other = node->members[i];
        if ((other->heard_ms > 0 || other->state == MEMBER_HERE) &&
            span_equal(span_of_text(other->gossip_address), known->gossip_address)) {
            return NULL;
        }
    }
    struct member *member = add_member(node, known->incarnation);
    if (member) {
        copy_cut(member->name, known->name);
        copy_cut(member->gossip_address, known->gossip_address);
        note_dialing(node, member);
        link_pipes(node, member);
        node->members_dirty = true;
    }
    return member;
}

/// Someone that the sender knows.
static void learn(struct node *node, const struct peer_member *known)
{
    if (known->incarnation == node->incarnation || known->gossip_address.size == 0) {
        return;
    }
    struct member *member = members_find(node, known->incarnation);
    if (!member) {
        member = hear_of(node, known);
    }
    if (!member) {
        return;
    }
    if (known->state != PEER_MEMBER_FORGOTTEN || member->pipe_count == 0) {
        set_state(node, member, (enum member_state)known->state); // who is linked here is not gone
    }
    if (member->incarnation > node->incarnation) {
        dial_member(node, member);
    }
}

static void update(struct node *node, struct member *member, const struct peer_message *message)
{
    bool moved = !span_equal(span_of_text(member->gossip_address), message->gossip_address);
    if (moved) {
        hang_up(node, member);
        node->members_dirty = true;
    }
    copy_cut(member->name, message->name);
    copy_cut(member->gossip_address, message->gossip_address);
    copy_cut(member->pull_address, message->pull_address);
    copy_cut(member->client_address, message->client_address);
    member->flags = message->flags;
    member->heard_ms = node->now_ms;
    if (moved) {
        note_dialing(node, member);
    }
}

/// Notes on members that are earlier lives of this one that both are one disk. Until they are
/// silent they stay: the original of a copied directory lives on.
static void note_lives(struct node *node, const struct member *member, uint64_t continues)
{
    for (uint32_t i = 0; i < LIVES_MAX && continues && continues != member->incarnation; i++) {
        struct member *earlier = members_find(node, continues);
        const struct feed *feed = feeds_find(node, continues);
        if (earlier) {
            earlier->next_life = member->incarnation;
        }
        continues = feed ? feed->continues : 0;
    }
}

/// One link per pair.
static void prune_links(struct node *node, struct member *member)
{
    if (member->pipe_count > 1 && member->incarnation < node->incarnation) {
        hang_up(node, member);
    }
}

struct member *members_heartbeat(struct node *node, const struct peer_message *message)
{
    struct peer_list list = message->members;
    struct peer_member known;
    uint64_t incarnation = message->self.incarnation;
    for (uint32_t i = node->member_count; i-- > 0;) {
        if (is_superseded(node, node->members[i], message)) {
            remove_member(node, node->members[i]);
        }
    }
    struct member *member = members_find(node, incarnation);
    bool fresh = !member;
    if (fresh) {
        member = add_member(node, incarnation);
        if (!member) {
            return NULL;
        }
    }
    update(node, member, message);
    note_lives(node, member, message->self.continues);
    if (fresh) {
        link_pipes(node, member);
    }
    if (!member->met) {
        member->met = true;
        node_log(node, NODE_LOG_NOTICE, "member_joined", "peer=%s address=%s incarnation=%016llx",
                 member->name, member->gossip_address, (unsigned long long)incarnation);
    }
    if (member->state == MEMBER_FORGOTTEN) {
        member->state = MEMBER_HERE; // it was not gone for good: it speaks
        node->members_dirty = true;
        node_log(node, NODE_LOG_NOTICE, "member_returned", "peer=%s address=%s", member->name,
                 member->gossip_address);
    }
    if (message->flags & PEER_LEAVING) {
        set_state(node, member, MEMBER_LEFT);
    }
    prune_links(node, member);
    while (peer_next_member(&known, &list)) {
        learn(node, &known);
    }
    return member;
}

void members_put(struct pack_writer *writer, const struct member *member)
{
    struct peer_member item = {member->incarnation, (enum peer_member_state)member->state,
                               span_of_text(member->name), span_of_text(member->gossip_address)};
    peer_put_member(writer, &item);
}

const char *members_forget(struct node *node, struct span name, bool *up_out)
{
    const char *trouble = "no such member";
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];
        if (!span_equal(span_of_text(member->name), name)) {
            continue;
        }
        if (member->state == MEMBER_HERE) {
            *up_out |= member->pipe_count > 0 && !is_silent(node, member);
            set_state(node, member, MEMBER_FORGOTTEN);
            node->beat_soon = true;
            trouble = NULL;
        } else if (trouble) {
            trouble = member->state == MEMBER_LEFT ? "it has left; there is nothing to forget"
                                                   : "it is forgotten already";
        }
    }
    return trouble;
}

// ---------------------------------------------------------------------------------------------
// what outlives the process

/// The last life's members: down until they are heard, and dialed as seeds are.
static enum weft_status remember(struct node *node)
{
    struct span value;
    struct peer_member known;
    if (node->store->get(node->store, &value, STORE_META, span_of_text(RECORD_META_MEMBERS))) {
        return WEFT_OK;
    }
    struct peer_list list = {.reader = pack_reader_of(value)};
    list.count = pack_read_array(&list.reader);
    while (peer_next_member(&known, &list)) {
        if (add_seed(node, known.gossip_address)) {
            return WEFT_NO_MEMORY;
        }
        hear_of(node, &known);
    }
    node->members_dirty = false;
    return WEFT_OK;
}

enum weft_status members_start(struct node *node, const struct node_config *config)
{
    for (size_t i = 0; i < config->seed_count; i++) {
        if (add_seed(node, config->seeds[i])) {
            return WEFT_NO_MEMORY;
        }
    }
    if (!node->gossip_address[0]) {
        return WEFT_OK; // no cluster
    }
    return remember(node);
}

/// Stores who is here, for the next life.
static void keep(struct node *node)
{
    if (node->store->health(node->store) != STORE_WRITABLE) {
        return;
    }
    node->members_dirty = false;
    node->scratch.size = 0;
    struct pack_writer writer = pack_writer_begin(&node->scratch);
    pack_array(&writer, members_count(node));
    for (uint32_t i = 0; i < node->member_count; i++) {
        if (node->members[i]->state == MEMBER_HERE) {
            members_put(&writer, node->members[i]);
        }
    }
    if (pack_writer_end(&writer) == WEFT_OK &&
        node->store->put(node->store, STORE_META, span_of_text(RECORD_META_MEMBERS),
                         span_of_buffer(&node->scratch))) {
        node->open->failed = true;
    }
}

// -----------------------------------------------------------------------------------------------
// time

static void drop_silent(struct node *node)
{
    uint64_t patience = HEARTBEATS_MISSED_MAX * (uint64_t)node->heartbeat_ms;
    for (uint32_t i = 0; i < node->pipe_count; i++) {
        struct pipe *pipe = &node->pipes[i];
        if (node->now_ms - pipe->heard_ms > patience) {
            pipe->heard_ms = node->now_ms; // PEER_DOWN follows
            node->links->drop(node->links, pipe->id);
        }
    }
}

void members_tick(struct node *node)
{
    uint64_t anyway = DIAL_ANYWAY_BEATS * (uint64_t)node->heartbeat_ms;
    if (!node->gossip_address[0]) {
        return;
    }
    drop_silent(node);
    if (node->now_ms - node->seeds_ms >= REDIAL_SEEDS_MS) {
        dial_seeds(node);
    }
    for (uint32_t i = 0; i < node->member_count; i++) {
        struct member *member = node->members[i];
        if (member->state == MEMBER_HERE && member->pipe_count == 0 &&
            (member->incarnation > node->incarnation || node->now_ms - member->lone_ms > anyway)) {
            dial_member(node, member);
        }
    }
    if (node->members_dirty && node->opened && !node->open->failed) {
        keep(node);
    }
}

void members_finish(struct node *node)
{
    for (uint32_t i = 0; i < node->member_count; i++) {
        node_free(node, node->members[i], sizeof *node->members[i]);
    }
    node->member_count = 0;
    for (uint32_t i = 0; i < node->seed_count; i++) {
        node_free(node, node->seeds[i].address, strlen(node->seeds[i].address) + 1);
    }
    node_free(node, node->seeds, node->seed_capacity * sizeof *node->seeds);
}
