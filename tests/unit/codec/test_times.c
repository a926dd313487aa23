// SPDX-License-Identifier: MIT
// When operations arrived: steps, the earlier of two, and small for ever.
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "codec/times.h"

static void note(struct times *times, uint64_t agent, uint64_t from, uint64_t next, uint64_t second)
{
    cr_assert_eq(times_note(times, agent, from, next, second), WEFT_OK);
}

static void expect(const struct times *times, const char *wanted)
{
    char text[512] = "";
    for (size_t i = 0; i < times_count(times); i++) {
        const struct times_mark *mark = times_at(times, i);
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%llu<%llu@%llu ",
                 (unsigned long long)mark->agent, (unsigned long long)mark->next,
                 (unsigned long long)mark->second);
    }
    cr_assert_str_eq(text, wanted);
}

Test(times, what_goes_on_in_one_second_is_one_step)
{
    struct times times;
    times_init(&times, NULL);
    note(&times, 7, 0, 2, 100);
    note(&times, 7, 2, 3, 100);
    note(&times, 7, 3, 9, 101);
    note(&times, 3, 0, 1, 101);
    expect(&times, "3<1@101 7<3@100 7<9@101 ");
    cr_assert_eq(times_of(&times, 7, 0), 100);
    cr_assert_eq(times_of(&times, 7, 2), 100);
    cr_assert_eq(times_of(&times, 7, 3), 101);
    cr_assert_eq(times_of(&times, 7, 9), 0);
    cr_assert_eq(times_of(&times, 5, 0), 0);
    times_finish(&times);
}

Test(times, what_is_said_twice_is_the_earlier_of_both)
{
    struct times times;
    times_init(&times, NULL);
    note(&times, 7, 0, 10, 100);
    note(&times, 7, 2, 4, 50);
    note(&times, 7, 8, 12, 200);
    note(&times, 7, 20, 21, 300); // a gap is not known
    expect(&times, "7<2@100 7<4@50 7<10@100 7<12@200 7<20@0 7<21@300 ");
    note(&times, 7, 15, 16, 250);
    cr_assert_eq(times_of(&times, 7, 14), 0);
    cr_assert_eq(times_of(&times, 7, 15), 250);
    cr_assert_eq(times_of(&times, 7, 16), 0);
    times_finish(&times);
}

/// The same notes in any order, in pieces or encoded, say the same.
Test(times, order_does_not_matter)
{
    static const uint64_t notes[][4] = {
        {7, 0, 10, 100}, {7, 5, 20, 90}, {9, 0, 3, 95}, {7, 18, 30, 120}, {9, 2, 9, 80}};
    uint64_t wanted[2][40] = {{0}};
    for (unsigned order = 0; order < 120; order++) {
        struct times times;
        struct times copy;
        struct weft_buffer bytes;
        bool used[5] = {false};
        unsigned left = order;
        times_init(&times, NULL);
        times_init(&copy, NULL);
        weft_buffer_init(&bytes, NULL);
        for (unsigned i = 5; i > 0; i--) {
            unsigned pick = left % i;
            left /= i;
            unsigned at = 0;
            while (used[at] || pick-- > 0)
                at++;
            used[at] = true;
            note(&times, notes[at][0], notes[at][1], notes[at][2], notes[at][3]);
        }
        cr_assert_eq(times_encode(&bytes, &times), WEFT_OK);
        cr_assert_eq(times_merge(&copy, (struct span){bytes.data, bytes.size}), WEFT_OK);
        for (unsigned agent = 0; agent < 2; agent++) {
            for (unsigned seq = 0; seq < 40; seq++) {
                uint64_t second = times_of(&times, 7 + 2 * agent, seq);
                cr_assert_eq(times_of(&copy, 7 + 2 * agent, seq), second);
                if (order == 0)
                    wanted[agent][seq] = second;
                cr_assert_eq(second, wanted[agent][seq], "order %u, seq %u", order, seq);
            }
        }
        weft_buffer_finish(&bytes);
        times_finish(&copy);
        times_finish(&times);
    }
}

Test(times, they_stay_small_and_recent_ones_exact)
{
    struct times times;
    struct weft_buffer bytes;
    uint64_t start = 1795568000;
    uint64_t end = start + 400000;
    times_init(&times, NULL);
    weft_buffer_init(&bytes, NULL);
    for (uint64_t i = 0; i < 40000; i++)
        note(&times, 1 + i % 3, i / 3, i / 3 + 1, start + 10 * i);
    cr_assert_leq(times_count(&times), (size_t)TIMES_MARKS_MAX);
    for (uint64_t i = 0; i < 40000; i += 7) {
        uint64_t second = times_of(&times, 1 + i % 3, i / 3);
        cr_assert_geq(second, start + 10 * i, "never earlier than it was");
        cr_assert_leq(second, start + 10 * i + 86400);
    }
    cr_assert_eq(times_of(&times, 1 + 39999 % 3, 39999 / 3), end - 10);
    cr_assert_eq(times_encode(&bytes, &times), WEFT_OK);
    cr_assert_leq(bytes.size, 6u * TIMES_MARKS_MAX);
    weft_buffer_finish(&bytes);
    times_finish(&times);
}

Test(times, bytes_of_anyone_are_times_or_malformed)
{
    struct times times;
    struct weft_buffer bytes;
    times_init(&times, NULL);
    weft_buffer_init(&bytes, NULL);
    note(&times, 7, 0, 1000, 1795568000);
    note(&times, 7, 1000, 1001, 1795568001);
    note(&times, 9, 0, 1, 1795568001);
    cr_assert_eq(times_encode(&bytes, &times), WEFT_OK);
    for (size_t size = 1; size < bytes.size; size++) {
        struct times cut;
        times_init(&cut, NULL);
        cr_assert_eq(times_merge(&cut, (struct span){bytes.data, size}), WEFT_MALFORMED);
        times_finish(&cut);
    }
    for (size_t i = 1; i < 8 * bytes.size; i++) {
        struct times flipped;
        times_init(&flipped, NULL);
        bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
        enum weft_status status = times_merge(&flipped, (struct span){bytes.data, bytes.size});
        cr_assert(status == WEFT_OK || status == WEFT_MALFORMED);
        bytes.data[i / 8] ^= (uint8_t)(1 << i % 8);
        times_finish(&flipped);
    }
    weft_buffer_finish(&bytes);
    times_finish(&times);
}
