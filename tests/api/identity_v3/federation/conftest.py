"""A cloud that takes the tokens of an identity provider. Tests with other settings replace `options` or `settings`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.settings import Settings
from tests.api.identity_v3.client import start
from tests.api.identity_v3.federation.openid_tokens import AUDIENCE, ISSUER, Issuer
from tests.api.identity_v3.federation.world import REMOTE, USER, World
from tests.databases import open_test_database


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    return Issuer(tmp_path / "keys.json")


@pytest.fixture
def options(issuer: Issuer) -> tuple[str, ...]:
    said = {"issuer": ISSUER, "audience": AUDIENCE, "keys": str(issuer.keys)}
    return tuple(f"{idp}:{name}={value}" for idp in ("corp", "other") for name, value in said.items())


@pytest.fixture
def settings(options: tuple[str, ...]) -> Settings:
    return Settings(openid_options=options)


@pytest.fixture
def world(tmp_path: Path, settings: Settings, issuer: Issuer) -> Iterator[World]:
    db = open_test_database(tmp_path / "appliance.db")
    world = World(start(tmp_path, settings, db), issuer)
    rule = {"local": [USER], "remote": REMOTE}
    world.put("mappings/rules", {"mapping": {"rules": [rule]}})
    world.register(remote_ids=[ISSUER])
    yield world
    db.close()
