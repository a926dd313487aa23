// SPDX-License-Identifier: MIT
// Names of those who edit over HTTP.
#include "node/authors.h"

#include <stdio.h>
#include <string.h>

#include <weft/labels.h>

#include "base/utf8.h"

/// One name that was given here lately.
struct author {
    uint64_t agent;
    uint8_t size;
    uint8_t name[WEFT_NAME_BYTES_MAX];
};

void authors_forget(struct node *node)
{
    node->agent = node_agent(node);
    node->author_count = 0;
    node->author_next = 0;
}

void authors_finish(struct node *node)
{
    node_free(node, node->authors, AUTHORS_MAX * sizeof *node->authors);
}

uint64_t authors_agent(struct node *node, struct span name)
{
    if (name.size == 0 || name.size > WEFT_NAME_BYTES_MAX) {
        return node->agent;
    }
    if (!node->authors) {
        node->authors = node_alloc(node, AUTHORS_MAX * sizeof *node->authors);
    }
    if (!node->authors) {
        return node->agent;
    }
    for (uint32_t i = 0; i < node->author_count; i++) {
        const struct author *author = &node->authors[i];
        if (author->size == name.size && memcmp(author->name, name.data, name.size) == 0) {
            return author->agent;
        }
    }
    // The oldest one makes room: who comes again under that name is another agent then.
    struct author *author = &node->authors[node->author_next];
    node->author_next = (node->author_next + 1) % AUTHORS_MAX;
    if (node->author_count < AUTHORS_MAX) {
        node->author_count++;
    }
    author->agent = node_agent(node);
    author->size = (uint8_t)name.size;
    memcpy(author->name, name.data, name.size);
    return author->agent;
}

/// Cuts a name down to what an author may have, between characters.
static size_t fit(const char *name)
{
    size_t size = strlen(name);
    if (size <= WEFT_NAME_BYTES_MAX) {
        return size;
    }
    size = WEFT_NAME_BYTES_MAX;
    while (size > 0 && ((uint8_t)name[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

void authors_introduce(struct node *node, struct room *room, uint64_t agent, uint64_t maker,
                       struct span name)
{
    char made_up[PEER_NAME_BYTES_MAX + 16];
    if (name.size == 0) {
        snprintf(made_up, sizeof made_up, "HTTP via %s", node->name);
        name = (struct span){(const uint8_t *)made_up, fit(made_up)};
    }
    enum weft_status status = weft_doc_set_agent(room->doc, maker);
    if (status == WEFT_OK) {
        status = weft_doc_set_author(room->doc, agent, name.data, name.size);
    }
    if (status) {
        node_log(node, NODE_LOG_DEBUG, "author_unsaid", "reason=\"%s\"", weft_status_text(status));
    }
}
