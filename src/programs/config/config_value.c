// SPDX-License-Identifier: MIT
#include "programs/config/config_value.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit sizes[] = {
    {"TiB", 1ULL << 40},
    {"GiB", 1ULL << 30},
    {"MiB", 1ULL << 20},
    {"KiB", 1ULL << 10},
    {"TB", 1000000000000ULL},
    {"GB", 1000000000ULL},
    {"MB", 1000000ULL},
    {"kB", 1000ULL},
    {"B", 1},
    {"", 1},
    {NULL, 0},
};
static const struct unit times[] = {
    {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0},
};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static const struct unit *units_of(enum config_kind kind)
{
    if (kind == CONFIG_SIZE)
        return sizes;
    return kind == CONFIG_TIME ? times : counts;
}

/// Digits and a unit. @return NULL, or what is wrong.
static const char *parse_units(uint64_t *number_out, enum config_kind kind, const char *text)
{
    if (!isdigit((unsigned char)text[0]))
        return "begins with a digit";
    uint64_t number = 0;
    const char *at = text;
    for (; isdigit((unsigned char)*at); at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (number > (UINT64_MAX - digit) / 10)
            return "is too large";
        number = number * 10 + digit;
    }
    while (*at == ' ')
        at++;
    for (const struct unit *unit = units_of(kind); unit->name != NULL; unit++) {
        if (strcmp(at, unit->name) != 0)
            continue;
        if (number > UINT64_MAX / unit->factor)
            return "is too large";
        *number_out = number * unit->factor;
        return NULL;
    }
    if (kind == CONFIG_SIZE)
        return "has a unit of B, KiB, MiB, GiB, TiB, kB, MB, GB, TB";
    return kind == CONFIG_TIME ? "has a unit of ms, s, min, h" : "is digits only";
}

static const char *parse_switch(uint64_t *number_out, const char *text)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            *number_out = strcmp(text, yes[i]) == 0;
            return NULL;
        }
    }
    return "is true or false";
}

static const char *parse_fraction(uint64_t *number_out, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0 && value <= 1))
        return "is a number from 0 to 1";
    *number_out = (uint64_t)(value * 1000 + 0.5);
    return NULL;
}

static bool parse_choice(uint64_t *number_out, const char *choices, const char *text)
{
    size_t size = strlen(text);
    for (uint64_t index = 0;; index++) {
        size_t length = strcspn(choices, "|");
        if (length == size && memcmp(choices, text, size) == 0) {
            *number_out = index;
            return true;
        }
        if (choices[length] == '\0')
            return false;
        choices += length + 1;
    }
}

bool config_value_parse(uint64_t *number_out, const struct config_option *option, const char *text,
                        char *error)
{
    const char *wrong = NULL;
    uint64_t number = 0;
    switch (option->kind) {
    case CONFIG_SWITCH:
        wrong = parse_switch(&number, text);
        break;
    case CONFIG_FRACTION:
        wrong = parse_fraction(&number, text);
        break;
    case CONFIG_CHOICE:
        if (!parse_choice(&number, option->choices, text)) {
            snprintf(error, CONFIG_ERROR_BYTES, "%s is one of %s, not \"%.80s\"", option->name,
                     option->choices, text);
            return false;
        }
        break;
    case CONFIG_COUNT:
    case CONFIG_SIZE:
    case CONFIG_TIME:
        wrong = parse_units(&number, option->kind, text);
        break;
    case CONFIG_TEXT:
    case CONFIG_LIST:
        break;
    }
    if (wrong != NULL) {
        snprintf(error, CONFIG_ERROR_BYTES, "%s: \"%.80s\": a value %s", option->name, text, wrong);
        return false;
    }
    if (option->maximum != 0 && (number < option->minimum || number > option->maximum)) {
        char least[CONFIG_NUMBER_BYTES];
        char most[CONFIG_NUMBER_BYTES];
        config_value_format(least, option, option->minimum);
        config_value_format(most, option, option->maximum);
        snprintf(error, CONFIG_ERROR_BYTES, "%s is from %s to %s, not %.80s", option->name, least,
                 most, text);
        return false;
    }
    *number_out = number;
    return true;
}

void config_value_format(char *text_out, const struct config_option *option, uint64_t number)
{
    size_t room = CONFIG_NUMBER_BYTES;
    switch (option->kind) {
    case CONFIG_SWITCH:
        snprintf(text_out, room, "%s", number != 0 ? "true" : "false");
        return;
    case CONFIG_FRACTION:
        snprintf(text_out, room, "%g", (double)number / 1000);
        return;
    case CONFIG_CHOICE: {
        const char *choice = option->choices;
        for (uint64_t i = 0; i < number && strchr(choice, '|') != NULL; i++)
            choice = strchr(choice, '|') + 1;
        snprintf(text_out, room, "%.*s", (int)strcspn(choice, "|"), choice);
        return;
    }
    default:
        break;
    }
    // The largest unit that divides it, so that what is printed reads back as the same number.
    const struct unit *unit = units_of(option->kind);
    while (unit[1].name != NULL && (number == 0 || number % unit->factor != 0))
        unit++;
    snprintf(text_out, room, "%" PRIu64 "%s", number / unit->factor, unit->name);
}
