"""Interoperable import for its tests: an image service that may fetch from loopback, and the calls of an import."""

import random
from pathlib import Path
from typing import Any

from tests.api.image_v2.client import Answer, Cloud
from tests.api.image_v2.web import Web
from tests.waiting import eventually

DATA = random.Random(2).randbytes(200_000)
OCTETS = {"Content-Type": "application/octet-stream"}
ALL_METHODS = ("glance-direct", "web-download", "copy-image", "glance-download")


def made(directory: Path, web: Web, **more: Any) -> Cloud:
    return Cloud(
        directory,
        import_allowed_hosts=("127.0.0.1", "does-not-exist.invalid"),
        import_allowed_ports=(str(web.port), "80"),
        enabled_import_methods=ALL_METHODS,
        **more,
    )


def begin(cloud: Cloud, image: str, method: str, token: str = "member", **body: Any) -> Answer:
    details = body.pop("details", {})
    headers = body.pop("headers", {})
    document = {"method": {"name": method} | details} | body
    return cloud.call("POST", f"/v2/images/{image}/import", token=token, body=document, headers=headers)


def ended(cloud: Cloud, image: str) -> dict[str, Any]:
    """The image's newest task, once it has ended."""

    def newest() -> dict[str, Any]:
        tasks: list[dict[str, Any]] = cloud.call("GET", f"/v2/images/{image}/tasks", token="admin").json["tasks"]
        return tasks[0] if tasks else {"status": "none"}

    eventually(lambda: newest()["status"] in ("success", "failure"))
    return newest()


def staged(cloud: Cloud, data: bytes = DATA, **body: Any) -> str:
    image: str = cloud.new(**body)["id"]
    assert cloud.call("PUT", f"/v2/images/{image}/stage", body=data, headers=OCTETS).status == 204
    return image


def download(cloud: Cloud, image: str) -> bytes:
    return cloud.call("GET", f"/v2/images/{image}/file").body
