// SPDX-License-Identifier: MIT
// Implements io/http_head.h.
#include "io/http_head.h"

#include <string.h>
#include <strings.h>

#define BAD_REQUEST 400
#define HEAD_TOO_LARGE 431
#define NOT_IMPLEMENTED 501
#define VERSION_UNKNOWN 505

static const char *const method_names[HTTP_OTHER] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD", [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH",     [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS",
};

static const char *const field_names[HTTP_FIELD_COUNT] = {
    [HTTP_ACCEPT] = "accept",
    [HTTP_CONNECTION] = "connection",
    [HTTP_CONTENT_LENGTH] = "content-length",
    [HTTP_CONTENT_TYPE] = "content-type",
    [HTTP_EXPECT] = "expect",
    [HTTP_HOST] = "host",
    [HTTP_IF_MATCH] = "if-match",
    [HTTP_IF_NONE_MATCH] = "if-none-match",
    [HTTP_LAST_EVENT_ID] = "last-event-id",
    [HTTP_ORIGIN] = "origin",
    [HTTP_PREFER] = "prefer",
    [HTTP_TRANSFER_ENCODING] = "transfer-encoding",
    [HTTP_UPGRADE] = "upgrade",
    [HTTP_WEFT_AUTHOR] = "x-weft-author",
    [HTTP_WEFT_ID] = "x-weft-id",
    [HTTP_WEBSOCKET_KEY] = "sec-websocket-key",
    [HTTP_WEBSOCKET_PROTOCOL] = "sec-websocket-protocol",
    [HTTP_WEBSOCKET_VERSION] = "sec-websocket-version",
};

// ------------------------------------------------------------------------------------- characters

static bool is_token_char(uint8_t c)
{
    if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
        return true;
    }
    return c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_value_char(uint8_t c)
{
    return c == '\t' || (c >= 0x20 && c != 0x7f);
}

static bool equals_ignoring_case(struct span text, const char *name)
{
    return text.size == strlen(name) && strncasecmp((const char *)text.data, name, text.size) == 0;
}

static struct span trim(struct span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text.data++;
        text.size--;
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

/// Takes the part before `separator` off the front; all of it when there is none.
static struct span split(struct span *rest, uint8_t separator)
{
    const uint8_t *found = rest->size == 0 ? NULL : memchr(rest->data, separator, rest->size);
    struct span part = {rest->data, found == NULL ? rest->size : (size_t)(found - rest->data)};
    size_t taken = found == NULL ? rest->size : part.size + 1;
    rest->data = rest->data == NULL ? NULL : rest->data + taken;
    rest->size -= taken;
    return part;
}

// ----------------------------------------------------------------------------------- request line

/// GET http://host/path is as good as GET /path (RFC 9112, 3.2.2).
static struct span strip_authority(struct span target)
{
    static const char scheme[] = "http://";
    size_t size = sizeof(scheme) - 1;
    if (target.size < size || strncasecmp((const char *)target.data, scheme, size) != 0) {
        return target;
    }
    const uint8_t *slash = memchr(target.data + size, '/', target.size - size);
    if (slash == NULL) {
        return (struct span){(const uint8_t *)"/", 1};
    }
    return (struct span){slash, target.size - (size_t)(slash - target.data)};
}

static int parse_target(struct http_head *head, struct span target)
{
    for (size_t i = 0; i < target.size; i++) {
        if (target.data[i] <= 0x20 || target.data[i] == 0x7f) {
            return BAD_REQUEST;
        }
    }
    target = strip_authority(target);
    bool asterisk = target.size == 1 && target.data[0] == '*';
    if (target.size == 0 || (target.data[0] != '/' && !asterisk)) {
        return BAD_REQUEST;
    }
    head->path = split(&target, '?');
    head->query = target;
    return HTTP_HEAD_WHOLE;
}

static int parse_request_line(struct http_head *head, struct span line)
{
    struct span method = split(&line, ' ');
    struct span target = split(&line, ' ');
    struct span version = line;
    head->method = HTTP_OTHER;
    if (method.size == 0 || target.size == 0) {
        return BAD_REQUEST;
    }
    for (size_t i = 0; i < method.size; i++) {
        if (!is_token_char(method.data[i])) {
            return BAD_REQUEST;
        }
    }
    for (int i = 0; i < HTTP_OTHER; i++) {
        if (method.size == strlen(method_names[i]) &&
            memcmp(method.data, method_names[i], method.size) == 0) {
            head->method = (enum http_method)i;
        }
    }
    if (version.size != 8 || memcmp(version.data, "HTTP/", 5) != 0) {
        return BAD_REQUEST;
    }
    if (memcmp(version.data, "HTTP/1.", 7) != 0 || version.data[7] < '0' || version.data[7] > '9') {
        return VERSION_UNKNOWN;
    }
    head->old = version.data[7] == '0';
    return parse_target(head, target);
}

// ----------------------------------------------------------------------------------------- fields

/// Fields that are lists, so that a second line of them means no harm; the first one counts.
static bool may_repeat(enum http_field field)
{
    return field == HTTP_ACCEPT || field == HTTP_PREFER || field == HTTP_IF_NONE_MATCH;
}

static int parse_field(struct http_head *head, struct span line)
{
    struct span name = split(&line, ':');
    struct span value = trim(line);
    if (name.size == 0 || line.data == NULL || name.data + name.size == line.data) {
        return BAD_REQUEST; // no name, or no colon
    }
    for (size_t i = 0; i < name.size; i++) {
        if (!is_token_char(name.data[i])) {
            return BAD_REQUEST; // folded lines and blanks before the colon end here too
        }
    }
    for (size_t i = 0; i < value.size; i++) {
        if (!is_value_char(value.data[i])) {
            return BAD_REQUEST;
        }
    }
    for (int i = 0; i < HTTP_FIELD_COUNT; i++) {
        if (!equals_ignoring_case(name, field_names[i])) {
            continue;
        }
        if (head->fields[i].data == NULL) {
            head->fields[i] = value;
        } else if (!may_repeat((enum http_field)i)) {
            return BAD_REQUEST;
        }
    }
    return HTTP_HEAD_WHOLE;
}

static bool parse_length(uint64_t *length_out, struct span digits)
{
    uint64_t length = 0;
    if (digits.size == 0 || digits.size > 18) {
        return false;
    }
    for (size_t i = 0; i < digits.size; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        length = length * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *length_out = length;
    return true;
}

/// What the fields mean together.
static int interpret(struct http_head *head)
{
    const struct span *fields = head->fields;
    if (fields[HTTP_HOST].data == NULL && !head->old) {
        return BAD_REQUEST;
    }
    if (fields[HTTP_TRANSFER_ENCODING].data != NULL) {
        if (fields[HTTP_CONTENT_LENGTH].data != NULL || head->old) {
            return BAD_REQUEST;
        }
        if (!equals_ignoring_case(fields[HTTP_TRANSFER_ENCODING], "chunked")) {
            return NOT_IMPLEMENTED;
        }
        head->chunked = true;
    } else if (fields[HTTP_CONTENT_LENGTH].data != NULL &&
               !parse_length(&head->content_length, fields[HTTP_CONTENT_LENGTH])) {
        return BAD_REQUEST;
    }
    struct span connection = fields[HTTP_CONNECTION];
    head->keep_alive =
        head->old ? http_field_has(connection, "keep-alive") : !http_field_has(connection, "close");
    head->expects = !head->old && equals_ignoring_case(fields[HTTP_EXPECT], "100-continue");
    head->upgrade =
        !head->old && fields[HTTP_UPGRADE].data != NULL && http_field_has(connection, "upgrade");
    head->websocket = head->upgrade && equals_ignoring_case(fields[HTTP_UPGRADE], "websocket");
    return HTTP_HEAD_WHOLE;
}

// ------------------------------------------------------------------------------------------- whole

/// Takes a line off the front, without its CR LF. @return false when there is no whole line.
static bool take_line(struct span *line_out, struct span *rest)
{
    const uint8_t *end = rest->size < 2 ? NULL : memmem(rest->data, rest->size, "\r\n", 2);
    if (end == NULL) {
        return false;
    }
    line_out->data = rest->data;
    line_out->size = (size_t)(end - rest->data);
    rest->data = end + 2;
    rest->size -= line_out->size + 2;
    return true;
}

int http_head_parse(struct http_head *head_out, struct span bytes)
{
    struct span rest = bytes;
    struct span line;
    int verdict;
    *head_out = (struct http_head){.size = 0};
    if (rest.size > HTTP_HEAD_BYTES_MAX) {
        rest.size = HTTP_HEAD_BYTES_MAX;
    }
    int incomplete = bytes.size >= HTTP_HEAD_BYTES_MAX ? HEAD_TOO_LARGE : HTTP_HEAD_PARTIAL;
    if (bytes.size > 0 && !is_token_char(bytes.data[0])) {
        return BAD_REQUEST; // TLS, most likely
    }
    if (!take_line(&line, &rest)) {
        return incomplete;
    }
    verdict = parse_request_line(head_out, line);
    for (unsigned count = 0; verdict == HTTP_HEAD_WHOLE; count++) {
        if (!take_line(&line, &rest)) {
            return incomplete;
        }
        if (line.size == 0) {
            head_out->size = (size_t)(rest.data - bytes.data);
            return interpret(head_out);
        }
        verdict = count == HTTP_FIELDS_MAX ? HEAD_TOO_LARGE : parse_field(head_out, line);
    }
    return verdict;
}

bool http_field_has(struct span field, const char *token)
{
    while (field.size > 0) {
        struct span item = split(&field, ',');
        struct span name = trim(split(&item, ';'));
        if (equals_ignoring_case(name, token)) {
            return true;
        }
    }
    return false;
}

// ------------------------------------------------------------------------------------------
// targets

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool http_percent_decode(uint8_t *out, size_t *size_out, struct span encoded)
{
    size_t size = 0;
    for (size_t i = 0; i < encoded.size; i++) {
        uint8_t c = encoded.data[i];
        if (c == '%') {
            if (encoded.size - i < 3) {
                return false;
            }
            int high = hex_value(encoded.data[i + 1]);
            int low = hex_value(encoded.data[i + 2]);
            if (high < 0 || low < 0) {
                return false;
            }
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        out[size++] = c;
    }
    *size_out = size;
    return true;
}

struct span http_query_get(struct span query, const char *name)
{
    while (query.size > 0) {
        struct span value = split(&query, '&');
        struct span key = split(&value, '=');
        if (key.size == strlen(name) && memcmp(key.data, name, key.size) == 0) {
            return value.data == NULL ? (struct span){key.data, 0} : value;
        }
    }
    return (struct span){NULL, 0};
}
