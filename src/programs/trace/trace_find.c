// SPDX-License-Identifier: MIT
#include "programs/trace/trace.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_dir(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

bool trace_find_dir(char path_out[TRACE_PATH_SIZE])
{
    const char *chosen = getenv("WEFT_TRACES");
    if (chosen != NULL && chosen[0] != '\0')
        snprintf(path_out, TRACE_PATH_SIZE, "%s", chosen);
    else
        snprintf(path_out, TRACE_PATH_SIZE, "%s/../shared/traces", WEFT_SOURCE_ROOT);
    return is_dir(path_out);
}

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name);
    return size > strlen(end) && strcmp(name + size - strlen(end), end) == 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(a, b);
}

/// Adds the files of one folder, then those of its folders when `levels` allow.
static bool add_dir(struct trace_files *files, const char *dir, int levels)
{
    DIR *entries = opendir(dir);
    if (entries == NULL)
        return true;
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(entries)) != NULL;) {
        char path[TRACE_PATH_SIZE];
        if (entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
            continue;
        if (levels > 0 && is_dir(path)) {
            ok = add_dir(files, path, levels - 1);
        } else if (ends_with(path, ".json.gz") || ends_with(path, ".json")) {
            void *grown = realloc(files->paths, (files->count + 1) * sizeof(*files->paths));
            ok = grown != NULL;
            if (ok) {
                files->paths = grown;
                memcpy(files->paths[files->count++], path, sizeof(path));
            }
        }
    }
    closedir(entries);
    return ok;
}

enum weft_status trace_files_find(struct trace_files *files_out, const char *dir)
{
    struct trace_files files = {.paths = NULL};
    if (!add_dir(&files, dir, 1)) {
        trace_files_finish(&files);
        return WEFT_NO_MEMORY;
    }
    if (files.count > 1)
        qsort(files.paths, files.count, sizeof(*files.paths), compare_paths);
    *files_out = files;
    return WEFT_OK;
}

void trace_files_finish(struct trace_files *files)
{
    free(files->paths);
    *files = (struct trace_files){.paths = NULL};
}
