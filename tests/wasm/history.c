// SPDX-License-Identifier: MIT
// Makes up histories of a few replicas with the native library and prints every step, and what the
// replicas then are, a line each; check.mjs takes the same steps in the WebAssembly core.
//
//     history SEED STEPS
//
//     new AGENT...               replicas 0, 1, ... of one document, each with its agent and undo
//     insert R INDEX HEX S       S: the status that it has
//     delete R INDEX LENGTH S
//     replace R HEX              replace_text
//     merge FROM TO              TO applies what its version lacks
//     own FROM TO SEQ            TO applies what FROM's agent did from SEQ on, parking allowed
//     note R NOW | undo R S | redo R S
//     keep R | restore R S       remembers the version; goes back to the one remembered
//     is R VERSION DIGEST ...    and SHA-256 of delta since nothing, text, structure and tombs
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium/crypto_hash_sha256.h>
#include <weft/weft.h>

enum { REPLICAS = 3, HEX_MAX = 256 };

struct replica {
    struct weft_doc *doc;
    struct weft_undo *undo;
    uint64_t agent;
    struct weft_buffer kept;
};

static struct replica replicas[REPLICAS];
static struct weft_buffer scratch;
static uint64_t state;
static uint64_t now;

static uint32_t below(uint32_t limit) // xorshift64*
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 33) % limit;
}

static void must(enum weft_status status)
{
    if (status != WEFT_OK) {
        fprintf(stderr, "history: %s\n", weft_status_text(status));
        exit(1);
    }
}

static void put_hex(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    putchar(' ');
    if (size == 0)
        putchar('-');
    for (size_t i = 0; i < size; i++)
        printf("%02x", at[i]);
}

static void put_hash(const struct weft_buffer *bytes)
{
    uint8_t hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, bytes->data, bytes->size);
    put_hex(hash, sizeof hash);
}

static size_t random_text(uint8_t out[HEX_MAX])
{
    static const char *const pieces[] = {"a",
                                         "b",
                                         " ",
                                         "\n",
                                         "word ",
                                         "\xc3\xa9",
                                         "\xe6\xbc\xa2",
                                         "\xf0\x9f\x98\x80",
                                         "e\xcc\x81",
                                         "\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb"};
    size_t size = 0;
    for (uint32_t count = 1 + (below(4) == 0 ? below(12) : 0); count > 0; count--) {
        // Documents that are all ASCII go other ways, so every second one is.
        const char *piece = pieces[below(state % 2 == 0 ? 5 : 10)];
        memcpy(out + size, piece, strlen(piece));
        size += strlen(piece);
    }
    return size;
}

static uint32_t length(const struct replica *replica)
{
    return (uint32_t)weft_doc_length(replica->doc, WEFT_UTF16);
}

static void apply(struct replica *to)
{
    struct weft_apply_result result;
    must(weft_doc_apply(&result, to->doc, WEFT_APPLY_PARK, scratch.data, scratch.size));
}

static void merge(int from, int to)
{
    struct weft_buffer version;
    weft_buffer_init(&version, NULL);
    must(weft_doc_version(&version, replicas[to].doc));
    scratch.size = 0;
    must(weft_doc_delta_since(&scratch, replicas[from].doc, version.data, version.size));
    printf("merge %d %d\n", from, to);
    if (scratch.size > 0)
        apply(&replicas[to]);
    weft_buffer_finish(&version);
}

static void own(int from, int to)
{
    uint64_t next = weft_doc_next_seq(replicas[from].doc, replicas[from].agent);
    uint64_t seq = next - below((uint32_t)(next < 20 ? next + 1 : 20));
    scratch.size = 0;
    must(weft_doc_delta_own(&scratch, replicas[from].doc, replicas[from].agent, seq));
    printf("own %d %d %llu\n", from, to, (unsigned long long)seq);
    if (scratch.size > 0)
        apply(&replicas[to]);
}

static void is(int number)
{
    struct weft_doc *doc = replicas[number].doc;
    struct weft_buffer parts[3];
    struct weft_digest digest;
    for (int i = 0; i < 3; i++)
        weft_buffer_init(&parts[i], NULL);
    printf("is %d", number);
    must(weft_doc_version(&parts[0], doc));
    put_hex(parts[0].data, parts[0].size);
    must(weft_doc_digest(&digest, doc));
    put_hex(digest.bytes, sizeof digest.bytes);
    scratch.size = 0;
    must(weft_doc_delta_since(&scratch, doc, NULL, 0));
    put_hash(&scratch);
    parts[0].size = 0;
    must(weft_doc_snapshot(&parts[0], &parts[1], &parts[2], doc));
    put_hash(&parts[1]);
    put_hash(&parts[0]);
    put_hash(&parts[2]);
    putchar('\n');
    for (int i = 0; i < 3; i++)
        weft_buffer_finish(&parts[i]);
}

static void begin(void)
{
    printf("new");
    for (int i = 0; i < REPLICAS; i++) {
        struct replica *replica = &replicas[i];
        weft_undo_destroy(replica->undo);
        weft_doc_destroy(replica->doc);
        replica->agent = 1 + below(UINT32_MAX);
        replica->agent |= (uint64_t)below(1000) << 40;
        must(weft_doc_create(&replica->doc, NULL));
        must(weft_doc_set_agent(replica->doc, replica->agent));
        must(weft_undo_create(&replica->undo, replica->doc, replica->agent, NULL));
        replica->kept.size = 0;
        printf(" %llu", (unsigned long long)replica->agent);
    }
    putchar('\n');
}

static void edit(int number)
{
    struct replica *replica = &replicas[number];
    uint8_t text[HEX_MAX];
    size_t size = random_text(text);
    uint32_t index = below(length(replica) + 1);
    if (below(3) > 0) {
        for (uint32_t keys = below(3) == 0 ? 1 + below(20) : 1; keys > 0; keys--) { // typing
            printf("insert %d %u", number, index);
            put_hex(text, size);
            printf(" %d\n", weft_doc_insert(replica->doc, WEFT_UTF16, index, text, size));
            index += size == 1;
        }
    } else {
        uint32_t deleted = below(4) == 0 ? below(20) : 1;
        printf("delete %d %u %u", number, index, deleted);
        printf(" %d\n", weft_doc_delete(replica->doc, WEFT_UTF16, index, deleted));
    }
}

static void replace(int number)
{
    struct replica *replica = &replicas[number];
    uint8_t text[HEX_MAX];
    size_t size = random_text(text);
    scratch.size = 0;
    must(weft_doc_text(&scratch, replica->doc));
    size_t at = scratch.size == 0 ? 0 : below((uint32_t)scratch.size);
    while (at > 0 && (scratch.data[at] & 0xc0) == 0x80)
        at--;
    must(weft_buffer_reserve(&scratch, size));
    memmove(scratch.data + at + size, scratch.data + at, scratch.size - at);
    memcpy(scratch.data + at, text, size);
    scratch.size += size;
    printf("replace %d", number);
    put_hex(scratch.data, scratch.size);
    putchar('\n');
    must(weft_doc_replace_text(replica->doc, scratch.data, scratch.size));
}

static void undo(int number)
{
    struct replica *replica = &replicas[number];
    uint32_t choice = below(4);
    scratch.size = 0;
    if (choice < 2) {
        now += below(900);
        printf("note %d %llu\n", number, (unsigned long long)now);
        must(weft_undo_note(replica->undo, replica->doc, now));
    } else if (choice == 2) {
        printf("undo %d %d\n", number, weft_undo_undo(&scratch, replica->undo, replica->doc));
    } else {
        printf("redo %d %d\n", number, weft_undo_redo(&scratch, replica->undo, replica->doc));
    }
}

static void go_back(int number)
{
    struct replica *replica = &replicas[number];
    if (below(2) == 0 || replica->kept.size == 0) {
        replica->kept.size = 0;
        must(weft_doc_version(&replica->kept, replica->doc));
        printf("keep %d\n", number);
    } else {
        printf("restore %d %d\n", number,
               weft_doc_restore(replica->doc, replica->kept.data, replica->kept.size));
    }
}

int main(int count, char **arguments)
{
    if (count != 3) {
        fprintf(stderr, "usage: history SEED STEPS\n");
        return 2;
    }
    state = strtoull(arguments[1], NULL, 10) * 2 + 1;
    weft_buffer_init(&scratch, NULL);
    for (int i = 0; i < REPLICAS; i++)
        weft_buffer_init(&replicas[i].kept, NULL);
    for (long step = 0, steps = strtol(arguments[2], NULL, 10); step < steps; step++) {
        if (step % 400 == 0)
            begin();
        int number = (int)below(REPLICAS);
        int other = (number + 1 + (int)below(REPLICAS - 1)) % REPLICAS;
        uint32_t choice = below(100);
        if (choice < 60)
            edit(number);
        else if (choice < 65)
            replace(number);
        else if (choice < 80)
            undo(number);
        else if (choice < 84)
            go_back(number);
        else if (choice < 90)
            own(number, other);
        else
            merge(number, other);
        if (step % 40 == 39)
            is(number);
    }
    for (int i = 0; i < REPLICAS; i++) {
        weft_undo_destroy(replicas[i].undo);
        weft_doc_destroy(replicas[i].doc);
        weft_buffer_finish(&replicas[i].kept);
    }
    weft_buffer_finish(&scratch);
    return 0;
}
