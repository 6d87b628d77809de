"""Completion, help, the parser and exit codes: what a person at a shell meets first."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.commands import VERBS, commands
from appliance.cli.completion import SHELLS
from appliance.cli.help import TOPICS, text_of
from appliance.cli.main import main
from appliance.settings import FIELDS, flag, variable
from tests.cli.conftest import Program
from tests.e2e.conftest import ROOT

SERVERS_HALF = ("appliance.wiring", "appliance.api", "appliance.db", "sqlite3", "waitress", "cryptography")
CLIENTS_VERBS = ("image", "user", "project", "role", "token", "events", "jobs", "help", "version", "install")


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


@pytest.mark.parametrize("command", [(), ("image",)])
def test_a_bare_call_shows_the_help(program: Program, command: tuple[str, ...]) -> None:
    ended = program(*command, code=2)
    assert ended.error == program(*command, "--help").text and ended.text == ""


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("imag", "list"), "There is no verb 'imag'. Did you mean image?"),
        (("image", "lst"), "There is no verb 'lst'. Did you mean list?"),
        (("serve", "--imag-port", "1"), "No such option '--imag-port'. Did you mean --image-port?"),
        (("image", "list", "--nonsense"), "No such option '--nonsense'. `glance-appliance image list --help` says"),
        (("image", "show"), "Missing argument 'IMAGE'."),
        (("image", "list", "--limit", "many"), "Invalid value for '--limit'"),
        (("image", "list", "--public", "--private"), "--public and --private can't be given together"),
        (("role", "grant", "admin", "--user", "u"), "say --project, --domain or --system"),
    ],
)
def test_what_is_not_understood_is_one_line_and_exit_code_2(
    program: Program, command: tuple[str, ...], said: str
) -> None:
    assert program(*command, code=2).sentence().startswith(said)


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


def complete_in_bash(program: Program, line: str) -> list[str]:
    """What bash would show after Tab at the end of a line."""
    (program.home / "bin").mkdir(exist_ok=True)
    wrapper = program.home / "bin" / "glance-appliance"
    wrapper.write_text(f'#!/bin/sh\nexec {" ".join(program.command())} "$@"\n')
    wrapper.chmod(0o755)
    code = f"""
      source <(glance-appliance completion bash)
      COMP_LINE={line!r} COMP_POINT={len(line)}
      _glance_appliance_completion glance-appliance
      [[ ${{#COMPREPLY[@]}} -eq 0 ]] || printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{wrapper.parent}:{program.environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", code], env={**program.environment, "PATH": path}, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\n")[:-1]


def completion(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    script = folder / "completion"
    script.write_text(capsys.readouterr().out)
    return script


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("glance-appliance ima", ["image"]),
        ("glance-appliance image sha", ["share"]),
        ("glance-appliance image save x --fi", ["--file"]),
        ("glance-appliance completion z", ["zsh"]),
        ("glance-appliance serve --image-po", ["--image-port"]),
        ("glance-appliance image list -f c", ["csv"]),
        ("glance-appliance --os-cloud x image lis", ["list"]),
        ("glance-appliance image create x --disk-format qc", ["qcow2"]),
        ("glance-appliance config show image_po", ["image_port"]),
    ],
)
def test_bash_completes_verbs_flags_and_values(program: Program, line: str, shown: list[str]) -> None:
    assert complete_in_bash(program, line) == shown


def test_bash_completes_names_of_the_cloud(admin: Program) -> None:
    for name in ("tab: one", "tab: two"):
        admin("image", "create", name)
    assert complete_in_bash(admin, "glance-appliance image show ta") == [r"tab:\ one", r"tab:\ two"]
    assert complete_in_bash(admin, "glance-appliance image show 'tab: tw") == [r"\ two"]
    assert complete_in_bash(admin, "glance-appliance user create x --project servi") == ["service"]
    admin("image", "delete", "tab: one", "tab: two")


def test_completion_asks_nobody_for_a_password(program: Program) -> None:
    flags = "--os-auth-url http://127.0.0.1:1 --os-username u"
    assert complete_in_bash(program, f"glance-appliance image show {flags} x") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_can_read_its_completion(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = completion(shell, tmp_path, capsys)
    assert "_GLANCE_APPLIANCE_COMPLETE" in script.read_text()
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} on this machine")
    subprocess.run([shell, "-n", script], check=True)


def test_every_verb_can_be_loaded() -> None:
    assert "image list" in dict(commands())
