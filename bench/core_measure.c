// SPDX-License-Identifier: MIT
// What is timed is what stands between start and stop in the functions time_*(); making and freeing
// documents, and comparing texts, is outside.
#include "core_measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <weft/history.h>
#include <zlib.h>

#include "codec/delta.h"
#include "codec/wire.h"
#include "crdt/rga.h"
#include "gap_buffer.h"
#include "instructions.h"
#include "programs/trace/replay.h"

enum { RESTORING_AGENT = 1 << 30 }; // that no trace has

/// Everything that the timings of one trace share.
struct bench {
    const struct trace *trace;
    struct replay replay;       // the reference: documents, messages
    struct weft_buffer text;    // of the reference
    struct weft_buffer history; // the delta with everything
    struct weft_buffer half;    // version after half of the transactions
    struct weft_buffer snapshot[3];
    struct weft_buffer scratch[3]; // reused, so that the steady state is measured
    struct weft_run *runs;         // all messages decoded
    size_t run_count;
    uint64_t memory;      // of the last document that was made by editing or from the delta
    int64_t instructions; // of the last local replay
    bool text_ok;
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

/// Says what failed. @return true when nothing did.
static bool check(enum weft_status status, const char *what)
{
    if (status != WEFT_OK)
        fprintf(stderr, "bench: %s: %s\n", what, weft_status_text(status));
    return status == WEFT_OK;
}

/// Compares a document's text with the reference.
static bool check_text(struct bench *bench, const struct weft_doc *doc)
{
    struct weft_buffer *text = &bench->scratch[0];
    text->size = 0;
    if (!check(weft_doc_text(text, doc), "text"))
        return false;
    if (text->size != bench->text.size || memcmp(text->data, bench->text.data, text->size) != 0)
        bench->text_ok = false;
    return true;
}

/// One run of a timing. @return its milliseconds, negative when a call failed.
typedef double time_function(struct bench *bench);

static double time_local(struct bench *bench)
{
    const struct trace *trace = bench->trace;
    struct weft_doc *doc = NULL;
    if (!check(weft_doc_create(&doc, NULL), "create") ||
        !check(weft_doc_set_agent(doc, replay_agent(0)), "agent"))
        return -1;
    enum weft_status status = WEFT_OK;
    int counter = instructions_start();
    double start = now_ms();
    for (uint32_t i = 0; status == WEFT_OK && i < trace->patch_count; i++) {
        const struct trace_patch *patch = &trace->patches[i];
        if (patch->deleted > 0)
            status = weft_doc_delete(doc, WEFT_SCALARS, patch->index, patch->deleted);
        if (status == WEFT_OK && patch->text_size > 0)
            status = weft_doc_insert(doc, WEFT_SCALARS, patch->index,
                                     trace_patch_text(trace, patch), patch->text_size);
    }
    double elapsed = now_ms() - start;
    bench->instructions = instructions_stop(counter);
    bool ok = check(status, "local edit") && check_text(bench, doc);
    bench->memory = weft_doc_stats(doc).memory;
    weft_doc_destroy(doc);
    return ok ? elapsed : -1;
}

/// The algorithm without the format: each run, decoded before, reserves its memory and is applied.
static double time_remote(struct bench *bench)
{
    struct weft_allocator allocator = weft_allocator_libc();
    struct rga *rga = malloc(sizeof(*rga));
    if (rga == NULL)
        return -1;
    rga_init(rga, NULL, &allocator);
    bool ok = true;
    double start = now_ms();
    for (size_t i = 0; ok && i < bench->run_count; i++) {
        uint32_t atoms;
        struct weft_id missing;
        ok = rga_apply_alone(rga, &bench->runs[i], &atoms, &missing) == RGA_APPLIED;
    }
    double elapsed = now_ms() - start;
    rga_finish(rga);
    free(rga);
    if (!ok)
        fprintf(stderr, "bench: a run was not applied\n");
    return ok ? elapsed : -1;
}

static double time_message(struct bench *bench)
{
    struct weft_doc *doc = NULL;
    struct weft_apply_result result;
    if (!check(weft_doc_create(&doc, NULL), "create"))
        return -1;
    enum weft_status status = WEFT_OK;
    size_t from = 0;
    double start = now_ms();
    for (uint32_t i = 0; status == WEFT_OK && i < bench->trace->txn_count; i++) {
        size_t end = bench->replay.ends[i];
        if (end > from)
            status = weft_doc_apply(&result, doc, WEFT_APPLY_STRICT,
                                    bench->replay.messages.data + from, end - from);
        from = end;
    }
    double elapsed = now_ms() - start;
    bool ok = check(status, "apply message") && check_text(bench, doc);
    weft_doc_destroy(doc);
    return ok ? elapsed : -1;
}

static double time_encode(struct bench *bench)
{
    struct weft_buffer *out = &bench->scratch[0];
    out->size = 0;
    double start = now_ms();
    enum weft_status status = weft_doc_delta_since(out, bench->replay.doc, NULL, 0);
    double elapsed = now_ms() - start;
    return check(status, "encode") ? elapsed : -1;
}

static double time_delta(struct bench *bench)
{
    struct weft_doc *doc = NULL;
    struct weft_apply_result result;
    if (!check(weft_doc_create(&doc, NULL), "create"))
        return -1;
    double start = now_ms();
    enum weft_status status =
        weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, bench->history.data, bench->history.size);
    double elapsed = now_ms() - start;
    bool ok = check(status, "apply delta") && check_text(bench, doc);
    if (bench->trace->concurrent)
        bench->memory = weft_doc_stats(doc).memory;
    weft_doc_destroy(doc);
    return ok ? elapsed : -1;
}

static double time_snapshot(struct bench *bench)
{
    struct weft_buffer *out = bench->scratch;
    for (int i = 0; i < 3; i++)
        out[i].size = 0;
    double start = now_ms();
    enum weft_status status = weft_doc_snapshot(&out[0], &out[1], &out[2], bench->replay.doc);
    double elapsed = now_ms() - start;
    return check(status, "snapshot") ? elapsed : -1;
}

/// The document from its snapshot, or NULL.
static struct weft_doc *load(const struct bench *bench)
{
    const struct weft_buffer *parts = bench->snapshot;
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    struct weft_doc *doc = NULL;
    return check(weft_doc_load(&doc, &snapshot, NULL), "load") ? doc : NULL;
}

static double time_load(struct bench *bench)
{
    double start = now_ms();
    struct weft_doc *doc = load(bench);
    double elapsed = now_ms() - start;
    bool ok = doc != NULL && check_text(bench, doc);
    weft_doc_destroy(doc);
    return ok ? elapsed : -1;
}

static double time_read(struct bench *bench)
{
    struct weft_buffer *out = &bench->scratch[0];
    out->size = 0;
    double start = now_ms();
    enum weft_status status = weft_doc_text(out, bench->replay.doc);
    double elapsed = now_ms() - start;
    return check(status, "read") ? elapsed : -1;
}

static double time_text_at(struct bench *bench)
{
    struct weft_buffer *out = &bench->scratch[0];
    out->size = 0;
    double start = now_ms();
    enum weft_status status =
        weft_doc_text_at(out, bench->replay.doc, bench->half.data, bench->half.size);
    double elapsed = now_ms() - start;
    return check(status, "text at") ? elapsed : -1;
}

static bool count_span(void *context, const struct weft_diff_span *span)
{
    *(uint64_t *)context += span->length;
    return true;
}

static double time_diff(struct bench *bench)
{
    struct weft_buffer *now = &bench->scratch[0];
    uint64_t elements = 0;
    now->size = 0;
    if (!check(weft_doc_version(now, bench->replay.doc), "version"))
        return -1;
    double start = now_ms();
    enum weft_status status =
        weft_doc_visit_diff(bench->replay.doc, WEFT_SCALARS, bench->half.data, bench->half.size,
                            now->data, now->size, count_span, &elements);
    double elapsed = now_ms() - start;
    return check(status, "diff") ? elapsed : -1;
}

static bool count_run(void *context, const struct weft_blame_run *run)
{
    *(uint64_t *)context += run->length;
    return true;
}

static double time_blame(struct bench *bench)
{
    uint64_t elements = 0;
    uint64_t length = weft_doc_length(bench->replay.doc, WEFT_SCALARS);
    double start = now_ms();
    enum weft_status status =
        weft_doc_visit_blame(bench->replay.doc, WEFT_SCALARS, 0, length, count_run, &elements);
    double elapsed = now_ms() - start;
    if (elements != length)
        bench->text_ok = false;
    return check(status, "blame") ? elapsed : -1;
}

static double time_restore(struct bench *bench)
{
    struct weft_doc *doc = load(bench);
    if (doc == NULL || !check(weft_doc_set_agent(doc, RESTORING_AGENT), "agent"))
        return -1;
    double start = now_ms();
    enum weft_status status = weft_doc_restore(doc, bench->half.data, bench->half.size);
    double elapsed = now_ms() - start;
    struct weft_buffer *text = &bench->scratch[0];
    struct weft_buffer *then = &bench->scratch[1];
    text->size = 0;
    then->size = 0;
    bool ok = check(status, "restore") && check(weft_doc_text(text, doc), "text") &&
              check(weft_doc_text_at(then, doc, bench->half.data, bench->half.size), "text at");
    if (ok && (text->size != then->size || memcmp(text->data, then->data, text->size) != 0))
        bench->text_ok = false;
    weft_doc_destroy(doc);
    return ok ? elapsed : -1;
}

static double time_gap(struct bench *bench)
{
    const struct trace *trace = bench->trace;
    struct gap_buffer gap = {.scalars = NULL};
    bool ok = true;
    double start = now_ms();
    for (uint32_t i = 0; ok && i < trace->patch_count; i++) {
        const struct trace_patch *patch = &trace->patches[i];
        ok = gap_buffer_edit(&gap, patch->index, patch->deleted, trace_patch_text(trace, patch),
                             patch->text_size) != 0;
    }
    double elapsed = now_ms() - start;
    free(gap.scalars);
    return ok ? elapsed : -1;
}

static int compare_ns(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/// Repeats a timing for so many seconds, 3 times at least and MEASURE_RUNS_MAX times at most.
static bool repeat(struct timing *timing, unsigned *runs, struct bench *bench, time_function *run,
                   double seconds)
{
    double times[MEASURE_RUNS_MAX];
    unsigned count = 0;
    double deadline = now_ms() + seconds * 1e3;
    while (count < MEASURE_RUNS_MAX && (count < 3 || now_ms() < deadline)) {
        times[count] = run(bench);
        if (times[count++] < 0)
            return false;
    }
    qsort(times, count, sizeof(times[0]), compare_ns);
    *timing = (struct timing){times[0], times[count / 2]};
    if (count < *runs)
        *runs = count;
    return true;
}

/// Decodes all messages into runs, whose text stays borrowed from the messages.
static bool decode_messages(struct bench *bench)
{
    struct weft_allocator allocator = weft_allocator_libc();
    size_t capacity = 0;
    size_t from = 0;
    for (uint32_t i = 0; i < bench->trace->txn_count; i++) {
        struct span bytes = {bench->replay.messages.data + from, bench->replay.ends[i] - from};
        from = bench->replay.ends[i];
        struct delta_reader reader;
        if (bytes.size == 0)
            continue;
        if (!check(delta_reader_init(&reader, &allocator, bytes), "decode"))
            return false;
        for (struct weft_run run; delta_reader_next(&reader, &run) == WEFT_OK;) {
            if (bench->run_count == capacity) {
                capacity = 2 * capacity + 1024;
                void *grown = realloc(bench->runs, capacity * sizeof(*bench->runs));
                if (grown == NULL)
                    return false;
                bench->runs = grown;
            }
            bench->runs[bench->run_count++] = run;
        }
        delta_reader_finish(&reader);
    }
    return true;
}

/// The version after half of the transactions.
static bool find_half(struct bench *bench)
{
    struct weft_doc *doc = NULL;
    struct weft_apply_result result;
    const struct replay *replay = &bench->replay;
    if (!check(weft_doc_create(&doc, NULL), "create"))
        return false;
    enum weft_status status = WEFT_OK;
    size_t from = 0;
    for (uint32_t i = 0; status == WEFT_OK && i < bench->trace->txn_count / 2; i++) {
        if (replay->ends[i] > from)
            status = weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, replay->messages.data + from,
                                    replay->ends[i] - from);
        from = replay->ends[i];
    }
    bool ok =
        check(status, "apply message") && check(weft_doc_version(&bench->half, doc), "version");
    weft_doc_destroy(doc);
    return ok;
}

/// The reference and all that the timings start from.
static bool prepare(struct bench *bench)
{
    struct weft_doc *doc = bench->replay.doc;
    return check(weft_doc_text(&bench->text, doc), "text") &&
           check(weft_doc_delta_since(&bench->history, doc, NULL, 0), "encode") &&
           check(weft_doc_snapshot(&bench->snapshot[0], &bench->snapshot[1], &bench->snapshot[2],
                                   doc),
                 "snapshot") &&
           find_half(bench) && decode_messages(bench);
}

static bool measure_all(struct measurement *out, struct bench *bench, double seconds)
{
    static time_function *const functions[MEASURED_KINDS] = {
        [MEASURED_LOCAL] = time_local,     [MEASURED_REMOTE] = time_remote,
        [MEASURED_MESSAGE] = time_message, [MEASURED_ENCODE] = time_encode,
        [MEASURED_DELTA] = time_delta,     [MEASURED_SNAPSHOT] = time_snapshot,
        [MEASURED_LOAD] = time_load,       [MEASURED_READ] = time_read,
        [MEASURED_GAP] = time_gap,         [MEASURED_TEXT_AT] = time_text_at,
        [MEASURED_DIFF] = time_diff,       [MEASURED_BLAME] = time_blame,
        [MEASURED_RESTORE] = time_restore,
    };
    out->runs = MEASURE_RUNS_MAX;
    for (int kind = 0; kind < MEASURED_KINDS; kind++) {
        out->timings[kind] = (struct timing){-1, -1};
        bool alone = kind == MEASURED_LOCAL || kind == MEASURED_GAP; // needs one author
        if (alone && bench->trace->concurrent)
            continue;
        if (!repeat(&out->timings[kind], &out->runs, bench, functions[kind], seconds))
            return false;
    }
    return true;
}

/// What the whole history is for a program that packs what it keeps or sends.
static bool compress_history(struct measurement *out, struct bench *bench)
{
    struct weft_buffer *packed = &bench->scratch[0];
    uLong bound = compressBound((uLong)bench->history.size);
    packed->size = 0;
    if (!check(weft_buffer_reserve(packed, bound), "compress") ||
        compress2(packed->data, &bound, bench->history.data, (uLong)bench->history.size, 9) != Z_OK)
        return false;
    out->compressed = bound;
    return true;
}

/// Every message as a node sends it to those in the room.
static bool count_frames(struct measurement *out, struct bench *bench)
{
    enum { SHORT_MAX = 125, SHORT_HEADER = 2, HEADER = 4 }; // RFC 6455, 5.2
    struct weft_buffer *frame = &bench->scratch[0];
    size_t from = 0;
    for (uint32_t i = 0; i < bench->trace->txn_count; i++) {
        size_t end = bench->replay.ends[i];
        struct wire_message message = {.type = WIRE_NODE_DELTA, .room = 1, .delta_count = 1};
        message.deltas[0] = (struct span){bench->replay.messages.data + from, end - from};
        from = end;
        if (message.deltas[0].size == 0)
            continue;
        frame->size = 0;
        if (!check(wire_encode(frame, &message), "frame"))
            return false;
        out->frames += frame->size + (frame->size > SHORT_MAX ? HEADER : SHORT_HEADER);
        out->message_count++;
    }
    return true;
}

static bool fill_sizes(struct measurement *out, struct bench *bench)
{
    const struct trace *trace = bench->trace;
    struct weft_doc_stats stats = weft_doc_stats(bench->replay.doc);
    out->memory = bench->memory;
    out->log_runs = stats.runs;
    out->spans = stats.spans;
    out->history = bench->history.size;
    out->messages = bench->replay.messages.size;
    out->text = bench->text.size;
    out->instructions = trace->concurrent ? -1 : bench->instructions;
    out->snapshot = bench->snapshot[0].size + bench->snapshot[1].size + bench->snapshot[2].size;
    struct weft_doc *loaded = load(bench);
    if (loaded == NULL || !compress_history(out, bench) || !count_frames(out, bench)) {
        weft_doc_destroy(loaded);
        return false;
    }
    out->memory_load = weft_doc_stats(loaded).memory;
    weft_doc_destroy(loaded);
    out->text_known = !trace->concurrent || strcmp(trace->name, "git-makefile") != 0;
    if (out->text_known && (bench->text.size != trace->end_size ||
                            memcmp(bench->text.data, trace->end_text, trace->end_size) != 0))
        bench->text_ok = false;
    out->text_ok = bench->text_ok;
    return true;
}

bool measure_trace(struct measurement *measurement_out, const struct trace *trace, double seconds)
{
    struct bench bench = {.trace = trace, .text_ok = true};
    struct measurement measurement = {.runs = 0};
    struct weft_buffer *buffers[] = {&bench.text,        &bench.history,     &bench.half,
                                     &bench.snapshot[0], &bench.snapshot[1], &bench.snapshot[2],
                                     &bench.scratch[0],  &bench.scratch[1],  &bench.scratch[2]};
    for (size_t i = 0; i < sizeof(buffers) / sizeof(*buffers); i++)
        weft_buffer_init(buffers[i], NULL);
    bool ok = check(replay_run(&bench.replay, trace, NULL), "replay");
    if (ok) {
        ok = prepare(&bench) && measure_all(&measurement, &bench, seconds) &&
             fill_sizes(&measurement, &bench);
        replay_finish(&bench.replay);
    }
    for (size_t i = 0; i < sizeof(buffers) / sizeof(*buffers); i++)
        weft_buffer_finish(buffers[i]);
    free(bench.runs);
    if (ok)
        *measurement_out = measurement;
    return ok;
}
