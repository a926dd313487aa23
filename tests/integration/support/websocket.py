# SPDX-License-Identifier: MIT
"""A WebSocket client that can also misbehave: RFC 6455 without extensions, deadlines on all it does."""
import base64
import os
import select
import socket
import struct
import time


class Closed(Exception):
    """The other side is gone; `code` is 1006 when it went without a close frame."""

    def __init__(self, code, reason):
        super().__init__(f"closed: {code} {reason}")
        self.code = code
        self.reason = reason


def handshake(host, port, path="/", protocol="weft.v1", headers=()):
    """The bytes that ask for a WebSocket."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket",
             "Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    if protocol:
        lines.append(f"Sec-WebSocket-Protocol: {protocol}")
    return "\r\n".join([*lines, *headers, "", ""]).encode()


def mask(data, key):
    size = len(data)
    pad = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(pad, "big")).to_bytes(size, "big")


def frame(payload, opcode=2, final=True, masked=True):
    head = bytes([(0x80 if final else 0) | opcode])
    bit = 0x80 if masked else 0
    size = len(payload)
    if size < 126:
        head += bytes([bit | size])
    elif size < 1 << 16:
        head += bytes([bit | 126]) + struct.pack(">H", size)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", size)
    if not masked:
        return head + payload
    key = os.urandom(4)
    return head + key + mask(payload, key)


class WebSocket:
    def __init__(self, host, port, timeout=10.0, **options):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(timeout)
        self._bytes = bytearray()
        self._message = bytearray()
        self._send(handshake(host, port, **options))
        deadline = time.monotonic() + timeout
        while b"\r\n\r\n" not in self._bytes:
            self._read(deadline)
        head, _, rest = bytes(self._bytes).partition(b"\r\n\r\n")
        self._bytes = bytearray(rest)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise Closed(1006, head.split(b"\r\n")[0].decode(errors="replace"))

    def close(self):
        self.socket.close()

    def send(self, payload):
        self._send(frame(payload))

    def send_raw(self, data):
        self._send(data)

    def _send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed(1006, str(error)) from None

    def _read(self, deadline):
        """Reads once. False when nothing came until the deadline."""
        left = deadline - time.monotonic()
        if left <= 0 and deadline != 0:
            left = 0
        try:
            ready, _, _ = select.select([self.socket], [], [], max(left, 0))
            if not ready:
                if left <= 0:
                    return False
                return False
            data = self.socket.recv(1 << 18)
        except OSError as error:
            raise Closed(1006, str(error)) from None
        if not data:
            raise Closed(1006, "the connection ended")
        self._bytes += data
        return True

    def _frame(self):
        """The next whole frame in what was read, or None."""
        data = self._bytes
        if len(data) < 2:
            return None
        size, at = data[1] & 0x7f, 2
        if size == 126:
            if len(data) < 4:
                return None
            size, at = struct.unpack_from(">H", data, 2)[0], 4
        elif size == 127:
            if len(data) < 10:
                return None
            size, at = struct.unpack_from(">Q", data, 2)[0], 10
        if len(data) < at + size:
            return None
        head, payload = data[0], bytes(data[at:at + size])
        del data[:at + size]
        return head, payload

    def receive(self, timeout):
        """The next binary message, or None when none came in time. Answers pings."""
        deadline = time.monotonic() + timeout
        while True:
            got = self._frame()
            if got is None:
                if not self._read(deadline):
                    return None
                continue
            head, payload = got
            opcode = head & 0x0f
            if opcode == 8:
                code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                raise Closed(code, payload[2:].decode(errors="replace"))
            if opcode == 9:
                self._send(frame(payload, opcode=10))
            elif opcode in (0, 1, 2):
                self._message += payload
                if head & 0x80:
                    message = bytes(self._message)
                    self._message.clear()
                    return message
