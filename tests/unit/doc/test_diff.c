// SPDX-License-Identifier: MIT
// Unit tests of doc/diff.h: correct, minimal against the textbook table, bounded, out of memory.
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "doc/diff.h"

/// One edit as it was told.
struct told {
    uint64_t index;
    uint64_t deleted;
    const uint8_t *inserted;
    size_t inserted_size;
};

/// The edits told, and what they cost.
struct patched {
    struct told *edits;
    size_t count;
    size_t capacity;
    uint64_t deleted;
    uint64_t inserted;
    enum weft_status answer;
};

/// Gives memory until `left` allocations were made; -1 is without end.
static void *resize_counted(void *context, void *old, size_t old_size, size_t new_size)
{
    int *left = context;
    (void)old_size;
    if (new_size == 0) {
        free(old);
        return NULL;
    }
    if (*left == 0)
        return NULL;
    if (*left > 0)
        --*left;
    return realloc(old, new_size);
}

static bool starts(uint8_t byte)
{
    return (byte & 0xC0) != 0x80;
}

static enum weft_status note(void *context, uint64_t index, uint64_t deleted,
                             const uint8_t *inserted, size_t inserted_size)
{
    struct patched *patched = context;
    cr_assert(deleted > 0 || inserted_size > 0, "an edit must do something");
    if (patched->count > 0)
        cr_assert_lt(index + deleted, patched->edits[patched->count - 1].index,
                     "edits go from the end to the start and do not touch");
    if (patched->count == patched->capacity) {
        patched->capacity = 2 * patched->capacity + 16;
        patched->edits = realloc(patched->edits, patched->capacity * sizeof(*patched->edits));
    }
    patched->edits[patched->count++] = (struct told){index, deleted, inserted, inserted_size};
    patched->deleted += deleted;
    for (size_t i = 0; i < inserted_size; i++)
        patched->inserted += starts(inserted[i]);
    return patched->answer;
}

/// Copies or skips `count` scalars of the old text.
static size_t skip_scalars(const uint8_t *text, size_t size, size_t byte, uint64_t count)
{
    for (; count > 0; count--) {
        cr_assert_lt(byte, size, "an index is past the end");
        do
            byte++;
        while (byte < size && !starts(text[byte]));
    }
    return byte;
}

/// Asserts that the edits, applied in one walk from the start, give the new text.
static void assert_gives(const struct patched *patched, struct span old_text, struct span new_text)
{
    size_t old_byte = 0;
    size_t new_byte = 0;
    uint64_t scalar = 0;
    for (size_t i = patched->count; i-- > 0;) {
        const struct told *told = &patched->edits[i];
        size_t kept =
            skip_scalars(old_text.data, old_text.size, old_byte, told->index - scalar) - old_byte;
        cr_assert_leq(new_byte + kept + told->inserted_size, new_text.size);
        cr_assert(memcmp(old_text.data + old_byte, new_text.data + new_byte, kept) == 0);
        new_byte += kept;
        if (told->inserted_size > 0)
            cr_assert(memcmp(told->inserted, new_text.data + new_byte, told->inserted_size) == 0);
        new_byte += told->inserted_size;
        old_byte = skip_scalars(old_text.data, old_text.size, old_byte + kept, told->deleted);
        scalar = told->index + told->deleted;
    }
    cr_assert_eq(old_text.size - old_byte, new_text.size - new_byte);
    cr_assert(
        memcmp(old_text.data + old_byte, new_text.data + new_byte, old_text.size - old_byte) == 0);
}

static struct patched run(const char *old_text, size_t old_size, const char *new_text,
                          size_t new_size)
{
    int without_end = -1;
    struct weft_allocator allocator = {&without_end, resize_counted};
    struct patched patched = {.answer = WEFT_OK};
    struct span from = {(const uint8_t *)old_text, old_size};
    struct span to = {(const uint8_t *)new_text, new_size};
    cr_assert_eq(diff_texts(&allocator, from, to, note, &patched), WEFT_OK);
    assert_gives(&patched, from, to);
    free(patched.edits);
    patched.edits = NULL;
    return patched;
}

Test(diff, small_texts_give_the_edits_one_expects)
{
    static const struct {
        const char *old_text, *new_text;
        uint64_t deleted, inserted;
        size_t calls;
    } cases[] = {
        {"", "", 0, 0, 0},
        {"same", "same", 0, 0, 0},
        {"", "abc", 0, 3, 1},
        {"abc", "", 3, 0, 1},
        {"abc", "xyz", 3, 3, 1},
        {"hello world", "hello brave world", 0, 6, 1},
        {"ABCABBA", "CBABAC", 3, 2, 0},
        {"aaaa", "aa", 2, 0, 1},
        {"aXbYc", "abc", 2, 0, 2},
        {"gr\xC3\xBC"
         "n",
         "gr\xC3\xA4"
         "n",
         1, 1, 1}, // the first byte is shared, the character is not
        {"\xE4\xBD\xA0\xE5\xA5\xBD", "\xE5\xA5\xBD", 1, 0, 1},
        {"\xF0\x9F\x98\x80\xF0\x9F\x98\x81", "\xF0\x9F\x98\x80\xF0\x9F\x98\x82\xF0\x9F\x98\x81", 0,
         1, 1},
        {"\xC3\xA9", "\xD3\xA9", 1, 1, 1}, // the last byte is shared
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct patched got = run(cases[i].old_text, strlen(cases[i].old_text), cases[i].new_text,
                                 strlen(cases[i].new_text));
        cr_expect_eq(got.deleted, cases[i].deleted, "case %zu: deleted %llu", i,
                     (unsigned long long)got.deleted);
        cr_expect_eq(got.inserted, cases[i].inserted, "case %zu: inserted %llu", i,
                     (unsigned long long)got.inserted);
        if (cases[i].calls > 0)
            cr_expect_eq(got.count, cases[i].calls, "case %zu: %zu edits", i, got.count);
    }
}

static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/// Length of a longest common subsequence of two short byte strings, by the table.
static uint64_t common_length(const char *a, size_t a_size, const char *b, size_t b_size)
{
    static uint8_t table[65][65];
    for (size_t i = 0; i <= a_size; i++)
        for (size_t j = 0; j <= b_size; j++)
            if (i == 0 || j == 0)
                table[i][j] = 0;
            else if (a[i - 1] == b[j - 1])
                table[i][j] = (uint8_t)(table[i - 1][j - 1] + 1);
            else
                table[i][j] = table[i - 1][j] > table[i][j - 1] ? table[i - 1][j] : table[i][j - 1];
    return table[a_size][b_size];
}

Test(diff, random_texts_give_a_minimal_difference)
{
    uint64_t random = 20;
    for (int round = 0; round < 20000; round++) {
        char a[64];
        char b[64];
        size_t a_size = next_random(&random) % 33;
        size_t b_size = next_random(&random) % 33;
        uint64_t letters = 1 + next_random(&random) % 5;
        for (size_t i = 0; i < a_size; i++)
            a[i] = (char)('a' + next_random(&random) % letters);
        for (size_t i = 0; i < b_size; i++)
            b[i] = (char)('a' + next_random(&random) % letters);
        struct patched got = run(a, a_size, b, b_size);
        uint64_t common = common_length(a, a_size, b, b_size);
        cr_assert_eq(got.deleted, a_size - common, "round %d: %.*s -> %.*s", round, (int)a_size, a,
                     (int)b_size, b);
        cr_assert_eq(got.inserted, b_size - common, "round %d", round);
    }
}

Test(diff, longer_texts_with_many_changes_stay_correct)
{
    enum { SIZE = 200000 };
    char *a = malloc(SIZE);
    char *b = malloc(2 * SIZE);
    uint64_t random = 3;
    for (unsigned every = 1; every <= 20000; every *= 7) {
        size_t b_size = 0;
        for (size_t i = 0; i < SIZE; i++) {
            a[i] = (char)(' ' + next_random(&random) % 90);
            uint64_t dice = next_random(&random) % (2 * every);
            if (dice != 0)
                b[b_size++] = a[i];
            if (dice <= 1)
                b[b_size++] = (char)(' ' + next_random(&random) % 90);
        }
        struct patched got = run(a, SIZE, b, b_size);
        if (every > 200) // within the limits the difference is no greater than what was changed
            cr_expect_leq(got.deleted, SIZE / every, "every %u: %llu deleted", every,
                          (unsigned long long)got.deleted);
    }
    free(a);
    free(b);
}

Test(diff, texts_without_anything_in_common_take_bounded_time)
{
    enum { SIZE = 4000000 };
    char *a = malloc(SIZE);
    char *b = malloc(SIZE);
    static const char *const fills[] = {"ab", "ba", "aab", "x"};
    for (size_t fill = 0; fill < 4; fill++) {
        for (size_t i = 0; i < SIZE; i++) {
            a[i] = fills[fill][i % strlen(fills[fill])];
            b[i] = fills[(fill + 1) % 4][i / 3 % strlen(fills[(fill + 1) % 4])];
        }
        run(a, SIZE, b, SIZE - fill * 1000);
    }
    uint64_t random = 8;
    for (size_t i = 0; i < SIZE; i++) {
        a[i] = (char)('a' + next_random(&random) % 26);
        b[i] = (char)('a' + next_random(&random) % 26);
    }
    run(a, SIZE, b, SIZE);
    free(a);
    free(b);
}

Test(diff, a_change_in_every_line_of_a_megabyte_is_found_as_such)
{
    enum { LINE = 40, LINES = 26000 };
    char *a = malloc(LINE * LINES);
    char *b = malloc(LINE * LINES);
    uint64_t random = 12;
    for (size_t i = 0; i < LINE * LINES; i++) {
        a[i] = b[i] = (char)(i % LINE == LINE - 1 ? '\n' : 'a' + next_random(&random) % 26);
        if (i % LINE == 20)
            b[i] = 'X';
    }
    struct patched got = run(a, LINE * LINES, b, LINE * LINES);
    cr_expect_eq(got.deleted, LINES);
    cr_expect_eq(got.inserted, LINES);
    free(a);
    free(b);
}

/// Notes in `context` the greatest block that was asked for.
static void *resize_noted(void *context, void *old, size_t old_size, size_t new_size)
{
    size_t *greatest = context;
    int without_end = -1;
    *greatest = new_size > *greatest ? new_size : *greatest;
    return resize_counted(&without_end, old, old_size, new_size);
}

Test(diff, texts_that_are_ascii_are_not_unpacked)
{
    enum { SIZE = 1000000 };
    char *a = malloc(SIZE);
    char *b = malloc(SIZE);
    size_t greatest = 0;
    struct weft_allocator allocator = {&greatest, resize_noted};
    struct patched patched = {.answer = WEFT_OK};
    memset(a, '-', SIZE);
    memset(b, '-', SIZE);
    b[0] = b[SIZE - 1] = '+';
    cr_assert_eq(diff_texts(&allocator, (struct span){(const uint8_t *)a, SIZE},
                            (struct span){(const uint8_t *)b, SIZE}, note, &patched),
                 WEFT_OK);
    cr_expect_eq(patched.count, 2);
    cr_expect_lt(greatest, SIZE / 10);
    free(patched.edits);
    free(a);
    free(b);
}

Test(diff, without_memory_there_is_no_edit_at_all)
{
    const char *old_text = "the quick brown fox jumps over the lazy dog and does it once again";
    const char *new_text = "a quack brawn fix jimps ever a crazy dig, ind dies at ince agoin, too";
    for (int allocations = 0;; allocations++) {
        int left = allocations;
        struct weft_allocator allocator = {&left, resize_counted};
        struct patched patched = {.answer = WEFT_OK};
        enum weft_status status =
            diff_texts(&allocator, (struct span){(const uint8_t *)old_text, strlen(old_text)},
                       (struct span){(const uint8_t *)new_text, strlen(new_text)}, note, &patched);
        size_t calls = patched.count;
        free(patched.edits);
        if (status == WEFT_OK) {
            cr_assert_gt(allocations, 2, "the test meant to fail some allocations");
            break;
        }
        cr_assert_eq(status, WEFT_NO_MEMORY);
        cr_assert_eq(calls, 0);
    }
}

Test(diff, an_edit_that_fails_ends_the_walk)
{
    int without_end = -1;
    struct weft_allocator allocator = {&without_end, resize_counted};
    struct patched patched = {.answer = WEFT_LIMIT};
    cr_assert_eq(diff_texts(&allocator, (struct span){(const uint8_t *)"aXbYc", 5},
                            (struct span){(const uint8_t *)"abc", 3}, note, &patched),
                 WEFT_LIMIT);
    cr_assert_eq(patched.count, 1);
    free(patched.edits);
}
