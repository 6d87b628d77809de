"""The Debian package: the same bytes from the same folder, whatever the habits of who builds it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "packaging"))

import build_deb

PACKAGING = Path(__file__).parents[2] / "packaging"

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="dpkg-deb is not installed")


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Path]:
    """Packs a folder whose program is a line of shell."""
    program = tmp_path / "build/folder/glance-appliance"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho $1\n")
    program.chmod(0o755)
    (tmp_path / "build/glibc").write_text("2.30\n")
    (tmp_path / "build/glance-appliance.cdx.json").write_text("{}\n")
    (tmp_path / "dist").mkdir()
    for name, place in (("BUILD", "build"), ("STAGE", "stage"), ("OUT", "dist")):
        monkeypatch.setattr(build_deb, name, tmp_path / place)

    def run() -> Path:
        assert build_deb.main() == 0
        (made,) = (tmp_path / "dist").iterdir()
        return made

    return run


def test_two_builds_are_the_same_bytes(build: Callable[[], Path], tmp_path: Path) -> None:
    first = build().read_bytes()
    os.utime(tmp_path / "build/folder/glance-appliance", (1, 2_000_000_000))
    before = os.umask(0o077)
    try:
        assert build().read_bytes() == first
    finally:
        os.umask(before)


def test_what_is_in_it(build: Callable[[], Path]) -> None:
    package = build()
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout.splitlines()
    owners = {line.split()[1] for line in listed}
    files = {line.split()[5]: line.split()[0] for line in listed}
    assert owners == {"root/root"}
    assert files["./usr/lib/glance-appliance/glance-appliance"] == "-rwxr-xr-x"
    assert files["./lib/systemd/system/glance-appliance.service"] == "-rw-r--r--"
    assert files["./usr/bin/glance-appliance"].startswith("l")
    fields = subprocess.run(["dpkg-deb", "-f", package], capture_output=True, text=True, check=True).stdout
    assert "Depends: libc6 (>= 2.30), zlib1g, adduser" in fields


@pytest.mark.parametrize("script", sorted(path.name for path in (PACKAGING / "debian").iterdir()))
def test_the_scripts_are_shell(script: str) -> None:
    subprocess.run(["sh", "-n", PACKAGING / "debian" / script], check=True)


def test_without_a_build_it_says_what_comes_first(
    build: Callable[[], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "build/glibc").unlink()
    assert build_deb.main() == 1
    assert "`make binary` comes first" in capsys.readouterr().err
