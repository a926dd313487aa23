// SPDX-License-Identifier: MIT
#include "programs/cli/ids.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/version.h"

#define SEPARATORS ", \t\r\n"

void id_format(char *text_out, struct weft_id id)
{
    if (id.agent == WEFT_ID_ROOT.agent && id.seq == WEFT_ID_ROOT.seq)
        snprintf(text_out, ID_BYTES, "root");
    else
        snprintf(text_out, ID_BYTES, "%016" PRIx64 ":%" PRIu64, id.agent, id.seq);
}

/// A number at *at, which moves past it. @return false when there is none that fits.
static bool take_number(uint64_t *number_out, const char **at, int base)
{
    const char *digits = base == 16 ? "0123456789abcdefABCDEF" : "0123456789";
    size_t size = strspn(*at, digits);
    char copy[24];
    if (size == 0 || size > (base == 16 ? 16 : 18))
        return false;
    memcpy(copy, *at, size);
    copy[size] = '\0';
    *number_out = strtoull(copy, NULL, base);
    *at += size;
    return true;
}

bool id_parse(struct weft_id *id_out, const char *text)
{
    struct weft_id id;
    const char *at = text;
    if (!take_number(&id.agent, &at, 16) || *at++ != ':' || !take_number(&id.seq, &at, 10) ||
        *at != '\0' || id.agent == 0)
        return false;
    *id_out = id;
    return true;
}

static bool take_entry(struct version_entry *entry_out, const char **at)
{
    if (!take_number(&entry_out->agent, at, 16) || **at != ':')
        return false;
    ++*at;
    if (!take_number(&entry_out->next, at, 10))
        return false;
    return (**at == '\0' || strchr(SEPARATORS, **at) != NULL) && entry_out->agent != 0 &&
           entry_out->next != 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct version_entry *x = a;
    const struct version_entry *y = b;
    return (x->agent > y->agent) - (x->agent < y->agent);
}

static enum weft_status put_entries(struct weft_buffer *out, struct weft_buffer *entries)
{
    struct version_entry *all = (void *)entries->data;
    size_t count = entries->size / sizeof(*all);
    if (count > 0)
        qsort(all, count, sizeof(*all), compare_entries);
    enum weft_status status = version_put_count(out, count);
    for (size_t i = 0; i < count && status == WEFT_OK; i++) {
        if (i > 0 && all[i].agent == all[i - 1].agent)
            return WEFT_MALFORMED;
        status = version_put(out, all[i]);
    }
    return status;
}

enum weft_status version_parse(struct weft_buffer *version_out, const char *text)
{
    struct weft_buffer entries;
    enum weft_status status = WEFT_OK;
    weft_buffer_init(&entries, NULL);
    for (const char *at = text + strspn(text, SEPARATORS); *at != '\0' && status == WEFT_OK;
         at += strspn(at, SEPARATORS)) {
        struct version_entry entry;
        status = WEFT_MALFORMED;
        if (take_entry(&entry, &at))
            status = weft_buffer_append(&entries, &entry, sizeof(entry));
    }
    size_t before = version_out->size;
    if (status == WEFT_OK)
        status = put_entries(version_out, &entries);
    if (status != WEFT_OK)
        version_out->size = before;
    weft_buffer_finish(&entries);
    return status;
}
