// SPDX-License-Identifier: MIT
// Markers, evidence and the final count.
#include "ledger.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ledger_init(struct ledger *ledger, struct world *world)
{
    *ledger = (struct ledger){.world = world};
}

void ledger_finish(struct ledger *ledger)
{
    free(ledger->markers);
    *ledger = (struct ledger){0};
}

// ---------------------------------------------------------------------------------------- scalars
//
// Marker 0, 1, 2 ... is a scalar: three of four from the basic plane in ascending order, so that
// short texts mix encodings of one, two and three bytes, one of four from above it.

#define BASIC_FIRST 0x21u
#define BASIC_AFTER_ASCII 0xA1u // 0x7F..0xA0 are controls and a space
#define BASIC_AFTER_SURROGATES 0xE000u
#define ASCII_COUNT (0x7Fu - BASIC_FIRST)
#define MIDDLE_COUNT (0xD800u - BASIC_AFTER_ASCII)
#define BASIC_COUNT (ASCII_COUNT + MIDDLE_COUNT + (0xFFFEu - BASIC_AFTER_SURROGATES))
#define HIGH_FIRST 0x10000u
#define HIGH_COUNT (0x110000u - HIGH_FIRST)

static uint32_t scalar_of(uint32_t marker)
{
    uint32_t basic = marker - marker / 4;
    if (marker % 4 == 3)
        return HIGH_FIRST + marker / 4;
    if (basic >= BASIC_COUNT) // the basic plane is used up: the rest of the high ones, from the end
        return 0x10FFFFu - (basic - BASIC_COUNT);
    if (basic < ASCII_COUNT)
        return BASIC_FIRST + basic;
    if (basic < ASCII_COUNT + MIDDLE_COUNT)
        return BASIC_AFTER_ASCII + (basic - ASCII_COUNT);
    return BASIC_AFTER_SURROGATES + (basic - ASCII_COUNT - MIDDLE_COUNT);
}

/// @return UINT32_MAX for a scalar that is no marker's.
static uint32_t marker_of(const struct ledger *ledger, uint32_t scalar)
{
    uint32_t basic;
    uint32_t marker;
    if (scalar >= HIGH_FIRST)
        marker = (scalar - HIGH_FIRST) * 4 + 3;
    else {
        if (scalar >= BASIC_AFTER_SURROGATES)
            basic = ASCII_COUNT + MIDDLE_COUNT + (scalar - BASIC_AFTER_SURROGATES);
        else if (scalar >= BASIC_AFTER_ASCII)
            basic = ASCII_COUNT + (scalar - BASIC_AFTER_ASCII);
        else if (scalar >= BASIC_FIRST)
            basic = scalar - BASIC_FIRST;
        else
            return UINT32_MAX;
        marker = basic / 3 * 4 + basic % 3;
    }
    if (marker >= ledger->marker_count || scalar_of(marker) != scalar) {
        // Only after the basic plane was used up can it be one of those from the end.
        uint32_t from_end = BASIC_COUNT + (0x10FFFFu - scalar);
        marker = scalar >= HIGH_FIRST ? from_end / 3 * 4 + from_end % 3 : UINT32_MAX;
    }
    return marker < ledger->marker_count && scalar_of(marker) == scalar ? marker : UINT32_MAX;
}

void ledger_append_text(struct weft_buffer *out, uint32_t marker)
{
    uint32_t c = scalar_of(marker);
    uint8_t bytes[4];
    size_t size;
    if (c < 0x80) {
        bytes[0] = (uint8_t)c;
        size = 1;
    } else if (c < 0x800) {
        bytes[0] = (uint8_t)(0xC0 | c >> 6);
        bytes[1] = (uint8_t)(0x80 | (c & 0x3F));
        size = 2;
    } else if (c < 0x10000) {
        bytes[0] = (uint8_t)(0xE0 | c >> 12);
        bytes[1] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        bytes[2] = (uint8_t)(0x80 | (c & 0x3F));
        size = 3;
    } else {
        bytes[0] = (uint8_t)(0xF0 | c >> 18);
        bytes[1] = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        bytes[2] = (uint8_t)(0x80 | (c >> 6 & 0x3F));
        bytes[3] = (uint8_t)(0x80 | (c & 0x3F));
        size = 4;
    }
    enum weft_status status = weft_buffer_append(out, bytes, size);
    assert(status == WEFT_OK);
    (void)status;
}

/// Reads one scalar. @return its size, or 0 when the bytes are not UTF-8.
static size_t read_scalar(uint32_t *scalar_out, const uint8_t *bytes, size_t size)
{
    static const uint8_t masks[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    uint8_t first = bytes[0];
    size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    if (length > size || (first >= 0x80 && first < 0xC2) || first > 0xF4)
        return 0;
    uint32_t scalar = first & masks[length];
    for (size_t i = 1; i < length; i++) {
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
        scalar = scalar << 6 | (bytes[i] & 0x3Fu);
    }
    *scalar_out = scalar;
    return length;
}

bool ledger_read_text(const struct ledger *ledger, struct marker_list *list_out, struct span text)
{
    for (size_t at = 0; at < text.size;) {
        uint32_t scalar;
        size_t length = read_scalar(&scalar, text.data + at, text.size - at);
        uint32_t marker = length == 0 ? UINT32_MAX : marker_of(ledger, scalar);
        if (marker == UINT32_MAX)
            return false;
        marker_list_add(list_out, marker);
        at += length;
    }
    return true;
}

void marker_list_add(struct marker_list *list, uint32_t marker)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 32 : list->capacity * 2;
        list->items = world_resize(list->items, list->capacity * sizeof(*list->items));
    }
    list->items[list->count++] = marker;
}

void marker_list_finish(struct marker_list *list)
{
    free(list->items);
    *list = (struct marker_list){0};
}

// --------------------------------------------------------------------------------------- evidence

uint32_t ledger_add(struct ledger *ledger, uint32_t document, uint32_t author,
                    const struct weft_epoch *epoch)
{
    assert(ledger->marker_count < LEDGER_MARKERS_MAX);
    if (ledger->marker_count == ledger->marker_capacity) {
        ledger->marker_capacity = ledger->marker_capacity == 0 ? 256 : ledger->marker_capacity * 2;
        ledger->markers =
            world_resize(ledger->markers, ledger->marker_capacity * sizeof(*ledger->markers));
    }
    struct marker *marker = &ledger->markers[ledger->marker_count];
    *marker = (struct marker){.author = author, .document = document};
    if (epoch != NULL) {
        marker->epoch_known = true;
        marker->epoch = *epoch;
    }
    return ledger->marker_count++;
}

void ledger_note_ack(struct ledger *ledger, struct evidence *evidence, uint32_t store,
                     uint32_t level, uint64_t sent_us, const struct weft_epoch *epoch)
{
    (void)ledger;
    assert(store < SIM_STORES_MAX);
    if (level == 0)
        return;
    if (evidence->durable[store] < sent_us + 1)
        evidence->durable[store] = sent_us + 1;
    if (level >= 2 && level < LEDGER_LEVELS_MAX && evidence->replicated[level] == 0)
        evidence->replicated[level] = sent_us + 1;
    evidence->epoch_known = epoch != NULL;
    if (epoch != NULL)
        evidence->epoch = *epoch;
}

void ledger_note_shown(struct ledger *ledger, struct evidence *evidence, uint64_t sent_us,
                       const struct weft_epoch *epoch)
{
    (void)ledger;
    if (evidence->shown < sent_us + 1)
        evidence->shown = sent_us + 1;
    evidence->epoch_known = true;
    evidence->epoch = *epoch;
}

void ledger_note_loss(struct ledger *ledger, uint32_t store, uint64_t since_us)
{
    assert(ledger->loss_count < LEDGER_LOSSES_MAX);
    ledger->losses[ledger->loss_count++] =
        (struct loss){.store = store, .since_us = since_us, .at_us = ledger->world->now_us};
}

static bool durable_binds(const struct ledger *ledger, uint32_t store, uint64_t sent_us)
{
    for (uint32_t i = 0; i < ledger->loss_count; i++) {
        const struct loss *loss = &ledger->losses[i];
        if (loss->store == store && loss->since_us <= sent_us && loss->at_us >= sent_us)
            return false;
    }
    return true;
}

/// n disks held it; it binds while fewer than n of them were lost, whichever they were.
static bool replicated_binds(const struct ledger *ledger, uint32_t n, uint64_t sent_us)
{
    bool lost[SIM_STORES_MAX] = {false};
    uint32_t lost_count = 0;
    for (uint32_t i = 0; i < ledger->loss_count; i++) {
        const struct loss *loss = &ledger->losses[i];
        if (loss->at_us >= sent_us && loss->since_us <= sent_us && !lost[loss->store]) {
            lost[loss->store] = true;
            lost_count++;
        }
    }
    return lost_count < n;
}

bool ledger_binds(const struct ledger *ledger, const struct evidence *evidence)
{
    for (uint32_t store = 0; store < SIM_STORES_MAX; store++) {
        uint64_t since = evidence->durable[store];
        if (since != 0 && durable_binds(ledger, store, since - 1))
            return true;
    }
    for (uint32_t n = 2; n < LEDGER_LEVELS_MAX; n++) {
        uint64_t since = evidence->replicated[n];
        if (since != 0 && replicated_binds(ledger, n, since - 1))
            return true;
    }
    // It was on one disk at least: it binds while no disk at all was lost since.
    return evidence->shown != 0 && replicated_binds(ledger, 1, evidence->shown - 1);
}

static bool is_empty(const struct evidence *evidence)
{
    uint64_t any = evidence->shown;
    for (uint32_t store = 0; store < SIM_STORES_MAX; store++)
        any |= evidence->durable[store];
    return any == 0;
}

void ledger_count(const struct ledger *ledger, uint32_t *binding_out, uint32_t *void_out)
{
    *binding_out = 0;
    *void_out = 0;
    for (uint32_t i = 0; i < ledger->marker_count; i++) {
        const struct evidence *evidence = &ledger->markers[i].insert;
        if (ledger_binds(ledger, evidence))
            (*binding_out)++;
        else if (!is_empty(evidence))
            (*void_out)++;
    }
}

// ------------------------------------------------------------------------------------------ check

static bool same_epoch(const struct weft_epoch *a, const struct weft_epoch *b)
{
    return weft_epoch_compare(a, b) == 0;
}

static void describe_evidence(char *out, size_t size, const struct evidence *evidence)
{
    size_t at = 0;
    out[0] = '\0';
    for (uint32_t store = 0; store < SIM_STORES_MAX && at < size; store++) {
        if (evidence->durable[store] != 0)
            at += (size_t)snprintf(out + at, size - at, " durable on n%u at %.6f", store,
                                   (double)(evidence->durable[store] - 1) / 1e6);
    }
    if (evidence->shown != 0 && at < size)
        at += (size_t)snprintf(out + at, size - at, " shown at %.6f",
                               (double)(evidence->shown - 1) / 1e6);
    for (uint32_t n = 2; n < LEDGER_LEVELS_MAX && at < size; n++) {
        if (evidence->replicated[n] != 0)
            at += (size_t)snprintf(out + at, size - at, " replicated:%u at %.6f", n,
                                   (double)(evidence->replicated[n] - 1) / 1e6);
    }
}

static void fail_marker(const struct ledger *ledger, uint32_t index, const char *what,
                        const struct evidence *evidence)
{
    const struct marker *marker = &ledger->markers[index];
    char promised[400];
    describe_evidence(promised, sizeof(promised), evidence);
    char author[24];
    if (marker->author == LEDGER_SHARED)
        snprintf(author, sizeof(author), "anyone's CREATE");
    else if (marker->author == LEDGER_REQUESTS)
        snprintf(author, sizeof(author), "a request");
    else
        snprintf(author, sizeof(author), "client %u", marker->author);
    world_fail(ledger->world, "document %u: marker %u (U+%04X) of %s, epoch %llu: %s;%s",
               marker->document, index, scalar_of(index), author,
               marker->epoch_known ? (unsigned long long)marker->epoch.counter : 0, what,
               promised[0] == '\0' ? " nothing was promised" : promised);
}

static bool is_held(const struct final_document *final, uint32_t index)
{
    if (final->held == NULL)
        return true; // no client has the document: its deleted elements are not known here
    for (uint32_t i = 0; i < final->held->count; i++) {
        if (final->held->items[i] == index)
            return true;
    }
    return false;
}

/// @param seen How often each marker stands in the final text. @param kept Likewise, in recovery
/// copies.
static void check_marker(const struct ledger *ledger, const struct final_document *final,
                         uint32_t index, const uint8_t *seen, const uint8_t *kept)
{
    const struct marker *marker = &ledger->markers[index];
    if (marker->document != final->document) {
        if (seen[index] != 0)
            fail_marker(ledger, index, "leaked into another document", &marker->insert);
        return;
    }
    if (seen[index] > 1 && !marker->loose) {
        fail_marker(ledger, index, "stands twice in the text", &marker->insert);
        return;
    }
    bool current =
        marker->epoch_known && final->epoch_known && same_epoch(&marker->epoch, &final->epoch);
    if (!marker->delete_issued && seen[index] == 0 && ledger_binds(ledger, &marker->insert)) {
        if (ledger->forked[final->document]) {
            // A delete may have met the other branch's element of the same number.
            if (kept[index] == 0 && !marker->met && !is_held(final, index))
                fail_marker(ledger, index, "was acked, and is neither there nor in a copy",
                            &marker->insert);
        } else if (current)
            fail_marker(ledger, index, "was acked and is not in the text", &marker->insert);
        else if (kept[index] == 0)
            fail_marker(ledger, index, "was acked and is in no recovery copy", &marker->insert);
    }
    bool deleted = ledger_binds(ledger, &marker->delete) && marker->delete.epoch_known &&
                   final->epoch_known && same_epoch(&marker->delete.epoch, &final->epoch);
    if (deleted && seen[index] != 0 && !marker->loose && !ledger->forked[final->document])
        fail_marker(ledger, index, "its delete was acked and it is in the text", &marker->delete);
}

void ledger_check(const struct ledger *ledger, const struct final_document *final)
{
    struct marker_list text = {0};
    if (!ledger_read_text(ledger, &text, final->text)) {
        world_fail(ledger->world, "document %u: text that nobody wrote", final->document);
        marker_list_finish(&text);
        return;
    }
    uint8_t *seen = world_resize(NULL, 2 * (size_t)ledger->marker_count + 2);
    uint8_t *kept = seen + ledger->marker_count + 1;
    memset(seen, 0, 2 * (size_t)ledger->marker_count + 2);
    for (uint32_t i = 0; i < text.count; i++) {
        if (seen[text.items[i]] < UINT8_MAX)
            seen[text.items[i]]++;
    }
    for (uint32_t i = 0; final->recovered != NULL && i < final->recovered->count; i++)
        kept[final->recovered->items[i]] = 1;
    for (uint32_t i = 0; i < ledger->marker_count; i++)
        check_marker(ledger, final, i, seen, kept);
    if (final->epoch_known && final->epoch.counter == 0 &&
        ledger_binds(ledger, &ledger->deletes[final->document]))
        world_fail(ledger->world, "document %u was deleted, which was acked, and is back",
                   final->document);
    free(seen);
    marker_list_finish(&text);
}
