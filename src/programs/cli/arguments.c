// SPDX-License-Identifier: MIT
#include "programs/cli/arguments.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "programs/config/config_value.h"

#define NAME_BYTES 48

static const struct command_option help_option = {"help", 'h', NULL, "this text"};
static const struct command_option format_option = {"output", 'o', "table|json|ndjson",
                                                    "default: a table; in a pipe its bare rows"};

/// Every option that a command takes, and their names with dashes.
struct option_list {
    struct command_option options[ARGUMENTS_OPTIONS_MAX];
    char names[ARGUMENTS_OPTIONS_MAX][NAME_BYTES];
    bool hidden[ARGUMENTS_OPTIONS_MAX];
    size_t count;
};

static void list_add(struct option_list *list, const struct command_option *option, bool hidden)
{
    if (list->count == ARGUMENTS_OPTIONS_MAX)
        return;
    char *name = list->names[list->count];
    snprintf(name, NAME_BYTES, "%s", option->name);
    for (char *at = name; *at != '\0'; at++)
        *at = *at == '_' ? '-' : *at;
    list->options[list->count] = *option;
    list->options[list->count].name = name;
    list->hidden[list->count++] = hidden;
}

static void list_fill(struct option_list *list, const struct command *command)
{
    list->count = 0;
    for (const struct command_option *option = command->options;
         option != NULL && option->name != NULL; option++)
        list_add(list, option, false);
    if (command->configures) {
        size_t count;
        const struct config_option *table = config_table(&count);
        for (size_t i = 0; i < count; i++)
            list_add(list,
                     &(struct command_option){table[i].name, '\0', table[i].value, table[i].help},
                     table[i].hidden);
    }
    if (command->formatted)
        list_add(list, &format_option, false);
    list_add(list, &help_option, false);
}

// ---------------------------------------------------------------------------------------- parsing

static int say_unknown(const struct option_list *list, const char *given)
{
    const char *names[ARGUMENTS_OPTIONS_MAX];
    char name[NAME_BYTES];
    for (size_t i = 0; i < list->count; i++)
        names[i] = list->options[i].name;
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(given, "="), given + strspn(given, "-"));
    name[strcspn(name, "=")] = '\0';
    const char *nearest = config_nearest(name, names, list->count);
    if (nearest == NULL)
        return complain(EXIT_USAGE, "unknown option %.80s", given);
    return complain(EXIT_USAGE, "unknown option %.*s; did you mean --%s?", (int)strcspn(given, "="),
                    given, nearest);
}

static int take_format(struct arguments *arguments, const char *value)
{
    static const char *const names[] = {"table", "json", "ndjson"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            arguments->format = (enum output_format)i;
            arguments->format_given = true;
            return EXIT_FINE;
        }
    }
    return complain(EXIT_USAGE, "--output is one of table, json, ndjson, not \"%.40s\"", value);
}

static int take_option(struct arguments *arguments, const struct command *command,
                       const struct option_list *list, size_t index, const char *value)
{
    if (strcmp(list->options[index].name, help_option.name) == 0) {
        arguments->help = true;
        return EXIT_FINE;
    }
    if (command->formatted && strcmp(list->options[index].name, format_option.name) == 0)
        return take_format(arguments, value);
    if (arguments->given_count == ARGUMENTS_GIVEN_MAX)
        return complain(EXIT_USAGE, "too many options");
    // The list is on the caller's stack; the name has to be one that stays.
    const char *name = NULL;
    const struct config_option *configured = config_find(list->options[index].name);
    for (const struct command_option *own = command->options; own != NULL && own->name != NULL;
         own++) {
        if (strcmp(own->name, list->options[index].name) == 0)
            name = own->name;
    }
    if (name == NULL && configured != NULL)
        name = configured->name;
    arguments->given[arguments->given_count++] =
        (struct given_option){name, value != NULL ? value : "true"};
    return EXIT_FINE;
}

/// Fills what getopt_long() wants to know.
static void fill_getopt(struct option *longs, char *letters, const struct option_list *list)
{
    *letters++ = ':';
    for (size_t i = 0; i < list->count; i++) {
        const struct command_option *option = &list->options[i];
        longs[i] =
            (struct option){option->name, option->value != NULL ? required_argument : no_argument,
                            NULL, 256 + (int)i};
        if (option->letter != '\0')
            *letters++ = option->letter;
        if (option->letter != '\0' && option->value != NULL)
            *letters++ = ':';
    }
    *letters = '\0';
    memset(&longs[list->count], 0, sizeof(longs[0]));
}

static size_t index_of(const struct option_list *list, int found)
{
    if (found >= 256)
        return (size_t)(found - 256);
    for (size_t i = 0; i < list->count; i++) {
        if (list->options[i].letter == found)
            return i;
    }
    return 0;
}

/// getopt_long() takes any beginning of a name; a name that was cut short may mean another option
/// some day.
static bool abbreviated(const char *given, const char *name)
{
    return strncmp(given, "--", 2) == 0 && strcspn(given + 2, "=") != strlen(name);
}

static int parse_options(struct arguments *arguments, const struct option_list *list, int argc,
                         char **argv)
{
    struct option longs[ARGUMENTS_OPTIONS_MAX + 1];
    char letters[2 * ARGUMENTS_OPTIONS_MAX + 2];
    fill_getopt(longs, letters, list);
    opterr = 0;
    optind = 0;
    for (;;) {
        int found = getopt_long(argc, argv, letters, longs, NULL);
        if (found == -1)
            return EXIT_FINE;
        if (found == ':')
            return complain(EXIT_USAGE, "%.80s needs a value", argv[optind - 1]);
        if (found == '?' && optopt > 0 && optopt < 256)
            return complain(EXIT_USAGE, "unknown option -%c", optopt);
        if (found == '?')
            return say_unknown(list, argv[optind - 1]);
        size_t index = index_of(list, found);
        const struct command_option *option = &list->options[index];
        // With its value in the next word, the option's own word is one before.
        const char *word = option->value != NULL && optarg == argv[optind - 1] ? argv[optind - 2]
                                                                               : argv[optind - 1];
        if (found >= 256 && abbreviated(word, option->name))
            return say_unknown(list, word);
        int code = take_option(arguments, arguments->command, list, index, optarg);
        if (code != EXIT_FINE)
            return code;
    }
}

int arguments_parse(struct arguments *arguments_out, const struct command *command, int argc,
                    char **argv)
{
    struct option_list list;
    memset(arguments_out, 0, sizeof(*arguments_out));
    arguments_out->command = command;
    arguments_out->raw = argv;
    arguments_out->raw_count = argc;
    if (command->raw)
        return EXIT_FINE;
    list_fill(&list, command);
    int code = parse_options(arguments_out, &list, argc, argv);
    if (code != EXIT_FINE || arguments_out->help)
        return code;
    arguments_out->positionals = (const char *const *)argv + optind;
    arguments_out->positional_count = argc - optind;
    if (arguments_out->positional_count < command->positional_min)
        return complain(EXIT_USAGE, "usage: weft %s %s", command->name, command->arguments);
    if (arguments_out->positional_count > command->positional_max)
        return complain(EXIT_USAGE, "\"%.80s\" is one word too many; usage: weft %s %s",
                        arguments_out->positionals[command->positional_max], command->name,
                        command->arguments);
    return EXIT_FINE;
}

// ---------------------------------------------------------------------------------------- looking

const char *arguments_value(const struct arguments *arguments, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < arguments->given_count; i++) {
        if (strcmp(arguments->given[i].name, name) == 0)
            value = arguments->given[i].value;
    }
    return value;
}

bool arguments_has(const struct arguments *arguments, const char *name)
{
    return arguments_value(arguments, name) != NULL;
}

int arguments_number(uint64_t *number_out, const struct arguments *arguments, const char *name,
                     enum config_kind kind, uint64_t minimum, uint64_t maximum)
{
    const char *value = arguments_value(arguments, name);
    char dashed[NAME_BYTES];
    char error[CONFIG_ERROR_BYTES];
    if (value == NULL)
        return EXIT_FINE;
    snprintf(dashed, sizeof(dashed), "--%s", name);
    struct config_option option = {
        .name = dashed, .kind = kind, .minimum = minimum, .maximum = maximum};
    if (config_value_parse(number_out, &option, value, error))
        return EXIT_FINE;
    return complain(EXIT_USAGE, "%s", error);
}

const char *arguments_word(const struct arguments *arguments, int index)
{
    return index < arguments->positional_count ? arguments->positionals[index] : NULL;
}

// ------------------------------------------------------------------------------------------- help

static void print_option(const struct command *command, const struct command_option *option)
{
    char left[80];
    char usual[CONFIG_ERROR_BYTES] = "";
    const struct config_option *configured = command->configures ? config_find(option->name) : NULL;
    if (configured != NULL && configured->kind == CONFIG_TEXT && configured->text != NULL)
        snprintf(usual, sizeof(usual), "; default %s", configured->text);
    else if (configured != NULL && configured->number != 0) {
        memcpy(usual, "; default ", sizeof("; default "));
        config_value_format(usual + strlen(usual), configured, configured->number);
    }
    int used = option->letter != '\0' ? snprintf(left, sizeof(left), "-%c, ", option->letter)
                                      : snprintf(left, sizeof(left), "    ");
    snprintf(left + used, sizeof(left) - (size_t)used, "--%s%s%s", option->name,
             option->value != NULL ? " " : "", option->value != NULL ? option->value : "");
    printf("  %-31s %s%s\n", left, option->help, usual);
}

void arguments_help(const struct command *command)
{
    struct option_list list;
    list_fill(&list, command);
    printf("usage: weft %s%s%s\n\n%s\n", command->name, command->arguments[0] != '\0' ? " " : "",
           command->arguments, command->summary);
    if (command->details != NULL)
        printf("%s\n", command->details);
    printf("\n");
    for (size_t i = 0; i < list.count; i++) {
        // The limits of a node are many: config print lists them.
        if (!list.hidden[i] && strncmp(list.options[i].name, "max-", 4) != 0)
            print_option(command, &list.options[i]);
    }
    if (command->configures)
        printf("      --max-...                   limits; weft config print shows them all\n");
    printf("\nexamples:\n  %s\n  %s\n", command->examples[0], command->examples[1]);
}
