// SPDX-License-Identifier: MIT
// Reading the whole cluster through its own HTTP API, and judging it.
#include "survey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim_client.h"
#include "sim_node.h"
#include "sim_request.h"

#define ANSWER_US_MAX 20000000
#define EPOCH_HEX (2 * WIRE_EPOCH_SIZE)

void survey_init(struct survey *survey, struct cluster *cluster)
{
    *survey = (struct survey){.cluster = cluster};
    for (uint32_t n = 0; n < SIM_NODES_MAX; n++) {
        for (uint32_t d = 0; d < SIM_DOCUMENTS_MAX; d++)
            weft_buffer_init(&survey->views[n][d].text, NULL);
    }
}

void survey_finish(struct survey *survey)
{
    for (uint32_t n = 0; n < SIM_NODES_MAX; n++) {
        for (uint32_t d = 0; d < SIM_DOCUMENTS_MAX; d++)
            weft_buffer_finish(&survey->views[n][d].text);
    }
    for (uint32_t d = 0; d < SIM_DOCUMENTS_MAX; d++)
        marker_list_finish(&survey->recovered[d]);
}

static struct world *survey_world(const struct survey *survey)
{
    return &survey->cluster->world;
}

// ---------------------------------------------------------------------------------------- reading

/// Copies the string value of `key` in a JSON text, if it has the given length. @return where it
/// ends.
static const char *find_string(char *out, size_t length, const char *key, const char *json,
                               const char *end)
{
    size_t key_size = strlen(key);
    for (const char *at = json; at + key_size + length + 4 < end; at++) {
        if (*at != '"' || memcmp(at + 1, key, key_size) != 0 || at[key_size + 1] != '"')
            continue;
        const char *value = at + key_size + 2;
        while (value < end && (*value == ':' || *value == ' '))
            value++;
        if (value + length + 1 >= end || *value != '"' || value[length + 1] != '"')
            continue;
        memcpy(out, value + 1, length);
        out[length] = '\0';
        return value + length + 2;
    }
    return NULL;
}

static struct weft_epoch epoch_of_hex(const char *hex)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    for (size_t i = 0; i < sizeof(bytes); i++) {
        unsigned value = 0;
        sscanf(hex + 2 * i, "%2x", &value);
        bytes[i] = (uint8_t)value;
    }
    return wire_epoch_decode(bytes);
}

bool survey_read_epoch(struct weft_epoch *epoch_out, struct span json)
{
    char hex[EPOCH_HEX + 1];
    const char *text = (const char *)json.data;
    if (find_string(hex, EPOCH_HEX, "epoch", text, text + json.size) == NULL)
        return false;
    *epoch_out = epoch_of_hex(hex);
    return true;
}

static void take_text(void *context, uint64_t tag, const struct sim_request_result *result)
{
    struct survey *survey = context;
    struct view *view = &survey->views[result->slot][tag];
    survey->pending--;
    view->status = result->status;
    view->text.size = 0;
    if (result->status == 200 &&
        weft_buffer_append(&view->text, result->body.data, result->body.size) != WEFT_OK)
        abort(); // memory of the simulator itself
}

static void take_digest(void *context, uint64_t tag, const struct sim_request_result *result)
{
    struct survey *survey = context;
    struct view *view = &survey->views[result->slot][tag];
    const char *json = (const char *)result->body.data;
    survey->pending--;
    view->digest[0] = '\0';
    view->epoch_known = false;
    if (result->status != 200)
        return;
    if (find_string(view->digest, DIGEST_HEX, "digest", json, json + result->body.size) == NULL ||
        !survey_read_epoch(&view->epoch, result->body)) {
        world_fail(survey_world(survey), "n%u: a digest without epoch or digest: %.*s",
                   result->slot, (int)result->body.size, json);
        return;
    }
    view->epoch_known = true;
}

static void wait_for_next(struct survey *survey)
{
    struct world *world = survey_world(survey);
    uint64_t until_us = world->now_us + ANSWER_US_MAX;
    while (survey->pending > 0 && world->now_us < until_us && world_step(world))
        continue;
    if (survey->pending > 0)
        world_fail(world, "%u reads are not answered after %d s", survey->pending,
                   ANSWER_US_MAX / 1000000);
}

void survey_take(struct survey *survey)
{
    struct cluster *cluster = survey->cluster;
    for (uint32_t n = 0; n < cluster->node_count; n++) {
        for (uint32_t d = 0; d < cluster->document_count; d++) {
            struct node_ask ask = {.verb = NODE_ASK_TEXT, .document = cluster_document_name(d)};
            sim_request_send(cluster->nodes[n], &ask, take_text, survey, d);
            ask.verb = NODE_ASK_DIGEST;
            sim_request_send(cluster->nodes[n], &ask, take_digest, survey, d);
            survey->pending += 2;
        }
    }
    wait_for_next(survey);
}

// --------------------------------------------------------------------------------------- recovery

static void take_copy(void *context, uint64_t tag, const struct sim_request_result *result)
{
    struct survey *survey = context;
    survey->pending--;
    if (result->status != 200)
        world_fail(survey_world(survey), "n%u lists a recovery copy of document %u and answers %u",
                   result->slot, (unsigned)tag, result->status);
    else if (!ledger_read_text(&survey->cluster->ledger, &survey->recovered[tag], result->body))
        world_fail(survey_world(survey), "n%u has a recovery copy of document %u that nobody wrote",
                   result->slot, (unsigned)tag);
}

/// The list is one of objects, each with a document and an epoch.
static void take_list(void *context, uint64_t tag, const struct sim_request_result *result)
{
    struct survey *survey = context;
    struct cluster *cluster = survey->cluster;
    const char *at = (const char *)result->body.data;
    const char *end = at + result->body.size;
    char hex[EPOCH_HEX + 1];
    survey->pending--;
    if (result->status != 200) {
        world_fail(survey_world(survey), "n%u does not list its recovery copies: %u", result->slot,
                   result->status);
        return;
    }
    while ((at = find_string(hex, EPOCH_HEX, "epoch", at, end)) != NULL) {
        struct node_ask ask = {.verb = NODE_ASK_RECOVERY_TEXT,
                               .document = cluster_document_name((uint32_t)tag),
                               .after = {(const uint8_t *)hex, EPOCH_HEX}};
        survey->pending++;
        sim_request_send(cluster->nodes[result->slot], &ask, take_copy, survey, tag);
    }
}

void survey_recover(struct survey *survey)
{
    struct cluster *cluster = survey->cluster;
    for (uint32_t d = 0; d < cluster->document_count; d++)
        survey->recovered[d].count = 0;
    for (uint32_t n = 0; n < cluster->node_count; n++) {
        for (uint32_t d = 0; d < cluster->document_count; d++) {
            struct node_ask ask = {.verb = NODE_ASK_RECOVERY_LIST,
                                   .document = cluster_document_name(d),
                                   .limit = 1000};
            survey->pending++;
            sim_request_send(cluster->nodes[n], &ask, take_list, survey, d);
        }
    }
    wait_for_next(survey);
}

// --------------------------------------------------------------------------------------- judging

static bool views_agree(const struct view *a, const struct view *b)
{
    return a->status == b->status && a->status != 0 && a->text.size == b->text.size &&
           (a->text.size == 0 || memcmp(a->text.data, b->text.data, a->text.size) == 0) &&
           strcmp(a->digest, b->digest) == 0 && a->epoch_known == b->epoch_known &&
           (!a->epoch_known || weft_epoch_compare(&a->epoch, &b->epoch) == 0);
}

static void digest_hex(char *out, struct weft_doc *doc)
{
    struct weft_digest digest = {{0}};
    if (weft_doc_digest(&digest, doc) != WEFT_OK)
        abort(); // memory of the simulator itself
    for (size_t i = 0; i < sizeof(digest.bytes); i++)
        snprintf(out + 2 * i, 3, "%02x", digest.bytes[i]);
}

static bool room_agrees(const struct sim_room *room, const struct view *view, char *why,
                        size_t why_size)
{
    char hex[DIGEST_HEX + 1] = "";
    if (view->status == 404) {
        snprintf(why, why_size, "client %u holds document %u, which no node does",
                 room->client->index, room->document);
        return weft_doc_stats(room->doc).atoms == 0;
    }
    digest_hex(hex, room->doc);
    snprintf(why, why_size, "client %u document %u: epoch %llu digest %s length %u, nodes %llu %s",
             room->client->index, room->document, (unsigned long long)room->epoch.counter, hex,
             room->mirror.count, (unsigned long long)view->epoch.counter, view->digest);
    return strcmp(hex, view->digest) == 0 && weft_epoch_compare(&room->epoch, &view->epoch) == 0;
}

bool survey_agrees(const struct survey *survey, char *why, size_t why_size)
{
    const struct cluster *cluster = survey->cluster;
    for (uint32_t d = 0; d < cluster->document_count; d++) {
        const struct view *first = &survey->views[0][d];
        for (uint32_t n = 1; n < cluster->node_count; n++) {
            const struct view *view = &survey->views[n][d];
            snprintf(why, why_size,
                     "document %u: n0 %u, epoch %llu, %s, %zu bytes; n%u %u, epoch %llu, %s, "
                     "%zu bytes",
                     d, first->status, (unsigned long long)first->epoch.counter, first->digest,
                     first->text.size, n, view->status, (unsigned long long)view->epoch.counter,
                     view->digest, view->text.size);
            if (!views_agree(first, view))
                return false;
        }
    }
    for (uint32_t c = 0; c < cluster->client_count; c++) {
        const struct sim_client *client = cluster->clients[c];
        for (uint32_t r = 0; r < client->room_count; r++) {
            const struct sim_room *room = &client->rooms[r];
            if (!room_agrees(room, &survey->views[0][room->document], why, why_size))
                return false;
        }
    }
    return true;
}

static void check_replica(const struct survey *survey, const struct sim_room *room)
{
    struct marker_list text = {0};
    struct weft_buffer bytes;
    weft_buffer_init(&bytes, NULL);
    const char *broken = weft_doc_check(room->doc);
    if (broken != NULL)
        world_fail(survey_world(survey), "client %u document %u: %s", room->client->index,
                   room->document, broken);
    if (weft_doc_text(&bytes, room->doc) != WEFT_OK ||
        !ledger_read_text(&survey->cluster->ledger, &text, (struct span){bytes.data, bytes.size}) ||
        text.count != room->mirror.count ||
        (text.count > 0 &&
         memcmp(text.items, room->mirror.items, text.count * sizeof(*text.items)) != 0))
        world_fail(survey_world(survey),
                   "client %u document %u: its observer was told another text", room->client->index,
                   room->document);
    marker_list_finish(&text);
    weft_buffer_finish(&bytes);
}

struct elements {
    const struct ledger *ledger;
    struct marker_list *list;
};

static bool note_span(void *context, const struct weft_span *span)
{
    struct elements *elements = context;
    return ledger_read_text(elements->ledger, elements->list,
                            (struct span){span->text, span->text_size});
}

/// All elements of a document, as a client that agrees with the nodes holds it.
/// @return Whether there is one.
static bool read_elements(const struct survey *survey, uint32_t document, struct marker_list *list)
{
    const struct cluster *cluster = survey->cluster;
    struct elements elements = {&cluster->ledger, list};
    for (uint32_t c = 0; c < cluster->client_count; c++) {
        for (uint32_t r = 0; r < cluster->clients[c]->room_count; r++) {
            const struct sim_room *room = &cluster->clients[c]->rooms[r];
            if (room->document == document) {
                weft_doc_visit_spans(room->doc, note_span, &elements);
                return true;
            }
        }
    }
    return false;
}

void survey_check(const struct survey *survey)
{
    const struct cluster *cluster = survey->cluster;
    for (uint32_t c = 0; c < cluster->client_count; c++) {
        for (uint32_t r = 0; r < cluster->clients[c]->room_count; r++)
            check_replica(survey, &cluster->clients[c]->rooms[r]);
    }
    for (uint32_t d = 0; d < cluster->document_count; d++) {
        const struct view *view = &survey->views[0][d];
        struct final_document final = {.document = d,
                                       .epoch_known = view->epoch_known,
                                       .epoch = view->epoch,
                                       .text = {view->text.data, view->text.size},
                                       .recovered = &survey->recovered[d]};
        struct marker_list held = {0};
        if (cluster->ledger.forked[d] && read_elements(survey, d, &held))
            final.held = &held;
        ledger_check(&cluster->ledger, &final);
        marker_list_finish(&held);
    }
}
