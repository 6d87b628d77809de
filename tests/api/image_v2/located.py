"""Images whose data is at a URL, for the tests of locations: the data, the settings, and the calls."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.api.image_v2.client import Answer, Cloud
from tests.api.image_v2.importing import ended
from tests.api.image_v2.web import Page, Web, web_server

DATA = bytes(range(256)) * 4096
SHA512 = hashlib.sha512(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()
MD5 = hashlib.md5(DATA).hexdigest()
LOOPBACK = {"import_allowed_hosts": ("127.0.0.1",), "import_allowed_ports": ()}
SHOWN = {**LOOPBACK, "show_multiple_locations": True, "show_image_direct_url": True}


def opened(directory: Path, **settings: Any) -> Iterator[Cloud]:
    made = Cloud(directory, **settings)
    yield made
    made.close()


def add(cloud: Cloud, image: str, url: Any, token: str | None = "member", **more: Any) -> Answer:
    return cloud.call("POST", f"/v2/images/{image}/locations", token=token, body={"url": url, **more})


def located(cloud: Cloud, web: Web, path: str = "/image") -> str:
    """An active image that is at a URL."""
    image = str(cloud.new()["id"])
    assert add(cloud, image, f"{web.base}{path}").status == 202
    assert ended(cloud, image)["status"] == "success"
    return image


def fetch(cloud: Cloud, image: str, token: str = "member", **headers: str) -> Answer:
    return cloud.call("GET", f"/v2/images/{image}/file", token=token, headers=headers)


@contextmanager
def pages() -> Iterator[Web]:
    """A web server with the data at two addresses, and nothing at a third."""
    with web_server() as server:
        server.pages["/image"] = Page(DATA)
        server.pages["/other"] = Page(DATA)
        server.pages["/empty"] = Page(b"")
        yield server
