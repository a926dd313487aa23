// SPDX-License-Identifier: MIT
// weft dump, weft log: what a document is made of. The same on every replica that holds the same
// operations, by network and from a directory.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <weft/version.h>

#include "codec/wire.h"
#include "programs/cli/history.h"
#include "programs/cli/ids.h"
#include "programs/cli/output.h"
#include "programs/cli/place.h"

#define EXCERPT 60

// ------------------------------------------------------------------------------------------- head

static bool add_agent(void *context, uint64_t agent, uint64_t next)
{
    json_t *version = context;
    char text[ID_BYTES];
    snprintf(text, sizeof(text), "%016" PRIx64, agent);
    json_object_set_new(version, text, json_integer((json_int_t)next));
    return true;
}

/// Everything of a document that does not depend on how a replica keeps it.
static json_t *head_of(const char *name, struct weft_doc *doc, const struct history *history)
{
    struct weft_epoch epoch = weft_doc_epoch(doc);
    struct weft_doc_stats stats = weft_doc_stats(doc);
    struct weft_digest digest;
    struct weft_buffer version;
    uint8_t epoch_bytes[WIRE_EPOCH_SIZE];
    char epoch_text[HEX_EPOCH_BYTES];
    char digest_text[HEX_DIGEST_BYTES];
    json_t *agents = json_object();
    weft_buffer_init(&version, NULL);
    bool whole = agents != NULL && weft_doc_digest(&digest, doc) == WEFT_OK &&
                 weft_doc_version(&version, doc) == WEFT_OK &&
                 weft_version_visit(version.data, version.size, add_agent, agents) == WEFT_OK;
    weft_buffer_finish(&version);
    if (!whole) {
        json_decref(agents);
        return NULL;
    }
    wire_epoch_encode(epoch_bytes, &epoch);
    hex_format(epoch_text, epoch_bytes, sizeof(epoch_bytes));
    hex_format(digest_text, digest.bytes, sizeof(digest.bytes));
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "document", name,
                     "epoch", epoch_text, "digest", digest_text, "length", (json_int_t)stats.length,
                     "bytes", (json_int_t)weft_doc_length(doc, WEFT_UTF8), "tombstones",
                     (json_int_t)stats.tombstones, "atoms", (json_int_t)stats.atoms, "runs",
                     (json_int_t)history->count, "agents", (json_int_t)stats.agents, "version",
                     agents);
}

static void print_head(const json_t *head)
{
    const char *key;
    json_t *value;
    void *walk = json_object_iter((json_t *)(uintptr_t)head);
    for (; walk != NULL; walk = json_object_iter_next((json_t *)(uintptr_t)head, walk)) {
        key = json_object_iter_key(walk);
        value = json_object_iter_value(walk);
        if (json_is_string(value)) {
            printf("%-12s ", key);
            print_tame(json_string_value(value));
            putchar('\n');
        } else if (json_is_integer(value))
            printf("%-12s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
    }
    json_t *version = json_object_get(head, "version");
    const char *between = "";
    printf("%-12s ", "version");
    json_object_foreach(version, key, value)
    {
        printf("%s%s:%" JSON_INTEGER_FORMAT, between, key, json_integer_value(value));
        between = ",";
    }
    printf("\n");
}

// --------------------------------------------------------------------------------- runs and atoms

static void print_run(const struct history *history, const struct history_run *run)
{
    char id[ID_BYTES];
    char target[ID_BYTES];
    id_format(id, (struct weft_id){run->agent, run->seq});
    id_format(target, run->target);
    printf("%" PRIu64 "\t%s\t%s\t%" PRIu64 "\t%s%s\t", run->lamport, id, history_kind(run->kind),
           run->length,
           run->left       ? "left of "
           : run->backward ? "back from "
                           : "",
           target);
    if (run->kind == WEFT_RUN_INSERT)
        print_excerpt(history->text.data + run->text_offset, run->text_size, EXCERPT);
    printf("\n");
}

static json_t *run_json(const struct history *history, const struct history_run *run)
{
    char id[ID_BYTES];
    char target[ID_BYTES];
    id_format(id, (struct weft_id){run->agent, run->seq});
    id_format(target, run->target);
    json_t *row = json_pack("{s:I, s:s, s:s, s:I, s:s}", "lamport", (json_int_t)run->lamport, "id",
                            id, "kind", history_kind(run->kind), "length", (json_int_t)run->length,
                            "target", target);
    if (row != NULL && run->kind == WEFT_RUN_INSERT) {
        struct span text = {history->text.data + run->text_offset, run->text_size};
        json_object_set_new(row, "left", json_boolean(run->left));
        json_object_set_new(row, "text", output_text(text));
    } else if (row != NULL && run->kind == WEFT_RUN_DELETE) {
        json_object_set_new(row, "backward", json_boolean(run->backward));
    }
    return row;
}

static void print_atom(void *context, const struct history_atom *atom)
{
    char id[ID_BYTES];
    char target[ID_BYTES];
    (void)context;
    id_format(id, atom->id);
    id_format(target, atom->target);
    printf("%" PRIu64 "\t%s\t%s\t%s%s\t", atom->lamport, id, history_kind(atom->kind),
           atom->left ? "left of " : "", target);
    if (atom->kind == WEFT_RUN_INSERT)
        print_excerpt(atom->text, atom->text_size, 1);
    printf("\n");
}

static void add_atom_json(void *context, const struct history_atom *atom)
{
    char id[ID_BYTES];
    char target[ID_BYTES];
    id_format(id, atom->id);
    id_format(target, atom->target);
    json_t *row =
        json_pack("{s:I, s:s, s:s, s:s, s:b}", "lamport", (json_int_t)atom->lamport, "id", id,
                  "kind", history_kind(atom->kind), "target", target, "left", (int)atom->left);
    if (row != NULL && atom->kind == WEFT_RUN_INSERT)
        json_object_set_new(row, "text", output_text((struct span){atom->text, atom->text_size}));
    if (row != NULL)
        json_array_append_new(context, row);
}

static json_t *runs_json(const struct history *history)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows != NULL && i < history->count; i++)
        json_array_append_new(rows, run_json(history, &history->runs[i]));
    return rows;
}

// ------------------------------------------------------------------------------------------- dump

static int dump_json(const struct arguments *arguments, json_t *head, const struct history *history,
                     const struct weft_buffer *text)
{
    if (arguments_has(arguments, "text"))
        json_object_set_new(head, "text", output_text((struct span){text->data, text->size}));
    if (arguments_has(arguments, "runs"))
        json_object_set_new(head, "runs", runs_json(history));
    if (arguments_has(arguments, "ops")) {
        json_t *rows = json_array();
        if (rows != NULL)
            history_atoms(history, add_atom_json, rows);
        json_object_set_new(head, "ops", rows);
    }
    json_dumpf(head, stdout, arguments->format == FORMAT_NDJSON ? JSON_COMPACT : JSON_INDENT(2));
    printf("\n");
    return EXIT_FINE;
}

static int dump_plain(const struct arguments *arguments, const json_t *head,
                      const struct history *history, const struct weft_buffer *text)
{
    print_head(head);
    if (arguments_has(arguments, "runs")) {
        printf("\n");
        for (size_t i = 0; i < history->count; i++)
            print_run(history, &history->runs[i]);
    }
    if (arguments_has(arguments, "ops")) {
        printf("\n");
        history_atoms(history, print_atom, NULL);
    }
    if (arguments_has(arguments, "text")) {
        printf("\n");
        print_text(text);
    }
    return EXIT_FINE;
}

static int dump(const struct arguments *arguments, const char *name, struct weft_doc *doc)
{
    struct history history;
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    enum weft_status status = history_init(&history, doc);
    if (status == WEFT_OK)
        status = weft_doc_text(&text, doc);
    json_t *head = status == WEFT_OK ? head_of(name, doc, &history) : NULL;
    bool json = arguments_has(arguments, "json") || arguments->format != FORMAT_TABLE;
    int code;
    if (head == NULL)
        code = complain(EXIT_REFUSED, "out of memory");
    else if (json)
        code = dump_json(arguments, head, &history, &text);
    else
        code = dump_plain(arguments, head, &history, &text);
    json_decref(head);
    weft_buffer_finish(&text);
    history_finish(&history);
    return code;
}

static int run_dump(const struct arguments *arguments)
{
    struct weft_doc *doc;
    int code = place_fetch(&doc, arguments);
    if (code != EXIT_FINE)
        return code;
    code = dump(arguments, arguments_word(arguments, 1), doc);
    weft_doc_destroy(doc);
    return code;
}

static const struct command_option dump_options[] = {
    {"text", 't', NULL, "the text as well"},
    {"runs", 'r', NULL, "every run of operations: time, id, kind, length, target, text"},
    {"ops", '\0', NULL, "every single operation"},
    {"json", 'j', NULL, "all of it as one JSON object"},
    {.name = NULL},
};

const struct command dump_command = {
    .name = "dump",
    .arguments = "URL|DIR DOC [--text|--runs|--ops|--json]",
    .summary = "Shows what a document is made of: epoch, digest, counts, version vector.",
    .details = "Ids are AGENT:SEQ, the agent in hexadecimal.",
    .options = dump_options,
    .examples = {"weft dump http://127.0.0.1:9338 notes", "weft dump ./data notes --runs"},
    .positional_min = 2,
    .positional_max = 2,
    .formatted = true,
    .run = run_dump,
};

// -------------------------------------------------------------------------------------------- log

/// The version that holds the edits so far, which come in the order of each agent's seqs.
struct passed {
    struct weft_buffer agents; // struct passed_agent each, ascending
};

struct passed_agent {
    uint64_t agent;
    uint64_t next;
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

static void print_passed(const struct passed *passed)
{
    const struct passed_agent *all = (const void *)passed->agents.data;
    for (size_t i = 0; i < passed->agents.size / sizeof(*all); i++)
        printf("%s%016" PRIx64 ":%" PRIu64, i > 0 ? "," : "", all[i].agent, all[i].next);
    printf("\t");
}

static json_t *passed_json(const struct passed *passed)
{
    const struct passed_agent *all = (const void *)passed->agents.data;
    json_t *version = json_object();
    for (size_t i = 0; version != NULL && i < passed->agents.size / sizeof(*all); i++)
        add_agent(version, all[i].agent, all[i].next);
    return version;
}

/// An edit, and the version after it when there is one.
static void show_edit(struct output *output, const struct history *history,
                      const struct history_run *run, const struct passed *passed)
{
    if (output->format == FORMAT_TABLE) {
        if (passed != NULL)
            print_passed(passed);
        print_run(history, run);
        return;
    }
    json_t *row = run_json(history, run);
    if (row != NULL && passed != NULL)
        json_object_set_new(row, "version", passed_json(passed));
    output_row(output, row);
}

static int print_log(const struct arguments *arguments, const struct history *history, size_t from)
{
    struct output output = {.format = arguments->format};
    struct passed passed;
    enum weft_status status = WEFT_OK;
    bool versions = arguments_has(arguments, "versions");
    weft_buffer_init(&passed.agents, NULL);
    if (output.format != FORMAT_TABLE)
        output_begin(&output, arguments, NULL);
    for (size_t i = 0; i < history->count && status == WEFT_OK; i++) {
        if (versions)
            status = pass(&passed, &history->runs[i]);
        if (i >= from && status == WEFT_OK)
            show_edit(&output, history, &history->runs[i], versions ? &passed : NULL);
    }
    weft_buffer_finish(&passed.agents);
    int code = output.format != FORMAT_TABLE ? output_end(&output) : EXIT_FINE;
    return status == WEFT_OK ? code : complain(EXIT_REFUSED, "out of memory");
}

static int run_log(const struct arguments *arguments)
{
    struct weft_doc *doc;
    struct history history;
    uint64_t last = UINT64_MAX;
    int code = arguments_number(&last, arguments, "last", CONFIG_COUNT, 0, UINT64_MAX);
    if (code == EXIT_FINE)
        code = place_fetch(&doc, arguments);
    if (code != EXIT_FINE)
        return code;
    if (history_init(&history, doc) != WEFT_OK)
        code = complain(EXIT_REFUSED, "out of memory");
    else
        code = print_log(arguments, &history, history.count > last ? history.count - last : 0);
    history_finish(&history);
    weft_doc_destroy(doc);
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
    .details = "Columns: Lamport time, id, kind, length, target, text.",
    .options = log_options,
    .examples = {"weft log http://127.0.0.1:9338 notes -n 20", "weft log ./data notes -o ndjson"},
    .positional_min = 2,
    .positional_max = 2,
    .formatted = true,
    .run = run_log,
};
