// SPDX-License-Identifier: MIT
// Messages between nodes. Every message is [version, type, scalar fields ..., lists ...].
#include "codec/peer.h"

#include <string.h>

#include <weft/fork.h>

#include "codec/record.h"
#include "codec/wire.h"

// ----------------------------------------------------------------------------------------- lists

/// An element's array head with `known` elements or more; what is more is passed over by
/// end_element.
static uint32_t begin_element(struct pack_reader *reader, uint32_t known)
{
    uint32_t elements = pack_read_array(reader);
    reader->failed |= elements < known;
    return reader->failed ? 0 : elements - known;
}

static void end_element(struct pack_reader *reader, uint32_t unknown)
{
    if (!reader->failed) {
        pack_skip(reader, unknown);
    }
}

static struct span read_name(struct pack_reader *reader)
{
    struct span name = pack_read_str(reader);
    reader->failed |= name.size > PEER_NAME_BYTES_MAX;
    return name;
}

static void read_feed(struct pack_reader *reader, struct peer_feed *feed_out)
{
    uint32_t unknown = begin_element(reader, 4);
    feed_out->incarnation = pack_read_u64(reader);
    feed_out->prefix = pack_read_u64(reader);
    feed_out->continues = pack_read_u64(reader);
    feed_out->continued_to = pack_read_u64(reader);
    end_element(reader, unknown);
    reader->failed |= feed_out->incarnation == 0 || feed_out->continues == feed_out->incarnation;
}

static void read_member(struct pack_reader *reader, struct peer_member *member_out)
{
    uint32_t unknown = begin_element(reader, 4);
    member_out->incarnation = pack_read_u64(reader);
    uint32_t state = pack_read_u32(reader);
    member_out->state = (enum peer_member_state)state;
    member_out->name = read_name(reader);
    member_out->gossip_address = read_name(reader);
    end_element(reader, unknown);
    reader->failed |= state > PEER_MEMBER_FORGOTTEN || member_out->incarnation == 0;
}

static void read_digest(struct pack_reader *reader, struct peer_digest *digest_out)
{
    uint32_t unknown = begin_element(reader, 3);
    digest_out->document = pack_read_str(reader);
    wire_read_epoch(reader, &digest_out->epoch);
    const uint8_t *digest = pack_read_fixed(reader, sizeof digest_out->digest.bytes);
    end_element(reader, unknown);
    if (reader->failed || !record_name_valid(digest_out->document)) {
        reader->failed = true;
        return;
    }
    memcpy(digest_out->digest.bytes, digest, sizeof digest_out->digest.bytes);
}

static void read_chain(struct pack_reader *reader, struct peer_chain *chain_out)
{
    uint32_t unknown = begin_element(reader, 3);
    chain_out->agent = pack_read_u64(reader);
    chain_out->next = pack_read_u64(reader);
    const uint8_t *chain = pack_read_fixed(reader, sizeof chain_out->chain);
    end_element(reader, unknown);
    if (!reader->failed) {
        memcpy(chain_out->chain, chain, sizeof chain_out->chain);
    }
}

static bool step(struct peer_list *list)
{
    if (list->count == 0) {
        return false;
    }
    list->count--;
    return true;
}

bool peer_next_feed(struct peer_feed *feed_out, struct peer_list *list)
{
    if (!step(list)) {
        return false;
    }
    read_feed(&list->reader, feed_out);
    return !list->reader.failed;
}

bool peer_next_member(struct peer_member *member_out, struct peer_list *list)
{
    if (!step(list)) {
        return false;
    }
    read_member(&list->reader, member_out);
    return !list->reader.failed;
}

bool peer_next_digest(struct peer_digest *digest_out, struct peer_list *list)
{
    if (!step(list)) {
        return false;
    }
    read_digest(&list->reader, digest_out);
    return !list->reader.failed;
}

bool peer_next_chain(struct peer_chain *chain_out, struct peer_list *list)
{
    if (!step(list)) {
        return false;
    }
    read_chain(&list->reader, chain_out);
    return !list->reader.failed;
}

bool peer_next_bytes(struct span *bytes_out, struct peer_list *list)
{
    if (!step(list)) {
        return false;
    }
    *bytes_out = pack_read_bin(&list->reader);
    return !list->reader.failed;
}

// -------------------------------------------------------------------------------------- decoding

/// Takes a list's head and remembers where its elements begin.
static struct peer_list begin_list(struct pack_reader *reader, uint32_t count_max)
{
    uint32_t count = pack_read_array(reader);
    reader->failed |= count > count_max;
    return (struct peer_list){*reader, reader->failed ? 0 : count};
}

/// Goes on behind the list that a walk of it has reached the end of.
static void end_list(struct pack_reader *reader, const struct peer_list *walked)
{
    if (!reader->failed) {
        reader->at = walked->reader.at;
        reader->failed = walked->reader.failed;
    }
}

static void read_feeds(struct pack_reader *reader, struct peer_list *list_out)
{
    struct peer_feed feed;
    *list_out = begin_list(reader, PEER_FEEDS_MAX);
    struct peer_list walk = *list_out;
    while (peer_next_feed(&feed, &walk)) {
    }
    end_list(reader, &walk);
}

static void read_members(struct pack_reader *reader, struct peer_list *list_out)
{
    struct peer_member member;
    *list_out = begin_list(reader, PEER_MEMBERS_MAX);
    struct peer_list walk = *list_out;
    while (peer_next_member(&member, &walk)) {
    }
    end_list(reader, &walk);
}

static void read_digests(struct pack_reader *reader, struct peer_list *list_out)
{
    struct peer_digest digest;
    *list_out = begin_list(reader, UINT32_MAX);
    struct peer_list walk = *list_out;
    while (peer_next_digest(&digest, &walk)) {
    }
    end_list(reader, &walk);
}

static void read_entries(struct pack_reader *reader, struct peer_list *list_out)
{
    struct span bytes;
    *list_out = begin_list(reader, UINT32_MAX);
    struct peer_list walk = *list_out;
    while (peer_next_bytes(&bytes, &walk)) {
    }
    end_list(reader, &walk);
}

static void read_chains(struct pack_reader *reader, struct peer_list *list_out)
{
    struct peer_chain chain;
    *list_out = begin_list(reader, UINT32_MAX);
    struct peer_list walk = *list_out;
    while (peer_next_chain(&chain, &walk)) {
    }
    end_list(reader, &walk);
}

static struct span read_cuts(struct pack_reader *reader)
{
    struct span cuts = pack_read_bin(reader);
    reader->failed |= !weft_cuts_valid(cuts.data, cuts.size);
    return cuts;
}

static enum peer_answer read_answer(struct pack_reader *reader)
{
    uint32_t answer = pack_read_u32(reader);
    reader->failed |= answer > PEER_ANSWER_LATER;
    return reader->failed ? PEER_ANSWER_LATER : (enum peer_answer)answer;
}

/// Elements of a message of this type, version and type included; 0 for an unknown type.
static uint32_t elements_of(uint32_t type)
{
    switch (type) {
    case PEER_FRESH:
        return 5;
    case PEER_HEARTBEAT:
        return 11;
    case PEER_SYNCED:
        return 4;
    case PEER_PULL_RANGE:
        return 5;
    case PEER_PULL_CHANGED:
        return 7;
    case PEER_PULL_DOCUMENT:
        return 7;
    case PEER_RANGE:
        return 6;
    case PEER_CHANGED:
        return 8;
    case PEER_DOCUMENT:
        return 6;
    case PEER_PULL_CHAINS:
        return 7;
    case PEER_CHAINS:
        return 6;
    default:
        return 0;
    }
}

static void read_bus(struct pack_reader *reader, struct peer_message *message)
{
    switch (message->type) {
    case PEER_FRESH:
        read_feed(reader, &message->self);
        message->wants_synced = pack_read_bool(reader);
        read_entries(reader, &message->entries);
        break;
    case PEER_HEARTBEAT:
        read_feed(reader, &message->self);
        message->flags = pack_read_u32(reader);
        message->name = read_name(reader);
        message->gossip_address = read_name(reader);
        message->pull_address = read_name(reader);
        message->client_address = read_name(reader);
        read_members(reader, &message->members);
        read_feeds(reader, &message->feeds);
        read_digests(reader, &message->digests);
        break;
    case PEER_SYNCED:
        message->self.incarnation = pack_read_u64(reader);
        read_feeds(reader, &message->feeds);
        break;
    default:
        break;
    }
}

static void read_question(struct pack_reader *reader, struct peer_message *message)
{
    message->self.incarnation = pack_read_u64(reader);
    switch (message->type) {
    case PEER_PULL_RANGE:
        message->bytes_max = pack_read_u32(reader);
        read_feeds(reader, &message->feeds);
        break;
    case PEER_PULL_CHANGED:
        message->checkpoint_incarnation = pack_read_u64(reader);
        message->checkpoint = pack_read_u64(reader);
        message->cursor = pack_read_bin(reader);
        message->count_max = pack_read_u32(reader);
        break;
    case PEER_PULL_DOCUMENT:
        message->document = pack_read_str(reader);
        wire_read_epoch(reader, &message->epoch);
        message->version = pack_read_bin(reader);
        message->bytes_max = pack_read_u32(reader);
        reader->failed |= !record_name_valid(message->document);
        break;
    case PEER_PULL_CHAINS:
        message->document = pack_read_str(reader);
        wire_read_epoch(reader, &message->epoch);
        message->version = pack_read_bin(reader);
        message->cuts = read_cuts(reader);
        reader->failed |= !record_name_valid(message->document);
        break;
    default:
        break;
    }
}

static void read_reply(struct pack_reader *reader, struct peer_message *message)
{
    message->answer = read_answer(reader);
    switch (message->type) {
    case PEER_RANGE:
        message->more = pack_read_bool(reader);
        read_entries(reader, &message->entries);
        read_feeds(reader, &message->feeds);
        break;
    case PEER_CHANGED:
        message->checkpoint_incarnation = pack_read_u64(reader);
        message->checkpoint = pack_read_u64(reader);
        message->cursor = pack_read_bin_or_nil(reader);
        read_digests(reader, &message->digests);
        read_feeds(reader, &message->feeds);
        break;
    case PEER_DOCUMENT:
        message->more = pack_read_bool(reader);
        wire_read_epoch(reader, &message->epoch);
        read_entries(reader, &message->entries);
        break;
    case PEER_CHAINS:
        wire_read_epoch(reader, &message->epoch);
        message->cuts = read_cuts(reader);
        read_chains(reader, &message->chains);
        break;
    default:
        break;
    }
}

enum weft_status peer_decode(struct peer_message *message_out, struct span bytes)
{
    struct pack_reader reader = pack_reader_of(bytes);
    uint32_t elements = pack_read_array(&reader);
    uint32_t version = pack_read_u32(&reader);
    uint32_t type = pack_read_u32(&reader);
    if (reader.failed || elements < 2) {
        return WEFT_MALFORMED;
    }
    uint32_t known = elements_of(type);
    if (version != PEER_VERSION || known == 0) {
        return WEFT_UNSUPPORTED;
    }
    if (elements < known) {
        return WEFT_MALFORMED;
    }
    memset(message_out, 0, sizeof *message_out);
    message_out->type = (enum peer_type)type;
    if (type < PEER_PULL_RANGE) {
        read_bus(&reader, message_out);
    } else if (type < PEER_RANGE) {
        read_question(&reader, message_out);
    } else {
        read_reply(&reader, message_out);
    }
    if (type == PEER_DOCUMENT && elements > known) {
        message_out->times = pack_take_bin(&reader);
        known++;
    }
    end_element(&reader, elements - known);
    return reader.failed || pack_left(&reader) > 0 ? WEFT_MALFORMED : WEFT_OK;
}

// -------------------------------------------------------------------------------------- encoding

void peer_put_feed(struct pack_writer *writer, const struct peer_feed *feed)
{
    pack_array(writer, 4);
    pack_u64(writer, feed->incarnation);
    pack_u64(writer, feed->prefix);
    pack_u64(writer, feed->continues);
    pack_u64(writer, feed->continued_to);
}

void peer_put_member(struct pack_writer *writer, const struct peer_member *member)
{
    pack_array(writer, 4);
    pack_u64(writer, member->incarnation);
    pack_u64(writer, member->state);
    pack_str(writer, member->name);
    pack_str(writer, member->gossip_address);
}

void peer_put_digest(struct pack_writer *writer, const struct peer_digest *digest)
{
    pack_array(writer, 3);
    pack_str(writer, digest->document);
    wire_put_epoch(writer, &digest->epoch);
    pack_bin(writer, (struct span){digest->digest.bytes, sizeof digest->digest.bytes});
}

void peer_put_chain(struct pack_writer *writer, const struct peer_chain *chain)
{
    pack_array(writer, 3);
    pack_u64(writer, chain->agent);
    pack_u64(writer, chain->next);
    pack_bin(writer, (struct span){chain->chain, sizeof chain->chain});
}

static void begin_bus(struct pack_writer *writer, const struct peer_message *message)
{
    if (message->type == PEER_SYNCED) {
        pack_u64(writer, message->self.incarnation);
        return;
    }
    peer_put_feed(writer, &message->self);
    if (message->type == PEER_FRESH) {
        pack_bool(writer, message->wants_synced);
        return;
    }
    pack_u64(writer, message->flags);
    pack_str(writer, message->name);
    pack_str(writer, message->gossip_address);
    pack_str(writer, message->pull_address);
    pack_str(writer, message->client_address);
}

static void begin_question(struct pack_writer *writer, const struct peer_message *message)
{
    pack_u64(writer, message->self.incarnation);
    switch (message->type) {
    case PEER_PULL_RANGE:
        pack_u64(writer, message->bytes_max);
        break;
    case PEER_PULL_CHANGED:
        pack_u64(writer, message->checkpoint_incarnation);
        pack_u64(writer, message->checkpoint);
        pack_bin(writer, message->cursor);
        pack_u64(writer, message->count_max);
        break;
    default:
        pack_str(writer, message->document);
        wire_put_epoch(writer, &message->epoch);
        pack_bin(writer, message->version);
        if (message->type == PEER_PULL_CHAINS) {
            pack_bin(writer, message->cuts);
        } else {
            pack_u64(writer, message->bytes_max);
        }
        break;
    }
}

static void begin_reply(struct pack_writer *writer, const struct peer_message *message)
{
    pack_u64(writer, message->answer);
    switch (message->type) {
    case PEER_RANGE:
        pack_bool(writer, message->more);
        break;
    case PEER_CHANGED:
        pack_u64(writer, message->checkpoint_incarnation);
        pack_u64(writer, message->checkpoint);
        pack_bin_or_nil(writer, message->cursor);
        break;
    case PEER_CHAINS:
        wire_put_epoch(writer, &message->epoch);
        pack_bin(writer, message->cuts);
        break;
    default:
        pack_bool(writer, message->more);
        wire_put_epoch(writer, &message->epoch);
        break;
    }
}

void peer_begin(struct pack_writer *writer, const struct peer_message *message)
{
    pack_array(writer, elements_of(message->type) + (message->times.size > 0));
    pack_u64(writer, PEER_VERSION);
    pack_u64(writer, message->type);
    if (message->type < PEER_PULL_RANGE) {
        begin_bus(writer, message);
    } else if (message->type < PEER_RANGE) {
        begin_question(writer, message);
    } else {
        begin_reply(writer, message);
    }
}
