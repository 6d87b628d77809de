"""A real Ceph cluster for tests: one monitor, one disk that is memory, and the S3 gateway, unpacked into `build/ceph`.

`make test-backends` lays the daemons out. There is no manager.
"""

import ctypes
import json
import os
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import obstore
from obstore.store import S3Store

from tests.blobs.backends.seaweed import free_ports

ROOT = Path(__file__).parents[3] / "build" / "ceph" / "root"
LIBRARIES = ROOT / "usr/lib/x86_64-linux-gnu"
LIBRARY = LIBRARIES / "librados.so.2"
_PATHS = (LIBRARIES, LIBRARIES / "ceph", ROOT / "lib/x86_64-linux-gnu")
_BEFORE = ("libnl-3", "libnl-route-3", "libibverbs", "librdmacm", "libfmt", "libboost_thread", "libceph-common")
"""What librados is linked with, each after what it needs itself."""
KEY, SECRET = "access", "secretsecret"
USERS = {
    "mon.": {"mon": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "client.images": {"mon": "allow r", "osd": "allow rwx"},
    "client.reader": {"mon": "allow r", "osd": "allow r"},
    "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
}
"""Who has a key in the cluster's keyring, and what for."""
_BEGINS = 60.0
_CONF = """[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{port}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
keyring = {directory}/keyring
plugin dir = {libraries}/ceph
erasure code dir = {libraries}/ceph/erasure-code
osd class dir = {libraries}/rados-classes
run dir = {directory}
admin socket = {directory}/$name.asok
log file = {directory}/$name.log
pid file =
setuser match path =
mon data = {directory}/mon
mon allow pool size one = true
mon allow pool delete = true
osd data = {directory}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd crush chooseleaf type = 0
"""


def why_not() -> str:
    """Why it can't run here; empty if it can."""
    return "" if LIBRARY.exists() else "Ceph is not unpacked: make test-backends"


def environment() -> dict[str, str]:
    """For a process that is to find Ceph's libraries."""
    return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, _PATHS))}


def preload() -> str:
    """Load what librados needs, from where it is unpacked; librados' own path."""
    for name in _BEFORE:
        (file,) = [found[0] for path in _PATHS if (found := sorted(path.glob(f"{name}.so.*")))][:1]
        ctypes.CDLL(str(file), ctypes.RTLD_GLOBAL)
    return str(LIBRARY)


@dataclass
class Ceph:
    """A cluster that runs."""

    directory: Path
    disk: "subprocess.Popen[bytes]"

    @property
    def conf(self) -> Path:
        return self.directory / "ceph.conf"

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(ROOT / "usr/bin" / command[0]), *command[1:], "-c", str(self.conf)],
            capture_output=True,
            text=True,
            env=environment(),
            timeout=60,
            check=True,
        )
        return done.stdout

    def begin(self, *command: str) -> "subprocess.Popen[bytes]":
        with (self.directory / "out").open("ab") as out:
            return subprocess.Popen(
                [str(ROOT / "usr/bin" / command[0]), *command[1:], "-c", str(self.conf)],
                stdout=out,
                stderr=out,
                env=environment(),
            )

    def administer(self, **words: object) -> None:
        """A command to the monitor. The usual program for that is Python with bindings of another Python."""
        script = (
            "import ctypes, sys; l = ctypes.CDLL('librados.so.2'); h = ctypes.c_void_p(); "
            "assert l.rados_create(ctypes.byref(h), None) == 0; "
            "assert l.rados_conf_read_file(h, sys.argv[1].encode()) == 0; "
            "assert l.rados_conf_set(h, b'client_mount_timeout', b'30') == 0; assert l.rados_connect(h) == 0; "
            "n = [ctypes.c_void_p() for _ in range(4)]; p = [ctypes.byref(x) for x in n]; "
            "sys.exit(-l.rados_mon_command(h, (ctypes.c_char_p * 1)(sys.argv[2].encode()), 1, b'', 0, *p))"
        )
        command = ["/usr/bin/env", "python3", "-c", script, str(self.conf), json.dumps(words)]
        subprocess.run(command, env=environment(), check=True, timeout=60)

    def key(self, name: str, file: Path, **capabilities: str) -> None:
        """Add a new key to a file."""
        words = [word for service, given in capabilities.items() for word in ("--cap", service, given)]
        make = [] if file.exists() else ["--create-keyring"]
        self.run("ceph-authtool", str(file), *make, "--gen-key", "-n", name, *words)

    def pool(self) -> str:
        """A new pool."""
        name = f"pool-{os.urandom(6).hex()}"
        self.administer(prefix="osd pool create", pool=name, pg_num=8)
        return name


@contextmanager
def ceph(directory: Path) -> Iterator[Ceph]:
    """Start a monitor and a disk, wait until they serve, and stop them at the end."""
    (port,) = free_ports(1)
    for name in ("mon", "osd"):
        (directory / name).mkdir()
    identity = str(uuid.uuid4())
    (directory / "ceph.conf").write_text(
        _CONF.format(fsid=identity, port=port, directory=directory, libraries=LIBRARIES)
    )
    made, osd = Ceph(directory, None), str(uuid.uuid4())  # type: ignore[arg-type]
    address = ("--addv", "a", f"[v2:127.0.0.1:{port}]", str(directory / "monmap"))
    made.run("monmaptool", "--create", "--fsid", identity, *address)
    for name, capabilities in USERS.items():
        made.key(name, directory / "keyring", **capabilities)
    given = ("--monmap", str(directory / "monmap"), "--keyring", str(directory / "keyring"))
    made.run("ceph-mon", "--mkfs", "-i", "a", *given)
    with ExitStack() as running:
        running.callback(_end, made.begin("ceph-mon", "-f", "-i", "a"))
        made.administer(prefix="osd new", uuid=osd)
        made.run("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", osd)
        made.disk = made.begin("ceph-osd", "-f", "-i", "0")
        running.callback(_end, made.disk)
        yield made


@contextmanager
def gateway(cluster: Ceph) -> Iterator[str]:
    """Its S3 gateway, with a user; the endpoint."""
    (port,) = free_ports(1)
    user = ("--uid=images", "--display-name=images", f"--access-key={KEY}", f"--secret-key={SECRET}")
    cluster.run("radosgw-admin", "user", "create", *user)
    flags = ("--rgw-frontends", f"beast endpoint=127.0.0.1:{port}", "--rgw-data", str(cluster.directory))
    process = cluster.begin("radosgw", "-f", "-n", "client.rgw", *flags)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        _wait(endpoint, cluster)
        yield endpoint
    finally:
        _end(process)


def _wait(endpoint: str, cluster: Ceph) -> None:
    deadline = time.monotonic() + _BEGINS
    while True:
        try:
            urllib.request.urlopen(endpoint, timeout=5).close()
            return
        except OSError:
            assert time.monotonic() < deadline, (cluster.directory / "out").read_text()[-2000:]
            time.sleep(0.2)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def bucket(endpoint: str) -> str:
    """A new bucket. Only its name is signed, which is what obstore can do of that."""
    name = f"bucket-{os.urandom(6).hex()}"
    config = {"endpoint": endpoint, "region": "default", "access_key_id": KEY, "secret_access_key": SECRET}
    store = S3Store(name, config=cast(Any, config), client_options={"allow_http": True})
    signed = obstore.sign(store, "PUT", "", timedelta(minutes=1))
    urllib.request.urlopen(urllib.request.Request(signed, method="PUT"), timeout=30).close()
    return name
