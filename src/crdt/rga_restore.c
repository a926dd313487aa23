// SPDX-License-Identifier: MIT
// Going back to a version, forward: what it did not show is deleted, what was deleted since is
// undeleted. All of it is found first, then reserved for, then done.
#include "crdt/filter.h"
#include "crdt/rga_impl.h"

struct restore {
    struct rga *rga;
    const struct filter *filter;
    struct weft_buffer shown;  // struct covers_range each: elements that the version does not show
    struct weft_buffer hidden; // delete atoms that keep from view what it does show
    uint64_t atoms;            // of both
    uint64_t undeleted;        // of `hidden`
    bool collected;            // text of what would come back is gone
};

static bool add(struct restore *restore, struct weft_buffer *ranges, struct covers_range range)
{
    restore->atoms += range.end - range.first;
    return weft_buffer_append(ranges, &range, sizeof range) == WEFT_OK;
}

// Each in one slot, so that deleting cuts that slot only.
static bool find_shown(struct restore *restore)
{
    struct filter_walk walk = filter_walk_start(restore->filter, NULL);
    for (struct filter_piece piece; filter_walk_next(&walk, &piece);) {
        uint32_t seq = piece.op->seq + (piece.iv - piece.op->iv);
        struct covers_range elements = {piece.op->agent, seq, seq + piece.length};
        restore->collected |=
            piece.visible[0] && text_lacks(&restore->rga->text, piece.iv, piece.length);
        if (piece.present && !piece.visible[0] && !add(restore, &restore->shown, elements))
            return false;
    }
    return true;
}

// The atoms of a delete row that name elements [first, end).
static struct covers_range atoms_of(const struct op *op, uint32_t first, uint32_t end)
{
    uint32_t atom = op->seq + (op_flag(op) ? op->target_seq - (end - 1) : first - op->target_seq);
    return (struct covers_range){op->agent, atom, atom + (end - first)};
}

// Of delete atoms that are in force, those of elements that the version shows.
static bool find_in_force(struct restore *restore, const struct op *op, struct covers_range atoms)
{
    struct covers_range left = rga_deleted_range(op, atoms.first, atoms.end);
    while (left.first < left.end) {
        struct rga_targets piece = rga_targets_at(restore->rga, left.agent, left.first, left.end);
        uint32_t iv = piece.op->iv + (piece.first - piece.op->seq);
        bool visible;
        uint32_t here =
            filter_see(restore->filter, piece.op, iv, piece.end - piece.first, false, &visible);
        uint32_t end = left.first + here;
        if (visible && !add(restore, &restore->hidden, atoms_of(op, left.first, end)))
            return false;
        restore->undeleted += visible ? here : 0;
        left.first = end;
    }
    return true;
}

// Deletes that came after the version; those of the version are cancelled where it shows something.
static bool find_hidden(struct restore *restore)
{
    const struct rga *rga = restore->rga;
    for (uint32_t row = 0; row < rga->log.ops.count; row++) {
        const struct op *op = oplog_at(&rga->log, row);
        if (op_kind(op) != WEFT_RUN_DELETE)
            continue;
        struct covers_range atoms = {op->agent, filter_end(restore->filter, op), op_seq_end(op)};
        while (atoms.first < atoms.end) {
            struct covers_range step = atoms;
            bool cancelled =
                rga->covers.kept && covers_value(&rga->covers.cancelled, atoms, &step.end) != 0;
            if (!cancelled && !find_in_force(restore, op, step))
                return false;
            atoms.first = step.end;
        }
    }
    return true;
}

static uint64_t count_of(const struct weft_buffer *ranges)
{
    return ranges->size / sizeof(struct covers_range);
}

static bool reserve(const struct restore *restore)
{
    struct rga_need need = {
        .runs = count_of(&restore->shown) + count_of(&restore->hidden),
        .stretches = 1,
        .undeletes = count_of(&restore->hidden),
        .undeleted = restore->undeleted,
    };
    return rga_reserve(restore->rga, &need);
}

static void apply(const struct restore *restore)
{
    const struct covers_range *shown = (const void *)restore->shown.data;
    const struct covers_range *hidden = (const void *)restore->hidden.data;
    for (uint64_t i = 0; i < count_of(&restore->shown); i++)
        rga_hide(restore->rga, shown[i]);
    for (uint64_t i = 0; i < count_of(&restore->hidden); i++)
        rga_append_inverse(restore->rga, WEFT_RUN_UNDELETE, hidden[i]);
}

enum weft_status rga_restore(struct rga *rga, const struct filter *filter)
{
    if (rga->local == AGENT_NONE)
        return WEFT_INVALID;
    uint64_t lacking;
    if (filter->now && !rga_count_lacking(rga, &lacking))
        return WEFT_NO_MEMORY;
    if (filter->now)
        return lacking > 0 ? WEFT_COLLECTED : WEFT_OK;
    struct restore restore = {.rga = rga, .filter = filter};
    weft_buffer_init(&restore.shown, &rga->allocator);
    weft_buffer_init(&restore.hidden, &rga->allocator);
    enum weft_status status = WEFT_OK;
    if (!find_shown(&restore) || !find_hidden(&restore))
        status = WEFT_NO_MEMORY;
    else if (restore.collected)
        status = WEFT_COLLECTED;
    else if (restore.atoms > OP_LAMPORT_MAX - rga->lamport)
        status = WEFT_LIMIT;
    else if (restore.atoms > 0 && !reserve(&restore))
        status = WEFT_NO_MEMORY;
    if (status == WEFT_OK && restore.atoms > 0) {
        rga->tree.cursor.leaf = TREE_NONE;
        rga->typing = RGA_NOT_TYPING;
        apply(&restore);
        rga_trim(rga);
    }
    weft_buffer_finish(&restore.shown);
    weft_buffer_finish(&restore.hidden);
    return status;
}
