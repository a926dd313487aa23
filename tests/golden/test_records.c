// SPDX-License-Identifier: MIT
// Records of the store: tests/golden/records.txt.
#include <string.h>

#include <criterion/criterion.h>

#include "codec/record.h"
#include "codec/times.h"
#include "tests/golden/golden.h"

typedef unsigned long long number;

/// Times say the same when they are written again.
static void say_times(struct golden *golden, struct span bytes)
{
    struct times times;
    struct weft_buffer again;
    times_init(&times, NULL);
    weft_buffer_init(&again, NULL);
    cr_assert_eq(times_merge(&times, bytes), WEFT_OK, "%s", golden->name);
    for (size_t i = 0; i < times_count(&times); i++)
        golden_say(golden, "times %llx up to %llu at %llu", (number)times_at(&times, i)->agent,
                   (number)times_at(&times, i)->next, (number)times_at(&times, i)->second);
    cr_assert_eq(times_encode(&again, &times), WEFT_OK);
    cr_assert(span_equal(bytes, span_of_buffer(&again)), "%s", golden->name);
    weft_buffer_finish(&again);
    times_finish(&times);
}

static enum weft_status journal(struct golden *golden, struct weft_buffer *out, struct span value)
{
    struct record_entry entry;
    cr_assert_eq(record_entry_decode(&entry, value), WEFT_OK, "%s", golden->name);
    golden_say(golden, "kind %u feed %016llx sequence %llu", (unsigned)entry.kind,
               (number)entry.incarnation, (number)entry.sequence);
    golden_say_text(golden, "document", entry.document);
    golden_say_epoch(golden, "epoch", &entry.epoch);
    if (entry.kind == RECORD_TIMES)
        say_times(golden, entry.delta);
    else
        golden_say_hex(golden, "delta", entry.delta);
    if (entry.wall_ms > 0)
        golden_say(golden, "wall ms %llu", (number)entry.wall_ms);
    return record_entry_encode(out, &entry);
}

static enum weft_status document(struct golden *golden, struct weft_buffer *out, struct span value)
{
    struct record_document d;
    cr_assert_eq(record_document_decode(&d, value), WEFT_OK, "%s", golden->name);
    golden_say_epoch(golden, "epoch", &d.epoch);
    golden_say(golden, "through %llu change %llu", (number)d.through, (number)d.change);
    golden_say(golden, "atoms %llu length %llu text bytes %llu structure bytes %llu",
               (number)d.atoms, (number)d.length, (number)d.text_size, (number)d.structure_size);
    golden_say_hex(golden, "version", d.version);
    golden_say_hex(golden, "digest", (struct span){d.digest.bytes, sizeof d.digest.bytes});
    golden_say(golden, "wall ms %llu", (number)d.wall_ms);
    return record_document_encode(out, &d);
}

static enum weft_status snapshot(struct golden *golden, struct weft_buffer *out, struct span value)
{
    struct record_snapshot s;
    cr_assert_eq(record_snapshot_decode(&s, value), WEFT_OK, "%s", golden->name);
    golden_say_epoch(golden, "epoch", &s.epoch);
    golden_say_hex(golden, "structure", s.structure);
    golden_say_hex(golden, "tombs", s.tombs);
    if (s.times.size > 0)
        say_times(golden, s.times);
    return record_snapshot_encode(out, &s);
}

static enum weft_status epoch(struct golden *golden, struct weft_buffer *out, struct span value)
{
    struct record_epoch e;
    cr_assert_eq(record_epoch_decode(&e, value), WEFT_OK, "%s", golden->name);
    golden_say_epoch(golden, "epoch", &e.epoch);
    if (e.cuts.size > 0)
        golden_say_hex(golden, "cuts", e.cuts);
    return record_epoch_encode(out, &e);
}

static enum weft_status feed(struct golden *golden, struct weft_buffer *out, struct span value)
{
    struct record_feed f;
    cr_assert_eq(record_feed_decode(&f, value), WEFT_OK, "%s", golden->name);
    golden_say(golden, "prefix %llu continues %016llx to %llu own %d journal start %llu retired %d",
               (number)f.prefix, (number)f.continues, (number)f.continued_to, f.own,
               (number)f.journal_start, f.retired);
    return record_feed_encode(out, &f);
}

static enum weft_status recovery(struct golden *golden, struct weft_buffer *out, struct span value)
{
    struct record_recovery r;
    cr_assert_eq(record_recovery_decode(&r, value), WEFT_OK, "%s", golden->name);
    golden_say(golden, "wall ms %llu", (number)r.wall_ms);
    golden_say_hex(golden, "delta", r.delta);
    if (r.branch)
        golden_say_epoch(golden, "of", &r.epoch);
    return record_recovery_encode(out, &r);
}

static enum weft_status meta_number(struct golden *golden, struct weft_buffer *out,
                                    struct span value)
{
    uint64_t n;
    cr_assert_eq(record_u64_decode(&n, value), WEFT_OK, "%s", golden->name);
    golden_say(golden, "number %llu", (number)n);
    return record_u64_encode(out, n);
}

static enum weft_status meta_text(struct golden *golden, struct weft_buffer *out, struct span value)
{
    struct span text;
    cr_assert_eq(record_text_decode(&text, value), WEFT_OK, "%s", golden->name);
    golden_say_text(golden, "text", text);
    return record_text_encode(out, text);
}

/// By the first word of a vector's name.
static const struct {
    const char *name;
    enum weft_status (*check)(struct golden *, struct weft_buffer *, struct span);
} tables[] = {
    {"journal", journal},
    {"documents", document},
    {"snapshots", snapshot},
    {"epochs", epoch},
    {"feeds", feed},
    {"recovery", recovery},
    {"meta-number", meta_number},
    {"meta-text", meta_text},
};

static struct record_key key_of(struct golden *golden, struct span key)
{
    uint64_t n;
    struct span name;
    struct weft_epoch e;
    if (record_key_recovery_decode(&name, &e, &n, key)) {
        golden_say_text(golden, "key document", name);
        golden_say_epoch(golden, "key epoch", &e);
        golden_say(golden, "key part %llu", (number)n);
        return record_key_recovery(name, &e, n);
    }
    if (record_key_u64_decode(&n, key)) {
        golden_say(golden, "key number %llu", (number)n);
        return record_key_u64(n);
    }
    cr_assert(record_key_change_decode(&n, &name, key), "%s", golden->name);
    golden_say(golden, "key number %llu", (number)n);
    golden_say_text(golden, "key document", name);
    return record_key_change(n, name);
}

Test(golden, records_of_the_store)
{
    struct golden golden;
    struct weft_buffer encoded;
    bool seen[sizeof tables / sizeof *tables] = {false};
    weft_buffer_init(&encoded, NULL);
    golden_open(&golden, "records.txt");
    while (golden_next(&golden)) {
        if (golden_has(&golden, "key")) {
            struct record_key key = key_of(&golden, golden_bytes(&golden, "key"));
            golden_check_bytes(&golden, "key", record_key_span(&key));
        }
        for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
            size_t size = strlen(tables[i].name);
            if (strncmp(golden.name, tables[i].name, size) != 0 || golden.name[size] != ':')
                continue;
            encoded.size = 0;
            struct span value = golden_bytes(&golden, "value");
            cr_assert_eq(tables[i].check(&golden, &encoded, value), WEFT_OK);
            golden_check_bytes(&golden, "value", (struct span){encoded.data, encoded.size});
            seen[i] = true;
        }
        golden_check_said(&golden);
    }
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        cr_expect(seen[i], "no vector of %s", tables[i].name);
    golden_close(&golden, 9);
    weft_buffer_finish(&encoded);
}
