"""A file on a web server: opened, followed, read in bounded time, resumed where it broke off."""

import errno
import http.client
import io
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urljoin

from appliance.errors import ApplianceError, Unavailable
from appliance.image.web.addresses import Target, UriFilter, refused, without_secrets
from appliance.settings import Settings
from appliance.values import KIB, MIB, onward_headers, whole_number

_LOOK_AROUND = 0.2
"""Seconds after which whoever waits sees that the service is stopping."""


class TooSlow(Unavailable):
    """The other side was given up, not the service's own work."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for a server."""

    stall: float
    """Seconds without a byte; and those until an answer has begun."""
    total: float | None = None
    """Seconds for all of it; None is no limit."""
    rate: int = 0
    """Bytes a second that have to come while we wait, on the average of `stall` seconds."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the service ends."""

    @classmethod
    def for_import(cls, settings: Settings, stopping: threading.Event) -> "Patience":
        total = settings.import_deadline or None
        return cls(settings.import_timeout, total, settings.import_minimum_rate, stopping)

    def begin(self) -> "Pace":
        return Pace(self)


class Pace:
    """The waiting of one fetch, over all its connections."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._ends = None if patience.total is None else time.monotonic() + patience.total
        self._answer_by: float | None = None
        self._waited = 0.0
        self._came = 0

    def expect_answer(self) -> float:
        """A new request begins; seconds that its answer may take to begin."""
        self._answer_by = time.monotonic() + self._patience.stall
        return self._patience.stall

    def answered(self) -> None:
        """The answer has begun; from now on its pace counts."""
        self._answer_by = None
        self._waited, self._came = 0.0, 0

    def check(self) -> None:
        """Raise `Unavailable` if the service ends, `TooSlow` if the time is up."""
        if self._patience.stopping.is_set():
            raise Unavailable("The service is stopping.")
        now = time.monotonic()
        if self._ends is not None and now >= self._ends:
            raise TooSlow(f"It took more than the {self._patience.total:g} seconds that a fetch may take.")
        if self._answer_by is not None and now >= self._answer_by:
            raise TooSlow(f"There was no answer within {self._patience.stall:g} seconds.")

    def given_up(self) -> bool:
        return self._patience.stopping.is_set()

    def came(self, count: int) -> None:
        """So many bytes have come."""
        self._came += count
        if self._answer_by is None and self._waited >= self._patience.stall:
            if self._came < self._patience.rate * self._waited:
                raise TooSlow(f"It came with less than {self._patience.rate} bytes a second.")
            self._waited, self._came = 0.0, 0

    def wait(self, sock: socket.socket, events: int) -> None:
        """Until the socket is ready."""
        poll = select.poll()
        poll.register(sock, events)
        began = time.monotonic()
        while not poll.poll(_LOOK_AROUND * 1000):
            self.check()
            if time.monotonic() - began >= self._patience.stall:
                raise TooSlow(f"Nothing came for {self._patience.stall:g} seconds.")
        self._waited += time.monotonic() - began


class PacedSocket:
    """What `http.client` needs of a socket, waiting as a `Pace` says."""

    def __init__(self, address: tuple[str, int], pace: Pace) -> None:
        self._pace = pace
        self._users = 1
        self._sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._sock.setblocking(False)
            self._connect(address)
        except BaseException:
            self._sock.close()
            raise

    def _connect(self, address: tuple[str, int]) -> None:
        trouble = self._sock.connect_ex(address)
        if trouble == errno.EINPROGRESS:
            self._pace.wait(self._sock, select.POLLOUT)
            trouble = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if trouble:
            raise OSError(trouble, os.strerror(trouble))
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start_tls(self, host: str) -> None:
        context = ssl.create_default_context()
        wrapped = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = wrapped
        self._patiently(wrapped.do_handshake, select.POLLIN)

    def _patiently(self, step: Callable[[], int | None], events: int) -> int:
        """Do something that may have to wait first."""
        while True:
            try:
                return step() or 0
            except ssl.SSLWantWriteError:
                self._pace.wait(self._sock, select.POLLOUT)
            except ssl.SSLWantReadError:
                self._pace.wait(self._sock, select.POLLIN)
            except BlockingIOError:
                self._pace.wait(self._sock, events)

    def sendall(self, data: bytes) -> None:
        sent = 0

        def step() -> int:
            return self._sock.send(data[sent:])

        while sent < len(data):
            sent += self._patiently(step, select.POLLOUT)

    def receive(self, room: memoryview) -> int:
        """Bytes into `room`; 0 at the end."""
        self._pace.check()
        count = self._patiently(lambda: self._sock.recv_into(room), select.POLLIN)
        self._pace.came(count)
        return count

    def makefile(self, mode: str = "rb", *_: object) -> io.BufferedReader:
        self._users += 1
        return io.BufferedReader(_Reader(self), 64 * KIB)

    def close(self) -> None:
        """As with any socket, its file stays open until it is closed itself."""
        self._users -= 1
        if self._users <= 0:
            self._sock.close()


class _Reader(io.RawIOBase):
    def __init__(self, sock: PacedSocket) -> None:
        self._socket = sock

    def readable(self) -> bool:
        return True

    def readinto(self, room: memoryview) -> int:  # type: ignore[override]
        return self._socket.receive(room)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._socket.close()


_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_LARGEST = 2**63 - 1
# A header that is good for one origin, and worth stealing.
_SECRET = frozenset({"x-auth-token", "authorization", "cookie"})


class Fetcher:
    """Fetches for clients, as far as the filter lets and with the patience that the settings have."""

    def __init__(self, uris: UriFilter, patience: Patience) -> None:
        self.uris = uris
        self.patience = patience

    def check(self, uri: str) -> None:
        """Raise `Invalid` for a URI that may not be fetched."""
        self.uris.check(uri)

    def get(self, uri: str, headers: Mapping[str, str] | None = None, *, method: str = "GET") -> "WebSource":
        return WebSource(self.uris, uri, self.patience, headers, method=method)

    def trusting(self, uri: str) -> "Fetcher":
        """The same for one service that the operator has named; its redirects to others are checked like any."""
        return Fetcher(self.uris.trusting(uri), self.patience)


class WebSource:
    """The body of one GET, as a `Source`. Redirects are followed, each checked like the first address.

    With a `Range` among the headers the answer may be a part: `content_range` says which one, None for the whole.
    """

    def __init__(
        self,
        uris: UriFilter,
        uri: str,
        patience: Patience,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
    ) -> None:
        self._uris = uris
        self._pace = patience.begin()
        self._method = method
        own = {"Accept-Encoding": "identity", "User-Agent": "glance-appliance"}
        self._headers = {**own, **onward_headers.get(), **(headers or {})}
        self._connection: http.client.HTTPConnection | None = None
        self._answer: http.client.HTTPResponse | None = None
        self._response = self._open(uri)
        length = self._response.getheader("Content-Length")
        self.size = whole_number(length) if length else None
        """What the server says that the size is."""
        if self.size is not None and self.size > _LARGEST:
            self.close()
            raise Unavailable(f"{without_secrets(uri)} is said to have {self.size} bytes, which nothing has.")
        self.content_range = self._response.getheader("Content-Range") if self._response.status == 206 else None

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._response.read(size if size >= 0 else None)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"The download broke off: {error or type(error).__name__}") from error

    def read_small(self, most: int = MIB) -> bytes:
        """All of a small answer. Raises `Unavailable` if it is none."""
        raw = b""
        while part := self.read(most + 1 - len(raw)):
            raw += part
            if len(raw) > most:
                raise Unavailable("The answer is too long.")
        return raw

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._answer is not None:
            # It owns the socket if the server ends the connection with it.
            self._answer.close()
            self._answer = None

    def __enter__(self) -> "WebSource":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self, uri: str) -> http.client.HTTPResponse:
        headers = self._headers
        target = self._uris.parse(uri)
        for _ in range(_MOST_REDIRECTS + 1):
            response = self._get(target, headers)
            if response.status not in _REDIRECTS:
                break
            location = response.getheader("Location")
            self.close()
            if not location:
                raise Unavailable(f"{without_secrets(target.uri)} leads nowhere.")
            following = self._following(target, location)
            if following.origin != target.origin:
                # A token is for the service that it was meant for.
                headers = {name: value for name, value in headers.items() if name.lower() not in _SECRET}
            target = following
        if response.status != 200 and not (response.status == 206 and "Range" in headers):
            self.close()
            raise Unavailable(f"{without_secrets(target.uri)} was answered with {response.status}.")
        self._pace.answered()
        return response

    def _following(self, target: Target, location: str) -> Target:
        """Where a redirect leads. Headers come as Latin-1; what is in them is UTF-8 where it can be."""
        try:
            location = location.encode("latin-1").decode("utf-8")
        except UnicodeError:
            pass
        try:
            return self._uris.parse(urljoin(target.uri, location.strip().replace(" ", "%20")))
        except ValueError as error:
            raise refused(location) from error

    def _get(self, target: Target, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        path = target.parts.path or "/"
        query = f"?{target.parts.query}" if target.parts.query else ""
        trouble: Exception | None = None
        seconds = self._pace.expect_answer()
        for address in self._uris.addresses(target, seconds, self._pace.given_up):
            try:
                self._connection = self._connect(target, address)
                self._connection.request(self._method, f"{path}{query}", headers=dict(headers))
                self._answer = self._connection.getresponse()
                return self._answer
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                trouble = error
            except ApplianceError:
                self.close()
                raise
        shown = without_secrets(target.uri)
        raise Unavailable(f"{shown} can't be fetched: {trouble or 'it has no address'}") from trouble

    def _connect(self, target: Target, address: str) -> http.client.HTTPConnection:
        """A connection that goes to this address, whatever the name resolves to by now."""
        secure = target.parts.scheme == "https"
        connection = (http.client.HTTPSConnection if secure else http.client.HTTPConnection)(target.host, target.port)
        sock = PacedSocket((address, target.port), self._pace)
        connection.sock = sock
        if secure:
            try:
                sock.start_tls(target.host)
            except BaseException:
                sock.close()
                raise
        return connection
