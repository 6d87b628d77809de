"""Segments in a container of OpenStack Swift, natively: with a token of a Keystone, or with Swift's own tempauth."""

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from appliance.blobs.backends.objects import ObjectInfo, ObjectMissing, Refused, Unreachable
from appliance.blobs.backends.options import Options
from appliance.blobs.backends.registry import Location
from appliance.blobs.backends.remote import RemoteBackend
from appliance.blobs.durable import Bytes, Disk
from appliance.errors import WrongUsage
from appliance.values import KIB, MIB

_SEGMENT = 128 * MIB
_PAGE = 1000
_PIECE = 256 * KIB
_BACKOFF = 0.2
_IDLE = 8
_OPTIONS = (
    "auth_url",
    "user",
    "password",
    "password_file",
    "project",
    "user_domain",
    "project_domain",
    "region",
    "interface",
)


class _Response(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Wire:
    """HTTP requests with a time limit, over connections that are kept. For any thread."""

    def __init__(self, options: Options) -> None:
        self._timeout = options.number("timeout", 30)
        self._connect_timeout = options.number("connect_timeout", 5)
        self._tls = ssl.create_default_context()
        if ca_file := options.text("ca_file"):
            try:
                self._tls.load_verify_locations(ca_file)
            except (OSError, ssl.SSLError) as error:
                raise WrongUsage(f"ca_file: {ca_file} can't be read: {error}") from error
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, str], list[http.client.HTTPConnection]] = {}
        self._closed = False

    def call(self, method: str, url: str, headers: Mapping[str, str], body: Path | bytes | None = None) -> _Response:
        """Raises OSError and `http.client.HTTPException`."""
        parts = urlsplit(url)
        path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        place = (parts.scheme, parts.netloc)
        with self._lock:
            idle = self._idle.setdefault(place, [])
            connection = idle.pop() if idle else None
        connection = connection or self._connect(*place)
        try:
            response = self._ask(connection, method, path, headers, body)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if len(idle) < _IDLE and not self._closed:
                idle.append(connection)
                return response
        connection.close()
        return response

    def close(self) -> None:
        """Close what is idle; what is in use closes with its request."""
        with self._lock:
            self._closed = True
            for connection in [each for idle in self._idle.values() for each in idle]:
                connection.close()
            self._idle.clear()

    def _connect(self, scheme: str, netloc: str) -> http.client.HTTPConnection:
        if scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                netloc, timeout=self._connect_timeout, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(netloc, timeout=self._connect_timeout)
        connection.connect()
        return connection

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Path | bytes | None,
    ) -> _Response:
        deadline = time.monotonic() + self._timeout
        if connection.sock is not None:
            connection.sock.settimeout(self._timeout)
        if isinstance(body, Path):
            with body.open("rb") as file:
                connection.request(method, path, file, dict(headers))
        else:
            connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        pieces: list[bytes] = []
        while piece := response.read(_PIECE):
            pieces.append(piece)
            if time.monotonic() > deadline:
                raise TimeoutError("no answer in time")
        found = {name.lower(): value for name, value in response.getheaders()}
        return _Response(response.status, found, b"".join(pieces))


class _Access:
    """Where the account is, and a token for it, renewed when it is refused. For any thread."""

    def __init__(self, wire: _Wire, options: Options, place: str) -> None:
        self._wire = wire
        self._options = options
        self._place = place
        self._url = options.text("auth_url").rstrip("/")
        self._lock = threading.Lock()
        self._current: tuple[str, str] | None = None

    def get(self, refused: str = "") -> tuple[str, str]:
        """The account's address and a token, another than the one that was refused."""
        with self._lock:
            if self._current is None or self._current[1] == refused:
                self._current = self._legacy() if "/auth/v1" in self._url else self._keystone()
            return self._current

    def _legacy(self) -> tuple[str, str]:
        user, password = self._options.text("user"), _password(self._options)
        response = self._wire.call("GET", self._url, {"X-Auth-User": user, "X-Auth-Key": password})
        self._check(response)
        return response.headers["x-storage-url"], response.headers["x-auth-token"]

    def _keystone(self) -> tuple[str, str]:
        text = self._options.text
        user = {"name": text("user"), "domain": {"name": text("user_domain", "Default")}}
        scope = {"name": text("project"), "domain": {"name": text("project_domain", "Default")}}
        identity = {"methods": ["password"], "password": {"user": user | {"password": _password(self._options)}}}
        body = json.dumps({"auth": {"identity": identity, "scope": {"project": scope}}}).encode()
        base = self._url if self._url.endswith("/v3") else f"{self._url}/v3"
        response = self._wire.call("POST", f"{base}/auth/tokens", {"Content-Type": "application/json"}, body)
        self._check(response)
        interface, region = text("interface", "public"), text("region")
        for service in json.loads(response.body)["token"].get("catalog", ()):
            for endpoint in service["endpoints"] if service["type"] == "object-store" else ():
                if endpoint["interface"] == interface and region in ("", endpoint.get("region")):
                    return str(endpoint["url"]).rstrip("/"), response.headers["x-subject-token"]
        raise Refused(f"{self._place}: the catalog of {self._url} has no object-store with the interface {interface}")

    def _check(self, response: _Response) -> None:
        if response.status in (401, 403):
            raise Refused(f"{self._place}: {self._url} refuses the user's name or password")
        if response.status >= 300:
            raise Unreachable(f"{self._place}: {self._url} answers {response.status}")


class SwiftObjects:
    """The objects of one container under one prefix. Satisfies `Objects`."""

    largest = _SEGMENT

    def __init__(self, container: str, prefix: str, options: Options) -> None:
        self.place = f"swift://{container}/{prefix}".rstrip("/")
        self._container = container
        self._prefix = f"{prefix}/" if prefix else ""
        self._wire = _Wire(options)
        self._access = _Access(self._wire, options, self.place)
        self._tries = int(options.number("retries", 3)) + 1
        self._patience = options.number("timeout", 30)

    @property
    def details(self) -> Mapping[str, object]:
        return {
            "container": self._container,
            "large_object_size": _SEGMENT // MIB,
            "large_object_chunk_size": _SEGMENT // MIB,
        }

    def put(self, key: str, data: bytes) -> None:
        self._object("PUT", key, body=data)

    def put_file(self, key: str, path: Path, size: int) -> None:
        self._object("PUT", key, {"Content-Length": str(size)}, path)

    def get(self, key: str) -> bytes:
        return self._object("GET", key).body

    def get_range(self, key: str, offset: int, length: int) -> Bytes:
        return self._object("GET", key, {"Range": f"bytes={offset}-{offset + length - 1}"}).body

    def head(self, key: str) -> ObjectInfo | None:
        try:
            headers = self._object("HEAD", key).headers
        except ObjectMissing:
            return None
        modified = int(float(headers.get("x-timestamp", "0")) * 1_000_000)
        return ObjectInfo(key, int(headers["content-length"]), modified)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        marker = ""
        while True:
            query = {"format": "json", "limit": _PAGE, "prefix": self._prefix + prefix, "marker": marker}
            found = json.loads(self._call("GET", f"?{urlencode(query)}").body)
            for item in found:
                at = datetime.fromisoformat(item["last_modified"]).replace(tzinfo=UTC).timestamp()
                yield ObjectInfo(item["name"].removeprefix(self._prefix), item["bytes"], int(at * 1_000_000))
            if not found:
                return
            marker = found[-1]["name"]

    def delete(self, key: str) -> None:
        try:
            self._object("DELETE", key)
        except ObjectMissing:
            pass

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def _object(
        self, method: str, key: str, headers: Mapping[str, str] | None = None, body: Path | bytes | None = None
    ) -> _Response:
        response = self._call(method, f"/{quote(self._prefix + key)}", headers, body)
        if response.status == 404:
            # The object is missing, unless it is the whole container.
            self._call("HEAD", "")
            raise ObjectMissing
        return response

    def _call(
        self, method: str, rest: str, headers: Mapping[str, str] | None = None, body: Path | bytes | None = None
    ) -> _Response:
        began, reason, refused = time.monotonic(), "", ""
        for number in range(self._tries):
            try:
                account, token = self._access.get(refused)
                url = f"{account}/{quote(self._container)}{rest}"
                response = self._wire.call(method, url, {**(headers or {}), "X-Auth-Token": token}, body)
            except (OSError, http.client.HTTPException) as error:
                reason = _reason(error)
            else:
                if response.status == 401 and not refused:
                    refused = token
                elif response.status < 500 and response.status not in (408, 429):
                    return self._checked(response, rest)
                else:
                    reason = f"it answers {response.status}"
            if time.monotonic() - began > self._patience:
                break
            time.sleep(_BACKOFF * number)
        raise Unreachable(f"{self.place} can't be reached: {reason or 'its tokens are refused'}")

    def _checked(self, response: _Response, rest: str) -> _Response:
        if response.status == 404 and not rest.startswith("/"):
            raise Refused(f"{self.place}: there is no such container: make it first")
        if response.status in (401, 403):
            raise Refused(f"{self.place}: the user may not do this there")
        if response.status == 507 or response.status == 413:
            raise Refused(f"{self.place}: the account's quota is used up")
        if response.status >= 300 and response.status != 404:
            raise Unreachable(f"{self.place} answers {response.status}")
        return response


def connect(location: Location, disk: Disk) -> RemoteBackend:
    """The backend of `container/prefix`."""
    container, _, prefix = location.place.strip("/").partition("/")
    options = Options(location, _OPTIONS)
    if not container:
        raise WrongUsage(f"store {location.store}: write swift://container/prefix")
    for name in ("auth_url", "user"):
        if not options.text(name):
            raise WrongUsage(f"store_options: store {location.store} needs {name}")
    _password(options)
    objects = SwiftObjects(container, prefix, options)
    return RemoteBackend(objects, location.directory, options.cache_directory, options.cache_size, disk)


def _password(options: Options) -> str:
    """From the file, read anew each time: whoever changes the password changes the file."""
    file = options.text("password_file")
    if not file:
        return options.text("password")
    try:
        return Path(file).read_text().partition("\n")[0].strip()
    except OSError as error:
        raise WrongUsage(f"password_file: {file} can't be read: {error.strerror}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or "the connection broke"
