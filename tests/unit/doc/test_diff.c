// SPDX-License-Identifier: MIT
// Unit tests of doc/diff.h: correct, minimal against the textbook table, bounded, out of memory.
#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
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

/// Text of `count` lines with some 17 letters each, and one in which `changed` of them, evenly
/// spread, are others.
struct lines {
    char *a, *b;
    size_t a_size, b_size;
    uint64_t changed_deleted; // the sum of what the changed lines differ by, one by one
};

static size_t put_line(char *text, const char *letters, size_t letter_size, uint64_t *random)
{
    size_t size = 0;
    size_t letter_count = 14 + next_random(random) % 7;
    for (size_t i = 0; i < letter_count; i++) {
        const char *letter = letters + next_random(random) % 26 * letter_size;
        memcpy(text + size, letter, letter_size);
        size += letter_size;
    }
    text[size++] = '\n';
    return size;
}

static struct lines make_lines(size_t count, size_t changed, bool ascii)
{
    // Armenian capitals: two bytes each.
    static const char others[] = "\xD4\xB1\xD4\xB2\xD4\xB3\xD4\xB4\xD4\xB5\xD4\xB6\xD4\xB7\xD4\xB8"
                                 "\xD4\xB9\xD4\xBA\xD4\xBB\xD4\xBC\xD4\xBD\xD4\xBE\xD4\xBF\xD5\x80"
                                 "\xD5\x81\xD5\x82\xD5\x83\xD5\x84\xD5\x85\xD5\x86\xD5\x87\xD5\x88"
                                 "\xD5\x89\xD5\x8A";
    const char *letters = ascii ? "abcdefghijklmnopqrstuvwxyz" : others;
    size_t letter_size = ascii ? 1 : 2;
    struct lines lines = {.a = malloc(count * 48), .b = malloc(count * 48)};
    uint64_t random = 5;
    size_t every = count / changed;
    for (size_t i = 0; i < count; i++) {
        char *a = lines.a + lines.a_size;
        char *b = lines.b + lines.b_size;
        size_t a_size = put_line(a, letters, letter_size, &random);
        size_t b_size = a_size;
        memcpy(b, a, a_size);
        if (i % every == every / 2 && i / every < changed) {
            b_size = put_line(b, letters, letter_size, &random);
            lines.changed_deleted += run(a, a_size, b, b_size).deleted;
        }
        lines.a_size += a_size;
        lines.b_size += b_size;
    }
    return lines;
}

static void drop_lines(struct lines *lines)
{
    free(lines->a);
    free(lines->b);
}

Test(diff, many_changed_lines_cost_what_they_cost_one_by_one)
{
    static const struct {
        size_t lines, changed;
        bool ascii;
    } cases[] = {{10000, 50, true},   {10000, 200, true},    {10000, 500, true},
                 {10000, 2000, true}, {100000, 2000, true},  {100000, 20000, true},
                 {10000, 200, false}, {100000, 2000, false}, {10000, 5000, true}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lines lines = make_lines(cases[i].lines, cases[i].changed, cases[i].ascii);
        struct patched got = run(lines.a, lines.a_size, lines.b, lines.b_size);
        cr_expect_leq(2 * got.deleted, 3 * lines.changed_deleted,
                      "%zu of %zu lines changed: %llu deleted, %llu one by one", cases[i].changed,
                      cases[i].lines, (unsigned long long)got.deleted,
                      (unsigned long long)lines.changed_deleted);
        drop_lines(&lines);
    }
}

Test(diff, lines_that_moved_go_and_come_and_the_others_stay)
{
    struct lines lines = make_lines(20000, 1, true);
    // The last tenth comes first.
    size_t cut = lines.a_size - lines.a_size / 10;
    while (lines.a[cut - 1] != '\n')
        cut++;
    memcpy(lines.b, lines.a + cut, lines.a_size - cut);
    memcpy(lines.b + lines.a_size - cut, lines.a, cut);
    struct patched got = run(lines.a, lines.a_size, lines.b, lines.a_size);
    cr_expect_leq(got.deleted, lines.a_size - cut);
    cr_expect_leq(got.count, 4);
    drop_lines(&lines);
}

Test(diff, few_long_lines_that_stay_outweigh_many_short_ones_that_moved)
{
    enum { LONG = 20, LONG_SIZE = 3000, SHORT = 900 };
    char *a = malloc(LONG * LONG_SIZE + SHORT * 8 + 1);
    char *b = malloc(LONG * LONG_SIZE + SHORT * 8 + 1);
    size_t long_size = LONG * LONG_SIZE;
    uint64_t random = 6;
    for (size_t i = 0; i < long_size; i++)
        a[i] = (char)(i % LONG_SIZE == LONG_SIZE - 1 ? '\n' : 'a' + next_random(&random) % 26);
    for (size_t i = 0; i < SHORT; i++) {
        char line[16];
        snprintf(line, sizeof line, "%07zu", i * 8191);
        line[7] = '\n';
        memcpy(a + long_size + i * 8, line, 8);
    }
    memcpy(b, a + long_size, SHORT * 8);
    memcpy(b + SHORT * 8, a, long_size);
    size_t size = long_size + SHORT * 8;
    struct patched got = run(a, size, b, size);
    cr_expect_leq(got.deleted, SHORT * 8, "%llu deleted", (unsigned long long)got.deleted);
    free(a);
    free(b);
}

Test(diff, lines_that_are_equal_anchor_nothing_and_stay_correct)
{
    enum { LINES = 30000, LINE = 6 };
    char *a = malloc(LINE * LINES);
    char *b = malloc(LINE * LINES);
    uint64_t random = 7;
    for (int kinds = 1; kinds <= 3; kinds++) {
        for (size_t i = 0; i < LINES; i++) {
            memcpy(a + i * LINE, "equal\n", LINE);
            memcpy(b + i * LINE, "equal\n", LINE);
            a[i * LINE] = (char)('a' + next_random(&random) % (uint64_t)kinds);
            b[i * LINE] = (char)('a' + next_random(&random) % (uint64_t)kinds);
        }
        struct patched got = run(a, LINE * LINES, b, LINE * (LINES - 5000));
        cr_expect_geq(got.deleted, LINE * 5000);
    }
    memset(a, '\n', LINE * LINES);
    memset(b, '\n', LINE * LINES);
    a[0] = a[LINE * LINES - 1] = 'a';
    b[0] = b[LINE * LINES - 1] = 'b';
    struct patched got = run(a, LINE * LINES, b, LINE * LINES / 2);
    cr_expect_leq(got.deleted, LINE * LINES / 2 + 2);
    free(a);
    free(b);
}

Test(diff, one_giant_line_between_others_stays_correct)
{
    struct lines lines = make_lines(10000, 1000, true);
    for (size_t i = lines.a_size / 10; i < lines.a_size / 10 * 9; i++)
        lines.a[i] = lines.a[i] == '\n' ? ' ' : lines.a[i];
    run(lines.a, lines.a_size, lines.b, lines.b_size);
    run(lines.b, lines.b_size, lines.a, lines.a_size);
    for (size_t i = 0; i < lines.b_size; i++)
        lines.b[i] = lines.b[i] == '\n' ? ' ' : lines.b[i];
    run(lines.a, lines.a_size, lines.b, lines.b_size);
    drop_lines(&lines);
}

/// Rearranges, drops, doubles and replaces lines, of which many are equal.
Test(diff, random_lines_stay_correct)
{
    enum { LINES = 3000, LINE = 32 };
    char *a = malloc(LINES * LINE);
    char *b = malloc(LINES * LINE * 3);
    uint64_t random = 9;
    for (int round = 0; round < 200; round++) {
        uint64_t kinds = UINT64_C(1) << (next_random(&random) % 16);
        uint64_t every = 1 + next_random(&random) % 50;
        size_t starts_at[LINES + 1] = {0};
        size_t a_size = 0;
        for (size_t i = 0; i < LINES; i++) {
            uint64_t kind = next_random(&random) % kinds;
            a_size += (size_t)snprintf(a + a_size, LINE, "%s%llu\n", kind % 3 ? "\xE2\x82\xAC" : "",
                                       (unsigned long long)(kind * kind * 77773));
            starts_at[i + 1] = a_size;
        }
        size_t b_size = 0;
        for (size_t i = 0; i < LINES; i++) {
            uint64_t dice = next_random(&random) % (every * 4);
            size_t from = dice == 1 ? next_random(&random) % LINES : i;
            if (dice == 0)
                continue;
            for (int times = dice == 2 ? 2 : 1; times > 0; times--) {
                memcpy(b + b_size, a + starts_at[from], starts_at[from + 1] - starts_at[from]);
                b_size += starts_at[from + 1] - starts_at[from];
            }
            if (dice == 3)
                b[b_size - 2] = '-';
        }
        run(a, a_size, b, b_size);
    }
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

/// @return the number of allocations that it takes.
static int fail_each_allocation(struct span old_text, struct span new_text)
{
    for (int allocations = 0;; allocations++) {
        int left = allocations;
        struct weft_allocator allocator = {&left, resize_counted};
        struct patched patched = {.answer = WEFT_OK};
        enum weft_status status = diff_texts(&allocator, old_text, new_text, note, &patched);
        size_t calls = patched.count;
        free(patched.edits);
        if (status == WEFT_OK)
            return allocations;
        cr_assert_eq(status, WEFT_NO_MEMORY);
        cr_assert_eq(calls, 0);
    }
}

Test(diff, without_memory_there_is_no_edit_at_all)
{
    const char *old_text = "the quick brown fox jumps over the lazy dog and does it once again";
    const char *new_text = "a quack brawn fix jimps ever a crazy dig, ind dies at ince agoin, too";
    cr_assert_gt(fail_each_allocation((struct span){(const uint8_t *)old_text, strlen(old_text)},
                                      (struct span){(const uint8_t *)new_text, strlen(new_text)}),
                 2, "the test meant to fail some allocations");
    for (int ascii = 0; ascii <= 1; ascii++) {
        struct lines lines = make_lines(2000, 400, ascii != 0);
        cr_assert_gt(fail_each_allocation((struct span){(const uint8_t *)lines.a, lines.a_size},
                                          (struct span){(const uint8_t *)lines.b, lines.b_size}),
                     5, "the test meant to fail some allocations");
        drop_lines(&lines);
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
