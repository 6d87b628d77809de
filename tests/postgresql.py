"""A PostgreSQL server of the tests' own, on a socket in a temporary directory; it ends with the tests."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
def server(port: int = 0) -> Iterator[Server]:
    """Start one; its answers are not durable, for nobody cuts the power in a test. Skips a test if there is none.

    It listens on its socket, and on that port of the loopback address if one is given.
    """
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
    command = [bin_directory / "initdb", "-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
    subprocess.run(command, check=True, **quiet)  # type: ignore[call-overload]
    listens = f"listen_addresses={'127.0.0.1' if port else ''}"
    settings = (
        listens,
        f"port={port or 5432}",
        f"unix_socket_directories={directory}",
        "fsync=off",
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


def _wait(made: Server) -> None:
    for _ in range(600):
        try:
            return made.administer("SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.1)
    raise AssertionError("PostgreSQL did not start within a minute")
