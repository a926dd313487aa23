// SPDX-License-Identifier: MIT
#include "programs/cli/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_S 5L

int remote_init(struct remote *remote, const char *url)
{
    memset(remote, 0, sizeof(*remote));
    weft_buffer_init(&remote->body, NULL);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return complain(EXIT_USAGE, "%.200s: not of the form http://HOST:PORT", url);
    size_t size = strlen(url);
    while (size > 0 && url[size - 1] == '/' && size > strlen("https://"))
        size--;
    if (size >= sizeof(remote->base))
        return complain(EXIT_USAGE, "%.200s...: too long for a URL", url);
    memcpy(remote->base, url, size);
    const char *host = strstr(remote->base, "://") + 3;
    if (*host == '\0' || *host == ':' || *host == '/')
        return complain(EXIT_USAGE, "%s: not of the form http://HOST:PORT", url);
    remote->curl = curl_easy_init();
    if (remote->curl == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    return EXIT_FINE;
}

void remote_finish(struct remote *remote)
{
    if (remote->curl != NULL)
        curl_easy_cleanup(remote->curl);
    weft_buffer_finish(&remote->body);
}

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct remote *remote = context;
    size_t bytes = size * count;
    if (remote->body.size + bytes > REMOTE_BODY_BYTES_MAX ||
        weft_buffer_append(&remote->body, data, bytes) != WEFT_OK)
        return 0;
    return bytes;
}

/// Copies a header's value, without quotes, if it is the one named and fits.
static void take_field(char *text_out, size_t room, const char *name, const char *line, size_t size)
{
    size_t length = strlen(name);
    if (size <= length || strncasecmp(line, name, length) != 0 || line[length] != ':')
        return;
    const char *at = line + length + 1;
    const char *end = line + size;
    while (at < end && (*at == ' ' || *at == '"'))
        at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == '"' || end[-1] == ' '))
        end--;
    if ((size_t)(end - at) >= room)
        return;
    memcpy(text_out, at, (size_t)(end - at));
    text_out[end - at] = '\0';
}

static size_t take_head(char *data, size_t size, size_t count, void *context)
{
    struct remote *remote = context;
    take_field(remote->etag, sizeof(remote->etag), "etag", data, size * count);
    take_field(remote->epoch, sizeof(remote->epoch), "x-weft-epoch", data, size * count);
    take_field(remote->durability, sizeof(remote->durability), "x-weft-durability", data,
               size * count);
    return size * count;
}

static struct curl_slist *make_fields(const struct remote_ask *ask)
{
    struct curl_slist *fields = NULL;
    char line[200];
    if (ask->accept != NULL) {
        snprintf(line, sizeof(line), "Accept: %s", ask->accept);
        fields = curl_slist_append(fields, line);
    }
    for (size_t i = 0; i < REMOTE_FIELDS_MAX && ask->fields[i] != NULL; i++)
        fields = curl_slist_append(fields, ask->fields[i]);
    // No pause for a "100 Continue".
    return curl_slist_append(fields, "Expect:");
}

static void set_options(struct remote *remote, const struct remote_ask *ask, const char *url)
{
    CURL *curl = remote->curl;
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); // documents may be named . and ..
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, ask->method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, remote);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_head);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, remote);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, REMOTE_STALL_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); // a node is talked to directly
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "weft");
    if (ask->has_body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
                         ask->body.size > 0 ? (const char *)ask->body.data : "");
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.size);
    }
}

int remote_call(struct remote *remote, const struct remote_ask *ask)
{
    size_t size = strlen(remote->base) + strlen(ask->path) + 1;
    char *url = malloc(size);
    char reason[CURL_ERROR_SIZE] = "";
    if (url == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    snprintf(url, size, "%s%s", remote->base, ask->path);
    struct curl_slist *fields = make_fields(ask);
    remote->body.size = 0;
    remote->etag[0] = remote->epoch[0] = remote->durability[0] = '\0';
    set_options(remote, ask, url);
    curl_easy_setopt(remote->curl, CURLOPT_HTTPHEADER, fields);
    curl_easy_setopt(remote->curl, CURLOPT_ERRORBUFFER, reason);
    CURLcode code = curl_easy_perform(remote->curl);
    curl_easy_getinfo(remote->curl, CURLINFO_RESPONSE_CODE, &remote->status);
    curl_slist_free_all(fields);
    free(url);
    if (code == CURLE_OK)
        return EXIT_FINE;
    const char *why = reason[0] != '\0' ? reason : curl_easy_strerror(code);
    if (code == CURLE_URL_MALFORMAT)
        return complain(EXIT_USAGE, "%s: not of the form http://HOST:PORT (%s)", remote->base, why);
    if (code == CURLE_WRITE_ERROR)
        return complain(EXIT_REFUSED, "%s: the answer is too large, or memory is short",
                        remote->base);
    if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_WEIRD_SERVER_REPLY)
        return complain(EXIT_UNREACHABLE, "%s: does not speak HTTP; is it a node's client port?",
                        remote->base);
    if (code == CURLE_SSL_CONNECT_ERROR)
        return complain(EXIT_UNREACHABLE, "%s: does not speak TLS; a node is at http://HOST:PORT",
                        remote->base);
    if (code == CURLE_SSL_CACERT_BADFILE)
        return complain(EXIT_UNREACHABLE,
                        "%s: there are no certificates to check it by (package ca-certificates); "
                        "a node is at http://HOST:PORT",
                        remote->base);
    return complain(EXIT_UNREACHABLE, "%s: %s", remote->base, why);
}

int remote_refusal(const struct remote *remote, const char *subject)
{
    json_t *problem = json_loadb((const char *)remote->body.data, remote->body.size, 0, NULL);
    const char *reason = json_string_value(json_object_get(problem, "reason"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    int code = EXIT_REFUSED;
    bool more = detail != NULL && detail[0] != '\0';
    if (more && remote->status == 404 && strcmp(detail, "there is no such document") == 0)
        more = false; // the subject says which
    if (remote->status == 404 && (reason == NULL || strcmp(reason, "no_document") != 0)) {
        complain(EXIT_REFUSED, "%s: has no such path; is it a node's client port?", remote->base);
    } else if (remote->status == 404 && more) {
        code = complain(EXIT_DIFFERENT, "%s: %s: %.200s", remote->base, subject, detail);
    } else if (remote->status == 404) {
        code = complain(EXIT_DIFFERENT, "%s: there is no %s", remote->base, subject);
    } else {
        if (remote->status == 502 || remote->status == 503 || remote->status == 504)
            code = EXIT_UNREACHABLE;
        complain((enum exit_code)code, "%s: %s: %ld %s%s%.200s", remote->base, subject,
                 remote->status, reason != NULL ? reason : "", more ? ": " : "",
                 more ? detail : "");
    }
    json_decref(problem);
    return code;
}

int remote_expect(struct remote *remote, const struct remote_ask *ask, const char *subject)
{
    int code = remote_call(remote, ask);
    if (code != EXIT_FINE)
        return code;
    return remote->status >= 200 && remote->status < 300 ? EXIT_FINE
                                                         : remote_refusal(remote, subject);
}

int remote_json(struct remote *remote, json_t **json_out, const char *path, const char *subject)
{
    struct remote_ask ask = {.method = "GET", .path = path, .accept = "application/json"};
    int code = remote_expect(remote, &ask, subject);
    if (code != EXIT_FINE)
        return code;
    json_t *json = json_loadb((const char *)remote->body.data, remote->body.size, 0, NULL);
    if (json == NULL)
        return complain(EXIT_REFUSED, "%s%s: the answer is not JSON; is this a weft node?",
                        remote->base, path);
    *json_out = json;
    return EXIT_FINE;
}

char *remote_author(const char *name)
{
    return name != NULL ? remote_path("X-Weft-Author: ", name, "") : NULL;
}

char *remote_path(const char *prefix, const char *name, const char *suffix)
{
    char *escaped = curl_easy_escape(NULL, name, (int)strlen(name));
    if (escaped == NULL)
        return NULL;
    size_t size = strlen(prefix) + strlen(escaped) + strlen(suffix) + 1;
    char *path = malloc(size);
    if (path != NULL)
        snprintf(path, size, "%s%s%s", prefix, escaped, suffix);
    curl_free(escaped);
    return path;
}
