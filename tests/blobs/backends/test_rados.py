"""A pool of a real Ceph cluster, natively and through its S3 gateway: what any backend does, and what goes wrong."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.blobs.backends.base import Backend
from appliance.errors import Fatal, Unavailable, WrongUsage
from appliance.values import MIB
from tests.blobs.backends.ceph_server import KEY, SECRET, Ceph, bucket, ceph, environment, gateway, preload, why_not
from tests.blobs.backends.conformance import Conformance, Connect, connections, get, put
from tests.blobs.test_kill import kill_over_and_over
from tests.e2e.conftest import ROOT as PROJECT

EXECUTABLE = PROJECT / "dist" / "glance-appliance"
pytestmark = [pytest.mark.backends, pytest.mark.skipif(bool(why_not()), reason=why_not())]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    with ceph(tmp_path_factory.mktemp("ceph")) as running:
        yield running


@pytest.fixture(scope="module")
def pool(cluster: Ceph) -> str:
    return cluster.pool()


@pytest.fixture(scope="module")
def library() -> str:
    return preload()


@pytest.fixture
def connected(cluster: Ceph, pool: str, library: str, tmp_path: Path) -> Iterator[Connect]:
    given = {"conf": str(cluster.conf), "library": library, "user": "images"}
    with connections("rados", f"{pool}/{os.urandom(6).hex()}", tmp_path, **given) as open_:
        yield open_


class TestRados(Conformance):
    """All that any backend does."""


class TestRadosWithoutCache(Conformance):
    """All that any backend does, with nothing kept on the local disk."""

    @pytest.fixture
    def backend(self, connected: Connect) -> Backend:
        return connected(cache_size="0")


def test_two_prefixes_of_a_pool_do_not_meet(connected: Connect, pool: str) -> None:
    put(connected(f"{pool}/one", "one"), b"data")
    assert list(connected(f"{pool}/two", "two").names()) == []


def test_a_pool_without_a_prefix_will_do(connected: Connect, pool: str) -> None:
    backend = connected(pool)
    assert get(backend, put(backend, b"data")) == b"data"


def test_segments_stay_below_what_ceph_takes(backend: Backend) -> None:
    assert backend.segment_size <= 64 * MIB


def test_a_segment_as_large_as_they_become_is_taken(connected: Connect) -> None:
    backend = connected(timeout="60", cache_size="0")
    name = put(backend, os.urandom(MIB) * 96)
    assert backend.size(name) == 96 * MIB


def test_a_pool_that_is_not_there_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="there is no such pool: make it first"):
        list(connected("nothing-here").names())


def test_a_wrong_key_is_told_in_a_sentence(connected: Connect, cluster: Ceph, tmp_path: Path) -> None:
    cluster.key("client.images", tmp_path / "keyring")
    with pytest.raises(Unavailable, match="does not know client.images, or its key is another one"):
        list(connected(keyring=str(tmp_path / "keyring")).names())


def test_a_user_whom_nobody_knows_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="does not know client.nobody"):
        list(connected(user="nobody").names())


def test_a_configuration_without_a_monitor_is_told_in_a_sentence(connected: Connect, tmp_path: Path) -> None:
    (tmp_path / "ceph.conf").write_text("[global]\n")
    with pytest.raises(Unavailable, match="names no monitor, or there is no key of client.images"):
        list(connected(conf=str(tmp_path / "ceph.conf"), connect_timeout="1").names())


def test_a_user_who_may_only_read_is_told_in_a_sentence(connected: Connect) -> None:
    with pytest.raises(Unavailable, match="client.reader may not do this there"):
        put(connected(user="reader"), b"x")


def test_a_monitor_that_does_not_answer_is_told_in_a_sentence(
    connected: Connect, cluster: Ceph, tmp_path: Path
) -> None:
    (tmp_path / "ceph.conf").write_text(f"[global]\nkeyring = {cluster.directory}/keyring\n")
    backend = connected(conf=str(tmp_path / "ceph.conf"), mon_host="v2:127.0.0.1:1", connect_timeout="1")
    with pytest.raises(Unavailable, match="can't be reached: no answer in time"):
        list(backend.names())


def test_a_disk_that_does_not_answer_keeps_nobody_waiting(connected: Connect, cluster: Ceph) -> None:
    backend = connected(timeout="2", cache_size="0")
    name = put(backend, b"data")
    cluster.disk.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="no answer in time"):
            get(backend, name)
        assert time.monotonic() - began < 15
    finally:
        cluster.disk.send_signal(signal.SIGCONT)


def test_it_comes_back_by_itself(connected: Connect, cluster: Ceph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("appliance.blobs.backends.remote._REST", 0.2)
    backend = connected(timeout="2", cache_size="0")
    name = put(backend, b"data")
    cluster.disk.send_signal(signal.SIGSTOP)
    with pytest.raises(Unavailable):
        get(backend, name)
    cluster.disk.send_signal(signal.SIGCONT)
    deadline = time.monotonic() + 60
    while backend.trouble() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert get(backend, name) == b"data"


@pytest.mark.parametrize(
    "options, said",
    [({"conf": "/no/such/file"}, "is not there: see the option conf"), ({"nonsense": "1"}, "no option 'nonsense'")],
)
def test_options_that_can_not_be_meant_are_refused(connected: Connect, options: dict[str, str], said: str) -> None:
    with pytest.raises(WrongUsage, match=said):
        connected(**options)


def test_a_machine_without_the_library_is_told_what_to_install(connected: Connect) -> None:
    with pytest.raises(Fatal, match="install librados2"):
        connected(library="librados.so.99")


def test_a_store_killed_many_times_keeps_what_it_acknowledged(
    cluster: Ceph, pool: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"conf": str(cluster.conf), "library": library, "user": "images", "timeout": "20"}
    for name, value in environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TEST_STORE_URL", f"rados://{pool}/{os.urandom(6).hex()}")
    monkeypatch.setenv("TEST_STORE_OPTIONS", ",".join(f"main:{name}={value}" for name, value in options.items()))
    kill_over_and_over(tmp_path, 8)


@pytest.fixture(scope="module")
def endpoint(cluster: Ceph) -> Iterator[str]:
    with gateway(cluster) as running:
        yield running


@pytest.fixture(scope="module")
def its_bucket(endpoint: str) -> str:
    return bucket(endpoint)


class TestGateway(Conformance):
    """All that any backend does, in a bucket of the S3 gateway."""

    @pytest.fixture
    def connected(self, endpoint: str, its_bucket: str, tmp_path: Path) -> Iterator[Connect]:
        given = {"endpoint": endpoint, "access_key": KEY, "secret_key": SECRET}
        with connections("s3", f"{its_bucket}/{os.urandom(6).hex()}", tmp_path, **given) as open_:
            yield open_


@pytest.mark.skipif(not EXECUTABLE.exists(), reason="the executable is not built: make binary")
def test_the_executable_stores_in_a_pool(cluster: Ceph, pool: str, tmp_path: Path) -> None:
    where, options = f"deep:rados://{pool}/{os.urandom(6).hex()}", f"deep:conf={cluster.conf},deep:user=images"
    command = [str(EXECUTABLE), "serve", "--data-dir", "data", "--enabled-backends", where, "--store-options", options]
    command += ["--image-port", "0", "--identity-port", "0"]
    (tmp_path / "in").write_bytes(os.urandom(5 * MIB))

    def run(*words: str) -> str:
        asked = [str(EXECUTABLE), *words, "--data-dir", "data"]
        return subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as served:
        try:
            assert served.stdout is not None
            assert any(line.startswith("identity ") for line in served.stdout)
            made = run("image", "create", "x", "--disk-format", "raw", "--file", "in", "-f", "json")
            run("image", "save", json.loads(made)["id"], "--file", "out")
        finally:
            served.terminate()
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
    assert served.returncode == 0
