"""Ceph's librados, as far as segments need it: its C interface, which is the same in every release, through ctypes.

The library is the site's own, of the same release as its cluster; it is loaded when a store asks for it. Its calls
release the interpreter's lock, may be made by any thread, and end within the timeouts that the handle was made with.
"""

import ctypes
import errno
import os
from collections.abc import Iterator, Mapping
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from typing import Any

from appliance.blobs.durable import Bytes

LIBRARY = "librados.so.2"
_SIGNATURES: dict[str, tuple[Any, ...]] = {
    "rados_create": (POINTER(c_void_p), c_char_p),
    "rados_conf_read_file": (c_void_p, c_char_p),
    "rados_conf_set": (c_void_p, c_char_p, c_char_p),
    "rados_connect": (c_void_p,),
    "rados_shutdown": (c_void_p,),
    "rados_ioctx_create": (c_void_p, c_char_p, POINTER(c_void_p)),
    "rados_ioctx_destroy": (c_void_p,),
    "rados_ioctx_set_namespace": (c_void_p, c_char_p),
    "rados_write_full": (c_void_p, c_char_p, c_void_p, c_size_t),
    "rados_write": (c_void_p, c_char_p, c_void_p, c_size_t, c_uint64),
    "rados_read": (c_void_p, c_char_p, c_void_p, c_size_t, c_uint64),
    "rados_stat": (c_void_p, c_char_p, POINTER(c_uint64), POINTER(ctypes.c_int64)),
    "rados_remove": (c_void_p, c_char_p),
    "rados_nobjects_list_open": (c_void_p, POINTER(c_void_p)),
    "rados_nobjects_list_next": (c_void_p, POINTER(c_char_p), POINTER(c_char_p), POINTER(c_char_p)),
    "rados_nobjects_list_close": (c_void_p,),
}
_WITHOUT_RESULT = ("rados_shutdown", "rados_ioctx_destroy", "rados_ioctx_set_namespace", "rados_nobjects_list_close")


class RadosError(OSError):
    """What a call of the library answered, as an errno."""


class NoLibrary(Exception):
    """The library can't be loaded."""


class NoPool(Exception):
    """The cluster has no pool of that name."""


def load(path: str) -> ctypes.CDLL:
    """The library of that name. Raises `NoLibrary`."""
    try:
        library = ctypes.CDLL(path)
        for name, types in _SIGNATURES.items():
            function = getattr(library, name)
            function.argtypes = types
            function.restype = None if name in _WITHOUT_RESULT else c_int
    except (OSError, AttributeError) as error:
        raise NoLibrary(str(error)) from error
    return library


def _check(result: int) -> int:
    if result < 0:
        raise RadosError(-result, os.strerror(-result))
    return result


class Pool:
    """The objects of one namespace of a pool, over a connection of its own. Raises `RadosError`; for any thread."""

    def __init__(
        self, library: ctypes.CDLL, user: str, conf: str, settings: Mapping[str, str], pool: str, namespace: str
    ) -> None:
        self._library = library
        self._cluster, self._io = c_void_p(), c_void_p()
        # Raises `NoPool`, too.
        _check(library.rados_create(byref(self._cluster), user.encode()))
        try:
            if conf:
                _check(library.rados_conf_read_file(self._cluster, conf.encode()))
            for name, value in settings.items():
                _check(library.rados_conf_set(self._cluster, name.encode(), value.encode()))
            _check(library.rados_connect(self._cluster))
            found = library.rados_ioctx_create(self._cluster, pool.encode(), byref(self._io))
            if found == -errno.ENOENT:
                raise NoPool
            _check(found)
            library.rados_ioctx_set_namespace(self._io, namespace.encode())
        except BaseException:
            library.rados_shutdown(self._cluster)
            raise

    def close(self) -> None:
        """Nobody may be in a call."""
        self._library.rados_ioctx_destroy(self._io)
        self._library.rados_shutdown(self._cluster)

    def write_full(self, key: str, data: bytes) -> None:
        _check(self._library.rados_write_full(self._io, key.encode(), data, len(data)))

    def write(self, key: str, data: bytes, offset: int) -> None:
        _check(self._library.rados_write(self._io, key.encode(), data, len(data), offset))

    def read(self, key: str, length: int, offset: int) -> Bytes:
        """Those bytes, fewer if the object ends before."""
        buffer = bytearray(length)
        view = memoryview(buffer)
        done = 0
        while done < length:
            into = (ctypes.c_char * (length - done)).from_buffer(buffer, done)
            count = _check(self._library.rados_read(self._io, key.encode(), into, length - done, offset + done))
            if not count:
                break
            done += count
        return view[:done]

    def stat(self, key: str) -> tuple[int, int] | None:
        """Its size, and when it was written, in seconds since 1970."""
        size, seconds = c_uint64(), ctypes.c_int64()
        try:
            _check(self._library.rados_stat(self._io, key.encode(), byref(size), byref(seconds)))
        except RadosError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return size.value, seconds.value

    def remove(self, key: str) -> None:
        _check(self._library.rados_remove(self._io, key.encode()))

    def keys(self) -> Iterator[str]:
        """All in the namespace."""
        walk = c_void_p()
        _check(self._library.rados_nobjects_list_open(self._io, byref(walk)))
        try:
            key = c_char_p()
            into = (walk, byref(key), None, None)
            while (result := self._library.rados_nobjects_list_next(*into)) != -errno.ENOENT:
                _check(result)
                yield (key.value or b"").decode("utf-8", "replace")
        finally:
            self._library.rados_nobjects_list_close(walk)
