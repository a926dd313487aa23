#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A copied, restored or emptied directory cannot harm the others: equal digests, nothing lost or doubled."""
import os
import shutil

from support.client import DURABLE, Editor
from support.cluster import Cluster, Failed, weft
from support.tap import run


def expect(text, tokens):
    wrong = [token for token in tokens if text.count(token) != 1]
    if wrong:
        raise Failed(f"not there exactly once: {wrong[:5]} of {len(tokens)}")


def note_many(editor, prefix, count):
    for number in range(count):
        editor.note(f"<{prefix}{number}>", 0 if number % 3 == 0 else None)
    editor.wait_acked()


def copied_while_running():
    """a directory copied while its node runs, started as a second node: both go on, and all agree"""
    with Cluster(2) as cluster:
        cluster.start()
        first = Editor("d").connect(cluster[0].address)
        note_many(first, "a", 30)
        clone = cluster.add(name=cluster[0].name)
        os.mkdir(clone.data)
        for name in os.listdir(cluster[0].data):
            # As `cp -r` does while the node writes. LMDB's lock file is not part of the data.
            if not name.endswith("lock.mdb") and not name.endswith("-lock"):
                shutil.copy(os.path.join(cluster[0].data, name), clone.data)
        note_many(first, "b", 30)  # the copy does not have these
        clone.start()
        second = Editor("d").connect(clone.address)
        note_many(second, "c", 30)
        note_many(first, "e", 30)
        text = cluster.wait_equal("d", seconds=30)
        expect(text, [token for _, token in first.ledger.tokens + second.ledger.tokens])
        cluster.verify()
        for node in (cluster[0], clone):  # and after both start once more
            node.kill()
            node.start()
        note_many(Editor("d").connect(clone.address), "f", 5)
        expect(cluster.wait_equal("d", seconds=30), [f"<f{n}>" for n in range(5)])


def restored_backup():
    """a node restored from an old backup while clients hold newer acked edits: nothing lost or doubled"""
    with Cluster(3) as cluster:
        cluster.start()
        node = cluster[0]
        editor = Editor("d").connect(node.address)
        note_many(editor, "old", 30)
        weft("backup", node.url, f"{cluster.folder}/backup")
        note_many(editor, "new", 30)
        lone = Editor("alone").connect(node.address)  # seen by no one else, as the next lines see to
        others = [cluster[1], cluster[2]]
        for other in others:
            other.pause()
        note_many(lone, "lone", 10)
        note_many(editor, "unheard", 10)
        node.kill()
        for other in others:
            other.resume()
        shutil.rmtree(node.data)
        shutil.copytree(f"{cluster.folder}/backup", node.data)
        node.joins = [cluster[1].gossip]
        node.start()
        editor.connect(node.address)  # has all, sends what the node lost
        lone.connect(cluster[1].address)
        note_many(editor, "after", 10)
        lone.wait_acked()
        expect(cluster.wait_equal("d", seconds=30), [token for _, token in editor.ledger.tokens])
        expect(cluster.wait_equal("alone", seconds=30), [token for _, token in lone.ledger.tokens])
        cluster.verify()


def emptied_directory():
    """a node that lost its directory comes back under its old name, gets all and counts anew"""
    with Cluster(3) as cluster:
        cluster.start()
        node = cluster[0]
        editor = Editor("d").connect(node.address)
        note_many(editor, "before", 40)
        cluster.wait_equal("d")
        node.kill()
        shutil.rmtree(node.data)
        node.joins = [cluster[1].gossip]
        node.start()
        editor.connect(node.address)
        note_many(editor, "after", 40)
        expect(cluster.wait_equal("d", seconds=30), editor.ledger.at_level(DURABLE))
        cluster.verify()


run(copied_while_running, restored_backup, emptied_directory)
