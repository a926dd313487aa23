// SPDX-License-Identifier: MIT
// weft serve, weft config print, weft config check.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "programs/cli/configure.h"
#include "programs/cli/output.h"
#include "programs/serve/serve.h"

static const struct command_option options[] = {
    {"config", 'c', "FILE", "file with lines of key = value"},
    {.name = NULL},
};

static int set_flags(struct config *config, const struct arguments *arguments, char *error)
{
    for (size_t i = 0; i < arguments->given_count; i++) {
        const struct given_option *given = &arguments->given[i];
        const struct config_option *option = config_find(given->name);
        char where[80];
        if (option == NULL)
            continue; // --config
        snprintf(where, sizeof(where), "--%s", given->name);
        for (char *at = where; *at != '\0'; at++)
            *at = *at == '_' ? '-' : *at;
        if (!config_set(config, option, CONFIG_FLAG, given->value, where, error))
            return EXIT_USAGE;
    }
    return EXIT_FINE;
}

int configure(struct config **config_out, const struct arguments *arguments)
{
    struct config *config = config_create();
    char error[CONFIG_ERROR_BYTES] = "out of memory";
    if (config == NULL)
        return complain(EXIT_REFUSED, "%s", error);
    const char *path = arguments_value(arguments, "config");
    if (path == NULL)
        path = config_file_of_environment(environ);
    int code = set_flags(config, arguments, error);
    if (code == EXIT_FINE && !config_read_environment(config, environ, error))
        code = EXIT_USAGE;
    if (code == EXIT_FINE && path != NULL && !config_read_file(config, path, error))
        code = EXIT_USAGE;
    if (code != EXIT_FINE) {
        config_destroy(config);
        return complain((enum exit_code)code, "%s", error);
    }
    *config_out = config;
    return EXIT_FINE;
}

// ------------------------------------------------------------------------------------------ serve

static int run_serve(const struct arguments *arguments)
{
    struct config *config;
    int code = configure(&config, arguments);
    if (code != EXIT_FINE)
        return code;
    struct serve_options serve = config_options(config);
    code = serve_run(&serve);
    config_destroy(config);
    return code;
}

const struct command serve_command = {
    .name = "serve",
    .arguments = "[OPTIONS]",
    .summary = "Runs a node until it is told to stop.",
    .details = "Flags win over WEFT_... variables, those over the file, those over defaults.",
    .options = options,
    .examples = {"weft serve",
                 "weft serve --data /var/lib/weft --join tcp://10.0.0.1:9339 --cluster-key key"},
    .configures = true,
    .run = run_serve,
};

// ----------------------------------------------------------------------------------------- config

static const char *source_text(enum config_source source)
{
    static const char *const texts[] = {"default", "file", "environment", "flag"};
    return texts[source];
}

static void print_setting(void *context, const struct config_option *option, const char *value,
                          enum config_source source, const char *where)
{
    char from[400];
    snprintf(from, sizeof(from), "%s%s%s", source_text(source), where[0] != '\0' ? " " : "", where);
    output_row(context, json_pack("{s:s, s:s, s:s, s:s}", "name", option->name, "value", value,
                                  "from", from, "meaning", option->help));
}

static int run_print(const struct arguments *arguments)
{
    static const char *const columns[] = {"name", "value", "from", NULL};
    struct config *config;
    struct output output;
    int code = configure(&config, arguments);
    if (code != EXIT_FINE)
        return code;
    output_begin(&output, arguments, columns);
    config_visit(config, print_setting, &output);
    config_destroy(config);
    return output_end(&output);
}

const struct command config_print_command = {
    .name = "config print",
    .arguments = "[OPTIONS]",
    .summary = "Prints every option with its value and where that comes from.",
    .details = "Takes the options of weft serve.",
    .options = options,
    .examples = {"weft config print", "weft config print --config weft.conf -o json"},
    .formatted = true,
    .configures = true,
    .run = run_print,
};

static int run_config_check(const struct arguments *arguments)
{
    struct config *config;
    int code = configure(&config, arguments);
    if (code != EXIT_FINE)
        return code;
    struct serve_options serve = config_options(config);
    char error[SERVE_ERROR_BYTES];
    code = serve_check(&serve, error);
    config_destroy(config);
    if (code != SERVE_DONE)
        return complain((enum exit_code)code, "%s", error);
    remark("weft serve may start with this configuration");
    return EXIT_FINE;
}

const struct command config_check_command = {
    .name = "config check",
    .arguments = "[OPTIONS]",
    .summary = "Says whether weft serve takes a configuration, and what it does not take.",
    .details = "Takes the options of weft serve.",
    .options = options,
    .examples = {"weft config check --config weft.conf", "WEFT_MAX_CLIENTS=1000 weft config check"},
    .configures = true,
    .run = run_config_check,
};
