// SPDX-License-Identifier: MIT
// weft show, weft blame, weft diff: a document's past. By network the whole document is fetched and
// looked at here, so that the answers of a node and of a directory are the same.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <weft/history.h>

#include "codec/wire.h"
#include "programs/cli/diff_text.h"
#include "programs/cli/ids.h"
#include "programs/cli/people.h"
#include "programs/cli/place.h"
#include "programs/cli/runs.h"
#include "programs/cli/times.h"
#include "programs/cli/versions.h"

/// What of a document a command looks at.
struct look {
    const struct arguments *arguments;
    const char *name;
    struct weft_doc *doc;
    struct times times;
    struct weft_buffer version;
};

/// @param option That names the version. look_close() follows in any case.
static int look_open(struct look *look, const struct arguments *arguments, const char *option)
{
    *look = (struct look){.arguments = arguments, .name = arguments_word(arguments, 1)};
    weft_buffer_init(&look->version, NULL);
    times_init(&look->times, NULL);
    int code = place_fetch_times(&look->doc, &look->times, arguments);
    return code == EXIT_FINE ? version_read(&look->version, look->doc, &look->times, look->name,
                                            option, arguments_value(arguments, option))
                             : code;
}

static void look_close(struct look *look)
{
    weft_doc_destroy(look->doc);
    times_finish(&look->times);
    weft_buffer_finish(&look->version);
}

/// @return `code`, or what a status means, after saying so.
static int judge(int code, enum weft_status status)
{
    if (status == WEFT_OK)
        return code;
    return complain(EXIT_REFUSED, "%s", weft_status_text(status));
}

// ------------------------------------------------------------------------------------------- show

static json_t *text_json(const struct look *look, const struct weft_buffer *text)
{
    uint64_t length = 0;
    struct weft_epoch epoch = weft_doc_epoch(look->doc);
    uint8_t epoch_bytes[WIRE_EPOCH_SIZE];
    char epoch_text[HEX_EPOCH_BYTES];
    wire_epoch_encode(epoch_bytes, &epoch);
    hex_format(epoch_text, epoch_bytes, sizeof(epoch_bytes));
    json_t *version = version_json(span_of_buffer(&look->version));
    if (version == NULL || weft_doc_length_at(&length, look->doc, WEFT_SCALARS, look->version.data,
                                              look->version.size) != WEFT_OK) {
        json_decref(version);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o, s:I, s:o}", "document", look->name, "epoch", epoch_text,
                     "version", version, "length", (json_int_t)length, "text",
                     output_text(span_of_buffer(text)));
}

static int run_show(const struct arguments *arguments)
{
    struct look look;
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    int code = look_open(&look, arguments, "at");
    if (code == EXIT_FINE)
        code = judge(code, weft_doc_text_at(&text, look.doc, look.version.data, look.version.size));
    if (code == EXIT_FINE && arguments->format == FORMAT_TABLE)
        print_text(&text);
    else if (code == EXIT_FINE)
        code = output_object(arguments, text_json(&look, &text));
    weft_buffer_finish(&text);
    look_close(&look);
    return code;
}

static const struct command_option show_options[] = {
    {"at", 'a', "VERSION", "as it was; without it: as it is"},
    {.name = NULL},
};

const struct command show_command = {
    .name = "show",
    .arguments = "URL|DIR DOC [--at VERSION]",
    .summary = "Writes a document's text as it was at a version.",
    .details = VERSION_HELP "\nNEXT is how many operations of an AGENT are in it.",
    .options = show_options,
    .examples = {"weft show http://127.0.0.1:9338 notes --at 4817eb1d899ef435:12",
                 "weft show ./data notes -o json"},
    .positional_min = 2,
    .positional_max = 2,
    .formatted = true,
    .run = run_show,
};

// ------------------------------------------------------------------------------------------ blame

struct blame {
    struct output output;
    const struct look *look;
    struct people people;
    struct span text; // not shown yet
    uint64_t index;
};

static bool show_run(void *context, const struct weft_blame_run *run)
{
    struct blame *blame = context;
    char id[ID_BYTES];
    char time[TIME_BYTES];
    struct span text = {blame->text.data, (size_t)run->units};
    id_format(id, run->id);
    time_format(time,
                1000 * times_of(&blame->look->times, run->id.agent, run->id.seq + run->length - 1));
    json_t *shown = blame->output.format == FORMAT_TABLE ? output_excerpt(text, EXCERPT_WIDTH)
                                                         : output_text(text);
    output_row(&blame->output,
               json_pack("{s:I, s:I, s:s, s:s, s:s?, s:o}", "index", (json_int_t)blame->index,
                         "length", (json_int_t)run->length, "time", time, "id", id, "author",
                         people_name(&blame->people, run->id.agent), "text", shown));
    blame->index += run->length;
    blame->text.data += text.size;
    blame->text.size -= text.size;
    return true;
}

static int blame(const struct look *look, const struct weft_buffer *text)
{
    static const char *const columns[] = {"index", "length", "time", "id", "author", "text", NULL};
    struct blame blame = {.look = look, .text = span_of_buffer(text)};
    enum weft_status status = people_init(&blame.people, look->doc);
    output_begin(&blame.output, look->arguments, columns);
    if (status == WEFT_OK)
        status = weft_doc_visit_blame_at(look->doc, look->version.data, look->version.size,
                                         WEFT_UTF8, 0, text->size, show_run, &blame);
    int code = judge(EXIT_FINE, status);
    int end = output_end(&blame.output);
    people_finish(&blame.people);
    return code != EXIT_FINE ? code : end;
}

static int run_blame(const struct arguments *arguments)
{
    struct look look;
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    int code = look_open(&look, arguments, "at");
    if (code == EXIT_FINE)
        code = judge(code, weft_doc_text_at(&text, look.doc, look.version.data, look.version.size));
    if (code == EXIT_FINE)
        code = blame(&look, &text);
    weft_buffer_finish(&text);
    look_close(&look);
    return code;
}

const struct command blame_command = {
    .name = "blame",
    .arguments = "URL|DIR DOC [--at VERSION]",
    .summary = "Says who wrote each part of a document's text.",
    .details = "Columns: index and length in characters, when the last of them arrived, id of the "
               "first, who that is said to be, text.\n" VERSION_HELP,
    .options = show_options,
    .examples = {"weft blame http://127.0.0.1:9338 notes", "weft blame ./data notes -o ndjson"},
    .positional_min = 2,
    .positional_max = 2,
    .formatted = true,
    .run = run_blame,
};

// ------------------------------------------------------------------------------------------- diff

struct diff {
    struct output output;
    struct diff_text text;
    bool table;
    bool different;
};

static json_t *span_json(const struct weft_diff_span *span)
{
    static const char *const kinds[] = {"kept", "inserted", "deleted"};
    char id[ID_BYTES];
    id_format(id, span->id);
    json_t *text =
        span->text != NULL ? output_text((struct span){span->text, span->text_size}) : json_null();
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "kind", kinds[span->kind], "id", id,
                     "length", (json_int_t)span->length, "before", (json_int_t)span->index_before,
                     "after", (json_int_t)span->index_after, "text", text);
}

static bool show_span(void *context, const struct weft_diff_span *span)
{
    struct diff *diff = context;
    diff->different |= span->kind != WEFT_DIFF_KEPT;
    if (diff->table)
        return diff_text_span(&diff->text, span);
    output_row(&diff->output, span_json(span));
    return true;
}

static int diff(const struct look *look, const struct weft_buffer *after)
{
    struct diff diff = {.table = look->arguments->format == FORMAT_TABLE};
    if (diff.table)
        diff_text_init(&diff.text,
                       (struct diff_style){.words = output_for_people(look->arguments),
                                           .colour = *output_colour(COLOUR_NONE) != '\0'});
    else
        output_begin(&diff.output, look->arguments, NULL);
    int code = judge(EXIT_FINE, weft_doc_visit_diff(look->doc, WEFT_SCALARS, look->version.data,
                                                    look->version.size, after->data, after->size,
                                                    show_span, &diff));
    int end = EXIT_FINE;
    if (!diff.table)
        end = output_end(&diff.output);
    else if (!diff_text_finish(&diff.text))
        end = complain(EXIT_REFUSED, "out of memory");
    if (code == EXIT_FINE && end == EXIT_FINE)
        return diff.different ? EXIT_DIFFERENT : EXIT_FINE;
    return code != EXIT_FINE ? code : end;
}

static int run_diff(const struct arguments *arguments)
{
    struct look look;
    struct weft_buffer after;
    if (!arguments_has(arguments, "from"))
        return complain(EXIT_USAGE, "--from is missing; " VERSION_HELP);
    weft_buffer_init(&after, NULL);
    int code = look_open(&look, arguments, "from");
    if (code == EXIT_FINE)
        code = version_read(&after, look.doc, &look.times, look.name, "to",
                            arguments_value(arguments, "to"));
    if (code == EXIT_FINE)
        code = diff(&look, &after);
    weft_buffer_finish(&after);
    look_close(&look);
    return code;
}

static const struct command_option diff_options[] = {
    {"from", 'f', "VERSION", "the text before"},
    {"to", 't', "VERSION", "the text after; without it: as it is"},
    {.name = NULL},
};

const struct command diff_command = {
    .name = "diff",
    .arguments = "URL|DIR DOC --from VERSION [--to VERSION]",
    .summary = "Shows what came and went between two versions of a document.",
    .details =
        "Lines that changed, [-what went-] and {+what came+} in them, on a terminal by words "
        "and in colours; exit code 1 when there are any. Texts may hold such marks themselves: "
        "-o ndjson is exact.\n" VERSION_HELP,
    .options = diff_options,
    .examples = {"weft diff http://127.0.0.1:9338 notes --from 4817eb1d899ef435:12",
                 "weft diff ./data notes --from '' -o ndjson"},
    .positional_min = 2,
    .positional_max = 2,
    .formatted = true,
    .run = run_diff,
};
