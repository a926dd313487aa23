// SPDX-License-Identifier: MIT
// Every decoder on every golden vector, cut at each place, lengthened, and with each byte changed.
// Inputs are in blocks of their own size, so that a sanitizer sees what reads past their end.
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "codec/peer.h"
#include "codec/record.h"
#include "codec/version.h"
#include "codec/wire.h"
#include "tests/golden/golden.h"

typedef enum weft_status decoder(struct span bytes);

static enum weft_status wire(struct span bytes)
{
    static struct wire_message message;
    return wire_decode(&message, bytes);
}

static enum weft_status peer(struct span bytes)
{
    struct peer_message message;
    return peer_decode(&message, bytes);
}

static enum weft_status delta(struct span bytes)
{
    struct weft_doc *doc;
    struct weft_apply_result result;
    cr_assert_eq(weft_doc_create(&doc, NULL), WEFT_OK);
    enum weft_status status = weft_doc_apply(&result, doc, WEFT_APPLY_PARK, bytes.data, bytes.size);
    cr_assert(status == WEFT_OK || weft_doc_stats(doc).atoms == 0);
    cr_assert_null(weft_doc_check(doc));
    weft_doc_destroy(doc);
    return status;
}

static enum weft_status journal(struct span bytes)
{
    struct record_entry entry;
    return record_entry_decode(&entry, bytes);
}

static enum weft_status documents(struct span bytes)
{
    struct record_document document;
    return record_document_decode(&document, bytes);
}

static enum weft_status snapshots(struct span bytes)
{
    struct record_snapshot snapshot;
    return record_snapshot_decode(&snapshot, bytes);
}

static enum weft_status epochs(struct span bytes)
{
    struct record_epoch epoch;
    return record_epoch_decode(&epoch, bytes);
}

static enum weft_status feeds(struct span bytes)
{
    struct record_feed feed;
    return record_feed_decode(&feed, bytes);
}

static enum weft_status recovery(struct span bytes)
{
    struct record_recovery part;
    return record_recovery_decode(&part, bytes);
}

static enum weft_status decode(decoder *decode_bytes, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size + (size == 0));
    memcpy(copy, bytes, size);
    enum weft_status status = decode_bytes((struct span){copy, size});
    free(copy);
    cr_assert(status == WEFT_OK || status == WEFT_MALFORMED || status == WEFT_UNSUPPORTED ||
              status == WEFT_LIMIT);
    return status;
}

static void cut_and_lengthen(decoder *decode_bytes, const char *name, struct span bytes)
{
    uint8_t longer[4096];
    cr_assert_lt(bytes.size, sizeof longer);
    memcpy(longer, bytes.data, bytes.size);
    longer[bytes.size] = 0;
    cr_assert_eq(decode(decode_bytes, bytes.data, bytes.size), WEFT_OK, "%s", name);
    for (size_t cut = 1; cut < bytes.size; cut++)
        cr_assert_neq(decode(decode_bytes, bytes.data, cut), WEFT_OK, "%s: the first %zu bytes",
                      name, cut);
    cr_assert_neq(decode(decode_bytes, longer, bytes.size + 1), WEFT_OK, "%s: one more", name);
}

static void change(decoder *decode_bytes, struct span bytes)
{
    static const uint8_t others[] = {0x00, 0x01, 0x7f, 0x80, 0x90, 0xc0, 0xc1, 0xc6,
                                     0xcf, 0xd0, 0xdb, 0xdd, 0xdf, 0xfe, 0xff};
    uint8_t *changed = malloc(bytes.size);
    memcpy(changed, bytes.data, bytes.size);
    for (size_t at = 0; at < bytes.size; at++) {
        for (size_t i = 0; i < sizeof others; i++) {
            changed[at] = others[i];
            (void)decode(decode_bytes, changed, bytes.size); // any answer, no harm
        }
        for (int bit = 0; bit < 8; bit++) {
            changed[at] = (uint8_t)(bytes.data[at] ^ 1 << bit);
            (void)decode(decode_bytes, changed, bytes.size);
        }
        changed[at] = bytes.data[at];
    }
    free(changed);
}

/// What a later version may say: one element more at the end of the outermost array.
static void extend(decoder *decode_bytes, const char *name, struct span bytes)
{
    static const uint8_t extras[][3] = {{0xc0}, {0x93, 0x01, 0xa0}, {0x81, 0x01, 0xc3}};
    static const size_t sizes[] = {1, 3, 3};
    uint8_t longer[4096];
    memcpy(longer, bytes.data, bytes.size);
    cr_assert_eq(longer[0] & 0xf0, 0x90, "%s", name);
    longer[0]++;
    for (size_t i = 0; i < 3; i++) {
        size_t size = bytes.size + (i == 1 ? 4 : sizes[i]);
        memcpy(longer + bytes.size, extras[i], 3);
        longer[bytes.size + 3] = 0x02; // third element of the array
        cr_assert_eq(decode(decode_bytes, longer, size), WEFT_OK, "%s with more", name);
    }
}

static void torment(const char *file, const char *part, const char *word, decoder *decode_bytes,
                    bool extends)
{
    struct golden golden;
    unsigned count = 0;
    golden_open(&golden, file);
    while (golden_next(&golden)) {
        if (word != NULL && strncmp(golden.name, word, strlen(word)) != 0)
            continue;
        struct span bytes = golden_bytes(&golden, part);
        cut_and_lengthen(decode_bytes, golden.name, bytes);
        change(decode_bytes, bytes);
        // A row of deltas has no end of its own, and has a vector to itself.
        if (extends && (bytes.data[0] & 0xf) < 15 && strncmp(golden.name, "a turn", 6) != 0)
            extend(decode_bytes, golden.name, bytes);
        count++;
    }
    golden_close(&golden, 1);
    cr_assert_gt(count, 0, "%s: no %s", file, word);
}

Test(malformed, messages_of_clients_and_nodes)
{
    torment("wire.txt", "bytes", NULL, wire, true);
    torment("peer.txt", "bytes", NULL, peer, true);
}

Test(malformed, version_vectors_and_deltas)
{
    torment("version.txt", "bytes", NULL, version_check, false);
    torment("delta.txt", "bytes", NULL, delta, false);
}

Test(malformed, version_vectors_that_say_an_agent_twice_or_nothing_of_it)
{
    // Two agents of one id, then of descending ids; next 0; more entries declared than there are.
    static const uint8_t bad[][19] = {
        {2, 5, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 1},
        {2, 5, 0, 0, 0, 0, 0, 0, 0, 1, 4, 0, 0, 0, 0, 0, 0, 0, 1},
        {2, 4, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 0},
        {3, 4, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 1},
        {2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5, 0, 0, 0, 0, 0, 0, 0, 1}, // agent 0 is nobody
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(decode(version_check, bad[i], sizeof bad[i]), WEFT_MALFORMED, "%zu", i);
}

Test(malformed, records)
{
    torment("records.txt", "value", "journal", journal, true);
    torment("records.txt", "value", "documents", documents, true);
    torment("records.txt", "value", "snapshots", snapshots, true);
    torment("records.txt", "value", "epochs", epochs, true);
    torment("records.txt", "value", "feeds", feeds, true);
    torment("records.txt", "value", "recovery", recovery, true);
}

/// A snapshot in three parts, of which one is changed. Loading takes the order as it is said, which
/// only weft_doc_check() would see (O1); all else must hold.
static enum weft_status load(const struct span parts[3])
{
    struct weft_doc *doc = NULL;
    struct weft_snapshot snapshot = {parts[0].data, parts[0].size, parts[1].data,
                                     parts[1].size, parts[2].data, parts[2].size};
    enum weft_status status = weft_doc_load(&doc, &snapshot, NULL);
    cr_assert((status == WEFT_OK) == (doc != NULL));
    const char *broken = doc != NULL ? weft_doc_check(doc) : NULL;
    cr_assert(broken == NULL || strncmp(broken, "O1:", 3) == 0, "%s", broken);
    weft_doc_destroy(doc);
    return status;
}

Test(malformed, snapshots)
{
    struct golden golden;
    static const char *const keys[3] = {"structure", "text", "tombs"};
    golden_open(&golden, "snapshot.txt");
    while (golden_next(&golden)) {
        for (int part = 0; part < 3; part++) {
            struct span parts[3];
            for (int i = 0; i < 3; i++)
                parts[i] = golden_bytes(&golden, keys[i]);
            struct span whole = parts[part];
            for (size_t cut = 0; cut < whole.size; cut++) {
                uint8_t *copy = malloc(cut + 1);
                memcpy(copy, whole.data, cut);
                parts[part] = (struct span){copy, cut};
                cr_assert_neq(load(parts), WEFT_OK, "%s: %zu bytes of %s", golden.name, cut,
                              keys[part]);
                free(copy);
            }
            uint8_t *copy = malloc(whole.size + 1);
            if (whole.size > 0)
                memcpy(copy, whole.data, whole.size);
            parts[part] = (struct span){copy, whole.size};
            for (size_t at = 0; at < whole.size; at++) {
                for (int bit = 0; bit < 8; bit++) {
                    copy[at] = (uint8_t)(whole.data[at] ^ 1 << bit);
                    (void)load(parts);
                }
                copy[at] = whole.data[at];
            }
            copy[whole.size] = 'x';
            parts[part].size++;
            cr_assert_neq(load(parts), WEFT_OK, "%s: more of %s", golden.name, keys[part]);
            free(copy);
        }
    }
    golden_close(&golden, 2);
}
