// SPDX-License-Identifier: MIT
// Who a document's agents are said to be. May include: weft/.
#ifndef WEFT_PROGRAMS_CLI_PEOPLE_H
#define WEFT_PROGRAMS_CLI_PEOPLE_H

#include <stdint.h>

#include <weft/labels.h>

struct person {
    uint64_t agent;
    char name[WEFT_NAME_BYTES_MAX + 1];
};

struct people {
    struct person *all; // ascending by agent
    size_t count;
    size_t capacity;
};

/// @return WEFT_OK or WEFT_NO_MEMORY. people_finish() follows in any case.
WEFT_MUST_USE enum weft_status people_init(struct people *people, const struct weft_doc *doc);
void people_finish(struct people *people);
/// The name that is said; NULL when nothing is. Borrowed.
const char *people_name(const struct people *people, uint64_t agent);

#endif
