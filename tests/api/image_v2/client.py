"""An image service in a temporary directory, and a client that calls it as a WSGI application."""

import io
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

import pytest

from appliance.api.image_v2.routes import build
from appliance.blobs.durable import Disk
from appliance.datadir import DataDir
from appliance.errors import Unauthenticated
from appliance.image.service import Images
from appliance.image.stores import open_stores
from appliance.settings import Settings
from appliance.values import Caller
from tests.databases import open_test_database

# Keystone's standard roles imply each other downwards.
_ADMIN = frozenset({"admin", "manager", "member", "reader"})
_MEMBER = frozenset({"member", "reader"})
_READER = frozenset({"reader"})

CALLERS = {
    "admin": Caller("u-admin", "p-admin", roles=_ADMIN),
    "member": Caller("u-member", "p-owner", roles=_MEMBER),
    "reader": Caller("u-reader", "p-owner", roles=_READER),
    "other": Caller("u-other", "p-other", roles=_MEMBER),
    "consumer": Caller("u-consumer", "p-consumer", roles=_MEMBER),
    "consumer-reader": Caller("u-consumer-reader", "p-consumer", roles=_READER),
    "service": Caller("u-service", "p-service", roles=frozenset({"service"})),
    "unscoped": Caller("u-unscoped"),
    "system": Caller("u-system", system=True, roles=_ADMIN),
    "domain": Caller("u-domain", domain_id="d", roles=_ADMIN),
}


class Clock:
    """A wall clock that the test turns: one second further at each look."""

    def __init__(self) -> None:
        self.at = 1_760_000_000_000_000

    def __call__(self) -> int:
        self.at += 1_000_000
        return self.at


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Pieces(io.RawIOBase):
    """A request body that arrives in the pieces given; an exception among them is raised when it is its turn."""

    parts: list[bytes | Exception] = field(default_factory=list)
    reads: int = 0

    def read(self, size: int = -1, /) -> bytes:
        self.reads += 1
        if not self.parts:
            return b""
        part = self.parts.pop(0)
        if isinstance(part, Exception):
            raise part
        if 0 <= size < len(part):
            self.parts.insert(0, part[size:])
            part = part[:size]
        return part

    readinto = None  # type: ignore[assignment]


on_a_disk = pytest.mark.skipif("TEST_STORE_URL" in os.environ, reason="a bucket does not say how much room it has")
"""Of what only a store on a disk of its own does."""


def remote_store() -> dict[str, Any]:
    """Settings that put the single store into a bucket, when `make test-backends` runs these tests."""
    url = os.environ.get("TEST_STORE_URL")
    if not url:
        return {}
    options = tuple(os.environ["TEST_STORE_OPTIONS"].split(","))
    return {"store_url": f"{url}/{os.urandom(6).hex()}", "store_options": options}


class Cloud:
    """The image service of one directory."""

    def __init__(self, directory: Path, disk: Disk | None = None, **settings: Any) -> None:
        self.settings = Settings(
            data_dir=directory, **(({} if "enabled_backends" in settings else remote_store()) | settings)
        )
        self.clock = Clock()
        with ExitStack() as opened:
            self.db = open_test_database(directory / "appliance.db")
            opened.callback(self.db.close)
            self.stores = open_stores(self.settings, DataDir(directory), self.db, self.clock, disk=disk)
            opened.callback(self.stores.close)
            self._build()
            opened.pop_all()

    def _build(self) -> None:
        self.limits: dict[str, int] = {}
        self._elsewhere: dict[tuple[str, str], str] = {}
        self.images = Images(
            self.db,
            self.stores,
            self.settings,
            self.clock,
            lambda caller, *where: self._elsewhere.get(where),
            lambda project: self.limits,
        )
        self.app = build(self.images, self.authenticate, self.settings, identity_url=lambda _: "http://id.test/v3")

    def connect(self, elsewhere: dict[tuple[str, str], str]) -> None:
        """Image services of other regions, by region and interface."""
        self._elsewhere.update(elsewhere)

    def authenticate(self, token: str, method: str, path: str) -> Caller:
        if token not in CALLERS:
            raise Unauthenticated("The token is not valid.")
        return replace(CALLERS[token], token=f"tok-{token}")

    def recover(self) -> None:
        """Put right what is left, as a start does: on a server it has another lease than whoever was before."""
        if hasattr(self.db, "lease"):
            self.db.transact(lambda tx: tx.execute("UPDATE nodes SET generation = generation + 1"))
            self.db.lease.renew()
        self.images.recover()

    def close(self) -> None:
        self.images.close()
        self.stores.close()
        self.db.close()

    # -- calling it ------------------------------------------------------------------------------------------------

    def call(
        self,
        method: str,
        target: str,
        *,
        token: str | None = "member",
        body: Any = None,
        headers: dict[str, str] | None = None,
        **environment: Any,
    ) -> Answer:
        """One request. A dict or list is sent as JSON; a `Pieces` as a chunked body."""
        path, _, query = target.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": "glance.test",
            "SERVER_PORT": "9292",
            "HTTP_HOST": "glance.test:9292",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.url_scheme": "http",
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input": io.BytesIO(),
        }
        if token is not None:
            environ["HTTP_X_AUTH_TOKEN"] = token
        for name, value in (headers or {}).items():
            key = name.upper().replace("-", "_")
            environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
        if isinstance(body, Pieces):
            environ["wsgi.input"] = body
            environ.setdefault("CONTENT_LENGTH", "")
            environ["HTTP_TRANSFER_ENCODING"] = "chunked"
            environ["wsgi.input_terminated"] = True
        elif body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            environ["wsgi.input"] = io.BytesIO(data)
            environ["CONTENT_LENGTH"] = str(len(data))
        return self._run(environ | environment)

    def _run(self, environ: dict[str, Any]) -> Answer:
        seen: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            seen[:] = [int(status.split()[0]), {name.lower(): value for name, value in headers}]

        result = self.app(environ, start_response)
        try:
            data = b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close:
                close()
        return Answer(seen[0], seen[1], data)

    # -- what most tests begin with ----------------------------------------------------------------------------------

    def new(self, token: str = "member", **body: Any) -> dict[str, Any]:
        """A queued image, raw and bare unless said otherwise."""
        document = {"disk_format": "raw", "container_format": "bare"} | body
        answer = self.call("POST", "/v2/images", token=token, body=document)
        assert answer.status == 201, answer
        created: dict[str, Any] = answer.json
        return created

    def put(self, image_id: str, data: Any, token: str = "member", **headers: str) -> Answer:
        """Upload data."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Content-Type", "application/octet-stream")
        return self.call("PUT", f"/v2/images/{image_id}/file", token=token, body=data, headers=named)

    def active(self, data: bytes = b"some data", token: str = "member", **body: Any) -> dict[str, Any]:
        """An image with data."""
        image = self.new(token, **body)
        answer = self.put(image["id"], data, token)
        assert answer.status == 204, answer
        return self.show(image["id"])

    def show(self, image_id: str, token: str = "admin") -> dict[str, Any]:
        answer = self.call("GET", f"/v2/images/{image_id}", token=token)
        assert answer.status == 200, answer
        shown: dict[str, Any] = answer.json
        return shown

    def patch(self, image_id: str, *operations: Any, token: str = "member", old: bool = False) -> Answer:
        kind = f"application/openstack-images-v2.{0 if old else 1}-json-patch"
        return self.call(
            "PATCH", f"/v2/images/{image_id}", token=token, body=list(operations), headers={"Content-Type": kind}
        )

    def share(self, image_id: str, project: str = "p-consumer", accept: bool = False) -> None:
        answer = self.call("POST", f"/v2/images/{image_id}/members", body={"member": project})
        assert answer.status == 200, answer
        if accept:
            path = f"/v2/images/{image_id}/members/{project}"
            assert self.call("PUT", path, token="consumer", body={"status": "accepted"}).status == 200

    def names(self, query: str = "", token: str = "member") -> list[str]:
        """Names of a list, in its order."""
        answer = self.call("GET", f"/v2/images?{query}" if query else "/v2/images", token=token)
        assert answer.status == 200, answer
        return [image["name"] for image in answer.json["images"]]


def cloud(directory: Path, **settings: Any) -> Iterator[Cloud]:
    """A cloud for a fixture."""
    made = Cloud(directory, **settings)
    yield made
    made.close()
