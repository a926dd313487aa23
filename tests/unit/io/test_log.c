// SPDX-License-Identifier: MIT
// io/log.h: the form of lines, repeats that are held back, and readers that do not read.
#include "io/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <jansson.h>

#include "node/node.h"

struct capture {
    int fds[2];
    struct log *log;
    char text[1 << 20];
};

static void begin(struct capture *capture, enum log_format format, int level)
{
    cr_assert_eq(pipe2(capture->fds, O_CLOEXEC), 0);
    cr_assert_eq(log_open(&capture->log, capture->fds[1], format, level), WEFT_OK);
}

static void end(struct capture *capture)
{
    size_t size = 0;
    ssize_t got;
    log_close(capture->log);
    close(capture->fds[1]);
    while ((got = read(capture->fds[0], capture->text + size, sizeof(capture->text) - size - 1)) >
           0) {
        size += (size_t)got;
    }
    capture->text[size] = '\0';
    close(capture->fds[0]);
}

Test(log, a_line_of_text_has_time_level_event_node_and_details)
{
    static struct capture capture;
    int year, ms;
    begin(&capture, LOG_TEXT, NODE_LOG_INFO);
    log_write(capture.log, NODE_LOG_DEBUG, "chatty", NULL);
    log_write(capture.log, NODE_LOG_NOTICE, "started", NULL);
    log_set_node(capture.log, "n1");
    log_write(capture.log, NODE_LOG_ERROR, "broken", "why=line\nbreak code=5");
    end(&capture);
    cr_assert_eq(sscanf(capture.text, "%d-%*d-%*dT%*d:%*d:%*d.%3dZ notice started\n", &year, &ms),
                 2);
    cr_assert_not_null(strstr(capture.text, "Z notice started\n"));
    cr_assert_not_null(strstr(capture.text, "Z error broken node=n1 why=line?break code=5\n"));
    cr_assert_null(strstr(capture.text, "chatty"));
}

Test(log, a_line_of_json_is_an_object_whatever_the_details)
{
    static struct capture capture;
    static const char *const details[] = {
        "a=1 b_2=two words and \"quotes\" c=back\\slash",
        "no pairs at all",
        "=x",
        "",
        NULL,
        "a=",
        "a=\x01\x7f b=\xff",
        "doc=\"a b=c\" n=1",
        "doc=\"a n=1",
        "a=\"b\"c d=1",
    };
    begin(&capture, LOG_JSON, NODE_LOG_DEBUG);
    for (size_t i = 0; i < sizeof(details) / sizeof(details[0]); i++) {
        log_write(capture.log, NODE_LOG_INFO, "event", details[i]);
    }
    char *longer = malloc(2 * LOG_LINE_BYTES_MAX);
    memset(longer, '"', 2 * LOG_LINE_BYTES_MAX);
    memcpy(longer, "a=1 b=", 6);
    longer[2 * LOG_LINE_BYTES_MAX - 1] = '\0';
    log_write(capture.log, NODE_LOG_INFO, "event", longer);
    free(longer);
    end(&capture);
    char *line = strtok(capture.text, "\n");
    for (int i = 0; line != NULL; i++, line = strtok(NULL, "\n")) {
        json_t *object = i == 6 ? NULL : json_loads(line, 0, NULL); // that one is no UTF-8
        cr_assert(i == 6 || json_is_object(object), "%s", line);
        if (i == 0) {
            cr_assert_str_eq(json_string_value(json_object_get(object, "b_2")),
                             "two words and \"quotes\"");
            cr_assert_str_eq(json_string_value(json_object_get(object, "c")), "back\\slash");
            cr_assert_str_eq(json_string_value(json_object_get(object, "level")), "info");
        }
        if (i == 7) {
            cr_assert_str_eq(json_string_value(json_object_get(object, "doc")), "a b=c");
            cr_assert_str_eq(json_string_value(json_object_get(object, "n")), "1");
        }
        json_decref(object);
    }
}

Test(log, repeats_are_held_back)
{
    static struct capture capture;
    unsigned lines = 0;
    begin(&capture, LOG_TEXT, NODE_LOG_INFO);
    for (int i = 0; i < 1000; i++) {
        log_write(capture.log, NODE_LOG_INFO, "again", NULL);
    }
    log_write(capture.log, NODE_LOG_INFO, "other", NULL);
    end(&capture);
    for (const char *at = capture.text; (at = strstr(at, "again")) != NULL; at++) {
        lines++;
    }
    cr_assert_eq(lines, LOG_REPEATS_MAX);
    cr_assert_not_null(strstr(capture.text, "other"));
}

Test(log, never_waits_for_a_reader_that_does_not_read)
{
    static struct capture capture;
    static char details[1500];
    struct timespec start, now;
    signal(SIGPIPE, SIG_IGN);
    static char names[600][24];
    begin(&capture, LOG_TEXT, NODE_LOG_INFO);
    memset(details, 'x', sizeof(details) - 1);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (int i = 0; i < 600; i++) { // 900 KB into a pipe of 64 KB
        snprintf(names[i], sizeof(names[i]), "event_%d", i);
        log_write(capture.log, NODE_LOG_INFO, names[i], details);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    cr_assert_lt(now.tv_sec - start.tv_sec, 5);
    cr_assert_gt(log_dropped(capture.log), 100);
    log_close(capture.log); // gives up after a moment
    close(capture.fds[0]);
}
