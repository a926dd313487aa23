// SPDX-License-Identifier: MIT
// Version vectors, deltas, snapshots, texts that documents are created with:
// tests/golden/version.txt, delta.txt, snapshot.txt, initial.txt.
#include <string.h>

#include <criterion/criterion.h>

#include "codec/version.h"
#include "tests/golden/golden.h"

typedef unsigned long long number;

Test(golden, version_vectors)
{
    struct golden golden;
    struct weft_buffer encoded;
    weft_buffer_init(&encoded, NULL);
    golden_open(&golden, "version.txt");
    while (golden_next(&golden)) {
        struct version_reader reader;
        struct version_entry entry;
        enum weft_status status;
        encoded.size = 0;
        cr_assert_eq(version_reader_init(&reader, golden_bytes(&golden, "bytes")), WEFT_OK);
        cr_assert_eq(version_put_count(&encoded, reader.left), WEFT_OK);
        while ((status = version_reader_next(&reader, &entry)) == WEFT_OK) {
            golden_say(&golden, "agent %016llx next %llu", (number)entry.agent, (number)entry.next);
            cr_assert_eq(version_put(&encoded, entry), WEFT_OK);
        }
        cr_assert_eq(status, WEFT_NOT_FOUND, "%s", golden.name);
        golden_check_said(&golden);
        golden_check_bytes(&golden, "bytes", span_of_buffer(&encoded));
    }
    golden_close(&golden, 3);
    weft_buffer_finish(&encoded);
}

// -------------------------------------------------------------------------------------- documents

static bool say_run(void *context, const struct weft_run *run)
{
    static const char *const kinds[] = {"insert", "delete", "undelete"};
    struct golden *golden = context;
    char target[64] = "";
    char line[256];
    char kind[16];
    snprintf(kind, sizeof kind, "kind-%u", run->kind);
    if (run->kind <= WEFT_RUN_UNDELETE && run->target.agent == 0)
        snprintf(target, sizeof target, " right of the root");
    else if (run->kind <= WEFT_RUN_UNDELETE)
        snprintf(target, sizeof target, " %s %llx:%llu",
                 run->kind == WEFT_RUN_INSERT ? run->left ? "left of" : "right of"
                 : run->backward              ? "down from"
                                              : "from",
                 (number)run->target.agent, (number)run->target.seq);
    snprintf(line, sizeof line, "%s %llx:%llu lamport %llu length %u%s",
             run->kind <= WEFT_RUN_UNDELETE ? kinds[run->kind] : kind, (number)run->agent,
             (number)run->seq, (number)run->lamport, run->length, target);
    if (run->kind == WEFT_RUN_DELETE || run->kind == WEFT_RUN_UNDELETE)
        golden_say(golden, "%s", line);
    else if (run->kind == WEFT_RUN_INSERT && run->text == NULL)
        golden_say(golden, "%s collected", line);
    else if (run->kind == WEFT_RUN_INSERT)
        golden_say_text(golden, line, (struct span){run->text, run->text_size});
    else
        golden_say_hex(
            golden, line,
            (struct span){run->text_size > 0 ? run->text : (const uint8_t *)"", run->text_size});
    return true;
}

static bool say_span(void *context, const struct weft_span *span)
{
    struct golden *golden = context;
    char line[128];
    snprintf(line, sizeof line, "%s %llx:%llu length %llu", span->visible ? "visible" : "deleted",
             (number)span->id.agent, (number)span->id.seq, (number)span->length);
    if (span->text == NULL)
        golden_say(golden, "%s collected", line);
    else
        golden_say_text(golden, line, (struct span){span->text, span->text_size});
    return true;
}

/// Says the runs, the sequence, text, version and digest of a document.
static void say_document(struct golden *golden, struct weft_doc *doc)
{
    struct weft_buffer buffer;
    struct weft_digest digest;
    weft_buffer_init(&buffer, NULL);
    weft_doc_visit_runs(doc, say_run, golden);
    weft_doc_visit_spans(doc, say_span, golden);
    cr_assert_eq(weft_doc_text(&buffer, doc), WEFT_OK);
    golden_say_text(golden, "text", span_of_buffer(&buffer));
    buffer.size = 0;
    cr_assert_eq(weft_doc_version(&buffer, doc), WEFT_OK);
    golden_say_hex(golden, "version", span_of_buffer(&buffer));
    cr_assert_eq(weft_doc_digest(&digest, doc), WEFT_OK);
    golden_say_hex(golden, "digest", (struct span){digest.bytes, sizeof digest.bytes});
    weft_buffer_finish(&buffer);
}

static void check_delta(const struct golden *golden, const char *key, const struct weft_doc *doc)
{
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    cr_assert_eq(weft_doc_delta_since(&delta, doc, NULL, 0), WEFT_OK);
    golden_check_bytes(golden, key, span_of_buffer(&delta));
    weft_buffer_finish(&delta);
}

Test(golden, deltas)
{
    struct golden golden;
    golden_open(&golden, "delta.txt");
    while (golden_next(&golden)) {
        struct weft_doc *doc;
        struct weft_apply_result result;
        struct span bytes = golden_bytes(&golden, "bytes");
        cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
        cr_assert_eq(weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, bytes.data, bytes.size),
                     WEFT_OK, "%s", golden.name);
        cr_assert_eq(result.runs_missing + result.runs_invalid, 0, "%s", golden.name);
        say_document(&golden, doc);
        golden_check_said(&golden);
        check_delta(&golden, "bytes", doc);
        weft_doc_destroy(doc);
    }
    golden_close(&golden, 5);
}

/// Loads a vector's snapshot. @return the document, which says what is expected of it.
static struct weft_doc *load_snapshot(struct golden *golden)
{
    struct weft_doc *doc;
    struct span structure = golden_bytes(golden, "structure");
    struct span text = golden_bytes(golden, "text");
    struct span tombs = golden_bytes(golden, "tombs");
    struct weft_snapshot snapshot = {structure.data, structure.size, text.data,
                                     text.size,      tombs.data,     tombs.size};
    cr_assert_eq(weft_doc_load(&doc, &snapshot, NULL), WEFT_OK, "%s", golden->name);
    struct weft_epoch epoch = weft_doc_epoch(doc);
    golden_say_epoch(golden, "epoch", &epoch);
    say_document(golden, doc);
    golden_check_said(golden);
    return doc;
}

Test(golden, snapshots)
{
    struct golden golden;
    golden_open(&golden, "snapshot.txt");
    while (golden_next(&golden)) {
        struct weft_buffer parts[3];
        static const char *const keys[3] = {"structure", "text", "tombs"};
        struct weft_doc *doc = load_snapshot(&golden);
        for (int i = 0; i < 3; i++)
            weft_buffer_init(&parts[i], NULL);
        cr_assert_eq(weft_doc_snapshot(&parts[0], &parts[1], &parts[2], doc), WEFT_OK);
        for (int i = 0; i < 3; i++) {
            golden_check_bytes(&golden, keys[i], span_of_buffer(&parts[i]));
            weft_buffer_finish(&parts[i]);
        }
        weft_doc_destroy(doc);
    }
    golden_close(&golden, 2);
}

Test(golden, snapshots_of_the_version_before)
{
    struct golden golden;
    golden_open(&golden, "snapshot_0.txt");
    while (golden_next(&golden)) {
        struct weft_doc *doc = load_snapshot(&golden);
        const char *broken = weft_doc_check(doc);
        cr_expect_null(broken, "%s: %s", golden.name, broken);
        weft_doc_destroy(doc);
    }
    golden_close(&golden, 2);
}

Test(golden, documents_that_are_created_with_a_text)
{
    struct golden golden;
    golden_open(&golden, "initial.txt");
    while (golden_next(&golden)) {
        struct weft_doc *doc;
        struct span name = golden_bytes(&golden, "document");
        struct span text = golden_bytes(&golden, "text");
        struct weft_doc_options options = {.name = name.data, .name_size = name.size};
        if (golden_has(&golden, "epoch")) {
            struct span epoch = golden_bytes(&golden, "epoch");
            options.epoch.counter = epoch.data[7]; // big-endian, small
            memcpy(options.epoch.random, epoch.data + 8, sizeof options.epoch.random);
        }
        cr_assert_eq(weft_doc_create(&doc, &options), WEFT_OK);
        cr_assert_eq(weft_doc_insert_initial(doc, text.data, text.size), WEFT_OK);
        say_document(&golden, doc);
        golden_check_said(&golden);
        check_delta(&golden, "delta", doc);
        weft_doc_destroy(doc);
    }
    golden_close(&golden, 2);
}
