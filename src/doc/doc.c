// SPDX-License-Identifier: MIT
// A document: making it, and what it is.
#include <string.h>

#include "crdt/chain.h"
#include "doc/doc_impl.h"

// One document with all its fixed parts, in one allocation.
struct whole {
    struct weft_doc doc;
    struct rga rga;
    struct delta_writer writer;
    struct memory memory;
};

enum weft_status weft_doc_create(struct weft_doc **doc_out, const struct weft_doc_options *options)
{
    struct memory memory;
    memory_init(&memory, options != NULL ? options->allocator : NULL);
    struct whole *whole = memory_alloc(&memory.parent, sizeof *whole);
    if (whole == NULL)
        return WEFT_NO_MEMORY;
    whole->memory = memory;
    struct weft_allocator allocator = memory_allocator(&whole->memory);
    rga_init(&whole->rga, options, &allocator);
    delta_writer_init(&whole->writer, &allocator);
    whole->doc = (struct weft_doc){&whole->rga, &whole->writer, &whole->memory};
    *doc_out = &whole->doc;
    return WEFT_OK;
}

void weft_doc_destroy(struct weft_doc *doc)
{
    if (doc == NULL)
        return;
    struct whole *whole = (struct whole *)(void *)doc;
    struct weft_allocator parent = whole->memory.parent;
    delta_writer_finish(&whole->writer);
    rga_finish(&whole->rga);
    memory_free(&parent, whole, sizeof *whole);
}

struct weft_epoch weft_doc_epoch(const struct weft_doc *doc)
{
    return doc_rga(doc)->epoch;
}

int weft_epoch_compare(const struct weft_epoch *a, const struct weft_epoch *b)
{
    if (a->counter != b->counter)
        return a->counter < b->counter ? -1 : 1;
    return memcmp(a->random, b->random, sizeof a->random);
}

uint64_t weft_doc_next_seq(const struct weft_doc *doc, uint64_t agent)
{
    uint32_t index = agents_find(&doc_rga(doc)->agents, agent);
    return index == AGENT_NONE ? 0 : agents_at(&doc_rga(doc)->agents, index)->next;
}

uint32_t weft_doc_parked(const struct weft_doc *doc)
{
    return doc_rga(doc)->parking.count;
}

enum weft_status weft_doc_digest(struct weft_digest *digest_out, struct weft_doc *doc)
{
    return chain_digest(digest_out, doc_rga(doc)) ? WEFT_OK : WEFT_NO_MEMORY;
}

enum weft_status weft_doc_chain(uint64_t *next_out, uint8_t chain_out[32], struct weft_doc *doc,
                                uint64_t agent)
{
    uint32_t index = agents_find(&doc_rga(doc)->agents, agent);
    if (index == AGENT_NONE || agents_at(&doc_rga(doc)->agents, index)->next == 0)
        return WEFT_NOT_FOUND;
    const struct chain *chain = chain_update(doc_rga(doc), index);
    if (chain == NULL)
        return WEFT_NO_MEMORY;
    *next_out = chain->next;
    memcpy(chain_out, chain->value, sizeof chain->value);
    return WEFT_OK;
}

void weft_doc_observe(struct weft_doc *doc, weft_doc_observer *observer, void *context)
{
    doc_rga(doc)->observer = (struct rga_observer){.call = observer, .context = context};
}
