// SPDX-License-Identifier: MIT
#include "programs/config/config.h"

#include <ctype.h>
#include <string.h>

#include "node/limits.h"

#define FIELD(field) offsetof(struct serve_options, field)
#define WIDTH(field) sizeof(((struct serve_options *)NULL)->field)
#define NUMBER(field, least, most, usual)                                                          \
    .offset = FIELD(field), .width = WIDTH(field), .minimum = (least), .maximum = (most),          \
    .number = (usual)
#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

static const struct config_option table[] = {
    {"data", CONFIG_TEXT, .offset = FIELD(data_path), .text = SERVE_DATA_DEFAULT, .value = "DIR",
     .help = "directory that holds all that the node keeps"},
    {"listen", CONFIG_TEXT, .offset = FIELD(listen), .text = SERVE_LISTEN_DEFAULT,
     .value = "HOST:PORT", .help = "where clients connect: WebSocket, HTTP and the editor"},
    {"gossip", CONFIG_TEXT, .offset = FIELD(gossip), .text = SERVE_GOSSIP_DEFAULT,
     .value = "tcp://HOST:PORT", .help = "where other nodes connect"},
    {"pull", CONFIG_TEXT, .offset = FIELD(pull), .value = "tcp://HOST:PORT",
     .help = "where other nodes ask for what they lack; default: gossip's port + 2"},
    {"admin", CONFIG_TEXT, .offset = FIELD(admin), .text = SERVE_ADMIN_DEFAULT,
     .value = "HOST:PORT", .help = "health, metrics and administration"},
    {"join", CONFIG_LIST, .offset = FIELD(joins), .count_offset = FIELD(join_count),
     .value = "tcp://HOST:PORT", .help = "gossip address of any member; may be given repeatedly"},
    {"node", CONFIG_TEXT, .offset = FIELD(node_name), .value = "NAME",
     .help = "name of this node; default: the stored one, or a fresh one"},
    {"cluster_key", CONFIG_TEXT, .offset = FIELD(cluster_key_path), .value = "FILE",
     .secret_file = true,
     .help = "file with the cluster's key; without one the cluster is loopback only"},
    {"allow_origin", CONFIG_LIST, .offset = FIELD(allow_origins),
     .count_offset = FIELD(allow_origin_count), .value = "ORIGIN",
     .help = "further origin of browsers, SCHEME://HOST[:PORT]; may be given repeatedly"},
    {"insecure", CONFIG_SWITCH, NUMBER(insecure, 0, 1, 0),
     .help = "let unauthenticated clients come from beyond this machine"},
    {"admin_exposed", CONFIG_SWITCH, NUMBER(admin_exposed, 0, 1, 0),
     .help = "let the admin port be reached from beyond this machine"},
    {"heartbeat", CONFIG_TIME, NUMBER(heartbeat_ms, 50, 60000, HEARTBEAT_MS), .value = "TIME",
     .help = "between members"},
    {"log_format", CONFIG_CHOICE, NUMBER(log_format, 0, 0, LOG_TEXT), .choices = "text|json",
     .value = "text|json", .help = "of the lines on stderr"},
    {"log_level", CONFIG_CHOICE, NUMBER(log_level, 0, 0, NODE_LOG_INFO),
     .choices = "error|warning|notice|info|debug", .value = "LEVEL",
     .help = "error, warning, notice, info or debug"},
    {"max_frame_bytes", CONFIG_SIZE,
     NUMBER(limits.frame_bytes_max, LIMIT_FRAME_BYTES_MIN, LIMIT_FRAME_BYTES, LIMIT_FRAME_BYTES),
     .value = "SIZE", .help = "of one WebSocket message"},
    {"max_name_bytes", CONFIG_SIZE,
     NUMBER(limits.document_name_bytes_max, 1, LIMIT_NAME_BYTES, LIMIT_NAME_BYTES), .value = "SIZE",
     .help = "of a document's name"},
    {"max_document_bytes", CONFIG_SIZE,
     NUMBER(limits.document_bytes_max, KIB(1), GIB(2), LIMIT_DOCUMENT_BYTES), .value = "SIZE",
     .help = "of a document's text"},
    {"max_document_atoms", CONFIG_COUNT,
     NUMBER(limits.document_atoms_max, 1000, 1ULL << 31, LIMIT_DOCUMENT_ATOMS), .value = "N",
     .help = "inserted and deleted characters of one document, ever"},
    {"max_rooms_per_client", CONFIG_COUNT,
     NUMBER(limits.rooms_per_client_max, 1, 4096, LIMIT_ROOMS_PER_CLIENT), .value = "N",
     .help = "documents that one connection follows"},
    {"max_gather_bytes", CONFIG_SIZE,
     NUMBER(limits.client_gather_bytes_max, KIB(64), MIB(64), LIMIT_GATHER_BYTES), .value = "SIZE",
     .help = "edits of one client that wait for the disk"},
    {"max_ring_bytes", CONFIG_SIZE,
     NUMBER(limits.room_ring_bytes_max, KIB(64), MIB(64), LIMIT_RING_BYTES), .value = "SIZE",
     .help = "recent changes of a document that are kept for slow clients"},
    {"max_documents_bytes", CONFIG_SIZE,
     NUMBER(limits.documents_bytes_max, MIB(1), GIB(1024), LIMIT_DOCUMENTS_BYTES), .value = "SIZE",
     .help = "memory of all loaded documents"},
    {"max_journal_bytes", CONFIG_SIZE,
     NUMBER(limits.journal_bytes_max, MIB(1), GIB(64), LIMIT_JOURNAL_BYTES), .value = "SIZE",
     .help = "edits that are not merged into snapshots yet; read at each start"},
    {"max_clients", CONFIG_COUNT, NUMBER(limits.clients_max, 1, 1U << 24, LIMIT_CLIENTS),
     .value = "N", .help = "WebSocket connections"},
    {"max_requests", CONFIG_COUNT, NUMBER(limits.requests_max, 1, 1U << 20, LIMIT_REQUESTS),
     .value = "N", .help = "HTTP requests and streams under way"},
    {"max_data_bytes", CONFIG_SIZE, NUMBER(map_bytes_max, MIB(16), GIB(65536), GIB(1024)),
     .value = "SIZE", .help = "of the data file"},
    {"debug_bus_loss", CONFIG_FRACTION, NUMBER(bus_loss_permille, 0, 1000, 0), .value = "FRACTION",
     .hidden = true, .help = "for tests: this share of incoming bus messages is dropped"},
};

const struct config_option *config_table(size_t *count_out)
{
    *count_out = sizeof(table) / sizeof(table[0]);
    return table;
}

/// Whether two spellings name one option: dashes are underscores, capitals are small letters.
static bool same_name(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        int x = *a == '-' ? '_' : tolower((unsigned char)*a);
        int y = *b == '-' ? '_' : tolower((unsigned char)*b);
        if (x != y)
            return false;
    }
    return *a == *b;
}

const struct config_option *config_find(const char *name)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (same_name(table[i].name, name))
            return &table[i];
    }
    return NULL;
}
