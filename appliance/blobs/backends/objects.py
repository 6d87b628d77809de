"""What `RemoteBackend` asks of an object store: a few calls over named objects. S3 and Swift each have a module for it.

Names are never used again, so every call may be repeated, and nothing here is a lock.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from appliance.blobs.durable import Bytes
from appliance.errors import Unavailable
from appliance.values import Micros


class ObjectMissing(Exception):
    """There is no object of that name."""


class Unreachable(Unavailable):
    """The object store does not answer, or not with what it should: the same may succeed later."""


class Refused(Unavailable):
    """The object store answers and says no: to the credentials, to what they may do, or to the bucket's name."""


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    key: str
    size: int
    modified_at: Micros


class Objects(Protocol):
    """Objects by their keys. Any thread may call; each call ends within the timeouts of the settings.

    Everything raises `Unreachable` and `Refused`.
    """

    @property
    def place(self) -> str: ...

    @property
    def details(self) -> Mapping[str, object]: ...

    @property
    def largest(self) -> int:
        """How long a segment is to become at the most, more or less."""
        ...

    def put(self, key: str, data: bytes) -> None:
        """A small object, which may replace another."""
        ...

    def put_file(self, key: str, path: Path, size: int) -> None:
        """A file as an object, without having it in memory."""
        ...

    def get(self, key: str) -> bytes:
        """A small object as a whole. Raises `ObjectMissing`."""
        ...

    def get_range(self, key: str, offset: int, length: int) -> Bytes:
        """Those bytes, fewer if the object ends before. Raises `ObjectMissing`."""
        ...

    def head(self, key: str) -> ObjectInfo | None: ...

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """All whose key begins so."""
        ...

    def delete(self, key: str) -> None:
        """Fine if it is gone already."""
        ...

    def close(self) -> None: ...
