// SPDX-License-Identifier: MIT
// sim: runs simulated clusters of the production node from seeds.
//
//   sim --seed S [--steps N] [--verbose]     one seed; --steps ends its harm early
//   sim --seeds A..B [--shard I/N]           many, each in a process of its own
//   sim --kept FILE                          the seeds of a file, first number of each line
//   sim --scenario NAME | --scenarios        written ones (scenarios.h)
//   sim --plan S                             what a seed switches on
//   ... --forks                              with authors who use one id twice
//
// Exit: 0 all held, 1 something broke, 2 usage.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "scenarios.h"
#include "simulation.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define SEED_SECONDS_MAX (SANITIZED ? 300u : 60u) // of real time; a seed takes about half of one
#define TWICE_EVERY 10     // every so many seeds run twice, to see that one seed is one history
#define KEPT_MAX 1000      // seeds in a file
#define SANITIZED_EVERY 16 // of a range, under a sanitizer only every so many seeds run

struct totals {
    uint64_t seeds;
    uint64_t failed;
    uint64_t steps;
    uint64_t virtual_us;
    uint64_t heal_us_max;
    uint64_t acks;
    uint64_t synced;
    uint64_t markers_bound;
    uint64_t markers_void;
};

static void add(struct totals *totals, const struct simulation_result *result)
{
    totals->steps += result->steps;
    totals->virtual_us += result->virtual_us;
    totals->acks += result->acks;
    totals->synced += result->synced;
    totals->markers_bound += result->markers_bound;
    totals->markers_void += result->markers_void;
    if (result->heal_us > totals->heal_us_max)
        totals->heal_us_max = result->heal_us;
}

static struct simulation_result run_seed(const struct simulation_options *options, bool twice)
{
    struct simulation_result result = simulation_run(options);
    if (!twice || result.failed)
        return result;
    struct simulation_options silent = *options;
    silent.quiet = true;
    silent.verbose = false;
    if (simulation_run(&silent).trace_hash != result.trace_hash) {
        result.failed = true;
        printf("FAILED sim --seed %llu: a second run took another course\n",
               (unsigned long long)options->seed);
    }
    return result;
}

/// Runs one seed in a process of its own, so that an assert ends only that one.
static void run_apart(struct totals *totals, uint64_t seed, bool forks)
{
    struct simulation_result result = {.failed = true};
    int ends[2];
    fflush(stdout);
    if (pipe(ends) != 0) {
        perror("sim: pipe");
        exit(1);
    }
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        alarm(SEED_SECONDS_MAX);
        struct simulation_options options = {.seed = seed, .forks = forks};
        result = run_seed(&options, seed % TWICE_EVERY == 0);
        fflush(stdout);
        if (write(ends[1], &result, sizeof(result)) != sizeof(result))
            exit(1);
        exit(0); // leaks are looked for here
    }
    close(ends[1]);
    ssize_t size = read(ends[0], &result, sizeof(result));
    close(ends[0]);
    int state = 0;
    waitpid(child, &state, 0);
    totals->seeds++;
    if (size != sizeof(result) || state != 0) {
        result.failed = true;
        printf("FAILED sim --seed %llu: the process ended with %s %d\n", (unsigned long long)seed,
               WIFSIGNALED(state) ? "signal" : "status",
               WIFSIGNALED(state) ? WTERMSIG(state) : WEXITSTATUS(state));
        printf("    replay: sim --seed %llu%s\n", (unsigned long long)seed,
               forks ? " --forks" : "");
    }
    if (result.failed)
        totals->failed++;
    else
        add(totals, &result);
}

static int summarize(const struct totals *totals, double seconds)
{
    printf("sim: %llu seeds, %llu failed; %.0f s simulated in %.1f s, %llu happenings, %llu acks, "
           "%llu times synced, %llu characters bound by acks, %llu lost with their disks, "
           "agreement after at most %.1f s\n",
           (unsigned long long)totals->seeds, (unsigned long long)totals->failed,
           (double)totals->virtual_us / 1e6, seconds, (unsigned long long)totals->steps,
           (unsigned long long)totals->acks, (unsigned long long)totals->synced,
           (unsigned long long)totals->markers_bound, (unsigned long long)totals->markers_void,
           (double)totals->heal_us_max / 1e6);
    return totals->failed == 0 ? 0 : 1;
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/// Reads all of the file before the first run: a child that ends would put the place in a file that
/// is open for reading, which it shares, back to what its own copy of the buffer had read.
static int run_kept(struct totals *totals, const char *path)
{
    uint64_t seeds[KEPT_MAX];
    size_t count = 0;
    FILE *file = fopen(path, "r");
    char line[400];
    if (file == NULL) {
        fprintf(stderr, "sim: %s: %s\n", path, strerror(errno));
        return 2;
    }
    while (count < KEPT_MAX && fgets(line, sizeof(line), file) != NULL) {
        char *end;
        seeds[count] = strtoull(line, &end, 10);
        count += end != line;
    }
    fclose(file);
    for (size_t i = 0; i < count; i++)
        run_apart(totals, seeds[i], false);
    return 0;
}

struct arguments {
    bool has_seed;
    bool has_range;
    uint64_t seed;
    uint64_t first;
    uint64_t last;
    uint64_t shard;
    uint64_t shard_count;
    uint64_t steps;
    bool verbose;
    const char *kept;
    const char *scenario; // "" means all
    bool plan;
    bool forks;
};

static int run_many(const struct arguments *arguments)
{
    struct totals totals = {0};
    double began = now_seconds();
    if (arguments->kept != NULL && arguments->shard == 0 && run_kept(&totals, arguments->kept) != 0)
        return 2;
    if (arguments->has_range) {
        uint64_t every = SANITIZED ? SANITIZED_EVERY : 1;
        if (SANITIZED)
            printf("sim: under a sanitizer only every %dth of these seeds runs\n", SANITIZED_EVERY);
        for (uint64_t seed = arguments->first; seed <= arguments->last; seed++) {
            uint64_t index = (seed - arguments->first) / every;
            if ((seed - arguments->first) % every == 0 &&
                index % arguments->shard_count == arguments->shard)
                run_apart(&totals, seed, arguments->forks);
        }
    }
    return summarize(&totals, now_seconds() - began);
}

static int run_one(const struct arguments *arguments)
{
    struct fault_plan plan;
    struct world world;
    if (arguments->plan) {
        world_init(&world, arguments->seed, true);
        fault_plan_draw(&plan, arguments->seed);
        fault_plan_note(&plan, &world);
        world_finish(&world);
        return 0;
    }
    struct totals totals = {.seeds = 1};
    double began = now_seconds();
    struct simulation_options options = {
        .seed = arguments->seed,
        .steps_max = arguments->steps,
        .forks = arguments->forks,
        .verbose = arguments->verbose,
    };
    struct simulation_result result = run_seed(&options, true);
    add(&totals, &result);
    totals.failed = result.failed ? 1 : 0;
    return summarize(&totals, now_seconds() - began);
}

static bool parse(struct arguments *arguments, int argc, char **argv)
{
    *arguments = (struct arguments){.shard_count = 1};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        unsigned long long a;
        unsigned long long b;
        if (strcmp(argv[i], "--verbose") == 0) {
            arguments->verbose = true;
            continue;
        }
        if (strcmp(argv[i], "--forks") == 0) {
            arguments->forks = true;
            continue;
        }
        if (strcmp(argv[i], "--scenarios") == 0) {
            arguments->scenario = "";
            continue;
        }
        i++;
        if ((strcmp(argv[i - 1], "--seed") == 0 || strcmp(argv[i - 1], "--plan") == 0) &&
            sscanf(value, "%llu", &a) == 1) {
            arguments->has_seed = true;
            arguments->plan = arguments->plan || strcmp(argv[i - 1], "--plan") == 0;
            arguments->seed = a;
        } else if (strcmp(argv[i - 1], "--seeds") == 0 &&
                   sscanf(value, "%llu..%llu", &a, &b) == 2) {
            arguments->has_range = true;
            arguments->first = a;
            arguments->last = b;
        } else if (strcmp(argv[i - 1], "--shard") == 0 && sscanf(value, "%llu/%llu", &a, &b) == 2 &&
                   b > 0 && a < b) {
            arguments->shard = a;
            arguments->shard_count = b;
        } else if (strcmp(argv[i - 1], "--steps") == 0 && sscanf(value, "%llu", &a) == 1) {
            arguments->steps = a;
        } else if (strcmp(argv[i - 1], "--kept") == 0 && *value != '\0') {
            arguments->kept = value;
        } else if (strcmp(argv[i - 1], "--scenario") == 0 && *value != '\0') {
            arguments->scenario = value;
        } else {
            fprintf(stderr, "sim: what is %s?\n", argv[i - 1]);
            return false;
        }
    }
    return arguments->has_seed || arguments->has_range || arguments->kept != NULL ||
           arguments->scenario != NULL;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    setvbuf(stdout, NULL, _IOLBF, 0); // what was said before an assert must be seen
    if (!parse(&arguments, argc, argv)) {
        fprintf(
            stderr,
            "usage: sim --seed S [--steps N] [--verbose] | --seeds A..B [--shard I/N] "
            "[--kept FILE] | --scenario NAME [--verbose] | --scenarios | --plan S, and --forks\n");
        return 2;
    }
    if (arguments.scenario != NULL)
        return scenarios_run(arguments.scenario, arguments.has_seed ? arguments.seed : 1,
                             arguments.verbose);
    return arguments.has_seed ? run_one(&arguments) : run_many(&arguments);
}
