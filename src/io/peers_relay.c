// SPDX-License-Identifier: MIT
// Implements io/peers_relay.h.
#include "io/peers_relay.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <uv.h>

#include "base/endian.h"
#include "io/peers_base.h"

#define SCRATCH_BYTES (256U << 10)
#define FRAME_HEADER_BYTES 8 // the greeting, and the length before each message
#define HUSH_TICK_MS 10
#define HUSH_TICKS_MAX 1000 // then nng is not waited for any more
/// A message that a socket of the loopback may not take at once even when it is empty, and how long
/// after one the next may still be expected.
#define LARGE_BYTES (5U << 18)
#define LARGE_ROW_MS 300
#define BACKLOG 1024
#define SERVICE_BYTES 8
#define HOST_BYTES 256 // a name, and the end of the string

struct relay_link;

/// A port that is listened on, and where its connections go on to.
struct relay_gate {
    struct mail opening, closing;
    struct peers_relay *relay;
    struct relay_gate *next; // under the relay's lock
    bool inward;             // peers come in here; else nng goes out
    uint16_t port;
    int fd;
    char host[HOST_BYTES], service[SERVICE_BYTES];
    unsigned turn; // which of the addresses of `host` is next; the relay's thread
    uv_tcp_t listener;
};

struct relay_end {
    struct relay_link *link;
    bool open;   // `tcp` was made and is not being closed
    bool ending; // `shutdown` is under way
    uv_tcp_t tcp;
    uv_shutdown_t shutdown;
};

/// Where nng is in what it writes: a greeting, then messages with their length before them.
struct relay_frames {
    bool greeted;
    uint8_t header[FRAME_HEADER_BYTES];
    size_t header_size;
    uint64_t body_left;
    bool large;        // this one, or the last one
    uint64_t large_ms; // when a part of a large message came last; 0: never
};

/// One connection between nng and a peer. Relay's thread; freed when nothing of it is left in the
/// loop.
struct relay_link {
    struct peers_relay *relay;
    struct relay_link *next, **self; // under the relay's lock, as the next three
    bool inward;                     // the peer came to us
    uint16_t inner_port; // the inner end's: ours when the peer came to us, else nng's; 0: not yet
    char remote[PEERS_ADDRESS_BYTES_MAX]; // when the peer came to us
    struct relay_end inner, outer;
    uv_connect_t connect;
    uv_getaddrinfo_t resolve;
    uint16_t gate_port;       // that nng dialed
    unsigned turn;            // the gate's, when it did
    uint32_t holds;           // open handles, and a lookup under way
    bool over;                // nothing crosses any more
    bool deaf;                // nothing is read from the peer any more
    struct relay_frames said; // by nng
    uv_timer_t hush;
    bool hushing; // `hush` runs or ran
    uint32_t hush_ticks;
};

/// Has a pipe's link ended from any thread.
struct relay_cut {
    struct mail mail;
    struct peers_relay *relay;
    bool inward;
    uint16_t inner_port;
};

/// Bytes that an end did not take at once.
struct relay_parcel {
    uv_write_t request;
    struct relay_end *from;
    char bytes[];
};

struct peers_relay {
    uv_loop_t loop;
    pthread_t thread;
    struct mailbox mailbox;
    struct mail ending;
    bool ends; // no link may stay for long
    uv_timer_t patience;
    pthread_mutex_t lock;
    struct relay_gate *gates; // under the lock, as the next one
    struct relay_link *links;
    uint32_t link_count;
    char scratch[SCRATCH_BYTES];
};

// ---------------------------------------------------------------------------------- ends of links

static struct relay_end *other_end(struct relay_end *end)
{
    return end == &end->link->inner ? &end->link->outer : &end->link->inner;
}

static void finish_loop(struct peers_relay *relay)
{
    uv_close((uv_handle_t *)&relay->patience, NULL);
    uv_close((uv_handle_t *)&relay->mailbox.async, NULL);
}

static void release(struct relay_link *link)
{
    struct peers_relay *relay = link->relay;
    if (--link->holds > 0) {
        return;
    }
    pthread_mutex_lock(&relay->lock);
    *link->self = link->next;
    if (link->next != NULL) {
        link->next->self = link->self;
    }
    pthread_mutex_unlock(&relay->lock);
    free(link);
    if (--relay->link_count == 0 && relay->ends) {
        finish_loop(relay);
    }
}

static void end_is_closed(uv_handle_t *handle)
{
    release(((struct relay_end *)handle->data)->link);
}

static void close_end(struct relay_end *end)
{
    if (end->open) {
        end->open = false;
        uv_close((uv_handle_t *)&end->tcp, end_is_closed);
    }
}

static void open_end(struct relay_end *end, struct relay_link *link)
{
    end->link = link;
    uv_tcp_init(&link->relay->loop, &end->tcp);
    end->tcp.data = end;
    end->open = true;
    link->holds++;
}

static void read_from(struct relay_end *end);

static void is_shut(uv_shutdown_t *request, int status)
{
    struct relay_end *end = request->data;
    if (status != 0 || end == &end->link->outer) {
        close_end(end);
    }
}

/// Ends what the other side of this end reads, behind all that it has yet to get.
static void shut_end(struct relay_end *end)
{
    if (!end->open || end->ending) {
        return;
    }
    end->ending = true;
    end->shutdown.data = end;
    if (uv_shutdown(&end->shutdown, (uv_stream_t *)&end->tcp, is_shut) != 0) {
        close_end(end); // it is not connected, or its other side is gone
    }
}

static void follow_frames(struct relay_frames *frames, const char *bytes, size_t size)
{
    while (size > 0) {
        size_t body = size < frames->body_left ? size : (size_t)frames->body_left;
        frames->body_left -= body;
        bytes += body;
        size -= body;
        if (size == 0) {
            return;
        }
        frames->header[frames->header_size++] = (uint8_t)*bytes++;
        size--;
        if (frames->header_size == FRAME_HEADER_BYTES) {
            frames->body_left = frames->greeted ? endian_get_be64(frames->header) : 0;
            frames->large = frames->body_left >= LARGE_BYTES;
            frames->greeted = true;
            frames->header_size = 0;
        }
    }
}

/// Whether nng may see the end now: its last message is out whole, and it is not sending large
/// ones, of which the next could be half written by now.
static bool may_end(const struct relay_link *link)
{
    int unread = 0;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&link->inner.tcp, &fd) == 0) {
        (void)ioctl(fd, FIONREAD, &unread);
    }
    bool whole = link->said.header_size == 0 && link->said.body_left == 0 && unread == 0;
    bool row =
        link->said.large_ms > 0 && uv_now(&link->relay->loop) - link->said.large_ms < LARGE_ROW_MS;
    return (whole && !row) || link->hush_ticks > HUSH_TICKS_MAX;
}

static void lose_end(struct relay_end *end);

static void hush_is_closed(uv_handle_t *handle)
{
    release(handle->data);
}

static void tick_hush(uv_timer_t *timer)
{
    struct relay_link *link = timer->data;
    link->hush_ticks++;
    if (link->outer.open && uv_stream_get_write_queue_size((uv_stream_t *)&link->outer.tcp) > 0) {
        lose_end(&link->outer); // it takes nothing, so nng cannot come to an end of its message
    } else if (!link->inner.open || may_end(link)) {
        shut_end(&link->inner);
        uv_close((uv_handle_t *)timer, hush_is_closed);
    }
}

/// Ends what nng reads as soon as that is harmless.
static void hush(struct relay_link *link)
{
    if (link->hushing || !link->inner.open) {
        return;
    }
    link->hushing = true;
    link->holds++;
    uv_timer_init(&link->relay->loop, &link->hush);
    link->hush.data = link;
    uv_timer_start(&link->hush, tick_hush, HUSH_TICK_MS, HUSH_TICK_MS);
}

/// One end is of no use any more. The inner one stays until nng has closed its side; the outer one
/// until the peer has what nng said last.
static void lose_end(struct relay_end *end)
{
    struct relay_link *link = end->link;
    link->over = true;
    close_end(end);
    if (end == &link->outer) {
        hush(link);
    } else {
        shut_end(&link->outer);
    }
    read_from(other_end(end)); // and forget it
}

// -------------------------------------------------------------------------------------- passing on

static void is_written(uv_write_t *request, int status)
{
    struct relay_parcel *parcel = (struct relay_parcel *)request;
    struct relay_end *from = parcel->from, *to = other_end(parcel->from);
    free(parcel);
    if (status != 0) {
        if (to->open) {
            lose_end(to);
        }
    } else if (uv_stream_get_write_queue_size((uv_stream_t *)&to->tcp) == 0) {
        read_from(from);
    }
}

static void write_later(struct relay_end *from, const char *bytes, size_t size)
{
    struct relay_end *to = other_end(from);
    uv_stream_t *stream = (uv_stream_t *)&to->tcp;
    struct relay_parcel *parcel = malloc(sizeof *parcel + size);
    if (parcel == NULL) {
        lose_end(&from->link->outer);
        return;
    }
    parcel->from = from;
    memcpy(parcel->bytes, bytes, size);
    uv_buf_t buffer = uv_buf_init(parcel->bytes, (unsigned)size);
    if (uv_write(&parcel->request, stream, &buffer, 1, is_written) != 0) {
        free(parcel);
        lose_end(to);
    } else if (uv_stream_get_write_queue_size(stream) >= PEERS_RELAY_AHEAD_BYTES) {
        uv_read_stop((uv_stream_t *)&from->tcp);
    }
}

static void came(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer)
{
    struct relay_end *from = stream->data, *to = other_end(from);
    if (size < 0) {
        lose_end(from);
        return;
    }
    if (from == &from->link->inner) {
        struct relay_frames *said = &from->link->said;
        follow_frames(said, buffer->base, (size_t)size);
        said->large_ms = said->large ? uv_now(&from->link->relay->loop) : said->large_ms;
    }
    if (size == 0 || from->link->over) {
        return;
    }
    uv_buf_t bytes = uv_buf_init(buffer->base, (unsigned)size);
    int written = uv_try_write((uv_stream_t *)&to->tcp, &bytes, 1);
    if (written < 0 && written != UV_EAGAIN) {
        lose_end(to);
    } else if (written < size) {
        size_t done = written < 0 ? 0 : (size_t)written;
        write_later(from, buffer->base + done, (size_t)size - done);
    }
}

static void give_scratch(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct relay_end *end = handle->data;
    (void)suggested;
    *buffer = uv_buf_init(end->link->relay->scratch, SCRATCH_BYTES);
}

/// Reads on, or goes on reading.
static void read_from(struct relay_end *end)
{
    bool unheard = end == &end->link->outer && end->link->deaf && !end->link->over;
    if (end->open && !unheard) {
        uv_read_start((uv_stream_t *)&end->tcp, give_scratch, came);
    }
}

// --------------------------------------------------------------------------------------- new links

/// IPv4 and IPv6 have it at the same place.
static uint16_t port_of(const struct sockaddr_storage *address)
{
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/// Of a link to a peer that came to us, or to which nng goes.
static void note_addresses(struct relay_link *link)
{
    struct sockaddr_storage inner, remote;
    int inner_size = sizeof inner, remote_size = sizeof remote;
    char host[INET6_ADDRSTRLEN] = "?";
    int failed = link->inward
                     ? uv_tcp_getsockname(&link->inner.tcp, (struct sockaddr *)&inner, &inner_size)
                     : uv_tcp_getpeername(&link->inner.tcp, (struct sockaddr *)&inner, &inner_size);
    bool known = link->inward && uv_tcp_getpeername(&link->outer.tcp, (struct sockaddr *)&remote,
                                                    &remote_size) == 0;
    pthread_mutex_lock(&link->relay->lock);
    link->inner_port = failed == 0 ? port_of(&inner) : 0;
    if (known) {
        uv_ip_name((struct sockaddr *)&remote, host, sizeof host);
        snprintf(link->remote, sizeof link->remote,
                 remote.ss_family == AF_INET6 ? "[%s]:%u" : "%s:%u", host, port_of(&remote));
    }
    pthread_mutex_unlock(&link->relay->lock);
}

static void watch_for_silence(struct relay_end *outer)
{
    uv_os_fd_t fd;
    unsigned silence_ms = PEERS_RELAY_SILENCE_MS;
    if (uv_fileno((uv_handle_t *)&outer->tcp, &fd) == 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
    }
    uv_tcp_nodelay(&outer->tcp, 1);
}

/// nng is reached: the peer who came in may speak.
static void inner_is_connected(uv_connect_t *request, int status)
{
    struct relay_link *link = request->data;
    if (!link->inner.open) {
        return;
    }
    if (status != 0) {
        lose_end(&link->inner);
        return;
    }
    uv_tcp_nodelay(&link->inner.tcp, 1);
    note_addresses(link);
    read_from(&link->inner);
    read_from(&link->outer);
}

/// A name may have addresses at which nobody listens: nng, which dials again, gets the next one.
static void give_up_address(struct relay_link *link)
{
    pthread_mutex_lock(&link->relay->lock);
    for (struct relay_gate *gate = link->relay->gates; gate != NULL; gate = gate->next) {
        if (gate->port == link->gate_port && gate->turn == link->turn) {
            gate->turn++;
        }
    }
    pthread_mutex_unlock(&link->relay->lock);
    lose_end(&link->outer);
}

/// The peer is reached.
static void outer_is_connected(uv_connect_t *request, int status)
{
    struct relay_link *link = request->data;
    if (!link->outer.open) {
        return;
    }
    if (status != 0) {
        give_up_address(link);
        return;
    }
    read_from(&link->outer);
}

/// What nng says meanwhile waits for the connection; its end is seen at once.
static void connect_outer(struct relay_link *link, const struct sockaddr *address)
{
    open_end(&link->outer, link);
    if (uv_tcp_connect(&link->connect, &link->outer.tcp, address, outer_is_connected) != 0) {
        give_up_address(link);
        return;
    }
    watch_for_silence(&link->outer);
    read_from(&link->inner);
}

/// The one whose turn it is.
static const struct sockaddr *pick_address(const struct addrinfo *found, unsigned turn)
{
    unsigned count = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        count++;
    }
    for (turn %= count; turn > 0; turn--) {
        found = found->ai_next;
    }
    return found->ai_addr;
}

static void is_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct relay_link *link = request->data;
    link->outer.link = link;
    if (status != 0) {
        lose_end(&link->outer); // which was never opened
    } else if (link->inner.open) {
        connect_outer(link, pick_address(found, link->turn));
    }
    uv_freeaddrinfo(found);
    release(link);
}

static void resolve(struct relay_link *link, const struct relay_gate *gate)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    uv_loop_t *loop = &link->relay->loop;
    link->holds++;
    link->gate_port = gate->port;
    link->turn = gate->turn;
    link->resolve.data = link;
    int failed = uv_getaddrinfo(loop, &link->resolve, NULL, gate->host, gate->service, &hints);
    if (failed == 0) {
        is_resolved(&link->resolve, 0, link->resolve.addrinfo);
        return;
    }
    hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
    failed = uv_getaddrinfo(loop, &link->resolve, is_resolved, gate->host, gate->service, &hints);
    if (failed != 0) {
        is_resolved(&link->resolve, failed, NULL);
    }
}

static void connect_inner(struct relay_link *link, const struct relay_gate *gate)
{
    struct sockaddr_in address;
    uv_ip4_addr(gate->host, atoi(gate->service), &address);
    open_end(&link->inner, link);
    watch_for_silence(&link->outer);
    if (uv_tcp_connect(&link->connect, &link->inner.tcp, (struct sockaddr *)&address,
                       inner_is_connected) != 0) {
        lose_end(&link->inner);
    }
}

static struct relay_link *make_link(struct peers_relay *relay, bool inward)
{
    struct relay_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return NULL;
    }
    link->relay = relay;
    link->inward = inward;
    link->inner.link = link->outer.link = link;
    link->connect.data = link;
    pthread_mutex_lock(&relay->lock);
    link->next = relay->links;
    link->self = &relay->links;
    if (link->next != NULL) {
        link->next->self = &link->next;
    }
    relay->links = link;
    pthread_mutex_unlock(&relay->lock);
    relay->link_count++;
    return link;
}

static void someone_came(uv_stream_t *listener, int status)
{
    struct relay_gate *gate = listener->data;
    struct relay_link *link = status == 0 ? make_link(gate->relay, gate->inward) : NULL;
    if (link == NULL) {
        return;
    }
    struct relay_end *near = gate->inward ? &link->outer : &link->inner;
    open_end(near, link);
    if (uv_accept(listener, (uv_stream_t *)&near->tcp) != 0 ||
        gate->relay->link_count > PEERS_RELAY_LINKS_MAX) {
        close_end(near);
    } else if (gate->inward) {
        connect_inner(link, gate);
    } else {
        uv_tcp_nodelay(&near->tcp, 1);
        note_addresses(link);
        resolve(link, gate);
    }
}

// ------------------------------------------------------------------------------------------- gates

static void gate_is_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void deliver_opening(struct mail *mail, bool live)
{
    struct relay_gate *gate = (struct relay_gate *)mail;
    (void)live;
    uv_tcp_init(&gate->relay->loop, &gate->listener);
    gate->listener.data = gate;
    if (uv_tcp_open(&gate->listener, gate->fd) != 0) {
        close(gate->fd); // who connects is refused, and tries again
    } else {
        uv_listen((uv_stream_t *)&gate->listener, BACKLOG, someone_came);
    }
}

static void deliver_closing(struct mail *mail, bool live)
{
    struct relay_gate *gate =
        (struct relay_gate *)((char *)mail - offsetof(struct relay_gate, closing));
    (void)live;
    uv_close((uv_handle_t *)&gate->listener, gate_is_closed);
}

static int errno_of(int error)
{
    switch (error) {
    case EADDRINUSE:
        return NNG_EADDRINUSE;
    case EADDRNOTAVAIL:
        return NNG_EADDRINVAL;
    case ENOMEM:
        return NNG_ENOMEM;
    default:
        return NNG_ESYSERR + error;
    }
}

/// A gate that listens. @return 0 or an error of nng.
static int make_gate(struct relay_gate **gate_out, const struct sockaddr *address, socklen_t size)
{
    int one = 1;
    struct sockaddr_storage bound;
    socklen_t bound_size = sizeof bound;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno_of(errno);
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_size) != 0) {
        int error = errno;
        close(fd);
        return errno_of(error);
    }
    struct relay_gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL) {
        close(fd);
        return NNG_ENOMEM;
    }
    gate->fd = fd;
    gate->port = port_of(&bound);
    gate->opening.deliver = deliver_opening;
    gate->closing.deliver = deliver_closing;
    *gate_out = gate;
    return 0;
}

/// Says where the gate's connections go on to, and opens it.
static void open_gate(struct peers_relay *relay, struct relay_gate *gate, const char *host,
                      uint16_t port)
{
    gate->relay = relay;
    snprintf(gate->host, sizeof gate->host, "%s", host);
    snprintf(gate->service, sizeof gate->service, "%u", port);
    pthread_mutex_lock(&relay->lock);
    gate->next = relay->gates;
    relay->gates = gate;
    pthread_mutex_unlock(&relay->lock);
    mailbox_post(&relay->mailbox, &gate->opening);
}

/// The host of an address as resolvers take it: without brackets.
static void write_host(char host[HOST_BYTES], const struct peers_address *address)
{
    const char *start = address->text + strlen("tcp://");
    size_t brackets = start[0] == '[' ? 1 : 0;
    snprintf(host, HOST_BYTES, "%.*s", (int)(address->host_size - 2 * brackets), start + brackets);
}

int peers_relay_listen(struct peers_relay *relay, struct peers_address *address,
                       uint16_t inner_port)
{
    char host[HOST_BYTES], service[SERVICE_BYTES];
    write_host(host, address);
    snprintf(service, sizeof service, "%u", address->port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(host, service, &hints, &found) != 0) {
        return NNG_EADDRINVAL;
    }
    struct relay_gate *gate;
    int failed = make_gate(&gate, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    if (failed == 0) {
        gate->inward = true;
        *address = peers_address_with_port(address, gate->port);
        open_gate(relay, gate, "127.0.0.1", inner_port);
    }
    return failed;
}

uint16_t peers_relay_open_gate(struct peers_relay *relay, const struct peers_address *to)
{
    struct sockaddr_in loopback = {.sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct relay_gate *gate;
    char host[HOST_BYTES];
    if (make_gate(&gate, (struct sockaddr *)&loopback, sizeof loopback) != 0) {
        return 0;
    }
    uint16_t port = gate->port;
    write_host(host, to);
    open_gate(relay, gate, host, to->port);
    return port;
}

void peers_relay_close_gate(struct peers_relay *relay, uint16_t port)
{
    pthread_mutex_lock(&relay->lock);
    struct relay_gate **at = &relay->gates;
    while (*at != NULL && ((*at)->inward || (*at)->port != port)) {
        at = &(*at)->next;
    }
    struct relay_gate *gate = *at;
    if (gate != NULL) {
        *at = gate->next;
    }
    pthread_mutex_unlock(&relay->lock);
    if (gate != NULL) {
        mailbox_post(&relay->mailbox, &gate->closing);
    }
}

/// Under the lock. The link under a pipe; NULL when there is none.
static struct relay_link *find_link(const struct peers_relay *relay, bool inward, uint16_t port)
{
    struct relay_link *link = relay->links;
    while (link != NULL && (port == 0 || link->inner_port != port || link->inward != inward)) {
        link = link->next;
    }
    return link;
}

static bool came_in(nng_pipe pipe)
{
    return nng_dialer_id(nng_pipe_dialer(pipe)) <= 0;
}

static uint16_t port_at(nng_pipe pipe, const char *end)
{
    nng_sockaddr address = {0};
    (void)nng_pipe_get_addr(pipe, end, &address);
    return peers_address_port(&address);
}

bool peers_relay_brought(struct peers_relay *relay, nng_pipe pipe)
{
    uint16_t port = port_at(pipe, NNG_OPT_REMADDR);
    pthread_mutex_lock(&relay->lock);
    bool brought = !came_in(pipe) || find_link(relay, true, port) != NULL;
    pthread_mutex_unlock(&relay->lock);
    return brought;
}

static void deliver_cut(struct mail *mail, bool live)
{
    struct relay_cut *cut = (struct relay_cut *)mail;
    (void)live;
    pthread_mutex_lock(&cut->relay->lock);
    struct relay_link *link = find_link(cut->relay, cut->inward, cut->inner_port);
    pthread_mutex_unlock(&cut->relay->lock);
    free(cut);
    if (link == NULL || link->over) {
        return; // it is gone, or on its way
    }
    link->deaf = true;
    if (link->outer.open) {
        uv_read_stop((uv_stream_t *)&link->outer.tcp);
    }
    hush(link);
}

void peers_relay_cut(struct peers_relay *relay, nng_pipe pipe)
{
    struct relay_cut *cut = calloc(1, sizeof *cut);
    if (cut == NULL) {
        return; // who wants it gone will want it again
    }
    cut->mail.deliver = deliver_cut;
    cut->relay = relay;
    cut->inward = came_in(pipe);
    cut->inner_port = port_at(pipe, cut->inward ? NNG_OPT_REMADDR : NNG_OPT_LOCADDR);
    mailbox_post(&relay->mailbox, &cut->mail);
}

void peers_relay_show(struct peers_relay *relay, nng_pipe pipe, char *text, size_t size)
{
    uint16_t port = port_at(pipe, NNG_OPT_REMADDR);
    bool inward = came_in(pipe);
    pthread_mutex_lock(&relay->lock);
    const struct relay_link *link = inward ? find_link(relay, true, port) : NULL;
    const struct relay_gate *gate = relay->gates;
    while (gate != NULL && (inward || gate->inward || gate->port != port)) {
        gate = gate->next;
    }
    if (link != NULL) {
        snprintf(text, size, "%s", link->remote);
    } else if (gate != NULL) {
        snprintf(text, size, "%s:%s", gate->host, gate->service);
    } else {
        snprintf(text, size, "?");
    }
    pthread_mutex_unlock(&relay->lock);
}

// -------------------------------------------------------------------------------- opening, closing

static void run_out_of_patience(uv_timer_t *timer)
{
    struct peers_relay *relay = timer->data;
    for (struct relay_link *link = relay->links; link != NULL; link = link->next) {
        close_end(&link->inner);
        close_end(&link->outer);
    }
}

static void deliver_ending(struct mail *mail, bool live)
{
    struct peers_relay *relay =
        (struct peers_relay *)((char *)mail - offsetof(struct peers_relay, ending));
    (void)live;
    relay->ends = true;
    while (relay->gates != NULL) {
        struct relay_gate *gate = relay->gates;
        relay->gates = gate->next;
        uv_close((uv_handle_t *)&gate->listener, gate_is_closed);
    }
    if (relay->link_count == 0) {
        finish_loop(relay);
    } else {
        uv_timer_start(&relay->patience, run_out_of_patience, PEERS_CLOSE_SECONDS * 1000, 0);
    }
}

static void *run(void *argument)
{
    struct peers_relay *relay = argument;
    uv_run(&relay->loop, UV_RUN_DEFAULT);
    pthread_mutex_lock(&relay->lock); // who posted `ending` may still be about to wake the loop
    pthread_mutex_unlock(&relay->lock);
    uv_loop_close(&relay->loop);
    mailbox_finish(&relay->mailbox);
    pthread_mutex_destroy(&relay->lock);
    free(relay);
    return NULL;
}

/// Starts the thread with all signals blocked: they are the process's, and SIGPIPE is nobody's.
static bool start(struct peers_relay *relay)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&relay->thread, NULL, run, relay) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct peers_relay *peers_relay_create(void)
{
    struct peers_relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL || uv_loop_init(&relay->loop) != 0) {
        free(relay);
        return NULL;
    }
    relay->ending.deliver = deliver_ending;
    if (!mailbox_init(&relay->mailbox, &relay->loop)) {
        uv_loop_close(&relay->loop);
        free(relay);
        return NULL;
    }
    pthread_mutex_init(&relay->lock, NULL);
    uv_timer_init(&relay->loop, &relay->patience);
    relay->patience.data = relay;
    if (!start(relay)) {
        finish_loop(relay);
        run(relay);
        return NULL;
    }
    return relay;
}

void peers_relay_destroy(struct peers_relay *relay)
{
    if (relay == NULL) {
        return;
    }
    struct timespec until;
    pthread_t thread = relay->thread;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 2 * PEERS_CLOSE_SECONDS;
    pthread_mutex_lock(&relay->lock);
    mailbox_post(&relay->mailbox, &relay->ending);
    pthread_mutex_unlock(&relay->lock);
    if (pthread_timedjoin_np(thread, NULL, &until) != 0) {
        pthread_detach(thread); // it waits for a name server, and frees all when that answered
    }
}
