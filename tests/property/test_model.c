// SPDX-License-Identifier: MIT
// The model test: some replicas edit, undo, redo and restore at random; their messages are lost,
// sent again, reordered, doubled, overlapped; processes restart. In the end all hold one document,
// the one of the oracle, and what was seen in between is what libweft says was there.
//
// A law ends when it has made OPERATIONS atoms, a tenth of them under a sanitizer; what counts is
// an inserted, deleted or undeleted element of a world's document, once, however many replicas hold
// it.
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/undo.h>
#include <weft/version.h>

#include "tests/support/documents.h"
#include "tests/support/oracle.h"
#include "tests/support/past.h"

enum {
    OPERATIONS = 1000000,
    ROUNDS_MAX = 1000000, // enough for OPERATIONS
    SECONDS_MAX = 200,    // of the clock; the machine may be busy with other tests
    REPLICAS_MAX = 5,
    MESSAGES_MAX = 400,
    MOMENTS_MAX = 12,
};

struct world {
    struct replica replicas[REPLICAS_MAX];
    struct weft_undo *undos[REPLICAS_MAX];
    struct weft_doc_options options[REPLICAS_MAX];
    size_t replica_count;
    struct weft_buffer messages[MESSAGES_MAX];
    size_t message_count;
    struct weft_buffer old_version; // of someone at some time
    struct moment moments[MOMENTS_MAX];
    size_t moment_count;
    enum text_alphabet alphabet;
    uint64_t next_agent;
    uint64_t now_ms;
    bool collects; // text is dropped, by each when it likes
    uint64_t collected;
    bool revises; // undo, redo, restore, undeletes of anyone's deletes
};

// ----------------------------------------------------------------------------------- the replicas

/// A session of an agent that undoes what it does from now on.
static void begin_session(struct property *property, struct world *world, size_t who,
                          uint64_t agent)
{
    replica_set_agent(property, &world->replicas[who], agent);
    weft_undo_destroy(world->undos[who]);
    CHECK_OK(property, weft_undo_create(&world->undos[who], world->replicas[who].doc, agent, NULL));
}

static void world_init(struct property *property, struct world *world, bool classic)
{
    memset(world, 0, sizeof(*world));
    world->replica_count = random_between(&property->random, 2, REPLICAS_MAX);
    world->alphabet = (enum text_alphabet)random_below(&property->random, TEXT_ALPHABETS);
    world->next_agent = random_between(&property->random, 1, 1000);
    world->revises = !random_permille(&property->random, 250);
    world->collects = random_permille(&property->random, 500);
    weft_buffer_init(&world->old_version, NULL);
    for (size_t i = 0; i < world->replica_count; i++) {
        bool sided = !classic && random_permille(&property->random, 850);
        world->options[i].policy = sided ? WEFT_POLICY_SIDED : WEFT_POLICY_CLASSIC;
        replica_init(property, &world->replicas[i], world->next_agent, &world->options[i]);
        begin_session(property, world, i, world->next_agent++);
    }
}

static void world_finish(struct world *world)
{
    for (size_t i = 0; i < world->replica_count; i++) {
        weft_undo_destroy(world->undos[i]);
        replica_finish(&world->replicas[i]);
    }
    for (size_t i = 0; i < world->message_count; i++)
        weft_buffer_finish(&world->messages[i]);
    for (size_t i = 0; i < world->moment_count; i++)
        moment_finish(&world->moments[i]);
    weft_buffer_finish(&world->old_version);
}

static void remember(struct property *property, struct world *world, size_t who)
{
    const struct weft_doc *doc = world->replicas[who].doc;
    world->old_version.size = 0;
    CHECK_OK(property, weft_doc_version(&world->old_version, doc));
    uint64_t lacking;
    CHECK_OK(property, weft_doc_lacking(&lacking, doc));
    if (world->moment_count < MOMENTS_MAX && lacking == 0)
        world->moments[world->moment_count++] = moment_make(property, doc);
}

// --------------------------------------------------------------------------------- what they do

static void undo_or_redo(struct property *property, struct world *world, size_t who)
{
    struct weft_buffer delta;
    struct weft_doc *doc = world->replicas[who].doc;
    weft_buffer_init(&delta, NULL);
    enum weft_status status = random_permille(&property->random, 650)
                                  ? weft_undo_undo(&delta, world->undos[who], doc)
                                  : weft_undo_redo(&delta, world->undos[who], doc);
    CHECK(property,
          status == WEFT_OK || status == WEFT_NOT_FOUND ||
              (status == WEFT_COLLECTED && weft_doc_stats(doc).collected > 0),
          "%s", weft_status_text(status));
    weft_buffer_finish(&delta);
}

/// Back to a moment that someone saw; refused where it is not known yet.
static void restore(struct property *property, struct world *world, size_t who)
{
    if (world->moment_count == 0)
        return;
    struct weft_doc *doc = world->replicas[who].doc;
    const struct moment *moment =
        &world->moments[random_below(&property->random, world->moment_count)];
    struct weft_buffer before = document_text(property, doc);
    enum weft_status status = weft_doc_restore(doc, moment->version.data, moment->version.size);
    struct weft_buffer text = document_text(property, doc);
    CHECK(property,
          status == WEFT_OK || status == WEFT_BEHIND ||
              (status == WEFT_COLLECTED && weft_doc_stats(doc).collected > 0),
          "%s", weft_status_text(status));
    past_check_same(property, &text, status == WEFT_OK ? &moment->text : &before, "restored");
    weft_buffer_finish(&before);
}

static void edit(struct property *property, struct world *world, size_t who)
{
    uint64_t kind = world->revises ? random_below(&property->random, 1000) : 0;
    if (kind < 700)
        replica_edit(property, &world->replicas[who], world->alphabet);
    else if (kind < 850)
        undo_or_redo(property, world, who);
    else if (kind < 970)
        replica_undelete(property, &world->replicas[who]);
    else
        restore(property, world, who);
    if (kind >= 700 && kind < 850)
        return;
    world->now_ms += random_below(&property->random, 900);
    CHECK_OK(property, weft_undo_note(world->undos[who], world->replicas[who].doc, world->now_ms));
}

/// Someone edits; the edit becomes a message, which may also repeat earlier operations of the
/// author, or be all that an old version lacks.
static void edit_and_tell(struct property *property, struct world *world, size_t who)
{
    struct random *random = &property->random;
    struct replica *author = &world->replicas[who];
    if (world->message_count == MESSAGES_MAX)
        return;
    if (random_permille(random, 60)) // a new session; the new agent sorts anywhere
        begin_session(property, world, who, random_next(random) >> 1 | 1);
    uint64_t seq = weft_doc_next_seq(author->doc, author->agent);
    for (uint64_t left = random_between(random, 1, 3); left > 0; left--)
        edit(property, world, who);
    struct weft_buffer *message = &world->messages[world->message_count++];
    weft_buffer_init(message, NULL);
    uint64_t kind = random_below(random, 10);
    if (kind == 0) {
        CHECK_OK(property, weft_doc_delta_since(message, author->doc, world->old_version.data,
                                                world->old_version.size));
        return;
    }
    if (kind < 4)
        seq -= random_below(random, seq + 1 < 30 ? seq + 1 : 30);
    CHECK_OK(property, weft_doc_delta_own(message, author->doc, author->agent, seq));
}

static void deliver(struct property *property, struct world *world, size_t replica, size_t message,
                    enum weft_apply_mode mode)
{
    struct weft_buffer *bytes = &world->messages[message];
    if (bytes->size > 0)
        replica_apply(property, world->replicas[replica].doc, mode, bytes->data, bytes->size);
}

/// Most of what is delivered is recent, some of it is old or known.
static void deliver_any(struct property *property, struct world *world, size_t who)
{
    struct random *random = &property->random;
    if (world->message_count == 0)
        return;
    size_t back = random_below(random, random_permille(random, 800) ? 6 : MESSAGES_MAX);
    size_t message = world->message_count - 1 - back % world->message_count;
    deliver(property, world, who, message,
            random_permille(random, 700) ? WEFT_APPLY_PARK : WEFT_APPLY_STRICT);
}

static void restart(struct property *property, struct world *world, size_t who)
{
    replica_restart(property, &world->replicas[who], &world->options[who]);
}

static void pull(struct property *property, struct world *world, size_t who)
{
    size_t other = random_below(&property->random, world->replica_count);
    replica_pull(property, world->replicas[who].doc, world->replicas[other].doc);
}

/// A replica drops the text of what is deleted, now or at an old version if it has that.
static void collect(struct property *property, struct world *world, size_t who)
{
    struct weft_doc *doc = world->replicas[who].doc;
    struct weft_buffer version = document_version(property, doc);
    enum weft_order order;
    CHECK_OK(property, weft_version_compare(&order, world->old_version.data,
                                            world->old_version.size, version.data, version.size));
    bool old = random_permille(&property->random, 500) &&
               (order == WEFT_ORDER_EQUAL || order == WEFT_ORDER_BEFORE);
    if (world->collects)
        world->collected += replica_collect(property, doc, old ? &world->old_version : &version);
    weft_buffer_finish(&version);
}

/// What a replica may do, and how often of a hundred times.
static const struct {
    uint64_t percent;
    void (*act)(struct property *property, struct world *world, size_t who);
} acts[] = {
    {40, edit_and_tell}, {51, deliver_any}, {2, restart}, {2, remember}, {2, pull}, {3, collect},
};

static void step(struct property *property, struct world *world)
{
    size_t who = random_below(&property->random, world->replica_count);
    uint64_t left = random_below(&property->random, 100);
    size_t act = 0;
    for (; left >= acts[act].percent; act++)
        left -= acts[act].percent;
    acts[act].act(property, world, who);
}

// -------------------------------------------------------------------------------- how it ends

/// Every message comes again, in an order of each replica's own, some of them twice. With strict
/// application causes that are missing are met by going round again.
static void deliver_all(struct property *property, struct world *world, size_t replica)
{
    size_t order[MESSAGES_MAX];
    size_t count = world->message_count;
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(&property->random, i);
        size_t swapped = order[i - 1];
        order[i - 1] = order[other];
        order[other] = swapped;
    }
    for (size_t i = 0; i < count; i++) {
        deliver(property, world, replica, order[i], WEFT_APPLY_PARK);
        if (random_permille(&property->random, 100))
            deliver(property, world, replica, order[random_below(&property->random, i + 1)],
                    WEFT_APPLY_PARK);
    }
}

static void check_told(const struct property *property, struct replica *replica)
{
    struct weft_buffer text = document_text(property, replica->doc);
    past_check_same(property, &text, &replica->told, "what the observer was told");
}

/// Of a document that has lost text: the moment's text, or that it is gone.
static void check_what_is_left(const struct property *property, const struct weft_doc *doc,
                               const struct moment *moment)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    enum weft_status status =
        weft_doc_text_at(&text, doc, moment->version.data, moment->version.size);
    CHECK(property, status == WEFT_OK || (status == WEFT_COLLECTED && text.size == 0), "%s",
          weft_status_text(status));
    if (status == WEFT_OK)
        past_check_same(property, &text, &moment->text, "what is left");
    else
        weft_buffer_finish(&text);
}

/// The moments that someone saw are seen by all, each by one who is asked.
static void check_moments(struct property *property, struct world *world)
{
    const struct weft_doc *asked = NULL;
    struct oracle oracle = oracle_collect(world->replicas[0].doc);
    oracle_tree(&oracle);
    for (size_t i = 0; i < world->moment_count; i++) {
        const struct moment *moment = &world->moments[i];
        asked = world->replicas[i % world->replica_count].doc;
        if (weft_doc_stats(asked).collected > 0) {
            check_what_is_left(property, asked, moment);
            continue;
        }
        past_check_text(property, asked, moment);
        past_check_recorded_blame(property, asked, moment);
        past_check_diff(property, asked, &oracle, moment,
                        &world->moments[random_below(&property->random, world->moment_count)]);
    }
    oracle_finish(&oracle);
}

static void check_textbook(const struct property *property, const struct weft_doc *doc)
{
    struct oracle oracle = oracle_collect(doc);
    CHECK(property, oracle_rga(&oracle), "a classic history has a left child");
    const char *difference = oracle_compare(&oracle, doc);
    CHECK(property, difference == NULL, "not the textbook's order: %s", difference);
    oracle_finish(&oracle);
}

/// @return how many atoms its document has.
static uint64_t run_world(struct property *property, bool classic)
{
    struct world world;
    world_init(property, &world, classic);
    uint64_t steps = random_between(&property->random, 5, 2 * MESSAGES_MAX);
    for (; steps > 0 && world.message_count < MESSAGES_MAX; steps--)
        step(property, &world);
    for (size_t i = 0; i < world.replica_count; i++) {
        deliver_all(property, &world, i);
        CHECK(property, weft_doc_parked(world.replicas[i].doc) == 0,
              "all messages are here and %u runs still wait",
              weft_doc_parked(world.replicas[i].doc));
        uint64_t lacking;
        CHECK_OK(property, weft_doc_lacking(&lacking, world.replicas[i].doc));
        CHECK(property, lacking == 0, "text is lacking of %" PRIu64 " elements", lacking);
        document_check_sound(property, world.replicas[i].doc);
        document_check_equal(property, world.replicas[0].doc, world.replicas[i].doc);
        check_told(property, &world.replicas[i]);
    }
    check_moments(property, &world);
    if (classic)
        check_textbook(property, world.replicas[0].doc);
    uint64_t atoms = weft_doc_stats(world.replicas[0].doc).atoms;
    world_finish(&world);
    return atoms;
}

static void run_worlds(const char *name, bool classic)
{
    uint64_t wanted = property_is_sanitized() ? OPERATIONS / 10 : OPERATIONS;
    uint64_t made = 0;
    struct property p = property_start(name, ROUNDS_MAX);
    p.deadline_s += SECONDS_MAX;
    bool counted = getenv("WEFT_ROUNDS") == NULL;
    while ((!counted || made < wanted) && property_next(&p))
        made += run_world(&p, classic);
    fprintf(stderr, "# %s: %" PRIu64 " operations in %" PRIu64 " worlds\n", name, made, p.round);
    cr_assert(!counted || made >= wanted, "%s: %" PRIu64 " operations only", name, made);
}

Test(model, replicas_that_hold_the_same_operations_are_the_same_document_and_the_oracles)
{
    run_worlds("model, sided", false);
}

Test(model, with_the_classic_policy_it_is_the_rga_of_the_textbook)
{
    run_worlds("model, classic", true);
}
