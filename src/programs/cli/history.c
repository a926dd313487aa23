// SPDX-License-Identifier: MIT
#include "programs/cli/history.h"

#include <stdlib.h>
#include <string.h>

struct gathered {
    struct weft_run *runs;
    size_t count;
    size_t capacity;
    bool failed;
};

static bool gather(void *context, const struct weft_run *run)
{
    struct gathered *gathered = context;
    if (gathered->count == gathered->capacity) {
        size_t capacity = gathered->capacity > 0 ? 2 * gathered->capacity : 1024;
        struct weft_run *runs = realloc(gathered->runs, capacity * sizeof(*runs));
        gathered->failed = runs == NULL;
        if (gathered->failed)
            return false;
        gathered->runs = runs;
        gathered->capacity = capacity;
    }
    gathered->runs[gathered->count++] = *run;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    const struct weft_run *x = a;
    const struct weft_run *y = b;
    if (x->agent != y->agent)
        return x->agent < y->agent ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int compare_times(const void *a, const void *b)
{
    const struct history_run *x = a;
    const struct history_run *y = b;
    if (x->lamport != y->lamport)
        return x->lamport < y->lamport ? -1 : 1;
    if (x->agent != y->agent)
        return x->agent < y->agent ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static size_t scalar_size(uint8_t lead)
{
    if (lead < 0xc0)
        return 1;
    return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

// --------------------------------------------------------------------------------- joining atoms

/// Whether an atom goes on where the last run ends. Atoms of kinds that are not understood are
/// never joined: only their sender knows what their payload means.
static bool continues(const struct history_run *last, const struct history_atom *atom)
{
    if (last->kind != atom->kind || last->agent != atom->id.agent ||
        last->seq + last->length != atom->id.seq || last->lamport + last->length != atom->lamport)
        return false;
    if (atom->kind == WEFT_RUN_INSERT)
        return !atom->left && atom->target.agent == last->agent &&
               atom->target.seq == atom->id.seq - 1;
    if ((atom->kind != WEFT_RUN_DELETE && atom->kind != WEFT_RUN_UNDELETE) ||
        atom->target.agent != last->target.agent)
        return false;
    bool forward = atom->target.seq == last->target.seq + last->length;
    bool backward = atom->target.seq + last->length == last->target.seq;
    if (atom->kind == WEFT_RUN_UNDELETE)
        return forward;
    return last->length == 1 ? forward || backward : last->backward ? backward : forward;
}

static bool add_run(struct history *history, const struct history_run *run)
{
    if (history->count == history->capacity) {
        size_t capacity = history->capacity > 0 ? 2 * history->capacity : 1024;
        struct history_run *runs = realloc(history->runs, capacity * sizeof(*runs));
        if (runs == NULL)
            return false;
        history->runs = runs;
        history->capacity = capacity;
    }
    history->runs[history->count++] = *run;
    return true;
}

static bool add_text(struct history *history, const uint8_t *text, size_t size)
{
    return weft_buffer_append(&history->text, text, size) == WEFT_OK;
}

static bool add_atom(struct history *history, const struct history_atom *atom)
{
    struct history_run *last = history->count > 0 ? &history->runs[history->count - 1] : NULL;
    if (last != NULL && continues(last, atom)) {
        if (atom->kind == WEFT_RUN_DELETE && last->length == 1)
            last->backward = atom->target.seq < last->target.seq;
        last->length++;
        last->text_size += atom->text_size;
    } else {
        struct history_run run = {.kind = atom->kind,
                                  .left = atom->left,
                                  .length = 1,
                                  .agent = atom->id.agent,
                                  .seq = atom->id.seq,
                                  .lamport = atom->lamport,
                                  .target = atom->target,
                                  .text_offset = history->text.size,
                                  .text_size = atom->text_size};
        if (!add_run(history, &run))
            return false;
    }
    return add_text(history, atom->text, atom->text_size);
}

/// The atom with the given index; `text` must point to its text.
static struct history_atom atom_of(const struct history_run *run, uint64_t index,
                                   const uint8_t *text)
{
    struct history_atom atom = {.kind = run->kind,
                                .left = run->left && index == 0,
                                .lamport = run->lamport + index,
                                .id = {run->agent, run->seq + index},
                                .target = run->target};
    if (run->kind == WEFT_RUN_INSERT) {
        if (index > 0)
            atom.target = (struct weft_id){run->agent, run->seq + index - 1};
        atom.text = text;
        atom.text_size = scalar_size(*text);
    } else if (run->kind == WEFT_RUN_DELETE || run->kind == WEFT_RUN_UNDELETE) {
        atom.target.seq += run->backward ? (uint64_t)0 - index : index;
    } else if (index == 0) {
        atom.text = text;
        atom.text_size = run->text_size;
    }
    return atom;
}

static bool add_weft_run(struct history *history, const struct weft_run *run)
{
    struct history_run whole = {.kind = run->kind,
                                .left = run->left,
                                .backward = run->backward,
                                .length = run->length,
                                .agent = run->agent,
                                .seq = run->seq,
                                .lamport = run->lamport,
                                .target = run->target,
                                .text_offset = history->text.size,
                                .text_size = run->text_size};
    if (run->kind > WEFT_RUN_UNDELETE)
        return add_run(history, &whole) && add_text(history, run->text, run->text_size);
    static const uint8_t gone[] = "\xEF\xBF\xBD"; // what stands for text that was collected
    const uint8_t *text = run->text != NULL ? run->text : gone;
    for (uint64_t i = 0; i < run->length; i++) {
        struct history_atom atom = atom_of(&whole, i, text);
        if (!add_atom(history, &atom))
            return false;
        text += run->text != NULL ? atom.text_size : 0;
    }
    return true;
}

enum weft_status history_init(struct history *history, const struct weft_doc *doc)
{
    struct gathered gathered = {NULL, 0, 0, false};
    memset(history, 0, sizeof(*history));
    weft_buffer_init(&history->text, NULL);
    weft_doc_visit_runs(doc, gather, &gathered);
    bool failed = gathered.failed;
    if (!failed && gathered.count > 0)
        qsort(gathered.runs, gathered.count, sizeof(*gathered.runs), compare_ids);
    for (size_t i = 0; !failed && i < gathered.count; i++)
        failed = !add_weft_run(history, &gathered.runs[i]);
    free(gathered.runs);
    if (failed)
        return WEFT_NO_MEMORY;
    if (history->count > 0)
        qsort(history->runs, history->count, sizeof(*history->runs), compare_times);
    return WEFT_OK;
}

void history_finish(struct history *history)
{
    free(history->runs);
    weft_buffer_finish(&history->text);
}

void history_atoms(const struct history *history,
                   void (*visit)(void *context, const struct history_atom *atom), void *context)
{
    for (size_t r = 0; r < history->count; r++) {
        const struct history_run *run = &history->runs[r];
        const uint8_t *text = history->text.data + run->text_offset;
        for (uint64_t i = 0; i < run->length; i++) {
            struct history_atom atom = atom_of(run, i, text);
            visit(context, &atom);
            text += atom.text_size;
        }
    }
}

// ------------------------------------------------------------------------------------- comparing

/// Walks the atoms of a history by (agent, seq).
struct walk {
    const struct history *history;
    const struct history_run **runs; // by id
    size_t run;
    uint64_t index; // in the run
    const uint8_t *text;
};

static int compare_run_ids(const void *a, const void *b)
{
    const struct history_run *x = *(const struct history_run *const *)a;
    const struct history_run *y = *(const struct history_run *const *)b;
    if (x->agent != y->agent)
        return x->agent < y->agent ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static void walk_to(struct walk *walk, size_t run)
{
    walk->run = run;
    walk->index = 0;
    if (run < walk->history->count)
        walk->text = walk->history->text.data + walk->runs[run]->text_offset;
}

static bool walk_init(struct walk *walk, const struct history *history)
{
    walk->history = history;
    walk->runs = malloc((history->count + 1) * sizeof(*walk->runs));
    if (walk->runs == NULL)
        return false;
    for (size_t i = 0; i < history->count; i++)
        walk->runs[i] = &history->runs[i];
    qsort(walk->runs, history->count, sizeof(*walk->runs), compare_run_ids);
    walk_to(walk, 0);
    return true;
}

static bool walk_atom(const struct walk *walk, struct history_atom *atom_out)
{
    if (walk->run >= walk->history->count)
        return false;
    *atom_out = atom_of(walk->runs[walk->run], walk->index, walk->text);
    return true;
}

static void walk_next(struct walk *walk, const struct history_atom *atom)
{
    walk->text += atom->text_size;
    if (++walk->index >= walk->runs[walk->run]->length)
        walk_to(walk, walk->run + 1);
}

/// Past all of an agent.
static void walk_past(struct walk *walk, uint64_t agent)
{
    size_t run = walk->run;
    while (run < walk->history->count && walk->runs[run]->agent <= agent)
        run++;
    if (run != walk->run)
        walk_to(walk, run);
}

static bool same_id(struct weft_id a, struct weft_id b)
{
    return a.agent == b.agent && a.seq == b.seq;
}

static bool same_atom(const struct history_atom *a, const struct history_atom *b)
{
    return a->kind == b->kind && a->left == b->left && a->lamport == b->lamport &&
           same_id(a->target, b->target) && a->text_size == b->text_size &&
           (a->text_size == 0 || memcmp(a->text, b->text, a->text_size) == 0);
}

/// The earlier one, by the time of whoever holds it.
static uint64_t time_of(const struct history_atom *a, const struct history_atom *b)
{
    uint64_t at_a = a->kind == UINT8_MAX ? UINT64_MAX : a->lamport;
    uint64_t at_b = b->kind == UINT8_MAX ? UINT64_MAX : b->lamport;
    return at_a < at_b ? at_a : at_b;
}

bool history_difference(struct history_atom *a_out, struct history_atom *b_out,
                        const struct history *a, const struct history *b)
{
    struct walk walk_a = {0};
    struct walk walk_b = {0};
    bool found = false;
    bool ready = walk_init(&walk_a, a) && walk_init(&walk_b, b);
    for (;;) {
        struct history_atom x = {.kind = UINT8_MAX};
        struct history_atom y = {.kind = UINT8_MAX};
        bool has_x = ready && walk_atom(&walk_a, &x);
        bool has_y = ready && walk_atom(&walk_b, &y);
        if (!has_x && !has_y)
            break;
        if (has_x && has_y && same_id(x.id, y.id) && same_atom(&x, &y)) {
            walk_next(&walk_a, &x);
            walk_next(&walk_b, &y);
            continue;
        }
        bool x_first = has_x && (!has_y || x.id.agent < y.id.agent ||
                                 (x.id.agent == y.id.agent && x.id.seq <= y.id.seq));
        bool y_first = has_y && (!x_first || same_id(x.id, y.id));
        uint64_t agent = x_first ? x.id.agent : y.id.agent;
        x.kind = x_first ? x.kind : UINT8_MAX;
        y.kind = y_first ? y.kind : UINT8_MAX;
        // Times of one agent only grow: its first difference is its earliest.
        if (!found || time_of(&x, &y) < time_of(a_out, b_out)) {
            *a_out = x;
            *b_out = y;
        }
        found = true;
        walk_past(&walk_a, agent);
        walk_past(&walk_b, agent);
    }
    free(walk_a.runs);
    free(walk_b.runs);
    return found;
}

const char *history_kind(uint8_t kind)
{
    static const char *const names[] = {
        "insert", "delete", "undelete", "mark",    "nop",     "label",   "author",  "kind-7",
        "kind-8", "kind-9", "kind-10",  "kind-11", "kind-12", "kind-13", "kind-14", "kind-15"};
    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}
