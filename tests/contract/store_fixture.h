// SPDX-License-Identifier: MIT
// The store port's implementations behind one face, so that one suite runs on each.
#ifndef WEFT_CONTRACT_STORE_FIXTURE_H
#define WEFT_CONTRACT_STORE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/status.h>

#include "io/store_lmdb.h"
#include "node/ports.h"
#include "tests/sim/sim_store.h"

struct store_fixture {
    const char *name;
    struct store *store; // the port; changes with reopen()
    /// The next outcome of a group, waited for. Fails the test if none comes.
    enum weft_status (*settle)(struct store_fixture *self, uint64_t group);
    /// Waits until `count` outcomes are there, without taking them.
    void (*finish)(struct store_fixture *self, unsigned count);
    /// Makes the open group one that finds no space; `recover` gives space again and waits until
    /// the store is writable.
    void (*doom)(struct store_fixture *self);
    void (*recover)(struct store_fixture *self);
    /// The process ends without a word and a new one opens the store.
    void (*reopen)(struct store_fixture *self);
    void (*close)(struct store_fixture *self);

    char path[64]; // of the LMDB store's directory
    struct store_lmdb *lmdb;
    struct sim_store *sim;
};

enum { STORE_FIXTURE_COUNT = 2 };

/// Opens an empty store of the kind `index`.
void store_fixture_open(struct store_fixture *self, unsigned index);

/// Bytes of a string, without its end.
struct span text_span(const char *text);

/// Stages a record of strings and expects that it works.
void store_put(struct store *store, enum store_table table, const char *key, const char *value);
/// Does a view see this value (NULL: no record)?
bool store_has(struct store *store, enum store_table table, const char *key, const char *value);
/// Commits the open group and expects success.
void store_fixture_commit(struct store_fixture *self);

/// A fresh directory below $TMPDIR or /tmp. @param path At least 64 bytes.
void temporary_directory(char *path);
void remove_directory(const char *path);

#endif
