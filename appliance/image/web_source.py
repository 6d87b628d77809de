"""One GET on the web for a client: filtered, pinned to the addresses that were checked, and given up when it drags."""

import http.client
from collections.abc import Mapping
from types import TracebackType
from urllib.parse import urljoin

from appliance.errors import ApplianceError, Unavailable
from appliance.image.web_address import without_secrets
from appliance.image.web_filter import Target, UriFilter, refused
from appliance.image.web_pace import PacedSocket, Patience
from appliance.values import MIB, whole_number

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
        self._headers = {"Accept-Encoding": "identity", "User-Agent": "glance-appliance"} | dict(headers or {})
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
