"""A disk that is full is emptied through the service, at whatever point it is stopped, killed or started again."""

import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Program
from tests.e2e.conftest import PASSWORD, Appliance

MIB = 1 << 20


class Service(Appliance):
    """An appliance, and an administrator's calls to it."""

    token = ""

    def call(self, method: str, url: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
        """Status, decoded body and headers."""
        if isinstance(body, bytes):
            data: bytes | None = body
            headers |= {"Content-Type": "application/octet-stream"}
        else:
            data = None if body is None else json.dumps(body).encode()
            headers |= {"Content-Type": "application/json"} if body is not None else {}
        request = urllib.request.Request(url, data, {"X-Auth-Token": self.token, **headers}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, _decoded(response.read()), response.headers
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read()), error.headers

    def log_in(self) -> int:
        user = {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}
        scope = {"project": {"name": "admin", "domain": {"id": "default"}}}
        auth = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        status, _, headers = self.call("POST", f"{self.identity}/auth/tokens", auth)
        self.token = headers.get("X-Subject-Token", "")
        return status

    def create(self, **more: Any) -> tuple[int, Any, Any]:
        body = {"name": "x", "disk_format": "raw", "container_format": "bare", **more}
        return self.call("POST", f"{self.image}/v2/images", body)

    def upload(self, size: int) -> int:
        """A new image of random bytes; the status of the step that failed, or 204."""
        status, image, _ = self.create()
        if status != 201:
            return status
        return self.call("PUT", f"{self.image}/v2/images/{image['id']}/file", os.urandom(size))[0]

    def images(self) -> list[str]:
        status, page, _ = self.call("GET", f"{self.image}/v2/images?limit=1000")
        assert status == 200
        return [image["id"] for image in page["images"]]

    def fill(self) -> None:
        """Until nothing more is taken, neither data nor rows."""
        for size in (2 * MIB, MIB // 8):
            for _ in range(200):
                if self.upload(size) != 204:
                    break
        for _ in range(500):
            if self.create(padding="x" * 200)[0] != 201:
                return
        raise AssertionError("the disk was never full")


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of 40 MiB of its own."""
    mount = tmp_path / "small"
    mount.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a file system can't be mounted here: {done.stderr.decode().strip()}")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


@pytest.fixture
def service(small: Path) -> Iterator[Service]:
    started = Service(small / "data", "--disk-reserve", "4M")
    assert started.log_in() == 201
    yield started
    if started.process.poll() is None:
        started.kill()


def until_uploads_work(service: Service) -> None:
    for _ in range(100):
        if service.upload(MIB) == 204:
            return
        time.sleep(0.2)
    raise AssertionError(service.log())


def test_a_full_disk_is_emptied_through_the_service(service: Service, tmp_path: Path) -> None:
    service.fill()
    assert service.create()[0] == 413
    assert service.log_in() == 201
    assert service.call("GET", f"{service.image}/healthcheck")[0] == 200
    status, told, _ = service.call("GET", f"{service.image}/healthcheck?write")
    assert (status, "the disk is full" in told) == (503, True)
    status, told, _ = service.call("GET", f"{service.identity.removesuffix('/v3')}/healthcheck?write")
    assert (status, "the disk is full" in told) == (503, True)
    assert "the disk is full" in service.call("GET", f"{service.image}/healthcheck?detailed")[1]
    told = Program(tmp_path)("status", "--data-dir", service.directory, code=1).text
    assert "the disk is full" in told
    deleted = {service.call("DELETE", f"{service.image}/v2/images/{image}")[0] for image in service.images()}
    assert deleted == {204}
    until_uploads_work(service)
    assert service.call("GET", f"{service.image}/healthcheck?write")[0] == 200


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_service_on_a_full_disk_starts_again_and_can_be_emptied(service: Service, end: str) -> None:
    service.fill()
    getattr(service, end)()
    service.start()
    assert service.log_in() == 201
    first, *rest = service.images()
    assert service.call("DELETE", f"{service.image}/v2/images/{first}")[0] == 204
    getattr(service, end)()
    service.start()
    assert service.log_in() == 201
    assert first not in service.images()
    assert {service.call("DELETE", f"{service.image}/v2/images/{image}")[0] for image in rest} == {204}
    getattr(service, end)()
    service.start()
    assert service.log_in() == 201
    until_uploads_work(service)


def test_a_disk_that_others_have_filled_to_the_last_byte(service: Service, small: Path) -> None:
    assert service.upload(MIB) == 204
    with open(small / "other", "wb", buffering=0) as other:
        try:
            while other.write(b"x" * 4096):
                pass
        except OSError:
            pass
    assert service.upload(MIB) == 413
    assert service.log_in() == 201
    service.kill()
    service.start()
    assert service.log_in() == 201
    assert {service.call("DELETE", f"{service.image}/v2/images/{image}")[0] for image in service.images()} == {204}
    (small / "other").unlink()
    until_uploads_work(service)
