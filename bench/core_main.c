// SPDX-License-Identifier: MIT
#include "core.h"

int main(int argc, char **argv)
{
    return bench_core(argc, argv);
}
