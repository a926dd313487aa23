// SPDX-License-Identifier: MIT
// assert() of the WebAssembly module: it stays on and traps, but brings no text of its own along
// and no stdio to print it with.
#undef assert
#define assert(condition) ((condition) ? (void)0 : __builtin_trap())
