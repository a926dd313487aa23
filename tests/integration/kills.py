#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every edit that was acked durable survives kill -9, whoever keeps the ledger and wherever he goes next.

Two kinds of rounds. Under load: a client types, its node is killed at a random moment, the directory of the
dead node must hold all that it acked, and the client moves on to another node. Unheard: the other nodes
are stopped (SIGSTOP), so that nothing could be gossiped; a client types and is gone for ever with its
replica; its node is killed; only that node's disk can hold the edits, and in the end all nodes must.

WEFT_ROUNDS sets how many kills, WEFT_BUS_LOSS which share of all bus messages is dropped.
"""
import os
import random
import time

from support.client import Closed, DURABLE, Editor, tokens_of
from support.cluster import Cluster, Failed, wait_until, weft
from support.tap import rounds, run, say

SEED = int(os.environ.get("WEFT_SEED", random.randrange(1 << 32)))
LOSS = os.environ.get("WEFT_BUS_LOSS")


def cold_text(node, document):
    """What a directory holds, with nobody running on it; "" when it has no such document."""
    result = weft("cat", node.data, document, check=False)
    if result.returncode == 0:
        return result.stdout.decode()
    if b"no " in result.stderr.lower() or b"not found" in result.stderr.lower():
        return ""
    raise Failed(f"weft cat {node.data}: exit {result.returncode}: {result.stderr!r}")


class Story:
    """A cluster, one document, and all tokens that anyone was promised."""

    def __init__(self, cluster, document, source):
        self.cluster = cluster
        self.document = document
        self.source = source
        self.acked = set()
        self.sent = set()
        self.serial = 0
        self.checked = 0

    def token(self):
        self.serial += 1
        token = f"<{self.serial}>"
        self.sent.add(token)
        return token

    def type_for(self, editor, seconds):
        """Types at random places, a token at a time, listening in between."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for _ in range(self.source.randint(1, 4)):
                editor.note(self.token(), editor.replica.length() if self.source.random() < 0.7
                            else self.boundary(editor))
            editor.pump(self.source.random() * 0.01)

    def boundary(self, editor):
        """A place between two tokens."""
        text = editor.replica.text()
        at = text.find(">", self.source.randint(0, len(text)))
        return 0 if at < 0 else at + 1

    def expect_on_disk(self, node, tokens):
        """All `tokens` are in the directory of a node that was killed, once each."""
        held = tokens_of(cold_text(node, self.document))
        missing = [token for token in tokens if held[token] != 1]
        if missing:
            raise Failed(f"{node.name} acked {len(tokens)} durable edits, {len(missing)} are not "
                         f"on its disk, the first is {missing[0]}")
        self.checked += len(tokens)

    def kill_under_load(self, editor, victim):
        """Kills the editor's node while it types; gives the editor's acks at that node."""
        before = set(editor.ledger.at_level(DURABLE))
        editor.connect(victim.address)
        try:
            self.type_for(editor, self.source.uniform(0.02, 0.4))
        finally:
            victim.kill()
        try:
            while True:  # acks that had left before the kill count as well
                editor.pump(0.05)
        except Closed:
            pass
        acked = set(editor.ledger.at_level(DURABLE))
        self.acked |= acked
        self.expect_on_disk(victim, acked - before)
        return acked - before

    def kill_unheard(self, victim):
        """A client whose edits only the victim ever saw."""
        others = [node for node in self.cluster.running() if node is not victim]
        for node in others:
            node.pause()
        try:
            lone = Editor(self.document).connect(victim.address)
            for _ in range(self.source.randint(1, 20)):
                lone.note(self.token(), 0 if self.source.random() < 0.5 else None)
            lone.wait_acked()
            acked = set(lone.ledger.at_level(DURABLE))
            lone.disconnect()
            victim.kill()
        finally:
            for node in others:
                node.resume()
        self.acked |= acked
        self.expect_on_disk(victim, acked)

    def settle(self):
        """All nodes agree, hold every promised token, and nothing twice."""
        held = tokens_of(self.cluster.wait_equal(self.document, seconds=40))
        missing = [token for token in self.acked if token not in held]
        doubled = [token for token, count in held.items() if count > 1]
        foreign = set(held) - self.sent
        if missing or doubled or foreign:
            raise Failed(f"{len(missing)} acked edits are missing ({sorted(missing)[:3]}), "
                         f"{len(doubled)} doubled ({sorted(doubled)[:3]}), "
                         f"{len(foreign)} torn ({sorted(foreign)[:3]})")
        self.cluster.verify(self.document)


def env():
    return {"WEFT_DEBUG_BUS_LOSS": LOSS} if LOSS else {}


def durable_survives_kills():
    """edits acked durable survive kill -9 at random moments, gossiped or not, and none is doubled"""
    source = random.Random(SEED)
    kills = rounds(24)
    say(f"seed {SEED}, {kills} kills, bus loss {LOSS or 0}; again: WEFT_SEED={SEED}")
    with Cluster(3, env=env()) as cluster:
        cluster.start()
        story = Story(cluster, "ledger", source)
        editor = Editor("ledger")
        for number in range(kills):
            victim = source.choice(list(cluster))
            if number % 2 == 0:
                story.kill_under_load(editor, victim)
                editor.connect(source.choice(cluster.running()).address)
                story.type_for(editor, 0.02)
                editor.wait_acked()
                story.acked |= set(editor.ledger.at_level(DURABLE))
                editor.disconnect()
            else:
                story.kill_unheard(victim)
            victim.start()
            if number % 10 == 9:
                story.settle()
        story.settle()
        say(f"{story.checked} acked edits were looked for on the disks of killed nodes, "
            f"{len(story.acked)} in the end")


def replicated_survives_a_lost_directory():
    """edits acked replicated:2 survive the loss of the whole directory of the node that took them"""
    source = random.Random(SEED + 1)
    losses = max(1, rounds(24) // 6)
    with Cluster(3, env=env()) as cluster:
        cluster.start()
        story = Story(cluster, "copies", source)
        for number in range(losses):
            victim = cluster[source.randrange(3)]
            lone = Editor("copies", replicas=2).connect(victim.address)
            for _ in range(source.randint(1, 30)):
                lone.note(story.token(), 0 if source.random() < 0.5 else None)
                lone.pump(source.random() * 0.01)
            lone.wait_acked(2, seconds=20)
            story.acked |= set(lone.ledger.at_level(2))
            lone.disconnect()
            victim.kill()
            weft_data = victim.data
            os.rename(weft_data, f"{weft_data}.lost{number}")
            others = cluster.running()
            victim.joins = [others[0].gossip]
            wait_until(lambda: story.acked <= set().union(
                *(tokens_of(node.text("copies") or "") for node in others)), 20,
                "the copies are there")
            victim.start()
            story.settle()


def every_ack_level_comes():
    """durable, replicated:2 and replicated:3 are acked on three nodes, also for one who connects again
    with what is known already"""
    with Cluster(3, env=env()) as cluster:
        cluster.start()
        for replicas in (0, 2, 3):
            level = max(1, replicas)
            editor = Editor("levels", replicas=replicas).connect(cluster[0].address)
            editor.note(f"<{level} here>")
            editor.wait_acked(level, seconds=20)
            editor.connect(cluster[1].address)
            editor.note(f"<{level} there>")
            editor.wait_acked(level, seconds=20)
            editor.wait_synced(20)
            if max(editor.ledger.acked) != level:
                raise Failed(f"asked for level {level}: {editor.ledger.acked}")


run(durable_survives_kills, replicated_survives_a_lost_directory, every_ack_level_comes)
