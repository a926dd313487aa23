// SPDX-License-Identifier: MIT
// weft dump: what a document is made of. The same on every replica that holds the same operations,
// by network and from a directory.
#include <inttypes.h>
#include <stdio.h>

#include "codec/wire.h"
#include "programs/cli/history.h"
#include "programs/cli/place.h"
#include "programs/cli/runs.h"
#include "programs/cli/versions.h"

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
    weft_buffer_init(&version, NULL);
    bool whole =
        weft_doc_digest(&digest, doc) == WEFT_OK && weft_doc_version(&version, doc) == WEFT_OK;
    json_t *agents = whole ? version_json(span_of_buffer(&version)) : NULL;
    weft_buffer_finish(&version);
    if (agents == NULL)
        return NULL;
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

static void print_head(const json_t *head, struct span version)
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
    printf("%-12s %.*s\n", "version", (int)version.size, (const char *)version.data);
}

/// The version in the words that other commands take.
static enum weft_status say_version(struct weft_buffer *out, const struct weft_doc *doc)
{
    struct weft_epoch epoch = weft_doc_epoch(doc);
    struct weft_buffer vector;
    weft_buffer_init(&vector, NULL);
    enum weft_status status = weft_doc_version(&vector, doc);
    if (status == WEFT_OK)
        status = version_format(out, &epoch, span_of_buffer(&vector));
    weft_buffer_finish(&vector);
    return status;
}

static void add_atom(void *context, const struct history_atom *atom)
{
    json_array_append_new(context, atom_json(atom));
}

static void add_atom_row(void *context, const struct history_atom *atom)
{
    output_row(context, atom_cells(atom));
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
            history_atoms(history, add_atom, rows);
        json_object_set_new(head, "ops", rows);
    }
    json_dumpf(head, stdout, arguments->format == FORMAT_NDJSON ? JSON_COMPACT : JSON_INDENT(2));
    printf("\n");
    return EXIT_FINE;
}

static int dump_rows(const struct arguments *arguments, const struct history *history, bool atoms)
{
    struct output output;
    printf("\n");
    output_begin(&output, arguments, atoms ? atom_columns : run_columns);
    for (size_t i = 0; !atoms && i < history->count; i++)
        output_row(&output, run_cells(history, &history->runs[i]));
    if (atoms)
        history_atoms(history, add_atom_row, &output);
    return output_end(&output);
}

static int dump_plain(const struct arguments *arguments, const json_t *head,
                      const struct weft_doc *doc, const struct history *history,
                      const struct weft_buffer *text)
{
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    int code = EXIT_FINE;
    if (say_version(&version, doc) == WEFT_OK)
        print_head(head, span_of_buffer(&version));
    else
        code = complain(EXIT_REFUSED, "out of memory");
    weft_buffer_finish(&version);
    if (code == EXIT_FINE && arguments_has(arguments, "runs"))
        code = dump_rows(arguments, history, false);
    if (code == EXIT_FINE && arguments_has(arguments, "ops"))
        code = dump_rows(arguments, history, true);
    if (code == EXIT_FINE && arguments_has(arguments, "text")) {
        printf("\n");
        print_text(text);
    }
    return code;
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
        code = dump_plain(arguments, head, doc, &history, &text);
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
