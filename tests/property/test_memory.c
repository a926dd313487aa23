// SPDX-License-Identifier: MIT
// Every allocation of every call fails once: alone, and with all that follow it. The call says so,
// the document is as it was, what the call makes is as if it had not been called, and nothing
// leaks; when there is memory again, the same call does what it does where none ever failed.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <weft/history.h>
#include <weft/undo.h>
#include <weft/version.h>

#include "tests/support/allocator.h"
#include "tests/support/deltas.h"

enum { AUTHOR = 3, OTHER = 9, STRANGER = 77, OUTS = 3, CALLS_MAX = 4000, WAITING_SIZE = 30000 };

/// All that a call may need. Made by the same steps every time, so that two are equal.
struct scene {
    struct test_allocator memory;
    struct weft_allocator allocator;
    struct weft_doc *doc;
    struct weft_undo *undo;
    struct weft_doc *made; // by a call
    struct weft_delta_reader *reader;
    struct weft_undo *undo_made;
    struct weft_buffer outs[OUTS]; // of a call
    struct weft_digest digest;     // likewise
    size_t told;                   // changes and visits
};

/// What calls are given; the same for all scenes.
struct given {
    struct weft_buffer old_version;
    struct weft_buffer delta;   // of another, what waits and what is unknown among it
    struct weft_buffer awaited; // what wakes it
    struct weft_buffer blank;   // of someone who has collected
    struct weft_buffer snapshot[3];
};

static struct given given;

static void must(enum weft_status status)
{
    cr_assert_eq(status, WEFT_OK, "%s", weft_status_text(status));
}

static void count_change(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                         size_t size)
{
    (void)index, (void)deleted, (void)text, (void)size;
    ++*(size_t *)context;
}

static void insert(struct weft_doc *doc, uint64_t index, const char *text)
{
    must(weft_doc_insert(doc, WEFT_SCALARS, index, (const uint8_t *)text, strlen(text)));
}

/// Runs of someone else: on what the document has, on what it has not, of an unknown kind.
static void make_deltas(void)
{
    static uint8_t waiting[WAITING_SIZE];
    memset(waiting, 'w', sizeof(waiting));
    const struct weft_run runs[] = {
        {.length = 5,
         .agent = OTHER,
         .lamport = 400,
         .target = {AUTHOR, 2},
         .text = (const uint8_t *)"other",
         .text_size = 5},
        {.kind = WEFT_RUN_DELETE,
         .length = 4,
         .agent = OTHER,
         .seq = 5,
         .lamport = 405,
         .target = {AUTHOR, 6}},
        {.kind = 9,
         .length = 2,
         .agent = OTHER,
         .seq = 9,
         .lamport = 409,
         .text = (const uint8_t *)"payload",
         .text_size = 7},
        {.kind = WEFT_RUN_UNDELETE,
         .length = 2,
         .agent = OTHER,
         .seq = 11,
         .lamport = 411,
         .target = {OTHER, 6},
         .text = (const uint8_t *)"rd",
         .text_size = 2},
        {.length = WAITING_SIZE,
         .agent = OTHER,
         .seq = 13,
         .lamport = 900,
         .target = {STRANGER, 1},
         .text = waiting,
         .text_size = WAITING_SIZE},
    };
    static const struct weft_run awaited = {.length = 3,
                                            .agent = STRANGER,
                                            .lamport = 500,
                                            .target = {AUTHOR, 20},
                                            .left = true,
                                            .text = (const uint8_t *)"aw\xC3\xA9",
                                            .text_size = 4};
    weft_buffer_init(&given.delta, NULL);
    weft_buffer_init(&given.awaited, NULL);
    delta_of_runs(&given.delta, runs, sizeof(runs) / sizeof(runs[0]));
    delta_of_runs(&given.awaited, &awaited, 1);
}

static void collect(struct weft_doc *doc)
{
    struct weft_collected collected;
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    must(weft_doc_version(&version, doc));
    must(weft_doc_collect(&collected, doc, version.data, version.size));
    cr_assert_gt(collected.elements, 0);
    weft_buffer_finish(&version);
}

static void make_blank(void)
{
    struct weft_doc *doc;
    weft_buffer_init(&given.blank, NULL);
    must(weft_doc_create(&doc, NULL));
    must(weft_doc_set_agent(doc, STRANGER + 1));
    for (uint64_t i = 0; i < 300; i++)
        insert(doc, i * 4 % (i + 1), "w\xC3\xB6rd ");
    for (uint64_t i = 0; i < 40; i++)
        must(weft_doc_delete(doc, WEFT_SCALARS, i * 11, 10));
    collect(doc);
    must(weft_doc_delta_since(&given.blank, doc, NULL, 0));
    weft_doc_destroy(doc);
}

/// Several agents, deletes that cross, undo; and something that waits.
static void scene_init(struct scene *scene)
{
    struct weft_buffer delta;
    memset(scene, 0, sizeof(*scene));
    scene->memory = test_allocator_make();
    scene->allocator = test_allocator_use(&scene->memory);
    struct weft_doc_options options = {.allocator = &scene->allocator};
    struct weft_undo_options undo_options = {.allocator = &scene->allocator};
    must(weft_doc_create(&scene->doc, &options));
    must(weft_doc_set_agent(scene->doc, AUTHOR));
    must(weft_undo_create(&scene->undo, scene->doc, AUTHOR, &undo_options));
    weft_buffer_init(&delta, NULL);
    for (uint64_t i = 0; i < 40; i++) {
        insert(scene->doc, i * 7 % (i + 1), i % 9 == 8 ? "w\xC3\xB6rd " : "word ");
        must(weft_undo_note(scene->undo, scene->doc, 1000 * i));
    }
    if (given.old_version.size == 0)
        must(weft_doc_version(&given.old_version, scene->doc));
    must(weft_doc_delete(scene->doc, WEFT_SCALARS, 30, 20));
    must(weft_undo_note(scene->undo, scene->doc, 50000));
    must(weft_undo_undo(&delta, scene->undo, scene->doc));
    must(weft_doc_set_agent(scene->doc, 5));
    for (uint64_t i = 0; i < 12; i++)
        must(weft_doc_delete(scene->doc, WEFT_SCALARS, 5 * i, 3));
    must(weft_doc_set_agent(scene->doc, AUTHOR));
    must(weft_doc_delete(scene->doc, WEFT_SCALARS, 10, 5));
    must(weft_undo_note(scene->undo, scene->doc, 60000));
    weft_doc_observe(scene->doc, count_change, &scene->told);
    for (size_t i = 0; i < OUTS; i++)
        weft_buffer_init(&scene->outs[i], &scene->allocator);
    weft_buffer_finish(&delta);
}

static void scene_finish(struct scene *scene)
{
    weft_delta_reader_destroy(scene->reader);
    weft_undo_destroy(scene->undo_made);
    weft_undo_destroy(scene->undo);
    weft_doc_destroy(scene->made);
    weft_doc_destroy(scene->doc);
    for (size_t i = 0; i < OUTS; i++)
        weft_buffer_finish(&scene->outs[i]);
}

/// What can be seen of a scene.
struct seen {
    struct weft_digest digest, made_digest, computed;
    struct weft_buffer text, version;
    struct weft_doc_stats stats;
    size_t out_sizes[OUTS];
    size_t told;
    bool made, reader, undo_made;
};

static struct seen look(struct scene *scene)
{
    struct seen seen = {.told = scene->told,
                        .computed = scene->digest,
                        .made = scene->made != NULL,
                        .reader = scene->reader != NULL,
                        .undo_made = scene->undo_made != NULL};
    weft_buffer_init(&seen.text, NULL);
    weft_buffer_init(&seen.version, NULL);
    must(weft_doc_text(&seen.text, scene->doc));
    must(weft_doc_version(&seen.version, scene->doc));
    must(weft_doc_digest(&seen.digest, scene->doc));
    if (scene->made != NULL)
        must(weft_doc_digest(&seen.made_digest, scene->made));
    seen.stats = weft_doc_stats(scene->doc);
    seen.stats.memory = 0; // what was reserved may stay
    seen.stats.agents = 0; // who is named need not be known
    for (size_t i = 0; i < OUTS; i++)
        seen.out_sizes[i] = scene->outs[i].size;
    const char *broken = weft_doc_check(scene->doc);
    cr_assert_null(broken, "%s", broken);
    return seen;
}

static void seen_finish(struct seen *seen)
{
    weft_buffer_finish(&seen->text);
    weft_buffer_finish(&seen->version);
}

static bool same_bytes(const struct weft_buffer *a, const struct weft_buffer *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

/// @return what differs, or NULL.
static const char *difference(const struct seen *a, const struct seen *b)
{
    if (!same_bytes(&a->text, &b->text))
        return "text";
    if (!same_bytes(&a->version, &b->version))
        return "version";
    if (memcmp(&a->digest, &b->digest, sizeof(a->digest)) != 0)
        return "digest";
    if (memcmp(&a->stats, &b->stats, sizeof(a->stats)) != 0)
        return "stats";
    if (memcmp(a->out_sizes, b->out_sizes, sizeof(a->out_sizes)) != 0)
        return "what was appended";
    if (memcmp(&a->computed, &b->computed, sizeof(a->computed)) != 0 ||
        memcmp(&a->made_digest, &b->made_digest, sizeof(a->made_digest)) != 0 ||
        a->made != b->made || a->reader != b->reader || a->undo_made != b->undo_made)
        return "what was made";
    return a->told != b->told ? "what was told" : NULL;
}

// ---------------------------------------------------------------------------------------- calls

static enum weft_status apply(struct scene *scene, const struct weft_buffer *delta)
{
    struct weft_apply_result result = {0};
    enum weft_status status =
        weft_doc_apply(&result, scene->doc, WEFT_APPLY_PARK, delta->data, delta->size);
    return status == WEFT_OK ? result.reason : status;
}

static enum weft_status call_apply(struct scene *scene)
{
    return apply(scene, &given.delta);
}

static enum weft_status call_apply_blank(struct scene *scene)
{
    return apply(scene, &given.blank);
}

static enum weft_status call_collect(struct scene *scene)
{
    struct weft_collected collected;
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    must(weft_doc_version(&version, scene->doc));
    enum weft_status status = weft_doc_collect(&collected, scene->doc, version.data, version.size);
    weft_buffer_finish(&version);
    return status;
}

static enum weft_status call_apply_awaited(struct scene *scene)
{
    return apply(scene, &given.awaited);
}

static enum weft_status call_type(struct scene *scene)
{
    return weft_doc_insert(scene->doc, WEFT_SCALARS, 4, (const uint8_t *)"k\xC3\xA9y", 4);
}

static enum weft_status call_paste(struct scene *scene)
{
    static uint8_t text[40000];
    memset(text, 'p', sizeof(text));
    return weft_doc_insert(scene->doc, WEFT_UTF8, 0, text, sizeof(text));
}

static enum weft_status call_delete(struct scene *scene)
{
    return weft_doc_delete(scene->doc, WEFT_UTF16, 1, 100);
}

static enum weft_status call_replace(struct scene *scene)
{
    static const char text[] = "word other wor words d and m\xC3\xB6re words, none of them long";
    return weft_doc_replace_text(scene->doc, (const uint8_t *)text, sizeof(text) - 1);
}

static enum weft_status call_undo(struct scene *scene)
{
    return weft_undo_undo(&scene->outs[0], scene->undo, scene->doc);
}

static enum weft_status call_restore(struct scene *scene)
{
    return weft_doc_restore(scene->doc, given.old_version.data, given.old_version.size);
}

static enum weft_status call_set_agent(struct scene *scene)
{
    return weft_doc_set_agent(scene->doc, 123456);
}

static enum weft_status call_text(struct scene *scene)
{
    return weft_doc_text(&scene->outs[0], scene->doc);
}

static enum weft_status call_text_at(struct scene *scene)
{
    return weft_doc_text_at(&scene->outs[0], scene->doc, given.old_version.data,
                            given.old_version.size);
}

static enum weft_status call_length_at(struct scene *scene)
{
    uint64_t length;
    return weft_doc_length_at(&length, scene->doc, WEFT_UTF16, given.old_version.data,
                              given.old_version.size);
}

static bool take_span(void *context, const struct weft_diff_span *span)
{
    (void)span;
    ++*(size_t *)context;
    return true;
}

static enum weft_status call_diff(struct scene *scene)
{
    return weft_doc_visit_diff(scene->doc, WEFT_UTF8, given.old_version.data,
                               given.old_version.size, NULL, 0, take_span, &scene->told);
}

static bool take_run(void *context, const struct weft_blame_run *run)
{
    (void)run;
    ++*(size_t *)context;
    return true;
}

static enum weft_status call_blame(struct scene *scene)
{
    return weft_doc_visit_blame_at(scene->doc, given.old_version.data, given.old_version.size,
                                   WEFT_SCALARS, 3, 30, take_run, &scene->told);
}

static enum weft_status call_version(struct scene *scene)
{
    return weft_doc_version(&scene->outs[0], scene->doc);
}

static enum weft_status call_version_merge(struct scene *scene)
{
    return weft_version_merge(&scene->outs[0], given.old_version.data, given.old_version.size,
                              given.old_version.data, given.old_version.size);
}

static enum weft_status call_delta_since(struct scene *scene)
{
    return weft_doc_delta_since(&scene->outs[0], scene->doc, given.old_version.data,
                                given.old_version.size);
}

static enum weft_status call_delta_own(struct scene *scene)
{
    return weft_doc_delta_own(&scene->outs[0], scene->doc, AUTHOR, 1);
}

static enum weft_status call_reader_create(struct scene *scene)
{
    return weft_delta_reader_create(&scene->reader, scene->doc, given.old_version.data,
                                    given.old_version.size);
}

static enum weft_status call_reader_next(struct scene *scene)
{
    return weft_delta_reader_next(&scene->outs[0], scene->reader, 40000);
}

static enum weft_status call_digest(struct scene *scene)
{
    return weft_doc_digest(&scene->digest, scene->doc);
}

static enum weft_status call_chain(struct scene *scene)
{
    uint64_t next;
    uint8_t chain[32];
    return weft_doc_chain(&next, chain, scene->doc, AUTHOR);
}

static enum weft_status call_snapshot(struct scene *scene)
{
    return weft_doc_snapshot(&scene->outs[0], &scene->outs[1], &scene->outs[2], scene->doc);
}

static enum weft_status call_load(struct scene *scene)
{
    const struct weft_buffer *parts = given.snapshot;
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    struct weft_doc_options options = {.allocator = &scene->allocator};
    return weft_doc_load(&scene->made, &snapshot, &options);
}

static enum weft_status call_create(struct scene *scene)
{
    struct weft_doc_options options = {.allocator = &scene->allocator};
    return weft_doc_create(&scene->made, &options);
}

static enum weft_status call_insert_initial(struct scene *scene)
{
    static uint8_t text[20000];
    memset(text, 'i', sizeof(text));
    return weft_doc_insert_initial(scene->made, text, sizeof(text));
}

static enum weft_status call_undo_create(struct scene *scene)
{
    struct weft_undo_options options = {.allocator = &scene->allocator};
    return weft_undo_create(&scene->undo_made, scene->doc, AUTHOR, &options);
}

static enum weft_status call_undo_note(struct scene *scene)
{
    return weft_undo_note(scene->undo, scene->doc, 700000);
}

// What comes before a call, with memory at hand.

static void after_apply(struct scene *scene)
{
    must(apply(scene, &given.delta));
    cr_assert_eq(weft_doc_parked(scene->doc), 1);
}

static void after_undo(struct scene *scene)
{
    must(call_undo(scene));
    scene->outs[0].size = 0;
}

static enum weft_status call_redo(struct scene *scene)
{
    return weft_undo_redo(&scene->outs[0], scene->undo, scene->doc);
}

static void after_delete(struct scene *scene)
{
    must(weft_doc_delete(scene->doc, WEFT_SCALARS, 20, 90));
}

static void after_blank(struct scene *scene)
{
    must(call_apply_blank(scene));
}

static void after_reader(struct scene *scene)
{
    must(call_reader_create(scene));
}

static void after_create(struct scene *scene)
{
    must(call_create(scene));
}

static void after_edit(struct scene *scene)
{
    must(call_type(scene));
}

static void after_digest(struct scene *scene)
{
    must(weft_doc_digest(&scene->digest, scene->doc));
    must(apply(scene, &given.delta));
}

/// What a header says of a call that lacks memory, where it is not: all is as it was.
enum promise {
    AS_IT_WAS,
    MAY_BE_DONE, // without its delta
    MAY_WAIT,    // runs that wait may be left out or go on waiting, which the result says
};

static const struct call {
    const char *name;
    enum weft_status (*call)(struct scene *scene);
    void (*before)(struct scene *scene); // or NULL
    enum promise kind;
} calls[] = {
    {"apply, some of it waits", call_apply, NULL, MAY_WAIT},
    {"apply", call_apply_awaited, NULL, AS_IT_WAS},
    {"apply, and what waited wakes", call_apply_awaited, after_apply, MAY_WAIT},
    {"insert", call_type, NULL, AS_IT_WAS},
    {"insert, typing on", call_type, after_edit, AS_IT_WAS},
    {"insert of many pages", call_paste, NULL, AS_IT_WAS},
    {"delete", call_delete, NULL, AS_IT_WAS},
    {"replace_text", call_replace, NULL, AS_IT_WAS},
    {"insert_initial", call_insert_initial, after_create, AS_IT_WAS},
    {"undo", call_undo, NULL, MAY_BE_DONE},
    {"redo", call_redo, after_undo, MAY_BE_DONE},
    {"restore", call_restore, NULL, AS_IT_WAS},
    {"set_agent", call_set_agent, NULL, AS_IT_WAS},
    {"undo_create", call_undo_create, NULL, AS_IT_WAS},
    {"undo_note", call_undo_note, after_edit, AS_IT_WAS},
    {"text", call_text, NULL, AS_IT_WAS},
    {"text_at", call_text_at, NULL, AS_IT_WAS},
    {"length_at", call_length_at, NULL, AS_IT_WAS},
    {"diff", call_diff, NULL, AS_IT_WAS},
    {"blame_at", call_blame, NULL, AS_IT_WAS},
    {"version", call_version, NULL, AS_IT_WAS},
    {"version_merge", call_version_merge, NULL, AS_IT_WAS},
    {"delta_since", call_delta_since, NULL, AS_IT_WAS},
    {"delta_own", call_delta_own, NULL, AS_IT_WAS},
    {"delta_reader_create", call_reader_create, NULL, AS_IT_WAS},
    {"delta_reader_next", call_reader_next, after_reader, AS_IT_WAS},
    {"digest", call_digest, NULL, AS_IT_WAS},
    {"digest, once more", call_digest, after_digest, AS_IT_WAS},
    {"chain", call_chain, NULL, AS_IT_WAS},
    {"snapshot", call_snapshot, NULL, AS_IT_WAS},
    {"load", call_load, NULL, AS_IT_WAS},
    {"collect", call_collect, after_delete, AS_IT_WAS},
    {"apply of what was collected", call_apply_blank, NULL, AS_IT_WAS},
    {"delta of what was collected", call_delta_since, after_blank, AS_IT_WAS},
    {"snapshot of what was collected", call_snapshot, after_blank, AS_IT_WAS},
    {"digest of what was collected", call_digest, after_blank, AS_IT_WAS},
    {"create", call_create, NULL, AS_IT_WAS},
};

static void given_init(void)
{
    struct scene scene;
    weft_buffer_init(&given.old_version, NULL);
    make_deltas();
    make_blank();
    for (size_t i = 0; i < 3; i++)
        weft_buffer_init(&given.snapshot[i], NULL);
    scene_init(&scene);
    must(apply(&scene, &given.delta));
    must(apply(&scene, &given.blank));
    must(weft_doc_snapshot(&given.snapshot[0], &given.snapshot[1], &given.snapshot[2], scene.doc));
    scene_finish(&scene);
    cr_assert_eq(scene.memory.used, 0);
}

static void given_finish(void)
{
    weft_buffer_finish(&given.old_version);
    weft_buffer_finish(&given.delta);
    weft_buffer_finish(&given.awaited);
    weft_buffer_finish(&given.blank);
    for (size_t i = 0; i < 3; i++)
        weft_buffer_finish(&given.snapshot[i]);
}

static void scene_before(struct scene *scene, const struct call *call)
{
    scene_init(scene);
    if (call->before != NULL)
        call->before(scene);
}

/// All is as it was, or as the header says.
static void check_failed(const struct call *call, uint64_t n, const struct seen *seen,
                         const struct seen *before, const struct seen *after)
{
    if (call->kind == MAY_WAIT)
        return;
    const char *differs = difference(seen, before);
    if (differs != NULL && call->kind == MAY_BE_DONE) {
        struct seen done = *after;
        memcpy(done.out_sizes, before->out_sizes, sizeof(done.out_sizes)); // but for its delta
        differs = difference(seen, &done);
    }
    cr_assert_null(differs, "%s, allocation %llu: %s is not as it was", call->name,
                   (unsigned long long)n, differs);
}

/// The n-th allocation of a call fails, `count` in all. @return whether one did.
static bool try_once(const struct call *call, uint64_t n, uint64_t count, const struct seen *before,
                     const struct seen *after)
{
    struct scene scene;
    scene_before(&scene, call);
    scene.memory.fail_from = scene.memory.calls + n;
    scene.memory.fail_count = count;
    enum weft_status status = call->call(&scene);
    bool failed = scene.memory.calls >= scene.memory.fail_from;
    scene.memory.fail_from = UINT64_MAX;
    cr_assert(status == WEFT_OK || status == WEFT_NO_MEMORY, "%s, allocation %llu: %s", call->name,
              (unsigned long long)n, weft_status_text(status));
    cr_assert(failed || status == WEFT_OK, "%s says that there is no memory", call->name);
    if (status == WEFT_NO_MEMORY) {
        struct seen seen = look(&scene);
        check_failed(call, n, &seen, before, after);
        bool done = memcmp(&seen.digest, &before->digest, sizeof(seen.digest)) != 0;
        seen_finish(&seen);
        if (!done || call->kind == MAY_WAIT)
            must(call->call(&scene)); // there is memory again
    }
    struct seen seen = look(&scene);
    if (status == WEFT_NO_MEMORY && call->kind == MAY_BE_DONE) // without its delta
        memcpy(seen.out_sizes, after->out_sizes, sizeof(seen.out_sizes));
    const char *differs = difference(&seen, after);
    cr_assert_null(differs, "%s, after allocation %llu of %llu failed: another %s", call->name,
                   (unsigned long long)n, (unsigned long long)count, differs);
    seen_finish(&seen);
    scene_finish(&scene);
    cr_assert_eq(scene.memory.used, 0, "%s, allocation %llu: %zu bytes were not given back",
                 call->name, (unsigned long long)n, scene.memory.used);
    return failed;
}

Test(memory, every_allocation_of_every_call_fails_once_and_nothing_is_changed_or_lost)
{
    given_init();
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct scene scene;
        scene_before(&scene, &calls[i]);
        struct seen before = look(&scene);
        scene_finish(&scene);
        scene_before(&scene, &calls[i]);
        must(calls[i].call(&scene));
        struct seen after = look(&scene);
        scene_finish(&scene);
        uint64_t failures = 0;
        for (int alone = 0; alone < 2; alone++) {
            uint64_t n = 1;
            while (try_once(&calls[i], n, alone ? 1 : UINT64_MAX, &before, &after)) {
                failures++;
                cr_assert_lt(n++, CALLS_MAX, "%s allocates without end", calls[i].name);
            }
        }
        fprintf(stderr, "# %s: %llu allocations failed\n", calls[i].name,
                (unsigned long long)failures);
        seen_finish(&before);
        seen_finish(&after);
    }
    given_finish();
}
