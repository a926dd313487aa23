// SPDX-License-Identifier: MIT
#include "programs/trace/trace.h"

#include <stdlib.h>
#include <string.h>

/// Makes room for `extra` more elements. @return false without memory or past what u32 can count.
static bool reserve(void **array, uint32_t *capacity, uint32_t count, uint32_t extra, size_t size)
{
    uint64_t needed = (uint64_t)count + extra;
    if (needed <= *capacity)
        return true;
    uint64_t wanted = needed + needed / 2 + 64;
    if (wanted > UINT32_MAX)
        return false;
    void *grown = realloc(*array, wanted * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *capacity = (uint32_t)wanted;
    return true;
}

bool trace_add_txn(struct trace *trace, uint32_t agent, const uint32_t *parents,
                   uint32_t parent_count)
{
    void *txns = trace->txns;
    void *known = trace->parents;
    bool ok = reserve(&txns, &trace->txn_capacity, trace->txn_count, 1, sizeof(*trace->txns));
    trace->txns = txns;
    ok = ok && reserve(&known, &trace->parent_capacity, trace->parent_count, parent_count,
                       sizeof(*trace->parents));
    trace->parents = known;
    if (!ok)
        return false;
    if (parent_count > 0)
        memcpy(trace->parents + trace->parent_count, parents, parent_count * sizeof(*parents));
    trace->txns[trace->txn_count++] = (struct trace_txn){
        .agent = agent,
        .first_parent = trace->parent_count,
        .parent_count = parent_count,
        .first_patch = trace->patch_count,
    };
    trace->parent_count += parent_count;
    return true;
}

bool trace_add_patch(struct trace *trace, uint64_t index, uint64_t deleted, const uint8_t *text,
                     uint32_t text_size)
{
    void *patches = trace->patches;
    void *pool = trace->text;
    bool ok =
        reserve(&patches, &trace->patch_capacity, trace->patch_count, 1, sizeof(*trace->patches));
    trace->patches = patches;
    ok = ok && reserve(&pool, &trace->text_capacity, trace->text_size, text_size, 1);
    trace->text = pool;
    if (!ok)
        return false;
    if (text_size > 0)
        memcpy(trace->text + trace->text_size, text, text_size);
    trace->patches[trace->patch_count++] = (struct trace_patch){
        .index = index,
        .deleted = deleted,
        .text_offset = trace->text_size,
        .text_size = text_size,
    };
    trace->text_size += text_size;
    trace->txns[trace->txn_count - 1].patch_count++;
    return true;
}

bool trace_set_end_text(struct trace *trace, const uint8_t *text, size_t size)
{
    uint8_t *copy = malloc(size + 1);
    if (copy == NULL)
        return false;
    if (size > 0)
        memcpy(copy, text, size);
    free(trace->end_text);
    trace->end_text = copy;
    trace->end_size = size;
    return true;
}

void trace_finish(struct trace *trace)
{
    free(trace->txns);
    free(trace->patches);
    free(trace->parents);
    free(trace->text);
    free(trace->end_text);
    *trace = (struct trace){.concurrent = false};
}
