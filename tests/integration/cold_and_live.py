#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What weft dump and weft cat say on a data directory, live or stopped, is what the network says."""
import json

from support.client import Editor
from support.cluster import Cluster, Failed, weft
from support.tap import run, sanitized

DOCUMENTS = {"plain": "Hello\n", "unicode": "Grüße, 世界 \U0001f30d e\u0301\n", "empty": "",
             "with/slash and space": "x" * 5000}
ASKED_FOR = ["plain", "empty"] if sanitized() else list(DOCUMENTS)
OPS = ("--ops",)
FORMS = ((), ("--text",), ("--runs",), OPS, ("--json",))


def fill(node):
    for name, text in DOCUMENTS.items():
        weft("put", node.url, name, stdin=text.encode())
    editor = Editor("plain").connect(node.address)
    for number in range(30):
        editor.insert(editor.replica.length() // 2, f"{number} ")
        if number % 3 == 0:
            editor.delete(0, 2)
    editor.wait_acked()
    editor.disconnect()


def answers(place, forms=FORMS):
    """Everything that is asked of a node or a directory, by question."""
    said = {"ls": sorted(weft("ls", place, "-o", "ndjson").stdout.splitlines())}
    for name in ASKED_FOR:
        said["cat " + name] = weft("cat", place, name).stdout
        for form in forms:
            said[f"dump {name} {form}"] = weft("dump", place, name, *form).stdout
        said["log " + name] = weft("log", place, name).stdout
    return said


def compare(network, directory, what):
    for question, answer in directory.items():
        if network[question] != answer:
            raise Failed(f"{what}: {question}: network {network[question][:300]!r}, "
                         f"directory {answer[:300]!r}")


def same_live_and_stopped():
    """ls, cat, dump and log give the same on a running node's directory, a stopped one's, and by network"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        fill(node)
        network = answers(node.url)
        unicode = weft("cat", node.url, "unicode").stdout.decode()
        if unicode != DOCUMENTS["unicode"]:
            raise Failed(f"cat: {unicode!r}")
        digest = node.digest("plain")["digest"]
        if digest.encode() not in network["dump plain ('--json',)"]:
            raise Failed(f"dump does not show the digest {digest}")
        compare(network, answers(node.data), "live")
        if node.stop() != 0:
            raise Failed("the node did not end well")
        compare(network, answers(node.data), "stopped")
        weft("check", node.data)
        node.start()
        compare(network, answers(node.url, [OPS]), "started again")


def same_after_a_crash():
    """a directory left by kill -9 reads as the node did, before and after it runs again"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        fill(node)
        network = answers(node.url, [OPS])
        node.kill()
        compare(network, answers(node.data, [OPS]), "crashed")
        weft("check", node.data)
        node.start()
        compare(network, answers(node.url, [OPS]), "started again")


def backups():
    """a backup taken from a live node or directory opens and holds the same"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        fill(node)
        network = answers(node.url, [OPS])
        for number, place in enumerate((node.data, node.url)):
            to = f"{cluster.folder}/backup-{number}"
            weft("backup", place, to)
            compare(network, answers(to, [OPS]), f"backup of {place}")
            weft("check", to)


def peers_see_the_same():
    """three nodes' directories give one digest for each document"""
    with Cluster(3) as cluster:
        cluster.start()
        fill(cluster[1])
        for name in DOCUMENTS:
            cluster.wait_equal(name)
        digests = set()
        for node in cluster:
            digests.add(json.loads(weft("dump", node.data, "plain", "--json").stdout)["digest"])
        if len(digests) != 1:
            raise Failed(f"digests on disk: {digests}")


# The golden delta of "a", an operation of kind 9 with three bytes, one that does nothing, and "b".
KINDS = bytes.fromhex("00000101000000000000000405030105a008092420020300006100ff1062")


def unknown_kinds():
    """operations of a kind that nodes do not know are acked, passed on, kept and shown as they are"""
    with Cluster(2) as cluster:
        cluster.start()
        writer = Editor("later").connect(cluster[0].address)
        writer.replica.apply(KINDS)
        writer.send_lacking(b"\0")
        writer.insert(1, "-")
        writer.wait_acked()
        writer.disconnect()
        cluster.wait_equal("later", holds=lambda text: text == "a-b")
        shown = {weft("dump", node.url, "later", "--runs", "-o", "ndjson").stdout for node in cluster}
        if len(shown) != 1 or b'"kind-9"' not in next(iter(shown)):
            raise Failed(f"dump: {shown}")
        reader = Editor("later").connect(cluster[1].address)
        reader.wait(lambda: reader.replica.text() == "a-b", 10, "the document")
        if reader.replica.digest() != writer.replica.digest():
            raise Failed("a client that joined has another digest")
        reader.disconnect()
        for node in cluster: # from the journal, then, ended well, from a snapshot
            node.kill()
            if weft("dump", node.data, "later", "--runs", "-o", "ndjson").stdout not in shown:
                raise Failed(f"{node.name}: the directory of a killed node holds something else")
        cluster.start()
        cluster.verify()
        for node in cluster:
            node.stop()
            weft("check", node.data)
            if weft("dump", node.data, "later", "--runs", "-o", "ndjson").stdout not in shown:
                raise Failed(f"{node.name}: the directory of an ended node holds something else")


run(same_live_and_stopped, same_after_a_crash, backups, peers_see_the_same, unknown_kinds)
