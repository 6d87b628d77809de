"""Uploads and downloads when things go wrong: broken connections, wrong bytes, early refusals; and the progress bar."""

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.cli.fake_cloud import IMAGE, FakeCloud

DATA = os.urandom(3 << 20)


@pytest.fixture
def cloud() -> Iterator[FakeCloud]:
    made = FakeCloud(DATA)
    yield made
    made.close()


def test_a_broken_download_goes_on_where_it_broke(program: Program, cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.breaks = [1 << 20, 100]
    program("image", "save", "fake", "--file", tmp_path / "out", **cloud.shell)
    assert (tmp_path / "out").read_bytes() == DATA
    assert cloud.ranges == [None, f"bytes={1 << 20}-", f"bytes={(1 << 20) + 100}-"]


def test_a_later_try_goes_on_with_the_part(program: Program, cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.breaks = [2 << 20, 0, 0, 0, 0]
    said = program("image", "save", "fake", "--file", tmp_path / "out", code=1, **cloud.shell).sentence()
    assert "broke off after 2097152 of 3145728 bytes" in said
    part = tmp_path / f"out.{IMAGE[:8]}.part"
    assert part.read_bytes() == DATA[: 2 << 20] and not (tmp_path / "out").exists()
    again = program("image", "save", "fake", "--file", tmp_path / "out", **cloud.shell)
    assert "Going on" in again.error and (tmp_path / "out").read_bytes() == DATA and not part.exists()
    assert cloud.ranges[-1] == f"bytes={2 << 20}-"


def test_wrong_bytes_never_become_the_file(program: Program, cloud: FakeCloud, tmp_path: Path) -> None:
    cloud.digest = "0" * 128
    said = program("image", "save", "fake", "--file", tmp_path / "out", code=1, **cloud.shell).sentence()
    assert "does not match its digest" in said and list(tmp_path.glob("out*")) == []
    assert "don't use it" in program("image", "save", "fake", code=1, **cloud.shell).sentence()


def test_an_early_refusal_is_told_and_the_image_removed(program: Program, cloud: FakeCloud) -> None:
    cloud.refuse_upload = (413, "text/plain", "413 Request Entity Too Large\n\nThe quota of 1 MiB is used up.\n\n   ")
    ended = program("image", "create", "new", "--file", "-", code=1, stdin=bytes(64 << 20), **cloud.shell)
    assert ended.sentence() == "The quota of 1 MiB is used up. (HTTP 413)"
    assert cloud.requests[-1] == f"DELETE /v2/images/{IMAGE}"


@pytest.mark.parametrize("from_file", [True, False])
def test_what_is_stored_is_compared_with_what_was_sent(
    program: Program, cloud: FakeCloud, tmp_path: Path, from_file: bool
) -> None:
    (tmp_path / "in").write_bytes(b"something else")
    source = str(tmp_path / "in") if from_file else "-"
    ended = program("image", "create", "new", "--file", source, code=1, stdin=b"something else", **cloud.shell)
    assert "the digests differ" in ended.sentence() and cloud.received == b"something else"


def test_a_failed_import_says_why(program: Program, cloud: FakeCloud) -> None:
    ended = program("image", "import", "fake", "--uri", "http://x/", "--wait", code=1, **cloud.shell)
    assert ended.sentence() == "the import failed: the address is on the moon"


def test_html_errors_become_a_sentence(program: Program, cloud: FakeCloud) -> None:
    assert program("user", "list", code=1, **cloud.shell).sentence() == "No & nothing. (HTTP 404)"


def test_progress_is_drawn_on_a_terminal_and_nowhere_else(program: Program, cloud: FakeCloud, tmp_path: Path) -> None:
    assert program("image", "save", "fake", "--file", tmp_path / "quiet", **cloud.shell).error == ""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        program.command("image", "save", "fake", "--file", tmp_path / "shown"),
        env={**program.environment, **cloud.shell, "COLUMNS": "100"},
        cwd=program.home,
        stderr=theirs,
        check=True,
        timeout=60,
    )
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert done.returncode == 0 and "fake [####" in shown and "100%  3.0 MiB of 3.0 MiB" in shown
