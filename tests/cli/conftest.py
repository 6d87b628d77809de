"""The real program as a subprocess, with an environment of its own, and a real appliance for it to talk to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Appliance


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: bytes
    error: str

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    def sentence(self) -> str:
        """The one line that a failed command says."""
        lines = self.error.splitlines()
        assert len(lines) == 1 and lines[0].startswith("glance-appliance: "), self.error
        return lines[0].removeprefix("glance-appliance: ")


class Program:
    """`python appliance.py …`, run in an empty directory, with an empty home and `environment` alone."""

    def __init__(self, home: Path, **environment: str) -> None:
        self.home = home
        self.environment = {
            "HOME": str(home),
            "PATH": os.environ["PATH"],
            "PYTHONWARNINGS": "error",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }

    def command(self, *words: str | Path) -> list[str]:
        return [sys.executable, str(ROOT / "appliance.py"), *map(str, words)]

    def __call__(self, *words: str | Path, code: int = 0, stdin: bytes = b"", **environment: str) -> Ended:
        """Run one command; it must end with `code`."""
        done = subprocess.run(
            self.command(*words),
            env={**self.environment, **environment},
            cwd=self.home,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr.decode())
        assert done.returncode == code, f"{words} → {done.returncode}\n{done.stdout!r}\n{ended.error}"
        assert "Traceback" not in ended.error
        return ended


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program, knowing no cloud."""
    home = tmp_path / "home"
    home.mkdir()
    return Program(home)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """One appliance for all tests of the command line."""
    started = Appliance(tmp_path_factory.mktemp("server") / "data")
    yield started
    assert started.stop() == 0, started.log()


@pytest.fixture(scope="session")
def admin_shell(server: Appliance, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The administrator's environment. A token in it saves each command the time that checking a password takes."""
    home = tmp_path_factory.mktemp("home")
    token = Program(home)("token", "issue", "--data-dir", server.directory, "-f", "value", "-c", "id").text.strip()
    return {"OS_AUTH_URL": server.identity, "OS_TOKEN": token, "OS_PROJECT_NAME": "admin"}


@pytest.fixture
def admin(admin_shell: dict[str, Any], tmp_path: Path) -> Program:
    """The program as the administrator of the appliance."""
    home = tmp_path / "admin"
    home.mkdir()
    return Program(home, **admin_shell)
