// SPDX-License-Identifier: MIT
// weft log: a document's edits in causal order. The same on every replica that holds the same
// operations, by network and from a directory.
#include <inttypes.h>
#include <string.h>

#include "codec/version.h"
#include "programs/cli/history.h"
#include "programs/cli/people.h"
#include "programs/cli/place.h"
#include "programs/cli/runs.h"
#include "programs/cli/times.h"
#include "programs/cli/versions.h"

/// The version that holds the edits so far, which come in the order of each agent's seqs.
struct passed {
    struct weft_buffer agents; // struct passed_agent each, ascending
};

struct passed_agent {
    uint64_t agent;
    uint64_t next;
};

struct log {
    struct weft_doc *doc;
    struct history history;
    struct output output;
    struct passed passed;
    struct people people;
    struct times times;
    bool versions;
};

static enum weft_status pass(struct passed *passed, const struct history_run *run)
{
    size_t count = passed->agents.size / sizeof(struct passed_agent);
    struct passed_agent *all = (void *)passed->agents.data;
    struct passed_agent entry = {run->agent, run->seq + run->length};
    size_t at = 0;
    for (size_t end = count; at < end;) {
        size_t middle = at + (end - at) / 2;
        if (all[middle].agent < run->agent)
            at = middle + 1;
        else
            end = middle;
    }
    if (at == count || all[at].agent != run->agent) {
        enum weft_status status = weft_buffer_append(&passed->agents, &entry, sizeof(entry));
        if (status != WEFT_OK)
            return status;
        all = (void *)passed->agents.data;
        memmove(&all[at + 1], &all[at], (count - at) * sizeof(entry));
    }
    all[at] = entry;
    return WEFT_OK;
}

/// The version after the edits so far, as a vector.
static enum weft_status vector_of(struct weft_buffer *out, const struct passed *passed)
{
    const struct passed_agent *all = (const void *)passed->agents.data;
    size_t count = passed->agents.size / sizeof(*all);
    enum weft_status status = version_put_count(out, count);
    for (size_t i = 0; i < count && status == WEFT_OK; i++)
        status = version_put(out, (struct version_entry){all[i].agent, all[i].next});
    return status;
}

/// Adds the version to a row, in words or as an object.
static enum weft_status set_version(json_t *row, const struct log *log)
{
    struct weft_buffer vector;
    struct weft_buffer words;
    struct weft_epoch epoch = weft_doc_epoch(log->doc);
    weft_buffer_init(&vector, NULL);
    weft_buffer_init(&words, NULL);
    enum weft_status status = vector_of(&vector, &log->passed);
    if (status == WEFT_OK && log->output.format == FORMAT_TABLE) {
        status = version_format(&words, &epoch, span_of_buffer(&vector));
        json_object_set_new(row, "version", output_text(span_of_buffer(&words)));
    } else if (status == WEFT_OK) {
        json_object_set_new(row, "version", version_json(span_of_buffer(&vector)));
    }
    weft_buffer_finish(&vector);
    weft_buffer_finish(&words);
    return status;
}

/// An edit, and the version that ends with it when that is asked for.
static enum weft_status show_edit(struct log *log, const struct history_run *run)
{
    bool cells = log->output.format == FORMAT_TABLE;
    json_t *row = cells ? run_cells(&log->history, run) : run_json(&log->history, run);
    char time[TIME_BYTES];
    time_format(time, 1000 * times_of(&log->times, run->agent, run->seq + run->length - 1));
    json_object_set_new(row, "time", json_string(time));
    const char *author = people_name(&log->people, run->agent);
    json_object_set_new(row, "author", author != NULL ? json_string(author) : json_null());
    enum weft_status status = row != NULL && log->versions ? set_version(row, log) : WEFT_OK;
    output_row(&log->output, row);
    return status;
}

static int print_log(struct log *log, const struct arguments *arguments, uint64_t last)
{
    static const char *const columns[] = {"version", "time",   "lamport", "id",   "author",
                                          "kind",    "length", "target",  "text", NULL};
    enum weft_status status = WEFT_OK;
    size_t from = log->history.count > last ? log->history.count - last : 0;
    log->versions = arguments_has(arguments, "versions");
    output_begin(&log->output, arguments, columns + !log->versions);
    for (size_t i = 0; i < log->history.count && status == WEFT_OK; i++) {
        if (log->versions)
            status = pass(&log->passed, &log->history.runs[i]);
        if (i >= from && status == WEFT_OK)
            status = show_edit(log, &log->history.runs[i]);
    }
    int code = output_end(&log->output);
    return status == WEFT_OK ? code : complain(EXIT_REFUSED, "out of memory");
}

static int run_log(const struct arguments *arguments)
{
    struct log log = {.versions = false};
    uint64_t last = UINT64_MAX;
    times_init(&log.times, NULL);
    int code = arguments_number(&last, arguments, "last", CONFIG_COUNT, 0, UINT64_MAX);
    if (code == EXIT_FINE)
        code = place_fetch_times(&log.doc, &log.times, arguments);
    if (code != EXIT_FINE) {
        times_finish(&log.times);
        return code;
    }
    weft_buffer_init(&log.passed.agents, NULL);
    enum weft_status status = people_init(&log.people, log.doc);
    if (history_init(&log.history, log.doc) != WEFT_OK || status != WEFT_OK)
        code = complain(EXIT_REFUSED, "out of memory");
    else
        code = print_log(&log, arguments, last);
    history_finish(&log.history);
    people_finish(&log.people);
    times_finish(&log.times);
    weft_buffer_finish(&log.passed.agents);
    weft_doc_destroy(log.doc);
    return code;
}

static const struct command_option log_options[] = {
    {"last", 'n', "N", "only the last N"},
    {"versions", 'v', NULL, "before each edit the version that ends with it, for show and diff"},
    {.name = NULL},
};

const struct command log_command = {
    .name = "log",
    .arguments = "URL|DIR DOC",
    .summary = "Lists a document's edits, each after all that it builds on.",
    .details =
        "Columns: when its last character arrived, Lamport time, id, who that is said to be, "
        "kind, length, target, text.",
    .options = log_options,
    .examples = {"weft log http://127.0.0.1:9338 notes -n 20", "weft log ./data notes -o ndjson"},
    .positional_min = 2,
    .positional_max = 2,
    .formatted = true,
    .run = run_log,
};
