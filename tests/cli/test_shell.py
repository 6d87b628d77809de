"""Completion, help, the parser and exit codes: what a person at a shell meets first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.completion import SHELLS
from appliance.cli.help import TOPICS, text_of
from appliance.cli.main import main
from appliance.cli.verbs import VERBS, build_parser
from appliance.settings import FIELDS, flag, variable
from tests.cli.conftest import Program
from tests.e2e.conftest import ROOT

SERVERS_HALF = ("appliance.wiring", "appliance.api", "appliance.db", "sqlite3", "bottle", "waitress", "cryptography")
CLIENTS_VERBS = ("image", "user", "project", "role", "token", "help", "version", "install")


def test_the_clients_verbs_load_none_of_the_server() -> None:
    code = (
        "import sys; from appliance.cli.main import main\n"
        f"for verb in {CLIENTS_VERBS}:\n  try: main([verb, '--help'])\n  except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    # Without `make coverage`'s variables: measuring loads sqlite3 itself.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert set(done.stderr.split()).isdisjoint(SERVERS_HALF)


def test_the_first_help_shows_every_verb(program: Program) -> None:
    said = program("--help").text
    assert all(f"  {verb}" in said for verb in VERBS)
    assert program("--version").text.startswith("glance-appliance ")


@pytest.mark.parametrize("command", [(), ("nonsense",), ("image", "nonsense"), ("image", "list", "--nonsense")])
def test_what_is_not_understood_is_exit_code_2(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(command)
    assert "glance-appliance" in capsys.readouterr().err


def test_a_reader_who_leaves_early_is_no_accident(program: Program) -> None:
    done = subprocess.run(
        ["bash", "-c", '"$@" | head -1; echo "${PIPESTATUS[0]}"', "x", *program.command("help", "settings")],
        env=program.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "# Settings" and done.stderr == ""


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_has_a_text(topic: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", topic]) == 0
    assert capsys.readouterr().out == text_of(topic) and text_of(topic).startswith("# ")
    assert topic not in VERBS


def test_help_lists_all_topics_and_verbs(program: Program) -> None:
    listed = {line.split()[0] for line in program("help").text.splitlines() if line.startswith("  ")}
    assert listed == {*TOPICS, *VERBS}


def test_the_topic_on_settings_has_each_of_them() -> None:
    said = text_of("settings")
    assert all(f"{flag(name)}  {variable(name)}" in said for name in FIELDS)


def test_help_on_a_verb_is_its_own(program: Program) -> None:
    assert program("help", "image", "create").text == program("image", "create", "--help").text
    assert "there is no help on nonsense" in program("help", "nonsense", code=2).sentence()


def complete_in_bash(script: Path, *words: str) -> list[str]:
    quoted = " ".join(f"'{word}'" for word in words)
    code = f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _glance_appliance; "
    done = subprocess.run(
        ["bash", "-c", code + 'printf "%s\\n" "${COMPREPLY[@]}"'], capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def completion(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    script = folder / "completion"
    script.write_text(capsys.readouterr().out)
    return script


def test_bash_completes_verbs_their_verbs_and_flags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = completion("bash", tmp_path, capsys)
    assert complete_in_bash(script, "glance-appliance", "ima") == ["image"]
    assert "share" in complete_in_bash(script, "glance-appliance", "image", "")
    assert complete_in_bash(script, "glance-appliance", "image", "save", "x", "--fi") == ["--file"]
    assert complete_in_bash(script, "glance-appliance", "completion", "z") == ["zsh"]
    assert complete_in_bash(script, "glance-appliance", "serve", "--image-po") == ["--image-port"]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_can_read_its_completion(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = completion(shell, tmp_path, capsys)
    assert all(verb in script.read_text() for verb in VERBS)
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} on this machine")
    subprocess.run([shell, "-n", script], check=True)


def test_the_whole_parser_can_be_built() -> None:
    assert build_parser().parse_args(["image", "list"]).verb == "image"
