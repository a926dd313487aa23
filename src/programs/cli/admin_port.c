// SPDX-License-Identifier: MIT
#include "programs/cli/admin_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/cli/remote.h"

#define ADMIN_OFFSET 2 // client port + 2, as the defaults have it

/// Who answers at a port.
struct identity {
    char name[256];
    char incarnation[24]; // of no two processes alike
};

/// http://HOST:PORT -> the same with another port. @return false: there is no port in it.
static bool shift_port(char *url, size_t room, int offset)
{
    char *colon = strrchr(url, ':');
    char *end;
    if (colon == NULL)
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port == 0 || port + (unsigned long)offset > 65535)
        return false;
    size_t used = (size_t)(colon + 1 - url);
    snprintf(colon + 1, room - used, "%lu", port + (unsigned long)offset);
    return true;
}

static int identify(struct remote *remote, struct identity *identity_out)
{
    json_t *answer = NULL;
    size_t index;
    json_t *member;
    int code = remote_json(remote, &answer, "/v1/cluster/members", "list of members");
    if (code != EXIT_FINE)
        return code;
    *identity_out = (struct identity){.name = ""};
    json_array_foreach(json_object_get(answer, "members"), index, member)
    {
        const char *state = json_string_value(json_object_get(member, "state"));
        const char *name = json_string_value(json_object_get(member, "name"));
        const char *incarnation = json_string_value(json_object_get(member, "incarnation"));
        if (state != NULL && strcmp(state, "self") == 0 && name != NULL && incarnation != NULL) {
            snprintf(identity_out->name, sizeof(identity_out->name), "%s", name);
            snprintf(identity_out->incarnation, sizeof(identity_out->incarnation), "%s",
                     incarnation);
        }
    }
    json_decref(answer);
    if (identity_out->incarnation[0] == '\0')
        return complain(EXIT_REFUSED, "%s: does not say which node it is", remote->base);
    return EXIT_FINE;
}

/// From the clients' port to the admin port of the same node.
static int move_to_admin(struct remote *remote, const char *admin)
{
    struct identity client;
    struct identity found;
    int code = identify(remote, &client);
    if (code != EXIT_FINE)
        return code;
    if (admin != NULL)
        snprintf(remote->base, sizeof(remote->base), "http://%s", admin);
    else if (!shift_port(remote->base, sizeof(remote->base), ADMIN_OFFSET))
        return complain(EXIT_USAGE, "%s: say with --admin HOST:PORT where its admin port is",
                        remote->base);
    code = identify(remote, &found);
    if (code != EXIT_FINE)
        return code;
    if (strcmp(client.incarnation, found.incarnation) != 0)
        return complain(EXIT_REFUSED, "%s: is %s, not %s; --admin HOST:PORT names the right port",
                        remote->base, found.name, client.name);
    return EXIT_FINE;
}

int admin_post(const struct arguments *arguments, const char *url, const char *path,
               const char *subject, json_t **answer_out)
{
    const char *admin = arguments_value(arguments, "admin");
    struct remote remote;
    struct remote_ask ask = {.method = "POST", .path = path, .has_body = true};
    int code = remote_init(&remote, url);
    if (code == EXIT_FINE && admin == NULL)
        code = remote_call(&remote, &ask);
    // The clients' port has no such path, or not with this method.
    if (code == EXIT_FINE && (admin != NULL || remote.status == 404 || remote.status == 405)) {
        code = move_to_admin(&remote, admin);
        if (code == EXIT_FINE)
            code = remote_call(&remote, &ask);
    }
    if (code == EXIT_FINE && (remote.status < 200 || remote.status >= 300))
        code = remote_refusal(&remote, subject);
    else if (code == EXIT_FINE && answer_out != NULL)
        *answer_out = json_loadb((const char *)remote.body.data, remote.body.size, 0, NULL);
    remote_finish(&remote);
    return code;
}
