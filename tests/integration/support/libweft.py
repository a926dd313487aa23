# SPDX-License-Identifier: MIT
"""A document of libweft, through the shared library that WEFT_LIBRARY names."""
import ctypes
import os

_lib = ctypes.CDLL(os.environ["WEFT_LIBRARY"])
SCALARS = 0
STRICT = 1


class _Allocator(ctypes.Structure):
    _fields_ = [("context", ctypes.c_void_p), ("resize", ctypes.c_void_p)]


class _Buffer(ctypes.Structure):
    _fields_ = [("data", ctypes.POINTER(ctypes.c_uint8)), ("size", ctypes.c_size_t),
                ("capacity", ctypes.c_size_t), ("allocator", _Allocator)]


class _Epoch(ctypes.Structure):
    _fields_ = [("counter", ctypes.c_uint64), ("random", ctypes.c_uint8 * 16)]


class _Limits(ctypes.Structure):
    _fields_ = [("elements_max", ctypes.c_uint64), ("agents_max", ctypes.c_uint32),
                ("parked_runs_max", ctypes.c_uint32), ("parked_bytes_max", ctypes.c_size_t)]


class _Options(ctypes.Structure):
    _fields_ = [("allocator", ctypes.c_void_p), ("name", ctypes.c_char_p),
                ("name_size", ctypes.c_size_t), ("epoch", _Epoch), ("policy", ctypes.c_int),
                ("limits", _Limits)]


class _Result(ctypes.Structure):
    _fields_ = [("atoms_applied", ctypes.c_uint64), ("runs_duplicate", ctypes.c_uint32),
                ("runs_parked", ctypes.c_uint32), ("runs_missing", ctypes.c_uint32),
                ("runs_invalid", ctypes.c_uint32), ("reason", ctypes.c_int),
                ("invalid_agent", ctypes.c_uint64), ("invalid_seq", ctypes.c_uint64)]


_lib.weft_status_text.restype = ctypes.c_char_p
_lib.weft_doc_length.restype = ctypes.c_uint64
_lib.weft_doc_next_seq.restype = ctypes.c_uint64


class WeftError(Exception):
    pass


def _check(status):
    if status != 0:
        raise WeftError(_lib.weft_status_text(status).decode())


class Document:
    """A replica. `epoch` is the 24 bytes of the wire; None is the first epoch."""

    def __init__(self, name, epoch=None):
        self._doc = ctypes.c_void_p()
        self._name = name.encode()
        options = _Options(name=self._name, name_size=len(self._name))
        if epoch is not None:
            options.epoch.counter = int.from_bytes(epoch[:8], "big")
            options.epoch.random = (ctypes.c_uint8 * 16)(*epoch[8:])
        _check(_lib.weft_doc_create(ctypes.byref(self._doc), ctypes.byref(options)))

    def __del__(self):
        _lib.weft_doc_destroy(self._doc)

    def _collect(self, function, *arguments):
        buffer = _Buffer()
        _lib.weft_buffer_init(ctypes.byref(buffer), None)
        try:
            _check(function(ctypes.byref(buffer), self._doc, *arguments))
            return ctypes.string_at(buffer.data, buffer.size) if buffer.size else b""
        finally:
            _lib.weft_buffer_finish(ctypes.byref(buffer))

    def set_agent(self, agent):
        _check(_lib.weft_doc_set_agent(self._doc, ctypes.c_uint64(agent)))

    def insert(self, index, text):
        data = text.encode()
        _check(_lib.weft_doc_insert(self._doc, SCALARS, ctypes.c_uint64(index), data,
                                    ctypes.c_size_t(len(data))))

    def set_author(self, agent, name):
        data = name.encode()
        _check(_lib.weft_doc_set_author(self._doc, ctypes.c_uint64(agent), data,
                                        ctypes.c_size_t(len(data))))

    def delete(self, index, length):
        _check(_lib.weft_doc_delete(self._doc, SCALARS, ctypes.c_uint64(index),
                                    ctypes.c_uint64(length)))

    def insert_initial(self, text):
        data = text.encode()
        _check(_lib.weft_doc_insert_initial(self._doc, data, ctypes.c_size_t(len(data))))

    def apply(self, delta, strict=False):
        result = _Result()
        _check(_lib.weft_doc_apply(ctypes.byref(result), self._doc, STRICT if strict else 0, delta,
                                   ctypes.c_size_t(len(delta))))
        return result

    def length(self):
        return _lib.weft_doc_length(self._doc, SCALARS)

    def text(self):
        return self._collect(_lib.weft_doc_text).decode()

    def version(self):
        return self._collect(_lib.weft_doc_version)

    def next_seq(self, agent):
        return _lib.weft_doc_next_seq(self._doc, ctypes.c_uint64(agent))

    def own(self, agent, seq_from):
        return self._collect(_lib.weft_doc_delta_own, ctypes.c_uint64(agent),
                             ctypes.c_uint64(seq_from))

    def lacking(self, version, size_max):
        """What `version` lacks, as deltas of at most `size_max` bytes."""
        reader = ctypes.c_void_p()
        _check(_lib.weft_delta_reader_create(ctypes.byref(reader), self._doc, version,
                                             ctypes.c_size_t(len(version))))
        try:
            while True:
                buffer = _Buffer()
                _lib.weft_buffer_init(ctypes.byref(buffer), None)
                _check(_lib.weft_delta_reader_next(ctypes.byref(buffer), reader,
                                                   ctypes.c_size_t(size_max)))
                piece = ctypes.string_at(buffer.data, buffer.size) if buffer.size else b""
                _lib.weft_buffer_finish(ctypes.byref(buffer))
                if not piece:
                    return
                yield piece
        finally:
            _lib.weft_delta_reader_destroy(reader)

    def digest(self):
        digest = (ctypes.c_uint8 * 16)()
        _check(_lib.weft_doc_digest(ctypes.byref(digest), self._doc))
        return bytes(digest)


def version_covers(ours, theirs):
    """Whether `ours` lacks nothing of `theirs`."""
    order = ctypes.c_int()
    _check(_lib.weft_version_compare(ctypes.byref(order), ours, ctypes.c_size_t(len(ours)), theirs,
                                     ctypes.c_size_t(len(theirs))))
    return order.value in (0, 2)
