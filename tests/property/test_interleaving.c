// SPDX-License-Identifier: MIT
// With the sided policy, blocks that different people write concurrently at one place never mix.
//
// Writers work apart at one place of a common text; each writes a block of own letters in some
// shape. After merging every block must stand in one piece.
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/documents.h"

enum { WRITERS_MAX = 5 };

enum shape {
    SHAPE_FORWARD,  // typed in order
    SHAPE_BACKWARD, // each character before the last
    SHAPE_WORDS,    // words in order, each before the one written last
    SHAPE_PREFIX,   // a phrase, then another before it
    SHAPE_RANDOM,   // each character anywhere within the own block
    SHAPE_REVISED,  // anywhere, and some of it deleted again
    SHAPES,
};

/// Writes one more character of the block that stands at [start, start + length).
static uint64_t next_place(struct random *random, enum shape shape, uint64_t written,
                           uint64_t length)
{
    switch (shape) {
    case SHAPE_FORWARD:
        return length;
    case SHAPE_BACKWARD:
        return 0;
    case SHAPE_WORDS:
        return written % 5;
    case SHAPE_PREFIX:
        return written < 9 ? length : written - 9;
    default:
        return random_below(random, length + 1);
    }
}

static void write_block(struct property *property, struct weft_doc *doc, uint64_t start,
                        uint8_t letter, enum shape shape)
{
    uint64_t length = 0;
    uint64_t count = random_between(&property->random, 2, 18);
    for (uint64_t written = 0; written < count; written++) {
        uint64_t place = next_place(&property->random, shape, written, length);
        CHECK_OK(property, weft_doc_insert(doc, WEFT_SCALARS, start + place, &letter, 1));
        length++;
        if (shape == SHAPE_REVISED && length > 1 && random_permille(&property->random, 300)) {
            uint64_t gone = random_below(&property->random, length);
            CHECK_OK(property, weft_doc_delete(doc, WEFT_SCALARS, start + gone, 1));
            length--;
        }
    }
}

/// How often a letter of a writer begins a piece: once for each block that is whole.
static void check_blocks(const struct property *property, const struct weft_doc *doc,
                         size_t writers, enum shape shape)
{
    struct weft_buffer text = document_text(property, doc);
    for (size_t i = 0; i < writers; i++) {
        uint8_t letter = (uint8_t)('A' + i);
        unsigned pieces = 0;
        for (size_t at = 0; at < text.size; at++)
            pieces += text.data[at] == letter && (at == 0 || text.data[at - 1] != letter);
        CHECK(property, pieces <= 1, "shape %d: the block of %c is in %u pieces: %.*s", (int)shape,
              letter, pieces, (int)text.size, (const char *)text.data);
    }
    weft_buffer_finish(&text);
}

/// A common text with tombstones around the place where all will write.
static uint64_t write_common(struct property *property, struct replica *first)
{
    for (uint64_t left = random_below(&property->random, 6); left > 0; left--)
        replica_edit(property, first, TEXT_CJK);
    uint64_t length = weft_doc_length(first->doc, WEFT_SCALARS);
    uint64_t place = random_below(&property->random, length + 1);
    if (place < length && random_permille(&property->random, 500)) {
        uint64_t room = length - place;
        CHECK_OK(property, weft_doc_delete(first->doc, WEFT_SCALARS, place,
                                           random_between(&property->random, 1, room)));
    }
    return place;
}

static void run_round(struct property *property)
{
    struct replica writers[WRITERS_MAX];
    size_t count = random_between(&property->random, 2, WRITERS_MAX);
    for (size_t i = 0; i < count; i++)
        replica_init(property, &writers[i], random_next(&property->random) >> 1 | 1, NULL);
    uint64_t place = write_common(property, &writers[0]);
    for (size_t i = 1; i < count; i++)
        if (weft_doc_stats(writers[0].doc).atoms > 0)
            replica_pull(property, writers[i].doc, writers[0].doc);
    bool mixed = random_permille(&property->random, 500);
    enum shape shape = (enum shape)random_below(&property->random, SHAPES);
    for (size_t i = 0; i < count; i++) {
        replica_set_agent(property, &writers[i], random_next(&property->random) >> 1 | 1);
        if (mixed)
            shape = (enum shape)random_below(&property->random, SHAPES);
        write_block(property, writers[i].doc, place, (uint8_t)('A' + i), shape);
    }
    for (size_t i = 1; i < count; i++)
        replica_pull(property, writers[0].doc, writers[i].doc);
    check_blocks(property, writers[0].doc, count, mixed ? SHAPES : shape);
    document_check_sound(property, writers[0].doc);
    for (size_t i = 0; i < count; i++)
        replica_finish(&writers[i]);
}

Test(interleaving, concurrent_blocks_at_one_place_stay_whole)
{
    for (struct property p = property_start("no interleaving", 6000); property_next(&p);)
        run_round(&p);
}

Test(interleaving, the_check_itself_sees_the_classic_policy_interleave)
{
    struct property p = property_start("classic interleaves", 1);
    property_next(&p);
    struct weft_doc_options classic = {.policy = WEFT_POLICY_CLASSIC};
    struct replica a;
    struct replica b;
    replica_init(&p, &a, 1, &classic);
    replica_init(&p, &b, 2, &classic);
    write_block(&p, a.doc, 0, 'A', SHAPE_BACKWARD);
    write_block(&p, b.doc, 0, 'B', SHAPE_BACKWARD);
    replica_pull(&p, a.doc, b.doc);
    struct weft_buffer text = document_text(&p, a.doc);
    unsigned changes = 0;
    for (size_t i = 1; i < text.size; i++)
        changes += text.data[i] != text.data[i - 1];
    cr_assert_gt(changes, 1, "%.*s", (int)text.size, (const char *)text.data);
    weft_buffer_finish(&text);
    replica_finish(&a);
    replica_finish(&b);
}
