// SPDX-License-Identifier: MIT
#include "programs/trace/replay.h"

#include <stdlib.h>

/// A replay under way.
struct walk {
    const struct trace *trace;
    const struct weft_doc_options *options;
    struct weft_doc **docs; // by transaction: the document after it, while it has children to come
    uint32_t *children;     // by transaction: how many are still to come
    struct weft_buffer bytes; // scratch
    struct weft_buffer delta; // scratch
};

enum weft_status replay_txn(struct weft_doc *doc, const struct trace *trace,
                            const struct trace_txn *txn, uint64_t *clamped)
{
    for (uint32_t i = 0; i < txn->patch_count; i++) {
        const struct trace_patch *patch = &trace->patches[txn->first_patch + i];
        uint64_t index = patch->index;
        uint64_t deleted = patch->deleted;
        uint64_t length = weft_doc_length(doc, WEFT_SCALARS);
        if (index > length || deleted > length - index) {
            index = index < length ? index : length;
            deleted = deleted < length - index ? deleted : length - index;
            ++*clamped;
        }
        enum weft_status status = WEFT_OK;
        if (deleted > 0)
            status = weft_doc_delete(doc, WEFT_SCALARS, index, deleted);
        if (status == WEFT_OK && patch->text_size > 0)
            status = weft_doc_insert(doc, WEFT_SCALARS, index, trace_patch_text(trace, patch),
                                     patch->text_size);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

/// Applies to `into` what it lacks of `from`.
static enum weft_status pull(struct walk *walk, struct weft_doc *into, const struct weft_doc *from)
{
    walk->bytes.size = 0;
    walk->delta.size = 0;
    enum weft_status status = weft_doc_version(&walk->bytes, into);
    if (status == WEFT_OK)
        status = weft_doc_delta_since(&walk->delta, from, walk->bytes.data, walk->bytes.size);
    if (status != WEFT_OK || walk->delta.size == 0)
        return status;
    struct weft_apply_result result;
    status = weft_doc_apply(&result, into, WEFT_APPLY_STRICT, walk->delta.data, walk->delta.size);
    if (status == WEFT_OK && result.runs_invalid + result.runs_missing > 0)
        status = WEFT_INVALID;
    return status;
}

/// The document on which a transaction stands. On failure it is the caller's to destroy all the
/// same.
static enum weft_status open_version(struct weft_doc **doc_out, struct walk *walk,
                                     const struct trace_txn *txn)
{
    const uint32_t *parents = walk->trace->parents + txn->first_parent;
    struct weft_doc *doc = NULL;
    for (uint32_t i = 0; i < txn->parent_count && doc == NULL; i++)
        if (walk->children[parents[i]] == 1) { // nobody else needs it: take it over
            doc = walk->docs[parents[i]];
            walk->docs[parents[i]] = NULL;
        }
    enum weft_status status = WEFT_OK;
    if (doc == NULL)
        status = weft_doc_create(&doc, walk->options);
    for (uint32_t i = 0; i < txn->parent_count; i++) {
        uint32_t parent = parents[i];
        if (status == WEFT_OK && walk->docs[parent] != NULL)
            status = pull(walk, doc, walk->docs[parent]);
        if (--walk->children[parent] == 0) {
            weft_doc_destroy(walk->docs[parent]);
            walk->docs[parent] = NULL;
        }
    }
    *doc_out = doc;
    return status;
}

/// Runs one transaction and keeps its message.
static enum weft_status run_txn(struct replay *replay, struct walk *walk, uint32_t index)
{
    const struct trace_txn *txn = &walk->trace->txns[index];
    struct weft_doc *doc = NULL;
    enum weft_status status = open_version(&doc, walk, txn);
    walk->docs[index] = doc;
    uint64_t agent = replay_agent(txn->agent);
    if (status == WEFT_OK)
        status = weft_doc_set_agent(doc, agent);
    if (status != WEFT_OK)
        return status;
    uint64_t seq = weft_doc_next_seq(doc, agent);
    status = replay_txn(doc, walk->trace, txn, &replay->clamped);
    if (status == WEFT_OK)
        status = weft_doc_delta_own(&replay->messages, doc, agent, seq);
    replay->ends[index] = replay->messages.size;
    return status;
}

/// Merges the documents of all transactions that nobody followed.
static enum weft_status merge_heads(struct replay *replay, struct walk *walk)
{
    for (uint32_t i = walk->trace->txn_count; i-- > 0;) {
        if (walk->docs[i] == NULL)
            continue;
        if (replay->doc == NULL) {
            replay->doc = walk->docs[i];
            walk->docs[i] = NULL;
            continue;
        }
        enum weft_status status = pull(walk, replay->doc, walk->docs[i]);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

enum weft_status replay_run(struct replay *replay_out, const struct trace *trace,
                            const struct weft_doc_options *options)
{
    struct replay replay = {.ends = calloc(trace->txn_count, sizeof(*replay.ends))};
    struct walk walk = {
        .trace = trace,
        .options = options,
        .docs = calloc(trace->txn_count, sizeof(struct weft_doc *)),
        .children = calloc(trace->txn_count, sizeof(*walk.children)),
    };
    weft_buffer_init(&replay.messages, NULL);
    weft_buffer_init(&walk.bytes, NULL);
    weft_buffer_init(&walk.delta, NULL);
    enum weft_status status = WEFT_OK;
    if (replay.ends == NULL || walk.docs == NULL || walk.children == NULL)
        status = WEFT_NO_MEMORY;
    for (uint32_t i = 0; status == WEFT_OK && i < trace->parent_count; i++)
        walk.children[trace->parents[i]]++;
    for (uint32_t i = 0; status == WEFT_OK && i < trace->txn_count; i++)
        status = run_txn(&replay, &walk, i);
    if (status == WEFT_OK)
        status = merge_heads(&replay, &walk);
    for (uint32_t i = 0; walk.docs != NULL && i < trace->txn_count; i++)
        weft_doc_destroy(walk.docs[i]);
    free(walk.docs);
    free(walk.children);
    weft_buffer_finish(&walk.bytes);
    weft_buffer_finish(&walk.delta);
    if (status != WEFT_OK) {
        replay_finish(&replay);
        return status;
    }
    *replay_out = replay;
    return WEFT_OK;
}

void replay_finish(struct replay *replay)
{
    weft_doc_destroy(replay->doc);
    weft_buffer_finish(&replay->messages);
    free(replay->ends);
    *replay = (struct replay){.doc = NULL};
}
