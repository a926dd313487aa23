// SPDX-License-Identifier: MIT
// Bytes from anywhere: sound deltas, snapshots and versions with bytes changed. Nothing crashes,
// the document stays sound, memory stays within a multiple of what came in, and what is refused
// changes nothing.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <weft/version.h>

#include "codec/delta.h"
#include "tests/support/allocator.h"
#include "tests/support/deltas.h"
#include "tests/support/documents.h"

enum {
    /// Bytes that a document may allocate per byte of input: a run of one atom takes 3 bytes in a
    /// delta, and a row of the log, a piece of the sequence and places in trees, half empty at
    /// worst,
    /// in memory.
    MEMORY_FACTOR = 160,
    /// And beside that, whatever the input: pages of pools.
    MEMORY_SLACK = 400 * 1024,
};

/// Changes a few bytes of `bytes`: flips, numbers, cuts, pieces doubled or moved.
static void mutate(struct random *random, struct weft_buffer *bytes)
{
    static const uint8_t telling[] = {0, 1, 0x7F, 0x80, 0xFF, 0xFE, 0x40, 0x3F};
    for (uint64_t left = random_between(random, 1, 4); left > 0 && bytes->size > 0; left--) {
        size_t at = random_below(random, bytes->size);
        size_t size = random_between(random, 1, 8);
        size = size < bytes->size - at ? size : bytes->size - at;
        switch (random_below(random, 6)) {
        case 0:
            bytes->data[at] ^= (uint8_t)(1 << random_below(random, 8));
            break;
        case 1:
            bytes->data[at] = telling[random_below(random, sizeof(telling))];
            break;
        case 2:
            bytes->data[at] = (uint8_t)random_next(random);
            break;
        case 3: // cut out
            memmove(bytes->data + at, bytes->data + at + size, bytes->size - at - size);
            bytes->size -= size;
            break;
        case 4: // put a piece in
            cr_assert_eq(weft_buffer_reserve(bytes, size), WEFT_OK);
            memmove(bytes->data + at + size, bytes->data + at, bytes->size - at);
            bytes->size += size;
            break;
        default:
            memset(bytes->data + at, random_permille(random, 500) ? 0xFF : 0x80, size);
            break;
        }
    }
}

static struct weft_buffer copy_of(const struct weft_buffer *bytes)
{
    struct weft_buffer copy;
    weft_buffer_init(&copy, NULL);
    cr_assert_eq(weft_buffer_append(&copy, bytes->data, bytes->size), WEFT_OK);
    return copy;
}

/// Two replicas' concurrent histories as deltas to be mutated.
enum { SAMPLES = 8 };
static void make_samples(struct property *property, struct weft_buffer samples[SAMPLES])
{
    struct replica a;
    struct replica b;
    replica_init(property, &a, 7, NULL);
    replica_init(property, &b, UINT64_C(1) << 50, NULL);
    for (size_t i = 0; i < SAMPLES; i++) {
        struct replica *author = i % 2 == 0 ? &a : &b;
        struct weft_buffer version = document_version(property, author->doc);
        for (uint64_t left = random_between(&property->random, 1, 6); left > 0; left--)
            replica_edit(property, author, TEXT_MIXED);
        if (random_permille(&property->random, 500))
            replica_pull(property, author->doc, author == &a ? b.doc : a.doc);
        weft_buffer_init(&samples[i], NULL);
        CHECK_OK(property,
                 weft_doc_delta_since(&samples[i], author->doc, version.data, version.size));
        weft_buffer_finish(&version);
    }
    replica_finish(&a);
    replica_finish(&b);
}

/// Applies hostile bytes and checks what must hold whatever they are.
static void apply_hostile(struct property *property, struct weft_doc *doc,
                          struct test_allocator *memory, const struct weft_buffer *bytes)
{
    struct weft_digest before = document_digest(property, doc);
    test_allocator_reset_peak(memory);
    size_t used = memory->used;
    enum weft_apply_mode mode =
        random_permille(&property->random, 500) ? WEFT_APPLY_PARK : WEFT_APPLY_STRICT;
    struct weft_apply_result result = {.atoms_applied = 0};
    enum weft_status status = weft_doc_apply(&result, doc, mode, bytes->data, bytes->size);
    CHECK(property, memory->peak - used <= MEMORY_FACTOR * bytes->size + MEMORY_SLACK,
          "%zu bytes in made it allocate %zu", bytes->size, memory->peak - used);
    CHECK(property,
          status == WEFT_OK || status == WEFT_MALFORMED || status == WEFT_UNSUPPORTED ||
              status == WEFT_LIMIT,
          "status %s", weft_status_text(status));
    const char *broken = weft_doc_check(doc);
    CHECK(property, broken == NULL, "%s", broken);
    if (result.atoms_applied == 0) {
        struct weft_digest after = document_digest(property, doc);
        CHECK(property, memcmp(&before, &after, sizeof(before)) == 0,
              "nothing was applied, and the digest changed");
    }
}

Test(hostile, mutated_deltas_leave_a_sound_document_and_bounded_memory)
{
    for (struct property p = property_start("mutated deltas", 500); property_next(&p);) {
        struct weft_buffer samples[SAMPLES];
        make_samples(&p, samples);
        struct test_allocator memory = test_allocator_make();
        struct weft_allocator allocator = test_allocator_use(&memory);
        struct weft_doc_options options = {.allocator = &allocator};
        struct weft_doc *doc = NULL;
        CHECK_OK(&p, weft_doc_create(&doc, &options));
        for (int i = 0; i < 60; i++) {
            struct weft_buffer *sample = &samples[random_below(&p.random, SAMPLES)];
            if (sample->size == 0)
                continue;
            struct weft_buffer bytes = copy_of(sample);
            if (!random_permille(&p.random, 200))
                mutate(&p.random, &bytes);
            apply_hostile(&p, doc, &memory, &bytes);
            weft_buffer_finish(&bytes);
        }
        // It is a document like any other: edited, kept, told to others.
        CHECK_OK(&p, weft_doc_set_agent(doc, 99));
        CHECK_OK(&p, weft_doc_insert(doc, WEFT_SCALARS, 0, (const uint8_t *)"still", 5));
        struct weft_doc *other = replica_reload(&p, doc, NULL);
        document_check_equal(&p, doc, other);
        weft_doc_destroy(other);
        CHECK_OK(&p, weft_doc_create(&other, NULL));
        replica_pull(&p, other, doc);
        document_check_equal(&p, doc, other);
        weft_doc_destroy(other);
        weft_doc_destroy(doc);
        CHECK(&p, memory.used == 0, "%zu bytes were not given back", memory.used);
        for (size_t i = 0; i < SAMPLES; i++)
            weft_buffer_finish(&samples[i]);
    }
}

Test(hostile, random_runs_leave_a_sound_document)
{
    for (struct property p = property_start("random runs", 400); property_next(&p);) {
        struct test_allocator memory = test_allocator_make();
        struct weft_allocator allocator = test_allocator_use(&memory);
        struct weft_doc_options options = {.allocator = &allocator};
        struct weft_doc *doc = NULL;
        CHECK_OK(&p, weft_doc_create(&doc, &options));
        for (int i = 0; i < 60; i++) { // few agents, seqs and times: much of it fits together
            struct weft_run runs[4];
            size_t count = random_between(&p.random, 1, 4);
            for (size_t j = 0; j < count; j++) {
                uint64_t agent = random_between(&p.random, 1, 4);
                uint64_t near = weft_doc_next_seq(doc, agent);
                runs[j] = (struct weft_run){
                    .kind =
                        (uint8_t)(random_permille(&p.random, 900) ? random_below(&p.random, 3)
                                                                  : random_below(&p.random, 16)),
                    .length = (uint32_t)random_between(&p.random, 1, 5),
                    .agent = agent,
                    .seq = near - (near > 2 ? random_below(&p.random, 3) : 0),
                    .target = {random_between(&p.random, 1, 4), random_below(&p.random, 30)},
                    .text = (const uint8_t *)"abcde",
                };
                runs[j].lamport = runs[j].seq + random_between(&p.random, 1, 60);
                if (runs[j].kind == WEFT_RUN_INSERT) {
                    runs[j].text_size = runs[j].length;
                    runs[j].left = random_permille(&p.random, 300);
                    if (random_permille(&p.random, 150)) {
                        runs[j].left = false;
                        runs[j].target = WEFT_ID_ROOT;
                    }
                } else if (runs[j].kind == WEFT_RUN_DELETE) {
                    runs[j].backward = random_permille(&p.random, 500);
                }
            }
            struct weft_buffer delta;
            weft_buffer_init(&delta, NULL);
            delta_of_runs(&delta, runs, count);
            apply_hostile(&p, doc, &memory, &delta);
            weft_buffer_finish(&delta);
        }
        document_check_sound(&p, doc);
        weft_doc_destroy(doc);
        CHECK(&p, memory.used == 0, "%zu bytes were not given back", memory.used);
    }
}

/// Uses a document that came from hostile bytes in every way.
static void use_hostile(struct property *property, struct weft_doc *doc)
{
    struct weft_buffer text = document_text(property, doc);
    uint64_t length = weft_doc_length(doc, WEFT_SCALARS);
    CHECK(property, text_count_scalars(text.data, text.size) == length, "its text has its length");
    weft_buffer_finish(&text);
    document_digest(property, doc);
    CHECK_OK(property, weft_doc_set_agent(doc, 424242));
    for (int i = 0; i < 10; i++) {
        length = weft_doc_length(doc, WEFT_SCALARS);
        uint64_t at = random_below(&property->random, length + 1);
        enum weft_status status = weft_doc_insert(doc, WEFT_SCALARS, at, (const uint8_t *)"hey", 3);
        if (status == WEFT_OK && length > at)
            status = weft_doc_delete(doc, WEFT_SCALARS, at, 2);
        CHECK(property, status == WEFT_OK || status == WEFT_LIMIT, "%s", weft_status_text(status));
    }
    struct weft_doc *other = NULL;
    CHECK_OK(property, weft_doc_create(&other, NULL));
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    CHECK_OK(property, weft_doc_delta_since(&delta, doc, NULL, 0));
    struct weft_apply_result result;
    enum weft_status status =
        weft_doc_apply(&result, other, WEFT_APPLY_PARK, delta.data, delta.size);
    CHECK(property, status == WEFT_OK || status == WEFT_LIMIT, "%s", weft_status_text(status));
    weft_buffer_finish(&delta);
    weft_doc_destroy(other);
}

Test(hostile, mutated_snapshots_load_to_a_sound_document_or_not_at_all)
{
    uint64_t loaded = 0;
    uint64_t tried = 0;
    for (struct property p = property_start("mutated snapshots", 300); property_next(&p);) {
        struct weft_buffer parts[3];
        struct replica replica;
        replica_init(&p, &replica, 7, NULL);
        for (uint64_t left = random_between(&p.random, 1, 30); left > 0; left--)
            replica_edit(&p, &replica, TEXT_MIXED);
        for (size_t i = 0; i < 3; i++)
            weft_buffer_init(&parts[i], NULL);
        CHECK_OK(&p, weft_doc_snapshot(&parts[0], &parts[1], &parts[2], replica.doc));
        for (int i = 0; i < 30; i++) {
            size_t which = random_permille(&p.random, 800) ? 0 : random_below(&p.random, 3);
            struct weft_buffer bytes = copy_of(&parts[which]);
            mutate(&p.random, &bytes);
            const struct weft_buffer *used[3] = {&parts[0], &parts[1], &parts[2]};
            used[which] = &bytes;
            struct weft_snapshot snapshot = {used[0]->data, used[0]->size, used[1]->data,
                                             used[1]->size, used[2]->data, used[2]->size};
            size_t size = used[0]->size + used[1]->size + used[2]->size;
            struct test_allocator memory = test_allocator_make();
            struct weft_allocator allocator = test_allocator_use(&memory);
            struct weft_doc_options options = {.allocator = &allocator};
            struct weft_doc *doc = NULL;
            enum weft_status status = weft_doc_load(&doc, &snapshot, &options);
            CHECK(&p, memory.peak <= MEMORY_FACTOR * size + MEMORY_SLACK,
                  "%zu bytes in made it allocate %zu", size, memory.peak);
            CHECK(&p,
                  status == WEFT_OK || status == WEFT_MALFORMED || status == WEFT_UNSUPPORTED ||
                      status == WEFT_LIMIT,
                  "%s", weft_status_text(status));
            tried++;
            loaded += status == WEFT_OK;
            if (status == WEFT_OK)
                use_hostile(&p, doc);
            weft_doc_destroy(doc);
            CHECK(&p, memory.used == 0, "%zu bytes were not given back", memory.used);
            weft_buffer_finish(&bytes);
        }
        for (size_t i = 0; i < 3; i++)
            weft_buffer_finish(&parts[i]);
        replica_finish(&replica);
    }
    fprintf(stderr, "# %llu of %llu mutated snapshots load\n", (unsigned long long)loaded,
            (unsigned long long)tried);
}

static bool count_agent(void *context, uint64_t agent, uint64_t next)
{
    uint64_t *count = context;
    cr_assert(next >= 1, "agent %llx", (unsigned long long)agent);
    ++*count;
    return true;
}

Test(hostile, version_vectors_of_any_bytes_are_read_or_refused)
{
    for (struct property p = property_start("mutated versions", 400); property_next(&p);) {
        struct replica replica;
        replica_init(&p, &replica, 7, NULL);
        for (int i = 0; i < 6; i++) {
            replica_set_agent(&p, &replica, random_next(&p.random) >> 1 | 1);
            replica_edit(&p, &replica, TEXT_ASCII);
        }
        struct weft_buffer sound = document_version(&p, replica.doc);
        for (int i = 0; i < 50; i++) {
            struct weft_buffer bytes = copy_of(&sound);
            mutate(&p.random, &bytes);
            uint64_t count = 0;
            enum weft_status status =
                weft_version_visit(bytes.data, bytes.size, count_agent, &count);
            CHECK(&p, status == WEFT_OK || (status == WEFT_MALFORMED && count == 0), "%s",
                  weft_status_text(status));
            struct weft_buffer out;
            weft_buffer_init(&out, NULL);
            CHECK(&p,
                  weft_version_merge(&out, sound.data, sound.size, bytes.data, bytes.size) ==
                      status,
                  "merge judges as visit does");
            enum weft_order order;
            CHECK(&p,
                  weft_version_compare(&order, bytes.data, bytes.size, sound.data, sound.size) ==
                      status,
                  "compare judges as visit does");
            out.size = 0;
            CHECK(&p, weft_doc_delta_since(&out, replica.doc, bytes.data, bytes.size) == status,
                  "delta_since judges as visit does");
            weft_buffer_finish(&out);
            weft_buffer_finish(&bytes);
        }
        weft_buffer_finish(&sound);
        replica_finish(&replica);
    }
}

/// A script that goes through most of the interface. @return the first failure.
static enum weft_status run_script(struct test_allocator *memory, bool *sound_out)
{
    struct weft_allocator allocator = test_allocator_use(memory);
    struct weft_doc_options options = {.allocator = &allocator};
    struct weft_doc *doc = NULL;
    struct weft_buffer out;
    weft_buffer_init(&out, NULL);
    *sound_out = true;
    enum weft_status status = weft_doc_create(&doc, &options);
    if (status != WEFT_OK)
        return status;
    status = weft_doc_set_agent(doc, 3);
    struct weft_digest before;
    struct weft_digest after;
    for (int i = 0; status == WEFT_OK && i < 300; i++) {
        uint64_t length = weft_doc_length(doc, WEFT_SCALARS);
        uint64_t atoms = weft_doc_stats(doc).atoms;
        uint64_t at = length * (uint64_t)(i % 7) / 7;
        if (i % 5 == 4)
            status = weft_doc_delete(doc, WEFT_SCALARS, at / 2, 3);
        else if (i % 50 == 49)
            status =
                weft_doc_replace_text(doc, (const uint8_t *)"quite another text, \xC3\xA9", 22);
        else
            status =
                weft_doc_insert(doc, WEFT_SCALARS, at, (const uint8_t *)"some \xE2\x82\xAC", 8);
        if (status != WEFT_OK && i % 50 != 49)
            *sound_out = weft_doc_stats(doc).atoms == atoms;
    }
    if (status == WEFT_OK)
        status = weft_doc_digest(&before, doc);
    if (status == WEFT_OK)
        status = weft_doc_delta_since(&out, doc, NULL, 0);
    struct weft_doc *other = NULL;
    if (status == WEFT_OK)
        status = weft_doc_create(&other, &options);
    struct weft_apply_result result;
    if (status == WEFT_OK) {
        status = weft_doc_apply(&result, other, WEFT_APPLY_PARK, out.data, out.size);
        if (status != WEFT_OK)
            *sound_out = *sound_out && weft_doc_stats(other).atoms == 0;
    }
    if (status == WEFT_OK)
        status = weft_doc_digest(&after, other);
    if (status == WEFT_OK)
        *sound_out = *sound_out && memcmp(&before, &after, sizeof(before)) == 0;
    memory->fail_from = UINT64_MAX; // the check needs memory too
    if (other != NULL)
        *sound_out = *sound_out && weft_doc_check(other) == NULL;
    *sound_out = *sound_out && weft_doc_check(doc) == NULL;
    weft_doc_destroy(other);
    weft_doc_destroy(doc);
    weft_buffer_finish(&out);
    return status;
}

Test(hostile, a_failed_allocation_anywhere_changes_nothing_and_leaks_nothing)
{
    for (uint64_t call = 1;; call++) {
        struct test_allocator memory = test_allocator_make();
        memory.fail_from = call;
        bool sound = false;
        enum weft_status status = run_script(&memory, &sound);
        cr_assert_eq(memory.used, 0, "allocation %llu: %zu bytes were not given back",
                     (unsigned long long)call, memory.used);
        if (status == WEFT_OK) {
            cr_assert(sound);
            cr_assert_gt(call, 20, "the script allocates");
            break;
        }
        cr_assert_eq(status, WEFT_NO_MEMORY, "allocation %llu: %s", (unsigned long long)call,
                     weft_status_text(status));
        cr_assert(sound, "allocation %llu: the document is not as it was",
                  (unsigned long long)call);
    }
}

Test(hostile, without_memory_a_delta_with_unknown_kinds_is_applied_whole_or_not_at_all)
{
    static const uint8_t payload[1000] = {0xff};
    const struct weft_run runs[] = {
        {.length = 2,
         .agent = 1,
         .lamport = 1,
         .target = WEFT_ID_ROOT,
         .text = (const uint8_t *)"ab",
         .text_size = 2},
        {.kind = 9, .length = 3, .agent = 1, .seq = 2, .lamport = 3},
        {.kind = 10,
         .length = 1,
         .agent = 2,
         .lamport = 6,
         .text = payload,
         .text_size = sizeof(payload)},
    };
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    delta_of_runs(&delta, runs, 3);
    enum weft_status status = WEFT_NO_MEMORY;
    for (uint64_t call = 1; status != WEFT_OK; call++) {
        struct test_allocator memory = test_allocator_make();
        struct weft_allocator allocator = test_allocator_use(&memory);
        struct weft_doc *doc;
        struct weft_apply_result result;
        cr_assert_eq(weft_doc_create(&doc, &(struct weft_doc_options){.allocator = &allocator}),
                     WEFT_OK);
        memory.fail_from = memory.calls + call;
        status = weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta.data, delta.size);
        memory.fail_from = UINT64_MAX;
        cr_assert(status == WEFT_OK || status == WEFT_NO_MEMORY, "allocation %llu: %s",
                  (unsigned long long)call, weft_status_text(status));
        cr_assert_eq(weft_doc_stats(doc).atoms, status == WEFT_OK ? 6 : 0);
        cr_assert_null(weft_doc_check(doc));
        weft_doc_destroy(doc);
        cr_assert_eq(memory.used, 0);
    }
    weft_buffer_finish(&delta);
}

static struct weft_run random_run(struct random *random)
{
    static const char *const texts[] = {"a", "\xc3\xa9", "ab", "a\xe2\x82\xac",
                                        "\xf0\x9f\x98\x80!"};
    static const uint64_t greats[] = {200, 20000, UINT64_C(1) << 33, UINT64_C(1) << 49};
    uint64_t great = greats[random_below(random, 4)];
    struct weft_run run = {
        .kind = (uint8_t)(random_permille(random, 100) ? 4 : random_below(random, 2)),
        .length = (uint32_t)random_between(random, 1, 3),
        .agent = random_between(random, 1, 2),
        .seq = random_below(random, great),
        .target = {random_between(random, 1, 2), random_below(random, great)},
    };
    run.lamport = random_permille(random, 500) ? run.seq + 1 : random_below(random, great);
    if (random_permille(random, 500))
        run.target = (struct weft_id){run.agent, run.seq - 1};
    if (run.kind == WEFT_RUN_INSERT) {
        const char *text = texts[random_below(random, sizeof(texts) / sizeof(*texts))];
        run.text = (const uint8_t *)text;
        run.text_size = strlen(text);
        run.left = random_permille(random, 300);
    } else if (run.kind == WEFT_RUN_DELETE) {
        run.backward = random_permille(random, 300);
    }
    return run;
}

/// Turns a delta of one short run into the single form: without its count of rows and four sizes.
static void make_single(struct weft_buffer *delta)
{
    size_t columns = 3 + (size_t)8 * delta->data[2];
    memmove(delta->data + columns, delta->data + columns + 5, delta->size - columns - 5);
    delta->size -= 5;
    delta->data[1] = 1;
}

static bool runs_are_equal(const struct weft_run *a, const struct weft_run *b)
{
    return a->kind == b->kind && a->left == b->left && a->backward == b->backward &&
           a->length == b->length && a->agent == b->agent && a->seq == b->seq &&
           a->lamport == b->lamport && a->target.agent == b->target.agent &&
           a->target.seq == b->target.seq && a->text == b->text && a->text_size == b->text_size;
}

Test(hostile, what_is_read_as_a_keystroke_is_what_the_reader_of_deltas_reads)
{
    struct weft_allocator allocator = weft_allocator_libc();
    struct weft_buffer delta;
    uint64_t read = 0;
    weft_buffer_init(&delta, NULL);
    for (struct property p = property_start("a keystroke is a delta", 20000); property_next(&p);) {
        struct weft_run run = random_run(&p.random);
        delta.size = 0;
        delta_of_runs(&delta, &run, 1);
        make_single(&delta);
        if (random_permille(&p.random, 700))
            mutate(&p.random, &delta);
        struct span bytes = {delta.data, delta.size};
        struct weft_run quick;
        struct weft_run slow;
        struct delta_reader reader;
        if (!delta_read_single(&quick, bytes))
            continue;
        read++;
        CHECK(&p, delta_reader_init(&reader, &allocator, bytes) == WEFT_OK, "no delta");
        CHECK(&p, delta_reader_next(&reader, &slow) == WEFT_OK, "no run");
        CHECK(&p, delta_reader_next(&reader, &run) == WEFT_NOT_FOUND, "something follows");
        CHECK(&p, runs_are_equal(&quick, &slow), "another run");
        delta_reader_finish(&reader);
    }
    cr_assert_gt(read, 100);
    weft_buffer_finish(&delta);
}
