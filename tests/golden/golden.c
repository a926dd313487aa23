// SPDX-License-Identifier: MIT
#include "tests/golden/golden.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

enum { LINE_MAX_BYTES = 1 << 16 };

static void append(struct weft_buffer *buffer, const void *bytes, size_t size)
{
    cr_assert_eq(weft_buffer_append(buffer, bytes, size), WEFT_OK);
}

void golden_open(struct golden *golden, const char *name)
{
    char path[512];
    const char *folder = getenv("WEFT_GOLDEN");
    *golden = (struct golden){0};
    snprintf(path, sizeof path, "%s/%s", folder != NULL ? folder : "tests/golden", name);
    golden->file = fopen(path, "r");
    cr_assert_not_null(golden->file, "%s", path);
    weft_buffer_init(&golden->meaning, NULL);
    weft_buffer_init(&golden->said, NULL);
    for (size_t i = 0; i < GOLDEN_PARTS_MAX; i++)
        weft_buffer_init(&golden->parts[i].bytes, NULL);
}

void golden_close(struct golden *golden, unsigned least)
{
    fclose(golden->file);
    weft_buffer_finish(&golden->meaning);
    weft_buffer_finish(&golden->said);
    for (size_t i = 0; i < GOLDEN_PARTS_MAX; i++)
        weft_buffer_finish(&golden->parts[i].bytes);
    cr_assert_geq(golden->count, least, "only %u vectors", golden->count);
}

static void take_part(struct golden *golden, const char *line)
{
    int at = 0;
    cr_assert_lt(golden->part_count, (size_t)GOLDEN_PARTS_MAX, "%s", golden->name);
    struct golden_part *part = &golden->parts[golden->part_count++];
    cr_assert_eq(sscanf(line, "%23s %n", part->key, &at), 1);
    part->bytes.size = 0;
    for (const char *hex = line + at; *hex != '\0' && *hex != '-';) {
        unsigned byte;
        int used = 0;
        cr_assert_eq(sscanf(hex, "%2x%n", &byte, &used), 1, "%s: %s", golden->name, hex);
        append(&part->bytes, &(uint8_t){(uint8_t)byte}, 1);
        hex += used;
        hex += strspn(hex, " ");
    }
}

bool golden_next(struct golden *golden)
{
    static char line[LINE_MAX_BYTES];
    golden->name[0] = '\0';
    golden->part_count = 0;
    golden->meaning.size = 0;
    golden->said.size = 0;
    while (fgets(line, sizeof line, golden->file) != NULL) {
        size_t size = strcspn(line, "\n");
        line[size] = '\0';
        if (line[0] == '#')
            continue;
        if (size == 0 && golden->name[0] != '\0')
            break;
        if (strncmp(line, "    ", 4) == 0) {
            append(&golden->meaning, line + 4, size - 4);
            append(&golden->meaning, "\n", 1);
        } else if (golden->name[0] != '\0') {
            take_part(golden, line);
        } else {
            snprintf(golden->name, sizeof golden->name, "%.199s", line);
        }
    }
    golden->count += golden->name[0] != '\0';
    return golden->name[0] != '\0';
}

static const struct golden_part *find(const struct golden *golden, const char *key)
{
    for (size_t i = 0; i < golden->part_count; i++)
        if (strcmp(golden->parts[i].key, key) == 0)
            return &golden->parts[i];
    return NULL;
}

bool golden_has(const struct golden *golden, const char *key)
{
    return find(golden, key) != NULL;
}

struct span golden_bytes(const struct golden *golden, const char *key)
{
    const struct golden_part *part = find(golden, key);
    cr_assert_not_null(part, "%s: no %s", golden->name, key);
    return (struct span){part->bytes.data, part->bytes.size};
}

void golden_say(struct golden *golden, const char *format, ...)
{
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    cr_assert(size >= 0 && (size_t)size < sizeof line - 1);
    line[size] = '\n';
    append(&golden->said, line, (size_t)size + 1);
}

void golden_say_hex(struct golden *golden, const char *what, struct span bytes)
{
    append(&golden->said, what, strlen(what));
    append(&golden->said,
           bytes.data == NULL ? " nil"
           : bytes.size == 0  ? " -"
                              : " ",
           bytes.data == NULL ? 4
           : bytes.size == 0  ? 2
                              : 1);
    for (size_t i = 0; i < bytes.size; i++) {
        char hex[3];
        snprintf(hex, sizeof hex, "%02x", bytes.data[i]);
        append(&golden->said, hex, 2);
    }
    append(&golden->said, "\n", 1);
}

void golden_say_text(struct golden *golden, const char *what, struct span text)
{
    append(&golden->said, what, strlen(what));
    append(&golden->said, " \"", 2);
    for (size_t i = 0; i < text.size; i++) {
        char escaped[4];
        uint8_t byte = text.data[i];
        bool plain = byte >= 0x20 && byte != '"' && byte != '\\';
        snprintf(escaped, sizeof escaped, "\\%02x", byte);
        append(&golden->said, plain ? (const void *)&byte : escaped, plain ? 1 : 3);
    }
    append(&golden->said, "\"\n", 2);
}

void golden_say_epoch(struct golden *golden, const char *what, const struct weft_epoch *epoch)
{
    char line[80];
    snprintf(line, sizeof line, "%s counter %llu random", what, (unsigned long long)epoch->counter);
    golden_say_hex(golden, line, (struct span){epoch->random, sizeof epoch->random});
}

void golden_check_said(struct golden *golden)
{
    bool same = golden->said.size == golden->meaning.size &&
                (golden->said.size == 0 ||
                 memcmp(golden->said.data, golden->meaning.data, golden->said.size) == 0);
    cr_assert(same, "%s: decoding says\n%.*snot\n%.*s", golden->name, (int)golden->said.size,
              (const char *)golden->said.data, (int)golden->meaning.size,
              (const char *)golden->meaning.data);
}

void golden_check_bytes(const struct golden *golden, const char *key, struct span encoded)
{
    struct span bytes = golden_bytes(golden, key);
    size_t i = 0;
    while (i < bytes.size && i < encoded.size && bytes.data[i] == encoded.data[i])
        i++;
    cr_assert(i == bytes.size && i == encoded.size,
              "%s: %s: encoding differs at byte %zu; %zu bytes, not %zu", golden->name, key, i,
              encoded.size, bytes.size);
}
