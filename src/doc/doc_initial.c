// SPDX-License-Identifier: MIT
// A document: creating it with a text, so that everyone who does has done the same.
#include "base/utf8.h"
#include "doc/doc_impl.h"

// The longest start of `text` that is one run: whole characters, at most RGA_INITIAL_SIZE_MAX
// bytes.
static struct span first_block(struct span text)
{
    if (text.size <= RGA_INITIAL_SIZE_MAX)
        return text;
    size_t size = RGA_INITIAL_SIZE_MAX;
    while ((text.data[size] & 0xc0) == 0x80)
        size--;
    return (struct span){text.data, size};
}

static enum weft_status reserve(struct rga *rga, struct span text)
{
    struct utf8_counts counts;
    if (!utf8_count(&counts, text))
        return WEFT_MALFORMED;
    if (rga->log.atoms > 0)
        return WEFT_CONFLICT;
    uint64_t blocks = 0;
    for (struct span rest = text; rest.size > 0; blocks++) {
        size_t size = first_block(rest).size;
        rest = (struct span){rest.data + size, rest.size - size};
    }
    if (counts.scalars > rga->limits.elements_max ||
        blocks > rga->limits.agents_max - rga->agents.pool.count)
        return WEFT_LIMIT;
    struct rga_need need = {
        .runs = blocks,
        .elements = counts.scalars,
        .bytes = text.size,
        .agents = blocks,
        .stretches = blocks,
    };
    return rga_reserve(rga, &need) ? WEFT_OK : WEFT_NO_MEMORY;
}

enum weft_status weft_doc_insert_initial(struct weft_doc *doc, const uint8_t *text,
                                         size_t text_size)
{
    struct rga *rga = doc_rga(doc);
    struct span rest = {text, text_size};
    enum weft_status status = reserve(rga, rest);
    if (status != WEFT_OK)
        return status;
    struct weft_run run = {.kind = WEFT_RUN_INSERT, .lamport = 1, .target = WEFT_ID_ROOT};
    while (rest.size > 0) {
        struct span block = first_block(rest);
        struct utf8_counts counts;
        uint32_t atoms;
        struct weft_id missing;
        if (!utf8_count(&counts, block))
            return WEFT_MALFORMED;
        run.agent = rga_initial_agent(rga, run.target, run.lamport, block);
        run.length = (uint32_t)counts.scalars;
        run.text = block.data;
        run.text_size = block.size;
        if (rga_apply(rga, &run, &atoms, &missing) != RGA_APPLIED)
            return WEFT_CONFLICT; // two blocks with one id: a collision of the hash
        parking_wake(&rga->parking, run.agent, run.length);
        run.target = (struct weft_id){run.agent, run.length - 1};
        run.lamport += run.length;
        rest = (struct span){rest.data + block.size, rest.size - block.size};
    }
    struct weft_apply_result result = {0};
    doc_unpark(doc, &result);
    return WEFT_OK;
}
