# SPDX-License-Identifier: MIT
"""A network of namespaces: each node in one of its own, joined by a router that can drop all between halves.

    node 1 (10.77.1.2) --- 10.77.1.1 |        |
    node 2 (10.77.2.2) --- 10.77.2.1 | router |   cut(): packets between halves vanish, as when a cable
    node 3 (10.77.3.2) --- 10.77.3.1 |        |   is pulled somewhere in between: no reset, no error
"""
import contextlib
import ctypes
import os
import subprocess
import sys

from .tap import Skip

_libc = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET = 0x40000000
_INSIDE = "WEFT_INSIDE_NAMESPACES"


def enter_or_skip():
    """Restarts this program inside of a network namespace of its own; Skip when the system refuses."""
    if os.environ.get(_INSIDE):
        return
    for flags in (["--net"], ["--user", "--map-root-user", "--net"]):
        if subprocess.run(["unshare", *flags, "ip", "link", "set", "lo", "up"], check=False,
                          capture_output=True).returncode == 0:
            os.environ[_INSIDE] = "1"
            sys.stdout.flush()
            os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    raise Skip("no network namespaces: needs root, or unprivileged user namespaces, and iproute2")


def _ip(*arguments, pid=None):
    inside = ["nsenter", "-t", str(pid), "-n"] if pid else []
    subprocess.run([*inside, "ip", *map(str, arguments)], check=True, capture_output=True)


class Network:
    """`count` namespaces; the calling process is the router."""

    def __init__(self, count):
        self.holders = []
        self.rules = []
        _ip("link", "set", "lo", "up")
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as forward:
            forward.write("1")
        for number in range(1, count + 1):
            holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
            self.holders.append(holder)
            self._wait_for_namespace(holder.pid)
            _ip("link", "add", f"weft{number}", "type", "veth", "peer", "name", "eth0", "netns",
                holder.pid)
            _ip("address", "add", f"10.77.{number}.1/24", "dev", f"weft{number}")
            _ip("link", "set", f"weft{number}", "up")
            _ip("address", "add", f"10.77.{number}.2/24", "dev", "eth0", pid=holder.pid)
            _ip("link", "set", "eth0", "up", pid=holder.pid)
            _ip("link", "set", "lo", "up", pid=holder.pid)
            _ip("route", "add", "default", "via", f"10.77.{number}.1", pid=holder.pid)

    @staticmethod
    def _wait_for_namespace(pid):
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{pid}/ns/net") == own:
            pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.heal()
        for number, holder in enumerate(self.holders, 1):
            holder.kill()
            holder.wait()
            subprocess.run(["ip", "link", "del", f"weft{number}"], check=False, capture_output=True)

    def address(self, number):
        return f"10.77.{number}.2"

    def prefix(self, number):
        """What a command line starts with to run at node `number`."""
        return ["nsenter", "-t", str(self.holders[number - 1].pid), "-n"]

    def cut(self, one, other):
        """Drops all packets between the two groups of numbers, both ways."""
        for a in one:
            for b in other:
                for rule in ((a, b), (b, a)):
                    _ip("rule", "add", "from", f"10.77.{rule[0]}.0/24", "to",
                        f"10.77.{rule[1]}.0/24", "blackhole")
                    self.rules.append(rule)

    def heal(self):
        for a, b in self.rules:
            _ip("rule", "del", "from", f"10.77.{a}.0/24", "to", f"10.77.{b}.0/24", "blackhole")
        self.rules.clear()

    @contextlib.contextmanager
    def inside(self, number):
        """Sockets made in this block belong to node `number`'s namespace."""
        with open("/proc/self/ns/net", "rb") as own, \
                open(f"/proc/{self.holders[number - 1].pid}/ns/net", "rb") as other:
            if _libc.setns(other.fileno(), _CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                _libc.setns(own.fileno(), _CLONE_NEWNET)
