// SPDX-License-Identifier: MIT
// The one binary, `weft`.
#include "programs/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_run(argc, argv);
}
