// SPDX-License-Identifier: MIT
// Written simulations: the situations that the promises name, each as a short script.
#ifndef WEFT_SIM_SCENARIOS_H
#define WEFT_SIM_SCENARIOS_H

#include <stdbool.h>
#include <stdint.h>

/// Runs one scenario, or all for "". @return an exit code.
int scenarios_run(const char *name, uint64_t seed, bool verbose);

#endif
