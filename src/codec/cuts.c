// SPDX-License-Identifier: MIT
// Sets of cuts: finding, merging.
#include <string.h>

#include <weft/fork.h>
#include <weft/version.h>

#include "base/endian.h"

static struct weft_cut cut_at(const uint8_t *cuts, size_t i)
{
    const uint8_t *bytes = cuts + i * WEFT_CUT_SIZE;
    return (struct weft_cut){endian_get_u64(bytes), endian_get_u64(bytes + 8),
                             endian_get_u64(bytes + 16)};
}

static void put_cut(uint8_t *bytes, const struct weft_cut *cut)
{
    endian_put_u64(bytes, cut->agent);
    endian_put_u64(bytes + 8, cut->seq);
    endian_put_u64(bytes + 16, cut->heir);
}

bool weft_cuts_valid(const uint8_t *cuts, size_t size)
{
    uint64_t before = 0;
    if (size % WEFT_CUT_SIZE != 0 || size / WEFT_CUT_SIZE > WEFT_CUTS_MAX)
        return false;
    for (size_t i = 0; i < size / WEFT_CUT_SIZE; i++) {
        struct weft_cut cut = cut_at(cuts, i);
        if (cut.agent <= before)
            return false;
        before = cut.agent;
    }
    return true;
}

// The place of the agent's cut, or where it belongs.
static size_t place_of(const uint8_t *cuts, size_t size, uint64_t agent)
{
    size_t low = 0;
    size_t high = size / WEFT_CUT_SIZE;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cut_at(cuts, middle).agent < agent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum weft_status weft_cuts_find(struct weft_cut *cut_out, const uint8_t *cuts, size_t size,
                                uint64_t agent)
{
    size_t place = place_of(cuts, size, agent);
    if (place == size / WEFT_CUT_SIZE || cut_at(cuts, place).agent != agent)
        return WEFT_NOT_FOUND;
    *cut_out = cut_at(cuts, place);
    return WEFT_OK;
}

// Adds a cut of an agent that has none.
static enum weft_status insert(struct weft_buffer *cuts, size_t place, const struct weft_cut *cut)
{
    uint8_t bytes[WEFT_CUT_SIZE] = {0};
    if (cuts->size / WEFT_CUT_SIZE >= WEFT_CUTS_MAX)
        return WEFT_LIMIT;
    enum weft_status status = weft_buffer_append(cuts, bytes, sizeof bytes);
    if (status != WEFT_OK)
        return status;
    uint8_t *at = cuts->data + place * WEFT_CUT_SIZE;
    memmove(at + WEFT_CUT_SIZE, at, cuts->size - (place + 1) * WEFT_CUT_SIZE);
    put_cut(at, cut);
    return WEFT_OK;
}

// Merges one cut. Sets *out_of_it to the heir that does not stay, or 0.
static enum weft_status add(bool *changed_out, struct weft_buffer *cuts, const struct weft_cut *cut,
                            uint64_t *out_of_it)
{
    size_t place = place_of(cuts->data, cuts->size, cut->agent);
    *out_of_it = 0;
    if (cut->agent == 0)
        return WEFT_INVALID;
    if (place == cuts->size / WEFT_CUT_SIZE || cut_at(cuts->data, place).agent != cut->agent) {
        enum weft_status status = insert(cuts, place, cut);
        *changed_out |= status == WEFT_OK;
        return status;
    }
    struct weft_cut old = cut_at(cuts->data, place);
    bool wins = cut->seq != old.seq ? cut->seq < old.seq : cut->heir < old.heir;
    uint64_t loser = wins ? old.heir : cut->heir;
    if (old.heir != cut->heir && loser != WEFT_HEIR_UNKNOWN)
        *out_of_it = loser;
    if (wins) {
        put_cut(cuts->data + place * WEFT_CUT_SIZE, cut);
        *changed_out = true;
    }
    return WEFT_OK;
}

enum weft_status weft_cuts_add(bool *changed_out, struct weft_buffer *cuts,
                               const struct weft_cut *cut)
{
    struct weft_cut next = *cut;
    enum weft_status status = WEFT_OK;
    // An heir that does not stay may have been cut itself, with an heir, and so on. Each step
    // either adds an agent to the set or lessens one of its cuts to 0 without an heir: it ends.
    do {
        uint64_t heir;
        status = add(changed_out, cuts, &next, &heir);
        next = (struct weft_cut){heir, 0, 0};
    } while (status == WEFT_OK && next.agent != 0);
    return status;
}

enum weft_status weft_cuts_merge(bool *changed_out, struct weft_buffer *cuts, const uint8_t *more,
                                 size_t more_size)
{
    if (!weft_cuts_valid(more, more_size))
        return WEFT_MALFORMED;
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; i < more_size / WEFT_CUT_SIZE && status == WEFT_OK; i++) {
        struct weft_cut cut = cut_at(more, i);
        status = weft_cuts_add(changed_out, cuts, &cut);
    }
    return status;
}

struct version_check {
    const uint8_t *cuts;
    size_t size;
    bool past;
};

static bool check_entry(void *context, uint64_t agent, uint64_t next)
{
    struct version_check *check = context;
    struct weft_cut cut;
    check->past |=
        weft_cuts_find(&cut, check->cuts, check->size, agent) == WEFT_OK && next > cut.seq;
    return !check->past;
}

enum weft_status weft_cuts_check_version(const uint8_t *cuts, size_t size, const uint8_t *version,
                                         size_t version_size)
{
    struct version_check check = {cuts, size, false};
    enum weft_status status = weft_version_visit(version, version_size, check_entry, &check);
    return status == WEFT_OK && check.past ? WEFT_CONFLICT : status;
}
