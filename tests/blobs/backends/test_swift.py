"""A container of a real OpenStack Swift, natively: what any backend does, tokens that run out, and what goes wrong."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.blobs.backends.base import Backend
from appliance.errors import StorageFault, Unavailable, WrongUsage
from tests.blobs.backends.conformance import Conformance, Connect, connections, get, put
from tests.blobs.backends.fault_proxy import fault_proxy
from tests.blobs.backends.swift_server import PASSWORD, USER, Swift, swift, why_not

pytestmark = [pytest.mark.backends, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swift]:
    with swift(tmp_path_factory.mktemp("swift")) as running:
        yield running


@pytest.fixture(scope="module")
def container(cloud: Swift) -> str:
    return cloud.container()


@pytest.fixture
def connected(cloud: Swift, container: str, tmp_path: Path) -> Iterator[Connect]:
    given = {"auth_url": cloud.auth_url, "user": USER, "password": PASSWORD}
    with connections("swift", f"{container}/{os.urandom(6).hex()}", tmp_path, **given) as open_:
        yield open_


class TestSwift(Conformance):
    """All that any backend does."""


def test_a_token_that_was_revoked_is_renewed(backend: Backend) -> None:
    name = put(backend, b"data")
    access = backend._objects._access  # type: ignore[attr-defined]
    access._current = (access._current[0], "AUTH_tkgone")
    assert backend.size(name) == 4


def test_a_wrong_password_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="refuses the user's name or password"):
        list(connected(password="wrong").names())


def test_a_user_who_may_not_write_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="may not do this"):
        put(connected(user="images:reader"), b"x")


def test_a_missing_container_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="no such container"):
        list(connected("nothing-here/x").names())


def test_a_missing_container_is_no_missing_segment(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="no such container"):
        connected("nothing-here/x").size("ab" * 16)


def test_a_server_that_is_away_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="can't be reached"):
        list(connected(auth_url="http://127.0.0.1:9/auth/v1.0").names())


def test_a_password_comes_from_a_file(connected: Connect, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    backend = connected(password="", password_file=str(tmp_path / "password"))
    assert get(backend, put(backend, b"x")) == b"x"


@pytest.mark.parametrize("lacking", ["auth_url", "user"])
def test_what_is_needed_is_asked_for(connected: Connect, lacking: str) -> None:
    with pytest.raises(WrongUsage, match=lacking):
        connected(**{lacking: ""})


def test_a_flipped_end_is_not_believed(cloud: Swift, connected: Connect) -> None:
    with fault_proxy(cloud.auth_url.removesuffix("/auth/v1.0")) as (address, plan):
        backend = connected(auth_url=f"{address}/auth/v1.0")
        plan.set("flipped", "GET", "segments", -1)
        with pytest.raises(StorageFault):
            put(backend, os.urandom(100_000))
