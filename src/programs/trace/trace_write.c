// SPDX-License-Identifier: MIT
#include "programs/trace/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/// Written as gz* functions fail: zlib remembers the first error, trace_write() asks at the end.
static void put_text(gzFile file, const uint8_t *text, size_t size)
{
    gzputc(file, '"');
    size_t plain = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && text[i] >= 0x20 && text[i] != '"' && text[i] != '\\')
            continue;
        if (i > plain)
            gzwrite(file, text + plain, (unsigned)(i - plain));
        plain = i + 1;
        if (i == size)
            break;
        if (text[i] == '\n')
            gzputs(file, "\\n");
        else if (text[i] == '"' || text[i] == '\\')
            gzprintf(file, "\\%c", text[i]);
        else
            gzprintf(file, "\\u%04x", (unsigned)text[i]);
    }
    gzputc(file, '"');
}

static void put_txn(gzFile file, const struct trace *trace, uint32_t index,
                    const uint32_t *child_counts)
{
    const struct trace_txn *txn = &trace->txns[index];
    gzputs(file, index > 0 ? ",\n{" : "\n{");
    if (trace->concurrent) {
        gzputs(file, "\"parents\":[");
        for (uint32_t i = 0; i < txn->parent_count; i++)
            gzprintf(file, "%s%u", i > 0 ? "," : "", trace->parents[txn->first_parent + i]);
        gzprintf(file, "],\"numChildren\":%u,\"agent\":%u,", child_counts[index], txn->agent);
    }
    gzputs(file, "\"time\":\"1970-01-01T00:00:00Z\",\"patches\":[");
    for (uint32_t i = 0; i < txn->patch_count; i++) {
        const struct trace_patch *patch = &trace->patches[txn->first_patch + i];
        gzprintf(file, "%s[%llu,%llu,", i > 0 ? "," : "", (unsigned long long)patch->index,
                 (unsigned long long)patch->deleted);
        put_text(file, trace_patch_text(trace, patch), patch->text_size);
        gzputc(file, ']');
    }
    gzputs(file, "]}");
}

enum weft_status trace_write(const struct trace *trace, const char *path,
                             char error_out[TRACE_ERROR_SIZE])
{
    const char *shown = path != NULL ? path : "standard output";
    errno = 0;
    int out = path == NULL ? dup(STDOUT_FILENO) : -1;
    gzFile file = path != NULL ? gzopen(path, "wb6") : out >= 0 ? gzdopen(out, "wb6") : NULL;
    uint32_t *child_counts = calloc(trace->txn_count + (size_t)1, sizeof(*child_counts));
    if (file == NULL || child_counts == NULL) {
        snprintf(error_out, TRACE_ERROR_SIZE, "%s: cannot be written: %s", shown,
                 errno != 0 ? strerror(errno) : "out of memory");
        if (file != NULL)
            gzclose(file);
        else if (out >= 0)
            close(out);
        free(child_counts);
        return WEFT_STORAGE;
    }
    for (uint32_t i = 0; i < trace->parent_count; i++)
        child_counts[trace->parents[i]]++;
    gzputs(file, trace->concurrent ? "{\"kind\":\"concurrent\"," : "{\"startContent\":\"\",");
    gzputs(file, "\"endContent\":");
    put_text(file, trace->end_text, trace->end_size);
    if (trace->concurrent)
        gzprintf(file, ",\"numAgents\":%u", trace->agents);
    gzputs(file, ",\"txns\":[");
    for (uint32_t i = 0; i < trace->txn_count; i++)
        put_txn(file, trace, i, child_counts);
    gzputs(file, "\n]}\n");
    free(child_counts);
    int problem = Z_OK;
    gzerror(file, &problem);
    int closed = gzclose(file);
    if (problem == Z_OK && closed == Z_OK)
        return WEFT_OK;
    snprintf(error_out, TRACE_ERROR_SIZE, "%s: could not be written whole", shown);
    return WEFT_STORAGE;
}
