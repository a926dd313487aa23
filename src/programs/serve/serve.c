// SPDX-License-Identifier: MIT
// Implements programs/serve/serve.h: opens everything in order, runs the loop, closes it again.
#include "programs/serve/serve_impl.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <weft/weft.h>

#include "io/address.h"
#include "io/clock_system.h"
#include "io/entropy_system.h"
#include "io/http_origin.h"
#include "io/seal.h"
#include "node/limits.h"
#include "web/web.h"

// lws and nng keep a table entry for every descriptor that the process may open.
#define DESCRIPTORS_MAX 65536U
// Of these, clients leave so many, or a quarter when there are few, to peers, admin port and files.
#define DESCRIPTORS_KEPT 1024U
#define MAP_BYTES_MAX (UINT64_C(1) << 40)
#define HELD_BODIES 4 // of the largest documents at once, in bodies and answers

struct serve_options serve_options_default(void)
{
    return (struct serve_options){.data_path = SERVE_DATA_DEFAULT,
                                  .listen = SERVE_LISTEN_DEFAULT,
                                  .gossip = SERVE_GOSSIP_DEFAULT,
                                  .admin = SERVE_ADMIN_DEFAULT,
                                  .limits = {.document_name_bytes_max = LIMIT_NAME_BYTES,
                                             .frame_bytes_max = LIMIT_FRAME_BYTES,
                                             .document_bytes_max = LIMIT_DOCUMENT_BYTES,
                                             .clients_max = LIMIT_CLIENTS,
                                             .requests_max = LIMIT_REQUESTS},
                                  .map_bytes_max = MAP_BYTES_MAX,
                                  .heartbeat_ms = HEARTBEAT_MS,
                                  .log_format = LOG_TEXT,
                                  .log_level = NODE_LOG_INFO};
}

/// One line on stderr.
static int refuse(int code, const char *what, const char *why)
{
    fprintf(stderr, "weft serve: %s%s%s\n", what, why[0] != '\0' ? ": " : "", why);
    return code;
}

// ----------------------------------------------------------------------------------------- opening

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
        (void)setrlimit(RLIMIT_NOFILE, &limit); // then there are fewer, and the listeners wait
    }
}

/// How many connections the clients' port may hold.
static uint32_t count_connections(const struct serve_options *options)
{
    struct rlimit limit;
    uint32_t wanted = options->limits.clients_max + options->limits.requests_max;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wanted;
    }
    rlim_t kept = limit.rlim_cur / 4 < DESCRIPTORS_KEPT ? limit.rlim_cur / 4 : DESCRIPTORS_KEPT;
    rlim_t left = limit.rlim_cur - kept;
    return left < wanted ? (uint32_t)left : wanted;
}

static void receive(void *context, const struct node_event *event)
{
    struct serve *serve = context;
    node_step(serve->node, event);
}

static bool open_loop(struct serve *serve)
{
    struct loop *loop = &serve->loop;
    if (!loop_init(loop, receive, serve)) {
        return false;
    }
    uv_timer_init(&loop->uv, &serve->watch);
    uv_signal_init(&loop->uv, &serve->signals[0]);
    uv_signal_init(&loop->uv, &serve->signals[1]);
    bool ok = uv_async_init(&loop->uv, &serve->store_wake, serve_store_woken) == 0 &&
              uv_async_init(&loop->uv, &serve->backup_wake, serve_backup_woken) == 0;
    serve->watch.data = serve;
    serve->signals[0].data = serve;
    serve->signals[1].data = serve;
    serve->store_wake.data = serve;
    serve->backup_wake.data = serve;
    return ok;
}

static int open_store(struct serve *serve)
{
    char error[STORE_LMDB_ERROR_BYTES];
    struct store_lmdb_options options = {.path = serve->options->data_path,
                                         .map_bytes_max = serve->options->map_bytes_max,
                                         .completed = serve_store_completed,
                                         .context = serve};
    enum weft_status status = store_lmdb_open(&serve->store, &options, error);
    if (status == WEFT_OK) {
        return SERVE_DONE;
    }
    bool damaged = status == WEFT_MALFORMED || status == WEFT_UNSUPPORTED;
    return refuse(damaged ? SERVE_DAMAGED : SERVE_REFUSED, error, "");
}

static int open_clients(struct serve *serve)
{
    const struct serve_options *options = serve->options;
    char error[SERVE_ERROR_BYTES];
    struct address address;
    struct http_origins origins = {.allowed = options->allow_origins,
                                   .count = options->allow_origin_count};
    origins.loopback =
        address_parse(&address, span_of_text(options->listen), -1) && address_is_loopback(&address);
    struct http_api_config http = {.loop = &serve->loop,
                                   .origins = origins,
                                   .page = web_editor(),
                                   .connections_max = options->limits.requests_max,
                                   .name_bytes_max = options->limits.document_name_bytes_max,
                                   .body_bytes_max = options->limits.document_bytes_max,
                                   .held_bytes_max =
                                       HELD_BODIES * options->limits.document_bytes_max};
    if (http_api_create(&serve->http, &http) != WEFT_OK) {
        return refuse(SERVE_REFUSED, "out of memory", "");
    }
    struct clients_config clients = {.loop = &serve->loop,
                                     .listen = options->listen,
                                     .http = serve->http,
                                     .origins = origins,
                                     .connections_max = count_connections(options),
                                     .frame_bytes_max = options->limits.frame_bytes_max,
                                     .log = log_write,
                                     .log_context = serve->log};
    enum weft_status status = clients_open(&serve->clients, &clients, error, sizeof(error));
    return status == WEFT_OK ? SERVE_DONE : refuse(serve_exit_of(status), "--listen", error);
}

static int open_admin(struct serve *serve)
{
    char error[SERVE_ERROR_BYTES];
    struct admin_config config = {.loop = &serve->loop,
                                  .listen = serve->options->admin,
                                  .sample = serve_sample,
                                  .backup = serve_back_up,
                                  .context = serve,
                                  .log = log_write,
                                  .log_context = serve->log};
    enum weft_status status = admin_open(&serve->admin, &config, error, sizeof(error));
    return status == WEFT_OK ? SERVE_DONE : refuse(serve_exit_of(status), "--admin", error);
}

static int open_peers(struct serve *serve)
{
    const struct serve_options *options = serve->options;
    char error[SERVE_ERROR_BYTES];
    struct seal_key key;
    int code = serve_read_key(&key, options, error);
    if (code != SERVE_DONE) {
        return refuse(code, error, "");
    }
    struct peers_config config = {.loop = &serve->loop.uv,
                                  .gossip_address = options->gossip,
                                  .pull_address = options->pull,
                                  .key = &key,
                                  .bus_loss_permille = options->bus_loss_permille,
                                  .event = serve_peer_event,
                                  .log = serve_peer_log,
                                  .context = serve};
    enum weft_status status = peers_open(&serve->peers, &config, error, sizeof(error));
    explicit_bzero(&key, sizeof(key));
    return status == WEFT_OK ? SERVE_DONE
                             : refuse(serve_exit_of(status), "--gossip or --pull", error);
}

static int open_node(struct serve *serve)
{
    const struct serve_options *options = serve->options;
    char client_address[ADDRESS_TEXT_BYTES];
    struct span *seeds = calloc(options->join_count + 1, sizeof(*seeds));
    if (seeds == NULL) {
        return refuse(SERVE_REFUSED, "out of memory", "");
    }
    for (size_t i = 0; i < options->join_count; i++) {
        seeds[i] = span_of_text(options->joins[i]);
    }
    address_format(client_address, clients_address(serve->clients));
    struct node_config config = {
        .allocator = weft_allocator_libc(),
        .clock = clock_system(),
        .entropy = entropy_system(),
        .store = store_lmdb_port(serve->store),
        .links = &serve->links,
        .name = span_of_text(options->node_name != NULL ? options->node_name : ""),
        .gossip_address = span_of_text(peers_gossip_address(serve->peers)),
        .pull_address = span_of_text(peers_pull_address(serve->peers)),
        .client_address = span_of_text(client_address),
        .seeds = seeds,
        .seed_count = options->join_count,
        .limits = options->limits,
        .heartbeat_ms = options->heartbeat_ms,
        .log = log_write,
        .log_context = serve->log};
    enum weft_status status = node_create(&serve->node, &config);
    free(seeds);
    if (status == WEFT_OK) {
        log_set_node(serve->log, node_name(serve->node));
        return SERVE_DONE;
    }
    bool damaged = status == WEFT_MALFORMED || status == WEFT_UNSUPPORTED;
    return refuse(damaged ? SERVE_DAMAGED : SERVE_REFUSED, options->data_path,
                  weft_status_text(status));
}

static int open_all(struct serve *serve)
{
    if (!open_loop(serve)) {
        return refuse(SERVE_REFUSED, "the system gives no event loop", "");
    }
    int code = open_store(serve);
    code = code ? code : open_clients(serve);
    code = code ? code : open_admin(serve);
    code = code ? code : open_peers(serve);
    return code ? code : open_node(serve);
}

// ----------------------------------------------------------------------------------------- running

static void announce(struct serve *serve)
{
    char client[ADDRESS_TEXT_BYTES];
    char admin[ADDRESS_TEXT_BYTES];
    address_format(client, clients_address(serve->clients));
    address_format(admin, admin_address(serve->admin));
    printf("weft %s: %s is ready, its data is in %s\n"
           "  editor and clients  http://%s/\n"
           "  metrics and health  http://%s/metrics\n"
           "  to add a node       weft serve --join %s\n",
           serve->version, node_name(serve->node), serve->options->data_path, client, admin,
           peers_gossip_address(serve->peers));
    fflush(stdout);
    serve->announced = true;
}

static void ticked(uv_timer_t *timer)
{
    struct serve *serve = timer->data;
    if (!serve->announced && node_unready(serve->node) == 0) {
        announce(serve);
    }
    serve_drain_tick(serve);
}

static void run(struct serve *serve)
{
    serve_watch_signals(serve);
    uv_timer_start(&serve->watch, ticked, 0, LOOP_TICK_MS);
    clients_start(serve->clients);
    admin_start(serve->admin);
    loop_run(&serve->loop);
}

/// Also what open_all() left half open.
static void close_all(struct serve *serve)
{
    node_destroy(serve->node);
    admin_close(serve->admin);
    clients_close(serve->clients);
    http_api_destroy(serve->http);
    peers_close(serve->peers);
    store_lmdb_close(serve->store); // waits for a backup, which still wakes us
    uv_handle_t *handles[] = {(uv_handle_t *)&serve->watch, (uv_handle_t *)&serve->signals[0],
                              (uv_handle_t *)&serve->signals[1], (uv_handle_t *)&serve->store_wake,
                              (uv_handle_t *)&serve->backup_wake};
    for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
        if (handles[i]->loop != NULL) {
            uv_close(handles[i], NULL);
        }
    }
    if (serve->watch.loop != NULL) {
        loop_finish(&serve->loop);
    }
}

int serve_run(const struct serve_options *options)
{
    struct serve serve = {.options = options, .backup.lock = PTHREAD_MUTEX_INITIALIZER};
    char error[SERVE_ERROR_BYTES];
    int code = serve_check(options, error);
    if (code != SERVE_DONE) {
        return refuse(code, error, "");
    }
    if (!seal_start() ||
        log_open(&serve.log, STDERR_FILENO, options->log_format, options->log_level) != WEFT_OK) {
        return refuse(SERVE_REFUSED, "no random source, no thread or no memory", "");
    }
    snprintf(serve.version, sizeof(serve.version), "%d.%d.%d", WEFT_VERSION_MAJOR,
             WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
    signal(SIGPIPE, SIG_IGN);
    allow_descriptors();
    serve_connect(&serve);
    code = open_all(&serve);
    if (code == SERVE_DONE) {
        run(&serve);
    }
    close_all(&serve);
    log_close(serve.log);
    return code;
}
