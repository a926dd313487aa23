// SPDX-License-Identifier: MIT
// Keys and values of the store's tables. The layout stands in record.h; docs/storage-format.md is
// normative.
#include "codec/record.h"

#include <assert.h>
#include <string.h>

#include <weft/fork.h>

#include "base/endian.h"
#include "base/utf8.h"
#include "codec/pack.h"
#include "codec/wire.h"

// ------------------------------------------------------------------------------------------ keys

bool record_name_valid(struct span name)
{
    if (name.size == 0 || name.size > RECORD_NAME_BYTES_MAX || !utf8_is_valid(name)) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] < 0x20 || name.data[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

static void key_append(struct record_key *key, const void *bytes, size_t size)
{
    assert(size <= sizeof key->bytes - key->size);
    if (size) {
        memcpy(key->bytes + key->size, bytes, size);
    }
    key->size += size;
}

static void key_append_u64(struct record_key *key, uint64_t number)
{
    uint8_t bytes[8];
    endian_put_be64(bytes, number);
    key_append(key, bytes, sizeof bytes);
}

struct record_key record_key_u64(uint64_t number)
{
    struct record_key key;
    key.size = 0;
    key_append_u64(&key, number);
    return key;
}

struct record_key record_key_change(uint64_t number, struct span document)
{
    struct record_key key = record_key_u64(number);
    key_append(&key, document.data, document.size);
    return key;
}

struct record_key record_key_recovery(struct span document, const struct weft_epoch *epoch,
                                      uint64_t part)
{
    struct record_key key;
    uint8_t bytes[1 + WIRE_EPOCH_SIZE] = {0};
    key.size = 0;
    wire_epoch_encode(bytes + 1, epoch);
    key_append(&key, document.data, document.size);
    key_append(&key, bytes, sizeof bytes);
    key_append_u64(&key, part);
    return key;
}

bool record_key_u64_decode(uint64_t *number_out, struct span key)
{
    if (key.size != 8) {
        return false;
    }
    *number_out = endian_get_be64(key.data);
    return true;
}

bool record_key_change_decode(uint64_t *number_out, struct span *document_out, struct span key)
{
    if (key.size < 9) {
        return false;
    }
    *number_out = endian_get_be64(key.data);
    *document_out = (struct span){key.data + 8, key.size - 8};
    return true;
}

bool record_key_recovery_decode(struct span *document_out, struct weft_epoch *epoch_out,
                                uint64_t *part_out, struct span key)
{
    const size_t tail = 1 + WIRE_EPOCH_SIZE + 8;
    if (key.size <= tail || key.data[key.size - tail] != 0) {
        return false;
    }
    *document_out = (struct span){key.data, key.size - tail};
    *epoch_out = wire_epoch_decode(key.data + key.size - tail + 1);
    *part_out = endian_get_be64(key.data + key.size - 8);
    return true;
}

// ---------------------------------------------------------------------------------------- values

static bool is_first_epoch(const struct weft_epoch *epoch)
{
    static const uint8_t zeros[sizeof epoch->random];
    return epoch->counter == 0 && memcmp(epoch->random, zeros, sizeof zeros) == 0;
}

/// The number of elements of the value's one array; a failure when fewer than `least`.
static uint32_t read_head(struct pack_reader *reader, uint32_t least)
{
    uint32_t elements = pack_read_array(reader);
    reader->failed |= elements < least;
    return elements;
}

/// Passes over elements that this build does not know; nothing may follow.
static enum weft_status read_tail(struct pack_reader *reader, uint32_t unknown)
{
    if (!reader->failed) {
        pack_skip(reader, unknown);
    }
    return reader->failed || pack_left(reader) > 0 ? WEFT_MALFORMED : WEFT_OK;
}

enum weft_status record_entry_encode(struct weft_buffer *out, const struct record_entry *entry)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_array(&writer, entry->wall_ms ? 7 : 6);
    pack_u64(&writer, entry->kind);
    pack_u64(&writer, entry->incarnation);
    pack_u64(&writer, entry->sequence);
    pack_str(&writer, entry->document);
    if (is_first_epoch(&entry->epoch)) {
        pack_nil(&writer);
    } else {
        wire_put_epoch(&writer, &entry->epoch);
    }
    pack_bin(&writer, entry->delta);
    if (entry->wall_ms) {
        pack_u64(&writer, entry->wall_ms);
    }
    return pack_writer_end(&writer);
}

enum weft_status record_entry_decode(struct record_entry *entry_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    struct record_entry entry = {0};
    uint32_t elements = read_head(&reader, 6);
    uint64_t kind = pack_read_u64(&reader);
    entry.incarnation = pack_read_u64(&reader);
    entry.sequence = pack_read_u64(&reader);
    entry.document = pack_read_str(&reader);
    if (!pack_take_nil(&reader)) {
        wire_read_epoch(&reader, &entry.epoch);
    }
    entry.delta = pack_read_bin(&reader);
    uint32_t known = elements > 6 ? 7 : 6;
    if (known == 7) {
        entry.wall_ms = pack_take_u64(&reader);
    }
    if (read_tail(&reader, elements - known) || !record_name_valid(entry.document)) {
        return WEFT_MALFORMED;
    }
    if (kind != RECORD_DELTA && kind != RECORD_EPOCH && kind != RECORD_TIMES) {
        return WEFT_UNSUPPORTED;
    }
    entry.kind = (enum record_entry_kind)kind;
    *entry_out = entry;
    return WEFT_OK;
}

enum weft_status record_document_encode(struct weft_buffer *out,
                                        const struct record_document *document)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_array(&writer, 10);
    wire_put_epoch(&writer, &document->epoch);
    pack_u64(&writer, document->through);
    pack_u64(&writer, document->change);
    pack_u64(&writer, document->atoms);
    pack_u64(&writer, document->length);
    pack_u64(&writer, document->text_size);
    pack_u64(&writer, document->structure_size);
    pack_bin(&writer, document->version);
    pack_bin(&writer, (struct span){document->digest.bytes, sizeof document->digest.bytes});
    pack_u64(&writer, document->wall_ms);
    return pack_writer_end(&writer);
}

enum weft_status record_document_decode(struct record_document *document_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    struct record_document document = {0};
    uint32_t elements = read_head(&reader, 10);
    wire_read_epoch(&reader, &document.epoch);
    document.through = pack_read_u64(&reader);
    document.change = pack_read_u64(&reader);
    document.atoms = pack_read_u64(&reader);
    document.length = pack_read_u64(&reader);
    document.text_size = pack_read_u64(&reader);
    document.structure_size = pack_read_u64(&reader);
    document.version = pack_read_bin(&reader);
    const uint8_t *digest = pack_read_fixed(&reader, sizeof document.digest.bytes);
    document.wall_ms = pack_read_u64(&reader);
    if (read_tail(&reader, elements - 10)) {
        return WEFT_MALFORMED;
    }
    memcpy(document.digest.bytes, digest, sizeof document.digest.bytes);
    *document_out = document;
    return WEFT_OK;
}

enum weft_status record_snapshot_encode(struct weft_buffer *out,
                                        const struct record_snapshot *snapshot)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_array(&writer, snapshot->times.size ? 4 : 3);
    wire_put_epoch(&writer, &snapshot->epoch);
    pack_bin(&writer, snapshot->structure);
    pack_bin(&writer, snapshot->tombs);
    if (snapshot->times.size) {
        pack_bin(&writer, snapshot->times);
    }
    return pack_writer_end(&writer);
}

enum weft_status record_snapshot_decode(struct record_snapshot *snapshot_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    struct record_snapshot snapshot = {0};
    uint32_t elements = read_head(&reader, 3);
    wire_read_epoch(&reader, &snapshot.epoch);
    snapshot.structure = pack_read_bin(&reader);
    snapshot.tombs = pack_read_bin(&reader);
    uint32_t known = elements > 3 ? 4 : 3;
    if (known == 4) {
        snapshot.times = pack_take_bin(&reader);
    }
    if (read_tail(&reader, elements - known)) {
        return WEFT_MALFORMED;
    }
    *snapshot_out = snapshot;
    return WEFT_OK;
}

enum weft_status record_epoch_encode(struct weft_buffer *out, const struct record_epoch *epoch)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_array(&writer, 2);
    wire_put_epoch(&writer, &epoch->epoch);
    pack_bin(&writer, epoch->cuts);
    return pack_writer_end(&writer);
}

enum weft_status record_epoch_decode(struct record_epoch *epoch_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    struct record_epoch epoch = {0};
    uint32_t elements = read_head(&reader, 1);
    wire_read_epoch(&reader, &epoch.epoch);
    if (elements > 1) { // older ones have none
        epoch.cuts = pack_read_bin(&reader);
        elements--;
    }
    if (read_tail(&reader, elements - 1) || !weft_cuts_valid(epoch.cuts.data, epoch.cuts.size)) {
        return WEFT_MALFORMED;
    }
    *epoch_out = epoch;
    return WEFT_OK;
}

enum weft_status record_feed_encode(struct weft_buffer *out, const struct record_feed *feed)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_array(&writer, 6);
    pack_u64(&writer, feed->prefix);
    pack_u64(&writer, feed->continues);
    pack_u64(&writer, feed->continued_to);
    pack_bool(&writer, feed->own);
    pack_u64(&writer, feed->journal_start);
    pack_bool(&writer, feed->retired);
    return pack_writer_end(&writer);
}

enum weft_status record_feed_decode(struct record_feed *feed_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    struct record_feed feed = {0};
    uint32_t elements = read_head(&reader, 5);
    feed.prefix = pack_read_u64(&reader);
    feed.continues = pack_read_u64(&reader);
    feed.continued_to = pack_read_u64(&reader);
    feed.own = pack_read_bool(&reader);
    feed.journal_start = pack_read_u64(&reader);
    feed.retired = elements > 5 && pack_read_bool(&reader); // the sixth came later
    if (read_tail(&reader, elements > 5 ? elements - 6 : 0)) {
        return WEFT_MALFORMED;
    }
    *feed_out = feed;
    return WEFT_OK;
}

enum weft_status record_recovery_encode(struct weft_buffer *out,
                                        const struct record_recovery *recovery)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_array(&writer, 3);
    pack_u64(&writer, recovery->wall_ms);
    pack_bin(&writer, recovery->delta);
    if (recovery->branch) {
        wire_put_epoch(&writer, &recovery->epoch);
    } else {
        pack_nil(&writer);
    }
    return pack_writer_end(&writer);
}

enum weft_status record_recovery_decode(struct record_recovery *recovery_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    struct record_recovery recovery = {0};
    uint32_t elements = read_head(&reader, 2);
    recovery.wall_ms = pack_read_u64(&reader);
    recovery.delta = pack_read_bin(&reader);
    if (elements > 2) { // older ones have two
        recovery.branch = !pack_take_nil(&reader);
        if (recovery.branch) {
            wire_read_epoch(&reader, &recovery.epoch);
        }
        elements--;
    }
    if (read_tail(&reader, elements - 2)) {
        return WEFT_MALFORMED;
    }
    *recovery_out = recovery;
    return WEFT_OK;
}

enum weft_status record_u64_encode(struct weft_buffer *out, uint64_t value)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_u64(&writer, value);
    return pack_writer_end(&writer);
}

enum weft_status record_u64_decode(uint64_t *value_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    uint64_t number = pack_read_u64(&reader);
    if (read_tail(&reader, 0)) {
        return WEFT_MALFORMED;
    }
    *value_out = number;
    return WEFT_OK;
}

enum weft_status record_text_encode(struct weft_buffer *out, struct span text)
{
    struct pack_writer writer = pack_writer_begin(out);
    pack_str(&writer, text);
    return pack_writer_end(&writer);
}

enum weft_status record_text_decode(struct span *text_out, struct span value)
{
    struct pack_reader reader = pack_reader_of(value);
    struct span text = pack_read_str(&reader);
    if (read_tail(&reader, 0)) {
        return WEFT_MALFORMED;
    }
    *text_out = text;
    return WEFT_OK;
}
