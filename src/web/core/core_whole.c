// SPDX-License-Identifier: MIT
// The smallest module has no part in collecting: its documents have all of their text. This stands
// for what crdt and codec have for others. A delta with gaps is WEFT_UNSUPPORTED: the complete
// module reads it.
#include <string.h>

#include "codec/snapshot_gone.h"
#include "crdt/filter.h"
#include "crdt/rga_impl.h"

const bool gaps_are_read = false;

uint32_t text_alike(const struct text *text, uint32_t iv, uint32_t length, bool *gone_out)
{
    (void)text, (void)iv;
    *gone_out = false;
    return length;
}

struct text_sample text_seek_gone(const struct text_page *page, uint32_t element,
                                  uint32_t *offset_out)
{
    (void)page;
    *offset_out = element;
    return (struct text_sample){0};
}

uint32_t text_count_gone(const struct text_page *page, uint32_t first, uint32_t length)
{
    (void)page, (void)first, (void)length;
    return 0;
}

bool text_reserve_gone(struct text *text, uint64_t elements)
{
    (void)text, (void)elements;
    return true;
}

bool text_reserve_fill(struct text *text, uint64_t bytes, uint64_t appended)
{
    (void)text, (void)bytes, (void)appended;
    return true;
}

void text_fill(struct text *text, uint32_t iv, uint32_t length, struct span utf8)
{
    (void)text, (void)iv, (void)length, (void)utf8;
}

void text_trim(struct text *text)
{
    (void)text;
}

void sums_init(struct sums *sums, const struct weft_allocator *allocator)
{
    (void)sums, (void)allocator;
}

void sums_finish(struct sums *sums)
{
    (void)sums;
}

bool sums_reserve(struct sums *sums, uint64_t count)
{
    (void)sums, (void)count;
    return true;
}

void sums_trim(struct sums *sums)
{
    (void)sums;
}

const uint8_t *sums_find(const struct sums *sums, struct sums_part part)
{
    (void)sums, (void)part;
    return NULL;
}

bool sums_find_part(const struct sums *sums, uint32_t agent, uint32_t seq,
                    struct sums_part *part_out)
{
    (void)sums, (void)agent, (void)seq, (void)part_out;
    return false;
}

bool gaps_take(struct gaps_reader *reader, uint32_t length, struct gaps_token *token_out)
{
    (void)reader, (void)length, (void)token_out;
    return false;
}

void gaps_skip(struct gaps_reader *reader, uint32_t length,
               void (*sum)(void *context, const struct gaps_token *token), void *context)
{
    (void)reader, (void)length, (void)sum, (void)context;
}

size_t gaps_put_sum(uint8_t out[GAPS_SUM_SIZE_MAX], uint64_t first, bool chunk,
                    const uint8_t hash[HASH_SIZE])
{
    (void)out, (void)first, (void)chunk, (void)hash;
    return 0;
}

enum weft_status gaps_slice(struct weft_buffer *out, struct gaps_reader reader, uint32_t first,
                            uint32_t end)
{
    (void)out, (void)reader, (void)first, (void)end;
    return WEFT_UNSUPPORTED;
}

struct gaps_totals gaps_count(struct gaps_reader reader)
{
    (void)reader;
    return (struct gaps_totals){0};
}

void rga_append_gaps(struct rga *rga, struct gaps_reader *gaps, uint32_t agent, uint32_t length)
{
    (void)rga, (void)gaps, (void)agent, (void)length;
}

enum rga_outcome rga_apply_gaps(struct rga *rga, const struct weft_run *run, uint32_t *atoms_out,
                                struct weft_id *missing_out)
{
    (void)rga, (void)run, (void)atoms_out, (void)missing_out;
    return RGA_INVALID;
}

bool rga_gone_is_hashed(const struct rga *rga, const struct op *op)
{
    (void)rga, (void)op;
    return true;
}

bool rga_part_lacks(struct rga *rga, struct sums_part part)
{
    (void)rga, (void)part;
    return false;
}

bool rga_has_text(struct rga *rga, struct covers_range elements)
{
    (void)rga, (void)elements;
    return true;
}

bool rga_count_lacking(struct rga *rga, uint64_t *count_out)
{
    (void)rga;
    *count_out = 0;
    return true;
}

enum weft_status rga_collect(struct rga *rga, const struct filter *filter,
                             struct rga_collected *collected_out)
{
    (void)rga, (void)filter, (void)collected_out;
    return WEFT_UNSUPPORTED;
}

enum weft_status snapshot_put_gone(struct weft_buffer *tombs, struct rga *rga)
{
    (void)tombs, (void)rga;
    return WEFT_OK;
}

enum weft_status snapshot_gone_open(struct snapshot_gone *gone,
                                    const struct weft_snapshot *snapshot, struct rga *rga)
{
    (void)rga;
    *gone = (struct snapshot_gone){.snapshot = *snapshot};
    return WEFT_OK;
}

enum weft_status snapshot_gone_drop(const struct snapshot_gone *gone, struct rga *rga)
{
    (void)gone, (void)rga;
    return WEFT_OK;
}

void snapshot_gone_finish(struct snapshot_gone *gone, struct rga *rga)
{
    (void)gone, (void)rga;
}
