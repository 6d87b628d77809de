"""The few calls that the smoke test makes, on the standard library alone."""

import json
import urllib.request
from typing import Any


class Client:
    """The administrator of one appliance."""

    def __init__(self, image: str, identity: str, password: str) -> None:
        self._image = image
        user = {"name": "admin", "password": password, "domain": {"id": "default"}}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        asked = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        request = urllib.request.Request(
            f"{identity}/auth/tokens", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            self._token = answer.headers["X-Subject-Token"]

    def upload(self, name: str, body: bytes) -> str:
        """Make an image of these bytes; its id."""
        described = {"name": name, "disk_format": "raw", "container_format": "bare"}
        image_id = str(json.loads(self._call("POST", "/v2/images", json.dumps(described).encode()))["id"])
        self._call("PUT", f"/v2/images/{image_id}/file", body, "application/octet-stream")
        return image_id

    def show(self, image_id: str) -> dict[str, Any]:
        """What the service says of the image."""
        shown: dict[str, Any] = json.loads(self._call("GET", f"/v2/images/{image_id}"))
        return shown

    def download(self, image_id: str) -> bytes:
        """The image's bytes."""
        return self._call("GET", f"/v2/images/{image_id}/file")

    def delete(self, image_id: str) -> None:
        """Delete the image."""
        self._call("DELETE", f"/v2/images/{image_id}")

    def _call(self, method: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        headers = {"X-Auth-Token": self._token, "Content-Type": kind}
        request = urllib.request.Request(self._image + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            data: bytes = answer.read()
            return data
