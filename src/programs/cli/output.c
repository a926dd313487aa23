// SPDX-License-Identifier: MIT
#include "programs/cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 16
#define CELL_BYTES 512

void output_begin(struct output *output, const struct arguments *arguments,
                  const char *const *columns)
{
    memset(output, 0, sizeof(*output));
    output->format = arguments->format;
    output->aligned = arguments->format_given || isatty(STDOUT_FILENO) == 1;
    output->columns = columns;
    if (output->format != FORMAT_NDJSON) {
        output->rows = json_array();
        output->failed = output->rows == NULL;
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
    } else if (json_array_append_new(output->rows, row) != 0) {
        output->failed = true;
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

/// A value as a cell: one line.
static void format_cell(char *cell_out, const json_t *value)
{
    switch (value != NULL ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        snprintf(cell_out, CELL_BYTES, "%s", json_string_value(value));
        break;
    case JSON_INTEGER:
        snprintf(cell_out, CELL_BYTES, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        snprintf(cell_out, CELL_BYTES, "%.1f", json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        snprintf(cell_out, CELL_BYTES, "%s", json_is_true(value) ? "yes" : "no");
        break;
    default:
        snprintf(cell_out, CELL_BYTES, "-");
        break;
    }
    char *to = cell_out;
    for (const char *at = cell_out; *at != '\0'; at++) {
        bool two = is_c1((const uint8_t *)at);
        *to++ = tame(at);
        at += two;
    }
    *to = '\0';
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
    fputs(cell, stdout);
    if (last)
        putchar('\n');
    else if (!aligned)
        putchar('\t');
    for (size_t i = cell_width(cell); !last && aligned && i < width + 2; i++)
        putchar(' ');
}

static void print_table(const struct output *output)
{
    size_t widths[COLUMNS_MAX] = {0};
    size_t count = 0;
    bool aligned = output->aligned;
    char cell[CELL_BYTES];
    for (; output->columns[count] != NULL && count < COLUMNS_MAX; count++)
        widths[count] = strlen(output->columns[count]);
    size_t rows = json_array_size(output->rows);
    for (size_t r = 0; aligned && r < rows; r++) {
        for (size_t c = 0; c < count; c++) {
            format_cell(cell, json_object_get(json_array_get(output->rows, r), output->columns[c]));
            widths[c] = cell_width(cell) > widths[c] ? cell_width(cell) : widths[c];
        }
    }
    for (size_t c = 0; aligned && c < count; c++)
        print_cell(output->columns[c], widths[c], c + 1 == count, true);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < count; c++) {
            format_cell(cell, json_object_get(json_array_get(output->rows, r), output->columns[c]));
            print_cell(cell, widths[c], c + 1 == count, aligned);
        }
    }
}

int output_end(struct output *output)
{
    if (!output->failed && output->format == FORMAT_TABLE)
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
    char cell[CELL_BYTES];
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
            format_cell(cell, value);
            printf("%-*s %s\n", width, key, cell);
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

void print_excerpt(const uint8_t *text, size_t size, size_t width)
{
    putchar('"');
    size_t at = 0;
    for (size_t shown = 0; at < size && shown < width; shown++) {
        uint8_t byte = text[at];
        if (byte == '\n')
            fputs("\\n", stdout);
        else if (byte == '\t')
            fputs("\\t", stdout);
        else if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < 32 || byte == 127)
            printf("\\x%02x", byte);
        else if (at + 1 < size && is_c1(text + at))
            printf("\\x%02x", text[++at]);
        else
            putchar(byte);
        at++;
        while (byte >= 0xc0 && at < size && (text[at] & 0xc0) == 0x80)
            putchar(text[at++]);
    }
    fputs(at < size ? "\"..." : "\"", stdout);
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

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_parse(uint8_t *bytes_out, size_t size, const char *text)
{
    if (strlen(text) != 2 * size)
        return false;
    for (size_t i = 0; i < size; i++) {
        int high = digit_of(text[2 * i]);
        int low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes_out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}
