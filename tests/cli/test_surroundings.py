"""Streams that are closed, encodings that lack characters, signals, and flags in another place, with real processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unicodedata
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from appliance.cli.client.calls import Refused, Unreachable
from appliance.cli.client.options import NewPassword
from tests.cli.conftest import Program
from tests.e2e.conftest import ROOT, Appliance
from tests.waiting import eventually


def shell(
    program: Program, words: tuple[str | Path, ...], redirection: str, **environment: str
) -> tuple[int, str, str]:
    """The exit code, the output and the errors of a command that a shell runs with a redirection."""
    done = subprocess.run(
        ["bash", "-c", f'"$@" {redirection}', "x", *program.command(*words)],
        env={**program.environment, **environment},
        cwd=program.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


VERBS: list[tuple[str, ...]] = [
    ("version",),
    ("help",),
    ("help", "settings"),
    ("--help",),
    ("image", "list", "--help"),
    ("completion", "bash"),
    ("image", "list"),
    ("image", "list", "-f", "json"),
    ("user", "list"),
    ("project", "list"),
    ("role", "list"),
    ("token", "issue"),
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_closed_output_is_missed_in_a_sentence(admin: Program, words: tuple[str, ...]) -> None:
    code, out, error = shell(admin, words, ">&-")
    assert (code, out, error) == (1, "", "glance-appliance: standard output is closed\n")


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_without_input_or_errors_all_goes_well(admin: Program, words: tuple[str, ...]) -> None:
    code, out, error = shell(admin, words, "<&- 2>&-")
    assert code == 0 and out and not error


@pytest.mark.parametrize("words", [("image", "show", "nothing"), ("image", "nonsense"), ("status", "--nonsense")])
def test_errors_never_land_in_the_output(admin: Program, words: tuple[str, ...]) -> None:
    code, out, error = shell(admin, words, "2>&-")
    assert code in (1, 2) and (out, error) == ("", "")


def test_nothing_is_made_of_a_closed_input(admin: Program) -> None:
    code, _, error = shell(admin, ("image", "create", "from-nowhere", "--file", "-"), "<&-")
    assert code == 1 and error == "glance-appliance: standard input is closed\n"
    assert "from-nowhere" not in admin("image", "list").text
    code, _, error = shell(admin, ("user", "create", "from-nowhere", "--password-stdin"), "<&-")
    assert code == 1 and error == "glance-appliance: standard input is closed\n"


def test_data_for_a_closed_output_is_not_called_saved(admin: Program) -> None:
    image = admin("image", "create", "to-nowhere", "--file", "-", "-f", "value", "-c", "id", stdin=b"x" * 5000).text
    code, _, error = shell(admin, ("image", "save", image.strip()), ">&-")
    assert code == 1 and error == "glance-appliance: standard output is closed\n"
    admin("image", "delete", image.strip())


def test_a_command_that_prints_nothing_needs_no_output(admin: Program) -> None:
    admin("image", "create", "quiet")
    assert shell(admin, ("image", "delete", "quiet"), "<&- >&- 2>&-") == (0, "", "")


def width(text: str) -> int:
    """Columns on a terminal."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_every_list_comes_whole_in_every_encoding(admin: Program, encoding: str) -> None:
    names = ["enc-café", "enc-日本", "enc-plain"]
    for name in names:
        admin("image", "create", name, PYTHONUTF8="1")
    try:
        environment: dict[str, Any] = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        lines = admin("image", "list", **environment).out.decode(encoding).splitlines()
        shown = [line for line in lines if "enc-" in line]
        assert len(shown) == 3 and len({width(line.split("queued")[0]) for line in shown}) == 1, lines
        listed = json.loads(admin("image", "list", "-f", "json", **environment).out.decode(encoding))
        assert {image["name"] for image in listed} >= set(names)
        values = admin("image", "list", "-f", "value", "-c", "name", **environment).out.decode(encoding)
        assert "enc-plain" in values and len(values.splitlines()) >= 3
    finally:
        for name in names:
            admin("image", "delete", name, PYTHONUTF8="1")


@pytest.mark.parametrize("verbs", [("image", "list"), ("user", "list"), ("token", "issue"), ("role", "holders")])
def test_flags_of_the_cloud_may_come_before_the_verb(
    program: Program, server: Appliance, verbs: tuple[str, ...]
) -> None:
    directory = str(server.directory)
    for flags in (("--data-dir", directory), (f"--data-dir={directory}", "--insecure", "--os-interface", "public")):
        assert program(*flags, *verbs, "-f", "json").json is not None
    assert "no-such-cloud" in program("--os-cloud", "no-such-cloud", *verbs, code=1).sentence()


def test_a_flag_behind_the_verb_wins_over_one_before_it(program: Program, server: Appliance) -> None:
    program("--data-dir", "/nowhere", "image", "list", "--data-dir", str(server.directory))


@pytest.mark.parametrize("words", [("--os-cloud", "x"), ("--os-cloud",), ("--os-cloud", "x", "nonsense"), ("-f", "x")])
def test_flags_without_a_verb_are_wrong_usage(program: Program, words: tuple[str, ...]) -> None:
    assert program(*words, code=2).sentence()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=str
)
def test_an_upload_that_is_ended_leaves_no_image(admin: Program, number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        admin.command("image", "create", "ended", "--disk-format", "raw", "--file", "-"),
        env=admin.environment,
        cwd=admin.home,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # A shell that runs the tests in the background has them ignore Ctrl-C, and children inherit that.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    assert process.stdin is not None
    process.stdin.write(b"x" * (3 << 20))
    process.stdin.flush()
    eventually(lambda: "ended" in admin("image", "list", "--status", "saving").text)
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == code and b"was broken off, and the image" in error
    assert "ended" not in admin("image", "list").text


def test_a_password_is_told_only_when_it_is_one(admin: Program) -> None:
    first = admin("user", "create", "told", "-f", "json")
    assert "The password of told is" in first.error
    again = admin("user", "create", "told", code=1)
    assert "password" not in again.error and "(HTTP 409)" in again.sentence()
    unknown = admin("user", "set-password", "nobody-of-that-name", code=1)
    assert "password of" not in unknown.error
    admin("user", "delete", "told")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (None, "The password of ann is "),
        (Unreachable("broke off"), "The password of ann may be "),
        (Refused(409, "taken"), ""),
        (KeyboardInterrupt(), ""),
    ],
)
def test_what_became_of_a_password_decides_what_is_said(
    error: BaseException | None, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(type(error)) if error is not None else nullcontext():
        with NewPassword().new("ann") as password:
            if error is not None:
                raise error
    heard = capsys.readouterr().err
    assert heard.startswith(said) and (password in heard) == bool(said)


def test_text_that_is_no_text_is_refused_in_a_sentence(admin: Program) -> None:
    ended = admin("user", "create", "odd", "--password-stdin", stdin=b"\xff\xfe\n", code=1, PYTHONUTF8="1")
    assert ended.sentence() == "what came on standard input is not text; nothing has changed"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    "words", [("backup", "{0}/closed/below", "--data-dir", "{0}/open"), ("status", "--data-dir", "{0}/closed/d")]
)
def test_a_missing_permission_names_the_directory_at_fault(tmp_path: Path, words: tuple[str, ...]) -> None:
    place = Path("/tmp") / f"permission-{os.getpid()}"
    for name in ("closed/d", "open"):
        (place / name).mkdir(parents=True)
    (place / "closed").chmod(0o700)
    (place / "open" / "appliance.db").touch()
    code = (
        "import os, sys; from appliance.cli import backup, status; from appliance.cli.main import main\n"
        "os.setuid(65534); sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, *(word.format(place) for word in words)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    finally:
        shutil.rmtree(place)
    assert done.returncode == 1 and f"{place}/closed" in done.stderr and "65534" in done.stderr, done.stderr
