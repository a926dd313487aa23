// SPDX-License-Identifier: MIT
// How a client edits: like a person at a cursor, or like a fuzzer anywhere.
#include "cluster.h"
#include "sim_client.h"
#include "sim_room.h"

#define LENGTH_CALM 1500 // past this a client deletes more than it inserts
#define PASTE_MAX 3000   // markers of a large paste
#define FUZZ_INSERT_MAX 60
#define FUZZ_DELETE_MAX 80

static void edit_like_a_person(struct sim_room *room, struct world *world)
{
    uint64_t length = sim_room_length(room);
    if (room->cursor > length)
        room->cursor = length;
    uint64_t draw = world_random(world, 100);
    if (draw < 12) {
        room->cursor = world_random(world, length + 1);
    } else if (draw < 25 && room->cursor > 0) { // backspace, a key at a time
        uint64_t keys = world_between(world, 1, 4);
        for (uint64_t i = 0; i < keys && room->cursor > 0; i++)
            sim_room_delete(room, room->cursor - 1, 1);
    } else {
        uint32_t keys = (uint32_t)world_between(world, 1, 6);
        for (uint32_t i = 0; i < keys; i++)
            sim_room_insert(room, room->cursor, 1);
    }
}

static void edit_like_a_fuzzer(struct sim_room *room, struct world *world)
{
    uint64_t length = sim_room_length(room);
    uint64_t at = world_random(world, length + 1);
    uint64_t draw = world_random(world, 1000);
    if (draw < 3)
        sim_room_insert(room, at, (uint32_t)world_between(world, 100, PASTE_MAX));
    else if (draw < (length > LENGTH_CALM ? 350u : 550u))
        sim_room_insert(room, at, (uint32_t)world_between(world, 1, FUZZ_INSERT_MAX));
    else if (draw < 600)
        sim_room_insert(room, 0, 1); // at the very start, over and over
    else
        sim_room_delete(room, at, (uint32_t)world_between(world, 1, FUZZ_DELETE_MAX));
}

void sim_room_edit(struct sim_room *room)
{
    struct world *world = &room->client->cluster->world;
    if (room->client->typist)
        edit_like_a_person(room, world);
    else
        edit_like_a_fuzzer(room, world);
}
