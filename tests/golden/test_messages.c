// SPDX-License-Identifier: MIT
// Messages of clients and of nodes, and the envelope of the latter: tests/golden/wire.txt,
// peer.txt, seal.txt.
#include <string.h>

#include <criterion/criterion.h>

#include "codec/peer.h"
#include "codec/wire.h"
#include "io/seal.h"
#include "tests/golden/golden.h"

/// A type of message and the letters of its fields, in the order of the tables of the docs.
struct shape {
    uint32_t type;
    const char *name;
    const char *fields;
};

static const struct shape *shape_of(const struct shape *shapes, size_t count, uint32_t type)
{
    for (size_t i = 0; i < count; i++)
        if (shapes[i].type == type)
            return &shapes[i];
    cr_assert_fail("no shape of type %u", type);
    return NULL;
}

// ---------------------------------------------------------------------------------------- clients

static const struct shape wire_shapes[] = {
    {WIRE_HELLO, "HELLO", "vcR"},      {WIRE_JOIN, "JOIN", "rdEV?"},
    {WIRE_LEAVE, "LEAVE", "m"},        {WIRE_DELTA, "DELTA", "m#D"},
    {WIRE_PING, "PING", "n"},          {WIRE_SYNC, "SYNC", "mV"},
    {WIRE_ORPHANS, "ORPHANS", "rdeD"}, {WIRE_NODE_HELLO, "HELLO", "vNihL"},
    {WIRE_JOINED, "JOINED", "rmeV?"},  {WIRE_NODE_DELTA, "DELTA", "mD"},
    {WIRE_ACK, "ACK", "ml#"},          {WIRE_POINT, "POINT", "mVgp?"},
    {WIRE_NEW_EPOCH, "EPOCH", "me"},   {WIRE_ERROR, "ERROR", "mr#kst"},
    {WIRE_PONG, "PONG", "n"},          {WIRE_RESYNC, "RESYNC", "m"},
    {WIRE_MOVE, "MOVE", "a"},
};

static void say_u32(struct golden *golden, const char *what, uint32_t value)
{
    if (value == WIRE_NONE)
        golden_say(golden, "%s nil", what);
    else
        golden_say(golden, "%s %u", what, value);
}

static void say_limits(struct golden *golden, const struct wire_limits *limits)
{
    golden_say(golden,
               "limits frame_bytes %llu document_bytes %llu document_atoms %llu name_bytes %llu "
               "rooms %llu gather_bytes %llu",
               (unsigned long long)limits->frame_bytes, (unsigned long long)limits->document_bytes,
               (unsigned long long)limits->document_atoms, (unsigned long long)limits->name_bytes,
               (unsigned long long)limits->rooms, (unsigned long long)limits->gather_bytes);
}

/// @return false for a letter that it does not know.
static bool say_wire_number(struct golden *golden, char field, const struct wire_message *message)
{
    switch (field) {
    case 'v':
        return say_u32(golden, "version", message->version), true;
    case 'R':
        return say_u32(golden, "replicas", message->replicas), true;
    case 'r':
        return say_u32(golden, "ref", message->ref), true;
    case 'm':
        return say_u32(golden, "room", message->room), true;
    case '#':
        return say_u32(golden, "number", message->number), true;
    case 'l':
        return say_u32(golden, "level", message->level), true;
    case 'h':
        return say_u32(golden, "heartbeat_ms", message->heartbeat_ms), true;
    case 'a':
        return say_u32(golden, "retry_after_ms", message->retry_after_ms), true;
    case 'k':
        return say_u32(golden, "code", message->code), true;
    case 'n':
        return golden_say(golden, "n %llu", (unsigned long long)message->n), true;
    case 'i':
        return golden_say(golden, "incarnation %016llx", (unsigned long long)message->incarnation),
               true;
    default:
        return false;
    }
}

static void say_wire_field(struct golden *golden, char field, const struct wire_message *message)
{
    switch (field) {
    case 'c':
        golden_say_text(golden, "client", message->name);
        break;
    case 'N':
        golden_say_text(golden, "node", message->name);
        break;
    case 'd':
        golden_say_text(golden, "document", message->name);
        break;
    case 'E':
        if (!message->has_epoch) {
            golden_say(golden, "epoch nil");
            break;
        } // fall through
    case 'e':
        golden_say_epoch(golden, "epoch", &message->epoch);
        break;
    case 'V':
        golden_say_hex(golden, "version", message->vector);
        break;
    case '?':
        golden_say_hex(golden, "token", message->token);
        break;
    case 'g':
        golden_say_hex(golden, "digest",
                       (struct span){message->digest.bytes, sizeof message->digest.bytes});
        break;
    case 'p':
        golden_say_hex(golden, "receipt", message->receipt);
        break;
    case 's':
        golden_say_text(golden, "reason", message->reason);
        break;
    case 't':
        golden_say_text(golden, "detail", message->detail);
        break;
    case 'L':
        say_limits(golden, &message->limits);
        break;
    case 'D':
        for (uint32_t i = 0; i < message->delta_count; i++)
            golden_say_hex(golden, "delta", message->deltas[i]);
        break;
    default:
        cr_assert(say_wire_number(golden, field, message), "no field %c", field);
    }
}

Test(golden, messages_of_clients_and_of_the_node_they_talk_to)
{
    struct golden golden;
    static struct wire_message message;
    bool seen[128] = {false};
    struct weft_buffer encoded;
    weft_buffer_init(&encoded, NULL);
    golden_open(&golden, "wire.txt");
    while (golden_next(&golden)) {
        cr_assert_eq(wire_decode(&message, golden_bytes(&golden, "bytes")), WEFT_OK, "%s",
                     golden.name);
        const struct shape *shape =
            shape_of(wire_shapes, sizeof wire_shapes / sizeof *wire_shapes, message.type);
        golden_say(&golden, "%s", shape->name);
        for (const char *field = shape->fields; *field != '\0'; field++)
            say_wire_field(&golden, *field, &message);
        golden_check_said(&golden);
        encoded.size = 0;
        cr_assert_eq(wire_encode(&encoded, &message), WEFT_OK);
        golden_check_bytes(&golden, "bytes", (struct span){encoded.data, encoded.size});
        seen[message.type] = true;
    }
    for (size_t i = 0; i < sizeof wire_shapes / sizeof *wire_shapes; i++)
        cr_expect(seen[wire_shapes[i].type], "no vector of type %u", wire_shapes[i].type);
    golden_close(&golden, 17);
    weft_buffer_finish(&encoded);
}

// ------------------------------------------------------------------------------------------ nodes

static const struct shape peer_shapes[] = {
    {PEER_FRESH, "FRESH", "Swb"},
    {PEER_HEARTBEAT, "HEARTBEAT", "Sfngpcmhd"},
    {PEER_SYNCED, "SYNCED", "ih"},
    {PEER_PULL_RANGE, "PULL_RANGE", "ixh"},
    {PEER_PULL_CHANGED, "PULL_CHANGED", "iCKuk"},
    {PEER_PULL_DOCUMENT, "PULL_DOCUMENT", "iDeVx"},
    {PEER_RANGE, "RANGE", "aobh"},
    {PEER_CHANGED, "CHANGED", "aCKudh"},
    {PEER_DOCUMENT, "DOCUMENT", "aoeb"},
    {PEER_PULL_CHAINS, "PULL_CHAINS", "iDeVG"},
    {PEER_CHAINS, "CHAINS", "aeGH"},
};

static void say_feed(struct golden *golden, const char *what, const struct peer_feed *feed)
{
    golden_say(golden, "%s %016llx prefix %llu continues %016llx to %llu", what,
               (unsigned long long)feed->incarnation, (unsigned long long)feed->prefix,
               (unsigned long long)feed->continues, (unsigned long long)feed->continued_to);
}

/// Says a list and writes it again.
static void say_list(struct golden *golden, char field, const struct peer_message *message,
                     struct pack_writer *writer)
{
    struct peer_list list = field == 'm'   ? message->members
                            : field == 'h' ? message->feeds
                            : field == 'd' ? message->digests
                            : field == 'H' ? message->chains
                                           : message->entries;
    struct peer_feed feed;
    struct peer_member member;
    struct peer_digest digest;
    struct peer_chain chain;
    struct span bytes;
    pack_array(writer, list.count);
    while (field == 'h' && peer_next_feed(&feed, &list)) {
        say_feed(golden, "feed", &feed);
        peer_put_feed(writer, &feed);
    }
    while (field == 'm' && peer_next_member(&member, &list)) {
        golden_say(golden, "member %016llx state %u", (unsigned long long)member.incarnation,
                   (unsigned)member.state);
        golden_say_text(golden, "member name", member.name);
        golden_say_text(golden, "member gossip", member.gossip_address);
        peer_put_member(writer, &member);
    }
    while (field == 'd' && peer_next_digest(&digest, &list)) {
        golden_say_text(golden, "quiet", digest.document);
        golden_say_epoch(golden, "quiet epoch", &digest.epoch);
        golden_say_hex(golden, "quiet digest", (struct span){digest.digest.bytes, 16});
        peer_put_digest(writer, &digest);
    }
    while (field == 'H' && peer_next_chain(&chain, &list)) {
        golden_say(golden, "chain of %016llx up to %llu", (unsigned long long)chain.agent,
                   (unsigned long long)chain.next);
        golden_say_hex(golden, "chain", (struct span){chain.chain, sizeof chain.chain});
        peer_put_chain(writer, &chain);
    }
    while (field == 'b' && peer_next_bytes(&bytes, &list)) {
        golden_say_hex(golden, "entry", bytes);
        pack_bin(writer, bytes);
    }
}

static void say_peer_field(struct golden *golden, char field, const struct peer_message *message)
{
    unsigned long long incarnation = message->self.incarnation;
    switch (field) {
    case 'S':
        say_feed(golden, "self", &message->self);
        break;
    case 'i':
        golden_say(golden, "incarnation %016llx", incarnation);
        break;
    case 'w':
        golden_say(golden, "wants synced %d", message->wants_synced);
        break;
    case 'f':
        golden_say(golden, "flags %u", message->flags);
        break;
    case 'n':
        golden_say_text(golden, "name", message->name);
        break;
    case 'g':
        golden_say_text(golden, "gossip", message->gossip_address);
        break;
    case 'p':
        golden_say_text(golden, "pull", message->pull_address);
        break;
    case 'c':
        golden_say_text(golden, "clients", message->client_address);
        break;
    case 'x':
        golden_say(golden, "bytes at most %u", message->bytes_max);
        break;
    case 'k':
        golden_say(golden, "documents at most %u", message->count_max);
        break;
    case 'C':
        golden_say(golden, "checkpoint of %016llx",
                   (unsigned long long)message->checkpoint_incarnation);
        break;
    case 'K':
        golden_say(golden, "checkpoint %llu", (unsigned long long)message->checkpoint);
        break;
    case 'u':
        golden_say_hex(golden, "cursor", message->cursor);
        break;
    case 'D':
        golden_say_text(golden, "document", message->document);
        break;
    case 'e':
        golden_say_epoch(golden, "epoch", &message->epoch);
        break;
    case 'V':
        golden_say_hex(golden, "version", message->version);
        break;
    case 'G':
        golden_say_hex(golden, "cuts", message->cuts);
        break;
    case 'a':
        golden_say(golden, "answer %u", (unsigned)message->answer);
        break;
    case 'o':
        golden_say(golden, "more %d", message->more);
        break;
    default:
        cr_assert_fail("no field %c", field);
    }
}

Test(golden, messages_between_nodes)
{
    struct golden golden;
    struct peer_message message;
    bool seen[64] = {false};
    struct weft_buffer encoded;
    weft_buffer_init(&encoded, NULL);
    golden_open(&golden, "peer.txt");
    while (golden_next(&golden)) {
        cr_assert_eq(peer_decode(&message, golden_bytes(&golden, "bytes")), WEFT_OK, "%s",
                     golden.name);
        const struct shape *shape =
            shape_of(peer_shapes, sizeof peer_shapes / sizeof *peer_shapes, message.type);
        encoded.size = 0;
        struct pack_writer writer = pack_writer_begin(&encoded);
        peer_begin(&writer, &message);
        golden_say(&golden, "%s", shape->name);
        for (const char *field = shape->fields; *field != '\0'; field++) {
            bool list =
                *field == 'm' || *field == 'h' || *field == 'd' || *field == 'b' || *field == 'H';
            if (list)
                say_list(&golden, *field, &message, &writer);
            else
                say_peer_field(&golden, *field, &message);
        }
        golden_check_said(&golden);
        cr_assert_eq(pack_writer_end(&writer), WEFT_OK);
        golden_check_bytes(&golden, "bytes", (struct span){encoded.data, encoded.size});
        seen[message.type] = true;
    }
    for (size_t i = 0; i < sizeof peer_shapes / sizeof *peer_shapes; i++)
        cr_expect(seen[peer_shapes[i].type], "no vector of type %u", peer_shapes[i].type);
    golden_close(&golden, 11);
    weft_buffer_finish(&encoded);
}

// ------------------------------------------------------------------------------------- envelopes

/// Opening names the kind, the sender and the body. Without a key encoding is checked too; sealed
/// envelopes are made again by test_seal.c only, since nobody but seal_begin() knows sender keys.
Test(golden, envelopes_between_nodes)
{
    struct golden golden;
    cr_assert(seal_start());
    golden_open(&golden, "seal.txt");
    while (golden_next(&golden)) {
        uint8_t envelope[256];
        struct seal_key key = {.present = golden_has(&golden, "key")};
        struct span question = {NULL, 0};
        struct seal_opened opened;
        if (key.present)
            memcpy(key.bytes, golden_bytes(&golden, "key").data, sizeof key.bytes);
        if (golden_has(&golden, "question"))
            question = golden_bytes(&golden, "question");
        struct span bytes = golden_bytes(&golden, "bytes");
        cr_assert_leq(bytes.size, sizeof envelope);
        memcpy(envelope, bytes.data, bytes.size);
        enum seal_kind kind = (enum seal_kind)(bytes.data[3] & 7);
        enum seal_verdict verdict = seal_open(&opened, &key, kind, question, envelope, bytes.size);
        cr_assert_eq(verdict, SEAL_OPENED, "%s: %s", golden.name, seal_verdict_text(verdict));
        golden_say(&golden, "kind %u", (unsigned)kind);
        golden_say_hex(&golden, "sender", (struct span){opened.sender, sizeof opened.sender});
        golden_say(&golden, "number %llu", (unsigned long long)opened.number);
        golden_say_text(&golden, "body", opened.body);
        golden_check_said(&golden);
        if (!key.present) {
            struct sealer sealer = {.number = opened.number - 1};
            memcpy(sealer.sender, opened.sender, sizeof sealer.sender);
            seal_close(&sealer, kind, question, envelope, opened.body.size);
            golden_check_bytes(&golden, "bytes", (struct span){envelope, bytes.size});
        }
    }
    golden_close(&golden, 3);
}
