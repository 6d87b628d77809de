"""Servers that stall, drip or never answer: given up in time, and at once when the service ends."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from appliance.errors import Unavailable
from appliance.image.web.addresses import MOST_LOOKUPS, Resolver, UriFilter
from appliance.image.web.source import Patience, TooSlow, WebSource
from appliance.settings import Settings
from tests.api.image_v2.client import Cloud
from tests.waiting import eventually

URIS = UriFilter(Settings(import_allowed_hosts=("127.0.0.1", "slow.test"), import_allowed_ports=()))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that does with each connection what `talk` does, and the address of something on it."""
    open_ones: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        try:
            talk(connection)
        except OSError:
            pass

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            open_ones.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/image"
        listening.shutdown(socket.SHUT_RDWR)
    for connection in open_ones:
        connection.close()


def dripping(first: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        for at in range(1_000_000):
            connection.sendall(first[at : at + 1] or b"x")
            time.sleep(0.02)

    return talk


def dripping_body(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(HEAD)
    while True:
        connection.sendall(b"x")
        time.sleep(0.02)


def silent(connection: socket.socket) -> None:
    time.sleep(20)


def silent_after_head(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(HEAD)
    time.sleep(20)


def fetch(uri: str, patience: Patience) -> None:
    with WebSource(URIS, uri, patience) as source:
        while source.read(65536):
            pass


@pytest.mark.parametrize(
    ("talk", "patience", "why"),
    [
        (silent, Patience(0.3), "no answer"),
        (dripping(b"HTTP/1.1 200 OK\r\nX-A: "), Patience(0.3), "no answer"),
        (silent_after_head, Patience(0.3), "Nothing came"),
        (dripping_body, Patience(0.3, rate=1000), "less than 1000"),
        (dripping_body, Patience(5, total=0.4), "more than the 0.4 seconds"),
    ],
)
def test_a_server_that_drags_is_given_up(talk: Callable[[socket.socket], None], patience: Patience, why: str) -> None:
    with server(talk) as uri:
        with pytest.raises(TooSlow, match=why):
            fetch(uri, patience)


def test_a_reader_that_is_busy_does_not_make_its_server_slow() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(HEAD + bytes(1_000_000))

    with server(talk) as uri:
        with WebSource(URIS, uri, Patience(0.1, rate=100_000_000)) as source:
            for _ in range(4):
                time.sleep(0.1)
                assert len(source.read(250_000)) == 250_000


def test_a_handshake_that_drags_is_given_up() -> None:
    with server(silent) as uri:
        with pytest.raises(TooSlow):
            fetch(uri.replace("http:", "https:"), Patience(0.3))


def test_a_server_without_a_good_certificate_is_refused() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with server(talk) as uri:
        with pytest.raises(Unavailable, match="can't be fetched"):
            fetch(uri.replace("http:", "https:"), Patience(2))


def test_tls_is_spoken_with_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trusted = certificate(tmp_path)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(trusted)

    def talk(connection: socket.socket) -> None:
        with theirs.wrap_socket(connection, server_side=True) as secure:
            secure.recv(4096)
            secure.sendall(HEAD)
            for _ in range(100):
                secure.sendall(bytes(10_000))

    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with server(talk) as uri:
        with WebSource(URIS, uri.replace("http:", "https:"), Patience(5)) as source:
            assert sum(len(part) for part in iter(lambda: source.read(70_000), b"")) == 1_000_000


def certificate(directory: Path) -> Path:
    """A key and a certificate for 127.0.0.1 that signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = directory / "certificate.pem"
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(plain + made.public_bytes(Encoding.PEM))
    return file


@pytest.mark.parametrize("talk", [silent, silent_after_head, dripping_body])
def test_a_fetch_ends_with_the_service(talk: Callable[[socket.socket], None]) -> None:
    patience = Patience(60)
    threading.Timer(0.2, patience.stopping.set).start()
    with server(talk) as uri:
        with pytest.raises(Unavailable, match="stopping"):
            fetch(uri, patience)


def test_imports_from_servers_that_drip_end_with_the_service(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, import_allowed_hosts=("127.0.0.1",), import_allowed_ports=())
    with server(dripping_body) as uri:
        for _ in range(6):
            body = {"method": {"name": "web-download", "uri": uri}}
            assert cloud.call("POST", f"/v2/images/{cloud.new()['id']}/import", body=body).status == 202
        time.sleep(0.3)
        began = time.monotonic()
        cloud.close()
        assert time.monotonic() - began < 10


def test_filling_the_cache_ends_with_the_service(tmp_path: Path) -> None:
    def talk(connection: socket.socket) -> None:
        asked = connection.recv(4096)
        connection.sendall(HEAD)
        while not asked.startswith(b"HEAD"):
            connection.sendall(b"x")
            time.sleep(0.02)

    cloud = Cloud(
        tmp_path,
        import_allowed_hosts=("127.0.0.1",),
        import_allowed_ports=(),
        image_cache_dir=str(tmp_path / "cache"),
        do_secure_hash=False,
    )
    with server(talk) as uri:
        image = cloud.new()["id"]
        assert cloud.call("POST", f"/v2/images/{image}/locations", body={"url": uri}).status == 202
        eventually(lambda: cloud.show(image)["status"] == "active")
        assert cloud.call("PUT", f"/v2/cache/{image}", token="admin").status == 202
        time.sleep(0.3)
        began = time.monotonic()
        cloud.close()
        assert time.monotonic() - began < 10


# -- names ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Names that nobody answers for until the event is set."""
    go_on = threading.Event()

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        go_on.wait(20)
        raise socket.gaierror("nobody knows")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield go_on
    go_on.set()


def test_a_name_that_takes_too_long_is_given_up(hanging: threading.Event) -> None:
    with pytest.raises(TimeoutError):
        Resolver().lookup("slow.test", 80, 0.1)
    with pytest.raises(TimeoutError):
        Resolver().lookup("slow.test", 80, 60, given_up=lambda: True)


def test_only_so_many_names_are_looked_up_at_once(hanging: threading.Event) -> None:
    resolver = Resolver()
    for _ in range(MOST_LOOKUPS):
        with pytest.raises(TimeoutError):
            resolver.lookup("slow.test", 80, 0.01)
    with pytest.raises(TimeoutError, match="too many"):
        resolver.lookup("slow.test", 80, 0.01)
    assert [str(address) for address in resolver.lookup("10.0.0.1", 80, 0.01)] == ["10.0.0.1"]
    assert sum(thread.name == "lookup" for thread in threading.enumerate()) <= MOST_LOOKUPS


def test_requests_are_not_held_up_by_names(hanging: threading.Event) -> None:
    began = time.monotonic()
    asking = [threading.Thread(target=URIS.check, args=("http://slow.test/",)) for _ in range(20)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(1)
    waiting = [thread for thread in asking if thread.is_alive()]
    assert len(waiting) <= 2 or time.monotonic() - began > 10
