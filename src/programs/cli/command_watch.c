// SPDX-License-Identifier: MIT
// weft watch: a document's changes as they happen.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "programs/cli/follow.h"
#include "programs/cli/interrupt.h"
#include "programs/cli/output.h"

#define EXCERPT 120
#define WAIT_MS 200
#define REACH_MS_DEFAULT 10000 // for any node to answer at first

struct watching {
    const struct arguments *arguments;
    struct client *client;
    uint64_t changes;
    bool caught_up;                // what was there before is not news
    char lost[CLIENT_ERROR_BYTES]; // why the connection was lost, as said last
};

static void print_change(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                         size_t text_size)
{
    struct watching *watching = context;
    if (!watching->caught_up)
        return;
    watching->changes++;
    if (watching->arguments->format != FORMAT_TABLE) {
        json_t *row =
            json_pack("{s:I, s:I, s:o}", "index", (json_int_t)index, "deleted", (json_int_t)deleted,
                      "text", output_text((struct span){text, text_size}));
        if (row != NULL)
            json_dumpf(row, stdout, JSON_COMPACT);
        printf("\n");
        json_decref(row);
        return;
    }
    printf("%" PRIu64 "\t", index);
    if (deleted > 0)
        printf("-%" PRIu64 "%s", deleted, text_size > 0 ? "\t" : "");
    if (text_size > 0) {
        printf("+");
        print_excerpt(text, text_size, EXCERPT);
    }
    printf("\n");
}

static void on_notice(void *context, const struct client_notice *notice)
{
    struct watching *watching = context;
    // Said once, not with every try.
    if (notice->kind == CLIENT_NOTICE_LOST && strcmp(watching->lost, notice->text) != 0) {
        snprintf(watching->lost, sizeof(watching->lost), "%s", notice->text);
        remark("%s; trying again", notice->text);
    }
    if (notice->kind == CLIENT_NOTICE_POINT)
        watching->lost[0] = '\0';
    if (notice->kind == CLIENT_NOTICE_EPOCH && watching->caught_up)
        remark("the document was deleted or rebuilt: it begins anew");
    if (notice->kind == CLIENT_NOTICE_EPOCH)
        weft_doc_observe(client_doc(watching->client), print_change, watching);
    if (notice->kind == CLIENT_NOTICE_POINT && !watching->caught_up) {
        watching->caught_up = true;
        remark("watching at %s: %" PRIu64 " characters", client_url(watching->client),
               weft_doc_length(client_doc(watching->client), WEFT_SCALARS));
    }
}

static int watch(struct watching *watching, uint64_t changes_max)
{
    uint32_t waited_ms = 0;
    weft_doc_observe(client_doc(watching->client), print_change, watching);
    interrupt_watch();
    while (!interrupted() && watching->changes < changes_max) {
        if (client_wait(watching->client, WAIT_MS) == CLIENT_ENDED)
            return follow_ended(watching->client);
        fflush(stdout);
        waited_ms += WAIT_MS;
        if (client_stats(watching->client).connections == 0 && waited_ms > REACH_MS_DEFAULT * 5)
            return complain(EXIT_UNREACHABLE, "%s: no answer", client_url(watching->client));
        if (ferror(stdout))
            return EXIT_REFUSED;
    }
    return EXIT_FINE;
}

static int run_watch(const struct arguments *arguments)
{
    struct watching watching = {.arguments = arguments};
    struct client_options options = {
        .program = "weft watch", .follow_epochs = true, .notice = on_notice, .context = &watching};
    uint64_t changes_max = UINT64_MAX;
    int code = arguments_number(&changes_max, arguments, "changes", CONFIG_COUNT, 1, UINT64_MAX);
    if (code == EXIT_FINE)
        code = follow_create(&watching.client, &options, arguments_word(arguments, 0),
                             arguments_word(arguments, 1));
    if (code != EXIT_FINE)
        return code;
    code = watch(&watching, changes_max);
    client_destroy(watching.client);
    return code;
}

static const struct command_option watch_options[] = {
    {"changes", 'n', "N", "end after so many"},
    {.name = NULL},
};

const struct command watch_command = {
    .name = "watch",
    .arguments = "URL[,URL...] DOC",
    .summary = "Follows a document: where it changed, how much went, what came.",
    .details = "Goes on at the next node when one does not answer. Ends with Ctrl-C.",
    .options = watch_options,
    .examples = {"weft watch http://127.0.0.1:9338 notes",
                 "weft watch http://a:9338,http://b:9338 notes -o ndjson"},
    .positional_min = 2,
    .positional_max = 2,
    .formatted = true,
    .run = run_watch,
};
