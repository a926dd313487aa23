#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns a file into a C function that returns its bytes: embed.py FILE FUNCTION OUTPUT"""
import sys

path, function, output = sys.argv[1:]
with open(path, "rb") as file:
    data = file.read()
with open(output, "w", encoding="ascii") as file:
    file.write('#include "web/web.h"\n\nstatic const uint8_t bytes[] = {\n')
    for at in range(0, len(data), 24):
        file.write(",".join(str(byte) for byte in data[at:at + 24]) + ",\n")
    file.write(f"}};\n\nstruct span {function}(void)\n{{\n"
               "    return (struct span){bytes, sizeof(bytes)};\n}\n")
