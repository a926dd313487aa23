// SPDX-License-Identifier: MIT
// Feeds: what entered the cluster at one node during one life of its process, and how far it is
// here.
//
//   own feed I3  --continues-->  I2 up to 87  --continues-->  I1 up to 40
//
// A list of feeds on the bus or in a question leaves out a feed that a listed one continues, when
// it is held exactly up to there; so lists do not grow with every restart. Private to node/. May
// include: node/state.h.
#ifndef WEFT_NODE_FEEDS_H
#define WEFT_NODE_FEEDS_H

#include "node/state.h"

/// NULL when it is not known.
struct feed *feeds_find(struct node *node, uint64_t incarnation);
/// Finds a feed or makes it as it was declared. NULL when out of memory, past FEEDS_MAX, or when it
/// is retired and held as far as declared.
struct feed *feeds_get(struct node *node, const struct peer_feed *declared);
/// Makes a feed as it is recorded. NULL when out of memory.
struct feed *feeds_load(struct node *node, uint64_t incarnation, const struct record_feed *record);
/// How far a feed is held, retired or not; 0 when it is not known.
uint64_t feeds_prefix(struct node *node, uint64_t incarnation);
/// Whether a feed is retired: no more in memory, as there are too many. @param prefix_out How far
/// it is held.
bool feeds_retired(struct node *node, uint64_t incarnation, uint64_t *prefix_out);
/// Whether so many are known that some should be retired.
bool feeds_crowded(const struct node *node);
/// Retires those that can be.
void feeds_retire(struct node *node);
void feeds_free(struct node *node, struct feed *feed);
struct feed *feeds_own(struct node *node);
void feeds_finish(struct node *node);

/// Makes `feed` the own one: feeds[0].
void feeds_set_own(struct node *node, struct feed *feed);
/// Takes note that entry prefix + 1 was staged as `number`.
void feeds_advance(struct node *node, struct feed *feed, uint64_t number);
/// Takes note that everything up to `prefix` is here, though not in the journal.
void feeds_adopt(struct node *node, struct feed *feed, uint64_t prefix);
/// Its record is to be staged.
void feeds_touch(struct node *node, struct feed *feed);
/// Stages one's record.
WEFT_MUST_USE enum weft_status feeds_stage_one(struct node *node, const struct feed *feed);
/// Stages the records of touched feeds and lists them in the group that is being closed.
void feeds_stage(struct node *node, struct group *group);
/// The group is on disk.
void feeds_committed(struct node *node, const struct group *group);
/// The group and what was staged behind it are lost: prefixes return to what is on disk.
void feeds_failed(struct node *node, const struct group *group);
/// Journal entries below `number` are gone.
void feeds_shift(struct node *node, uint64_t number);
/// The journal number at which the search for entry `sequence` of a feed begins; it is in the
/// journal.
uint64_t feeds_locate(const struct feed *feed, uint64_t sequence);
/// One entry seen while the journal is read at start.
void feeds_replay(struct node *node, uint64_t incarnation, uint64_t sequence, uint64_t number);

/// Which feeds a list names. One that is not named is held exactly as far as one that continues it
/// says.
enum feeds_named {
    FEEDS_NEEDED, // that, and no others
    FEEDS_ASKED,  // also those that the list read last names: whoever named them may not know what
                  // they continue
    FEEDS_ALL,    // for one who may know none of them
};
/// Appends the list (array head and elements) of what is applied, or only of what is synced.
void feeds_put_list(struct node *node, struct pack_writer *writer, bool synced,
                    enum feeds_named named);
/// Sets `asked` of all feeds to what a list says, left out ones included.
/// @param unknown_out How many entries it names of feeds that are not known here; may be NULL.
void feeds_read_list(struct node *node, struct peer_list list, uint64_t *unknown_out);

#endif
