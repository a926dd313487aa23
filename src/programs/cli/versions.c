// SPDX-License-Identifier: MIT
#include "programs/cli/versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/labels.h>
#include <weft/version.h>

#include "codec/version.h"
#include "codec/wire.h"
#include "programs/cli/command.h"
#include "programs/cli/ids.h"
#include "programs/cli/output.h"
#include "programs/cli/times.h"

// ------------------------------------------------------------------------------------- formatting

enum weft_status version_format_epoch(struct weft_buffer *out, const struct weft_epoch *epoch)
{
    static const struct weft_epoch first = {0};
    uint8_t bytes[WIRE_EPOCH_SIZE];
    char text[1 + HEX_EPOCH_BYTES] = "@";
    if (weft_epoch_compare(epoch, &first) == 0)
        return WEFT_OK;
    wire_epoch_encode(bytes, epoch);
    hex_format(text + 1, bytes, sizeof(bytes));
    return weft_buffer_append(out, text, strlen(text));
}

enum weft_status version_format(struct weft_buffer *out, const struct weft_epoch *epoch,
                                struct span vector)
{
    struct version_reader reader;
    struct version_entry entry;
    const char *between = "";
    enum weft_status status = version_reader_init(&reader, vector);
    while (status == WEFT_OK && version_reader_next(&reader, &entry) == WEFT_OK) {
        char text[64];
        int size = snprintf(text, sizeof(text), "%s%016" PRIx64 ":%" PRIu64, between, entry.agent,
                            entry.next);
        status = weft_buffer_append(out, text, (size_t)size);
        between = ",";
    }
    return status == WEFT_OK ? version_format_epoch(out, epoch) : status;
}

json_t *version_json(struct span vector)
{
    struct version_reader reader;
    struct version_entry entry;
    json_t *object = json_object();
    if (object == NULL || version_reader_init(&reader, vector) != WEFT_OK)
        return object;
    while (version_reader_next(&reader, &entry) == WEFT_OK) {
        char text[ID_BYTES];
        snprintf(text, sizeof(text), "%016" PRIx64, entry.agent);
        json_object_set_new(object, text, json_integer((json_int_t)entry.next));
    }
    return object;
}

// ---------------------------------------------------------------------------------------- parsing

/// Takes `@EPOCH` off the end of a word. @return false when what stands there is no epoch.
static bool split_epoch(struct weft_epoch *epoch_out, char *word)
{
    uint8_t bytes[WIRE_EPOCH_SIZE] = {0};
    char *at = strrchr(word, '@');
    if (at != NULL && !hex_parse(bytes, sizeof(bytes), at + 1))
        return false;
    if (at != NULL)
        *at = '\0';
    *epoch_out = wire_epoch_decode(bytes);
    return true;
}

/// The vector that a word without an epoch spells.
static enum weft_status parse_vector(struct weft_buffer *out, const char *word)
{
    size_t size = strlen(word);
    size_t before = out->size;
    if (size == 0 || strspn(word, "0123456789abcdef") != size || size % 2 != 0)
        return version_parse(out, word);
    enum weft_status status = weft_buffer_reserve(out, size / 2);
    if (status != WEFT_OK)
        return status;
    if (!hex_parse(out->data + before, size / 2, word))
        return WEFT_MALFORMED;
    struct span vector = {out->data + before, size / 2};
    status = version_check(vector);
    if (status == WEFT_OK)
        out->size += size / 2;
    return status;
}

// --------------------------------------------------------------------------------------- refusing

/// A version that was read, as it is looked up.
struct candidate {
    const struct weft_doc *doc;
    const char *name;
    struct version_entry *entries; // ascending
    size_t count;
    uint64_t last; // the greatest Lamport time in it
    struct candidate_times {
        uint64_t first;
        uint64_t end;
    } * times; // that it has, then ascending and apart
    size_t time_count;
    size_t time_capacity;
    bool half;
    struct weft_id have; // an edit of it
    struct weft_id lack; // and what that builds on
    bool failed;         // for want of memory
};

static uint64_t next_of(const struct candidate *candidate, uint64_t agent)
{
    size_t low = 0;
    size_t high = candidate->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (candidate->entries[middle].agent < agent)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < candidate->count && candidate->entries[low].agent == agent;
    return found ? candidate->entries[low].next : 0;
}

/// Those of a run's atoms that are in the version.
static uint64_t count_of(const struct candidate *candidate, const struct weft_run *run)
{
    uint64_t next = next_of(candidate, run->agent);
    uint64_t count = next > run->seq ? next - run->seq : 0;
    return count < run->length ? count : run->length;
}

static bool add_times(struct candidate *candidate, uint64_t first, uint64_t end)
{
    if (candidate->time_count == candidate->time_capacity) {
        size_t capacity = candidate->time_capacity > 0 ? 2 * candidate->time_capacity : 256;
        void *times = realloc(candidate->times, capacity * sizeof(*candidate->times));
        if (times == NULL)
            return false;
        candidate->times = times;
        candidate->time_capacity = capacity;
    }
    candidate->times[candidate->time_count++] = (struct candidate_times){first, end};
    return true;
}

/// Sees to it that what a run of the version names is in the version as well.
static bool check_names(void *context, const struct weft_run *run)
{
    struct candidate *candidate = context;
    uint64_t count = count_of(candidate, run);
    if (count == 0)
        return true;
    candidate->failed = !add_times(candidate, run->lamport, run->lamport + count);
    uint64_t end = run->lamport + count - 1;
    candidate->last = end > candidate->last ? end : candidate->last;
    bool root = run->kind == WEFT_RUN_INSERT && run->target.agent == 0;
    if (run->kind > WEFT_RUN_UNDELETE || root)
        return !candidate->failed;
    bool one = run->kind == WEFT_RUN_INSERT || run->backward;
    uint64_t last = one ? run->target.seq : run->target.seq + count - 1;
    candidate->half = last >= next_of(candidate, run->target.agent);
    candidate->have = (struct weft_id){run->agent, run->seq};
    candidate->lack = (struct weft_id){run->target.agent, last};
    return !candidate->half && !candidate->failed;
}

static int compare_times(const void *a, const void *b)
{
    const struct candidate_times *x = a;
    const struct candidate_times *y = b;
    return (x->first > y->first) - (x->first < y->first);
}

static void join_times(struct candidate *candidate)
{
    struct candidate_times *times = candidate->times;
    size_t kept = 0;
    if (candidate->time_count > 0)
        qsort(times, candidate->time_count, sizeof(*times), compare_times);
    for (size_t i = 0; i < candidate->time_count; i++) {
        if (kept > 0 && times[i].first <= times[kept - 1].end)
            times[kept - 1].end =
                times[i].end > times[kept - 1].end ? times[i].end : times[kept - 1].end;
        else
            times[kept++] = times[i];
    }
    candidate->time_count = kept;
}

/// The end of the row of Lamport times that begins at or before `time`; `time` when there is none.
static uint64_t end_of_times(const struct candidate *candidate, uint64_t time)
{
    size_t low = 0;
    size_t high = candidate->time_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (candidate->times[middle].first <= time)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && candidate->times[low - 1].end > time ? candidate->times[low - 1].end : time;
}

/// An edit was made after all that its author had seen, among it one of each earlier Lamport time.
/// So a version has an edit of each time below its last that the document knows an edit of.
static bool check_times(void *context, const struct weft_run *run)
{
    struct candidate *candidate = context;
    uint64_t first = run->lamport + count_of(candidate, run);
    uint64_t end = run->lamport + run->length;
    end = end < candidate->last ? end : candidate->last;
    uint64_t covered = first < end ? end_of_times(candidate, first) : first;
    candidate->half = first < end && covered < end;
    candidate->have = WEFT_ID_ROOT;
    candidate->lack = (struct weft_id){run->agent, run->seq + (covered - run->lamport)};
    return !candidate->half;
}

static int say_half(const struct candidate *candidate)
{
    char have[ID_BYTES];
    char lack[ID_BYTES];
    id_format(have, candidate->have);
    id_format(lack, candidate->lack);
    if (candidate->have.agent == 0)
        return complain(EXIT_REFUSED,
                        "document \"%s\" never was at that version: whoever made its last edit had "
                        "seen edits, such as %s, that it leaves out; name the whole version",
                        candidate->name, lack);
    return complain(EXIT_REFUSED,
                    "document \"%s\" never was at that version: it has %s without %s, which that "
                    "builds on; name the whole version",
                    candidate->name, have, lack);
}

static int refuse_unknown(const struct candidate *candidate)
{
    for (size_t i = 0; i < candidate->count; i++) {
        uint64_t have = weft_doc_next_seq(candidate->doc, candidate->entries[i].agent);
        if (candidate->entries[i].next > have)
            return complain(
                EXIT_REFUSED,
                "document \"%s\" has %" PRIu64 " operations of %016" PRIx64 ", not %" PRIu64,
                candidate->name, have, candidate->entries[i].agent, candidate->entries[i].next);
    }
    return EXIT_FINE;
}

/// Refuses what the document never was.
static int check_version(const struct weft_doc *doc, const char *name, struct span vector)
{
    struct candidate candidate = {.doc = doc, .name = name};
    struct version_reader reader;
    if (version_reader_init(&reader, vector) != WEFT_OK)
        return complain(EXIT_USAGE, "%s", weft_status_text(WEFT_MALFORMED));
    candidate.entries = malloc((reader.left + 1) * sizeof(*candidate.entries));
    candidate.failed = candidate.entries == NULL;
    while (!candidate.failed &&
           version_reader_next(&reader, &candidate.entries[candidate.count]) == WEFT_OK)
        candidate.count++;
    int code = candidate.failed ? EXIT_FINE : refuse_unknown(&candidate);
    if (code == EXIT_FINE && !candidate.failed)
        weft_doc_visit_runs(doc, check_names, &candidate);
    if (code == EXIT_FINE && !candidate.failed && !candidate.half) {
        join_times(&candidate);
        weft_doc_visit_runs(doc, check_times, &candidate);
    }
    if (candidate.failed)
        code = complain(EXIT_REFUSED, "out of memory");
    else if (candidate.half)
        code = say_half(&candidate);
    free(candidate.entries);
    free(candidate.times);
    return code;
}

static int check_epoch(const struct weft_doc *doc, const char *name, const struct weft_epoch *epoch)
{
    struct weft_epoch now = weft_doc_epoch(doc);
    uint8_t bytes[WIRE_EPOCH_SIZE];
    char said[HEX_EPOCH_BYTES];
    char is[HEX_EPOCH_BYTES];
    int order = weft_epoch_compare(epoch, &now);
    if (order == 0)
        return EXIT_FINE;
    wire_epoch_encode(bytes, epoch);
    hex_format(said, bytes, sizeof(bytes));
    wire_epoch_encode(bytes, &now);
    hex_format(is, bytes, sizeof(bytes));
    return complain(EXIT_REFUSED,
                    "that version is of epoch %s%s, document \"%s\" is in epoch %s: %s", said,
                    epoch->counter == 0 ? " (the first; no @EPOCH was named)" : "", name, is,
                    order < 0 ? "it was deleted or rebuilt since" : "this replica is behind");
}

// ----------------------------------------------------------------------------------------- labels

struct wanted {
    struct span name;
    struct weft_buffer *out;
    enum weft_status status; // WEFT_NOT_FOUND until it is found
};

static bool take_label(void *context, const struct weft_label *label)
{
    struct wanted *wanted = context;
    if (!span_equal(wanted->name, (struct span){label->name, label->name_size}))
        return true;
    wanted->status = weft_buffer_append(wanted->out, label->version, label->version_size);
    return false;
}

static enum weft_status find_label(struct weft_buffer *out, const struct weft_doc *doc,
                                   const char *text)
{
    struct wanted wanted = {span_of_text(text), out, WEFT_NOT_FOUND};
    enum weft_status status = weft_doc_visit_labels(doc, take_label, &wanted);
    return status == WEFT_OK ? wanted.status : status;
}

// ---------------------------------------------------------------------------------------- reading

/// A word that spells a version. @return as parse_vector().
static enum weft_status read_spelled(struct weft_buffer *out, struct weft_epoch *epoch_out,
                                     const char *text)
{
    char *word = strdup(text);
    if (word == NULL)
        return WEFT_NO_MEMORY;
    enum weft_status status =
        split_epoch(epoch_out, word) ? parse_vector(out, word) : WEFT_MALFORMED;
    free(word);
    return status;
}

bool version_is_spelled(const char *text)
{
    struct weft_buffer vector;
    struct weft_epoch epoch;
    weft_buffer_init(&vector, NULL);
    bool spelled = read_spelled(&vector, &epoch, text) == WEFT_OK;
    weft_buffer_finish(&vector);
    return spelled;
}

// ------------------------------------------------------------------------------------------ times

/// What had arrived by a moment, agent by agent; then without what builds on what had not.
struct moment {
    const struct weft_doc *doc;
    struct version_entry *entries; // ascending
    size_t count;
    bool changed;
};

static bool add_whole(void *context, uint64_t agent, uint64_t next)
{
    struct moment *moment = context;
    moment->entries[moment->count++] = (struct version_entry){agent, next};
    return true;
}

/// How far an agent's operations had all arrived. Those of which no time is known came before any
/// of which one is.
static uint64_t arrived(const struct times *times, struct version_entry whole, uint64_t second)
{
    for (size_t i = 0; i < times_count(times); i++) {
        const struct times_mark *mark = times_at(times, i);
        if (mark->agent != whole.agent || mark->second <= second)
            continue;
        bool first = i == 0 || times_at(times, i - 1)->agent != whole.agent;
        uint64_t next = first ? 0 : times_at(times, i - 1)->next;
        return next < whole.next ? next : whole.next;
    }
    return whole.next;
}

static struct version_entry *entry_of(const struct moment *moment, uint64_t agent)
{
    for (size_t low = 0, high = moment->count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (moment->entries[middle].agent == agent)
            return &moment->entries[middle];
        if (moment->entries[middle].agent < agent)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/// Cuts a run off where it names what is not in the version.
static bool cut_run(void *context, const struct weft_run *run)
{
    struct moment *moment = context;
    struct version_entry *own = entry_of(moment, run->agent);
    bool root = run->kind == WEFT_RUN_INSERT && run->target.agent == 0;
    if (own == NULL || own->next <= run->seq || run->kind > WEFT_RUN_UNDELETE || root)
        return true;
    const struct version_entry *target = entry_of(moment, run->target.agent);
    uint64_t have = target != NULL ? target->next : 0;
    uint64_t count = own->next - run->seq < run->length ? own->next - run->seq : run->length;
    uint64_t good = count;
    if (run->kind == WEFT_RUN_INSERT || run->backward)
        good = run->target.seq < have ? count : 0;
    else if (run->target.seq + count > have)
        good = have > run->target.seq ? have - run->target.seq : 0;
    if (good < count) {
        own->next = run->seq + good;
        moment->changed = true;
    }
    return true;
}

static enum weft_status put_moment(struct weft_buffer *out, const struct moment *moment)
{
    size_t count = 0;
    for (size_t i = 0; i < moment->count; i++)
        count += moment->entries[i].next > 0;
    enum weft_status status = version_put_count(out, count);
    for (size_t i = 0; i < moment->count && status == WEFT_OK; i++) {
        if (moment->entries[i].next > 0)
            status = version_put(out, moment->entries[i]);
    }
    return status;
}

/// The version that the document was at, as far as its nodes know when what arrived.
static enum weft_status version_at(struct weft_buffer *out, const struct weft_doc *doc,
                                   const struct times *times, uint64_t second)
{
    struct moment moment = {.doc = doc};
    struct weft_buffer whole;
    weft_buffer_init(&whole, NULL);
    enum weft_status status = weft_doc_version(&whole, doc);
    moment.entries = malloc((weft_doc_stats(doc).agents + 1) * sizeof(*moment.entries));
    if (moment.entries == NULL)
        status = WEFT_NO_MEMORY;
    if (status == WEFT_OK)
        status = weft_version_visit(whole.data, whole.size, add_whole, &moment);
    for (size_t i = 0; status == WEFT_OK && i < moment.count; i++)
        moment.entries[i].next = arrived(times, moment.entries[i], second);
    do {
        moment.changed = false;
        if (status == WEFT_OK)
            weft_doc_visit_runs(doc, cut_run, &moment);
    } while (moment.changed);
    status = status == WEFT_OK ? put_moment(out, &moment) : status;
    free(moment.entries);
    weft_buffer_finish(&whole);
    return status;
}

int version_read(struct weft_buffer *out, const struct weft_doc *doc, const struct times *times,
                 const char *name, const char *option, const char *text)
{
    uint64_t wall_ms;
    struct weft_epoch epoch;
    size_t before = out->size;
    enum weft_status status;
    if (text == NULL) {
        status = weft_doc_version(out, doc);
        return status == WEFT_OK ? EXIT_FINE : complain(EXIT_REFUSED, "out of memory");
    }
    status = read_spelled(out, &epoch, text);
    bool spelled = status == WEFT_OK;
    if (status == WEFT_MALFORMED && time_parse(&wall_ms, text))
        status = version_at(out, doc, times, wall_ms / 1000);
    else if (status == WEFT_MALFORMED)
        status = find_label(out, doc, text);
    if (status == WEFT_NOT_FOUND)
        return complain(
            EXIT_USAGE,
            "--%s \"%.80s\" is no version, no time and no label of \"%s\"; " VERSION_HELP, option,
            text, name);
    if (status != WEFT_OK)
        return complain(EXIT_REFUSED, "%s", weft_status_text(status));
    bool empty = *text == '\0'; // nothing is so in every epoch
    int code = spelled && !empty ? check_epoch(doc, name, &epoch) : EXIT_FINE;
    if (code == EXIT_FINE && spelled)
        code = check_version(doc, name, (struct span){out->data + before, out->size - before});
    return code;
}
