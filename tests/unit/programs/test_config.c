// SPDX-License-Identifier: MIT
// The configuration: one name in three spellings, who wins, units, and what is said of mistakes.
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "node/limits.h"
#include "programs/config/config.h"

static char error[CONFIG_ERROR_BYTES];

static struct config *fresh(void)
{
    struct config *config = config_create();
    cr_assert_not_null(config);
    error[0] = '\0';
    return config;
}

static bool set(struct config *config, enum config_source source, const char *name,
                const char *value)
{
    const struct config_option *option = config_find(name);
    cr_assert_not_null(option, "no option %s", name);
    return config_set(config, option, source, value, "here", error);
}

/// Reads a file with this text. @return whether it was taken.
static bool read_text(struct config *config, const char *text)
{
    char path[] = "/tmp/weft-config-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    bool taken = config_read_file(config, path, error);
    unlink(path);
    return taken;
}

Test(config, defaults_are_those_of_the_design)
{
    struct config *config = fresh();
    struct serve_options options = config_options(config);
    cr_assert_str_eq(options.data_path, "./data");
    cr_assert_str_eq(options.listen, "127.0.0.1:9338");
    cr_assert_str_eq(options.gossip, "tcp://127.0.0.1:9339");
    cr_assert_str_eq(options.admin, "127.0.0.1:9340");
    cr_assert_null(options.pull);
    cr_assert_null(options.cluster_key_path);
    cr_assert_eq(options.join_count, 0);
    cr_assert_eq(options.limits.frame_bytes_max, LIMIT_FRAME_BYTES);
    cr_assert_eq(options.limits.clients_max, LIMIT_CLIENTS);
    cr_assert_eq(options.heartbeat_ms, HEARTBEAT_MS);
    cr_assert_eq(options.log_level, NODE_LOG_INFO);
    cr_assert_not(options.insecure);
    config_destroy(config);
}

Test(config, a_flag_beats_the_environment_beats_the_file_beats_the_default)
{
    struct config *config = fresh();
    cr_assert(set(config, CONFIG_FILE, "max_clients", "1"), "%s", error);
    cr_assert_eq(config_options(config).limits.clients_max, 1);
    cr_assert(set(config, CONFIG_FLAG, "max-clients", "3"), "%s", error);
    cr_assert(set(config, CONFIG_ENVIRONMENT, "MAX_CLIENTS", "2"), "%s", error);
    cr_assert_eq(config_options(config).limits.clients_max, 3);
    config_destroy(config);
}

Test(config, a_list_at_a_higher_place_replaces_that_of_a_lower_one)
{
    struct config *config = fresh();
    char variable[] = "WEFT_JOIN=tcp://b:1, tcp://c:1";
    char *environment[] = {variable, NULL};
    cr_assert(read_text(config, "join = tcp://a:1\njoin = tcp://a:2 tcp://a:3\n"), "%s", error);
    cr_assert_eq(config_options(config).join_count, 3);
    cr_assert(config_read_environment(config, environment, error), "%s", error);
    struct serve_options options = config_options(config);
    cr_assert_eq(options.join_count, 2);
    cr_assert_str_eq(options.joins[1], "tcp://c:1");
    config_destroy(config);
}

Test(config, units_are_understood_and_numbers_without_sense_are_not)
{
    static const struct {
        const char *name;
        const char *value;
        uint64_t expected; // 0: refused
    } cases[] = {
        {"max_ring_bytes", "256KiB", 256 << 10},
        {"max_ring_bytes", "1 MiB", 1 << 20},
        {"max_ring_bytes", "70kB", 70000},
        {"max_ring_bytes", "65536", 65536},
        {"max_ring_bytes", "1", 0},
        {"max_ring_bytes", "64 kibi", 0},
        {"max_ring_bytes", "-1", 0},
        {"max_ring_bytes", "", 0},
        {"max_ring_bytes", "99999999999999999999", 0},
        {"max_ring_bytes", "18446744073709551615TiB", 0},
        {"heartbeat", "2s", 2000},
        {"heartbeat", "250ms", 250},
        {"heartbeat", "2", 0},
        {"heartbeat", "1h", 0},
        {"max_clients", "12", 12},
        {"max_clients", "12KiB", 0},
        {"log_level", "debug", NODE_LOG_DEBUG},
        {"log_level", "deb", 0},
        {"log_format", "json", LOG_JSON},
        {"log_format", "text|json", 0},
        {"insecure", "yes", 1},
        {"insecure", "maybe", 0},
        {"debug_bus_loss", "0.5", 500},
        {"debug_bus_loss", "1.5", 0},
        {"debug_bus_loss", "nan", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct config *config = fresh();
        bool taken = set(config, CONFIG_FLAG, cases[i].name, cases[i].value);
        cr_expect_eq(taken, cases[i].expected != 0, "%s = %s: %s", cases[i].name, cases[i].value,
                     error);
        struct serve_options options = config_options(config);
        uint64_t got = strcmp(cases[i].name, "max_ring_bytes") == 0
                           ? options.limits.room_ring_bytes_max
                       : strcmp(cases[i].name, "heartbeat") == 0   ? options.heartbeat_ms
                       : strcmp(cases[i].name, "max_clients") == 0 ? options.limits.clients_max
                       : strcmp(cases[i].name, "log_level") == 0   ? (uint64_t)options.log_level
                       : strcmp(cases[i].name, "log_format") == 0  ? (uint64_t)options.log_format
                       : strcmp(cases[i].name, "insecure") == 0    ? options.insecure
                                                                   : options.bus_loss_permille;
        if (taken)
            cr_expect_eq(got, cases[i].expected, "%s = %s gave %llu", cases[i].name, cases[i].value,
                         (unsigned long long)got);
        config_destroy(config);
    }
}

Test(config, a_typo_is_an_error_that_names_the_nearest_option)
{
    struct config *config = fresh();
    char gossip[] = "WEFT_GOSIP=tcp://h:1";
    char *environment[] = {gossip, NULL};
    cr_assert_not(config_read_environment(config, environment, error));
    cr_assert_str_eq(error, "unknown variable WEFT_GOSIP; did you mean WEFT_GOSSIP?");
    cr_assert_not(read_text(config, "# limits\n\nmax_frame_byte = 64KiB\n"));
    cr_assert_not_null(strstr(error, ":3: unknown key \"max_frame_byte\"; did you mean "
                                     "\"max_frame_bytes\"?"),
                       "%s", error);
    cr_assert_not(read_text(config, "zzzzzzzzzzzzzzz = 1\n"));
    cr_assert_null(strstr(error, "did you mean"), "%s", error);
    config_destroy(config);
}

Test(config, variables_of_tests_are_left_alone_and_debug_switches_are_taken)
{
    struct config *config = fresh();
    char traces[] = "WEFT_TRACES=/t";
    char seed[] = "WEFT_SEED=1";
    char loss[] = "WEFT_DEBUG_BUS_LOSS=0.25";
    char other[] = "WEFT_DEBUG_OTHER=x";
    char path[] = "PATH=/bin";
    char *environment[] = {traces, seed, loss, other, path, NULL};
    cr_assert(config_read_environment(config, environment, error), "%s", error);
    cr_assert_eq(config_options(config).bus_loss_permille, 250);
    config_destroy(config);
}

Test(config, a_secret_may_be_named_by_its_file_variable)
{
    struct config *config = fresh();
    char key[] = "WEFT_CLUSTER_KEY_FILE=/run/key";
    char *environment[] = {key, NULL};
    cr_assert(config_read_environment(config, environment, error), "%s", error);
    cr_assert_str_eq(config_options(config).cluster_key_path, "/run/key");
    char data[] = "WEFT_DATA_FILE=/x";
    environment[0] = data;
    cr_assert_not(config_read_environment(config, environment, error));
    config_destroy(config);
}

Test(config, a_file_that_is_not_one_is_named_with_its_line)
{
    struct config *config = fresh();
    cr_assert_not(config_read_file(config, "/nonexistent/weft.conf", error));
    cr_assert_not_null(strstr(error, "No such file"), "%s", error);
    cr_assert_not(read_text(config, "node = a\nnode = b\n"));
    cr_assert_not_null(strstr(error, ":2: node is given twice"), "%s", error);
    cr_assert_not(read_text(config, "[server]\nlisten = h:1\n"));
    cr_assert_not_null(strstr(error, "there are no sections"), "%s", error);
    cr_assert_not(read_text(config, "listen\n"));
    cr_assert_not_null(strstr(error, ":1: not of the form key = value"), "%s", error);
    config_destroy(config);
}

struct line {
    char text[200];
};

static void find_frame(void *context, const struct config_option *option, const char *value,
                       enum config_source source, const char *where)
{
    struct line *line = context;
    if (strcmp(option->name, "max_frame_bytes") == 0)
        snprintf(line->text, sizeof(line->text), "%s %d %s", value, (int)source, where);
}

Test(config, what_is_printed_reads_back_as_the_same_number_and_says_where_it_is_from)
{
    struct config *config = fresh();
    struct line line = {""};
    config_visit(config, find_frame, &line);
    cr_assert_str_eq(line.text, "64KiB 0 ");
    cr_assert(set(config, CONFIG_FLAG, "max_frame_bytes", "50000"), "%s", error);
    config_visit(config, find_frame, &line);
    cr_assert_str_eq(line.text, "50kB 3 here");
    config_destroy(config);
}
