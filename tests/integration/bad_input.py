#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every bad input gets one line that says what and why, the right exit code, and the node lives."""
import gzip
import os
import shutil
import socket

from support import msgpack
from support.client import Editor
from support.cluster import Cluster, Failed, wait_until, weft
from support.tap import run
from support.websocket import Closed, WebSocket, frame, handshake

USAGE, UNREACHABLE, REFUSED, DAMAGED = 2, 3, 4, 5


def refuse(code, words, *arguments, stdin=None, env=None):
    """The command fails with one of the codes `code` and one line on stderr that holds one of `words`; returns it."""
    result = weft(*arguments, stdin=stdin, check=False, timeout=30, env=env)
    said = result.stderr.decode(errors="replace")
    codes = code if isinstance(code, tuple) else (code,)
    words = words if isinstance(words, tuple) else (words,)
    lines = [line for line in said.splitlines() if line.strip()]
    where = f"weft {' '.join(map(str, arguments))}"
    if result.returncode not in codes:
        raise Failed(f"{where}: exit {result.returncode}, not {code}: {said!r}")
    if len(lines) != 1:
        raise Failed(f"{where}: {len(lines)} lines: {said!r}")
    if not any(word.lower() in said.lower() for word in words):
        raise Failed(f"{where}: does not say {words}: {said!r}")
    return said


def commands():
    """unknown documents, bad URLs, bad options and traces that are none end with a line and a code"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        weft("put", node.url, "known", stdin=b"text\n")
        url, data = node.url, node.data
        weft("put", url, "c1 \u009b31m", stdin="text \u009b31m\n".encode())
        shown = weft("ls", url, "-o", "table").stdout + weft("dump", url, "c1 \u009b31m", "--runs").stdout
        if b"c1 ?31m" not in shown or b"\xc2\x9b" in shown:
            raise Failed(f"a control character for a terminal: {shown!r}")
        node.request("DELETE", node.document("c1 \u009b31m"))
        free = "http://127.0.0.1:1"
        refuse(1, "unknown", "cat", url, "unknown")
        refuse(1, "unknown", "cat", data, "unknown")
        refuse(1, "unknown", "dump", url, "unknown")
        refuse(1, "unknown", "log", data, "unknown")
        refuse(UNREACHABLE, "127.0.0.1:1", "cat", free, "known")
        refuse(UNREACHABLE, "127.0.0.1:1", "ls", free)
        watched = weft("watch", free, "known", check=False)
        lines = watched.stderr.decode().splitlines()
        if watched.returncode != UNREACHABLE or len(lines) != 2 or "no answer" not in lines[-1]:
            raise Failed(f"watch of a node that is not there: {watched.returncode} {lines}")
        refuse(UNREACHABLE, "127.0.0.1:1", "verify", "known", "--nodes", f"{url},{free}")
        refuse((USAGE, UNREACHABLE), "http://", "cat", "http://", "known")
        refuse((USAGE, UNREACHABLE), "99999", "cat", "http://127.0.0.1:99999", "known")
        refuse((USAGE, UNREACHABLE), "ftp", "cat", "ftp://127.0.0.1/", "known")
        refuse((USAGE, UNREACHABLE, REFUSED, DAMAGED, 1), "nowhere", "cat",
               f"{cluster.folder}/nowhere", "known")
        refuse(USAGE, "cart", "cart", url, "known")
        refuse(USAGE, "--help", "-x")
        refuse(USAGE, "empty", "put", url, "", stdin=b"text")
        refuse(REFUSED, "http://", "ls", url.removeprefix("http://"))
        for command in (("ls",), ("watch", "known"), ("cluster", "members"), ("cluster", "forget", "x")):
            words = list(command)
            words.insert(1 + (words[0] == "cluster"), url.replace("http:", "https:"))
            refuse((USAGE, UNREACHABLE), "http://HOST", *words)
        refuse(USAGE, "directory", "check", url)
        refuse(USAGE, "hex digits", "recovery", "cat", url, "known", "00")
        refuse(USAGE, "hex digits", "recovery", "cat", data, "known", "00")
        for name in ("", "n" * 600, "two\nlines"):
            for command in (("cat",), ("dump",), ("recovery", "cat")):
                refuse(USAGE, "name", *command, url, name)
                refuse(USAGE, "name", *command, data, name)
        for name in (".", ".."):
            weft("put", url, name, stdin=name.encode())
            if not weft("cat", url, name).stdout == weft("cat", data, name).stdout == name.encode():
                raise Failed(f"document {name} is not what was put")
            node.request("DELETE", f"/v1/docs/{name}")
        for arguments in (("cluster", "--help"), ("help", "cluster")):
            if b"weft cluster forget URL NODE" not in weft(*arguments).stdout:
                raise Failed(f"{arguments} does not show the commands of its group")
        for place in (url, data):
            if weft("ls", place, "--prefix", "n" * 600).stdout:
                raise Failed("something begins with what is longer than a name")
        refuse(REFUSED, "client port", "cat", f"http://{node.address}:9340", "known")
        refuse(UNREACHABLE, "client port", "cat", f"http://{node.address}:9339", "known")
        refuse(1, f'other member "{node.name}"', "cluster", "forget", url, node.name)
        refuse(REFUSED, "empty directory", "backup", data, data)
        table = weft("ls", url, "-o", "table").stdout.decode().splitlines()
        if table[0].split() != ["document", "length", "digest"] or table[1].split()[:2] != ["known", "5"]:
            raise Failed(f"ls -o table has no head: {table}")
        if weft("ls", url).stdout.decode().splitlines()[0].split("\t")[:2] != ["known", "5"]:
            raise Failed("ls in a pipe is not tab-separated")
        refuse(USAGE, "--nods", "verify", "known", "--nods", url)
        refuse(USAGE, ("DOC", "document"), "cat", url)
        refuse(USAGE, "yaml", "ls", url, "-o", "yaml")
        trace = f"{cluster.folder}/trace.json.gz"
        for content in (b"not gzip", gzip.compress(b"not json"), gzip.compress(b"{}"),
                        gzip.compress(b'{"txns": [{"patches": [[5, 1, "x"]]}]}'),
                        gzip.compress(b'{"startContent": "", "endContent": "", "txns": 7}'), b""):
            with open(trace, "wb") as file:
                file.write(content)
            refuse((USAGE, DAMAGED), "trace", "replay", trace, "--doc", "d", "--to", url)
        refuse((USAGE, UNREACHABLE, 1), "missing.json", "replay", f"{cluster.folder}/missing.json.gz",
               "--doc", "d", "--to", url)
        if node.text("known") != "text\n":
            raise Failed("the node does not serve any more")


def serving():
    """occupied ports, unsafe addresses, bad keys and options stop a node with a line and a code"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        other = f"{cluster.folder}/other"
        fresh = node.address.rsplit(".", 1)[0] + ".99"
        addresses = {"--listen": f"{fresh}:9338", "--gossip": f"tcp://{fresh}:9339",
                     "--admin": f"{fresh}:9340", "--pull": f"tcp://{fresh}:9341"}

        def serve(**changed):
            options = dict(addresses)
            options.update({"--" + key.replace("_", "-"): value for key, value in changed.items()})
            data = options.pop("--data", other)
            return ["serve", "--data", data, *[word for pair in options.items() if pair[1] is not None
                                               for word in pair]]

        def checked(code, words, **changed):
            """Neither serve nor config check takes it, and both say the same."""
            command, *arguments = serve(**changed)
            said = [refuse(code, words, *name, *arguments).removeprefix(f"weft {' '.join(name)}: ")
                    for name in ([command], ["config", "check"])]
            if said[0] != said[1]:
                raise Failed(f"serve and config check differ: {said}")

        refuse(REFUSED, ("in use", "occupied", "busy"), *serve(listen=f"{node.address}:9338"))
        refuse(REFUSED, "in use", *serve(gossip=f"tcp://{node.address}:9339"))
        refuse(REFUSED, "in use", *serve(admin=f"{node.address}:9340"))
        refuse(REFUSED, "in use", *serve(pull=f"tcp://{node.address}:9341"))
        refuse(REFUSED, ("in use", "another", "runs"), *serve(data=node.data))
        checked(REFUSED, "--insecure", listen="0.0.0.0:9338")
        checked(REFUSED, "--admin-exposed", admin="0.0.0.0:9340")
        checked(USAGE, "not HOST:PORT", listen="127.0.0.1")
        checked(REFUSED, "cluster key", gossip="tcp://192.0.2.7:9339")
        checked(USAGE, "tcp://HOST:PORT", gossip="127.0.0.1")
        checked(USAGE, "port + 2", gossip="tcp://127.0.0.1:65535", pull=None)
        checked(USAGE, "tcp://HOST:PORT", pull="127.0.0.1:9341")
        checked(USAGE, "--listen and --admin are both", admin=f"{fresh}:9338")
        checked(USAGE, "--gossip and --pull are both", pull=f"tcp://{fresh}:9339")
        checked(USAGE, "--join", join="127.0.0.1:9339")
        checked(USAGE, "--allow-origin", allow_origin="example.org")
        checked(USAGE, "--node", node="n" * 256)
        checked(USAGE, "heartbeat", heartbeat="2 weeks")
        checked(REFUSED, "nowhere", cluster_key=f"{cluster.folder}/nowhere")
        key = f"{cluster.folder}/key"
        with open(key, "w", encoding="ascii") as file:
            file.write("too short")
        os.chmod(key, 0o600)
        checked(REFUSED, "64 hex digits", cluster_key=key)
        with open(key, "w", encoding="ascii") as file:
            file.write("ab" * 32)
        os.chmod(key, 0o644)
        checked(REFUSED, "everyone may read", cluster_key=key)
        os.chmod(key, 0o600)
        checked(USAGE, "dial it", cluster_key=key, gossip="tcp://0.0.0.0:9339")
        checked(USAGE, "--gossip", gosip="tcp://127.0.0.1:1")
        weft("config", "check", *serve(cluster_key=key, gossip="tcp://192.0.2.7:9339")[1:])
        config = f"{cluster.folder}/config"
        with open(config, "w", encoding="ascii") as file:
            file.write("gosip = tcp://127.0.0.1:1\n")
        refuse(USAGE, "gossip", "serve", "--config", config)
        refuse(USAGE, "WEFT_GOSSIP", "serve", env={"WEFT_GOSIP": "tcp://127.0.0.1:1"})
        if node.get("/healthz", port=9340).status != 200:
            raise Failed("the first node suffered")


def directories():
    """a directory of a newer format, a truncated or foreign data file, and no directory at all are named"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        for number in range(50):
            node.request("PUT", node.document(f"d{number}"), body=b"text " * 400)
        node.stop()
        data = next(name for name in os.listdir(node.data)
                    if os.path.getsize(os.path.join(node.data, name)) > 100000)
        size = os.path.getsize(os.path.join(node.data, data))

        def damaged(name, change):
            place = f"{cluster.folder}/{name}"
            shutil.copytree(node.data, place)
            with open(os.path.join(place, data), "r+b") as file:
                change(file)
            return place

        bad = {
            "truncated": lambda file: file.truncate(size // 2),
            "cut-page": lambda file: file.truncate(size - 100),
            "tiny": lambda file: file.truncate(100),
            "hollow": lambda file: file.truncate(0),
            "foreign": lambda file: file.write(b"\x00SQLite format 3\x00" * 1024),
        }
        serve = ["--listen", f"{node.address}:9338", "--gossip", node.gossip,
                 "--admin", f"{node.address}:9340", "--pull", f"tcp://{node.address}:9341"]
        for name, change in bad.items():
            place = damaged(name, change)
            refuse(DAMAGED, name, "serve", "--data", place, *serve)
            refuse(DAMAGED, name, "ls", place)
            refuse(DAMAGED, name, "check", place)
        result = weft("ls", node.data)
        if b"d49" not in result.stdout:
            raise Failed("the undamaged one does not read")
        node.start()


def frames():
    """garbage frames, msgpack bombs, torn handshakes and oversized messages close or answer, and the node lives"""
    with Cluster(1) as cluster:
        cluster.start()
        node = cluster[0]
        bystander = Editor("calm").connect(node.address)
        bystander.note("<1>")
        bystander.wait_acked()
        hello = msgpack.encode([1, 0, "rude", 0])
        bombs = [b"", b"\xff", b"\xc1", os.urandom(200), b"\xdd\xff\xff\xff\xff",
                 b"\xdd\x04\x00\x00\x00" + b"\xc0" * 100, b"\x91" * 60000, b"\xdf\xff\xff\xff\xff",
                 b"\x93\x01\x00\xdb\xff\xff\xff\xff", b"\x94\x02\x01\xc6\xff\xff\xff\xff" * 10,
                 b"\xdc\xff\xff" * 20000, msgpack.encode([1]), msgpack.encode([99, 1, 2, 3]),
                 msgpack.encode([1, 77, "future", 0]), msgpack.encode([4, 1, 1, b"delta"])]
        for greeted in (False, True):
            for bomb in bombs:
                rude = WebSocket(node.address, 9338, 10)
                try:
                    if greeted:
                        rude.send(hello)
                        rude.receive(5)
                    rude.send(bomb)
                    answer = rude.receive(5)  # an ERROR message, or Closed
                    if answer is None:
                        raise Failed(f"no answer to {bomb[:20]!r}")
                except Closed as closed:
                    if not (4400 <= closed.code < 4600 or closed.code in (1002, 1003, 1006, 1009)):
                        raise Failed(f"{bomb[:20]!r}: {closed}") from None
                finally:
                    rude.close()
        raw = [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00" + os.urandom(500),
               b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
               handshake(node.address, 9338)[:60], os.urandom(3000),
               b"PUT /v1/docs/x HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999\r\n\r\nabc",
               b"PUT /v1/docs/x HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"]
        for data in raw:
            with socket.create_connection((node.address, 9338), 5) as stranger:
                stranger.sendall(data)
                stranger.settimeout(1)
                try:
                    stranger.recv(1000)
                except OSError:
                    pass
        upgraded = [frame(hello, masked=False), frame(b"x" * 70000), frame(b"text", opcode=1),
                    frame(b"", opcode=11), b"\x82\xff" + b"\xff" * 8 + b"\x00" * 100,
                    frame(b"half", final=False) + frame(b"again", opcode=2), frame(b"\x03", opcode=8)]
        for data in upgraded:
            rude = WebSocket(node.address, 9338, 10)
            try:
                rude.send_raw(data)
                rude.receive(2)
            except Closed:
                pass
            finally:
                rude.close()
        for port in (9339, 9341):  # the cluster's ports
            for data in (b"GET / HTTP/1.1\r\n\r\n", b"\0SP\0\0\x70\0\0" + b"\xff" * 100,
                         b"\0SP\0\0\x30\0\0" + b"\0" * 7 + b"\x10" + b"\x85" * 16):
                with socket.create_connection((node.address, port), 5) as stranger:
                    stranger.sendall(data)
                    stranger.settimeout(0.3)
                    try:
                        stranger.recv(1000)
                    except OSError:
                        pass
        bystander.note("<2>")
        bystander.wait_acked()
        bystander.wait_synced()
        if bystander.errors or node.text("calm") != "<1><2>":
            raise Failed(f"the bystander suffered: {bystander.errors}")


def crowds():
    """more connections than descriptors leave the admin port to those who watch"""
    with Cluster(1) as cluster:
        node = cluster[0]
        node.prefix = ["prlimit", "--nofile=200:200"]
        cluster.start()
        crowd = []
        try:
            for _ in range(260):
                crowd.append(socket.create_connection((node.address, 9338), 5))
                crowd[-1].sendall(b"GET / HT")
            wait_until(lambda: "accept_paused" in node.tail(), 10, "the clients' port pauses")
            if node.get("/healthz", port=9340, timeout=5).status != 200:
                raise Failed("not healthy in a crowd")
        finally:
            for one in crowd:
                one.close()
        wait_until(lambda: node.get("/v1/docs").status == 200, 20, "clients are served again")


run(commands, serving, directories, frames, crowds)
