// SPDX-License-Identifier: MIT
// weft label: names of a document's versions.
#include <stdlib.h>
#include <string.h>

#include <weft/labels.h>

#include "codec/wire.h"
#include "programs/cli/ids.h"
#include "programs/cli/people.h"
#include "programs/cli/place.h"
#include "programs/cli/times.h"
#include "programs/cli/versions.h"

// ---------------------------------------------------------------------------------------- listing

struct list {
    struct output output;
    struct weft_doc *doc;
    struct people people;
    enum weft_status status;
};

/// A version in words.
static json_t *version_string(struct list *list, struct span vector)
{
    struct weft_epoch epoch = weft_doc_epoch(list->doc);
    struct weft_buffer words;
    json_t *string = NULL;
    weft_buffer_init(&words, NULL);
    if (version_format(&words, &epoch, vector) == WEFT_OK)
        string = output_text(span_of_buffer(&words));
    weft_buffer_finish(&words);
    return string;
}

static bool show_label(void *context, const struct weft_label *label)
{
    struct list *list = context;
    char time[TIME_BYTES];
    char id[ID_BYTES];
    const char *author = people_name(&list->people, label->id.agent);
    time_format(time, label->wall_ms);
    id_format(id, label->id);
    output_row(&list->output,
               json_pack("{s:o, s:s, s:s, s:s?, s:o}", "label",
                         output_text((struct span){label->name, label->name_size}), "time", time,
                         "id", id, "author", author, "version",
                         version_string(list, (struct span){label->version, label->version_size})));
    return true;
}

static int list_labels(const struct arguments *arguments)
{
    static const char *const columns[] = {"label", "time", "author", "version", NULL};
    struct list list = {.status = WEFT_OK};
    int code = place_fetch(&list.doc, arguments);
    if (code != EXIT_FINE)
        return code;
    enum weft_status status = people_init(&list.people, list.doc);
    output_begin(&list.output, arguments, columns);
    if (status == WEFT_OK)
        status = weft_doc_visit_labels(list.doc, show_label, &list);
    code = output_end(&list.output);
    people_finish(&list.people);
    weft_doc_destroy(list.doc);
    return status == WEFT_OK ? code : complain(EXIT_REFUSED, "%s", weft_status_text(status));
}

// ---------------------------------------------------------------------------------------- setting

/// The version that --at names, as the HTTP API takes it; nothing without --at.
static int read_at(struct weft_buffer *words_out, const struct arguments *arguments)
{
    struct weft_doc *doc = NULL;
    struct times times;
    struct weft_buffer vector;
    const char *at = arguments_value(arguments, "at");
    if (at == NULL)
        return EXIT_FINE;
    times_init(&times, NULL);
    int code = place_fetch_times(&doc, &times, arguments);
    if (code != EXIT_FINE) {
        times_finish(&times);
        return code;
    }
    weft_buffer_init(&vector, NULL);
    code = version_read(&vector, doc, &times, arguments_word(arguments, 1), "at", at);
    enum weft_status status = WEFT_OK;
    for (size_t i = 0; code == EXIT_FINE && i < vector.size && status == WEFT_OK; i++) {
        char digits[3];
        hex_format(digits, vector.data + i, 1);
        status = weft_buffer_append(words_out, digits, 2);
    }
    struct weft_epoch epoch = weft_doc_epoch(doc);
    if (status == WEFT_OK)
        status = version_format_epoch(words_out, &epoch);
    times_finish(&times);
    weft_buffer_finish(&vector);
    weft_doc_destroy(doc);
    return status == WEFT_OK ? code : complain(EXIT_REFUSED, "out of memory");
}

static int send_label(struct remote *remote, const struct arguments *arguments,
                      const struct weft_buffer *version)
{
    bool takes = arguments_has(arguments, "delete");
    const char *name = arguments_word(arguments, 1);
    const char *label = arguments_word(arguments, 2);
    char *author = remote_author(arguments_value(arguments, "author"));
    char *begin = remote_path("/v1/docs/", name, "/versions?label=");
    char *path = begin != NULL ? remote_path(begin, label, "") : NULL;
    char subject[400];
    int code = EXIT_REFUSED;
    snprintf(subject, sizeof(subject), "%s \"%.100s\" of document \"%.200s\"",
             takes ? "no label" : "label", label, name);
    struct remote_ask ask = {.method = takes ? "DELETE" : "POST",
                             .path = path,
                             .accept = "application/json",
                             .fields = {"Content-Type: text/plain", author},
                             .body = {version->data, version->size},
                             .has_body = !takes};
    if (path != NULL)
        code = remote_expect(remote, &ask, subject);
    else
        complain(EXIT_REFUSED, "out of memory");
    free(author);
    free(begin);
    free(path);
    return code;
}

static int check_label(const char *label)
{
    uint64_t time;
    if (!weft_name_is_valid((const uint8_t *)label, strlen(label)))
        return complain(EXIT_USAGE, "a label is 1 to %d bytes of UTF-8 without control characters",
                        WEFT_NAME_BYTES_MAX);
    if (version_is_spelled(label))
        return complain(EXIT_USAGE, "\"%s\" reads as a version; a label must not", label);
    if (time_parse(&time, label))
        return complain(EXIT_USAGE, "\"%s\" reads as a time; a label must not", label);
    return EXIT_FINE;
}

static int run_label(const struct arguments *arguments)
{
    struct remote remote;
    struct weft_buffer version;
    const char *label = arguments_word(arguments, 2);
    bool takes = arguments_has(arguments, "delete");
    if (label == NULL && (takes || arguments_has(arguments, "at")))
        return complain(EXIT_USAGE, "which label? weft label URL DOC NAME");
    if (label == NULL)
        return list_labels(arguments);
    if (takes && arguments_has(arguments, "at"))
        return complain(EXIT_USAGE, "--at and --delete exclude each other");
    int code = check_label(label);
    if (code == EXIT_FINE && !place_is_url(arguments_word(arguments, 0)))
        code = complain(EXIT_USAGE, "%s: a directory is only read; labels are set at a node's URL",
                        arguments_word(arguments, 0));
    if (code != EXIT_FINE)
        return code;
    weft_buffer_init(&version, NULL);
    code = remote_init(&remote, arguments_word(arguments, 0));
    if (code == EXIT_FINE)
        code = read_at(&version, arguments);
    if (code == EXIT_FINE)
        code = send_label(&remote, arguments, &version);
    remote_finish(&remote);
    weft_buffer_finish(&version);
    return code;
}

static const struct command_option label_options[] = {
    {"at", 't', "VERSION", "names that version; without it: the document as it is"},
    {"delete", 'd', NULL, "takes the label away; the version stays"},
    {"author", 'a', "NAME", "who names it"},
    {.name = NULL},
};

const struct command label_command = {
    .name = "label",
    .arguments = "URL|DIR DOC [NAME]",
    .summary = "Names a version of a document, or lists its labels.",
    .details =
        "Setting a name that is taken moves it. Labels are edits: they reach all nodes, change the "
        "digest, and end with the document's epoch.\n" VERSION_HELP,
    .options = label_options,
    .examples = {"weft label http://127.0.0.1:9338 notes sent",
                 "weft label ./data notes -o ndjson"},
    .positional_min = 2,
    .positional_max = 3,
    .formatted = true,
    .run = run_label,
};
