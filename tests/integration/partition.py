#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Two halves of a cut cluster create and edit the same document; after healing there is one text.

WEFT_CUTS lists how many seconds each cut lasts, by default 8.
"""
import os
import secrets
import time

from support.client import Editor, tokens_of
from support.cluster import Cluster, Failed, wait_until, weft
from support.network import Network, enter_or_skip
from support.tap import Skip, run, say

CUTS = [float(word) for word in os.environ.get("WEFT_CUTS", "8").split(",")]
RECONNECTED, EQUAL = 15, 5  # seconds after a cut heals; and after that


def start_in(network, cluster, key):
    for number, node in enumerate(cluster, 1):
        node.address = network.address(number)
        node.url = f"http://{node.address}:9338"
        node.gossip = f"tcp://{node.address}:9339"
        node.admin = f"{node.address}:9340"
        node.prefix = network.prefix(number)
        node.options = ["--cluster-key", key, "--insecure", "--admin-exposed"]
        node.joins = [f"tcp://{network.address(1)}:9339"] if number > 1 else []
    for node in cluster:
        node.start()
    cluster.wait_joined()


def create(node, name, text):
    response = node.request("PUT", node.document(name), body=text.encode(),
                            headers={"If-None-Match": "*"})
    if response.status not in (200, 201, 204):
        raise Failed(f"{node.name}: create {name}: {response.status} {response.body[:200]!r}")


def halves_merge():
    """cut halves create one document with the same text and edit it differently: one text after healing,
    nothing doubled, connected again within 15 s and equal within 5 s more"""
    with Network(4) as network, Cluster(4) as cluster:
        key = f"{cluster.folder}/key"
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        start_in(network, cluster, key)
        for cut_number, seconds in enumerate(CUTS):
            one_cut(network, cluster, f"notes-{cut_number}", seconds)


def one_cut(network, cluster, name, seconds):
    initial = "One line that both halves create.\n" * 20
    weft("put", cluster[0].url, name + "-before", stdin=b"before the cut\n")
    cluster.wait_equal(name + "-before")
    network.cut((1, 2), (3, 4))
    healed = time.monotonic() + seconds
    create(cluster[0], name, initial)
    create(cluster[3], name, initial)
    editors = []
    for number in (1, 4):
        with network.inside(number):
            editors.append(Editor(name).connect(network.address(number)))
    for editor in editors:
        editor.wait(lambda editor=editor: editor.replica.text() == initial, 10, "the initial text")
    count = 0
    while time.monotonic() < healed:
        count += 1
        for side, editor in enumerate(editors):
            editor.note(f"<{'ab'[side]}{count}>", 0 if count % 2 else editor.replica.length())
            editor.pump(0.05)
        time.sleep(0.01)
    for editor in editors:
        editor.wait_acked()
    for node in (cluster[1], cluster[2]):
        other = cluster[3] if node is cluster[1] else cluster[0]
        if node.text(name) is None or other.name in node.members() and seconds >= 5:
            raise Failed(f"{node.name}: the cut was not one: {node.members()}")
    network.heal()
    start = time.monotonic()
    wait_until(lambda: all(len(node.members()) == 4 for node in cluster), RECONNECTED,
               lambda: f"reconnected: {[sorted(node.members()) for node in cluster]}")
    connected = time.monotonic()
    text = cluster.wait_equal(name, seconds=EQUAL)
    equal = time.monotonic()
    say(f"cut of {seconds:g} s, {2 * count} edits: connected after {connected - start:.1f} s, "
        f"equal {equal - connected:.1f} s later")
    for editor in editors:  # before anything that takes long: who does not read is closed
        editor.wait(lambda editor=editor: editor.replica.text() == text, 10, "the client's text")
        editor.wait_synced()
    held = tokens_of(text)
    wrong = [token for editor in editors for _, token in editor.ledger.tokens if held.pop(token, 0) != 1]
    if wrong:
        raise Failed(f"not there exactly once: {wrong[:5]}")
    if dict(held) != {initial: 1}:
        raise Failed(f"the initial text was changed or doubled: {sum(map(len, held))} characters of "
                     f"{len(initial)}")
    for editor in editors:
        editor.disconnect()
    cluster.verify("--all")


try:
    enter_or_skip()
except Skip as reason:
    SKIPPED = str(reason)

    def halves_merge():  # pylint: disable=function-redefined
        """cut halves merge after healing"""
        raise Skip(SKIPPED)

run(halves_merge)
