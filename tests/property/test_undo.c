// SPDX-License-Identifier: MIT
// Undo among others: several delete parts of one text that overlap, some of them undo, redo, undo
// again; whatever the order in which all that arrives, a character is gone if and only if some
// delete of it stands.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/undo.h>

#include "tests/support/documents.h"

enum { WRITERS_MAX = 5, TEXT_LENGTH = 26, MESSAGES_MAX = 64, TOLD_MAX = 6 };

static const char letters[] = "abcdefghijklmnopqrstuvwxyz";

struct writer {
    struct weft_doc *doc;
    struct weft_undo *undo;
    uint64_t agent;
    uint64_t first, end; // letters that it deleted
    bool stands;         // the delete is not undone
};

struct world {
    struct writer writers[WRITERS_MAX];
    size_t count;
    struct weft_buffer messages[MESSAGES_MAX];
    size_t message_count;
};

/// What a writer did since `seq`.
static void tell(const struct property *property, struct world *world, const struct writer *writer,
                 uint64_t seq)
{
    struct weft_buffer *message = &world->messages[world->message_count++];
    weft_buffer_init(message, NULL);
    CHECK_OK(property, weft_doc_delta_own(message, writer->doc, writer->agent, seq));
}

static void toggle(struct property *property, struct writer *writer)
{
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    if (writer->stands)
        CHECK_OK(property, weft_undo_undo(&delta, writer->undo, writer->doc));
    else
        CHECK_OK(property, weft_undo_redo(&delta, writer->undo, writer->doc));
    writer->stands = !writer->stands;
    weft_buffer_finish(&delta);
}

/// Deletes somewhere; undoes and redoes some times, each a message.
static void write_apart(struct property *property, struct world *world, struct writer *writer)
{
    CHECK_OK(property, weft_doc_set_agent(writer->doc, writer->agent));
    CHECK_OK(property, weft_undo_create(&writer->undo, writer->doc, writer->agent, NULL));
    writer->first = random_below(&property->random, TEXT_LENGTH);
    writer->end = random_between(&property->random, writer->first + 1, TEXT_LENGTH);
    CHECK_OK(property, weft_doc_delete(writer->doc, WEFT_SCALARS, writer->first,
                                       writer->end - writer->first));
    CHECK_OK(property, weft_undo_note(writer->undo, writer->doc, 0));
    writer->stands = true;
    tell(property, world, writer, 0);
    for (uint64_t left = random_below(&property->random, TOLD_MAX); left > 0; left--) {
        uint64_t seq = weft_doc_next_seq(writer->doc, writer->agent);
        toggle(property, writer);
        tell(property, world, writer, seq);
    }
}

static void check_standing(const struct property *property, const struct world *world,
                           const struct weft_doc *doc)
{
    char expected[TEXT_LENGTH + 1];
    size_t size = 0;
    for (uint64_t i = 0; i < TEXT_LENGTH; i++) {
        bool gone = false;
        for (size_t j = 0; j < world->count; j++)
            gone = gone || (world->writers[j].stands && world->writers[j].first <= i &&
                            i < world->writers[j].end);
        if (!gone)
            expected[size++] = letters[i];
    }
    struct weft_buffer text = document_text(property, doc);
    CHECK(property, text.size == size && (size == 0 || memcmp(text.data, expected, size) == 0),
          "'%.*s' is not '%.*s'", (int)text.size, (const char *)text.data, (int)size, expected);
    weft_buffer_finish(&text);
}

/// All messages, shuffled.
static void deliver_all(struct property *property, const struct world *world, struct weft_doc *doc)
{
    size_t order[MESSAGES_MAX];
    for (size_t i = 0; i < world->message_count; i++) {
        size_t at = random_below(&property->random, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    for (size_t i = 0; i < world->message_count; i++) {
        const struct weft_buffer *message = &world->messages[order[i]];
        if (message->size > 0)
            replica_apply(property, doc, WEFT_APPLY_PARK, message->data, message->size);
    }
}

Test(undo, a_character_is_gone_while_any_delete_of_it_stands_whatever_the_order)
{
    for (struct property p = property_start("undo among others", 1500); property_next(&p);) {
        struct world world = {.count = random_between(&p.random, 1, WRITERS_MAX)};
        struct weft_doc *origin = NULL;
        CHECK_OK(&p, weft_doc_create(&origin, NULL));
        CHECK_OK(&p, weft_doc_set_agent(origin, 1));
        CHECK_OK(&p,
                 weft_doc_insert(origin, WEFT_SCALARS, 0, (const uint8_t *)letters, TEXT_LENGTH));
        for (size_t i = 0; i < world.count; i++) {
            world.writers[i].agent = random_next(&p.random) >> 1 | 2;
            CHECK_OK(&p, weft_doc_create(&world.writers[i].doc, NULL));
            replica_pull(&p, world.writers[i].doc, origin);
            write_apart(&p, &world, &world.writers[i]);
        }
        for (size_t i = 0; i < world.count; i++) {
            deliver_all(&p, &world, world.writers[i].doc);
            document_check_sound(&p, world.writers[i].doc);
            document_check_equal(&p, world.writers[0].doc, world.writers[i].doc);
            check_standing(&p, &world, world.writers[i].doc);
        }
        // Among those who have all: what is still undone by each gives the whole text.
        for (size_t i = 0; i < world.count; i++) {
            if (i > 0)
                replica_pull(&p, world.writers[i].doc, world.writers[i - 1].doc);
            if (world.writers[i].stands)
                toggle(&p, &world.writers[i]);
            check_standing(&p, &world, world.writers[i].doc);
        }
        for (size_t i = 0; i < world.count; i++) {
            weft_undo_destroy(world.writers[i].undo);
            weft_doc_destroy(world.writers[i].doc);
        }
        for (size_t i = 0; i < world.message_count; i++)
            weft_buffer_finish(&world.messages[i]);
        weft_doc_destroy(origin);
    }
}

Test(undo, alone_it_gives_the_text_before_and_again_the_text_after)
{
    for (struct property p = property_start("undo and redo", 200); property_next(&p);) {
        enum { STEPS_MAX = 12 };
        struct weft_undo *undo = NULL;
        struct replica replica;
        struct weft_buffer texts[STEPS_MAX + 1];
        struct weft_buffer delta;
        weft_buffer_init(&delta, NULL);
        replica_init(&p, &replica, 5, NULL);
        CHECK_OK(&p, weft_undo_create(&undo, replica.doc, 5, NULL));
        uint64_t now_ms = 0;
        size_t count = 0;
        texts[0] = document_text(&p, replica.doc);
        for (uint64_t edits = random_between(&p.random, 1, STEPS_MAX); edits > 0; edits--) {
            replica_edit(&p, &replica, TEXT_MIXED);
            CHECK_OK(&p, weft_undo_note(undo, replica.doc, now_ms += 1000));
            struct weft_buffer text = document_text(&p, replica.doc);
            // An edit that shows nothing is passed over.
            bool same = text.size == texts[count].size &&
                        (text.size == 0 || memcmp(text.data, texts[count].data, text.size) == 0);
            if (same)
                weft_buffer_finish(&text);
            else
                texts[++count] = text;
        }
        for (int again = 0; again < 2; again++) {
            for (size_t i = count; i > 0; i--) {
                CHECK_OK(&p, weft_undo_undo(&delta, undo, replica.doc));
                struct weft_buffer text = document_text(&p, replica.doc);
                CHECK(&p, text.size == texts[i - 1].size, "undone to another text");
                CHECK(&p, text.size == 0 || memcmp(text.data, texts[i - 1].data, text.size) == 0,
                      "undone to another text");
                weft_buffer_finish(&text);
            }
            for (size_t i = 0; i < count; i++) {
                CHECK_OK(&p, weft_undo_redo(&delta, undo, replica.doc));
                struct weft_buffer text = document_text(&p, replica.doc);
                CHECK(&p, text.size == texts[i + 1].size, "redone to another text");
                CHECK(&p, text.size == 0 || memcmp(text.data, texts[i + 1].data, text.size) == 0,
                      "redone to another text");
                weft_buffer_finish(&text);
            }
        }
        document_check_sound(&p, replica.doc);
        for (size_t i = 0; i <= count; i++)
            weft_buffer_finish(&texts[i]);
        weft_buffer_finish(&delta);
        weft_undo_destroy(undo);
        replica_finish(&replica);
    }
}
