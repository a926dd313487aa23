// SPDX-License-Identifier: MIT
// A document without what cuts take out of it.
//
// All runs are gone through in causal order. What is before all cuts is applied as it is. What its
// author did past a cut is dropped, or, when this is the branch that stays, applied as its heir's:
// atom (A, seq + i) as (heir, i), and what it names likewise. A run that names something past a cut
// is cut there itself; it stays with an heir of its own as long as all that it names does.
// Cuts that this finds may be of runs that came before: then it is gone through once more.
#include "doc/fork.h"

#include <string.h>

#include "base/endian.h"
#include "crdt/chain.h"
#include "crdt/rga_same.h"

enum state { LANE_UNDECIDED, LANE_STAYS, LANE_GONE };

// What becomes of one agent's atoms.
struct lane {
    uint64_t cut; // UINT64_MAX: none
    uint64_t heir;
    uint64_t heir_cut; // the heir's own
    uint64_t issued;   // atoms that are the heir's now
    enum state state;
};

struct rebuild {
    struct weft_doc *from;
    struct weft_doc *to;
    struct weft_buffer *cuts;
    struct lane *lanes; // by local index in `from`
    uint32_t lane_count;
    bool changed; // the cuts
    struct weft_rebuilt rebuilt;
    struct weft_buffer text; // of a piece
};

static struct lane *lane_of(const struct rebuild *rebuild, uint64_t agent)
{
    uint32_t index = agent ? agents_find(&doc_rga(rebuild->from)->agents, agent) : AGENT_NONE;
    return index == AGENT_NONE ? NULL : &rebuild->lanes[index];
}

static void set_cut(const struct rebuild *rebuild, struct lane *lane, const struct weft_cut *cut)
{
    struct weft_cut own;
    lane->cut = cut->seq;
    lane->heir = cut->heir;
    lane->heir_cut = UINT64_MAX;
    lane->issued = 0;
    lane->state = LANE_UNDECIDED;
    if (cut->heir != 0 &&
        weft_cuts_find(&own, rebuild->cuts->data, rebuild->cuts->size, cut->heir) == WEFT_OK)
        lane->heir_cut = own.seq;
}

// ------------------------------------------------------------------------------------ what is
// named

enum named { NAMED_STAYS, NAMED_MOVED, NAMED_GONE };

// Where an atom that is named is now. @param moved_out Its new name, when NAMED_MOVED.
static enum named find_named(const struct rebuild *rebuild, struct weft_id id,
                             struct weft_id *moved_out)
{
    const struct lane *lane = lane_of(rebuild, id.agent);
    if (lane == NULL || id.seq < lane->cut)
        return NAMED_STAYS;
    uint64_t place = id.seq - lane->cut;
    if (lane->state != LANE_STAYS || place >= lane->issued)
        return NAMED_GONE;
    *moved_out = (struct weft_id){lane->heir, place};
    return NAMED_MOVED;
}

// How many atoms from `first` on are on one side of the cut, their own and of those they name, and
// of the part of the named ones that stays.
static uint32_t piece_of(const struct rebuild *rebuild, const struct weft_run *run, uint32_t first)
{
    const struct lane *own = lane_of(rebuild, run->agent);
    const struct lane *named = lane_of(rebuild, fork_named(run).agent);
    uint32_t count = run->length - first;
    if (own != NULL && own->cut != UINT64_MAX)
        count = fork_side(run, first, run->agent, own->cut);
    if (named == NULL || named->cut == UINT64_MAX)
        return count;
    uint32_t side = fork_side(run, first, run->target.agent, named->cut);
    count = side < count ? side : count;
    if (named != own) {
        side = fork_side(run, first, run->target.agent, named->cut + named->issued);
        count = side < count ? side : count;
    }
    return count;
}

// ------------------------------------------------------------------------------------------- heirs

// The heir of a branch because of which this one stays, taken into the id of this one's.
static uint64_t heir_of(const struct rebuild *rebuild, struct weft_id atom, uint64_t via)
{
    uint8_t chain[HASH_SIZE];
    uint8_t bytes[8];
    if (weft_doc_chain_at(chain, rebuild->from, atom.agent, atom.seq + 1) != WEFT_OK)
        return 0;
    endian_put_u64(bytes, via);
    for (size_t i = 0; i < sizeof bytes; i++)
        chain[i] ^= bytes[i];
    return weft_fork_heir(rebuild->from, atom.agent, atom.seq, chain);
}

// Whether the branch that begins with this piece, the first past its author's cut, is the heir's.
static enum state decide(const struct rebuild *rebuild, const struct lane *lane,
                         const struct weft_run *piece)
{
    struct weft_id atom = {piece->agent, piece->seq};
    struct weft_id moved;
    if (lane->heir == WEFT_HEIR_NONE || lane->heir == WEFT_HEIR_UNKNOWN)
        return LANE_GONE;
    if (heir_of(rebuild, atom, 0) == lane->heir)
        return LANE_STAYS;
    if (find_named(rebuild, fork_named(piece), &moved) == NAMED_MOVED &&
        heir_of(rebuild, atom, moved.agent) == lane->heir)
        return LANE_STAYS;
    return LANE_GONE;
}

// Cuts the author of a piece that names what is past a cut.
static enum weft_status cut_author(struct rebuild *rebuild, struct lane *lane,
                                   const struct weft_run *piece, enum named named, uint64_t via)
{
    struct weft_id atom = {piece->agent, piece->seq};
    struct weft_cut cut = {piece->agent, piece->seq, 0};
    if (named == NAMED_MOVED && !rga_is_reserved(piece->agent))
        cut.heir = heir_of(rebuild, atom, via);
    enum weft_status status = weft_cuts_add(&rebuild->changed, rebuild->cuts, &cut);
    if (status == WEFT_OK)
        status = weft_cuts_find(&cut, rebuild->cuts->data, rebuild->cuts->size, piece->agent);
    if (status == WEFT_OK)
        set_cut(rebuild, lane, &cut);
    return status;
}

// ------------------------------------------------------------------------------------------ pieces

static enum weft_status emit(struct rebuild *rebuild, const struct weft_run *run)
{
    uint32_t atoms;
    struct weft_id missing;
    switch (rga_apply_alone(rebuild->to->unsettled, run, &atoms, &missing)) {
    case RGA_APPLIED:
    case RGA_DUPLICATE:
        return WEFT_OK;
    case RGA_LIMIT:
        return WEFT_LIMIT;
    case RGA_NO_MEMORY:
        return WEFT_NO_MEMORY;
    default: // of a heir whose beginning is cut
        rebuild->rebuilt.atoms_dropped += run->length;
        return WEFT_OK;
    }
}

// A piece past its author's cut.
static enum weft_status inherit(struct rebuild *rebuild, struct lane *lane, struct weft_run *piece)
{
    struct weft_id moved = fork_named(piece);
    if (lane->state == LANE_UNDECIDED)
        lane->state = decide(rebuild, lane, piece);
    uint64_t place = piece->seq - lane->cut;
    bool stays = lane->state == LANE_STAYS && place == lane->issued &&
                 place + piece->length <= lane->heir_cut &&
                 find_named(rebuild, fork_named(piece), &moved) != NAMED_GONE;
    if (!stays) {
        rebuild->rebuilt.atoms_dropped += piece->length;
        return WEFT_OK;
    }
    piece->agent = lane->heir;
    piece->seq = place;
    if (fork_can_cut(piece->kind))
        piece->target = moved;
    if (rga_same(doc_rga(rebuild->to), piece) < piece->length) {
        lane->heir_cut = place; // someone else's branch began alike, and is here already
        rebuild->rebuilt.atoms_dropped += piece->length;
        return WEFT_OK;
    }
    lane->issued += piece->length;
    rebuild->rebuilt.atoms_moved += piece->length;
    return emit(rebuild, piece);
}

static enum weft_status take_piece(struct rebuild *rebuild, struct weft_run *piece)
{
    struct lane *lane = lane_of(rebuild, piece->agent);
    struct weft_id moved = {0};
    // The hash of text that was collected is of a part of this agent's atoms, all of it.
    if (piece->kind == WEFT_RUN_COLLECTED &&
        piece->seq + piece->length > lane->cut - lane->cut % SUMS_CHUNK_ATOMS)
        return WEFT_COLLECTED;
    if (piece->seq >= lane->cut)
        return inherit(rebuild, lane, piece);
    enum named named = find_named(rebuild, fork_named(piece), &moved);
    if (named == NAMED_STAYS)
        return emit(rebuild, piece);
    enum weft_status status = cut_author(rebuild, lane, piece, named, moved.agent);
    if (status != WEFT_OK || piece->seq >= lane->cut)
        return status != WEFT_OK ? status : inherit(rebuild, lane, piece);
    rebuild->rebuilt.atoms_dropped += piece->length; // not reached: the cut is not past it
    return WEFT_OK;
}

static enum weft_status take_run(struct rebuild *rebuild, const struct weft_run *run)
{
    enum weft_status status = WEFT_OK;
    for (uint32_t first = 0; first < run->length && status == WEFT_OK;) {
        uint32_t count = piece_of(rebuild, run, first);
        struct weft_run piece = *run;
        if (fork_can_cut(run->kind) && (first > 0 || count < run->length))
            status = fork_slice(&piece, &rebuild->text, run, first, first + count);
        if (status == WEFT_OK)
            status = take_piece(rebuild, &piece);
        first += count;
    }
    return status;
}

// -------------------------------------------------------------------------------------------
// passes

static enum weft_status begin_pass(struct rebuild *rebuild)
{
    const struct rga *from = doc_rga(rebuild->from);
    struct weft_doc_options options = {
        .allocator = &rebuild->from->memory->parent,
        .epoch = from->epoch,
        .policy = from->policy,
        .limits = from->limits,
    };
    weft_doc_destroy(rebuild->to);
    rebuild->to = NULL;
    enum weft_status status = weft_doc_create(&rebuild->to, &options);
    if (status != WEFT_OK)
        return status;
    struct rga *to = doc_rga(rebuild->to);
    memcpy(to->initial, from->initial, sizeof to->initial); // of the same name
    rebuild->rebuilt = (struct weft_rebuilt){0, 0};
    rebuild->changed = false;
    for (uint32_t i = 0; i < rebuild->lane_count; i++) {
        struct weft_cut cut = {0, UINT64_MAX, 0};
        (void)!weft_cuts_find(&cut, rebuild->cuts->data, rebuild->cuts->size,
                              agents_id(&from->agents, i));
        set_cut(rebuild, &rebuild->lanes[i], &cut);
    }
    return WEFT_OK;
}

static enum weft_status run_pass(struct rebuild *rebuild, struct span history)
{
    struct delta_reader reader;
    struct weft_run run;
    enum weft_status status = begin_pass(rebuild);
    if (status != WEFT_OK)
        return status;
    status = delta_reader_init(&reader, &doc_rga(rebuild->from)->allocator, history);
    if (status != WEFT_OK)
        return status;
    while (status == WEFT_OK && delta_reader_next(&reader, &run) == WEFT_OK)
        status = take_run(rebuild, &run);
    delta_reader_finish(&reader);
    return status;
}

static enum weft_status run_all(struct rebuild *rebuild)
{
    struct weft_buffer history;
    weft_buffer_init(&history, &rebuild->from->memory->parent);
    enum weft_status status = weft_doc_delta_since(&history, rebuild->from, NULL, 0);
    do {
        status = status != WEFT_OK ? status : run_pass(rebuild, span_of_buffer(&history));
    } while (status == WEFT_OK && rebuild->changed);
    weft_buffer_finish(&history);
    return status;
}

// Whether the document has nothing past a cut.
static bool is_within(const struct rga *rga, const struct weft_buffer *cuts)
{
    struct weft_cut cut;
    for (uint32_t i = 0; i < rga->agents.pool.count; i++) {
        const struct agent *agent = agents_at(&rga->agents, i);
        if (weft_cuts_find(&cut, cuts->data, cuts->size, agent->id) == WEFT_OK &&
            agent->next > cut.seq)
            return false;
    }
    return true;
}

enum weft_status weft_doc_rebuild(struct weft_doc **doc_out, struct weft_rebuilt *rebuilt_out,
                                  struct weft_buffer *cuts, struct weft_doc *doc)
{
    const struct rga *from = doc_rga(doc);
    struct weft_allocator *parent = &doc->memory->parent;
    if (is_within(from, cuts)) {
        *doc_out = NULL;
        *rebuilt_out = (struct weft_rebuilt){0, 0};
        return WEFT_OK;
    }
    struct rebuild rebuild = {.from = doc, .cuts = cuts, .lane_count = from->agents.pool.count};
    size_t size = rebuild.lane_count * sizeof *rebuild.lanes;
    weft_buffer_init(&rebuild.text, parent);
    rebuild.lanes = memory_alloc(parent, size);
    enum weft_status status = rebuild.lanes != NULL ? run_all(&rebuild) : WEFT_NO_MEMORY;
    weft_buffer_finish(&rebuild.text);
    memory_free(parent, rebuild.lanes, rebuild.lanes != NULL ? size : 0);
    if (status != WEFT_OK) {
        weft_doc_destroy(rebuild.to);
        return status;
    }
    *doc_out = rebuild.to;
    *rebuilt_out = rebuild.rebuilt;
    return WEFT_OK;
}
