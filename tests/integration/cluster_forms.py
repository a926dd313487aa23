#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Nodes find each other from one address, and an edit through any of them reaches all."""
import json
import os
import re

from support.client import Editor
from support.cluster import Cluster, Failed, wait_until, weft
from support.tap import run


def edits_reach_all():
    """three nodes find each other from one address, and what any of them takes reaches all"""
    with Cluster(3) as cluster:
        cluster.start()
        for number, node in enumerate(cluster):
            weft("put", node.url, "shared" if number == 0 else f"of-{number}", stdin=b"first\n")
        cluster.wait_equal("shared", holds=lambda text: text == "first\n")
        said = weft("put", cluster[1].url, "shared", "--replicas", "3", stdin=b"first\n").stderr
        if b"on 3 disks" not in said:
            raise Failed(f"put does not say where the text is: {said!r}")
        editors = [Editor("shared").connect(node.address) for node in cluster]
        for number, editor in enumerate(editors):
            editor.wait(lambda editor=editor: editor.replica.length() == 6, 10, "the text")
        for number, editor in enumerate(editors):
            editor.note(f"[{number}]", 0)
        for editor in editors:
            editor.wait_acked()
            editor.wait(lambda editor=editor: all(f"[{n}]" in editor.replica.text() for n in range(3)),
                        10, lambda editor=editor: f"all edits: {editor.replica.text()!r}")
            editor.wait_synced()
        text = cluster.wait_equal("shared")
        if len({editor.replica.text() for editor in editors} | {text}) != 1:
            raise Failed("clients and nodes differ")
        for number in (1, 2):
            cluster.wait_equal(f"of-{number}")
        cluster.verify("shared")
        cluster.verify()


def a_fourth_joins_empty():
    """a fourth node that joins with an empty directory gets all documents, and serves them"""
    with Cluster(3) as cluster:
        cluster.start()
        for number in range(40):
            node = cluster[number % 3]
            node.request("PUT", node.document(f"d/{number}"), body=f"text {number}\n".encode())
        node = cluster.add()
        node.joins = [cluster[2].gossip]
        node.start()
        cluster.wait_joined()
        for number in range(40):
            cluster.wait_equal(f"d/{number}")
        cluster.verify()
        weft("put", node.url, "d/0", stdin=b"through the fourth\n")
        cluster.wait_equal("d/0", holds=lambda text: text == "through the fourth\n")


def verify_names_the_difference():
    """weft verify exits 1 and names the first operation that differs"""
    with Cluster(1) as one, Cluster(1) as other:
        one.start()
        other.start()
        for node, text in ((one[0], b"same\n"), (other[0], b"same\n")):
            node.request("PUT", node.document("d"), body=text, headers={"If-None-Match": "*"})
        urls = f"{one[0].url},{other[0].url}"
        weft("verify", "d", "--nodes", urls)
        one[0].request("PUT", one[0].document("d"), body=b"same but longer\n")
        result = weft("verify", "d", "--nodes", urls, check=False)
        words = (result.stdout + result.stderr).decode()
        if result.returncode != 1 or "d" not in words:
            raise Failed(f"exit {result.returncode}: {words}")
        result = weft("verify", "--all", "--nodes", urls, check=False)
        if result.returncode != 1:
            raise Failed(f"--all: exit {result.returncode}: {result.stdout} {result.stderr}")


def membership():
    """members are listed, one that leaves says goodbye, one that is forgotten is not dialed again"""
    with Cluster(3) as cluster:
        cluster.start()
        rows = weft("cluster", "members", cluster[0].url, "-o", "ndjson").stdout.splitlines()
        names = {json.loads(row).get("node") or json.loads(row).get("name") for row in rows}
        if names != {node.name for node in cluster}:
            raise Failed(f"members: {rows}")
        wait_until(lambda: json.loads(cluster[0].get("/readyz", port=9340).body) ==
                   {"ready": True, "failing": [], "degraded": []}, 20, "nothing is degraded")
        weft("cluster", "leave", cluster[2].url)
        if cluster[2].process.wait(30) != 0:
            raise Failed(f"left with {cluster[2].process.returncode}: {cluster[2].tail()}")
        cluster[2].process = None
        wait_until(lambda: cluster[2].name not in cluster[0].members(), 20,
                   "the node that left is not up")
        result = weft("cluster", "forget", cluster[0].url, cluster[2].name, check=False)
        if result.returncode != 1 or b"it has left" not in result.stderr:
            raise Failed(f"forget who left: exit {result.returncode}: {result.stderr}")
        cluster[1].kill()
        weft("cluster", "forget", cluster[0].url, cluster[1].name)
        rows = weft("cluster", "members", cluster[0].url, "-o", "ndjson").stdout.decode()
        if f'"{cluster[1].name}"' in rows and '"forgotten"' not in rows:
            raise Failed(f"forgotten, but listed as before: {rows}")
        cluster[2].start()
        wait_until(lambda: cluster[2].name in cluster[0].members(), 20, "the node that left is back")
        listed = [json.loads(row)["name"] for row in
                  weft("cluster", "members", cluster[0].url, "-o", "ndjson").stdout.splitlines()]
        if listed.count(cluster[2].name) != 1:
            raise Failed(f"a member that left and is back is listed {listed.count(cluster[2].name)} times")
        result = weft("cluster", "forget", cluster[0].url, cluster[2].name)
        if b"it was up just now" not in result.stderr:
            raise Failed(f"forget who is up: {result.stderr}")


def a_power_cut():
    """all are killed; one alone remembers the others as down, and without --join they find each other"""
    with Cluster(3) as cluster:
        cluster.start()
        seed, *others = cluster

        def stored():
            with open(f"{others[0].data}/data.mdb", "rb") as file:
                data = file.read()
            return all(node.gossip.encode() in data for node in (seed, others[1]))

        wait_until(stored, 20, "a node knows the others on its disk")
        weft("put", seed.url, "kept", "--replicas", "3", stdin=b"on all disks\n")
        for node in cluster:
            node.kill()
            node.joins = []
        others[0].start()
        rows = [json.loads(row) for row in
                weft("cluster", "members", others[0].url, "-o", "ndjson").stdout.splitlines()]
        if {row["name"]: row["state"] for row in rows} != {seed.name: "down", others[0].name: "self",
                                                           others[1].name: "down"}:
            raise Failed(f"alone after a power cut: {rows}")
        ready = json.loads(others[0].get("/readyz", port=9340).body)
        metrics = others[0].get("/metrics", port=9340).body.decode()
        if ready["degraded"] != ["peers"] or not re.search(r"^weft_members 2$", metrics, re.MULTILINE):
            raise Failed(f"alone, and nothing is degraded: {ready}")
        others[1].start()
        cluster.wait_joined()
        cluster.wait_equal("kept", holds=lambda text: text == "on all disks\n")
        seed.start()
        cluster.wait_joined()
        wait_until(lambda: json.loads(seed.get("/readyz", port=9340).body)["degraded"] == [], 20,
                   "nothing is degraded")


def only_the_named_node_is_told():
    """leave and backup do nothing when the port two above the clients' port is another node's"""
    with Cluster(2) as cluster:
        first, second = cluster
        first.admin, second.admin = f"{first.address}:9350", first.admin
        for node in cluster:
            node.start(wait=False)
            wait_until(lambda node=node: node.process.poll() is None and answers(node), 20, node.tail)
        for command in (("cluster", "leave", first.url), ("backup", first.url, f"{cluster.folder}/copy"),
                        ("cluster", "leave", second.url, "--admin", first.admin)):
            result = weft(*command, check=False)
            words = result.stderr.decode()
            if result.returncode != 4 or "--admin" not in words or words.count("\n") != 1:
                raise Failed(f"{command}: exit {result.returncode}: {words}")
        if os.path.exists(f"{cluster.folder}/copy") or not all(answers(node) for node in cluster):
            raise Failed("something was done")
        weft("backup", first.url, f"{cluster.folder}/copy", "--admin", first.admin)
        weft("cluster", "leave", first.url, "--admin", first.admin)
        if first.process.wait(30) != 0 or not answers(second):
            raise Failed(f"left with {first.process.returncode}: {first.tail()}")
        first.process = None


def answers(node):
    try:
        return node.get("/v1/docs").status == 200
    except OSError:
        return False


def a_bench_of_a_node():
    """weft bench serve: all join, and every edit reaches all that joined its document"""
    with Cluster(1) as cluster:
        cluster.start()
        result = json.loads(weft("bench", "serve", "-c", "60", "-d", "6", "-s", "1", "-o", "json",
                                 cluster[0].url).stdout)
        if result["connections_joined"] != 60 or result["edits"] == 0:
            raise Failed(f"{result}")
        if result["deliveries"] != 9 * result["edits"]:
            raise Failed(f"deliveries are not 9 for each edit: {result}")
        names = [row["name"] for row in json.loads(cluster[0].get("/v1/docs").body)["documents"]]
        if len(names) != 6 or not all(name.startswith("bench-") for name in names):
            raise Failed(f"documents {names}")


def metrics_are_documented():
    """docs/operations.md lists the metric families that a node serves, with their types, and no others"""
    with open(os.path.join(os.environ["WEFT_SOURCE"], "docs/operations.md"), encoding="utf-8") as page:
        listed = re.findall(r"^\| `((?:weft|process)_\w+)` \| (\w+) \|", page.read(), re.MULTILINE)
    with Cluster(1) as cluster:
        cluster.start()
        text = cluster[0].get("/metrics", port=9340).body.decode()
    served = re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE)
    if len(served) < 50 or sorted(listed) != sorted(served):
        raise Failed(f"only listed: {set(listed) - set(served)}; only served: {set(served) - set(listed)}; "
                     f"{len(listed)} rows, {len(served)} families")


run(edits_reach_all, a_fourth_joins_empty, verify_names_the_difference, membership, a_power_cut,
    only_the_named_node_is_told, a_bench_of_a_node, metrics_are_documented)
