// SPDX-License-Identifier: MIT
// io/http_head.h, http_chunks.h, http_origin.h, http_route.h, http_patch.h: what is understood of
// HTTP, and what is refused.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include <weft/memory.h>

#include "codec/pack.h"
#include "io/address.h"
#include "io/http_chunks.h"
#include "io/http_head.h"
#include "io/http_origin.h"
#include "io/http_patch.h"
#include "io/http_route.h"

static struct span span_of(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

static bool is(struct span span, const char *text)
{
    return span.data != NULL && span.size == strlen(text) &&
           memcmp(span.data, text, span.size) == 0;
}

#define HEAD(line, fields) line " HTTP/1.1\r\nHost: a\r\n" fields "\r\n"

Test(http_head, gives_method_path_query_and_fields_as_they_came)
{
    struct http_head head;
    const char *text =
        HEAD("PATCH /v1/docs/a%2Fb?x=1&y", "If-Match:  \"12\" \r\nconTENT-length: 5\r\n");
    cr_assert_eq(http_head_parse(&head, span_of(text)), HTTP_HEAD_WHOLE);
    cr_assert_eq(head.method, HTTP_PATCH);
    cr_assert(is(head.path, "/v1/docs/a%2Fb"));
    cr_assert(is(head.query, "x=1&y"));
    cr_assert(is(head.fields[HTTP_IF_MATCH], "\"12\""));
    cr_assert_eq(head.content_length, 5);
    cr_assert(head.keep_alive && !head.chunked && !head.old);
    cr_assert_eq(head.size, strlen(text));
    cr_assert_eq(http_head_parse(&head, span_of("GET http://h:1/p?q HTTP/1.0\r\n\r\nrest")),
                 HTTP_HEAD_WHOLE);
    cr_assert(is(head.path, "/p") && is(head.query, "q"));
    cr_assert(head.old && !head.keep_alive);
    cr_assert_eq(head.size, strlen("GET http://h:1/p?q HTTP/1.0\r\n\r\n"));
}

Test(http_head, needs_every_byte_of_a_head)
{
    struct http_head head;
    const char *text = HEAD("GET /", "Accept: text/plain\r\n");
    for (size_t size = 0; size < strlen(text); size++) {
        cr_assert_eq(http_head_parse(&head, (struct span){(const uint8_t *)text, size}),
                     HTTP_HEAD_PARTIAL, "%zu bytes", size);
    }
}

Test(http_head, refuses_what_two_readers_could_understand_differently)
{
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {HEAD("GET /", "Content-Length: 5\r\nContent-Length: 6\r\n"), 400},
        {HEAD("GET /", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
        {HEAD("GET /", "Content-Length: -1\r\n"), 400},
        {HEAD("GET /", "Content-Length: +1\r\n"), 400},
        {HEAD("GET /", "Content-Length: 0x10\r\n"), 400},
        {HEAD("GET /", "Content-Length: 5, 5\r\n"), 400},
        {HEAD("GET /", "Content-Length:\r\n"), 400},
        {HEAD("GET /", "Content-Length: 99999999999999999999\r\n"), 400},
        {HEAD("GET /", "Transfer-Encoding: gzip, chunked\r\n"), 501},
        {HEAD("GET /", "Transfer-Encoding: xchunked\r\n"), 501},
        {HEAD("GET /", "Host: b\r\n"), 400},
        {HEAD("GET /", "X: a\r\n folded\r\n"), 400},
        {HEAD("GET /", "X : a\r\n"), 400},
        {HEAD("GET /", ": a\r\n"), 400},
        {HEAD("GET /", "no colon\r\n"), 400},
        {HEAD("GET /", "X: a\rb\r\n"), 400},
        {HEAD("GET /", "X: a\nY: b\r\n"), 400},
        {HEAD("GET  /", ""), 400},
        {HEAD("GET /a b", ""), 400},
        {HEAD("GET a", ""), 400},
        {HEAD("G(T /", ""), 400},
        {HEAD(" GET /", ""), 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
        {"GET /\r\nHost: a\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {"\x16\x03\x01\x02", 400},
    };
    struct http_head head;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(http_head_parse(&head, span_of(cases[i].text)), cases[i].status, "%s",
                     cases[i].text);
    }
}

Test(http_head, is_bounded_in_bytes_and_lines)
{
    struct http_head head;
    char *text = malloc(HTTP_HEAD_BYTES_MAX + 100);
    size_t size = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nX: ");
    memset(text + size, 'x', HTTP_HEAD_BYTES_MAX - size);
    cr_assert_eq(http_head_parse(&head, (struct span){(uint8_t *)text, HTTP_HEAD_BYTES_MAX - 1}),
                 HTTP_HEAD_PARTIAL);
    cr_assert_eq(http_head_parse(&head, (struct span){(uint8_t *)text, HTTP_HEAD_BYTES_MAX}), 431);
    size = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
    for (unsigned i = 0; i < HTTP_FIELDS_MAX; i++) {
        size += (size_t)sprintf(text + size, "a: b\r\n");
    }
    sprintf(text + size, "\r\n");
    cr_assert_eq(http_head_parse(&head, span_of(text)), 431);
    free(text);
}

Test(http_head, any_bytes_give_an_answer)
{
    static const char alphabet[] = "GET /?%: HTTP/1.10\r\n\r\nHost\0\xff,;\"chunked";
    struct http_head head;
    uint8_t bytes[256];
    srand(7);
    for (int round = 0; round < 200000; round++) {
        size_t size = (size_t)rand() % sizeof(bytes);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)alphabet[(size_t)rand() % sizeof(alphabet)];
        }
        int verdict = http_head_parse(&head, (struct span){bytes, size});
        cr_assert(verdict != HTTP_HEAD_WHOLE || head.size <= size);
    }
}

Test(http_head, decodes_percents_and_finds_parameters)
{
    uint8_t out[64];
    size_t size;
    cr_assert(http_percent_decode(out, &size, span_of("a%2Fb%C3%A4+%00")));
    cr_assert_eq(size, 7);
    cr_assert_eq(memcmp(out, "a/b\xc3\xa4+\0", 7), 0);
    static const char *const bad[] = {"%", "%2", "%2x", "a%zz", "%%20"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert(!http_percent_decode(out, &size, span_of(bad[i])), "%s", bad[i]);
    }
    struct span query = span_of("limit=10&prefix=a%26b&flag&empty=&limit=20");
    cr_assert(is(http_query_get(query, "limit"), "10"));
    cr_assert(is(http_query_get(query, "prefix"), "a%26b"));
    cr_assert_eq(http_query_get(query, "flag").size, 0);
    cr_assert_not_null(http_query_get(query, "flag").data);
    cr_assert_null(http_query_get(query, "lim").data);
    cr_assert(http_field_has(span_of("text/html;q=0.1, Text/Plain ; q=1"), "text/plain"));
    cr_assert(!http_field_has(span_of("text/plainer, x"), "text/plain"));
}

/// Decodes a chunked body that arrives in pieces of `step` bytes. @return its end state.
static enum http_chunks_state decode(const char *text, size_t step, char *out)
{
    struct http_chunks chunks = {.state = HTTP_CHUNKS_SIZE};
    size_t size = strlen(text);
    size_t out_size = 0;
    for (size_t at = 0; at < size; at += step) {
        size_t piece_size = size - at < step ? size - at : step;
        struct span bytes = {(const uint8_t *)text + at, piece_size};
        while (bytes.size > 0 && chunks.state < HTTP_CHUNKS_DONE) {
            struct span piece = http_chunks_take(&chunks, &bytes);
            memcpy(out + out_size, piece.data == NULL ? (const void *)"" : piece.data, piece.size);
            out_size += piece.size;
        }
    }
    out[out_size] = '\0';
    return chunks.state;
}

Test(http_chunks, give_the_same_body_however_they_arrive)
{
    char out[128];
    const char *text = "5;a=b\r\nhello\r\n1\r\n \r\n00a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";
    for (size_t step = 1; step <= strlen(text); step++) {
        cr_assert_eq(decode(text, step, out), HTTP_CHUNKS_DONE);
        cr_assert_str_eq(out, "hello 0123456789");
    }
}

Test(http_chunks, refuse_what_is_malformed)
{
    static const char *const bad[] = {
        "\r\n",
        "x\r\n",
        "5\nhello",
        "5\r\nhelloX",
        "5\r\nhello\rX",
        "-1\r\n",
        "ffffffffffffffffff\r\n",
        "5 ;\nhello",
        "0\r\nX\n",
        ";\r\n",
        "0\r\n\rX",
    };
    char out[128];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(decode(bad[i], 1, out), HTTP_CHUNKS_BAD, "%s", bad[i]);
    }
    char *longer = malloc(HTTP_CHUNK_TRAILER_BYTES_MAX * 2);
    char *room = malloc(HTTP_CHUNK_TRAILER_BYTES_MAX * 2);
    memset(longer, 'a', HTTP_CHUNK_TRAILER_BYTES_MAX * 2);
    memcpy(longer, "5;", 2);
    longer[HTTP_CHUNK_TRAILER_BYTES_MAX * 2 - 1] = '\0';
    cr_assert_eq(decode(longer, 100, room), HTTP_CHUNKS_BAD);
    memcpy(longer, "0\r\n", 3);
    cr_assert_eq(decode(longer, 100, room), HTTP_CHUNKS_BAD);
    free(longer);
    free(room);
}

Test(http_origin, lets_own_allowed_and_local_pages_act_and_no_others)
{
    static const char *const listed[] = {"https://docs.example.com"};
    static const struct {
        bool loopback;
        const char *host;
        const char *origin; // NULL: none
        bool host_allowed;
        bool origin_allowed;
    } cases[] = {
        {true, "localhost:9338", NULL, true, true},
        {true, "localhost:9338", "http://localhost:9338", true, true},
        {true, "127.0.0.1:9338", "http://localhost:5173", true, true},
        {true, "[::1]:9338", "http://[::1]:9338", true, true},
        {true, "app.localhost", "http://app.localhost", true, true},
        {true, "localhost:9338", "http://evil.example", true, false},
        {true, "localhost:9338", "null", true, false},
        {true, "localhost:9338", "file://", true, false},
        {true, "evil.example:9338", "http://evil.example:9338", false, true},
        {true, "docs.example.com", "https://docs.example.com", true, true},
        {false, "docs.example.org", "https://docs.example.org", true, true},
        {false, "docs.example.org:8443", "https://docs.example.org:8443", true, true},
        {false, "docs.example.org", "https://docs.example.org:8443", true, false},
        {false, "docs.example.org", "http://docs.example.org.evil", true, false},
        {false, "docs.example.org", "http://localhost", true, false},
        {false, "docs.example.org", "https://docs.example.com", true, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_origins origins = {listed, 1, cases[i].loopback};
        struct http_head head = {.size = 0};
        head.fields[HTTP_HOST] = span_of(cases[i].host);
        if (cases[i].origin != NULL) {
            head.fields[HTTP_ORIGIN] = span_of(cases[i].origin);
        }
        cr_assert_eq(http_host_allowed(&origins, &head), cases[i].host_allowed, "case %zu", i);
        cr_assert_eq(http_origin_allowed(&origins, &head), cases[i].origin_allowed, "case %zu", i);
    }
    cr_assert(http_origin_is_valid("https://a:1") && http_origin_is_valid("*"));
    cr_assert(!http_origin_is_valid("a") && !http_origin_is_valid("https://a/b"));
}

Test(address, parses_what_options_and_headers_write)
{
    static const struct {
        const char *text;
        const char *host; // NULL: refused
        int port;
    } cases[] = {
        {"127.0.0.1:9338", "127.0.0.1", 9338},
        {"[::1]:1", "::1", 1},
        {"host:0", "host", 0},
        {"host", "host", 80},
        {"[::1]", "::1", 80},
        {"host:65536", NULL, 0},
        {"host:", NULL, 0},
        {":80", NULL, 0},
        {"[::1", NULL, 0},
        {"host:8x", NULL, 0},
        {"ho st:1", NULL, 0},
        {"", NULL, 0},
        {"[]:1", NULL, 0},
        {"[::1]x", NULL, 0},
    };
    struct address address;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bool parsed = address_parse(&address, span_of(cases[i].text), 80);
        cr_assert_eq(parsed, cases[i].host != NULL, "%s", cases[i].text);
        if (parsed) {
            cr_assert_str_eq(address.host, cases[i].host);
            cr_assert_eq(address.port, cases[i].port);
        }
    }
    cr_assert(!address_parse(&address, span_of("host"), -1));
    static const struct {
        const char *host;
        bool loopback;
    } hosts[] = {{"127.1.2.3", true},  {"::1", true},           {"localhost", true},
                 {"LOCALHOST", true},  {"a.localhost", true},   {"0.0.0.0", false},
                 {"10.0.0.1", false},  {"localhost.a", false},  {"::", false},
                 {"128.0.0.1", false}, {"notlocalhost", false}, {"127.0.0.1.evil", false}};
    for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        snprintf(address.host, sizeof(address.host), "%s", hosts[i].host);
        cr_assert_eq(address_is_loopback(&address), hosts[i].loopback, "%s", hosts[i].host);
    }
}

Test(http_route, an_encoded_slash_is_part_of_the_id)
{
    static const struct {
        const char *path;
        enum http_route_kind kind;
        const char *id;
    } cases[] = {
        {"/", HTTP_ROUTE_PAGE, ""},
        {"/v1/docs", HTTP_ROUTE_DOCUMENTS, ""},
        {"/v1/docs/a", HTTP_ROUTE_DOCUMENT, "a"},
        {"/v1/docs/a%2Fdigest", HTTP_ROUTE_DOCUMENT, "a%2Fdigest"},
        {"/v1/docs/a/digest", HTTP_ROUTE_DIGEST, "a"},
        {"/v1/docs/a/changes", HTTP_ROUTE_CHANGES, "a"},
        {"/v1/docs/a/b", HTTP_ROUTE_NONE, NULL},
        {"/v1/docs/a/", HTTP_ROUTE_NONE, NULL},
        {"/v1/docs/", HTTP_ROUTE_NONE, NULL},
        {"/v1/docs//digest", HTTP_ROUTE_NONE, NULL},
        {"/v1/recovery", HTTP_ROUTE_RECOVERIES, ""},
        {"/v1/recovery/a", HTTP_ROUTE_RECOVERY, "a"},
        {"/v1/recovery/a/b", HTTP_ROUTE_NONE, NULL},
        {"/v1/cluster/members", HTTP_ROUTE_MEMBERS, ""},
        {"/v1/doc", HTTP_ROUTE_NONE, NULL},
        {"//v1/docs", HTTP_ROUTE_NONE, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct http_route route = http_route_find(span_of(cases[i].path));
        cr_assert_eq(route.kind, cases[i].kind, "%s", cases[i].path);
        if (cases[i].id != NULL && cases[i].id[0] != '\0') {
            cr_assert(is(route.id, cases[i].id), "%s", cases[i].path);
        }
    }
}

Test(http_patch, becomes_the_same_in_msgpack)
{
    struct weft_buffer out;
    const char *why = "";
    weft_buffer_init(&out, NULL);
    cr_assert_eq(http_patch_encode(&out, span_of("[[3, 2, \"x\\u00e4\"], [0,0,\"\"]]"), &why),
                 WEFT_OK);
    struct pack_reader reader = pack_reader_of((struct span){out.data, out.size});
    cr_assert_eq(pack_read_array(&reader), 2);
    cr_assert_eq(pack_read_array(&reader), 3);
    cr_assert_eq(pack_read_u64(&reader), 3);
    cr_assert_eq(pack_read_u64(&reader), 2);
    cr_assert(is(pack_read_str(&reader), "x\xc3\xa4"));
    cr_assert_eq(pack_read_array(&reader), 3);
    cr_assert(!reader.failed);
    size_t before = out.size;
    static const char *const bad[] = {
        "",
        "{}",
        "[1]",
        "[[1,2]]",
        "[[1,2,3]]",
        "[[-1,0,\"\"]]",
        "[[0,-1,\"\"]]",
        "[[0.5,0,\"\"]]",
        "[[0,0,\"\",1]]",
        "[[0,0,\"\"]] x",
        "[[0,0,\"\xff\"]]",
        "[[0,0,\"\"]",
        "[[99999999999999999999,0,\"\"]]",
        "[[0,0,null]]",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(http_patch_encode(&out, span_of(bad[i]), &why), WEFT_MALFORMED, "%s", bad[i]);
        cr_assert_eq(out.size, before);
    }
    char *longer = malloc(HTTP_PATCH_BYTES_MAX + 1);
    memset(longer, '[', HTTP_PATCH_BYTES_MAX + 1);
    struct span brackets = {(uint8_t *)longer, HTTP_PATCH_BYTES_MAX};
    cr_assert_eq(http_patch_encode(&out, brackets, &why), WEFT_MALFORMED);
    brackets.size++;
    cr_assert_eq(http_patch_encode(&out, brackets, &why), WEFT_LIMIT);
    free(longer);
    weft_buffer_finish(&out);
}
