// SPDX-License-Identifier: MIT
// weft cluster members, leave, forget.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/cli/admin_port.h"
#include "programs/cli/output.h"
#include "programs/cli/remote.h"

// ---------------------------------------------------------------------------------------- members

static bool is_up(const json_t *member)
{
    const char *state = json_string_value(json_object_get(member, "state"));
    return state != NULL && (strcmp(state, "up") == 0 || strcmp(state, "self") == 0);
}

static int run_members(const struct arguments *arguments)
{
    static const char *const columns[] = {"name",   "state",       "lag", "client",
                                          "gossip", "incarnation", NULL};
    struct remote remote;
    struct output output;
    json_t *answer = NULL;
    int code = remote_init(&remote, arguments_word(arguments, 0));
    if (code == EXIT_FINE)
        code = remote_json(&remote, &answer, "/v1/cluster/members", "list of members");
    if (code == EXIT_FINE) {
        const json_t *members = json_object_get(answer, "members");
        output_begin(&output, arguments, columns);
        for (size_t i = 0; i < json_array_size(members); i++) {
            json_t *row = json_copy(json_array_get(members, i));
            if (row != NULL)
                json_object_set_new(row, "up", json_boolean(is_up(row)));
            output_row(&output, row);
        }
        code = output_end(&output);
    }
    json_decref(answer);
    remote_finish(&remote);
    return code;
}

const struct command members_command = {
    .name = "cluster members",
    .arguments = "URL",
    .summary = "Lists the members that a node knows, with state and lag.",
    .details = "Lag is how many entries a member has told of that this node does not have yet.",
    .examples = {"weft cluster members http://127.0.0.1:9338",
                 "weft cluster members http://127.0.0.1:9338 -o ndjson"},
    .positional_min = 1,
    .positional_max = 1,
    .formatted = true,
    .run = run_members,
};

// --------------------------------------------------------------------------- leaving, forgetting

static const struct command_option admin_options[] = {
    ADMIN_PORT_OPTION,
    {.name = NULL},
};

static int run_leave(const struct arguments *arguments)
{
    const char *url = arguments_word(arguments, 0);
    int code = admin_post(arguments, url, "/v1/cluster/leave", "leaving", NULL);
    if (code == EXIT_FINE)
        remark("%s: says goodbye, drains and ends", url);
    return code;
}

const struct command leave_command = {
    .name = "cluster leave",
    .arguments = "URL",
    .summary = "Lets a node say goodbye to the others, drain and end.",
    .details = "Goes to the node's admin port, which the URL may name instead.",
    .options = admin_options,
    .examples = {"weft cluster leave http://127.0.0.1:9338",
                 "weft cluster leave http://127.0.0.1:9340"},
    .positional_min = 1,
    .positional_max = 1,
    .run = run_leave,
};

static int run_forget(const struct arguments *arguments)
{
    char *path = remote_path("/v1/cluster/forget?node=", arguments_word(arguments, 1), "");
    if (path == NULL)
        return complain(EXIT_REFUSED, "out of memory");
    char subject[200];
    snprintf(subject, sizeof(subject), "other member \"%.100s\"", arguments_word(arguments, 1));
    json_t *answer = NULL;
    int code = admin_post(arguments, arguments_word(arguments, 0), path, subject, &answer);
    free(path);
    if (code == EXIT_FINE && json_is_true(json_object_get(answer, "up")))
        remark("%s is forgotten, though it was up just now: it is a member again as soon as it is "
               "heard; weft cluster leave ends one that runs",
               arguments_word(arguments, 1));
    else if (code == EXIT_FINE)
        remark("%s is forgotten", arguments_word(arguments, 1));
    json_decref(answer);
    return code;
}

const struct command forget_command = {
    .name = "cluster forget",
    .arguments = "URL NODE",
    .summary = "Lets a node no longer dial or count a member that is gone for good.",
    .details = "Goes to the node's admin port, which the URL may name instead.",
    .options = admin_options,
    .examples = {"weft cluster forget http://127.0.0.1:9338 node-3",
                 "weft cluster forget http://127.0.0.1:9340 old-disk"},
    .positional_min = 2,
    .positional_max = 2,
    .run = run_forget,
};
