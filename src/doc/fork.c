// SPDX-License-Identifier: MIT
// Forks: chains over a part, heirs, and deltas that are not of this branch.
#include "doc/fork.h"

#include <string.h>

#include "base/endian.h"
#include "base/utf8.h"
#include "codec/version.h"
#include "crdt/chain.h"
#include "crdt/rga_same.h"

// ------------------------------------------------------------------------------------ pieces of
// runs

enum weft_status fork_slice(struct weft_run *piece_out, struct weft_buffer *text,
                            const struct weft_run *run, uint32_t first, uint32_t end)
{
    struct weft_run piece = *run;
    enum weft_status status = WEFT_OK;
    piece.seq += first;
    piece.lamport += first;
    piece.length = end - first;
    if (run->kind == WEFT_RUN_INSERT || run->kind == WEFT_RUN_UNDELETE) {
        size_t before = utf8_size(run->text, first);
        piece.text += before;
        piece.text_size = utf8_size(piece.text, piece.length);
    } else if (run->kind == WEFT_RUN_COLLECTED) {
        struct span whole = {run->text, run->text_size};
        text->size = 0;
        status = gaps_slice(text, gaps_reader_make(whole, run->seq, run->length), first, end);
        piece.text = text->data;
        piece.text_size = text->size;
    }
    if (run->kind == WEFT_RUN_INSERT || run->kind == WEFT_RUN_COLLECTED) {
        if (first > 0) {
            piece.target = (struct weft_id){run->agent, piece.seq - 1};
            piece.left = false;
        }
    } else if (fork_can_cut(run->kind)) {
        piece.target.seq += run->backward ? -(uint64_t)first : first;
    }
    *piece_out = piece;
    return status;
}

struct weft_id fork_named(const struct weft_run *run)
{
    return fork_can_cut(run->kind) ? run->target : WEFT_ID_ROOT;
}

// Atoms from the one with number `at` on that are on the same side of `seq`, going up.
static uint64_t side_up(uint64_t at, uint64_t seq)
{
    return at < seq ? seq - at : UINT64_MAX;
}

uint32_t fork_side(const struct weft_run *run, uint32_t first, uint64_t agent, uint64_t seq)
{
    uint64_t most = run->length - first;
    if (!fork_can_cut(run->kind))
        return (uint32_t)most; // whole or not at all
    if (run->agent == agent) {
        uint64_t own = side_up(run->seq + first, seq);
        most = own < most ? own : most;
    }
    if (run->kind == WEFT_RUN_INSERT || run->kind == WEFT_RUN_COLLECTED ||
        run->target.agent != agent)
        return (uint32_t)most;
    uint64_t target = run->backward ? run->target.seq - first : run->target.seq + first;
    uint64_t named = !run->backward  ? side_up(target, seq)
                     : target >= seq ? target - seq + 1
                                     : UINT64_MAX;
    return (uint32_t)(named < most ? named : most);
}

// ------------------------------------------------------------------------------------------ chains

enum weft_status weft_doc_chain_at(uint8_t chain_out[32], struct weft_doc *doc, uint64_t agent,
                                   uint64_t next)
{
    struct rga *rga = doc_rga(doc);
    uint32_t index = agents_find(&rga->agents, agent);
    if (index == AGENT_NONE || next > agents_at(&rga->agents, index)->next)
        return WEFT_NOT_FOUND;
    chain_over(rga, index, (uint32_t)next, chain_out);
    return WEFT_OK;
}

uint64_t weft_fork_heir(const struct weft_doc *doc, uint64_t agent, uint64_t seq,
                        const uint8_t chain[32])
{
    struct weft_epoch epoch = weft_doc_epoch(doc);
    uint8_t bytes[16];
    struct hash hash;
    hash_init(&hash, sizeof bytes);
    hash_update(&hash, "weft heir", 9);
    hash_update_u64(&hash, epoch.counter);
    hash_update(&hash, epoch.random, sizeof epoch.random);
    hash_update_u64(&hash, agent);
    hash_update_u64(&hash, seq);
    hash_update(&hash, chain, HASH_SIZE);
    hash_finish(&hash, bytes, sizeof bytes);
    uint64_t heir = endian_get_u64(bytes) & ~WEFT_AGENT_RESERVED_BIT;
    return heir != 0 ? heir : 1;
}

// ------------------------------------------------------------------------------------------ deltas

static bool is_past(const uint8_t *cuts, size_t size, struct weft_id id)
{
    struct weft_cut cut;
    return id.agent != 0 && weft_cuts_find(&cut, cuts, size, id.agent) == WEFT_OK &&
           id.seq >= cut.seq;
}

// Whether a run has or names something past a cut.
static bool run_is_past(const uint8_t *cuts, size_t size, const struct weft_run *run)
{
    if (size == 0)
        return false;
    struct weft_id own = {run->agent, run->seq + run->length - 1};
    struct weft_id named = fork_named(run);
    if (run->kind != WEFT_RUN_INSERT && op_kind_names(run->kind) && !run->backward)
        named.seq += run->length - 1;
    return is_past(cuts, size, own) || is_past(cuts, size, named);
}

enum weft_status weft_doc_check_delta(struct weft_id *at_out, const struct weft_doc *doc,
                                      const uint8_t *cuts, size_t cuts_size, const uint8_t *delta,
                                      size_t delta_size)
{
    struct rga *rga = doc_rga(doc);
    struct delta_reader reader;
    struct weft_run run;
    enum weft_status status =
        delta_reader_init(&reader, &rga->allocator, (struct span){delta, delta_size});
    if (status != WEFT_OK)
        return status;
    while ((status = delta_reader_next(&reader, &run)) == WEFT_OK) {
        uint32_t same = rga_same(rga, &run);
        if (run_is_past(cuts, cuts_size, &run) || same < run.length) {
            *at_out = (struct weft_id){run.agent, run.seq + same};
            status = WEFT_CONFLICT;
            break;
        }
    }
    delta_reader_finish(&reader);
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

struct overlap {
    const struct weft_doc *doc;
    uint64_t own;
    struct weft_buffer *out;
    uint64_t count;
    enum weft_status status;
};

static uint64_t overlapped(const struct overlap *overlap, uint64_t agent, uint64_t next)
{
    uint64_t here = weft_doc_next_seq(overlap->doc, agent);
    if (here <= next && agent != overlap->own)
        return next;
    next = next < here ? next : here;
    return next > WEFT_OVERLAP_ATOMS ? next - WEFT_OVERLAP_ATOMS : 0;
}

static bool count_overlapped(void *context, uint64_t agent, uint64_t next)
{
    struct overlap *overlap = context;
    overlap->count += overlapped(overlap, agent, next) > 0;
    return true;
}

static bool put_overlapped(void *context, uint64_t agent, uint64_t next)
{
    struct overlap *overlap = context;
    struct version_entry entry = {agent, overlapped(overlap, agent, next)};
    if (entry.next > 0)
        overlap->status = version_put(overlap->out, entry);
    return overlap->status == WEFT_OK;
}

enum weft_status weft_doc_overlap(struct weft_buffer *out, const struct weft_doc *doc, uint64_t own,
                                  const uint8_t *version, size_t size)
{
    struct overlap overlap = {doc, own, out, 0, WEFT_OK};
    size_t before = out->size;
    enum weft_status status = weft_version_visit(version, size, count_overlapped, &overlap);
    status = status ? status : version_put_count(out, overlap.count);
    status = status ? status : weft_version_visit(version, size, put_overlapped, &overlap);
    status = status ? status : overlap.status;
    if (status != WEFT_OK)
        out->size = before;
    return status;
}

enum weft_status weft_doc_find_cut(struct weft_cut *cut_out, struct weft_doc *doc,
                                   struct weft_id at, const uint8_t *delta, size_t delta_size)
{
    struct weft_cut cut = {at.agent, at.seq, WEFT_HEIR_NONE};
    struct weft_apply_result result;
    struct weft_rebuilt rebuilt;
    struct weft_doc *other = NULL; // the start of both, then the other branch
    struct weft_buffer cuts;
    uint8_t here[HASH_SIZE];
    uint8_t there[HASH_SIZE];
    bool changed = false;
    weft_buffer_init(&cuts, &doc->memory->parent);
    enum weft_status status = weft_doc_chain_at(here, doc, at.agent, at.seq + 1);
    status = status ? status : weft_cuts_add(&changed, &cuts, &cut);
    status = status ? status : weft_doc_rebuild(&other, &rebuilt, &cuts, doc);
    status = status ? status : weft_doc_apply(&result, other, WEFT_APPLY_STRICT, delta, delta_size);
    status = status ? status : weft_doc_chain_at(there, other, at.agent, at.seq + 1);
    weft_doc_destroy(other);
    weft_buffer_finish(&cuts);
    if (status != WEFT_OK)
        return status;
    uint64_t heirs[2] = {weft_fork_heir(doc, at.agent, at.seq, here),
                         weft_fork_heir(doc, at.agent, at.seq, there)};
    cut.heir = heirs[0] < heirs[1] ? heirs[0] : heirs[1];
    *cut_out = cut;
    return WEFT_OK;
}

// ---------------------------------------------------------------------------------------- applying

struct within {
    struct rga *rga;
    struct weft_buffer *cuts;
    struct weft_apply_result *result;
    uint32_t runs_cut;
    struct weft_buffer text; // of a piece
};

static enum weft_status note_missing(struct weft_apply_result *result)
{
    result->runs_missing++;
    if (result->reason == WEFT_OK)
        result->reason = WEFT_NOT_FOUND;
    return WEFT_OK;
}

static enum weft_status note_invalid(struct weft_apply_result *result, const struct weft_run *run,
                                     enum weft_status reason)
{
    if (result->runs_invalid++ == 0)
        result->invalid = (struct weft_id){run->agent, run->seq};
    if (result->reason == WEFT_OK)
        result->reason = reason;
    return WEFT_OK;
}

static enum weft_status apply_piece(struct within *within, const struct weft_run *run)
{
    struct weft_apply_result *result = within->result;
    uint32_t atoms;
    struct weft_id missing;
    switch (rga_apply_alone(within->rga, run, &atoms, &missing)) {
    case RGA_APPLIED:
        result->atoms_applied += atoms;
        return WEFT_OK;
    case RGA_DUPLICATE:
        result->runs_duplicate++;
        return WEFT_OK;
    case RGA_MISSING:
        return note_missing(result);
    case RGA_INVALID:
        return note_invalid(result, run, WEFT_INVALID);
    case RGA_CONFLICT:
        return note_invalid(result, run, WEFT_CONFLICT);
    case RGA_LIMIT:
        return WEFT_LIMIT;
    default:
        return WEFT_NO_MEMORY;
    }
}

// Applies what of a run is before the cuts. The first atom that names what is past one is cut
// itself, and so is all that its author did after it.
static enum weft_status apply_within(struct within *within, const struct weft_run *run)
{
    enum weft_status status = WEFT_OK;
    for (uint32_t first = 0; first < run->length && status == WEFT_OK;) {
        const struct weft_buffer *cuts = within->cuts;
        struct weft_cut own = {run->agent, UINT64_MAX, 0};
        struct weft_cut named = {0, UINT64_MAX, 0};
        bool has_own = weft_cuts_find(&own, cuts->data, cuts->size, run->agent) == WEFT_OK;
        bool has_named =
            weft_cuts_find(&named, cuts->data, cuts->size, fork_named(run).agent) == WEFT_OK;
        uint32_t count = run->length - first;
        if (has_own)
            count = fork_side(run, first, own.agent, own.seq);
        if (has_named) {
            uint32_t side = fork_side(run, first, named.agent, named.seq);
            count = side < count ? side : count;
        }
        struct weft_run piece = *run;
        if (fork_can_cut(run->kind))
            status = fork_slice(&piece, &within->text, run, first, first + count);
        if (status != WEFT_OK)
            break;
        if (has_own && piece.seq + piece.length > own.seq) {
            within->runs_cut++;
        } else if (has_named && fork_named(&piece).seq >= named.seq) {
            bool changed = false;
            struct weft_cut cut = {piece.agent, piece.seq, WEFT_HEIR_UNKNOWN};
            status = weft_cuts_add(&changed, within->cuts, &cut);
            within->runs_cut++;
        } else {
            status = apply_piece(within, &piece);
        }
        first += count;
    }
    return status;
}

// Whether any run of a checked delta has to do with the cuts.
static enum weft_status touches(bool *touches_out, struct rga *rga, const struct weft_buffer *cuts,
                                struct span bytes)
{
    struct delta_reader reader;
    struct weft_run run;
    *touches_out = false;
    enum weft_status status = delta_reader_init(&reader, &rga->allocator, bytes);
    if (status != WEFT_OK)
        return status;
    while (!*touches_out && (status = delta_reader_next(&reader, &run)) == WEFT_OK)
        *touches_out = run_is_past(cuts->data, cuts->size, &run);
    delta_reader_finish(&reader);
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

enum weft_status weft_doc_apply_within(struct weft_apply_result *result_out, uint32_t *runs_cut_out,
                                       struct weft_doc *doc, struct weft_buffer *cuts,
                                       const uint8_t *delta, size_t delta_size)
{
    struct rga *rga = doc_rga(doc);
    struct span bytes = {delta, delta_size};
    struct delta_reader reader;
    struct weft_run run;
    bool past = false;
    *runs_cut_out = 0;
    enum weft_status status =
        cuts->size > 0 ? touches(&past, rga, cuts, bytes) : WEFT_OK; // the whole delta was read
    if (status == WEFT_OK && !past)
        return weft_doc_apply(result_out, doc, WEFT_APPLY_STRICT, delta, delta_size);
    if (status == WEFT_OK) {
        struct delta_totals totals;
        status = delta_check(&totals, &rga->allocator, bytes, false);
    }
    if (status == WEFT_OK)
        status = delta_reader_init(&reader, &rga->allocator, bytes);
    if (status != WEFT_OK)
        return status;
    struct weft_apply_result result = {0};
    struct within within = {.rga = rga, .cuts = cuts, .result = &result};
    weft_buffer_init(&within.text, &rga->allocator);
    rga->doubting = false;
    while (status == WEFT_OK && delta_reader_next(&reader, &run) == WEFT_OK)
        status = apply_within(&within, &run);
    delta_reader_finish(&reader);
    weft_buffer_finish(&within.text);
    *runs_cut_out = within.runs_cut;
    *result_out = result;
    return status;
}
