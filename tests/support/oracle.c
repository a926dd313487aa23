// SPDX-License-Identifier: MIT
#include "tests/support/oracle.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/version.h>

#define NONE SIZE_MAX

static void grow(void **array, size_t *capacity, size_t needed, size_t size)
{
    if (needed <= *capacity)
        return;
    *capacity = 2 * needed + 64;
    *array = realloc(*array, *capacity * size);
    assert(*array != NULL);
}

static bool is_root(struct weft_id id)
{
    return id.agent == 0;
}

static bool same(struct weft_id a, struct weft_id b)
{
    return a.agent == b.agent && a.seq == b.seq;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/// The order of ids: Lamport time, then agent.
static int compare_order(const struct oracle_element *a, const struct oracle_element *b)
{
    int by_time = compare_numbers(a->lamport, b->lamport);
    return by_time != 0 ? by_time : compare_numbers(a->id.agent, b->id.agent);
}

static int compare_ids(const void *a, const void *b)
{
    const struct weft_id *left = a;
    const struct weft_id *right = b;
    int by_agent = compare_numbers(left->agent, right->agent);
    return by_agent != 0 ? by_agent : compare_numbers(left->seq, right->seq);
}

// ------------------------------------------------------------------------------------- collecting

static bool add_next(void *context, uint64_t agent, uint64_t next)
{
    struct oracle *oracle = context;
    void *version = oracle->version;
    grow(&version, &oracle->version_capacity, oracle->version_count + 1, sizeof(*oracle->version));
    oracle->version = version;
    oracle->version[oracle->version_count++] = (struct oracle_next){agent, next};
    return true;
}

/// Whether an atom counts.
static bool counts(const struct oracle *oracle, uint64_t agent, uint64_t seq)
{
    if (oracle->version == NULL)
        return true;
    for (size_t i = 0; i < oracle->version_count; i++)
        if (oracle->version[i].agent == agent)
            return seq < oracle->version[i].next;
    return false;
}

static void add_insert(struct oracle *oracle, const struct weft_run *run)
{
    void *elements = oracle->elements;
    grow(&elements, &oracle->capacity, oracle->count + run->length, sizeof(*oracle->elements));
    oracle->elements = elements;
    const uint8_t *text = run->text;
    for (uint32_t i = 0; i < run->length; i++) {
        uint8_t size = text == NULL   ? 0
                       : *text < 0x80 ? 1
                       : *text < 0xE0 ? 2
                       : *text < 0xF0 ? 3
                                      : 4;
        oracle->elements[oracle->count++] = (struct oracle_element){
            .id = {run->agent, run->seq + i},
            .lamport = run->lamport + i,
            .parent = i == 0 ? run->target : (struct weft_id){run->agent, run->seq + i - 1},
            .left = i == 0 && run->left,
            .deleted = text == NULL || !counts(oracle, run->agent, run->seq + i),
            .text = text,
            .size = size,
        };
        text = text == NULL ? NULL : text + size;
    }
    assert(text == NULL || text == run->text + run->text_size);
}

static void add_delete(struct oracle *oracle, const struct weft_run *run)
{
    void *deletes = oracle->deletes;
    grow(&deletes, &oracle->delete_capacity, oracle->delete_count + run->length,
         sizeof(*oracle->deletes));
    oracle->deletes = deletes;
    for (uint32_t i = 0; i < run->length && counts(oracle, run->agent, run->seq + i); i++)
        oracle->deletes[oracle->delete_count++] = (struct oracle_delete){
            .target = {run->target.agent,
                       run->backward ? run->target.seq - i : run->target.seq + i},
            .id = {run->agent, run->seq + i}};
}

static void add_undelete(struct oracle *oracle, const struct weft_run *run)
{
    void *undeletes = oracle->undeletes;
    grow(&undeletes, &oracle->undelete_capacity, oracle->undelete_count + run->length,
         sizeof(*oracle->undeletes));
    oracle->undeletes = undeletes;
    for (uint32_t i = 0; i < run->length && counts(oracle, run->agent, run->seq + i); i++)
        oracle->undeletes[oracle->undelete_count++] =
            (struct weft_id){run->target.agent, run->target.seq + i};
}

/// Drops the deletes that an undelete names; what is left is sorted by target.
static void cancel_deletes(struct oracle *oracle)
{
    size_t left = 0;
    if (oracle->undelete_count > 0)
        qsort(oracle->undeletes, oracle->undelete_count, sizeof(*oracle->undeletes), compare_ids);
    for (size_t i = 0; i < oracle->delete_count; i++)
        if (oracle->undelete_count == 0 ||
            bsearch(&oracle->deletes[i].id, oracle->undeletes, oracle->undelete_count,
                    sizeof(*oracle->undeletes), compare_ids) == NULL)
            oracle->deletes[left++] = oracle->deletes[i];
    oracle->delete_count = left;
    if (left > 0)
        qsort(oracle->deletes, left, sizeof(*oracle->deletes), compare_ids); // by target, first
}

static bool add_run(void *context, const struct weft_run *run)
{
    struct oracle *oracle = context;
    struct weft_run copy = *run;
    if (run->kind == WEFT_RUN_INSERT) {
        assert(oracle->text_size + run->text_size <= oracle->text_capacity);
        if (run->text != NULL) { // else it was collected
            memcpy(oracle->text + oracle->text_size, run->text, run->text_size);
            copy.text = oracle->text + oracle->text_size;
        }
        oracle->text_size += run->text_size;
        add_insert(oracle, &copy);
    } else if (run->kind == WEFT_RUN_DELETE) {
        add_delete(oracle, &copy);
    } else if (run->kind == WEFT_RUN_UNDELETE) {
        add_undelete(oracle, &copy);
    }
    return true;
}

static bool add_size(void *context, const struct weft_run *run)
{
    size_t *size = context;
    *size += run->text_size;
    return true;
}

static void collect(struct oracle *oracle, const struct weft_doc *doc)
{
    weft_doc_visit_runs(doc, add_size, &oracle->text_capacity);
    oracle->text = malloc(oracle->text_capacity + 1);
    assert(oracle->text != NULL);
    weft_doc_visit_runs(doc, add_run, oracle);
    cancel_deletes(oracle);
    for (size_t i = 0; i < oracle->count; i++)
        oracle->elements[i].deleted |=
            oracle->delete_count > 0 &&
            bsearch(&oracle->elements[i].id, oracle->deletes, oracle->delete_count,
                    sizeof(*oracle->deletes), compare_ids) != NULL;
}

struct oracle oracle_collect(const struct weft_doc *doc)
{
    struct oracle oracle = {.elements = NULL};
    collect(&oracle, doc);
    return oracle;
}

struct oracle oracle_collect_at(const struct weft_doc *doc, const uint8_t *version, size_t size)
{
    struct oracle oracle = {.elements = NULL};
    add_next(&oracle, 0, 0); // nobody; so that the empty version is not all
    enum weft_status status = weft_version_visit(version, size, add_next, &oracle);
    assert(status == WEFT_OK);
    (void)status;
    collect(&oracle, doc);
    return oracle;
}

void oracle_text(struct weft_buffer *out, const struct oracle *oracle)
{
    for (size_t i = 0; i < oracle->count; i++) {
        const struct oracle_element *element = &oracle->elements[i];
        enum weft_status status = WEFT_OK;
        if (!element->deleted)
            status = weft_buffer_append(out, element->text, element->size);
        assert(status == WEFT_OK);
        (void)status;
    }
}

void oracle_finish(struct oracle *oracle)
{
    free(oracle->elements);
    free(oracle->text);
    free(oracle->deletes);
    free(oracle->undeletes);
    free(oracle->version);
    *oracle = (struct oracle){.elements = NULL};
}

// ------------------------------------------------------------------------------------ by the tree

static int compare_elements_by_order(const void *a, const void *b)
{
    return compare_order(a, b);
}

/// An element's place among those sorted by order; ids are looked up in a copy sorted by id.
struct by_id {
    struct weft_id id;
    size_t place;
};

static int compare_by_id(const void *a, const void *b)
{
    const struct by_id *left = a;
    const struct by_id *right = b;
    return compare_ids(&left->id, &right->id);
}

/// The tree: lists of children by place; `roots` is the list of the root's.
struct tree {
    size_t *first_left, *first_right; // first child of each side, NONE without
    size_t *next;                     // next sibling of the same side
    size_t first_left_of_root, first_right_of_root;
};

/// Puts `place` in front of its parent's children on its side.
static void prepend(struct tree *tree, const struct oracle_element *element, size_t place,
                    size_t parent)
{
    size_t *first =
        element->left ? (parent == NONE ? &tree->first_left_of_root : &tree->first_left[parent])
                      : (parent == NONE ? &tree->first_right_of_root : &tree->first_right[parent]);
    tree->next[place] = *first;
    *first = place;
}

/// Left lists come to stand descending, right lists ascending: the reverse of how they are walked,
/// which is what pushing them on a stack needs.
static struct tree build_tree(const struct oracle_element *sorted, size_t count)
{
    size_t *links = malloc((3 * count + 1) * sizeof(*links));
    struct by_id *index = malloc((count + 1) * sizeof(*index));
    size_t *parents = malloc((count + 1) * sizeof(*parents));
    assert(links != NULL && index != NULL && parents != NULL);
    struct tree tree = {links, links + count, links + 2 * count, NONE, NONE};
    for (size_t i = 0; i < 3 * count; i++)
        links[i] = NONE;
    for (size_t i = 0; i < count; i++)
        index[i] = (struct by_id){sorted[i].id, i};
    qsort(index, count, sizeof(*index), compare_by_id);
    for (size_t i = 0; i < count; i++) {
        parents[i] = NONE;
        if (is_root(sorted[i].parent))
            continue;
        struct by_id key = {sorted[i].parent, 0};
        const struct by_id *found = bsearch(&key, index, count, sizeof(*index), compare_by_id);
        assert(found != NULL); // a document never holds an element without its parent
        parents[i] = found->place;
    }
    for (size_t i = 0; i < count; i++)
        if (sorted[i].left)
            prepend(&tree, &sorted[i], i, parents[i]);
    for (size_t i = count; i-- > 0;)
        if (!sorted[i].left)
            prepend(&tree, &sorted[i], i, parents[i]);
    free(index);
    free(parents);
    return tree;
}

static size_t push_all(size_t *stack, size_t height, const struct tree *tree, size_t place)
{
    for (; place != NONE; place = tree->next[place])
        stack[height++] = place;
    return height;
}

void oracle_tree(struct oracle *oracle)
{
    size_t count = oracle->count;
    if (count == 0)
        return;
    struct oracle_element *sorted = malloc(count * sizeof(*sorted));
    size_t *stack = malloc((2 * count + 1) * sizeof(*stack));
    bool *opened = calloc(count, sizeof(*opened)); // its left children were pushed
    assert(sorted != NULL && stack != NULL && opened != NULL);
    memcpy(sorted, oracle->elements, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_elements_by_order);
    struct tree tree = build_tree(sorted, count);
    assert(tree.first_left_of_root == NONE); // nothing stands before the start
    size_t done = 0;
    size_t height = push_all(stack, 0, &tree, tree.first_right_of_root);
    while (height > 0) {
        size_t place = stack[--height];
        if (opened[place]) { // its left side is out: now itself, then its right side
            oracle->elements[done++] = sorted[place];
            height = push_all(stack, height, &tree, tree.first_right[place]);
            // what was pushed is popped greatest first, and before anything older
        } else {
            opened[place] = true;
            stack[height++] = place;
            height = push_all(stack, height, &tree, tree.first_left[place]);
        }
    }
    assert(done == count);
    free(tree.first_left);
    free(opened);
    free(stack);
    free(sorted);
}

// -------------------------------------------------------------------------------- by the textbook

bool oracle_rga(struct oracle *oracle)
{
    struct oracle_element *list = malloc((oracle->count + 1) * sizeof(*list));
    assert(list != NULL);
    size_t length = 0;
    for (size_t i = 0; i < oracle->count; i++) {
        struct oracle_element element = oracle->elements[i];
        if (element.left) {
            free(list);
            return false;
        }
        size_t at = 0;
        if (!is_root(element.parent)) {
            while (!same(list[at].id, element.parent))
                at++;
            at++;
        }
        while (at < length && compare_order(&list[at], &element) > 0)
            at++;
        memmove(list + at + 1, list + at, (length - at) * sizeof(*list));
        list[at] = element;
        length++;
    }
    memcpy(oracle->elements, list, length * sizeof(*list));
    free(list);
    return true;
}

// -------------------------------------------------------------------------------------- comparing

struct comparison {
    const struct oracle *oracle;
    size_t at;
    const char *difference;
};

static bool compare_span(void *context, const struct weft_span *span)
{
    struct comparison *comparison = context;
    static char said[160];
    const uint8_t *text = span->text;
    for (uint64_t i = 0; i < span->length; i++) {
        const struct oracle_element *element = comparison->at < comparison->oracle->count
                                                   ? &comparison->oracle->elements[comparison->at]
                                                   : NULL;
        struct weft_id id = {span->id.agent, span->id.seq + i};
        const char *what = NULL;
        if (element == NULL)
            what = "has more elements";
        else if (!same(element->id, id))
            what = "has another element";
        else if (element->deleted == span->visible)
            what = "differs in what is deleted";
        else if (text == NULL ? span->visible : memcmp(text, element->text, element->size) != 0)
            what = "has another character";
        if (what != NULL) {
            snprintf(said, sizeof(said), "the document %s at %zu: %llx/%llu", what, comparison->at,
                     (unsigned long long)id.agent, (unsigned long long)id.seq);
            comparison->difference = said;
            return false;
        }
        text = text == NULL ? NULL : text + element->size;
        comparison->at++;
    }
    return true;
}

const char *oracle_compare(const struct oracle *oracle, const struct weft_doc *doc)
{
    struct comparison comparison = {.oracle = oracle};
    weft_doc_visit_spans(doc, compare_span, &comparison);
    if (comparison.difference == NULL && comparison.at != oracle->count)
        return "the document has fewer elements";
    return comparison.difference;
}
