"""Every verb as a person meets it: in a narrow and a wide terminal, piped, and in a locale without letters."""

import codecs
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from fcntl import ioctl
from pathlib import Path

import pytest

from appliance.cli.commands import commands
from appliance.cli.main import main
from tests.cli.conftest import Program
from tests.cli.fake_cloud import FakeCloud

COLOUR = re.compile(r"\033\[\d*m")
STEERING = re.compile(r"\033\[[\d;]*[A-Za-z]")
UNBREAKABLE = re.compile(r"  --[\w-]+( / --[\w-]+| [A-Z_]+)?|Usage: [\w -]+")
"""A flag with its value, or a verb, alone in a line."""
VERBS = list(dict(commands()))


class Terminal:
    """A program in a terminal of its own, so many columns wide."""

    def __init__(self, program: Program, *words: str | Path, columns: int = 80, **environment: str) -> None:
        self._ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.shown = ""
        self.process = subprocess.Popen(
            program.command(*words),
            env={**program.environment, "TERM": "xterm", **environment},
            cwd=program.home,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._text = codecs.getincrementaldecoder("utf-8")()

    def read(self, until: str = "", seconds: float = 30) -> str:
        """What is shown, up to a text or the end."""
        end = time.monotonic() + seconds
        while not until or until not in self.shown:
            if time.monotonic() > end or not select.select([self._ours], [], [], end - time.monotonic())[0]:
                raise AssertionError(f"{until!r} was not shown: {self.shown!r}")
            try:
                self.shown += self._text.decode(os.read(self._ours, 65536))
            except OSError:  # the other end is closed
                break
        return self.shown

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Read all that comes; the exit code."""
        self.read()
        os.close(self._ours)
        return self.process.wait(30)


def lines(shown: str) -> list[str]:
    return [STEERING.sub("", line) for line in shown.replace("\r\n", "\n").splitlines()]


def on_terminal(program: Program, *words: str | Path, columns: int = 80, **environment: str) -> str:
    terminal = Terminal(program, *words, columns=columns, **environment)
    assert terminal.end() == 0, terminal.shown
    return terminal.shown


# -- help --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [40, 120])
@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_each_verb_fits_the_terminal(
    verb: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([*verb.split(), "--help"]) == 0
    shown = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert not [line for line in shown if len(line) > columns and not UNBREAKABLE.fullmatch(line)]


def test_help_in_a_real_terminal_has_its_width(program: Program) -> None:
    narrow = lines(on_terminal(program, "image", "--help", columns=40))
    wide = lines(on_terminal(program, "image", "--help", columns=120))
    assert max(map(len, narrow)) <= 40 < max(map(len, wide)) <= 100


# -- tables ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(admin_shell: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The program as the administrator of an appliance that has two images."""
    shell = Program(tmp_path_factory.mktemp("images"), **admin_shell)
    names = ("term-a-rather-long-name-that-needs-room", "term-日本語")
    for name in names:
        shell("image", "create", name, "--file", "-", stdin=b"x" * 3_000_000, PYTHONUTF8="1")
    yield shell
    shell("image", "delete", *names, PYTHONUTF8="1")


LISTS: list[tuple[str, ...]] = [
    ("image", "list", "--long"),
    ("user", "list"),
    ("project", "list"),
    ("role", "list"),
    ("role", "holders"),
    ("policy", "list", "image"),
    ("config", "show"),
]


@pytest.mark.parametrize("columns", [40, 120])
@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_lists_fit_the_terminal(images: Program, words: tuple[str, ...], columns: int) -> None:
    shown = lines(on_terminal(images, *words, columns=columns))
    ids = 36 + len("member_id  ")
    assert max(map(len, shown)) <= max(columns, ids + 20)


@pytest.mark.parametrize("words", LISTS, ids=" ".join)
def test_lists_are_whole_and_plain_when_piped_in_any_locale(images: Program, words: tuple[str, ...]) -> None:
    piped = images(*words, LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0").out
    assert b"\033" not in piped and piped.isascii()
    assert len(piped.splitlines()) >= 2


def test_an_id_is_never_cut(images: Program) -> None:
    ids = images("image", "list", "-f", "value", "-c", "id").text.split()
    for columns in (40, 60, 90):
        shown = on_terminal(images, "image", "list", columns=columns)
        assert all(one in shown for one in ids)


def test_people_read_units_and_programs_read_bytes(images: Program) -> None:
    table = images("image", "list", "--long").text
    assert "2.9 MiB" in table and "ago" in table or "now" in table
    assert "3000000" in images("image", "list", "-f", "csv").text
    shown = images("image", "show", "term-日本語", PYTHONUTF8="1").text
    assert "2.9 MiB (3000000 bytes)" in shown and re.search(r"created_at +\d{4}-\d\d-\d\dT[\d:]+Z \(", shown)
    assert images("image", "show", "term-日本語", "-f", "value", "-c", "size", PYTHONUTF8="1").text == "3000000\n"


def test_a_state_has_a_colour_on_a_terminal_that_wants_it(images: Program) -> None:
    assert "\033[32mactive" in on_terminal(images, "image", "list")
    assert not COLOUR.search(on_terminal(images, "image", "list", NO_COLOR="1"))
    assert not COLOUR.search(on_terminal(images, "image", "list", TERM="dumb"))


def test_yaml_and_csv_are_for_programs(images: Program) -> None:
    yaml = images("image", "list", "-f", "yaml", "-c", "name", "-c", "size", PYTHONUTF8="1").text
    assert "- name: term-日本語\n  size: 3000000\n" in yaml
    csv = images("image", "list", "-f", "csv", "-c", "name", "-c", "size", PYTHONUTF8="1").text
    assert csv.splitlines()[0] == "name,size" and "term-日本語,3000000" in csv


# -- questions ---------------------------------------------------------------------------------------------------------


def test_a_delete_is_asked_for_on_a_terminal(admin: Program) -> None:
    admin("image", "create", "asked")
    refused = Terminal(admin, "image", "delete", "asked")
    refused.read("[y/N]")
    refused.type("n\n")
    assert refused.end() == 130
    assert "asked" in admin("image", "list").text
    meant = Terminal(admin, "image", "delete", "asked")
    assert "Delete asked (0 B)?" in meant.read("[y/N]")
    meant.type("y\n")
    assert meant.end() == 0
    assert "asked" not in admin("image", "list").text


def test_yes_asks_nothing(admin: Program) -> None:
    admin("image", "create", "sure")
    assert "[y/N]" not in on_terminal(admin, "image", "delete", "sure", "--yes")


def test_a_password_is_asked_for_without_being_shown(program: Program) -> None:
    cloud = FakeCloud(b"data")
    try:
        shell = {name: value for name, value in cloud.shell.items() if name != "OS_PASSWORD"}
        terminal = Terminal(program, "image", "show", "fake", **shell)
        terminal.read("Password of u: ")
        terminal.type("s3cret\n")
        assert terminal.end() == 0
        assert "s3cret" not in terminal.shown and "fake" in terminal.shown
    finally:
        cloud.close()


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_an_import_on_a_terminal_waits_and_its_failure_is_told(program: Program) -> None:
    cloud = FakeCloud(b"data")
    try:
        terminal = Terminal(program, "image", "import", "fake", "--uri", "http://x/", **cloud.shell)
        assert terminal.end() == 1
        assert "the import failed: the address is on the moon" in terminal.shown
        piped = program("image", "import", "fake", "--uri", "http://x/", **cloud.shell)
        assert piped.error == ""
    finally:
        cloud.close()


def test_quiet_leaves_the_progress_out(program: Program, tmp_path: Path) -> None:
    cloud = FakeCloud(b"data" * 100_000)
    try:
        assert "100%" in on_terminal(program, "image", "save", "fake", "--file", tmp_path / "a", **cloud.shell)
        assert on_terminal(program, "image", "save", "fake", "-q", "--file", tmp_path / "b", **cloud.shell) == ""
    finally:
        cloud.close()
