// SPDX-License-Identifier: MIT
// What node/ports.h promises of a store, on each implementation.
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_fixture.h"

#define FOR_EACH_STORE(fixture)                                                                    \
    for (unsigned index_ = 0; index_ < STORE_FIXTURE_COUNT; index_++)                              \
        for (bool once_ = (store_fixture_open(&(fixture), index_), true); once_;                   \
             once_ = ((fixture).close(&(fixture)), false))

struct listing {
    char text[4096];
    size_t size;
    unsigned limit; // stop after so many; 0: never
    unsigned count;
};

static bool list_record(void *context, struct span key, struct span value)
{
    struct listing *listing = context;
    listing->size += (size_t)snprintf(
        listing->text + listing->size, sizeof(listing->text) - listing->size, "%.*s=%.*s ",
        (int)key.size, (const char *)key.data, value.data == NULL ? 4 : (int)value.size,
        value.data == NULL ? "NULL" : (const char *)value.data);
    return ++listing->count != listing->limit;
}

static const char *list(struct store *store, enum store_table table, const char *from,
                        unsigned limit)
{
    static struct listing listing;
    listing = (struct listing){.limit = limit};
    cr_assert_eq(store->scan(store, table, text_span(from), list_record, &listing), WEFT_OK);
    return listing.text;
}

Test(store, keeps_what_was_put_and_not_what_was_removed)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        struct span key;
        for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
            cr_assert(store_has(s, t, "k", NULL));
            cr_assert_eq(s->last(s, &key, t), WEFT_NOT_FOUND);
            cr_assert_str_eq(list(s, t, "", 0), "");
        }
        s->release(s);
        for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
            char value[16];
            snprintf(value, sizeof(value), "value %u", t);
            store_put(s, t, "k", value);
            store_put(s, t, "gone", "x");
        }
        store_fixture_commit(&f);
        for (unsigned t = 0; t < STORE_TABLE_COUNT; t++)
            cr_assert_eq(s->remove(s, t, text_span("gone")), WEFT_OK);
        cr_assert_eq(s->remove(s, STORE_META, text_span("never there")), WEFT_OK);
        store_fixture_commit(&f);
        for (unsigned life = 0; life < 2; life++) {
            for (unsigned t = 0; t < STORE_TABLE_COUNT; t++) {
                char value[16];
                snprintf(value, sizeof(value), "value %u", t);
                cr_assert(store_has(s, t, "k", value), "%s: table %u", f.name, t);
                cr_assert(store_has(s, t, "gone", NULL), "%s: table %u", f.name, t);
            }
            f.reopen(&f);
            s = f.store;
        }
    }
}

Test(store, keeps_keys_in_byte_order)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        const char *keys[] = {"b", "a", "ab", "\xff", "aa", "B", "abc", "\x01"};
        for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            store_put(s, STORE_DOCUMENTS, keys[i], "v");
        // The journal's keys grow as a rule, but it has to bear others.
        store_put(s, STORE_JOURNAL, "3", "c");
        store_put(s, STORE_JOURNAL, "1", "a");
        store_put(s, STORE_JOURNAL, "2", "b");
        store_put(s, STORE_JOURNAL, "4", "d");
        store_put(s, STORE_JOURNAL, "3", "C");
        store_fixture_commit(&f);
        cr_expect_str_eq(list(s, STORE_DOCUMENTS, "", 0),
                         "\x01=v B=v a=v aa=v ab=v abc=v b=v \xff=v ", "%s", f.name);
        cr_expect_str_eq(list(s, STORE_DOCUMENTS, "ab", 2), "ab=v abc=v ", "%s", f.name);
        cr_expect_str_eq(list(s, STORE_DOCUMENTS, "ac", 1), "b=v ", "%s", f.name);
        cr_expect_str_eq(list(s, STORE_DOCUMENTS, "\xff\xff", 0), "", "%s", f.name);
        cr_expect_str_eq(list(s, STORE_JOURNAL, "", 0), "1=a 2=b 3=C 4=d ", "%s", f.name);
        struct span key;
        cr_assert_eq(s->last(s, &key, STORE_JOURNAL), WEFT_OK);
        cr_expect(key.size == 1 && key.data[0] == '4');
    }
}

Test(store, applies_the_edits_of_a_group_in_order)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        store_put(s, STORE_META, "a", "1");
        store_put(s, STORE_META, "a", "2");
        store_put(s, STORE_META, "b", "1");
        cr_assert_eq(s->remove(s, STORE_META, text_span("b")), WEFT_OK);
        cr_assert_eq(s->remove(s, STORE_META, text_span("c")), WEFT_OK);
        store_put(s, STORE_META, "c", "");
        store_fixture_commit(&f);
        cr_expect_str_eq(list(s, STORE_META, "", 0), "a=2 c= ", "%s", f.name);
    }
}

Test(store, reads_see_neither_staged_nor_later_groups)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        store_put(s, STORE_TEXTS, "d", "old");
        cr_expect_eq(s->staged(s), 4);
        cr_expect(store_has(s, STORE_TEXTS, "d", NULL));
        s->release(s);
        store_fixture_commit(&f);
        cr_expect_eq(s->staged(s), 0);

        struct span held;
        cr_assert_eq(s->get(s, &held, STORE_TEXTS, text_span("d")), WEFT_OK);
        store_put(s, STORE_TEXTS, "d", "new");
        store_put(s, STORE_TEXTS, "e", "more");
        store_fixture_commit(&f);
        cr_assert_eq(s->remove(s, STORE_TEXTS, text_span("e")), WEFT_OK);
        store_fixture_commit(&f);
        cr_expect(store_has(s, STORE_TEXTS, "d", "old"), "%s: the view moved", f.name);
        cr_expect_str_eq(list(s, STORE_TEXTS, "", 0), "d=old ", "%s", f.name);
        cr_expect(held.size == 3 && memcmp(held.data, "old", 3) == 0, "%s", f.name);
        s->release(s);
        cr_expect(store_has(s, STORE_TEXTS, "d", "new"), "%s", f.name);
        s->release(s);
        s->release(s);
    }
}

Test(store, completes_groups_in_order_two_at_a_time)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        char text[32];
        for (unsigned i = 0; i < 20; i++) {
            uint64_t groups[STORE_GROUPS_MAX];
            for (unsigned j = 0; j < STORE_GROUPS_MAX; j++) {
                snprintf(text, sizeof(text), "%u.%u", i, j);
                store_put(s, STORE_META, "which", text);
                groups[j] = s->commit(s);
                cr_assert_eq(groups[j], (uint64_t)i * STORE_GROUPS_MAX + j + 1, "%s", f.name);
            }
            for (unsigned j = 0; j < STORE_GROUPS_MAX; j++)
                cr_assert_eq(f.settle(&f, groups[j]), WEFT_OK);
            cr_assert(store_has(s, STORE_META, "which", text), "%s", f.name);
            s->release(s);
        }
        // A group of nothing is one all the same.
        store_fixture_commit(&f);
    }
}

Test(store, a_failed_group_leaves_nothing_and_fails_those_behind_it)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        store_put(s, STORE_META, "a", "before");
        store_fixture_commit(&f);

        store_put(s, STORE_META, "a", "failed");
        f.doom(&f);
        uint64_t failed = s->commit(s);
        store_put(s, STORE_META, "b", "behind");
        uint64_t behind = s->commit(s);
        f.finish(&f, 2);
        store_put(s, STORE_META, "c", "staged");
        cr_expect_eq(f.settle(&f, failed), WEFT_LIMIT, "%s", f.name);
        cr_expect_eq(s->health(s), STORE_FULL, "%s", f.name);
        cr_expect_eq(f.settle(&f, behind), WEFT_LIMIT, "%s", f.name);
        f.recover(&f);
        cr_expect_eq(s->health(s), STORE_WRITABLE, "%s", f.name);

        // What was staged when the failure was told fails with its group.
        store_put(s, STORE_META, "d", "staged with it");
        uint64_t staged = s->commit(s);
        cr_expect_eq(f.settle(&f, staged), WEFT_LIMIT, "%s", f.name);
        cr_expect_str_eq(list(s, STORE_META, "", 0), "a=before ", "%s", f.name);
        cr_expect_str_eq(list(s, STORE_SNAPSHOTS, "", 0), "", "%s", f.name);
        s->release(s);

        store_put(s, STORE_META, "e", "after");
        store_fixture_commit(&f);
        cr_expect_str_eq(list(s, STORE_META, "", 0), "a=before e=after ", "%s", f.name);
    }
}

Test(store, a_group_that_was_given_up_leaves_nothing_and_harms_no_other)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        store_put(s, STORE_META, "a", "before");
        store_fixture_commit(&f);
        store_put(s, STORE_META, "a", "changed");
        s->doom(s);
        cr_expect_eq(s->put(s, STORE_META, text_span("b"), text_span("more")), WEFT_NO_MEMORY);
        cr_expect_eq(f.settle(&f, s->commit(s)), WEFT_NO_MEMORY, "%s", f.name);
        cr_expect_eq(s->health(s), STORE_WRITABLE, "%s", f.name);
        cr_expect_str_eq(list(s, STORE_META, "", 0), "a=before ", "%s", f.name);
        s->release(s);
        store_put(s, STORE_META, "c", "after");
        store_fixture_commit(&f);
        cr_expect_str_eq(list(s, STORE_META, "", 0), "a=before c=after ", "%s", f.name);
    }
}

Test(store, a_group_committed_before_a_failure_is_told_fails)
{
    struct store_fixture f;
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        f.doom(&f);
        uint64_t first = s->commit(s);
        // It has failed, but the node does not know yet.
        f.finish(&f, 1);
        f.recover(&f);
        store_put(s, STORE_META, "a", "1");
        uint64_t second = s->commit(s);
        cr_expect_eq(f.settle(&f, first), WEFT_LIMIT, "%s", f.name);
        cr_expect_eq(f.settle(&f, second), WEFT_LIMIT, "%s", f.name);
        store_put(s, STORE_META, "a", "2");
        store_fixture_commit(&f);
        cr_expect(store_has(s, STORE_META, "a", "2"), "%s", f.name);
    }
}

static void fill(uint8_t *bytes, size_t size, uint64_t seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((i * 2654435761u + seed) >> 7);
}

Test(store, holds_values_of_any_size_and_keys_up_to_511)
{
    static const size_t sizes[] = {0,    1,    2,    7,    8,     2007,    2008,    2015,
                                   2016, 2030, 4072, 4096, 65536, 1 << 20, 64 << 20};
    enum { count = sizeof(sizes) / sizeof(sizes[0]) };
    struct store_fixture f;
    uint8_t *bytes = malloc(sizes[count - 1]);
    cr_assert_not_null(bytes);
    FOR_EACH_STORE(f)
    {
        struct store *s = f.store;
        for (unsigned i = 0; i < count; i++) {
            uint8_t key[511];
            fill(key, sizeof(key), i);
            fill(bytes, sizes[i], i);
            struct span key_span = {key, i + 1 == count ? 511 : 1 + 36 * (size_t)i};
            cr_assert_eq(s->put(s, STORE_SNAPSHOTS, key_span, (struct span){bytes, sizes[i]}),
                         WEFT_OK);
        }
        store_fixture_commit(&f);
        for (unsigned i = 0; i < count; i++) {
            uint8_t key[511];
            fill(key, sizeof(key), i);
            fill(bytes, sizes[i], i);
            struct span key_span = {key, i + 1 == count ? 511 : 1 + 36 * (size_t)i};
            struct span value;
            cr_assert_eq(s->get(s, &value, STORE_SNAPSHOTS, key_span), WEFT_OK, "%s", f.name);
            cr_assert(value.size == sizes[i] && memcmp(value.data, bytes, value.size) == 0,
                      "%s: %zu bytes", f.name, sizes[i]);
        }
    }
    free(bytes);
}

// A long random life of both, side by side: whatever one holds, the other holds.

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct checksum {
    uint64_t hash;
    uint64_t count;
};

static void checksum_bytes(struct checksum *sum, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        sum->hash = (sum->hash ^ bytes.data[i]) * 1099511628211u;
    sum->hash = (sum->hash ^ bytes.size) * 1099511628211u;
}

static bool checksum_record(void *context, struct span key, struct span value)
{
    struct checksum *sum = context;
    checksum_bytes(sum, key);
    checksum_bytes(sum, value);
    sum->count++;
    return true;
}

static struct checksum checksum_all(struct store *s)
{
    struct checksum sum = {0};
    for (unsigned t = 0; t < STORE_TABLE_COUNT; t++)
        cr_assert_eq(s->scan(s, t, (struct span){NULL, 0}, checksum_record, &sum), WEFT_OK);
    s->release(s);
    return sum;
}

static void stage_random(struct store *s, uint64_t *state)
{
    static uint8_t value[6000];
    uint64_t dice = random_next(state);
    enum store_table table = (enum store_table)(dice % STORE_TABLE_COUNT);
    uint8_t key[64];
    size_t key_size = 1 + dice / 16 % 3;
    for (size_t i = 0; i < key_size; i++)
        key[i] = (uint8_t)(random_next(state) % 12);
    if (dice / 64 % 3 == 0) {
        cr_assert_eq(s->remove(s, table, (struct span){key, key_size}), WEFT_OK);
        return;
    }
    size_t size = (size_t)(random_next(state) % (dice / 256 % 8 == 0 ? sizeof(value) : 80));
    fill(value, size, dice);
    cr_assert_eq(s->put(s, table, (struct span){key, key_size}, (struct span){value, size}),
                 WEFT_OK);
}

Test(store, both_kinds_hold_the_same_after_any_life)
{
    struct store_fixture f[STORE_FIXTURE_COUNT];
    for (unsigned i = 0; i < STORE_FIXTURE_COUNT; i++)
        store_fixture_open(&f[i], i);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        for (unsigned i = 0; i < STORE_FIXTURE_COUNT; i++) {
            uint64_t state = seed * 0x9E3779B97F4A7C15u;
            for (uint64_t n = random_next(&state) % 40; n > 0; n--)
                stage_random(f[i].store, &state);
            if (random_next(&state) % 20 == 0)
                f[i].reopen(&f[i]);
            else
                store_fixture_commit(&f[i]);
        }
        struct checksum a = checksum_all(f[0].store);
        struct checksum b = checksum_all(f[1].store);
        cr_assert(a.hash == b.hash && a.count == b.count, "seed %llu: %llu and %llu records",
                  (unsigned long long)seed, (unsigned long long)a.count,
                  (unsigned long long)b.count);
    }
    for (unsigned i = 0; i < STORE_FIXTURE_COUNT; i++)
        f[i].close(&f[i]);
}

// What only the simulated store has.

Test(store, a_simulated_crash_forgets_what_was_not_synced)
{
    struct sim_store *sim;
    struct sim_store_options options = {0};
    cr_assert_eq(sim_store_create(&sim, &options), WEFT_OK);
    struct store *s = sim_store_port(sim);
    store_put(s, STORE_META, "a", "synced");
    s->commit(s);
    cr_assert(sim_store_sync(sim));
    store_put(s, STORE_META, "b", "under way");
    s->commit(s);
    store_put(s, STORE_META, "c", "staged");
    struct sim_store *copy;
    cr_assert_eq(sim_store_clone(&copy, sim, &options), WEFT_OK);
    sim_store_crash(sim);
    uint64_t group;
    enum weft_status status;
    cr_expect_not(sim_store_next(sim, &group, &status));
    cr_expect_eq(sim_store_pending(sim), 0);
    store_put(s, STORE_META, "d", "new life");
    cr_expect_eq(s->commit(s), 1);
    cr_assert(sim_store_sync(sim));
    cr_expect_str_eq(list(s, STORE_META, "", 0), "a=synced d=new life ");
    cr_expect_str_eq(list(sim_store_port(copy), STORE_META, "", 0), "a=synced ");
    cr_expect_eq(sim_store_bytes(sim), sim_store_bytes(copy) + 9);

    cr_expect(sim_store_damage(sim, STORE_META, text_span("a")));
    struct span value;
    s->release(s);
    cr_expect_eq(s->get(s, &value, STORE_META, text_span("a")), WEFT_MALFORMED);
    cr_expect_str_eq(list(s, STORE_META, "", 0), "a=NULL d=new life ");
    cr_expect(store_has(sim_store_port(copy), STORE_META, "a", "synced"));
    sim_store_destroy(sim);
    sim_store_destroy(copy);
}

Test(store, a_broken_simulated_store_stays_broken_until_it_is_opened_anew)
{
    struct sim_store *sim;
    struct sim_store_options options = {0};
    cr_assert_eq(sim_store_create(&sim, &options), WEFT_OK);
    struct store *s = sim_store_port(sim);
    sim_store_fail_next(sim, WEFT_STORAGE);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t group;
        enum weft_status status;
        store_put(s, STORE_META, "a", "1");
        s->commit(s);
        cr_assert(sim_store_sync(sim));
        cr_assert(sim_store_next(sim, &group, &status));
        cr_expect_eq(status, WEFT_STORAGE);
        cr_expect_eq(s->health(s), STORE_BROKEN);
    }
    sim_store_crash(sim);
    cr_expect_eq(s->health(s), STORE_WRITABLE);
    sim_store_destroy(sim);
}
