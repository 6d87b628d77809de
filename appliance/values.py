"""Plain values that every layer shares: ids, times, the caller, and how bytes leave the process."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from appliance.errors import WrongUsage

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
TIB = 1024 * GIB

TEXT_BYTES = 65_535
"""The longest text of a client's, in UTF-8: what a TEXT column of MySQL holds for Glance and Keystone."""

Micros = int
"""A point in time: microseconds since 1970-01-01 UTC. Every time in the database and in memory is one of these."""

Clock = Callable[[], Micros]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> Micros:
    """The wall clock, as every module receives it through its constructor."""
    return (datetime.now(UTC) - _EPOCH) // timedelta(microseconds=1)


def elapsed() -> Micros:
    """Time that has passed since some moment, on a clock that nobody sets: for durations."""
    return time.monotonic_ns() // 1000


class SteadyClock:
    """Begins as the wall clock and goes on with the monotonic one: for durations that no setting of the clock changes.

    After a restart it begins anew.
    """

    def __init__(self, clock: Clock, elapsed: Clock = elapsed) -> None:
        self._elapsed = elapsed
        self._offset = clock() - elapsed()

    def __call__(self) -> Micros:
        return self._offset + self._elapsed()


def seconds_text(at: Micros) -> str:
    """`2026-11-22T17:29:55Z`, Glance's form: the fraction is cut off."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="seconds")[:19] + "Z"


def micros_text(at: Micros) -> str:
    """`2026-11-22T17:29:55.000000Z`, Keystone's form."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(timespec="microseconds")[:26] + "Z"


def parse_time(text: str) -> Micros:
    """Read an ISO 8601 time; one without a zone is UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def new_uuid() -> str:
    """An image id: 36 characters with dashes."""
    return str(uuid.uuid4())


def new_hex_id() -> str:
    """An identity id: 32 hexadecimal characters without dashes."""
    return uuid.uuid4().hex


def fits(text: str, limit: int = TEXT_BYTES) -> bool:
    """Whether a text takes at most `limit` bytes."""
    return len(text) <= limit and (len(text) <= limit // 4 or len(text.encode("utf-8", "surrogatepass")) <= limit)


def beyond_bmp(text: str) -> bool:
    """Whether some character takes four bytes in UTF-8: the original image service stores none of those."""
    return max(text, default="") > "\uffff"


_DIGITS = 100


def whole_number(text: str) -> int | None:
    """The number that a client's digits stand for; None for anything else, and for more digits than make sense.

    Python itself refuses to convert a text of more than 4,300 digits.
    """
    return int(text) if len(text) <= _DIGITS and text.isascii() and text.isdigit() else None


def is_uuid(text: str) -> bool:
    """True for what Glance takes as an image id: any UUID spelling whose digits survive the round trip."""
    try:
        return str(uuid.UUID(text)).replace("-", "") == text.lower().replace("-", "").strip("{}").removeprefix(
            "urn:uuid:"
        )
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Uploader:
    """Whose request it is that sends much: names that share what one caller may have (a user, a project), and where
    it comes from."""

    names: tuple[str, ...]
    address: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, as the image package needs to know it. Made from a validated token; never from a client's headers.

    `roles` are lower-case role names, implied ones included, on the scope that the token has.
    """

    user_id: str
    project_id: str | None = None
    domain_id: str | None = None
    system: bool = False
    roles: frozenset[str] = field(default_factory=frozenset)
    user_name: str | None = None
    user_domain_id: str | None = None
    project_name: str | None = None
    project_domain_id: str | None = None
    service_roles: frozenset[str] = field(default_factory=frozenset)
    """Roles of the service that acts for the user, if it has shown a token of its own beside the user's."""
    admin: bool | None = None
    """Whether a policy file makes an admin of them, if there is one that says who is."""
    token: str = field(default="", repr=False)
    """The token itself, for calls made onwards in the caller's name. Kept out of every repr and log."""

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles if self.admin is None else self.admin

    def has_role(self, role: str) -> bool:
        return role in self.roles


@dataclass(frozen=True, slots=True)
class Client:
    """Where the request that runs comes from, and what the server has to offer a handler that must wait."""

    address: str = ""
    """The client's own, not that of a trusted proxy in front."""
    has_left: Callable[[], bool] = lambda: False
    """Whether nobody waits for the response any more."""
    waiting: Callable[[], AbstractContextManager[None]] = nullcontext
    """Around a wait: another request may use the thread's place meanwhile."""


NOBODY = Client()

current_client: ContextVar[Client] = ContextVar("client", default=NOBODY)
"""Set for the length of each request. Outside of requests there is nobody."""


onward_headers: ContextVar[Mapping[str, str]] = ContextVar("onward_headers", default=MappingProxyType({}))
"""What a call to another OpenStack service says of the request that it is made for: its id, and its trace."""


@dataclass(frozen=True, slots=True)
class FileRange:
    """A run of bytes that may leave by `sendfile`: `length` bytes at `offset` of the open file `fd`.

    The file descriptor belongs to the `Content` that gave the range and is valid until that is closed.
    """

    fd: int
    offset: int
    length: int


Piece = FileRange | bytes | memoryview


class Content(Protocol):
    """Bytes on their way out: what `blobs/` reads, `api/` puts in an answer and `server/` sends.

    It is also a file (`read`, `close`), so that any WSGI server's `wsgi.file_wrapper` can send it. A read that meets
    damaged bytes raises `Corrupt`; it never returns zeros or ends early.
    """

    length: int
    """How many bytes there are in all."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        ...

    def pieces(self) -> Iterator[Piece]:
        """The same bytes from the current position on, in order, each piece at most 1 MiB if it is in memory.

        A piece is valid until the next is asked for.
        """
        ...

    def close(self) -> None:
        """Let go of files and pins. May be called twice and from any thread."""
        ...


class Source(Protocol):
    """Bytes on their way in: a request's body or a file."""

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most `size`, possibly fewer; empty at the end. Raises `ClientVanished`."""
        ...


# -- what people write

_SUFFIXES = {"K": KIB, "M": MIB, "G": GIB, "T": TIB}


def number(value: Any) -> int:
    """A whole number; sizes may end in K, M, G or T, with or without a B (KB is 1024 bytes, as Glance counts)."""
    if isinstance(value, bool):
        raise ValueError("it is a number")
    if isinstance(value, int):
        return value
    text = str(value).strip().upper()
    if text.endswith("B") and text[:-1][-1:] in _SUFFIXES:
        text = text[:-1]
    if text[-1:] in _SUFFIXES:
        return int(text[:-1]) * _SUFFIXES[text[-1]]
    try:
        return int(text)
    except ValueError:
        raise ValueError("it is a whole number") from None


def read_secret(file: Path) -> str:
    """The secret in a file: its first line. Raises `WrongUsage`."""
    try:
        secret = file.read_text().split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise WrongUsage(f"can't read the secret in {file}: {reason}") from error
    if not secret:
        raise WrongUsage(f"the first line of {file} is empty: it should be a secret")
    return secret
