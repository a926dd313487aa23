// SPDX-License-Identifier: MIT
// The model test: some replicas edit at random, their messages are lost, sent again, reordered,
// doubled, overlapped; processes restart. In the end all hold one document, the one of the oracle.
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/documents.h"
#include "tests/support/oracle.h"

enum { REPLICAS_MAX = 5, MESSAGES_MAX = 400 };

struct world {
    struct replica replicas[REPLICAS_MAX];
    struct weft_doc_options options[REPLICAS_MAX];
    size_t replica_count;
    struct weft_buffer messages[MESSAGES_MAX];
    size_t message_count;
    struct weft_buffer old_version; // of someone at some time
    enum text_alphabet alphabet;
    uint64_t next_agent;
    uint32_t undelete_permille; // after an edit; 0 in some worlds
};

static void world_init(struct property *property, struct world *world, bool classic)
{
    memset(world, 0, sizeof(*world));
    world->replica_count = random_between(&property->random, 2, REPLICAS_MAX);
    world->alphabet = (enum text_alphabet)random_below(&property->random, TEXT_ALPHABETS);
    world->next_agent = random_between(&property->random, 1, 1000);
    world->undelete_permille = random_permille(&property->random, 300) ? 0 : 350;
    weft_buffer_init(&world->old_version, NULL);
    for (size_t i = 0; i < world->replica_count; i++) {
        bool sided = !classic && random_permille(&property->random, 850);
        world->options[i].policy = sided ? WEFT_POLICY_SIDED : WEFT_POLICY_CLASSIC;
        replica_init(property, &world->replicas[i], world->next_agent++, &world->options[i]);
    }
}

static void world_finish(struct world *world)
{
    for (size_t i = 0; i < world->replica_count; i++)
        replica_finish(&world->replicas[i]);
    for (size_t i = 0; i < world->message_count; i++)
        weft_buffer_finish(&world->messages[i]);
    weft_buffer_finish(&world->old_version);
}

/// Someone edits; the edit becomes a message, which may also repeat earlier operations of the
/// author, or be all that an old version lacks.
static void edit(struct property *property, struct world *world)
{
    struct random *random = &property->random;
    struct replica *author = &world->replicas[random_below(random, world->replica_count)];
    if (random_permille(random, 60)) // a new session; the new agent sorts anywhere
        replica_set_agent(property, author, random_next(random) >> 1 | 1);
    uint64_t seq = weft_doc_next_seq(author->doc, author->agent);
    for (uint64_t left = random_between(random, 1, 3); left > 0; left--) {
        replica_edit(property, author, world->alphabet);
        if (random_permille(random, world->undelete_permille))
            replica_undelete(property, author);
    }
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

static void step(struct property *property, struct world *world)
{
    struct random *random = &property->random;
    size_t who = random_below(random, world->replica_count);
    uint64_t kind = random_below(random, 100);
    if (kind < 40 || world->message_count == 0) {
        edit(property, world);
    } else if (kind < 94) { // most of what is delivered is recent, some of it is old or known
        size_t back = random_below(random, random_permille(random, 800) ? 6 : MESSAGES_MAX);
        size_t message = world->message_count - 1 - back % world->message_count;
        deliver(property, world, who, message,
                random_permille(random, 700) ? WEFT_APPLY_PARK : WEFT_APPLY_STRICT);
    } else if (kind < 96) {
        replica_restart(property, &world->replicas[who], &world->options[who]);
    } else if (kind < 98) {
        world->old_version.size = 0;
        CHECK_OK(property, weft_doc_version(&world->old_version, world->replicas[who].doc));
    } else {
        replica_pull(property, world->replicas[who].doc,
                     world->replicas[random_below(random, world->replica_count)].doc);
    }
}

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
    CHECK(property,
          text.size == replica->told.size &&
              (text.size == 0 || memcmp(text.data, replica->told.data, text.size) == 0),
          "the changes that the observer was told do not give the text");
    weft_buffer_finish(&text);
}

static void run_world(struct property *property, bool classic)
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
        document_check_sound(property, world.replicas[i].doc);
        document_check_equal(property, world.replicas[0].doc, world.replicas[i].doc);
        check_told(property, &world.replicas[i]);
    }
    if (classic) {
        struct oracle oracle = oracle_collect(world.replicas[0].doc);
        CHECK(property, oracle_rga(&oracle), "a classic history has a left child");
        const char *difference = oracle_compare(&oracle, world.replicas[0].doc);
        CHECK(property, difference == NULL, "not the textbook's order: %s", difference);
        oracle_finish(&oracle);
    }
    world_finish(&world);
}

Test(model, replicas_that_hold_the_same_operations_are_the_same_document_and_the_oracles)
{
    for (struct property p = property_start("model, sided", 240); property_next(&p);)
        run_world(&p, false);
}

Test(model, with_the_classic_policy_it_is_the_rga_of_the_textbook)
{
    for (struct property p = property_start("model, classic", 120); property_next(&p);)
        run_world(&p, true);
}
