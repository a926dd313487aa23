/* SPDX-License-Identifier: MIT
 * What lws 4.1.6 is told of its surroundings, in the place of what its cmake would write: Linux, h1 and
 * WebSocket, both sides, on libuv; no TLS, no extensions. */
#define LWS_LIBRARY_VERSION_MAJOR 4
#define LWS_LIBRARY_VERSION_MINOR 1
#define LWS_LIBRARY_VERSION_PATCH 6
#define LWS_LIBRARY_VERSION_PATCH_ELABORATED 6
#define LWS_LIBRARY_VERSION "4.1.6"
#define LWS_LIBRARY_VERSION_NUMBER 4001006
#define LWS_INSTALL_DATADIR "/usr/share"
#define LWS_INSTALL_LIBDIR "/usr/lib"
#define LWS_LOGGING_BITFIELD_CLEAR 0
#define LWS_LOGGING_BITFIELD_SET 0
#define LWS_LOGS_TIMESTAMP
#define LWS_MAX_SMP 1

#define LWS_HAS_GETOPT_LONG
#define LWS_HAS_INTPTR_T
#define LWS_HAVE_ATOLL
#define LWS_HAVE_CLOCK_GETTIME
#define LWS_HAVE_EVENTFD
#define LWS_HAVE_EXECVPE
#define LWS_HAVE_MALLOC_H
#define LWS_HAVE_NEW_UV_VERSION_H
#define LWS_HAVE_PIPE2
#define LWS_HAVE_PTHREAD_H
#define LWS_HAVE_STDINT_H
#define LWS_HAVE_VFORK

#define LWS_NO_DAEMONIZE
#define LWS_PLAT_UNIX
#define LWS_ROLE_H1
#define LWS_ROLE_RAW
#define LWS_ROLE_WS
#define LWS_WITHOUT_EXTENSIONS
#define LWS_WITH_CLIENT
#define LWS_WITH_CUSTOM_HEADERS
#define LWS_WITH_EVENT_LIBS
#define LWS_WITH_HTTP_UNCOMMON_HEADERS
#define LWS_WITH_LIBUV
#define LWS_WITH_LWSAC
#define LWS_WITH_NETWORK
#define LWS_WITH_POLL
#define LWS_WITH_SERVER
#define LWS_WITH_SYS_STATE
#define LWS_WITH_UNIX_SOCK
