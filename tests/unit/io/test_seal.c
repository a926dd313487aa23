// SPDX-License-Identifier: MIT
// io/seal.h: what opens, what does not, and which key files are refused.
#include "io/seal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>

static const struct span nothing = {NULL, 0};
static const struct seal_key key = {.present = true, .bytes = {1, 2, 3}};
static const struct seal_key other_key = {.present = true, .bytes = {1, 2, 4}};
static const char *const words = "fresh entries";

/// Seals `words`; gives the size of the envelope.
static size_t seal_words(struct sealer *sealer, enum seal_kind kind, struct span question,
                         uint8_t envelope[128])
{
    memcpy(envelope + SEAL_HEADER_BYTES, words, strlen(words));
    seal_close(sealer, kind, question, envelope, strlen(words));
    return seal_size(sealer, strlen(words));
}

static enum seal_verdict open_copy(const struct seal_key *with, enum seal_kind kind,
                                   struct span question, const uint8_t *envelope, size_t size)
{
    uint8_t copy[128];
    struct seal_opened opened;
    memcpy(copy, envelope, size);
    enum seal_verdict verdict = seal_open(&opened, with, kind, question, copy, size);
    if (verdict == SEAL_OPENED) {
        cr_assert_eq(opened.body.size, strlen(words));
        cr_assert_eq(memcmp(opened.body.data, words, strlen(words)), 0);
    }
    return verdict;
}

Test(seal, opens_only_with_the_same_key_kind_and_question)
{
    cr_assert(seal_start());
    struct sealer sealed, clear;
    seal_begin(&sealed, &key);
    seal_begin(&clear, NULL);
    uint8_t secret[128], question[128], other_question[128], reply[128], open[128];
    size_t secret_size = seal_words(&sealed, SEAL_BUS, nothing, secret);
    size_t question_size = seal_words(&sealed, SEAL_QUESTION, nothing, question);
    size_t other_size = seal_words(&sealed, SEAL_QUESTION, nothing, other_question);
    struct span asked = {question, question_size}, asked_other = {other_question, other_size};
    size_t reply_size = seal_words(&sealed, SEAL_REPLY, asked, reply);
    size_t open_size = seal_words(&clear, SEAL_BUS, nothing, open);
    cr_assert_eq(secret_size, strlen(words) + SEAL_OVERHEAD_BYTES);
    cr_assert_eq(open_size, strlen(words) + SEAL_HEADER_BYTES);
    cr_assert_null(memmem(secret, secret_size, "entries", 7), "the body must be hidden");

    const struct {
        const char *what;
        const struct seal_key *key;
        enum seal_kind kind;
        struct span question;
        const uint8_t *envelope;
        size_t size;
        enum seal_verdict verdict;
    } cases[] = {
        {"as sealed", &key, SEAL_BUS, nothing, secret, secret_size, SEAL_OPENED},
        {"other key", &other_key, SEAL_BUS, nothing, secret, secret_size, SEAL_FORGED},
        {"no key", NULL, SEAL_BUS, nothing, secret, secret_size, SEAL_KEYLESS},
        {"other kind", &key, SEAL_QUESTION, nothing, secret, secret_size, SEAL_MISPLACED},
        {"open for one with a key", &key, SEAL_BUS, nothing, open, open_size, SEAL_UNSEALED},
        {"open for one without", NULL, SEAL_BUS, nothing, open, open_size, SEAL_OPENED},
        {"a reply to its question", &key, SEAL_REPLY, asked, reply, reply_size, SEAL_OPENED},
        {"a reply to another", &key, SEAL_REPLY, asked_other, reply, reply_size, SEAL_FORGED},
        {"nothing", &key, SEAL_BUS, nothing, secret, 0, SEAL_FOREIGN},
        {"a header alone", &key, SEAL_BUS, nothing, secret, SEAL_HEADER_BYTES, SEAL_FOREIGN},
        {"cut short", &key, SEAL_BUS, nothing, secret, secret_size - 1, SEAL_FORGED},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum seal_verdict verdict = open_copy(cases[i].key, cases[i].kind, cases[i].question,
                                              cases[i].envelope, cases[i].size);
        cr_assert_eq(verdict, cases[i].verdict, "%s: %s", cases[i].what,
                     seal_verdict_text(verdict));
    }
}

Test(seal, any_altered_bit_is_seen)
{
    cr_assert(seal_start());
    struct sealer sealer;
    seal_begin(&sealer, &key);
    uint8_t envelope[128];
    size_t size = seal_words(&sealer, SEAL_BUS, nothing, envelope);
    for (size_t bit = 0; bit < size * 8; bit++) {
        envelope[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_neq(open_copy(&key, SEAL_BUS, nothing, envelope, size), SEAL_OPENED, "bit %zu",
                      bit);
        envelope[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(open_copy(&key, SEAL_BUS, nothing, envelope, size), SEAL_OPENED);
}

Test(seal, numbers_rise_and_senders_differ_between_lives)
{
    cr_assert(seal_start());
    struct sealer first, second;
    seal_begin(&first, &key);
    seal_begin(&second, &key);
    cr_assert_neq(memcmp(first.sender, second.sender, SEAL_SENDER_BYTES), 0);
    cr_assert_neq(memcmp(first.sender_key.bytes, second.sender_key.bytes, 32), 0);
    uint64_t last = 0;
    for (int i = 0; i < 3; i++) {
        uint8_t envelope[128];
        struct seal_opened opened;
        size_t size = seal_words(&first, SEAL_BUS, nothing, envelope);
        cr_assert_eq(seal_open(&opened, &key, SEAL_BUS, nothing, envelope, size), SEAL_OPENED);
        cr_assert_gt(opened.number, last);
        cr_assert_eq(memcmp(opened.sender, first.sender, SEAL_SENDER_BYTES), 0);
        last = opened.number;
    }
}

Test(seal, random_bytes_never_open_and_a_forged_mebibyte_is_cheap)
{
    cr_assert(seal_start());
    size_t size = 1 << 20;
    uint8_t *bytes = malloc(size);
    struct seal_opened opened;
    uint32_t seed = 1;
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    for (size_t i = 0; i < 2000; i++) {
        uint8_t copy[64];
        memcpy(copy, bytes + i * 64, sizeof copy);
        if (i % 2 == 1) {
            memcpy(copy, "wft", 3);
        }
        cr_assert_neq(seal_open(&opened, &key, SEAL_BUS, nothing, copy, i % sizeof copy),
                      SEAL_OPENED);
    }
    memcpy(bytes, "wft\x08", 4);
    struct timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    for (int i = 0; i < 10; i++) {
        memcpy(bytes, "wft\x08", 4);
        cr_assert_eq(seal_open(&opened, &key, SEAL_BUS, nothing, bytes, size), SEAL_FORGED);
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    double ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
                (double)(after.tv_nsec - before.tv_nsec) / 1e6;
    fprintf(stderr, "a forged message of 1 MiB costs %.3f ms\n", ms / 10);
    cr_assert_lt(ms / 10, 5.0, "one pass over the bytes must do");
    free(bytes);
}

Test(seal, refuses_key_files_that_are_wrong_or_open_to_everyone)
{
    cr_assert(seal_start());
    char path[] = "/tmp/weft-key-XXXXXX";
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    close(fd);
    static const char digits[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";
    const struct {
        const char *content, *ending;
        mode_t mode;
        enum weft_status status;
        const char *said;
    } cases[] = {
        {digits, "", 0600, WEFT_OK, ""},
        {digits, "\n", 0640, WEFT_OK, ""},
        {digits, "\r\n", 0600, WEFT_OK, ""},
        {digits, "\n\n", 0600, WEFT_MALFORMED, "64 hex digits"},
        {digits, "0", 0600, WEFT_MALFORMED, "64 hex digits"},
        {digits + 1, "\n", 0600, WEFT_MALFORMED, "64 hex digits"},
        {digits + 1, "g", 0600, WEFT_MALFORMED, "64 hex digits"},
        {"", "", 0600, WEFT_MALFORMED, "64 hex digits"},
        {digits, "\n", 0644, WEFT_LIMIT, "everyone may read"},
        {digits, "\n", 0602, WEFT_LIMIT, "everyone may write"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        FILE *file = fopen(path, "w");
        fprintf(file, "%s%s", cases[i].content, cases[i].ending);
        fclose(file);
        chmod(path, cases[i].mode);
        struct seal_key read = {0};
        char error[256] = "";
        enum weft_status status = seal_read_key(&read, path, error, sizeof error);
        cr_assert_eq(status, cases[i].status, "case %zu: %d %s", i, (int)status, error);
        cr_assert_not_null(strstr(error, cases[i].said), "case %zu: %s", i, error);
        cr_assert_null(strchr(error, '\n'));
        cr_assert_eq(read.present, status == WEFT_OK);
        cr_assert_eq(read.bytes[31], status == WEFT_OK ? 0x1f : 0);
    }
    unlink(path);
    struct seal_key read;
    char error[256];
    cr_assert_eq(seal_read_key(&read, path, error, sizeof error), WEFT_NOT_FOUND);
    cr_assert_not_null(strstr(error, "No such file"));
}
