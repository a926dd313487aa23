// SPDX-License-Identifier: MIT
// What the order of elements has to be, written so that one can see that it is right, and slow.
//
//   oracle_tree   the definition (docs/crdt.md): the in-order walk of the tree of parents;
//                 left children ascending by id, the element, right children descending by id
//   oracle_rga    the textbook: Roh et al. 2011 in the list form of Gomes et al. 2017, for
//   histories
//                 without left children only
//
// Both take the operations of a document, in an order in which causes come first.
#ifndef WEFT_TESTS_ORACLE_H
#define WEFT_TESTS_ORACLE_H

#include <weft/doc.h>

/// An inserted character.
struct oracle_element {
    struct weft_id id;
    uint64_t lamport;
    struct weft_id parent;
    bool left;
    bool deleted;        // or, at a version, not inserted yet
    const uint8_t *text; // borrowed from the log's copy
    uint8_t size;
};

/// One delete atom.
struct oracle_delete {
    struct weft_id target; // first: deletes are looked up by it
    struct weft_id id;
};

/// One entry of a version vector.
struct oracle_next {
    uint64_t agent;
    uint64_t next;
};

/// Elements in one order or other.
struct oracle {
    struct oracle_element *elements;
    size_t count, capacity;
    uint8_t *text; // copy of all inserted text
    size_t text_size, text_capacity;
    struct oracle_delete *deletes; // that no undelete names
    size_t delete_count, delete_capacity;
    struct weft_id *undeletes; // targets of all undelete atoms
    size_t undelete_count, undelete_capacity;
    struct oracle_next *version; // NULL: all operations count
    size_t version_count, version_capacity;
};

/// Takes all operations of `doc`; elements are in its arrival order.
struct oracle oracle_collect(const struct weft_doc *doc);
/// The same elements, but what is visible of them is what the operations of a version say, which
/// must be sound; any will do.
struct oracle oracle_collect_at(const struct weft_doc *doc, const uint8_t *version, size_t size);
void oracle_finish(struct oracle *oracle);

/// Puts the elements into document order by the definition.
void oracle_tree(struct oracle *oracle);
/// Puts the elements into document order by the textbook. @return false when some are left
/// children.
bool oracle_rga(struct oracle *oracle);

/// Appends what is visible, in the order that the elements are in.
void oracle_text(struct weft_buffer *out, const struct oracle *oracle);

/// @return NULL when the document's order, tombstones and text are those of the oracle, else what
/// differs, in static storage.
const char *oracle_compare(const struct oracle *oracle, const struct weft_doc *doc);

#endif
