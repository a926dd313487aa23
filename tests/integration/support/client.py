# SPDX-License-Identifier: MIT
"""A client of the wire protocol (docs/wire-protocol.md) with a replica of its own and a ledger of acks.

It is written from that page alone and shares nothing with the clients of weft but libweft.
"""
import random
import re
import time
from collections import Counter
from dataclasses import dataclass, field

from . import libweft, msgpack
from .cluster import Failed
from .tap import slow
from .websocket import Closed, WebSocket

HELLO, JOIN, LEAVE, DELTA, PING, SYNC, ORPHANS = 1, 2, 3, 4, 5, 6, 7
(NODE_HELLO, JOINED, NODE_DELTA, ACK, POINT, EPOCH, ERROR, PONG, RESYNC,
 MOVE) = 65, 66, 67, 68, 69, 70, 71, 72, 73, 74
DURABLE = 1


def new_agent(source=random):
    return source.randrange(1, 1 << 63)


def tokens_of(text):
    """How often each token stands in a text; what is none stands under itself."""
    return Counter(re.findall(r"<\w+>|[^<]+|<", text))


@dataclass
class Ledger:
    """What was acked, as seqs of the client's own agent: level -> seqs below this one."""
    acked: dict = field(default_factory=dict)
    tokens: list = field(default_factory=list)  # (seq after its last atom, token)

    def told(self, level, seq):
        self.acked[level] = max(self.acked.get(level, 0), seq)

    def at_level(self, level):
        """The tokens that were acked at `level` or a higher one."""
        seq = max((seq for got, seq in self.acked.items() if got >= level), default=0)
        return [token for end, token in self.tokens if end <= seq]


class Editor:
    """One editing session of one document. Not connected until connect()."""

    def __init__(self, document, replicas=0, agent=None):
        self.document = document
        self.replicas = replicas
        self.agent = agent or new_agent()
        self.epoch = None
        self.replica = libweft.Document(document)
        self.replica.set_agent(self.agent)
        self.ledger = Ledger()
        self.socket = None
        self._forget()

    def _forget(self):
        self.room = None
        self.limits = {}
        self.number = 0
        self.sent = {}  # number -> own seqs below this one were sent with it
        self.sent_seq = 0
        self.points = []
        self.errors = []
        self.new_epoch = None
        self.resyncs = 0

    # ------------------------------------------------------------------------------- connecting

    def connect(self, address, port=9338, timeout=10):
        """Opens a session, joins, sends all that the node lacks, and takes what it has."""
        self.disconnect()
        self.socket = WebSocket(address, port, timeout * slow())
        self._send([HELLO, 0, "integration", self.replicas])
        self.limits = self._expect(NODE_HELLO, timeout)[5]
        self._send([JOIN, 1, self.document, self.epoch, self.replica.version(), None])
        joined = self._expect(JOINED, timeout)
        _, _, self.room, epoch, version = joined[:5]
        if self.epoch is not None and epoch != self.epoch:
            raise Failed("joined another epoch than was asked for")
        if self.epoch is None:
            self._adopt(epoch)
        self.send_lacking(version)
        return self

    def disconnect(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self._forget()

    def _adopt(self, epoch):
        """The epoch of the node, when the replica holds nothing that binds it to another."""
        self.epoch = epoch
        if int.from_bytes(epoch, "big") != 0 and self.replica.length() == 0:
            self.replica = libweft.Document(self.document, epoch)
            self.replica.set_agent(self.agent)

    def send_lacking(self, version):
        """All that the node lacks; then own edits that were never acked, which it may have from a peer
        and not yet on its disk: its ack says when they are."""
        for delta in self.replica.lacking(version, self._delta_bytes()):
            self._send_delta(delta)
        acked = max((seq for got, seq in self.ledger.acked.items() if got >= DURABLE), default=0)
        own = self.replica.own(self.agent, acked)
        if own:
            self._send_delta(own)
        self.sent_seq = self.replica.next_seq(self.agent)
        if self.number:
            self.sent[self.number] = self.sent_seq

    def _delta_bytes(self):
        return max(32 << 10, self.limits.get("frame_bytes", 65536) - 64)

    # ---------------------------------------------------------------------------------- editing

    def insert(self, index, text):
        self.replica.insert(index, text)
        self.flush()

    def delete(self, index, length):
        self.replica.delete(index, length)
        self.flush()

    def note(self, token, index=None):
        """Inserts a token and enters it into the ledger."""
        at = self.replica.length() if index is None else index
        self.replica.insert(at, token)
        self.ledger.tokens.append((self.replica.next_seq(self.agent), token))
        self.flush()

    def flush(self):
        """Sends own edits that were not sent yet, when connected."""
        if self.socket is None or self.room is None:
            return
        delta = self.replica.own(self.agent, self.sent_seq)
        if delta:
            self._send_delta(delta)
            self.sent_seq = self.replica.next_seq(self.agent)
            self.sent[self.number] = self.sent_seq

    def _send_delta(self, delta):
        self.number += 1
        self._send([DELTA, self.room, self.number, delta])

    def _send(self, message):
        self.socket.send(msgpack.encode(message))

    # -------------------------------------------------------------------------------- listening

    def pump(self, timeout=0.0):
        """Takes the messages that are there, waiting at most so long for the first one."""
        message = self.socket.receive(timeout)
        while message is not None:
            self.take(msgpack.decode(message))
            message = self.socket.receive(0)

    def _expect(self, kind, timeout):
        deadline = time.monotonic() + timeout * slow()
        while time.monotonic() < deadline:
            data = self.socket.receive(max(0.0, deadline - time.monotonic()))
            if data is None:
                break
            message = msgpack.decode(data)
            if message[0] == kind:
                return message
            self.take(message)
            if message[0] == ERROR:
                raise Failed(f"expected message {kind}, got error {message}")
        raise Failed(f"no message {kind} from {self.socket.socket.getpeername()}")

    def take(self, message):
        kind = message[0]
        if kind == NODE_DELTA:
            for delta in message[2:]:
                result = self.replica.apply(delta)
                if result.runs_parked or result.runs_invalid:
                    raise Failed(f"delta out of order: {result.runs_parked} parked, "
                                 f"{result.runs_invalid} invalid")
        elif kind == ACK:
            _, _, level, number = message[:4]
            seq = max((seq for sent, seq in self.sent.items() if sent <= number), default=0)
            self.ledger.told(level, seq)
        elif kind == POINT:
            self.points.append((message[2], message[3]))
        elif kind == ERROR:
            self.errors.append({"code": message[4], "reason": message[5], "detail": message[6]})
        elif kind == EPOCH:
            self.new_epoch = message[2]
        elif kind == RESYNC:
            self.resyncs += 1
            self._send([SYNC, self.room, self.replica.version()])

    def wait(self, condition, seconds, what):
        """Listens until the condition holds."""
        deadline = time.monotonic() + seconds * slow()
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                raise Failed(f"not within {seconds * slow():g} s: "
                             f"{what() if callable(what) else what}; errors {self.errors}")
            self.pump(min(left, 0.2))
        return self

    def acked(self, level=DURABLE):
        """Whether all own edits are acked at `level` or a higher one."""
        seq = max((seq for got, seq in self.ledger.acked.items() if got >= level), default=0)
        return seq >= self.replica.next_seq(self.agent)

    def wait_acked(self, level=DURABLE, seconds=10):
        return self.wait(lambda: self.acked(level), seconds,
                         lambda: f"acks of level {level}: {self.ledger.acked} of "
                                 f"{self.replica.next_seq(self.agent)}")

    def synced(self):
        """Whether a client may show `synced`: the last point has our digest and all is durable."""
        return bool(self.points) and self.points[-1][1] == self.replica.digest() and self.acked()

    def wait_synced(self, seconds=10):
        return self.wait(self.synced, seconds, "synced")


__all__ = ["Closed", "Editor", "Ledger", "new_agent", "tokens_of", "DURABLE", "libweft"]
