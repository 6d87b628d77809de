"""Every file that the appliance makes is its user's alone, whatever the umask and the directory were before."""

import os
import stat
from pathlib import Path

from tests.cli.conftest import Program
from tests.e2e.conftest import Appliance


def too_open(*directories: Path) -> list[str]:
    """What others may do anything with."""
    paths = [path for directory in directories for path in (directory, *directory.rglob("*"))]
    return [str(path) for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]


def test_nobody_else_reads_what_the_appliance_makes(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        (tmp_path / "data").mkdir(mode=0o755)
        served = Appliance(
            tmp_path / "data",
            *("--image-cache-dir", str(tmp_path / "cache"), "--enabled-backends", f"main:file,far:file:{tmp_path}/far"),
        )
        program = Program(tmp_path)
        try:
            program(
                *("image", "create", "x", "--data-dir", tmp_path / "data", "--disk-format", "raw", "--file", "-"),
                stdin=os.urandom(300_000),
            )
            program("backup", "--data-dir", tmp_path / "data", tmp_path / "backup")
            # The write-ahead log is there only while it is served.
            assert too_open(tmp_path / "data", tmp_path / "cache", tmp_path / "far", tmp_path / "backup") == []
        finally:
            assert served.stop() == 0
        program("restore", "--data-dir", tmp_path / "new", tmp_path / "backup")
        program("doctor", "--rebuild", "--data-dir", tmp_path / "new")
    finally:
        os.umask(before)
    assert too_open(tmp_path / "data", tmp_path / "backup", tmp_path / "new") == []
