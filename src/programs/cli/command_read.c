// SPDX-License-Identifier: MIT
// weft ls, weft cat, weft put, weft recovery ls, weft recovery cat.
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/cli/output.h"
#include "programs/cli/place.h"

#define FILE_BYTES_MAX (1ULL << 30) // of a text to put; a node's own limit is lower

// --------------------------------------------------------------------------------------------- ls

static void list_row(void *context, const struct place_document *document)
{
    json_t *row;
    if (document->damaged)
        row = json_pack("{s:s, s:b}", "document", document->name, "damaged", 1);
    else
        row = json_pack("{s:s, s:I, s:s, s:s}", "document", document->name, "length",
                        (json_int_t)document->length, "digest", document->digest, "epoch",
                        document->epoch);
    output_row(context, row);
}

static int run_ls(const struct arguments *arguments)
{
    static const char *const columns[] = {"document", "length", "digest", NULL};
    const char *prefix = arguments_value(arguments, "prefix");
    struct place place;
    struct output output;
    int code = place_open(&place, arguments_word(arguments, 0));
    if (code == EXIT_FINE) {
        output_begin(&output, arguments, columns);
        code = place_list(&place, prefix != NULL ? prefix : "", list_row, &output);
        int end = output_end(&output);
        code = code != EXIT_FINE ? code : end;
    }
    place_close(&place);
    return code;
}

static const struct command_option ls_options[] = {
    {"prefix", 'p', "TEXT", "only documents whose names begin so"},
    {.name = NULL},
};

const struct command ls_command = {
    .name = "ls",
    .arguments = "URL|DIR",
    .summary = "Lists documents with length in characters and digest.",
    .options = ls_options,
    .examples = {"weft ls http://127.0.0.1:9338", "weft ls ./data -o ndjson"},
    .positional_min = 1,
    .positional_max = 1,
    .formatted = true,
    .run = run_ls,
};

// -------------------------------------------------------------------------------------------- cat

static int run_cat(const struct arguments *arguments)
{
    struct place place;
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    int code = place_open(&place, arguments_word(arguments, 0));
    if (code == EXIT_FINE)
        code = place_text(&place, arguments_word(arguments, 1), &text);
    if (code == EXIT_FINE && text.size > 0)
        print_text(&text);
    place_close(&place);
    weft_buffer_finish(&text);
    return code;
}

const struct command cat_command = {
    .name = "cat",
    .arguments = "URL|DIR DOC",
    .summary = "Writes a document's text.",
    .examples = {"weft cat http://127.0.0.1:9338 notes", "weft cat ./data notes > notes.txt"},
    .positional_min = 2,
    .positional_max = 2,
    .run = run_cat,
};

// -------------------------------------------------------------------------------------------- put

static int read_file(struct weft_buffer *text, const char *path)
{
    bool standard = path == NULL || strcmp(path, "-") == 0;
    FILE *file = standard ? stdin : fopen(path, "rb");
    char piece[1 << 16];
    size_t size;
    if (file == NULL)
        return complain(EXIT_USAGE, "%s: %s", path, strerror(errno));
    int code = EXIT_FINE;
    while (code == EXIT_FINE && (size = fread(piece, 1, sizeof(piece), file)) > 0) {
        if (text->size + size > FILE_BYTES_MAX || weft_buffer_append(text, piece, size) != WEFT_OK)
            code = complain(EXIT_REFUSED, "%s: too large", standard ? "stdin" : path);
    }
    if (code == EXIT_FINE && ferror(file))
        code = complain(EXIT_REFUSED, "%s: %s", standard ? "stdin" : path, strerror(errno));
    if (!standard)
        fclose(file);
    return code;
}

/// On how many disks the node says that it is.
static uint64_t disks_of(const struct remote *remote)
{
    uint64_t disks = 1;
    sscanf(remote->durability, "replicated:%" SCNu64, &disks);
    return disks;
}

/// Says what the node answered. @return EXIT_DIFFERENT when it is on fewer disks than asked for.
static int remark_state(const struct remote *remote, const char *name, uint64_t replicas)
{
    char where[80] = "on disk";
    uint64_t disks = disks_of(remote);
    json_t *state = json_loadb((const char *)remote->body.data, remote->body.size, 0, NULL);
    const char *digest = json_string_value(json_object_get(state, "digest"));
    if (disks < replicas)
        snprintf(where, sizeof(where), "on %" PRIu64 " of %" PRIu64 " disks so far", disks,
                 replicas);
    else if (replicas > 1)
        snprintf(where, sizeof(where), "on %" PRIu64 " disks", disks);
    remark("%s: %" JSON_INTEGER_FORMAT " characters, digest %s, %s", name,
           json_integer_value(json_object_get(state, "length")), digest != NULL ? digest : "-",
           where);
    json_decref(state);
    return disks < replicas ? EXIT_DIFFERENT : EXIT_FINE;
}

static int put(const struct arguments *arguments, struct remote *remote,
               const struct weft_buffer *text, uint64_t replicas)
{
    const char *name = arguments_word(arguments, 1);
    const char *match = arguments_value(arguments, "if-match");
    char match_field[120];
    char prefer_field[60];
    char subject[300];
    struct remote_ask ask = {.method = "PUT",
                             .accept = "application/json",
                             .fields = {"Content-Type: text/plain; charset=utf-8"},
                             .body = {text->data, text->size},
                             .has_body = true};
    size_t used = 1;
    if (arguments_has(arguments, "create"))
        ask.fields[used++] = "If-None-Match: *";
    if (match != NULL) {
        snprintf(match_field, sizeof(match_field), "If-Match: \"%.80s\"", match);
        ask.fields[used++] = match_field;
    }
    if (replicas > 1) {
        snprintf(prefer_field, sizeof(prefer_field), "Prefer: wait=replicated:%" PRIu64, replicas);
        ask.fields[used++] = prefer_field;
    }
    char *author = remote_author(arguments_value(arguments, "author"));
    if (author != NULL)
        ask.fields[used] = author;
    char *path = remote_path("/v1/docs/", name, "");
    if (path == NULL) {
        free(author);
        return complain(EXIT_REFUSED, "out of memory");
    }
    ask.path = path;
    snprintf(subject, sizeof(subject), "document \"%.200s\"", name);
    int code = remote_expect(remote, &ask, subject);
    free(path);
    free(author);
    if (code == EXIT_FINE)
        code = remark_state(remote, name, replicas);
    return code;
}

static int run_put(const struct arguments *arguments)
{
    struct remote remote;
    struct weft_buffer text;
    uint64_t replicas = 1;
    int code = arguments_number(&replicas, arguments, "replicas", CONFIG_COUNT, 1, 64);
    if (code != EXIT_FINE)
        return code;
    if (arguments_has(arguments, "create") && arguments_has(arguments, "if-match"))
        return complain(EXIT_USAGE, "--create and --if-match exclude each other");
    if (arguments_word(arguments, 1)[0] == '\0')
        return complain(EXIT_USAGE, "a document's name cannot be empty");
    weft_buffer_init(&text, NULL);
    code = remote_init(&remote, arguments_word(arguments, 0));
    if (code == EXIT_FINE)
        code = read_file(&text, arguments_word(arguments, 2));
    if (code == EXIT_FINE)
        code = put(arguments, &remote, &text, replicas);
    remote_finish(&remote);
    weft_buffer_finish(&text);
    return code;
}

static const struct command_option put_options[] = {
    {"create", '\0', NULL, "only if there is none; twice, anywhere, is one edit"},
    {"if-match", '\0', "DIGEST", "only if the document still has this digest"},
    {"author", 'a', "NAME", "who makes the edit, for weft blame and weft log"},
    {"replicas", 'r', "N", "wait until it is on N disks; exit code 1: not after 10 s"},
    {.name = NULL},
};

const struct command put_command = {
    .name = "put",
    .arguments = "URL DOC [FILE|-]",
    .summary = "Makes a document's text equal to a file's, by a minimal difference.",
    .options = put_options,
    .examples = {"weft put http://127.0.0.1:9338 notes notes.txt",
                 "echo hello | weft put http://127.0.0.1:9338 hello --create"},
    .positional_min = 2,
    .positional_max = 3,
    .run = run_put,
};

// --------------------------------------------------------------------------------------- recovery

static void recovery_row(void *context, const struct place_recovery *recovery)
{
    output_row(context,
               json_pack("{s:s, s:s, s:I, s:I, s:I}", "document", recovery->document, "epoch",
                         recovery->epoch, "parts", (json_int_t)recovery->parts, "bytes",
                         (json_int_t)recovery->bytes, "wall_ms", (json_int_t)recovery->wall_ms));
}

static int run_recovery_ls(const struct arguments *arguments)
{
    static const char *const columns[] = {"document", "epoch", "parts", "bytes", NULL};
    struct place place;
    struct output output;
    int code = place_open(&place, arguments_word(arguments, 0));
    if (code == EXIT_FINE) {
        output_begin(&output, arguments, columns);
        code = place_recoveries(&place, arguments_word(arguments, 1), recovery_row, &output);
        int end = output_end(&output);
        code = code != EXIT_FINE ? code : end;
    }
    place_close(&place);
    return code;
}

const struct command recovery_ls_command = {
    .name = "recovery ls",
    .arguments = "URL|DIR [DOC]",
    .summary = "Lists kept edits of documents that were deleted or rebuilt meanwhile.",
    .examples = {"weft recovery ls http://127.0.0.1:9338", "weft recovery ls ./data notes"},
    .positional_min = 1,
    .positional_max = 2,
    .formatted = true,
    .run = run_recovery_ls,
};

/// The epochs of which there are copies; more than these are not told apart.
struct epochs {
    char epochs[256][HEX_EPOCH_BYTES];
    size_t count;
};

static void add_epoch(void *context, const struct place_recovery *recovery)
{
    struct epochs *epochs = context;
    if (epochs->count < 256)
        memcpy(epochs->epochs[epochs->count++], recovery->epoch, HEX_EPOCH_BYTES);
}

static int cat_recovery(struct place *place, const char *name, const char *epoch)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    int code = place_recovery_text(place, name, epoch, &text);
    if (code == EXIT_FINE && text.size > 0)
        print_text(&text);
    weft_buffer_finish(&text);
    return code;
}

static int run_recovery_cat(const struct arguments *arguments)
{
    const char *name = arguments_word(arguments, 1);
    const char *epoch = arguments_word(arguments, 2);
    struct epochs epochs = {.count = 0};
    struct place place;
    int code = place_open(&place, arguments_word(arguments, 0));
    if (code == EXIT_FINE && epoch != NULL) {
        code = cat_recovery(&place, name, epoch);
    } else if (code == EXIT_FINE) {
        code = place_recoveries(&place, name, add_epoch, &epochs);
        if (code == EXIT_FINE && epochs.count == 0)
            code = complain(EXIT_DIFFERENT, "%s: there is no recovery copy of \"%s\"", place.text,
                            name);
        for (size_t i = 0; code == EXIT_FINE && i < epochs.count; i++)
            code = cat_recovery(&place, name, epochs.epochs[i]);
    }
    place_close(&place);
    return code;
}

const struct command recovery_cat_command = {
    .name = "recovery cat",
    .arguments = "URL|DIR DOC [EPOCH]",
    .summary = "Writes the text of a recovery copy, or of all of a document's.",
    .examples = {"weft recovery cat http://127.0.0.1:9338 notes",
                 "weft recovery cat ./data notes 0000...00"},
    .positional_min = 2,
    .positional_max = 3,
    .run = run_recovery_cat,
};
