// SPDX-License-Identifier: MIT
// The replicated sequence: making it, reserving for it, finding in it.
#include "crdt/rga.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "crdt/chain.h"
#include "crdt/rga_impl.h"

enum { CHAINS_PAGE_SHIFT = 6 };

// Prefix of what an agent id of the reserved class is the hash of.
static const char initial_domain[] = "weft initial content";

static struct weft_doc_limits with_defaults(struct weft_doc_limits limits)
{
    const uint64_t elements = UINT64_C(1) << 31;
    if (limits.elements_max == 0 || limits.elements_max > elements)
        limits.elements_max = elements;
    if (limits.agents_max == 0)
        limits.agents_max = 1000000;
    if (limits.parked_runs_max == 0)
        limits.parked_runs_max = 4096;
    if (limits.parked_bytes_max == 0)
        limits.parked_bytes_max = 1 << 20;
    return limits;
}

static void init_initial(struct rga *rga, const struct weft_doc_options *options)
{
    struct hash hash; // on the stack: libsodium wants it aligned to 64 bytes
    hash_init(&hash, HASH_SIZE);
    hash_update(&hash, initial_domain, sizeof initial_domain);
    hash_update_u64(&hash, options->name_size);
    hash_update(&hash, options->name, options->name_size);
    hash_update_u64(&hash, rga->epoch.counter);
    hash_update(&hash, rga->epoch.random, sizeof rga->epoch.random);
    hash_finish(&hash, rga->initial, sizeof rga->initial);
}

void rga_init(struct rga *rga, const struct weft_doc_options *options,
              const struct weft_allocator *allocator)
{
    static const struct weft_doc_options defaults = {0};
    if (options == NULL)
        options = &defaults;
    *rga = (struct rga){
        .allocator = *allocator,
        .limits = with_defaults(options->limits),
        .policy = options->policy,
        .epoch = options->epoch,
        .local = AGENT_NONE,
        .typing = RGA_NOT_TYPING,
        .complete = true,
        .digest_atoms = UINT64_MAX,
    };
    init_initial(rga, options);
    agents_init(&rga->agents, allocator);
    oplog_init(&rga->log, allocator);
    text_init(&rga->text, allocator);
    tree_init(&rga->tree, allocator, &rga->agents, &rga->log, &rga->text);
    parking_init(&rga->parking, allocator, rga->limits.parked_runs_max,
                 rga->limits.parked_bytes_max);
    covers_init(&rga->covers, allocator);
    sums_init(&rga->sums, allocator);
    pool_init(&rga->chains, allocator, sizeof(struct chain), CHAINS_PAGE_SHIFT);
}

void rga_finish(struct rga *rga)
{
    pool_finish(&rga->chains);
    sums_finish(&rga->sums);
    covers_finish(&rga->covers);
    parking_finish(&rga->parking);
    tree_finish(&rga->tree);
    text_finish(&rga->text);
    oplog_finish(&rga->log);
    agents_finish(&rga->agents);
}

// Slots that undeletes may cut off, at most: two for each piece that they show. Pieces end where
// steps of the covers do; those of one run are not more than its atoms.
static bool reserve_covers(struct rga *rga, const struct rga_need *need, uint64_t *slots_out)
{
    if (need->undeletes > 0 && !rga_keep_covers(rga))
        return false;
    if (!rga->covers.kept)
        return true;
    if (!covers_reserve(&rga->covers, need->runs + 1))
        return false;
    uint64_t nodes = rga->covers.deletes.nodes.count;
    uint64_t pieces = rga->tree.slots + nodes * ORDMAP_FANOUT + 4 * need->runs;
    *slots_out = 2 * (need->undeleted < pieces ? need->undeleted : pieces);
    return true;
}

// Text that comes without some of it, or comes back. Each gap hides elements, which may cut its
// slot in two places.
static bool reserve_gaps(struct rga *rga, const struct rga_need *need, uint64_t rows,
                         uint64_t *slots)
{
    *slots += need->gaps > 0 ? 2 * (need->gaps + rows) : 0;
    return sums_reserve(&rga->sums, need->sums) &&
           (need->gaps == 0 || text_reserve_gone(&rga->text, need->elements)) &&
           (need->revived == 0 || text_reserve_fill(&rga->text, need->revived, need->bytes));
}

bool rga_reserve(struct rga *rga, const struct rga_need *need)
{
    uint64_t cut = 0;
    // A run is cut where a page of text ends; each piece is a row, a slot, and may cut another
    // slot.
    uint64_t rows = need->runs + need->elements / TEXT_PAGE_ELEMENTS + 1;
    // What comes without text may get it in the same breath.
    uint64_t bytes = need->bytes + need->gone * (need->revived > 0 ? 4 : 1);
    bool gaps = gaps_are_read && (need->gaps > 0 || need->sums > 0 || need->revived > 0);
    return reserve_covers(rga, need, &cut) && text_reserve(&rga->text, need->elements, bytes) &&
           (!gaps || reserve_gaps(rga, need, rows, &cut)) &&
           oplog_reserve(&rga->log, rows, need->stretches + 1) &&
           tree_reserve(&rga->tree, 2 * rows + cut, 2 * rows + cut) &&
           agents_reserve(&rga->agents, need->agents) &&
           (need->payloads == 0 ||
            oplog_reserve_payloads(&rga->log, need->payloads, need->payload_bytes));
}

void rga_trim(struct rga *rga)
{
    pool_trim(&rga->log.ops);
    ordmap_trim(&rga->log.starts);
    tree_trim(&rga->tree);
    covers_trim(&rga->covers);
    if (gaps_are_read && rga->text.gone > 0) {
        sums_trim(&rga->sums);
        text_trim(&rga->text);
    }
}

enum weft_status rga_batch_begin(struct rga *rga, const struct rga_batch *batch)
{
    if (batch->edits == 0)
        return WEFT_OK;
    if (rga->local == AGENT_NONE)
        return WEFT_INVALID;
    if (batch->elements > rga->limits.elements_max - rga->text.length ||
        batch->elements + batch->deleted > OP_LAMPORT_MAX - rga->lamport)
        return WEFT_LIMIT;
    // Deletes make a row for each slot that they meet and cut two; inserts make one, and one more
    // for each page of text that they begin.
    uint64_t inserts = batch->edits + batch->elements / TEXT_PAGE_ELEMENTS + 1;
    uint64_t deletes = rga->tree.slots + 2 * batch->edits;
    if (deletes > batch->deleted)
        deletes = batch->deleted;
    if (!oplog_reserve(&rga->log, inserts + deletes, 1) ||
        (rga->covers.kept && !covers_reserve(&rga->covers, deletes)) ||
        !tree_reserve(&rga->tree, inserts + 2 * batch->edits, 2 * inserts + 2 * batch->edits) ||
        !text_reserve(&rga->text, batch->elements, batch->bytes))
        return WEFT_NO_MEMORY;
    rga->batch = true;
    return WEFT_OK;
}

void rga_batch_end(struct rga *rga)
{
    rga->batch = false;
    rga_trim(rga);
}

enum weft_status rga_set_agent(struct rga *rga, uint64_t id)
{
    if (id == 0 || rga_is_reserved(id))
        return WEFT_INVALID;
    uint32_t index = agents_find(&rga->agents, id);
    if (index == AGENT_NONE) {
        if (rga->agents.pool.count >= rga->limits.agents_max)
            return WEFT_LIMIT;
        if (!agents_reserve(&rga->agents, 1))
            return WEFT_NO_MEMORY;
        index = agents_add(&rga->agents, id);
    }
    if (index != rga->local)
        rga->typing = RGA_NOT_TYPING;
    rga->local = index;
    return WEFT_OK;
}

void rga_settle_strokes(struct rga *rga)
{
    uint32_t count = rga->strokes.count;
    rga->strokes.count = 0;
    if (rga->strokes.text != NULL)
        rga_settle_typing(rga, count);
    else
        rga_settle_deletes(rga, count, rga->strokes.index);
}

static struct hash initial_begin(const struct rga *rga, struct weft_id parent, uint64_t lamport)
{
    struct hash hash;
    hash_init(&hash, HASH_SIZE);
    hash_update(&hash, rga->initial, sizeof rga->initial);
    hash_update_u64(&hash, parent.agent);
    hash_update_u64(&hash, parent.seq);
    hash_update_u64(&hash, lamport);
    return hash;
}

static uint64_t initial_end(struct hash *hash)
{
    uint8_t bytes[HASH_SIZE];
    hash_finish(hash, bytes, sizeof bytes);
    return endian_get_u64(bytes) | WEFT_AGENT_RESERVED_BIT;
}

uint64_t rga_initial_agent(const struct rga *rga, struct weft_id parent, uint64_t lamport,
                           struct span text)
{
    struct hash hash = initial_begin(rga, parent, lamport);
    hash_update(&hash, text.data, text.size);
    return initial_end(&hash);
}

bool rga_check_initial(struct rga *rga, uint32_t agent)
{
    uint32_t next = agents_at(&rga->agents, agent)->next;
    const struct op *first = oplog_at(&rga->log, oplog_find(&rga->log, agent, 0));
    struct weft_id parent = WEFT_ID_ROOT;
    if (first->target_agent != AGENT_NONE)
        parent = (struct weft_id){agents_id(&rga->agents, first->target_agent), first->target_seq};
    struct hash hash = initial_begin(rga, parent, first->lamport);
    size_t size = 0;
    for (uint32_t seq = 0; seq < next;) {
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, agent, seq));
        struct span text = text_view(&rga->text, op->iv, op_length(op));
        hash_update(&hash, text.data, text.size);
        size += text.size;
        seq = op_seq_end(op);
    }
    return size <= RGA_INITIAL_SIZE_MAX && initial_end(&hash) == agents_id(&rga->agents, agent);
}

uint32_t rga_find_element(struct rga *rga, struct weft_id id)
{
    uint32_t agent = agents_find(&rga->agents, id.agent);
    if (agent == AGENT_NONE || id.seq >= agents_at(&rga->agents, agent)->next)
        return OP_NONE;
    uint32_t row = oplog_find(&rga->log, agent, (uint32_t)id.seq);
    if (row == OP_NONE || op_kind(oplog_at(&rga->log, row)) != WEFT_RUN_INSERT)
        return OP_NONE;
    return row;
}

struct tree_at rga_locate(struct rga *rga, uint32_t row, uint32_t seq)
{
    const struct op *op = oplog_at(&rga->log, row);
    return tree_locate(&rga->tree, op, op->iv + (seq - op->seq));
}

static bool target_follows(const struct op *last, const struct op *op, bool *flag_out)
{
    uint32_t length = op_length(last);
    bool single = length == 1;
    bool forward = single || !op_flag(last);
    bool backward = single || op_flag(last);
    bool op_single = op_length(op) == 1;
    if (forward && (op_single || !op_flag(op)) && last->target_seq + length == op->target_seq) {
        *flag_out = false;
        return true;
    }
    *flag_out = true;
    return backward && (op_single || op_flag(op)) && last->target_seq - length == op->target_seq;
}

void rga_log_delete(struct rga *rga, const struct op *op)
{
    struct op *last = oplog_last(&rga->log);
    uint32_t length = last != NULL ? op_length(last) : 0;
    bool flag;
    if (last != NULL && op_kind(last) == op_kind(op) && last->agent == op->agent &&
        last->seq + length == op->seq && last->lamport + length == op->lamport &&
        last->target_agent == op->target_agent && length + op_length(op) <= OP_LENGTH_MAX &&
        target_follows(last, op, &flag) && (!flag || op_kind(op) == WEFT_RUN_DELETE)) {
        oplog_extend(&rga->log, last, op_length(op));
        last->bits = (last->bits & ~(uint32_t)OP_FLAG) | (flag ? OP_FLAG : 0u);
        return;
    }
    oplog_append(&rga->log, op);
}
