#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A real editing history, played over three nodes while one is killed and another is stopped."""
import gzip
import json
import os
import re
import signal
import subprocess

from support.cluster import BINARY, Cluster, Failed, environment, wait_until, weft
from support.tap import Skip, run, sanitized, slow


def traces_folder():
    root = os.environ.get("WEFT_TRACES") or os.path.join(os.environ["WEFT_SOURCE"], "../shared/traces")
    return root if os.path.isdir(root) else None


def final_text(path):
    with gzip.open(path, "rt", encoding="utf-8") as trace:
        return json.load(trace)["endContent"]


def play(cluster, path, switch_every, halfway_length):
    """Replays `path`; in its middle, node 2 is killed and node 3 stopped for 5 s."""
    expected = final_text(path)
    command = [BINARY, "replay", path, "--doc", "paper", "--to",
               ",".join(node.url for node in cluster), "--switch-every", str(switch_every)]
    with open(f"{cluster.folder}/replay.out", "wb") as output:
        replay = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment())

    def output():
        with open(f"{cluster.folder}/replay.out", encoding="utf-8", errors="replace") as lines:
            return " | ".join(lines.read().replace("\r", "\n").splitlines()[-4:])

    try:
        def halfway():
            if replay.poll() is not None:
                raise Failed(f"replay ended early with {replay.returncode}: {output()}")
            return any((node.digest("paper") or {}).get("length", 0) >= halfway_length
                       for node in cluster)

        wait_until(halfway, 120, lambda: f"half of the trace is there: {output()}")
        cluster[1].kill()
        cluster[2].pause()
        try:
            replay.wait(5)  # it may end meanwhile; what counts is that the node is away for 5 s
        except subprocess.TimeoutExpired:
            pass
        cluster[2].resume()
        cluster[1].start()
        if replay.wait(240 * slow()) != 0:
            raise Failed(f"replay: exit {replay.returncode}: {output()}")
    finally:
        if replay.poll() is None:
            replay.kill()
            replay.wait()
    cluster.wait_equal("paper", seconds=60, holds=lambda text: text == expected)
    cluster.verify("paper")
    cluster.verify("--all")
    fourth = cluster.add()
    fourth.start()
    cluster.wait_equal("paper", seconds=60, holds=lambda text: text == expected)
    cluster.verify("paper")


def generated():
    """a generated history over three nodes, one killed and restarted, one stopped for 5 s: one text, and a
    fourth node that joins empty reaches the same digest"""
    with Cluster(3) as cluster:
        cluster.start()
        path = f"{cluster.folder}/trace.json.gz"
        edits = 20000 if sanitized() else 60000
        made = weft("trace", "generate", "--edits", edits, "--authors", "1", "--seed", "7")
        with open(path, "wb") as trace:
            trace.write(made.stdout)
        play(cluster, path, edits // 30, len(final_text(path)) // 3)


def paper():
    """automerge-paper over three nodes, likewise"""
    folder = traces_folder()
    path = folder and f"{folder}/sequential/automerge-paper.json.gz"
    if not path or not os.path.exists(path):
        raise Skip("no traces: set WEFT_TRACES")
    with Cluster(3) as cluster:
        cluster.start()
        play(cluster, path, 5000, 40000)


def interrupted():
    """a replay that is interrupted says how many edits it typed, and how many of them are on a disk"""
    with Cluster(1) as cluster:
        cluster.start()
        path = f"{cluster.folder}/trace.json.gz"
        with open(path, "wb") as trace:
            trace.write(weft("trace", "generate", "--edits", "20000", "--seed", "5").stdout)
        with subprocess.Popen([BINARY, "replay", path, "--doc", "d", "--to", cluster[0].url, "--rate", "1000"],
                              stderr=subprocess.PIPE, env=environment()) as replay:
            wait_until(lambda: (cluster[0].digest("d") or {}).get("length", 0) > 100, 20, "some edits")
            replay.send_signal(signal.SIGINT)
            said = replay.stderr.read().decode()
        found = re.search(r"after (\d+) edits; (\d+) of them are on a disk\n$", said)
        if replay.returncode != 4 or not found or not 0 < int(found[2]) <= int(found[1]) < 20000:
            raise Failed(f"exit {replay.returncode}: {said}")


# Sanitized, the paper would take longer than all the rest.
run(*([generated] if sanitized() else [generated, paper]), interrupted)
