"""Plain tar archives as a stream, in the one form that bundles have: regular files, one after the other.

The reader takes nothing else and unpacks nothing: what a hostile archive may say of links, owners or huge extensions
is refused at its first block of 512 bytes.
"""

import hashlib
import tarfile
from collections.abc import Callable, Iterator

from appliance.errors import Corrupt, Invalid
from appliance.values import MIB, Micros

_BLOCK = 512
_CHUNK = MIB
HEADER = _BLOCK
"""Bytes before those of a member."""
END = bytes(2 * _BLOCK)

Read = Callable[[int], bytes]
"""Gives exactly as many bytes, fewer only at the end of the stream."""


def exactly(read: Callable[[int], bytes]) -> Read:
    """A way to read from what may give fewer bytes than it is asked for."""

    def all_of(size: int) -> bytes:
        parts = []
        while size > 0 and (part := read(min(size, _CHUNK))):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    return all_of


def header(name: str, size: int, at: Micros) -> bytes:
    """What comes before the bytes of a member."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = size, 0o644, at // 1_000_000
    return info.tobuf(tarfile.USTAR_FORMAT)


def padding(size: int) -> bytes:
    """What comes after them."""
    return bytes(-size % _BLOCK)


def _is_plain(name: str) -> bool:
    """Whether it is a name that leads nowhere else, and that can be shown."""
    parts = name.split("/")
    return name.isprintable() and all(parts) and not {".", ".."} & set(parts)


class TarReader:
    """The members of a stream in their order. Each is read to its end before the next is asked for."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._left = 0
        self._padding = 0
        self.digests: dict[str, str] = {}
        """The SHA-512 of each member that was read."""
        self._name = ""
        self._hash = hashlib.sha512()

    def next(self) -> tuple[str, int] | None:
        """The name and size of the next member; None at the end. Raises `Invalid` or `Corrupt`."""
        self._end()
        block = self._exactly(_BLOCK)
        if not any(block):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise Corrupt("this is not a tar archive, or it is damaged") from error
        if info.type != tarfile.REGTYPE or info.linkname or not _is_plain(info.name):
            raise Invalid(f"a bundle has no member like {info.name!r}: it is not unpacked")
        if info.name in self.digests or info.size < 0:
            raise Invalid(f"a bundle has the member {info.name!r} only once")
        self._left, self._padding, self._name = info.size, -info.size % _BLOCK, info.name
        self._hash = hashlib.sha512()
        return info.name, info.size

    def read(self, size: int) -> bytes:
        """The member's next bytes: exactly as many, none at its end. Raises `Corrupt` if it has fewer."""
        if not self._left:
            return b""
        if size > self._left:
            raise Corrupt(f"{self._name} of the bundle ends early")
        data = self._exactly(size)
        self._left -= size
        self._hash.update(data)
        return data

    def all(self) -> bytes:
        """The rest of the member."""
        return self.read(self._left)

    def skip(self) -> None:
        """Read the rest of the member, and hash it."""
        while self._left:
            self.read(min(_CHUNK, self._left))

    def lines(self, longest: int) -> Iterator[bytes]:
        """The member line by line."""
        rest = b""
        while self._left:
            *lines, rest = (rest + self.read(min(_CHUNK, self._left))).split(b"\n")
            yield from lines
            if len(rest) > longest:
                raise Invalid(f"{self._name} of the bundle has a line that is too long")
        if rest:
            yield rest

    def _end(self) -> None:
        if self._name:
            self.skip()
            self.digests[self._name] = self._hash.hexdigest()
            self._name = ""
            self._exactly(self._padding)

    def _exactly(self, size: int) -> bytes:
        data = self._read(size)
        if len(data) != size:
            raise Corrupt("the bundle ends early: its file is torn, or a part of it is missing")
        return data
