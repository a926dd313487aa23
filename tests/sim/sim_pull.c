// SPDX-License-Identifier: MIT
// Pull: a question to an address, a reply or a time-out, never both and never two.
#include "sim_network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster.h"
#include "sim_node.h"

#define QUESTION_BYTES_MAX (2u << 20) // the bounds of io/peers.h
#define REPLY_BYTES_MAX (8u << 20)
#define PULLS_MAX 64

/// One question under way; kept until the end of the simulation.
struct pull {
    struct pull *next;
    struct sim_network *network;
    struct sim_node *asker;
    uint64_t asker_boot;
    struct sim_node *asked;
    uint64_t ticket;
    bool done; // the asker has its reply or its time-out
    size_t question_size;
    uint8_t question[];
};

/// An answer that a node owes: which pull, given by which life of which node.
struct owed {
    struct owed *next;
    struct pull *pull;
    struct sim_node *node;
    uint64_t boot;
    uint64_t id;
    uint64_t asked_us;
};

struct pull_bytes {
    size_t size;
    uint8_t bytes[];
};

static void step_reply(struct pull *pull, enum weft_status status, struct span bytes)
{
    const struct world *world = &pull->network->cluster->world;
    if (world->verbose)
        printf("%10.6f  n%u has a reply to ticket %llu: %s, %zu bytes, type %u\n",
               (double)world->now_us / 1e6, pull->asker->slot, (unsigned long long)pull->ticket,
               weft_status_text(status), bytes.size, bytes.size > 1 ? bytes.data[1] : 0);
    pull->done = true;
    sim_node_step(pull->asker, &(struct node_event){.kind = NODE_PULL_REPLY,
                                                    .ticket = pull->ticket,
                                                    .status = status,
                                                    .bytes = bytes});
}

static void time_out(void *context, uint64_t a, uint64_t b, void *owned)
{
    struct pull *pull = context;
    (void)a;
    (void)b;
    (void)owned;
    if (pull->done || !sim_node_lives(pull->asker, pull->asker_boot))
        return;
    if (sim_node_defer(pull->asker, time_out, context, 0, 0, NULL))
        return;
    step_reply(pull, WEFT_NOT_FOUND, (struct span){0});
}

static void deliver_reply(void *context, uint64_t from, uint64_t b, void *owned)
{
    struct pull *pull = context;
    struct pull_bytes *reply = owned;
    (void)b;
    if (pull->done || !sim_node_lives(pull->asker, pull->asker_boot) ||
        !sim_network_reaches(pull->network, (uint32_t)from, pull->asker->slot))
        return;
    if (sim_node_is_paused(pull->asker)) {
        struct pull_bytes *copy = world_resize(NULL, sizeof(*copy) + reply->size);
        memcpy(copy, reply, sizeof(*copy) + reply->size);
        sim_node_defer(pull->asker, deliver_reply, context, from, 0, copy);
        return;
    }
    step_reply(pull, WEFT_OK, (struct span){reply->bytes, reply->size});
}

static void deliver_question(void *context, uint64_t boot, uint64_t b, void *owned)
{
    struct pull *pull = context;
    struct sim_network *network = pull->network;
    (void)b;
    (void)owned;
    if (!sim_node_lives(pull->asked, boot) ||
        !sim_network_reaches(network, pull->asker->slot, pull->asked->slot))
        return;
    if (sim_node_defer(pull->asked, deliver_question, context, boot, 0, NULL))
        return;
    uint64_t id = ++network->next_answer;
    struct owed *owed = world_resize(NULL, sizeof(*owed));
    *owed = (struct owed){
        pull->asked->owed, pull, pull->asked, boot, id, network->cluster->world.now_us};
    pull->asked->owed = owed;
    sim_node_step(pull->asked,
                  &(struct node_event){.kind = NODE_PULL_ASKED,
                                       .answer = {id},
                                       .bytes = {pull->question, pull->question_size}});
}

void sim_pull_ask(struct sim_node *node, uint64_t ticket, struct span address, struct span question)
{
    struct cluster *cluster = node->cluster;
    struct sim_network *network = &cluster->network;
    struct world *world = &cluster->world;
    world_trace(world, 0xA5C, question.data, question.size);
    if (world->verbose)
        printf("%10.6f  n%u asks %.*s: %zu bytes, ticket %llu, type %u\n",
               (double)world->now_us / 1e6, node->slot, (int)address.size,
               (const char *)address.data, question.size, (unsigned long long)ticket,
               question.size > 1 ? question.data[1] : 0);
    uint32_t under_way = 1;
    for (const struct pull *p = network->pulls; p != NULL; p = p->next)
        under_way += !p->done && p->asker == node && p->asker_boot == node->boot ? 1 : 0;
    if (question.size > QUESTION_BYTES_MAX || under_way > PULLS_MAX)
        world_fail(world, "n%u asks %zu bytes, pull %u under way", node->slot, question.size,
                   under_way);
    struct pull *pull = world_resize(NULL, sizeof(*pull) + question.size);
    *pull = (struct pull){.next = network->pulls,
                          .network = network,
                          .asker = node,
                          .asker_boot = node->boot,
                          .asked = sim_node_at_pull(cluster, address),
                          .ticket = ticket,
                          .question_size = question.size};
    memcpy(pull->question, question.data, question.size);
    network->pulls = pull;
    world_after(world, NETWORK_PULL_TIMEOUT_US, time_out, pull, 0, 0, NULL);
    if (pull->asked == NULL || pull->asked->node == NULL)
        return;
    uint64_t boot = pull->asked->boot;
    world_after(world, sim_network_delay(network), deliver_question, pull, boot, 0, NULL);
    if (world_chance(world, network->weather.doubling_per_mille))
        world_after(world, sim_network_delay(network) * 2, deliver_question, pull, boot, 0, NULL);
}

void sim_pull_answer(struct sim_node *node, struct answer_id answer, struct span reply)
{
    struct world *world = &node->cluster->world;
    struct sim_network *network = &node->cluster->network;
    struct owed **at = &node->owed;
    while (*at != NULL && ((*at)->id != answer.value || (*at)->boot != node->boot))
        at = &(*at)->next;
    struct owed *owed = *at;
    if (owed == NULL || reply.size > REPLY_BYTES_MAX) {
        world_fail(world, "n%u answers %zu bytes to a question that %s", node->slot, reply.size,
                   owed == NULL ? "was not asked, or was answered before" : "was asked");
        return;
    }
    *at = owed->next;
    struct pull *pull = owed->pull;
    free(owed);
    world_trace(world, 0xA45, reply.data, reply.size);
    if (world_chance(world, network->weather.reply_loss_per_mille))
        return;
    struct pull_bytes *copy = world_resize(NULL, sizeof(*copy) + reply.size);
    copy->size = reply.size;
    if (reply.size > 0)
        memcpy(copy->bytes, reply.data, reply.size);
    world_after(world, sim_network_delay(network), deliver_reply, pull, node->slot, 0, copy);
}

void sim_pull_check(const struct sim_node *node)
{
    struct world *world = &node->cluster->world;
    for (const struct owed *owed = node->owed; owed != NULL; owed = owed->next) {
        if (world->now_us - owed->asked_us > 2 * NETWORK_PULL_TIMEOUT_US)
            world_fail(world, "n%u did not answer a question of n%u for %llu s", node->slot,
                       owed->pull->asker->slot,
                       (unsigned long long)(world->now_us - owed->asked_us) / 1000000);
    }
}

void sim_pull_forget(struct sim_node *node)
{
    while (node->owed != NULL) {
        struct owed *next = node->owed->next;
        free(node->owed);
        node->owed = next;
    }
}

void sim_pull_finish(struct sim_network *network)
{
    while (network->pulls != NULL) {
        struct pull *next = network->pulls->next;
        free(network->pulls);
        network->pulls = next;
    }
}
