// SPDX-License-Identifier: MIT
// Making up traces. Each author has a replica and a habit: a sentence is typed key by key, with
// slips taken back; in between the cursor moves, text is cut, pasted, replaced. Authors that are
// online meet in a common replica, the hub, before and mostly after each edit; one that is offline
// works alone.
#include "programs/trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/doc.h>
#include <weft/version.h>

#include "programs/trace/random.h"

enum {
    WORD_SIZE = 96,        // bytes of one made-up word, the space after it included
    CLIPBOARD_SIZE = 2048, // bytes
    TXN_NONE = -1,
};

/// What one knows of everyone's transactions, and which of these nobody follows yet.
struct knowledge {
    int64_t *last;      // by author: the last transaction known, or TXN_NONE
    uint32_t *frontier; // transactions that are the parents of the next one
    uint32_t frontier_count;
};

struct author {
    struct weft_doc *doc;
    struct knowledge knows;
    uint64_t cursor;         // scalars; moves along with what others do
    uint32_t typing;         // words to type before doing anything else
    uint32_t slip;           // characters to take back now
    uint8_t word[WORD_SIZE]; // being typed
    size_t word_at, word_size;
    uint8_t clipboard[CLIPBOARD_SIZE];
    size_t clipboard_size;
    uint32_t offline_edits; // edits until this author is online again
};

struct generator {
    struct trace *trace;
    struct random random;
    struct author *authors;
    uint32_t author_count;
    struct weft_doc *hub; // NULL with one author
    struct knowledge hub_knows;
    struct weft_buffer version; // scratch
    struct weft_buffer delta;   // scratch
    enum weft_status status;    // the first failure
};

/// Keeps the first failure. @return true when there was none so far.
static bool check(struct generator *generator, enum weft_status status)
{
    if (generator->status == WEFT_OK)
        generator->status = status;
    return generator->status == WEFT_OK;
}

// ------------------------------------------------------------------------------------- made-up
// text

static size_t make_word(struct random *random, uint8_t word[WORD_SIZE])
{
    static const char *const starts[] = {"b", "c",  "d",  "f",  "g",  "h",  "l", "m",  "n",
                                         "p", "r",  "s",  "t",  "v",  "w",  "",  "st", "tr",
                                         "",  "pl", "th", "sh", "ch", "gr", "",  "br"};
    static const char *const cores[] = {"a", "e", "i", "o", "u", "ea", "ou", "e", "a", "io", "ai"};
    static const char *const ends[] = {"", "", "n", "r", "s", "t", "l", "nd", "st", "ng", "", "m"};
    static const char *const rare[] = {"\xC3\xA9t\xC3\xA9",
                                       "Stra\xC3\x9F"
                                       "e",
                                       "\xE6\x96\x87\xE6\x9B\xB8",
                                       "\xE2\x82\xAC"
                                       "5",
                                       "\xF0\x9F\x98\x80",
                                       "\xD0\xB4\xD0\xB0"};
    static const char *const after[] = {" ",  " ",   " ",  " ", " ",    " ", " ", " ", ", ",
                                        ". ", ".\n", "; ", " ", "\n\n", " ", " ", ": "};
    size_t size = 0;
    if (random_permille(random, 8)) {
        const char *text = rare[random_below(random, sizeof(rare) / sizeof(*rare))];
        size = strlen(text);
        memcpy(word, text, size);
    } else {
        for (uint64_t left = 1 + random_below(random, 3); left > 0; left--)
            size += (size_t)snprintf((char *)word + size, WORD_SIZE - size, "%s%s%s",
                                     starts[random_below(random, sizeof(starts) / sizeof(*starts))],
                                     cores[random_below(random, sizeof(cores) / sizeof(*cores))],
                                     ends[random_below(random, sizeof(ends) / sizeof(*ends))]);
    }
    return size + (size_t)snprintf((char *)word + size, WORD_SIZE - size, "%s",
                                   after[random_below(random, sizeof(after) / sizeof(*after))]);
}

/// Fills with whole words. @return the size.
static size_t make_text(struct random *random, uint8_t *text, size_t size_max)
{
    size_t size = 0;
    uint8_t word[WORD_SIZE];
    for (;;) {
        size_t more = make_word(random, word);
        if (size + more > size_max)
            return size;
        memcpy(text + size, word, more);
        size += more;
    }
}

static size_t character_size(uint8_t lead)
{
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

static uint64_t count_characters(const uint8_t *text, size_t size)
{
    uint64_t count = 0;
    for (size_t i = 0; i < size; i += character_size(text[i]))
        count++;
    return count;
}

// -------------------------------------------------------------------------------- who knows what

static bool knowledge_init(struct knowledge *knows, uint32_t authors)
{
    knows->last = malloc(authors * sizeof(*knows->last));
    knows->frontier = malloc((authors + (size_t)1) * sizeof(*knows->frontier));
    if (knows->last == NULL || knows->frontier == NULL)
        return false;
    for (uint32_t i = 0; i < authors; i++)
        knows->last[i] = TXN_NONE;
    return true;
}

static bool has_frontier(const struct knowledge *knows, uint32_t txn)
{
    for (uint32_t i = 0; i < knows->frontier_count; i++)
        if (knows->frontier[i] == txn)
            return true;
    return false;
}

/// Whether `txn` is also a last one of what `other` knows: unknown there, or a last one there too.
static bool stays_last(const struct trace *trace, const struct knowledge *other, uint32_t txn)
{
    return (int64_t)txn > other->last[trace->txns[txn].agent] || has_frontier(other, txn);
}

/// Makes `into` know what `from` knows.
static void knowledge_merge(struct generator *generator, struct knowledge *into,
                            const struct knowledge *from)
{
    const struct trace *trace = generator->trace;
    uint32_t kept[2 * TRACE_AUTHORS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < into->frontier_count; i++)
        if (stays_last(trace, from, into->frontier[i]))
            kept[count++] = into->frontier[i];
    for (uint32_t i = 0; i < from->frontier_count; i++)
        if (stays_last(trace, into, from->frontier[i]) && !has_frontier(into, from->frontier[i]))
            kept[count++] = from->frontier[i];
    memcpy(into->frontier, kept, count * sizeof(*kept));
    into->frontier_count = count;
    for (uint32_t i = 0; i < generator->author_count; i++)
        if (from->last[i] > into->last[i])
            into->last[i] = from->last[i];
}

/// Brings what `from` holds into `into`.
static bool pull_known(struct generator *generator, struct weft_doc *into,
                       struct knowledge *into_knows, const struct weft_doc *from,
                       const struct knowledge *from_knows)
{
    struct weft_buffer *version = &generator->version;
    struct weft_buffer *delta = &generator->delta;
    version->size = 0;
    delta->size = 0;
    if (!check(generator, weft_doc_version(version, into)) ||
        !check(generator, weft_doc_delta_since(delta, from, version->data, version->size)))
        return false;
    if (delta->size > 0) {
        struct weft_apply_result result;
        if (!check(generator,
                   weft_doc_apply(&result, into, WEFT_APPLY_STRICT, delta->data, delta->size)))
            return false;
    }
    knowledge_merge(generator, into_knows, from_knows);
    return true;
}

// --------------------------------------------------------------------------------------- one edit

/// An observer: keeps an author's cursor beside the same text when others edit.
static void follow(void *context, uint64_t index, uint64_t deleted, const uint8_t *text,
                   size_t text_size)
{
    struct author *author = context;
    if (index > author->cursor)
        return;
    uint64_t before = author->cursor - index;
    author->cursor -= deleted < before ? deleted : before;
    author->cursor += count_characters(text, text_size);
}

/// Edits the author's replica and notes it as a transaction of one patch.
static bool edit(struct generator *generator, uint32_t who, uint64_t index, uint64_t deleted,
                 const uint8_t *text, size_t text_size)
{
    struct author *author = &generator->authors[who];
    struct knowledge *knows = &author->knows;
    struct trace *trace = generator->trace;
    if (!trace_add_txn(trace, who, knows->frontier, knows->frontier_count) ||
        !trace_add_patch(trace, index, deleted, text, (uint32_t)text_size))
        return check(generator, WEFT_NO_MEMORY);
    knows->frontier[0] = trace->txn_count - 1;
    knows->frontier_count = 1;
    knows->last[who] = trace->txn_count - 1;
    if (deleted > 0 &&
        !check(generator, weft_doc_delete(author->doc, WEFT_SCALARS, index, deleted)))
        return false;
    if (text_size > 0 &&
        !check(generator, weft_doc_insert(author->doc, WEFT_SCALARS, index, text, text_size)))
        return false;
    author->cursor = index + count_characters(text, text_size);
    return true;
}

static bool type_character(struct generator *generator, uint32_t who)
{
    struct author *author = &generator->authors[who];
    struct random *random = &generator->random;
    if (author->slip > 0 && author->cursor > 0) {
        author->slip--;
        return edit(generator, who, author->cursor - 1, 1, NULL, 0);
    }
    author->slip = 0;
    if (author->word_at == author->word_size) {
        author->word_size = make_word(random, author->word);
        author->word_at = 0;
        author->typing--;
    }
    const uint8_t *key = &author->word[author->word_at];
    size_t size = character_size(*key);
    author->word_at += size;
    if (random_permille(random, 25)) // the wrong key; noticed a few keys later
        author->slip = (uint32_t)random_between(random, 1, 6);
    return edit(generator, who, author->cursor, 0, key, size);
}

static void append_clipboard(void *context, const uint8_t *text, size_t size)
{
    struct author *author = context;
    memcpy(author->clipboard + author->clipboard_size, text, size);
    author->clipboard_size += size;
}

/// Takes a stretch out, to be pasted later.
static bool cut(struct generator *generator, uint32_t who, uint64_t length)
{
    struct author *author = &generator->authors[who];
    uint64_t room = weft_doc_length(author->doc, WEFT_SCALARS) - author->cursor;
    uint64_t count = random_between(&generator->random, 1, CLIPBOARD_SIZE / 4);
    count = count < length ? count : length;
    count = count < room ? count : room;
    if (count == 0)
        return true;
    author->clipboard_size = 0;
    return check(generator, weft_doc_read(author->doc, WEFT_SCALARS, author->cursor, count,
                                          append_clipboard, author)) &&
           edit(generator, who, author->cursor, count, NULL, 0);
}

/// Pastes what was cut, or text from elsewhere, over a few selected characters or none.
static bool paste(struct generator *generator, uint32_t who, uint64_t selected)
{
    struct author *author = &generator->authors[who];
    struct random *random = &generator->random;
    uint64_t room = weft_doc_length(author->doc, WEFT_SCALARS) - author->cursor;
    if (author->clipboard_size == 0 || random_permille(random, 300))
        author->clipboard_size =
            make_text(random, author->clipboard,
                      WORD_SIZE + random_below(random, CLIPBOARD_SIZE - 2 * WORD_SIZE));
    return edit(generator, who, author->cursor, selected < room ? selected : room,
                author->clipboard, author->clipboard_size);
}

static void move_cursor(struct generator *generator, struct author *author)
{
    struct random *random = &generator->random;
    uint64_t length = weft_doc_length(author->doc, WEFT_SCALARS);
    uint64_t kind = random_below(random, 10);
    if (kind < 5) { // nearby
        uint64_t target = author->cursor + random_below(random, 400);
        author->cursor = target > 200 ? target - 200 : 0;
    } else if (kind < 8) { // the end, where most of a text is written
        author->cursor = length;
    } else {
        author->cursor = random_below(random, length + 1);
    }
    if (author->cursor > length)
        author->cursor = length;
}

/// Does what this author does next: one edit, or none when there was nothing to cut.
static bool act(struct generator *generator, uint32_t who)
{
    struct author *author = &generator->authors[who];
    struct random *random = &generator->random;
    if (author->typing > 0 || author->slip > 0)
        return type_character(generator, who);
    uint64_t kind = random_below(random, 100);
    if (kind < 45)
        move_cursor(generator, author);
    if (kind < 80) {
        author->typing = (uint32_t)random_between(random, 2, 40);
        return type_character(generator, who);
    }
    if (kind < 90) { // takes back what stands before the cursor, key by key
        author->slip = (uint32_t)random_between(random, 3, 80);
        return true;
    }
    if (kind < 95)
        return cut(generator, who, random_permille(random, 700) ? 60 : CLIPBOARD_SIZE);
    return paste(generator, who, kind < 98 ? 0 : random_between(random, 1, 30));
}

// ------------------------------------------------------------------------------------ all authors

/// One turn of one author, with the exchange around it.
static bool take_turn(struct generator *generator, uint32_t who)
{
    struct author *author = &generator->authors[who];
    struct random *random = &generator->random;
    if (generator->hub == NULL)
        return act(generator, who);
    bool online = author->offline_edits == 0;
    if (online && random_permille(random, 800) &&
        !pull_known(generator, author->doc, &author->knows, generator->hub, &generator->hub_knows))
        return false;
    if (!act(generator, who))
        return false;
    if (!online)
        author->offline_edits--;
    else if (random_permille(random, 3))
        author->offline_edits = (uint32_t)random_between(random, 20, 400);
    if (online && random_permille(random, 800))
        return pull_known(generator, generator->hub, &generator->hub_knows, author->doc,
                          &author->knows);
    return true;
}

static bool start(struct generator *generator)
{
    uint32_t count = generator->author_count;
    generator->authors = calloc(count, sizeof(*generator->authors));
    if (generator->authors == NULL)
        return check(generator, WEFT_NO_MEMORY);
    for (uint32_t i = 0; i < count; i++) {
        struct author *author = &generator->authors[i];
        if (!check(generator, weft_doc_create(&author->doc, NULL)) ||
            !check(generator, weft_doc_set_agent(author->doc, i + (uint64_t)1)))
            return false;
        if (!knowledge_init(&author->knows, count))
            return check(generator, WEFT_NO_MEMORY);
        if (count > 1)
            weft_doc_observe(author->doc, follow, author);
    }
    if (count == 1)
        return true;
    return check(generator, weft_doc_create(&generator->hub, NULL)) &&
           (knowledge_init(&generator->hub_knows, count) || check(generator, WEFT_NO_MEMORY));
}

/// Everyone writes; in the end all meet in the hub, whose text is the end text.
static bool write_history(struct generator *generator, uint64_t edits)
{
    uint32_t who = 0;
    while (generator->trace->txn_count < edits) {
        if (random_permille(&generator->random, 150))
            who = (uint32_t)random_below(&generator->random, generator->author_count);
        if (!take_turn(generator, who))
            return false;
    }
    struct weft_doc *end = generator->authors[0].doc;
    if (generator->hub != NULL) {
        end = generator->hub;
        for (uint32_t i = 0; i < generator->author_count; i++)
            if (!pull_known(generator, end, &generator->hub_knows, generator->authors[i].doc,
                            &generator->authors[i].knows))
                return false;
    }
    generator->delta.size = 0;
    return check(generator, weft_doc_text(&generator->delta, end)) &&
           (trace_set_end_text(generator->trace, generator->delta.data, generator->delta.size) ||
            check(generator, WEFT_NO_MEMORY));
}

static void finish(struct generator *generator)
{
    for (uint32_t i = 0; generator->authors != NULL && i < generator->author_count; i++) {
        weft_doc_destroy(generator->authors[i].doc);
        free(generator->authors[i].knows.last);
        free(generator->authors[i].knows.frontier);
    }
    free(generator->authors);
    weft_doc_destroy(generator->hub);
    free(generator->hub_knows.last);
    free(generator->hub_knows.frontier);
    weft_buffer_finish(&generator->version);
    weft_buffer_finish(&generator->delta);
}

enum weft_status trace_generate(struct trace *trace_out, uint64_t edits, uint64_t authors,
                                uint64_t seed, char error_out[TRACE_ERROR_SIZE])
{
    if (edits == 0 || edits > TRACE_EDITS_MAX || authors == 0 || authors > TRACE_AUTHORS_MAX) {
        snprintf(error_out, TRACE_ERROR_SIZE, "a trace has 1 to %d edits by 1 to %d authors",
                 TRACE_EDITS_MAX, TRACE_AUTHORS_MAX);
        return WEFT_LIMIT;
    }
    struct trace trace = {.concurrent = authors > 1, .agents = (uint32_t)authors};
    struct generator generator = {
        .trace = &trace, .random = random_seeded(seed), .author_count = (uint32_t)authors};
    weft_buffer_init(&generator.version, NULL);
    weft_buffer_init(&generator.delta, NULL);
    bool done = start(&generator) && write_history(&generator, edits);
    finish(&generator);
    if (!done) {
        snprintf(error_out, TRACE_ERROR_SIZE, "the trace could not be made: %s",
                 weft_status_text(generator.status));
        trace_finish(&trace);
        return generator.status;
    }
    snprintf(trace.name, sizeof(trace.name), "generated-%llu-%llu-%llu", (unsigned long long)edits,
             (unsigned long long)authors, (unsigned long long)seed);
    *trace_out = trace;
    return WEFT_OK;
}
