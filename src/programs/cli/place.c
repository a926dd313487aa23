// SPDX-License-Identifier: MIT
#include "programs/cli/place.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "codec/wire.h"

bool place_is_url(const char *text)
{
    return strstr(text, "://") != NULL;
}

int place_open(struct place *place, const char *text)
{
    memset(place, 0, sizeof(*place));
    place->text = text;
    place->is_url = place_is_url(text);
    if (place->is_url)
        return remote_init(&place->remote, text);
    if (access(text, F_OK) != 0)
        return complain(EXIT_REFUSED, "%s: %s; a node's URL begins with http://", text,
                        strerror(errno));
    return place_dir_open(place);
}

void place_close(struct place *place)
{
    if (place->is_url)
        remote_finish(&place->remote);
    store_lmdb_close(place->store);
}

enum exit_code place_code(enum weft_status status)
{
    switch (status) {
    case WEFT_OK:
        return EXIT_FINE;
    case WEFT_NOT_FOUND:
        return EXIT_DIFFERENT;
    case WEFT_MALFORMED:
    case WEFT_UNSUPPORTED:
        return EXIT_DAMAGED;
    default:
        return EXIT_REFUSED;
    }
}

int place_list(struct place *place, const char *prefix,
               void (*visit)(void *context, const struct place_document *document), void *context)
{
    return place->is_url ? place_url_list(place, prefix, visit, context)
                         : place_dir_list(place, prefix, visit, context);
}

/// What cannot be a name is no key of a store either.
static int check_name(const char *name)
{
    if (record_name_valid(span_of_text(name)))
        return EXIT_FINE;
    return complain(EXIT_USAGE,
                    "a document's name is 1 to %d bytes of UTF-8 without control characters",
                    RECORD_NAME_BYTES_MAX);
}

int place_text(struct place *place, const char *name, struct weft_buffer *text_out)
{
    int code = check_name(name);
    if (code != EXIT_FINE)
        return code;
    return place->is_url ? place_url_text(place, name, text_out)
                         : place_dir_text(place, name, text_out);
}

static int fetch_doc(struct place *place, const char *name, struct weft_doc **doc_out,
                     struct times *times)
{
    int code = check_name(name);
    if (code != EXIT_FINE)
        return code;
    if (!place->is_url)
        return place_dir_doc(place, name, doc_out, times);
    code = place_url_doc(place, name, doc_out);
    if (code != EXIT_FINE || times == NULL)
        return code;
    code = place_url_times(place, name, times);
    if (code != EXIT_FINE) {
        weft_doc_destroy(*doc_out);
        *doc_out = NULL;
    }
    return code;
}

int place_doc(struct place *place, const char *name, struct weft_doc **doc_out)
{
    return fetch_doc(place, name, doc_out, NULL);
}

int place_fetch_times(struct weft_doc **doc_out, struct times *times,
                      const struct arguments *arguments)
{
    struct place place;
    int code = place_open(&place, arguments_word(arguments, 0));
    if (code == EXIT_FINE)
        code = fetch_doc(&place, arguments_word(arguments, 1), doc_out, times);
    place_close(&place);
    return code;
}

int place_fetch(struct weft_doc **doc_out, const struct arguments *arguments)
{
    return place_fetch_times(doc_out, NULL, arguments);
}

int place_recoveries(struct place *place, const char *document,
                     void (*visit)(void *context, const struct place_recovery *recovery),
                     void *context)
{
    int code = document != NULL ? check_name(document) : EXIT_FINE;
    if (code != EXIT_FINE)
        return code;
    return place->is_url ? place_url_recoveries(place, document, visit, context)
                         : place_dir_recoveries(place, document, visit, context);
}

int place_recovery_text(struct place *place, const char *document, const char *epoch,
                        struct weft_buffer *text_out)
{
    uint8_t bytes[WIRE_EPOCH_SIZE];
    int code = check_name(document);
    if (code != EXIT_FINE)
        return code;
    if (!hex_parse(bytes, sizeof(bytes), epoch))
        return complain(EXIT_USAGE, "\"%.60s\" is not the 48 hex digits of an epoch", epoch);
    return place->is_url ? place_url_recovery_text(place, document, epoch, text_out)
                         : place_dir_recovery_text(place, document, epoch, text_out);
}
