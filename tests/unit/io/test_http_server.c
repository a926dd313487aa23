// SPDX-License-Identifier: MIT
// io/http.h, http_api.h and admin.h over real sockets: what is answered, what is refused, and that
// the port lives through all of it.
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fake_node.h"
#include "support/tap.h"

static struct fake_node *fake;

/// Sends one request on a connection of its own and reads all of the answer.
static const char *ask(uint16_t port, const char *request)
{
    static char answer[1 << 16];
    bool ended;
    int fd = fake_connect(port);
    fake_send_text(fd, request);
    fake_read_all(fd, answer, sizeof(answer), &ended);
    tap_checks(ended, "no end after: %s", request);
    close(fd);
    return answer;
}

static bool has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

static void alive(void)
{
    tap_check(has(ask(fake_node_port(fake),
                      "GET /v1/docs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
                  "200 OK"));
}

struct exchange {
    const char *request;
    const char *first;  // must be in the answer
    const char *second; // too, unless NULL
};

static void check_exchanges(uint16_t port, const struct exchange *exchanges, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *answer = ask(port, exchanges[i].request);
        tap_checks(has(answer, exchanges[i].first) &&
                       (exchanges[i].second == NULL || has(answer, exchanges[i].second)),
                   "to\n%s\ncame\n%s", exchanges[i].request, answer);
    }
}

#define ASK(line, fields, body)                                                                    \
    line " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" fields "\r\n" body

#define SIXTY "012345678901234567890123456789012345678901234567890123456789"

static void requests_reach_the_node_as_they_were_meant(void)
{
    static const struct exchange exchanges[] = {
        {ASK("GET /v1/docs?prefix=a%26&after=b&limit=7", "", ""), "list prefix=a& after=b limit=7",
         "Cache-Control: no-cache"},
        {ASK("GET /v1/docs/a%2Fb%2F%2Fc%2F..%2Fd+&;e", "", ""), "document=a/b//c/../d+&;e ",
         "ETag: \"00112233445566778899aabbccddeeff\""},
        {ASK("GET /v1/docs/x", "Accept: application/octet-stream\r\n", ""), "delta document=x",
         "X-Weft-Epoch: 0000000000000001"},
        {ASK("GET /v1/docs/x", "If-None-Match: \"00112233445566778899aabbccddeeff\"\r\n", ""),
         "304 Not Modified", "ETag:"},
        {ASK("GET /v1/docs/x/digest", "", ""), "digest document=x", NULL},
        {ASK("PUT /v1/docs/x", "Content-Length: 5\r\n", "hello"), "put document=x",
         "body=5 text=hello"},
        {ASK("PUT /v1/docs/x", "Content-Length: 0\r\n", ""), "put document=x", "body=0"},
        {ASK("PUT /v1/docs/x", "If-None-Match: *\r\nContent-Length: 1\r\n", "h"),
         "create document=x", "text=h"},
        {ASK("PUT /v1/docs/x", "Transfer-Encoding: chunked\r\n",
             "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: u\r\n\r\n"),
         "body=5 text=hello", "X-Weft-Durability: durable"},
        {ASK("PUT /v1/docs/x",
             "Prefer: return=minimal, wait=replicated:3\r\nContent-Length: 1\r\n"
             "If-Match: \"00112233445566778899aabbccddeeff\"\r\n",
             "h"),
         "wait=3", "if_match=00112233445566778899aabbccddeeff"},
        {ASK("PUT /v1/docs/x",
             "Prefer: handling=lenient; x=\"" SIXTY SIXTY SIXTY "\", wait=replicated:64\r\n"
             "Content-Length: 1\r\n",
             "h"),
         "wait=64", NULL},
        {ASK("PATCH /v1/docs/x",
             "Content-Type: application/json; charset=utf-8\r\n"
             "Content-Length: 11\r\n",
             "[[0,1,\"x\"]]"),
         "patch document=x", "changes=1"},
        {ASK("PATCH /v1/docs/x", "Content-Type: text/plain\r\nContent-Length: 2\r\n", "hi"),
         "patch document=x", "text=hi"},
        {ASK("PATCH /v1/docs/x",
             "X-Weft-Id: 00c0ffee00000001.4294967295\r\nContent-Type: text/plain\r\n"
             "If-Match: \"00112233445566778899aabbccddeeff\"\r\nContent-Length: 1\r\n",
             "h"),
         "patch document=x", "id=c0ffee00000001.4294967295"},
        {ASK("DELETE /v1/docs/x", "", ""), "delete document=x", NULL},
        {ASK("GET /v1/recovery", "", ""), "recovery_list", NULL},
        {ASK("GET /v1/recovery?after=0%30a&limit=7", "", ""), "recovery_list after=00a limit=7",
         NULL},
        {ASK("GET /v1/recovery/x?epoch=000000000000000100112233445566778899aabbccddeeff", "", ""),
         "recovery_text document=x after=000000000000000100112233445566778899aabbccddeeff", NULL},
        {ASK("GET /v1/cluster/members", "", ""), "members", NULL},
        {ASK("GET /v1/docs/late", "", ""), "\r\n\r\nlate", NULL},
        {ASK("GET /", "", ""), "<!doctype html>page", "Content-Security-Policy"},
        {"GET /v1/docs HTTP/1.0\r\n\r\n", "list", "Connection: close"},
        {"GET http://localhost/v1/docs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
         "list", NULL},
    };
    check_exchanges(fake_node_port(fake), exchanges, sizeof(exchanges) / sizeof(exchanges[0]));
    const char *head = ask(fake_node_port(fake), ASK("HEAD /v1/docs/x", "", ""));
    tap_checks(has(head, "Content-Length: 3") && has(head, "\r\n\r\n") &&
                   !has(head, "text document"),
               "%s", head);
}

#define ON_TEXT "If-Match: \"00112233445566778899aabbccddeeff\"\r\nContent-Length: 1\r\n"

static void what_is_not_right_is_refused_with_a_reason(void)
{
    static const struct exchange exchanges[] = {
        {ASK("GET /v1/nothing", "", ""), "404 Not Found", "application/problem+json"},
        {ASK("GET /v1/docs/gone", "", ""), "404 Not Found", "\"reason\":\"no_document\""},
        {ASK("POST /v1/docs", "", ""), "405 Method Not Allowed", "Allow: GET, HEAD\r\n"},
        {ASK("OPTIONS /v1/docs/x", "", ""), "405", "Allow: GET, HEAD, PUT, PATCH, DELETE"},
        {ASK("BREW /v1/docs/x", "", ""), "405", NULL},
        {ASK("GET /v1/docs/%zz", "", ""), "400 Bad Request", "percent-encoded"},
        {ASK("GET /v1/docs/%ff", "", ""), "400", "UTF-8"},
        {ASK("PUT /v1/docs/x", "Content-Length: 2\r\n", "\xff\xfe"), "400", "UTF-8"},
        {ASK("PUT /v1/docs/x", "Content-Length: 99999999\r\n", ""), "413", "too_large"},
        {ASK("PUT /v1/docs/x", "If-Match: *\r\nContent-Length: 1\r\n", "x"), "400", "If-Match"},
        {ASK("PUT /v1/docs/x", "Prefer: wait=replicated:x\r\nContent-Length: 1\r\n", "x"), "400",
         "replicated:N"},
        {ASK("PUT /v1/docs/x", "Prefer: wait=replicated:100\r\nContent-Length: 1\r\n", "x"), "400",
         "replicated:N"},
        {ASK("PUT /v1/docs/x", "Prefer: wait=replicated:2x\r\nContent-Length: 1\r\n", "x"), "400",
         "replicated:N"},
        {ASK("PUT /v1/docs/x", "Prefer: wait=replicated:0\r\nContent-Length: 1\r\n", "x"), "400",
         "replicated:N"},
        {ASK("PATCH /v1/docs/x", "Content-Length: 2\r\n", "[]"), "415", "Content-Type"},
        {ASK("PATCH /v1/docs/x", "Content-Type: application/json\r\nContent-Length: 2\r\n", "{}"),
         "400", "[[position, deleted, \\\"inserted"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: 1.0\r\n", "x"), "400", "16 hex digits"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: 0000000000000000.0\r\n", "x"), "400",
         "16 hex digits"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: 00C0ffee00000001.0\r\n", "x"), "400",
         "16 hex digits"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: 00c0ffee00000001\r\n", "x"), "400", "a dot"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: 00c0ffee00000001.\r\n", "x"), "400", "a number"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: 00c0ffee00000001.12345678901\r\n", "x"), "400",
         "a number"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: 00c0ffee00000001.-1\r\n", "x"), "400",
         "a number"},
        {ASK("PUT /v1/docs/x", ON_TEXT "X-Weft-Id: \r\n", "x"), "400", "16 hex digits"},
        {ASK("PUT /v1/docs/x", "X-Weft-Id: 00c0ffee00000001.0\r\nContent-Length: 1\r\n", "x"),
         "400", "needs If-Match"},
        {ASK("DELETE /v1/docs/x", ON_TEXT "X-Weft-Id: 00c0ffee00000001.0\r\n", "x"), "400",
         "PUT and PATCH"},
        {ASK("GET /v1/docs/x/changes?agent=7", "", ""), "400", "agent"},
        {ASK("GET /v1/docs?limit=many", "", ""), "400", "limit"},
        {ASK("GET /v1/recovery/x?epoch=1", "", ""), "400", "epoch"},
        {ASK("PUT /v1/docs/x", "Origin: http://evil.example\r\nContent-Length: 1\r\n", "x"),
         "403 Forbidden", "--allow-origin"},
        {ASK("PUT /v1/docs/x", "Transfer-Encoding: chunked\r\n", "xyz\r\n"), "400", "chunks"},
        {"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\nConnection: upgrade, close\r\n\r\n",
         "426", "upgrade_required"},
        {ASK("GET /", "Content-Length: 1\r\nContent-Length: 1\r\n", ""), "400", NULL},
        {"GET /v1/docs HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", "421", NULL},
        {"GET /v1/docs HTTP/3.0\r\nHost: localhost\r\n\r\n", "505", NULL},
        {"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", "400", NULL},
        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "400 Bad Request", NULL},
        {"GET /v1/docs HTTP/1.1\nHost: localhost\n\n\r\n\r\n", "400", NULL},
    };
    check_exchanges(fake_node_port(fake), exchanges, sizeof(exchanges) / sizeof(exchanges[0]));
    alive();
}

static unsigned count_of(const char *text, const char *part)
{
    unsigned count = 0;
    for (const char *at = text; (at = strstr(at, part)) != NULL; at += strlen(part)) {
        count++;
    }
    return count;
}

static void requests_sent_ahead_are_answered_in_order(void)
{
    static char answer[1 << 20];
    bool ended;
    int fd = fake_connect(fake_node_port(fake));
    // The third one is answered only with the next tick; the fourth has a body.
    fake_send_text(fd, "GET /v1/docs/a HTTP/1.1\r\nHost: localhost\r\n\r\n\r\n"
                       "GET /v1/docs/b HTTP/1.1\r\nHost: localhost\r\n\r\n"
                       "GET /v1/docs/late HTTP/1.1\r\nHost: localhost\r\n\r\n"
                       "PUT /v1/docs/c HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"
                       "GET /v1/docs/late HTTP/1.1\r\nHost: localhost\r\n\r\n"
                       "GET /v1/docs/d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                       "GET /v1/docs/never HTTP/1.1\r\nHost: localhost\r\n\r\n");
    fake_read_all(fd, answer, sizeof(answer), &ended);
    close(fd);
    tap_check(ended);
    const char *order[] = {"document=a ", "document=b ",      "\r\n\r\nlate",
                           "document=c ", "\r\n\r\nlateHTTP", "document=d "};
    const char *at = answer;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        at = strstr(at, order[i]);
        tap_checks(at != NULL, "%s is missing or out of order in %s", order[i], answer);
        at++;
    }
    tap_check(count_of(answer, "HTTP/1.1 200") == 6 && !has(answer, "never"));
}

static void a_thousand_requests_sent_ahead_byte_by_byte_and_at_once(void)
{
    static char answer[1 << 20];
    static const char one[] = "GET /v1/docs/a HTTP/1.1\r\nHost: localhost\r\n\r\n";
    bool ended;
    int fd = fake_connect(fake_node_port(fake));
    for (const char *c = one; *c != '\0'; c++) {
        fake_send(fd, c, 1);
    }
    for (int i = 0; i < 1000; i++) {
        fake_send_text(fd, one);
    }
    shutdown(fd, SHUT_WR);
    fake_read_all(fd, answer, sizeof(answer), &ended);
    close(fd);
    tap_checks(count_of(answer, "HTTP/1.1 200") == 1001, "%u", count_of(answer, "HTTP/1.1 200"));
}

static void a_large_answer_waits_for_its_reader_and_arrives_whole(void)
{
    static char answer[21 << 20];
    bool ended;
    int fd = fake_connect(fake_node_port(fake));
    fake_send_text(fd, ASK("GET /v1/docs/huge", "", ""));
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    poll(&readable, 1, 10000);
    alive(); // while the answer waits
    uint64_t size = fake_read_all(fd, answer, sizeof(answer), &ended);
    close(fd);
    tap_checks(ended && size > 20 << 20 && answer[size - 1] == 'h', "%lu bytes",
               (unsigned long)size);
}

static void wait_until(bool (*holds)(void))
{
    struct timespec pause = {.tv_nsec = 5000000};
    for (int i = 0; i < 2000 && !holds(); i++) {
        nanosleep(&pause, NULL);
    }
    tap_check(holds());
}

static uint64_t closed_before;

static bool one_more_closed(void)
{
    return fake_node_count(fake).requests_closed == closed_before + 1;
}

static void a_change_feed_streams_and_its_reader_may_leave(void)
{
    static char answer[1 << 16];
    const char *text =
        ask(fake_node_port(fake), ASK("GET /v1/docs/x/changes", "Last-Event-ID: 12\r\n", ""));
    tap_checks(has(text, "text/event-stream") && has(text, "Transfer-Encoding: chunked") &&
                   has(text, "after=12") && has(text, "data: piece") && has(text, "\r\n0\r\n\r\n"),
               "%s", text);
    text = ask(fake_node_port(fake), "GET /v1/docs/x/changes?since=5 HTTP/1.0\r\n\r\n");
    tap_checks(!has(text, "chunked") && has(text, "after=5") && count_of(text, "data: piece") == 3,
               "%s", text);
    closed_before = fake_node_count(fake).requests_closed;
    int fd = fake_connect(fake_node_port(fake));
    fake_send_text(fd, ASK("GET /v1/docs/x/changes", "", ""));
    fake_read_until(fd, answer, sizeof(answer), "watch document=x");
    close(fd);
    wait_until(one_more_closed);
}

static void expect_100_is_answered_before_the_body(void)
{
    char answer[4096];
    bool ended;
    int fd = fake_connect(fake_node_port(fake));
    fake_send_text(fd, ASK("PUT /v1/docs/x", "Expect: 100-continue\r\nContent-Length: 2\r\n", ""));
    fake_read_until(fd, answer, sizeof(answer), "\r\n\r\n");
    tap_check(has(answer, "100 Continue"));
    fake_send_text(fd, "hi");
    fake_read_all(fd, answer, sizeof(answer), &ended);
    close(fd);
    tap_check(has(answer, "text=hi"));
    tap_check(has(ask(fake_node_port(fake),
                      ASK("PUT /v1/nothing", "Expect: 100-continue\r\nContent-Length: 2\r\n", "")),
                  "HTTP/1.1 404"));
}

static void an_upload_that_is_refused_still_hears_why(void)
{
    static char block[1 << 20];
    static char answer[4096];
    bool ended;
    int fd = fake_connect(fake_node_port(fake));
    memset(block, 'x', sizeof(block));
    fake_send_text(fd, ASK("PUT /v1/docs/x", "Transfer-Encoding: chunked\r\n", "400000\r\n"));
    for (int i = 0; i < 4; i++) {
        fake_send(fd, block, sizeof(block));
    }
    fake_read_all(fd, answer, sizeof(answer), &ended);
    close(fd);
    tap_checks(has(answer, "413"), "%s", answer);
    alive();
}

static void connections_of_all_sorts_that_break_off_cost_nothing(void)
{
    static const char *const beginnings[] = {
        "",
        "G",
        "GET /v1/docs HTTP/1.1\r\nHost: loc",
        "PUT /v1/docs/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc",
        "GET /v1/docs/late HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /v1/docs/huge HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
    };
    for (int round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
            struct linger reset = {.l_onoff = 1, .l_linger = 0};
            int fd = fake_connect(fake_node_port(fake));
            fake_send_text(fd, beginnings[i]);
            if (round % 2 == 0) {
                setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
            }
            close(fd);
        }
    }
    alive();
}

static void more_connections_than_fit_push_out_those_that_idle(void)
{
    static char answer[4096];
    int idle[200];
    for (int i = 0; i < 200; i++) {
        idle[i] = fake_connect(fake_node_port(fake));
        fake_send_text(idle[i], "GET /v1/docs HTTP/1.1\r\nHost: localhost\r\n\r\n");
        fake_read_until(idle[i], answer, sizeof(answer), "body=0");
        tap_checks(has(answer, "200 OK"), "connection %d", i);
    }
    tap_check(fake_ends(idle[0]));
    for (int i = 0; i < 200; i++) {
        close(idle[i]);
    }
    alive();
}

static void the_admin_port_tells_health_and_takes_orders(void)
{
    static const struct exchange exchanges[] = {
        {ASK("GET /healthz", "", ""), "200 OK", "ok\n"},
        {ASK("GET /readyz", "", ""), "200 OK", "{\"ready\":true,\"failing\":[],\"degraded\":[]}"},
        {ASK("GET /metrics", "", ""), "weft_clients 0\n", "process_open_fds"},
        {ASK("GET /metrics", "", ""), "weft_ack_seconds_bucket{level=\"durable\",le=\"+Inf\"} 0",
         "version=0.0.4"},
        {ASK("GET /v1/cluster/members", "", ""), "members", NULL},
        {ASK("POST /v1/cluster/leave", "", ""), "leave", NULL},
        {ASK("POST /v1/cluster/forget?node=n%201", "", ""), "forget document=n 1", NULL},
        {ASK("POST /v1/cluster/forget", "", ""), "400", "the parameter node"},
        {ASK("POST /v1/backup?to=/tmp/x", "", ""), "{\"done\":true}", NULL},
        {ASK("POST /v1/backup?to=/taken", "", ""), "409", "is \\\"taken\\\""},
        {ASK("POST /v1/backup?to=relative", "", ""), "400", "absolute"},
        {ASK("GET /v1/backup?to=/tmp/x", "", ""), "405", "Allow: POST"},
        {ASK("POST /v1/cluster/leave", "Origin: http://localhost\r\n", ""), "403", NULL},
        {"GET /readyz HTTP/1.1\r\nHost: evil\r\nConnection: close\r\n\r\n", "421", NULL},
        {ASK("GET /v1/docs", "", ""), "404", NULL},
    };
    check_exchanges(fake_node_admin_port(fake), exchanges,
                    sizeof(exchanges) / sizeof(exchanges[0]));
}

static void a_draining_port_sends_askers_elsewhere(void)
{
    int stream = fake_connect(fake_node_port(fake));
    static char answer[1 << 16];
    bool ended;
    fake_send_text(stream, ASK("GET /v1/docs/x/changes", "", ""));
    fake_read_until(stream, answer, sizeof(answer), "watch document=x");
    fake_node_drain(fake);
    fake_read_all(stream, answer, sizeof(answer), &ended);
    tap_check(ended && has(answer, "0\r\n\r\n"));
    close(stream);
    const char *text =
        ask(fake_node_port(fake), "GET /v1/docs HTTP/1.1\r\nHost: localhost\r\n\r\n");
    tap_checks(has(text, "503") && has(text, "\"reason\":\"draining\"") &&
                   has(text, "Connection: close"),
               "%s", text);
    text = ask(fake_node_admin_port(fake), ASK("GET /readyz", "", ""));
    tap_checks(has(text, "503") && has(text, "\"failing\":[\"draining\"]"), "%s", text);
}

int main(int argc, char **argv)
{
#define NAMED(test)                                                                                \
    {                                                                                              \
#test, test                                                                                \
    }
    const struct tap_test tests[] = {
        NAMED(requests_reach_the_node_as_they_were_meant),
        NAMED(what_is_not_right_is_refused_with_a_reason),
        NAMED(requests_sent_ahead_are_answered_in_order),
        NAMED(a_thousand_requests_sent_ahead_byte_by_byte_and_at_once),
        NAMED(a_large_answer_waits_for_its_reader_and_arrives_whole),
        NAMED(a_change_feed_streams_and_its_reader_may_leave),
        NAMED(expect_100_is_answered_before_the_body),
        NAMED(an_upload_that_is_refused_still_hears_why),
        NAMED(connections_of_all_sorts_that_break_off_cost_nothing),
        NAMED(more_connections_than_fit_push_out_those_that_idle),
        NAMED(the_admin_port_tells_health_and_takes_orders),
        NAMED(a_draining_port_sends_askers_elsewhere),
    };
    fake = fake_node_start();
    int result = tap_main(tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
    fake_node_stop(fake);
    return result;
}
