// SPDX-License-Identifier: MIT
// weft replay: plays an editing history into a cluster, as its author would have typed it.
//
// There is one replica. A sequential trace is edited into it, patch by patch, by a fresh agent. A
// concurrent trace is merged locally first, by its own agents, and its transactions then enter the
// replica one by one in their order. Every N edits it moves to the next node, as a laptop does
// between networks; edits go on meanwhile, and on each connect all that the node lacks is sent.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"
#include "programs/cli/follow.h"
#include "programs/cli/interrupt.h"
#include "programs/cli/output.h"
#include "programs/trace/replay.h"
#include "programs/trace/trace.h"

#define BACKLOG_ATOMS 8192  // edits ahead of the acks; past that typing waits
#define PATCHES_PER_STEP 32 // between two looks at the network
#define JOIN_MS 20000       // for any node to answer at first
#define STALL_MS 60000      // without an ack: nobody is there
#define PROGRESS_MS 200
#define WAIT_MS 100

struct playing {
    const struct arguments *arguments;
    struct trace trace;
    struct replay merged; // of a concurrent trace
    struct client *client;
    uint64_t agent;
    uint64_t switch_every; // edits; 0: stays
    uint64_t rate;         // edits a second; 0: as fast as it goes
    uint64_t edits;        // patches that are in the replica
    uint64_t edits_quiet;  // of these, what was on a disk when last nothing was under way
    uint64_t switched_at;
    uint64_t moves;
    uint64_t clamped;
    uint64_t begin_ms;
    uint64_t heard_ms; // when an ack came last
    uint64_t acked;
    uint64_t progress_ms; // when progress was shown last
    bool shows_progress;
    bool verbose;
};

// --------------------------------------------------------------------------------------- progress

static void show_replayed(struct playing *playing, bool last)
{
    uint64_t at_ms = monotonic_ms();
    if (!playing->shows_progress || (!last && at_ms - playing->progress_ms < PROGRESS_MS))
        return;
    struct client_stats stats = client_stats(playing->client);
    playing->progress_ms = at_ms;
    fprintf(stderr,
            "\r%" PRIu64 "/%" PRIu32 " edits  %" PRIu64 " deltas, %" PRIu64 " on disk  %s   %s",
            playing->edits, playing->trace.patch_count, stats.deltas_sent, stats.acked_durable,
            client_url(playing->client), last ? "\n" : "");
}

static void on_notice(void *context, const struct client_notice *notice)
{
    struct playing *playing = context;
    if (notice->kind == CLIENT_NOTICE_LOST && playing->verbose)
        remark("%s; moving on", notice->text);
    if (notice->kind == CLIENT_NOTICE_JOINED && playing->verbose)
        remark("joined at %s after %" PRIu64 " edits", notice->text, playing->edits);
}

// ---------------------------------------------------------------------------------------- network

/// How many edits a node's disk is known to hold, from the first one on.
static uint64_t count_durable(const struct playing *playing)
{
    uint64_t acked = client_acked_seq(playing->client, 1);
    uint64_t edits = 0;
    if (playing->trace.concurrent)
        return playing->edits_quiet; // other agents' edits are not acked by seq
    for (; edits < playing->edits; edits++) {
        const struct trace_patch *patch = &playing->trace.patches[edits];
        struct utf8_counts text;
        struct span bytes = {trace_patch_text(&playing->trace, patch), patch->text_size};
        if (!utf8_count(&text, bytes) || acked < patch->deleted + text.scalars)
            break;
        acked -= patch->deleted + text.scalars;
    }
    return edits;
}

/// Runs the client for a moment. @return EXIT_FINE while there is hope.
static int step(struct playing *playing, uint32_t timeout_ms)
{
    if (client_wait(playing->client, timeout_ms) == CLIENT_ENDED)
        return follow_ended(playing->client);
    struct client_stats stats = client_stats(playing->client);
    if (stats.acked_durable + stats.connections != playing->acked ||
        !client_sending(playing->client)) {
        playing->acked = stats.acked_durable + stats.connections;
        playing->heard_ms = monotonic_ms();
    }
    if (!client_sending(playing->client))
        playing->edits_quiet = playing->edits;
    show_replayed(playing, false);
    if (interrupted())
        return complain(EXIT_REFUSED,
                        "interrupted after %" PRIu64 " edits; %" PRIu64 " of them are on a disk",
                        playing->edits, count_durable(playing));
    if (monotonic_ms() - playing->heard_ms > STALL_MS)
        return complain(EXIT_UNREACHABLE, "no ack for %d s; last tried %s", STALL_MS / 1000,
                        client_url(playing->client));
    return EXIT_FINE;
}

static int join(struct playing *playing)
{
    uint64_t until_ms = monotonic_ms() + JOIN_MS;
    playing->heard_ms = monotonic_ms();
    while (client_stats(playing->client).connections == 0) {
        int code = step(playing, WAIT_MS);
        if (code != EXIT_FINE)
            return code;
        if (monotonic_ms() > until_ms)
            return complain(EXIT_UNREACHABLE, "%s: no answer", client_url(playing->client));
    }
    // The node's text, if it has one, has come with the first point.
    while (!client_synced(playing->client)) {
        int code = step(playing, WAIT_MS);
        if (code != EXIT_FINE)
            return code;
    }
    if (!playing->trace.concurrent &&
        weft_doc_length(client_doc(playing->client), WEFT_SCALARS) > 0)
        return complain(EXIT_REFUSED,
                        "the document is not empty: a history is played into a new one");
    return EXIT_FINE;
}

/// Whether the replica is so far ahead of the acks that typing has to wait.
static bool too_far_ahead(const struct playing *playing)
{
    uint64_t next = weft_doc_next_seq(client_doc(playing->client), playing->agent);
    return next - client_acked_seq(playing->client, 1) > BACKLOG_ATOMS;
}

/// After some edits: sends, moves, keeps the rate, and waits when it is too far ahead.
static int breathe(struct playing *playing)
{
    if (playing->trace.concurrent)
        client_flush_all(playing->client);
    else
        client_flush(playing->client);
    int code = step(playing, 0);
    if (code == EXIT_FINE && playing->switch_every > 0 &&
        playing->edits - playing->switched_at >= playing->switch_every) {
        playing->switched_at = playing->edits;
        playing->moves++;
        client_move(playing->client);
    }
    while (code == EXIT_FINE && playing->rate > 0) {
        uint64_t due_ms = playing->begin_ms + playing->edits * 1000 / playing->rate;
        uint64_t at_ms = monotonic_ms();
        if (at_ms >= due_ms)
            break;
        uint64_t left_ms = due_ms - at_ms;
        code = step(playing, left_ms < WAIT_MS ? (uint32_t)left_ms : WAIT_MS);
    }
    while (code == EXIT_FINE && too_far_ahead(playing))
        code = step(playing, WAIT_MS);
    // Merged transactions bring many agents' edits, which no seq counts: all of them at once.
    while (code == EXIT_FINE && playing->trace.concurrent && client_sending(playing->client))
        code = step(playing, WAIT_MS);
    return code;
}

// ---------------------------------------------------------------------------------------- playing

static int play_txn(struct playing *playing, uint32_t index)
{
    const struct trace_txn *txn = &playing->trace.txns[index];
    struct weft_doc *doc = client_doc(playing->client);
    enum weft_status status;
    if (playing->trace.concurrent) {
        struct weft_apply_result result;
        size_t begin = index > 0 ? playing->merged.ends[index - 1] : 0;
        status =
            weft_doc_apply(&result, doc, WEFT_APPLY_STRICT, playing->merged.messages.data + begin,
                           playing->merged.ends[index] - begin);
    } else {
        status = replay_txn(doc, &playing->trace, txn, &playing->clamped);
    }
    playing->edits += txn->patch_count;
    if (status != WEFT_OK)
        return complain(EXIT_REFUSED, "edit %" PRIu64 ": %s", playing->edits,
                        weft_status_text(status));
    return EXIT_FINE;
}

static int play(struct playing *playing)
{
    uint64_t breathed_at = 0;
    uint64_t per_step = PATCHES_PER_STEP;
    if (playing->rate > 0 && playing->rate < PATCHES_PER_STEP * 20)
        per_step = playing->rate / 20 + 1;
    playing->begin_ms = monotonic_ms();
    for (uint32_t i = 0; i < playing->trace.txn_count; i++) {
        int code = play_txn(playing, i);
        if (code == EXIT_FINE && playing->edits - breathed_at >= per_step) {
            breathed_at = playing->edits;
            code = breathe(playing);
        }
        if (code != EXIT_FINE)
            return code;
    }
    int code = breathe(playing);
    while (code == EXIT_FINE && !client_synced(playing->client))
        code = step(playing, WAIT_MS);
    return code;
}

// ----------------------------------------------------------------------------------------- result

static bool text_is_right(struct playing *playing)
{
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    bool right = weft_doc_text(&text, client_doc(playing->client)) == WEFT_OK &&
                 text.size == playing->trace.end_size &&
                 (text.size == 0 || memcmp(text.data, playing->trace.end_text, text.size) == 0);
    weft_buffer_finish(&text);
    return right;
}

static int conclude(struct playing *playing)
{
    struct weft_digest digest;
    char hex[HEX_DIGEST_BYTES];
    struct client_stats stats = client_stats(playing->client);
    uint64_t took_ms = monotonic_ms() - playing->begin_ms;
    show_replayed(playing, true);
    if (weft_doc_digest(&digest, client_doc(playing->client)) != WEFT_OK)
        return complain(EXIT_REFUSED, "out of memory");
    hex_format(hex, digest.bytes, sizeof(digest.bytes));
    bool right = text_is_right(playing);
    uint64_t rate = playing->edits * 1000 / (took_ms > 0 ? took_ms : 1);
    json_t *result = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:b, s:s}",
        "document", arguments_value(playing->arguments, "doc"), "trace", playing->trace.name,
        "edits", (json_int_t)playing->edits, "ms", (json_int_t)took_ms, "edits_per_s",
        (json_int_t)rate, "moves", (json_int_t)playing->moves, "connections",
        (json_int_t)stats.connections, "deltas", (json_int_t)stats.deltas_sent, "bytes",
        (json_int_t)stats.bytes_sent, "acked_durable", (json_int_t)stats.acked_durable, "resent",
        (json_int_t)stats.resent, "ack_ms_p50", (double)stats.ack_us_p50 / 1000, "ack_ms_p99",
        (double)stats.ack_us_p99 / 1000, "ack_ms_max", (double)stats.ack_us_max / 1000,
        "text_equal", (int)right, "digest", hex);
    int code = output_object(playing->arguments, result);
    if (code == EXIT_FINE && !right && !playing->trace.concurrent)
        code = complain(EXIT_DIFFERENT, "the text is not the one at the trace's end: somebody else "
                                        "edits this document, or this is a defect");
    return code;
}

// ---------------------------------------------------------------------------------------- command

static int load(struct playing *playing, const char *path)
{
    char error[TRACE_ERROR_SIZE];
    enum weft_status status = trace_load(&playing->trace, path, error);
    if (status != WEFT_OK)
        return complain(status == WEFT_MALFORMED ? EXIT_DAMAGED : EXIT_USAGE, "%s%s%s",
                        strstr(error, path) != NULL ? "" : path,
                        strstr(error, path) != NULL ? "" : ": ", error);
    if (!playing->trace.concurrent)
        return EXIT_FINE;
    status = replay_run(&playing->merged, &playing->trace, NULL);
    if (status != WEFT_OK)
        return complain(EXIT_REFUSED, "%s: merging it: %s", path, weft_status_text(status));
    return EXIT_FINE;
}

static int open_client(struct playing *playing, const char *urls, const char *name)
{
    struct client_options options = {
        .program = "weft replay", .notice = on_notice, .context = playing};
    if (getrandom(&playing->agent, sizeof(playing->agent), 0) != (ssize_t)sizeof(playing->agent))
        return complain(EXIT_REFUSED, "the system gives no random numbers");
    playing->agent = (playing->agent & ~WEFT_AGENT_RESERVED_BIT) | 1; // never 0
    options.agent = playing->agent;
    return follow_create(&playing->client, &options, urls, name);
}

static int run_replay(const struct arguments *arguments)
{
    struct playing playing = {.arguments = arguments};
    const char *name = arguments_value(arguments, "doc");
    const char *urls = arguments_value(arguments, "to");
    playing.verbose = arguments_has(arguments, "verbose");
    playing.shows_progress = isatty(STDERR_FILENO) == 1 && !playing.verbose;
    if (name == NULL || urls == NULL)
        return complain(EXIT_USAGE, "usage: weft replay %s", arguments->command->arguments);
    int code = arguments_number(&playing.switch_every, arguments, "switch-every", CONFIG_COUNT, 1,
                                UINT64_MAX);
    if (code == EXIT_FINE)
        code = arguments_number(&playing.rate, arguments, "rate", CONFIG_COUNT, 1, 10000000);
    if (code == EXIT_FINE)
        code = load(&playing, arguments_word(arguments, 0));
    if (code == EXIT_FINE)
        code = open_client(&playing, urls, name);
    interrupt_watch();
    if (code == EXIT_FINE)
        code = join(&playing);
    if (code == EXIT_FINE)
        code = play(&playing);
    if (code == EXIT_FINE)
        code = conclude(&playing);
    client_destroy(playing.client);
    replay_finish(&playing.merged);
    trace_finish(&playing.trace);
    return code;
}

static const struct command_option replay_options[] = {
    {"doc", 'd', "DOC", "the document to play it into"},
    {"to", 't', "URL[,URL...]", "the nodes, taken in turn"},
    {"switch-every", 's', "N", "move to the next node every N edits"},
    {"rate", 'r', "R", "edits a second; default: as fast as they are acked"},
    {"verbose", 'v', NULL, "say where it joins and what it loses"},
    {.name = NULL},
};

const struct command replay_command = {
    .name = "replay",
    .arguments = "TRACE.json.gz --doc DOC --to URL[,URL...]",
    .summary = "Plays a real editing history, moving between nodes as a laptop does.",
    .details = "A concurrent history is merged locally first and sent transaction by transaction.",
    .options = replay_options,
    .examples = {"weft replay trace.json.gz --doc paper --to http://127.0.0.1:9338",
                 "weft replay trace.json.gz -d paper -t http://a:9338,http://b:9338 -s 5000"},
    .positional_min = 1,
    .positional_max = 1,
    .formatted = true,
    .run = run_replay,
};
