"""The bytes of one answer, which are asked for again from where it broke off: so every try brings a line further."""

import http.client
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

from appliance.errors import Invalid, Unavailable
from appliance.fleet.pace import Interrupted
from appliance.fleet.web import Incoming, Pace, length_of

_TRIES = 4
"""One after the other that bring nothing."""

Ask = Callable[[Mapping[str, str]], AbstractContextManager[http.client.HTTPResponse]]
"""Makes the request once more, with further headers."""


class Resumed:
    """Reads an answer that says what it is by its `ETag`. Used with `with`.

    Raises `Unavailable` when it breaks off for good, or is another answer than it was, `Invalid` if it is longer than
    `most`.
    """

    def __init__(self, ask: Ask, most: int, pace: Pace, pause: Callable[[float], None]) -> None:
        self._ask = ask
        self._most = most
        self._pace = pace
        self._pause = pause
        self._opened = ExitStack()
        self._incoming: Incoming | None = None
        self._tag = ""
        self._came = 0
        self._tries = 0

    def read(self, size: int) -> bytes:
        """The next bytes, up to `size`; none at the end."""
        while True:
            try:
                incoming = self._incoming = self._incoming or self._open()
                part = incoming.read(size)
                if part or not incoming.is_torn:
                    self._came += len(part)
                    if self._came > self._most:
                        raise Invalid("The other side sends more than it was asked for.")
                    self._tries = 0 if part else self._tries
                    return part
                raise Unavailable("The other side broke off.")
            except (Unavailable, OSError, http.client.HTTPException) as error:
                self._break_off(error)

    def _open(self) -> Incoming:
        wanted = {"Range": f"bytes={self._came}-", "If-Range": self._tag} if self._came else {}
        response = self._opened.enter_context(self._ask(wanted))
        length, tag = length_of(response), response.headers.get("ETag") or ""
        if self._came + (length or 0) > self._most:
            raise Invalid("The other side sends more than it was asked for.")
        if self._came and (response.status != 206 or tag != self._tag):
            self._tag = ""
            raise Unavailable("The other side broke off, and has another answer now.")
        self._tag = tag
        return Incoming(response, self._pace)

    def _break_off(self, error: Exception) -> None:
        """Close what broke; raises the error if there is no use in another try."""
        self._incoming = None
        try:
            with self._opened.pop_all():
                raise error
        except Interrupted:
            raise
        except Unavailable:
            self._tries += 1
            if not (self._tag and self._came) or self._tries >= _TRIES:
                raise
        if self._tries > 1:
            self._pause(0.5 * self._tries)

    def __enter__(self) -> "Resumed":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(kind, error, trace)
