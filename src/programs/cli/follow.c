// SPDX-License-Identifier: MIT
#include "programs/cli/follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/wire.h"
#include "programs/cli/command.h"

int follow_create(struct client **client_out, struct client_options *options, const char *urls,
                  const char *name)
{
    const char *list[CLIENT_URLS_MAX];
    char error[CLIENT_ERROR_BYTES];
    char *copy = strdup(urls);
    char *rest = NULL;
    if (copy == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    options->url_count = 0;
    for (char *url = strtok_r(copy, ",", &rest);
         url != NULL && options->url_count < CLIENT_URLS_MAX; url = strtok_r(NULL, ",", &rest))
        list[options->url_count++] = url;
    options->urls = list;
    options->document = (struct span){(const uint8_t *)name, strlen(name)};
    if (options->url_count == 0) {
        free(copy);
        return complain(EXIT_USAGE, "\"%s\" names no node", urls);
    }
    enum weft_status status = client_create(client_out, options, error);
    free(copy);
    if (status == WEFT_OK)
        return EXIT_FINE;
    return complain(status == WEFT_INVALID ? EXIT_USAGE : EXIT_REFUSED, "%s", error);
}

int follow_ended(const struct client *client)
{
    uint32_t code = client_error_code(client);
    return complain(code == WIRE_NO_DOCUMENT ? EXIT_DIFFERENT : EXIT_REFUSED, "%s",
                    client_error(client));
}
