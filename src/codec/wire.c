// SPDX-License-Identifier: MIT
// Messages between client and node. docs/wire-protocol.md is normative; the order of fields here is
// the order of its tables.
#include "codec/wire.h"

#include <string.h>

#include "base/endian.h"
#include "codec/pack.h"

const char *wire_code_reason(uint32_t code)
{
    switch (code) {
    case WIRE_BAD_REQUEST:
        return "bad_request";
    case WIRE_NO_DOCUMENT:
        return "no_document";
    case WIRE_HELLO_TIMEOUT:
        return "hello_timeout";
    case WIRE_EPOCH_MISMATCH:
        return "epoch_mismatch";
    case WIRE_AGENT_CONFLICT:
        return "agent_conflict";
    case WIRE_INVALID_EDIT:
        return "invalid_edit";
    case WIRE_TOO_LARGE:
        return "too_large";
    case WIRE_UPGRADE_REQUIRED:
        return "upgrade_required";
    case WIRE_INTERNAL:
        return "internal";
    case WIRE_DRAINING:
        return "draining";
    case WIRE_BEHIND:
        return "behind";
    case WIRE_STORAGE_FULL:
        return "storage_full";
    case WIRE_SLOW_CONSUMER:
        return "slow_consumer";
    case WIRE_MISSING:
        return "missing";
    case WIRE_QUARANTINED:
        return "quarantined";
    case WIRE_TOO_MANY:
        return "too_many";
    default:
        return "unknown";
    }
}

void wire_epoch_encode(uint8_t bytes_out[WIRE_EPOCH_SIZE], const struct weft_epoch *epoch)
{
    endian_put_be64(bytes_out, epoch->counter);
    memcpy(bytes_out + 8, epoch->random, sizeof epoch->random);
}

struct weft_epoch wire_epoch_decode(const uint8_t bytes[WIRE_EPOCH_SIZE])
{
    struct weft_epoch epoch = {.counter = endian_get_be64(bytes)};
    memcpy(epoch.random, bytes + 8, sizeof epoch.random);
    return epoch;
}

void wire_put_epoch(struct pack_writer *writer, const struct weft_epoch *epoch)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    wire_epoch_encode(bytes, epoch);
    pack_bin(writer, (struct span){bytes, sizeof bytes});
}

void wire_read_epoch(struct pack_reader *reader, struct weft_epoch *epoch_out)
{
    const uint8_t *bytes = pack_read_fixed(reader, WIRE_EPOCH_SIZE);
    if (bytes) {
        *epoch_out = wire_epoch_decode(bytes);
    }
}

// -------------------------------------------------------------------------------------- decoding

/// Elements that an array of this type has at least, its type included; 0 for an unknown type.
static uint32_t elements_min(uint32_t type)
{
    switch (type) {
    case WIRE_LEAVE:
    case WIRE_PING:
    case WIRE_PONG:
    case WIRE_NODE_DELTA:
    case WIRE_RESYNC:
    case WIRE_MOVE:
        return 2;
    case WIRE_SYNC:
    case WIRE_NEW_EPOCH:
        return 3;
    case WIRE_HELLO:
    case WIRE_DELTA:
    case WIRE_ACK:
        return 4;
    case WIRE_ORPHANS:
        return 5;
    case WIRE_JOIN:
    case WIRE_NODE_HELLO:
    case WIRE_JOINED:
    case WIRE_POINT:
        return 6;
    case WIRE_ERROR:
        return 7;
    default:
        return 0;
    }
}

static const struct {
    const char *name;
    size_t offset;
} limit_fields[] = {
    {"frame_bytes", offsetof(struct wire_limits, frame_bytes)},
    {"document_bytes", offsetof(struct wire_limits, document_bytes)},
    {"document_atoms", offsetof(struct wire_limits, document_atoms)},
    {"name_bytes", offsetof(struct wire_limits, name_bytes)},
    {"rooms", offsetof(struct wire_limits, rooms)},
    {"gather_bytes", offsetof(struct wire_limits, gather_bytes)},
};
#define LIMIT_FIELD_COUNT (sizeof limit_fields / sizeof limit_fields[0])

/// Names that are not known here are passed over.
static void read_limits(struct pack_reader *reader, struct wire_limits *limits_out)
{
    uint32_t pairs = pack_read_map(reader);
    memset(limits_out, 0, sizeof *limits_out);
    for (uint32_t i = 0; i < pairs && !reader->failed; i++) {
        struct span name = pack_read_str(reader);
        size_t field = 0;
        while (field < LIMIT_FIELD_COUNT && !reader->failed &&
               (name.size != strlen(limit_fields[field].name) ||
                memcmp(name.data, limit_fields[field].name, name.size) != 0)) {
            field++;
        }
        if (field < LIMIT_FIELD_COUNT) {
            uint64_t value = pack_read_u64(reader);
            memcpy((uint8_t *)limits_out + limit_fields[field].offset, &value, sizeof value);
        } else {
            pack_skip(reader, 1);
        }
    }
}

static void read_deltas(struct pack_reader *reader, struct wire_message *message, uint32_t count)
{
    if (count > WIRE_DELTAS_MAX) {
        reader->failed = true;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        message->deltas[i] = pack_read_bin(reader);
    }
    message->delta_count = count;
}

static void read_from_client(struct pack_reader *reader, struct wire_message *message)
{
    switch (message->type) {
    case WIRE_HELLO:
        message->version = pack_read_u32(reader);
        message->name = pack_read_str(reader);
        message->replicas = pack_read_u32(reader);
        break;
    case WIRE_JOIN:
        message->ref = pack_read_u32(reader);
        message->name = pack_read_str(reader);
        message->has_epoch = !pack_take_nil(reader);
        if (message->has_epoch) {
            wire_read_epoch(reader, &message->epoch);
        }
        message->vector = pack_read_bin(reader);
        message->token = pack_read_bin_or_nil(reader);
        break;
    case WIRE_LEAVE:
        message->room = pack_read_u32(reader);
        break;
    case WIRE_DELTA:
        message->room = pack_read_u32(reader);
        message->number = pack_read_u32(reader);
        read_deltas(reader, message, 1);
        break;
    case WIRE_PING:
        message->n = pack_read_u64(reader);
        break;
    case WIRE_SYNC:
        message->room = pack_read_u32(reader);
        message->vector = pack_read_bin(reader);
        break;
    case WIRE_ORPHANS:
        message->ref = pack_read_u32(reader);
        message->name = pack_read_str(reader);
        wire_read_epoch(reader, &message->epoch);
        read_deltas(reader, message, 1);
        break;
    default:
        break;
    }
}

static void read_from_node(struct pack_reader *reader, struct wire_message *message,
                           uint32_t elements)
{
    switch (message->type) {
    case WIRE_NODE_HELLO:
        message->version = pack_read_u32(reader);
        message->name = pack_read_str(reader);
        message->incarnation = pack_read_u64(reader);
        message->heartbeat_ms = pack_read_u32(reader);
        read_limits(reader, &message->limits);
        break;
    case WIRE_JOINED:
        message->ref = pack_read_u32(reader);
        message->room = pack_read_u32(reader);
        wire_read_epoch(reader, &message->epoch);
        message->vector = pack_read_bin(reader);
        message->token = pack_read_bin(reader);
        break;
    case WIRE_NODE_DELTA:
        message->room = pack_read_u32(reader);
        read_deltas(reader, message, elements - 2);
        break;
    case WIRE_ACK:
        message->room = pack_read_u32(reader);
        message->level = pack_read_u32(reader);
        message->number = pack_read_u32(reader);
        break;
    case WIRE_POINT: {
        message->room = pack_read_u32(reader);
        message->vector = pack_read_bin(reader);
        const uint8_t *digest = pack_read_fixed(reader, sizeof message->digest.bytes);
        if (digest) {
            memcpy(message->digest.bytes, digest, sizeof message->digest.bytes);
        }
        message->receipt = pack_read_bin_or_nil(reader);
        message->token = pack_read_bin(reader);
        break;
    }
    case WIRE_NEW_EPOCH:
        message->room = pack_read_u32(reader);
        wire_read_epoch(reader, &message->epoch);
        break;
    case WIRE_ERROR:
        message->room = pack_read_u32_or_nil(reader, WIRE_NONE);
        message->ref = pack_read_u32_or_nil(reader, WIRE_NONE);
        message->number = pack_read_u32_or_nil(reader, WIRE_NONE);
        message->code = pack_read_u32(reader);
        message->reason = pack_read_str(reader);
        message->detail = pack_read_str(reader);
        break;
    case WIRE_PONG:
        message->n = pack_read_u64(reader);
        break;
    case WIRE_RESYNC:
        message->room = pack_read_u32(reader);
        break;
    case WIRE_MOVE:
        message->retry_after_ms = pack_read_u32(reader);
        break;
    default:
        break;
    }
}

/// How many elements the two readers above take of a message.
static uint32_t elements_known(const struct wire_message *message, uint32_t elements)
{
    return message->type == WIRE_NODE_DELTA ? elements : elements_min(message->type);
}

enum weft_status wire_decode(struct wire_message *message_out, struct span bytes)
{
    struct pack_reader reader = pack_reader_of(bytes);
    uint32_t elements = pack_read_array(&reader);
    uint32_t type = pack_read_u32(&reader);
    if (reader.failed || elements < 1) {
        return WEFT_MALFORMED;
    }
    uint32_t least = elements_min(type);
    if (least == 0) {
        return WEFT_UNSUPPORTED;
    }
    if (elements < least) {
        return WEFT_MALFORMED;
    }
    memset(message_out, 0, offsetof(struct wire_message, deltas));
    message_out->delta_count = 0;
    message_out->type = (enum wire_type)type;
    if (type < WIRE_NODE_HELLO) {
        read_from_client(&reader, message_out);
    } else {
        read_from_node(&reader, message_out, elements);
    }
    pack_skip(&reader, reader.failed ? 0 : elements - elements_known(message_out, elements));
    return reader.failed || pack_left(&reader) > 0 ? WEFT_MALFORMED : WEFT_OK;
}

// -------------------------------------------------------------------------------------- encoding

static void write_epoch(struct pack_writer *writer, const struct weft_epoch *epoch)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    wire_epoch_encode(bytes, epoch);
    pack_bin(writer, (struct span){bytes, sizeof bytes});
}

static void write_limits(struct pack_writer *writer, const struct wire_limits *limits)
{
    pack_map(writer, LIMIT_FIELD_COUNT);
    for (size_t i = 0; i < LIMIT_FIELD_COUNT; i++) {
        uint64_t value;
        memcpy(&value, (const uint8_t *)limits + limit_fields[i].offset, sizeof value);
        pack_literal(writer, limit_fields[i].name);
        pack_u64(writer, value);
    }
}

static void write_from_client(struct pack_writer *writer, const struct wire_message *message)
{
    switch (message->type) {
    case WIRE_HELLO:
        pack_u64(writer, message->version);
        pack_str(writer, message->name);
        pack_u64(writer, message->replicas);
        break;
    case WIRE_JOIN:
        pack_u64(writer, message->ref);
        pack_str(writer, message->name);
        if (message->has_epoch) {
            write_epoch(writer, &message->epoch);
        } else {
            pack_nil(writer);
        }
        pack_bin(writer, message->vector);
        pack_bin_or_nil(writer, message->token);
        break;
    case WIRE_LEAVE:
        pack_u64(writer, message->room);
        break;
    case WIRE_DELTA:
        pack_u64(writer, message->room);
        pack_u64(writer, message->number);
        pack_bin(writer, message->deltas[0]);
        break;
    case WIRE_PING:
        pack_u64(writer, message->n);
        break;
    case WIRE_SYNC:
        pack_u64(writer, message->room);
        pack_bin(writer, message->vector);
        break;
    case WIRE_ORPHANS:
        pack_u64(writer, message->ref);
        pack_str(writer, message->name);
        write_epoch(writer, &message->epoch);
        pack_bin(writer, message->deltas[0]);
        break;
    default:
        break;
    }
}

static void write_from_node(struct pack_writer *writer, const struct wire_message *message)
{
    switch (message->type) {
    case WIRE_NODE_HELLO:
        pack_u64(writer, message->version);
        pack_str(writer, message->name);
        pack_u64(writer, message->incarnation);
        pack_u64(writer, message->heartbeat_ms);
        write_limits(writer, &message->limits);
        break;
    case WIRE_JOINED:
        pack_u64(writer, message->ref);
        pack_u64(writer, message->room);
        write_epoch(writer, &message->epoch);
        pack_bin(writer, message->vector);
        pack_bin(writer, message->token);
        break;
    case WIRE_NODE_DELTA:
        pack_u64(writer, message->room);
        for (uint32_t i = 0; i < message->delta_count; i++) {
            pack_bin(writer, message->deltas[i]);
        }
        break;
    case WIRE_ACK:
        pack_u64(writer, message->room);
        pack_u64(writer, message->level);
        pack_u64(writer, message->number);
        break;
    case WIRE_POINT:
        pack_u64(writer, message->room);
        pack_bin(writer, message->vector);
        pack_bin(writer, (struct span){message->digest.bytes, sizeof message->digest.bytes});
        pack_bin_or_nil(writer, message->receipt);
        pack_bin(writer, message->token);
        break;
    case WIRE_NEW_EPOCH:
        pack_u64(writer, message->room);
        write_epoch(writer, &message->epoch);
        break;
    case WIRE_ERROR:
        pack_u32_or_nil(writer, message->room, WIRE_NONE);
        pack_u32_or_nil(writer, message->ref, WIRE_NONE);
        pack_u32_or_nil(writer, message->number, WIRE_NONE);
        pack_u64(writer, message->code);
        pack_str(writer, message->reason);
        pack_str(writer, message->detail);
        break;
    case WIRE_PONG:
        pack_u64(writer, message->n);
        break;
    case WIRE_RESYNC:
        pack_u64(writer, message->room);
        break;
    case WIRE_MOVE:
        pack_u64(writer, message->retry_after_ms);
        break;
    default:
        break;
    }
}

enum weft_status wire_encode(struct weft_buffer *out, const struct wire_message *message)
{
    struct pack_writer writer = pack_writer_begin(out);
    uint32_t elements = elements_min(message->type);
    if (message->type == WIRE_NODE_DELTA) {
        elements += message->delta_count;
    }
    pack_array(&writer, elements);
    pack_u64(&writer, message->type);
    if (message->type < WIRE_NODE_HELLO) {
        write_from_client(&writer, message);
    } else {
        write_from_node(&writer, message);
    }
    return pack_writer_end(&writer);
}
