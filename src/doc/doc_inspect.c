// SPDX-License-Identifier: MIT
// A document: looking into it.
#include "doc/doc_impl.h"

struct weft_doc_stats weft_doc_stats(const struct weft_doc *doc)
{
    const struct rga *rga = doc_rga(doc);
    uint64_t length = rga->tree.total.units[WEFT_SCALARS];
    return (struct weft_doc_stats){
        .length = length,
        .tombstones = rga->text.length - length,
        .atoms = rga->log.atoms,
        .runs = rga->log.ops.count,
        .spans = rga->tree.slots,
        .agents = rga->authors,
        .parked_runs = rga->parking.count,
        .collected = rga->text.gone,
        .memory = doc->memory->used + sizeof *doc + sizeof *doc->unsettled + sizeof *doc->writer +
                  sizeof *doc->memory,
    };
}

// Atoms [first, first + length) of a row.
static struct weft_run run_of(const struct rga *rga, const struct op *op, uint32_t first,
                              uint32_t length)
{
    struct weft_run run = {
        .kind = (uint8_t)op_kind(op),
        .length = length,
        .agent = agents_id(&rga->agents, op->agent),
        .seq = op->seq + first,
        .lamport = op->lamport + first,
        .target = WEFT_ID_ROOT,
    };
    struct span text = {NULL, 0};
    if (op_kind_names(run.kind) && op->target_agent != AGENT_NONE)
        run.target = (struct weft_id){agents_id(&rga->agents, op->target_agent), op->target_seq};
    if (run.kind == WEFT_RUN_INSERT) {
        run.left = op_flag(op) && first == 0;
        if (first > 0)
            run.target = (struct weft_id){run.agent, run.seq - 1};
        if (!text_lacks(&rga->text, op->iv + first, length))
            text = text_view(&rga->text, op->iv + first, length);
    } else if (op_kind_names(run.kind)) {
        run.backward = op_flag(op);
    } else {
        text = oplog_payload(&rga->log, op);
    }
    run.text = text.data;
    run.text_size = text.size;
    return run;
}

void weft_doc_visit_runs(const struct weft_doc *doc,
                         bool (*visit)(void *context, const struct weft_run *run), void *context)
{
    const struct rga *rga = doc_rga(doc);
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        uint32_t length = op_length(op);
        for (uint32_t first = 0, here = length; first < length; first += here) {
            bool gone;
            if (op_kind(op) == WEFT_RUN_INSERT)
                here = text_alike(&rga->text, op->iv + first, length - first, &gone);
            struct weft_run run = run_of(rga, op, first, here);
            if (!visit(context, &run))
                return;
        }
    }
}

// Pieces of a slot that have text or have none. @return false when no more are wanted.
static bool visit_slot(const struct rga *rga, const struct tree_leaf *leaf, uint32_t slot,
                       bool (*visit)(void *context, const struct weft_span *span), void *context)
{
    const struct op *op = oplog_at(&rga->log, leaf->op[slot]);
    uint32_t length = leaf_length(leaf, slot);
    for (uint32_t first = 0, here; first < length; first += here) {
        bool gone;
        uint32_t iv = leaf->iv[slot] + first;
        here = text_alike(&rga->text, iv, length - first, &gone);
        struct span text = {NULL, 0};
        if (!gone)
            text = text_view(&rga->text, iv, here);
        struct weft_span span = {
            .id = {agents_id(&rga->agents, op->agent), op->seq + (iv - op->iv)},
            .length = here,
            .visible = leaf_visible(leaf, slot),
            .text = text.data,
            .text_size = text.size,
        };
        if (!visit(context, &span))
            return false;
    }
    return true;
}

void weft_doc_visit_spans(const struct weft_doc *doc,
                          bool (*visit)(void *context, const struct weft_span *span), void *context)
{
    const struct rga *rga = doc_rga(doc);
    const struct tree *tree = &rga->tree;
    for (uint32_t i = tree->first; i != TREE_NONE; i = tree_leaf(tree, i)->next) {
        const struct tree_leaf *leaf = tree_leaf(tree, i);
        for (uint32_t slot = 0; slot < leaf->count; slot++) {
            if (!visit_slot(rga, leaf, slot, visit, context))
                return;
        }
    }
}

void weft_doc_visit_parked(const struct weft_doc *doc,
                           bool (*visit)(void *context, const struct weft_parked *parked),
                           void *context)
{
    const struct parking *parking = &doc_rga(doc)->parking;
    uint32_t index = 0;
    for (const struct parked *kept; (kept = parking_next(parking, &index)) != NULL;) {
        struct weft_parked parked = {
            .run = kept->run,
            .reason = kept->agent == 0                 ? WEFT_PARKED_MEMORY
                      : kept->agent == kept->run.agent ? WEFT_PARKED_EARLIER
                                                       : WEFT_PARKED_NAMED,
            .since_ms = kept->since_ms,
        };
        if (kept->agent != 0)
            parked.missing = (struct weft_id){kept->agent, kept->seq};
        if (!visit(context, &parked))
            return;
    }
}

void weft_doc_set_time(struct weft_doc *doc, uint64_t now_ms)
{
    doc->unsettled->parking.now_ms = now_ms;
}

const char *weft_doc_check(const struct weft_doc *doc)
{
    return rga_check(doc_rga(doc));
}
