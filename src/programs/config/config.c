// SPDX-License-Identifier: MIT
// Collects what is set at each place, then lets the highest place win.
#include "programs/config/config.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "programs/config/config_value.h"

#define PREFIX "WEFT_"
#define OPTIONS_MAX 64
#define WHERE_BYTES 300

/// What one place says of one option.
struct setting {
    char *values[CONFIG_LIST_MAX]; // owned; one, but for a list
    size_t count;
    uint64_t number; // of a number, switch or choice
    char *where;     // owned; of the latest value
};

struct config {
    struct setting settings[OPTIONS_MAX][CONFIG_SOURCES];
};

struct config *config_create(void)
{
    size_t count;
    config_table(&count);
    assert(count <= OPTIONS_MAX);
    return calloc(1, sizeof(struct config));
}

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < OPTIONS_MAX; i++) {
        for (int source = 0; source < CONFIG_SOURCES; source++) {
            struct setting *setting = &config->settings[i][source];
            for (size_t v = 0; v < setting->count; v++)
                free(setting->values[v]);
            free(setting->where);
        }
    }
    free(config);
}

static size_t index_of(const struct config_option *option)
{
    size_t count;
    return (size_t)(option - config_table(&count));
}

bool config_set(struct config *config, const struct config_option *option,
                enum config_source source, const char *value, const char *where, char *error)
{
    struct setting *setting = &config->settings[index_of(option)][source];
    uint64_t number = 0;
    if (!config_value_parse(&number, option, value, error))
        return false;
    if (setting->count > 0 && option->kind != CONFIG_LIST) {
        snprintf(error, CONFIG_ERROR_BYTES, "%s is given twice", option->name);
        return false;
    }
    if (setting->count == CONFIG_LIST_MAX) {
        snprintf(error, CONFIG_ERROR_BYTES, "%s: at most %d are understood", option->name,
                 CONFIG_LIST_MAX);
        return false;
    }
    if (value[0] == '\0') {
        snprintf(error, CONFIG_ERROR_BYTES, "%s has no value", option->name);
        return false;
    }
    char *copy = strdup(value);
    char *place = strdup(where);
    if (copy == NULL || place == NULL) {
        free(copy);
        free(place);
        snprintf(error, CONFIG_ERROR_BYTES, "out of memory");
        return false;
    }
    setting->values[setting->count++] = copy;
    setting->number = number;
    free(setting->where);
    setting->where = place;
    return true;
}

/// Sets a list from one text with its items separated by spaces or commas.
static bool set_items(struct config *config, const struct config_option *option,
                      enum config_source source, const char *value, const char *where, char *error)
{
    if (option->kind != CONFIG_LIST)
        return config_set(config, option, source, value, where, error);
    while (*value != '\0') {
        size_t size = strcspn(value, " ,");
        if (size > 0) {
            char *item = strndup(value, size);
            bool set = item != NULL && config_set(config, option, source, item, where, error);
            free(item);
            if (!set)
                return false;
        }
        value += size + (value[size] != '\0');
    }
    return true;
}

// ------------------------------------------------------------------------------------ environment

/// Variables that other parts of the house read: tests and their tools.
static bool known_to_others(const char *name, size_t size)
{
    static const char *const whole[] = {"TRACES", "SEED", "ROUNDS", "CONFIG"};
    static const char *const begin[] = {"DEBUG_", "RECORDER"};
    for (size_t i = 0; i < sizeof(whole) / sizeof(whole[0]); i++) {
        if (strlen(whole[i]) == size && memcmp(name, whole[i], size) == 0)
            return true;
    }
    for (size_t i = 0; i < sizeof(begin) / sizeof(begin[0]); i++) {
        size_t length = strlen(begin[i]);
        if (size >= length && memcmp(name, begin[i], length) == 0)
            return true;
    }
    return false;
}

/// The option that a variable names; also understands <NAME>_FILE for files with secrets.
static const struct config_option *option_of_variable(char *name)
{
    const struct config_option *option = config_find(name);
    char *suffix = strrchr(name, '_');
    if (option != NULL || suffix == NULL || strcmp(suffix, "_FILE") != 0)
        return option;
    *suffix = '\0';
    option = config_find(name);
    *suffix = '_';
    return option != NULL && option->secret_file ? option : NULL;
}

static const char *nearest_option(const char *name)
{
    const char *names[OPTIONS_MAX];
    size_t count;
    size_t shown = 0;
    const struct config_option *options = config_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!options[i].hidden)
            names[shown++] = options[i].name;
    }
    return config_nearest(name, names, shown);
}

static void upper(char *text)
{
    for (; *text != '\0'; text++)
        *text = (char)toupper((unsigned char)*text);
}

static void say_unknown_variable(char *error, const char *name)
{
    char small[80];
    snprintf(small, sizeof(small), "%s", name);
    for (char *at = small; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    const char *nearest = nearest_option(small);
    if (nearest == NULL) {
        snprintf(error, CONFIG_ERROR_BYTES, "unknown variable " PREFIX "%.80s", name);
        return;
    }
    snprintf(small, sizeof(small), "%s", nearest);
    upper(small);
    snprintf(error, CONFIG_ERROR_BYTES,
             "unknown variable " PREFIX "%.80s; did you mean " PREFIX "%s?", name, small);
}

bool config_read_environment(struct config *config, char *const *environment, char *error)
{
    for (; *environment != NULL; environment++) {
        const char *variable = *environment;
        const char *equals = strchr(variable, '=');
        if (equals == NULL || strncmp(variable, PREFIX, strlen(PREFIX)) != 0)
            continue;
        const char *name = variable + strlen(PREFIX);
        size_t size = (size_t)(equals - name);
        char text[80];
        snprintf(text, sizeof(text), "%.*s", (int)size, name);
        const struct config_option *option = size < sizeof(text) ? option_of_variable(text) : NULL;
        if (option == NULL && known_to_others(name, size))
            continue;
        if (option == NULL) {
            say_unknown_variable(error, text);
            return false;
        }
        char where[WHERE_BYTES];
        snprintf(where, sizeof(where), PREFIX "%s", text);
        char reason[CONFIG_ERROR_BYTES];
        if (!set_items(config, option, CONFIG_ENVIRONMENT, equals + 1, where, reason)) {
            snprintf(error, CONFIG_ERROR_BYTES, "%.100s: %.400s", where, reason);
            return false;
        }
    }
    return true;
}

const char *config_file_of_environment(char *const *environment)
{
    static const char name[] = PREFIX "CONFIG=";
    for (; *environment != NULL; environment++) {
        if (strncmp(*environment, name, sizeof(name) - 1) == 0)
            return *environment + sizeof(name) - 1;
    }
    return NULL;
}

// ------------------------------------------------------------------------------------------- file

struct reading {
    struct config *config;
    const char *path;
    char error[CONFIG_ERROR_BYTES]; // of the first line that is wrong
};

/// inih's handler: 0 is an error, whose line ini_parse() returns.
static int take_line(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;
    char error[CONFIG_ERROR_BYTES];
    if (reading->error[0] != '\0')
        return 0;
    const struct config_option *option = config_find(name);
    if (section[0] != '\0') {
        snprintf(error, sizeof(error), "this is in section [%.80s]: there are no sections",
                 section);
    } else if (option == NULL) {
        const char *nearest = nearest_option(name);
        if (nearest == NULL)
            snprintf(error, sizeof(error), "unknown key \"%.80s\"", name);
        else
            snprintf(error, sizeof(error), "unknown key \"%.80s\"; did you mean \"%s\"?", name,
                     nearest);
    } else if (set_items(reading->config, option, CONFIG_FILE, value, reading->path, error)) {
        return 1;
    }
    memcpy(reading->error, error, sizeof(error));
    return 0;
}

bool config_read_file(struct config *config, const char *path, char *error)
{
    struct reading reading = {.config = config, .path = path};
    int line = ini_parse(path, take_line, &reading);
    if (line == 0)
        return true;
    if (line < 0)
        snprintf(error, CONFIG_ERROR_BYTES, "%.200s: %s", path, strerror(errno));
    else if (reading.error[0] == '\0')
        snprintf(error, CONFIG_ERROR_BYTES, "%.200s:%d: not of the form key = value", path, line);
    else
        snprintf(error, CONFIG_ERROR_BYTES, "%.100s:%d: %.380s", path, line, reading.error);
    return false;
}

// ------------------------------------------------------------------------------------- what counts

/// The setting of the highest place that has one; NULL: the default counts.
static const struct setting *effective(const struct config *config, size_t index,
                                       enum config_source *source_out)
{
    for (int source = CONFIG_SOURCES - 1; source > CONFIG_DEFAULT; source--) {
        if (config->settings[index][source].count > 0) {
            *source_out = (enum config_source)source;
            return &config->settings[index][source];
        }
    }
    *source_out = CONFIG_DEFAULT;
    return NULL;
}

static void store_number(uint8_t *field, size_t width, uint64_t number)
{
    uint32_t small = (uint32_t)number;
    bool yes = number != 0;
    if (width == sizeof(number))
        memcpy(field, &number, width);
    else if (width == sizeof(small))
        memcpy(field, &small, width);
    else if (width == sizeof(yes))
        memcpy(field, &yes, width);
    else
        assert(!"a width that no field has");
}

struct serve_options config_options(const struct config *config)
{
    struct serve_options options;
    size_t count;
    const struct config_option *table = config_table(&count);
    memset(&options, 0, sizeof(options));
    for (size_t i = 0; i < count; i++) {
        enum config_source source;
        const struct setting *setting = effective(config, i, &source);
        uint8_t *field = (uint8_t *)&options + table[i].offset;
        if (table[i].kind == CONFIG_TEXT) {
            const char *text = setting != NULL ? setting->values[0] : table[i].text;
            memcpy(field, &text, sizeof(text));
        } else if (table[i].kind == CONFIG_LIST) {
            const char *const *values =
                setting != NULL ? (const char *const *)setting->values : NULL;
            size_t length = setting != NULL ? setting->count : 0;
            memcpy(field, &values, sizeof(values));
            memcpy((uint8_t *)&options + table[i].count_offset, &length, sizeof(length));
        } else {
            store_number(field, table[i].width,
                         setting != NULL ? setting->number : table[i].number);
        }
    }
    return options;
}

static void visit_option(const struct config_option *option, const struct setting *setting,
                         enum config_source source,
                         void (*visit)(void *context, const struct config_option *option,
                                       const char *value, enum config_source source,
                                       const char *where),
                         void *context)
{
    char text[CONFIG_LIST_MAX * 64];
    const char *where = setting != NULL ? setting->where : "";
    text[0] = '\0';
    if (option->kind == CONFIG_LIST) {
        size_t used = 0;
        for (size_t i = 0; setting != NULL && i < setting->count && used < sizeof(text); i++)
            used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "",
                                     setting->values[i]);
    } else if (option->kind == CONFIG_TEXT) {
        const char *value = setting != NULL ? setting->values[0] : option->text;
        visit(context, option, value != NULL ? value : "", source, where);
        return;
    } else {
        config_value_format(text, option, setting != NULL ? setting->number : option->number);
    }
    visit(context, option, text, source, where);
}

void config_visit(const struct config *config,
                  void (*visit)(void *context, const struct config_option *option,
                                const char *value, enum config_source source, const char *where),
                  void *context)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++) {
        enum config_source source;
        const struct setting *setting = effective(config, i, &source);
        if (!table[i].hidden || setting != NULL)
            visit_option(&table[i], setting, source, visit, context);
    }
}
