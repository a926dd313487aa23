// SPDX-License-Identifier: MIT
// The smallest TAP producer, for tests that Criterion cannot host: Criterion's runner and its
// workers talk over nng themselves, so a test that drives nng shares its threads with them and can
// make the runner hang.
//
// A test is a function of `void (void)`; it ends the process at the first check that fails.
#ifndef WEFT_TESTS_TAP_H
#define WEFT_TESTS_TAP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *tap_running = "";
static int tap_number;

/// Goes on when `condition` holds; else says so and ends. tap_checks() adds a format and arguments.
#define tap_check(condition) tap_checks(condition, " ")
#define tap_checks(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("not ok %d - %s\n# %s:%d: %s: ", tap_number, tap_running, __FILE__, __LINE__,   \
                   #condition);                                                                    \
            printf(__VA_ARGS__);                                                                   \
            printf("\n");                                                                          \
            fflush(stdout);                                                                        \
            _Exit(1);                                                                              \
        }                                                                                          \
    } while (0)

struct tap_test {
    const char *name; // a sentence
    void (*run)(void);
};

/// Runs all, or those whose name holds argv[1].
static inline int tap_main(const struct tap_test *tests, size_t count, int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..%zu\n", count);
    for (size_t i = 0; i < count; i++) {
        tap_number++;
        tap_running = tests[i].name;
        if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL) {
            printf("ok %d - %s # SKIP not asked for\n", tap_number, tap_running);
            continue;
        }
        tests[i].run();
        printf("ok %d - %s\n", tap_number, tap_running);
    }
    return 0;
}

#endif
