// SPDX-License-Identifier: MIT
// Requests as another kind of client; what they are answered goes to the ledger.
#include "sim_user.h"

#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "codec/pack.h"
#include "sim_node.h"
#include "sim_request.h"

#define THINK_US_MIN 20000
#define THINK_US_MAX 1500000
#define INSERT_MAX 12
#define TAKE_OUT_PER_MILLE 40 // of the markers of a text that a PUT leaves out

/// What one request meant; taken by its answer.
struct intent {
    struct cluster *cluster;
    enum node_verb verb;
    uint32_t document;
    bool blind;
    struct marker_list inserted;
    struct marker_list deleted;
    struct marker_list body; // of a PUT, all of it
};

static struct intent *intent_create(struct cluster *cluster, enum node_verb verb, uint32_t document)
{
    struct intent *intent = world_resize(NULL, sizeof(*intent));
    *intent = (struct intent){.cluster = cluster, .verb = verb, .document = document};
    return intent;
}

static void intent_destroy(struct intent *intent)
{
    marker_list_finish(&intent->inserted);
    marker_list_finish(&intent->deleted);
    marker_list_finish(&intent->body);
    free(intent);
}

/// A blind PUT deletes whatever it does not name, and may bring back what it names.
static void loosen(struct intent *intent)
{
    struct ledger *ledger = &intent->cluster->ledger;
    uint8_t *named = world_resize(NULL, ledger->marker_count + 1);
    memset(named, 0, ledger->marker_count + 1);
    for (uint32_t i = 0; i < intent->body.count; i++)
        named[intent->body.items[i]] = 1;
    for (uint32_t i = 0; i < ledger->marker_count; i++) {
        struct marker *marker = &ledger->markers[i];
        if (marker->document != intent->document)
            continue;
        if (named[i])
            marker->loose = true;
        else
            marker->delete_issued = true;
    }
    free(named);
}

static bool is_write(enum node_verb verb)
{
    return verb == NODE_ASK_PUT || verb == NODE_ASK_PATCH || verb == NODE_ASK_CREATE ||
           verb == NODE_ASK_DELETE;
}

static void note_promise(struct intent *intent, const struct sim_request_result *result)
{
    struct ledger *ledger = &intent->cluster->ledger;
    intent->cluster->acks++;
    for (uint32_t level = 1; level <= result->level && level < LEDGER_LEVELS_MAX; level++) {
        for (uint32_t i = 0; i < intent->inserted.count; i++)
            ledger_note_ack(ledger, &ledger->markers[intent->inserted.items[i]].insert,
                            result->slot, level, result->sent_us, NULL);
        for (uint32_t i = 0; i < intent->deleted.count; i++)
            ledger_note_ack(ledger, &ledger->markers[intent->deleted.items[i]].delete, result->slot,
                            level, result->sent_us, NULL);
        if (intent->verb == NODE_ASK_DELETE)
            ledger_note_ack(ledger, &ledger->deletes[intent->document], result->slot, level,
                            result->sent_us, NULL);
    }
}

static void note_answer(struct intent *intent, const struct sim_request_result *result)
{
    struct world *world = &intent->cluster->world;
    if (intent->blind)
        loosen(intent);
    if (is_write(intent->verb)) {
        intent->cluster->writes_under_way--;
        world_note(world, "n%u answers verb %d on document %u: %u, level %u", result->slot,
                   intent->verb, intent->document, result->status, result->level);
    }
    if (result->status >= 200 && result->status < 300 && is_write(intent->verb))
        note_promise(intent, result);
    if (result->status == 500 && !intent->cluster->plan.disk_faults)
        world_fail(world, "n%u answers verb %d on document %u with 500: %.*s", result->slot,
                   intent->verb, intent->document, (int)result->body.size,
                   (const char *)result->body.data);
}

static void answered(void *context, uint64_t tag, const struct sim_request_result *result)
{
    struct intent *intent = context;
    (void)tag;
    note_answer(intent, result);
    intent_destroy(intent);
}

static void send(struct sim_node *node, struct intent *intent, struct node_ask *ask)
{
    ask->verb = intent->verb;
    if (ask->document.size == 0)
        ask->document = cluster_document_name(intent->document);
    intent->cluster->writes_under_way += is_write(intent->verb);
    sim_request_send(node, ask, answered, intent, 0);
}

// ----------------------------------------------------------------------------------------- writes

static void add_new_markers(struct intent *intent, struct marker_list *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t marker =
            ledger_add(&intent->cluster->ledger, intent->document, LEDGER_REQUESTS, NULL);
        marker_list_add(&intent->inserted, marker);
        if (list != NULL)
            marker_list_add(list, marker);
    }
}

static void append_texts(struct weft_buffer *out, const struct marker_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        ledger_append_text(out, list->items[i]);
}

/// What was read, without some of it, with something new at one place.
static void change_text(struct intent *intent, const struct marker_list *read)
{
    struct cluster *cluster = intent->cluster;
    struct world *world = &cluster->world;
    uint32_t place = (uint32_t)world_random(world, read->count + 1);
    for (uint32_t i = 0; i <= read->count; i++) {
        if (i == place)
            add_new_markers(intent, &intent->body, 1 + (uint32_t)world_random(world, INSERT_MAX));
        if (i == read->count)
            break;
        if (world_chance(world, TAKE_OUT_PER_MILLE)) {
            marker_list_add(&intent->deleted, read->items[i]);
            cluster->ledger.markers[read->items[i]].delete_issued = true;
        } else {
            marker_list_add(&intent->body, read->items[i]);
        }
    }
}

/// The second half of read, change, write: only if nobody changed it meanwhile, or blindly.
static void put_back(void *context, uint64_t slot, const struct sim_request_result *result)
{
    struct intent *read = context;
    struct cluster *cluster = read->cluster;
    struct world *world = &cluster->world;
    struct marker_list text = {0};
    struct intent *intent = intent_create(cluster, NODE_ASK_PUT, read->document);
    struct weft_buffer body;
    weft_buffer_init(&body, NULL);
    intent_destroy(read);
    if (result->status != 200 || cluster->quiet) {
        intent_destroy(intent);
        return;
    }
    if (!ledger_read_text(&cluster->ledger, &text, result->body)) {
        world_fail(world, "n%u shows text of document %u that nobody wrote", result->slot,
                   intent->document);
    } else {
        intent->blind = cluster->plan.blind_puts && world_chance(world, 300);
        change_text(intent, &text);
        append_texts(&body, &intent->body);
        struct node_ask ask = {.body = {body.data, body.size},
                               .wait_level = (uint32_t)world_random(world, 4)};
        if (!intent->blind) {
            ask.if_match = result->etag;
        } else {
            loosen(intent);
        }
        send(cluster->nodes[slot], intent, &ask);
        intent = NULL;
    }
    if (intent != NULL)
        intent_destroy(intent);
    marker_list_finish(&text);
    weft_buffer_finish(&body);
}

static void read_change_write(struct cluster *cluster, struct sim_node *node, uint32_t document)
{
    struct intent *intent = intent_create(cluster, NODE_ASK_TEXT, document);
    struct node_ask ask = {.verb = NODE_ASK_TEXT, .document = cluster_document_name(document)};
    sim_request_send(node, &ask, put_back, intent, node->slot);
}

void sim_user_insert(struct cluster *cluster, struct sim_node *node, uint32_t document,
                     uint64_t position, uint32_t count, uint32_t wait_level)
{
    struct intent *intent = intent_create(cluster, NODE_ASK_PATCH, document);
    struct weft_buffer text;
    struct weft_buffer body;
    weft_buffer_init(&text, NULL);
    weft_buffer_init(&body, NULL);
    add_new_markers(intent, NULL, count);
    append_texts(&text, &intent->inserted);
    struct pack_writer writer = pack_writer_begin(&body);
    pack_array(&writer, 1);
    pack_array(&writer, 3);
    pack_u64(&writer, position);
    pack_u64(&writer, 0);
    pack_str(&writer, (struct span){text.data, text.size});
    if (pack_writer_end(&writer) != WEFT_OK)
        abort(); // memory of the simulator itself
    send(
        node, intent,
        &(struct node_ask){.body = {body.data, body.size}, .wait_level = wait_level, .json = true});
    weft_buffer_finish(&text);
    weft_buffer_finish(&body);
}

void sim_user_create_document(struct cluster *cluster, struct sim_node *node, uint32_t document)
{
    struct intent *intent = intent_create(cluster, NODE_ASK_CREATE, document);
    const struct marker_list *shared = &cluster->shared_texts[document];
    struct weft_buffer body;
    weft_buffer_init(&body, NULL);
    for (uint32_t i = 0; i < shared->count; i++)
        marker_list_add(&intent->inserted, shared->items[i]);
    append_texts(&body, &intent->inserted);
    send(node, intent, &(struct node_ask){.body = {body.data, body.size}});
    weft_buffer_finish(&body);
}

void sim_user_delete_document(struct cluster *cluster, struct sim_node *node, uint32_t document)
{
    send(node, intent_create(cluster, NODE_ASK_DELETE, document), &(struct node_ask){0});
}

// ------------------------------------------------------------------------------------ what is next

static void do_something(struct cluster *cluster, struct sim_node *node)
{
    static const enum node_verb reads[] = {NODE_ASK_LIST,   NODE_ASK_TEXT,  NODE_ASK_DELTA,
                                           NODE_ASK_DIGEST, NODE_ASK_WATCH, NODE_ASK_RECOVERY_LIST,
                                           NODE_ASK_MEMBERS};
    struct world *world = &cluster->world;
    uint32_t document = (uint32_t)world_random(world, cluster->document_count);
    uint64_t draw = world_random(world, 100);
    if (draw < 30) {
        read_change_write(cluster, node, document);
    } else if (draw < 50) {
        sim_user_insert(cluster, node, document, world_random(world, 20),
                        1 + (uint32_t)world_random(world, INSERT_MAX),
                        (uint32_t)world_random(world, 4));
    } else if (draw < 65) {
        sim_user_create_document(cluster, node, document);
    } else if (draw < 69 && cluster->plan.deletes) {
        sim_user_delete_document(cluster, node, document);
    } else {
        enum node_verb verb = reads[world_random(world, sizeof(reads) / sizeof(reads[0]))];
        send(node, intent_create(cluster, verb, document), &(struct node_ask){.limit = 100});
    }
}

static void go_on(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct cluster *cluster = context;
    struct world *world = &cluster->world;
    (void)a;
    (void)b;
    (void)owned;
    if (cluster->quiet)
        return;
    struct sim_node *node = cluster_pick_node(cluster);
    if (node != NULL)
        do_something(cluster, node);
    world_after(world, world_between(world, THINK_US_MIN, THINK_US_MAX), go_on, cluster, 0, 0,
                NULL);
}

void sim_user_start(struct cluster *cluster)
{
    world_after(&cluster->world, 1000000, go_on, cluster, 0, 0, NULL);
}
