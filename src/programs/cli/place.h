// SPDX-License-Identifier: MIT
// Where documents are: a node, by URL, or a data directory, live or not, which is only read.
//
//   place_open -> place_list, place_text, place_doc, place_recoveries, place_recovery ->
//   place_close
//
// Every function returns an exit code and has said what went wrong when it is not EXIT_FINE.
// May include: io/store_lmdb.h, node/archive.h, programs/cli.
#ifndef WEFT_PROGRAMS_CLI_PLACE_H
#define WEFT_PROGRAMS_CLI_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include <weft/doc.h>

#include "io/store_lmdb.h"
#include "node/archive.h"
#include "programs/cli/command.h"
#include "programs/cli/output.h"
#include "programs/cli/remote.h"

struct place {
    const char *text; // as it was given; borrowed
    bool is_url;
    struct remote remote;
    struct store_lmdb *store;
    struct archive archive;
};

/// A row of a list.
struct place_document {
    char name[512];
    char epoch[HEX_EPOCH_BYTES];
    char digest[HEX_DIGEST_BYTES]; // empty when damaged
    uint64_t length;
    bool damaged;
    const uint64_t *numbers; // of a directory's: its journal entries, for archive_load(); borrowed
    size_t number_count;
};

struct place_recovery {
    char document[512];
    char epoch[HEX_EPOCH_BYTES];
    uint64_t parts;
    uint64_t bytes;
    uint64_t wall_ms;
};

/// Whether a word means a URL rather than a directory.
bool place_is_url(const char *text);

/// place_close() follows in any case.
int place_open(struct place *place, const char *text);
void place_close(struct place *place);

/// Documents whose names begin with `prefix`, in the order of their names.
int place_list(struct place *place, const char *prefix,
               void (*visit)(void *context, const struct place_document *document), void *context);
/// Appends the visible text.
int place_text(struct place *place, const char *name, struct weft_buffer *text_out);
/// The whole document; the caller owns it.
int place_doc(struct place *place, const char *name, struct weft_doc **doc_out);

/// The document that a command's first two words name, a place and a name; the caller owns it.
int place_fetch(struct weft_doc **doc_out, const struct arguments *arguments);
/// Also when its operations arrived, as far as the place knows. @param times Initialised.
int place_fetch_times(struct weft_doc **doc_out, struct times *times,
                      const struct arguments *arguments);

/// @param document NULL: of all.
int place_recoveries(struct place *place, const char *document,
                     void (*visit)(void *context, const struct place_recovery *recovery),
                     void *context);
int place_recovery_text(struct place *place, const char *document, const char *epoch,
                        struct weft_buffer *text_out);

/// The exit code for a status of the store or the archive.
enum exit_code place_code(enum weft_status status);

// The two kinds; place.c chooses.
int place_url_list(struct place *place, const char *prefix,
                   void (*visit)(void *context, const struct place_document *document),
                   void *context);
int place_url_text(struct place *place, const char *name, struct weft_buffer *text_out);
int place_url_doc(struct place *place, const char *name, struct weft_doc **doc_out);
int place_url_recoveries(struct place *place, const char *document,
                         void (*visit)(void *context, const struct place_recovery *recovery),
                         void *context);
int place_url_recovery_text(struct place *place, const char *document, const char *epoch,
                            struct weft_buffer *text_out);
int place_dir_open(struct place *place);
int place_dir_list(struct place *place, const char *prefix,
                   void (*visit)(void *context, const struct place_document *document),
                   void *context);
int place_dir_text(struct place *place, const char *name, struct weft_buffer *text_out);
int place_dir_doc(struct place *place, const char *name, struct weft_doc **doc_out,
                  struct times *times);
int place_url_times(struct place *place, const char *name, struct times *times);
int place_dir_recoveries(struct place *place, const char *document,
                         void (*visit)(void *context, const struct place_recovery *recovery),
                         void *context);
int place_dir_recovery_text(struct place *place, const char *document, const char *epoch,
                            struct weft_buffer *text_out);

#endif
