// SPDX-License-Identifier: MIT
// Requests about labels: names of a document's versions, which are operations of it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/labels.h>

#include "base/hex.h"
#include "node/epoch.h"
#include "node/json.h"
#include "node/request.h"
#include "node/room.h"

#define EPOCH_DIGITS (2 * WIRE_EPOCH_SIZE)

// ---------------------------------------------------------------------------------------- reading

/// Authors of a document, ascending by agent.
struct authors {
    struct weft_buffer found; // struct weft_author
    bool failed;
};

static bool gather_author(void *context, const struct weft_author *author)
{
    struct authors *authors = context;
    authors->failed = weft_buffer_append(&authors->found, author, sizeof *author) != WEFT_OK;
    return !authors->failed;
}

static int compare_agents(const void *key, const void *item)
{
    uint64_t agent = *(const uint64_t *)key;
    const struct weft_author *author = item;
    return (agent > author->agent) - (agent < author->agent);
}

struct label_list {
    struct json *json;
    const struct room *room;
    struct authors authors;
    uint32_t count;
};

static void put_author(struct label_list *list, uint64_t agent)
{
    const struct weft_buffer *found = &list->authors.found;
    const struct weft_author *author =
        found->size == 0 ? NULL
                         : bsearch(&agent, found->data, found->size / sizeof(struct weft_author),
                                   sizeof(struct weft_author), compare_agents);
    if (author) {
        json_name(list->json, "author");
        json_put_string(list->json, (struct span){author->name, author->name_size});
    }
}

static bool put_label(void *context, const struct weft_label *label)
{
    struct label_list *list = context;
    struct json *json = list->json;
    char agent[17];
    snprintf(agent, sizeof agent, "%016llx", (unsigned long long)label->id.agent);
    json_raw(json, list->count++ ? ",\n{" : "\n{");
    json_name(json, "label");
    json_put_string(json, (struct span){label->name, label->name_size});
    json_name(json, "version");
    request_put_version(json, &list->room->head.epoch,
                        (struct span){label->version, label->version_size});
    json_name(json, "wall_ms");
    json_u64(json, label->wall_ms);
    json_name(json, "agent");
    json_put_string(json, span_of_text(agent));
    put_author(list, label->id.agent);
    json_raw(json, "}");
    return !json->failed;
}

bool request_put_labels(struct node *node, struct json *json, const struct room *room)
{
    struct label_list list = {.json = json, .room = room};
    weft_buffer_init(&list.authors.found, &node->allocator);
    enum weft_status status = weft_doc_visit_authors(room->doc, gather_author, &list.authors);
    json_raw(json, "{\"versions\":[");
    if (status == WEFT_OK && !list.authors.failed) {
        status = weft_doc_visit_labels(room->doc, put_label, &list);
    }
    json_raw(json, "]}");
    bool good = status == WEFT_OK && !list.authors.failed;
    weft_buffer_finish(&list.authors.found);
    return good;
}

// ---------------------------------------------------------------------------------------- setting

static enum weft_status read_hex(struct weft_buffer *out, struct span hex)
{
    out->size = 0;
    if (hex.size % 2 != 0) {
        return WEFT_MALFORMED;
    }
    if (weft_buffer_reserve(out, hex.size / 2)) {
        return WEFT_NO_MEMORY;
    }
    if (!hex_decode(out->data, hex.data, hex.size / 2)) {
        return WEFT_MALFORMED;
    }
    out->size = hex.size / 2;
    return WEFT_OK;
}

/// The vector that a version in words means in a room: hex digits, and '@' with the epoch's if that
/// is not the first one. @return WEFT_CONFLICT: of another epoch than the document.
static enum weft_status read_version(struct weft_buffer *out, const struct room *room,
                                     struct span words)
{
    struct weft_epoch epoch = {0};
    const uint8_t *at = words.size ? memchr(words.data, '@', words.size) : NULL;
    if (at) {
        struct span digits = {at + 1, words.size - (size_t)(at + 1 - words.data)};
        if (digits.size != EPOCH_DIGITS || !epoch_from_hex(&epoch, digits)) {
            return WEFT_MALFORMED;
        }
        words.size = (size_t)(at - words.data);
    }
    enum weft_status status = words.size == 0 ? WEFT_MALFORMED : read_hex(out, words);
    if (status == WEFT_OK && weft_epoch_compare(&epoch, &room->head.epoch) != 0) {
        return WEFT_CONFLICT;
    }
    return status;
}

struct wanted {
    struct span name;
    bool found;
};

static bool look_for(void *context, const struct weft_label *label)
{
    struct wanted *wanted = context;
    wanted->found = span_equal(wanted->name, (struct span){label->name, label->name_size});
    return !wanted->found;
}

/// @return WEFT_OK, WEFT_RANGE (there is no such label) or WEFT_NO_MEMORY.
static enum weft_status find_label(const struct room *room, struct span name)
{
    struct wanted wanted = {.name = name};
    enum weft_status status = weft_doc_visit_labels(room->doc, look_for, &wanted);
    return status == WEFT_OK && !wanted.found ? WEFT_RANGE : status;
}

enum weft_status request_apply_label(struct node *node, struct room *room,
                                     const struct node_ask *ask, uint64_t agent)
{
    enum weft_status status = WEFT_OK;
    node->version.size = 0;
    if (weft_doc_stats(room->doc).atoms == 0) {
        return WEFT_NOT_FOUND;
    }
    if (ask->verb == NODE_ASK_LABEL && ask->body.size == 0) {
        status = weft_doc_version(&node->version, room->doc);
    } else if (ask->verb == NODE_ASK_LABEL) {
        status = read_version(&node->version, room, ask->body);
    } else {
        status = find_label(room, ask->label);
    }
    status = status ? status : weft_doc_set_agent(room->doc, agent);
    return status
               ? status
               : weft_doc_set_label(room->doc, ask->label.data, ask->label.size, node->version.data,
                                    node->version.size, node->clock->wall_ms(node->clock));
}

void request_refuse_label(struct node *node, struct request_id id, enum weft_status status)
{
    switch (status) {
    case WEFT_NOT_FOUND:
        request_refuse(node, id, WIRE_NO_DOCUMENT, "there is no such document");
        break;
    case WEFT_RANGE:
        request_refuse(node, id, WIRE_NO_DOCUMENT, "the document has no such label");
        break;
    case WEFT_MALFORMED:
        request_refuse(node, id, WIRE_BAD_REQUEST,
                       "the body is a version as this API says it: hex digits, @ and the epoch");
        break;
    case WEFT_CONFLICT:
        request_refuse(node, id, WIRE_EPOCH_MISMATCH,
                       "that version is of another epoch of the document");
        break;
    case WEFT_BEHIND:
        request_refuse(node, id, WIRE_INVALID_EDIT,
                       "this node lacks operations of that version, if there are such");
        break;
    case WEFT_INVALID:
        request_refuse(node, id, WIRE_BAD_REQUEST,
                       "a label is 1 to 64 bytes of UTF-8 without control characters");
        break;
    case WEFT_LIMIT:
        request_refuse(node, id, WIRE_TOO_LARGE,
                       "a label holds a version of some 1,700 agents at most");
        break;
    default:
        request_refuse_memory(node, id);
        break;
    }
}
