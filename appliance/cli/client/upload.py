"""Sending an image's data: from a file or a pipe, with the size if it is known, and a digest of what went out."""

import hashlib
import http.client
import os
import select
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from appliance.cli.client.calls import USER_AGENT, Answer, finish, target, unreachable
from appliance.cli.client.session import Session
from appliance.cli.progress import Progress
from appliance.errors import Fatal
from appliance.values import MIB

_BLOCK = MIB
_PATIENCE = 900
"""Seconds to wait for the server's last word: it may have much to make durable."""
_WAIT_FOR_GO_AHEAD = 2.0

_SIGNS = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (32769, b"CD001", "iso"),
)


class Input:
    """The bytes of an image on their way out, with a look ahead at the first of them."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self.size = _rest_of(file)
        self.digest = hashlib.sha512()
        self._file = file
        self._ahead = b""

    @property
    def disk_format(self) -> str:
        """What the data looks like; only a default, for it is the server that inspects."""
        while len(self._ahead) < _BLOCK and (more := self._file.read(_BLOCK - len(self._ahead))):
            self._ahead += more
        found = (kind for at, sign, kind in _SIGNS if self._ahead.startswith(sign, at))
        return next(found, "raw")

    def read(self) -> bytes:
        """The next bytes; empty at the end."""
        block, self._ahead = self._ahead, b""
        block = block or self._file.read(_BLOCK)
        self.digest.update(block)
        return block


@contextmanager
def open_input(name: str | None) -> Iterator[Input | None]:
    """The file `name`, or standard input for `-`, or nothing at all."""
    if not name:
        yield None
    elif name != "-":
        with open(name, "rb") as file:
            yield Input(file, Path(name).name)
    elif sys.stdin.isatty():
        raise Fatal("standard input is a terminal: name a file, or pipe the image's data in")
    else:
        yield Input(sys.stdin.buffer, "standard input")


def _rest_of(file: BinaryIO) -> int | None:
    """How many bytes a regular file still has; None for a pipe."""
    status = os.fstat(file.fileno())
    if stat.S_ISREG(status.st_mode):
        return max(status.st_size - os.lseek(file.fileno(), 0, os.SEEK_CUR), 0)
    return None


def send(session: Session, path: str, data: Input) -> Answer:
    """PUT the data to `path` of the image service. Raises what the server says, even before all is sent."""
    url = session.address("image") + path
    connection = session.http.connect(url, _PATIENCE)
    try:
        connection.putrequest("PUT", target(url), skip_accept_encoding=True)
        for name, value in _headers(session, data).items():
            connection.putheader(name, value)
        with Progress(data.name, data.size) as progress:
            try:
                connection.endheaders()
                _send_body(connection, data, progress.add)
            except (BrokenPipeError, ConnectionResetError):
                pass  # The server hung up, most likely after it had answered: that answer says why.
        return finish(connection.getresponse(), url)
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error
    finally:
        connection.close()


def _headers(session: Session, data: Input) -> dict[str, str]:
    headers = {
        "User-Agent": USER_AGENT,
        "X-Auth-Token": session.token_id(),
        "Content-Type": "application/octet-stream",
        "Accept": "application/json",
        "Expect": "100-continue",
    }
    if data.size is None:
        return {**headers, "Transfer-Encoding": "chunked"}
    return {**headers, "Content-Length": str(data.size), "x-openstack-image-size": str(data.size)}


def _send_body(connection: http.client.HTTPConnection, data: Input, sent: Callable[[int], None]) -> None:
    answered = _EarlyResponseWatcher(connection.sock)
    if answered(_WAIT_FOR_GO_AHEAD):
        return
    left = data.size
    while block := data.read():
        if left is not None:
            left -= len(block)
            if left < 0:
                raise Fatal(f"{data.name} grew while it was being sent")
        if answered(0):
            return
        connection.send(block if data.size is not None else b"%x\r\n%b\r\n" % (len(block), block))
        sent(len(block))
    if left:
        raise Fatal(f"{data.name} shrank while it was being sent")
    if data.size is None:
        connection.send(b"0\r\n\r\n")


class _EarlyResponseWatcher:
    """Listens whether the server has given its answer while we still send. A go-ahead (100) is not the answer."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._peeks = type(sock) is socket.socket  # one can't look ahead in TLS

    def __call__(self, seconds: float) -> bool:
        if not self._peeks or not select.select([self._sock], [], [], seconds)[0]:
            return False
        head = self._sock.recv(4096, socket.MSG_PEEK)
        if not head.startswith(b"HTTP/1.1 100"):
            return True
        self._sock.recv(head.find(b"\r\n\r\n") + 4)
        return False
