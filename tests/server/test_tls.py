"""TLS: what is refused, who holds whom up, certificates that change, and records that hold more than one thing.

All other tests of the server run over TLS as well, as slow ones.
"""

import datetime
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from appliance.certificates import Authority
from appliance.errors import Fatal
from appliance.server.server import Limits
from appliance.server.tls import ServerCertificate
from appliance.values import FileRange
from tests.server.conftest import Respond, Running, Serve
from tests.waiting import eventually

_SIZE = 3_000_000


@pytest.fixture
def encrypted() -> bool:
    """Every server here speaks TLS."""
    return True


def _scheme(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body = str(environ["wsgi.url_scheme"]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def _length(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    size = 0
    while part := environ["wsgi.input"].read(65536):
        size += len(part)
    body = str(size).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def test_the_application_knows_that_it_is_https(serve: Serve) -> None:
    assert serve(_scheme).client().request("GET", "/").response().body == b"https"


def test_a_connection_is_kept_for_the_next_request(serve: Serve) -> None:
    client = serve(_scheme).client()
    assert [client.request("GET", "/").response().status for _ in range(3)] == [200, 200, 200]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_versions_of_old_are_refused(serve: Serve, version: ssl.TLSVersion) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(serve(_scheme).address) as sock,
        pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"),
    ):
        context.wrap_socket(sock)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_either_version_of_today_is_spoken(
    serve: Serve, trusting: ssl.SSLContext, authority: Authority, version: ssl.TLSVersion
) -> None:
    context = ssl.create_default_context(cafile=authority.certificate)
    context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(serve(_scheme).address) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        cipher = tls.cipher()
        assert cipher is not None and ("GCM" in cipher[0] or "CHACHA20" in cipher[0])


def test_a_client_that_speaks_plain_http_is_told_so(serve: Serve) -> None:
    with socket.create_connection(serve(_scheme).address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        said = sock.makefile("rb").read()
    assert said.startswith(b"HTTP/1.1 400 ") and b"begin the address with https://" in said


def test_nonsense_ends_the_connection_and_nothing_else(serve: Serve) -> None:
    server = serve(_scheme)
    with socket.create_connection(server.address) as sock:
        sock.sendall(os.urandom(100))
        # An alert, if anything.
        assert len(sock.makefile("rb").read()) < 20
    assert server.client().request("GET", "/").response().status == 200


def test_clients_that_say_nothing_hold_nobody_up_and_are_sent_away(serve: Serve) -> None:
    server = serve(_scheme, handshake_seconds=1.0, handshake_threads=1, receive_seconds=60.0)
    silent = [socket.create_connection(server.address) for _ in range(20)]
    assert server.client().request("GET", "/").response().status == 200
    for sock in silent:
        sock.settimeout(20)
        assert sock.recv(1) == b""
        sock.close()


def test_a_handshake_byte_by_byte_succeeds_within_its_time(serve: Serve, trusting: ssl.SSLContext) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = trusting.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(serve(_scheme).address) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                for byte in outgoing.read():
                    sock.sendall(bytes([byte]))
                incoming.write(sock.recv(65536))
            else:
                break
        tls.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        sock.sendall(outgoing.read())
        incoming.write(sock.recv(65536))
        # The first may be a ticket.
        assert _read(tls, sock, incoming).startswith(b"HTTP/1.1 200 ")


def _read(tls: ssl.SSLObject, sock: socket.socket, incoming: ssl.MemoryBIO) -> bytes:
    while True:
        try:
            return tls.read(65536)
        except ssl.SSLWantReadError:
            incoming.write(sock.recv(65536))


@pytest.mark.parametrize("size", [200_000, 16_384 * 10 - 57])
def test_a_request_in_the_record_that_ends_a_body_is_answered(serve: Serve, size: int) -> None:
    client = serve(_length).client()
    head = f"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: {size}\r\n\r\n".encode()
    client.send(head, bytes(size), b"GET /next HTTP/1.1\r\nHost: here\r\n\r\n")
    assert client.response().body == str(size).encode()
    assert client.response().body == b"0"


def test_a_chunked_body_of_small_records_arrives(serve: Serve) -> None:
    client = serve(_length).client()
    client.send(b"PUT / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(50):
        client.send(b"3\r\n").send(b"abc\r\n")
    client.send(b"0\r\n\r\nGET /next HTTP/1.1\r\nHost: here\r\n\r\n")
    assert [client.response().body, client.response().body] == [b"150", b"0"]


def test_an_early_response_reaches_a_client_that_goes_on_sending(serve: Serve, respond: Respond) -> None:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        return respond(start_response, b"no", "403 Forbidden")

    client = serve(app).client()
    client.send(b"PUT / HTTP/1.1\r\nHost: here\r\nContent-Length: 4000000\r\n\r\n", bytes(1_000_000))
    response = client.response()
    assert (response.status, response.body, client.at_end()) == (403, b"no", True)


def test_the_end_of_a_connection_is_told_from_a_broken_one(serve: Serve, trusting: ssl.SSLContext) -> None:
    with (
        socket.create_connection(serve(_scheme).address) as sock,
        trusting.wrap_socket(sock, server_hostname="localhost", suppress_ragged_eofs=False) as tls,
    ):
        tls.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        received = b""
        while part := tls.recv(65536):
            received += part
    assert received.endswith(b"https")


class _File:
    """Content that is one run of a file, and a piece in memory before it."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDONLY)
        self.length = _SIZE + 5

    def read(self, size: int = -1, /) -> bytes:
        raise AssertionError("content is sent by pieces")

    def pieces(self) -> Any:
        yield b"first"
        yield FileRange(self._fd, 0, _SIZE)

    def close(self) -> None:
        os.close(self._fd)


def test_a_slow_reader_gets_a_file_byte_by_byte(serve: Serve, tmp_path: Path) -> None:
    data = os.urandom(_SIZE)
    (tmp_path / "data").write_bytes(data)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", str(_SIZE + 5))])
        return environ["wsgi.file_wrapper"](_File(tmp_path / "data"))

    client = serve(app).client(receive_buffer=4096).request("GET", "/")
    client.head()
    assert client.read(_SIZE + 5) == b"first" + data


# -- certificates that change


@pytest.fixture
def files(authority: Authority, tmp_path: Path) -> tuple[Path, Path]:
    """A certificate and its key, as files of one's own."""
    chain, key = tmp_path / "server.pem", tmp_path / "server.key"
    chain.write_bytes(authority.server_certificate.read_bytes())
    key.write_bytes(authority.server_key.read_bytes())
    return chain, key


def _renew(authority: Authority, files: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("ca.pem", "ca.key"):
        (other / name).write_bytes((authority.certificate.parent / name).read_bytes())
    made = Authority(other)
    made.make_missing(["localhost", "127.0.0.1", "renewed"], datetime.datetime.now(datetime.UTC))
    files[1].write_bytes(made.server_key.read_bytes())
    files[0].write_bytes(made.server_certificate.read_bytes())


def _names(server: Running, trusting: ssl.SSLContext) -> Callable[[], set[str]]:
    def names() -> set[str]:
        with (
            socket.create_connection(server.address) as sock,
            trusting.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            found: Any = tls.getpeercert()
            return {value for kind, value in found["subjectAltName"] if kind == "DNS"}

    return names


def test_new_files_are_taken_over_and_open_connections_go_on(
    authority: Authority, files: tuple[Path, Path], trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    server = Running((_scheme,), Limits(linger_seconds=0.4), trusting, certificate=ServerCertificate(*files))
    try:
        names, client = _names(server, trusting), server.client()
        assert names() == {"localhost"}
        _renew(authority, files, tmp_path)
        eventually(lambda: names() == {"localhost", "renewed"})
        assert client.request("GET", "/").response().status == 200
    finally:
        server.close()


@pytest.mark.parametrize("bad", ["nonsense", "", None])
def test_bad_new_files_change_nothing_and_are_told_of(
    files: tuple[Path, Path], bad: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = ServerCertificate(*files)
    before = certificate.context
    if bad is None:
        files[0].unlink()
    else:
        files[0].write_text(bad)
    certificate.check()
    assert not caplog.records, "it may be half written"
    certificate.check()
    certificate.check()
    assert certificate.context is before
    assert [record.getMessage() for record in caplog.records if "stays as it was" in record.getMessage()] != []
    assert len(caplog.records) == 1


def test_a_key_of_another_certificate_is_refused_in_a_sentence(files: tuple[Path, Path], tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    other.make_missing(["localhost"], datetime.datetime.now(datetime.UTC))
    with pytest.raises(Fatal, match=r"The key in .*server\.key does not belong to the certificate in .*server\.pem\."):
        ServerCertificate(files[0], other.server_key)


def test_a_key_with_a_password_is_refused_in_a_sentence(files: tuple[Path, Path]) -> None:
    key = serialization.load_pem_private_key(files[1].read_bytes(), None)
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(Fatal, match="is encrypted: give one without a password"):
        ServerCertificate(*files)


def test_certificate_and_key_may_be_in_one_file(files: tuple[Path, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(files[0].read_bytes() + files[1].read_bytes())
    assert ServerCertificate(both).pem == both.read_bytes()
