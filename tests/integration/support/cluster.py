# SPDX-License-Identifier: MIT
"""Real nodes: processes of the `weft` binary that WEFT_BINARY names, each on a loopback address of its own.

A node keeps its ports through restarts and no other process can take them, because 127.0.0.0/8 has
room for all. Nothing here sleeps for luck: what is waited for has a condition and a deadline.
"""
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

from .tap import complain, say, slow

BINARY = os.environ["WEFT_BINARY"]


class Failed(Exception):
    pass


def wait_until(condition, seconds, what):
    """The first true value of `condition`, asked every few milliseconds until the deadline."""
    deadline = time.monotonic() + seconds * slow()
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds * slow():g} s: {what() if callable(what) else what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def environment(**extra):
    env = {k: v for k, v in os.environ.items() if not k.startswith("WEFT_") and k != "LD_PRELOAD"}
    if "NODES_ASAN_OPTIONS" in env:
        env["ASAN_OPTIONS"] = env.pop("NODES_ASAN_OPTIONS")
    env.update(extra)
    return env


def weft(*arguments, stdin=None, check=True, timeout=60, prefix=(), env=None):
    """Runs a command of weft. Its result has returncode, stdout and stderr as bytes.

    What a command leaves to its end is no leak worth half of a sanitized run: nodes are looked at for them.
    """
    env = environment(**(env or {}))
    env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    result = subprocess.run([*prefix, BINARY, *map(str, arguments)], input=stdin, capture_output=True,
                            timeout=timeout * slow(), env=env)
    if check and result.returncode != 0:
        raise Failed(f"weft {' '.join(map(str, arguments))}: exit {result.returncode}: "
                     f"{result.stderr.decode(errors='replace').strip()}")
    return result


class Node:
    """One node; `prefix` is what its command line starts with (nsenter, env, ...)."""

    def __init__(self, name, address, data, log, options=(), env=None, prefix=()):
        self.name = name
        self.address = address
        self.data = data
        self.log = log
        self.options = list(options)
        self.env = dict(env or {})
        self.prefix = list(prefix)
        self.process = None
        self.joins = []
        self.url = f"http://{address}:9338"
        self.gossip = f"tcp://{address}:9339"
        self.admin = f"{address}:9340"

    def command(self):
        command = [*self.prefix, BINARY, "serve", "--data", self.data, "--node", self.name,
                   "--listen", f"{self.address}:9338", "--gossip", self.gossip,
                   "--admin", self.admin, "--pull", f"tcp://{self.address}:9341"]
        for join in self.joins:
            command += ["--join", join]
        return command + self.options

    def start(self, wait=True):
        assert self.process is None, f"{self.name} runs already"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=environment(**self.env))
        if wait:
            self.wait_ready()
        return self

    def ready(self):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}: {self.tail()}")
        try:
            return self.get("/readyz", port=9340, timeout=2).status == 200
        except OSError:
            return False

    def wait_ready(self, seconds=20):
        wait_until(self.ready, seconds, lambda: f"{self.name} is ready: {self.tail()}")
        return self

    def tail(self, lines=6, between=" | "):
        """The end of its log."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as log:
                return between.join(log.read().splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, as a crash."""
        self.signal(signal.SIGKILL)
        self.process.wait()
        self.process = None

    def stop(self, seconds=15):
        """SIGTERM, and waits for the drain. Gives the exit code."""
        self.signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds * slow())
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not drain in {seconds} s: {self.tail()}") from None
        self.process = None
        return code

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def request(self, method, path, body=None, headers=None, port=9338, timeout=20):
        """One HTTP request. The response has status, headers and `.body`."""
        connection = http.client.HTTPConnection(self.address, port, timeout=timeout * slow())
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            response.body = response.read()
            return response
        except http.client.HTTPException as error:
            raise OSError(str(error)) from None
        finally:
            connection.close()

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def document(self, name, suffix=""):
        return "/v1/docs/" + urllib.parse.quote(name, safe="") + suffix

    def text(self, name):
        """The text of a document; None when there is none."""
        response = self.get(self.document(name))
        if response.status == 404:
            return None
        if response.status != 200:
            raise Failed(f"{self.name}: GET {name}: {response.status} {response.body[:200]!r}")
        return response.body.decode()

    def digest(self, name):
        """What /digest says, as a dictionary; None when there is no such document."""
        response = self.get(self.document(name, "/digest"))
        if response.status == 404:
            return None
        if response.status != 200:
            raise Failed(f"{self.name}: digest of {name}: {response.status} {response.body[:200]!r}")
        return json.loads(response.body)

    def members(self):
        """Names of the members that this node counts as up, itself included."""
        try:
            rows = json.loads(self.get("/v1/cluster/members").body)["members"]
        except OSError:
            return set()
        return {row["name"] for row in rows if row["state"] in ("up", "self")}


class Cluster:
    """Nodes of one scenario, with a folder for their data; ends and removes all when left."""

    serial = 0

    def __init__(self, count, options=(), env=None):
        Cluster.serial += 1
        self.folder = tempfile.mkdtemp(prefix="weft-test-")
        self.options = list(options)
        self.env = dict(env or {})
        self.nodes = []
        for _ in range(count):
            self.add()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for node in self.nodes:
                said = node.tail(20, "\n    ")
                complain(f"{node.name} said last:\n    {said}")
        for node in self.nodes:
            if node.process is not None:
                node.process.kill()
                node.process.wait()
        if kind is None or os.environ.get("WEFT_KEEP") is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            say(f"kept: {self.folder}")

    def __getitem__(self, index):
        return self.nodes[index]

    def __iter__(self):
        return iter(self.nodes)

    def add(self, name=None, data=None, join=True):
        """One more node, not started yet; it joins the first one."""
        number = len(self.nodes) + 1
        pid = os.getpid()
        address = f"127.{64 + (pid >> 8) % 64}.{pid % 256}.{Cluster.serial % 16 * 16 + number}"
        node = Node(name or f"node-{number}", address, data or os.path.join(self.folder, str(number)),
                    os.path.join(self.folder, f"{number}.log"), self.options, self.env)
        if self.nodes and join:
            node.joins = [self.nodes[0].gossip]
        self.nodes.append(node)
        return node

    def start(self):
        for node in self.nodes:
            if node.process is None:
                node.start(wait=False)
        for node in self.nodes:
            node.wait_ready()
        self.wait_joined()
        return self

    def running(self):
        return [node for node in self.nodes if node.process is not None]

    def wait_joined(self, seconds=20):
        """Until every running node counts every running node as up."""
        names = {node.name for node in self.running()}
        for node in self.running():
            wait_until(lambda node=node: node.members() >= names, seconds,
                       lambda node=node: f"{node.name} sees {sorted(names)}, "
                                         f"it sees {sorted(node.members())}")

    def wait_equal(self, name, seconds=20, holds=None):
        """Until all running nodes have one digest of a document (and `holds(text)` is true); its text."""
        def equal():
            digests = []
            for node in self.running():
                try:
                    digests.append((node.digest(name) or {}).get("digest"))
                except OSError:
                    return False
            if digests[0] is None or any(digest != digests[0] for digest in digests):
                return False
            return holds is None or holds(self.running()[0].text(name))

        wait_until(equal, seconds, lambda: "equal digests of {}: {}".format(
            name, {node.name: node.digest(name) for node in self.running()}))
        texts = {node.text(name) for node in self.running()}
        if len(texts) != 1:
            raise Failed(f"{name}: equal digests, but {len(texts)} texts")
        return texts.pop()

    def verify(self, *what):
        return weft("verify", *(what or ("--all",)), "--nodes",
                    ",".join(node.url for node in self.running()))
