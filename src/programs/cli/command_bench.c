// SPDX-License-Identifier: MIT
// weft bench: the benchmarks that need nothing but this binary.
#include <netdb.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "bench/core.h"
#include "bench/serve.h"
#include "io/address.h"
#include "programs/cli/arguments.h"
#include "programs/cli/output.h"

// ---------------------------------------------------------------------------------------- the core

static int run_core(const struct arguments *arguments)
{
    const char *first = arguments->raw_count > 1 ? arguments->raw[1] : "";
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        arguments_help(arguments->command);
        return EXIT_FINE;
    }
    return bench_core(arguments->raw_count, arguments->raw);
}

const struct command bench_core_command = {
    .name = "bench core",
    .arguments = "[-o table|ndjson] [--seconds S] [TRACE...]",
    .summary = "Measures libweft on editing histories: time, bytes and memory.",
    .details =
        "TRACE is a file, or a part of the name of a trace in $WEFT_TRACES or in\n"
        "../shared/traces beside the source tree; without one: all there are, else made-up ones.\n"
        "Each figure is repeated for S seconds, default 1.",
    .examples = {"weft bench core", "weft bench core -o ndjson --seconds 3 trace.json.gz"},
    .raw = true,
    .run = run_core,
};

// ------------------------------------------------------------------------------------------ a node

/// The address behind http://HOST[:PORT]. @return EXIT_FINE, or another code after saying why.
static int resolve(struct swarm_options *options, const char *url)
{
    static const char scheme[] = "http://";
    struct address address;
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    struct span rest = span_of_text(url);
    if (strncmp(url, scheme, strlen(scheme)) != 0)
        return complain(EXIT_USAGE, "\"%s\" is no URL of a node: http://HOST[:PORT]", url);
    rest.data += strlen(scheme);
    rest.size -= strlen(scheme);
    if (rest.size > 0 && rest.data[rest.size - 1] == '/')
        rest.size--;
    if (!address_parse(&address, rest, 9338))
        return complain(EXIT_USAGE, "\"%s\" is no URL of a node: http://HOST[:PORT]", url);
    int code = getaddrinfo(address.host, NULL, &hints, &found);
    if (code != 0)
        return complain(EXIT_UNREACHABLE, "%s: %s", address.host, gai_strerror(code));
    memcpy(&options->address, found->ai_addr, sizeof(options->address));
    options->address.sin_port = htons(address.port);
    freeaddrinfo(found);
    address_format(options->host, &address);
    return EXIT_FINE;
}

static void show_progress(const char *line)
{
    if (isatty(STDERR_FILENO) == 1)
        remark("%s", line);
}

static int read_options(struct serve_bench *bench, const struct arguments *arguments)
{
    uint64_t connections = 1000;
    uint64_t documents = 100;
    uint64_t rate = 0;
    int code = arguments_number(&connections, arguments, "connections", CONFIG_COUNT, 1,
                                SWARM_CONNECTIONS_MAX);
    if (code == EXIT_FINE)
        code = arguments_number(&documents, arguments, "documents", CONFIG_COUNT, 1,
                                SWARM_DOCUMENTS_MAX);
    if (code == EXIT_FINE)
        code = arguments_number(&rate, arguments, "rate", CONFIG_COUNT, 0, 1000000);
    if (code == EXIT_FINE)
        code = arguments_number(&bench->seconds, arguments, "seconds", CONFIG_COUNT, 0, 3600);
    if (code == EXIT_FINE)
        code = arguments_number(&bench->pid, arguments, "pid", CONFIG_COUNT, 0, INT32_MAX);
    bench->swarm.connections = (uint32_t)connections;
    bench->swarm.documents = (uint32_t)(documents < connections ? documents : connections);
    bench->rate = (double)rate;
    return code;
}

static double rounded(double value)
{
    return (double)(int64_t)(value * 100 + 0.5) / 100;
}

static int show_result(const struct arguments *arguments, const struct serve_bench *bench,
                       const struct serve_bench_result *result)
{
    double typing_s = result->typing_s > 0 ? result->typing_s : 1;
    json_t *row = json_pack(
        "{s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
        "documents", (int)bench->swarm.documents, "connections_joined", (int)result->joined,
        "connections_failed", (int)result->failed, "storm_seconds", rounded(result->storm_s),
        "join_ms_p50", rounded(result->join_p50), "join_ms_p99", rounded(result->join_p99),
        "join_ms_max", rounded(result->join_max), "edits", (json_int_t)result->edits, "deliveries",
        (json_int_t)result->deliveries, "deliveries_per_second",
        rounded((double)result->deliveries / typing_s), "delivery_ms_p50",
        rounded(result->delivery_p50), "delivery_ms_p99", rounded(result->delivery_p99),
        "delivery_ms_max", rounded(result->delivery_max), "ack_ms_p50", rounded(result->ack_p50),
        "ack_ms_p99", rounded(result->ack_p99), "ack_ms_max", rounded(result->ack_max));
    if (row != NULL && bench->pid > 0) {
        json_object_set_new(row, "node_cpu_us_per_join", json_real(rounded(result->storm_cpu_us)));
        json_object_set_new(row, "node_bytes_per_join",
                            json_integer((json_int_t)result->connection_bytes));
        json_object_set_new(row, "node_cpu_us_per_delivery",
                            json_real(rounded(result->typing_cpu_us)));
    }
    int code = output_object(arguments, row);
    if (code == EXIT_FINE && result->failed > 0)
        code = complain(result->joined > 0 ? EXIT_REFUSED : EXIT_UNREACHABLE,
                        "%u connections failed, the first: %s", result->failed, result->error);
    return code;
}

static int run_bench_serve(const struct arguments *arguments)
{
    struct serve_bench bench = {.seconds = 10};
    struct serve_bench_result result;
    int code = read_options(&bench, arguments);
    if (code == EXIT_FINE)
        code = resolve(&bench.swarm, arguments_word(arguments, 0));
    if (code != EXIT_FINE)
        return code;
    if (getrandom(&bench.swarm.name, sizeof(bench.swarm.name), 0) != sizeof(bench.swarm.name))
        return complain(EXIT_REFUSED, "no random numbers");
    bench.swarm.name >>= 1; // agents behind the first: not of the reserved class
    const char *error = bench_serve(&result, &bench, show_progress);
    if (error != NULL)
        return complain(EXIT_REFUSED, "%s", error);
    return show_result(arguments, &bench, &result);
}

static const struct command_option serve_options[] = {
    {"connections", 'c', "N", "clients that connect at once; default 1000"},
    {"documents", 'd', "N", "that they are spread over, one of each edits; default 100"},
    {"rate", 'r', "R", "edits a second and document; default 0: each when all have the last"},
    {"seconds", 's', "S", "of editing; default 10"},
    {"pid", 'p', "PID", "of the node, if it runs here: its CPU time and memory are shown"},
    {.name = NULL},
};

const struct command bench_serve_command = {
    .name = "bench serve",
    .arguments = "[options] URL",
    .summary = "Measures a running node: a storm of connections, then editing that all hear.",
    .details =
        "Documents bench-... appear on the node and stay. Many connections want a high limit\n"
        "of open files (ulimit -n) here and at the node.",
    .options = serve_options,
    .examples = {"weft bench serve http://127.0.0.1:9338",
                 "weft bench serve -c 10000 -d 1000 -r 2 -o json http://127.0.0.1:9338"},
    .positional_min = 1,
    .positional_max = 1,
    .formatted = true,
    .run = run_bench_serve,
};
