// SPDX-License-Identifier: MIT
// A program to be killed, or to have its syncs fail: commits a record for each line that it reads,
// and says what became of it.
//
//   committer DIR [--unsynced]
//   stdin  "N\n"                       put record N and commit
//   stdout "ack N\n"                   it is durable, says the store
//          "fail N STATUS HEALTH\n"    numbers of enum weft_status and enum store_health
//
// --unsynced takes the syncs away: what a test must notice.
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "committer.h"
#include "io/store_lmdb_impl.h"

static void stage(struct store *port, uint64_t number)
{
    static uint8_t value[COMMITTER_VALUE_BYTES_MAX];
    char key[32];
    int size = snprintf(key, sizeof(key), "%020llu", (unsigned long long)number);
    struct span key_span = {(uint8_t *)key, (size_t)size};
    size_t value_size = committer_value(value, number);
    if (port->put(port, STORE_JOURNAL, key_span, (struct span){value, value_size}) != WEFT_OK ||
        port->put(port, STORE_META, (struct span){(const uint8_t *)"last", 4}, key_span) != WEFT_OK)
        exit(3);
    // The journal's beginning is merged away in the end.
    if (number > COMMITTER_KEPT) {
        size = snprintf(key, sizeof(key), "%020llu", (unsigned long long)(number - COMMITTER_KEPT));
        if (port->remove(port, STORE_JOURNAL, (struct span){(uint8_t *)key, (size_t)size}) !=
            WEFT_OK)
            exit(3);
    }
}

int main(int argc, char **argv)
{
    char error[STORE_LMDB_ERROR_BYTES];
    struct store_lmdb *store;
    if (argc < 2)
        return 2;
    struct store_lmdb_options options = {.path = argv[1]};
    if (store_lmdb_open(&store, &options, error) != WEFT_OK) {
        fprintf(stderr, "committer: %s\n", error);
        return 1;
    }
    if (argc > 2 && strcmp(argv[2], "--unsynced") == 0)
        mdb_env_set_flags(store->env, MDB_NOSYNC, 1);
    struct store *port = store_lmdb_port(store);
    char line[64];
    while (fgets(line, sizeof(line), stdin) != NULL) {
        uint64_t number = strtoull(line, NULL, 10);
        uint64_t group;
        enum weft_status status;
        stage(port, number);
        port->commit(port);
        if (!store_lmdb_wait(store, 60000) || !store_lmdb_next(store, &group, &status))
            return 4;
        if (status == WEFT_OK)
            printf("ack %llu\n", (unsigned long long)number);
        else
            printf("fail %llu %d %d\n", (unsigned long long)number, (int)status,
                   (int)port->health(port));
        fflush(stdout);
    }
    store_lmdb_close(store);
    return 0;
}
