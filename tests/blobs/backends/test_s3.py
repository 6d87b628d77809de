"""A bucket on a real SeaweedFS: what any backend does, a whole store on it, and what networks do to it."""

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.blobs.backends.base import Backend, SegmentMissing
from appliance.errors import Failure, Fatal, StorageFault, Unavailable, WrongUsage
from appliance.values import MIB
from tests.blobs.backends.conformance import Conformance, Connect, connections, get, put
from tests.blobs.backends.fault_proxy import Plan, fault_proxy
from tests.blobs.backends.seaweed import KEY, READ_KEY, READ_SECRET, SECRET, Seaweed

QUICK = {"timeout": "3", "connect_timeout": "1", "retries": "2"}


@pytest.fixture
def prefix() -> str:
    """A prefix of this test's own. One bucket serves all: the server makes seven volumes for each."""
    return os.urandom(6).hex()


@pytest.fixture
def connected(server: Seaweed, bucket: str, prefix: str, tmp_path: Path) -> Iterator[Connect]:
    given = {"endpoint": server.endpoint, "access_key": KEY, "secret_key": SECRET}
    with connections("s3", f"{bucket}/{prefix}/x", tmp_path, **given) as open_:
        yield open_


class TestS3(Conformance):
    """All that any backend does."""


class TestS3WithoutCache(Conformance):
    """All that any backend does, with nothing kept on the local disk."""

    @pytest.fixture
    def backend(self, connected: Connect) -> Backend:
        return connected(cache_size="0")


# -- what is in the bucket ---------------------------------------------------------------------------------------------


def test_all_is_under_the_prefix(server: Seaweed, bucket: str, prefix: str, backend: Backend) -> None:
    backend.write_mark(b"mark")
    name = put(backend, b"data")
    assert server.objects(bucket, f"{prefix}/x/segments") == {f"{name}.seg": 4}
    assert "store" in server.objects(bucket, f"{prefix}/x")


def test_two_prefixes_of_a_bucket_do_not_meet(bucket: str, prefix: str, connected: Connect) -> None:
    one = connected(f"{bucket}/{prefix}/one", "one")
    two = connected(f"{bucket}/{prefix}/two", "two")
    put(one, b"data")
    assert list(two.names()) == []


def test_a_bucket_without_a_prefix_will_do(bucket: str, connected: Connect) -> None:
    backend = connected(bucket)
    assert get(backend, put(backend, b"data")) == b"data"


# -- the cache ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(server: Seaweed, connected: Connect) -> Iterator[tuple[Connect, Plan]]:
    """Backends behind a proxy, which counts requests and breaks some."""
    with fault_proxy(server.endpoint) as (address, plan):
        yield lambda *args, **more: connected(*args, **({"endpoint": address} | QUICK | more)), plan


def gets(plan: Plan) -> int:
    return sum(method == "GET" for method, _ in plan.requests)


def test_what_was_put_is_read_without_a_request(watched: tuple[Connect, Plan]) -> None:
    backend = watched[0]()
    name = put(backend, os.urandom(3 * MIB))
    before = gets(watched[1])
    get(backend, name)
    assert gets(watched[1]) == before


def test_what_was_read_is_not_fetched_again_by_the_next_process(watched: tuple[Connect, Plan]) -> None:
    data = os.urandom(3 * MIB + 5)
    name = put(watched[0](directory="writer"), data)
    get(watched[0](), name)
    before = len(watched[1].requests)
    assert get(watched[0](), name) == data
    assert len(watched[1].requests) == before


def test_reading_straight_on_takes_few_requests(watched: tuple[Connect, Plan]) -> None:
    name = put(watched[0](directory="writer"), os.urandom(32 * MIB))
    backend = watched[0](timeout="20")
    watched[1].requests.clear()
    handle = backend.open(name)
    buffer = memoryview(bytearray(MIB))
    for offset in range(0, 32 * MIB, MIB):
        handle.read_into(buffer, offset)
    handle.close()
    assert gets(watched[1]) <= 10


def test_the_cache_keeps_to_its_size(connected: Connect, tmp_path: Path) -> None:
    writer = connected(directory="writer")
    names = [put(writer, os.urandom(2 * MIB)) for _ in range(6)]
    backend = connected(cache_size=str(5 * MIB), cache_dir=str(tmp_path / "elsewhere"))
    for name in names:
        get(backend, name)
    used = sum(path.stat().st_blocks * 512 for path in (tmp_path / "elsewhere").iterdir())
    assert 0 < used <= 5 * MIB


def test_a_cache_directory_that_vanishes_costs_only_speed(connected: Connect, tmp_path: Path) -> None:
    data = os.urandom(2 * MIB)
    backend = connected(cache_dir=str(tmp_path / "cache"))
    name = put(connected(directory="writer"), data)
    shutil.rmtree(tmp_path / "cache")
    assert get(backend, name) == data


def test_a_damaged_copy_is_thrown_away_by_a_fresh_read(connected: Connect, tmp_path: Path) -> None:
    data = os.urandom(2 * MIB)
    backend = connected(cache_dir=str(tmp_path / "cache"))
    name = put(backend, data)
    (copy,) = (tmp_path / "cache").iterdir()
    with copy.open("r+b") as file:
        file.write(b"rotten")
    handle = backend.open(name)
    buffer = bytearray(1000)
    handle.read_into(memoryview(buffer), 0, fresh=True)
    handle.close()
    assert bytes(buffer) == data[:1000]
    assert get(backend, name) == data


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset", "reset after", "500", "503", "twice"])
def test_a_put_survives_one_fault(watched: tuple[Connect, Plan], fault: str) -> None:
    backend, data = watched[0](), os.urandom(300_000)
    watched[1].set(fault, "PUT")
    name = put(backend, data)
    assert watched[1].done == 1
    assert get(watched[0](directory="reader"), name) == data


@pytest.mark.parametrize("fault", ["reset", "reset after", "500", "503", "truncated", "404", "twice"])
def test_a_read_survives_one_fault(watched: tuple[Connect, Plan], fault: str) -> None:
    data = os.urandom(300_000)
    name = put(watched[0](directory="writer"), data)
    backend = watched[0]()
    watched[1].set(fault, "GET", "segments")
    assert get(backend, name) == data
    assert watched[1].done == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_moment_of_404_is_no_loss(watched: tuple[Connect, Plan], method: str) -> None:
    name = put(watched[0](directory="writer"), b"there")
    watched[1].set("404", method, "segments")
    assert get(watched[0](), name) == b"there"


@pytest.mark.parametrize("fault", ["reset", "stall", "stall within", "500", "503", "truncated"])
def test_a_read_through_a_dead_network_ends_in_time(watched: tuple[Connect, Plan], fault: str) -> None:
    name = put(watched[0](directory="writer"), os.urandom(300_000))
    backend = watched[0]()
    watched[1].set(fault, "GET", "segments", -1)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        get(backend, name)
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("fault", ["reset", "stall", "500", "503"])
def test_a_put_through_a_dead_network_ends_in_time(watched: tuple[Connect, Plan], fault: str) -> None:
    backend = watched[0]()
    watched[1].set(fault, "PUT", "segments", -1)
    began = time.monotonic()
    with pytest.raises(Unavailable):
        put(backend, os.urandom(300_000))
    assert time.monotonic() - began < 30


def test_a_put_that_is_cut_short_is_not_believed(watched: tuple[Connect, Plan]) -> None:
    backend = watched[0]()
    # What is read back differs from what was put.
    watched[1].set("flipped", "GET", "segments", -1)
    with pytest.raises(StorageFault):
        put(backend, os.urandom(100_000))


def test_a_store_that_does_not_answer_makes_only_one_caller_wait(watched: tuple[Connect, Plan]) -> None:
    backend = watched[0]()
    name = put(watched[0](directory="writer"), b"data")
    watched[1].set("stall", times=-1)
    with pytest.raises(Unavailable):
        backend.size(name)
    began = time.monotonic()
    for _ in range(20):
        with pytest.raises(Unavailable):
            backend.size(name)
    assert time.monotonic() - began < 2


def test_what_is_cached_is_read_while_the_store_is_away(watched: tuple[Connect, Plan]) -> None:
    data = os.urandom(2 * MIB)
    name = put(watched[0](), data)
    backend = watched[0]()
    watched[1].set("reset", times=-1)
    assert get(backend, name) == data


def test_its_trouble_is_told_and_passes_by_itself(
    watched: tuple[Connect, Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("appliance.blobs.backends.remote._REST", 0.2)
    backend = watched[0]()
    backend.write_mark(b"mark")
    watched[1].set("reset", times=-1)
    with pytest.raises(Unavailable):
        list(backend.names())
    assert "can't be reached" in (backend.trouble() or "")
    watched[1].heal()
    deadline = time.monotonic() + 20
    while backend.trouble() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert backend.trouble() is None


# -- what an operator gets wrong ---------------------------------------------------------------------------------------


def sentence(call: Callable[[], object]) -> str:
    with pytest.raises((Failure, Fatal, WrongUsage)) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and "Error" not in text and len(text) < 300
    return text


def test_a_wrong_secret_is_told_in_a_sentence(connected: Connect) -> None:
    assert "secret key is wrong" in sentence(lambda: list(connected(secret_key="wrong").names()))


def test_an_unknown_key_is_told_in_a_sentence(connected: Connect) -> None:
    assert "access key is not known" in sentence(lambda: list(connected(access_key="nobody").names()))


def test_a_missing_bucket_is_told_in_a_sentence(connected: Connect) -> None:
    assert "no such bucket" in sentence(lambda: list(connected("no-bucket-here/x").names()))


@pytest.mark.parametrize("call", ["read_mark", "names"])
def test_a_missing_bucket_is_no_empty_store(connected: Connect, call: str) -> None:
    backend = connected("no-bucket-here/x")
    assert "no such bucket" in sentence(lambda: next(iter(getattr(backend, call)() or [None]), None))


def test_a_key_that_may_only_read_is_told_in_a_sentence(connected: Connect) -> None:
    backend = connected(access_key=READ_KEY, secret_key=READ_SECRET)
    assert "don't allow" in sentence(lambda: put(backend, b"x"))


def test_an_endpoint_where_nobody_listens_is_told_in_a_sentence(connected: Connect) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        backend = connected(endpoint=f"http://127.0.0.1:{closed.getsockname()[1]}", **QUICK)
        assert "can't be reached" in sentence(lambda: list(backend.names()))


@pytest.mark.parametrize(
    "options, said",
    [
        ({"nonsense": "1"}, "no option 'nonsense'"),
        ({"timeout": "soon"}, "timeout"),
        ({"cache_size": "-1"}, "cache_size"),
        ({"ca_file": "/no/such/file"}, "can't be read"),
        ({"credentials_file": "/no/such/file"}, "can't be read"),
        ({"addressing": "sideways"}, "path or virtual"),
        ({"access_key": ""}, "has no credentials"),
    ],
)
def test_options_that_can_not_be_meant_are_refused(
    connected: Connect, monkeypatch: pytest.MonkeyPatch, options: dict[str, str], said: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(WrongUsage, match=said):
        connected(prepared=False, **options)


def test_a_machine_without_certificates_reaches_a_store_without_tls(
    connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "/no/such/place")
    backend = connected()
    assert get(backend, put(backend, b"x")) == b"x"


def test_a_machine_without_certificates_is_told_so(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.setenv(name, "/no/such/place")
    assert "install ca-certificates" in sentence(lambda: connected(endpoint="https://127.0.0.1:1"))


@pytest.mark.parametrize("text", ["words", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_file_that_holds_no_certificate_is_told_in_a_sentence(connected: Connect, tmp_path: Path, text: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text(text)
    assert "no certificate" in sentence(lambda: connected(endpoint="https://127.0.0.1:1", ca_file=str(file)))


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 with its key. It vouches for itself, and for nobody else: no library minds that."""
    file = tmp_path / "server.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=store", "-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", str(file), "-out", str(file)]
    subprocess.run([*command], check=True, capture_output=True)
    return file


@pytest.fixture
def encrypted(server: Seaweed, certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with fault_proxy(server.endpoint, context) as (address, _):
        yield address


def test_a_store_with_a_certificate_of_its_own_is_reached_with_a_ca_file(
    connected: Connect, encrypted: str, certificate: Path
) -> None:
    backend = connected(endpoint=encrypted, ca_file=str(certificate))
    assert get(backend, put(backend, b"x")) == b"x"


def test_a_certificate_that_nobody_vouches_for_is_told_in_a_sentence(connected: Connect, encrypted: str) -> None:
    assert "vouches for" in sentence(lambda: list(connected(endpoint=encrypted, **QUICK).names()))


def test_a_store_that_does_not_speak_tls_is_told_in_a_sentence(connected: Connect, server: Seaweed) -> None:
    backend = connected(endpoint=server.endpoint.replace("http:", "https:"), **QUICK)
    assert "does not speak TLS" in sentence(lambda: list(backend.names()))


def test_credentials_come_from_a_file(connected: Connect, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
    backend = connected(access_key="", secret_key="", credentials_file=str(file))
    assert get(backend, put(backend, b"x")) == b"x"


def test_credentials_come_from_the_environment(connected: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    backend = connected(access_key="", secret_key="")
    assert get(backend, put(backend, b"x")) == b"x"


def test_a_segment_that_is_gone_is_missing_even_if_some_of_it_is_cached(connected: Connect, server: Seaweed) -> None:
    name = put(connected(directory="writer"), os.urandom(12 * MIB))
    backend = connected()
    handle = backend.open(name)
    connected(directory="other").delete(name)
    with pytest.raises(SegmentMissing):
        handle.read_into(memoryview(bytearray(100)), 11 * MIB)
    handle.close()
