// SPDX-License-Identifier: MIT
// Runs whose causes are missing.
#include "crdt/parking.h"

#include <assert.h>
#include <string.h>

enum { PAGE_SHIFT = 5 };

void parking_init(struct parking *parking, const struct weft_allocator *allocator,
                  uint32_t count_max, size_t bytes_max)
{
    *parking = (struct parking){
        .free = PARKED_NONE,
        .ready = PARKED_NONE,
        .count_max = count_max,
        .bytes_max = bytes_max,
        .allocator = *allocator,
    };
    pool_init(&parking->pool, allocator, sizeof(struct parked), PAGE_SHIFT);
    map_init(&parking->waiting, allocator);
    map_init(&parking->known, allocator);
}

static struct parked *parked_at(const struct parking *parking, uint32_t index)
{
    return POOL_AT(&parking->pool, struct parked, PAGE_SHIFT, index);
}

static void free_text(struct parking *parking, struct parked *parked)
{
    union { // the copy is ours to free, though weft_run only borrows
        const uint8_t *borrowed;
        uint8_t *owned;
    } text = {.borrowed = parked->run.text};
    memory_free(&parking->allocator, text.owned, parked->run.text_size);
    parked->run.text = NULL;
}

void parking_finish(struct parking *parking)
{
    for (uint32_t i = 0; i < parking->pool.count; i++)
        free_text(parking, parked_at(parking, i));
    pool_finish(&parking->pool);
    map_finish(&parking->waiting);
    map_finish(&parking->known);
    parking->count = 0;
}

static uint64_t run_key(const struct weft_run *run)
{
    return run->agent ^ run->seq * UINT64_C(0x9e3779b97f4a7c15);
}

// Merges two heaps; each step goes down the right spine, whose links are swapped.
static uint32_t merge(struct parking *parking, uint32_t a, uint32_t b)
{
    uint32_t top = PARKED_NONE;
    uint32_t *link = &top;
    while (a != PARKED_NONE && b != PARKED_NONE) {
        if (parked_at(parking, b)->seq < parked_at(parking, a)->seq) {
            uint32_t other = a;
            a = b;
            b = other;
        }
        struct parked *least = parked_at(parking, a);
        *link = a;
        a = least->right;
        least->right = least->left;
        link = &least->left;
    }
    *link = a != PARKED_NONE ? a : b;
    return top;
}

static void wait_for(struct parking *parking, uint32_t index, struct weft_id missing)
{
    struct parked *parked = parked_at(parking, index);
    parked->seq = missing.seq;
    parked->agent = missing.agent;
    parked->left = PARKED_NONE;
    parked->right = PARKED_NONE;
    uint32_t top = map_find(&parking->waiting, missing.agent);
    map_set(&parking->waiting, missing.agent, top == MAP_NONE ? index : merge(parking, top, index));
}

enum weft_status parking_add(struct parking *parking, const struct weft_run *run,
                             struct weft_id missing)
{
    uint32_t known = map_find(&parking->known, run_key(run));
    if (known != MAP_NONE) {
        const struct weft_run *other = &parked_at(parking, known)->run;
        if (other->agent == run->agent && other->seq == run->seq && other->length >= run->length)
            return WEFT_OK;
    }
    if (parking->count >= parking->count_max ||
        run->text_size > parking->bytes_max - parking->bytes)
        return WEFT_LIMIT;
    if ((parking->free == PARKED_NONE && !pool_reserve(&parking->pool, 1)) ||
        !map_reserve(&parking->waiting, parking->count + 1 - parking->waiting.count) ||
        !map_reserve(&parking->known, 1))
        return WEFT_NO_MEMORY;
    uint8_t *text = NULL;
    if (run->text_size > 0) {
        text = memory_alloc(&parking->allocator, run->text_size);
        if (text == NULL)
            return WEFT_NO_MEMORY;
        memcpy(text, run->text, run->text_size);
    }
    uint32_t index = parking->free;
    if (index == PARKED_NONE)
        index = parking->pool.count++;
    else
        parking->free = parked_at(parking, index)->left;
    struct parked *parked = parked_at(parking, index);
    parked->run = *run;
    parked->run.text = text;
    parked->since_ms = parking->now_ms;
    parking->count++;
    parking->bytes += run->text_size;
    map_set(&parking->known, run_key(run), index);
    wait_for(parking, index, missing);
    return WEFT_OK;
}

void parking_retry(struct parking *parking, uint32_t index)
{
    struct parked *parked = parked_at(parking, index);
    parked->agent = 0;
    parked->left = parking->ready;
    parking->ready = index;
}

void parking_wake_waiting(struct parking *parking, uint64_t agent, uint64_t next)
{
    uint32_t top = map_find(&parking->waiting, agent);
    if (top == MAP_NONE || parked_at(parking, top)->seq >= next)
        return;
    while (top != PARKED_NONE && parked_at(parking, top)->seq < next) {
        const struct parked *parked = parked_at(parking, top);
        uint32_t rest = merge(parking, parked->left, parked->right);
        parking_retry(parking, top);
        top = rest;
    }
    if (top == PARKED_NONE)
        map_remove(&parking->waiting, agent);
    else
        map_set(&parking->waiting, agent, top);
}

uint32_t parking_take(struct parking *parking)
{
    uint32_t index = parking->ready;
    if (index != PARKED_NONE)
        parking->ready = parked_at(parking, index)->left;
    return index;
}

struct weft_run parking_run(const struct parking *parking, uint32_t index)
{
    return parked_at(parking, index)->run;
}

void parking_free(struct parking *parking, uint32_t index)
{
    struct parked *parked = parked_at(parking, index);
    if (map_find(&parking->known, run_key(&parked->run)) == index)
        map_remove(&parking->known, run_key(&parked->run));
    parking->count--;
    parking->bytes -= parked->run.text_size;
    free_text(parking, parked);
    parked->run.text_size = 0;
    parked->run.length = 0;
    parked->left = parking->free;
    parking->free = index;
}

void parking_wait(struct parking *parking, uint32_t index, struct weft_id missing)
{
    wait_for(parking, index, missing);
}

const struct parked *parking_next(const struct parking *parking, uint32_t *index)
{
    while (*index < parking->pool.count) {
        const struct parked *parked = parked_at(parking, (*index)++);
        if (parked->run.length > 0)
            return parked;
    }
    return NULL;
}
