#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Labels of versions, and who edits: on every node, in directories, through restarts and deletions."""
import json
import urllib.parse

from support.client import Editor
from support.cluster import Cluster, Failed, wait_until, weft
from support.tap import run

NAME = "paper"


def expect(got, wanted, what):
    if got != wanted:
        raise Failed(f"{what}: {got!r}, not {wanted!r}")


def rows(*arguments):
    return [json.loads(line) for line in weft(*arguments, "-o", "ndjson").stdout.splitlines()]


def labels(place):
    return [(row["label"], row["author"], row["version"]) for row in rows("label", place, NAME)]


def show(place, version):
    return weft("show", place, NAME, "--at", version).stdout.decode()


def labels_reach_every_node():
    """a label that is set at one node names the same text on all, in their directories and after restarts"""
    with Cluster(3) as cluster:
        cluster.start()
        weft("put", cluster[0].url, NAME, "--author", "Anna", stdin=b"one\n")
        weft("label", cluster[0].url, NAME, "first", "--author", "Anna")
        weft("put", cluster[0].url, NAME, "--author", "Anna", stdin=b"one\ntwo\n")
        cluster.wait_equal(NAME)
        weft("label", cluster[1].url, NAME, "\u00fcber", "--author", "B\u00f6b")
        version = labels(cluster[0].url)[0][2]
        weft("put", cluster[2].url, NAME, stdin=b"three\n")
        cluster.wait_equal(NAME)
        weft("label", cluster[2].url, NAME, "again", "--at", version)
        cluster.wait_equal(NAME)
        for node in cluster:
            got = labels(node.url)
            expect([row[:2] for row in got],
                   [("first", "Anna"), ("\u00fcber", "B\u00f6b"), ("again", f"HTTP via {cluster[2].name}")],
                   f"labels at {node.name}")
            for label, text in (("first", "one\n"), ("\u00fcber", "one\ntwo\n"), ("again", "one\n")):
                expect(show(node.url, label), text, f"text at {label} at {node.name}")
        weft("label", cluster[1].url, NAME, "again", "--delete")
        weft("label", cluster[1].url, NAME, "first")  # moves
        cluster.wait_equal(NAME)
        wanted = labels(cluster[0].url)
        expect([row[0] for row in wanted], ["\u00fcber", "first"], "labels that are left")
        cluster[0].kill()
        cluster[0].start()
        expect(labels(cluster[0].url), wanted, "labels after a crash")
        expect(show(cluster[0].url, "first"), "three\n", "a label that moved")
        cluster[2].stop()
        expect(labels(cluster[2].data), wanted, "labels in a directory")
        weft("backup", cluster[1].url, cluster.folder + "/backup")
        expect(labels(cluster.folder + "/backup"), wanted, "labels in a backup")


def a_newcomer_has_them():
    """a node that joins later has labels and authors as well"""
    with Cluster(1) as cluster:
        cluster.start()
        weft("put", cluster[0].url, NAME, "--author", "Anna", stdin=b"one\n")
        weft("label", cluster[0].url, NAME, "first", "--author", "Anna")
        late = cluster.add()
        late.start()
        cluster.wait_equal(NAME)
        expect(labels(late.url), labels(cluster[0].url), "labels of the newcomer")
        expect({row["author"] for row in rows("blame", late.url, NAME)}, {"Anna"}, "authors there")


def labels_end_with_the_epoch():
    """deleting a document ends its labels; what is refused leaves it as it was, and says why"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        weft("put", node.url, NAME, stdin=b"one\n")
        weft("label", node.url, NAME, "first")
        old = node.digest(NAME)["version"]
        node.request("DELETE", node.document(NAME))
        result = weft("label", node.url, NAME, "second", check=False)
        expect(result.returncode, 1, "exit code for a document that is gone")
        weft("put", node.url, NAME, stdin=b"another life\n")
        expect(labels(node.url), [], "labels of the next epoch")
        result = weft("show", node.url, NAME, "--at", "first", check=False)
        expect(result.returncode, 2, "exit code for a label that is gone")
        digest = node.digest(NAME)["digest"]
        path = node.document(NAME, "/versions")
        for query, body, status in (("", b"", 400), ("?label=", b"", 400), ("?label=a%0Ab", b"", 400),
                                    ("?label=%ff", b"", 400), ("?label=" + "x" * 65, b"", 400),
                                    ("?label=x", b"zz", 400), ("?label=x", b"0", 400),
                                    ("?label=x", old.encode(), 412), ("?label=x", b"00@00", 400),
                                    ("?label=x", b"0101000000000000000a@" + node.digest(NAME)["epoch"].encode(), 422)):
            response = node.request("POST", path + query, body=body)
            if response.status != status or not json.loads(response.body).get("detail"):
                raise Failed(f"POST {query} {body}: {response.status} {response.body!r}, not {status}")
        response = node.request("DELETE", path + "?label=first")
        expect(response.status, 404, "status for a label that is not there")
        expect(node.digest(NAME)["digest"], digest, "the document after what was refused")
        for name in ("2026-11-25", "2026-11-25T10:00", "00", "1:2"):
            result = weft("label", node.url, NAME, name, check=False)
            expect(result.returncode, 2, f"exit code for the label {name}")


def authors():
    """who edits is said with the first edit: by X-Weft-Author, by the client itself, else the node is named"""
    with Cluster(2) as cluster:
        cluster.start()
        node = cluster[0]
        node.request("PUT", node.document(NAME), body=b"by nobody. ")
        editor = Editor(NAME).connect(node.address)
        editor.wait(lambda: editor.replica.text() == "by nobody. ", 10, "the text")
        editor.replica.set_author(editor.agent, "Carla")
        editor.insert(11, "By Carla. ")
        editor.wait_acked()
        state = node.digest(NAME)
        response = node.request("PATCH", node.document(NAME), body=b'[[21,0,"By Dora. "]]',
                                headers={"Content-Type": "application/json", "X-Weft-Author": "D%C3%B6ra",
                                         "X-Weft-Id": "00c0ffee5e550001.0", "If-Match": f'"{state["digest"]}"'})
        expect(response.status, 200, "status of an edit with an id and an author")
        response = node.request("PATCH", node.document(NAME), body=b'[[30,0,"By Emil."]]',
                                headers={"Content-Type": "application/json", "X-Weft-Author": "Emil",
                                         "X-Weft-Id": "00c0ffee5e550001.9",
                                         "If-Match": response.headers["ETag"]})
        expect(response.status, 200, "status of its next edit, whose seq is as always")
        cluster.wait_equal(NAME)
        for place in cluster:
            blamed = [(row["text"], row["author"]) for row in rows("blame", place.url, NAME)]
            expect(blamed, [("by nobody. ", "HTTP via " + node.name), ("By Carla. ", "Carla"),
                            ("By Dora. By Emil.", "D\u00f6ra")], "who wrote what")
        expect({row["author"] for row in rows("log", node.url, NAME)},
               {"HTTP via " + node.name, "Carla", "D\u00f6ra"}, "authors in the log")
        for bad in ("a%0Ab", "%ff", "%", "x" * 65):
            response = node.request("PUT", node.document(NAME), body=b"", headers={"X-Weft-Author": bad})
            expect(response.status, 400, f"status for the author {bad!r}")
        quoted = urllib.parse.quote("x" * 64)
        response = node.request("PUT", node.document(NAME), body=b"all new", headers={"X-Weft-Author": quoted})
        expect(response.status, 200, "status for a name of 64 bytes")
        editor.wait(lambda: editor.replica.text() == "all new", 10, "the new text")
        wait_until(lambda: cluster[1].text(NAME) == "all new", 10, "the new text at the other node")


run(labels_reach_every_node, a_newcomer_has_them, labels_end_with_the_epoch, authors)
