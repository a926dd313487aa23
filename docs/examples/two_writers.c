// SPDX-License-Identifier: MIT
// Two threads write into a document each, tell each other in bytes, and end with one text.
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <weft/weft.h>
#define MUST(call) ((call) == 0 ? (void)0 : errx(1, "%s", #call))

struct writer {
    uint64_t agent;   // names this session of editing, and never another
    const char *word; // of five letters
    int line;         // a queue of bytes to the other writer, and one back
};

static void *write_and_listen(void *context)
{
    const struct writer *me = context;
    uint8_t bytes[256];
    struct weft_buffer out;
    struct weft_doc *doc;
    struct weft_digest digest;
    struct weft_apply_result result;
    weft_buffer_init(&out, NULL);
    MUST(weft_doc_create(&doc, NULL) || weft_doc_set_agent(doc, me->agent));
    for (uint64_t seq = 0; seq < 15; seq += 5, out.size = 0) {
        MUST(weft_doc_insert(doc, WEFT_SCALARS, seq, (const uint8_t *)me->word, 5));
        MUST(weft_doc_delta_own(&out, doc, me->agent, seq));
        MUST(send(me->line, out.data, out.size, 0) < 0);
        ssize_t size = recv(me->line, bytes, sizeof(bytes), 0);
        MUST(size < 0 || weft_doc_apply(&result, doc, WEFT_APPLY_PARK, bytes, (size_t)size));
    }
    MUST(weft_doc_text(&out, doc) || weft_doc_digest(&digest, doc));
    printf("%.*s %02x%02x%02x%02x\n", (int)out.size, (const char *)out.data, digest.bytes[0],
           digest.bytes[1], digest.bytes[2], digest.bytes[3]);
    weft_buffer_finish(&out);
    weft_doc_destroy(doc);
    return NULL;
}

int main(void)
{
    int line[2];
    pthread_t thread;
    MUST(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, line));
    struct writer left = {1, "warp ", line[0]}, right = {2, "weft ", line[1]};
    MUST(pthread_create(&thread, NULL, write_and_listen, &left));
    write_and_listen(&right);
    return pthread_join(thread, NULL);
}
