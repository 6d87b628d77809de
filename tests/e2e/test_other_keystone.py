"""An image service whose users are another Keystone's: it has none of its own, and says where they are."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]

from tests.e2e.conftest import PASSWORD, Appliance
from tests.e2e.test_process import fetch, token_of


@pytest.fixture(scope="module")
def keystone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    started = Appliance(tmp_path_factory.mktemp("keystone") / "data")
    yield started
    assert started.stop() == 0, started.log()


@pytest.mark.parametrize("mode", ["external", "edge"])
def test_no_administrator_is_made_and_clients_are_sent_to_the_keystone(
    keystone: Appliance, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    flags: tuple[str, ...] = (
        "--identity-mode",
        mode,
        "--external-auth-url",
        keystone.identity,
        "--external-username",
        "admin",
    )
    flags += ("--external-project", "admin", "--external-password-file", str(tmp_path / "secret"))
    images = Appliance(tmp_path / "images", *flags)
    directory = images.directory
    assert not (directory / "admin-openrc").exists()
    cloud = yaml.safe_load((directory / "clouds.yaml").read_text())["clouds"]["appliance"]
    assert cloud["auth"]["auth_url"] == keystone.identity and cloud["image_endpoint_override"] == images.image
    assert "password" not in cloud["auth"]
    challenge = fetch(images.image, "/v2/images")[1]["www-authenticate"]
    assert challenge == f'Keystone uri="{keystone.identity.removesuffix("/v3")}"'
    if mode == "external":
        assert images.identity == keystone.identity
        assert fetch(images.image, "/v2/images", X_Auth_Token=token_of(keystone))[0] == 200
    assert images.stop() == 0
    assert not any("password" in line for line in images.output)


def test_external_mode_opens_no_identity_port(keystone: Appliance, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        flags: tuple[str, ...] = (
            "--identity-mode",
            "external",
            "--external-auth-url",
            keystone.identity,
            "--identity-port",
            port,
        )
        images = Appliance(tmp_path / "images", *flags)
        assert urlsplit(images.image).port != taken.getsockname()[1]
        assert images.stop() == 0
