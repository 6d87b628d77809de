"""The process itself: ready lines, exit codes, one owner, `kill -9`, and what `curl` sees without a token."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.e2e.conftest import PASSWORD, ROOT, Appliance, launch
from tests.waiting import eventually


def fetch(
    url: str, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, {key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def token_of(appliance: Appliance) -> str:
    auth = {
        "identity": {
            "methods": ["password"],
            "password": {"user": {"name": "admin", "domain": {"id": "default"}, "password": PASSWORD}},
        },
        "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
    }
    status, headers, body = fetch(
        appliance.identity,
        "/v3/auth/tokens",
        "POST",
        json.dumps({"auth": auth}).encode(),
        Content_Type="application/json",
    )
    assert status == 201, body
    return headers["x-subject-token"]


def new_image(appliance: Appliance, token: str, name: str = "x") -> str:
    document = json.dumps({"name": name, "disk_format": "raw", "container_format": "bare"}).encode()
    status, _, body = fetch(appliance.image, "/v2/images", "POST", document, X_Auth_Token=token)
    assert status == 201, body
    image: str = json.loads(body)["id"]
    return image


def upload(appliance: Appliance, token: str, image: str, data: bytes) -> int:
    return fetch(
        appliance.image,
        f"/v2/images/{image}/file",
        "PUT",
        data,
        X_Auth_Token=token,
        Content_Type="application/octet-stream",
    )[0]


def status_of(appliance: Appliance, token: str, image: str) -> str:
    status: str = json.loads(fetch(appliance.image, f"/v2/images/{image}", X_Auth_Token=token)[2])["status"]
    return status


@pytest.mark.parametrize(("path", "status"), [("/", 300), ("/versions", 200), ("/healthcheck", 200), ("/v9", 300)])
def test_curl_without_a_token_finds_the_image_service(appliance: Appliance, path: str, status: int) -> None:
    assert fetch(appliance.image, path)[0] == status


@pytest.mark.parametrize(("path", "status"), [("/", 300), ("/v3", 200), ("/v3/", 200), ("/nowhere", 404)])
def test_curl_without_a_token_finds_the_identity_service(appliance: Appliance, path: str, status: int) -> None:
    assert fetch(appliance.identity, path)[0] == status


def test_image_requests_without_a_token_are_challenged(appliance: Appliance) -> None:
    status, headers, body = fetch(appliance.image, "/v2/images")
    assert status == 401 and headers["www-authenticate"].startswith("Keystone uri=")
    assert b"Traceback" not in body


def test_a_bare_delete_needs_no_content_length(appliance: Appliance) -> None:
    token = token_of(appliance)
    image = new_image(appliance, token)
    assert fetch(appliance.image, f"/v2/images/{image}", "DELETE", X_Auth_Token=token)[0] == 204


def test_an_admin_sees_what_the_store_holds_and_saves(appliance: Appliance) -> None:
    token = token_of(appliance)
    image = new_image(appliance, token)
    assert upload(appliance, token, image, os.urandom(1 << 20) + bytes(1 << 20)) == 204
    space = json.loads(fetch(appliance.image, f"/appliance/v1/images/{image}/space", X_Auth_Token=token)[2])
    assert [place["saved_by_holes"] for place in space["contents"]] == [1 << 20]
    stores = json.loads(fetch(appliance.image, "/appliance/v1/store", X_Auth_Token=token)[2])["stores"]
    assert stores[0]["store"] == "main" and stores[0]["logical"] >= 2 << 20
    assert fetch(appliance.image, "/appliance/v1/store")[0] == 401
    assert fetch(appliance.image, "/appliance/v1/store/plan", X_Auth_Token=token)[0] == 200
    assert fetch(appliance.image, "/appliance/v1/store/collect", "POST", X_Auth_Token=token)[0] == 202
    assert fetch(appliance.image, "/appliance/v1/store/dance", "POST", X_Auth_Token=token)[0] == 404


def test_credentials_are_for_their_owner_only(appliance: Appliance) -> None:
    for name in ("clouds.yaml", "admin-openrc", "keys"):
        assert (appliance.directory / name).stat().st_mode & 0o077 == 0, name


def test_a_second_serve_is_refused_at_once_naming_the_holder(appliance: Appliance) -> None:
    second = subprocess.run(
        [sys.executable, ROOT / "appliance.py", "serve", "--data-dir", appliance.directory],
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert f"in use by process {appliance.process.pid}" in second.stderr
    assert len(second.stderr.splitlines()) == 1


def test_a_busy_port_is_one_sentence(appliance: Appliance, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, ROOT / "appliance.py", "serve", "--data-dir", tmp_path / "d", "--image-port", port],
            capture_output=True,
            text=True,
            check=False,
        )
    assert ended.returncode == 1 and port in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_wrong_usage_is_exit_code_2() -> None:
    for flags in (["--no-such-flag"], ["--image-port", "many"]):
        ended = subprocess.run(
            [sys.executable, ROOT / "appliance.py", "serve", *flags], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 2 and "Traceback" not in ended.stderr


def test_a_random_password_is_printed_once(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path / "data", environment={"APPLIANCE_ADMIN_PASSWORD": ""})
    appliance.stop()
    first = "\n".join(appliance.output)
    appliance.start()
    appliance.stop()
    assert "with the password" in first and "with the password" not in "\n".join(appliance.output)


def test_sigterm_lets_a_running_upload_end(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    token = token_of(appliance)
    image = new_image(appliance, token)
    address = urlsplit(appliance.image)
    data = os.urandom(4 << 20)
    with socket.create_connection((address.hostname, address.port), 60) as connection:
        head = (
            f"PUT /v2/images/{image}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        connection.sendall(head.encode() + data[: 1 << 20])
        eventually(lambda: status_of(appliance, token, image) == "saving")
        appliance.process.send_signal(signal.SIGTERM)
        connection.sendall(data[1 << 20 :])
        assert connection.recv(100).startswith(b"HTTP/1.1 204")
    assert appliance.wait() == 0
    appliance.start()
    token = token_of(appliance)
    assert fetch(appliance.image, f"/v2/images/{image}/file", X_Auth_Token=token)[2] == data
    appliance.stop()


def test_kill_9_keeps_what_was_acknowledged_and_undoes_the_rest(tmp_path: Path) -> None:
    appliance = launch(tmp_path)
    stored: dict[str, bytes] = {}
    for _ in range(3):
        token = token_of(appliance)
        data = os.urandom(1 << 20) + bytes(1 << 20)
        image = new_image(appliance, token)
        assert upload(appliance, token, image, data) == 204
        stored[image] = data

        half = new_image(appliance, token, "half")
        address = urlsplit(appliance.image)
        connection = socket.create_connection((address.hostname, address.port), 60)
        head = (
            f"PUT /v2/images/{half}/file HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {token}\r\n"
            "Content-Type: application/octet-stream\r\nContent-Length: 99999999\r\n\r\n"
        )
        connection.sendall(head.encode() + os.urandom(3 << 20))
        eventually(lambda: status_of(appliance, token, half) == "saving")  # noqa: B023
        appliance.kill()
        connection.close()

        appliance.start()
        token = token_of(appliance)
        assert status_of(appliance, token, half) == "queued"
        for known, content in stored.items():
            assert fetch(appliance.image, f"/v2/images/{known}/file", X_Auth_Token=token)[2] == content
        assert upload(appliance, token, half, b"second try") == 204
        stored[half] = b"second try"
    assert not [path for path in appliance.directory.rglob("staging/*") if path.is_file()]
    assert appliance.stop() == 0
