"""Requests as python-keystoneclient 0.4.1 and python-glanceclient 0.12.0 put them on the wire, over real sockets.

What they send: headers with underscores in their names and UTF-8 in their values, chunks of 64 KiB, a length of zero
for "no data", explicit nulls; names are tried as ids first.
"""

import hashlib
import http.client
import json
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from appliance.logs import redact
from appliance.settings import Settings
from appliance.wiring import Appliance
from tests.waiting import eventually

PASSWORD = "secretadmin"
OCTETS = {"Content-Type": "application/octet-stream"}
JSON = {"Content-Type": "application/json"}
DATA = bytes(range(256)) * 1000


@dataclass
class Wire:
    """The three ports of an appliance, and what the old clients say to them."""

    image: int
    identity: int
    admin: int
    token: str = ""
    heard: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)

    def send(
        self, port: int, method: str, path: str, headers: dict[str, Any], body: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request with exactly these headers and a host. A list is sent as so many chunks."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if isinstance(body, list):
                connection.putheader("Transfer-Encoding", "chunked")
                connection.endheaders()
                for chunk in [*body, b""]:
                    connection.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            else:
                connection.putheader("Content-Length", str(len(body or b"")))
                connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def keystone(self, method: str, path: str, body: Any = None, *, public: bool = False) -> tuple[int, Any]:
        headers = {"Accept": "*/*", "X-Auth-Token": self.token, "User-Agent": "python-keystoneclient"}
        raw = None if body is None else json.dumps(body).encode()
        port = self.identity if public else self.admin
        status, _, text = self.send(port, method, f"/v2.0{path}", headers | (JSON if raw else {}), raw)
        return status, json.loads(text) if text else None

    def glance(
        self, method: str, path: str, headers: dict[str, Any] | None = None, body: Any = None
    ) -> tuple[int, dict[str, str], bytes]:
        usual = {"X-Auth-Token": self.token, "User-Agent": "python-glanceclient"}
        return self.send(self.image, method, path, usual | OCTETS | (headers or {}), body)

    def sign_in(self) -> dict[str, Any]:
        auth = {"tenantName": "admin", "passwordCredentials": {"username": "admin", "password": PASSWORD}}
        status, answer = self.keystone("POST", "/tokens", {"auth": auth}, public=True)
        assert status == 200
        self.token = answer["access"]["token"]["id"]
        access: dict[str, Any] = answer["access"]
        return access


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    """An appliance with --legacy in this process."""
    directory: Path = tmp_path_factory.mktemp("wire")
    settings = Settings(
        data_dir=directory / "data",
        admin_password=PASSWORD,
        image_port=0,
        identity_port=0,
        legacy=True,
        legacy_admin_port=0,
        admin_token="boot",
    )
    with Appliance(settings) as appliance:
        appliance.start()
        image, identity, admin = (port for _, port in appliance.server.addresses)
        thread = threading.Thread(target=appliance.run)
        thread.start()
        made = Wire(image, identity, admin)
        made.sign_in()
        yield made
        appliance.stop()
        thread.join()


def test_user_create_then_role_add_then_remove(wire: Wire) -> None:
    user = {"email": "g@example.com", "password": "pw", "enabled": True, "name": "glance", "tenantId": None}
    status, made = wire.keystone("POST", "/users", {"user": user})
    assert status == 200 and made["user"]["email"] == "g@example.com"
    ids = {}
    for path, key, name in (
        ("/users", "users", "glance"),
        ("/OS-KSADM/roles", "roles", "admin"),
        ("/tenants", "tenants", "service"),
    ):
        assert wire.keystone("GET", f"{path}/{name}")[0] == 404
        status, listed = wire.keystone("GET", path)
        ids[key] = next(one["id"] for one in listed[key] if one["name"] == name)
    grant = f"/tenants/{ids['tenants']}/users/{ids['users']}/roles/OS-KSADM/{ids['roles']}"
    assert wire.keystone("PUT", grant)[0] == 200
    assert wire.keystone("DELETE", grant)[0] == 204
    assert wire.keystone("DELETE", f"/users/{ids['users']}")[0] == 204


def test_service_and_endpoint_create(wire: Wire) -> None:
    service = {"type": "image", "name": "glance", "description": "Glance Image service"}
    _, made = wire.keystone("POST", "/OS-KSADM/services", {"OS-KSADM:service": service})
    service_id = made["OS-KSADM:service"]["id"]
    assert wire.keystone("GET", f"/OS-KSADM/services/{service_id}")[0] == 200
    url = f"http://127.0.0.1:{wire.image}"
    urls = {"adminurl": url, "internalurl": url, "publicurl": url}
    _, made = wire.keystone(
        "POST", "/endpoints", {"endpoint": {"service_id": service_id, "region": "regionOne", **urls}}
    )
    assert made["endpoint"]["publicurl"] == url
    assert wire.keystone("DELETE", f"/endpoints/{made['endpoint']['id']}")[0] == 204
    assert wire.keystone("DELETE", f"/OS-KSADM/services/{service_id}")[0] == 204


def test_image_create_in_chunks_and_everything_after_it(wire: Wire) -> None:
    headers = {
        "x-image-meta-container_format": "bare",
        "x-image-meta-size": str(len(DATA)),
        "x-image-meta-is_public": "True",
        "x-image-meta-disk_format": "raw",
        "x-image-meta-name": "CirrOS ümläut 0.3.1".encode(),
        "x-image-meta-property-Kernel_Id": "a b",
        "x-image-meta-property-notiz": "grün".encode(),
    }
    chunks = [DATA[at : at + 65536] for at in range(0, len(DATA), 65536)]
    status, answered, body = wire.glance("POST", "/v1/images", headers, chunks)
    image = json.loads(body)["image"]
    assert status == 201 and answered["etag"] == hashlib.md5(DATA).hexdigest() == image["checksum"]
    assert (image["name"], image["is_public"], image["status"]) == ("CirrOS ümläut 0.3.1", True, "active")
    assert image["properties"] == {"kernel_id": "a b", "notiz": "grün"}
    path = f"/v1/images/{image['id']}"
    status, shown, body = wire.glance("HEAD", path)
    assert status == 200 and body == b"" and shown["x-image-meta-is_public"] == "True"
    assert shown["x-image-meta-name"].encode("latin-1").decode() == "CirrOS ümläut 0.3.1"
    status, _, body = wire.glance("PUT", path, {"x-glance-registry-purge-props": "false", "x-image-meta-min_disk": "5"})
    assert status == 200 and json.loads(body)["image"]["min_disk"] == 5
    assert json.loads(body)["image"]["properties"] == image["properties"]
    status, _, body = wire.glance(
        "PUT", path, {"x-glance-registry-purge-props": "true", "x-image-meta-property-a": "b"}
    )
    assert json.loads(body)["image"]["properties"] == {"a": "b"}
    status, answered, body = wire.glance("GET", path)
    assert status == 200 and body == DATA and answered["content-length"] == str(len(DATA))
    status, _, body = wire.glance("GET", "/v1/images/detail?sort_key=name&sort_dir=asc&limit=20", JSON)
    assert [one["id"] for one in json.loads(body)["images"]] == [image["id"]]
    status, _, body = wire.glance("DELETE", path)
    assert (status, body) == (200, b"")
    status, shown, _ = wire.glance("HEAD", path)
    assert status == 200 and shown["x-image-meta-deleted"] == "True"


def test_an_update_without_data_is_no_empty_upload(wire: Wire) -> None:
    headers = {"x-image-meta-container_format": "bare", "x-image-meta-disk_format": "raw", "x-image-meta-name": "q"}
    status, _, body = wire.glance("POST", "/v1/images", headers | {"x-image-meta-is_public": "False"})
    image = json.loads(body)["image"]
    assert (status, image["status"]) == (201, "queued")
    path = f"/v1/images/{image['id']}"
    status, _, body = wire.glance("PUT", path, {"x-glance-registry-purge-props": "false"})
    assert (status, json.loads(body)["image"]["status"]) == (200, "queued")
    status, _, body = wire.glance("PUT", path, {"x-image-meta-size": "5"}, [b"bytes"])
    assert (status, json.loads(body)["image"]["status"]) == (200, "active")
    assert wire.glance("DELETE", path)[0] == 200


def test_wrong_sizes_and_tokens_are_answered_in_plain_text(wire: Wire) -> None:
    headers = {"x-image-meta-container_format": "bare", "x-image-meta-disk_format": "raw"}
    status, answered, body = wire.glance("POST", "/v1/images", headers | {"x-image-meta-size": "4"}, [b"bytes"])
    assert status == 400 and answered["content-type"].startswith("text/plain") and b"killed" in body
    status, answered, _ = wire.glance("GET", "/v1/images/detail", {"X-Auth-Token": "bad-token"})
    assert status == 401 and answered["www-authenticate"] == f"Keystone uri='http://127.0.0.1:{wire.identity}'"


def test_member_create_with_a_body_and_delete_without(wire: Wire) -> None:
    headers = {"x-image-meta-container_format": "bare", "x-image-meta-disk_format": "raw", "x-image-meta-size": "5"}
    image = json.loads(wire.glance("POST", "/v1/images", headers, [b"bytes"])[2])["image"]
    path = f"/v1/images/{image['id']}/members/somebody"
    assert wire.glance("PUT", path, JSON, b'{"member": {"can_share": false}}')[0] == 204
    assert json.loads(wire.glance("GET", "/v1/shared-images/somebody", JSON)[2]) == {
        "shared_images": [{"image_id": image["id"], "can_share": False}]
    }
    assert [wire.glance("DELETE", path)[0] for _ in range(2)] == [204, 404]


def test_the_middleware_of_the_time_validates_users(wire: Wire, caplog: pytest.LogCaptureFixture) -> None:
    """`auth_host`, `admin_user` and so on: a service's own token, discovery, then the user's token in the address."""
    auth = {"tenantName": "admin", "passwordCredentials": {"username": "admin", "password": PASSWORD}}
    _, own = wire.keystone("POST", "/tokens", {"auth": auth})
    status, _, body = wire.send(wire.admin, "GET", "/", {"Accept": "application/json"})
    versions = {version["id"]: version for version in json.loads(body)["versions"]["values"]}
    assert status == 300 and set(versions) == {"v3.14", "v2.0"}
    assert versions["v2.0"]["links"][0]["href"] == f"http://127.0.0.1:{wire.admin}/v2.0/"
    service = Wire(wire.image, wire.identity, wire.admin, own["access"]["token"]["id"])
    caplog.set_level(logging.INFO, "appliance.server.access")
    status, shown = service.keystone("GET", f"/tokens/{wire.token}")
    assert status == 200 and shown["access"]["user"]["name"] == "admin" and shown["access"]["user"]["roles"]
    assert service.keystone("GET", "/tokens/nonsense")[0] == 404

    # The address holds the token; the log's formatter takes it out. A request is logged once its answer has been sent.
    def written() -> str:
        return "\n".join(redact(record.getMessage()) for record in list(caplog.records))

    eventually(lambda: "/v2.0/tokens/***" in written())
    assert wire.token not in written()
    headers = {"X-Auth-Token": service.token, "X-Subject-Token": wire.token}
    assert wire.send(wire.admin, "GET", "/v3/auth/tokens", headers)[0] == 200


@pytest.mark.parametrize(
    "path", ["/v2.0/tokens/eyJx.y.z", "//v2.0//tokens//eyJx.y.z", "/v2.0/tokens/eyJx.y.z/endpoints"]
)
def test_no_way_of_writing_the_address_gets_a_token_into_the_log(path: str) -> None:
    assert "eyJx" not in redact(f"127.0.0.1 GET {path} 200")


def test_the_bootstrap_token_serves_on_the_admin_port_alone(wire: Wire) -> None:
    boot = Wire(wire.image, wire.identity, wire.admin, "boot")
    assert boot.keystone("GET", "/tenants")[0] == 200
    assert boot.keystone("GET", "/tenants", public=True)[0] == 401
    assert boot.glance("GET", "/v1/images")[0] == 401


def test_headers_with_underscores_pass_for_nothing_else(wire: Wire) -> None:
    """Were they read, `X_Auth_Token` would get past a proxy that removes `X-Auth-Token`."""
    assert wire.send(wire.image, "GET", "/v1/images", {"X_Auth_Token": wire.token})[0] == 401


def test_without_legacy_nothing_of_old_is_there(tmp_path: Path) -> None:
    settings = Settings(
        data_dir=tmp_path / "data", admin_password=PASSWORD, image_port=0, identity_port=0, admin_token="boot"
    )
    with Appliance(settings) as appliance:
        appliance.start()
        assert len(appliance.server.addresses) == 2
        thread = threading.Thread(target=appliance.run)
        thread.start()
        try:
            image, identity = (port for _, port in appliance.server.addresses)
            wire = Wire(image, identity, admin=0)
            assert wire.send(wire.image, "GET", "/v1/images", {"X-Auth-Token": "x"})[0] == 300
            assert wire.send(wire.identity, "POST", "/v2.0/tokens", JSON, b"{}")[0] == 404
            assert b"v2.0" not in wire.send(wire.identity, "GET", "/", {})[2]
            assert b"v1." not in wire.send(wire.image, "GET", "/versions", {})[2]
        finally:
            appliance.stop()
            thread.join()
