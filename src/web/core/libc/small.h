// SPDX-License-Identifier: MIT
// Before every file of the module that need not be quick: what headers offer for inlining is called
// instead. A call takes 3 bytes, and the linker and wasm-opt leave one copy of each function.
#define inline __attribute__((noinline))
