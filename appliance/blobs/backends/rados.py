"""Segments in a pool of Ceph, natively, through the site's own librados. A prefix is a namespace of the pool."""

import errno
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from appliance.blobs.backends.librados import LIBRARY, NoLibrary, NoPool, Pool, RadosError, load
from appliance.blobs.backends.objects import ObjectInfo, ObjectMissing, Refused, Unreachable
from appliance.blobs.backends.options import Options
from appliance.blobs.backends.registry import Location
from appliance.blobs.backends.remote import RemoteBackend
from appliance.blobs.durable import Bytes, Disk
from appliance.errors import Fatal, WrongUsage
from appliance.values import MIB

T = TypeVar("T")

_SEGMENT = 64 * MIB
"""Ceph takes objects of up to 128 MiB unless it is told otherwise."""
_PIECE = 4 * MIB
_CONF = "/etc/ceph/ceph.conf"
_OPTIONS = ("conf", "user", "keyring", "mon_host", "library")
_NOT_ALLOWED = (errno.EPERM, errno.EACCES)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOST_CONNECTION = (errno.ESHUTDOWN, errno.ENOTCONN)
"""The cluster has shut this client out, as an administrator or a fail-over may: it has to come anew."""


class RadosObjects:
    """The objects of one namespace. Satisfies `Objects`."""

    largest = _SEGMENT

    def __init__(self, pool: str, namespace: str, open_: Callable[[], Pool], user: str) -> None:
        self.place = f"rados://{pool}/{namespace}".rstrip("/")
        self._name = pool
        self._user = user
        self._open = open_
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._given_up: list[Pool] = []

    @property
    def details(self) -> Mapping[str, object]:
        return {"pool": self._name, "user": self._user, "chunk_size": _SEGMENT // MIB}

    def put(self, key: str, data: bytes) -> None:
        self._call(lambda pool: pool.write_full(key, data))

    def put_file(self, key: str, path: Path, size: int) -> None:
        # An object that was half written by a dead process is the sweep's to find, as anywhere.
        if not size:
            return self.put(key, b"")
        with path.open("rb") as file:
            offset = 0
            while data := file.read(_PIECE):
                self._call(lambda pool, data=data, offset=offset: pool.write(key, data, offset))  # type: ignore[misc]
                offset += len(data)

    def get(self, key: str) -> bytes:
        info = self._call(lambda pool: pool.stat(key))
        if info is None:
            raise ObjectMissing
        return bytes(self.get_range(key, 0, info[0]))

    def get_range(self, key: str, offset: int, length: int) -> Bytes:
        return self._call(lambda pool: pool.read(key, length, offset))

    def head(self, key: str) -> ObjectInfo | None:
        info = self._call(lambda pool: pool.stat(key))
        return None if info is None else ObjectInfo(key, info[0], info[1] * 1_000_000)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Without sizes and times, which it would have to ask for one by one."""
        keys = self._call(lambda pool: pool.keys())
        while (key := self._call(lambda _: next(keys, None))) is not None:
            if key.startswith(prefix):
                yield ObjectInfo(key, 0, 0)

    def delete(self, key: str) -> None:
        try:
            self._call(lambda pool: pool.remove(key))
        except ObjectMissing:
            pass

    def close(self) -> None:
        """Leave the cluster. Nobody may be in a call."""
        with self._lock:
            pools = [*self._given_up, *([self._pool] if self._pool else [])]
            self._pool, self._given_up = None, []
        for pool in pools:
            pool.close()

    def _connected(self) -> Pool:
        with self._lock:
            if self._pool is None:
                self._pool = self._open()
            return self._pool

    def _call(self, call: Callable[[Pool], T]) -> T:
        try:
            pool = self._connected()
        except NoPool as error:
            raise Refused(f"{self.place}: there is no such pool: make it first") from error
        except RadosError as error:
            raise self._why_not_connected(error) from error
        try:
            return call(pool)
        except RadosError as error:
            if error.errno in _LOST_CONNECTION:
                self._give_up(pool)
            raise self._failure(error) from error

    def _give_up(self, pool: Pool) -> None:
        """Other threads may still be in its calls, so it is closed at the end."""
        with self._lock:
            if self._pool is pool:
                self._pool = None
                self._given_up.append(pool)

    def _why_not_connected(self, error: RadosError) -> Exception:
        if error.errno in _NOT_ALLOWED:
            return Refused(f"{self.place}: Ceph does not know client.{self._user}, or its key is another one")
        if error.errno == errno.ENOENT:
            return Refused(
                f"{self.place}: Ceph's configuration names no monitor, or there is no key of "
                f"client.{self._user}: see the options conf, mon_host and keyring"
            )
        if error.errno == errno.EINVAL:
            return Refused(f"{self.place}: Ceph's configuration has an error: see the option conf")
        return Unreachable(f"{self.place} can't be reached: {_reason(error)}")

    def _failure(self, error: RadosError) -> Exception:
        if error.errno == errno.ENOENT:
            return ObjectMissing()
        if error.errno in _NOT_ALLOWED:
            return Refused(f"{self.place}: client.{self._user} may not do this there")
        if error.errno in _FULL:
            return Refused(f"{self.place}: the pool is full, or its quota is used up")
        return Unreachable(f"{self.place} can't be reached: {_reason(error)}")


def connect(location: Location, disk: Disk) -> RemoteBackend:
    """The backend of `pool/namespace`."""
    pool, _, namespace = location.place.strip("/").partition("/")
    options = Options(location, _OPTIONS)
    if not pool:
        raise WrongUsage(f"store {location.store}: write rados://pool/prefix")
    conf = options.text("conf", _CONF if Path(_CONF).exists() or not options.text("mon_host") else "")
    if conf and not Path(conf).is_file():
        raise WrongUsage(f"store {location.store}: {conf}, Ceph's configuration, is not there: see the option conf")
    try:
        library = load(options.text("library", LIBRARY))
    except NoLibrary as error:
        raise Fatal(f"The store {location.store} needs Ceph's client library: {_remedy(error)}") from error
    user, settings = options.text("user", "admin"), _settings(options)
    objects = RadosObjects(pool, namespace, lambda: Pool(library, user, conf, settings, pool, namespace), user)
    return RemoteBackend(objects, location.directory, options.cache_directory, options.cache_size, disk)


def _remedy(error: NoLibrary) -> str:
    if getattr(sys, "frozen", False):
        # The OpenSSL of the executable has no engines, and that of its name is the only one in a process.
        return "the executable can't load it beside its own OpenSSL. Run the appliance from its source."
    return f"install librados2, of the same release as the cluster ({error})"


def _settings(options: Options) -> dict[str, str]:
    """What Ceph's configuration is not to say."""
    timeout = f"{options.number('timeout', 30):g}"
    found = {
        "client_mount_timeout": f"{max(1, options.number('connect_timeout', 5)):.0f}",
        "rados_osd_op_timeout": timeout,
        "rados_mon_op_timeout": timeout,
    }
    return found | {name: options.text(name) for name in ("keyring", "mon_host") if options.text(name)}


def _reason(error: RadosError) -> str:
    return "no answer in time" if error.errno == errno.ETIMEDOUT else (error.strerror or "the call failed").lower()
