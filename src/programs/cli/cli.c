// SPDX-License-Identifier: MIT
// Finds the command, takes its arguments apart, runs it.
#include "programs/cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <weft/weft.h>

#include "programs/cli/arguments.h"
#include "programs/cli/command.h"

#define NAMES_MAX 40

static const char *running = "";

void set_command_name(const char *name)
{
    running = name;
}

int complain(enum exit_code code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "weft%s%s: ", running[0] != '\0' ? " " : "", running);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return code;
}

void remark(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

uint64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void print_overview(FILE *stream)
{
    fprintf(stream, "weft: document collaboration without a centre\n\n"
                    "usage: weft COMMAND [ARGUMENTS]      weft COMMAND --help\n\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        const struct command *command = commands[i];
        char left[40];
        snprintf(left, sizeof(left), "%s", command->name);
        fprintf(stream, "  %-17s %s\n", left, command->summary);
    }
    fprintf(stream, "\nURL is http://HOST:PORT of a node's client port, DIR a data directory, live "
                    "or not.\nExit codes: 0 ok, 1 different or not there, 2 usage, 3 unreachable, "
                    "4 refused, 5 damaged.\n");
}

/// Whether the command line begins with the words of a command. @return how many, or 0.
static int match(const char *name, int argc, char **argv)
{
    const char *second = strchr(name, ' ');
    size_t first = second != NULL ? (size_t)(second - name) : strlen(name);
    if (argc < 2 || strlen(argv[1]) != first || strncmp(argv[1], name, first) != 0)
        return 0;
    if (second == NULL)
        return 1;
    return argc > 2 && strcmp(argv[2], second + 1) == 0 ? 2 : 0;
}

/// Whether a word begins a command of two words.
static bool is_group(const char *word)
{
    size_t size = strlen(word);
    for (size_t i = 0; commands[i] != NULL; i++) {
        const struct command *command = commands[i];
        if (strncmp(command->name, word, size) == 0 && command->name[size] == ' ')
            return true;
    }
    return false;
}

/// What the commands of a group are for. Asked for, it is an answer, else a refusal.
static int say_group(const char *word, bool asked)
{
    size_t size = strlen(word);
    FILE *stream = asked ? stdout : stderr;
    for (size_t i = 0; commands[i] != NULL; i++) {
        const struct command *command = commands[i];
        if (strncmp(command->name, word, size) == 0 && command->name[size] == ' ')
            fprintf(stream, "usage: weft %s %s\n           %s\n", command->name, command->arguments,
                    command->summary);
    }
    return asked ? EXIT_FINE : EXIT_USAGE;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static int say_no_command(int argc, char **argv, bool asks_help)
{
    const char *names[NAMES_MAX];
    char given[80];
    size_t count = 0;
    bool group = is_group(argv[1]);
    if (group && (argc < 3 || is_help(argv[2])))
        return say_group(argv[1], asks_help || argc > 2);
    snprintf(given, sizeof(given), group ? "%s %.40s" : "%.40s", argv[1], group ? argv[2] : "");
    while (commands[count] != NULL && count < NAMES_MAX) {
        names[count] = commands[count]->name;
        count++;
    }
    const char *nearest = given[0] != '-' ? config_nearest(given, names, count) : NULL;
    if (nearest == NULL)
        return complain(EXIT_USAGE, "no command \"%s\"; weft --help lists them", given);
    return complain(EXIT_USAGE, "no command \"%s\"; did you mean \"%s\"?", given, nearest);
}

static int run(const struct command *command, int argc, char **argv)
{
    struct arguments arguments;
    set_command_name(command->name);
    int code = arguments_parse(&arguments, command, argc, argv);
    if (code == EXIT_FINE && arguments.help)
        arguments_help(command);
    else if (code == EXIT_FINE)
        code = command->run(&arguments);
    if (fflush(stdout) != 0 || ferror(stdout))
        code = complain(EXIT_REFUSED, "the answer could not be written to stdout");
    return code;
}

int cli_run(int argc, char **argv)
{
    bool asks_help = argc >= 2 && is_help(argv[1]);
    if (argc < 2 || (asks_help && argc == 2)) {
        print_overview(asks_help ? stdout : stderr);
        return asks_help ? EXIT_FINE : EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        char name[] = "version";
        argv[1] = name;
        return cli_run(argc, argv);
    }
    if (asks_help) {
        argv++;
        argc--;
    }
    for (size_t i = 0; commands[i] != NULL; i++) {
        const struct command *command = commands[i];
        int words = match(command->name, argc, argv);
        if (words == 0)
            continue;
        if (asks_help) {
            arguments_help(command);
            return EXIT_FINE;
        }
        return run(command, argc - words, argv + words);
    }
    return say_no_command(argc, argv, asks_help);
}
