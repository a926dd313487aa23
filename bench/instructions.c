// SPDX-License-Identifier: MIT
#include "instructions.h"

#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int instructions_start(void)
{
    struct perf_event_attr wanted;
    memset(&wanted, 0, sizeof(wanted));
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.size = sizeof(wanted);
    wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
    wanted.exclude_kernel = 1;
    wanted.exclude_hv = 1;
    return (int)syscall(SYS_perf_event_open, &wanted, 0, -1, -1, 0UL);
}

int64_t instructions_stop(int counter)
{
    int64_t count = -1;
    if (counter < 0)
        return -1;
    if (read(counter, &count, sizeof(count)) != (ssize_t)sizeof(count))
        count = -1;
    close(counter);
    return count;
}
