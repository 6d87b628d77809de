"""A PostgreSQL server of the tests' own, on a socket in a temporary directory; it ends with the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from appliance.db.engine.registry import open_database

USER = "appliance"


def programs() -> Path | None:
    """Where the server's programs are: Debian's, or those on the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    if found:
        return found[-1].parent
    return Path(on_path).resolve().parent if on_path else None


class Server:
    """A running server."""

    def __init__(self, directory: Path, port: int, command: list[Any], options: dict[str, Any]) -> None:
        self.directory = directory
        self.port = port
        self._command = command
        self._options = options
        self.start()
        self._made = 0
        self._current = ""

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, **self._options)
        _wait(self)

    def stop(self, how: signal.Signals) -> None:
        self._process.send_signal(how)
        self._process.wait()

    def restart(self) -> None:
        """What a fail-over looks like to its clients: every connection is cut, and a moment later all is well."""
        self.stop(signal.SIGINT)
        self.start()

    def kill(self) -> None:
        """What a machine that dies does to it: all of its processes end at once."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It answers nothing, and closes no connection."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, how: signal.Signals) -> None:
        """To all of its processes."""
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, how)

    def url(self, database: str) -> str:
        return f"postgresql://{USER}@/{database}?host={self.directory}&port={self.port}"

    def administer(self, sql: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(sql.encode())

    def create(self) -> str:
        """The URL of a new, empty database."""
        return self._create("template0")

    def create_current(self) -> str:
        """The URL of a new database of this version: a copy of one that was brought up to it once."""
        if not self._current:
            url = self.create()
            open_database(url).close()
            self._current = url.split("/")[3].split("?")[0]
        return self._create(self._current)

    def _create(self, template: str) -> str:
        self._made += 1
        name = f"test_{self._made}"
        self.administer(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)


@contextmanager
def server(port: int = 0, *, durable: bool = False) -> Iterator[Server]:
    """Start one; its answers are not durable, for nobody cuts the power in a test. Skips a test if there is none.

    It listens on its socket, and on that port of the loopback address if one is given.
    """
    with _made(port, _initialise, durable=durable) as made:
        yield made


@contextmanager
def standby_of(primary: Server, port: int) -> Iterator[Server]:
    """Start another that follows it; from then on nothing is committed at the first that the second has not."""

    def copy(programs: Path, data: Path, how: dict[str, Any]) -> None:
        command = [str(programs / "pg_basebackup"), "-D", str(data), "-U", USER, "-R", "--checkpoint=fast"]
        command += ["-h", "127.0.0.1", "-p", str(primary.port)]
        subprocess.run(command, check=True, **how)

    with _made(port, copy) as made:
        primary.administer("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.administer("SELECT pg_reload_conf()")
        yield made


@contextmanager
def _made(port: int, fill: Callable[[Path, Path, dict[str, Any]], None], *, durable: bool = False) -> Iterator[Server]:
    """A server on the directory that `fill` makes."""
    bin_directory = programs()
    if bin_directory is None:
        pytest.skip("there is no PostgreSQL: apt-get install postgresql")
    directory = Path(tempfile.mkdtemp(prefix="pg"))
    # PostgreSQL refuses to run as root.
    user = "nobody" if os.getuid() == 0 else None
    if user:
        shutil.chown(directory, user)
    data = directory / "data"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "user": user, "cwd": directory}
    fill(bin_directory, data, quiet)
    settings = (
        f"listen_addresses={'127.0.0.1' if port else ''}",
        f"port={port or 5432}",
        f"unix_socket_directories={directory}",
        f"fsync={'on' if durable else 'off'}",
        "max_connections=100",
    )
    options = [part for setting in settings for part in ("-c", setting)]
    made = Server(directory, port or 5432, [bin_directory / "postgres", "-D", data, *options], quiet)
    try:
        yield made
    finally:
        # Immediately: what it has written is thrown away.
        made.stop(signal.SIGQUIT)
        shutil.rmtree(directory, ignore_errors=True)


def _initialise(programs: Path, data: Path, how: dict[str, Any]) -> None:
    command = [str(programs / "initdb"), "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "-N"]
    command += _locale(programs)
    subprocess.run(command, check=True, **how)


def _locale(programs: Path) -> list[str]:
    """A site's databases sort as people do, not by bytes: what depends on that has to show in a test."""
    told = subprocess.run([programs / "initdb", "--help"], capture_output=True, text=True, check=True).stdout
    return ["--locale=C", *(["--locale-provider=icu", "--icu-locale=en-US"] if "--icu-locale" in told else [])]


def _wait(made: Server) -> None:
    for _ in range(600):
        try:
            return made.administer("SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start within a minute")
