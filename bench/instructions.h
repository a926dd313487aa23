// SPDX-License-Identifier: MIT
// Counts instructions of this thread, where the machine and its settings let a program do so.
#ifndef WEFT_BENCH_INSTRUCTIONS_H
#define WEFT_BENCH_INSTRUCTIONS_H

#include <stdint.h>

/// Starts counting, in user space only. @return what instructions_stop() takes; negative when
/// nothing is counted.
int instructions_start(void);
/// @return how many there were; negative when they were not counted.
int64_t instructions_stop(int counter);

#endif
