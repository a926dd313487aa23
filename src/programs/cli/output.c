// SPDX-License-Identifier: MIT
#include "programs/cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"

#define COLUMNS_MAX 16
#define SCRATCH_BYTES 64

bool output_for_people(const struct arguments *arguments)
{
    return arguments->format == FORMAT_TABLE &&
           (arguments->format_given || isatty(STDOUT_FILENO) == 1);
}

const char *output_colour(enum output_colour colour)
{
    static const char *const codes[] = {"\x1b[0m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[36m"};
    static int coloured = -1;
    if (coloured < 0) {
        const char *refused = getenv("NO_COLOR");
        const char *terminal = getenv("TERM");
        coloured = isatty(STDOUT_FILENO) == 1 && (refused == NULL || *refused == '\0') &&
                   (terminal == NULL || strcmp(terminal, "dumb") != 0);
    }
    return coloured ? codes[colour] : "";
}

void output_begin(struct output *output, const struct arguments *arguments,
                  const char *const *columns)
{
    memset(output, 0, sizeof(*output));
    output->format = arguments->format;
    output->aligned = output_for_people(arguments);
    output->columns = columns;
    output->streams =
        output->format == FORMAT_NDJSON || (output->format == FORMAT_TABLE && !output->aligned);
    if (!output->streams) {
        output->rows = json_array();
        output->failed = output->rows == NULL;
    }
}

/// U+0080 to U+009F: terminals may take them for commands, as they do ESC.
static bool is_c1(const uint8_t *utf8)
{
    return utf8[0] == 0xc2 && utf8[1] >= 0x80 && utf8[1] < 0xa0;
}

/// A byte of text as it is shown: '?' stands for what a terminal might take for a command.
static char tame(const char *at)
{
    bool control = (unsigned char)*at < 32 || *at == 127;
    return control || is_c1((const uint8_t *)at) ? '?' : *at;
}

void print_tame(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        putchar(tame(at));
        at += is_c1((const uint8_t *)at);
    }
}

void print_tame_text(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        bool two = i + 1 < text.size && is_c1(text.data + i);
        bool control = (text.data[i] < 32 && text.data[i] != '\t') || text.data[i] == 127;
        putchar(control || two ? '?' : text.data[i]);
        i += two;
    }
}

/// A value as a cell: one line. @param scratch Where a number is written.
static const char *cell_of(char scratch[SCRATCH_BYTES], const json_t *value)
{
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        return json_string_value(value);
    case JSON_INTEGER:
        snprintf(scratch, SCRATCH_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return scratch;
    case JSON_REAL:
        snprintf(scratch, SCRATCH_BYTES, "%.1f", json_real_value(value));
        return scratch;
    case JSON_TRUE:
    case JSON_FALSE:
        return json_is_true(value) ? "yes" : "no";
    default:
        return "-";
    }
}

/// Characters that a cell takes on a terminal, near enough: one for each scalar.
static size_t cell_width(const char *cell)
{
    size_t width = 0;
    for (; *cell != '\0'; cell++)
        width += ((unsigned char)*cell & 0xc0) != 0x80;
    return width;
}

static void print_cell(const char *cell, size_t width, bool last, bool aligned)
{
    print_tame(cell);
    if (last)
        putchar('\n');
    else if (!aligned)
        putchar('\t');
    for (size_t i = cell_width(cell); !last && aligned && i < width + 2; i++)
        putchar(' ');
}

static void print_row(const struct output *output, const json_t *row, const size_t *widths)
{
    char scratch[SCRATCH_BYTES];
    for (size_t c = 0; output->columns[c] != NULL && c < COLUMNS_MAX; c++) {
        bool last = output->columns[c + 1] == NULL || c + 1 == COLUMNS_MAX;
        print_cell(cell_of(scratch, json_object_get(row, output->columns[c])), widths[c], last,
                   output->aligned);
    }
}

void output_row(struct output *output, json_t *row)
{
    if (row == NULL || output->failed) {
        output->failed = true;
        json_decref(row);
        return;
    }
    if (output->format == FORMAT_NDJSON) {
        output->failed = json_dumpf(row, stdout, JSON_COMPACT) != 0;
        putchar('\n');
        json_decref(row);
    } else if (output->streams) {
        static const size_t no_widths[COLUMNS_MAX];
        print_row(output, row, no_widths);
        json_decref(row);
    } else if (json_array_append_new(output->rows, row) != 0) {
        output->failed = true;
    }
}

static void print_heading(const struct output *output, const size_t *widths)
{
    const char *bold = output_colour(COLOUR_HEADING);
    fputs(bold, stdout);
    for (size_t c = 0; output->columns[c] != NULL && c < COLUMNS_MAX; c++) {
        bool last = output->columns[c + 1] == NULL || c + 1 == COLUMNS_MAX;
        if (last)
            printf("%s%s\n", output->columns[c], *bold != '\0' ? output_colour(COLOUR_NONE) : "");
        else
            print_cell(output->columns[c], widths[c], false, true);
    }
}

/// Aligned, with a head: all rows are there.
static void print_table(const struct output *output)
{
    size_t widths[COLUMNS_MAX] = {0};
    char scratch[SCRATCH_BYTES];
    size_t rows = json_array_size(output->rows);
    for (size_t c = 0; output->columns[c] != NULL && c < COLUMNS_MAX; c++) {
        const char *key = output->columns[c];
        widths[c] = strlen(key);
        for (size_t r = 0; r < rows; r++) {
            const json_t *row = json_array_get(output->rows, r);
            size_t width = cell_width(cell_of(scratch, json_object_get(row, key)));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    print_heading(output, widths);
    for (size_t r = 0; r < rows; r++)
        print_row(output, json_array_get(output->rows, r), widths);
}

int output_end(struct output *output)
{
    if (!output->failed && output->format == FORMAT_TABLE && !output->streams)
        print_table(output);
    if (!output->failed && output->format == FORMAT_JSON) {
        output->failed = json_dumpf(output->rows, stdout, JSON_INDENT(2)) != 0;
        putchar('\n');
    }
    json_decref(output->rows);
    output->rows = NULL;
    if (output->failed)
        return complain(EXIT_REFUSED, "the answer could not be written");
    return EXIT_FINE;
}

int output_object(const struct arguments *arguments, json_t *object)
{
    char scratch[SCRATCH_BYTES];
    const char *key;
    json_t *value;
    if (object == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    if (arguments->format == FORMAT_TABLE) {
        int width = 12;
        json_object_foreach(object, key, value)
        {
            if ((int)strlen(key) > width)
                width = (int)strlen(key);
        }
        json_object_foreach(object, key, value)
        {
            printf("%-*s ", width, key);
            print_tame(cell_of(scratch, value));
            putchar('\n');
        }
    } else {
        bool failed =
            json_dumpf(object, stdout,
                       (arguments->format == FORMAT_JSON ? JSON_INDENT(2) : JSON_COMPACT) |
                           JSON_REAL_PRECISION(9)) != 0;
        putchar('\n');
        if (failed) {
            json_decref(object);
            return complain(EXIT_REFUSED, "the answer could not be written");
        }
    }
    json_decref(object);
    return EXIT_FINE;
}

// ------------------------------------------------------------------------------------------- texts

json_t *output_text(struct span text)
{
    json_t *string = json_stringn((const char *)text.data, text.size);
    if (string != NULL)
        return string;
    char *clean = malloc(text.size + 1);
    if (clean == NULL)
        return NULL;
    for (size_t i = 0; i < text.size; i++)
        clean[i] = text.data[i] < 128 ? (char)text.data[i] : '?';
    string = json_stringn(clean, text.size);
    free(clean);
    return string;
}

/// Appends one scalar of a text as it is shown in an excerpt. @return how many bytes it has.
static size_t excerpt_scalar(struct weft_buffer *out, const uint8_t *text, size_t size,
                             enum weft_status *status)
{
    char escaped[8];
    size_t taken = 1;
    uint8_t byte = text[0];
    if (byte == '\n' || byte == '\t')
        snprintf(escaped, sizeof(escaped), "\\%c", byte == '\n' ? 'n' : 't');
    else if (byte == '"' || byte == '\\')
        snprintf(escaped, sizeof(escaped), "\\%c", byte);
    else if (byte < 32 || byte == 127)
        snprintf(escaped, sizeof(escaped), "\\x%02x", byte);
    else if (size > 1 && is_c1(text)) {
        snprintf(escaped, sizeof(escaped), "\\x%02x", text[1]);
        taken = 2;
    } else {
        while (byte >= 0xc0 && taken < size && (text[taken] & 0xc0) == 0x80)
            taken++;
        *status = *status == WEFT_OK ? weft_buffer_append(out, text, taken) : *status;
        return taken;
    }
    *status = *status == WEFT_OK ? weft_buffer_append(out, escaped, strlen(escaped)) : *status;
    return taken;
}

enum weft_status excerpt_append(struct weft_buffer *out, struct span text, size_t width)
{
    enum weft_status status = weft_buffer_append(out, "\"", 1);
    size_t at = 0;
    for (size_t shown = 0; at < text.size && shown < width; shown++)
        at += excerpt_scalar(out, text.data + at, text.size - at, &status);
    const char *end = at < text.size ? "\"..." : "\"";
    return status == WEFT_OK ? weft_buffer_append(out, end, strlen(end)) : status;
}

json_t *output_excerpt(struct span text, size_t width)
{
    struct weft_buffer excerpt;
    json_t *string = NULL;
    weft_buffer_init(&excerpt, NULL);
    if (excerpt_append(&excerpt, text, width) == WEFT_OK)
        string = output_text(span_of_buffer(&excerpt));
    weft_buffer_finish(&excerpt);
    return string;
}

void print_excerpt(const uint8_t *text, size_t size, size_t width)
{
    struct weft_buffer excerpt;
    weft_buffer_init(&excerpt, NULL);
    if (excerpt_append(&excerpt, (struct span){text, size}, width) == WEFT_OK)
        print_text(&excerpt);
    weft_buffer_finish(&excerpt);
}

void hex_format(char *text_out, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        text_out[2 * i] = digits[bytes[i] >> 4];
        text_out[2 * i + 1] = digits[bytes[i] & 15];
    }
    text_out[2 * size] = '\0';
}

void print_text(const struct weft_buffer *text)
{
    if (text->size > 0)
        fwrite(text->data, 1, text->size, stdout);
}

bool hex_parse(uint8_t *bytes_out, size_t size, const char *text)
{
    return strlen(text) == 2 * size && hex_decode(bytes_out, text, size);
}
