// SPDX-License-Identifier: MIT
// Reading a trace. Jansson decodes one value at a time, so that a tree of the whole file, some
// thirty times its size, is never built; the braces and commas around the transactions are read
// here.
#include "programs/trace/trace.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

/// Where one reads in the unpacked file.
struct reader {
    const char *bytes;
    size_t size;
    size_t at;
    const char *path;
    char *error; // TRACE_ERROR_SIZE
};

static enum weft_status malformed(const struct reader *reader, const char *what)
{
    snprintf(reader->error, TRACE_ERROR_SIZE, "%s: not an editing trace: %s (at byte %zu)",
             reader->path, what, reader->at);
    return WEFT_MALFORMED;
}

static enum weft_status no_memory(const struct reader *reader)
{
    snprintf(reader->error, TRACE_ERROR_SIZE, "%s: out of memory", reader->path);
    return WEFT_NO_MEMORY;
}

/// Unpacks the file into *bytes_out, which the caller frees.
static enum weft_status unpack(char **bytes_out, size_t *size_out, const char *path, char *error)
{
    gzFile file = gzopen(path, "rb");
    if (file == NULL) {
        snprintf(error, TRACE_ERROR_SIZE, "%s: cannot be opened", path);
        return WEFT_NOT_FOUND;
    }
    gzbuffer(file, 1 << 16);
    enum weft_status status = WEFT_OK;
    char *bytes = NULL;
    size_t size = 0;
    size_t capacity = 0;
    for (;;) {
        if (size == capacity) {
            capacity = capacity == 0 ? 1 << 20 : 2 * capacity;
            char *grown = capacity <= TRACE_JSON_BYTES_MAX ? realloc(bytes, capacity) : NULL;
            if (grown == NULL) {
                status = capacity <= TRACE_JSON_BYTES_MAX ? WEFT_NO_MEMORY : WEFT_LIMIT;
                snprintf(error, TRACE_ERROR_SIZE, "%s: more than %d MiB unpacked", path,
                         TRACE_JSON_BYTES_MAX >> 20);
                break;
            }
            bytes = grown;
        }
        int got = gzread(file, bytes + size, (unsigned)(capacity - size));
        if (got < 0) {
            status = WEFT_MALFORMED;
            snprintf(error, TRACE_ERROR_SIZE, "%s: damaged gzip data or a read error", path);
            break;
        }
        if (got == 0)
            break;
        size += (size_t)got;
    }
    if (gzclose(file) != Z_OK && status == WEFT_OK) {
        status = WEFT_MALFORMED;
        snprintf(error, TRACE_ERROR_SIZE, "%s: the gzip data ends too early", path);
    }
    if (status != WEFT_OK) {
        free(bytes);
        return status;
    }
    *bytes_out = bytes;
    *size_out = size;
    return WEFT_OK;
}

/// The next byte that is not white space; 0 at the end. Does not take it.
static char peek(struct reader *reader)
{
    while (reader->at < reader->size && strchr(" \t\r\n", reader->bytes[reader->at]) != NULL &&
           reader->bytes[reader->at] != '\0')
        reader->at++;
    return reader->at < reader->size ? reader->bytes[reader->at] : '\0';
}

static bool take(struct reader *reader, char wanted)
{
    if (peek(reader) != wanted)
        return false;
    reader->at++;
    return true;
}

/// Decodes one value. @return NULL when there is none.
static json_t *take_value(struct reader *reader)
{
    json_error_t error;
    json_t *value = json_loadb(reader->bytes + reader->at, reader->size - reader->at,
                               JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
    if (value != NULL)
        reader->at += (size_t)error.position;
    return value;
}

static bool add_patch(struct trace *trace, const json_t *patch, const char **problem)
{
    const json_t *index = json_array_get(patch, 0);
    const json_t *deleted = json_array_get(patch, 1);
    const json_t *text = json_array_get(patch, 2);
    if (json_array_size(patch) != 3 || !json_is_integer(index) || !json_is_integer(deleted) ||
        !json_is_string(text) || json_integer_value(index) < 0 || json_integer_value(deleted) < 0) {
        *problem = "a patch is not [index, deleted, text]";
        return false;
    }
    return trace_add_patch(
        trace, (uint64_t)json_integer_value(index), (uint64_t)json_integer_value(deleted),
        (const uint8_t *)json_string_value(text), (uint32_t)json_string_length(text));
}

/// Adds a transaction with what it names; a sequential one names neither agent nor parents.
static bool add_txn(struct trace *trace, const json_t *txn, const char **problem)
{
    const json_t *parents = json_object_get(txn, "parents");
    const json_t *agent = json_object_get(txn, "agent");
    const json_t *patches = json_object_get(txn, "patches");
    if (!json_is_object(txn) || !json_is_array(patches)) {
        *problem = "a transaction has no patches";
        return false;
    }
    uint32_t self = trace->txn_count;
    uint32_t before = self - 1;
    if (parents == NULL && agent == NULL) {
        if (!trace_add_txn(trace, 0, &before, self > 0))
            return false;
    } else {
        if (!json_is_array(parents) || !json_is_integer(agent) || json_integer_value(agent) < 0 ||
            json_integer_value(agent) >= TRACE_AGENTS_MAX) {
            *problem = "a transaction has no agent, or no parents";
            return false;
        }
        trace->concurrent = true;
        uint32_t who = (uint32_t)json_integer_value(agent);
        trace->agents = who >= trace->agents ? who + 1 : trace->agents;
        uint32_t count = (uint32_t)json_array_size(parents);
        uint32_t *list = malloc((count + 1) * sizeof(*list));
        for (uint32_t i = 0; list != NULL && i < count; i++) {
            const json_t *parent = json_array_get(parents, i);
            if (!json_is_integer(parent) || json_integer_value(parent) < 0 ||
                json_integer_value(parent) >= (json_int_t)self) {
                *problem = "a parent is no earlier transaction";
                free(list);
                return false;
            }
            list[i] = (uint32_t)json_integer_value(parent);
        }
        bool added = list != NULL && trace_add_txn(trace, who, list, count);
        free(list);
        if (!added)
            return false;
    }
    for (size_t i = 0; i < json_array_size(patches); i++)
        if (!add_patch(trace, json_array_get(patches, i), problem))
            return false;
    return true;
}

static enum weft_status read_txns(struct trace *trace, struct reader *reader)
{
    if (!take(reader, '['))
        return malformed(reader, "txns is no array");
    if (take(reader, ']'))
        return WEFT_OK;
    do {
        json_t *txn = peek(reader) == '{' ? take_value(reader) : NULL;
        if (txn == NULL)
            return malformed(reader, "a transaction is not valid JSON");
        const char *problem = NULL;
        bool added = add_txn(trace, txn, &problem);
        json_decref(txn);
        if (!added)
            return problem != NULL ? malformed(reader, problem) : no_memory(reader);
    } while (take(reader, ','));
    return take(reader, ']') ? WEFT_OK : malformed(reader, "txns does not end");
}

/// Reads the value of one key of the outer object.
static enum weft_status read_member(struct trace *trace, struct reader *reader, const char *key)
{
    if (strcmp(key, "txns") == 0)
        return read_txns(trace, reader);
    json_t *value = take_value(reader);
    if (value == NULL)
        return malformed(reader, "a value is not valid JSON");
    enum weft_status status = WEFT_OK;
    if (strcmp(key, "endContent") == 0) {
        if (!json_is_string(value))
            status = malformed(reader, "endContent is no text");
        else if (!trace_set_end_text(trace, (const uint8_t *)json_string_value(value),
                                     json_string_length(value)))
            status = no_memory(reader);
    } else if (strcmp(key, "startContent") == 0 && json_string_length(value) > 0) {
        status = malformed(reader, "it does not start with an empty text");
    } else if (strcmp(key, "numAgents") == 0 && json_is_integer(value)) {
        json_int_t agents = json_integer_value(value);
        if (agents < 0 || agents > TRACE_AGENTS_MAX)
            status = malformed(reader, "numAgents is out of bounds");
        else if ((uint32_t)agents > trace->agents)
            trace->agents = (uint32_t)agents;
    }
    json_decref(value);
    return status;
}

static enum weft_status read_trace(struct trace *trace, struct reader *reader)
{
    if (!take(reader, '{'))
        return malformed(reader, "no JSON object");
    bool more = peek(reader) != '}';
    while (more) {
        json_t *key = peek(reader) == '"' ? take_value(reader) : NULL;
        if (key == NULL || !take(reader, ':')) {
            json_decref(key);
            return malformed(reader, "a key is missing");
        }
        peek(reader);
        enum weft_status status = read_member(trace, reader, json_string_value(key));
        json_decref(key);
        if (status != WEFT_OK)
            return status;
        more = take(reader, ',');
    }
    if (!take(reader, '}') || peek(reader) != '\0')
        return malformed(reader, "the object does not end where the file does");
    if (trace->end_text == NULL || trace->txn_count == 0)
        return malformed(reader, "endContent or txns is missing");
    if (!trace->concurrent)
        trace->agents = 1;
    return WEFT_OK;
}

/// "folder/name.json.gz" -> "name".
static void set_name(struct trace *trace, const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash != NULL ? slash + 1 : path;
    size_t size = strcspn(name, ".");
    if (size >= TRACE_NAME_SIZE)
        size = TRACE_NAME_SIZE - 1;
    memcpy(trace->name, name, size);
    trace->name[size] = '\0';
}

enum weft_status trace_load(struct trace *trace_out, const char *path,
                            char error_out[TRACE_ERROR_SIZE])
{
    struct trace trace = {.concurrent = false};
    struct reader reader = {.path = path, .error = error_out};
    char *bytes = NULL;
    enum weft_status status = unpack(&bytes, &reader.size, path, error_out);
    if (status != WEFT_OK)
        return status;
    reader.bytes = bytes;
    status = read_trace(&trace, &reader);
    free(bytes);
    if (status != WEFT_OK) {
        trace_finish(&trace);
        return status;
    }
    set_name(&trace, path);
    *trace_out = trace;
    return WEFT_OK;
}
