// SPDX-License-Identifier: MIT
// Real editing histories, and made-up ones: replayed as local edits, then from messages in several
// orders, from one whole delta and from a snapshot; with either policy.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/undo.h>

#include "programs/trace/replay.h"
#include "tests/support/documents.h"
#include "tests/support/past.h"

enum { WINDOW_MAX = 2000, SANITIZED_EDITS_MAX = 30000, MOMENTS_MAX = 4 };

/// Whether the end text is known under a policy: git-makefile's positions take another CRDT's order
/// for granted, a made-up history is of the sided policy.
static bool end_text_is_known(const struct trace *trace, enum weft_policy policy)
{
    if (!trace->concurrent)
        return true;
    if (strcmp(trace->name, "git-makefile") == 0)
        return false;
    return policy == WEFT_POLICY_SIDED || strncmp(trace->name, "generated", 9) != 0;
}

static void check_text(const struct property *property, const struct weft_doc *doc,
                       const struct trace *trace)
{
    struct weft_buffer text = document_text(property, doc);
    CHECK(property,
          text.size == trace->end_size && memcmp(text.data, trace->end_text, text.size) == 0,
          "%s: %zu bytes, not the %zu of the end text", trace->name, text.size, trace->end_size);
    weft_buffer_finish(&text);
}

/// Applies the message of one transaction.
static void apply_message(const struct property *property, struct weft_doc *doc,
                          const struct replay *replay, uint32_t txn)
{
    size_t from = txn == 0 ? 0 : replay->ends[txn - 1];
    if (replay->ends[txn] > from)
        replica_apply(property, doc, WEFT_APPLY_PARK, replay->messages.data + from,
                      replay->ends[txn] - from);
}

/// An order of delivery: windows of so many messages, each backwards or shuffled.
static struct weft_doc *deliver(struct property *property, const struct trace *trace,
                                const struct replay *replay, uint32_t window, bool shuffled)
{
    struct weft_doc_options options = {
        .limits = {.parked_runs_max = 1 << 22, .parked_bytes_max = (size_t)1 << 30}};
    struct weft_doc *doc = NULL;
    CHECK_OK(property, weft_doc_create(&doc, &options));
    uint32_t order[WINDOW_MAX];
    for (uint32_t start = 0; start < trace->txn_count; start += window) {
        uint32_t count = trace->txn_count - start < window ? trace->txn_count - start : window;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = shuffled ? (uint32_t)random_below(&property->random, i + 1) : i;
            order[i] = order[at];
            order[at] = start + count - 1 - i;
        }
        for (uint32_t i = 0; i < count; i++)
            apply_message(property, doc, replay, order[i]);
    }
    CHECK(property, weft_doc_parked(doc) == 0, "%s: all is here and something waits", trace->name);
    return doc;
}

/// A document of one delta with everything.
static struct weft_doc *from_whole_delta(const struct property *property,
                                         const struct weft_doc *doc)
{
    struct weft_doc *whole = NULL;
    CHECK_OK(property, weft_doc_create(&whole, NULL));
    replica_pull(property, whole, doc);
    return whole;
}

static void check_same(const struct property *property, const struct trace *trace,
                       const struct replay *replay, struct weft_doc *doc, const char *how)
{
    struct weft_digest expected = document_digest(property, replay->doc);
    struct weft_digest got = document_digest(property, doc);
    CHECK(property, memcmp(&expected, &got, sizeof(got)) == 0, "%s, %s: another digest",
          trace->name, how);
    document_check_equal(property, replay->doc, doc);
    const char *broken = weft_doc_check(doc);
    CHECK(property, broken == NULL, "%s, %s: %s", trace->name, how, broken);
    weft_doc_destroy(doc);
}

/// Back to a moment, and forth again; a replica that hears of it has the same text.
static void check_restore(const struct property *property, struct weft_doc *doc,
                          const struct moment *moment)
{
    struct weft_undo *undo = NULL;
    struct weft_doc *other = from_whole_delta(property, doc);
    struct weft_buffer delta;
    struct weft_buffer former = document_text(property, doc);
    weft_buffer_init(&delta, NULL);
    CHECK_OK(property, weft_doc_set_agent(doc, 1000000));
    CHECK_OK(property, weft_undo_create(&undo, doc, 1000000, NULL));
    CHECK_OK(property, weft_doc_restore(doc, moment->version.data, moment->version.size));
    struct weft_buffer text = document_text(property, doc);
    past_check_same(property, &text, &moment->text, "restored");
    replica_pull(property, other, doc);
    document_check_equal(property, doc, other);
    CHECK_OK(property, weft_undo_undo(&delta, undo, doc));
    text = document_text(property, doc);
    past_check_same(property, &text, &former, "restored, and undone");
    replica_apply(property, other, WEFT_APPLY_STRICT, delta.data, delta.size);
    document_check_equal(property, doc, other);
    const char *broken = weft_doc_check(doc);
    CHECK(property, broken == NULL, "%s", broken);
    weft_undo_destroy(undo);
    weft_doc_destroy(other);
    weft_buffer_finish(&delta);
    weft_buffer_finish(&former);
}

/// What a replica saw while the messages came is what was there, said later; one moment in full
/// against the oracle.
static void check_past(struct property *property, const struct trace *trace,
                       const struct replay *replay)
{
    struct moment moments[MOMENTS_MAX];
    struct weft_doc *doc = NULL;
    uint32_t count = 0;
    CHECK_OK(property, weft_doc_create(&doc, NULL));
    for (uint32_t txn = 0; txn < trace->txn_count; txn++) {
        apply_message(property, doc, replay, txn);
        if (txn % (trace->txn_count / MOMENTS_MAX + 1) == trace->txn_count / MOMENTS_MAX / 2)
            moments[count++] = moment_make(property, doc);
    }
    struct weft_doc *loaded = replica_reload(property, doc, NULL);
    for (uint32_t i = 0; i < count; i++) {
        const struct moment *other = &moments[random_below(&property->random, count)];
        past_check_text(property, doc, &moments[i]);
        past_check_text(property, loaded, &moments[i]);
        past_check_diff(property, loaded, NULL, &moments[i], other);
    }
    const struct moment *one = &moments[random_below(&property->random, count)];
    past_check_oracle(property, loaded, &one->version);
    check_restore(property, loaded, one);
    for (uint32_t i = 0; i < count; i++)
        moment_finish(&moments[i]);
    weft_doc_destroy(loaded);
    weft_doc_destroy(doc);
}

static void check_trace(struct property *property, const struct trace *trace,
                        enum weft_policy policy)
{
    struct weft_doc_options options = {.policy = policy};
    struct replay replay;
    CHECK_OK(property, replay_run(&replay, trace, &options));
    bool known = end_text_is_known(trace, policy);
    if (known) {
        check_text(property, replay.doc, trace);
        CHECK(property, replay.clamped == 0, "%s: %llu patches lay outside of the text",
              trace->name, (unsigned long long)replay.clamped);
    }
    const char *broken = weft_doc_check(replay.doc);
    CHECK(property, broken == NULL, "%s: %s", trace->name, broken);
    check_same(property, trace, &replay, deliver(property, trace, &replay, 1, false),
               "messages in order");
    check_same(property, trace, &replay, deliver(property, trace, &replay, 20, false),
               "windows of 20 backwards");
    check_same(property, trace, &replay, deliver(property, trace, &replay, WINDOW_MAX, true),
               "windows of 2000 shuffled");
    check_same(property, trace, &replay, from_whole_delta(property, replay.doc), "one delta");
    check_same(property, trace, &replay, replica_reload(property, replay.doc, NULL), "snapshot");
    if (policy == WEFT_POLICY_SIDED) // the past does not ask for the order of siblings
        check_past(property, trace, &replay);
    printf("# %s, %s: %u edits%s\n", trace->name, policy == WEFT_POLICY_SIDED ? "sided" : "classic",
           trace->patch_count, known ? ", end text byte for byte" : ", replicas among themselves");
    fflush(stdout);
    replay_finish(&replay);
}

static void check_policies(struct property *property, const struct trace *trace)
{
    check_trace(property, trace, WEFT_POLICY_SIDED);
    check_trace(property, trace, WEFT_POLICY_CLASSIC);
}

/// A sanitizer makes the greater ones and those of many authors take minutes. The optimised run has
/// them all.
static bool is_too_long(const struct trace *trace)
{
    if (!property_is_sanitized() ||
        (trace->patch_count <= SANITIZED_EDITS_MAX && !trace->concurrent))
        return false;
    printf("# skipped under a sanitizer: %s, %u edits\n", trace->name, trace->patch_count);
    return true;
}

Test(traces, recorded_histories_give_their_text_in_every_way_and_order, .timeout = 600)
{
    struct property p = property_start("recorded traces", 1);
    property_next(&p);
    char dir[TRACE_PATH_SIZE];
    struct trace_files files = {.count = 0};
    if (trace_find_dir(dir))
        cr_assert_eq(trace_files_find(&files, dir), WEFT_OK);
    if (files.count == 0)
        printf("# skipped: no recorded traces in %s; WEFT_TRACES names a folder\n", dir);
    for (size_t i = 0; i < files.count; i++) {
        struct trace trace;
        char error[TRACE_ERROR_SIZE] = "";
        cr_assert_eq(trace_load(&trace, files.paths[i], error), WEFT_OK, "%s", error);
        if (!is_too_long(&trace))
            check_policies(&p, &trace);
        trace_finish(&trace);
    }
    trace_files_finish(&files);
}

Test(traces, made_up_histories_give_their_text_in_every_way_and_order, .timeout = 600)
{
    static const struct {
        uint64_t edits, authors;
    } cases[] = {{20000, 1}, {10000, 2}, {5000, 7}, {3000, 40}};
    struct property p = property_start("made-up traces", 1);
    property_next(&p);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct trace trace;
        char error[TRACE_ERROR_SIZE] = "";
        cr_assert_eq(trace_generate(&trace, cases[i].edits, cases[i].authors, p.seed, error),
                     WEFT_OK, "%s", error);
        check_policies(&p, &trace);
        trace_finish(&trace);
    }
}

static bool same_traces(const struct trace *a, const struct trace *b)
{
    bool same = a->concurrent == b->concurrent && a->agents == b->agents &&
                a->txn_count == b->txn_count && a->patch_count == b->patch_count &&
                a->parent_count == b->parent_count && a->text_size == b->text_size &&
                a->end_size == b->end_size && memcmp(a->end_text, b->end_text, a->end_size) == 0 &&
                memcmp(a->text, b->text, a->text_size) == 0;
    for (uint32_t i = 0; same && i < a->txn_count; i++)
        same = memcmp(&a->txns[i], &b->txns[i], sizeof(a->txns[i])) == 0;
    for (uint32_t i = 0; same && i < a->patch_count; i++)
        same = memcmp(&a->patches[i], &b->patches[i], sizeof(a->patches[i])) == 0;
    for (uint32_t i = 0; same && i < a->parent_count; i++)
        same = a->parents[i] == b->parents[i];
    return same;
}

Test(traces, a_seed_makes_one_history_which_reads_as_it_was_written)
{
    for (uint64_t authors = 1; authors <= 3; authors++) {
        struct trace first;
        struct trace second;
        struct trace other;
        struct trace read;
        char error[TRACE_ERROR_SIZE] = "";
        char path[] = "/tmp/weft-trace-XXXXXX";
        int file = mkstemp(path);
        cr_assert_geq(file, 0);
        close(file);
        cr_assert_eq(trace_generate(&first, 2000, authors, 5, error), WEFT_OK, "%s", error);
        cr_assert_eq(trace_generate(&second, 2000, authors, 5, error), WEFT_OK, "%s", error);
        cr_assert_eq(trace_generate(&other, 2000, authors, 6, error), WEFT_OK, "%s", error);
        cr_assert(same_traces(&first, &second));
        cr_assert_not(same_traces(&first, &other));
        cr_assert_eq(trace_write(&first, path, error), WEFT_OK, "%s", error);
        cr_assert_eq(trace_load(&read, path, error), WEFT_OK, "%s", error);
        cr_assert(same_traces(&first, &read));
        if (authors > 1) {
            uint32_t merges = 0;
            for (uint32_t i = 0; i < first.txn_count; i++)
                merges += first.txns[i].parent_count > 1;
            cr_assert_gt(merges, 20, "authors work concurrently: %u merges", merges);
        }
        unlink(path);
        struct trace *all[] = {&first, &second, &other, &read};
        for (size_t i = 0; i < 4; i++)
            trace_finish(all[i]);
    }
}

/// Writes `text` to a file and reads it as a trace.
static enum weft_status read_text(const char *text, char error[TRACE_ERROR_SIZE])
{
    char path[] = "/tmp/weft-trace-XXXXXX";
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    struct trace trace;
    enum weft_status status = trace_load(&trace, path, error);
    if (status == WEFT_OK)
        trace_finish(&trace);
    unlink(path);
    return status;
}

Test(traces, what_is_no_trace_is_refused_in_one_line)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{}",
        "null",
        "{\"txns\":[]}",
        "{\"endContent\":\"\"}",
        "{\"endContent\":\"\",\"txns\":[]}",
        "{\"endContent\":1,\"txns\":[{\"patches\":[]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"patches\":[[0,0]]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"patches\":[[-1,0,\"\"]]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"patches\":[[0,1.5,\"\"]]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"patches\":[[0,0,7]]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"patches\":[[0,0,\"a\"]]}",
        "{\"endContent\":\"\",\"txns\":[{\"patches\":[[0,0,\"a\"]]}]} x",
        "{\"endContent\":\"\",\"txns\":[{\"patches\":[[0,0,\"\\ud800\"]]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"agent\":0,\"parents\":[0],\"patches\":[]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"agent\":0,\"patches\":[]}]}",
        "{\"endContent\":\"\",\"txns\":[{\"agent\":-1,\"parents\":[],\"patches\":[]}]}",
        "{\"startContent\":\"x\",\"endContent\":\"\",\"txns\":[{\"patches\":[]}]}",
    };
    char error[TRACE_ERROR_SIZE] = "";
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        error[0] = '\0';
        cr_expect_eq(read_text(bad[i], error), WEFT_MALFORMED, "case %zu", i);
        cr_expect(error[0] != '\0' && strchr(error, '\n') == NULL, "case %zu: %s", i, error);
    }
    cr_expect_eq(read_text("{\"endContent\":\"a\",\"txns\":[{\"patches\":[[0,0,\"a\"]]}]}", error),
                 WEFT_OK, "%s", error);
    struct trace trace;
    cr_expect_eq(trace_load(&trace, "/nonexistent/trace.json.gz", error), WEFT_NOT_FOUND);
    cr_expect_eq(trace_generate(&trace, 0, 1, 1, error), WEFT_LIMIT);
    cr_expect_eq(trace_generate(&trace, 10, TRACE_AUTHORS_MAX + 1, 1, error), WEFT_LIMIT);
}
