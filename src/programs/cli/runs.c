// SPDX-License-Identifier: MIT
#include "programs/cli/runs.h"

#include <stdio.h>

#include <weft/labels.h>

#include "base/varint.h"
#include "programs/cli/ids.h"

#define AGENT_BYTES 8

const char *const run_columns[] = {"lamport", "id", "kind", "length", "target", "text", NULL};
const char *const atom_columns[] = {"lamport", "id", "kind", "target", "text", NULL};

/// What an operation says that is no edit: the name in a label or of an author; nothing else.
static struct span said_of(uint8_t kind, struct span payload)
{
    uint64_t number;
    uint64_t size;
    struct span rest = payload;
    if (kind == WEFT_RUN_AUTHOR && payload.size > AGENT_BYTES)
        rest = (struct span){payload.data + AGENT_BYTES, payload.size - AGENT_BYTES};
    else if (kind == WEFT_RUN_LABEL && varint_take(&number, &rest) && varint_take(&size, &rest) &&
             size <= rest.size)
        rest.size = (size_t)size;
    else
        return (struct span){NULL, 0};
    return weft_name_is_valid(rest.data, rest.size) ? rest : (struct span){NULL, 0};
}

json_t *run_json(const struct history *history, const struct history_run *run)
{
    char id[ID_BYTES];
    char target[ID_BYTES];
    id_format(id, (struct weft_id){run->agent, run->seq});
    id_format(target, run->target);
    json_t *row = json_pack("{s:I, s:s, s:s, s:I, s:s}", "lamport", (json_int_t)run->lamport, "id",
                            id, "kind", history_kind(run->kind), "length", (json_int_t)run->length,
                            "target", target);
    if (row != NULL && run->kind == WEFT_RUN_INSERT) {
        struct span text = {history->text.data + run->text_offset, run->text_size};
        json_object_set_new(row, "left", json_boolean(run->left));
        json_object_set_new(row, "text", output_text(text));
    } else if (row != NULL && run->kind == WEFT_RUN_DELETE) {
        json_object_set_new(row, "backward", json_boolean(run->backward));
    } else if (row != NULL && run->kind > WEFT_RUN_UNDELETE) {
        struct span said = said_of(
            run->kind, (struct span){history->text.data + run->text_offset, run->text_size});
        json_object_del(row, "target");
        json_object_set_new(row, "name", said.size > 0 ? output_text(said) : json_null());
    }
    return row;
}

/// What a run names, and on which side or in which direction.
static void format_target(char text_out[16 + ID_BYTES], bool left, bool backward,
                          struct weft_id target)
{
    char id[ID_BYTES];
    id_format(id, target);
    snprintf(text_out, 16 + ID_BYTES, "%s%s", left ? "left of " : backward ? "back from " : "", id);
}

json_t *run_cells(const struct history *history, const struct history_run *run)
{
    char id[ID_BYTES];
    char target[16 + ID_BYTES] = "";
    struct span text = {history->text.data + run->text_offset, run->text_size};
    id_format(id, (struct weft_id){run->agent, run->seq});
    if (run->kind <= WEFT_RUN_UNDELETE)
        format_target(target, run->left, run->backward, run->target);
    struct span said = run->kind == WEFT_RUN_INSERT ? text : said_of(run->kind, text);
    json_t *shown = run->kind == WEFT_RUN_INSERT || said.size > 0
                        ? output_excerpt(said, EXCERPT_WIDTH)
                        : json_string("");
    return json_pack("{s:I, s:s, s:s, s:I, s:s, s:o}", "lamport", (json_int_t)run->lamport, "id",
                     id, "kind", history_kind(run->kind), "length", (json_int_t)run->length,
                     "target", target, "text", shown);
}

json_t *atom_json(const struct history_atom *atom)
{
    char id[ID_BYTES];
    char target[ID_BYTES];
    id_format(id, atom->id);
    id_format(target, atom->target);
    json_t *row =
        json_pack("{s:I, s:s, s:s, s:s, s:b}", "lamport", (json_int_t)atom->lamport, "id", id,
                  "kind", history_kind(atom->kind), "target", target, "left", (int)atom->left);
    if (row != NULL && atom->kind == WEFT_RUN_INSERT)
        json_object_set_new(row, "text", output_text((struct span){atom->text, atom->text_size}));
    return row;
}

json_t *atom_cells(const struct history_atom *atom)
{
    char id[ID_BYTES];
    char target[16 + ID_BYTES] = "";
    struct span text = {atom->text, atom->text_size};
    id_format(id, atom->id);
    if (atom->kind <= WEFT_RUN_UNDELETE)
        format_target(target, atom->left, false, atom->target);
    json_t *shown = atom->kind == WEFT_RUN_INSERT ? output_excerpt(text, 1) : json_string("");
    return json_pack("{s:I, s:s, s:s, s:s, s:o}", "lamport", (json_int_t)atom->lamport, "id", id,
                     "kind", history_kind(atom->kind), "target", target, "text", shown);
}
