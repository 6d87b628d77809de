"""Image data on its way between a file and a service: progress, what an interruption leaves, where a download goes."""

import hashlib
import http.client
import os
import select
import socket
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from urllib.parse import quote

from appliance.blobs.durable import Disk
from appliance.cli.client.calls import USER_AGENT, Answer, Unreachable, body_of, finish, target, unreachable
from appliance.cli.client.session import Session
from appliance.cli.output import note
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


_TRIES = 5
_SECONDS = 120
_PAUSE = 0.2


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


def save(session: Session, image: dict[str, Any], file: Path) -> None:
    """Put the image's data into `file`, which appears only once it is whole and its digest is right."""
    part = file.with_name(f"{file.name}.{image['id'][:8]}.part")
    with open(part, "a+b") as output:
        digest = new_digest(image)
        done = _ingest(output, digest)
        if done:
            note(f"Going on with {part} after {done} bytes.")
        _fetch(session, image, output, digest, done)
        output.flush()
        disk = Disk()
        disk.sync(output.fileno())
    if not matches(image, digest):
        part.unlink()
        raise Fatal(f"the data of {image['name'] or image['id']} does not match its digest; it was thrown away")
    disk.rename(part, file)


def stream(session: Session, image: dict[str, Any], output: BinaryIO) -> None:
    """Write the image's data to a pipe or a device. That it came out wrong can be told only at the end."""
    digest = new_digest(image)
    _fetch(session, image, output, digest, 0)
    output.flush()
    if not matches(image, digest):
        raise Fatal(f"the data of {image['name'] or image['id']} does not match its digest: don't use it")


def new_digest(image: dict[str, Any]) -> _Digest:
    """A digest of the strongest kind that the image has one of."""
    kind = image.get("os_hash_algo") or ""
    if kind in hashlib.algorithms_available and not kind.startswith("shake"):
        return hashlib.new(kind, usedforsecurity=False)
    return hashlib.new("md5", usedforsecurity=False)


def matches(image: dict[str, Any], digest: _Digest) -> bool:
    """Whether the image's own digest is this one; it is also right if the image has none."""
    kind = getattr(digest, "name", "")
    expected = image.get("os_hash_value") if image.get("os_hash_algo") == kind else image.get("checksum")
    return not expected or digest.hexdigest() == expected


def _ingest(part: BinaryIO, digest: _Digest) -> int:
    """Digest what an earlier try has left, and say how much that is."""
    part.seek(0)
    done = 0
    while block := part.read(_BLOCK):
        digest.update(block)
        done += len(block)
    return done


def _fetch(session: Session, image: dict[str, Any], output: BinaryIO, digest: _Digest, done: int) -> None:
    """All bytes from `done` on. A connection that breaks is made anew, until several in a row have brought nothing."""
    size = image.get("size")
    tries = 0
    with Progress(image["name"] or image["id"], size, done) as progress:
        while size is None or done < size:
            before = done
            try:
                for block in blocks(session, image["id"], done):
                    output.write(block)
                    digest.update(block)
                    done += len(block)
                    progress.add(len(block))
                if size is None or done >= size:
                    return
                raise Unreachable(f"the server broke off after {done} of {size} bytes")
            except Unreachable:
                tries = 1 if done > before else tries + 1
                if tries >= _TRIES:
                    raise
                time.sleep(_PAUSE * tries)


def blocks(session: Session, image_id: str, start: int) -> Iterator[bytes]:
    """The blocks of one answer, from byte `start` on."""
    url = f"{session.address('image')}/v2/images/{quote(image_id, safe='')}/file"
    headers = {"User-Agent": USER_AGENT, "X-Auth-Token": session.token_id(), "Accept": "application/json, */*"}
    if start:
        headers["Range"] = f"bytes={start}-"
    connection = session.http.connect(url, _SECONDS)
    try:
        connection.request("GET", target(url), headers=headers)
        response = connection.getresponse()
        if response.status >= 400:
            finish(response, url)
        if response.status == 204:
            raise Fatal("the image has no data yet")
        if start and response.status != 206:
            raise Fatal("the server does not send the rest of the data alone: remove the .part file and try again")
        yield from body_of(connection, response, url, _BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise unreachable(url, error) from error
    finally:
        connection.close()


class FromCloud(Input):
    """The data of an image of another cloud, as something that can be sent.

    The last block is held back until the digest of all of them is right: data that came out wrong never arrives
    whole, and the service that receives it throws it away.
    """

    def __init__(self, source: Session, image: dict[str, Any]) -> None:
        self.name = image["name"] or image["id"]
        self.size = image.get("size")
        self.digest = hashlib.sha512()
        self._image = image
        self._check = new_digest(image)
        self._blocks = _steady(source, image)
        self._held = b""
        self._started = False

    def read(self) -> bytes:
        """The next bytes; empty at the end. Raises `Fatal` if the data is not what its image says."""
        if not self._started:
            self._started = True
            self._held = self._next()
        block, self._held = self._held, self._next() if self._held else b""
        if block and not self._held and not matches(self._image, self._check):
            raise Fatal("the data that came does not match the image's digest")
        self.digest.update(block)
        return block

    def _next(self) -> bytes:
        block = next(self._blocks, b"")
        self._check.update(block)
        return block


def _steady(source: Session, image: dict[str, Any]) -> Iterator[bytes]:
    """All blocks. A connection that breaks is made anew, until several in a row have brought nothing."""
    size, done, tries = image.get("size"), 0, 0
    while size is None or done < size:
        before = done
        try:
            for block in blocks(source, image["id"], done):
                done += len(block)
                yield block
            if size is None or done >= size:
                return
            raise Unreachable(f"the server broke off after {done} of {size} bytes")
        except Unreachable:
            tries = 1 if done > before else tries + 1
            if tries >= _TRIES or size is None:
                raise
            time.sleep(_PAUSE * tries)
