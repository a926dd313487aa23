#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Power loss under a whole node: at each durable ack, the image of what was synced holds the edit.

The recorder (recorder/recorder.c) is preloaded into the node and keeps that image; WEFT_RECORDER names it.
"""
import errno
import fcntl
import json
import os
import random
import shutil
import time

from support.client import Closed, DURABLE, Editor
from support.cluster import Cluster, Failed, environment, wait_until, weft
from support.tap import rounds, run, say

SEED = int(os.environ.get("WEFT_SEED", random.randrange(1 << 32)))


class Machine:
    """A node whose disk forgets what was not synced."""

    def __init__(self, cluster, number=0):
        self.node = cluster[number]
        self.image = f"{cluster.folder}/image-{number}"
        self.copies = 0
        os.makedirs(self.image)
        os.makedirs(self.node.data, exist_ok=True)
        self.node.env.update({
            "WEFT_RECORDER_FILES": self.node.data, "WEFT_RECORDER_IMAGE": self.image,
            "LD_PRELOAD": os.environ["WEFT_RECORDER"],
            "ASAN_OPTIONS": environment().get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"})

    def copy(self):
        """What a power cut at this moment would leave, as a directory of its own."""
        self.copies += 1
        to = f"{self.image}.{self.copies}"
        with open(f"{self.image}/.lock", "a+", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            shutil.copytree(self.image, to, ignore=shutil.ignore_patterns(".*"))
        return to

    def cut_power(self):
        """The node dies and its directory becomes what was synced."""
        self.node.kill()
        shutil.rmtree(self.node.data)
        shutil.copytree(self.image, self.node.data, ignore=shutil.ignore_patterns(".*"))


def held(place, name):
    result = weft("cat", place, name, check=False)
    if result.returncode not in (0, 1):
        raise Failed(f"the image does not open: exit {result.returncode} {result.stderr!r}")
    return result.stdout.decode()


def acks_are_on_the_disk():
    """at each durable ack the image of the disk as last synced, opened, holds the edit"""
    source = random.Random(SEED)
    say(f"seed {SEED}")
    with Cluster(1) as cluster:
        machine = Machine(cluster)
        machine.node.start()
        editor = Editor("d").connect(machine.node.address)
        for number in range(rounds(40) // 2):
            for part in range(source.randint(1, 5)):
                editor.note(f"<{number}.{part}>", 0 if part % 2 else None)
            editor.wait_acked()
            place = machine.copy()
            text = held(place, "d")
            missing = [token for token in editor.ledger.at_level(DURABLE) if token not in text]
            if missing:
                raise Failed(f"acked, but not on the disk: {missing[:3]}")
            shutil.rmtree(place)
        for _ in range(max(2, rounds(40) // 10)):
            end = time.monotonic() + source.uniform(0.05, 0.3)
            serial = len(editor.ledger.tokens)
            while time.monotonic() < end:
                serial += 1
                editor.note(f"<{serial}>")
                editor.pump(0.002)
            machine.cut_power()
            try:
                while True:
                    editor.pump(0.05)
            except Closed:
                pass
            acked = editor.ledger.at_level(DURABLE)
            machine.node.start()
            text = machine.node.text("d") or ""
            missing = [token for token in acked if text.count(token) != 1]
            if missing:
                raise Failed(f"acked, and gone after the power came back: {missing[:3]}")
            editor.connect(machine.node.address)
            editor.wait_acked()


def nothing_is_shown_that_did_not_sync():
    """with fdatasync made to fail, nothing more is acked, shown or gossiped, and the node says why"""
    with Cluster(2) as cluster:
        machine = Machine(cluster)
        cluster.start()
        writer = Editor("d").connect(cluster[0].address)
        reader = Editor("d").connect(cluster[0].address)
        writer.note("<good>")
        writer.wait_acked()
        cluster.wait_equal("d")
        with open(f"{machine.image}/.fail-sync", "w", encoding="ascii"):
            pass
        writer.note("<never>")
        end = time.monotonic() + 3
        try:
            while time.monotonic() < end:
                writer.pump(0.1)
                reader.pump(0.1)
        except Closed:
            pass
        if "<never>" in writer.ledger.at_level(DURABLE):
            raise Failed("acked durable what was not synced")
        if "<never>" in reader.replica.text():
            raise Failed("shown what was not synced")
        for node in cluster:
            if "<never>" in (node.text("d") or ""):
                raise Failed(f"{node.name} shows what was not synced")
        wait_until(lambda: cluster[0].get("/readyz", port=9340).status == 503, 10,
                   "the node is not ready")
        if "storage" not in cluster[0].get("/readyz", port=9340).body.decode():
            raise Failed("readyz does not name the storage")


def a_full_disk_is_named():
    """with a full disk the log and readyz say what is full, where, and what to do; with room again edits go on"""
    with Cluster(1, env={"WEFT_RECORDER_WRITE_ERRNO": str(errno.ENOSPC)}) as cluster:
        machine = Machine(cluster)
        node = machine.node
        with open(f"{node.data}/weft.probe", "wb") as left_by_a_crash:
            left_by_a_crash.write(bytes(4096))
        node.start()
        if os.path.exists(f"{node.data}/weft.probe"):
            raise Failed("what a crash left of a probe stays")
        controls = [f"{machine.image}/.fail-write", f"{machine.image}/.fail-space"]
        for control in controls:
            with open(control, "w", encoding="ascii"):
                pass
        said = node.request("PUT", node.document("d"), b"text", {"Content-Type": "text/plain"})
        if said.status != 507:
            raise Failed(f"a full disk answers {said.status}")
        wanted = f"the disk of {node.data} is full (No space left on device)"
        ready = json.loads(node.get("/readyz", port=9340).body)
        if ready["failing"] != ["disk_space"] or wanted not in ready["problem"]:
            raise Failed(f"readyz says {ready}")
        for event in "commit_failed", "storage_read_only":
            wait_until(lambda event=event: any(event in line and wanted in line
                                               for line in node.tail(100, "\n").split("\n")), 10,
                       f"the log does not name the disk at {event}")
        for control in controls:
            os.remove(control)
        wait_until(lambda: node.get("/readyz", port=9340).status == 200, 20, "not writable again")
        said = node.request("PUT", node.document("d"), b"text", {"Content-Type": "text/plain"})
        if said.status not in (200, 201):
            raise Failed(f"with room again a PUT answers {said.status}")


run(acks_are_on_the_disk, nothing_is_shown_that_did_not_sync, a_full_disk_is_named)
