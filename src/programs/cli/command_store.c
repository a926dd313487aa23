// SPDX-License-Identifier: MIT
// weft check, weft backup: data directories as a whole.
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "programs/cli/admin_port.h"
#include "programs/cli/output.h"
#include "programs/cli/place.h"

// ------------------------------------------------------------------------------------------ check

struct checking {
    struct place *place;
    uint64_t documents;
    uint64_t damaged;
};

static void print_problem(void *context, const char *text)
{
    (void)context;
    printf("%s\n", text);
}

/// Loads a document as a node would, and checks every invariant.
static void check_document(void *context, const struct place_document *document)
{
    struct checking *checking = context;
    struct archive_head head;
    struct weft_doc *doc = NULL;
    struct weft_digest digest;
    char hex[HEX_DIGEST_BYTES] = "";
    struct span name = {(const uint8_t *)document->name, strlen(document->name)};
    checking->documents++;
    enum weft_status status = archive_load(&doc, &head, &checking->place->archive, name,
                                           document->numbers, document->number_count, NULL);
    const char *wrong = status != WEFT_OK ? weft_status_text(status) : weft_doc_check(doc);
    if (wrong == NULL && weft_doc_digest(&digest, doc) == WEFT_OK) {
        hex_format(hex, digest.bytes, sizeof(digest.bytes));
        if (strcmp(hex, document->digest) != 0)
            wrong = "its operations do not give the digest that is recorded";
    }
    weft_doc_destroy(doc);
    if (wrong == NULL)
        return;
    checking->damaged++;
    printf("document \"%s\": %s\n", document->name, wrong);
}

static int check_documents(const char *path, struct checking *checking)
{
    struct place place;
    int code = place_open(&place, path);
    checking->place = &place;
    if (code == EXIT_FINE)
        code = place_list(&place, "", check_document, checking);
    place_close(&place);
    return code;
}

static int run_check(const struct arguments *arguments)
{
    const char *path = arguments_word(arguments, 0);
    struct store_lmdb_verify_visitor visitor = {.problem = print_problem};
    struct store_lmdb_report report;
    struct checking checking = {0};
    char error[STORE_LMDB_ERROR_BYTES] = "";
    if (place_is_url(path))
        return complain(EXIT_USAGE,
                        "%s: only a directory can be checked; weft verify compares nodes", path);
    memset(&report, 0, sizeof(report));
    enum weft_status status = store_lmdb_verify(path, &visitor, &report, error);
    if (status != WEFT_OK && status != WEFT_MALFORMED) {
        bool named = strstr(error, path) != NULL;
        return complain(status == WEFT_NOT_FOUND ? EXIT_REFUSED : place_code(status), "%s%s%s",
                        named ? "" : path, named ? "" : ": ",
                        error[0] != '\0' ? error : weft_status_text(status));
    }
    if (report.damages == 0 && report.pages > 0) {
        int code = check_documents(path, &checking);
        if (code != EXIT_FINE)
            return code;
    }
    if (report.damages > 0)
        return complain(EXIT_DAMAGED,
                        "%s: %" PRIu64 " damages of structure, %" PRIu64
                        " damaged records; because of that its documents were not looked at",
                        path, report.damages, report.records_bad);
    if (status != WEFT_OK && report.records_bad == 0)
        return complain(EXIT_DAMAGED, "%s%s%s", strstr(error, path) != NULL ? "" : path,
                        strstr(error, path) != NULL ? "" : ": ", error);
    if (status != WEFT_OK || checking.damaged > 0)
        return complain(EXIT_DAMAGED,
                        "%s: %" PRIu64 " damaged records, %" PRIu64 " of %" PRIu64
                        " documents damaged",
                        path, report.records_bad, checking.damaged, checking.documents);
    printf("%s: format %" PRIu64 ", %" PRIu64 " pages, %" PRIu64
           " documents, all checksums and invariants hold\n",
           path, report.format, report.pages, checking.documents);
    return EXIT_FINE;
}

const struct command check_command = {
    .name = "check",
    .arguments = "DIR",
    .summary = "Reads every page, record and document of a data directory, live or not.",
    .details = "Exit code 5: damaged; what is damaged is listed.",
    .examples = {"weft check ./data", "weft check /backup/monday || echo damaged"},
    .positional_min = 1,
    .positional_max = 1,
    .run = run_check,
};

// ----------------------------------------------------------------------------------------- backup

/// The end of a backup, told on a thread of the store.
struct backup_end {
    pthread_mutex_t mutex;
    pthread_cond_t told;
    bool done;
    enum weft_status status;
    char text[STORE_LMDB_ERROR_BYTES];
};

static void backup_done(void *context, enum weft_status status, const char *text)
{
    struct backup_end *end = context;
    pthread_mutex_lock(&end->mutex);
    end->done = true;
    end->status = status;
    snprintf(end->text, sizeof(end->text), "%s", text);
    pthread_cond_signal(&end->told);
    pthread_mutex_unlock(&end->mutex);
}

static int backup_directory(const char *from, const char *to)
{
    struct backup_end end = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, WEFT_OK,
                             ""};
    struct place place;
    char error[STORE_LMDB_ERROR_BYTES] = "";
    int code = place_open(&place, from);
    if (code == EXIT_FINE) {
        enum weft_status status = store_lmdb_backup(place.store, to, backup_done, &end, error);
        if (status == WEFT_OK) {
            pthread_mutex_lock(&end.mutex);
            while (!end.done)
                pthread_cond_wait(&end.told, &end.mutex);
            pthread_mutex_unlock(&end.mutex);
            status = end.status;
            snprintf(error, sizeof(error), "%s", end.text);
        }
        if (status != WEFT_OK)
            code = complain(EXIT_REFUSED, "%s", error);
    }
    place_close(&place);
    return code;
}

/// The node writes the copy itself, on its own machine.
static int backup_node(const struct arguments *arguments, const char *url, const char *to)
{
    char here[PATH_MAX] = "";
    char whole[2 * PATH_MAX];
    if (to[0] != '/' && getcwd(here, sizeof(here)) == NULL)
        return complain(EXIT_REFUSED, "%s", strerror(errno));
    snprintf(whole, sizeof(whole), "%s%s%s", here, here[0] != '\0' ? "/" : "", to);
    char *path = remote_path("/v1/backup?to=", whole, "");
    if (path == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    int code = admin_post(arguments, url, path, "backup", NULL);
    free(path);
    return code;
}

static int run_backup(const struct arguments *arguments)
{
    const char *from = arguments_word(arguments, 0);
    const char *to = arguments_word(arguments, 1);
    int code = place_is_url(from) ? backup_node(arguments, from, to) : backup_directory(from, to);
    if (code == EXIT_FINE)
        remark("%s: a copy of %s; weft check reads it", to, from);
    return code;
}

static const struct command_option backup_options[] = {
    ADMIN_PORT_OPTION,
    {.name = NULL},
};

const struct command backup_command = {
    .name = "backup",
    .arguments = "DIR|URL TO",
    .options = backup_options,
    .summary = "Copies a data directory, live or not, into a new one.",
    .details = "With a URL the node writes the copy on its own machine. Started from, a copy is a "
               "node of its own.",
    .examples = {"weft backup ./data /backup/monday",
                 "weft backup http://127.0.0.1:9338 /backup/monday"},
    .positional_min = 2,
    .positional_max = 2,
    .run = run_backup,
};
