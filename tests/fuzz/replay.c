// SPDX-License-Identifier: MIT
// A fuzz target without a fuzzer: its seeds, what was kept of failures, and a fixed row of changes
// to them, the same in each run.
//
//     replay_TARGET TARGET SEEDS [FILE ...]    SEEDS has lines "TARGET HEX"
#include "target.h"

#include "programs/trace/random.h"

enum { SEEDS_MAX = 256, SIZE_MAX_BYTES = 1 << 16, CHANGED = 40000, CHANGED_SANITIZED = 4000 };

#if defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = CHANGED_SANITIZED };
#else
enum { ROUNDS = CHANGED };
#endif

struct seed {
    uint8_t *data;
    size_t size;
};

static struct seed seeds[SEEDS_MAX];
static size_t seed_count;

static void add(const uint8_t *data, size_t size)
{
    REQUIRE(seed_count < SEEDS_MAX, "more than %d seeds", SEEDS_MAX);
    struct seed *seed = &seeds[seed_count++];
    seed->data = malloc(size + 1);
    REQUIRE(seed->data != NULL, "no memory");
    memcpy(seed->data, data, size);
    seed->size = size;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c != '\0' ? strchr(digits, c) : NULL;
    return found != NULL ? (int)(found - digits) : -1;
}

static void read_lines(const char *path, const char *target)
{
    static char line[2 * SIZE_MAX_BYTES + 64];
    static uint8_t bytes[SIZE_MAX_BYTES];
    FILE *file = fopen(path, "r");
    REQUIRE(file != NULL, "%s cannot be read", path);
    while (fgets(line, sizeof(line), file) != NULL) {
        char *hex = strchr(line, ' ');
        REQUIRE(hex != NULL, "a line without a space");
        *hex++ = '\0';
        size_t size = 0;
        for (; digit(hex[0]) >= 0 && digit(hex[1]) >= 0; hex += 2)
            bytes[size++] = (uint8_t)(digit(hex[0]) << 4 | digit(hex[1]));
        if (strcmp(line, target) == 0)
            add(bytes, size);
    }
    fclose(file);
}

static void read_file(const char *path)
{
    static uint8_t bytes[SIZE_MAX_BYTES];
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL, "%s cannot be read", path);
    add(bytes, fread(bytes, 1, sizeof(bytes), file));
    fclose(file);
}

/// A seed, or two of them one after the other or crossed, with some bytes changed.
static size_t change(uint8_t *out, struct random *random)
{
    const struct seed *first = &seeds[random_below(random, seed_count)];
    const struct seed *second = &seeds[random_below(random, seed_count)];
    size_t size = random_below(random, first->size + 1);
    if (random_permille(random, 600))
        size = first->size;
    memcpy(out, first->data, size);
    if (random_permille(random, 500)) {
        size_t from = random_below(random, second->size + 1);
        memcpy(out + size, second->data + from, second->size - from);
        size += second->size - from;
    }
    for (uint64_t left = random_below(random, 6); left > 0 && size > 0; left--) {
        size_t at = random_below(random, size);
        if (random_permille(random, 500))
            out[at] ^= (uint8_t)(1U << random_below(random, 8));
        else
            out[at] = (uint8_t)random_next(random);
    }
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t bytes[2 * SIZE_MAX_BYTES];
    if (argc < 3) {
        fputs("usage: replay TARGET SEEDS [FILE ...]\n", stderr);
        return 2;
    }
    read_lines(argv[2], argv[1]);
    for (int i = 3; i < argc; i++)
        read_file(argv[i]);
    REQUIRE(seed_count > 0, "no seeds for %s", argv[1]);
    for (size_t i = 0; i < seed_count; i++)
        LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].size);
    struct random random = random_seeded(1);
    for (int i = 0; i < ROUNDS; i++) {
        size_t size = change(bytes, &random);
        uint8_t *input = malloc(size + 1); // of its size, so that reading past it is seen
        REQUIRE(input != NULL, "no memory");
        memcpy(input, bytes, size);
        LLVMFuzzerTestOneInput(input, size);
        free(input);
    }
    printf("%s: %zu seeds, %d changed\n", argv[1], seed_count, ROUNDS);
    for (size_t i = 0; i < seed_count; i++)
        free(seeds[i].data);
    return 0;
}
