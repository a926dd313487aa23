# SPDX-License-Identifier: MIT
"""The part of msgpack that the wire protocol uses: nil, integers, str, bin, arrays, maps."""
import struct


def encode(value):
    if value is None:
        return b"\xc0"
    if isinstance(value, int):
        for limit, tag, form in ((0x80, None, "B"), (1 << 8, b"\xcc", "B"), (1 << 16, b"\xcd", ">H"),
                                 (1 << 32, b"\xce", ">I"), (1 << 64, b"\xcf", ">Q")):
            if 0 <= value < limit:
                return (tag or b"") + struct.pack(form, value)
        raise ValueError(value)
    if isinstance(value, str):
        data = value.encode()
        return _sized(len(data), (b"\xd9", b"\xda", b"\xdb"), 32, 0xa0) + data
    if isinstance(value, (bytes, bytearray)):
        return _sized(len(value), (b"\xc4", b"\xc5", b"\xc6"), 0, 0) + bytes(value)
    if isinstance(value, (list, tuple)):
        return _sized(len(value), (None, b"\xdc", b"\xdd"), 16, 0x90) + b"".join(map(encode, value))
    raise TypeError(type(value))


def _sized(size, tags, fix_limit, fix_base):
    if size < fix_limit:
        return bytes([fix_base | size])
    if tags[0] and size < 1 << 8:
        return tags[0] + struct.pack("B", size)
    if size < 1 << 16:
        return tags[1] + struct.pack(">H", size)
    return tags[2] + struct.pack(">I", size)


def decode(data):
    value, end = _decode(data, 0)
    if end != len(data):
        raise ValueError("bytes after the message")
    return value


_INTEGERS = {0xcc: ">B", 0xcd: ">H", 0xce: ">I", 0xcf: ">Q",
             0xd0: ">b", 0xd1: ">h", 0xd2: ">i", 0xd3: ">q"}
_SIZES = {0xc4: ">B", 0xc5: ">H", 0xc6: ">I", 0xd9: ">B", 0xda: ">H", 0xdb: ">I",
          0xdc: ">H", 0xdd: ">I", 0xde: ">H", 0xdf: ">I"}


def _decode(data, at):
    tag = data[at]
    at += 1
    if tag < 0x80:
        return tag, at
    if tag >= 0xe0:
        return tag - 256, at
    if tag in (0xc0, 0xc2, 0xc3):
        return {0xc0: None, 0xc2: False, 0xc3: True}[tag], at
    if tag in _INTEGERS:
        form = _INTEGERS[tag]
        return struct.unpack_from(form, data, at)[0], at + struct.calcsize(form)
    if tag < 0xc0:
        kind = "map" if tag < 0x90 else "array" if tag < 0xa0 else "str"
        size = tag & (0x1f if kind == "str" else 0x0f)
    else:
        form = _SIZES[tag]
        size = struct.unpack_from(form, data, at)[0]
        at += struct.calcsize(form)
        kind = ("bin" if tag < 0xc7 else "str" if tag < 0xdc else "array" if tag < 0xde else "map")
    if kind in ("bin", "str"):
        piece = bytes(data[at:at + size])
        if len(piece) != size:
            raise ValueError("cut short")
        return (piece.decode() if kind == "str" else piece), at + size
    items = []
    for _ in range(size * (2 if kind == "map" else 1)):
        item, at = _decode(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2])) if kind == "map" else items), at
