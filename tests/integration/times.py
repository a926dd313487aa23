#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""When edits arrived: the same on every node, in directories, through merging and restarts; versions by time."""
import json
import time

from support.cluster import Cluster, Failed, wait_until, weft
from support.tap import run

NAME = "paper"


def expect(got, wanted, what):
    if got != wanted:
        raise Failed(f"{what}: {got!r}, not {wanted!r}")


def rows(command, place, *options):
    return [json.loads(line) for line in weft(command, place, NAME, *options, "-o", "ndjson").stdout.splitlines()]


def logged(place):
    return [(row["id"], row["time"]) for row in rows("log", place)]


def words(second):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))


def next_second():
    """Waits until a second has ended. @return it."""
    second = int(time.time())
    wait_until(lambda: int(time.time()) > second, 3, "the next second")
    return second


def write(node, texts):
    """Puts texts, each in a second of its own. @return those seconds."""
    seconds = []
    for text in texts:
        next_second()
        weft("put", node.url, NAME, "--author", "Anna", stdin=text.encode())
        seconds.append(int(time.time()))
    next_second()
    return seconds


def check(place, texts, seconds, what):
    for text, second in zip(texts, seconds):
        expect(weft("show", place, NAME, "--at", words(second)).stdout.decode(), text, f"{what}: at {words(second)}")
    expect(weft("show", place, NAME, "--at", "1999-12-31").stdout, b"", f"{what}: long ago")
    expect(weft("show", place, NAME, "--at", "2999-01-01T00:00+01:00").stdout.decode(), texts[-1], f"{what}: later")
    result = weft("diff", place, NAME, "--from", words(seconds[0]), "--to", words(seconds[-1]), check=False)
    expect(result.returncode, 1, f"{what}: exit code of a difference between two times")


def the_same_everywhere():
    """each edit has the time at which it entered the cluster, on every node, whatever became of its journal"""
    with Cluster(2) as cluster:
        cluster.start()
        long = "a line of some length that makes the journal be merged\n" * 2000
        texts = ["one\n", "one two\n", long, long + "three\n"]
        seconds = write(cluster[0], texts)
        cluster.wait_equal(NAME)
        told = logged(cluster[0].url)
        expect(len({when for _, when in told}) >= 3, True, "that times in the log differ")
        for _, when in told:
            expect(when[-5:], ".000Z", "a time is of a second")
        for node in cluster:
            expect(logged(node.url), told, f"times at {node.name}")
            check(node.url, texts, seconds, node.name)
        blamed = rows("blame", cluster[1].url)
        expect("-" in {row["time"] for row in blamed}, False, "that a time is not known")
        why = json.loads(weft("why", cluster[1].url, NAME, "three", "-o", "json").stdout)
        expect(why["time"], told[-1][1], "the time of a character")
        late = cluster.add()
        late.start()
        cluster.wait_equal(NAME)
        wait_until(lambda: logged(late.url) == told, 10, lambda: f"times of the newcomer: {logged(late.url)}, {told}")
        cluster[0].kill()
        cluster[0].start()
        expect(logged(cluster[0].url), told, "times after a crash")
        for node in cluster:
            node.stop()
            expect(logged(node.data), told, f"times in the directory of {node.name}")
            check(node.data, texts, seconds, f"the directory of {node.name}")
        weft("backup", cluster[1].data, cluster.folder + "/backup")
        expect(logged(cluster.folder + "/backup"), told, "times in a backup")


def times_are_read():
    """a time is ISO 8601, in UTC unless it says otherwise; what is none is refused"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        weft("put", node.url, NAME, stdin=b"text\n")
        second = next_second()
        here = time.gmtime(second + 3600)
        for at in (words(second), words(second)[:-1], words(second)[:-1] + ".5Z", words(second).replace("T", " "),
                   time.strftime("%Y-%m-%dT%H:%M:%S+01:00", here), words(second)[:16], words(second)[:10]):
            expect(weft("show", node.url, NAME, "--at", at).stdout, b"text\n", f"at {at}")
        for bad in ("2026-13-01", "2026-02-30", "2026-01-01T", "2026-01-01T24:00", "2026-01-01T10", "2026-1-1",
                    "1969-12-31", "2026-01-01Z+1", "2026-01-01T10:00+1", "yesterday", "2025-02-29"):
            result = weft("show", node.url, NAME, "--at", bad, check=False)
            if result.returncode != 2 or len(result.stderr.decode().splitlines()) != 1 or result.stdout:
                raise Failed(f"{bad}: exit {result.returncode}: {result.stderr!r} {result.stdout!r}")
        node.request("DELETE", node.document(NAME))
        weft("put", node.url, NAME, stdin=b"again\n")
        expect(weft("show", node.url, NAME, "--at", words(second)).stdout, b"", "before the document's epoch")


run(the_same_everywhere, times_are_read)
