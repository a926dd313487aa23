// SPDX-License-Identifier: MIT
// Times of arrival. Encoded:
//
//   u8 version = 0 | varint agents | agents x ( u64 agent | varint steps |
//       steps x ( varint next - that of the step before | varint zigzag second - the one before ) )
#include "codec/times.h"

#include <string.h>

#include "base/endian.h"
#include "base/varint.h"
#include "codec/delta.h"

enum {
    TIMES_VERSION = 0,
    MINUTE = 60,
    HOUR = 3600,
    DAY = 86400,
    STEP_SIZE_MIN = 2,
};

void times_init(struct times *times, const struct weft_allocator *allocator)
{
    weft_buffer_init(&times->marks, allocator);
    times->limit = TIMES_MARKS_MAX;
}

void times_finish(struct times *times)
{
    weft_buffer_finish(&times->marks);
}

void times_clear(struct times *times)
{
    times->marks.size = 0;
    times->limit = TIMES_MARKS_MAX;
}

static struct times_mark *mark_at(struct times *times, size_t index)
{
    return (struct times_mark *)(void *)times->marks.data + index;
}

/// The first mark that is of a greater agent, or of this one with `next` past `seq`.
static size_t find(const struct times *times, uint64_t agent, uint64_t seq)
{
    size_t low = 0;
    size_t high = times_count(times);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct times_mark *mark = times_at(times, middle);
        if (mark->agent < agent || (mark->agent == agent && mark->next <= seq))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint64_t times_of(const struct times *times, uint64_t agent, uint64_t seq)
{
    size_t at = find(times, agent, seq);
    bool there = at < times_count(times) && times_at(times, at)->agent == agent;
    return there ? times_at(times, at)->second : 0;
}

// ---------------------------------------------------------------------------------------- coarser

static uint64_t newest_of(const struct times *times)
{
    uint64_t newest = 0;
    for (size_t i = 0; i < times_count(times); i++) {
        uint64_t second = times_at(times, i)->second;
        newest = second > newest ? second : newest;
    }
    return newest;
}

/// Joins steps of an agent that lie in one piece of `width` seconds; the last one's time is theirs.
static void coarsen(struct times *times, uint64_t before, uint64_t width)
{
    size_t kept = 0;
    for (size_t i = 0; i < times_count(times); i++) {
        struct times_mark *mark = mark_at(times, i);
        struct times_mark *last = kept > 0 ? mark_at(times, kept - 1) : NULL;
        bool old = mark->second < before && mark->second > 0;
        if (last != NULL && last->agent == mark->agent && last->second > 0 && old &&
            last->second / width == mark->second / width) {
            last->next = mark->next;
            last->second = mark->second > last->second ? mark->second : last->second;
        } else {
            *mark_at(times, kept++) = *mark;
        }
    }
    times->marks.size = kept * sizeof(struct times_mark);
}

/// Makes room when there are too many, first of what is older than a day.
static void keep_small(struct times *times)
{
    uint64_t newest = newest_of(times);
    uint64_t yesterday = newest > DAY ? newest - DAY : 0;
    static const struct {
        bool all;
        uint64_t width;
    } ways[] = {{false, MINUTE}, {false, HOUR}, {true, MINUTE}, {true, HOUR}, {true, DAY}};
    size_t ways_count = sizeof(ways) / sizeof(*ways);
    for (size_t i = 0; i < ways_count && times_count(times) > TIMES_MARKS_MAX / 2; i++)
        coarsen(times, ways[i].all ? UINT64_MAX : yesterday, ways[i].width);
    // So that it is not done with every step.
    size_t twice = 2 * times_count(times);
    times->limit = twice > TIMES_MARKS_MAX ? twice : TIMES_MARKS_MAX;
}

// ----------------------------------------------------------------------------------------- noting

/// Puts marks in the place of [first, end).
static enum weft_status splice(struct times *times, size_t first, size_t end,
                               const struct times_mark *marks, size_t count)
{
    size_t size = sizeof(*marks);
    size_t behind = times_count(times) - end;
    if (count > end - first &&
        weft_buffer_reserve(&times->marks, (count - (end - first)) * size) != WEFT_OK)
        return WEFT_NO_MEMORY;
    if (behind > 0)
        memmove(mark_at(times, first + count), mark_at(times, end), behind * size);
    if (count > 0)
        memcpy(mark_at(times, first), marks, count * size);
    times->marks.size = (first + count + behind) * size;
    return WEFT_OK;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    if (a == 0 || b == 0)
        return a + b; // the one that is known
    return a < b ? a : b;
}

/// Some of [from, next) is said already: goes through the steps that it meets, one by one.
static enum weft_status note_over(struct times *times, uint64_t agent, uint64_t from, uint64_t next,
                                  uint64_t second)
{
    while (from < next) {
        size_t at = find(times, agent, from);
        bool there = at < times_count(times) && times_at(times, at)->agent == agent;
        struct times_mark old = there ? *times_at(times, at) : (struct times_mark){agent, next, 0};
        uint64_t begin =
            at > 0 && times_at(times, at - 1)->agent == agent ? times_at(times, at - 1)->next : 0;
        uint64_t end = old.next < next ? old.next : next;
        struct times_mark pieces[3];
        size_t count = 0;
        if (begin < from)
            pieces[count++] = (struct times_mark){agent, from, old.second};
        pieces[count++] = (struct times_mark){agent, end, earlier(old.second, second)};
        if (end < old.next)
            pieces[count++] = old;
        if (!there || earlier(old.second, second) != old.second) {
            enum weft_status status = splice(times, at, at + there, pieces, count);
            if (status != WEFT_OK)
                return status;
        }
        from = end;
    }
    return WEFT_OK;
}

enum weft_status times_note(struct times *times, uint64_t agent, uint64_t from, uint64_t next,
                            uint64_t second)
{
    if (from >= next)
        return WEFT_OK;
    size_t at = find(times, agent, from);
    struct times_mark *last = at > 0 ? mark_at(times, at - 1) : NULL;
    bool fresh = at == times_count(times) || times_at(times, at)->agent != agent;
    if (fresh && last != NULL && last->agent == agent && last->next == from &&
        last->second == second) {
        last->next = next; // goes on
        return WEFT_OK;
    }
    enum weft_status status = note_over(times, agent, from, next, second);
    if (times_count(times) > times->limit)
        keep_small(times);
    return status;
}

enum weft_status times_note_delta(struct times *times, struct span delta, uint64_t second)
{
    struct weft_allocator allocator = weft_allocator_libc();
    struct delta_reader reader;
    struct weft_run run;
    enum weft_status status = delta_reader_init(&reader, &allocator, delta);
    if (status != WEFT_OK)
        return status == WEFT_NO_MEMORY ? status : WEFT_OK;
    while (status == WEFT_OK && delta_reader_next(&reader, &run) == WEFT_OK)
        status = times_note(times, run.agent, run.seq, run.seq + run.length, second);
    delta_reader_finish(&reader);
    return status;
}

// --------------------------------------------------------------------------------------- encoding

static enum weft_status put(struct weft_buffer *out, uint64_t value)
{
    uint8_t bytes[VARINT_SIZE_MAX];
    return weft_buffer_append(out, bytes, varint_put(bytes, value));
}

/// Marks from `first` on that are of its agent.
static size_t steps_of(const struct times *times, size_t first)
{
    size_t end = first + 1;
    while (end < times_count(times) && times_at(times, end)->agent == times_at(times, first)->agent)
        end++;
    return end - first;
}

enum weft_status times_encode(struct weft_buffer *out, const struct times *times)
{
    uint64_t agents = 0;
    for (size_t i = 0; i < times_count(times); i += steps_of(times, i))
        agents++;
    enum weft_status status = weft_buffer_append(out, &(uint8_t){TIMES_VERSION}, 1);
    status = status != WEFT_OK ? status : put(out, agents);
    uint64_t second = 0;
    for (size_t i = 0; i < times_count(times) && status == WEFT_OK;) {
        uint8_t agent[8];
        size_t end = i + steps_of(times, i);
        uint64_t next = 0;
        endian_put_u64(agent, times_at(times, i)->agent);
        status = weft_buffer_append(out, agent, sizeof(agent));
        status = status != WEFT_OK ? status : put(out, end - i);
        for (; i < end && status == WEFT_OK; i++) {
            const struct times_mark *mark = times_at(times, i);
            status = put(out, mark->next - next);
            status = status != WEFT_OK ? status : put(out, zigzag_encode(mark->second, second));
            next = mark->next;
            second = mark->second;
        }
    }
    return status;
}

static enum weft_status merge_agent(struct times *times, struct span *rest, uint64_t *second)
{
    uint64_t steps;
    uint64_t next = 0;
    if (rest->size < 8)
        return WEFT_MALFORMED;
    uint64_t agent = endian_get_u64(rest->data);
    *rest = (struct span){rest->data + 8, rest->size - 8};
    if (!varint_take(&steps, rest) || steps > rest->size / STEP_SIZE_MIN)
        return WEFT_MALFORMED;
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t length;
        uint64_t code;
        if (!varint_take(&length, rest) || !varint_take(&code, rest) || length == 0 ||
            length > DELTA_SEQ_MAX || next > DELTA_SEQ_MAX)
            return WEFT_MALFORMED;
        *second = zigzag_decode(code, *second);
        enum weft_status status = times_note(times, agent, next, next + length, *second);
        if (status != WEFT_OK)
            return status;
        next += length;
    }
    return WEFT_OK;
}

enum weft_status times_merge(struct times *times, struct span bytes)
{
    struct span rest = bytes;
    uint64_t agents;
    uint64_t second = 0;
    if (bytes.size == 0)
        return WEFT_OK; // nothing is known
    if (rest.data[0] != TIMES_VERSION)
        return WEFT_OK; // of a later build
    rest = (struct span){rest.data + 1, rest.size - 1};
    if (!varint_take(&agents, &rest))
        return WEFT_MALFORMED;
    enum weft_status status = WEFT_OK;
    for (uint64_t i = 0; i < agents && status == WEFT_OK; i++)
        status = merge_agent(times, &rest, &second);
    return status == WEFT_OK && rest.size > 0 ? WEFT_MALFORMED : status;
}
