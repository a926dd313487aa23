// SPDX-License-Identifier: MIT
// The documents that a node has something to remember of, by name.
#include "node/documents.h"

#include <string.h>

#include <xxhash.h>

static uint64_t hash_of(const struct node *node, struct span name)
{
    return XXH3_64bits_withSeed(name.data, name.size, node->hash_seed);
}

static size_t size_of(const struct document *document)
{
    return sizeof *document + document->name_size;
}

struct document *documents_find(struct node *node, struct span name)
{
    struct document *document = idmap_find(&node->documents, hash_of(node, name));
    while (document && !span_equal(document_name(document), name)) {
        document = document->chain;
    }
    return document;
}

struct document *documents_get(struct node *node, struct span name)
{
    struct document *document = documents_find(node, name);
    if (document) {
        return document;
    }
    document = node_alloc(node, sizeof *document + name.size);
    if (!document) {
        return NULL;
    }
    document->hash = hash_of(node, name);
    document->through = UINT64_MAX;
    document->name_size = (uint32_t)name.size;
    memcpy(document->name, name.data, name.size);
    document->chain = idmap_find(&node->documents, document->hash);
    if (idmap_set(&node->documents, document->hash, document)) {
        node_free(node, document, size_of(document));
        return NULL;
    }
    return document;
}

static void unlink_document(struct node *node, struct document *document)
{
    struct document *first = idmap_find(&node->documents, document->hash);
    if (first != document) {
        while (first->chain != document) {
            first = first->chain;
        }
        first->chain = document->chain;
    } else if (document->chain) {
        // The id is there already, so this takes no memory and cannot fail.
        enum weft_status status = idmap_set(&node->documents, document->hash, document->chain);
        (void)status;
    } else {
        idmap_remove(&node->documents, document->hash);
    }
}

static void free_document(struct node *node, struct document *document)
{
    node_free(node, document->tail, document->tail_capacity * sizeof *document->tail);
    node_free(node, document, size_of(document));
}

void documents_settle(struct node *node, struct document *document)
{
    if (document->room || document->tail_count > 0) {
        return;
    }
    for (uint32_t i = 0; i < DIGEST_RECENT_MAX; i++) {
        if (node->recent[i].document == document) {
            node->recent[i].document = NULL;
        }
    }
    unlink_document(node, document);
    free_document(node, document);
}

void documents_finish(struct node *node)
{
    for (uint32_t i = 0; i < node->documents.capacity; i++) {
        struct document *document = node->documents.slots[i].value;
        while (document) {
            struct document *next = document->chain;
            free_document(node, document);
            document = next;
        }
    }
    idmap_finish(&node->documents);
}

// ------------------------------------------------------------------------------------ the numbers

enum weft_status document_reserve(struct node *node, struct document *document)
{
    if (document->tail_first + document->tail_count < document->tail_capacity) {
        return WEFT_OK;
    }
    if (document->tail_first > document->tail_count) {
        memmove(document->tail, document_numbers(document),
                document->tail_count * sizeof *document->tail);
        document->tail_first = 0;
        return WEFT_OK;
    }
    return node_grow(node, &document->tail, &document->tail_capacity,
                     document->tail_first + document->tail_count, sizeof *document->tail);
}

void document_push(struct document *document, uint64_t number)
{
    document->tail[document->tail_first + document->tail_count++] = number;
}

void document_pop(struct document *document, uint64_t number)
{
    while (document->tail_count > 0 &&
           document_numbers(document)[document->tail_count - 1] >= number) {
        document->tail_count--;
    }
}

void document_shift(struct document *document, uint64_t number)
{
    while (document->tail_count > 0 && document_numbers(document)[0] < number) {
        document->tail_first++;
        document->tail_count--;
    }
    if (document->tail_count == 0) {
        document->tail_first = 0;
    }
}
