"""A real OpenStack Swift with tempauth, on one directory: `make test-backends` installs it, and needs a memcached."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from tests.blobs.backends.seaweed import free_ports

BIN = Path(__file__).parents[3] / ".venv-backends" / "bin"
USER, PASSWORD = "images:glance", "secret"
_BEGINS = 60.0

_CONF = """[swift-hash]
swift_hash_path_suffix = test
swift_hash_path_prefix = test
[storage-policy:0]
name = only
default = yes
"""
_STORAGE = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
devices = {directory}/srv
mount_check = false
swift_dir = {directory}
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
_PROXY = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
swift_dir = {directory}
[pipeline:main]
pipeline = catch_errors cache {auth} proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_images_glance = secret .admin
user_images_reader = secret
token_life = {token_life}
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
www_authenticate_uri = {identity}
auth_url = {identity}
auth_type = password
user_domain_id = default
project_domain_id = default
project_name = service
username = swift
password = {password}
delay_auth_decision = true
cache = swift.cache
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = member
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{cache}
[filter:catch_errors]
use = egg:swift#catch_errors
"""


def why_not() -> str:
    """Why it can't run here; empty if it can."""
    if not (BIN / "swift-proxy-server").exists():
        return "Swift is not installed: make test-backends"
    return "" if which("memcached") else "memcached is not installed"


@dataclass
class Swift:
    """A server that runs."""

    auth_url: str

    def account(self) -> tuple[str, str]:
        request = urllib.request.Request(self.auth_url, headers={"X-Auth-User": USER, "X-Auth-Key": PASSWORD})
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.headers["X-Storage-Url"], answer.headers["X-Auth-Token"]

    def container(self) -> str:
        """A new container."""
        name = f"container-{os.urandom(6).hex()}"
        url, token = self.account()
        request = urllib.request.Request(f"{url}/{name}", method="PUT", headers={"X-Auth-Token": token})
        urllib.request.urlopen(request, timeout=30).close()
        return name


@dataclass
class Keystone:
    """Where Swift has tokens checked, as its user `swift`."""

    url: str
    password: str


@contextmanager
def swift(directory: Path, token_life: int = 86400, keystone: Keystone | None = None) -> Iterator[Swift]:
    """Start it, wait until it serves, and stop it at the end. It issues tokens itself, unless there is a Keystone."""
    (directory / "srv" / "d1").mkdir(parents=True)
    (directory / "swift.conf").write_text(_CONF)
    ports = dict(zip(("account", "container", "object", "proxy", "cache"), free_ports(5), strict=True))
    for kind in ("account", "container", "object"):
        for words in (
            ("create", "4", "1", "1"),
            ("add", f"r1z1-127.0.0.1:{ports[kind]}/d1", "1"),
            ("rebalance",),
        ):
            command = [str(BIN / "swift-ring-builder"), f"{kind}.builder", *words]
            subprocess.run(command, cwd=directory, check=False, capture_output=True)
        text = _STORAGE.format(kind=kind, port=ports[kind], directory=directory)
        (directory / f"{kind}.conf").write_text(text)
    text = _PROXY.format(
        port=ports["proxy"],
        cache=ports["cache"],
        directory=directory,
        token_life=token_life,
        auth="authtoken keystoneauth" if keystone else "tempauth",
        identity=keystone.url if keystone else "",
        password=keystone.password if keystone else "",
    )
    (directory / "proxy.conf").write_text(text)
    with ExitStack() as running:
        commands = [["memcached", "-u", "root", "-l", "127.0.0.1", "-p", str(ports["cache"]), "-m", "16"]]
        commands += [[str(BIN / f"swift-{kind}-server"), f"{directory}/{kind}.conf"] for kind in list(ports)[:4]]
        for command in commands:
            running.callback(_end, _begin(command, directory))
        made = Swift(f"http://127.0.0.1:{ports['proxy']}/auth/v1.0")
        _wait(made, directory, 401 if keystone else 0)
        yield made


def _begin(command: list[str], directory: Path) -> "subprocess.Popen[bytes]":
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, start_new_session=True)


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(server: Swift, directory: Path, refuses: int) -> None:
    """Until it makes a container; or refuses to, with that status."""
    deadline = time.monotonic() + _BEGINS
    while True:
        try:
            if refuses:
                urllib.request.urlopen(server.auth_url.replace("/auth/v1.0", "/v1/AUTH_x"), timeout=5).close()
            server.container()
            return
        except (urllib.error.URLError, OSError) as error:
            if isinstance(error, urllib.error.HTTPError) and error.code == refuses:
                return
            assert time.monotonic() < deadline, (directory / "log").read_text()[-2000:]
            time.sleep(0.2)
