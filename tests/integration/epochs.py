#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A document that was deleted and created anew while a client was away: told, kept apart, nothing merged."""
from support.client import Editor, JOIN, ORPHANS
from support.cluster import Cluster, Failed, wait_until, weft
from support.tap import run
from support.websocket import WebSocket

EPOCH_MISMATCH = 4409


def recreate(node, name, text):
    response = node.request("DELETE", node.document(name))
    if response.status not in (200, 202, 204):
        raise Failed(f"DELETE: {response.status} {response.body[:200]!r}")
    response = node.request("PUT", node.document(name), body=text.encode())
    if response.status not in (200, 201, 204):
        raise Failed(f"PUT: {response.status} {response.body[:200]!r}")


def refused_epoch(editor, node):
    """Tries to join with the client's old epoch; gives the new one that the error names."""
    editor.disconnect()
    editor.socket = WebSocket(node.address, 9338, 10)
    editor._send([1, 0, "integration", 0])
    editor._expect(65, 10)
    editor._send([JOIN, 7, editor.document, editor.epoch, editor.replica.version(), None])
    editor.wait(lambda: editor.errors, 10, "a refusal")
    error = editor.errors[-1]
    if error["code"] != EPOCH_MISMATCH:
        raise Failed(f"expected epoch_mismatch, got {error}")
    return bytes.fromhex(error["detail"])


def offline_edits_of_a_lost_epoch():
    """edits made offline in a deleted epoch: epoch_mismatch, and a recovery copy that can be read"""
    with Cluster(3) as cluster:
        cluster.start()
        node = cluster[0]
        editor = Editor("d").connect(node.address)
        editor.note("<kept before>")
        editor.wait_acked()
        cluster.wait_equal("d")
        editor.disconnect()
        editor.note("<written offline>")
        recreate(cluster[1], "d", "a new life\n")
        cluster.wait_equal("d", holds=lambda text: text == "a new life\n")
        epoch = refused_epoch(editor, node)
        if epoch == editor.epoch or int.from_bytes(epoch[:8], "big") < 1:
            raise Failed(f"not a later epoch: {epoch.hex()}")
        everything = b"".join(editor.replica.lacking(b"\0", 1 << 20))
        editor._send([ORPHANS, 8, "d", editor.epoch, everything])
        wait_until(lambda: b"<written offline>" in recovered(node, "d"), 10,
                   lambda: f"the recovery copy: {recovered(node, 'd')!r}")
        if b"<kept before>" not in recovered(node, "d"):
            raise Failed("what the old epoch held is not in its recovery copy")
        for other in cluster:
            if other.text("d") != "a new life\n":
                raise Failed(f"{other.name} merged two epochs: {other.text('d')!r}")
        fresh = Editor("d").connect(node.address)
        fresh.wait(lambda: fresh.replica.text() == "a new life\n", 10, "the new text")
        fresh.note("<goes on>")
        fresh.wait_acked()
        cluster.wait_equal("d", holds=lambda text: "<goes on>" in text)
        cluster.verify()


def recovered(node, name):
    """All recovery copies of a document, as text."""
    listed = weft("recovery", "ls", node.url, "-o", "ndjson").stdout
    if name.encode() not in listed:
        return b""
    return weft("recovery", "cat", node.url, name, check=False).stdout


def connected_clients_are_told():
    """a client that is connected when its document is deleted gets EPOCH, and may join the next life"""
    with Cluster(2) as cluster:
        cluster.start()
        editor = Editor("d").connect(cluster[0].address)
        editor.note("<old>")
        editor.wait_acked()
        cluster.wait_equal("d")
        recreate(cluster[1], "d", "new\n")
        editor.wait(lambda: editor.new_epoch is not None, 10, "EPOCH")
        fresh = Editor("d").connect(cluster[0].address)
        fresh.wait(lambda: fresh.replica.text() == "new\n", 10, "the new text")
        if fresh.epoch != editor.new_epoch:
            raise Failed("EPOCH named another epoch than JOINED")
        wait_until(lambda: b"<old>" in recovered(cluster[0], "d"), 10, "the old text is recoverable")


def deterministic_creation():
    """creating with the same text twice, anywhere, is one edit"""
    with Cluster(2) as cluster:
        cluster[0].start()
        cluster[1].joins = []
        cluster[1].start()  # alone, so that both create without the other
        text = "created twice\n" * 2000
        for node in cluster:
            node.request("PUT", node.document("d"), body=text.encode(),
                         headers={"If-None-Match": "*"})
        if cluster[0].digest("d")["digest"] != cluster[1].digest("d")["digest"]:
            raise Failed("two creations of one text differ")
        cluster[1].stop()
        cluster[1].joins = [cluster[0].gossip]
        cluster[1].start()
        cluster.wait_joined()
        cluster.wait_equal("d", holds=lambda got: got == text)


run(offline_edits_of_a_lost_epoch, connected_clients_are_told, deterministic_creation)
