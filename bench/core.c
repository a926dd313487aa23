// SPDX-License-Identifier: MIT
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_measure.h"

static const char usage[] =
    "usage: weft bench core [-o table|ndjson] [--seconds S] [TRACE ...]\n"
    "\n"
    "Replays editing traces and times it. Without TRACE (a file, or a part of a trace's name): "
    "all\n"
    "in $WEFT_TRACES, else in ../shared/traces beside the source tree, else made-up ones.\n"
    "  -o FORMAT     table (the default), or ndjson: one object a trace\n"
    "  --seconds S   how long each figure may be repeated, default 1\n";

/// What the figures were measured on.
struct machine {
    char cpu[96];
    long cores;
};

struct run {
    const char *program;
    bool ndjson;
    double seconds;
    struct machine machine;
    struct measurement measured; // of the trace under way
    bool header_shown;
    int exit_code;
};

static struct machine find_machine(void)
{
    struct machine machine = {.cpu = "unknown", .cores = sysconf(_SC_NPROCESSORS_ONLN)};
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        snprintf(machine.cpu, sizeof(machine.cpu), "%s", colon + 2);
        machine.cpu[strcspn(machine.cpu, "\n\"\\")] = '\0';
        break;
    }
    if (file != NULL)
        fclose(file);
    return machine;
}

static const char *compiler(void)
{
#if defined(__clang__)
    return "clang " __clang_version__;
#else
    return "gcc " __VERSION__;
#endif
}

static void print_timing(const char *key, struct timing timing)
{
    if (timing.min_ms < 0)
        printf(",\"%s\":null", key);
    else
        printf(",\"%s\":{\"min\":%.4f,\"median\":%.4f}", key, timing.min_ms, timing.median_ms);
}

static void print_object(const struct run *run, const struct trace *trace)
{
    const struct measurement *measured = &run->measured;
    static const char *const keys[MEASURED_KINDS] = {
        [MEASURED_LOCAL] = "local_ms",
        [MEASURED_REMOTE] = "remote_op_ms",
        [MEASURED_MESSAGE] = "remote_message_ms",
        [MEASURED_ENCODE] = "encode_ms",
        [MEASURED_DELTA] = "delta_ms",
        [MEASURED_SNAPSHOT] = "snapshot_ms",
        [MEASURED_LOAD] = "load_ms",
        [MEASURED_READ] = "read_ms",
        [MEASURED_GAP] = "gap_buffer_ms",
        [MEASURED_TEXT_AT] = "text_at_ms",
        [MEASURED_DIFF] = "diff_ms",
        [MEASURED_BLAME] = "blame_ms",
        [MEASURED_RESTORE] = "restore_ms",
    };
    printf("{\"trace\":\"%s\",\"edits\":%u,\"agents\":%u,\"runs\":%u", trace->name,
           trace->patch_count, trace->agents, measured->runs);
    for (int kind = 0; kind < MEASURED_KINDS; kind++)
        print_timing(keys[kind], measured->timings[kind]);
    if (measured->instructions < 0)
        printf(",\"instructions_local\":null");
    else
        printf(",\"instructions_local\":%lld", (long long)measured->instructions);
    printf(",\"memory_bytes\":%llu,\"memory_loaded_bytes\":%llu,\"history_bytes\":%llu,"
           "\"history_compressed_bytes\":%llu,\"message_bytes\":%llu,\"messages\":%llu,"
           "\"frame_bytes\":%llu,\"snapshot_bytes\":%llu,\"text_bytes\":%llu,"
           "\"log_runs\":%llu,\"spans\":%llu,\"text_known\":%s,\"text_ok\":%s,"
           "\"machine\":{\"cpu\":\"%s\",\"cores\":%ld,\"compiler\":\"%s\"}}\n",
           (unsigned long long)measured->memory, (unsigned long long)measured->memory_load,
           (unsigned long long)measured->history, (unsigned long long)measured->compressed,
           (unsigned long long)measured->messages, (unsigned long long)measured->message_count,
           (unsigned long long)measured->frames, (unsigned long long)measured->snapshot,
           (unsigned long long)measured->text, (unsigned long long)measured->log_runs,
           (unsigned long long)measured->spans, measured->text_known ? "true" : "false",
           measured->text_ok ? "true" : "false", run->machine.cpu, run->machine.cores, compiler());
}

static void print_median(struct timing timing)
{
    if (timing.min_ms < 0)
        printf(" %15s", "-");
    else
        printf(" %7.3f/%7.3f", timing.min_ms, timing.median_ms);
}

static void print_row(struct run *run, const struct trace *trace)
{
    const struct measurement *measured = &run->measured;
    static const char *const heads[MEASURED_KINDS] = {
        [MEASURED_LOCAL] = "local",
        [MEASURED_REMOTE] = "remote per op",
        [MEASURED_MESSAGE] = "per message",
        [MEASURED_ENCODE] = "encode",
        [MEASURED_DELTA] = "whole delta",
        [MEASURED_SNAPSHOT] = "snapshot",
        [MEASURED_LOAD] = "load",
        [MEASURED_READ] = "read text",
        [MEASURED_GAP] = "gap buffer",
        [MEASURED_TEXT_AT] = "text at half",
        [MEASURED_DIFF] = "diff to half",
        [MEASURED_BLAME] = "blame",
        [MEASURED_RESTORE] = "restore half",
    };
    if (!run->header_shown) {
        printf(
            "%s, %ld cores, %s\nmilliseconds, least/median of %u runs or more; sizes in bytes\n\n",
            run->machine.cpu, run->machine.cores, compiler(), measured->runs);
        printf("%-22s %8s", "trace", "edits");
        for (int kind = 0; kind < MEASURED_KINDS; kind++)
            printf(" %15s", heads[kind]);
        printf(" %6s %9s %9s %9s %9s  %s\n", "x gap", "memory", "history", "messages", "snapshot",
               "text");
        run->header_shown = true;
    }
    printf("%-22.22s %8u", trace->name, trace->patch_count);
    for (int kind = 0; kind < MEASURED_KINDS; kind++)
        print_median(measured->timings[kind]);
    double gap = measured->timings[MEASURED_GAP].min_ms;
    if (gap > 0)
        printf(" %6.1f", measured->timings[MEASURED_LOCAL].min_ms / gap);
    else
        printf(" %6s", "-");
    printf(" %9llu %9llu %9llu %9llu  %s\n", (unsigned long long)measured->memory,
           (unsigned long long)measured->history, (unsigned long long)measured->messages,
           (unsigned long long)measured->snapshot,
           !measured->text_ok     ? "WRONG"
           : measured->text_known ? "ok"
                                  : "same everywhere");
}

static void measure(struct run *run, const struct trace *trace)
{
    if (!measure_trace(&run->measured, trace, run->seconds)) {
        run->exit_code = 1;
        return;
    }
    if (!run->measured.text_ok)
        run->exit_code = 1;
    if (run->ndjson)
        print_object(run, trace);
    else
        print_row(run, trace);
    fflush(stdout);
}

static void measure_file(struct run *run, const char *path)
{
    struct trace trace;
    char error[TRACE_ERROR_SIZE] = "";
    if (trace_load(&trace, path, error) != WEFT_OK) {
        fprintf(stderr, "%s: %s\n", run->program, error);
        run->exit_code = 1;
        return;
    }
    measure(run, &trace);
    trace_finish(&trace);
}

static void measure_generated(struct run *run)
{
    static const uint64_t authors[] = {1, 2, 20};
    for (size_t i = 0; i < sizeof(authors) / sizeof(*authors); i++) {
        struct trace trace;
        char error[TRACE_ERROR_SIZE] = "";
        if (trace_generate(&trace, 100000, authors[i], 1, error) != WEFT_OK) {
            fprintf(stderr, "%s: %s\n", run->program, error);
            run->exit_code = 1;
            continue;
        }
        measure(run, &trace);
        trace_finish(&trace);
    }
}

/// Measures the found traces whose path has one of the words in it, all when there are none.
static void measure_found(struct run *run, char **words, int word_count)
{
    char dir[TRACE_PATH_SIZE];
    struct trace_files files = {.count = 0};
    if (trace_find_dir(dir) && trace_files_find(&files, dir) != WEFT_OK)
        run->exit_code = 1;
    size_t measured = 0;
    for (size_t i = 0; i < files.count; i++) {
        bool wanted = word_count == 0;
        for (int j = 0; j < word_count; j++)
            wanted = wanted || strstr(files.paths[i] + strlen(dir), words[j]) != NULL;
        if (!wanted)
            continue;
        measured++;
        measure_file(run, files.paths[i]);
    }
    if (measured == 0 && word_count > 0) {
        fprintf(stderr, "%s: no trace of that name in %s\n", run->program, dir);
        run->exit_code = 1;
    } else if (measured == 0) {
        fprintf(stderr, "%s: no traces in %s: made-up ones instead\n", run->program, dir);
        measure_generated(run);
    }
    trace_files_finish(&files);
}

/// @return the index of the first operand, or 0 for wrong usage.
static int read_options(struct run *run, int argc, char **argv)
{
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        char *end = NULL;
        if (strcmp(argv[i], "-o") == 0 && strcmp(value, "ndjson") == 0)
            run->ndjson = true;
        else if (strcmp(argv[i], "-o") == 0 && strcmp(value, "table") == 0)
            run->ndjson = false;
        else if (strcmp(argv[i], "--seconds") == 0 && (run->seconds = strtod(value, &end)) >= 0 &&
                 end != value && *end == '\0')
            continue;
        else
            return 0;
    }
    return i;
}

int bench_core(int argc, char **argv)
{
    struct run run = {.program = argv[0], .seconds = 1, .machine = find_machine()};
    int first = read_options(&run, argc, argv);
    if (first == 0) {
        fputs(usage, stderr);
        return 2;
    }
    int words = 0;
    bool files = false;
    for (int i = first; i < argc; i++)
        if (access(argv[i], R_OK) == 0) {
            measure_file(&run, argv[i]);
            files = true;
        } else {
            argv[first + words++] = argv[i];
        }
    if (words > 0 || !files)
        measure_found(&run, argv + first, words);
    return run.exit_code;
}
