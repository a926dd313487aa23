// SPDX-License-Identifier: MIT
// A document: labels of its versions, and who its agents are.
//
//   label    varint wall ms | varint size of the name | name | version vector, or nothing: it goes
//   author   u64 agent | name
//
// docs/delta-format.md is the normative text.
#include <weft/labels.h>

#include <stdlib.h>
#include <string.h>

#include "base/endian.h"
#include "base/utf8.h"
#include "base/varint.h"
#include "codec/version.h"
#include "doc/doc_impl.h"

enum {
    PAYLOAD_BYTES_MAX = 16384, // of one operation: what readers of deltas count on
    AUTHOR_AGENT_BYTES = 8,
};

bool weft_name_is_valid(const uint8_t *name, size_t size)
{
    if (size == 0 || size > WEFT_NAME_BYTES_MAX || !utf8_is_valid((struct span){name, size}))
        return false;
    for (size_t i = 0; i < size; i++) {
        bool c1 = name[i] == 0xc2 && name[i + 1] < 0xa0;
        bool separator = name[i] == 0xe2 && name[i + 1] == 0x80 && (name[i + 2] & 0xfe) == 0xa8;
        if (name[i] < 0x20 || name[i] == 0x7f || c1 || separator)
            return false;
    }
    return true;
}

// ---------------------------------------------------------------------------------------- writing

// Appends an operation of the document's agent that names no atoms.
static enum weft_status append(struct weft_doc *doc, uint8_t kind,
                               const struct weft_buffer *payload)
{
    struct rga *rga = doc_rga(doc);
    if (rga->local == AGENT_NONE)
        return WEFT_INVALID;
    if (payload->size > PAYLOAD_BYTES_MAX || rga->lamport >= OP_LAMPORT_MAX)
        return WEFT_LIMIT;
    const struct agent *agent = agents_at(&rga->agents, rga->local);
    struct weft_run run = {
        .kind = kind,
        .length = 1,
        .agent = agent->id,
        .seq = agent->next,
        .lamport = (uint64_t)rga->lamport + 1,
        .text = payload->data,
        .text_size = payload->size,
    };
    uint32_t atoms;
    struct weft_id missing;
    switch (rga_apply_alone(rga, &run, &atoms, &missing)) {
    case RGA_APPLIED:
        break;
    case RGA_NO_MEMORY:
        return WEFT_NO_MEMORY;
    default:
        return WEFT_LIMIT;
    }
    struct weft_apply_result result = {0};
    parking_wake(&rga->parking, run.agent, run.seq + run.length);
    doc_unpark(doc, &result);
    return WEFT_OK;
}

static enum weft_status append_varint(struct weft_buffer *out, uint64_t value)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    return weft_buffer_append(out, bytes, varint_put(bytes, value));
}

// Whether the document has all of a version.
static enum weft_status check_covered(const struct weft_doc *doc, struct span version)
{
    struct version_reader reader;
    struct version_entry entry;
    enum weft_status status = version_reader_init(&reader, version);
    bool covered = true;
    while (status == WEFT_OK) {
        status = version_reader_next(&reader, &entry);
        if (status == WEFT_OK)
            covered &= weft_doc_next_seq(doc, entry.agent) >= entry.next;
    }
    if (status != WEFT_NOT_FOUND)
        return status;
    return covered ? WEFT_OK : WEFT_BEHIND;
}

enum weft_status weft_doc_set_label(struct weft_doc *doc, const uint8_t *name, size_t name_size,
                                    const uint8_t *version, size_t version_size, uint64_t wall_ms)
{
    struct weft_buffer payload;
    if (!weft_name_is_valid(name, name_size))
        return WEFT_INVALID;
    enum weft_status status = check_covered(doc, (struct span){version, version_size});
    if (status != WEFT_OK)
        return status;
    weft_buffer_init(&payload, &doc_rga(doc)->allocator);
    status = append_varint(&payload, wall_ms);
    status = status != WEFT_OK ? status : append_varint(&payload, name_size);
    status = status != WEFT_OK ? status : weft_buffer_append(&payload, name, name_size);
    if (status == WEFT_OK && version_size > 0)
        status = weft_buffer_append(&payload, version, version_size);
    status = status != WEFT_OK ? status : append(doc, WEFT_RUN_LABEL, &payload);
    weft_buffer_finish(&payload);
    return status;
}

enum weft_status weft_doc_set_author(struct weft_doc *doc, uint64_t agent, const uint8_t *name,
                                     size_t name_size)
{
    struct weft_buffer payload;
    uint8_t bytes[AUTHOR_AGENT_BYTES];
    if (agent == 0 || !weft_name_is_valid(name, name_size))
        return WEFT_INVALID;
    endian_put_u64(bytes, agent);
    weft_buffer_init(&payload, &doc_rga(doc)->allocator);
    enum weft_status status = weft_buffer_append(&payload, bytes, sizeof bytes);
    status = status != WEFT_OK ? status : weft_buffer_append(&payload, name, name_size);
    status = status != WEFT_OK ? status : append(doc, WEFT_RUN_AUTHOR, &payload);
    weft_buffer_finish(&payload);
    return status;
}

// ---------------------------------------------------------------------------------------- reading

// Gathers what operations of one kind say.
struct gathering {
    struct weft_buffer found; // struct weft_label, or struct said
    enum weft_status status;
};

// One statement of who an agent is.
struct said {
    struct weft_author author;
    uint64_t lamport;
    uint64_t by;
};

static bool read_label(struct weft_label *label_out, const struct weft_run *run)
{
    struct span rest = {run->text, run->text_size};
    uint64_t size;
    if (!varint_take(&label_out->wall_ms, &rest) || !varint_take(&size, &rest) ||
        size > rest.size || !weft_name_is_valid(rest.data, (size_t)size))
        return false;
    label_out->name = rest.data;
    label_out->name_size = (size_t)size;
    label_out->version = rest.data + size;
    label_out->version_size = rest.size - (size_t)size;
    label_out->id = (struct weft_id){run->agent, run->seq};
    label_out->lamport = run->lamport;
    return version_check((struct span){label_out->version, label_out->version_size}) == WEFT_OK;
}

static bool gather_label(void *context, const struct weft_run *run)
{
    struct gathering *gathering = context;
    struct weft_label label;
    if (run->kind == WEFT_RUN_LABEL && read_label(&label, run))
        gathering->status = weft_buffer_append(&gathering->found, &label, sizeof label);
    return gathering->status == WEFT_OK;
}

static int compare_names(const struct weft_label *a, const struct weft_label *b)
{
    size_t common = a->name_size < b->name_size ? a->name_size : b->name_size;
    int order = memcmp(a->name, b->name, common);
    return order != 0 ? order : (a->name_size > b->name_size) - (a->name_size < b->name_size);
}

static int compare_set(const void *a, const void *b)
{
    const struct weft_label *x = a;
    const struct weft_label *y = b;
    if (x->lamport != y->lamport)
        return x->lamport < y->lamport ? -1 : 1;
    return (x->id.agent > y->id.agent) - (x->id.agent < y->id.agent);
}

static int compare_labels(const void *a, const void *b)
{
    int order = compare_names(a, b);
    return order != 0 ? order : compare_set(a, b);
}

// Leaves the last of each name, unless it took the label away. Returns how many.
static size_t keep_last(struct weft_label *labels, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool last = i + 1 == count || compare_names(&labels[i], &labels[i + 1]) != 0;
        if (last && labels[i].version_size > 0)
            labels[kept++] = labels[i];
    }
    return kept;
}

enum weft_status weft_doc_visit_labels(const struct weft_doc *doc,
                                       bool (*visit)(void *context, const struct weft_label *label),
                                       void *context)
{
    struct gathering gathering = {.status = WEFT_OK};
    weft_buffer_init(&gathering.found, &doc_rga(doc)->allocator);
    weft_doc_visit_runs(doc, gather_label, &gathering);
    struct weft_label *labels = (void *)gathering.found.data;
    size_t count = gathering.found.size / sizeof *labels;
    if (gathering.status == WEFT_OK && count > 0) {
        qsort(labels, count, sizeof *labels, compare_labels);
        count = keep_last(labels, count);
        qsort(labels, count, sizeof *labels, compare_set);
        for (size_t i = 0; i < count && visit(context, &labels[i]); i++)
            continue;
    }
    weft_buffer_finish(&gathering.found);
    return gathering.status;
}

static bool gather_author(void *context, const struct weft_run *run)
{
    struct gathering *gathering = context;
    if (run->kind != WEFT_RUN_AUTHOR || run->text_size <= AUTHOR_AGENT_BYTES ||
        !weft_name_is_valid(run->text + AUTHOR_AGENT_BYTES, run->text_size - AUTHOR_AGENT_BYTES))
        return true;
    uint64_t agent = endian_get_u64(run->text);
    struct said said = {
        .author = {agent, run->text + AUTHOR_AGENT_BYTES, run->text_size - AUTHOR_AGENT_BYTES,
                   agent == run->agent},
        .lamport = run->lamport,
        .by = run->agent,
    };
    gathering->status = weft_buffer_append(&gathering->found, &said, sizeof said);
    return gathering->status == WEFT_OK;
}

static int compare_said(const void *a, const void *b)
{
    const struct said *x = a;
    const struct said *y = b;
    if (x->author.agent != y->author.agent)
        return x->author.agent < y->author.agent ? -1 : 1;
    if (x->author.own != y->author.own)
        return x->author.own ? -1 : 1;
    if (x->lamport != y->lamport)
        return x->lamport < y->lamport ? -1 : 1;
    return (x->by > y->by) - (x->by < y->by);
}

enum weft_status weft_doc_visit_authors(const struct weft_doc *doc,
                                        bool (*visit)(void *context,
                                                      const struct weft_author *author),
                                        void *context)
{
    struct gathering gathering = {.status = WEFT_OK};
    weft_buffer_init(&gathering.found, &doc_rga(doc)->allocator);
    weft_doc_visit_runs(doc, gather_author, &gathering);
    struct said *said = (void *)gathering.found.data;
    size_t count = gathering.found.size / sizeof *said;
    if (gathering.status == WEFT_OK && count > 0)
        qsort(said, count, sizeof *said, compare_said);
    for (size_t i = 0; i < count && gathering.status == WEFT_OK; i++) {
        bool first = i == 0 || said[i].author.agent != said[i - 1].author.agent;
        if (first && !visit(context, &said[i].author))
            break;
    }
    weft_buffer_finish(&gathering.found);
    return gathering.status;
}
