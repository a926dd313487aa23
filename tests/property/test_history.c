// SPDX-License-Identifier: MIT
// The past of replicas that edit, undo, redo, restore and hear of each other at random: what was
// seen is what libweft says was there, on every replica, for ever; and what the oracle says.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include <weft/history.h>
#include <weft/undo.h>
#include <weft/version.h>

#include "tests/support/documents.h"
#include "tests/support/oracle.h"
#include "tests/support/past.h"

enum { REPLICAS_MAX = 4, MOMENTS_MAX = 24 };

struct world {
    struct replica replicas[REPLICAS_MAX];
    struct weft_undo *undos[REPLICAS_MAX];
    size_t replica_count;
    struct moment moments[MOMENTS_MAX];
    size_t moment_count;
    enum text_alphabet alphabet;
    uint64_t next_agent;
    uint64_t now_ms;
};

static void note(struct property *property, struct world *world, size_t who)
{
    world->now_ms += random_below(&property->random, 900);
    CHECK_OK(property, weft_undo_note(world->undos[who], world->replicas[who].doc, world->now_ms));
}

static void begin_session(struct property *property, struct world *world, size_t who)
{
    uint64_t agent = random_permille(&property->random, 500) ? world->next_agent++
                                                             : random_next(&property->random) >> 2;
    replica_set_agent(property, &world->replicas[who], agent + 1);
    weft_undo_destroy(world->undos[who]);
    CHECK_OK(property,
             weft_undo_create(&world->undos[who], world->replicas[who].doc, agent + 1, NULL));
}

static void world_init(struct property *property, struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->replica_count = random_between(&property->random, 1, REPLICAS_MAX);
    world->alphabet = (enum text_alphabet)random_below(&property->random, TEXT_ALPHABETS);
    world->next_agent = random_between(&property->random, 1, 1000);
    for (size_t i = 0; i < world->replica_count; i++) {
        replica_init(property, &world->replicas[i], world->next_agent++, NULL);
        begin_session(property, world, i);
    }
}

static void world_finish(struct world *world)
{
    for (size_t i = 0; i < world->replica_count; i++) {
        weft_undo_destroy(world->undos[i]);
        replica_finish(&world->replicas[i]);
    }
    for (size_t i = 0; i < world->moment_count; i++)
        moment_finish(&world->moments[i]);
}

static void remember(const struct property *property, struct world *world, size_t who)
{
    if (world->moment_count == MOMENTS_MAX)
        return;
    world->moments[world->moment_count++] = moment_make(property, world->replicas[who].doc);
}

static bool covers(const struct property *property, const struct weft_doc *doc,
                   const struct moment *moment)
{
    enum weft_order order;
    struct weft_buffer version = document_version(property, doc);
    CHECK_OK(property, weft_version_compare(&order, moment->version.data, moment->version.size,
                                            version.data, version.size));
    weft_buffer_finish(&version);
    return order == WEFT_ORDER_EQUAL || order == WEFT_ORDER_BEFORE;
}

static void undo_or_redo(struct property *property, struct world *world, size_t who)
{
    struct weft_doc *doc = world->replicas[who].doc;
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    enum weft_status status = random_permille(&property->random, 650)
                                  ? weft_undo_undo(&delta, world->undos[who], doc)
                                  : weft_undo_redo(&delta, world->undos[who], doc);
    CHECK(property, status == WEFT_OK || status == WEFT_NOT_FOUND, "%s", weft_status_text(status));
    weft_buffer_finish(&delta);
}

/// Back to a moment; sometimes that is undone, and gives the former text.
static void restore(struct property *property, struct world *world, size_t who)
{
    struct weft_doc *doc = world->replicas[who].doc;
    if (world->moment_count == 0)
        return;
    const struct moment *moment =
        &world->moments[random_below(&property->random, world->moment_count)];
    struct weft_buffer former = document_text(property, doc);
    struct weft_buffer version = document_version(property, doc);
    world->now_ms += 10000; // a step of its own
    enum weft_status status = weft_doc_restore(doc, moment->version.data, moment->version.size);
    struct weft_buffer text = document_text(property, doc);
    if (!covers(property, doc, moment)) {
        CHECK(property, status == WEFT_BEHIND, "%s", weft_status_text(status));
        past_check_same(property, &text, &former, "restored what is not here");
    } else {
        CHECK_OK(property, status);
        bool equal = past_same(former, moment->text);
        past_check_same(property, &text, &moment->text, "restored");
        struct weft_buffer later = document_version(property, doc);
        CHECK(property, !equal || !past_same(version, moment->version) || past_same(version, later),
              "the same version again is an edit");
        weft_buffer_finish(&later);
        later = document_version(property, doc);
        CHECK_OK(property, weft_doc_restore(doc, moment->version.data, moment->version.size));
        struct weft_buffer again = document_version(property, doc);
        CHECK(property, past_same(later, again), "restored twice, which is an edit");
        weft_buffer_finish(&again);
        weft_buffer_finish(&later);
        note(property, world, who);
        const char *broken = weft_doc_check(doc);
        CHECK(property, broken == NULL, "%s", broken);
        if (!equal && random_permille(&property->random, 500)) {
            struct weft_buffer delta;
            weft_buffer_init(&delta, NULL);
            CHECK_OK(property, weft_undo_undo(&delta, world->undos[who], doc));
            text = document_text(property, doc);
            past_check_same(property, &text, &former, "a restored document, undone");
            if (random_permille(&property->random, 500)) {
                CHECK_OK(property, weft_undo_redo(&delta, world->undos[who], doc));
                text = document_text(property, doc);
                past_check_same(property, &text, &moment->text, "undone, and redone");
            }
            weft_buffer_finish(&delta);
        }
    }
    weft_buffer_finish(&version);
    weft_buffer_finish(&former);
}

static void step(struct property *property, struct world *world)
{
    struct random *random = &property->random;
    size_t who = random_below(random, world->replica_count);
    uint64_t kind = random_below(random, 100);
    if (kind < 50) {
        replica_edit(property, &world->replicas[who], world->alphabet);
        note(property, world, who);
    } else if (kind < 60) {
        undo_or_redo(property, world, who);
    } else if (kind < 64) {
        replica_undelete(property, &world->replicas[who]);
        note(property, world, who);
    } else if (kind < 72) {
        restore(property, world, who);
    } else if (kind < 84) {
        size_t other = random_below(random, world->replica_count);
        if (other != who)
            replica_pull(property, world->replicas[who].doc, world->replicas[other].doc);
    } else if (kind < 88) {
        begin_session(property, world, who);
    } else if (kind < 90) {
        replica_restart(property, &world->replicas[who], NULL);
    } else {
        remember(property, world, who);
    }
}

// --------------------------------------------------------------------------------------- checking

static bool add_some(void *context, uint64_t agent, uint64_t next)
{
    struct property *property = ((void **)context)[0];
    struct weft_buffer *version = ((void **)context)[1];
    uint8_t entry[9] = {0};
    uint64_t less = random_below(&property->random, (next < 127 ? next : 127) + 1);
    for (int i = 0; i < 8; i++)
        entry[i] = (uint8_t)(agent >> 8 * i);
    entry[8] = (uint8_t)less; // one byte as a varint
    if (less == 0)
        return true;
    version->data[0]++;
    CHECK_OK(property, weft_buffer_append(version, entry, sizeof(entry)));
    return true;
}

/// A version that hardly any replica was ever at.
static struct weft_buffer any_version(struct property *property, const struct weft_doc *doc)
{
    struct weft_buffer all = document_version(property, doc);
    struct weft_buffer some;
    void *context[2] = {property, &some};
    weft_buffer_init(&some, NULL);
    CHECK_OK(property, weft_buffer_append(&some, "", 1));
    CHECK_OK(property, weft_version_visit(all.data, all.size, add_some, context));
    weft_buffer_finish(&all);
    return some;
}

static void check_versions(struct property *property, struct world *world,
                           const struct weft_doc *doc)
{
    struct random *random = &property->random;
    struct oracle oracle = oracle_collect(doc);
    struct weft_buffer text = document_text(property, doc);
    oracle_tree(&oracle);
    past_check_blame(property, doc, &oracle, NULL, &text);
    for (size_t i = 0; i < world->moment_count; i++) {
        const struct moment *other = &world->moments[random_below(random, world->moment_count)];
        struct weft_buffer both;
        past_check_text(property, doc, &world->moments[i]);
        past_check_diff(property, doc, &oracle, &world->moments[i], other);
        weft_buffer_init(&both, NULL);
        CHECK_OK(property, weft_version_merge(&both, world->moments[i].version.data,
                                              world->moments[i].version.size, other->version.data,
                                              other->version.size));
        past_check_oracle(property, doc, &both);
        weft_buffer_finish(&both);
    }
    struct weft_buffer any = any_version(property, doc);
    past_check_oracle(property, doc, &any);
    weft_buffer_finish(&any);
    oracle_finish(&oracle);
    weft_buffer_finish(&text);
}

static void check_told(const struct property *property, const struct replica *replica)
{
    struct weft_buffer text = document_text(property, replica->doc);
    past_check_same(property, &text, &replica->told, "what the observer was told");
}

Test(history, what_was_seen_is_what_was_there_whoever_is_asked)
{
    for (struct property p = property_start("history", 600); property_next(&p);) {
        struct world world;
        world_init(&p, &world);
        for (uint64_t steps = random_between(&p.random, 5, 120); steps > 0; steps--)
            step(&p, &world);
        for (int round = 0; round < 2; round++) { // what the last has goes to all, once it has all
            for (size_t i = 0; i < world.replica_count; i++)
                for (size_t j = 0; j < world.replica_count; j++)
                    if (i != j)
                        replica_pull(&p, world.replicas[i].doc, world.replicas[j].doc);
        }
        for (size_t i = 0; i < world.replica_count; i++) {
            document_check_sound(&p, world.replicas[i].doc);
            document_check_equal(&p, world.replicas[0].doc, world.replicas[i].doc);
            check_told(&p, &world.replicas[i]);
            check_versions(&p, &world, world.replicas[i].doc);
        }
        world_finish(&world);
    }
}
