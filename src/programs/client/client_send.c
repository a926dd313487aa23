// SPDX-License-Identifier: MIT
// What the client sends, one message at a time, and what became of it.
//
// On joining a reader gives all that the node's version lacks. When it is through, `base` is the
// version up to which everything is sent; from then on own edits follow by their seqs alone, which
// is cheap, and a new reader from `base` is opened only for much at once or for others' operations.
#include "programs/client/client_impl.h"

#include <string.h>

#include <weft/fork.h>
#include <weft/version.h>

#define OWN_ATOMS_MAX 1024 // at most 32 bytes each: one delta of own edits is below any frame limit
#define READER_BYTES_MIN (32U << 10)

// ---------------------------------------------------------------------------------- the ring of
// sent

static struct client_sent *sent_at(struct client *client, uint32_t index)
{
    return &client->sent[(client->sent_first + index) % CLIENT_WINDOW_COUNT];
}

static void sent_pop(struct client *client)
{
    client->sent_first = (client->sent_first + 1) % CLIENT_WINDOW_COUNT;
    client->sent_count--;
}

/// Bucket of a time: eight per power of two, so within 12 % of it.
static uint32_t bucket_of(uint64_t us)
{
    uint32_t power = 0;
    while (us >> power >= 16)
        power++;
    uint32_t bucket = power * 8 + (uint32_t)(us >> power);
    return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static uint64_t bucket_us(uint32_t bucket)
{
    if (bucket < 16)
        return bucket;
    uint32_t power = bucket / 8 - 1;
    return (uint64_t)(bucket - power * 8) << power;
}

static void note_durable(struct client *client, struct client_sent *sent)
{
    uint64_t us = client_now_us() - sent->sent_us;
    sent->durable = true;
    client->in_flight_bytes -= sent->bytes;
    client->stats.acked_durable++;
    client->latency[bucket_of(us)]++;
    if (us > client->stats.ack_us_max)
        client->stats.ack_us_max = us;
}

static void raise_to(uint64_t *seq, uint64_t value)
{
    if (value > *seq)
        *seq = value;
}

void client_send_acked(struct client *client, uint32_t level, uint32_t number)
{
    uint32_t count = 0;
    if (level == 0)
        return;
    while (count < client->sent_count && sent_at(client, count)->number <= number)
        count++;
    for (uint32_t i = 0; i < count; i++) {
        struct client_sent *sent = sent_at(client, i);
        if (!sent->durable)
            note_durable(client, sent);
        raise_to(&client->acked_seq[0], sent->own_end);
        if (level >= 2) {
            client->stats.acked_replicated++;
            raise_to(&client->acked_seq[1], sent->own_end);
        }
    }
    // Entries wait for the highest level that was asked for.
    if (level >= 2 || client->options.replicas < 2) {
        while (count-- > 0)
            sent_pop(client);
    }
}

static void forget_sent(struct client *client)
{
    for (uint32_t i = 0; i < client->sent_count; i++)
        client->stats.resent += !sent_at(client, i)->durable;
    weft_delta_reader_destroy(client->reader);
    client->reader = NULL;
    client->sent_first = client->sent_count = 0;
    client->in_flight_bytes = 0;
    client->piece.size = 0;
}

void client_send_refused(struct client *client)
{
    forget_sent(client);
    client->waiting_point = true;
}

void client_send_reset(struct client *client)
{
    forget_sent(client);
    client->number = 0;
    client->waiting_point = false;
    client->leaving = false;
    client->want_hello = client->want_join = client->want_sync = false;
    client->want_ping = client->want_orphans = false;
}

struct client_stats client_stats(const struct client *client)
{
    struct client_stats stats = client->stats;
    uint64_t total = stats.acked_durable;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < LATENCY_BUCKETS; i++) {
        uint64_t before = seen;
        seen += client->latency[i];
        if (before * 2 < total && seen * 2 >= total)
            stats.ack_us_p50 = bucket_us(i);
        if (before * 100 < total * 99 && seen * 100 >= total * 99)
            stats.ack_us_p99 = bucket_us(i);
    }
    return stats;
}

// ----------------------------------------------------------------------------------------- what is
// next

struct own_entry {
    uint64_t agent;
    uint64_t next;
};

static bool find_own(void *context, uint64_t agent, uint64_t next)
{
    struct own_entry *own = context;
    if (agent == own->agent)
        own->next = next;
    return agent < own->agent;
}

void client_send_lacking(struct client *client, struct span version)
{
    struct own_entry own = {.agent = client->options.agent};
    if (weft_version_visit(version.data, version.size, find_own, &own) == WEFT_OK)
        raise_to(&client->acked_seq[0], own.next);
    weft_delta_reader_destroy(client->reader);
    client->reader = NULL;
    client->piece.size = 0;
    client->flush_all = false;
    client->base.size = 0;
    if (weft_doc_overlap(&client->base, client->doc, client->options.agent, version.data,
                         version.size) != WEFT_OK ||
        weft_delta_reader_create(&client->reader, client->doc, client->base.data,
                                 client->base.size) != WEFT_OK)
        client_lose(client, "sent a version that is none, or memory is short");
}

void client_flush(struct client *client)
{
    client->flush_own = true;
}

void client_flush_all(struct client *client)
{
    client->flush_all = true;
}

static bool window_open(const struct client *client)
{
    return client->in_flight_bytes < client->window_bytes;
}

static bool has_edits(const struct client *client)
{
    return client->piece.size > 0 || client->reader != NULL || client->flush_all ||
           (client->flush_own &&
            weft_doc_next_seq(client->doc, client->options.agent) > client->sent_seq);
}

bool client_sending(const struct client *client)
{
    if (client->in_flight_bytes > 0 || client->waiting_point || client->state != CLIENT_JOINED)
        return true;
    return has_edits(client);
}

bool client_send_ready(const struct client *client)
{
    if (!client->open)
        return false;
    if (client->want_hello || client->want_join || client->want_sync || client->want_ping ||
        client->want_orphans)
        return true;
    return client->state == CLIENT_JOINED && !client->waiting_point && window_open(client) &&
           has_edits(client);
}

/// Everything that is in the document at this moment is sent, and so much is durable when the last
/// DELTA is.
static enum weft_status reached_end(struct client *client)
{
    weft_delta_reader_destroy(client->reader);
    client->reader = NULL;
    client->sent_seq = weft_doc_next_seq(client->doc, client->options.agent);
    if (client->sent_count > 0)
        sent_at(client, client->sent_count - 1)->own_end = client->sent_seq;
    if (client->in_flight_bytes == 0)
        raise_to(&client->acked_seq[0], client->sent_seq);
    client->base.size = 0;
    return weft_doc_version(&client->base, client->doc);
}

/// Fills `piece` from the reader.
static enum weft_status read_piece(struct client *client)
{
    size_t size_max = (size_t)client->frame_bytes - ENVELOPE_BYTES;
    if (size_max > client->window_bytes)
        size_max = client->window_bytes;
    if (size_max < READER_BYTES_MIN)
        size_max = READER_BYTES_MIN;
    enum weft_status status = weft_delta_reader_next(&client->piece, client->reader, size_max);
    if (status == WEFT_OK && client->piece.size == 0)
        status = reached_end(client);
    return status;
}

/// Fills `piece` with what is to be sent next, if there is anything.
static enum weft_status make_piece(struct client *client)
{
    enum weft_status status = WEFT_OK;
    uint64_t agent = client->options.agent;
    if (client->reader != NULL)
        status = read_piece(client);
    if (status != WEFT_OK || client->piece.size > 0)
        return status;
    uint64_t next = weft_doc_next_seq(client->doc, agent);
    bool much = client->flush_own && next - client->sent_seq > OWN_ATOMS_MAX;
    if (client->flush_all || much) {
        struct span base = span_of_buffer(&client->base);
        client->flush_all = false;
        status = weft_delta_reader_create(&client->reader, client->doc, base.data, base.size);
        return status == WEFT_OK ? read_piece(client) : status;
    }
    if (!client->flush_own || next == client->sent_seq)
        return WEFT_OK;
    status = weft_doc_delta_own(&client->piece, client->doc, agent, client->sent_seq);
    if (status == WEFT_OK)
        client->sent_seq = next;
    return status;
}

/// Own atoms below this are sent once `piece` is. While a reader is under way nothing is known.
static uint64_t own_end(const struct client *client)
{
    return client->reader != NULL ? 0 : client->sent_seq;
}

static void note_sent(struct client *client)
{
    if (client->sent_count == CLIENT_WINDOW_COUNT)
        sent_pop(client); // durable, but not replicated: the next ones will tell
    struct client_sent *sent = sent_at(client, client->sent_count++);
    *sent = (struct client_sent){.number = client->number,
                                 .bytes = (uint32_t)client->piece.size,
                                 .own_end = own_end(client),
                                 .sent_us = client_now_us()};
    client->in_flight_bytes += sent->bytes;
    client->stats.deltas_sent++;
    client->stats.bytes_sent += sent->bytes;
}

static bool next_delta(struct client *client, struct wire_message *message)
{
    if (client->piece.size == 0 && make_piece(client) != WEFT_OK) {
        client_end(client, 0, "out of memory");
        return false;
    }
    if (client->piece.size == 0)
        return false;
    message->type = WIRE_DELTA;
    message->number = ++client->number;
    message->deltas[0] = span_of_buffer(&client->piece);
    message->delta_count = 1;
    note_sent(client);
    return true;
}

// -----------------------------------------------------------------------------------------
// messages

static void fill_join(struct client *client, struct wire_message *message,
                      struct weft_buffer *version)
{
    message->type = WIRE_JOIN;
    message->ref = JOIN_REF;
    message->name = client->options.document;
    message->has_epoch = weft_doc_stats(client->doc).atoms > 0;
    message->epoch = weft_doc_epoch(client->doc);
    message->vector = span_of_buffer(version);
}

/// A piece of what the node did not have of the epoch that is over; after the last a PING.
static enum weft_status fill_orphans(struct client *client, struct wire_message *message)
{
    struct span version = span_of_buffer(&client->node_version);
    enum weft_status status = WEFT_OK;
    if (client->reader == NULL)
        status = weft_delta_reader_create(&client->reader, client->doc, version.data, version.size);
    client->piece.size = 0;
    if (status == WEFT_OK)
        status = weft_delta_reader_next(&client->piece, client->reader, READER_BYTES_MIN);
    if (status == WEFT_OK && client->piece.size == 0) {
        client->want_orphans = false;
        client->leaving = true;
        message->type = WIRE_PING;
        return WEFT_OK;
    }
    message->type = WIRE_ORPHANS;
    message->ref = JOIN_REF + 1;
    message->name = client->options.document;
    message->epoch = weft_doc_epoch(client->doc);
    message->deltas[0] = span_of_buffer(&client->piece);
    message->delta_count = 1;
    return status;
}

/// The message that is due besides edits. @return WEFT_NOT_FOUND: none is.
static enum weft_status fill_control(struct client *client, struct wire_message *message,
                                     struct weft_buffer *scratch)
{
    enum weft_status status = WEFT_OK;
    if (client->want_hello) {
        client->want_hello = false;
        message->type = WIRE_HELLO;
        message->version = WIRE_VERSION;
        message->replicas = client->options.replicas;
        message->name = (struct span){(const uint8_t *)client->options.program,
                                      strlen(client->options.program)};
    } else if (client->want_join) {
        client->want_join = false;
        status = weft_doc_version(scratch, client->doc);
        fill_join(client, message, scratch);
    } else if (client->want_orphans) {
        status = fill_orphans(client, message);
    } else if (client->want_sync) {
        client->want_sync = false;
        status = weft_doc_version(scratch, client->doc);
        message->type = WIRE_SYNC;
        message->room = client->room;
        message->vector = span_of_buffer(scratch);
    } else if (client->want_ping) {
        client->want_ping = false;
        message->type = WIRE_PING;
        message->n = client_now_us();
    } else {
        return WEFT_NOT_FOUND;
    }
    return status;
}

bool client_send_next(struct client *client, struct weft_buffer *out)
{
    struct wire_message message;
    struct weft_buffer scratch;
    bool edits = false;
    memset(&message, 0, sizeof(message));
    message.room = client->room;
    weft_buffer_init(&scratch, NULL);
    enum weft_status status = fill_control(client, &message, &scratch);
    if (status == WEFT_NOT_FOUND) {
        edits = client_send_ready(client) && next_delta(client, &message);
        status = edits ? WEFT_OK : status;
    }
    if (status == WEFT_OK)
        status = wire_encode(out, &message);
    weft_buffer_finish(&scratch);
    client->piece.size = 0; // it is in `out` now; only messages with one leave one behind
    if (status == WEFT_NO_MEMORY)
        client_end(client, 0, "out of memory");
    return status == WEFT_OK;
}
