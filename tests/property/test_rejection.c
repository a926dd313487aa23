// SPDX-License-Identifier: MIT
// A run that breaks a rule is left out by every replica, in whatever order things arrive, and so is
// what its author did after it; nothing else is.
//
// Two honest authors and one of each kind of cheat. Every delta reaches every replica, in another
// order each time. All must become the document that has only what is sound.
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/deltas.h"
#include "tests/support/documents.h"

enum { HONEST_A = 5, HONEST_B = 9, DELTAS_MAX = 160 };

/// What stands at the agents' seqs, so that cheats know what to name: A has inserted [0, 20),
/// deleted [5, 10) with [20, 25), inserted [25, 35); B has inserted [0, 6) at Lamport times [40,
/// 46).
static const struct weft_run honest[] = {
    {.kind = WEFT_RUN_INSERT,
     .length = 20,
     .agent = HONEST_A,
     .seq = 0,
     .lamport = 1,
     .target = {0, UINT64_MAX},
     .text = (const uint8_t *)"abcdefghijklmnopqrst",
     .text_size = 20},
    {.kind = WEFT_RUN_DELETE,
     .length = 5,
     .agent = HONEST_A,
     .seq = 20,
     .lamport = 21,
     .target = {HONEST_A, 5}},
    {.kind = WEFT_RUN_INSERT,
     .length = 10,
     .agent = HONEST_A,
     .seq = 25,
     .lamport = 26,
     .target = {HONEST_A, 3},
     .text = (const uint8_t *)"0123456789",
     .text_size = 10},
    {.kind = WEFT_RUN_INSERT,
     .left = true,
     .length = 6,
     .agent = HONEST_B,
     .seq = 0,
     .lamport = 40,
     .target = {HONEST_A, 30},
     .text = (const uint8_t *)"UVWXYZ",
     .text_size = 6},
};

/// A run by some author after 3 sound atoms at Lamport times [50, 53): seq 3, Lamport time 60,
/// unless said otherwise. The agent is filled in.
static const struct cheat {
    const char *what;
    struct weft_run run;
    bool sound; // no cheat: must be taken by all
} cheats[] = {
    {"a sound insert", {.kind = WEFT_RUN_INSERT, .target = {HONEST_A, 0}, .length = 1}, true},
    {"a sound delete", {.kind = WEFT_RUN_DELETE, .target = {HONEST_A, 0}, .length = 4}, true},
    {"a sound delete, backward",
     {.kind = WEFT_RUN_DELETE, .backward = true, .target = {HONEST_A, 12}, .length = 13},
     true},
    {"a delete of what is deleted",
     {.kind = WEFT_RUN_DELETE, .target = {HONEST_A, 5}, .length = 5},
     true},
    {"a sound undelete",
     {.kind = WEFT_RUN_UNDELETE,
      .target = {HONEST_A, 21},
      .length = 3,
      .text = (const uint8_t *)"ghi",
      .text_size = 3},
     true},
    {"an undelete of all of a delete",
     {.kind = WEFT_RUN_UNDELETE,
      .target = {HONEST_A, 20},
      .length = 5,
      .text = (const uint8_t *)"fghij",
      .text_size = 5},
     true},
    {"an undelete that brings another text",
     {.kind = WEFT_RUN_UNDELETE,
      .target = {HONEST_A, 21},
      .length = 3,
      .text = (const uint8_t *)"gHi",
      .text_size = 3},
     false},
    {"an undelete of an insert",
     {.kind = WEFT_RUN_UNDELETE, .target = {HONEST_A, 3}, .length = 1},
     false},
    {"an undelete that reaches into an insert",
     {.kind = WEFT_RUN_UNDELETE, .target = {HONEST_A, 22}, .length = 4},
     false},
    {"an undelete that comes from an insert",
     {.kind = WEFT_RUN_UNDELETE, .target = {HONEST_A, 18}, .length = 4},
     false},
    {"an undelete of a delete that never comes",
     {.kind = WEFT_RUN_UNDELETE, .target = {77, 0}, .length = 1},
     false},
    {"an undelete of itself", {.kind = WEFT_RUN_UNDELETE, .target = {1, 3}, .length = 1}, false},
    {"no operation", {.kind = WEFT_RUN_NOP, .length = 7}, true},
    {"an unknown kind",
     {.kind = 9, .length = 2, .text = (const uint8_t *)"\xFF\x00pay", .text_size = 5},
     true},
    {"a parent at the same Lamport time",
     {.kind = WEFT_RUN_INSERT, .target = {HONEST_B, 5}, .length = 1, .lamport = 45},
     false},
    {"a parent at a later Lamport time",
     {.kind = WEFT_RUN_INSERT, .target = {HONEST_B, 0}, .length = 1, .lamport = 38},
     false},
    {"Lamport times that do not grow",
     {.kind = WEFT_RUN_INSERT, .target = {HONEST_A, 0}, .length = 1, .lamport = 52},
     false},
    {"a Lamport time of the past",
     {.kind = WEFT_RUN_INSERT, .target = {HONEST_A, 0}, .length = 1, .lamport = 4},
     false},
    {"a parent that is a delete",
     {.kind = WEFT_RUN_INSERT, .target = {HONEST_A, 21}, .length = 1},
     false},
    {"a delete of a delete",
     {.kind = WEFT_RUN_DELETE, .target = {HONEST_A, 22}, .length = 1},
     false},
    {"a delete that reaches into a delete",
     {.kind = WEFT_RUN_DELETE, .target = {HONEST_A, 17}, .length = 4},
     false},
    {"a delete across a delete",
     {.kind = WEFT_RUN_DELETE, .target = {HONEST_A, 15}, .length = 15},
     false},
    {"a backward delete across a delete",
     {.kind = WEFT_RUN_DELETE, .backward = true, .target = {HONEST_A, 27}, .length = 9},
     false},
    {"a backward delete below zero",
     {.kind = WEFT_RUN_DELETE, .backward = true, .target = {HONEST_A, 2}, .length = 4},
     false},
    {"a delete of a later Lamport time",
     {.kind = WEFT_RUN_DELETE, .target = {HONEST_B, 0}, .length = 1, .lamport = 40},
     false},
    {"a delete that gets ahead of its atoms",
     {.kind = WEFT_RUN_DELETE, .target = {HONEST_A, 15}, .length = 5, .lamport = 15},
     false},
    {"itself as parent", {.kind = WEFT_RUN_INSERT, .target = {1, 3}, .length = 2}, false},
    {"its own later atom as parent",
     {.kind = WEFT_RUN_INSERT, .target = {1, 9}, .length = 2},
     false},
    {"a delete of itself", {.kind = WEFT_RUN_DELETE, .target = {1, 3}, .length = 1}, false},
    {"a delete that reaches itself",
     {.kind = WEFT_RUN_DELETE, .target = {1, 1}, .length = 4},
     false},
    {"a Lamport time beyond the cap",
     {.kind = WEFT_RUN_NOP, .length = 1, .lamport = UINT32_MAX},
     false},
    {"a Lamport time beyond 32 bits",
     {.kind = WEFT_RUN_NOP, .length = 1, .lamport = UINT64_C(1) << 40},
     false},
    {"a run that crosses the cap of Lamport times",
     {.kind = WEFT_RUN_NOP, .length = 1000, .lamport = UINT32_MAX - 500},
     false},
    {"no operation that carries bytes",
     {.kind = WEFT_RUN_NOP, .length = 1, .text = (const uint8_t *)"x", .text_size = 1},
     false},
    {"a parent that never comes", {.kind = WEFT_RUN_INSERT, .target = {77, 4}, .length = 1}, false},
    {"a delete past what there is",
     {.kind = WEFT_RUN_DELETE, .target = {HONEST_B, 3}, .length = 9},
     false},
    {"a gap in the seqs", {.kind = WEFT_RUN_NOP, .length = 1, .seq = 4}, false},
};

enum { CHEATS = sizeof(cheats) / sizeof(cheats[0]), HONEST = sizeof(honest) / sizeof(honest[0]) };

struct world {
    struct weft_buffer deltas[DELTAS_MAX]; // all that is delivered
    size_t count;
    struct weft_doc *reference; // was given only what is sound
};

/// A delta of its own for one run; to the reference too when it is sound.
static void add(const struct property *property, struct world *world, const struct weft_run *run,
                bool sound)
{
    struct weft_buffer *delta = &world->deltas[world->count++];
    weft_buffer_init(delta, NULL);
    delta_of_runs(delta, run, 1);
    if (!sound)
        return;
    struct weft_apply_result result =
        replica_apply(property, world->reference, WEFT_APPLY_STRICT, delta->data, delta->size);
    CHECK(property, result.atoms_applied == run->length,
          "the reference takes a sound run whole: %s", weft_status_text(result.reason));
}

/// What one author does: three sound atoms, the run of its kind, three more atoms.
static void add_author(const struct property *property, struct world *world,
                       const struct cheat *cheat, uint64_t agent)
{
    struct weft_run run = {.kind = WEFT_RUN_INSERT,
                           .length = 3,
                           .agent = agent,
                           .lamport = 50,
                           .target = {HONEST_A, 27},
                           .text = (const uint8_t *)"#-+",
                           .text_size = 3};
    add(property, world, &run, true);
    run = cheat->run;
    run.agent = agent;
    run.seq = run.seq == 0 ? 3 : run.seq;
    run.lamport = run.lamport == 0 ? 60 : run.lamport;
    if (run.target.agent == 1)
        run.target.agent = agent;
    if (run.kind == WEFT_RUN_INSERT || (run.kind == WEFT_RUN_UNDELETE && run.text == NULL)) {
        run.text = (const uint8_t *)"!!!!!";
        run.text_size = run.length;
    }
    add(property, world, &run, cheat->sound);
    run = (struct weft_run){.kind = WEFT_RUN_INSERT,
                            .length = 2,
                            .agent = agent,
                            .seq = run.seq + run.length,
                            .lamport = cheat->sound ? 100 : UINT64_C(4000000000),
                            .target = {HONEST_A, 2},
                            .text = (const uint8_t *)"<>",
                            .text_size = 2};
    add(property, world, &run, cheat->sound);
}

static void deliver_shuffled(struct property *property, const struct world *world,
                             struct weft_doc *doc)
{
    size_t order[DELTAS_MAX];
    for (size_t i = 0; i < world->count; i++) {
        size_t at = random_below(&property->random, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < world->count; i++) {
        const struct weft_buffer *delta = &world->deltas[order[i]];
        struct weft_apply_result result;
        bool park = random_permille(&property->random, 700);
        CHECK_OK(property, weft_doc_apply(&result, doc, park ? WEFT_APPLY_PARK : WEFT_APPLY_STRICT,
                                          delta->data, delta->size));
    }
}

Test(rejection, all_replicas_leave_out_the_same_runs_in_any_order)
{
    for (struct property p = property_start("rejection", 400); property_next(&p);) {
        struct world world = {.count = 0};
        CHECK_OK(&p, weft_doc_create(&world.reference, NULL));
        for (size_t i = 0; i < HONEST; i++)
            add(&p, &world, &honest[i], true);
        for (size_t i = 0; i < CHEATS; i++) {
            uint64_t agent = 1000 * (i + 1) + random_below(&p.random, 1000);
            add_author(&p, &world, &cheats[i],
                       random_permille(&p.random, 500) ? agent : agent << 40);
        }
        struct weft_doc *doc = NULL;
        CHECK_OK(&p, weft_doc_create(&doc, NULL));
        for (int pass = 0; pass < 5; pass++) // strict ones that came too early come again
            deliver_shuffled(&p, &world, doc);
        for (size_t i = 0; i < world.count; i++) { // and in the end all causes first
            struct weft_apply_result result;
            CHECK_OK(&p, weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, world.deltas[i].data,
                                        world.deltas[i].size));
        }
        document_check_equal(&p, world.reference, doc);
        document_check_sound(&p, doc);
        for (size_t i = 0; i < world.count; i++)
            weft_buffer_finish(&world.deltas[i]);
        weft_doc_destroy(world.reference);
        weft_doc_destroy(doc);
    }
}

Test(rejection, each_cheat_is_told_as_what_it_is)
{
    struct property p = property_start("cheats one by one", 1);
    property_next(&p);
    for (size_t i = 0; i < CHEATS; i++) {
        struct world world = {.count = 0};
        CHECK_OK(&p, weft_doc_create(&world.reference, NULL));
        for (size_t j = 0; j < HONEST; j++)
            add(&p, &world, &honest[j], true);
        size_t first = world.count;
        add_author(&p, &world, &cheats[i], 4711);
        const struct weft_buffer *delta = &world.deltas[first + 1];
        struct weft_digest before = document_digest(&p, world.reference);
        struct weft_apply_result result;
        CHECK_OK(&p, weft_doc_apply(&result, world.reference, WEFT_APPLY_STRICT, delta->data,
                                    delta->size));
        struct weft_digest after = document_digest(&p, world.reference);
        CHECK(&p, memcmp(&before, &after, sizeof(before)) == 0, "%s: changed the digest",
              cheats[i].what);
        CHECK(&p, result.atoms_applied == 0, "%s: was applied", cheats[i].what);
        bool waits = strstr(cheats[i].what, "never comes") != NULL ||
                     strstr(cheats[i].what, "past what there is") != NULL ||
                     strstr(cheats[i].what, "a gap") != NULL;
        if (cheats[i].sound)
            CHECK(&p, result.runs_duplicate == 1, "%s: is known", cheats[i].what);
        else if (waits)
            CHECK(&p, result.runs_missing == 1, "%s: waits", cheats[i].what);
        else
            CHECK(&p,
                  result.runs_invalid == 1 && result.reason == WEFT_INVALID &&
                      result.invalid.agent == 4711 && result.invalid.seq == 3,
                  "%s: must be invalid, is %u invalid, %u missing, %u duplicate", cheats[i].what,
                  result.runs_invalid, result.runs_missing, result.runs_duplicate);
        for (size_t j = 0; j < world.count; j++)
            weft_buffer_finish(&world.deltas[j]);
        weft_doc_destroy(world.reference);
    }
}

/// The runs that create a document with a text, by agents of the reserved class.
static bool copy_run(void *context, const struct weft_run *run)
{
    *(struct weft_run *)context = *run;
    return false;
}

Test(rejection, an_agent_of_the_reserved_class_has_only_the_run_that_its_id_names)
{
    struct property p = property_start("reserved class", 1);
    property_next(&p);
    struct weft_doc_options options = {.name = (const uint8_t *)"n", .name_size = 1};
    struct weft_doc *origin = NULL;
    CHECK_OK(&p, weft_doc_create(&origin, &options));
    CHECK_OK(&p, weft_doc_insert_initial(origin, (const uint8_t *)"the text", 8));
    struct weft_run genuine = {.kind = 0};
    weft_doc_visit_runs(origin, copy_run, &genuine);
    struct weft_run forged[7];
    for (size_t i = 0; i < 7; i++)
        forged[i] = genuine;
    forged[0].text = (const uint8_t *)"the Text";
    forged[1].length = forged[1].text_size = 7;
    forged[2].agent ^= 1;
    forged[3].lamport += 1;
    forged[4] = (struct weft_run){.kind = WEFT_RUN_NOP,
                                  .length = 1,
                                  .agent = genuine.agent,
                                  .seq = genuine.length,
                                  .lamport = genuine.lamport + 8};
    forged[5] = (struct weft_run){.kind = WEFT_RUN_DELETE,
                                  .length = 1,
                                  .agent = genuine.agent,
                                  .seq = genuine.length,
                                  .lamport = genuine.lamport + 8,
                                  .target = {genuine.agent, 0}};
    forged[6].kind = WEFT_RUN_NOP;
    forged[6].text_size = 0;
    for (size_t i = 0; i < 7; i++) {
        bool after = forged[i].seq > 0;
        struct weft_doc *doc = NULL;
        CHECK_OK(&p, weft_doc_create(&doc, &options));
        for (int pass = 0; pass < 2; pass++) { // without and then with the genuine run
            struct weft_buffer delta;
            weft_buffer_init(&delta, NULL);
            delta_of_runs(&delta, &forged[i], 1);
            struct weft_apply_result result;
            CHECK_OK(&p, weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, delta.data, delta.size));
            CHECK(&p,
                  result.atoms_applied == 0 && (result.runs_invalid == 1 || (after && pass == 0)),
                  "forgery %zu, pass %d", i, pass);
            delta.size = 0;
            delta_of_runs(&delta, &genuine, 1);
            replica_apply(&p, doc, WEFT_APPLY_STRICT, delta.data, delta.size);
            weft_buffer_finish(&delta);
        }
        document_check_equal(&p, origin, doc);
        weft_doc_destroy(doc);
    }
    weft_doc_destroy(origin);
}
