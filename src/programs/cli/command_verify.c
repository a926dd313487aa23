// SPDX-License-Identifier: MIT
// weft verify: do nodes hold the same? Digests first; where they differ, the first operation that
// does; where they are equal, the texts all the same.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "programs/cli/history.h"
#include "programs/cli/output.h"
#include "programs/cli/place.h"

#define NODES_MAX 64
#define WAIT_MS_DEFAULT 2000
#define RETRY_MS 100

struct verification {
    const struct arguments *arguments;
    struct place nodes[NODES_MAX];
    char *urls[NODES_MAX]; // owned
    size_t count;
    uint64_t wait_ms;
    struct output output;
    bool different;
};

// ---------------------------------------------------------------------------------------- digests

/// What one node says of a document; an empty digest: it has none.
static int fetch_digest(struct place *node, const char *name, char digest_out[HEX_DIGEST_BYTES])
{
    char *path = remote_path("/v1/docs/", name, "/digest");
    if (path == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    struct remote_ask ask = {.method = "GET", .path = path, .accept = "application/json"};
    int code = remote_call(&node->remote, &ask);
    free(path);
    if (code != EXIT_FINE)
        return code;
    digest_out[0] = '\0';
    if (node->remote.status == 404)
        return EXIT_FINE;
    if (node->remote.status != 200)
        return remote_refusal(&node->remote, name);
    json_t *state =
        json_loadb((const char *)node->remote.body.data, node->remote.body.size, 0, NULL);
    const char *digest = json_string_value(json_object_get(state, "digest"));
    if (digest != NULL)
        snprintf(digest_out, HEX_DIGEST_BYTES, "%s", digest);
    json_decref(state);
    return EXIT_FINE;
}

/// Asks all nodes until they agree or patience ends. @param odd_out A node unlike the first one, or
/// 0 when all agree.
static int compare_digests(struct verification *verification, const char *name, size_t *odd_out,
                           char digests[NODES_MAX][HEX_DIGEST_BYTES])
{
    uint64_t until_ms = monotonic_ms() + verification->wait_ms;
    for (;;) {
        *odd_out = 0;
        for (size_t i = 0; i < verification->count; i++) {
            int code = fetch_digest(&verification->nodes[i], name, digests[i]);
            if (code != EXIT_FINE)
                return code;
            if (*odd_out == 0 && strcmp(digests[i], digests[0]) != 0)
                *odd_out = i;
        }
        if (*odd_out == 0 || monotonic_ms() >= until_ms)
            return EXIT_FINE;
        nanosleep(&(struct timespec){.tv_nsec = RETRY_MS * 1000000L}, NULL);
    }
}

// ------------------------------------------------------------------------------------ differences

static void describe(char *text_out, size_t room, const struct history_atom *atom, const char *url)
{
    if (atom->kind == UINT8_MAX)
        snprintf(text_out, room, "nothing at %s", url);
    else if (atom->kind == WEFT_RUN_INSERT && atom->text[0] >= 32)
        snprintf(text_out, room, "insert \"%.*s\" after %016" PRIx64 ":%" PRIu64 " at %s",
                 (int)atom->text_size, (const char *)atom->text, atom->target.agent,
                 atom->target.seq, url);
    else
        snprintf(text_out, room, "%s %016" PRIx64 ":%" PRIu64 " at %s", history_kind(atom->kind),
                 atom->target.agent, atom->target.seq, url);
}

static void explain_difference(char *text_out, size_t room, struct weft_doc *a, struct weft_doc *b,
                               const char *url_a, const char *url_b)
{
    struct history history_a;
    struct history history_b;
    struct history_atom atom_a;
    struct history_atom atom_b;
    struct weft_epoch epoch_a = weft_doc_epoch(a);
    struct weft_epoch epoch_b = weft_doc_epoch(b);
    char held_a[300];
    char held_b[300];
    bool ready = history_init(&history_a, a) == WEFT_OK;
    ready = history_init(&history_b, b) == WEFT_OK && ready;
    if (weft_epoch_compare(&epoch_a, &epoch_b) != 0) {
        snprintf(text_out, room, "epochs differ: %" PRIu64 " at %s, %" PRIu64 " at %s",
                 epoch_a.counter, url_a, epoch_b.counter, url_b);
    } else if (ready && history_difference(&atom_a, &atom_b, &history_a, &history_b)) {
        const struct history_atom *atom = atom_a.kind != UINT8_MAX ? &atom_a : &atom_b;
        describe(held_a, sizeof(held_a), &atom_a, url_a);
        describe(held_b, sizeof(held_b), &atom_b, url_b);
        snprintf(text_out, room, "operation %016" PRIx64 ":%" PRIu64 ": %s, %s", atom->id.agent,
                 atom->id.seq, held_a, held_b);
    } else {
        snprintf(text_out, room, "the nodes differed, and agreed when asked again");
    }
    history_finish(&history_a);
    history_finish(&history_b);
}

static int find_difference(struct verification *verification, const char *name, size_t odd,
                           bool has_first, bool has_odd, char *text_out, size_t room)
{
    struct place *first = &verification->nodes[0];
    struct place *other = &verification->nodes[odd];
    struct weft_doc *a = NULL;
    struct weft_doc *b = NULL;
    if (!has_first || !has_odd) {
        snprintf(text_out, room, "there is none at %s",
                 has_first ? verification->urls[odd] : verification->urls[0]);
        return EXIT_FINE;
    }
    int code = place_doc(first, name, &a);
    if (code == EXIT_FINE)
        code = place_doc(other, name, &b);
    if (code == EXIT_FINE)
        explain_difference(text_out, room, a, b, verification->urls[0], verification->urls[odd]);
    weft_doc_destroy(a);
    weft_doc_destroy(b);
    return code;
}

/// Equal digests, and the texts all the same? @param odd_out 0: they are.
static int compare_texts(struct verification *verification, const char *name, const char *digest,
                         size_t *odd_out)
{
    struct weft_buffer first;
    struct weft_buffer other;
    int code = EXIT_FINE;
    weft_buffer_init(&first, NULL);
    weft_buffer_init(&other, NULL);
    *odd_out = 0;
    for (size_t i = 0; code == EXIT_FINE && i < verification->count && *odd_out == 0; i++) {
        struct weft_buffer *text = i == 0 ? &first : &other;
        text->size = 0;
        code = place_text(&verification->nodes[i], name, text);
        if (strcmp(verification->nodes[i].remote.etag, digest) != 0)
            break; // it was edited since
        if (i > 0 && (other.size != first.size || memcmp(other.data, first.data, first.size) != 0))
            *odd_out = i;
    }
    weft_buffer_finish(&first);
    weft_buffer_finish(&other);
    return code;
}

// -------------------------------------------------------------------------------------- documents

static int verify_document(struct verification *verification, const char *name, bool say_equal)
{
    char digests[NODES_MAX][HEX_DIGEST_BYTES];
    char difference[900] = "";
    size_t odd = 0;
    int code = compare_digests(verification, name, &odd, digests);
    if (code != EXIT_FINE)
        return code;
    if (odd == 0 && digests[0][0] == '\0') {
        return complain(EXIT_DIFFERENT, "there is no document \"%s\" at any of these nodes", name);
    } else if (odd != 0) {
        code = find_difference(verification, name, odd, digests[0][0] != '\0',
                               digests[odd][0] != '\0', difference, sizeof(difference));
    } else {
        code = compare_texts(verification, name, digests[0], &odd);
        if (code == EXIT_FINE && odd != 0)
            snprintf(difference, sizeof(difference),
                     "equal digests, but other texts at %s and %s: a defect, please report it",
                     verification->urls[0], verification->urls[odd]);
    }
    bool equal = difference[0] == '\0';
    verification->different = verification->different || !equal;
    if (code == EXIT_FINE && (!equal || say_equal))
        output_row(&verification->output,
                   json_pack("{s:s, s:b, s:s, s:s}", "document", name, "equal", (int)equal,
                             "digest", digests[0], "difference", difference));
    return code;
}

struct name_list {
    char (*names)[512];
    size_t count;
    size_t capacity;
    bool failed;
};

static void add_name(void *context, const struct place_document *document)
{
    struct name_list *list = context;
    if (list->failed)
        return;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 256;
        void *names = realloc(list->names, capacity * sizeof(*list->names));
        list->failed = names == NULL;
        if (list->failed)
            return;
        list->names = names;
        list->capacity = capacity;
    }
    memcpy(list->names[list->count++], document->name, sizeof(document->name));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static int verify_all(struct verification *verification)
{
    struct name_list list = {0};
    int code = EXIT_FINE;
    size_t documents = 0;
    for (size_t i = 0; code == EXIT_FINE && i < verification->count; i++)
        code = place_list(&verification->nodes[i], "", add_name, &list);
    if (code == EXIT_FINE && list.failed)
        code = complain(EXIT_REFUSED, "out of memory");
    if (list.count > 0)
        qsort(list.names, list.count, sizeof(*list.names), compare_names);
    for (size_t i = 0; code == EXIT_FINE && i < list.count; i++) {
        if (i > 0 && strcmp(list.names[i], list.names[i - 1]) == 0)
            continue;
        documents++;
        code = verify_document(verification, list.names[i], false);
    }
    free(list.names);
    if (code == EXIT_FINE && !verification->different)
        remark("%zu document%s equal on %zu nodes", documents, documents == 1 ? " is" : "s are",
               verification->count);
    return code;
}

// ------------------------------------------------------------------------------------------
// command

static int open_nodes(struct verification *verification, const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        if (size > 0) {
            if (verification->count == NODES_MAX)
                return complain(EXIT_USAGE, "at most %d nodes are compared", NODES_MAX);
            char *url = strndup(text, size);
            if (url == NULL)
                return complain(EXIT_REFUSED, "out of memory");
            size_t index = verification->count++;
            verification->urls[index] = url;
            if (!place_is_url(url))
                return complain(EXIT_USAGE, "%s: not of the form http://HOST:PORT", url);
            int code = place_open(&verification->nodes[index], url);
            if (code != EXIT_FINE)
                return code;
        }
        text += size + (text[size] != '\0');
    }
    if (verification->count < 2)
        return complain(EXIT_USAGE, "--nodes takes two URLs or more, separated by commas");
    return EXIT_FINE;
}

static int run_verify(const struct arguments *arguments)
{
    static const char *const columns[] = {"document", "equal", "digest", "difference", NULL};
    const char *name = arguments_word(arguments, 0);
    const char *nodes = arguments_value(arguments, "nodes");
    bool all = arguments_has(arguments, "all");
    if (nodes == NULL || (name == NULL) != all)
        return complain(EXIT_USAGE, "usage: weft verify %s", arguments->command->arguments);
    struct verification *verification = calloc(1, sizeof(*verification));
    if (verification == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    verification->arguments = arguments;
    verification->wait_ms = WAIT_MS_DEFAULT;
    int code = arguments_number(&verification->wait_ms, arguments, "wait", CONFIG_TIME, 0, 3600000);
    if (code == EXIT_FINE)
        code = open_nodes(verification, nodes);
    if (code == EXIT_FINE) {
        output_begin(&verification->output, arguments, columns);
        code = all ? verify_all(verification) : verify_document(verification, name, true);
        int end = output_end(&verification->output);
        code = code != EXIT_FINE ? code : end;
    }
    if (code == EXIT_FINE && verification->different)
        code = EXIT_DIFFERENT;
    for (size_t i = 0; i < verification->count; i++) {
        place_close(&verification->nodes[i]);
        free(verification->urls[i]);
    }
    free(verification);
    return code;
}

static const struct command_option verify_options[] = {
    {"nodes", 'n', "URL,URL,...", "the nodes to compare"},
    {"all", 'a', NULL, "every document that any of them has"},
    {"wait", 'w', "TIME", "for edits under way to arrive; default 2s"},
    {.name = NULL},
};

const struct command verify_command = {
    .name = "verify",
    .arguments = "DOC|--all --nodes URL,URL,...",
    .summary = "Says whether nodes hold the same, and the first operation that differs.",
    .details = "Exit code 0: equal; 1: different.",
    .options = verify_options,
    .examples = {"weft verify notes --nodes http://127.0.0.1:9338,http://127.0.0.1:9348",
                 "weft verify --all --nodes http://a:9338,http://b:9338 --wait 10s"},
    .positional_max = 1,
    .formatted = true,
    .run = run_verify,
};
