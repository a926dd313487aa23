#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""weft log, show, diff and blame: what a document was, by network and from a directory."""
import json
import os
import pty
import subprocess

from support.client import Editor
from support.cluster import BINARY, Cluster, Failed, environment, weft
from support.tap import run

NAME = "paper"
FIRST = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\n"


def expect(got, wanted, what):
    if got != wanted:
        raise Failed(f"{what}: {got!r}, not {wanted!r}")


def rows(*arguments):
    """The rows of a command's answer; its exit code may be 1."""
    result = weft(*arguments, "-o", "ndjson", check=False)
    if result.returncode > 1:
        raise Failed(f"{arguments}: exit {result.returncode}: {result.stderr!r}")
    return [json.loads(line) for line in result.stdout.splitlines()]


def word(version):
    """A version of an answer in JSON, as an argument."""
    return ",".join(f"{agent}:{count}" for agent, count in version.items())


def dump_version(place):
    """The version that weft dump prints, as it stands there."""
    lines = weft("dump", place, NAME).stdout.decode().splitlines()
    return next(line for line in lines if line.startswith("version")).split(None, 1)[1]


def write(node):
    """Two people write. @return what was there after each step, as (version, text), and the last text."""
    weft("put", node.url, NAME, stdin=FIRST.encode())
    editors = [Editor(NAME).connect(node.address) for _ in range(2)]
    moments = []
    for step in range(12):
        editor = editors[step % 2]
        there = moments[-1][1] if moments else FIRST
        editor.wait(lambda editor=editor, there=there: editor.replica.text() == there, 10,
                    "what the other one wrote")
        length = editor.replica.length()
        if step % 3 == 2:
            editor.delete(step * 5 % (length - 4), 4)
        else:
            editor.insert(step * 7 % length, f"<{step}: \u00e4\u4e16\U0001f30d>")
        editor.wait_acked()
        moments.append((dump_version(node.url), editor.replica.text()))
    for editor in editors:
        editor.disconnect()
    return moments


def texts(spans):
    """Both texts of a difference, whose positions are checked."""
    before, after = "", ""
    for span in spans:
        expect((span["before"], span["after"]), (len(before), len(after)), "positions")
        expect(span["length"], len(span["text"]), "a length")
        before += span["text"] if span["kind"] != "inserted" else ""
        after += span["text"] if span["kind"] != "deleted" else ""
    return before, after


def check_place(place, moments):
    """What a node or a directory says of the past."""
    for version, text in moments:
        expect(weft("show", place, NAME, "--at", version).stdout.decode(), text, f"text at {version}")
    shown = rows("show", place, NAME, "--at", moments[3][0])[0]
    expect((word(shown["version"]), shown["length"], shown["text"]),
           (moments[3][0], len(moments[3][1]), moments[3][1]), "show as JSON")
    for before, after in ((0, 11), (11, 2), (4, 5), (7, 7)):
        spans = rows("diff", place, NAME, "--from", moments[before][0], "--to", moments[after][0])
        expect(texts(spans), (moments[before][1], moments[after][1]), f"difference {before}..{after}")
    expect(texts(rows("diff", place, NAME, "--from", "")), ("", moments[-1][1]), "from nothing to now")
    for options, text in (((), moments[-1][1]), (("--at", moments[5][0]), moments[5][1])):
        runs = rows("blame", place, NAME, *options)
        expect("".join(part["text"] for part in runs), text, "blamed text")
        expect(len({part["id"].split(":")[0] for part in runs}), 3, "authors")


def the_past_is_told():
    """every text that was there is told by its version; differences give both texts; all have authors"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        moments = write(node)
        check_place(node.url, moments)
        node.stop()
        check_place(node.data, moments)


def versions_in_the_log():
    """weft log --versions names versions that weft show takes; the last is what weft dump prints"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        write(node)
        plain = weft("log", node.url, NAME).stdout.decode().splitlines()
        lines = weft("log", node.url, NAME, "--versions").stdout.decode().splitlines()
        expect([line.split("\t", 1)[1] for line in lines], plain, "the log with versions, without them")
        versions = [line.split("\t")[0] for line in lines]
        expect(versions[-1], dump_version(node.url), "the last version of the log")
        expect([word(row["version"]) for row in rows("log", node.url, NAME, "--versions")], versions,
               "versions as JSON")
        expect(weft("show", node.url, NAME, "--at", versions[0]).stdout.decode(), FIRST, "the first text")
        shuffled = " ".join(reversed(versions[-1].split(",")))
        expect(weft("show", node.url, NAME, "--at", shuffled).stdout, weft("cat", node.url, NAME).stdout,
               "entries in another order, with spaces")
        last = weft("log", node.url, NAME, "--versions", "-n", "2").stdout.decode().splitlines()
        expect(last, lines[-2:], "the end of the log")


def a_readable_difference():
    """weft diff shows lines that changed, with three around them and marks in them"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        weft("put", node.url, NAME, stdin=FIRST.encode())
        before = dump_version(node.url)
        weft("put", node.url, NAME, stdin=FIRST.replace("two", "2").replace("eleven\n", "\x1b[31m").encode())
        result = weft("diff", node.url, NAME, "--from", before, check=False)
        expect(result.returncode, 1, "exit code of a difference")
        lines = ["@@ line 1, now 1 @@", "one", "{+2+}[-two-]", "three", "four", "five", "",
                 "@@ line 8, now 8 @@", "eight", "nine", "ten", "{+?[31m+}[-eleven\\n-]"]
        got = result.stdout.decode().replace("[-two-]{+2+}", "{+2+}[-two-]")
        got = got.replace("[-eleven\\n-]\n{+?[31m+}", "{+?[31m+}[-eleven\\n-]")
        expect(got.splitlines(), lines, "the difference")
        result = weft("diff", node.url, NAME, "--from", before, "--to", before)
        expect(result.stdout, b"", "no difference")


def bad_versions():
    """what is no version, or not of this document, is refused in one line"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        weft("put", node.url, NAME, stdin=FIRST.encode())
        version = dump_version(node.url)
        agent, count = version.split(":")
        for bad, code in (("1", 2), ("1:", 2), (":", 2), ("1:0", 2), ("0:1", 2), ("x:1", 2), ("1:1:1", 2),
                          (f"{version},{version}", 2), ("1:9999999999999999999", 2), ("11111111111111111:1", 2),
                          ("1:1", 4), (f"{agent}:{int(count) + 1}", 4)):
            for command in (("show", node.url, NAME, "--at"), ("blame", node.url, NAME, "--at"),
                            ("diff", node.url, NAME, "--from"),
                            ("diff", node.url, NAME, "--from", "", "--to")):
                result = weft(*command, bad, check=False)
                words = result.stderr.decode().splitlines()
                if result.returncode != code or len(words) != 1 or result.stdout:
                    raise Failed(f"{command} {bad!r}: exit {result.returncode}: {words} {result.stdout!r}")
        expect(weft("diff", node.url, NAME, check=False).returncode, 2, "exit code without --from")
        expect(weft("show", node.url, "none", check=False).returncode, 1, "exit code without the document")


def on_a_terminal(*arguments, **env):
    """What a command writes to a terminal."""
    own, its = pty.openpty()
    env = environment(TERM="xterm", ASAN_OPTIONS="detect_leaks=0", **env)
    with subprocess.Popen([BINARY, *arguments], stdout=its, env=env) as process:
        os.close(its)
        got = b""
        while True:
            try:
                piece = os.read(own, 65536)
            except OSError:  # the other side is closed
                break
            if not piece:
                break
            got += piece
        process.wait()
    os.close(own)
    return got.decode().replace("\r\n", "\n")


def half_versions():
    """a version without what its edits build on is refused: nobody ever was there"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        first = Editor(NAME).connect(node.address)
        second = Editor(NAME).connect(node.address)
        first.insert(0, "one ")
        first.wait_acked()
        second.wait(lambda: second.replica.text() == "one ", 10, "the first words")
        second.insert(4, "two")
        second.wait_acked()
        first.wait(lambda: first.replica.text() == "one two", 10, "the second words")
        first.insert(0, "zero ")  # names nothing of the second, but was made after it
        first.wait_acked()
        one, two = f"{first.agent:016x}", f"{second.agent:016x}"
        for whole, text in ((f"{one}:2", "on"), (f"{one}:4,{two}:1", "one t"), (f"{one}:9,{two}:3", "zero one two"),
                            ("", "")):
            expect(weft("show", node.url, NAME, "--at", whole).stdout.decode(), text, f"at {whole}")
        for half, lacks in ((f"{two}:3", f"{one}:3"), (f"{one}:9", f"{two}:0"), (f"{one}:5,{two}:1", f"{two}:1"),
                            (f"{one}:2,{two}:1", f"{one}:3")):
            result = weft("show", node.url, NAME, "--at", half, check=False)
            words = result.stderr.decode()
            if result.returncode != 4 or "never was" not in words or lacks not in words or result.stdout:
                raise Failed(f"{half}: exit {result.returncode}: {words!r} {result.stdout!r}")


def both_spellings():
    """a version is taken as the HTTP API says it too; of a document that was deleted it names the epoch"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        said = []
        for life in ("the first life\n", "the second life\n"):
            weft("put", node.url, NAME, stdin=life.encode())
            versions = dump_version(node.url), node.digest(NAME)["version"]
            said.append(versions)
            weft("put", node.url, NAME, stdin=b"changed\n")
            for version in versions:
                expect(weft("show", node.url, NAME, "--at", version).stdout.decode(), life, f"at {version}")
            node.request("DELETE", node.document(NAME))
        weft("put", node.url, NAME, stdin=b"the third life\n" * 9)
        for number, versions in enumerate(said):
            for version in versions:
                expect("@" in version, number > 0, f"that {version} names an epoch")
                result = weft("show", node.url, NAME, "--at", version, check=False)
                words = result.stderr.decode()
                if result.returncode != 4 or "deleted or rebuilt since" not in words or result.stdout:
                    raise Failed(f"{version}: exit {result.returncode}: {words!r} {result.stdout!r}")
        expect(weft("show", node.url, NAME, "--at", "").stdout, b"", "nothing, in any epoch")


def tables_on_a_terminal():
    """on a terminal log, blame and dump are tables with headings, and a difference goes by words"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        weft("put", node.url, NAME, stdin=b"a brave old world\n")
        before = dump_version(node.url)
        weft("put", node.url, NAME, stdin=b"a grave new world\n")
        for command, heads in ((("log",), ["lamport", "id", "kind"]), (("blame",), ["index", "length", "id"]),
                               (("dump", "--runs"), ["lamport", "id", "kind"])):
            lines = on_a_terminal(command[0], node.url, NAME, *command[1:], NO_COLOR="1").splitlines()
            table = lines[lines.index("") + 1:] if "" in lines else lines
            if not all(head in table[0].split() for head in heads):
                raise Failed(f"{command}: no heading in {table[0]!r}")
            column = table[0].index(" id") + 1
            expect({line[column - 1] for line in table}, {" "}, f"{command}: an aligned column")
            expect("\t" in "".join(table), False, f"{command}: tabs")
        plain = on_a_terminal("diff", node.url, NAME, "--from", before, NO_COLOR="1")
        expect(plain, "@@ line 1, now 1 @@\na [-brave old-]{+grave new+} world\n", "a difference by words")
        coloured = on_a_terminal("diff", node.url, NAME, "--from", before)
        expect(coloured, "\x1b[36m@@ line 1, now 1 @@\x1b[0m\n"
               "a \x1b[31mbrave old\x1b[0m\x1b[32mgrave new\x1b[0m world\n", "and in colours")


run(half_versions, both_spellings, tables_on_a_terminal, the_past_is_told,
    versions_in_the_log, a_readable_difference, bad_versions)
