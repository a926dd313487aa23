// SPDX-License-Identifier: MIT
// io/clients.h over real sockets: WebSocket clients, well-behaved, slow and hostile.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fake_node.h"
#include "support/tap.h"

#define BINARY 0x82
#define TEXT 0x81
#define CLOSE 0x88
#define PING 0x89

static struct fake_node *fake;

static void expect_echo(int fd, const char *text, uint64_t size)
{
    char *answer = malloc(size + 64);
    uint64_t answer_size = 0;
    int first = fake_websocket_read(fd, answer, size + 64, &answer_size);
    tap_checks(first == BINARY && answer_size == size + 5, "%x, %lu bytes", (unsigned)first,
               (unsigned long)answer_size);
    tap_check(memcmp(answer, "echo:", 5) == 0 && memcmp(answer + 5, text, size) == 0);
    free(answer);
}

static void alive(void)
{
    int fd = fake_websocket(fake_node_port(fake));
    fake_websocket_send(fd, BINARY, "alive", 5);
    expect_echo(fd, "alive", 5);
    close(fd);
}

static void wait_for_all_closed(void)
{
    struct timespec pause = {.tv_nsec = 5000000};
    struct fake_node_counts counts = fake_node_count(fake);
    for (int i = 0; i < 2000 && counts.opened != counts.closed; i++) {
        nanosleep(&pause, NULL);
        counts = fake_node_count(fake);
    }
    tap_checks(counts.opened == counts.closed, "%lu opened, %lu closed",
               (unsigned long)counts.opened, (unsigned long)counts.closed);
}

static void messages_of_every_size_arrive_whole(void)
{
    static const uint64_t sizes[] = {0,    1,    125,  126,  127,   1023, 1024,
                                     1025, 2048, 4096, 5000, 65535, 65536};
    static char message[65536];
    int fd = fake_websocket(fake_node_port(fake));
    for (size_t i = 0; i < sizeof(message); i++) {
        message[i] = (char)(i * 7 % 251);
    }
    message[0] = 'm';
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        fake_websocket_send(fd, BINARY, message, sizes[i]);
        expect_echo(fd, message, sizes[i]);
    }
    close(fd);
    wait_for_all_closed();
}

static void fragments_pings_and_single_bytes_make_one_message(void)
{
    static const char part[700] = "fragment";
    char whole[2100];
    char answer[256];
    uint64_t size;
    int fd = fake_websocket(fake_node_port(fake));
    for (int i = 0; i < 3; i++) {
        memcpy(whole + 700 * i, part, 700);
    }
    fake_websocket_send(fd, 0x02, part, 700);
    fake_websocket_send(fd, PING, "between", 7);
    fake_websocket_send(fd, 0x00, part, 700);
    fake_websocket_send(fd, 0x80, part, 700);
    int first = fake_websocket_read(fd, answer, sizeof(answer), &size);
    tap_checks(first == 0x8a && size == 7, "%x", (unsigned)first);
    expect_echo(fd, whole, sizeof(whole));
    static const uint8_t dribble[] = {BINARY, 0x83, 0, 0, 0, 0, 'a', 'b', 'c'};
    for (size_t i = 0; i < sizeof(dribble); i++) {
        struct timespec pause = {.tv_nsec = 2000000};
        fake_send(fd, dribble + i, 1);
        nanosleep(&pause, NULL);
    }
    expect_echo(fd, "abc", 3);
    close(fd);
}

static void a_head_in_pieces_is_waited_for(void)
{
    static const char head[] = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                               "Sec-WebSocket-Protocol: weft.v1\r\n\r\n";
    char answer[1024];
    int fd = fake_connect(fake_node_port(fake));
    for (size_t i = 0; i < sizeof(head) - 1; i++) {
        struct timespec pause = {.tv_nsec = 500000};
        fake_send(fd, head + i, 1);
        nanosleep(&pause, NULL);
    }
    fake_read_until(fd, answer, sizeof(answer), "\r\n\r\n");
    tap_checks(strstr(answer, "101") != NULL, "%s", answer);
    close(fd);
}

/// An upgrade with other fields than it should have. @return The status of the answer.
static int try_upgrade(const char *line, const char *fields)
{
    char request[2048];
    char answer[4096];
    int status = 0;
    int fd = fake_connect(fake_node_port(fake));
    snprintf(request, sizeof(request), "%s HTTP/1.1\r\n%s\r\n", line, fields);
    fake_send_text(fd, request);
    fake_read_until(fd, answer, sizeof(answer), "\r\n\r\n");
    close(fd);
    sscanf(answer, "HTTP/1.1 %d", &status);
    return status;
}

#define GOOD                                                                                       \
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define HOST "Host: localhost\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define PROTOCOL "Sec-WebSocket-Protocol: weft.v1\r\n"

static void upgrades_that_are_not_right_are_answered_in_http(void)
{
    static const struct {
        const char *line;
        const char *fields;
        int status;
    } cases[] = {
        {"GET /", HOST GOOD VERSION PROTOCOL, 101},
        {"GET /any/path?x", HOST GOOD VERSION PROTOCOL, 101},
        {"GET /", HOST GOOD VERSION PROTOCOL "Origin: http://localhost:5173\r\n", 101},
        {"GET /", HOST GOOD VERSION, 426},
        {"GET /", HOST GOOD VERSION "Sec-WebSocket-Protocol: weft.v2\r\n", 426},
        {"GET /", HOST GOOD "Sec-WebSocket-Version: 8\r\n" PROTOCOL, 426},
        {"GET /", HOST GOOD PROTOCOL, 426},
        {"GET /",
         HOST
         "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n" VERSION PROTOCOL,
         426},
        {"GET /", HOST "Upgrade: websocket\r\nConnection: Upgrade\r\n" VERSION PROTOCOL, 426},
        {"GET /", HOST GOOD VERSION PROTOCOL "Origin: http://evil.example\r\n", 403},
        {"GET /", HOST GOOD VERSION PROTOCOL "Origin: null\r\n", 403},
        {"GET /", "Host: evil.example\r\n" GOOD VERSION PROTOCOL, 421},
        {"GET /", GOOD VERSION PROTOCOL, 400},
        {"POST /", HOST GOOD VERSION PROTOCOL, 426},
        {"GET /", HOST GOOD VERSION PROTOCOL "Content-Length: 5\r\n", 426},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int status = try_upgrade(cases[i].line, cases[i].fields);
        tap_checks(status == cases[i].status, "case %zu: %d", i, status);
    }
    wait_for_all_closed();
}

static void the_node_closes_with_code_and_reason_behind_what_it_sent(void)
{
    char answer[256];
    uint64_t size;
    int fd = fake_websocket(fake_node_port(fake));
    fake_websocket_send(fd, BINARY, "before", 6);
    fake_websocket_send(fd, BINARY, "close 4503", 10);
    expect_echo(fd, "before", 6);
    int first = fake_websocket_read(fd, answer, sizeof(answer), &size);
    tap_check(first == CLOSE && size == 12);
    tap_check((uint8_t)answer[0] == 4503 >> 8 && (uint8_t)answer[1] == (4503 & 0xff));
    tap_check(memcmp(answer + 2, "as ordered", 10) == 0);
    tap_check(fake_ends(fd));                    // our side is closed behind it
    fake_websocket_send(fd, BINARY, "after", 5); // and nobody minds
    close(fd);
    wait_for_all_closed();
}

static void a_client_that_does_not_answer_a_close_is_cut(void)
{
    int fd = fake_websocket(fake_node_port(fake));
    fake_websocket_send(fd, BINARY, "close 4503", 10);
    tap_check(fake_websocket_close_code(fd) == 4503);
    wait_for_all_closed(); // while our side stays open
    close(fd);
}

static void a_client_closes_and_is_answered(void)
{
    static const uint8_t code[] = {1000 >> 8, 1000 & 0xff};
    int fd = fake_websocket(fake_node_port(fake));
    fake_websocket_send(fd, CLOSE, code, sizeof(code));
    tap_check(fake_websocket_close_code(fd) == 1000);
    tap_check(fake_ends(fd));
    close(fd);
    wait_for_all_closed();
}

static void what_no_client_may_send_is_told_and_closed(void)
{
    static char large[65537];
    int fd = fake_websocket(fake_node_port(fake));
    fake_websocket_send(fd, TEXT, "text", 4);
    tap_check(fake_websocket_close_code(fd) == 4400);
    close(fd);
    fd = fake_websocket(fake_node_port(fake));
    fake_websocket_send(fd, BINARY, large, sizeof(large));
    tap_check(fake_websocket_close_code(fd) == 4413);
    close(fd);
    fd = fake_websocket(fake_node_port(fake)); // 40,000 and then 40,000 more of one message
    fake_websocket_send(fd, 0x02, large, 40000);
    fake_websocket_send(fd, 0x80, large, 40000);
    tap_check(fake_websocket_close_code(fd) == 4413);
    close(fd);
    static const uint8_t declared[] = {BINARY, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 1, 2, 3, 4, 'x'};
    fd = fake_websocket(fake_node_port(fake)); // 2^40 bytes, it says
    fake_send(fd, declared, sizeof(declared));
    tap_check(fake_websocket_close_code(fd) == 4413);
    close(fd);
    static const uint8_t wrong[][4] = {
        {0x83, 0x80, 0, 0}, // an opcode that does not exist
        {0xc2, 0x80, 0, 0}, // a bit of an extension that was not agreed on
        {0x80, 0x80, 0, 0}, // the end of a message that did not begin
        {0x09, 0x80, 0, 0}, // a ping in pieces
        {0x89, 0xfe, 1, 0}, // a ping that is too long
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        fd = fake_websocket(fake_node_port(fake));
        fake_send(fd, wrong[i], 4);
        fake_send(fd, "\0\0\0\0", 4);
        int code = fake_websocket_close_code(fd);
        tap_checks(code == 1002 || code == 0, "case %zu: %d", i, code);
        close(fd);
    }
    wait_for_all_closed();
    alive();
}

static void garbage_of_all_sorts_leaves_the_port_alive(void)
{
    uint8_t bytes[2048];
    srand(11);
    for (int round = 0; round < 300; round++) {
        bool upgraded = round % 3 != 0;
        int fd =
            upgraded ? fake_websocket(fake_node_port(fake)) : fake_connect(fake_node_port(fake));
        size_t size = (size_t)rand() % sizeof(bytes);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)rand();
        }
        if (round % 2 == 0 && size > 1) {
            bytes[0] = BINARY;
            bytes[1] |= 0x80;
        }
        fake_send(fd, bytes, size);
        if (round % 5 == 0) {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        }
        close(fd);
    }
    wait_for_all_closed();
    alive();
}

static void frames_without_a_mask_do_no_harm(void)
{
    static const uint8_t unmasked[] = {BINARY, 3, 'a', 'b', 'c'};
    int fd = fake_websocket(fake_node_port(fake));
    fake_send(fd, unmasked, sizeof(unmasked));
    expect_echo(fd, "abc", 3); // libwebsockets takes them
    close(fd);
}

static void a_slow_reader_gets_everything_in_order_and_blocks_nobody(void)
{
    static char bytes[1 << 17];
    uint64_t size;
    uint64_t writable = fake_node_count(fake).writable;
    int fd = fake_websocket(fake_node_port(fake));
    int small = 65536;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    fake_websocket_send(fd, BINARY, "flood 400", 9); // 24 MB
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    poll(&readable, 1, 10000);
    for (int i = 0; i < 20; i++) {
        alive();
    }
    for (unsigned i = 400; i > 0; i--) {
        if (i % 50 == 0) {
            alive(); // answered only when the flood is blocked again
        }
        int first = fake_websocket_read(fd, bytes, sizeof(bytes), &size);
        tap_checks(first == BINARY && size == 60000 && bytes[0] == 'a' + (int)(i % 26) &&
                       bytes[59999] == bytes[0],
                   "frame %u: %x, %lu bytes", i, (unsigned)first, (unsigned long)size);
    }
    tap_checks(fake_node_count(fake).writable > writable + 2, "%lu times",
               (unsigned long)(fake_node_count(fake).writable - writable));
    close(fd);
    wait_for_all_closed();
}

static void a_reader_that_stopped_reading_can_be_closed(void)
{
    int fd = fake_websocket(fake_node_port(fake));
    int other = fake_websocket(fake_node_port(fake));
    fake_websocket_send(fd, BINARY, "flood 400", 9);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    poll(&readable, 1, 10000);
    fake_websocket_send(fd, BINARY, "close 4508", 10);
    struct timespec pause = {.tv_nsec = 5000000};
    uint64_t closed = 0;
    for (int i = 0; i < 2000; i++) {
        struct fake_node_counts counts = fake_node_count(fake);
        closed = counts.opened - counts.closed;
        if (closed == 1) {
            break;
        }
        nanosleep(&pause, NULL);
    }
    tap_checks(closed == 1, "%lu left", (unsigned long)closed);
    fake_websocket_send(other, BINARY, "x", 1);
    expect_echo(other, "x", 1);
    close(fd);
    close(other);
    wait_for_all_closed();
}

static void many_connect_at_once_and_leave_at_once(void)
{
    enum { MANY = 400 };
    int fds[MANY];
    for (int i = 0; i < MANY; i++) {
        fds[i] = fake_websocket(fake_node_port(fake));
    }
    for (int i = 0; i < MANY; i++) {
        fake_websocket_send(fds[i], BINARY, "x", 1);
    }
    for (int i = 0; i < MANY; i++) {
        expect_echo(fds[i], "x", 1);
        close(fds[i]);
    }
    wait_for_all_closed();
}

static void stopping_with_clients_of_all_kinds_is_clean(void)
{
    struct fake_node *second = fake_node_start();
    uint16_t port = fake_node_port(second);
    int fds[6] = {fake_websocket(port), fake_connect(port), fake_websocket(port),
                  fake_connect(port),   fake_connect(port), fake_websocket(port)};
    fake_websocket_send(fds[0], BINARY, "flood 400", 9);
    fake_send_text(fds[1], "GET /v1/docs/x/changes HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fake_websocket_send(fds[2], 0x02, "half", 4);
    fake_send_text(fds[3], "GET /v1/docs/huge HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fake_send_text(fds[4], "GET /half");
    fake_websocket_send(fds[5], BINARY, "close 4503", 10);
    struct pollfd readable = {.fd = fds[5], .events = POLLIN};
    poll(&readable, 1, 10000);
    fake_node_stop(second);
    for (int i = 0; i < 6; i++) {
        close(fds[i]);
    }
}

int main(int argc, char **argv)
{
#define NAMED(test)                                                                                \
    {                                                                                              \
#test, test                                                                                \
    }
    const struct tap_test tests[] = {
        NAMED(messages_of_every_size_arrive_whole),
        NAMED(fragments_pings_and_single_bytes_make_one_message),
        NAMED(a_head_in_pieces_is_waited_for),
        NAMED(upgrades_that_are_not_right_are_answered_in_http),
        NAMED(the_node_closes_with_code_and_reason_behind_what_it_sent),
        NAMED(a_client_that_does_not_answer_a_close_is_cut),
        NAMED(a_client_closes_and_is_answered),
        NAMED(what_no_client_may_send_is_told_and_closed),
        NAMED(garbage_of_all_sorts_leaves_the_port_alive),
        NAMED(frames_without_a_mask_do_no_harm),
        NAMED(a_slow_reader_gets_everything_in_order_and_blocks_nobody),
        NAMED(a_reader_that_stopped_reading_can_be_closed),
        NAMED(many_connect_at_once_and_leave_at_once),
        NAMED(stopping_with_clients_of_all_kinds_is_clean),
    };
    fake = fake_node_start();
    int result = tap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
    fake_node_stop(fake);
    return result;
}
