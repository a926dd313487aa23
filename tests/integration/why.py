#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""weft why: who put a character where it stands, what else is there, who deleted it."""
import json
import random

from support.client import Editor
from support.cluster import Cluster, Failed, weft
from support.tap import run

NAME = "paper"


def expect(got, wanted, what):
    if got != wanted:
        raise Failed(f"{what}: {got!r}, not {wanted!r}")


def why(place, *words):
    return json.loads(weft("why", place, NAME, *words, "-o", "json").stdout)


def three_at_one_place(node):
    """Three people type at one place, cut off from each other. @return them, in the order of their agents."""
    editors = [Editor(NAME, agent=agent).connect(node.address) for agent in (0x11, 0x22, 0x33)]
    for editor, name in zip(editors, ("Anna", "Bob", "Carla")):
        editor.replica.set_author(editor.agent, name)
    editors[0].insert(0, "ab")
    editors[0].wait_acked()
    for editor in editors:
        editor.wait(lambda editor=editor: editor.replica.text() == "ab", 10, "the text")
        editor.disconnect()
    for editor, text in zip(editors, ("xx", "yy", "zz")):
        editor.insert(2, text)
    for editor in editors:
        editor.connect(node.address)
        editor.wait_acked()
    return editors


def one_place():
    """what was put at one place by people who did not see each other is told, and which goes first"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        editors = three_at_one_place(node)
        text = node.text(NAME)
        expect(sorted(text[2:]), list("xxyyzz"), "what was typed")
        told = why(node.url, text[2:4])
        expect((told["index"], told["side"], told["parent"]["text"], told["parent"]["author"], told["visible"]),
               (2, "right", "b", "Anna", True), "the first of three")
        expect([row["stands"] for row in told["siblings"]], ["behind", "behind"], "the others")
        expect([row["text"] for row in told["siblings"]], [text[4], text[6]], "the others, in order")
        expect(told["run"]["length"], 2, "length of the insert")
        last = why(node.url, "6")
        expect((last["text"], [row["stands"] for row in last["siblings"]]), (text[6], ["before", "before"]),
               "the last of three")
        typed = why(node.url, "7")
        expect((typed["parent"]["text"], typed["siblings"], typed["run"]["length"]), (text[6], [], 4),
               "a character typed on, after what its author had typed before")
        expect((why(node.url, "0")["parent"], why(node.url, "0")["before"]), (None, None), "the first character")
        words = weft("why", node.url, NAME, "6").stdout.decode()
        for word in ("Anna", "stands before it", "is greater", "Nobody deleted it"):
            expect(word in words, True, f"{word!r} in {words!r}")
        gone = last["id"]
        editors[0].wait(lambda: editors[0].replica.text() == text, 10, "what the others typed")
        editors[0].delete(6, 1)
        editors[0].wait_acked()
        told = why(node.url, gone)
        expect((told["visible"], [row["author"] for row in told["deletes"]]), (False, ["Anna"]), "who deleted it")
        expect(told["deletes"][0]["cancelled_by"], [], "who cancelled that")
        expect(why(node.url, told["deletes"][0]["id"])["id"], gone, "by the id of the delete")
        words = weft("why", node.url, NAME, gone).stdout.decode()
        expect("Deleted by Anna" in words and "it is not there" in words, True, words)
        node.stop()
        expect(why(node.data, gone), told, "from a directory")


def order_is_as_said():
    """of all characters that share a place, those stand before the others that are said to"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        chance = random.Random(7)
        editors = three_at_one_place(node)
        for _ in range(2):
            for editor in editors:
                editor.disconnect()
            for editor in editors:
                for letter in "pqr":
                    editor.insert(chance.randrange(editor.replica.length() + 1), letter)
            for editor in editors:
                editor.connect(node.address)
                editor.wait_acked()
            for editor in editors:
                editor.wait(lambda editor=editor: editor.replica.text() == node.text(NAME), 10, "all texts")
        runs = [json.loads(line) for line in weft("blame", node.url, NAME, "-o", "ndjson").stdout.splitlines()]
        places = {}
        for row in runs:
            agent, seq = row["id"].split(":")
            for i in range(row["length"]):
                places[f"{agent}:{int(seq) + i}"] = row["index"] + i
        shared = 0
        for identity, index in places.items():
            told = why(node.url, identity)
            expect(told["index"], index, f"index of {identity}")
            for row in told["siblings"]:
                shared += 1
                expect(row["stands"], "before" if places[row["id"]] < index else "behind", f"{row['id']}, {identity}")
        expect(shared > 6, True, "characters that share a place")


def what_is_not_there():
    """what is no place in the document is refused in one line; units are named"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        weft("put", node.url, NAME, stdin="a\U0001f30db 1".encode())
        expect(why(node.url, "2")["text"], "b", "character 2")
        expect(why(node.url, "3", "--unit", "utf16")["text"], "b", "UTF-16 unit 3")
        expect(why(node.url, "5", "--unit", "bytes")["text"], "b", "byte 5")
        expect(why(node.url, "1")["text"], "\U0001f30d", "character 1")
        expect(why(node.url, "1", "--text")["index"], 4, "the text 1")
        for words, code in ((("5",), 4), (("99999999999999999999",), 4), (("2", "--unit", "utf16"), 4),
                            (("2", "--unit", "lines"), 2), (("nowhere",), 1), (("1:0",), 1), (("", ), 1)):
            result = weft("why", node.url, NAME, *words, check=False)
            said = result.stderr.decode().splitlines()
            if result.returncode != code or len(said) != 1 or result.stdout:
                raise Failed(f"{words}: exit {result.returncode}: {said} {result.stdout!r}")


run(one_place, order_is_as_said, what_is_not_there)
