// SPDX-License-Identifier: MIT
// Documents of a node, over HTTP.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/wire.h"
#include "programs/cli/place.h"

#define TRIES 5 // for a document that is edited between two questions about it

static void copy_text(char *text_out, size_t room, const json_t *value)
{
    const char *text = json_string_value(value);
    snprintf(text_out, room, "%s", text != NULL ? text : "");
}

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));
    return number > 0 ? (uint64_t)number : 0;
}

static void subject_of(char *text_out, size_t room, const char *name)
{
    snprintf(text_out, room, "document \"%.200s\"", name);
}

/// What /digest says of a document.
static int fetch_state(struct place *place, const char *name, json_t **json_out)
{
    char subject[300];
    subject_of(subject, sizeof(subject), name);
    char *path = remote_path("/v1/docs/", name, "/digest");
    if (path == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    int code = remote_json(&place->remote, json_out, path, subject);
    free(path);
    return code;
}

// ------------------------------------------------------------------------------------------- lists

/// The list leaves out what the node would have to load; this asks for it.
static int complete(struct place *place, struct place_document *document)
{
    json_t *state = NULL;
    int code = fetch_state(place, document->name, &state);
    if (code != EXIT_FINE)
        return code;
    copy_text(document->digest, sizeof(document->digest), json_object_get(state, "digest"));
    copy_text(document->epoch, sizeof(document->epoch), json_object_get(state, "epoch"));
    document->length = number_of(state, "length");
    json_decref(state);
    return EXIT_FINE;
}

static int list_page(struct place *place, const json_t *page,
                     void (*visit)(void *context, const struct place_document *document),
                     void *context)
{
    const json_t *rows = json_object_get(page, "documents");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct place_document document = {.length = number_of(row, "length")};
        copy_text(document.name, sizeof(document.name), json_object_get(row, "name"));
        copy_text(document.epoch, sizeof(document.epoch), json_object_get(row, "epoch"));
        copy_text(document.digest, sizeof(document.digest), json_object_get(row, "digest"));
        document.damaged = json_is_true(json_object_get(row, "damaged"));
        if (document.digest[0] == '\0' && !document.damaged) {
            int code = complete(place, &document);
            if (code == EXIT_DIFFERENT)
                continue; // deleted meanwhile
            if (code != EXIT_FINE)
                return code;
        }
        visit(context, &document);
    }
    return EXIT_FINE;
}

int place_url_list(struct place *place, const char *prefix,
                   void (*visit)(void *context, const struct place_document *document),
                   void *context)
{
    char after[512] = "";
    for (;;) {
        char *begin = remote_path("/v1/docs?limit=500&prefix=", prefix, "&after=");
        char *path = begin != NULL ? remote_path(begin, after, "") : NULL;
        json_t *page = NULL;
        free(begin);
        if (path == NULL)
            return complain(EXIT_REFUSED, "out of memory");
        int code = remote_json(&place->remote, &page, path, "list of documents");
        free(path);
        if (code == EXIT_FINE)
            code = list_page(place, page, visit, context);
        copy_text(after, sizeof(after), json_object_get(page, "next"));
        json_decref(page);
        if (code != EXIT_FINE || after[0] == '\0')
            return code;
    }
}

// --------------------------------------------------------------------------------------- documents

static int fetch(struct place *place, const char *name, const char *accept)
{
    char subject[300];
    subject_of(subject, sizeof(subject), name);
    char *path = remote_path("/v1/docs/", name, "");
    if (path == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    struct remote_ask ask = {.method = "GET", .path = path, .accept = accept};
    int code = remote_expect(&place->remote, &ask, subject);
    free(path);
    return code;
}

static int append(struct weft_buffer *out, const struct weft_buffer *bytes)
{
    if (weft_buffer_append(out, bytes->data, bytes->size) != WEFT_OK)
        return complain(EXIT_REFUSED, "out of memory");
    return EXIT_FINE;
}

int place_url_text(struct place *place, const char *name, struct weft_buffer *text_out)
{
    int code = fetch(place, name, "text/plain");
    return code == EXIT_FINE ? append(text_out, &place->remote.body) : code;
}

/// A document from the delta in the last answer. @return NULL after saying why.
static struct weft_doc *doc_of_delta(struct place *place, const char *name, const char *epoch)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    struct weft_doc_options options = {.name = (const uint8_t *)name, .name_size = strlen(name)};
    struct weft_doc *doc = NULL;
    struct weft_apply_result result = {0};
    if (!hex_parse(bytes, sizeof(bytes), epoch)) {
        complain(EXIT_REFUSED, "%s: does not say the epoch of \"%s\"", place->text, name);
        return NULL;
    }
    options.epoch = wire_epoch_decode(bytes);
    enum weft_status status = weft_doc_create(&doc, &options);
    if (status == WEFT_OK)
        status = weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, place->remote.body.data,
                                place->remote.body.size);
    if (status == WEFT_OK && result.runs_missing == 0 && result.runs_invalid == 0)
        return doc;
    complain(EXIT_DAMAGED, "%s: the history of \"%s\" is not whole: %s", place->text, name,
             status != WEFT_OK ? weft_status_text(status) : "operations are missing or invalid");
    weft_doc_destroy(doc);
    return NULL;
}

/// The document as of one moment: digest, epoch and delta are three answers, or two.
static int try_doc(struct place *place, const char *name, struct weft_doc **doc_out,
                   bool *equal_out)
{
    json_t *state = NULL;
    char epoch[HEX_EPOCH_BYTES + 4];
    char digest[HEX_DIGEST_BYTES];
    struct weft_digest own;
    int code = fetch(place, name, "application/octet-stream");
    if (code == EXIT_FINE && place->remote.epoch[0] == '\0') {
        // An older node: the epoch comes first, then the delta.
        code = fetch_state(place, name, &state);
        copy_text(epoch, sizeof(epoch), json_object_get(state, "epoch"));
        json_decref(state);
        if (code == EXIT_FINE)
            code = fetch(place, name, "application/octet-stream");
    } else {
        snprintf(epoch, sizeof(epoch), "%s", place->remote.epoch);
    }
    if (code != EXIT_FINE)
        return code;
    struct weft_doc *doc = doc_of_delta(place, name, epoch);
    if (doc == NULL)
        return EXIT_DAMAGED;
    if (weft_doc_digest(&own, doc) != WEFT_OK) {
        weft_doc_destroy(doc);
        return complain(EXIT_REFUSED, "out of memory");
    }
    hex_format(digest, own.bytes, sizeof(own.bytes));
    *equal_out = place->remote.etag[0] == '\0' || strcmp(digest, place->remote.etag) == 0;
    *doc_out = doc;
    return EXIT_FINE;
}

int place_url_doc(struct place *place, const char *name, struct weft_doc **doc_out)
{
    for (int i = 0; i < TRIES; i++) {
        struct weft_doc *doc = NULL;
        bool equal = false;
        int code = try_doc(place, name, &doc, &equal);
        if (code != EXIT_FINE)
            return code;
        if (equal) {
            *doc_out = doc;
            return EXIT_FINE;
        }
        weft_doc_destroy(doc);
    }
    return complain(EXIT_DAMAGED, "%s: the history of \"%s\" does not give the digest that it says",
                    place->text, name);
}

/// Steps of one agent, as /times says them.
static enum weft_status note_steps(struct times *times, uint64_t agent, const json_t *steps)
{
    enum weft_status status = WEFT_OK;
    uint64_t from = 0;
    for (size_t i = 0; i < json_array_size(steps) && status == WEFT_OK; i++) {
        const json_t *step = json_array_get(steps, i);
        json_int_t next = json_integer_value(json_array_get(step, 0));
        json_int_t second = json_integer_value(json_array_get(step, 1));
        if (next <= (json_int_t)from || second < 0)
            break;
        status = times_note(times, agent, from, (uint64_t)next, (uint64_t)second);
        from = (uint64_t)next;
    }
    return status;
}

int place_url_times(struct place *place, const char *name, struct times *times)
{
    char *path = remote_path("/v1/docs/", name, "/times");
    if (path == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    struct remote_ask ask = {.method = "GET", .path = path, .accept = "application/json"};
    int code = remote_call(&place->remote, &ask);
    free(path);
    if (code != EXIT_FINE || place->remote.status != 200)
        return code; // a node that does not know
    const struct weft_buffer *body = &place->remote.body;
    json_t *answer = json_loadb((const char *)body->data, body->size, 0, NULL);
    const char *agent;
    json_t *steps;
    enum weft_status status = WEFT_OK;
    json_object_foreach(json_object_get(answer, "times"), agent, steps)
    {
        if (status == WEFT_OK)
            status = note_steps(times, strtoull(agent, NULL, 16), steps);
    }
    json_decref(answer);
    return status == WEFT_OK ? EXIT_FINE : complain(EXIT_REFUSED, "out of memory");
}

// -------------------------------------------------------------------------------------- recoveries

static void recovery_page(const json_t *page, const char *document,
                          void (*visit)(void *context, const struct place_recovery *recovery),
                          void *context)
{
    const json_t *rows = json_object_get(page, "recovery");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        struct place_recovery recovery = {.parts = number_of(row, "parts"),
                                          .bytes = number_of(row, "bytes"),
                                          .wall_ms = number_of(row, "wall_ms")};
        copy_text(recovery.document, sizeof(recovery.document), json_object_get(row, "document"));
        copy_text(recovery.epoch, sizeof(recovery.epoch), json_object_get(row, "epoch"));
        if (document == NULL || strcmp(document, recovery.document) == 0)
            visit(context, &recovery);
    }
}

int place_url_recoveries(struct place *place, const char *document,
                         void (*visit)(void *context, const struct place_recovery *recovery),
                         void *context)
{
    char after[512] = "";
    for (;;) {
        char *path = remote_path("/v1/recovery?limit=500&after=", after, "");
        json_t *page = NULL;
        if (path == NULL)
            return complain(EXIT_REFUSED, "out of memory");
        int code = remote_json(&place->remote, &page, path, "list of recovery copies");
        free(path);
        if (code == EXIT_FINE)
            recovery_page(page, document, visit, context);
        copy_text(after, sizeof(after), json_object_get(page, "next"));
        json_decref(page);
        if (code != EXIT_FINE || after[0] == '\0')
            return code;
    }
}

int place_url_recovery_text(struct place *place, const char *document, const char *epoch,
                            struct weft_buffer *text_out)
{
    char subject[300];
    snprintf(subject, sizeof(subject), "recovery copy of \"%.200s\"", document);
    char *begin = remote_path("/v1/recovery/", document, "?epoch=");
    char *path = begin != NULL ? remote_path(begin, epoch, "") : NULL;
    free(begin);
    if (path == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    struct remote_ask ask = {.method = "GET", .path = path, .accept = "text/plain"};
    int code = remote_expect(&place->remote, &ask, subject);
    free(path);
    return code == EXIT_FINE ? append(text_out, &place->remote.body) : code;
}
