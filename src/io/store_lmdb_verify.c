// SPDX-License-Identifier: MIT
// Checks a data directory from its bytes; see store_lmdb.h. Nothing is mapped but LMDB's two meta
// pages, so no damage ends in a signal.
#include "io/store_lmdb.h"

#include <errno.h>
#include <inttypes.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/store_lmdb_file.h"
#include "io/store_lmdb_impl.h"

struct verify {
    const char *path;
    const struct store_lmdb_verify_visitor *visitor;
    struct store_lmdb_report report;
    struct store_lmdb_file file;
    struct store_lmdb_walk walk;
    enum weft_status status; // not WEFT_OK: the check could not go on
    char *error;
    enum store_table table; // the one that is being walked
    bool format_seen;
    uint8_t *value; // a value out of overflow pages; owned
    size_t value_capacity;
};

static void problem(void *context, const char *text)
{
    struct verify *v = context;
    if (v->visitor->problem != NULL)
        v->visitor->problem(v->visitor->context, text);
}

static enum weft_status out_of_memory(char *error)
{
    snprintf(error, STORE_LMDB_ERROR_BYTES, "out of memory");
    return WEFT_NO_MEMORY;
}

/// The value's frame, wherever it is. Borrowed until the next one.
static enum weft_status frame_of(struct verify *v, const struct store_lmdb_leaf *leaf,
                                 struct span *frame_out)
{
    if (leaf->inline_value.data != NULL) {
        *frame_out = leaf->inline_value;
        return WEFT_OK;
    }
    // The pages were found to exist, so the file bounds what is allocated.
    if (v->value_capacity < leaf->size) {
        uint8_t *bytes = realloc(v->value, leaf->size);
        if (bytes == NULL)
            return out_of_memory(v->error);
        v->value = bytes;
        v->value_capacity = leaf->size;
    }
    enum weft_status status = store_lmdb_file_overflow(&v->file, leaf, v->value);
    if (status != WEFT_OK) {
        snprintf(v->error, STORE_LMDB_ERROR_BYTES, "cannot read %.300s/data.mdb", v->path);
        return status;
    }
    *frame_out = (struct span){v->value, leaf->size};
    return WEFT_OK;
}

static void record_bad(struct verify *v, struct span key)
{
    char hex[2 * 32 + 1] = "";
    size_t shown = key.size < 32 ? key.size : 32;
    for (size_t i = 0; i < shown; i++)
        snprintf(hex + 2 * i, 3, "%02x", key.data[i]);
    char text[192];
    snprintf(text, sizeof(text), "the checksum of record %s%s of table %s does not match", hex,
             shown < key.size ? "..." : "", store_lmdb_tables[v->table].name);
    v->report.records_bad++;
    problem(v, text);
}

static bool visit_record(void *context, const struct store_lmdb_leaf *leaf)
{
    struct verify *v = context;
    struct span frame;
    v->status = frame_of(v, leaf, &frame);
    if (v->status != WEFT_OK)
        return false;
    v->report.records[v->table]++;
    v->report.bytes[v->table] += leaf->key.size + leaf->size;
    struct span value = {NULL, 0};
    bool flags_good = (leaf->flags & STORE_LMDB_LEAF_TABLE) == 0;
    if (!flags_good ||
        !store_lmdb_unframe(&value, store_lmdb_tables[v->table].number, leaf->key, frame))
        record_bad(v, leaf->key);
    if (v->visitor->record != NULL)
        v->visitor->record(v->visitor->context, v->table, leaf->key, value);
    return true;
}

static bool visit_format(void *context, const struct store_lmdb_leaf *leaf)
{
    struct verify *v = context;
    struct span key = store_lmdb_format_key();
    if (leaf->key.size != key.size || memcmp(leaf->key.data, key.data, key.size) != 0 ||
        leaf->inline_value.data == NULL) {
        store_lmdb_walk_damage(&v->walk, "the format table has an impossible record");
        return true;
    }
    char text[STORE_LMDB_ERROR_BYTES];
    enum weft_status status =
        store_lmdb_format_decode(&v->report.format, leaf->inline_value, v->path, text);
    v->format_seen = true;
    if (status == WEFT_UNSUPPORTED) {
        snprintf(v->error, STORE_LMDB_ERROR_BYTES, "%s", text);
        v->status = status;
        return false;
    }
    if (status != WEFT_OK)
        store_lmdb_walk_damage(&v->walk, "%s", text);
    return true;
}

static void check_table(struct verify *v, const struct store_lmdb_table_root *root)
{
    bool format = strcmp(root->name, STORE_LMDB_FORMAT_TABLE) == 0;
    unsigned table = 0;
    while (!format && table < STORE_TABLE_COUNT &&
           strcmp(root->name, store_lmdb_tables[table].name) != 0)
        table++;
    if (table == STORE_TABLE_COUNT) {
        store_lmdb_walk_damage(&v->walk, "there is a table that is none of weft's");
        return;
    }
    v->table = (enum store_table)table;
    enum weft_status status = store_lmdb_walk_tree(&v->walk, &root->tree, root->name,
                                                   format ? visit_format : visit_record, v);
    if (v->status == WEFT_OK)
        v->status = status;
}

/// Walks everything that the pinned state holds.
static void check_root(struct verify *v, const struct store_lmdb_root *root)
{
    v->walk =
        (struct store_lmdb_walk){.file = &v->file, .root = root, .damage = problem, .context = v};
    if (store_lmdb_walk_init(&v->walk) != WEFT_OK) {
        v->status = out_of_memory(v->error);
        return;
    }
    struct store_lmdb_table_root tables[STORE_LMDB_TREES_MAX];
    unsigned count = 0;
    v->status = store_lmdb_walk_main(&v->walk, tables, &count);
    // The format first: what it says decides whether the rest can be read.
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < count && v->status == WEFT_OK; i++) {
            bool format = strcmp(tables[i].name, STORE_LMDB_FORMAT_TABLE) == 0;
            if (format == (pass == 0))
                check_table(v, &tables[i]);
        }
    }
    if (v->status == WEFT_OK && !v->format_seen)
        store_lmdb_walk_damage(&v->walk, "there is no format record");
    if (v->status == WEFT_OK)
        v->status = store_lmdb_walk_free(&v->walk);
    v->report.transaction = root->transaction;
    v->report.pages = v->walk.pages + 2;
    v->report.pages_free = v->walk.pages_free;
    uint64_t known = v->report.pages + v->report.pages_free;
    v->report.pages_lost = root->last_page + 1 > known ? root->last_page + 1 - known : 0;
    v->report.damages = v->walk.damages;
    store_lmdb_walk_finish(&v->walk);
}

/// Pins the state of a reader, so that a live writer leaves its pages alone.
static enum weft_status pin(struct verify *v, MDB_env **env_out, MDB_txn **txn_out)
{
    MDB_env *env;
    int code = mdb_env_create(&env);
    if (code != 0)
        return out_of_memory(v->error);
    code = mdb_env_open(env, v->path, MDB_RDONLY | MDB_NOTLS, 0600);
    if (code == 0)
        code = store_lmdb_space_read(env, txn_out);
    if (code == 0) {
        *env_out = env;
        return WEFT_OK;
    }
    mdb_env_close(env);
    snprintf(v->error, STORE_LMDB_ERROR_BYTES, "cannot read %.300s beside its writer: %s", v->path,
             mdb_strerror(code));
    return WEFT_STORAGE;
}

/// Checks one state. @return WEFT_NOT_FOUND when a live writer was quicker than the pin.
static void check_once(struct verify *v)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    if (store_lmdb_dir_has_writer(v->path))
        v->status = pin(v, &env, &txn);
    if (v->status == WEFT_OK) {
        struct store_lmdb_root root;
        uint64_t transaction = txn != NULL ? mdb_txn_id(txn) : 0;
        v->status = store_lmdb_file_root(&v->file, &root, transaction, v->error);
        if (v->status == WEFT_OK)
            check_root(v, &root);
    }
    if (txn != NULL)
        mdb_txn_abort(txn);
    if (env != NULL)
        mdb_env_close(env);
}

enum weft_status store_lmdb_verify(const char *path,
                                   const struct store_lmdb_verify_visitor *visitor,
                                   struct store_lmdb_report *report_out, char *error)
{
    enum { tries_max = 10 };
    static const struct store_lmdb_verify_visitor silent;
    struct verify v = {
        .path = path, .visitor = visitor != NULL ? visitor : &silent, .error = error};
    char text[STORE_LMDB_ERROR_BYTES];
    v.error = text;
    v.status = store_lmdb_file_open(&v.file, path, text);
    if (v.status == WEFT_NOT_FOUND && store_lmdb_dir_is_marked(path)) {
        snprintf(text, sizeof(text), "data.mdb is gone or empty, but it held a store before");
        v.status = WEFT_MALFORMED;
    } else if (v.status == WEFT_NOT_FOUND) {
        snprintf(text, sizeof(text), "%.300s holds no weft store", path);
    }
    if (v.status == WEFT_OK) {
        unsigned tries = 0;
        do {
            v.status = WEFT_OK;
            check_once(&v);
        } while (v.status == WEFT_NOT_FOUND && ++tries < tries_max);
        store_lmdb_file_close(&v.file);
        free(v.value);
    }
    *report_out = v.report;
    if (v.status == WEFT_OK && (v.report.damages > 0 || v.report.records_bad > 0)) {
        snprintf(error, STORE_LMDB_ERROR_BYTES,
                 "%.300s is damaged: %" PRIu64 " bad records, %" PRIu64 " damages of structure",
                 path, v.report.records_bad, v.report.damages);
        return WEFT_MALFORMED;
    }
    if (v.status != WEFT_OK)
        snprintf(error, STORE_LMDB_ERROR_BYTES, "%.*s", STORE_LMDB_ERROR_BYTES - 1, text);
    return v.status;
}
