// SPDX-License-Identifier: MIT
// io/peers_relay.h between real sockets, plain ones and nng's.
#include "io/peers_relay.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <nng/protocol/bus0/bus.h>

#include "support/tap.h"

#define DEADLINE_MS 20000
#define BUS_GREETING "\0SP\0\0\x70\0\0"

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pass(uint32_t us)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

static struct peers_address parse(const char *text)
{
    struct peers_address address;
    tap_check(peers_address_parse(&address, (struct span){(const uint8_t *)text, strlen(text)}));
    return address;
}

static struct peers_address local(uint16_t port)
{
    struct peers_address any = parse("tcp://127.0.0.1:0");
    return peers_address_with_port(&any, port);
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    tap_check(connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static int listen_somewhere(uint16_t *port_out)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    tap_check(bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 8) == 0);
    getsockname(fd, (struct sockaddr *)&at, &size);
    *port_out = ntohs(at.sin_port);
    return fd;
}

static void reset(int fd)
{
    struct linger at_once = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

static void be_patient_on(int fd)
{
    struct timeval limit = {.tv_sec = DEADLINE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/// A relay with a link from outside to a plain socket that stands for nng's.
struct bench {
    struct peers_relay *relay;
    int listener, inner, outer;
};

static struct bench set_up(void)
{
    struct bench bench;
    uint16_t port;
    bench.relay = peers_relay_create();
    bench.listener = listen_somewhere(&port);
    struct peers_address outside = local(0);
    tap_check(peers_relay_listen(bench.relay, &outside, port) == 0);
    bench.outer = connect_to(outside.port);
    bench.inner = accept(bench.listener, NULL, NULL);
    be_patient_on(bench.inner);
    be_patient_on(bench.outer);
    return bench;
}

static void tear_down(struct bench *bench)
{
    close(bench->inner);
    close(bench->listener);
    peers_relay_destroy(bench->relay);
}

static uint8_t byte_at(size_t index)
{
    return (uint8_t)(index * 2654435761U >> 13);
}

/// Pushes `size` known bytes through while the reader takes rests, and checks each of them.
static void push_through(int from, int to, size_t size)
{
    static uint8_t out[1 << 16], in[1 << 16];
    size_t sent = 0, got = 0;
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (got < size) {
        tap_checks(now_ms() < deadline, "%zu sent, %zu got", sent, got);
        size_t chunk = size - sent < sizeof out ? size - sent : sizeof out;
        for (size_t i = 0; i < chunk; i++) {
            out[i] = byte_at(sent + i);
        }
        ssize_t written = chunk > 0 ? send(from, out, chunk, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        sent += written > 0 ? (size_t)written : 0;
        if (written > 0 && got + (4U << 20) > sent) {
            continue; // the reader sleeps until much lies in between
        }
        ssize_t taken = recv(to, in, sizeof in, MSG_DONTWAIT);
        for (ssize_t i = 0; i < taken; i++) {
            tap_checks(in[i] == byte_at(got + (size_t)i), "byte %zu", got + (size_t)i);
        }
        got += taken > 0 ? (size_t)taken : 0;
        if (taken <= 0 && written <= 0) {
            pass(200);
        }
    }
}

static void bytes_cross_whole_and_in_order_however_late_they_are_read(void)
{
    struct bench bench = set_up();
    push_through(bench.outer, bench.inner, 24U << 20);
    push_through(bench.inner, bench.outer, 24U << 20);
    close(bench.outer);
    tear_down(&bench);
}

static void a_peer_that_resets_ends_what_is_read_and_fails_no_write(void)
{
    static uint8_t bytes[1 << 16];
    for (int round = 0; round < 20; round++) {
        struct bench bench = set_up();
        push_through(bench.outer, bench.inner, 100);
        reset(bench.outer);
        tap_checks(recv(bench.inner, bytes, sizeof bytes, 0) == 0, "%s", strerror(errno));
        for (int i = 0; i < 100; i++) {
            tap_checks(send(bench.inner, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes,
                       "write %d: %s", i, strerror(errno));
        }
        tear_down(&bench);
    }
}

static void nng_sees_no_end_while_it_is_in_the_middle_of_a_message(void)
{
    static const uint8_t half[8 + 8 + 50] = {[1] = 'S', [2] = 'P', [5] = 0x70, [15] = 100};
    for (size_t part = 1; part < sizeof half; part += 13) { // within each of greeting, length, body
        struct bench bench = set_up();
        char byte;
        tap_check(send(bench.inner, half, part, MSG_NOSIGNAL) == (ssize_t)part);
        tap_check(recv(bench.outer, &byte, 1, 0) == 1);
        reset(bench.outer);
        struct pollfd end = {.fd = bench.inner, .events = POLLIN};
        tap_checks(poll(&end, 1, 100) == 0, "after %zu bytes", part);
        tap_check(send(bench.inner, half + part, sizeof half - part, MSG_NOSIGNAL) >= 0);
        tap_check(poll(&end, 1, 100) == 0);
        tap_check(send(bench.inner, half + 16, 50, MSG_NOSIGNAL) == 50);
        tap_checks(recv(bench.inner, &byte, 1, 0) == 0, "%s", strerror(errno));
        tear_down(&bench);
    }
}

static void what_was_said_last_arrives_before_the_end(void)
{
    static uint8_t bytes[1 << 20];
    for (int side = 0; side < 2; side++) {
        struct bench bench = set_up();
        int from = side == 0 ? bench.outer : bench.inner;
        int to = side == 0 ? bench.inner : bench.outer;
        tap_check(send(from, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes);
        shutdown(from, SHUT_WR);
        ssize_t taken;
        size_t got = 0;
        while ((taken = recv(to, bytes, sizeof bytes, 0)) > 0) {
            got += (size_t)taken;
        }
        tap_checks(taken == 0 && got == sizeof bytes, "%zu: %s", got, strerror(errno));
        close(bench.outer);
        tear_down(&bench);
    }
}

static int count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

static void a_gate_leads_to_its_address_by_name_or_number(void)
{
    struct peers_relay *relay = peers_relay_create();
    uint16_t port;
    int listener = listen_somewhere(&port);
    be_patient_on(listener);
    const char *hosts[] = {"tcp://127.0.0.1:1", "tcp://localhost:1"};
    for (size_t i = 0; i < 2; i++) {
        struct peers_address to = parse(hosts[i]);
        to = peers_address_with_port(&to, port);
        uint16_t gate = peers_relay_open_gate(relay, &to);
        int near = connect_to(gate);
        struct pollfd comes = {.fd = listener, .events = POLLIN};
        for (unsigned again = 0; again < 3 && poll(&comes, 1, 2000) == 0; again++) {
            close(near); // nobody listens at [::1], which localhost may be as well
            near = connect_to(gate);
        }
        int far = accept(listener, NULL, NULL);
        tap_checks(far >= 0, "%s: %s", hosts[i], strerror(errno));
        push_through(near, far, 1000);
        push_through(far, near, 1000);
        close(near);
        close(far);
        peers_relay_close_gate(relay, gate);
    }
    close(listener);
    peers_relay_destroy(relay);
}

static void a_gate_to_nowhere_ends_what_is_read_and_leaves_nothing_behind(void)
{
    struct peers_relay *relay = peers_relay_create();
    const char *nowhere[] = {"tcp://127.0.0.1:1", "tcp://no-such-name.invalid:1", "tcp://[::1]:1"};
    int before = 0;
    for (size_t i = 0; i < 6; i++) {
        struct peers_address to = parse(nowhere[i % 3]);
        uint16_t gate = peers_relay_open_gate(relay, &to);
        tap_check(gate != 0);
        int fd = connect_to(gate);
        be_patient_on(fd);
        (void)!send(fd, BUS_GREETING, 8, MSG_NOSIGNAL);
        char byte;
        tap_checks(recv(fd, &byte, 1, 0) == 0, "%s: %s", nowhere[i % 3], strerror(errno));
        close(fd);
        peers_relay_close_gate(relay, gate);
        before = i == 2 ? count_descriptors() : before; // the loop and the resolver keep some
    }
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (count_descriptors() > before) {
        tap_checks(now_ms() < deadline, "%d, were %d", count_descriptors(), before);
        pass(1000);
    }
    peers_relay_destroy(relay);
}

// -------------------------------------------------------------------------------------------- nng

static struct peers_relay *relay_of_bus;
static nng_socket bus;
static nng_aio *receive;
static atomic_uint ups, downs, strangers;

static void pipe_begins(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)event;
    (void)context;
    strangers += !peers_relay_brought(relay_of_bus, pipe);
}

static void pipe_came_or_went(nng_pipe pipe, nng_pipe_ev event, void *context)
{
    (void)pipe;
    (void)event;
    ++*(atomic_uint *)context;
}

static void received(void *context)
{
    (void)context;
    int result = nng_aio_result(receive);
    if (result == 0) {
        nng_msg_free(nng_aio_get_msg(receive));
    }
    if (result != NNG_ECLOSED && result != NNG_ECANCELED) {
        nng_recv_aio(bus, receive);
    }
}

static uint16_t open_bus(void)
{
    nng_listener listener;
    int port;
    tap_check(nng_bus0_open(&bus) == 0);
    nng_pipe_notify(bus, NNG_PIPE_EV_ADD_PRE, pipe_begins, NULL);
    nng_pipe_notify(bus, NNG_PIPE_EV_ADD_POST, pipe_came_or_went, &ups);
    nng_pipe_notify(bus, NNG_PIPE_EV_REM_POST, pipe_came_or_went, &downs);
    tap_check(nng_listen(bus, "tcp://127.0.0.1:0", &listener, 0) == 0);
    tap_check(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port) == 0);
    tap_check(nng_aio_alloc(&receive, received, NULL) == 0);
    nng_recv_aio(bus, receive);
    return (uint16_t)port;
}

static void say_something(void)
{
    nng_msg *message;
    tap_check(nng_msg_alloc(&message, 3000) == 0);
    if (nng_sendmsg(bus, message, NNG_FLAG_NONBLOCK) != 0) {
        nng_msg_free(message);
    }
}

static void await(const atomic_uint *counter, uint32_t least, const char *what)
{
    int64_t deadline = now_ms() + DEADLINE_MS;
    while (*counter < least) {
        tap_checks(now_ms() < deadline, "%s: %u, not yet %u", what, *counter, least);
        say_something(); // a node goes on speaking, too
        pass(200);
    }
}

static int greet(uint16_t port)
{
    char greeting[8];
    int fd = connect_to(port);
    be_patient_on(fd);
    tap_check(send(fd, BUS_GREETING, 8, MSG_NOSIGNAL) == 8);
    tap_check(recv(fd, greeting, 8, MSG_WAITALL) == 8);
    return fd;
}

/// Sends messages for a few milliseconds, and hears some of what the other says.
static void stream(int fd, int64_t ms)
{
    static const uint8_t message[3008] = {[6] = 3000 >> 8, [7] = 3000 & 0xff};
    static uint8_t heard[1 << 20];
    size_t at = 0;
    for (int64_t end = now_ms() + ms; now_ms() < end;) {
        ssize_t sent = 1;
        say_something();
        for (int i = 0; i < 3 && sent > 0; i++) {
            sent = send(fd, message + at, sizeof message - at, MSG_DONTWAIT | MSG_NOSIGNAL);
            at = sent > 0 ? (at + (size_t)sent) % sizeof message : at;
        }
        if (at % 4 != 0) {
            (void)!recv(fd, heard, sizeof heard, MSG_DONTWAIT);
        }
    }
}

/// Without the relay, nng stands still after ten of these on average.
static void a_bus_outlives_peers_that_reset_while_messages_go_both_ways(void)
{
    relay_of_bus = peers_relay_create();
    uint16_t inner = open_bus();
    struct peers_address outside = local(0);
    tap_check(peers_relay_listen(relay_of_bus, &outside, inner) == 0);
    for (uint32_t round = 1; round <= 150; round++) {
        int fd = greet(outside.port);
        await(&ups, round, "pipes that came");
        stream(fd, 1 + round % 8);
        reset(fd);
        await(&downs, round, "pipes that went");
    }
    tap_check(strangers == 0);
    close(greet(inner)); // past the relay
    await(&strangers, 1, "strangers");
    await(&downs, 151, "pipes that went");
    nng_aio_stop(receive);
    nng_close(bus);
    nng_aio_free(receive);
    peers_relay_destroy(relay_of_bus);
}

#if defined(__SANITIZE_ADDRESS__)
const char *__lsan_default_suppressions(void);
/// nng 1.5.2 loses the message that it is writing in the moment in which its pipe is closed.
const char *__lsan_default_suppressions(void)
{
    return "leak:libnng";
}
#endif

int main(int argc, char **argv)
{
#define NAMED(test)                                                                                \
    {                                                                                              \
#test, test                                                                                \
    }
    const struct tap_test tests[] = {
        NAMED(bytes_cross_whole_and_in_order_however_late_they_are_read),
        NAMED(a_peer_that_resets_ends_what_is_read_and_fails_no_write),
        NAMED(nng_sees_no_end_while_it_is_in_the_middle_of_a_message),
        NAMED(what_was_said_last_arrives_before_the_end),
        NAMED(a_gate_leads_to_its_address_by_name_or_number),
        NAMED(a_gate_to_nowhere_ends_what_is_read_and_leaves_nothing_behind),
        NAMED(a_bus_outlives_peers_that_reset_while_messages_go_both_ways),
    };
    return tap_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
