// SPDX-License-Identifier: MIT
// Chains and the digest.
#include "crdt/chain.h"

#include <assert.h>
#include <string.h>

#include "base/endian.h"
#include "crdt/gaps.h"

// What stands for an atom, or for some in a row, in the bytes that a chunk's hash is over.
enum atom_form {
    ATOM_INSERT_ON = 1,       // right child of the atom before, Lamport time one more
    ATOM_INSERT_RIGHT = 2,    // u64 lamport, u64 parent agent, u64 parent seq
    ATOM_INSERT_LEFT = 3,     // likewise
    ATOM_DELETE_FORWARD = 4,  // target one after that of the atom before, Lamport time one more
    ATOM_DELETE_BACKWARD = 5, // one before
    ATOM_DELETE = 6,          // u64 lamport, u64 target agent, u64 target seq
    ATOM_OTHER_ON = 7,        // not the first of its run
    ATOM_UNDELETE_ON = 9,     // as 4, of an undelete
    ATOM_UNDELETE = 10,       // as 6
    ATOM_OTHER = 8,           // u8 kind, u64 lamport, u64 atoms, u64 payload size, its hash
};

enum {
    ATOM_HEAD_SIZE = 25,
    ATOM_ROW_SIZE = 3, // u8 form, u16 count: of forms that go on
    FORMS_SIZE = 512,  // bytes that are gathered before they are hashed
};

// A chunk that is being hashed.
struct chunk {
    struct hash hash; // over the forms, then the hash of the text
    uint8_t forms[FORMS_SIZE];
    uint32_t forms_size;
    enum atom_form on; // the atoms that go on now
    uint32_t on_count;
    const struct op *before; // row of the atom before, NULL at the start of the chunk
    uint32_t start;          // seq
    uint32_t end;
    bool careful;     // some text may be gone
    bool text_known;  // all that is gone has its hash
    bool block_given; // the hash of `block` is known, its text is passed over
    uint32_t block;   // CHAIN_BLOCKS: none yet
    struct hash text; // over that of `block`
    uint8_t blocks[CHAIN_BLOCKS][HASH_SIZE];
};

static uint8_t *forms_room(struct chunk *chunk, uint32_t size)
{
    if (size > FORMS_SIZE - chunk->forms_size) {
        hash_update(&chunk->hash, chunk->forms, chunk->forms_size);
        chunk->forms_size = 0;
    }
    chunk->forms_size += size;
    return chunk->forms + chunk->forms_size - size;
}

static void end_row(struct chunk *chunk)
{
    if (chunk->on_count == 0)
        return;
    uint8_t *bytes = forms_room(chunk, ATOM_ROW_SIZE);
    bytes[0] = (uint8_t)chunk->on;
    bytes[1] = (uint8_t)chunk->on_count;
    bytes[2] = (uint8_t)(chunk->on_count >> 8);
    chunk->on_count = 0;
}

// None of a form ends no row of others: how runs were cut must not show.
static void put_forms(struct chunk *chunk, enum atom_form form, uint32_t count)
{
    if (count == 0)
        return;
    if (chunk->on != form) {
        end_row(chunk);
        chunk->on = form;
    }
    chunk->on_count += count;
}

static void put_head(struct chunk *chunk, enum atom_form form, uint64_t lamport,
                     struct weft_id target)
{
    end_row(chunk);
    uint8_t *bytes = forms_room(chunk, ATOM_HEAD_SIZE);
    bytes[0] = (uint8_t)form;
    endian_put_u64(bytes + 1, lamport);
    endian_put_u64(bytes + 9, target.agent);
    endian_put_u64(bytes + 17, target.seq);
}

static void end_block(struct chunk *chunk)
{
    if (chunk->block < CHAIN_BLOCKS && !(gaps_are_read && chunk->block_given))
        hash_finish(&chunk->text, chunk->blocks[chunk->block], HASH_SIZE);
}

// The hash of a part, all of which is here, when some of its text is gone. NULL: it counts for
// nothing, or there is none.
static const uint8_t *given_hash(struct rga *rga, struct sums_part part)
{
    const uint8_t *hash = sums_find(&rga->sums, part);
    return hash != NULL && rga_part_lacks(rga, part) ? hash : NULL;
}

static void begin_block(struct rga *rga, struct chunk *chunk, uint32_t agent, uint32_t block)
{
    end_block(chunk);
    struct sums_part part = {agent, chunk->start + block * CHAIN_BLOCK_ATOMS, false};
    const uint8_t *given = NULL;
    if (gaps_are_read && chunk->careful && sums_end(part) <= chunk->end)
        given = given_hash(rga, part);
    chunk->block = block;
    chunk->block_given = given != NULL;
    if (gaps_are_read && given != NULL)
        memcpy(chunk->blocks[block], given, HASH_SIZE);
    else
        hash_init(&chunk->text, HASH_SIZE);
}

// Some text of one block is gone, perhaps.
static void put_careful(const struct rga *rga, struct chunk *chunk, uint32_t iv, uint32_t length)
{
    static const uint8_t gone_bytes[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    while (length > 0) {
        bool gone;
        uint32_t here = text_alike(&rga->text, iv, length, &gone);
        if (gone) {
            here = here < sizeof gone_bytes ? here : sizeof gone_bytes;
            hash_update(&chunk->text, gone_bytes, here);
            chunk->text_known = false;
        } else {
            struct span text = text_view(&rga->text, iv, here);
            hash_update(&chunk->text, text.data, text.size);
        }
        iv += here;
        length -= here;
    }
}

// The text of atoms [seq, end), which are elements of one row.
static void put_text(struct rga *rga, struct chunk *chunk, const struct op *op, uint32_t seq,
                     uint32_t end)
{
    while (seq < end) {
        uint32_t block = (seq - chunk->start) / CHAIN_BLOCK_ATOMS;
        uint32_t block_end = chunk->start + (block + 1) * CHAIN_BLOCK_ATOMS;
        uint32_t here = (end < block_end ? end : block_end) - seq;
        uint32_t iv = op->iv + (seq - op->seq);
        if (block != chunk->block)
            begin_block(rga, chunk, op->agent, block);
        if (!gaps_are_read || !chunk->careful) {
            struct span text = text_view(&rga->text, iv, here);
            hash_update(&chunk->text, text.data, text.size);
        } else if (!chunk->block_given) {
            put_careful(rga, chunk, iv, here);
        }
        seq += here;
    }
}

// Seq that atom `i` of a delete row names.
static uint32_t delete_target(const struct op *op, uint32_t i)
{
    return op_flag(op) ? op->target_seq - i : op->target_seq + i;
}

// Whether the row's first atom follows the last one of the row before in its Lamport time.
static bool follows(const struct chunk *chunk, const struct op *op)
{
    const struct op *before = chunk->before;
    return before != NULL && op_kind(before) == op_kind(op) &&
           before->lamport + op_length(before) == op->lamport;
}

static void put_insert(struct rga *rga, struct chunk *chunk, const struct op *op, uint32_t first,
                       uint32_t end)
{
    uint32_t on = end - first;
    bool joined = first == 0 && follows(chunk, op) && !op_flag(op) &&
                  op->target_agent == op->agent && op->target_seq == op->seq - 1;
    if (!joined) { // a row is entered at an offset only where the chunk starts
        struct weft_id parent = WEFT_ID_ROOT;
        if (first > 0)
            parent = (struct weft_id){agents_id(&rga->agents, op->agent), op->seq + first - 1};
        else if (op->target_agent != AGENT_NONE)
            parent = (struct weft_id){agents_id(&rga->agents, op->target_agent), op->target_seq};
        bool left = first == 0 && op_flag(op);
        put_head(chunk, left ? ATOM_INSERT_LEFT : ATOM_INSERT_RIGHT, op->lamport + first, parent);
        on--;
    }
    put_forms(chunk, ATOM_INSERT_ON, on);
    put_text(rga, chunk, op, op->seq + first, op->seq + end);
}

static void put_delete(struct rga *rga, struct chunk *chunk, const struct op *op, uint32_t first,
                       uint32_t end)
{
    const struct op *before = chunk->before;
    uint32_t target = delete_target(op, first);
    bool joined = follows(chunk, op) && before->target_agent == op->target_agent;
    uint32_t last = joined ? delete_target(before, op_length(before) - 1) : 0;
    if (joined && target == last + 1)
        put_forms(chunk, ATOM_DELETE_FORWARD, 1);
    else if (joined && target + 1 == last)
        put_forms(chunk, ATOM_DELETE_BACKWARD, 1);
    else
        put_head(chunk, ATOM_DELETE, op->lamport + first,
                 (struct weft_id){agents_id(&rga->agents, op->target_agent), target});
    put_forms(chunk, op_flag(op) ? ATOM_DELETE_BACKWARD : ATOM_DELETE_FORWARD, end - first - 1);
}

static void put_undelete(struct rga *rga, struct chunk *chunk, const struct op *op, uint32_t first,
                         uint32_t end)
{
    const struct op *before = chunk->before;
    uint32_t target = op->target_seq + first;
    uint32_t on = end - first;
    if (!follows(chunk, op) || before->target_agent != op->target_agent ||
        before->target_seq + op_length(before) != target) {
        put_head(chunk, ATOM_UNDELETE, op->lamport + first,
                 (struct weft_id){agents_id(&rga->agents, op->target_agent), target});
        on--;
    }
    put_forms(chunk, ATOM_UNDELETE_ON, on);
}

static void put_other(struct rga *rga, struct chunk *chunk, const struct op *op, uint32_t first,
                      uint32_t end)
{
    if (first == 0) {
        struct span payload = oplog_payload(&rga->log, op);
        end_row(chunk);
        uint8_t *bytes = forms_room(chunk, 2 + 3 * 8 + HASH_SIZE);
        struct hash hash;
        bytes[0] = ATOM_OTHER;
        bytes[1] = (uint8_t)op_kind(op);
        endian_put_u64(bytes + 2, op->lamport);
        endian_put_u64(bytes + 10, op_length(op));
        endian_put_u64(bytes + 18, payload.size);
        hash_init(&hash, HASH_SIZE);
        hash_update(&hash, payload.data, payload.size);
        hash_finish(&hash, bytes + 26, HASH_SIZE);
        first++;
    }
    put_forms(chunk, ATOM_OTHER_ON, end - first);
}

static void put_row(struct rga *rga, struct chunk *chunk, const struct op *op, uint32_t first,
                    uint32_t end)
{
    if (op_kind(op) == WEFT_RUN_INSERT)
        put_insert(rga, chunk, op, first, end);
    else if (op_kind(op) == WEFT_RUN_DELETE)
        put_delete(rga, chunk, op, first, end);
    else if (op_kind(op) == WEFT_RUN_UNDELETE)
        put_undelete(rga, chunk, op, first, end);
    else
        put_other(rga, chunk, op, first, end);
    chunk->before = op;
}

// A chunk of atoms [seq, end), with nothing in it yet.
static void chunk_init(const struct rga *rga, struct chunk *chunk, uint32_t seq, uint32_t end)
{
    // Its large parts are written before they are read.
    chunk->forms_size = 0;
    chunk->on = 0;
    chunk->on_count = 0;
    chunk->before = NULL;
    chunk->start = seq;
    chunk->end = end;
    chunk->careful = gaps_are_read && (rga->text.gone > 0 || rga->sums.hashes.count > 0);
    chunk->text_known = true;
    chunk->block_given = false;
    chunk->block = CHAIN_BLOCKS;
    memset(chunk->blocks, 0, sizeof chunk->blocks);
}

// The hash of the text: over those of its blocks; 32 zero bytes stand for no text.
static void hash_text(struct chunk *chunk, uint8_t *out)
{
    memset(out, 0, HASH_SIZE);
    if (chunk->block == CHAIN_BLOCKS)
        return;
    end_block(chunk);
    hash_init(&chunk->text, HASH_SIZE);
    hash_update(&chunk->text, chunk->blocks, sizeof chunk->blocks);
    hash_finish(&chunk->text, out, HASH_SIZE);
}

bool chain_text(uint8_t out[HASH_SIZE], struct rga *rga, struct sums_part part)
{
    struct chunk chunk;
    uint32_t end = sums_end(part);
    chunk_init(rga, &chunk, part.first - part.first % CHAIN_CHUNK_ATOMS, end);
    for (uint32_t seq = part.first; seq < end;) {
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, part.agent, seq));
        uint32_t row_end = op_seq_end(op) < end ? op_seq_end(op) : end;
        if (op_kind(op) == WEFT_RUN_INSERT)
            put_text(rga, &chunk, op, seq, row_end);
        seq = row_end;
    }
    hash_text(&chunk, out);
    if (!part.chunk)
        memcpy(out, chunk.blocks[part.first % CHAIN_CHUNK_ATOMS / CHAIN_BLOCK_ATOMS], HASH_SIZE);
    return chunk.text_known;
}

// Hash of the agent's atoms [seq, end), which are one chunk or the start of one.
static void hash_chunk(struct rga *rga, uint32_t agent, uint32_t seq, uint32_t end, uint8_t *out)
{
    struct chunk chunk;
    uint8_t text[HASH_SIZE];
    const uint8_t *given = NULL;
    if (gaps_are_read && end - seq == CHAIN_CHUNK_ATOMS)
        given = given_hash(rga, (struct sums_part){agent, seq, true});
    chunk_init(rga, &chunk, seq, end);
    hash_init(&chunk.hash, HASH_SIZE);
    while (seq < end) {
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, agent, seq));
        uint32_t row_end = op_seq_end(op) < end ? op_seq_end(op) : end;
        put_row(rga, &chunk, op, seq - op->seq, row_end - op->seq);
        seq = row_end;
    }
    end_row(&chunk);
    hash_update(&chunk.hash, chunk.forms, chunk.forms_size);
    hash_text(&chunk, text);
    hash_update(&chunk.hash, given != NULL ? given : text, sizeof text);
    hash_finish(&chunk.hash, out, HASH_SIZE);
}

// out = H(chain, hash of [seq, end)).
static void link_chunk(struct rga *rga, uint32_t agent, uint32_t seq, uint32_t end,
                       const uint8_t *chain, uint8_t *out)
{
    uint8_t bytes[2 * HASH_SIZE];
    struct hash hash;
    memcpy(bytes, chain, HASH_SIZE);
    hash_chunk(rga, agent, seq, end, bytes + HASH_SIZE);
    hash_init(&hash, HASH_SIZE);
    hash_update(&hash, bytes, sizeof bytes);
    hash_finish(&hash, out, HASH_SIZE);
}

static struct chain *chain_at(const struct rga *rga, uint32_t agent)
{
    return pool_at(&rga->chains, agents_at(&rga->agents, agent)->chain);
}

const struct chain *chain_update(struct rga *rga, uint32_t agent)
{
    struct agent *entry = agents_at(&rga->agents, agent);
    if (entry->chain == AGENT_NONE) {
        if (!pool_reserve(&rga->chains, 1))
            return NULL;
        entry->chain = rga->chains.count++;
        memset(chain_at(rga, agent), 0, sizeof(struct chain));
    }
    struct chain *chain = chain_at(rga, agent);
    if (chain->next == entry->next)
        return chain;
    while (entry->next - chain->chunks * CHAIN_CHUNK_ATOMS >= CHAIN_CHUNK_ATOMS) {
        uint32_t seq = chain->chunks * CHAIN_CHUNK_ATOMS;
        link_chunk(rga, agent, seq, seq + CHAIN_CHUNK_ATOMS, chain->whole, chain->whole);
        chain->chunks++;
    }
    uint32_t rest = chain->chunks * CHAIN_CHUNK_ATOMS;
    if (rest < entry->next)
        link_chunk(rga, agent, rest, entry->next, chain->whole, chain->value);
    else
        memcpy(chain->value, chain->whole, HASH_SIZE);
    chain->next = entry->next;
    return chain;
}

void chain_over(struct rga *rga, uint32_t agent, uint32_t next, uint8_t chain_out[HASH_SIZE])
{
    memset(chain_out, 0, HASH_SIZE);
    for (uint32_t seq = 0; seq < next;) {
        uint32_t end = next - seq < CHAIN_CHUNK_ATOMS ? next : seq + CHAIN_CHUNK_ATOMS;
        link_chunk(rga, agent, seq, end, chain_out, chain_out);
        seq = end;
    }
}

void chain_forget(struct rga *rga, uint32_t agent)
{
    if (agents_at(&rga->agents, agent)->chain != AGENT_NONE)
        memset(chain_at(rga, agent), 0, sizeof(struct chain));
    rga->digest_atoms = UINT64_MAX;
}

// Puts in that there are elements that no delete names and whose text is not here, if there are.
static bool put_lacking(struct hash *hash, struct rga *rga)
{
    uint64_t lacking;
    if (!rga_count_lacking(rga, &lacking))
        return false;
    if (lacking > 0)
        hash_update_u64(hash, lacking);
    return true;
}

bool chain_digest(struct weft_digest *digest_out, struct rga *rga)
{
    if (rga->digest_atoms != rga->log.atoms) {
        struct weft_digest digest;
        struct hash hash;
        hash_init(&hash, sizeof digest.bytes);
        hash_update_u64(&hash, rga->epoch.counter);
        hash_update(&hash, rga->epoch.random, sizeof rga->epoch.random);
        const struct ordmap *by_id = &rga->agents.by_id;
        for (struct ordmap_at at = ordmap_first(by_id); at.node != ORDMAP_NONE;
             at = ordmap_next(by_id, at)) {
            uint32_t index = ordmap_value(by_id, at);
            const struct agent *agent = agents_at(&rga->agents, index);
            if (agent->next == 0)
                continue;
            const struct chain *chain = chain_update(rga, index);
            if (chain == NULL)
                return false;
            hash_update_u64(&hash, agent->id);
            hash_update_u64(&hash, agent->next);
            hash_update(&hash, chain->value, HASH_SIZE);
        }
        if (gaps_are_read && rga->text.gone > 0 && !put_lacking(&hash, rga))
            return false;
        hash_finish(&hash, digest.bytes, sizeof digest.bytes);
        rga->digest = digest;
        rga->digest_atoms = rga->log.atoms;
    }
    *digest_out = rga->digest;
    return true;
}
