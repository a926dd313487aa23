// SPDX-License-Identifier: MIT
#include "programs/cli/people.h"

#include <stdlib.h>
#include <string.h>

static bool add_person(void *context, const struct weft_author *author)
{
    struct people *people = context;
    if (people->count == people->capacity) {
        size_t capacity = people->capacity > 0 ? 2 * people->capacity : 16;
        struct person *all = realloc(people->all, capacity * sizeof(*all));
        if (all == NULL) {
            people->capacity = 0; // people_init() sees it
            return false;
        }
        people->all = all;
        people->capacity = capacity;
    }
    struct person *person = &people->all[people->count++];
    person->agent = author->agent;
    memcpy(person->name, author->name, author->name_size);
    person->name[author->name_size] = '\0';
    return true;
}

enum weft_status people_init(struct people *people, const struct weft_doc *doc)
{
    memset(people, 0, sizeof(*people));
    enum weft_status status = weft_doc_visit_authors(doc, add_person, people);
    return status == WEFT_OK && people->capacity == 0 && people->count > 0 ? WEFT_NO_MEMORY
                                                                           : status;
}

void people_finish(struct people *people)
{
    free(people->all);
}

const char *people_name(const struct people *people, uint64_t agent)
{
    size_t low = 0;
    size_t high = people->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (people->all[middle].agent < agent)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < people->count && people->all[low].agent == agent)
        return people->all[low].name;
    return (agent & WEFT_AGENT_RESERVED_BIT) != 0 ? "initial text" : NULL;
}
