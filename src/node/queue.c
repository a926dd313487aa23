// SPDX-License-Identifier: MIT
// A row of things that wait for a commit.
#include "node/queue.h"

#include <string.h>

void queue_init(struct queue *queue, const struct weft_allocator *allocator)
{
    weft_buffer_init(&queue->items, allocator);
    queue->count = 0;
}

void queue_finish(struct queue *queue)
{
    weft_buffer_finish(&queue->items);
    queue->count = 0;
}

enum weft_status queue_push(struct queue *queue, const struct queue_item *item, struct span bytes)
{
    struct queue_item head = *item;
    head.size = bytes.size;
    if (weft_buffer_reserve(&queue->items, sizeof head + bytes.size)) {
        return WEFT_NO_MEMORY;
    }
    uint8_t *at = queue->items.data + queue->items.size;
    memcpy(at, &head, sizeof head);
    if (bytes.size) {
        memcpy(at + sizeof head, bytes.data, bytes.size);
    }
    queue->items.size += sizeof head + bytes.size;
    queue->count++;
    return WEFT_OK;
}

bool queue_next(const struct queue *queue, size_t *offset, struct queue_item *item_out,
                struct span *bytes_out)
{
    if (*offset >= queue->items.size) {
        return false;
    }
    memcpy(item_out, queue->items.data + *offset, sizeof *item_out);
    *bytes_out = (struct span){queue->items.data + *offset + sizeof *item_out, item_out->size};
    *offset += sizeof *item_out + item_out->size;
    return true;
}

void queue_clear(struct queue *queue)
{
    queue->items.size = 0;
    queue->count = 0;
}
