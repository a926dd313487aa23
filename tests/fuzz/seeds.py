#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Inputs for the fuzz targets to start from, made of the golden vectors.

    seeds.py GOLDEN OUT       a file for each input: OUT/TARGET/NAME
    seeds.py GOLDEN --lines   "TARGET HEX" lines on stdout, for the tests
"""
import pathlib
import sys


def vectors(path):
    """The unindented `key hex` lines of each example, as dictionaries."""
    examples = [{}]
    for line in path.read_text().splitlines():
        if not line.strip():
            examples.append({})
        words = line.split(" ")
        if len(words) == 2 and line[0] not in " #":
            try:
                examples[-1][words[0]] = bytes.fromhex(words[1].replace("-", ""))
            except ValueError:
                pass  # a heading of two words
    return [example for example in examples if example]


def rows():
    """Some sound runs for fuzz_runs: two authors write, delete, write inside of it, undelete."""
    end, root = 0x80, 6
    insert = lambda agent, seq, lamport, length, target, flags: bytes(
        [0, length - 1, agent - 1, seq, lamport, target[0] - 1, target[1], flags])
    delete = lambda agent, seq, lamport, length, target, flags: bytes(
        [1, length - 1, agent - 1, seq, lamport, target[0] - 1, target[1], flags])
    undelete = lambda agent, seq, lamport, length, target, flags: bytes(
        [2, length - 1, agent - 1, seq, lamport, target[0] - 1, target[1], flags])
    first = insert(1, 0, 1, 8, (1, 0), root | end)
    second = insert(2, 0, 9, 4, (1, 3), end)
    gone = delete(2, 4, 13, 3, (1, 5), end)
    back = delete(1, 8, 13, 4, (2, 3), 1 | end)
    again = undelete(2, 7, 17, 2, (2, 4), end)
    left = insert(3, 0, 30, 3, (1, 0), 1 | end)
    yield first + second + gone + back + again + left
    yield left + again + back + gone + second + first  # all waits
    yield first + second[:7] + bytes([0]) + gone + first + gone + back


def seeds(golden):
    deltas = [v["bytes"] for v in vectors(golden / "delta.txt") if "bytes" in v]
    deltas += [v["delta"] for v in vectors(golden / "initial.txt") if "delta" in v]
    versions = [v["bytes"] for v in vectors(golden / "version.txt") if "bytes" in v]
    for delta in deltas:
        yield "apply_empty", delta
        yield "apply_full", b"\1\xff" + delta
        yield "apply_full", b"\0\x80" + delta + delta
    for parts in vectors(golden / "snapshot.txt") + vectors(golden / "snapshot_0.txt"):
        if {"structure", "text", "tombs"} <= parts.keys():
            sizes = b"".join(len(parts[key]).to_bytes(2, "little") for key in ("structure", "text"))
            yield "load", sizes + parts["structure"] + parts["text"] + parts["tombs"]
    for i, version in enumerate(versions):
        yield "version", bytes([len(version)]) + version + versions[(i + 1) % len(versions)]
    for row in rows():
        yield "runs", row


def main():
    golden, out = pathlib.Path(sys.argv[1]), sys.argv[2]
    for number, (target, data) in enumerate(seeds(golden)):
        if out == "--lines":
            print(target, data.hex())
            continue
        folder = pathlib.Path(out) / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"golden-{number:03}").write_bytes(data)


main()
