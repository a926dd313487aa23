// SPDX-License-Identifier: MIT
// A document: telling others, and hearing from them.
#include <string.h>

#include "codec/version.h"
#include "doc/doc_impl.h"

// -------------------------------------------------------------------------------------- applying

enum {
    // Deltas of more runs reserve enough for it to be worth giving back what is left.
    TRIM_RUNS = 64,
};

static void note(struct weft_apply_result *result, enum weft_status reason)
{
    if (result->reason == WEFT_OK)
        result->reason = reason;
}

static void note_invalid(struct weft_apply_result *result, const struct weft_run *run,
                         enum weft_status reason)
{
    if (result->runs_invalid++ == 0)
        result->invalid = (struct weft_id){run->agent, run->seq};
    note(result, reason);
}

static void note_applied(struct weft_doc *doc, struct weft_apply_result *result,
                         const struct weft_run *run, uint32_t atoms)
{
    result->atoms_applied += atoms;
    parking_wake(&doc->unsettled->parking, run->agent, run->seq + run->length);
}

void doc_unpark_ready(struct weft_doc *doc, struct weft_apply_result *result)
{
    struct rga *rga = doc_rga(doc);
    for (;;) {
        uint32_t index = parking_take(&rga->parking);
        if (index == PARKED_NONE)
            return;
        struct weft_run run = parking_run(&rga->parking, index);
        uint32_t atoms;
        struct weft_id missing;
        switch (rga_apply_alone(rga, &run, &atoms, &missing)) {
        case RGA_NO_MEMORY:
            parking_retry(&rga->parking, index); // with the next delta
            note(result, WEFT_NO_MEMORY);
            return;
        case RGA_MISSING:
            parking_wait(&rga->parking, index, missing);
            continue;
        case RGA_APPLIED:
            note_applied(doc, result, &run, atoms);
            break;
        case RGA_DUPLICATE:
            break;
        case RGA_INVALID:
            note_invalid(result, &run, WEFT_INVALID);
            break;
        case RGA_CONFLICT:
            note_invalid(result, &run, WEFT_CONFLICT);
            break;
        case RGA_COLLECTED:
            note_invalid(result, &run, WEFT_COLLECTED);
            break;
        case RGA_LIMIT:
            note(result, WEFT_LIMIT);
            break;
        }
        parking_free(&rga->parking, index);
    }
}

static void park(struct weft_doc *doc, struct weft_apply_result *result, enum weft_apply_mode mode,
                 const struct weft_run *run, struct weft_id missing)
{
    enum weft_status status = WEFT_NOT_FOUND;
    if (mode == WEFT_APPLY_PARK)
        status = parking_add(&doc_rga(doc)->parking, run, missing);
    if (status == WEFT_OK) {
        result->runs_parked++;
    } else {
        result->runs_missing++;
        note(result, status);
    }
}

// What became of one run of a delta.
struct fate {
    enum rga_outcome outcome;
    uint32_t atoms;
    struct weft_id missing;
};

// Notes it. Returns what ends the delta, or WEFT_OK.
static enum weft_status note_fate(struct weft_doc *doc, struct weft_apply_result *result,
                                  enum weft_apply_mode mode, const struct weft_run *run,
                                  const struct fate *fate)
{
    switch (fate->outcome) {
    case RGA_APPLIED:
        note_applied(doc, result, run, fate->atoms);
        break;
    case RGA_DUPLICATE:
        result->runs_duplicate++;
        break;
    case RGA_MISSING:
        park(doc, result, mode, run, fate->missing);
        break;
    case RGA_INVALID:
        note_invalid(result, run, WEFT_INVALID);
        break;
    case RGA_CONFLICT:
        note_invalid(result, run, WEFT_CONFLICT);
        break;
    case RGA_COLLECTED:
        note_invalid(result, run, WEFT_COLLECTED);
        break;
    case RGA_LIMIT:
        note(result, WEFT_LIMIT);
        return WEFT_LIMIT;
    case RGA_NO_MEMORY: // seen before: nothing changed
        return WEFT_NO_MEMORY;
    }
    return WEFT_OK;
}

// The same of a run that waits without those of its delta, on which its text relies.
static enum weft_status note_waiting(struct weft_doc *doc, struct weft_apply_result *result,
                                     enum weft_apply_mode mode, const struct delta_reader *reader,
                                     struct weft_run *run, const struct fate *fate)
{
    struct weft_buffer text;
    weft_buffer_init(&text, &doc_rga(doc)->allocator);
    enum weft_status status = delta_reader_detach(reader, run, &text);
    if (status == WEFT_OK) {
        status = note_fate(doc, result, mode, run, fate);
    } else {
        result->runs_missing++;
        note(result, status);
        status = WEFT_OK;
    }
    weft_buffer_finish(&text);
    return status;
}

// Applies the runs of a delta that was checked.
static enum weft_status apply_runs(struct weft_doc *doc, struct weft_apply_result *result,
                                   enum weft_apply_mode mode, struct span bytes)
{
    struct delta_reader reader;
    struct weft_run run;
    struct fate fate;
    enum weft_status status = delta_reader_init(&reader, &doc_rga(doc)->allocator, bytes);
    if (status != WEFT_OK)
        return status;
    while (status == WEFT_OK && delta_reader_next(&reader, &run) == WEFT_OK) {
        fate.outcome = rga_apply(doc_rga(doc), &run, &fate.atoms, &fate.missing);
        if (gaps_are_read && fate.outcome == RGA_MISSING && run.kind == WEFT_RUN_COLLECTED)
            status = note_waiting(doc, result, mode, &reader, &run, &fate);
        else
            status = note_fate(doc, result, mode, &run, &fate);
    }
    delta_reader_finish(&reader);
    return status;
}

// A keystroke is decoded once, and reserves only what it needs.
static enum weft_status apply_single(struct weft_apply_result *result_out, struct weft_doc *doc,
                                     enum weft_apply_mode mode, const struct weft_run *run)
{
    struct fate fate;
    fate.outcome = rga_apply_alone(doc->unsettled, run, &fate.atoms, &fate.missing);
    if (fate.outcome == RGA_NO_MEMORY)
        return WEFT_NO_MEMORY;
    struct weft_apply_result result = {0};
    enum weft_status status = note_fate(doc, &result, mode, run, &fate);
    doc_unpark(doc, &result);
    *result_out = result;
    return status;
}

enum weft_status weft_doc_apply(struct weft_apply_result *result_out, struct weft_doc *doc,
                                enum weft_apply_mode mode, const uint8_t *delta, size_t delta_size)
{
    struct span bytes = {delta, delta_size};
    struct weft_run run;
    doc->unsettled->doubting = mode == WEFT_APPLY_DOUBT;
    if (delta_read_single(&run, bytes))
        return apply_single(result_out, doc, mode, &run);
    struct rga *rga = doc_rga(doc);
    struct delta_totals totals;
    enum weft_status status = delta_check(&totals, &rga->allocator, bytes, false);
    if (status != WEFT_OK)
        return status;
    struct rga_need need = {
        totals.runs,     totals.elements,      totals.bytes,     totals.agents,    totals.stretches,
        totals.payloads, totals.payload_bytes, totals.undeletes, totals.undeleted, totals.revived,
        totals.gaps,     totals.gone,          totals.sums,
    };
    if (!rga_reserve(rga, &need))
        return WEFT_NO_MEMORY;
    struct weft_apply_result result = {0};
    status = apply_runs(doc, &result, mode, bytes);
    if (status == WEFT_NO_MEMORY)
        return status;
    doc_unpark(doc, &result);
    if (totals.runs > TRIM_RUNS)
        rga_trim(rga);
    *result_out = result;
    return status;
}

enum weft_status weft_delta_measure(struct weft_delta_extent *extent_out, const uint8_t *delta,
                                    size_t delta_size)
{
    struct weft_allocator allocator = weft_allocator_libc();
    struct span bytes = {delta, delta_size};
    struct delta_totals totals;
    struct weft_run run;
    if (delta_read_single(&run, bytes)) {
        *extent_out = (struct weft_delta_extent){run.length, run.lamport + run.length - 1};
        return WEFT_OK;
    }
    enum weft_status status = delta_check(&totals, &allocator, bytes, false);
    if (status == WEFT_OK)
        *extent_out = (struct weft_delta_extent){totals.atoms, totals.lamport};
    return status;
}

// --------------------------------------------------------------------------------------- telling

enum weft_status weft_doc_version(struct weft_buffer *out, const struct weft_doc *doc)
{
    const struct agents *agents = &doc_rga(doc)->agents;
    size_t size = out->size;
    enum weft_status status = version_put_count(out, doc_rga(doc)->authors);
    for (struct ordmap_at at = ordmap_first(&agents->by_id);
         at.node != ORDMAP_NONE && status == WEFT_OK; at = ordmap_next(&agents->by_id, at)) {
        const struct agent *agent = agents_at(agents, ordmap_value(&agents->by_id, at));
        if (agent->next > 0)
            status = version_put(out, (struct version_entry){agent->id, agent->next});
    }
    if (status != WEFT_OK)
        out->size = size;
    return status;
}

struct weft_delta_reader {
    const struct weft_doc *doc;
    uint32_t *from;      // per local agent: the first seq to send
    uint32_t from_count; // agents that came later are sent whole
    uint32_t row;        // where reading goes on
    uint32_t offset;     // in that row, first atom that was not sent
};

// Marks what `version` has as sent.
static enum weft_status take_version(struct weft_delta_reader *reader, struct span version)
{
    struct rga *rga = doc_rga(reader->doc);
    struct version_reader entries;
    struct version_entry entry;
    enum weft_status status = version_reader_init(&entries, version);
    while (status == WEFT_OK && (status = version_reader_next(&entries, &entry)) == WEFT_OK) {
        uint32_t index = agents_find(&rga->agents, entry.agent);
        if (index == AGENT_NONE)
            continue;
        uint32_t next = agents_at(&rga->agents, index)->next;
        reader->from[index] = entry.next < next ? (uint32_t)entry.next : next;
        // A run of the reserved class is valid only whole.
        if (rga_is_reserved(entry.agent) && entry.next < next)
            reader->from[index] = 0;
    }
    return status == WEFT_NOT_FOUND ? WEFT_OK : status;
}

// Where the first row is that has something to send.
static void find_start(struct weft_delta_reader *reader)
{
    struct rga *rga = doc_rga(reader->doc);
    // The last row may still grow, even when nothing of it is lacking now.
    reader->row = rga->log.ops.count > 0 ? rga->log.ops.count - 1 : 0;
    for (uint32_t i = 0; i < reader->from_count; i++) {
        if (reader->from[i] >= agents_at(&rga->agents, i)->next)
            continue;
        uint32_t row = oplog_find(&rga->log, i, reader->from[i]);
        if (row < reader->row)
            reader->row = row;
    }
}

static enum weft_status reader_init(struct weft_delta_reader *reader, const struct weft_doc *doc,
                                    struct span version)
{
    const struct rga *rga = doc_rga(doc);
    *reader = (struct weft_delta_reader){.doc = doc, .from_count = rga->agents.pool.count};
    if (reader->from_count == 0)
        return version_check(version);
    size_t size = reader->from_count * sizeof reader->from[0];
    reader->from = memory_alloc(&rga->allocator, size);
    if (reader->from == NULL)
        return WEFT_NO_MEMORY;
    memset(reader->from, 0, size);
    enum weft_status status = take_version(reader, version);
    if (status == WEFT_OK)
        find_start(reader);
    return status;
}

static void reader_finish(struct weft_delta_reader *reader)
{
    memory_free(&doc_rga(reader->doc)->allocator, reader->from,
                reader->from != NULL ? reader->from_count * sizeof reader->from[0] : 0);
}

// How many atoms of a row from `first` on have at most `size` bytes of text; rows that cannot be
// cut have all or none.
static uint32_t fitting(const struct rga *rga, const struct op *op, uint32_t first, size_t size)
{
    uint32_t length = op_length(op) - first;
    if (op_kind(op) == WEFT_RUN_DELETE)
        return length;
    if (op_kind(op) == WEFT_RUN_UNDELETE) // each has a character of 4 bytes at most
        return length <= size / 4 ? length : (uint32_t)(size / 4);
    if (op_kind(op) != WEFT_RUN_INSERT)
        return oplog_payload(&rga->log, op).size <= size ? length : 0;
    if (gaps_are_read && text_lacks(&rga->text, op->iv + first, length))
        return delta_writer_fitting(rga, op, first, size);
    struct weight weight = text_weigh(&rga->text, op->iv + first, length);
    if (weight.units[WEFT_UTF8] <= size)
        return length;
    if (rga_is_reserved(agents_id(&rga->agents, op->agent)))
        return 0;
    if (text_unit(&rga->text, WEFT_UTF8) == WEFT_SCALARS)
        return (uint32_t)size;
    bool exact;
    return text_elements(&rga->text, WEFT_UTF8, op->iv + first, length, (uint32_t)size, &exact);
}

enum { ROW_SIZE_MAX = 160 }; // what a row adds to a delta but for its text, at most

static bool is_rest_of_reserved(const struct rga *rga, const struct op *op)
{
    return op->seq > 0 && rga_is_reserved(agents_id(&rga->agents, op->agent));
}

// A reserved run may be two rows, where a page of text ends: bytes of the rest of it.
static size_t rest_of_reserved(const struct rga *rga, uint32_t row)
{
    const struct op *op = oplog_at(&rga->log, row);
    if (!rga_is_reserved(agents_id(&rga->agents, op->agent)) || op->seq > 0)
        return 0;
    size_t size = 0;
    while (++row < rga->log.ops.count && oplog_at(&rga->log, row)->agent == op->agent) {
        const struct op *next = oplog_at(&rga->log, row);
        size += text_view(&rga->text, next->iv, op_length(next)).size;
    }
    return size;
}

// Adds atoms [first, end) of a row; with an undelete goes the text that it brings back, for those
// who have collected it.
static enum weft_status add_atoms(struct delta_writer *writer, struct rga *rga, const struct op *op,
                                  uint32_t first, uint32_t end)
{
    enum weft_status status = delta_writer_add(writer, rga, op, first, end);
    if (op_kind(op) != WEFT_RUN_UNDELETE)
        return status;
    struct rga_named named = rga_named_make(op, first, end);
    for (uint32_t iv, length; status == WEFT_OK && rga_named_next(rga, &named, &iv, &length);)
        status = delta_writer_add_text(writer, text_view(&rga->text, iv, length));
    return status;
}

// Adds the atoms of the reader's row that are to be sent. Sets *full_out when some did not fit.
static enum weft_status add_row(struct weft_delta_reader *reader, size_t size_max, bool *full_out)
{
    struct rga *rga = doc_rga(reader->doc);
    struct delta_writer *writer = reader->doc->writer;
    const struct op *op = oplog_at(&rga->log, reader->row);
    uint32_t first = reader->offset;
    uint32_t from = op->agent < reader->from_count ? reader->from[op->agent] : 0;
    uint32_t end = op_length(op);
    if (from > op->seq && from - op->seq > first)
        first = from - op->seq < end ? from - op->seq : end;
    if (first == end)
        return WEFT_OK;
    if (!op_kind_names(op_kind(op)))
        first = 0;
    size_t used = delta_writer_size(writer) + ROW_SIZE_MAX + rest_of_reserved(rga, reader->row);
    uint32_t count = used < size_max ? fitting(rga, op, first, size_max - used) : 0;
    // An unknown run of any size must get through: alone. The rest of a reserved run goes with its
    // start, which left room for it.
    bool alone = count == 0 && writer->rows == 0 && writer->pending.length == 0;
    if (alone || is_rest_of_reserved(rga, op))
        count = end - first;
    *full_out = count < end - first;
    if (count == 0)
        return WEFT_OK;
    enum weft_status status = add_atoms(writer, rga, op, first, first + count);
    if (status == WEFT_OK)
        reader->offset = first + count;
    return status;
}

static enum weft_status reader_next(struct weft_buffer *out, struct weft_delta_reader *reader,
                                    size_t size_max)
{
    const struct rga *rga = doc_rga(reader->doc);
    struct weft_delta_reader before = *reader;
    enum weft_status status = WEFT_OK;
    bool full = false;
    delta_writer_begin(reader->doc->writer, false);
    while (status == WEFT_OK && !full && reader->row < rga->log.ops.count) {
        status = add_row(reader, size_max, &full);
        if (status != WEFT_OK || full)
            break;
        // The last row may still grow.
        if (reader->row + 1 == rga->log.ops.count) {
            reader->offset = op_length(oplog_at(&rga->log, reader->row));
            break;
        }
        reader->row++;
        reader->offset = 0;
    }
    if (status == WEFT_OK)
        status = delta_writer_end(reader->doc->writer, rga, out);
    if (status != WEFT_OK)
        *reader = before;
    return status;
}

enum weft_status weft_delta_reader_create(struct weft_delta_reader **reader_out,
                                          const struct weft_doc *doc, const uint8_t *version,
                                          size_t size)
{
    struct weft_delta_reader *reader = memory_alloc(&doc_rga(doc)->allocator, sizeof *reader);
    if (reader == NULL)
        return WEFT_NO_MEMORY;
    enum weft_status status = reader_init(reader, doc, (struct span){version, size});
    if (status != WEFT_OK) {
        weft_delta_reader_destroy(reader);
        return status;
    }
    *reader_out = reader;
    return WEFT_OK;
}

enum weft_status weft_delta_reader_next(struct weft_buffer *out, struct weft_delta_reader *reader,
                                        size_t size_max)
{
    return reader_next(out, reader, size_max);
}

void weft_delta_reader_destroy(struct weft_delta_reader *reader)
{
    if (reader == NULL)
        return;
    reader_finish(reader);
    memory_free(&doc_rga(reader->doc)->allocator, reader, sizeof *reader);
}

enum weft_status weft_doc_delta_since(struct weft_buffer *out, const struct weft_doc *doc,
                                      const uint8_t *version, size_t size)
{
    struct weft_delta_reader reader;
    enum weft_status status = reader_init(&reader, doc, (struct span){version, size});
    if (status == WEFT_OK)
        status = reader_next(out, &reader, SIZE_MAX);
    reader_finish(&reader);
    return status;
}

enum weft_status weft_doc_delta_own(struct weft_buffer *out, const struct weft_doc *doc,
                                    uint64_t agent, uint64_t seq_from)
{
    struct rga *rga = doc_rga(doc);
    uint32_t index = agents_find(&rga->agents, agent);
    if (index == AGENT_NONE || seq_from >= agents_at(&rga->agents, index)->next)
        return WEFT_OK;
    uint32_t next = agents_at(&rga->agents, index)->next;
    uint32_t seq = rga_is_reserved(agent) ? 0 : (uint32_t)seq_from;
    enum weft_status status = WEFT_OK;
    delta_writer_begin(doc->writer, false);
    while (seq < next && status == WEFT_OK) {
        const struct op *op = oplog_at(&rga->log, oplog_find(&rga->log, index, seq));
        uint32_t first = op_kind_names(op_kind(op)) ? seq - op->seq : 0;
        status = add_atoms(doc->writer, rga, op, first, op_length(op));
        seq = op_seq_end(op);
    }
    return status == WEFT_OK ? delta_writer_end(doc->writer, rga, out) : status;
}
