// SPDX-License-Identifier: MIT
// "Did you mean": the nearest name by Levenshtein distance.
#include "programs/config/config.h"

#include <string.h>

#define NAME_BYTES_MAX 40

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

static size_t distance(const char *a, const char *b)
{
    size_t a_size = strlen(a);
    size_t b_size = strlen(b);
    if (a_size > NAME_BYTES_MAX || b_size > NAME_BYTES_MAX)
        return NAME_BYTES_MAX;
    size_t row[NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_size; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_size; j++) {
            size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[b_size];
}

const char *config_nearest(const char *name, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t best = strlen(name) / 2 + 2; // farther than this is no typo
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(name, names[i]);
        if (d < best) {
            best = d;
            nearest = names[i];
        }
    }
    return nearest;
}
