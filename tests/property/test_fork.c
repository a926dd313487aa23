// SPDX-License-Identifier: MIT
// Replicas among which agent ids were used twice become equal, whatever meets whom first, and no
// character is neither in the document nor in what a replica put aside.
#include <criterion/criterion.h>
#include <string.h>

#include <weft/fork.h>
#include <weft/version.h>

#include "tests/support/documents.h"

enum { PEERS = 4, AGENTS = 6, ROUNDS_MAX = 40, MARKERS_MAX = 4000 };

struct peer {
    struct weft_doc *doc;
    struct weft_buffer cuts;
};

struct group {
    struct property *property;
    struct peer peers[PEERS];
    uint32_t markers;           // given out
    uint64_t fresh;             // the last id of a session that began after a cut
    uint8_t aside[MARKERS_MAX]; // stood in a text that a rebuild or a cut took out
    uint64_t dropped;
    uint64_t moved;
};

// Marker i is the character U+4E00 + i: three bytes.
static void put_marker(struct weft_buffer *text, uint32_t marker)
{
    uint32_t c = 0x4E00 + marker;
    uint8_t bytes[3] = {(uint8_t)(0xE0 | c >> 12), (uint8_t)(0x80 | (c >> 6 & 0x3F)),
                        (uint8_t)(0x80 | (c & 0x3F))};
    cr_assert_eq(weft_buffer_append(text, bytes, sizeof bytes), WEFT_OK);
}

static uint32_t marker_at(const uint8_t *bytes)
{
    return ((bytes[0] & 0x0Fu) << 12 | (bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu)) - 0x4E00;
}

static void note_text(struct group *group, const struct weft_doc *doc, uint8_t *into)
{
    struct weft_buffer text = document_text(group->property, doc);
    for (size_t at = 0; at < text.size; at += 3)
        into[marker_at(text.data + at)]++;
    weft_buffer_finish(&text);
}

struct noting {
    uint8_t *into;
};

static bool note_span(void *context, const struct weft_span *span)
{
    struct noting *noting = context;
    for (size_t at = 0; at < span->text_size; at += 3)
        noting->into[marker_at(span->text + at)]++;
    return true;
}

// What a document holds, deleted or not.
static void note_elements(const struct weft_doc *doc, uint8_t *into)
{
    struct noting noting = {into};
    weft_doc_visit_spans(doc, note_span, &noting);
}

static uint64_t agent_for(struct group *group, struct peer *peer, bool shared)
{
    struct weft_cut cut;
    uint64_t agent = 100 + random_below(&group->property->random, AGENTS);
    if (!shared)
        agent += 1000 * (uint64_t)(peer - group->peers + 1);
    if (weft_cuts_find(&cut, peer->cuts.data, peer->cuts.size, agent) == WEFT_OK)
        agent = 100000 + ++group->fresh;
    return agent;
}

static void edit(struct group *group, struct peer *peer, bool shared)
{
    struct property *p = group->property;
    uint64_t length = weft_doc_length(peer->doc, WEFT_SCALARS);
    CHECK_OK(p, weft_doc_set_agent(peer->doc, agent_for(group, peer, shared)));
    if (length > 0 && random_permille(&p->random, 300)) {
        uint64_t count = 1 + random_below(&p->random, length < 4 ? length : 4);
        uint64_t index = random_below(&p->random, length - count + 1);
        CHECK_OK(p, weft_doc_delete(peer->doc, WEFT_SCALARS, index, count));
        return;
    }
    struct weft_buffer text;
    weft_buffer_init(&text, NULL);
    uint64_t count = 1 + random_below(&p->random, 5);
    for (uint64_t i = 0; i < count && group->markers < MARKERS_MAX; i++)
        put_marker(&text, group->markers++);
    CHECK_OK(p, weft_doc_insert(peer->doc, WEFT_SCALARS, random_below(&p->random, length + 1),
                                text.data, text.size));
    weft_buffer_finish(&text);
}

static void rebuild(struct group *group, struct peer *peer)
{
    struct property *p = group->property;
    struct weft_rebuilt rebuilt;
    struct weft_doc *doc;
    CHECK_OK(p, weft_doc_rebuild(&doc, &rebuilt, &peer->cuts, peer->doc));
    if (doc == NULL)
        return;
    if (rebuilt.atoms_dropped > 0)
        note_elements(peer->doc, group->aside);
    group->dropped += rebuilt.atoms_dropped;
    group->moved += rebuilt.atoms_moved;
    weft_doc_destroy(peer->doc);
    peer->doc = doc;
    document_check_sound(p, doc);
    struct weft_buffer version = document_version(p, doc);
    CHECK_OK(p,
             weft_cuts_check_version(peer->cuts.data, peer->cuts.size, version.data, version.size));
    weft_buffer_finish(&version);
}

static void learn(struct group *group, struct peer *peer, const struct peer *from)
{
    bool changed = false;
    CHECK_OK(group->property,
             weft_cuts_merge(&changed, &peer->cuts, from->cuts.data, from->cuts.size));
    if (changed)
        rebuild(group, peer);
}

// The first atom of an agent that two documents have with other contents.
static bool find_fork(struct group *group, struct weft_doc *a, struct weft_doc *b, uint64_t agent,
                      uint64_t *seq_out)
{
    struct property *p = group->property;
    uint8_t here[32];
    uint8_t there[32];
    uint64_t low = 0;
    uint64_t high = weft_doc_next_seq(a, agent);
    high = weft_doc_next_seq(b, agent) < high ? weft_doc_next_seq(b, agent) : high;
    for (uint64_t at = high; low < high; at = low + (high - low) / 2) {
        CHECK_OK(p, weft_doc_chain_at(here, a, agent, at));
        CHECK_OK(p, weft_doc_chain_at(there, b, agent, at));
        bool equal = memcmp(here, there, sizeof here) == 0;
        if (equal && at == high)
            return false;
        if (equal)
            low = at;
        else
            high = at;
        if (high == low + 1) {
            *seq_out = low;
            return true;
        }
    }
    return false;
}

struct search {
    struct group *group;
    struct peer *a;
    struct peer *b;
    bool changed;
};

static bool compare_agent(void *context, uint64_t agent, uint64_t next)
{
    struct search *search = context;
    struct property *p = search->group->property;
    struct weft_doc *docs[2] = {search->a->doc, search->b->doc};
    uint64_t heirs[2];
    uint64_t seq;
    (void)next;
    if (!find_fork(search->group, docs[0], docs[1], agent, &seq))
        return true;
    for (int i = 0; i < 2; i++) {
        uint8_t chain[32];
        CHECK_OK(p, weft_doc_chain_at(chain, docs[i], agent, seq + 1));
        heirs[i] = weft_fork_heir(docs[i], agent, seq, chain);
    }
    struct weft_cut cut = {agent, seq, heirs[0] < heirs[1] ? heirs[0] : heirs[1]};
    CHECK_OK(p, weft_cuts_add(&search->changed, &search->a->cuts, &cut));
    return true;
}

// What nodes do: cuts go both ways, then what is lacking, then chains are compared.
static void meet(struct group *group, struct peer *a, struct peer *b)
{
    struct property *p = group->property;
    learn(group, a, b);
    learn(group, b, a);
    struct weft_buffer version = document_version(p, a->doc);
    struct weft_buffer delta;
    weft_buffer_init(&delta, NULL);
    CHECK_OK(p, weft_doc_delta_since(&delta, b->doc, version.data, version.size));
    if (delta.size > 0) {
        struct weft_apply_result result;
        uint32_t cut;
        CHECK_OK(p, weft_doc_apply_within(&result, &cut, a->doc, &a->cuts, delta.data, delta.size));
        if (cut > 0)
            note_elements(b->doc, group->aside);
        rebuild(group, a);
    }
    weft_buffer_finish(&delta);
    weft_buffer_finish(&version);
    struct search search = {group, a, b, false};
    version = document_version(p, b->doc);
    CHECK_OK(p, weft_version_visit(version.data, version.size, compare_agent, &search));
    weft_buffer_finish(&version);
    if (search.changed)
        rebuild(group, a);
}

static bool all_equal(struct group *group)
{
    struct weft_digest first = document_digest(group->property, group->peers[0].doc);
    for (int i = 1; i < PEERS; i++) {
        struct weft_digest other = document_digest(group->property, group->peers[i].doc);
        if (memcmp(&first, &other, sizeof first) != 0)
            return false;
    }
    return true;
}

static void settle(struct group *group)
{
    struct property *p = group->property;
    int rounds = 0;
    while (!all_equal(group)) {
        CHECK(p, rounds++ < ROUNDS_MAX, "no agreement");
        for (int i = 0; i < PEERS * 3; i++) {
            uint64_t a = random_below(&p->random, PEERS);
            uint64_t b = (a + 1 + random_below(&p->random, PEERS - 1)) % PEERS;
            meet(group, &group->peers[a], &group->peers[b]);
        }
    }
    for (int i = 1; i < PEERS; i++)
        document_check_equal(p, group->peers[0].doc, group->peers[i].doc);
}

// A deletion may have met the other branch's character of the same number before anyone knew: that
// is then a tombstone, but it is there.
static void check_nothing_is_lost(struct group *group)
{
    uint8_t shown[MARKERS_MAX] = {0};
    uint8_t held[MARKERS_MAX] = {0};
    note_text(group, group->peers[0].doc, shown);
    note_elements(group->peers[0].doc, held);
    for (uint32_t i = 0; i < group->markers; i++) {
        CHECK(group->property, shown[i] <= 1, "character %u stands twice", i);
        CHECK(group->property, held[i] > 0 || group->aside[i] > 0, "character %u is nowhere", i);
    }
}

static void group_init(struct group *group, struct property *property)
{
    memset(group, 0, sizeof *group);
    group->property = property;
    for (int i = 0; i < PEERS; i++) {
        CHECK_OK(property, weft_doc_create(&group->peers[i].doc, NULL));
        weft_buffer_init(&group->peers[i].cuts, NULL);
        CHECK_OK(property, weft_doc_insert_initial(group->peers[i].doc, NULL, 0));
    }
}

static void group_finish(struct group *group)
{
    for (int i = 0; i < PEERS; i++) {
        weft_doc_destroy(group->peers[i].doc);
        weft_buffer_finish(&group->peers[i].cuts);
    }
}

Test(fork, replicas_whose_authors_forked_become_equal_whatever_meets_whom_first)
{
    static struct group group; // large
    uint64_t moved = 0;
    uint64_t dropped = 0;
    for (struct property p = property_start("forks heal", 400); property_next(&p);) {
        group_init(&group, &p);
        uint32_t sharing = (uint32_t)random_below(&p.random, 500);
        for (int burst = 0; burst < 3; burst++) {
            for (int i = 0; i < 40; i++) {
                struct peer *peer = &group.peers[random_below(&p.random, PEERS)];
                edit(&group, peer, random_permille(&p.random, sharing));
                if (random_permille(&p.random, 100))
                    meet(&group, peer, &group.peers[random_below(&p.random, PEERS)]);
            }
            if (burst != 1)
                settle(&group);
        }
        check_nothing_is_lost(&group);
        moved += group.moved;
        dropped += group.dropped;
        group_finish(&group);
    }
    cr_assert(moved > 0 && dropped > 0, "%llu moved, %llu dropped", (unsigned long long)moved,
              (unsigned long long)dropped);
}

// ------------------------------------------------------------------------------------------- cuts

static struct weft_cut random_cut(struct property *p)
{
    return (struct weft_cut){1 + random_below(&p->random, 8), random_below(&p->random, 3),
                             random_below(&p->random, 8)};
}

Test(fork, cuts_merge_alike_in_any_order)
{
    for (struct property p = property_start("cuts merge", 2000); property_next(&p);) {
        struct weft_cut cuts[6];
        struct weft_buffer sets[3];
        for (int i = 0; i < 6; i++)
            cuts[i] = random_cut(&p);
        for (int s = 0; s < 3; s++) {
            bool changed = false;
            weft_buffer_init(&sets[s], NULL);
            for (int i = 0; i < 6; i++) {
                size_t other = random_below(&p.random, 6);
                struct weft_cut swapped = cuts[i];
                cuts[i] = cuts[other];
                cuts[other] = swapped;
            }
            for (int i = 0; i < 6; i++)
                CHECK_OK(&p, weft_cuts_add(&changed, &sets[s], &cuts[i]));
            CHECK(&p, weft_cuts_valid(sets[s].data, sets[s].size), "a set is valid");
        }
        bool changed = false;
        CHECK_OK(&p, weft_cuts_merge(&changed, &sets[1], sets[2].data, sets[2].size));
        CHECK_OK(&p, weft_cuts_merge(&changed, &sets[0], sets[1].data, sets[1].size));
        CHECK_OK(&p, weft_cuts_merge(&changed, &sets[1], sets[0].data, sets[0].size));
        CHECK(&p,
              sets[0].size == sets[1].size && memcmp(sets[0].data, sets[1].data, sets[0].size) == 0,
              "two sets that were merged differ");
        for (int s = 0; s < 3; s++)
            weft_buffer_finish(&sets[s]);
    }
}
