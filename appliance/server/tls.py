"""TLS: a certificate that is read anew when its files change, and sockets that encrypt.

A `TlsSocket` stands where the server expects a non-blocking socket: it is watched, duplicated and cut like one. Its
duplicates share one session, whose keys are used by one thread at a time.
"""

import contextlib
import errno
import logging
import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from appliance.errors import Fatal
from appliance.values import KIB, FileRange

_log = logging.getLogger(__name__)

# What one record holds.
_RECORD = 16 * KIB
# What is encrypted at once. What the client has no room for is tried again with the same bytes, and no fewer.
PART = 64 * KIB
_FILE_PART = 256 * KIB
# Forward secrecy and authenticated encryption; those of TLS 1.3 are all so.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_Stamp = tuple[tuple[int, int, int], ...]


class ServerCertificate:
    """The certificate that new connections are shown. `check` takes over changed files; bad ones change nothing."""

    def __init__(self, chain: Path, key: Path | None = None) -> None:
        """`chain` is the server's certificate and those between it and its authority; `key` may be in the same file.

        Raises Fatal.
        """
        self._files = (chain, key or chain)
        self._seen = self._stamp()
        self._loaded = self._seen
        self.context, self.pem = self._load()

    def check(self) -> None:
        """Take over files that have changed and then stayed the same since the last call: a pair is written one by one.

        On the main loop's thread.
        """
        stamp, before = self._stamp(), self._seen
        self._seen = stamp
        if stamp == before and stamp != self._loaded:
            self.reload()

    def reload(self) -> None:
        """Take over what the files say now. What can't be used is logged, and the certificate before stays."""
        self._loaded = self._stamp()
        try:
            self.context, self.pem = self._load()
        except Fatal as error:
            _log.error("the certificate stays as it was: %s", error)
        else:
            _log.info("the certificate in %s is in use", self._files[0])

    def _load(self) -> tuple[ssl.SSLContext, bytes]:
        chain, key = self._files
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.set_alpn_protocols(["http/1.1"])
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        for path in self._files:
            try:
                path.read_bytes()
            except OSError as error:
                raise Fatal(f"Can't read {path}: {error.strerror}.") from error
        try:
            context.load_cert_chain(chain, key, password=lambda: _no_password(key))
            return context, chain.read_bytes()
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise Fatal(f"The key in {key} does not belong to the certificate in {chain}.") from error
            said = error.reason or error
            raise Fatal(f"{chain} and {key} are no certificate and key in PEM form that can be used: {said}") from error
        except OSError as error:
            raise Fatal(f"Can't read {chain} and {key}: {error.strerror}.") from error

    def _stamp(self) -> _Stamp:
        found = []
        for path in self._files:
            try:
                status = path.stat()
                found.append((status.st_mtime_ns, status.st_size, status.st_ino))
            except OSError:
                found.append((0, 0, 0))
        return tuple(found)


def _no_password(key: Path) -> str:
    raise Fatal(f"The key in {key} is encrypted: give one without a password, in a file that its owner alone may read.")


class _Session:
    """The keys and the state of one connection, on a descriptor of its own, for all of its `TlsSocket`s."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.lock = threading.Lock()
        """Held while the keys are used. Never for long: nothing here waits."""
        own = sock.dup()
        own.setblocking(False)
        self.tls = context.wrap_socket(own, server_side=True, do_handshake_on_connect=False)
        self.ended = False
        """We have said that we send nothing more."""
        self._counting = threading.Lock()
        self._users = 1

    def join(self) -> None:
        """One socket more uses it."""
        with self._counting:
            self._users += 1

    def leave(self) -> None:
        """One less; the last closes the descriptor."""
        with self._counting:
            self._users -= 1
            last = not self._users
        if last:
            self.tls.close()

    def receive(self, view: memoryview) -> int:
        """Bytes of one record; 0 at the end. Raises `BlockingIOError` while none is complete."""
        try:
            with self.lock:
                self._check()
                return self.tls.recv_into(view)
        except (ssl.SSLError, ValueError) as error:
            raise _as_plain(error) from error

    def send(self, view: memoryview) -> int:
        """Send all of it, or raise `BlockingIOError`, and have it tried again."""
        try:
            with self.lock:
                self._check()
                return self.tls.send(view)
        except (ssl.SSLError, ValueError) as error:
            raise _as_plain(error) from error

    def _check(self) -> None:
        # Without its keys the socket would carry plain bytes.
        if self.ended:
            raise ConnectionResetError(errno.ECONNRESET, "TLS has ended")

    def pending(self) -> int:
        """Bytes that are decrypted and not taken: nothing else tells of them."""
        with self.lock:
            return 0 if self.ended else self.tls.pending()

    def say_goodbye(self) -> None:
        """Tell the client that this is the end, so that it is no broken connection."""
        with self.lock:
            self.ended = True
            with contextlib.suppress(OSError, ValueError):
                self.tls.unwrap()


def _as_plain(error: Exception) -> OSError:
    """What a plain socket would raise."""
    if isinstance(error, ssl.SSLWantReadError | ssl.SSLWantWriteError):
        return BlockingIOError(errno.EAGAIN, "no whole record can be moved")
    return ConnectionResetError(errno.ECONNRESET, f"TLS failed: {error}")


class TlsSocket(socket.socket):
    """The server's end of a TLS connection. Raises what a plain socket that doesn't wait raises."""

    def __init__(self, sock: socket.socket, session: _Session) -> None:
        super().__init__(sock.family, sock.type, sock.proto, sock.detach())
        self.setblocking(False)
        self._session = session
        self._has_left = False

    @classmethod
    def accepted(cls, sock: socket.socket, context: ssl.SSLContext) -> "TlsSocket":
        """What becomes of an accepted connection, whose handshake is still to come. Raises OSError."""
        try:
            session = _Session(sock, context)
        except BaseException:
            sock.close()
            raise
        return cls(sock, session)

    def shake_hands(self) -> None:
        """Go on with the handshake; returns when it is done. Raises `SSLWantReadError` and the like before."""
        with self._session.lock:
            self._session.tls.do_handshake()

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """About `size` bytes of what is there, and all that is decrypted already."""
        if flags or self._session.ended:
            # A look whether anything has come; or a client that goes on sending, which nobody will read.
            return super().recv(size, flags)
        found = bytearray()
        buffer = memoryview(bytearray(_RECORD))
        while len(found) < size or self._session.pending():
            try:
                part = self._session.receive(buffer)
            except BlockingIOError:
                if not found:
                    raise
                break
            if not part:
                break
            found += buffer[:part]
        return bytes(found)

    def recvmsg_into(self, buffers: Any, /, *_: Any) -> tuple[int, list[Any], int, Any]:
        """Fill the buffers, one after the other, as far as bytes are there."""
        total = 0
        for view in (memoryview(buffer).cast("B") for buffer in buffers):
            while view:
                try:
                    part = self._session.receive(view)
                except BlockingIOError:
                    if not total:
                        raise
                    part = 0
                if not part:
                    return total, [], 0, None
                total, view = total + part, view[part:]
        return total, [], 0, None

    def decrypted(self) -> bytes:
        """What is decrypted and not taken: the beginning of whatever follows."""
        found = bytearray()
        while size := self._session.pending():
            buffer = memoryview(bytearray(size))
            found += buffer[: self._session.receive(buffer)]
        return bytes(found)

    def send(self, data: Any, flags: int = 0, /) -> int:
        """Send what the client has room for. The next call has to begin with the bytes that were not sent."""
        view, sent = memoryview(data).cast("B"), 0
        while sent < len(view):
            try:
                sent += self._session.send(view[sent : sent + PART])
            except BlockingIOError:
                if not sent:
                    raise
                break
        return sent

    def send_file(self, run: FileRange, most: int) -> int:
        """Send the beginning of a run of a file; 0 if the file ends before it."""
        part = os.pread(run.fd, min(run.length, most, _FILE_PART), run.offset)
        return self.send(part) if part else 0

    def send_plain(self, answer: bytes) -> None:
        """Say something to a client that speaks no TLS."""
        with contextlib.suppress(OSError):
            super().send(answer)

    def shutdown(self, how: int, /) -> None:
        """End what is sent, with the word that tells it from a broken connection; or cut the connection."""
        if how == socket.SHUT_WR:
            self._session.say_goodbye()
        super().shutdown(how)

    def dup(self) -> "TlsSocket":
        """Another one of the same connection."""
        plain = socket.socket(self.family, self.type, self.proto, os.dup(self.fileno()))
        self._session.join()
        return TlsSocket(plain, self._session)

    def close(self) -> None:
        """Close this one; the last closes the session."""
        super().close()
        if not self._has_left:
            self._has_left = True
            self._session.leave()
