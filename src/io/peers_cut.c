// SPDX-License-Identifier: MIT
// Implements io/peers_cut.h.
#include "io/peers_cut.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

static bool is_same(const struct sockaddr_storage *one, const nng_sockaddr *other)
{
    if (one->ss_family == AF_INET && other->s_family == NNG_AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)one;
        return in->sin_port == other->s_in.sa_port && in->sin_addr.s_addr == other->s_in.sa_addr;
    }
    if (one->ss_family == AF_INET6 && other->s_family == NNG_AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)one;
        return in6->sin6_port == other->s_in6.sa_port &&
               memcmp(&in6->sin6_addr, other->s_in6.sa_addr, sizeof in6->sin6_addr) == 0;
    }
    return false;
}

/// Whether a descriptor is the connection between the two addresses.
static bool connects(int fd, const nng_sockaddr *local, const nng_sockaddr *remote)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0 || !is_same(&address, local)) {
        return false;
    }
    size = sizeof address;
    return getpeername(fd, (struct sockaddr *)&address, &size) == 0 && is_same(&address, remote);
}

/// A copy of the descriptor that connects the two addresses; -1 when there is none. Another thread
/// may close and reuse a number at any time, so what counts is what the copy says.
static int find_connection(const nng_sockaddr *local, const nng_sockaddr *remote)
{
    DIR *directory = opendir("/proc/self/fd");
    int found = -1;
    struct dirent *entry;
    while (directory != NULL && found < 0 && (entry = readdir(directory)) != NULL) {
        int fd = atoi(entry->d_name);
        if (entry->d_name[0] == '.' || !connects(fd, local, remote)) {
            continue;
        }
        found = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (found >= 0 && !connects(found, local, remote)) {
            close(found);
            found = -1;
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return found;
}

void peers_cut(nng_pipe pipe)
{
    nng_sockaddr local, remote;
    if (nng_pipe_get_addr(pipe, NNG_OPT_LOCADDR, &local) != 0 ||
        nng_pipe_get_addr(pipe, NNG_OPT_REMADDR, &remote) != 0) {
        return; // it is gone, or on its way
    }
    int fd = find_connection(&local, &remote);
    if (fd < 0) {
        nng_pipe_close(pipe);
        return;
    }
    shutdown(fd, SHUT_RD);
    close(fd);
}
