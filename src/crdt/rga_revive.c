// SPDX-License-Identifier: MIT
// The text that undeletes bring: it is checked where it is known, and taken where it was collected.
#include <string.h>

#include "base/utf8.h"
#include "crdt/rga_impl.h"

struct rga_named rga_named_make(const struct op *op, uint32_t first, uint32_t end)
{
    uint32_t from = op->target_seq + first;
    return (struct rga_named){.agent = op->target_agent, .seq = from, .end = from + (end - first)};
}

bool rga_named_next(struct rga *rga, struct rga_named *named, uint32_t *iv_out,
                    uint32_t *length_out)
{
    if (named->seq == named->end)
        return false;
    struct rga_targets atoms = rga_targets_at(rga, named->agent, named->seq, named->end);
    bool down = op_flag(atoms.op);
    struct covers_range elements =
        rga_deleted_range(atoms.op, atoms.first, down ? atoms.first + 1 : atoms.end);
    struct rga_targets piece = rga_targets_at(rga, elements.agent, elements.first, elements.end);
    *iv_out = piece.op->iv + (piece.first - piece.op->seq);
    *length_out = piece.end - piece.first;
    named->seq += *length_out;
    return true;
}

enum rga_outcome rga_check_revived(struct rga *rga, const struct op *op, struct span text)
{
    enum rga_outcome outcome = RGA_APPLIED;
    if (text.data == NULL) // out of a snapshot of version 0, which has all text
        return RGA_APPLIED;
    struct rga_named named = rga_named_make(op, 0, op_length(op));
    for (uint32_t iv, length; rga_named_next(rga, &named, &iv, &length);) {
        for (uint32_t here; length > 0; iv += here, length -= here) {
            bool gone;
            here = text_alike(&rga->text, iv, length, &gone);
            size_t size = utf8_size(text.data, here);
            struct span known = {text.data, size};
            if (!gone)
                known = text_view(&rga->text, iv, here);
            if (known.size != size || memcmp(known.data, text.data, size) != 0)
                return RGA_INVALID;
            if (gone && rga->doubting)
                outcome = RGA_COLLECTED;
            text = (struct span){text.data + size, text.size - size};
        }
    }
    return outcome;
}

void rga_fill_revived(struct rga *rga, const struct op *op, struct span text)
{
    struct rga_named named = rga_named_make(op, 0, op_length(op));
    if (!gaps_are_read || rga->text.gone == 0 || text.data == NULL)
        return;
    for (uint32_t iv, length; rga_named_next(rga, &named, &iv, &length);) {
        for (uint32_t here; length > 0; iv += here, length -= here) {
            bool gone;
            here = text_alike(&rga->text, iv, length, &gone);
            size_t size = utf8_size(text.data, here);
            if (gone)
                text_fill(&rga->text, iv, here, (struct span){text.data, size});
            text = (struct span){text.data + size, text.size - size};
        }
    }
}
